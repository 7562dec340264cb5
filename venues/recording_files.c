#include "venues/recording_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/base/status.h"

enum { CHUNK = 256 * 1024, LINE_MAX_BYTES = 256 * 1024 * 1024, PATH_BYTES = 4096 };

struct recording_files {
    char path[PATH_BYTES];  /* of the directory, or of the only file */
    struct dirent **names;  /* of a directory's files; NULL = one file */
    int n_names, next_name; /* the file behind the open one */
    gzFile file;
    uint64_t size, before; /* bytes of all files; of those that were read to their end */
    struct text buffer;    /* what is read and not yet handed out is from start to end */
    size_t start, end;
    bool ended, cut, damaged; /* the open file: read to its end; its end is missing; it cannot be read on */
    bool first_line, first_of_life;
    char damage[96];
};

bool text_room(struct text *text, size_t bytes)
{
    if (bytes <= text->cap)
        return true;
    size_t cap = text->cap ? text->cap : 1024;
    while (cap < bytes)
        cap *= 2;
    char *at = realloc(text->at, cap);
    if (!at)
        return false;
    text->at = at;
    text->cap = cap;
    return true;
}

/* ---- files ------------------------------------------------------------------------------------------ */

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);
    return len > end_len && strcmp(name + len - end_len, end) == 0;
}

static int is_recording(const struct dirent *entry)
{
    return ends_with(entry->d_name, ".jsonl.gz") || ends_with(entry->d_name, ".jsonl");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool join_path(const struct recording_files *self, const char *name, char out[PATH_BYTES])
{
    return snprintf(out, PATH_BYTES, "%s/%s", self->path, name) < PATH_BYTES;
}

static bool open_file(struct recording_files *self, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    self->file = gzdopen(fd, "rb");
    if (!self->file) {
        (void)close(fd);
        errno = ENOMEM;
        return false;
    }
    (void)gzbuffer(self->file, CHUNK);
    self->ended = self->cut = false;
    return true;
}

/* Goes on to a directory's next file; false: there is none, or it cannot be opened. */
static bool open_next(struct recording_files *self)
{
    char path[PATH_BYTES];
    if (self->next_name == self->n_names)
        return false;
    const char *name = self->names[self->next_name]->d_name;
    if (self->file) {
        self->before = recording_files_consumed(self);
        (void)gzclose(self->file);
        self->file = NULL;
    }
    self->start = self->end = 0;
    if (!join_path(self, name, path) || !open_file(self, path)) {
        self->damaged = true;
        (void)snprintf(self->damage, sizeof self->damage, "%.48s: %.40s", name, strerror(errno));
        return false;
    }
    self->next_name++;
    self->first_line = true;
    self->first_of_life = strstr(name, "-000001.") != NULL;
    return true;
}

static int open_directory(struct recording_files *self, const char *path, char *error, size_t cap)
{
    char file[PATH_BYTES];
    struct stat about;
    self->n_names = scandir(path, &self->names, is_recording, by_name);
    if (self->n_names <= 0) {
        (void)snprintf(error, cap, "%s: expected a recording, or a directory with files *.jsonl.gz", path);
        return E_IO;
    }
    for (int i = 0; i < self->n_names; i++)
        if (join_path(self, self->names[i]->d_name, file) && stat(file, &about) == 0)
            self->size += (uint64_t)about.st_size;
    if (open_next(self))
        return OK;
    (void)snprintf(error, cap, "%s: %s", path, self->damage);
    return E_IO;
}

int recording_files_open(const char *path, struct recording_files **out, char *error, size_t error_cap)
{
    struct stat about;
    struct recording_files *self = calloc(1, sizeof *self);
    int status = E_IO;
    *out = self;
    if (!self || !text_room(&self->buffer, CHUNK))
        (void)snprintf(error, error_cap, "%s: out of memory", path);
    else if (snprintf(self->path, sizeof self->path, "%s", path) >= PATH_BYTES)
        (void)snprintf(error, error_cap, "%.64s...: the path is too long", path);
    else if (stat(path, &about) != 0)
        (void)snprintf(error, error_cap, "%s: %s", path, strerror(errno));
    else if (S_ISDIR(about.st_mode))
        status = open_directory(self, path, error, error_cap);
    else if (open_file(self, path))
        status = OK;
    else
        (void)snprintf(error, error_cap, "%s: %s", path, strerror(errno));
    if (status == OK && !self->names)
        self->size = (uint64_t)about.st_size;
    if (status != OK)
        recording_files_close(out);
    return status;
}

void recording_files_close(struct recording_files **self)
{
    struct recording_files *f = *self;
    *self = NULL;
    if (!f)
        return;
    if (f->file)
        (void)gzclose(f->file);
    for (int i = 0; i < f->n_names; i++)
        free(f->names[i]);
    free(f->names);
    free(f->buffer.at);
    free(f);
}

const char *recording_files_damage(const struct recording_files *self)
{
    return self->damage;
}

uint64_t recording_files_consumed(const struct recording_files *self)
{
    z_off_t at = self->file ? gzoffset(self->file) : 0;
    return self->before + (at < 0 ? 0 : (uint64_t)at);
}

uint64_t recording_files_size(const struct recording_files *self)
{
    return self->size;
}

/* ---- lines ------------------------------------------------------------------------------------------ */

static void note_damage(struct recording_files *self)
{
    int code = Z_OK;
    const char *why = gzerror(self->file, &code);
    if (code == Z_OK || code == Z_STREAM_END)
        return;
    self->damaged = true;
    self->cut = code == Z_BUF_ERROR;
    const char *words = strstr(why, ": "); /* behind zlib's name for the file */
    (void)snprintf(self->damage, sizeof self->damage, "%.90s",
                   code == Z_ERRNO ? strerror(errno)
                   : words         ? words + 2
                                   : why);
}

static void fill(struct recording_files *self)
{
    if (self->start > 0) {
        memmove(self->buffer.at, self->buffer.at + self->start, self->end - self->start);
        self->end -= self->start;
        self->start = 0;
    }
    if (self->end >= LINE_MAX_BYTES || !text_room(&self->buffer, self->end + CHUNK)) {
        self->damaged = true;
        (void)snprintf(self->damage, sizeof self->damage, "a line longer than %d bytes, or out of memory",
                       LINE_MAX_BYTES);
        return;
    }
    int got = gzread(self->file, self->buffer.at + self->end, CHUNK);
    if (got > 0)
        self->end += (size_t)got;
    if (got == CHUNK)
        return;
    note_damage(self);
    self->ended = !self->damaged && got <= 0;
}

/* The open file has no more whole lines. true: go on with the next one. A file that was cut short is no damage where
 * another follows. */
static bool pass_on(struct recording_files *self)
{
    bool more = self->next_name < self->n_names;
    if (!more || (self->damaged && !self->cut))
        return false;
    self->damaged = false;
    *self->damage = '\0';
    return open_next(self);
}

static int last_of_file(struct recording_files *self, const char **line, size_t *len)
{
    if (self->damaged)
        return E_IO;
    *line = self->buffer.at + self->start;
    *len = self->end - self->start;
    self->start = self->end;
    return *len > 0;
}

int recording_files_next(struct recording_files *self, const char **line, size_t *len, bool *new_life)
{
    *new_life = false;
    for (size_t seen = self->start;;) {
        char *end = memchr(self->buffer.at + seen, '\n', self->end - seen);
        if (end) {
            *line = self->buffer.at + self->start;
            *len = (size_t)(end - *line);
            self->start += *len + 1;
            *new_life = self->first_line && self->first_of_life;
            self->first_line = false;
            return 1;
        }
        if (self->damaged || self->ended) {
            if (!pass_on(self))
                return last_of_file(self, line, len);
            seen = 0;
            continue;
        }
        seen = self->end - self->start;
        fill(self);
    }
}
