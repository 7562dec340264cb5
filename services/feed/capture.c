#include "services/feed/capture.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/base/text.h"
#include "lib/runtime/log.h"
#include "lib/runtime/rhythm.h"

enum { CONNS = 4096, PATH_BYTES = 320, STAMP_BYTES = 24, GZ_BUFFER = 128 * 1024, WORDS_BYTES = 160 };

#define BEAT_NS   (50 * NS_PER_MS)
#define MEMBER_NS NS_PER_SEC /* what a killed feed may lose of its capture */
#define RETRY_NS  NS_PER_SEC

struct lines {
    char *at;
    size_t len;
    uint64_t count;
};

struct capture {
    char dir[PATH_BYTES - 64];
    struct capture_options options;
    char stamp[STAMP_BYTES]; /* start of this feed, first part of the files' names */

    /* Of the loop. */
    uint32_t hole;       /* number of the last hole */
    uint32_t met[CONNS]; /* by connection: number of the hole behind which it has begun anew */
    uint64_t told_lost, told_failures;

    /* Of both, under lock. */
    pthread_mutex_t lock;
    struct lines filling;
    uint64_t captured, lost, failures;
    bool failed; /* lines could not be written since the loop last looked */
    char words[WORDS_BYTES];
    int64_t bytes; /* compressed, of this life */

    /* Of the thread. */
    struct lines writing;
    gzFile file;
    char path[PATH_BYTES];
    uint32_t number;
    int64_t opened_ns, member_ns, retry_ns, file_bytes;
    bool open_member;
    struct rhythm *rhythm;
};

/* ---- lines, from the loop --------------------------------------------------------------------------- */

static bool lay(struct lines *lines, size_t cap, const struct frame *frame, struct line_form form)
{
    size_t len = recording_line(frame, form, lines->at + lines->len, cap - lines->len);
    if (len > cap - lines->len)
        return false;
    lines->len += len;
    lines->count++;
    return true;
}

/* Behind a hole a connection begins anew. */
static bool lay_behind_hole(struct capture *self, const struct frame *frame, struct line_form form)
{
    uint32_t *met = &self->met[frame->conn % CONNS];
    struct lines before = self->filling;
    bool begins = frame->kind == FRAME_CONNECT || frame->kind == FRAME_CLOSE;
    if (*met != self->hole && frame->kind == FRAME_WS) {
        struct frame connect = *frame;
        connect.kind = FRAME_CONNECT;
        if (!lay(&self->filling, self->options.buffer_bytes, &connect, (struct line_form){0}))
            return false;
        begins = true;
    }
    if (!lay(&self->filling, self->options.buffer_bytes, frame, form)) {
        self->filling = before;
        return false;
    }
    if (begins)
        *met = self->hole;
    return true;
}

void capture_frame(struct capture *self, const struct frame *frame, struct line_form form)
{
    pthread_mutex_lock(&self->lock);
    if (self->failed) {
        self->hole++;
        self->failed = false;
    }
    if (lay_behind_hole(self, frame, form)) {
        self->captured++;
    } else {
        self->lost++;
        self->hole++;
    }
    pthread_mutex_unlock(&self->lock);
}

/* ---- files, on the thread --------------------------------------------------------------------------- */

static void say_failure(struct capture *self, const char *what, const char *why)
{
    pthread_mutex_lock(&self->lock);
    (void)snprintf(self->words, sizeof self->words, "%s: %s", what, why);
    self->failures++;
    pthread_mutex_unlock(&self->lock);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_capture(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 9 && strcmp(entry->d_name + len - 9, ".jsonl.gz") == 0;
}

static int64_t size_of(const char *dir, const char *name, char path[PATH_BYTES])
{
    struct stat about;
    int len = snprintf(path, PATH_BYTES, "%s/%s", dir, name);
    return len < PATH_BYTES && stat(path, &about) == 0 ? about.st_size : 0;
}

/* The oldest files go until the rest is within what is kept; the newest stays. */
static void free_oldest(struct capture *self)
{
    struct dirent **entries;
    char path[PATH_BYTES];
    int64_t sum = 0;
    int n = scandir(self->dir, &entries, is_capture, by_name);
    for (int i = 0; i < n; i++)
        sum += size_of(self->dir, entries[i]->d_name, path);
    for (int i = 0; i < n; i++) {
        int64_t size = size_of(self->dir, entries[i]->d_name, path);
        if (sum > self->options.keep_bytes && i + 1 < n && unlink(path) == 0)
            sum -= size;
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

static void close_file(struct capture *self)
{
    if (self->file && gzclose(self->file) != Z_OK)
        say_failure(self, self->path, "could not be closed");
    self->file = NULL;
    self->open_member = false;
}

static bool open_file(struct capture *self, int64_t mono_ns)
{
    if (self->file)
        return true;
    if (mono_ns < self->retry_ns)
        return false;
    do { /* another life of the feed may have begun in the same second */
        (void)snprintf(self->path, sizeof self->path, "%s/%s-%06u.jsonl.gz", self->dir, self->stamp,
                       ++self->number);
        self->file = gzopen(self->path, "wbxe1");
    } while (!self->file && errno == EEXIST);
    if (!self->file) {
        self->retry_ns = mono_ns + RETRY_NS;
        say_failure(self, self->path, strerror(errno));
        return false;
    }
    (void)gzbuffer(self->file, GZ_BUFFER);
    self->opened_ns = self->member_ns = mono_ns;
    self->file_bytes = 0;
    free_oldest(self);
    return true;
}

static bool write_lines(struct capture *self, int64_t mono_ns)
{
    if (!open_file(self, mono_ns))
        return false;
    if (gzwrite(self->file, self->writing.at, (unsigned)self->writing.len) == (int)self->writing.len) {
        self->open_member = true;
        return true;
    }
    int code;
    say_failure(self, self->path, gzerror(self->file, &code));
    close_file(self);
    self->retry_ns = mono_ns + RETRY_NS;
    return false;
}

static void end_member(struct capture *self, int64_t mono_ns)
{
    if (!self->file || !self->open_member || mono_ns - self->member_ns < MEMBER_NS)
        return;
    self->member_ns = mono_ns;
    self->open_member = false;
    if (gzflush(self->file, Z_FINISH) != Z_OK) {
        say_failure(self, self->path, "could not be written");
        pthread_mutex_lock(&self->lock);
        self->failed = true;
        pthread_mutex_unlock(&self->lock);
        close_file(self);
        return;
    }
    int64_t bytes = gzoffset(self->file);
    pthread_mutex_lock(&self->lock);
    self->bytes += bytes - self->file_bytes;
    pthread_mutex_unlock(&self->lock);
    self->file_bytes = bytes;
    if (bytes >= self->options.rotate_bytes || mono_ns - self->opened_ns >= self->options.rotate_ns)
        close_file(self);
}

static void write_out(void *ctx)
{
    struct capture *self = ctx;
    int64_t mono_ns = clock_mono_ns();
    pthread_mutex_lock(&self->lock);
    struct lines full = self->filling;
    self->filling = self->writing;
    self->filling.len = self->filling.count = 0;
    self->writing = full;
    pthread_mutex_unlock(&self->lock);
    if (full.len > 0 && !write_lines(self, mono_ns)) {
        pthread_mutex_lock(&self->lock);
        self->lost += full.count;
        self->failed = true;
        pthread_mutex_unlock(&self->lock);
    }
    end_member(self, mono_ns);
}

/* ---- life ------------------------------------------------------------------------------------------- */

static void set_stamp(struct capture *self, int64_t utc_ns)
{
    struct tm tm;
    time_t seconds = (time_t)(utc_ns / NS_PER_SEC);
    (void)gmtime_r(&seconds, &tm);
    (void)strftime(self->stamp, sizeof self->stamp, "%Y%m%dT%H%M%SZ", &tm);
}

int capture_open(const struct capture_options *options, int64_t utc_ns, struct capture **out, char *error,
                 size_t error_cap)
{
    struct capture *self = calloc(1, sizeof *self);
    *out = NULL;
    if (!self)
        return E_FULL;
    self->options = *options;
    (void)pthread_mutex_init(&self->lock, NULL);
    set_stamp(self, utc_ns);
    self->filling.at = malloc(options->buffer_bytes);
    self->writing.at = malloc(options->buffer_bytes);
    bool fits = text_set(self->dir, sizeof self->dir, options->dir);
    if (!fits || (mkdir(options->dir, 0700) != 0 && errno != EEXIST)) {
        (void)snprintf(error, error_cap, "capture.dir '%.120s': %s", options->dir,
                       fits ? strerror(errno) : "the path is too long");
        capture_close(&self);
        return E_IO;
    }
    if (self->filling.at && self->writing.at)
        self->rhythm = rhythm_start(BEAT_NS, write_out, self);
    if (!self->rhythm) {
        (void)snprintf(error, error_cap, "capture: no memory, or no thread");
        capture_close(&self);
        return E_FULL;
    }
    *out = self;
    return OK;
}

void capture_close(struct capture **self)
{
    struct capture *c = *self;
    *self = NULL;
    if (!c)
        return;
    if (c->rhythm) {
        rhythm_stop(&c->rhythm);
        write_out(c);
        close_file(c);
    }
    (void)pthread_mutex_destroy(&c->lock);
    free(c->filling.at);
    free(c->writing.at);
    free(c);
}

void capture_watch(struct capture *self)
{
    pthread_mutex_lock(&self->lock);
    uint64_t lost = self->lost, failures = self->failures;
    char words[WORDS_BYTES];
    memcpy(words, self->words, sizeof words);
    pthread_mutex_unlock(&self->lock);
    if (lost > self->told_lost || failures > self->told_failures)
        log_line(LOG_ERROR, "capture-incomplete", "lost=%" PRIu64 " failures=%" PRIu64 " error=\"%s\"", lost,
                 failures, *words ? words : "the buffer was full");
    self->told_lost = lost;
    self->told_failures = failures;
}

void capture_status(struct capture *self, struct reply *reply)
{
    pthread_mutex_lock(&self->lock);
    status_metric(reply, "captured", (int64_t)self->captured);
    status_metric(reply, "capture_lost", (int64_t)self->lost);
    status_metric(reply, "capture_failures", (int64_t)self->failures);
    status_metric(reply, "capture_bytes", self->bytes);
    pthread_mutex_unlock(&self->lock);
}
