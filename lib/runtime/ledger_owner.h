/* The owner's side of a ledger, from within. Internal to ledger_*.c. */
#ifndef SLUICE_RUNTIME_LEDGER_OWNER_H
#define SLUICE_RUNTIME_LEDGER_OWNER_H

#include "lib/runtime/ledger.h"
#include "lib/runtime/ledger_answers.h"
#include "lib/runtime/ledger_retention.h"

struct ledger {
    char name[16];
    char dir[32];
    struct journal *journal;
    struct journal_reader
        *serving; /* where the last replay answer ended, so that the next one goes on there */
    uint64_t serving_next;
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
    int64_t snapshot_ns; /* how long the last one took */

    unsigned char bytes[MESSAGE_BYTES_MAX];
};

#endif
