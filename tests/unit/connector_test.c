/* What a connector promises: a venue's limits are never exceeded, whatever goes wrong; every symbol is subscribed in the
 * end; a connection is replaced before its time without a hole. */
#include "tests/unit/connector_scene.h"

static uint32_t open_conns(void)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < WORLD_CONNS; i++)
        n += world.conn[i].open;
    return n;
}

START_TEST(symbols_are_spread_over_connections_subscribed_and_given_snapshots)
{
    begin(1);
    pass(5 * NS_PER_SEC);
    ck_assert_uint_eq(live_books(), 4); /* a quarter of the weight is spent at once, the rest in time */
    pass(25 * NS_PER_SEC);
    ck_assert_uint_eq(open_conns(), 3); /* ten symbols, four on each */
    ck_assert_uint_eq(live_books(), SYMBOLS);
    for (int i = 0; i < SYMBOLS; i++) {
        ck_assert_uint_eq(world.subscribed[i], 1);
        ck_assert_uint_eq(world.asked[i], 1);
    }
    ck_assert_uint_eq(status_now().links_up, 3);
    ck_assert_uint_eq(status_now().symbols_without, 0);
    end();
}
END_TEST

START_TEST(a_snapshot_that_did_not_help_is_asked_for_again_later_and_later)
{
    begin(2);
    world.stale_snapshots = 10 * SYMBOLS;
    pass(120 * NS_PER_SEC);
    for (int i = 0; i < SYMBOLS; i++) { /* and none waits for the others for ever */
        ck_assert_uint_ge(world.asked[i], 2);
        ck_assert_uint_le(world.asked[i], 8);
    }
    world.stale_snapshots = 0;
    pass(120 * NS_PER_SEC);
    ck_assert_uint_eq(live_books(), SYMBOLS);
    end();
}
END_TEST

START_TEST(all_requests_wait_as_long_as_the_venue_says)
{
    begin(3);
    world.rest_status = 429;
    world.retry_after_s = 40;
    pass(5 * NS_PER_SEC);
    ck_assert(status_now().rest_held_ns > 0);
    uint32_t before = world.gets.n;
    pass(34 * NS_PER_SEC);
    ck_assert_uint_eq(world.gets.n, before);
    world.rest_status = 200;
    pass(30 * NS_PER_SEC);
    ck_assert_uint_gt(world.gets.n, before);
    ck_assert_uint_eq(live_books(), SYMBOLS);
    end();
}
END_TEST

START_TEST(no_connection_is_tried_while_the_venue_wants_none)
{
    begin(4);
    world.refuse_status = 418;
    world.retry_after_s = 100;
    pass(NS_PER_SEC);
    uint32_t before = world.connects.n;
    ck_assert_uint_le(before, 3);
    pass(95 * NS_PER_SEC);
    ck_assert_uint_eq(world.connects.n, before);
    world.refuse_status = 0;
    pass(200 * NS_PER_SEC);
    ck_assert_uint_eq(live_books(), SYMBOLS);
    end();
}
END_TEST

/* Full jitter: of attempt k the wait is between 0 and 2^k s, at the most 60 s. */
START_TEST(attempts_grow_rarer_up_to_a_bound)
{
    begin((uint64_t)_i);
    world.fail_permille = 1000;
    pass(1200 * NS_PER_SEC);
    uint32_t n = world.connects.n;
    ck_assert_uint_ge(n, 3 * 10); /* 60 s and the time-out of the attempt */
    ck_assert_uint_le(n, 3 * 80);
    uint32_t late = 0;
    for (uint32_t i = 0; i < n; i++)
        late += world.connects.at[i] > START_NS + 600 * NS_PER_SEC;
    ck_assert_uint_gt(late, 3); /* it never gives up */
    world.fail_permille = 0;
    pass(120 * NS_PER_SEC);
    ck_assert_uint_eq(live_books(), SYMBOLS);
    end();
}
END_TEST

START_TEST(a_connection_that_lived_begins_anew_with_short_waits)
{
    begin(5);
    world.fail_permille = 1000;
    pass(300 * NS_PER_SEC);
    world.fail_permille = 0;
    pass(200 * NS_PER_SEC);
    ck_assert_uint_eq(live_books(), SYMBOLS);
    for (uint32_t i = 0; i < WORLD_CONNS; i++)
        if (world.conn[i].open)
            drop(i, 0, 0);
    pass(3 * NS_PER_SEC);
    ck_assert_uint_eq(open_conns(), 3);
    end();
}
END_TEST

START_TEST(a_silent_connection_is_given_up_and_opened_again)
{
    begin(6);
    pass(5 * NS_PER_SEC);
    ck_assert(world.conn[0].open);
    world.conn[0].mute = true;
    pass(SILENT - 2 * NS_PER_SEC);
    ck_assert_uint_eq(world.closes, 0);
    ck_assert_uint_ge(world.conn[0].pings, 2);
    pass(6 * NS_PER_SEC);
    ck_assert_uint_eq(world.closes, 1);
    ck_assert_ptr_nonnull(strstr(world.last_close, "nothing was heard"));
    ck_assert_uint_eq(live_books(), SYMBOLS);
    end();
}
END_TEST

START_TEST(each_connection_is_replaced_before_its_time_without_a_hole)
{
    begin((uint64_t)_i);
    world.watch_holes = true;
    pass(3 * LIFE);
    ck_assert_uint_ge(status_now().replaced, 6);
    ck_assert_uint_eq(status_now().reconnects, 0);
    ck_assert_uint_eq(world.holes, 0);
    ck_assert_uint_eq(open_conns(), 3);
    end();
}
END_TEST

START_TEST(a_connection_that_the_venue_will_end_is_replaced_at_once_and_without_a_hole)
{
    begin(7);
    pass(10 * NS_PER_SEC);
    world.watch_holes = true;
    connector_on_notice(world.connector, 0, NOTICE_LEAVING, "shutdown", world.now);
    pass(3 * NS_PER_SEC);
    ck_assert(!world.conn[0].open);
    ck_assert(world.conn[1].open);
    ck_assert_uint_eq(world.holes, 0);
    ck_assert_uint_eq(status_now().replaced, 1);
    end();
}
END_TEST

START_TEST(the_old_connection_stays_while_the_new_one_cannot_be_opened)
{
    begin(8);
    pass(10 * NS_PER_SEC);
    world.watch_holes = true;
    world.refuse_status = 500;
    connector_on_notice(world.connector, 0, NOTICE_LEAVING, "shutdown", world.now);
    pass(30 * NS_PER_SEC);
    ck_assert(world.conn[0].open);
    world.refuse_status = 0;
    pass(70 * NS_PER_SEC);
    ck_assert(!world.conn[0].open);
    ck_assert_uint_eq(world.holes, 0);
    end();
}
END_TEST

START_TEST(a_symbol_that_the_venue_does_not_have_is_found_and_named)
{
    begin(9);
    world.absent[6] = true;
    pass(28 * NS_PER_SEC);
    ck_assert_int_eq(world.told_symbol, 6);
    ck_assert_ptr_nonnull(strstr(world.told, "no such instrument"));
    ck_assert_ptr_nonnull(strstr(connector_trouble(world.connector, 6), "no such instrument"));
    ck_assert_uint_eq(status_now().symbols_without, 1);
    ck_assert_uint_eq(live_books(), SYMBOLS - 1);
    end();
}
END_TEST

START_TEST(a_symbol_that_stays_silent_is_named_where_instruments_are_not_asked)
{
    fake_line.instruments = NULL;
    begin(10);
    world.absent[2] = true;
    pass(40 * NS_PER_SEC);
    ck_assert_int_eq(world.told_symbol, 2);
    ck_assert_ptr_nonnull(strstr(world.told, "nothing has come"));
    ck_assert_uint_ge(world.subscribed[2], 2); /* it is tried again */
    world.absent[2] = false;
    pass(200 * NS_PER_SEC);
    ck_assert_str_eq(connector_trouble(world.connector, 2), "");
    ck_assert_uint_eq(live_books(), SYMBOLS);
    end();
}
END_TEST

START_TEST(what_the_venue_refuses_in_words_is_told_of_the_symbol_that_they_name)
{
    begin(11);
    pass(2 * NS_PER_SEC);
    connector_on_notice(world.connector, 0, NOTICE_REFUSED, "no channel B here, and no BB", world.now);
    ck_assert_int_eq(world.told_symbol, 1);
    ck_assert_uint_eq(status_now().refused, 1);
    end();
}
END_TEST

START_TEST(a_book_that_needs_it_is_unsubscribed_and_subscribed_again)
{
    begin(12);
    world.by_subscription = true;
    pass(10 * NS_PER_SEC);
    ck_assert_uint_eq(live_books(), SYMBOLS);
    uint32_t before = world.subscribed[3];
    world.has_snapshot[3] = false;
    pass(2 * NS_PER_SEC);
    ck_assert_uint_eq(world.unsubscribed[3], 1);
    ck_assert_uint_eq(world.subscribed[3], before + 1);
    ck_assert_uint_eq(live_books(), SYMBOLS);
    end();
}
END_TEST

START_TEST(one_request_replaces_the_other_where_the_venue_has_it_so)
{
    fake_line.replaces = true;
    fake_line.limits.batch = 100;
    begin(13);
    pass(2 * NS_PER_SEC);
    ck_assert_uint_eq(open_conns(), 3);
    for (uint32_t i = 0; i < WORLD_CONNS; i++)
        if (world.conn[i].open)
            ck_assert_uint_eq(world.conn[i].sends.n, 1);
    end();
}
END_TEST

START_TEST(instruments_are_asked_for_again_after_their_time)
{
    begin(14);
    pass(5 * NS_PER_SEC);
    uint32_t before = world.gets.n;
    pass(3600 * NS_PER_SEC);
    ck_assert_uint_ge(world.gets.n, before + 2);
    end();
}
END_TEST

/* Faults of every kind for ten minutes: the limits are held by the scene. Then all is well again. */
START_TEST(after_any_sequence_of_faults_every_symbol_is_there_and_no_limit_was_exceeded)
{
    begin((uint64_t)_i + 100);
    world.by_subscription = _i % 3 == 0;
    for (int minute = 0; minute < 10; minute++) {
        world.fail_permille = (int)rng_below(&world.rng, 300);
        world.refuse_status = chance(200) ? (chance(500) ? 429 : 503) : 0;
        world.rest_status = chance(200) ? (chance(500) ? 429 : 418) : 200;
        world.retry_after_s = chance(500) ? 0 : 1 + (int)rng_below(&world.rng, 40);
        world.stale_snapshots = (int)rng_below(&world.rng, 20);
        if (chance(300))
            connector_on_notice(world.connector, (uint32_t)rng_below(&world.rng, 6), NOTICE_LEAVING, "",
                                world.now);
        pass(60 * NS_PER_SEC);
    }
    world.fail_permille = world.refuse_status = world.stale_snapshots = 0;
    world.rest_status = 200;
    for (int i = 0; i < 12000 && live_books() < SYMBOLS; i++)
        pass(100 * NS_PER_MS);
    ck_assert_uint_eq(live_books(), SYMBOLS);
    end();
}
END_TEST

START_TEST(equal_seeds_and_inputs_give_equal_acts)
{
    static struct stamps first;
    for (int run = 0; run < 2; run++) {
        begin(77);
        world.fail_permille = 200;
        pass(200 * NS_PER_SEC);
        if (run == 0)
            first = world.connects;
        else
            ck_assert_mem_eq(&first, &world.connects, sizeof first);
        end();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("connector");
    TCase *tests = tcase_create("promises");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, symbols_are_spread_over_connections_subscribed_and_given_snapshots);
    tcase_add_test(tests, a_snapshot_that_did_not_help_is_asked_for_again_later_and_later);
    tcase_add_test(tests, all_requests_wait_as_long_as_the_venue_says);
    tcase_add_test(tests, no_connection_is_tried_while_the_venue_wants_none);
    tcase_add_loop_test(tests, attempts_grow_rarer_up_to_a_bound, 0, 4);
    tcase_add_test(tests, a_connection_that_lived_begins_anew_with_short_waits);
    tcase_add_test(tests, a_silent_connection_is_given_up_and_opened_again);
    tcase_add_loop_test(tests, each_connection_is_replaced_before_its_time_without_a_hole, 0, 8);
    tcase_add_test(tests, a_connection_that_the_venue_will_end_is_replaced_at_once_and_without_a_hole);
    tcase_add_test(tests, the_old_connection_stays_while_the_new_one_cannot_be_opened);
    tcase_add_test(tests, a_symbol_that_the_venue_does_not_have_is_found_and_named);
    tcase_add_test(tests, a_symbol_that_stays_silent_is_named_where_instruments_are_not_asked);
    tcase_add_test(tests, what_the_venue_refuses_in_words_is_told_of_the_symbol_that_they_name);
    tcase_add_test(tests, a_book_that_needs_it_is_unsubscribed_and_subscribed_again);
    tcase_add_test(tests, one_request_replaces_the_other_where_the_venue_has_it_so);
    tcase_add_test(tests, instruments_are_asked_for_again_after_their_time);
    tcase_add_loop_test(tests, after_any_sequence_of_faults_every_symbol_is_there_and_no_limit_was_exceeded,
                        0, 60);
    tcase_add_test(tests, equal_seeds_and_inputs_give_equal_acts);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
