#ifndef SLUICE_VENUES_UPBIT_EMULATION_H
#define SLUICE_VENUES_UPBIT_EMULATION_H

#include "venues/emulation.h"

extern const struct emulation upbit_emulation;

#endif
