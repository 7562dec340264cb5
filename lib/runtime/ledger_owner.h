/* The owner's side of a ledger, from within. Internal to ledger_*.c. */
#ifndef SLUICE_RUNTIME_LEDGER_OWNER_H
#define SLUICE_RUNTIME_LEDGER_OWNER_H

#include <stdatomic.h>

#include "lib/runtime/ledger.h"
#include "lib/runtime/ledger_answers.h"
#include "lib/runtime/ledger_retention.h"

struct rhythm;

enum { SERVING_MAX = 4 };

struct ledger {
    char name[16];
    char dir[32];
    struct journal *journal;
    /* Where answers ended, so that the next ones go on there: to find a place in a segment is to read up to it. */
    struct serving {
        struct journal_reader *reader;
        uint64_t next;
        bool there;  /* it has passed over all before `next` */
        bool unsent; /* `record` is the one at `next`: read, but its reader's socket took no more */
        struct journal_record record; /* valid until `reader` is read or closed */
        uint64_t used;                /* the least is given up first */
    } serving[SERVING_MAX];
    uint64_t turns;
    void *pub, *replay;
    struct inbox inbox;
    struct decoder *decoder;
    struct drops drops;
    uint64_t epoch, base_pos; /* of this life */
    uint64_t published, unsent, replayed;

    struct answers answers;

    struct retention retention;
    uint64_t freed_unstored; /* positions */
    uint64_t looked_first;   /* the newest segment when retention last looked, */
    int64_t looked_mono_ns;  /* and when that was */

    /* snapshots */
    bool snapshots;          /* this ledger has them */
    uint64_t snapshot_every; /* records */
    uint64_t snapshot_pos;   /* where the last one was tried; */
    uint64_t covered_pos;    /* of the newest that is whole */
    struct snapshot_place places[SNAPSHOTS_KEPT];
    int n_places;
    uint64_t snapshots_written;
    struct snapshot_writer *writer;
    struct rhythm *writing; /* one is under way: encoded, and being written by a thread */
    struct snapshot_place writing_place;
    int64_t begun_mono_ns;
    int64_t encode_ns, snapshot_ns; /* what the last one took of the loop, and until it was on disk */
    int write_status;               /* the thread's, until `write_done` */
    char write_error[SNAPSHOT_ERROR_MAX];
    _Atomic bool write_done;

    unsigned char bytes[MESSAGE_BYTES_MAX];
};

#endif
