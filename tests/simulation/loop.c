/* The event loop of a service, as lib/runtime/loop.c does it, but for the waiting: that is the scheduler's. */
#include "lib/runtime/loop.h"

#include <stdlib.h>

#include "tests/simulation/simulation.h"

enum { SOURCES_MAX = 16, TIMERS_MAX = 16, DRAIN_BOUND = 512 };

#define HELD_RETRY_NS (50 * NS_PER_MS)

struct source {
    void *socket;
    bool wakes;
    drain_fn *drain;
    void *ctx;
};

struct timer {
    int64_t period_ns, due_ns; /* monotonic */
    timer_fn *fire;
    void *ctx;
};

struct loop {
    struct source sources[SOURCES_MAX];
    struct timer timers[TIMERS_MAX];
    int n_sources, n_timers;
    timer_fn *tail;
    void *tail_ctx;
    bool stopped, signalled, held;
    int64_t wake_in_ns; /* 0 = not asked for */
    int64_t free_ns;    /* no wake-up before: the last one took its time */
};

struct loop *loop_new(void)
{
    return calloc(1, sizeof(struct loop));
}

void loop_destroy(struct loop **self)
{
    free(*self);
    *self = NULL;
}

int loop_source(struct loop *self, void *socket, int fd, bool wakes, drain_fn *drain, void *ctx)
{
    (void)fd;
    if (self->n_sources == SOURCES_MAX)
        return E_FULL;
    self->sources[self->n_sources++] = (struct source){socket, wakes, drain, ctx};
    return OK;
}

void loop_source_wakes(struct loop *self, const void *socket, bool wakes)
{
    for (int i = 0; i < self->n_sources; i++)
        if (self->sources[i].socket == socket)
            self->sources[i].wakes = wakes;
}

int loop_timer(struct loop *self, int64_t period_ns, timer_fn *fire, void *ctx)
{
    if (self->n_timers == TIMERS_MAX)
        return E_FULL;
    self->timers[self->n_timers++] = (struct timer){period_ns, clock_mono_ns() + period_ns, fire, ctx};
    return OK;
}

void loop_waiting(struct loop *self, int64_t spin_ns, int drain_bound)
{
    (void)self;
    (void)spin_ns;
    (void)drain_bound;
}

void loop_tail(struct loop *self, timer_fn *tail, void *ctx)
{
    self->tail = tail;
    self->tail_ctx = ctx;
}

void loop_wake_in(struct loop *self, int64_t ns)
{
    if (ns < 1)
        ns = 1;
    if (!self->wake_in_ns || ns < self->wake_in_ns)
        self->wake_in_ns = ns;
}

void loop_hold(struct loop *self, bool held)
{
    self->held = held;
    if (held)
        loop_wake_in(self, HELD_RETRY_NS);
}

void loop_stop(struct loop *self)
{
    self->stopped = true;
}

bool loop_signalled(const struct loop *self)
{
    return self->signalled;
}

static int active(const struct loop *self)
{
    return self->held && self->n_sources > 1 ? 1 : self->n_sources;
}

int64_t loop_ready_ns(const struct loop *self)
{
    int64_t at = INT64_MAX;
    for (int i = 0; i < active(self); i++) {
        const struct source *s = &self->sources[i];
        const int64_t ready = s->wakes && s->socket ? socket_ready_ns(s->socket) : INT64_MAX;
        at = ready < at ? ready : at;
    }
    if (at != INT64_MAX && at < self->free_ns)
        at = self->free_ns;
    return at;
}

/* When the next timer is due, in whole milliseconds from now, rounded up, as zmq_poll waits. */
static int64_t wait_ns(struct loop *self)
{
    int64_t wait = self->wake_in_ns ? self->wake_in_ns : NS_PER_SEC;
    for (int i = 0; i < self->n_timers; i++) {
        const int64_t left = self->timers[i].due_ns - clock_mono_ns();
        wait = left < wait ? left : wait;
    }
    self->wake_in_ns = 0;
    return wait <= 0 ? 0 : (wait + NS_PER_MS - 1) / NS_PER_MS * NS_PER_MS;
}

static bool drain_all(struct loop *self, struct now now)
{
    bool busy = false;
    for (int i = 0; i < active(self); i++) {
        struct source *s = &self->sources[i];
        if (s->drain(s->ctx, now, DRAIN_BOUND) >= DRAIN_BOUND)
            busy = true;
    }
    return busy;
}

static void fire_due(struct loop *self, struct now now)
{
    for (int i = 0; i < self->n_timers; i++) {
        struct timer *t = &self->timers[i];
        if (t->due_ns > now.mono_ns)
            continue;
        t->fire(t->ctx, now);
        t->due_ns += t->period_ns;
        if (t->due_ns <= now.mono_ns)
            t->due_ns = now.mono_ns + t->period_ns;
    }
}

void loop_run(struct loop *self)
{
    bool busy = false;
    struct process *p = process_running();
    while (!self->stopped) {
        const int64_t wait = busy ? 0 : wait_ns(self);
        self->free_ns = clock_mono_ns() + draw_around(world.knobs.wakeup_ns);
        task_wait(self, self->free_ns > clock_mono_ns() + wait ? self->free_ns : clock_mono_ns() + wait);
        if (p->signalled)
            self->stopped = self->signalled = true;
        const struct now now = {.mono_ns = clock_mono_ns(), .utc_ns = clock_utc_ns()};
        books_wake(now.mono_ns);
        busy = drain_all(self, now);
        fire_due(self, now);
        if (self->tail)
            self->tail(self->tail_ctx, now);
        books_compare();
    }
}
