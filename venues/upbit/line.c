/* Urls, limits and requests of Upbit: see NOTES.md. */
#include "venues/upbit/line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/market/symbol.h"
#include "venues/line_text.h"

enum { ALL_UNITS = 30 };

static void add_codes(struct line_text *t, const struct line_subject *s, const char *separator,
                      const char *quote)
{
    for (uint32_t i = 0; i < s->n; i++)
        line_add(t, "%s%s%s%s", i ? separator : "", quote, s->symbols[i], quote);
}

/* Books begin with the one that stands now; of trades only new ones are wanted. */
static int subscribe(const struct line_subject *s, uint32_t part, char *out, size_t cap)
{
    struct line_text t = {.at = out, .cap = cap};
    if (part > 0)
        return 0;
    line_add(&t, "[{\"ticket\":\"sluice-%" PRIu64 "\"}", s->id);
    if (s->books) {
        line_add(&t, ",{\"type\":\"orderbook\",\"codes\":[");
        for (uint32_t i = 0; i < s->n; i++) {
            line_add(&t, "%s\"%s", i ? "," : "", s->symbols[i]);
            if (s->depth != ALL_UNITS)
                line_add(&t, ".%u", s->depth);
            line_add(&t, "\"");
        }
        line_add(&t, "]}");
    }
    if (s->trades) {
        line_add(&t, ",{\"type\":\"trade\",\"codes\":[");
        add_codes(&t, s, ",", "\"");
        line_add(&t, "],\"is_only_realtime\":true}");
    }
    line_add(&t, ",{\"format\":\"SIMPLE\"}]");
    return line_finished(&t);
}

/* There is no such word: a request without the code replaces the one with it. */
static int unsubscribe(const struct line_subject *s, uint32_t part, char *out, size_t cap)
{
    (void)s, (void)part, (void)out, (void)cap;
    return 0;
}

static int instruments(const struct line_subject *s, uint32_t part, char *out, size_t cap, uint32_t *weight)
{
    struct line_text t = {.at = out, .cap = cap};
    *weight = 1;
    if (part > 0)
        return 0;
    line_add(&t, "/v1/orderbook/instruments?markets=");
    add_codes(&t, s, ",", "");
    return line_finished(&t);
}

static int venue_symbol(const char *symbol, char out[32])
{
    struct inst inst;
    if (symbol_read(symbol, &inst) != OK || inst.kind != KIND_SPOT)
        return E_SYNTAX;
    int n = snprintf(out, 32, "%s-%s", inst.quote, inst.base);
    return n > 0 && n < 32 ? OK : E_RANGE;
}

/* Five messages a second and a hundred a minute are both kept by five in three seconds. Idle connections live 60 to
 * 120 s; a ping is answered at once. */
const struct line upbit_line = {.ws_url = "wss://api.upbit.com",
                                .rest_url = "https://api.upbit.com",
                                .lanes = {{"/websocket/v1", true, true}},
                                .n_lanes = 1,
                                .depths = {1, 5, 15, 30},
                                .usual_depth = ALL_UNITS,
                                .limits = {.symbols = 200,
                                           .batch = 200,
                                           .sends = 5,
                                           .sends_ns = 3 * NS_PER_SEC,
                                           .connects = 5,
                                           .connects_ns = NS_PER_SEC,
                                           .weight = 10,
                                           .weight_ns = NS_PER_SEC,
                                           .instruments = 20,
                                           .ping_ns = 20 * NS_PER_SEC,
                                           .ping = "PING",
                                           .silent_ns = 45 * NS_PER_SEC},
                                .replaces = true,
                                .symbol_form = "BASE-QUOTE, such as BTC-KRW",
                                .venue_symbol = venue_symbol,
                                .subscribe = subscribe,
                                .unsubscribe = unsubscribe,
                                .instruments = instruments};
