/* Sockets in memory that behave as libzmq's do where it matters here.
 *
 * A connection joins one connecting socket to the one that is bound at its endpoint. Each direction is a queue of
 * messages with the time at which they arrive, in order. What a PUB cannot put into a full queue is dropped, the newest
 * first; the others get E_AGAIN. When a connection breaks, what has arrived can still be read, of what is under way some
 * may still come, and the rest is gone; but a DEALER keeps what it had not handed over.
 */
#include "lib/runtime/sockets.h"

#include <stdlib.h>
#include <string.h>

#include "tests/simulation/simulation.h"

enum { SOCKETS_MAX = 256, FRAMES_MAX = 3, PREFIXES_MAX = 256, MARK_LEAST = 32 };

#define NEVER INT64_MAX

struct packet {
    uint32_t uses;
    uint32_t n;
    size_t len[FRAMES_MAX];
    unsigned char *bytes[FRAMES_MAX];
};

struct queue {
    struct {
        struct packet *packet;
        int64_t at_ns;
    } * items;
    uint32_t head, n, capacity;
    int64_t last_ns;
};

struct sock {
    bool open;
    enum socket_role role;
    const struct process *owner;
    char endpoint[ENDPOINT_MAX];
    struct connection *connection; /* of a connecting socket */
    struct packet *draft;          /* frames sent with `more` */
    struct connection *draft_to;   /* ROUTER */
    bool dropping;                 /* the rest of a message that has no way */
    struct packet *reading;
    uint32_t next_frame;
    struct connection *reading_from;
    uint64_t turn;                /* whose message is taken next */
    char *prefixes[PREFIXES_MAX]; /* SUB: with repeats */
    uint32_t n_prefixes;
};

struct connection {
    struct sock *from, *to;    /* from connects; NULL: closed. to: NULL while there is none */
    const struct sock *reader; /* who may still read what has arrived of `out` */
    char endpoint[ENDPOINT_MAX];
    enum socket_role role; /* of the connecting socket */
    uint32_t identity;
    bool up;
    int64_t retry_ns, retry_wait_ns, cut_until_ns, slow_until_ns, slow_by_ns;
    struct queue out, back;      /* to the bound one, and from it */
    char *filters[PREFIXES_MAX]; /* as the publisher knows them */
    uint32_t n_filters;
    struct connection *next;
};

static struct sock *sockets[SOCKETS_MAX];
static int n_sockets;
static struct connection *connections;
static uint32_t identities;

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

static uint32_t mark_of(enum socket_role role)
{
    const uint32_t mark = roles[role].mark / (uint32_t)world.knobs.marks_divisor;
    return roles[role].mark == 0 ? UINT32_MAX : mark < MARK_LEAST ? MARK_LEAST : mark;
}

/* ---- packets and queues ---------------------------------------------------------------------------------------- */

static void add_frame(struct packet *p, const void *bytes, size_t len)
{
    if (p->n == FRAMES_MAX)
        violated("a message of more than %d frames", FRAMES_MAX);
    p->bytes[p->n] = malloc(len ? len : 1);
    memcpy(p->bytes[p->n], bytes, len);
    p->len[p->n++] = len;
}

static void release(struct packet *p)
{
    if (!p || --p->uses > 0)
        return;
    for (uint32_t i = 0; i < p->n; i++)
        free(p->bytes[i]);
    free(p);
}

static struct packet *packet_new(void)
{
    struct packet *p = calloc(1, sizeof *p);
    if (!p)
        violated("out of memory");
    p->uses = 1;
    return p;
}

static void put(struct queue *q, struct packet *p, int64_t at_ns)
{
    if (q->n == q->capacity) {
        const uint32_t capacity = q->capacity ? 2 * q->capacity : 16;
        void *items = malloc(capacity * sizeof *q->items);
        if (!items)
            violated("out of memory");
        struct queue grown = {.items = items, .n = q->n, .capacity = capacity, .last_ns = q->last_ns};
        for (uint32_t i = 0; i < q->n; i++)
            grown.items[i] = q->items[(q->head + i) % q->capacity];
        free(q->items);
        *q = grown;
    }
    q->items[(q->head + q->n) % q->capacity].packet = p;
    q->items[(q->head + q->n++) % q->capacity].at_ns = at_ns;
    q->last_ns = at_ns;
    p->uses++;
}

static int64_t first_ns(const struct queue *q)
{
    return q->n ? q->items[q->head].at_ns : NEVER;
}

static struct packet *take_first(struct queue *q)
{
    struct packet *p = q->items[q->head].packet;
    q->head = (q->head + 1) % q->capacity;
    q->n--;
    return p;
}

static void drop_from(struct queue *q, uint32_t keep)
{
    while (q->n > keep)
        release(q->items[(q->head + --q->n) % q->capacity].packet);
    q->last_ns = q->n ? q->items[(q->head + q->n - 1) % q->capacity].at_ns : 0;
}

static uint32_t arrived(const struct queue *q)
{
    uint32_t n = 0;
    while (n < q->n && q->items[(q->head + n) % q->capacity].at_ns <= world.mono_ns)
        n++;
    return n;
}

/* Of what is under way some comes, the rest is lost. */
static void break_off(struct queue *q)
{
    const uint32_t here = arrived(q);
    uint32_t sent = here;
    while (sent < q->n && q->items[(q->head + sent) % q->capacity].at_ns != NEVER)
        sent++;
    drop_from(q, here + (uint32_t)draw(sent - here + 1));
}

/* ---- connections ----------------------------------------------------------------------------------------------- */

static int64_t arrival(const struct connection *c, const struct queue *q)
{
    int64_t at = world.mono_ns + 5 * NS_PER_US + draw_around(world.knobs.delay_ns);
    if (c->slow_until_ns > world.mono_ns)
        at += draw_around(c->slow_by_ns);
    return at > q->last_ns ? at : q->last_ns;
}

static bool is_publisher(enum socket_role role)
{
    return role == SOCKET_MARKET_SUB || role == SOCKET_LEDGER_SUB;
}

static void send_subscription(struct connection *c, char kind, const char *prefix)
{
    char frame[128];
    struct packet *p = packet_new();
    const size_t len = strlen(prefix);
    frame[0] = kind;
    memcpy(frame + 1, prefix, len);
    add_frame(p, frame, len + 1);
    put(&c->out, p, arrival(c, &c->out));
    release(p);
}

static void set_filter(struct connection *c, const unsigned char *frame, size_t len)
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

/* A PUB takes subscriptions in without being asked; an XPUB hands them on as well, when it is read. */
static void absorb(struct connection *c)
{
    while (c->role == SOCKET_LEDGER_SUB && first_ns(&c->out) <= world.mono_ns) {
        struct packet *p = take_first(&c->out);
        set_filter(c, p->bytes[0], p->len[0]);
        release(p);
    }
}

static bool passes(const struct connection *c, const struct packet *p)
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

static void disconnect(struct connection *c)
{
    if (!c->up)
        return;
    TRACE("connection to %s breaks", c->endpoint);
    c->up = false;
    break_off(&c->back);
    if (is_publisher(c->role) || c->role == SOCKET_INTENT_PUSH) {
        break_off(&c->out);
    } else {
        const uint32_t here = arrived(&c->out);
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

static struct sock *bound_at(const char *endpoint)
{
    for (int i = 0; i < n_sockets; i++)
        if (sockets[i]->open && roles[sockets[i]->role].binds && strcmp(sockets[i]->endpoint, endpoint) == 0)
            return sockets[i];
    return NULL;
}

static void connect_now(struct connection *c)
{
    struct sock *to = bound_at(c->endpoint);
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
            c->out.items[(c->out.head + i) % c->out.capacity].at_ns = c->out.last_ns = arrival(c, &c->out);
    for (uint32_t i = 0; i < c->from->n_prefixes; i++)
        send_subscription(c, 1, c->from->prefixes[i]);
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
    disconnect(c);
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

void network_stray_intent(const void *bytes, size_t len)
{
    for (struct connection *c = connections; c; c = c->next) {
        if (!c->up || c->role != SOCKET_INTENT_PUSH)
            continue;
        struct packet *p = packet_new();
        add_frame(p, bytes, len);
        put(&c->out, p, arrival(c, &c->out));
        release(p);
        return;
    }
}

void network_heal(void)
{
    for (struct connection *c = connections; c; c = c->next)
        c->cut_until_ns = c->slow_until_ns = 0;
}

static void closed(struct sock *s, bool in_order)
{
    const bool lingers = in_order && (s->role == SOCKET_INTENT_PUSH || s->role == SOCKET_CONTROL_ROUTER);
    s->open = false;
    for (struct connection *c = connections; c; c = c->next) {
        if (c->from == s) {
            const struct queue out = c->out;
            if (lingers && c->up)
                c->out.n = 0;
            c->from = NULL;
            disconnect(c);
            if (lingers && out.n)
                c->out = out;
            drop_from(&c->back, 0);
            c->retry_ns = NEVER;
        } else if (c->to == s) {
            disconnect(c);
        }
        if (c->reader == s) {
            /* What it had read in is gone with it. */
            c->reader = NULL;
            uint32_t n = arrived(&c->out);
            while (n-- > 0)
                release(take_first(&c->out));
        }
    }
}

void network_process_died(const struct process *p, bool in_order)
{
    for (int i = 0; i < n_sockets; i++)
        if (sockets[i]->open && sockets[i]->owner == p)
            closed(sockets[i], in_order);
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
    return bound_at(endpoint) != NULL;
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

static struct connection *connection_new(struct sock *from)
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

int socket_open(void *zmq, enum socket_role role, const char *endpoint, void **out, char *error,
                size_t error_cap)
{
    (void)zmq;
    if (roles[role].binds && bound_at(endpoint)) {
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
        closed(s, true);
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
    s->prefixes[s->n_prefixes++] = strdup(prefix);
    if (s->connection->up)
        send_subscription(s->connection, 1, prefix);
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
                send_subscription(s->connection, 0, prefix);
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
        absorb(c);
        if (!passes(c, p))
            continue;
        if (c->back.n >= mark_of(s->role))
            TRACE("%s loses a message of %s", c->from->owner->name, s->endpoint);
        else
            put(&c->back, p, arrival(c, &c->back));
    }
}

static int push(struct sock *s, struct packet *p)
{
    struct connection *c = s->connection;
    if ((s->role == SOCKET_INTENT_PUSH && !c->up) || c->out.n >= mark_of(s->role))
        return E_AGAIN;
    put(&c->out, p, c->up ? arrival(c, &c->out) : NEVER);
    if (s->role != SOCKET_INTENT_PUSH && !world.quiet && c->up && chance(5)) {
        TRACE("asks %s twice", s->endpoint);
        put(&c->out, p, arrival(c, &c->out));
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
    if (!c || c->back.n >= mark_of(s->role))
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
    add_frame(s->draft, bytes, len);
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
        put(&s->draft_to->back, p, arrival(s->draft_to, &s->draft_to->back));
    else if (s->role == SOCKET_MARKET_PUB || s->role == SOCKET_LEDGER_PUB)
        publish(s, p);
    else if (!routes)
        status = push(s, p);
    release(p);
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
        return first_ns(&s->connection->back);
    int64_t at = NEVER;
    for (struct connection *c = connections; c; c = c->next)
        if (c->reader == s && first_ns(&c->out) < at)
            at = first_ns(&c->out);
    return at;
}

/* The sender whose turn it is; those who have something are served one after the other. */
static struct connection *next_sender(struct sock *s)
{
    struct connection *ready[SOCKETS_MAX];
    uint32_t n = 0;
    for (struct connection *c = connections; c; c = c->next) {
        struct queue *q = inbound(c, s);
        if (q && first_ns(q) <= world.mono_ns && n < SOCKETS_MAX)
            ready[n++] = c;
    }
    return n ? ready[s->turn++ % n] : NULL;
}

static bool take_packet(struct sock *s)
{
    struct connection *c = s->connection;
    if (c && first_ns(&c->back) > world.mono_ns)
        return false;
    if (!c)
        c = next_sender(s);
    if (!c)
        return false;
    s->reading = take_first(inbound(c, s));
    s->reading_from = c;
    s->next_frame = 0;
    if (c->role == SOCKET_MARKET_SUB && c->reader == s && c->from != s && c->up)
        set_filter(c, s->reading->bytes[0], s->reading->len[0]);
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
        release(((struct held *)in->frame)->packet);
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
    release(held->packet);
    held->packet = s->reading;
    held->packet->uses++;
    in->bytes = s->reading->bytes[s->next_frame];
    in->len = s->reading->len[s->next_frame++];
    in->more = s->next_frame < s->reading->n;
    if (!in->more) {
        release(s->reading);
        s->reading = NULL;
    }
    return OK;
}

void inbox_skip(struct inbox *in, void *socket)
{
    while (in->more && inbox_take(in, socket) == OK)
        continue;
}
