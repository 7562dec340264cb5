/* Books of venues that send a snapshot and then changes of it on the connection itself. What such venues
 * share is here; what their messages look like, and what their checksums are made of, is in their folders.
 *
 * A book takes its changes from the connection, and there the channel, whose snapshot came last: those of any
 * other are ignored, so that two connections may overlap while one replaces the other; shown.feeds has each
 * that has brought a snapshot and still stands. What is wrong makes the book STALE at once; nothing but a
 * snapshot ends that.
 */
#ifndef SLUICE_VENUES_STREAM_H
#define SLUICE_VENUES_STREAM_H

#include "lib/base/json.h"
#include "lib/base/table.h"
#include "venues/market.h"
#include "venues/top_text.h"

enum { STREAM_BOOKS_MAX = 4096, STREAM_NAME_MAX = 32, STREAM_TERMS_MAX = 16384 };

struct stream_book {
    struct venue_book shown;
    struct top_text *text;
    uint32_t conn, channel; /* whose changes it takes */
    uint32_t depth;         /* levels that are kept a side; 0 = all */
    uint32_t next_depth;    /* of a subscription that was accepted, from its snapshot on; 0 = as it is */
    bool synced;            /* a snapshot is loaded, and every change since */
    bool was_live;
    bool was_lost; /* STALE when its snapshot began */
    bool announced;
    uint64_t touched; /* number of the last frame that changed it */
};

/* What the venue's instruments endpoint says of one. What it does not say is 0 and leaves an inst as it was.
 */
struct stream_terms {
    struct dec tick, lot, min_qty, min_notional;
    struct dec taker_bps, maker_bps;
    bool has_fees;
    struct dec multiplier;
    enum contract_kind kind;
    char base[16], quote[16], settle[16];
};

struct stream_rules {
    enum top_text_form form;
    uint32_t checksum_depth; /* levels a side that the checksum is made of */
    /* Fills in a zeroed inst what the name tells; terms: what the venue told of it, NULL = nothing. */
    void (*name)(const char *venue_symbol, const struct stream_terms *terms, struct inst *inst);
    /* Checksum of the texts of a book's best levels. */
    uint32_t (*checksum)(const struct top_text *text);
};

struct venue_market {
    const struct stream_rules *rules;
    const struct instrument_file *instruments;
    struct market_sink sink;
    struct market_counters counters;
    struct json *json;
    struct table *names; /* venue symbol to index of books */
    struct stream_book *books[STREAM_BOOKS_MAX];
    uint32_t n_books;
    uint32_t changed[STREAM_BOOKS_MAX]; /* books that the frame at hand changed, in order */
    uint32_t n_changed;
    struct table *term_names; /* venue symbol to index of terms; NULL until terms are told */
    struct stream_terms *terms;
    const struct frame *frame; /* at hand */
};

struct venue_market *stream_open(const struct stream_rules *rules, const struct instrument_file *instruments,
                                 const struct market_sink *sink);
void stream_close(struct venue_market **self);

/* Around each frame. stream_end tells the sink of the books that changed, and returns what on_frame does. A
 * socket that was opened or closed is dealt with here. */
void stream_begin(struct venue_market *self, const struct frame *frame);
int stream_end(struct venue_market *self, int status);

/* Notes what was wrong, and hands the status on. */
int stream_error(struct venue_market *self, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int stream_ignore(struct venue_market *self);
void stream_notice(struct venue_market *self, enum notice notice, const char *detail);

/* The book of a symbol, made at its first sight; NULL, with words, when there can be none. */
struct stream_book *stream_book_of(struct venue_market *self, const struct json_node *symbol);

/* ---- a book's messages ------------------------------------------------------------------------------- */

/* Whether a change that came by this channel of the connection at hand is one of the book's. */
bool stream_follows(const struct venue_market *self, const struct stream_book *book, uint32_t channel);

/* Empties the book for a snapshot, and follows the channel that it came by. */
void stream_snapshot(struct venue_market *self, struct stream_book *book, uint32_t channel);

/* Sets one level. E_SYNTAX, E_RANGE, E_FULL, with words. */
int stream_level(struct venue_market *self, struct stream_book *book, enum side side,
                 const struct json_node *price, const struct json_node *qty);

/* Cuts both sides to the book's depth: what fell out is not deleted by any message. */
void stream_cut(struct stream_book *book);

/* The whole message is in the book: checksum is what the venue said, NULL where it said none. */
void stream_settle(struct venue_market *self, struct stream_book *book, bool snapshot,
                   const uint32_t *checksum);

/* Of a message of the book that could not be read or applied: hands the status on. */
int stream_spoilt(struct venue_market *self, struct stream_book *book, int status);

/* The levels stay, as the last good ones. */
void stream_lose(struct venue_market *self, struct stream_book *book, enum stale_reason reason);

/* A frame was not readable: nobody knows whose it was, so what has no sequence of its own, by which a loss
 * would be found, is lost. */
void stream_lose_unsequenced(struct venue_market *self);

/* The venue ended a subscription of the connection at hand. */
void stream_unsubscribed(struct venue_market *self, struct stream_book *book, uint32_t channel);

/* Tells a trade of the book. id may be NULL. */
int stream_trade(struct venue_market *self, struct stream_book *book, enum side aggressor,
                 const struct json_node *price, const struct json_node *qty, const struct json_node *id,
                 int64_t venue_time);

/* ---- terms ------------------------------------------------------------------------------------------- */

/* What the venue says of an instrument, now and for books that come later. An instrument file goes before. */
int stream_tell(struct venue_market *self, const char *venue_symbol, const struct stream_terms *terms);

/* ---- what is offered --------------------------------------------------------------------------------- */

const struct market_counters *stream_counters(const struct venue_market *self);
uint32_t stream_books(const struct venue_market *self);
const struct venue_book *stream_book_at(const struct venue_market *self, uint32_t index);
enum book_wants stream_wants(const struct venue_market *self, uint32_t index);

#endif
