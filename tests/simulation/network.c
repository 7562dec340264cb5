/* Sockets in memory that behave as libzmq's do where it matters here.
 *
 * A connection joins one connecting socket to the one that is bound at its endpoint. Each direction is a queue of
 * messages with the time at which they arrive, in order. What a PUB cannot put into a full queue is dropped, the newest
 * first; the others get E_AGAIN. When a connection breaks, what has arrived can still be read, of what is under way some
 * may still come, and the rest is gone; but a DEALER keeps what it had not handed over.
 */
#include "tests/simulation/network.h"

#include <stdlib.h>
#include <string.h>

enum { MARK_LEAST = 32 };

static struct sock *sockets[SOCKETS_MAX];
static int n_sockets;

static const struct {
    bool binds;
    uint32_t mark; /* messages between two applications; 0 = none */
} roles[] = {
    [SOCKET_MARKET_PUB] = {true, 32768},    [SOCKET_MARKET_SUB] = {false, 0},
    [SOCKET_LEDGER_PUB] = {true, 131072},   [SOCKET_LEDGER_SUB] = {false, 0},
    [SOCKET_INTENT_PUSH] = {false, 5120},   [SOCKET_INTENT_PULL] = {true, 0},
    [SOCKET_REPLAY_ROUTER] = {true, 32768}, [SOCKET_REPLAY_DEALER] = {false, 1088},
    [SOCKET_CONTROL_ROUTER] = {true, 512},  [SOCKET_CONTROL_DEALER] = {false, 320},
};

static uint32_t role_mark(enum socket_role role)
{
    const uint32_t mark = roles[role].mark / (uint32_t)world.knobs.marks_divisor;
    return roles[role].mark == 0 ? UINT32_MAX : mark < MARK_LEAST ? MARK_LEAST : mark;
}

struct sock *sock_bound_at(const char *endpoint)
{
    for (int i = 0; i < n_sockets; i++)
        if (sockets[i]->open && roles[sockets[i]->role].binds && strcmp(sockets[i]->endpoint, endpoint) == 0)
            return sockets[i];
    return NULL;
}

static struct sock *sock_new(void)
{
    struct sock *s = calloc(1, sizeof *s);
    for (int i = 0; s && i < n_sockets; i++) {
        bool in_use = sockets[i]->open;
        for (const struct connection *c = connections; c && !in_use; c = c->next)
            in_use = c->from == sockets[i] || c->to == sockets[i] || c->reader == sockets[i];
        if (!in_use)
            return sockets[i] = s; /* the old one leaks: its owner may be dead and never closes it */
    }
    if (!s || n_sockets == SOCKETS_MAX)
        violated("more sockets than the simulation has room for");
    return sockets[n_sockets++] = s;
}

void network_process_died(const struct process *p, bool in_order)
{
    for (int i = 0; i < n_sockets; i++)
        if (sockets[i]->open && sockets[i]->owner == p)
            sock_closed(sockets[i], in_order);
}

/* ---- sockets.h ------------------------------------------------------------------------------------------------- */

static char zmq_of_all;

void *sockets_open(void)
{
    return &zmq_of_all;
}

void sockets_close(void **zmq)
{
    *zmq = NULL;
}

bool endpoint_answers(const char *endpoint)
{
    return sock_bound_at(endpoint) != NULL;
}

int socket_open(void *zmq, enum socket_role role, const char *endpoint, void **out, char *error,
                size_t error_cap)
{
    (void)zmq;
    if (roles[role].binds && sock_bound_at(endpoint)) {
        (void)snprintf(error, error_cap, "%s: another process listens there already", endpoint);
        return E_BUSY;
    }
    struct sock *s = sock_new();
    s->open = true;
    s->role = role;
    s->owner = process_running();
    (void)snprintf(s->endpoint, sizeof s->endpoint, "%s", endpoint);
    if (!roles[role].binds) {
        s->connection = connection_new(s);
        s->connection->retry_ns = world.mono_ns + draw_around(NS_PER_MS);
    }
    *out = s;
    return OK;
}

void socket_close(void **socket)
{
    struct sock *s = *socket;
    if (s && s->open)
        sock_closed(s, true);
    *socket = NULL;
}

void endpoint_make(const char *service, const char *socket, char out[ENDPOINT_MAX])
{
    (void)snprintf(out, ENDPOINT_MAX, "ipc://sock/%s.%s", service, socket);
}

int socket_subscribe(void *socket, const char *prefix)
{
    struct sock *s = socket;
    if (s->n_prefixes == PREFIXES_MAX)
        return E_IO;
    bool has = false;
    for (uint32_t i = 0; i < s->n_prefixes && !has; i++)
        has = strcmp(s->prefixes[i], prefix) == 0;
    if (s->role == SOCKET_MARKET_SUB && !has)
        books_subscribed(s->owner, prefix);
    s->prefixes[s->n_prefixes++] = strdup(prefix);
    if (s->connection->up)
        connection_subscribe(s->connection, 1, prefix);
    return OK;
}

int socket_unsubscribe(void *socket, const char *prefix)
{
    struct sock *s = socket;
    for (uint32_t i = 0; i < s->n_prefixes; i++) {
        if (strcmp(s->prefixes[i], prefix) == 0) {
            free(s->prefixes[i]);
            s->prefixes[i] = s->prefixes[--s->n_prefixes];
            if (s->connection->up)
                connection_subscribe(s->connection, 0, prefix);
            return OK;
        }
    }
    return OK;
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

static void publish(struct sock *s, struct packet *p)
{
    for (struct connection *c = connections; c; c = c->next) {
        if (!c->up || c->to != s || !c->from)
            continue;
        connection_absorb(c);
        if (!connection_passes(c, p))
            continue;
        if (c->back.n >= role_mark(s->role) || connection_loses(c))
            TRACE("%s loses a message of %s", c->from->owner->name, s->endpoint);
        else
            queue_put(&c->back, p, connection_arrival(c, &c->back));
    }
}

static int push(struct sock *s, struct packet *p)
{
    struct connection *c = s->connection;
    if ((s->role == SOCKET_INTENT_PUSH && !c->up) || c->out.n >= role_mark(s->role))
        return E_AGAIN;
    queue_put(&c->out, p, c->up ? connection_arrival(c, &c->out) : NEVER);
    if (s->role != SOCKET_INTENT_PUSH && !world.quiet && c->up && chance(5)) {
        TRACE("asks %s twice", s->endpoint);
        queue_put(&c->out, p, connection_arrival(c, &c->out));
    }
    return OK;
}

static struct connection *routed(const struct sock *s, const void *identity, size_t len)
{
    uint32_t number;
    if (len != sizeof number)
        return NULL;
    memcpy(&number, identity, len);
    for (struct connection *c = connections; c; c = c->next)
        if (c->up && c->to == s && c->from && c->identity == number)
            return c;
    return NULL;
}

static int begin_route(struct sock *s, const void *identity, size_t len)
{
    struct connection *c = routed(s, identity, len);
    if (!c || c->back.n >= role_mark(s->role))
        return E_AGAIN;
    s->draft_to = c;
    s->draft = packet_new();
    return OK;
}

static void observe(const struct sock *s, const struct packet *p)
{
    if (s->role == SOCKET_LEDGER_PUB)
        watch_published(stream_of(s->owner->name), p->bytes[1], p->len[1]);
    else if (s->role == SOCKET_INTENT_PUSH)
        watch_intent(p->bytes[0], p->len[0]);
    else if (s->role == SOCKET_MARKET_PUB)
        books_published(p->bytes[1], p->len[1]);
    else if (s->role == SOCKET_REPLAY_ROUTER)
        watch_replayed(stream_of(s->owner->name), p->bytes[0], p->len[0]);
    else if (s->role == SOCKET_REPLAY_DEALER)
        watch_asked(p->bytes[0], p->len[0]);
}

int socket_send(void *socket, const void *bytes, size_t len, bool more)
{
    struct sock *s = socket;
    const bool routes = s->role == SOCKET_REPLAY_ROUTER || s->role == SOCKET_CONTROL_ROUTER;
    if (routes && !s->draft)
        return begin_route(s, bytes, len);
    if (!s->draft)
        s->draft = packet_new();
    packet_add(s->draft, bytes, len);
    if (more)
        return OK;
    struct packet *p = s->draft;
    int status = OK;
    s->draft = NULL;
    /* A range of a replay may have no end. */
    if (s->role == SOCKET_REPLAY_ROUTER && !world.quiet && world.knobs.replay_kill && draw(4000) == 0)
        process_kill(process_running());
    observe(s, p);
    if (routes && s->draft_to->up && s->draft_to->to == s)
        queue_put(&s->draft_to->back, p, connection_arrival(s->draft_to, &s->draft_to->back));
    else if (s->role == SOCKET_MARKET_PUB || s->role == SOCKET_LEDGER_PUB)
        publish(s, p);
    else if (!routes)
        status = push(s, p);
    packet_release(p);
    return status;
}

/* ---- receiving ------------------------------------------------------------------------------------------------- */

static struct queue *inbound(struct connection *c, const struct sock *s)
{
    if (c->from == s)
        return &c->back;
    return c->reader == s ? &c->out : NULL;
}

int64_t socket_ready_ns(void *socket)
{
    struct sock *s = socket;
    if (s->reading)
        return world.mono_ns;
    if (s->connection)
        return queue_first_ns(&s->connection->back);
    int64_t at = NEVER;
    for (struct connection *c = connections; c; c = c->next)
        if (c->reader == s && queue_first_ns(&c->out) < at)
            at = queue_first_ns(&c->out);
    return at;
}

/* The sender whose turn it is; those who have something are served one after the other. */
static struct connection *next_sender(struct sock *s)
{
    struct connection *ready[SOCKETS_MAX];
    uint32_t n = 0;
    for (struct connection *c = connections; c; c = c->next) {
        struct queue *q = inbound(c, s);
        if (q && queue_first_ns(q) <= world.mono_ns && n < SOCKETS_MAX)
            ready[n++] = c;
    }
    return n ? ready[s->turn++ % n] : NULL;
}

static bool take_packet(struct sock *s)
{
    struct connection *c = s->connection;
    if (c && queue_first_ns(&c->back) > world.mono_ns)
        return false;
    if (!c)
        c = next_sender(s);
    if (!c)
        return false;
    s->reading = queue_take(inbound(c, s));
    s->reading_from = c;
    s->next_frame = 0;
    if (s->role == SOCKET_MARKET_SUB && s->reading->n > 1)
        books_heard(s->owner, s->reading->bytes[1], s->reading->len[1]);
    else if (s->role == SOCKET_INTENT_PULL)
        books_judge(s->owner, s->reading->bytes[0], s->reading->len[0]);
    if (c->role == SOCKET_MARKET_SUB && c->reader == s && c->from != s && c->up)
        connection_filter(c, s->reading->bytes[0], s->reading->len[0]);
    return true;
}

struct held {
    struct packet *packet;
    uint32_t identity;
};

int inbox_open(struct inbox *in)
{
    memset(in, 0, sizeof *in);
    in->frame = calloc(1, sizeof(struct held));
    return in->frame ? OK : E_FULL;
}

void inbox_close(struct inbox *in)
{
    if (in->frame) {
        packet_release(((struct held *)in->frame)->packet);
        free(in->frame);
    }
    memset(in, 0, sizeof *in);
}

int inbox_take(struct inbox *in, void *socket)
{
    struct sock *s = socket;
    struct held *held = in->frame;
    const bool routes = s->role == SOCKET_REPLAY_ROUTER || s->role == SOCKET_CONTROL_ROUTER;
    in->more = false;
    if (!s->reading) {
        if (!take_packet(s))
            return E_AGAIN;
        if (routes) {
            held->identity = s->reading_from->identity;
            in->bytes = &held->identity;
            in->len = sizeof held->identity;
            in->more = true;
            return OK;
        }
    }
    packet_release(held->packet);
    held->packet = s->reading;
    held->packet->uses++;
    in->bytes = s->reading->bytes[s->next_frame];
    in->len = s->reading->len[s->next_frame++];
    in->more = s->next_frame < s->reading->n;
    if (!in->more) {
        packet_release(s->reading);
        s->reading = NULL;
    }
    return OK;
}

void inbox_skip(struct inbox *in, void *socket)
{
    while (in->more && inbox_take(in, socket) == OK)
        continue;
}
