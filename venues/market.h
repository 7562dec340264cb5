/* What a venue's market folder offers: it turns the venue's messages, as received, into books.
 *
 * A venue_market is the protocol state of one venue: its books, its buffers, its counters. It does no I/O:
 * frames go in with the time they were received, and what follows from them comes out by the sink, in order,
 * before the call returns. The same code serves recordings, replay and live sockets.
 *
 * Two connections may carry the same books for a while (the next one is opened before a venue ends the last), so a
 * market knows from which one a book takes its changes. The answer of the venue's instruments endpoint is a frame
 * like any other (FRAME_HTTP): steps and fees of known books change by it, and of books that come later.
 */
#ifndef SLUICE_VENUES_MARKET_H
#define SLUICE_VENUES_MARKET_H

#include "lib/market/instrument.h"
#include "lib/market/l2_book.h"
#include "venues/line.h"

enum frame_kind {
    FRAME_CONNECT, /* a socket was opened: every book it feeds is lost until synchronised again */
    FRAME_WS,      /* a WebSocket message came in */
    FRAME_HTTP,    /* the body of the answer to a GET of url came in */
    FRAME_CLOSE    /* the socket is gone */
};

struct frame {
    enum frame_kind kind;
    uint32_t conn;    /* which socket */
    const char *url;  /* NUL-terminated */
    const char *text; /* as received */
    size_t len;
    int64_t recv_ns; /* UTC */
};

/* A book of the venue, as the sink sees it. Lives as long as the venue_market. */
struct venue_book {
    /* Names and steps; inst.learned tells whether exponents came from the text. inst.symbol is empty where the
     * venue's name cannot be split (a dated future, an unknown quote): such a book has no topic. */
    struct inst inst;
    struct l2_book *book;
    uint64_t venue_seq; /* last update id applied; 0 = the venue has none */
    int64_t venue_time; /* the venue's time of it, ns UTC; 0 = none */
    int64_t recv_ns;    /* receipt of the last frame that changed it */
    uint32_t index;     /* 0, 1, 2, ... within the venue_market */
    uint64_t gaps, resyncs;
    uint64_t checksums; /* that did not hold */
    uint64_t feeds; /* connections that bring its changes now, a bit each (number modulo 64) */
};

/* What a venue says about a connection, beside books. */
enum notice {
    NOTICE_ACCEPTED, /* a subscription is in force */
    NOTICE_REFUSED,  /* a subscription, or a request, was refused: the detail says why */
    NOTICE_LEAVING,  /* the venue will end this connection soon: have another one first */
    NOTICE_ALIVE     /* a heartbeat or the answer to a ping */
};

/* What a frame led to. Any function may be NULL. */
struct market_sink {
    void *ctx;
    void (*instrument)(
        void *ctx, const struct venue_book *book); /* a new instrument appeared, or its exponents widened */
    void (*book)(
        void *ctx,
        const struct venue_book *book); /* its levels or its state changed; once per frame and book */
    void (*best)(void *ctx, const struct venue_book *book,
                 const struct bbo *bbo); /* a best-price message came */
    void (*trade)(void *ctx, const struct venue_book *book, const struct trade *trade);
    void (*notice)(void *ctx, uint32_t conn, enum notice notice, const char *detail);
};

struct market_counters {
    uint64_t frames, malformed, ignored, applied, gaps, resyncs, totals_wrong, snapshots_rejected;
    uint64_t checksums; /* that did not hold */
    uint64_t overflows; /* messages that found the buffer before a snapshot full: the oldest went */
    char last_error[96];
};

struct venue_market;

/* What a book needs before it can be LIVE. */
enum book_wants {
    WANTS_NOTHING,
    WANTS_SNAPSHOT,   /* the answer to line->snapshot */
    WANTS_SUBSCRIPTION /* to be unsubscribed and subscribed again: the venue then sends a snapshot */
};

struct venue_ops {
    const char *name; /* "binance", "binance-usdm", "upbit" */
    bool (*owns_url)(const char *url);
    struct venue_market *(*open)(const struct instrument_file *instruments, const struct market_sink *sink);
    void (*close)(struct venue_market **self);
    /* Takes one frame. OK also for frames that are ignored; E_SYNTAX when it could not be read (counted; whatever
     * it carried is lost, so the next gap will be found). */
    int (*on_frame)(struct venue_market *self, const struct frame *frame);
    const struct market_counters *(*counters)(const struct venue_market *self);
    uint32_t (*books)(const struct venue_market *self);
    const struct venue_book *(*book_at)(const struct venue_market *self, uint32_t index);
    enum book_wants (*wants)(const struct venue_market *self, uint32_t index);
    const struct line *line; /* how it is reached; NULL: recordings only */
};

/* Every venue that is built in, one line each in registry.c; ends with NULL. */
extern const struct venue_ops *const venues_all[];

/* The venue whose url this is; NULL when none knows it. */
const struct venue_ops *venue_of_url(const char *url);
const struct venue_ops *venue_named(const char *name);

#endif
