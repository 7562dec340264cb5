/* Binance as its clients see it: streams by name, combined or raw, acknowledgements, and the answers for depth and
 * instruments. Spot, Binance.US, USD-M and COIN-M differ in paths, limits and a few fields. */
#include "venues/binance/emulation.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "venues/emulator/emulator.h"
#include "venues/url.h"

enum { COMBINED = 1 };

/* ---- names of streams -------------------------------------------------------------------------------- */

/* "btcusdt@depth@100ms": BTCUSDT and depth. Diffs at any speed are the ones that were recorded. */
static bool read_stream(const char *name, size_t len, struct played *out)
{
    const char *at = memchr(name, '@', len);
    size_t symbol = at ? (size_t)(at - name) : 0;
    if (symbol == 0 || symbol >= sizeof out->symbol || len - symbol - 1 >= sizeof out->channel)
        return false;
    *out = (struct played){0};
    for (size_t i = 0; i < symbol; i++)
        out->symbol[i] = (char)toupper((unsigned char)name[i]);
    memcpy(out->channel, at + 1, len - symbol - 1);
    if (strcmp(out->channel, "depth") == 0 || strncmp(out->channel, "depth@", 6) == 0)
        (void)text_set(out->channel, sizeof out->channel, "depth");
    out->book = strcmp(out->channel, "depth") == 0;
    return true;
}

/* ---- what was recorded ------------------------------------------------------------------------------- */

/* A raw message tells its stream by its kind. */
static bool read_raw(struct json *json, const struct json_node *event, struct played *out)
{
    const struct json_node *type = json_get(json, event, "e");
    *out = (struct played){0};
    if (json_text(json_get(json, event, "s"), out->symbol, sizeof out->symbol) != OK)
        return false;
    if (!type && json_get(json, event, "u") && json_get(json, event, "B"))
        return text_set(out->channel, sizeof out->channel, "bookTicker");
    if (json_is(type, "depthUpdate")) {
        out->book = true;
        return text_set(out->channel, sizeof out->channel, "depth");
    }
    if (json_is(type, "kline")) {
        char interval[8];
        if (json_text(json_get(json, json_get(json, event, "k"), "i"), interval, sizeof interval) != OK)
            return false;
        (void)snprintf(out->channel, sizeof out->channel, "kline_%s", interval);
        return true;
    }
    return json_text(type, out->channel, sizeof out->channel) == OK;
}

static bool read_message(struct json *json, const struct frame *frame, struct played *out)
{
    if (json_parse(json, frame->text, frame->len) != OK)
        return false;
    const struct json_node *event = json_root(json), *stream = json_get(json, event, "stream");
    if (stream) {
        event = json_get(json, event, "data");
        if (!event || stream->kind != JSON_STRING || !read_stream(stream->text, stream->len, out))
            return false;
    } else if (!read_raw(json, event, out)) {
        return false;
    }
    if (out->book) {
        (void)json_u64(json_get(json, event, "U"), &out->first);
        (void)json_u64(json_get(json, event, "u"), &out->last);
        (void)json_u64(json_get(json, event, "pu"), &out->previous);
    }
    return true;
}

static bool read_answer(struct json *json, const struct frame *frame, struct played *out, uint32_t *levels)
{
    struct url url;
    *out = (struct played){.book = true, .snapshot = true};
    if (!url_read(frame->url, &url) || !url_path_ends(&url, "/depth") ||
        !url_query(&url, "symbol", out->symbol, sizeof out->symbol) ||
        json_parse(json, frame->text, frame->len) != OK)
        return false;
    const struct json_node *root = json_root(json), *bids = json_get(json, root, "bids");
    const struct json_node *asks = json_get(json, root, "asks");
    if (!bids || !asks || json_u64(json_get(json, root, "lastUpdateId"), &out->last) != OK)
        return false;
    *levels = bids->size > asks->size ? bids->size : asks->size;
    for (char *c = out->symbol; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return true;
}

/* ---- what clients say -------------------------------------------------------------------------------- */

static void subscribe_path(struct emulated_peer *peer, const char *names, char end)
{
    while (*names && *names != end) {
        size_t len = strcspn(names, "/&?");
        char name[EMULATED_NAME_MAX];
        struct played played;
        if (len < sizeof name && read_stream(names, len, &played)) {
            memcpy(name, names, len);
            name[len] = '\0';
            (void)emulated_subscribe(peer, played.channel, played.symbol, name);
        }
        names += len;
        names += *names == '/';
    }
}

/* /ws, /ws/STREAM[/STREAM...], /stream[?streams=...]; futures may have /public or /market before. */
static void opened(struct emulated_peer *peer, const char *path)
{
    if (strncmp(path, "/public/", 8) == 0 || strncmp(path, "/market/", 8) == 0)
        path += 7;
    if (strncmp(path, "/stream", 7) == 0) {
        const char *streams = strstr(path, "streams=");
        *emulated_style(peer) |= COMBINED;
        if (streams)
            subscribe_path(peer, streams + 8, '&');
    } else if (strncmp(path, "/ws/", 4) == 0) {
        subscribe_path(peer, path + 4, '?');
    }
}

static void put_id(struct words *out, const struct json_node *id)
{
    if (!id || id->kind == JSON_NULL)
        words_add(out, "null");
    else if (id->kind == JSON_STRING)
        words_add(out, "\"%.*s\"", (int)id->len, id->text);
    else
        words_add(out, "%.*s", (int)id->len, id->text);
}

static void refuse(struct words *out, const char *what, const struct json_node *id)
{
    words_clear(out);
    words_add(out, "{\"code\":2,\"msg\":\"Invalid request: %s\",\"id\":", what);
    put_id(out, id);
    words_add(out, "}");
}

static bool change(struct emulated_peer *peer, const struct json *json, const struct json_node *params,
                   bool on)
{
    if (!params || params->kind != JSON_ARRAY)
        return false;
    for (const struct json_node *p = json_first(json, params); p; p = json_after(json, params, p)) {
        char name[EMULATED_NAME_MAX];
        struct played played;
        if (json_text(p, name, sizeof name) != OK)
            return false;
        if (!read_stream(name, strlen(name), &played))
            continue;
        if (!on)
            emulated_unsubscribe(peer, played.channel, played.symbol);
        else if (emulated_subscribe(peer, played.channel, played.symbol, name) != OK)
            return false;
    }
    return true;
}

static void set_property(struct emulated_peer *peer, const struct json *json, const struct json_node *params)
{
    const struct json_node *name = params ? json_first(json, params) : NULL;
    const struct json_node *value = name ? json_after(json, params, name) : NULL;
    if (!json_is(name, "combined") || !value)
        return;
    *emulated_style(peer) &= ~(uint32_t)COMBINED;
    if (value->kind == JSON_TRUE)
        *emulated_style(peer) |= COMBINED;
}

static void list(struct words *out, const struct emulated_peer *peer)
{
    const char *name;
    words_add(out, "[");
    for (uint32_t i = 0; (name = emulated_subscription(peer, i)) != NULL; i++)
        words_add(out, "%s\"%s\"", i ? "," : "", name);
    words_add(out, "]");
}

static void message(struct emulated_peer *peer, struct json *json, const char *text, size_t len)
{
    struct words out = {0};
    const struct json_node *root = json_parse(json, text, len) == OK ? json_root(json) : NULL;
    const struct json_node *method = json_get(json, root, "method"), *params = json_get(json, root, "params");
    const struct json_node *id = json_get(json, root, "id");
    bool on = json_is(method, "SUBSCRIBE"), off = json_is(method, "UNSUBSCRIBE");
    words_add(&out, "{\"result\":");
    if (!root) {
        words_clear(&out);
        words_add(&out, "{\"code\":3,\"msg\":\"Invalid JSON\"}");
    } else if (on || off) {
        if (change(peer, json, params, on)) {
            words_add(&out, "null,\"id\":");
            put_id(&out, id);
            words_add(&out, "}");
        } else {
            refuse(&out, "params must be an array of streams", id);
        }
    } else if (json_is(method, "LIST_SUBSCRIPTIONS")) {
        list(&out, peer);
        words_add(&out, ",\"id\":");
        put_id(&out, id);
        words_add(&out, "}");
    } else if (json_is(method, "SET_PROPERTY")) {
        set_property(peer, json, params);
        words_add(&out, "null,\"id\":");
        put_id(&out, id);
        words_add(&out, "}");
    } else {
        refuse(&out, "unknown method", id);
    }
    if (!out.failed)
        emulated_say(peer, out.at, out.len);
    words_free(&out);
}

/* ---- what goes out ----------------------------------------------------------------------------------- */

/* The payload within a combined message. */
static const char *payload(const char *text, size_t *len)
{
    static const char begin[] = "{\"stream\":\"";
    if (*len < sizeof begin || memcmp(text, begin, sizeof begin - 1) != 0)
        return text;
    const char *data = strstr(text, "\"data\":");
    if (!data)
        return text;
    data += 7;
    *len -= (size_t)(data - text) + 1; /* and the brace at the end */
    return data;
}

static void dress(struct words *out, const char *name, uint32_t style, const char *text, size_t len)
{
    text = payload(text, &len);
    if (style & COMBINED)
        words_add(out, "{\"stream\":\"%s\",\"data\":", name);
    words_put(out, text, len);
    if (style & COMBINED)
        words_put(out, "}", 1);
}

static void put_levels(struct words *out, const struct l2_book *book, enum side side, uint32_t limit,
                       int decimals)
{
    struct level level;
    for (uint32_t i = 0; (limit == 0 || i < limit) && l2_book_level(book, side, i, &level); i++) {
        words_add(out, "%s[\"", i ? "," : "");
        words_decimal(out, level.price, l2_book_price_exp(book), decimals);
        words_add(out, "\",\"");
        words_decimal(out, level.qty, l2_book_qty_exp(book), decimals);
        words_add(out, "\"]");
    }
}

static void put_sides(struct words *out, const struct venue_book *book, uint32_t limit, int decimals)
{
    words_add(out, "\"bids\":[");
    put_levels(out, book->book, SIDE_BUY, limit, decimals);
    words_add(out, "],\"asks\":[");
    put_levels(out, book->book, SIDE_SELL, limit, decimals);
    words_add(out, "]}");
}

static void spot_snapshot(struct words *out, const struct venue_book *book, const struct snapshot_wish *wish)
{
    words_add(out, "{\"lastUpdateId\":%" PRIu64 ",", book->venue_seq);
    put_sides(out, book, wish->limit, 8);
}

static void futures_snapshot(struct words *out, const struct venue_book *book,
                             const struct snapshot_wish *wish)
{
    int64_t ms = wish->venue_time / NS_PER_MS;
    words_add(out, "{\"lastUpdateId\":%" PRIu64 ",\"E\":%" PRId64 ",\"T\":%" PRId64 ",", book->venue_seq, ms,
              ms);
    put_sides(out, book, wish->limit, 0);
}

static void age(struct words *out, const char *text, size_t len, uint64_t id)
{
    static const char key[] = "\"lastUpdateId\":";
    const char *at = strstr(text, key);
    if (!at)
        return;
    at += sizeof key - 1;
    words_put(out, text, (size_t)(at - text));
    words_add(out, "%" PRIu64, id);
    while (isdigit((unsigned char)*at))
        at++;
    words_put(out, at, len - (size_t)(at - text));
}

/* ---- answers ----------------------------------------------------------------------------------------- */

static void fail(struct emulated_request *request, int code, const char *words)
{
    char body[160];
    int len = snprintf(body, sizeof body, "{\"code\":%d,\"msg\":\"%s\"}", code, words);
    emulated_answer(request, 400, body, (size_t)len);
}

static uint32_t depth_weight(bool futures, uint32_t limit)
{
    if (futures)
        return limit <= 50 ? 2 : limit <= 100 ? 5 : limit <= 500 ? 10 : 20;
    return limit <= 100 ? 5 : limit <= 500 ? 25 : limit <= 1000 ? 50 : 250;
}

static void on_depth(struct emulated_request *request, const struct url *url, bool futures)
{
    char symbol[EMULATED_SYMBOL_MAX], text[12];
    uint32_t most = futures ? 1000 : 5000, limit = futures ? 500 : 100;
    if (!url_query(url, "symbol", symbol, sizeof symbol)) {
        fail(request, -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.");
        return;
    }
    if (url_query(url, "limit", text, sizeof text)) {
        unsigned long asked = strtoul(text, NULL, 10);
        if (!isdigit((unsigned char)*text) || asked == 0 || (futures && asked > most)) {
            fail(request, futures ? -4021 : -1100, "Illegal parameter 'limit'.");
            return;
        }
        limit = asked > most ? most : (uint32_t)asked;
    }
    if (!emulated_weigh(request, depth_weight(futures, limit)))
        return;
    if (emulated_knows(emulated_asked(request), symbol))
        emulated_snapshot(request, symbol, limit);
    else
        fail(request, -1121, "Invalid symbol.");
}

static void put_dec(struct words *out, struct dec v)
{
    char text[DEC_TEXT_MAX];
    (void)dec_format(v, text);
    words_add(out, "\"%s\"", text);
}

static void put_filters(struct words *out, const struct inst *inst, bool futures)
{
    words_add(out, "\"filters\":[{\"filterType\":\"PRICE_FILTER\",\"minPrice\":");
    put_dec(out, emulated_tick(inst));
    words_add(out, ",\"maxPrice\":\"1000000000\",\"tickSize\":");
    put_dec(out, emulated_tick(inst));
    words_add(out, "},{\"filterType\":\"LOT_SIZE\",\"minQty\":");
    put_dec(out, emulated_lot(inst));
    words_add(out, ",\"maxQty\":\"1000000000\",\"stepSize\":");
    put_dec(out, emulated_lot(inst));
    words_add(out, futures ? "},{\"filterType\":\"MIN_NOTIONAL\",\"notional\":\"5\"}]"
                           : "},{\"filterType\":\"NOTIONAL\",\"minNotional\":\"5\"}]");
}

static void put_spot(struct words *out, const struct inst *inst)
{
    words_add(out,
              "{\"symbol\":\"%s\",\"status\":\"TRADING\",\"baseAsset\":\"%s\",\"baseAssetPrecision\":8,"
              "\"quoteAsset\":\"%s\",\"quotePrecision\":8,\"quoteAssetPrecision\":8,"
              "\"orderTypes\":[\"LIMIT\",\"LIMIT_MAKER\",\"MARKET\"],\"isSpotTradingAllowed\":true,"
              "\"isMarginTradingAllowed\":false,",
              inst->venue_symbol, inst->base, inst->quote);
    put_filters(out, inst, false);
    words_add(out, ",\"permissions\":[],\"permissionSets\":[[\"SPOT\"]]}");
}

static void put_future(struct words *out, const struct inst *inst)
{
    words_add(
        out,
        "{\"symbol\":\"%s\",\"pair\":\"%s%s\",\"contractType\":\"PERPETUAL\",\"status\":\"TRADING\","
        "\"contractStatus\":\"TRADING\",\"contractSize\":100,\"baseAsset\":\"%s\",\"quoteAsset\":\"%s\","
        "\"marginAsset\":\"%s\",\"pricePrecision\":%d,\"quantityPrecision\":%d,",
        inst->venue_symbol, inst->base, inst->quote, inst->base, inst->quote, inst->settle,
        inst->price_exp < 0 ? -inst->price_exp : 0, inst->qty_exp < 0 ? -inst->qty_exp : 0);
    put_filters(out, inst, true);
    words_add(out, "}");
}

/* symbol=A or symbols=["A","B"], also percent-encoded; neither: all. */
static bool is_asked(const struct url *url, const char *name)
{
    char text[4096], quoted[EMULATED_SYMBOL_MAX + 4];
    if (url_query(url, "symbol", text, sizeof text))
        return strcmp(text, name) == 0;
    if (!url_query(url, "symbols", text, sizeof text))
        return true;
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", name);
    return strstr(text, quoted) != NULL;
}

static void on_exchange_info(struct emulated_request *request, const struct url *url, bool futures)
{
    const struct emulator *emulator = emulated_asked(request);
    const struct inst *inst;
    struct words out = {0};
    uint32_t n = 0;
    char symbol[EMULATED_SYMBOL_MAX];
    if (!emulated_weigh(request, futures ? 1 : 20))
        return;
    if (!futures && url_query(url, "symbol", symbol, sizeof symbol) && !emulated_knows(emulator, symbol)) {
        fail(request, -1121, "Invalid symbol.");
        return;
    }
    words_add(&out,
              "{\"timezone\":\"UTC\",\"serverTime\":%" PRId64
              ",\"rateLimits\":[],\"exchangeFilters\":[],\"symbols\":[",
              emulated_utc_ns(emulator) / NS_PER_MS);
    for (uint32_t i = 0; (inst = emulated_instrument(emulator, i)) != NULL; i++) {
        if (!*inst->symbol || !is_asked(url, inst->venue_symbol))
            continue;
        words_add(&out, n++ ? "," : "");
        if (futures)
            put_future(&out, inst);
        else
            put_spot(&out, inst);
    }
    words_add(&out, "]}");
    emulated_answer(request, out.failed ? 500 : 200, out.failed ? "{}" : out.at, out.failed ? 2 : out.len);
    words_free(&out);
}

static void on_time(struct emulated_request *request)
{
    char body[64];
    int len = snprintf(body, sizeof body, "{\"serverTime\":%" PRId64 "}",
                       emulated_utc_ns(emulated_asked(request)) / NS_PER_MS);
    if (emulated_weigh(request, 1))
        emulated_answer(request, 200, body, (size_t)len);
}

static void route(struct emulated_request *request, const char *path, const char *api, bool futures)
{
    char whole[4096 + 64];
    struct url url;
    (void)snprintf(whole, sizeof whole, "http://emulated%s", path);
    size_t api_len = strlen(api);
    if (!url_read(whole, &url) || url.path_len <= api_len || memcmp(url.path, api, api_len) != 0)
        emulated_answer(request, 404, "{\"code\":-1,\"msg\":\"Not found\"}", 29);
    else if (url_path_ends(&url, "/depth"))
        on_depth(request, &url, futures);
    else if (url_path_ends(&url, "/exchangeInfo"))
        on_exchange_info(request, &url, futures);
    else if (url_path_ends(&url, "/time"))
        on_time(request);
    else if (url_path_ends(&url, "/ping"))
        emulated_answer(request, 200, "{}", 2);
    else
        emulated_answer(request, 404, "{\"code\":-1,\"msg\":\"Not found\"}", 29);
}

static void spot_request(struct emulated_request *request, const char *path)
{
    route(request, path, "/api/v3", false);
}

static void usdm_request(struct emulated_request *request, const char *path)
{
    route(request, path, "/fapi/v1", true);
}

static void coinm_request(struct emulated_request *request, const char *path)
{
    route(request, path, "/dapi/v1", true);
}

/* ---- the venues -------------------------------------------------------------------------------------- */

static const char *const times[] = {"E", "T", NULL};

#define BINANCE_EMULATION(shown_name, venue_name, is_chained, request_fn, snapshot_fn, sends_most,           \
                          weight_most, ping_s)                                                               \
    const struct emulation shown_name = {.venue = venue_name,                                                \
                                         .chained = is_chained,                                              \
                                         .limits = {.sends = sends_most,                                     \
                                                    .sends_ns = NS_PER_SEC,                                  \
                                                    .connects = 300,                                         \
                                                    .connects_ns = 300 * NS_PER_SEC,                         \
                                                    .weight = weight_most,                                   \
                                                    .weight_ns = 60 * NS_PER_SEC,                            \
                                                    .ping_ns = (ping_s)*NS_PER_SEC},                         \
                                         .times = times,                                                     \
                                         .weight_header = "X-MBX-USED-WEIGHT-1M",                            \
                                         .read = read_message,                                               \
                                         .read_answer = read_answer,                                         \
                                         .opened = opened,                                                   \
                                         .message = message,                                                 \
                                         .request = request_fn,                                              \
                                         .dress = dress,                                                     \
                                         .snapshot = snapshot_fn,                                            \
                                         .age = age}

BINANCE_EMULATION(binance_emulation, "binance", false, spot_request, spot_snapshot, 5, 6000, 20);
BINANCE_EMULATION(binance_us_emulation, "binance-us", false, spot_request, spot_snapshot, 5, 1200, 20);
BINANCE_EMULATION(binance_usdm_emulation, "binance-usdm", true, usdm_request, futures_snapshot, 10, 2400,
                  180);
BINANCE_EMULATION(binance_coinm_emulation, "binance-coinm", true, coinm_request, futures_snapshot, 10, 2400,
                  180);
