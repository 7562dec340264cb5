/* The best levels of a book as text, as the venue wrote them: what checksums are made of.
 *
 * A venue writes numbers in one usual form, so their text can be made of the book's mantissas; a level that
 * came in another form is noted as it came. Texts that were made stay until their level changes, so that a
 * message costs its own levels only.
 */
#ifndef SLUICE_VENUES_TOP_TEXT_H
#define SLUICE_VENUES_TOP_TEXT_H

#include "lib/market/l2_book.h"

enum top_text_form {
    TEXT_SHORTEST, /* "PRICE:SIZE", no zeros at the end: "30261:0.5" */
    TEXT_DIGITS /* digits of the price, then of the size, always as many behind the point; no point, no zeros
                   in front: 30261.0 and 0.50 make "30261050" */
};

enum { TOP_TEXT_DEPTH_MAX = 25, TOP_TEXT_LEVEL_MAX = 112 };

struct top_text;

/* depth: levels a side, at most TOP_TEXT_DEPTH_MAX. NULL: out of memory. */
struct top_text *top_text_new(enum top_text_form form, uint32_t depth);
void top_text_destroy(struct top_text **self);
void top_text_clear(struct top_text *self); /* a snapshot begins */

/* A price and a quantity as they came. */
struct top_word {
    struct dec value;
    const char *text;
    size_t len;
};

/* A level is set, or removed when its quantity is 0. E_FULL: out of memory. E_RANGE: a text that is too long
 * to be kept. */
int top_text_note(struct top_text *self, enum side side, const struct top_word *price,
                  const struct top_word *qty);

/* Brings the texts to what the book holds now. */
void top_text_follow(struct top_text *self, const struct l2_book *book);

/* The i-th best level of a side, after top_text_follow; NULL when there is none. TOP_TEXT_LEVEL_MAX bytes may
 * be read. */
const char *top_text_level(const struct top_text *self, enum side side, uint32_t i, uint32_t *len);

#endif
