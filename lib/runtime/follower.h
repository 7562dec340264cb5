/* The subscriber's half of a lossless ledger, as a plain state machine without sockets.
 *
 * It keeps the next position wanted, and says of each record what to do with it, so that each position is
 * applied once, in order, whatever was lost, repeated or came late. Positions compare as (epoch, pos).
 *
 *   CATCHING_UP: the SUB socket is left unread; ranges are asked for by `replay`, `credit` records at a time,
 *                until an answer reaches the owner's head. Then LIVE.
 *   LIVE:        the SUB is read; what it repeats is skipped; a hole sends it back to CATCHING_UP.
 *
 * A new life of the owner begins with an epoch record that names its base. A record of a newer epoch at or below the
 * position wanted that is no such beginning proves that what was applied last never was, though not since when: the
 * follower then asks for ever earlier records until it meets the beginning, and says ROLLBACK there. Where the
 * journal no longer reaches back so far, what cannot be compared any more, and is not known to be on the owner's disk,
 * is dropped and becomes part of the gap.
 */
#ifndef SLUICE_RUNTIME_FOLLOWER_H
#define SLUICE_RUNTIME_FOLLOWER_H

#include "lib/base/clock.h"
#include "proto/message.h"

enum follower_state { FOLLOWER_CATCHING_UP, FOLLOWER_LIVE };

enum follower_verdict {
    FOLLOW_APPLY,    /* apply it: it is the next one */
    FOLLOW_SKIP,     /* had before */
    FOLLOW_HOLE,     /* something is missing before it: do not apply; replay is due */
    FOLLOW_ROLLBACK, /* a new epoch whose base is below what was applied: what is past rollback_pos never was;
                        drop it, rebuild, then offer the record again */
    FOLLOW_FOREIGN   /* an older epoch, or not this stream: ignore */
};

struct follower {
    char stream[16];
    enum follower_state state;
    uint64_t epoch;      /* of the last record applied; 0 = none */
    uint64_t next_pos;   /* first position wanted */
    uint64_t synced_pos; /* on the owner's disk, and of the history we follow: durable only at or below it */
    uint64_t sure_pos;   /* ours is the owner's history up to here: where we began, or rolled back to */
    uint64_t head_pos;   /* the owner's, last heard of */
    uint64_t rollback_pos;   /* with FOLLOW_ROLLBACK: last position that still holds, */
    uint64_t rollback_epoch; /* and its epoch */
    bool rolling_back;       /* ROLLBACK was said, and no record offered since */
    bool loose; /* the epoch of the record before next_pos is not known: at the start, or after a gap */
    uint64_t owner_epoch;    /* the newest epoch heard of; head_pos and the next two are its */
    uint64_t owner_base_pos; /* UINT64_MAX = not heard yet */
    uint64_t owner_synced_pos;
    uint64_t floor_pos; /* oldest position the owner's journal still has, last heard of */
    uint64_t
        probe_pos; /* looking back for where the owner's history parted from ours: next one to ask for; 0 = not */
    uint64_t probe_step;   /* how far the look back goes next */
    uint64_t asked_pos;    /* first position of the last request */
    bool asked;            /* a replay request is under way */
    int64_t asked_mono_ns; /* since when, or when the answer last went on */
    uint64_t applied, skipped, holes, rollbacks,
        lost; /* counters; lost: positions the journal no longer had */
};

/* epoch and pos of the last record already held (0, 0 = nothing). Starts CATCHING_UP. */
void follower_init(struct follower *f, const char *stream, uint64_t epoch, uint64_t pos);

/* What to do with a record, live or replayed. On APPLY the position has moved on. On ROLLBACK it goes back to
 * (rollback_epoch, rollback_pos) with the next record offered, which should be this one again; until then next_pos
 * still tells what was applied. (The whole message, because an epoch record's base decides.) */
enum follower_verdict follower_on_record(struct follower *f, const struct message *m);

/* The end of a replay answer. Returns true when a range below first_pos is gone for good: then gap holds it,
 * and the follower has moved past it. */
bool follower_on_replayed(struct follower *f, const struct replayed *r, struct gap *gap);

/* A beat of the owner: may show a hole at the tail (head above what was applied). */
void follower_on_beat(struct follower *f, const struct envelope *env, const struct beat *beat);

/* True, and a request, when one is due: catching up and none under way for retry_ns. */
bool follower_wants(struct follower *f, struct now now, int64_t retry_ns, uint32_t credit,
                    struct replay *out);

/* Records come as an answer: the retry waits for retry_ns anew, so that an answer that takes its time is not begun again
 * and again. */
void follower_answered(struct follower *f, struct now now);

/* LIVE and nothing known to be missing. */
bool follower_current(const struct follower *f);

#endif
