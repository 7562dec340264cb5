/* What decimals promise: the number that was written, or a refusal. Random questions are asked in
 * tests/property; here stand the ones with a story. */
#include "lib/base/decimal.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct dec d(const char *text)
{
    struct dec v = {0};
    ck_assert_msg(dec_parse(text, strlen(text), &v) == OK, "%s", text);
    return v;
}

static const char *text_of(struct dec v)
{
    static char text[DEC_TEXT_MAX];
    ck_assert_uint_eq(dec_format(v, text), strlen(text));
    return text;
}

static void expect_dec(struct dec v, int64_t m, int exp)
{
    ck_assert_int_eq(v.m, m);
    ck_assert_int_eq(v.exp, exp);
}

START_TEST(every_form_of_a_json_number_reads_as_the_same_tight_decimal)
{
    expect_dec(d("61837.63000000"), 6183763, -2);
    expect_dec(d("61837.63"), 6183763, -2);
    expect_dec(d("6183763E-2"), 6183763, -2);
    expect_dec(d("1.16539E8"), 116539, 3);
    expect_dec(d("116539000"), 116539, 3);
    expect_dec(d("1.16539e+8"), 116539, 3);
    expect_dec(d("2.75E-5"), 275, -7);
    expect_dec(d("-0.000027500"), -275, -7);
    expect_dec(d("1380"), 138, 1);
}
END_TEST

START_TEST(zero_is_one_thing_however_it_is_written)
{
    static const char *const zeros[] = {"0", "-0", "0.0", "-0.000", "0E99999999999999999999", "0e-400"};
    for (size_t i = 0; i < sizeof zeros / sizeof *zeros; i++) {
        expect_dec(d(zeros[i]), 0, 0);
    }
    ck_assert_str_eq(text_of(d("-0.00")), "0");
}
END_TEST

START_TEST(text_that_is_no_json_number_is_refused_and_writes_nothing)
{
    static const char *const broken[] = {"",      "-",    "+1",  "01",       "-01", ".5",   "1.",    "1e",
                                         "1e+",   "1.e3", "0x1", "1 ",       " 1",  "1,5",  "NaN",   "1..2",
                                         "1e1.5", "--1",  "1-",  "Infinity", "1_0", "1.-5", "\"1\"", "1e--1"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct dec v = {.m = 7, .exp = 7};
        ck_assert_msg(dec_parse(broken[i], strlen(broken[i]), &v) == E_SYNTAX, "%s", broken[i]);
        expect_dec(v, 7, 7);
    }
}
END_TEST

START_TEST(the_text_ends_where_its_length_says)
{
    struct dec v;
    ck_assert_int_eq(dec_parse("12345", 3, &v), OK);
    expect_dec(v, 123, 0);
    ck_assert_int_eq(dec_parse("1.5", 2, &v), E_SYNTAX);
    ck_assert_int_eq(dec_parse("1e5", 2, &v), E_SYNTAX);
}
END_TEST

START_TEST(what_64_bits_or_the_exponents_cannot_hold_is_out_of_range)
{
    struct dec v;
    expect_dec(d("9223372036854775807"), INT64_MAX, 0);
    expect_dec(d("-9223372036854775808"), INT64_MIN, 0);
    ck_assert_int_eq(dec_parse("9223372036854775808", 19, &v), E_RANGE);
    ck_assert_int_eq(dec_parse("-9223372036854775809", 20, &v), E_RANGE);
    ck_assert_int_eq(dec_parse("99999999999999999999", 20, &v), E_RANGE);
    ck_assert_int_eq(dec_parse("18446744073709551616", 20, &v), E_RANGE);
    ck_assert_int_eq(dec_parse("-18446744073709551.616", 22, &v), E_RANGE);
    ck_assert_int_eq(dec_parse("340282366920938463463374607431768211456", 39, &v), E_RANGE);
    ck_assert_int_eq(dec_parse("1.0000000000000000001", 21, &v), E_RANGE);
    ck_assert_int_eq(dec_parse("1E-19", 5, &v), E_RANGE);
    ck_assert_int_eq(dec_parse("1E37", 4, &v), E_RANGE);
    ck_assert_int_eq(dec_parse("1E99999999999999999999", 22, &v), E_RANGE);
    ck_assert_int_eq(dec_parse("1E-99999999999999999999", 23, &v), E_RANGE);
}
END_TEST

START_TEST(zeros_around_the_digits_cost_no_range)
{
    expect_dec(d("9223372036854775807.000000000000000000000000000"), INT64_MAX, 0);
    expect_dec(d("0.000000000000000001"), 1, -18);
    expect_dec(d("0.000000000000000000000000000001E12"), 1, -18);
    expect_dec(d("1000000000000000000000000000000E-30"), 1, 0);
    expect_dec(d("1E36"), INT64_C(1000000000000000000), 18);
}
END_TEST

START_TEST(text_is_the_shortest_plain_form_and_reads_back_as_the_same_number)
{
    ck_assert_str_eq(text_of((struct dec){6183763, -2}), "61837.63");
    ck_assert_str_eq(text_of((struct dec){-5, -1}), "-0.5");
    ck_assert_str_eq(text_of((struct dec){13, 2}), "1300");
    ck_assert_str_eq(text_of((struct dec){1300, -2}), "13");
    ck_assert_str_eq(text_of((struct dec){100, -5}), "0.001");
    ck_assert_str_eq(text_of((struct dec){INT64_MIN, -18}), "-9.223372036854775808");
    ck_assert_str_eq(text_of((struct dec){INT64_MIN, 18}), "-9223372036854775808000000000000000000");
    ck_assert_str_eq(text_of((struct dec){-1, -18}), "-0.000000000000000001");
}
END_TEST

START_TEST(an_exponent_out_of_bounds_is_still_written_within_the_field)
{
    char text[DEC_TEXT_MAX];
    for (int exp = INT8_MIN; exp <= INT8_MAX; exp++) {
        size_t len = dec_format((struct dec){INT64_MIN, (int8_t)exp}, text);
        ck_assert_uint_lt(len, DEC_TEXT_MAX);
        ck_assert_uint_eq(len, strlen(text));
    }
    ck_assert_str_eq(text_of((struct dec){-12, 120}), "-12E120");
    ck_assert_str_eq(text_of((struct dec){12, -120}), "12E-120");
}
END_TEST

START_TEST(a_rounding_does_what_its_name_says_on_both_sides_of_zero)
{
    static const struct {
        const char *from;
        int64_t down, up, floor, ceiling, half_even;
    } cases[] = {{"0.5", 0, 1, 0, 1, 0},
                 {"1.5", 1, 2, 1, 2, 2},
                 {"2.5", 2, 3, 2, 3, 2},
                 {"2.51", 2, 3, 2, 3, 3},
                 {"2.49", 2, 3, 2, 3, 2},
                 {"-0.5", 0, -1, -1, 0, 0},
                 {"-1.5", -1, -2, -2, -1, -2},
                 {"-2.5", -2, -3, -3, -2, -2},
                 {"-2.51", -2, -3, -3, -2, -3},
                 {"7", 7, 7, 7, 7, 7},
                 {"0.000000000000000001", 0, 1, 0, 1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t m[6] = {0};
        for (int r = ROUND_DOWN; r <= ROUND_HALF_EVEN; r++) {
            ck_assert_int_eq(dec_mantissa(d(cases[i].from), 0, (enum rounding)r, &m[r]), OK);
        }
        ck_assert_int_eq(m[ROUND_DOWN], cases[i].down);
        ck_assert_int_eq(m[ROUND_UP], cases[i].up);
        ck_assert_int_eq(m[ROUND_FLOOR], cases[i].floor);
        ck_assert_int_eq(m[ROUND_CEILING], cases[i].ceiling);
        ck_assert_int_eq(m[ROUND_HALF_EVEN], cases[i].half_even);
    }
}
END_TEST

START_TEST(an_exact_rescale_refuses_to_lose_a_digit_and_writes_nothing)
{
    struct dec v = {.m = 7, .exp = 7};
    ck_assert_int_eq(dec_rescale(d("1.25"), -1, ROUND_EXACT, &v), E_INEXACT);
    expect_dec(v, 7, 7);
    ck_assert_int_eq(dec_rescale(d("1.25"), -4, ROUND_EXACT, &v), OK);
    expect_dec(v, 12500, -4);
    ck_assert_int_eq(dec_rescale((struct dec){12500, -4}, -2, ROUND_EXACT, &v), OK);
    expect_dec(v, 125, -2);
    ck_assert_int_eq(dec_rescale(d("9223372036854775807"), -1, ROUND_DOWN, &v), E_RANGE);
    ck_assert_int_eq(dec_rescale(d("1"), DEC_EXP_MIN - 1, ROUND_DOWN, &v), E_RANGE);
    ck_assert_int_eq(dec_rescale(d("1"), DEC_EXP_MAX + 1, ROUND_DOWN, &v), E_RANGE);
}
END_TEST

START_TEST(order_does_not_depend_on_exponents)
{
    ck_assert_int_eq(dec_cmp(d("1.5"), (struct dec){1500, -3}), 0);
    ck_assert_int_eq(dec_cmp((struct dec){0, 5}, (struct dec){0, -5}), 0);
    ck_assert_int_eq(dec_cmp(d("1E36"), d("-1E36")), 1);
    ck_assert_int_eq(dec_cmp((struct dec){INT64_MIN, 18}, (struct dec){INT64_MAX, -18}), -1);
    ck_assert_int_eq(dec_cmp((struct dec){1, 18}, (struct dec){INT64_MAX, -18}), 1);
    ck_assert_int_eq(dec_cmp((struct dec){-1, 18}, (struct dec){INT64_MIN, -18}), -1);
    ck_assert_int_eq(dec_cmp((struct dec){1, INT8_MAX}, (struct dec){1, INT8_MIN}), 1);
    ck_assert_int_eq(dec_cmp((struct dec){-1, INT8_MAX}, (struct dec){-1, INT8_MIN}), -1);
}
END_TEST

START_TEST(sums_and_products_are_exact_or_refused)
{
    struct dec v;
    ck_assert_int_eq(dec_add(d("0.1"), d("0.2"), &v), OK);
    expect_dec(v, 3, -1);
    ck_assert_int_eq(dec_sub(d("1E17"), d("0.1"), &v), OK);
    expect_dec(v, INT64_C(999999999999999999), -1);
    ck_assert_int_eq(dec_add(d("1E18"), d("1E-18"), &v), E_RANGE);
    ck_assert_int_eq(dec_add(d("9223372036854775807"), d("1"), &v), E_RANGE);
    ck_assert_int_eq(dec_sub((struct dec){INT64_MIN, 0}, (struct dec){INT64_MIN, 0}, &v), OK);
    expect_dec(v, 0, 0);
    ck_assert_int_eq(dec_mul(d("61837.63"), d("-0.00123"), &v), OK);
    ck_assert_str_eq(text_of(v), "-76.0602849");
    ck_assert_int_eq(dec_mul(d("5000000000"), d("4000000000"), &v), OK);
    expect_dec(v, 20, 18); /* the exponent goes no further */
}
END_TEST

START_TEST(a_quotient_is_cut_at_the_exponent_asked_for)
{
    struct dec v;
    ck_assert_int_eq(dec_div_at(d("2"), d("3"), -8, ROUND_HALF_EVEN, &v), OK);
    expect_dec(v, 66666667, -8);
    ck_assert_int_eq(dec_div_at(d("-2"), d("3"), -8, ROUND_FLOOR, &v), OK);
    expect_dec(v, -66666667, -8);
    ck_assert_int_eq(dec_div_at(d("1"), d("3"), -8, ROUND_EXACT, &v), E_INEXACT);
    ck_assert_int_eq(dec_div_at(d("1"), d("8"), -3, ROUND_EXACT, &v), OK);
    expect_dec(v, 125, -3);
    ck_assert_int_eq(dec_div_at(d("1"), d("0"), 0, ROUND_DOWN, &v), E_RANGE);
    ck_assert_int_eq(dec_div_at((struct dec){INT64_MIN, 0}, d("-1"), 0, ROUND_DOWN, &v), E_RANGE);
    ck_assert_int_eq(dec_mul_at(d("1380.5"), d("1.1"), 0, ROUND_UP, &v), OK);
    expect_dec(v, 1519, 0);
}
END_TEST

START_TEST(a_price_goes_to_its_tick_and_a_quantity_down_to_its_lot)
{
    struct dec v;
    ck_assert_int_eq(dec_to_step(d("61837.637"), d("0.01"), ROUND_CEILING, &v), OK);
    expect_dec(v, 6183764, -2);
    ck_assert_int_eq(dec_to_step(d("0.0129"), d("0.005"), ROUND_DOWN, &v), OK);
    ck_assert_str_eq(text_of(v), "0.01");
    ck_assert_int_eq(dec_to_step(d("87654321"), (struct dec){1000, 0}, ROUND_HALF_EVEN, &v), OK);
    expect_dec(v, 87654000, 0);
    ck_assert_int_eq(dec_to_step(d("7.5"), d("5"), ROUND_HALF_EVEN, &v), OK);
    expect_dec(v, 10, 0);
    ck_assert_int_eq(dec_to_step(d("0.015"), d("0.01"), ROUND_EXACT, &v), E_INEXACT);
    ck_assert_int_eq(dec_to_step(d("1"), d("0"), ROUND_DOWN, &v), E_RANGE);
    ck_assert_int_eq(dec_to_step(d("1"), d("-1"), ROUND_DOWN, &v), E_RANGE);
}
END_TEST

START_TEST(an_exponent_out_of_bounds_is_refused_by_arithmetic)
{
    struct dec v, outside = {1, 100};
    ck_assert_int_eq(dec_add(outside, d("1"), &v), E_RANGE);
    ck_assert_int_eq(dec_sub(d("1"), outside, &v), E_RANGE);
    ck_assert_int_eq(dec_mul(outside, d("1"), &v), E_RANGE);
    ck_assert_int_eq(dec_mul_at(outside, d("1"), 0, ROUND_DOWN, &v), E_RANGE);
    ck_assert_int_eq(dec_div_at(d("1"), outside, 0, ROUND_DOWN, &v), E_RANGE);
    ck_assert_int_eq(dec_to_step(d("1"), outside, ROUND_DOWN, &v), E_RANGE);
    ck_assert_int_eq(dec_rescale(outside, 0, ROUND_DOWN, &v), E_RANGE);
}
END_TEST

START_TEST(a_signal_sees_the_nearest_double)
{
    ck_assert_double_eq(dec_double(d("61837.63")), 61837.63);
    ck_assert_double_eq(dec_double(d("-0.00000275")), -0.00000275);
    ck_assert_double_eq(dec_double(d("1E18")), 1e18);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decimal");
    TCase *promises = tcase_create("promises");
    tcase_add_test(promises, every_form_of_a_json_number_reads_as_the_same_tight_decimal);
    tcase_add_test(promises, zero_is_one_thing_however_it_is_written);
    tcase_add_test(promises, text_that_is_no_json_number_is_refused_and_writes_nothing);
    tcase_add_test(promises, the_text_ends_where_its_length_says);
    tcase_add_test(promises, what_64_bits_or_the_exponents_cannot_hold_is_out_of_range);
    tcase_add_test(promises, zeros_around_the_digits_cost_no_range);
    tcase_add_test(promises, text_is_the_shortest_plain_form_and_reads_back_as_the_same_number);
    tcase_add_test(promises, an_exponent_out_of_bounds_is_still_written_within_the_field);
    tcase_add_test(promises, a_rounding_does_what_its_name_says_on_both_sides_of_zero);
    tcase_add_test(promises, an_exact_rescale_refuses_to_lose_a_digit_and_writes_nothing);
    tcase_add_test(promises, order_does_not_depend_on_exponents);
    tcase_add_test(promises, sums_and_products_are_exact_or_refused);
    tcase_add_test(promises, a_quotient_is_cut_at_the_exponent_asked_for);
    tcase_add_test(promises, a_price_goes_to_its_tick_and_a_quantity_down_to_its_lot);
    tcase_add_test(promises, an_exponent_out_of_bounds_is_refused_by_arithmetic);
    tcase_add_test(promises, a_signal_sees_the_nearest_double);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
