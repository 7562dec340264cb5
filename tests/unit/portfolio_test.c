/* What a portfolio promises: position = fills + adjustments, to the last digit, all of a fill or nothing. */
#include "lib/market/portfolio.h"

#include <check.h>
#include <string.h>

#include "lib/base/rng.h"

static struct portfolio *book;

static void begin(void)
{
    book = portfolio_new(8, 8);
}

static void end(void)
{
    portfolio_destroy(&book);
    ck_assert_ptr_null(book);
}

static struct dec d(const char *text)
{
    struct dec v;
    ck_assert_int_eq(dec_parse(text, strlen(text), &v), OK);
    return v;
}

static struct fill fill_of(enum side side, const char *price, const char *qty, const char *fee,
                           const char *currency)
{
    struct fill fill = {.symbol = "BTC-KRW",
                        .venue = "upbit",
                        .base = "BTC",
                        .quote = "KRW",
                        .side = side,
                        .kind = KIND_SPOT,
                        .fee = d(fee)};
    strcpy(fill.fee_currency, currency);
    struct dec p = d(price), q = d(qty);
    fill.price = p.m;
    fill.price_exp = p.exp;
    fill.qty = q.m;
    fill.qty_exp = q.exp;
    return fill;
}

static void ck_assert_money(money v, const char *text)
{
    char is[MONEY_TEXT_MAX];
    money_format(v, is);
    ck_assert_str_eq(is, text);
}

START_TEST(a_spot_fill_moves_the_position_and_three_balances)
{
    struct fill fill = fill_of(SIDE_BUY, "150123000", "1.23456789", "92668.51", "KRW");
    ck_assert_int_eq(portfolio_fill(book, &fill), OK);
    int index = portfolio_find(book, "BTC-KRW", "upbit");
    ck_assert_int_eq(index, 0);
    const struct position *p = portfolio_position(book, 0);
    ck_assert_money(p->qty, "1.23456789");
    ck_assert_money(p->cash, "-185337035.35047");
    ck_assert_money(p->volume, "185337035.35047");
    ck_assert_money(p->fees, "92668.51");
    ck_assert_uint_eq(p->fills, 1);
    ck_assert_str_eq(p->quote, "KRW");
    ck_assert_money(portfolio_balance(book, "upbit", "BTC"), "1.23456789");
    ck_assert_money(portfolio_balance(book, "upbit", "KRW"), "-185429703.86047");
    ck_assert_money(portfolio_balance(book, "binance", "BTC"), "0");
    ck_assert_uint_eq(portfolio_holdings(book), 2);
}
END_TEST

START_TEST(selling_what_was_bought_leaves_only_the_profit)
{
    struct fill buy = fill_of(SIDE_BUY, "0.00001234", "123456789012.12", "0", "KRW");
    struct fill sell = fill_of(SIDE_SELL, "0.00001235", "123456789012.12", "0", "KRW");
    ck_assert_int_eq(portfolio_fill(book, &buy), OK);
    ck_assert_int_eq(portfolio_fill(book, &sell), OK);
    ck_assert_money(portfolio_position(book, 0)->qty, "0");
    ck_assert_money(portfolio_position(book, 0)->cash, "1234.5678901212");
    ck_assert_money(portfolio_balance(book, "upbit", "BTC"), "0");
    ck_assert_money(portfolio_balance(book, "upbit", "KRW"), "1234.5678901212");
}
END_TEST

START_TEST(fees_in_base_and_in_a_third_currency_are_told_apart)
{
    struct fill fill = fill_of(SIDE_BUY, "100", "2", "0.01", "BTC");
    ck_assert_int_eq(portfolio_fill(book, &fill), OK);
    ck_assert_money(portfolio_position(book, 0)->fees, "1");
    ck_assert_money(portfolio_balance(book, "upbit", "BTC"), "1.99");
    fill = fill_of(SIDE_BUY, "100", "2", "0.5", "BNB");
    ck_assert_int_eq(portfolio_fill(book, &fill), OK);
    ck_assert_money(portfolio_position(book, 0)->fees, "1");
    ck_assert_money(portfolio_balance(book, "upbit", "BNB"), "-0.5");
    ck_assert_money(portfolio_balance(book, "upbit", "KRW"), "-400");
}
END_TEST

START_TEST(of_a_derivative_only_the_fee_moves_a_balance)
{
    struct fill fill = fill_of(SIDE_SELL, "61800.1", "0.5", "1.5", "KRW");
    fill.kind = KIND_LINEAR;
    ck_assert_int_eq(portfolio_fill(book, &fill), OK);
    ck_assert_money(portfolio_position(book, 0)->qty, "-0.5");
    ck_assert_money(portfolio_position(book, 0)->cash, "30900.05");
    ck_assert_money(portfolio_balance(book, "upbit", "BTC"), "0");
    ck_assert_money(portfolio_balance(book, "upbit", "KRW"), "-1.5");
}
END_TEST

START_TEST(an_adjustment_moves_one_balance)
{
    struct adjust adjust = {.venue = "upbit", .currency = "KRW"};
    ck_assert(money_parse("1000000000.000000000000000001", 29, &adjust.amount));
    ck_assert_int_eq(portfolio_adjust(book, &adjust), OK);
    ck_assert_int_eq(portfolio_adjust(book, &adjust), OK);
    ck_assert_money(portfolio_balance(book, "upbit", "KRW"), "2000000000.000000000000000002");
    ck_assert_uint_eq(portfolio_positions(book), 0);
    ck_assert_str_eq(portfolio_holding(book, 0)->currency, "KRW");
}
END_TEST

START_TEST(what_cannot_be_booked_whole_is_not_booked_at_all)
{
    struct portfolio *small = portfolio_new(1, 1);
    struct fill fill = fill_of(SIDE_BUY, "100", "2", "1", "KRW");
    ck_assert_int_eq(portfolio_fill(small, &fill), E_FULL);
    ck_assert_uint_eq(portfolio_positions(small), 0);
    ck_assert_uint_eq(portfolio_holdings(small), 0);
    portfolio_destroy(&small);

    ck_assert_int_eq(portfolio_fill(book, &fill), OK);
    struct fill bad = fill_of(SIDE_BUY, "9000000000000000000", "9000000000000000000", "0", "KRW");
    bad.price_exp = 12;
    ck_assert_int_eq(portfolio_fill(book, &bad), E_RANGE);
    bad = fill_of(SIDE_BUY, "0.000000000001", "0.00000001", "0", "KRW");
    ck_assert_int_eq(portfolio_fill(book, &bad), E_INEXACT);
    bad = fill_of(SIDE_NONE, "100", "2", "1", "KRW");
    ck_assert_int_eq(portfolio_fill(book, &bad), E_RANGE);
    ck_assert_uint_eq(portfolio_position(book, 0)->fills, 1);
    ck_assert_money(portfolio_position(book, 0)->qty, "2");
    ck_assert_money(portfolio_balance(book, "upbit", "KRW"), "-201");
}
END_TEST

START_TEST(capacity_is_a_bound)
{
    struct fill fill = fill_of(SIDE_BUY, "1", "1", "0", "KRW");
    fill.kind = KIND_LINEAR;
    for (int i = 0; i < 8; i++) {
        fill.symbol[0] = (char)('A' + i);
        ck_assert_int_eq(portfolio_fill(book, &fill), OK);
    }
    fill.symbol[0] = 'Z';
    ck_assert_int_eq(portfolio_fill(book, &fill), E_FULL);
    ck_assert_int_eq(portfolio_find(book, fill.symbol, "upbit"), E_ABSENT);
    ck_assert_ptr_null(portfolio_position(book, 8));
}
END_TEST

START_TEST(over_many_random_fills_balances_equal_the_positions)
{
    struct rng rng;
    rng_seed(&rng, 7);
    for (int i = 0; i < 5000; i++) {
        struct fill fill = fill_of(rng_below(&rng, 2) ? SIDE_BUY : SIDE_SELL, "1", "1", "0", "KRW");
        fill.price = 1 + (int64_t)rng_below(&rng, 1000000000);
        fill.price_exp = (int8_t) - (int)rng_below(&rng, 9);
        fill.qty = 1 + (int64_t)rng_below(&rng, 1000000000);
        fill.qty_exp = (int8_t) - (int)(3 + rng_below(&rng, 6));
        fill.fee = (struct dec){(int64_t)rng_below(&rng, 100000) - 1000, -12};
        ck_assert_int_eq(portfolio_fill(book, &fill), OK);
    }
    const struct position *p = portfolio_position(book, 0);
    ck_assert(p->qty == portfolio_balance(book, "upbit", "BTC"));
    ck_assert(p->cash - p->fees == portfolio_balance(book, "upbit", "KRW"));
    ck_assert_uint_eq(p->fills, 5000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("portfolio");
    TCase *tests = tcase_create("promises");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, a_spot_fill_moves_the_position_and_three_balances);
    tcase_add_test(tests, selling_what_was_bought_leaves_only_the_profit);
    tcase_add_test(tests, fees_in_base_and_in_a_third_currency_are_told_apart);
    tcase_add_test(tests, of_a_derivative_only_the_fee_moves_a_balance);
    tcase_add_test(tests, an_adjustment_moves_one_balance);
    tcase_add_test(tests, what_cannot_be_booked_whole_is_not_booked_at_all);
    tcase_add_test(tests, capacity_is_a_bound);
    tcase_add_test(tests, over_many_random_fills_balances_equal_the_positions);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
