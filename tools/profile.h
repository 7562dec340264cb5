/* What `sluice profile` has measured, and how it is told. */
#ifndef SLUICE_TOOLS_PROFILE_H
#define SLUICE_TOOLS_PROFILE_H

#include "tools/bench_load.h"
#include "tools/bench_track.h"
#include "tools/profile_spent.h"
#include "tools/profile_stacks.h"

enum { PROFILE_SLICES = 10, PROFILE_TOP = 30, PERF_HZ = 997, PROFILE_WORDS_MAX = 512 };

struct profiled {
    char name[24];
    pid_t pid;
    struct spent first, last, later; /* answers: at the span's begin, at the last slice's end, the newest */
    struct spent total;              /* over the span, or over all spans where it was repeated */
    int64_t rss_from, rss_to, rss_began; /* bytes: at the last span's begin and end, at the process' begin */
    int64_t supervisor_cpu_ns;
    bool answered, measured;
};

struct profile {
    char market[64]; /* "dev_top10: the first 10 of the simulated symbols" */
    char cpu[128];
    int processors;
    int64_t symbols, seconds, iterations; /* seconds or iterations asked for; 0 = the other */
    int64_t warm_up_s, repeat;
    struct profiled process[CONTROLS_MAX];
    int n;
    struct spent whole;
    double measured_s;                                  /* of all spans */
    int64_t supervisor_cpu_ns;                          /* of `sluice run` itself */
    int64_t encoded, decoded; /* calls while functions were sampled; -1 = not known */
    double sampled_s;         /* so long were functions sampled; 0 = they were not */
    struct stacks stacks;                               /* of functions, or else of stages */
    char functions[PROFILE_WORDS_MAX];                  /* how they were sampled, or why not */
    char ended[LOAD_ERROR_MAX], lost[PROFILE_WORDS_MAX]; /* lost: what could not be measured; "" = nothing */
    struct track track;                                 /* a row for each slice */
    const struct track *before;                         /* to compare with; NULL = nothing */
};

/* Calls of a function as the probes count them; -1: not known. */
int64_t profile_calls(const struct profile *self, const char *function);

void profile_write_text(const struct profile *self, FILE *out);
void profile_write_json(const struct profile *self, FILE *out);

/* The file of a profile's slices, in its output directory. */
#define PROFILE_SLICES_FILE "slices.csv"

/* Slices of before and after side by side, with the noise of each, as text or as JSON; NULL: not so.
 * Returns how many figures changed beyond the noise. */
int profile_compare(const struct track *before, const struct track *after, FILE *out, FILE *json);

/* ---- functions, by perf ------------------------------------------------------------------------------- */

struct perf {
    pid_t pid;
    char data[RUN_PATH_MAX + 32], said[RUN_PATH_MAX + 32];
};

/* Attaches to the processes; E_ABSENT, E_IO with words in `words`. */
int perf_start(struct perf *self, const char *output, const struct profile *of,
               char words[PROFILE_WORDS_MAX]);

/* Detaches and reads what was sampled. words: how it went. */
int perf_finish(struct perf *self, const struct profile *of, struct stacks *out,
                char words[PROFILE_WORDS_MAX]);

#endif
