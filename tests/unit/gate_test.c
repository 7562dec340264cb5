/* What the gate promises of its verdicts, and of the checks of the tiers global and venue. Every test starts
 * from an intent that is accepted as it stands. */
#include "tests/unit/risk_scene.h"

/* ---- the verdict ------------------------------------------------------------------------------------- */

START_TEST(a_good_intent_is_accepted_and_its_decision_is_the_whole_order)
{
    struct message m = entry();
    m.env.trace.recv_mono = 4711;
    const struct message *decision = must_accept(&m);
    const struct decision *is = &decision->decision;
    ck_assert_uint_eq(is->count, 1);
    ck_assert_uint_eq(is->limits_version, 1);
    ck_assert_uint_eq(is->intent_id, m.intent.id);
    ck_assert_uint_eq(is->incarnation, 11);
    ck_assert_str_eq(is->worker, "w1");
    ck_assert_str_eq(is->run, "run-1");
    ck_assert_str_eq(is->route, ROUTE);
    ck_assert_int_eq(is->kind, INTENT_ENTER);
    ck_assert_int_eq(is->deadline, m.intent.deadline);
    ck_assert_int_eq(is->accepted_time, now.market_ns);
    ck_assert_int_eq(is->edge_nbps, 12 * NS_PER_SEC);
    ck_assert_uint_eq(is->n_legs, 2);
    ck_assert_mem_eq(is->legs, m.intent.legs, sizeof is->legs);
    ck_assert_int_eq(decision->env.trace.recv_mono, 4711);
    ck_assert_int_eq(metric_of("decisions"), 1);
    ck_assert_int_eq(metric_of("accepts"), 1);
    ck_assert_int_eq(metric_of("open_baskets"), 1);
    ck_assert_int_eq(metric_of("open_orders"), 2);
}
END_TEST

START_TEST(the_approved_slippage_never_goes_beyond_the_collar)
{
    struct message m = entry();
    m.intent.slippage_bps = d("80");
    const struct message *decision = must_accept(&m);
    ck_assert_int_eq(dec_cmp(decision->decision.slippage_bps, d("50")), 0);
}
END_TEST

START_TEST(of_two_equal_verdicts_the_earlier_check_speaks)
{
    struct message m = entry();
    m.intent.deadline = now.market_ns - 1;
    m.intent.legs[0].price = 20000;
    must_refuse(&m, REASON_PRICE_COLLAR, TIER_INSTRUMENT);
}
END_TEST

START_TEST(a_reject_wins_over_an_earlier_cool_down)
{
    enter_whole();
    leave_whole();
    struct message m = entry();
    must_refuse(&m, REASON_COOL_DOWN, TIER_ROUTE);
    m = entry();
    m.intent.deadline = now.market_ns - 1;
    must_refuse(&m, REASON_DEADLINE, TIER_INTENT);
}
END_TEST

START_TEST(what_a_check_cannot_work_out_is_a_reject)
{
    struct message m = entry();
    m.intent.legs[0].qty = 9000000000000000000;
    m.intent.legs[0].qty_exp = 10;
    must_refuse_by(&m, REASON_OVERFLOW, TIER_INTENT, "0", "0");
    m = entry();
    m.intent.legs[0].qty = 100000000000000000;
    m.intent.legs[0].qty_exp = 3;
    must_refuse_by(&m, REASON_OVERFLOW, TIER_GLOBAL, "0", "0");
}
END_TEST

/* ---- global ------------------------------------------------------------------------------------------ */

START_TEST(while_draining_nothing_is_accepted)
{
    enter_whole();
    ck_assert_int_eq(risk_on_control(risk, VERB_DRAIN, "", now, &outbox), CONTROL_DONE);
    struct message m = leaving("1");
    must_refuse_by(&m, REASON_STOPPING, TIER_GLOBAL, "0", "0");
}
END_TEST

START_TEST(while_halted_nothing_is_accepted_until_resumed)
{
    enter_whole();
    ck_assert_int_eq(risk_on_control(risk, VERB_HALT, "by hand", now, &outbox), CONTROL_DONE);
    take();
    ck_assert_int_eq(last(MSG_STATE)->state.state, RISK_HALTED);
    ck_assert_str_eq(last(MSG_STATE)->state.detail, "by hand");
    struct message m = leaving("1");
    must_refuse_by(&m, REASON_HALTED, TIER_GLOBAL, "0", "0");
    ck_assert_int_eq(risk_on_control(risk, VERB_RESUME, "", now, &outbox), CONTROL_DONE);
    take();
    m = leaving("1");
    must_accept(&m);
}
END_TEST

START_TEST(in_reduce_only_exits_pass_and_entries_do_not)
{
    enter_whole();
    ck_assert_int_eq(risk_on_control(risk, VERB_REDUCE, "", now, &outbox), CONTROL_DONE);
    take();
    struct message m = entry();
    must_refuse_by(&m, REASON_REDUCE_ONLY, TIER_GLOBAL, "0", "0");
    m = leaving("1");
    must_accept(&m);
}
END_TEST

START_TEST(the_days_loss_halts_and_stays_the_reason_until_reduced)
{
    begin_with("risk.max_daily_loss", "10");
    enter_whole();
    quote_at("BTC-USDT", "alfa", "89.80", "89.82");
    pass_ms(1000);
    exec_beat();
    tick_time();
    const struct state *halt = &last(MSG_STATE)->state;
    ck_assert_int_eq(halt->state, RISK_HALTED);
    ck_assert_int_eq(halt->reason, REASON_DAILY_LOSS);
    assert_money(halt->day_pnl, "-10.36"); /* 89.81 - 100.01 at alfa, 99.99 - 100 at beta, fees of 0.15 */
    quote_at("BTC-USDT", "beta", "99.99", "100.01");
    struct message m = entry();
    leg_of(&m.intent, 0, "alfa", SIDE_BUY, "89.82", "1");
    const struct message *decision = must_refuse(&m, REASON_DAILY_LOSS, TIER_GLOBAL);
    assert_money(decision->decision.limit, "-10");
    assert_money(decision->decision.value, "-10.36");
    ck_assert_int_eq(risk_on_control(risk, VERB_RESUME, "", now, &outbox), CONTROL_REFUSED);
    ck_assert_int_eq(risk_on_control(risk, VERB_REDUCE, "", now, &outbox), CONTROL_DONE);
    take();
    pass_ms(1000);
    exec_beat();
    tick_time();
    hello("w1", 11);
    m = leaving("1");
    leg_of(&m.intent, 0, "alfa", SIDE_SELL, "89.80", "1");
    must_accept(&m);
    ck_assert_int_eq(metric_of("rejects_DAILY_LOSS"), 1);
}
END_TEST

START_TEST(a_loss_that_comes_back_after_the_resume_halts_again)
{
    begin_with("risk.max_daily_loss", "10");
    enter_whole();
    for (int turn = 0; turn < 2; turn++) {
        quote_at("BTC-USDT", "alfa", "89.80", "89.82");
        pass_ms(1000);
        exec_beat();
        tick_time();
        ck_assert_int_eq(metric_of("state"), RISK_HALTED);
        quote_at("BTC-USDT", "alfa", "99.99", "100.01");
        pass_ms(1000);
        exec_beat();
        tick_time();
        ck_assert_int_eq(risk_on_control(risk, VERB_RESUME, "", now, &outbox), CONTROL_DONE);
        take();
        ck_assert_int_eq(metric_of("state"), RISK_NORMAL);
    }
}
END_TEST

START_TEST(a_loss_seen_while_exec_is_behind_stops_entries_though_it_does_not_halt)
{
    begin_with("risk.max_daily_loss", "10");
    enter_whole();
    quote_at("BTC-USDT", "alfa", "89.80", "89.82");
    pass_ms(1000);
    exec_pos++;
    exec_beat();
    tick_time();
    ck_assert_int_eq(metric_of("state"), RISK_NORMAL);
    struct message m = entry();
    const struct message *decision = must_refuse(&m, REASON_DAILY_LOSS, TIER_GLOBAL);
    assert_money(decision->decision.value, "-10.36");
}
END_TEST

START_TEST(without_a_beat_of_exec_nothing_is_opened)
{
    begin_bare();
    list("BTC-USDT", "alfa", "BTC", "USDT");
    list("BTC-USDT", "beta", "BTC", "USDT");
    refresh_books();
    hello("w1", 11);
    struct message m = entry();
    must_refuse_by(&m, REASON_EXEC_BEHIND, TIER_GLOBAL, "0", "0");
    exec_beat();
    m = entry();
    must_accept(&m);
}
END_TEST

START_TEST(a_late_beat_of_exec_stops_entries_and_no_exit)
{
    enter_whole();
    pass_ms(2001);
    refresh_books();
    struct message m = entry();
    must_refuse_by(&m, REASON_EXEC_BEHIND, TIER_GLOBAL, "2", "2.001");
    m = leaving("1");
    must_accept(&m);
}
END_TEST

START_TEST(a_beat_ahead_of_what_was_applied_stops_entries)
{
    exec_pos = 3;
    exec_beat();
    struct message m = entry();
    must_refuse_by(&m, REASON_EXEC_BEHIND, TIER_GLOBAL, "3", "0");
}
END_TEST

START_TEST(a_gap_in_execs_ledger_stops_entries)
{
    struct message m = exec_record(MSG_GAP);
    from_exec(&m);
    exec_beat();
    m = entry();
    must_refuse(&m, REASON_EXEC_BEHIND, TIER_GLOBAL);
    ck_assert_int_eq(metric_of("broken"), 1);
}
END_TEST

START_TEST(gross_exposure_is_held_against_the_worst_case_of_all_instruments)
{
    begin_with("risk.max_gross", "199.999");
    struct message m = entry();
    const struct message *decision = must_refuse(&m, REASON_GROSS_EXPOSURE, TIER_GLOBAL);
    assert_money(decision->decision.limit, "199.999");
    assert_money(decision->decision.value, "200"); /* two legs of 1 at a mid of 100 */
    ck_assert_uint_eq(decision->decision.limits_version, 2);
    m = entry();
    leg_of(&m.intent, 0, "alfa", SIDE_BUY, "100.02", "0.9");
    leg_of(&m.intent, 1, "beta", SIDE_SELL, "99.98", "0.9");
    must_accept(&m);
    ck_assert_int_eq(metric_of("gross"), 180000000);
}
END_TEST

START_TEST(a_position_without_a_price_stops_entries)
{
    enter_whole();
    struct view *blind = view_new(64, 0);
    view_destroy(&view);
    view = blind;
    restart(2);
    exec_beat();
    hello("w1", 11);
    ck_assert_int_eq(metric_of("unpriced"), 2);
    struct message m = entry();
    const struct message *decision = must_refuse(&m, REASON_NO_FX, TIER_GLOBAL);
    assert_money(decision->decision.value, "2");
}
END_TEST

/* ---- venue ------------------------------------------------------------------------------------------- */

static void make_stale(enum stale_reason reason)
{
    struct message m = book_of("BTC-USDT", "beta", "99.99", "100.01");
    m.book.state = BOOK_STALE;
    m.book.reason = reason;
    show(&m);
}

START_TEST(a_venue_that_is_down_stops_entries_and_no_exit)
{
    enter_whole();
    make_stale(STALE_DISCONNECT);
    struct message m = entry();
    must_refuse_by(&m, REASON_VENUE_DOWN, TIER_VENUE, "0", "0");
    m = leaving("1");
    must_accept(&m);
}
END_TEST

START_TEST(a_stale_book_stops_entries_and_no_exit_while_its_price_is_young)
{
    enter_whole();
    make_stale(STALE_GAP);
    struct message m = entry();
    must_refuse_by(&m, REASON_DATA_STALE, TIER_VENUE, "0", "2");
    pass_ms(30001);
    m = leaving("1");
    must_refuse_by(&m, REASON_DATA_STALE, TIER_VENUE, "30", "30.001");
    pass_ms(-1);
    m = leaving("1");
    must_accept(&m);
}
END_TEST

START_TEST(a_book_too_old_by_local_time_stops_entries_and_no_exit)
{
    enter_whole();
    pass_ms(2001);
    quote_at("BTC-USDT", "alfa", "99.99", "100.01");
    exec_beat();
    struct message m = entry();
    must_refuse_by(&m, REASON_DATA_STALE, TIER_VENUE, "2", "2.001");
    m = leaving("1");
    must_accept(&m);
}
END_TEST

START_TEST(a_book_too_old_by_market_time_stops_entries)
{
    now.market_ns += 30001 * NS_PER_MS;
    struct message m = entry();
    must_refuse_by(&m, REASON_DATA_STALE, TIER_VENUE, "30", "30.001");
}
END_TEST

START_TEST(without_an_exchange_rate_nothing_is_opened_but_what_is_open_may_go)
{
    enter_whole();
    char error[CONFIG_ERROR_MAX];
    ck_assert_int_eq(config_set(&config, "run.reporting", "KRW", error), OK);
    restart(2);
    hello("w1", 11);
    exec_beat();
    struct message m = leaving("1");
    must_accept(&m);
    end();

    begin_with("run.reporting", "KRW");
    m = entry();
    const struct message *decision = must_refuse(&m, REASON_NO_FX, TIER_VENUE);
    assert_money(decision->decision.limit, "60");
    static const char *const limits[] = {"risk.max_gross", "risk.max_position", "risk.max_notional"};
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(config_set(&config, limits[i], "1000000", error), OK);
    restart(3);
    hello("w1", 11);
    list("USDT-KRW", "upbit", "USDT", "KRW");
    quote_at("USDT-KRW", "upbit", "1399", "1401");
    exec_beat();
    m = entry();
    must_accept(&m);
    ck_assert_int_eq(metric_of("gross"), INT64_C(280000000000));
}
END_TEST

/* ---- all --------------------------------------------------------------------------------------------- */

int main(void)
{
    Suite *suite = suite_create("gate");
    TCase *c = tcase_create("with the limits' defaults");
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, a_good_intent_is_accepted_and_its_decision_is_the_whole_order);
    tcase_add_test(c, the_approved_slippage_never_goes_beyond_the_collar);
    tcase_add_test(c, of_two_equal_verdicts_the_earlier_check_speaks);
    tcase_add_test(c, a_reject_wins_over_an_earlier_cool_down);
    tcase_add_test(c, what_a_check_cannot_work_out_is_a_reject);
    tcase_add_test(c, while_draining_nothing_is_accepted);
    tcase_add_test(c, while_halted_nothing_is_accepted_until_resumed);
    tcase_add_test(c, in_reduce_only_exits_pass_and_entries_do_not);
    tcase_add_test(c, a_late_beat_of_exec_stops_entries_and_no_exit);
    tcase_add_test(c, a_beat_ahead_of_what_was_applied_stops_entries);
    tcase_add_test(c, a_gap_in_execs_ledger_stops_entries);
    tcase_add_test(c, a_position_without_a_price_stops_entries);
    tcase_add_test(c, a_venue_that_is_down_stops_entries_and_no_exit);
    tcase_add_test(c, a_stale_book_stops_entries_and_no_exit_while_its_price_is_young);
    tcase_add_test(c, a_book_too_old_by_local_time_stops_entries_and_no_exit);
    tcase_add_test(c, a_book_too_old_by_market_time_stops_entries);
    tcase_add_test(c, without_an_exchange_rate_nothing_is_opened_but_what_is_open_may_go);
    suite_add_tcase(suite, c);
    TCase *own = tcase_create("with limits of its own");
    tcase_add_checked_fixture(own, NULL, end);
    tcase_add_test(own, the_days_loss_halts_and_stays_the_reason_until_reduced);
    tcase_add_test(own, a_loss_that_comes_back_after_the_resume_halts_again);
    tcase_add_test(own, a_loss_seen_while_exec_is_behind_stops_entries_though_it_does_not_halt);
    tcase_add_test(own, without_a_beat_of_exec_nothing_is_opened);
    tcase_add_test(own, gross_exposure_is_held_against_the_worst_case_of_all_instruments);
    suite_add_tcase(suite, own);
    return run_suite(suite);
}
