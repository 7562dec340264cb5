/* How far each leg is, in whole numbers of one common unit, so that legs compare exactly. */
#include <stdlib.h>

#include "services/exec/exec_internal.h"

__extension__ typedef __int128 wide;

/* The finest exponent that any quantity of the basket has. */
static int finest_exp(const struct hand_basket *b)
{
    int exp = DEC_EXP_MAX;
    for (uint32_t i = 0; i < b->told.n_legs; i++)
        exp = b->told.legs[i].qty_exp < exp ? b->told.legs[i].qty_exp : exp;
    for (const struct hand_order *o = b->first; o; o = o->next)
        exp = o->told.qty_exp < exp ? o->told.qty_exp : exp;
    return exp;
}

/* Less than this cannot be ordered. Where the lot is not known it is the unit that was ordered in. */
static int lot_of(const struct exec *self, const struct hand_basket *b, uint32_t leg, int exp, int64_t *out)
{
    const struct quote *q = basket_quote(self, b, leg);
    struct dec lot = q && q->inst.lot.m > 0 ? q->inst.lot : (struct dec){1, b->told.legs[leg].qty_exp};
    if (!q)
        lot = (struct dec){1, (int8_t)exp};
    return dec_mantissa(lot, exp, ROUND_UP, out);
}

static int read_amounts(const struct exec *self, const struct hand_basket *b, struct progress *p)
{
    for (uint32_t i = 0; i < p->n; i++) {
        struct dec target, done;
        if (money_dec(b->legs[i].target, p->exp, ROUND_EXACT, &target) != OK ||
            money_dec(b->legs[i].done, p->exp, ROUND_EXACT, &done) != OK ||
            dec_mantissa(target, p->exp, ROUND_EXACT, &p->target[i]) != OK ||
            dec_mantissa(done, p->exp, ROUND_EXACT, &p->done[i]) != OK ||
            lot_of(self, b, i, p->exp, &p->lot[i]) != OK || p->target[i] <= 0)
            return E_RANGE;
    }
    return OK;
}

/* done by target of leg a less than that of leg b. */
static bool behind(const struct progress *p, uint32_t a, uint32_t b)
{
    return (wide)p->done[a] * p->target[b] < (wide)p->done[b] * p->target[a];
}

/* What leg `leg` has when it is as far as leg `other`. E_RANGE. */
static int level_with(const struct progress *p, uint32_t leg, uint32_t other, int64_t *out)
{
    wide amount = (wide)p->target[leg] * p->done[other] / p->target[other];
    if (amount > INT64_MAX || amount < INT64_MIN)
        return E_RANGE;
    *out = (int64_t)amount;
    return OK;
}

static int weigh(const struct hand_basket *b, struct progress *p, uint32_t last, uint32_t foremost)
{
    int64_t larger_lot = 0, residual = 0;
    bool ahead = p->done[foremost] >= p->target[foremost];
    p->whole = p->nothing = p->complete = true;
    for (uint32_t i = 0; i < p->n; i++)
        larger_lot = p->lot[i] > larger_lot ? p->lot[i] : larger_lot;
    for (uint32_t i = 0; i < p->n; i++) {
        int64_t excess;
        p->top[i] = p->target[i];
        if (level_with(p, i, last, &p->low[i]) != OK ||
            (!ahead && level_with(p, i, foremost, &p->top[i]) != OK) ||
            __builtin_sub_overflow(p->done[i], p->low[i], &excess))
            return E_RANGE;
        p->over |= p->done[i] > p->target[i];
        p->whole &= excess == 0 || excess < larger_lot;
        p->nothing &= p->done[i] == 0;
        p->complete &= p->done[i] > p->target[i] - larger_lot;
        if (b->told.legs[i].side == SIDE_SELL)
            excess = -excess;
        if (__builtin_add_overflow(residual, excess, &residual))
            return E_RANGE;
    }
    p->residual = dec_tight((struct dec){residual, (int8_t)p->exp});
    return OK;
}

/* Of a basket without a route nobody knows what was meant: all that it holds is unhedged. */
static int weigh_orphan(const struct hand_basket *b, struct progress *p)
{
    int64_t residual = 0;
    p->whole = p->nothing = true;
    for (uint32_t i = 0; i < p->n; i++) {
        int64_t held = b->told.legs[i].side == SIDE_SELL ? -p->done[i] : p->done[i];
        p->whole = p->nothing &= held == 0;
        if (__builtin_add_overflow(residual, held, &residual))
            return E_RANGE;
    }
    p->residual = dec_tight((struct dec){residual, (int8_t)p->exp});
    return OK;
}

int progress_measure(const struct exec *self, const struct hand_basket *b, struct progress *p)
{
    uint32_t last = 0, foremost = 0;
    *p = (struct progress){.exp = finest_exp(b), .n = b->told.n_legs};
    if (b->broken || p->n == 0 || read_amounts(self, b, p) != OK)
        return E_RANGE;
    if (b->told.route[0] == '\0')
        return weigh_orphan(b, p);
    for (uint32_t i = 1; i < p->n; i++) {
        last = behind(p, i, last) ? i : last;
        foremost = behind(p, foremost, i) ? i : foremost;
    }
    return weigh(b, p, last, foremost);
}
