#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/runtime/ledger.h"
#include "lib/runtime/log.h"
#include "lib/runtime/metric.h"
#include "proto/topic.h"

enum { CREDIT_MAX = 4096, IDENTITY_MAX = 256 };

struct ledger {
    char name[16];
    char dir[32];
    struct journal *journal;
    struct journal_reader
        *serving; /* where the last replay answer ended, so that the next one goes on there */
    uint64_t serving_next;
    void *pub, *replay;
    struct inbox inbox;
    struct decoder *decoder;
    struct drops drops;
    uint64_t epoch, base_pos; /* of this life */
    bool ahead;               /* a reader held more than was ever said here */
    uint64_t published, unsent, stored_pos, replayed;
    unsigned char bytes[MESSAGE_BYTES_MAX];
};

/* "always", "never", or milliseconds: the config has been checked. */
static int64_t sync_every_ns(const char *sync)
{
    if (strcmp(sync, "always") == 0)
        return 0;
    if (strcmp(sync, "never") == 0)
        return -1;
    return strtoll(sync, NULL, 10) * NS_PER_MS;
}

/* Reads the whole journal back to the core; `m` is the caller's room for one message. */
static int recover(struct ledger *self, ledger_record_fn *apply, void *ctx, struct message *m,
                   char error[LEDGER_ERROR_MAX])
{
    uint64_t first = journal_first_pos(self->journal);
    if (first == 0)
        return OK;
    struct journal_reader *reader;
    int status = journal_reader_open(self->dir, first, &reader, error);
    if (status)
        return status;
    struct journal_record record;
    while ((status = journal_reader_next(reader, &record)) == 1) {
        if (codec_decode(self->decoder, record.payload, record.len, m, &self->drops))
            apply(ctx, m);
        else {
            (void)snprintf(error, LEDGER_ERROR_MAX, "%s: position %" PRIu64 " cannot be read: %.96s",
                           self->dir, record.pos, self->drops.last);
            status = E_CORRUPT;
            break;
        }
    }
    if (status < 0 && !*error)
        (void)snprintf(error, LEDGER_ERROR_MAX, "%s", journal_reader_error(reader));
    journal_reader_close(&reader);
    return status < 0 ? status : OK;
}

static int bind_sockets(struct ledger *self, void *zmq, char error[LEDGER_ERROR_MAX])
{
    char endpoint[ENDPOINT_MAX];
    endpoint_make(self->name, "ledger", endpoint);
    int status = socket_open(zmq, SOCKET_LEDGER_PUB, endpoint, &self->pub, error, LEDGER_ERROR_MAX);
    if (status)
        return status;
    endpoint_make(self->name, "replay", endpoint);
    return socket_open(zmq, SOCKET_REPLAY_ROUTER, endpoint, &self->replay, error, LEDGER_ERROR_MAX);
}

int ledger_open(const char *name, const struct config *config, void *zmq, ledger_record_fn *apply, void *ctx,
                struct ledger **out, char error[LEDGER_ERROR_MAX])
{
    struct ledger *self = calloc(1, sizeof *self);
    struct message *m = calloc(1, sizeof *m);
    char note[LEDGER_ERROR_MAX] = "";
    int status =
        self && m && text_set(self->name, sizeof self->name, name) ? inbox_open(&self->inbox) : E_FULL;
    *error = '\0';
    if (status == OK && !(self->decoder = decoder_new()))
        status = E_FULL;
    if (status == OK) {
        (void)snprintf(self->dir, sizeof self->dir, "journal/%s", name);
        struct journal_options options = {.segment_bytes = (uint64_t)config->journal.segment_mb << 20,
                                          .sync_every_ns = sync_every_ns(config->journal.sync)};
        status = journal_open(self->dir, &options, &self->journal, note);
    }
    if (status == OK)
        status = recover(self, apply, ctx, m, error);
    if (status == OK && zmq)
        status = bind_sockets(self, zmq, error);
    free(m);
    if (status) {
        if (!*error)
            (void)snprintf(error, LEDGER_ERROR_MAX, "%s", *note ? note : "out of memory");
        if (self)
            ledger_close(&self);
        return status;
    }
    (void)snprintf(error, LEDGER_ERROR_MAX, "%s", note);
    self->base_pos = self->published = journal_head_pos(self->journal);
    self->epoch = journal_head_epoch(self->journal);
    *out = self;
    return OK;
}

void ledger_close(struct ledger **self)
{
    struct ledger *l = *self;
    if (l) {
        socket_close(&l->pub);
        socket_close(&l->replay);
        if (l->serving)
            journal_reader_close(&l->serving);
        if (l->journal)
            journal_close(&l->journal);
        decoder_destroy(&l->decoder);
        inbox_close(&l->inbox);
        free(l);
    }
    *self = NULL;
}

uint64_t ledger_next_epoch(const struct ledger *self)
{
    return journal_head_epoch(self->journal) + 1;
}

int ledger_append(void *ledger, struct message *m)
{
    struct ledger *self = ledger;
    size_t len = codec_encode(m, self->bytes, sizeof self->bytes);
    if (len == 0)
        return E_RANGE;
    return journal_append(self->journal, m->env.epoch, m->env.pos, m->env.time_out, self->bytes, len);
}

int ledger_write(void *ledger)
{
    struct ledger *self = ledger;
    return journal_write(self->journal);
}

int ledger_sync(void *ledger)
{
    struct ledger *self = ledger;
    return journal_sync(self->journal);
}

static void publish(struct ledger *self, const struct message *m)
{
    char topic[TOPIC_MAX];
    size_t topic_len = topic_of(m, topic);
    size_t len = codec_encode(m, self->bytes, sizeof self->bytes);
    if (len == 0 || socket_send(self->pub, topic, topic_len, true) != OK ||
        socket_send(self->pub, self->bytes, len, false) != OK)
        self->unsent++;
}

int ledger_publish(void *ledger, struct message *m)
{
    struct ledger *self = ledger;
    self->epoch = m->env.epoch;
    self->published = m->env.pos;
    if (self->pub)
        publish(self, m);
    return OK;
}

void ledger_beat(struct ledger *self, bool alive, int64_t market_ns, uint64_t upstream_epoch,
                 uint64_t upstream_pos, struct now now)
{
    struct message m;
    message_init(&m, MSG_BEAT);
    memcpy(m.env.stream, self->name, sizeof m.env.stream);
    m.env.epoch = self->epoch;
    m.env.time_out = now.utc_ns;
    (void)text_set(m.beat.source, sizeof m.beat.source, self->name);
    m.beat.alive = alive;
    m.beat.market_time = market_ns;
    m.beat.head_pos = self->published;
    m.beat.synced_pos = journal_synced_pos(self->journal);
    m.beat.upstream_epoch = upstream_epoch;
    m.beat.upstream_pos = upstream_pos;
    if (self->pub)
        publish(self, &m);
}

/* ---- replay ------------------------------------------------------------------------------------------- */

static bool send_to(struct ledger *self, const void *identity, size_t identity_len, const void *bytes,
                    size_t len)
{
    return socket_send(self->replay, identity, identity_len, true) == OK &&
           socket_send(self->replay, bytes, len, false) == OK;
}

/* Sends up to `credit` records from `next`; records that are written but not published yet are included. */
static uint32_t send_range(struct ledger *self, const void *identity, size_t identity_len, uint64_t next,
                           uint32_t credit)
{
    char error[JOURNAL_ERROR_MAX];
    struct journal_record record;
    uint32_t sent = 0;
    int got = 0;
    if (self->serving && self->serving_next != next)
        journal_reader_close(&self->serving);
    if (!self->serving && journal_reader_open(self->dir, next, &self->serving, error) != OK) {
        log_line(LOG_ERROR, "replay", "ledger=%s pos=%" PRIu64 " error=\"%s\"", self->name, next, error);
        return 0;
    }
    while (sent < credit && (got = journal_reader_next(self->serving, &record)) == 1 &&
           send_to(self, identity, identity_len, record.payload, record.len))
        sent++;
    if (got < 0)
        log_line(LOG_ERROR, "replay", "ledger=%s pos=%" PRIu64 " error=\"%s\"", self->name, next + sent,
                 journal_reader_error(self->serving));
    /* After an error, or a record that it read but could not send, it does not stand where the next answer
     * begins. */
    if (got < 0 || (got == 1 && sent < credit))
        journal_reader_close(&self->serving);
    self->serving_next = next + sent;
    self->replayed += sent;
    return sent;
}

/* No reader can hold what was never said: the journal is not the one that it followed. What is said from here
 * on it may take for what it has, so this is said loudly, once. */
static void note_ahead(struct ledger *self, const struct replay *ask, uint64_t head)
{
    bool ahead = ask->epoch > self->epoch || (ask->epoch == self->epoch && ask->next_pos > head + 1);
    if (!ahead || self->ahead)
        return;
    self->ahead = true;
    log_line(LOG_ERROR, "reader-ahead",
             "ledger=%s epoch=%" PRIu64 " head=%" PRIu64 " reader_epoch=%" PRIu64 " reader_next=%" PRIu64
             " what=\"this journal ends before what a reader holds: it was lost, cut or replaced\"",
             self->name, self->epoch, head, ask->epoch, ask->next_pos);
}

static void answer(struct ledger *self, const void *identity, size_t identity_len, const struct replay *ask,
                   struct now now)
{
    uint64_t head = journal_head_pos(self->journal);
    note_ahead(self, ask, head);
    uint64_t first = journal_first_pos(self->journal);
    uint64_t next = ask->next_pos < first ? first : ask->next_pos;
    uint32_t credit = ask->credit < CREDIT_MAX ? ask->credit : CREDIT_MAX;
    struct message m;
    message_init(&m, MSG_REPLAYED);
    memcpy(m.env.stream, self->name, sizeof m.env.stream);
    m.env.epoch = self->epoch;
    m.env.time_out = now.utc_ns;
    if (head > 0 && next > 0 && next <= head)
        m.replayed.sent = send_range(self, identity, identity_len, next, credit);
    m.replayed.epoch = self->epoch;
    m.replayed.base_pos = self->base_pos;
    m.replayed.first_pos = first;
    m.replayed.head_pos = head;
    m.replayed.synced_pos = journal_synced_pos(self->journal);
    size_t len = codec_encode(&m, self->bytes, sizeof self->bytes);
    (void)send_to(self, identity, identity_len, self->bytes, len);
}

/* What a reader stored of an earlier life counts as far as that life is ours: to our base. */
static void take_stored(struct ledger *self, const struct stored *stored)
{
    uint64_t ours = stored->epoch == self->epoch  ? journal_head_pos(self->journal)
                    : stored->epoch < self->epoch ? self->base_pos
                                                  : 0;
    uint64_t pos = stored->pos < ours ? stored->pos : ours;
    if (pos > self->stored_pos)
        self->stored_pos = pos;
}

int ledger_serve(void *ledger, struct now now, int bound)
{
    struct ledger *self = ledger;
    int taken = 0;
    while (taken < bound && inbox_take(&self->inbox, self->replay) == OK) {
        unsigned char identity[IDENTITY_MAX];
        size_t identity_len = self->inbox.len < sizeof identity ? self->inbox.len : sizeof identity;
        struct message m;
        memcpy(identity, self->inbox.bytes, identity_len);
        taken++;
        if (!self->inbox.more || inbox_take(&self->inbox, self->replay) != OK)
            continue;
        bool read = codec_decode(self->decoder, self->inbox.bytes, self->inbox.len, &m, &self->drops);
        inbox_skip(&self->inbox, self->replay);
        if (read && m.env.type == MSG_REPLAY)
            answer(self, identity, identity_len, &m.replay, now);
        else if (read && m.env.type == MSG_STORED)
            take_stored(self, &m.stored);
    }
    return taken;
}

void *ledger_replay_socket(struct ledger *self)
{
    return self->replay;
}

uint64_t ledger_stored_pos(const struct ledger *self)
{
    return self->stored_pos;
}

uint64_t ledger_head_pos(const struct ledger *self)
{
    return journal_head_pos(self->journal);
}

const char *ledger_error(const struct ledger *self)
{
    return journal_error(self->journal);
}

void ledger_status(const struct ledger *self, struct reply *reply)
{
    status_metric(reply, "ledger_epoch", (int64_t)self->epoch);
    status_metric(reply, "ledger_head_pos", (int64_t)journal_head_pos(self->journal));
    status_metric(reply, "ledger_synced_pos", (int64_t)journal_synced_pos(self->journal));
    status_metric(reply, "ledger_stored_pos", (int64_t)self->stored_pos);
    status_metric(reply, "ledger_replayed", (int64_t)self->replayed);
    status_metric(reply, "ledger_unsent", (int64_t)self->unsent);
}
