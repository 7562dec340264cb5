/* Exec's ledger: writing its records. A record that is written is applied at once, by the same function that
 * recovery uses. */
#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/runtime/trace.h"
#include "services/exec/exec_internal.h"

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

static char plain(char c)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter || c == '-' ? c : '_';
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
        out[n++] = plain(*c);
    }
    memcpy(out + n, numbers, len);
    memset(out + n + len, 0, 36 - n - len);
}

/* Of a long account only what no id cuts off; whose an id is its whole says. */
void exec_prefix(const struct exec *self, char out[36])
{
    size_t n = 0;
    for (const char *c = self->config->run.account; *c && n < 8; c++)
        out[n++] = plain(*c);
    memset(out + n, 0, 36 - n);
}

/* The number behind the last '-' of the first *len characters, which are then those before it. */
static bool take_number(const char *text, size_t *len, uint64_t *out)
{
    size_t from = *len;
    while (from > 0 && text[from - 1] != '-')
        from--;
    if (from == 0 || from == *len)
        return false;
    *out = 0;
    for (size_t i = from; i < *len; i++) {
        char c = text[i];
        uint64_t digit = c >= '0' && c <= '9' ? (uint64_t)(c - '0') : (uint64_t)(c - 'a') + 10;
        if (digit > 35 || __builtin_mul_overflow(*out, 36, out) || __builtin_add_overflow(*out, digit, out))
            return false;
    }
    *len = from - 1;
    return true;
}

bool client_id_read(const char *account, const char *id, struct place *decision, uint32_t *leg,
                    uint32_t *attempt)
{
    uint64_t numbers[4];
    char same[36];
    size_t len = strnlen(id, 36);
    for (int i = 3; i >= 0; i--) {
        if (!take_number(id, &len, &numbers[i]))
            return false;
    }
    if (numbers[2] > UINT32_MAX || numbers[3] > UINT32_MAX)
        return false;
    *decision = (struct place){numbers[0], numbers[1]};
    *leg = (uint32_t)numbers[2];
    *attempt = (uint32_t)numbers[3];
    client_id_write(account, *decision, *leg, *attempt, same);
    return strcmp(same, id) == 0;
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

struct trace order_trace(const struct exec *self, const struct hand_order *o)
{
    struct trace trace = o->basket->trace;
    if (o->sent_mono_ns)
        trace_stamp(&trace, HOP_EXEC_OUT, self->boot_id, o->sent_mono_ns);
    return trace;
}

void record_order_state(struct exec *self, struct hand_order *o, enum order_state state, enum reason reason,
                        struct now now, struct outbox *out)
{
    struct order order = o->told;
    order.state = state;
    order.reason = reason;
    const struct trace trace = order_trace(self, o);
    record_order(self, &order, &trace, now, out);
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
    m->env.trace = order_trace(self, o);
    trace_stamp(&m->env.trace, HOP_EXEC_FILL, self->boot_id, now.mono_ns);
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

static void record_position(struct exec *self, const struct basket_leg *leg, struct now now,
                            struct outbox *out)
{
    int index = portfolio_find(self->portfolio, leg->symbol, leg->venue);
    if (index < 0)
        return;
    struct message *m = outbox_record(out, &self->head, MSG_POSITION, now);
    m->position = *portfolio_position(self->portfolio, (uint32_t)index);
    m->position.market_time = now.market_ns;
    exec_apply(self, m);
}

static bool is_touched(const struct hand_basket *b, uint32_t leg)
{
    return b->legs[leg].fee_currency[0] != '\0';
}

static void record_positions(struct exec *self, const struct hand_basket *b, struct now now,
                             struct outbox *out)
{
    for (uint32_t i = 0; i < b->told.n_legs; i++) {
        const struct basket_leg *leg = &b->told.legs[i];
        bool again = !is_touched(b, i);
        for (uint32_t k = 0; k < i && !again; k++)
            again = is_touched(b, k) && strcmp(b->told.legs[k].venue, leg->venue) == 0 &&
                    strcmp(b->told.legs[k].symbol, leg->symbol) == 0;
        if (!again)
            record_position(self, leg, now, out);
    }
}

void record_holdings(struct exec *self, const struct hand_basket *b, struct now now, struct outbox *out)
{
    struct pair {
        const char *venue, *currency;
    } told[3 * BASKET_LEGS];
    uint32_t n = 0;
    record_positions(self, b, now, out);
    for (uint32_t i = 0; i < b->told.n_legs; i++) {
        const struct basket_leg *leg = &b->told.legs[i];
        bool spot = leg->kind == KIND_SPOT;
        const char *touched[] = {spot ? leg->base : "", leg->quote, b->legs[i].fee_currency};
        for (uint32_t t = 0; t < 3 && is_touched(b, i); t++) {
            bool again = touched[t][0] == '\0';
            for (uint32_t k = 0; k < n; k++)
                again |= strcmp(told[k].venue, leg->venue) == 0 && strcmp(told[k].currency, touched[t]) == 0;
            if (again)
                continue;
            told[n++] = (struct pair){leg->venue, touched[t]};
            record_balance(self, leg->venue, touched[t], now, out);
        }
    }
}

void record_gap(struct exec *self, const struct gap *gap, struct now now, struct outbox *out)
{
    struct message *m = outbox_record(out, &self->head, MSG_GAP, now);
    m->gap = *gap;
    exec_apply(self, m);
}

void record_start_balance(struct exec *self, const char *venue, const char *currency, money amount,
                          struct now now, struct outbox *out)
{
    if (amount == 0 || start_is_booked(self, venue, currency))
        return;
    struct message *m = outbox_record(out, &self->head, MSG_ADJUST, now);
    text_set(m->adjust.venue, sizeof m->adjust.venue, venue);
    text_set(m->adjust.currency, sizeof m->adjust.currency, currency);
    text_set(m->adjust.cause, sizeof m->adjust.cause, START_CAUSE);
    m->adjust.amount = amount;
    m->adjust.market_time = now.market_ns;
    exec_apply(self, m);
}
