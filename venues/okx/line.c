/* How OKX is reached: see NOTES.md. */
#include <stdio.h>
#include <string.h>

#include "lib/market/symbol.h"
#include "venues/line_text.h"
#include "venues/okx/okx.h"

static int okx_venue_symbol(const char *symbol, char out[32])
{
    struct inst inst;
    if (symbol_read(symbol, &inst) != OK)
        return E_SYNTAX;
    int len = snprintf(out, 32, "%s-%s%s", inst.base, inst.quote, inst.kind == KIND_SPOT ? "" : "-SWAP");
    return len < 32 ? OK : E_RANGE;
}

/* ---- requests --------------------------------------------------------------------------------------- */

static int okx_request(const char *op, const struct line_subject *s, uint32_t part, char *out, size_t cap)
{
    struct line_text t = {.at = out, .cap = cap};
    const char *comma = "";
    if (part > 0)
        return 0;
    line_add(&t, "{\"op\":\"%s\",\"args\":[", op);
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->books)
            line_add(&t, "%s{\"channel\":\"books\",\"instId\":\"%s\"}", comma, s->symbols[i]);
        comma = s->books ? "," : comma;
        if (s->trades)
            line_add(&t, "%s{\"channel\":\"trades\",\"instId\":\"%s\"}", comma, s->symbols[i]);
        comma = ",";
    }
    line_add(&t, "]}");
    return line_finished(&t);
}

static int okx_subscribe(const struct line_subject *s, uint32_t part, char *out, size_t cap)
{
    return okx_request("subscribe", s, part, out, cap);
}

static int okx_unsubscribe(const struct line_subject *s, uint32_t part, char *out, size_t cap)
{
    return okx_request("unsubscribe", s, part, out, cap);
}

static bool is_swap(const char *symbol)
{
    size_t len = strlen(symbol);
    return len > 5 && strcmp(symbol + len - 5, "-SWAP") == 0;
}

/* One answer for each kind of instrument that the subject has. */
static int okx_instruments_path(const struct line_subject *s, uint32_t part, char *out, size_t cap,
                                uint32_t *weight)
{
    static const char *const types[2] = {"SPOT", "SWAP"};
    struct line_text t = {.at = out, .cap = cap};
    bool wanted[2] = {false, false};
    *weight = 1;
    for (uint32_t i = 0; i < s->n; i++)
        wanted[is_swap(s->symbols[i])] = true;
    for (uint32_t type = 0; type < 2; type++) {
        if (!wanted[type] || part-- > 0)
            continue;
        line_add(&t, "/api/v5/public/instruments?instType=%s", types[type]);
        return line_finished(&t);
    }
    return 0;
}

/* 480 requests an hour and connection, of at most 64 KB; 3 connections a second and address; the instruments
 * 20 times in two seconds. Closed after 30 s in which nothing was sent either way: a ping in half of that. */
const struct line okx_line = {.ws_url = "wss://ws.okx.com:8443",
                              .rest_url = "https://www.okx.com",
                              .lanes = {{"/ws/v5/public", true, true}},
                              .n_lanes = 1,
                              .depths = {400},
                              .usual_depth = 400,
                              .limits = {.symbols = 100,
                                         .batch = 50,
                                         .sends = 10,
                                         .sends_ns = NS_PER_SEC,
                                         .requests = 480,
                                         .requests_ns = 3600 * NS_PER_SEC,
                                         .connects = 3,
                                         .connects_ns = NS_PER_SEC,
                                         .weight = 20,
                                         .weight_ns = 2 * NS_PER_SEC,
                                         .ping_ns = 15 * NS_PER_SEC,
                                         .ping = "ping",
                                         .silent_ns = 30 * NS_PER_SEC},
                              .symbol_form = "BASE-QUOTE or BASE-QUOTE-PERP, such as BTC-USDT",
                              .venue_symbol = okx_venue_symbol,
                              .subscribe = okx_subscribe,
                              .unsubscribe = okx_unsubscribe,
                              .instruments = okx_instruments_path};
