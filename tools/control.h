/* Asking a running service, over its control socket. */
#ifndef SLUICE_TOOLS_CONTROL_H
#define SLUICE_TOOLS_CONTROL_H

#include "proto/codec.h"

struct control; /* one per service */

enum { CONTROLS_MAX = 72 }; /* that one control_wait can wait for */

/* In the run's directory. E_IO. */
int control_open(void *zmq, const char *service, struct control **out);
void control_close(struct control **self);

/* Sends a request and waits for its answer. E_AGAIN: none within timeout_ms (late answers to earlier requests are
 * dropped). */
int control_ask(struct control *self, enum control_verb verb, const char *arg, int timeout_ms,
                struct reply *reply);

int control_ask_number(struct control *self, enum control_verb verb, uint64_t number, int timeout_ms,
                       struct reply *reply);

/* The two halves of asking, for who asks many at once: a request that makes earlier ones forgotten, and its answer once
 * it is there. */
int control_send(struct control *self, enum control_verb verb, const char *arg);
bool control_take(struct control *self, struct reply *reply);

/* Waits until something came from any of these (NULLs are left out), or for timeout_ms. */
void control_wait(struct control *const *controls, int n, int timeout_ms);

/* A figure of a reply; `missing` where it has none. */
int64_t control_metric(const struct reply *reply, const char *name, int64_t missing);

#endif
