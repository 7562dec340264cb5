/* What the gate promises when exec or it has lost something: no decision is forgotten, none keeps its route from
 * trading for good, and a route's holdings are those of exec's records that still hold. */
#include "tests/unit/risk_scene.h"

static struct message decision;

static void accept_entry(void)
{
    struct message m = entry();
    decision = *must_accept(&m);
}

static void upstream(uint64_t epoch, uint64_t pos)
{
    struct message m = exec_record(MSG_UPSTREAM);
    m.upstream.risk_epoch = epoch;
    m.upstream.risk_pos = pos;
    from_exec(&m);
}

static void beat_upstream(bool alive, uint64_t pos)
{
    static struct message m;
    message_init(&m, MSG_BEAT);
    strcpy(m.env.stream, "exec");
    m.env.epoch = exec_epoch;
    m.beat.alive = alive;
    m.beat.head_pos = exec_pos;
    m.beat.upstream_epoch = decision.env.epoch;
    m.beat.upstream_pos = pos;
    risk_on_exec(risk, &m, now, &outbox);
    take();
}

/* ---- what exec never told of ------------------------------------------------------------------------- */

static void assert_released(enum reason reason)
{
    const struct route *r = &last(MSG_ROUTE)->route;
    ck_assert_str_eq(reason_text(r->reason), reason_text(reason));
    ck_assert(!r->busy);
    ck_assert_int_eq(metric_of("open_baskets"), 0);
    ck_assert_int_eq(metric_of("open_orders"), 0);
    ck_assert_int_eq(metric_of("gross"), 0);
}

START_TEST(a_decision_that_exec_has_passed_in_silence_was_never_sent)
{
    accept_entry();
    upstream(decision.env.epoch, decision.env.pos - 1);
    ck_assert_int_eq(metric_of("open_baskets"), 1);
    upstream(decision.env.epoch, decision.env.pos);
    assert_released(REASON_NEVER_SENT);
    ck_assert_int_eq(metric_of("never_sent"), 1);
    struct message m = entry();
    must_accept(&m);
}
END_TEST

START_TEST(a_basket_of_a_later_decision_says_the_same_and_one_of_its_own_does_not)
{
    list("BTC-USDT", "gama", "BTC", "USDT");
    quote_at("BTC-USDT", "gama", "99.99", "100.01");
    accept_entry();
    struct message m = entry();
    strcpy(m.intent.route, "BTC-USDT@beta~BTC-USDT@gama");
    leg_of(&m.intent, 0, "beta", SIDE_BUY, "100.02", "1");
    leg_of(&m.intent, 1, "gama", SIDE_SELL, "99.98", "1");
    struct message later = *must_accept(&m);
    basket_end(&later, BASKET_OPEN);
    ck_assert_str_eq(last(MSG_ROUTE)->route.route, ROUTE);
    ck_assert_int_eq(last(MSG_ROUTE)->route.reason, REASON_NEVER_SENT);
    ck_assert_int_eq(metric_of("open_baskets"), 1);
    upstream(later.env.epoch, later.env.pos);
    ck_assert_int_eq(metric_of("open_baskets"), 1);
}
END_TEST

START_TEST(a_beat_is_believed_when_the_next_one_of_that_life_agrees)
{
    accept_entry();
    beat_upstream(true, decision.env.pos); /* its record may still be on its way */
    ck_assert_int_eq(metric_of("open_baskets"), 1);
    beat_upstream(false, decision.env.pos); /* nor is it written while exec is blocked */
    beat_upstream(true, decision.env.pos);
    ck_assert_int_eq(metric_of("open_baskets"), 1);
    exec_epoch++; /* another life may take it up */
    struct message m = exec_record(MSG_EPOCH);
    m.epoch.base_epoch = 1;
    from_exec(&m);
    beat_upstream(true, decision.env.pos);
    ck_assert_int_eq(metric_of("open_baskets"), 1);
    beat_upstream(true, decision.env.pos);
    assert_released(REASON_NEVER_SENT);
}
END_TEST

START_TEST(a_beat_ahead_of_the_records_read_releases_nothing)
{
    accept_entry();
    beat_upstream(true, decision.env.pos);
    struct message begins = exec_record(MSG_BASKET); /* published, and not read yet */
    beat_upstream(true, decision.env.pos);
    ck_assert_int_eq(metric_of("open_baskets"), 1);
    memcpy(begins.basket.route, decision.decision.route, sizeof begins.basket.route);
    begins.basket.risk_epoch = decision.env.epoch;
    begins.basket.risk_pos = decision.env.pos;
    begins.basket.state = BASKET_OPEN;
    from_exec(&begins);
    beat_upstream(true, decision.env.pos);
    beat_upstream(true, decision.env.pos);
    ck_assert_int_eq(metric_of("open_baskets"), 1);
}
END_TEST

START_TEST(what_was_never_sent_is_found_after_a_restart_too)
{
    accept_entry();
    restart(2);
    ck_assert_int_eq(metric_of("open_baskets"), 1);
    upstream(decision.env.epoch, decision.env.pos);
    assert_released(REASON_NEVER_SENT);
    restart(3);
    ck_assert_int_eq(metric_of("open_baskets"), 0);
    ck_assert_uint_eq(count_of(MSG_ROUTE), 1);
}
END_TEST

/* Power is lost: exec's journal has the exit, the gate's has not. */
START_TEST(before_execs_ledger_was_read_nothing_leaves_for_it_may_have_left_already)
{
    enter_whole();
    struct message m = leaving("1");
    decision = *must_accept(&m);
    n_ledger--;
    restart(2);
    hello("w1", 11);
    refresh_books();
    m = leaving("1");
    must_refuse(&m, REASON_EXEC_BEHIND, TIER_GLOBAL);
    fill_for(&decision, "BTC-USDT", "alfa", SIDE_SELL, "100", "1", "0.1");
    fill_for(&decision, "BTC-USDT", "beta", SIDE_BUY, "100", "1", "0.05");
    basket_end(&decision, BASKET_DONE);
    exec_beat();
    m = leaving("1");
    must_refuse(&m, REASON_NOT_REDUCING, TIER_INSTRUMENT);
}
END_TEST

/* What is read of exec's ledger is still behind what routes were told of it: in a snapshot the two must agree. */
START_TEST(before_execs_ledger_was_read_no_snapshot_is_taken)
{
    enter_whole();
    ck_assert(risk_is_sound(risk));
    n_exec = 0; /* it comes later */
    restart(2);
    ck_assert(!risk_is_sound(risk));
    exec_beat();
    ck_assert(!risk_is_sound(risk));
}
END_TEST

START_TEST(a_basket_whose_decision_is_lost_keeps_its_route_from_trading_until_it_ends)
{
    accept_entry();
    n_ledger--; /* the accept did not survive */
    restart(2);
    basket_end(&decision, BASKET_OPEN);
    exec_beat();
    hello("w1", 11);
    struct message m = entry();
    must_refuse(&m, REASON_ROUTE_BUSY, TIER_ROUTE);
    fill_for(&decision, "BTC-USDT", "alfa", SIDE_BUY, "100.01", "1", "0");
    m = entry();
    must_refuse(&m, REASON_ROUTE_BUSY, TIER_ROUTE);
    ck_assert(last(MSG_ROUTE)->route.busy);
    basket_end(&decision, BASKET_DONE);
    ck_assert(!last(MSG_ROUTE)->route.busy);
    ck_assert_int_eq(dec_cmp(last(MSG_ROUTE)->route.legs[0].qty, d("1")), 0);
    m = entry();
    must_accept(&m);
}
END_TEST

/* ---- what exec lost ---------------------------------------------------------------------------------- */

/* Exec begins again with its first `kept` records. */
static void exec_loses(uint32_t kept)
{
    n_exec = kept;
    exec_pos = kept;
    exec_epoch++;
}

static void exec_begins(void)
{
    struct message m = exec_record(MSG_EPOCH);
    m.epoch.base_epoch = exec_epoch - 1;
    m.epoch.base_pos = exec_pos - 1;
    from_exec(&m);
}

static void hear_of_rollback(uint64_t from_pos)
{
    static struct message m;
    message_init(&m, MSG_GAP); /* as the reader hands it over: it has no place */
    strcpy(m.gap.stream_lost, "exec");
    strcpy(m.gap.cause, "rollback");
    m.gap.from_epoch = 1;
    m.gap.from_pos = from_pos;
    m.gap.to_pos = exec_pos;
    risk_on_exec(risk, &m, now, &outbox);
    take();
}

START_TEST(a_rollback_is_recorded_stops_entries_and_asks_for_a_restart)
{
    enter_whole();
    ck_assert(!risk_must_restart(risk) && risk_is_sound(risk));
    hear_of_rollback(2);
    ck_assert(risk_must_restart(risk) && !risk_is_sound(risk));
    ck_assert_str_eq(last(MSG_GAP)->gap.cause, "rollback");
    ck_assert_uint_eq(last(MSG_GAP)->gap.from_pos, 2);
    struct message in = entry();
    must_refuse(&in, REASON_EXEC_BEHIND, TIER_GLOBAL);
}
END_TEST

/* exec's new life comes in the same wake-up, before the restart: what it tells is not told of a route on top of what
 * never was, nor does it move a position. */
START_TEST(a_life_that_heard_of_a_rollback_tells_no_route_of_what_comes_behind_it)
{
    enter_whole();
    static struct message fill;
    fill = exec_ledger[1];
    decision = *last(MSG_DECISION);
    const struct message told = *last(MSG_ROUTE);
    hear_of_rollback(exec_pos - 1);
    exec_epoch++;
    exec_pos -= 2;
    exec_begins();
    fill.env.epoch = exec_epoch;
    fill.env.pos = ++exec_pos;
    from_exec(&fill);
    basket_end(&decision, BASKET_DONE);
    ck_assert_uint_eq(last(MSG_ROUTE)->env.pos, told.env.pos);
    ck_assert_int_eq(dec_cmp(last(MSG_ROUTE)->route.legs[1].qty, d("-1")), 0);
    ck_assert(risk_must_restart(risk));
}
END_TEST

START_TEST(what_retention_took_stops_entries_and_no_restart_would_help)
{
    struct message m;
    message_init(&m, MSG_GAP);
    strcpy(m.gap.stream_lost, "exec");
    strcpy(m.gap.cause, "retention");
    risk_on_exec(risk, &m, now, &outbox);
    take();
    ck_assert(!risk_must_restart(risk) && !risk_is_sound(risk));
    struct message in = entry();
    must_refuse(&in, REASON_EXEC_BEHIND, TIER_GLOBAL);
}
END_TEST

START_TEST(a_gap_that_exec_has_in_our_ledger_is_none_of_ours)
{
    struct message m = exec_record(MSG_GAP);
    strcpy(m.gap.stream_lost, "risk");
    from_exec(&m);
    ck_assert(risk_is_sound(risk));
}
END_TEST

/* Whatever exec loses of a round trip: after a restart of both the route holds the sum of the fills that are left,
 * and when the venue's fills come again, it holds them once. */
START_TEST(holdings_are_those_of_the_records_that_are_left)
{
    static struct message fills[2];
    enter_whole(); /* fill, fill, basket */
    decision = *last(MSG_DECISION);
    fills[0] = exec_ledger[0];
    fills[1] = exec_ledger[1];
    exec_loses((uint32_t)_i);
    restart(2);
    exec_begins();
    hello("w1", 11);
    exec_beat();
    const struct route *r = &last(MSG_ROUTE)->route;
    if (_i < 3) {
        ck_assert_int_eq(r->reason, REASON_ROLLED_BACK);
        ck_assert_int_eq(dec_cmp(r->legs[0].qty, _i > 0 ? d("1") : d("0")), 0);
        ck_assert_int_eq(dec_cmp(r->legs[1].qty, _i > 1 ? d("-1") : d("0")), 0);
        ck_assert_int_eq(r->entry_time != 0, _i > 0);
        ck_assert_uint_eq(r->round_trips, 0);
        assert_money(r->legs[0].cost, _i > 0 ? "100.01" : "0");
    }
    ck_assert_int_eq(metric_of("positions"), _i < 2 ? _i : 2);
    for (int i = _i; i < 2; i++) {
        fills[i].env.epoch = exec_epoch;
        fills[i].env.pos = ++exec_pos;
        from_exec(&fills[i]);
    }
    if (_i < 3)
        basket_end(&decision, BASKET_DONE);
    restart(3);
    r = &last(MSG_ROUTE)->route;
    ck_assert_int_eq(dec_cmp(r->legs[0].qty, d("1")), 0);
    ck_assert_int_eq(dec_cmp(r->legs[1].qty, d("-1")), 0);
    ck_assert_int_eq(metric_of("positions"), 2);
}
END_TEST

START_TEST(a_route_told_of_what_never_was_waits_until_exec_has_passed_its_decision)
{
    enter_whole();
    memcpy(&decision, &ledger[n_ledger - 2], sizeof decision);
    ck_assert_uint_eq(decision.env.type, MSG_DECISION);
    exec_loses(0); /* exec will take the decision up for the first time */
    restart(2);
    exec_begins();
    hello("w1", 11);
    exec_beat();
    ck_assert(last(MSG_ROUTE)->route.busy);
    struct message m = entry();
    must_refuse(&m, REASON_ROUTE_BUSY, TIER_ROUTE);
    basket_end(&decision, BASKET_OPEN);
    m = entry();
    must_refuse(&m, REASON_ROUTE_BUSY, TIER_ROUTE);
    basket_end(&decision, BASKET_EXPIRED);
    ck_assert(!last(MSG_ROUTE)->route.busy);
    pass_ms(1001); /* what is flat after a rollback cools down like any other */
    refresh_books();
    exec_beat();
    m = entry();
    must_accept(&m);
}
END_TEST

START_TEST(such_a_route_waits_over_another_restart)
{
    enter_whole();
    memcpy(&decision, &ledger[n_ledger - 2], sizeof decision);
    exec_loses(0);
    restart(2);
    exec_begins();
    ck_assert(last(MSG_ROUTE)->route.busy);
    ck_assert(!risk_is_sound(risk)); /* a snapshot would not tell of it */
    restart(3);
    hello("w1", 11);
    exec_beat();
    pass_ms(1001);
    refresh_books();
    exec_beat();
    struct message m = entry();
    must_refuse(&m, REASON_ROUTE_BUSY, TIER_ROUTE);
    upstream(decision.env.epoch, decision.env.pos);
    ck_assert(!last(MSG_ROUTE)->route.busy);
    ck_assert(risk_is_sound(risk));
    m = entry();
    must_accept(&m);
}
END_TEST

/* Exec lost the end of a basket that it has open again: another life of the gate reads that once more. */
START_TEST(a_route_is_told_nothing_while_execs_old_records_are_read_again)
{
    struct message m = entry();
    decision = *must_accept(&m);
    basket_end(&decision, BASKET_OPEN);
    fill_for(&decision, "BTC-USDT", "alfa", SIDE_BUY, "100.01", "1", "0");
    fill_for(&decision, "BTC-USDT", "beta", SIDE_SELL, "99.99", "1", "0");
    basket_end(&decision, BASKET_DONE);
    exec_loses(3);
    restart(2);
    exec_begins();
    ck_assert(last(MSG_ROUTE)->route.busy);
    restart(3);
    ck_assert_int_eq(dec_cmp(last(MSG_ROUTE)->route.legs[0].qty, d("1")), 0);
    basket_end(&decision, BASKET_DONE);
    ck_assert(!last(MSG_ROUTE)->route.busy);
    ck_assert_int_eq(dec_cmp(last(MSG_ROUTE)->route.legs[0].qty, d("1")), 0);
    exec_beat();
    ck_assert(risk_is_sound(risk));
}
END_TEST

START_TEST(a_basket_open_over_a_rollback_ends_with_what_is_left_and_what_came_again)
{
    enter_whole();
    struct message m = leaving("1");
    decision = *must_accept(&m);
    basket_end(&decision, BASKET_OPEN);
    fill_for(&decision, "BTC-USDT", "alfa", SIDE_SELL, "100", "1", "0");
    exec_loses(1); /* of the entry only the first leg is left, and nothing of the exit */
    restart(2);
    exec_begins();
    ck_assert_int_eq(metric_of("open_baskets"), 1);
    fill_for(&decision, "BTC-USDT", "alfa", SIDE_SELL, "100", "1", "0");
    basket_end(&decision, BASKET_DONE);
    ck_assert_int_eq(last(MSG_ROUTE)->route.legs[0].qty.m, 0);
    ck_assert_int_eq(last(MSG_ROUTE)->route.legs[1].qty.m, 0);
    ck_assert_int_eq(metric_of("positions"), 0);
}
END_TEST

START_TEST(many_routes_told_of_what_never_was_are_told_anew_some_at_a_time)
{
    end();
    begin_bare();
    view_destroy(&view);
    view = view_new(1024, 0);
    restart(2);
    hello("w1", 11);
    for (int i = 0; i < 300; i++) {
        char base[16], symbol[24];
        snprintf(base, sizeof base, "C%03d", i);
        snprintf(symbol, sizeof symbol, "%s-USDT", base);
        list(symbol, "alfa", base, "USDT");
        list(symbol, "beta", base, "USDT");
        struct message of;
        message_init(&of, MSG_DECISION);
        snprintf(of.decision.route, sizeof of.decision.route, "%s@alfa~%s@beta", symbol, symbol);
        fill_for(&of, symbol, "alfa", SIDE_BUY, "1", "1", "0"); /* late, so told at once */
    }
    ck_assert_uint_eq(count_of(MSG_ROUTE), 300);
    exec_loses(0);
    restart(3);
    exec_begins(); /* take() sees that the bound holds */
    for (int i = 0; i < 9; i++)
        exec_beat();
    ck_assert_uint_eq(count_of(MSG_ROUTE), 600);
    ck_assert_int_eq(metric_of("routes_mended"), 300);
}
END_TEST

/* ---- state that is older ----------------------------------------------------------------------------- */

/* A worker that knows of a tail that two lives of the gate have lost. */
START_TEST(state_of_a_lost_tail_is_old_however_many_lives_ago)
{
    struct place_known {
        uint64_t epoch, pos;
    } known = {1, n_ledger + 3};
    restart(2);
    restart(3);
    hello("w1", 11);
    exec_beat();
    struct message m = entry();
    m.intent.state_epoch = known.epoch;
    m.intent.state_pos = known.pos;
    must_refuse(&m, REASON_STATE_OLD, TIER_ROUTE);
    m = entry();
    must_accept(&m);
}
END_TEST

START_TEST(state_before_a_fill_a_decision_or_an_assignment_is_old)
{
    enter_whole();
    uint64_t filled = n_ledger;
    struct message m = leaving("1");
    m.intent.state_pos = filled - 1;
    must_refuse(&m, REASON_STATE_OLD, TIER_ROUTE);
    hello("w1", 12);
    uint64_t assigned = assignment_of(ROUTE)->env.pos;
    m = leaving("1");
    m.intent.state_pos = assigned - 1;
    must_refuse(&m, REASON_STATE_OLD, TIER_ROUTE);
    m = leaving("1");
    m.intent.state_pos = assigned;
    decision = *must_accept(&m);
    upstream(decision.env.epoch, decision.env.pos); /* never sent: free again, under a newer state */
    m = leaving("1");
    m.intent.state_pos = decision.env.pos;
    must_refuse(&m, REASON_STATE_OLD, TIER_ROUTE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("risk_reconcile");
    TCase *c = tcase_create("trading");
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, a_decision_that_exec_has_passed_in_silence_was_never_sent);
    tcase_add_test(c, a_basket_of_a_later_decision_says_the_same_and_one_of_its_own_does_not);
    tcase_add_test(c, a_beat_is_believed_when_the_next_one_of_that_life_agrees);
    tcase_add_test(c, a_beat_ahead_of_the_records_read_releases_nothing);
    tcase_add_test(c, what_was_never_sent_is_found_after_a_restart_too);
    tcase_add_test(c, before_execs_ledger_was_read_nothing_leaves_for_it_may_have_left_already);
    tcase_add_test(c, a_basket_whose_decision_is_lost_keeps_its_route_from_trading_until_it_ends);
    tcase_add_test(c, before_execs_ledger_was_read_no_snapshot_is_taken);
    tcase_add_test(c, a_rollback_is_recorded_stops_entries_and_asks_for_a_restart);
    tcase_add_test(c, a_life_that_heard_of_a_rollback_tells_no_route_of_what_comes_behind_it);
    tcase_add_test(c, what_retention_took_stops_entries_and_no_restart_would_help);
    tcase_add_test(c, a_gap_that_exec_has_in_our_ledger_is_none_of_ours);
    tcase_add_loop_test(c, holdings_are_those_of_the_records_that_are_left, 0, 4);
    tcase_add_test(c, a_route_told_of_what_never_was_waits_until_exec_has_passed_its_decision);
    tcase_add_test(c, such_a_route_waits_over_another_restart);
    tcase_add_test(c, a_route_is_told_nothing_while_execs_old_records_are_read_again);
    tcase_add_test(c, a_basket_open_over_a_rollback_ends_with_what_is_left_and_what_came_again);
    tcase_add_test(c, many_routes_told_of_what_never_was_are_told_anew_some_at_a_time);
    tcase_add_test(c, state_of_a_lost_tail_is_old_however_many_lives_ago);
    tcase_add_test(c, state_before_a_fill_a_decision_or_an_assignment_is_old);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
