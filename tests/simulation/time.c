/* Clocks, entropy, gaps between effects, and the work on a rhythm, all by the scheduler's will. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/entropy.h"
#include "lib/runtime/failpoint.h"
#include "lib/runtime/rhythm.h"
#include "tests/simulation/simulation.h"

int64_t clock_mono_ns(void)
{
    return world.mono_ns;
}

int64_t clock_utc_ns(void)
{
    return UTC_START_NS + (world.mono_ns - MONO_START_NS) + world.utc_offset_ns;
}

uint64_t clock_boot_id(void)
{
    return 0xb007 + world.boots;
}

void clock_format(int64_t utc_ns, char out[32])
{
    const time_t seconds = (time_t)(utc_ns / NS_PER_SEC);
    struct tm tm;
    (void)gmtime_r(&seconds, &tm);
    const size_t n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + n, 32 - n, ".%09dZ", (int)(utc_ns % NS_PER_SEC));
}

uint64_t entropy_u64(void)
{
    uint64_t number = rng_u64(&world.rng);
    return number ? number : 1;
}

/* ---- gaps ------------------------------------------------------------------------------------------------------ */

void failpoint_arm(void)
{
}

void failpoint_report(void)
{
}

void failpoint(void)
{
    struct process *p = process_running();
    if (!p || world.quiet)
        return;
    if (p->kill_in_gaps > 0 && --p->kill_in_gaps == 0)
        process_kill(p);
    if (p->pause_in_gaps > 0 && --p->pause_in_gaps == 0) {
        TRACE("is stopped in a gap");
        p->paused_until_ns = world.mono_ns + 400 * NS_PER_MS + draw_around(600 * NS_PER_MS);
        task_sleep(0);
    }
    if (world.knobs.gap_kill_permyriad && draw(100000) < (uint64_t)world.knobs.gap_kill_permyriad)
        process_kill(p);
    if (world.knobs.gap_pause_permyriad && draw(10000) < (uint64_t)world.knobs.gap_pause_permyriad) {
        const int64_t ns = draw_around(2 * NS_PER_MS);
        TRACE("is set aside in a gap");
        task_sleep(ns);
    }
}

/* Who waits for another task looks again and again, but not so often that nothing else gets a turn: a disk may be slow
 * for long. */
static int64_t longer(int64_t ns)
{
    return ns < 200 * NS_PER_US ? 2 * ns : ns;
}

/* ---- rhythms --------------------------------------------------------------------------------------------------- */

struct rhythm {
    int64_t every_ns;
    void (*beat)(void *ctx);
    void *ctx;
    struct task *task;
    bool beating, stopped;
};

static void keep_beat(void *ctx)
{
    struct rhythm *self = ctx;
    while (!self->stopped) {
        task_sleep(self->every_ns);
        if (self->stopped)
            break;
        self->beating = true;
        self->beat(self->ctx);
        self->beating = false;
    }
}

struct rhythm *rhythm_start(int64_t every_ns, void (*beat)(void *ctx), void *ctx)
{
    struct rhythm *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->every_ns = every_ns;
    self->beat = beat;
    self->ctx = ctx;
    self->task = task_add(process_running(), keep_beat, self);
    return self;
}

void rhythm_stop(struct rhythm **self)
{
    struct rhythm *r = *self;
    *self = NULL;
    if (!r)
        return;
    for (int64_t ns = NS_PER_US; r->beating; ns = longer(ns))
        task_sleep(ns);
    task_end(r->task);
    free(r);
}

/* ---- locks between a service's own tasks --------------------------------------------------------------------------- */

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
    int status;
    for (int64_t ns = NS_PER_US; (status = pthread_mutex_trylock(lock)) != 0 && process_running();
         ns = longer(ns))
        task_sleep(ns);
    return status;
}
