/* What histograms promise: quantiles to 1.6 %, never beyond what was recorded, the same however merged. */
#include "lib/base/histogram.h"

#include <check.h>
#include <stdlib.h>

#include "lib/base/rng.h"

enum { VALUES = 20000 };

static struct histogram h, other, both;

static void begin(void)
{
    histogram_reset(&h);
    histogram_reset(&other);
    histogram_reset(&both);
}

static void end(void)
{
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

START_TEST(an_empty_one_answers_zero)
{
    ck_assert_int_eq(histogram_quantile(&h, 0.5), 0);
    ck_assert_double_eq(histogram_mean(&h), 0);
}
END_TEST

START_TEST(small_values_are_exact)
{
    for (int v = 0; v < 128; v++) {
        histogram_record(&h, v);
    }
    for (int v = 0; v < 128; v++) {
        ck_assert_int_eq(histogram_quantile(&h, (v + 1) / 128.0), v);
    }
    ck_assert_int_eq(histogram_quantile(&h, 0), 0);
    ck_assert_double_eq(histogram_mean(&h), 63.5);
}
END_TEST

START_TEST(a_rank_is_not_moved_by_the_binary_form_of_q)
{
    for (int v = 1; v <= 100; v++) {
        histogram_record(&h, v);
    }
    for (int percent = 1; percent <= 100; percent++) {
        ck_assert_int_eq(histogram_quantile(&h, percent / 100.0), percent);
    }
}
END_TEST

START_TEST(every_quantile_is_within_a_64th_above_the_true_one)
{
    static int64_t values[VALUES];
    struct rng rng;
    rng_seed(&rng, 7);
    for (int i = 0; i < VALUES; i++) {
        values[i] = (int64_t)(rng_u64(&rng) >> (2 + rng_below(&rng, 61)));
        histogram_record(&h, values[i]);
    }
    qsort(values, VALUES, sizeof *values, by_value);
    for (int rank = 1; rank <= VALUES; rank++) {
        int64_t truth = values[rank - 1];
        int64_t told = histogram_quantile(&h, (double)rank / VALUES);
        ck_assert_int_ge(told, truth);
        ck_assert_int_le(told - truth, truth / 64);
    }
    ck_assert_int_eq(histogram_quantile(&h, 1), values[VALUES - 1]);
    ck_assert_int_eq(h.min, values[0]);
}
END_TEST

START_TEST(the_largest_values_have_a_bucket)
{
    histogram_record(&h, INT64_C(1) << 62);
    histogram_record(&h, INT64_MAX);
    ck_assert_int_eq(histogram_quantile(&h, 1), INT64_MAX);
    ck_assert_int_ge(histogram_quantile(&h, 0.5), INT64_C(1) << 62);
    ck_assert_int_lt(histogram_quantile(&h, 0.5), (INT64_C(1) << 62) + (INT64_C(1) << 56));
}
END_TEST

START_TEST(a_negative_value_is_counted_and_recorded_as_zero)
{
    histogram_record(&h, -5);
    histogram_record(&h, 10);
    ck_assert_uint_eq(h.negative, 1);
    ck_assert_uint_eq(h.count, 2);
    ck_assert_int_eq(h.min, 0);
    ck_assert_int_eq(histogram_quantile(&h, 0.5), 0);
    ck_assert_double_eq(histogram_mean(&h), 5);
}
END_TEST

START_TEST(merged_is_as_if_recorded_in_one)
{
    struct rng rng;
    rng_seed(&rng, 11);
    for (int i = 0; i < VALUES; i++) {
        int64_t v = (int64_t)rng_below(&rng, 1000000) - 10;
        histogram_record(i % 3 == 0 ? &h : &other, v);
        histogram_record(&both, v);
    }
    histogram_merge(&h, &other);
    ck_assert_mem_eq(h.bucket, both.bucket, sizeof h.bucket);
    ck_assert_uint_eq(h.count, both.count);
    ck_assert_uint_eq(h.negative, both.negative);
    ck_assert_int_eq(h.min, both.min);
    ck_assert_int_eq(h.max, both.max);
    ck_assert_double_eq(h.sum, both.sum);
}
END_TEST

START_TEST(an_empty_one_merged_changes_nothing)
{
    histogram_record(&h, 500);
    histogram_merge(&h, &other);
    ck_assert_int_eq(h.min, 500);
    histogram_merge(&other, &h);
    ck_assert_int_eq(other.min, 500);
    ck_assert_int_eq(histogram_quantile(&other, 0.5), 500);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("histogram");
    TCase *promises = tcase_create("promises");
    tcase_add_checked_fixture(promises, begin, end);
    tcase_add_test(promises, an_empty_one_answers_zero);
    tcase_add_test(promises, small_values_are_exact);
    tcase_add_test(promises, a_rank_is_not_moved_by_the_binary_form_of_q);
    tcase_add_test(promises, every_quantile_is_within_a_64th_above_the_true_one);
    tcase_add_test(promises, the_largest_values_have_a_bucket);
    tcase_add_test(promises, a_negative_value_is_counted_and_recorded_as_zero);
    tcase_add_test(promises, merged_is_as_if_recorded_in_one);
    tcase_add_test(promises, an_empty_one_merged_changes_nothing);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
