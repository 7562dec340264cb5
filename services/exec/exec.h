/* The hand: a core without input and output that follows risk's ledger, turns each accepted decision into a
 * basket of orders, and keeps the basket whole. It owns exec's ledger: orders, fills, baskets, positions and
 * balances (as they are when a basket has ended, and after a late fill), adjustments, how far risk's ledger is taken,
 * and the gaps in it.
 *
 * A basket is journaled whole before its first order is sent, each order before it is sent, and in mode live, or with
 * exec.sync_before_send always, it is on disk before it is sent. The client id is a function of the decision: account, risk epoch,
 * position, leg, attempt.
 *
 * An order of which nothing is known (a restart, no answer) is Unknown and asked for until the venue tells. That the venue
 * does not have it is believed when it is said twice after the order can no more be on its way: past its basket's
 * deadline and the time that an answer may take. One that is then found after all is open again; its basket, if it
 * has ended, is not taken up again but stated anew, parked with what is left unhedged. Nothing is ever sent twice.
 *
 * Records may be lost with the power. What the venue has and the ledger has not is adopted (exec_on_listed): into its
 * basket, or into one that is opened when risk's ledger tells the decision again, or, where risk lost that too, into one
 * without a route (reason UNKNOWN_ROUTE), which sends nothing and is parked with all that it holds.
 */
#ifndef SLUICE_SERVICES_EXEC_H
#define SLUICE_SERVICES_EXEC_H

#include "lib/market/view.h"
#include "lib/runtime/config.h"
#include "lib/runtime/effects.h"
#include "lib/runtime/snapshot.h"
#include "venues/orders.h"

struct exec;

struct exec_options {
    const struct config *config; /* outlive the core */
    const struct view *view;
    const char *run;
    uint64_t boot_id;
};

struct exec *exec_new(const struct exec_options *options); /* NULL: out of memory */
void exec_destroy(struct exec **self);

/* One record of its own ledger, in order: rebuilds, never acts. */
void exec_apply(struct exec *self, const struct message *record);

/* The state at the last record, as messages (lib/runtime/snapshot.h); and back, each in turn, into a new core, which
 * then applies what its ledger has behind. In it are the open baskets and the finished ones that are remembered, each with
 * its orders and the trades booked for them, positions and balances, how far risk's ledger is taken, and figures. */
void exec_snapshot(const struct exec *self, struct now now, snapshot_emit_fn *emit, void *ctx);
void exec_restore(struct exec *self, const struct message *m);

/* Begins a life under a new epoch: writes epoch and session; orders that were open become Unknown, to be asked for
 * (EFFECT_SEND of the order in state Unknown to PEER_VENUE is the question). */
void exec_start(struct exec *self, uint64_t epoch, struct now now, struct outbox *out);

/* One order that the venue lists (LISTED) under our prefix (exec_prefix). At a start, after exec_start and before anything
 * of risk's ledger is read, each is to be handed in: one that our ledger has lost is adopted, never sent again. Orders of
 * others are counted and left alone. E_FULL: there are more than can be followed; then nothing must be sent. */
int exec_on_listed(struct exec *self, const struct order_report *listed, struct now now, struct outbox *out);

/* What the client ids of all our orders begin with: the prefix to ask a venue's list for. */
void exec_prefix(const struct exec *self, char out[36]);

/* Goes on under a greater epoch in the middle of a life: a reader knew of more of our ledger than we do. */
void exec_begin_epoch(struct exec *self, uint64_t epoch, struct now now, struct outbox *out);

/* A market message touched instrument `index`: books the start balances of a new one's currencies (paper). */
void exec_on_market(struct exec *self, int index, struct now now, struct outbox *out);

/* A record of risk's ledger, each once, in order; or a gap in it (position 0), or a beat, of which nothing follows. Orders
 * leave as EFFECT_SEND to PEER_VENUE. The first record of a new epoch is the durable fence: it is on disk before anything
 * of that epoch is acted on, and from then on, in every life, decisions of an older one are refused. */
void exec_on_risk(struct exec *self, const struct message *m, struct now now, struct outbox *out);

/* A venue's report: late, repeated and unknown ones are normal input. */
void exec_on_report(struct exec *self, const struct order_report *report, struct now now, struct outbox *out);

/* Deadlines of baskets: after all inputs of the wake-up. */
void exec_on_time(struct exec *self, struct now now, struct outbox *out);

/* drain, stop (writes the closing session record). */
enum control_code exec_on_control(struct exec *self, enum control_verb verb, const char *arg, struct now now,
                                  struct outbox *out);

/* Metrics: orders, orders_open, fills, baskets, baskets_open, parked, net cash ..., risk_epoch, risk_pos applied. */
void exec_status(const struct exec *self, struct reply *reply);

/* Epoch and position of the last record of risk's ledger that was taken: where it is followed from after a start. In a
 * beat it may be told once the outbox is empty, for it says that an accepted decision at or below it without a basket
 * record was never sent. */
void exec_upstream(const struct exec *self, uint64_t *epoch, uint64_t *pos);
uint32_t exec_open_baskets(const struct exec *self);
const struct ledger_head *exec_head(const struct exec *self);

#endif
