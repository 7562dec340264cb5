/* What a market promises while two connections carry the same books: one of them is taken, the other stands by, and
 * takes over without a hole; nothing is told twice. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "venues/market.h"

static const struct venue_ops *ops;
static struct venue_market *market;
static int n_stale, n_trades;

static void on_book(void *ctx, const struct venue_book *book)
{
    (void)ctx;
    n_stale += l2_book_state(book->book) != BOOK_LIVE;
}

static void on_trade(void *ctx, const struct venue_book *book, const struct trade *trade)
{
    (void)ctx, (void)book, (void)trade;
    n_trades++;
}

static void begin(const char *venue)
{
    struct market_sink sink = {.book = on_book, .trade = on_trade};
    ops = venue_named(venue);
    market = ops->open(NULL, &sink);
    n_stale = n_trades = 0;
}

static void frame(enum frame_kind kind, uint32_t conn, const char *url, const char *text)
{
    struct frame f = {
        .kind = kind, .conn = conn, .url = url, .text = text, .len = strlen(text), .recv_ns = 7};
    ck_assert_int_eq(ops->on_frame(market, &f), OK);
}

static void diff(uint32_t conn, int first, int last)
{
    char text[256];
    (void)snprintf(
        text, sizeof text,
        "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"ETHUSDT\",\"U\":%d,\"u\":%d,\"b\":[[\"100\",\"%d\"]],"
        "\"a\":[]}",
        first, last, last);
    frame(FRAME_WS, conn, "wss://stream.binance.com:9443/stream", text);
}

/* A synchronised book that has reached update 10 by connection 0, and connection 1 brings it too. */
static void begin_two(void)
{
    begin("binance");
    diff(0, 9, 10);
    frame(FRAME_HTTP, 0, "https://api.binance.com/api/v3/depth?symbol=ETHUSDT&limit=1000",
          "{\"lastUpdateId\":9,\"bids\":[[\"100\",\"1\"]],\"asks\":[[\"101\",\"1\"]]}");
    diff(1, 11, 12);
    n_stale = 0;
}

static const struct venue_book *book(void)
{
    return ops->book_at(market, 0);
}

static void ck_assert_reached(uint64_t seq)
{
    ck_assert_uint_eq(book()->venue_seq, seq);
    ck_assert_int_eq(l2_book_state(book()->book), BOOK_LIVE);
    ck_assert_int_eq(n_stale, 0);
}

START_TEST(one_that_is_ahead_makes_no_gap)
{
    begin_two();
    diff(1, 13, 15);
    ck_assert_reached(10);
    diff(0, 11, 12);
    diff(0, 13, 15);
    ck_assert_reached(15);
    ck_assert_uint_eq(book()->feeds, 3);
    ops->close(&market);
}
END_TEST

START_TEST(when_the_first_is_closed_what_the_other_brought_continues_the_book)
{
    begin_two();
    diff(1, 13, 15);
    frame(FRAME_CLOSE, 0, "wss://stream.binance.com:9443/stream", "");
    ck_assert_reached(15);
    ck_assert_uint_eq(book()->feeds, 2);
    diff(1, 16, 16);
    ck_assert_reached(16);
    ops->close(&market);
}
END_TEST

START_TEST(what_the_first_has_lost_is_taken_from_the_other)
{
    begin_two();
    diff(1, 13, 15);
    diff(0, 13, 15); /* 11 and 12 are missing */
    ck_assert_reached(15);
    diff(0, 16, 16);
    diff(1, 16, 16);
    ck_assert_reached(16);
    ck_assert_uint_eq(ops->counters(market)->gaps, 0);
    ops->close(&market);
}
END_TEST

START_TEST(what_both_have_lost_is_a_gap)
{
    begin_two();
    diff(1, 16, 17);
    diff(0, 11, 12);
    diff(0, 16, 17);
    ck_assert_int_eq(l2_book_reason(book()->book), STALE_GAP);
    ck_assert_int_eq(ops->wants(market, 0), WANTS_SNAPSHOT);
    ops->close(&market);
}
END_TEST

START_TEST(when_both_are_closed_the_book_is_lost)
{
    begin_two();
    frame(FRAME_CLOSE, 1, "wss://stream.binance.com:9443/stream", "");
    ck_assert_reached(10);
    frame(FRAME_CLOSE, 0, "wss://stream.binance.com:9443/stream", "");
    ck_assert_int_eq(l2_book_reason(book()->book), STALE_DISCONNECT);
    ck_assert_uint_eq(book()->feeds, 0);
    ops->close(&market);
}
END_TEST

START_TEST(a_trade_that_both_bring_is_told_once)
{
    static const char binance[] =
        "{\"e\":\"trade\",\"E\":1,\"s\":\"ETHUSDT\",\"t\":%d,\"p\":\"1\",\"q\":\"1\",\"T\":1,"
        "\"m\":true}";
    static const char upbit[] =
        "{\"ty\":\"trade\",\"cd\":\"KRW-BTC\",\"tp\":1,\"tv\":1,\"ab\":\"BID\",\"sid\":%d}";
    const char *venue = _i ? "upbit" : "binance";
    const char *url = _i ? "wss://api.upbit.com/websocket/v1" : "wss://stream.binance.com:9443/stream";
    char text[256];
    static const struct {
        uint32_t conn;
        int id, told;
    } steps[] = {{0, 5, 1}, {1, 5, 1}, {1, 6, 2}, {1, 7, 3}, {0, 6, 3}, {0, 7, 3}, {0, 8, 4}};
    begin(venue);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        (void)snprintf(text, sizeof text, _i ? upbit : binance, steps[i].id);
        frame(FRAME_WS, steps[i].conn, url, text);
        ck_assert_int_eq(n_trades, steps[i].told);
    }
    ops->close(&market);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("standby");
    TCase *tests = tcase_create("promises");
    tcase_add_test(tests, one_that_is_ahead_makes_no_gap);
    tcase_add_test(tests, when_the_first_is_closed_what_the_other_brought_continues_the_book);
    tcase_add_test(tests, what_the_first_has_lost_is_taken_from_the_other);
    tcase_add_test(tests, what_both_have_lost_is_a_gap);
    tcase_add_test(tests, when_both_are_closed_the_book_is_lost);
    tcase_add_loop_test(tests, a_trade_that_both_bring_is_told_once, 0, 2);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
