/* What the exchange says besides market data: acknowledgements, refusals, its own going, and its instruments. Inside this
 * folder only. */
#ifndef SLUICE_VENUES_BINANCE_ANSWERS_H
#define SLUICE_VENUES_BINANCE_ANSWERS_H

#include "venues/binance/book.h"

/* A message that is no market data, parsed already: a notice where it is one. */
int binance_say(struct venue_market *self, const struct frame *frame);

/* The answer of the instruments' endpoint: steps of known books change, and of those that come later. */
int binance_take_instruments(struct venue_market *self, const struct frame *frame);

#endif
