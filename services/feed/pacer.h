/* Who follows a replay at full speed, and how far each has come. The feed plays a window only when every consumer
 * has answered the one before; one that stays silent for a second is left out until it speaks again. */
#ifndef SLUICE_SERVICES_PACER_H
#define SLUICE_SERVICES_PACER_H

#include <stdbool.h>

#include "lib/base/clock.h"

enum { PACER_CONSUMERS_MAX = 72 };

struct pacer {
    struct {
        char name[24];
        uint64_t window; /* last one it has answered */
        int64_t heard_mono_ns;
        bool out; /* left out */
    } consumer[PACER_CONSUMERS_MAX];
    uint32_t n, left_out;
    uint64_t window; /* last one announced */
    int64_t announced_mono_ns;
};

/* Begins a life: its windows are above those of every life before, so that no answer to one of those counts. */
void pacer_start(struct pacer *p, uint64_t epoch);

/* A consumer says that it has done everything up to a window (0: it is there). */
void pacer_answer(struct pacer *p, const char *name, uint64_t window, struct now now);

/* A new window ends here; returns its number. */
uint64_t pacer_announce(struct pacer *p, struct now now);

/* Every consumer that counts has answered the last window. Leaves out those that are silent for too long; returns
 * their number of this call in *silent. */
bool pacer_done(struct pacer *p, struct now now, uint32_t *silent);

#endif
