/* OKX, version 5 of its protocol: see NOTES.md. */
#ifndef SLUICE_VENUES_OKX_H
#define SLUICE_VENUES_OKX_H

#include "venues/market.h"

extern const struct venue_ops okx;
extern const struct line okx_line;

#endif
