/* What the gate promises about routes and their owners: which are formed, who may trade them, and how little
 * moves when workers come and go. */
#include "tests/unit/risk_scene.h"

/* ---- routes ------------------------------------------------------------------------------------------ */

START_TEST(a_route_is_made_of_every_base_that_two_venues_share)
{
    list("BTC-USDT", "gama", "BTC", "USDT");
    list("ETH-USDT", "gama", "ETH", "USDT");
    list("ETH-USDT", "delta", "ETH", "USDT");
    list_kind("BTC-USDT-PERP", "gama", "BTC", "USDT", KIND_LINEAR);
    list_kind("BTC-USD-PERP", "delta", "BTC", "USDT", KIND_INVERSE);
    list("SOL-USDT", "alfa", "SOL", "USDT");
    list("XRP-USDT", "alfa", "XRP", "USDT");
    list("XRP-KRW", "upbit", "XRP", "KRW");
    static const char *const formed[] = {ROUTE,
                                         "BTC-USDT@alfa~BTC-USDT@gama",
                                         "BTC-USDT@beta~BTC-USDT@gama",
                                         "ETH-USDT@delta~ETH-USDT@gama",
                                         "BTC-USDT@alfa~BTC-USDT-PERP@gama",
                                         "BTC-USDT@beta~BTC-USDT-PERP@gama",
                                         NULL};
    for (int i = 0; formed[i]; i++) {
        ck_assert_msg(assignment_of(formed[i]) != NULL, "%s", formed[i]);
        ck_assert_int_eq(assignment_of(formed[i])->assign.cause, ASSIGN_NEW);
        ck_assert_uint_eq(assignment_of(formed[i])->assign.route_epoch, 1);
        ck_assert_uint_eq(assignment_of(formed[i])->assign.n_legs, 2);
        ck_assert_str_eq(assignment_of(formed[i])->assign.fx_symbol, "");
    }
    ck_assert_int_eq(metric_of("routes"), 6);
    ck_assert_int_eq(metric_of("routes_assigned"), 6);
}
END_TEST

START_TEST(two_quotes_are_joined_once_the_instrument_between_them_is_known)
{
    list("BTC-KRW", "upbit", "BTC", "KRW");
    ck_assert_int_eq(metric_of("routes"), 1);
    list("USDT-KRW", "upbit", "USDT", "KRW");
    ck_assert_int_eq(metric_of("routes"), 3);
    const struct message *m = assignment_of("BTC-KRW@upbit~BTC-USDT@alfa");
    ck_assert_ptr_nonnull(m);
    ck_assert_str_eq(m->assign.fx_symbol, "USDT-KRW");
    ck_assert_str_eq(m->assign.fx_venue, "upbit");
    ck_assert_str_eq(m->assign.legs[0].symbol, "BTC-KRW");
    ck_assert_str_eq(m->assign.legs[1].venue, "alfa");
    list("ETH-KRW", "upbit", "ETH", "KRW");
    list("ETH-USDT", "beta", "ETH", "USDT");
    ck_assert_ptr_nonnull(assignment_of("ETH-KRW@upbit~ETH-USDT@beta"));
    ck_assert_int_eq(metric_of("routes"), 4);
}
END_TEST

START_TEST(the_joining_instrument_makes_no_route_with_itself)
{
    list("USDT-KRW", "upbit", "USDT", "KRW");
    list("USDT-USDC", "alfa", "USDT", "USDC");
    list("USDC-KRW", "upbit", "USDC", "KRW");
    ck_assert_int_eq(metric_of("routes"), 2);
    const struct message *m = assignment_of("USDT-KRW@upbit~USDT-USDC@alfa");
    ck_assert_ptr_nonnull(m); /* joined by a third: USDC-KRW */
    ck_assert_str_eq(m->assign.fx_symbol, "USDC-KRW");
}
END_TEST

START_TEST(configured_routes_are_the_only_ones_and_keep_their_order)
{
    end();
    begin_bare();
    config.n_routes = 2;
    strcpy(config.routes[0].a, "BTC-USDT@beta");
    strcpy(config.routes[0].b, "BTC-USDT@alfa");
    strcpy(config.routes[1].a, "ETH-USDT@beta");
    strcpy(config.routes[1].b, "ETH-USDT@nowhere");
    hello("w1", 11);
    list("BTC-USDT", "alfa", "BTC", "USDT");
    list("ETH-USDT", "alfa", "ETH", "USDT");
    list("ETH-USDT", "beta", "ETH", "USDT");
    ck_assert_int_eq(metric_of("routes"), 0);
    list("BTC-USDT", "beta", "BTC", "USDT");
    ck_assert_int_eq(metric_of("routes"), 1);
    ck_assert_ptr_nonnull(assignment_of("BTC-USDT@beta~BTC-USDT@alfa"));
}
END_TEST

START_TEST(a_route_waits_for_a_worker)
{
    end();
    begin_bare();
    list("BTC-USDT", "alfa", "BTC", "USDT");
    list("BTC-USDT", "beta", "BTC", "USDT");
    ck_assert_ptr_null(assignment_of(ROUTE));
    ck_assert_int_eq(metric_of("routes_assigned"), 0);
    hello("w1", 11);
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "w1");
}
END_TEST

/* ---- owners ------------------------------------------------------------------------------------------ */

/* `n` routes of one base each. */
static void list_many(int n)
{
    for (int i = 0; i < n; i++) {
        char base[16], symbol[16];
        snprintf(base, sizeof base, "C%03d", i);
        snprintf(symbol, sizeof symbol, "%s-USDT", base);
        list(symbol, "alfa", base, "USDT");
        list(symbol, "beta", base, "USDT");
    }
}

struct owned {
    char route[96];
    char worker[24];
    uint64_t route_epoch;
};

static uint32_t owners_now(struct owned *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_ledger; i++) {
        const struct assign *a = &ledger[i].assign;
        if (ledger[i].env.type != MSG_ASSIGN)
            continue;
        uint32_t k = 0;
        while (k < n && strcmp(out[k].route, a->route) != 0)
            k++;
        n += k == n;
        strcpy(out[k].route, a->route);
        strcpy(out[k].worker, a->worker);
        ck_assert_uint_gt(a->route_epoch, k == n - 1 && out[k].route_epoch == 0 ? 0 : out[k].route_epoch);
        out[k].route_epoch = a->route_epoch;
    }
    return n;
}

START_TEST(a_worker_that_comes_takes_a_share_and_one_that_goes_gives_only_its_own)
{
    static struct owned before[64], with[64], after[64];
    end();
    begin_bare();
    view_destroy(&view);
    view = view_new(256, 0);
    restart(2);
    hello("w1", 1);
    hello("w2", 2);
    list_many(60);
    uint32_t n = owners_now(before);
    ck_assert_uint_eq(n, 60);
    hello("w3", 3);
    owners_now(with);
    uint32_t moved = 0;
    for (uint32_t i = 0; i < n; i++) {
        bool same = strcmp(before[i].worker, with[i].worker) == 0;
        ck_assert(same || strcmp(with[i].worker, "w3") == 0);
        moved += !same;
    }
    ck_assert_uint_ge(moved, 10); /* a third, more or less */
    ck_assert_uint_le(moved, 30);
    ck_assert_int_eq(last(MSG_ASSIGN)->assign.cause, ASSIGN_REBALANCE);
    hello_as("w3", 3, "", true);
    owners_now(after);
    for (uint32_t i = 0; i < n; i++)
        ck_assert_str_eq(after[i].worker, before[i].worker);
    ck_assert_int_eq(last(MSG_ASSIGN)->assign.cause, ASSIGN_GOODBYE);
}
END_TEST

START_TEST(a_pinned_worker_gets_only_routes_that_start_with_its_prefix)
{
    end();
    begin_bare();
    hello_as("w1", 1, "C00", false);
    list_many(1);
    list("BTC-USDT", "alfa", "BTC", "USDT");
    list("BTC-USDT", "beta", "BTC", "USDT");
    ck_assert_str_eq(assignment_of("C000-USDT@alfa~C000-USDT@beta")->assign.worker, "w1");
    ck_assert_ptr_null(assignment_of(ROUTE));
    hello_as("w2", 2, "BTC", false);
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "w2");
    ck_assert_str_eq(assignment_of("C000-USDT@alfa~C000-USDT@beta")->assign.worker, "w1");
}
END_TEST

START_TEST(a_route_goes_to_those_pinned_to_it_and_to_the_others_only_when_they_are_gone)
{
    const char *pinned_to = "C000-USDT@alfa~C000-USDT@beta";
    end();
    begin_bare();
    hello_as("w1", 1, "", false);
    hello_as("w2", 2, "X,C000,BTC-", false);
    hello_as("w3", 3, "C0001", false);
    list_many(1);
    list("BTC-USDT", "alfa", "BTC", "USDT");
    list("BTC-USDT", "beta", "BTC", "USDT");
    list("ETH-USDT", "alfa", "ETH", "USDT");
    list("ETH-USDT", "beta", "ETH", "USDT");
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "w2");
    ck_assert_str_eq(assignment_of(pinned_to)->assign.worker, "w2");
    ck_assert_str_eq(assignment_of("ETH-USDT@alfa~ETH-USDT@beta")->assign.worker, "w1");
    hello_as("w2", 2, "X,C000,BTC-", true);
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "w1");
    ck_assert_str_eq(assignment_of(pinned_to)->assign.worker, "w1");
    hello_as("w1", 1, "", true);
    ck_assert_str_eq(assignment_of(pinned_to)->assign.worker, "");
}
END_TEST

START_TEST(a_silent_worker_loses_its_routes_with_its_lease)
{
    pass_ms(2000);
    tick_time();
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "w1");
    pass_ms(1);
    tick_time();
    const struct message *m = assignment_of(ROUTE);
    ck_assert_str_eq(m->assign.worker, "");
    ck_assert_int_eq(m->assign.cause, ASSIGN_LEASE);
    ck_assert_uint_eq(m->assign.route_epoch, 2);
    ck_assert_int_eq(last(MSG_SESSION)->session.event, SESSION_WORKER_LEAVE);
    hello("w2", 5);
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "w2");
    refresh_books();
    exec_beat();
    struct message old = entry();
    strcpy(old.intent.worker, "w1");
    old.intent.incarnation = 11;
    old.intent.route_epoch = 1;
    must_refuse(&old, REASON_NOT_OWNER, TIER_ROUTE);
}
END_TEST

START_TEST(only_local_time_runs_a_lease_out)
{
    now.market_ns += 3600 * NS_PER_SEC;
    tick_time();
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "w1");
    pass_ms(1999);
    hello("w1", 11);
    pass_ms(1999);
    tick_time();
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "w1");
    ck_assert_uint_eq(count_of(MSG_ASSIGN), 1);
}
END_TEST

START_TEST(a_new_incarnation_gets_all_its_routes_under_new_epochs)
{
    hello("w1", 12);
    const struct message *m = assignment_of(ROUTE);
    ck_assert_str_eq(m->assign.worker, "w1");
    ck_assert_uint_eq(m->assign.incarnation, 12);
    ck_assert_uint_eq(m->assign.route_epoch, 2);
    ck_assert_int_eq(m->assign.cause, ASSIGN_INCARNATION);
    ck_assert_int_eq(ledger[n_ledger - 3].session.event, SESSION_WORKER_LEAVE);
    ck_assert_uint_eq(ledger[n_ledger - 3].session.incarnation, 11);
    ck_assert_int_eq(ledger[n_ledger - 2].session.event, SESSION_WORKER_JOIN);
    hello("w1", 11); /* the late last word of the life before */
    ck_assert_uint_eq(assignment_of(ROUTE)->assign.incarnation, 12);
    ck_assert_uint_eq(count_of(MSG_ASSIGN), 2);
    ck_assert_int_eq(metric_of("evaluations"), 2000);
}
END_TEST

START_TEST(a_past_life_is_not_revived_when_the_one_that_took_its_name_is_gone)
{
    hello("w1", 12);
    hello("w1", 11);
    ck_assert_uint_eq(assignment_of(ROUTE)->assign.incarnation, 12);
    pass_ms(2001);
    tick_time();
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "");
    hello("w1", 11);
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "");
    hello("w1", 12); /* this one only was silent */
    ck_assert_uint_eq(assignment_of(ROUTE)->assign.incarnation, 12);
    hello("w1", 13);
    ck_assert_uint_eq(assignment_of(ROUTE)->assign.incarnation, 13);
}
END_TEST

/* Three processes of one name by mistake, all saying hello in turn: each takes the name once. */
START_TEST(processes_of_one_name_take_it_once_each_also_over_a_restart)
{
    for (int round = 0; round < 5; round++) {
        for (uint64_t life = 11; life <= 13; life++)
            hello("w1", life);
        if (round == 2)
            restart(2);
    }
    ck_assert_uint_eq(assignment_of(ROUTE)->assign.incarnation, 13);
    ck_assert_uint_eq(count_of(MSG_ASSIGN), 3);
    ck_assert_uint_eq(assignment_of(ROUTE)->assign.route_epoch, 3);
    exec_beat();
    struct message m = entry();
    m.intent.incarnation = 12;
    must_refuse(&m, REASON_NOT_OWNER, TIER_ROUTE);
}
END_TEST

START_TEST(no_lease_runs_out_while_commands_wait_unread)
{
    pass_ms(900);
    turn();
    pass_ms(900);
    turn();
    pass_ms(900);
    risk_on_drained(risk, false);
    turn();
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "w1");
    hello("w1", 11); /* it was among them */
    risk_on_drained(risk, true);
    turn();
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "w1");
    pass_ms(900);
    turn();
    pass_ms(900);
    turn();
    pass_ms(201);
    turn();
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "");
}
END_TEST

START_TEST(after_a_pause_of_the_gate_hellos_get_one_more_round)
{
    turn();
    pass_ms(2001);
    turn();
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "w1");
    pass_ms(1);
    turn();
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "");
}
END_TEST

START_TEST(a_worker_that_wakes_after_its_lease_is_counted_once)
{
    pass_ms(2001);
    tick_time();
    hello("w1", 11);
    ck_assert_int_eq(metric_of("evaluations"), 1000);
    ck_assert_uint_eq(assignment_of(ROUTE)->assign.route_epoch, 3);
    ck_assert_int_eq(last(MSG_ASSIGN)->assign.cause, ASSIGN_REBALANCE);
}
END_TEST

/* The name of a worker that would take ROUTE from w1. */
static const char *stronger(void)
{
    static char name[24];
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "other-%d", i);
        hello(name, 100);
        if (strcmp(assignment_of(ROUTE)->assign.worker, name) == 0) {
            hello_as(name, 100, "", true);
            return name;
        }
        hello_as(name, 100, "", true);
    }
    ck_abort_msg("no name wins");
    return name;
}

START_TEST(a_busy_route_moves_when_its_basket_ends)
{
    const char *name = stronger();
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "w1");
    struct message m = entry();
    struct message decision = *must_accept(&m);
    hello(name, 101);
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "w1");
    fill_for(&decision, "BTC-USDT", "alfa", SIDE_BUY, "100.01", "1", "0.1");
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "w1");
    fill_for(&decision, "BTC-USDT", "beta", SIDE_SELL, "99.99", "1", "0.05");
    basket_end(&decision, BASKET_DONE);
    const struct message *moved = assignment_of(ROUTE);
    ck_assert_str_eq(moved->assign.worker, name);
    ck_assert_int_eq(moved->assign.cause, ASSIGN_REBALANCE);
    ck_assert(!moved->assign.busy);
    ck_assert_int_eq(dec_cmp(moved->assign.legs[0].qty, d("1")), 0); /* it brings the route's state */
    assert_money(moved->assign.legs[1].cost, "-99.99");
    ck_assert_int_eq(moved->assign.entry_time, decision.decision.accepted_time);
    ck_assert_int_eq(moved->assign.entry_edge_nbps, 12 * NS_PER_SEC);
}
END_TEST

START_TEST(a_busy_route_of_a_gone_worker_moves_at_once_with_its_basket_open)
{
    struct message m = entry();
    must_accept(&m);
    hello("w2", 5);
    hello_as("w1", 11, "", true);
    const struct message *moved = assignment_of(ROUTE);
    ck_assert_str_eq(moved->assign.worker, "w2");
    ck_assert_int_eq(moved->assign.cause, ASSIGN_GOODBYE);
    ck_assert(moved->assign.busy);
}
END_TEST

START_TEST(after_a_restart_owners_stay_until_they_had_time_to_speak)
{
    const char *name = stronger();
    hello(name, 101);
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, name);
    pass_ms(60000); /* risk was away for a minute */
    restart(2);
    uint32_t assigned = count_of(MSG_ASSIGN);
    tick_time();
    hello("w1", 11);
    ck_assert_uint_eq(count_of(MSG_ASSIGN), assigned);
    hello(name, 101);
    ck_assert_uint_eq(count_of(MSG_ASSIGN), assigned);
    restart(3);
    hello("w1", 11);
    pass_ms(1500);
    hello("w1", 11);
    pass_ms(501);
    tick_time();
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "w1");
    ck_assert_int_eq(last(MSG_ASSIGN)->assign.cause, ASSIGN_LEASE);
}
END_TEST

START_TEST(after_a_restart_a_goodbye_frees_a_route_for_all_who_were_there)
{
    const char *name = stronger();
    hello(name, 101);
    restart(2);
    uint32_t assigned = count_of(MSG_ASSIGN);
    hello_as(name, 101, "", true);
    ck_assert_uint_eq(count_of(MSG_ASSIGN), assigned);
    hello("w1", 11);
    ck_assert_uint_eq(count_of(MSG_ASSIGN), assigned + 1);
    ck_assert_str_eq(assignment_of(ROUTE)->assign.worker, "w1");
    ck_assert_int_eq(assignment_of(ROUTE)->assign.cause, ASSIGN_GOODBYE);
}
END_TEST

START_TEST(more_assignments_than_one_input_may_write_follow_with_the_next)
{
    end();
    begin_bare();
    view_destroy(&view);
    view = view_new(1024, 0);
    restart(2);
    list_many(300);
    hello("w1", 1);
    ck_assert_uint_eq(count_of(MSG_ASSIGN), 48);
    for (int i = 0; i < 6; i++)
        tick_time();
    ck_assert_uint_eq(count_of(MSG_ASSIGN), 300);
    tick_time();
    ck_assert_uint_eq(count_of(MSG_ASSIGN), 300);
}
END_TEST

START_TEST(the_busiest_wake_up_writes_no_more_than_one_input_may)
{
    char name[24];
    end();
    begin_bare();
    view_destroy(&view);
    view = view_new(1024, 0);
    restart(2);
    list_many(300);
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "many-%d", i);
        hello(name, 1);
        for (int k = 0; k < 7; k++) {
            struct message m = entry();
            strcpy(m.intent.worker, name);
            strcpy(m.intent.route, "none");
            ask(&m);
        }
    }
    int64_t folded = metric_of("decisions") - count_of(MSG_DECISION);
    ck_assert_int_gt(folded, 60);
    pass_ms(2001);
    tick_time(); /* take() sees that the bound holds: all folds, all leases, and what is due of 300 routes */
    ck_assert_int_eq(metric_of("workers"), 0);
    ck_assert_int_eq(metric_of("decisions"), 64 * 7);
}
END_TEST

START_TEST(more_workers_than_there_is_room_for_are_refused_and_counted)
{
    char name[24];
    for (int i = 0; i < 70; i++) {
        snprintf(name, sizeof name, "many-%d", i);
        hello(name, 1);
    }
    ck_assert_int_eq(metric_of("workers"), 64);
    ck_assert_int_eq(metric_of("hellos_refused"), 7);
    hello_as("many-3", 1, "", true);
    hello("late", 1);
    ck_assert_int_eq(metric_of("workers"), 64);
}
END_TEST

/* ---- all --------------------------------------------------------------------------------------------- */

int main(void)
{
    Suite *suite = suite_create("assignment");
    TCase *c = tcase_create("with one worker at first");
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, a_route_is_made_of_every_base_that_two_venues_share);
    tcase_add_test(c, two_quotes_are_joined_once_the_instrument_between_them_is_known);
    tcase_add_test(c, the_joining_instrument_makes_no_route_with_itself);
    tcase_add_test(c, configured_routes_are_the_only_ones_and_keep_their_order);
    tcase_add_test(c, a_route_waits_for_a_worker);
    tcase_add_test(c, a_worker_that_comes_takes_a_share_and_one_that_goes_gives_only_its_own);
    tcase_add_test(c, a_pinned_worker_gets_only_routes_that_start_with_its_prefix);
    tcase_add_test(c, a_route_goes_to_those_pinned_to_it_and_to_the_others_only_when_they_are_gone);
    tcase_add_test(c, a_silent_worker_loses_its_routes_with_its_lease);
    tcase_add_test(c, only_local_time_runs_a_lease_out);
    tcase_add_test(c, a_new_incarnation_gets_all_its_routes_under_new_epochs);
    tcase_add_test(c, a_past_life_is_not_revived_when_the_one_that_took_its_name_is_gone);
    tcase_add_test(c, processes_of_one_name_take_it_once_each_also_over_a_restart);
    tcase_add_test(c, no_lease_runs_out_while_commands_wait_unread);
    tcase_add_test(c, after_a_pause_of_the_gate_hellos_get_one_more_round);
    tcase_add_test(c, a_worker_that_wakes_after_its_lease_is_counted_once);
    tcase_add_test(c, a_busy_route_moves_when_its_basket_ends);
    tcase_add_test(c, a_busy_route_of_a_gone_worker_moves_at_once_with_its_basket_open);
    tcase_add_test(c, after_a_restart_owners_stay_until_they_had_time_to_speak);
    tcase_add_test(c, after_a_restart_a_goodbye_frees_a_route_for_all_who_were_there);
    tcase_add_test(c, more_assignments_than_one_input_may_write_follow_with_the_next);
    tcase_add_test(c, the_busiest_wake_up_writes_no_more_than_one_input_may);
    tcase_add_test(c, more_workers_than_there_is_room_for_are_refused_and_counted);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
