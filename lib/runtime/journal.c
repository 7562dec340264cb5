#include "lib/runtime/journal_owner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/runtime/disk.h"
#include "lib/runtime/failpoint.h"

int journal_fail(struct journal *self, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self->error, sizeof self->error, format, args);
    va_end(args);
    return status;
}

int journal_fail_segment(struct journal *self, uint64_t first_pos, const char *what)
{
    const int number = errno;
    char name[SEGMENT_NAME];
    segment_name(first_pos, name);
    return journal_fail(self, E_IO, "%.120s/%s: %s: %s", self->dir, name, what, strerror(number));
}

void journal_mark_doubt(struct journal *self)
{
    if (disk_rename(self->dir_fd, JOURNAL_MARK, JOURNAL_DOUBT) != 0)
        disk_close(disk_open(self->dir_fd, JOURNAL_DOUBT, O_WRONLY | O_CREAT));
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
        journal_mark_doubt(self);
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
    return journal_fail(self, E_IO, "%.150s: fdatasync: %s", self->dir,
                        strerror(atomic_load(&self->sync_errno)));
}

void journal_sync_beat(void *journal)
{
    struct journal *self = journal;
    if (atomic_load(&self->written) != atomic_load(&self->synced))
        (void)sync_now(self); /* a failure is kept, and told by the owner's next call */
}

/* ---- writing ------------------------------------------------------------------------------------------ */

int journal_append(struct journal *self, uint64_t epoch, uint64_t pos, int64_t time_ns, const void *payload,
                   size_t len)
{
    if (pos != self->tail_pos + 1)
        return journal_fail(self, E_STATE, "%.120s: position %" PRIu64 " does not follow %" PRIu64, self->dir,
                            pos, self->tail_pos);
    if (epoch < self->tail_epoch || epoch == 0)
        return journal_fail(self, E_STATE, "%.120s: epoch %" PRIu64 " does not follow %" PRIu64, self->dir,
                            epoch, self->tail_epoch);
    if (len > JOURNAL_PAYLOAD_MAX)
        return journal_fail(self, E_RANGE, "%.120s: a payload of %zu bytes; expected at most %d", self->dir,
                            len, JOURNAL_PAYLOAD_MAX);
    if (self->buffered + record_bytes(len) > sizeof self->buffer)
        return journal_fail(self, E_FULL, "%.120s: %zu bytes wait to be written; there is no room for more",
                            self->dir, self->buffered);
    record_lay_out(self->buffer + self->buffered, epoch, pos, time_ns, payload, len);
    self->buffered += record_bytes(len);
    self->tail_pos = pos;
    self->tail_epoch = epoch;
    return OK;
}

/* All of it, or an error; a short write is followed up, so that the reason (disk full) is known. */
bool journal_write_all(int fd, const unsigned char *bytes, size_t len, off_t at)
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
        return journal_fail_segment(self, self->buffer_pos, "create");
    /* The header is on disk before older segments may go, so that the position is never lost with it. */
    const bool durable = self->options.sync_every_ns >= 0;
    if (!journal_write_all(fd, header, sizeof header, 0) ||
        (durable && (disk_sync(fd) != 0 || disk_sync_dir(self->dir_fd) != 0))) {
        (void)journal_fail_segment(self, self->buffer_pos, "write");
        (void)disk_remove(self->dir_fd, name);
        disk_close(fd);
        return E_IO;
    }
    if (self->n_segments > 0) {
        self->segments[self->n_segments - 1].bytes = (uint64_t)self->end;
        self->older_bytes += (uint64_t)self->end;
    }
    disk_close(self->fd);
    self->fd = fd;
    self->end = SEGMENT_HEADER;
    self->full_pos = 0;
    self->segments[self->n_segments++] =
        (struct segment){.first_pos = self->buffer_pos, .epoch_before = self->head_epoch};
    return OK;
}

static int roll(struct journal *self)
{
    pthread_mutex_lock(&self->file_lock);
    int status = OK;
    if (self->fd >= 0 && self->options.sync_every_ns >= 0 && sync_file(self) != OK)
        status = sync_words(self);
    failpoint();
    if (status == OK)
        status = new_segment(self);
    failpoint();
    pthread_mutex_unlock(&self->file_lock);
    return status;
}

/* No bytes of a failed write may stay in front of later records. */
static int clear_overhang(struct journal *self)
{
    if (!self->overhang)
        return OK;
    if (disk_cut(self->fd, self->end) != 0)
        return journal_fail_segment(self, self->segments[self->n_segments - 1].first_pos, "truncate");
    self->overhang = false;
    return OK;
}

/* Whether the buffer goes into another segment. What the old one has that is not on disk yet must be waited for, so with a
 * thread that syncs it is left right behind a sync, though not at more than an eighth above its size. */
static bool is_full(struct journal *self)
{
    const uint64_t size = self->options.segment_bytes, end = (uint64_t)self->end + self->buffered;
    if (self->end <= SEGMENT_HEADER || end <= size || self->n_segments == SEGMENTS_MAX)
        return false;
    if (self->full_pos == 0)
        self->full_pos = self->head_pos;
    return self->options.sync_every_ns <= 0 || end > size + size / 8 ||
           atomic_load_explicit(&self->synced, memory_order_acquire) >= self->full_pos;
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
    if (self->fd < 0 || is_full(self))
        status = roll(self);
    if (status != OK)
        return status;
    records_seal(self->buffer + self->sealed, self->buffered - self->sealed);
    self->sealed = self->buffered;
    if (!journal_write_all(self->fd, self->buffer, self->buffered, self->end)) {
        (void)journal_fail_segment(self, self->segments[self->n_segments - 1].first_pos, "write");
        self->overhang = true;
        if (disk_cut(self->fd, self->end) == 0)
            self->overhang = false;
        return E_IO;
    }
    atomic_store_explicit(&self->written, self->tail_pos, memory_order_release);
    if (self->options.sync_every_ns == 0 && sync_now(self) != OK)
        return sync_words(self);
    self->end += (off_t)self->buffered;
    self->buffered = self->sealed = 0;
    self->head_pos = self->tail_pos;
    self->head_epoch = self->tail_epoch;
    self->buffer_pos = self->head_pos + 1;
    return OK;
}

int journal_sync(struct journal *self)
{
    /* Of those that a wake-up asks for, the first does the work. */
    const bool needed =
        self->options.sync_every_ns >= 0 &&
        (atomic_load(&self->sync_failed) ||
         atomic_load(&self->written) != atomic_load_explicit(&self->synced, memory_order_acquire));
    return !needed || sync_now(self) == OK ? OK : sync_words(self);
}

int journal_sync_to(struct journal *self, uint64_t pos)
{
    if (self->options.sync_every_ns < 0 || atomic_load_explicit(&self->synced, memory_order_acquire) >= pos)
        return OK;
    return sync_now(self);
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
    return self->head_pos == 0 ? 0 : self->segments[0].first_pos;
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

bool journal_doubtful(const struct journal *self)
{
    return atomic_load(&self->sync_failed);
}

uint64_t journal_bytes(const struct journal *self)
{
    return self->older_bytes + (self->n_segments > 0 ? (uint64_t)self->end : 0);
}

uint64_t journal_newest(const struct journal *self)
{
    return self->n_segments > 0 ? self->segments[self->n_segments - 1].first_pos : 0;
}

bool journal_oldest(const struct journal *self, size_t i, struct journal_segment *out)
{
    if (i + 1 >= self->n_segments)
        return false;
    char name[SEGMENT_NAME];
    segment_name(self->segments[i].first_pos, name);
    out->first_pos = self->segments[i].first_pos;
    out->last_pos = self->segments[i + 1].first_pos - 1;
    out->last_epoch = self->segments[i + 1].epoch_before;
    out->bytes = self->segments[i].bytes;
    out->changed_ns = disk_time_ns(self->dir_fd, name);
    return true;
}

int journal_free_below(struct journal *self, uint64_t pos)
{
    size_t n = 0;
    while (n + 1 < self->n_segments && self->segments[n + 1].first_pos <= pos + 1) {
        char name[SEGMENT_NAME];
        segment_name(self->segments[n].first_pos, name);
        if (disk_remove(self->dir_fd, name) != 0 && errno != ENOENT) {
            (void)journal_fail_segment(self, self->segments[n].first_pos, "unlink");
            break;
        }
        self->older_bytes -= self->segments[n].bytes;
        n++;
    }
    const bool whole = n + 1 >= self->n_segments || self->segments[n + 1].first_pos > pos + 1;
    self->n_segments -= n;
    memmove(self->segments, self->segments + n, self->n_segments * sizeof self->segments[0]);
    return whole ? OK : E_IO;
}
