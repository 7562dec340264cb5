/* What a budget promises: never more than its limit in any window, wherever the window lies. */
#include "services/feed/budget.h"

#include <check.h>
#include <stdlib.h>

#include "lib/base/rng.h"

enum { EVENTS = 20000 };

START_TEST(no_window_has_more_than_the_limit)
{
    struct rng rng;
    struct budget b;
    static int64_t at[EVENTS];
    uint32_t n = 0;
    int64_t now = 0, window = 1000003;
    rng_seed(&rng, (uint64_t)_i);
    budget_open(&b, 7, window);
    for (int i = 0; i < 200000 && n < EVENTS; i++) {
        now += (int64_t)rng_below(&rng, 1 + (uint64_t)window / 5);
        if (budget_take(&b, 1, now))
            at[n++] = now;
    }
    ck_assert_uint_gt(n, 1000);
    for (uint32_t i = 7; i < n; i++)
        ck_assert_int_gt(at[i] - at[i - 7], window - 1);
}
END_TEST

START_TEST(what_is_taken_comes_back_after_the_window)
{
    struct budget b;
    budget_open(&b, 3, 1600);
    for (int i = 0; i < 3; i++)
        ck_assert(budget_take(&b, 1, 5000));
    ck_assert(!budget_take(&b, 1, 5000));
    ck_assert(!budget_take(&b, 1, 6599));
    ck_assert_uint_eq(budget_used(&b, 6599), 3);
    ck_assert(budget_take(&b, 1, 5000 + 1600 * 17 / 16 + 101));
}
END_TEST

START_TEST(weights_count_and_one_above_the_limit_takes_all)
{
    struct budget b;
    budget_open(&b, 100, 1600);
    ck_assert(budget_take(&b, 60, 0));
    ck_assert(!budget_has(&b, 50, 0));
    ck_assert(budget_take(&b, 40, 0));
    ck_assert(budget_take(&b, 250, 1000000));
    ck_assert(!budget_has(&b, 1, 1000000));
}
END_TEST

START_TEST(without_a_limit_everything_may_be_taken)
{
    struct budget b;
    budget_open(&b, 0, 1600);
    for (int i = 0; i < 1000; i++)
        ck_assert(budget_take(&b, 5, 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("budget");
    TCase *tests = tcase_create("promises");
    tcase_add_loop_test(tests, no_window_has_more_than_the_limit, 0, 20);
    tcase_add_test(tests, what_is_taken_comes_back_after_the_window);
    tcase_add_test(tests, weights_count_and_one_above_the_limit_takes_all);
    tcase_add_test(tests, without_a_limit_everything_may_be_taken);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
