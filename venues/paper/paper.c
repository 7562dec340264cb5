/* The paper venue's life. An outcome is first written, then it changes what is held, then it is told. */
#include "venues/paper/paper.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/market/symbol.h"
#include "venues/paper/paper_internal.h"

static const int64_t RETRY_NS = 10 * NS_PER_MS; /* after the log refused a line */

struct paper *paper_new(const struct config *config, const struct view *view, uint32_t orders,
                        struct paper_log log)
{
    struct paper *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->config = config;
    self->view = view;
    self->log = log;
    self->latency_ns = config->paper.latency_us * NS_PER_US;
    self->taken = calloc(PAPER_INSTRUMENTS, sizeof *self->taken);
    self->currencies = table_new(PAPER_CURRENCIES, 32);
    self->balances = calloc(PAPER_CURRENCIES, sizeof *self->balances);
    if (memory_open(self, orders) != OK || checkpoint_open(self) != OK || !self->taken || !self->currencies ||
        !self->balances)
        paper_destroy(&self);
    return self;
}

void paper_destroy(struct paper **self)
{
    if (!*self)
        return;
    memory_close(*self);
    free((*self)->checkpoint);
    table_destroy(&(*self)->currencies);
    free((*self)->taken);
    free((*self)->balances);
    free(*self);
    *self = NULL;
}

/* ---- taking ------------------------------------------------------------------------------------------ */

/* What can be matched at all. What cannot stand in a line of the log is refused without one. */
static void examine(struct paper_order *order)
{
    struct inst inst;
    order->unlogged = !lines_word(order->client_id) || !lines_word(order->venue) ||
                      !lines_word(order->symbol) || symbol_read(order->symbol, &inst) != OK ||
                      order->qty.m <= 0 || order->limit.m <= 0 ||
                      (order->side != SIDE_BUY && order->side != SIDE_SELL);
    if (order->unlogged) {
        order->progress = REFUSED;
        order->reason = REASON_MALFORMED;
        return;
    }
    /* Of a derivative only the quote currency is held. */
    order->spot = inst.kind == KIND_SPOT;
    memcpy(order->quote, inst.quote, sizeof order->quote);
    memcpy(order->base, order->spot ? inst.base : inst.quote, sizeof order->base);
}

struct paper_order *paper_take(struct paper *self, const struct order *told, int64_t time_ns)
{
    struct paper_venue *venue = memory_venue(self, told->venue);
    struct paper_order *order = venue ? memory_take(self, told->client_id) : NULL;
    if (!order)
        return NULL;
    text_set(order->venue, sizeof order->venue, told->venue);
    text_set(order->symbol, sizeof order->symbol, told->symbol);
    order->side = told->side;
    order->tif = told->tif;
    order->qty = (struct dec){told->qty, told->qty_exp};
    order->limit = (struct dec){told->price, told->price_exp};
    order->taken_ns = order->ended_ns = time_ns;
    examine(order);
    if (!order->unlogged)
        order->number = ++venue->orders;
    memory_queue(self, order, time_ns + self->latency_ns);
    return order;
}

void paper_submit(struct paper *self, const struct order *told, struct now now)
{
    struct paper_order *order = memory_find(self, told->client_id);
    if (order) {
        memory_queue(self, order, now.market_ns + self->latency_ns);
        return;
    }
    checkpoint_watch(self, false);
    order = paper_take(self, told, now.market_ns);
    if (order)
        order->sent_mono_ns = now.mono_ns;
    /* A line that is refused is tried again before the order is matched. */
    if (order && !order->unlogged)
        (void)lines_write_order(self, order);
}

/* ---- answering ---------------------------------------------------------------------------------------- */

static struct order_report report_of(const struct paper_order *order, enum report_kind kind)
{
    struct order_report report = {.kind = kind,
                                  .liquidity = LIQUIDITY_TAKER,
                                  .venue_time = order->ended_ns,
                                  .sent_mono_ns = order->sent_mono_ns};
    text_set(report.venue, sizeof report.venue, order->venue);
    text_set(report.client_id, sizeof report.client_id, order->client_id);
    if (order->number)
        (void)snprintf(report.venue_id, sizeof report.venue_id, "%s-o%" PRIu64, order->venue, order->number);
    return report;
}

static void tell_fills(const struct paper *self, const struct paper_order *order, paper_report_fn *report,
                       void *ctx)
{
    for (int i = order->first_fill; i != NONE; i = self->fills[i].next) {
        const struct paper_fill *fill = &self->fills[i];
        struct order_report told = report_of(order, REPORT_FILL);
        (void)snprintf(told.trade_id, sizeof told.trade_id, "%s-%" PRIu64, order->venue, fill->trade);
        text_set(told.fee_currency, sizeof told.fee_currency, order->quote);
        told.price = fill->price;
        told.qty = fill->qty;
        told.fee = fill->fee;
        told.venue_time = fill->time_ns;
        report(ctx, &told);
    }
}

/* All that is known of it. The order must not be forgotten meanwhile: reports may bring new orders. */
static void tell(struct paper *self, struct paper_order *order, paper_report_fn *report, void *ctx)
{
    struct order_report end = report_of(order, order->progress == REFUSED ? REPORT_REJECT : REPORT_DONE);
    end.reason = order->reason;
    end.filled = order->filled;
    if (order->progress != REFUSED) {
        struct order_report ack = report_of(order, REPORT_ACK);
        ack.venue_time = order->taken_ns;
        report(ctx, &ack);
        tell_fills(self, order, report, ctx);
    }
    if (order->progress != WAITING)
        report(ctx, &end);
}

void paper_look_up(struct paper *self, const char *venue, const char *client_id, paper_report_fn *report,
                   void *ctx)
{
    struct paper_order *order = memory_find(self, client_id);
    if (!order || strcmp(order->venue, venue) != 0) {
        struct order_report none = {.kind = REPORT_NOT_FOUND};
        text_set(none.venue, sizeof none.venue, venue);
        text_set(none.client_id, sizeof none.client_id, client_id);
        report(ctx, &none);
        return;
    }
    if (!order->unlogged && lines_write_order(self, order) != OK)
        return;
    bool held = order->queued;
    order->queued = true; /* so that it is not forgotten while it is told */
    tell(self, order, report, ctx);
    order->queued = held;
}

void paper_list(const struct paper *self, const char *prefix, paper_report_fn *report, void *ctx)
{
    for (uint32_t i = 0; i < self->capacity; i++) {
        const struct paper_order *order = &self->orders[(self->next + i) % self->capacity];
        if (!order->used || order->unlogged || strncmp(order->client_id, prefix, strlen(prefix)) != 0)
            continue;
        struct order_report told = report_of(order, REPORT_LISTED);
        text_set(told.symbol, sizeof told.symbol, order->symbol);
        told.side = order->side;
        told.tif = order->tif;
        told.price = order->limit;
        told.qty = order->qty;
        told.filled = order->filled;
        told.venue_time = order->taken_ns;
        report(ctx, &told);
    }
}

/* ---- matching ----------------------------------------------------------------------------------------- */

static int open_account(struct paper *self, const struct paper_order *order)
{
    int status = account_open(self, order->venue, order->base);
    return status == OK ? account_open(self, order->venue, order->quote) : status;
}

static void keep_fills(struct paper *self, struct paper_order *order, const struct outcome *outcome,
                       struct paper_venue *venue, int64_t time_ns)
{
    for (uint32_t i = 0; i < outcome->n; i++) {
        const struct take *take = &outcome->at[i];
        struct paper_fill *fill = memory_add_fill(self, order);
        /* Checked as a whole before; there is room for two whole books beside what can be forgotten. */
        (void)account_book(self, order, take->price, take->qty, take->fee);
        venue->trades++;
        if (fill)
            *fill = (struct paper_fill){.trade = venue->trades,
                                        .time_ns = time_ns,
                                        .price = take->price,
                                        .qty = take->qty,
                                        .fee = take->fee,
                                        .next = fill->next};
    }
}

/* Matches an order and writes how it ended. E_IO: nothing has happened. */
static int end_order(struct paper *self, struct paper_order *order, struct now now)
{
    struct outcome *outcome = &self->outcome;
    struct paper_venue *venue = memory_venue(self, order->venue);
    int status = lines_write_order(self, order);
    if (status == OK)
        status = open_account(self, order);
    if (status == E_IO)
        return status;
    if (order->filled.m != 0) {
        /* The log ended between its fills and its end: what was written stands, nothing is added. */
        *outcome = (struct outcome){.filled = order->filled};
        outcome->reason = dec_cmp(order->filled, order->qty) < 0 ? REASON_NO_LIQUIDITY : REASON_NONE;
    } else if (status == OK) {
        match_order(self, order, outcome);
    } else {
        *outcome = (struct outcome){.refused = true, .reason = REASON_OVERFLOW};
    }
    status = lines_write_outcome(self, order, outcome, venue->trades + 1, now.market_ns);
    if (status != OK)
        return status;
    keep_fills(self, order, outcome, venue, now.market_ns);
    if (outcome->n > 0)
        match_take(self, order, outcome);
    order->progress = outcome->refused ? REFUSED : FINISHED;
    order->reason = outcome->reason;
    order->filled = outcome->filled;
    order->ended_ns = now.market_ns;
    return OK;
}

int64_t paper_run(struct paper *self, struct now now, paper_report_fn *report, void *ctx)
{
    while (self->queue_first != NONE && self->orders[self->queue_first].due_ns <= now.market_ns) {
        struct paper_order *order = &self->orders[self->queue_first];
        bool ended = order->progress != WAITING || end_order(self, order, now) == OK;
        memory_unqueue(self, order);
        if (!ended) {
            memory_queue(self, order, now.market_ns + RETRY_NS);
            continue;
        }
        order->queued = true;
        tell(self, order, report, ctx);
        order->queued = false;
    }
    return paper_next_ns(self);
}

int64_t paper_next_ns(const struct paper *self)
{
    return self->queue_first == NONE ? INT64_MAX : self->orders[self->queue_first].due_ns;
}

uint32_t paper_waiting(const struct paper *self)
{
    return self->queued;
}
