/* Stamping the hops of a trace. A stamp is taken only in the boot in which the trace was begun, so that all stamps of one
 * trace compare; a hop behind a reboot, or on another host, stays 0 ("not told").
 *
 * A message with a boot id and no receipt was not caused by a tick (a timer woke who made it): its hops begin with the
 * wake-up. A trace that is all zero is of a message without a cause, and stays so.
 */
#ifndef SLUICE_RUNTIME_TRACE_H
#define SLUICE_RUNTIME_TRACE_H

#include <stdbool.h>

#include "lib/base/clock.h"
#include "proto/message.h"

static inline bool trace_compares(const struct trace *t, uint64_t boot_id)
{
    return t->boot_id == boot_id && (boot_id != 0 || t->recv_mono != 0);
}

static inline void trace_stamp(struct trace *t, enum hop hop, uint64_t boot_id, int64_t mono_ns)
{
    if (trace_compares(t, boot_id))
        t->hop[hop] = mono_ns;
}

/* For the hops in: when the process woke, which is read once for all it takes; where the message was sent only after
 * that, when it is taken. */
static inline void trace_taken(struct trace *t, enum hop hop, uint64_t boot_id, int64_t woke_mono_ns)
{
    if (hop > 0 && trace_compares(t, boot_id))
        t->hop[hop] = t->hop[hop - 1] > woke_mono_ns ? clock_mono_ns() : woke_mono_ns;
}

#endif
