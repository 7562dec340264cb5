/* Carries to readers what ledger_answers.c decides. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/runtime/ledger_owner.h"
#include "lib/runtime/log.h"

static struct ledger_figures figures(const struct ledger *self)
{
    return (struct ledger_figures){.epoch = self->epoch,
                                   .base_pos = self->base_pos,
                                   .first_pos = journal_first_pos(self->journal),
                                   .head_pos = journal_head_pos(self->journal),
                                   .synced_pos = journal_synced_pos(self->journal)};
}

static bool send_to(struct ledger *self, const struct turn *turn, const void *bytes, size_t len)
{
    return socket_send(self->replay, turn->identity, turn->identity_len, true) == OK &&
           socket_send(self->replay, bytes, len, false) == OK;
}

/* Sends a range; returns how many of it. Records that are written but not published yet are included. */
static uint32_t send_range(struct ledger *self, const struct turn *turn)
{
    char error[JOURNAL_ERROR_MAX];
    struct journal_record record;
    uint32_t sent = 0;
    int got = 0;
    if (self->serving && self->serving_next != turn->from)
        journal_reader_close(&self->serving);
    if (!self->serving && journal_reader_open(self->dir, turn->from, &self->serving, error) != OK) {
        log_line(LOG_ERROR, "replay", "ledger=%s pos=%" PRIu64 " error=\"%s\"", self->name, turn->from,
                 error);
        return 0;
    }
    while (sent < turn->n && (got = journal_reader_next(self->serving, &record)) == 1 &&
           send_to(self, turn, record.payload, record.len))
        sent++;
    if (got < 0)
        log_line(LOG_ERROR, "replay", "ledger=%s pos=%" PRIu64 " error=\"%s\"", self->name, turn->from + sent,
                 journal_reader_error(self->serving));
    /* After an error, or a record that it read but could not send, it does not stand where the next answer
     * begins. */
    if (got < 0 || (got == 1 && sent < turn->n))
        journal_reader_close(&self->serving);
    self->serving_next = turn->from + sent;
    self->replayed += sent;
    return sent;
}

struct state_answer {
    struct ledger *ledger;
    const struct turn *turn;
    uint32_t sent;
    bool stuck;
};

static void send_state(void *ctx, const struct message *m)
{
    struct state_answer *a = ctx;
    const struct message_kind *kind = message_kind(m->env.type);
    if (a->stuck || !kind || kind->class != CLASS_LEDGER)
        return;
    const size_t len = codec_encode(m, a->ledger->bytes, sizeof a->ledger->bytes);
    a->stuck = !send_to(a->ledger, a->turn, a->ledger->bytes, len);
    a->sent += !a->stuck;
}

/* The state as of the last snapshot. False: not all of it could be sent, so it is not to be ended. */
static bool send_snapshot(struct ledger *self, const struct turn *turn, uint32_t *sent, uint64_t *epoch,
                          uint64_t *pos)
{
    struct state_answer a = {.ledger = self, .turn = turn};
    char note[SNAPSHOT_ERROR_MAX];
    const int status =
        snapshot_load(self->dir, journal_head_pos(self->journal), send_state, &a, epoch, pos, note);
    if (status != OK && status != E_ABSENT)
        log_line(LOG_ERROR, "replay", "ledger=%s error=\"the snapshot cannot be read\" note=\"%s\"",
                 self->name, note);
    *sent = a.sent;
    return !a.stuck && (status == OK || status == E_ABSENT);
}

/* One turn of one reader. False: none waits. */
static bool serve_one(struct ledger *self, struct now now)
{
    struct message m;
    struct turn turn;
    uint32_t sent = 0;
    uint64_t epoch = 0, pos = 0;
    struct ledger_figures f = figures(self);
    if (!answers_turn(&self->answers, &f, &turn))
        return false;
    if (!turn.snapshot) {
        sent = turn.n > 0 ? send_range(self, &turn) : 0;
    } else if (!send_snapshot(self, &turn, &sent, &epoch, &pos)) {
        answers_drop(&self->answers, &turn);
        return true;
    }
    message_init(&m, MSG_REPLAYED);
    if (!answers_sent(&self->answers, &turn, sent, &f, &m.replayed))
        return true;
    memcpy(m.env.stream, self->name, sizeof m.env.stream);
    m.env.epoch = self->epoch;
    m.env.time_out = now.utc_ns;
    m.replayed.snapshot_epoch = epoch;
    m.replayed.snapshot_pos = pos;
    const size_t len = codec_encode(&m, self->bytes, sizeof self->bytes);
    (void)send_to(self, &turn, self->bytes, len);
    return true;
}

static void take_replay(struct ledger *self, const void *identity, size_t identity_len,
                        const struct replay *ask)
{
    const struct ledger_figures f = figures(self);
    if (answers_ask(&self->answers, identity, identity_len, ask, &f))
        log_line(LOG_ERROR, "reader-ahead",
                 "ledger=%s epoch=%" PRIu64 " head=%" PRIu64 " reader_epoch=%" PRIu64 " reader_next=%" PRIu64
                 " what=\"this journal ends before what a reader holds: it was lost, cut or replaced\"",
                 self->name, f.epoch, f.head_pos, ask->epoch, ask->next_pos);
}

int ledger_serve(void *ledger, struct now now, int bound)
{
    struct ledger *self = ledger;
    int taken = 0;
    while (taken < bound && inbox_take(&self->inbox, self->replay) == OK) {
        unsigned char identity[ANSWERS_IDENTITY];
        size_t identity_len = self->inbox.len < sizeof identity ? self->inbox.len : sizeof identity;
        struct message m;
        memcpy(identity, self->inbox.bytes, identity_len);
        taken++;
        if (!self->inbox.more || inbox_take(&self->inbox, self->replay) != OK)
            continue;
        bool read = codec_decode(self->decoder, self->inbox.bytes, self->inbox.len, &m, &self->drops);
        inbox_skip(&self->inbox, self->replay);
        if (read && m.env.type == MSG_REPLAY) {
            take_replay(self, identity, identity_len, &m.replay);
        } else if (read && m.env.type == MSG_STORED) {
            const struct ledger_figures f = figures(self);
            answers_stored(&self->answers, &m.stored, &f);
        }
    }
    (void)serve_one(self, now);
    return answers_waiting(&self->answers) ? bound : taken;
}

bool ledger_epoch_due(const struct ledger *self, uint64_t *epoch)
{
    const struct ledger_figures f = figures(self);
    *epoch = answers_epoch_due(&self->answers, &f);
    return *epoch > 0;
}
