/* The connections to one venue: a core without input and output.
 *
 * It spreads the symbols over connections, opens these at the pace that the venue allows, subscribes in batches, keeps
 * each alive and watches it, replaces it before its time is over, and asks over HTTP for instruments and snapshots.
 * What it wants done goes out by struct connector_acts; what happened comes in by the functions below; time is handed
 * in. It is seeded, so that equal inputs give equal acts.
 *
 * A link is a part of the symbols on one lane. It has one connection, and a second one while that is replaced:
 *
 *     none --due--> opening --opened--> subscribing --all sent--> subscribed
 *       ^              |                     |                        |
 *       '---- failed, closed, silent: back-off with full jitter ------'
 *
 * After a failure the next attempt waits for a random time between 0 and 1 s, doubled with each failure in a row up to
 * 60 s; a minute in state subscribed ends the row. Half of what the venue allows of attempts is used, and of REST
 * weight the share that was asked for, a quarter of it at once.
 */
#ifndef SLUICE_SERVICES_FEED_CONNECTOR_H
#define SLUICE_SERVICES_FEED_CONNECTOR_H

#include "venues/market.h"

enum {
    CONNECTOR_LINKS_MAX = 32,
    CONNECTOR_CONNS_MAX = 2 * CONNECTOR_LINKS_MAX,
    CONNECTOR_ASKS_MAX = 4, /* HTTP requests under way */
    CONNECTOR_NO_SYMBOL = -1
};

struct connector;

struct connector_options {
    const struct line *line;
    const char *const *symbols; /* the venue's own names; kept */
    uint32_t n_symbols;
    uint32_t depth;
    bool trades;
    uint32_t symbols_per_connection; /* 0 = as many as the venue allows */
    uint32_t rest_percent;           /* share of the venue's REST weight that may be used */
    int64_t refresh_ns;              /* instruments are asked for again after this time */
    uint64_t seed;
};

/* What the connector has done. conn: 0 to CONNECTOR_CONNS_MAX - 1; a number is used again after its connection has
 * ended. path: behind ws_url or rest_url. */
struct connector_acts {
    void *ctx;
    bool (*connect)(void *ctx, uint32_t conn, const char *path); /* false: it cannot even be begun */
    bool (*send)(void *ctx, uint32_t conn, const char *text, size_t len); /* false: the connection is to be given up */
    void (*ping)(void *ctx, uint32_t conn);
    void (*close)(void *ctx, uint32_t conn, const char *why); /* nothing is heard of it any more */
    bool (*get)(void *ctx, uint32_t ask, const char *path);   /* ask: 0 to CONNECTOR_ASKS_MAX - 1 */
    /* What the market knows of a symbol, by its index in options. */
    enum book_wants (*wants)(void *ctx, uint32_t symbol);
    bool (*flows)(void *ctx, uint32_t symbol, uint32_t conn); /* changes of its book have come by this connection */
    /* For the log. event: "connection-lost", ...; symbol: CONNECTOR_NO_SYMBOL where it is about the venue. */
    void (*tell)(void *ctx, const char *event, int symbol, const char *words);
};

/* NULL: out of memory, or more links than there may be. */
struct connector *connector_new(const struct connector_options *options, const struct connector_acts *acts);
void connector_destroy(struct connector **self);

void connector_on_opened(struct connector *self, uint32_t conn, int64_t now_ns);
/* It could not be opened or has ended, not by our own close. http_status, retry_after_s: 0 = not told. */
void connector_on_closed(struct connector *self, uint32_t conn, const char *why, int http_status, int retry_after_s,
                         int64_t now_ns);
void connector_on_heard(struct connector *self, uint32_t conn, int64_t now_ns); /* anything, pings too */
void connector_on_notice(struct connector *self, uint32_t conn, enum notice notice, const char *detail,
                         int64_t now_ns);
/* The answer to an ask, after its body went to the market. status 0: none came; used_weight -1: not told. */
void connector_on_answer(struct connector *self, uint32_t ask, int status, const char *words, int retry_after_s,
                         int64_t used_weight, int64_t now_ns);

/* Does what is due. Returns the time at which to call again at the latest. */
int64_t connector_on_time(struct connector *self, int64_t now_ns);

/* ---- how it stands ------------------------------------------------------------------------------------ */

enum link_state { LINK_WAITING, LINK_OPENING, LINK_SUBSCRIBING, LINK_UP };

struct link_status {
    enum link_state state;
    bool books, trades;
    bool replacing;         /* a second connection is on its way */
    uint32_t conn, symbols; /* number of the connection; how many symbols it carries */
    uint32_t failures;      /* in a row */
    int64_t until_ns;       /* waiting: for so long at least; up: it will be replaced then, 0 = never */
    uint64_t reconnects;    /* connections that ended and were not replaced before */
    uint64_t replaced;      /* that were */
    const char *why;        /* the last one ended */
};

struct connector_status {
    uint32_t links, links_up, opened; /* opened: connections that are open */
    uint64_t attempts, reconnects, replaced, snapshots, snapshots_failed, resubscribed, refused;
    uint32_t weight_used;       /* own, of the last weight_ns */
    int64_t weight_told;        /* by the venue in its last answer: of all on this address; -1 = never */
    int64_t connects_held_ns;   /* the venue wants no connections until then; 0 = it does not say so */
    int64_t rest_held_ns;       /* no requests */
    uint32_t symbols_without;   /* for which nothing came, or which were refused */
};

void connector_status(struct connector *self, int64_t now_ns, struct connector_status *out);
bool connector_link(const struct connector *self, uint32_t link, struct link_status *out); /* false: no such link */
const char *link_state_text(enum link_state state);

/* Why a symbol has no book yet: "" while nothing is known to be wrong. */
const char *connector_trouble(const struct connector *self, uint32_t symbol);

#endif
