/* The four Binance markets: one set of rules in two variants, see NOTES.md. */
#ifndef SLUICE_VENUES_BINANCE_H
#define SLUICE_VENUES_BINANCE_H

#include "venues/market.h"

extern const struct venue_ops binance_spot;  /* "binance" */
extern const struct venue_ops binance_us;    /* "binance-us" */
extern const struct venue_ops binance_usdm;  /* "binance-usdm" */
extern const struct venue_ops binance_coinm; /* "binance-coinm" */

#endif
