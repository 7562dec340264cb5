/* The feed: a core without input and output that turns venue books into market messages.
 *
 * It gives each topic its seq, keeps each topic's last message for late joiners and quiet topics, watches for
 * silence, and sends beats. When several changes of one topic come in one drain, only the newest is published.
 */
#ifndef SLUICE_SERVICES_FEED_H
#define SLUICE_SERVICES_FEED_H

#include "lib/runtime/config.h"
#include "lib/runtime/effects.h"
#include "venues/market.h"

struct feed;

struct feed_options {
    const struct config *config;
    uint64_t epoch;
    uint64_t boot_id;
    uint32_t instruments; /* how many at the most */
    bool
        stamp_market_time; /* backtest: monotonic stamps are taken from market time, so that runs are equal */
};

struct feed *feed_new(const struct feed_options *options); /* NULL: out of memory */
void feed_destroy(struct feed **self);

/* Changes, as the venues' sinks report them; `venue` is the venue's name. Published by feed_publish. */
void feed_on_instrument(struct feed *self, const char *venue, const struct venue_book *book, struct now now);
void feed_on_book(struct feed *self, const char *venue, const struct venue_book *book, struct now now);
void feed_on_best(struct feed *self, const char *venue, const struct venue_book *book, const struct bbo *bbo,
                  struct now now);
void feed_on_trade(struct feed *self, const char *venue, const struct venue_book *book,
                   const struct trade *trade, struct now now, struct outbox *out);

struct venue_report {
    const char *venue;
    enum venue_state state;
    const char *detail; /* cut where it is too long */
    const struct market_counters *counters;
    uint32_t connections, connections_up, rest_weight; /* 0 where there are none: the simulation, a recording */
    uint64_t reconnects;
};

void feed_on_venue(struct feed *self, const struct venue_report *report, struct now now, struct outbox *out);

/* Publishes each touched topic once, instruments before books; at most OUTBOX_PER_INPUT_MAX messages a call: call
 * again while it returns true. */
bool feed_publish(struct feed *self, struct now now, struct outbox *out);

/* Beats every 250 ms of local time; quiet topics again once after 250 ms, then every 5 s; silent books STALE. */
void feed_on_time(struct feed *self, struct now now, struct outbox *out);

/* Local time until feed_on_time has something to do, however quiet the market is. */
int64_t feed_wait_ns(const struct feed *self, struct now now);

/* Someone subscribed to a prefix: every topic's last message under it goes out again, each at most once per
 * 100 ms; bounded per call, the rest follows by feed_publish. Who subscribes on and on gets, after the first two rounds,
 * all topics in two seconds and no faster: each repetition goes to every subscriber. */
void feed_on_subscription(struct feed *self, const char *prefix, size_t len, struct now now);

void feed_status(const struct feed *self,
                 struct reply *reply); /* instruments, books_live, books_stale, messages, ... */

/* How a book stands. Times are market time; silence counts as STALE. */
struct book_status {
    const char *symbol, *venue;
    enum book_state state;
    enum stale_reason reason;
    uint64_t seq, venue_seq; /* of the last message on its topic; of the venue, 0 = it has none */
    int64_t age_ns;          /* since it changed last */
    int64_t messages_per_s;  /* books, best prices and trades that came, over the last two seconds or more */
    uint64_t messages, gaps, resyncs, checksums;
    int64_t stale_ns; /* all together since it was LIVE first; also while it lasts */
};

bool feed_book_status(const struct feed *self, uint64_t index, struct now now, struct book_status *out);

/* The same as an answer to VERB_BOOK: text "SYMBOL VENUE STATE REASON". CONTROL_REFUSED: there are not so many. */
enum control_code feed_page(const struct feed *self, uint64_t number, struct reply *reply, struct now now);

/* How far the venue's clock runs ahead of ours: the greatest difference of a message's venue time to its receipt within
 * the last one to two minutes, for that message was the fastest on its way. So the way of the fastest is missing in it,
 * and it is never used for an age. 0 = not known. */
int64_t feed_clock_offset_ns(const struct feed *self, const char *venue);

#endif
