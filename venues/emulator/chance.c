/* When a fault comes, what is told of it, and how often something is allowed. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "venues/emulator/inside.h"

void emulator_say(struct emulator *self, const char *event, const char *format, ...)
{
    char more[512];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(more, sizeof more, format, list);
    va_end(list);
    words_clear(&self->event);
    words_add(&self->event,
              "{\"event\":\"%s\",\"venue\":\"%s\"%s%s,\"line\":%" PRIu64 ",\"mono_ns\":%" PRId64 "}", event,
              self->venue->venue, *more ? "," : "", more, self->line, self->now.mono_ns);
    if (!self->event.failed)
        self->hands.tell(self->hands.ctx, self->event.at, self->event.len);
}

void emulator_say_fault(struct emulator *self, enum fault_kind kind, const char *symbol)
{
    emulator_say(self, "fault", "\"kind\":\"%s\",\"symbol\":\"%s\"", fault_name(kind), symbol);
}

const struct fault *emulator_chance(struct emulator *self, enum fault_kind first, enum fault_kind last)
{
    for (uint32_t i = 0; i < self->n_faults; i++) {
        struct fault *fault = &self->faults[i];
        if (fault->kind < first || fault->kind > last || fault->done)
            continue;
        if (fault->when == FAULT_LINE && self->line < fault->line)
            continue;
        if (fault->when == FAULT_RATE && rng_unit(&self->rng) >= fault->rate)
            continue;
        fault->done = fault->when != FAULT_RATE;
        return fault;
    }
    return NULL;
}

bool quota_take(struct quota *self, uint32_t n, uint32_t most, int64_t span_ns, int64_t now_ns)
{
    if (self->since_ns == 0 || now_ns - self->since_ns >= span_ns)
        *self = (struct quota){.since_ns = now_ns};
    self->used += n;
    return self->used <= most;
}

int emulator_fault(struct emulator *self, const struct fault *fault, struct now now)
{
    self->now = now;
    if (*fault->venue && strcmp(fault->venue, self->venue->venue) != 0)
        return OK;
    uint32_t i = 0;
    while (i < self->n_faults && !self->faults[i].done)
        i++;
    if (i == EMULATOR_FAULTS_MAX)
        return E_FULL;
    self->faults[i] = *fault;
    if (i == self->n_faults)
        self->n_faults++;
    return OK;
}
