/* What the hand promises of orders: a fill is booked once, in whatever order, however late and however often venues
 * speak; an order of which nothing is known is asked for; and another life goes on from what is written. */
#include "tests/unit/exec_scene.h"

/* ---- reports in any order ----------------------------------------------------------------------------- */

START_TEST(a_trade_told_twice_is_booked_once)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    struct order_report r = fill_of(&sent[0], "0.5");
    report(&r);
    report(&r);
    ck_assert_int_eq(count_of(MSG_FILL), 1);
    restart();
    report(&r);
    ck_assert_int_eq(count_of(MSG_FILL), 1);
    ck_assert_int_eq(figure(hand, "repeated_trades"), 1);
}
END_TEST

START_TEST(reports_of_nobody_are_counted_and_change_nothing)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    int before = n_journal;
    struct order_report r = fill_of(&sent[0], "0.5");
    strcpy(r.client_id, "paper-7-6-0-0");
    report(&r);
    r = fill_of(&sent[0], "0.5");
    strcpy(r.venue, "b");
    report(&r);
    ck_assert_int_eq(figure(hand, "unknown_reports"), 2);
    r = fill_of(&sent[0], "-1");
    report(&r);
    r = fill_of(&sent[0], "1");
    r.trade_id[0] = '\0';
    report(&r);
    ck_assert_int_eq(figure(hand, "malformed_reports"), 2);
    ck_assert_int_eq(n_journal, before);
}
END_TEST

START_TEST(an_order_is_not_over_before_all_its_fills_are_there)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(1, "1");
    done(0, "1");
    expect_basket(BASKET_OPEN, REASON_NONE, false, "0");
    ck_assert_int_eq(n_sent, 2);
    pass(999);
    ck_assert_int_eq(n_sent, 2);
    pass(1); /* the fill was lost: what became of it? */
    ck_assert_int_eq(n_sent, 3);
    ck_assert_int_eq(sent[2].state, ORDER_UNKNOWN);
    ck_assert_str_eq(sent[2].client_id, sent[0].client_id);
    fill(0, "1");
    expect_basket(BASKET_DONE, REASON_NONE, true, "0");
}
END_TEST

START_TEST(an_order_that_says_nothing_is_asked_for_again_and_again)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(1, "1");
    pass(1000);
    ck_assert_int_eq(n_sent, 3);
    int before = n_journal;
    pass(1000);
    ck_assert_int_eq(n_sent, 4);
    ck_assert_int_eq(sent[3].state, ORDER_UNKNOWN);
    ck_assert_int_eq(n_journal, before);
}
END_TEST

static void not_found(int order)
{
    struct order_report r = report_of(REPORT_NOT_FOUND, &sent[order]);
    report(&r);
}

START_TEST(not_found_counts_when_it_is_said_twice_after_the_order_can_no_more_be_on_its_way)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(1, "1");
    pass(1000);
    not_found(0);
    pass(999); /* the deadline is in a second, and then it may take as long as an answer may */
    not_found(0);
    not_found(0);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.state, ORDER_UNKNOWN);
    pass(1);
    not_found(0);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.state, ORDER_UNKNOWN);
    int before = n_sent;
    pass(1000);
    ck_assert_int_eq(n_sent, before + 1);
    ck_assert_int_eq(sent[before].state, ORDER_UNKNOWN);
    not_found(0);
    ck_assert_int_eq(last_of(MSG_BASKET)->basket.state, BASKET_COMPLETING);
    expect_order(before + 1, "paper-7-5-0-1", SIDE_BUY, "1", "100.3");
}
END_TEST

/* Both orders of a basket are given up: the venue does not have them. */
static void give_up(void)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    pass(2000);
    for (int times = 0; times < 2; times++) {
        not_found(0);
        not_found(1);
        pass(1000);
    }
    expect_basket(BASKET_FLAT, REASON_VENUE_DOWN, true, "0");
}

START_TEST(an_order_that_is_found_after_all_is_open_again_and_asked_for_until_it_ends)
{
    give_up();
    struct order_report r = report_of(REPORT_ACK, &sent[1]);
    report(&r);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.state, ORDER_NEW);
    ck_assert_int_eq(figure(hand, "orders_reopened"), 1);
    ck_assert_int_eq(figure(hand, "orders_open"), 1);
    int before = n_sent;
    pass(1000);
    ck_assert_int_eq(n_sent, before + 1);
    ck_assert_str_eq(sent[before].client_id, sent[1].client_id);
    restart();
    ck_assert_int_eq(n_sent, before + 2);
    fill(1, "0.5");
    expect_basket(BASKET_PARKED, REASON_VENUE_DOWN, true, "-0.5");
    ck_assert_int_eq(figure(hand, "orders_open"), 1);
    done(1, "0.5");
    ck_assert_int_eq(figure(hand, "orders_open"), 0);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.state, ORDER_CANCELED);
}
END_TEST

START_TEST(a_fill_of_an_order_that_was_given_up_opens_it_again)
{
    give_up();
    fill(0, "0.25");
    ck_assert_int_eq(last_of(MSG_POSITION)->position.market_time, now.market_ns);
    ck_assert_int_eq(figure(hand, "orders_reopened"), 1);
    ck_assert_int_eq(figure(hand, "orders_open"), 1);
    expect_basket(BASKET_PARKED, REASON_VENUE_DOWN, true, "0.25");
    fill(0, "0.75");
    ck_assert_int_eq(figure(hand, "orders_open"), 0);
    expect_basket(BASKET_PARKED, REASON_VENUE_DOWN, true, "1");
}
END_TEST

START_TEST(what_a_venue_refused_stays_refused)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    reject(0, REASON_NO_BALANCE);
    struct order_report r = report_of(REPORT_ACK, &sent[0]);
    report(&r);
    ck_assert_int_eq(figure(hand, "orders_reopened"), 0);
    ck_assert_int_eq(figure(hand, "ignored_events"), 1);
}
END_TEST

START_TEST(not_found_means_nothing_unless_it_was_asked)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    int before = n_journal;
    struct order_report r = report_of(REPORT_NOT_FOUND, &sent[0]);
    report(&r);
    ck_assert_int_eq(n_journal, before);
    ck_assert_int_eq(figure(hand, "ignored_events"), 1);
}
END_TEST

START_TEST(a_late_fill_is_booked_and_what_it_leaves_is_parked)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    reject(0, REASON_VENUE_REJECT);
    reject(1, REASON_VENUE_REJECT);
    expect_basket(BASKET_FLAT, REASON_VENUE_REJECT, true, "0");
    fill(1, "0.25");
    ck_assert_int_eq(count_of(MSG_FILL), 1);
    ck_assert_int_eq(figure(hand, "late_fills"), 1);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.state, ORDER_CANCELED);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.filled, 250);
    expect_basket(BASKET_PARKED, REASON_VENUE_REJECT, true, "-0.25");
    int baskets = count_of(MSG_BASKET);
    done(1, "0.25");
    ck_assert_int_eq(count_of(MSG_BASKET), baskets);
    fill(0, "0.25");
    expect_basket(BASKET_DONE, REASON_VENUE_REJECT, true, "0");
}
END_TEST

START_TEST(more_than_was_ordered_is_booked_and_unwound)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(0, "1.5");
    ck_assert_int_eq(figure(hand, "overfills"), 1);
    fill(1, "1");
    expect_basket(BASKET_UNWINDING, REASON_NONE, false, "0.5");
    expect_order(2, "paper-7-5-0-1", SIDE_SELL, "0.5", "99.8");
}
END_TEST

/* ---- life --------------------------------------------------------------------------------------------- */

START_TEST(a_life_begins_with_its_epoch_and_asks_for_what_was_open)
{
    ck_assert_int_eq(journal[0].env.type, MSG_EPOCH);
    ck_assert_uint_eq(journal[0].env.pos, 1);
    ck_assert_uint_eq(journal[0].epoch.base_pos, 0);
    ck_assert_int_eq(journal[1].session.event, SESSION_START);
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(0, "1");
    int before = n_journal;
    restart();
    ck_assert_int_eq(journal[before].env.type, MSG_EPOCH);
    ck_assert_uint_eq(journal[before].env.epoch, 2);
    ck_assert_uint_eq(journal[before].env.pos, (uint64_t)before + 1);
    ck_assert_uint_eq(journal[before].epoch.base_epoch, 1);
    ck_assert_uint_eq(journal[before].epoch.base_pos, (uint64_t)before);
    ck_assert_int_eq(journal[before + 1].session.event, SESSION_RESUME);
    ck_assert_int_eq(journal[before + 2].order.state, ORDER_UNKNOWN);
    ck_assert_int_eq(n_sent, 3);
    ck_assert_str_eq(sent[2].client_id, sent[1].client_id);
    fill(1, "1");
    expect_basket(BASKET_DONE, REASON_NONE, true, "0");
}
END_TEST

START_TEST(more_open_orders_than_one_input_has_room_for_are_asked_for_in_turn)
{
    for (uint64_t pos = 1; pos <= 150; pos++) {
        struct message m = decision(pos, POLICY_COMPLETE);
        n_sent = 0;
        exec_on_risk(hand, &m, now, &out);
        struct devices devices = {.send = send_one};
        ck_assert_int_eq(effects_run(&out, &devices), OK);
    }
    ck_assert_int_eq(figure(hand, "orders_open"), 300);
    /* All of them say nothing for a second. */
    now.market_ns += NS_PER_SEC;
    int asked = 0;
    for (int i = 0; i < 10; i++) {
        n_sent = 0;
        exec_on_time(hand, now, &out);
        ck_assert_uint_le(out.n_messages, OUTBOX_PER_INPUT_MAX);
        for (uint32_t e = 0; e < out.n_effects; e++)
            asked += out.effects[e].kind == EFFECT_SEND;
        struct devices devices = {0};
        ck_assert_int_eq(effects_run(&out, &devices), OK);
    }
    ck_assert_int_eq(asked, 300);
}
END_TEST

START_TEST(finished_baskets_are_forgotten_when_room_is_needed)
{
    struct devices devices = {.send = send_one};
    for (uint64_t pos = 1; pos <= 9000; pos++) {
        struct message m = decision(pos, POLICY_COMPLETE);
        n_sent = 0;
        exec_on_risk(hand, &m, now, &out);
        ck_assert_int_eq(effects_run(&out, &devices), OK);
        ck_assert_int_eq(n_sent, 2);
        for (int i = 0; i < 2; i++) {
            struct order_report r = fill_of(&sent[i], "1");
            exec_on_report(hand, &r, now, &out);
        }
        ck_assert_int_eq(effects_run(&out, &devices), OK);
        ck_assert_uint_eq(exec_open_baskets(hand), 0);
    }
    ck_assert_int_eq(figure(hand, "fills"), 18000);
    ck_assert_int_gt(figure(hand, "baskets_forgotten"), 4000);
}
END_TEST

START_TEST(client_ids_fit_every_venue)
{
    struct message m = decision(UINT64_MAX - 1, POLICY_COMPLETE);
    strcpy(config.run.account, "my account/0123");
    m.env.epoch = UINT64_MAX;
    decide(&m);
    ck_assert_str_eq(sent[0].client_id, "my_-3w5e11264sgsf-3w5e11264sgse-0-0");
    ck_assert_uint_le(strlen(sent[0].client_id), 35);
    ck_assert_str_ne(sent[0].client_id, sent[1].client_id);
}
END_TEST

int main(void)
{
    TCase *promises = tcase_create("promises");
    tcase_set_timeout(promises, 60);
    tcase_add_checked_fixture(promises, begin, end);
    tcase_add_test(promises, a_trade_told_twice_is_booked_once);
    tcase_add_test(promises, reports_of_nobody_are_counted_and_change_nothing);
    tcase_add_test(promises, an_order_is_not_over_before_all_its_fills_are_there);
    tcase_add_test(promises, an_order_that_says_nothing_is_asked_for_again_and_again);
    tcase_add_test(promises,
                   not_found_counts_when_it_is_said_twice_after_the_order_can_no_more_be_on_its_way);
    tcase_add_test(promises, an_order_that_is_found_after_all_is_open_again_and_asked_for_until_it_ends);
    tcase_add_test(promises, a_fill_of_an_order_that_was_given_up_opens_it_again);
    tcase_add_test(promises, what_a_venue_refused_stays_refused);
    tcase_add_test(promises, not_found_means_nothing_unless_it_was_asked);
    tcase_add_test(promises, a_late_fill_is_booked_and_what_it_leaves_is_parked);
    tcase_add_test(promises, more_than_was_ordered_is_booked_and_unwound);
    tcase_add_test(promises, a_life_begins_with_its_epoch_and_asks_for_what_was_open);
    tcase_add_test(promises, more_open_orders_than_one_input_has_room_for_are_asked_for_in_turn);
    tcase_add_test(promises, finished_baskets_are_forgotten_when_room_is_needed);
    tcase_add_test(promises, client_ids_fit_every_venue);
    Suite *suite = suite_create("exec orders");
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
