/* What must hold after every step, seen from outside: journals as they are written. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/decimal.h"
#include "lib/base/table.h"
#include "tests/simulation/invariants.h"
#include "tests/simulation/services.h"

enum { ROUTES_MAX = 64, IDS_MAX = 8192 };

#define HEARS_OF_LOSS_NS (1500 * NS_PER_MS)

static struct owned routes[ROUTES_MAX];
static int n_routes;
static enum risk_state gate_state;
static bool read_again;      /* the record looked at */
static int64_t exec_lost_ns; /* when exec's ledger last went back; 0 = never */
static struct limits limits; /* in force; all zero before the first */

static struct accepted *accepted; /* that were ever written */
static uint32_t n_accepted, accepted_capacity;

static struct table *traded;

void invariants_open(void)
{
    venue_open();
    traded = table_new(IDS_MAX, 60);
    if (!traded)
        violated("out of memory");
}

void grow(void **items, uint32_t *capacity, uint32_t n, size_t each)
{
    if (n < *capacity)
        return;
    *capacity = *capacity ? 2 * *capacity : 1024;
    *items = realloc(*items, *capacity * each);
    if (!*items)
        violated("out of memory");
}

struct owned *route_of(const char *name)
{
    for (int i = 0; i < n_routes; i++)
        if (strcmp(routes[i].name, name) == 0)
            return &routes[i];
    if (n_routes == ROUTES_MAX)
        violated("more routes than the simulation has room for");
    (void)snprintf(routes[n_routes].name, sizeof routes[n_routes].name, "%s", name);
    return &routes[n_routes++];
}

/* ---- risk's ledger --------------------------------------------------------------------------------------------- */

static bool before(uint64_t epoch, uint64_t pos, struct place_at at)
{
    return epoch < at.epoch || (epoch == at.epoch && pos < at.pos);
}

static void on_assign(const struct message *m)
{
    const struct assign *a = &m->assign;
    struct owned *r = route_of(a->route);
    if (a->route_epoch <= r->route_epoch)
        violated("route %s: its epoch goes from %" PRIu64 " to %" PRIu64, a->route, r->route_epoch,
                 a->route_epoch);
    (void)snprintf(r->worker, sizeof r->worker, "%s", a->worker);
    r->incarnation = a->incarnation;
    r->route_epoch = a->route_epoch;
    r->last = (struct place_at){m->env.epoch, m->env.pos};
}

static bool is_accepted(const struct decision *d)
{
    return d->verdict == VERDICT_ACCEPT || d->verdict == VERDICT_LESS;
}

static void check_owner(const struct message *m, const struct owned *r)
{
    const struct decision *d = &m->decision;
    if (strcmp(d->worker, r->worker) != 0 || d->incarnation != r->incarnation ||
        d->route_epoch != r->route_epoch)
        violated("decision %" PRIu64 "/%" PRIu64 " accepts %s (%" PRIx64 ", route epoch %" PRIu64
                 "), but %s is owned by %s (%" PRIx64 ", %" PRIu64 ")",
                 m->env.epoch, m->env.pos, d->worker, d->incarnation, d->route_epoch, d->route, r->worker,
                 r->incarnation, r->route_epoch);
}

static void check_state(const struct message *m, const struct owned *r)
{
    const struct decision *d = &m->decision;
    struct intended *in = intent_of(d->incarnation, d->intent_id);
    if (!in)
        violated("decision %" PRIu64 "/%" PRIu64 " accepts an intent that nobody sent", m->env.epoch,
                 m->env.pos);
    if (in->decided)
        violated("decision %" PRIu64 "/%" PRIu64 " accepts intent %" PRIu64 " of %s a second time",
                 m->env.epoch, m->env.pos, d->intent_id, d->worker);
    in->decided = true;
    if (before(in->state_epoch, in->state_pos, r->last))
        violated("decision %" PRIu64 "/%" PRIu64 " accepts an intent on %s that knew %" PRIu64 "/%" PRIu64
                 "; the route last changed at %" PRIu64 "/%" PRIu64,
                 m->env.epoch, m->env.pos, d->route, in->state_epoch, in->state_pos, r->last.epoch,
                 r->last.pos);
}

const struct accepted *accepted_at(struct place_at at)
{
    for (uint32_t i = n_accepted; i > 0; i--)
        if (accepted[i - 1].epoch == at.epoch && accepted[i - 1].pos == at.pos)
            return &accepted[i - 1];
    return NULL;
}

/* All quote currencies of the simulated market are the reporting one. */
static void check_limits(const struct message *m)
{
    const struct decision *d = &m->decision;
    const bool limited = limits.limits_version && d->kind != INTENT_EXIT; /* no limit stops a reduction */
    for (uint32_t i = 0; limited && i < d->n_legs; i++) {
        money notional;
        const struct intent_leg *leg = &d->legs[i];
        if (money_product((struct dec){leg->price, leg->price_exp}, (struct dec){leg->qty, leg->qty_exp},
                          &notional) != OK ||
            notional > limits.max_notional)
            violated("decision %" PRIu64 "/%" PRIu64 " accepts a leg above the limit of one order",
                     m->env.epoch, m->env.pos);
    }
}

/* What is reserved by the decisions that are open, and what exec's fills have made of it. */
static void check_sums(const struct message *m)
{
    const struct decision *d = &m->decision;
    uint32_t orders = d->n_legs;
    if (!limits.limits_version || d->kind == INTENT_EXIT)
        return;
    for (int i = 0; i < n_routes; i++) {
        const struct accepted *a = routes[i].open.epoch ? accepted_at(routes[i].open) : NULL;
        orders += a ? a->decision.n_legs : 0;
    }
    if (orders > limits.max_open_orders)
        violated("decision %" PRIu64 "/%" PRIu64 " is accepted with %u orders open; the limit is %u",
                 m->env.epoch, m->env.pos, orders, limits.max_open_orders);
    for (uint32_t i = 0; i < d->n_legs; i++) {
        const struct intent_leg *leg = &d->legs[i];
        money worst = holdings_worst(leg, d, NULL);
        for (int k = 0; k < n_routes; k++) {
            const struct accepted *a = routes[k].open.epoch ? accepted_at(routes[k].open) : NULL;
            worst += a ? holdings_worst(leg, &a->decision, &routes[k].open) : 0;
        }
        holdings_within(m, leg, worst, limits.max_position);
    }
}

/* By exec's word, or because it is never sent by risk's. */
static bool has_ended(struct place_at decision)
{
    const struct ledger_watch *l = &ledgers[STREAM_EXEC];
    const struct accepted *a = accepted_at(decision);
    if (a && a->never_sent)
        return true;
    for (uint64_t i = l->n; i > 0; i--) {
        const struct message *m = l->records[i - 1].message;
        if (m->env.type == MSG_BASKET && m->basket.risk_epoch == decision.epoch &&
            m->basket.risk_pos == decision.pos)
            return m->basket.terminal;
    }
    return false;
}

/* By risk's own word nothing is open on a route once a route record has followed its decision. */
static void check_idle(const struct message *m, const struct owned *r)
{
    if (r->open.epoch)
        violated("decision %" PRIu64 "/%" PRIu64 " accepts on %s, on which %" PRIu64 "/%" PRIu64 " is open",
                 m->env.epoch, m->env.pos, r->name, r->open.epoch, r->open.pos);
    /* risk hears of what exec has lost when exec is back */
    const bool may_have_ended = world.mono_ns - exec_lost_ns < HEARS_OF_LOSS_NS;
    if (!read_again && r->accepted.epoch && !may_have_ended && !has_ended(r->accepted))
        violated("decision %" PRIu64 "/%" PRIu64 " accepts on %s; exec has not told the end of %" PRIu64
                 "/%" PRIu64,
                 m->env.epoch, m->env.pos, r->name, r->accepted.epoch, r->accepted.pos);
}

static void note_accepted(const struct message *m)
{
    for (uint32_t i = 0; i < n_accepted; i++)
        if (accepted[i].epoch == m->env.epoch && accepted[i].pos == m->env.pos)
            return;
    grow((void **)&accepted, &accepted_capacity, n_accepted, sizeof *accepted);
    accepted[n_accepted++] =
        (struct accepted){.epoch = m->env.epoch, .pos = m->env.pos, .decision = m->decision};
}

static void note_never_sent(struct place_at decision)
{
    for (uint32_t i = n_accepted; i > 0; i--)
        if (accepted[i - 1].epoch == decision.epoch && accepted[i - 1].pos == decision.pos)
            accepted[i - 1].never_sent = true;
}

static void on_decision(const struct message *m)
{
    const struct decision *d = &m->decision;
    TRACE("%s %s of %s by %s, %u times: %s", verdict_text(d->verdict),
          d->kind == INTENT_ENTER ? "entry" : "exit", d->route, d->worker, d->count, reason_text(d->reason));
    if (!is_accepted(d))
        return;
    struct owned *r = route_of(d->route);
    if (gate_state == RISK_HALTED || (gate_state == RISK_REDUCE_ONLY && d->kind == INTENT_ENTER))
        violated("decision %" PRIu64 "/%" PRIu64 " accepts while the gate is %s", m->env.epoch, m->env.pos,
                 risk_state_text(gate_state));
    if (!read_again && operator_has_halted(d->kind == INTENT_ENTER))
        violated("decision %" PRIu64 "/%" PRIu64
                 " accepts after the operator was told that the gate is closed",
                 m->env.epoch, m->env.pos);
    check_owner(m, r);
    check_state(m, r);
    if (!read_again)
        books_accepted(m);
    check_limits(m);
    if (!read_again)
        check_sums(m);
    check_idle(m, r);
    r->open = r->accepted = (struct place_at){m->env.epoch, m->env.pos};
    r->last = (struct place_at){m->env.epoch, m->env.pos};
    note_accepted(m);
}

static void on_risk(const struct message *m)
{
    switch (m->env.type) {
    case MSG_ASSIGN:
        on_assign(m);
        return;
    case MSG_DECISION:
        on_decision(m);
        return;
    case MSG_ROUTE:
        TRACE("route %s: %s%s, holds %" PRId64 "e%d and %" PRId64 "e%d, exec up to %" PRIu64 "/%" PRIu64,
              m->route.route, m->route.busy ? "busy" : "idle", m->route.parked ? ", parked" : "",
              m->route.legs[0].qty.m, m->route.legs[0].qty.exp, m->route.legs[1].qty.m,
              m->route.legs[1].qty.exp, m->route.exec_epoch, m->route.exec_pos);
        if (!read_again)
            holdings_route(m);
        route_of(m->route.route)->last = (struct place_at){m->env.epoch, m->env.pos};
        if (m->route.reason == REASON_NEVER_SENT)
            note_never_sent(route_of(m->route.route)->open);
        route_of(m->route.route)->open = (struct place_at){0, 0};
        return;
    case MSG_LIMITS:
        limits = m->limits;
        return;
    case MSG_STATE:
        gate_state = m->state.state;
        return;
    default:
        return;
    }
}

void invariants_taken_over(const char *worker)
{
    for (int i = 0; i < n_routes; i++)
        if (routes[i].route_epoch && (!*routes[i].worker || strcmp(routes[i].worker, worker) == 0))
            violated("%s is silent for a lease and a second; route %s is %s", worker, routes[i].name,
                     *routes[i].worker ? "its own still" : "nobody's");
}

/* ---- exec's ledger --------------------------------------------------------------------------------------------- */

/* Only for whoever reads the trace. */
static void trace_exec(const struct message *m)
{
    if (m->env.type == MSG_FILL)
        TRACE("fill of %s: %s %" PRId64 "e%d %s", m->fill.client_id, side_text(m->fill.side), m->fill.qty,
              m->fill.qty_exp, m->fill.venue);
    else if (m->env.type == MSG_ORDER)
        TRACE("order %s is %s", m->order.client_id, order_state_text(m->order.state));
    else if (m->env.type == MSG_BASKET)
        TRACE("basket %" PRIu64 "/%" PRIu64 " is %s%s", m->basket.risk_epoch, m->basket.risk_pos,
              basket_state_text(m->basket.state), m->basket.terminal ? ", and over" : "");
    else if (m->env.type == MSG_UPSTREAM)
        TRACE("has taken risk up to %" PRIu64 "/%" PRIu64, m->upstream.risk_epoch, m->upstream.risk_pos);
}

static void on_exec(const struct message *m)
{
    char key[60];
    trace_exec(m);
    if (m->env.type == MSG_POSITION && !read_again)
        holdings_position(m);
    if (m->env.type != MSG_FILL)
        return;
    const int len = snprintf(key, sizeof key, "%s %s", m->fill.venue, m->fill.trade_id);
    if (table_find(traded, key, (size_t)len) >= 0)
        violated("exec books trade %s twice", key);
    (void)table_intern(traded, key, (size_t)len);
}

void invariants_record(int stream, const struct message *m, bool again)
{
    read_again = again;
    if (stream == STREAM_RISK)
        on_risk(m);
    else
        on_exec(m);
}

void invariants_reset(int stream)
{
    if (stream == STREAM_RISK) {
        memset(routes, 0, sizeof routes);
        n_routes = 0;
        gate_state = RISK_NORMAL;
        intents_undecided();
        for (uint32_t i = 0; i < n_accepted; i++)
            accepted[i].never_sent = false;
    } else {
        exec_lost_ns = world.mono_ns;
        table_destroy(&traded);
        traded = table_new(IDS_MAX, 60);
        if (!traded)
            violated("out of memory");
    }
}
