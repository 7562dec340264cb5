/* The gate: a core without input and output. Every intent passes here, and only what it accepts is an order.
 *
 * It owns risk's ledger: decisions, assignments, route states, limits, its own state. What it publishes it first
 * applies to itself by risk_apply, the same function that rebuilds it from the ledger, so recovery cannot
 * disagree with life.
 */
#ifndef SLUICE_SERVICES_RISK_H
#define SLUICE_SERVICES_RISK_H

#include "lib/market/view.h"
#include "lib/runtime/config.h"
#include "lib/runtime/effects.h"
#include "lib/runtime/snapshot.h"

struct risk;

struct risk_options {
    const struct config *config; /* outlive the core */
    const struct view *view;     /* kept current by the shell, before risk_on_market */
    const char *run;             /* run id */
    uint64_t boot_id;
};

struct risk *risk_new(const struct risk_options *options); /* NULL: out of memory */
void risk_destroy(struct risk **self);

/* One record of its own ledger, in order: rebuilds, never decides. */
void risk_apply(struct risk *self, const struct message *record);

/* All state that risk_apply and risk_on_exec have built, as messages (lib/runtime/snapshot.h): first MSG_SNAPSHOT with
 * the place in the own ledger, and exec's place up to which exec's ledger is included; then limits, state, workers
 * (one message for each life of a name, the present one last), positions and balances (stream exec), routes (assign,
 * route, the open basket's decision, exec's basket record, what it has filled), adopted orders, tallies.
 * What only this life knows (prices, leases, folded rejects) is not in it. */
void risk_snapshot(const struct risk *self, struct now now, snapshot_emit_fn *emit, void *ctx);

/* One message of a snapshot, in order, into a new core; risk_apply goes on behind its place. */
void risk_restore(struct risk *self, const struct message *m);

/* Exec's record up to which exec's ledger is applied; 0, 0 = none. It is to be followed from behind it. */
void risk_exec_place(const struct risk *self, uint64_t *epoch, uint64_t *pos);

/* Begins a life under a new epoch, after all old records were applied: writes epoch, session, limits, and a
 * state record on first start. */
void risk_start(struct risk *self, uint64_t epoch, struct now now, struct outbox *out);

/* The same life goes on under a new epoch, above its own. */
void risk_begin_epoch(struct risk *self, uint64_t epoch, struct now now, struct outbox *out);

/* A market message was applied to the view and touched instrument `index`: forms routes when it is new. */
void risk_on_market(struct risk *self, int index, struct now now, struct outbox *out);

/* A record of exec's ledger, each once, in order; or exec's beat; or the reader's word that a range is lost: then no
 * entry passes any more, and risk's ledger says so. */
void risk_on_exec(struct risk *self, const struct message *m, struct now now, struct outbox *out);

/* Exec's ledger went back behind what was applied: the process must end, for only another start, from a snapshot at or
 * below what still holds, undoes it. Routes that were told of what never was are then told anew (ROLLED_BACK). */
bool risk_must_restart(const struct risk *self);

/* Nothing is missing of what positions are made of, exec's ledger was read whole in this life, and no route waits for exec to pass a decision that it may take up
 * again: a snapshot may be taken. */
bool risk_is_sound(const struct risk *self);

/* An intent or a hello. Anything else is counted and ignored. */
void risk_on_command(struct risk *self, const struct message *m, struct now now, struct outbox *out);

/* Whether the commands' socket was read empty in this wake-up; before risk_on_time. While it was not, no lease runs
 * out: the hello may be in what waits. */
void risk_on_drained(struct risk *self, bool empty);

/* Leases, the day's roll, folded rejects: at least every 100 ms of local time, after all inputs of the wake-up. */
void risk_on_time(struct risk *self, struct now now, struct outbox *out);

/* halt, resume, reduce, drain (accept nothing more, for a clean stop), stop (writes the closing session records).
 * Other verbs: CONTROL_UNKNOWN_VERB. */
enum control_code risk_on_control(struct risk *self, enum control_verb verb, const char *arg, struct now now,
                                  struct outbox *out);

/* Fills reply->metrics: decisions, accepts, rejects, routes, routes_assigned, workers, evaluations (sum over
 * workers, as last heard), open_baskets, state, day_pnl (1e-6 of the reporting currency), positions ... */
void risk_status(const struct risk *self, struct reply *reply);

const struct ledger_head *risk_head(const struct risk *self);

#endif
