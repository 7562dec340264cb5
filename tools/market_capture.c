#include "tools/market_capture.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/runtime/journal.h"
#include "proto/codec.h"

struct market_capture {
    struct journal_reader *reader;
    struct decoder *decoder;
    struct drops drops;
    struct message room[2], *next; /* next is one of the two, what was taken the other */
    int64_t next_ns;
    char dir[PATH_MAX];
    uint64_t first_pos, pos, last_pos; /* last_pos: 0 until somebody asks how far it is */
    char damage[JOURNAL_ERROR_MAX];
};

static int is_segment(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len == 24 && strcmp(entry->d_name + 20, ".log") == 0;
}

bool market_capture_is(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, is_segment, NULL);
    for (int i = 0; i < n; i++)
        free(entries[i]);
    if (n >= 0)
        free(entries);
    return n > 0;
}

static int64_t receipt(const struct message *m)
{
    switch (m->env.type) {
    case MSG_BOOK:
        return m->book.recv_time;
    case MSG_BBO:
        return m->bbo.recv_time;
    case MSG_TRADE:
        return m->trade.recv_time;
    default:
        return 0;
    }
}

/* Stamps of the local clock mean nothing here: ages are taken by market time. */
static void restamp(struct message *m, int64_t market_ns)
{
    if (m->env.trace.recv_mono == 0)
        return;
    m->env.trace.recv_utc = m->env.trace.recv_mono = market_ns;
    m->env.trace.boot_id = 0;
    memset(m->env.trace.hop, 0, sizeof m->env.trace.hop);
    if (m->env.type == MSG_BOOK)
        m->book.recv_mono = market_ns;
    if (m->env.type == MSG_BBO)
        m->bbo.recv_mono = market_ns;
}

static void read_next(struct market_capture *self)
{
    struct journal_record record;
    int got;
    while ((got = journal_reader_next(self->reader, &record)) == 1) {
        self->pos = record.pos;
        if (!self->first_pos)
            self->first_pos = record.pos;
        if (!codec_decode(self->decoder, record.payload, record.len, self->next, &self->drops))
            continue; /* of another build: counted in drops */
        int64_t ns = receipt(self->next);
        if (ns > self->next_ns)
            self->next_ns = ns;
        restamp(self->next, self->next_ns);
        return;
    }
    if (got != 0)
        (void)snprintf(self->damage, sizeof self->damage, "%s", journal_reader_error(self->reader));
    self->next_ns = INT64_MAX;
}

/* Instruments come before the first price, which tells when that was. */
static int64_t first_price_ns(struct market_capture *self, const char *dir)
{
    char error[JOURNAL_ERROR_MAX];
    struct journal_reader *reader;
    struct journal_record record;
    int64_t first_ns = 0;
    if (journal_reader_open(dir, 0, &reader, error) != OK)
        return 0;
    while (first_ns == 0 && journal_reader_next(reader, &record) == 1) {
        if (codec_decode(self->decoder, record.payload, record.len, self->next, &self->drops))
            first_ns = receipt(self->next);
    }
    journal_reader_close(&reader);
    return first_ns;
}

/* By its newest segment, whose name is the position of its first record. */
static uint64_t last_pos(const char *dir)
{
    struct dirent **entries;
    char error[JOURNAL_ERROR_MAX];
    struct journal_reader *reader;
    struct journal_record record;
    uint64_t pos = 0;
    int n = scandir(dir, &entries, is_segment, alphasort);
    if (n > 0)
        pos = strtoull(entries[n - 1]->d_name, NULL, 10);
    for (int i = 0; i < n; i++)
        free(entries[i]);
    if (n >= 0)
        free(entries);
    if (journal_reader_open(dir, pos, &reader, error) != OK)
        return pos;
    while (journal_reader_next(reader, &record) == 1)
        pos = record.pos;
    journal_reader_close(&reader);
    return pos;
}

int market_capture_open(const char *dir, struct market_capture **out, char *error, size_t error_cap)
{
    struct market_capture *self = calloc(1, sizeof *self);
    char words[JOURNAL_ERROR_MAX] = "out of memory";
    int status = self && (self->decoder = decoder_new()) ? OK : E_FULL;
    if (self)
        self->next = &self->room[0];
    if (status == OK)
        status = journal_reader_open(dir, 0, &self->reader, words);
    if (status == OK) {
        (void)snprintf(self->dir, sizeof self->dir, "%s", dir);
        self->next_ns = first_price_ns(self, dir);
        read_next(self);
    }
    if (status == OK && self->next_ns == INT64_MAX) {
        status = *self->damage ? E_CORRUPT : E_ABSENT;
        (void)snprintf(words, sizeof words, "%.200s",
                       *self->damage ? self->damage : "there is no message in it");
    }
    if (status != OK) {
        (void)snprintf(error, error_cap, "%s: %s", dir, words);
        market_capture_close(&self);
    }
    *out = self;
    return status;
}

void market_capture_close(struct market_capture **self)
{
    struct market_capture *c = *self;
    *self = NULL;
    if (!c)
        return;
    journal_reader_close(&c->reader);
    decoder_destroy(&c->decoder);
    free(c);
}

int64_t market_capture_next_ns(const struct market_capture *self)
{
    return self->next_ns;
}

struct message *market_capture_take(struct market_capture *self)
{
    struct message *taken = self->next;
    self->next = taken == &self->room[0] ? &self->room[1] : &self->room[0];
    read_next(self);
    return taken;
}

const char *market_capture_damage(const struct market_capture *self)
{
    return self->damage;
}

double market_capture_progress(struct market_capture *self)
{
    if (!self->last_pos)
        self->last_pos = last_pos(self->dir);
    uint64_t all = self->last_pos - self->first_pos;
    return all ? (double)(self->pos - self->first_pos) / (double)all : 1;
}
