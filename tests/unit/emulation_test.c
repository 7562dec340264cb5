/* What an emulated Binance promises its clients: streams as they named them, snapshots that join what was sent, and
 * each fault as it was asked for. */
#include "tests/unit/emulation_scene.h"

#define SPOT "wss://stream.binance.com:9443/stream?streams=btcusdt@depth@100ms"
#define USDM "wss://fstream.binance.com/stream?streams=btcusdt@depth@0ms"

#define DIFF(first, last, price)                                                                             \
    "{\"stream\":\"btcusdt@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":1700000000123,\"s\":"         \
    "\"BTCUSDT\",\"U\":" #first ",\"u\":" #last ",\"b\":[[\"" #price "\",\"2.00000000\"]],\"a\":[]}}"
#define CHAINED(first, last, before)                                                                         \
    "{\"stream\":\"btcusdt@depth@0ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":1700000000123,\"T\":"           \
    "1700000000122,\"s\":"                                                                                   \
    "\"BTCUSDT\",\"U\":" #first ",\"u\":" #last ",\"pu\":" #before                                           \
    ",\"b\":[[\"100.10\",\"2.000\"]],\"a\":[]}}"
#define TRADE                                                                                                \
    "{\"stream\":\"btcusdt@trade\",\"data\":{\"e\":\"trade\",\"E\":1700000000123,\"s\":\"BTCUSDT\",\"t\":7," \
    "\"p\":\"1\","                                                                                           \
    "\"q\":\"1\",\"T\":1700000000122,\"m\":true}}"
#define SNAPSHOT(id)                                                                                         \
    "{\"lastUpdateId\":" #id                                                                                 \
    ",\"bids\":[[\"100.00000000\",\"1.00000000\"],[\"99.00000000\",\"1.00000000\"]],"                        \
    "\"asks\":[[\"101.00000000\",\"1.00000000\"]]}"
#define SPOT_ANSWER "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000"
#define USDM_ANSWER "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000"

static const struct recorded spot[] = {{FRAME_CONNECT, "", NULL},
                                       {FRAME_WS, DIFF(11, 12, 100.1), NULL},
                                       {FRAME_WS, TRADE, NULL},
                                       {FRAME_HTTP, SNAPSHOT(12), SPOT_ANSWER},
                                       {FRAME_WS, DIFF(13, 14, 100.2), NULL},
                                       {FRAME_WS, DIFF(15, 16, 100.3), NULL},
                                       {FRAME_WS, DIFF(17, 18, 100.4), NULL},
                                       {FRAME_WS, DIFF(19, 20, 100.5), NULL}};
static const struct recorded usdm[] = {{FRAME_CONNECT, "", NULL},
                                       {FRAME_WS, CHAINED(11, 15, 9), NULL},
                                       {FRAME_HTTP, SNAPSHOT(14), USDM_ANSWER},
                                       {FRAME_WS, CHAINED(20, 25, 15), NULL},
                                       {FRAME_WS, CHAINED(30, 35, 25), NULL}};
static int first_wire = 1, second_wire = 2, request_wire = 3;
static const struct emulator_options usual = {.seed = 1};

static void open_spot(void)
{
    scene_open("binance", &usual, SPOT, spot, sizeof spot / sizeof *spot);
}

static struct emulated_peer *join(int *wire, const char *path)
{
    int retry;
    ck_assert_int_eq(emulator_admit(venue, path, &retry, now), 0);
    return emulator_opened(venue, wire, path, now);
}

static void ask(const char *path)
{
    emulator_request(venue, &request_wire, path, now);
}

/* Plays the spot lines up to this one. */
static void play_to(int last)
{
    while ((int)line_number < last)
        play(&spot[line_number]);
}

START_TEST(a_client_gets_what_it_subscribed_to_after_its_acknowledgement)
{
    open_spot();
    struct emulated_peer *peer = join(&first_wire, "/ws");
    ck_assert(!emulator_wanted(venue));
    say(peer, "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@depth\"],\"id\":\"x7\"}");
    ck_assert(emulator_wanted(venue));
    ck_assert_str_eq(sent[0].text, "{\"result\":null,\"id\":\"x7\"}");
    play_to(4);
    ck_assert_int_eq(n_sent, 2); /* and no trade */
    ck_assert_int_eq(strncmp(sent[1].text, "{\"e\":\"depthUpdate\",", 19), 0);
    ck_assert_str_eq(sent[1].text + sent[1].len - 9, "],\"a\":[]}");
    say(peer, "{\"method\":\"UNSUBSCRIBE\",\"params\":[\"btcusdt@depth\"],\"id\":2}");
    play_to(6);
    ck_assert_int_eq(n_sent, 3);
    scene_close();
}
END_TEST

START_TEST(a_combined_stream_is_wrapped_in_the_name_that_the_client_gave)
{
    open_spot();
    (void)join(&first_wire, "/stream?streams=btcusdt@depth/btcusdt@trade");
    play_to(3);
    ck_assert_int_eq(n_sent, 2);
    ck_assert_ptr_eq(strstr(sent[0].text, "{\"stream\":\"btcusdt@depth\",\"data\":{\"e\":\"depthUpdate\""),
                     sent[0].text);
    ck_assert_str_eq(sent[0].text + sent[0].len - 3, "]}}");
    ck_assert_str_eq(sent[1].text, TRADE);
    scene_close();
}
END_TEST

START_TEST(what_is_no_request_is_answered_as_such)
{
    open_spot();
    struct emulated_peer *peer = join(&first_wire, "/ws");
    say(peer, "{\"method\":\"SUBSCRIBE\",\"params\":{},\"id\":3}");
    ck_assert_ptr_nonnull(strstr(sent[0].text, "\"code\":2"));
    say(peer, "nonsense");
    ck_assert_ptr_nonnull(strstr(sent[1].text, "\"code\":3"));
    scene_close();
}
END_TEST

START_TEST(a_snapshot_that_is_asked_for_early_is_the_recorded_one_at_its_line)
{
    open_spot();
    (void)join(&first_wire, "/ws/btcusdt@depth");
    play_to(2);
    ask("/api/v3/depth?symbol=BTCUSDT&limit=1000");
    play_to(3);
    ck_assert_int_eq(n_answers, 0);
    play_to(4);
    ck_assert_int_eq(n_answers, 1);
    ck_assert_str_eq(answer_body, SNAPSHOT(12));
    ck_assert(is_told("\"made\":false"));
    scene_close();
}
END_TEST

START_TEST(a_later_one_is_made_of_the_book_as_of_the_last_line_sent)
{
    open_spot();
    (void)join(&first_wire, "/ws/btcusdt@depth");
    play_to(6);
    ask("/api/v3/depth?symbol=BTCUSDT&limit=2");
    ck_assert_str_eq(answer_body,
                     "{\"lastUpdateId\":16,\"bids\":[[\"100.30000000\",\"2.00000000\"],[\"100.20000000\","
                     "\"2.00000000\"]],\"asks\":[[\"101.00000000\",\"1.00000000\"]]}");
    scene_close();
}
END_TEST

START_TEST(a_snapshot_of_futures_waits_for_a_change_that_spans_it)
{
    scene_open("binance-usdm", &usual, USDM, usdm, sizeof usdm / sizeof *usdm);
    for (int i = 0; i < 4; i++)
        play(&usdm[i]);
    (void)join(&first_wire, "/ws/btcusdt@depth");
    ask("/fapi/v1/depth?symbol=BTCUSDT&limit=1000");
    ck_assert_int_eq(n_answers, 0);
    play(&usdm[4]);
    ck_assert_int_eq(n_answers, 1);
    ck_assert_int_eq(strncmp(answer_body, "{\"lastUpdateId\":35,", 19), 0);
    scene_close();
}
END_TEST

START_TEST(unknown_symbols_and_wrong_limits_are_told)
{
    open_spot();
    ask("/api/v3/depth?symbol=NOPE");
    ck_assert_int_eq(answer_status, 400);
    ck_assert_ptr_nonnull(strstr(answer_body, "-1121"));
    ask("/api/v3/depth?symbol=BTCUSDT&limit=many");
    ck_assert_ptr_nonnull(strstr(answer_body, "-1100"));
    ask("/elsewhere");
    ck_assert_int_eq(answer_status, 404);
    scene_close();
}
END_TEST

START_TEST(the_weight_of_requests_is_counted_and_bounded)
{
    open_spot();
    for (int i = 0; i < 300; i++)
        ask("/api/v3/exchangeInfo");
    ck_assert_int_eq(answer_status, 200);
    ck_assert_ptr_nonnull(strstr(answer_headers, "X-MBX-USED-WEIGHT-1M: 6000\r\n"));
    ck_assert_ptr_nonnull(strstr(answer_body, "\"tickSize\":\"0.1\""));
    ask("/api/v3/exchangeInfo");
    ck_assert_int_eq(answer_status, 429);
    ck_assert_ptr_nonnull(strstr(answer_headers, "Retry-After: 60\r\n"));
    ck_assert(is_told("limit-broken"));
    scene_close();
}
END_TEST

START_TEST(a_client_that_says_too_much_is_disconnected)
{
    open_spot();
    struct emulated_peer *peer = join(&first_wire, "/ws");
    for (int i = 0; i < 5; i++)
        say(peer, "{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":3}");
    ck_assert_int_eq(dropped[1], 0);
    say(peer, "{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":3}");
    ck_assert_int_eq(dropped[1], 'a');
    ck_assert(is_told("\"limit\":\"sends\""));
    scene_close();
}
END_TEST

START_TEST(the_venue_pings_every_twenty_seconds)
{
    open_spot();
    (void)join(&first_wire, "/ws");
    now.mono_ns += 19 * NS_PER_SEC;
    emulator_tick(venue, now);
    ck_assert_int_eq(n_pings, 0);
    now.mono_ns += NS_PER_SEC;
    emulator_tick(venue, now);
    emulator_tick(venue, now);
    ck_assert_int_eq(n_pings, 1);
    scene_close();
}
END_TEST

/* ---- faults ------------------------------------------------------------------------------------------ */

static struct emulated_peer *watch_with(const char *what)
{
    open_spot();
    fault(what);
    struct emulated_peer *peer = join(&first_wire, "/ws/btcusdt@depth");
    play_to(8);
    return peer;
}

START_TEST(a_dropped_message_is_missing_and_the_fault_is_told_with_its_line)
{
    (void)watch_with("drop@5");
    ck_assert_int_eq(sent_with("\"U\":13"), 0);
    ck_assert_int_eq(n_sent, 4);
    ck_assert(is_told(
        "{\"event\":\"fault\",\"venue\":\"binance\",\"kind\":\"drop\",\"symbol\":\"BTCUSDT\",\"line\":5,"));
    scene_close();
}
END_TEST

START_TEST(a_fault_without_a_book_at_its_line_takes_the_next)
{
    (void)watch_with("drop@3");
    ck_assert_int_eq(sent_with("\"U\":13"), 0);
    ck_assert_int_eq(n_sent, 4);
    scene_close();
}
END_TEST

START_TEST(a_repeated_message_comes_twice)
{
    (void)watch_with("repeat@5");
    ck_assert_int_eq(sent_with("\"U\":13"), 2);
    ck_assert_int_eq(n_sent, 6);
    scene_close();
}
END_TEST

START_TEST(a_swapped_message_comes_behind_the_next)
{
    (void)watch_with("swap@5");
    ck_assert_int_eq(n_sent, 5);
    ck_assert_ptr_nonnull(strstr(sent[1].text, "\"U\":15"));
    ck_assert_ptr_nonnull(strstr(sent[2].text, "\"U\":13"));
    ck_assert_ptr_nonnull(strstr(sent[3].text, "\"U\":17"));
    scene_close();
}
END_TEST

START_TEST(a_cut_message_and_garbage_are_no_json)
{
    (void)watch_with("cut@5");
    size_t whole = sent[0].len;
    ck_assert_uint_eq(sent[1].len, whole / 2);
    scene_close();
    (void)watch_with("garbage@5");
    struct json *json = json_new();
    ck_assert_int_eq(n_sent, 5);
    ck_assert_int_ne(json_parse(json, sent[1].text, sent[1].len), OK);
    json_destroy(&json);
    scene_close();
}
END_TEST

START_TEST(connections_end_abruptly_or_with_a_goodbye_or_fall_silent)
{
    (void)watch_with("disconnect@5");
    ck_assert_int_eq(dropped[1], 'a');
    ck_assert_int_eq(n_sent, 1);
    scene_close();
    (void)watch_with("close@5");
    ck_assert_int_eq(dropped[1], 'c');
    scene_close();
    struct emulated_peer *peer = watch_with("silence@5");
    ck_assert_int_eq(frozen[1], 'f');
    ck_assert_int_eq(n_sent, 1);
    say(peer, "{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":3}");
    ck_assert_int_eq(n_sent, 1);
    scene_close();
}
END_TEST

START_TEST(behind_the_last_line_a_fault_of_connections_comes_at_once)
{
    open_spot();
    (void)join(&first_wire, "/ws/btcusdt@depth");
    play_to(8);
    emulator_ended(venue, false, now);
    emulator_tick(venue, now);
    ck_assert_int_eq(dropped[1], 0);
    fault("disconnect");
    emulator_tick(venue, now);
    ck_assert_int_eq(dropped[1], 'a');
    scene_close();
}
END_TEST

START_TEST(a_client_that_comes_after_a_disconnect_is_served)
{
    open_spot();
    fault("disconnect@5");
    struct emulated_peer *peer = join(&first_wire, "/ws/btcusdt@depth");
    play_to(5);
    emulator_closed(venue, peer, now);
    (void)join(&second_wire, "/ws/btcusdt@depth");
    play_to(6);
    ck_assert_int_eq(n_sent, 2);
    ck_assert_ptr_eq(sent[1].wire, &second_wire);
    scene_close();
}
END_TEST

START_TEST(upgrades_are_refused_for_the_time_told)
{
    open_spot();
    int retry;
    fault("refuse=2");
    emulator_tick(venue, now);
    ck_assert_int_eq(emulator_admit(venue, "/ws", &retry, now), 503);
    now.mono_ns += 2 * NS_PER_SEC;
    ck_assert_int_eq(emulator_admit(venue, "/ws", &retry, now), 0);
    fault("418=3");
    emulator_tick(venue, now);
    ck_assert_int_eq(emulator_admit(venue, "/ws", &retry, now), 418);
    ck_assert_int_eq(retry, 3);
    ask("/api/v3/ping");
    ck_assert_int_eq(answer_status, 418);
    ck_assert_ptr_nonnull(strstr(answer_headers, "Retry-After: 3\r\n"));
    scene_close();
}
END_TEST

START_TEST(a_stale_snapshot_joins_nothing_that_was_sent)
{
    open_spot();
    fault("stale-snapshot");
    play_to(5);
    (void)join(&first_wire, "/ws/btcusdt@depth");
    play_to(6);
    ask("/api/v3/depth?symbol=BTCUSDT&limit=5000");
    ck_assert_int_eq(strncmp(answer_body, "{\"lastUpdateId\":1,", 18), 0);
    ask("/api/v3/depth?symbol=BTCUSDT&limit=5000"); /* once */
    ck_assert_int_eq(strncmp(answer_body, "{\"lastUpdateId\":16,", 19), 0);
    scene_close();
}
END_TEST

START_TEST(a_slow_snapshot_is_that_of_the_time_when_it_was_asked_for)
{
    open_spot();
    fault("slow-snapshot=2");
    (void)join(&first_wire, "/ws/btcusdt@depth");
    play_to(6);
    ask("/api/v3/depth?symbol=BTCUSDT&limit=1000");
    play_to(8);
    emulator_tick(venue, now);
    ck_assert_int_eq(n_answers, 0);
    now.mono_ns += 2 * NS_PER_SEC;
    emulator_tick(venue, now);
    ck_assert_int_eq(n_answers, 1);
    ck_assert_int_eq(strncmp(answer_body, "{\"lastUpdateId\":16,", 19), 0);
    scene_close();
}
END_TEST

START_TEST(a_skewed_clock_moves_the_venues_times_and_nothing_else)
{
    (void)watch_with("skew=-1.5@5");
    ck_assert_ptr_nonnull(strstr(sent[0].text, "\"E\":1700000000123,"));
    ck_assert_ptr_nonnull(strstr(sent[1].text, "\"E\":1699999998623,\"s\":\"BTCUSDT\",\"U\":13,"));
    scene_close();
}
END_TEST

START_TEST(times_can_be_those_of_the_present)
{
    const struct emulator_options present = {.seed = 1, .times_to_now = true};
    scene_open("binance", &present, SPOT, spot, sizeof spot / sizeof *spot);
    (void)join(&first_wire, "/ws/btcusdt@depth");
    play_to(2);
    /* Recorded 121 ms ahead of its receipt at the second millisecond; played at the second of now. */
    ck_assert_ptr_nonnull(strstr(sent[0].text, "\"E\":1800000000123,"));
    scene_close();
}
END_TEST

START_TEST(a_request_whose_client_left_is_answered_no_more)
{
    open_spot();
    ask("/api/v3/depth?symbol=BTCUSDT&limit=1000");
    emulator_request_gone(venue, &request_wire);
    play_to(8);
    ck_assert_int_eq(n_answers, 0);
    scene_close();
}
END_TEST

START_TEST(what_is_no_fault_is_told_with_what_was_expected)
{
    static const struct {
        const char *text, *words;
    } wrong[] = {{"dorp", "did you mean drop?"},
                 {"drop=3", "expected no value"},
                 {"drop@0", "whole number above 0"},
                 {"drop@x", "line \"x\""},
                 {"drop:2", "probability above 0"},
                 {"refuse=soon", "value \"soon\": expected seconds above 0"},
                 {"refuse=-1", "seconds above 0"},
                 {"/drop", "expected a venue's name"},
                 {"", "expected one of"}};
    struct fault made;
    char error[320];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(fault_parse(wrong[i].text, &made, error, sizeof error), E_SYNTAX);
        ck_assert_msg(strstr(error, wrong[i].words), "%s: %s", wrong[i].text, error);
    }
    ck_assert_int_eq(fault_parse("upbit/slow-snapshot=2.5:0.25", &made, error, sizeof error), OK);
    ck_assert_int_eq(made.kind, FAULT_SLOW_SNAPSHOT);
    ck_assert_int_eq(made.value_ns, 2500000000);
    ck_assert_str_eq(made.venue, "upbit");
    ck_assert(made.when == FAULT_RATE && made.rate > 0.2499 && made.rate < 0.2501);
}
END_TEST

START_TEST(equal_seeds_give_equal_faults)
{
    int n[2];
    for (int i = 0; i < 2; i++) {
        (void)watch_with("drop:0.5");
        n[i] = n_sent;
        scene_close();
    }
    ck_assert_int_eq(n[0], n[1]);
    ck_assert_int_lt(n[0], 5);
    ck_assert_int_gt(n[0], 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("an emulated venue");
    TCase *tests = tcase_create("core");
    tcase_add_test(tests, a_client_gets_what_it_subscribed_to_after_its_acknowledgement);
    tcase_add_test(tests, a_combined_stream_is_wrapped_in_the_name_that_the_client_gave);
    tcase_add_test(tests, what_is_no_request_is_answered_as_such);
    tcase_add_test(tests, a_snapshot_that_is_asked_for_early_is_the_recorded_one_at_its_line);
    tcase_add_test(tests, a_later_one_is_made_of_the_book_as_of_the_last_line_sent);
    tcase_add_test(tests, a_snapshot_of_futures_waits_for_a_change_that_spans_it);
    tcase_add_test(tests, unknown_symbols_and_wrong_limits_are_told);
    tcase_add_test(tests, the_weight_of_requests_is_counted_and_bounded);
    tcase_add_test(tests, a_client_that_says_too_much_is_disconnected);
    tcase_add_test(tests, the_venue_pings_every_twenty_seconds);
    tcase_add_test(tests, a_dropped_message_is_missing_and_the_fault_is_told_with_its_line);
    tcase_add_test(tests, a_fault_without_a_book_at_its_line_takes_the_next);
    tcase_add_test(tests, a_repeated_message_comes_twice);
    tcase_add_test(tests, a_swapped_message_comes_behind_the_next);
    tcase_add_test(tests, a_cut_message_and_garbage_are_no_json);
    tcase_add_test(tests, connections_end_abruptly_or_with_a_goodbye_or_fall_silent);
    tcase_add_test(tests, behind_the_last_line_a_fault_of_connections_comes_at_once);
    tcase_add_test(tests, a_client_that_comes_after_a_disconnect_is_served);
    tcase_add_test(tests, upgrades_are_refused_for_the_time_told);
    tcase_add_test(tests, a_stale_snapshot_joins_nothing_that_was_sent);
    tcase_add_test(tests, a_slow_snapshot_is_that_of_the_time_when_it_was_asked_for);
    tcase_add_test(tests, a_skewed_clock_moves_the_venues_times_and_nothing_else);
    tcase_add_test(tests, times_can_be_those_of_the_present);
    tcase_add_test(tests, a_request_whose_client_left_is_answered_no_more);
    tcase_add_test(tests, what_is_no_fault_is_told_with_what_was_expected);
    tcase_add_test(tests, equal_seeds_give_equal_faults);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
