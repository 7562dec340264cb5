/* Binance's market data: diffs, snapshots, best prices and trades into books. The rules, and where the
 * exchange's own text misleads, are in NOTES.md. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "venues/binance/answers.h"
#include "venues/binance/binance.h"
#include "venues/binance/book.h"
#include "venues/binance/diff_text.h"
#include "venues/binance/line.h"
#include "venues/url.h"

/* ---- life ------------------------------------------------------------------------------------------- */

static void market_close(struct venue_market **self)
{
    if (!*self)
        return;
    for (uint32_t i = 0; i < (*self)->n_books; i++)
        binance_book_free((*self)->books[i]);
    json_destroy(&(*self)->json);
    table_destroy(&(*self)->names);
    instrument_file_close(&(*self)->told);
    free((*self)->changes);
    free(*self);
    *self = NULL;
}

static struct venue_market *market_open(const struct binance_rules *rules,
                                        const struct instrument_file *instruments,
                                        const struct market_sink *sink)
{
    struct venue_market *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->rules = rules;
    self->instruments = instruments;
    if (sink)
        self->sink = *sink;
    self->json = json_new();
    self->names = table_new(BOOKS_MAX, NAME_MAX_BYTES);
    if (!self->json || !self->names)
        market_close(&self);
    return self;
}

/* ---- levels ----------------------------------------------------------------------------------------- */

static bool changes_room(struct venue_market *self, uint32_t more)
{
    if (self->n_changes + more <= self->changes_cap)
        return true;
    uint32_t cap = self->changes_cap ? self->changes_cap : 1024;
    while (cap < self->n_changes + more)
        cap *= 2;
    struct l2_change *at = realloc(self->changes, cap * sizeof *at);
    if (!at)
        return false;
    self->changes = at;
    self->changes_cap = cap;
    return true;
}

/* Reads [["price","quantity"],...] behind the levels read so far. Old recordings have more in a level. */
static int read_side(struct venue_market *self, enum side side, const struct json_node *levels)
{
    const struct json_node *nodes = json_root(self->json);
    if (!levels || levels->kind != JSON_ARRAY)
        return binance_error(self, E_SYNTAX, "%s: expected an array", side == SIDE_BUY ? "bids" : "asks");
    if (!changes_room(self, levels->size))
        return binance_error(self, E_FULL, "out of memory for %u levels", levels->size);
    const struct json_node *level = levels + 1;
    for (uint32_t i = 0; i < levels->size; i++, level = &nodes[level->next]) {
        struct l2_change *change = &self->changes[self->n_changes];
        if (level->kind != JSON_ARRAY || level->size < 2)
            return binance_error(self, E_SYNTAX, "level %u: expected [price, quantity]", i);
        const struct json_node *price = level + 1, *qty = &nodes[price->next];
        if (json_dec(price, &change->price) != OK || change->price.m <= 0)
            return binance_error(self, E_RANGE, "price '%.24s': expected a number above 0", price->text);
        if (json_dec(qty, &change->qty) != OK || change->qty.m < 0)
            return binance_error(self, E_RANGE, "quantity '%.24s': expected a number not below 0", qty->text);
        change->side = side;
        self->n_changes++;
    }
    return OK;
}

static int read_levels(struct venue_market *self, const struct json_node *bids, const struct json_node *asks)
{
    self->n_changes = 0;
    int status = read_side(self, SIDE_BUY, bids);
    return status == OK ? read_side(self, SIDE_SELL, asks) : status;
}

/* ---- messages --------------------------------------------------------------------------------------- */

static struct feed_book *book_of(struct venue_market *self, const struct json_node *symbol)
{
    if (!symbol || symbol->kind != JSON_STRING) {
        binance_error(self, E_SYNTAX, "\"s\": expected a symbol");
        return NULL;
    }
    if (!memchr(symbol->text, '\\', symbol->len))
        return binance_book_named(self, symbol->text, symbol->len);
    char name[4 * NAME_MAX_BYTES];
    int len = json_unescape(symbol, name, sizeof name);
    return binance_book_named(self, name, len > 0 ? (size_t)len : 0);
}

/* Times are milliseconds, or microseconds where the socket was asked for them. */
static int64_t time_of(int64_t t)
{
    if (t <= INT64_MAX / 1000000)
        return t * 1000000;
    return t <= INT64_MAX / 1000 ? t * 1000 : 0;
}

static int64_t read_time(const struct json_node *node)
{
    int64_t t;
    return json_i64(node, &t) == OK && t >= 0 ? time_of(t) : 0;
}

static int64_t event_time(struct venue_market *self, const struct json_node *event)
{
    const struct json_node *node = json_get(self->json, event, "E");
    return read_time(node ? node : json_get(self->json, event, "T"));
}

static int read_diff(struct venue_market *self, const struct json_node *event, struct diff *diff)
{
    const struct json *json = self->json;
    if (json_u64(json_get(json, event, "U"), &diff->ids.first) != OK ||
        json_u64(json_get(json, event, "u"), &diff->ids.last) != OK || diff->ids.last < diff->ids.first)
        return binance_error(self, E_SYNTAX, "\"U\", \"u\": expected update ids in order");
    if (self->rules->chained && json_u64(json_get(json, event, "pu"), &diff->ids.previous) != OK)
        return binance_error(self, E_SYNTAX, "\"pu\": expected an update id");
    diff->venue_time = event_time(self, event);
    int status = read_levels(self, json_get(json, event, "b"), json_get(json, event, "a"));
    diff->n_changes = self->n_changes;
    return status;
}

static int on_depth(struct venue_market *self, const struct frame *frame, const struct json_node *event)
{
    struct diff diff = {.n_changes = 0};
    struct feed_book *book = book_of(self, json_get(self->json, event, "s"));
    if (!book)
        return E_SYNTAX;
    int status = read_diff(self, event, &diff);
    if (status == OK)
        return binance_book_take_diff(self, book, &diff, frame->conn);
    /* What it would have changed is lost. */
    if (binance_book_fed(book, frame->conn) && book->synced) {
        pending_clear(&book->pending);
        binance_book_lose(self, book, STALE_GAP);
    }
    return status;
}

/* A diff of the usual form. E_ABSENT: it is none, and the parser's. */
static int on_plain_diff(struct venue_market *self, const struct frame *frame)
{
    struct diff_text text;
    if (!diff_text_read(frame->text, frame->len, self->rules->chained, &text, self->changes,
                        self->changes_cap))
        return E_ABSENT;
    struct feed_book *book = binance_book_named(self, text.symbol, text.symbol_len);
    if (!book)
        return E_SYNTAX;
    struct diff diff = {.ids = text.ids, .venue_time = time_of(text.time), .n_changes = text.n_changes};
    self->n_changes = text.n_changes;
    return binance_book_take_diff(self, book, &diff, frame->conn);
}

/* The exponent at which both values stand: the book's, else what they need. */
static int8_t exp_for(int book_exp, struct dec a, struct dec b)
{
    int64_t m;
    int exp = book_exp;
    if (a.exp < exp)
        exp = a.exp;
    if (b.exp < exp)
        exp = b.exp;
    if (dec_mantissa(a, exp, ROUND_EXACT, &m) == OK && dec_mantissa(b, exp, ROUND_EXACT, &m) == OK)
        return (int8_t)exp;
    return a.exp < b.exp ? a.exp : b.exp;
}

static int on_best(struct venue_market *self, const struct frame *frame, const struct json_node *event)
{
    const struct json *json = self->json;
    struct dec bid, bid_qty, ask, ask_qty;
    uint64_t seq;
    struct feed_book *book = book_of(self, json_get(json, event, "s"));
    if (!book)
        return E_SYNTAX;
    if (json_u64(json_get(json, event, "u"), &seq) != OK ||
        json_dec(json_get(json, event, "b"), &bid) != OK ||
        json_dec(json_get(json, event, "B"), &bid_qty) != OK ||
        json_dec(json_get(json, event, "a"), &ask) != OK ||
        json_dec(json_get(json, event, "A"), &ask_qty) != OK || bid.m < 0 || bid_qty.m < 0 || ask.m < 0 ||
        ask_qty.m < 0)
        return binance_error(self, E_SYNTAX, "%s: bookTicker: expected u, b, B, a, A",
                             book->shown.inst.venue_symbol);
    if (seq <= book->best_seq) {
        self->counters.ignored++;
        return OK;
    }
    book->best_seq = seq;
    struct bbo best = {.venue_seq = seq, .venue_time = event_time(self, event), .recv_time = frame->recv_ns};
    best.price_exp = exp_for(l2_book_price_exp(book->shown.book), bid, ask);
    best.qty_exp = exp_for(l2_book_qty_exp(book->shown.book), bid_qty, ask_qty);
    if (dec_mantissa(bid, best.price_exp, ROUND_EXACT, &best.bid) != OK ||
        dec_mantissa(ask, best.price_exp, ROUND_EXACT, &best.ask) != OK ||
        dec_mantissa(bid_qty, best.qty_exp, ROUND_EXACT, &best.bid_qty) != OK ||
        dec_mantissa(ask_qty, best.qty_exp, ROUND_EXACT, &best.ask_qty) != OK)
        return binance_error(self, E_RANGE, "%s: bookTicker: digits fit no exponent",
                             book->shown.inst.venue_symbol);
    memcpy(best.symbol, book->shown.inst.symbol, sizeof best.symbol);
    memcpy(best.venue, book->shown.inst.venue, sizeof best.venue);
    binance_book_announce(self, book);
    if (self->sink.best)
        self->sink.best(self->sink.ctx, &book->shown, &best);
    return OK;
}

static int ignore(struct venue_market *self)
{
    self->counters.ignored++;
    return OK;
}

/* id: "t" of a trade, "a" of an aggregate. */
static int on_trade(struct venue_market *self, const struct frame *frame, const struct json_node *event,
                    const char *id_key)
{
    const struct json *json = self->json;
    struct dec price, qty;
    struct feed_book *book = book_of(self, json_get(json, event, "s"));
    if (!book)
        return E_SYNTAX;
    const struct json_node *id = json_get(json, event, id_key), *kind = json_get(json, event, "X");
    const struct json_node *buyer_made = json_get(json, event, "m");
    if (!id || json_dec(json_get(json, event, "p"), &price) != OK ||
        json_dec(json_get(json, event, "q"), &qty) != OK || !buyer_made ||
        (buyer_made->kind != JSON_TRUE && buyer_made->kind != JSON_FALSE))
        return binance_error(self, E_SYNTAX, "%s: trade: expected %s, p, q, m", book->shown.inst.venue_symbol,
                             id_key);
    bool single = *id_key == 't';
    uint64_t number = 0;
    (void)json_u64(id, &number);
    if (single && !book->sends_trades)
        book->trade_id = 0; /* what was counted were aggregates */
    book->sends_trades |= single;
    /* Ids rise: what does not was brought by another connection before. */
    if ((kind && !json_is(kind, "MARKET")) || (!single && book->sends_trades) ||
        (number > 0 && number <= book->trade_id))
        return ignore(self);
    book->trade_id = number;
    price = dec_tight(price);
    qty = dec_tight(qty);
    struct trade trade = {.venue_time = read_time(json_get(json, event, "T")), .recv_time = frame->recv_ns};
    trade.aggressor = buyer_made->kind == JSON_TRUE ? SIDE_SELL : SIDE_BUY;
    trade.price_exp = exp_for(l2_book_price_exp(book->shown.book), price, price);
    trade.qty_exp = exp_for(l2_book_qty_exp(book->shown.book), qty, qty);
    if (dec_mantissa(price, trade.price_exp, ROUND_EXACT, &trade.price) != OK ||
        dec_mantissa(qty, trade.qty_exp, ROUND_EXACT, &trade.qty) != OK)
        return binance_error(self, E_RANGE, "%s: trade: digits fit no exponent",
                             book->shown.inst.venue_symbol);
    snprintf(trade.trade_id, sizeof trade.trade_id, "%.*s", (int)id->len, id->text);
    memcpy(trade.symbol, book->shown.inst.symbol, sizeof trade.symbol);
    memcpy(trade.venue, book->shown.inst.venue, sizeof trade.venue);
    binance_book_announce(self, book);
    if (self->sink.trade)
        self->sink.trade(self->sink.ctx, &book->shown, &trade);
    return OK;
}

static int on_event(struct venue_market *self, const struct frame *frame)
{
    const struct json *json = self->json;
    const struct json_node *event = json_root(json);
    if (event->kind != JSON_OBJECT)
        return ignore(self);
    if (json_get(json, event, "stream")) {
        if (json_is(json_get(json, event, "stream"), "!serverShutdown"))
            return binance_say(self, frame);
        event = json_get(json, event, "data");
        if (!event || event->kind != JSON_OBJECT)
            return ignore(self);
    }
    const struct json_node *type = json_get(json, event, "e");
    if (json_is(type, "bookTicker"))
        return on_best(self, frame, event);
    if (json_is(type, "depthUpdate"))
        return on_depth(self, frame, event);
    if (json_is(type, "trade"))
        return on_trade(self, frame, event, "t");
    if (json_is(type, "aggTrade"))
        return on_trade(self, frame, event, "a");
    /* On the spot market alone the best price has no event type. */
    if (!type && json_get(json, event, "u") && json_get(json, event, "B") && json_get(json, event, "A"))
        return on_best(self, frame, event);
    return binance_say(self, frame);
}

static int on_message(struct venue_market *self, const struct frame *frame)
{
    int status = json_parse(self->json, frame->text, frame->len);
    if (status == OK)
        return on_event(self, frame);
    return binance_error(self, status, "message: %.80s", json_error(self->json));
}

static int on_depth_answer(struct venue_market *self, const struct frame *frame)
{
    char name[NAME_MAX_BYTES];
    struct url url;
    uint64_t last;
    if (!url_read(frame->url, &url) || !url_query(&url, "symbol", name, sizeof name))
        return ignore(self);
    if (json_parse(self->json, frame->text, frame->len) != OK)
        return binance_error(self, E_SYNTAX, "%s: snapshot: %.60s", name, json_error(self->json));
    const struct json_node *root = json_root(self->json);
    if (json_get(self->json, root, "code"))
        return ignore(self);
    for (char *c = name; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    struct feed_book *book = binance_book_named(self, name, strlen(name));
    if (!book)
        return E_SYNTAX;
    if (!binance_book_wants_snapshot(book))
        return ignore(self);
    if (json_u64(json_get(self->json, root, "lastUpdateId"), &last) != OK)
        return binance_error(self, E_SYNTAX, "%s: snapshot: expected lastUpdateId", name);
    int status = read_levels(self, json_get(self->json, root, "bids"), json_get(self->json, root, "asks"));
    if (status != OK)
        return status;
    return binance_book_take_snapshot(self, book, last, event_time(self, root));
}

static int on_answer(struct venue_market *self, const struct frame *frame)
{
    struct url url;
    if (!url_read(frame->url, &url))
        return ignore(self);
    if (url_path_ends(&url, "/depth"))
        return on_depth_answer(self, frame);
    return url_path_ends(&url, "/exchangeInfo") ? binance_take_instruments(self, frame) : ignore(self);
}

/* A socket was opened anew, or is gone. */
static void on_socket(struct venue_market *self, const struct frame *frame)
{
    for (uint32_t i = 0; i < self->n_books; i++)
        binance_book_cut(self, self->books[i], frame->conn);
}

static int market_on_frame(struct venue_market *self, const struct frame *frame)
{
    int status = OK;
    self->counters.frames++;
    self->recv_ns = frame->recv_ns;
    switch (frame->kind) {
    case FRAME_WS:
        status = on_plain_diff(self, frame);
        if (status == E_ABSENT)
            status = on_message(self, frame);
        break;
    case FRAME_HTTP:
        status = on_answer(self, frame);
        break;
    case FRAME_CONNECT:
    case FRAME_CLOSE:
        on_socket(self, frame);
        break;
    }
    if (status == OK)
        return OK;
    self->counters.malformed++;
    return E_SYNTAX;
}

/* ---- what is offered -------------------------------------------------------------------------------- */

static const struct market_counters *market_counters(const struct venue_market *self)
{
    return &self->counters;
}

static uint32_t market_books(const struct venue_market *self)
{
    return self->n_books;
}

static const struct venue_book *market_book_at(const struct venue_market *self, uint32_t index)
{
    return index < self->n_books ? &self->books[index]->shown : NULL;
}

static enum book_wants market_wants(const struct venue_market *self, uint32_t index)
{
    return binance_book_wants_snapshot(self->books[index]) ? WANTS_SNAPSHOT : WANTS_NOTHING;
}

#define BINANCE_MARKET(market, venue_name)                                                                   \
    static bool market##_owns(const char *url)                                                               \
    {                                                                                                        \
        return binance_rules_of_url(url) == &market##_rules;                                                 \
    }                                                                                                        \
    static struct venue_market *market##_open(const struct instrument_file *instruments,                     \
                                              const struct market_sink *sink)                                \
    {                                                                                                        \
        return market_open(&market##_rules, instruments, sink);                                              \
    }                                                                                                        \
    const struct venue_ops market = {.name = venue_name,                                                     \
                                     .owns_url = market##_owns,                                              \
                                     .open = market##_open,                                                  \
                                     .close = market_close,                                                  \
                                     .on_frame = market_on_frame,                                            \
                                     .counters = market_counters,                                            \
                                     .books = market_books,                                                  \
                                     .book_at = market_book_at,                                              \
                                     .wants = market_wants,                                                  \
                                     .line = &market##_line}

BINANCE_MARKET(binance_spot, "binance");
BINANCE_MARKET(binance_us, "binance-us");
BINANCE_MARKET(binance_usdm, "binance-usdm");
BINANCE_MARKET(binance_coinm, "binance-coinm");
