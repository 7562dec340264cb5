/* The waterfall of a run that goes on: three taps. What has to be remembered has a fixed place; of what was told long ago
 * the place may be taken by another. */
#include "tools/lat_read.h"

#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lib/base/clock.h"
#include "lib/base/table.h"
#include "lib/base/text.h"
#include "lib/runtime/ledger.h"

enum { REMEMBERED = 1 << 16, WORKERS_MAX = 64 };

/* Who asked for the decision at a place in risk's ledger. */
struct asked {
    uint64_t epoch, pos;
    int worker;
};

/* An order of a first attempt, by the hash of its client id. */
struct seen_order {
    uint64_t id;
    bool first, sent, filled, other_boot;
};

struct lat_live {
    struct waterfall *w;
    void *zmq, *market;
    struct ledger_reader *risk, *exec;
    struct inbox inbox;
    struct decoder *decoder;
    struct drops drops;
    struct message message;
    int64_t begin_utc_ns, begin_mono_ns;
    uint64_t boot_id;
    bool heard_risk, heard_exec;
    char workers[WORKERS_MAX][LAT_NAME_MAX];
    int n_workers;
    struct asked asked[REMEMBERED];
    struct seen_order orders[REMEMBERED];
};

/* ---- what is counted --------------------------------------------------------------------------------------- */

static bool is_new(const struct lat_live *self, const struct message *m)
{
    return m->env.time_out >= self->begin_utc_ns;
}

static bool other_boot(const struct lat_live *self, const struct trace *trace)
{
    return trace->boot_id != 0 && trace->boot_id != self->boot_id;
}

static int worker_number(struct lat_live *self, const char *name)
{
    for (int i = 0; i < self->n_workers; i++)
        if (strcmp(self->workers[i], name) == 0)
            return i;
    if (self->n_workers == WORKERS_MAX)
        return WORKERS_MAX - 1;
    (void)text_set(self->workers[self->n_workers], LAT_NAME_MAX,
                   self->n_workers == WORKERS_MAX - 1 ? "(others)" : name);
    return self->n_workers++;
}

static void count_decision(struct waterfall *w, const struct decision *d, const struct trace *trace)
{
    w->decisions++;
    w->without_tick += trace->recv_mono == 0;
    group_decision(w->groups[0], trace);
    struct lat_group *group = w->by == BY_ROUTE    ? waterfall_group(w, d->route)
                              : w->by == BY_WORKER ? waterfall_group(w, d->worker)
                                                   : NULL;
    if (group)
        group_decision(group, trace);
    for (uint32_t i = 0; w->by == BY_VENUE && i < d->n_legs; i++) {
        bool again = false;
        for (uint32_t k = 0; k < i; k++)
            again |= strcmp(d->legs[k].venue, d->legs[i].venue) == 0;
        group = again ? NULL : waterfall_group(w, d->legs[i].venue);
        if (group)
            group_decision(group, trace);
    }
}

static void on_risk(void *ctx, const struct message *m, struct now now)
{
    struct lat_live *self = ctx;
    (void)now;
    self->heard_risk = true;
    if (m->env.type != MSG_DECISION)
        return;
    self->asked[m->env.pos % REMEMBERED] =
        (struct asked){m->env.epoch, m->env.pos, worker_number(self, m->decision.worker)};
    if (!is_new(self, m))
        return;
    self->w->other_boot += other_boot(self, &m->env.trace);
    count_decision(self->w, &m->decision, &m->env.trace);
}

static struct seen_order *order_of(struct lat_live *self, const char *client_id)
{
    uint64_t id = fnv1a(FNV_OFFSET, client_id, strlen(client_id));
    struct seen_order *o = &self->orders[id % REMEMBERED];
    if (o->id != id)
        *o = (struct seen_order){.id = id};
    return o;
}

static struct lat_group *group_of(struct lat_live *self, const char *venue, const char *route,
                                  uint64_t risk_epoch, uint64_t risk_pos)
{
    const struct asked *asked = &self->asked[risk_pos % REMEMBERED];
    switch (self->w->by) {
    case BY_VENUE:
        return waterfall_group(self->w, venue);
    case BY_ROUTE:
        return waterfall_group(self->w, route);
    case BY_WORKER:
        return asked->pos == risk_pos && asked->epoch == risk_epoch
                   ? waterfall_group(self->w, self->workers[asked->worker])
                   : NULL;
    case BY_NOTHING:
        break;
    }
    return NULL;
}

static void note_boot(struct lat_live *self, struct seen_order *o, const struct trace *trace)
{
    self->w->other_boot += !o->other_boot && other_boot(self, trace);
    o->other_boot |= other_boot(self, trace);
}

static void on_order(struct lat_live *self, const struct message *m)
{
    const struct order *order = &m->order;
    struct seen_order *o = order_of(self, order->client_id);
    if (order->attempt > 0) {
        self->w->later_attempts += !o->sent && is_new(self, m);
        o->sent = true;
        return;
    }
    o->first = true;
    if (is_new(self, m))
        note_boot(self, o, &m->env.trace);
    if (o->sent || m->env.trace.hop[HOP_EXEC_OUT] == 0)
        return;
    o->sent = true;
    if (!is_new(self, m))
        return;
    struct lat_group *group = group_of(self, order->venue, order->route, order->risk_epoch, order->risk_pos);
    self->w->orders++;
    group_order(self->w->groups[0], &m->env.trace);
    if (group)
        group_order(group, &m->env.trace);
}

static void on_fill(struct lat_live *self, const struct message *m)
{
    const struct fill *fill = &m->fill;
    struct seen_order *o = order_of(self, fill->client_id);
    if (!o->first || o->filled)
        return;
    o->filled = true;
    if (!is_new(self, m))
        return;
    struct lat_group *group = group_of(self, fill->venue, fill->route, fill->risk_epoch, fill->risk_pos);
    self->w->fills++;
    group_fill(self->w->groups[0], &m->env.trace, self->w->paper_latency_ns);
    if (group)
        group_fill(group, &m->env.trace, self->w->paper_latency_ns);
}

static void on_exec(void *ctx, const struct message *m, struct now now)
{
    struct lat_live *self = ctx;
    (void)now;
    self->heard_exec = true;
    if (m->env.type == MSG_ORDER)
        on_order(self, m);
    else if (m->env.type == MSG_FILL)
        on_fill(self, m);
}

static void on_tick(struct lat_live *self, const struct message *m)
{
    const struct trace *t = &m->env.trace;
    const char *venue = m->env.type == MSG_BOOK ? m->book.venue : m->env.type == MSG_BBO ? m->bbo.venue : "";
    if (t->recv_mono == 0 || t->hop[HOP_FEED_OUT] == 0 || other_boot(self, t))
        return;
    int64_t ns = t->hop[HOP_FEED_OUT] - t->recv_mono;
    histogram_record(&self->w->groups[0]->spans[SPAN_EVERY_TICK_TO_FEED_OUT], ns);
    struct lat_group *group = self->w->by == BY_VENUE ? waterfall_group(self->w, venue) : NULL;
    if (group)
        histogram_record(&group->spans[SPAN_EVERY_TICK_TO_FEED_OUT], ns);
}

/* ---- listening --------------------------------------------------------------------------------------------- */

int lat_live_open(struct waterfall *into, struct lat_live **out, char error[STORE_ERROR_MAX])
{
    char market[ENDPOINT_MAX];
    struct lat_live *self = calloc(1, sizeof *self);
    (void)snprintf(error, STORE_ERROR_MAX, "out of memory");
    *out = self;
    if (!self)
        return E_FULL;
    self->w = into;
    self->boot_id = clock_boot_id();
    self->begin_utc_ns = clock_utc_ns();
    self->begin_mono_ns = clock_mono_ns();
    self->zmq = sockets_open();
    self->decoder = decoder_new();
    endpoint_make("feed", "market", market);
    int status = self->zmq && self->decoder && inbox_open(&self->inbox) == OK ? OK : E_FULL;
    if (status == OK)
        status = ledger_reader_open("risk", self->zmq, 0, 0, on_risk, self, &self->risk, error);
    if (status == OK)
        status = ledger_reader_open("exec", self->zmq, 0, 0, on_exec, self, &self->exec, error);
    if (status == OK)
        status = socket_open(self->zmq, SOCKET_MARKET_SUB, market, &self->market, error, STORE_ERROR_MAX);
    if (status == OK)
        status = socket_subscribe(self->market, "book.");
    if (status == OK)
        status = socket_subscribe(self->market, "bbo.");
    if (status) {
        lat_live_close(out);
        return status;
    }
    ledger_reader_from_state(self->risk);
    ledger_reader_from_state(self->exec);
    return OK;
}

void lat_live_close(struct lat_live **self)
{
    struct lat_live *l = *self;
    if (!l)
        return;
    ledger_reader_close(&l->risk);
    ledger_reader_close(&l->exec);
    socket_close(&l->market);
    decoder_destroy(&l->decoder);
    inbox_close(&l->inbox);
    if (l->zmq)
        sockets_close(&l->zmq);
    free(l);
    *self = NULL;
}

static void drain_market(struct lat_live *self)
{
    for (int i = 0; i < 1000 && inbox_take(&self->inbox, self->market) == OK; i++) {
        if (!self->inbox.more || inbox_take(&self->inbox, self->market) != OK)
            continue;
        if (codec_decode(self->decoder, self->inbox.bytes, self->inbox.len, &self->message, &self->drops))
            on_tick(self, &self->message);
        inbox_skip(&self->inbox, self->market);
    }
}

/* Live records wait unread while the past is asked for. */
static int sources_of(struct ledger_reader *reader, zmq_pollitem_t *items)
{
    int n = 0;
    items[n++] = (zmq_pollitem_t){ledger_reader_replay_socket(reader), 0, ZMQ_POLLIN, 0};
    if (ledger_reader_follower(reader)->state == FOLLOWER_LIVE)
        items[n++] = (zmq_pollitem_t){ledger_reader_live_socket(reader), 0, ZMQ_POLLIN, 0};
    return n;
}

void lat_live_listen(struct lat_live *self, int timeout_ms)
{
    zmq_pollitem_t items[5];
    int n = sources_of(self->risk, items);
    n += sources_of(self->exec, items + n);
    items[n++] = (zmq_pollitem_t){self->market, 0, ZMQ_POLLIN, 0};
    (void)zmq_poll(items, n, timeout_ms);
    struct now now = {.mono_ns = clock_mono_ns(), .utc_ns = clock_utc_ns()};
    /* Who asked is known before the orders that came of it. */
    (void)ledger_reader_drain(self->risk, now, 1000);
    (void)ledger_reader_drain(self->exec, now, 1000);
    drain_market(self);
    self->w->seconds = (double)(now.mono_ns - self->begin_mono_ns) / NS_PER_SEC;
}

bool lat_live_heard(const struct lat_live *self)
{
    return self->heard_risk && self->heard_exec;
}

uint64_t lat_live_dropped(const struct lat_live *self)
{
    uint64_t n = 0;
    for (int why = 1; why < DROP_COUNT; why++)
        n += self->drops.count[why];
    return n;
}
