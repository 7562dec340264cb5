#ifndef SLUICE_VENUES_OKX_EMULATION_H
#define SLUICE_VENUES_OKX_EMULATION_H

#include "venues/emulator/emulation.h"

extern const struct emulation okx_emulation;

#endif
