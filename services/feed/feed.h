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
void feed_on_venue(struct feed *self, const char *venue, enum venue_state state, const char *detail,
                   const struct market_counters *counters, struct now now, struct outbox *out);

/* Publishes each touched topic once, instruments before books; at most OUTBOX_PER_INPUT_MAX messages a call: call
 * again while it returns true. */
bool feed_publish(struct feed *self, struct now now, struct outbox *out);

/* Beats every 250 ms of local time; quiet topics again once after 250 ms, then every 5 s; silent books STALE. */
void feed_on_time(struct feed *self, struct now now, struct outbox *out);

/* Someone subscribed to a prefix: every topic's last message under it goes out again, each at most once per
 * 100 ms; bounded per call, the rest follows by feed_publish. */
void feed_on_subscription(struct feed *self, const char *prefix, size_t len, struct now now);

void feed_status(const struct feed *self,
                 struct reply *reply); /* instruments, books_live, books_stale, messages, ... */

#endif
