/* All of the state as messages, and back.
 *
 * What a ledger message says is said by it, under the place of the record that it goes back to; the rest by
 * worker_state, route_fills and tally. The order is that in which one needs what the other brought: workers before
 * their routes, a route's assignment before its state, before its open basket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/runtime/tally.h"
#include "services/risk/risk_internal.h"

static const char REJECTS[] = "rejects_";

struct teller {
    const struct risk *risk;
    snapshot_emit_fn *emit;
    void *ctx;
    struct message m;
};

/* The message to be filled and emitted next. */
static struct message *begin(struct teller *t, enum message_type type, const char *stream, struct place place)
{
    message_init(&t->m, type);
    text_set(t->m.env.stream, sizeof t->m.env.stream, stream);
    t->m.env.epoch = place.epoch;
    t->m.env.pos = place.pos;
    return &t->m;
}

static void done(struct teller *t)
{
    t->emit(t->ctx, &t->m);
}

static struct place head_of(const struct risk *self)
{
    return (struct place){self->head.epoch, self->head.pos};
}

/* ---- telling: the gate itself ------------------------------------------------------------------------ */

static void tell_limits_and_state(struct teller *t)
{
    const struct risk *r = t->risk;
    int64_t day_ns =
        r->day_known ? (r->day * SECONDS_PER_DAY + r->config->run.day_roll_utc_s) * NS_PER_SEC : 0;
    if (r->limits.limits_version != 0) {
        begin(t, MSG_LIMITS, "risk", r->limits_at)->limits = r->limits;
        done(t);
    }
    if (r->state == 0)
        return;
    struct state *s = &begin(t, MSG_STATE, "risk", r->state_at)->state;
    s->state = r->state;
    s->reason = r->state_reason;
    s->market_time = day_ns;
    done(t);
    if (!r->day_known)
        return;
    /* the same state again ends a day: here all those that have ended */
    text_set(s->detail, sizeof s->detail, "all days before this one");
    s->day_pnl = r->day_base;
    done(t);
}

static void tell_workers(struct teller *t)
{
    for (int i = 0; i < OWNERS_MAX; i++) {
        const struct owner *o = &t->risk->owners[i];
        if (o->name[0] == '\0')
            continue;
        struct worker_state *w = &begin(t, MSG_WORKER_STATE, "risk", head_of(t->risk))->worker_state;
        text_set(w->worker, sizeof w->worker, o->name);
        for (uint32_t k = 0; k < o->n_earlier; k++) {
            w->incarnation = o->earlier[k];
            w->left = ASSIGN_INCARNATION;
            done(t);
            w->previous = o->earlier[k];
        }
        w->incarnation = o->incarnation;
        text_set(w->strategy, sizeof w->strategy, o->strategy);
        w->params = o->params;
        w->build = o->build;
        w->live = o->live;
        w->left = o->left;
        w->evaluations = o->evaluations;
        w->intents = o->intents;
        w->digest = o->digest;
        w->departed = o->departed;
        w->high_water = o->high_water;
        done(t);
    }
}

static void tell_portfolio(struct teller *t)
{
    const struct risk *r = t->risk;
    for (uint32_t i = 0; i < portfolio_positions(r->portfolio); i++) {
        begin(t, MSG_POSITION, "exec", r->exec)->position = *portfolio_position(r->portfolio, i);
        done(t);
    }
    for (uint32_t i = 0; i < portfolio_holdings(r->portfolio); i++) {
        const struct holding *h = portfolio_holding(r->portfolio, i);
        struct balance *b = &begin(t, MSG_BALANCE, "exec", r->exec)->balance;
        text_set(b->venue, sizeof b->venue, h->venue);
        text_set(b->currency, sizeof b->currency, h->currency);
        b->total = h->total;
        done(t);
    }
}

/* ---- telling: routes --------------------------------------------------------------------------------- */

static void tell_exec_basket(struct teller *t, const struct held_route *route, struct place decision,
                             struct place told, enum intent_kind kind, enum basket_policy policy)
{
    struct basket *b = &begin(t, MSG_BASKET, "exec", told)->basket;
    b->kind = kind;
    b->policy = policy;
    text_set(b->route, sizeof b->route, route->name);
    b->risk_epoch = decision.epoch;
    b->risk_pos = decision.pos;
    b->state = BASKET_OPEN;
    done(t);
}

static void tell_open_basket(struct teller *t, uint32_t index)
{
    const struct held_route *route = &t->risk->routes[index];
    const struct open_basket *basket = &route->basket;
    const struct decision *accepted = &t->risk->accepted[index];
    begin(t, MSG_DECISION, "risk", basket->decision)->decision = *accepted;
    done(t);
    if (basket->begun.epoch != 0)
        tell_exec_basket(t, route, basket->decision, basket->begun, accepted->kind, accepted->policy);
    struct route_fills *f = &begin(t, MSG_ROUTE_FILLS, "risk", route->last)->route_fills;
    text_set(f->route, sizeof f->route, route->name);
    f->parks = basket->parks;
    f->n_legs = route->n_legs;
    for (uint32_t i = 0; i < route->n_legs; i++) {
        const struct open_leg *leg = &basket->legs[i];
        f->legs[i] = (struct leg_fills){leg->side, leg->rest, leg->qty, leg->cost, leg->fees};
    }
    done(t);
}

static void tell_route(struct teller *t, uint32_t index)
{
    const struct held_route *route = &t->risk->routes[index];
    assignment_tell(t->risk, route, &begin(t, MSG_ASSIGN, "risk", route->last)->assign);
    done(t);
    struct route *r = &begin(t, MSG_ROUTE, "risk", route->last)->route;
    holdings_tell(route, r);
    r->busy = route_busy(route);
    r->exec_epoch = route->exec.epoch;
    r->exec_pos = route->exec.pos;
    done(t);
    if (route->basket.open)
        tell_open_basket(t, index);
    if (route->stray.epoch != 0)
        tell_exec_basket(t, route, route->stray, t->risk->exec, route->stray_kind, route->stray_policy);
}

static void tell_adopted(struct teller *t)
{
    uint32_t left = t->risk->adopted_orders;
    for (uint32_t i = 0; i < ADOPTED_MAX && left > 0; i++) {
        const struct adopted_order *a = &t->risk->adopted[i];
        if (a->told.client_id[0] == '\0')
            continue;
        left--;
        begin(t, MSG_ORDER, "exec", a->at)->order = a->told;
        done(t);
    }
}

/* ---- tallies ----------------------------------------------------------------------------------------- */

static const struct tally_figure figures[] = {
    {"base_epoch", offsetof(struct risk, base.epoch), TALLY_COUNT},
    {"base_pos", offsetof(struct risk, base.pos), TALLY_COUNT},
    {"decisions", offsetof(struct risk, decisions), TALLY_COUNT},
    {"accepts", offsetof(struct risk, accepts), TALLY_COUNT},
    {"cools", offsetof(struct risk, cools), TALLY_COUNT},
    {"rejects", offsetof(struct risk, rejects), TALLY_COUNT},
    {"departed_evaluations", offsetof(struct risk, departed_evaluations), TALLY_COUNT},
    {"loss_latched", offsetof(struct risk, loss_latched), TALLY_FLAG},
};

enum { FIGURES = sizeof figures / sizeof figures[0] };

static void tell_tallies(struct teller *t)
{
    struct tally *tally = &begin(t, MSG_TALLY, "risk", head_of(t->risk))->tally;
    tally_tell(tally, figures, FIGURES, t->risk);
    done(t);
    tally = &begin(t, MSG_TALLY, "risk", head_of(t->risk))->tally;
    for (int i = 0; i < REASONS_MAX; i++) {
        char name[sizeof tally->figures[0].name];
        (void)snprintf(name, sizeof name, "%s%d", REJECTS, i);
        if (t->risk->rejects_by_reason[i] != 0)
            tally_add(tally, name, t->risk->rejects_by_reason[i]);
    }
    done(t);
}

void risk_snapshot(const struct risk *self, struct now now, snapshot_emit_fn *emit, void *ctx)
{
    struct teller t = {.risk = self, .emit = emit, .ctx = ctx};
    struct snapshot *s = &begin(&t, MSG_SNAPSHOT, "risk", head_of(self))->snapshot;
    s->upstream_epoch = self->exec.epoch;
    s->upstream_pos = self->exec.pos;
    s->market_time = now.market_ns;
    done(&t);
    tell_limits_and_state(&t);
    tell_workers(&t);
    tell_portfolio(&t);
    for (uint32_t i = 0; i < table_count(self->route_names); i++) {
        if (self->routes[i].route_epoch != 0) /* others are formed again when their instruments are seen */
            tell_route(&t, i);
    }
    tell_adopted(&t);
    tell_tallies(&t);
}

/* ---- back -------------------------------------------------------------------------------------------- */

static void restore_worker(struct risk *self, const struct worker_state *w)
{
    int index = owner_take(self, w->worker);
    if (index < 0)
        return;
    struct owner *o = &self->owners[index];
    self->unheard -= o->live && !o->heard;
    if (o->incarnation != w->incarnation)
        owner_reborn(o, w->incarnation);
    text_set(o->strategy, sizeof o->strategy, w->strategy);
    o->params = w->params;
    o->build = w->build;
    o->live = w->live;
    o->left = w->left;
    o->evaluations = w->evaluations;
    o->intents = w->intents;
    o->digest = w->digest;
    o->departed = w->departed;
    o->high_water = w->high_water;
    self->unheard += o->live && !o->heard;
}

static void restore_position(struct risk *self, const struct position *p)
{
    if (portfolio_set_position(self->portfolio, p) != OK || exposure_hold(self, p) != OK)
        self->broken = true;
}

static void restore_route(struct risk *self, const struct message *m)
{
    struct held_route *route = route_named(self, m->route.route);
    executions_apply_route(self, m);
    for (uint32_t i = 0; route && i < route->n_legs; i++) {
        const struct route_leg *leg = &route->legs[i];
        route->read[i] = (struct open_leg){.qty = leg->qty, .cost = leg->cost, .fees = leg->fees};
    }
}

static void restore_exec_basket(struct risk *self, const struct message *m)
{
    struct held_route *route = route_named(self, m->basket.route);
    struct place decision = {m->basket.risk_epoch, m->basket.risk_pos};
    if (!route)
        return;
    if (route->basket.open && place_equal(route->basket.decision, decision))
        route->basket.begun = (struct place){m->env.epoch, m->env.pos};
    else
        executions_stray(route, decision, &m->basket);
}

static void restore_fills(struct risk *self, const struct message *m)
{
    const struct route_fills *f = &m->route_fills;
    struct held_route *route = route_named(self, f->route);
    if (!route || !route->basket.open)
        return;
    route->last = (struct place){m->env.epoch, m->env.pos};
    route->basket.parks = f->parks;
    for (uint32_t i = 0; i < route->n_legs && i < f->n_legs; i++) {
        struct open_leg *leg = &route->basket.legs[i];
        const struct leg_fills *told = &f->legs[i];
        exposure_reserve(self, route->exposures[i], leg->side, told->rest - leg->rest);
        leg->rest = told->rest;
        leg->qty = told->qty;
        leg->cost = told->cost;
        leg->fees = told->fees;
        if (holdings_add(&route->read[i], leg) != OK)
            self->broken = true;
    }
}

static void restore_figure(struct risk *self, const struct metric *m)
{
    if (strncmp(m->name, REJECTS, sizeof REJECTS - 1) == 0) {
        unsigned long reason = strtoul(m->name + sizeof REJECTS - 1, NULL, 10);
        if (reason < REASONS_MAX)
            self->rejects_by_reason[reason] = (uint64_t)m->value;
        return;
    }
    (void)tally_restore(m, figures, FIGURES, self);
}

static void restore_place(struct risk *self, const struct message *m)
{
    self->head.epoch = m->env.epoch;
    self->head.pos = m->env.pos;
    self->exec = (struct place){m->snapshot.upstream_epoch, m->snapshot.upstream_pos};
    self->restored = self->exec;
}

void risk_restore(struct risk *self, const struct message *m)
{
    switch (m->env.type) {
    case MSG_SNAPSHOT:
        restore_place(self, m);
        break;
    case MSG_LIMITS:
        risk_apply_limits(self, m);
        break;
    case MSG_STATE:
        risk_apply_state(self, m);
        break;
    case MSG_WORKER_STATE:
        restore_worker(self, &m->worker_state);
        break;
    case MSG_POSITION:
        restore_position(self, &m->position);
        break;
    case MSG_BALANCE:
        if (portfolio_set_balance(self->portfolio, &m->balance) != OK)
            self->broken = true;
        break;
    case MSG_ASSIGN:
        assignment_apply(self, m);
        break;
    case MSG_ROUTE:
        restore_route(self, m);
        break;
    case MSG_DECISION:
        executions_apply_accept(self, m);
        break;
    case MSG_BASKET:
        restore_exec_basket(self, m);
        break;
    case MSG_ROUTE_FILLS:
        restore_fills(self, m);
        break;
    case MSG_ORDER:
        adoption_take(self, &m->order, (struct place){m->env.epoch, m->env.pos});
        break;
    case MSG_TALLY:
        for (uint32_t i = 0; i < m->tally.n_figures; i++)
            restore_figure(self, &m->tally.figures[i]);
        break;
    default:
        break;
    }
}
