/* What a worker waits for, and what it follows: decisions, baskets, back-offs, both ledgers. */
#include "tests/unit/worker_world.h"

static void decide_on(uint64_t id, uint64_t incarnation, enum verdict verdict)
{
    message_init(&m, MSG_DECISION);
    strcpy(m.decision.route, "BTC");
    strcpy(m.decision.worker, "strategy-1");
    m.decision.incarnation = incarnation;
    m.decision.intent_id = id;
    m.decision.verdict = verdict;
    m.decision.count = 1;
    risk_says(MSG_DECISION);
}

/* ---- what it waits for ------------------------------------------------------------------------------ */

START_TEST(waits_for_the_decision_before_the_next_intent)
{
    wants = INTENT_ENTER;
    assign("strategy-1", MINE);
    ck_assert(worker_quiet(worker));
    tick();
    ck_assert_int_eq(wake(true), 1);
    ck_assert(!worker_quiet(worker));
    tick();
    ck_assert_int_eq(wake(true), 0);
    ck_assert_uint_eq(calls, 2); /* it follows the market all the same */
    ck_assert(!was_allowed);
    decide_on(1, OTHER, VERDICT_REJECT); /* another life's */
    ck_assert(!worker_quiet(worker));
    decide_on(1, MINE, VERDICT_ACCEPT);
    ck_assert(worker_quiet(worker));
}
END_TEST

START_TEST(waits_for_the_end_of_the_basket_after_an_accept)
{
    wants = INTENT_ENTER;
    assign("strategy-1", MINE);
    tick();
    wake(true);
    decide_on(1, MINE, VERDICT_ACCEPT);
    tick();
    ck_assert_int_eq(wake(true), 0);
    route_says(true, false, 0);
    tick();
    ck_assert_int_eq(wake(true), 0);
    route_says(false, false, 2);
    tick();
    ck_assert_int_eq(wake(true), 1);
    ck_assert_uint_eq(sent.id, 2);
    ck_assert_uint_eq(sent.state_pos, pos);
    ck_assert(!was_flat);
    ck_assert_int_eq(held[0].qty.m, 2);
    ck_assert_int_eq(held[1].qty.m, -2);
}
END_TEST

START_TEST(a_parked_or_busy_route_is_left_alone)
{
    wants = INTENT_EXIT;
    assign("strategy-1", MINE);
    route_says(false, true, 1);
    tick();
    ck_assert_int_eq(wake(true), 0);
    route_says(true, false, 1);
    tick();
    ck_assert_int_eq(wake(true), 0);
    route_says(false, false, 1);
    tick();
    ck_assert_int_eq(wake(true), 1);
}
END_TEST

START_TEST(backs_off_ever_longer_after_rejects_and_not_at_all_after_an_accept)
{
    static const int64_t waits_ms[] = {250, 500, 1000, 2000, 4000, 8000, 8000};
    wants = INTENT_ENTER;
    assign("strategy-1", MINE);
    for (uint64_t i = 0; i < sizeof waits_ms / sizeof waits_ms[0]; i++) {
        tick();
        ck_assert_int_eq(wake(true), 1);
        decide_on(sent.id, MINE, i % 2 ? VERDICT_REJECT : VERDICT_COOL);
        pass(waits_ms[i] - 2);
        tick();
        ck_assert_int_eq(wake(true), 0);
        ck_assert(!was_allowed);
    }
    tick();
    ck_assert_int_eq(wake(true), 1);
    decide_on(sent.id, MINE, VERDICT_LESS);
    route_says(false, false, 0);
    tick();
    ck_assert_int_eq(wake(true), 1);
    decide_on(sent.id, MINE, VERDICT_REJECT);
    pass(250);
    tick();
    ck_assert_int_eq(wake(true), 1);
}
END_TEST

START_TEST(a_position_waits_for_the_least_back_off_only)
{
    wants = INTENT_EXIT;
    assign("strategy-1", MINE);
    for (int i = 0; i < 5; i++) {
        pass(249);
        tick();
        ck_assert_int_eq(wake(true), 1);
        decide_on(sent.id, MINE, VERDICT_REJECT);
        tick();
        ck_assert_int_eq(wake(true), 0);
    }
}
END_TEST

START_TEST(goes_by_fresh_state_when_no_answer_comes_within_a_second)
{
    wants = INTENT_ENTER;
    assign("strategy-1", MINE);
    tick();
    ck_assert_int_eq(wake(true), 1);
    pass(998);
    tick();
    ck_assert_int_eq(wake(true), 0);
    tick();
    ck_assert_int_eq(wake(true), 1);
    ck_assert_uint_eq(sent.id, 2);
    decide_on(1, MINE, VERDICT_REJECT); /* the late answer to the first does not answer the second */
    ck_assert(!worker_quiet(worker));
    pass(1000);
    (void)hellos(); /* no tick need come */
    ck_assert(worker_quiet(worker));
    ck_assert_int_eq(metric("unanswered"), 2);
}
END_TEST

START_TEST(waits_for_nothing_on_a_route_it_lost)
{
    wants = INTENT_ENTER;
    assign("strategy-1", MINE);
    tick();
    ck_assert_int_eq(wake(true), 1);
    assign("strategy-2", OTHER);
    ck_assert(worker_quiet(worker));
}
END_TEST

/* ---- what it follows -------------------------------------------------------------------------------- */

START_TEST(every_record_of_risks_ledger_moves_its_position)
{
    wants = INTENT_ENTER;
    assign("strategy-1", MINE);
    message_init(&m, MSG_SESSION);
    risk_says(MSG_SESSION);
    message_init(&m, MSG_LIMITS);
    risk_says(MSG_LIMITS);
    message_init(&m, MSG_BEAT); /* no record */
    m.env.epoch = 9;
    m.env.pos = 900;
    worker_on_risk(worker, &m, now);
    tick();
    wake(true);
    ck_assert_uint_eq(sent.state_epoch, 5);
    ck_assert_uint_eq(sent.state_pos, 3);
}
END_TEST

START_TEST(balances_follow_execs_ledger)
{
    assign("strategy-1", MINE);
    message_init(&m, MSG_ADJUST);
    strcpy(m.adjust.venue, "x");
    strcpy(m.adjust.currency, "USDT");
    m.adjust.amount = 1000;
    worker_on_exec(worker, &m, now);
    message_init(&m, MSG_FILL);
    strcpy(m.fill.symbol, "BTC-USDT");
    strcpy(m.fill.venue, "x");
    strcpy(m.fill.base, "BTC");
    strcpy(m.fill.quote, "USDT");
    strcpy(m.fill.fee_currency, "USDT");
    m.fill.kind = KIND_SPOT;
    m.fill.side = SIDE_BUY;
    m.fill.price_exp = -18;
    m.fill.price = 300;
    m.fill.qty = 2;
    m.fill.fee = (struct dec){7, -18};
    worker_on_exec(worker, &m, now);
    tick();
    wake(true);
    ck_assert_int_eq((int64_t)balance, 1000 - 600 - 7);
}
END_TEST

int main(void)
{
    /* clang-format off */
    const TTest *const tests[] = {
        waits_for_the_decision_before_the_next_intent,
        waits_for_the_end_of_the_basket_after_an_accept,
        a_parked_or_busy_route_is_left_alone,
        backs_off_ever_longer_after_rejects_and_not_at_all_after_an_accept,
        a_position_waits_for_the_least_back_off_only,
        goes_by_fresh_state_when_no_answer_comes_within_a_second,
        waits_for_nothing_on_a_route_it_lost,
        every_record_of_risks_ledger_moves_its_position,
        balances_follow_execs_ledger,
    };
    /* clang-format on */
    return run("worker_wait", tests, sizeof tests / sizeof tests[0]);
}
