/* What a process says of its stages (VERB_STAGES, lib/runtime/probe.h), and the difference of two such
 * answers. */
#ifndef SLUICE_TOOLS_PROFILE_SPENT_H
#define SLUICE_TOOLS_PROFILE_SPENT_H

#include "lib/runtime/probe.h"

/* Counts since the process began, whose differences are taken; then levels, which are those of the later
 * answer. */
enum spent_figure {
    SPENT_WALL, /* ns */
    SPENT_CPU,  /* ns, all threads; then the main thread, the sockets' and all other threads */
    SPENT_CPU_MAIN,
    SPENT_CPU_IO,
    SPENT_CPU_SYNC,
    SPENT_SWITCHES,
    SPENT_WAKEUPS,
    SPENT_SAMPLED,
    SPENT_IN, /* messages */
    SPENT_OUT,
    SPENT_COUNTS,
    SPENT_P50 = SPENT_COUNTS, /* ns, of one wake-up's work, since the process began */
    SPENT_P95,
    SPENT_P99,
    SPENT_MAX,
    SPENT_PROBE_OFF, /* ps */
    SPENT_PROBE_ON,
    SPENT_RSS, /* bytes */
    SPENT_RSS_BEGAN,
    SPENT_FIGURES
};

struct spent {
    int64_t calls[STAGES], ns[STAGES];
    int64_t figure[SPENT_FIGURES];
};

/* As it is called in a reply. */
const char *spent_figure_name(enum spent_figure figure);

/* E_ABSENT: a figure that every answer has is not there; `missing` names it. */
int spent_read(const struct reply *reply, struct spent *out, const char **missing);

/* E_STATE: the later answer is not the later, or another process gave it. Stages are estimates from
 * samples of all that was before: the difference of two may be a little below 0. */
int spent_since(const struct spent *later, const struct spent *earlier, struct spent *out);

/* Counts and stages are added; of levels sizes are added, of the others the greater is kept. */
void spent_add(struct spent *sum, const struct spent *one);

int64_t spent_awake_ns(const struct spent *self);     /* wall less wait */
int64_t spent_remainder_ns(const struct spent *self); /* wall less all stages */

/* What the probes themselves took: as many as were passed, at what one costs. */
int64_t spent_probes_ns(const struct spent *self);

#endif
