/* What steps and fees promise, and what a file of instruments tells. */
#include "lib/market/instrument.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct dec d(const char *text)
{
    struct dec v;
    ck_assert_int_eq(dec_parse(text, strlen(text), &v), OK);
    return v;
}

#define ck_assert_dec(v, text)                                                                               \
    ck_assert_msg(dec_cmp((v), d(text)) == 0, "%lde%d is not %s", (long)(v).m, (v).exp, text)

START_TEST(prices_go_to_the_tick_and_quantities_down_to_the_lot)
{
    struct inst inst = {.tick = {5, -1}, .lot = {1, -3}};
    struct dec out;
    ck_assert_int_eq(instrument_price(&inst, d("100.74"), ROUND_FLOOR, &out), OK);
    ck_assert_dec(out, "100.5");
    ck_assert_int_eq(instrument_price(&inst, d("100.74"), ROUND_CEILING, &out), OK);
    ck_assert_dec(out, "101");
    ck_assert_int_eq(instrument_qty(&inst, d("1.23456"), &out), OK);
    ck_assert_dec(out, "1.234");
    ck_assert_int_eq(instrument_qty(&inst, d("0.0009"), &out), OK);
    ck_assert_dec(out, "0");
}
END_TEST

START_TEST(an_unknown_step_leaves_the_value_as_it_is)
{
    struct inst inst = {.tick = {0, 0}};
    struct dec out;
    ck_assert_int_eq(instrument_price(&inst, d("100.74"), ROUND_FLOOR, &out), OK);
    ck_assert_dec(out, "100.74");
    ck_assert_int_eq(instrument_qty(&inst, d("1.23456"), &out), OK);
    ck_assert_dec(out, "1.23456");
}
END_TEST

START_TEST(a_quantity_for_two_is_whole_lots_of_both)
{
    struct inst a = {.lot = {3, -1}}, b = {.lot = {2, -1}}, fine = {.lot = {1, -8}}, none = {.lot = {0, 0}};
    struct dec out;
    ck_assert_int_eq(instrument_qty_both(&a, &b, d("1.9"), &out), OK);
    ck_assert_dec(out, "1.8");
    ck_assert_int_eq(instrument_qty_both(&a, &b, d("0.59"), &out), OK);
    ck_assert_dec(out, "0");
    ck_assert_int_eq(instrument_qty_both(&a, &fine, d("1.00000001"), &out), OK);
    ck_assert_dec(out, "0.9");
    ck_assert_int_eq(instrument_qty_both(&none, &b, d("0.5"), &out), OK);
    ck_assert_dec(out, "0.4");
    ck_assert_int_eq(instrument_qty_both(&b, &none, d("0.5"), &out), OK);
    ck_assert_dec(out, "0.4");
}
END_TEST

START_TEST(a_fee_is_rounded_half_even_at_eight_to_twelve_digits)
{
    struct dec out;
    ck_assert_int_eq(instrument_fee(d("61837.63"), d("0.5"), d("10"), &out), OK);
    ck_assert_dec(out, "30.918815");
    /* 1 x 0.00000005 x 1 bps: at 1e-8 nothing is left */
    ck_assert_int_eq(instrument_fee(d("1"), d("0.00000005"), d("1"), &out), OK);
    ck_assert_dec(out, "0");
    /* price and quantity of 8 digits each: rounded at 1e-12; 0.5 goes to the even, more goes up */
    ck_assert_int_eq(instrument_fee(d("0.00001001"), d("0.00005001"), d("10"), &out), OK);
    ck_assert_dec(out, "0.000000000001");
    ck_assert_int_eq(instrument_fee((struct dec){5, -8}, (struct dec){1, 0}, d("1000"), &out), OK);
    ck_assert_dec(out, "0");
    ck_assert_int_eq(instrument_fee((struct dec){15, -8}, (struct dec){1, 0}, d("1000"), &out), OK);
    ck_assert_dec(out, "0.00000002");
    ck_assert_int_eq(instrument_fee((struct dec){16, -8}, (struct dec){1, 0}, d("1000"), &out), OK);
    ck_assert_dec(out, "0.00000002");
    ck_assert_int_eq(instrument_fee(d("100"), d("1"), d("-0.5"), &out), OK);
    ck_assert_dec(out, "-0.005");
}
END_TEST

START_TEST(fees_of_korean_and_of_tiny_prices_are_exact)
{
    struct dec out;
    ck_assert_int_eq(instrument_fee(d("150123000"), d("12.34567891"), d("5"), &out), OK);
    ck_assert_dec(out, "926685.17750296"); /* 926685.177502965 */
    ck_assert_int_eq(instrument_fee(d("0.00001234"), d("123456789012.13"), d("10"), &out), OK);
    ck_assert_dec(out, "1523.4567764097");
    ck_assert_int_eq(instrument_fee(d("3123.45678901"), d("1234.12345678"), d("10"), &out), OK);
    ck_assert_dec(out, "3854.73128955598");
    ck_assert_int_eq(instrument_fee(d("9000000000000000000"), d("9000000000000000000"), d("10"), &out),
                     E_RANGE);
}
END_TEST

static char path[] = "/tmp/instrument_test_XXXXXX";
static char error[256];

static struct instrument_file *file_of(const char *text)
{
    struct instrument_file *file;
    strcpy(path, "/tmp/instrument_test_XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)write(fd, text, strlen(text)), (int)strlen(text));
    close(fd);
    int status = instrument_file_open(path, &file, error, sizeof error);
    unlink(path);
    ck_assert(status != OK || file != NULL);
    return status == OK ? file : NULL;
}

static const char answers[] =
    "{\"binance_spot\":{\"_rateLimits\":[1,2],"
    "\"ETHBTC\":{\"symbol\":\"ETHBTC\",\"baseAsset\":\"ETH\",\"quoteAsset\":\"BTC\",\"filters\":["
    "{\"filterType\":\"PRICE_FILTER\",\"minPrice\":\"0.00000100\",\"tickSize\":\"0.00000100\"},"
    "{\"filterType\":\"LOT_SIZE\",\"minQty\":\"0.00010000\",\"stepSize\":\"0.00010000\"},"
    "{\"filterType\":\"MIN_NOTIONAL\",\"minNotional\":\"0.00010000\"},{\"filterType\":\"X\"}]}},"
    "\"binance_usdm\":{\"BTCUSDT\":{\"baseAsset\":\"BTC\",\"quoteAsset\":\"USDT\",\"marginAsset\":\"USDT\","
    "\"filters\":[{\"filterType\":\"PRICE_FILTER\",\"tickSize\":\"10\"},"
    "{\"filterType\":\"LOT_SIZE\",\"minQty\":\"0.001\",\"stepSize\":\"0.001\"},"
    "{\"filterType\":\"MIN_NOTIONAL\",\"notional\":\"5\"}]}},"
    "\"upbit\":{\"_source\":\"text\",\"KRW-BTC\":{\"market\":\"KRW-BTC\"},"
    "\"KRW-ETH\":{\"tick\":1000,\"lot\":\"0.00000001\",\"min_notional\":5000,\"taker_bps\":5,\"maker_bps\":-"
    "0.5}}}";

START_TEST(given_exchange_answers_then_steps_and_names_are_taken)
{
    struct instrument_file *file = file_of(answers);
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(instrument_file_count(file), 3);
    ck_assert_uint_eq(instrument_file_skipped(file), 3);

    struct inst inst = {.venue = "binance", .venue_symbol = "ETHBTC", .kind = KIND_SPOT, .learned = true};
    ck_assert(instrument_file_apply(file, &inst));
    ck_assert_dec(inst.tick, "0.000001");
    ck_assert_dec(inst.lot, "0.0001");
    ck_assert_dec(inst.min_qty, "0.0001");
    ck_assert_dec(inst.min_notional, "0.0001");
    ck_assert_int_eq(inst.price_exp, -6);
    ck_assert_int_eq(inst.qty_exp, -4);
    ck_assert(!inst.learned);
    ck_assert_str_eq(inst.symbol, "ETH-BTC");

    inst = (struct inst){.venue = "binance-usdm", .venue_symbol = "BTCUSDT", .kind = KIND_LINEAR};
    ck_assert(instrument_file_apply(file, &inst));
    ck_assert_str_eq(inst.symbol, "BTC-USDT-PERP");
    ck_assert_str_eq(inst.settle, "USDT");
    ck_assert_int_eq(inst.price_exp, 0);
    ck_assert_dec(inst.min_notional, "5");
    instrument_file_close(&file);
    ck_assert_ptr_null(file);
}
END_TEST

START_TEST(given_our_own_form_then_fees_are_taken_too)
{
    struct instrument_file *file = file_of(answers);
    struct inst inst = {.venue = "upbit", .venue_symbol = "KRW-ETH", .symbol = "ETH-KRW", .kind = KIND_SPOT};
    ck_assert(instrument_file_apply(file, &inst));
    ck_assert_dec(inst.tick, "1000");
    ck_assert_int_eq(inst.price_exp, 0);
    ck_assert_int_eq(inst.qty_exp, -8);
    ck_assert_dec(inst.taker_bps, "5");
    ck_assert_dec(inst.maker_bps, "-0.5");
    ck_assert_str_eq(inst.symbol, "ETH-KRW");
    instrument_file_close(&file);
}
END_TEST

START_TEST(what_the_file_does_not_have_changes_nothing)
{
    struct instrument_file *file = file_of(answers);
    struct inst inst = {.venue = "upbit", .venue_symbol = "KRW-BTC", .tick = {7, 0}};
    ck_assert(!instrument_file_apply(file, &inst));
    ck_assert_dec(inst.tick, "7");
    ck_assert(!instrument_file_apply(NULL, &inst));
    instrument_file_close(&file);
}
END_TEST

START_TEST(what_is_wrong_with_a_file_is_said)
{
    struct instrument_file *file;
    ck_assert_int_eq(instrument_file_open("/nonexistent/x.json", &file, error, sizeof error), E_IO);
    ck_assert_ptr_nonnull(strstr(error, "/nonexistent/x.json"));
    ck_assert_ptr_null(file_of("{\"binance\":"));
    ck_assert_ptr_nonnull(strstr(error, "not JSON"));
    ck_assert_ptr_null(file_of("[1]"));
    ck_assert_ptr_nonnull(strstr(error, "expected a JSON object"));
    ck_assert_ptr_null(file_of(""));
    file = file_of("{}");
    ck_assert_ptr_nonnull(file);
    instrument_file_close(&file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("instrument");
    TCase *tests = tcase_create("promises");
    tcase_add_test(tests, prices_go_to_the_tick_and_quantities_down_to_the_lot);
    tcase_add_test(tests, an_unknown_step_leaves_the_value_as_it_is);
    tcase_add_test(tests, a_quantity_for_two_is_whole_lots_of_both);
    tcase_add_test(tests, a_fee_is_rounded_half_even_at_eight_to_twelve_digits);
    tcase_add_test(tests, fees_of_korean_and_of_tiny_prices_are_exact);
    tcase_add_test(tests, given_exchange_answers_then_steps_and_names_are_taken);
    tcase_add_test(tests, given_our_own_form_then_fees_are_taken_too);
    tcase_add_test(tests, what_the_file_does_not_have_changes_nothing);
    tcase_add_test(tests, what_is_wrong_with_a_file_is_said);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
