/* What perf prints becomes a tree whose times add up, whatever it is; viewers are given the same times. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/profile_stacks.h"

static struct stacks stacks;

static const char *name_of(const void *ctx, int pid)
{
    (void)ctx;
    return pid == 7 ? "feed" : pid == 8 ? "risk" : NULL;
}

static void read_text(const char *text)
{
    FILE *in = tmpfile();
    ck_assert_ptr_nonnull(in);
    ck_assert_int_ge(fputs(text, in), 0);
    rewind(in);
    stacks_read_perf(&stacks, in, 1000, name_of, NULL);
    stacks_sum(&stacks);
    (void)fclose(in);
}

static const struct frame *function(const char *name)
{
    for (int i = 0; i < stacks.n_frames; i++)
        if (stacks.frames[i].function && strcmp(stacks.frames[i].name, name) == 0)
            return &stacks.frames[i];
    ck_abort_msg("no function %s", name);
}

static void has(const char *name, int64_t own_ns, int64_t cumulative_ns)
{
    const struct frame *f = function(name);
    ck_assert_msg(f->own_ns == own_ns && f->cumulative_ns == cumulative_ns, "%s: own %lld, cumulative %lld",
                  name, (long long)f->own_ns, (long long)f->cumulative_ns);
}

static const char sample_text[] = "sluice-feed  7/7 \n"
                                  "\t    55d0 decode (/opt/bin/sluice-feed)\n"
                                  "\t    55d1 loop_run (/opt/bin/sluice-feed)\n"
                                  "\t    55d2 main (/opt/bin/sluice-feed)\n"
                                  "\n"
                                  "ZMQbg/IO/0  7/12 \n"
                                  "\tffffffff81 schedule ([kernel.kallsyms])\n"
                                  "\t    7f01 [unknown] (/usr/lib/libzmq.so.5)\n"
                                  "\n"
                                  "sluice-risk  8/8 \n"
                                  "\t    55d1 loop_run (/opt/bin/sluice-risk)\n"
                                  "\t    55d2 main (/opt/bin/sluice-risk)\n"
                                  "\n"
                                  "stranger  99/99 \n"
                                  "\t    55d1 loop_run (/opt/bin/stranger)\n"
                                  "\n";

START_TEST(own_and_cumulative_time_of_functions_over_processes)
{
    read_text(sample_text);
    ck_assert_int_eq(stacks.samples, 3);
    ck_assert_int_eq(stacks.broken, 0);
    ck_assert_int_eq(stacks_total_ns(&stacks), 3000);
    has("main", 0, 2000);
    has("loop_run", 1000, 2000);
    has("decode", 1000, 1000);
    has("schedule", 1000, 1000);
    has("[unknown] in libzmq.so.5", 0, 1000);
    int top[2];
    ck_assert_int_eq(stacks_top(&stacks, top, 2), 2);
    ck_assert_int_eq(stacks.frames[top[0]].cumulative_ns, 2000);
    ck_assert_int_eq(stacks.frames[top[1]].cumulative_ns, 2000);
}
END_TEST

START_TEST(a_function_that_calls_itself_counts_once)
{
    read_text("sluice-feed  7/7 \n\t1 walk (/x)\n\t2 walk (/x)\n\t3 step (/x)\n\t4 walk (/x)\n\n");
    has("walk", 1000, 1000);
    has("step", 0, 1000);
}
END_TEST

START_TEST(a_symbol_may_hold_blanks_and_parentheses)
{
    read_text("x  7/7 \n\t1 zmq::pipe_t::read(zmq::msg_t*) (/usr/lib/libzmq.so.5 (deleted))\n\t"
              "2 operator new(unsigned long) (/usr/lib/libstdc++.so)\n\n");
    has("operator new(unsigned long)", 0, 1000);
    has("zmq::pipe_t::read(zmq::msg_t*)", 1000, 1000);
}
END_TEST

START_TEST(what_cannot_be_read_is_counted_and_the_rest_is_kept)
{
    read_text("nonsense\n\n7/\n\t zz\nsluice-feed  7/7 \n\tgarbage\n\n");
    ck_assert_int_gt(stacks.broken, 0);
    stacks_close(&stacks);
    read_text("nonsense\n");
    read_text(sample_text);
    ck_assert_int_eq(stacks.broken, 1);
    has("decode", 1000, 1000);
    char deep[STACK_DEPTH_MAX * 40] = "sluice-feed  7/7 \n";
    for (int i = 0; i < STACK_DEPTH_MAX + 20; i++)
        (void)snprintf(deep + strlen(deep), 32, "\t%x f%d (/x)\n", i, i);
    read_text(deep);
    ck_assert_int_eq(stacks_total_ns(&stacks), 4000);
}
END_TEST

START_TEST(speedscope_has_every_sample_with_its_weight_under_its_process)
{
    char *text = NULL;
    size_t len = 0;
    read_text(sample_text);
    FILE *out = open_memstream(&text, &len);
    stacks_write_speedscope(&stacks, "a \"title\"", out);
    (void)fclose(out);
    ck_assert_ptr_nonnull(strstr(text, "\"name\":\"a \\\"title\\\"\""));
    ck_assert_ptr_nonnull(
        strstr(text, "\"name\":\"feed\",\"unit\":\"nanoseconds\",\"startValue\":0,\"endValue\":2000"));
    ck_assert_ptr_nonnull(
        strstr(text, "\"name\":\"risk\",\"unit\":\"nanoseconds\",\"startValue\":0,\"endValue\":1000"));
    ck_assert_ptr_nonnull(strstr(text, "\"samples\":[[0,1,2,3],[0,4,5,6]],\"weights\":[1000,1000]"));
    free(text);
}
END_TEST

static void empty(void)
{
    stacks_close(&stacks);
}

int main(void)
{
    Suite *suite = suite_create("profile_stacks");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, NULL, empty);
    tcase_add_test(all, own_and_cumulative_time_of_functions_over_processes);
    tcase_add_test(all, a_function_that_calls_itself_counts_once);
    tcase_add_test(all, a_symbol_may_hold_blanks_and_parentheses);
    tcase_add_test(all, what_cannot_be_read_is_counted_and_the_rest_is_kept);
    tcase_add_test(all, speedscope_has_every_sample_with_its_weight_under_its_process);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
