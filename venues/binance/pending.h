/* Diffs that came before their book's snapshot, in order of receipt, and within bounds: when one too many comes,
 * the oldest go, and a snapshot older than what is left cannot join. */
#ifndef SLUICE_VENUES_BINANCE_PENDING_H
#define SLUICE_VENUES_BINANCE_PENDING_H

#include "venues/binance/rules.h"

enum { PENDING_DIFFS_MAX = 4096, PENDING_CHANGES_MAX = 128 * 1024 };

struct diff {
    struct diff_ids ids;
    int64_t venue_time;
    uint32_t n_changes;
};

struct pending {
    struct diff *diffs;
    uint32_t first_diff, n_diffs, diffs_cap;
    struct l2_change *changes;
    uint32_t first_change, n_changes, changes_cap;
};

/* Number of diffs that had to go for this one; E_FULL when it does not fit alone, or out of memory: then
 * nothing is left. */
int pending_push(struct pending *self, const struct diff *diff, const struct l2_change *changes);

/* The oldest diff, or NULL; its changes are valid until the next push. */
const struct diff *pending_first(const struct pending *self, const struct l2_change **changes);

/* The i-th oldest diff; i < n_diffs. */
const struct diff *pending_at(const struct pending *self, uint32_t i);

void pending_drop(struct pending *self); /* the oldest */
void pending_clear(struct pending *self);
void pending_free(struct pending *self);

#endif
