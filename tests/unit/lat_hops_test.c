/* The hops that the hand adds to a trace: of each order its own, and none that would not compare. */
#include <stdlib.h>

#include "lib/runtime/trace.h"
#include "tests/unit/exec_scene.h"

enum { BOOT = 42, TICK = 100, IN = 900 };

/* A decision on a tick of a boot, or (recv 0) on none. */
static struct message decided(uint64_t boot, int64_t recv)
{
    struct message m = decision(5, POLICY_COMPLETE);
    m.env.trace = (struct trace){.recv_mono = recv, .boot_id = boot};
    m.env.trace.hop[HOP_RISK_OUT] = 800;
    m.env.trace.hop[HOP_EXEC_IN] = IN;
    return m;
}

static void fill_at(int order, const char *qty, int64_t sent_mono_ns, int64_t mono_ns)
{
    struct order_report r = fill_of(&sent[order], qty);
    r.sent_mono_ns = sent_mono_ns;
    now.mono_ns = mono_ns;
    report(&r);
}

static const struct trace *trace_of(enum message_type type)
{
    return &last_of(type)->env.trace;
}

START_TEST(the_fill_and_the_events_of_an_order_tell_when_it_was_sent_and_answered)
{
    struct message m = decided(BOOT, TICK);
    decide(&m);
    ck_assert_int_eq(trace_of(MSG_ORDER)->hop[HOP_EXEC_OUT], 0); /* written before it is sent */
    ck_assert_int_eq(trace_of(MSG_ORDER)->hop[HOP_EXEC_IN], IN);
    fill_at(1, "0.4", 1100, 5000);
    ck_assert_int_eq(trace_of(MSG_FILL)->recv_mono, TICK);
    ck_assert_int_eq(trace_of(MSG_FILL)->hop[HOP_EXEC_IN], IN);
    ck_assert_int_eq(trace_of(MSG_FILL)->hop[HOP_EXEC_OUT], 1100);
    ck_assert_int_eq(trace_of(MSG_FILL)->hop[HOP_EXEC_FILL], 5000);
    ck_assert_int_eq(trace_of(MSG_ORDER)->hop[HOP_EXEC_OUT], 1100);
    fill_at(0, "1", 1000, 6000); /* not the other leg's */
    ck_assert_int_eq(trace_of(MSG_FILL)->hop[HOP_EXEC_OUT], 1000);
    fill_at(1, "0.6", 1100, 7000);
    ck_assert_int_eq(trace_of(MSG_FILL)->hop[HOP_EXEC_OUT], 1100);
    ck_assert_int_eq(trace_of(MSG_FILL)->hop[HOP_EXEC_FILL], 7000);
}
END_TEST

START_TEST(an_order_that_completes_a_basket_tells_its_own_sending)
{
    struct message m = decided(BOOT, TICK);
    decide(&m);
    fill_at(0, "1", 1000, 5000);
    fill_at(1, "0.4", 1100, 5000);
    done(1, "0.4");
    ck_assert_int_eq(n_sent, 3);
    ck_assert_uint_eq(sent[2].attempt, 1);
    ck_assert_int_eq(trace_of(MSG_ORDER)->recv_mono, TICK); /* the tick behind it is still the same */
    ck_assert_int_eq(trace_of(MSG_ORDER)->hop[HOP_EXEC_OUT], 0);
    fill_at(2, "0.6", 9000, 9500);
    ck_assert_int_eq(trace_of(MSG_FILL)->hop[HOP_EXEC_OUT], 9000);
    ck_assert_int_eq(trace_of(MSG_FILL)->hop[HOP_EXEC_FILL], 9500);
}
END_TEST

START_TEST(an_order_that_no_tick_caused_has_its_hops_all_the_same)
{
    struct message m = decided(BOOT, 0);
    decide(&m);
    fill_at(0, "1", 1000, 5000);
    ck_assert_int_eq(trace_of(MSG_FILL)->recv_mono, 0);
    ck_assert_int_eq(trace_of(MSG_FILL)->hop[HOP_EXEC_OUT], 1000);
    ck_assert_int_eq(trace_of(MSG_FILL)->hop[HOP_EXEC_FILL], 5000);
}
END_TEST

START_TEST(what_was_decided_in_another_boot_gets_no_stamps_of_this_one)
{
    struct message m = decided(BOOT + 1, TICK);
    decide(&m);
    fill_at(0, "1", 1000, 5000);
    ck_assert_uint_eq(trace_of(MSG_FILL)->boot_id, BOOT + 1);
    ck_assert_int_eq(trace_of(MSG_FILL)->recv_mono, TICK);
    ck_assert_int_eq(trace_of(MSG_FILL)->hop[HOP_EXEC_OUT], 0);
    ck_assert_int_eq(trace_of(MSG_FILL)->hop[HOP_EXEC_FILL], 0);
}
END_TEST

START_TEST(an_answer_after_a_restart_carries_the_trace_without_the_sending_that_nobody_remembers)
{
    struct message m = decided(BOOT, TICK);
    decide(&m);
    restart();
    fill_at(0, "1", 0, 8000);
    ck_assert_int_eq(trace_of(MSG_FILL)->recv_mono, TICK);
    ck_assert_int_eq(trace_of(MSG_FILL)->hop[HOP_EXEC_IN], IN);
    ck_assert_int_eq(trace_of(MSG_FILL)->hop[HOP_EXEC_OUT], 0);
    ck_assert_int_eq(trace_of(MSG_FILL)->hop[HOP_EXEC_FILL], 8000);
}
END_TEST

START_TEST(a_message_sent_after_the_wake_up_is_taken_when_it_is_read)
{
    struct trace t = {.recv_mono = TICK, .boot_id = BOOT};
    int64_t woke = clock_mono_ns();
    t.hop[HOP_FEED_OUT] = woke - 10;
    trace_taken(&t, HOP_STRATEGY_IN, BOOT, woke);
    ck_assert_int_eq(t.hop[HOP_STRATEGY_IN], woke);
    t.hop[HOP_FEED_OUT] = clock_mono_ns();
    trace_taken(&t, HOP_STRATEGY_IN, BOOT, woke - 1000);
    ck_assert_int_ge(t.hop[HOP_STRATEGY_IN], t.hop[HOP_FEED_OUT]);
    struct trace none = {0};
    trace_taken(&none, HOP_STRATEGY_IN, BOOT, woke);
    trace_stamp(&none, HOP_RISK_IN, BOOT, woke);
    ck_assert_int_eq(none.hop[HOP_STRATEGY_IN], 0); /* without a cause it stays so */
    ck_assert_int_eq(none.hop[HOP_RISK_IN], 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lat_hops");
    TCase *promises = tcase_create("promises");
    tcase_add_checked_fixture(promises, begin, end);
    tcase_add_test(promises, the_fill_and_the_events_of_an_order_tell_when_it_was_sent_and_answered);
    tcase_add_test(promises, an_order_that_completes_a_basket_tells_its_own_sending);
    tcase_add_test(promises, an_order_that_no_tick_caused_has_its_hops_all_the_same);
    tcase_add_test(promises, what_was_decided_in_another_boot_gets_no_stamps_of_this_one);
    tcase_add_test(promises,
                   an_answer_after_a_restart_carries_the_trace_without_the_sending_that_nobody_remembers);
    tcase_add_test(promises, a_message_sent_after_the_wake_up_is_taken_when_it_is_read);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
