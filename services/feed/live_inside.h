/* The parts of the live market. Inside live*.c only. */
#ifndef SLUICE_SERVICES_FEED_LIVE_INSIDE_H
#define SLUICE_SERVICES_FEED_LIVE_INSIDE_H

#include "lib/net/net.h"
#include "services/feed/connector.h"
#include "services/feed/live.h"

enum { NO_BOOK = -1, URL_MAX = LINE_URL_MAX + 128, DETAIL_MAX = 96 };

struct live_venue;

/* One connection, by its number at the connector. */
struct live_socket {
    struct live_venue *venue;
    uint32_t conn;
    struct websocket *ws;
    bool opened;       /* the market was told */
    char url[URL_MAX]; /* the venue's own */
};

/* One request over HTTP. */
struct live_ask {
    struct live_venue *venue;
    uint32_t ask;
    int request;
    char url[URL_MAX];
};

struct live_symbol {
    char symbol[32], name[32]; /* ours, the venue's */
    int book;                  /* its index in the market; NO_BOOK: none yet */
};

struct live_venue {
    struct live *live;
    const struct config_venues *config;
    const struct venue_ops *ops;
    const char *ws_url, *rest_url; /* where it is reached */
    struct venue_market *market;
    struct connector *connector;
    struct net *net;
    struct live_symbol *symbols;
    const char **names; /* of symbols, for the connector */
    uint32_t n_symbols, n_books;
    struct live_socket sockets[CONNECTOR_CONNS_MAX];
    struct live_ask asks[CONNECTOR_ASKS_MAX];
    enum venue_state state;
    uint64_t troubles; /* hash of the symbols that lacked data when they were last named */
};

struct live {
    struct service *service;
    struct feed *core;
    struct live_tap tap;
    struct instrument_file *instruments;
    struct live_venue *venues;
    uint32_t n_venues;
    struct now now; /* of this wake-up */
};

/* live_tell.c: in words why not all is well; "" when it is. */
void live_detail(struct live_venue *v, char out[DETAIL_MAX]);

#endif
