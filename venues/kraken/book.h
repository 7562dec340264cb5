/* Kraken's books, in the words of both versions of its protocol. Inside this folder only. */
#ifndef SLUICE_VENUES_KRAKEN_BOOK_H
#define SLUICE_VENUES_KRAKEN_BOOK_H

#include "venues/stream.h"

/* What the two versions share. */
uint32_t kraken_checksum(const struct top_text *text);

/* A snapshot begins, of a subscription of so many levels; 0 = as the venue accepted it. */
void kraken_snapshot(struct venue_market *self, struct stream_book *book, uint32_t channel, uint32_t depth);

/* All of a message's levels are set. E_SYNTAX, with words, for a message that needs a checksum and has none.
 */
int kraken_settle(struct venue_market *self, struct stream_book *book, bool snapshot, uint32_t levels,
                  const struct json_node *checksum);

/* A message of version 1, which stands in self->json: an array, or an object with an "event". */
int kraken_v1_message(struct venue_market *self, const struct json_node *message);

#endif
