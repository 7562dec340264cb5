/* Binance's market data: diffs, snapshots, best prices and trades into books. The rules, and where the
 * exchange's own text misleads, are in NOTES.md. */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/base/table.h"
#include "venues/binance/binance.h"
#include "venues/binance/pending.h"
#include "venues/binance/rules.h"
#include "venues/url.h"

enum { BOOKS_MAX = 8192, NAME_MAX_BYTES = 32 };

struct feed_book {
    struct venue_book shown;
    struct pending pending; /* diffs kept while there is no snapshot to join them to */
    bool synced;            /* a snapshot is loaded and every diff since was joined */
    bool fresh;             /* no diff was joined since the snapshot */
    bool was_live;
    bool announced;
    bool sends_trades; /* single trades come, so their aggregates would count twice */
    uint64_t feeds;    /* connections that bring its diffs, a bit each (number modulo 64) */
    uint64_t best_seq;
};

struct venue_market {
    const struct binance_rules *rules;
    const struct instrument_file *instruments;
    struct market_sink sink;
    struct market_counters counters;
    struct json *json;
    struct table *names; /* venue symbol to index of books */
    struct feed_book *books[BOOKS_MAX];
    uint32_t n_books;
    struct change *changes; /* levels of the message at hand */
    uint32_t n_changes;
    uint32_t changes_cap;
};

/* ---- life ------------------------------------------------------------------------------------------- */

static void market_close(struct venue_market **self)
{
    if (!*self)
        return;
    for (uint32_t i = 0; i < (*self)->n_books; i++) {
        l2_book_destroy(&(*self)->books[i]->shown.book);
        pending_free(&(*self)->books[i]->pending);
        free((*self)->books[i]);
    }
    json_destroy(&(*self)->json);
    table_destroy(&(*self)->names);
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

static int fail(struct venue_market *self, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Notes what was wrong, and hands the status on. */
static int fail(struct venue_market *self, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self->counters.last_error, sizeof self->counters.last_error, format, args);
    va_end(args);
    return status;
}

/* ---- books ------------------------------------------------------------------------------------------ */

static struct feed_book *add_book(struct venue_market *self, const char *name, size_t len)
{
    struct feed_book *book = calloc(1, sizeof *book);
    if (!book || self->n_books == BOOKS_MAX || !(book->shown.book = l2_book_new())) {
        free(book);
        return NULL;
    }
    int index = table_intern(self->names, name, len);
    if (index < 0) {
        l2_book_destroy(&book->shown.book);
        free(book);
        return NULL;
    }
    struct inst *inst = &book->shown.inst;
    binance_instrument(self->rules, table_key(self->names, (uint32_t)index), self->instruments, inst);
    if (!inst->learned)
        l2_book_set_exponents(book->shown.book, inst->price_exp, inst->qty_exp);
    book->shown.index = (uint32_t)index;
    self->books[self->n_books++] = book;
    return book;
}

static bool printable(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f)
            return false;
    }
    return len > 0 && len < NAME_MAX_BYTES;
}

/* The book of a name, made at its first sight; NULL when there can be none. */
static struct feed_book *book_named(struct venue_market *self, const char *name, size_t len)
{
    int index = table_find(self->names, name, len);
    if (index >= 0)
        return self->books[index];
    if (!printable(name, len)) {
        fail(self, E_SYNTAX, "symbol: expected 1 to %d visible characters", NAME_MAX_BYTES - 1);
        return NULL;
    }
    struct feed_book *book = add_book(self, name, len);
    if (!book)
        fail(self, E_FULL, "%.32s: more than %d symbols, or out of memory", name, BOOKS_MAX);
    return book;
}

static struct feed_book *book_of(struct venue_market *self, const struct json_node *symbol)
{
    if (!symbol || symbol->kind != JSON_STRING) {
        fail(self, E_SYNTAX, "\"s\": expected a symbol");
        return NULL;
    }
    if (!memchr(symbol->text, '\\', symbol->len))
        return book_named(self, symbol->text, symbol->len);
    char name[4 * NAME_MAX_BYTES];
    int len = json_unescape(symbol, name, sizeof name);
    return book_named(self, name, len > 0 ? (size_t)len : 0);
}

/* Tells the sink of the instrument before the first word about it, and when its exponents have changed. */
static void announce(struct venue_market *self, struct feed_book *book)
{
    struct inst *inst = &book->shown.inst;
    int price_exp = l2_book_price_exp(book->shown.book), qty_exp = l2_book_qty_exp(book->shown.book);
    if (book->announced && inst->price_exp == price_exp && inst->qty_exp == qty_exp)
        return;
    inst->price_exp = (int8_t)price_exp;
    inst->qty_exp = (int8_t)qty_exp;
    book->announced = true;
    if (self->sink.instrument)
        self->sink.instrument(self->sink.ctx, &book->shown);
}

static void show(struct venue_market *self, struct feed_book *book)
{
    announce(self, book);
    if (self->sink.book)
        self->sink.book(self->sink.ctx, &book->shown);
}

/* The book is no longer what the venue has: nothing but a snapshot brings it back. The levels stay, as the
 * last good ones, unless they are what is wrong. */
static void lose(struct venue_market *self, struct feed_book *book, enum stale_reason reason)
{
    bool was = book->synced || l2_book_reason(book->shown.book) != reason;
    if (reason == STALE_GAP) {
        self->counters.gaps++;
        book->shown.gaps++;
    }
    book->synced = false;
    if (reason == STALE_CROSSED)
        l2_book_clear(book->shown.book, reason);
    else
        l2_book_set_stale(book->shown.book, reason);
    if (was)
        show(self, book);
}

/* ---- levels ----------------------------------------------------------------------------------------- */

static bool changes_room(struct venue_market *self, uint32_t more)
{
    if (self->n_changes + more <= self->changes_cap)
        return true;
    uint32_t cap = self->changes_cap ? self->changes_cap : 1024;
    while (cap < self->n_changes + more)
        cap *= 2;
    struct change *at = realloc(self->changes, cap * sizeof *at);
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
        return fail(self, E_SYNTAX, "%s: expected an array", side == SIDE_BUY ? "bids" : "asks");
    if (!changes_room(self, levels->size))
        return fail(self, E_FULL, "out of memory for %u levels", levels->size);
    const struct json_node *level = levels + 1;
    for (uint32_t i = 0; i < levels->size; i++, level = &nodes[level->next]) {
        struct change *change = &self->changes[self->n_changes];
        if (level->kind != JSON_ARRAY || level->size < 2)
            return fail(self, E_SYNTAX, "level %u: expected [price, quantity]", i);
        const struct json_node *price = level + 1, *qty = &nodes[price->next];
        if (json_dec(price, &change->price) != OK || change->price.m <= 0)
            return fail(self, E_RANGE, "price '%.24s': expected a number above 0", price->text);
        if (json_dec(qty, &change->qty) != OK || change->qty.m < 0)
            return fail(self, E_RANGE, "quantity '%.24s': expected a number not below 0", qty->text);
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

static int set_level(struct venue_market *self, struct feed_book *book, const struct change *change)
{
    int status = l2_book_set(book->shown.book, change->side, change->price, change->qty);
    if (status == E_FULL)
        fail(self, E_FULL, "%s: more than %d levels a side", book->shown.inst.venue_symbol, L2_LEVELS_MAX);
    else if (status != OK)
        fail(self, status, "%s: a level's digits fit no exponent", book->shown.inst.venue_symbol);
    return status;
}

/* What the levels are is wrong, or does not fit: the whole book goes with them. */
static void drop_levels(struct venue_market *self, struct feed_book *book, int status)
{
    l2_book_clear(book->shown.book, STALE_NO_SNAPSHOT);
    pending_clear(&book->pending);
    lose(self, book, status == E_FULL ? STALE_OVERFLOW : STALE_GAP);
}

/* ---- synchronisation -------------------------------------------------------------------------------- */

static void keep(struct venue_market *self, struct feed_book *book, const struct diff *diff,
                 const struct change *changes)
{
    int dropped = pending_push(&book->pending, diff, changes);
    if (dropped == 0)
        return;
    self->counters.overflows++;
    lose(self, book, STALE_OVERFLOW);
}

static void say_gap(struct venue_market *self, const struct feed_book *book, struct diff_ids ids)
{
    fail(self, E_STATE, "%s: gap: have %" PRIu64 ", got U %" PRIu64 " u %" PRIu64 " pu %" PRIu64,
         book->shown.inst.venue_symbol, book->shown.venue_seq, ids.first, ids.last, ids.previous);
}

static int apply(struct venue_market *self, struct feed_book *book, const struct diff *diff,
                 const struct change *changes)
{
    for (uint32_t i = 0; i < diff->n_changes; i++) {
        int status = set_level(self, book, &changes[i]);
        if (status != OK)
            return status;
    }
    book->fresh = false;
    book->shown.venue_seq = diff->ids.last;
    book->shown.venue_time = diff->venue_time;
    self->counters.applied++;
    return OK;
}

/* The book after a whole message: LIVE, unless it is crossed. */
static void settle(struct venue_market *self, struct feed_book *book)
{
    if (l2_book_crossed(book->shown.book)) {
        fail(self, E_STATE, "%s: crossed at update %" PRIu64, book->shown.inst.venue_symbol,
             book->shown.venue_seq);
        lose(self, book, STALE_CROSSED);
        return;
    }
    if (l2_book_state(book->shown.book) != BOOK_LIVE && book->was_live) {
        book->shown.resyncs++;
        self->counters.resyncs++;
    }
    book->was_live = true;
    l2_book_set_live(book->shown.book);
    show(self, book);
}

static int take_diff(struct venue_market *self, struct feed_book *book, const struct diff *diff)
{
    if (!book->synced) {
        keep(self, book, diff, self->changes);
        return OK;
    }
    switch (binance_join(self->rules, book->shown.venue_seq, book->fresh, diff->ids)) {
    case JOIN_OLD:
        self->counters.ignored++;
        return OK;
    case JOIN_GAP:
        say_gap(self, book, diff->ids);
        lose(self, book, STALE_GAP);
        keep(self, book, diff, self->changes);
        return OK;
    case JOIN_NEXT:
        break;
    }
    int status = apply(self, book, diff, self->changes);
    if (status != OK) {
        drop_levels(self, book, status);
        return status;
    }
    settle(self, book);
    if (!book->synced)
        keep(self, book, diff, self->changes);
    return OK;
}

/* Whether the first diff that a snapshot would leave to be joined can be joined to it. */
static bool snapshot_joins(struct venue_market *self, const struct feed_book *book, uint64_t last)
{
    for (uint32_t i = 0; i < book->pending.n_diffs; i++) {
        struct diff_ids ids = pending_at(&book->pending, i)->ids;
        enum join join = binance_join(self->rules, last, true, ids);
        if (join == JOIN_OLD)
            continue;
        if (join == JOIN_NEXT)
            return true;
        fail(self, E_STATE, "%s: snapshot too old: lastUpdateId %" PRIu64 ", first U %" PRIu64,
             book->shown.inst.venue_symbol, last, ids.first);
        return false;
    }
    return true;
}

/* Joins what was kept. A gap within ends it: from there on the diffs wait for another snapshot. */
static int join_pending(struct venue_market *self, struct feed_book *book)
{
    const struct change *changes;
    const struct diff *diff;
    while ((diff = pending_first(&book->pending, &changes)) != NULL) {
        enum join join = binance_join(self->rules, book->shown.venue_seq, book->fresh, diff->ids);
        if (join == JOIN_GAP) {
            say_gap(self, book, diff->ids);
            lose(self, book, STALE_GAP);
            return OK;
        }
        int status = join == JOIN_NEXT ? apply(self, book, diff, changes) : OK;
        if (status != OK)
            return status;
        pending_drop(&book->pending);
    }
    return OK;
}

/* The levels of the snapshot stand in self->changes. */
static int take_snapshot(struct venue_market *self, struct feed_book *book, uint64_t last, int64_t venue_time)
{
    if (!snapshot_joins(self, book, last)) {
        self->counters.snapshots_rejected++;
        return OK;
    }
    int status = OK;
    l2_book_clear(book->shown.book, l2_book_reason(book->shown.book));
    /* Venues send the best level first, and a book grows at its best end. */
    for (uint32_t i = self->n_changes; i > 0 && status == OK; i--)
        status = set_level(self, book, &self->changes[i - 1]);
    book->synced = status == OK;
    book->fresh = true;
    book->shown.venue_seq = last;
    book->shown.venue_time = venue_time;
    if (status == OK)
        status = join_pending(self, book);
    if (status != OK)
        drop_levels(self, book, status);
    else if (book->synced)
        settle(self, book);
    return status;
}

/* ---- messages --------------------------------------------------------------------------------------- */

/* Times are milliseconds, or microseconds where the socket was asked for them. */
static int64_t read_time(const struct json_node *node)
{
    int64_t t;
    if (json_i64(node, &t) != OK || t < 0)
        return 0;
    if (t <= INT64_MAX / 1000000)
        return t * 1000000;
    return t <= INT64_MAX / 1000 ? t * 1000 : 0;
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
        return fail(self, E_SYNTAX, "\"U\", \"u\": expected update ids in order");
    if (self->rules->chained && json_u64(json_get(json, event, "pu"), &diff->ids.previous) != OK)
        return fail(self, E_SYNTAX, "\"pu\": expected an update id");
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
    book->feeds |= UINT64_C(1) << frame->conn % 64;
    book->shown.recv_ns = frame->recv_ns;
    int status = read_diff(self, event, &diff);
    if (status == OK)
        return take_diff(self, book, &diff);
    /* What it would have changed is lost. */
    if (book->synced)
        lose(self, book, STALE_GAP);
    return status;
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
        return fail(self, E_SYNTAX, "%s: bookTicker: expected u, b, B, a, A", book->shown.inst.venue_symbol);
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
        return fail(self, E_RANGE, "%s: bookTicker: digits fit no exponent", book->shown.inst.venue_symbol);
    memcpy(best.symbol, book->shown.inst.symbol, sizeof best.symbol);
    memcpy(best.venue, book->shown.inst.venue, sizeof best.venue);
    announce(self, book);
    if (self->sink.best)
        self->sink.best(self->sink.ctx, &book->shown, &best);
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
        return fail(self, E_SYNTAX, "%s: trade: expected %s, p, q, m", book->shown.inst.venue_symbol, id_key);
    bool single = *id_key == 't';
    book->sends_trades |= single;
    if ((kind && !json_is(kind, "MARKET")) || (!single && book->sends_trades)) {
        self->counters.ignored++;
        return OK;
    }
    price = dec_tight(price);
    qty = dec_tight(qty);
    struct trade trade = {.venue_time = read_time(json_get(json, event, "T")), .recv_time = frame->recv_ns};
    trade.aggressor = buyer_made->kind == JSON_TRUE ? SIDE_SELL : SIDE_BUY;
    trade.price_exp = exp_for(l2_book_price_exp(book->shown.book), price, price);
    trade.qty_exp = exp_for(l2_book_qty_exp(book->shown.book), qty, qty);
    if (dec_mantissa(price, trade.price_exp, ROUND_EXACT, &trade.price) != OK ||
        dec_mantissa(qty, trade.qty_exp, ROUND_EXACT, &trade.qty) != OK)
        return fail(self, E_RANGE, "%s: trade: digits fit no exponent", book->shown.inst.venue_symbol);
    snprintf(trade.trade_id, sizeof trade.trade_id, "%.*s", (int)id->len, id->text);
    memcpy(trade.symbol, book->shown.inst.symbol, sizeof trade.symbol);
    memcpy(trade.venue, book->shown.inst.venue, sizeof trade.venue);
    announce(self, book);
    if (self->sink.trade)
        self->sink.trade(self->sink.ctx, &book->shown, &trade);
    return OK;
}

static int ignore(struct venue_market *self)
{
    self->counters.ignored++;
    return OK;
}

static int on_event(struct venue_market *self, const struct frame *frame)
{
    const struct json *json = self->json;
    const struct json_node *event = json_root(json);
    if (event->kind != JSON_OBJECT)
        return ignore(self);
    if (json_get(json, event, "stream")) {
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
    return ignore(self);
}

static int on_answer(struct venue_market *self, const struct frame *frame)
{
    char name[NAME_MAX_BYTES];
    struct url url;
    uint64_t last;
    if (!url_read(frame->url, &url) || !url_path_ends(&url, "/depth") ||
        !url_query(&url, "symbol", name, sizeof name))
        return ignore(self);
    if (json_parse(self->json, frame->text, frame->len) != OK)
        return fail(self, E_SYNTAX, "%s: snapshot: %.60s", name, json_error(self->json));
    const struct json_node *root = json_root(self->json);
    if (json_get(self->json, root, "code"))
        return ignore(self);
    for (char *c = name; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    struct feed_book *book = book_named(self, name, strlen(name));
    if (!book)
        return E_SYNTAX;
    if (book->synced)
        return ignore(self);
    if (json_u64(json_get(self->json, root, "lastUpdateId"), &last) != OK)
        return fail(self, E_SYNTAX, "%s: snapshot: expected lastUpdateId", name);
    int status = read_levels(self, json_get(self->json, root, "bids"), json_get(self->json, root, "asks"));
    if (status != OK)
        return status;
    book->shown.recv_ns = frame->recv_ns;
    return take_snapshot(self, book, last, event_time(self, root));
}

/* A socket was opened anew, or is gone: what it alone fed is lost. */
static void on_socket(struct venue_market *self, const struct frame *frame)
{
    uint64_t bit = UINT64_C(1) << frame->conn % 64;
    for (uint32_t i = 0; i < self->n_books; i++) {
        struct feed_book *book = self->books[i];
        book->best_seq = 0;
        if (!(book->feeds & bit))
            continue;
        book->feeds &= ~bit;
        if (book->feeds)
            continue;
        pending_clear(&book->pending);
        if (book->synced)
            lose(self, book, STALE_DISCONNECT);
    }
}

static int market_on_frame(struct venue_market *self, const struct frame *frame)
{
    int status = OK;
    self->counters.frames++;
    switch (frame->kind) {
    case FRAME_WS:
        status = json_parse(self->json, frame->text, frame->len);
        if (status == OK)
            status = on_event(self, frame);
        else
            fail(self, status, "message: %.80s", json_error(self->json));
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
    const struct venue_ops market = {venue_name,      market##_owns,   market##_open, market_close,          \
                                     market_on_frame, market_counters, market_books,  market_book_at}

BINANCE_MARKET(binance_spot, "binance");
BINANCE_MARKET(binance_us, "binance-us");
BINANCE_MARKET(binance_usdm, "binance-usdm");
BINANCE_MARKET(binance_coinm, "binance-coinm");
