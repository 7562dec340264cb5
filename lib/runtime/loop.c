#include "lib/runtime/loop.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "lib/runtime/probe.h"
#include "lib/runtime/sockets.h"

enum { SOURCES_MAX = 16, TIMERS_MAX = 16, DRAIN_BOUND = 512 };

#define HELD_RETRY_NS (50 * NS_PER_MS)
/* Every source is drained at least this often, where anything wakes the loop at all. */
#define LOOK_AROUND_NS (10 * NS_PER_MS)

/* A socket's descriptor tells by its edge that there may be something, and is silent about what was there before. So it
 * may be slept on only when the socket is known to be empty: it was read until it had no more, and nothing was sent on it
 * since (which takes note of what has come, and with it the edge), or it says so itself. */
struct source {
    void *socket;
    int fd;
    bool wakes;
    bool empty; /* known to be */
    bool full;  /* the last drain ended at the bound */
    bool due;   /* to be drained in this wake-up */
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
    int64_t looked_around_ns;
    int64_t spin_ns;
    int drain_bound;
};

struct loop *loop_new(void)
{
    struct loop *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->drain_bound = DRAIN_BOUND;
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
    struct source s = {.socket = socket, .fd = fd, .wakes = wakes, .drain = drain, .ctx = ctx};
    size_t size = sizeof s.fd;
    if (socket)
        (void)zmq_getsockopt(socket, ZMQ_FD, &s.fd, &size);
    self->sources[self->n_sources++] = s;
    self->looked_around_ns = 0;
    return OK;
}

void loop_source_wakes(struct loop *self, const void *socket, bool wakes)
{
    for (int i = 0; i < self->n_sources; i++)
        if (self->sources[i].socket == socket && self->sources[i].wakes != wakes) {
            self->sources[i].wakes = wakes;
            self->sources[i].empty = false;
        }
}

void loop_waiting(struct loop *self, int64_t spin_ns, int drain_bound)
{
    self->spin_ns = spin_ns;
    self->drain_bound = drain_bound > 0 ? drain_bound : DRAIN_BOUND;
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
    if (self->held != held) /* what was left unread meanwhile is not known to be empty */
        for (int i = 0; i < self->n_sources; i++)
            self->sources[i].empty = false;
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

/* Until the next timer, rounded up to whole milliseconds: what is due within one is done in one wake-up. */
static int64_t timeout_ns(struct loop *self, int64_t mono_ns)
{
    int64_t wait_ns = self->wake_in_ns ? self->wake_in_ns : NS_PER_SEC;
    for (int i = 0; i < self->n_timers; i++) {
        int64_t left = self->timers[i].due_ns - mono_ns;
        if (left < wait_ns)
            wait_ns = left;
    }
    self->wake_in_ns = 0;
    return wait_ns <= 0 ? 0 : (wait_ns + NS_PER_MS - 1) / NS_PER_MS * NS_PER_MS;
}

static bool has_some(const struct source *s)
{
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt(s->socket, ZMQ_EVENTS, &events, &size) == 0 && events & ZMQ_POLLIN;
}

/* Notes which sources are known to have something. Returns whether one that wakes has. */
static bool note_waiting(struct loop *self)
{
    bool ready = false;
    for (int i = 0; i < active(self); i++) {
        struct source *s = &self->sources[i];
        s->due = !s->wakes || !s->socket || s->full;
        if (s->due || (s->empty && !socket_sent_on(s->socket)))
            continue;
        s->due = has_some(s);
        s->empty = !s->due;
        ready = ready || s->due;
    }
    sockets_sent_forget();
    return ready;
}

static int wait_on(struct pollfd *fds, nfds_t n, int64_t wait_ns, int64_t spin_ns, int64_t from_ns)
{
    static const struct timespec at_once = {0};
    int ready = 0;
    if (spin_ns > 0 && wait_ns > 0)
        do
            ready = ppoll(fds, n, &at_once, NULL);
        while (ready == 0 && sched_yield() == 0 && clock_mono_ns() - from_ns < spin_ns);
    const struct timespec wait = {.tv_sec = wait_ns / NS_PER_SEC, .tv_nsec = wait_ns % NS_PER_SEC};
    return ready ? ready : ppoll(fds, n, &wait, NULL);
}

static void take_signal(struct loop *self)
{
    struct signalfd_siginfo info;
    if (read(self->signal_fd, &info, sizeof info) > 0)
        self->stopped = self->signalled = true;
}

/* Returns the time when it was over. */
static struct now wait_for_work(struct loop *self, bool busy)
{
    struct pollfd fds[SOURCES_MAX + 1] = {{.fd = self->signal_fd, .events = POLLIN}};
    struct source *of[SOURCES_MAX + 1] = {NULL};
    nfds_t n = 1;
    int64_t asleep_ns = clock_mono_ns();
    int64_t wait_ns = timeout_ns(self, asleep_ns);
    probe_end_wakeup(asleep_ns);
    if (note_waiting(self) || busy)
        wait_ns = 0;
    for (int i = 0; i < active(self); i++)
        if (self->sources[i].wakes) {
            of[n] = &self->sources[i];
            fds[n++] = (struct pollfd){.fd = self->sources[i].fd, .events = POLLIN};
        }
    int ready = wait_on(fds, n, wait_ns, self->spin_ns, asleep_ns);
    struct now now = {.mono_ns = clock_mono_ns(), .utc_ns = clock_utc_ns()};
    probe_begin_wakeup(asleep_ns, now.mono_ns);
    if (ready > 0 && fds[0].revents)
        take_signal(self);
    for (nfds_t i = 1; i < n; i++)
        of[i]->due = of[i]->due || (ready > 0 && fds[i].revents);
    const bool around = (ready == 0 && wait_ns > 0) || now.mono_ns - self->looked_around_ns >= LOOK_AROUND_NS;
    if (around || ready < 0)
        self->looked_around_ns = now.mono_ns;
    for (int i = 0; (around || ready < 0) && i < active(self); i++)
        self->sources[i].due = true;
    return now;
}

static bool drain_all(struct loop *self, struct now now)
{
    bool busy = false;
    for (int i = 0; i < active(self); i++) {
        struct source *s = &self->sources[i];
        if (!s->due)
            continue;
        s->full = s->drain(s->ctx, now, self->drain_bound) >= self->drain_bound;
        s->empty = !s->full;
        busy = busy || s->full;
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
