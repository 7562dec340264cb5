/* Between the played market and the feed: books of its own, which go STALE for any reason that a venue can give, fall
 * silent, lose their venue, and come again. What the feed sees of a venue, it sees through these.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "services/feed/feed.h"
#include "tests/simulation/simulation.h"
#include "venues/player.h"

enum { BOOKS_MOST = 16, VENUES = 2 };

/* What is wrong with a book: from outside by `until`, and told to the feed or not yet. */
struct played {
    struct venue_book book;
    bool made;                /* in this life of the feed */
    bool told;                /* the feed was told that it is STALE */
    bool silent;              /* nothing of it comes */
    enum stale_reason reason; /* STALE_NONE: it is right, or silent */
    int64_t until_ns;
    int64_t changed_ns; /* market time at which the feed last heard of it */
    int64_t told_ns;
};

static struct played books[BOOKS_MOST];
static struct market_sink sink; /* the feed's */
static int64_t down_until_ns[VENUES];
static bool told_down[VENUES];

/* ---- faults ---------------------------------------------------------------------------------------------------- */

static int book_count(void)
{
    return world.knobs.symbols * VENUES;
}

static enum stale_reason any_reason(void)
{
    static const enum stale_reason reasons[] = {STALE_NO_SNAPSHOT, STALE_GAP,        STALE_CHECKSUM,
                                                STALE_CROSSED,     STALE_DISCONNECT, STALE_OVERFLOW};
    return reasons[draw(sizeof reasons / sizeof *reasons)];
}

static void spoil(int index, enum stale_reason reason, int64_t until_ns)
{
    struct played *b = &books[index];
    b->silent = reason == STALE_NONE;
    b->reason = reason;
    b->until_ns = until_ns;
    b->told = false;
}

/* One book, or all at once: STALE, or silent. */
void market_spoil(int64_t for_ns)
{
    const enum stale_reason reason = chance(300) ? STALE_NONE : any_reason();
    const int one = chance(300) ? -1 : (int)draw((uint64_t)book_count());
    TRACE("book %d of the market is %s", one, reason == STALE_NONE ? "silent" : stale_reason_text(reason));
    for (int i = 0; i < book_count(); i++)
        if (one < 0 || i == one)
            spoil(i, reason, world.mono_ns + (reason == STALE_NONE ? 4 : 1) * for_ns);
}

void market_venue_down(int64_t for_ns)
{
    const int venue = (int)draw(VENUES);
    TRACE("venue %d is down", venue);
    down_until_ns[venue] = world.mono_ns + for_ns;
    for (int i = venue; i < book_count(); i += VENUES)
        spoil(i, STALE_DISCONNECT, down_until_ns[venue]);
}

void market_end(void)
{
    for (int i = 0; i < book_count(); i++)
        spoil(i, any_reason(), INT64_MAX);
}

void market_heal(void)
{
    for (int i = 0; i < BOOKS_MOST; i++)
        if (books[i].until_ns > world.mono_ns)
            books[i].until_ns = world.mono_ns;
    for (int i = 0; i < VENUES; i++)
        if (down_until_ns[i] > world.mono_ns)
            down_until_ns[i] = world.mono_ns;
}

/* ---- what the feed hears --------------------------------------------------------------------------------------- */

bool market_book(const char *symbol, const char *venue, struct market_truth *out)
{
    for (int i = 0; i < book_count(); i++) {
        const struct played *b = &books[i];
        if (!b->made || strcmp(b->book.inst.symbol, symbol) != 0 || strcmp(b->book.inst.venue, venue) != 0)
            continue;
        *out = (struct market_truth){.state = l2_book_state(b->book.book),
                                     .reason = l2_book_reason(b->book.book),
                                     .changed_ns = b->changed_ns,
                                     .told_ns = b->told_ns};
        return true;
    }
    return false;
}

bool market_venue_is_down(const char *venue)
{
    return told_down[strcmp(venue, "sim-b") == 0];
}

static struct played *played_of(const struct venue_book *from)
{
    struct played *b = &books[from->index];
    if (b->made)
        return b;
    b->book = *from;
    b->book.book = l2_book_new();
    if (!b->book.book || l2_book_set_exponents(b->book.book, from->inst.price_exp, from->inst.qty_exp) != OK)
        violated("out of memory");
    b->made = true;
    b->told = false;
    return b;
}

static void tell(struct played *b, int64_t market_ns)
{
    b->changed_ns = market_ns;
    b->told_ns = world.mono_ns;
    sink.book(sink.ctx, &b->book);
}

/* Those that have gone bad are told of by the next frame of any book. */
static void tell_spoiled(int64_t market_ns)
{
    for (int i = 0; i < book_count(); i++) {
        struct played *b = &books[i];
        if (!b->made || b->told || b->silent || b->until_ns <= world.mono_ns)
            continue;
        if (b->until_ns == INT64_MAX || i % 2)
            l2_book_set_stale(b->book.book, b->reason);
        else
            l2_book_clear(b->book.book, b->reason);
        b->told = true;
        tell(b, market_ns);
    }
}

static void copy_side(struct l2_book *to, const struct l2_book *from, enum side side)
{
    struct level level;
    for (uint32_t i = 0; l2_book_level(from, side, i, &level); i++)
        (void)l2_book_set(to, side, (struct dec){level.price, (int8_t)l2_book_price_exp(from)},
                          (struct dec){level.qty, (int8_t)l2_book_qty_exp(from)});
}

static void tell_best(const struct venue_book *from, struct played *b)
{
    struct level bid, ask;
    struct bbo best = {.venue_seq = from->venue_seq,
                       .venue_time = from->venue_time,
                       .recv_time = from->recv_ns,
                       .price_exp = (int8_t)l2_book_price_exp(from->book),
                       .qty_exp = (int8_t)l2_book_qty_exp(from->book)};
    if (!l2_book_level(from->book, SIDE_BUY, 0, &bid) || !l2_book_level(from->book, SIDE_SELL, 0, &ask))
        return;
    memcpy(best.symbol, from->inst.symbol, sizeof best.symbol);
    memcpy(best.venue, from->inst.venue, sizeof best.venue);
    best.bid = bid.price;
    best.bid_qty = bid.qty;
    best.ask = ask.price;
    best.ask_qty = ask.qty;
    sink.best(sink.ctx, &b->book, &best);
}

static void on_instrument(void *ctx, const struct venue_book *from)
{
    (void)ctx;
    struct played *b = played_of(from);
    b->book.inst = from->inst;
    b->changed_ns = from->recv_ns;
    sink.instrument(sink.ctx, &b->book);
}

/* A book that is STALE becomes LIVE by what is now the whole of it, and by nothing before. */
static void on_book(void *ctx, const struct venue_book *from)
{
    (void)ctx;
    struct played *b = played_of(from);
    tell_spoiled(from->recv_ns);
    const bool spoiled = b->until_ns > world.mono_ns;
    if (spoiled && b->silent)
        return;
    if (world.knobs.best_permille && chance(spoiled ? 300 : world.knobs.best_permille)) {
        tell_best(from, b);
        return;
    }
    if (!spoiled) {
        l2_book_clear(b->book.book, STALE_NO_SNAPSHOT);
        copy_side(b->book.book, from->book, SIDE_BUY);
        copy_side(b->book.book, from->book, SIDE_SELL);
        l2_book_set_live(b->book.book);
    } else if (b->until_ns == INT64_MAX || chance(700)) {
        return;
    }
    b->book.venue_seq = from->venue_seq;
    b->book.venue_time = from->venue_time;
    b->book.recv_ns = from->recv_ns;
    tell(b, from->recv_ns);
}

int __real_player_open(const struct config *config, int64_t start_ns, const struct market_sink *to,
                       struct player **out, char error[CONFIG_ERROR_MAX]);
int __wrap_player_open(const struct config *config, int64_t start_ns, const struct market_sink *to,
                       struct player **out, char error[CONFIG_ERROR_MAX]);
int __wrap_player_open(const struct config *config, int64_t start_ns, const struct market_sink *to,
                       struct player **out, char error[CONFIG_ERROR_MAX])
{
    struct market_sink own = *to;
    sink = *to;
    own.instrument = on_instrument;
    own.book = on_book;
    for (int i = 0; i < BOOKS_MOST; i++)
        books[i].made = false; /* an earlier life's books are left where they are */
    for (int i = 0; i < VENUES; i++)
        told_down[i] = false;
    return __real_player_open(config, start_ns, &own, out, error);
}

void __real_feed_on_venue(struct feed *self, const struct venue_report *report, struct now now,
                          struct outbox *out);
void __wrap_feed_on_venue(struct feed *self, const struct venue_report *report, struct now now,
                          struct outbox *out);
void __wrap_feed_on_venue(struct feed *self, const struct venue_report *report, struct now now,
                          struct outbox *out)
{
    const int venue = strcmp(report->venue, "sim-b") == 0;
    struct venue_report told = *report;
    told_down[venue] = down_until_ns[venue] > world.mono_ns;
    if (told_down[venue])
        told.state = VENUE_DOWN;
    __real_feed_on_venue(self, &told, now, out);
}
