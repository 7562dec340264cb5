#include "venues/stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ------------------------------------------------------------------------------------------- */

static void free_book(struct stream_book *book)
{
    if (!book)
        return;
    l2_book_destroy(&book->shown.book);
    top_text_destroy(&book->text);
    free(book);
}

void stream_close(struct venue_market **self)
{
    if (!*self)
        return;
    for (uint32_t i = 0; i < (*self)->n_books; i++)
        free_book((*self)->books[i]);
    json_destroy(&(*self)->json);
    table_destroy(&(*self)->names);
    table_destroy(&(*self)->term_names);
    free((*self)->terms);
    free(*self);
    *self = NULL;
}

struct venue_market *stream_open(const struct stream_rules *rules, const struct instrument_file *instruments,
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
    self->names = table_new(STREAM_BOOKS_MAX, STREAM_NAME_MAX);
    if (!self->json || !self->names)
        stream_close(&self);
    return self;
}

/* ---- words ------------------------------------------------------------------------------------------ */

int stream_error(struct venue_market *self, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self->counters.last_error, sizeof self->counters.last_error, format, args);
    va_end(args);
    return status;
}

int stream_ignore(struct venue_market *self)
{
    self->counters.ignored++;
    return OK;
}

void stream_notice(struct venue_market *self, enum notice notice, const char *detail)
{
    if (self->sink.notice)
        self->sink.notice(self->sink.ctx, self->frame->conn, notice, detail);
}

/* ---- books ------------------------------------------------------------------------------------------ */

static const struct stream_terms *terms_of(const struct venue_market *self, const char *name)
{
    int index = self->term_names ? table_find(self->term_names, name, strlen(name)) : E_ABSENT;
    return index >= 0 ? &self->terms[index] : NULL;
}

static int8_t step_exp(struct dec step)
{
    step = dec_tight(step);
    return step.exp > 0 ? 0 : step.exp;
}

static void apply_terms(const struct stream_terms *terms, struct inst *inst)
{
    if (terms->tick.m > 0) {
        inst->tick = terms->tick;
        inst->price_exp = step_exp(terms->tick);
    }
    if (terms->lot.m > 0) {
        inst->lot = terms->lot;
        inst->qty_exp = step_exp(terms->lot);
    }
    inst->min_qty = terms->min_qty;
    inst->min_notional = terms->min_notional;
    if (terms->has_fees) {
        inst->taker_bps = terms->taker_bps;
        inst->maker_bps = terms->maker_bps;
    }
    inst->learned = !(terms->tick.m > 0 && terms->lot.m > 0);
}

/* All that is known of an instrument, and what was seen in its book. */
static void describe(struct venue_market *self, struct stream_book *book, const char *name)
{
    struct inst *inst = &book->shown.inst;
    const struct stream_terms *terms = terms_of(self, name);
    memset(inst, 0, sizeof *inst);
    self->rules->name(name, terms, inst);
    inst->learned = true;
    if (terms)
        apply_terms(terms, inst);
    bool nameless = !inst->symbol[0];
    bool told = !inst->learned;
    instrument_file_apply(self->instruments, inst);
    inst->learned = inst->learned && !told;
    if (nameless)
        inst->symbol[0] = '\0';
    if (!inst->learned)
        (void)l2_book_set_exponents(book->shown.book, inst->price_exp, inst->qty_exp);
}

static struct stream_book *add_book(struct venue_market *self, const char *name, size_t len)
{
    struct stream_book *book = calloc(1, sizeof *book);
    if (!book || self->n_books == STREAM_BOOKS_MAX)
        goto failed;
    book->shown.book = l2_book_new();
    book->text = top_text_new(self->rules->form, self->rules->checksum_depth);
    if (!book->shown.book || !book->text)
        goto failed;
    int index = table_intern(self->names, name, len);
    if (index < 0)
        goto failed;
    book->shown.index = (uint32_t)index;
    self->books[self->n_books++] = book;
    describe(self, book, table_key(self->names, (uint32_t)index));
    return book;
failed:
    free_book(book);
    return NULL;
}

struct stream_book *stream_book_of(struct venue_market *self, const struct json_node *symbol)
{
    if (!symbol || symbol->kind != JSON_STRING) {
        stream_error(self, E_SYNTAX, "expected an instrument's name");
        return NULL;
    }
    const char *name = symbol->text;
    size_t len = symbol->len;
    char plain[4 * STREAM_NAME_MAX];
    if (memchr(name, '\\', len)) { /* "BTC\/USD" */
        int n = json_unescape(symbol, plain, sizeof plain);
        name = plain;
        len = n > 0 ? (size_t)n : 0;
    }
    int index = table_find(self->names, name, len);
    if (index >= 0)
        return self->books[index];
    bool readable = len > 0 && len < STREAM_NAME_MAX;
    for (size_t i = 0; readable && i < len; i++)
        readable = (unsigned char)name[i] > ' ' && name[i] != 0x7f;
    struct stream_book *book = readable ? add_book(self, name, len) : NULL;
    if (!readable)
        stream_error(self, E_SYNTAX, "instrument: expected 1 to %d visible characters", STREAM_NAME_MAX - 1);
    else if (!book)
        stream_error(self, E_FULL, "more than %d instruments, or out of memory", STREAM_BOOKS_MAX);
    return book;
}

/* Tells the sink of the instrument before the first word about it, and when its exponents have changed. */
static void announce(struct venue_market *self, struct stream_book *book)
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

/* The sink is told at the end of the frame, once for each book. */
static void mark_changed(struct venue_market *self, struct stream_book *book)
{
    book->shown.recv_ns = self->frame->recv_ns;
    if (book->touched == self->counters.frames)
        return;
    book->touched = self->counters.frames;
    self->changed[self->n_changed++] = book->shown.index;
}

void stream_lose(struct venue_market *self, struct stream_book *book, enum stale_reason reason)
{
    if (reason == STALE_GAP) {
        self->counters.gaps++;
        book->shown.gaps++;
    }
    if (book->synced || l2_book_reason(book->shown.book) != reason)
        mark_changed(self, book);
    book->synced = false;
    l2_book_set_stale(book->shown.book, reason);
}

/* ---- a book's messages ------------------------------------------------------------------------------ */

static uint64_t conn_bit(const struct venue_market *self)
{
    return UINT64_C(1) << self->frame->conn % 64;
}

bool stream_follows(const struct venue_market *self, const struct stream_book *book, uint32_t channel)
{
    return book->synced && book->conn == self->frame->conn && book->channel == channel;
}

void stream_snapshot(struct venue_market *self, struct stream_book *book, uint32_t channel)
{
    book->was_lost = book->was_lost || l2_book_state(book->shown.book) != BOOK_LIVE;
    l2_book_clear(book->shown.book, l2_book_reason(book->shown.book));
    top_text_clear(book->text);
    book->synced = false;
    book->conn = self->frame->conn;
    book->channel = channel;
    book->shown.feeds |= conn_bit(self);
    if (book->next_depth)
        book->depth = book->next_depth;
    book->shown.venue_seq = 0;
    book->shown.venue_time = 0;
}

int stream_level(struct venue_market *self, struct stream_book *book, enum side side,
                 const struct json_node *price, const struct json_node *qty)
{
    const char *name = book->shown.inst.venue_symbol;
    struct top_word p, q;
    if (json_dec(price, &p.value) != OK || p.value.m <= 0)
        return stream_error(self, E_RANGE, "%s: a level's price: expected a number above 0", name);
    if (json_dec(qty, &q.value) != OK || q.value.m < 0)
        return stream_error(self, E_RANGE, "%s: a level's quantity: expected a number not below 0", name);
    p.text = price->text;
    p.len = price->len;
    q.text = qty->text;
    q.len = qty->len;
    int status = l2_book_set(book->shown.book, side, p.value, q.value);
    if (status == E_FULL)
        return stream_error(self, status, "%s: more than %d levels a side", name, L2_LEVELS_MAX);
    if (status == OK)
        status = top_text_note(book->text, side, &p, &q);
    return status == OK ? OK : stream_error(self, status, "%s: a level's digits fit nowhere", name);
}

static void cut_side(struct stream_book *book, enum side side)
{
    struct l2_book *levels = book->shown.book;
    struct level level;
    uint32_t n = l2_book_depth(levels, side);
    for (; n > book->depth && l2_book_level(levels, side, n - 1, &level); n--) {
        struct top_word price = {.value = {level.price, (int8_t)l2_book_price_exp(levels)}};
        struct top_word none = {.len = 0};
        (void)l2_book_set(levels, side, price.value, none.value);
        (void)top_text_note(book->text, side, &price, &none);
    }
}

void stream_cut(struct stream_book *book)
{
    if (book->depth == 0)
        return;
    cut_side(book, SIDE_BUY);
    cut_side(book, SIDE_SELL);
}

static bool checksum_holds(struct venue_market *self, struct stream_book *book, const uint32_t *checksum)
{
    if (!checksum)
        return true;
    top_text_follow(book->text, book->shown.book);
    uint32_t own = self->rules->checksum(book->text);
    if (own == *checksum)
        return true;
    self->counters.checksums++;
    book->shown.checksums++;
    stream_error(self, E_CORRUPT, "%s: checksum %u, the venue has %u", book->shown.inst.venue_symbol, own,
                 *checksum);
    return false;
}

void stream_settle(struct venue_market *self, struct stream_book *book, bool snapshot,
                   const uint32_t *checksum)
{
    struct l2_book *levels = book->shown.book;
    self->counters.applied++;
    mark_changed(self, book);
    if (!checksum_holds(self, book, checksum)) {
        stream_lose(self, book, STALE_CHECKSUM);
        return;
    }
    book->synced = true;
    if (l2_book_crossed(levels) && (snapshot || l2_book_state(levels) == BOOK_LIVE)) {
        stream_error(self, E_STATE, "%s: crossed", book->shown.inst.venue_symbol);
        l2_book_set_stale(levels, STALE_CROSSED);
        return;
    }
    if (!snapshot || l2_book_crossed(levels))
        return;
    if (book->was_lost && book->was_live) {
        book->shown.resyncs++;
        self->counters.resyncs++;
    }
    book->was_live = true;
    book->was_lost = false;
    l2_book_set_live(levels);
}

int stream_spoilt(struct venue_market *self, struct stream_book *book, int status)
{
    stream_lose(self, book, status == E_FULL ? STALE_OVERFLOW : STALE_GAP);
    return status;
}

void stream_lose_unsequenced(struct venue_market *self)
{
    for (uint32_t i = 0; i < self->n_books; i++) {
        struct stream_book *book = self->books[i];
        if (book->synced && book->conn == self->frame->conn && book->shown.venue_seq == 0)
            stream_lose(self, book, STALE_GAP);
    }
}

void stream_unsubscribed(struct venue_market *self, struct stream_book *book, uint32_t channel)
{
    if (book->channel == channel)
        book->shown.feeds &= ~conn_bit(self);
    if (stream_follows(self, book, channel))
        stream_lose(self, book, STALE_DISCONNECT);
}

int stream_trade(struct venue_market *self, struct stream_book *book, enum side aggressor,
                 const struct json_node *price, const struct json_node *qty, const struct json_node *id,
                 int64_t venue_time)
{
    const struct inst *inst = &book->shown.inst;
    struct dec p, q;
    if (json_dec(price, &p) != OK || p.m <= 0 || json_dec(qty, &q) != OK || q.m < 0)
        return stream_error(self, E_SYNTAX, "%s: trade: expected price and quantity", inst->venue_symbol);
    struct trade trade = {.venue_time = venue_time, .recv_time = self->frame->recv_ns};
    trade.aggressor = aggressor;
    trade.price = p.m;
    trade.price_exp = p.exp;
    trade.qty = q.m;
    trade.qty_exp = q.exp;
    if (id)
        snprintf(trade.trade_id, sizeof trade.trade_id, "%.*s", (int)id->len, id->text);
    memcpy(trade.symbol, inst->symbol, sizeof trade.symbol);
    memcpy(trade.venue, inst->venue, sizeof trade.venue);
    announce(self, book);
    if (self->sink.trade)
        self->sink.trade(self->sink.ctx, &book->shown, &trade);
    return OK;
}

/* ---- terms ------------------------------------------------------------------------------------------ */

int stream_tell(struct venue_market *self, const char *venue_symbol, const struct stream_terms *terms)
{
    if (!self->term_names) {
        self->term_names = table_new(STREAM_TERMS_MAX, STREAM_NAME_MAX);
        self->terms = calloc(STREAM_TERMS_MAX, sizeof *self->terms);
        if (!self->term_names || !self->terms) {
            table_destroy(&self->term_names);
            free(self->terms);
            self->terms = NULL;
            return stream_error(self, E_FULL, "out of memory for instruments");
        }
    }
    int index = table_intern(self->term_names, venue_symbol, strlen(venue_symbol));
    if (index < 0)
        return stream_error(self, index, "%.40s: more than %d instruments, or too long a name", venue_symbol,
                            STREAM_TERMS_MAX);
    self->terms[index] = *terms;
    int held = table_find(self->names, venue_symbol, strlen(venue_symbol));
    if (held < 0)
        return OK;
    struct stream_book *book = self->books[held];
    struct inst before = book->shown.inst;
    describe(self, book, table_key(self->names, (uint32_t)held));
    book->shown.inst.price_exp = (int8_t)l2_book_price_exp(book->shown.book);
    book->shown.inst.qty_exp = (int8_t)l2_book_qty_exp(book->shown.book);
    book->announced = book->announced && memcmp(&before, &book->shown.inst, sizeof before) == 0;
    announce(self, book);
    return OK;
}

/* ---- frames ----------------------------------------------------------------------------------------- */

/* A socket was opened anew, or is gone: what followed it is lost. */
static void on_socket(struct venue_market *self)
{
    for (uint32_t i = 0; i < self->n_books; i++) {
        struct stream_book *book = self->books[i];
        book->shown.feeds &= ~conn_bit(self);
        if (book->synced && book->conn == self->frame->conn)
            stream_lose(self, book, STALE_DISCONNECT);
    }
}

void stream_begin(struct venue_market *self, const struct frame *frame)
{
    self->counters.frames++;
    self->frame = frame;
    if (frame->kind == FRAME_CONNECT || frame->kind == FRAME_CLOSE)
        on_socket(self);
}

int stream_end(struct venue_market *self, int status)
{
    for (uint32_t i = 0; i < self->n_changed; i++) {
        struct stream_book *book = self->books[self->changed[i]];
        announce(self, book);
        if (self->sink.book)
            self->sink.book(self->sink.ctx, &book->shown);
    }
    self->n_changed = 0;
    if (status == OK)
        return OK;
    self->counters.malformed++;
    return E_SYNTAX;
}

/* ---- what is offered -------------------------------------------------------------------------------- */

const struct market_counters *stream_counters(const struct venue_market *self)
{
    return &self->counters;
}

uint32_t stream_books(const struct venue_market *self)
{
    return self->n_books;
}

const struct venue_book *stream_book_at(const struct venue_market *self, uint32_t index)
{
    return index < self->n_books ? &self->books[index]->shown : NULL;
}

enum book_wants stream_wants(const struct venue_market *self, uint32_t index)
{
    const struct stream_book *book = self->books[index];
    bool crossed = l2_book_reason(book->shown.book) == STALE_CROSSED;
    return !book->synced || crossed ? WANTS_SUBSCRIPTION : WANTS_NOTHING;
}
