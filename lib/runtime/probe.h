/* Where a process spends its time, always on: the stages of its work, by sampled wake-ups.
 *
 * Every so many wake-ups one is sampled: the clock is read at each change of stage, and the time since the last change
 * goes to the stage that was left. In the others a probe is a counter and a branch. Sampled times are scaled by wake-ups
 * when they are told, so stages, wait and other add up to the whole. One process, its main thread: the state is global.
 */
#ifndef SLUICE_RUNTIME_PROBE_H
#define SLUICE_RUNTIME_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/message.h"

enum stage {
    STAGE_OTHER, /* what no probe is around */
    STAGE_WAIT,  /* for work; measured at every wake-up */
    STAGE_TRANSPORT, /* receiving and sending */
    STAGE_DECODE,
    STAGE_BOOK,     /* venue messages to books, and books to views */
    STAGE_STRATEGY,
    STAGE_RISK,
    STAGE_EXEC,
    STAGE_JOURNAL,
    STAGE_ENCODE,
    STAGE_LOG,
    STAGE_REDIS,
    STAGE_DATABASE,
    STAGES
};

const char *stage_name(enum stage stage); /* "other", "wait", ... */

/* For probe_stage and probe_begin_wakeup only. */
struct probe {
    uint64_t calls[STAGES];
    int64_t ticks[STAGES]; /* of the sampled wake-ups */
    int64_t since;         /* clock at the last change of stage */
    enum stage now;
    bool sampling;
};
extern struct probe probe;
void probe_change(enum stage to);

/* The work that follows is of this stage. Returns the stage it was of before, to be given back:
 *     enum stage before = probe_stage(STAGE_DECODE);
 *     ...
 *     probe_back(before);                                                                     */
static inline enum stage probe_stage(enum stage to)
{
    enum stage before = probe.now;
    probe.calls[to]++;
    if (probe.sampling)
        probe_change(to);
    probe.now = to;
    return before;
}

static inline void probe_back(enum stage before)
{
    if (probe.sampling)
        probe_change(before);
    probe.now = before;
}

/* The loop's: a wake-up ended its wait that began at `from`, and ends itself at `to` (monotonic ns). */
void probe_open(void);
void probe_begin_wakeup(int64_t wait_from_ns, int64_t awake_ns);
void probe_end_wakeup(int64_t asleep_ns);

/* Adds to a reply to VERB_STAGES, all since the process began:
 *   "wait_calls", "wait_ns", "decode_calls", "decode_ns", ... one pair for each stage that was ever entered;
 *   wall_ns, cpu_ns (the process), cpu_main_ns, cpu_io_ns, cpu_sync_ns (its threads); switches (context switches, voluntary
 *   and not); wakeups, wakeups_sampled; iteration_p50_ns, _p95_ns, _p99_ns, _max_ns (one wake-up's work, without its wait);
 *   probe_off_ps, probe_on_ps (what one probe costs, outside and inside a sampled wake-up, measured at start);
 *   rss_bytes, rss_start_bytes; messages_in, messages_out. */
void probe_report(struct reply *reply);

#endif
