/* Upbit's books, and what they share while a frame is read. Inside this folder only. */
#ifndef SLUICE_VENUES_UPBIT_BOOK_H
#define SLUICE_VENUES_UPBIT_BOOK_H

#include "lib/base/json.h"
#include "lib/base/table.h"
#include "venues/market.h"
#include "venues/upbit/units.h"

enum { BOOKS_MAX = 4096, NAME_MAX_BYTES = 32 };

struct feed_book {
    struct venue_book shown;
    uint64_t time_ms; /* the venue's time of the frame held; 0 = none */
    uint64_t touched; /* number of the last frame that changed it */
    bool was_live;
    bool announced;
    uint64_t trade_id; /* of the last trade */
    bool tick_told; /* by an instrument file: then it holds, and nothing is made of prices */
    struct dec venue_tick; /* as the venue's own endpoint told it, for the price of that moment; 0 = it did not */
    bool venue_tick_new;   /* it was not held against the table yet */
    bool venue_tick_holds; /* it is not the table's: this market has its own steps */
    bool off_table; /* a price was seen that the table of steps does not allow: it is not this market's */
};

struct venue_market {
    const struct instrument_file *instruments;
    struct market_sink sink;
    struct market_counters counters;
    struct json *json;
    struct table *names; /* code to index of books */
    struct feed_book *books[BOOKS_MAX];
    uint32_t n_books;
    uint32_t changed[BOOKS_MAX]; /* books that the frame at hand changed, in order */
    uint32_t n_changed;
    struct units units; /* of the message at hand */
};

/* Notes what was wrong, and hands the status on. */
int upbit_fail(struct venue_market *self, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Counts a message that has no meaning here; OK. */
int upbit_ignore(struct venue_market *self);

/* The book of a code, made at its first sight; NULL when there can be none. */
struct feed_book *upbit_book_of(struct venue_market *self, const struct json_node *code);

/* Tells the sink of the instrument before the first word about it, and when its exponents or its tick have changed. */
void upbit_announce(struct venue_market *self, struct feed_book *book);

#endif
