/* What became of decisions that exec never told of, and of holdings that include what exec lost.
 *
 * Exec takes decisions in order, and tells each in a basket record. So once its ledger names a later decision,
 * or a place of this ledger that it has taken, an accepted one before it without a basket record was never sent
 * and never will be: its route is released. A beat says the same of what exec has only read; one beat may be
 * ahead of the records of its own wake-up, the next one is behind them.
 *
 * Where exec's ledger went back (power was lost), route records may include fills that its ledger no longer has.
 * They come again, at other positions, if the venue has them. So a route that was told past the new life's base
 * is told anew, by what the surviving records say alone. */
#include <string.h>

#include "services/risk/risk_internal.h"

static bool is_none(struct place p)
{
    return p.epoch == 0;
}

static void set_due(struct risk *self)
{
    self->unreconciled = true;
    self->reconciling = 0;
}

static void hold(struct risk *self, struct held_route *route, struct place until)
{
    self->held_back += !is_none(until);
    self->held_back -= !is_none(route->hold);
    route->hold = until;
}

void reconcile_passed(struct risk *self, struct place decision)
{
    if (!place_before(self->passed, decision))
        return;
    self->passed = decision;
    if (self->open_baskets > 0 || self->held_back > 0)
        set_due(self);
}

void reconcile_on_beat(struct risk *self, const struct message *m)
{
    bool goes_on = self->beat_epoch == m->env.epoch;
    if (!m->beat.alive) {
        self->beat_epoch = 0;
        return;
    }
    if (goes_on && risk_has_exec(self))
        reconcile_passed(self, self->beat_upstream);
    /* what was told and could not be read yet counts once it can */
    if (!goes_on || risk_has_exec(self)) {
        self->beat_epoch = m->env.epoch;
        self->beat_upstream = (struct place){m->beat.upstream_epoch, m->beat.upstream_pos};
    }
}

/* The basket's fills are gathered with what mends the route, and told together with its end. */
static void mend_open(struct risk *self, struct held_route *route)
{
    for (uint32_t i = 0; i < route->n_legs; i++) {
        struct open_leg *leg = &route->basket.legs[i];
        struct route_leg *told = &route->legs[i];
        if (dec_sub(route->read[i].qty, told->qty, &leg->qty) != OK ||
            money_sub(route->read[i].cost, told->cost, &leg->cost) != OK ||
            money_sub(route->read[i].fees, told->fees, &leg->fees) != OK)
            self->broken = true;
    }
}

/* Fails closed: no entry passes. After a rollback another start reads what still holds. What retention has taken
 * stays unknown, and every start finds it again, for no snapshot is taken meanwhile. */
void reconcile_on_gap(struct risk *self, const struct gap *gap, struct now now, struct outbox *out)
{
    self->broken = true;
    if (strcmp(gap->cause, "rollback") == 0)
        self->rolled_back = true;
    if (self->head.epoch == 0 || self->stopped)
        return;
    struct message *m = outbox_record(out, &self->head, MSG_GAP, now);
    m->gap = *gap;
    risk_apply(self, m);
}

void reconcile_on_epoch(struct risk *self, const struct message *m)
{
    for (uint32_t i = 0; i < table_count(self->route_names); i++) {
        struct held_route *route = &self->routes[i];
        if (route->exec.epoch >= m->env.epoch || route->exec.pos <= m->epoch.base_pos)
            continue;
        if (route->basket.open) {
            mend_open(self, route);
            continue;
        }
        route->mend = true;
        if (!route->ended) /* exec may take it up again, or take it for the first time */
            hold(self, route, route->accepted);
        set_due(self);
    }
}

/* Of a route that was told anew, and is kept from trading, another life of the gate knows only this record. Where
 * something else kept it, this ends as soon as exec's ledger is read. */
void reconcile_on_route(struct risk *self, struct held_route *route, const struct route *r)
{
    if (!r->busy)
        hold(self, route, (struct place){0, 0});
    else if (r->reason == REASON_ROLLED_BACK && place_before(self->passed, route->accepted))
        hold(self, route, route->accepted);
}

/* Why the route has to be told anew; REASON_NONE: it has not. */
static enum reason due(struct risk *self, struct held_route *route)
{
    const struct open_basket *basket = &route->basket;
    if (!is_none(route->hold) && !place_before(self->passed, route->hold)) {
        hold(self, route, (struct place){0, 0});
        return route->mend || route->ended || !is_none(route->stray) ? REASON_ROLLED_BACK : REASON_NEVER_SENT;
    }
    if (basket->open)
        return is_none(basket->begun) && !place_before(self->passed, basket->decision) ? REASON_NEVER_SENT
                                                                                       : REASON_NONE;
    return route->mend ? REASON_ROLLED_BACK : REASON_NONE;
}

void reconcile_settle(struct risk *self, struct now now, struct outbox *out)
{
    uint32_t n = table_count(self->route_names), written = 0;
    bool early = false;
    if (!self->unreconciled || self->broken || self->stopped || self->head.epoch == 0)
        return;
    for (; self->reconciling < n; self->reconciling++) {
        struct held_route *route = &self->routes[self->reconciling];
        if (written == RECONCILE_PER_INPUT)
            return;
        /* exec's old records are read again: what is told now would have them come once more */
        if (!is_none(route->hold) && place_before(self->exec, route->exec)) {
            early = true;
            continue;
        }
        enum reason reason = due(self, route);
        if (reason == REASON_NONE)
            continue;
        written++;
        self->never_sent += reason == REASON_NEVER_SENT;
        self->mended += reason == REASON_ROLLED_BACK;
        holdings_write(self, route, route->basket.open ? &route->basket : NULL,
                       route->parked || route->basket.parks, reason, now, out);
    }
    self->unreconciled = early;
    self->reconciling = 0;
}
