/* What the arbitrage promises of going out: a way out for every cause; and of the reference it measures
 * against. */
#include "tests/unit/arb_market.h"

static void hold(const char *qty_a, const char *cost_a, const char *qty_b, const char *cost_b)
{
    route.flat = false;
    route.holding[0].qty = dec(qty_a);
    route.holding[0].cost = amount(cost_a);
    route.holding[1].qty = dec(qty_b);
    route.holding[1].cost = amount(cost_b);
    route.entry_time = clock_ms * NS_PER_MS;
}

/* ---- going out -------------------------------------------------------------------------------------- */

START_TEST(reverses_when_the_other_way_covers_its_cost)
{
    struct steps fee = cents;
    fee.taker_bps = "2";
    instrument("BTC-USDT", "x", fee);
    use("arb.latency_allowance_bps", "1");
    hold("1.5", "150", "-1.5", "-150.75"); /* bought at x, sold at y: closing sells x, buys y */
    set_book("BTC-USDT", "x", "100.02 9", "100.03 9");
    set_book("BTC-USDT", "y", "99.9 9", "100 9"); /* 2 bps for a cost of 3 */
    ck_assert(!look());
    set_book("BTC-USDT", "x", "100.03 9", "100.04 9");
    ck_assert(look());
    ck_assert_int_eq(got.kind, INTENT_EXIT);
    ck_assert_int_eq(got.cause, EXIT_REVERSAL);
    order(0, SIDE_SELL, "100.03", "1.5");
    order(1, SIDE_BUY, "100", "1.5");
    near(got.edge_nbps, 3);
    near(got.cost_nbps, 3);
}
END_TEST

START_TEST(reverses_at_the_depth_of_what_it_holds)
{
    hold("2", "200", "-2", "-201");
    set_book("BTC-USDT", "x", "100.02 1 99.9 9", "100.03 9");
    set_book("BTC-USDT", "y", "99.9 9", "100 9"); /* best pays 2 bps, all of it -4 */
    ck_assert(!look());
    set_book("BTC-USDT", "x", "100.02 1 99.99 9", "100.03 9"); /* 0.5 bps on average */
    ck_assert(look());
    order(0, SIDE_SELL, "99.99", "2");
    set_book("BTC-USDT", "x", "100.02 1", "100.03 9"); /* the half of it is not there */
    ck_assert(!look());
}
END_TEST

START_TEST(closes_exactly_what_each_leg_holds_in_whole_lots)
{
    hold("-1.0019", "-101", "1.003", "100");
    set_book("BTC-USDT", "x", "99 9", "99.5 9");
    set_book("BTC-USDT", "y", "100 9", "100.1 9");
    ck_assert(look());
    order(0, SIDE_BUY, "99.5", "1.001");
    order(1, SIDE_SELL, "100", "1.003");
}
END_TEST

START_TEST(takes_the_profit_it_is_told_after_all_four_fees)
{
    struct steps fee = cents;
    fee.taker_bps = "10";
    instrument("BTC-USDT", "x", fee);
    instrument("BTC-USDT", "y", fee);
    hold("1", "100", "-1", "-102"); /* 2 received over what was paid */
    route.holding[0].fees = amount("0.1");
    route.holding[1].fees = amount("0.102");
    set_book("BTC-USDT", "x", "100.5 9", "100.6 9");
    set_book("BTC-USDT", "y", "100.9 9", "101 9");
    /* 2 - (101 - 100.5) - 0.202 - 0.1005 - 0.101 = 1.0965 of 100: 109.65 bps; the reversal would want 20 - 49
     */
    use("arb.take_profit_bps", "109.7");
    ck_assert(!look());
    use("arb.take_profit_bps", "109.6");
    ck_assert(look());
    ck_assert_int_eq(got.cause, EXIT_TAKE_PROFIT);
    use("arb.take_profit_bps", "0");
    ck_assert(!look());
}
END_TEST

START_TEST(stops_the_loss_it_is_told)
{
    hold("1", "100", "-1", "-100.5");
    set_book("BTC-USDT", "x", "99 9", "99.5 9");
    set_book("BTC-USDT", "y", "100 9", "100.6 0.5 100.8 9");
    /* 0.5 + 99 - (50.3 + 50.4) = -1.2 of 100: -120 bps */
    use("arb.stop_loss_bps", "120.1");
    ck_assert(!look());
    use("arb.stop_loss_bps", "119.9");
    ck_assert(look());
    ck_assert_int_eq(got.kind, INTENT_EXIT);
    ck_assert_int_eq(got.cause, EXIT_STOP_LOSS);
    order(0, SIDE_SELL, "99", "1");
    order(1, SIDE_BUY, "100.8", "1");
}
END_TEST

START_TEST(tells_profit_in_one_currency)
{
    setup_krw();
    set_book("USDT-KRW", "upbit", "1385 1000", "1387 1000");
    hold("0.1", "8400000", "-0.1", "-6100");
    /* sell 0.1 at 84,000,000: 8,400,000 less 5 bps = 8,395,800; buy 0.1 at 61,700: 6170 and 10 bps = 6176.17
     * USDT lost there 76.17 USDT = 105,571.62 KRW; -4,200 more: 109,771.62 of 8,400,000 = 130.68 bps */
    book_at("BTC-KRW", "upbit", 0, -8, "84000000 1", "84010000 0.5", BOOK_LIVE);
    set_book("BTC-USDT", "binance", "61600 1", "61700 2");
    use("arb.stop_loss_bps", "130.69");
    ck_assert(!look());
    use("arb.stop_loss_bps", "130.67");
    ck_assert(look());
    ck_assert_int_eq(got.cause, EXIT_STOP_LOSS);
}
END_TEST

START_TEST(lets_go_of_what_is_too_old)
{
    use("arb.max_hold_ms", "5000");
    hold("1", "100", "-1", "-100.5");
    set_book("BTC-USDT", "x", "99 9", "99.5 9");
    set_book("BTC-USDT", "y", "100 9", "100.6 9");
    clock_ms += 4999;
    ck_assert(!look());
    clock_ms++;
    ck_assert(look());
    ck_assert_int_eq(got.cause, EXIT_AGE);
    order(0, SIDE_SELL, "99", "1");
    order(1, SIDE_BUY, "100.6", "1");
}
END_TEST

START_TEST(a_leg_alone_is_closed_at_once)
{
    hold("1", "100", "0", "0");
    set_book("BTC-USDT", "x", "100 9", "100.1 9");
    set_book("BTC-USDT", "y", "100 9", "100.1 9");
    ck_assert(look());
    ck_assert_int_eq(got.kind, INTENT_EXIT);
    ck_assert_int_eq(got.cause, EXIT_STOP_LOSS);
    order(0, SIDE_SELL, "100", "1");
    ck_assert_int_eq(got.leg[1].qty.m, 0);
}
END_TEST

START_TEST(less_than_a_lot_is_nothing_held)
{
    hold("0.0009", "0.09", "0", "0");
    set_book("BTC-USDT", "x", "99 9", "100 1");
    set_book("BTC-USDT", "y", "99 9", "100 9");
    ck_assert(!look());
    set_book("BTC-USDT", "y", "100.5 9", "101 9");
    ck_assert(look());
    ck_assert_int_eq(got.kind, INTENT_ENTER);
}
END_TEST

START_TEST(what_the_venue_takes_no_order_for_is_nothing_held)
{
    struct steps least = cents;
    least.min_notional = "5";
    instrument("BTC-USDT", "x", least);
    hold("0.05", "5", "0", "0"); /* worth 4.95 at the best bid */
    set_book("BTC-USDT", "x", "99 9", "100 1");
    set_book("BTC-USDT", "y", "99 9", "100 9");
    ck_assert(!look());
    set_book("BTC-USDT", "x", "100 9", "100.5 1"); /* worth 5: an order closes it */
    ck_assert(look());
    ck_assert_int_eq(got.kind, INTENT_EXIT);
}
END_TEST

START_TEST(does_not_close_on_a_stale_book)
{
    use("arb.max_hold_ms", "1");
    hold("1", "100", "-1", "-100.5");
    set_book("BTC-USDT", "x", "99 9", "99.5 9");
    book_at("BTC-USDT", "y", -8, -8, "100 9", "100.6 9", BOOK_STALE);
    clock_ms += 1000;
    ck_assert(!look());
}
END_TEST

/* ---- the reference ---------------------------------------------------------------------------------- */

/* Both books with a spread of 2 about their mids; y stands `bps` above x at 10000. */
static void basis(const char *bid_y, const char *ask_y)
{
    set_book("BTC-USDT", "x", "9999 100", "10001 100");
    set_book("BTC-USDT", "y", bid_y, ask_y);
}

START_TEST(a_lasting_basis_is_no_edge_against_the_mean)
{
    use("arb.reference", "mean");
    use("arb.reference_ms", "10000");
    use("arb.warm_up_ms", "5000");
    basis("10049 100", "10051 100"); /* mid 50 bps above: 48 to take, 50 lasting */
    ck_assert(!look());
    for (int i = 0; i < 100; i++) {
        clock_ms += 100;
        ck_assert(!look());
    }
    basis("10069 100", "10071 100"); /* 70 */
    clock_ms += 100;
    ck_assert(look());
    /* (10069 - 10001) / 10001 = 67.9932..., less the mean of 50 */
    near(got.edge_nbps, (10069.0 - 10001.0) / 10001.0 * 1e4 - 50);
    near(got.reference_nbps, 50);
    order(0, SIDE_BUY, "10001", "99.99");
}
END_TEST

START_TEST(the_other_way_is_measured_against_the_same_mean_mirrored)
{
    use("arb.reference", "mean");
    use("arb.reference_ms", "10000");
    use("arb.warm_up_ms", "1000");
    basis("10049 100", "10051 100");
    ck_assert(!look());
    clock_ms += 1000;
    basis("10029 100", "10031 100"); /* y came down from 50 to 30: it is cheap against its mean */
    ck_assert(look());
    ck_assert_int_eq(got.leg[0].side, SIDE_SELL);
    double mirrored = (10000.0 - 10050.0) / 10050.0 * 1e4;
    near(got.reference_nbps, mirrored);
    near(got.edge_nbps, (9999.0 - 10031.0) / 10031.0 * 1e4 - mirrored);
}
END_TEST

START_TEST(a_mean_must_warm_up_and_starts_again_after_an_outage)
{
    use("arb.reference", "mean");
    use("arb.warm_up_ms", "5000");
    basis("10049 100", "10051 100");
    ck_assert(!look());
    clock_ms += 4999;
    basis("10099 100", "10101 100");
    ck_assert(!look());
    clock_ms += 1;
    ck_assert(look());
    book_at("BTC-USDT", "y", -8, -8, "10099 100", "10101 100", BOOK_STALE);
    ck_assert(!look());
    basis("10199 100", "10201 100"); /* what moved meanwhile is not an edge */
    ck_assert(!look());
    clock_ms += 4999;
    ck_assert(!look());
    basis("10299 100", "10301 100");
    ck_assert(!look());
    clock_ms += 1;
    ck_assert(look());
}
END_TEST

START_TEST(the_mean_forgets_by_market_time_with_its_time_constant)
{
    use("arb.reference", "mean");
    use("arb.reference_ms", "10000");
    use("arb.warm_up_ms", "0");
    use("arb.min_edge_bps", "-1000");
    basis("9999 100", "10001 100"); /* 0 */
    ck_assert(look());
    basis("10099 100", "10101 100"); /* 100 from here on */
    ck_assert(look());
    near(got.reference_nbps, 0);
    for (int i = 0; i < 7; i++) { /* at any rhythm of evaluations */
        clock_ms += 1 << i;
        ck_assert(look());
    }
    near(got.reference_nbps, 100 * (1 - exp(-0.0127)));
    clock_ms += 9873;
    ck_assert(look());
    near(got.reference_nbps, 100 * (1 - exp(-1)));
    clock_ms += 20000;
    ck_assert(look());
    near(got.reference_nbps, 100 * (1 - exp(-3)));
    clock_ms += 5000000;
    basis("10199 100", "10201 100");
    ck_assert(look());
    near(got.reference_nbps, 100);
}
END_TEST

START_TEST(what_was_entered_off_the_mean_leaves_when_it_is_back)
{
    use("arb.reference", "mean");
    use("arb.warm_up_ms", "1000");
    basis("10049 100", "10051 100");
    look();
    clock_ms += 2000;
    hold("1", "10001", "-1", "-10069");
    basis("10069 100", "10071 100");
    ck_assert(!look());
    basis("10049 100", "10051 100"); /* at the mean: the spreads are not yet earned */
    ck_assert(!look());
    basis("10046 100", "10048 100"); /* (9999 - 10048) / 10048 = -48.77 against -49.75 */
    ck_assert(look());
    ck_assert_int_eq(got.cause, EXIT_REVERSAL);
    order(0, SIDE_SELL, "9999", "1");
    order(1, SIDE_BUY, "10048", "1");
}
END_TEST

int main(void)
{
    /* clang-format off */
    const TTest *const tests[] = {
        reverses_when_the_other_way_covers_its_cost,
        reverses_at_the_depth_of_what_it_holds,
        closes_exactly_what_each_leg_holds_in_whole_lots,
        takes_the_profit_it_is_told_after_all_four_fees,
        stops_the_loss_it_is_told,
        tells_profit_in_one_currency,
        lets_go_of_what_is_too_old,
        a_leg_alone_is_closed_at_once,
        less_than_a_lot_is_nothing_held,
        what_the_venue_takes_no_order_for_is_nothing_held,
        does_not_close_on_a_stale_book,
        a_lasting_basis_is_no_edge_against_the_mean,
        the_other_way_is_measured_against_the_same_mean_mirrored,
        a_mean_must_warm_up_and_starts_again_after_an_outage,
        the_mean_forgets_by_market_time_with_its_time_constant,
        what_was_entered_off_the_mean_leaves_when_it_is_back,
    };
    /* clang-format on */
    return run("arb_exit", tests, sizeof tests / sizeof tests[0]);
}
