/* What the loop promises: sources in order, then timers, then the tail; no wake-up that nobody asked for, and
 * none lost. */
#include "lib/runtime/loop.h"

#include <check.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include "lib/runtime/sockets.h"

enum { SOURCES = 3 };

static struct loop *loop;
static int ready[SOURCES];   /* eventfds */
static int drained[SOURCES]; /* how often each was */
static bool full[SOURCES];   /* takes as many messages as it may */
static char did[64];         /* in order: sources by number, 't' a timer, '.' the tail */
static int tails_wanted;
static int64_t began_ns, ended_ns;

static void note(char letter)
{
    size_t n = strlen(did);
    if (n + 1 < sizeof did) {
        did[n] = letter;
        did[n + 1] = '\0';
    }
}

static void wake(int source)
{
    ck_assert_int_eq(eventfd_write(ready[source], 1), 0);
}

static int drain(void *ctx, struct now now, int bound)
{
    int i = (int)((int *)ctx - ready);
    eventfd_t value;
    ck_assert_int_gt(now.mono_ns, 0);
    ck_assert_int_gt(bound, 0);
    (void)eventfd_read(ready[i], &value);
    note((char)('0' + i));
    drained[i]++;
    return full[i] ? bound : 0;
}

static void fire(void *ctx, struct now now)
{
    (void)ctx;
    (void)now;
    note('t');
}

static void tail(void *ctx, struct now now)
{
    (void)ctx;
    (void)now;
    note('.');
    if (--tails_wanted <= 0)
        loop_stop(loop);
}

static void run(int tails)
{
    tails_wanted = tails;
    began_ns = clock_mono_ns();
    loop_run(loop);
    ended_ns = clock_mono_ns();
}

static void begin(void)
{
    memset(drained, 0, sizeof drained);
    memset(full, 0, sizeof full);
    did[0] = '\0';
    loop = loop_new();
    ck_assert_ptr_nonnull(loop);
    for (int i = 0; i < SOURCES; i++) {
        ready[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        ck_assert_int_ge(ready[i], 0);
        ck_assert_int_eq(loop_source(loop, NULL, ready[i], i != 2, drain, &ready[i]), OK);
    }
    loop_tail(loop, tail, NULL);
}

static void end(void)
{
    for (int i = 0; i < SOURCES; i++)
        (void)close(ready[i]);
    loop_destroy(&loop);
    ck_assert_ptr_null(loop);
}

START_TEST(a_wake_up_drains_every_source_in_order_then_fires_timers_then_runs_the_tail)
{
    ck_assert_int_eq(loop_timer(loop, 1, fire, NULL), OK);
    wake(1);
    run(1);
    ck_assert_str_eq(did, "012t.");
}
END_TEST

START_TEST(a_source_that_does_not_wake_is_drained_when_something_else_does)
{
    ck_assert_int_eq(loop_timer(loop, 30 * NS_PER_MS, fire, NULL), OK);
    wake(2);
    run(1);
    ck_assert_int_eq(drained[2], 1);
    ck_assert_int_ge(ended_ns - began_ns, 25 * NS_PER_MS);
}
END_TEST

START_TEST(a_source_that_ceases_to_wake_does_not_spin_and_wakes_again_when_it_may)
{
    ck_assert_int_eq(loop_timer(loop, 30 * NS_PER_MS, fire, NULL), OK);
    /* By its socket a source is found; these have none, so all are meant. */
    loop_source_wakes(loop, NULL, false);
    wake(1);
    run(1);
    ck_assert_int_ge(ended_ns - began_ns, 25 * NS_PER_MS);
    loop_destroy(&loop);
    loop = loop_new();
    ck_assert_int_eq(loop_source(loop, NULL, ready[0], false, drain, &ready[0]), OK);
    loop_tail(loop, tail, NULL);
    loop_source_wakes(loop, NULL, true);
    wake(0);
    run(1);
    ck_assert_int_lt(ended_ns - began_ns, 500 * NS_PER_MS);
}
END_TEST

START_TEST(while_held_only_the_first_source_is_drained_and_timers_go_on)
{
    ck_assert_int_eq(loop_timer(loop, 5 * NS_PER_MS, fire, NULL), OK);
    loop_hold(loop, true);
    wake(1);
    run(2);
    ck_assert_str_eq(did, "0t.0t.");
    ck_assert_int_ge(ended_ns - began_ns, 8 * NS_PER_MS); /* what waits does not make it spin */
    loop_destroy(&loop);
    loop = loop_new();
}
END_TEST

START_TEST(at_the_bound_it_comes_back_without_waiting)
{
    ck_assert_int_eq(loop_timer(loop, NS_PER_SEC, fire, NULL), OK);
    full[1] = true;
    wake(1);
    run(3);
    ck_assert_int_eq(drained[1], 3);
    ck_assert_int_lt(ended_ns - began_ns, 500 * NS_PER_MS);
}
END_TEST

START_TEST(the_earliest_of_what_was_asked_for_ends_the_wait_once)
{
    loop_wake_in(loop, 20 * NS_PER_MS);
    loop_wake_in(loop, 10 * NS_PER_SEC);
    run(1);
    ck_assert_int_lt(ended_ns - began_ns, 900 * NS_PER_MS);
}
END_TEST

START_TEST(a_timer_missed_for_long_fires_once)
{
    ck_assert_int_eq(loop_timer(loop, NS_PER_MS, fire, NULL), OK);
    (void)usleep(30000);
    wake(0);
    run(1);
    ck_assert_str_eq(did, "012t.");
}
END_TEST

START_TEST(a_signal_ends_it_and_is_told_from_a_stop)
{
    run(0);
    ck_assert(!loop_signalled(loop));
    loop_destroy(&loop);
    loop = loop_new();
    ck_assert_int_eq(raise(SIGTERM), 0);
    run(100);
    ck_assert(loop_signalled(loop));
}
END_TEST

/* ---- over sockets ------------------------------------------------------------------------------------ */

static void *zmq, *here, *there;
static int taken;

static int take(void *ctx, struct now now, int bound)
{
    char byte;
    int n = 0;
    (void)ctx;
    (void)now;
    note('z');
    while (n < bound && zmq_recv(here, &byte, 1, ZMQ_DONTWAIT) > 0)
        n++;
    taken += n;
    return n;
}

static void send_there(int messages)
{
    for (int i = 0; i < messages; i++)
        ck_assert_int_eq(zmq_send(there, "x", 1, ZMQ_DONTWAIT), 1);
    (void)usleep(2000);
}

static void one_more(void *ctx, struct now now)
{
    note('.');
    (void)ctx;
    (void)now;
    if (--tails_wanted <= 0)
        loop_stop(loop);
    else
        send_there(1);
}

static void open_pair(int type_here, int type_there)
{
    loop_destroy(&loop);
    loop = loop_new();
    zmq = zmq_ctx_new();
    here = zmq_socket(zmq, type_here);
    there = zmq_socket(zmq, type_there);
    ck_assert_int_eq(zmq_bind(here, "inproc://test"), 0);
    ck_assert_int_eq(zmq_connect(there, "inproc://test"), 0);
    ck_assert_int_eq(loop_source(loop, here, 0, true, take, NULL), OK);
    loop_tail(loop, one_more, NULL);
    taken = 0;
}

static void close_pair(void)
{
    (void)zmq_close(here);
    (void)zmq_close(there);
    (void)zmq_ctx_term(zmq);
}

START_TEST(a_message_that_comes_when_its_socket_was_read_empty_wakes_at_once)
{
    open_pair(ZMQ_PULL, ZMQ_PUSH);
    send_there(1);
    run(200);
    ck_assert_int_eq(taken, 200);
    ck_assert_int_lt(ended_ns - began_ns, 20 * NS_PER_SEC); /* 200 times the longest wait would be 200 s */
    close_pair();
}
END_TEST

START_TEST(what_a_bounded_turn_left_unread_is_read_in_the_next_without_a_wait)
{
    open_pair(ZMQ_PULL, ZMQ_PUSH);
    loop_waiting(loop, 0, 3);
    send_there(10);
    loop_tail(loop, tail, NULL);
    run(4);
    ck_assert_int_eq(taken, 10);
    ck_assert_int_lt(ended_ns - began_ns, 900 * NS_PER_MS);
    close_pair();
}
END_TEST

static char peer[8];
static size_t peer_len;

static int take_of_peer(void *ctx, struct now now, int bound)
{
    char bytes[8];
    int n = 0, len;
    (void)ctx;
    (void)now;
    while (n < bound && (len = zmq_recv(here, peer, sizeof peer, ZMQ_DONTWAIT)) >= 0) {
        peer_len = (size_t)len;
        n += zmq_recv(here, bytes, sizeof bytes, ZMQ_DONTWAIT) > 0;
    }
    taken += n;
    return n;
}

/* One comes when all was read; then it is sent on the socket, which takes note of that one. */
static void one_more_and_an_answer(void *ctx, struct now now)
{
    one_more(ctx, now);
    ck_assert_int_eq(socket_send(here, peer, peer_len, true), OK);
    ck_assert_int_eq(socket_send(here, "yes", 3, false), OK);
}

START_TEST(what_came_before_something_was_sent_on_its_socket_wakes_at_once)
{
    open_pair(ZMQ_ROUTER, ZMQ_DEALER);
    loop_destroy(&loop);
    loop = loop_new();
    ck_assert_int_eq(loop_source(loop, here, 0, true, take_of_peer, NULL), OK);
    loop_tail(loop, one_more_and_an_answer, NULL);
    send_there(1);
    run(10);
    ck_assert_int_eq(taken, 10);
    ck_assert_int_lt(ended_ns - began_ns, 4 * NS_PER_SEC); /* of 10, if none woke */
    close_pair();
}
END_TEST

/* As a ledger's reader, whose two sockets are read by either's drain. */
static int take_of_the_other(void *ctx, struct now now, int bound)
{
    char byte;
    if (zmq_recv(*(void **)ctx, &byte, 1, ZMQ_DONTWAIT) > 0)
        send_there(10);
    return take(NULL, now, bound);
}

static void *to_first;

/* The first wake-up asks all, so what is meant begins with the second. */
static void then_to_the_first(void *ctx, struct now now)
{
    (void)ctx;
    (void)now;
    if (tails_wanted-- > 0)
        ck_assert_int_eq(zmq_send(to_first, "x", 1, 0), 1);
    if (taken == 10)
        loop_stop(loop);
}

START_TEST(what_another_source_left_unread_at_its_bound_is_read_at_once)
{
    open_pair(ZMQ_PULL, ZMQ_PUSH);
    void *first = zmq_socket(zmq, ZMQ_PULL);
    to_first = zmq_socket(zmq, ZMQ_PUSH);
    ck_assert_int_eq(zmq_bind(first, "inproc://first"), 0);
    ck_assert_int_eq(zmq_connect(to_first, "inproc://first"), 0);
    loop_destroy(&loop);
    loop = loop_new();
    loop_waiting(loop, 0, 3);
    ck_assert_int_eq(loop_source(loop, first, 0, true, take_of_the_other, &first), OK);
    ck_assert_int_eq(loop_source(loop, here, 0, true, take, NULL), OK);
    loop_wake_in(loop, 1);
    loop_tail(loop, then_to_the_first, NULL);
    run(1);
    ck_assert_int_eq(taken, 10);
    ck_assert_int_lt(ended_ns - began_ns, 900 * NS_PER_MS);
    (void)zmq_close(first);
    (void)zmq_close(to_first);
    close_pair();
}
END_TEST

START_TEST(while_held_a_socket_that_has_some_is_left_alone)
{
    open_pair(ZMQ_PULL, ZMQ_PUSH);
    struct loop *kept = loop;
    loop = loop_new();
    ck_assert_int_eq(loop_source(loop, NULL, ready[0], true, drain, &ready[0]), OK);
    ck_assert_int_eq(loop_source(loop, here, 0, true, take, NULL), OK);
    loop_tail(loop, tail, NULL);
    loop_hold(loop, true);
    send_there(5);
    wake(0);
    run(1);
    ck_assert_int_eq(taken, 0);
    ck_assert_str_eq(did, "0.");
    loop_destroy(&kept);
    close_pair();
}
END_TEST

START_TEST(a_loop_that_spins_before_it_sleeps_takes_and_waits_as_well)
{
    open_pair(ZMQ_PULL, ZMQ_PUSH);
    loop_waiting(loop, 200 * NS_PER_US, 0);
    send_there(1);
    run(50);
    ck_assert_int_eq(taken, 50);
    close_pair();
}
END_TEST

START_TEST(a_source_too_many_is_refused)
{
    int status = OK;
    for (int i = 0; i < 64 && status == OK; i++)
        status = loop_source(loop, NULL, ready[0], true, drain, &ready[0]);
    ck_assert_int_eq(status, E_FULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loop");
    TCase *promises = tcase_create("promises");
    tcase_add_checked_fixture(promises, begin, end);
    tcase_add_test(promises, a_wake_up_drains_every_source_in_order_then_fires_timers_then_runs_the_tail);
    tcase_add_test(promises, a_source_that_does_not_wake_is_drained_when_something_else_does);
    tcase_add_test(promises, a_source_that_ceases_to_wake_does_not_spin_and_wakes_again_when_it_may);
    tcase_add_test(promises, while_held_only_the_first_source_is_drained_and_timers_go_on);
    tcase_add_test(promises, at_the_bound_it_comes_back_without_waiting);
    tcase_add_test(promises, the_earliest_of_what_was_asked_for_ends_the_wait_once);
    tcase_add_test(promises, a_timer_missed_for_long_fires_once);
    tcase_add_test(promises, a_signal_ends_it_and_is_told_from_a_stop);
    tcase_add_test(promises, a_source_too_many_is_refused);
    tcase_add_test(promises, a_message_that_comes_when_its_socket_was_read_empty_wakes_at_once);
    tcase_add_test(promises, what_a_bounded_turn_left_unread_is_read_in_the_next_without_a_wait);
    tcase_add_test(promises, what_came_before_something_was_sent_on_its_socket_wakes_at_once);
    tcase_add_test(promises, what_another_source_left_unread_at_its_bound_is_read_at_once);
    tcase_add_test(promises, while_held_a_socket_that_has_some_is_left_alone);
    tcase_add_test(promises, a_loop_that_spins_before_it_sleeps_takes_and_waits_as_well);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
