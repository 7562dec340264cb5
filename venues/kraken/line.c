/* How Kraken is reached: see NOTES.md. */
#include <inttypes.h>
#include <stdio.h>

#include "lib/market/symbol.h"
#include "venues/kraken/kraken.h"
#include "venues/line_text.h"

static int kraken_venue_symbol(const char *symbol, char out[32])
{
    struct inst inst;
    if (symbol_read(symbol, &inst) != OK || inst.kind != KIND_SPOT)
        return E_SYNTAX;
    int len = snprintf(out, 32, "%s/%s", inst.base, inst.quote);
    return len < 32 ? OK : E_RANGE;
}

/* A request has one channel. */
static int kraken_request(const char *method, const struct line_subject *s, uint32_t part, char *out,
                          size_t cap)
{
    struct line_text t = {.at = out, .cap = cap};
    bool book = s->books && part == 0;
    if (part >= (uint32_t)s->books + (uint32_t)s->trades)
        return 0;
    line_add(&t, "{\"method\":\"%s\",\"params\":{\"channel\":\"%s\",\"symbol\":[", method,
             book ? "book" : "trade");
    for (uint32_t i = 0; i < s->n; i++)
        line_add(&t, "%s\"%s\"", i ? "," : "", s->symbols[i]);
    line_add(&t, "]");
    if (book)
        line_add(&t, ",\"depth\":%u", s->depth);
    if (*method == 's')
        line_add(&t, ",\"snapshot\":%s", book ? "true" : "false");
    line_add(&t, "},\"req_id\":%" PRIu64 "}", s->id + part);
    return line_finished(&t);
}

static int kraken_subscribe(const struct line_subject *s, uint32_t part, char *out, size_t cap)
{
    return kraken_request("subscribe", s, part, out, cap);
}

static int kraken_unsubscribe(const struct line_subject *s, uint32_t part, char *out, size_t cap)
{
    return kraken_request("unsubscribe", s, part, out, cap);
}

/* One answer tells of all pairs. */
static int kraken_instruments(const struct line_subject *s, uint32_t part, char *out, size_t cap,
                              uint32_t *weight)
{
    struct line_text t = {.at = out, .cap = cap};
    (void)s;
    *weight = 1;
    if (part > 0)
        return 0;
    line_add(&t, "/0/public/AssetPairs");
    return line_finished(&t);
}

/* The usual depth is that of the checksum: then no level is outside it. 150 connections in ten minutes and
 * address; a heartbeat comes each second. What a connection may send and carry is not told: these are modest.
 */
const struct line kraken_line = {.ws_url = "wss://ws.kraken.com",
                                 .rest_url = "https://api.kraken.com",
                                 .lanes = {{"/v2", true, true}},
                                 .n_lanes = 1,
                                 .depths = {10, 25, 100, 500, 1000},
                                 .usual_depth = 10,
                                 .limits = {.symbols = 100,
                                            .batch = 50,
                                            .sends = 10,
                                            .sends_ns = NS_PER_SEC,
                                            .connects = 150,
                                            .connects_ns = 600 * NS_PER_SEC,
                                            .weight = 1,
                                            .weight_ns = NS_PER_SEC,
                                            .ping_ns = 30 * NS_PER_SEC,
                                            .ping = "{\"method\":\"ping\"}",
                                            .silent_ns = 5 * NS_PER_SEC},
                                 .symbol_form = "BASE-QUOTE, such as BTC-USD",
                                 .venue_symbol = kraken_venue_symbol,
                                 .subscribe = kraken_subscribe,
                                 .unsubscribe = kraken_unsubscribe,
                                 .instruments = kraken_instruments};
