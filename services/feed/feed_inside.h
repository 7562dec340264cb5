/* The parts of the feed's core. Inside feed*.c only. */
#ifndef SLUICE_SERVICES_FEED_INSIDE_H
#define SLUICE_SERVICES_FEED_INSIDE_H

#include "lib/base/table.h"
#include "proto/topic.h"
#include "services/feed/feed.h"

enum { VENUES_MAX = 16, KEY_MAX = 64 };

enum kind { KIND_INST, KIND_BOOK, KIND_BBO, KIND_COUNT };

struct venue_state_seen;

/* One topic: its last message, and what is to be done with it. */
struct topic {
    char name[TOPIC_MAX];
    size_t len;
    uint64_t seq;         /* of the last message; 0 = none was published */
    bool touched;         /* a new message is due */
    bool again;           /* the last one is due again, under the same seq */
    bool wanted;          /* a new subscriber waits for it */
    bool quiet;           /* it was repeated once since it went quiet */
    int64_t sent_mono_ns; /* last time it went out */
};

/* One instrument at one venue. Books are read from the venue's own store when they are published, so that
 * many changes between two publications cost one. */
struct channel {
    const struct venue_book *book;
    struct inst inst;
    struct bbo bbo;
    struct topic topic[KIND_COUNT];
    struct trace book_trace, bbo_trace;
    int64_t changed_ns; /* market time of the last change of the book */
    bool silent;        /* nothing came for too long: STALE until something comes */
    bool queued;
    uint64_t trade_seq;
    struct venue_state_seen *venue;
    uint64_t messages;     /* books, best prices and trades that came */
    uint64_t rate_messages; /* of these, up to rate_ns */
    int64_t rate_ns, rate_per_s;
    bool was_live;
    int64_t stale_since_ns, stale_ns; /* market time; since it was LIVE first */
};

struct venue_state_seen {
    char name[16];
    enum venue_state state;
    uint64_t seq, beat_seq;
    /* The venue's time less the receipt, the greatest of this span and of the one before it. */
    int64_t ahead_ns, ahead_before_ns, span_ns;
    bool ahead_known, ahead_before_known;
};

struct feed {
    const struct config *config;
    uint64_t epoch, boot_id;
    bool stamp_market_time;
    struct table *names; /* "SYMBOL@VENUE" -> channel */
    struct channel *channels;
    uint32_t capacity;
    uint32_t *queue; /* channels with something due, in order of their first touch */
    uint32_t n_queue;
    uint32_t n_wanted;
    uint32_t *sorted; /* topics by name, each as channel * KIND_COUNT + kind: a prefix is a stretch of them */
    uint32_t n_sorted;
    uint32_t answer_next;     /* place in sorted: who wants something is answered in turn */
    int64_t answered_mono_ns; /* when it was last looked through for that */
    int64_t repeats_ns;       /* time's worth of repetitions that may be made, as of repeats_mono_ns */
    int64_t repeats_mono_ns;
    struct venue_state_seen venues[VENUES_MAX];
    uint32_t n_venues;
    int64_t beat_mono_ns;
    uint64_t published, books, bests, trades, repeated, silences, refused;
};

/* The book's state as it is published. */
enum book_state feed_state(const struct channel *c);
enum stale_reason feed_reason(const struct channel *c);

/* feed_status.c: what is counted while changes come. */
void feed_count_change(struct channel *c, int64_t venue_time, int64_t recv_ns);
void feed_count_state(struct channel *c, struct now now);
void feed_count_rates(struct channel *c, struct now now);
void feed_count_books(const struct feed *self, const char *venue, uint32_t *live, uint32_t *stale);
int64_t feed_stale_ns(const struct feed *self, const char *venue, struct now now);

#endif
