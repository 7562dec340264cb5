/* The recorder's own process, catching up with two ledgers that a process of their owner serves. */
#ifndef SLUICE_BENCH_RECORDER_PROCESS_H
#define SLUICE_BENCH_RECORDER_PROCESS_H

#include "bench/recorder_rows.h"
#include "services/recorder/store.h"

struct encoded {
    const void *bytes;
    size_t len;
    int ledger;
};

/* Makes a run directory in `run`, and a process that owns both ledgers in it with n records, and serves them until this
 * process ends; returns once it does. Ends the process with words when it cannot. */
void own_ledgers(const char *run, size_t n, struct encoded (*at)(size_t i));

struct catching_up {
    int64_t began_ns, ended_ns;             /* when the first commit was seen, and the last */
    uint64_t first[LEDGERS], last[LEDGERS]; /* positions stored at these times */
    int64_t cpu_ns;                         /* of the whole process */
};

/* Starts sluice-recorder in the run directory, and ends it when `store`, the same database, has all but the last batch. */
bool catch_up(struct store *store, const char *sink, const char *target, size_t batch_rows,
              struct catching_up *out, char error[STORE_ERROR_MAX]);

#endif
