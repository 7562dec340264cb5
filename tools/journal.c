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

enum { LEDGERS_MAX = 2, LINE_BYTES = 64 * 1024, VALUE_BYTES = 256, FIELD_PATH_BYTES = 160 };

/* The journals that an argument means. */
struct journals {
    int n;
    const char *name[LEDGERS_MAX]; /* "" for a journal's own directory */
    char dir[LEDGERS_MAX][JOURNAL_PATH_MAX];
};

struct options {
    uint64_t from, count;
};

/* Room that is too large for a stack. */
static struct room {
    uint64_t segments[SEGMENTS_MAX];
    unsigned char cursor[CURSOR_BYTES];
    struct message first, second;
    struct drops drops;
    char line[LINE_BYTES];
} room;

static bool is_directory(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

static int find_journals(const char *path, struct journals *out)
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

/* "risk: " in front of a line about one of two ledgers. */
static const char *label(const char *name)
{
    static char text[24];
    snprintf(text, sizeof text, name[0] != '\0' ? "%s: " : "%s", name);
    return text;
}

static int reading_failed(const char *name, int status, const char *words)
{
    fprintf(stderr, "sluice journal: %s%s\n", label(name), words);
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
        return reading_failed(name, E_IO, strerror(errno));
    printf("%s%s\n%-24s %12s %12s %8s %8s %10s %12s\n", label(name), dir, "segment", "first", "last", "epoch",
           "to", "records", "bytes");
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
    const int shown = snapshots_show(label(name), dir);
    return shown == EXIT_FAILED || result == EXIT_DONE ? shown : result;
}

/* ---- cat ----------------------------------------------------------------------------------------------- */

static void print_record(struct decoder *decoder, const struct journal_record *record)
{
    if (codec_decode(decoder, record->payload, record->len, &room.first, &room.drops) &&
        json_form(&room.first, room.line, sizeof room.line) > 0) {
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
            label(name), from, c.pos);
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
        return reading_failed(name, got, decoder == NULL && got == E_FULL ? "out of memory" : error);
    }
    uint64_t left = options->count;
    while (left > 0 && !ferror(stdout) && (got = journal_reader_next(reader, &record)) == 1) {
        print_record(decoder, &record);
        left--;
    }
    int result = got < 0 ? reading_failed(name, got, journal_reader_error(reader)) : EXIT_DONE;
    if (got == 0 && left == options->count && options->from > 1)
        result = past_the_end(name, dir, options->from);
    journal_reader_close(&reader);
    decoder_destroy(&decoder);
    return result;
}

static int cat_snapshot(const char *name, const char *dir, const struct options *options)
{
    (void)options;
    return snapshots_print(label(name), dir);
}

/* ---- check --------------------------------------------------------------------------------------------- */

static int check_one(const char *name, const char *dir, const struct options *options)
{
    (void)options;
    struct journal_reader *reader;
    struct journal_record record, first = {0}, last = {0};
    char error[JOURNAL_ERROR_MAX];
    uint64_t n = 0;
    int got = journal_reader_open(dir, 0, &reader, error);
    if (got != OK)
        return reading_failed(name, got, error);
    while ((got = journal_reader_next(reader, &record)) == 1) {
        last = record;
        if (n++ == 0)
            first = record;
    }
    if (got < 0) {
        const int result = reading_failed(name, got, journal_reader_error(reader));
        journal_reader_close(&reader);
        return result;
    }
    journal_reader_close(&reader);
    printf("%s%" PRIu64 " records whole", label(name), n);
    if (n > 0)
        printf(", positions %" PRIu64 " to %" PRIu64 ", epochs %" PRIu64 " to %" PRIu64, first.pos, last.pos,
               first.epoch, last.epoch);
    const int segments = segments_list(dir, room.segments, SEGMENTS_MAX);
    struct cursor c;
    struct segment_sum sum;
    if (segments > 0 && sum_segment(dir, room.segments[segments - 1], &c, &sum) == CURSOR_TORN)
        printf("; behind them %lld bytes of an unfinished one, which the next start cuts",
               (long long)sum.torn);
    printf("\n");
    return snapshots_check(label(name), dir, first.pos, last.pos);
}

/* ---- diff ---------------------------------------------------------------------------------------------- */

struct difference {
    char field[FIELD_PATH_BYTES];
    char values[2][VALUE_BYTES];
};

static bool scalar_differs(const char *path, const char *name, const char *a, const char *b,
                           struct difference *d)
{
    if (strcmp(a, b) == 0)
        return false;
    snprintf(d->field, sizeof d->field, "%.100s%s", path, name);
    snprintf(d->values[0], VALUE_BYTES, "%s", a[0] != '\0' ? a : "\"\"");
    snprintf(d->values[1], VALUE_BYTES, "%s", b[0] != '\0' ? b : "\"\"");
    return true;
}

static bool number_differs(const char *name, int64_t a, int64_t b, struct difference *d)
{
    char texts[2][24];
    snprintf(texts[0], sizeof texts[0], "%" PRId64, a);
    snprintf(texts[1], sizeof texts[1], "%" PRId64, b);
    return scalar_differs("", name, texts[0], texts[1], d);
}

/* The first field in which two records of one kind differ. A list's records have no lists of their own;
 * deeper ones would be found as well. */
static bool record_differs(const struct record_kind *kind, const char *path, const char *a, const char *b,
                           struct exponents parent_a, struct exponents parent_b, struct difference *d)
{
    const struct exponents exps_a = record_exponents(kind, a, parent_a);
    const struct exponents exps_b = record_exponents(kind, b, parent_b);
    for (const struct field *f = kind->fields(); f->name != NULL; f++) {
        char texts[2][VALUE_BYTES];
        if (f->kind != FIELD_LIST) {
            field_text(f, a, exps_a, texts[0], VALUE_BYTES);
            field_text(f, b, exps_b, texts[1], VALUE_BYTES);
            if (scalar_differs(path, f->name, texts[0], texts[1], d))
                return true;
            continue;
        }
        uint32_t n[2];
        memcpy(&n[0], a + f->count_offset, sizeof n[0]);
        memcpy(&n[1], b + f->count_offset, sizeof n[1]);
        for (uint32_t i = 0; i < n[0] && i < n[1]; i++) {
            char deeper[FIELD_PATH_BYTES];
            snprintf(deeper, sizeof deeper, "%.60s%s[%u].", path, f->name, i);
            if (record_differs(f->record, deeper, a + f->offset + i * f->size, b + f->offset + i * f->size,
                               exps_a, exps_b, d))
                return true;
        }
        snprintf(texts[0], VALUE_BYTES, "%u of them", n[0]);
        snprintf(texts[1], VALUE_BYTES, "%u of them", n[1]);
        if (scalar_differs(path, f->name, texts[0], texts[1], d))
            return true;
    }
    return false;
}

/* What the message says comes before what the shells stamped on it. */
static bool message_differs(const struct message *a, const struct message *b, struct difference *d)
{
    const struct record_kind *kind = message_kind(a->env.type)->body;
    const struct record_kind *other = message_kind(b->env.type)->body;
    const size_t body = offsetof(struct message, epoch);
    const struct exponents none = {0, 0};
    char path[48];
    if (scalar_differs("", "type", kind->name, other->name, d))
        return true;
    snprintf(path, sizeof path, "%.40s.", kind->name);
    if (record_differs(kind, path, (const char *)a + body, (const char *)b + body, none, none, d))
        return true;
    if (scalar_differs("", "stream", a->env.stream, b->env.stream, d) ||
        number_differs("epoch", (int64_t)a->env.epoch, (int64_t)b->env.epoch, d) ||
        number_differs("seq", (int64_t)a->env.seq, (int64_t)b->env.seq, d) ||
        number_differs("pos", (int64_t)a->env.pos, (int64_t)b->env.pos, d) ||
        number_differs("time_out", a->env.time_out, b->env.time_out, d) ||
        number_differs("trace.venue_time", a->env.trace.venue_time, b->env.trace.venue_time, d) ||
        number_differs("trace.recv_utc", a->env.trace.recv_utc, b->env.trace.recv_utc, d) ||
        number_differs("trace.recv_mono", a->env.trace.recv_mono, b->env.trace.recv_mono, d) ||
        number_differs("trace.boot_id", (int64_t)a->env.trace.boot_id, (int64_t)b->env.trace.boot_id, d))
        return true;
    for (int i = 0; i < HOP_COUNT; i++) {
        char name[24];
        snprintf(name, sizeof name, "trace.hop[%d]", i);
        if (number_differs(name, a->env.trace.hop[i], b->env.trace.hop[i], d))
            return true;
    }
    return false;
}

static void tell_difference(const char *name, struct decoder *decoder, const struct journal_record *a,
                            const struct journal_record *b)
{
    struct difference d;
    printf("%sfirst difference at (epoch %" PRIu64 ", pos %" PRIu64 "): ", label(name), a->epoch, a->pos);
    if (a->pos != b->pos) {
        printf("the other journal begins at position %" PRIu64 "\n", b->pos);
        return;
    }
    if (a->epoch != b->epoch) {
        printf("epoch: %" PRIu64 " and %" PRIu64 "\n", a->epoch, b->epoch);
        return;
    }
    if (codec_decode(decoder, a->payload, a->len, &room.first, &room.drops) &&
        codec_decode(decoder, b->payload, b->len, &room.second, &room.drops) &&
        message_differs(&room.first, &room.second, &d)) {
        printf("%s: %s and %s\n", d.field, d.values[0], d.values[1]);
        return;
    }
    const unsigned char *x = a->payload, *y = b->payload;
    size_t at = 0;
    while (at < a->len && at < b->len && x[at] == y[at])
        at++;
    printf("payloads of %zu and %zu bytes differ from byte %zu on\n", a->len, b->len, at);
}

static bool equal_records(const struct journal_record *a, const struct journal_record *b)
{
    return a->epoch == b->epoch && a->pos == b->pos && a->len == b->len &&
           memcmp(a->payload, b->payload, a->len) == 0;
}

static int diff_readers(const char *name, struct journal_reader *left, struct journal_reader *right,
                        const char *const dirs[2], struct decoder *decoder)
{
    struct journal_record a, b;
    for (uint64_t n = 0;; n++) {
        const int got_a = journal_reader_next(left, &a), got_b = journal_reader_next(right, &b);
        if (got_a < 0)
            return reading_failed(name, got_a, journal_reader_error(left));
        if (got_b < 0)
            return reading_failed(name, got_b, journal_reader_error(right));
        if (got_a == 0 && got_b == 0) {
            printf("%sequal, %" PRIu64 " records\n", label(name), n);
            return EXIT_DONE;
        }
        if (got_a == 0 || got_b == 0) {
            const struct journal_record *more = got_a == 0 ? &b : &a;
            printf("%sfirst difference at (epoch %" PRIu64 ", pos %" PRIu64 "): only %s has it\n",
                   label(name), more->epoch, more->pos, dirs[got_a == 0]);
            return EXIT_MISMATCH;
        }
        if (!equal_records(&a, &b)) {
            tell_difference(name, decoder, &a, &b);
            return EXIT_MISMATCH;
        }
    }
}

static int diff_one(const char *name, const char *const dirs[2])
{
    struct journal_reader *readers[2] = {NULL, NULL};
    struct decoder *decoder = decoder_new();
    char error[JOURNAL_ERROR_MAX] = "out of memory";
    int status = decoder == NULL ? E_FULL : OK;
    for (int i = 0; i < 2 && status == OK; i++)
        status = journal_reader_open(dirs[i], 0, &readers[i], error);
    const int result = status != OK ? reading_failed(name, status, error)
                                    : diff_readers(name, readers[0], readers[1], dirs, decoder);
    journal_reader_close(&readers[0]);
    journal_reader_close(&readers[1]);
    decoder_destroy(&decoder);
    return result;
}

static int diff(const char *left, const char *right)
{
    struct journals a, b;
    int result = find_journals(left, &a);
    if (result == EXIT_DONE)
        result = find_journals(right, &b);
    if (result != EXIT_DONE)
        return result;
    bool alike = a.n == b.n;
    for (int i = 0; alike && i < a.n; i++)
        alike = strcmp(a.name[i], b.name[i]) == 0;
    if (!alike) {
        fprintf(stderr, "sluice journal diff: %s and %s do not hold the same ledgers\n", left, right);
        return EXIT_USAGE;
    }
    for (int i = 0; i < a.n; i++) {
        const char *const dirs[2] = {a.dir[i], b.dir[i]};
        const int one = diff_one(a.name[i], dirs);
        if (result == EXIT_DONE || one == EXIT_FAILED)
            result = one;
    }
    return result;
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
    int result = find_journals(path, &found);
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
        return diff(arguments[1], arguments[2]);
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
