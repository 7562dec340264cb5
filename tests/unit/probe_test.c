/* What the probes promise: every tick of a sampled wake-up goes to the stage it was spent in, and what is told adds up to
 * the whole. The clock is the test's; one tick is a nanosecond. */
#include "lib/runtime/probe.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static int64_t at;
static struct reply told;

static int64_t clock_of_test(void)
{
    return at;
}

static void begin(void)
{
    at = 1000;
    probe_use_clock(clock_of_test);
    probe_open(at);
}

static int64_t figure(const char *name)
{
    for (uint32_t i = 0; i < told.n_metrics; i++)
        if (strcmp(told.metrics[i].name, name) == 0)
            return told.metrics[i].value;
    return -1;
}

static void ask(void)
{
    memset(&told, 0, sizeof told);
    probe_report(&told, at);
}

static int64_t sum_of_stages(void)
{
    int64_t sum = 0;
    for (int i = 0; i < STAGES; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "%s_ns", stage_name((enum stage)i));
        sum += figure(name) > 0 ? figure(name) : 0;
    }
    return sum;
}

/* 60 of waiting, 10 of decoding, 20 of the strategy of which 5 are sending, 10 of what no probe is around. */
static void wake_up(void)
{
    int64_t from = at;
    at += 60;
    probe_begin_wakeup(from, at);
    enum stage before = probe_stage(STAGE_DECODE);
    at += 10;
    probe_back(before);
    at += 10;
    before = probe_stage(STAGE_STRATEGY);
    at += 7;
    enum stage outer = probe_stage(STAGE_TRANSPORT);
    at += 5;
    probe_back(outer);
    at += 8;
    probe_back(before);
    probe_end_wakeup(at);
}

START_TEST(samples_stand_for_all_wake_ups_and_the_inner_stage_takes_its_time_from_the_outer)
{
    enum { WAKEUPS = 100000 };
    for (int i = 0; i < WAKEUPS; i++)
        wake_up();
    ask();
    ck_assert_int_eq(figure("wall_ns"), INT64_C(100) * WAKEUPS);
    ck_assert_int_eq(figure("wait_ns"), INT64_C(60) * WAKEUPS);
    ck_assert_int_eq(figure("decode_ns"), INT64_C(10) * WAKEUPS);
    ck_assert_int_eq(figure("strategy_ns"), INT64_C(15) * WAKEUPS);
    ck_assert_int_eq(figure("transport_ns"), INT64_C(5) * WAKEUPS);
    ck_assert_int_eq(figure("other_ns"), INT64_C(10) * WAKEUPS);
    ck_assert_int_eq(figure("decode_calls"), WAKEUPS);
    ck_assert_int_eq(figure("wakeups"), WAKEUPS);
    ck_assert_int_eq(figure("iteration_max_ns"), 40);
}
END_TEST

START_TEST(about_one_wake_up_in_as_many_is_sampled_and_none_in_step_with_what_comes_every_so_often)
{
    enum { WAKEUPS = 320000, PERIOD = 32 };
    for (int i = 0; i < WAKEUPS; i++) {
        int64_t from = at;
        probe_begin_wakeup(from, at);
        enum stage before = probe_stage(i % PERIOD == 0 ? STAGE_RISK : STAGE_BOOK);
        at += 100;
        probe_back(before);
        probe_end_wakeup(at);
    }
    ask();
    ck_assert_int_ge(figure("wakeups_sampled"), WAKEUPS / PROBE_EVERY * 95 / 100);
    ck_assert_int_le(figure("wakeups_sampled"), WAKEUPS / PROBE_EVERY * 105 / 100);
    const int64_t true_ns = INT64_C(100) * WAKEUPS / PERIOD;
    ck_assert_int_ge(figure("risk_ns"), true_ns * 75 / 100);
    ck_assert_int_le(figure("risk_ns"), true_ns * 125 / 100);
}
END_TEST

START_TEST(what_is_long_is_measured_though_no_sample_meets_it_and_what_is_inside_it_is_not_its_own)
{
    probe_begin_wakeup(at, at);
    struct probe_long outer = probe_long(STAGE_DATABASE);
    at += 100;
    struct probe_long inner = probe_long(STAGE_LOG);
    at += 30;
    probe_long_end(inner);
    enum stage before = probe_stage(STAGE_ENCODE); /* is not told apart in there */
    at += 20;
    probe_back(before);
    probe_long_end(outer);
    probe_end_wakeup(at);
    ask();
    ck_assert_int_eq(figure("database_ns"), 120);
    ck_assert_int_eq(figure("log_ns"), 30);
    ck_assert_int_eq(figure("encode_calls"), 1);
    ck_assert_int_eq(sum_of_stages(), figure("wall_ns"));
}
END_TEST

START_TEST(in_a_sampled_wake_up_too_what_is_long_counts_once)
{
    for (int i = 0; i < 1000; i++) {
        probe_begin_wakeup(at, at);
        enum stage before = probe_stage(STAGE_STRATEGY);
        at += 10;
        struct probe_long disk = probe_long(STAGE_JOURNAL);
        at += 50;
        probe_long_end(disk);
        at += 10;
        probe_back(before);
        probe_end_wakeup(at);
    }
    ask();
    ck_assert_int_eq(figure("journal_ns"), 50 * 1000);
    ck_assert_int_eq(figure("strategy_ns"), 20 * 1000);
    ck_assert_int_eq(sum_of_stages(), figure("wall_ns"));
}
END_TEST

START_TEST(asked_in_the_midst_of_a_wake_up_after_a_long_start_it_adds_up_all_the_same)
{
    struct probe_long disk = probe_long(STAGE_JOURNAL); /* before the loop: a start reads much */
    at += 50000;
    probe_long_end(disk);
    for (int i = 0; i < 500; i++)
        wake_up();
    probe_begin_wakeup(at, at + 60);
    at += 60;
    enum stage before = probe_stage(STAGE_RISK);
    at += 400;
    ask();
    probe_back(before);
    ck_assert_int_eq(figure("wall_ns"), 50000 + 500 * 100 + 460);
    ck_assert_int_eq(sum_of_stages(), figure("wall_ns"));
    ck_assert_int_eq(figure("journal_ns"), 50000);
    ck_assert_int_ge(figure("strategy_ns"), 500 * 15 * 9 / 10); /* the start takes nothing from the samples */
}
END_TEST

START_TEST(before_the_first_sample_all_that_is_no_wait_is_other)
{
    ask();
    ck_assert_int_eq(figure("wall_ns"), 0);
    at += 70;
    ask();
    ck_assert_int_eq(figure("other_ns"), 70);
    ck_assert_int_eq(sum_of_stages(), 70);
}
END_TEST

START_TEST(the_probe_tells_its_own_cost_and_the_process_its_memory_and_time)
{
    probe_use_clock(NULL);
    probe_open(0);
    probe.messages_in = 3;
    ask();
    ck_assert_int_gt(figure("probe_off_ps"), 0);
    ck_assert_int_gt(figure("probe_on_ps"), figure("probe_off_ps"));
    ck_assert_int_eq(figure("log_calls"), -1); /* measuring that left nothing behind */
    ck_assert_int_gt(figure("rss_bytes"), 100000);
    ck_assert_int_gt(figure("rss_start_bytes"), 100000);
    ck_assert_int_gt(figure("cpu_ns"), 0);
    ck_assert_int_gt(figure("cpu_main_ns"), 0);
    ck_assert_int_eq(figure("messages_in"), 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("probe");
    TCase *promises = tcase_create("promises");
    tcase_add_checked_fixture(promises, begin, NULL);
    tcase_add_test(promises,
                   samples_stand_for_all_wake_ups_and_the_inner_stage_takes_its_time_from_the_outer);
    tcase_add_test(promises,
                   about_one_wake_up_in_as_many_is_sampled_and_none_in_step_with_what_comes_every_so_often);
    tcase_add_test(promises,
                   what_is_long_is_measured_though_no_sample_meets_it_and_what_is_inside_it_is_not_its_own);
    tcase_add_test(promises, in_a_sampled_wake_up_too_what_is_long_counts_once);
    tcase_add_test(promises, asked_in_the_midst_of_a_wake_up_after_a_long_start_it_adds_up_all_the_same);
    tcase_add_test(promises, before_the_first_sample_all_that_is_no_wait_is_other);
    tcase_add_test(promises, the_probe_tells_its_own_cost_and_the_process_its_memory_and_time);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
