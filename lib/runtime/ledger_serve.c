/* Carries to readers what ledger_answers.c decides. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/runtime/ledger_owner.h"
#include "lib/runtime/log.h"
#include "lib/runtime/probed.h"

enum { SEEK_SLICE = 4096 }; /* records that are passed over in one turn */

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

static void stop_serving(struct serving *at)
{
    journal_reader_close(&at->reader);
    at->there = at->unsent = false;
}

/* One that stands at `pos`, or has set out to it. NULL: the journal cannot be read. */
static struct serving *serving_at(struct ledger *self, uint64_t pos)
{
    char error[JOURNAL_ERROR_MAX];
    struct serving *oldest = &self->serving[0];
    for (int i = 0; i < SERVING_MAX; i++) {
        struct serving *at = &self->serving[i];
        if (at->reader && at->next == pos)
            return at;
        if (at->used < oldest->used)
            oldest = at;
    }
    stop_serving(oldest);
    oldest->next = pos;
    if (journal_reader_open(self->dir, pos, &oldest->reader, error) == OK)
        return oldest;
    log_line(LOG_ERROR, "replay", "ledger=%s pos=%" PRIu64 " error=\"%s\"", self->name, pos, error);
    return NULL;
}

static int next_record(struct serving *at)
{
    const bool again = at->unsent;
    at->unsent = false;
    return again ? 1 : journal_reader_next(at->reader, &at->record);
}

enum went { WENT_ON, WENT_ASTRAY, WENT_STUCK, STILL_SEEKING };

/* Sends a range, of which `sent` tells how much went. STUCK: the reader's socket took no more. STILL_SEEKING: the place
 * is not found yet, which is a turn too. Records that are written but not published yet are included. */
static enum went send_range(struct ledger *self, const struct turn *turn, uint32_t *sent)
{
    struct serving *at = serving_at(self, turn->from);
    if (!at)
        return WENT_ASTRAY;
    at->used = ++self->turns;
    int got = at->there ? 1 : journal_reader_approach(at->reader, SEEK_SLICE);
    if (got == 0)
        return STILL_SEEKING;
    at->there = true;
    bool stuck = false;
    while (got == 1 && !stuck && *sent < turn->n && (got = next_record(at)) == 1) {
        at->unsent = stuck = !send_to(self, turn, at->record.payload, at->record.len);
        *sent += !stuck;
    }
    at->next = turn->from + *sent;
    self->replayed += *sent;
    if (got >= 0)
        return stuck ? WENT_STUCK : WENT_ON;
    log_line(LOG_ERROR, "replay", "ledger=%s pos=%" PRIu64 " error=\"%s\"", self->name, at->next,
             journal_reader_error(at->reader));
    stop_serving(at); /* it does not stand where the next answer begins */
    return WENT_ASTRAY;
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
    const size_t len = probed_encode(m, a->ledger->bytes, sizeof a->ledger->bytes);
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

/* One turn of one reader, if any waits. */
static void serve_one(struct ledger *self, struct now now)
{
    struct message m;
    struct turn turn;
    uint32_t sent = 0;
    enum went went = WENT_ON;
    uint64_t epoch = 0, pos = 0;
    struct ledger_figures f = figures(self);
    if (!answers_turn(&self->answers, &f, now.mono_ns, &turn))
        return;
    if (!turn.snapshot) {
        went = turn.n > 0 ? send_range(self, &turn, &sent) : WENT_ON;
    } else if (!send_snapshot(self, &turn, &sent, &epoch, &pos)) {
        answers_drop(&self->answers, &turn);
        return;
    }
    if (went == WENT_STUCK)
        answers_hold(&self->answers, &turn, sent, now.mono_ns);
    if (went == WENT_STUCK || went == STILL_SEEKING)
        return;
    message_init(&m, MSG_REPLAYED);
    if (!answers_sent(&self->answers, &turn, sent, &f, &m.replayed))
        return;
    memcpy(m.env.stream, self->name, sizeof m.env.stream);
    m.env.epoch = self->epoch;
    m.env.time_out = now.utc_ns;
    m.replayed.snapshot_epoch = epoch;
    m.replayed.snapshot_pos = pos;
    const size_t len = probed_encode(&m, self->bytes, sizeof self->bytes);
    if (send_to(self, &turn, self->bytes, len) || turn.snapshot)
        answers_drop(&self->answers, &turn);
    else
        answers_hold(&self->answers, &turn, 0, now.mono_ns);
}

static void take_replay(struct ledger *self, const void *identity, size_t identity_len,
                        const struct replay *ask)
{
    const struct ledger_figures f = figures(self);
    const enum answers_heard heard = answers_ask(&self->answers, identity, identity_len, ask, &f);
    if (heard == ANSWERS_NO_NEWS)
        return;
    log_line(LOG_ERROR, heard == ANSWERS_READER_AHEAD ? "reader-ahead" : "reader-unbelievable",
             "ledger=%s epoch=%" PRIu64 " head=%" PRIu64 " reader_epoch=%" PRIu64 " reader_next=%" PRIu64
             " what=\"%s\"",
             self->name, f.epoch, f.head_pos, ask->epoch, ask->next_pos,
             heard == ANSWERS_READER_AHEAD
                 ? "this journal ends before what a reader holds: it was lost, cut or replaced"
                 : "a reader holds an epoch that this ledger cannot have had: nothing is made of it");
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
        bool read = probed_decode(self->decoder, self->inbox.bytes, self->inbox.len, &m, &self->drops);
        inbox_skip(&self->inbox, self->replay);
        if (read && m.env.type == MSG_REPLAY) {
            take_replay(self, identity, identity_len, &m.replay);
        } else if (read && m.env.type == MSG_STORED) {
            const struct ledger_figures f = figures(self);
            answers_stored(&self->answers, &m.stored, &f);
        }
    }
    serve_one(self, now);
    return answers_waiting(&self->answers, now.mono_ns) ? bound : taken;
}

bool ledger_answer_stuck(const struct ledger *self)
{
    return answers_stuck(&self->answers);
}

bool ledger_epoch_due(const struct ledger *self, uint64_t *epoch)
{
    const struct ledger_figures f = figures(self);
    *epoch = answers_epoch_due(&self->answers, &f);
    return *epoch > 0;
}
