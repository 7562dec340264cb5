/* A market for the arbitrage's tests: two venues, a route over them, and an account with plenty of
 * everything. */
#ifndef SLUICE_TESTS_ARB_MARKET_H
#define SLUICE_TESTS_ARB_MARKET_H

#include "lib/base/decimal.h"
#include "strategies/strategy.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct config config;
static struct view *view;
static struct portfolio *portfolio;
static const struct strategy_ops *arb;
static void *params, *memory;
static struct message m;
static struct route_view route;
static struct proposal got;
static uint64_t seq;
static int64_t clock_ms; /* market time */

static struct dec dec(const char *text)
{
    struct dec v;
    ck_assert_int_eq(dec_parse(text, strlen(text), &v), OK);
    return v;
}

static money amount(const char *text)
{
    money v;
    ck_assert(money_parse(text, strlen(text), &v));
    return v;
}

static struct now at(int64_t ms)
{
    return (struct now){.market_ns = ms * NS_PER_MS, .mono_ns = ms * NS_PER_MS};
}

static void market_message(enum message_type type)
{
    message_init(&m, type);
    strcpy(m.env.stream, "market");
    m.env.epoch = 1;
    m.env.seq = ++seq;
}

/* ---- instruments and books -------------------------------------------------------------------------- */

struct steps {
    const char *tick, *lot, *min_qty, *min_notional, *taker_bps;
};

static int instrument(const char *symbol, const char *venue, struct steps s)
{
    char base[16], quote[16];
    market_message(MSG_INST);
    strcpy(m.inst.symbol, symbol);
    strcpy(m.inst.venue, venue);
    ck_assert_int_eq(sscanf(symbol, "%15[^-]-%15[^-]", base, quote), 2);
    strcpy(m.inst.base, base);
    strcpy(m.inst.quote, quote);
    m.inst.kind = strstr(symbol, "-PERP") ? KIND_LINEAR : KIND_SPOT;
    m.inst.multiplier = dec("1");
    m.inst.tick = dec(s.tick);
    m.inst.lot = dec(s.lot);
    m.inst.min_qty = dec(s.min_qty);
    m.inst.min_notional = dec(s.min_notional);
    m.inst.taker_bps = dec(s.taker_bps);
    return view_apply(view, &m, at(clock_ms));
}

/* "price qty price qty ...", best first. */
static uint32_t levels_of(const char *text, struct level *out, int price_exp, int qty_exp)
{
    char copy[1024], *rest = copy, *word;
    uint32_t n = 0;
    snprintf(copy, sizeof copy, "%s", text);
    for (; (word = strtok_r(rest, " ", &rest)); n++) {
        ck_assert_int_eq(dec_mantissa(dec(word), price_exp, ROUND_EXACT, &out[n].price), OK);
        word = strtok_r(rest, " ", &rest);
        ck_assert_int_eq(dec_mantissa(dec(word), qty_exp, ROUND_EXACT, &out[n].qty), OK);
    }
    return n;
}

static void book_at(const char *symbol, const char *venue, int price_exp, int qty_exp, const char *bids,
                    const char *asks, enum book_state state)
{
    market_message(MSG_BOOK);
    strcpy(m.book.symbol, symbol);
    strcpy(m.book.venue, venue);
    m.book.state = state;
    m.book.recv_time = clock_ms * NS_PER_MS;
    m.book.price_exp = (int8_t)price_exp;
    m.book.qty_exp = (int8_t)qty_exp;
    m.book.n_bids = levels_of(bids, m.book.bids, price_exp, qty_exp);
    m.book.n_asks = levels_of(asks, m.book.asks, price_exp, qty_exp);
    (void)view_apply(view, &m, at(clock_ms));
}

static void set_book(const char *symbol, const char *venue, const char *bids, const char *asks)
{
    book_at(symbol, venue, -8, -8, bids, asks, BOOK_LIVE);
}

static void leg(int i, const char *symbol, const char *venue)
{
    int index = view_find(view, symbol, venue);
    ck_assert_int_ge(index, 0);
    route.leg[i] = view_at(view, (uint32_t)index);
    strcpy(route.holding[i].symbol, symbol);
    strcpy(route.holding[i].venue, venue);
}

static void deposit(const char *venue, const char *currency, const char *sum)
{
    struct adjust a = {.amount = amount(sum)};
    strcpy(a.venue, venue);
    strcpy(a.currency, currency);
    ck_assert_int_eq(portfolio_adjust(portfolio, &a), OK);
}

/* ---- the route -------------------------------------------------------------------------------------- */

static void use(const char *key, const char *value)
{
    char error[CONFIG_ERROR_MAX];
    ck_assert_msg(config_set(&config, key, value, error) == OK, "%s", error);
    ck_assert_msg(arb->params(&config, params, error) == OK, "%s", error);
}

static bool look(void)
{
    return arb->evaluate(params, memory, &route, at(clock_ms), &got);
}

static void same(struct dec v, const char *text)
{
    char shown[DEC_TEXT_MAX];
    dec_format(v, shown);
    ck_assert_msg(dec_cmp(v, dec(text)) == 0, "%s, expected %s", shown, text);
}

static void near(int64_t nbps, double bps)
{
    ck_assert_msg(fabs((double)nbps / 1e9 - bps) < 1e-6, "%.9f bps, expected %.9f", (double)nbps / 1e9, bps);
}

static void order(int i, enum side side, const char *price, const char *qty)
{
    ck_assert_int_eq(got.leg[i].side, side);
    same(got.leg[i].price, price);
    same(got.leg[i].qty, qty);
}

static const struct steps cents = {"0.01", "0.001", "0", "0", "0"};

/* BTC-USDT at x (leg A) and at y (leg B), no fees, no allowance, entry at 10 bps, plenty of everything. */
static void setup(void)
{
    arb = strategy_named("arb");
    config_defaults(&config);
    view = view_new(16, 0);
    portfolio = portfolio_new(16, 64);
    params = calloc(1, arb->params_bytes);
    memory = calloc(1, arb->state_bytes);
    memset(&route, 0, sizeof route);
    seq = 0;
    clock_ms = 1000000;
    use("arb.min_edge_bps", "10");
    use("arb.latency_allowance_bps", "0");
    use("arb.slippage_bps", "0");
    use("arb.take_profit_bps", "0");
    use("arb.stop_loss_bps", "0");
    use("arb.max_hold_ms", "0");
    use("arb.max_notional", "1000000");
    instrument("BTC-USDT", "x", cents);
    instrument("BTC-USDT", "y", cents);
    leg(0, "BTC-USDT", "x");
    leg(1, "BTC-USDT", "y");
    for (const char *venue = "x"; *venue; venue = *venue == 'x' ? "y" : "") {
        deposit(venue, "USDT", "100000000");
        deposit(venue, "BTC", "10000");
    }
    route.name = "BTC";
    route.n_legs = 2;
    route.view = view;
    route.portfolio = portfolio;
    route.flat = route.may_enter = true;
}

static void teardown(void)
{
    view_destroy(&view);
    portfolio_destroy(&portfolio);
    free(params);
    free(memory);
}

/* KRW at upbit against USDT at binance, 1385 to 1387 KRW a USDT. */
static void setup_krw(void)
{
    instrument("BTC-KRW", "upbit", (struct steps){"1000", "0.00000001", "0", "5000", "5"});
    instrument("BTC-USDT", "binance", (struct steps){"0.01", "0.00001", "0.00001", "5", "10"});
    instrument("USDT-KRW", "upbit", (struct steps){"1", "0.00000001", "0", "5000", "5"});
    leg(0, "BTC-KRW", "upbit");
    leg(1, "BTC-USDT", "binance");
    deposit("upbit", "KRW", "1000000000");
    deposit("upbit", "BTC", "10");
    deposit("binance", "USDT", "1000000");
    deposit("binance", "BTC", "10");
}

static int run(const char *name, const TTest *const *tests, size_t n)
{
    Suite *suite = suite_create(name);
    TCase *c = tcase_create(name);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    for (size_t i = 0; i < n; i++)
        tcase_add_test(c, tests[i]);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

#endif
