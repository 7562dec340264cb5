/* What Kraken's parser promises: a book is what the venue has, by its checksum and to its depth, or it is
 * STALE. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "lib/base/status.h"
#include "venues/kraken/kraken.h"

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
    market = kraken.open(NULL, &sink);
    n_instruments = n_books = n_trades = n_notices = 0;
}

static void end(void)
{
    kraken.close(&market);
    ck_assert_ptr_null(market);
}

static int frame(enum frame_kind kind, uint32_t conn, const char *url, const char *text)
{
    struct frame f = {
        .kind = kind, .conn = conn, .url = url, .text = text, .len = strlen(text), .recv_ns = 5};
    return kraken.on_frame(market, &f);
}

static int on(uint32_t conn, const char *text)
{
    return frame(FRAME_WS, conn, "wss://ws.kraken.com/v2", text);
}

static int ws(const char *text)
{
    return on(0, text);
}

static const char *best(uint32_t index)
{
    static char text[256];
    l2_book_best_text(kraken.book_at(market, index)->book, text, sizeof text);
    return text;
}

/* "live", or why it is not. */
static const char *state(uint32_t index)
{
    const struct l2_book *book = kraken.book_at(market, index)->book;
    return l2_book_state(book) == BOOK_LIVE ? "live" : stale_reason_text(l2_book_reason(book));
}

#define L(price, qty) "{\"price\":" price ",\"qty\":" qty "}"
#define ACK(depth, symbol)                                                                                   \
    "{\"method\":\"subscribe\",\"result\":{\"channel\":\"book\",\"depth\":" depth                            \
    ",\"snapshot\":true,\"symbol\":\"" symbol "\"},\"success\":true,\"req_id\":1}"

/* A book message with the checksum of a text. */
static int summed_on(uint32_t conn, const char *type, const char *symbol, const char *bids, const char *asks,
                     const char *text)
{
    char message[16384];
    snprintf(message, sizeof message,
             "{\"channel\":\"book\",\"type\":\"%s\",\"data\":[{\"symbol\":\"%s\",\"bids\":[%s],\"asks\":[%s],"
             "\"checksum\":%lu,\"timestamp\":\"2026-08-01T02:53:53.646219Z\"}]}",
             type, symbol, bids, asks, crc32(0, (const unsigned char *)text, (unsigned)strlen(text)));
    return on(conn, message);
}

static int snapshot(const char *bids, const char *asks, const char *text)
{
    return summed_on(0, "snapshot", "BTC/USD", bids, asks, text);
}

static int update(const char *bids, const char *asks, const char *text)
{
    return summed_on(0, "update", "BTC/USD", bids, asks, text);
}

#define EXAMPLE_BIDS                                                                                                   \
    L("45283.5", "0.10000000")                                                                                         \
    "," L("45283.4", "1.54582015") "," L("45282.1", "0.10000000") "," L("45281.0", "0.10000000") "," L(                \
        "45280.3",                                                                                                     \
        "1.54592586") "," L("45279.0",                                                                                 \
                            "0.07990000") "," L("45277.6",                                                             \
                                                "0.03310103") "," L("45277.5",                                         \
                                                                    "0.30000000") "," L("45277.3",                     \
                                                                                        "1.54602737") "," L("45276.6", \
                                                                                                            "0.15445238")
#define EXAMPLE_ASKS                                                                                                   \
    L("45285.2", "0.00100000")                                                                                         \
    "," L("45286.4", "1.54571953") "," L("45286.6", "1.54571109") "," L("45289.6", "1.54560911") "," L(                \
        "45290.2",                                                                                                     \
        "0.15890660") "," L("45291.8",                                                                                 \
                            "1.54553491") "," L("45294.7",                                                             \
                                                "0.04454749") "," L("45296.1",                                         \
                                                                    "0.35380000") "," L("45297.5",                     \
                                                                                        "0.09945542") "," L("45299.5", \
                                                                                                            "0.18772827")

START_TEST(the_venues_own_example_of_a_checksum_holds)
{
    ck_assert_int_eq(ws("{\"channel\":\"book\",\"type\":\"snapshot\",\"data\":[{\"symbol\":\"BTC/"
                        "USD\",\"bids\":[" EXAMPLE_BIDS "],\"asks\":[" EXAMPLE_ASKS
                        "],\"checksum\":3310070434}]}"),
                     OK);
    ck_assert_str_eq(state(0), "live");
    ck_assert_uint_eq(kraken.counters(market)->checksums, 0);
}
END_TEST

START_TEST(a_snapshot_makes_the_book_live_and_updates_change_it)
{
    snapshot(L("63004.9", "0.01876947"), L("63005.0", "2.07265551"),
             "630050207265551"
             "6300491876947");
    ck_assert_str_eq(state(0), "live");
    ck_assert_str_eq(best(0), "63004.9 0.01876947 63005 2.07265551");
    update("", L("63005.0", "0.00000000") "," L("63005.1", "1.00000000"),
           "630051100000000"
           "6300491876947");
    ck_assert_str_eq(state(0), "live");
    ck_assert_str_eq(best(0), "63004.9 0.01876947 63005.1 1");
    const struct venue_book *book = kraken.book_at(market, 0);
    ck_assert_int_eq(book->venue_time, INT64_C(1785552833646219000));
    ck_assert_uint_eq(book->venue_seq, 0);
    ck_assert_str_eq(book->inst.symbol, "BTC-USD");
    ck_assert_uint_eq(kraken.wants(market, 0), WANTS_NOTHING);
}
END_TEST

START_TEST(a_checksum_that_does_not_hold_makes_the_book_stale_until_a_snapshot)
{
    snapshot(L("2.0", "1.0"), L("3.0", "1.0"), "30102010");
    ck_assert_str_eq(state(0), "live");
    ck_assert_int_eq(update(L("2.0", "4.0"), "", "30102050"), OK);
    ck_assert_str_eq(state(0), "checksum");
    ck_assert_uint_eq(kraken.wants(market, 0), WANTS_SUBSCRIPTION);
    update(L("2.0", "5.0"), "", "30102050");
    ck_assert_str_eq(state(0), "checksum");
    ck_assert_uint_eq(kraken.counters(market)->ignored, 1);
    snapshot(L("2.0", "5.0"), L("3.0", "1.0"), "30102050");
    ck_assert_str_eq(state(0), "live");
    ck_assert_uint_eq(kraken.book_at(market, 0)->resyncs, 1);
    ck_assert_uint_eq(kraken.book_at(market, 0)->checksums, 1);
}
END_TEST

START_TEST(a_checksum_is_of_the_digits_as_they_came_and_not_of_the_values)
{
    snapshot(L("0.0200", "1.500"), L("0.0300", "0.010"),
             "300"
             "10"
             "200"
             "1500");
    ck_assert_str_eq(state(0), "live");
    update(L("0.019", "2.5"), "",
           "300"
           "10"
           "200"
           "1500"
           "19"
           "25");
    ck_assert_str_eq(state(0), "live");
    update(L("0.019", "2.500"), "",
           "300"
           "10"
           "200"
           "1500"
           "19"
           "2500");
    ck_assert_str_eq(state(0), "live");
    update(L("0.0190", "2.500"), L("3e-2", "2E-2"),
           "300"
           "20"
           "200"
           "1500"
           "190"
           "2500");
    ck_assert_str_eq(state(0), "live");
}
END_TEST

START_TEST(a_quantity_of_more_digits_than_64_bits_hold_has_all_of_them_in_the_checksum)
{
    snapshot(L("0.000002", "123456700000000.00000000"), "", "212345670000000000000000");
    ck_assert_str_eq(state(0), "live");
    ck_assert_str_eq(best(0), "0.000002 123456700000000 - -");
}
END_TEST

START_TEST(what_falls_out_of_the_subscribed_depth_is_forgotten)
{
    char bids[4096] = "", text[4096] = "", level[64];
    ws(ACK("10", "BTC/USD"));
    for (int i = 0; i < 10; i++) {
        snprintf(level, sizeof level, "%s{\"price\":%d.0,\"qty\":1.0}", i ? "," : "", 30 - i);
        strcat(bids, level);
        snprintf(level, sizeof level, "%d010", 30 - i);
        strcat(text, level);
    }
    snapshot(bids, "", text);
    ck_assert_str_eq(state(0), "live");
    /* one comes in above: the tenth goes, and is not there when the one above goes again */
    char above[64], back[64];
    snprintf(above, sizeof above, "31010%.45s", text);
    snprintf(back, sizeof back, "%.45s", text);
    update(L("31.0", "1.0"), "", above);
    ck_assert_str_eq(state(0), "live");
    ck_assert_uint_eq(l2_book_depth(kraken.book_at(market, 0)->book, SIDE_BUY), 10);
    update(L("31.0", "0.0"), "", back);
    ck_assert_str_eq(state(0), "live");
    ck_assert_uint_eq(l2_book_depth(kraken.book_at(market, 0)->book, SIDE_BUY), 9);
}
END_TEST

START_TEST(a_deeper_subscription_keeps_more_than_the_checksum_sees)
{
    char asks[8192] = "", text[4096] = "", level[64];
    ws(ACK("25", "BTC/USD"));
    for (int i = 0; i < 30; i++) {
        snprintf(level, sizeof level, "%s{\"price\":%d.0,\"qty\":1.0}", i ? "," : "", 10 + i);
        strcat(asks, level);
        snprintf(level, sizeof level, "%d010", 10 + i);
        if (i < 10)
            strcat(text, level);
    }
    snapshot("", asks, text);
    ck_assert_str_eq(state(0), "live");
    ck_assert_uint_eq(l2_book_depth(kraken.book_at(market, 0)->book, SIDE_SELL), 25);
}
END_TEST

START_TEST(without_an_acknowledgement_the_snapshot_tells_the_depth)
{
    ws("{\"channel\":\"book\",\"type\":\"snapshot\",\"data\":[{\"symbol\":\"BTC/USD\",\"bids\":[" EXAMPLE_BIDS
       "],\"asks\":[" EXAMPLE_ASKS "],\"checksum\":3310070434}]}");
    update(L("45284.0", "1.00000000"), L("45284.5", "1.00000000"), "");
    ck_assert_uint_eq(l2_book_depth(kraken.book_at(market, 0)->book, SIDE_BUY), 10);
    ck_assert_uint_eq(l2_book_depth(kraken.book_at(market, 0)->book, SIDE_SELL), 10);
}
END_TEST

START_TEST(updates_before_a_snapshot_are_ignored)
{
    ck_assert_int_eq(update(L("2.0", "1.0"), "", "2010"), OK);
    ck_assert_str_eq(state(0), "no-snapshot");
    ck_assert_int_eq(n_books, 0);
}
END_TEST

START_TEST(a_crossed_book_is_stale_until_a_snapshot)
{
    snapshot(L("2.0", "1.0"), L("3.0", "1.0"), "30102010");
    update(L("3.0", "1.0"), "", "301030102010");
    ck_assert_str_eq(state(0), "crossed");
    update(L("3.0", "0.0"), "", "30102010");
    ck_assert_str_eq(state(0), "crossed");
    ck_assert_uint_eq(kraken.wants(market, 0), WANTS_SUBSCRIPTION);
    snapshot(L("2.0", "1.0"), L("3.0", "1.0"), "30102010");
    ck_assert_str_eq(state(0), "live");
}
END_TEST

START_TEST(an_unsubscription_ends_the_book_and_a_subscription_brings_it_back)
{
    snapshot(L("2.0", "1.0"), L("3.0", "1.0"), "30102010");
    ws("{\"method\":\"unsubscribe\",\"result\":{\"channel\":\"book\",\"depth\":10,\"symbol\":\"BTC/USD\"},"
       "\"success\":true}");
    ck_assert_str_eq(state(0), "disconnect");
    ws(ACK("10", "BTC/USD"));
    ck_assert_str_eq(state(0), "disconnect");
    snapshot(L("2.0", "1.0"), L("3.0", "1.0"), "30102010");
    ck_assert_str_eq(state(0), "live");
}
END_TEST

START_TEST(a_book_follows_the_connection_whose_snapshot_came_last)
{
    summed_on(1, "snapshot", "BTC/USD", L("2.0", "1.0"), L("3.0", "1.0"), "30102010");
    summed_on(2, "snapshot", "BTC/USD", L("2.0", "2.0"), L("3.0", "1.0"), "30102020");
    summed_on(1, "update", "BTC/USD", L("2.0", "2.0"), "", "30102020");
    ck_assert_uint_eq(kraken.counters(market)->ignored, 1);
    frame(FRAME_CLOSE, 1, "wss://ws.kraken.com/v2", "");
    ck_assert_str_eq(state(0), "live");
    frame(FRAME_CONNECT, 2, "wss://ws.kraken.com/v2", "");
    ck_assert_str_eq(state(0), "disconnect");
}
END_TEST

START_TEST(a_message_with_an_impossible_level_or_no_checksum_makes_its_book_stale)
{
#define UPDATE(inner)                                                                                        \
    "{\"channel\":\"book\",\"type\":\"update\",\"data\":[{\"symbol\":\"BTC/USD\"," inner "}]}"
    static const char *const wrong[] = {
        UPDATE("\"bids\":[" L("0", "1.0") "],\"asks\":[],\"checksum\":1"),
        UPDATE("\"bids\":[" L("1.0", "-1.0") "],\"asks\":[],\"checksum\":1"),
        UPDATE("\"bids\":[7],\"asks\":[],\"checksum\":1"),
        UPDATE("\"bids\":[],\"checksum\":1"),
        UPDATE("\"bids\":[],\"asks\":[]"),
        UPDATE("\"bids\":[],\"asks\":[],\"checksum\":4294967296"),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snapshot(L("2.0", "1.0"), L("3.0", "1.0"), "30102010");
        ck_assert_str_eq(state(0), "live");
        ck_assert_int_eq(ws(wrong[i]), E_SYNTAX);
        ck_assert_str_eq(state(0), "gap");
    }
}
END_TEST

START_TEST(a_frame_that_is_not_json_spoils_the_books_of_its_connection)
{
    summed_on(1, "snapshot", "BTC/USD", L("2.0", "1.0"), L("3.0", "1.0"), "30102010");
    summed_on(2, "snapshot", "ETH/USD", L("2.0", "1.0"), L("3.0", "1.0"), "30102010");
    ck_assert_int_eq(on(1, "{\"channel\":\"bo"), E_SYNTAX);
    ck_assert_str_eq(state(0), "gap");
    ck_assert_str_eq(state(1), "live");
}
END_TEST

START_TEST(trades_say_which_side_took_and_those_of_before_are_not_told)
{
#define TRADE(type)                                                                                          \
    "{\"channel\":\"trade\",\"type\":\"" type "\",\"data\":[{\"symbol\":\"MATIC/USD\",\"side\":\"sell\","    \
    "\"price\":0.5117,\"qty\":40.0,\"ord_type\":\"market\",\"trade_id\":4665906,"                            \
    "\"timestamp\":\"2023-09-25T07:49:37.708706Z\"}]}"
    ws(TRADE("snapshot"));
    ck_assert_int_eq(n_trades, 0);
    ck_assert_int_eq(ws(TRADE("update")), OK);
    ck_assert_int_eq(n_trades, 1);
    ck_assert_int_eq(last_trade.aggressor, SIDE_SELL);
    ck_assert_int_eq(last_trade.price, 5117);
    ck_assert_int_eq(last_trade.price_exp, -4);
    ck_assert_str_eq(last_trade.trade_id, "4665906");
    ck_assert_int_eq(last_trade.venue_time, INT64_C(1695628177708706000));
    ck_assert_str_eq(last_trade.symbol, "MATIC-USD");
}
END_TEST

START_TEST(the_venues_words_about_the_connection_are_told)
{
    on(3, ACK("10", "BTC/USD"));
    ck_assert_int_eq(last_notice, NOTICE_ACCEPTED);
    ck_assert_str_eq(last_detail, "BTC/USD");
    ck_assert_uint_eq(notice_conn, 3);
    ws("{\"method\":\"subscribe\",\"error\":\"Currency pair not "
       "supported\",\"success\":false,\"symbol\":\"X/USD\"}");
    ck_assert_int_eq(last_notice, NOTICE_REFUSED);
    ck_assert_str_eq(last_detail, "subscribe X/USD: Currency pair not supported");
    ws("{\"channel\":\"heartbeat\"}");
    ck_assert_int_eq(last_notice, NOTICE_ALIVE);
    ws("{\"method\":\"pong\",\"req_id\":2}");
    ck_assert_int_eq(n_notices, 4);
    ws("{\"channel\":\"status\",\"type\":\"update\",\"data\":[{\"version\":\"2.0.10\",\"system\":\"online\","
       "\"connection_id\":17413893361151983591}]}");
    ck_assert_int_eq(n_notices, 4);
    ws("{\"channel\":\"status\",\"type\":\"update\",\"data\":[{\"system\":\"maintenance\"}]}");
    ck_assert_int_eq(last_notice, NOTICE_LEAVING);
    ck_assert_uint_eq(kraken.counters(market)->malformed, 0);
}
END_TEST

START_TEST(version_1_says_the_same_in_arrays)
{
    char text[512];
    unsigned long sum = crc32(0, (const unsigned char *)"4301000420999", 13);
    ck_assert_int_eq(ws("[320,{\"as\":[[\"0.0430\",\"10.00\",\"1618678145.5\"]],\"bs\":[[\"0.0420\",\"9.99\","
                        "\"1618678145.9\"]]},\"book-10\",\"XBT/EUR\"]"),
                     OK);
    ck_assert_str_eq(state(0), "live");
    ck_assert_str_eq(kraken.book_at(market, 0)->inst.symbol, "BTC-EUR");
    ck_assert_int_eq(kraken.book_at(market, 0)->venue_time, INT64_C(1618678145900000000));
    snprintf(text, sizeof text,
             "[320,{\"a\":[[\"0.0440\",\"1.00\",\"1\",\"r\"]]},{\"b\":[[\"0.0410\",\"0.00\",\"1\"]],\"c\":\"%"
             "lu\"},"
             "\"book-10\",\"XBT/EUR\"]",
             crc32(0, (const unsigned char *)"4301000440100420999", 19));
    ws(text);
    ck_assert_str_eq(state(0), "live");
    snprintf(text, sizeof text,
             "[320,{\"a\":[[\"0.0440\",\"0.00\",\"1\"]],\"c\":\"%lu\"},\"book-10\",\"XBT/EUR\"]", sum + 1);
    ws(text);
    ck_assert_str_eq(state(0), "checksum");
    ws("[337,[[\"5541.2\",\"0.15\",\"1534614057.3\",\"s\",\"l\",\"\"]],\"trade\",\"XBT/EUR\"]");
    ck_assert_int_eq(n_trades, 1);
    ck_assert_int_eq(last_trade.aggressor, SIDE_SELL);
}
END_TEST

START_TEST(other_messages_are_ignored)
{
    static const char *const others[] = {"{}",
                                         "[]",
                                         "[1,2,3,4]",
                                         "7",
                                         "{\"channel\":\"ticker\",\"type\":\"update\",\"data\":[{}]}",
                                         "{\"channel\":\"book\",\"type\":\"other\",\"data\":[{}]}",
                                         "{\"channel\":\"book\",\"type\":\"update\",\"data\":7}",
                                         "{\"event\":\"systemStatus\",\"connectionID\":17843232920108168701}",
                                         "[1,{},\"ticker\",\"XBT/USD\"]"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_int_eq(ws(others[i]), OK);
    ck_assert_uint_eq(kraken.books(market), 0);
}
END_TEST

#define PAIRS "https://api.kraken.com/0/public/AssetPairs"

START_TEST(the_pairs_answer_sets_steps_of_known_books_and_of_later_ones)
{
    snapshot(L("2.0", "1.0"), L("3.0", "1.0"), "30102010");
    ck_assert(last_told.learned);
    ck_assert_int_eq(dec_cmp(last_told.taker_bps, (struct dec){40, 0}), 0);
    ck_assert_int_eq(
        frame(
            FRAME_HTTP, 0, PAIRS,
            "{\"error\":[],\"result\":{\"XXBTZUSD\":{\"wsname\":\"XBT/USD\",\"pair_decimals\":1,"
            "\"lot_decimals\":8,\"ordermin\":\"0.00005\",\"costmin\":\"0.5\",\"tick_size\":\"0.1\","
            "\"fees\":[[0,0.26],[50000,0.24]],\"fees_maker\":[[0,0.16]]},\"ADAETH\":{\"wsname\":\"ADA/ETH\","
            "\"pair_decimals\":7,\"lot_decimals\":6},\"X\":{}}}"),
        OK);
    ck_assert(!last_told.learned);
    ck_assert_str_eq(last_told.symbol, "BTC-USD");
    ck_assert_int_eq(dec_cmp(last_told.tick, (struct dec){1, -1}), 0);
    ck_assert_int_eq(dec_cmp(last_told.min_qty, (struct dec){5, -5}), 0);
    ck_assert_int_eq(dec_cmp(last_told.min_notional, (struct dec){5, -1}), 0);
    ck_assert_int_eq(dec_cmp(last_told.taker_bps, (struct dec){26, 0}), 0);
    ck_assert_int_eq(dec_cmp(last_told.maker_bps, (struct dec){16, 0}), 0);
    summed_on(0, "snapshot", "ADA/ETH", L("2.0", "1.0"), L("3.0", "1.0"), "30102010");
    ck_assert_int_eq(last_told.price_exp, -7);
    ck_assert_int_eq(last_told.qty_exp, -6);
    ck_assert_str_eq(state(1), "live"); /* the checksum goes by the text, not by the steps */
    ck_assert_int_eq(frame(FRAME_HTTP, 0, PAIRS, "{\"error\":[\"EGeneral\"]}"), E_SYNTAX);
}
END_TEST

START_TEST(the_instrument_channel_sets_the_same)
{
    ck_assert_int_eq(
        ws("{\"channel\":\"instrument\",\"type\":\"snapshot\",\"data\":{\"assets\":[],\"pairs\":[{"
           "\"symbol\":\"EUR/USD\",\"qty_increment\":0.00000001,\"price_increment\":0.00001,"
           "\"qty_min\":0.5,\"cost_min\":0.50}]}}"),
        OK);
    summed_on(0, "snapshot", "EUR/USD", L("1.0", "1.0"), "", "1010");
    ck_assert_int_eq(last_told.price_exp, -5);
    ck_assert_int_eq(dec_cmp(last_told.min_qty, (struct dec){5, -1}), 0);
    ck_assert(!last_told.learned);
}
END_TEST

START_TEST(names_go_to_the_venue_and_back)
{
    static const char *const names[][2] = {{"BTC-USD", "BTC/USD"}, {"DOGE-EUR", "DOGE/EUR"}};
    char name[32];
    for (uint32_t i = 0; i < 2; i++) {
        ck_assert_int_eq(kraken.line->venue_symbol(names[i][0], name), OK);
        ck_assert_str_eq(name, names[i][1]);
        summed_on(0, "snapshot", name, "", "", "");
        ck_assert_str_eq(kraken.book_at(market, i)->inst.symbol, names[i][0]);
    }
    ck_assert_int_eq(kraken.line->venue_symbol("BTC-USD-PERP", name), E_SYNTAX);
    ck_assert_int_eq(kraken.line->venue_symbol("BTCUSD", name), E_SYNTAX);
}
END_TEST

START_TEST(a_request_has_one_channel)
{
    static const char *const symbols[] = {"BTC/USD", "ETH/USD"};
    struct line_subject s = {.symbols = symbols, .n = 2, .depth = 10, .books = true, .trades = true, .id = 7};
    char text[512];
    ck_assert_int_eq(kraken.line->subscribe(&s, 0, text, sizeof text), (int)strlen(text));
    ck_assert_str_eq(text,
                     "{\"method\":\"subscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"BTC/USD\","
                     "\"ETH/USD\"],\"depth\":10,\"snapshot\":true},\"req_id\":7}");
    ck_assert_int_gt(kraken.line->subscribe(&s, 1, text, sizeof text), 0);
    ck_assert_str_eq(text,
                     "{\"method\":\"subscribe\",\"params\":{\"channel\":\"trade\",\"symbol\":[\"BTC/USD\","
                     "\"ETH/USD\"],\"snapshot\":false},\"req_id\":8}");
    ck_assert_int_eq(kraken.line->subscribe(&s, 2, text, sizeof text), 0);
    ck_assert_int_eq(kraken.line->subscribe(&s, 0, text, 40), E_RANGE);
    s.trades = false;
    ck_assert_int_gt(kraken.line->unsubscribe(&s, 0, text, sizeof text), 0);
    ck_assert_str_eq(text,
                     "{\"method\":\"unsubscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"BTC/USD\","
                     "\"ETH/USD\"],\"depth\":10},\"req_id\":7}");
    ck_assert_int_eq(kraken.line->unsubscribe(&s, 1, text, sizeof text), 0);
}
END_TEST

START_TEST(urls_of_public_data_are_known_and_no_others)
{
    ck_assert(kraken.owns_url("wss://ws.kraken.com/v2"));
    ck_assert(kraken.owns_url("wss://ws.kraken.com"));
    ck_assert(kraken.owns_url(PAIRS));
    ck_assert(!kraken.owns_url("wss://ws-auth.kraken.com/v2"));
    ck_assert(!kraken.owns_url("https://api.kraken.com/0/private/Balance"));
    ck_assert(!kraken.owns_url("wss://futures.kraken.com/ws/v1"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kraken");
    TCase *tests = tcase_create("promises");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, the_venues_own_example_of_a_checksum_holds);
    tcase_add_test(tests, a_snapshot_makes_the_book_live_and_updates_change_it);
    tcase_add_test(tests, a_checksum_that_does_not_hold_makes_the_book_stale_until_a_snapshot);
    tcase_add_test(tests, a_checksum_is_of_the_digits_as_they_came_and_not_of_the_values);
    tcase_add_test(tests, a_quantity_of_more_digits_than_64_bits_hold_has_all_of_them_in_the_checksum);
    tcase_add_test(tests, what_falls_out_of_the_subscribed_depth_is_forgotten);
    tcase_add_test(tests, a_deeper_subscription_keeps_more_than_the_checksum_sees);
    tcase_add_test(tests, without_an_acknowledgement_the_snapshot_tells_the_depth);
    tcase_add_test(tests, updates_before_a_snapshot_are_ignored);
    tcase_add_test(tests, a_crossed_book_is_stale_until_a_snapshot);
    tcase_add_test(tests, an_unsubscription_ends_the_book_and_a_subscription_brings_it_back);
    tcase_add_test(tests, a_book_follows_the_connection_whose_snapshot_came_last);
    tcase_add_test(tests, a_message_with_an_impossible_level_or_no_checksum_makes_its_book_stale);
    tcase_add_test(tests, a_frame_that_is_not_json_spoils_the_books_of_its_connection);
    tcase_add_test(tests, trades_say_which_side_took_and_those_of_before_are_not_told);
    tcase_add_test(tests, the_venues_words_about_the_connection_are_told);
    tcase_add_test(tests, version_1_says_the_same_in_arrays);
    tcase_add_test(tests, other_messages_are_ignored);
    tcase_add_test(tests, the_pairs_answer_sets_steps_of_known_books_and_of_later_ones);
    tcase_add_test(tests, the_instrument_channel_sets_the_same);
    tcase_add_test(tests, names_go_to_the_venue_and_back);
    tcase_add_test(tests, a_request_has_one_channel);
    tcase_add_test(tests, urls_of_public_data_are_known_and_no_others);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
