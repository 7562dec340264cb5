/* A snapshot: the state of a core at one place of its own ledger, as messages (proto/dictionary.def) that rebuild it
 * when they are given to a new core in their order. A start then reads the last snapshot and what the ledger has
 * behind it, instead of the whole ledger.
 *
 * It is a file in the journal's directory, "POSITION.snap" with 20 digits, of the journal's own records: written under
 * another name, synced, renamed. One whose end is missing, or that has a record that does not hold, is none: then the one
 * before counts (two are kept), then the whole ledger.
 *
 * It is made in two steps: the messages are encoded into memory while the state stands still, which takes the service's
 * loop some milliseconds; what takes a disk's time, snapshot_write, may be done on another thread.
 */
#ifndef SLUICE_RUNTIME_SNAPSHOT_H
#define SLUICE_RUNTIME_SNAPSHOT_H

#include "lib/base/status.h"
#include "proto/codec.h"

enum { SNAPSHOT_ERROR_MAX = 256, SNAPSHOTS_KEPT = 2 };

/* What a core's snapshot function calls with each message in turn; it copies it. The message's envelope: what the core
 * set there; the place of the snapshot itself is that of the first message, MSG_SNAPSHOT. */
typedef void snapshot_emit_fn(void *ctx, const struct message *m);

struct snapshot_writer;

/* Its buffer grows with what it is given, and is kept for the next snapshot. NULL: out of memory. */
struct snapshot_writer *snapshot_writer_new(void);
void snapshot_writer_destroy(struct snapshot_writer **self);

/* Begins a new one in memory. Between begin and end the state must not change. */
void snapshot_begin(struct snapshot_writer *self);
void snapshot_add(void *writer,
                  const struct message *m); /* a snapshot_emit_fn; errors are told by snapshot_end */

/* Adds the end. With words: E_STATE (no messages, or the first is not MSG_SNAPSHOT with its place), E_RANGE, E_FULL. */
int snapshot_end(struct snapshot_writer *self, char error[SNAPSHOT_ERROR_MAX]);

/* Writes what was ended OK into a journal's directory: writes, syncs, renames, removes all but the newest two. Uses nothing
 * but the writer, so any thread may do it. What it covers must be synced by then. E_IO with words: the snapshot is not
 * there, or not surely, which costs a start time and nothing else. A process that dies within leaves the one before. */
int snapshot_write(const struct snapshot_writer *self, const char *dir, char error[SNAPSHOT_ERROR_MAX]);

/* Gives the messages of the newest whole snapshot at or below `head` to `restore`, MSG_SNAPSHOT first, without
 * MSG_SNAPSHOT_END, after a first pass in which all of it was found to hold. On OK (epoch, pos) is its place: the ledger
 * goes on behind it. E_ABSENT: there is none. E_IO, E_FULL. E_CORRUPT: it changed between the passes, and what was given
 * is no state. In `note` words about damaged ones that were passed over, else "". */
int snapshot_load(const char *dir, uint64_t head_pos, void (*restore)(void *ctx, const struct message *m),
                  void *ctx, uint64_t *epoch, uint64_t *pos, char note[SNAPSHOT_ERROR_MAX]);

/* Place of the older of the two kept: the journal below it is not needed for a start. 0 = there are not two. */
uint64_t snapshot_oldest_pos(const char *dir);

struct snapshot_place {
    uint64_t epoch, pos;
    uint64_t upstream_epoch, upstream_pos; /* as in its MSG_SNAPSHOT */
};

/* The newest whole ones, newest first; reads them through. Returns how many. */
int snapshot_places(const char *dir, struct snapshot_place out[SNAPSHOTS_KEPT]);

/* Removes those of a history that ended: the journal's head is below them. Returns how many; E_IO. */
int snapshot_remove_above(const char *dir, uint64_t head_pos);

/* For who looks at the files: their names; the places of the newest 64, newest first (how many; E_IO); and the messages of
 * one, all of which was found to hold first (E_CORRUPT, E_IO, E_FULL, with words). `each` may be NULL. */
enum { SNAPSHOT_NAME = 32 };
void snapshot_name(uint64_t pos, char out[SNAPSHOT_NAME]);
bool snapshot_of_name(const char *name, uint64_t *pos);
enum { SNAPSHOTS_LISTED = 64 };
int snapshot_list(const char *dir, uint64_t pos[SNAPSHOTS_LISTED]);
int snapshot_read(const char *dir, uint64_t pos, void (*each)(void *ctx, const struct message *m), void *ctx,
                  uint64_t *messages, char why[SNAPSHOT_ERROR_MAX]);

#endif
