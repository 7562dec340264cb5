/* Where the market of a run is. It is kept in a file of the run directory: a feed that died rejoins the market where it
 * now is; a run that was stopped, for an hour or over a reboot, goes on where its market had come to.
 *
 * The two are told apart by the session: the boot of this host, and the name that `sluice run` gives anew each time it
 * starts.
 */
#ifndef SLUICE_SERVICES_FEED_MARKET_CLOCK_H
#define SLUICE_SERVICES_FEED_MARKET_CLOCK_H

#include <stdbool.h>

#include "lib/base/clock.h"

struct market_clock {
    double speed;       /* seconds of market time a second; 0 = as fast as the slowest consumer */
    int64_t begin_ns;   /* market time at which the run began */
    int64_t reached_ns; /* market time up to which it was played */
    int64_t anchor_market_ns, anchor_mono_ns; /* market time at a moment of the local clock */
    bool known;                               /* the run has a market time already */
    bool rejoins;                             /* and the market went on without us */
    int fd;
    char session[64];
};

/* Reads the clock of the run in the working directory. E_IO: its file cannot be opened. */
int market_clock_open(struct market_clock *c, double speed, uint64_t boot_id);
void market_clock_close(struct market_clock *c);

/* The market begins at begin_ns, or goes on. Not called before consumers are there. */
void market_clock_start(struct market_clock *c, int64_t begin_ns, struct now now);

/* Market time of now; without a speed, what was reached. */
int64_t market_clock_due(const struct market_clock *c, struct now now);

/* How long until a market time is due. */
int64_t market_clock_wait_ns(const struct market_clock *c, int64_t market_ns, struct now now);

/* Notes how far was played; never goes back. */
void market_clock_reach(struct market_clock *c, int64_t market_ns);

void market_clock_save(const struct market_clock *c);

#endif
