/* Upbit, Korea and its regions: see NOTES.md. */
#ifndef SLUICE_VENUES_UPBIT_H
#define SLUICE_VENUES_UPBIT_H

#include "venues/market.h"

extern const struct venue_ops upbit;

#endif
