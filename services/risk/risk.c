/* The gate's life: it is rebuilt from its ledger, starts, takes inputs, and stops. */
#include "services/risk/risk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/runtime/metric.h"
#include "services/risk/risk_internal.h"

enum { NAME_BYTES = 96, INSTRUMENT_BYTES = 48, TERM_BYTES = 16 };

static bool take_memory(struct risk *self)
{
    self->route_names = table_new(ROUTES_MAX, NAME_BYTES);
    self->routes = calloc(ROUTES_MAX, sizeof *self->routes);
    self->accepted = calloc(ROUTES_MAX, sizeof *self->accepted);
    self->exposure_names = table_new(EXPOSURES_MAX, INSTRUMENT_BYTES);
    self->exposures = calloc(EXPOSURES_MAX, sizeof *self->exposures);
    self->terms = table_new(TERMS_MAX, TERM_BYTES);
    self->seen = calloc(EXPOSURES_MAX, sizeof *self->seen);
    self->portfolio = portfolio_new(EXPOSURES_MAX, HOLDINGS_MAX);
    self->adopted = calloc(ADOPTED_MAX, sizeof *self->adopted);
    self->folds = calloc((size_t)FOLD_SETS * FOLD_WAYS, sizeof *self->folds);
    return self->route_names && self->routes && self->accepted && self->exposure_names && self->exposures &&
           self->terms && self->seen && self->portfolio && self->adopted && self->folds;
}

struct risk *risk_new(const struct risk_options *options)
{
    struct risk *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->config = options->config;
    self->view = options->view;
    self->boot_id = options->boot_id;
    text_set(self->run, sizeof self->run, options->run);
    text_set(self->head.stream, sizeof self->head.stream, "risk");
    if (!take_memory(self))
        risk_destroy(&self);
    return self;
}

void risk_destroy(struct risk **self)
{
    struct risk *r = *self;
    if (!r)
        return;
    table_destroy(&r->route_names);
    table_destroy(&r->exposure_names);
    table_destroy(&r->terms);
    portfolio_destroy(&r->portfolio);
    free(r->routes);
    free(r->accepted);
    free(r->exposures);
    free(r->seen);
    free(r->adopted);
    free(r->folds);
    free(r);
    *self = NULL;
}

const struct ledger_head *risk_head(const struct risk *self)
{
    return &self->head;
}

/* ---- profit of the day ------------------------------------------------------------------------------- */

money risk_day_pnl(const struct risk *self)
{
    return self->equity - self->day_base;
}

static int64_t day_of(const struct risk *self, int64_t market_ns)
{
    int64_t second = market_ns / NS_PER_SEC - self->config->run.day_roll_utc_s;
    return second >= 0 ? second / SECONDS_PER_DAY : (second + 1) / SECONDS_PER_DAY - 1;
}

static void see_day(struct risk *self, int64_t market_ns)
{
    if (self->day_known || market_ns <= 0)
        return;
    self->day = day_of(self, market_ns);
    self->day_known = true;
}

bool risk_has_exec(const struct risk *self)
{
    return !self->broken && self->exec_beat_mono_ns != 0 && !place_before(self->exec, self->exec_head);
}

void risk_write_state(struct risk *self, enum risk_state state, enum reason reason, const char *detail,
                      struct now now, struct outbox *out)
{
    /* who halts and is told that it is done may rely on it */
    struct message *m = outbox_record_synced(out, &self->head, MSG_STATE, now);
    m->state.state = state;
    m->state.reason = reason;
    snprintf(m->state.detail, sizeof m->state.detail, "%s", detail);
    m->state.day_pnl = risk_day_pnl(self);
    m->state.market_time = now.market_ns;
    risk_apply(self, m);
}

void risk_watch_loss(struct risk *self, struct now now, struct outbox *out)
{
    money pnl = risk_day_pnl(self);
    /* while exec's ledger is being read again the positions are those of another time */
    if (!risk_has_exec(self) || self->loss_latched || self->state == RISK_HALTED || self->state == 0)
        return;
    if (pnl < 0 && pnl <= -self->limits.max_daily_loss)
        risk_write_state(self, RISK_HALTED, REASON_DAILY_LOSS, "the day's loss reached its limit", now, out);
}

/* A state record that leaves the state as it was closes a day: its profit is that of the day that ended. */
static void roll_day(struct risk *self, struct now now, struct outbox *out)
{
    see_day(self, now.market_ns);
    if (!self->day_known || day_of(self, now.market_ns) <= self->day || !risk_has_exec(self))
        return;
    exposure_refresh_all(self);
    risk_write_state(self, self->state, self->state_reason, "the day ended", now, out);
}

void risk_apply_state(struct risk *self, const struct message *m)
{
    const struct state *s = &m->state;
    self->state_at = (struct place){m->env.epoch, m->env.pos};
    if (s->state == self->state) {
        self->day_base += s->day_pnl;
        self->day = day_of(self, s->market_time);
        self->day_known = true;
        self->loss_latched = false;
        return;
    }
    self->state = s->state;
    self->state_reason = s->reason;
    self->loss_latched = s->state != RISK_NORMAL && (self->loss_latched || s->reason == REASON_DAILY_LOSS);
    see_day(self, s->market_time);
}

/* ---- the one way in which own state changes ----------------------------------------------------------- */

static void apply_decision(struct risk *self, const struct message *m)
{
    const struct decision *d = &m->decision;
    self->decisions += d->count;
    if (d->verdict == VERDICT_ACCEPT || d->verdict == VERDICT_LESS)
        self->accepts += d->count;
    else if (d->verdict == VERDICT_COOL)
        self->cools += d->count;
    else
        self->rejects += d->count;
    if (d->verdict >= VERDICT_COOL && (uint32_t)d->reason < REASONS_MAX)
        self->rejects_by_reason[d->reason] += d->count;
    see_day(self, d->accepted_time);
    int index = owner_find(self, d->worker);
    if (index >= 0 && self->owners[index].incarnation == d->incarnation) {
        struct owner *o = &self->owners[index];
        o->params = d->params;
        o->build = d->build;
        if (d->intent_id > o->high_water)
            o->high_water = d->intent_id;
    }
    if (d->verdict == VERDICT_ACCEPT || d->verdict == VERDICT_LESS)
        executions_apply_accept(self, m);
}

void risk_apply_limits(struct risk *self, const struct message *m)
{
    static const struct dec one_bps = {1, -4}, whole = {10000, 0};
    const struct limits *limits = &m->limits;
    self->limits = *limits;
    self->limits_at = (struct place){m->env.epoch, m->env.pos};
    int status = dec_add(whole, limits->collar_bps, &self->collar_buy);
    if (status == OK)
        status = dec_mul(self->collar_buy, one_bps, &self->collar_buy);
    if (status == OK)
        status = dec_sub(whole, limits->collar_bps, &self->collar_sell);
    if (status == OK)
        status = dec_mul(self->collar_sell, one_bps, &self->collar_sell);
    if (status != OK) /* no price passes */
        self->collar_buy = (struct dec){0}, self->collar_sell = (struct dec){INT64_MAX, 0};
}

void risk_apply(struct risk *self, const struct message *m)
{
    self->head.epoch = m->env.epoch;
    self->head.pos = m->env.pos;
    switch (m->env.type) {
    case MSG_EPOCH:
        self->base = (struct place){m->epoch.base_epoch, m->epoch.base_pos};
        break;
    case MSG_SESSION:
        assignment_apply_session(self, &m->session);
        break;
    case MSG_LIMITS:
        risk_apply_limits(self, m);
        break;
    case MSG_STATE:
        risk_apply_state(self, m);
        break;
    case MSG_DECISION:
        apply_decision(self, m);
        break;
    case MSG_ASSIGN:
        assignment_apply(self, m);
        break;
    case MSG_ROUTE:
        executions_apply_route(self, m);
        break;
    default:
        break;
    }
}

/* ---- start ------------------------------------------------------------------------------------------- */

static void write_epoch(struct risk *self, uint64_t epoch, struct now now, struct outbox *out)
{
    risk_apply(self, outbox_epoch(out, &self->head, epoch, self->boot_id, self->run, now));
}

static void write_session(struct risk *self, enum session_event event, struct now now, struct outbox *out)
{
    struct message *m = outbox_record(out, &self->head, MSG_SESSION, now);
    m->session.event = event;
    text_set(m->session.who, sizeof m->session.who, "risk");
    text_set(m->session.run, sizeof m->session.run, self->run);
    m->session.market_time = now.market_ns;
    risk_apply(self, m);
}

static struct limits configured_limits(const struct risk *self)
{
    const struct config *c = self->config;
    struct limits l = {.limits_version = self->limits.limits_version,
                       .max_daily_loss = c->risk.max_daily_loss,
                       .max_gross = c->risk.max_gross,
                       .max_position = c->risk.max_position,
                       .max_notional = c->risk.max_notional,
                       .max_open_orders = (uint32_t)c->risk.max_open_orders,
                       .collar_bps = c->risk.collar_bps,
                       .max_edge_bps = c->risk.max_edge_bps,
                       .max_age_ns = c->risk.max_age_ms * NS_PER_MS,
                       .max_intent_age_ns = c->risk.max_intent_age_ms * NS_PER_MS};
    text_set(l.currency, sizeof l.currency, c->run.reporting);
    return l;
}

static bool limits_equal(const struct limits *a, const struct limits *b)
{
    return strcmp(a->currency, b->currency) == 0 && a->max_daily_loss == b->max_daily_loss &&
           a->max_gross == b->max_gross && a->max_position == b->max_position &&
           a->max_notional == b->max_notional && a->max_open_orders == b->max_open_orders &&
           dec_cmp(a->collar_bps, b->collar_bps) == 0 && dec_cmp(a->max_edge_bps, b->max_edge_bps) == 0 &&
           a->max_age_ns == b->max_age_ns && a->max_intent_age_ns == b->max_intent_age_ns;
}

void risk_start(struct risk *self, uint64_t epoch, struct now now, struct outbox *out)
{
    bool first = self->head.pos == 0;
    write_epoch(self, epoch, now, out);
    write_session(self, first ? SESSION_START : SESSION_RESUME, now, out);
    struct limits limits = configured_limits(self);
    if (self->limits.limits_version == 0 || !limits_equal(&limits, &self->limits)) {
        struct message *m = outbox_record(out, &self->head, MSG_LIMITS, now);
        limits.limits_version++;
        m->limits = limits;
        risk_apply(self, m);
    }
    if (self->state == 0)
        risk_write_state(self, RISK_NORMAL, REASON_NONE, "first start", now, out);
    assignment_resume(self, now);
}

void risk_begin_epoch(struct risk *self, uint64_t epoch, struct now now, struct outbox *out)
{
    if (epoch > self->head.epoch)
        write_epoch(self, epoch, now, out);
}

void risk_exec_place(const struct risk *self, uint64_t *epoch, uint64_t *pos)
{
    *epoch = self->exec.epoch;
    *pos = self->exec.pos;
}

bool risk_is_sound(const struct risk *self)
{
    /* what a route waits for is in no snapshot; and routes tell of more of exec's ledger than was read, until it was */
    return !self->broken && self->held_back == 0 && self->exec_read;
}

bool risk_must_restart(const struct risk *self)
{
    return self->rolled_back;
}

/* ---- inputs ------------------------------------------------------------------------------------------ */

void risk_on_market(struct risk *self, int index, struct now now, struct outbox *out)
{
    if (index < 0 || (uint32_t)index >= view_count(self->view) || index >= EXPOSURES_MAX)
        return;
    formation_on_instrument(self, (uint32_t)index);
    if (self->head.epoch != 0)
        assignment_settle(self, now, out);
}

void risk_on_command(struct risk *self, const struct message *m, struct now now, struct outbox *out)
{
    if (self->stopped || (m->env.type != MSG_INTENT && m->env.type != MSG_HELLO)) {
        self->ignored++;
        return;
    }
    if (m->env.type == MSG_INTENT)
        gate_decide(self, m, now, out);
    else
        assignment_on_hello(self, &m->hello, now, out);
}

void risk_on_drained(struct risk *self, bool empty)
{
    self->undrained = !empty;
}

void risk_on_time(struct risk *self, struct now now, struct outbox *out)
{
    if (self->stopped)
        return;
    folding_flush(self, false, now, out);
    if (now.mono_ns - self->valued_mono_ns >= NS_PER_SEC) {
        self->valued_mono_ns = now.mono_ns;
        exposure_refresh_all(self);
        risk_watch_loss(self, now, out);
    }
    roll_day(self, now, out);
    assignment_on_time(self, now, out);
}

/* ---- control ----------------------------------------------------------------------------------------- */

static enum control_code change_state(struct risk *self, enum risk_state state, enum reason reason,
                                      const char *arg, struct now now, struct outbox *out)
{
    if (self->state != state)
        risk_write_state(self, state, reason, arg && arg[0] ? arg : "asked for", now, out);
    return CONTROL_DONE;
}

/* With a name it is that route's residual that is taken care of. */
static enum control_code resume(struct risk *self, const char *arg, struct now now, struct outbox *out)
{
    if (arg && arg[0])
        return executions_unpark(self, arg, now, out) ? CONTROL_DONE : CONTROL_REFUSED;
    money pnl = risk_day_pnl(self);
    if (pnl < 0 && pnl <= -self->limits.max_daily_loss)
        return CONTROL_REFUSED;
    return change_state(self, RISK_NORMAL, REASON_NONE, arg, now, out);
}

static void stop(struct risk *self, struct now now, struct outbox *out)
{
    self->stopping = true;
    folding_flush(self, true, now, out);
    assignment_stop(self, now, out);
    write_session(self, SESSION_STOP, now, out);
    self->stopped = true;
}

enum control_code risk_on_control(struct risk *self, enum control_verb verb, const char *arg, struct now now,
                                  struct outbox *out)
{
    if (self->stopped)
        return verb == VERB_STOP || verb == VERB_DRAIN ? CONTROL_DONE : CONTROL_REFUSED;
    switch (verb) {
    case VERB_HALT:
        return change_state(self, RISK_HALTED, REASON_HALTED, arg, now, out);
    case VERB_REDUCE:
        return change_state(self, RISK_REDUCE_ONLY, REASON_REDUCE_ONLY, arg, now, out);
    case VERB_RESUME:
        return resume(self, arg, now, out);
    case VERB_DRAIN:
        self->stopping = true;
        return CONTROL_DONE;
    case VERB_STOP:
        stop(self, now, out);
        return CONTROL_DONE;
    default:
        return CONTROL_UNKNOWN_VERB;
    }
}

/* ---- status ------------------------------------------------------------------------------------------ */

enum { STATUS_METRICS = 40 }; /* reasons of rejects up to here: the shell adds figures of its own */

static int64_t in_millionths(money v)
{
    v /= 1000000000000;
    return v > INT64_MAX ? INT64_MAX : v < INT64_MIN ? INT64_MIN : (int64_t)v;
}

static void count_owners(const struct risk *self, struct reply *reply)
{
    uint64_t live = 0, evaluations = self->departed_evaluations;
    for (int i = 0; i < OWNERS_MAX; i++) {
        const struct owner *o = &self->owners[i];
        live += o->live;
        evaluations += o->live ? o->evaluations : 0;
    }
    status_metric(reply, "workers", (int64_t)live);
    status_metric(reply, "evaluations", (int64_t)evaluations);
}

static void count_routes(const struct risk *self, struct reply *reply)
{
    uint32_t n = table_count(self->route_names), assigned = 0, parked = 0, positions = 0;
    for (uint32_t i = 0; i < n; i++) {
        assigned += self->routes[i].owner != NOBODY && self->owners[self->routes[i].owner].live;
        parked += self->routes[i].parked;
    }
    for (uint32_t i = 0; i < table_count(self->exposure_names); i++)
        positions += self->exposures[i].qty != 0;
    status_metric(reply, "routes", n);
    status_metric(reply, "routes_assigned", assigned);
    status_metric(reply, "routes_parked", parked);
    status_metric(reply, "round_trips", (int64_t)self->round_trips);
    status_metric(reply, "positions", positions);
}

static void count_oddities(const struct risk *self, struct reply *reply)
{
    status_metric(reply, "ignored", (int64_t)self->ignored);
    status_metric(reply, "hellos_refused", (int64_t)self->hellos_refused);
    status_metric(reply, "routes_refused", (int64_t)self->routes_refused);
    status_metric(reply, "adopted_orders", self->adopted_orders);
    status_metric(reply, "adoptions", (int64_t)self->adoptions);
    status_metric(reply, "late_fills", (int64_t)self->late_fills);
    status_metric(reply, "fx_missing", (int64_t)self->fx_missing);
    status_metric(reply, "unpriced", self->unpriced);
    status_metric(reply, "broken", self->broken);
    status_metric(reply, "never_sent", (int64_t)self->never_sent);
    status_metric(reply, "routes_mended", (int64_t)self->mended);
}

/* What is counted and not recorded yet counts as well. */
static void count_rejects(const struct risk *self, struct reply *reply)
{
    uint64_t by_reason[REASONS_MAX], rejects = self->rejects, cools = self->cools;
    memcpy(by_reason, self->rejects_by_reason, sizeof by_reason);
    for (int i = 0; i < FOLD_SETS * FOLD_WAYS; i++) {
        const struct fold *f = &self->folds[i];
        if (f->folded == 0)
            continue;
        *(f->last.verdict == VERDICT_COOL ? &cools : &rejects) += f->folded;
        by_reason[f->last.reason] += f->folded;
    }
    status_metric(reply, "rejects", (int64_t)rejects);
    status_metric(reply, "cools", (int64_t)cools);
    for (int i = 0; i < REASONS_MAX; i++) {
        char name[sizeof reply->metrics[0].name];
        snprintf(name, sizeof name, "rejects_%s", reason_text((enum reason)i));
        if (by_reason[i] != 0 && reply->n_metrics < STATUS_METRICS)
            status_metric(reply, name, (int64_t)by_reason[i]);
    }
}

void risk_status(const struct risk *self, struct reply *reply)
{
    status_metric(reply, "state", self->state);
    status_metric(reply, "decisions", (int64_t)(self->decisions + self->folded));
    status_metric(reply, "accepts", (int64_t)self->accepts);
    status_metric(reply, "open_baskets", self->open_baskets);
    status_metric(reply, "open_orders", self->open_orders);
    status_metric(reply, "day_pnl", in_millionths(risk_day_pnl(self)));
    status_metric(reply, "gross", in_millionths(self->gross));
    status_metric(reply, "limits_version", (int64_t)self->limits.limits_version);
    status_metric(reply, "exec_pos", (int64_t)self->exec.pos);
    count_owners(self, reply);
    count_routes(self, reply);
    count_oddities(self, reply);
    count_rejects(self, reply);
}
