/* Links and their connections: when they are opened, watched, replaced and given up. */
#include "services/feed/connector.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/feed/connector_inside.h"

/* What is due is looked for this often: while something is on its way, and when all is well. */
#define STEP_NS    (20 * NS_PER_MS)
#define CALM_NS    (100 * NS_PER_MS)
#define CLOSE_MARK "replaced"
/* A new connection takes over when each book that flowed on the old one flows on it, or after this time: a book may
 * have nothing to say. */
#define TAKE_OVER_NS (20 * NS_PER_SEC)
/* How long connections or requests are held back where the venue says no, and does not say for how long. */
#define REFUSED_NS (30 * NS_PER_SEC)

/* ---- life ------------------------------------------------------------------------------------------- */

/* Symbols of each lane are dealt out evenly over as few connections as can carry them. */
static bool plan_links(struct connector *self)
{
    const struct line *line = self->o.line;
    uint32_t most = line->limits.symbols, n = self->o.n_symbols;
    if (self->o.symbols_per_connection && self->o.symbols_per_connection < most)
        most = self->o.symbols_per_connection;
    uint32_t parts = (n + most - 1) / most;
    for (uint32_t lane = 0; lane < line->n_lanes; lane++) {
        if (!line->lanes[lane].books && !self->o.trades)
            continue;
        for (uint32_t part = 0, first = 0; part < parts; part++) {
            if (self->n_links == CONNECTOR_LINKS_MAX)
                return false;
            struct link *link = &self->links[self->n_links];
            link->lane = &line->lanes[lane];
            link->first = first;
            link->n = n / parts + (part < n % parts);
            for (uint32_t i = first; link->lane->books && i < first + link->n; i++)
                self->symbols[i].link = self->n_links;
            first += link->n;
            self->n_links++;
        }
    }
    return true;
}

struct connector *connector_new(const struct connector_options *options, const struct connector_acts *acts)
{
    struct connector *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    const struct line_limits *l = &options->line->limits;
    self->o = *options;
    self->acts = *acts;
    self->counts.weight_told = -1;
    rng_seed(&self->rng, options->seed);
    budget_open(&self->connects, l->connects > 1 ? l->connects / 2 : 1, l->connects_ns);
    self->symbols = calloc(options->n_symbols ? options->n_symbols : 1, sizeof *self->symbols);
    self->queries_cap = 2 * options->n_symbols + 8;
    self->queries = calloc(self->queries_cap, sizeof *self->queries);
    if (!self->symbols || !self->queries || !plan_links(self))
        connector_destroy(&self);
    else
        rest_open(self);
    return self;
}

void connector_destroy(struct connector **self)
{
    if (*self) {
        free((*self)->symbols);
        free((*self)->queries);
        free(*self);
    }
    *self = NULL;
}

int64_t connector_jitter(struct connector *self, int64_t base_ns, int64_t max_ns, uint32_t tries)
{
    int64_t most = base_ns;
    for (uint32_t i = 0; i < tries && most < max_ns; i++)
        most *= 2;
    return (int64_t)rng_below(&self->rng, (uint64_t)(most < max_ns ? most : max_ns) + 1);
}

int64_t connector_pause(struct connector *self, int64_t base_ns, int64_t max_ns, uint32_t tries)
{
    int64_t most = base_ns;
    for (uint32_t i = 0; i < tries && most < max_ns; i++)
        most *= 2;
    if (most > max_ns)
        most = max_ns;
    return most / 2 + (int64_t)rng_below(&self->rng, (uint64_t)(most / 2) + 1);
}

void connector_tell(struct connector *self, const char *event, int symbol, const char *format, ...)
{
    char words[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(words, sizeof words, format, args);
    va_end(args);
    self->acts.tell(self->acts.ctx, event, symbol, words);
}

void connector_trouble_is(struct connector *self, uint32_t symbol, const char *words)
{
    struct symbol *s = &self->symbols[symbol];
    if (strncmp(s->trouble, words, sizeof s->trouble - 1) == 0)
        return;
    (void)snprintf(s->trouble, sizeof s->trouble, "%s", words);
    connector_tell(self, "symbol-trouble", (int)symbol, "%s", words);
}

uint32_t connector_conn_number(const struct connector *self, const struct link *link, uint32_t k)
{
    return (uint32_t)(link - self->links) * 2 + k;
}

static struct link *link_of(struct connector *self, uint32_t conn, struct conn **out)
{
    if (conn / 2 >= self->n_links)
        return NULL;
    struct link *link = &self->links[conn / 2];
    *out = &link->conn[conn % 2];
    return (*out)->state == CONN_NONE ? NULL : link;
}

/* ---- connections ------------------------------------------------------------------------------------ */

static void enter(struct conn *c, enum conn_state state, int64_t now_ns)
{
    c->state = state;
    c->since_ns = now_ns;
}

/* The next attempt of this link waits; of the whole venue where it said so. */
static void back_off(struct connector *self, struct link *link, int http_status, int retry_after_s,
                     int64_t now_ns)
{
    link->due_ns = now_ns + connector_jitter(self, BACKOFF_NS, BACKOFF_MAX_NS, link->failures);
    link->failures++;
    if (http_status != 429 && http_status != 418 && http_status != 503 && retry_after_s == 0)
        return;
    int64_t wait_ns = retry_after_s > 0 ? retry_after_s * NS_PER_SEC : http_status == 503 ? 0 : REFUSED_NS;
    wait_ns += connector_jitter(self, BACKOFF_NS, BACKOFF_MAX_NS, link->failures);
    if (now_ns + wait_ns > self->connects_until_ns)
        self->connects_until_ns = now_ns + wait_ns;
}

static void lose(struct connector *self, struct link *link, uint32_t k, const char *why, int http_status,
                 int retry_after_s, int64_t now_ns)
{
    struct conn *c = &link->conn[k];
    bool opened = c->state != CONN_OPENING;
    if (c->state == CONN_SUBSCRIBED && now_ns - c->since_ns >= STABLE_NS)
        link->failures = 0;
    if (opened && k == link->active) {
        link->reconnects++;
        self->counts.reconnects++;
    }
    (void)snprintf(link->why, sizeof link->why, "%s", why);
    enter(c, CONN_NONE, now_ns);
    back_off(self, link, http_status, retry_after_s, now_ns);
    if (k == link->active && link->conn[!k].state != CONN_NONE)
        link->active = !k;
    connector_tell(self, "connection-lost", CONNECTOR_NO_SYMBOL,
                   "connection %u %s: %s; next attempt in %" PRId64 " ms",
                   connector_conn_number(self, link, k), opened ? "lost" : "not opened", why,
                   (link->due_ns - now_ns) / NS_PER_MS);
    self->step_ns = 0;
}

static void give_up(struct connector *self, struct link *link, uint32_t k, const char *why, int64_t now_ns)
{
    self->acts.close(self->acts.ctx, connector_conn_number(self, link, k), why);
    lose(self, link, k, why, 0, 0, now_ns);
}

static void open_conn(struct connector *self, struct link *link, uint32_t k, int64_t now_ns)
{
    struct conn *c = &link->conn[k];
    if (now_ns < link->due_ns || now_ns < self->connects_until_ns || !budget_take(&self->connects, 1, now_ns))
        return;
    const struct line_limits *l = &self->o.line->limits;
    memset(c, 0, sizeof *c);
    enter(c, CONN_OPENING, now_ns);
    c->heard_ns = now_ns;
    /* One message is left for the answer to a ping, which nobody here sends. */
    budget_open(&c->sends, l->sends > 2 ? l->sends - 1 : l->sends, l->sends_ns);
    budget_open(&c->requests, l->requests, l->requests_ns);
    self->counts.attempts++;
    if (!self->acts.connect(self->acts.ctx, connector_conn_number(self, link, k), link->lane->path))
        lose(self, link, k, "cannot be begun", 0, 0, now_ns);
}

/* Each book that flows on the old connection flows on the new one. */
static bool has_taken_over(const struct connector *self, const struct link *link, int64_t now_ns)
{
    const struct conn *next = &link->conn[!link->active];
    if (next->state != CONN_SUBSCRIBED)
        return false;
    if (now_ns - next->since_ns >= TAKE_OVER_NS)
        return true;
    if (!link->lane->books)
        return next->heard_subscribed > 0 && now_ns - next->since_ns >= NS_PER_SEC;
    uint32_t old = connector_conn_number(self, link, link->active);
    uint32_t new = connector_conn_number(self, link, !link->active);
    for (uint32_t i = link->first; i < link->first + link->n; i++)
        if (self->acts.flows(self->acts.ctx, i, old) && !self->acts.flows(self->acts.ctx, i, new))
            return false;
    return true;
}

static void take_over(struct connector *self, struct link *link, int64_t now_ns)
{
    uint32_t old = link->active;
    link->active = !old;
    link->replaced++;
    self->counts.replaced++;
    self->acts.close(self->acts.ctx, connector_conn_number(self, link, old), CLOSE_MARK);
    enter(&link->conn[old], CONN_NONE, now_ns);
    connector_tell(self, "connection-replaced", CONNECTOR_NO_SYMBOL, "connection %u replaced by %u",
                   connector_conn_number(self, link, old), connector_conn_number(self, link, link->active));
}

/* What a connection itself has to do, by its state. */
static void step_conn(struct connector *self, struct link *link, uint32_t k, int64_t now_ns)
{
    struct conn *c = &link->conn[k];
    char why[WHY_MAX];
    bool sent = true;
    if (c->state == CONN_OPENING && now_ns - c->since_ns >= OPEN_NS) {
        give_up(self, link, k, "no answer to the connect", now_ns);
        return;
    }
    if (c->state < CONN_SUBSCRIBING)
        return;
    if (now_ns - c->heard_ns >= self->o.line->limits.silent_ns) {
        (void)snprintf(why, sizeof why, "nothing was heard for %" PRId64 " ms",
                       (now_ns - c->heard_ns) / NS_PER_MS);
        give_up(self, link, k, why, now_ns);
        return;
    }
    if (c->state == CONN_SUBSCRIBING)
        sent = words_subscribe(self, link, k, now_ns);
    else
        sent = words_again(self, link, k, now_ns);
    if (!sent || !words_keep_alive(self, link, k, now_ns))
        give_up(self, link, k, "it takes no message", now_ns);
    else if (c->state == CONN_SUBSCRIBED && now_ns - c->since_ns >= STABLE_NS && k == link->active)
        link->failures = 0;
}

static void step_link(struct connector *self, struct link *link, int64_t now_ns)
{
    step_conn(self, link, 0, now_ns);
    step_conn(self, link, 1, now_ns);
    struct conn *c = &link->conn[link->active];
    bool other = link->conn[!link->active].state != CONN_NONE;
    if (c->state == CONN_NONE)
        open_conn(self, link, link->active, now_ns);
    else if (other && has_taken_over(self, link, now_ns))
        take_over(self, link, now_ns);
    else if (!other && c->state >= CONN_SUBSCRIBING &&
             (c->leaving || (c->replace_ns && now_ns >= c->replace_ns)))
        open_conn(self, link, !link->active, now_ns);
}

/* ---- books ------------------------------------------------------------------------------------------ */

/* What each symbol lacks, in turns, so that none waits for the others' snapshots for ever. Returns whether one lacks
 * anything. */
static bool scan(struct connector *self, int64_t now_ns)
{
    bool lacking = false;
    uint32_t turn = self->turn;
    for (uint32_t k = 0; k < self->o.n_symbols; k++) {
        uint32_t i = (turn + k) % self->o.n_symbols;
        struct symbol *s = &self->symbols[i];
        struct link *link = &self->links[s->link];
        const struct conn *c = &link->conn[link->active];
        enum book_wants wants = self->acts.wants(self->acts.ctx, i);
        bool flows = self->acts.flows(self->acts.ctx, i, connector_conn_number(self, link, link->active));
        lacking = lacking || wants != WANTS_NOTHING || !flows;
        if (flows && (s->told || *s->trouble)) {
            s->told = false;
            s->trouble[0] = '\0';
            connector_tell(self, "symbol-data", (int)i, "data has come");
        }
        if (wants == WANTS_SNAPSHOT && flows)
            rest_want_snapshot(self, i, now_ns);
        else if (wants == WANTS_SUBSCRIPTION)
            words_want_again(self, link, i, true, now_ns);
        else if (wants == WANTS_NOTHING && flows && now_ns >= s->again_due_ns)
            s->again_tries = s->tries = 0;
        if (flows || c->state != CONN_SUBSCRIBED || now_ns - c->since_ns < NO_DATA_NS)
            continue;
        if (!s->told && !*s->trouble)
            connector_trouble_is(self, i,
                                 "nothing has come since it was subscribed: does the venue have it?");
        s->told = true;
        words_want_again(self, link, i, false, now_ns);
    }
    return lacking;
}

/* ---- what happened ---------------------------------------------------------------------------------- */

void connector_on_opened(struct connector *self, uint32_t conn, int64_t now_ns)
{
    struct conn *c;
    struct link *link = link_of(self, conn, &c);
    if (!link || c->state != CONN_OPENING)
        return;
    enter(c, CONN_SUBSCRIBING, now_ns);
    c->heard_ns = c->pinged_ns = now_ns;
    int64_t life_ns = self->o.line->limits.life_ns;
    if (life_ns) /* 23 to 23.5 hours of 24 */
        c->replace_ns = now_ns + life_ns - life_ns / 48 - connector_jitter(self, life_ns / 48, life_ns, 0);
    connector_tell(self, "connection-open", CONNECTOR_NO_SYMBOL, "connection %u open, %u symbols", conn,
                   link->n);
    self->step_ns = 0;
}

void connector_on_closed(struct connector *self, uint32_t conn, const char *why, int http_status,
                         int retry_after_s, int64_t now_ns)
{
    struct conn *c;
    struct link *link = link_of(self, conn, &c);
    if (link)
        lose(self, link, conn % 2, why, http_status, retry_after_s, now_ns);
}

void connector_on_heard(struct connector *self, uint32_t conn, int64_t now_ns)
{
    struct conn *c;
    if (!link_of(self, conn, &c))
        return;
    c->heard_ns = now_ns;
    c->heard_subscribed += c->state == CONN_SUBSCRIBED;
}

/* The words have the symbol in them, and not as the beginning of a longer one. */
static bool names(const char *words, const char *symbol)
{
    size_t len = strlen(symbol);
    for (const char *at = strstr(words, symbol); at; at = strstr(at + 1, symbol))
        if (!isalnum((unsigned char)at[len]))
            return true;
    return false;
}

void connector_on_notice(struct connector *self, uint32_t conn, enum notice notice, const char *detail,
                         int64_t now_ns)
{
    struct conn *c;
    struct link *link = link_of(self, conn, &c);
    (void)now_ns;
    if (!link)
        return;
    if (notice == NOTICE_LEAVING && !c->leaving) {
        c->leaving = true;
        self->step_ns = 0;
        connector_tell(self, "connection-leaving", CONNECTOR_NO_SYMBOL,
                       "connection %u will be ended by the venue (%s)", conn, detail);
    } else if (notice == NOTICE_REFUSED) {
        self->counts.refused++;
        connector_tell(self, "refused", CONNECTOR_NO_SYMBOL, "connection %u: refused: %s", conn, detail);
        for (uint32_t i = link->first; i < link->first + link->n; i++)
            if (names(detail, self->o.symbols[i]))
                connector_trouble_is(self, i, detail);
    }
}

int64_t connector_on_time(struct connector *self, int64_t now_ns)
{
    if (now_ns < self->step_ns)
        return self->step_ns;
    bool calm = true;
    for (uint32_t i = 0; i < self->n_links; i++) {
        step_link(self, &self->links[i], now_ns);
        calm = calm && self->links[i].conn[self->links[i].active].state == CONN_SUBSCRIBED;
    }
    calm = !scan(self, now_ns) && calm;
    rest_step(self, now_ns);
    self->step_ns = now_ns + (calm ? CALM_NS : STEP_NS);
    return self->step_ns;
}

/* ---- how it stands ---------------------------------------------------------------------------------- */

void connector_status(struct connector *self, int64_t now_ns, struct connector_status *out)
{
    *out = self->counts;
    out->links = self->n_links;
    for (uint32_t i = 0; i < self->n_links; i++) {
        const struct link *link = &self->links[i];
        out->links_up += link->conn[link->active].state == CONN_SUBSCRIBED;
        out->opened += (link->conn[0].state >= CONN_SUBSCRIBING) + (link->conn[1].state >= CONN_SUBSCRIBING);
    }
    for (uint32_t i = 0; i < self->o.n_symbols; i++)
        out->symbols_without += *self->symbols[i].trouble != '\0';
    out->weight_used = budget_used(&self->weight, now_ns);
    out->connects_held_ns = self->connects_until_ns > now_ns ? self->connects_until_ns : 0;
    out->rest_held_ns = self->rest_until_ns > now_ns ? self->rest_until_ns : 0;
}

bool connector_link(const struct connector *self, uint32_t index, struct link_status *out)
{
    static const enum link_state states[] = {LINK_WAITING, LINK_OPENING, LINK_SUBSCRIBING, LINK_UP};
    if (index >= self->n_links)
        return false;
    const struct link *link = &self->links[index];
    const struct conn *c = &link->conn[link->active];
    int64_t held_ns = self->connects_until_ns > link->due_ns ? self->connects_until_ns : link->due_ns;
    *out = (struct link_status){.state = states[c->state],
                                .books = link->lane->books,
                                .trades = link->lane->trades,
                                .replacing = link->conn[!link->active].state != CONN_NONE,
                                .conn = connector_conn_number(self, link, link->active),
                                .symbols = link->n,
                                .failures = link->failures,
                                .until_ns = c->state == CONN_NONE ? held_ns : c->replace_ns,
                                .reconnects = link->reconnects,
                                .replaced = link->replaced,
                                .why = link->why};
    return true;
}

const char *link_state_text(enum link_state state)
{
    static const char *const names[] = {"backing-off", "opening", "subscribing", "up"};
    return names[state];
}

const char *connector_trouble(const struct connector *self, uint32_t symbol)
{
    return self->symbols[symbol].trouble;
}
