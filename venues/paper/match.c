/* What an order takes of the book: level by level from the best, down to its limit, less what was taken of
 * the same book before. */
#include <string.h>

#include "lib/market/instrument.h"
#include "venues/paper/paper_internal.h"

static void refuse(struct outcome *outcome, enum reason reason)
{
    outcome->refused = true;
    outcome->reason = reason;
    outcome->n = 0;
    outcome->filled = (struct dec){0, 0};
}

static struct dec taker_bps(const struct config *config, const struct inst *inst)
{
    for (uint32_t i = 0; i < config->n_fees; i++) {
        if (strcmp(config->fees[i].venue, "*") == 0 || strcmp(config->fees[i].venue, inst->venue) == 0)
            return config->fees[i].taker_bps;
    }
    return inst->taker_bps;
}

/* A real venue refuses what does not stand on its steps, so this one does. */
static enum reason check_steps(const struct inst *inst, const struct paper_order *order)
{
    struct dec stepped, notional;
    if (inst->tick.m > 0 && dec_to_step(order->limit, inst->tick, ROUND_EXACT, &stepped) != OK)
        return REASON_TICK;
    if (inst->lot.m > 0 && dec_to_step(order->qty, inst->lot, ROUND_EXACT, &stepped) != OK)
        return REASON_LOT;
    if (inst->min_qty.m > 0 && dec_cmp(order->qty, inst->min_qty) < 0)
        return REASON_LOT;
    if (inst->min_notional.m > 0 && dec_mul(order->limit, order->qty, &notional) == OK &&
        dec_cmp(notional, inst->min_notional) < 0)
        return REASON_MIN_NOTIONAL;
    return REASON_NONE;
}

static bool reaches(const struct paper_order *order, struct dec price)
{
    int cmp = dec_cmp(price, order->limit);
    return order->side == SIDE_BUY ? cmp <= 0 : cmp >= 0;
}

/* What is left of each level, at the book's exponent. */
static const int64_t *taken_of(const struct paper *self, uint32_t index, uint64_t version, enum side side)
{
    static const int64_t nothing[SIDE_LEVELS];
    const struct taken *taken = &self->taken[index];
    return taken->version == version ? taken->qty[side == SIDE_SELL] : nothing;
}

/* Takes from one level what is wanted and there. E_RANGE. */
static int take_level(const struct quote *q, const struct level *level, int64_t taken, struct dec bps,
                      struct dec *rest, struct take *take)
{
    int status, exp = rest->exp < q->book.qty_exp ? rest->exp : q->book.qty_exp;
    struct dec there = quote_qty(q, level->qty - taken), wanted;
    if ((status = dec_rescale(there, exp, ROUND_EXACT, &there)) != OK ||
        (status = dec_rescale(*rest, exp, ROUND_EXACT, &wanted)) != OK)
        return status;
    take->price = quote_price(q, level->price);
    take->qty = wanted.m < there.m ? wanted : there;
    *rest = (struct dec){wanted.m - take->qty.m, (int8_t)exp};
    if ((status = dec_mantissa(take->qty, q->book.qty_exp, ROUND_UP, &take->of_level)) != OK)
        return status;
    return instrument_fee(take->price, take->qty, bps, &take->fee);
}

static int walk(const struct paper *self, const struct paper_order *order, const struct quote *q,
                struct outcome *outcome)
{
    const struct level *levels;
    uint32_t n = quote_levels(q, order->side, &levels);
    const int64_t *taken = taken_of(self, outcome->index, q->version, order->side);
    struct dec bps = taker_bps(self->config, &q->inst), rest = order->qty;
    for (uint32_t i = 0; i < n && rest.m > 0 && reaches(order, quote_price(q, levels[i].price)); i++) {
        if (levels[i].qty <= taken[i])
            continue;
        struct take *take = &outcome->at[outcome->n];
        int status = take_level(q, &levels[i], taken[i], bps, &rest, take);
        if (status != OK)
            return status;
        take->level = i;
        outcome->n++;
    }
    outcome->reason = rest.m > 0 ? REASON_NO_LIQUIDITY : REASON_NONE;
    if (rest.m > 0 && order->tif == TIF_FOK)
        outcome->n = 0;
    outcome->filled = (struct dec){0, 0};
    return outcome->n == 0 ? OK : dec_sub(order->qty, rest, &outcome->filled);
}

void match_order(struct paper *self, const struct paper_order *order, struct outcome *outcome)
{
    memset(outcome, 0, offsetof(struct outcome, at));
    int index = view_find(self->view, order->symbol, order->venue);
    const struct quote *q = index < 0 ? NULL : view_at(self->view, (uint32_t)index);
    if (!q || index >= PAPER_INSTRUMENTS || q->inst.symbol[0] == '\0') {
        refuse(outcome, REASON_UNKNOWN_INSTRUMENT);
        return;
    }
    outcome->index = (uint32_t)index;
    if (!quote_live(q)) {
        refuse(outcome, REASON_DATA_STALE);
        return;
    }
    enum reason reason = check_steps(&q->inst, order);
    if (reason != REASON_NONE) {
        refuse(outcome, reason);
        return;
    }
    if (walk(self, order, q, outcome) != OK) {
        refuse(outcome, REASON_OVERFLOW);
        return;
    }
    int status = account_check(self, order, outcome);
    if (status != OK)
        refuse(outcome, status == E_REFUSED ? REASON_NO_BALANCE : REASON_OVERFLOW);
}

void match_take(struct paper *self, const struct paper_order *order, const struct outcome *outcome)
{
    struct taken *taken = &self->taken[outcome->index];
    uint64_t version = view_at(self->view, outcome->index)->version;
    if (taken->version != version)
        memset(taken, 0, sizeof *taken);
    taken->version = version;
    for (uint32_t i = 0; i < outcome->n; i++)
        taken->qty[order->side == SIDE_SELL][outcome->at[i].level] += outcome->at[i].of_level;
}
