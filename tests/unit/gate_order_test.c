/* What the checks of the tiers route, instrument and intent promise: which intents they stop, with which
 * reason, limit and value, and which they let pass. */
#include "tests/unit/risk_scene.h"

/* Buys at alfa, sells at gama: another route with one instrument in common. */
static struct message entry_at_gama(void)
{
    static const char route[] = "BTC-USDT@alfa~BTC-USDT@gama";
    struct message m = entry();
    const struct message *assigned = assignment_of(route);
    ck_assert_ptr_nonnull(assigned);
    strcpy(m.intent.route, route);
    m.intent.route_epoch = assigned ? assigned->assign.route_epoch : 0;
    leg_of(&m.intent, 1, "gama", SIDE_SELL, "99.98", "1");
    return m;
}

/* ---- route ------------------------------------------------------------------------------------------- */

START_TEST(an_unknown_route_is_refused_once_and_clearly)
{
    struct message m = entry();
    strcpy(m.intent.route, "ETH-USDT@alfa~ETH-USDT@beta");
    must_refuse_by(&m, REASON_UNKNOWN_ROUTE, TIER_ROUTE, "0", "0");
}
END_TEST

START_TEST(only_the_owner_in_its_incarnation_and_route_epoch_may_ask)
{
    struct message m = entry();
    strcpy(m.intent.worker, "w2");
    must_refuse_by(&m, REASON_NOT_OWNER, TIER_ROUTE, "1", "1");
    m = entry();
    m.intent.incarnation = 12;
    must_refuse_by(&m, REASON_NOT_OWNER, TIER_ROUTE, "1", "1");
    m = entry();
    m.intent.route_epoch = 2;
    must_refuse_by(&m, REASON_NOT_OWNER, TIER_ROUTE, "1", "2");
    m = entry();
    must_accept(&m);
}
END_TEST

START_TEST(an_intent_that_does_not_know_the_routes_last_record_is_refused)
{
    uint64_t assigned = assignment_of(ROUTE)->env.pos;
    char text[24];
    struct message m = entry();
    m.intent.state_pos = assigned - 1;
    snprintf(text, sizeof text, "%d", (int)assigned);
    const struct message *decision = must_refuse(&m, REASON_STATE_OLD, TIER_ROUTE);
    assert_money(decision->decision.limit, text);
    m = entry();
    m.intent.state_pos = assigned;
    must_accept(&m);
}
END_TEST

START_TEST(a_reject_does_not_change_the_route_but_a_basket_does)
{
    uint64_t before = risk_head(risk)->pos;
    struct message m = entry();
    m.intent.deadline = 1;
    must_refuse(&m, REASON_DEADLINE, TIER_INTENT);
    m = entry();
    m.intent.state_pos = before;
    const struct message *decision = must_accept(&m);
    basket_end(decision, BASKET_EXPIRED);
    m = entry();
    m.intent.state_pos = decision->env.pos;
    must_refuse(&m, REASON_STATE_OLD, TIER_ROUTE);
}
END_TEST

START_TEST(an_intent_that_knows_records_which_never_were_is_refused)
{
    struct message m = entry();
    m.intent.state_pos = risk_head(risk)->pos + 1;
    must_refuse(&m, REASON_STATE_OLD, TIER_ROUTE);
    uint64_t lost = risk_head(risk)->pos + 1;
    restart(2);
    hello("w1", 11);
    exec_beat();
    m = entry();
    m.intent.state_epoch = 1;
    m.intent.state_pos = lost;
    must_refuse(&m, REASON_STATE_OLD, TIER_ROUTE);
}
END_TEST

START_TEST(while_a_basket_is_open_the_route_takes_nothing)
{
    struct message m = entry();
    const struct message *decision = must_accept(&m);
    m = entry();
    must_refuse_by(&m, REASON_ROUTE_BUSY, TIER_ROUTE, "0", "0");
    basket_end(decision, BASKET_COMPLETING);
    m = entry();
    must_refuse(&m, REASON_ROUTE_BUSY, TIER_ROUTE);
    basket_end(decision, BASKET_EXPIRED);
    m = entry();
    must_accept(&m);
}
END_TEST

START_TEST(a_parked_route_waits_for_a_human)
{
    struct message m = entry();
    const struct message *decision = must_accept(&m);
    fill_for(decision, "BTC-USDT", "alfa", SIDE_BUY, "100.01", "1", "0");
    basket_end(decision, BASKET_PARKED);
    ck_assert(last(MSG_ROUTE)->route.parked);
    ck_assert_int_eq(metric_of("routes_parked"), 1);
    m = leaving("1");
    must_refuse_by(&m, REASON_ROUTE_PARKED, TIER_ROUTE, "0", "0");
    ck_assert_int_eq(risk_on_control(risk, VERB_RESUME, "no such route", now, &outbox), CONTROL_REFUSED);
    ck_assert_int_eq(risk_on_control(risk, VERB_RESUME, ROUTE, now, &outbox), CONTROL_DONE);
    take();
    ck_assert(!last(MSG_ROUTE)->route.parked);
    uint32_t told = count_of(MSG_ROUTE);
    restart(2); /* the parked basket of the past is read again, and parks nothing */
    ck_assert_uint_eq(count_of(MSG_ROUTE), told);
    ck_assert_int_eq(metric_of("routes_parked"), 0);
    hello("w1", 11);
    exec_beat();
    m = leaving("1");
    m.intent.n_legs = 1;
    must_accept(&m);
}
END_TEST

START_TEST(after_an_exit_entries_wait_for_the_cool_down_in_market_time)
{
    enter_whole();
    leave_whole();
    struct message m = entry();
    must_refuse_by(&m, REASON_COOL_DOWN, TIER_ROUTE, "1700000001", "1700000000");
    now.market_ns += NS_PER_SEC;
    m = entry();
    must_accept(&m);
    ck_assert_int_eq(metric_of("cools"), 1);
}
END_TEST

START_TEST(an_edge_too_good_is_a_data_error)
{
    struct message m = entry();
    m.intent.edge_nbps = 500 * NS_PER_SEC + 1;
    must_refuse_by(&m, REASON_ABNORMAL_EDGE, TIER_ROUTE, "500", "500.000000001");
    m = entry();
    m.intent.edge_nbps = 500 * NS_PER_SEC;
    must_accept(&m);
}
END_TEST

/* ---- instrument -------------------------------------------------------------------------------------- */

START_TEST(an_instrument_that_the_route_does_not_have_is_unknown)
{
    struct message m = entry();
    strcpy(m.intent.legs[1].venue, "gama");
    must_refuse_by(&m, REASON_UNKNOWN_INSTRUMENT, TIER_INSTRUMENT, "0", "1");
}
END_TEST

START_TEST(a_price_off_the_tick_is_refused)
{
    struct message m = entry();
    leg_of(&m.intent, 0, "alfa", SIDE_BUY, "100.015", "1");
    must_refuse_by(&m, REASON_TICK, TIER_INSTRUMENT, "0.01", "100.015");
}
END_TEST

START_TEST(a_quantity_off_the_lot_is_refused)
{
    struct message m = entry();
    leg_of(&m.intent, 1, "beta", SIDE_SELL, "99.98", "1.0005");
    must_refuse_by(&m, REASON_LOT, TIER_INSTRUMENT, "0.001", "1.0005");
}
END_TEST

START_TEST(too_small_an_order_is_refused_by_quantity_and_by_notional)
{
    struct message m = entry();
    leg_of(&m.intent, 0, "alfa", SIDE_BUY, "100.02", "0.001");
    must_refuse_by(&m, REASON_MIN_NOTIONAL, TIER_INSTRUMENT, "0.002", "0.001");
    m = entry();
    leg_of(&m.intent, 0, "alfa", SIDE_BUY, "100", "0.049");
    must_refuse_by(&m, REASON_MIN_NOTIONAL, TIER_INSTRUMENT, "5", "4.9");
    m = entry();
    leg_of(&m.intent, 0, "alfa", SIDE_BUY, "100", "0.05");
    must_accept(&m);
}
END_TEST

START_TEST(too_large_an_order_is_refused)
{
    begin_with("risk.max_notional", "100.02");
    struct message m = entry();
    leg_of(&m.intent, 0, "alfa", SIDE_BUY, "100.02", "1.001");
    const struct message *decision = must_refuse(&m, REASON_MAX_NOTIONAL, TIER_INSTRUMENT);
    assert_money(decision->decision.limit, "100.02");
    assert_money(decision->decision.value, "100.12002");
    m = entry();
    must_accept(&m);
}
END_TEST

START_TEST(the_position_limit_counts_what_is_held_and_what_is_open)
{
    begin_with("risk.max_position", "199");
    enter_whole();
    struct message m = entry();
    const struct message *decision = must_refuse(&m, REASON_POSITION_LIMIT, TIER_INSTRUMENT);
    assert_money(decision->decision.limit, "199");
    assert_money(decision->decision.value, "200");
    m = entry();
    leg_of(&m.intent, 0, "alfa", SIDE_BUY, "100.02", "0.9");
    leg_of(&m.intent, 1, "beta", SIDE_SELL, "99.98", "0.9");
    must_accept(&m);
}
END_TEST

START_TEST(another_routes_open_order_counts_against_the_position_limit)
{
    begin_with("risk.max_position", "199");
    list("BTC-USDT", "gama", "BTC", "USDT");
    quote_at("BTC-USDT", "gama", "99.99", "100.01");
    struct message m = entry();
    must_accept(&m);
    m = entry_at_gama();
    const struct message *decision = must_refuse(&m, REASON_POSITION_LIMIT, TIER_INSTRUMENT);
    assert_money(decision->decision.value, "200");
}
END_TEST

START_TEST(an_order_that_makes_a_position_smaller_passes_the_position_limit)
{
    enter_whole();
    struct message m = leaving("1");
    m.intent.kind = INTENT_ENTER;
    char error[CONFIG_ERROR_MAX];
    ck_assert_int_eq(config_set(&config, "risk.max_position", "50", error), OK);
    restart(2);
    hello("w1", 11);
    exec_beat();
    m.intent.id = ++intent_id;
    m.intent.state_epoch = risk_head(risk)->epoch;
    m.intent.state_pos = risk_head(risk)->pos;
    must_accept(&m);
}
END_TEST

START_TEST(a_price_beyond_the_collar_is_refused_on_both_sides)
{
    struct message m = entry();
    leg_of(&m.intent, 0, "alfa", SIDE_BUY, "100.52", "1");
    must_refuse_by(&m, REASON_PRICE_COLLAR, TIER_INSTRUMENT, "100.51005", "100.52");
    m = entry();
    leg_of(&m.intent, 1, "beta", SIDE_SELL, "99.49", "1");
    must_refuse_by(&m, REASON_PRICE_COLLAR, TIER_INSTRUMENT, "99.49005", "99.49");
    m = entry();
    leg_of(&m.intent, 0, "alfa", SIDE_BUY, "100.51", "1");
    leg_of(&m.intent, 1, "beta", SIDE_SELL, "99.5", "1");
    must_accept(&m);
}
END_TEST

START_TEST(an_order_into_an_empty_side_is_refused)
{
    struct message book = book_of("BTC-USDT", "alfa", "99.99", "100.01");
    book.book.n_asks = 0;
    show(&book);
    struct message m = entry();
    must_refuse_by(&m, REASON_PRICE_COLLAR, TIER_INSTRUMENT, "0", "100.02");
}
END_TEST

START_TEST(an_exit_never_enlarges_nor_flips)
{
    struct message m = leaving("1");
    must_refuse_by(&m, REASON_NOT_REDUCING, TIER_INSTRUMENT, "0", "-1");
    enter_whole();
    m = leaving("1.001");
    must_refuse_by(&m, REASON_NOT_REDUCING, TIER_INSTRUMENT, "1", "-1.001");
    m = entry();
    m.intent.kind = INTENT_EXIT;
    must_refuse_by(&m, REASON_NOT_REDUCING, TIER_INSTRUMENT, "1", "1");
    m = entry();
    m.intent.reduce_only = true;
    must_refuse_by(&m, REASON_NOT_REDUCING, TIER_INSTRUMENT, "1", "1");
    m = leaving("1");
    must_accept(&m);
}
END_TEST

START_TEST(no_limit_of_exposure_stops_an_exit)
{
    static const char *const limits[][2] = {{"risk.max_gross", "1"},       {"risk.max_position", "1"},
                                            {"risk.max_notional", "1"},    {"risk.max_open_orders", "1"},
                                            {"risk.max_edge_bps", "0.01"}, {NULL, NULL}};
    char error[CONFIG_ERROR_MAX];
    enter_whole();
    for (int i = 0; limits[i][0]; i++)
        ck_assert_msg(config_set(&config, limits[i][0], limits[i][1], error) == OK, "%s", error);
    restart(2);
    hello("w1", 11);
    exec_beat();
    struct message m = entry();
    must_refuse(&m, REASON_GROSS_EXPOSURE, TIER_GLOBAL);
    m = leaving("1");
    must_accept(&m);
}
END_TEST

/* ---- intent ------------------------------------------------------------------------------------------ */

START_TEST(an_entry_is_as_old_as_its_oldest_book)
{
    struct message m = entry();
    m.intent.legs[1].book_mono -= 500 * NS_PER_MS + 1;
    must_refuse_by(&m, REASON_INTENT_TOO_OLD, TIER_INTENT, "0.5", "0.500000001");
    m = entry();
    m.intent.legs[1].book_mono = 0;
    must_refuse(&m, REASON_INTENT_TOO_OLD, TIER_INTENT);
    m = entry();
    m.intent.legs[1].book_mono -= 500 * NS_PER_MS;
    must_accept(&m);
}
END_TEST

START_TEST(an_exit_is_as_old_as_its_decision)
{
    enter_whole();
    struct message m = leaving("1");
    m.intent.decided_mono -= 500 * NS_PER_MS + 1;
    must_refuse_by(&m, REASON_INTENT_TOO_OLD, TIER_INTENT, "0.5", "0.500000001");
    m = leaving("1");
    m.intent.legs[1].book_mono -= 20 * NS_PER_SEC;
    must_accept(&m);
}
END_TEST

START_TEST(a_stamp_of_the_future_is_clock_skew)
{
    struct message m = entry();
    m.intent.legs[0].book_mono += NS_PER_MS + 1;
    must_refuse_by(&m, REASON_CLOCK_SKEW, TIER_INTENT, "0.001", "0.001000001");
    m = entry();
    m.intent.legs[0].book_mono += NS_PER_MS;
    must_accept(&m);
}
END_TEST

START_TEST(a_stamp_of_another_boot_is_clock_skew)
{
    struct message m = entry();
    m.env.trace.boot_id = BOOT + 1;
    must_refuse(&m, REASON_CLOCK_SKEW, TIER_INTENT);
    m.env.trace.boot_id = 0; /* nobody knows of which */
    must_refuse(&m, REASON_CLOCK_SKEW, TIER_INTENT);
    m = entry();
    m.env.trace.boot_id = BOOT;
    must_accept(&m);
}
END_TEST

START_TEST(an_intent_id_is_taken_once)
{
    struct message m = entry();
    m.intent.deadline = 1;
    must_refuse(&m, REASON_DEADLINE, TIER_INTENT);
    m.intent.deadline = now.market_ns;
    must_refuse_by(&m, REASON_DUPLICATE, TIER_INTENT, "1", "1");
    m.intent.id = 2;
    intent_id = 2;
    const struct message *decision = must_accept(&m);
    basket_end(decision, BASKET_EXPIRED);
    m = entry();
    m.intent.id = 2;
    must_refuse_by(&m, REASON_DUPLICATE, TIER_INTENT, "2", "2");
}
END_TEST

START_TEST(the_number_of_open_orders_is_bounded)
{
    begin_with("risk.max_open_orders", "3");
    list("BTC-USDT", "gama", "BTC", "USDT");
    quote_at("BTC-USDT", "gama", "99.99", "100.01");
    struct message m = entry();
    const struct message *open = must_accept(&m);
    for (int turn = 0; turn < 2; turn++) {
        m = entry_at_gama();
        if (turn == 0) {
            const struct message *decision = must_refuse(&m, REASON_OPEN_ORDERS, TIER_INTENT);
            assert_money(decision->decision.limit, "3");
            assert_money(decision->decision.value, "4");
            basket_end(open, BASKET_EXPIRED);
        } else {
            must_accept(&m);
        }
    }
}
END_TEST

START_TEST(an_intent_that_is_no_order_is_malformed)
{
    struct message good = entry(), m;
    for (int fault = 0; fault < 15; fault++) {
        m = good;
        m.intent.id = ++intent_id;
        struct intent *in = &m.intent;
        in->n_legs = fault == 0 ? 0 : fault == 1 ? 5 : 2;
        in->legs[0].qty = fault == 2 ? 0 : fault == 3 ? -1 : in->legs[0].qty;
        in->legs[0].price = fault == 4 ? 0 : fault == 5 ? -1 : in->legs[0].price;
        in->legs[1].side = fault == 6 ? SIDE_NONE : in->legs[1].side;
        in->kind = fault == 7 ? (enum intent_kind)9 : in->kind;
        in->tif = fault == 8 ? (enum time_in_force)0 : in->tif;
        in->policy = fault == 9 ? (enum basket_policy)9 : in->policy;
        in->cause = fault == 10 ? (enum exit_cause)9 : in->cause;
        in->slippage_bps.m = fault == 11 ? -1 : in->slippage_bps.m;
        in->run[0] = fault == 12 ? 'x' : in->run[0];
        in->account[0] = fault == 13 ? 'x' : in->account[0];
        if (fault == 14)
            in->legs[1] = in->legs[0];
        pass_ms(1001); /* a second each, so that none is folded */
        refresh_books();
        exec_beat();
        hello("w1", 11);
        in->deadline = now.market_ns;
        in->decided_mono = in->legs[0].book_mono = in->legs[1].book_mono = now.mono_ns;
        const struct message *decision = ask(&m);
        ck_assert_ptr_nonnull(decision);
        ck_assert_msg(decision->decision.reason == REASON_MALFORMED, "fault %d: %s", fault,
                      reason_text(decision->decision.reason));
        ck_assert_int_eq(decision->decision.tier, TIER_INTENT);
    }
}
END_TEST

START_TEST(an_intent_past_its_deadline_is_refused)
{
    struct message m = entry();
    m.intent.deadline = now.market_ns - 1;
    must_refuse_by(&m, REASON_DEADLINE, TIER_INTENT, "1699999999.999999999", "1700000000");
    m = entry();
    m.intent.deadline = now.market_ns;
    must_accept(&m);
}
END_TEST

/* ---- all --------------------------------------------------------------------------------------------- */

int main(void)
{
    Suite *suite = suite_create("gate, by order");
    TCase *c = tcase_create("with the limits' defaults");
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, an_unknown_route_is_refused_once_and_clearly);
    tcase_add_test(c, only_the_owner_in_its_incarnation_and_route_epoch_may_ask);
    tcase_add_test(c, an_intent_that_does_not_know_the_routes_last_record_is_refused);
    tcase_add_test(c, a_reject_does_not_change_the_route_but_a_basket_does);
    tcase_add_test(c, an_intent_that_knows_records_which_never_were_is_refused);
    tcase_add_test(c, while_a_basket_is_open_the_route_takes_nothing);
    tcase_add_test(c, a_parked_route_waits_for_a_human);
    tcase_add_test(c, after_an_exit_entries_wait_for_the_cool_down_in_market_time);
    tcase_add_test(c, an_edge_too_good_is_a_data_error);
    tcase_add_test(c, an_instrument_that_the_route_does_not_have_is_unknown);
    tcase_add_test(c, a_price_off_the_tick_is_refused);
    tcase_add_test(c, a_quantity_off_the_lot_is_refused);
    tcase_add_test(c, too_small_an_order_is_refused_by_quantity_and_by_notional);
    tcase_add_test(c, an_order_that_makes_a_position_smaller_passes_the_position_limit);
    tcase_add_test(c, a_price_beyond_the_collar_is_refused_on_both_sides);
    tcase_add_test(c, an_order_into_an_empty_side_is_refused);
    tcase_add_test(c, an_exit_never_enlarges_nor_flips);
    tcase_add_test(c, no_limit_of_exposure_stops_an_exit);
    tcase_add_test(c, an_entry_is_as_old_as_its_oldest_book);
    tcase_add_test(c, an_exit_is_as_old_as_its_decision);
    tcase_add_test(c, a_stamp_of_the_future_is_clock_skew);
    tcase_add_test(c, a_stamp_of_another_boot_is_clock_skew);
    tcase_add_test(c, an_intent_id_is_taken_once);
    tcase_add_test(c, an_intent_that_is_no_order_is_malformed);
    tcase_add_test(c, an_intent_past_its_deadline_is_refused);
    suite_add_tcase(suite, c);
    TCase *own = tcase_create("with limits of its own");
    tcase_add_checked_fixture(own, NULL, end);
    tcase_add_test(own, too_large_an_order_is_refused);
    tcase_add_test(own, the_position_limit_counts_what_is_held_and_what_is_open);
    tcase_add_test(own, another_routes_open_order_counts_against_the_position_limit);
    tcase_add_test(own, the_number_of_open_orders_is_bounded);
    suite_add_tcase(suite, own);
    return run_suite(suite);
}
