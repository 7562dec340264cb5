/* A strategy worker: a core without input and output that holds routes, evaluates each touched one once per
 * drain, and sends intents.
 *
 * It follows risk's ledger (assignments, route states, decisions) and exec's (fills and adjustments, for
 * balances). It trades only routes whose latest assignment names its own name and incarnation; it waits for the
 * decision on an intent, and for the end of its basket, before the next intent on that route; after a reject it
 * backs off; with no answer within a bound it goes by fresh state.
 */
#ifndef SLUICE_SERVICES_WORKER_H
#define SLUICE_SERVICES_WORKER_H

#include "lib/market/view.h"
#include "lib/runtime/config.h"
#include "lib/runtime/effects.h"
#include "strategies/strategy.h"

struct worker;

struct worker_options {
    const struct config *config; /* outlive the core */
    const struct view *view;
    const struct strategy_ops *strategy;
    const char *run;
    const char *name; /* of the worker */
    uint64_t incarnation;
    uint64_t build;
    uint64_t boot_id; /* 0: time is virtual, nothing is stamped */
};

/* The prefixes of the routes that a worker of this name may take; "" = any. */
const char *worker_pinned(const struct config *config, const char *name);

struct worker *worker_new(const struct worker_options *options,
                          char error[CONFIG_ERROR_MAX]); /* NULL: words in error */
void worker_destroy(struct worker **self);

void worker_on_market(struct worker *self, int index, const struct message *m,
                      struct now now); /* after the view took it */

/* A ledger from its beginning, or the ledger messages of its owner's snapshot, MSG_SNAPSHOT, and the ledger from there.
 * Sums are set by what tells a sum and moved by what tells a change, so nothing counts twice. */
void worker_on_risk(struct worker *self, const struct message *m, struct now now);
void worker_on_exec(struct worker *self, const struct message *m, struct now now);

/* NULL, or in words why it cannot go on: a range of a ledger is lost, so what it holds may be wrong. It then evaluates
 * nothing more and says goodbye; the shell ends, and a new incarnation begins with the owners' present state. */
const char *worker_lost(const struct worker *self);

/* Evaluates every touched route of its own, once; intents leave as EFFECT_SEND to PEER_RISK. Not before both
 * ledgers are current (`current`). */
void worker_decide(struct worker *self, bool current, struct now now, struct outbox *out);

/* Hellos every 250 ms of local time. */
void worker_on_time(struct worker *self, struct now now, struct outbox *out);

/* The last word: goodbye. */
void worker_stop(struct worker *self, struct now now, struct outbox *out);

/* No intent waits for its decision: the market may go on in a paced replay. */
bool worker_quiet(const struct worker *self);

/* Metrics: evaluations, intents, routes (owned), routes_open (that it knows and might own), waiting ... */
void worker_status(const struct worker *self, struct reply *reply);

/* The topics of an instrument the worker needs are told by the shell's subscription to all; see main.c. */

#endif
