/* Medians, slopes and their intervals. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "lib/base/rng.h"
#include "lib/base/statistics.h"

START_TEST(a_median_stands_between_its_own_ranks)
{
    double values[15];
    for (int i = 0; i < 15; i++)
        values[i] = 15 - i;
    struct interval got = median_of(values, 15);
    ck_assert_double_eq(got.middle, 8);
    ck_assert_double_eq(got.low, 4); /* ranks 4 and 12: 96.5 %, the narrowest that is above 95 % */
    ck_assert_double_eq(got.high, 12);
    double few[] = {3, 1, 2};
    got = median_of(few, 3);
    ck_assert_double_eq(got.low, 1);
    ck_assert_double_eq(got.middle, 2);
    ck_assert_double_eq(got.high, 3);
}
END_TEST

START_TEST(a_quantile_lies_between_its_neighbours)
{
    double values[] = {40, 10, 30, 20};
    ck_assert_double_eq(quantile_of(values, 4, 0), 10);
    ck_assert_double_eq(quantile_of(values, 4, 0.5), 25);
    ck_assert_double_eq(quantile_of(values, 4, 1), 40);
}
END_TEST

/* Of a walk whose neighbours resemble each other, too. */
static int held(double resemblance, double slope)
{
    enum { WALKS = 200, STEPS = 1200 };
    static double x[STEPS], y[STEPS];
    struct rng rng;
    rng_seed(&rng, 7);
    int within = 0;
    for (int w = 0; w < WALKS; w++) {
        double carried = 0;
        for (int i = 0; i < STEPS; i++) {
            carried = resemblance * carried + rng_unit(&rng) + rng_unit(&rng) - 1;
            x[i] = i;
            y[i] = 5 + slope * i + carried;
        }
        struct interval got = slope_of(x, y, STEPS, 12);
        within += got.low <= slope && slope <= got.high;
    }
    return within;
}

START_TEST(the_interval_of_a_slope_holds_it_nineteen_times_in_twenty)
{
    ck_assert_int_ge(held(0, 0.01), 180);
    ck_assert_int_lt(held(0, 0.01), 200);
    ck_assert_int_ge(held(0.95, 0), 180);
}
END_TEST

START_TEST(too_few_values_say_nothing_of_a_slope)
{
    double x[] = {1, 2}, y[] = {1, 2};
    ck_assert(isinf(slope_of(x, y, 2, 3).high));
    double same[] = {1, 1, 1, 1};
    ck_assert(isinf(slope_of(same, same, 4, 3).low));
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("statistics");
    tcase_add_test(cases, a_median_stands_between_its_own_ranks);
    tcase_add_test(cases, a_quantile_lies_between_its_neighbours);
    tcase_add_test(cases, the_interval_of_a_slope_holds_it_nineteen_times_in_twenty);
    tcase_add_test(cases, too_few_values_say_nothing_of_a_slope);
    Suite *suite = suite_create("statistics");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
