/* Urls, limits and requests of the four Binance markets: see NOTES.md. */
#include "venues/binance/line.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/market/symbol.h"
#include "venues/line_text.h"

/* ---- texts ------------------------------------------------------------------------------------------ */

/* Streams are named in lower case. */
static void add_stream(struct line_text *t, bool *first, const char *symbol, const char *stream)
{
    char name[32];
    size_t n = 0;
    for (; symbol[n] && n + 1 < sizeof name; n++)
        name[n] = (char)tolower((unsigned char)symbol[n]);
    name[n] = '\0';
    line_add(t, "%s\"%s@%s\"", *first ? "" : ",", name, stream);
    *first = false;
}

static int request(const char *method, const struct line_subject *s, bool aggregates, uint32_t part,
                   char *out, size_t cap)
{
    struct line_text t = {.at = out, .cap = cap};
    bool first = true;
    if (part > 0)
        return 0;
    line_add(&t, "{\"method\":\"%s\",\"params\":[", method);
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->books) {
            add_stream(&t, &first, s->symbols[i], "depth@100ms");
            add_stream(&t, &first, s->symbols[i], "bookTicker");
        }
        if (s->trades)
            add_stream(&t, &first, s->symbols[i], "trade");
        if (s->trades && aggregates)
            add_stream(&t, &first, s->symbols[i], "aggTrade");
    }
    line_add(&t, "],\"id\":%" PRIu64 "}", s->id);
    return line_finished(&t);
}

static int spot_subscribe(const struct line_subject *s, uint32_t part, char *out, size_t cap)
{
    return request("SUBSCRIBE", s, false, part, out, cap);
}

static int spot_unsubscribe(const struct line_subject *s, uint32_t part, char *out, size_t cap)
{
    return request("UNSUBSCRIBE", s, false, part, out, cap);
}

/* Of futures the exchange documents the aggregates only, and sends single trades too: where both come, the market
 * takes the single ones. */
static int futures_subscribe(const struct line_subject *s, uint32_t part, char *out, size_t cap)
{
    return request("SUBSCRIBE", s, true, part, out, cap);
}

static int futures_unsubscribe(const struct line_subject *s, uint32_t part, char *out, size_t cap)
{
    return request("UNSUBSCRIBE", s, true, part, out, cap);
}

/* ---- REST ------------------------------------------------------------------------------------------- */

static int depth_path(const char *api, const char *symbol, uint32_t depth, char *out, size_t cap)
{
    struct line_text t = {.at = out, .cap = cap};
    line_add(&t, "%s/depth?symbol=%s&limit=%u", api, symbol, depth);
    return line_finished(&t);
}

static int spot_snapshot(const char *symbol, uint32_t depth, char *out, size_t cap, uint32_t *weight)
{
    *weight = depth <= 100 ? 5 : depth <= 500 ? 25 : depth <= 1000 ? 50 : 250;
    return depth_path("/api/v3", symbol, depth, out, cap);
}

static uint32_t futures_weight(uint32_t depth)
{
    return depth <= 50 ? 2 : depth <= 100 ? 5 : depth <= 500 ? 10 : 20;
}

static int usdm_snapshot(const char *symbol, uint32_t depth, char *out, size_t cap, uint32_t *weight)
{
    *weight = futures_weight(depth);
    return depth_path("/fapi/v1", symbol, depth, out, cap);
}

static int coinm_snapshot(const char *symbol, uint32_t depth, char *out, size_t cap, uint32_t *weight)
{
    *weight = futures_weight(depth);
    return depth_path("/dapi/v1", symbol, depth, out, cap);
}

static int spot_instruments(const struct line_subject *s, uint32_t part, char *out, size_t cap,
                            uint32_t *weight)
{
    struct line_text t = {.at = out, .cap = cap};
    *weight = 20;
    if (part > 0)
        return 0;
    line_add(&t, "/api/v3/exchangeInfo?symbols=%%5B");
    for (uint32_t i = 0; i < s->n; i++)
        line_add(&t, "%s%%22%s%%22", i ? "," : "", s->symbols[i]);
    line_add(&t, "%%5D");
    return line_finished(&t);
}

static int futures_instruments(const char *path, uint32_t part, char *out, size_t cap, uint32_t *weight)
{
    struct line_text t = {.at = out, .cap = cap};
    *weight = 1;
    if (part > 0)
        return 0;
    line_add(&t, "%s", path);
    return line_finished(&t);
}

static int usdm_instruments(const struct line_subject *s, uint32_t part, char *out, size_t cap,
                            uint32_t *weight)
{
    (void)s;
    return futures_instruments("/fapi/v1/exchangeInfo", part, out, cap, weight);
}

static int coinm_instruments(const struct line_subject *s, uint32_t part, char *out, size_t cap,
                             uint32_t *weight)
{
    (void)s;
    return futures_instruments("/dapi/v1/exchangeInfo", part, out, cap, weight);
}

/* ---- names ------------------------------------------------------------------------------------------ */

static int joined(const char *symbol, bool perpetual, const char *end, char out[32])
{
    struct inst inst;
    if (symbol_read(symbol, &inst) != OK || (inst.kind != KIND_SPOT) != perpetual)
        return E_SYNTAX;
    int n = snprintf(out, 32, "%s%s%s", inst.base, inst.quote, end);
    return n > 0 && n < 32 ? OK : E_RANGE;
}

static int spot_symbol(const char *symbol, char out[32])
{
    return joined(symbol, false, "", out);
}

static int usdm_symbol(const char *symbol, char out[32])
{
    return joined(symbol, true, "", out);
}

static int coinm_symbol(const char *symbol, char out[32])
{
    return joined(symbol, true, "_PERP", out);
}

/* ---- the four --------------------------------------------------------------------------------------- */

/* Of 1024 streams a symbol takes three, four of futures. */
#define SPOT_LIMITS(weight_per_minute)                                                                       \
    {                                                                                                        \
        .symbols = 300, .batch = 50, .sends = 5, .sends_ns = NS_PER_SEC, .connects = 300,                    \
        .connects_ns = 300 * NS_PER_SEC, .weight = (weight_per_minute), .weight_ns = 60 * NS_PER_SEC,        \
        .instruments = 20, .life_ns = 24 * 3600 * NS_PER_SEC, .silent_ns = 60 * NS_PER_SEC                   \
    }

/* The server pings every three minutes only, so silence is asked about. */
#define FUTURES_LIMITS                                                                                       \
    {                                                                                                        \
        .symbols = 200, .batch = 50, .sends = 10, .sends_ns = NS_PER_SEC, .connects = 300,                   \
        .connects_ns = 300 * NS_PER_SEC, .weight = 2400, .weight_ns = 60 * NS_PER_SEC,                       \
        .life_ns = 24 * 3600 * NS_PER_SEC, .ping_ns = 20 * NS_PER_SEC, .silent_ns = 60 * NS_PER_SEC          \
    }

const struct line binance_spot_line = {.ws_url = "wss://stream.binance.com:9443",
                                       .rest_url = "https://api.binance.com",
                                       .lanes = {{"/stream", true, true}},
                                       .n_lanes = 1,
                                       .depths = {5, 10, 20, 50, 100, 500, 1000, 5000},
                                       .usual_depth = 1000,
                                       .limits = SPOT_LIMITS(6000),
                                       .symbol_form = "BASE-QUOTE, such as BTC-USDT",
                                       .venue_symbol = spot_symbol,
                                       .subscribe = spot_subscribe,
                                       .unsubscribe = spot_unsubscribe,
                                       .snapshot = spot_snapshot,
                                       .instruments = spot_instruments};

const struct line binance_us_line = {.ws_url = "wss://stream.binance.us:9443",
                                     .rest_url = "https://api.binance.us",
                                     .lanes = {{"/stream", true, true}},
                                     .n_lanes = 1,
                                     .depths = {5, 10, 20, 50, 100, 500, 1000, 5000},
                                     .usual_depth = 1000,
                                     .limits = SPOT_LIMITS(1200),
                                     .symbol_form = "BASE-QUOTE, such as BTC-USD",
                                     .venue_symbol = spot_symbol,
                                     .subscribe = spot_subscribe,
                                     .unsubscribe = spot_unsubscribe,
                                     .snapshot = spot_snapshot,
                                     .instruments = spot_instruments};

const struct line binance_usdm_line = {
    .ws_url = "wss://fstream.binance.com",
    .rest_url = "https://fapi.binance.com",
    .lanes = {{"/public/stream", true, false}, {"/market/stream", false, true}},
    .n_lanes = 2,
    .depths = {5, 10, 20, 50, 100, 500, 1000},
    .usual_depth = 1000,
    .limits = FUTURES_LIMITS,
    .symbol_form = "BASE-QUOTE-PERP, such as BTC-USDT-PERP",
    .venue_symbol = usdm_symbol,
    .subscribe = futures_subscribe,
    .unsubscribe = futures_unsubscribe,
    .snapshot = usdm_snapshot,
    .instruments = usdm_instruments};

const struct line binance_coinm_line = {.ws_url = "wss://dstream.binance.com",
                                        .rest_url = "https://dapi.binance.com",
                                        .lanes = {{"/stream", true, true}},
                                        .n_lanes = 1,
                                        .depths = {5, 10, 20, 50, 100, 500, 1000},
                                        .usual_depth = 1000,
                                        .limits = FUTURES_LIMITS,
                                        .symbol_form = "BASE-USD-PERP, such as BTC-USD-PERP",
                                        .venue_symbol = coinm_symbol,
                                        .subscribe = futures_subscribe,
                                        .unsubscribe = futures_unsubscribe,
                                        .snapshot = coinm_snapshot,
                                        .instruments = coinm_instruments};
