/* The plots of a soak: soak.svg (memory), soak-latency.svg, soak-queues.svg. */
#ifndef SLUICE_TOOLS_BENCH_SOAK_PLOT_H
#define SLUICE_TOOLS_BENCH_SOAK_PLOT_H

#include "tools/bench_track.h"

/* Into the directory. E_IO; E_FULL: out of memory. */
int soak_plot(const struct track *track, const char *dir);

#endif
