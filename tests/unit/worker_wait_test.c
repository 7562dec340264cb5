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

/* ---- from a snapshot -------------------------------------------------------------------------------- */

/* A message of risk's or exec's snapshot: its place is that of the record it goes back to. */
static void state_says(enum message_type type, uint64_t place)
{
    m.env.type = type;
    m.env.epoch = 4;
    m.env.pos = place;
    worker_on_risk(worker, &m, now);
}

static void assignment_in_state(uint64_t place, bool busy)
{
    message_init(&m, MSG_ASSIGN);
    strcpy(m.assign.route, "BTC");
    strcpy(m.assign.worker, "strategy-1");
    m.assign.incarnation = MINE;
    m.assign.route_epoch = 3;
    m.assign.busy = busy;
    m.assign.n_legs = 2;
    strcpy(m.assign.legs[0].symbol, "BTC-USDT");
    strcpy(m.assign.legs[0].venue, "x");
    strcpy(m.assign.legs[1].symbol, "BTC-USDT");
    strcpy(m.assign.legs[1].venue, "y");
    state_says(MSG_ASSIGN, place);
}

static void snapshot_was(uint64_t place)
{
    message_init(&m, MSG_SNAPSHOT);
    state_says(MSG_SNAPSHOT, place);
}

static void balance_is(int64_t total)
{
    message_init(&m, MSG_BALANCE);
    strcpy(m.balance.venue, "x");
    strcpy(m.balance.currency, "USDT");
    m.balance.total = total;
    worker_on_exec(worker, &m, now);
}

static void adjust_by(int64_t amount)
{
    message_init(&m, MSG_ADJUST);
    strcpy(m.adjust.venue, "x");
    strcpy(m.adjust.currency, "USDT");
    m.adjust.amount = amount;
    worker_on_exec(worker, &m, now);
}

static void reader_tells_of_a_gap(bool in_exec)
{
    message_init(&m, MSG_GAP);
    strcpy(m.gap.stream_lost, in_exec ? "exec" : "risk");
    strcpy(m.gap.cause, "rollback");
    m.gap.from_epoch = 5;
    m.gap.from_pos = 7;
    m.gap.to_pos = 9;
    if (in_exec)
        worker_on_exec(worker, &m, now);
    else
        worker_on_risk(worker, &m, now);
}

START_TEST(a_snapshot_is_claimed_at_its_own_place_only_and_followed_from_there)
{
    wants = INTENT_ENTER;
    assignment_in_state(90, false);
    message_init(&m, MSG_LIMITS);
    state_says(MSG_LIMITS, 2);
    tick();
    ck_assert_int_eq(wake(true), 1);
    ck_assert_uint_eq(sent.state_pos, 0);
    pass(1001);
    snapshot_was(95);
    tick();
    ck_assert_int_eq(wake(true), 1);
    ck_assert_uint_eq(sent.state_epoch, 4);
    ck_assert_uint_eq(sent.state_pos, 95);
    pos = 95;
    message_init(&m, MSG_LIMITS);
    risk_says(MSG_LIMITS);
    pass(1001);
    tick();
    ck_assert_int_eq(wake(true), 1);
    ck_assert_uint_eq(sent.state_epoch, 5);
    ck_assert_uint_eq(sent.state_pos, 96);
    ck_assert_ptr_null(worker_lost(worker));
}
END_TEST

START_TEST(an_open_basket_in_a_snapshot_keeps_its_route_busy_whoever_asked_for_it)
{
    wants = INTENT_ENTER;
    assignment_in_state(90, false);
    message_init(&m, MSG_DECISION);
    strcpy(m.decision.route, "BTC");
    strcpy(m.decision.worker, "strategy-2");
    m.decision.incarnation = OTHER;
    m.decision.verdict = VERDICT_ACCEPT;
    state_says(MSG_DECISION, 93);
    snapshot_was(95);
    tick();
    ck_assert_int_eq(wake(true), 0);
    ck_assert_int_eq(metric("accepted"), 0);
    pos = 95;
    route_says(false, false, 0);
    tick();
    ck_assert_int_eq(wake(true), 1);
}
END_TEST

START_TEST(sums_are_set_and_changes_are_added_so_nothing_counts_twice)
{
    assign("strategy-1", MINE);
    balance_is(5000);
    balance_is(5000); /* an answer that broke off is told again */
    adjust_by(-30);
    balance_is(4970);
    tick();
    wake(true);
    ck_assert_int_eq((int64_t)balance, 4970);
    adjust_by(5);
    tick();
    wake(true);
    ck_assert_int_eq((int64_t)balance, 4975);
}
END_TEST

static void ends_with_a_goodbye(bool in_exec)
{
    wants = INTENT_ENTER;
    assign("strategy-1", MINE);
    tick();
    reader_tells_of_a_gap(in_exec);
    ck_assert_ptr_nonnull(strstr(worker_lost(worker), "7 to 9"));
    ck_assert_int_eq(wake(true), 0);
    ck_assert_int_eq(hellos(), 1);
    ck_assert(heard.goodbye);
    pass(1000);
    ck_assert_int_eq(hellos(), 0);
}

START_TEST(a_hole_in_risks_ledger_ends_the_worker_with_a_goodbye)
{
    ends_with_a_goodbye(false);
}
END_TEST

START_TEST(a_hole_in_execs_ledger_ends_it_as_well)
{
    ends_with_a_goodbye(true);
}
END_TEST

START_TEST(a_hole_that_the_owner_tells_of_is_in_another_ledger)
{
    wants = INTENT_ENTER;
    assign("strategy-1", MINE);
    message_init(&m, MSG_GAP);
    strcpy(m.gap.stream_lost, "exec");
    risk_says(MSG_GAP);
    ck_assert_ptr_null(worker_lost(worker));
    tick();
    ck_assert_int_eq(wake(true), 1);
    ck_assert_uint_eq(sent.state_pos, 2);
}
END_TEST

START_TEST(a_ledger_that_begins_anew_behind_half_a_snapshot_is_not_added_to_it)
{
    balance_is(5000);
    message_init(&m, MSG_EPOCH);
    m.env.pos = 1;
    worker_on_exec(worker, &m, now);
    ck_assert_ptr_nonnull(worker_lost(worker));
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
        a_snapshot_is_claimed_at_its_own_place_only_and_followed_from_there,
        an_open_basket_in_a_snapshot_keeps_its_route_busy_whoever_asked_for_it,
        sums_are_set_and_changes_are_added_so_nothing_counts_twice,
        a_hole_in_risks_ledger_ends_the_worker_with_a_goodbye,
        a_hole_in_execs_ledger_ends_it_as_well,
        a_hole_that_the_owner_tells_of_is_in_another_ledger,
        a_ledger_that_begins_anew_behind_half_a_snapshot_is_not_added_to_it,
    };
    /* clang-format on */
    return run("worker_wait", tests, sizeof tests / sizeof tests[0]);
}
