/* Steps and fees of an instrument, applied to prices and quantities. */
#include "lib/market/instrument.h"

int instrument_price(const struct inst *inst, struct dec price, enum rounding rounding, struct dec *out)
{
    if (inst->tick.m == 0) {
        *out = price;
        return OK;
    }
    return dec_to_step(price, inst->tick, rounding, out);
}

int instrument_qty(const struct inst *inst, struct dec qty, struct dec *out)
{
    if (inst->lot.m == 0) {
        *out = qty;
        return OK;
    }
    return dec_to_step(qty, inst->lot, ROUND_DOWN, out);
}

/* The smallest step that is a whole number of both. */
static int common_step(struct dec a, struct dec b, struct dec *out)
{
    int exp = a.exp < b.exp ? a.exp : b.exp;
    int64_t x, y, step;
    int status = dec_mantissa(a, exp, ROUND_EXACT, &x);
    if (status == OK)
        status = dec_mantissa(b, exp, ROUND_EXACT, &y);
    if (status != OK)
        return status;
    int64_t gcd = x, rest = y;
    while (rest != 0) {
        int64_t next = gcd % rest;
        gcd = rest;
        rest = next;
    }
    if (__builtin_mul_overflow(x / gcd, y, &step))
        return E_RANGE;
    *out = (struct dec){step, (int8_t)exp};
    return OK;
}

int instrument_qty_both(const struct inst *a, const struct inst *b, struct dec qty, struct dec *out)
{
    struct dec step;
    if (a->lot.m == 0)
        return instrument_qty(b, qty, out);
    if (b->lot.m == 0)
        return instrument_qty(a, qty, out);
    int status = common_step(a->lot, b->lot, &step);
    if (status != OK)
        return status;
    return dec_to_step(qty, step, ROUND_DOWN, out);
}

/* v / 10^digits, ties to the even. */
static money shift_half_even(money v, int digits)
{
    money unit = 1;
    if (digits > 38)
        return 0;
    for (int i = 0; i < digits; i++)
        unit *= 10;
    money whole = v / unit, rest = v % unit;
    if (rest < 0)
        rest = -rest;
    money other = unit - rest; /* rest against other, since twice rest may not fit */
    bool up = rest > other || (rest == other && whole % 2 != 0);
    if (!up)
        return whole;
    return v < 0 ? whole - 1 : whole + 1;
}

bool instrument_too_small(const struct inst *inst, struct dec qty, struct dec price)
{
    struct dec notional;
    if (qty.m <= 0 || (inst->min_qty.m > 0 && dec_cmp(qty, inst->min_qty) < 0))
        return true;
    return inst->min_notional.m > 0 && dec_mul(price, qty, &notional) == OK &&
           dec_cmp(notional, inst->min_notional) < 0;
}

int instrument_fee(struct dec price, struct dec qty, struct dec bps, struct dec *out)
{
    int exp = price.exp + qty.exp;
    int fee_exp = exp < -12 ? -12 : exp > -8 ? -8 : exp;
    bps = dec_tight(bps);
    int digits = fee_exp - (exp + bps.exp - 4);
    money product;
    if (__builtin_mul_overflow((money)price.m * qty.m, (money)bps.m, &product))
        return E_RANGE;
    if (digits > 0)
        product = shift_half_even(product, digits);
    for (; digits < 0 && product != 0; digits++) {
        if (__builtin_mul_overflow(product, (money)10, &product))
            return E_RANGE;
    }
    if (product > INT64_MAX || product < INT64_MIN)
        return E_RANGE;
    *out = dec_tight((struct dec){(int64_t)product, (int8_t)fee_exp});
    return OK;
}
