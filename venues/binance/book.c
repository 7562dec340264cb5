/* Joining diffs to snapshots. */
#include "venues/binance/book.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int binance_error(struct venue_market *self, int status, const char *format, ...)
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
    binance_instrument(self->rules, table_key(self->names, (uint32_t)index), self->instruments, self->told,
                       inst);
    if (!inst->learned)
        l2_book_set_exponents(book->shown.book, inst->price_exp, inst->qty_exp);
    book->shown.index = (uint32_t)index;
    self->books[self->n_books++] = book;
    return book;
}

void binance_book_free(struct feed_book *book)
{
    l2_book_destroy(&book->shown.book);
    pending_free(&book->pending);
    free(book);
}

static bool printable(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f)
            return false;
    }
    return len > 0 && len < NAME_MAX_BYTES;
}

struct feed_book *binance_book_named(struct venue_market *self, const char *name, size_t len)
{
    int index = table_find(self->names, name, len);
    if (index >= 0)
        return self->books[index];
    if (!printable(name, len)) {
        binance_error(self, E_SYNTAX, "symbol: expected 1 to %d visible characters", NAME_MAX_BYTES - 1);
        return NULL;
    }
    struct feed_book *book = add_book(self, name, len);
    if (!book)
        binance_error(self, E_FULL, "%.32s: more than %d symbols, or out of memory", name, BOOKS_MAX);
    return book;
}

void binance_book_announce(struct venue_market *self, struct feed_book *book)
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
    book->shown.recv_ns = self->recv_ns;
    binance_book_announce(self, book);
    if (self->sink.book)
        self->sink.book(self->sink.ctx, &book->shown);
}

/* The levels stay, as the last good ones. */
void binance_book_lose(struct venue_market *self, struct feed_book *book, enum stale_reason reason)
{
    bool was = book->synced || l2_book_reason(book->shown.book) != reason;
    if (reason == STALE_GAP) {
        self->counters.gaps++;
        book->shown.gaps++;
    }
    book->synced = false;
    l2_book_set_stale(book->shown.book, reason);
    if (was)
        show(self, book);
}

/* ---- levels ----------------------------------------------------------------------------------------- */

static int set_levels(struct venue_market *self, struct feed_book *book, const struct l2_change *changes,
                      uint32_t n)
{
    int status = l2_book_apply(book->shown.book, changes, n);
    if (status == E_FULL)
        binance_error(self, E_FULL, "%s: more than %d levels a side", book->shown.inst.venue_symbol,
                      L2_LEVELS_MAX);
    else if (status != OK)
        binance_error(self, status, "%s: a level's digits fit no exponent", book->shown.inst.venue_symbol);
    return status;
}

/* What the levels are is wrong, or does not fit: the whole book goes with them. */
static void drop_levels(struct venue_market *self, struct feed_book *book, int status)
{
    l2_book_clear(book->shown.book, STALE_NO_SNAPSHOT);
    pending_clear(&book->pending);
    binance_book_lose(self, book, status == E_FULL ? STALE_OVERFLOW : STALE_GAP);
}

/* ---- synchronisation -------------------------------------------------------------------------------- */

static void keep(struct venue_market *self, struct feed_book *book, const struct diff *diff,
                 const struct l2_change *changes)
{
    int dropped = pending_push(&book->pending, diff, changes);
    if (dropped == 0)
        return;
    self->counters.overflows++;
    binance_book_lose(self, book, STALE_OVERFLOW);
}

static void say_gap(struct venue_market *self, const struct feed_book *book, struct diff_ids ids)
{
    binance_error(self, E_STATE, "%s: gap: have %" PRIu64 ", got U %" PRIu64 " u %" PRIu64 " pu %" PRIu64,
                  book->shown.inst.venue_symbol, book->shown.venue_seq, ids.first, ids.last, ids.previous);
}

static int apply(struct venue_market *self, struct feed_book *book, const struct diff *diff,
                 const struct l2_change *changes)
{
    int status = set_levels(self, book, changes, diff->n_changes);
    if (status != OK)
        return status;
    book->fresh = false;
    book->shown.venue_seq = diff->ids.last;
    book->shown.venue_time = diff->venue_time;
    self->counters.applied++;
    return OK;
}

bool binance_book_wants_snapshot(const struct feed_book *book)
{
    return !book->synced || l2_book_reason(book->shown.book) == STALE_CROSSED;
}

static void note_crossed(struct venue_market *self, struct feed_book *book)
{
    binance_error(self, E_STATE, "%s: crossed at update %" PRIu64, book->shown.inst.venue_symbol,
                  book->shown.venue_seq);
    l2_book_set_stale(book->shown.book, STALE_CROSSED);
}

/* The book after a diff: a crossed one still follows the ids, but is not traded on before a snapshot. */
static void settle_diff(struct venue_market *self, struct feed_book *book)
{
    if (l2_book_state(book->shown.book) == BOOK_LIVE && l2_book_crossed(book->shown.book))
        note_crossed(self, book);
    show(self, book);
}

/* The book after a snapshot and what was kept for it. */
static void settle_snapshot(struct venue_market *self, struct feed_book *book)
{
    if (l2_book_crossed(book->shown.book)) {
        note_crossed(self, book);
        show(self, book);
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

/* Joins what was kept. A gap within ends it: from there on the diffs wait for another snapshot. */
static int join_pending(struct venue_market *self, struct feed_book *book)
{
    const struct l2_change *changes;
    const struct diff *diff;
    while ((diff = pending_first(&book->pending, &changes)) != NULL) {
        enum join join = binance_join(self->rules, book->shown.venue_seq, book->fresh, diff->ids);
        if (join == JOIN_GAP) {
            say_gap(self, book, diff->ids);
            binance_book_lose(self, book, STALE_GAP);
            return OK;
        }
        int status = join == JOIN_NEXT ? apply(self, book, diff, changes) : OK;
        if (status != OK)
            return status;
        pending_drop(&book->pending);
    }
    return OK;
}

/* What the connection that stands by has brought and the book has not, kept until it is needed. */
static void keep_standby(struct venue_market *self, struct feed_book *book, const struct diff *diff,
                         uint32_t conn)
{
    const struct l2_change *changes;
    const struct diff *first;
    while ((first = pending_first(&book->pending, &changes)) != NULL &&
           binance_join(self->rules, book->shown.venue_seq, book->fresh, first->ids) == JOIN_OLD)
        pending_drop(&book->pending);
    book->standby = conn % 64;
    (void)pending_push(&book->pending, diff, self->changes);
    self->counters.ignored++;
}

/* The diffs of the connection that stands by continue the book: from now on they are taken. false: they do not. */
static bool take_over(struct venue_market *self, struct feed_book *book)
{
    const struct l2_change *changes;
    const struct diff *first;
    enum join join = JOIN_OLD;
    while (join == JOIN_OLD && (first = pending_first(&book->pending, &changes)) != NULL) {
        join = binance_join(self->rules, book->shown.venue_seq, book->fresh, first->ids);
        if (join == JOIN_OLD)
            pending_drop(&book->pending);
    }
    if (join != JOIN_NEXT)
        return false;
    book->source = book->standby;
    int status = join_pending(self, book);
    if (status != OK)
        drop_levels(self, book, status);
    else if (book->synced)
        settle_diff(self, book);
    return true;
}

/* The connection whose diffs were taken is gone, another one stood by. */
static void inherit(struct venue_market *self, struct feed_book *book)
{
    const struct l2_change *changes;
    book->standby = book->source;
    if (take_over(self, book))
        return;
    const struct diff *first = pending_first(&book->pending, &changes);
    if (!first) /* it has brought nothing that is new */
        return;
    say_gap(self, book, first->ids); /* it was ahead of what was received on the other: these diffs wait */
    binance_book_lose(self, book, STALE_GAP);
}

bool binance_book_fed(struct feed_book *book, uint32_t conn)
{
    uint64_t *feeds = &book->shown.feeds;
    if (!(*feeds & UINT64_C(1) << book->source))
        book->source = conn % 64;
    book->parted = false;
    *feeds |= UINT64_C(1) << conn % 64;
    return book->source == conn % 64;
}

void binance_book_cut(struct venue_market *self, struct feed_book *book, uint32_t conn)
{
    uint64_t bit = UINT64_C(1) << conn % 64;
    book->best_seq = book->trade_id = 0;
    if (!(book->shown.feeds & bit))
        return;
    book->shown.feeds &= ~bit;
    if (book->source != conn % 64) {
        if (book->synced)
            pending_clear(&book->pending);
        return;
    }
    bool others = book->shown.feeds != 0;
    book->source = others ? (uint32_t)__builtin_ctzll(book->shown.feeds) : 0;
    if (others && book->synced) {
        inherit(self, book);
        return;
    }
    book->parted = !others;
    pending_clear(&book->pending);
    if (book->synced)
        binance_book_lose(self, book, STALE_DISCONNECT);
}

int binance_book_take_diff(struct venue_market *self, struct feed_book *book, const struct diff *diff,
                           uint32_t conn)
{
    if (!binance_book_fed(book, conn)) {
        if (book->synced)
            keep_standby(self, book, diff, conn);
        return OK;
    }
    if (!book->synced) {
        keep(self, book, diff, self->changes);
        return OK;
    }
    switch (binance_join(self->rules, book->shown.venue_seq, book->fresh, diff->ids)) {
    case JOIN_OLD:
        self->counters.ignored++;
        return OK;
    case JOIN_GAP:
        if (take_over(self, book))
            return OK;
        pending_clear(&book->pending);
        say_gap(self, book, diff->ids);
        binance_book_lose(self, book, STALE_GAP);
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
    settle_diff(self, book);
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
        binance_error(self, E_STATE, "%s: snapshot too old: lastUpdateId %" PRIu64 ", first U %" PRIu64,
                      book->shown.inst.venue_symbol, last, ids.first);
        return false;
    }
    return true;
}

int binance_book_take_snapshot(struct venue_market *self, struct feed_book *book, uint64_t last,
                               int64_t venue_time)
{
    bool behind = book->synced && last < book->shown.venue_seq; /* the diffs since then are not kept */
    /* Asked for before the connection was lost, answered after: what changes from here on, nobody hears. */
    if (behind || book->parted || !snapshot_joins(self, book, last)) {
        self->counters.snapshots_rejected++;
        return OK;
    }
    int status = OK;
    l2_book_clear(book->shown.book, l2_book_reason(book->shown.book));
    /* Venues send the best level first, and a book grows at its best end. */
    for (uint32_t i = self->n_changes; i > 0 && status == OK; i--)
        status = set_levels(self, book, &self->changes[i - 1], 1);
    book->synced = status == OK;
    book->fresh = true;
    book->shown.venue_seq = last;
    book->shown.venue_time = venue_time;
    if (status == OK)
        status = join_pending(self, book);
    if (status != OK)
        drop_levels(self, book, status);
    else if (book->synced)
        settle_snapshot(self, book);
    return status;
}
