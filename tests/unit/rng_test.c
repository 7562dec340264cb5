/* What the generator promises: the published sequence from a seed, and even draws. */
#include "lib/base/rng.h"

#include <check.h>
#include <stdlib.h>

START_TEST(a_seed_is_expanded_as_splitmix64_does)
{
    struct rng rng;
    rng_seed(&rng, 0);
    ck_assert_uint_eq(rng.s[0], 0xe220a8397b1dcdafu);
    ck_assert_uint_eq(rng.s[1], 0x6e789e6aa1b965f4u);
    ck_assert_uint_eq(rng.s[2], 0x06c45d188009454fu);
    ck_assert_uint_eq(rng.s[3], 0xf88bb8a8724c81ecu);
}
END_TEST

START_TEST(the_sequence_is_that_of_xoshiro256starstar)
{
    struct rng rng = {{1, 2, 3, 4}};
    static const uint64_t published[] = {11520u, 0u, 1509978240u, 1215971899390074240u};
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(rng_u64(&rng), published[i]);
    }
}
END_TEST

START_TEST(equal_seeds_give_equal_sequences_and_others_do_not)
{
    struct rng a, b, c;
    rng_seed(&a, 42);
    rng_seed(&b, 42);
    rng_seed(&c, 43);
    int equal = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t x = rng_u64(&a);
        ck_assert_uint_eq(x, rng_u64(&b));
        equal += x == rng_u64(&c);
    }
    ck_assert_int_eq(equal, 0);
}
END_TEST

START_TEST(draws_below_n_stay_below_it_and_are_even)
{
    struct rng rng;
    uint64_t counts[6] = {0};
    rng_seed(&rng, 1);
    for (int i = 0; i < 60000; i++) {
        uint64_t x = rng_below(&rng, 6);
        ck_assert_uint_lt(x, 6);
        counts[x]++;
    }
    for (int i = 0; i < 6; i++) {
        ck_assert_uint_gt(counts[i], 9600);
        ck_assert_uint_lt(counts[i], 10400);
    }
    ck_assert_uint_eq(rng_below(&rng, 1), 0);
}
END_TEST

START_TEST(draws_are_unbiased_where_a_plain_product_would_favour_every_third_number)
{
    struct rng rng;
    const uint64_t n = UINT64_C(3) << 62; /* three quarters of 2^64 */
    int thirds = 0;
    rng_seed(&rng, 5);
    for (int i = 0; i < 30000; i++) {
        thirds += rng_below(&rng, n) % 3 == 0;
    }
    ck_assert_int_gt(thirds, 9500);
    ck_assert_int_lt(thirds, 10500);
}
END_TEST

START_TEST(units_fill_zero_to_one)
{
    struct rng rng;
    double sum = 0, largest = 0, smallest = 1;
    rng_seed(&rng, 9);
    for (int i = 0; i < 100000; i++) {
        double x = rng_unit(&rng);
        ck_assert(x >= 0 && x < 1);
        sum += x;
        largest = x > largest ? x : largest;
        smallest = x < smallest ? x : smallest;
    }
    ck_assert_double_eq_tol(sum / 100000, 0.5, 0.005);
    ck_assert(largest > 0.999 && smallest < 0.001);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rng");
    TCase *promises = tcase_create("promises");
    tcase_add_test(promises, a_seed_is_expanded_as_splitmix64_does);
    tcase_add_test(promises, the_sequence_is_that_of_xoshiro256starstar);
    tcase_add_test(promises, equal_seeds_give_equal_sequences_and_others_do_not);
    tcase_add_test(promises, draws_below_n_stay_below_it_and_are_even);
    tcase_add_test(promises, draws_are_unbiased_where_a_plain_product_would_favour_every_third_number);
    tcase_add_test(promises, units_fill_zero_to_one);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
