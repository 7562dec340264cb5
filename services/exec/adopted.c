/* Orders that the venue has and our ledger has not: power failed before their records were on disk. The venue lists
 * what it has under our prefix before risk's ledger is read on. Where the decision comes again its basket is opened
 * with the orders that were found, each to be asked for, instead of sending them a second time. Where it comes no more,
 * because risk lost it too, a basket is made of the orders themselves: without a route, whole only when it is empty,
 * else parked with all that it holds as its residual. */
#include <string.h>

#include "lib/base/text.h"
#include "lib/market/symbol.h"
#include "services/exec/exec_internal.h"

static struct place place_of(const struct order *o)
{
    return (struct place){o->risk_epoch, o->risk_pos};
}

static bool same_place(struct place a, struct place b)
{
    return a.epoch == b.epoch && a.pos == b.pos;
}

static void ask_for(struct exec *self, const struct order *order, const struct trace *trace, struct now now,
                    struct outbox *out)
{
    struct message *m = record_order(self, order, trace, now, out);
    struct hand_order *o = remembered_order(self, order->client_id);
    if (o)
        o->heard_ns = now.market_ns;
    outbox_add(out, EFFECT_SEND, m, PEER_VENUE);
    self->adopted++;
}

/* ---- what the venue lists ------------------------------------------------------------------------------- */

static struct order listed_order(const struct order_report *r, struct place decision, uint32_t leg,
                                 uint32_t attempt)
{
    struct order o = {.risk_epoch = decision.epoch,
                      .risk_pos = decision.pos,
                      .leg = leg,
                      .attempt = attempt,
                      .side = r->side,
                      .tif = r->tif,
                      .price_exp = r->price.exp,
                      .qty_exp = r->qty.exp,
                      .price = r->price.m,
                      .qty = r->qty.m,
                      .state = ORDER_UNKNOWN};
    text_set(o.client_id, sizeof o.client_id, r->client_id);
    text_set(o.venue_id, sizeof o.venue_id, r->venue_id);
    text_set(o.symbol, sizeof o.symbol, r->symbol);
    text_set(o.venue, sizeof o.venue, r->venue);
    return o;
}

/* Of an order that is over here the venue has executed more: the word of it was lost. */
static void compare(struct exec *self, struct hand_order *o, const struct order_report *r, struct now now,
                    struct outbox *out)
{
    struct dec filled = {o->told.filled, o->told.qty_exp};
    if (order_is_terminal(o->told.state) && dec_cmp(r->filled, filled) > 0)
        order_ask(self, o, now, out);
}

int exec_on_listed(struct exec *self, const struct order_report *r, struct now now, struct outbox *out)
{
    struct place decision;
    uint32_t leg, attempt;
    if (!client_id_read(self->config->run.account, r->client_id, &decision, &leg, &attempt) ||
        leg >= BASKET_LEGS || r->qty.m <= 0) {
        self->strangers++;
        return OK;
    }
    struct hand_order *o = remembered_order(self, r->client_id);
    struct hand_basket *b = remembered_basket(self, decision);
    struct order order = listed_order(r, decision, leg, attempt);
    if (o) {
        compare(self, o, r, now, out);
    } else if (b && leg < b->told.n_legs && remembered_has_room(self, 1)) {
        text_set(order.route, sizeof order.route, b->told.route);
        ask_for(self, &order, &b->trace, now, out);
    } else if (!b && place_after(decision, self->last_forgotten)) {
        if (self->n_found == FOUND_MAX)
            return E_FULL;
        self->found[self->n_found++] = order;
    }
    return OK;
}

/* ---- the basket of a found order ------------------------------------------------------------------------ */

/* Takes out of what was found the first order of a decision, by attempt, then leg. */
static bool take_found(struct exec *self, struct place decision, struct order *out)
{
    uint32_t first = UINT32_MAX;
    for (uint32_t i = 0; i < self->n_found; i++) {
        const struct order *o = &self->found[i];
        if (!same_place(place_of(o), decision))
            continue;
        if (first == UINT32_MAX || o->attempt < self->found[first].attempt ||
            (o->attempt == self->found[first].attempt && o->leg < self->found[first].leg))
            first = i;
    }
    if (first == UINT32_MAX)
        return false;
    *out = self->found[first];
    self->found[first] = self->found[--self->n_found];
    return true;
}

static uint32_t count_found(const struct exec *self, struct place decision)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < self->n_found; i++)
        n += same_place(place_of(&self->found[i]), decision);
    return n;
}

static void open_with_found(struct exec *self, const struct basket *basket, const struct trace *trace,
                            const uint32_t leg_of[BASKET_LEGS], struct now now, struct outbox *out)
{
    struct place decision = {basket->risk_epoch, basket->risk_pos};
    struct order order;
    record_basket(self, basket, trace, now, out);
    while (take_found(self, decision, &order)) {
        order.leg = leg_of[order.leg];
        text_set(order.route, sizeof order.route, basket->route);
        ask_for(self, &order, trace, now, out);
    }
}

bool adopted_take(struct exec *self, const struct message *m, struct now now, struct outbox *out)
{
    static const uint32_t as_they_are[BASKET_LEGS] = {0, 1, 2, 3};
    const struct decision *d = &m->decision;
    struct place at = {m->env.epoch, m->env.pos};
    uint32_t n = count_found(self, at);
    if (n == 0)
        return false;
    if (!decision_is_sound(d) || !remembered_has_room(self, n + BASKET_LEGS))
        return true; /* never sent again: what was found is settled without it */
    struct basket basket = {.risk_epoch = at.epoch,
                            .risk_pos = at.pos,
                            .kind = d->kind,
                            .state = BASKET_OPEN,
                            .deadline = d->deadline,
                            .policy = d->policy,
                            .slippage_bps = d->slippage_bps,
                            .n_legs = d->n_legs};
    text_set(basket.route, sizeof basket.route, d->route);
    for (uint32_t i = 0; i < d->n_legs; i++)
        basket.legs[i] = basket_leg_of(self, &d->legs[i]);
    open_with_found(self, &basket, &m->env.trace, as_they_are, now, out);
    return true;
}

/* The first order of a leg tells its instrument, its side and what was decided of it. */
static struct basket_leg leg_of_order(const struct order *o)
{
    struct inst inst = {.kind = KIND_SPOT};
    struct basket_leg leg = {.side = o->side,
                             .price_exp = o->price_exp,
                             .qty_exp = o->qty_exp,
                             .price = o->price,
                             .qty = o->qty,
                             .book_price = o->price};
    (void)symbol_read(o->symbol, &inst);
    leg.kind = inst.kind;
    text_set(leg.symbol, sizeof leg.symbol, o->symbol);
    text_set(leg.venue, sizeof leg.venue, o->venue);
    text_set(leg.base, sizeof leg.base, inst.base);
    text_set(leg.quote, sizeof leg.quote, inst.quote);
    return leg;
}

static void adopt_orphans(struct exec *self, struct place decision, struct now now, struct outbox *out)
{
    static const struct trace none;
    const struct order *first[BASKET_LEGS] = {0};
    uint32_t leg_of[BASKET_LEGS] = {0};
    struct basket basket = {.risk_epoch = decision.epoch,
                            .risk_pos = decision.pos,
                            .kind = INTENT_ENTER,
                            .state = BASKET_OPEN,
                            .reason = REASON_UNKNOWN_ROUTE,
                            .deadline = now.market_ns,
                            .policy = POLICY_PARK};
    for (uint32_t i = 0; i < self->n_found; i++) {
        const struct order *o = &self->found[i];
        if (same_place(place_of(o), decision) && (!first[o->leg] || o->attempt < first[o->leg]->attempt))
            first[o->leg] = o;
    }
    for (uint32_t leg = 0; leg < BASKET_LEGS; leg++) {
        if (!first[leg])
            continue;
        leg_of[leg] = basket.n_legs;
        basket.legs[basket.n_legs++] = leg_of_order(first[leg]);
    }
    open_with_found(self, &basket, &none, leg_of, now, out);
}

/* The oldest decision of what was found that risk's ledger is past. */
static bool oldest_passed(const struct exec *self, struct place *out)
{
    bool any = false;
    for (uint32_t i = 0; i < self->n_found; i++) {
        struct place at = place_of(&self->found[i]);
        if (place_after(at, self->upstream) || (any && !place_after(*out, at)))
            continue;
        *out = at;
        any = true;
    }
    return any;
}

void adopted_settle(struct exec *self, struct now now, struct outbox *out)
{
    uint32_t before = out->n_messages;
    struct place at;
    while (self->n_found > 0 && oldest_passed(self, &at)) {
        uint32_t n = count_found(self, at);
        if (out->n_messages - before + n + 1 > MESSAGES_PER_INPUT || !remembered_has_room(self, n))
            return;
        adopt_orphans(self, at, now, out);
    }
}
