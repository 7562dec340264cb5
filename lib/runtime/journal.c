/* The owner's side of a journal.
 *
 * Two threads: the owner's, which appends and writes, and one that syncs on a rhythm. They meet in three
 * things: `written` (atomic: last position whose bytes are in the file), `synced` (atomic: last position on
 * disk), and the file itself under `file_lock`, which is held while it is synced, or exchanged for the next
 * segment. So a write never waits for a sync, but a new segment does: the old one is on disk before the next
 * exists, which is why only the last segment can have a torn tail.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/runtime/disk.h"
#include "lib/runtime/journal_record.h"
#include "lib/runtime/rhythm.h"

struct journal {
    char dir[JOURNAL_PATH_MAX];
    struct journal_options options;
    int dir_fd, lock_fd;
    int fd;        /* the newest segment; -1 = none yet */
    off_t end;     /* where its whole records end */
    bool overhang; /* bytes of a failed write may stand behind `end` */

    uint64_t segments[SEGMENTS_MAX]; /* first positions */
    size_t n_segments;

    uint64_t head_epoch, head_pos; /* last written */
    uint64_t tail_epoch, tail_pos; /* last appended */
    uint64_t buffer_pos;           /* first position in the buffer */
    size_t buffered;

    _Atomic uint64_t written, synced;
    _Atomic bool sync_failed;
    _Atomic int sync_errno;
    pthread_mutex_t file_lock;
    struct rhythm *syncing; /* NULL = no thread */

    char error[JOURNAL_ERROR_MAX];
    unsigned char buffer[JOURNAL_BUFFER_BYTES];
};

static int fail(struct journal *self, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct journal *self, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self->error, sizeof self->error, format, args);
    va_end(args);
    return status;
}

static int fail_segment(struct journal *self, uint64_t first_pos, const char *what)
{
    const int number = errno;
    char name[SEGMENT_NAME];
    segment_name(first_pos, name);
    return fail(self, E_IO, "%.120s/%s: %s: %s", self->dir, name, what, strerror(number));
}

/* ---- syncing ----------------------------------------------------------------------------------------- */

/* Puts everything written so far on disk. A failure is final: the kernel may have dropped the pages and
 * forgotten the error, so that a later success would say nothing. The caller holds file_lock. */
static int sync_file(struct journal *self)
{
    const uint64_t covered = atomic_load_explicit(&self->written, memory_order_acquire);
    if (atomic_load(&self->sync_failed))
        return E_IO;
    if (self->fd >= 0 && disk_sync(self->fd) != 0) {
        atomic_store(&self->sync_errno, errno);
        atomic_store(&self->sync_failed, true);
        return E_IO;
    }
    atomic_store_explicit(&self->synced, covered, memory_order_release);
    return OK;
}

static int sync_now(struct journal *self)
{
    pthread_mutex_lock(&self->file_lock);
    const int status = sync_file(self);
    pthread_mutex_unlock(&self->file_lock);
    return status;
}

static int sync_words(struct journal *self)
{
    return fail(self, E_IO, "%.150s: fdatasync: %s", self->dir, strerror(atomic_load(&self->sync_errno)));
}

static void sync_on_a_rhythm(void *journal)
{
    struct journal *self = journal;
    if (atomic_load(&self->written) != atomic_load(&self->synced))
        (void)sync_now(self); /* a failure is kept, and told by the owner's next call */
}

static int start_thread(struct journal *self)
{
    if (self->options.sync_every_ns <= 0)
        return OK;
    self->syncing = rhythm_start(self->options.sync_every_ns, sync_on_a_rhythm, self);
    return self->syncing != NULL ? OK : fail(self, E_IO, "%.150s: no sync thread could be made", self->dir);
}

/* ---- opening ----------------------------------------------------------------------------------------- */

static int open_directory(struct journal *self)
{
    self->dir_fd = disk_dir(self->dir, true);
    return self->dir_fd >= 0 ? OK : fail(self, E_IO, "%.150s: %s", self->dir, strerror(errno));
}

static int take_lock(struct journal *self)
{
    char pid[24] = "";
    self->lock_fd = disk_open(self->dir_fd, "lock", O_RDWR | O_CREAT);
    if (self->lock_fd < 0)
        return fail(self, E_IO, "%.150s/lock: %s", self->dir, strerror(errno));
    if (disk_lock(self->lock_fd) != 0) {
        if (errno != EWOULDBLOCK)
            return fail(self, E_IO, "%.150s/lock: %s", self->dir, strerror(errno));
        const ssize_t got = disk_read(self->lock_fd, pid, sizeof pid - 1, 0);
        pid[got > 0 ? got : 0] = '\0';
        pid[strcspn(pid, "\n")] = '\0';
        return fail(self, E_BUSY, "%.150s: in use by process %s", self->dir, pid[0] != '\0' ? pid : "?");
    }
    const int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (disk_cut(self->lock_fd, 0) != 0 || disk_write(self->lock_fd, pid, (size_t)len, 0) != len) {
        /* the number is for people only; a full disk must not keep the owner from its journal */
    }
    return OK;
}

/* Cuts the newest segment behind its last whole record; one without a whole header goes. */
static int cut(struct journal *self, const struct cursor *c, const char *why)
{
    off_t size;
    char name[SEGMENT_NAME];
    segment_name(c->first_pos, name);
    if (disk_size(self->dir_fd, name, &size) != 0)
        return fail_segment(self, c->first_pos, "stat");
    if (c->offset == 0) {
        if (disk_remove(self->dir_fd, name) != 0 || disk_sync_dir(self->dir_fd) != 0)
            return fail_segment(self, c->first_pos, "unlink");
        self->n_segments--;
    } else {
        const int fd = disk_open(self->dir_fd, name, O_WRONLY);
        if (fd < 0)
            return fail_segment(self, c->first_pos, "open");
        const bool done = disk_cut(fd, c->offset) == 0 && disk_sync(fd) == 0;
        if (!done)
            (void)fail_segment(self, c->first_pos, "truncate");
        disk_close(fd);
        if (!done)
            return E_IO;
    }
    (void)fail(self, OK, "%.120s/%s: cut %lld bytes of a torn tail at offset %lld, position %" PRIu64 ": %s",
               self->dir, name, (long long)(size - c->offset), (long long)c->offset, c->pos + 1, why);
    return OK;
}

/* Reads the newest segment through to find the head. */
static int find_head(struct journal *self, struct cursor *c)
{
    struct journal_record record;
    const uint64_t first = self->segments[self->n_segments - 1];
    int got = cursor_open(c, self->dir, first);
    while (got == CURSOR_END && (got = cursor_next(c, &record)) == CURSOR_RECORD)
        got = CURSOR_END;
    if (got == CURSOR_CORRUPT) {
        char name[SEGMENT_NAME];
        segment_name(first, name);
        return fail(self, E_CORRUPT, "%.120s/%s: offset %lld, position %" PRIu64 ": %s", self->dir, name,
                    (long long)c->offset, c->pos + 1, c->why);
    }
    if (got < 0)
        return fail_segment(self, first, "read");
    self->head_pos = c->pos;
    self->head_epoch = c->epoch;
    self->end = c->offset;
    return got == CURSOR_TORN ? cut(self, c, c->why) : OK;
}

static int find_segments(struct journal *self)
{
    const int n = segments_list(self->dir, self->segments, SEGMENTS_MAX);
    if (n < 0)
        return fail(self, n, "%.150s: %s", self->dir, n == E_FULL ? "too many segments" : strerror(errno));
    self->n_segments = (size_t)n;
    /* The buffer is empty yet, and serves as the cursor's. */
    struct cursor c = {.fd = -1, .bytes = self->buffer};
    int status = OK;
    for (size_t before = SIZE_MAX; status == OK && self->n_segments > 0 && self->n_segments != before;) {
        before = self->n_segments;
        status = find_head(self, &c);
        cursor_close(&c);
        if (self->n_segments == 0)
            self->head_pos = self->head_epoch = 0;
    }
    if (status != OK || self->n_segments == 0)
        return status;
    const uint64_t first = self->segments[self->n_segments - 1];
    char name[SEGMENT_NAME];
    segment_name(first, name);
    self->fd = disk_open(self->dir_fd, name, O_WRONLY);
    /* What an earlier owner wrote and did not sync becomes the base of a new epoch: it must be on disk. */
    if (self->fd < 0 || (self->options.sync_every_ns >= 0 && disk_sync(self->fd) != 0))
        return fail_segment(self, first, "open");
    return OK;
}

int journal_open(const char *dir, const struct journal_options *options, struct journal **out,
                 char error[JOURNAL_ERROR_MAX])
{
    *out = NULL;
    error[0] = '\0';
    struct journal *self = calloc(1, sizeof *self);
    if (self == NULL || strlen(dir) >= sizeof self->dir || dir[0] == '\0') {
        snprintf(error, JOURNAL_ERROR_MAX, "\"%.150s\": %s", dir,
                 self == NULL ? "out of memory" : "not a directory's path");
        free(self);
        return E_FULL;
    }
    snprintf(self->dir, sizeof self->dir, "%s", dir);
    self->options = *options;
    self->dir_fd = self->lock_fd = self->fd = -1;
    pthread_mutex_init(&self->file_lock, NULL);
    int status = open_directory(self);
    if (status == OK)
        status = take_lock(self);
    if (status == OK)
        status = find_segments(self);
    self->tail_pos = self->head_pos;
    self->tail_epoch = self->head_epoch;
    self->buffer_pos = self->head_pos + 1;
    atomic_store(&self->written, self->head_pos);
    atomic_store(&self->synced, self->head_pos);
    if (status == OK)
        status = start_thread(self);
    snprintf(error, JOURNAL_ERROR_MAX, "%s", self->error);
    if (status != OK)
        journal_close(&self);
    else
        self->error[0] = '\0';
    *out = self;
    return status;
}

void journal_close(struct journal **pointer)
{
    struct journal *self = *pointer;
    if (self == NULL)
        return;
    *pointer = NULL;
    if (self->buffered > 0)
        (void)journal_write(self);
    rhythm_stop(&self->syncing);
    if (self->fd >= 0) {
        if (self->options.sync_every_ns >= 0)
            (void)disk_sync(self->fd);
        disk_close(self->fd);
    }
    disk_close(self->dir_fd);
    disk_close(self->lock_fd);
    free(self);
}

/* ---- writing ------------------------------------------------------------------------------------------ */

int journal_append(struct journal *self, uint64_t epoch, uint64_t pos, int64_t time_ns, const void *payload,
                   size_t len)
{
    if (pos != self->tail_pos + 1)
        return fail(self, E_STATE, "%.120s: position %" PRIu64 " does not follow %" PRIu64, self->dir, pos,
                    self->tail_pos);
    if (epoch < self->tail_epoch || epoch == 0)
        return fail(self, E_STATE, "%.120s: epoch %" PRIu64 " does not follow %" PRIu64, self->dir, epoch,
                    self->tail_epoch);
    if (len > JOURNAL_PAYLOAD_MAX)
        return fail(self, E_RANGE, "%.120s: a payload of %zu bytes; expected at most %d", self->dir, len,
                    JOURNAL_PAYLOAD_MAX);
    if (self->buffered + record_bytes(len) > sizeof self->buffer)
        return fail(self, E_FULL, "%.120s: %zu bytes wait to be written; there is no room for more",
                    self->dir, self->buffered);
    record_encode(self->buffer + self->buffered, epoch, pos, time_ns, payload, len);
    self->buffered += record_bytes(len);
    self->tail_pos = pos;
    self->tail_epoch = epoch;
    return OK;
}

/* All of it, or an error; a short write is followed up, so that the reason (disk full) is known. */
static bool write_all(int fd, const unsigned char *bytes, size_t len, off_t at)
{
    while (len > 0) {
        const ssize_t put = disk_write(fd, bytes, len, at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        bytes += put;
        at += put;
        len -= (size_t)put;
    }
    return true;
}

/* Makes the segment whose first record is the buffer's first. On failure no file remains. */
static int new_segment(struct journal *self)
{
    unsigned char header[SEGMENT_HEADER];
    char name[SEGMENT_NAME];
    segment_name(self->buffer_pos, name);
    segment_header_encode(header, self->buffer_pos, self->head_epoch);
    const int fd = disk_open(self->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL);
    if (fd < 0)
        return fail_segment(self, self->buffer_pos, "create");
    /* The header is on disk before older segments may go, so that the position is never lost with it. */
    const bool durable = self->options.sync_every_ns >= 0;
    if (!write_all(fd, header, sizeof header, 0) ||
        (durable && (disk_sync(fd) != 0 || disk_sync_dir(self->dir_fd) != 0))) {
        (void)fail_segment(self, self->buffer_pos, "write");
        (void)disk_remove(self->dir_fd, name);
        disk_close(fd);
        return E_IO;
    }
    if (self->fd >= 0)
        disk_close(self->fd);
    self->fd = fd;
    self->end = SEGMENT_HEADER;
    self->segments[self->n_segments++] = self->buffer_pos;
    return OK;
}

static int roll(struct journal *self)
{
    pthread_mutex_lock(&self->file_lock);
    int status = OK;
    if (self->fd >= 0 && self->options.sync_every_ns >= 0 && sync_file(self) != OK)
        status = sync_words(self);
    if (status == OK)
        status = new_segment(self);
    pthread_mutex_unlock(&self->file_lock);
    return status;
}

/* No bytes of a failed write may stay in front of later records. */
static int clear_overhang(struct journal *self)
{
    if (!self->overhang)
        return OK;
    if (disk_cut(self->fd, self->end) != 0)
        return fail_segment(self, self->segments[self->n_segments - 1], "truncate");
    self->overhang = false;
    return OK;
}

int journal_write(struct journal *self)
{
    if (atomic_load(&self->sync_failed))
        return sync_words(self);
    if (self->buffered == 0)
        return OK;
    int status = clear_overhang(self);
    if (status != OK)
        return status;
    const bool full = self->fd >= 0 && self->end > SEGMENT_HEADER &&
                      (uint64_t)self->end + self->buffered > self->options.segment_bytes &&
                      self->n_segments < SEGMENTS_MAX;
    if (self->fd < 0 || full)
        status = roll(self);
    if (status != OK)
        return status;
    if (!write_all(self->fd, self->buffer, self->buffered, self->end)) {
        (void)fail_segment(self, self->segments[self->n_segments - 1], "write");
        self->overhang = true;
        if (disk_cut(self->fd, self->end) == 0)
            self->overhang = false;
        return E_IO;
    }
    atomic_store_explicit(&self->written, self->tail_pos, memory_order_release);
    if (self->options.sync_every_ns == 0 && sync_now(self) != OK)
        return sync_words(self);
    self->end += (off_t)self->buffered;
    self->buffered = 0;
    self->head_pos = self->tail_pos;
    self->head_epoch = self->tail_epoch;
    self->buffer_pos = self->head_pos + 1;
    return OK;
}

int journal_sync(struct journal *self)
{
    return self->options.sync_every_ns < 0 || sync_now(self) == OK ? OK : sync_words(self);
}

/* ---- asking -------------------------------------------------------------------------------------------- */

uint64_t journal_head_epoch(const struct journal *self)
{
    return self->head_epoch;
}

uint64_t journal_head_pos(const struct journal *self)
{
    return self->head_pos;
}

uint64_t journal_first_pos(const struct journal *self)
{
    return self->head_pos == 0 ? 0 : self->segments[0];
}

uint64_t journal_synced_pos(const struct journal *self)
{
    return self->options.sync_every_ns < 0 ? self->head_pos
                                           : atomic_load_explicit(&self->synced, memory_order_acquire);
}

const char *journal_error(const struct journal *self)
{
    return self->error;
}

int journal_free_below(struct journal *self, uint64_t pos)
{
    size_t n = 0;
    while (n + 1 < self->n_segments && self->segments[n + 1] <= pos + 1) {
        char name[SEGMENT_NAME];
        segment_name(self->segments[n], name);
        if (disk_remove(self->dir_fd, name) != 0 && errno != ENOENT) {
            (void)fail_segment(self, self->segments[n], "unlink");
            break;
        }
        n++;
    }
    const bool whole = n + 1 >= self->n_segments || self->segments[n + 1] > pos + 1;
    self->n_segments -= n;
    memmove(self->segments, self->segments + n, self->n_segments * sizeof self->segments[0]);
    return whole ? OK : E_IO;
}
