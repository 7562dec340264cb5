/* Exec's ledger: writing its records, and the state that follows from them. A record that is written is
 * applied at once, by the same function that recovery uses. */
#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "services/exec/exec_internal.h"

static const char START_CAUSE[] = "paper start balance";

/* ---- client ids ---------------------------------------------------------------------------------------- */

static void add_number(uint64_t v, char *text, size_t *len)
{
    char digits[16];
    size_t n = 0;
    do {
        digits[n++] = "0123456789abcdefghijklmnopqrstuvwxyz"[v % 36];
        v /= 36;
    } while (v > 0);
    text[(*len)++] = '-';
    while (n > 0)
        text[(*len)++] = digits[--n];
}

void client_id_write(const char *account, struct place decision, uint32_t leg, uint32_t attempt, char out[36])
{
    char numbers[64];
    size_t len = 0, n = 0;
    add_number(decision.epoch, numbers, &len);
    add_number(decision.pos, numbers, &len);
    add_number(leg, numbers, &len);
    add_number(attempt, numbers, &len);
    for (const char *c = account; *c && n + len < 35; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        out[n++] = plain || *c == '-' ? *c : '_';
    }
    memcpy(out + n, numbers, len);
    memset(out + n + len, 0, 36 - n - len);
}

/* ---- writing --------------------------------------------------------------------------------------------
 */

struct message *record_order(struct exec *self, const struct order *order, const struct trace *trace,
                             struct now now, struct outbox *out)
{
    struct message *m = outbox_record(out, &self->head, MSG_ORDER, now);
    m->env.trace = *trace;
    m->order = *order;
    m->order.market_time = now.market_ns;
    exec_apply(self, m);
    return m;
}

void record_order_state(struct exec *self, struct hand_order *o, enum order_state state, enum reason reason,
                        struct now now, struct outbox *out)
{
    struct order order = o->told;
    order.state = state;
    order.reason = reason;
    record_order(self, &order, &o->basket->trace, now, out);
}

void record_basket(struct exec *self, const struct basket *basket, const struct trace *trace, struct now now,
                   struct outbox *out)
{
    struct message *m = outbox_record(out, &self->head, MSG_BASKET, now);
    m->env.trace = *trace;
    m->basket = *basket;
    m->basket.market_time = now.market_ns;
    exec_apply(self, m);
}

void record_basket_state(struct exec *self, struct hand_basket *b, enum basket_state state,
                         enum reason reason, bool terminal, struct now now, struct outbox *out)
{
    struct basket basket = b->told;
    struct progress p;
    basket.state = state;
    basket.reason = reason;
    basket.terminal = terminal;
    basket.n_legs = 0;
    memset(basket.legs, 0, sizeof basket.legs);
    if (progress_measure(self, b, &p) == OK)
        basket.residual = p.residual;
    record_basket(self, &basket, &b->trace, now, out);
}

/* The price decided on, at the exponent of the fill; widens the fill's where that keeps all digits. */
static void set_prices(struct fill *fill, struct dec price, const struct basket_leg *leg)
{
    struct dec decided = {leg->book_price, leg->price_exp}, wide;
    if (dec_rescale(price, decided.exp < price.exp ? decided.exp : price.exp, ROUND_EXACT, &wide) == OK)
        price = wide;
    fill->price = price.m;
    fill->price_exp = price.exp;
    if (dec_mantissa(decided, price.exp, ROUND_HALF_EVEN, &fill->decided_price) != OK)
        fill->decided_price = 0;
}

static struct dec rate_of(struct exec *self, const char *quote)
{
    struct dec fx;
    const struct config *c = self->config;
    if (view_fx(self->view, quote, c->run.reporting, c->run.fx_max_age_ms * NS_PER_MS, &fx) == OK)
        return fx;
    return (struct dec){0, 0};
}

void record_fill(struct exec *self, struct hand_order *o, const struct order_report *report, struct now now,
                 struct outbox *out)
{
    const struct basket_leg *leg = &o->basket->told.legs[o->told.leg];
    struct message *m = outbox_record(out, &self->head, MSG_FILL, now);
    struct fill *fill = &m->fill;
    m->env.trace = o->basket->trace;
    m->env.trace.hop[HOP_EXEC_FILL] = m->env.trace.recv_mono ? now.mono_ns : 0;
    memcpy(fill->client_id, o->told.client_id, sizeof fill->client_id);
    memcpy(fill->trade_id, report->trade_id, sizeof fill->trade_id);
    memcpy(fill->symbol, o->told.symbol, sizeof fill->symbol);
    memcpy(fill->venue, o->told.venue, sizeof fill->venue);
    memcpy(fill->route, o->told.route, sizeof fill->route);
    fill->risk_epoch = o->told.risk_epoch;
    fill->risk_pos = o->told.risk_pos;
    fill->leg = o->told.leg;
    fill->side = o->told.side;
    fill->liquidity = report->liquidity == LIQUIDITY_MAKER ? LIQUIDITY_MAKER : LIQUIDITY_TAKER;
    set_prices(fill, report->price, leg);
    fill->qty = report->qty.m;
    fill->qty_exp = report->qty.exp;
    fill->fee = report->fee;
    memcpy(fill->base, leg->base, sizeof fill->base);
    memcpy(fill->quote, leg->quote, sizeof fill->quote);
    text_set(fill->fee_currency, sizeof fill->fee_currency,
             report->fee_currency[0] ? report->fee_currency : leg->quote);
    fill->kind = leg->kind;
    fill->fx = rate_of(self, leg->quote);
    fill->venue_time = report->venue_time;
    fill->market_time = now.market_ns;
    exec_apply(self, m);
}

static void record_balance(struct exec *self, const char *venue, const char *currency, struct now now,
                           struct outbox *out)
{
    struct message *m = outbox_record(out, &self->head, MSG_BALANCE, now);
    text_set(m->balance.venue, sizeof m->balance.venue, venue);
    text_set(m->balance.currency, sizeof m->balance.currency, currency);
    m->balance.total = portfolio_balance(self->portfolio, venue, currency);
    m->balance.market_time = now.market_ns;
    exec_apply(self, m);
}

void record_balances(struct exec *self, const struct hand_basket *b, struct now now, struct outbox *out)
{
    struct pair {
        const char *venue, *currency;
    } told[3 * BASKET_LEGS];
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->told.n_legs; i++) {
        const struct basket_leg *leg = &b->told.legs[i];
        bool spot = leg->kind == KIND_SPOT;
        const char *touched[] = {spot ? leg->base : "", leg->quote, b->legs[i].fee_currency};
        for (uint32_t t = 0; t < 3; t++) {
            bool again = touched[t][0] == '\0';
            for (uint32_t k = 0; k < n; k++)
                again |= strcmp(told[k].venue, leg->venue) == 0 && strcmp(told[k].currency, touched[t]) == 0;
            if (again || b->legs[i].fee_currency[0] == '\0') /* no fill touched this leg */
                continue;
            told[n++] = (struct pair){leg->venue, touched[t]};
            record_balance(self, leg->venue, touched[t], now, out);
        }
    }
}

/* ---- applying -------------------------------------------------------------------------------------------
 */

static void apply_basket(struct exec *self, const struct message *m)
{
    const struct basket *told = &m->basket;
    struct place decision = {told->risk_epoch, told->risk_pos};
    struct hand_basket *b = NULL;
    if (place_behind(decision, self->mark))
        self->mark = decision;
    if (place_behind(decision, self->upstream))
        self->upstream = decision;
    self->n_baskets += told->state == BASKET_OPEN;
    self->n_parked += told->state == BASKET_PARKED;
    self->n_expired += told->state == BASKET_EXPIRED;
    if (told->state == BASKET_OPEN && told->n_legs > 0) {
        b = remembered_take_basket(self);
        if (!b)
            return;
        b->told = *told;
        b->trace = m->env.trace;
        for (uint32_t i = 0; i < told->n_legs; i++) {
            const struct basket_leg *leg = &told->legs[i];
            b->broken |= money_of((struct dec){leg->qty, leg->qty_exp}, &b->legs[i].target) != OK;
        }
        return;
    }
    b = remembered_basket(self, decision);
    if (!b)
        return;
    bool ends = told->terminal && !b->told.terminal;
    uint32_t n_legs = b->told.n_legs;
    struct basket_leg legs[BASKET_LEGS];
    memcpy(legs, b->told.legs, sizeof legs);
    b->told = *told;
    b->told.n_legs = n_legs;
    memcpy(b->told.legs, legs, sizeof legs);
    if (ends)
        remembered_finish(self, b);
}

static struct hand_order *new_order(struct exec *self, const struct order *told)
{
    struct hand_basket *b = remembered_basket(self, (struct place){told->risk_epoch, told->risk_pos});
    struct hand_order *o =
        b && told->leg < b->told.n_legs ? remembered_take_order(self, b, told->client_id) : NULL;
    if (!o)
        return NULL;
    struct hand_leg *leg = &b->legs[told->leg];
    leg->orders++;
    if (told->side != b->told.legs[told->leg].side)
        leg->unwinds++;
    else
        leg->completions += told->attempt > 0;
    self->n_orders++;
    if (!order_is_terminal(told->state)) {
        b->open++;
        self->n_orders_open++;
    }
    o->told = *told;
    return o;
}

static void apply_order(struct exec *self, const struct message *m)
{
    const struct order *told = &m->order;
    struct hand_order *o = remembered_order(self, told->client_id);
    if (!o)
        o = new_order(self, told);
    if (!o)
        return;
    if (!order_is_terminal(o->told.state) && order_is_terminal(told->state)) {
        o->basket->open--;
        self->n_orders_open--;
        self->to_ask -= o->ask;
        o->ask = false;
    }
    if (told->reason != REASON_NONE)
        o->basket->reason = told->reason;
    o->told = *told;
}

int order_with_fill(const struct order *order, struct dec qty, struct order *out)
{
    int exp = qty.exp < order->qty_exp ? qty.exp : order->qty_exp;
    int64_t added, ordered, filled;
    if (dec_mantissa(qty, exp, ROUND_EXACT, &added) != OK ||
        dec_mantissa((struct dec){order->qty, order->qty_exp}, exp, ROUND_EXACT, &ordered) != OK ||
        dec_mantissa((struct dec){order->filled, order->qty_exp}, exp, ROUND_EXACT, &filled) != OK ||
        __builtin_add_overflow(filled, added, &filled))
        return E_RANGE;
    *out = *order;
    out->qty_exp = (int8_t)exp;
    out->qty = ordered;
    out->filled = filled;
    return OK;
}

/* What came in, in the reporting currency; fees in another currency than the quote are not in it. */
static void add_cash(struct exec *self, const struct fill *fill)
{
    money cash, fee;
    struct dec price = {fill->price, fill->price_exp}, qty = {fill->qty, fill->qty_exp};
    if (fill->fx.m == 0) {
        self->no_fx++;
        return;
    }
    if (money_product(price, qty, &cash) != OK)
        return;
    if (fill->side == SIDE_BUY)
        cash = -cash;
    if (strcmp(fill->fee_currency, fill->quote) == 0 && money_of(fill->fee, &fee) == OK)
        (void)money_sub(cash, fee, &cash);
    if (money_scale(cash, fill->fx, ROUND_HALF_EVEN, &cash) == OK)
        (void)money_add(self->net_cash, cash, &self->net_cash);
}

static void add_progress(struct hand_order *o, const struct fill *fill)
{
    struct hand_leg *leg = &o->basket->legs[o->told.leg];
    struct dec qty = {fill->qty, fill->qty_exp};
    money amount;
    bool with = fill->side == o->basket->told.legs[o->told.leg].side;
    if (order_with_fill(&o->told, qty, &o->told) != OK || money_of(qty, &amount) != OK ||
        money_add(leg->done, with ? amount : -amount, &leg->done) != OK)
        o->basket->broken = true;
    memcpy(leg->fee_currency, fill->fee_currency, sizeof leg->fee_currency);
}

static void apply_fill(struct exec *self, const struct message *m)
{
    const struct fill *fill = &m->fill;
    (void)remembered_has_room(self, 0);
    struct hand_order *o = remembered_order(self, fill->client_id);
    self->n_fills++;
    if (portfolio_fill(self->portfolio, fill) != OK) {
        self->unbooked++;
        if (o)
            o->basket->broken = true;
    }
    add_cash(self, fill);
    if (!o)
        return;
    remembered_take_trade(self, o, fill->trade_id);
    add_progress(o, fill);
}

static void apply_adjust(struct exec *self, const struct adjust *adjust)
{
    char key[40];
    if (portfolio_adjust(self->portfolio, adjust) != OK)
        self->unbooked++;
    if (strcmp(adjust->cause, START_CAUSE) != 0)
        return;
    int len = snprintf(key, sizeof key, "%.15s %.15s", adjust->venue, adjust->currency);
    (void)table_intern(self->started, key, (size_t)len);
}

void exec_apply(struct exec *self, const struct message *record)
{
    self->head.epoch = record->env.epoch;
    self->head.pos = record->env.pos;
    switch (record->env.type) {
    case MSG_BASKET:
        apply_basket(self, record);
        break;
    case MSG_ORDER:
        apply_order(self, record);
        break;
    case MSG_FILL:
        apply_fill(self, record);
        break;
    case MSG_ADJUST:
        apply_adjust(self, &record->adjust);
        break;
    default:
        break; /* an epoch, a session, a balance: nothing follows from them */
    }
}

void record_start_balance(struct exec *self, const char *venue, const char *currency, money amount,
                          struct now now, struct outbox *out)
{
    char key[40];
    int len = snprintf(key, sizeof key, "%.15s %.15s", venue, currency);
    if (amount == 0 || table_find(self->started, key, (size_t)len) >= 0)
        return;
    struct message *m = outbox_record(out, &self->head, MSG_ADJUST, now);
    text_set(m->adjust.venue, sizeof m->adjust.venue, venue);
    text_set(m->adjust.currency, sizeof m->adjust.currency, currency);
    text_set(m->adjust.cause, sizeof m->adjust.cause, START_CAUSE);
    m->adjust.amount = amount;
    m->adjust.market_time = now.market_ns;
    exec_apply(self, m);
}
