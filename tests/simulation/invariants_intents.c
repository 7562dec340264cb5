/* Intents as they leave their workers, and such as come once more. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/invariants.h"

static struct intended *intended;
static uint32_t n_intended, intended_capacity;

struct intended *intent_of(uint64_t incarnation, uint64_t id)
{
    for (uint32_t i = n_intended; i > 0; i--)
        if (intended[i - 1].incarnation == incarnation && intended[i - 1].id == id)
            return &intended[i - 1];
    return NULL;
}

void invariants_intent(const struct message *m)
{
    const struct intent *in = &m->intent;
    TRACE("intends %s of %s, knowing %" PRIu64 "/%" PRIu64, in->kind == INTENT_ENTER ? "entry" : "exit",
          in->route, in->state_epoch, in->state_pos);
    if (intent_of(in->incarnation, in->id))
        violated("worker %s uses intent id %" PRIu64 " twice", in->worker, in->id);
    grow((void **)&intended, &intended_capacity, n_intended, sizeof *intended);
    struct message *copy = malloc(sizeof *copy);
    if (!copy)
        violated("out of memory");
    message_copy(copy, m);
    intended[n_intended++] = (struct intended){.incarnation = in->incarnation,
                                               .id = in->id,
                                               .state_epoch = in->state_epoch,
                                               .state_pos = in->state_pos,
                                               .message = copy,
                                               .mono_ns = world.mono_ns};
}

void intents_undecided(void)
{
    for (uint32_t i = 0; i < n_intended; i++)
        intended[i].decided = false;
}

/* Told anew as if it were fresh: what it knows, and its times. */
static void freshen(struct intent *in, int64_t by_ns)
{
    const struct record *head = record_at(STREAM_RISK, ledger_head(STREAM_RISK));
    if (head && chance(600)) { /* else it knows what it knew */
        in->state_epoch = head->epoch;
        in->state_pos = head->pos;
    }
    in->decided_mono += by_ns;
    in->decided_time += by_ns;
    in->deadline += by_ns;
    for (uint32_t i = 0; i < in->n_legs; i++) {
        in->legs[i].book_mono += by_ns;
        in->legs[i].book_time += by_ns;
    }
}

static bool is_owner(const struct intent *in)
{
    const struct owned *r = route_of(in->route);
    return r->incarnation == in->incarnation && r->route_epoch == in->route_epoch;
}

/* It sends nothing more, and may have left anything on its way. */
static bool is_of_dead_owner(const struct intent *in)
{
    const struct process *sender = process_named(in->worker);
    return is_owner(in) && sender && !sender->up;
}

void stray_intent(void)
{
    unsigned char bytes[MESSAGE_BYTES_MAX];
    struct message m;
    const uint32_t recent = n_intended < 30 ? n_intended : 30;
    if (recent == 0)
        return;
    const struct intended *chosen = &intended[n_intended - 1 - draw(recent)];
    for (uint32_t i = 1; i <= recent && chance(900); i++)
        if (is_of_dead_owner(&intended[n_intended - i].message->intent))
            chosen = &intended[n_intended - i];
    message_copy(&m, chosen->message);
    const struct owned *r = route_of(m.intent.route);
    const bool owner = is_owner(&m.intent);
    struct process *sender = process_named(m.intent.worker);
    if (owner && sender && sender->up && chance(250))
        process_kill(sender);
    const bool dead = is_of_dead_owner(&m.intent);
    /* An owner's intent that is not decided yet may still be taken: it only comes twice. */
    if (dead || ((!owner || chosen->decided) && chance(700)))
        freshen(&m.intent, world.mono_ns - chosen->mono_ns);
    if (dead || (!owner && chance(500))) {
        m.intent.id += 1000 + draw(1000);
        if (!owner)
            m.intent.route_epoch = chance(500) ? r->route_epoch : m.intent.route_epoch;
        if (intent_of(m.intent.incarnation, m.intent.id))
            return;
        invariants_intent(&m);
    }
    TRACE("intent %" PRIu64 " of %s comes once more", m.intent.id, m.intent.worker);
    const size_t len = codec_encode(&m, bytes, sizeof bytes);
    network_stray_intent(bytes, len);
}
