/* What Upbit's parser promises: every frame is the whole book, the newest counts, and no frame is half taken.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/status.h"
#include "venues/upbit/upbit.h"

static struct venue_market *market;
static struct trade last_trade;
static struct inst last_told;
static int n_instruments, n_books, n_trades;

static void on_instrument(void *ctx, const struct venue_book *book)
{
    (void)ctx;
    last_told = book->inst;
    n_instruments++;
}

static void on_book(void *ctx, const struct venue_book *book)
{
    (void)ctx, (void)book;
    n_books++;
}

static void on_trade(void *ctx, const struct venue_book *book, const struct trade *trade)
{
    (void)ctx, (void)book;
    last_trade = *trade;
    n_trades++;
}

static void begin_with(const struct instrument_file *instruments)
{
    struct market_sink sink = {.instrument = on_instrument, .book = on_book, .trade = on_trade};
    market = upbit.open(instruments, &sink);
    n_instruments = n_books = n_trades = 0;
}

static void begin(void)
{
    begin_with(NULL);
}

static void end(void)
{
    upbit.close(&market);
    ck_assert_ptr_null(market);
}

static int frame(enum frame_kind kind, uint32_t conn, const char *text)
{
    struct frame f = {.kind = kind,
                      .conn = conn,
                      .url = "wss://api.upbit.com/websocket/v1",
                      .text = text,
                      .len = strlen(text),
                      .recv_ns = 5};
    return upbit.on_frame(market, &f);
}

static int ws(const char *text)
{
    return frame(FRAME_WS, 0, text);
}

static const char *best(uint32_t index)
{
    static char text[256];
    l2_book_best_text(upbit.book_at(market, index)->book, text, sizeof text);
    return text;
}

static enum book_state state(uint32_t index)
{
    return l2_book_state(upbit.book_at(market, index)->book);
}

#define UNIT(ap, bp, as, bs) "{\"ap\":" ap ",\"bp\":" bp ",\"as\":" as ",\"bs\":" bs "}"
#define BOOK(code, tms, units)                                                                               \
    "{\"ty\":\"orderbook\",\"cd\":\"" code "\",\"tms\":" tms ",\"obu\":[" units "],\"st\":\"REALTIME\"}"

START_TEST(the_first_frame_makes_the_book_live)
{
    ck_assert_int_eq(ws(BOOK("KRW-BTC", "1618678262640",
                             UNIT("1.16539E8", "116500000.0", "2.75E-5",
                                  "0.5") "," UNIT("116540000", "116499000", "1", "2"))),
                     OK);
    const struct venue_book *book = upbit.book_at(market, 0);
    ck_assert_str_eq(best(0), "116500000 0.5 116539000 0.0000275");
    ck_assert_int_eq(state(0), BOOK_LIVE);
    ck_assert_str_eq(book->inst.symbol, "BTC-KRW");
    ck_assert_str_eq(book->inst.venue, "upbit");
    ck_assert_str_eq(book->inst.venue_symbol, "KRW-BTC");
    ck_assert(book->inst.learned);
    ck_assert_int_eq(book->venue_time, 1618678262640000000);
    ck_assert_int_eq(n_books, 1);
    ck_assert_int_eq(n_instruments, 1);
}
END_TEST

START_TEST(each_frame_replaces_the_book)
{
    ws(BOOK("KRW-LAMB", "1", UNIT("127.0", "126.0", "1", "2") "," UNIT("128.0", "125.0", "3", "4")));
    ws(BOOK("KRW-LAMB", "2", UNIT("126.5", "125.5", "5", "6")));
    ck_assert_str_eq(best(0), "125.5 6 126.5 5");
    ck_assert_uint_eq(l2_book_depth(upbit.book_at(market, 0)->book, SIDE_BUY), 1);
    ck_assert_int_eq(n_books, 2);
    ck_assert_int_eq(n_instruments, 2); /* its exponent widened */
}
END_TEST

START_TEST(an_older_frame_is_ignored_and_an_equally_old_one_is_taken)
{
    ws(BOOK("KRW-LAMB", "100", UNIT("127", "126", "1", "2")));
    ck_assert_int_eq(ws(BOOK("KRW-LAMB", "99", UNIT("130", "129", "1", "2"))), OK);
    ck_assert_str_eq(best(0), "126 2 127 1");
    ck_assert_int_eq(n_books, 1);
    ws(BOOK("KRW-LAMB", "100", UNIT("128", "127", "1", "2")));
    ck_assert_str_eq(best(0), "127 2 128 1");
}
END_TEST

START_TEST(padding_of_a_thin_book_is_dropped)
{
    ws(BOOK("BTC-ARK", "1",
            UNIT("0.00002", "0.00001", "1.0",
                 "2") "," UNIT("0", "0.000009", "0", "3") "," UNIT("0.00003", "0.000008", "0.0", "0")));
    ck_assert_str_eq(best(0), "0.00001 2 0.00002 1");
    ck_assert_uint_eq(l2_book_depth(upbit.book_at(market, 0)->book, SIDE_BUY), 2);
    ck_assert_uint_eq(l2_book_depth(upbit.book_at(market, 0)->book, SIDE_SELL), 1);
    ck_assert_str_eq(upbit.book_at(market, 0)->inst.symbol, "ARK-BTC");
    ws(BOOK("BTC-ARK", "2", ""));
    ck_assert_str_eq(best(0), "- - - -");
    ck_assert_int_eq(state(0), BOOK_LIVE);
}
END_TEST

START_TEST(the_default_format_has_full_names)
{
    ws("{\"type\":\"orderbook\",\"code\":\"KRW-BTC\",\"timestamp\":7,\"total_ask_size\":1,\"orderbook_"
       "units\":["
       "{\"ask_price\":101,\"bid_price\":100,\"ask_size\":1,\"bid_size\":2}],\"stream_type\":\"SNAPSHOT\","
       "\"level\":0}");
    ck_assert_str_eq(best(0), "100 2 101 1");
}
END_TEST

START_TEST(a_list_frame_holds_several_books_and_each_is_told_once)
{
    ck_assert_int_eq(
        ws("[" BOOK("KRW-BTC", "1", UNIT("101", "100", "1", "2")) "," BOOK(
            "KRW-ETH", "1", UNIT("11", "10", "1", "2")) "," BOOK("KRW-BTC", "2",
                                                                 UNIT("102", "101", "1", "2")) "]"),
        OK);
    ck_assert_uint_eq(upbit.books(market), 2);
    ck_assert_int_eq(n_books, 2);
    ck_assert_str_eq(best(0), "101 2 102 1");
    ck_assert_str_eq(best(1), "10 2 11 1");
}
END_TEST

START_TEST(a_malformed_frame_is_taken_as_a_whole_or_not_at_all)
{
    static const char *const bad[] = {
        BOOK("KRW-BTC", "2", UNIT("102", "101", "1", "2") "," UNIT("103", "-1", "1", "2")),
        BOOK("KRW-BTC", "2", UNIT("102", "101", "1", "2") "," UNIT("103", "\"x\"", "1", "2")),
        BOOK("KRW-BTC", "2", "{\"ap\":102}"),
        BOOK("KRW-BTC", "2", UNIT("99999999999999999999999", "101", "1", "2")),
        BOOK("KRW-BTC", "\"x\"", UNIT("102", "101", "1", "2")),
        "{\"ty\":\"orderbook\",\"cd\":\"KRW-BTC\",\"tms\":2}",
        "{\"ty\":\"orderbook\",\"cd\":\"KRW-BTC\",\"tms\":2,\"obu\":[5]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        end();
        begin();
        ws(BOOK("KRW-BTC", "1", UNIT("101", "100", "1", "2")));
        ck_assert_msg(ws(bad[i]) == E_SYNTAX, "taken: %s", bad[i]);
        ck_assert_int_eq(state(0), BOOK_STALE);
        ck_assert_int_eq(l2_book_reason(upbit.book_at(market, 0)->book), STALE_GAP);
        ck_assert_str_eq(best(0), "100 2 101 1");
        ck_assert_int_eq(n_books, 2);
        ck_assert_uint_eq(upbit.counters(market)->malformed, 1);
        ck_assert_str_ne(upbit.counters(market)->last_error, "");
        ws(BOOK("KRW-BTC", "3", UNIT("103", "102", "1", "2")));
        ck_assert_int_eq(state(0), BOOK_LIVE);
        ck_assert_uint_eq(upbit.book_at(market, 0)->resyncs, 1);
    }
}
END_TEST

START_TEST(a_frame_that_cannot_be_read_is_counted_and_changes_nothing)
{
    ws(BOOK("KRW-BTC", "1", UNIT("101", "100", "1", "2")));
    ck_assert_int_eq(ws("{\"ty\":\"orderbook\",\"cd\":\"KRW-B"), E_SYNTAX);
    ck_assert_int_eq(ws(""), E_SYNTAX);
    ck_assert_int_eq(ws("{\"ty\":\"orderbook\",\"tms\":5,\"obu\":[]}"), E_SYNTAX);
    ck_assert_int_eq(ws("{\"ty\":\"orderbook\",\"cd\":\"a b\",\"tms\":5,\"obu\":[]}"), E_SYNTAX);
    ck_assert_int_eq(state(0), BOOK_LIVE);
    ck_assert_uint_eq(upbit.counters(market)->malformed, 4);
    ck_assert_uint_eq(upbit.books(market), 1);
}
END_TEST

START_TEST(status_errors_and_unknown_types_are_ignored)
{
    ck_assert_int_eq(ws("{\"status\":\"UP\"}"), OK);
    ck_assert_int_eq(ws("{\"error\":{\"name\":\"NO_TICKET\",\"message\":\"x\"}}"), OK);
    ck_assert_int_eq(ws("{\"ty\":\"ticker\",\"cd\":\"KRW-BTC\",\"tp\":17413893361151983591}"), OK);
    ck_assert_int_eq(ws("[5,{\"method\":\"LIST_SUBSCRIPTIONS\"}]"), OK);
    ck_assert_int_eq(frame(FRAME_HTTP, 0, "not json"), OK);
    ck_assert_uint_eq(upbit.books(market), 0);
    ck_assert_uint_eq(upbit.counters(market)->ignored, 6);
}
END_TEST

START_TEST(a_crossed_frame_is_stale_until_the_next)
{
    ws(BOOK("KRW-BTC", "1", UNIT("100", "100", "1", "2")));
    ck_assert_int_eq(state(0), BOOK_STALE);
    ck_assert_int_eq(l2_book_reason(upbit.book_at(market, 0)->book), STALE_CROSSED);
    ws(BOOK("KRW-BTC", "2", UNIT("101", "100", "1", "2")));
    ck_assert_int_eq(state(0), BOOK_LIVE);
}
END_TEST

START_TEST(a_socket_that_is_opened_anew_loses_the_books_it_alone_fed)
{
    frame(FRAME_WS, 1, BOOK("KRW-BTC", "100", UNIT("101", "100", "1", "2")));
    frame(FRAME_WS, 2, BOOK("KRW-ETH", "100", UNIT("11", "10", "1", "2")));
    frame(FRAME_CONNECT, 1, "");
    ck_assert_int_eq(state(0), BOOK_STALE);
    ck_assert_int_eq(l2_book_reason(upbit.book_at(market, 0)->book), STALE_DISCONNECT);
    ck_assert_int_eq(state(1), BOOK_LIVE);
    frame(FRAME_WS, 1,
          BOOK("KRW-BTC", "90", UNIT("102", "101", "1", "2"))); /* nothing is held that it is older than */
    ck_assert_int_eq(state(0), BOOK_LIVE);
    frame(FRAME_WS, 3, BOOK("KRW-BTC", "91", UNIT("103", "102", "1", "2")));
    frame(FRAME_CLOSE, 1, "");
    ck_assert_int_eq(state(0), BOOK_LIVE); /* another socket feeds it */
}
END_TEST

START_TEST(trades_say_which_side_took)
{
    ws("{\"ty\":\"trade\",\"cd\":\"KRW-LAMB\",\"tms\":1618678262712,\"ttms\":1618678262000,\"tp\":127.0,"
       "\"tv\":46.48838371,\"ab\":\"BID\",\"sid\":1618678262000003,\"st\":\"REALTIME\"}");
    ck_assert_int_eq(n_trades, 1);
    ck_assert_int_eq(last_trade.aggressor, SIDE_BUY);
    ck_assert_str_eq(last_trade.trade_id, "1618678262000003");
    ck_assert_int_eq(last_trade.qty, 4648838371);
    ck_assert_int_eq(last_trade.qty_exp, -8);
    ck_assert_int_eq(last_trade.venue_time, 1618678262000000000);
    ws("{\"type\":\"trade\",\"code\":\"KRW-LAMB\",\"trade_price\":127,\"trade_volume\":1,\"ask_bid\":\"ASK\","
       "\"sequential_id\":1618678262000004}");
    ck_assert_int_eq(last_trade.aggressor, SIDE_SELL);
    ck_assert_int_eq(ws("{\"ty\":\"trade\",\"cd\":\"KRW-LAMB\",\"tp\":127}"), E_SYNTAX);
}
END_TEST

START_TEST(a_count_of_units_is_no_part_of_the_name)
{
    ws(BOOK("KRW-ETH.15", "1", UNIT("101", "100", "1", "2")));
    ck_assert_str_eq(upbit.book_at(market, 0)->inst.symbol, "ETH-KRW");
    ck_assert_str_eq(upbit.book_at(market, 0)->inst.venue_symbol, "KRW-ETH.15");
}
END_TEST

static void ck_assert_dec(struct dec got, const char *expected)
{
    struct dec want;
    ck_assert_int_eq(dec_parse(expected, strlen(expected), &want), OK);
    ck_assert_msg(dec_cmp(got, want) == 0, "got %lde%d, expected %s", (long)got.m, got.exp, expected);
}

START_TEST(an_instrument_without_a_file_has_the_terms_of_its_quote_currency)
{
    static const struct {
        const char *code, *min_notional, *fee_bps;
    } rows[] = {{"KRW-BTC", "5000", "5"},
                {"BTC-ETH", "0.00005", "25"},
                {"USDT-BTC", "0.5", "25"},
                {"SGD-BTC", "0", "0"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, BOOK("%s", "1", UNIT("101", "100", "1", "2")), rows[i].code);
        ck_assert_int_eq(ws(text), OK);
        ck_assert_dec(last_told.lot, "0.00000001");
        ck_assert_dec(last_told.min_notional, rows[i].min_notional);
        ck_assert_dec(last_told.taker_bps, rows[i].fee_bps);
        ck_assert_dec(last_told.maker_bps, rows[i].fee_bps);
        ck_assert(last_told.learned);
    }
}
END_TEST

START_TEST(the_tick_follows_the_best_ask_through_the_bands)
{
    static const struct {
        const char *ask, *bid, *tick;
    } rows[] = {
        {"116540000", "116530000", "1000"},
        {"1000000", "999500", "1000"},
        {"999500", "999000", "500"},
        {"500000", "499900", "500"},
        {"499900", "499800", "100"},
        {"99950", "99900", "50"},
        {"49990", "49980", "10"},
        {"9995", "9990", "5"},
        {"4999", "4998", "1"},
        {"100", "99.9", "1"},
        {"99.9", "99.8", "0.1"},
        {"9.99", "9.98", "0.01"},
        {"0.999", "0.998", "0.001"},
        {"0.0999", "0.0998", "0.0001"},
        {"0.00000999", "0.00000998", "0.00000001"},
    };
    int told = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, BOOK("KRW-X", "1", UNIT("%s", "%s", "1", "2")), rows[i].ask, rows[i].bid);
        ck_assert_int_eq(ws(text), OK);
        ck_assert_dec(last_told.tick, rows[i].tick);
        told = n_instruments;
        ws(text); /* the same band again: nothing new is told */
        ck_assert_int_eq(n_instruments, told);
    }
    ws(BOOK("BTC-X", "1", UNIT("0.00012222", "0.00012221", "1", "2")));
    ck_assert_dec(last_told.tick, "0.00000001");
}
END_TEST

START_TEST(a_side_that_is_empty_leaves_the_tick_to_the_other)
{
    ws(BOOK("KRW-X", "1", UNIT("0", "50", "0", "2")));
    ck_assert_dec(last_told.tick, "0.1");
    ws(BOOK("KRW-X", "2", ""));
    ck_assert_dec(upbit.book_at(market, 0)->inst.tick, "0.1");
}
END_TEST

START_TEST(a_price_that_the_table_does_not_allow_leaves_the_book_whole_and_its_last_digit_as_tick)
{
    ws(BOOK("KRW-X", "1", UNIT("151000", "150900", "1", "2") "," UNIT("151100", "150800", "1", "2")));
    ck_assert_dec(last_told.tick, "100");
    ck_assert_int_eq(
        ws(BOOK("KRW-X", "2", UNIT("151000", "150900", "1", "2") "," UNIT("151100", "150850", "1", "2"))),
        OK);
    ck_assert_dec(last_told.tick, "1");
    ck_assert_str_eq(best(0), "150900 2 151000 1");
    ck_assert_int_eq(state(0), BOOK_LIVE);
    ws(BOOK("KRW-X", "3",
            UNIT("151000.5", "150900", "1", "2"))); /* the exponent widens, and the tick with it */
    ck_assert_dec(last_told.tick, "0.1");
    ck_assert_int_eq(last_told.price_exp, -1);
    ws(BOOK("KRW-X", "4", UNIT("151000", "150900", "1", "2"))); /* the table is not this market's any more */
    ck_assert_dec(upbit.book_at(market, 0)->inst.tick, "0.1");
}
END_TEST

START_TEST(the_tick_of_an_instrument_file_holds_at_any_price)
{
    char path[] = "/tmp/upbit_test_XXXXXX", error[256];
    static const char text[] = "{\"upbit\":{\"KRW-X\":{\"tick\":\"25\",\"taker_bps\":\"4\"}}}";
    struct instrument_file *file;
    int fd = mkstemp(path);
    ck_assert_int_eq((int)write(fd, text, sizeof text - 1), (int)sizeof text - 1);
    close(fd);
    ck_assert_int_eq(instrument_file_open(path, &file, error, sizeof error), OK);
    unlink(path);
    end();
    begin_with(file);
    ws(BOOK("KRW-X", "1", UNIT("151001", "150900", "1", "2")));
    ck_assert_dec(last_told.tick, "25");
    ck_assert_dec(last_told.taker_bps, "4");
    ck_assert_dec(last_told.maker_bps, "5");
    ck_assert_dec(last_told.min_notional, "5000");
    ws(BOOK("KRW-X", "2", UNIT("11", "10", "1", "2")));
    ck_assert_dec(upbit.book_at(market, 0)->inst.tick, "25");
    instrument_file_close(&file);
}
END_TEST

/* A frame of n units with sizes of 0.1 asked and 2E6 bid, and these totals. */
static int totalled(int n, const char *asks, const char *bids)
{
    char text[4096];
    static int time;
    int at = snprintf(text, sizeof text,
                      "{\"ty\":\"orderbook\",\"cd\":\"KRW-X\",\"tms\":%d,\"tas\":%s,\"tbs\":%s,\"obu\":[",
                      ++time, asks, bids);
    for (int i = 0; i < n; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "%s" UNIT("%d", "%d", "0.1", "2E6"), i ? "," : "",
                       200 + i, 199 - i);
    snprintf(text + at, sizeof text - (size_t)at, "]}");
    return ws(text);
}

START_TEST(totals_that_are_not_the_sums_of_a_whole_books_sizes_are_counted)
{
    static const struct {
        int n;
        const char *asks, *bids;
        bool right;
    } rows[] = {
        {15, "1.5", "30000000.0", true},
        {15, "1.50000001", "3E7", false},
        {15, "1.5", "29999999.9999999", false},
        {30, "3.0", "6E7", true},
        {30, "1.5", "6E7", false},
        {30, "3", "60000000.00000001", true},
        {30, "3", "60000000.00001", false},
        {5, "77", "88", true},
        {1, "0", "0", true},
        {15, "\"x\"", "3E7", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t wrong = upbit.counters(market)->totals_wrong;
        ck_assert_int_eq(totalled(1, "0", "0"), OK);
        ck_assert_int_eq(totalled(rows[i].n, rows[i].asks, rows[i].bids), OK);
        ck_assert_int_eq(state(0), BOOK_LIVE);
        ck_assert_uint_eq(l2_book_depth(upbit.book_at(market, 0)->book, SIDE_BUY), rows[i].n);
        ck_assert_uint_eq(upbit.counters(market)->totals_wrong - wrong, rows[i].right ? 0 : 1);
    }
}
END_TEST

START_TEST(urls_of_all_regions_are_known_and_no_others)
{
    ck_assert_ptr_eq(venue_of_url("wss://api.upbit.com/websocket/v1"), &upbit);
    ck_assert_ptr_eq(venue_of_url("wss://sg-api.upbit.com/websocket/v1"), &upbit);
    ck_assert_ptr_eq(venue_of_url("wss://id-api.upbit.com/websocket/v1"), &upbit);
    ck_assert_ptr_eq(venue_of_url("https://th-api.upbit.com/v1/orderbook?markets=X"), &upbit);
    ck_assert_ptr_eq(venue_named("upbit"), &upbit);
    ck_assert_ptr_null(venue_of_url("wss://api.upbit.com.evil.com/"));
    ck_assert_ptr_null(venue_of_url("wss://ws-api.bithumb.com/websocket/v1"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("upbit");
    TCase *tests = tcase_create("promises");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, the_first_frame_makes_the_book_live);
    tcase_add_test(tests, each_frame_replaces_the_book);
    tcase_add_test(tests, an_older_frame_is_ignored_and_an_equally_old_one_is_taken);
    tcase_add_test(tests, padding_of_a_thin_book_is_dropped);
    tcase_add_test(tests, the_default_format_has_full_names);
    tcase_add_test(tests, a_list_frame_holds_several_books_and_each_is_told_once);
    tcase_add_test(tests, a_malformed_frame_is_taken_as_a_whole_or_not_at_all);
    tcase_add_test(tests, a_frame_that_cannot_be_read_is_counted_and_changes_nothing);
    tcase_add_test(tests, status_errors_and_unknown_types_are_ignored);
    tcase_add_test(tests, a_crossed_frame_is_stale_until_the_next);
    tcase_add_test(tests, a_socket_that_is_opened_anew_loses_the_books_it_alone_fed);
    tcase_add_test(tests, trades_say_which_side_took);
    tcase_add_test(tests, a_count_of_units_is_no_part_of_the_name);
    tcase_add_test(tests, an_instrument_without_a_file_has_the_terms_of_its_quote_currency);
    tcase_add_test(tests, the_tick_follows_the_best_ask_through_the_bands);
    tcase_add_test(tests, a_side_that_is_empty_leaves_the_tick_to_the_other);
    tcase_add_test(tests,
                   a_price_that_the_table_does_not_allow_leaves_the_book_whole_and_its_last_digit_as_tick);
    tcase_add_test(tests, the_tick_of_an_instrument_file_holds_at_any_price);
    tcase_add_test(tests, totals_that_are_not_the_sums_of_a_whole_books_sizes_are_counted);
    tcase_add_test(tests, urls_of_all_regions_are_known_and_no_others);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
