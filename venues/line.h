/* How a venue is reached: where it is, what it allows, and the words that subscribe. Facts and texts only: the
 * connections themselves are the feed's (services/feed/connector.h).
 *
 * frame.url of what comes in on a line is always made of the venue's own ws_url or rest_url, also where the config
 * sends the connection elsewhere (an emulator, a proxy): so a capture tells its venue as any recording does.
 */
#ifndef SLUICE_VENUES_LINE_H
#define SLUICE_VENUES_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"

enum { LINE_LANES_MAX = 2, LINE_DEPTHS_MAX = 8, LINE_URL_MAX = 512, LINE_TEXT_MAX = 64 * 1024 };

/* What one connection carries: venues that part books from trades have two. */
struct line_lane {
    const char *path; /* behind ws_url: "/stream", "/ws/v5/public" */
    bool books, trades;
};

/* What the venue allows, as it says it. What is kept of it in hand is the connector's business. */
struct line_limits {
    uint32_t symbols; /* of one connection at the most */
    uint32_t batch;   /* symbols in one request at the most */
    uint32_t sends;   /* own messages on one connection, pings and pongs counted, in sends_ns */
    int64_t sends_ns;
    uint32_t requests; /* of these, ones that subscribe or unsubscribe, in requests_ns; 0 = no bound of their own */
    int64_t requests_ns;
    uint32_t connects; /* attempts to all connections of the venue in connects_ns */
    int64_t connects_ns;
    uint32_t weight; /* of REST requests in weight_ns; where requests are not weighed, each counts 1 */
    int64_t weight_ns;
    uint32_t instruments; /* symbols in one request for instruments; 0 = one answer tells of all there are */
    int64_t life_ns;      /* the venue ends a connection at this age; 0 = it does not */
    int64_t ping_ns;      /* own keep-alive; 0 = none is needed */
    const char *ping;     /* its text; NULL = a WebSocket ping frame */
    int64_t silent_ns;    /* nothing heard, pings counted, for this long: the connection is dead */
};

/* What a request is about. */
struct line_subject {
    const char *const *symbols; /* the venue's own names */
    uint32_t n;
    uint32_t depth; /* levels; one of depths */
    bool books, trades;
    uint64_t id; /* of the request, where the venue has such; a request of several parts: id, id + 1, ... */
};

struct line {
    const char *ws_url, *rest_url; /* "wss://stream.binance.com:9443", "https://api.binance.com": no slash at the end */
    struct line_lane lanes[LINE_LANES_MAX];
    uint32_t n_lanes;
    uint32_t depths[LINE_DEPTHS_MAX]; /* levels that can be asked for, rising; 0 ends them; all zero = one depth only */
    uint32_t usual_depth;
    struct line_limits limits;
    /* A later request on the same connection replaces the earlier one: all symbols of a connection go in one. */
    bool replaces;

    /* Which symbols of ours there can be, in words: "BASE-QUOTE, such as BTC-USDT". */
    const char *symbol_form;

    /* The venue's own name of a symbol: "BTC-USDT" to "BTCUSDT", "BTC-KRW" to "KRW-BTC". E_SYNTAX: not of
     * symbol_form; E_RANGE. */
    int (*venue_symbol)(const char *symbol, char out[32]);

    /* Text number `part` (0, 1, ...) of the words that subscribe to a subject, or that end it. Returns its length; 0:
     * there is no such part; E_RANGE: it does not fit. */
    int (*subscribe)(const struct line_subject *subject, uint32_t part, char *out, size_t cap);
    int (*unsubscribe)(const struct line_subject *subject, uint32_t part, char *out, size_t cap);

    /* Path and query, behind rest_url, of a book's snapshot, and its weight; NULL: snapshots come on the connection. */
    int (*snapshot)(const char *venue_symbol, uint32_t depth, char *out, size_t cap, uint32_t *weight);

    /* The same of the instruments' steps and fees; `part` as above: 0 ends. The answer goes to the market as a frame. */
    int (*instruments)(const struct line_subject *subject, uint32_t part, char *out, size_t cap, uint32_t *weight);
};

#endif
