/* Rejects that repeat. The first few of a worker, route and reason within a second are records of their own;
 * the rest of that second is counted, and becomes one record when it is over. */
#include <string.h>

#include "services/risk/gate.h"

enum { RECORDED_PER_SECOND = 5 };

static uint64_t key_of(const struct intent *in, enum reason reason)
{
    uint64_t key = fnv1a(FNV_OFFSET, in->worker, strlen(in->worker) + 1);
    key = fnv1a(key, in->route, strlen(in->route) + 1);
    key = fnv1a(key, &reason, sizeof reason);
    return key ? key : 1;
}

static bool is_over(const struct fold *f, struct now now)
{
    return now.mono_ns - f->since_mono_ns >= NS_PER_SEC;
}

/* The place of a key in its set, or one that may be taken for it. NULL: the set is full. */
static struct fold *fold_of(struct risk *self, uint64_t key, struct now now)
{
    struct fold *set = &self->folds[(key % FOLD_SETS) * FOLD_WAYS], *free = NULL;
    for (int i = 0; i < FOLD_WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].key == 0 || (set[i].folded == 0 && is_over(&set[i], now)))
            free = &set[i];
    }
    if (free)
        *free = (struct fold){.key = key, .since_mono_ns = now.mono_ns};
    return free;
}

bool folding_takes(struct risk *self, const struct inquiry *q, const struct finding *finding)
{
    struct fold *f = fold_of(self, key_of(q->intent, finding->reason), q->now);
    if (!f)
        return false;
    if (f->folded == 0 && is_over(f, q->now)) {
        f->since_mono_ns = q->now.mono_ns;
        f->recorded = 0;
    }
    if (f->recorded < RECORDED_PER_SECOND) {
        f->recorded++;
        return false;
    }
    f->folded++;
    self->folded++;
    f->trace = *q->trace;
    gate_fill_in(q, finding, &f->last);
    return true;
}

void folding_flush(struct risk *self, bool all, struct now now, struct outbox *out)
{
    if (self->folded == 0)
        return;
    for (int i = 0; i < FOLD_SETS * FOLD_WAYS; i++) {
        struct fold *f = &self->folds[i];
        if (f->folded == 0 || (!all && !is_over(f, now)))
            continue;
        struct message *m = outbox_record(out, &self->head, MSG_DECISION, now);
        m->env.trace = f->trace;
        m->decision = f->last;
        m->decision.count = f->folded;
        self->folded -= f->folded;
        f->folded = 0;
        f->recorded = 0;
        f->since_mono_ns = now.mono_ns;
        risk_apply(self, m);
    }
}
