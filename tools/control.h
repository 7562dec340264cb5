/* Asking a running service, over its control socket. */
#ifndef SLUICE_TOOLS_CONTROL_H
#define SLUICE_TOOLS_CONTROL_H

#include "proto/codec.h"

struct control; /* one per service */

/* In the run's directory. E_IO. */
int control_open(void *zmq, const char *service, struct control **out);
void control_close(struct control **self);

/* Sends a request and waits for its answer. E_AGAIN: none within timeout_ms (late answers to earlier requests are
 * dropped). */
int control_ask(struct control *self, enum control_verb verb, const char *arg, int timeout_ms,
                struct reply *reply);

/* A figure of a reply; `missing` where it has none. */
int64_t control_metric(const struct reply *reply, const char *name, int64_t missing);

#endif
