/* Where a waterfall is read from. Both work in the run's directory. */
#ifndef SLUICE_TOOLS_LAT_READ_H
#define SLUICE_TOOLS_LAT_READ_H

#include "services/recorder/store.h"
#include "tools/lat_waterfall.h"

/* All of run `into->run`. E_* with words. */
int lat_from_store(struct waterfall *into, struct store *store, char error[STORE_ERROR_MAX]);

struct lat_live;

/* Joins the ledgers of risk and exec and the market, each as a tap does; what was told before it was opened is not counted.
 * E_IO with words. */
int lat_live_open(struct waterfall *into, struct lat_live **out, char error[STORE_ERROR_MAX]);
void lat_live_close(struct lat_live **self);

/* Takes what comes within timeout_ms. */
void lat_live_listen(struct lat_live *self, int timeout_ms);

/* Something came from each ledger since it was opened. */
bool lat_live_heard(const struct lat_live *self);

/* Messages that could not be read. */
uint64_t lat_live_dropped(const struct lat_live *self);

#endif
