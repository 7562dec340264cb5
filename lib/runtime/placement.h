/* Which processors a process runs on, and how it waits, as the section `placement` of the configuration says.
 *
 * Between two processes on one processor a wake-up costs a microsecond or two; across processors some thirty, for the
 * other one sleeps and the host must wake it. So by default the processes between a tick and its order share a processor.
 * Nothing here makes a start fail: what is not possible or not allowed is said in the log.
 */
#ifndef SLUICE_RUNTIME_PLACEMENT_H
#define SLUICE_RUNTIME_PLACEMENT_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/runtime/config.h"
#include "lib/runtime/loop.h"

/* A service places itself: before its first socket, whose threads it takes with it. */
void placement_apply(const struct config *config, const char *service, const char *run, struct loop *loop,
                     void *zmq);

/* With mode auto: looks for a tenth of a second which processor this process may use is the least busy, and leaves its
 * number in the file `placement` of the working directory, a run's, for the services. Without that file they agree on one
 * by the run's id. */
void placement_choose(const struct config *config);

/* "0,2-3". Returns false where it is no such list, or names a processor that no machine has. */
bool cpu_list_read(const char *text, cpu_set_t *out);
void cpu_list_write(const cpu_set_t *cpus, char *out, size_t cap);

/* The least busy of `allowed` between two readings of /proc/stat; of those that are about equal (2 ticks) the one that
 * `draw` picks. -1: there is none. */
int cpu_least_busy(const char *before, const char *after, const cpu_set_t *allowed, uint64_t draw);

#endif
