#include "services/recorder/market_rows.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/table.h"
#include "lib/base/text.h"
#include "lib/runtime/log.h"
#include "lib/runtime/metric.h"
#include "proto/topic.h"
#include "services/recorder/ring.h"

enum market_kept { KEPT_MARKS, KEPT_BBO, KEPT_BOOKS };
enum { TOPICS_MAX = 4 * INSTRUMENTS_MAX };

struct topic_state {
    uint64_t epoch, seq; /* last seen */
    int64_t taken_at;    /* market time of the last row */
    bool any;            /* a row was taken */
    bool checked;        /* what the database held before this process is not taken for new */
};

struct market_rows {
    enum market_kept kept;
    int64_t every_ns, batch_rows;
    char run[40];
    struct table *topics;
    struct topic_state *states;
    struct ring ring;
    uint64_t rows, dropped, refused;
    struct message scratch;
};

/* ---- life -------------------------------------------------------------------------------------------- */

struct market_rows *market_rows_new(const struct config *config, const char *run)
{
    struct market_rows *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->topics = table_new(TOPICS_MAX, TOPIC_MAX);
    self->states = calloc(TOPICS_MAX, sizeof *self->states);
    if (!self->topics || !self->states || !ring_open(&self->ring, MARKET_WAITING_BYTES)) {
        market_rows_destroy(&self);
        return NULL;
    }
    if (strcmp(config->recorder.market, "bbo") == 0)
        self->kept = KEPT_BBO;
    else if (strcmp(config->recorder.market, "books") == 0)
        self->kept = KEPT_BOOKS;
    self->every_ns = config->recorder.market_every_ms * NS_PER_MS;
    self->batch_rows = config->recorder.batch_rows;
    (void)text_set(self->run, sizeof self->run, run);
    return self;
}

void market_rows_destroy(struct market_rows **self)
{
    if (*self) {
        ring_close(&(*self)->ring);
        table_destroy(&(*self)->topics);
        free((*self)->states);
        free(*self);
    }
    *self = NULL;
}

/* ---- taking ------------------------------------------------------------------------------------------ */

static struct topic_state *state_of(struct market_rows *self, const char *topic, size_t len)
{
    int i = table_intern(self->topics, topic, len);
    return i < 0 ? NULL : &self->states[i];
}

static void put(struct market_rows *self, const struct message *m)
{
    if (!ring_put(&self->ring, m))
        self->dropped++;
}

static bool is_due(const struct market_rows *self, struct topic_state *s, int64_t market_ns)
{
    int64_t age = market_ns - s->taken_at;
    if (s->any && age >= 0 && age < self->every_ns)
        return false;
    s->any = true;
    s->taken_at = market_ns;
    return true;
}

/* The best prices of a book; nothing of one that is not to be relied on. */
static void take_best_of_book(struct market_rows *self, const struct message *m)
{
    const struct book *b = &m->book;
    char topic[TOPIC_MAX];
    size_t len = topic_make("bbo", b->symbol, b->venue, topic);
    struct topic_state *instrument = state_of(self, topic, len);
    if (b->state != BOOK_LIVE || !instrument || !is_due(self, instrument, b->recv_time))
        return;
    struct message *best = &self->scratch;
    message_init(best, MSG_BBO);
    best->env = m->env;
    best->env.type = MSG_BBO;
    (void)text_set(best->env.stream, sizeof best->env.stream, STORE_FROM_BOOK);
    memcpy(best->bbo.symbol, b->symbol, sizeof b->symbol);
    memcpy(best->bbo.venue, b->venue, sizeof b->venue);
    best->bbo.venue_seq = b->venue_seq;
    best->bbo.venue_time = b->venue_time;
    best->bbo.recv_time = b->recv_time;
    best->bbo.recv_mono = b->recv_mono;
    best->bbo.price_exp = b->price_exp;
    best->bbo.qty_exp = b->qty_exp;
    if (b->n_bids > 0) {
        best->bbo.bid = b->bids[0].price;
        best->bbo.bid_qty = b->bids[0].qty;
    }
    if (b->n_asks > 0) {
        best->bbo.ask = b->asks[0].price;
        best->bbo.ask_qty = b->asks[0].qty;
    }
    put(self, best);
}

void market_rows_take(struct market_rows *self, const struct message *m)
{
    char topic[TOPIC_MAX];
    uint32_t type = m->env.type;
    if (type != MSG_INST && type != MSG_VENUE &&
        (self->kept == KEPT_MARKS || (type != MSG_BBO && type != MSG_BOOK)))
        return;
    struct topic_state *s = state_of(self, topic, topic_of(m, topic));
    if (!s) {
        self->dropped++;
        return;
    }
    if (s->epoch == m->env.epoch && s->seq == m->env.seq)
        return;
    s->epoch = m->env.epoch;
    s->seq = m->env.seq;
    if (type == MSG_BOOK && self->kept == KEPT_BBO)
        take_best_of_book(self, m);
    else if (type == MSG_INST || type == MSG_VENUE ||
             is_due(self, s, type == MSG_BBO ? m->bbo.recv_time : m->book.recv_time))
        put(self, m);
}

/* ---- storing ----------------------------------------------------------------------------------------- */

static void check_again(struct market_rows *self)
{
    for (uint32_t i = 0; i < table_count(self->topics); i++)
        self->states[i].checked = false;
}

/* Only the first row of a topic can have been stored before: by the process before this one, or by a commit whose
 * answer was lost. */
static int is_new(struct market_rows *self, struct store *store, const struct message *m, bool *new)
{
    char topic[TOPIC_MAX];
    bool holds = false, of_book = m->env.type == MSG_BBO && strcmp(m->env.stream, STORE_FROM_BOOK) == 0;
    size_t len = of_book ? topic_make("book", m->bbo.symbol, m->bbo.venue, topic) : topic_of(m, topic);
    struct topic_state *s = state_of(self, topic, len);
    int status = OK;
    *new = true;
    if (!s || s->checked || m->env.type == MSG_INST)
        return OK;
    status = store_holds(store, self->run, m, &holds);
    *new = !holds;
    s->checked = status == OK && !holds;
    return status;
}

/* One transaction over the oldest that wait. `apart`: those that are refused stay out of it. Returns its status;
 * *messages: how many it has taken up. */
static int store_batch(struct market_rows *self, struct store *store, bool apart, uint64_t *messages)
{
    struct ring rest = self->ring;
    int64_t rows = 0;
    uint64_t refused = 0;
    int status = OK;
    *messages = 0;
    while (status == OK && rest.records > 0 && rows < self->batch_rows) {
        struct message *m = &self->scratch;
        bool new = true;
        ring_look(&rest, m);
        status = is_new(self, store, m, &new);
        if (status == OK && new)
            status = apart ? store_add_apart(store, self->run, m) : store_add(store, self->run, m);
        if (apart && (status == E_REFUSED || status == E_STATE)) {
            refused++;
            status = OK;
        }
        rows += 1 + (m->env.type == MSG_BOOK ? (int64_t)m->book.n_bids + m->book.n_asks : 0);
        (*messages)++;
        ring_drop(&rest);
    }
    if (status == OK)
        status = store_commit(store, self->run, NULL, 0);
    if (status == OK)
        self->refused += refused;
    if (status == OK && refused)
        log_line(LOG_WARN, "market-refused", "rows=%lu error=\"%s\" what=\"market data that is not kept\"",
                 refused, store_error(store));
    return status;
}

int market_rows_store(struct market_rows *self, struct store *store)
{
    uint64_t messages = 0;
    if (self->ring.records == 0)
        return OK;
    int status = store_batch(self, store, false, &messages);
    if (status == E_REFUSED || status == E_STATE)
        status = store_batch(self, store, true, &messages);
    if (status) {
        check_again(self);
        return E_IO;
    }
    for (uint64_t i = 0; i < messages; i++)
        ring_drop(&self->ring);
    self->rows += messages;
    return OK;
}

uint64_t market_rows_waiting(const struct market_rows *self)
{
    return self->ring.records;
}

bool market_rows_pressing(const struct market_rows *self)
{
    return self->ring.used > self->ring.size / 2;
}

void market_rows_status(const struct market_rows *self, struct reply *reply)
{
    status_metric(reply, "market_rows", (int64_t)self->rows);
    status_metric(reply, "market_dropped", (int64_t)self->dropped);
    status_metric(reply, "market_refused", (int64_t)self->refused);
}
