/* Where a process spends its time, always on: the stages of its work.
 *
 * Wait is measured at every wake-up. Of the wake-ups about one in PROBE_EVERY is sampled, at random: the clock is read at
 * each change of stage, and the time since the last change goes to the stage that was left. In the others a probe is a
 * counter and a branch. Work that is rare and long (a disk, a database) is measured each time it is done, by probe_long:
 * samples would miss it. What is told adds up to the whole: the rest of the time awake is divided as the samples are.
 *
 * One process, its main thread: the state is global.
 */
#ifndef SLUICE_RUNTIME_PROBE_H
#define SLUICE_RUNTIME_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/message.h"

enum { PROBE_EVERY = 32 };

enum stage {
    STAGE_OTHER,     /* what no probe is around, and all that was before the loop began */
    STAGE_WAIT,      /* for work */
    STAGE_TRANSPORT, /* receiving and sending */
    STAGE_DECODE,
    STAGE_BOOK, /* venue messages to books, and books to views */
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

/* For the inline functions and sockets.c only. */
struct probe {
    uint64_t calls[STAGES];
    int64_t ticks[STAGES]; /* of the sampled wake-ups, but for what probe_long measured */
    int64_t since;         /* clock at the last change of stage */
    enum stage now;
    bool sampling;
    uint64_t messages_in, messages_out;
};
extern struct probe probe;
void probe_change(void); /* the time since the last change goes to the stage that it is */

/* The work that follows is of this stage. Returns the stage it was of before, to be given back:
 *     enum stage before = probe_stage(STAGE_DECODE);
 *     ...
 *     probe_back(before);                                                                     */
static inline enum stage probe_stage(enum stage to)
{
    enum stage before = probe.now;
    probe.calls[to]++;
    if (probe.sampling)
        probe_change();
    probe.now = to;
    return before;
}

static inline void probe_back(enum stage before)
{
    if (probe.sampling)
        probe_change();
    probe.now = before;
}

/* The same for what is rare and long. May be nested: the inner one's time is not the outer's. */
struct probe_long {
    enum stage before;
    bool sampling;
    int64_t from, measured;
};
struct probe_long probe_long(enum stage to);
void probe_long_end(struct probe_long work);

/* The loop's: the process begins; a wake-up ends the wait that began at `wait_from_ns`; it is done at `asleep_ns`, from
 * which on is waited. Monotonic. */
void probe_open(int64_t mono_ns);
void probe_begin_wakeup(int64_t wait_from_ns, int64_t awake_ns);
void probe_end_wakeup(int64_t asleep_ns);

/* Adds to a reply to VERB_STAGES, all since probe_open:
 *   NAME_calls, NAME_ns for each stage that was ever entered, other always; their sum is wall_ns;
 *   cpu_ns (the process), cpu_main_ns, cpu_io_ns (the sockets' threads), cpu_sync_ns (any other thread);
 *   switches (context switches of all threads, voluntary and not);
 *   wakeups, wakeups_sampled; iteration_p50_ns, _p95_ns, _p99_ns, _max_ns (one wake-up's work, without its wait);
 *   probe_off_ps, probe_on_ps (what one probe, in and out, costs outside and inside a sampled wake-up: measured at the
 *   first asking); rss_bytes, rss_start_bytes; messages_in, messages_out (of all sockets). */
void probe_report(struct reply *reply, int64_t mono_ns);

/* For tests: another clock than the processor's. */
void probe_use_clock(int64_t (*clock)(void));

#endif
