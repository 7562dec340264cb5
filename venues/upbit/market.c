/* Upbit's market data: every orderbook frame is the whole book. The rules are in NOTES.md. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/market/symbol.h"
#include "venues/upbit/answers.h"
#include "venues/upbit/book.h"
#include "venues/upbit/line.h"
#include "venues/upbit/terms.h"
#include "venues/upbit/upbit.h"
#include "venues/url.h"

/* ---- life ------------------------------------------------------------------------------------------- */

static void upbit_close(struct venue_market **self)
{
    if (!*self)
        return;
    for (uint32_t i = 0; i < (*self)->n_books; i++) {
        l2_book_destroy(&(*self)->books[i]->shown.book);
        free((*self)->books[i]);
    }
    json_destroy(&(*self)->json);
    table_destroy(&(*self)->names);
    units_free(&(*self)->units);
    free(*self);
    *self = NULL;
}

static struct venue_market *upbit_open(const struct instrument_file *instruments,
                                       const struct market_sink *sink)
{
    struct venue_market *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->instruments = instruments;
    if (sink)
        self->sink = *sink;
    self->json = json_new();
    self->names = table_new(BOOKS_MAX, NAME_MAX_BYTES);
    if (!self->json || !self->names)
        upbit_close(&self);
    return self;
}

static bool upbit_owns(const char *text)
{
    static const char *const hosts[] = {"api.upbit.com", "sg-api.upbit.com", "id-api.upbit.com",
                                        "th-api.upbit.com"};
    struct url url;
    if (!url_read(text, &url))
        return false;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        if (url_host_is(&url, hosts[i]))
            return true;
    }
    return false;
}

int upbit_fail(struct venue_market *self, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self->counters.last_error, sizeof self->counters.last_error, format, args);
    va_end(args);
    return status;
}

int upbit_ignore(struct venue_market *self)
{
    self->counters.ignored++;
    return OK;
}

/* ---- books ------------------------------------------------------------------------------------------ */

/* "KRW-BTC" is BTC in KRW; a count of units ("KRW-BTC.15") is no part of the name. */
static void name_instrument(const char *code, const struct instrument_file *file, struct inst *inst)
{
    char base[16], quote[16], symbol[32];
    struct inst named;
    const char *dash = strchr(code, '-');
    memset(inst, 0, sizeof *inst);
    if (dash) {
        size_t base_len = strcspn(dash + 1, "."), quote_len = (size_t)(dash - code);
        if (base_len < sizeof base && quote_len < sizeof quote) {
            memcpy(base, dash + 1, base_len);
            base[base_len] = '\0';
            memcpy(quote, code, quote_len);
            quote[quote_len] = '\0';
            if (symbol_make(base, quote, KIND_SPOT, symbol) == OK && symbol_read(symbol, &named) == OK)
                *inst = named;
        }
    }
    text_set(inst->venue, sizeof inst->venue, "upbit");
    text_set(inst->venue_symbol, sizeof inst->venue_symbol, code);
    inst->kind = KIND_SPOT;
    inst->multiplier = (struct dec){1, 0};
    inst->learned = true;
    upbit_terms(inst);
    instrument_file_apply(file, inst);
}

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
    name_instrument(table_key(self->names, (uint32_t)index), self->instruments, inst);
    if (!inst->learned)
        l2_book_set_exponents(book->shown.book, inst->price_exp, inst->qty_exp);
    book->tick_told = inst->tick.m > 0;
    book->shown.index = (uint32_t)index;
    self->books[self->n_books++] = book;
    return book;
}

struct feed_book *upbit_book_of(struct venue_market *self, const struct json_node *code)
{
    if (!code || code->kind != JSON_STRING) {
        upbit_fail(self, E_SYNTAX, "code: expected a market's code");
        return NULL;
    }
    int index = table_find(self->names, code->text, code->len);
    if (index >= 0)
        return self->books[index];
    for (uint32_t i = 0; i < code->len; i++) {
        if ((unsigned char)code->text[i] <= ' ' || code->text[i] == '\\' || code->text[i] == 0x7f ||
            i >= 31) {
            upbit_fail(self, E_SYNTAX, "code '%.32s': expected up to 31 plain characters", code->text);
            return NULL;
        }
    }
    struct feed_book *book = code->len ? add_book(self, code->text, code->len) : NULL;
    if (!book)
        upbit_fail(self, E_FULL, "more than %d codes, or an empty one, or out of memory", BOOKS_MAX);
    return book;
}

/* The step of the band in which the best price is; where the two best are in different ones that of the ask,
 * whose prices both allow. Where the table does not hold, the last digit that was seen is the step. */
static struct dec tick_of(struct feed_book *book)
{
    struct inst *inst = &book->shown.inst;
    const struct l2_book *levels = book->shown.book;
    struct level best;
    struct dec tick, price = {0, (int8_t)l2_book_price_exp(levels)};
    if (book->tick_told ||
        (!l2_book_level(levels, SIDE_SELL, 0, &best) && !l2_book_level(levels, SIDE_BUY, 0, &best)))
        return inst->tick;
    price.m = best.price;
    if (book->venue_tick_new) {
        book->venue_tick_holds =
            !upbit_tick(inst->quote, price, &tick) || dec_cmp(tick, book->venue_tick) != 0;
        book->venue_tick_new = false;
    }
    if (book->venue_tick_holds)
        return book->venue_tick;
    book->off_table = book->off_table || !upbit_on_table(inst->quote, levels);
    if (book->off_table || !upbit_tick(inst->quote, price, &tick))
        tick = (struct dec){1, price.exp};
    return tick;
}

void upbit_announce(struct venue_market *self, struct feed_book *book)
{
    struct inst *inst = &book->shown.inst;
    int price_exp = l2_book_price_exp(book->shown.book), qty_exp = l2_book_qty_exp(book->shown.book);
    struct dec tick = tick_of(book);
    book->announced = book->announced && dec_cmp(tick, inst->tick) == 0;
    inst->tick = tick;
    if (book->announced && inst->price_exp == price_exp && inst->qty_exp == qty_exp)
        return;
    inst->price_exp = (int8_t)price_exp;
    inst->qty_exp = (int8_t)qty_exp;
    book->announced = true;
    if (self->sink.instrument)
        self->sink.instrument(self->sink.ctx, &book->shown);
}

/* The sink is told at the end of the frame, once for each book. */
static void mark_changed(struct venue_market *self, struct feed_book *book)
{
    if (book->touched == self->counters.frames)
        return;
    book->touched = self->counters.frames;
    self->changed[self->n_changed++] = book->shown.index;
}

static void show_changed(struct venue_market *self)
{
    for (uint32_t i = 0; i < self->n_changed; i++) {
        struct feed_book *book = self->books[self->changed[i]];
        upbit_announce(self, book);
        if (self->sink.book)
            self->sink.book(self->sink.ctx, &book->shown);
    }
    self->n_changed = 0;
}

/* Until the next frame nothing is known; of what is held the levels stay, as the last good ones. */
static void lose(struct venue_market *self, struct feed_book *book, enum stale_reason reason)
{
    if (reason == STALE_GAP) {
        self->counters.gaps++;
        book->shown.gaps++;
    }
    if (l2_book_state(book->shown.book) == BOOK_LIVE || l2_book_reason(book->shown.book) != reason)
        mark_changed(self, book);
    l2_book_set_stale(book->shown.book, reason);
}

/* ---- messages --------------------------------------------------------------------------------------- */

static int64_t ms_to_ns(uint64_t ms)
{
    return ms < (uint64_t)(INT64_MAX / 1000000) ? (int64_t)ms * 1000000 : 0;
}

static int set_units(const struct units *units, struct l2_book *book)
{
    int status = OK;
    l2_book_clear(book, l2_book_reason(book));
    /* The best unit comes first, and a book grows at its best end. A thin book is padded with zeros. */
    for (uint32_t i = units->n; i > 0 && status == OK; i--) {
        const struct unit *unit = &units->at[i - 1];
        if (unit->price[0].m > 0 && unit->size[0].m > 0)
            status = l2_book_set(book, SIDE_BUY, unit->price[0], unit->size[0]);
        if (status == OK && unit->price[1].m > 0 && unit->size[1].m > 0)
            status = l2_book_set(book, SIDE_SELL, unit->price[1], unit->size[1]);
    }
    return status;
}

/* The book after a whole message: LIVE, unless it is crossed. */
static void settle(struct venue_market *self, struct feed_book *book, bool was_stale)
{
    mark_changed(self, book);
    if (l2_book_crossed(book->shown.book)) {
        upbit_fail(self, E_STATE, "%s: crossed", book->shown.inst.venue_symbol);
        l2_book_set_stale(book->shown.book, STALE_CROSSED);
        return;
    }
    if (was_stale && book->was_live) {
        book->shown.resyncs++;
        self->counters.resyncs++;
    }
    book->was_live = true;
    l2_book_set_live(book->shown.book);
}

/* The units that were read, with the status of that: nothing of a malformed message is taken. */
static int take_units(struct venue_market *self, struct feed_book *book, int status)
{
    bool was_stale = l2_book_state(book->shown.book) != BOOK_LIVE, readable = status == OK;
    if (readable)
        status = set_units(&self->units, book->shown.book);
    if (status == OK) {
        self->counters.applied++;
        settle(self, book, was_stale);
        return OK;
    }
    if (readable) {
        l2_book_clear(book->shown.book, STALE_NO_SNAPSHOT);
        upbit_fail(self, status, "%s: a unit's digits fit no exponent", book->shown.inst.venue_symbol);
    }
    lose(self, book, STALE_GAP);
    return status;
}

static int on_orderbook(struct venue_market *self, const struct frame *frame, const struct json_node *event)
{
    uint64_t time_ms;
    struct feed_book *book = upbit_book_of(self, upbit_member(self->json, event, "cd", "code"));
    if (!book)
        return E_SYNTAX;
    book->shown.feeds |= UINT64_C(1) << frame->conn % 64;
    if (json_u64(upbit_member(self->json, event, "tms", "timestamp"), &time_ms) != OK)
        return take_units(self, book,
                          upbit_fail(self, E_SYNTAX, "%s: timestamp: expected milliseconds",
                                     book->shown.inst.venue_symbol));
    if (time_ms < book->time_ms)
        return upbit_ignore(self);
    char *error = self->counters.last_error;
    int status = units_read(&self->units, self->json, event, error, sizeof self->counters.last_error);
    self->counters.totals_wrong += status == OK && self->units.totals_wrong;
    status = take_units(self, book, status);
    if (status != OK)
        return status;
    book->time_ms = time_ms;
    book->shown.venue_time = ms_to_ns(time_ms);
    book->shown.recv_ns = frame->recv_ns;
    return OK;
}

static int on_trade(struct venue_market *self, const struct frame *frame, const struct json_node *event)
{
    struct dec price, qty;
    uint64_t time_ms = 0;
    struct feed_book *book = upbit_book_of(self, upbit_member(self->json, event, "cd", "code"));
    if (!book)
        return E_SYNTAX;
    const struct json_node *taker = upbit_member(self->json, event, "ab", "ask_bid");
    const struct json_node *id = upbit_member(self->json, event, "sid", "sequential_id");
    if (json_dec(upbit_member(self->json, event, "tp", "trade_price"), &price) != OK ||
        json_dec(upbit_member(self->json, event, "tv", "trade_volume"), &qty) != OK || !id ||
        (!json_is(taker, "ASK") && !json_is(taker, "BID")))
        return upbit_fail(self, E_SYNTAX, "%s: trade: expected price, volume, ask_bid, sequential_id",
                          book->shown.inst.venue_symbol);
    struct trade trade = {.recv_time = frame->recv_ns};
    trade.aggressor = json_is(taker, "BID") ? SIDE_BUY : SIDE_SELL;
    trade.price = price.m;
    uint64_t number = 0; /* ids rise: what does not was brought by another connection before */
    if (json_u64(id, &number) == OK && number <= book->trade_id)
        return upbit_ignore(self);
    book->trade_id = number;
    trade.price_exp = price.exp;
    trade.qty = qty.m;
    trade.qty_exp = qty.exp;
    if (json_u64(upbit_member(self->json, event, "ttms", "trade_timestamp"), &time_ms) == OK)
        trade.venue_time = ms_to_ns(time_ms);
    snprintf(trade.trade_id, sizeof trade.trade_id, "%.*s", (int)id->len, id->text);
    memcpy(trade.symbol, book->shown.inst.symbol, sizeof trade.symbol);
    memcpy(trade.venue, book->shown.inst.venue, sizeof trade.venue);
    upbit_announce(self, book);
    if (self->sink.trade)
        self->sink.trade(self->sink.ctx, &book->shown, &trade);
    return OK;
}

static int on_object(struct venue_market *self, const struct frame *frame, const struct json_node *event)
{
    const struct json_node *type =
        event->kind == JSON_OBJECT ? upbit_member(self->json, event, "ty", "type") : NULL;
    if (json_is(type, "orderbook"))
        return on_orderbook(self, frame, event);
    if (json_is(type, "trade"))
        return on_trade(self, frame, event);
    return event->kind == JSON_OBJECT ? upbit_say(self, frame, event) : upbit_ignore(self);
}

/* One object, or in the list formats an array of them. */
static int on_message(struct venue_market *self, const struct frame *frame)
{
    int status = json_parse(self->json, frame->text, frame->len);
    if (status != OK)
        return upbit_fail(self, status, "message: %.80s", json_error(self->json));
    const struct json_node *root = json_root(self->json);
    if (root->kind != JSON_ARRAY)
        return on_object(self, frame, root);
    for (const struct json_node *event = json_first(self->json, root); event;
         event = json_after(self->json, root, event)) {
        int one = on_object(self, frame, event);
        if (one != OK)
            status = one;
    }
    return status;
}

/* A socket was opened anew, or is gone: what it alone fed is lost. */
static void on_socket(struct venue_market *self, const struct frame *frame)
{
    uint64_t bit = UINT64_C(1) << frame->conn % 64;
    for (uint32_t i = 0; i < self->n_books; i++) {
        struct feed_book *book = self->books[i];
        book->trade_id = 0;
        if (!(book->shown.feeds & bit))
            continue;
        book->shown.feeds &= ~bit;
        if (book->shown.feeds)
            continue;
        book->time_ms = 0;
        if (l2_book_state(book->shown.book) == BOOK_LIVE)
            lose(self, book, STALE_DISCONNECT);
    }
}

static int upbit_on_frame(struct venue_market *self, const struct frame *frame)
{
    int status = OK;
    self->counters.frames++;
    switch (frame->kind) {
    case FRAME_WS:
        status = on_message(self, frame);
        break;
    case FRAME_HTTP:
        status = upbit_take_answer(self, frame);
        break;
    case FRAME_CONNECT:
    case FRAME_CLOSE:
        on_socket(self, frame);
        break;
    }
    show_changed(self);
    if (status == OK)
        return OK;
    self->counters.malformed++;
    return E_SYNTAX;
}

/* ---- what is offered -------------------------------------------------------------------------------- */

static const struct market_counters *upbit_counters(const struct venue_market *self)
{
    return &self->counters;
}

static uint32_t upbit_books(const struct venue_market *self)
{
    return self->n_books;
}

static const struct venue_book *upbit_book_at(const struct venue_market *self, uint32_t index)
{
    return index < self->n_books ? &self->books[index]->shown : NULL;
}

/* Every frame is the whole book: the next one mends what there is to mend. */
static enum book_wants upbit_wants(const struct venue_market *self, uint32_t index)
{
    (void)self;
    (void)index;
    return WANTS_NOTHING;
}

const struct venue_ops upbit = {.name = "upbit",
                                .owns_url = upbit_owns,
                                .open = upbit_open,
                                .close = upbit_close,
                                .on_frame = upbit_on_frame,
                                .counters = upbit_counters,
                                .books = upbit_books,
                                .book_at = upbit_book_at,
                                .wants = upbit_wants,
                                .line = &upbit_line};
