/* Two arrays used as queues: what is taken from the front is made up by moving the rest when room is needed.
 */
#include "venues/binance/pending.h"

#include <stdlib.h>
#include <string.h>

const struct diff *pending_at(const struct pending *self, uint32_t i)
{
    return &self->diffs[self->first_diff + i];
}

const struct diff *pending_first(const struct pending *self, const struct l2_change **changes)
{
    if (self->n_diffs == 0)
        return NULL;
    *changes = &self->changes[self->first_change];
    return pending_at(self, 0);
}

void pending_drop(struct pending *self)
{
    uint32_t n = pending_at(self, 0)->n_changes;
    self->first_diff++;
    self->n_diffs--;
    self->first_change += n;
    self->n_changes -= n;
    if (self->n_diffs == 0)
        pending_clear(self);
}

void pending_clear(struct pending *self)
{
    self->first_diff = self->n_diffs = 0;
    self->first_change = self->n_changes = 0;
}

void pending_free(struct pending *self)
{
    free(self->diffs);
    free(self->changes);
    memset(self, 0, sizeof *self);
}

/* Room for `more` items behind the n held from *first on. */
static bool make_room(void **items, size_t size, uint32_t *first, uint32_t n, uint32_t more, uint32_t *cap)
{
    if (*first + n + more <= *cap)
        return true;
    if (*first > 0) {
        memmove(*items, (char *)*items + *first * size, n * size);
        *first = 0;
    }
    /* Half of it stays free, so that the moving above is rare. */
    if ((n + more) * 2 <= *cap)
        return true;
    uint32_t grown = *cap ? *cap : 16;
    while (grown < (n + more) * 2)
        grown *= 2;
    void *at = realloc(*items, grown * size);
    if (!at)
        return n + more <= *cap;
    *items = at;
    *cap = grown;
    return true;
}

int pending_push(struct pending *self, const struct diff *diff, const struct l2_change *changes)
{
    int dropped = 0;
    while (self->n_diffs > 0 &&
           (self->n_diffs == PENDING_DIFFS_MAX || self->n_changes + diff->n_changes > PENDING_CHANGES_MAX)) {
        pending_drop(self);
        dropped++;
    }
    void *diffs = self->diffs, *all = self->changes;
    bool fits = diff->n_changes <= PENDING_CHANGES_MAX &&
                make_room(&diffs, sizeof *self->diffs, &self->first_diff, self->n_diffs, 1, &self->diffs_cap);
    self->diffs = diffs;
    fits = fits && make_room(&all, sizeof *self->changes, &self->first_change, self->n_changes,
                             diff->n_changes, &self->changes_cap);
    self->changes = all;
    if (!fits) {
        pending_clear(self);
        return E_FULL;
    }
    self->diffs[self->first_diff + self->n_diffs++] = *diff;
    if (diff->n_changes)
        memcpy(&self->changes[self->first_change + self->n_changes], changes,
               diff->n_changes * sizeof *changes);
    self->n_changes += diff->n_changes;
    return dropped;
}
