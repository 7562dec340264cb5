/* The event loop of a service: it waits on sockets and timers, and on each wake-up drains every source in the
 * order in which they were added, then fires timers, then runs the tail (where effects are done). Time is read
 * once per wake-up and passed down. There is no polling sleep: a source that does not wake is drained when
 * something else does, or on a timer. One that wakes and is known to be empty is not asked, but for every
 * 10 ms and when a timer is due.
 */
#ifndef SLUICE_RUNTIME_LOOP_H
#define SLUICE_RUNTIME_LOOP_H

#include <stdbool.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"

struct loop;

/* Takes what is there, at most `bound` messages. Returns how many it took: at the bound the loop comes back
 * without waiting; below it, the source is held to be empty, or not to wake, or the loop to be held. */
typedef int drain_fn(void *ctx, struct now now, int bound);
typedef void timer_fn(void *ctx, struct now now);

struct loop *loop_new(void); /* NULL: out of memory, or no signal descriptor */
void loop_destroy(struct loop **self);

/* A source over a ZeroMQ socket, or over a file descriptor (socket NULL). wakes: the loop waits on it. */
int loop_source(struct loop *self, void *socket, int fd, bool wakes, drain_fn *drain, void *ctx); /* E_FULL */
void loop_source_wakes(struct loop *self, const void *socket, bool wakes);
int loop_timer(struct loop *self, int64_t period_ns, timer_fn *fire, void *ctx); /* E_FULL */

/* Called at the end of every wake-up. */
void loop_tail(struct loop *self, timer_fn *tail, void *ctx);

/* Runs until loop_stop, or SIGTERM or SIGINT. */
void loop_run(struct loop *self);
void loop_stop(struct loop *self);
bool loop_signalled(const struct loop *self); /* a signal ended it */

/* While held, only the first source (a service's control socket) is waited on and drained; timers and tail go on. */
void loop_hold(struct loop *self, bool held);

/* How it waits: it looks for work, giving way to others, for so long before it sleeps (0: it sleeps at once), and takes
 * at most so many messages of one source before it looks at the others. */
void loop_waiting(struct loop *self, int64_t spin_ns, int drain_bound);

/* The next wait is at most this long: for a core's market-time timers. */
void loop_wake_in(struct loop *self, int64_t ns);

#endif
