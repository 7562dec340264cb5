/* The checks, in the order of the gate's list. Each looks at one thing and says nothing of what another check
 * says: an unknown route is not also a wrong owner. Entries only or both is said in the list. */
#include <string.h>

#include "services/risk/gate.h"

enum { SKEW_TOLERATED_NS = 1000000 };

static int find(struct finding *f, enum verdict verdict, enum reason reason, money limit, money value)
{
    f->verdict = verdict;
    f->reason = reason;
    f->limit = limit;
    f->value = value;
    return OK;
}

static int reject(struct finding *f, enum reason reason, money limit, money value)
{
    return find(f, VERDICT_REJECT, reason, limit, value);
}

static money absolute(money v)
{
    return v < 0 ? -v : v;
}

/* ---- global ------------------------------------------------------------------------------------------ */

int check_stopping(const struct inquiry *q, struct finding *f)
{
    return q->risk->stopping ? reject(f, REASON_STOPPING, 0, 0) : OK;
}

int check_halted(const struct inquiry *q, struct finding *f)
{
    const struct risk *r = q->risk;
    if (r->state == RISK_NORMAL || r->state == RISK_REDUCE_ONLY)
        return OK;
    if (r->state_reason == REASON_DAILY_LOSS)
        return reject(f, REASON_DAILY_LOSS, -r->limits.max_daily_loss, risk_day_pnl(r));
    return reject(f, REASON_HALTED, 0, 0);
}

int check_reduce_only(const struct inquiry *q, struct finding *f)
{
    return q->risk->state == RISK_REDUCE_ONLY ? reject(f, REASON_REDUCE_ONLY, 0, 0) : OK;
}

int check_daily_loss(const struct inquiry *q, struct finding *f)
{
    money limit = -q->risk->limits.max_daily_loss, pnl = risk_day_pnl(q->risk);
    return pnl < 0 && pnl <= limit ? reject(f, REASON_DAILY_LOSS, limit, pnl) : OK;
}

/* Behind: what is held is not known. What leaves may go on all the same, but not before exec's ledger was read once in
 * this life: after a loss of power it may tell of more that has left than our own does. */
int check_exec_behind(const struct inquiry *q, struct finding *f)
{
    const struct risk *r = q->risk;
    if (q->intent->kind == INTENT_EXIT)
        return r->exec_read
                   ? OK
                   : reject(f, REASON_EXEC_BEHIND, in_units(r->exec_head.pos), in_units(r->exec.pos));
    int64_t late = r->config->risk.exec_late_ms * NS_PER_MS;
    int64_t silent = r->exec_beat_mono_ns ? q->now.mono_ns - r->exec_beat_mono_ns : 0;
    if (silent > late)
        return reject(f, REASON_EXEC_BEHIND, in_seconds(late), in_seconds(silent));
    if (!risk_has_exec(r))
        return reject(f, REASON_EXEC_BEHIND, in_units(r->exec_head.pos), in_units(r->exec.pos));
    return OK;
}

/* A leg as part of a sum: nothing where its prices are not known, which other checks refuse. */
static bool is_valued(const struct leg_facts *leg)
{
    return leg->sound && leg->quote && leg->mid_status == OK && leg->fx_status == OK;
}

/* What a leg adds to an instrument's worst case, and that worst case, in the reporting currency. */
static int worst_after(const struct leg_facts *leg, money *after)
{
    money worst;
    bool buys = leg->leg->side == SIDE_BUY;
    int status = exposure_worst(leg->exposure, buys ? leg->quantity : 0, buys ? 0 : leg->quantity, &worst);
    return status == OK ? exposure_value(worst, leg->mid, leg->fx, after) : status;
}

int check_gross(const struct inquiry *q, struct finding *f)
{
    money gross = q->risk->gross;
    if (q->risk->unpriced > 0)
        return reject(f, REASON_NO_FX, 0, in_units(q->risk->unpriced));
    for (uint32_t i = 0; i < q->n_legs; i++) {
        money after;
        if (!is_valued(&q->legs[i]))
            continue;
        int status = worst_after(&q->legs[i], &after);
        if (status == OK)
            status = money_sub(after, q->legs[i].exposure->worst_value, &after);
        if (status == OK)
            status = money_add(gross, after, &gross);
        if (status != OK)
            return status;
    }
    money limit = q->risk->limits.max_gross;
    return gross > limit ? reject(f, REASON_GROSS_EXPOSURE, limit, gross) : OK;
}

/* ---- venue ------------------------------------------------------------------------------------------- */

static bool is_down(const struct quote *quote)
{
    return quote->state != BOOK_LIVE &&
           (quote->reason == STALE_DISCONNECT || quote->reason == STALE_BEAT_LATE);
}

int check_venue_down(const struct inquiry *q, struct finding *f)
{
    for (uint32_t i = 0; i < q->n_legs; i++) {
        if (q->legs[i].quote && is_down(q->legs[i].quote))
            return reject(f, REASON_VENUE_DOWN, 0, 0);
    }
    return OK;
}

/* An entry wants a LIVE book, fresh by both clocks. A reduction may go by the last good price while that is
 * young in market time. */
int check_stale(const struct inquiry *q, struct finding *f)
{
    const struct limits *limits = &q->risk->limits;
    int64_t market_limit = q->risk->config->risk.max_market_age_ms * NS_PER_MS;
    bool entry = q->intent->kind != INTENT_EXIT;
    for (uint32_t i = 0; i < q->n_legs; i++) {
        const struct quote *quote = q->legs[i].quote;
        if (!quote)
            continue;
        int64_t age = q->now.mono_ns - quote->book.recv_mono;
        int64_t market_age = q->now.market_ns - quote->book.recv_time;
        if (entry && quote->state != BOOK_LIVE)
            return reject(f, REASON_DATA_STALE, 0, in_units(quote->reason));
        if (entry && age > limits->max_age_ns)
            return reject(f, REASON_DATA_STALE, in_seconds(limits->max_age_ns), in_seconds(age));
        if (market_age > market_limit)
            return reject(f, REASON_DATA_STALE, in_seconds(market_limit), in_seconds(market_age));
    }
    return OK;
}

int check_fx(const struct inquiry *q, struct finding *f)
{
    int64_t limit = q->risk->config->run.fx_max_age_ms * NS_PER_MS;
    for (uint32_t i = 0; i < q->n_legs; i++) {
        if (q->legs[i].quote && q->legs[i].fx_status != OK)
            return reject(f, REASON_NO_FX, in_seconds(limit), 0);
    }
    return OK;
}

/* ---- route ------------------------------------------------------------------------------------------- */

int check_route(const struct inquiry *q, struct finding *f)
{
    return q->route ? OK : reject(f, REASON_UNKNOWN_ROUTE, 0, 0);
}

int check_owner(const struct inquiry *q, struct finding *f)
{
    const struct held_route *route = q->route;
    if (!route)
        return OK;
    bool owns = q->owner && q->owner->live && route->owner == q->owner - q->risk->owners &&
                route->owner_incarnation == q->intent->incarnation &&
                route->route_epoch == q->intent->route_epoch;
    return owns ? OK
                : reject(f, REASON_NOT_OWNER, in_units(route->route_epoch), in_units(q->intent->route_epoch));
}

/* The worker must have known everything that happened to the route; and nothing that did not, as after a
 * ledger that went back: what it knows of an older life counts up to this one's base only. */
int check_state(const struct inquiry *q, struct finding *f)
{
    struct place known = {q->intent->state_epoch, q->intent->state_pos};
    struct place head = {q->risk->head.epoch, q->risk->head.pos};
    if (!q->route)
        return OK;
    struct place base = q->risk->base;
    bool lost = known.epoch == head.epoch ? place_before(head, known)
                                          : known.epoch != base.epoch || place_before(base, known);
    if (lost || place_before(known, q->route->last))
        return reject(f, REASON_STATE_OLD, in_units(q->route->last.pos), in_units(known.pos));
    return OK;
}

int check_busy(const struct inquiry *q, struct finding *f)
{
    return q->route && route_busy(q->route) ? reject(f, REASON_ROUTE_BUSY, 0, 0) : OK;
}

int check_parked(const struct inquiry *q, struct finding *f)
{
    return q->route && q->route->parked ? reject(f, REASON_ROUTE_PARKED, 0, 0) : OK;
}

int check_cool_down(const struct inquiry *q, struct finding *f)
{
    if (!q->route || q->now.market_ns >= q->route->cool_until)
        return OK;
    return find(f, VERDICT_COOL, REASON_COOL_DOWN, in_seconds(q->route->cool_until),
                in_seconds(q->now.market_ns));
}

int check_edge(const struct inquiry *q, struct finding *f)
{
    money limit, edge = (money)q->intent->edge_nbps * 1000000000;
    int status = money_of(q->risk->limits.max_edge_bps, &limit);
    return status == OK && edge > limit ? reject(f, REASON_ABNORMAL_EDGE, limit, edge) : status;
}

/* ---- instrument -------------------------------------------------------------------------------------- */

int check_instrument(const struct inquiry *q, struct finding *f)
{
    for (uint32_t i = 0; i < q->n_legs && q->route; i++) {
        if (!q->legs[i].quote)
            return reject(f, REASON_UNKNOWN_INSTRUMENT, 0, in_units(i));
    }
    return OK;
}

/* Whether a value is a whole number of steps. An unknown step fits everything. */
static int check_step(struct dec value, struct dec step, enum reason reason, struct finding *f)
{
    struct dec rounded;
    money limit, amount;
    if (step.m == 0)
        return OK;
    int status = dec_to_step(value, step, ROUND_EXACT, &rounded);
    if (status != E_INEXACT)
        return status;
    if ((status = money_of(step, &limit)) != OK || (status = money_of(value, &amount)) != OK)
        return status;
    return reject(f, reason, limit, amount);
}

int check_tick(const struct inquiry *q, struct finding *f)
{
    int status = OK;
    for (uint32_t i = 0; i < q->n_legs && status == OK && f->verdict == VERDICT_ACCEPT; i++) {
        const struct leg_facts *leg = &q->legs[i];
        if (leg->sound && leg->quote)
            status = check_step(leg->price, leg->quote->inst.tick, REASON_TICK, f);
    }
    return status;
}

int check_lot(const struct inquiry *q, struct finding *f)
{
    int status = OK;
    for (uint32_t i = 0; i < q->n_legs && status == OK && f->verdict == VERDICT_ACCEPT; i++) {
        const struct leg_facts *leg = &q->legs[i];
        if (leg->sound && leg->quote)
            status = check_step(leg->qty, leg->quote->inst.lot, REASON_LOT, f);
    }
    return status;
}

static int below_minimum(const struct leg_facts *leg, struct finding *f)
{
    const struct inst *inst = &leg->quote->inst;
    money least, notional;
    int status = money_of(inst->min_qty, &least);
    if (status == OK && leg->quantity < least)
        return reject(f, REASON_MIN_NOTIONAL, least, leg->quantity);
    if (status == OK)
        status = money_of(inst->min_notional, &least);
    if (status != OK || least == 0)
        return status;
    status = money_scale(leg->quantity, leg->price, ROUND_DOWN, &notional);
    return status == OK && notional < least ? reject(f, REASON_MIN_NOTIONAL, least, notional) : status;
}

int check_min_notional(const struct inquiry *q, struct finding *f)
{
    int status = OK;
    for (uint32_t i = 0; i < q->n_legs && status == OK && f->verdict == VERDICT_ACCEPT; i++) {
        if (q->legs[i].sound && q->legs[i].quote)
            status = below_minimum(&q->legs[i], f);
    }
    return status;
}

int check_max_notional(const struct inquiry *q, struct finding *f)
{
    money limit = q->risk->limits.max_notional;
    for (uint32_t i = 0; i < q->n_legs; i++) {
        const struct leg_facts *leg = &q->legs[i];
        money value;
        if (!leg->sound || leg->fx_status != OK)
            continue;
        int status = exposure_value(leg->quantity, leg->price, leg->fx, &value);
        if (status != OK)
            return status;
        if (value > limit)
            return reject(f, REASON_MAX_NOTIONAL, limit, value);
    }
    return OK;
}

/* The position after all that is open in this order's direction is filled, and it too. An order that only
 * makes a position of the other sign smaller passes. */
static int position_after(const struct leg_facts *leg, money *out)
{
    const struct exposure *e = leg->exposure;
    bool buys = leg->leg->side == SIDE_BUY;
    money open, after;
    int status = money_add(buys ? e->buys : e->sells, leg->quantity, &open);
    if (status == OK)
        status = buys ? money_add(e->qty, open, &after) : money_sub(open, e->qty, &after);
    if (status != OK)
        return status;
    return exposure_value(after > 0 ? after : 0, leg->mid, leg->fx, out);
}

int check_position(const struct inquiry *q, struct finding *f)
{
    money limit = q->risk->limits.max_position;
    for (uint32_t i = 0; i < q->n_legs; i++) {
        money value;
        if (!is_valued(&q->legs[i]))
            continue;
        int status = position_after(&q->legs[i], &value);
        if (status != OK)
            return status;
        if (value > limit)
            return reject(f, REASON_POSITION_LIMIT, limit, value);
    }
    return OK;
}

static int beyond_collar(const struct risk *risk, const struct leg_facts *leg, struct finding *f)
{
    const struct level *levels;
    bool buys = leg->leg->side == SIDE_BUY;
    money best, bound, price;
    int status = money_of(leg->price, &price);
    if (status != OK)
        return status;
    if (quote_levels(leg->quote, leg->leg->side, &levels) == 0)
        return reject(f, REASON_PRICE_COLLAR, 0, price);
    status = money_of(quote_price(leg->quote, levels[0].price), &best);
    if (status == OK)
        status = money_scale(best, buys ? risk->collar_buy : risk->collar_sell,
                             buys ? ROUND_FLOOR : ROUND_CEILING, &bound);
    if (status != OK)
        return status;
    return (buys ? price > bound : price < bound) ? reject(f, REASON_PRICE_COLLAR, bound, price) : OK;
}

int check_collar(const struct inquiry *q, struct finding *f)
{
    int status = OK;
    for (uint32_t i = 0; i < q->n_legs && status == OK && f->verdict == VERDICT_ACCEPT; i++) {
        if (q->legs[i].sound && q->legs[i].quote)
            status = beyond_collar(q->risk, &q->legs[i], f);
    }
    return status;
}

/* What leaves may not be more than what the route holds, and not on its side. */
int check_reducing(const struct inquiry *q, struct finding *f)
{
    if (!q->route || (q->intent->kind != INTENT_EXIT && !q->intent->reduce_only))
        return OK;
    for (uint32_t i = 0; i < q->n_legs; i++) {
        const struct leg_facts *leg = &q->legs[i];
        money held;
        if (!leg->sound || leg->route_leg < 0)
            continue;
        int status = money_of(q->route->legs[leg->route_leg].qty, &held);
        if (status != OK)
            return status;
        bool other_side = leg->leg->side == SIDE_BUY ? held < 0 : held > 0;
        if (!other_side || leg->quantity > absolute(held))
            return reject(f, REASON_NOT_REDUCING, held,
                          leg->leg->side == SIDE_BUY ? leg->quantity : -leg->quantity);
    }
    return OK;
}

/* ---- intent ------------------------------------------------------------------------------------------ */

/* How old the oldest book was that an entry was decided on. How old a reduction's book may be is said by
 * `stale`; here only how long the intent was under way. */
int check_age(const struct inquiry *q, struct finding *f)
{
    int64_t oldest = q->intent->decided_mono, limit = q->risk->limits.max_intent_age_ns;
    for (uint32_t i = 0; i < q->n_legs && q->intent->kind != INTENT_EXIT; i++) {
        int64_t at = q->legs[i].leg->book_mono;
        oldest = at < oldest ? at : oldest;
    }
    int64_t age = q->now.mono_ns - oldest;
    return age > limit ? reject(f, REASON_INTENT_TOO_OLD, in_seconds(limit), in_seconds(age)) : OK;
}

/* Stamps of the future, or of another boot or host, or of one that is not told, tell no age. */
int check_skew(const struct inquiry *q, struct finding *f)
{
    int64_t newest = q->intent->decided_mono;
    uint64_t boot = q->trace->boot_id;
    for (uint32_t i = 0; i < q->n_legs; i++) {
        int64_t at = q->legs[i].leg->book_mono;
        newest = at > newest ? at : newest;
    }
    int64_t ahead = newest - q->now.mono_ns;
    bool other = q->risk->boot_id != 0 && boot != q->risk->boot_id;
    return other || ahead > SKEW_TOLERATED_NS
               ? reject(f, REASON_CLOCK_SKEW, in_seconds(SKEW_TOLERATED_NS), in_seconds(ahead))
               : OK;
}

int check_duplicate(const struct inquiry *q, struct finding *f)
{
    if (!q->owner || q->intent->id > q->owner->high_water)
        return OK;
    return reject(f, REASON_DUPLICATE, in_units(q->owner->high_water), in_units(q->intent->id));
}

int check_open_orders(const struct inquiry *q, struct finding *f)
{
    uint32_t limit = q->risk->limits.max_open_orders, open = q->risk->open_orders + q->n_legs;
    return open > limit ? reject(f, REASON_OPEN_ORDERS, in_units(limit), in_units(open)) : OK;
}

static bool names_are_good(const struct inquiry *q)
{
    const struct intent *in = q->intent;
    return strcmp(in->run, q->risk->run) == 0 && strcmp(in->account, q->risk->config->run.account) == 0 &&
           in->worker[0] != '\0' && in->id != 0;
}

static bool values_are_listed(const struct intent *in)
{
    return (in->kind == INTENT_ENTER || in->kind == INTENT_EXIT) && in->tif >= TIF_IOC &&
           in->tif <= TIF_FOK && in->policy >= POLICY_COMPLETE && in->policy <= POLICY_PARK &&
           in->cause <= EXIT_AGE && in->slippage_bps.m >= 0;
}

int check_form(const struct inquiry *q, struct finding *f)
{
    if (q->n_legs == 0 || q->n_legs != q->intent->n_legs || !names_are_good(q) ||
        !values_are_listed(q->intent))
        return reject(f, REASON_MALFORMED, 0, in_units(q->intent->n_legs));
    for (uint32_t i = 0; i < q->n_legs; i++) {
        bool twice = false;
        for (uint32_t j = 0; j < i; j++)
            twice = twice || (q->legs[i].route_leg >= 0 && q->legs[i].route_leg == q->legs[j].route_leg);
        if (q->legs[i].quantity_status != OK)
            return q->legs[i].quantity_status;
        if (!q->legs[i].sound || twice)
            return reject(f, REASON_MALFORMED, 0, in_units(i));
    }
    return OK;
}

int check_deadline(const struct inquiry *q, struct finding *f)
{
    if (q->now.market_ns <= q->intent->deadline)
        return OK;
    return reject(f, REASON_DEADLINE, in_seconds(q->intent->deadline), in_seconds(q->now.market_ns));
}
