/* Connections: how they come up, what they let through, how they break, and what goes wrong with them. */
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/network.h"

struct connection *connections;
static uint32_t identities;

struct connection *connection_new(struct sock *from)
{
    struct connection *c = connections;
    while (c && (c->from || c->out.n || c->back.n))
        c = c->next;
    if (!c) {
        c = calloc(1, sizeof *c);
        if (!c)
            violated("out of memory");
        c->next = connections;
        connections = c;
    } else {
        struct connection *next = c->next;
        free(c->out.items);
        free(c->back.items);
        memset(c, 0, sizeof *c);
        c->next = next;
    }
    c->from = from;
    c->role = from->role;
    memcpy(c->endpoint, from->endpoint, sizeof c->endpoint);
    return c;
}

int64_t connection_arrival(const struct connection *c, const struct queue *q)
{
    int64_t at = world.mono_ns + 5 * NS_PER_US + draw_around(world.knobs.delay_ns);
    if (c->slow_until_ns > world.mono_ns)
        at += draw_around(c->slow_by_ns);
    return at > q->last_ns ? at : q->last_ns;
}

static bool follows_publisher(enum socket_role role)
{
    return role == SOCKET_MARKET_SUB || role == SOCKET_LEDGER_SUB;
}

void connection_subscribe(struct connection *c, char kind, const char *prefix)
{
    char frame[128];
    struct packet *p = packet_new();
    const size_t len = strlen(prefix);
    frame[0] = kind;
    memcpy(frame + 1, prefix, len);
    packet_add(p, frame, len + 1);
    queue_put(&c->out, p, connection_arrival(c, &c->out));
    packet_release(p);
}

void connection_filter(struct connection *c, const unsigned char *frame, size_t len)
{
    if (frame[0] == 1) {
        if (c->n_filters == PREFIXES_MAX)
            violated("more subscriptions than the simulation has room for");
        c->filters[c->n_filters++] = strndup((const char *)frame + 1, len - 1);
        return;
    }
    for (uint32_t i = 0; i < c->n_filters; i++) {
        if (strlen(c->filters[i]) == len - 1 && memcmp(c->filters[i], frame + 1, len - 1) == 0) {
            free(c->filters[i]);
            c->filters[i] = c->filters[--c->n_filters];
            return;
        }
    }
}

void connection_absorb(struct connection *c)
{
    while (c->role == SOCKET_LEDGER_SUB && queue_first_ns(&c->out) <= world.mono_ns) {
        struct packet *p = queue_take(&c->out);
        connection_filter(c, p->bytes[0], p->len[0]);
        packet_release(p);
    }
}

bool connection_passes(const struct connection *c, const struct packet *p)
{
    for (uint32_t i = 0; i < c->n_filters; i++) {
        const size_t len = strlen(c->filters[i]);
        if (len <= p->len[0] && memcmp(c->filters[i], p->bytes[0], len) == 0)
            return true;
    }
    return false;
}

static void try_again_later(struct connection *c)
{
    c->retry_wait_ns = c->retry_wait_ns ? 2 * c->retry_wait_ns : 10 * NS_PER_MS;
    if (c->retry_wait_ns > NS_PER_SEC)
        c->retry_wait_ns = NS_PER_SEC;
    c->retry_ns = world.mono_ns + c->retry_wait_ns + (int64_t)draw((uint64_t)(10 * NS_PER_MS));
}

void connection_break(struct connection *c)
{
    if (!c->up)
        return;
    TRACE("connection to %s breaks", c->endpoint);
    c->up = false;
    queue_break_off(&c->back);
    if (follows_publisher(c->role) || c->role == SOCKET_INTENT_PUSH) {
        queue_break_off(&c->out);
    } else {
        const uint32_t here = queue_arrived(&c->out);
        const uint32_t lost = (uint32_t)draw(c->out.n - here + 1);
        for (uint32_t i = here; i < c->out.n - lost; i++) {
            c->out.items[(c->out.head + i) % c->out.capacity] =
                c->out.items[(c->out.head + i + lost) % c->out.capacity];
            c->out.items[(c->out.head + i) % c->out.capacity].at_ns = NEVER;
        }
        /* The lost ones are leaked with their slots: they die with the seed. */
        c->out.n -= lost;
    }
    for (uint32_t i = 0; i < c->n_filters; i++)
        free(c->filters[i]);
    c->n_filters = 0;
    c->to = NULL;
    c->retry_wait_ns = 0;
    if (c->from)
        try_again_later(c);
}

static void connect_now(struct connection *c)
{
    struct sock *to = sock_bound_at(c->endpoint);
    if (!to || to->owner->paused_until_ns > world.mono_ns || c->cut_until_ns > world.mono_ns) {
        try_again_later(c);
        return;
    }
    c->to = to;
    c->reader = to;
    c->up = true;
    c->identity = ++identities;
    c->retry_ns = NEVER;
    c->retry_wait_ns = 0;
    c->out.last_ns = 0;
    for (uint32_t i = 0; i < c->out.n; i++)
        if (c->out.items[(c->out.head + i) % c->out.capacity].at_ns == NEVER)
            c->out.items[(c->out.head + i) % c->out.capacity].at_ns = c->out.last_ns =
                connection_arrival(c, &c->out);
    for (uint32_t i = 0; i < c->from->n_prefixes; i++)
        connection_subscribe(c, 1, c->from->prefixes[i]);
}

int64_t network_next_ns(void)
{
    int64_t at = NEVER;
    for (const struct connection *c = connections; c; c = c->next)
        if (c->from && !c->up && c->retry_ns < at)
            at = c->retry_ns;
    return at;
}

void network_connect_due(void)
{
    for (struct connection *c = connections; c; c = c->next)
        if (c->from && !c->up && c->retry_ns <= world.mono_ns)
            connect_now(c);
}

void sock_closed(struct sock *s, bool in_order)
{
    const bool lingers = in_order && (s->role == SOCKET_INTENT_PUSH || s->role == SOCKET_CONTROL_ROUTER);
    s->open = false;
    for (struct connection *c = connections; c; c = c->next) {
        if (c->from == s) {
            const struct queue out = c->out;
            if (lingers && c->up)
                c->out.n = 0;
            c->from = NULL;
            connection_break(c);
            if (lingers && out.n)
                c->out = out;
            queue_keep(&c->back, 0);
            c->retry_ns = NEVER;
        } else if (c->to == s) {
            connection_break(c);
        }
        if (c->reader == s) {
            /* What it had read in is gone with it. */
            c->reader = NULL;
            uint32_t n = queue_arrived(&c->out);
            while (n-- > 0)
                packet_release(queue_take(&c->out));
        }
    }
}

/* ---- faults ---------------------------------------------------------------------------------------------------- */

/* Ledgers and intents matter most. */
static uint64_t weight(const struct connection *c)
{
    if (!c->up || !c->from)
        return 0;
    return c->role == SOCKET_LEDGER_SUB || c->role == SOCKET_INTENT_PUSH ? 4 : 1;
}

static struct connection *any_connection(void)
{
    uint64_t sum = 0;
    for (const struct connection *c = connections; c; c = c->next)
        sum += weight(c);
    uint64_t at = sum ? draw(sum) : 0;
    for (struct connection *c = connections; c; c = c->next) {
        if (at < weight(c))
            return c;
        at -= weight(c);
    }
    return NULL;
}

void network_cut(int64_t for_ns)
{
    struct connection *c = any_connection();
    if (!c)
        return;
    TRACE("%s is cut off from %s", c->from->owner->name, c->endpoint);
    c->cut_until_ns = world.mono_ns + for_ns;
    connection_break(c);
}

void network_slow(int64_t for_ns, int64_t by_ns)
{
    struct connection *c = any_connection();
    if (!c)
        return;
    TRACE("%s hears %s late", c->from->owner->name, c->endpoint);
    c->slow_until_ns = world.mono_ns + for_ns;
    c->slow_by_ns = by_ns;
}

/* The gate's matters most. */
static struct connection *market_connection(void)
{
    struct connection *found = NULL;
    uint64_t n = 0;
    const bool gate = chance(500);
    for (struct connection *c = connections; c; c = c->next)
        if (c->role == SOCKET_MARKET_SUB && c->up && c->from &&
            (!gate || strcmp(c->from->owner->name, "risk") == 0) && draw(++n) == 0)
            found = c;
    return found;
}

void market_disturb(int64_t for_ns)
{
    struct connection *c = market_connection();
    if (!c)
        return;
    const char *owner = c->from->owner->name;
    if (chance(300)) {
        TRACE("%s is cut off from the market", owner);
        c->cut_until_ns = world.mono_ns + for_ns;
        connection_break(c);
    } else if (chance(400)) {
        TRACE("%s hears the market late", owner);
        c->slow_until_ns = world.mono_ns + for_ns;
        c->slow_by_ns = 700 * NS_PER_MS;
    } else {
        TRACE("%s loses what is published", owner);
        c->lose_until_ns = world.mono_ns + for_ns;
    }
}

void market_lose(int64_t for_ns)
{
    for (struct connection *c = connections; c; c = c->next)
        if (c->role == SOCKET_MARKET_SUB)
            c->lose_until_ns = world.mono_ns + for_ns;
}

bool connection_loses(const struct connection *c)
{
    return c->lose_until_ns > world.mono_ns;
}

void network_stray_intent(const void *bytes, size_t len)
{
    for (struct connection *c = connections; c; c = c->next) {
        if (!c->up || c->role != SOCKET_INTENT_PUSH)
            continue;
        struct packet *p = packet_new();
        packet_add(p, bytes, len);
        queue_put(&c->out, p, connection_arrival(c, &c->out));
        packet_release(p);
        return;
    }
}

void network_heal(void)
{
    for (struct connection *c = connections; c; c = c->next) {
        c->cut_until_ns = c->slow_until_ns = c->lose_until_ns = 0;
        queue_hurry(&c->out);
        queue_hurry(&c->back);
    }
}
