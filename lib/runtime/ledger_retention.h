/* Which segments of a journal may go. Internal to ledger_*.c and its test. */
#ifndef SLUICE_RUNTIME_LEDGER_RETENTION_H
#define SLUICE_RUNTIME_LEDGER_RETENTION_H

#include <stdbool.h>

#include "lib/runtime/journal.h"

/* What a reader has for good. */
struct stored_place {
    uint64_t epoch, pos; /* 0, 0 = nothing told */
    bool may_lack; /* it goes on behind a gap, as the recorder does; who rebuilds itself from it cannot */
};

struct retention {
    uint64_t keep_bytes;   /* above it segments go that nobody needs */
    int64_t keep_ns;       /* older ones too; 0 = age counts for nothing */
    uint64_t hold_bytes;   /* above it those too that only readers lack who may */
    uint64_t snapshot_pos; /* of the older kept snapshot: nothing above it ever goes. 0 = there are not two */
    const struct stored_place *readers;
    int n_readers;
};

struct retention_verdict {
    uint64_t free_pos;      /* what may go ends here; 0 = nothing */
    uint64_t unstored_from; /* first position in it that a reader has not stored; 0 = all is stored */
};

/* Looks at the oldest segment on: `segments` are all but the newest, in order; `newest_bytes` of that. */
struct retention_verdict retention_look(const struct retention *r, const struct journal_segment *segments,
                                        size_t n, uint64_t newest_bytes, int64_t utc_ns);

#endif
