/* How the four Binance markets are reached. Inside this folder only. */
#ifndef SLUICE_VENUES_BINANCE_LINE_H
#define SLUICE_VENUES_BINANCE_LINE_H

#include "venues/line.h"

extern const struct line binance_spot_line;
extern const struct line binance_us_line;
extern const struct line binance_usdm_line;
extern const struct line binance_coinm_line;

#endif
