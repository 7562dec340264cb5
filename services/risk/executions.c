/* What exec's ledger changes: positions, reservations, and the state of routes.
 *
 * Exec's ledger is read at every start from the place that the snapshot includes, or from its beginning.
 * Positions are made of it anew; of a route's holdings the own ledger already tells what happened up to
 * route.exec, so a fill at or below that place only moves the position. */
#include <string.h>

#include "lib/base/text.h"
#include "services/risk/risk_internal.h"

/* ---- baskets ---------------------------------------------------------------------------------------- */

static void release(struct risk *self, struct held_route *route)
{
    struct open_basket *basket = &route->basket;
    if (!basket->open)
        return;
    for (uint32_t i = 0; i < route->n_legs; i++)
        exposure_reserve(self, route->exposures[i], basket->legs[i].side, -basket->legs[i].rest);
    self->open_baskets--;
    self->open_orders -= basket->orders;
    memset(basket, 0, sizeof *basket);
}

void executions_apply_accept(struct risk *self, const struct message *m)
{
    const struct decision *d = &m->decision;
    struct held_route *route = route_named(self, d->route);
    if (!route)
        return;
    release(self, route);
    struct open_basket *basket = &route->basket;
    basket->open = true;
    basket->decision = (struct place){m->env.epoch, m->env.pos};
    basket->kind = d->kind;
    basket->accepted_time = d->accepted_time;
    basket->edge_nbps = d->edge_nbps;
    basket->orders = d->n_legs;
    route->last = route->accepted = basket->decision;
    route->ended = false;
    self->accepted[route - self->routes] = *d;
    self->open_baskets++;
    self->open_orders += d->n_legs;
    for (uint32_t i = 0; i < d->n_legs; i++) {
        const struct intent_leg *leg = &d->legs[i];
        int k = route_leg_of(route, leg->symbol, leg->venue);
        money qty;
        if (k < 0 || money_of((struct dec){leg->qty, leg->qty_exp}, &qty) != OK) {
            self->broken = true; /* the gate accepts no such leg */
            continue;
        }
        basket->legs[k].side = leg->side;
        basket->legs[k].rest = qty;
        exposure_reserve(self, route->exposures[k], leg->side, qty);
    }
}

void executions_apply_route(struct risk *self, const struct message *m)
{
    const struct route *r = &m->route;
    struct held_route *route = route_named(self, r->route);
    if (!route)
        return;
    for (uint32_t i = 0; i < route->n_legs && i < r->n_legs; i++)
        route->legs[i] = r->legs[i];
    route->parked = r->parked;
    route->told_busy = r->busy;
    route->entry_time = r->entry_time;
    route->cool_until = r->cool_until;
    route->entry_edge_nbps = r->entry_edge_nbps;
    route->entry_side = r->entry_side;
    self->round_trips += r->round_trips - route->round_trips;
    route->round_trips = r->round_trips;
    route->realised = r->realised;
    route->exec = (struct place){r->exec_epoch, r->exec_pos};
    route->last = (struct place){m->env.epoch, m->env.pos};
    route->mend = false;
    reconcile_on_route(self, route, r);
    release(self, route);
}

bool executions_unpark(struct risk *self, const char *name, struct now now, struct outbox *out)
{
    struct held_route *route = route_named(self, name);
    if (!route || !route->parked || route->basket.open)
        return false;
    holdings_write(self, route, NULL, false, REASON_NONE, now, out);
    return true;
}

/* ---- fills ------------------------------------------------------------------------------------------- */

static int book_position(struct risk *self, const struct fill *fill)
{
    int status = portfolio_fill(self->portfolio, fill);
    if (status != OK)
        return status;
    int index = portfolio_find(self->portfolio, fill->symbol, fill->venue);
    return index < 0 ? index : exposure_hold(self, portfolio_position(self->portfolio, (uint32_t)index));
}

/* What is filled is no longer reserved: it is held. */
static void take_from_reserve(struct risk *self, const struct held_route *route, struct open_leg *leg, int k,
                              const struct fill *fill)
{
    money qty;
    if (leg->side != fill->side || money_of((struct dec){fill->qty, fill->qty_exp}, &qty) != OK)
        return;
    if (qty > leg->rest)
        qty = leg->rest;
    leg->rest -= qty;
    exposure_reserve(self, route->exposures[k], leg->side, -qty);
}

/* Exec has told of it, so it has an end. */
static void begin(struct open_basket *basket, struct place at)
{
    if (basket->begun.epoch == 0)
        basket->begun = at;
}

/* What an open basket has filled, or fills of something older that is told at once. */
static void gather(struct risk *self, struct held_route *route, int k, const struct fill *fill,
                   const struct open_leg *more, struct now now, struct outbox *out)
{
    struct open_basket late = {0};
    struct open_basket *basket = route->basket.open ? &route->basket : &late;
    struct place decision = {fill->risk_epoch, fill->risk_pos};
    if (holdings_add(&basket->legs[k], more) != OK)
        self->broken = true;
    if (basket->open && place_equal(decision, basket->decision)) {
        begin(basket, self->exec);
        take_from_reserve(self, route, &basket->legs[k], k, fill);
        return;
    }
    self->late_fills++;
    if (!basket->open)
        holdings_write(self, route, &late, route->parked, REASON_NONE, now, out);
}

static void on_fill(struct risk *self, const struct fill *fill, struct now now, struct outbox *out)
{
    if (book_position(self, fill) != OK) {
        self->broken = true;
        return;
    }
    struct held_route *route = route_named(self, fill->route);
    int k = route ? route_leg_of(route, fill->symbol, fill->venue) : E_ABSENT;
    struct open_leg more;
    if (k >= 0) {
        if (holdings_of_fill(self, fill, &more) != OK || holdings_read(self, route, (uint32_t)k, &more) != OK)
            self->broken = true;
        else if (place_before(route->exec, self->exec))
            gather(self, route, k, fill, &more, now, out);
    }
    risk_watch_loss(self, now, out);
}

/* A basket whose decision is not open here keeps its route from trading until it has ended. */
void executions_stray(struct held_route *route, struct place decision, const struct basket *b)
{
    if (!b->terminal) {
        route->stray = decision;
        route->stray_kind = b->kind;
        route->stray_policy = b->policy;
    } else if (place_equal(route->stray, decision)) {
        route->stray = (struct place){0, 0};
    }
}

static void on_basket(struct risk *self, const struct basket *b, struct now now, struct outbox *out)
{
    struct held_route *route = route_named(self, b->route);
    struct place decision = {b->risk_epoch, b->risk_pos};
    if (!route) {
        reconcile_passed(self, decision);
        return;
    }
    struct open_basket *basket = &route->basket;
    bool ours = basket->open && place_equal(basket->decision, decision);
    bool strayed = route->stray.epoch != 0, parks = b->terminal && b->state == BASKET_PARKED;
    route->ended = route->ended || (b->terminal && place_equal(route->accepted, decision));
    if (ours)
        begin(basket, self->exec);
    if (!ours)
        executions_stray(route, decision, b);
    reconcile_passed(self, decision);
    if (!b->terminal || !place_before(route->exec, self->exec))
        return;
    if (ours)
        holdings_write(self, route, basket, route->parked || parks || basket->parks, REASON_NONE, now, out);
    else if (basket->open)
        basket->parks = basket->parks || parks;
    else if ((parks && !route->parked) || (strayed && !route_busy(route)))
        holdings_write(self, route, NULL, route->parked || parks, REASON_NONE, now, out);
}

/* ---- the ledger --------------------------------------------------------------------------------------- */

static void on_beat(struct risk *self, const struct message *m, struct now now)
{
    self->exec_beat_mono_ns = now.mono_ns;
    struct place head = {m->env.epoch, m->beat.head_pos};
    if (m->beat.head_pos != 0)
        self->exec_head = head;
    self->exec_read = self->exec_read || !place_before(self->exec, self->exec_head);
    reconcile_on_beat(self, m);
}

static void take_record(struct risk *self, const struct message *m, struct now now, struct outbox *out)
{
    switch (m->env.type) {
    case MSG_FILL:
        on_fill(self, &m->fill, now, out);
        break;
    case MSG_BASKET:
        on_basket(self, &m->basket, now, out);
        break;
    case MSG_ORDER:
        adoption_on_order(self, &m->order, now, out);
        break;
    case MSG_ADJUST:
        if (portfolio_adjust(self->portfolio, &m->adjust) != OK)
            self->broken = true;
        break;
    case MSG_UPSTREAM:
        reconcile_passed(self, (struct place){m->upstream.risk_epoch, m->upstream.risk_pos});
        break;
    case MSG_EPOCH:
        reconcile_on_epoch(self, m);
        break;
    default:
        break;
    }
}

void risk_on_exec(struct risk *self, const struct message *m, struct now now, struct outbox *out)
{
    struct place at = {m->env.epoch, m->env.pos};
    if (m->env.type == MSG_GAP && strcmp(m->gap.stream_lost, self->head.stream) != 0)
        reconcile_on_gap(self, &m->gap, now, out);
    /* what comes now is told on top of what never was: only the next life can tell routes of it */
    if (self->rolled_back) {
        self->ignored++;
        return;
    }
    if (m->env.type == MSG_BEAT) {
        on_beat(self, m, now);
    } else if (place_before(self->exec, at)) {
        /* without a gap before it: what was applied past its base never was */
        if (m->env.type == MSG_EPOCH && m->epoch.base_pos < self->exec.pos)
            self->broken = true;
        self->exec = at;
        take_record(self, m, now, out);
    } else {
        self->ignored++;
        return;
    }
    reconcile_settle(self, now, out);
    assignment_settle(self, now, out);
}
