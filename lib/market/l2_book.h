/* A full-depth order book as a venue's messages build it.
 *
 * States: STALE (with a reason; how a book begins, reason no-snapshot) and LIVE. Only a snapshot, or on
 * venues whose every frame is whole any frame, makes it LIVE; the venue's rules decide, this is the store.
 *
 * Prices and quantities are mantissas at the book's own exponents. They start at the instrument's where it
 * is known, else at what the first text shows; a finer value widens the whole book to its exponent, so no
 * digit is ever lost. When a value fits at no exponent the update is refused (E_RANGE).
 *
 * Each side is a ladder of short blocks in the order of price, so that a change costs the same at any depth.
 * Levels per side are bounded by L2_LEVELS_MAX (E_FULL beyond).
 */
#ifndef SLUICE_MARKET_L2_BOOK_H
#define SLUICE_MARKET_L2_BOOK_H

#include "lib/base/decimal.h"
#include "proto/message.h"

enum { L2_LEVELS_MAX = 65536 };

struct l2_book;

struct l2_book *l2_book_new(void); /* STALE, empty; NULL when out of memory */
void l2_book_destroy(struct l2_book **self);

/* Fixes the exponents that the instrument's steps imply; later values may still widen them. */
int l2_book_set_exponents(struct l2_book *self, int price_exp, int qty_exp);
int l2_book_price_exp(const struct l2_book *self);
int l2_book_qty_exp(const struct l2_book *self);

/* Forgets all levels and makes the book STALE. */
void l2_book_clear(struct l2_book *self, enum stale_reason reason);
void l2_book_set_live(struct l2_book *self);
void l2_book_set_stale(struct l2_book *self, enum stale_reason reason); /* keeps the levels */
enum book_state l2_book_state(const struct l2_book *self);
enum stale_reason l2_book_reason(const struct l2_book *self);

/* Sets the quantity at a price; qty 0 removes the level (removing one that is not held is normal).
 * E_RANGE: price <= 0, qty < 0, or digits that fit nowhere. E_FULL. On error the book is unchanged. */
int l2_book_set(struct l2_book *self, enum side side, struct dec price, struct dec qty);

/* One level, as a message names it. */
struct l2_change {
    struct dec price;
    struct dec qty;
    enum side side;
};

/* Sets many levels, one after the other, as l2_book_set would, but faster. At the first error it ends: what
 * stands before is set. */
int l2_book_apply(struct l2_book *self, const struct l2_change *changes, uint32_t n);

/* Number of levels of a side: SIDE_BUY bids, SIDE_SELL asks. */
uint32_t l2_book_depth(const struct l2_book *self, enum side side);

/* Level i of a side, 0 = best; false when there is none. */
bool l2_book_level(const struct l2_book *self, enum side side, uint32_t i, struct level *out);

/* Best bid at or above best ask. */
bool l2_book_crossed(const struct l2_book *self);

/* Writes the best `depth` levels a side (at most 50), exponents, state and reason into a book message body;
 * names, ids and times are the caller's. */
void l2_book_top(const struct l2_book *self, uint32_t depth, struct book *out);

/* "BIDPRICE BIDSIZE ASKPRICE ASKSIZE", "-" for an empty side, as normalised decimals. Returns the length. */
size_t l2_book_best_text(const struct l2_book *self, char *out, size_t cap);

#endif
