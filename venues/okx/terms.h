/* What is traded at OKX: names, contracts, steps and fees. Inside this folder only. */
#ifndef SLUICE_VENUES_OKX_TERMS_H
#define SLUICE_VENUES_OKX_TERMS_H

#include "venues/stream.h"

/* Fills in a zeroed inst. A swap has a symbol only when its terms are known: its quantities are contracts,
 * and how much one is, no name tells. */
void okx_name(const char *venue_symbol, const struct stream_terms *terms, struct inst *inst);

/* The answer of the instruments endpoint, which stands in self->json. */
int okx_instruments(struct venue_market *self);

#endif
