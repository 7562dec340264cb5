#include "lib/runtime/service_ledger.h"

#include "lib/runtime/probe.h"

/* An owner is told again this often what this service does not need any more. */
#define KEPT_AGAIN_NS NS_PER_SEC

static int drain_followed(void *ctx, struct now now, int bound)
{
    struct followed *f = ctx;
    int taken = 0, got = 1;
    while (taken < bound && got > 0 && service_ready(f->service))
        taken += got = ledger_reader_drain(f->reader, now, 1);
    return taken;
}

static void nothing(void *ctx, struct now now)
{
    (void)ctx;
    (void)now;
}

static struct ledger_reader *follow(struct service *s, const char *ledger, uint64_t epoch, uint64_t pos,
                                    void (*apply)(void *service, const struct message *m, struct now now))
{
    char error[LEDGER_ERROR_MAX];
    struct ledger_reader *reader;
    if (s->n_follows == SERVICE_FOLLOWS_MAX)
        service_fail(s, "too many ledgers to follow");
    if (ledger_reader_open(ledger, s->zmq, epoch, pos, apply, s, &reader, error) != OK)
        service_fail(s, error);
    struct followed *f = &s->followed[s->n_follows];
    *f = (struct followed){s, reader};
    s->follows[s->n_follows++] = reader;
    (void)loop_source(s->loop, ledger_reader_replay_socket(reader), 0, true, drain_followed, f);
    (void)loop_source(s->loop, ledger_reader_live_socket(reader), 0, true, drain_followed, f);
    (void)loop_timer(s->loop, 100 * NS_PER_MS, nothing, NULL);
    return reader;
}

void service_follow(struct service *s, const char *ledger, uint64_t epoch, uint64_t pos,
                    void (*apply)(void *service, const struct message *m, struct now now))
{
    (void)follow(s, ledger, epoch, pos, apply);
}

void service_follow_state(struct service *s, const char *ledger,
                          void (*apply)(void *service, const struct message *m, struct now now))
{
    ledger_reader_from_state(follow(s, ledger, 0, 0, apply));
}

struct ledger *service_ledger(struct service *s, const char *name, ledger_record_fn *apply,
                              ledger_record_fn *restore, void *core)
{
    char error[LEDGER_ERROR_MAX];
    struct ledger *ledger;
    if (ledger_open(name, &s->config, s->zmq, apply, restore, core, &ledger, error) != OK)
        service_fail(s, error);
    if (*error)
        log_line(LOG_WARN, "journal-repaired", "note=\"%s\"", error);
    s->ledger = ledger;
    return ledger;
}

void service_needed_by(struct service *s, const char *reader)
{
    ledger_needed_by(s->ledger, reader);
}

static int append(void *ctx, struct message *m)
{
    return ledger_append(((struct service *)ctx)->ledger, m);
}

static int write_all(void *ctx)
{
    return ledger_write(((struct service *)ctx)->ledger);
}

static int sync_all(void *ctx)
{
    return ledger_sync(((struct service *)ctx)->ledger);
}

static int publish(void *ctx, struct message *m)
{
    return ledger_publish(((struct service *)ctx)->ledger, m);
}

struct devices service_ledger_devices(struct service *s)
{
    return (struct devices){
        .ctx = s, .append = append, .write = write_all, .sync = sync_all, .publish = publish};
}

/* ---- snapshots and epochs ------------------------------------------------------------------------------- */

void service_serve(struct service *s)
{
    if (s->ledger)
        (void)loop_source(s->loop, ledger_replay_socket(s->ledger), 0, true, ledger_serve, s->ledger);
}

struct filling {
    struct service *service;
    struct now now;
};

static void fill(void *ctx, snapshot_emit_fn *emit, void *emit_ctx)
{
    const struct filling *f = ctx;
    f->service->snapshot(f->service, emit, emit_ctx, f->now);
}

/* The owners we follow free what every reader has: for us that is what our older snapshot includes. One that has just
 * come back, or whose socket was full, must hear it again. */
static void tell_kept(struct service *s, struct now now)
{
    uint64_t epoch, pos;
    s->kept_told_mono_ns = now.mono_ns;
    if (ledger_upstream_kept(s->ledger, &epoch, &pos))
        for (int i = 0; i < s->n_follows; i++)
            (void)ledger_reader_stored(s->follows[i], s->name, epoch, pos);
}

/* A snapshot counts, or is known not to be there. */
static void end_snapshot(struct service *s, bool wait, struct now now)
{
    char error[LEDGER_ERROR_MAX];
    const enum stage before = probe_stage(STAGE_JOURNAL);
    const int ended = ledger_snapshot_end(s->ledger, wait, error);
    probe_back(before);
    if (ended < 0)
        log_line(LOG_ERROR, "snapshot",
                 "error=\"%s\" what=\"a start reads more of the journal; nothing is lost\"", error);
    if (ended > 0)
        tell_kept(s, now);
}

static void begin_snapshot(struct service *s, struct now now)
{
    char error[LEDGER_ERROR_MAX];
    const struct probe_long work = probe_long(STAGE_JOURNAL);
    const int begun = ledger_snapshot_begin(s->ledger, fill, &(struct filling){s, now}, error);
    probe_long_end(work);
    if (begun != OK)
        log_line(LOG_ERROR, "snapshot",
                 "error=\"%s\" what=\"a start reads more of the journal; nothing is lost\"", error);
}

void service_keep(struct service *s, struct now now)
{
    uint64_t epoch;
    if (!s->ledger || s->blocked || s->outbox.n_effects > 0)
        return;
    if (s->begin_epoch && ledger_epoch_due(s->ledger, &epoch)) {
        s->begin_epoch(s, epoch, now);
        service_flush(s);
    }
    if (s->snapshot)
        end_snapshot(s, false, now);
    if (s->snapshot && !s->blocked && ledger_snapshot_due(s->ledger))
        begin_snapshot(s, now);
    if (s->snapshot && now.mono_ns - s->kept_told_mono_ns >= KEPT_AGAIN_NS)
        tell_kept(s, now);
    ledger_retain(s->ledger, now);
}

void service_keep_last(struct service *s, struct now now)
{
    if (!s->ledger || !s->snapshot)
        return;
    end_snapshot(s, true, now);
    if (!s->blocked && !s->doubtful && ledger_snapshot_stale(s->ledger)) {
        begin_snapshot(s, now);
        end_snapshot(s, true, now);
    }
}
