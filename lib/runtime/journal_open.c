/* Opening a journal: whose it is, where its head is, and what of it can be relied on. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/runtime/disk.h"
#include "lib/runtime/journal_owner.h"
#include "lib/runtime/rhythm.h"

static int start_thread(struct journal *self)
{
    if (self->options.sync_every_ns <= 0)
        return OK;
    self->syncing = rhythm_start(self->options.sync_every_ns, journal_sync_beat, self);
    return self->syncing != NULL
               ? OK
               : journal_fail(self, E_IO, "%.150s: no sync thread could be made", self->dir);
}

static int open_directory(struct journal *self)
{
    self->dir_fd = disk_dir(self->dir, true);
    return self->dir_fd >= 0 ? OK : journal_fail(self, E_IO, "%.150s: %s", self->dir, strerror(errno));
}

static int take_lock(struct journal *self)
{
    char pid[24] = "";
    self->lock_fd = disk_open(self->dir_fd, "lock", O_RDWR | O_CREAT);
    if (self->lock_fd < 0)
        return journal_fail(self, E_IO, "%.150s/lock: %s", self->dir, strerror(errno));
    if (disk_lock(self->lock_fd) != 0) {
        if (errno != EWOULDBLOCK)
            return journal_fail(self, E_IO, "%.150s/lock: %s", self->dir, strerror(errno));
        const ssize_t got = disk_read(self->lock_fd, pid, sizeof pid - 1, 0);
        pid[got > 0 ? got : 0] = '\0';
        pid[strcspn(pid, "\n")] = '\0';
        return journal_fail(self, E_BUSY, "%.150s: in use by process %s", self->dir,
                            pid[0] != '\0' ? pid : "?");
    }
    const int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (disk_cut(self->lock_fd, 0) != 0 || disk_write(self->lock_fd, pid, (size_t)len, 0) != len) {
        /* the number is for people only; a full disk must not keep the owner from its journal */
    }
    return OK;
}

/* Cuts the newest segment behind its last record before what does not hold; one without a whole header goes. */
static int cut(struct journal *self, const struct cursor *c, const char *why)
{
    off_t size;
    char name[SEGMENT_NAME];
    segment_name(c->first_pos, name);
    if (disk_size(self->dir_fd, name, &size) != 0)
        return journal_fail_segment(self, c->first_pos, "stat");
    if (c->offset == 0) {
        if (disk_remove(self->dir_fd, name) != 0 || disk_sync_dir(self->dir_fd) != 0)
            return journal_fail_segment(self, c->first_pos, "unlink");
        self->n_segments--;
    } else {
        const int fd = disk_open(self->dir_fd, name, O_WRONLY);
        if (fd < 0)
            return journal_fail_segment(self, c->first_pos, "open");
        const bool done = disk_cut(fd, c->offset) == 0 && disk_sync(fd) == 0;
        if (!done) {
            (void)journal_fail_segment(self, c->first_pos, "truncate");
            journal_mark_doubt(self);
        }
        disk_close(fd);
        if (!done)
            return E_IO;
    }
    char dropped[64] = "";
    if (c->behind > 0)
        (void)snprintf(dropped, sizeof dropped, "; whole records behind it: %" PRIu64, c->behind);
    (void)journal_fail(
        self, OK, "%.100s/%s: cut %lld bytes of a torn tail at offset %lld, position %" PRIu64 ": %s%s",
        self->dir, name, (long long)(size - c->offset), (long long)c->offset, c->pos + 1, why, dropped);
    return OK;
}

/* Reads the newest segment through to find the head. */
static int find_head(struct journal *self, struct cursor *c)
{
    struct journal_record record;
    const uint64_t first = self->segments[self->n_segments - 1].first_pos;
    int got = cursor_open(c, self->dir, first);
    while (got == CURSOR_END && (got = cursor_next(c, &record)) == CURSOR_RECORD)
        got = CURSOR_END;
    if (got == CURSOR_CORRUPT) {
        char name[SEGMENT_NAME];
        segment_name(first, name);
        return journal_fail(self, E_CORRUPT, "%.120s/%s: offset %lld, position %" PRIu64 ": %s", self->dir,
                            name, (long long)c->offset, c->pos + 1, c->why);
    }
    if (got < 0)
        return journal_fail_segment(self, first, "read");
    self->head_pos = c->pos;
    self->head_epoch = c->epoch;
    self->end = c->offset;
    return got == CURSOR_TORN ? cut(self, c, c->why) : OK;
}

static int list_segments(struct journal *self)
{
    uint64_t *first = malloc(SEGMENTS_MAX * sizeof *first);
    const int n = first == NULL ? E_FULL : segments_list(self->dir, first, SEGMENTS_MAX);
    for (int i = 0; i < n; i++)
        self->segments[i] = (struct segment){.first_pos = first[i], .epoch_before = UINT64_MAX};
    if (n < 0)
        (void)journal_fail(self, n, "%.150s: %s", self->dir,
                           first == NULL ? "out of memory"
                           : n == E_FULL ? "too many segments"
                                         : strerror(errno));
    free(first);
    self->n_segments = n < 0 ? 0 : (size_t)n;
    return n < 0 ? n : OK;
}

/* What the segments' headers and the directory say of each. A header that does not hold is for who reads it to tell. */
static void measure_segments(struct journal *self)
{
    self->older_bytes = 0;
    for (size_t i = 0; i < self->n_segments; i++) {
        struct segment *g = &self->segments[i];
        char name[SEGMENT_NAME];
        unsigned char header[SEGMENT_HEADER];
        off_t size = 0;
        segment_name(g->first_pos, name);
        const int fd = disk_open(self->dir_fd, name, O_RDONLY);
        if (fd >= 0 && disk_read(fd, header, sizeof header, 0) == SEGMENT_HEADER)
            (void)segment_header_decode(header, g->first_pos, &g->epoch_before);
        disk_close(fd);
        if (i + 1 < self->n_segments && disk_size(self->dir_fd, name, &size) == 0)
            self->older_bytes += g->bytes = (uint64_t)size;
    }
}

/* Writes the newest segment over itself, so that the sync that follows puts all of it on disk. */
static int write_anew(struct journal *self, const char *name)
{
    bool done = true;
    const int fd = disk_open(self->dir_fd, name, O_RDONLY);
    for (off_t at = 0; done && at < self->end;) {
        const size_t want =
            (size_t)(self->end - at) < sizeof self->buffer ? (size_t)(self->end - at) : sizeof self->buffer;
        const ssize_t got = fd < 0 ? -1 : disk_read(fd, self->buffer, want, at);
        done = got > 0 && journal_write_all(self->fd, self->buffer, (size_t)got, at);
        at += got > 0 ? got : 0;
    }
    disk_close(fd);
    return done ? OK : E_IO;
}

/* What an earlier owner wrote and did not sync becomes the base of a new epoch: it must be on disk. */
static int secure_tail(struct journal *self)
{
    const uint64_t first = self->segments[self->n_segments - 1].first_pos;
    char name[SEGMENT_NAME];
    off_t size;
    segment_name(first, name);
    self->fd = disk_open(self->dir_fd, name, O_WRONLY);
    if (self->fd < 0)
        return journal_fail_segment(self, first, "open");
    if (self->options.sync_every_ns < 0)
        return OK;
    const bool doubt = disk_size(self->dir_fd, JOURNAL_DOUBT, &size) == 0;
    if (doubt && write_anew(self, name) != OK)
        return journal_fail_segment(self, first, "write anew");
    if (disk_sync(self->fd) != 0) {
        (void)journal_fail_segment(self, first, "fdatasync");
        journal_mark_doubt(self);
        return E_IO;
    }
    if (doubt && disk_rename(self->dir_fd, JOURNAL_DOUBT, JOURNAL_MARK) != 0)
        return journal_fail(self, E_IO, "%.120s/" JOURNAL_DOUBT ": %s", self->dir, strerror(errno));
    return OK;
}

/* Where there is no room for it now, a failed sync tries again to make one. */
static void keep_mark(struct journal *self)
{
    off_t size;
    if (self->options.sync_every_ns >= 0 && disk_size(self->dir_fd, JOURNAL_MARK, &size) != 0)
        disk_close(disk_open(self->dir_fd, JOURNAL_MARK, O_WRONLY | O_CREAT));
}

static int find_segments(struct journal *self)
{
    int status = list_segments(self);
    /* The buffer is empty yet, and serves as the cursor's. */
    struct cursor c = {.fd = -1, .bytes = self->buffer};
    for (size_t before = SIZE_MAX; status == OK && self->n_segments > 0 && self->n_segments != before;) {
        before = self->n_segments;
        status = find_head(self, &c);
        cursor_close(&c);
        if (self->n_segments == 0)
            self->head_pos = self->head_epoch = 0;
    }
    if (status != OK || self->n_segments == 0)
        return status;
    measure_segments(self);
    return secure_tail(self);
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
    if (status == OK)
        keep_mark(self);
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
