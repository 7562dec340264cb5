/* What the invariants know together: routes and decisions as risk's ledger tells them, intents as they left. Internal
 * to invariants*.c. */
#ifndef SLUICE_TESTS_SIMULATION_INVARIANTS_H
#define SLUICE_TESTS_SIMULATION_INVARIANTS_H

#include "tests/simulation/simulation.h"

/* A route as risk's ledger tells it. */
struct owned {
    char name[96];
    char worker[24];
    uint64_t incarnation, route_epoch;
    struct place_at last;     /* decision, fill or assignment */
    struct place_at open;     /* accepted, and no route record has followed */
    struct place_at accepted; /* the last one */
};

/* A decision that was accepted at any time. */
struct accepted {
    uint64_t epoch, pos;
    struct decision decision;
    bool never_sent; /* by risk's word */
};

/* An intent as it left its worker. */
struct intended {
    uint64_t incarnation, id, state_epoch, state_pos;
    struct message *message;
    int64_t mono_ns; /* when it was sent */
    bool decided;    /* in the present history of risk's ledger */
};

struct owned *route_of(const char *name);
const struct accepted *accepted_at(struct place_at at);        /* NULL */
struct intended *intent_of(uint64_t incarnation, uint64_t id); /* NULL */
void intents_undecided(void);                                  /* risk's ledger is read anew */
void venue_open(void);
/* Makes room for one more than n items. */
void grow(void **items, uint32_t *capacity, uint32_t n, size_t each);

#endif
