/* What is traded at Kraken: names, steps and fees. Inside this folder only. */
#ifndef SLUICE_VENUES_KRAKEN_TERMS_H
#define SLUICE_VENUES_KRAKEN_TERMS_H

#include "venues/stream.h"

/* Fills in a zeroed inst. */
void kraken_name(const char *venue_symbol, const struct stream_terms *terms, struct inst *inst);

/* The answer of AssetPairs, which stands in self->json. */
int kraken_asset_pairs(struct venue_market *self);

/* The "pairs" of a message of the instrument channel. */
int kraken_pairs(struct venue_market *self, const struct json_node *pairs);

#endif
