/* A made-up market for benchmarks of the cores: SYMBOLS instruments at two venues, and what a worker says of them. */
#ifndef SLUICE_BENCH_MARKET_MADE_H
#define SLUICE_BENCH_MARKET_MADE_H

#include "lib/base/clock.h"
#include "lib/runtime/config.h"
#include "lib/runtime/effects.h"

enum { MADE_SYMBOLS = 200, MADE_MIDDLE = 10000 /* ticks of 0.01 */ };

extern const char *const made_venues[2];

void made_instrument(struct message *m, int symbol, int venue);

/* `levels` a side, one tick apart around `middle`, 10 a level. */
void made_book(struct message *m, int symbol, int venue, uint64_t seq, int64_t middle, uint32_t levels,
               struct now now);

void made_hello(struct message *m, const char *worker, uint64_t incarnation);
void made_beat_of_exec(struct message *m, const struct ledger_head *exec, uint64_t upstream_epoch,
                       uint64_t upstream_pos);

/* One unit in at the first venue and out at the second, or back again: at the prices of books around MADE_MIDDLE.
 * assigned: the route's assignment; risk: its ledger's head. */
void made_intent(struct message *m, const struct config *config, const struct message *assigned,
                 const struct ledger_head *risk, uint64_t id, bool entry, struct now now);

/* The number of the symbol of an assignment's first leg. */
int made_symbol_of(const struct assign *assigned);

#endif
