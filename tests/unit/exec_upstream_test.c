/* What the hand promises of risk's ledger and of its own, when one of them has lost its end: an epoch of risk is
 * obeyed when that is on disk, an older one never again; and an order that the venue has is not sent a second time,
 * though the record of it is gone. */
#include "tests/unit/exec_scene.h"

static struct message risk_record(enum message_type type, uint64_t epoch, uint64_t pos)
{
    struct message m;
    message_init(&m, type);
    strcpy(m.env.stream, "risk");
    m.env.epoch = epoch;
    m.env.pos = pos;
    return m;
}

static void hear(enum message_type type, uint64_t epoch, uint64_t pos)
{
    struct message m = risk_record(type, epoch, pos);
    decide(&m);
}

static void lose(uint64_t from_pos, uint64_t to_pos, const char *cause)
{
    struct message m = risk_record(MSG_GAP, 0, 0);
    strcpy(m.gap.stream_lost, "risk");
    strcpy(m.gap.cause, cause);
    m.gap.from_epoch = RISK_EPOCH;
    m.gap.from_pos = from_pos;
    m.gap.to_pos = to_pos;
    decide(&m);
}

static void expect_upstream(uint64_t epoch, uint64_t pos)
{
    const struct upstream *told = &last_of(MSG_UPSTREAM)->upstream;
    ck_assert_uint_eq(told->risk_epoch, epoch);
    ck_assert_uint_eq(told->risk_pos, pos);
}

/* ---- how far risk's ledger is taken -------------------------------------------------------------------- */

START_TEST(an_epoch_of_risk_is_on_disk_before_it_is_obeyed)
{
    hear(MSG_EPOCH, 7, 3);
    expect_upstream(7, 3);
    ck_assert_int_eq(n_synced, n_journal);
    struct message m = decision(4, POLICY_COMPLETE);
    m.env.epoch = 9; /* its beginning was in a gap: what is taken of it is what is before this one */
    decide(&m);
    expect_upstream(9, 3);
    ck_assert_ptr_eq(last_of(MSG_UPSTREAM), &journal[n_journal - 4]);
    ck_assert_int_eq(n_sent, 2);
}
END_TEST

START_TEST(decisions_of_an_older_epoch_are_refused_in_this_life_and_the_next)
{
    hear(MSG_EPOCH, 7, 3);
    hear(MSG_EPOCH, 8, 4);
    for (int64_t life = 1; life <= 2; life++) {
        struct message m = decision(5, POLICY_COMPLETE);
        decide(&m);
        ck_assert_int_eq(n_sent, 0);
        ck_assert_int_eq(count_of(MSG_BASKET), 0);
        ck_assert_int_eq(figure(hand, "decisions_fenced"), 1);
        restart();
    }
}
END_TEST

START_TEST(a_beat_of_an_epoch_whose_records_are_still_to_come_fences_nothing)
{
    hear(MSG_EPOCH, 7, 3);
    hear(MSG_BEAT, 8, 0);
    struct message m = decision(4, POLICY_COMPLETE);
    decide(&m);
    ck_assert_int_eq(n_sent, 2);
    expect_upstream(7, 3);
}
END_TEST

START_TEST(positions_that_risk_lost_and_gives_out_again_are_other_decisions)
{
    struct message m = decision(10, POLICY_COMPLETE);
    decide(&m);
    fill(0, "1");
    lose(9, 10, "rollback");
    ck_assert_str_eq(last_of(MSG_GAP)->gap.cause, "rollback");
    hear(MSG_EPOCH, 8, 9);
    m = decision(10, POLICY_COMPLETE);
    m.env.epoch = 8;
    decide(&m);
    ck_assert_int_eq(n_sent, 4);
    ck_assert_str_eq(sent[2].client_id, "paper-8-a-0-0");
    ck_assert_uint_eq(exec_open_baskets(hand), 2); /* what was made of the lost decision goes on */
    fill(1, "1");
    ck_assert_int_eq(last_of(MSG_BASKET)->basket.state, BASKET_DONE);
    ck_assert_uint_eq(last_of(MSG_BASKET)->basket.risk_epoch, 7);
    fill(2, "1");
    fill(3, "1");
    expect_basket(BASKET_DONE, REASON_NONE, true, "0");
    ck_assert_uint_eq(last_of(MSG_BASKET)->basket.risk_epoch, 8);
}
END_TEST

START_TEST(what_is_lost_to_retention_is_recorded_and_passed)
{
    hear(MSG_EPOCH, 7, 3);
    lose(4, 900, "retention");
    ck_assert_uint_eq(last_of(MSG_GAP)->gap.to_pos, 900);
    struct message m = decision(901, POLICY_COMPLETE);
    decide(&m);
    ck_assert_int_eq(n_sent, 2);
    ck_assert_int_eq(figure(hand, "risk_gaps"), 1);
}
END_TEST

START_TEST(how_far_it_is_taken_is_written_now_and_then_if_it_has_moved)
{
    uint64_t pos = 3, epoch;
    hear(MSG_EPOCH, 7, pos);
    now.mono_ns += 10 * NS_PER_SEC;
    pass(0);
    ck_assert_int_eq(count_of(MSG_UPSTREAM), 1);
    hear(MSG_SESSION, 7, ++pos);
    pass(0);
    expect_upstream(7, 4);
    while (pos < 1003)
        hear(MSG_SESSION, 7, ++pos);
    pass(0);
    ck_assert_int_eq(count_of(MSG_UPSTREAM), 2);
    hear(MSG_SESSION, 7, ++pos);
    pass(0);
    expect_upstream(7, 1004);
    hear(MSG_SESSION, 7, ++pos);
    now.mono_ns += NS_PER_SEC - 1;
    pass(0);
    ck_assert_int_eq(count_of(MSG_UPSTREAM), 3);
    exec_upstream(hand, &epoch, &pos);
    ck_assert_uint_eq(pos, 1005);
    (void)exec_on_control(hand, VERB_STOP, "", now, &out);
    settle();
    expect_upstream(7, 1005);
    ck_assert_int_eq(journal[n_journal - 1].env.type, MSG_SESSION);
    restart();
    exec_upstream(hand, &epoch, &pos);
    ck_assert_uint_eq(epoch, 7);
    ck_assert_uint_eq(pos, 1005);
}
END_TEST

/* ---- orders that only the venue has ---------------------------------------------------------------------- */

static int list(const struct order *order, const char *filled)
{
    struct order_report r = report_of(REPORT_LISTED, order);
    strcpy(r.symbol, order->symbol);
    r.side = order->side;
    r.tif = order->tif;
    r.price = (struct dec){order->price, order->price_exp};
    r.qty = (struct dec){order->qty, order->qty_exp};
    r.filled = d(filled);
    int status = exec_on_listed(hand, &r, now, &out);
    settle();
    return status;
}

/* Power fails: all but the first records are lost. */
static void restart_with(int records)
{
    n_journal = records;
    n_sent = 0;
    restart();
}

static int questions(void)
{
    int n = 0;
    for (int i = 0; i < n_sent; i++)
        n += sent[i].state == ORDER_UNKNOWN;
    return n;
}

START_TEST(an_order_whose_record_is_lost_is_found_at_the_venue_and_not_sent_again)
{
    struct message m = decision(5, POLICY_COMPLETE);
    hear(MSG_EPOCH, 7, 3);
    int before = n_journal;
    decide(&m);
    struct order first = sent[0], second = sent[1];
    restart_with(before);
    ck_assert_int_eq(list(&first, "0.5"), OK);
    ck_assert_int_eq(list(&second, "1"), OK);
    ck_assert_int_eq(n_sent, 0);
    now.market_ns += 10 * NS_PER_SEC; /* its deadline is over: what is sent is sent */
    decide(&m);
    ck_assert_int_eq(n_sent, 2);
    ck_assert_int_eq(questions(), 2);
    ck_assert_uint_eq(last_of(MSG_BASKET)->basket.n_legs, 2);
    ck_assert_str_eq(last_of(MSG_ORDER)->order.route, m.decision.route);
    ck_assert_int_eq(figure(hand, "orders_adopted"), 2);
    sent[0] = first;
    sent[1] = second;
    fill(0, "0.5");
    done(0, "0.5");
    fill(1, "1");
    expect_order(2, "paper-7-5-0-1", SIDE_BUY, "0.5", "100.3");
    fill(2, "0.5");
    expect_basket(BASKET_DONE, REASON_NONE, true, "0");
    ck_assert_int_eq(count_of(MSG_FILL), 3);
    decide(&m);
    ck_assert_int_eq(figure(hand, "decisions_skipped"), 1);
}
END_TEST

START_TEST(a_leg_that_was_not_sent_when_the_other_was_is_completed)
{
    struct message m = decision(5, POLICY_COMPLETE);
    hear(MSG_EPOCH, 7, 3);
    int before = n_journal;
    decide(&m);
    struct order second = sent[1];
    restart_with(before);
    (void)list(&second, "1");
    decide(&m);
    ck_assert_int_eq(n_sent, 1);
    sent[0] = second;
    fill(0, "1");
    expect_order(1, "paper-7-5-0-0", SIDE_BUY, "1", "100.3");
    fill(1, "1");
    expect_basket(BASKET_DONE, REASON_NONE, true, "0");
}
END_TEST

START_TEST(a_lost_attempt_is_adopted_into_its_basket_and_its_number_not_used_again)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(0, "1");
    int before = n_journal;
    done(1, "0");
    ck_assert_str_eq(sent[2].client_id, "paper-7-5-1-1");
    struct order second = sent[1], lost = sent[2];
    restart_with(before);
    (void)list(&second, "0");
    (void)list(&lost, "0.25");
    ck_assert_int_eq(n_sent, 2); /* the one that is open here, and the one that is not known here */
    ck_assert_int_eq(questions(), 2);
    sent[0] = second;
    sent[1] = lost;
    done(0, "0");
    fill(1, "0.25");
    done(1, "0.25");
    expect_order(2, "paper-7-5-1-2", SIDE_SELL, "0.75", "99.8");
}
END_TEST

START_TEST(a_fill_that_was_lost_behind_the_end_of_its_order_is_asked_for)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    reject(0, REASON_VENUE_REJECT);
    reject(1, REASON_VENUE_REJECT);
    struct order first = sent[0], second = sent[1];
    restart_with(n_journal);
    (void)list(&first, "0");
    ck_assert_int_eq(n_sent, 0);
    (void)list(&second, "0.25");
    ck_assert_int_eq(n_sent, 1);
    ck_assert_str_eq(sent[0].client_id, second.client_id);
    fill(0, "0.25");
    expect_basket(BASKET_PARKED, REASON_VENUE_REJECT, true, "-0.25");
}
END_TEST

/* Both sides of a decision that risk has lost too. */
START_TEST(an_order_whose_decision_is_lost_too_is_parked_with_all_that_it_holds)
{
    struct message m = decision(5, POLICY_COMPLETE);
    hear(MSG_EPOCH, 7, 3);
    int before = n_journal;
    decide(&m);
    struct order second = sent[1];
    restart_with(before);
    (void)list(&second, "0.5");
    pass(0);
    ck_assert_int_eq(n_sent, 0); /* its decision may still come */
    hear(MSG_EPOCH, 8, 4);
    pass(0);
    ck_assert_int_eq(questions(), 1);
    ck_assert_str_eq(last_of(MSG_BASKET)->basket.route, "");
    ck_assert_int_eq(last_of(MSG_BASKET)->basket.reason, REASON_UNKNOWN_ROUTE);
    ck_assert_uint_eq(last_of(MSG_BASKET)->basket.risk_epoch, 7);
    sent[0] = second;
    fill(0, "0.5");
    done(0, "0.5");
    expect_basket(BASKET_PARKED, REASON_NO_LIQUIDITY, true, "-0.5");
    char held[MONEY_TEXT_MAX];
    money_format(last_of(MSG_POSITION)->position.qty, held);
    ck_assert_str_eq(held, "-0.5");
    m = decision(5, POLICY_COMPLETE);
    m.env.epoch = 8;
    decide(&m); /* what risk makes of the position now is another decision */
    ck_assert_int_eq(n_sent, 3);
}
END_TEST

START_TEST(more_lost_orders_than_one_input_has_room_for_are_adopted_in_turn)
{
    enum { LOST = 120 };
    struct message m = decision(5, POLICY_COMPLETE);
    hear(MSG_EPOCH, 7, 3);
    int before = n_journal;
    decide(&m);
    struct order first = sent[0];
    restart_with(before);
    for (int i = 0; i < LOST; i++) {
        (void)snprintf(first.client_id, sizeof first.client_id, "paper-7-a%c%c-0-0", 'a' + i / 26,
                       'a' + i % 26);
        ck_assert_int_eq(list(&first, "0"), OK);
    }
    hear(MSG_EPOCH, 8, 4);
    int turns = 0;
    for (; count_of(MSG_BASKET) < LOST; turns++) {
        exec_on_time(hand, now, &out);
        ck_assert_uint_le(out.n_messages, OUTBOX_PER_INPUT_MAX);
        settle();
        n_sent = 0;
        ck_assert_int_lt(turns, LOST);
        if (turns == 0) /* a kill here: the next life finds the others again */
            restart_with(n_journal);
        for (int i = 0; turns == 0 && i < LOST; i++) {
            (void)snprintf(first.client_id, sizeof first.client_id, "paper-7-a%c%c-0-0", 'a' + i / 26,
                           'a' + i % 26);
            ck_assert_int_eq(list(&first, "0"), OK);
        }
    }
    ck_assert_int_gt(turns, 1);
    ck_assert_int_eq(count_of(MSG_BASKET), LOST);
    ck_assert_uint_eq(exec_open_baskets(hand), LOST);
}
END_TEST

START_TEST(what_is_not_ours_is_left_alone)
{
    static const char *const ids[] = {"other-7-5-0-0",
                                      "paper-7-5-0",
                                      "paper-7-5-9-0",
                                      "paper",
                                      "",
                                      "paper-07-5-0-0",
                                      "paper-7-5-0-zzzzzzzzzzzzzzz"};
    struct message m = decision(5, POLICY_COMPLETE);
    hear(MSG_EPOCH, 7, 3);
    int before = n_journal;
    decide(&m);
    struct order first = sent[0];
    restart_with(before);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        strcpy(first.client_id, ids[i]);
        ck_assert_int_eq(list(&first, "1"), OK);
        ck_assert_int_eq(figure(hand, "orders_not_ours"), (int64_t)i + 1);
    }
    decide(&m);
    ck_assert_int_eq(n_sent, 2);
    ck_assert_int_eq(questions(), 0);
}
END_TEST

int main(void)
{
    TCase *promises = tcase_create("promises");
    tcase_set_timeout(promises, 60);
    tcase_add_checked_fixture(promises, begin, end);
    tcase_add_test(promises, an_epoch_of_risk_is_on_disk_before_it_is_obeyed);
    tcase_add_test(promises, decisions_of_an_older_epoch_are_refused_in_this_life_and_the_next);
    tcase_add_test(promises, a_beat_of_an_epoch_whose_records_are_still_to_come_fences_nothing);
    tcase_add_test(promises, positions_that_risk_lost_and_gives_out_again_are_other_decisions);
    tcase_add_test(promises, what_is_lost_to_retention_is_recorded_and_passed);
    tcase_add_test(promises, how_far_it_is_taken_is_written_now_and_then_if_it_has_moved);
    tcase_add_test(promises, an_order_whose_record_is_lost_is_found_at_the_venue_and_not_sent_again);
    tcase_add_test(promises, a_leg_that_was_not_sent_when_the_other_was_is_completed);
    tcase_add_test(promises, a_lost_attempt_is_adopted_into_its_basket_and_its_number_not_used_again);
    tcase_add_test(promises, a_fill_that_was_lost_behind_the_end_of_its_order_is_asked_for);
    tcase_add_test(promises, an_order_whose_decision_is_lost_too_is_parked_with_all_that_it_holds);
    tcase_add_test(promises, more_lost_orders_than_one_input_has_room_for_are_adopted_in_turn);
    tcase_add_test(promises, what_is_not_ours_is_left_alone);
    Suite *suite = suite_create("exec upstream");
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
