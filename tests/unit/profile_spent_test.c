/* What a process says of its stages is read whole or not at all; differences add up to the time between. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"
#include "tools/profile_spent.h"

static struct reply made;

static void add(const char *name, int64_t value)
{
    struct metric *m = &made.metrics[made.n_metrics++];
    (void)snprintf(m->name, sizeof m->name, "%s", name);
    m->value = value;
}

/* An answer after so many ms: a tenth of it decodes, seven tenths wait, the rest is other. */
static void make(int64_t ms)
{
    memset(&made, 0, sizeof made);
    for (int i = 0; i < SPENT_FIGURES; i++)
        add(spent_figure_name((enum spent_figure)i), i == SPENT_WALL ? ms * 1000000 : ms * (i + 1));
    add("wait_calls", ms);
    add("wait_ns", ms * 700000);
    add("decode_calls", ms * 10);
    add("decode_ns", ms * 100000);
    add("other_calls", 0);
    add("other_ns", ms * 200000);
}

static struct spent at(int64_t ms)
{
    struct spent s;
    const char *missing = NULL;
    make(ms);
    ck_assert_int_eq(spent_read(&made, &s, &missing), OK);
    return s;
}

START_TEST(the_difference_of_two_answers_adds_up_to_the_time_between)
{
    struct spent before = at(1000), after = at(1500), d;
    ck_assert_int_eq(spent_since(&after, &before, &d), OK);
    ck_assert_int_eq(d.figure[SPENT_WALL], 500000000);
    ck_assert_int_eq(d.ns[STAGE_WAIT], 350000000);
    ck_assert_int_eq(d.ns[STAGE_DECODE], 50000000);
    ck_assert_int_eq(d.calls[STAGE_DECODE], 5000);
    ck_assert_int_eq(spent_remainder_ns(&d), 0);
    ck_assert_int_eq(spent_awake_ns(&d), 150000000);
    ck_assert_int_eq(d.figure[SPENT_WAKEUPS], 500 * (SPENT_WAKEUPS + 1));
    ck_assert_int_eq(d.figure[SPENT_P99], after.figure[SPENT_P99]);
    d.ns[STAGE_DECODE] -= 7;
    ck_assert_int_eq(spent_remainder_ns(&d), 7);
}
END_TEST

START_TEST(an_answer_that_lacks_a_figure_is_refused_and_the_figure_named)
{
    struct spent s;
    for (uint32_t i = 0; i < SPENT_FIGURES; i++) {
        const char *missing = "";
        make(10);
        (void)snprintf(made.metrics[i].name, sizeof made.metrics[i].name, "odd");
        ck_assert_int_eq(spent_read(&made, &s, &missing), E_ABSENT);
        ck_assert_str_eq(missing, spent_figure_name((enum spent_figure)i));
    }
    const char *missing = "";
    make(10);
    made.n_metrics--;
    ck_assert_int_eq(spent_read(&made, &s, &missing), E_ABSENT);
    ck_assert_str_eq(missing, "other_ns");
}
END_TEST

START_TEST(a_process_that_was_started_again_has_no_difference)
{
    struct spent before = at(1000), after = at(900), d;
    ck_assert_int_eq(spent_since(&after, &before, &d), E_STATE);
    ck_assert_int_eq(spent_since(&before, &before, &d), E_STATE);
    after = at(1100);
    after.calls[STAGE_DECODE] = 1;
    ck_assert_int_eq(spent_since(&after, &before, &d), E_STATE);
}
END_TEST

START_TEST(of_several_processes_times_and_sizes_are_added_and_quantiles_are_not)
{
    struct spent sum = {0}, one = at(100), other = at(300);
    spent_add(&sum, &one);
    spent_add(&sum, &other);
    ck_assert_int_eq(sum.figure[SPENT_WALL], 400000000);
    ck_assert_int_eq(sum.calls[STAGE_DECODE], 4000);
    ck_assert_int_eq(sum.figure[SPENT_RSS], one.figure[SPENT_RSS] + other.figure[SPENT_RSS]);
    ck_assert_int_eq(sum.figure[SPENT_MAX], other.figure[SPENT_MAX]);
    ck_assert_int_eq(spent_remainder_ns(&sum), 0);
}
END_TEST

START_TEST(probes_cost_what_one_costs_times_those_passed_sampled_or_not)
{
    struct spent s = {0};
    s.calls[STAGE_DECODE] = 1000000;
    s.calls[STAGE_WAIT] = 1000000; /* no probe */
    s.figure[SPENT_WAKEUPS] = 400;
    s.figure[SPENT_SAMPLED] = 100;
    s.figure[SPENT_PROBE_OFF] = 1000;
    s.figure[SPENT_PROBE_ON] = 21000;
    ck_assert_int_eq(spent_probes_ns(&s), 6000000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("profile_spent");
    TCase *all = tcase_create("all");
    tcase_add_test(all, the_difference_of_two_answers_adds_up_to_the_time_between);
    tcase_add_test(all, an_answer_that_lacks_a_figure_is_refused_and_the_figure_named);
    tcase_add_test(all, a_process_that_was_started_again_has_no_difference);
    tcase_add_test(all, of_several_processes_times_and_sizes_are_added_and_quantiles_are_not);
    tcase_add_test(all, probes_cost_what_one_costs_times_those_passed_sampled_or_not);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
