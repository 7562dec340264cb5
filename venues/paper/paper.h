/* The paper venue: matches orders against the live book, one instance for all venues that are papered.
 *
 * An order sent at market time t is matched at t + latency against the book as it then stands: it takes what
 * is there down to its limit, and what it took stays taken until that book changes again. IOC: the rest is
 * canceled; FOK: all or nothing; GTC is treated as IOC and said so in the docs. Fees are the instrument's taker fee
 * (or the config's), in the quote currency. Balances are checked for spot instruments: an order that cannot be
 * paid is rejected (NO_BALANCE). A STALE book fills nothing (REJECT, DATA_STALE).
 *
 * It keeps an append-only log of its own, one line an event, written before it answers; its format and its sums
 * share no code with exec's ledger, so that one can be held against the other. At start the log is read back:
 * trade ids go on, an order it has is never taken twice (the old answer is given again), look-ups by client id work.
 */
#ifndef SLUICE_VENUES_PAPER_H
#define SLUICE_VENUES_PAPER_H

#include "lib/base/clock.h"
#include "lib/market/view.h"
#include "lib/runtime/config.h"
#include "venues/orders.h"

struct paper;

struct paper_log {
    void *ctx;
    int (*write)(void *ctx, const char *line,
                 size_t len); /* whole lines, those of one outcome together, at once or
                                                              not at all; OK or E_IO: then nothing is answered, and it
                                                              is tried again */
    int (*checkpoint)(void *ctx, const char *text,
                      size_t len); /* keeps a text, NUL-terminated, in place of the one
                                                              before, or not at all; NULL: none are made */
};

typedef void paper_report_fn(void *ctx, const struct order_report *report);

/* view: the market it matches against; outlives the paper venue. orders: how many it remembers for look-ups. */
struct paper *paper_new(const struct config *config, const struct view *view, uint32_t orders,
                        struct paper_log log);
void paper_destroy(struct paper **self);

/* Reads one line of its own log back, at start. E_SYNTAX. */
int paper_restore(struct paper *self, const char *line, size_t len);

/* At start, before the lines: a checkpoint, which stands for that many bytes of the log; the lines behind them follow.
 * E_SYNTAX: it is not whole (both), or a line cannot be read (then the venue is to be made anew). */
int paper_checkpoint_offset(const char *text, size_t len, uint64_t *offset);
int paper_restore_checkpoint(struct paper *self, const char *text, size_t len);

/* What a venue account starts with: the config's first balance entry that fits, else paper.start_balance. */
money paper_start_balance(const struct config *config, const char *venue, const char *currency);

/* Takes an order (state PendingNew); it becomes due at now.market_ns + latency. A client id it knows is answered
 * again with what is known of it. */
void paper_submit(struct paper *self, const struct order *order, struct now now);

/* Matches everything due at now.market_ns, in order of due time; reports in order. Returns the market time of the
 * next due order, INT64_MAX when none waits. */
int64_t paper_run(struct paper *self, struct now now, paper_report_fn *report, void *ctx);

/* Answers what is known of a client id: its fills and DONE, or NOT_FOUND. */
void paper_look_up(struct paper *self, const char *venue, const char *client_id, paper_report_fn *report,
                   void *ctx);

/* Tells (LISTED) each order it remembers whose client id begins with `prefix`. */
void paper_list(const struct paper *self, const char *prefix, paper_report_fn *report, void *ctx);

/* Market time of the next due order; INT64_MAX when none waits. */
int64_t paper_next_ns(const struct paper *self);

uint32_t paper_waiting(const struct paper *self);

#endif
