#ifndef SLUICE_VENUES_BINANCE_EMULATION_H
#define SLUICE_VENUES_BINANCE_EMULATION_H

#include "venues/emulator/emulation.h"

extern const struct emulation binance_emulation, binance_us_emulation, binance_usdm_emulation,
    binance_coinm_emulation;

#endif
