/* What exec's ledger changes: positions, reservations, and the state of routes.
 *
 * Exec's ledger is read from its beginning at every start. Positions are made of it anew; of a route's
 * holdings the own ledger already tells what happened up to route.exec, so a fill at or below that place only
 * moves the position. What an open basket fills is gathered in the basket and told, once, when nothing of it
 * is open any more: no route record is written while a basket is open. */
#include <string.h>

#include "lib/base/text.h"
#include "services/risk/risk_internal.h"

static struct held_route *route_named(struct risk *self, const char *name)
{
    int index = table_find(self->route_names, name, strlen(name));
    return index < 0 ? NULL : &self->routes[index];
}

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
    route->last = basket->decision;
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
    route->entry_time = r->entry_time;
    route->cool_until = r->cool_until;
    route->entry_edge_nbps = r->entry_edge_nbps;
    route->entry_side = r->entry_side;
    self->round_trips += r->round_trips - route->round_trips;
    route->round_trips = r->round_trips;
    route->realised = r->realised;
    route->exec = (struct place){r->exec_epoch, r->exec_pos};
    route->last = (struct place){m->env.epoch, m->env.pos};
    release(self, route);
}

/* ---- what a route holds ------------------------------------------------------------------------------ */

/* Adds a fill to what is gathered. The fee in quote currency where it can be told. */
static int gather(struct risk *self, struct open_leg *leg, const struct fill *fill)
{
    struct dec price = {fill->price, fill->price_exp}, qty = {fill->qty, fill->qty_exp}, fx;
    struct open_leg after = *leg;
    money notional, fee = 0;
    bool buy = fill->side == SIDE_BUY;
    int status = buy ? dec_add(leg->qty, qty, &after.qty) : dec_sub(leg->qty, qty, &after.qty);
    if (status == OK)
        status = money_product(price, qty, &notional);
    if (status == OK)
        status = money_add(leg->cost, buy ? notional : -notional, &after.cost);
    if (status == OK && strcmp(fill->fee_currency, fill->base) == 0)
        status = money_product(price, fill->fee, &fee);
    else if (status == OK)
        status = money_of(fill->fee, &fee);
    if (status == OK && fee != 0 && strcmp(fill->fee_currency, fill->quote) != 0 &&
        strcmp(fill->fee_currency, fill->base) != 0) {
        if (view_fx(self->view, fill->fee_currency, fill->quote, self->config->run.fx_max_age_ms * NS_PER_MS,
                    &fx) == OK)
            status = money_scale(fee, fx, ROUND_HALF_EVEN, &fee);
        else
            fee = 0, self->fx_missing++;
    }
    if (status == OK)
        status = money_add(leg->fees, fee, &after.fees);
    if (status == OK)
        *leg = after;
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

/* Less than a lot is left of everything: nothing that could be ordered. */
static bool is_flat(const struct risk *self, const struct held_route *route, const struct route_leg *legs)
{
    for (uint32_t i = 0; i < route->n_legs; i++) {
        int index = route->exposures[i];
        const struct quote *q = index < 0 ? NULL : exposure_quote(self, &self->exposures[index]);
        struct dec lot = q ? lot_of(q) : (struct dec){0};
        struct dec held = legs[i].qty;
        if (held.m != 0 && held.m != INT64_MIN) {
            held.m = held.m < 0 ? -held.m : held.m;
            if (lot.m == 0 || dec_cmp(held, lot) >= 0)
                return false;
        }
    }
    return true;
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

static bool add_gathered(const struct held_route *route, const struct open_basket *basket,
                         struct route_leg legs[LEGS_MAX], bool *traded)
{
    *traded = false;
    for (uint32_t i = 0; i < route->n_legs; i++) {
        const struct open_leg *leg = &basket->legs[i];
        *traded = *traded || leg->qty.m != 0 || leg->cost != 0;
        if (dec_add(legs[i].qty, leg->qty, &legs[i].qty) != OK ||
            money_add(legs[i].cost, leg->cost, &legs[i].cost) != OK ||
            money_add(legs[i].fees, leg->fees, &legs[i].fees) != OK)
            return false;
    }
    return true;
}

static void close_out(struct risk *self, const struct held_route *route, struct route *r, struct now now)
{
    r->realised = realised(self, route, r->legs);
    r->round_trips += route->entry_time != 0;
    r->cool_until = now.market_ns + self->config->arb.cool_down_ms * NS_PER_MS;
    r->entry_time = 0;
    r->entry_edge_nbps = 0;
    r->entry_side = SIDE_NONE;
    for (uint32_t i = 0; i < r->n_legs; i++)
        r->legs[i].cost = r->legs[i].fees = 0;
}

/* Tells the state of a route with what was gathered in `basket`, as of the record of exec just read. */
static void write_route(struct risk *self, struct held_route *route, const struct open_basket *basket,
                        bool parked, struct now now, struct outbox *out)
{
    struct message *m = outbox_record(out, &self->head, MSG_ROUTE, now);
    struct route *r = &m->route;
    bool traded;
    text_set(r->route, sizeof r->route, route->name);
    r->route_epoch = route->route_epoch;
    r->exec_epoch = self->exec.epoch;
    r->exec_pos = self->exec.pos;
    r->busy = route->adopted > 0;
    r->parked = parked;
    r->entry_time = route->entry_time;
    r->cool_until = route->cool_until;
    r->entry_edge_nbps = route->entry_edge_nbps;
    r->entry_side = route->entry_side;
    r->round_trips = route->round_trips;
    r->realised = route->realised;
    r->n_legs = route->n_legs;
    memcpy(r->legs, route->legs, sizeof r->legs);
    if (!add_gathered(route, basket, r->legs, &traded))
        self->broken = true;
    if (traded && is_flat(self, route, r->legs)) {
        close_out(self, route, r, now);
    } else if (traded && route->entry_time == 0) {
        r->entry_time = basket->accepted_time != 0 ? basket->accepted_time : now.market_ns;
        r->entry_edge_nbps = basket->edge_nbps;
        r->entry_side = r->legs[0].qty.m > 0   ? SIDE_BUY
                        : r->legs[0].qty.m < 0 ? SIDE_SELL
                                               : basket->legs[0].side;
    }
    risk_apply(self, m);
    assignment_reconsider(self, route, now, out);
}

bool executions_unpark(struct risk *self, const char *name, struct now now, struct outbox *out)
{
    struct held_route *route = route_named(self, name);
    static const struct open_basket nothing;
    if (!route || !route->parked || route->basket.open)
        return false;
    write_route(self, route, &nothing, false, now, out);
    return true;
}

/* ---- fills ------------------------------------------------------------------------------------------- */

static int book_position(struct risk *self, const struct fill *fill)
{
    int status = portfolio_fill(self->portfolio, fill);
    int index = exposure_take(self, fill->symbol, fill->venue);
    if (status != OK || index < 0)
        return status != OK ? status : index;
    const struct position *p = portfolio_position(
        self->portfolio, (uint32_t)portfolio_find(self->portfolio, fill->symbol, fill->venue));
    struct exposure *e = &self->exposures[index];
    e->qty = p->qty;
    e->cash = p->cash;
    e->fees = p->fees;
    text_set(e->quote, sizeof e->quote, p->quote);
    exposure_refresh(self, e);
    return OK;
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

static void on_fill(struct risk *self, const struct fill *fill, struct now now, struct outbox *out)
{
    if (book_position(self, fill) != OK) {
        self->broken = true;
        return;
    }
    struct held_route *route = route_named(self, fill->route);
    int k = route ? route_leg_of(route, fill->symbol, fill->venue) : E_ABSENT;
    if (k >= 0 && place_before(route->exec, self->exec)) {
        struct open_basket late = {0};
        struct open_basket *basket = route->basket.open ? &route->basket : &late;
        struct place decision = {fill->risk_epoch, fill->risk_pos};
        if (gather(self, &basket->legs[k], fill) != OK)
            self->broken = true;
        if (basket->open && memcmp(&decision, &basket->decision, sizeof decision) == 0) {
            take_from_reserve(self, route, &basket->legs[k], k, fill);
        } else {
            self->late_fills++;
            if (!basket->open)
                write_route(self, route, &late, route->parked, now, out);
        }
    }
    risk_watch_loss(self, now, out);
}

static void on_basket(struct risk *self, const struct basket *b, struct now now, struct outbox *out)
{
    struct held_route *route = route_named(self, b->route);
    if (!b->terminal || !route || !place_before(route->exec, self->exec))
        return;
    struct open_basket *basket = &route->basket;
    bool parks = b->state == BASKET_PARKED;
    if (basket->open && basket->decision.epoch == b->risk_epoch && basket->decision.pos == b->risk_pos) {
        write_route(self, route, basket, route->parked || parks || basket->parks, now, out);
    } else if (parks && basket->open) {
        basket->parks = true;
    } else if (parks && !route->parked) {
        static const struct open_basket nothing;
        write_route(self, route, &nothing, true, now, out);
    }
}

/* ---- orders of decisions that are not known here ------------------------------------------------------ */

static bool order_is_over(enum order_state state)
{
    return state == ORDER_FILLED || state == ORDER_CANCELED || state == ORDER_REJECTED ||
           state == ORDER_EXPIRED || state == ORDER_DENIED;
}

/* The order's place; a free one when it has none. NULL: none is free. */
static struct adopted_order *adopted_place(struct risk *self, const char *client_id)
{
    struct adopted_order *free = NULL;
    uint32_t passed = 0;
    for (uint32_t i = 0; i < ADOPTED_MAX; i++) {
        struct adopted_order *a = &self->adopted[i];
        if (a->client_id[0] == '\0') {
            free = free ? free : a;
            if (passed == self->adopted_orders)
                break;
            continue;
        }
        passed++;
        if (strcmp(a->client_id, client_id) == 0)
            return a;
    }
    return free;
}

static void let_go(struct risk *self, struct adopted_order *a, struct now now, struct outbox *out)
{
    struct held_route *route = a->route == NOBODY ? NULL : &self->routes[a->route];
    bool history = a->history;
    exposure_reserve(self, a->exposure, a->side, -a->rest);
    memset(a, 0, sizeof *a);
    self->adopted_orders--;
    self->open_orders--;
    if (!route || --route->adopted > 0)
        return;
    static const struct open_basket nothing;
    if (!route->basket.open && !history)
        write_route(self, route, &nothing, route->parked, now, out);
}

static void adopt(struct risk *self, struct adopted_order *a, const struct order *o)
{
    int index = table_find(self->route_names, o->route, strlen(o->route));
    a->route = index < 0 ? NOBODY : index;
    a->exposure = exposure_take(self, o->symbol, o->venue);
    a->side = o->side;
    text_set(a->client_id, sizeof a->client_id, o->client_id);
    self->adopted_orders++;
    self->open_orders++;
    if (a->route != NOBODY)
        self->routes[a->route].adopted++;
    a->history = a->route != NOBODY && !place_before(self->routes[a->route].exec, self->exec);
    self->adoptions += !a->history;
}

/* An order that follows no open basket here: its decision is lost, or was closed and the venue opened it
 * again. It is counted as exposure until it is over. Reading old records again adopts what was closed long
 * ago, and lets go of it again, before anything is decided on it. */
static void on_order(struct risk *self, const struct order *o, struct now now, struct outbox *out)
{
    const struct held_route *route = route_named(self, o->route);
    struct adopted_order *a = adopted_place(self, o->client_id);
    bool held = a && a->client_id[0] != '\0';
    if (o->client_id[0] == '\0')
        return;
    if (order_is_over(o->state)) {
        if (held)
            let_go(self, a, now, out);
        return;
    }
    if (!held && route && route->basket.open && route->basket.decision.epoch == o->risk_epoch &&
        route->basket.decision.pos == o->risk_pos)
        return;
    if (!a) {
        self->broken = true;
        return;
    }
    if (!held)
        adopt(self, a, o);
    money rest;
    int64_t open;
    if (__builtin_sub_overflow(o->qty, o->filled, &open) ||
        money_of((struct dec){open, o->qty_exp}, &rest) != OK) {
        self->broken = true;
        return;
    }
    exposure_reserve(self, a->exposure, a->side, rest - a->rest);
    a->rest = rest;
}

/* ---- the ledger --------------------------------------------------------------------------------------- */

static void on_beat(struct risk *self, const struct message *m, struct now now)
{
    self->exec_beat_mono_ns = now.mono_ns;
    struct place head = {m->env.epoch, m->beat.head_pos};
    if (m->beat.head_pos != 0)
        self->exec_head = head;
}

void risk_on_exec(struct risk *self, const struct message *m, struct now now, struct outbox *out)
{
    struct place at = {m->env.epoch, m->env.pos};
    if (m->env.type == MSG_BEAT) {
        on_beat(self, m, now);
        return;
    }
    if (m->env.type == MSG_GAP || (m->env.type == MSG_EPOCH && m->epoch.base_pos < self->exec.pos))
        self->broken = true; /* records are missing, or were applied that never were */
    if (!place_before(self->exec, at)) {
        self->ignored++;
        return;
    }
    self->exec = at;
    if (m->env.type == MSG_FILL)
        on_fill(self, &m->fill, now, out);
    else if (m->env.type == MSG_BASKET)
        on_basket(self, &m->basket, now, out);
    else if (m->env.type == MSG_ORDER)
        on_order(self, &m->order, now, out);
    else if (m->env.type == MSG_ADJUST && portfolio_adjust(self->portfolio, &m->adjust) != OK)
        self->broken = true;
    assignment_settle(self, now, out);
}
