/* The market that a run plays: the simulated one, or recordings merged in the order of their receipt. Both hand
 * their changes to one sink, so that the feed and the backtest do not know which it is. */
#ifndef SLUICE_VENUES_PLAYER_H
#define SLUICE_VENUES_PLAYER_H

#include "lib/runtime/config.h"
#include "venues/market.h"

struct player;

/* Opens what config.feed.source says. start_ns: market time at which a simulated market begins; recordings bring
 * their own. E_IO, E_SYNTAX, E_ABSENT (no recording named) with words in error. */
int player_open(const struct config *config, int64_t start_ns, const struct market_sink *sink,
                struct player **out, char error[CONFIG_ERROR_MAX]);
void player_close(struct player **self);

/* Market time of the next change; INT64_MAX when the recordings have ended (a simulation never ends). */
int64_t player_next_ns(const struct player *self);

/* Plays the next change into the sink. A frame that cannot be read is counted by its venue. */
void player_step(struct player *self);

/* What was wrong with a recording that ended before its time, in words; "" when nothing was. */
const char *player_damage(const struct player *self);

/* Share done, 0 to 1; 0 for a simulation. */
double player_progress(const struct player *self);

/* Venues that play, for beats and status. Returns their number; names and counters are written up to max. */
struct player_venue {
    const char *name;
    const struct market_counters *counters;
};
uint32_t player_venues(const struct player *self, struct player_venue *out, uint32_t max);

/* Dislocations the simulation has injected so far. */
uint64_t player_dislocations(const struct player *self);

#endif
