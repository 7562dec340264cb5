/* A ledger over sockets and files: the owner's side (journal, PUB, replay ROUTER) and the reader's side (SUB,
 * replay DEALER, follower). What is decided is decided in journal.c and follower.c; here is only the carrying.
 */
#ifndef SLUICE_RUNTIME_LEDGER_H
#define SLUICE_RUNTIME_LEDGER_H

#include "lib/runtime/config.h"
#include "lib/runtime/effects.h"
#include "lib/runtime/follower.h"
#include "lib/runtime/journal.h"
#include "lib/runtime/snapshot.h"
#include "lib/runtime/sockets.h"
#include "proto/codec.h"

enum { LEDGER_ERROR_MAX = 256 };

/* ---- the owner --------------------------------------------------------------------------------------- */

struct ledger;

typedef void ledger_record_fn(void *ctx, const struct message *record);

/* Opens the journal in "journal/NAME" (its lock is taken before anything is bound), hands the messages of its newest
 * whole snapshot to `restore`, MSG_SNAPSHOT first, then every record behind that place to `apply`, in order; then binds.
 * A snapshot above the journal's head, whose tail was lost, is removed. restore NULL: no snapshots, every record goes to
 * apply. zmq NULL: no sockets (backtest). E_BUSY, E_CORRUPT (also: the journal begins later than any snapshot reaches),
 * E_IO with words in error; on OK error may hold a note (a torn tail was cut, a damaged snapshot passed over), else "". */
int ledger_open(const char *name, const struct config *config, void *zmq, ledger_record_fn *apply,
                ledger_record_fn *restore, void *ctx, struct ledger **out, char error[LEDGER_ERROR_MAX]);
void ledger_close(struct ledger **self);

/* An epoch greater than every one before. */
uint64_t ledger_next_epoch(const struct ledger *self);

/* A reader who must have stored a segment (told by MSG_STORED under this name) before it may go. At most
 * four. */
void ledger_needed_by(struct ledger *self, const char *reader);

/* As many records were written since the last snapshot as the config says, and none is under way. */
bool ledger_snapshot_due(const struct ledger *self);
bool ledger_snapshot_stale(const struct ledger *self); /* any record was written since */

/* Begins one: `fill` emits the core's messages, which takes the loop only the time to encode them; a thread then syncs the
 * journal up to there, so that a snapshot is never of what may yet be lost, and writes it. No effect may be under way. On
 * failure, with words, there is none, and the next becomes due as if there were. E_STATE: one is under way. */
int ledger_snapshot_begin(struct ledger *self,
                          void (*fill)(void *ctx, snapshot_emit_fn *emit, void *emit_ctx), void *ctx,
                          char error[LEDGER_ERROR_MAX]);

/* Whether the one that was begun has come to its end: 1 = it is on the disk, and counts from here on; 0 = not yet, or none
 * is under way; E_IO with words: there is none. With `wait` it is waited for. */
int ledger_snapshot_end(struct ledger *self, bool wait, char error[LEDGER_ERROR_MAX]);

/* Frees segments that nobody needs, as journal.keep_mb, keep_hours and hold_mb say: below the older kept snapshot, and
 * stored by every reader of ledger_needed_by. Looks when a segment was begun, and every LEDGER_RETAIN_NS. */
#define LEDGER_RETAIN_NS (5 * NS_PER_SEC)
void ledger_retain(struct ledger *self, struct now now);

/* How far the older of the two kept snapshots includes the other ledger: that much of it this service does not need any
 * more. false: there are not two, or it includes nothing. */
bool ledger_upstream_kept(const struct ledger *self, uint64_t *epoch, uint64_t *pos);

/* A reader reported an epoch above ours, or a position of ours that was never said: the journal is not the one that it
 * followed. *epoch: one above every epoch heard of, with which the core must begin anew. False once it has. */
bool ledger_epoch_due(const struct ledger *self, uint64_t *epoch);

/* The devices of effects.h. */
int ledger_append(void *ledger, struct message *m);
int ledger_write(void *ledger);
int ledger_sync(void *ledger);
int ledger_publish(void *ledger, struct message *m);

/* Sends a beat: head, synced position, and for exec what it has applied of risk's ledger. */
void ledger_beat(struct ledger *self, bool alive, int64_t market_ns, uint64_t upstream_epoch,
                 uint64_t upstream_pos, struct now now);

/* Takes replay requests and `stored`, and gives one waiting request a turn of bounded length; a drain_fn, to be the last
 * source of the loop, which comes back at once while requests wait. */
int ledger_serve(void *ledger, struct now now, int bound);
void *ledger_replay_socket(struct ledger *self);

/* An answer waits for room in its reader's socket, of which nobody tells: ledger_serve is to be called again within
 * LEDGER_STUCK_NS. */
#define LEDGER_STUCK_NS NS_PER_MS
bool ledger_answer_stuck(const struct ledger *self);

uint64_t ledger_stored_pos(const struct ledger *self); /* that the recorder reported */
uint64_t ledger_head_pos(const struct ledger *self);   /* written */
const char *ledger_error(const struct ledger *self);
bool ledger_doubtful(const struct ledger *self); /* journal_doubtful: the process must end */
void ledger_status(const struct ledger *self, struct reply *reply);

/* ---- the reader -------------------------------------------------------------------------------------- */

struct ledger_reader;

/* Follows a ledger from behind (epoch, pos), 0, 0 = from the beginning. apply is called with each record once, in
 * order, and with the owner's beats. E_IO with words in error. */
int ledger_reader_open(const char *name, void *zmq, uint64_t epoch, uint64_t pos,
                       void (*apply)(void *ctx, const struct message *m, struct now now), void *ctx,
                       struct ledger_reader **out, char error[LEDGER_ERROR_MAX]);
/* The same at endpoints of the caller's choosing. */
int ledger_reader_open_at(const char *name, void *zmq, const char *live_endpoint, const char *replay_endpoint,
                          uint64_t epoch, uint64_t pos,
                          void (*apply)(void *ctx, const struct message *m, struct now now), void *ctx,
                          struct ledger_reader **out, char error[LEDGER_ERROR_MAX]);
/* The present state instead of the history: `apply` first gets the ledger messages of the owner's last snapshot as they
 * are (those of an answer that broke off may come twice), then MSG_SNAPSHOT with its place, then each record behind it
 * as always. An owner without a snapshot: each record from the beginning. May be called again, to begin anew. */
void ledger_reader_from_state(struct ledger_reader *self);
void ledger_reader_close(struct ledger_reader **self);

/* Takes what is there; a drain_fn. Both sockets are to be sources of the loop with this drain. */
int ledger_reader_drain(void *reader, struct now now, int bound);
void *ledger_reader_live_socket(struct ledger_reader *self);
void *ledger_reader_replay_socket(struct ledger_reader *self);

/* LIVE and nothing known to be missing. */
bool ledger_reader_current(const struct ledger_reader *self);
const struct follower *ledger_reader_follower(const struct ledger_reader *self);

/* Starts again from behind (epoch, pos). */
void ledger_reader_restart(struct ledger_reader *self, uint64_t epoch, uint64_t pos);

/* Tells the owner what is stored for good. */
int ledger_reader_stored(struct ledger_reader *self, const char *reader, uint64_t epoch, uint64_t pos);

#endif
