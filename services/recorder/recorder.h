/* The recorder's core: which rows belong into which transaction, and when it ends. It follows both ledgers and
 * marks the market; it has no state of its own but the batch that is open.
 *
 * Effects: STORE (a row), COMMIT (end the transaction at the positions reached), SEND of `stored` to
 * PEER_RISK_LEDGER and PEER_EXEC_LEDGER. Only records at or below the owner's synced position are committed.
 */
#ifndef SLUICE_SERVICES_RECORDER_H
#define SLUICE_SERVICES_RECORDER_H

#include "lib/runtime/config.h"
#include "lib/runtime/effects.h"

struct recorder;

struct recorder *recorder_new(const struct config *config, const char *run);
void recorder_destroy(struct recorder **self);

/* A record of a ledger to be stored, in order per stream. */
void recorder_on_record(struct recorder *self, const struct message *m, struct now now, struct outbox *out);

/* Commits when rows or time say so (config.recorder), or at once with `force`. */
void recorder_on_time(struct recorder *self, bool force, struct now now, struct outbox *out);

/* The open transaction is void (the database went away): what was not committed will come again. */
void recorder_lost(struct recorder *self);

void recorder_status(const struct recorder *self, struct reply *reply); /* rows, commits, positions per stream, rows_open */

#endif
