/* What the transport promises over plain TCP: nothing is lost, every end is told once and in words, and nobody waits. */
#include "net_scene.h"

#include <malloc.h>
#include <zlib.h>

static void begin(void)
{
    open_net(NULL);
    open_server(NULL, NULL);
}

/* ---- WebSocket ---------------------------------------------------------------------------------------- */

START_TEST(what_is_sent_comes_back_whole_and_of_its_kind)
{
    connect_to("/stream?streams=btcusdt@depth/ethusdt@depth&x=1");
    ck_assert_str_eq(peer_path, "/stream?streams=btcusdt@depth/ethusdt@depth&x=1");
    ck_assert_int_eq(websocket_send(ws, "hello", 5, false), OK);
    until(messages == 1);
    ck_assert_uint_eq(message_len, 5);
    ck_assert_str_eq(message, "hello");
    ck_assert(!message_binary);
    ck_assert_int_eq(websocket_send(ws, "\0\xff\x01", 3, true), OK);
    until(messages == 2);
    ck_assert_uint_eq(message_len, 3);
    ck_assert_mem_eq(message, "\0\xff\x01", 3);
    ck_assert(message_binary);
    ck_assert_int_eq(websocket_send(ws, "", 0, false), OK);
    until(messages == 3);
    ck_assert_uint_eq(message_len, 0);
}
END_TEST

START_TEST(many_messages_in_one_go_come_in_order)
{
    connect_to("/");
    char text[32];
    for (int i = 0; i < 1000; i++) {
        int len = snprintf(text, sizeof text, "number %d", i);
        ck_assert_int_eq(server_send(peer, text, (size_t)len, false), OK);
    }
    for (int i = 0; i < 1000; i++) {
        until(messages > i);
        if (messages == i + 1) {
            (void)snprintf(text, sizeof text, "number %d", i);
            ck_assert_str_eq(message, text);
        }
    }
    ck_assert_int_eq(messages, 1000);
}
END_TEST

START_TEST(a_message_of_five_megabytes_comes_whole)
{
    enum { BIG = 5 * 1024 * 1024 };
    char *big = malloc(BIG);
    ck_assert_ptr_nonnull(big);
    for (int i = 0; i < BIG; i++)
        big[i] = (char)('a' + i % 23);
    connect_to("/");
    ck_assert_int_eq(server_send(peer, big, BIG, false), OK);
    until(messages == 1);
    ck_assert_uint_eq(message_len, BIG);
    ck_assert_mem_eq(message, big, BIG);
    ck_assert_int_eq(server_send(peer, "after", 5, false), OK);
    until(messages == 2);
    ck_assert_str_eq(message, "after");
    free(big);
}
END_TEST

START_TEST(a_message_over_the_limit_ends_the_connection_in_words)
{
    char *big = calloc(1, WEBSOCKET_MESSAGE_MAX + 1);
    ck_assert_ptr_nonnull(big);
    connect_to("/");
    ck_assert_int_eq(server_send(peer, big, WEBSOCKET_MESSAGE_MAX + 1, true), OK);
    until(closed == 1);
    ck_assert_str_eq(why, "a message longer than is taken");
    ck_assert_int_eq(messages, 0);
    free(big);
}
END_TEST

START_TEST(what_a_client_may_keep_waiting_is_bounded)
{
    static char text[WEBSOCKET_SEND_MAX];
    connect_to("/");
    ck_assert_int_eq(websocket_send(ws, text, sizeof text, true), OK);
    ck_assert_int_eq(websocket_send(ws, text, 1, true), E_FULL);
    until(messages == 1);
    ck_assert_int_eq(websocket_send(ws, text, 1, true), OK);
}
END_TEST

START_TEST(pings_are_answered_and_pongs_are_heard)
{
    connect_to("/");
    ck_assert_int_eq(websocket_ping(ws), OK);
    until(heard == 1);
    /* A ping of the server is heard too, within the pulse. */
    let_pass(1100);
    int before = heard;
    ck_assert_int_eq(server_ping(peer, "123", 3), OK);
    until(heard > before);
    ck_assert_int_eq(closed, 0);
    ck_assert_int_eq(server_ping(peer, why, 126), E_RANGE);
}
END_TEST

START_TEST(nothing_is_heard_where_nothing_comes)
{
    connect_to("/");
    let_pass(2500);
    int before = heard;
    let_pass(2200);
    ck_assert_int_eq(heard, before);
}
END_TEST

START_TEST(a_close_by_the_client_is_told_to_the_server_and_brings_the_client_no_event)
{
    connect_to("/");
    websocket_close(&ws);
    ck_assert_ptr_null(ws);
    until(peers_closed == 1);
    ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(a_close_before_it_is_open_brings_no_event_at_all)
{
    ws = websocket_connect(net, url("ws", server_port(server), "/"), &listening);
    websocket_close(&ws);
    let_pass(50);
    ck_assert_int_eq(opened, 0);
    ws = websocket_connect(net, url("ws", server_port(server), "/"), &listening);
    turn();
    websocket_close(&ws);
    let_pass(200);
    ck_assert_int_eq(closed, 0);
    ck_assert_int_eq(peers_opened, peers_closed);
}
END_TEST

START_TEST(a_close_by_the_server_comes_behind_what_it_sent_and_says_so)
{
    connect_to("/");
    ck_assert_int_eq(server_send(peer, "last words", 10, false), OK);
    server_drop(peer, false);
    until(closed == 1);
    ck_assert_str_eq(message, "last words");
    ck_assert_msg(strstr(why, "closed by the server: 1000") != NULL, "%s", why);
    ck_assert_int_eq(http_status, 0);
    until(peers_closed == 1);
}
END_TEST

START_TEST(an_abrupt_end_is_told_as_a_lost_connection)
{
    connect_to("/");
    server_drop(peer, true);
    until(closed == 1);
    ck_assert_str_eq(why, "the connection was lost");
    until(peers_closed == 1);
}
END_TEST

START_TEST(a_frozen_peer_keeps_the_connection_and_answers_nothing)
{
    connect_to("/");
    server_freeze(peer);
    ck_assert_int_eq(websocket_send(ws, "anybody", 7, false), OK);
    ck_assert_int_eq(websocket_ping(ws), OK);
    ck_assert_int_eq(server_send(peer, "nothing of this", 15, false), OK);
    let_pass(1500);
    ck_assert_int_eq(messages, 0);
    ck_assert_int_eq(heard, 0);
    ck_assert_int_eq(closed, 0);
    ck_assert_int_eq(peers_closed, 0);
    /* Whoever gives up on it is free at once, and its socket within the parting time. */
    int files = open_files();
    websocket_close(&ws);
    let_pass(7000);
    ck_assert_int_lt(open_files(), files);
}
END_TEST

START_TEST(a_refused_upgrade_tells_status_and_delay)
{
    static const int refusals[][2] = {{429, 30}, {418, 120}, {503, 0}, {401, 5}, {302, 0}};
    for (int i = 0; i < 5; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/refuse/%d/%d", refusals[i][0], refusals[i][1]);
        ws = websocket_connect(net, url("ws", server_port(server), path), &listening);
        until(closed == i + 1);
        ck_assert_int_eq(http_status, refusals[i][0]);
        ck_assert_int_eq(retry_after_s, refusals[i][1]);
    }
    ck_assert_int_eq(opened, 0);
    ck_assert_int_eq(peers_opened, 0);
}
END_TEST

START_TEST(a_server_that_is_not_there_is_told_later_and_without_a_status)
{
    ws = websocket_connect(net, "ws://127.0.0.1:1/", &listening);
    ck_assert_ptr_nonnull(ws);
    ck_assert_int_eq(closed, 0);
    until(closed == 1);
    ck_assert_int_eq(http_status, 0);
    ck_assert_str_ne(why, "");
    ws = websocket_connect(net, "ws://nowhere.invalid/", &listening);
    until(closed == 2);
    ck_assert_str_ne(why, "");
}
END_TEST

START_TEST(a_url_of_another_form_is_refused_at_once)
{
    static const char *const bad[] = {"",           "http://a/",           "ws:/a/",     "ws:///x",
                                      "ws://a:0/",  "ws://a:65536/",       "ws://a:1x/", "ws://a b/",
                                      "ws://a/x y", "ws://a/\r\nX: y",     "ws://[::1/", "ws://u@a/",
                                      "ws://a?x",   "wss://a:99999999999/"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(websocket_connect(net, bad[i], &listening) == NULL, "%s", bad[i]);
    ck_assert_int_eq(http_get(net, "ws://a/", NS_PER_SEC, on_answer, NULL), E_SYNTAX);
}
END_TEST

START_TEST(a_name_with_two_addresses_is_tried_at_each)
{
    char text[64];
    (void)snprintf(text, sizeof text, "ws://localhost:%d", server_port(server));
    ws = websocket_connect(net, text, &listening);
    until(opened == 1);
    (void)snprintf(text, sizeof text, "http://localhost:%d/x", server_port(server));
    ck_assert_int_gt(http_get(net, text, NS_PER_SEC, on_answer, NULL), 0);
    until(answers == 1);
    ck_assert_int_eq(answer.status, 200);
}
END_TEST

START_TEST(connections_that_come_and_go_leave_nothing_behind)
{
    size_t used = 0;
    int files = 0;
    for (int i = 0; i < 200; i++) {
        connect_to("/");
        ck_assert_int_eq(websocket_send(ws, "x", 1, false), OK);
        until(messages == i + 1);
        if (i % 2 == 0) {
            websocket_close(&ws);
        } else {
            server_drop(peer, i % 4 == 1);
            until(ws == NULL);
        }
        until(peers_closed == i + 1);
        let_pass(2);
        if (i == 100) {
            let_pass(50);
            used = mallinfo2().uordblks;
            files = open_files();
        }
    }
    let_pass(50);
    ck_assert_int_le(open_files(), files);
    ck_assert_uint_le(mallinfo2().uordblks, used + 4096);
}
END_TEST

/* ---- HTTP --------------------------------------------------------------------------------------------- */

START_TEST(an_answer_comes_with_status_body_and_what_the_venue_says_of_its_limits)
{
    get("/api/v3/depth?symbol=BTCUSDT&limit=5", NS_PER_SEC);
    until(answers == 1);
    ck_assert_str_eq(requested, "/api/v3/depth?symbol=BTCUSDT&limit=5");
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(body, "{\"a\":1}");
    ck_assert_uint_eq(answer.len, 7);
    ck_assert_int_eq(answer.used_weight, 42);
    ck_assert_int_eq(answer.retry_after_s, 0);
    get("/busy", NS_PER_SEC);
    until(answers == 2);
    ck_assert_int_eq(answer.status, 429);
    ck_assert_int_eq(answer.retry_after_s, 17);
    ck_assert_int_eq(answer.used_weight, 1201);
    get("/missing", NS_PER_SEC);
    until(answers == 3);
    ck_assert_int_eq(answer.status, 404);
    ck_assert_uint_eq(answer.len, 0);
    ck_assert_int_eq(answer.used_weight, -1);
}
END_TEST

START_TEST(an_answer_that_does_not_come_is_given_up_in_time_and_the_server_sees_it)
{
    int64_t began = clock_mono_ns();
    get("/later", 200 * NS_PER_MS);
    until(answers == 1);
    int64_t took = clock_mono_ns() - began;
    ck_assert_int_eq(answer.status, 0);
    ck_assert_str_ne(why, "");
    ck_assert_int_ge(took, 150 * NS_PER_MS);
    ck_assert_int_lt(took, 2000 * NS_PER_MS);
    until(requests_gone == 1);
}
END_TEST

START_TEST(a_late_answer_comes_and_big_ones_are_whole)
{
    enum { BIG = 3 * 1024 * 1024 };
    char *big = malloc(BIG);
    ck_assert_ptr_nonnull(big);
    memset(big, 'x', BIG);
    get("/later", 5 * NS_PER_SEC);
    until(waiting != NULL);
    let_pass(100);
    ck_assert_int_eq(answers, 0);
    server_answer(waiting, 200, "text/plain", "", big, BIG);
    until(answers == 1);
    ck_assert_uint_eq(answer.len, BIG);
    free(big);
}
END_TEST

START_TEST(a_gzip_body_is_given_unpacked)
{
    unsigned char packed[512];
    char text[] = "the same words, the same words, the same words";
    z_stream z = {.next_in = (unsigned char *)text,
                  .avail_in = sizeof text - 1,
                  .next_out = packed,
                  .avail_out = sizeof packed};
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    (void)deflateEnd(&z);
    get("/later", NS_PER_SEC);
    until(waiting != NULL);
    server_answer(waiting, 200, "text/plain", "Content-Encoding: gzip\r\n", (const char *)packed,
                  sizeof packed - z.avail_out);
    until(answers == 1);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(body, text);
}
END_TEST

START_TEST(a_small_answer_that_unpacks_beyond_the_bound_is_no_answer)
{
    enum { UNPACKED = 65 * 1024 * 1024, PACKED = 128 * 1024 };
    unsigned char *packed = malloc(PACKED), *zeros = calloc(1, 1024 * 1024);
    ck_assert(packed != NULL && zeros != NULL);
    z_stream z = {.next_out = packed, .avail_out = PACKED};
    ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    for (int i = 0; i < UNPACKED / (1024 * 1024); i++) {
        z.next_in = zeros;
        z.avail_in = 1024 * 1024;
        ck_assert_int_eq(deflate(&z, Z_NO_FLUSH), Z_OK);
    }
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    (void)deflateEnd(&z);
    get("/later", 10 * NS_PER_SEC);
    until(waiting != NULL);
    server_answer(waiting, 200, "text/plain", "Content-Encoding: gzip\r\n", (char *)packed,
                  PACKED - z.avail_out);
    until(answers == 1);
    ck_assert_int_eq(answer.status, 0);
    ck_assert_msg(strstr(why, "longer than") != NULL, "%s", why);
    free(packed);
    free(zeros);
}
END_TEST

START_TEST(a_refused_connection_and_an_unknown_name_are_answers_without_status)
{
    ck_assert_int_gt(http_get(net, "http://127.0.0.1:1/", NS_PER_SEC, on_answer, NULL), 0);
    ck_assert_int_eq(answers, 0);
    until(answers == 1);
    ck_assert_int_eq(answer.status, 0);
    ck_assert_str_ne(why, "");
    ck_assert_int_gt(http_get(net, "http://nowhere.invalid/", NS_PER_SEC, on_answer, NULL), 0);
    until(answers == 2);
    ck_assert_int_eq(answer.status, 0);
    ck_assert_msg(strstr(why, "nowhere.invalid") != NULL, "%s", why);
}
END_TEST

START_TEST(a_cancelled_request_is_answered_no_more)
{
    int request = http_get(net, url("http", server_port(server), "/x"), NS_PER_SEC, on_answer, NULL);
    http_cancel(net, request);
    get("/later", NS_PER_SEC);
    until(waiting != NULL);
    http_cancel(net, request + 1);
    until(requests_gone == 1);
    http_cancel(net, request + 1);
    let_pass(100);
    ck_assert_int_eq(answers, 0);
}
END_TEST

/* ---- the whole ------------------------------------------------------------------------------------------ */

START_TEST(a_net_that_is_closed_with_everything_open_leaves_nothing_and_calls_nobody)
{
    connect_to("/");
    get("/later", 5 * NS_PER_SEC);
    until(waiting != NULL);
    (void)websocket_connect(net, "ws://127.0.0.1:1/", &listening);
    (void)websocket_connect(net, url("ws", server_port(server), "/"), &listening);
    (void)websocket_connect(net, "ws://nowhere.invalid/", &listening);
    ck_assert_int_gt(http_get(net, "http://nowhere.invalid/", NS_PER_SEC, on_answer, NULL), 0);
    for (int i = 0; i < 2; i++)
        turn();
    int told = closed + answers + peers_closed + requests_gone;
    net_close(&net);
    ck_assert_int_eq(closed + answers + peers_closed + requests_gone, told);
}
END_TEST

START_TEST(a_closed_server_is_gone_and_another_may_take_its_port)
{
    connect_to("/");
    int port = server_port(server);
    char error[200];
    struct server *second = NULL;
    struct server_options options = {.port = port};
    ck_assert_int_eq(server_open(net, &options, &serving, &second, error, sizeof error), E_IO);
    ck_assert_msg(strstr(error, "in use") != NULL, "%s", error);
    server_close(&server);
    until(closed == 1);
    ws = websocket_connect(net, url("ws", port, "/"), &listening);
    until(closed == 2);
    let_pass(1200);
    ck_assert_int_eq(server_open(net, &options, &serving, &server, error, sizeof error), OK);
    connect_to("/");
}
END_TEST

/* Waits as long as it is told to, and is woken by the descriptor alone. */
static int64_t ns_until(const int *count, int wanted)
{
    int64_t began = clock_mono_ns();
    while (*count < wanted && clock_mono_ns() - began < 5 * NS_PER_SEC) {
        int64_t wait_ns = net_wait_ns(net);
        int ms = wait_ns > 5 * NS_PER_SEC ? 5000 : (int)((wait_ns + NS_PER_MS - 1) / NS_PER_MS);
        struct pollfd ready = {.fd = net_fd(net), .events = POLLIN};
        (void)poll(&ready, 1, ms);
        net_run(net);
    }
    return clock_mono_ns() - began;
}

START_TEST(what_is_begun_outside_of_a_run_does_not_wait_for_something_else)
{
    enum { SOON_NS = 300 * 1000 * 1000 };
    let_pass(50);
    ws = websocket_connect(net, url("ws", server_port(server), "/"), &listening);
    ck_assert_int_lt(ns_until(&opened, 1), SOON_NS);
    ck_assert_int_eq(websocket_send(ws, "x", 1, false), OK);
    ck_assert_int_lt(ns_until(&messages, 1), SOON_NS);
    get("/x", NS_PER_SEC);
    ck_assert_int_lt(ns_until(&answers, 1), SOON_NS);
    ck_assert_int_eq(websocket_ping(ws), OK);
    ck_assert_int_lt(ns_until(&heard, 1), SOON_NS);
    server_drop(peer, true);
    ck_assert_int_lt(ns_until(&closed, 1), SOON_NS);
}
END_TEST

START_TEST(an_idle_net_does_not_spin)
{
    connect_to("/");
    let_pass(100);
    int turns = 0;
    for (int64_t until_ns = clock_mono_ns() + NS_PER_SEC; clock_mono_ns() < until_ns; turns++) {
        int64_t wait_ns = net_wait_ns(net);
        int ms = wait_ns > NS_PER_SEC ? 1000 : (int)((wait_ns + NS_PER_MS - 1) / NS_PER_MS);
        struct pollfd ready = {.fd = net_fd(net), .events = POLLIN};
        (void)poll(&ready, 1, ms);
        net_run(net);
    }
    ck_assert_int_lt(turns, 20);
}
END_TEST

static void add_http(TCase *of)
{
    tcase_add_test(of, an_answer_comes_with_status_body_and_what_the_venue_says_of_its_limits);
    tcase_add_test(of, an_answer_that_does_not_come_is_given_up_in_time_and_the_server_sees_it);
    tcase_add_test(of, a_late_answer_comes_and_big_ones_are_whole);
    tcase_add_test(of, a_gzip_body_is_given_unpacked);
    tcase_add_test(of, a_small_answer_that_unpacks_beyond_the_bound_is_no_answer);
    tcase_add_test(of, a_refused_connection_and_an_unknown_name_are_answers_without_status);
    tcase_add_test(of, a_cancelled_request_is_answered_no_more);
    tcase_add_test(of, a_net_that_is_closed_with_everything_open_leaves_nothing_and_calls_nobody);
    tcase_add_test(of, a_closed_server_is_gone_and_another_may_take_its_port);
    tcase_add_test(of, what_is_begun_outside_of_a_run_does_not_wait_for_something_else);
    tcase_add_test(of, an_idle_net_does_not_spin);
}

int main(void)
{
    Suite *suite = suite_create("net");
    TCase *promises = tcase_create("promises");
    tcase_add_checked_fixture(promises, begin, end_scene);
    tcase_set_timeout(promises, 30);
    tcase_add_test(promises, what_is_sent_comes_back_whole_and_of_its_kind);
    tcase_add_test(promises, many_messages_in_one_go_come_in_order);
    tcase_add_test(promises, a_message_of_five_megabytes_comes_whole);
    tcase_add_test(promises, a_message_over_the_limit_ends_the_connection_in_words);
    tcase_add_test(promises, what_a_client_may_keep_waiting_is_bounded);
    tcase_add_test(promises, pings_are_answered_and_pongs_are_heard);
    tcase_add_test(promises, nothing_is_heard_where_nothing_comes);
    tcase_add_test(promises, a_close_by_the_client_is_told_to_the_server_and_brings_the_client_no_event);
    tcase_add_test(promises, a_close_before_it_is_open_brings_no_event_at_all);
    tcase_add_test(promises, a_close_by_the_server_comes_behind_what_it_sent_and_says_so);
    tcase_add_test(promises, an_abrupt_end_is_told_as_a_lost_connection);
    tcase_add_test(promises, a_frozen_peer_keeps_the_connection_and_answers_nothing);
    tcase_add_test(promises, a_refused_upgrade_tells_status_and_delay);
    tcase_add_test(promises, a_server_that_is_not_there_is_told_later_and_without_a_status);
    tcase_add_test(promises, a_url_of_another_form_is_refused_at_once);
    tcase_add_test(promises, a_name_with_two_addresses_is_tried_at_each);
    tcase_add_test(promises, connections_that_come_and_go_leave_nothing_behind);
    add_http(promises);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
