/* The market as a subscriber knows it: one struct quote per instrument, kept current from `inst`, `book`,
 * `bbo`, `beat` and `venue` messages. The strategy, the gate and the paper venue look at the same view.
 *
 * A best price that is newer than the book (by the venue's update id where both have one, else by market
 * time) is laid over it: levels better than it are dropped, and it becomes the first level. So the top is
 * always the newest known, and the levels below are the last known.
 *
 * A book is usable when its last message said LIVE and its venue's beat is not late. A late beat makes every
 * book of that venue STALE (beat-late) until a beat and a book have come again. A new epoch of the feed makes
 * its books STALE (disconnect) until they come again.
 */
#ifndef SLUICE_MARKET_VIEW_H
#define SLUICE_MARKET_VIEW_H

#include "lib/base/clock.h"
#include "lib/base/decimal.h"
#include "lib/base/histogram.h"
#include "lib/base/table.h"
#include "proto/message.h"

/* How many instruments a process knows at the most. */
enum { INSTRUMENTS_MAX = 2048 };

struct quote {
    struct inst inst; /* inst.symbol is empty until its `inst` message came */
    char symbol[32];
    char venue[16];
    struct book book;      /* last book with the best price laid over it */
    enum book_state state; /* LIVE only when usable */
    enum stale_reason reason;
    uint64_t epoch;             /* of the last message laid in */
    uint64_t seq;               /* on its topic */
    uint64_t book_seq, bbo_seq; /* last seq of each topic, to count the lost */
    uint64_t version;           /* rises with every change: what changed since can be asked */
    struct trace trace;         /* of the last message */
    uint32_t venue_index;
    bool beat_seen; /* after STALE by a late beat: a beat has come, a book is awaited */
};

struct view;

/* instruments: how many at the most. beat_late_ns: 0 = beats are not watched (backtest). NULL: out of memory. */
struct view *view_new(uint32_t instruments, int64_t beat_late_ns);
void view_destroy(struct view **self);

/* Takes a market message in. Returns the index of the instrument it changed, E_ABSENT when it changed none
 * (a beat, a pace, a repeated or outdated message, another kind), E_FULL when there are too many instruments
 * or venues. A beat that is not alive, or a venue reported down, makes the venue's books STALE (disconnect)
 * until they come again. */
int view_apply(struct view *self, const struct message *m, struct now now);

/* Makes books of silent venues STALE; call at least every 100 ms. Returns how many books it changed. */
int view_watch(struct view *self, struct now now);

/* A book that was not subscribed to for a while: what is held of it may be of any age, so it is STALE (no-snapshot)
 * until it comes again. */
void view_forget(struct view *self, const char *symbol, const char *venue);

/* Index of an instrument, or E_ABSENT. An index stays valid for the life of the view. */
int view_find(const struct view *self, const char *symbol, const char *venue);
const struct quote *view_at(const struct view *self, uint32_t index);
uint32_t view_count(const struct view *self);

/* Market time reached: the greatest receive time seen, or market time told by a beat or a pace. */
int64_t view_market_time(const struct view *self);

/* Messages that never came, by gaps in seq; messages whose instrument was unknown are not counted. */
uint64_t view_lost(const struct view *self);

/* How long, in ns of the local clock, it took from the feed's finding a LIVE book STALE until it was STALE here: each
 * time the feed said so of a book that was LIVE here. */
const struct histogram *view_stale_delay(const struct view *self);

/* Price of one unit of `from` in units of `to`, from a LIVE book no older than max_age_ns of market time:
 * {1, 0} when they are the same; the mid of a book FROM-TO, or the inverse of TO-FROM at exponent -12.
 * E_ABSENT when there is no such fresh book: then nobody may trade on a guess. */
int view_fx(const struct view *self, const char *from, const char *to, int64_t max_age_ns, struct dec *out);

/* ---- walking a book ---------------------------------------------------------------------------------- */

/* Levels a taker of `side` would hit: SIDE_BUY the asks, SIDE_SELL the bids. Returns their number. */
uint32_t quote_levels(const struct quote *q, enum side side, const struct level **out);
struct dec quote_price(const struct quote *q, int64_t mantissa);
struct dec quote_qty(const struct quote *q, int64_t mantissa);
bool quote_live(const struct quote *q);

#endif
