/* The state that follows from exec's records: live each is applied as it is written, and a recovery applies them
 * again. Nothing else changes what must survive. */
#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "services/exec/exec_internal.h"

const char START_CAUSE[] = "paper start balance";

struct hand_basket *applied_basket(struct exec *self, const struct message *m)
{
    const struct basket *told = &m->basket;
    struct hand_basket *b = remembered_take_basket(self, (struct place){told->risk_epoch, told->risk_pos});
    if (!b)
        return NULL;
    b->told = *told;
    b->trace = m->env.trace;
    b->reason = told->reason;
    for (uint32_t i = 0; i < told->n_legs; i++) {
        const struct basket_leg *leg = &told->legs[i];
        b->broken |= money_of((struct dec){leg->qty, leg->qty_exp}, &b->legs[i].target) != OK;
    }
    return b;
}

static void apply_basket(struct exec *self, const struct message *m)
{
    const struct basket *told = &m->basket;
    struct place decision = {told->risk_epoch, told->risk_pos};
    if (place_after(decision, self->mark))
        self->mark = decision;
    if (place_after(decision, self->recorded))
        self->recorded = decision;
    if (place_after(decision, self->upstream))
        self->upstream = decision;
    self->n_baskets += told->state == BASKET_OPEN;
    self->n_parked += told->state == BASKET_PARKED;
    self->n_expired += told->state == BASKET_EXPIRED;
    if (told->state == BASKET_OPEN && told->n_legs > 0) {
        (void)applied_basket(self, m);
        return;
    }
    struct hand_basket *b = remembered_basket(self, decision);
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

/* An order is open now, or is not any more. */
static void count_open(struct exec *self, struct hand_order *o, bool open)
{
    bool late = o->basket->told.terminal;
    if (open) {
        o->basket->open++;
        self->n_orders_open++;
        self->late_open += late;
        return;
    }
    o->basket->open--;
    self->n_orders_open--;
    self->late_open -= late;
    self->to_ask -= o->ask;
    o->ask = false;
}

struct hand_order *applied_order(struct exec *self, struct hand_basket *b, const struct order *told)
{
    struct hand_order *o =
        b && told->leg < b->told.n_legs ? remembered_take_order(self, b, told->client_id) : NULL;
    if (!o)
        return NULL;
    struct hand_leg *leg = &b->legs[told->leg];
    /* An attempt that was lost with its record must not be made again under its number. */
    leg->orders = told->attempt + 1 > leg->orders ? told->attempt + 1 : leg->orders;
    if (told->side != b->told.legs[told->leg].side)
        leg->unwinds++;
    else
        leg->completions += told->attempt > 0;
    o->told = *told;
    o->sent_ns = told->market_time;
    if (!order_is_terminal(told->state))
        count_open(self, o, true);
    return o;
}

static void apply_order(struct exec *self, const struct message *m)
{
    const struct order *told = &m->order;
    struct hand_order *o = remembered_order(self, told->client_id);
    if (!o) {
        struct place decision = {told->risk_epoch, told->risk_pos};
        o = applied_order(self, remembered_basket(self, decision), told);
        self->n_orders += o != NULL;
    } else if (order_is_terminal(o->told.state) != order_is_terminal(told->state)) {
        count_open(self, o, order_is_terminal(o->told.state));
    }
    if (!o)
        return;
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

/* ---- start balances ------------------------------------------------------------------------------------ */

static size_t start_key(const char *venue, const char *currency, char key[40])
{
    int len = snprintf(key, 40, "%.15s %.15s", venue, currency);
    return (size_t)len;
}

bool start_is_booked(const struct exec *self, const char *venue, const char *currency)
{
    char key[40];
    size_t len = start_key(venue, currency, key);
    return table_find(self->started, key, len) >= 0;
}

void note_start(struct exec *self, const char *venue, const char *currency)
{
    char key[40];
    size_t len = start_key(venue, currency, key);
    (void)table_intern(self->started, key, len);
}

static void apply_adjust(struct exec *self, const struct adjust *adjust)
{
    if (portfolio_adjust(self->portfolio, adjust) != OK)
        self->unbooked++;
    if (strcmp(adjust->cause, START_CAUSE) == 0)
        note_start(self, adjust->venue, adjust->currency);
}

/* ---- all of them --------------------------------------------------------------------------------------- */

static void apply_upstream(struct exec *self, const struct upstream *told)
{
    struct place at = {told->risk_epoch, told->risk_pos};
    if (place_after(at, self->recorded))
        self->recorded = at;
    if (place_after(at, self->upstream))
        self->upstream = at;
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
    case MSG_UPSTREAM:
        apply_upstream(self, &record->upstream);
        break;
    default:
        break; /* an epoch, a session, a gap, a balance, a position: nothing follows from them */
    }
}
