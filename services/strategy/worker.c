/* The worker's core: evaluates each touched route once, asks for what its strategy proposes, and keeps saying
 * that it is there. */
#include "services/strategy/worker_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/runtime/trace.h"

static const int64_t hello_every_ns = 250 * NS_PER_MS;

/* ---- life ------------------------------------------------------------------------------------------- */

static bool take_memory(struct worker *self)
{
    const struct strategy_ops *strategy = self->options.strategy;
    self->state_bytes = (strategy->state_bytes + 15) / 16 * 16;
    self->portfolio = portfolio_new(POSITIONS_MAX, HOLDINGS_MAX);
    self->params = calloc(1, strategy->params_bytes + 1);
    self->states = calloc(ROUTES_MAX, self->state_bytes + 1);
    self->route_names = table_new(ROUTES_MAX, sizeof((struct assign *)0)->route);
    self->routes = calloc(ROUTES_MAX, sizeof *self->routes);
    self->instrument_names = table_new(LEGS_MAX, KEY_MAX);
    self->instruments = calloc(LEGS_MAX, sizeof *self->instruments);
    self->next_leg = calloc(LEGS_MAX, sizeof *self->next_leg);
    self->of_view = calloc(VIEW_MAX, sizeof *self->of_view);
    self->touched = calloc(ROUTES_MAX, sizeof *self->touched);
    self->waiting = calloc(ROUTES_MAX, sizeof *self->waiting);
    if (!self->portfolio || !self->params || !self->states || !self->route_names || !self->routes ||
        !self->instrument_names || !self->instruments || !self->next_leg || !self->of_view ||
        !self->touched || !self->waiting)
        return false;
    for (int i = 0; i < VIEW_MAX; i++)
        self->of_view[i] = NOT_ASKED;
    return true;
}

static bool fits(const char *what, const char *text, size_t cap, char error[CONFIG_ERROR_MAX])
{
    size_t len = text ? strlen(text) : 0;
    if (len > 0 && len < cap)
        return true;
    snprintf(error, CONFIG_ERROR_MAX, "%s is '%.100s'; expected 1 to %zu characters", what, text ? text : "",
             cap - 1);
    return false;
}

const char *worker_pinned(const struct config *config, const char *name)
{
    for (uint32_t i = 0; i < config->n_pins; i++) {
        if (strcmp(config->pins[i].worker, name) == 0)
            return config->pins[i].routes;
    }
    return config->strategy.pinned;
}

struct worker *worker_new(const struct worker_options *options, char error[CONFIG_ERROR_MAX])
{
    if (!options->strategy) {
        snprintf(error, CONFIG_ERROR_MAX,
                 "strategy.name is '%s'; expected a strategy that is built in, such as '%s'",
                 options->config->strategy.name, strategies_all[0]->name);
        return NULL;
    }
    if (!fits("the worker's name", options->name, sizeof((struct hello *)0)->worker, error) ||
        !fits("the run id", options->run, sizeof((struct intent *)0)->run, error))
        return NULL;
    struct worker *self = calloc(1, sizeof *self);
    if (self)
        self->options = *options;
    if (!self || !take_memory(self)) {
        snprintf(error, CONFIG_ERROR_MAX, "out of memory");
        worker_destroy(&self);
        return NULL;
    }
    if (options->strategy->params(options->config, self->params, error) != OK) {
        worker_destroy(&self);
        return NULL;
    }
    self->params_hash = options->strategy->params_hash(self->params);
    self->pinned = worker_pinned(options->config, options->name);
    return self;
}

void worker_destroy(struct worker **self)
{
    struct worker *w = *self;
    if (!w)
        return;
    portfolio_destroy(&w->portfolio);
    table_destroy(&w->route_names);
    table_destroy(&w->instrument_names);
    free(w->params);
    free(w->states);
    free(w->routes);
    free(w->instruments);
    free(w->next_leg);
    free(w->of_view);
    free(w->touched);
    free(w->waiting);
    free(w);
    *self = NULL;
}

/* ---- deciding --------------------------------------------------------------------------------------- */

/* The quotes of all legs; false while the view, or the feed, has not told of one of them. */
static bool find_legs(struct worker *self, struct assigned *route)
{
    for (uint32_t i = 0; i < route->seen.n_legs; i++) {
        int32_t index = self->instruments[route->instrument[i]].in_view;
        if (index < 0)
            return false;
        route->seen.leg[i] = view_at(self->options.view, (uint32_t)index);
        if (route->seen.leg[i]->inst.symbol[0] == '\0')
            return false;
    }
    return route->seen.n_legs > 0;
}

/* Chains the best prices of an evaluation to those of all before. */
static uint64_t chain(uint64_t digest, const struct route_view *seen)
{
    for (uint32_t i = 0; i < seen->n_legs; i++) {
        const struct book *book = &seen->leg[i]->book;
        const struct level none = {0};
        const struct level *bid = book->n_bids ? &book->bids[0] : &none;
        const struct level *ask = book->n_asks ? &book->asks[0] : &none;
        int64_t best[5] = {bid->price, bid->qty, ask->price, ask->qty,
                           (int64_t)(uint8_t)book->price_exp << 8 | (uint8_t)book->qty_exp};
        digest = hash_words(digest, best, sizeof best);
    }
    return digest;
}

/* One order of the intent. Its prices share an exponent with the best price it was decided on. */
static bool write_leg(struct intent_leg *leg, const struct quote *q, enum side side, struct dec price,
                      struct dec qty)
{
    const struct level *levels;
    int exp = price.exp < q->book.price_exp ? price.exp : q->book.price_exp;
    *leg = (struct intent_leg){.side = side, .price_exp = (int8_t)exp, .qty_exp = qty.exp, .qty = qty.m};
    if (quote_levels(q, side, &levels) == 0 || dec_mantissa(price, exp, ROUND_EXACT, &leg->price) != OK ||
        dec_mantissa(quote_price(q, levels[0].price), exp, ROUND_EXACT, &leg->book_price) != OK)
        return false;
    memcpy(leg->symbol, q->symbol, sizeof leg->symbol);
    memcpy(leg->venue, q->venue, sizeof leg->venue);
    leg->book_epoch = q->epoch;
    leg->book_seq = q->seq;
    leg->book_time = q->book.recv_time;
    leg->book_mono = q->book.recv_mono;
    return true;
}

static bool is_later(const struct book *a, const struct book *b)
{
    return a->recv_time != b->recv_time ? a->recv_time > b->recv_time : a->recv_mono > b->recv_mono;
}

/* The tick that caused what is decided: of those that came since the route was last looked at, the one that we had last.
 * Where none came it was a timer or a ledger that woke us, and the trace begins here. */
static struct trace cause_of(const struct worker *self, const struct route_view *seen, uint32_t ticks,
                             struct now now)
{
    const struct quote *newest = NULL;
    for (uint32_t i = 0; i < seen->n_legs; i++)
        if (ticks & 1u << i && (!newest || is_later(&seen->leg[i]->book, &newest->book)))
            newest = seen->leg[i];
    struct trace trace = {.boot_id = self->options.boot_id};
    trace_stamp(&trace, HOP_STRATEGY_IN, self->options.boot_id, now.mono_ns);
    return newest ? newest->trace : trace;
}

static void set_envelope(const struct worker *self, struct message *m, struct now now)
{
    size_t len = strnlen(self->options.name, sizeof m->env.stream - 1);
    memcpy(m->env.stream, self->options.name, len);
    m->env.epoch = self->options.incarnation;
    m->env.time_out = now.utc_ns;
}

static bool write_legs(const struct assigned *route, const struct proposal *p, struct intent *in)
{
    for (uint32_t i = 0; i < p->n_legs && i < route->seen.n_legs; i++) {
        if (p->leg[i].qty.m == 0) /* nothing to do in this leg */
            continue;
        if (!write_leg(&in->legs[in->n_legs], route->seen.leg[i], p->leg[i].side, p->leg[i].price,
                       p->leg[i].qty))
            return false;
        in->n_legs++;
    }
    return in->n_legs > 0;
}

static void send_intent(struct worker *self, uint32_t index, const struct proposal *p, uint32_t ticks,
                        struct now now, struct outbox *out)
{
    const struct worker_options *o = &self->options;
    struct assigned *route = &self->routes[index];
    struct intent legs = {.n_legs = 0};
    if (!write_legs(route, p, &legs)) {
        self->unfit++;
        return;
    }
    struct message *m = outbox_message(out, MSG_INTENT);
    struct intent *in = &m->intent;
    set_envelope(self, m, now);
    m->env.trace = cause_of(self, &route->seen, ticks, now);
    *in = legs;
    text_set(in->run, sizeof in->run, o->run);
    text_set(in->account, sizeof in->account, o->config->run.account);
    text_set(in->worker, sizeof in->worker, o->name);
    text_set(in->strategy, sizeof in->strategy, o->strategy->name);
    text_set(in->route, sizeof in->route, route->seen.name);
    in->incarnation = o->incarnation;
    in->id = ++self->last_intent;
    in->params = self->params_hash;
    in->build = o->build;
    in->route_epoch = route->epoch;
    in->kind = p->kind;
    in->cause = p->cause;
    in->state_epoch = self->state_epoch;
    in->state_pos = self->state_pos;
    in->decided_time = now.market_ns;
    in->decided_mono = now.mono_ns;
    in->deadline = p->deadline_ns;
    in->tif = TIF_IOC;
    in->reduce_only = p->kind == INTENT_EXIT;
    in->policy = p->policy;
    in->slippage_bps = p->slippage_bps;
    in->edge_nbps = p->edge_nbps;
    in->reference_nbps = p->reference_nbps;
    in->cost_nbps = p->cost_nbps;
    in->evaluations = route->evaluations;
    in->digest = route->digest;
    outbox_add(out, EFFECT_SEND, m, PEER_RISK);
    worker_wait(self, index, in->id, now);
}

/* true: an intent was sent. A route that may not act is evaluated all the same: its strategy follows the
 * market. */
static bool evaluate(struct worker *self, uint32_t index, struct now now, struct outbox *out)
{
    struct assigned *route = &self->routes[index];
    struct proposal proposal;
    const uint32_t ticks = route->ticks;
    route->touched = false;
    route->ticks = 0;
    if (!route->owned || !find_legs(self, route))
        return false;
    self->evaluations++;
    route->evaluations++;
    route->digest = chain(route->digest, &route->seen);
    bool free_to_act = !route->waiting && !route->busy && !route->parked;
    route->seen.may_enter = free_to_act && now.market_ns >= route->enter_after;
    if (!self->options.strategy->evaluate(self->params, self->states + (size_t)index * self->state_bytes,
                                          &route->seen, now, &proposal))
        return false;
    bool may = proposal.kind == INTENT_EXIT ? free_to_act && now.market_ns >= route->exit_after
                                            : route->seen.may_enter;
    if (!may)
        return false;
    uint64_t before = self->last_intent;
    send_intent(self, index, &proposal, ticks, now, out);
    return self->last_intent != before;
}

void worker_decide(struct worker *self, bool current, struct now now, struct outbox *out)
{
    uint32_t done = 0, sent = 0;
    if (!current || self->stopped || self->lost[0] != '\0')
        return;
    worker_give_up_waiting(self, now);
    for (; done < self->n_touched && sent < INTENTS_PER_DECIDE; done++)
        sent += evaluate(self, self->touched[done], now, out);
    self->n_touched -= done;
    memmove(self->touched, self->touched + done, self->n_touched * sizeof *self->touched);
}

/* ---- hellos ----------------------------------------------------------------------------------------- */

static void say_hello(struct worker *self, bool goodbye, struct now now, struct outbox *out)
{
    struct message *m = outbox_message(out, MSG_HELLO);
    struct hello *hello = &m->hello;
    set_envelope(self, m, now);
    text_set(hello->worker, sizeof hello->worker, self->options.name);
    text_set(hello->strategy, sizeof hello->strategy, self->options.strategy->name);
    text_set(hello->pinned, sizeof hello->pinned, self->pinned);
    hello->incarnation = self->options.incarnation;
    hello->evaluations = self->evaluations;
    hello->intents = self->last_intent;
    hello->goodbye = goodbye;
    for (uint32_t i = 0; i < table_count(self->route_names); i++)
        hello->digest += self->routes[i].evaluations ? self->routes[i].digest : 0;
    outbox_add(out, EFFECT_SEND, m, PEER_RISK);
    self->hello_mono_ns = now.mono_ns;
    self->said_hello = true;
}

void worker_on_time(struct worker *self, struct now now, struct outbox *out)
{
    if (self->lost[0] != '\0')
        worker_stop(self, now, out);
    if (self->stopped)
        return;
    worker_give_up_waiting(self, now);
    if (self->said_hello && now.mono_ns - self->hello_mono_ns < hello_every_ns)
        return;
    say_hello(self, false, now, out);
    /* What is held grows old on a quiet market too. */
    for (uint32_t i = 0; i < table_count(self->route_names); i++) {
        if (!self->routes[i].seen.flat)
            worker_touch(self, i);
    }
}

void worker_stop(struct worker *self, struct now now, struct outbox *out)
{
    if (!self->stopped)
        say_hello(self, true, now, out);
    self->stopped = true;
}

/* ---- what it tells of itself ------------------------------------------------------------------------ */

bool worker_quiet(const struct worker *self)
{
    return self->n_waiting == 0;
}

void worker_status(const struct worker *self, struct reply *reply)
{
    uint32_t owned = 0, open = 0;
    for (uint32_t i = 0; i < table_count(self->route_names); i++) {
        owned += self->routes[i].owned;
        open += self->pinned[0] == '\0' || text_begins_with_one_of(self->routes[i].seen.name, self->pinned);
    }
    status_metric(reply, "evaluations", (int64_t)self->evaluations);
    status_metric(reply, "intents", (int64_t)self->last_intent);
    status_metric(reply, "routes", owned);
    status_metric(reply, "routes_open", open);
    status_metric(reply, "waiting", self->n_waiting);
    status_metric(reply, "accepted", (int64_t)self->accepted);
    status_metric(reply, "rejected", (int64_t)self->rejected);
    status_metric(reply, "unanswered", (int64_t)self->unanswered);
    status_metric(reply, "unbooked", (int64_t)self->unbooked);
    status_metric(reply, "unfit", (int64_t)self->unfit);
}
