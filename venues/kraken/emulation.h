#ifndef SLUICE_VENUES_KRAKEN_EMULATION_H
#define SLUICE_VENUES_KRAKEN_EMULATION_H

#include "venues/emulator/emulation.h"

extern const struct emulation kraken_emulation;

#endif
