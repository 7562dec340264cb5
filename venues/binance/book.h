/* One Binance book and its diffs: what joins, what waits, what is lost. Inside this folder only. */
#ifndef SLUICE_VENUES_BINANCE_BOOK_H
#define SLUICE_VENUES_BINANCE_BOOK_H

#include "lib/base/json.h"
#include "lib/base/table.h"
#include "venues/binance/pending.h"

enum { BOOKS_MAX = 8192, NAME_MAX_BYTES = 32 };

struct feed_book {
    struct venue_book shown;
    /* Diffs kept while there is no snapshot to join them to; of a synchronised book those of the connection that stands
     * by, so that it can take over without a hole. */
    struct pending pending;
    bool synced;            /* a snapshot is loaded and every diff since was joined */
    bool fresh;             /* no diff was joined since the snapshot */
    bool was_live;
    bool parted; /* every connection that brought diffs is gone: no snapshot helps until one brings them again */
    bool announced;
    bool sends_trades; /* single trades come, so their aggregates would count twice */
    uint32_t source;        /* bit of shown.feeds whose diffs are taken */
    uint32_t standby;       /* of a synchronised book with diffs pending: whose they are */
    uint64_t best_seq;
    uint64_t trade_id; /* of the last trade, or aggregate */
};

struct venue_market {
    const struct binance_rules *rules;
    const struct instrument_file *instruments;
    struct market_sink sink;
    struct market_counters counters;
    struct instrument_file *told; /* by the exchange itself */
    struct json *json;
    int64_t recv_ns;     /* of the frame at hand */
    struct table *names; /* venue symbol to index of books */
    struct feed_book *books[BOOKS_MAX];
    uint32_t n_books;
    struct l2_change *changes; /* levels of the message at hand */
    uint32_t n_changes;
    uint32_t changes_cap;
};

/* Notes what was wrong, and hands the status on. */
int binance_error(struct venue_market *self, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The book of a venue symbol, made at its first sight; NULL when there can be none. */
struct feed_book *binance_book_named(struct venue_market *self, const char *name, size_t len);
void binance_book_free(struct feed_book *book);

/* Tells the sink of the instrument before the first word about it, and when its exponents have changed. */
void binance_book_announce(struct venue_market *self, struct feed_book *book);

/* The book is no longer what the venue has: nothing but a snapshot brings it back. */
void binance_book_lose(struct venue_market *self, struct feed_book *book, enum stale_reason reason);

/* A diff of the book came by this connection: whether it is the one whose diffs are taken. */
bool binance_book_fed(struct feed_book *book, uint32_t conn);

/* A connection was opened anew, or is gone. Another one that stood by takes over; without one the book is lost. */
void binance_book_cut(struct venue_market *self, struct feed_book *book, uint32_t conn);

/* Not synchronised, or crossed. */
bool binance_book_wants_snapshot(const struct feed_book *book);

/* Takes a diff, or a snapshot, whose levels stand in self->changes. What does not join is no error; E_RANGE and
 * E_FULL are, when levels do not fit: then the book is lost. conn: that the diff came by. */
int binance_book_take_diff(struct venue_market *self, struct feed_book *book, const struct diff *diff, uint32_t conn);
int binance_book_take_snapshot(struct venue_market *self, struct feed_book *book, uint64_t last,
                               int64_t venue_time);

#endif
