/* What the other emulated venues promise their clients: Upbit's requests that replace each other and its two forms of
 * names, the snapshots that OKX and Kraken send on the connection, with the checksum of their documents. */
#include "tests/unit/emulation_scene.h"

#define UPBIT  "wss://api.upbit.com/websocket/v1"
#define OKX    "wss://ws.okx.com:8443/ws/v5/public"
#define KRAKEN "wss://ws.kraken.com/v2"

#define BOOK(code, time, price)                                                                              \
    "{\"ty\":\"orderbook\",\"cd\":\"" code "\",\"tms\":" #time                                               \
    ",\"tas\":1.0,\"tbs\":2.0,\"obu\":[{\"ap\":" #price                                                      \
    ",\"bp\":99.0,\"as\":1.0,\"bs\":2.0}],\"st\":\"REALTIME\"}"
static const struct recorded upbit_lines[] = {{FRAME_CONNECT, "", NULL},
                                              {FRAME_WS, BOOK("KRW-BTC", 1700000000001, 101.0), NULL},
                                              {FRAME_WS, BOOK("KRW-ETH", 1700000000002, 102.0), NULL},
                                              {FRAME_WS, BOOK("KRW-BTC", 1700000000003, 103.0), NULL}};

/* The example of the exchange's document, in two messages. */
static const struct recorded okx_lines[] = {
    {FRAME_CONNECT, "", NULL},
    {FRAME_WS, "{\"event\":\"subscribe\",\"arg\":{\"channel\":\"books-l2-tbt\",\"instId\":\"BTC-USDT\"}}",
     NULL},
    {FRAME_WS,
     "{\"arg\":{\"channel\":\"books-l2-tbt\",\"instId\":\"BTC-USDT\"},\"action\":\"snapshot\",\"data\":[{"
     "\"asks\":[[\"3366.8\","
     "\"9\",\"0\",\"1\"],[\"3368\",\"8\",\"0\",\"1\"]],\"bids\":[[\"3366.1\",\"7\",\"0\",\"1\"]],\"ts\":"
     "\"1700000000001\"}]}",
     NULL},
    {FRAME_WS,
     "{\"arg\":{\"channel\":\"books-l2-tbt\",\"instId\":\"BTC-USDT\"},\"action\":\"update\",\"data\":[{"
     "\"asks\":[],\"bids\":[["
     "\"3366\",\"6\",\"0\",\"1\"]],\"ts\":\"1700000000002\",\"checksum\":-1881014294}]}",
     NULL}};

static const struct recorded kraken_lines[] = {
    {FRAME_CONNECT, "", NULL},
    {FRAME_WS,
     "{\"method\":\"subscribe\",\"result\":{\"channel\":\"book\",\"depth\":25,\"snapshot\":true,\"symbol\":"
     "\"ETH/USD\"},"
     "\"success\":true}",
     NULL},
    {FRAME_WS,
     "{\"channel\":\"book\",\"type\":\"snapshot\",\"data\":[{\"symbol\":\"ETH/"
     "USD\",\"bids\":[{\"price\":10.40,\"qty\":"
     "2.50000000}],\"asks\":[{\"price\":10.50,\"qty\":3.00000001}],\"checksum\":1987878142}]}",
     NULL},
    {FRAME_WS,
     "{\"channel\":\"book\",\"type\":\"update\",\"data\":[{\"symbol\":\"ETH/"
     "USD\",\"bids\":[],\"asks\":[{\"price\":10.50,"
     "\"qty\":1.00000000}],\"checksum\":3307451400,\"timestamp\":\"2026-08-02T04:23:43.217117Z\"}]}",
     NULL},
    {FRAME_WS,
     "{\"channel\":\"book\",\"type\":\"update\",\"data\":[{\"symbol\":\"ETH/"
     "USD\",\"bids\":[{\"price\":10.31,\"qty\":"
     "0.00000001}],\"asks\":[],\"checksum\":5}]}",
     NULL}};

static int first_wire = 1, second_wire = 2, request_wire = 3;
static const struct emulator_options usual = {.seed = 1};

static struct emulated_peer *join(int *wire)
{
    return emulator_opened(venue, wire, "/", now);
}

static void open_upbit(void)
{
    scene_open("upbit", &usual, UPBIT, upbit_lines, 4);
}

static void play_to(const struct recorded *lines, int last)
{
    while ((int)line_number < last)
        play(&lines[line_number]);
}

/* ---- Upbit ------------------------------------------------------------------------------------------- */

START_TEST(upbit_sends_binary_frames_in_the_form_that_was_asked_for)
{
    open_upbit();
    say(join(&first_wire),
        "[{\"ticket\":\"a\"},{\"type\":\"orderbook\",\"codes\":[\"KRW-BTC.15\"]},{\"format\":\"SIMPLE\"}]");
    say(join(&second_wire), "[{\"ticket\":\"b\"},{\"type\":\"orderbook\",\"codes\":[\"KRW-BTC\"]}]");
    ck_assert_int_eq(n_sent, 0); /* there is no acknowledgement */
    play_to(upbit_lines, 3);
    ck_assert_int_eq(n_sent, 2);
    ck_assert(sent[0].binary && sent[1].binary);
    ck_assert_int_eq(sent_with("{\"ty\":\"orderbook\",\"cd\":\"KRW-BTC\",\"tms\":1700000000001,"), 1);
    ck_assert_int_eq(sent_with("\"st\":\"SNAPSHOT\"}"), 1);
    ck_assert_int_eq(
        sent_with("{\"type\":\"orderbook\",\"code\":\"KRW-BTC\",\"timestamp\":1700000000001,"
                  "\"total_ask_size\":1.0,\"total_bid_size\":2.0,\"orderbook_units\":[{\"ask_price\":101.0,"
                  "\"bid_price\":99.0,\"ask_size\":1.0,\"bid_size\":2.0}],\"stream_type\":\"SNAPSHOT\"}"),
        1);
    scene_close();
}
END_TEST

START_TEST(upbit_takes_a_second_request_in_place_of_the_first)
{
    open_upbit();
    struct emulated_peer *peer = join(&first_wire);
    say(peer, "[{\"ticket\":\"a\"},{\"type\":\"orderbook\",\"codes\":[\"KRW-BTC\"]}]");
    say(peer, "[{\"ticket\":\"a\"},{\"type\":\"orderbook\",\"codes\":[\"KRW-ETH\"]}]");
    play_to(upbit_lines, 4);
    ck_assert_int_eq(n_sent, 1);
    ck_assert_int_eq(sent_with("KRW-ETH"), 1);
    scene_close();
}
END_TEST

START_TEST(upbit_begins_with_the_last_book_as_a_snapshot)
{
    open_upbit();
    play_to(upbit_lines, 2);
    say(join(&first_wire),
        "[{\"ticket\":\"a\"},{\"type\":\"orderbook\",\"codes\":[\"KRW-BTC\"]},{\"format\":\"SIMPLE_LIST\"}]");
    ck_assert_int_eq(n_sent, 1);
    ck_assert_int_eq(sent_with("\"tms\":1700000000001,"), 1);
    ck_assert_int_eq(sent_with("\"st\":\"SNAPSHOT\"}]"), 1);
    scene_close();
}
END_TEST

START_TEST(upbit_begins_without_one_where_changes_alone_were_asked_for)
{
    open_upbit();
    play_to(upbit_lines, 2);
    say(join(&first_wire),
        "[{\"ticket\":\"a\"},{\"type\":\"orderbook\",\"codes\":[\"KRW-BTC\"],\"is_only_realtime\":true}]");
    ck_assert_int_eq(n_sent, 0);
    play_to(upbit_lines, 4);
    ck_assert_int_eq(n_sent, 1);
    ck_assert_int_eq(sent_with("\"REALTIME\""), 1);
    scene_close();
}
END_TEST

START_TEST(upbit_is_silent_about_unknown_codes_and_closes_on_a_wrong_request)
{
    open_upbit();
    say(join(&first_wire),
        "[{\"ticket\":\"a\"},{\"type\":\"orderbook\",\"codes\":[\"KRW-NONE\",\"krw-btc\"]}]");
    play_to(upbit_lines, 4);
    ck_assert_int_eq(n_sent, 0);
    ck_assert_int_eq(dropped[1], 0);
    say(join(&second_wire), "[{\"type\":\"orderbook\",\"codes\":[\"KRW-BTC\"]}]");
    ck_assert_int_eq(sent_with("{\"error\":{\"name\":\"NO_TICKET\""), 1);
    ck_assert_int_eq(dropped[2], 'c');
    scene_close();
}
END_TEST

START_TEST(upbit_answers_a_ping_and_its_garbage_is_no_text)
{
    open_upbit();
    fault("garbage@4");
    struct emulated_peer *peer = join(&first_wire);
    say(peer, "PING");
    ck_assert_str_eq(sent[0].text, "{\"status\":\"UP\"}");
    say(peer, "[{\"ticket\":\"a\"},{\"type\":\"orderbook\",\"codes\":[\"KRW-BTC\"]}]");
    play_to(upbit_lines, 4);
    ck_assert_int_eq((unsigned char)sent[2].text[0], 0xff);
    scene_close();
}
END_TEST

START_TEST(upbit_lists_its_markets_and_shows_their_books)
{
    open_upbit();
    play_to(upbit_lines, 2);
    emulator_request(venue, &request_wire, "/v1/market/all?isDetails=true", now);
    ck_assert_ptr_nonnull(strstr(answer_body, "\"market\":\"KRW-BTC\""));
    ck_assert_ptr_nonnull(strstr(answer_body, "\"market\":\"KRW-ETH\""));
    emulator_request(venue, &request_wire, "/v1/orderbook?markets=KRW-BTC,KRW-ETH", now);
    ck_assert_int_eq(strncmp(answer_body, "[{\"type\":\"orderbook\",\"code\":\"KRW-BTC\"", 37), 0);
    ck_assert_ptr_null(strstr(answer_body, "KRW-ETH")); /* not seen yet */
    scene_close();
}
END_TEST

/* ---- OKX --------------------------------------------------------------------------------------------- */

#define OKX_SUBSCRIBE "{\"op\":\"subscribe\",\"args\":[{\"channel\":\"books\",\"instId\":\"BTC-USDT\"}]}"

START_TEST(okx_acknowledges_and_sends_the_recorded_snapshot_under_the_clients_channel)
{
    scene_open("okx", &usual, OKX, okx_lines, 4);
    say(join(&first_wire), OKX_SUBSCRIBE);
    ck_assert_int_eq(n_sent, 1);
    ck_assert_int_eq(
        sent_with("{\"event\":\"subscribe\",\"arg\":{\"channel\":\"books\",\"instId\":\"BTC-USDT\"}"), 1);
    play_to(okx_lines, 4);
    ck_assert_int_eq(n_sent, 3);
    ck_assert_ptr_eq(
        strstr(sent[1].text,
               "{\"arg\":{\"channel\":\"books\",\"instId\":\"BTC-USDT\"},\"action\":\"snapshot\""),
        sent[1].text);
    scene_close();
}
END_TEST

START_TEST(okx_makes_a_later_snapshot_with_the_checksum_of_its_document)
{
    scene_open("okx", &usual, OKX, okx_lines, 4);
    play_to(okx_lines, 4);
    say(join(&first_wire), OKX_SUBSCRIBE);
    ck_assert_int_eq(n_sent, 2);
    ck_assert_str_eq(sent[1].text,
                     "{\"arg\":{\"channel\":\"books\",\"instId\":\"BTC-USDT\"},\"action\":\"snapshot\","
                     "\"data\":[{\"asks\":[["
                     "\"3366.8\",\"9\",\"0\",\"1\"],[\"3368\",\"8\",\"0\",\"1\"]],\"bids\":[[\"3366.1\","
                     "\"7\",\"0\",\"1\"],"
                     "[\"3366\",\"6\",\"0\",\"1\"]],\"ts\":\"1700000000002\",\"checksum\":-1881014294}]}");
    scene_close();
}
END_TEST

START_TEST(okx_sends_an_old_snapshot_where_it_was_asked_to)
{
    scene_open("okx", &usual, OKX, okx_lines, 4);
    play_to(okx_lines, 4);
    fault("stale-snapshot");
    struct emulated_peer *peer = join(&first_wire);
    say(peer, OKX_SUBSCRIBE);
    ck_assert_int_eq(sent_with("3366.1"), 1);
    ck_assert_int_eq(sent_with("\"3366\""), 0);
    say(peer, OKX_SUBSCRIBE);
    ck_assert_int_eq(sent_with("\"3366\""), 1);
    scene_close();
}
END_TEST

START_TEST(okx_holds_changes_back_until_a_slow_snapshot_went_out)
{
    scene_open("okx", &usual, OKX, okx_lines, 4);
    play_to(okx_lines, 3);
    fault("slow-snapshot=1");
    say(join(&first_wire), OKX_SUBSCRIBE);
    play_to(okx_lines, 4);
    ck_assert_int_eq(n_sent, 1);
    now.mono_ns += NS_PER_SEC;
    emulator_tick(venue, now);
    ck_assert_int_eq(n_sent, 2);
    ck_assert_int_eq(sent_with("\"checksum\":-1881014294"), 1);
    scene_close();
}
END_TEST

START_TEST(okx_tells_of_what_it_does_not_have_and_answers_a_ping)
{
    scene_open("okx", &usual, OKX, okx_lines, 4);
    struct emulated_peer *peer = join(&first_wire);
    say(peer, "{\"op\":\"subscribe\",\"args\":[{\"channel\":\"books\",\"instId\":\"NO-NE\"}]}");
    ck_assert_int_eq(sent_with("\"code\":\"60018\""), 1);
    say(peer, "{\"op\":\"jump\"}");
    ck_assert_int_eq(sent_with("\"code\":\"60012\""), 1);
    say(peer, "ping");
    ck_assert_str_eq(sent[2].text, "pong");
    scene_close();
}
END_TEST

/* ---- Kraken ------------------------------------------------------------------------------------------ */

#define KRAKEN_SUBSCRIBE(depth)                                                                              \
    "{\"method\":\"subscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"ETH/USD\"],\"depth\":" #depth  \
    "},\"req_id\":9}"

START_TEST(kraken_tells_its_status_acknowledges_and_beats)
{
    scene_open("kraken", &usual, KRAKEN, kraken_lines, 5);
    struct emulated_peer *peer = join(&first_wire);
    ck_assert_int_eq(sent_with("\"channel\":\"status\""), 1);
    now.mono_ns += NS_PER_SEC;
    emulator_tick(venue, now);
    ck_assert_int_eq(sent_with("heartbeat"), 0); /* nothing is subscribed to */
    say(peer, KRAKEN_SUBSCRIBE(25));
    ck_assert_int_eq(
        sent_with("{\"method\":\"subscribe\",\"result\":{\"channel\":\"book\",\"depth\":25,\"snapshot\":true,"
                  "\"symbol\":\"ETH/USD\"},\"success\":true,\"time_in\":\""),
        1);
    ck_assert_int_eq(sent_with(",\"req_id\":9}"), 1);
    now.mono_ns += NS_PER_SEC;
    emulator_tick(venue, now);
    ck_assert_int_eq(sent_with("{\"channel\":\"heartbeat\"}"), 1);
    scene_close();
}
END_TEST

START_TEST(kraken_makes_a_later_snapshot_with_all_digits_of_the_pair)
{
    scene_open("kraken", &usual, KRAKEN, kraken_lines, 5);
    play_to(kraken_lines, 4);
    say(join(&first_wire), KRAKEN_SUBSCRIBE(25));
    ck_assert_int_eq(n_sent, 3);
    ck_assert_str_eq(
        sent[2].text,
        "{\"channel\":\"book\",\"type\":\"snapshot\",\"data\":[{\"symbol\":\"ETH/"
        "USD\",\"bids\":[{\"price\":10.40,"
        "\"qty\":2.50000000}],\"asks\":[{\"price\":10.50,\"qty\":1.00000000}],\"checksum\":3307451400}]}");
    scene_close();
}
END_TEST

START_TEST(kraken_refuses_another_depth_and_unknown_pairs)
{
    scene_open("kraken", &usual, KRAKEN, kraken_lines, 5);
    struct emulated_peer *peer = join(&first_wire);
    say(peer, KRAKEN_SUBSCRIBE(10));
    say(peer, KRAKEN_SUBSCRIBE(11));
    ck_assert_int_eq(sent_with("Subscription depth not supported"), 2);
    say(peer, "{\"method\":\"subscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"NO/NE\"]}}");
    ck_assert_int_eq(sent_with("Currency pair not supported NO/NE"), 1);
    ck_assert_int_eq(sent_with("\"success\":true"), 0);
    scene_close();
}
END_TEST

START_TEST(kraken_moves_times_that_are_written_as_dates)
{
    scene_open("kraken", &usual, KRAKEN, kraken_lines, 5);
    fault("skew=2.5");
    emulator_tick(venue, now);
    say(join(&first_wire), KRAKEN_SUBSCRIBE(25));
    play_to(kraken_lines, 4);
    ck_assert_int_eq(sent_with("\"timestamp\":\"2026-08-02T04:23:45.717117Z\""), 1);
    scene_close();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emulated venues");
    TCase *tests = tcase_create("texts");
    tcase_add_test(tests, upbit_sends_binary_frames_in_the_form_that_was_asked_for);
    tcase_add_test(tests, upbit_takes_a_second_request_in_place_of_the_first);
    tcase_add_test(tests, upbit_begins_with_the_last_book_as_a_snapshot);
    tcase_add_test(tests, upbit_begins_without_one_where_changes_alone_were_asked_for);
    tcase_add_test(tests, upbit_is_silent_about_unknown_codes_and_closes_on_a_wrong_request);
    tcase_add_test(tests, upbit_answers_a_ping_and_its_garbage_is_no_text);
    tcase_add_test(tests, upbit_lists_its_markets_and_shows_their_books);
    tcase_add_test(tests, okx_acknowledges_and_sends_the_recorded_snapshot_under_the_clients_channel);
    tcase_add_test(tests, okx_makes_a_later_snapshot_with_the_checksum_of_its_document);
    tcase_add_test(tests, okx_sends_an_old_snapshot_where_it_was_asked_to);
    tcase_add_test(tests, okx_holds_changes_back_until_a_slow_snapshot_went_out);
    tcase_add_test(tests, okx_tells_of_what_it_does_not_have_and_answers_a_ping);
    tcase_add_test(tests, kraken_tells_its_status_acknowledges_and_beats);
    tcase_add_test(tests, kraken_makes_a_later_snapshot_with_all_digits_of_the_pair);
    tcase_add_test(tests, kraken_refuses_another_depth_and_unknown_pairs);
    tcase_add_test(tests, kraken_moves_times_that_are_written_as_dates);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
