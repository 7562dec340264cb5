/* The gate's process: intents in, exec's ledger in, market data in, its own ledger out. */
#include <inttypes.h>
#include <stdlib.h>

#include "lib/runtime/journal.h"
#include "lib/runtime/probed.h"
#include "lib/runtime/service.h"
#include "lib/runtime/trace.h"
#include "services/risk/risk.h"

struct gate {
    struct service s; /* first: callbacks get its address */
    struct risk *core;
    void *intents;
    bool drained;       /* the intents were read empty in this wake-up */
    uint64_t kept_pos;  /* how far the newest snapshot includes exec's ledger */
    uint64_t holds_pos; /* of exec's ledger, when it went back: its last record that still holds */
    struct inbox inbox;
    struct message message;
};

static int append(void *ctx, struct message *m)
{
    struct service *s = ctx;
    trace_stamp(&m->env.trace, HOP_RISK_OUT, s->boot_id, clock_mono_ns());
    return ledger_append(s->ledger, m);
}

static void recover(void *ctx, const struct message *record)
{
    risk_apply(ctx, record);
}

static void restore(void *ctx, const struct message *m)
{
    risk_restore(ctx, m);
}

static void snapshot(struct service *s, snapshot_emit_fn *emit, void *ctx, struct now now)
{
    struct gate *gate = (struct gate *)s;
    uint64_t epoch;
    risk_snapshot(gate->core, now, emit, ctx);
    risk_exec_place(gate->core, &epoch, &gate->kept_pos);
}

/* Exec may lose what it has not synced, and with it a snapshot that includes that. So one is taken only when exec has
 * synced what the one before includes: of the two that are kept the older always holds. */
static bool may_snapshot(const struct gate *gate)
{
    return risk_is_sound(gate->core) &&
           ledger_reader_follower(gate->s.follows[0])->synced_pos >= gate->kept_pos;
}

static void begin_epoch(struct service *s, uint64_t epoch, struct now now)
{
    risk_begin_epoch(((struct gate *)s)->core, epoch, now, &s->outbox);
}

static bool is_whole(const char *journal)
{
    char words[JOURNAL_ERROR_MAX];
    struct journal_reader *reader;
    struct journal_record first;
    bool whole = journal_reader_open(journal, 0, &reader, words) == OK &&
                 journal_reader_next(reader, &first) == 1 && first.pos == 1;
    journal_reader_close(&reader);
    return whole;
}

/* Snapshots that include what exec has lost are none. What is left, or the ledgers from their beginning, is what the
 * next start begins with. Where there is neither they stay: only an exec ledger as it was makes them true again. */
static _Noreturn void start_over(struct gate *gate)
{
    struct snapshot_place places[SNAPSHOTS_KEPT];
    uint64_t void_pos = 0;
    service_flush(&gate->s);
    const int kept = snapshot_places("journal/risk", places);
    for (int n = kept; n > 0; n--)
        if (places[n - 1].upstream_pos > gate->holds_pos && (void_pos == 0 || places[n - 1].pos < void_pos))
            void_pos = places[n - 1].pos;
    if (void_pos != 0 && places[kept - 1].pos == void_pos && !is_whole("journal/risk"))
        service_fail(
            &gate->s,
            "exec's ledger ends before what all our snapshots include, and our journal no longer begins "
            "at its beginning: put exec's journal back as it was");
    if (void_pos != 0 && snapshot_remove_above("journal/risk", void_pos - 1) < 0)
        service_fail(&gate->s, "a snapshot that includes what exec lost cannot be removed");
    service_fail(&gate->s,
                 "exec's ledger went back behind what was applied: the next start reads what still holds");
}

static void on_exec(void *ctx, const struct message *m, struct now now)
{
    struct gate *gate = ctx;
    if (m->env.type == MSG_GAP && m->env.pos == 0) {
        gate->holds_pos = m->gap.from_pos - 1;
        log_line(LOG_ERROR, "exec-lost",
                 "cause=\"%s\" from=%" PRIu64 " to=%" PRIu64 " what=\"no entry is accepted\"", m->gap.cause,
                 m->gap.from_pos, m->gap.to_pos);
    }
    enum stage before = probe_stage(STAGE_RISK);
    risk_on_exec(gate->core, m, service_now(&gate->s, now), &gate->s.outbox);
    probe_back(before);
}

static void on_market(struct service *s, int index, const struct message *m, struct now now)
{
    struct gate *gate = (struct gate *)s;
    if (m->env.type == MSG_INST)
        risk_on_market(gate->core, index, now, &s->outbox);
}

static int drain_intents(void *ctx, struct now now, int bound)
{
    struct gate *gate = ctx;
    struct service *s = &gate->s;
    int taken = 0;
    now = service_now(s, now);
    gate->drained = false;
    while (taken < bound && service_ready(s)) {
        gate->drained = inbox_take(&gate->inbox, gate->intents) != OK;
        if (gate->drained)
            break;
        bool read = probed_decode(s->decoder, gate->inbox.bytes, gate->inbox.len, &gate->message, &s->drops);
        inbox_skip(&gate->inbox, gate->intents);
        taken++;
        if (!read)
            continue;
        /* What was written before may have taken long: books are as old as they are now, and beats as late. */
        now.mono_ns = clock_mono_ns();
        (void)view_watch(s->view, now);
        trace_stamp(&gate->message.env.trace, HOP_RISK_IN, s->boot_id, now.mono_ns);
        enum stage before = probe_stage(STAGE_RISK);
        risk_on_command(gate->core, &gate->message, now, &s->outbox);
        probe_back(before);
    }
    return taken;
}

static void on_time(struct service *s, struct now now)
{
    struct gate *gate = (struct gate *)s;
    if (risk_must_restart(gate->core))
        start_over(gate);
    enum stage before = probe_stage(STAGE_RISK);
    risk_on_drained(gate->core, gate->drained);
    risk_on_time(gate->core, now, &s->outbox);
    probe_back(before);
    s->snapshot = may_snapshot(gate) ? snapshot : NULL;
}

static enum control_code on_control(struct service *s, const struct request *request, struct now now)
{
    enum control_code code =
        risk_on_control(((struct gate *)s)->core, request->verb, request->arg, now, &s->outbox);
    service_flush(s);
    if (request->verb == VERB_STOP)
        service_stop_when_stored(s);
    return code;
}

static void on_status(struct service *s, struct reply *reply)
{
    risk_status(((struct gate *)s)->core, reply);
    ledger_status(s->ledger, reply);
}

static void beat(void *ctx, struct now now)
{
    struct service *s = ctx;
    ledger_beat(s->ledger, !s->blocked, service_now(s, now).market_ns, 0, 0, now);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"inst.", "book.", "bbo.", "beat.", NULL};
    struct gate *gate = service_state(sizeof *gate);
    struct service *s = &gate->s;
    uint64_t exec_epoch;
    service_open(s, "risk", argc, argv);
    service_view(s);
    gate->core = risk_new(&(struct risk_options){&s->config, s->view, s->run, s->boot_id});
    if (!gate->core || inbox_open(&gate->inbox) != OK)
        service_fail(s, "out of memory");
    service_ledger(s, "risk", recover, restore, gate->core);
    service_needed_by(s, "recorder");
    service_needed_by(s, "exec");
    s->devices = service_ledger_devices(s);
    s->devices.append = append;
    s->on_market = on_market;
    s->on_time = on_time;
    s->on_control = on_control;
    s->on_status = on_status;
    s->begin_epoch = begin_epoch;
    struct now now = {.mono_ns = clock_mono_ns(), .utc_ns = clock_utc_ns()};
    risk_start(gate->core, ledger_next_epoch(s->ledger), now, &s->outbox);
    service_flush(s);
    risk_exec_place(gate->core, &exec_epoch, &gate->kept_pos);
    service_follow(s, "exec", exec_epoch, gate->kept_pos, on_exec);
    service_market(s, kinds, false);
    gate->intents = service_socket(s, SOCKET_INTENT_PULL, "risk", "intents");
    (void)loop_source(s->loop, gate->intents, 0, true, drain_intents, gate);
    (void)loop_timer(s->loop, 250 * NS_PER_MS, beat, s);
    int code = service_run(s);
    risk_destroy(&gate->core);
    inbox_close(&gate->inbox);
    free(gate);
    return code;
}
