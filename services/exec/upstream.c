/* Risk's ledger as far as it is taken. Our own ledger says how far at least: before the first record of a new epoch of
 * risk is obeyed that epoch is on disk, so that no life of ours obeys an older one after it; else now and then, so
 * that a restart reads risk's ledger from near its end, and risk may conclude that an accepted decision behind which
 * we are, and of which there is no basket, was never sent. */
#include <string.h>

#include "services/exec/exec_internal.h"

enum { POSITIONS_BEHIND = 1000 };
static const int64_t EVERY_NS = NS_PER_SEC; /* local time */

void record_upstream(struct exec *self, struct place at, struct now now, struct outbox *out)
{
    if (!place_after(at, self->recorded))
        return;
    struct message *m = outbox_record(out, &self->head, MSG_UPSTREAM, now);
    m->upstream.risk_epoch = at.epoch;
    m->upstream.risk_pos = at.pos;
    m->upstream.market_time = now.market_ns;
    self->recorded_mono_ns = now.mono_ns;
    exec_apply(self, m);
}

void upstream_watch(struct exec *self, struct now now, struct outbox *out)
{
    struct place at = self->upstream;
    if (!place_after(at, self->recorded))
        return;
    if (at.pos - self->recorded.pos >= POSITIONS_BEHIND || now.mono_ns - self->recorded_mono_ns >= EVERY_NS)
        record_upstream(self, at, now, out);
}

static bool is_accepted(const struct message *m)
{
    return m->env.type == MSG_DECISION &&
           (m->decision.verdict == VERDICT_ACCEPT || m->decision.verdict == VERDICT_LESS);
}

/* Risk's ledger never had it after all, or has it no more: what we made of it stands, for our records carry whole
 * decisions; what of it we never saw is never sent, since the epoch or the position behind it is taken next. */
static void on_gap(struct exec *self, const struct gap *gap, struct now now, struct outbox *out)
{
    self->gaps++;
    record_gap(self, gap, now, out);
}

void exec_on_risk(struct exec *self, const struct message *m, struct now now, struct outbox *out)
{
    struct place at = {m->env.epoch, m->env.pos};
    bool accepted = is_accepted(m);
    if (m->env.type == MSG_GAP && at.pos == 0) {
        on_gap(self, &m->gap, now, out);
        return;
    }
    if (at.pos == 0) /* a beat: of an epoch whose records may not have come yet */
        return;
    if (at.epoch > self->recorded.epoch) {
        record_upstream(self, (struct place){at.epoch, accepted ? at.pos - 1 : at.pos}, now, out);
        outbox_sync(out);
    }
    if (accepted && at.epoch < self->recorded.epoch)
        self->fenced++;
    else if (accepted && !place_after(at, self->mark))
        self->skipped++;
    else if (accepted && !(self->n_found > 0 && adopted_take(self, m, now, out)))
        decision_take(self, m, now, out);
    if (place_after(at, self->upstream))
        self->upstream = at;
}
