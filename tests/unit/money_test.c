/* What amounts promise: no product of a price and a quantity that markets have is rounded or overflows. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/decimal.h"

static struct dec d(const char *text)
{
    struct dec v = {0};
    ck_assert_msg(dec_parse(text, strlen(text), &v) == OK, "%s", text);
    return v;
}

static money amount(const char *text)
{
    money v = 0;
    ck_assert_msg(money_parse(text, strlen(text), &v), "%s", text);
    return v;
}

static const char *text_of(money v)
{
    static char text[MONEY_TEXT_MAX];
    ck_assert_uint_eq(money_format(v, text), strlen(text));
    return text;
}

static const char *const LARGEST = "170141183460469231731.687303715884105727";
static const char *const SMALLEST = "-170141183460469231731.687303715884105728";

START_TEST(a_won_notional_is_held_to_the_last_digit)
{
    money v;
    ck_assert_int_eq(money_product(d("163000000"), d("552147239.26380368"), &v), OK);
    ck_assert_str_eq(text_of(v), "89999999999999999.84");
    ck_assert_int_eq(money_of(d("9E16"), &v), OK);
    ck_assert_str_eq(text_of(v), "90000000000000000");
}
END_TEST

START_TEST(a_trillion_of_a_coin_worth_nothing_is_held_to_the_last_digit)
{
    money v;
    ck_assert_int_eq(money_product(d("0.00001234"), d("1000000000001"), &v), OK);
    ck_assert_str_eq(text_of(v), "12340000.00001234");
    ck_assert_int_eq(money_product(d("0.00000001"), d("0.0000000001"), &v), OK);
    ck_assert_str_eq(text_of(v), "0.000000000000000001");
}
END_TEST

START_TEST(below_a_unit_is_inexact_and_above_the_bits_is_out_of_range)
{
    money v = 7;
    ck_assert_int_eq(money_product(d("0.0000000001"), d("0.0000000001"), &v), E_INEXACT);
    ck_assert_int_eq(money_product(d("1E11"), d("1E10"), &v), E_RANGE);
    ck_assert_int_eq(money_of(d("1E21"), &v), E_RANGE);
    ck_assert_int_eq(money_of((struct dec){1, -19}, &v), E_INEXACT);
    ck_assert(v == 7);
}
END_TEST

START_TEST(text_reads_back_as_the_same_amount)
{
    static const char *const texts[] = {
        "0", "1", "-1", "0.5", "-0.000000000000000001", "1300", "12340000.00001234"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_str_eq(text_of(amount(texts[i])), texts[i]);
    }
    ck_assert_str_eq(text_of(amount(LARGEST)), LARGEST);
    ck_assert_str_eq(text_of(amount(SMALLEST)), SMALLEST);
    ck_assert_str_eq(text_of(amount("1.500")), "1.5");
}
END_TEST

START_TEST(other_text_is_refused_and_writes_nothing)
{
    static const char *const broken[] = {"",
                                         "-",
                                         ".5",
                                         "1.",
                                         "+1",
                                         "1e3",
                                         " 1",
                                         "1 ",
                                         "1,0",
                                         "0x1",
                                         "1.0000000000000000001",
                                         "170141183460469231731.687303715884105728",
                                         "-170141183460469231731.687303715884105729",
                                         "1000000000000000000000000000000000000000000"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        money v = 7;
        ck_assert_msg(!money_parse(broken[i], strlen(broken[i]), &v), "%s", broken[i]);
        ck_assert(v == 7);
    }
}
END_TEST

START_TEST(sums_never_wrap)
{
    money v = 7;
    ck_assert_int_eq(money_add(amount(LARGEST), 1, &v), E_RANGE);
    ck_assert_int_eq(money_sub(amount(SMALLEST), 1, &v), E_RANGE);
    ck_assert_int_eq(money_sub(0, amount(SMALLEST), &v), E_RANGE);
    ck_assert(v == 7);
    ck_assert_int_eq(money_add(amount("0.1"), amount("0.2"), &v), OK);
    ck_assert_str_eq(text_of(v), "0.3");
    ck_assert_int_eq(money_sub(amount("0.1"), amount("0.3"), &v), OK);
    ck_assert_str_eq(text_of(v), "-0.2");
}
END_TEST

START_TEST(a_fee_of_an_amount_is_rounded_as_named_and_the_inside_is_wider_than_128_bits)
{
    money v;
    ck_assert_int_eq(money_scale(amount("90000000000000000"), d("0.0005"), ROUND_EXACT, &v), OK);
    ck_assert_str_eq(text_of(v), "45000000000000");
    ck_assert_int_eq(money_scale(amount(LARGEST), d("0.999999999999999999"), ROUND_DOWN, &v), OK);
    ck_assert_str_eq(text_of(v), "170141183460469231561.546120255414873995");
    ck_assert_int_eq(money_scale(1, d("0.5"), ROUND_HALF_EVEN, &v), OK);
    ck_assert(v == 0);
    ck_assert_int_eq(money_scale(-1, d("0.5"), ROUND_UP, &v), OK);
    ck_assert(v == -1);
    ck_assert_int_eq(money_scale(1, d("0.5"), ROUND_EXACT, &v), E_INEXACT);
    ck_assert_int_eq(money_scale(amount(LARGEST), d("1.1"), ROUND_DOWN, &v), E_RANGE);
    ck_assert_int_eq(money_scale(amount("2"), d("-1E3"), ROUND_EXACT, &v), OK);
    ck_assert_str_eq(text_of(v), "-2000");
}
END_TEST

START_TEST(an_amount_leaves_as_a_decimal_of_the_exponent_asked_for)
{
    struct dec v;
    ck_assert_int_eq(money_dec(amount("-12.345"), -2, ROUND_HALF_EVEN, &v), OK);
    ck_assert_int_eq(v.m, -1234);
    ck_assert_int_eq(v.exp, -2);
    ck_assert_int_eq(money_dec(amount("-12.345"), -2, ROUND_EXACT, &v), E_INEXACT);
    ck_assert_int_eq(money_dec(amount("90000000000000000"), -8, ROUND_EXACT, &v), E_RANGE);
    ck_assert_int_eq(money_dec(amount("90000000000000000"), 0, ROUND_EXACT, &v), OK);
    ck_assert_double_eq_tol(money_double(amount("-12.345")), -12.345, 1e-15);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("money");
    TCase *promises = tcase_create("promises");
    tcase_add_test(promises, a_won_notional_is_held_to_the_last_digit);
    tcase_add_test(promises, a_trillion_of_a_coin_worth_nothing_is_held_to_the_last_digit);
    tcase_add_test(promises, below_a_unit_is_inexact_and_above_the_bits_is_out_of_range);
    tcase_add_test(promises, text_reads_back_as_the_same_amount);
    tcase_add_test(promises, other_text_is_refused_and_writes_nothing);
    tcase_add_test(promises, sums_never_wrap);
    tcase_add_test(promises, a_fee_of_an_amount_is_rounded_as_named_and_the_inside_is_wider_than_128_bits);
    tcase_add_test(promises, an_amount_leaves_as_a_decimal_of_the_exponent_asked_for);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
