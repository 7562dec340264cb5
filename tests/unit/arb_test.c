/* What the arbitrage promises of going in: the right way, the right size in the right currency, exact orders.
 * The numbers expected here were worked out by hand. */
#include "lib/base/rng.h"
#include "tests/unit/arb_market.h"

/* ---- formulas --------------------------------------------------------------------------------------- */

START_TEST(buys_a_and_sells_b_where_b_is_dearer)
{
    set_book("BTC-USDT", "x", "99 1", "100 1");
    set_book("BTC-USDT", "y", "100.5 1", "101 1");
    ck_assert(look());
    ck_assert_int_eq(got.kind, INTENT_ENTER);
    ck_assert_int_eq(got.cause, EXIT_NONE);
    order(0, SIDE_BUY, "100", "1");
    order(1, SIDE_SELL, "100.5", "1");
    near(got.edge_nbps, 50); /* (100.5 - 100) / 100 */
    near(got.reference_nbps, 0);
    near(got.cost_nbps, 0);
    ck_assert_int_eq(got.deadline_ns, (clock_ms + 1000) * NS_PER_MS);
    ck_assert_int_eq(got.policy, POLICY_COMPLETE);
}
END_TEST

START_TEST(buys_b_and_sells_a_where_a_is_dearer)
{
    set_book("BTC-USDT", "x", "100.5 1", "101 1");
    set_book("BTC-USDT", "y", "99 1", "100 1");
    ck_assert(look());
    order(0, SIDE_SELL, "100.5", "1");
    order(1, SIDE_BUY, "100", "1");
    near(got.edge_nbps, 50); /* (100.5 - 100) / 100 */
}
END_TEST

START_TEST(charges_both_fees_and_the_allowance_before_the_least_edge)
{
    struct steps fees_a = cents, fees_b = cents;
    fees_a.taker_bps = "5";
    fees_b.taker_bps = "10";
    instrument("BTC-USDT", "x", fees_a);
    instrument("BTC-USDT", "y", fees_b);
    use("arb.latency_allowance_bps", "2.5");
    set_book("BTC-USDT", "x", "99 1", "100 1");
    set_book("BTC-USDT", "y", "100.27 1", "101 1"); /* 27 < 5 + 10 + 2.5 + 10 */
    ck_assert(!look());
    set_book("BTC-USDT", "y", "100.28 1", "101 1"); /* 28 */
    ck_assert(look());
    near(got.edge_nbps, 28);
    near(got.cost_nbps, 17.5);
}
END_TEST

START_TEST(enters_at_the_least_edge_it_is_told)
{
    set_book("BTC-USDT", "x", "99 1", "100 1");
    set_book("BTC-USDT", "y", "100.3 1", "101 1");
    use("arb.min_edge_bps", "31");
    ck_assert(!look());
    use("arb.min_edge_bps", "29");
    ck_assert(look());
}
END_TEST

START_TEST(does_nothing_where_the_route_may_not_enter_or_cools_down)
{
    set_book("BTC-USDT", "x", "99 1", "100 1");
    set_book("BTC-USDT", "y", "100.5 1", "101 1");
    route.may_enter = false;
    ck_assert(!look());
    route.may_enter = true;
    route.cool_until = clock_ms * NS_PER_MS + 1;
    ck_assert(!look());
    clock_ms++;
    ck_assert(look());
}
END_TEST

START_TEST(trusts_no_book_that_is_stale_or_one_sided)
{
    set_book("BTC-USDT", "x", "99 1", "100 1");
    book_at("BTC-USDT", "y", -8, -8, "100.5 1", "101 1", BOOK_STALE);
    ck_assert(!look());
    book_at("BTC-USDT", "y", -8, -8, "100.5 1", "", BOOK_LIVE);
    ck_assert(!look());
    book_at("BTC-USDT", "y", -8, -8, "100.5 1", "101 1", BOOK_LIVE);
    ck_assert(look());
}
END_TEST

/* ---- currencies ------------------------------------------------------------------------------------- */

START_TEST(joins_krw_and_usdt_by_a_real_rate)
{
    setup_krw();
    set_book("USDT-KRW", "upbit", "1385 1000", "1387 1000");
    book_at("BTC-KRW", "upbit", 0, -8, "84200000 1", "84210000 0.5", BOOK_LIVE);
    set_book("BTC-USDT", "binance", "61000 0.2", "61001 2");
    /* 61000 * 1386 = 84,546,000 received for 84,210,000 paid; 0.2 BTC is 12,150 USDT of a million */
    ck_assert(look());
    near(got.edge_nbps, (84546000.0 - 84210000.0) / 84210000.0 * 1e4);
    near(got.cost_nbps, 15);
    order(0, SIDE_BUY, "84210000", "0.2");
    order(1, SIDE_SELL, "61000", "0.2");
}
END_TEST

START_TEST(sells_krw_and_buys_usdt_by_the_same_rate)
{
    setup_krw();
    set_book("USDT-KRW", "upbit", "1385 1000", "1387 1000");
    book_at("BTC-KRW", "upbit", 0, -8, "84546000 0.3", "84547000 0.5", BOOK_LIVE);
    set_book("BTC-USDT", "binance", "60749 1", "60750 0.1");
    /* 60750 * 1386 = 84,199,500 paid for 84,546,000 received */
    ck_assert(look());
    near(got.edge_nbps, (84546000.0 - 84199500.0) / 84199500.0 * 1e4);
    order(0, SIDE_SELL, "84546000", "0.1");
    order(1, SIDE_BUY, "60750", "0.1");
}
END_TEST

START_TEST(tells_the_notional_limit_in_the_reporting_currency)
{
    setup_krw();
    use("arb.max_notional", "1000");
    set_book("USDT-KRW", "upbit", "1385 1000", "1387 1000");
    book_at("BTC-KRW", "upbit", 0, -8, "84200000 1", "84210000 0.5", BOOK_LIVE);
    set_book("BTC-USDT", "binance", "61000 0.2", "61001 2");
    /* 1000 USDT at 1386 are 1,386,000 KRW: over 84,210,000 that is 0.016458..., in lots of 0.00001 */
    ck_assert(look());
    order(0, SIDE_BUY, "84210000", "0.01645");
    order(1, SIDE_SELL, "61000", "0.01645");
}
END_TEST

START_TEST(without_a_fresh_rate_nobody_trades)
{
    setup_krw();
    book_at("BTC-KRW", "upbit", 0, -8, "84200000 1", "84210000 0.5", BOOK_LIVE);
    set_book("BTC-USDT", "binance", "61000 0.2", "61001 2");
    ck_assert(!look()); /* none at all */
    set_book("USDT-KRW", "upbit", "1385 1000", "1387 1000");
    ck_assert(look());
    clock_ms += 60001; /* the legs move on, the rate does not */
    book_at("BTC-KRW", "upbit", 0, -8, "84200000 1", "84210000 0.5", BOOK_LIVE);
    set_book("BTC-USDT", "binance", "61000 0.2", "61001 2");
    ck_assert(!look());
    book_at("USDT-KRW", "upbit", -8, -8, "1385 1000", "1387 1000", BOOK_STALE);
    ck_assert(!look());
    set_book("USDT-KRW", "upbit", "1385 1000", "1387 1000");
    ck_assert(look());
}
END_TEST

START_TEST(without_a_rate_to_the_reporting_currency_nothing_is_entered)
{
    set_book("BTC-USDT", "x", "99 1", "100 1");
    set_book("BTC-USDT", "y", "100.5 1", "101 1");
    use("run.reporting", "KRW");
    ck_assert(!look());
    use("run.reporting", "USDT");
    ck_assert(look());
}
END_TEST

/* ---- quantity --------------------------------------------------------------------------------------- */

START_TEST(walks_both_books_to_the_last_level_that_pays)
{
    /* bids of y over asks of x: 50, 40 | 40 -> 30, 20 | 10.0 | 9 bps */
    set_book("BTC-USDT", "x", "99 1", "100 1 100.1 1 100.2 1 100.3 5 100.4 9");
    set_book("BTC-USDT", "y", "100.5 1.5 100.4 2 100.3 3", "101 1");
    /* 1 at 100/100.5; 0.5 at 100.1/100.5; 0.5 at 100.1/100.4; 1 at 100.2/100.4 (20); 0.5 at 100.3/100.4: 9.97
     */
    ck_assert(look());
    order(0, SIDE_BUY, "100.2", "3");
    order(1, SIDE_SELL, "100.4", "3");
    use("arb.min_edge_bps", "9.9");
    ck_assert(look());
    order(0, SIDE_BUY, "100.3", "3.5");
    order(1, SIDE_SELL, "100.4", "3.5");
}
END_TEST

START_TEST(spends_no_more_than_the_notional_limit_over_all_levels)
{
    use("arb.max_notional", "250.1");
    set_book("BTC-USDT", "x", "99 1", "100 1 101 1 102 5");
    set_book("BTC-USDT", "y", "110 10", "111 1");
    /* 100 + 101 + 49.1 / 102 = 0.48137: 2.481 in lots */
    ck_assert(look());
    order(0, SIDE_BUY, "102", "2.481");
    use("arb.max_notional", "201");
    ck_assert(look());
    order(0, SIDE_BUY, "101", "2");
}
END_TEST

START_TEST(orders_whole_lots_of_both_venues)
{
    struct steps three = cents, two = cents;
    three.lot = "0.3";
    two.lot = "0.2";
    instrument("BTC-USDT", "x", three);
    instrument("BTC-USDT", "y", two);
    set_book("BTC-USDT", "x", "99 1", "100 1.7");
    set_book("BTC-USDT", "y", "100.5 9", "101 1");
    ck_assert(look());
    order(0, SIDE_BUY, "100", "1.2");
    order(1, SIDE_SELL, "100.5", "1.2");
    set_book("BTC-USDT", "x", "99 1", "100 0.5");
    ck_assert(!look());
}
END_TEST

START_TEST(takes_the_books_own_steps_where_none_are_known)
{
    struct steps none = {"0", "0", "0", "0", "0"};
    instrument("BTC-USDT", "x", none);
    instrument("BTC-USDT", "y", none);
    use("arb.slippage_bps", "3.3");
    book_at("BTC-USDT", "x", -1, -2, "99 1", "100 1.23", BOOK_LIVE);
    book_at("BTC-USDT", "y", -2, -1, "100.5 9", "101 1", BOOK_LIVE);
    ck_assert(look());
    order(0, SIDE_BUY, "100", "1.2");     /* 100.033 on a tick of 0.1 */
    order(1, SIDE_SELL, "100.47", "1.2"); /* 100.466835 on a tick of 0.01 */
}
END_TEST

START_TEST(orders_each_leg_in_its_own_unit)
{
    struct steps none = {"0", "0", "0", "0", "0"};
    instrument("BTC-USDT", "x", none);
    instrument("BTC-USDT", "y", none);
    book_at("BTC-USDT", "x", -2, -6, "99 1", "100 1.234567", BOOK_LIVE);
    book_at("BTC-USDT", "y", -2, -3, "100.5 9", "101 1", BOOK_LIVE);
    ck_assert(look());
    order(0, SIDE_BUY, "100", "1.234");
    order(1, SIDE_SELL, "100.5", "1.234");
    ck_assert_int_eq(got.leg[0].qty.exp, -6);
    ck_assert_int_eq(got.leg[1].qty.exp, -3);
}
END_TEST

START_TEST(keeps_below_what_each_venue_takes_at_the_least)
{
    struct steps least = cents;
    least.min_qty = "0.5";
    least.min_notional = "60";
    instrument("BTC-USDT", "y", least);
    set_book("BTC-USDT", "x", "99 1", "100 0.499");
    set_book("BTC-USDT", "y", "100.5 9", "101 1");
    ck_assert(!look());
    set_book("BTC-USDT", "x", "99 1", "100 0.59"); /* 59.295 */
    ck_assert(!look());
    set_book("BTC-USDT", "x", "99 1", "100 0.6");
    ck_assert(look());
    least.min_qty = "0.601";
    instrument("BTC-USDT", "y", least);
    ck_assert(!look());
}
END_TEST

START_TEST(orders_what_the_account_can_pay_for_with_the_fee)
{
    struct steps fee = cents;
    fee.taker_bps = "10";
    instrument("BTC-USDT", "x", fee);
    use("arb.slippage_bps", "10");
    deposit("x", "USDT", "-99999900"); /* leaves 100 */
    set_book("BTC-USDT", "x", "99 1", "100 5");
    set_book("BTC-USDT", "y", "100.5 9", "101 1");
    /* 100 / (100.1 * 1.001) = 0.99800... */
    ck_assert(look());
    order(0, SIDE_BUY, "100.1", "0.998");
    order(1, SIDE_SELL, "100.4", "0.998");
    deposit("x", "USDT", "-100");
    ck_assert(!look());
}
END_TEST

START_TEST(sells_on_a_spot_market_what_it_has)
{
    deposit("y", "BTC", "-9999.25");
    set_book("BTC-USDT", "x", "99 1", "100 5");
    set_book("BTC-USDT", "y", "100.5 9", "101 1");
    ck_assert(look());
    order(0, SIDE_BUY, "100", "0.75");
    order(1, SIDE_SELL, "100.5", "0.75");
}
END_TEST

START_TEST(needs_no_base_to_sell_a_derivative)
{
    instrument("BTC-USDT-PERP", "z", cents);
    leg(1, "BTC-USDT-PERP", "z");
    set_book("BTC-USDT", "x", "99 1", "100 5");
    set_book("BTC-USDT-PERP", "z", "100.5 9", "101 1");
    ck_assert(look());
    order(1, SIDE_SELL, "100.5", "5");
}
END_TEST

START_TEST(leaves_contracts_alone_that_are_not_in_base_units)
{
    int index = instrument("BTC-USDT-PERP", "z", cents);
    ck_assert_int_ge(index, 0);
    set_book("BTC-USDT", "x", "99 1", "100 5");
    set_book("BTC-USDT-PERP", "z", "100.5 9", "101 1");
    leg(1, "BTC-USDT-PERP", "z");
    ck_assert(look());
    market_message(MSG_INST);
    m.inst = view_at(view, (uint32_t)index)->inst;
    m.inst.multiplier = dec("0.01");
    view_apply(view, &m, at(clock_ms));
    ck_assert(!look());
    m.inst.multiplier = dec("1");
    m.inst.kind = KIND_INVERSE;
    view_apply(view, &m, at(clock_ms));
    ck_assert(!look());
}
END_TEST

START_TEST(limits_go_against_us_by_the_slippage_and_no_further)
{
    use("arb.slippage_bps", "5");
    struct steps coarse = cents;
    coarse.tick = "0.5";
    instrument("BTC-USDT", "y", coarse);
    set_book("BTC-USDT", "x", "99 1", "100.07 1");
    set_book("BTC-USDT", "y", "100.5 1", "101 1");
    ck_assert(look());
    order(0, SIDE_BUY, "100.12", "1"); /* 100.120035 */
    order(1, SIDE_SELL, "100.5", "1"); /* 100.44975 is no tick; 100.5 is the next within */
}
END_TEST

START_TEST(counts_pepe_in_quadrillions_and_sixteen_decimals)
{
    instrument("PEPE-USDT", "x", (struct steps){"0.00000001", "1", "1", "1", "10"});
    instrument("PEPE-KRW", "upbit", (struct steps){"0.0001", "0.00000001", "0", "5000", "5"});
    instrument("USDT-KRW", "upbit", (struct steps){"1", "0.00000001", "0", "5000", "5"});
    leg(0, "PEPE-USDT", "x");
    leg(1, "PEPE-KRW", "upbit");
    deposit("upbit", "PEPE", "90000000000000");
    use("arb.max_notional", "900000000");
    deposit("x", "USDT", "1000000000");
    set_book("USDT-KRW", "upbit", "1385 1000", "1387 1000");
    book_at("PEPE-USDT", "x", -8, 0, "0.00000805 50000000000000", "0.00000806 60000000000000", BOOK_LIVE);
    book_at("PEPE-KRW", "upbit", -4, -4, "0.0115 70000000000000.1234", "0.0116 1", BOOK_LIVE);
    /* 0.0115 / 1386 = 0.000008297... against 0.00000806: 294 bps. 6e13 * 0.00000806 = 483,600,000 USDT */
    ck_assert(look());
    ck_assert_msg(llabs(got.edge_nbps - INT64_C(294412345678)) < 1000000000, "%ld", (long)got.edge_nbps);
    ck_assert_int_eq(got.leg[0].side, SIDE_BUY);
    same(got.leg[0].price, "0.00000806");
    same(got.leg[1].price, "0.0115");
    /* 64 bits at the lot of 1e-8 hold 92,233,720,368.54775807: that is the most one order can say */
    order(0, SIDE_BUY, "0.00000806", "92233720368");
    use("arb.max_notional", "1000");
    ck_assert(look()); /* 1000 / 0.00000806 = 124,069,478.9... */
    order(0, SIDE_BUY, "0.00000806", "124069478");
    order(1, SIDE_SELL, "0.0115", "124069478");
}
END_TEST

/* ---- parameters ------------------------------------------------------------------------------------- */

START_TEST(refuses_parameters_that_mean_nothing)
{
    static const char *const bad[][2] = {{"arb.latency_allowance_bps", "-1"},
                                         {"arb.take_profit_bps", "-0.5"},
                                         {"arb.stop_loss_bps", "-3"},
                                         {"arb.slippage_bps", "-1"},
                                         {"arb.slippage_bps", "10000"}};
    char error[CONFIG_ERROR_MAX];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config_defaults(&config);
        ck_assert_int_eq(config_set(&config, bad[i][0], bad[i][1], error), OK);
        ck_assert_int_eq(arb->params(&config, params, error), E_RANGE);
        ck_assert_msg(strstr(error, bad[i][0]) && strstr(error, bad[i][1]) && strstr(error, "expected"), "%s",
                      error);
    }
}
END_TEST

START_TEST(other_parameters_have_another_hash)
{
    uint64_t first = arb->params_hash(params);
    use("arb.min_edge_bps", "10.0");
    ck_assert_uint_eq(arb->params_hash(params), first);
    use("arb.min_edge_bps", "10.1");
    ck_assert_uint_ne(arb->params_hash(params), first);
}
END_TEST

START_TEST(only_what_is_registered_has_a_name)
{
    ck_assert_str_eq(strategy_named("arb")->name, "arb");
    ck_assert_ptr_null(strategy_named("ar"));
    ck_assert_ptr_null(strategy_named(""));
}
END_TEST

/* ---- whatever the market is ------------------------------------------------------------------------- */

static void random_side(struct rng *rng, struct level *levels, uint32_t *n, int64_t price, int step)
{
    *n = 1 + (uint32_t)rng_below(rng, 8);
    for (uint32_t i = 0; i < *n; i++) {
        levels[i] = (struct level){price, 1 + (int64_t)rng_below(rng, 300)};
        price += step * (int64_t)(1 + rng_below(rng, 20));
    }
}

static void random_book(struct rng *rng, const char *venue, int64_t mid)
{
    market_message(MSG_BOOK);
    strcpy(m.book.symbol, "BTC-USDT");
    strcpy(m.book.venue, venue);
    m.book.state = BOOK_LIVE;
    m.book.recv_time = clock_ms * NS_PER_MS;
    m.book.price_exp = -2;
    m.book.qty_exp = -2;
    random_side(rng, m.book.bids, &m.book.n_bids, mid - 1 - (int64_t)rng_below(rng, 10), -1);
    random_side(rng, m.book.asks, &m.book.n_asks, mid + 1 + (int64_t)rng_below(rng, 10), 1);
    (void)view_apply(view, &m, at(clock_ms));
}

/* Price of the level at which a quantity (hundredths) is reached. */
static int64_t level_for(const struct quote *q, enum side side, int64_t qty)
{
    const struct level *levels;
    uint32_t n = quote_levels(q, side, &levels), i = 0;
    while (i < n && levels[i].qty < qty)
        qty -= levels[i++].qty;
    ck_assert_uint_lt(i, n);
    return levels[i].price;
}

/* Hundredths of a lot of 0.07 and 0.03 together: 0.21. */
static void check_entry(void)
{
    struct dec qty, spent;
    ck_assert_int_eq(dec_cmp(got.leg[0].qty, got.leg[1].qty), 0);
    ck_assert_int_eq(dec_rescale(got.leg[0].qty, -2, ROUND_EXACT, &qty), OK);
    ck_assert_int_gt(qty.m, 0);
    ck_assert_int_eq(qty.m % 21, 0);
    int buy = got.leg[0].side == SIDE_BUY ? 0 : 1;
    ck_assert_int_eq(got.leg[buy].side, SIDE_BUY);
    ck_assert_int_eq(got.leg[1 - buy].side, SIDE_SELL);
    int64_t paid = level_for(route.leg[buy], SIDE_BUY, qty.m);
    int64_t received = level_for(route.leg[1 - buy], SIDE_SELL, qty.m);
    /* (received - paid) / paid >= 15.5 bps, in whole numbers */
    ck_assert_int_ge((received - paid) * 100000, paid * 155);
    ck_assert_int_ge(dec_cmp(got.leg[buy].price, (struct dec){paid, -2}), 0);
    ck_assert_int_le(dec_cmp(got.leg[1 - buy].price, (struct dec){received, -2}), 0);
    ck_assert_int_eq(dec_mul((struct dec){level_for(route.leg[0], got.leg[0].side, 1), -2}, qty, &spent), OK);
    ck_assert_int_le(dec_cmp(spent, dec("300")), 0);
}

START_TEST(whatever_is_ordered_pays_at_its_last_level_in_whole_lots_of_both)
{
    struct rng rng;
    int entered = 0;
    rng_seed(&rng, 7);
    use("arb.latency_allowance_bps", "1.5");
    use("arb.min_edge_bps", "10");
    use("arb.max_notional", "310");
    use("arb.slippage_bps", "4");
    instrument("BTC-USDT", "x", (struct steps){"0.01", "0.07", "0", "0", "3"});
    instrument("BTC-USDT", "y", (struct steps){"0.01", "0.03", "0", "0", "1"});
    for (int i = 0; i < 20000; i++) {
        random_book(&rng, "x", 10000);
        random_book(&rng, "y", 10000 - 60 + (int64_t)rng_below(&rng, 120));
        if (look()) {
            check_entry();
            entered++;
        }
    }
    ck_assert_int_gt(entered, 1000);
}
END_TEST

int main(void)
{
    /* clang-format off */
    const TTest *const tests[] = {
        buys_a_and_sells_b_where_b_is_dearer,
        buys_b_and_sells_a_where_a_is_dearer,
        charges_both_fees_and_the_allowance_before_the_least_edge,
        enters_at_the_least_edge_it_is_told,
        does_nothing_where_the_route_may_not_enter_or_cools_down,
        trusts_no_book_that_is_stale_or_one_sided,
        joins_krw_and_usdt_by_a_real_rate,
        sells_krw_and_buys_usdt_by_the_same_rate,
        tells_the_notional_limit_in_the_reporting_currency,
        without_a_fresh_rate_nobody_trades,
        without_a_rate_to_the_reporting_currency_nothing_is_entered,
        walks_both_books_to_the_last_level_that_pays,
        spends_no_more_than_the_notional_limit_over_all_levels,
        orders_whole_lots_of_both_venues,
        takes_the_books_own_steps_where_none_are_known,
        orders_each_leg_in_its_own_unit,
        keeps_below_what_each_venue_takes_at_the_least,
        orders_what_the_account_can_pay_for_with_the_fee,
        sells_on_a_spot_market_what_it_has,
        needs_no_base_to_sell_a_derivative,
        leaves_contracts_alone_that_are_not_in_base_units,
        limits_go_against_us_by_the_slippage_and_no_further,
        counts_pepe_in_quadrillions_and_sixteen_decimals,
        refuses_parameters_that_mean_nothing,
        other_parameters_have_another_hash,
        only_what_is_registered_has_a_name,
        whatever_is_ordered_pays_at_its_last_level_in_whole_lots_of_both,
    };
    /* clang-format on */
    return run("arb", tests, sizeof tests / sizeof tests[0]);
}
