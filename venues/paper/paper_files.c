#include "venues/paper/paper_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char LOG[] = "paper.log", CHECKPOINT[] = "paper.checkpoint", NEXT[] = "paper.checkpoint.next";

struct paper_files {
    int log;
    off_t
        whole; /* the log's length in whole lines, while what is behind them could not be cut off; else -1 */
};

struct paper_files *paper_files_new(void)
{
    struct paper_files *self = calloc(1, sizeof *self);
    if (self)
        self->log = -1, self->whole = -1;
    return self;
}

void paper_files_close(struct paper_files **self)
{
    if (!*self)
        return;
    if ((*self)->log >= 0)
        (void)close((*self)->log);
    free(*self);
    *self = NULL;
}

/* ---- writing --------------------------------------------------------------------------------------------- */

/* Nothing is written behind half a line: no start could read the log any more. */
static bool cut_off(struct paper_files *self)
{
    if (self->whole >= 0 && ftruncate(self->log, self->whole) == 0)
        self->whole = -1;
    return self->whole < 0;
}

static int write_lines(void *ctx, const char *line, size_t len)
{
    struct paper_files *self = ctx;
    if (!cut_off(self))
        return E_IO;
    const off_t whole = lseek(self->log, 0, SEEK_END);
    if (whole < 0)
        return E_IO;
    if (write(self->log, line, len) == (ssize_t)len)
        return OK;
    self->whole = whole;
    (void)cut_off(self);
    return E_IO;
}

bool paper_files_torn(const struct paper_files *self)
{
    return self->whole >= 0;
}

/* The log is on disk as far as the checkpoint says it is, before it says so. */
static int write_checkpoint(void *ctx, const char *text, size_t len)
{
    struct paper_files *self = ctx;
    if (!cut_off(self))
        return E_IO;
    int fd = open(NEXT, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return E_IO;
    bool written = write(fd, text, len) == (ssize_t)len && fdatasync(fd) == 0 && fdatasync(self->log) == 0;
    written = close(fd) == 0 && written;
    return written && rename(NEXT, CHECKPOINT) == 0 ? OK : E_IO;
}

struct paper_log paper_files_log(struct paper_files *self)
{
    return (struct paper_log){.ctx = self, .write = write_lines, .checkpoint = write_checkpoint};
}

/* ---- reading back ---------------------------------------------------------------------------------------- */

static int say(char error[PAPER_ERROR_MAX], int status, const char *file, const char *what)
{
    (void)snprintf(error, PAPER_ERROR_MAX, "%s: %s", file, what);
    return status;
}

/* The whole file, to be freed; NULL: it is not there, or cannot be read. */
static char *read_whole(const char *path, size_t *len)
{
    struct stat file;
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &file) == 0 && (text = malloc((size_t)file.st_size + 1)) != NULL) {
        *len = (size_t)file.st_size;
        text[*len] = '\0';
        if (read(fd, text, *len) != file.st_size) {
            free(text);
            text = NULL;
        }
    }
    if (fd >= 0)
        (void)close(fd);
    return text;
}

/* Where the log is to be read from: behind the checkpoint, or from its beginning. */
static int restore_checkpoint(struct paper *paper, off_t log_size, off_t *from, char error[PAPER_ERROR_MAX])
{
    size_t len = 0;
    uint64_t offset = 0;
    char *text = read_whole(CHECKPOINT, &len);
    int status = OK;
    *from = 0;
    if (text && paper_checkpoint_offset(text, len, &offset) == OK && offset <= (uint64_t)log_size) {
        status = paper_restore_checkpoint(paper, text, len);
        *from = (off_t)offset;
    }
    free(text);
    return status == OK ? OK
                        : say(error, status, CHECKPOINT,
                              "a line cannot be read; without this file the whole log is read instead");
}

/* *whole: the length of the whole lines. A last line without its newline was never answered; what else cannot
 * be read is not passed over, for behind it are answers that were given. */
static int restore_log(struct paper *paper, FILE *log, off_t from, off_t *whole, char error[PAPER_ERROR_MAX])
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    int status = fseeko(log, from, SEEK_SET) == 0 ? OK : E_IO;
    *whole = from;
    while (status == OK && (len = getline(&line, &cap, log)) > 0 && line[len - 1] == '\n') {
        status = paper_restore(paper, line, (size_t)len - 1);
        *whole += status == OK ? len : 0;
    }
    free(line);
    if (status == OK && ferror(log))
        status = E_IO;
    return status == E_SYNTAX
               ? say(error, status, LOG, "a line cannot be read; expected what the paper venue wrote")
           : status == E_IO ? say(error, status, LOG, "cannot be read")
                            : OK;
}

int paper_files_open(struct paper_files *self, struct paper *paper, char error[PAPER_ERROR_MAX])
{
    off_t whole = 0, from = 0;
    struct stat file;
    int status = OK;
    FILE *log = fopen(LOG, "re");
    *error = '\0';
    if (!log && errno != ENOENT)
        return say(error, E_IO, LOG, "cannot be opened");
    if (log) {
        status = fstat(fileno(log), &file) == 0 ? restore_checkpoint(paper, file.st_size, &from, error)
                                                : say(error, E_IO, LOG, "cannot be read");
        if (status == OK)
            status = restore_log(paper, log, from, &whole, error);
        (void)fclose(log);
    }
    if (status != OK)
        return status;
    self->log = open(LOG, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (self->log < 0 || ftruncate(self->log, whole) != 0)
        return say(error, E_IO, LOG, "cannot be opened");
    return OK;
}
