/* Keeping a basket whole. When nothing of it is open and one leg is behind: by policy the leg that is behind
 * is completed, at no worse than the budget from the price decided on; what cannot be completed is unwound,
 * by reversing the excess of the leg that is ahead, at no worse than the budget from the live book; what
 * cannot be unwound is parked with its residual. An order after another waits for the book to change, a
 * bounded time: what the last one left is not there to be taken.
 *
 *     open -> completing -> unwinding -> done, flat, parked
 *
 * Each step is taken on records alone, so that a restart at any of them goes on from there. */
#include <string.h>

#include "lib/base/text.h"
#include "lib/market/instrument.h"
#include "services/exec/exec_internal.h"

static const int64_t BOOK_WAIT_NS = 2 * NS_PER_SEC; /* market time */

/* What a try to send came to. */
enum attempt {
    SENT,
    WAITS,     /* for a live book */
    SAME_BOOK, /* what the last order found is all there is until the book changes */
    EXHAUSTED, /* as many orders as are allowed have been sent */
    TOO_SMALL, /* nothing that could be ordered */
    NO_PRICE   /* the amounts do not fit */
};

const struct quote *basket_quote(const struct exec *self, const struct hand_basket *b, uint32_t leg)
{
    int index = view_find(self->view, b->told.legs[leg].symbol, b->told.legs[leg].venue);
    const struct quote *q = index < 0 ? NULL : view_at(self->view, (uint32_t)index);
    return q && q->inst.symbol[0] != '\0' ? q : NULL;
}

/* ---- the end ------------------------------------------------------------------------------------------ */

static void end(struct exec *self, struct hand_basket *b, enum basket_state state, enum reason reason,
                struct now now, struct outbox *out)
{
    record_basket_state(self, b, state, reason, true, now, out);
    record_holdings(self, b, now, out);
}

static enum reason reason_or(const struct hand_basket *b, enum reason otherwise)
{
    return b->reason != REASON_NONE ? b->reason : otherwise;
}

static void finish(struct exec *self, struct hand_basket *b, const struct progress *p, struct now now,
                   struct outbox *out)
{
    if (p->nothing)
        end(self, b, BASKET_FLAT, reason_or(b, REASON_NO_LIQUIDITY), now, out);
    else
        end(self, b, BASKET_DONE, p->complete ? REASON_NONE : reason_or(b, REASON_NO_LIQUIDITY), now, out);
}

static void park(struct exec *self, struct hand_basket *b, enum reason reason, struct now now,
                 struct outbox *out)
{
    end(self, b, BASKET_PARKED, reason, now, out);
}

bool basket_restate(struct exec *self, struct hand_basket *b, struct now now, struct outbox *out)
{
    struct progress p;
    bool measured = progress_measure(self, b, &p) == OK;
    if (measured && dec_cmp(p.residual, b->told.residual) == 0)
        return false;
    if (measured && p.whole)
        end(self, b, BASKET_DONE, b->reason, now, out);
    else if (measured || b->told.state != BASKET_PARKED)
        park(self, b, measured ? b->reason : REASON_OVERFLOW, now, out);
    else
        return false;
    return true;
}

/* ---- orders ------------------------------------------------------------------------------------------- */

/* price moved by the budget, for a buyer up and for a seller down, and rounded back into it. */
static int limit_of(const struct inst *inst, const struct hand_basket *b, enum side side, struct dec price,
                    struct dec *out)
{
    struct dec whole = {10000, 0}, factor;
    enum rounding rounding = side == SIDE_BUY ? ROUND_FLOOR : ROUND_CEILING;
    int exp = inst->tick.m > 0 && inst->tick.exp < price.exp ? inst->tick.exp : price.exp;
    int status = side == SIDE_BUY ? dec_add(whole, b->told.slippage_bps, &factor)
                                  : dec_sub(whole, b->told.slippage_bps, &factor);
    if (status != OK || factor.exp < DEC_EXP_MIN + 4)
        return E_RANGE;
    factor.exp = (int8_t)(factor.exp - 4);
    status = dec_mul_at(price, factor, exp, rounding, out);
    if (status == OK)
        status = instrument_price(inst, *out, rounding, out);
    return status == OK && out->m <= 0 ? E_RANGE : status;
}

/* An order for `amount` (in units of 10^exp) of a leg, with it or against it. */
static enum attempt prepare(const struct exec *self, const struct hand_basket *b, uint32_t leg, bool against,
                            int64_t amount, int exp, struct now now, struct order *order)
{
    const struct basket_leg *l = &b->told.legs[leg];
    const struct quote *q = basket_quote(self, b, leg);
    struct dec price = {l->book_price, l->price_exp}, qty = {amount, (int8_t)exp};
    const struct level *levels;
    *order = order_of_leg(self, b, leg);
    if (against)
        order->side = l->side == SIDE_BUY ? SIDE_SELL : SIDE_BUY;
    if (!q || !quote_live(q) || quote_levels(q, order->side, &levels) == 0)
        return WAITS;
    if (against)
        price = quote_price(q, levels[0].price);
    if (limit_of(&q->inst, b, order->side, price, &price) != OK || instrument_qty(&q->inst, qty, &qty) != OK)
        return NO_PRICE;
    if (q->inst.lot.m == 0 && dec_rescale(qty, l->qty_exp, ROUND_DOWN, &qty) != OK)
        return NO_PRICE;
    order->price = price.m;
    order->price_exp = price.exp;
    order->qty = qty.m;
    order->qty_exp = qty.exp;
    if (instrument_too_small(&q->inst, qty, price))
        return TOO_SMALL;
    const struct hand_leg *tried = &b->legs[leg];
    bool same = order->side == tried->tried_side && q->version == tried->tried_version;
    return same && now.market_ns < b->same_until ? SAME_BOOK : SENT;
}

/* Sends what brings every leg up to the foremost, or (against) down to the last. */
static enum attempt level_legs(struct exec *self, struct hand_basket *b, const struct progress *p,
                               bool against, struct now now, struct outbox *out)
{
    struct order orders[BASKET_LEGS];
    uint32_t n = 0, max = (uint32_t)self->config->exec.max_attempts;
    for (uint32_t i = 0; i < p->n; i++) {
        int64_t amount = against ? p->done[i] - p->low[i] : p->top[i] - p->done[i];
        if (amount < p->lot[i])
            continue;
        if ((against ? b->legs[i].unwinds : b->legs[i].completions) >= max)
            return EXHAUSTED;
        enum attempt came = prepare(self, b, i, against, amount, p->exp, now, &orders[n]);
        if (came == WAITS || came == SAME_BOOK || came == NO_PRICE)
            return came;
        n += came == SENT;
    }
    if (n == 0)
        return TOO_SMALL;
    if (!remembered_has_room(self, n))
        return EXHAUSTED;
    orders_send(self, b, orders, n, now, out);
    return SENT;
}

/* ---- its way ------------------------------------------------------------------------------------------ */

static void wait_for_book(struct exec *self, struct hand_basket *b, struct now now, struct outbox *out)
{
    if (now.market_ns <= 0)
        return;
    if (b->wait_until == 0)
        b->wait_until = now.market_ns + BOOK_WAIT_NS;
    else if (now.market_ns >= b->wait_until)
        park(self, b, REASON_DATA_STALE, now, out);
}

/* false: the basket goes on to unwinding. */
static bool complete(struct exec *self, struct hand_basket *b, const struct progress *p, struct now now,
                     struct outbox *out)
{
    enum attempt came = p->over ? EXHAUSTED : level_legs(self, b, p, false, now, out);
    if (came == WAITS)
        wait_for_book(self, b, now, out);
    return came == SENT || came == WAITS || came == SAME_BOOK;
}

static void unwind(struct exec *self, struct hand_basket *b, const struct progress *p, struct now now,
                   struct outbox *out)
{
    enum attempt came = level_legs(self, b, p, true, now, out);
    if (came == WAITS)
        wait_for_book(self, b, now, out);
    else if (came == TOO_SMALL)
        finish(self, b, p, now, out);
    else if (came == NO_PRICE)
        park(self, b, REASON_OVERFLOW, now, out);
    else if (came == EXHAUSTED)
        park(self, b,
             b->reason == REASON_NONE || b->reason == REASON_NO_LIQUIDITY ? REASON_SLIPPAGE_BUDGET
                                                                          : b->reason,
             now, out);
}

void basket_advance(struct exec *self, struct hand_basket *b, struct now now, struct outbox *out)
{
    struct progress p;
    if (b->told.terminal || b->open > 0)
        return;
    if (!b->first) {
        /* A restart between its first record and its orders': nothing was sent. */
        end(self, b, BASKET_EXPIRED, REASON_DEADLINE, now, out);
        return;
    }
    if (progress_measure(self, b, &p) != OK) {
        park(self, b, REASON_OVERFLOW, now, out);
        return;
    }
    if (p.whole) {
        finish(self, b, &p, now, out);
        return;
    }
    if (b->told.state == BASKET_OPEN) {
        if (b->told.policy == POLICY_PARK) {
            park(self, b, b->reason, now, out);
            return;
        }
        record_basket_state(self, b, b->told.policy == POLICY_COMPLETE ? BASKET_COMPLETING : BASKET_UNWINDING,
                            b->reason, false, now, out);
    }
    if (b->told.state == BASKET_COMPLETING) {
        if (complete(self, b, &p, now, out))
            return;
        record_basket_state(self, b, BASKET_UNWINDING, b->reason, false, now, out);
    }
    unwind(self, b, &p, now, out);
}
