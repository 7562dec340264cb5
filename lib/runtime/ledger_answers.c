#include "lib/runtime/ledger_answers.h"

#include <string.h>

static struct waiting *place_for(struct answers *a, const void *identity, size_t identity_len)
{
    struct waiting *room = NULL;
    for (int i = 0; i < ANSWERS_MAX; i++) {
        struct waiting *w = &a->waiting[i];
        if (w->identity_len == identity_len && memcmp(w->identity, identity, identity_len) == 0)
            return w;
        if (w->identity_len == 0 && !room)
            room = w;
    }
    return room;
}

/* An owner's epoch goes up by one a start. A report from far above is no journal that was lost; to begin above it could
 * use up all the epochs there are. */
static bool believable(const struct replay *ask, const struct ledger_figures *f)
{
    return ask->epoch < f->epoch || ask->epoch - f->epoch <= ANSWERS_EPOCHS_AHEAD;
}

/* No reader can hold what was never said: the journal is not the one that it followed. What is said from here on in
 * this epoch it may take for what it has. */
static bool knows_more(const struct replay *ask, const struct ledger_figures *f)
{
    return ask->epoch > f->epoch || (ask->epoch == f->epoch && ask->next_pos > f->head_pos + 1);
}

enum answers_heard answers_ask(struct answers *a, const void *identity, size_t identity_len,
                               const struct replay *ask, const struct ledger_figures *f)
{
    struct waiting *w =
        identity_len > 0 && identity_len <= ANSWERS_IDENTITY ? place_for(a, identity, identity_len) : NULL;
    if (w) {
        memcpy(w->identity, identity, identity_len);
        w->identity_len = identity_len;
        w->snapshot = ask->snapshot;
        w->next = ask->next_pos;
        w->left = ask->credit < ANSWERS_CREDIT ? ask->credit : ANSWERS_CREDIT;
        w->sent = 0;
        w->stuck_mono_ns = w->again_mono_ns = 0;
    }
    if (ask->snapshot || ask->epoch <= a->reported_epoch || !knows_more(ask, f))
        return ANSWERS_NO_NEWS;
    if (!believable(ask, f))
        return ANSWERS_UNBELIEVABLE;
    a->reported_epoch = ask->epoch;
    return ANSWERS_READER_AHEAD;
}

/* What a reader stored of an earlier life counts as far as that life can be ours: to our base. Where that life ended
 * before, the epoch of what stands there tells (retention_look). */
void answers_stored(struct answers *a, const struct stored *stored, const struct ledger_figures *f)
{
    const uint64_t ours = stored->epoch == f->epoch  ? f->head_pos
                          : stored->epoch < f->epoch ? f->base_pos
                                                     : 0;
    const uint64_t pos = stored->pos < ours ? stored->pos : ours;
    for (int i = 0; i < a->n_needed && pos > 0; i++) {
        struct stored_place *had = &a->stored[i];
        const bool on = stored->epoch > had->epoch || (stored->epoch == had->epoch && pos > had->pos);
        if (strcmp(a->needed[i], stored->reader) == 0 && on)
            had->epoch = stored->epoch, had->pos = pos;
    }
    if (strcmp(stored->reader, "recorder") == 0 && pos > a->recorder_pos)
        a->recorder_pos = pos;
}

uint64_t answers_epoch_due(const struct answers *a, const struct ledger_figures *f)
{
    return a->reported_epoch > 0 && a->reported_epoch >= f->epoch ? a->reported_epoch + 1 : 0;
}

bool answers_waiting(const struct answers *a, int64_t mono_ns)
{
    for (int i = 0; i < ANSWERS_MAX; i++)
        if (a->waiting[i].identity_len > 0 && a->waiting[i].again_mono_ns <= mono_ns)
            return true;
    return false;
}

bool answers_stuck(const struct answers *a)
{
    for (int i = 0; i < ANSWERS_MAX; i++)
        if (a->waiting[i].identity_len > 0 && a->waiting[i].again_mono_ns > 0)
            return true;
    return false;
}

static void set_range(const struct waiting *w, const struct ledger_figures *f, struct turn *out)
{
    const uint64_t next = w->next < f->first_pos ? f->first_pos : w->next;
    const bool any = w->next > 0 && f->head_pos > 0 && next <= f->head_pos;
    const uint64_t there = any ? f->head_pos - next + 1 : 0;
    const uint32_t most = w->left < ANSWERS_SLICE ? w->left : ANSWERS_SLICE;
    out->from = next;
    out->n = there < most ? (uint32_t)there : most;
}

bool answers_turn(struct answers *a, const struct ledger_figures *f, int64_t mono_ns, struct turn *out)
{
    for (int i = 0; i < ANSWERS_MAX; i++) {
        const int index = (a->turn + i) % ANSWERS_MAX;
        const struct waiting *w = &a->waiting[index];
        if (w->identity_len == 0 || w->again_mono_ns > mono_ns)
            continue;
        *out = (struct turn){.index = index,
                             .identity = w->identity,
                             .identity_len = w->identity_len,
                             .snapshot = w->snapshot};
        if (!w->snapshot)
            set_range(w, f, out);
        a->turn = (index + 1) % ANSWERS_MAX;
        return true;
    }
    return false;
}

static void advance(struct waiting *w, const struct turn *turn, uint32_t sent)
{
    if (sent == 0)
        return;
    w->sent += sent;
    w->left -= sent < w->left ? sent : w->left;
    w->next = turn->from + sent;
    w->stuck_mono_ns = w->again_mono_ns = 0;
}

bool answers_sent(struct answers *a, const struct turn *turn, uint32_t sent, const struct ledger_figures *f,
                  struct replayed *out)
{
    struct waiting *w = &a->waiting[turn->index];
    advance(w, turn, sent);
    const bool goes_on =
        !turn->snapshot && sent > 0 && sent == turn->n && w->left > 0 && w->next <= f->head_pos;
    if (goes_on)
        return false;
    *out = (struct replayed){.epoch = f->epoch,
                             .base_pos = f->base_pos,
                             .first_pos = f->first_pos,
                             .head_pos = f->head_pos,
                             .synced_pos = f->synced_pos,
                             .sent = w->sent,
                             .snapshot = turn->snapshot};
    return true;
}

void answers_hold(struct answers *a, const struct turn *turn, uint32_t sent, int64_t mono_ns)
{
    struct waiting *w = &a->waiting[turn->index];
    advance(w, turn, sent);
    if (w->stuck_mono_ns == 0)
        w->stuck_mono_ns = mono_ns;
    w->again_mono_ns = mono_ns + ANSWERS_AGAIN_NS;
    if (mono_ns - w->stuck_mono_ns >= ANSWERS_STUCK_NS)
        answers_drop(a, turn);
}

void answers_drop(struct answers *a, const struct turn *turn)
{
    a->waiting[turn->index].identity_len = 0;
}
