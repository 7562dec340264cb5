#include "lib/runtime/follower.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"

void follower_init(struct follower *f, const char *stream, uint64_t epoch, uint64_t pos)
{
    memset(f, 0, sizeof *f);
    (void)text_set(f->stream, sizeof f->stream, stream);
    f->state = FOLLOWER_CATCHING_UP;
    f->epoch = f->owner_epoch = epoch;
    f->owner_base_pos = UINT64_MAX;
    f->next_pos = pos + 1;
    f->head_pos = f->sure_pos = pos;
    f->loose = epoch == 0;
    f->floor_pos = 1;
}

/* What is said of an older life than the newest known is of no use. */
static bool hear(struct follower *f, uint64_t epoch, uint64_t head_pos)
{
    if (epoch < f->owner_epoch)
        return false;
    if (epoch > f->owner_epoch) {
        f->owner_epoch = epoch;
        f->owner_base_pos = UINT64_MAX;
        f->head_pos = head_pos;
        f->owner_synced_pos = 0;
    }
    if (head_pos > f->head_pos)
        f->head_pos = head_pos;
    return true;
}

/* What an owner has on disk says something of our records only where both are of one history: when the last
 * one applied is of its present life; or, on the way there, as far as its answers were applied. */
static void learn_synced(struct follower *f)
{
    uint64_t pos = f->owner_synced_pos;
    if (f->epoch != f->owner_epoch) {
        if (f->state == FOLLOWER_LIVE || f->owner_base_pos == UINT64_MAX)
            return;
        pos = pos < f->next_pos - 1 ? pos : f->next_pos - 1;
    }
    if (pos > f->synced_pos)
        f->synced_pos = pos;
}

static void hear_synced(struct follower *f, uint64_t pos)
{
    if (pos > f->owner_synced_pos)
        f->owner_synced_pos = pos;
    if (f->epoch == f->owner_epoch)
        learn_synced(f);
}

static void catch_up(struct follower *f)
{
    f->state = FOLLOWER_CATCHING_UP;
    f->asked = false;
}

static enum follower_verdict hole(struct follower *f)
{
    if (f->state == FOLLOWER_LIVE) {
        f->holes++;
        catch_up(f);
    }
    return FOLLOW_HOLE;
}

static enum follower_verdict apply(struct follower *f, const struct envelope *env)
{
    f->epoch = env->epoch;
    f->next_pos = env->pos + 1;
    f->loose = false;
    f->applied++;
    if (f->probe_pos == 0)
        learn_synced(f);
    return FOLLOW_APPLY;
}

static enum follower_verdict roll_back(struct follower *f, uint64_t epoch, uint64_t pos)
{
    f->rollback_epoch = epoch;
    f->rollback_pos = f->sure_pos = pos;
    f->rolling_back = true;
    f->rollbacks++;
    if (f->synced_pos > pos)
        f->synced_pos = pos;
    f->probe_pos = f->probe_step = 0;
    catch_up(f);
    return FOLLOW_ROLLBACK;
}

/* What of ours is surely the owner's, though nothing of it can be compared any more. */
static uint64_t surely_held(const struct follower *f)
{
    const uint64_t sure = f->synced_pos > f->sure_pos ? f->synced_pos : f->sure_pos;
    return sure < f->next_pos - 1 ? sure : f->next_pos - 1;
}

/* A record of a newer epoch stands where, or before, our history says something else; where they part is
 * further back. */
static enum follower_verdict look_back(struct follower *f, uint64_t pos)
{
    if (pos <= f->floor_pos) {
        /* Nothing older is to be had. The position before this one is of the newer epoch too, so ours is
         * wrong, and what is before that cannot be compared. */
        uint64_t holds = pos > 2 ? pos - 2 : 0;
        if (surely_held(f) < holds)
            holds = surely_held(f);
        if (f->owner_epoch > f->epoch && f->owner_base_pos < holds)
            holds = f->owner_base_pos;
        return roll_back(f, holds == 0 ? 0 : f->epoch, holds);
    }
    if (f->probe_pos == 0 || pos <= f->probe_pos) {
        f->probe_step = f->probe_step == 0 ? 1 : f->probe_step * 2;
        f->probe_pos = pos - f->floor_pos > f->probe_step ? pos - f->probe_step : f->floor_pos;
        catch_up(f);
    }
    return FOLLOW_HOLE;
}

static enum follower_verdict on_newer(struct follower *f, const struct message *m)
{
    const uint64_t pos = m->env.pos;
    if (pos > f->next_pos)
        return hole(f);
    const bool beginning = m->env.type == MSG_EPOCH && m->epoch.base_pos == pos - 1;
    if (beginning && pos == f->next_pos && m->epoch.base_epoch == f->epoch)
        return apply(f, &m->env);
    /* Our record at the base is the owner's, unless its epoch is one of which we have nothing. */
    if (beginning && pos < f->next_pos && m->epoch.base_epoch <= f->epoch)
        return roll_back(f, m->epoch.base_epoch, pos - 1);
    return look_back(f, pos);
}

/* A record that both histories have: looking back was far enough up to here. */
static void on_shared(struct follower *f)
{
    f->probe_pos++;
    if (f->probe_pos >= f->next_pos)
        f->probe_pos = f->probe_step = 0;
}

/* Epochs rise along a history. So where the newest life's has an older one behind our last record, it never had that
 * record: its journal was replaced. Unless ours is known to be on its disk: then this is a dead life's word. */
static enum follower_verdict on_older(struct follower *f, const struct envelope *env)
{
    const bool parted = f->owner_epoch > f->epoch && f->owner_base_pos != UINT64_MAX &&
                        f->state == FOLLOWER_CATCHING_UP && env->pos == f->next_pos;
    return parted && surely_held(f) < f->next_pos - 1 ? roll_back(f, 0, surely_held(f)) : FOLLOW_FOREIGN;
}

enum follower_verdict follower_on_record(struct follower *f, const struct message *m)
{
    const struct envelope *env = &m->env;
    if (strcmp(env->stream, f->stream) != 0 || env->pos == 0 || env->epoch == 0)
        return FOLLOW_FOREIGN;
    if (f->rolling_back) {
        f->rolling_back = false;
        f->epoch = f->rollback_epoch;
        f->next_pos = f->rollback_pos + 1;
        f->loose = f->epoch == 0;
    }
    const bool unheard = env->epoch > f->owner_epoch;
    (void)hear(f, env->epoch, env->pos);
    /* Past the base of the newest life stand its own records only. */
    if (env->epoch < f->owner_epoch && f->owner_base_pos != UINT64_MAX && env->pos > f->owner_base_pos)
        return FOLLOW_FOREIGN;
    if (f->probe_pos != 0 && env->pos == f->probe_pos && env->epoch <= f->epoch)
        on_shared(f);
    if (env->epoch < f->epoch && env->pos >= f->next_pos)
        return on_older(f, env);
    if (env->epoch > f->epoch && (!f->loose || (env->pos < f->next_pos && unheard)))
        return on_newer(f, m);
    if (env->pos < f->next_pos) {
        f->skipped++;
        return FOLLOW_SKIP;
    }
    return env->pos == f->next_pos ? apply(f, env) : hole(f);
}

/* Moves past what the journal no longer has. What was held past the owner's base is lost with it. */
static void skip_lost(struct follower *f, const struct replayed *r, struct gap *gap)
{
    memset(gap, 0, sizeof *gap);
    (void)text_set(gap->stream_lost, sizeof gap->stream_lost, f->stream);
    (void)text_set(gap->cause, sizeof gap->cause, "retention");
    gap->from_epoch = f->epoch;
    gap->from_pos = f->next_pos;
    if (r->epoch > f->epoch && surely_held(f) < f->next_pos - 1)
        gap->from_pos = surely_held(f) + 1;
    if (r->epoch > f->epoch && r->base_pos < gap->from_pos - 1)
        gap->from_pos = r->base_pos + 1;
    gap->to_pos = r->first_pos - 1;
    f->lost += gap->to_pos - gap->from_pos + 1;
    f->next_pos = r->first_pos;
    f->probe_pos = f->probe_step = 0;
    f->loose = r->base_pos >= f->next_pos - 1;
    if (!f->loose)
        f->epoch = r->epoch;
}

bool follower_on_replayed(struct follower *f, const struct replayed *r, struct gap *gap)
{
    if (f->rolling_back || !hear(f, r->epoch, r->head_pos))
        return false;
    f->owner_base_pos = r->base_pos;
    hear_synced(f, r->synced_pos);
    if (r->first_pos > f->floor_pos)
        f->floor_pos = r->first_pos;
    const bool lost = r->first_pos > f->next_pos;
    if (lost) {
        skip_lost(f, r, gap);
    } else if (f->epoch != 0 && r->epoch > f->epoch && r->base_pos < f->next_pos - 1 &&
               (f->probe_pos == 0 || f->probe_pos > r->base_pos + 1)) {
        f->probe_pos = r->base_pos + 1;
        f->probe_step = 1;
        f->state = FOLLOWER_CATCHING_UP;
    }
    if (f->probe_pos != 0 && f->probe_pos < f->floor_pos)
        f->probe_pos = f->floor_pos;
    if (f->probe_pos == 0 && f->next_pos > f->head_pos)
        f->state = FOLLOWER_LIVE;
    /* An answer that brought nothing is not asked for again at once: the retry's time must pass. */
    if (f->state == FOLLOWER_LIVE || f->asked_pos != (f->probe_pos != 0 ? f->probe_pos : f->next_pos))
        f->asked = false;
    return lost;
}

void follower_on_beat(struct follower *f, const struct envelope *env, const struct beat *beat)
{
    if (strcmp(env->stream, f->stream) != 0 || f->rolling_back || !hear(f, env->epoch, beat->head_pos))
        return;
    hear_synced(f, beat->synced_pos);
    /* A newer epoch than that of the last record applied: its beginning was missed, though positions may not
     * show it. */
    if (f->state == FOLLOWER_LIVE && (beat->head_pos >= f->next_pos || env->epoch > f->epoch)) {
        f->holes++;
        catch_up(f);
    }
}

bool follower_wants(struct follower *f, struct now now, int64_t retry_ns, uint32_t credit, struct replay *out)
{
    if (f->state != FOLLOWER_CATCHING_UP || f->rolling_back ||
        (f->asked && now.mono_ns - f->asked_mono_ns < retry_ns))
        return false;
    f->asked = true;
    f->asked_mono_ns = now.mono_ns;
    f->asked_pos = f->probe_pos != 0 ? f->probe_pos : f->next_pos;
    memset(out, 0, sizeof *out);
    out->epoch = f->epoch;
    out->next_pos = f->asked_pos;
    out->credit = credit;
    return true;
}

void follower_answered(struct follower *f, struct now now)
{
    if (f->asked)
        f->asked_mono_ns = now.mono_ns;
}

bool follower_current(const struct follower *f)
{
    return f->state == FOLLOWER_LIVE && !f->rolling_back && f->next_pos > f->head_pos;
}
