/* What the hand promises of decisions: each becomes one basket, its orders are sent once and after they were written,
 * and it ends whole or in a stated residual; what must not be sent is refused with its reason. */
#include "tests/unit/exec_scene.h"

/* ---- one basket --------------------------------------------------------------------------------------- */

START_TEST(a_basket_is_written_whole_before_its_first_order_is_sent)
{
    struct message m = decision(5, POLICY_COMPLETE);
    int before = n_journal + 1; /* the first of a new epoch of risk: how far it is taken */
    decide(&m);
    ck_assert_int_eq(n_journal, before + 3);
    ck_assert_int_eq(journal[before].env.type, MSG_BASKET);
    ck_assert_int_eq(journal[before].basket.state, BASKET_OPEN);
    ck_assert_uint_eq(journal[before].basket.n_legs, 2);
    ck_assert_int_eq(journal[before].env.trace.recv_mono, 77);
    ck_assert_int_eq(n_sent, 2);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(journal[before + 1 + i].order.state, ORDER_PENDING_NEW);
        ck_assert_int_eq(sent_at[i], n_journal);
    }
    expect_order(0, "paper-7-5-0-0", SIDE_BUY, "1", "100.1");
    expect_order(1, "paper-7-5-1-0", SIDE_SELL, "1", "100");
}
END_TEST

/* Of the whole basket. */
START_TEST(it_is_on_disk_before_its_first_order_is_sent_in_mode_live_and_in_paper_where_it_is_asked_for)
{
    static const struct {
        const char *mode, *sync;
        bool synced;
    } cases[] = {{"paper", "always", true}, {"paper", "live", false}, {"live", "live", true}};
    for (int i = 0; i < 3; i++) {
        struct message m = decision((uint64_t)i + 5, POLICY_COMPLETE);
        strcpy(config.run.mode, cases[i].mode);
        strcpy(config.exec.sync_before_send, cases[i].sync);
        restart();
        n_synced = n_sent = 0;
        decide(&m);
        ck_assert_int_eq(n_sent, 2);
        ck_assert_int_eq(n_synced, cases[i].synced ? n_journal : 0);
        fill(0, "1");
        fill(1, "1");
    }
}
END_TEST

START_TEST(both_legs_filled_is_done)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    struct order_report ack = report_of(REPORT_ACK, &sent[0]);
    strcpy(ack.venue_id, "a-o1");
    report(&ack);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.state, ORDER_NEW);
    ck_assert_str_eq(last_of(MSG_ORDER)->order.venue_id, "a-o1");
    fill(0, "0.4");
    ck_assert_int_eq(last_of(MSG_ORDER)->order.state, ORDER_PARTIALLY_FILLED);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.filled, 400);
    fill(0, "0.6");
    ck_assert_int_eq(last_of(MSG_ORDER)->order.state, ORDER_FILLED);
    ck_assert_uint_eq(exec_open_baskets(hand), 1);
    fill(1, "1");
    expect_basket(BASKET_DONE, REASON_NONE, true, "0");
    ck_assert_uint_eq(last_of(MSG_BASKET)->basket.n_legs, 0);
    ck_assert_int_eq(count_of(MSG_FILL), 3);
    const struct fill *f = &last_of(MSG_FILL)->fill;
    ck_assert_str_eq(f->base, "BTC");
    ck_assert_str_eq(f->quote, "USDT");
    ck_assert_int_eq(f->kind, KIND_SPOT);
    ck_assert_int_eq(f->decided_price, 1000);
    ck_assert_int_eq(dec_cmp(f->fx, d("1")), 0);
    ck_assert_str_eq(f->trade_id, "t-3");
    ck_assert_int_eq(figure(hand, "net_cash_micro"), -130000); /* -100.1 + 100 - 0.03 */
}
END_TEST

START_TEST(after_a_basket_the_positions_and_balances_it_touched_are_told)
{
    exec_on_market(hand, 0, now, &out);
    exec_on_market(hand, 0, now, &out);
    exec_on_market(hand, 1, now, &out);
    settle();
    ck_assert_int_eq(count_of(MSG_ADJUST), 4);
    ck_assert_str_eq(last_of(MSG_ADJUST)->adjust.cause, "paper start balance");
    restart();
    exec_on_market(hand, 0, now, &out);
    settle();
    ck_assert_int_eq(count_of(MSG_ADJUST), 4);
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(0, "1");
    fill(1, "1");
    static const char *const told[] = {"a BTC 1001", "a USDT 899.89", "b BTC 999", "b USDT 1099.99"};
    ck_assert_int_eq(count_of(MSG_BALANCE), 4);
    ck_assert_int_eq(count_of(MSG_POSITION), 2);
    const struct position *p = &journal[n_journal - 6].position;
    char amount[MONEY_TEXT_MAX];
    ck_assert_str_eq(p->venue, "a");
    money_format(p->qty, amount);
    ck_assert_str_eq(amount, "1");
    money_format(p->cash, amount);
    ck_assert_str_eq(amount, "-100.1");
    ck_assert_uint_eq(p->fills, 1);
    ck_assert_int_eq(p->market_time, now.market_ns);
    ck_assert_str_eq(journal[n_journal - 5].position.venue, "b");
    for (int i = 0; i < 4; i++) {
        const struct balance *b = &journal[n_journal - 4 + i].balance;
        char total[MONEY_TEXT_MAX], text[128];
        money_format(b->total, total);
        (void)snprintf(text, sizeof text, "%s %s %s", b->venue, b->currency, total);
        ck_assert_str_eq(text, told[i]);
    }
}
END_TEST

START_TEST(the_leg_behind_is_completed_within_the_budget)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(0, "1");
    fill(1, "0.3");
    done(1, "0.3");
    expect_basket(BASKET_COMPLETING, REASON_NO_LIQUIDITY, false, "0.7");
    expect_order(2, "paper-7-5-1-1", SIDE_SELL, "0.7", "99.8"); /* 100 less 20 bps */
    fill(2, "0.7");
    expect_basket(BASKET_DONE, REASON_NONE, true, "0");
}
END_TEST

START_TEST(completing_goes_on_as_long_as_attempts_are_left)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    done(0, "0");
    fill(1, "1");
    expect_order(2, "paper-7-5-0-1", SIDE_BUY, "1", "100.3"); /* 100.1 and 20 bps, down to the tick */
    fill(2, "0.5");
    done(2, "0.5");
    expect_order(3, "paper-7-5-0-2", SIDE_BUY, "0.5", "100.3");
    fill(3, "0.5");
    expect_basket(BASKET_DONE, REASON_NONE, true, "0");
}
END_TEST

START_TEST(an_order_after_another_waits_for_another_book_or_a_quarter_of_a_second)
{
    struct message m = decision(5, POLICY_COMPLETE);
    market_moves = false;
    decide(&m);
    fill(0, "1");
    done(1, "0");
    pass(100);
    ck_assert_int_eq(n_sent, 2);
    show_book("a", BOOK_LIVE); /* not the one that matters */
    pass(0);
    ck_assert_int_eq(n_sent, 2);
    show_book("b", BOOK_LIVE);
    pass(0);
    ck_assert_int_eq(n_sent, 3);
    done(2, "0");
    pass(249);
    ck_assert_int_eq(n_sent, 3);
    pass(1);
    ck_assert_int_eq(n_sent, 4);
}
END_TEST

START_TEST(what_cannot_be_completed_is_unwound)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(0, "1");
    done(1, "0");
    done(2, "0");
    done(3, "0");
    expect_basket(BASKET_UNWINDING, REASON_NO_LIQUIDITY, false, "1");
    expect_order(4, "paper-7-5-0-1", SIDE_SELL, "1", "99.8"); /* the live bid less 20 bps */
    fill(4, "1");
    expect_basket(BASKET_FLAT, REASON_NO_LIQUIDITY, true, "0");
}
END_TEST

START_TEST(what_cannot_be_unwound_is_parked_with_its_residual)
{
    struct message m = decision(5, POLICY_UNWIND);
    decide(&m);
    reject(0, REASON_NO_BALANCE);
    fill(1, "0.5");
    done(1, "0.5");
    expect_order(2, "paper-7-5-1-1", SIDE_BUY, "0.5", "100.3");
    fill(2, "0.2");
    done(2, "0.2");
    done(3, "0");
    expect_basket(BASKET_PARKED, REASON_SLIPPAGE_BUDGET, true, "-0.3");
    ck_assert_int_eq(figure(hand, "parked"), 1);
    ck_assert_int_eq(count_of(MSG_BALANCE), 2); /* only where something was filled */
}
END_TEST

START_TEST(policy_park_sends_nothing_more)
{
    struct message m = decision(5, POLICY_PARK);
    decide(&m);
    fill(0, "1");
    reject(1, REASON_VENUE_REJECT);
    expect_basket(BASKET_PARKED, REASON_VENUE_REJECT, true, "1");
    ck_assert_int_eq(n_sent, 2);
}
END_TEST

START_TEST(equal_parts_of_both_legs_need_nothing_more)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(0, "0.6");
    done(0, "0.6");
    fill(1, "0.6");
    done(1, "0.6");
    expect_basket(BASKET_DONE, REASON_NO_LIQUIDITY, true, "0");
    ck_assert_int_eq(n_sent, 2);
}
END_TEST

START_TEST(nothing_filled_at_all_is_flat)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    reject(1, REASON_NO_BALANCE);
    done(0, "0");
    expect_basket(BASKET_FLAT, REASON_NO_LIQUIDITY, true, "0");
    ck_assert_int_eq(count_of(MSG_BALANCE), 0);
}
END_TEST

START_TEST(what_is_too_small_to_order_is_left_and_said)
{
    struct message m = decision(5, POLICY_COMPLETE);
    show_inst("b", "0.01", "5");
    decide(&m);
    fill(0, "1");
    fill(1, "0.991");
    done(1, "0.991");
    expect_basket(BASKET_DONE, REASON_NONE, true, "0.009");
    m = decision(6, POLICY_COMPLETE);
    decide(&m);
    fill(2, "0.04"); /* 4 USDT: below the smallest order on either side */
    done(2, "0.04");
    done(3, "0");
    expect_basket(BASKET_DONE, REASON_NO_LIQUIDITY, true, "0.04");
    ck_assert_int_eq(n_sent, 4);
}
END_TEST

START_TEST(what_is_too_small_to_complete_may_be_unwound)
{
    struct message m = decision(5, POLICY_COMPLETE);
    show_inst("a", "0.001", "1");
    decide(&m);
    fill(0, "0.04");
    done(0, "0.04");
    done(1, "0");
    expect_basket(BASKET_UNWINDING, REASON_NO_LIQUIDITY, false, "0.04");
    expect_order(2, "paper-7-5-0-1", SIDE_SELL, "0.04", "99.8");
    fill(2, "0.04");
    expect_basket(BASKET_FLAT, REASON_NO_LIQUIDITY, true, "0");
}
END_TEST

START_TEST(legs_of_unequal_size_are_held_to_their_proportion)
{
    struct message m = decision(5, POLICY_COMPLETE);
    m.decision.legs[1].qty = 500;
    decide(&m);
    fill(0, "0.8");
    done(0, "0.8");
    fill(1, "0.1");
    done(1, "0.1");
    expect_order(2, "paper-7-5-1-1", SIDE_SELL, "0.3", "99.8");
    fill(2, "0.3");
    expect_basket(BASKET_DONE, REASON_NO_LIQUIDITY, true, "0");
}
END_TEST

START_TEST(on_a_stale_book_it_waits_and_then_parks)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    show_book("b", BOOK_STALE);
    fill(0, "1");
    done(1, "0");
    expect_basket(BASKET_COMPLETING, REASON_NO_LIQUIDITY, false, "1");
    pass(1000);
    ck_assert_int_eq(n_sent, 2);
    show_book("b", BOOK_LIVE);
    pass(1);
    ck_assert_int_eq(n_sent, 3);
    show_book("b", BOOK_STALE);
    done(2, "0");
    pass(1999);
    expect_basket(BASKET_COMPLETING, REASON_NO_LIQUIDITY, false, "1");
    pass(1);
    expect_basket(BASKET_PARKED, REASON_DATA_STALE, true, "1");
}
END_TEST

START_TEST(what_is_finer_than_the_order_widens_it)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(0, "0.12345678");
    ck_assert_int_eq(last_of(MSG_ORDER)->order.qty_exp, -8);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.filled, 12345678);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.qty, 100000000);
    done(0, "0.12345678");
    fill(1, "0.123");
    done(1, "0.123");
    expect_basket(BASKET_DONE, REASON_NO_LIQUIDITY, true, "0.00045678");
}
END_TEST

/* ---- what is refused ---------------------------------------------------------------------------------- */

static void expect_refused(const struct message *m, enum reason reason)
{
    decide(m);
    expect_basket(BASKET_EXPIRED, reason, true, "0");
    ck_assert_uint_eq(last_of(MSG_BASKET)->basket.risk_pos, m->env.pos);
    ck_assert_int_eq(n_sent, 0);
}

START_TEST(what_is_late_is_never_sent)
{
    struct message m = decision(5, POLICY_COMPLETE);
    m.decision.deadline = now.market_ns - 1;
    expect_refused(&m, REASON_DEADLINE);
    m = decision(6, POLICY_COMPLETE);
    m.decision.deadline = now.market_ns;
    decide(&m);
    ck_assert_int_eq(n_sent, 2);
}
END_TEST

START_TEST(without_market_time_nothing_is_sent)
{
    struct message m = decision(5, POLICY_COMPLETE);
    now.market_ns = 0;
    expect_refused(&m, REASON_DATA_STALE);
}
END_TEST

START_TEST(what_is_not_sound_is_refused_with_its_reason)
{
    struct message m = decision(5, POLICY_COMPLETE);
    strcpy(m.decision.legs[1].venue, "c");
    expect_refused(&m, REASON_UNKNOWN_INSTRUMENT);
    m = decision(6, POLICY_COMPLETE);
    m.decision.legs[1].qty = 0;
    expect_refused(&m, REASON_MALFORMED);
    m = decision(7, POLICY_COMPLETE);
    m.decision.n_legs = 0;
    expect_refused(&m, REASON_MALFORMED);
    m = decision(8, POLICY_COMPLETE);
    m.decision.legs[0].qty = INT64_MAX;
    m.decision.legs[0].qty_exp = 12;
    expect_refused(&m, REASON_OVERFLOW);
    m = decision(9, POLICY_COMPLETE);
    m.decision.legs[0].qty = INT64_MAX;
    m.decision.legs[0].price = INT64_MAX;
    expect_refused(&m, REASON_OVERFLOW);
}
END_TEST

START_TEST(once_draining_nothing_new_is_taken_and_what_is_open_goes_on)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    ck_assert_int_eq(exec_on_control(hand, VERB_DRAIN, "", now, &out), CONTROL_DONE);
    m = decision(6, POLICY_COMPLETE);
    decide(&m);
    ck_assert_int_eq(last_of(MSG_BASKET)->basket.reason, REASON_STOPPING);
    fill(0, "1");
    done(1, "0");
    ck_assert_int_eq(n_sent, 3);
    fill(2, "1");
    expect_basket(BASKET_DONE, REASON_NONE, true, "0");
    ck_assert_int_eq(exec_on_control(hand, VERB_STOP, "", now, &out), CONTROL_DONE);
    ck_assert_int_eq(exec_on_control(hand, VERB_STOP, "", now, &out), CONTROL_DONE);
    settle();
    ck_assert_int_eq(last_of(MSG_SESSION)->session.event, SESSION_STOP);
    ck_assert_int_eq(count_of(MSG_SESSION), 2);
    ck_assert_int_eq(exec_on_control(hand, VERB_HALT, "", now, &out), CONTROL_UNKNOWN_VERB);
}
END_TEST

START_TEST(only_accepted_decisions_are_orders)
{
    struct message m = decision(5, POLICY_COMPLETE);
    m.decision.verdict = VERDICT_REJECT;
    decide(&m);
    m.decision.verdict = VERDICT_COOL;
    m.env.pos = 6;
    decide(&m);
    ck_assert_int_eq(n_sent, 0);
    ck_assert_int_eq(figure(hand, "risk_pos"), 6);
    m.decision.verdict = VERDICT_LESS;
    m.env.pos = 7;
    decide(&m);
    ck_assert_int_eq(n_sent, 2);
}
END_TEST

START_TEST(a_decision_is_acted_on_once)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    decide(&m);
    ck_assert_int_eq(n_sent, 2);
    restart();
    n_sent = 0;
    decide(&m);
    m = decision(4, POLICY_COMPLETE);
    decide(&m);
    ck_assert_int_eq(n_sent, 0);
    ck_assert_int_eq(figure(hand, "decisions_skipped"), 2);
    uint64_t epoch, pos;
    exec_upstream(hand, &epoch, &pos);
    ck_assert_uint_eq(epoch, RISK_EPOCH);
    ck_assert_uint_eq(pos, 5);
    m = decision(3, POLICY_COMPLETE);
    m.env.epoch = RISK_EPOCH + 1;
    decide(&m);
    ck_assert_int_eq(n_sent, 2);
    m = decision(9, POLICY_COMPLETE);
    decide(&m);
    ck_assert_int_eq(n_sent, 2);
    ck_assert_int_eq(figure(hand, "decisions_fenced"), 1);
}
END_TEST

int main(void)
{
    TCase *promises = tcase_create("promises");
    tcase_set_timeout(promises, 60);
    tcase_add_checked_fixture(promises, begin, end);
    tcase_add_test(promises, a_basket_is_written_whole_before_its_first_order_is_sent);
    tcase_add_test(promises, it_is_on_disk_before_its_first_order_is_sent_in_mode_live_and_in_paper_where_it_is_asked_for);
    tcase_add_test(promises, both_legs_filled_is_done);
    tcase_add_test(promises, after_a_basket_the_positions_and_balances_it_touched_are_told);
    tcase_add_test(promises, the_leg_behind_is_completed_within_the_budget);
    tcase_add_test(promises, completing_goes_on_as_long_as_attempts_are_left);
    tcase_add_test(promises, an_order_after_another_waits_for_another_book_or_a_quarter_of_a_second);
    tcase_add_test(promises, what_cannot_be_completed_is_unwound);
    tcase_add_test(promises, what_cannot_be_unwound_is_parked_with_its_residual);
    tcase_add_test(promises, policy_park_sends_nothing_more);
    tcase_add_test(promises, equal_parts_of_both_legs_need_nothing_more);
    tcase_add_test(promises, nothing_filled_at_all_is_flat);
    tcase_add_test(promises, what_is_too_small_to_order_is_left_and_said);
    tcase_add_test(promises, what_is_too_small_to_complete_may_be_unwound);
    tcase_add_test(promises, legs_of_unequal_size_are_held_to_their_proportion);
    tcase_add_test(promises, on_a_stale_book_it_waits_and_then_parks);
    tcase_add_test(promises, what_is_finer_than_the_order_widens_it);
    tcase_add_test(promises, what_is_late_is_never_sent);
    tcase_add_test(promises, without_market_time_nothing_is_sent);
    tcase_add_test(promises, what_is_not_sound_is_refused_with_its_reason);
    tcase_add_test(promises, once_draining_nothing_new_is_taken_and_what_is_open_goes_on);
    tcase_add_test(promises, only_accepted_decisions_are_orders);
    tcase_add_test(promises, a_decision_is_acted_on_once);
    Suite *suite = suite_create("exec");
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
