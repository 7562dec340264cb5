#include "tools/journal_snapshots.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/runtime/snapshot.h"
#include "proto/json_form.h"
#include "tools/verb.h"

enum { PATH_BYTES = 512, LINE_BYTES = 64 * 1024 };

static int listed(const char *label, const char *dir, uint64_t pos[SNAPSHOTS_LISTED])
{
    const int n = snapshot_list(dir, pos);
    if (n < 0)
        fprintf(stderr, "sluice journal: %s%s: %s\n", label, dir, strerror(errno));
    return n;
}

static long long bytes_of(const char *dir, uint64_t pos)
{
    char name[SNAPSHOT_NAME], path[PATH_BYTES];
    struct stat file;
    snapshot_name(pos, name);
    snprintf(path, sizeof path, "%.400s/%s", dir, name);
    return stat(path, &file) == 0 ? (long long)file.st_size : -1;
}

static int failed(const char *label, const char *dir, uint64_t pos, int status, const char *why)
{
    char name[SNAPSHOT_NAME];
    snapshot_name(pos, name);
    fprintf(stderr, "sluice journal: %s%s/%s: %s\n", label, dir, name, why);
    return status == E_CORRUPT ? EXIT_MISMATCH : EXIT_FAILED;
}

int snapshots_show(const char *label, const char *dir)
{
    uint64_t pos[SNAPSHOTS_LISTED], messages;
    char name[SNAPSHOT_NAME], why[SNAPSHOT_ERROR_MAX];
    int result = EXIT_DONE;
    const int n = listed(label, dir, pos);
    if (n > 0)
        printf("%-25s %12s %10s %12s\n", "snapshot", "at", "messages", "bytes");
    for (int i = n - 1; i >= 0; i--) {
        const int status = snapshot_read(dir, pos[i], NULL, NULL, &messages, why);
        snapshot_name(pos[i], name);
        printf("%-25s %12" PRIu64 " %10" PRIu64 " %12lld", name, pos[i], messages, bytes_of(dir, pos[i]));
        if (status != OK) {
            printf("  damaged: %s", why);
            result = status == E_CORRUPT && result != EXIT_FAILED ? EXIT_MISMATCH : EXIT_FAILED;
        }
        printf("\n");
    }
    return n < 0 ? EXIT_FAILED : result;
}

int snapshots_check(const char *label, const char *dir, uint64_t first, uint64_t head)
{
    uint64_t pos[SNAPSHOTS_LISTED], messages, reached = 0;
    char why[SNAPSHOT_ERROR_MAX];
    int result = EXIT_DONE;
    const int n = listed(label, dir, pos);
    for (int i = n - 1; i >= 0; i--) {
        const int status = snapshot_read(dir, pos[i], NULL, NULL, &messages, why);
        if (status != OK) {
            const int code = failed(label, dir, pos[i], status, why);
            result = result == EXIT_FAILED ? result : code;
            continue;
        }
        printf("%ssnapshot at position %" PRIu64 " whole, %" PRIu64 " messages%s\n", label, pos[i], messages,
               pos[i] > head ? "; it is above the journal's head, and the next start removes it" : "");
        if (pos[i] <= head)
            reached = pos[i];
    }
    if (n >= 0 && result != EXIT_FAILED && first > reached + 1) {
        fprintf(stderr,
                "sluice journal: %s%s: the journal begins at position %" PRIu64
                ", and no whole snapshot reaches so far (%" PRIu64 ")\n",
                label, dir, first, reached);
        return EXIT_MISMATCH;
    }
    return n < 0 ? EXIT_FAILED : result;
}

static void print(void *ctx, const struct message *m)
{
    static char line[LINE_BYTES];
    (void)ctx;
    if (!ferror(stdout) && json_form(m, line, sizeof line) > 0)
        puts(line);
}

static int print_one(const char *label, const char *dir, uint64_t pos)
{
    uint64_t messages;
    char why[SNAPSHOT_ERROR_MAX];
    const int status = snapshot_read(dir, pos, print, NULL, &messages, why);
    return status == OK ? EXIT_DONE : failed(label, dir, pos, status, why);
}

int snapshots_print(const char *label, const char *dir)
{
    uint64_t pos[SNAPSHOTS_LISTED];
    int result = EXIT_FAILED;
    const int n = listed(label, dir, pos);
    if (n == 0)
        fprintf(stderr, "sluice journal: %s%s: no snapshot is here\n", label, dir);
    for (int i = 0; i < n && result != EXIT_DONE; i++)
        result = print_one(label, dir, pos[i]);
    return result;
}

bool snapshot_file_print(const char *path, int *code)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_BYTES];
    uint64_t pos;
    if (!snapshot_of_name(slash ? slash + 1 : path, &pos))
        return false;
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    *code = print_one("", slash == path ? "/" : dir, pos);
    return true;
}
