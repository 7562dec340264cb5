#include "services/feed/captures.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/runtime/journal.h"
#include "lib/runtime/log.h"
#include "services/feed/capture.h"

enum { VENUES_MAX = 16, CONNS_OF_A_VENUE = 256, BUFFER_BYTES = 16 << 20 };

#define MEGABYTE (INT64_C(1) << 20)

struct captures {
    struct capture *raw;
    char venues[VENUES_MAX][16]; /* in the order of their first frame */
    uint32_t n_venues;
    struct journal *decoded;
    uint64_t epoch, pos;
    uint64_t keep_bytes;
    bool unwritten;
    uint64_t messages, lost, told_lost;
};

static int open_raw(struct captures *self, const struct config *config, int64_t utc_ns, char *error)
{
    const struct capture_options options = {.dir = config->capture.dir,
                                            .rotate_bytes = config->capture.rotate_mb * MEGABYTE,
                                            .rotate_ns = config->capture.rotate_minutes * 60 * NS_PER_SEC,
                                            .keep_bytes = config->capture.keep_mb * MEGABYTE,
                                            .buffer_bytes = BUFFER_BYTES};
    return capture_open(&options, utc_ns, &self->raw, error, CONFIG_ERROR_MAX);
}

static int open_decoded(struct captures *self, const struct config *config, char *error)
{
    const struct journal_options options = {.segment_bytes = (uint64_t)(config->capture.rotate_mb * MEGABYTE),
                                            .sync_every_ns = -1};
    char words[JOURNAL_ERROR_MAX];
    int status = journal_open("journal/market", &options, &self->decoded, words);
    if (status != OK) {
        (void)snprintf(error, CONFIG_ERROR_MAX, "journal/market: %.200s", words);
        return status;
    }
    self->pos = journal_head_pos(self->decoded);
    if (self->epoch < journal_head_epoch(self->decoded))
        self->epoch = journal_head_epoch(self->decoded);
    self->keep_bytes = (uint64_t)(config->capture.keep_mb * MEGABYTE);
    return OK;
}

int captures_open(const struct config *config, uint64_t epoch, int64_t utc_ns, struct captures **out,
                  char error[CONFIG_ERROR_MAX])
{
    const char *mode = config->capture.mode;
    bool both = strcmp(mode, "both") == 0;
    bool raw = (both || strcmp(mode, "raw") == 0) && strcmp(config->feed.source, "live") == 0;
    bool decoded = both || strcmp(mode, "decoded") == 0;
    *out = NULL;
    if (!raw && !decoded)
        return OK;
    struct captures *self = calloc(1, sizeof *self);
    (void)snprintf(error, CONFIG_ERROR_MAX, "out of memory");
    int status = self ? OK : E_FULL;
    if (self)
        self->epoch = epoch;
    if (status == OK && raw)
        status = open_raw(self, config, utc_ns, error);
    if (status == OK && decoded)
        status = open_decoded(self, config, error);
    *out = self;
    if (status != OK)
        captures_close(out);
    return status;
}

void captures_close(struct captures **self)
{
    struct captures *c = *self;
    *self = NULL;
    if (!c)
        return;
    capture_close(&c->raw);
    journal_close(&c->decoded);
    free(c);
}

/* ---- raw -------------------------------------------------------------------------------------------- */

/* A capture is of all venues: their connections get numbers of their own. */
static uint32_t conn_of(struct captures *self, const char *venue, uint32_t conn)
{
    uint32_t i = 0;
    while (i < self->n_venues && strcmp(self->venues[i], venue) != 0)
        i++;
    if (i == self->n_venues && i < VENUES_MAX)
        (void)text_set(self->venues[self->n_venues++], sizeof self->venues[0], venue);
    return i * CONNS_OF_A_VENUE + conn % CONNS_OF_A_VENUE;
}

static void keep_frame(void *ctx, const char *venue, const struct frame *frame, bool sent, bool binary)
{
    struct captures *self = ctx;
    struct frame kept = *frame;
    kept.conn = conn_of(self, venue, frame->conn);
    capture_frame(self->raw, &kept, (struct line_form){.outbound = sent, .binary = binary});
}

struct live_tap captures_tap(struct captures *self)
{
    return self && self->raw ? (struct live_tap){self, keep_frame} : (struct live_tap){0};
}

/* ---- decoded ---------------------------------------------------------------------------------------- */

static bool is_market(enum message_type type)
{
    return type == MSG_INST || type == MSG_BOOK || type == MSG_BBO || type == MSG_TRADE;
}

void captures_message(struct captures *self, const struct message *m, const void *bytes, size_t len)
{
    if (!self || !self->decoded || !is_market(m->env.type))
        return;
    int status = journal_append(self->decoded, self->epoch, self->pos + 1, m->env.time_out, bytes, len);
    if (status == E_FULL && journal_write(self->decoded) == OK)
        status = journal_append(self->decoded, self->epoch, self->pos + 1, m->env.time_out, bytes, len);
    if (status != OK) {
        self->lost++;
        return;
    }
    self->pos++;
    self->messages++;
    self->unwritten = true;
}

void captures_write(struct captures *self)
{
    if (!self || !self->unwritten)
        return;
    self->unwritten = journal_write(self->decoded) != OK;
}

/* ---- both ------------------------------------------------------------------------------------------- */

static void free_oldest(struct captures *self)
{
    struct journal_segment oldest;
    while (journal_bytes(self->decoded) > self->keep_bytes && journal_oldest(self->decoded, 0, &oldest) &&
           journal_free_below(self->decoded, oldest.last_pos) == OK)
        ;
}

void captures_watch(struct captures *self)
{
    if (!self)
        return;
    if (self->raw)
        capture_watch(self->raw);
    if (!self->decoded)
        return;
    free_oldest(self);
    if (self->lost > self->told_lost)
        log_line(LOG_ERROR, "capture-incomplete", "journal=market lost=%" PRIu64 " error=\"%s\"", self->lost,
                 journal_error(self->decoded));
    self->told_lost = self->lost;
}

void captures_status(struct captures *self, struct reply *reply)
{
    if (!self)
        return;
    if (self->raw)
        capture_status(self->raw, reply);
    if (self->decoded) {
        status_metric(reply, "capture_messages", (int64_t)self->messages);
        status_metric(reply, "capture_messages_lost", (int64_t)self->lost);
        status_metric(reply, "capture_journal_bytes", (int64_t)journal_bytes(self->decoded));
    }
}
