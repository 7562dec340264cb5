/* The market as a subscriber knows it. */
#include "lib/market/view.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/decimal.h"
#include "lib/base/text.h"
#include "lib/market/overlay.h"

enum { VENUES_MAX = 64, PUBLISHERS_MAX = 16, KEY_MAX = 48, FX_EXP = -12 };

/* What a quote needs beside what is shown of it. */
struct entry {
    struct quote quote;
    struct bbo best;         /* newest best price; recv_time 0 = none in this epoch */
    uint64_t book_venue_seq; /* of the last book message, without any best price laid over it */
    int64_t book_recv_time;
    bool book_said_live;
    uint32_t publisher;
};

struct venue_watch {
    char name[24];
    int64_t beat_mono; /* last beat, or the first sight of the venue */
    bool late;
};

struct publisher {
    char stream[16];
    uint64_t epoch;
};

struct view {
    struct table *names; /* "symbol venue" to the index of entries */
    struct entry *entries;
    uint32_t capacity;
    int64_t beat_late_ns;
    struct venue_watch venues[VENUES_MAX];
    uint32_t n_venues;
    struct publisher publishers[PUBLISHERS_MAX];
    uint32_t n_publishers;
    int64_t market_time;
    uint64_t lost;
    struct histogram stale_delay;
};

struct view *view_new(uint32_t instruments, int64_t beat_late_ns)
{
    struct view *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    histogram_reset(&self->stale_delay);
    self->capacity = instruments;
    self->beat_late_ns = beat_late_ns;
    self->names = table_new(instruments, KEY_MAX);
    self->entries = calloc(instruments ? instruments : 1, sizeof *self->entries);
    if (!self->names || !self->entries)
        view_destroy(&self);
    return self;
}

void view_destroy(struct view **self)
{
    if (!*self)
        return;
    table_destroy(&(*self)->names);
    free((*self)->entries);
    free(*self);
    *self = NULL;
}

/* ---- names ------------------------------------------------------------------------------------------ */

static size_t key_of(const char *symbol, const char *venue, char key[KEY_MAX + 1])
{
    size_t s = strnlen(symbol, 31), v = strnlen(venue, 15);
    memcpy(key, symbol, s);
    key[s] = ' ';
    memcpy(key + s + 1, venue, v);
    key[s + 1 + v] = '\0';
    return s + 1 + v;
}

int view_find(const struct view *self, const char *symbol, const char *venue)
{
    char key[KEY_MAX + 1];
    if (strlen(symbol) > 31 || strlen(venue) > 15)
        return E_ABSENT;
    size_t len = key_of(symbol, venue, key);
    return table_find(self->names, key, len);
}

const struct quote *view_at(const struct view *self, uint32_t index)
{
    return index < table_count(self->names) ? &self->entries[index].quote : NULL;
}

uint32_t view_count(const struct view *self)
{
    return table_count(self->names);
}

int64_t view_market_time(const struct view *self)
{
    return self->market_time;
}

uint64_t view_lost(const struct view *self)
{
    return self->lost;
}

const struct histogram *view_stale_delay(const struct view *self)
{
    return &self->stale_delay;
}

/* The venue's place in the watch list; NULL when there are too many, and then its beats are not watched. */
static struct venue_watch *venue_of(struct view *self, const char *name, struct now now)
{
    for (uint32_t i = 0; i < self->n_venues; i++) {
        if (strcmp(self->venues[i].name, name) == 0)
            return &self->venues[i];
    }
    if (self->n_venues == VENUES_MAX)
        return NULL;
    struct venue_watch *venue = &self->venues[self->n_venues++];
    text_set(venue->name, sizeof venue->name, name);
    venue->beat_mono = now.mono_ns;
    return venue;
}

static int entry_of(struct view *self, const char *symbol, const char *name, struct now now)
{
    char key[KEY_MAX + 1];
    struct venue_watch *venue = venue_of(self, name, now);
    if (!venue)
        return E_FULL;
    size_t len = key_of(symbol, name, key);
    uint32_t before = table_count(self->names);
    int index = table_intern(self->names, key, len);
    if (index < 0)
        return E_FULL;
    if ((uint32_t)index < before)
        return index;
    struct quote *q = &self->entries[index].quote;
    text_set(q->symbol, sizeof q->symbol, symbol);
    text_set(q->venue, sizeof q->venue, name);
    q->venue_index = (uint32_t)(venue - self->venues);
    q->state = BOOK_STALE;
    q->reason = STALE_NO_SNAPSHOT;
    return index;
}

/* ---- stale ------------------------------------------------------------------------------------------ */

static bool make_stale(struct quote *q, enum stale_reason reason)
{
    if (q->state == BOOK_STALE)
        return false;
    q->state = BOOK_STALE;
    q->reason = reason;
    q->beat_seen = false;
    q->version++;
    return true;
}

void view_forget(struct view *self, const char *symbol, const char *venue)
{
    int index = view_find(self, symbol, venue);
    if (index >= 0)
        make_stale(&self->entries[index].quote, STALE_NO_SNAPSHOT);
}

static uint32_t venue_stale(struct view *self, const struct venue_watch *venue, enum stale_reason reason)
{
    uint32_t index = (uint32_t)(venue - self->venues), changed = 0;
    for (uint32_t i = 0; i < table_count(self->names); i++) {
        struct quote *q = &self->entries[i].quote;
        if (q->venue_index == index && make_stale(q, reason))
            changed++;
    }
    return changed;
}

static uint32_t watch_venue(struct view *self, struct venue_watch *venue, struct now now)
{
    if (self->beat_late_ns == 0 || venue->late || now.mono_ns - venue->beat_mono <= self->beat_late_ns)
        return 0;
    venue->late = true;
    return venue_stale(self, venue, STALE_BEAT_LATE);
}

int view_watch(struct view *self, struct now now)
{
    uint32_t changed = 0;
    for (uint32_t i = 0; i < self->n_venues; i++)
        changed += watch_venue(self, &self->venues[i], now);
    return (int)changed;
}

static void apply_beat(struct view *self, const struct beat *beat, struct now now)
{
    struct venue_watch *venue = venue_of(self, beat->source, now);
    if (!venue)
        return;
    watch_venue(self, venue, now);
    if (!beat->alive)
        venue_stale(self, venue, STALE_DISCONNECT);
    venue->beat_mono = now.mono_ns;
    venue->late = false;
    uint32_t index = (uint32_t)(venue - self->venues);
    for (uint32_t i = 0; i < table_count(self->names); i++) {
        if (self->entries[i].quote.venue_index == index)
            self->entries[i].quote.beat_seen = true;
    }
}

/* ---- epochs and counts ------------------------------------------------------------------------------ */

/* The publisher of a message, brought to the message's epoch; NULL when the message is of a past life, or
 * of one publisher too many. */
static struct publisher *publisher_of(struct view *self, const struct envelope *env)
{
    struct publisher *p = self->publishers, *end = p + self->n_publishers;
    while (p < end && strcmp(p->stream, env->stream) != 0)
        p++;
    if (p == end) {
        if (self->n_publishers == PUBLISHERS_MAX)
            return NULL;
        self->n_publishers++;
        text_set(p->stream, sizeof p->stream, env->stream);
        p->epoch = env->epoch;
    }
    if (env->epoch < p->epoch)
        return NULL;
    if (env->epoch == p->epoch)
        return p;
    p->epoch = env->epoch;
    for (uint32_t i = 0; i < table_count(self->names); i++) {
        struct entry *e = &self->entries[i];
        if (e->publisher != (uint32_t)(p - self->publishers))
            continue;
        make_stale(&e->quote, STALE_DISCONNECT);
        e->quote.book_seq = 0;
        e->quote.bbo_seq = 0;
        e->best.recv_time = 0;
    }
    return p;
}

/* Notes a message's count on its topic. false: it is older than what is held. */
static bool count(struct view *self, uint64_t *last, uint64_t seq)
{
    if (*last != 0 && seq < *last)
        return false;
    if (*last != 0 && seq > *last + 1)
        self->lost += seq - *last - 1;
    *last = seq;
    return true;
}

static void note_time(struct view *self, int64_t market_time)
{
    if (market_time > self->market_time)
        self->market_time = market_time;
}

static void note_message(struct entry *e, const struct envelope *env)
{
    e->quote.epoch = env->epoch;
    e->quote.seq = env->seq;
    e->quote.trace = env->trace;
    e->quote.version++;
}

/* ---- messages --------------------------------------------------------------------------------------- */

static bool best_is_newer(const struct entry *e)
{
    if (e->best.recv_time == 0)
        return false;
    if (e->best.venue_seq != 0 && e->book_venue_seq != 0)
        return e->best.venue_seq > e->book_venue_seq;
    return e->best.recv_time > e->book_recv_time;
}

static int apply_inst(struct view *self, const struct inst *inst, uint32_t publisher, struct now now)
{
    int index = entry_of(self, inst->symbol, inst->venue, now);
    if (index < 0)
        return index;
    struct entry *e = &self->entries[index];
    e->publisher = publisher;
    if (memcmp(&e->quote.inst, inst, sizeof *inst) == 0)
        return E_ABSENT; /* repeated for late joiners */
    e->quote.inst = *inst;
    e->quote.version++;
    return index;
}

/* LIVE takes that the book says so, and that no beat is awaited. */
static void settle_state(struct view *self, struct entry *e)
{
    struct quote *q = &e->quote;
    bool late = self->venues[q->venue_index].late;
    q->state = e->book_said_live && !late ? BOOK_LIVE : BOOK_STALE;
    q->reason = !e->book_said_live ? q->book.reason : late ? STALE_BEAT_LATE : STALE_NONE;
}

/* The levels that there are, not the room for more. */
static void copy_book(struct book *to, const struct book *from)
{
    memcpy(to, from, offsetof(struct book, bids));
    to->n_bids = from->n_bids;
    to->n_asks = from->n_asks;
    memcpy(to->bids, from->bids, from->n_bids * sizeof *from->bids);
    memcpy(to->asks, from->asks, from->n_asks * sizeof *from->asks);
}

static int apply_book(struct view *self, const struct message *m, uint32_t publisher, struct now now)
{
    const struct book *book = &m->book;
    int index = entry_of(self, book->symbol, book->venue, now);
    if (index < 0)
        return index;
    struct entry *e = &self->entries[index];
    struct quote *q = &e->quote;
    watch_venue(self, &self->venues[q->venue_index], now);
    bool repeated = q->book_seq == m->env.seq && q->book_seq != 0 && q->epoch == m->env.epoch;
    if (!count(self, &q->book_seq, m->env.seq))
        return E_ABSENT;
    e->publisher = publisher;
    if (repeated && q->state == BOOK_LIVE && e->book_said_live)
        return E_ABSENT;
    if (q->state == BOOK_LIVE && book->state == BOOK_STALE && m->env.trace.recv_mono != 0)
        histogram_record(&self->stale_delay, now.mono_ns - m->env.trace.recv_mono);
    copy_book(&q->book, book);
    e->book_venue_seq = book->venue_seq;
    e->book_recv_time = book->recv_time;
    e->book_said_live = book->state == BOOK_LIVE;
    if (e->book_said_live && best_is_newer(e))
        book_lay_best(&q->book, &e->best);
    settle_state(self, e);
    note_message(e, &m->env);
    return index;
}

static int apply_bbo(struct view *self, const struct message *m, uint32_t publisher, struct now now)
{
    const struct bbo *bbo = &m->bbo;
    int index = entry_of(self, bbo->symbol, bbo->venue, now);
    if (index < 0)
        return index;
    struct entry *e = &self->entries[index];
    struct quote *q = &e->quote;
    watch_venue(self, &self->venues[q->venue_index], now);
    bool repeated = q->bbo_seq == m->env.seq && q->bbo_seq != 0;
    if (!count(self, &q->bbo_seq, m->env.seq) || repeated)
        return E_ABSENT;
    e->publisher = publisher;
    e->best = *bbo;
    if (!e->book_said_live || !best_is_newer(e) || !book_lay_best(&q->book, bbo))
        return E_ABSENT;
    note_message(e, &m->env);
    return index;
}

static void apply_venue(struct view *self, const struct venue *report, struct now now)
{
    struct venue_watch *venue = venue_of(self, report->venue, now);
    if (venue && report->state == VENUE_DOWN)
        venue_stale(self, venue, STALE_DISCONNECT);
}

int view_apply(struct view *self, const struct message *m, struct now now)
{
    const struct message_kind *kind = message_kind(m->env.type);
    if (!kind || kind->class != CLASS_MARKET)
        return E_ABSENT;
    struct publisher *publisher = publisher_of(self, &m->env);
    if (!publisher)
        return E_ABSENT;
    uint32_t p = (uint32_t)(publisher - self->publishers);
    switch (m->env.type) {
    case MSG_INST:
        return apply_inst(self, &m->inst, p, now);
    case MSG_BOOK:
        note_time(self, m->book.recv_time);
        return apply_book(self, m, p, now);
    case MSG_BBO:
        note_time(self, m->bbo.recv_time);
        return apply_bbo(self, m, p, now);
    case MSG_TRADE:
        note_time(self, m->trade.recv_time);
        return E_ABSENT;
    case MSG_BEAT:
        note_time(self, m->beat.market_time);
        apply_beat(self, &m->beat, now);
        return E_ABSENT;
    case MSG_PACE:
        note_time(self, m->pace.market_time);
        return E_ABSENT;
    case MSG_VENUE:
        apply_venue(self, &m->venue, now);
        return E_ABSENT;
    default:
        return E_ABSENT;
    }
}

/* ---- reading ---------------------------------------------------------------------------------------- */

bool quote_live(const struct quote *q)
{
    return q->state == BOOK_LIVE;
}

uint32_t quote_levels(const struct quote *q, enum side side, const struct level **out)
{
    *out = side == SIDE_BUY ? q->book.asks : q->book.bids;
    return side == SIDE_BUY ? q->book.n_asks : q->book.n_bids;
}

struct dec quote_price(const struct quote *q, int64_t mantissa)
{
    return (struct dec){mantissa, q->book.price_exp};
}

struct dec quote_qty(const struct quote *q, int64_t mantissa)
{
    return (struct dec){mantissa, q->book.qty_exp};
}

/* The freshest LIVE book of a symbol with both sides; NULL when none is fresh enough. */
static const struct quote *freshest(const struct view *self, const char *symbol, int64_t max_age_ns)
{
    const struct quote *found = NULL;
    for (uint32_t v = 0; v < self->n_venues; v++) {
        int index = view_find(self, symbol, self->venues[v].name);
        const struct quote *q = index >= 0 ? &self->entries[index].quote : NULL;
        if (!q || q->state != BOOK_LIVE || q->book.n_bids == 0 || q->book.n_asks == 0)
            continue;
        if (self->market_time - q->book.recv_time > max_age_ns)
            continue;
        if (!found || q->book.recv_time > found->book.recv_time)
            found = q;
    }
    return found;
}

static int mid_of(const struct quote *q, struct dec *out)
{
    struct dec sum;
    int status = dec_add(quote_price(q, q->book.bids[0].price), quote_price(q, q->book.asks[0].price), &sum);
    return status == OK ? dec_mul(sum, (struct dec){5, -1}, out) : status;
}

static bool pair_of(const char *base, const char *quote, char out[32])
{
    size_t b = strlen(base), q = strlen(quote);
    if (b + 1 + q >= 32)
        return false;
    memcpy(out, base, b);
    out[b] = '-';
    memcpy(out + b + 1, quote, q + 1);
    return true;
}

int view_fx(const struct view *self, const char *from, const char *to, int64_t max_age_ns, struct dec *out)
{
    char symbol[32];
    struct dec mid;
    if (strcmp(from, to) == 0) {
        *out = (struct dec){1, 0};
        return OK;
    }
    const struct quote *q = pair_of(from, to, symbol) ? freshest(self, symbol, max_age_ns) : NULL;
    if (q && mid_of(q, &mid) == OK) {
        *out = mid;
        return OK;
    }
    q = pair_of(to, from, symbol) ? freshest(self, symbol, max_age_ns) : NULL;
    if (q && mid_of(q, &mid) == OK &&
        dec_div_at((struct dec){1, 0}, mid, FX_EXP, ROUND_HALF_EVEN, &mid) == OK && mid.m > 0) {
        *out = mid;
        return OK;
    }
    return E_ABSENT;
}
