/* What a worker promises: it acts on its own routes only, once for each touch, and says on what. */
#include "tests/unit/worker_world.h"

static uint64_t digest(void)
{
    pass(250);
    ck_assert_int_eq(hellos(), 1);
    return heard.digest;
}

/* ---- whose routes ----------------------------------------------------------------------------------- */

START_TEST(evaluates_only_what_is_assigned_to_its_name_and_incarnation)
{
    tick();
    wake(true);
    ck_assert_uint_eq(calls, 0);
    assign("strategy-1", OTHER);
    tick();
    wake(true);
    assign("strategy-2", MINE);
    tick();
    wake(true);
    ck_assert_uint_eq(calls, 0);
    assign("strategy-1", MINE);
    tick();
    wake(true);
    ck_assert_uint_eq(calls, 1);
    ck_assert_int_eq(metric("routes"), 1);
    assign("strategy-2", OTHER);
    tick();
    wake(true);
    ck_assert_uint_eq(calls, 1);
    ck_assert_int_eq(metric("routes"), 0);
}
END_TEST

START_TEST(a_route_lost_between_touch_and_decision_is_not_evaluated)
{
    assign("strategy-1", MINE);
    tick();
    assign("strategy-2", OTHER);
    wake(true);
    ck_assert_uint_eq(calls, 0);
}
END_TEST

START_TEST(forgets_what_it_remembered_when_a_route_is_assigned_anew)
{
    assign("strategy-1", MINE);
    for (int i = 0; i < 3; i++) {
        tick();
        wake(true);
    }
    ck_assert_uint_eq(calls_of_route, 3);
    assign("strategy-1", MINE);
    tick();
    wake(true);
    ck_assert_uint_eq(calls_of_route, 1);
}
END_TEST

START_TEST(a_route_whose_instruments_come_later_waits_for_them)
{
    assign_legs("ETH", "ETH-USDT", "ETH-USDT", "strategy-1", MINE);
    wake(true);
    ck_assert_uint_eq(calls, 0);
    know("ETH-USDT", "x");
    quote("ETH-USDT", "x", 100, 101);
    wake(true);
    ck_assert_uint_eq(calls, 0);
    ck_assert_int_eq(metric("evaluations"), 0);
    know("ETH-USDT", "y");
    quote("ETH-USDT", "y", 100, 101);
    wake(true);
    ck_assert_uint_eq(calls, 1);
    ck_assert_int_eq(metric("evaluations"), 1);
}
END_TEST

START_TEST(a_name_that_comes_to_mean_other_legs_is_not_traded)
{
    know("ETH-USDT", "y");
    quote("ETH-USDT", "y", 100, 101);
    assign("strategy-1", MINE);
    assign_legs("BTC", "BTC-USDT", "ETH-USDT", "strategy-1", MINE);
    tick();
    wake(true);
    ck_assert_uint_eq(calls, 0);
}
END_TEST

/* ---- when ------------------------------------------------------------------------------------------- */

START_TEST(decides_once_for_each_touched_route_however_often_it_was_touched)
{
    assign("strategy-1", MINE);
    assign_legs("BTC2", "BTC-USDT", "BTC-USDT", "strategy-1", MINE);
    wake(true);
    calls = 0;
    tick();
    tick();
    quote("BTC-USDT", "y", 9900, 9901);
    wake(true);
    ck_assert_uint_eq(calls, 2); /* both routes have legs in it */
    wake(true);
    ck_assert_uint_eq(calls, 2);
}
END_TEST

START_TEST(does_nothing_before_its_ledgers_are_current)
{
    wants = INTENT_ENTER;
    assign("strategy-1", MINE);
    tick();
    ck_assert_int_eq(wake(false), 0);
    ck_assert_uint_eq(calls, 0);
    ck_assert_int_eq(wake(true), 1); /* what was touched meanwhile is not forgotten */
}
END_TEST

START_TEST(more_intents_than_the_outbox_takes_at_once_wait_for_the_next_turn)
{
    char name[16];
    wants = INTENT_ENTER;
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "R%d", i);
        assign_legs(name, "BTC-USDT", "BTC-USDT", "strategy-1", MINE);
    }
    tick();
    int first = wake(true);
    ck_assert_int_gt(first, 0);
    ck_assert_int_lt(first, OUTBOX_PER_INPUT_MAX);
    int all = first;
    for (int i = 0; i < 10; i++)
        all += wake(true);
    ck_assert_int_eq(all, 300);
    ck_assert_uint_eq(calls, 300);
}
END_TEST

START_TEST(what_is_held_is_looked_at_on_a_quiet_market_too)
{
    assign("strategy-1", MINE);
    tick();
    wake(true);
    (void)hellos();
    wake(true);
    ck_assert_uint_eq(calls, 1); /* flat: nothing grows old */
    route_says(false, false, 2);
    pass(250);
    (void)hellos();
    wake(true);
    ck_assert_uint_eq(calls, 2);
    ck_assert(!was_flat);
}
END_TEST

/* ---- what it asks ----------------------------------------------------------------------------------- */

START_TEST(an_intent_says_what_it_was_decided_on)
{
    wants = INTENT_ENTER;
    assign("strategy-1", MINE);
    uint64_t epoch = m.assign.route_epoch;
    route_says(false, false, 0);
    pass(7);
    quote("BTC-USDT", "y", 9900, 9901);
    int64_t cause = m.env.trace.venue_time;
    uint64_t y_seq = seq;
    ck_assert_int_eq(wake(true), 1);
    ck_assert_str_eq(sent.run, "r1");
    ck_assert_str_eq(sent.account, "paper");
    ck_assert_str_eq(sent.worker, "strategy-1");
    ck_assert_str_eq(sent.strategy, "told");
    ck_assert_str_eq(sent.route, "BTC");
    ck_assert_uint_eq(sent.incarnation, MINE);
    ck_assert_uint_eq(sent.id, 1);
    ck_assert_uint_eq(sent.params, 4711);
    ck_assert_uint_eq(sent.build, 99);
    ck_assert_uint_eq(sent.route_epoch, epoch);
    ck_assert_int_eq(sent.kind, INTENT_ENTER);
    ck_assert(!sent.reduce_only && !sent.post_only);
    ck_assert_int_eq(sent.tif, TIF_IOC);
    ck_assert_int_eq(sent.policy, POLICY_UNWIND);
    ck_assert_uint_eq(sent.state_epoch, 5);
    ck_assert_uint_eq(sent.state_pos, 2);
    ck_assert_int_eq(sent.decided_time, now.market_ns);
    ck_assert_int_eq(sent.decided_mono, now.mono_ns);
    ck_assert_int_eq(sent.deadline, now.market_ns + 1);
    ck_assert_int_eq(sent.edge_nbps, 11);
    ck_assert_int_eq(sent.reference_nbps, 12);
    ck_assert_int_eq(sent.cost_nbps, 13);
    ck_assert_int_eq(sent.slippage_bps.m, 5);
    ck_assert_uint_eq(sent.evaluations, 1);
    ck_assert_uint_eq(sent.digest, digest());
    ck_assert_int_eq(sent_trace.venue_time, cause); /* y's tick, the later one */
    ck_assert_uint_eq(sent.n_legs, 2);
    const struct intent_leg *a = &sent.legs[0], *b = &sent.legs[1];
    ck_assert_str_eq(a->venue, "x");
    ck_assert_int_eq(a->side, SIDE_BUY);
    ck_assert_int_eq(a->price_exp, -2); /* one exponent for both prices, no digit lost */
    ck_assert_int_eq(a->price, 10050);
    ck_assert_int_eq(a->book_price, 10001); /* a buyer takes the ask */
    ck_assert_int_eq(a->qty, 25);
    ck_assert_int_eq(a->qty_exp, -1);
    ck_assert_str_eq(b->symbol, "BTC-USDT");
    ck_assert_str_eq(b->venue, "y");
    ck_assert_int_eq(b->price_exp, -3);
    ck_assert_int_eq(b->price, 99123);
    ck_assert_int_eq(b->book_price, 99000); /* a seller the bid */
    ck_assert_uint_eq(b->book_epoch, 3);
    ck_assert_uint_eq(b->book_seq, y_seq);
    ck_assert_int_eq(b->book_time - a->book_time, 7 * NS_PER_MS);
    ck_assert_int_eq(b->book_mono - a->book_mono, 7 * NS_PER_MS);
}
END_TEST

START_TEST(an_intent_names_the_newest_tick_that_woke_it_not_one_of_before)
{
    assign("strategy-1", MINE);
    wants = 0;
    pass(1);
    quote("BTC-USDT", "y", 9900, 9901);
    ck_assert_int_eq(wake(true), 0); /* y was looked at */
    wants = INTENT_ENTER;
    pass(-1);
    quote("BTC-USDT", "x", 10000, 10001); /* received before y's, and came later */
    pass(1);
    int64_t cause = m.env.trace.venue_time;
    ck_assert_int_eq(wake(true), 1);
    ck_assert_int_eq(sent_trace.venue_time, cause);
    ck_assert_int_eq(sent_trace.recv_mono, sent.legs[0].book_mono);
}
END_TEST

START_TEST(an_intent_that_no_tick_caused_says_so_and_begins_its_trace_with_the_wake_up)
{
    wants = 0;
    assign("strategy-1", MINE);
    route_says(false, false, 5);
    tick();
    ck_assert_int_eq(wake(true), 0);
    wants = INTENT_EXIT;
    pass(400);
    ck_assert_int_eq(hellos(), 1); /* what is held grows old: it is looked at with each hello */
    pass(3);
    ck_assert_int_eq(wake(true), 1);
    ck_assert_int_eq(sent_trace.recv_mono, 0);
    ck_assert_int_eq(sent_trace.recv_utc, 0);
    ck_assert_int_eq(sent_trace.venue_time, 0);
    ck_assert_int_eq(sent_trace.hop[HOP_FEED_OUT], 0);
    ck_assert_uint_eq(sent_trace.boot_id, 8);
    ck_assert_int_eq(sent_trace.hop[HOP_STRATEGY_IN], now.mono_ns);
}
END_TEST

START_TEST(a_repeated_book_is_no_tick)
{
    wants = INTENT_ENTER;
    assign("strategy-1", MINE);
    pass(1);
    quotes_anew = false;
    quote("BTC-USDT", "x", 10000, 10001);
    ck_assert_int_eq(wake(true), 1);
    ck_assert_int_eq(sent_trace.recv_mono, 0);
    ck_assert_int_eq(sent_trace.hop[HOP_STRATEGY_IN], now.mono_ns);
}
END_TEST

START_TEST(an_exit_may_only_reduce)
{
    wants = INTENT_EXIT;
    assign("strategy-1", MINE);
    tick();
    ck_assert_int_eq(wake(true), 1);
    ck_assert(sent.reduce_only);
    ck_assert_int_eq(sent.cause, EXIT_AGE);
}
END_TEST

/* ---- digests and hellos ----------------------------------------------------------------------------- */

static uint64_t digest_of_life(int64_t bid, int64_t ask_qty)
{
    teardown();
    setup();
    assign("strategy-1", MINE);
    tick();
    wake(true);
    message_init(&m, MSG_BOOK);
    quote("BTC-USDT", "y", bid, 9901);
    m.book.asks[0].qty = ask_qty;
    ck_assert_int_ge(market_message(MSG_BOOK), 0);
    wake(true);
    tick();
    wake(true);
    return digest();
}

START_TEST(one_digit_of_one_best_price_changes_the_digest)
{
    uint64_t first = digest_of_life(9900, 100);
    ck_assert_uint_eq(digest_of_life(9900, 100), first);
    ck_assert_uint_ne(digest_of_life(9899, 100), first);
    ck_assert_uint_ne(digest_of_life(9900, 101), first);
}
END_TEST

START_TEST(the_digests_of_lost_routes_stay_in_the_sum)
{
    assign("strategy-1", MINE);
    tick();
    wake(true);
    uint64_t before = digest();
    ck_assert_uint_ne(before, 0);
    assign("strategy-2", OTHER);
    ck_assert_uint_eq(digest(), before);
    assign_legs("BTC2", "BTC-USDT", "BTC-USDT", "strategy-1", MINE);
    ck_assert_uint_eq(digest(), before); /* nothing evaluated, nothing added */
    tick();
    wake(true);
    ck_assert_uint_ne(digest(), before);
}
END_TEST

START_TEST(says_hello_at_once_and_every_quarter_of_a_second)
{
    ck_assert_int_eq(hellos(), 1);
    ck_assert_str_eq(heard.worker, "strategy-1");
    ck_assert_str_eq(heard.strategy, "told");
    ck_assert_uint_eq(heard.incarnation, MINE);
    ck_assert(!heard.goodbye);
    ck_assert_int_eq(hellos(), 0);
    pass(249);
    ck_assert_int_eq(hellos(), 0);
    pass(1);
    wants = INTENT_ENTER;
    assign("strategy-1", MINE);
    tick();
    wake(true);
    ck_assert_int_eq(hellos(), 1);
    ck_assert_uint_eq(heard.evaluations, 1);
    ck_assert_uint_eq(heard.intents, 1);
    ck_assert_int_eq(hellos(), 0);
}
END_TEST

START_TEST(its_last_word_is_goodbye)
{
    wants = INTENT_ENTER;
    assign("strategy-1", MINE);
    tick();
    worker_stop(worker, now, &out);
    ck_assert_uint_eq(out.n_effects, 1);
    ck_assert(out.messages[0].hello.goodbye);
    out.n_effects = out.n_messages = 0;
    ck_assert_int_eq(wake(true), 0);
    pass(1000);
    ck_assert_int_eq(hellos(), 0);
    worker_stop(worker, now, &out);
    ck_assert_uint_eq(out.n_effects, 0);
}
END_TEST

START_TEST(says_why_it_cannot_begin)
{
    char error[CONFIG_ERROR_MAX] = "";
    struct worker_options o = {.config = &config, .view = view, .strategy = &told, .run = "r1", .name = "w"};
    o.strategy = NULL;
    ck_assert_ptr_null(worker_new(&o, error));
    ck_assert_ptr_nonnull(strstr(error, "strategy.name"));
    o.strategy = &told;
    o.name = "a-name-that-is-much-too-long-for-it";
    ck_assert_ptr_null(worker_new(&o, error));
    ck_assert_ptr_nonnull(strstr(error, o.name));
    o.name = "w";
    config.arb.deadline_ms = 13;
    ck_assert_ptr_null(worker_new(&o, error));
    ck_assert_str_eq(error, "told.key is bad");
}
END_TEST

int main(void)
{
    /* clang-format off */
    const TTest *const tests[] = {
        evaluates_only_what_is_assigned_to_its_name_and_incarnation,
        a_route_lost_between_touch_and_decision_is_not_evaluated,
        forgets_what_it_remembered_when_a_route_is_assigned_anew,
        a_route_whose_instruments_come_later_waits_for_them,
        a_name_that_comes_to_mean_other_legs_is_not_traded,
        decides_once_for_each_touched_route_however_often_it_was_touched,
        does_nothing_before_its_ledgers_are_current,
        more_intents_than_the_outbox_takes_at_once_wait_for_the_next_turn,
        what_is_held_is_looked_at_on_a_quiet_market_too,
        an_intent_says_what_it_was_decided_on,
        an_intent_names_the_newest_tick_that_woke_it_not_one_of_before,
        an_intent_that_no_tick_caused_says_so_and_begins_its_trace_with_the_wake_up,
        a_repeated_book_is_no_tick,
        an_exit_may_only_reduce,
        one_digit_of_one_best_price_changes_the_digest,
        the_digests_of_lost_routes_stay_in_the_sum,
        says_hello_at_once_and_every_quarter_of_a_second,
        its_last_word_is_goodbye,
        says_why_it_cannot_begin,
    };
    /* clang-format on */
    return run("worker", tests, sizeof tests / sizeof tests[0]);
}
