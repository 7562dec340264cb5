/* Reading a journal: across its segments, and behind an owner who is writing. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/runtime/journal_record.h"

struct journal_reader {
    char dir[JOURNAL_PATH_MAX];
    struct cursor cursor;
    uint64_t from;  /* records below it are passed over */
    bool started;   /* a record was served: from here on nothing may be missing */
    bool corrupted; /* nothing is served from here on */
    char error[JOURNAL_ERROR_MAX];
    uint64_t segments[SEGMENTS_MAX];
    unsigned char bytes[CURSOR_BYTES];
};

static int fail(struct journal_reader *self, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct journal_reader *self, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self->error, sizeof self->error, format, args);
    va_end(args);
    return status;
}

static int list(struct journal_reader *self)
{
    const int n = segments_list(self->dir, self->segments, SEGMENTS_MAX);
    if (n == E_FULL)
        return fail(self, E_FULL, "%.150s: more than %d segments", self->dir, SEGMENTS_MAX);
    if (n < 0)
        return fail(self, E_IO, "%.150s: %s", self->dir, strerror(errno));
    return n;
}

/* Names what does not hold, and stays at that: a reader never steps over damage. */
static int corrupt(struct journal_reader *self, const char *why)
{
    char name[SEGMENT_NAME];
    segment_name(self->cursor.first_pos, name);
    self->corrupted = true;
    return fail(self, E_CORRUPT, "%.120s/%s: offset %lld, position %" PRIu64 ": %s", self->dir, name,
                (long long)self->cursor.offset, self->cursor.pos + 1, why);
}

static int read_failed(struct journal_reader *self)
{
    char name[SEGMENT_NAME];
    segment_name(self->cursor.first_pos, name);
    return fail(self, E_IO, "%.120s/%s: %s", self->dir, name, strerror(errno));
}

/* Opens the segment in which `pos` is or will be; before the first record is served, the oldest where pos is
 * older. 1, 0 = none yet. */
static int open_segment(struct journal_reader *self, uint64_t pos)
{
    const int n = list(self);
    if (n <= 0)
        return n;
    if (self->started && self->segments[0] > pos)
        return fail(self, E_ABSENT, "%.120s: positions %" PRIu64 " to %" PRIu64 " are no longer there",
                    self->dir, pos, self->segments[0] - 1);
    int i = 0;
    while (i + 1 < n && self->segments[i + 1] <= pos)
        i++;
    cursor_close(&self->cursor);
    const int status = cursor_open(&self->cursor, self->dir, self->segments[i]);
    if (status == CURSOR_END)
        return 1;
    if (status == E_IO)
        return read_failed(self);
    if (status == CURSOR_CORRUPT || (status == CURSOR_TORN && i + 1 < n))
        return corrupt(self, self->cursor.why);
    cursor_close(&self->cursor); /* being created, or just freed */
    return 0;
}

/* Whether there is a newer segment than the cursor's. Sets `newer` to its first position, and `adjacent` when
 * the cursor's own is still there, so that nothing can be between the two. */
static int find_newer(struct journal_reader *self, uint64_t *newer, bool *adjacent)
{
    const int n = list(self);
    for (int i = 0; i < n; i++) {
        if (self->segments[i] > self->cursor.first_pos) {
            *newer = self->segments[i];
            *adjacent = i > 0 && self->segments[i - 1] == self->cursor.first_pos;
            return 1;
        }
    }
    return n < 0 ? n : 0;
}

/* From the end of one segment, where nothing more will come, to the next. 1, 0 = not there yet. */
static int move_on(struct journal_reader *self, uint64_t newer, bool adjacent)
{
    const uint64_t epoch = self->cursor.epoch;
    if (adjacent && newer != self->cursor.pos + 1)
        return corrupt(self, "the segment ends here, and the next begins at another position");
    self->from = self->cursor.pos + 1;
    self->started = true;
    const int opened = open_segment(self, self->from);
    if (opened == 1 && self->cursor.epoch != epoch) {
        self->cursor.offset = 0;
        return corrupt(self, "the segment's header names another epoch before it");
    }
    return opened;
}

int journal_reader_open(const char *dir, uint64_t from_pos, struct journal_reader **out,
                        char error[JOURNAL_ERROR_MAX])
{
    struct journal_reader *self = malloc(sizeof *self);
    *out = NULL;
    error[0] = '\0';
    if (self == NULL || strlen(dir) >= sizeof self->dir) {
        snprintf(error, JOURNAL_ERROR_MAX, "%.150s: %s", dir,
                 self == NULL ? "out of memory" : "path is too long");
        free(self);
        return E_FULL;
    }
    memset(self, 0, offsetof(struct journal_reader, segments));
    snprintf(self->dir, sizeof self->dir, "%s", dir);
    self->cursor.fd = -1;
    self->cursor.bytes = self->bytes;
    self->from = from_pos;
    const int n = list(self);
    if (n < 0) {
        snprintf(error, JOURNAL_ERROR_MAX, "%s", self->error);
        free(self);
        return n;
    }
    *out = self;
    return OK;
}

void journal_reader_close(struct journal_reader **self)
{
    if (*self == NULL)
        return;
    cursor_close(&(*self)->cursor);
    free(*self);
    *self = NULL;
}

/* CURSOR_RECORD, or what else is there once the record at hand was looked at twice: the first look may have
 * met a tail that its owner was just cutting and writing anew. */
static int look(struct journal_reader *self, struct journal_record *out)
{
    const int got = cursor_next(&self->cursor, out);
    return got == CURSOR_CORRUPT ? cursor_next(&self->cursor, out) : got;
}

/* The next record, also one that is to be passed over. As journal_reader_next. */
static int step(struct journal_reader *self, struct journal_record *out)
{
    uint64_t newer = 0;
    bool adjacent = false;
    if (self->corrupted)
        return E_CORRUPT;
    for (;;) {
        if (self->cursor.fd < 0) {
            const int opened = open_segment(self, self->from);
            if (opened <= 0)
                return opened;
        }
        int got = look(self, out);
        if (got == CURSOR_END || got == CURSOR_TORN) {
            const int found = find_newer(self, &newer, &adjacent);
            if (found <= 0)
                return found;
            /* A newer segment is made after the last write to this one: what this one holds is final by now.
             */
            got = look(self, out);
            if (got == CURSOR_TORN)
                return corrupt(self, self->cursor.why);
        }
        if (got == E_IO)
            return read_failed(self);
        if (got == CURSOR_CORRUPT)
            return corrupt(self, self->cursor.why);
        if (got == CURSOR_END) {
            const int moved = move_on(self, newer, adjacent);
            if (moved <= 0)
                return moved;
        } else {
            return 1;
        }
    }
}

int journal_reader_next(struct journal_reader *self, struct journal_record *out)
{
    int got;
    while ((got = step(self, out)) == 1 && out->pos < self->from)
        continue;
    self->started |= got == 1;
    return got;
}

int journal_reader_approach(struct journal_reader *self, uint32_t n)
{
    struct journal_record record;
    if (self->cursor.fd < 0 && !self->corrupted) {
        const int opened = open_segment(self, self->from);
        if (opened <= 0)
            return opened < 0 ? opened : 1;
    }
    for (; self->cursor.pos + 1 < self->from; n--) {
        const int got = n > 0 ? step(self, &record) : 0;
        if (got <= 0)
            return got < 0 ? got : n > 0;
    }
    return 1;
}

const char *journal_reader_error(const struct journal_reader *self)
{
    return self->error;
}
