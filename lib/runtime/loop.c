#include "lib/runtime/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "lib/runtime/probe.h"

enum { SOURCES_MAX = 16, TIMERS_MAX = 16, DRAIN_BOUND = 512 };

#define HELD_RETRY_NS (50 * NS_PER_MS)

struct source {
    void *socket;
    int fd;
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
    int signal_fd;
    bool stopped, signalled, held;
    int64_t wake_in_ns; /* 0 = not asked for */
};

struct loop *loop_new(void)
{
    struct loop *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a write that fails, as on a full disk */
    self->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (self->signal_fd < 0) {
        free(self);
        return NULL;
    }
    probe_open(clock_mono_ns());
    return self;
}

void loop_destroy(struct loop **self)
{
    if (*self) {
        (void)close((*self)->signal_fd);
        free(*self);
    }
    *self = NULL;
}

int loop_source(struct loop *self, void *socket, int fd, bool wakes, drain_fn *drain, void *ctx)
{
    if (self->n_sources == SOURCES_MAX)
        return E_FULL;
    self->sources[self->n_sources++] = (struct source){socket, fd, wakes, drain, ctx};
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

/* How many sources take part. */
static int active(const struct loop *self)
{
    return self->held && self->n_sources > 1 ? 1 : self->n_sources;
}

void loop_stop(struct loop *self)
{
    self->stopped = true;
}

bool loop_signalled(const struct loop *self)
{
    return self->signalled;
}

/* Milliseconds until the next timer, rounded up; zmq_poll knows no finer wait. */
static long timeout_ms(struct loop *self, int64_t mono_ns)
{
    int64_t wait_ns = self->wake_in_ns ? self->wake_in_ns : NS_PER_SEC;
    for (int i = 0; i < self->n_timers; i++) {
        int64_t left = self->timers[i].due_ns - mono_ns;
        if (left < wait_ns)
            wait_ns = left;
    }
    self->wake_in_ns = 0;
    return wait_ns <= 0 ? 0 : (long)((wait_ns + NS_PER_MS - 1) / NS_PER_MS);
}

/* Returns the time when it was over. */
static struct now wait_for_work(struct loop *self, bool busy)
{
    zmq_pollitem_t items[SOURCES_MAX + 1] = {{.fd = self->signal_fd, .events = ZMQ_POLLIN}};
    int n = 1;
    for (int i = 0; i < active(self); i++)
        if (self->sources[i].wakes)
            items[n++] = (zmq_pollitem_t){self->sources[i].socket, self->sources[i].fd, ZMQ_POLLIN, 0};
    int64_t asleep_ns = clock_mono_ns();
    long timeout = timeout_ms(self, asleep_ns);
    probe_end_wakeup(asleep_ns);
    if (zmq_poll(items, n, busy ? 0 : timeout) > 0 && items[0].revents) {
        struct signalfd_siginfo info;
        if (read(self->signal_fd, &info, sizeof info) > 0)
            self->stopped = self->signalled = true;
    }
    struct now now = {.mono_ns = clock_mono_ns(), .utc_ns = clock_utc_ns()};
    probe_begin_wakeup(asleep_ns, now.mono_ns);
    return now;
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
        /* After a pause one firing is enough: missed ones are not made up for. */
        t->due_ns += t->period_ns;
        if (t->due_ns <= now.mono_ns)
            t->due_ns = now.mono_ns + t->period_ns;
    }
}

void loop_run(struct loop *self)
{
    bool busy = false;
    while (!self->stopped) {
        struct now now = wait_for_work(self, busy);
        busy = drain_all(self, now);
        fire_due(self, now);
        if (self->tail)
            self->tail(self->tail_ctx, now);
    }
}
