#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/runtime/ledger_owner.h"
#include "lib/runtime/log.h"
#include "lib/runtime/metric.h"
#include "lib/runtime/probed.h"
#include "lib/runtime/rhythm.h"
#include "proto/topic.h"

#define WRITE_BEAT_NS NS_PER_MS

/* "always", "never", or milliseconds: the config has been checked. */
static int64_t sync_every_ns(const char *sync)
{
    if (strcmp(sync, "always") == 0)
        return 0;
    if (strcmp(sync, "never") == 0)
        return -1;
    return strtoll(sync, NULL, 10) * NS_PER_MS;
}

static void learn_places(struct ledger *self)
{
    self->n_places = self->snapshots ? snapshot_places(self->dir, self->places) : 0;
    self->covered_pos = self->n_places > 0 ? self->places[0].pos : 0;
}

/* The messages of the newest snapshot that the journal bears out; else the core starts from nothing. Into error a note
 * on damaged ones. */
static int restore_snapshot(struct ledger *self, ledger_record_fn *restore, void *ctx,
                            char error[LEDGER_ERROR_MAX])
{
    const uint64_t head = journal_head_pos(self->journal);
    uint64_t epoch, pos;
    const int removed = snapshot_remove_above(self->dir, head);
    if (removed < 0) {
        (void)snprintf(error, LEDGER_ERROR_MAX, "%s: snapshots cannot be read, or removed: %.96s", self->dir,
                       strerror(errno));
        return removed;
    }
    if (removed > 0)
        log_line(LOG_WARN, "snapshots-removed",
                 "ledger=%s n=%d head=%" PRIu64 " what=\"they were of a tail that is lost\"", self->name,
                 removed, head);
    int status = snapshot_load(self->dir, head, restore, ctx, &epoch, &pos, error);
    if (status != OK && status != E_ABSENT) {
        if (!*error)
            (void)snprintf(error, LEDGER_ERROR_MAX, "%s: the snapshot cannot be read", self->dir);
        return status;
    }
    self->snapshot_pos = self->covered_pos = pos;
    self->epoch = epoch;
    return OK;
}

/* Reads what the snapshot does not have back to the core; `m` is the caller's room for one message. */
static int recover(struct ledger *self, ledger_record_fn *apply, void *ctx, struct message *m,
                   char error[LEDGER_ERROR_MAX])
{
    const uint64_t first = journal_first_pos(self->journal), covered = self->covered_pos;
    if (first == 0 || covered >= journal_head_pos(self->journal))
        return OK;
    if (self->snapshots && first > covered + 1) {
        (void)snprintf(error, LEDGER_ERROR_MAX,
                       "%s: the journal begins at position %" PRIu64
                       ", and no whole snapshot reaches so far (%" PRIu64 "): the state cannot be known",
                       self->dir, first, covered);
        return E_CORRUPT;
    }
    struct journal_reader *reader;
    char note[LEDGER_ERROR_MAX];
    int status = journal_reader_open(self->dir, covered + 1, &reader, note);
    if (status) {
        (void)snprintf(error, LEDGER_ERROR_MAX, "%s", note);
        return status;
    }
    struct journal_record record;
    while ((status = journal_reader_next(reader, &record)) == 1) {
        if (!probed_decode(self->decoder, record.payload, record.len, m, &self->drops)) {
            (void)snprintf(error, LEDGER_ERROR_MAX, "%s: position %" PRIu64 " cannot be read: %.96s",
                           self->dir, record.pos, self->drops.last);
            journal_reader_close(&reader);
            return E_CORRUPT;
        }
        apply(ctx, m);
    }
    if (status < 0)
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

int ledger_open(const char *name, const struct config *config, void *zmq, ledger_record_fn *apply,
                ledger_record_fn *restore, void *ctx, struct ledger **out, char error[LEDGER_ERROR_MAX])
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
    if (status == OK && restore) {
        self->snapshots = true;
        self->snapshot_every = (uint64_t)config->journal.snapshot_every;
        status = restore_snapshot(self, restore, ctx, error);
    }
    if (status == OK)
        self->retention = (struct retention){.keep_bytes = (uint64_t)config->journal.keep_mb << 20,
                                             .keep_ns = config->journal.keep_hours * 3600 * NS_PER_SEC,
                                             .hold_bytes = (uint64_t)config->journal.hold_mb << 20};
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
    const size_t damage = strlen(error);
    if (*note)
        (void)snprintf(error + damage, LEDGER_ERROR_MAX - damage, "%s%s", damage ? "; " : "", note);
    learn_places(self);
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
        rhythm_stop(&l->writing);
        snapshot_writer_destroy(&l->writer);
        for (int i = 0; i < SERVING_MAX; i++)
            journal_reader_close(&l->serving[i].reader);
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
    size_t len = probed_encode(m, self->bytes, sizeof self->bytes);
    if (len == 0)
        return E_RANGE;
    const enum stage before = probe_stage(STAGE_JOURNAL);
    int status = journal_append(self->journal, m->env.epoch, m->env.pos, m->env.time_out, self->bytes, len);
    probe_back(before);
    return status;
}

int ledger_write(void *ledger)
{
    struct ledger *self = ledger;
    const struct probe_long work = probe_long(STAGE_JOURNAL);
    int status = journal_write(self->journal);
    probe_long_end(work);
    return status;
}

int ledger_sync(void *ledger)
{
    struct ledger *self = ledger;
    const struct probe_long work = probe_long(STAGE_JOURNAL);
    int status = journal_sync(self->journal);
    probe_long_end(work);
    return status;
}

static void publish(struct ledger *self, const struct message *m)
{
    char topic[TOPIC_MAX];
    size_t topic_len = topic_of(m, topic);
    size_t len = probed_encode(m, self->bytes, sizeof self->bytes);
    if (len == 0 || socket_send(self->pub, topic, topic_len, true) != OK ||
        socket_send(self->pub, self->bytes, len, false) != OK)
        self->unsent++;
}

int ledger_publish(void *ledger, struct message *m)
{
    struct ledger *self = ledger;
    self->published = m->env.pos;
    if (m->env.type == MSG_EPOCH) { /* no sooner: until it is on disk nothing may speak of it */
        self->epoch = m->env.epoch;
        self->base_pos = m->epoch.base_pos;
    }
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

void *ledger_replay_socket(struct ledger *self)
{
    return self->replay;
}

/* ---- snapshots ---------------------------------------------------------------------------------------- */

bool ledger_snapshot_due(const struct ledger *self)
{
    return self->snapshots && !self->writing &&
           journal_head_pos(self->journal) - self->snapshot_pos >= self->snapshot_every;
}

bool ledger_snapshot_stale(const struct ledger *self)
{
    return self->snapshots && journal_head_pos(self->journal) > self->snapshot_pos;
}

struct emitting {
    struct snapshot_writer *writer;
    struct snapshot_place place; /* as the first message has it */
};

static void emit(void *ctx, const struct message *m)
{
    struct emitting *e = ctx;
    if (m->env.type == MSG_SNAPSHOT)
        e->place = (struct snapshot_place){m->env.epoch, m->env.pos, m->snapshot.upstream_epoch,
                                           m->snapshot.upstream_pos};
    snapshot_add(e->writer, m);
}

/* Of what was just written nothing needs to be read again. */
static void add_place(struct ledger *self, const struct snapshot_place *place)
{
    memmove(&self->places[1], &self->places[0], (SNAPSHOTS_KEPT - 1) * sizeof self->places[0]);
    self->places[0] = *place;
    self->n_places += self->n_places < SNAPSHOTS_KEPT;
    self->covered_pos = place->pos;
    self->snapshots_written++;
}

static void write_beat(void *ledger)
{
    struct ledger *self = ledger;
    if (atomic_load(&self->write_done))
        return;
    self->write_status = journal_sync_to(self->journal, self->writing_place.pos);
    if (self->write_status == OK)
        self->write_status = snapshot_write(self->writer, self->dir, self->write_error);
    else
        (void)snprintf(self->write_error, sizeof self->write_error, "%s: what it covers cannot be synced",
                       self->dir);
    snapshot_writer_destroy(&self->writer); /* as large as the state, and not needed for long */
    atomic_store(&self->write_done, true);
}

int ledger_snapshot_begin(struct ledger *self,
                          void (*fill)(void *ctx, snapshot_emit_fn *emit, void *emit_ctx), void *ctx,
                          char error[LEDGER_ERROR_MAX])
{
    struct emitting e = {0};
    if (self->writing) {
        (void)snprintf(error, LEDGER_ERROR_MAX, "%s: a snapshot is under way", self->dir);
        return E_STATE;
    }
    self->begun_mono_ns = clock_mono_ns();
    self->snapshot_pos = journal_head_pos(self->journal);
    if (!self->writer && !(self->writer = snapshot_writer_new())) {
        (void)snprintf(error, LEDGER_ERROR_MAX, "%s: out of memory", self->dir);
        return E_FULL;
    }
    e.writer = self->writer;
    snapshot_begin(self->writer);
    fill(ctx, emit, &e);
    const int status = snapshot_end(self->writer, error);
    self->encode_ns = clock_mono_ns() - self->begun_mono_ns;
    if (status != OK)
        return status;
    self->writing_place = e.place;
    atomic_store(&self->write_done, false);
    self->writing = rhythm_start(WRITE_BEAT_NS, write_beat, self);
    if (!self->writing)
        (void)snprintf(error, LEDGER_ERROR_MAX, "%s: no thread can be made", self->dir);
    return self->writing ? OK : E_FULL;
}

int ledger_snapshot_end(struct ledger *self, bool wait, char error[LEDGER_ERROR_MAX])
{
    error[0] = '\0';
    if (!self->writing || (!wait && !atomic_load(&self->write_done)))
        return 0;
    rhythm_stop(&self->writing);
    write_beat(self); /* where the thread had not come to it */
    self->snapshot_ns = clock_mono_ns() - self->begun_mono_ns;
    if (self->write_status == OK)
        add_place(self, &self->writing_place);
    else
        (void)snprintf(error, LEDGER_ERROR_MAX, "%s", self->write_error);
    return self->write_status == OK ? 1 : self->write_status;
}

bool ledger_upstream_kept(const struct ledger *self, uint64_t *epoch, uint64_t *pos)
{
    const struct snapshot_place *oldest = &self->places[SNAPSHOTS_KEPT - 1];
    *epoch = oldest->upstream_epoch;
    *pos = oldest->upstream_pos;
    return self->n_places == SNAPSHOTS_KEPT && oldest->upstream_pos > 0;
}

/* ---- retention ----------------------------------------------------------------------------------------- */

/* Oldest segments that are looked at in one go; what is behind them has its turn at the next look. */
enum { LOOK_MAX = 64 };

static void free_segments(struct ledger *self, const struct retention_verdict *v)
{
    const uint64_t first = journal_first_pos(self->journal);
    if (v->unstored_from > 0) {
        self->freed_unstored += v->free_pos - v->unstored_from + 1;
        log_line(LOG_ERROR, "freed-unstored",
                 "ledger=%s from=%" PRIu64 " to=%" PRIu64 " bytes=%" PRIu64
                 " what=\"the journal is beyond journal.hold_mb: readers that lack these record a gap\"",
                 self->name, v->unstored_from, v->free_pos, journal_bytes(self->journal));
    }
    if (journal_free_below(self->journal, v->free_pos) != OK)
        log_line(LOG_ERROR, "free", "ledger=%s error=\"%s\"", self->name, journal_error(self->journal));
    log_line(LOG_INFO, "freed", "ledger=%s from=%" PRIu64 " to=%" PRIu64 " bytes=%" PRIu64, self->name, first,
             journal_first_pos(self->journal) - 1, journal_bytes(self->journal));
}

void ledger_retain(struct ledger *self, struct now now)
{
    struct journal_segment segments[LOOK_MAX];
    const uint64_t newest = journal_newest(self->journal);
    if (newest == self->looked_first && now.mono_ns - self->looked_mono_ns < LEDGER_RETAIN_NS)
        return;
    self->looked_first = newest;
    self->looked_mono_ns = now.mono_ns;
    struct retention *r = &self->retention;
    r->snapshot_pos = self->n_places == SNAPSHOTS_KEPT ? self->places[SNAPSHOTS_KEPT - 1].pos : 0;
    r->readers = self->answers.stored;
    r->n_readers = self->answers.n_needed;
    size_t n = 0;
    uint64_t rest = journal_bytes(self->journal);
    for (; n < LOOK_MAX && journal_oldest(self->journal, n, &segments[n]); n++)
        rest -= segments[n].bytes;
    const struct retention_verdict v = retention_look(r, segments, n, rest, now.utc_ns);
    if (v.free_pos > 0)
        free_segments(self, &v);
}

/* ---- readers ------------------------------------------------------------------------------------------- */

void ledger_needed_by(struct ledger *self, const char *reader)
{
    struct answers *a = &self->answers;
    if (a->n_needed == ANSWERS_NEEDED)
        return;
    a->stored[a->n_needed].may_lack = strcmp(reader, "recorder") == 0;
    (void)text_set(a->needed[a->n_needed++], sizeof a->needed[0], reader);
}

uint64_t ledger_stored_pos(const struct ledger *self)
{
    return self->answers.recorder_pos;
}

uint64_t ledger_head_pos(const struct ledger *self)
{
    return journal_head_pos(self->journal);
}

bool ledger_doubtful(const struct ledger *self)
{
    return journal_doubtful(self->journal);
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
    status_metric(reply, "ledger_stored_pos", (int64_t)self->answers.recorder_pos);
    status_metric(reply, "ledger_replayed", (int64_t)self->replayed);
    status_metric(reply, "ledger_unsent", (int64_t)self->unsent);
    status_metric(reply, "ledger_first_pos", (int64_t)journal_first_pos(self->journal));
    status_metric(reply, "ledger_bytes", (int64_t)journal_bytes(self->journal));
    status_metric(reply, "freed_unstored", (int64_t)self->freed_unstored);
    status_metric(reply, "snapshots", (int64_t)self->snapshots_written);
    status_metric(reply, "snapshot_pos", (int64_t)self->covered_pos);
    status_metric(reply, "snapshot_ms", self->snapshot_ns / NS_PER_MS);
    status_metric(reply, "snapshot_encode_us", self->encode_ns / 1000);
}
