#include "lib/runtime/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/runtime/disk.h"
#include "lib/runtime/journal_record.h"

enum { NAME_DIGITS = 20, FIRST_BYTES = 1024 * 1024, FOUND_MAX = SNAPSHOTS_LISTED };

static const char unfinished[] = "snapshot.part";

void snapshot_name(uint64_t pos, char out[SNAPSHOT_NAME])
{
    snprintf(out, SNAPSHOT_NAME, "%0*" PRIu64 ".snap", NAME_DIGITS, pos);
}

bool snapshot_of_name(const char *name, uint64_t *pos)
{
    if (strspn(name, "0123456789") != NAME_DIGITS || strcmp(name + NAME_DIGITS, ".snap") != 0)
        return false;
    errno = 0;
    *pos = strtoull(name, NULL, 10);
    return errno == 0 && *pos > 0;
}

/* ---- encoding ------------------------------------------------------------------------------------------ */

struct snapshot_writer {
    uint64_t epoch, pos; /* the place, as the first message has it */
    uint64_t messages;   /* encoded, the end included */
    int status;
    const char *why;       /* what failed */
    unsigned char *buffer; /* the file as it is to be */
    size_t capacity, buffered;
    unsigned char payload[MESSAGE_BYTES_MAX];
};

struct snapshot_writer *snapshot_writer_new(void)
{
    struct snapshot_writer *w = malloc(sizeof *w);
    if (w)
        memset(w, 0, offsetof(struct snapshot_writer, payload));
    return w;
}

/* It is as large as the state and needed for moments: it does not stay with the allocator. */
static void give_back(struct snapshot_writer *w)
{
    if (w->capacity > 0)
        (void)munmap(w->buffer, w->capacity);
    w->buffer = NULL;
    w->capacity = 0;
}

void snapshot_writer_destroy(struct snapshot_writer **self)
{
    if (*self)
        give_back(*self);
    free(*self);
    *self = NULL;
}

static void fail_once(struct snapshot_writer *w, int status, const char *why)
{
    if (w->status != OK)
        return;
    w->status = status;
    w->why = why;
}

static bool make_room(struct snapshot_writer *w, size_t bytes)
{
    if (w->buffered + bytes <= w->capacity)
        return true;
    const size_t capacity = w->capacity > 0 ? 2 * w->capacity : FIRST_BYTES;
    void *buffer = w->capacity > 0
                       ? mremap(w->buffer, w->capacity, capacity, MREMAP_MAYMOVE)
                       : mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer == MAP_FAILED) {
        fail_once(w, E_FULL, "out of memory");
        return false;
    }
    w->buffer = buffer;
    w->capacity = capacity;
    return true;
}

void snapshot_begin(struct snapshot_writer *self)
{
    self->epoch = self->pos = self->messages = 0;
    self->status = OK;
    self->buffered = 0;
}

void snapshot_add(void *writer, const struct message *m)
{
    struct snapshot_writer *w = writer;
    if (w->status != OK)
        return;
    if (w->messages == 0) {
        if (m->env.type != MSG_SNAPSHOT || m->env.pos == 0 || m->env.epoch == 0) {
            fail_once(w, E_STATE, "the first message is not \"snapshot\" with its place");
            return;
        }
        w->epoch = m->env.epoch;
        w->pos = m->env.pos;
    }
    const size_t len = codec_encode(m, w->payload, sizeof w->payload);
    if (len == 0) {
        fail_once(w, E_RANGE, "a message cannot be encoded");
        return;
    }
    if (!make_room(w, record_bytes(len)))
        return;
    record_encode(w->buffer + w->buffered, w->epoch, ++w->messages, m->env.time_out, w->payload, len);
    w->buffered += record_bytes(len);
}

int snapshot_end(struct snapshot_writer *self, char error[SNAPSHOT_ERROR_MAX])
{
    error[0] = '\0';
    if (self->messages == 0)
        fail_once(self, E_STATE, "it has no messages");
    if (self->status == OK) {
        struct message end;
        message_init(&end, MSG_SNAPSHOT_END);
        end.env.epoch = self->epoch;
        end.env.pos = self->pos;
        end.snapshot_end.messages = self->messages;
        snapshot_add(self, &end);
    }
    if (self->status != OK)
        (void)snprintf(error, SNAPSHOT_ERROR_MAX, "snapshot: %s", self->why);
    return self->status;
}

/* ---- writing ------------------------------------------------------------------------------------------- */

struct found {
    uint64_t pos[FOUND_MAX]; /* descending */
    size_t n;
};

/* Keeps the newest. */
static int find_one(void *ctx, const char *name)
{
    struct found *f = ctx;
    uint64_t pos;
    if (!snapshot_of_name(name, &pos))
        return 0;
    size_t at = f->n;
    while (at > 0 && f->pos[at - 1] < pos)
        at--;
    if (at == FOUND_MAX)
        return 0;
    const size_t behind = (f->n < FOUND_MAX ? f->n : FOUND_MAX - 1) - at;
    memmove(&f->pos[at + 1], &f->pos[at], behind * sizeof f->pos[0]);
    f->pos[at] = pos;
    f->n += f->n < FOUND_MAX;
    return 0;
}

static int find(int dir_fd, struct found *f)
{
    f->n = 0;
    return disk_list(dir_fd, find_one, f) == 0 ? OK : E_IO;
}

/* NULL: all of it is written and synced under the other name. Else what failed, with errno. */
static const char *put_aside(const struct snapshot_writer *w, int dir_fd)
{
    const char *why = NULL;
    size_t done = 0;
    const int fd = disk_open(dir_fd, unfinished, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0)
        return "create";
    while (!why && done < w->buffered) {
        const ssize_t put = disk_write(fd, w->buffer + done, w->buffered - done, (off_t)done);
        if (put > 0)
            done += (size_t)put;
        else if (put == 0 || errno != EINTR)
            why = "write";
    }
    if (!why && disk_sync(fd) != 0)
        why = "fdatasync";
    const int number = errno;
    disk_close(fd);
    errno = number;
    return why;
}

static const char *write_into(const struct snapshot_writer *w, int dir_fd)
{
    char name[SNAPSHOT_NAME];
    struct found kept;
    snapshot_name(w->pos, name);
    const char *why = put_aside(w, dir_fd);
    if (!why && disk_rename(dir_fd, unfinished, name) != 0)
        why = "rename";
    if (why) {
        const int number = errno;
        (void)disk_remove(dir_fd, unfinished);
        errno = number;
        return why;
    }
    if (disk_sync_dir(dir_fd) != 0)
        return "fsync of the directory";
    /* One that stays too long is removed the next time. */
    for (size_t i = find(dir_fd, &kept) == OK ? SNAPSHOTS_KEPT : FOUND_MAX; i < kept.n; i++) {
        snapshot_name(kept.pos[i], name);
        (void)disk_remove(dir_fd, name);
    }
    return NULL;
}

int snapshot_write(const struct snapshot_writer *self, const char *dir, char error[SNAPSHOT_ERROR_MAX])
{
    const int dir_fd = disk_dir(dir, false);
    const char *why = dir_fd < 0 ? "open" : write_into(self, dir_fd);
    error[0] = '\0';
    if (why)
        (void)snprintf(error, SNAPSHOT_ERROR_MAX, "%.150s: snapshot: %s: %s", dir, why, strerror(errno));
    disk_close(dir_fd);
    return why ? E_IO : OK;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

struct reading {
    struct cursor cursor;
    struct decoder *decoder;
    struct drops drops;
    struct message m;
    unsigned char bytes[CURSOR_BYTES];
};

static void reading_close(struct reading **self)
{
    if (*self) {
        cursor_close(&(*self)->cursor);
        decoder_destroy(&(*self)->decoder);
    }
    free(*self);
    *self = NULL;
}

static struct reading *reading_new(void)
{
    struct reading *r = malloc(sizeof *r);
    if (!r)
        return NULL;
    memset(r, 0, offsetof(struct reading, bytes));
    r->cursor.fd = -1;
    r->decoder = decoder_new();
    if (!r->decoder)
        reading_close(&r);
    return r;
}

/* OK: the cursor stands before the first record. E_IO. */
static int reading_begin(struct reading *r, int dir_fd, uint64_t pos)
{
    char name[SNAPSHOT_NAME];
    snapshot_name(pos, name);
    cursor_close(&r->cursor);
    r->cursor = (struct cursor){.fd = disk_open(dir_fd, name, O_RDONLY), .bytes = r->bytes, .why = ""};
    return r->cursor.fd >= 0 ? OK : E_IO;
}

/* The next message into r->m. 1; 0 = the end stands here, or nothing; E_CORRUPT, E_IO. */
static int reading_next(struct reading *r)
{
    struct journal_record record;
    const int got = cursor_next(&r->cursor, &record);
    if (got == CURSOR_END)
        return 0;
    if (got < 0) {
        r->cursor.why = "it cannot be read";
        return E_IO;
    }
    if (got != CURSOR_RECORD)
        return E_CORRUPT;
    if (!codec_decode(r->decoder, record.payload, record.len, &r->m, &r->drops)) {
        r->cursor.why = "a message does not hold";
        return E_CORRUPT;
    }
    return 1;
}

/* Whether all of a snapshot holds; what it begins with into `first`. OK, E_CORRUPT, E_IO with r->cursor.why. */
static int examine(struct reading *r, int dir_fd, uint64_t pos, struct message *first)
{
    uint64_t n = 0;
    bool ended = false;
    int got = reading_begin(r, dir_fd, pos);
    if (got != OK) {
        r->cursor.why = "it cannot be opened";
        return got;
    }
    while ((got = reading_next(r)) == 1) {
        if (ended || (n == 0 && (r->m.env.type != MSG_SNAPSHOT || r->m.env.pos != pos))) {
            r->cursor.why = ended ? "something comes behind its end" : "it does not begin with its place";
            return E_CORRUPT;
        }
        if (n == 0)
            message_copy(first, &r->m);
        ended = r->m.env.type == MSG_SNAPSHOT_END;
        if (ended && r->m.snapshot_end.messages != n) {
            r->cursor.why = "its end is of another number of messages";
            return E_CORRUPT;
        }
        n++;
    }
    if (got == 0 && !ended) {
        r->cursor.why = "its end is missing";
        got = E_CORRUPT;
    }
    return got;
}

static void note_damage(char note[SNAPSHOT_ERROR_MAX], const char *dir, uint64_t pos, const struct cursor *c)
{
    char name[SNAPSHOT_NAME];
    snapshot_name(pos, name);
    const size_t len = strlen(note);
    (void)snprintf(note + len, SNAPSHOT_ERROR_MAX - len, "%s%.60s/%s: offset %lld: %s", len ? "; " : "", dir,
                   name, (long long)c->offset, c->why);
}

static int hand_over(struct reading *r, int dir_fd, uint64_t pos,
                     void (*restore)(void *ctx, const struct message *m), void *ctx)
{
    int got = reading_begin(r, dir_fd, pos);
    while (got == OK && (got = reading_next(r)) == 1) {
        got = OK;
        if (r->m.env.type != MSG_SNAPSHOT_END)
            restore(ctx, &r->m);
        else
            return OK;
    }
    /* It held a moment ago: what was handed over is half a state. */
    return got == E_IO ? E_IO : E_CORRUPT;
}

int snapshot_list(const char *dir, uint64_t pos[SNAPSHOTS_LISTED])
{
    struct found all;
    const int dir_fd = disk_dir(dir, false);
    const int status = dir_fd < 0 ? E_IO : find(dir_fd, &all);
    disk_close(dir_fd);
    if (status != OK)
        return status;
    memcpy(pos, all.pos, all.n * sizeof pos[0]);
    return (int)all.n;
}

int snapshot_read(const char *dir, uint64_t pos, void (*each)(void *ctx, const struct message *m), void *ctx,
                  uint64_t *messages, char why[SNAPSHOT_ERROR_MAX])
{
    struct reading *r = reading_new();
    struct message *first = malloc(sizeof *first);
    const int dir_fd = disk_dir(dir, false);
    int status = !r || !first ? E_FULL : dir_fd < 0 ? E_IO : examine(r, dir_fd, pos, first);
    *messages = 0;
    why[0] = '\0';
    if (status == OK) {
        *messages = r->cursor.pos;
        if (each)
            status = hand_over(r, dir_fd, pos, each, ctx);
    }
    if (status != OK)
        (void)snprintf(why, SNAPSHOT_ERROR_MAX, "offset %lld: %s", r ? (long long)r->cursor.offset : 0,
                       status == E_FULL ? "out of memory"
                       : dir_fd < 0     ? "no such directory"
                                        : r->cursor.why);
    disk_close(dir_fd);
    free(first);
    reading_close(&r);
    return status;
}

int snapshot_load(const char *dir, uint64_t head_pos, void (*restore)(void *ctx, const struct message *m),
                  void *ctx, uint64_t *epoch, uint64_t *pos, char note[SNAPSHOT_ERROR_MAX])
{
    struct found all;
    struct message *first = malloc(sizeof *first);
    struct reading *r = reading_new();
    const int dir_fd = disk_dir(dir, false);
    int status = !first || !r ? E_FULL : dir_fd < 0 || find(dir_fd, &all) != OK ? E_IO : E_ABSENT;
    note[0] = '\0';
    *epoch = *pos = 0;
    for (size_t i = 0; status == E_ABSENT && i < all.n; i++) {
        if (all.pos[i] > head_pos)
            continue;
        if (examine(r, dir_fd, all.pos[i], first) != OK) {
            note_damage(note, dir, all.pos[i], &r->cursor);
            continue;
        }
        *epoch = first->env.epoch;
        *pos = first->env.pos;
        status = hand_over(r, dir_fd, all.pos[i], restore, ctx);
    }
    disk_close(dir_fd);
    reading_close(&r);
    free(first);
    return status;
}

int snapshot_places(const char *dir, struct snapshot_place out[SNAPSHOTS_KEPT])
{
    struct found all;
    struct message *first = malloc(sizeof *first);
    struct reading *r = reading_new();
    const int dir_fd = disk_dir(dir, false);
    int n = 0;
    if (!first || !r || dir_fd < 0 || find(dir_fd, &all) != OK)
        all.n = 0;
    for (size_t i = 0; n < SNAPSHOTS_KEPT && i < all.n; i++)
        if (examine(r, dir_fd, all.pos[i], first) == OK)
            out[n++] = (struct snapshot_place){first->env.epoch, first->env.pos,
                                               first->snapshot.upstream_epoch, first->snapshot.upstream_pos};
    disk_close(dir_fd);
    reading_close(&r);
    free(first);
    return n;
}

uint64_t snapshot_oldest_pos(const char *dir)
{
    struct snapshot_place places[SNAPSHOTS_KEPT];
    return snapshot_places(dir, places) == SNAPSHOTS_KEPT ? places[SNAPSHOTS_KEPT - 1].pos : 0;
}

int snapshot_remove_above(const char *dir, uint64_t head_pos)
{
    struct found all;
    char name[SNAPSHOT_NAME];
    const int dir_fd = disk_dir(dir, false);
    int status = dir_fd < 0 || find(dir_fd, &all) != OK ? E_IO : OK;
    int removed = 0;
    for (size_t i = 0; status == OK && i < all.n && all.pos[i] > head_pos; i++) {
        snapshot_name(all.pos[i], name);
        status = disk_remove(dir_fd, name) == 0 ? OK : E_IO;
        removed++;
    }
    if (status == OK && removed > 0 && disk_sync_dir(dir_fd) != 0)
        status = E_IO;
    disk_close(dir_fd);
    return status == OK ? removed : status;
}
