#include "services/recorder/store_fill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/text.h"
#include "lib/runtime/config.h"
#include "lib/runtime/journal.h"
#include "proto/codec.h"

enum { ROWS_PER_COMMIT = 5000 };

#define SQLITE_FILE "sluice.db"

static const char *const streams[] = {"risk", "exec"};

struct filling {
    struct store *store;
    struct decoder *decoder;
    struct message *m;
    struct drops drops;
    char run[40];
    char *error;
};

static int said(char error[STORE_ERROR_MAX], int status, const char *what, const char *words)
{
    (void)snprintf(error, STORE_ERROR_MAX, "%.80s: %.160s", what, words);
    return status;
}

int store_open_run(bool made, struct store **out, char error[STORE_ERROR_MAX])
{
    char words[CONFIG_ERROR_MAX];
    struct config *config = malloc(sizeof *config);
    *out = NULL;
    if (!config)
        return said(error, E_IO, "config.yaml", "out of memory");
    config_defaults(config);
    int status = config_load(config, "config.yaml", words);
    if (status) {
        said(error, status, "config.yaml", words);
    } else if (strcmp(config->recorder.sink, "sqlite") == 0) {
        if (!made && access(SQLITE_FILE, R_OK) != 0)
            status = said(error, E_ABSENT, SQLITE_FILE, strerror(errno));
        else
            status = store_open("sqlite", SQLITE_FILE, out, error);
    } else {
        status = store_open(config->recorder.sink, config->recorder.postgres, out, error);
    }
    free(config);
    return status;
}

/* ---- one ledger -------------------------------------------------------------------------------------- */

static int store_said(struct filling *f, int status)
{
    if (status)
        (void)snprintf(f->error, STORE_ERROR_MAX, "%s", store_error(f->store));
    return status;
}

static int commit(struct filling *f, struct store_position *position)
{
    if (position->to_pos == position->from_pos && position->to_epoch == position->from_epoch)
        return OK;
    int status = store_said(f, store_commit(f->store, f->run, position, 1));
    position->from_epoch = position->to_epoch;
    position->from_pos = position->to_pos;
    return status;
}

static int fill_record(struct filling *f, const struct journal_record *record,
                       struct store_position *position)
{
    if (!codec_decode(f->decoder, record->payload, record->len, f->m, &f->drops)) {
        (void)snprintf(f->error, STORE_ERROR_MAX, "journal/%s: position %lu cannot be read: %s",
                       position->stream, record->pos, f->drops.last);
        return E_CORRUPT;
    }
    position->to_epoch = record->epoch;
    position->to_pos = record->pos;
    int status = store_said(f, store_add(f->store, f->run, f->m));
    return status == OK && record->pos % ROWS_PER_COMMIT == 0 ? commit(f, position) : status;
}

static int fill_stream(struct filling *f, const char *stream)
{
    char path[32], words[JOURNAL_ERROR_MAX];
    struct store_position position = {0};
    struct journal_reader *reader;
    struct journal_record record;
    int got = 0;
    (void)text_set(position.stream, sizeof position.stream, stream);
    (void)snprintf(path, sizeof path, "journal/%s", stream);
    int status = journal_reader_open(path, 0, &reader, words);
    if (status)
        return said(f->error, status, path, words);
    while (status == OK && (got = journal_reader_next(reader, &record)) == 1)
        status = fill_record(f, &record, &position);
    if (status == OK && got < 0)
        status = said(f->error, got, path, journal_reader_error(reader));
    journal_reader_close(&reader);
    return status == OK ? commit(f, &position) : status;
}

/* ---- the whole --------------------------------------------------------------------------------------- */

static int read_run_id(struct filling *f)
{
    FILE *file = fopen("run_id", "re");
    int got = file ? fscanf(file, "%39s", f->run) : 0;
    if (file)
        (void)fclose(file);
    return got == 1 ? OK : said(f->error, E_ABSENT, "run_id", "cannot be read; expected a run directory");
}

static int fill_all(struct filling *f, const struct view *view)
{
    int status = store_said(f, store_clear(f->store, f->run));
    if (status == OK)
        status = store_said(f, store_commit(f->store, f->run, NULL, 0));
    for (size_t i = 0; status == OK && i < sizeof streams / sizeof *streams; i++)
        status = fill_stream(f, streams[i]);
    for (uint32_t i = 0; status == OK && view && i < view_count(view); i++)
        status = store_said(f, store_mark(f->store, f->run, view_at(view, i)));
    return status == OK ? store_said(f, store_commit(f->store, f->run, NULL, 0)) : status;
}

static int fill_here(const struct view *view, char error[STORE_ERROR_MAX])
{
    struct filling f = {.error = error, .decoder = decoder_new(), .m = malloc(sizeof *f.m)};
    int status = f.decoder && f.m ? read_run_id(&f) : said(error, E_IO, "store", "out of memory");
    if (status == OK)
        status = store_open_run(true, &f.store, error);
    if (status == OK)
        status = fill_all(&f, view);
    store_close(&f.store);
    decoder_destroy(&f.decoder);
    free(f.m);
    return status;
}

int store_fill(const char *dir, const struct view *view, char error[STORE_ERROR_MAX])
{
    int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *error = '\0';
    if (here < 0 || chdir(dir) != 0) {
        if (here >= 0)
            (void)close(here);
        return said(error, E_ABSENT, dir, strerror(errno));
    }
    int status = fill_here(view, error);
    if (fchdir(here) != 0 && status == OK)
        status = said(error, E_IO, dir, strerror(errno));
    (void)close(here);
    return status;
}
