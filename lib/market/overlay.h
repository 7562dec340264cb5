/* A best price that is newer than a book becomes its first level. */
#ifndef SLUICE_MARKET_OVERLAY_H
#define SLUICE_MARKET_OVERLAY_H

#include "proto/message.h"

/* Drops the levels that are better than the best price, and puts it first; a side whose best quantity is 0 is
 * emptied. Times and update id become the best price's. Where it is finer than the book, the book is widened.
 * false, and nothing changed, when their digits fit no common exponent. */
bool book_lay_best(struct book *book, const struct bbo *best);

#endif
