/* What is asked for over HTTP: instruments at the beginning and now and then, snapshots of books that lack one. */
#include <stdio.h>
#include <string.h>

#include "services/feed/connector_inside.h"

/* A snapshot that did not help is asked for again after this, doubled each time up to the most. */
#define SNAPSHOT_NS     (500 * NS_PER_MS)
#define SNAPSHOT_MAX_NS (30 * NS_PER_SEC)
#define QUERY_NS        (2 * NS_PER_SEC)
#define QUERY_MAX_NS    (300 * NS_PER_SEC)
/* The venue says "too many": nothing is asked for so long, doubled while it goes on saying so. */
#define REFUSED_NS     (30 * NS_PER_SEC)
#define BANNED_NS      (120 * NS_PER_SEC)
#define REFUSED_MAX_NS (600 * NS_PER_SEC)

void rest_open(struct connector *self)
{
    const struct line_limits *l = &self->o.line->limits;
    uint64_t share = (uint64_t)l->weight * self->o.rest_percent / 100;
    uint32_t limit = l->weight == 0 ? 0 : share > 0 ? (uint32_t)share : 1;
    budget_open(&self->weight, limit, l->weight_ns);
    budget_open(&self->weight_burst, limit / 4 > 0 || limit == 0 ? limit / 4 : 1, l->weight_ns / 6);
}

static int free_ask(const struct connector *self)
{
    for (int i = 0; i < CONNECTOR_ASKS_MAX; i++)
        if (!self->asks[i].busy)
            return i;
    return NO_REQUEST;
}

/* Sends a GET of self->text. false: not now. */
static bool get(struct connector *self, struct ask ask, uint32_t weight, int64_t now_ns)
{
    int i = free_ask(self);
    if (i < 0 || now_ns < self->rest_until_ns || !budget_has(&self->weight, weight, now_ns) ||
        !budget_take(&self->weight_burst, weight, now_ns))
        return false;
    (void)budget_take(&self->weight, weight, now_ns);
    ask.busy = true;
    self->asks[i] = ask;
    if (self->acts.get(self->acts.ctx, (uint32_t)i, self->text))
        return true;
    self->asks[i].busy = false;
    return false;
}

void rest_want_snapshot(struct connector *self, uint32_t symbol, int64_t now_ns)
{
    struct symbol *s = &self->symbols[symbol];
    const struct line *line = self->o.line;
    uint32_t weight = 1;
    if (!line->snapshot || s->asked || now_ns < s->due_ns || now_ns < self->rest_until_ns)
        return;
    if (line->snapshot(self->o.symbols[symbol], self->o.depth, self->text, sizeof self->text, &weight) > 0 &&
        get(self, (struct ask){.snapshot = true, .symbol = symbol}, weight, now_ns)) {
        s->asked = true;
        self->turn = symbol + 1;
        self->counts.snapshots++;
    }
}

/* ---- instruments ------------------------------------------------------------------------------------ */

static void add_query(struct connector *self, struct query query)
{
    if (self->n_queries < self->queries_cap)
        self->queries[self->n_queries++] = query;
}

static void begin_queries(struct connector *self, int64_t now_ns)
{
    uint32_t n = self->o.line->limits.instruments;
    self->refresh_ns = now_ns + connector_pause(self, self->o.refresh_ns, self->o.refresh_ns, 0) / 2 +
                       self->o.refresh_ns / 2;
    self->n_queries = 0;
    if (n == 0 || n > self->o.n_symbols)
        n = self->o.n_symbols;
    for (uint32_t first = 0; first < self->o.n_symbols; first += n)
        add_query(self, (struct query){.first = first,
                                       .n = first + n > self->o.n_symbols ? self->o.n_symbols - first : n});
}

/* Asks of a query that are under way know it by its index, so it stays where it is until all are done. */
static bool query_step(struct connector *self, uint32_t index, int64_t now_ns)
{
    struct query *q = &self->queries[index];
    uint32_t weight = 1;
    if (q->n == 0 || q->busy || now_ns < q->due_ns)
        return true;
    struct line_subject subject = {
        .symbols = self->o.symbols + q->first, .n = q->n, .depth = self->o.depth, .books = true};
    int len = self->o.line->instruments(&subject, q->part, self->text, sizeof self->text, &weight);
    if (len <= 0) {
        q->n = 0;
        return true;
    }
    q->busy = get(self, (struct ask){.query = index}, weight, now_ns);
    return q->busy;
}

void rest_step(struct connector *self, int64_t now_ns)
{
    bool idle = true;
    if (!self->o.line->instruments || now_ns < self->rest_until_ns)
        return;
    for (uint32_t i = 0; i < self->n_queries; i++)
        idle = idle && self->queries[i].n == 0;
    if (idle && now_ns >= self->refresh_ns)
        begin_queries(self, now_ns);
    for (uint32_t i = 0; i < self->n_queries; i++)
        if (!query_step(self, i, now_ns))
            return;
}

/* A request that is refused for what it asks is halved, until the symbol is found that the venue does not have. */
static void query_refused(struct connector *self, struct query *q, int status, const char *words,
                          int64_t now_ns)
{
    char trouble[WHY_MAX];
    if (q->n > 1) {
        uint32_t half = q->n / 2;
        add_query(self, (struct query){.first = q->first + half, .n = q->n - half});
        *q = (struct query){.first = q->first, .n = half};
        return;
    }
    (void)snprintf(trouble, sizeof trouble, "the venue has no such instrument: HTTP %d%s%s", status,
                   *words ? ": " : "", words);
    connector_trouble_is(self, q->first, trouble);
    q->n = 0;
    (void)now_ns;
}

static void query_answered(struct connector *self, struct query *q, int status, const char *words,
                           int64_t now_ns)
{
    q->busy = false;
    if (status == 200) {
        q->part++;
        q->tries = 0;
        return;
    }
    if ((status == 400 || status == 404) && self->o.line->limits.instruments > 0) {
        query_refused(self, q, status, words, now_ns);
        return;
    }
    if (q->tries == 0)
        connector_tell(self, "no-instruments", CONNECTOR_NO_SYMBOL, "instruments are not known: HTTP %d %s",
                       status, words);
    q->due_ns = now_ns + connector_pause(self, QUERY_NS, QUERY_MAX_NS, q->tries++);
}

/* ---- answers ---------------------------------------------------------------------------------------- */

static void snapshot_answered(struct connector *self, uint32_t symbol, int status, const char *words,
                              int64_t now_ns)
{
    char trouble[WHY_MAX];
    struct symbol *s = &self->symbols[symbol];
    s->asked = false;
    if (status == 200 && self->acts.wants(self->acts.ctx, symbol) != WANTS_SNAPSHOT) {
        s->tries = 0;
        return;
    }
    self->counts.snapshots_failed++;
    s->due_ns = now_ns + connector_pause(self, SNAPSHOT_NS, SNAPSHOT_MAX_NS, s->tries++);
    if (status == 200 || status == 429 || status == 418)
        return;
    (void)snprintf(trouble, sizeof trouble, "no snapshot: HTTP %d%s%s", status, *words ? ": " : "", words);
    connector_tell(self, "no-snapshot", (int)symbol, "%s", trouble);
}

/* Everything waits when the venue says that it is too much. */
static void hold_back(struct connector *self, int status, int retry_after_s, int64_t now_ns)
{
    bool refused = status == 429 || status == 418;
    if (status == 200)
        self->rest_refusals = 0;
    if (!refused && retry_after_s <= 0)
        return;
    int64_t told_ns = retry_after_s * NS_PER_SEC;
    int64_t own_ns = connector_pause(self, status == 418 ? BANNED_NS : REFUSED_NS, REFUSED_MAX_NS,
                                     refused ? self->rest_refusals++ : 0);
    /* What the venue says is waited for, and a little more, so that not all of its clients come at once. */
    int64_t wait_ns = told_ns > 0 ? told_ns + connector_jitter(self, NS_PER_SEC, NS_PER_SEC, 0) : own_ns;
    if (now_ns + wait_ns > self->rest_until_ns)
        self->rest_until_ns = now_ns + wait_ns;
    connector_tell(self, "requests-held", CONNECTOR_NO_SYMBOL, "HTTP %d: no request for %d s", status,
                   (int)(wait_ns / NS_PER_SEC));
}

void connector_on_answer(struct connector *self, uint32_t ask, int status, const char *words,
                         int retry_after_s, int64_t used_weight, int64_t now_ns)
{
    if (ask >= CONNECTOR_ASKS_MAX || !self->asks[ask].busy)
        return;
    struct ask done = self->asks[ask];
    self->asks[ask].busy = false;
    self->step_ns = 0;
    hold_back(self, status, retry_after_s, now_ns);
    if (used_weight >= 0) {
        const struct line_limits *l = &self->o.line->limits;
        self->counts.weight_told = used_weight;
        /* Others on this address use it too: near the limit it is left to them. */
        if (l->weight && used_weight > l->weight / 10 * 9 && now_ns + l->weight_ns / 6 > self->rest_until_ns)
            self->rest_until_ns = now_ns + l->weight_ns / 6;
    }
    if (done.snapshot)
        snapshot_answered(self, done.symbol, status, words, now_ns);
    else
        query_answered(self, &self->queries[done.query], status, words, now_ns);
}
