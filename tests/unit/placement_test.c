/* What placement promises: lists are read as they are written or refused, the least busy processor is found among those
 * that may be used, and a process that is placed is where it was told. */
#include "lib/runtime/placement.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "lib/runtime/log.h"

static const char *written(const char *list)
{
    static char out[64];
    cpu_set_t cpus;
    if (!cpu_list_read(list, &cpus))
        return "refused";
    cpu_list_write(&cpus, out, sizeof out);
    return out;
}

START_TEST(a_list_of_processors_is_read_with_its_ranges)
{
    ck_assert_str_eq(written("0"), "0");
    ck_assert_str_eq(written("3,0-1"), "0-1,3");
    ck_assert_str_eq(written("4-4,6"), "4,6");
}
END_TEST

START_TEST(what_is_no_list_is_refused)
{
    static const char *const bad[] = {
        "", ",", "0,", "1-", "-1", "2-1", "a", "0 1", "0;1", "99999", "0-99999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(strcmp(written(bad[i]), "refused") == 0, "'%s' was read", bad[i]);
}
END_TEST

static const char before[] = "cpu  9 9 9 9 9 9 9 9 0 0\n"
                             "cpu0 100 0 100 5000 0 0 0 0 0 0\n"
                             "cpu1 100 0 100 5000 0 0 0 0 0 0\n"
                             "cpu10 7 0 7 5000 0 0 0 0 0 0\n"
                             "intr 1 2 3\n";

static int least(const char *after, const char *allowed, uint64_t draw)
{
    cpu_set_t cpus;
    ck_assert(cpu_list_read(allowed, &cpus));
    return cpu_least_busy(before, after, &cpus, draw);
}

START_TEST(the_least_busy_is_one_that_may_be_used)
{
    static const char after[] = "cpu  9 9 9 9 9 9 9 9 0 0\n"
                                "cpu0 100 0 109 5001 0 0 0 0 0 0\n"
                                "cpu1 100 0 103 5007 0 0 0 0 0 0\n"
                                "cpu10 7 0 7 5010 0 0 0 0 0 0\n";
    ck_assert_int_eq(least(after, "0-1", 0), 1);
    ck_assert_int_eq(least(after, "0-1", 1), 1);
    ck_assert_int_eq(least(after, "0-10", 0), 10);
    ck_assert_int_eq(least(after, "0", 5), 0);
    ck_assert_int_eq(least(after, "5", 5), -1);
    ck_assert_int_eq(least("", "0-1", 5), -1);
}
END_TEST

START_TEST(among_those_that_are_about_equal_the_draw_decides)
{
    static const char after[] = "cpu  9 9 9 9 9 9 9 9 0 0\n"
                                "cpu0 100 0 101 5001 0 0 0 0 0 0\n"
                                "cpu1 101 0 101 5007 0 0 0 0 0 0\n"
                                "cpu10 7 0 57 5010 0 0 0 0 0 0\n";
    ck_assert_int_eq(least(after, "0-10", 0), 0);
    ck_assert_int_eq(least(after, "0-10", 1), 1);
    ck_assert_int_eq(least(after, "0-10", 2), 0);
}
END_TEST

/* ---- a process ---------------------------------------------------------------------------------------- */

static struct config config;
static char scratch[64];

static void begin(void)
{
    (void)snprintf(scratch, sizeof scratch, "/tmp/placement-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(scratch));
    ck_assert_int_eq(chmod(scratch, 0777), 0);
    ck_assert_int_eq(chdir(scratch), 0);
    ck_assert_int_eq(log_open("test", "log", "info", "text"), OK);
    config_defaults(&config);
}

static void end(void)
{
    log_close();
    (void)unlink("log");
    (void)unlink("placement");
    ck_assert_int_eq(chdir("/"), 0);
    (void)rmdir(scratch); /* not by who has given up the right to */
}

static int own_cpus(cpu_set_t *out)
{
    ck_assert_int_eq(sched_getaffinity(0, sizeof *out, out), 0);
    return CPU_COUNT(out);
}

static void place(const char *service)
{
    struct loop *loop = loop_new();
    void *zmq = zmq_ctx_new();
    placement_apply(&config, service, "20260101-000000-abcd", loop, zmq);
    (void)zmq_ctx_term(zmq);
    loop_destroy(&loop);
}

static bool log_has(const char *words)
{
    char text[4096];
    log_flush();
    FILE *f = fopen("log", "r");
    ck_assert_ptr_nonnull(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    (void)fclose(f);
    return strstr(text, words);
}

START_TEST(in_mode_manual_a_process_is_where_its_list_says_and_one_without_a_list_anywhere)
{
    cpu_set_t all, now;
    int n = own_cpus(&all), first = 0;
    while (!CPU_ISSET(first, &all))
        first++;
    (void)strcpy(config.placement.mode, "manual");
    place("risk");
    ck_assert_int_eq(own_cpus(&now), n);
    (void)snprintf(config.placement.risk, sizeof config.placement.risk, "%d", first);
    place("risk");
    ck_assert_int_eq(own_cpus(&now), 1);
    ck_assert(CPU_ISSET(first, &now));
}
END_TEST

START_TEST(a_list_that_is_none_or_names_no_processor_of_ours_is_said_and_changes_nothing)
{
    cpu_set_t now;
    int n = own_cpus(&now);
    (void)strcpy(config.placement.mode, "manual");
    (void)strcpy(config.placement.exec, "zero");
    place("exec");
    ck_assert(log_has("placement.exec"));
    ck_assert(log_has("value=zero"));
    (void)strcpy(config.placement.feed, "1023");
    (void)strcpy(config.placement.io_threads, "1023");
    (void)log_open("test", "log", "info", "text"); /* or the second of the same kind were counted only */
    place("feed");
    ck_assert(log_has("placement.feed"));
    ck_assert(log_has("placement.io_threads"));
    ck_assert_int_eq(own_cpus(&now), n);
}
END_TEST

START_TEST(in_mode_none_nothing_is_placed)
{
    cpu_set_t now;
    int n = own_cpus(&now);
    (void)strcpy(config.placement.mode, "none");
    (void)strcpy(config.placement.feed, "0");
    placement_choose(&config);
    ck_assert_int_ne(access("placement", F_OK), 0);
    place("feed");
    ck_assert_int_eq(own_cpus(&now), n);
}
END_TEST

START_TEST(in_mode_auto_what_is_between_tick_and_order_shares_the_processor_that_was_chosen)
{
    cpu_set_t all, chosen, now;
    if (own_cpus(&all) < 2)
        return;
    placement_choose(&config);
    ck_assert_int_eq(access("placement", F_OK), 0);
    place("recorder");
    ck_assert_int_eq(own_cpus(&now), CPU_COUNT(&all));
    place("feed");
    ck_assert_int_eq(own_cpus(&chosen), 1);
    ck_assert_int_eq(sched_setaffinity(0, sizeof all, &all), 0);
    place("exec");
    ck_assert_int_eq(own_cpus(&now), 1);
    ck_assert(CPU_EQUAL(&now, &chosen));
    ck_assert_int_eq(sched_setaffinity(0, sizeof all, &all), 0);
    ck_assert_int_eq(unlink("placement"), 0); /* none was chosen: the run's id does, for all alike */
    place("risk");
    ck_assert_int_eq(own_cpus(&chosen), 1);
    ck_assert_int_eq(sched_setaffinity(0, sizeof all, &all), 0);
    place("strategy");
    ck_assert(own_cpus(&now) == 1 && CPU_EQUAL(&now, &chosen));
}
END_TEST

START_TEST(in_mode_auto_a_replay_at_full_speed_and_several_workers_have_all_processors)
{
    cpu_set_t now;
    int n = own_cpus(&now);
    (void)strcpy(config.feed.speed, "max");
    placement_choose(&config);
    ck_assert_int_ne(access("placement", F_OK), 0);
    place("feed");
    ck_assert_int_eq(own_cpus(&now), n);
    (void)strcpy(config.feed.speed, "1");
    config.strategy.workers = 2;
    placement_choose(&config);
    place("feed");
    ck_assert_int_eq(own_cpus(&now), n);
}
END_TEST

START_TEST(what_is_not_allowed_is_said_and_the_process_goes_on)
{
    config.placement.fifo_priority = 10;
    config.placement.spin_us = 50;
    config.placement.hold_awake = true;
    if (getuid() == 0)
        ck_assert_int_eq(setuid(65534), 0);
    place("feed");
    ck_assert(log_has("not-fifo"));
    ck_assert(log_has("not-held-awake"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("placement");
    TCase *choice = tcase_create("choice");
    tcase_add_test(choice, a_list_of_processors_is_read_with_its_ranges);
    tcase_add_test(choice, what_is_no_list_is_refused);
    tcase_add_test(choice, the_least_busy_is_one_that_may_be_used);
    tcase_add_test(choice, among_those_that_are_about_equal_the_draw_decides);
    suite_add_tcase(suite, choice);
    TCase *process = tcase_create("process");
    tcase_add_checked_fixture(process, begin, end);
    tcase_add_test(process, in_mode_manual_a_process_is_where_its_list_says_and_one_without_a_list_anywhere);
    tcase_add_test(process, a_list_that_is_none_or_names_no_processor_of_ours_is_said_and_changes_nothing);
    tcase_add_test(process, in_mode_none_nothing_is_placed);
    tcase_add_test(process, in_mode_auto_what_is_between_tick_and_order_shares_the_processor_that_was_chosen);
    tcase_add_test(process, in_mode_auto_a_replay_at_full_speed_and_several_workers_have_all_processors);
    tcase_add_test(process, what_is_not_allowed_is_said_and_the_process_goes_on);
    suite_add_tcase(suite, process);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
