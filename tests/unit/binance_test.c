/* What Binance's parser promises: a book joins its diffs exactly as the exchange's rules say, or it is STALE.
 */
#include "venues/binance/binance.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/status.h"
#include "venues/binance/pending.h"

static const struct venue_ops *ops;
static struct venue_market *market;
static struct bbo last_best;
static struct trade last_trade;
static int n_instruments, n_books, n_bests, n_trades;

static void on_instrument(void *ctx, const struct venue_book *book)
{
    (void)ctx, (void)book;
    n_instruments++;
}

static void on_book(void *ctx, const struct venue_book *book)
{
    (void)ctx, (void)book;
    n_books++;
}

static void on_best(void *ctx, const struct venue_book *book, const struct bbo *bbo)
{
    (void)ctx, (void)book;
    last_best = *bbo;
    n_bests++;
}

static void on_trade(void *ctx, const struct venue_book *book, const struct trade *trade)
{
    (void)ctx, (void)book;
    last_trade = *trade;
    n_trades++;
}

static void open_market(const struct venue_ops *which)
{
    struct market_sink sink = {
        .instrument = on_instrument, .book = on_book, .best = on_best, .trade = on_trade};
    ops = which;
    market = ops->open(NULL, &sink);
    n_instruments = n_books = n_bests = n_trades = 0;
}

static void begin_spot(void)
{
    open_market(&binance_spot);
}

static void begin_usdm(void)
{
    open_market(&binance_usdm);
}

static void end(void)
{
    ops->close(&market);
    ck_assert_ptr_null(market);
}

static int frame(enum frame_kind kind, uint32_t conn, const char *url, const char *text)
{
    struct frame f = {
        .kind = kind, .conn = conn, .url = url, .text = text, .len = strlen(text), .recv_ns = 7};
    return ops->on_frame(market, &f);
}

static int ws(const char *text)
{
    return frame(FRAME_WS, 1, "wss://stream.binance.com:9443/ws", text);
}

static int answer(const char *text)
{
    return frame(FRAME_HTTP, 0, "https://api.binance.com/api/v3/depth?symbol=ETHUSDT&limit=1000", text);
}

static int snapshot(unsigned last)
{
    char text[256];
    snprintf(text, sizeof text,
             "{\"lastUpdateId\":%u,\"bids\":[[\"100.00\",\"1.0\"],[\"99.00\",\"2.0\"]],"
             "\"asks\":[[\"101.00\",\"3.0\"],[\"102.00\",\"4.0\",[]]]}",
             last);
    return answer(text);
}

/* A diff of one bid level at 100: its quantity is the diff's last id, so that the best bid tells what was
 * applied. */
static int diff(unsigned first, unsigned last)
{
    char text[256];
    snprintf(text, sizeof text,
             "{\"e\":\"depthUpdate\",\"E\":1723161255208,\"s\":\"ETHUSDT\",\"U\":%u,\"u\":%u,"
             "\"b\":[[\"100.00\",\"%u\"]],\"a\":[]}",
             first, last, last);
    return ws(text);
}

static int chained(unsigned first, unsigned last, unsigned previous)
{
    char text[256];
    snprintf(text, sizeof text,
             "{\"stream\":\"ethusdt@depth@0ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":1723161256299,\"T\":"
             "1723161256298,"
             "\"s\":\"ETHUSDT\",\"U\":%u,\"u\":%u,\"pu\":%u,\"b\":[[\"100.00\",\"%u\"]],\"a\":[]}}",
             first, last, previous, last);
    return ws(text);
}

static const char *best(void)
{
    static char text[256];
    l2_book_best_text(ops->book_at(market, 0)->book, text, sizeof text);
    return text;
}

static void ck_assert_live(const char *text)
{
    ck_assert_int_eq(l2_book_state(ops->book_at(market, 0)->book), BOOK_LIVE);
    ck_assert_str_eq(best(), text);
}

static void ck_assert_stale(enum stale_reason reason)
{
    ck_assert_int_eq(l2_book_state(ops->book_at(market, 0)->book), BOOK_STALE);
    ck_assert_int_eq(l2_book_reason(ops->book_at(market, 0)->book), reason);
}

/* ---- spot ---------------------------------------------------------------------------------------------- */

START_TEST(without_a_snapshot_diffs_wait_and_nothing_is_told)
{
    ck_assert_int_eq(diff(5, 6), OK);
    ck_assert_stale(STALE_NO_SNAPSHOT);
    ck_assert_int_eq(n_books, 0);
    ck_assert_str_eq(best(), "- - - -");
}
END_TEST

START_TEST(a_first_diff_that_begins_right_behind_the_snapshot_joins)
{
    diff(9, 10);
    diff(11, 12);
    ck_assert_int_eq(snapshot(10), OK);
    ck_assert_live("100 12 101 3");
    ck_assert_int_eq(n_books, 1);
    ck_assert_uint_eq(ops->book_at(market, 0)->venue_seq, 12);
    ck_assert_int_eq(ops->book_at(market, 0)->venue_time, 1723161255208000000);
    ck_assert_int_eq(ops->book_at(market, 0)->recv_ns, 7);
    diff(13, 13);
    ck_assert_live("100 13 101 3");
    ck_assert_int_eq(n_books, 2);
}
END_TEST

START_TEST(a_first_diff_that_spans_the_snapshot_joins)
{
    diff(8, 12);
    snapshot(10);
    ck_assert_live("100 12 101 3");
}
END_TEST

START_TEST(diffs_the_snapshot_has_are_dropped)
{
    diff(8, 9);
    diff(10, 10);
    snapshot(10);
    ck_assert_live("100 1 101 3");
    ck_assert_uint_eq(ops->book_at(market, 0)->venue_seq, 10);
}
END_TEST

START_TEST(a_snapshot_may_come_before_any_diff)
{
    snapshot(10);
    ck_assert_live("100 1 101 3");
    diff(11, 11);
    ck_assert_live("100 11 101 3");
}
END_TEST

START_TEST(a_snapshot_older_than_the_first_diff_is_rejected_and_the_next_is_used)
{
    diff(12, 13);
    ck_assert_int_eq(snapshot(10), OK);
    ck_assert_stale(STALE_NO_SNAPSHOT);
    ck_assert_uint_eq(ops->counters(market)->snapshots_rejected, 1);
    ck_assert_ptr_nonnull(strstr(ops->counters(market)->last_error, "too old"));
    ck_assert_int_eq(n_books, 0);
    snapshot(11);
    ck_assert_live("100 13 101 3");
}
END_TEST

START_TEST(a_gap_makes_stale_at_once_and_its_diff_begins_the_next_wait)
{
    snapshot(10);
    diff(11, 11);
    ck_assert_int_eq(diff(13, 14), OK);
    ck_assert_stale(STALE_GAP);
    ck_assert_int_eq(n_books, 3);
    ck_assert_uint_eq(ops->counters(market)->gaps, 1);
    ck_assert_uint_eq(ops->book_at(market, 0)->gaps, 1);
    diff(15, 15);
    ck_assert_int_eq(n_books, 3);
    snapshot(12);
    ck_assert_live("100 15 101 3");
    ck_assert_uint_eq(ops->counters(market)->resyncs, 1);
}
END_TEST

START_TEST(old_and_repeated_diffs_are_ignored_and_overlapping_ones_applied)
{
    snapshot(10);
    diff(11, 13);
    int told = n_books;
    diff(11, 13);
    diff(12, 12);
    diff(5, 5);
    ck_assert_int_eq(n_books, told);
    ck_assert_live("100 13 101 3");
    diff(12, 15);
    ck_assert_live("100 15 101 3");
    ck_assert_uint_eq(ops->counters(market)->gaps, 0);
}
END_TEST

START_TEST(a_second_snapshot_is_not_used_while_synchronised)
{
    snapshot(10);
    diff(11, 11);
    snapshot(20);
    ck_assert_live("100 11 101 3");
    ck_assert_uint_eq(ops->book_at(market, 0)->venue_seq, 11);
}
END_TEST

START_TEST(a_gap_among_waiting_diffs_leaves_what_follows_it_waiting)
{
    diff(11, 11);
    diff(13, 13);
    diff(14, 14);
    snapshot(10);
    ck_assert_stale(STALE_GAP);
    snapshot(12);
    ck_assert_live("100 14 101 3");
}
END_TEST

START_TEST(a_malformed_level_spoils_the_whole_message_and_the_book)
{
    static const char *const bad[] = {
        "[[\"100\",\"1\"],[\"0\",\"1\"]]",
        "[[\"100\",\"1\"],[\"-5\",\"1\"]]",
        "[[\"100\",\"1\"],[\"5\",\"-1\"]]",
        "[[\"100\",\"1\"],[\"x\",\"1\"]]",
        "[[\"100\",\"1\"],[\"99999999999999999999\",\"1\"]]",
        "[[\"100\",\"1\"],[\"5\"]]",
        "[[\"100\",\"1\"],5]",
        "5",
        "null",
        "[[\"9000000000000000000\",\"1\"],[\"0.000000000000000001\",\"1\"]]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[512];
        end();
        begin_spot();
        snapshot(10);
        snprintf(text, sizeof text,
                 "{\"e\":\"depthUpdate\",\"s\":\"ETHUSDT\",\"U\":11,\"u\":11,\"b\":%s,\"a\":[]}", bad[i]);
        ck_assert_msg(ws(text) == E_SYNTAX, "taken: %s", bad[i]);
        ck_assert_stale(STALE_GAP);
        ck_assert_uint_eq(ops->counters(market)->malformed, 1);
        ck_assert_int_eq(n_books, 2);
        diff(12, 12);
        ck_assert_stale(STALE_GAP);
        snapshot(10); /* does not have what was lost */
        ck_assert_stale(STALE_GAP);
        snapshot(11);
        ck_assert_live("100 12 101 3");
    }
}
END_TEST

START_TEST(messages_that_cannot_be_read_are_counted_and_found_as_a_gap)
{
    snapshot(10);
    ck_assert_int_eq(ws("{\"e\":\"depthUpdate\",\"s\":\"ETHUS"), E_SYNTAX);
    ck_assert_int_eq(ws("{\"e\":\"depthUpdate\",\"U\":11,\"u\":11,\"b\":[],\"a\":[]}"), E_SYNTAX);
    ck_assert_int_eq(ws("{\"e\":\"depthUpdate\",\"s\":\"A B\",\"U\":11,\"u\":11,\"b\":[],\"a\":[]}"),
                     E_SYNTAX);
    ck_assert_live("100 1 101 3");
    ck_assert_uint_eq(ops->counters(market)->malformed, 3);
    diff(12, 12);
    ck_assert_stale(STALE_GAP);
}
END_TEST

START_TEST(a_book_that_is_crossed_after_a_message_waits_for_a_snapshot)
{
    snapshot(10);
    ws("{\"e\":\"depthUpdate\",\"s\":\"ETHUSDT\",\"U\":11,\"u\":11,\"b\":[[\"101.5\",\"1\"]],\"a\":[[\"101\","
       "\"0\"]]}");
    ck_assert_live("101.5 1 102 4"); /* crossed only in between */
    ws("{\"e\":\"depthUpdate\",\"s\":\"ETHUSDT\",\"U\":12,\"u\":12,\"b\":[[\"102\",\"1\"]],\"a\":[]}");
    ck_assert_stale(STALE_CROSSED);
    diff(13, 13);
    ck_assert_stale(STALE_CROSSED);
    ck_assert_uint_eq(ops->book_at(market, 0)->venue_seq, 13); /* it still follows the ids */
    snapshot(12);
    ck_assert_stale(STALE_CROSSED); /* older than what it has followed to */
    snapshot(13);
    ck_assert_live("100 1 101 3");
}
END_TEST

START_TEST(finer_values_widen_the_book_and_the_instrument_is_told_again)
{
    snapshot(10);
    ck_assert_int_eq(n_instruments, 1);
    ws("{\"e\":\"depthUpdate\",\"s\":\"ETHUSDT\",\"U\":11,\"u\":11,\"b\":[[\"100.000000000005\",\"2.75E-5\"]]"
       ",\"a\":[]}");
    ck_assert_live("100.000000000005 0.0000275 101 3");
    ck_assert_int_eq(n_instruments, 2);
    ck_assert_int_eq(ops->book_at(market, 0)->inst.price_exp, -12);
}
END_TEST

START_TEST(raw_and_combined_messages_are_the_same)
{
    snapshot(10);
    ws("{\"stream\":\"ethusdt@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"s\":\"ETHUSDT\",\"U\":11,\"u\":"
       "11,"
       "\"b\":[[\"100.5\",\"1\"]],\"a\":[]}}");
    ck_assert_live("100.5 1 101 3");
    ws("{\"a\":[],\"b\":[[\"100.6\",\"1\"]],\"u\":12,\"U\":12,\"s\":\"ETHUSDT\",\"E\":1723161255208123,\"e\":"
       "\"depthUpdate\"}");
    ck_assert_live("100.6 1 101 3");
    ck_assert_int_eq(ops->book_at(market, 0)->venue_time, 1723161255208123000); /* microseconds */
}
END_TEST

START_TEST(a_best_price_is_told_beside_the_book_and_old_ones_are_not)
{
    ck_assert_int_eq(ws("{\"u\":20,\"s\":\"ETHUSDT\",\"b\":\"61837.63000000\",\"B\":\"3.78826000\",\"a\":"
                        "\"61837.64\",\"A\":\"1\"}"),
                     OK);
    ck_assert_int_eq(n_bests, 1);
    ck_assert_uint_eq(last_best.venue_seq, 20);
    ck_assert_int_eq(last_best.bid, 6183763);
    ck_assert_int_eq(last_best.price_exp, -2);
    ck_assert_int_eq(last_best.bid_qty, 378826);
    ck_assert_int_eq(last_best.ask_qty, 100000);
    ck_assert_str_eq(last_best.symbol, "ETH-USDT");
    ck_assert_str_eq(last_best.venue, "binance");
    ck_assert_int_eq(last_best.recv_time, 7);
    ck_assert_int_eq(n_books, 0);
    ws("{\"u\":20,\"s\":\"ETHUSDT\",\"b\":\"1\",\"B\":\"1\",\"a\":\"2\",\"A\":\"1\"}");
    ws("{\"u\":19,\"s\":\"ETHUSDT\",\"b\":\"1\",\"B\":\"1\",\"a\":\"2\",\"A\":\"1\"}");
    ck_assert_int_eq(n_bests, 1);
    ck_assert_int_eq(ws("{\"u\":21,\"s\":\"ETHUSDT\",\"b\":\"-1\",\"B\":\"1\",\"a\":\"2\",\"A\":\"1\"}"),
                     E_SYNTAX);
    ck_assert_int_eq(ws("{\"u\":22,\"s\":\"ETHUSDT\",\"b\":\"0\",\"B\":\"0\",\"a\":\"2\",\"A\":\"1\"}"), OK);
    ck_assert_int_eq(last_best.bid_qty, 0);
}
END_TEST

START_TEST(trades_name_the_taker_and_are_not_told_twice)
{
    ws("{\"e\":\"aggTrade\",\"E\":1,\"s\":\"ETHUSDT\",\"a\":749094,\"p\":\"2.5\",\"q\":\"21.9\",\"T\":"
       "1618677373912,\"m\":false}");
    ck_assert_int_eq(n_trades, 1);
    ck_assert_int_eq(last_trade.aggressor, SIDE_BUY);
    ck_assert_str_eq(last_trade.trade_id, "749094");
    ck_assert_int_eq(last_trade.venue_time, 1618677373912000000);
    ws("{\"e\":\"trade\",\"E\":1,\"s\":\"ETHUSDT\",\"t\":9,\"p\":\"2.5\",\"q\":\"21.9\",\"T\":2,\"m\":true,"
       "\"M\":true}");
    ck_assert_int_eq(n_trades, 2);
    ck_assert_int_eq(last_trade.aggressor, SIDE_SELL);
    ws("{\"e\":\"aggTrade\",\"E\":1,\"s\":\"ETHUSDT\",\"a\":749095,\"p\":\"2.5\",\"q\":\"21.9\",\"T\":2,"
       "\"m\":false}");
    ck_assert_int_eq(n_trades, 2);
    ck_assert_int_eq(ws("{\"e\":\"trade\",\"s\":\"ETHUSDT\",\"t\":9,\"p\":\"2.5\"}"), E_SYNTAX);
}
END_TEST

START_TEST(what_is_not_asked_for_is_ignored)
{
    static const char *const other[] = {
        "{\"result\":null,\"id\":1}",
        "{\"code\":2,\"msg\":\"Invalid request\",\"id\":5}",
        "{\"error\":{\"code\":2,\"msg\":\"x\"}}",
        "{\"e\":\"kline\",\"s\":\"ETHUSDT\",\"k\":{\"t\":1}}",
        "{\"e\":\"serverShutdown\",\"E\":1770123456789}",
        "{\"stream\":\"!serverShutdown\",\"data\":{\"E\":1}}",
        "{\"lastUpdateId\":9,\"bids\":[],\"asks\":[]}",
        "[]",
        "5",
        "{\"stream\":\"x\",\"data\":[1]}",
        "{}",
        "{\"e\":\"x\",\"n\":255757528088140123123123123}",
    };
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        ck_assert_msg(ws(other[i]) == OK, "refused: %s", other[i]);
    ck_assert_uint_eq(ops->counters(market)->ignored, sizeof other / sizeof other[0]);
    ck_assert_int_eq(frame(FRAME_HTTP, 0, "https://api.binance.com/api/v3/time", "no json"), OK);
    ck_assert_int_eq(answer("{\"code\":-1121,\"msg\":\"Invalid symbol.\"}"), OK);
    ck_assert_uint_eq(ops->books(market), 0);
    ck_assert_int_eq(answer("{\"lastUpdateId\":5"), E_SYNTAX);
    ck_assert_int_eq(answer("{\"bids\":[],\"asks\":[]}"), E_SYNTAX);
    ck_assert_int_eq(answer("{\"lastUpdateId\":5,\"bids\":[]}"), E_SYNTAX);
}
END_TEST

START_TEST(a_socket_that_is_opened_anew_loses_the_books_it_alone_fed)
{
    snapshot(10);
    diff(11, 11);
    frame(FRAME_CONNECT, 0, "wss://stream.binance.com/ws", "");
    ck_assert_live("100 11 101 3"); /* another socket's affair */
    frame(FRAME_CONNECT, 1, "wss://stream.binance.com/ws", "");
    ck_assert_stale(STALE_DISCONNECT);
    diff(12, 12);
    ck_assert_stale(STALE_DISCONNECT);
    snapshot(11);
    ck_assert_live("100 12 101 3");
    frame(FRAME_WS, 2, "wss://stream.binance.com/ws",
          "{\"e\":\"depthUpdate\",\"s\":\"ETHUSDT\",\"U\":12,\"u\":12,\"b\":[],\"a\":[]}");
    frame(FRAME_CLOSE, 1, "wss://stream.binance.com/ws", "");
    ck_assert_live("100 12 101 3"); /* fed twice: one of two is enough */
    frame(FRAME_CLOSE, 2, "wss://stream.binance.com/ws", "");
    ck_assert_stale(STALE_DISCONNECT);
}
END_TEST

START_TEST(diffs_that_waited_for_a_lost_socket_are_forgotten)
{
    diff(11, 11);
    frame(FRAME_CONNECT, 1, "wss://stream.binance.com/ws", "");
    diff(13, 13);
    snapshot(12); /* which 11 would not join */
    ck_assert_live("100 13 101 3");
}
END_TEST

START_TEST(a_snapshot_that_is_answered_when_the_connection_is_gone_makes_no_book_live)
{
    snapshot(10);
    diff(11, 11);
    frame(FRAME_CLOSE, 1, "wss://stream.binance.com/ws", "");
    snapshot(11);
    ck_assert_stale(STALE_DISCONNECT);
    frame(FRAME_CONNECT, 1, "wss://stream.binance.com/ws", "");
    snapshot(12);
    ck_assert_stale(STALE_DISCONNECT);
    ck_assert_uint_eq(ops->counters(market)->snapshots_rejected, 2);
    diff(14, 14);
    snapshot(12);
    ck_assert_stale(STALE_DISCONNECT);
    snapshot(13);
    ck_assert_live("100 14 101 3");
}
END_TEST

START_TEST(a_connection_that_is_lost_while_the_one_beside_it_is_ahead_leaves_a_gap_at_once)
{
    snapshot(10);
    diff(11, 11);
    frame(FRAME_WS, 2, "wss://stream.binance.com/ws",
          "{\"e\":\"depthUpdate\",\"s\":\"ETHUSDT\",\"U\":13,\"u\":13,\"b\":[],\"a\":[]}");
    ck_assert_live("100 11 101 3");
    frame(FRAME_CLOSE, 1, "wss://stream.binance.com/ws", "");
    ck_assert_stale(STALE_GAP); /* 12 came on neither */
    snapshot(12);               /* and 13 has waited for it */
    ck_assert_int_eq(l2_book_state(ops->book_at(market, 0)->book), BOOK_LIVE);
    ck_assert_uint_eq(ops->book_at(market, 0)->venue_seq, 13);
}
END_TEST

START_TEST(the_wait_is_bounded_and_an_old_snapshot_cannot_join_what_is_left)
{
    for (unsigned i = 1; i <= PENDING_DIFFS_MAX + 10; i++)
        diff(i, i);
    ck_assert_stale(STALE_OVERFLOW);
    ck_assert_uint_eq(ops->counters(market)->overflows, 10);
    ck_assert_int_eq(n_books, 1);
    snapshot(9);
    ck_assert_stale(STALE_OVERFLOW);
    ck_assert_uint_eq(ops->counters(market)->snapshots_rejected, 1);
    snapshot(10);
    char text[64];
    snprintf(text, sizeof text, "100 %d 101 3", PENDING_DIFFS_MAX + 10);
    ck_assert_live(text);
}
END_TEST

START_TEST(a_snapshot_is_known_by_its_url_in_any_case)
{
    frame(FRAME_HTTP, 0, "https://www.binance.com/api/v1/depth?limit=5000&symbol=ethusdt",
          "{\"lastUpdateId\":1,\"bids\":[[\"1\",\"1\"]],\"asks\":[]}");
    ck_assert_str_eq(ops->book_at(market, 0)->inst.venue_symbol, "ETHUSDT");
    ck_assert_live("1 1 - -");
    frame(FRAME_HTTP, 0, "https://api.binance.com/api/v3/depth?symbol=%E5%B8%81USDT",
          "{\"lastUpdateId\":1,\"bids\":[],\"asks\":[]}");
    ws("{\"e\":\"depthUpdate\",\"s\":\"\\u5e01USDT\",\"U\":2,\"u\":2,\"b\":[[\"3\",\"1\"]],\"a\":[]}");
    ck_assert_uint_eq(ops->books(market), 2);
    ck_assert_uint_eq(ops->book_at(market, 1)->venue_seq, 2);
}
END_TEST

/* ---- futures ------------------------------------------------------------------------------------------- */

START_TEST(a_first_futures_diff_spans_the_snapshot)
{
    chained(80, 90, 75);
    chained(95, 105, 90);
    chained(120, 130, 105);
    snapshot(100);
    ck_assert_live("100 130 101 3");
    ck_assert_str_eq(ops->book_at(market, 0)->inst.symbol, "ETH-USDT-PERP");
    ck_assert_int_eq(ops->book_at(market, 0)->inst.kind, KIND_LINEAR);
}
END_TEST

START_TEST(a_first_futures_diff_may_end_at_the_snapshot_or_follow_it_directly)
{
    chained(95, 100, 90);
    snapshot(100);
    ck_assert_live("100 100 101 3");
    end();
    begin_usdm();
    chained(101, 110, 100);
    snapshot(100);
    ck_assert_live("100 110 101 3");
}
END_TEST

START_TEST(a_futures_snapshot_before_the_first_diff_is_rejected)
{
    chained(101, 110, 95);
    snapshot(94);
    ck_assert_stale(STALE_NO_SNAPSHOT);
    snapshot(99); /* the diff does not span it */
    ck_assert_stale(STALE_NO_SNAPSHOT);
    ck_assert_uint_eq(ops->counters(market)->snapshots_rejected, 2);
    snapshot(105);
    ck_assert_live("100 110 101 3");
}
END_TEST

START_TEST(futures_diffs_chain_by_pu_and_never_by_number)
{
    snapshot(100);
    chained(95, 105, 90);
    chained(200, 210, 105);
    ck_assert_live("100 210 101 3");
    chained(200, 210, 105);
    chained(95, 105, 90);
    ck_assert_live("100 210 101 3");
    chained(211, 220, 209); /* its number follows, but something is missing */
    ck_assert_stale(STALE_GAP);
    ck_assert_uint_eq(ops->counters(market)->gaps, 1);
    snapshot(215);
    ck_assert_live("100 220 101 3");
}
END_TEST

START_TEST(a_futures_diff_behind_a_snapshot_that_does_not_span_it_is_a_gap)
{
    snapshot(100);
    ck_assert_live("100 1 101 3");
    chained(150, 160, 140);
    ck_assert_stale(STALE_GAP);
}
END_TEST

START_TEST(a_futures_diff_without_pu_is_malformed)
{
    snapshot(100);
    ck_assert_int_eq(diff(95, 105), E_SYNTAX);
    ck_assert_stale(STALE_GAP);
}
END_TEST

START_TEST(trades_that_are_no_market_trades_are_not_told)
{
    ws("{\"e\":\"trade\",\"E\":1,\"T\":1,\"s\":\"ETHUSDT\",\"t\":9,\"p\":\"2.5\",\"q\":\"1\",\"X\":"
       "\"INSURANCE_FUND\",\"m\":true}");
    ck_assert_int_eq(n_trades, 0);
    ws("{\"e\":\"trade\",\"E\":1,\"T\":1,\"s\":\"ETHUSDT\",\"t\":9,\"p\":\"2.5\",\"q\":\"1\",\"X\":"
       "\"MARKET\",\"m\":true}");
    ck_assert_int_eq(n_trades, 1);
    ws("{\"e\":\"bookTicker\",\"u\":9,\"s\":\"ETHUSDT\",\"b\":\"1\",\"B\":\"2\",\"a\":\"3\",\"A\":\"4\","
       "\"T\":5,\"E\":1723161256313}");
    ck_assert_int_eq(last_best.venue_time, 1723161256313000000);
}
END_TEST

/* ---- urls and names ------------------------------------------------------------------------------------ */

START_TEST(urls_tell_the_market)
{
    static const struct {
        const char *url;
        const struct venue_ops *ops;
    } rows[] = {
        {"wss://stream.binance.com:9443/stream?streams=btcusdt@trade", &binance_spot},
        {"wss://stream.binance.com/ws/btcusdt@depth", &binance_spot},
        {"wss://data-stream.binance.vision/ws", &binance_spot},
        {"wss://stream.testnet.binance.vision/ws", &binance_spot},
        {"https://api.binance.com/api/v3/depth?symbol=X", &binance_spot},
        {"https://api3.binance.com/api/v3/depth?symbol=X", &binance_spot},
        {"https://api-gcp.binance.com/api/v3/depth", &binance_spot},
        {"https://data-api.binance.vision/api/v3/depth", &binance_spot},
        {"https://www.binance.com/api/v1/depth?symbol=X", &binance_spot},
        {"wss://stream.binance.us:9443/ws", &binance_us},
        {"https://api.binance.us/api/v3/depth", &binance_us},
        {"wss://fstream.binance.com/stream?streams=x", &binance_usdm},
        {"wss://fstream.binance.com/public/stream?streams=x", &binance_usdm},
        {"wss://fstream.binance.com/market/ws", &binance_usdm},
        {"https://fapi.binance.com/fapi/v1/depth", &binance_usdm},
        {"https://www.binance.com/fapi/v1/depth", &binance_usdm},
        {"wss://stream.binancefuture.com/ws", &binance_usdm},
        {"wss://dstream.binance.com/ws", &binance_coinm},
        {"https://dapi.binance.com/dapi/v1/depth", &binance_coinm},
        {"https://testnet.binancefuture.com/dapi/v1/depth", &binance_coinm},
        {"wss://ws-api.binance.com:443/ws-api/v3", NULL},
        {"wss://stream.binance.com.evil.com/ws", NULL},
        {"wss://evilbinance.com/api/", NULL},
        {"wss://api.huobi.pro/ws", NULL},
        {"stream.binance.com", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_msg(venue_of_url(rows[i].url) == rows[i].ops, "%s", rows[i].url);
    ck_assert_ptr_eq(venue_named("binance-us"), &binance_us);
    ck_assert_ptr_null(venue_named("binanc"));
}
END_TEST

START_TEST(venue_symbols_get_internal_names)
{
    static const struct {
        const struct venue_ops *ops;
        const char *name, *symbol;
    } rows[] = {
        {&binance_spot, "BTCFDUSD", "BTC-FDUSD"},
        {&binance_us, "BTCUSD", "BTC-USD"},
        {&binance_us, "BNBUSD", "BNB-USD"},
        {&binance_us, "DOTUSD", "DOT-USD"},
        {&binance_us, "BNBBUSD", "BNB-BUSD"},
        {&binance_us, "USDTUSD", "USDT-USD"},
        {&binance_usdm, "1000PEPEUSDT", "1000PEPE-USDT-PERP"},
        {&binance_usdm, "BTCUSDT_240927", ""},
        {&binance_coinm, "BTCUSD_PERP", "BTC-USD-PERP"},
        {&binance_coinm, "BNBUSD_PERP", "BNB-USD-PERP"},
        {&binance_coinm, "BTCUSD_210924", ""},
        {&binance_spot, "ABCXYZ", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[128];
        end();
        open_market(rows[i].ops);
        snprintf(
            text, sizeof text,
            "{\"e\":\"bookTicker\",\"u\":9,\"s\":\"%s\",\"b\":\"1\",\"B\":\"2\",\"a\":\"3\",\"A\":\"4\"}",
            rows[i].name);
        ck_assert_int_eq(ws(text), OK);
        ck_assert_str_eq(ops->book_at(market, 0)->inst.symbol, rows[i].symbol);
        ck_assert_str_eq(ops->book_at(market, 0)->inst.venue_symbol, rows[i].name);
        ck_assert_str_eq(ops->book_at(market, 0)->inst.venue, rows[i].ops->name);
    }
}
END_TEST

START_TEST(an_instrument_without_a_file_has_the_standard_fees_of_its_market)
{
    static const struct {
        const struct venue_ops *ops;
        int64_t taker_bps, maker_bps;
    } rows[] = {
        {&binance_spot, 10, 10}, {&binance_us, 60, 40}, {&binance_usdm, 5, 2}, {&binance_coinm, 5, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        end();
        open_market(rows[i].ops);
        ws("{\"e\":\"bookTicker\",\"u\":9,\"s\":\"BTCUSDT\",\"b\":\"1\",\"B\":\"2\",\"a\":\"3\",\"A\":"
           "\"4\"}");
        const struct inst *inst = &ops->book_at(market, 0)->inst;
        ck_assert_int_eq(dec_cmp(inst->taker_bps, (struct dec){rows[i].taker_bps, 0}), 0);
        ck_assert_int_eq(dec_cmp(inst->maker_bps, (struct dec){rows[i].maker_bps, 0}), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("binance");
    TCase *spot = tcase_create("spot"), *usdm = tcase_create("futures");
    tcase_add_checked_fixture(spot, begin_spot, end);
    tcase_add_test(spot, without_a_snapshot_diffs_wait_and_nothing_is_told);
    tcase_add_test(spot, a_first_diff_that_begins_right_behind_the_snapshot_joins);
    tcase_add_test(spot, a_first_diff_that_spans_the_snapshot_joins);
    tcase_add_test(spot, diffs_the_snapshot_has_are_dropped);
    tcase_add_test(spot, a_snapshot_may_come_before_any_diff);
    tcase_add_test(spot, a_snapshot_older_than_the_first_diff_is_rejected_and_the_next_is_used);
    tcase_add_test(spot, a_gap_makes_stale_at_once_and_its_diff_begins_the_next_wait);
    tcase_add_test(spot, old_and_repeated_diffs_are_ignored_and_overlapping_ones_applied);
    tcase_add_test(spot, a_second_snapshot_is_not_used_while_synchronised);
    tcase_add_test(spot, a_gap_among_waiting_diffs_leaves_what_follows_it_waiting);
    tcase_add_test(spot, a_malformed_level_spoils_the_whole_message_and_the_book);
    tcase_add_test(spot, messages_that_cannot_be_read_are_counted_and_found_as_a_gap);
    tcase_add_test(spot, a_book_that_is_crossed_after_a_message_waits_for_a_snapshot);
    tcase_add_test(spot, finer_values_widen_the_book_and_the_instrument_is_told_again);
    tcase_add_test(spot, raw_and_combined_messages_are_the_same);
    tcase_add_test(spot, a_best_price_is_told_beside_the_book_and_old_ones_are_not);
    tcase_add_test(spot, trades_name_the_taker_and_are_not_told_twice);
    tcase_add_test(spot, what_is_not_asked_for_is_ignored);
    tcase_add_test(spot, a_socket_that_is_opened_anew_loses_the_books_it_alone_fed);
    tcase_add_test(spot, diffs_that_waited_for_a_lost_socket_are_forgotten);
    tcase_add_test(spot, a_snapshot_that_is_answered_when_the_connection_is_gone_makes_no_book_live);
    tcase_add_test(spot, a_connection_that_is_lost_while_the_one_beside_it_is_ahead_leaves_a_gap_at_once);
    tcase_add_test(spot, the_wait_is_bounded_and_an_old_snapshot_cannot_join_what_is_left);
    tcase_add_test(spot, a_snapshot_is_known_by_its_url_in_any_case);
    tcase_add_test(spot, urls_tell_the_market);
    tcase_add_test(spot, venue_symbols_get_internal_names);
    tcase_add_test(spot, an_instrument_without_a_file_has_the_standard_fees_of_its_market);
    tcase_add_checked_fixture(usdm, begin_usdm, end);
    tcase_add_test(usdm, a_first_futures_diff_spans_the_snapshot);
    tcase_add_test(usdm, a_first_futures_diff_may_end_at_the_snapshot_or_follow_it_directly);
    tcase_add_test(usdm, a_futures_snapshot_before_the_first_diff_is_rejected);
    tcase_add_test(usdm, futures_diffs_chain_by_pu_and_never_by_number);
    tcase_add_test(usdm, a_futures_diff_behind_a_snapshot_that_does_not_span_it_is_a_gap);
    tcase_add_test(usdm, a_futures_diff_without_pu_is_malformed);
    tcase_add_test(usdm, trades_that_are_no_market_trades_are_not_told);
    suite_add_tcase(suite, spot);
    suite_add_tcase(suite, usdm);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
