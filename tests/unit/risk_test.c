/* What the gate promises over its life: what is reserved and released, what a route holds, and
 * that a restart changes nothing. */
#include "tests/unit/risk_scene.h"

/* ---- start and stop ---------------------------------------------------------------------------------- */

START_TEST(the_first_start_writes_epoch_session_limits_and_state)
{
    static const enum message_type order[] = {MSG_EPOCH, MSG_SESSION, MSG_LIMITS, MSG_STATE};
    ck_assert_uint_eq(n_ledger, 4);
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(ledger[i].env.type, order[i]);
        ck_assert_uint_eq(ledger[i].env.epoch, 1);
    }
    ck_assert_uint_eq(ledger[0].epoch.base_pos, 0);
    ck_assert_int_eq(ledger[1].session.event, SESSION_START);
    ck_assert_uint_eq(ledger[2].limits.limits_version, 1);
    ck_assert_int_eq(ledger[3].state.state, RISK_NORMAL);
}
END_TEST

START_TEST(a_later_start_resumes_and_writes_limits_only_when_they_changed)
{
    restart(2);
    ck_assert_uint_eq(n_ledger, 6);
    ck_assert_uint_eq(ledger[4].env.type, MSG_EPOCH);
    ck_assert_uint_eq(ledger[4].env.epoch, 2);
    ck_assert_uint_eq(ledger[4].epoch.base_epoch, 1);
    ck_assert_uint_eq(ledger[4].epoch.base_pos, 4);
    ck_assert_int_eq(ledger[5].session.event, SESSION_RESUME);
    config.risk.max_open_orders = 3;
    restart(3);
    ck_assert_uint_eq(n_ledger, 9);
    ck_assert_uint_eq(ledger[8].limits.limits_version, 2);
    ck_assert_uint_eq(ledger[8].limits.max_open_orders, 3);
}
END_TEST

START_TEST(a_halt_survives_a_restart)
{
    risk_on_control(risk, VERB_HALT, "", now, &outbox);
    take();
    restart(2);
    ck_assert_int_eq(metric_of("state"), RISK_HALTED);
}
END_TEST

START_TEST(stop_writes_who_was_there_and_then_takes_nothing)
{
    ck_assert_int_eq(risk_on_control(risk, VERB_STOP, "", now, &outbox), CONTROL_DONE);
    take();
    const struct session *leave = &ledger[n_ledger - 2].session, *stop = &ledger[n_ledger - 1].session;
    ck_assert_int_eq(leave->event, SESSION_WORKER_LEAVE);
    ck_assert_str_eq(leave->who, "w1");
    ck_assert_uint_eq(leave->incarnation, 11);
    ck_assert_uint_eq(leave->evaluations, 1000);
    ck_assert_uint_eq(leave->intents, 7);
    ck_assert_uint_eq(leave->digest, 42);
    ck_assert_int_eq(stop->event, SESSION_STOP);
    uint32_t n = n_ledger;
    struct message m = entry();
    ask(&m);
    hello("w2", 5);
    tick_time();
    ck_assert_uint_eq(n_ledger, n);
    ck_assert_int_eq(metric_of("evaluations"), 1000);
}
END_TEST

START_TEST(an_unknown_verb_is_said_to_be_one)
{
    ck_assert_int_eq(risk_on_control(risk, VERB_PACED, "", now, &outbox), CONTROL_UNKNOWN_VERB);
}
END_TEST

/* ---- reservations and holdings ----------------------------------------------------------------------- */

START_TEST(what_is_reserved_is_released_by_the_baskets_end_only)
{
    struct message m = entry();
    const struct message *decision = must_accept(&m);
    ck_assert_int_eq(metric_of("gross"), 200000000);
    fill_for(decision, "BTC-USDT", "alfa", SIDE_BUY, "100.01", "0.4", "0");
    ck_assert_int_eq(metric_of("gross"), 200000000); /* held instead of reserved */
    basket_end(decision, BASKET_COMPLETING);
    pass_ms(60000);
    tick_time();
    ck_assert_int_eq(metric_of("gross"), 200000000);
    ck_assert_int_eq(metric_of("open_orders"), 2);
    basket_end(decision, BASKET_PARKED);
    ck_assert_int_eq(metric_of("gross"), 40000000);
    ck_assert_int_eq(metric_of("open_orders"), 0);
    ck_assert_int_eq(metric_of("open_baskets"), 0);
}
END_TEST

START_TEST(rejects_take_no_room)
{
    for (int i = 0; i < 1000; i++) {
        struct message m = entry();
        m.intent.deadline = 1;
        ask(&m);
    }
    ck_assert_int_eq(metric_of("open_orders"), 0);
    ck_assert_int_eq(metric_of("gross"), 0);
    struct message m = entry();
    must_accept(&m);
}
END_TEST

START_TEST(a_round_trip_is_told_with_its_profit_after_fees)
{
    enter_whole();
    const struct route *r = &last(MSG_ROUTE)->route;
    ck_assert(!r->busy && !r->parked);
    ck_assert_int_eq(r->entry_time, now.market_ns);
    ck_assert_int_eq(r->entry_side, SIDE_BUY);
    ck_assert_int_eq(r->entry_edge_nbps, 12 * NS_PER_SEC);
    ck_assert_uint_eq(r->exec_epoch, 1);
    ck_assert_uint_eq(r->exec_pos, exec_pos);
    ck_assert_int_eq(dec_cmp(r->legs[1].qty, d("-1")), 0);
    assert_money(r->legs[0].cost, "100.01");
    assert_money(r->legs[0].fees, "0.1");
    assert_money(r->legs[1].cost, "-99.99");
    pass_ms(5);
    leave_whole();
    r = &last(MSG_ROUTE)->route;
    ck_assert_uint_eq(r->round_trips, 1);
    assert_money(r->realised, "-0.32"); /* -0.01 - 0.01 - 4 fees */
    ck_assert_int_eq(r->entry_time, 0);
    ck_assert_int_eq(r->cool_until, now.market_ns + NS_PER_SEC);
    ck_assert_int_eq(r->legs[0].qty.m, 0);
    assert_money(r->legs[0].cost, "0");
    ck_assert_int_eq(metric_of("round_trips"), 1);
    ck_assert_int_eq(metric_of("day_pnl"), -320000);
    ck_assert_int_eq(metric_of("positions"), 0);
}
END_TEST

START_TEST(a_partial_exit_leaves_the_rest_and_closes_no_round_trip)
{
    enter_whole();
    int64_t entered = last(MSG_ROUTE)->route.entry_time;
    pass_ms(5);
    struct message m = leaving("1");
    const struct message *decision = must_accept(&m);
    fill_for(decision, "BTC-USDT", "alfa", SIDE_SELL, "100", "0.75", "0");
    fill_for(decision, "BTC-USDT", "beta", SIDE_BUY, "100", "0.75", "0");
    basket_end(decision, BASKET_DONE);
    const struct route *r = &last(MSG_ROUTE)->route;
    ck_assert_uint_eq(r->round_trips, 0);
    ck_assert_int_eq(r->entry_time, entered);
    ck_assert_int_eq(dec_cmp(r->legs[0].qty, d("0.25")), 0);
}
END_TEST

START_TEST(dust_below_a_lot_is_flat_and_stays_in_the_numbers)
{
    enter_whole();
    struct message m = leaving("1");
    const struct message *decision = must_accept(&m);
    fill_for(decision, "BTC-USDT", "alfa", SIDE_SELL, "100", "0.9995", "0");
    fill_for(decision, "BTC-USDT", "beta", SIDE_BUY, "100", "1", "0");
    basket_end(decision, BASKET_DONE);
    const struct route *r = &last(MSG_ROUTE)->route;
    ck_assert_uint_eq(r->round_trips, 1);
    ck_assert_int_eq(r->entry_time, 0);
    ck_assert_int_eq(dec_cmp(r->legs[0].qty, d("0.0005")), 0);
    ck_assert_int_eq(metric_of("positions"), 1);
}
END_TEST

START_TEST(what_the_venue_takes_no_order_for_is_flat_too)
{
    enter_whole(); /* the least an order may be worth is 5, and the least of it 0.002 */
    struct message m = leaving("1");
    const struct message *decision = must_accept(&m);
    fill_for(decision, "BTC-USDT", "alfa", SIDE_SELL, "100", "0.96", "0");
    fill_for(decision, "BTC-USDT", "beta", SIDE_BUY, "100", "1", "0");
    basket_end(decision, BASKET_DONE);
    const struct route *r = &last(MSG_ROUTE)->route;
    ck_assert_uint_eq(r->round_trips, 1);
    ck_assert_int_eq(r->entry_time, 0);
    ck_assert_int_eq(dec_cmp(r->legs[0].qty, d("0.04")), 0);
}
END_TEST

/* A venue that tells no lot: its books' quantities, whole units here, say what can be ordered. */
static void tell_no_lot(const char *venue)
{
    static struct message m;
    message_init(&m, MSG_INST);
    strcpy(m.env.stream, "market");
    m.env.epoch = 1;
    strcpy(m.inst.symbol, "BTC-USDT");
    strcpy(m.inst.venue, venue);
    strcpy(m.inst.base, "BTC");
    strcpy(m.inst.quote, "USDT");
    strcpy(m.inst.settle, "USDT");
    m.inst.kind = KIND_SPOT;
    m.inst.multiplier = d("1");
    show(&m);
}

START_TEST(dust_is_flat_where_no_lot_is_known_too)
{
    tell_no_lot("alfa");
    tell_no_lot("beta");
    enter_whole();
    struct message m = leaving("1");
    const struct message *decision = must_accept(&m);
    fill_for(decision, "BTC-USDT", "alfa", SIDE_SELL, "100", "1", "0");
    fill_for(decision, "BTC-USDT", "beta", SIDE_BUY, "100", "1.00009", "0");
    basket_end(decision, BASKET_DONE);
    const struct route *r = &last(MSG_ROUTE)->route;
    ck_assert_uint_eq(r->round_trips, 1);
    ck_assert_int_eq(r->entry_time, 0);
    ck_assert_int_eq(r->cool_until, now.market_ns + NS_PER_SEC);
    ck_assert_int_eq(dec_cmp(r->legs[1].qty, d("0.00009")), 0);
}
END_TEST

START_TEST(an_entry_that_was_unwound_tells_its_loss_and_is_no_round_trip)
{
    struct message m = entry();
    const struct message *decision = must_accept(&m);
    fill_for(decision, "BTC-USDT", "alfa", SIDE_BUY, "100.01", "1", "0.1");
    fill_for(decision, "BTC-USDT", "alfa", SIDE_SELL, "99.99", "1", "0.1");
    basket_end(decision, BASKET_FLAT);
    const struct route *r = &last(MSG_ROUTE)->route;
    ck_assert_uint_eq(r->round_trips, 0);
    assert_money(r->realised, "-0.22");
    ck_assert_int_eq(r->entry_time, 0);
    assert_money(r->legs[0].cost, "0");
}
END_TEST

START_TEST(profit_of_two_quotes_is_joined_in_the_first_legs)
{
    list("BTC-KRW", "upbit", "BTC", "KRW");
    list("USDT-KRW", "upbit", "USDT", "KRW");
    quote_at("USDT-KRW", "upbit", "1399", "1401");
    quote_at("BTC-KRW", "upbit", "139900", "140100");
    static const char route[] = "BTC-KRW@upbit~BTC-USDT@alfa";
    for (int leave = 0; leave < 2; leave++) {
        struct message m = leave ? leaving("1") : entry();
        const struct message *assigned = assignment_of(route);
        ck_assert_ptr_nonnull(assigned);
        strcpy(m.intent.route, route);
        m.intent.route_epoch = assigned ? assigned->assign.route_epoch : 0;
        leg_of(&m.intent, 0, "upbit", leave ? SIDE_SELL : SIDE_BUY, leave ? "139900" : "140100", "1");
        strcpy(m.intent.legs[0].symbol, "BTC-KRW");
        leg_of(&m.intent, 1, "alfa", leave ? SIDE_BUY : SIDE_SELL, leave ? "100.01" : "99.99", "1");
        const struct message *decision = must_accept(&m);
        fill_for(decision, "BTC-KRW", "upbit", leave ? SIDE_SELL : SIDE_BUY, leave ? "139900" : "140100", "1",
                 "70");
        fill_for(decision, "BTC-USDT", "alfa", leave ? SIDE_BUY : SIDE_SELL, leave ? "100.01" : "99.99", "1",
                 "0.01");
        basket_end(decision, BASKET_DONE);
    }
    /* -200 - 140 KRW, and -0.02 - 0.02 USDT at 1400 */
    assert_money(last(MSG_ROUTE)->route.realised, "-396");
}
END_TEST

START_TEST(a_fill_after_the_end_is_told_at_once)
{
    struct message m = entry();
    struct message decision = *must_accept(&m);
    basket_end(&decision, BASKET_EXPIRED);
    uint32_t told = count_of(MSG_ROUTE);
    fill_for(&decision, "BTC-USDT", "alfa", SIDE_BUY, "100.01", "1", "0");
    ck_assert_uint_eq(count_of(MSG_ROUTE), told + 1);
    ck_assert_int_eq(dec_cmp(last(MSG_ROUTE)->route.legs[0].qty, d("1")), 0);
    ck_assert_int_eq(metric_of("late_fills"), 1);
}
END_TEST

START_TEST(a_late_fill_during_another_basket_is_told_once_with_that_baskets_end)
{
    struct message m = entry();
    struct message first = *must_accept(&m);
    basket_end(&first, BASKET_EXPIRED);
    m = entry();
    struct message second = *must_accept(&m);
    uint32_t told = count_of(MSG_ROUTE);
    fill_for(&second, "BTC-USDT", "alfa", SIDE_BUY, "100.01", "1", "0");
    fill_for(&first, "BTC-USDT", "alfa", SIDE_BUY, "100.01", "0.5", "0");
    ck_assert_uint_eq(count_of(MSG_ROUTE), told);
    restart(2);
    basket_end(&second, BASKET_DONE);
    ck_assert_uint_eq(count_of(MSG_ROUTE), told + 1);
    ck_assert_int_eq(dec_cmp(last(MSG_ROUTE)->route.legs[0].qty, d("1.5")), 0);
}
END_TEST

START_TEST(an_order_of_an_unknown_decision_is_adopted_as_exposure)
{
    struct message order = exec_record(MSG_ORDER);
    strcpy(order.order.client_id, "paper-9-9-0-0");
    strcpy(order.order.symbol, "BTC-USDT");
    strcpy(order.order.venue, "alfa");
    strcpy(order.order.route, ROUTE);
    order.order.risk_epoch = 9;
    order.order.risk_pos = 9;
    order.order.side = SIDE_BUY;
    order.order.qty = 7;
    order.order.state = ORDER_NEW;
    from_exec(&order);
    ck_assert_int_eq(metric_of("adopted_orders"), 1);
    ck_assert_int_eq(metric_of("open_orders"), 1);
    ck_assert_int_eq(metric_of("gross"), 700000000);
    exec_beat();
    struct message m = entry();
    must_refuse(&m, REASON_ROUTE_BUSY, TIER_ROUTE);
    for (int state = ORDER_PARTIALLY_FILLED; state <= ORDER_FILLED; state++) {
        order.env.pos = ++exec_pos;
        order.order.state = (enum order_state)state;
        order.order.filled = state == ORDER_FILLED ? 7 : 3;
        from_exec(&order);
        ck_assert_int_eq(metric_of("gross"), state == ORDER_FILLED ? 0 : 400000000);
    }
    ck_assert_int_eq(metric_of("adopted_orders"), 0);
    ck_assert_int_eq(metric_of("adoptions"), 1);
    ck_assert(!last(MSG_ROUTE)->route.busy);
}
END_TEST

/* ---- the day ------------------------------------------------------------------------------------------ */

START_TEST(the_day_rolls_and_its_profit_starts_again_at_nothing)
{
    enter_whole();
    leave_whole();
    ck_assert_int_eq(metric_of("day_pnl"), -320000);
    pass_ms(86400000);
    exec_beat();
    tick_time();
    ck_assert_int_eq(metric_of("day_pnl"), 0);
    const struct state *rolled = &last(MSG_STATE)->state;
    assert_money(rolled->day_pnl, "-0.32");
    ck_assert_int_eq(rolled->state, RISK_NORMAL);
    tick_time();
    ck_assert_uint_eq(count_of(MSG_STATE), 2);
    restart(2);
    exec_beat();
    tick_time();
    ck_assert_int_eq(metric_of("day_pnl"), 0);
    ck_assert_uint_eq(count_of(MSG_STATE), 2);
}
END_TEST

START_TEST(reading_execs_ledger_again_halts_nothing)
{
    config.risk.max_daily_loss = amount("50");
    end();
    begin_bare();
    config.risk.max_daily_loss = amount("50");
    restart(2);
    list("BTC-USDT", "alfa", "BTC", "USDT");
    list("BTC-USDT", "beta", "BTC", "USDT");
    refresh_books();
    hello("w1", 11);
    exec_beat();
    enter_whole();
    leave_whole();
    quote_at("BTC-USDT", "alfa", "29.99", "30.01"); /* the open half of the past would be a loss of 70 now */
    restart(3);
    exec_beat();
    tick_time();
    ck_assert_int_eq(metric_of("state"), RISK_NORMAL);
    ck_assert_int_eq(metric_of("day_pnl"), -320000);
}
END_TEST

/* ---- folding ------------------------------------------------------------------------------------------ */

static void reject_many(int n)
{
    for (int i = 0; i < n; i++) {
        struct message m = entry();
        m.intent.deadline = 1;
        ask(&m);
    }
}

START_TEST(rejects_beyond_five_a_second_become_one_record_with_a_count)
{
    reject_many(105);
    ck_assert_uint_eq(count_of(MSG_DECISION), 5);
    ck_assert_int_eq(metric_of("decisions"), 105);
    ck_assert_int_eq(metric_of("rejects"), 105);
    ck_assert_int_eq(metric_of("rejects_DEADLINE"), 105);
    tick_time();
    ck_assert_uint_eq(count_of(MSG_DECISION), 5);
    struct message other = entry();
    strcpy(other.intent.route, "x");
    must_refuse(&other, REASON_UNKNOWN_ROUTE, TIER_ROUTE);
    pass_ms(1000);
    tick_time();
    ck_assert_uint_eq(count_of(MSG_DECISION), 7);
    const struct decision *folded = &last(MSG_DECISION)->decision;
    ck_assert_uint_eq(folded->count, 100);
    ck_assert_int_eq(folded->reason, REASON_DEADLINE);
    ck_assert_str_eq(folded->worker, "w1");
    ck_assert_int_eq(metric_of("decisions"), 106);
    ck_assert_int_eq(metric_of("rejects"), 106);
    ck_assert_int_eq(metric_of("rejects_DEADLINE"), 105);
}
END_TEST

START_TEST(what_is_folded_is_told_at_the_stop)
{
    reject_many(7);
    risk_on_control(risk, VERB_STOP, "", now, &outbox);
    take();
    ck_assert_uint_eq(last(MSG_DECISION)->decision.count, 2);
    ck_assert_int_eq(last(MSG_SESSION)->session.event, SESSION_STOP);
}
END_TEST

/* ---- restart ------------------------------------------------------------------------------------------ */

static void assert_same_status(const struct reply *a, const struct reply *b)
{
    ck_assert_uint_eq(a->n_metrics, b->n_metrics);
    for (uint32_t i = 0; i < a->n_metrics; i++) {
        ck_assert_str_eq(a->metrics[i].name, b->metrics[i].name);
        ck_assert_msg(a->metrics[i].value == b->metrics[i].value, "%s: %lld, and after the restart %lld",
                      a->metrics[i].name, (long long)a->metrics[i].value, (long long)b->metrics[i].value);
    }
}

/* Whatever happened, a life rebuilt from the ledgers stands where the one before stood. */
static void assert_restart_changes_nothing(uint64_t epoch)
{
    static struct reply before, after;
    memset(&before, 0, sizeof before);
    memset(&after, 0, sizeof after);
    risk_status(risk, &before);
    uint32_t n = n_ledger;
    restart(epoch);
    ck_assert_uint_eq(n_ledger, n + 2); /* epoch and session */
    hello("w1", 11);
    ck_assert_uint_eq(n_ledger, n + 2);
    exec_beat();
    risk_status(risk, &after);
    assert_same_status(&before, &after);
}

START_TEST(a_restart_between_any_two_records_changes_nothing)
{
    static struct message open;
    uint64_t epoch = 1;
    for (int trip = 0; trip < 2; trip++) {
        struct message m = trip ? leaving("1") : entry();
        open = *must_accept(&m);
        assert_restart_changes_nothing(++epoch);
        fill_for(&open, "BTC-USDT", "alfa", trip ? SIDE_SELL : SIDE_BUY, "100", "0.4", "0.1");
        assert_restart_changes_nothing(++epoch);
        fill_for(&open, "BTC-USDT", "beta", trip ? SIDE_BUY : SIDE_SELL, "100", "1", "0.1");
        assert_restart_changes_nothing(++epoch);
        fill_for(&open, "BTC-USDT", "alfa", trip ? SIDE_SELL : SIDE_BUY, "100", "0.6", "0.1");
        assert_restart_changes_nothing(++epoch);
        basket_end(&open, BASKET_DONE);
        assert_restart_changes_nothing(++epoch);
        ck_assert_int_eq(dec_cmp(last(MSG_ROUTE)->route.legs[0].qty, trip ? d("0") : d("1")), 0);
        assert_money(last(MSG_ROUTE)->route.legs[0].cost, trip ? "0" : "100");
    }
    ck_assert_uint_eq(count_of(MSG_ROUTE), 2);
    ck_assert_uint_eq(last(MSG_ROUTE)->route.round_trips, 1);
}
END_TEST

START_TEST(one_routes_record_does_not_hide_anothers_fill)
{
    list("BTC-USDT", "gama", "BTC", "USDT");
    quote_at("BTC-USDT", "gama", "99.99", "100.01");
    struct message m = entry();
    struct message one = *must_accept(&m);
    m = entry();
    strcpy(m.intent.route, "BTC-USDT@beta~BTC-USDT@gama");
    leg_of(&m.intent, 0, "beta", SIDE_BUY, "100.02", "1");
    leg_of(&m.intent, 1, "gama", SIDE_SELL, "99.98", "1");
    struct message two = *must_accept(&m);
    fill_for(&one, "BTC-USDT", "alfa", SIDE_BUY, "100", "1", "0");
    fill_for(&two, "BTC-USDT", "beta", SIDE_BUY, "100", "1", "0");
    basket_end(&two, BASKET_PARKED); /* told at a later place than the first route's fill */
    assert_restart_changes_nothing(2);
    basket_end(&one, BASKET_PARKED);
    ck_assert_str_eq(last(MSG_ROUTE)->route.route, ROUTE);
    ck_assert_int_eq(dec_cmp(last(MSG_ROUTE)->route.legs[0].qty, d("1")), 0);
}
END_TEST

START_TEST(orders_of_the_past_are_not_adopted_for_good)
{
    struct message m = entry();
    struct message decision = *must_accept(&m);
    struct message order = exec_record(MSG_ORDER);
    strcpy(order.order.client_id, "paper-1-1-0-0");
    strcpy(order.order.symbol, "BTC-USDT");
    strcpy(order.order.venue, "alfa");
    strcpy(order.order.route, ROUTE);
    order.order.risk_epoch = decision.env.epoch;
    order.order.risk_pos = decision.env.pos;
    order.order.side = SIDE_BUY;
    order.order.qty = 1;
    order.order.state = ORDER_NEW;
    from_exec(&order);
    ck_assert_int_eq(metric_of("adopted_orders"), 0);
    basket_end(&decision, BASKET_EXPIRED);
    order.env.pos = ++exec_pos;
    order.order.state = ORDER_CANCELED;
    from_exec(&order);
    assert_restart_changes_nothing(2);
    ck_assert_int_eq(metric_of("adoptions"), 0);
}
END_TEST

/* The same inputs at two gates, one of them rebuilt, give the same records. */
START_TEST(a_rebuilt_gate_decides_as_the_one_that_lived_on)
{
    static struct message asked[5], lived[5];
    enter_whole();
    for (int i = 0; i < 5; i++)
        asked[i] = i == 1 ? entry() : leaving(i == 0 ? "1.5" : "1");
    asked[1].intent.deadline = 1;
    asked[2].intent.id = asked[0].intent.id;
    asked[3].intent.state_pos = 1;
    uint32_t n = n_ledger;
    for (int i = 0; i < 5; i++)
        lived[i] = *ask(&asked[i]);
    ck_assert_int_eq(lived[4].decision.verdict, VERDICT_ACCEPT);
    n_ledger = n;
    restart(2);
    hello("w1", 11);
    exec_beat();
    for (int i = 0; i < 5; i++) {
        struct message again = *ask(&asked[i]);
        again.env.epoch = lived[i].env.epoch;
        again.env.pos = lived[i].env.pos;
        ck_assert_msg(message_equal(&lived[i], &again), "intent %d: %s, and rebuilt %s", i,
                      reason_text(lived[i].decision.reason), reason_text(again.decision.reason));
    }
}
END_TEST

START_TEST(an_exec_ledger_that_went_back_is_not_trusted)
{
    enter_whole();
    struct message m = exec_record(MSG_EPOCH);
    m.env.epoch = 2;
    m.env.pos = 2;
    m.epoch.base_epoch = 1;
    m.epoch.base_pos = 1;
    from_exec(&m);
    ck_assert_int_eq(metric_of("broken"), 1);
}
END_TEST

START_TEST(a_repeated_exec_record_is_counted_and_ignored)
{
    enter_whole();
    int64_t gross = metric_of("gross");
    risk_on_exec(risk, &exec_ledger[0], now, &outbox);
    ck_assert_uint_eq(take(), 0);
    ck_assert_int_eq(metric_of("gross"), gross);
    ck_assert_int_eq(metric_of("ignored"), 1);
}
END_TEST

/* ---- all --------------------------------------------------------------------------------------------- */

static void add_holdings(TCase *c)
{
    tcase_add_test(c, what_is_reserved_is_released_by_the_baskets_end_only);
    tcase_add_test(c, rejects_take_no_room);
    tcase_add_test(c, a_round_trip_is_told_with_its_profit_after_fees);
    tcase_add_test(c, a_partial_exit_leaves_the_rest_and_closes_no_round_trip);
    tcase_add_test(c, dust_below_a_lot_is_flat_and_stays_in_the_numbers);
    tcase_add_test(c, dust_is_flat_where_no_lot_is_known_too);
    tcase_add_test(c, what_the_venue_takes_no_order_for_is_flat_too);
    tcase_add_test(c, an_entry_that_was_unwound_tells_its_loss_and_is_no_round_trip);
    tcase_add_test(c, profit_of_two_quotes_is_joined_in_the_first_legs);
    tcase_add_test(c, a_fill_after_the_end_is_told_at_once);
    tcase_add_test(c, a_late_fill_during_another_basket_is_told_once_with_that_baskets_end);
    tcase_add_test(c, an_order_of_an_unknown_decision_is_adopted_as_exposure);
    tcase_add_test(c, the_day_rolls_and_its_profit_starts_again_at_nothing);
    tcase_add_test(c, reading_execs_ledger_again_halts_nothing);
}

static void add_life(TCase *c)
{
    tcase_add_test(c, stop_writes_who_was_there_and_then_takes_nothing);
    tcase_add_test(c, an_unknown_verb_is_said_to_be_one);
    tcase_add_test(c, rejects_beyond_five_a_second_become_one_record_with_a_count);
    tcase_add_test(c, what_is_folded_is_told_at_the_stop);
    tcase_add_test(c, a_restart_between_any_two_records_changes_nothing);
    tcase_add_test(c, one_routes_record_does_not_hide_anothers_fill);
    tcase_add_test(c, orders_of_the_past_are_not_adopted_for_good);
    tcase_add_test(c, a_rebuilt_gate_decides_as_the_one_that_lived_on);
    tcase_add_test(c, an_exec_ledger_that_went_back_is_not_trusted);
    tcase_add_test(c, a_repeated_exec_record_is_counted_and_ignored);
}

int main(void)
{
    Suite *suite = suite_create("risk");
    TCase *bare = tcase_create("start");
    tcase_add_checked_fixture(bare, begin_bare, end);
    tcase_add_test(bare, the_first_start_writes_epoch_session_limits_and_state);
    tcase_add_test(bare, a_later_start_resumes_and_writes_limits_only_when_they_changed);
    tcase_add_test(bare, a_halt_survives_a_restart);
    suite_add_tcase(suite, bare);
    TCase *trading = tcase_create("trading");
    tcase_add_checked_fixture(trading, begin, end);
    add_holdings(trading);
    add_life(trading);
    suite_add_tcase(suite, trading);
    return run_suite(suite);
}
