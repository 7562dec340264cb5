/* The recorder's core: which rows belong into which transaction, and when it ends. It follows both ledgers; what it
 * has not stored yet waits in fixed room. It has no state of its own: where it goes on, the database says.
 *
 * Effects: STORE (a row), COMMIT (end the transaction at the positions reached), SEND of `stored` to
 * PEER_RISK_LEDGER and PEER_EXEC_LEDGER. Only records at or below the owner's synced position are stored.
 *
 * The database may go away at any moment. Then the open transaction is void (recorder_lost), and once the database is
 * back it says per stream where to go on (recorder_start); records in between are not taken.
 */
#ifndef SLUICE_SERVICES_RECORDER_H
#define SLUICE_SERVICES_RECORDER_H

#include "lib/runtime/config.h"
#include "lib/runtime/effects.h"
#include "services/recorder/store.h"

struct recorder;

enum { RECORDER_STREAMS = 2, RECORDER_WAITING_BYTES = 8 * 1024 * 1024 /* per stream */ };

struct recorder *recorder_new(const struct config *config, const char *run); /* NULL: out of memory */
void recorder_destroy(struct recorder **self);

/* "risk" and "exec": the streams it stores. */
const char *recorder_stream(int index);

/* What the database holds of a stream: records are taken from behind it. Needed for each stream before anything is
 * stored, at start and after recorder_lost. */
void recorder_start(struct recorder *self, const char *stream, uint64_t epoch, uint64_t pos);

/* A record of a ledger to be stored, in order per stream; or a gap in one, as the reader tells it (env.pos 0). Beats are
 * let through. Where there is no room the stream is not taken any more: see recorder_behind. */
void recorder_on_record(struct recorder *self, const struct message *m, struct now now);

/* The owner of a stream has synced up to pos. */
void recorder_on_synced(struct recorder *self, const char *stream, uint64_t pos);

/* Stores and commits when rows or time say so (config.recorder), or at once with `force`; some of it at each call,
 * until it leaves the outbox empty. */
void recorder_on_time(struct recorder *self, bool force, struct now now, struct outbox *out);

/* The positions of the COMMIT that was just asked for: what is expected and what is reached. Returns how many. */
uint32_t recorder_positions(const struct recorder *self, struct store_position positions[RECORDER_STREAMS]);
void recorder_committed(struct recorder *self);

/* The open transaction is void (the database went away): what was not committed must come again. */
void recorder_lost(struct recorder *self);

/* True when a stream had more than there was room for, and all that was taken is stored: it must be read again from
 * behind (epoch, pos). Said once. */
bool recorder_behind(struct recorder *self, const char *stream, uint64_t *epoch, uint64_t *pos);

/* No transaction is begun: something else may have the store. */
bool recorder_between(const struct recorder *self);

/* Nothing waits that may be stored. */
bool recorder_idle(const struct recorder *self);

/* A `stored` of what is committed of a stream; false where nothing is. */
bool recorder_stored(const struct recorder *self, const char *stream, uint64_t *epoch, uint64_t *pos);

/* rows, commits, rows_open, rows_waiting, overruns, gaps, <stream>_pos. */
void recorder_status(const struct recorder *self, struct reply *reply);

#endif
