/* The services of a run, asked how they are all at once: one that is dead, or hangs, delays no other. */
#ifndef SLUICE_TOOLS_ROLL_CALL_H
#define SLUICE_TOOLS_ROLL_CALL_H

#include "tools/control.h"

struct roll_call {
    struct control *control[CONTROLS_MAX];
    struct reply reply[CONTROLS_MAX]; /* last answers, also of who has died since */
    int64_t asked_mono_ns[CONTROLS_MAX];
    int64_t answered_mono_ns[CONTROLS_MAX]; /* 0 = never */
    bool pending[CONTROLS_MAX];
    int n;
};

/* Adds a service of the run directory; its index is n - 1 then. E_IO, E_FULL. */
int roll_call_add(struct roll_call *self, void *zmq, const char *service);
void roll_call_close(struct roll_call *self);

/* Asks for the status of everybody who owes no answer, or has owed it for a second. */
void roll_call_ask(struct roll_call *self);

/* Takes answers for as long as given. */
void roll_call_listen(struct roll_call *self, int timeout_ms);

/* Asks anew, those only who are wanted, and returns once each of them has answered, or after timeout_ms. What else was
 * sent to them before is done by then. */
void roll_call_ask_now(struct roll_call *self, const bool *wanted, int timeout_ms);

/* It has answered after that time. */
bool roll_call_answered(const struct roll_call *self, int index, int64_t since_mono_ns);

/* Sends something that is not asked back for. */
void roll_call_tell(struct roll_call *self, int index, enum control_verb verb);

#endif
