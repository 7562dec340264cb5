/* Taking from a book. */
#include "strategies/take.h"

#include "lib/base/decimal.h"
#include "lib/market/instrument.h"

static const struct dec one = {1, 0};
static const struct dec basis_point = {1, -4};
static const money no_limit = (money)1 << 126;

int slippage_set(struct slippage *s, struct dec bps)
{
    struct dec part;
    if (bps.m < 0 || dec_cmp(bps, (struct dec){10000, 0}) >= 0)
        return E_RANGE;
    int status = dec_mul(bps, basis_point, &part);
    if (status == OK)
        status = dec_add(one, part, &s->up);
    if (status == OK)
        status = dec_sub(one, part, &s->down);
    if (status == OK)
        s->bps = bps;
    return status;
}

struct take take_of(const struct quote *q, enum side side)
{
    struct take t = {.quote = q, .side = side, .inst = q->inst};
    t.n = quote_levels(q, side, &t.levels);
    if (t.inst.tick.m <= 0)
        t.inst.tick = (struct dec){1, q->book.price_exp};
    if (t.inst.lot.m <= 0)
        t.inst.lot = (struct dec){1, q->book.qty_exp};
    return t;
}

bool take_in_base(const struct inst *inst)
{
    return inst->kind != KIND_INVERSE && (inst->multiplier.m == 0 || dec_cmp(inst->multiplier, one) == 0);
}

struct dec take_reached(const struct take *t, money qty)
{
    uint32_t i = 0;
    for (money level; i + 1 < t->n; i++) {
        if (money_of(quote_qty(t->quote, t->levels[i].qty), &level) != OK || level >= qty)
            break;
        qty -= level;
    }
    return quote_price(t->quote, t->levels[i].price);
}

bool take_limit(const struct take *t, const struct slippage *slippage, struct dec worst, struct dec *out)
{
    bool buy = t->side == SIDE_BUY;
    enum rounding within = buy ? ROUND_FLOOR : ROUND_CEILING, beyond = buy ? ROUND_CEILING : ROUND_FLOOR;
    if (dec_mul_at(worst, buy ? slippage->up : slippage->down, t->inst.tick.exp, within, out) != OK ||
        instrument_price(&t->inst, *out, within, out) != OK)
        return false;
    int order = dec_cmp(*out, worst);
    if ((buy ? order < 0 : order > 0) && instrument_price(&t->inst, worst, beyond, out) != OK)
        return false;
    return out->m > 0;
}

money take_bought_by(money amount, struct dec price, int exp)
{
    struct dec have, qty;
    money out;
    int at = -10;
    if (amount <= 0 || price.m <= 0)
        return 0;
    while (money_dec(amount, at, ROUND_DOWN, &have) != OK)
        at++; /* ends: at exponent 2 every amount fits */
    if (dec_div_at(have, price, exp, ROUND_DOWN, &qty) != OK || money_of(qty, &out) != OK)
        return no_limit;
    return out;
}

money take_affordable(const struct take *t, const struct slippage *slippage,
                      const struct portfolio *portfolio, money qty, int exp)
{
    struct dec limit, fee, unit;
    const struct inst *inst = &t->inst;
    if (t->side == SIDE_SELL)
        return inst->kind == KIND_SPOT ? portfolio_balance(portfolio, inst->venue, inst->base) : no_limit;
    if (!take_limit(t, slippage, take_reached(t, qty), &limit) ||
        dec_mul(inst->taker_bps, basis_point, &fee) != OK || dec_add(fee, one, &fee) != OK)
        return 0;
    int fine = limit.exp - 4 < DEC_EXP_MIN ? DEC_EXP_MIN : limit.exp - 4;
    if (dec_mul_at(limit, fee, fine, ROUND_UP, &unit) != OK || unit.m <= 0)
        return 0;
    return take_bought_by(portfolio_balance(portfolio, inst->venue, inst->quote), unit, exp);
}

bool take_whole_lots(const struct take *a, const struct take *b, money qty, int exp, struct dec *out)
{
    if (money_dec(qty, exp, ROUND_DOWN, out) != OK)
        *out = (struct dec){INT64_MAX, (int8_t)exp};
    return instrument_qty_both(&a->inst, &b->inst, *out, out) == OK && out->m > 0;
}
