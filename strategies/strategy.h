/* What a strategy is to the worker that runs it: a function from a route's market and state to a proposal.
 *
 * The worker owns everything else: subscriptions, ownership, waiting for decisions, back-off. A strategy keeps
 * per-route memory of a stated size, zeroed at assignment; it may compute signals in double, never an order.
 */
#ifndef SLUICE_STRATEGIES_STRATEGY_H
#define SLUICE_STRATEGIES_STRATEGY_H

#include "lib/base/clock.h"
#include "lib/market/portfolio.h"
#include "lib/market/view.h"
#include "lib/runtime/config.h"

enum { STRATEGY_LEGS_MAX = 4 };

/* A route as its owner sees it, from risk's ledger. */
struct route_view {
    const char *name;
    uint32_t n_legs;
    const struct quote *leg[STRATEGY_LEGS_MAX];  /* LIVE or not: the strategy must look */
    struct route_leg holding[STRATEGY_LEGS_MAX]; /* what the route holds */
    bool flat;                                   /* all holdings 0 */
    int64_t entry_time;                          /* market time; 0 = flat */
    int64_t cool_until;                          /* market time */
    int64_t entry_edge_nbps;
    enum side entry_side;              /* side taken at leg 0 */
    const struct view *view;           /* for exchange rates */
    const struct portfolio *portfolio; /* balances, from exec's ledger */
    bool may_enter;                    /* false while the worker backs off */
};

/* What it wants done; the worker makes the intent of it. */
struct proposal {
    enum intent_kind kind;
    enum exit_cause cause;
    uint32_t n_legs;
    struct {
        enum side side;
        struct dec price; /* worst price to be taken, on the tick */
        struct dec qty;   /* base units, whole lots; 0 = no order in this leg */
    } leg[STRATEGY_LEGS_MAX];
    int64_t edge_nbps, reference_nbps, cost_nbps;
    struct dec slippage_bps;
    enum basket_policy policy;
    int64_t deadline_ns; /* market time */
};

struct strategy_ops {
    const char *name;
    size_t state_bytes;  /* per route */
    size_t params_bytes; /* of its parameters, read once from the config */
    int (*params)(const struct config *config, void *params, char error[CONFIG_ERROR_MAX]);
    uint64_t (*params_hash)(const void *params);
    /* One evaluation at now.market_ns. True: proposal is filled. */
    bool (*evaluate)(const void *params, void *state, const struct route_view *route, struct now now,
                     struct proposal *proposal);
};

extern const struct strategy_ops *const strategies_all[]; /* registry.c; ends with NULL */
const struct strategy_ops *strategy_named(const char *name);

#endif
