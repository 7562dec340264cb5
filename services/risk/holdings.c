/* What a route holds, and telling it. What an open basket fills is gathered in the basket and told, once, when
 * nothing of it is open any more: no route record is written while a basket is open. */
#include <string.h>

#include "lib/base/text.h"
#include "lib/market/instrument.h"
#include "services/risk/risk_internal.h"

struct held_route *route_named(struct risk *self, const char *name)
{
    int index = table_find(self->route_names, name, strlen(name));
    return index < 0 ? NULL : &self->routes[index];
}

/* ---- amounts ----------------------------------------------------------------------------------------- */

int holdings_of_fill(struct risk *self, const struct fill *fill, struct open_leg *out)
{
    struct dec price = {fill->price, fill->price_exp}, fx;
    bool buy = fill->side == SIDE_BUY;
    *out = (struct open_leg){.qty = {buy ? fill->qty : -fill->qty, fill->qty_exp}};
    int status = money_product(price, out->qty, &out->cost);
    if (status == OK && strcmp(fill->fee_currency, fill->base) == 0)
        return money_product(price, fill->fee, &out->fees);
    if (status == OK)
        status = money_of(fill->fee, &out->fees);
    if (status != OK || out->fees == 0 || strcmp(fill->fee_currency, fill->quote) == 0)
        return status;
    if (view_fx(self->view, fill->fee_currency, fill->quote, self->config->run.fx_max_age_ms * NS_PER_MS,
                &fx) == OK)
        return money_scale(out->fees, fx, ROUND_HALF_EVEN, &out->fees);
    out->fees = 0;
    self->fx_missing++;
    return OK;
}

int holdings_add(struct open_leg *leg, const struct open_leg *more)
{
    struct open_leg sum = *leg;
    int status = dec_add(leg->qty, more->qty, &sum.qty);
    if (status == OK)
        status = money_add(leg->cost, more->cost, &sum.cost);
    if (status == OK)
        status = money_add(leg->fees, more->fees, &sum.fees);
    if (status == OK)
        *leg = sum;
    return status;
}

/* The least that can be ordered; where the venue does not say, the unit of the book's own quantities. 0 = not
 * known. */
static struct dec lot_of(const struct quote *q)
{
    if (q->inst.lot.m == 0 && q->book.n_bids + q->book.n_asks > 0)
        return (struct dec){1, q->book.qty_exp};
    return q->inst.lot;
}

/* Less than a lot, or than the venue takes at the present price: nothing that could be ordered. */
static bool is_dust(const struct risk *self, const struct held_route *route, uint32_t leg, struct dec held)
{
    struct dec mid;
    if (held.m == 0 || held.m == INT64_MIN)
        return held.m == 0;
    int index = route->exposures[leg];
    const struct quote *q = index < 0 ? NULL : exposure_quote(self, &self->exposures[index]);
    struct dec lot = q ? lot_of(q) : (struct dec){0};
    held.m = held.m < 0 ? -held.m : held.m;
    if (lot.m != 0 && dec_cmp(held, lot) < 0)
        return true;
    return q && exposure_mid(q, &mid) == OK && instrument_too_small(&q->inst, held, mid);
}

static bool is_flat(const struct risk *self, const struct held_route *route, const struct route_leg *legs)
{
    bool flat = true;
    for (uint32_t i = 0; i < route->n_legs && flat; i++)
        flat = is_dust(self, route, i, legs[i].qty);
    return flat;
}

/* A round trip's costs are told when it is over, and are none of the next one's. */
int holdings_read(struct risk *self, struct held_route *route, uint32_t leg, const struct open_leg *more)
{
    int status = holdings_add(&route->read[leg], more);
    bool flat = status == OK;
    for (uint32_t i = 0; i < route->n_legs && flat; i++)
        flat = is_dust(self, route, i, route->read[i].qty);
    for (uint32_t i = 0; i < route->n_legs && flat; i++)
        route->read[i].cost = route->read[i].fees = 0;
    return status;
}

/* What came of all legs, in the first leg's quote currency. */
static money realised(struct risk *self, const struct held_route *route, const struct route_leg *legs)
{
    money sum = 0;
    const char *to = route->exposures[0] < 0 ? "" : self->exposures[route->exposures[0]].quote;
    for (uint32_t i = 0; i < route->n_legs; i++) {
        const char *from = route->exposures[i] < 0 ? "" : self->exposures[route->exposures[i]].quote;
        money paid;
        struct dec fx = {1, 0};
        int status = money_add(legs[i].cost, legs[i].fees, &paid);
        if (status == OK && paid != 0 && strcmp(from, to) != 0)
            status = view_fx(self->view, from, to, self->config->run.fx_max_age_ms * NS_PER_MS, &fx);
        if (status == OK)
            status = money_scale(paid, fx, ROUND_HALF_EVEN, &paid);
        if (status == OK)
            status = money_sub(sum, paid, &sum);
        if (status != OK)
            self->fx_missing++;
    }
    return sum;
}

/* ---- telling ----------------------------------------------------------------------------------------- */

static bool add_gathered(const struct held_route *route, const struct open_basket *basket,
                         struct route_leg legs[LEGS_MAX], bool *traded)
{
    *traded = false;
    for (uint32_t i = 0; i < route->n_legs; i++) {
        struct open_leg sum = {.qty = legs[i].qty, .cost = legs[i].cost, .fees = legs[i].fees};
        *traded = *traded || basket->legs[i].qty.m != 0 || basket->legs[i].cost != 0;
        if (holdings_add(&sum, &basket->legs[i]) != OK)
            return false;
        legs[i].qty = sum.qty;
        legs[i].cost = sum.cost;
        legs[i].fees = sum.fees;
    }
    return true;
}

/* Legs as exec's records tell them. True: they are others than was told. */
static bool take_read(const struct held_route *route, struct route_leg legs[LEGS_MAX])
{
    bool other = false;
    for (uint32_t i = 0; i < route->n_legs; i++) {
        other = other || dec_cmp(legs[i].qty, route->read[i].qty) != 0;
        legs[i].qty = route->read[i].qty;
        legs[i].cost = route->read[i].cost;
        legs[i].fees = route->read[i].fees;
    }
    return other;
}

static void close_out(struct risk *self, const struct held_route *route, struct route *r, struct now now)
{
    r->realised = realised(self, route, r->legs);
    r->round_trips += route->entry_time != 0 && !route->mend; /* what never was is no round trip */
    r->cool_until = now.market_ns + self->config->arb.cool_down_ms * NS_PER_MS;
    r->entry_time = 0;
    r->entry_edge_nbps = 0;
    r->entry_side = SIDE_NONE;
    for (uint32_t i = 0; i < r->n_legs; i++)
        r->legs[i].cost = r->legs[i].fees = 0;
}

static void enter(struct route *r, const struct open_basket *basket, struct now now)
{
    r->entry_time = basket->accepted_time != 0 ? basket->accepted_time : now.market_ns;
    r->entry_edge_nbps = basket->edge_nbps;
    r->entry_side = r->legs[0].qty.m > 0 ? SIDE_BUY : r->legs[0].qty.m < 0 ? SIDE_SELL : basket->legs[0].side;
}

void holdings_tell(const struct held_route *route, struct route *r)
{
    text_set(r->route, sizeof r->route, route->name);
    r->route_epoch = route->route_epoch;
    r->parked = route->parked;
    r->entry_time = route->entry_time;
    r->cool_until = route->cool_until;
    r->entry_edge_nbps = route->entry_edge_nbps;
    r->entry_side = route->entry_side;
    r->round_trips = route->round_trips;
    r->realised = route->realised;
    r->n_legs = route->n_legs;
    memcpy(r->legs, route->legs, sizeof r->legs);
}

void holdings_write(struct risk *self, struct held_route *route, const struct open_basket *basket,
                    bool parked, enum reason reason, struct now now, struct outbox *out)
{
    static const struct open_basket nothing;
    struct message *m = outbox_record(out, &self->head, MSG_ROUTE, now);
    struct route *r = &m->route;
    bool traded;
    basket = basket ? basket : &nothing;
    holdings_tell(route, r);
    r->exec_epoch = self->exec.epoch;
    r->exec_pos = self->exec.pos;
    r->busy = route->adopted > 0 || route->stray.epoch != 0 || route->hold.epoch != 0;
    r->parked = parked;
    r->reason = route->mend ? REASON_ROLLED_BACK : reason;
    if (route->mend)
        traded = take_read(route, r->legs);
    else if (!add_gathered(route, basket, r->legs, &traded))
        self->broken = true;
    if (traded && is_flat(self, route, r->legs))
        close_out(self, route, r, now);
    else if (traded && route->entry_time == 0)
        enter(r, basket, now);
    risk_apply(self, m);
    assignment_reconsider(self, route, now, out);
}
