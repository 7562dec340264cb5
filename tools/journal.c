/* `sluice journal`: what the ledgers' files hold, whether they hold, and where two of them part. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/runtime/journal_record.h"
#include "proto/codec.h"
#include "proto/json_form.h"
#include "tools/journal_snapshots.h"
#include "tools/journal_verb.h"
#include "tools/verb.h"

static const char usage[] =
    "usage: sluice journal ls DIR\n"
    "       sluice journal cat DIR [--from POS] [--count N]\n"
    "       sluice journal cat DIR --snapshot | FILE.snap\n"
    "       sluice journal check DIR\n"
    "       sluice journal diff DIR1 DIR2\n"
    "\n"
    "DIR is a journal's directory, or a run's: then both of its ledgers are meant, risk and exec.\n"
    "\n"
    "  ls     its segments: positions, epochs, records, bytes; its snapshots\n"
    "  cat    its records as JSON, one a line; or the messages of a snapshot\n"
    "           --from POS   begin at this position; default the oldest\n"
    "           --count N    at most N records\n"
    "           --snapshot   the newest whole snapshot instead\n"
    "  check  reads every record and snapshot, their checksums, and that none is missing\n"
    "  diff   compares two journals record by record, and names the first difference\n"
    "\n"
    "exit codes: 0 done, whole or equal; 1 cannot be read; 2 usage; 6 damaged or different\n";

enum { LINE_BYTES = 64 * 1024 };

struct options {
    uint64_t from, count;
};

/* Room that is too large for a stack. */
static struct room {
    uint64_t segments[SEGMENTS_MAX];
    unsigned char cursor[CURSOR_BYTES];
    struct message message;
    struct drops drops;
    char line[LINE_BYTES];
} room;

static bool is_directory(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

int journals_find(const char *path, struct journals *out)
{
    static const char *const ledgers[] = {"risk", "exec"};
    out->n = 0;
    for (int i = 0; i < 2; i++) {
        snprintf(out->dir[out->n], JOURNAL_PATH_MAX, "%.400s/journal/%s", path, ledgers[i]);
        if (is_directory(out->dir[out->n]))
            out->name[out->n++] = ledgers[i];
    }
    if (out->n > 0)
        return EXIT_DONE;
    char lock[JOURNAL_PATH_MAX];
    struct stat s;
    snprintf(lock, sizeof lock, "%.400s/lock", path);
    const int segments = segments_list(path, room.segments, SEGMENTS_MAX);
    if (segments < 0) {
        fprintf(stderr, "sluice journal: %s: %s\n", path,
                segments == E_FULL ? "too many segments" : strerror(errno));
        return EXIT_FAILED;
    }
    if (segments == 0 && stat(lock, &s) != 0) {
        fprintf(stderr,
                "sluice journal: %s: no journal is here; expected a directory with segments, or a run's\n",
                path);
        return EXIT_FAILED;
    }
    snprintf(out->dir[0], JOURNAL_PATH_MAX, "%.400s", path);
    out->name[0] = "";
    out->n = 1;
    return EXIT_DONE;
}

const char *journal_label(const char *name)
{
    static char text[24];
    snprintf(text, sizeof text, name[0] != '\0' ? "%s: " : "%s", name);
    return text;
}

int journal_failed(const char *name, int status, const char *words)
{
    fprintf(stderr, "sluice journal: %s%s\n", journal_label(name), words);
    return status == E_CORRUPT ? EXIT_MISMATCH : EXIT_FAILED;
}

/* ---- ls ------------------------------------------------------------------------------------------------ */

struct segment_sum {
    uint64_t records, epoch_first, epoch_last;
    off_t bytes; /* of the file */
    off_t torn;  /* bytes behind the last whole record */
};

/* Reads one segment through. CURSOR_END, CURSOR_TORN, CURSOR_CORRUPT, E_IO, E_ABSENT; the cursor says where.
 */
static int sum_segment(const char *dir, uint64_t first, struct cursor *c, struct segment_sum *sum)
{
    struct journal_record record;
    struct stat file;
    memset(sum, 0, sizeof *sum);
    *c = (struct cursor){.fd = -1, .bytes = room.cursor};
    int got = cursor_open(c, dir, first);
    while (got == CURSOR_END && (got = cursor_next(c, &record)) == CURSOR_RECORD) {
        if (sum->records++ == 0)
            sum->epoch_first = record.epoch;
        sum->epoch_last = record.epoch;
        got = CURSOR_END;
    }
    if (c->fd >= 0 && fstat(c->fd, &file) == 0) {
        sum->bytes = file.st_size;
        sum->torn = file.st_size - c->offset;
    }
    cursor_close(c);
    return got;
}

static int list_one(const char *name, const char *dir, const struct options *options)
{
    (void)options;
    const int n = segments_list(dir, room.segments, SEGMENTS_MAX);
    int result = EXIT_DONE;
    if (n < 0)
        return journal_failed(name, E_IO, strerror(errno));
    printf("%s%s\n%-24s %12s %12s %8s %8s %10s %12s\n", journal_label(name), dir, "segment", "first", "last",
           "epoch", "to", "records", "bytes");
    for (int i = 0; i < n; i++) {
        struct cursor c;
        struct segment_sum sum;
        char file[SEGMENT_NAME];
        const int got = sum_segment(dir, room.segments[i], &c, &sum);
        segment_name(room.segments[i], file);
        if (got < 0) {
            fprintf(stderr, "sluice journal: %s/%s: %s\n", dir, file, strerror(errno));
            result = EXIT_FAILED;
            continue;
        }
        printf("%-24s %12" PRIu64 " %12" PRIu64 " %8" PRIu64 " %8" PRIu64 " %10" PRIu64 " %12lld", file,
               room.segments[i], c.pos, sum.epoch_first, sum.epoch_last, sum.records, (long long)sum.bytes);
        if (got == CURSOR_TORN && i + 1 == n)
            printf("  unfinished: %lld bytes at offset %lld", (long long)sum.torn, (long long)c.offset);
        else if (got != CURSOR_END)
            printf("  damaged at offset %lld: %s", (long long)c.offset, c.why);
        printf("\n");
        if (got == CURSOR_CORRUPT || (got == CURSOR_TORN && i + 1 < n))
            result = result == EXIT_DONE ? EXIT_MISMATCH : result;
    }
    const int shown = snapshots_show(journal_label(name), dir);
    return shown == EXIT_FAILED || result == EXIT_DONE ? shown : result;
}

/* ---- cat ----------------------------------------------------------------------------------------------- */

static void print_record(struct decoder *decoder, const struct journal_record *record)
{
    if (codec_decode(decoder, record->payload, record->len, &room.message, &room.drops) &&
        json_form(&room.message, room.line, sizeof room.line) > 0) {
        puts(room.line);
        return;
    }
    printf("{\"epoch\":%" PRIu64 ",\"pos\":%" PRIu64 ",\"time\":%" PRId64 ",\"unreadable_bytes\":%zu}\n",
           record->epoch, record->pos, record->time_ns, record->len);
}

/* Asked for what is not there yet: says where the journal ends. */
static int past_the_end(const char *name, const char *dir, uint64_t from)
{
    struct cursor c = {.pos = 0};
    struct segment_sum sum;
    const int n = segments_list(dir, room.segments, SEGMENTS_MAX);
    if (n > 0)
        (void)sum_segment(dir, room.segments[n - 1], &c, &sum);
    fprintf(stderr,
            "sluice journal: %s--from %" PRIu64 ": the journal ends at position %" PRIu64
            "; expected a position up to there\n",
            journal_label(name), from, c.pos);
    return EXIT_FAILED;
}

static int cat_one(const char *name, const char *dir, const struct options *options)
{
    struct journal_reader *reader;
    struct journal_record record;
    struct decoder *decoder = decoder_new();
    char error[JOURNAL_ERROR_MAX];
    int got = decoder == NULL ? E_FULL : journal_reader_open(dir, options->from, &reader, error);
    if (got != OK) {
        decoder_destroy(&decoder);
        return journal_failed(name, got, decoder == NULL && got == E_FULL ? "out of memory" : error);
    }
    uint64_t left = options->count;
    while (left > 0 && !ferror(stdout) && (got = journal_reader_next(reader, &record)) == 1) {
        print_record(decoder, &record);
        left--;
    }
    int result = got < 0 ? journal_failed(name, got, journal_reader_error(reader)) : EXIT_DONE;
    if (got == 0 && left == options->count && options->from > 1)
        result = past_the_end(name, dir, options->from);
    journal_reader_close(&reader);
    decoder_destroy(&decoder);
    return result;
}

static int cat_snapshot(const char *name, const char *dir, const struct options *options)
{
    (void)options;
    return snapshots_print(journal_label(name), dir);
}

/* ---- check --------------------------------------------------------------------------------------------- */

/* Says how the segments behind the damaged one are, each by itself, and what they reach to. */
static uint64_t check_behind(const char *name, const char *dir, uint64_t last)
{
    const int n = segments_list(dir, room.segments, SEGMENTS_MAX);
    uint64_t head = last;
    bool behind = false;
    for (int i = 1; i < n; i++) {
        struct cursor c;
        struct segment_sum sum;
        char file[SEGMENT_NAME];
        behind = behind || room.segments[i] > last + 1;
        if (!behind)
            continue;
        const int got = sum_segment(dir, room.segments[i], &c, &sum);
        segment_name(room.segments[i], file);
        printf("%s%s: %" PRIu64 " records whole from position %" PRIu64 " on", journal_label(name), file,
               sum.records, room.segments[i]);
        if (got == CURSOR_TORN && i + 1 == n)
            printf("; behind them %lld bytes of an unfinished one", (long long)sum.torn);
        else if (got != CURSOR_END)
            printf("; damaged at offset %lld: %s", (long long)c.offset, got < 0 ? strerror(errno) : c.why);
        printf("\n");
        head = sum.records > 0 ? c.pos : head;
    }
    return head;
}

static void print_whole(const char *name, uint64_t n, const struct journal_record *first,
                        const struct journal_record *last)
{
    printf("%s%" PRIu64 " records whole", journal_label(name), n);
    if (n > 0)
        printf(", positions %" PRIu64 " to %" PRIu64 ", epochs %" PRIu64 " to %" PRIu64, first->pos,
               last->pos, first->epoch, last->epoch);
}

static int check_one(const char *name, const char *dir, const struct options *options)
{
    (void)options;
    struct journal_reader *reader;
    struct journal_record record, first = {0}, last = {0};
    char error[JOURNAL_ERROR_MAX];
    uint64_t n = 0;
    int got = journal_reader_open(dir, 0, &reader, error);
    if (got != OK)
        return journal_failed(name, got, error);
    while ((got = journal_reader_next(reader, &record)) == 1) {
        last = record;
        if (n++ == 0)
            first = record;
    }
    if (got < 0) {
        const int result = journal_failed(name, got, journal_reader_error(reader));
        journal_reader_close(&reader);
        print_whole(name, n, &first, &last);
        printf(" before what is damaged\n");
        (void)snapshots_check(journal_label(name), dir, first.pos, check_behind(name, dir, last.pos));
        return result;
    }
    journal_reader_close(&reader);
    print_whole(name, n, &first, &last);
    const int segments = segments_list(dir, room.segments, SEGMENTS_MAX);
    struct cursor c;
    struct segment_sum sum;
    if (segments > 0 && sum_segment(dir, room.segments[segments - 1], &c, &sum) == CURSOR_TORN)
        printf("; behind them %lld bytes of an unfinished one, which the next start cuts",
               (long long)sum.torn);
    printf("\n");
    return snapshots_check(journal_label(name), dir, first.pos, last.pos);
}

/* ---- the command line ------------------------------------------------------------------------------------
 */

static int wrong(const char *what, const char *expected)
{
    fprintf(stderr, "sluice journal: %s: %s\n\n%s", what, expected, usage);
    return EXIT_USAGE;
}

static bool read_number(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

static int for_each(const char *path, const struct options *options,
                    int (*one)(const char *name, const char *dir, const struct options *options))
{
    struct journals found;
    int result = journals_find(path, &found);
    for (int i = 0; result != EXIT_FAILED && i < found.n; i++) {
        const int status = one(found.name[i], found.dir[i], options);
        if (status != EXIT_DONE)
            result = status;
    }
    return result;
}

/* What the arguments behind the flags mean. */
static int act(int given, char **arguments, struct options *options, bool ranged, bool snapshot)
{
    if (given == 0)
        return wrong("nothing to do", "expected ls, cat, check or diff");
    const char *what = arguments[0];
    const bool two = strcmp(what, "diff") == 0, cat = strcmp(what, "cat") == 0;
    int code;
    if (!two && !cat && strcmp(what, "ls") != 0 && strcmp(what, "check") != 0)
        return wrong(what, "expected ls, cat, check or diff");
    if (given != (two ? 3 : 2))
        return wrong(what, two ? "expected two directories" : "expected one directory");
    if ((ranged || snapshot) && !cat)
        return wrong(what, "--from, --count and --snapshot belong to cat");
    if (ranged && snapshot)
        return wrong("--snapshot", "a snapshot has no positions: without --from and --count");
    if (two)
        return journal_diff(arguments[1], arguments[2]);
    if (cat && !ranged && snapshot_file_print(arguments[1], &code))
        return code;
    return for_each(arguments[1], options,
                    strcmp(what, "ls") == 0 ? list_one
                    : !cat                  ? check_one
                    : snapshot              ? cat_snapshot
                                            : cat_one);
}

int verb_journal(int argc, char **argv)
{
    static const struct option flags[] = {{"help", no_argument, NULL, 'h'},
                                          {"from", required_argument, NULL, 'f'},
                                          {"count", required_argument, NULL, 'c'},
                                          {"snapshot", no_argument, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {.from = 0, .count = UINT64_MAX};
    bool ranged = false, snapshot = false;
    optind = 1;
    opterr = 0;
    for (int flag; (flag = getopt_long(argc, argv, "h", flags, NULL)) != -1;) {
        if (flag == 'h') {
            fputs(usage, stdout);
            return EXIT_DONE;
        }
        if (flag == 's') {
            snapshot = true;
            continue;
        }
        if (flag != 'f' && flag != 'c')
            return wrong(argv[optind - 1], "not a flag of this verb, or its value is missing");
        ranged = true;
        if (!read_number(optarg, flag == 'f' ? &options.from : &options.count))
            return wrong(optarg,
                         flag == 'f' ? "expected a position such as 17" : "expected a number of records");
    }
    return act(argc - optind, argv + optind, &options, ranged, snapshot);
}
