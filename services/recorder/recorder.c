#include "services/recorder/recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "services/recorder/ring.h"

/* A call emits at most this many rows, so that the outbox has room for what follows. */
enum { ROWS_PER_CALL = OUTBOX_PER_INPUT_MAX - 4 };

struct place {
    uint64_t epoch, pos;
};

struct strand {
    const char *stream;
    enum peer peer;
    bool taken;           /* recorder_start was called since the last recorder_lost */
    bool overrun;         /* there was no room: records are refused until it is read again */
    bool after_gap;       /* the next record's position cannot be told beforehand */
    bool gap_open;        /* a gap was the last thing stored: no position to commit at */
    struct place queued;  /* last record taken */
    struct place reached; /* last record of the open transaction */
    struct place stored;  /* committed */
    uint64_t synced;
    struct ring ring;
};

struct recorder {
    char run[40];
    int64_t batch_rows, batch_ns;
    struct strand strands[RECORDER_STREAMS];
    bool flushing;   /* the open transaction is being filled */
    bool committing; /* COMMIT was asked for */
    int64_t rows_open;
    int64_t waiting_since_ns; /* 0 = nothing waits */
    uint64_t rows, commits, overruns, gaps, ignored;
    struct message scratch;
};

static const struct {
    const char *stream;
    enum peer peer;
} streams[RECORDER_STREAMS] = {{"risk", PEER_RISK_LEDGER}, {"exec", PEER_EXEC_LEDGER}};

/* ---- life -------------------------------------------------------------------------------------------- */

struct recorder *recorder_new(const struct config *config, const char *run)
{
    struct recorder *self = calloc(1, sizeof *self);
    bool ok = self;
    for (int i = 0; ok && i < RECORDER_STREAMS; i++) {
        self->strands[i].stream = streams[i].stream;
        self->strands[i].peer = streams[i].peer;
        ok = ring_open(&self->strands[i].ring, RECORDER_WAITING_BYTES);
    }
    if (!ok) {
        if (self)
            recorder_destroy(&self);
        return NULL;
    }
    (void)text_set(self->run, sizeof self->run, run);
    self->batch_rows = config->recorder.batch_rows;
    self->batch_ns = config->recorder.batch_ms * NS_PER_MS;
    return self;
}

void recorder_destroy(struct recorder **self)
{
    for (int i = 0; *self && i < RECORDER_STREAMS; i++)
        ring_close(&(*self)->strands[i].ring);
    free(*self);
    *self = NULL;
}

const char *recorder_stream(int index)
{
    return streams[index].stream;
}

static struct strand *strand_of(struct recorder *self, const char *stream)
{
    for (int i = 0; i < RECORDER_STREAMS; i++)
        if (strcmp(self->strands[i].stream, stream) == 0)
            return &self->strands[i];
    return NULL;
}

static void take_from(struct strand *s, struct place place)
{
    ring_empty(&s->ring);
    s->taken = true;
    s->overrun = s->gap_open = s->after_gap = false;
    s->queued = s->reached = s->stored = place;
    s->synced = 0;
}

void recorder_start(struct recorder *self, const char *stream, uint64_t epoch, uint64_t pos)
{
    struct strand *s = strand_of(self, stream);
    if (s)
        take_from(s, (struct place){epoch, pos});
}

void recorder_lost(struct recorder *self)
{
    for (int i = 0; i < RECORDER_STREAMS; i++) {
        struct strand *s = &self->strands[i];
        take_from(s, s->stored);
        s->taken = false;
    }
    self->flushing = self->committing = false;
    self->rows_open = 0;
    self->waiting_since_ns = 0;
}

/* ---- taking records ---------------------------------------------------------------------------------- */

static void put(struct recorder *self, struct strand *s, const struct message *m, struct now now)
{
    if (!ring_put(&s->ring, m)) {
        s->overrun = true;
        self->overruns++;
    } else if (self->waiting_since_ns == 0) {
        self->waiting_since_ns = now.mono_ns;
    }
}

/* A gap is told by the reader, not by the owner: it is filed under the first position it covers. After a
 * rollback what was taken past its base goes; what is in the database already, the store removes. */
static void take_gap(struct recorder *self, struct strand *s, const struct message *told, struct now now)
{
    struct message *m = &self->scratch;
    message_copy(m, told);
    (void)text_set(m->env.stream, sizeof m->env.stream, s->stream);
    m->env.epoch = m->gap.from_epoch;
    m->env.pos = m->gap.from_pos;
    m->env.time_out = now.utc_ns;
    if (strcmp(m->gap.cause, "rollback") == 0) {
        struct envelope last;
        bool any = ring_cut(&s->ring, m->gap.from_pos, &last);
        s->queued = any ? (struct place){last.epoch, last.pos} : s->reached;
    }
    self->gaps++;
    s->after_gap = true;
    /* Room also for the record behind it, or the gap could not be stored. */
    if (RECORDER_WAITING_BYTES - s->ring.used > 4 * sizeof *m)
        put(self, s, m, now);
    else
        s->overrun = true;
}

void recorder_on_record(struct recorder *self, const struct message *m, struct now now)
{
    bool gap = m->env.type == MSG_GAP && m->env.pos == 0;
    struct strand *s = strand_of(self, gap ? m->gap.stream_lost : m->env.stream);
    const struct message_kind *kind = message_kind(m->env.type);
    if (!s || !kind || kind->class != CLASS_LEDGER || !s->taken || s->overrun) {
        self->ignored += !s;
        return;
    }
    if (gap) {
        take_gap(self, s, m, now);
        return;
    }
    if (!s->after_gap && m->env.pos != s->queued.pos + 1) {
        s->overrun = true; /* not the next one: it is read again */
        self->overruns++;
        return;
    }
    put(self, s, m, now);
    if (s->overrun)
        return;
    s->after_gap = false;
    s->queued = (struct place){m->env.epoch, m->env.pos};
}

void recorder_on_synced(struct recorder *self, const char *stream, uint64_t pos)
{
    struct strand *s = strand_of(self, stream);
    if (s)
        s->synced = pos;
}

/* ---- transactions ------------------------------------------------------------------------------------ */

/* As take_gap files it; an owner's own record of another ledger's gap is a record as any. */
static bool is_gap(const struct strand *s, const struct message *m)
{
    return m->env.type == MSG_GAP && m->gap.from_pos == m->env.pos &&
           strcmp(m->gap.stream_lost, s->stream) == 0;
}

static bool gap_is_next(const struct strand *s, const struct ring *ring)
{
    struct envelope env;
    struct message m;
    ring_look_envelope(ring, &env);
    if (env.type != MSG_GAP)
        return false;
    ring_look(ring, &m);
    return is_gap(s, &m);
}

/* A gap waits for the record behind it: alone it is no place to commit at, and the transaction, in which are the other
 * owner's records too, would stay open until this one speaks again. */
static bool may_store(const struct strand *s)
{
    struct ring ring = s->ring;
    struct envelope env;
    while (ring.records > 0) {
        ring_look_envelope(&ring, &env);
        if (env.pos > s->synced)
            return false;
        if (!gap_is_next(s, &ring))
            return true;
        ring_drop(&ring);
    }
    return false;
}

/* A message's own row and those of its lists. */
static int64_t rows_of(const struct message *m)
{
    int64_t rows = 1;
    for (const struct field *f = message_kind(m->env.type)->body->fields(); f->name; f++) {
        uint32_t count = 0;
        if (f->kind == FIELD_LIST)
            memcpy(&count, (const char *)&m->inst + f->count_offset, sizeof count);
        rows += count;
    }
    return rows;
}

/* Messages of one strand, at most `room`. Returns how many; *full when the next one belongs into the next
 * transaction. */
static int store_messages(struct recorder *self, struct strand *s, int room, bool *full, struct outbox *out)
{
    int n = 0;
    for (; n < room && may_store(s); n++) {
        ring_look(&s->ring, &self->scratch);
        int64_t rows = rows_of(&self->scratch);
        /* A gap alone is no place to stop: the batch goes on to the record behind it. */
        if (self->rows_open > 0 && self->rows_open + rows > self->batch_rows && !s->gap_open) {
            *full = true;
            break;
        }
        struct message *m = outbox_message(out, (enum message_type)self->scratch.env.type);
        message_copy(m, &self->scratch);
        outbox_add(out, EFFECT_STORE, m, PEER_NONE);
        ring_drop(&s->ring);
        self->rows_open += rows;
        s->gap_open = is_gap(s, m);
        if (!s->gap_open)
            s->reached = (struct place){m->env.epoch, m->env.pos};
    }
    return n;
}

static bool moved(const struct strand *s)
{
    return s->reached.epoch != s->stored.epoch || s->reached.pos != s->stored.pos;
}

static struct message *stored_message(const struct strand *s, struct outbox *out)
{
    struct message *m = outbox_message(out, MSG_STORED);
    (void)text_set(m->env.stream, sizeof m->env.stream, s->stream);
    (void)text_set(m->stored.reader, sizeof m->stored.reader, "recorder");
    m->stored.epoch = s->reached.epoch;
    m->stored.pos = s->reached.pos;
    return m;
}

static void commit(struct recorder *self, struct outbox *out)
{
    struct message *of[RECORDER_STREAMS] = {NULL};
    struct message *first = NULL;
    for (int i = 0; i < RECORDER_STREAMS; i++)
        if (moved(&self->strands[i])) {
            of[i] = stored_message(&self->strands[i], out);
            first = first ? first : of[i];
        }
    if (!first)
        return;
    outbox_add(out, EFFECT_COMMIT, first, PEER_NONE);
    for (int i = 0; i < RECORDER_STREAMS; i++)
        if (of[i])
            outbox_add(out, EFFECT_SEND, of[i], self->strands[i].peer);
    self->committing = true;
}

static bool is_due(const struct recorder *self, bool force, struct now now)
{
    uint64_t waiting = 0;
    bool pressing = false; /* there may be no room for a batch of long messages */
    for (int i = 0; i < RECORDER_STREAMS; i++) {
        const struct ring *r = &self->strands[i].ring;
        waiting += r->records;
        pressing = pressing || r->used > r->size / 2;
    }
    return waiting > 0 && (force || pressing || (int64_t)waiting >= self->batch_rows ||
                           now.mono_ns - self->waiting_since_ns >= self->batch_ns);
}

void recorder_on_time(struct recorder *self, bool force, struct now now, struct outbox *out)
{
    int room = ROWS_PER_CALL, stored = 0;
    bool gap_open = false, more = false, full = false;
    for (int i = 0; i < RECORDER_STREAMS; i++)
        if (!self->strands[i].taken)
            return;
    self->flushing = self->flushing || is_due(self, force, now);
    if (!self->flushing || self->committing)
        return;
    for (int i = 0; i < RECORDER_STREAMS; i++) {
        struct strand *s = &self->strands[i];
        stored += store_messages(self, s, room - stored, &full, out);
        gap_open = gap_open || s->gap_open;
        more = more || may_store(s);
    }
    /* The transaction goes on at the next call, or when the record behind a gap has come. */
    if ((more && !full) || gap_open)
        return;
    commit(self, out);
    self->flushing = false;
    self->waiting_since_ns = now.mono_ns;
}

uint32_t recorder_positions(const struct recorder *self, struct store_position positions[RECORDER_STREAMS])
{
    uint32_t n = 0;
    for (int i = 0; i < RECORDER_STREAMS; i++) {
        const struct strand *s = &self->strands[i];
        if (!moved(s))
            continue;
        positions[n] = (struct store_position){.from_epoch = s->stored.epoch,
                                               .from_pos = s->stored.pos,
                                               .to_epoch = s->reached.epoch,
                                               .to_pos = s->reached.pos};
        (void)text_set(positions[n].stream, sizeof positions[n].stream, s->stream);
        n++;
    }
    return n;
}

void recorder_committed(struct recorder *self)
{
    for (int i = 0; i < RECORDER_STREAMS; i++)
        self->strands[i].stored = self->strands[i].reached;
    self->rows += (uint64_t)self->rows_open;
    self->rows_open = 0;
    self->commits++;
    self->committing = false;
}

/* ---- what it tells ----------------------------------------------------------------------------------- */

bool recorder_behind(struct recorder *self, const char *stream, uint64_t *epoch, uint64_t *pos)
{
    struct strand *s = strand_of(self, stream);
    if (!s || !s->taken || !s->overrun || s->ring.records > 0 || moved(s))
        return false;
    take_from(s, s->stored);
    *epoch = s->stored.epoch;
    *pos = s->stored.pos;
    return true;
}

bool recorder_between(const struct recorder *self)
{
    return !self->flushing && !self->committing && self->rows_open == 0;
}

bool recorder_idle(const struct recorder *self)
{
    for (int i = 0; i < RECORDER_STREAMS; i++)
        if (self->strands[i].taken && (may_store(&self->strands[i]) || moved(&self->strands[i])))
            return false;
    return true;
}

bool recorder_stored(const struct recorder *self, const char *stream, uint64_t *epoch, uint64_t *pos)
{
    for (int i = 0; i < RECORDER_STREAMS; i++) {
        const struct strand *s = &self->strands[i];
        if (strcmp(s->stream, stream) != 0 || s->stored.pos == 0)
            continue;
        *epoch = s->stored.epoch;
        *pos = s->stored.pos;
        return true;
    }
    return false;
}

static void metric(struct reply *reply, const char *name, int64_t value)
{
    if (reply->n_metrics < sizeof reply->metrics / sizeof *reply->metrics) {
        struct metric *m = &reply->metrics[reply->n_metrics++];
        (void)text_set(m->name, sizeof m->name, name);
        m->value = value;
    }
}

void recorder_status(const struct recorder *self, struct reply *reply)
{
    char name[sizeof reply->metrics->name];
    uint64_t waiting = 0;
    for (int i = 0; i < RECORDER_STREAMS; i++)
        waiting += self->strands[i].ring.records;
    metric(reply, "rows", (int64_t)self->rows);
    metric(reply, "commits", (int64_t)self->commits);
    metric(reply, "rows_open", self->rows_open);
    metric(reply, "rows_waiting", (int64_t)waiting);
    metric(reply, "overruns", (int64_t)self->overruns);
    metric(reply, "gaps", (int64_t)self->gaps);
    metric(reply, "ignored", (int64_t)self->ignored);
    for (int i = 0; i < RECORDER_STREAMS; i++) {
        (void)snprintf(name, sizeof name, "%s_pos", self->strands[i].stream);
        metric(reply, name, (int64_t)self->strands[i].stored.pos);
    }
}
