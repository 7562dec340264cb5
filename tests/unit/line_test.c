/* What venues' lines promise: names go there and back, requests are of the venue's form and fit, and what an exchange
 * answers reaches the instruments. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/json.h"
#include "lib/market/symbol.h"
#include "venues/market.h"

static struct inst told;
static int n_told;
static char said[256];
static enum notice notice_said;

static void on_instrument(void *ctx, const struct venue_book *book)
{
    (void)ctx;
    told = book->inst;
    n_told++;
}

static void on_notice(void *ctx, uint32_t conn, enum notice notice, const char *detail)
{
    (void)ctx, (void)conn;
    notice_said = notice;
    (void)snprintf(said, sizeof said, "%d %s", (int)notice, detail);
}

static struct venue_market *market;
static const struct venue_ops *ops;

static void open_market(const char *venue)
{
    struct market_sink sink = {.instrument = on_instrument, .notice = on_notice};
    ops = venue_named(venue);
    ck_assert_ptr_nonnull(ops);
    market = ops->open(NULL, &sink);
    n_told = 0;
    said[0] = '\0';
}

static void frame(enum frame_kind kind, uint32_t conn, const char *path, const char *text)
{
    char url[256];
    (void)snprintf(url, sizeof url, "%s%s", kind == FRAME_HTTP ? ops->line->rest_url : ops->line->ws_url,
                   path);
    struct frame f = {
        .kind = kind, .conn = conn, .url = url, .text = text, .len = strlen(text), .recv_ns = 7};
    ck_assert(ops->owns_url(url));
    ck_assert_int_eq(ops->on_frame(market, &f), OK);
}

/* ---- names ------------------------------------------------------------------------------------------ */

/* Beside the repository, where no folder is named. */
static const char *data_file(char path[512])
{
    static const char here[] = "tests/unit/line_test.c";
    const char *folder = getenv("SLUICE_TEST_DATA");
    if (folder)
        (void)snprintf(path, 512, "%s/instruments.json", folder);
    else
        (void)snprintf(path, 512, "%.*s../shared/market-data/instruments.json",
                       (int)(strlen(__FILE__) - strlen(here)), __FILE__);
    return access(path, R_OK) == 0 ? path : NULL;
}

/* The venue's own name becomes a symbol in its market; the symbol becomes that name again on its line. */
static void there_and_back(const char *venue, const char *name, int *n)
{
    char text[512], back[32];
    open_market(venue);
    if (strcmp(venue, "upbit") == 0) {
        (void)snprintf(text, sizeof text, "[{\"market\":\"%s\",\"tick_size\":\"1\"}]", name);
        frame(FRAME_HTTP, 0, "/v1/orderbook/instruments?markets=x", text);
    } else {
        (void)snprintf(
            text, sizeof text,
            "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"%s\",\"U\":1,\"u\":2,\"pu\":0,\"b\":[],\"a\":[]}", name);
        frame(FRAME_WS, 1, "/stream", text);
    }
    ck_assert_uint_eq(ops->books(market), 1);
    const struct inst *inst = &ops->book_at(market, 0)->inst;
    if (!strchr(name, '_') || strstr(name, "_PERP")) { /* a dated future has no symbol */
        if (ops->line->venue_symbol(inst->symbol, back) != OK || strcmp(back, name) != 0)
            ck_abort_msg("%s: %s became '%s', and that '%s'", venue, name, inst->symbol, back);
        (*n)++;
    }
    ops->close(&market);
}

START_TEST(each_recorded_instrument_goes_there_and_back)
{
    static const struct {
        const char *key, *venue;
    } venues[] = {{"binance_spot", "binance"},
                  {"binance_us", "binance-us"},
                  {"binance_usdm", "binance-usdm"},
                  {"binance_coinm", "binance-coinm"},
                  {"upbit", "upbit"}};
    char path[512], name[32];
    static char text[8 << 20];
    if (!data_file(path)) {
        (void)fprintf(stderr, "line: RECORDED INSTRUMENTS ARE NOT TESTED: no %s\n", path);
        return;
    }
    FILE *file = fopen(path, "rb");
    size_t len = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    struct json *json = json_new();
    ck_assert_int_eq(json_parse(json, text, len), OK);
    int n = 0;
    for (size_t i = 0; i < sizeof venues / sizeof *venues; i++) {
        const struct json_node *list = json_get(json, json_root(json), venues[i].key);
        const struct json_node *key = json_first(json, list);
        while (key) {
            const struct json_node *value = json_after(json, list, key);
            if (key->text[0] != '_' && json_text(key, name, sizeof name) == OK)
                there_and_back(venues[i].venue, name, &n);
            key = json_after(json, list, value);
        }
    }
    ck_assert_int_gt(n, 100);
    json_destroy(&json);
}
END_TEST

START_TEST(names_of_each_market_have_their_form)
{
    static const struct {
        const char *venue, *symbol, *name;
    } cases[] = {{"binance", "BTC-USDT", "BTCUSDT"},
                 {"binance", "BTC-USDT-PERP", NULL},
                 {"binance-usdm", "BTC-USDT-PERP", "BTCUSDT"},
                 {"binance-usdm", "BTC-USDT", NULL},
                 {"binance-coinm", "BTC-USD-PERP", "BTCUSD_PERP"},
                 {"upbit", "BTC-KRW", "KRW-BTC"},
                 {"upbit", "BTC", NULL},
                 {"binance-us", "", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[32];
        int status = venue_named(cases[i].venue)->line->venue_symbol(cases[i].symbol, name);
        ck_assert_int_eq(status, cases[i].name ? OK : E_SYNTAX);
        if (cases[i].name)
            ck_assert_str_eq(name, cases[i].name);
    }
}
END_TEST

/* ---- requests --------------------------------------------------------------------------------------- */

static const char *const two[] = {"BTCUSDT", "ETHUSDT"};
static const char *const codes[] = {"KRW-BTC", "KRW-ETH"};
static char text_out[LINE_TEXT_MAX];

START_TEST(requests_are_of_the_venues_form)
{
    struct line_subject s = {.symbols = two, .n = 2, .depth = 1000, .books = true, .trades = true, .id = 7};
    const struct line *spot = venue_named("binance")->line, *usdm = venue_named("binance-usdm")->line;
    ck_assert_int_gt(spot->subscribe(&s, 0, text_out, sizeof text_out), 0);
    ck_assert_str_eq(text_out,
                     "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@depth@100ms\",\"btcusdt@bookTicker\","
                     "\"btcusdt@trade\",\"ethusdt@depth@100ms\",\"ethusdt@bookTicker\",\"ethusdt@trade\"],"
                     "\"id\":7}");
    ck_assert_int_eq(spot->subscribe(&s, 1, text_out, sizeof text_out), 0);
    ck_assert_int_eq(spot->subscribe(&s, 0, text_out, 60), E_RANGE);
    ck_assert_str_eq(usdm->lanes[0].path, "/public/stream");
    ck_assert_str_eq(usdm->lanes[1].path, "/market/stream");
    s.books = false;
    s.n = 1;
    ck_assert_int_gt(usdm->unsubscribe(&s, 0, text_out, sizeof text_out), 0);
    ck_assert_str_eq(text_out,
                     "{\"method\":\"UNSUBSCRIBE\",\"params\":[\"btcusdt@trade\",\"btcusdt@aggTrade\"],"
                     "\"id\":7}");
    struct line_subject u = {.symbols = codes, .n = 2, .depth = 30, .books = true, .trades = true, .id = 3};
    const struct line *upbit = venue_named("upbit")->line;
    ck_assert_int_gt(upbit->subscribe(&u, 0, text_out, sizeof text_out), 0);
    ck_assert_str_eq(
        text_out, "[{\"ticket\":\"sluice-3\"},{\"type\":\"orderbook\",\"codes\":[\"KRW-BTC\",\"KRW-ETH\"]},"
                  "{\"type\":\"trade\",\"codes\":[\"KRW-BTC\",\"KRW-ETH\"],\"is_only_realtime\":true},"
                  "{\"format\":\"SIMPLE\"}]");
    u.depth = 15;
    u.trades = false;
    ck_assert_int_gt(upbit->subscribe(&u, 0, text_out, sizeof text_out), 0);
    ck_assert_ptr_nonnull(strstr(text_out, "\"KRW-BTC.15\""));
}
END_TEST

START_TEST(requests_over_http_have_their_path_and_weight)
{
    uint32_t weight;
    struct line_subject s = {.symbols = two, .n = 2};
    const struct line *spot = venue_named("binance")->line;
    ck_assert_int_gt(spot->snapshot("BTCUSDT", 1000, text_out, sizeof text_out, &weight), 0);
    ck_assert_str_eq(text_out, "/api/v3/depth?symbol=BTCUSDT&limit=1000");
    ck_assert_uint_eq(weight, 50);
    ck_assert_int_gt(spot->snapshot("BTCUSDT", 5000, text_out, sizeof text_out, &weight), 0);
    ck_assert_uint_eq(weight, 250);
    ck_assert_int_gt(
        venue_named("binance-usdm")->line->snapshot("BTCUSDT", 500, text_out, sizeof text_out, &weight), 0);
    ck_assert_str_eq(text_out, "/fapi/v1/depth?symbol=BTCUSDT&limit=500");
    ck_assert_uint_eq(weight, 10);
    ck_assert_int_gt(spot->instruments(&s, 0, text_out, sizeof text_out, &weight), 0);
    ck_assert_str_eq(text_out, "/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22,%22ETHUSDT%22%5D");
    ck_assert_ptr_null(venue_named("upbit")->line->snapshot);
}
END_TEST

/* As many symbols as a line says go on one connection, in one request, in one path: they fit. */
START_TEST(what_a_line_allows_fits)
{
    static char names[1024][16];
    static const char *many[1024];
    for (int i = 0; i < 1024; i++) {
        (void)snprintf(names[i], sizeof names[i], "LONGNAME%03dUSDT", i % 1000);
        many[i] = names[i];
    }
    for (const struct venue_ops *const *v = venues_all; *v; v++) {
        const struct line *line = (*v)->line;
        if (!line)
            continue;
        const struct line_limits *l = &line->limits;
        uint32_t weight, batch = line->replaces ? l->symbols : l->batch;
        struct line_subject s = {.symbols = many,
                                 .n = batch,
                                 .depth = line->usual_depth,
                                 .books = true,
                                 .trades = true,
                                 .id = 1000000};
        ck_assert_uint_gt(l->symbols, 0);
        ck_assert_uint_gt(l->sends, 0);
        ck_assert_uint_gt(l->connects, 0);
        ck_assert_int_gt(l->silent_ns, 0);
        ck_assert_uint_gt(line->n_lanes, 0);
        ck_assert_ptr_nonnull(line->symbol_form);
        ck_assert_int_gt(line->subscribe(&s, 0, text_out, sizeof text_out), 0);
        s.n = l->instruments ? l->instruments : batch;
        char url[LINE_URL_MAX + 64];
        for (uint32_t lane = 0; lane < line->n_lanes; lane++) {
            (void)snprintf(url, sizeof url, "%s%s", line->ws_url, line->lanes[lane].path);
            ck_assert((*v)->owns_url(url));
        }
        if (line->instruments) {
            ck_assert_int_gt(line->instruments(&s, 0, text_out, LINE_URL_MAX, &weight), 0);
            (void)snprintf(url, sizeof url, "%s%s", line->rest_url, text_out);
            ck_assert((*v)->owns_url(url));
        }
    }
}
END_TEST

/* ---- answers ---------------------------------------------------------------------------------------- */

#define INFO(tick, lot)                                                                                      \
    "{\"rateLimits\":[],\"symbols\":[{\"symbol\":\"ETHUSDT\",\"baseAsset\":\"ETH\",\"quoteAsset\":\"USDT\"," \
    "\"filters\":[{\"filterType\":\"PRICE_FILTER\",\"tickSize\":\"" tick "\"},{\"filterType\":\"LOT_SIZE\"," \
    "\"stepSize\":\"" lot "\",\"minQty\":\"0.001\"},{\"filterType\":\"NOTIONAL\",\"minNotional\":\"5\"}]}]}"
#define DIFF                                                                                                 \
    "{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"ETHUSDT\",\"U\":1,\"u\":2,\"b\":[[\"1.5\",\"1\"]],\"a\":[]}"
#define SNAPSHOT "{\"lastUpdateId\":1,\"bids\":[[\"1.5\",\"1\"]],\"asks\":[[\"2.5\",\"1\"]]}"

static void binance_book(void)
{
    frame(FRAME_WS, 1, "/stream", DIFF);
    frame(FRAME_HTTP, 0, "/api/v3/depth?symbol=ETHUSDT&limit=1000", SNAPSHOT);
}

START_TEST(what_the_exchange_tells_of_a_known_book_changes_it)
{
    open_market("binance");
    binance_book();
    ck_assert_int_eq(n_told, 1);
    ck_assert_int_eq(told.tick.m, 0);
    frame(FRAME_HTTP, 0, "/api/v3/exchangeInfo?symbols=x", INFO("0.01", "0.0001"));
    ck_assert_int_eq(n_told, 2);
    ck_assert_int_eq(dec_cmp(told.tick, (struct dec){1, -2}), 0);
    ck_assert_int_eq(dec_cmp(told.lot, (struct dec){1, -4}), 0);
    ck_assert_int_eq(dec_cmp(told.min_notional, (struct dec){5, 0}), 0);
    ck_assert(!told.learned);
    frame(FRAME_HTTP, 0, "/api/v3/exchangeInfo?symbols=x", INFO("0.01", "0.0001"));
    ck_assert_int_eq(n_told, 2); /* nothing new */
    frame(FRAME_HTTP, 0, "/api/v3/exchangeInfo?symbols=x", INFO("0.1", "0.0001"));
    ck_assert_int_eq(n_told, 3);
    ck_assert_int_eq(dec_cmp(told.tick, (struct dec){1, -1}), 0);
    ops->close(&market);
}
END_TEST

START_TEST(what_the_exchange_told_holds_for_a_book_that_comes_later)
{
    open_market("binance");
    frame(FRAME_HTTP, 0, "/api/v3/exchangeInfo?symbols=x", INFO("0.01", "0.0001"));
    ck_assert_int_eq(n_told, 0);
    binance_book();
    ck_assert_int_eq(n_told, 1);
    ck_assert_int_eq(dec_cmp(told.tick, (struct dec){1, -2}), 0);
    ck_assert(!told.learned);
    ops->close(&market);
}
END_TEST

#define CODE_BOOK(tms, bid, ask)                                                                             \
    "{\"ty\":\"orderbook\",\"cd\":\"KRW-BTC\",\"tms\":" tms ",\"obu\":[{\"ap\":" ask ",\"bp\":" bid          \
    ",\"as\":1,\"bs\":1}]}"
#define STEPS(tick) "[{\"market\":\"KRW-BTC\",\"quote_currency\":\"KRW\",\"tick_size\":\"" tick "\"}]"

START_TEST(a_step_that_is_the_tables_leaves_the_table_in_force)
{
    open_market("upbit");
    frame(FRAME_WS, 1, "/websocket/v1", CODE_BOOK("1", "999000", "999500"));
    ck_assert_int_eq(dec_cmp(told.tick, (struct dec){500, 0}), 0);
    frame(FRAME_HTTP, 0, "/v1/orderbook/instruments?markets=KRW-BTC", STEPS("500"));
    frame(FRAME_WS, 1, "/websocket/v1", CODE_BOOK("2", "1000000", "1001000"));
    ck_assert_int_eq(dec_cmp(told.tick, (struct dec){1000, 0}), 0);
    ops->close(&market);
}
END_TEST

START_TEST(a_step_that_is_not_the_tables_holds_at_any_price)
{
    open_market("upbit");
    frame(FRAME_HTTP, 0, "/v1/orderbook/instruments?markets=KRW-BTC", STEPS("100"));
    frame(FRAME_WS, 1, "/websocket/v1", CODE_BOOK("1", "999000", "999500"));
    ck_assert_int_eq(dec_cmp(told.tick, (struct dec){100, 0}), 0);
    frame(FRAME_WS, 1, "/websocket/v1", CODE_BOOK("2", "1000000", "1001000"));
    ck_assert_int_eq(dec_cmp(told.tick, (struct dec){100, 0}), 0);
    ops->close(&market);
}
END_TEST

START_TEST(what_a_venue_says_of_itself_is_a_notice)
{
    open_market("binance");
    frame(FRAME_WS, 1, "/stream", "{\"result\":null,\"id\":1}");
    ck_assert_int_eq(notice_said, NOTICE_ACCEPTED);
    frame(FRAME_WS, 1, "/stream", "{\"code\":2,\"msg\":\"Invalid request\",\"id\":5}");
    ck_assert_int_eq(notice_said, NOTICE_REFUSED);
    ck_assert_ptr_nonnull(strstr(said, "request 5: code 2: Invalid request"));
    frame(FRAME_WS, 1, "/stream", "{\"error\":{\"code\":3,\"msg\":\"no\"},\"id\":6}");
    ck_assert_ptr_nonnull(strstr(said, "request 6: code 3: no"));
    frame(FRAME_WS, 1, "/stream", "{\"e\":\"serverShutdown\",\"E\":1770123456789}");
    ck_assert_int_eq(notice_said, NOTICE_LEAVING);
    notice_said = NOTICE_ALIVE;
    frame(FRAME_WS, 1, "/stream", "{\"stream\":\"!serverShutdown\",\"data\":{\"e\":\"serverShutdown\"}}");
    ck_assert_int_eq(notice_said, NOTICE_LEAVING);
    ops->close(&market);
    open_market("upbit");
    frame(FRAME_WS, 1, "/websocket/v1", "{\"status\":\"UP\"}");
    ck_assert_int_eq(notice_said, NOTICE_ALIVE);
    frame(FRAME_WS, 1, "/websocket/v1", "{\"error\":{\"name\":\"NO_CODES\",\"message\":\"none\"}}");
    ck_assert_int_eq(notice_said, NOTICE_REFUSED);
    ck_assert_ptr_nonnull(strstr(said, "NO_CODES: none"));
    ops->close(&market);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("line");
    TCase *tests = tcase_create("promises");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, each_recorded_instrument_goes_there_and_back);
    tcase_add_test(tests, names_of_each_market_have_their_form);
    tcase_add_test(tests, requests_are_of_the_venues_form);
    tcase_add_test(tests, requests_over_http_have_their_path_and_weight);
    tcase_add_test(tests, what_a_line_allows_fits);
    tcase_add_test(tests, what_the_exchange_tells_of_a_known_book_changes_it);
    tcase_add_test(tests, what_the_exchange_told_holds_for_a_book_that_comes_later);
    tcase_add_test(tests, a_step_that_is_the_tables_leaves_the_table_in_force);
    tcase_add_test(tests, a_step_that_is_not_the_tables_holds_at_any_price);
    tcase_add_test(tests, what_a_venue_says_of_itself_is_a_notice);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
