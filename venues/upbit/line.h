/* How Upbit is reached. Inside this folder only. */
#ifndef SLUICE_VENUES_UPBIT_LINE_H
#define SLUICE_VENUES_UPBIT_LINE_H

#include "venues/line.h"

extern const struct line upbit_line;

#endif
