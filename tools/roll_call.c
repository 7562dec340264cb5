#include "tools/roll_call.h"

#include "lib/base/clock.h"
#include "lib/base/status.h"

#define ASK_AGAIN_NS NS_PER_SEC

int roll_call_add(struct roll_call *self, void *zmq, const char *service)
{
    if (self->n == CONTROLS_MAX)
        return E_FULL;
    int status = control_open(zmq, service, &self->control[self->n]);
    if (status == OK)
        self->n++;
    return status;
}

void roll_call_close(struct roll_call *self)
{
    for (int i = 0; i < self->n; i++)
        control_close(&self->control[i]);
    self->n = 0;
}

static void ask(struct roll_call *self, int index, int64_t mono_ns)
{
    self->pending[index] = control_send(self->control[index], VERB_STATUS, "") == OK;
    self->asked_mono_ns[index] = mono_ns;
}

void roll_call_ask(struct roll_call *self)
{
    int64_t mono_ns = clock_mono_ns();
    for (int i = 0; i < self->n; i++)
        if (!self->pending[i] || mono_ns - self->asked_mono_ns[i] >= ASK_AGAIN_NS)
            ask(self, i, mono_ns);
}

/* Waits for answers once, and takes all that are there. */
static void take(struct roll_call *self, int timeout_ms)
{
    control_wait(self->control, self->n, timeout_ms);
    int64_t mono_ns = clock_mono_ns();
    for (int i = 0; i < self->n; i++)
        if (control_take(self->control[i], &self->reply[i])) {
            self->pending[i] = false;
            self->answered_mono_ns[i] = mono_ns;
        }
}

void roll_call_listen(struct roll_call *self, int timeout_ms)
{
    int64_t until_ns = clock_mono_ns() + timeout_ms * NS_PER_MS, left_ns;
    while ((left_ns = until_ns - clock_mono_ns()) > 0)
        take(self, (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS));
}

void roll_call_ask_now(struct roll_call *self, const bool *wanted, int timeout_ms)
{
    int64_t mono_ns = clock_mono_ns(), until_ns = mono_ns + timeout_ms * NS_PER_MS;
    for (int i = 0; i < self->n; i++)
        if (wanted[i])
            ask(self, i, mono_ns);
    for (;;) {
        bool owed = false;
        for (int i = 0; i < self->n; i++)
            owed |= wanted[i] && self->answered_mono_ns[i] < mono_ns;
        int64_t left_ns = until_ns - clock_mono_ns();
        if (!owed || left_ns <= 0)
            return;
        take(self, (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS));
    }
}

bool roll_call_answered(const struct roll_call *self, int index, int64_t since_mono_ns)
{
    return self->answered_mono_ns[index] > 0 && self->answered_mono_ns[index] >= since_mono_ns;
}

void roll_call_tell(struct roll_call *self, int index, enum control_verb verb)
{
    (void)control_send(self->control[index], verb, "");
    self->pending[index] = false;
}
