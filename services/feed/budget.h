/* How often something may be done: at most `limit` units in any window of time, however it lies. Kept in slots of a
 * sixteenth of the window, so it takes no memory per event, and errs to the safe side by one slot. */
#ifndef SLUICE_SERVICES_FEED_BUDGET_H
#define SLUICE_SERVICES_FEED_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum { BUDGET_SLOTS = 16 };

struct budget {
    uint32_t limit; /* 0 = no bound */
    int64_t slot_ns;
    int64_t slot;                    /* number of the newest slot */
    uint32_t used[BUDGET_SLOTS + 1]; /* by slot number modulo its size */
};

void budget_open(struct budget *b, uint32_t limit, int64_t window_ns);

/* Takes n units (more than the limit are as many as the limit); false, and nothing taken: not now. */
bool budget_take(struct budget *b, uint32_t n, int64_t now_ns);

/* They may be taken now. */
bool budget_has(struct budget *b, uint32_t n, int64_t now_ns);

/* Units of the last window. */
uint32_t budget_used(struct budget *b, int64_t now_ns);

#endif
