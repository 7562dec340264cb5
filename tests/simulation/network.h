/* The network in memory, inside of itself: what network.c (sockets.h, as the services see it), network_connections.c and
 * network_queues.c share. Others reach it through sockets.h and simulation.h only.
 */
#ifndef SLUICE_TESTS_NETWORK_H
#define SLUICE_TESTS_NETWORK_H

#include "lib/runtime/sockets.h"
#include "tests/simulation/simulation.h"

enum { SOCKETS_MAX = 256, FRAMES_MAX = 3, PREFIXES_MAX = 256 };

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
    int64_t retry_ns, retry_wait_ns, cut_until_ns, slow_until_ns, slow_by_ns, lose_until_ns;
    struct queue out, back;      /* to the bound one, and from it */
    char *filters[PREFIXES_MAX]; /* as the publisher knows them */
    uint32_t n_filters;
    struct connection *next;
};

/* ---- packets and queues ---------------------------------------------------------------------------------------- */

/* Who makes one or keeps one releases it; a queue holds its own. */
struct packet *packet_new(void);
void packet_add(struct packet *p, const void *bytes, size_t len); /* a frame */
void packet_release(struct packet *p);

void queue_put(struct queue *q, struct packet *p, int64_t at_ns);
int64_t queue_first_ns(const struct queue *q); /* when its first arrives; NEVER */
struct packet *queue_take(struct queue *q);    /* the first, with the queue's hold on it */
void queue_keep(struct queue *q, uint32_t n);  /* the first n, no others */
uint32_t queue_arrived(const struct queue *q);
void queue_hurry(struct queue *q);             /* what is under way for long arrives now */
void queue_break_off(struct queue *q); /* of what is under way some comes, the rest is lost */

/* ---- connections ----------------------------------------------------------------------------------------------- */

extern struct connection *connections;

struct connection *connection_new(struct sock *from);
void connection_break(struct connection *c);
/* When what goes into one of its queues now comes out. */
int64_t connection_arrival(const struct connection *c, const struct queue *q);
void connection_subscribe(struct connection *c, char kind, const char *prefix); /* kind: 1 or, to end it, 0 */
void connection_filter(struct connection *c, const unsigned char *frame, size_t len); /* such a frame has come */
/* A PUB takes subscriptions in without being asked; an XPUB hands them on as well, when it is read. */
void connection_absorb(struct connection *c);
bool connection_loses(const struct connection *c); /* what is published now does not come */
bool connection_passes(const struct connection *c, const struct packet *p);

struct sock *sock_bound_at(const char *endpoint); /* NULL */
void sock_closed(struct sock *s, bool in_order); /* in order: what it sent may still go out */

#endif
