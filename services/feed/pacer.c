#include "services/feed/pacer.h"

#include <string.h>

#include "lib/base/text.h"

#define SILENCE_NS NS_PER_SEC

void pacer_start(struct pacer *p, uint64_t epoch)
{
    memset(p, 0, sizeof *p);
    p->window = epoch << 32;
}

void pacer_answer(struct pacer *p, const char *name, uint64_t window, struct now now)
{
    uint32_t i = 0;
    while (i < p->n && strcmp(p->consumer[i].name, name) != 0)
        i++;
    if (i == PACER_CONSUMERS_MAX ||
        (i == p->n && !text_set(p->consumer[i].name, sizeof p->consumer[i].name, name)))
        return;
    if (i == p->n)
        p->n++;
    p->consumer[i].window = window;
    p->consumer[i].heard_mono_ns = now.mono_ns;
    p->consumer[i].out = false;
}

uint64_t pacer_announce(struct pacer *p, struct now now)
{
    p->announced_mono_ns = now.mono_ns;
    return ++p->window;
}

bool pacer_done(struct pacer *p, struct now now, uint32_t *silent)
{
    bool done = true;
    *silent = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        if (p->consumer[i].out || p->consumer[i].window >= p->window)
            continue;
        int64_t since = p->consumer[i].heard_mono_ns > p->announced_mono_ns ? p->consumer[i].heard_mono_ns
                                                                            : p->announced_mono_ns;
        if (now.mono_ns - since > SILENCE_NS) {
            p->consumer[i].out = true;
            p->left_out++;
            (*silent)++;
        } else {
            done = false;
        }
    }
    return done;
}
