#include "lib/runtime/probe.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

#include "lib/base/clock.h"
#include "lib/base/histogram.h"
#include "lib/runtime/metric.h"

struct probe probe;

static struct {
    int64_t (*clock)(void);
    int64_t open_ns, open_ticks;
    int64_t awake_ns, wait_ns, work_ns;     /* the wake-up that goes on; all that are over */
    int64_t measured[STAGES], measured_all; /* by probe_long, ticks */
    int64_t measured_awake;                 /* of it, in wake-ups: a start has its own */
    uint64_t wakeups, sampled, random;
    uint32_t until_sample;
    bool awake;
    struct histogram work;
    int64_t rss_start;
    int64_t off_ps, on_ps; /* 0 = not measured yet */
} told;

const char *stage_name(enum stage stage)
{
    static const char *const names[STAGES] = {"other",    "wait",  "transport", "decode",  "book",
                                              "strategy", "risk",  "exec",      "journal", "encode",
                                              "log",      "redis", "database"};
    return names[stage];
}

/* ---- the clock ---------------------------------------------------------------------------------------- */

#if defined(__x86_64__)
static int64_t counter(void)
{
    return (int64_t)__rdtsc();
}

/* Runs at one rate, whatever the core's frequency and sleep. */
static bool counter_is_even(void)
{
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) && edx & 1u << 8;
}
#else
static int64_t counter(void)
{
    return clock_mono_ns();
}

static bool counter_is_even(void)
{
    return true;
}
#endif

void probe_use_clock(int64_t (*clock)(void))
{
    told.clock = clock;
}

/* ---- stages ------------------------------------------------------------------------------------------- */

void probe_change(void)
{
    int64_t at = told.clock();
    probe.ticks[probe.now] += at - probe.since;
    probe.since = at;
}

struct probe_long probe_long(enum stage to)
{
    if (!told.clock) /* no loop, and so nobody who asks */
        return (struct probe_long){.before = probe.now};
    struct probe_long work = {.before = probe.now, .sampling = probe.sampling};
    if (probe.sampling)
        probe_change();
    probe.sampling = false;
    probe.calls[to]++;
    probe.now = to;
    work.measured = told.measured_all;
    work.from = told.clock();
    return work;
}

void probe_long_end(struct probe_long work)
{
    if (!told.clock)
        return;
    int64_t at = told.clock();
    int64_t inner = told.measured_all - work.measured;
    told.measured[probe.now] += at - work.from - inner;
    told.measured_all += at - work.from - inner;
    told.measured_awake += told.awake ? at - work.from - inner : 0;
    probe.now = work.before;
    probe.sampling = work.sampling;
    probe.since = at;
}

/* ---- wake-ups ----------------------------------------------------------------------------------------- */

/* Knuth's multiplier; the high bits are the good ones. PROBE_EVERY on average, from 1 on: never in step with anything. */
static uint32_t next_sample(void)
{
    told.random = told.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return 1 + (uint32_t)((told.random >> 33) % (2 * PROBE_EVERY - 1));
}

static int64_t rss_bytes(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%*d %ld", &pages) != 1)
        pages = 0;
    if (f)
        (void)fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

void probe_open(int64_t mono_ns)
{
    memset(&probe, 0, sizeof probe);
    int64_t (*clock)(void) = told.clock;
    memset(&told, 0, sizeof told);
    told.clock = clock ? clock : counter_is_even() ? counter : clock_mono_ns;
    told.open_ns = mono_ns;
    told.open_ticks = told.clock();
    told.random = (uint64_t)mono_ns;
    told.until_sample = next_sample();
    told.rss_start = rss_bytes();
}

void probe_begin_wakeup(int64_t wait_from_ns, int64_t awake_ns)
{
    told.wait_ns += awake_ns - wait_from_ns;
    probe.calls[STAGE_WAIT]++;
    told.wakeups++;
    told.awake_ns = awake_ns;
    told.awake = true;
    if (--told.until_sample > 0)
        return;
    told.until_sample = next_sample();
    told.sampled++;
    probe.now = STAGE_OTHER;
    probe.sampling = true;
    probe.since = told.clock();
}

void probe_end_wakeup(int64_t asleep_ns)
{
    if (!told.awake)
        return;
    if (probe.sampling)
        probe_change();
    probe.sampling = false;
    probe.now = STAGE_OTHER;
    told.awake = false;
    told.work_ns += asleep_ns - told.awake_ns;
    histogram_record(&told.work, asleep_ns - told.awake_ns);
}

/* ---- telling ------------------------------------------------------------------------------------------ */

/* Both probes and what they do are this file's own, so that what is measured is the code that runs. */
static int64_t cost_ps(bool sampling)
{
    enum { ROUNDS = 2000 };
    const struct probe kept = probe;
    int64_t least = INT64_MAX;
    for (int again = 0; again < 5; again++) {
        probe.sampling = sampling;
        int64_t from = clock_mono_ns();
        for (int i = 0; i < ROUNDS; i++) {
            enum stage before = probe_stage(STAGE_LOG);
            __asm__ volatile("" ::: "memory");
            probe_back(before);
            __asm__ volatile("" ::: "memory");
        }
        int64_t took = clock_mono_ns() - from;
        least = took < least ? took : least;
    }
    probe = kept;
    return least * 1000 / ROUNDS;
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec at;
    return clock_gettime(clock, &at) == 0 ? at.tv_sec * NS_PER_SEC + at.tv_nsec : 0;
}

/* The kernel's number of the clock of a thread's processor time, as pthread_getcpuclockid makes it. */
static int64_t thread_cpu_ns(long tid)
{
    return clock_ns((clockid_t)(~(unsigned)tid << 3 | 6));
}

static bool is_of_sockets(long tid)
{
    char path[64], name[32] = "";
    (void)snprintf(path, sizeof path, "/proc/self/task/%ld/comm", tid);
    FILE *f = fopen(path, "re");
    if (f && !fgets(name, sizeof name, f))
        name[0] = '\0';
    if (f)
        (void)fclose(f);
    return strncmp(name, "ZMQbg", 5) == 0;
}

static void report_cpu(struct reply *reply)
{
    int64_t io = 0, others = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        long tid = strtol(task->d_name, NULL, 10);
        if (tid > 0 && tid != getpid())
            *(is_of_sockets(tid) ? &io : &others) += thread_cpu_ns(tid);
    }
    if (tasks)
        (void)closedir(tasks);
    status_metric(reply, "cpu_ns", clock_ns(CLOCK_PROCESS_CPUTIME_ID));
    status_metric(reply, "cpu_main_ns", thread_cpu_ns(getpid()));
    status_metric(reply, "cpu_io_ns", io);
    status_metric(reply, "cpu_sync_ns", others);
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    status_metric(reply, "switches", usage.ru_nvcsw + usage.ru_nivcsw);
}

static void report_stage(struct reply *reply, enum stage stage, int64_t ns)
{
    char name[32];
    if (probe.calls[stage] == 0 && stage != STAGE_OTHER)
        return;
    (void)snprintf(name, sizeof name, "%s_calls", stage_name(stage));
    status_metric(reply, name, (int64_t)probe.calls[stage]);
    (void)snprintf(name, sizeof name, "%s_ns", stage_name(stage));
    status_metric(reply, name, ns);
}

/* What was measured counts as measured; what remains of the time awake is divided as the samples are. What is left over,
 * the time before the first wait and where there is no sample yet, is other. */
static void report_stages(struct reply *reply, int64_t wall_ns, int64_t awake_ns)
{
    int64_t ns[STAGES] = {0}, ticks = 0, rest = wall_ns;
    const int64_t life = told.clock() - told.open_ticks;
    const double ns_per_tick = life > 0 ? (double)wall_ns / (double)life : 0;
    for (int i = 0; i < STAGES; i++) {
        ns[i] = (int64_t)((double)told.measured[i] * ns_per_tick);
        ticks += probe.ticks[i];
    }
    ns[STAGE_WAIT] = told.wait_ns;
    const int64_t measured_ns = (int64_t)((double)told.measured_awake * ns_per_tick);
    const double shared = awake_ns > measured_ns ? (double)(awake_ns - measured_ns) : 0;
    for (int i = 0; i < STAGES && ticks > 0; i++)
        ns[i] += (int64_t)(shared * (double)probe.ticks[i] / (double)ticks);
    for (int i = 0; i < STAGES; i++)
        rest -= i == STAGE_OTHER ? 0 : ns[i];
    ns[STAGE_OTHER] = rest;
    for (int i = 0; i < STAGES; i++)
        report_stage(reply, (enum stage)i, ns[i]);
}

void probe_report(struct reply *reply, int64_t mono_ns)
{
    const int64_t wall_ns = mono_ns - told.open_ns;
    const int64_t awake_ns = told.work_ns + (told.awake ? mono_ns - told.awake_ns : 0);
    if (probe.sampling)
        probe_change();
    if (told.on_ps == 0) {
        told.off_ps = cost_ps(false);
        told.on_ps = cost_ps(true);
    }
    report_stages(reply, wall_ns, awake_ns);
    status_metric(reply, "wall_ns", wall_ns);
    report_cpu(reply);
    status_metric(reply, "wakeups", (int64_t)told.wakeups);
    status_metric(reply, "wakeups_sampled", (int64_t)told.sampled);
    status_metric(reply, "iteration_p50_ns", histogram_quantile(&told.work, 0.5));
    status_metric(reply, "iteration_p95_ns", histogram_quantile(&told.work, 0.95));
    status_metric(reply, "iteration_p99_ns", histogram_quantile(&told.work, 0.99));
    status_metric(reply, "iteration_max_ns", told.work.max);
    status_metric(reply, "probe_off_ps", told.off_ps);
    status_metric(reply, "probe_on_ps", told.on_ps);
    status_metric(reply, "rss_bytes", rss_bytes());
    status_metric(reply, "rss_start_bytes", told.rss_start);
    status_metric(reply, "messages_in", (int64_t)probe.messages_in);
    status_metric(reply, "messages_out", (int64_t)probe.messages_out);
}
