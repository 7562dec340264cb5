/* What names promise: one internal form, and joined names split where the venue meant it. */
#include "lib/market/symbol.h"

#include <check.h>
#include <string.h>

#include "lib/base/status.h"

START_TEST(joined_names_split_at_the_longest_known_quote)
{
    static const struct {
        const char *name, *base, *quote;
    } rows[] = {
        {"BTCUSDT", "BTC", "USDT"},       {"ethbtc", "ETH", "BTC"},     {"BUSDTRY", "BUSD", "TRY"},
        {"AAVEUPUSDT", "AAVEUP", "USDT"}, {"BTCFDUSD", "BTC", "FDUSD"}, {"1000PEPEUSDC", "1000PEPE", "USDC"},
        {"STEEMETH", "STEEM", "ETH"},     {"USDCUSD", "USDC", "USD"},   {"BTCTUSD", "BTC", "TUSD"},
        {"ADARUB", "ADA", "RUB"},         {"BTCUSD", "BTC", "USD"},     {"SWRVBUSD", "SWRV", "BUSD"},
    };
    char base[16], quote[16];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_eq(symbol_split(rows[i].name, strlen(rows[i].name), base, quote), OK);
        ck_assert_str_eq(base, rows[i].base);
        ck_assert_str_eq(quote, rows[i].quote);
    }
}
END_TEST

START_TEST(names_without_a_known_quote_or_a_base_are_refused)
{
    char base[16], quote[16];
    ck_assert_int_eq(symbol_split("ABCXYZ", 6, base, quote), E_ABSENT);
    ck_assert_int_eq(symbol_split("USDT", 4, base, quote), E_ABSENT);
    ck_assert_int_eq(symbol_split("", 0, base, quote), E_ABSENT);
    ck_assert_int_eq(symbol_split("BTC-USDT", 8, base, quote), E_ABSENT);
    ck_assert_int_eq(symbol_split("ABCDEFGHIJKLMNOPUSDT", 20, base, quote), E_RANGE);
    ck_assert_int_eq(symbol_split("ABCDEFGHIJKLMNOUSDT", 19, base, quote), OK);
}
END_TEST

START_TEST(a_symbol_made_is_a_symbol_read)
{
    char symbol[32];
    struct inst inst;
    ck_assert_int_eq(symbol_make("BTC", "USDT", KIND_SPOT, symbol), OK);
    ck_assert_str_eq(symbol, "BTC-USDT");
    ck_assert_int_eq(symbol_read(symbol, &inst), OK);
    ck_assert_int_eq(inst.kind, KIND_SPOT);
    ck_assert_int_eq(inst.multiplier.m, 1);

    ck_assert_int_eq(symbol_make("BTC", "USDT", KIND_LINEAR, symbol), OK);
    ck_assert_str_eq(symbol, "BTC-USDT-PERP");
    ck_assert_int_eq(symbol_read(symbol, &inst), OK);
    ck_assert_str_eq(inst.base, "BTC");
    ck_assert_str_eq(inst.quote, "USDT");
    ck_assert_str_eq(inst.settle, "USDT");
    ck_assert_int_eq(inst.kind, KIND_LINEAR);
}
END_TEST

START_TEST(what_is_no_symbol_is_refused)
{
    static const char *const bad[] = {"",         "BTC",        "BTC-",           "-USDT",      "BTC-USDT-",
                                      "btc-usdt", "BTC-USDT-X", "BTC-USDT-PERP-", "BTC.X-USDT", "BTC -USDT"};
    struct inst inst;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(symbol_read(bad[i], &inst) == E_SYNTAX, "'%s' was taken", bad[i]);
    char symbol[32];
    ck_assert_int_eq(symbol_make("ABCDEFGHIJKLMNO", "ABCDEFGHIJKLMNO", KIND_LINEAR, symbol), E_RANGE);
    ck_assert_int_eq(symbol_make("ABCDEFGHIJKLMNO", "ABCDEFGHIJKLMNO", KIND_SPOT, symbol), OK);
    ck_assert_int_eq(symbol_make("", "USDT", KIND_SPOT, symbol), E_RANGE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("symbol");
    TCase *tests = tcase_create("promises");
    tcase_add_test(tests, joined_names_split_at_the_longest_known_quote);
    tcase_add_test(tests, names_without_a_known_quote_or_a_base_are_refused);
    tcase_add_test(tests, a_symbol_made_is_a_symbol_read);
    tcase_add_test(tests, what_is_no_symbol_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
