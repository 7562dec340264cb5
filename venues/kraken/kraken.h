/* Kraken's spot market, version 2 of its protocol and version 1: see NOTES.md. */
#ifndef SLUICE_VENUES_KRAKEN_H
#define SLUICE_VENUES_KRAKEN_H

#include "venues/market.h"

extern const struct venue_ops kraken;
extern const struct line kraken_line;

#endif
