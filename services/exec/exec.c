/* The hand's life: start, risk's ledger, the market, time, control, status. */
#include "services/exec/exec.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/runtime/metric.h"
#include "services/exec/exec_internal.h"
#include "venues/paper/paper.h"

static const int64_t ANSWER_NS = NS_PER_SEC; /* market time an answer may take beyond the venue's latency */

struct exec *exec_new(const struct exec_options *options)
{
    struct exec *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->config = options->config;
    self->view = options->view;
    text_set(self->run, sizeof self->run, options->run);
    self->boot_id = options->boot_id;
    text_set(self->head.stream, sizeof self->head.stream, "exec");
    self->syncs = strcmp(self->config->run.mode, "live") == 0 ||
                  strcmp(self->config->exec.sync_before_send, "always") == 0;
    self->answer_ns = ANSWER_NS + self->config->paper.latency_us * NS_PER_US;
    self->portfolio = portfolio_new(INSTRUMENTS_HELD, CURRENCIES_HELD);
    self->started = table_new(CURRENCIES_HELD, 40);
    if (remembered_open(self) != OK || !self->portfolio || !self->started)
        exec_destroy(&self);
    return self;
}

void exec_destroy(struct exec **self)
{
    if (!*self)
        return;
    remembered_close(*self);
    portfolio_destroy(&(*self)->portfolio);
    table_destroy(&(*self)->started);
    free(*self);
    *self = NULL;
}

/* ---- start --------------------------------------------------------------------------------------------- */

static bool has_room(const struct outbox *out, uint32_t before)
{
    return out->n_messages - before < MESSAGES_PER_INPUT;
}

static void ask_list(struct exec *self, const struct basket_list *list, uint32_t before, struct now now,
                     struct outbox *out)
{
    for (struct hand_basket *b = list->first; b && self->to_ask > 0; b = b->after) {
        for (struct hand_order *o = b->first; o && has_room(out, before); o = o->next) {
            if (o->ask && !order_is_terminal(o->told.state))
                order_ask(self, o, now, out);
        }
    }
}

/* Asks for the orders that a restart left open, as many as this input has room for. */
static void ask_left(struct exec *self, uint32_t before, struct now now, struct outbox *out)
{
    ask_list(self, &self->open, before, now, out);
    ask_list(self, &self->finished, before, now, out);
}

static void mark_open(struct exec *self, const struct basket_list *list)
{
    for (struct hand_basket *b = list->first; b; b = b->after) {
        for (struct hand_order *o = b->first; o && b->open > 0; o = o->next) {
            self->to_ask += !order_is_terminal(o->told.state) && !o->ask;
            o->ask = !order_is_terminal(o->told.state);
        }
    }
}

static void write_session(struct exec *self, enum session_event event, struct now now, struct outbox *out)
{
    struct message *m = outbox_record(out, &self->head, MSG_SESSION, now);
    m->session.event = event;
    text_set(m->session.who, sizeof m->session.who, "exec");
    text_set(m->session.run, sizeof m->session.run, self->run);
    m->session.market_time = now.market_ns;
    exec_apply(self, m);
}

void exec_start(struct exec *self, uint64_t epoch, struct now now, struct outbox *out)
{
    uint32_t before = out->n_messages;
    struct ledger_head base = self->head;
    exec_apply(self, outbox_epoch(out, &self->head, epoch, self->boot_id, self->run, now));
    write_session(self, base.epoch == 0 ? SESSION_START : SESSION_RESUME, now, out);
    mark_open(self, &self->open);
    mark_open(self, &self->finished);
    ask_left(self, before, now, out);
    for (struct hand_basket *b = self->finished.last; b && has_room(out, before); b = b->before)
        (void)basket_restate(self, b, now, out);
}

void exec_begin_epoch(struct exec *self, uint64_t epoch, struct now now, struct outbox *out)
{
    exec_apply(self, outbox_epoch(out, &self->head, epoch, self->boot_id, self->run, now));
}

/* ---- inputs -------------------------------------------------------------------------------------------- */

void exec_on_market(struct exec *self, int index, struct now now, struct outbox *out)
{
    const struct quote *q = index < 0 ? NULL : view_at(self->view, (uint32_t)index);
    if (!q || q->inst.symbol[0] == '\0' || strcmp(self->config->run.mode, "paper") != 0)
        return;
    const struct inst *inst = &q->inst;
    /* Of a derivative no base is held. */
    if (inst->kind == KIND_SPOT)
        record_start_balance(self, inst->venue, inst->base,
                             paper_start_balance(self->config, inst->venue, inst->base), now, out);
    record_start_balance(self, inst->venue, inst->quote,
                         paper_start_balance(self->config, inst->venue, inst->quote), now, out);
}

static void note_due(int64_t *next_ns, int64_t at_ns)
{
    if (at_ns > 0 && at_ns < *next_ns)
        *next_ns = at_ns;
}

/* An order that says nothing is asked for; one that rests is not. */
static void watch_orders(struct exec *self, struct hand_basket *b, int64_t *next_ns, struct now now,
                         struct outbox *out)
{
    for (struct hand_order *o = b->first; o; o = o->next) {
        bool rests = o->told.tif == TIF_GTC && !o->done_told &&
                     (o->told.state == ORDER_NEW || o->told.state == ORDER_PARTIALLY_FILLED);
        if (rests || order_is_terminal(o->told.state))
            continue;
        if (now.market_ns - o->heard_ns >= self->answer_ns)
            order_ask(self, o, now, out);
        note_due(next_ns, o->heard_ns + self->answer_ns);
    }
}

/* Orders that were found again after their basket had ended. */
static void watch_late(struct exec *self, uint32_t before, int64_t *next_ns, struct now now,
                       struct outbox *out)
{
    for (struct hand_basket *b = self->late_open > 0 ? self->finished.first : NULL;
         b && has_room(out, before); b = b->after) {
        if (b->open > 0)
            watch_orders(self, b, next_ns, now, out);
    }
}

void exec_on_time(struct exec *self, struct now now, struct outbox *out)
{
    uint32_t before = out->n_messages;
    int64_t next_ns = INT64_MAX;
    ask_left(self, before, now, out);
    upstream_watch(self, now, out);
    if (has_room(out, before))
        adopted_settle(self, now, out);
    if (now.market_ns <= 0)
        return;
    for (struct hand_basket *b = self->open.first, *after; b && has_room(out, before); b = after) {
        after = b->after;
        if (b->open > 0)
            watch_orders(self, b, &next_ns, now, out);
        else
            basket_advance(self, b, now, out);
        if (b->told.terminal)
            continue;
        note_due(&next_ns, b->wait_until);
        if (b->open == 0)
            note_due(&next_ns, b->same_until);
    }
    watch_late(self, before, &next_ns, now, out);
    /* Asked for once: the caller keeps it. */
    if (next_ns != INT64_MAX && next_ns != self->armed_ns)
        outbox_timer(out, next_ns);
    self->armed_ns = next_ns == INT64_MAX ? 0 : next_ns;
}

enum control_code exec_on_control(struct exec *self, enum control_verb verb, const char *arg, struct now now,
                                  struct outbox *out)
{
    (void)arg;
    if (verb != VERB_DRAIN && verb != VERB_STOP)
        return CONTROL_UNKNOWN_VERB;
    self->draining = true;
    if (verb == VERB_STOP && !self->stopped) {
        self->stopped = true;
        record_upstream(self, self->upstream, now, out);
        write_session(self, SESSION_STOP, now, out);
    }
    return CONTROL_DONE;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

void exec_status(const struct exec *self, struct reply *reply)
{
    struct dec cash;
    status_metric(reply, "orders", (int64_t)self->n_orders);
    status_metric(reply, "orders_open", (int64_t)self->n_orders_open);
    status_metric(reply, "fills", (int64_t)self->n_fills);
    status_metric(reply, "baskets", (int64_t)self->n_baskets);
    status_metric(reply, "baskets_open", (int64_t)self->open.n);
    status_metric(reply, "parked", (int64_t)self->n_parked);
    status_metric(reply, "expired", (int64_t)self->n_expired);
    if (money_dec(self->net_cash, -6, ROUND_HALF_EVEN, &cash) == OK &&
        dec_rescale(cash, -6, ROUND_HALF_EVEN, &cash) == OK)
        status_metric(reply, "net_cash_micro", cash.m);
    status_metric(reply, "risk_epoch", (int64_t)self->upstream.epoch);
    status_metric(reply, "risk_pos", (int64_t)self->upstream.pos);
    status_metric(reply, "draining", (int64_t)self->draining);
    status_metric(reply, "late_fills", (int64_t)self->late_fills);
    status_metric(reply, "overfills", (int64_t)self->overfills);
    status_metric(reply, "repeated_trades", (int64_t)self->repeated_trades);
    status_metric(reply, "unknown_reports", (int64_t)self->unknown_reports);
    status_metric(reply, "malformed_reports", (int64_t)self->malformed_reports);
    status_metric(reply, "ignored_events", (int64_t)self->ignored_events);
    status_metric(reply, "fills_without_fx", (int64_t)self->no_fx);
    status_metric(reply, "fills_unbooked", (int64_t)self->unbooked);
    status_metric(reply, "decisions_fenced", (int64_t)self->fenced);
    status_metric(reply, "decisions_skipped", (int64_t)self->skipped);
    status_metric(reply, "baskets_forgotten", (int64_t)self->forgotten);
    status_metric(reply, "orders_adopted", (int64_t)self->adopted);
    status_metric(reply, "orders_reopened", (int64_t)self->reopened);
    status_metric(reply, "orders_not_ours", (int64_t)self->strangers);
    status_metric(reply, "risk_gaps", (int64_t)self->gaps);
}

void exec_upstream(const struct exec *self, uint64_t *epoch, uint64_t *pos)
{
    *epoch = self->upstream.epoch;
    *pos = self->upstream.pos;
}

uint32_t exec_open_baskets(const struct exec *self)
{
    return self->open.n;
}

const struct ledger_head *exec_head(const struct exec *self)
{
    return &self->head;
}
