/* The parts of a connector. Inside connector*.c only. */
#ifndef SLUICE_SERVICES_FEED_CONNECTOR_INSIDE_H
#define SLUICE_SERVICES_FEED_CONNECTOR_INSIDE_H

#include "lib/base/rng.h"
#include "services/feed/budget.h"
#include "services/feed/connector.h"

enum { WHY_MAX = 96, NO_REQUEST = -1 };

#define OPEN_NS       (15 * NS_PER_SEC) /* for TCP, TLS and upgrade */
#define STABLE_NS     (60 * NS_PER_SEC)
#define BACKOFF_NS    NS_PER_SEC
#define BACKOFF_MAX_NS (60 * NS_PER_SEC)
#define NO_DATA_NS    (30 * NS_PER_SEC) /* a subscribed symbol should have spoken by then */

enum conn_state { CONN_NONE, CONN_OPENING, CONN_SUBSCRIBING, CONN_SUBSCRIBED };

/* A symbol that is unsubscribed and subscribed again. */
struct again {
    bool busy, unsubscribed;
    uint32_t symbol, part;
};

struct conn {
    enum conn_state state;
    bool leaving;      /* the venue will end it */
    int64_t since_ns;  /* in this state */
    int64_t heard_ns, pinged_ns;
    int64_t replace_ns;           /* planned; 0 = never */
    uint32_t next_symbol, part;   /* of the link's, that is subscribed next */
    uint64_t heard_subscribed;    /* messages since it was subscribed */
    struct again again;
    struct budget sends, requests;
};

struct link {
    const struct line_lane *lane;
    uint32_t first, n; /* symbols */
    struct conn conn[2];
    uint32_t active; /* of the two */
    uint32_t failures;
    int64_t due_ns; /* of the next attempt, at the earliest */
    uint64_t reconnects, replaced;
    char why[WHY_MAX];
};

struct symbol {
    uint32_t link; /* that brings its books */
    bool asked;    /* its snapshot is under way */
    uint32_t tries, again_tries;
    int64_t due_ns, again_due_ns;
    bool told;     /* that nothing comes */
    char trouble[WHY_MAX];
};

/* Instruments to be asked for: symbols first to first + n. */
struct query {
    uint32_t first, n, part, tries;
    int64_t due_ns;
    bool busy;
};

struct ask {
    bool busy, snapshot;
    uint32_t symbol; /* of a snapshot */
    uint32_t query;  /* of instruments */
};

struct connector {
    struct connector_options o;
    struct connector_acts acts;
    struct rng rng;
    struct link links[CONNECTOR_LINKS_MAX];
    uint32_t n_links;
    struct symbol *symbols;
    struct query *queries;
    uint32_t n_queries, queries_cap;
    int64_t refresh_ns; /* instruments are due then */
    struct ask asks[CONNECTOR_ASKS_MAX];
    struct budget connects, weight, weight_burst;
    int64_t connects_until_ns, rest_until_ns;
    uint32_t rest_refusals; /* in a row */
    uint64_t request_id;
    uint32_t turn; /* the symbol that is looked at first */
    int64_t step_ns; /* of the next */
    struct connector_status counts;
    char text[LINE_TEXT_MAX];
};

/* Random, 0 to base * 2^tries, at the most max. */
int64_t connector_jitter(struct connector *self, int64_t base_ns, int64_t max_ns, uint32_t tries);

/* The same, but never below its half. */
int64_t connector_pause(struct connector *self, int64_t base_ns, int64_t max_ns, uint32_t tries);

void connector_tell(struct connector *self, const char *event, int symbol, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A symbol is in trouble, in words; said once until it is out of it. */
void connector_trouble_is(struct connector *self, uint32_t symbol, const char *words);

/* connector_words.c: sends what is to be subscribed, and keeps the connection alive. false: it could not be sent. */
bool words_subscribe(struct connector *self, struct link *link, uint32_t k, int64_t now_ns);
bool words_keep_alive(struct connector *self, struct link *link, uint32_t k, int64_t now_ns);
bool words_again(struct connector *self, struct link *link, uint32_t k, int64_t now_ns);
void words_want_again(struct connector *self, struct link *link, uint32_t symbol, bool unsubscribe, int64_t now_ns);

/* connector_rest.c */
void rest_open(struct connector *self);
void rest_want_snapshot(struct connector *self, uint32_t symbol, int64_t now_ns);
void rest_step(struct connector *self, int64_t now_ns);

uint32_t connector_conn_number(const struct connector *self, const struct link *link, uint32_t k);

#endif
