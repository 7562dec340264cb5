#ifndef SLUICE_VENUES_UPBIT_EMULATION_H
#define SLUICE_VENUES_UPBIT_EMULATION_H

#include "venues/emulator/emulation.h"

extern const struct emulation upbit_emulation;

#endif
