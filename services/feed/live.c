#include "services/feed/live.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/entropy.h"
#include "lib/base/table.h"
#include "lib/runtime/probe.h"
#include "services/feed/live_inside.h"

#define HTTP_NS (10 * NS_PER_SEC)

/* ---- the market's sink ------------------------------------------------------------------------------ */

static void on_instrument(void *ctx, const struct venue_book *book)
{
    struct live_venue *v = ctx;
    feed_on_instrument(v->live->core, v->ops->name, book, v->live->now);
}

static void on_book(void *ctx, const struct venue_book *book)
{
    struct live_venue *v = ctx;
    enum stage before = probe_stage(STAGE_BOOK);
    feed_on_book(v->live->core, v->ops->name, book, v->live->now);
    probe_back(before);
}

static void on_best(void *ctx, const struct venue_book *book, const struct bbo *bbo)
{
    struct live_venue *v = ctx;
    enum stage before = probe_stage(STAGE_BOOK);
    feed_on_best(v->live->core, v->ops->name, book, bbo, v->live->now);
    probe_back(before);
}

static void on_trade(void *ctx, const struct venue_book *book, const struct trade *trade)
{
    struct live_venue *v = ctx;
    (void)service_ready(v->live->service);
    feed_on_trade(v->live->core, v->ops->name, book, trade, v->live->now, &v->live->service->outbox);
}

static void on_notice(void *ctx, uint32_t conn, enum notice notice, const char *detail)
{
    struct live_venue *v = ctx;
    connector_on_notice(v->connector, conn, notice, detail, v->live->now.mono_ns);
}

/* ---- frames ----------------------------------------------------------------------------------------- */

/* Whatever is received passes here. */
static void take(struct live_venue *v, enum frame_kind kind, uint32_t conn, const char *url, const char *text,
                 size_t len, bool binary)
{
    struct live *live = v->live;
    struct frame frame = {
        .kind = kind, .conn = conn, .url = url, .text = text, .len = len, .recv_ns = live->now.utc_ns};
    enum stage before = probe_stage(STAGE_JOURNAL);
    if (live->tap.frame)
        live->tap.frame(live->tap.ctx, v->ops->name, &frame, false, binary);
    probe_back(before);
    before = probe_stage(STAGE_DECODE);
    const int taken = v->ops->on_frame(v->market, &frame);
    probe_back(before);
    if (taken != OK)
        log_line(LOG_WARN, "malformed", "venue=%s conn=%u error=\"%s\"", v->ops->name, conn,
                 v->ops->counters(v->market)->last_error);
}

/* The market's books are matched with what was asked for, once each. */
static void match_books(struct live_venue *v)
{
    for (uint32_t n = v->ops->books(v->market); v->n_books < n; v->n_books++) {
        const struct inst *inst = &v->ops->book_at(v->market, v->n_books)->inst;
        for (uint32_t i = 0; i < v->n_symbols; i++)
            if (v->symbols[i].book == NO_BOOK && (strcmp(inst->symbol, v->symbols[i].symbol) == 0 ||
                                                  strcmp(inst->venue_symbol, v->symbols[i].name) == 0)) {
                v->symbols[i].book = (int)v->n_books;
                break;
            }
    }
}

/* ---- WebSocket events ------------------------------------------------------------------------------- */

static void on_opened(void *ctx, struct websocket *ws)
{
    struct live_socket *s = ctx;
    (void)ws;
    s->opened = true;
    take(s->venue, FRAME_CONNECT, s->conn, s->url, "", 0, false);
    connector_on_opened(s->venue->connector, s->conn, s->venue->live->now.mono_ns);
}

static void on_message(void *ctx, struct websocket *ws, const char *text, size_t len, bool binary)
{
    struct live_socket *s = ctx;
    (void)ws;
    connector_on_heard(s->venue->connector, s->conn, s->venue->live->now.mono_ns);
    take(s->venue, FRAME_WS, s->conn, s->url, text, len, binary);
}

static void on_heard(void *ctx, struct websocket *ws)
{
    struct live_socket *s = ctx;
    (void)ws;
    connector_on_heard(s->venue->connector, s->conn, s->venue->live->now.mono_ns);
}

static void gone(struct live_socket *s)
{
    bool opened = s->opened;
    s->ws = NULL;
    s->opened = false;
    if (opened)
        take(s->venue, FRAME_CLOSE, s->conn, s->url, "", 0, false);
}

static void on_closed(void *ctx, struct websocket *ws, const char *why, int http_status, int retry_after_s)
{
    struct live_socket *s = ctx;
    (void)ws;
    gone(s);
    connector_on_closed(s->venue->connector, s->conn, why, http_status, retry_after_s,
                        s->venue->live->now.mono_ns);
}

/* ---- what the connector wants ----------------------------------------------------------------------- */

static bool act_connect(void *ctx, uint32_t conn, const char *path)
{
    struct live_venue *v = ctx;
    struct live_socket *s = &v->sockets[conn];
    char url[URL_MAX];
    struct websocket_events events = {
        .ctx = s, .opened = on_opened, .message = on_message, .heard = on_heard, .closed = on_closed};
    (void)snprintf(url, sizeof url, "%s%s", v->ws_url, path);
    (void)snprintf(s->url, sizeof s->url, "%s%s", v->ops->line->ws_url, path);
    s->opened = false;
    s->ws = websocket_connect(v->net, url, &events);
    return s->ws != NULL;
}

static bool act_send(void *ctx, uint32_t conn, const char *text, size_t len)
{
    struct live_venue *v = ctx;
    struct live_socket *s = &v->sockets[conn];
    struct frame frame = {.kind = FRAME_WS,
                          .conn = conn,
                          .url = s->url,
                          .text = text,
                          .len = len,
                          .recv_ns = v->live->now.utc_ns};
    if (!s->ws || websocket_send(s->ws, text, len, false) != OK)
        return false;
    if (v->live->tap.frame)
        v->live->tap.frame(v->live->tap.ctx, v->ops->name, &frame, true, false);
    return true;
}

static void act_ping(void *ctx, uint32_t conn)
{
    struct live_socket *s = &((struct live_venue *)ctx)->sockets[conn];
    if (s->ws)
        (void)websocket_ping(s->ws);
}

static void act_close(void *ctx, uint32_t conn, const char *why)
{
    struct live_venue *v = ctx;
    struct live_socket *s = &v->sockets[conn];
    (void)why;
    if (s->ws)
        websocket_close(&s->ws);
    gone(s);
}

/* What an answer that is no good says, as far as it is fit for a line of the log. */
static void answer_words(const struct http_answer *answer, char out[DETAIL_MAX])
{
    const char *text = answer->status && answer->len ? answer->body : answer->words;
    size_t n = 0;
    for (; text && text[n] && n + 1 < DETAIL_MAX; n++)
        out[n] = text[n] < ' ' || text[n] > '~' ? '.' : text[n] == '"' ? '\'' : text[n];
    out[n] = '\0';
}

static void on_answer(void *ctx, int request, const struct http_answer *answer)
{
    struct live_ask *a = ctx;
    struct live_venue *v = a->venue;
    char words[DETAIL_MAX] = "";
    (void)request;
    a->request = 0;
    if (answer->status == 200)
        take(v, FRAME_HTTP, 0, a->url, answer->body, answer->len, false);
    else
        answer_words(answer, words);
    connector_on_answer(v->connector, a->ask, answer->status, words, answer->retry_after_s,
                        answer->used_weight, v->live->now.mono_ns);
}

static bool act_get(void *ctx, uint32_t ask, const char *path)
{
    struct live_venue *v = ctx;
    struct live_ask *a = &v->asks[ask];
    char url[URL_MAX];
    (void)snprintf(url, sizeof url, "%s%s", v->rest_url, path);
    (void)snprintf(a->url, sizeof a->url, "%s%s", v->ops->line->rest_url, path);
    a->request = http_get(v->net, url, HTTP_NS, on_answer, a);
    return a->request > 0;
}

static enum book_wants act_wants(void *ctx, uint32_t symbol)
{
    const struct live_venue *v = ctx;
    int book = v->symbols[symbol].book;
    return book == NO_BOOK ? WANTS_NOTHING : v->ops->wants(v->market, (uint32_t)book);
}

/* A market that does not tell by which connection a book comes has it when it is LIVE. */
static bool act_flows(void *ctx, uint32_t symbol, uint32_t conn)
{
    const struct live_venue *v = ctx;
    if (v->symbols[symbol].book == NO_BOOK)
        return false;
    const struct venue_book *book = v->ops->book_at(v->market, (uint32_t)v->symbols[symbol].book);
    if (book->feeds == 0)
        return l2_book_state(book->book) == BOOK_LIVE;
    return book->feeds & UINT64_C(1) << conn % 64;
}

static void act_tell(void *ctx, const char *event, int symbol, const char *words)
{
    const struct live_venue *v = ctx;
    bool good = strcmp(event, "connection-open") == 0 || strcmp(event, "connection-replaced") == 0 ||
                strcmp(event, "symbol-data") == 0;
    enum log_level level = good ? LOG_INFO : LOG_WARN;
    if (symbol == CONNECTOR_NO_SYMBOL)
        log_line(level, event, "venue=%s what=\"%s\"", v->ops->name, words);
    else
        log_line(level, event, "venue=%s symbol=%s what=\"%s\"", v->ops->name, v->symbols[symbol].symbol,
                 words);
}

/* ---- life ------------------------------------------------------------------------------------------- */

static int drain(void *ctx, struct now now, int bound)
{
    struct live_venue *v = ctx;
    (void)bound;
    now.market_ns = now.utc_ns;
    v->live->now = now;
    enum stage before = probe_stage(STAGE_TRANSPORT);
    net_run(v->net);
    probe_back(before);
    return 0;
}

static bool read_symbols(struct live_venue *v)
{
    char symbol[32];
    for (const char *at = live_next_symbol(v->config->symbols, symbol); at; at = live_next_symbol(at, symbol))
        v->n_symbols++;
    v->symbols = calloc(v->n_symbols, sizeof *v->symbols);
    v->names = calloc(v->n_symbols, sizeof *v->names);
    if (!v->symbols || !v->names)
        return false;
    const char *at = v->config->symbols;
    for (uint32_t i = 0; i < v->n_symbols; i++) {
        struct live_symbol *s = &v->symbols[i];
        at = live_next_symbol(at, s->symbol);
        (void)v->ops->line->venue_symbol(s->symbol, s->name);
        v->names[i] = s->name;
        s->book = NO_BOOK;
    }
    return true;
}

static bool open_market(struct live_venue *v)
{
    const struct config_venues *c = v->config;
    struct market_sink sink = {.ctx = v,
                               .instrument = on_instrument,
                               .book = on_book,
                               .best = on_best,
                               .trade = on_trade,
                               .notice = on_notice};
    struct connector_options options = {.line = v->ops->line,
                                        .symbols = v->names,
                                        .n_symbols = v->n_symbols,
                                        .depth = c->depth ? (uint32_t)c->depth : v->ops->line->usual_depth,
                                        .trades = c->trades,
                                        .symbols_per_connection = (uint32_t)c->connection_symbols,
                                        .rest_percent = (uint32_t)c->rest_percent,
                                        .refresh_ns = c->instruments_min * 60 * NS_PER_SEC,
                                        .seed = entropy_u64()};
    struct connector_acts acts = {.ctx = v,
                                  .connect = act_connect,
                                  .send = act_send,
                                  .ping = act_ping,
                                  .close = act_close,
                                  .get = act_get,
                                  .wants = act_wants,
                                  .flows = act_flows,
                                  .tell = act_tell};
    v->market = v->ops->open(v->live->instruments, &sink);
    v->connector = connector_new(&options, &acts);
    return v->market && v->connector;
}

static int open_venue(struct live *self, struct live_venue *v, const struct config_venues *config,
                      char error[CONFIG_ERROR_MAX])
{
    struct net_options options = {.ca_file = *config->ca_file ? config->ca_file : NULL};
    v->live = self;
    v->config = config;
    v->ops = venue_named(config->venue);
    v->ws_url = *config->ws_url ? config->ws_url : v->ops->line->ws_url;
    v->rest_url = *config->rest_url ? config->rest_url : v->ops->line->rest_url;
    v->state = VENUE_DOWN;
    v->troubles = FNV_OFFSET;
    for (uint32_t i = 0; i < CONNECTOR_CONNS_MAX; i++)
        v->sockets[i] = (struct live_socket){.venue = v, .conn = i};
    for (uint32_t i = 0; i < CONNECTOR_ASKS_MAX; i++)
        v->asks[i] = (struct live_ask){.venue = v, .ask = i};
    int status = net_open(&options, &v->net, error, CONFIG_ERROR_MAX);
    if (status == OK && (!read_symbols(v) || !open_market(v))) {
        (void)snprintf(error, CONFIG_ERROR_MAX,
                       "%s: out of memory, or more than %d connections; expected fewer symbols, or more on a "
                       "connection",
                       config->venue, CONNECTOR_LINKS_MAX);
        status = E_FULL;
    }
    if (status == OK && loop_source(self->service->loop, NULL, net_fd(v->net), true, drain, v) != OK) {
        (void)snprintf(error, CONFIG_ERROR_MAX, "%s: too many venues", config->venue);
        status = E_FULL;
    }
    return status;
}

int live_open(struct service *s, struct feed *core, const struct live_tap *tap, struct live **out,
              char error[CONFIG_ERROR_MAX])
{
    *out = NULL;
    int status = live_check(&s->config, error);
    if (status)
        return status;
    struct live *self = calloc(1, sizeof *self);
    if (self)
        self->venues = calloc(s->config.n_venues, sizeof *self->venues);
    if (!self || !self->venues) {
        (void)snprintf(error, CONFIG_ERROR_MAX, "out of memory");
        free(self);
        return E_FULL;
    }
    self->service = s;
    self->core = core;
    if (tap)
        self->tap = *tap;
    if (*s->config.feed.instruments)
        status =
            instrument_file_open(s->config.feed.instruments, &self->instruments, error, CONFIG_ERROR_MAX);
    while (status == OK && self->n_venues < s->config.n_venues) {
        struct live_venue *v = &self->venues[self->n_venues];
        status = open_venue(self, v, &s->config.venues[self->n_venues++], error);
    }
    *out = self;
    if (status)
        live_close(out);
    return status;
}

void live_close(struct live **self)
{
    if (!*self)
        return;
    for (uint32_t i = 0; i < (*self)->n_venues; i++) {
        struct live_venue *v = &(*self)->venues[i];
        if (v->net)
            net_close(&v->net);
        connector_destroy(&v->connector);
        if (v->market)
            v->ops->close(&v->market);
        free(v->symbols);
        free(v->names);
    }
    instrument_file_close(&(*self)->instruments);
    free((*self)->venues);
    free(*self);
    *self = NULL;
}

/* Venues beat whether they are up; a change is told at once. */
static void note_state(struct live *self, struct live_venue *v)
{
    struct connector_status status;
    connector_status(v->connector, self->now.mono_ns, &status);
    enum venue_state state = status.opened > 0 ? VENUE_UP : VENUE_DOWN;
    if (state == v->state)
        return;
    v->state = state;
    live_report(self, self->now);
}

void live_on_time(struct live *self, struct now now)
{
    now.market_ns = now.utc_ns;
    self->now = now;
    for (uint32_t i = 0; i < self->n_venues; i++) {
        struct live_venue *v = &self->venues[i];
        match_books(v);
        int64_t due_ns = connector_on_time(v->connector, now.mono_ns);
        int64_t wait_ns = net_wait_ns(v->net);
        note_state(self, v);
        loop_wake_in(self->service->loop, due_ns - now.mono_ns);
        if (wait_ns != INT64_MAX)
            loop_wake_in(self->service->loop, wait_ns);
    }
}
