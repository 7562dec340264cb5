/* Cross-venue arbitrage: one base asset at two venues, bought where it is cheap and sold where it is dear.
 *
 * A is leg 0, B is leg 1; rate is the price of one unit of B's quote currency in A's. There are two ways to
 * go in, and the way out of one is the other:
 *
 *   buy A, sell B    edge = (bid_B * rate - ask_A) / ask_A
 *   buy B, sell A    edge = (bid_A - ask_B * rate) / (ask_B * rate)
 *
 * Both are "what is received over what is paid", in A's quote currency, in bps. Cost is both taker fees and
 * an allowance for movement until the orders arrive; depth is charged by walking the books. The edge may be
 * taken against a reference: the moving mean of the same figure at mid prices, which a lasting basis is no
 * gift over.
 *
 * Signals are doubles, made of basic operations in a fixed order, so that every machine sees the same; what
 * is ordered is exact. Most evaluations end at the best prices, before any exact arithmetic.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/decimal.h"
#include "lib/base/table.h"
#include "lib/base/text.h"
#include "lib/market/instrument.h"
#include "strategies/strategy.h"
#include "strategies/take.h"

enum { A, B, LEGS };

/* Named by the leg that is bought. */
enum way { BUY_A = A, BUY_B = B, WAYS };

struct params {
    double min_edge, allowance, take_profit, stop_loss; /* bps; the last two 0 = not used */
    bool mean;                                          /* the edge is taken against the moving mean */
    double reference_ns;
    int64_t warm_up_ns, max_hold_ns, deadline_ns, fx_max_age_ns;
    money max_notional; /* reporting currency */
    char reporting[16];
    struct slippage slippage;
    enum basket_policy policy;
    uint64_t hash;
};

/* What is remembered of a route: the basis, that is mid B over mid A less 1, in bps. */
struct memory {
    double mean;   /* up to `until`, a sample counting for as long as it stood */
    double sample; /* the last, standing since `until` */
    int64_t since, until;
    bool begun;
};

/* The best prices, all in A's quote currency. */
struct sight {
    double unit[LEGS]; /* one unit of a leg's quote currency: 1, rate */
    double bid[LEGS], ask[LEGS];
    double edge[WAYS], reference[WAYS];
    double cost;
    bool settled; /* the reference can be relied on */
};

/* ---- parameters ------------------------------------------------------------------------------------- */

static uint64_t hash_dec(uint64_t hash, struct dec v)
{
    char text[DEC_TEXT_MAX];
    return fnv1a(hash, text, dec_format(v, text) + 1);
}

static uint64_t hash_int(uint64_t hash, int64_t v)
{
    return hash_dec(hash, (struct dec){v, 0});
}

static uint64_t hash_config(const struct config *c)
{
    char text[MONEY_TEXT_MAX];
    uint64_t hash = fnv1a(FNV_OFFSET, "arb", 4);
    hash = hash_dec(hash, c->arb.min_edge_bps);
    hash = hash_dec(hash, c->arb.latency_allowance_bps);
    hash = fnv1a(hash, c->arb.reference, strlen(c->arb.reference) + 1);
    hash = hash_int(hash, c->arb.reference_ms);
    hash = hash_int(hash, c->arb.warm_up_ms);
    hash = fnv1a(hash, text, money_format(c->arb.max_notional, text) + 1);
    hash = hash_dec(hash, c->arb.take_profit_bps);
    hash = hash_dec(hash, c->arb.stop_loss_bps);
    hash = hash_int(hash, c->arb.max_hold_ms);
    hash = hash_int(hash, c->arb.cool_down_ms);
    hash = hash_dec(hash, c->arb.slippage_bps);
    hash = hash_int(hash, c->arb.deadline_ms);
    hash = fnv1a(hash, c->arb.policy, strlen(c->arb.policy) + 1);
    hash = hash_int(hash, c->run.fx_max_age_ms);
    return fnv1a(hash, c->run.reporting, strlen(c->run.reporting) + 1);
}

static int refuse(const char *key, struct dec v, const char *expected, char error[CONFIG_ERROR_MAX])
{
    char text[DEC_TEXT_MAX];
    dec_format(v, text);
    snprintf(error, CONFIG_ERROR_MAX, "arb.%s is %s; expected %s", key, text, expected);
    return E_RANGE;
}

static int check(const struct config *c, char error[CONFIG_ERROR_MAX])
{
    if (c->arb.latency_allowance_bps.m < 0)
        return refuse("latency_allowance_bps", c->arb.latency_allowance_bps, "0 or more", error);
    if (c->arb.take_profit_bps.m < 0)
        return refuse("take_profit_bps", c->arb.take_profit_bps, "0 or more", error);
    if (c->arb.stop_loss_bps.m < 0)
        return refuse("stop_loss_bps", c->arb.stop_loss_bps, "0 or more", error);
    return OK;
}

static int read_params(const struct config *c, void *out, char error[CONFIG_ERROR_MAX])
{
    struct params *p = out;
    memset(p, 0, sizeof *p);
    int status = check(c, error);
    if (status != OK)
        return status;
    if (slippage_set(&p->slippage, c->arb.slippage_bps) != OK)
        return refuse("slippage_bps", c->arb.slippage_bps, "0 or more, and less than 10000", error);
    p->min_edge = dec_double(c->arb.min_edge_bps);
    p->allowance = dec_double(c->arb.latency_allowance_bps);
    p->take_profit = dec_double(c->arb.take_profit_bps);
    p->stop_loss = dec_double(c->arb.stop_loss_bps);
    p->mean = strcmp(c->arb.reference, "mean") == 0;
    p->reference_ns = (double)(c->arb.reference_ms * NS_PER_MS);
    p->warm_up_ns = c->arb.warm_up_ms * NS_PER_MS;
    p->max_hold_ns = c->arb.max_hold_ms * NS_PER_MS;
    p->deadline_ns = c->arb.deadline_ms * NS_PER_MS;
    p->fx_max_age_ns = c->run.fx_max_age_ms * NS_PER_MS;
    p->max_notional = c->arb.max_notional;
    text_set(p->reporting, sizeof p->reporting, c->run.reporting);
    p->policy = strcmp(c->arb.policy, "unwind") == 0 ? POLICY_UNWIND
                : strcmp(c->arb.policy, "park") == 0 ? POLICY_PARK
                                                     : POLICY_COMPLETE;
    p->hash = hash_config(c);
    return OK;
}

static uint64_t params_hash(const void *params)
{
    return ((const struct params *)params)->hash;
}

/* ---- what is seen ----------------------------------------------------------------------------------- */

static double edge_bps(double received, double paid)
{
    return (received - paid) / paid * 1e4;
}

/* Both books can be traded on. Contracts whose quantity is not in base units are another calculation. */
static bool tradable(const struct route_view *r)
{
    if (r->n_legs != LEGS)
        return false;
    for (int i = A; i < LEGS; i++) {
        const struct quote *q = r->leg[i];
        if (!quote_live(q) || q->book.n_bids == 0 || q->book.n_asks == 0 || q->inst.symbol[0] == '\0' ||
            !take_in_base(&q->inst))
            return false;
    }
    return true;
}

/* false: the quote currencies differ and nothing fresh says how they are exchanged. */
static bool look(const struct params *p, const struct route_view *r, struct sight *s)
{
    struct dec rate;
    const struct quote *const *leg = r->leg;
    s->unit[A] = s->unit[B] = 1;
    if (strcmp(leg[A]->inst.quote, leg[B]->inst.quote) != 0) {
        if (view_fx(r->view, leg[B]->inst.quote, leg[A]->inst.quote, p->fx_max_age_ns, &rate) != OK)
            return false;
        s->unit[B] = dec_double(rate);
    }
    for (int i = A; i < LEGS; i++) {
        s->bid[i] = dec_double(quote_price(leg[i], leg[i]->book.bids[0].price)) * s->unit[i];
        s->ask[i] = dec_double(quote_price(leg[i], leg[i]->book.asks[0].price)) * s->unit[i];
    }
    s->edge[BUY_A] = edge_bps(s->bid[B], s->ask[A]);
    s->edge[BUY_B] = edge_bps(s->bid[A], s->ask[B]);
    s->cost = dec_double(leg[A]->inst.taker_bps) + dec_double(leg[B]->inst.taker_bps) + p->allowance;
    return true;
}

/* 1 - e^-x, by basic operations alone: a library's exp need not give the same bits on every machine. */
static double weight_of(double x)
{
    int halvings = 0;
    if (x > 40)
        return 1;
    for (; x > 1.0 / 16; x *= 0.5)
        halvings++;
    double w = x * (1 - x / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5 * (1 - x / 6)))));
    for (; halvings > 0; halvings--)
        w *= 2 - w;
    return w;
}

/* Sets the reference of both ways from all that stood before this moment, and notes what stands now. */
static void refer(const struct params *p, struct memory *m, struct now now, struct sight *s)
{
    s->reference[BUY_A] = s->reference[BUY_B] = 0;
    s->settled = true;
    if (!p->mean)
        return;
    double mid_a = (s->bid[A] + s->ask[A]) / 2, mid_b = (s->bid[B] + s->ask[B]) / 2;
    double basis = edge_bps(mid_b, mid_a);
    if (!m->begun) {
        *m = (struct memory){basis, basis, now.market_ns, now.market_ns, true};
    } else if (now.market_ns > m->until) {
        m->mean += weight_of((double)(now.market_ns - m->until) / p->reference_ns) * (m->sample - m->mean);
        m->until = now.market_ns;
    }
    m->sample = basis;
    s->settled = now.market_ns - m->since >= p->warm_up_ns;
    s->reference[BUY_A] = m->mean;
    s->reference[BUY_B] = -m->mean / (1 + m->mean / 1e4); /* the same ratio seen from the other leg */
}

static double net_of(const struct sight *s, enum way way)
{
    return s->edge[way] - s->reference[way] - s->cost;
}

/* ---- going in --------------------------------------------------------------------------------------- */

static money least(money a, money b)
{
    return a < b ? a : b;
}

/* The largest quantity for which the last level reached in both books still pays, for no more than `notional`
 * of A's quote currency. */
static money walk(const struct params *p, const struct sight *s, enum way way, const struct take take[LEGS],
                  money notional, int exp)
{
    uint32_t at[LEGS] = {0};
    money left[LEGS] = {0}, total = 0;
    while (at[A] < take[A].n && at[B] < take[B].n) {
        struct dec price[LEGS];
        double value[LEGS];
        money spent;
        for (int i = A; i < LEGS; i++) {
            const struct level *level = &take[i].levels[at[i]];
            price[i] = quote_price(take[i].quote, level->price);
            value[i] = dec_double(price[i]) * s->unit[i];
            if (left[i] == 0 && money_of(quote_qty(take[i].quote, level->qty), &left[i]) != OK)
                return total;
        }
        double edge = way == BUY_A ? edge_bps(value[B], value[A]) : edge_bps(value[A], value[B]);
        if (edge - s->reference[way] - s->cost < p->min_edge)
            return total;
        money chunk = least(left[A], left[B]);
        if (money_scale(chunk, price[A], ROUND_UP, &spent) != OK || spent > notional)
            return total + least(chunk, take_bought_by(notional, price[A], exp));
        notional -= spent;
        total += chunk;
        for (int i = A; i < LEGS; i++) {
            left[i] -= chunk;
            at[i] += left[i] == 0;
        }
    }
    return total;
}

/* The notional limit in A's quote currency. */
static bool notional_limit(const struct params *p, const struct route_view *r, money *out)
{
    struct dec unit;
    if (view_fx(r->view, r->leg[A]->inst.quote, p->reporting, p->fx_max_age_ns, &unit) != OK || unit.m <= 0)
        return false;
    *out = take_bought_by(p->max_notional, unit, -8);
    return true;
}

static int64_t nbps(double bps)
{
    double n = bps * 1e9;
    return n > 9e18 ? INT64_MAX : n < -9e18 ? -INT64_MAX : (int64_t)n;
}

static void propose(const struct params *p, const struct sight *s, enum way way, struct now now,
                    struct proposal *out)
{
    *out = (struct proposal){.n_legs = LEGS,
                             .edge_nbps = nbps(s->edge[way] - s->reference[way]),
                             .reference_nbps = nbps(s->reference[way]),
                             .cost_nbps = nbps(s->cost),
                             .slippage_bps = p->slippage.bps,
                             .policy = p->policy,
                             .deadline_ns = now.market_ns + p->deadline_ns};
}

/* Orders for as much as pays, can be paid for, and is whole lots. */
static bool size(const struct params *p, const struct route_view *r, const struct sight *s, enum way way,
                 struct proposal *out)
{
    struct take take[LEGS];
    struct dec qty;
    money most, notional;
    for (int i = A; i < LEGS; i++)
        take[i] = take_of(r->leg[i], i == (int)way ? SIDE_BUY : SIDE_SELL);
    if (!notional_limit(p, r, &notional))
        return false;
    int exp = take[A].inst.lot.exp < take[B].inst.lot.exp ? take[A].inst.lot.exp : take[B].inst.lot.exp;
    most = walk(p, s, way, take, notional, exp);
    for (int i = A; i < LEGS && most > 0; i++)
        most = least(most, take_affordable(&take[i], &p->slippage, r->portfolio, most, exp));
    if (most <= 0 || !take_whole_lots(&take[A], &take[B], most, exp, &qty) || money_of(qty, &most) != OK)
        return false;
    for (int i = A; i < LEGS; i++) {
        struct dec price;
        if (!take_limit(&take[i], &p->slippage, take_reached(&take[i], most), &price) ||
            instrument_too_small(&take[i].inst, qty, price))
            return false;
        out->leg[i].side = take[i].side;
        out->leg[i].price = price;
        /* In the leg's own unit: where its lot is not known, what is ordered later goes by that. */
        if (dec_rescale(qty, take[i].inst.lot.exp, ROUND_EXACT, &out->leg[i].qty) != OK)
            return false;
    }
    return true;
}

static bool enter(const struct params *p, const struct route_view *r, const struct sight *s, struct now now,
                  struct proposal *out)
{
    if (!r->may_enter || !s->settled || now.market_ns < r->cool_until)
        return false;
    enum way way = net_of(s, BUY_A) >= net_of(s, BUY_B) ? BUY_A : BUY_B;
    if (net_of(s, way) < p->min_edge)
        return false;
    propose(p, s, way, now, out);
    out->kind = INTENT_ENTER;
    return size(p, r, s, way, out);
}

/* ---- going out -------------------------------------------------------------------------------------- */

/* What closing a leg now would bring. */
struct closing {
    struct take take;
    struct dec qty; /* whole lots, 0 = nothing that an order could close */
    double paid;    /* price times quantity over the levels, quote currency */
    double average; /* price */
    bool whole;     /* the levels known hold as much */
};

static bool closing_of(const struct quote *q, const struct route_leg *held, struct closing *c)
{
    struct dec qty = held->qty;
    if (qty.m == INT64_MIN)
        return false;
    qty.m = qty.m < 0 ? -qty.m : qty.m;
    c->take = take_of(q, held->qty.m > 0 ? SIDE_SELL : SIDE_BUY);
    c->paid = c->average = 0;
    c->whole = true;
    if (instrument_qty(&c->take.inst, qty, &c->qty) != OK)
        return false;
    if (c->take.n > 0 && instrument_too_small(&c->take.inst, c->qty, quote_price(q, c->take.levels[0].price)))
        c->qty.m = 0;
    double all = dec_double(c->qty), left = all, price = 0;
    for (uint32_t i = 0; i < c->take.n && left > 0; i++) {
        double level = dec_double(quote_qty(q, c->take.levels[i].qty));
        price = dec_double(quote_price(q, c->take.levels[i].price));
        double taken = level < left ? level : left;
        c->paid += price * taken;
        left -= taken;
    }
    c->whole = left <= 0;
    c->paid += price * left; /* what is not seen is thought to be at the last price seen */
    c->average = all > 0 ? c->paid / all : 0;
    return true;
}

/* Profit of the round trip if it ended now, fees of all four fills in it, in bps of what A was entered for.
 */
static bool profit_of(const struct route_view *r, const struct sight *s, const struct closing c[LEGS],
                      double *bps)
{
    double profit = 0, entered = money_double(r->holding[A].cost);
    for (int i = A; i < LEGS; i++) {
        double received = c[i].take.side == SIDE_SELL ? c[i].paid : -c[i].paid;
        double fee = c[i].paid * dec_double(c[i].take.inst.taker_bps) / 1e4;
        double spent = money_double(r->holding[i].cost) + money_double(r->holding[i].fees);
        profit += (received - fee - spent) * s->unit[i];
    }
    if (entered == 0)
        return false;
    *bps = profit / (entered < 0 ? -entered : entered) * 1e4;
    return true;
}

/* The other way's edge, at the depth of what is held, covers its cost. */
static bool reversed(const struct sight *s, enum way way, const struct closing c[LEGS])
{
    if (!s->settled || !c[A].whole || !c[B].whole || net_of(s, way) < 0)
        return false;
    double a = c[A].average * s->unit[A], b = c[B].average * s->unit[B];
    double edge = way == BUY_A ? edge_bps(b, a) : edge_bps(a, b);
    return edge - s->reference[way] - s->cost >= 0;
}

static enum exit_cause cause_of(const struct params *p, const struct route_view *r, const struct sight *s,
                                bool priced, enum way way, const struct closing c[LEGS], struct now now)
{
    double profit;
    /* A leg alone is no arbitrage: it has no edge to wait for. */
    if (c[A].qty.m == 0 || c[B].qty.m == 0 || c[A].take.side == c[B].take.side)
        return EXIT_STOP_LOSS;
    bool known = priced && (p->stop_loss > 0 || p->take_profit > 0) && profit_of(r, s, c, &profit);
    if (known && p->stop_loss > 0 && profit <= -p->stop_loss)
        return EXIT_STOP_LOSS;
    if (priced && reversed(s, way, c))
        return EXIT_REVERSAL;
    if (known && p->take_profit > 0 && profit >= p->take_profit)
        return EXIT_TAKE_PROFIT;
    if (p->max_hold_ns > 0 && r->entry_time > 0 && now.market_ns - r->entry_time >= p->max_hold_ns)
        return EXIT_AGE;
    return EXIT_NONE;
}

/* Closes what is held, leg by leg as it is held. Age, and a leg alone, need no exchange rate. */
static bool leave(const struct params *p, const struct route_view *r, const struct sight *s, bool priced,
                  const struct closing c[LEGS], struct now now, struct proposal *out)
{
    enum way way = c[A].take.side == SIDE_BUY ? BUY_A : BUY_B;
    enum exit_cause cause = cause_of(p, r, s, priced, way, c, now);
    if (cause == EXIT_NONE)
        return false;
    propose(p, s, way, now, out);
    out->kind = INTENT_EXIT;
    out->cause = cause;
    for (int i = A; i < LEGS; i++) {
        money qty;
        if (c[i].qty.m == 0)
            continue;
        if (money_of(c[i].qty, &qty) != OK ||
            !take_limit(&c[i].take, &p->slippage, take_reached(&c[i].take, qty), &out->leg[i].price))
            return false;
        out->leg[i].side = c[i].take.side;
        out->leg[i].qty = c[i].qty;
    }
    return true;
}

/* ---- the evaluation --------------------------------------------------------------------------------- */

static bool evaluate(const void *params, void *state, const struct route_view *r, struct now now,
                     struct proposal *out)
{
    const struct params *p = params;
    struct memory *memory = state;
    struct sight s = {.settled = false};
    struct closing c[LEGS];
    if (!tradable(r)) {
        memory->begun = false; /* a mean across an outage would call what moved meanwhile an edge */
        return false;
    }
    bool priced = look(p, r, &s);
    if (priced)
        refer(p, memory, now, &s);
    else
        memory->begun = false;
    if (r->flat)
        return priced && enter(p, r, &s, now, out);
    for (int i = A; i < LEGS; i++) {
        if (!closing_of(r->leg[i], &r->holding[i], &c[i]))
            return false;
    }
    if (c[A].qty.m == 0 && c[B].qty.m == 0)
        return priced && enter(p, r, &s, now, out);
    return leave(p, r, &s, priced, c, now, out);
}

const struct strategy_ops arb_strategy = {
    .name = "arb",
    .state_bytes = sizeof(struct memory),
    .params_bytes = sizeof(struct params),
    .params = read_params,
    .params_hash = params_hash,
    .evaluate = evaluate,
};
