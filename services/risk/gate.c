/* An intent's way through the gate.
 *
 * Every check of the list is asked, in the design's order. The strictest verdict stands; of two equal ones
 * the earlier. No later check can soften it. What a check cannot work out is a reject. */
#include "services/risk/gate.h"

#include <string.h>

#include "lib/base/text.h"

enum { ENTRY = 1, EXIT = 2, BOTH = 3 };

struct check {
    enum risk_tier tier;
    const char *name;
    int applies; /* to entries, to exits, to both: a limit never stops a reduction */
    check_function *function;
};

/* clang-format off */
static const struct check checks[] = {
    {TIER_GLOBAL,     "stopping",         BOTH,  check_stopping},
    {TIER_GLOBAL,     "halted",           BOTH,  check_halted},
    {TIER_GLOBAL,     "reduce_only",      ENTRY, check_reduce_only},
    {TIER_GLOBAL,     "daily_loss",       ENTRY, check_daily_loss},
    {TIER_GLOBAL,     "exec_behind",      BOTH,  check_exec_behind},
    {TIER_GLOBAL,     "gross",            ENTRY, check_gross},
    {TIER_VENUE,      "venue_down",       ENTRY, check_venue_down},
    {TIER_VENUE,      "stale",            BOTH,  check_stale},
    {TIER_VENUE,      "fx",               ENTRY, check_fx},
    {TIER_ROUTE,      "known_route",      BOTH,  check_route},
    {TIER_ROUTE,      "owner",            BOTH,  check_owner},
    {TIER_ROUTE,      "state",            BOTH,  check_state},
    {TIER_ROUTE,      "busy",             BOTH,  check_busy},
    {TIER_ROUTE,      "parked",           BOTH,  check_parked},
    {TIER_ROUTE,      "cool_down",        ENTRY, check_cool_down},
    {TIER_ROUTE,      "edge",             ENTRY, check_edge},
    {TIER_INSTRUMENT, "known_instrument", BOTH,  check_instrument},
    {TIER_INSTRUMENT, "tick",             BOTH,  check_tick},
    {TIER_INSTRUMENT, "lot",              BOTH,  check_lot},
    {TIER_INSTRUMENT, "min_notional",     BOTH,  check_min_notional},
    {TIER_INSTRUMENT, "max_notional",     ENTRY, check_max_notional},
    {TIER_INSTRUMENT, "position",         ENTRY, check_position},
    {TIER_INSTRUMENT, "collar",           BOTH,  check_collar},
    {TIER_INSTRUMENT, "reducing",         BOTH,  check_reducing},
    {TIER_INTENT,     "age",              BOTH,  check_age},
    {TIER_INTENT,     "skew",             BOTH,  check_skew},
    {TIER_INTENT,     "duplicate",        BOTH,  check_duplicate},
    {TIER_INTENT,     "open_orders",      ENTRY, check_open_orders},
    {TIER_INTENT,     "form",             BOTH,  check_form},
    {TIER_INTENT,     "deadline",         BOTH,  check_deadline},
};
/* clang-format on */

static void examine(const struct inquiry *q, struct finding *strictest)
{
    int applies = q->intent->kind == INTENT_EXIT ? EXIT : ENTRY;
    *strictest = (struct finding){.verdict = VERDICT_ACCEPT};
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (!(checks[i].applies & applies))
            continue;
        struct finding f = {.verdict = VERDICT_ACCEPT};
        if (checks[i].function(q, &f) != OK)
            f = (struct finding){.verdict = VERDICT_REJECT, .reason = REASON_OVERFLOW};
        if (f.verdict > strictest->verdict) {
            *strictest = f;
            strictest->tier = checks[i].tier;
        }
    }
}

/* ---- facts ------------------------------------------------------------------------------------------- */

static void look_at_leg(const struct risk *self, const struct held_route *route, const struct intent_leg *leg,
                        struct leg_facts *f)
{
    *f = (struct leg_facts){.leg = leg, .route_leg = E_ABSENT, .mid_status = E_ABSENT, .fx_status = E_ABSENT};
    f->price = (struct dec){leg->price, leg->price_exp};
    f->qty = (struct dec){leg->qty, leg->qty_exp};
    f->quantity_status = money_of(f->qty, &f->quantity);
    f->sound = (leg->side == SIDE_BUY || leg->side == SIDE_SELL) && leg->price > 0 && leg->qty > 0 &&
               f->quantity_status == OK;
    if (!route)
        return;
    f->route_leg = route_leg_of(route, leg->symbol, leg->venue);
    if (f->route_leg < 0 || route->exposures[f->route_leg] < 0)
        return;
    f->exposure = &self->exposures[route->exposures[f->route_leg]];
    f->quote = exposure_quote(self, f->exposure);
    if (!f->quote)
        return;
    f->mid_status = exposure_mid(f->quote, &f->mid);
    f->fx_status = exposure_fx(self, f->quote, &f->fx);
}

static void look(struct risk *self, const struct message *m, struct now now, struct inquiry *q)
{
    const struct intent *intent = &m->intent;
    q->risk = self;
    q->intent = intent;
    q->trace = &m->env.trace;
    q->now = now;
    int route = table_find(self->route_names, intent->route, strlen(intent->route));
    q->route = route < 0 ? NULL : &self->routes[route];
    int owner = q->route ? q->route->owner : NOBODY;
    if (owner == NOBODY || strcmp(self->owners[owner].name, intent->worker) != 0)
        owner = owner_find(self, intent->worker);
    q->owner =
        owner < 0 || self->owners[owner].incarnation != intent->incarnation ? NULL : &self->owners[owner];
    q->n_legs = intent->n_legs <= LEGS_MAX ? intent->n_legs : 0;
    for (uint32_t i = 0; i < q->n_legs; i++)
        look_at_leg(self, q->route, &intent->legs[i], &q->legs[i]);
}

/* ---- the record -------------------------------------------------------------------------------------- */

void gate_fill_in(const struct inquiry *q, const struct finding *f, struct decision *d)
{
    const struct intent *in = q->intent;
    struct dec budget = q->risk->limits.collar_bps;
    d->verdict = f->verdict;
    d->tier = f->tier;
    d->reason = f->reason;
    d->limit = f->limit;
    d->value = f->value;
    d->limits_version = q->risk->limits.limits_version;
    d->count = 1;
    memcpy(d->run, in->run, sizeof d->run);
    memcpy(d->account, in->account, sizeof d->account);
    memcpy(d->worker, in->worker, sizeof d->worker);
    d->incarnation = in->incarnation;
    d->intent_id = in->id;
    memcpy(d->strategy, in->strategy, sizeof d->strategy);
    d->params = in->params;
    d->build = in->build;
    memcpy(d->route, in->route, sizeof d->route);
    d->route_epoch = in->route_epoch;
    d->kind = in->kind;
    d->cause = in->cause;
    d->decided_time = in->decided_time;
    d->accepted_time = q->now.market_ns;
    d->deadline = in->deadline;
    d->tif = in->tif;
    d->reduce_only = in->reduce_only;
    d->post_only = in->post_only;
    d->policy = in->policy;
    /* completing may not go further from the market than an order may */
    d->slippage_bps = dec_cmp(in->slippage_bps, budget) > 0 ? budget : in->slippage_bps;
    d->edge_nbps = in->edge_nbps;
    d->reference_nbps = in->reference_nbps;
    d->cost_nbps = in->cost_nbps;
    d->evaluations = in->evaluations;
    d->digest = in->digest;
    d->n_legs = q->n_legs;
    memcpy(d->legs, in->legs, q->n_legs * sizeof d->legs[0]);
}

void gate_decide(struct risk *self, const struct message *m, struct now now, struct outbox *out)
{
    struct inquiry q;
    struct finding f;
    look(self, m, now, &q);
    examine(&q, &f);
    if (q.owner) {
        struct owner *o = &self->owners[q.owner - self->owners];
        o->heard_mono_ns = now.mono_ns;
        if (m->intent.id > o->high_water)
            o->high_water = m->intent.id;
    }
    if (f.verdict != VERDICT_ACCEPT && folding_takes(self, &q, &f))
        return;
    struct message *record = outbox_record(out, &self->head, MSG_DECISION, now);
    record->env.trace = m->env.trace;
    gate_fill_in(&q, &f, &record->decision);
    risk_apply(self, record);
}
