/* The owner's side of a ledger, from within. Internal to ledger_*.c. */
#ifndef SLUICE_RUNTIME_LEDGER_OWNER_H
#define SLUICE_RUNTIME_LEDGER_OWNER_H

#include "lib/runtime/ledger.h"

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
    uint64_t reported_epoch;  /* a reader holds more than was ever said here; its epoch. 0 = none does */
    uint64_t published, unsent, replayed;

    /* who must have stored what may be freed */
    struct needed {
        char name[24];
        uint64_t pos;
    } needed[LEDGER_NEEDED_MAX];
    int n_needed;
    uint64_t stored_pos; /* by the recorder */

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
