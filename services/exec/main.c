/* The hand's process: risk's ledger in, market data in, orders to the venue, its own ledger out. */
#include <stdlib.h>

#include "lib/base/histogram.h"
#include "lib/runtime/probed.h"
#include "lib/runtime/service.h"
#include "lib/runtime/trace.h"
#include "services/exec/exec.h"
#include "venues/paper/paper_files.h"

enum { PAPER_ORDERS = 65536, QUESTIONS_MAX = 1024 };

struct hand {
    struct service s; /* first: callbacks get its address */
    struct exec *core;
    struct paper *paper;
    struct paper_files *files;
    struct message taken;                  /* of risk's ledger, with our stamp in it */
    struct now now;                        /* of the wake-up, for reports that come back within it */
    struct order questions[QUESTIONS_MAX]; /* orders whose fate the venue is asked for */
    int n_questions;
    uint64_t upstream_epoch, upstream_pos; /* written: may be told */
    struct histogram tick_to_order;
};

static void on_report(void *ctx, const struct order_report *report)
{
    struct hand *hand = ctx;
    /* A report that finds no room is not lost: the core asks for orders that it hears nothing of. */
    if (service_ready(&hand->s))
        exec_on_report(hand->core, report, hand->now, &hand->s.outbox);
}

/* An order in state Unknown is a question: what became of it? */
static int send_order(void *ctx, enum peer to, struct message *m)
{
    struct hand *hand = ctx;
    if (to != PEER_VENUE || m->env.type != MSG_ORDER)
        return E_STATE;
    struct now now =
        service_now(&hand->s, (struct now){.mono_ns = clock_mono_ns(), .utc_ns = clock_utc_ns()});
    if (m->order.state != ORDER_UNKNOWN) {
        if (m->env.trace.recv_mono && m->env.trace.boot_id == hand->s.boot_id)
            histogram_record(&hand->tick_to_order, now.mono_ns - m->env.trace.recv_mono);
        enum stage before = probe_stage(STAGE_EXEC);
        paper_submit(hand->paper, &m->order, now);
        probe_back(before);
        return OK;
    }
    if (hand->n_questions == QUESTIONS_MAX)
        return E_FULL;
    hand->questions[hand->n_questions++] = m->order;
    return OK;
}

static void recover(void *ctx, const struct message *record)
{
    exec_apply(ctx, record);
}

static void restore(void *ctx, const struct message *m)
{
    exec_restore(ctx, m);
}

static void on_snapshot(struct service *s, snapshot_emit_fn *emit, void *ctx, struct now now)
{
    exec_snapshot(((struct hand *)s)->core, now, emit, ctx);
}

static void on_epoch(struct service *s, uint64_t epoch, struct now now)
{
    exec_begin_epoch(((struct hand *)s)->core, epoch, now, &s->outbox);
}

/* An order that the venue has, at a start. */
static void on_listed(void *ctx, const struct order_report *listed)
{
    struct hand *hand = ctx;
    if (!service_ready(&hand->s))
        service_fail(&hand->s, "what the venue lists cannot be written");
    if (exec_on_listed(hand->core, listed, hand->now, &hand->s.outbox) != OK)
        service_fail(&hand->s, "the venue lists more lost orders than can be followed");
}

static void on_risk(void *ctx, const struct message *m, struct now now)
{
    struct hand *hand = ctx;
    message_copy(&hand->taken, m);
    trace_taken(&hand->taken.env.trace, HOP_EXEC_IN, hand->s.boot_id, now.mono_ns);
    enum stage before = probe_stage(STAGE_EXEC);
    exec_on_risk(hand->core, &hand->taken, service_now(&hand->s, now), &hand->s.outbox);
    probe_back(before);
}

static void on_market(struct service *s, int index, const struct message *m, struct now now)
{
    if (m->env.type == MSG_INST)
        exec_on_market(((struct hand *)s)->core, index, now, &s->outbox);
}

/* Orders go out before the venue is asked what it made of them; what it answers may make new orders, due at
 * once when the paper venue has no latency. */
static void on_time(struct service *s, struct now now)
{
    struct hand *hand = (struct hand *)s;
    int64_t due_ns;
    do {
        service_flush(s);
        if (s->blocked)
            return;
        hand->now = now;
        enum stage before = probe_stage(STAGE_EXEC);
        while (hand->n_questions > 0) {
            struct order asked = hand->questions[--hand->n_questions];
            paper_look_up(hand->paper, asked.venue, asked.client_id, on_report, hand);
        }
        due_ns = paper_run(hand->paper, now, on_report, hand);
        exec_on_time(hand->core, now, &s->outbox);
        probe_back(before);
    } while (s->outbox.n_effects > 0);
    if (due_ns != INT64_MAX)
        loop_wake_in(s->loop, due_ns - now.market_ns);
}

static enum control_code on_control(struct service *s, const struct request *request, struct now now)
{
    enum control_code code =
        exec_on_control(((struct hand *)s)->core, request->verb, request->arg, now, &s->outbox);
    service_flush(s);
    if (request->verb == VERB_STOP)
        service_stop_when_stored(s);
    return code;
}

static void on_status(struct service *s, struct reply *reply)
{
    struct hand *hand = (struct hand *)s;
    exec_status(hand->core, reply);
    status_metric(reply, "tick_to_order_p50_ns", histogram_quantile(&hand->tick_to_order, 0.5));
    status_metric(reply, "tick_to_order_p99_ns", histogram_quantile(&hand->tick_to_order, 0.99));
    status_metric(reply, "venue_waiting", paper_waiting(hand->paper));
    ledger_status(s->ledger, reply);
}

static void beat(void *ctx, struct now now)
{
    struct service *s = ctx;
    struct hand *hand = (struct hand *)s;
    /* What is taken but not yet written is not told: risk would take it for never sent. */
    service_flush(s);
    if (!s->blocked)
        exec_upstream(hand->core, &hand->upstream_epoch, &hand->upstream_pos);
    if (paper_files_torn(hand->files))
        log_line(LOG_ERROR, "paper-torn",
                 "file=paper.log what=\"half a line cannot be cut off: no order is answered until it can\"");
    ledger_beat(s->ledger, !s->blocked, service_now(s, now).market_ns, hand->upstream_epoch,
                hand->upstream_pos, now);
}

static void open_paper(struct hand *hand)
{
    struct service *s = &hand->s;
    char error[PAPER_ERROR_MAX];
    hand->files = paper_files_new();
    if (hand->files)
        hand->paper = paper_new(&s->config, s->view, PAPER_ORDERS, paper_files_log(hand->files));
    if (!hand->paper)
        service_fail(s, "out of memory");
    if (paper_files_open(hand->files, hand->paper, error) != OK)
        service_fail(s, error);
}

/* What our ledger lost and the venue has is adopted before anything is sent. */
static void reconcile(struct hand *hand, struct now now)
{
    char prefix[36];
    exec_prefix(hand->core, prefix);
    hand->now = now;
    paper_list(hand->paper, prefix, on_listed, hand);
    service_flush(&hand->s);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"inst.", "book.", "bbo.", "beat.", NULL};
    struct hand *hand = service_state(sizeof *hand);
    struct service *s = &hand->s;
    service_open(s, "exec", argc, argv);
    service_view(s);
    hand->core = exec_new(&(struct exec_options){&s->config, s->view, s->run, s->boot_id});
    if (!hand->core)
        service_fail(s, "out of memory");
    service_ledger(s, "exec", recover, restore, hand->core);
    service_needed_by(s, "recorder");
    service_needed_by(s, "risk");
    open_paper(hand);
    s->devices = service_ledger_devices(s);
    s->devices.send = send_order;
    s->snapshot = on_snapshot;
    s->begin_epoch = on_epoch;
    s->on_market = on_market;
    s->on_time = on_time;
    s->on_control = on_control;
    s->on_status = on_status;
    struct now now = {.mono_ns = clock_mono_ns(), .utc_ns = clock_utc_ns()};
    exec_start(hand->core, ledger_next_epoch(s->ledger), now, &s->outbox);
    reconcile(hand, now);
    service_market(s, kinds, false);
    exec_upstream(hand->core, &hand->upstream_epoch, &hand->upstream_pos);
    service_follow(s, "risk", hand->upstream_epoch, hand->upstream_pos, on_risk);
    (void)loop_timer(s->loop, 250 * NS_PER_MS, beat, s);
    int code = service_run(s);
    exec_destroy(&hand->core);
    paper_destroy(&hand->paper);
    paper_files_close(&hand->files);
    free(hand);
    return code;
}
