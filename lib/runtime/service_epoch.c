#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/runtime/service.h"

/* A renamed file is safe once its directory is on disk. */
static bool sync_directory(void)
{
    int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd);
    return synced;
}

/* OK, E_FULL: the disk is, E_IO. */
static int write_epoch(const char *path, uint64_t epoch)
{
    char next[80];
    (void)snprintf(next, sizeof next, "%.70s.next", path);
    errno = 0;
    FILE *f = fopen(next, "we");
    bool written = f && fprintf(f, "%" PRIu64 "\n", epoch) > 0 && fflush(f) == 0 && fsync(fileno(f)) == 0;
    int cause = written ? 0 : errno;
    if (f && fclose(f) != 0 && written)
        written = false, cause = errno;
    if (written && rename(next, path) == 0 && sync_directory())
        return OK;
    cause = cause ? cause : errno;
    return cause == ENOSPC || cause == EDQUOT || cause == EFBIG ? E_FULL : E_IO;
}

/* Whether a second has gone by and nobody has told the process to end. The loop, which takes these signals, does not
 * run yet; they are blocked since it was made. */
static bool waited(void)
{
    const struct timespec second = {.tv_sec = 1};
    sigset_t ends;
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    return sigtimedwait(&ends, NULL, &second) < 0;
}

uint64_t service_epoch(const struct service *s, const char *path)
{
    uint64_t epoch = 0;
    int status, tries = 0;
    FILE *f = fopen(path, "re");
    if (f) {
        bool read = fscanf(f, "%20" SCNu64, &epoch) == 1;
        (void)fclose(f);
        if (!read) /* to begin again at 1 would go back behind what subscribers have seen */
            return 0;
    }
    while ((status = write_epoch(path, epoch + 1)) == E_FULL) {
        if (tries++ == 0)
            log_line(LOG_ERROR, "blocked", "service=%s file=%s what=\"the disk is full: waits for room\"",
                     s->name, path);
        log_flush();
        if (!waited()) {
            log_line(LOG_INFO, "stopped", "service=%s", s->name);
            log_close();
            exit(EXIT_SUCCESS);
        }
    }
    if (status == OK && tries > 0)
        log_line(LOG_INFO, "unblocked", "service=%s seconds=%d", s->name, tries);
    return status == OK ? epoch + 1 : 0;
}
