#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/runtime/ledger.h"
#include "lib/runtime/ledger_answers.h"
#include "lib/runtime/probed.h"

#define RETRY_NS       (500 * NS_PER_MS)
#define STATE_RETRY_NS (2 * NS_PER_SEC)

struct ledger_reader {
    struct follower follower;
    void *live, *replay;
    struct inbox inbox;
    struct decoder *decoder;
    struct drops drops;
    void (*apply)(void *ctx, const struct message *m, struct now now);
    void *ctx;
    bool state_wanted;     /* the owner's last snapshot comes before anything else */
    uint32_t state_asked;  /* requests for it that may yet be answered */
    int64_t state_mono_ns; /* of the last */
    struct message message;
    unsigned char bytes[512];
};

int ledger_reader_open_at(const char *name, void *zmq, const char *live_endpoint, const char *replay_endpoint,
                          uint64_t epoch, uint64_t pos,
                          void (*apply)(void *ctx, const struct message *m, struct now now), void *ctx,
                          struct ledger_reader **out, char error[LEDGER_ERROR_MAX])
{
    struct ledger_reader *self = calloc(1, sizeof *self);
    int status = self ? inbox_open(&self->inbox) : E_FULL;
    if (status == OK && !(self->decoder = decoder_new()))
        status = E_FULL;
    if (status == OK) {
        follower_init(&self->follower, name, epoch, pos);
        self->apply = apply;
        self->ctx = ctx;
        status = socket_open(zmq, SOCKET_LEDGER_SUB, live_endpoint, &self->live, error, LEDGER_ERROR_MAX);
    } else {
        (void)snprintf(error, LEDGER_ERROR_MAX, "out of memory");
    }
    if (status == OK)
        status = socket_subscribe(self->live, "");
    if (status == OK)
        status =
            socket_open(zmq, SOCKET_REPLAY_DEALER, replay_endpoint, &self->replay, error, LEDGER_ERROR_MAX);
    if (status)
        ledger_reader_close(&self);
    *out = self;
    return status;
}

int ledger_reader_open(const char *name, void *zmq, uint64_t epoch, uint64_t pos,
                       void (*apply)(void *ctx, const struct message *m, struct now now), void *ctx,
                       struct ledger_reader **out, char error[LEDGER_ERROR_MAX])
{
    char live[ENDPOINT_MAX], replay[ENDPOINT_MAX];
    endpoint_make(name, "ledger", live);
    endpoint_make(name, "replay", replay);
    return ledger_reader_open_at(name, zmq, live, replay, epoch, pos, apply, ctx, out, error);
}

void ledger_reader_close(struct ledger_reader **self)
{
    struct ledger_reader *r = *self;
    if (r) {
        socket_close(&r->live);
        socket_close(&r->replay);
        decoder_destroy(&r->decoder);
        inbox_close(&r->inbox);
        free(r);
    }
    *self = NULL;
}

void ledger_reader_restart(struct ledger_reader *self, uint64_t epoch, uint64_t pos)
{
    char stream[16];
    memcpy(stream, self->follower.stream, sizeof stream);
    follower_init(&self->follower, stream, epoch, pos);
}

/* The owner lost its tail: what was applied past its base never was. The reader's user is told by a gap
 * record of our own making, and following goes on behind what still holds. */
static void roll_back(struct ledger_reader *self, struct now now)
{
    const struct message *m = &self->message;
    struct message gap;
    message_init(&gap, MSG_GAP);
    memcpy(gap.gap.stream_lost, self->follower.stream, sizeof gap.gap.stream_lost);
    gap.gap.from_epoch = self->follower.epoch;
    gap.gap.from_pos = self->follower.rollback_pos + 1;
    gap.gap.to_pos = self->follower.next_pos - 1;
    (void)text_set(gap.gap.cause, sizeof gap.gap.cause, "rollback");
    self->apply(self->ctx, &gap, now);
    if (follower_on_record(&self->follower, m) == FOLLOW_APPLY)
        self->apply(self->ctx, m, now);
}

/* One frame off a socket into self->message; SUB has a topic in front. Returns 1, 0 when none, -1 when
 * dropped. */
static int take(struct ledger_reader *self, void *socket, bool topic)
{
    if (inbox_take(&self->inbox, socket) != OK)
        return 0;
    if (topic && (!self->inbox.more || inbox_take(&self->inbox, socket) != OK))
        return -1;
    bool read =
        probed_decode(self->decoder, self->inbox.bytes, self->inbox.len, &self->message, &self->drops);
    inbox_skip(&self->inbox, socket);
    return read ? 1 : -1;
}

static void on_record(struct ledger_reader *self, struct now now)
{
    struct message *m = &self->message;
    switch (follower_on_record(&self->follower, m)) {
    case FOLLOW_APPLY:
        self->apply(self->ctx, m, now);
        break;
    case FOLLOW_ROLLBACK:
        roll_back(self, now);
        break;
    case FOLLOW_SKIP:
    case FOLLOW_HOLE:
    case FOLLOW_FOREIGN:
        break;
    }
}

static void on_answered(struct ledger_reader *self, struct now now)
{
    follower_answered(&self->follower, now);
    on_record(self, now);
}

static void on_replayed(struct ledger_reader *self, struct now now)
{
    struct message gap;
    message_init(&gap, MSG_GAP);
    if (follower_on_replayed(&self->follower, &self->message.replayed, &gap.gap))
        self->apply(self->ctx, &gap, now);
}

void ledger_reader_from_state(struct ledger_reader *self)
{
    ledger_reader_restart(self, 0, 0);
    self->state_wanted = true;
}

static bool wants(struct ledger_reader *self, struct now now, struct replay *wanted)
{
    if (!self->state_wanted)
        return follower_wants(&self->follower, now, RETRY_NS, ANSWERS_CREDIT, wanted);
    if (self->state_asked > 0 && now.mono_ns - self->state_mono_ns < STATE_RETRY_NS)
        return false;
    *wanted = (struct replay){.snapshot = true};
    self->state_mono_ns = now.mono_ns;
    self->state_asked++;
    return true;
}

/* A message of the replay socket while answers with a snapshot are due. The answers come in the order of the requests,
 * but for those that died with an owner; of a second snapshot nothing is wanted. Returns whether it was one of theirs. */
static bool take_state(struct ledger_reader *self, struct now now)
{
    const struct message *m = &self->message;
    if (m->env.type != MSG_REPLAYED) {
        self->state_mono_ns = now.mono_ns;
        if (self->state_wanted)
            self->apply(self->ctx, m, now);
        return true;
    }
    self->state_asked = m->replayed.snapshot ? self->state_asked - 1 : 0;
    if (!m->replayed.snapshot || !self->state_wanted)
        return m->replayed.snapshot;
    self->state_wanted = false;
    struct message place;
    message_init(&place, MSG_SNAPSHOT);
    memcpy(place.env.stream, self->follower.stream, sizeof place.env.stream);
    place.env.epoch = m->replayed.snapshot_epoch;
    place.env.pos = m->replayed.snapshot_pos;
    ledger_reader_restart(self, place.env.epoch, place.env.pos);
    if (place.env.pos > 0)
        self->apply(self->ctx, &place, now);
    return true;
}

static void ask(struct ledger_reader *self, struct now now)
{
    struct replay wanted;
    if (!wants(self, now, &wanted))
        return;
    struct message m;
    message_init(&m, MSG_REPLAY);
    memcpy(m.env.stream, self->follower.stream, sizeof m.env.stream);
    m.replay = wanted;
    size_t len = probed_encode(&m, self->bytes, sizeof self->bytes);
    (void)socket_send(self->replay, self->bytes, len, false);
}

static int drain_replay(struct ledger_reader *self, struct now now, int bound)
{
    int taken = 0, got;
    while (taken < bound && (got = take(self, self->replay, false)) != 0) {
        taken++;
        if (got < 0 || (self->state_asked > 0 && take_state(self, now)))
            continue;
        if (self->message.env.type == MSG_REPLAYED)
            on_replayed(self, now);
        else
            on_answered(self, now);
    }
    return taken;
}

static int drain_live(struct ledger_reader *self, struct now now, int bound)
{
    int taken = 0, got;
    while (taken < bound && self->follower.state == FOLLOWER_LIVE &&
           (got = take(self, self->live, true)) != 0) {
        taken++;
        if (got < 0)
            continue;
        if (self->message.env.type == MSG_BEAT) {
            follower_on_beat(&self->follower, &self->message.env, &self->message.beat);
            self->apply(self->ctx, &self->message, now);
        } else {
            on_record(self, now);
        }
    }
    return taken;
}

int ledger_reader_drain(void *reader, struct now now, int bound)
{
    struct ledger_reader *self = reader;
    int taken = drain_replay(self, now, bound);
    taken += drain_live(self, now, bound - taken);
    /* Last: what has come while its user was busy is no answer that was lost. */
    ask(self, now);
    return taken;
}

void *ledger_reader_live_socket(struct ledger_reader *self)
{
    return self->live;
}

void *ledger_reader_replay_socket(struct ledger_reader *self)
{
    return self->replay;
}

bool ledger_reader_current(const struct ledger_reader *self)
{
    return !self->state_wanted && follower_current(&self->follower);
}

const struct follower *ledger_reader_follower(const struct ledger_reader *self)
{
    return &self->follower;
}

int ledger_reader_stored(struct ledger_reader *self, const char *reader, uint64_t epoch, uint64_t pos)
{
    struct message m;
    message_init(&m, MSG_STORED);
    memcpy(m.env.stream, self->follower.stream, sizeof m.env.stream);
    (void)text_set(m.stored.reader, sizeof m.stored.reader, reader);
    m.stored.epoch = epoch;
    m.stored.pos = pos;
    size_t len = probed_encode(&m, self->bytes, sizeof self->bytes);
    return socket_send(self->replay, self->bytes, len, false);
}
