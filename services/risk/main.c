/* The gate's process: intents in, exec's ledger in, market data in, its own ledger out. */
#include <stdlib.h>

#include "lib/runtime/service.h"
#include "services/risk/risk.h"

struct gate {
    struct service s; /* first: callbacks get its address */
    struct risk *core;
    void *intents;
    struct inbox inbox;
    struct message message;
};

static int append(void *ctx, struct message *m)
{
    struct service *s = ctx;
    if (m->env.trace.recv_mono)
        m->env.trace.hop[HOP_RISK_OUT] = clock_mono_ns();
    return ledger_append(s->ledger, m);
}

static void recover(void *ctx, const struct message *record)
{
    risk_apply(ctx, record);
}

static void on_exec(void *ctx, const struct message *m, struct now now)
{
    struct gate *gate = ctx;
    risk_on_exec(gate->core, m, service_now(&gate->s, now), &gate->s.outbox);
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
    while (taken < bound && service_ready(s) && inbox_take(&gate->inbox, gate->intents) == OK) {
        bool read = codec_decode(s->decoder, gate->inbox.bytes, gate->inbox.len, &gate->message, &s->drops);
        inbox_skip(&gate->inbox, gate->intents);
        taken++;
        if (!read)
            continue;
        gate->message.env.trace.hop[HOP_RISK_IN] = now.mono_ns;
        risk_on_command(gate->core, &gate->message, now, &s->outbox);
    }
    return taken;
}

static void on_time(struct service *s, struct now now)
{
    risk_on_time(((struct gate *)s)->core, now, &s->outbox);
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
    service_open(s, "risk", argc, argv);
    service_view(s);
    gate->core = risk_new(&(struct risk_options){&s->config, s->view, s->run, s->boot_id});
    if (!gate->core || inbox_open(&gate->inbox) != OK)
        service_fail(s, "out of memory");
    service_ledger(s, "risk", recover, NULL, gate->core);
    service_needed_by(s, "recorder");
    service_needed_by(s, "exec");
    s->devices = service_ledger_devices(s);
    s->devices.append = append;
    s->on_market = on_market;
    s->on_time = on_time;
    s->on_control = on_control;
    s->on_status = on_status;
    struct now now = {.mono_ns = clock_mono_ns(), .utc_ns = clock_utc_ns()};
    risk_start(gate->core, ledger_next_epoch(s->ledger), now, &s->outbox);
    service_flush(s);
    service_follow(s, "exec", 0, 0, on_exec);
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
