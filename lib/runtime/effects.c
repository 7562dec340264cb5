#include "lib/runtime/effects.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/runtime/failpoint.h"

int outbox_open(struct outbox *o, uint32_t capacity)
{
    memset(o, 0, sizeof *o);
    /* One slot more than the capacity: the spare that an overflowing core writes into. */
    o->messages = calloc(capacity + 1, sizeof *o->messages);
    o->effects = calloc((size_t)capacity * 2, sizeof *o->effects);
    o->capacity = capacity;
    if (!o->messages || !o->effects) {
        outbox_close(o);
        return E_FULL;
    }
    return OK;
}

void outbox_close(struct outbox *o)
{
    free(o->messages);
    free(o->effects);
    memset(o, 0, sizeof *o);
}

bool outbox_has_room(const struct outbox *o)
{
    return o->n_messages + OUTBOX_PER_INPUT_MAX <= o->capacity &&
           o->n_effects + 2 * OUTBOX_PER_INPUT_MAX <= 2 * o->capacity;
}

struct message *outbox_message(struct outbox *o, enum message_type type)
{
    struct message *m = &o->messages[o->n_messages];
    if (o->n_messages < o->capacity)
        o->n_messages++;
    else
        o->overflows++;
    message_init(m, type);
    return m;
}

static void add(struct outbox *o, struct effect effect)
{
    if (effect.message < o->capacity && o->n_effects < 2 * o->capacity)
        o->effects[o->n_effects++] = effect;
}

void outbox_add(struct outbox *o, enum effect_kind kind, const struct message *m, enum peer peer)
{
    add(o, (struct effect){.kind = kind, .peer = peer, .message = (uint32_t)(m - o->messages)});
}

void outbox_sync(struct outbox *o)
{
    add(o, (struct effect){.kind = EFFECT_SYNC});
}

void outbox_timer(struct outbox *o, int64_t market_ns)
{
    add(o, (struct effect){.kind = EFFECT_TIMER, .at_ns = market_ns});
}

static struct message *message_to_say(struct outbox *o, struct ledger_head *head, enum message_type type,
                                      struct now now)
{
    struct message *m = outbox_message(o, type);
    memcpy(m->env.stream, head->stream, sizeof m->env.stream);
    m->env.epoch = head->epoch;
    m->env.pos = ++head->pos;
    m->env.time_out = now.utc_ns;
    return m;
}

struct message *outbox_record(struct outbox *o, struct ledger_head *head, enum message_type type,
                              struct now now)
{
    struct message *m = message_to_say(o, head, type, now);
    outbox_add(o, EFFECT_APPEND, m, PEER_NONE);
    outbox_add(o, EFFECT_PUBLISH, m, PEER_NONE);
    return m;
}

/* All appends come before it, those that are added after it too. */
static bool sync_is_due(const struct outbox *o)
{
    bool due = false;
    for (uint32_t i = o->next; i < o->n_effects && !due; i++)
        due = o->effects[i].kind == EFFECT_SYNC;
    return due;
}

static struct message *synced(struct outbox *o, struct message *m)
{
    outbox_add(o, EFFECT_APPEND, m, PEER_NONE);
    if (!sync_is_due(o))
        outbox_sync(o);
    outbox_add(o, EFFECT_PUBLISH, m, PEER_NONE);
    return m;
}

struct message *outbox_record_synced(struct outbox *o, struct ledger_head *head, enum message_type type,
                                     struct now now)
{
    return synced(o, message_to_say(o, head, type, now));
}

struct message *outbox_epoch(struct outbox *o, struct ledger_head *head, uint64_t epoch, uint64_t boot_id,
                             const char *run, struct now now)
{
    const struct ledger_head base = *head;
    head->epoch = epoch;
    struct message *m = message_to_say(o, head, MSG_EPOCH, now);
    m->epoch.base_epoch = base.epoch;
    m->epoch.base_pos = base.pos;
    m->epoch.boot_id = boot_id;
    (void)text_set(m->epoch.run, sizeof m->epoch.run, run);
    return synced(o, m);
}

static int write_out(struct outbox *o, const struct devices *d)
{
    int status = OK;
    if (o->unwritten && d->write) {
        failpoint();
        status = d->write(d->ctx);
    }
    if (status == OK)
        o->unwritten = false;
    return status;
}

/* An append that is buffered is counted, so that after a failed write nothing is appended twice. */
static int write_appends(struct outbox *o, const struct devices *d)
{
    for (; o->appended < o->n_effects; o->appended++) {
        const struct effect *e = &o->effects[o->appended];
        if (e->kind != EFFECT_APPEND || !d->append)
            continue;
        failpoint();
        int status = d->append(d->ctx, &o->messages[e->message]);
        if (status == E_FULL && o->unwritten) { /* the buffer is: writing makes room */
            status = write_out(o, d);
            if (status == OK)
                status = d->append(d->ctx, &o->messages[e->message]);
        }
        if (status)
            return status;
        o->unwritten = true;
    }
    return write_out(o, d);
}

static int run_one(const struct effect *e, struct message *m, const struct devices *d)
{
    switch (e->kind) {
    case EFFECT_APPEND:
    case EFFECT_DONE:
        return OK;
    case EFFECT_SYNC:
        return d->sync ? d->sync(d->ctx) : OK;
    case EFFECT_PUBLISH:
        if (d->publish)
            (void)d->publish(d->ctx, m);
        return OK;
    case EFFECT_SEND:
        if (d->send)
            (void)d->send(d->ctx, e->peer, m);
        return OK;
    case EFFECT_STORE:
        return d->store ? d->store(d->ctx, m) : OK;
    case EFFECT_COMMIT:
        return d->commit ? d->commit(d->ctx, m) : OK;
    case EFFECT_TIMER:
        if (d->timer)
            d->timer(d->ctx, e->at_ns);
        return OK;
    }
    return OK;
}

static int done(struct outbox *o, const struct devices *d, struct effect *e)
{
    if (e->kind != EFFECT_APPEND && e->kind != EFFECT_DONE)
        failpoint();
    int status = run_one(e, &o->messages[e->message], d);
    if (status == OK)
        e->kind = EFFECT_DONE;
    return status;
}

/* Orders leave before the words about them: those are journaled, and a reader finds them even if we die in between. */
static int send_orders(struct outbox *o, const struct devices *d)
{
    uint32_t end = o->n_effects;
    while (end > o->next &&
           !(o->effects[end - 1].kind == EFFECT_SEND && o->effects[end - 1].peer == PEER_VENUE))
        end--;
    for (uint32_t i = o->next; i < end; i++) {
        struct effect *e = &o->effects[i];
        if (e->kind != EFFECT_SYNC && !(e->kind == EFFECT_SEND && e->peer == PEER_VENUE))
            continue;
        int status = done(o, d, e);
        if (status)
            return status;
    }
    return OK;
}

int effects_run(struct outbox *o, const struct devices *d)
{
    int status = write_appends(o, d);
    if (status == OK)
        status = send_orders(o, d);
    for (; status == OK && o->next < o->n_effects; o->next++) {
        status = done(o, d, &o->effects[o->next]);
        if (status)
            return status;
    }
    if (status == OK)
        o->n_messages = o->n_effects = o->next = o->appended = 0;
    return status;
}
