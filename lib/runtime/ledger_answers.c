/* What an owner answers to its readers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/runtime/ledger_owner.h"
#include "lib/runtime/log.h"

enum { CREDIT_MAX = 4096, IDENTITY_MAX = 256 };

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
 * on in this epoch it may take for what it has. */
static void note_ahead(struct ledger *self, const struct replay *ask, uint64_t head)
{
    bool ahead = ask->epoch > self->epoch || (ask->epoch == self->epoch && ask->next_pos > head + 1);
    if (!ahead || ask->epoch <= self->reported_epoch || ask->epoch >= UINT64_MAX - 1)
        return;
    self->reported_epoch = ask->epoch;
    log_line(LOG_ERROR, "reader-ahead",
             "ledger=%s epoch=%" PRIu64 " head=%" PRIu64 " reader_epoch=%" PRIu64 " reader_next=%" PRIu64
             " what=\"this journal ends before what a reader holds: it was lost, cut or replaced\"",
             self->name, self->epoch, head, ask->epoch, ask->next_pos);
}

struct answering {
    struct ledger *ledger;
    const void *identity;
    size_t identity_len;
    uint32_t sent;
    bool failed;
};

static void send_state(void *ctx, const struct message *m)
{
    struct answering *a = ctx;
    const struct message_kind *kind = message_kind(m->env.type);
    if (a->failed || !kind || kind->class != CLASS_LEDGER)
        return;
    const size_t len = codec_encode(m, a->ledger->bytes, sizeof a->ledger->bytes);
    a->failed = !send_to(a->ledger, a->identity, a->identity_len, a->ledger->bytes, len);
    a->sent += !a->failed;
}

/* The state as of the last snapshot, for who wants no history. False: it could not be sent, and is not to be ended. */
static bool send_snapshot(struct ledger *self, const void *identity, size_t identity_len,
                          struct replayed *out)
{
    struct answering a = {.ledger = self, .identity = identity, .identity_len = identity_len};
    char note[SNAPSHOT_ERROR_MAX];
    const int status = snapshot_load(self->dir, journal_head_pos(self->journal), send_state, &a,
                                     &out->snapshot_epoch, &out->snapshot_pos, note);
    if (status != OK && status != E_ABSENT)
        log_line(LOG_ERROR, "replay", "ledger=%s error=\"the snapshot cannot be read\" note=\"%s\"",
                 self->name, note);
    out->snapshot = true;
    out->sent = a.sent;
    return !a.failed && (status == OK || status == E_ABSENT);
}

static void answer(struct ledger *self, const void *identity, size_t identity_len, const struct replay *ask,
                   struct now now)
{
    uint64_t head = journal_head_pos(self->journal);
    if (!ask->snapshot)
        note_ahead(self, ask, head);
    uint64_t first = journal_first_pos(self->journal);
    uint64_t next = ask->next_pos < first ? first : ask->next_pos;
    uint32_t credit = ask->credit < CREDIT_MAX ? ask->credit : CREDIT_MAX;
    struct message m;
    message_init(&m, MSG_REPLAYED);
    memcpy(m.env.stream, self->name, sizeof m.env.stream);
    m.env.epoch = self->epoch;
    m.env.time_out = now.utc_ns;
    if (ask->snapshot && !send_snapshot(self, identity, identity_len, &m.replayed))
        return;
    if (!ask->snapshot && head > 0 && next > 0 && next <= head)
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
    for (int i = 0; i < self->n_needed; i++)
        if (strcmp(self->needed[i].name, stored->reader) == 0 && pos > self->needed[i].pos)
            self->needed[i].pos = pos;
    if (strcmp(stored->reader, "recorder") == 0 && pos > self->stored_pos)
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
