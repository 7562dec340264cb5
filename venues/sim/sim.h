/* The simulated market: two venues, N symbols each, seeded; equal seeds give equal markets.
 *
 * Spreads, update rates, depth and sizes are drawn from statistics of real markets (calibration, a parameter
 * file that is built in). Prices of one base at the two venues follow one another; at a stated rate they part
 * for a while (dislocations), so that there is something to trade. It is not a model of any real venue's
 * profit, and the screen says so.
 */
#ifndef SLUICE_VENUES_SIM_H
#define SLUICE_VENUES_SIM_H

#include "lib/runtime/config.h"
#include "venues/market.h"

struct sim;

/* start_ns: market time of the first change. E_IO, E_SYNTAX with words in error. */
int sim_open(const struct config *config, int64_t start_ns, const struct market_sink *sink, struct sim **out,
             char error[CONFIG_ERROR_MAX]);
void sim_close(struct sim **self);

/* The two venues' names, "sim-a" and "sim-b"; the venue of a book is in its inst. */

/* Market time of the next change. */
int64_t sim_next_ns(const struct sim *self);

/* Makes the next change: calls the sink for each book it touches. At the first calls every instrument and book
 * appears. */
void sim_step(struct sim *self);

uint64_t sim_dislocations(const struct sim *self); /* injected so far */
const struct market_counters *sim_counters(const struct sim *self);

#endif
