/* What is said on a connection: subscriptions in batches, those that are made again, and signs of life. */
#include <string.h>

#include "services/feed/connector_inside.h"

/* A subscription that did not bring what it should is repeated after this, doubled each time up to the most. */
#define AGAIN_NS     (2 * NS_PER_SEC)
#define AGAIN_MAX_NS (120 * NS_PER_SEC)
/* What a connection has just subscribed is given this time before it is called missing. */
#define GRACE_NS (3 * NS_PER_SEC)

static bool may_request(struct conn *c, int64_t now_ns)
{
    return budget_has(&c->sends, 1, now_ns) && budget_has(&c->requests, 1, now_ns);
}

static bool send_request(struct connector *self, struct link *link, uint32_t k, size_t len, int64_t now_ns)
{
    struct conn *c = &link->conn[k];
    (void)budget_take(&c->sends, 1, now_ns);
    (void)budget_take(&c->requests, 1, now_ns);
    return self->acts.send(self->acts.ctx, connector_conn_number(self, link, k), self->text, len);
}

static struct line_subject subject(struct connector *self, const struct link *link, uint32_t first,
                                   uint32_t n)
{
    return (struct line_subject){.symbols = self->o.symbols + first,
                                 .n = n,
                                 .depth = self->o.depth,
                                 .books = link->lane->books,
                                 .trades = link->lane->trades && self->o.trades,
                                 .id = self->request_id + 1};
}

bool words_subscribe(struct connector *self, struct link *link, uint32_t k, int64_t now_ns)
{
    const struct line *line = self->o.line;
    struct conn *c = &link->conn[k];
    while (c->next_symbol < link->n) {
        if (!may_request(c, now_ns))
            return true;
        uint32_t n = link->n - c->next_symbol;
        if (!line->replaces && n > line->limits.batch)
            n = line->limits.batch;
        struct line_subject s = subject(self, link, link->first + c->next_symbol, n);
        s.id -= c->part; /* a request of several parts counts its ids itself */
        int len = line->subscribe(&s, c->part, self->text, sizeof self->text);
        if (len < 0)
            return false;
        if (len == 0) {
            c->next_symbol += n;
            c->part = 0;
            continue;
        }
        c->part++;
        self->request_id++;
        if (!send_request(self, link, k, (size_t)len, now_ns))
            return false;
    }
    c->state = CONN_SUBSCRIBED;
    c->since_ns = now_ns;
    return true;
}

bool words_keep_alive(struct connector *self, struct link *link, uint32_t k, int64_t now_ns)
{
    const struct line_limits *l = &self->o.line->limits;
    struct conn *c = &link->conn[k];
    if (l->ping_ns == 0 || now_ns - c->pinged_ns < l->ping_ns || !budget_take(&c->sends, 1, now_ns))
        return true;
    uint32_t conn = connector_conn_number(self, link, k);
    c->pinged_ns = now_ns;
    if (l->ping)
        return self->acts.send(self->acts.ctx, conn, l->ping, strlen(l->ping));
    self->acts.ping(self->acts.ctx, conn);
    return true;
}

void words_want_again(struct connector *self, struct link *link, uint32_t symbol, bool unsubscribe,
                      int64_t now_ns)
{
    struct symbol *s = &self->symbols[symbol];
    struct conn *c = &link->conn[link->active];
    if (self->o.line->replaces || c->state != CONN_SUBSCRIBED || c->again.busy || now_ns < s->again_due_ns ||
        now_ns - c->since_ns < GRACE_NS)
        return;
    c->again = (struct again){.busy = true, .symbol = symbol, .unsubscribed = !unsubscribe};
    s->again_due_ns = now_ns + connector_pause(self, AGAIN_NS, AGAIN_MAX_NS, ++s->again_tries);
    self->counts.resubscribed++;
}

/* Of a symbol's books only: its trades go on. */
bool words_again(struct connector *self, struct link *link, uint32_t k, int64_t now_ns)
{
    const struct line *line = self->o.line;
    struct conn *c = &link->conn[k];
    while (c->again.busy && may_request(c, now_ns)) {
        struct line_subject s = subject(self, link, c->again.symbol, 1);
        s.trades = s.trades && !s.books;
        s.id -= c->again.part;
        int len = (c->again.unsubscribed ? line->subscribe : line->unsubscribe)(&s, c->again.part, self->text,
                                                                                sizeof self->text);
        if (len < 0)
            return false;
        if (len == 0) {
            c->again.busy = !c->again.unsubscribed;
            c->again.unsubscribed = true;
            c->again.part = 0;
            continue;
        }
        c->again.part++;
        self->request_id++;
        if (!send_request(self, link, k, (size_t)len, now_ns))
            return false;
    }
    return true;
}
