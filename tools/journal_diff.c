/* `sluice journal diff`: where two journals part. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/json_form.h"
#include "tools/journal_verb.h"
#include "tools/verb.h"

enum { VALUE_BYTES = 256, FIELD_PATH_BYTES = 160 };

static struct message messages[2]; /* too large for a stack */
static struct drops drops;

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
    printf("%sfirst difference at (epoch %" PRIu64 ", pos %" PRIu64 "): ", journal_label(name), a->epoch,
           a->pos);
    if (a->pos != b->pos) {
        printf("the other journal begins at position %" PRIu64 "\n", b->pos);
        return;
    }
    if (a->epoch != b->epoch) {
        printf("epoch: %" PRIu64 " and %" PRIu64 "\n", a->epoch, b->epoch);
        return;
    }
    if (codec_decode(decoder, a->payload, a->len, &messages[0], &drops) &&
        codec_decode(decoder, b->payload, b->len, &messages[1], &drops) &&
        message_differs(&messages[0], &messages[1], &d)) {
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
            return journal_failed(name, got_a, journal_reader_error(left));
        if (got_b < 0)
            return journal_failed(name, got_b, journal_reader_error(right));
        if (got_a == 0 && got_b == 0) {
            printf("%sequal, %" PRIu64 " records\n", journal_label(name), n);
            return EXIT_DONE;
        }
        if (got_a == 0 || got_b == 0) {
            const struct journal_record *more = got_a == 0 ? &b : &a;
            printf("%sfirst difference at (epoch %" PRIu64 ", pos %" PRIu64 "): only %s has it\n",
                   journal_label(name), more->epoch, more->pos, dirs[got_a == 0]);
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
    const int result = status != OK ? journal_failed(name, status, error)
                                    : diff_readers(name, readers[0], readers[1], dirs, decoder);
    journal_reader_close(&readers[0]);
    journal_reader_close(&readers[1]);
    decoder_destroy(&decoder);
    return result;
}

int journal_diff(const char *left, const char *right)
{
    struct journals a, b;
    int result = journals_find(left, &a);
    if (result == EXIT_DONE)
        result = journals_find(right, &b);
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
