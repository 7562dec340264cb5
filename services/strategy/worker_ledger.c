/* What the worker follows: the market's touches, risk's ledger and exec's. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "services/strategy/worker_internal.h"

static const int64_t answer_within_ns = NS_PER_SEC;
static const int64_t back_off_least_ns = 250 * NS_PER_MS;
static const int64_t back_off_most_ns = 8 * NS_PER_SEC;

/* ---- instruments and the routes they touch ---------------------------------------------------------- */

static size_t key_of(const char *symbol, const char *venue, char key[KEY_MAX + 1])
{
    size_t s = strnlen(symbol, 31), v = strnlen(venue, 15);
    memcpy(key, symbol, s);
    key[s] = ' ';
    memcpy(key + s + 1, venue, v);
    key[s + 1 + v] = '\0';
    return s + 1 + v;
}

void worker_touch(struct worker *self, uint32_t index)
{
    struct assigned *route = &self->routes[index];
    if (!route->owned || route->touched)
        return;
    route->touched = true;
    self->touched[self->n_touched++] = index;
}

/* The instrument of an index in the view, if a route has a leg in it. Asked of the names once for each index.
 */
static int32_t instrument_of(struct worker *self, int index)
{
    char key[KEY_MAX + 1];
    if (index < 0 || index >= VIEW_MAX)
        return NONE;
    if (self->of_view[index] != NOT_ASKED)
        return self->of_view[index];
    const struct quote *q = view_at(self->options.view, (uint32_t)index);
    if (!q)
        return NONE;
    size_t len = key_of(q->symbol, q->venue, key);
    int32_t instrument = table_find(self->instrument_names, key, len);
    self->of_view[index] = instrument >= 0 ? instrument : NONE;
    if (instrument >= 0)
        self->instruments[instrument].in_view = index;
    return self->of_view[index];
}

static int32_t take_instrument(struct worker *self, const struct route_leg *leg)
{
    char key[KEY_MAX + 1];
    size_t len = key_of(leg->symbol, leg->venue, key);
    uint32_t before = table_count(self->instrument_names);
    int32_t instrument = table_intern(self->instrument_names, key, len);
    if (instrument < 0 || (uint32_t)instrument < before)
        return instrument;
    int index = view_find(self->options.view, leg->symbol, leg->venue);
    self->instruments[instrument] = (struct instrument){.in_view = NONE, .first = NONE};
    if (index >= 0 && index < VIEW_MAX) {
        self->instruments[instrument].in_view = index;
        self->of_view[index] = instrument;
    }
    return instrument;
}

void worker_on_market(struct worker *self, int index, const struct message *m, struct now now)
{
    (void)now;
    const bool tick =
        m->env.trace.recv_mono != 0; /* not one that is repeated, nor what is told of an instrument */
    int32_t instrument = instrument_of(self, index);
    if (instrument < 0)
        return;
    for (int32_t leg = self->instruments[instrument].first; leg != NONE; leg = self->next_leg[leg]) {
        struct assigned *route = &self->routes[leg / STRATEGY_LEGS_MAX];
        worker_touch(self, (uint32_t)leg / STRATEGY_LEGS_MAX);
        route->ticks |= tick && route->touched ? 1u << leg % STRATEGY_LEGS_MAX : 0;
    }
}

/* ---- what is waited for ----------------------------------------------------------------------------- */

void worker_wait(struct worker *self, uint32_t index, uint64_t intent, struct now now)
{
    struct assigned *route = &self->routes[index];
    route->waiting = true;
    route->awaited = intent;
    route->asked_mono_ns = now.mono_ns;
    self->waiting[self->n_waiting++] = index;
}

static void wait_no_more(struct worker *self, uint32_t index)
{
    uint32_t i = 0;
    if (!self->routes[index].waiting)
        return;
    self->routes[index].waiting = false;
    while (self->waiting[i] != index)
        i++;
    self->waiting[i] = self->waiting[--self->n_waiting];
}

/* An answer that never came: the intent died on its way or its route moved on. Asking again is safe, since
 * the gate refuses what does not know the route's latest state. */
void worker_give_up_waiting(struct worker *self, struct now now)
{
    for (uint32_t i = self->n_waiting; i-- > 0;) {
        uint32_t index = self->waiting[i];
        if (now.mono_ns - self->routes[index].asked_mono_ns >= answer_within_ns) {
            self->unanswered++;
            wait_no_more(self, index);
        }
    }
}

/* ---- risk's ledger ---------------------------------------------------------------------------------- */

static void take_holdings(struct route_view *seen, const struct route_leg *legs, uint32_t n)
{
    seen->flat = true;
    for (uint32_t i = 0; i < seen->n_legs && i < n; i++) {
        seen->holding[i].qty = legs[i].qty;
        seen->holding[i].cost = legs[i].cost;
        seen->holding[i].fees = legs[i].fees;
        seen->flat = seen->flat && legs[i].qty.m == 0;
    }
}

/* A route seen first: its legs are linked to their instruments for good. */
static bool link_route(struct worker *self, uint32_t index, const struct assign *a)
{
    struct assigned *route = &self->routes[index];
    *route = (struct assigned){.digest = FNV_OFFSET};
    route->seen.name = table_key(self->route_names, index);
    route->seen.view = self->options.view;
    route->seen.portfolio = self->portfolio;
    for (uint32_t i = 0; i < a->n_legs; i++) {
        int32_t instrument = take_instrument(self, &a->legs[i]);
        if (instrument < 0)
            return false;
        int32_t leg = (int32_t)(index * STRATEGY_LEGS_MAX + i);
        route->instrument[i] = instrument;
        self->next_leg[leg] = self->instruments[instrument].first;
        self->instruments[instrument].first = leg;
        route->seen.holding[i] = a->legs[i];
    }
    route->seen.n_legs = a->n_legs;
    return true;
}

/* The legs are those that the name stood for when it was first seen. */
static bool same_legs(const struct route_view *seen, const struct assign *a)
{
    if (a->n_legs != seen->n_legs)
        return false;
    for (uint32_t i = 0; i < a->n_legs; i++) {
        if (strcmp(a->legs[i].symbol, seen->holding[i].symbol) != 0 ||
            strcmp(a->legs[i].venue, seen->holding[i].venue) != 0)
            return false;
    }
    return true;
}

static bool is_me(const struct worker *self, const char *name, uint64_t incarnation)
{
    return incarnation == self->options.incarnation && strcmp(name, self->options.name) == 0;
}

static void on_assign(struct worker *self, const struct assign *a)
{
    uint32_t before = table_count(self->route_names);
    int index = a->n_legs <= STRATEGY_LEGS_MAX
                    ? table_intern(self->route_names, a->route, strnlen(a->route, sizeof a->route))
                    : E_RANGE;
    if (index < 0) {
        self->unfit++;
        return;
    }
    struct assigned *route = &self->routes[index];
    if ((uint32_t)index >= before && !link_route(self, (uint32_t)index, a))
        self->unfit++;
    route->owned = is_me(self, a->worker, a->incarnation) && same_legs(&route->seen, a);
    route->epoch = a->route_epoch;
    wait_no_more(self, (uint32_t)index);
    if (!route->owned)
        return;
    memset(self->states + (size_t)index * self->state_bytes, 0, self->state_bytes);
    route->busy = a->busy;
    route->parked = a->parked;
    route->back_off_ns = route->enter_after = route->exit_after = 0;
    route->seen.entry_time = a->entry_time;
    route->seen.cool_until = a->cool_until;
    route->seen.entry_edge_nbps = a->entry_edge_nbps;
    route->seen.entry_side = a->entry_side;
    take_holdings(&route->seen, a->legs, a->n_legs);
    route->ticks = 0;
    worker_touch(self, (uint32_t)index);
}

static void on_route(struct worker *self, const struct route *r)
{
    int index = table_find(self->route_names, r->route, strnlen(r->route, sizeof r->route));
    if (index < 0)
        return;
    struct assigned *route = &self->routes[index];
    route->busy = r->busy;
    route->parked = r->parked;
    route->seen.entry_time = r->entry_time;
    route->seen.cool_until = r->cool_until;
    route->seen.entry_edge_nbps = r->entry_edge_nbps;
    route->seen.entry_side = r->entry_side;
    take_holdings(&route->seen, r->legs, r->n_legs);
}

static bool is_accept(const struct decision *d)
{
    return d->verdict == VERDICT_ACCEPT || d->verdict == VERDICT_LESS;
}

/* In a snapshot stand the decisions whose baskets are open, by whomever they were asked for. */
static void on_decision(struct worker *self, const struct decision *d, struct now now)
{
    int index = table_find(self->route_names, d->route, strnlen(d->route, sizeof d->route));
    if (index < 0)
        return;
    struct assigned *route = &self->routes[index];
    if (is_accept(d))
        route->busy = true;
    if (!is_me(self, d->worker, d->incarnation))
        return;
    if (d->intent_id >= route->awaited)
        wait_no_more(self, (uint32_t)index);
    if (is_accept(d)) {
        self->accepted++;
        route->back_off_ns = route->enter_after = route->exit_after = 0;
        return;
    }
    self->rejected += d->count ? d->count : 1;
    route->back_off_ns = route->back_off_ns == 0                     ? back_off_least_ns
                         : route->back_off_ns > back_off_most_ns / 2 ? back_off_most_ns
                                                                     : 2 * route->back_off_ns;
    route->enter_after = now.market_ns + route->back_off_ns;
    route->exit_after = now.market_ns + back_off_least_ns;
}

/* ---- what is lost ----------------------------------------------------------------------------------- */

const char *worker_lost(const struct worker *self)
{
    return self->lost[0] != '\0' ? self->lost : NULL;
}

/* A hole that the reader of a ledger tells of has no place in it; one that the owner tells of is another ledger's.
 * And a ledger that begins where half a snapshot was told before adds up to nothing. */
static void watch_for_loss(struct worker *self, const struct message *m, bool knows_something)
{
    if (self->lost[0] != '\0')
        return;
    if (m->env.type == MSG_GAP && m->env.pos == 0)
        snprintf(self->lost, sizeof self->lost,
                 "%s: positions %" PRIu64 " to %" PRIu64 " of epoch %" PRIu64 " are lost to it", m->gap.cause,
                 m->gap.from_pos, m->gap.to_pos, m->gap.from_epoch);
    else if (m->env.type == MSG_EPOCH && m->env.pos == 1 && knows_something)
        snprintf(self->lost, sizeof self->lost, "the ledger began anew behind a part of a snapshot");
}

/* The messages of a snapshot have the places of the records that they go back to: only what follows on what was
 * applied, or on nothing, or the snapshot as a whole, says how far all is applied. */
static void move_on(struct worker *self, const struct envelope *env)
{
    if (env->type != MSG_SNAPSHOT && env->pos != self->state_pos + 1)
        return;
    self->state_epoch = env->epoch;
    self->state_pos = env->pos;
}

void worker_on_risk(struct worker *self, const struct message *m, struct now now)
{
    const struct message_kind *kind = message_kind(m->env.type);
    if (!kind || (kind->class != CLASS_LEDGER && m->env.type != MSG_SNAPSHOT))
        return;
    watch_for_loss(self, m, table_count(self->route_names) > 0);
    switch (m->env.type) {
    case MSG_ASSIGN:
        on_assign(self, &m->assign);
        break;
    case MSG_ROUTE:
        on_route(self, &m->route);
        break;
    case MSG_DECISION:
        on_decision(self, &m->decision, now);
        break;
    default:
        break;
    }
    move_on(self, &m->env);
}

/* Balances and positions are told as sums, in snapshots as in the ledger behind the fills that made them. */
void worker_on_exec(struct worker *self, const struct message *m, struct now now)
{
    (void)now;
    int status = OK;
    watch_for_loss(self, m,
                   portfolio_holdings(self->portfolio) > 0 || portfolio_positions(self->portfolio) > 0);
    if (m->env.type == MSG_FILL)
        status = portfolio_fill(self->portfolio, &m->fill);
    else if (m->env.type == MSG_ADJUST)
        status = portfolio_adjust(self->portfolio, &m->adjust);
    else if (m->env.type == MSG_BALANCE)
        status = portfolio_set_balance(self->portfolio, &m->balance);
    else if (m->env.type == MSG_POSITION)
        status = portfolio_set_position(self->portfolio, &m->position);
    if (status != OK)
        self->unbooked++;
}
