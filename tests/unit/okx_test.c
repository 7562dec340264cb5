/* What OKX's parser promises: a book is what the venue has, by its sequence and its checksum, or it is STALE.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "lib/base/status.h"
#include "venues/okx/okx.h"

static struct venue_market *market;
static struct trade last_trade;
static struct inst last_told;
static enum notice last_notice;
static char last_detail[256];
static uint32_t notice_conn;
static int n_instruments, n_books, n_trades, n_notices;

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

static void on_notice(void *ctx, uint32_t conn, enum notice notice, const char *detail)
{
    (void)ctx;
    notice_conn = conn;
    last_notice = notice;
    snprintf(last_detail, sizeof last_detail, "%s", detail);
    n_notices++;
}

static void begin(void)
{
    struct market_sink sink = {
        .instrument = on_instrument, .book = on_book, .trade = on_trade, .notice = on_notice};
    market = okx.open(NULL, &sink);
    n_instruments = n_books = n_trades = n_notices = 0;
}

static void end(void)
{
    okx.close(&market);
    ck_assert_ptr_null(market);
}

static int frame(enum frame_kind kind, uint32_t conn, const char *url, const char *text)
{
    struct frame f = {
        .kind = kind, .conn = conn, .url = url, .text = text, .len = strlen(text), .recv_ns = 5};
    return okx.on_frame(market, &f);
}

static int on(uint32_t conn, const char *text)
{
    return frame(FRAME_WS, conn, "wss://ws.okx.com:8443/ws/v5/public", text);
}

static int ws(const char *text)
{
    return on(0, text);
}

static const char *best(uint32_t index)
{
    static char text[256];
    l2_book_best_text(okx.book_at(market, index)->book, text, sizeof text);
    return text;
}

/* "live", or why it is not. */
static const char *state(uint32_t index)
{
    const struct l2_book *book = okx.book_at(market, index)->book;
    return l2_book_state(book) == BOOK_LIVE ? "live" : stale_reason_text(l2_book_reason(book));
}

#define BOOK(action, symbol, bids, asks, rest)                                                               \
    "{\"arg\":{\"channel\":\"books\",\"instId\":\"" symbol "\"},\"action\":\"" action                        \
    "\",\"data\":[{\"asks\":[" asks "],\"bids\":[" bids "],\"ts\":\"1652459225464\"" rest "}]}"
#define SNAPSHOT(bids, asks, rest) BOOK("snapshot", "BTC-USDT", bids, asks, rest)
#define UPDATE(bids, asks, rest)   BOOK("update", "BTC-USDT", bids, asks, rest)
#define L(price, size)             "[\"" price "\",\"" size "\",\"0\",\"1\"]"
#define SEQ(previous, own)         ",\"prevSeqId\":" previous ",\"seqId\":" own

/* A message with the checksum of a text. */
static int summed(const char *action, const char *bids, const char *asks, const char *text)
{
    char message[8192];
    snprintf(
        message, sizeof message,
        "{\"arg\":{\"channel\":\"books\",\"instId\":\"BTC-USDT\"},\"action\":\"%s\",\"data\":[{\"asks\":[%s],"
        "\"bids\":[%s],\"ts\":\"1\",\"checksum\":%d}]}",
        action, asks, bids, (int32_t)crc32(0, (const unsigned char *)text, (unsigned)strlen(text)));
    return ws(message);
}

START_TEST(a_snapshot_makes_the_book_live_and_updates_change_it)
{
    ck_assert_int_eq(ws(SNAPSHOT(L("3366.1", "7") "," L("3366", "6"), L("3366.8", "9"), SEQ("-1", "10"))),
                     OK);
    ck_assert_str_eq(state(0), "live");
    ck_assert_str_eq(best(0), "3366.1 7 3366.8 9");
    ck_assert_int_eq(ws(UPDATE(L("3366.1", "0"), L("3366.7", "1.5"), SEQ("10", "15"))), OK);
    ck_assert_str_eq(best(0), "3366 6 3366.7 1.5");
    const struct venue_book *book = okx.book_at(market, 0);
    ck_assert_uint_eq(book->venue_seq, 15);
    ck_assert_int_eq(book->venue_time, INT64_C(1652459225464000000));
    ck_assert_int_eq(book->recv_ns, 5);
    ck_assert_str_eq(book->inst.symbol, "BTC-USDT");
    ck_assert_int_eq(n_books, 2);
    ck_assert_uint_eq(okx.wants(market, 0), WANTS_NOTHING);
}
END_TEST

START_TEST(the_venues_own_example_of_a_checksum_holds)
{
    ck_assert_int_eq(ws(SNAPSHOT(L("3366.1", "7") "," L("3366", "6"), L("3366.8", "9") "," L("3368", "8"),
                                 ",\"checksum\":-1881014294")),
                     OK);
    ck_assert_str_eq(state(0), "live");
}
END_TEST

START_TEST(a_checksum_that_does_not_hold_makes_the_book_stale_until_a_snapshot)
{
    summed("snapshot", L("2", "1"), L("3", "1"), "2:1:3:1");
    ck_assert_int_eq(summed("update", L("2", "4"), "", "2:5:3:1"), OK);
    ck_assert_str_eq(state(0), "checksum");
    ck_assert_uint_eq(okx.wants(market, 0), WANTS_SUBSCRIPTION);
    ck_assert_uint_eq(okx.counters(market)->checksums, 1);
    ck_assert_uint_eq(okx.book_at(market, 0)->checksums, 1);
    summed("update", L("2", "5"), "", "2:5:3:1");
    ck_assert_str_eq(state(0), "checksum");
    summed("snapshot", L("2", "5"), L("3", "1"), "2:5:3:1");
    ck_assert_str_eq(state(0), "live");
    ck_assert_uint_eq(okx.book_at(market, 0)->resyncs, 1);
}
END_TEST

START_TEST(a_checksum_is_of_the_digits_as_they_came_and_not_of_the_values)
{
    summed("snapshot", L("2.50", "1.000") "," L("1", "1e2"), L("3", "0.10"), "2.50:1.000:3:0.10:1:1e2");
    ck_assert_str_eq(state(0), "live");
    summed("update", L("2.5", "1.000"), L("4.0", "2"), "2.5:1.000:3:0.10:1:1e2:4.0:2");
    ck_assert_str_eq(state(0), "live");
    summed("update", L("2.5", "0"), L("3.0", "0.1"), "1:1e2:3.0:0.1:4.0:2");
    ck_assert_str_eq(state(0), "live");
    summed("update", L("2.5", "1"), L("4.00", "0"), "2.5:1:3.0:0.1:1:1e2");
    ck_assert_str_eq(state(0), "live");
    summed("update", L("2.5", "1.0"), "", "2.5:1:3.0:0.1:1:1e2");
    ck_assert_str_eq(state(0), "checksum");
}
END_TEST

START_TEST(a_finer_price_widens_the_book_and_the_checksum_still_holds)
{
    summed("snapshot", L("20", "1"), L("30", "1"), "20:1:30:1");
    summed("update", L("20.123456", "0.00000001"), "", "20.123456:0.00000001:30:1:20:1");
    ck_assert_str_eq(state(0), "live");
}
END_TEST

START_TEST(levels_behind_the_25th_come_into_the_checksum_when_they_rise)
{
    char bids[4096] = "", text[4096] = "", level[64];
    for (int i = 0; i < 30; i++) {
        snprintf(level, sizeof level, "%s[\"%d\",\"%d.5\",\"0\",\"1\"]", i ? "," : "", 100 - i, i + 1);
        strcat(bids, level);
        snprintf(level, sizeof level, "%s%d:%d.5", i ? ":" : "", 100 - i, i + 1);
        if (i < 25)
            strcat(text, level);
    }
    summed("snapshot", bids, "", text);
    ck_assert_str_eq(state(0), "live");
    char *second = strchr(strchr(text, ':') + 1, ':') + 1;
    strcat(text, ":75:26.5");
    summed("update", L("100", "0"), "", second);
    ck_assert_str_eq(state(0), "live");
}
END_TEST

START_TEST(a_checksum_of_0_or_none_is_not_looked_at)
{
    ws(SNAPSHOT(L("2", "1"), L("3", "1"), ",\"checksum\":0" SEQ("-1", "1")));
    ck_assert_str_eq(state(0), "live");
    ws(UPDATE(L("2", "2"), "", SEQ("1", "2")));
    ck_assert_str_eq(state(0), "live");
}
END_TEST

START_TEST(an_update_that_does_not_follow_the_last_is_a_gap)
{
    ws(SNAPSHOT(L("2", "1"), L("3", "1"), SEQ("-1", "10")));
    ck_assert_int_eq(ws(UPDATE(L("2", "9"), "", SEQ("11", "12"))), OK);
    ck_assert_str_eq(state(0), "gap");
    ck_assert_uint_eq(okx.counters(market)->gaps, 1);
    ck_assert_uint_eq(okx.wants(market, 0), WANTS_SUBSCRIPTION);
    ck_assert_str_eq(best(0), "2 1 3 1");
    ws(UPDATE(L("2", "9"), "", SEQ("10", "11")));
    ck_assert_str_eq(state(0), "gap");
    ws(SNAPSHOT(L("2", "3"), L("3", "1"), SEQ("-1", "20")));
    ck_assert_str_eq(state(0), "live");
}
END_TEST

START_TEST(an_update_without_its_number_is_a_gap_where_the_book_has_one)
{
    ws(SNAPSHOT(L("2", "1"), L("3", "1"), SEQ("-1", "10")));
    ws(UPDATE(L("2", "9"), "", ""));
    ck_assert_str_eq(state(0), "gap");
}
END_TEST

START_TEST(a_message_that_changes_nothing_keeps_the_sequence)
{
    ws(SNAPSHOT(L("2", "1"), L("3", "1"), SEQ("-1", "10")));
    ws(UPDATE("", "", SEQ("10", "10")));
    ws(UPDATE(L("2", "2"), "", SEQ("10", "12")));
    ck_assert_str_eq(state(0), "live");
    ck_assert_str_eq(best(0), "2 2 3 1");
}
END_TEST

START_TEST(a_sequence_that_begins_anew_is_followed)
{
    ws(SNAPSHOT(L("2", "1"), L("3", "1"), SEQ("-1", "1000")));
    ws(UPDATE(L("2", "2"), "", SEQ("1000", "3")));
    ws(UPDATE(L("2", "4"), "", SEQ("3", "5")));
    ck_assert_str_eq(state(0), "live");
    ck_assert_uint_eq(okx.book_at(market, 0)->venue_seq, 5);
}
END_TEST

START_TEST(a_snapshot_replaces_a_live_book)
{
    ws(SNAPSHOT(L("2", "1") "," L("1", "1"), L("3", "1"), SEQ("-1", "10")));
    ws(SNAPSHOT(L("5", "1"), L("6", "1"), SEQ("-1", "20")));
    ck_assert_str_eq(best(0), "5 1 6 1");
    ck_assert_uint_eq(l2_book_depth(okx.book_at(market, 0)->book, SIDE_BUY), 1);
    ck_assert_uint_eq(okx.book_at(market, 0)->resyncs, 0);
}
END_TEST

START_TEST(updates_before_a_snapshot_are_ignored)
{
    ws(UPDATE(L("2", "1"), L("3", "1"), SEQ("9", "10")));
    ck_assert_str_eq(state(0), "no-snapshot");
    ck_assert_int_eq(n_books, 0);
    ck_assert_uint_eq(okx.counters(market)->ignored, 1);
}
END_TEST

START_TEST(a_crossed_book_follows_the_venue_but_is_stale_until_a_snapshot)
{
    ws(SNAPSHOT(L("2", "1"), L("3", "1"), SEQ("-1", "10")));
    ws(UPDATE(L("3", "1"), "", SEQ("10", "11")));
    ck_assert_str_eq(state(0), "crossed");
    ws(UPDATE(L("3", "0"), "", SEQ("11", "12")));
    ck_assert_str_eq(state(0), "crossed");
    ck_assert_str_eq(best(0), "2 1 3 1");
    ck_assert_uint_eq(okx.wants(market, 0), WANTS_SUBSCRIPTION);
    ws(SNAPSHOT(L("2", "1"), L("3", "1"), SEQ("-1", "13")));
    ck_assert_str_eq(state(0), "live");
}
END_TEST

START_TEST(a_book_follows_the_connection_whose_snapshot_came_last)
{
    on(1, SNAPSHOT(L("2", "1"), L("3", "1"), SEQ("-1", "10")));
    on(2, SNAPSHOT(L("2", "2"), L("3", "1"), SEQ("-1", "12")));
    ck_assert_uint_eq(okx.book_at(market, 0)->feeds, 6);
    on(1, UPDATE(L("2", "2"), "", SEQ("10", "12")));
    ck_assert_str_eq(state(0), "live");
    ck_assert_uint_eq(okx.counters(market)->ignored, 1);
    frame(FRAME_CLOSE, 1, "wss://ws.okx.com:8443/ws/v5/public", "");
    ck_assert_str_eq(state(0), "live");
    ck_assert_uint_eq(okx.book_at(market, 0)->feeds, 4);
    frame(FRAME_CLOSE, 2, "wss://ws.okx.com:8443/ws/v5/public", "");
    ck_assert_str_eq(state(0), "disconnect");
    ck_assert_uint_eq(okx.book_at(market, 0)->feeds, 0);
}
END_TEST

START_TEST(a_socket_that_is_opened_anew_loses_its_books)
{
    on(1, SNAPSHOT(L("2", "1"), L("3", "1"), SEQ("-1", "10")));
    frame(FRAME_CONNECT, 1, "wss://ws.okx.com:8443/ws/v5/public", "");
    ck_assert_str_eq(state(0), "disconnect");
    ck_assert_int_eq(n_books, 2);
}
END_TEST

START_TEST(an_unsubscription_ends_the_book)
{
    ws(SNAPSHOT(L("2", "1"), L("3", "1"), SEQ("-1", "10")));
    ws("{\"event\":\"unsubscribe\",\"arg\":{\"channel\":\"trades\",\"instId\":\"BTC-USDT\"}}");
    ck_assert_str_eq(state(0), "live");
    ck_assert_uint_eq(okx.book_at(market, 0)->feeds, 1);
    ws("{\"event\":\"unsubscribe\",\"arg\":{\"channel\":\"books\",\"instId\":\"BTC-USDT\"}}");
    ck_assert_str_eq(state(0), "disconnect");
    ck_assert_uint_eq(okx.book_at(market, 0)->feeds, 0);
}
END_TEST

START_TEST(a_message_with_an_impossible_level_makes_its_book_stale)
{
    static const char *const wrong[] = {
        UPDATE(L("0", "1"), "", SEQ("10", "11")),    UPDATE(L("2", "-1"), "", SEQ("10", "11")),
        UPDATE("[\"2\"]", "", SEQ("10", "11")),      UPDATE("7", "", SEQ("10", "11")),
        UPDATE(L("2", "x"), "", SEQ("10", "11")),    UPDATE("", "", ",\"seqId\":\"y\",\"prevSeqId\":10"),
        UPDATE(L("1e-99", "1"), "", SEQ("10", "11"))};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ws(SNAPSHOT(L("2", "1"), L("3", "1"), SEQ("-1", "10")));
        ck_assert_str_eq(state(0), "live");
        ck_assert_int_eq(ws(wrong[i]), E_SYNTAX);
        ck_assert_str_eq(state(0), "gap");
    }
    ck_assert_uint_eq(okx.counters(market)->malformed, 7);
}
END_TEST

START_TEST(a_frame_that_is_not_json_spoils_the_books_that_have_no_sequence)
{
    on(1, SNAPSHOT(L("2", "1"), L("3", "1"), SEQ("-1", "10")));
    on(1, BOOK("snapshot", "ETH-USDT", L("2", "1"), L("3", "1"), ""));
    on(2, BOOK("snapshot", "XRP-USDT", L("2", "1"), L("3", "1"), ""));
    ck_assert_int_eq(on(1, "{\"arg\":{\"chan"), E_SYNTAX);
    ck_assert_str_eq(state(0), "live");
    ck_assert_str_eq(state(1), "gap");
    ck_assert_str_eq(state(2), "live");
}
END_TEST

START_TEST(several_books_data_in_one_message_are_told_once)
{
    ws("{\"arg\":{\"channel\":\"books\",\"instId\":\"BTC-USDT\"},\"action\":\"snapshot\",\"data\":["
       "{\"asks\":[[\"3\",\"1\"]],\"bids\":[],\"seqId\":1,\"prevSeqId\":-1},"
       "{\"asks\":[[\"4\",\"1\"]],\"bids\":[],\"seqId\":2,\"prevSeqId\":-1}]}");
    ck_assert_str_eq(best(0), "- - 4 1");
    ck_assert_int_eq(n_books, 1);
}
END_TEST

START_TEST(trades_say_which_side_took)
{
    ck_assert_int_eq(
        ws("{\"arg\":{\"channel\":\"trades\",\"instId\":\"BTC-USDT\"},\"data\":[{\"instId\":\"BTC-USDT\","
           "\"tradeId\":\"7849\",\"px\":\"30218.8\",\"sz\":\"0.25\",\"side\":\"sell\",\"ts\":"
           "\"1652459199958\","
           "\"unknown\":255757528088140255757528088140}]}"),
        OK);
    ck_assert_int_eq(n_trades, 1);
    ck_assert_int_eq(last_trade.aggressor, SIDE_SELL);
    ck_assert_int_eq(last_trade.price, 302188);
    ck_assert_int_eq(last_trade.price_exp, -1);
    ck_assert_str_eq(last_trade.trade_id, "7849");
    ck_assert_int_eq(last_trade.venue_time, INT64_C(1652459199958000000));
    ck_assert_int_eq(ws("{\"arg\":{\"channel\":\"trades\"},\"data\":[{\"instId\":\"BTC-USDT\",\"px\":\"1\","
                        "\"sz\":\"1\",\"side\":\"?\"}]}"),
                     E_SYNTAX);
    ck_assert_int_eq(n_trades, 1);
}
END_TEST

START_TEST(the_venues_words_about_the_connection_are_told)
{
    on(3,
       "{\"event\":\"subscribe\",\"arg\":{\"channel\":\"books\",\"instId\":\"BTC-USDT\"},\"connId\":\"a\"}");
    ck_assert_int_eq(last_notice, NOTICE_ACCEPTED);
    ck_assert_str_eq(last_detail, "books BTC-USDT");
    ck_assert_uint_eq(notice_conn, 3);
    ws("{\"event\":\"error\",\"code\":\"60012\",\"msg\":\"Invalid request\"}");
    ck_assert_int_eq(last_notice, NOTICE_REFUSED);
    ck_assert_str_eq(last_detail, "60012 Invalid request");
    ws("{\"event\":\"notice\",\"code\":\"64008\",\"msg\":\"upgrade\"}");
    ck_assert_int_eq(last_notice, NOTICE_LEAVING);
    ws("pong");
    ck_assert_int_eq(last_notice, NOTICE_ALIVE);
    ck_assert_int_eq(n_notices, 4);
    ck_assert_uint_eq(okx.counters(market)->malformed, 0);
}
END_TEST

START_TEST(other_messages_are_ignored)
{
    static const char *const others[] = {
        "{}",
        "[]",
        "7",
        "{\"arg\":{\"channel\":\"tickers\",\"instId\":\"BTC-USDT\"},\"data\":[{\"last\":\"1\"}]}",
        "{\"arg\":{\"channel\":\"books5\",\"instId\":\"BTC-USDT\"},\"data\":[{\"asks\":[],\"bids\":[]}]}",
        "{\"event\":\"channel-conn-count\"}",
        "{\"arg\":7,\"data\":[]}",
        "{\"arg\":{\"channel\":\"books\"},\"data\":7}"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_int_eq(ws(others[i]), OK);
    ck_assert_uint_eq(okx.books(market), 0);
}
END_TEST

#define INSTRUMENTS "https://www.okx.com/api/v5/public/instruments?instType=SPOT"
#define SWAPS                                                                                                \
    "{\"code\":\"0\",\"data\":[{\"instType\":\"SWAP\",\"instId\":\"BTC-USDT-SWAP\",\"ctType\":\"linear\","   \
    "\"ctVal\":\"0.01\",\"ctMult\":\"1\",\"settleCcy\":\"USDT\",\"tickSz\":\"0.1\",\"lotSz\":\"1\","         \
    "\"minSz\":"                                                                                             \
    "\"1\"},{\"instType\":\"SWAP\",\"instId\":\"BTC-USD-SWAP\",\"ctType\":\"inverse\",\"ctVal\":\"100\","    \
    "\"ctMult\":\"1\",\"settleCcy\":\"BTC\",\"tickSz\":\"0.1\",\"lotSz\":\"1\",\"minSz\":\"1\"}]}"

START_TEST(the_instruments_answer_sets_steps_of_known_books_and_of_later_ones)
{
    ws(SNAPSHOT(L("2", "1"), L("3", "1"), SEQ("-1", "10")));
    ck_assert(last_told.learned);
    ck_assert_int_eq(
        frame(FRAME_HTTP, 0, INSTRUMENTS,
              "{\"code\":\"0\",\"data\":[{\"instType\":\"SPOT\",\"instId\":\"BTC-USDT\",\"tickSz\":\"0.1\","
              "\"lotSz\":\"0.00000001\",\"minSz\":\"0.00001\",\"ctVal\":\"\"},{\"instType\":\"SPOT\","
              "\"instId\":\"ETH-USDT\",\"tickSz\":\"0.01\",\"lotSz\":\"0.000001\",\"minSz\":\"0.001\"}]}"),
        OK);
    ck_assert_int_eq(n_instruments, 2);
    ck_assert(!last_told.learned);
    ck_assert_int_eq(last_told.price_exp, -1);
    ck_assert_int_eq(last_told.qty_exp, -8);
    ck_assert_int_eq(dec_cmp(last_told.min_qty, (struct dec){1, -5}), 0);
    ck_assert_int_eq(dec_cmp(last_told.taker_bps, (struct dec){10, 0}), 0);
    ck_assert_str_eq(best(0), "2 1 3 1");
    ws(BOOK("snapshot", "ETH-USDT", L("2", "1"), L("3", "1"), SEQ("-1", "1")));
    ck_assert_str_eq(last_told.symbol, "ETH-USDT");
    ck_assert_int_eq(dec_cmp(last_told.tick, (struct dec){1, -2}), 0);
    ck_assert_int_eq(frame(FRAME_HTTP, 0, INSTRUMENTS, "{\"code\":\"50011\"}"), E_SYNTAX);
}
END_TEST

START_TEST(a_swap_has_a_name_only_when_its_contract_is_known)
{
    ws(BOOK("snapshot", "BTC-USDT-SWAP", L("2", "1"), L("3", "1"), SEQ("-1", "1")));
    ck_assert_str_eq(last_told.symbol, "");
    frame(FRAME_HTTP, 0, "https://www.okx.com/api/v5/public/instruments?instType=SWAP", SWAPS);
    ck_assert_str_eq(last_told.symbol, "BTC-USDT-PERP");
    ck_assert_int_eq(last_told.kind, KIND_LINEAR);
    ck_assert_int_eq(dec_cmp(last_told.multiplier, (struct dec){1, -2}), 0);
    ck_assert_int_eq(dec_cmp(last_told.taker_bps, (struct dec){5, 0}), 0);
    ws(BOOK("snapshot", "BTC-USD-SWAP", L("2", "1"), L("3", "1"), SEQ("-1", "1")));
    ck_assert_str_eq(last_told.symbol, "BTC-USD-PERP");
    ck_assert_int_eq(last_told.kind, KIND_INVERSE);
    ck_assert_str_eq(last_told.settle, "BTC");
    ws(BOOK("snapshot", "BTC-USD-220527", L("2", "1"), L("3", "1"), SEQ("-1", "1")));
    ck_assert_str_eq(last_told.symbol, "");
    ck_assert_str_eq(last_told.venue_symbol, "BTC-USD-220527");
}
END_TEST

START_TEST(names_go_to_the_venue_and_back)
{
    static const char *const names[][2] = {{"BTC-USDT", "BTC-USDT"},
                                           {"BTC-USDT-PERP", "BTC-USDT-SWAP"},
                                           {"BTC-USD-PERP", "BTC-USD-SWAP"},
                                           {"1INCH-USDC", "1INCH-USDC"}};
    char name[32], text[256];
    frame(FRAME_HTTP, 0, "https://www.okx.com/api/v5/public/instruments?instType=SWAP", SWAPS);
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_int_eq(okx.line->venue_symbol(names[i][0], name), OK);
        ck_assert_str_eq(name, names[i][1]);
        snprintf(text, sizeof text,
                 "{\"arg\":{\"channel\":\"books\",\"instId\":\"%s\"},\"action\":\"snapshot\",\"data\":[]}",
                 name);
        ws(text);
        ck_assert_str_eq(okx.book_at(market, i)->inst.symbol, names[i][0]);
    }
    ck_assert_int_eq(okx.line->venue_symbol("BTCUSDT", name), E_SYNTAX);
}
END_TEST

START_TEST(a_request_names_each_channel_of_each_symbol)
{
    static const char *const symbols[] = {"BTC-USDT", "ETH-USDT-SWAP"};
    struct line_subject s = {.symbols = symbols, .n = 2, .depth = 400, .books = true, .trades = true};
    char text[1024], path[128];
    uint32_t weight;
    ck_assert_int_eq(okx.line->subscribe(&s, 0, text, sizeof text), (int)strlen(text));
    ck_assert_str_eq(text, "{\"op\":\"subscribe\",\"args\":["
                           "{\"channel\":\"books\",\"instId\":\"BTC-USDT\"},"
                           "{\"channel\":\"trades\",\"instId\":\"BTC-USDT\"},"
                           "{\"channel\":\"books\",\"instId\":\"ETH-USDT-SWAP\"},"
                           "{\"channel\":\"trades\",\"instId\":\"ETH-USDT-SWAP\"}]}");
    ck_assert_int_eq(okx.line->subscribe(&s, 1, text, sizeof text), 0);
    ck_assert_int_eq(okx.line->subscribe(&s, 0, text, 40), E_RANGE);
    s.books = false;
    s.n = 1;
    ck_assert_int_gt(okx.line->unsubscribe(&s, 0, text, sizeof text), 0);
    ck_assert_str_eq(text,
                     "{\"op\":\"unsubscribe\",\"args\":[{\"channel\":\"trades\",\"instId\":\"BTC-USDT\"}]}");
    s.n = 2;
    ck_assert_int_gt(okx.line->instruments(&s, 0, path, sizeof path, &weight), 0);
    ck_assert_str_eq(path, "/api/v5/public/instruments?instType=SPOT");
    ck_assert_int_gt(okx.line->instruments(&s, 1, path, sizeof path, &weight), 0);
    ck_assert_str_eq(path, "/api/v5/public/instruments?instType=SWAP");
    ck_assert_int_eq(okx.line->instruments(&s, 2, path, sizeof path, &weight), 0);
}
END_TEST

START_TEST(urls_of_public_data_are_known_and_no_others)
{
    ck_assert(okx.owns_url("wss://ws.okx.com:8443/ws/v5/public"));
    ck_assert(okx.owns_url("wss://ws.okex.com:8443/ws/v5/public"));
    ck_assert(okx.owns_url("wss://wsaws.okx.com:8443/ws/v5/public"));
    ck_assert(okx.owns_url(INSTRUMENTS));
    ck_assert(!okx.owns_url("wss://ws.okx.com:8443/ws/v5/private"));
    ck_assert(!okx.owns_url("https://www.okx.com/api/v5/trade/order"));
    ck_assert(!okx.owns_url("wss://real.okex.com:8443/ws/v3"));
    ck_assert(!okx.owns_url("wss://ws.notokx.com/ws/v5/public"));
    ck_assert(!okx.owns_url("no url"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("okx");
    TCase *tests = tcase_create("promises");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, a_snapshot_makes_the_book_live_and_updates_change_it);
    tcase_add_test(tests, the_venues_own_example_of_a_checksum_holds);
    tcase_add_test(tests, a_checksum_that_does_not_hold_makes_the_book_stale_until_a_snapshot);
    tcase_add_test(tests, a_checksum_is_of_the_digits_as_they_came_and_not_of_the_values);
    tcase_add_test(tests, a_finer_price_widens_the_book_and_the_checksum_still_holds);
    tcase_add_test(tests, levels_behind_the_25th_come_into_the_checksum_when_they_rise);
    tcase_add_test(tests, a_checksum_of_0_or_none_is_not_looked_at);
    tcase_add_test(tests, an_update_that_does_not_follow_the_last_is_a_gap);
    tcase_add_test(tests, an_update_without_its_number_is_a_gap_where_the_book_has_one);
    tcase_add_test(tests, a_message_that_changes_nothing_keeps_the_sequence);
    tcase_add_test(tests, a_sequence_that_begins_anew_is_followed);
    tcase_add_test(tests, a_snapshot_replaces_a_live_book);
    tcase_add_test(tests, updates_before_a_snapshot_are_ignored);
    tcase_add_test(tests, a_crossed_book_follows_the_venue_but_is_stale_until_a_snapshot);
    tcase_add_test(tests, a_book_follows_the_connection_whose_snapshot_came_last);
    tcase_add_test(tests, a_socket_that_is_opened_anew_loses_its_books);
    tcase_add_test(tests, an_unsubscription_ends_the_book);
    tcase_add_test(tests, a_message_with_an_impossible_level_makes_its_book_stale);
    tcase_add_test(tests, a_frame_that_is_not_json_spoils_the_books_that_have_no_sequence);
    tcase_add_test(tests, several_books_data_in_one_message_are_told_once);
    tcase_add_test(tests, trades_say_which_side_took);
    tcase_add_test(tests, the_venues_words_about_the_connection_are_told);
    tcase_add_test(tests, other_messages_are_ignored);
    tcase_add_test(tests, the_instruments_answer_sets_steps_of_known_books_and_of_later_ones);
    tcase_add_test(tests, a_swap_has_a_name_only_when_its_contract_is_known);
    tcase_add_test(tests, names_go_to_the_venue_and_back);
    tcase_add_test(tests, a_request_names_each_channel_of_each_symbol);
    tcase_add_test(tests, urls_of_public_data_are_known_and_no_others);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
