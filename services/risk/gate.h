/* An intent under examination, and the checks it meets. */
#ifndef SLUICE_SERVICES_RISK_GATE_H
#define SLUICE_SERVICES_RISK_GATE_H

#include "services/risk/risk_internal.h"

/* One leg of an intent, with what the gate knows of its instrument. */
struct leg_facts {
    const struct intent_leg *leg;
    bool sound;    /* side, price and quantity can be measured; else only `form` speaks of it */
    int route_leg; /* E_ABSENT: the route has no such leg, or there is no route */
    struct exposure *exposure;
    const struct quote *quote; /* NULL: not known; then only `known_instrument` speaks of it */
    struct dec price, qty;
    int quantity_status;
    money quantity; /* base units */
    int mid_status, fx_status;
    struct dec mid, fx;
};

struct inquiry {
    const struct risk *risk;
    const struct intent *intent;
    const struct trace *trace;
    struct now now;
    struct held_route *route;  /* NULL: unknown */
    const struct owner *owner; /* who asks, in this incarnation; NULL: unknown */
    uint32_t n_legs;
    struct leg_facts legs[LEGS_MAX];
};

/* What a check found. It comes in as accept. */
struct finding {
    enum verdict verdict;
    enum risk_tier tier;
    enum reason reason;
    money limit, value;
};

/* An error of a check is a reject for OVERFLOW. */
typedef int check_function(const struct inquiry *q, struct finding *f);

/* Amounts that are not money: seconds and counts, as they stand in limit and value. */
static inline money in_seconds(int64_t ns)
{
    return (money)ns * 1000000000;
}

static inline money in_units(uint64_t n)
{
    return (money)n * 1000000000000000000;
}

check_function check_stopping, check_halted, check_reduce_only, check_daily_loss, check_exec_behind,
    check_gross;
check_function check_venue_down, check_stale, check_fx;
check_function check_route, check_owner, check_state, check_busy, check_parked, check_cool_down, check_edge;
check_function check_instrument, check_tick, check_lot, check_min_notional, check_max_notional,
    check_position, check_collar, check_reducing;
check_function check_age, check_skew, check_duplicate, check_open_orders, check_form, check_deadline;

/* The decision that follows from what was found. */
void gate_fill_in(const struct inquiry *q, const struct finding *f, struct decision *d);

/* True: the reject is one of many like it; it was counted, and is not to be recorded now. */
bool folding_takes(struct risk *self, const struct inquiry *q, const struct finding *f);

#endif
