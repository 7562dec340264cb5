/* What the worker's core holds. Internal to services/strategy: worker.c decides, worker_ledger.c follows. */
#ifndef SLUICE_SERVICES_WORKER_INTERNAL_H
#define SLUICE_SERVICES_WORKER_INTERNAL_H

#include "lib/base/table.h"
#include "lib/runtime/metric.h"
#include "services/strategy/worker.h"

enum {
    ROUTES_MAX = CONFIG_MAX_routes,
    LEGS_MAX = ROUTES_MAX * STRATEGY_LEGS_MAX,
    VIEW_MAX = 2 * INSTRUMENTS_MAX, /* instruments of the view that routes may touch */
    POSITIONS_MAX = 2 * INSTRUMENTS_MAX,
    HOLDINGS_MAX = 4 * INSTRUMENTS_MAX,
    INTENTS_PER_DECIDE = OUTBOX_PER_INPUT_MAX / 2,
    KEY_MAX = 48,
    NONE = -1,
    NOT_ASKED = -2
};

struct assigned {
    struct route_view seen; /* kept current: what the strategy gets */
    int32_t instrument[STRATEGY_LEGS_MAX];
    uint64_t epoch; /* of its assignment */
    bool owned;
    bool touched; /* since its last evaluation, */
    uint32_t ticks; /* by a tick of these legs: bit N is leg N; none = by a timer or a ledger */
    bool busy;    /* a basket is open, or will be by an accepted decision */
    bool parked;
    bool waiting; /* for the decision on intent `awaited` */
    uint64_t awaited;
    int64_t asked_mono_ns;
    int64_t back_off_ns; /* 0 = the last decision was an accept */
    int64_t enter_after; /* market time: after rejects in a row an entry waits ever longer */
    int64_t exit_after;  /* market time: a position waits for the least back-off only */
    uint64_t evaluations, digest;
};

/* An instrument that some route has a leg in. */
struct instrument {
    int32_t in_view; /* index, NONE until the view knows it */
    int32_t first;   /* leg: route * STRATEGY_LEGS_MAX + leg; NONE ends the chain */
};

struct worker {
    struct worker_options options;
    struct portfolio *portfolio;
    unsigned char *params, *states;
    size_t state_bytes; /* of one route, aligned */
    uint64_t params_hash;
    const char *pinned; /* in the config */

    struct table *route_names;
    struct assigned *routes;
    struct table *instrument_names; /* "symbol venue" */
    struct instrument *instruments;
    int32_t *next_leg; /* chains of struct instrument */
    int32_t *of_view;  /* index in the view to index of instruments, NONE, NOT_ASKED */
    uint32_t *touched, n_touched;
    uint32_t *waiting, n_waiting;

    uint64_t state_epoch, state_pos; /* of risk's ledger all is applied up to here; 0 = that is not known */
    char lost[160];                  /* why it cannot go on; empty = it can */
    uint64_t last_intent;            /* ids count from 1 */
    uint64_t evaluations, accepted, rejected, unanswered, unbooked, unfit;
    int64_t hello_mono_ns;
    bool said_hello, stopped;
};

/* The route is looked at in the next worker_decide, if it is owned. */
void worker_touch(struct worker *self, uint32_t route);

/* The one intent of a route that is waited for, and those that were waited for long enough. */
void worker_wait(struct worker *self, uint32_t route, uint64_t intent, struct now now);
void worker_give_up_waiting(struct worker *self, struct now now);

#endif
