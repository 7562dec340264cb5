/* Taking from a book: what an order of one side would hit, its limit, and what of it steps, minima and balances
 * allow. All exact; what every strategy that takes needs.
 */
#ifndef SLUICE_STRATEGIES_TAKE_H
#define SLUICE_STRATEGIES_TAKE_H

#include "lib/market/portfolio.h"
#include "lib/market/view.h"

/* A budget for paying more, or receiving less, than the level aimed at. */
struct slippage {
    struct dec bps;
    struct dec up, down; /* factors on a price */
};

/* E_RANGE: below 0, 10000 or more, or more digits than a factor can hold. */
int slippage_set(struct slippage *s, struct dec bps);

struct take {
    const struct quote *quote;
    enum side side;
    const struct level *levels; /* that a taker of side hits, best first */
    uint32_t n;
    struct inst inst; /* of the quote; where tick or lot is not known, the book's exponent is the step */
};

struct take take_of(const struct quote *q, enum side side);

/* Quantities of the instrument are base units: neither inverse nor in contracts of another size. */
bool take_in_base(const struct inst *inst);

/* Price of the level that a quantity reaches; of the last one where the book holds less. */
struct dec take_reached(const struct take *t, money qty);

/* The limit of an order that must reach the price `worst`: beyond it by the slippage and no further, on the tick;
 * where a tick is more than the slippage allows, the first tick that reaches `worst`. false: no such price. */
bool take_limit(const struct take *t, const struct slippage *slippage, struct dec worst, struct dec *out);

/* The most that the account can pay for, or deliver, of an order for qty or less, rounded down at exponent exp: a
 * buyer needs the quote currency at the limit with the fee in it, a seller on a spot market the base. */
money take_affordable(const struct take *t, const struct slippage *slippage,
                      const struct portfolio *portfolio, money qty, int exp);

/* How much of something at `price` an amount buys, rounded down at exponent exp. More than 64 bits hold there is
 * answered with a quantity above all others. */
money take_bought_by(money amount, struct dec price, int exp);

/* qty cut to whole lots of both; false when less than that is left. */
bool take_whole_lots(const struct take *a, const struct take *b, money qty, int exp, struct dec *out);

#endif
