/* What the owner of a ledger answers to its readers, decided without sockets or files: whose turn it is, what range the
 * answer holds, what its end says, what readers have stored, and whether one of them knows of more than the owner does.
 *
 * Requests wait in a bounded queue, one of each reader: a newer one takes the place of an older. They have turns of
 * at most ANSWERS_SLICE records, so that no reader holds up another, or the owner's own work. What finds no room is
 * forgotten: a reader asks again.
 *
 * A reader whose socket takes no more is stuck: its answer, or the end of it, is tried again in a moment, and given up
 * when nothing has gone through for ANSWERS_STUCK_NS. Until then it holds up nobody.
 */
#ifndef SLUICE_RUNTIME_LEDGER_ANSWERS_H
#define SLUICE_RUNTIME_LEDGER_ANSWERS_H

#include <stddef.h>

#include "lib/base/clock.h"
#include "lib/runtime/ledger_retention.h"
#include "proto/message.h"

enum {
    ANSWERS_MAX = 32,
    ANSWERS_SLICE = 256,
    ANSWERS_CREDIT = 8192, /* half of what the sockets hold on their way (sockets.c) */
    ANSWERS_IDENTITY = 256,
    ANSWERS_NEEDED = 4
};

#define ANSWERS_AGAIN_NS NS_PER_MS
#define ANSWERS_STUCK_NS NS_PER_SEC

/* Epochs that a reader may be ahead of the owner and be believed. */
#define ANSWERS_EPOCHS_AHEAD (UINT64_C(1) << 32)

/* The ledger as it stands. */
struct ledger_figures {
    uint64_t epoch, base_pos; /* of this life */
    uint64_t first_pos;       /* oldest in the journal; 0 = it is empty */
    uint64_t head_pos;        /* last written */
    uint64_t synced_pos;
};

struct answers {
    struct waiting {
        unsigned char identity[ANSWERS_IDENTITY];
        size_t identity_len; /* 0 = free */
        bool snapshot;
        uint64_t next; /* record to be sent next; 0 = nothing was asked for */
        uint32_t sent, left;
        int64_t stuck_mono_ns,
            again_mono_ns; /* since when nothing goes through, and the next try; 0 = it does */
    } waiting[ANSWERS_MAX];
    int turn; /* whose turn comes next, at the earliest */

    uint64_t reported_epoch; /* of a reader that holds more than was ever said here; 0 = none does */

    char needed[ANSWERS_NEEDED][24];            /* readers that count, */
    struct stored_place stored[ANSWERS_NEEDED]; /* and what each has told: never of more than was said */
    int n_needed;
    uint64_t recorder_pos; /* stored by the recorder, of our history */
};

enum answers_heard {
    ANSWERS_NO_NEWS,
    ANSWERS_READER_AHEAD, /* the first to show that a reader holds more than was ever said here */
    ANSWERS_UNBELIEVABLE /* it says that of an epoch no owner can have come to: it is answered, and not believed */
};

/* A reader's request. */
enum answers_heard answers_ask(struct answers *a, const void *identity, size_t identity_len,
                               const struct replay *ask, const struct ledger_figures *f);

/* What a reader says it has for good. */
void answers_stored(struct answers *a, const struct stored *stored, const struct ledger_figures *f);

/* The epoch with which the owner must begin anew because a reader knows of more; 0 = it need not. */
uint64_t answers_epoch_due(const struct answers *a, const struct ledger_figures *f);

bool answers_waiting(const struct answers *a,
                     int64_t mono_ns);       /* one that is not stuck, or due to be tried */
bool answers_stuck(const struct answers *a); /* one that is to be tried again */

/* A turn: what to send to whom. Of a snapshot: all of it. n may be 0: only the end is to be said. */
struct turn {
    int index;
    const void *identity;
    size_t identity_len;
    bool snapshot;
    uint64_t from;
    uint32_t n;
};
bool answers_turn(struct answers *a, const struct ledger_figures *f, int64_t mono_ns, struct turn *out);

/* How much went through, fewer than n only where no more could be read. True: the answer ends here, with `out`; its
 * caller adds a snapshot's place, and says answers_drop once that is sent, else answers_hold. */
bool answers_sent(struct answers *a, const struct turn *turn, uint32_t sent, const struct ledger_figures *f,
                  struct replayed *out);

/* Its reader's socket took no more, after `sent` records of this turn. */
void answers_hold(struct answers *a, const struct turn *turn, uint32_t sent, int64_t mono_ns);

/* The answer is over; without an end its reader asks again. */
void answers_drop(struct answers *a, const struct turn *turn);

#endif
