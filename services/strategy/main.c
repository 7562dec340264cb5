/* A worker's process: market data in, both ledgers in, intents out. It subscribes to the instruments of the
 * routes it owns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/entropy.h"
#include "lib/base/table.h"
#include "lib/runtime/probed.h"
#include "lib/runtime/service.h"
#include "lib/runtime/trace.h"
#include "proto/topic.h"
#include "services/strategy/worker.h"

enum { ROUTES_MAX = 1024 };

struct trader {
    struct service s; /* first: callbacks get its address */
    struct worker *core;
    void *intents;
    uint64_t incarnation, unsent;
    struct table *routes, *books;
    uint16_t subscribed[INSTRUMENTS_MAX]; /* by number in books: how many want it */
    bool owned[ROUTES_MAX];
    bool rate[INSTRUMENTS_MAX]; /* subscribed as an exchange rate to the reporting currency */
};

static int send_intent(void *ctx, enum peer to, struct message *m)
{
    struct trader *trader = ctx;
    if (to != PEER_RISK)
        return E_STATE;
    trace_stamp(&m->env.trace, HOP_STRATEGY_OUT, trader->s.boot_id, clock_mono_ns());
    size_t len = probed_encode(m, trader->s.bytes, sizeof trader->s.bytes);
    int status = socket_send(trader->intents, trader->s.bytes, len, false);
    if (status != OK)
        trader->unsent++;
    return status;
}

/* libzmq counts equal subscriptions, so routes may share an instrument. */
static void subscribe(struct trader *trader, const char *symbol, const char *venue, bool on)
{
    struct service *s = &trader->s;
    char topic[TOPIC_MAX];
    if (!*symbol)
        return;
    size_t len = topic_make("book", symbol, venue, topic);
    int book = table_intern(trader->books, topic, len);
    if (on && (book < 0 || trader->subscribed[book] == 0))
        view_forget(s->view, symbol, venue);
    if (book >= 0)
        trader->subscribed[book] = (uint16_t)(trader->subscribed[book] + (on ? 1 : -1));
    service_subscribe(s, topic, on);
    (void)topic_make("bbo", symbol, venue, topic);
    service_subscribe(s, topic, on);
}

static void follow_assignment(struct trader *trader, const struct assign *a)
{
    int route = table_intern(trader->routes, a->route, strlen(a->route));
    if (route < 0)
        return;
    bool mine = strcmp(a->worker, trader->s.name) == 0 && a->incarnation == trader->incarnation;
    if (mine == trader->owned[route])
        return;
    trader->owned[route] = mine;
    for (uint32_t i = 0; i < a->n_legs; i++)
        subscribe(trader, a->legs[i].symbol, a->legs[i].venue, mine);
    subscribe(trader, a->fx_symbol, a->fx_venue, mine);
}

static void on_risk(void *ctx, const struct message *m, struct now now)
{
    struct trader *trader = ctx;
    if (m->env.type == MSG_ASSIGN)
        follow_assignment(trader, &m->assign);
    enum stage before = probe_stage(STAGE_STRATEGY);
    worker_on_risk(trader->core, m, service_now(&trader->s, now));
    probe_back(before);
}

static void on_exec(void *ctx, const struct message *m, struct now now)
{
    struct trader *trader = ctx;
    enum stage before = probe_stage(STAGE_STRATEGY);
    worker_on_exec(trader->core, m, service_now(&trader->s, now));
    probe_back(before);
}

/* Exchange rates to the reporting currency are wanted whatever the routes are. */
static void on_market(struct service *s, int index, const struct message *m, struct now now)
{
    struct trader *trader = (struct trader *)s;
    if (m->env.type == MSG_INST && strcmp(m->inst.base, s->config.run.reporting) == 0 &&
        !trader->rate[index]) {
        trader->rate[index] = true;
        subscribe(trader, m->inst.symbol, m->inst.venue, true);
    }
    enum stage before = probe_stage(STAGE_STRATEGY);
    worker_on_market(trader->core, index, m, now);
    probe_back(before);
}

/* What it holds may be wrong: it ends, and who watches over it starts it anew, from the owners' present state. */
static void give_up(struct service *s, const char *why)
{
    log_line(LOG_ERROR, "lost", "why=\"%s\" what=\"its routes are given back and it ends, to begin anew\"",
             why);
    (void)fprintf(stderr, "sluice-%s: %s\n", s->name, why);
    loop_stop(s->loop);
}

static void on_time(struct service *s, struct now now)
{
    struct trader *trader = (struct trader *)s;
    if (loop_signalled(s->loop))
        worker_stop(trader->core, now, &s->outbox);
    enum stage before = probe_stage(STAGE_STRATEGY);
    worker_decide(trader->core, service_current(s), now, &s->outbox);
    worker_on_time(trader->core, now, &s->outbox);
    probe_back(before);
    if (worker_lost(trader->core))
        give_up(s, worker_lost(trader->core));
}

static bool quiet(struct service *s)
{
    return worker_quiet(((struct trader *)s)->core);
}

static enum control_code on_control(struct service *s, const struct request *request, struct now now)
{
    if (request->verb != VERB_STOP)
        return CONTROL_UNKNOWN_VERB;
    worker_stop(((struct trader *)s)->core, now, &s->outbox);
    service_flush(s);
    loop_stop(s->loop);
    return CONTROL_DONE;
}

static void on_status(struct service *s, struct reply *reply)
{
    struct trader *trader = (struct trader *)s;
    worker_status(trader->core, reply);
    status_metric(reply, "intents_unsent", (int64_t)trader->unsent);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"inst.", "beat.", NULL};
    struct trader *trader = service_state(sizeof *trader);
    struct service *s = &trader->s;
    char error[CONFIG_ERROR_MAX];
    service_open(s, "strategy", argc, argv);
    service_view(s);
    trader->routes = table_new(ROUTES_MAX, sizeof((struct assign *)0)->route);
    trader->books = table_new(INSTRUMENTS_MAX, TOPIC_MAX);
    trader->incarnation = entropy_u64();
    if (!trader->routes || !trader->books)
        service_fail(s, "out of memory");
    trader->core = worker_new(&(struct worker_options){.config = &s->config,
                                                       .view = s->view,
                                                       .strategy = strategy_named(s->config.strategy.name),
                                                       .run = s->run,
                                                       .name = s->name,
                                                       .incarnation = trader->incarnation,
                                                       .build = build_id(),
                                                       .boot_id = s->boot_id},
                              error);
    if (!trader->core)
        service_fail(s, error);
    s->devices = (struct devices){.ctx = s, .send = send_intent};
    s->on_market = on_market;
    s->on_time = on_time;
    s->quiet = quiet;
    s->on_control = on_control;
    s->on_status = on_status;
    service_follow_state(s, "risk", on_risk);
    service_follow_state(s, "exec", on_exec);
    service_market(s, kinds, true);
    trader->intents = service_socket(s, SOCKET_INTENT_PUSH, "risk", "intents");
    int code = service_run(s);
    if (worker_lost(trader->core))
        code = EXIT_FAILURE;
    worker_destroy(&trader->core);
    table_destroy(&trader->routes);
    table_destroy(&trader->books);
    free(trader);
    return code;
}
