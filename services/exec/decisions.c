/* An accepted decision is the order: here it becomes a basket, or is refused for good. Either way one basket
 * record says so, and nothing up to it in risk's ledger is acted on again. */
#include <string.h>

#include "lib/base/text.h"
#include "lib/market/symbol.h"
#include "services/exec/exec_internal.h"

static const int64_t SAME_BOOK_NS = 250 * NS_PER_MS; /* market time */

static bool leg_is_sound(const struct intent_leg *leg)
{
    return leg->qty > 0 && leg->price > 0 && (leg->side == SIDE_BUY || leg->side == SIDE_SELL) &&
           leg->price_exp >= DEC_EXP_MIN && leg->price_exp <= DEC_EXP_MAX && leg->qty_exp >= DEC_EXP_MIN &&
           leg->qty_exp <= DEC_EXP_MAX;
}

static bool leg_is_known(const struct exec *self, const struct intent_leg *leg)
{
    int index = view_find(self->view, leg->symbol, leg->venue);
    return index >= 0 && view_at(self->view, (uint32_t)index)->inst.symbol[0] != '\0';
}

/* Both the quantity and what it costs must fit, so that booking its fills cannot fail. */
static bool leg_fits(const struct intent_leg *leg)
{
    money amount;
    struct dec qty = {leg->qty, leg->qty_exp}, price = {leg->price, leg->price_exp};
    return money_of(qty, &amount) == OK && money_product(price, qty, &amount) == OK;
}

bool decision_is_sound(const struct decision *d)
{
    bool sound = d->n_legs > 0 && d->n_legs <= BASKET_LEGS && !d->post_only && d->policy >= POLICY_COMPLETE &&
                 d->policy <= POLICY_PARK && d->slippage_bps.m >= 0;
    for (uint32_t i = 0; sound && i < d->n_legs; i++)
        sound = leg_is_sound(&d->legs[i]);
    return sound;
}

/* Why the decision is not sent; REASON_NONE: it is. Without market time no deadline can be kept. */
static enum reason refusal(struct exec *self, const struct decision *d, struct now now)
{
    if (!decision_is_sound(d))
        return REASON_MALFORMED;
    if (self->draining)
        return REASON_STOPPING;
    if (now.market_ns <= 0)
        return REASON_DATA_STALE;
    if (now.market_ns > d->deadline)
        return REASON_DEADLINE;
    for (uint32_t i = 0; i < d->n_legs; i++) {
        if (!leg_is_known(self, &d->legs[i]))
            return REASON_UNKNOWN_INSTRUMENT;
        if (!leg_fits(&d->legs[i]))
            return REASON_OVERFLOW;
    }
    return remembered_has_room(self, BASKET_LEGS) ? REASON_NONE : REASON_OPEN_ORDERS;
}

struct basket_leg basket_leg_of(const struct exec *self, const struct intent_leg *leg)
{
    int index = view_find(self->view, leg->symbol, leg->venue);
    struct inst inst = {.kind = KIND_SPOT};
    if (index >= 0 && view_at(self->view, (uint32_t)index)->inst.symbol[0] != '\0')
        inst = view_at(self->view, (uint32_t)index)->inst;
    else /* adopted before the market was seen: the symbol itself tells */
        (void)symbol_read(leg->symbol, &inst);
    struct basket_leg out = {.kind = inst.kind,
                             .side = leg->side,
                             .price_exp = leg->price_exp,
                             .qty_exp = leg->qty_exp,
                             .price = leg->price,
                             .qty = leg->qty,
                             .book_price = leg->book_price > 0 ? leg->book_price : leg->price};
    text_set(out.symbol, sizeof out.symbol, leg->symbol);
    text_set(out.venue, sizeof out.venue, leg->venue);
    text_set(out.base, sizeof out.base, inst.base);
    text_set(out.quote, sizeof out.quote, inst.quote);
    return out;
}

struct order order_of_leg(const struct exec *self, const struct hand_basket *b, uint32_t leg)
{
    const struct basket_leg *l = &b->told.legs[leg];
    struct order order = {.risk_epoch = b->told.risk_epoch,
                          .risk_pos = b->told.risk_pos,
                          .leg = leg,
                          .attempt = b->legs[leg].orders,
                          .side = l->side,
                          .tif = TIF_IOC,
                          .price_exp = l->price_exp,
                          .qty_exp = l->qty_exp,
                          .price = l->price,
                          .qty = l->qty,
                          .state = ORDER_PENDING_NEW};
    text_set(order.symbol, sizeof order.symbol, l->symbol);
    text_set(order.venue, sizeof order.venue, l->venue);
    text_set(order.route, sizeof order.route, b->told.route);
    client_id_write(self->config->run.account, (struct place){b->told.risk_epoch, b->told.risk_pos}, leg,
                    order.attempt, order.client_id);
    return order;
}

void orders_send(struct exec *self, struct hand_basket *b, const struct order *orders, uint32_t n,
                 struct now now, struct outbox *out)
{
    const struct message *written[BASKET_LEGS];
    b->wait_until = 0;
    b->same_until = now.market_ns + SAME_BOOK_NS;
    for (uint32_t i = 0; i < n; i++) {
        const struct quote *q = basket_quote(self, b, orders[i].leg);
        b->legs[orders[i].leg].tried_version = q ? q->version : 0;
        b->legs[orders[i].leg].tried_side = orders[i].side;
        written[i] = record_order(self, &orders[i], &b->trace, now, out);
        struct hand_order *o = remembered_order(self, orders[i].client_id);
        if (o)
            o->heard_ns = now.market_ns;
    }
    if (self->syncs)
        outbox_sync(out);
    for (uint32_t i = 0; i < n; i++)
        outbox_add(out, EFFECT_SEND, written[i], PEER_VENUE);
}

void decision_take(struct exec *self, const struct message *m, struct now now, struct outbox *out)
{
    const struct decision *d = &m->decision;
    struct place decision = {m->env.epoch, m->env.pos};
    enum reason reason = refusal(self, d, now);
    struct basket basket = {.risk_epoch = decision.epoch,
                            .risk_pos = decision.pos,
                            .kind = d->kind,
                            .state = reason == REASON_NONE ? BASKET_OPEN : BASKET_EXPIRED,
                            .reason = reason,
                            .terminal = reason != REASON_NONE,
                            .deadline = d->deadline,
                            .policy = d->policy,
                            .slippage_bps = d->slippage_bps};
    text_set(basket.route, sizeof basket.route, d->route);
    if (reason == REASON_NONE) {
        basket.n_legs = d->n_legs;
        for (uint32_t i = 0; i < d->n_legs; i++)
            basket.legs[i] = basket_leg_of(self, &d->legs[i]);
    }
    record_basket(self, &basket, &m->env.trace, now, out);
    struct hand_basket *b = reason == REASON_NONE ? remembered_basket(self, decision) : NULL;
    if (!b)
        return;
    struct order orders[BASKET_LEGS];
    for (uint32_t i = 0; i < d->n_legs; i++) {
        orders[i] = order_of_leg(self, b, i);
        orders[i].tif = d->tif;
    }
    orders_send(self, b, orders, d->n_legs, now, out);
}
