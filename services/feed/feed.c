#include "services/feed/feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "services/feed/feed_inside.h"

#define BEAT_NS         (250 * NS_PER_MS)
#define QUIET_FIRST_NS  (250 * NS_PER_MS)
#define QUIET_REPEAT_NS (5 * NS_PER_SEC)
#define RESEND_NS       (100 * NS_PER_MS) /* least distance of two repetitions for new subscribers */
#define ANSWER_NS       (2 * NS_PER_MS)   /* least distance of two looks for who waits for one */
#define REPEAT_ALL_NS   (2 * NS_PER_SEC)  /* in which every topic may be repeated once for them, on average */

static const char *const kinds[KIND_COUNT] = {"inst", "book", "bbo"};

struct feed *feed_new(const struct feed_options *options)
{
    struct feed *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->config = options->config;
    self->epoch = options->epoch;
    self->boot_id = options->boot_id;
    self->stamp_market_time = options->stamp_market_time;
    self->capacity = options->instruments;
    self->names = table_new(options->instruments, KEY_MAX);
    self->channels = calloc(options->instruments, sizeof *self->channels);
    self->queue = calloc(options->instruments, sizeof *self->queue);
    self->sorted = calloc((size_t)options->instruments * KIND_COUNT, sizeof *self->sorted);
    if (!self->names || !self->channels || !self->queue || !self->sorted)
        feed_destroy(&self);
    return self;
}

void feed_destroy(struct feed **self)
{
    struct feed *f = *self;
    if (f) {
        table_destroy(&f->names);
        free(f->channels);
        free(f->queue);
        free(f->sorted);
        free(f);
    }
    *self = NULL;
}

/* ---- what changed
 * -------------------------------------------------------------------------------------------------- */

static struct venue_state_seen *venue_seen(struct feed *self, const char *name)
{
    for (uint32_t i = 0; i < self->n_venues; i++)
        if (strcmp(self->venues[i].name, name) == 0)
            return &self->venues[i];
    if (self->n_venues == VENUES_MAX ||
        !text_set(self->venues[self->n_venues].name, sizeof self->venues->name, name))
        return NULL;
    self->venues[self->n_venues].state = VENUE_UP;
    return &self->venues[self->n_venues++];
}

static struct topic *topic_at(const struct feed *self, uint32_t place)
{
    uint32_t number = self->sorted[place];
    return &self->channels[number / KIND_COUNT].topic[number % KIND_COUNT];
}

static int against(const struct topic *t, const char *prefix, size_t len)
{
    int order = memcmp(t->name, prefix, len < t->len ? len : t->len);
    return order != 0 ? order : t->len < len ? -1 : 0;
}

/* Place of the first topic that is not before the prefix. */
static uint32_t first_of(const struct feed *self, const char *prefix, size_t len)
{
    uint32_t low = 0, high = self->n_sorted;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (against(topic_at(self, middle), prefix, len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void sort_in(struct feed *self, const struct channel *c, int kind)
{
    uint32_t place = first_of(self, c->topic[kind].name, c->topic[kind].len);
    memmove(self->sorted + place + 1, self->sorted + place, (self->n_sorted - place) * sizeof *self->sorted);
    self->sorted[place] = (uint32_t)(c - self->channels) * KIND_COUNT + (uint32_t)kind;
    self->n_sorted++;
}

static struct channel *channel_of(struct feed *self, const char *venue, const struct venue_book *book)
{
    char key[KEY_MAX];
    if (!*book->inst.symbol) { /* a name that nobody can split into two currencies */
        self->refused++;
        return NULL;
    }
    int len = snprintf(key, sizeof key, "%s@%s", book->inst.symbol, venue);
    int index = table_intern(self->names, key, (size_t)len);
    struct venue_state_seen *seen = venue_seen(self, venue);
    if (index < 0 || !seen) {
        self->refused++;
        return NULL;
    }
    struct channel *c = &self->channels[index];
    for (int kind = 0; !c->book && kind < KIND_COUNT; kind++) { /* it is new */
        c->topic[kind].len = topic_make(kinds[kind], book->inst.symbol, venue, c->topic[kind].name);
        sort_in(self, c, kind);
    }
    c->book = book;
    c->venue = seen;
    return c;
}

static void queue(struct feed *self, struct channel *c)
{
    if (!c->queued) {
        c->queued = true;
        self->queue[self->n_queue++] = (uint32_t)(c - self->channels);
    }
}

static struct trace stamped(const struct feed *self, int64_t venue_time, struct now now)
{
    return (struct trace){.venue_time = venue_time,
                          .recv_utc = self->stamp_market_time ? now.market_ns : now.utc_ns,
                          .recv_mono = self->stamp_market_time ? now.market_ns : now.mono_ns,
                          .boot_id = self->boot_id};
}

/* The config's fees replace the venue's. */
static void set_fees(const struct feed *self, struct inst *inst)
{
    for (uint32_t i = 0; i < self->config->n_fees; i++) {
        const struct config_fees *fee = &self->config->fees[i];
        if (strcmp(fee->venue, "*") == 0 || strcmp(fee->venue, inst->venue) == 0) {
            inst->taker_bps = fee->taker_bps;
            inst->maker_bps = fee->maker_bps;
            return;
        }
    }
}

/* Steps that nobody has told are those of the finest text seen: finer orders would be guesses. */
static void set_steps(struct inst *inst)
{
    if (inst->tick.m == 0)
        inst->tick = (struct dec){1, inst->price_exp};
    if (inst->lot.m == 0)
        inst->lot = (struct dec){1, inst->qty_exp};
}

void feed_on_instrument(struct feed *self, const char *venue, const struct venue_book *book, struct now now)
{
    struct channel *c = channel_of(self, venue, book);
    if (!c)
        return;
    c->inst = book->inst;
    if (!c->changed_ns)
        c->changed_ns = now.market_ns;
    set_fees(self, &c->inst);
    set_steps(&c->inst);
    c->topic[KIND_INST].touched = true;
    queue(self, c);
}

void feed_on_book(struct feed *self, const char *venue, const struct venue_book *book, struct now now)
{
    struct channel *c = channel_of(self, venue, book);
    if (!c)
        return;
    c->changed_ns = now.market_ns;
    c->silent = false;
    feed_count_change(c, book->venue_time, book->recv_ns);
    feed_count_state(c, now);
    c->book_trace = stamped(self, book->venue_time, now);
    c->topic[KIND_BOOK].touched = true;
    queue(self, c);
}

void feed_on_best(struct feed *self, const char *venue, const struct venue_book *book, const struct bbo *bbo,
                  struct now now)
{
    struct channel *c = channel_of(self, venue, book);
    if (!c)
        return;
    feed_count_change(c, bbo->venue_time, bbo->recv_time);
    c->bbo_trace = stamped(self, bbo->venue_time, now);
    c->bbo = *bbo;
    c->bbo.recv_mono = c->bbo_trace.recv_mono;
    c->topic[KIND_BBO].touched = true;
    queue(self, c);
}

/* ---- messages
 * -------------------------------------------------------------------------------------------------------- */

static struct message *market_message(struct feed *self, enum message_type type, uint64_t seq, struct now now,
                                      struct outbox *out)
{
    struct message *m = outbox_message(out, type);
    memcpy(m->env.stream, "market", sizeof "market");
    m->env.epoch = self->epoch;
    m->env.seq = seq;
    m->env.time_out = now.utc_ns;
    outbox_add(out, EFFECT_PUBLISH, m, PEER_NONE);
    self->published++;
    return m;
}

void feed_on_trade(struct feed *self, const char *venue, const struct venue_book *book,
                   const struct trade *trade, struct now now, struct outbox *out)
{
    struct channel *c = channel_of(self, venue, book);
    if (!c)
        return;
    feed_count_change(c, trade->venue_time, trade->recv_time);
    struct message *m = market_message(self, MSG_TRADE, ++c->trade_seq, now, out);
    m->trade = *trade;
    m->env.trace = stamped(self, trade->venue_time, now);
    self->trades++;
}

void feed_on_venue(struct feed *self, const struct venue_report *report, struct now now, struct outbox *out)
{
    struct venue_state_seen *seen = venue_seen(self, report->venue);
    if (!seen)
        return;
    seen->state = report->state;
    struct message *m = market_message(self, MSG_VENUE, ++seen->seq, now, out);
    const struct market_counters *counters = report->counters;
    (void)text_set(m->venue.venue, sizeof m->venue.venue, report->venue);
    m->venue.state = report->state;
    (void)snprintf(m->venue.detail, sizeof m->venue.detail, "%s", report->detail);
    m->venue.market_time = now.market_ns;
    m->venue.messages = counters->frames;
    m->venue.malformed = counters->malformed;
    m->venue.gaps = counters->gaps;
    m->venue.resyncs = counters->resyncs;
    m->venue.checksums = counters->checksums;
    m->venue.connections = report->connections;
    m->venue.connections_up = report->connections_up;
    m->venue.reconnects = report->reconnects;
    m->venue.rest_weight = report->rest_weight;
    m->venue.clock_offset_ns = feed_clock_offset_ns(self, report->venue);
    m->venue.stale_ns = feed_stale_ns(self, report->venue, now);
    feed_count_books(self, report->venue, &m->venue.books_live, &m->venue.books_stale);
}

static void write_inst(struct feed *self, struct channel *c, struct now now, struct outbox *out)
{
    struct message *m = market_message(self, MSG_INST, c->topic[KIND_INST].seq, now, out);
    m->inst = c->inst;
}

static void write_book(struct feed *self, struct channel *c, struct now now, struct outbox *out)
{
    struct message *m = market_message(self, MSG_BOOK, c->topic[KIND_BOOK].seq, now, out);
    struct book *b = &m->book;
    l2_book_top(c->book->book, (uint32_t)self->config->feed.depth, b);
    memcpy(b->symbol, c->book->inst.symbol, sizeof b->symbol);
    memcpy(b->venue, c->book->inst.venue, sizeof b->venue);
    b->venue_seq = c->book->venue_seq;
    b->venue_time = c->book->venue_time;
    b->recv_time = c->book->recv_ns;
    b->recv_mono = c->book_trace.recv_mono;
    b->state = feed_state(c);
    b->reason = feed_reason(c);
    m->env.trace = c->book_trace;
    self->books++;
}

static void write_bbo(struct feed *self, struct channel *c, struct now now, struct outbox *out)
{
    struct message *m = market_message(self, MSG_BBO, c->topic[KIND_BBO].seq, now, out);
    m->bbo = c->bbo;
    m->env.trace = c->bbo_trace;
    self->bests++;
}

/* The instrument goes before what needs it, the best price after the book that it may be newer than. */
static void publish_channel(struct feed *self, struct channel *c, struct now now, struct outbox *out)
{
    static void (*const write[KIND_COUNT])(struct feed *, struct channel *, struct now,
                                           struct outbox *) = {write_inst, write_book, write_bbo};
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        struct topic *t = &c->topic[kind];
        if (!t->touched && !(t->again && t->seq > 0))
            continue;
        const bool anew = t->touched;
        t->seq += anew;
        self->repeated += !anew;
        t->quiet = t->quiet && !t->touched;
        self->n_wanted -= t->wanted;
        t->touched = t->again = t->wanted = false;
        t->sent_mono_ns = now.mono_ns;
        write[kind](self, c, now, out);
        struct message *m = &out->messages[out->n_messages - 1];
        if (!anew && !(kind == KIND_BOOK && m->book.state == BOOK_STALE)) /* no tick; that it is STALE may be news */
            m->env.trace = (struct trace){0};
    }
}

bool feed_publish(struct feed *self, struct now now, struct outbox *out)
{
    uint32_t done = 0;
    while (done < self->n_queue && (done + 1) * KIND_COUNT <= OUTBOX_PER_INPUT_MAX) {
        struct channel *c = &self->channels[self->queue[done++]];
        c->queued = false;
        publish_channel(self, c, now, out);
    }
    self->n_queue -= done;
    memmove(self->queue, self->queue + done, self->n_queue * sizeof *self->queue);
    return self->n_queue > 0;
}

/* ---- time
 * -------------------------------------------------------------------------------------------------------------
 */

static void send_beats(struct feed *self, struct now now, struct outbox *out)
{
    for (uint32_t i = 0; i < self->n_venues; i++) {
        struct message *m = market_message(self, MSG_BEAT, ++self->venues[i].beat_seq, now, out);
        (void)text_set(m->beat.source, sizeof m->beat.source, self->venues[i].name);
        m->beat.alive = self->venues[i].state == VENUE_UP;
        m->beat.market_time = now.market_ns;
    }
}

/* A late joiner or a subscriber that lost the last message of a topic gets it without asking. */
static void repeat_quiet(struct feed *self, struct channel *c, struct now now)
{
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        struct topic *t = &c->topic[kind];
        int64_t after_ns = t->quiet ? QUIET_REPEAT_NS : QUIET_FIRST_NS;
        if (t->seq > 0 && now.mono_ns - t->sent_mono_ns >= after_ns) {
            t->again = t->quiet = true;
            queue(self, c);
        }
    }
}

static void watch_silence(struct feed *self, struct channel *c, struct now now)
{
    if (c->silent || now.market_ns - c->changed_ns < self->config->feed.silence_ms * NS_PER_MS ||
        l2_book_state(c->book->book) != BOOK_LIVE)
        return;
    c->silent = true;
    feed_count_state(c, now);
    c->book_trace =
        stamped(self, c->book->venue_time, now); /* when it was found, not when it was last right */
    c->topic[KIND_BOOK].touched = true;
    self->silences++;
    queue(self, c);
}

/* All topics twice at once, and then all of them in REPEAT_ALL_NS: who subscribes again and again takes no more than that
 * of the others' time. */
static void make_room_for_repeats(struct feed *self, struct now now)
{
    int64_t room = 2 * REPEAT_ALL_NS;
    self->repeats_ns += now.mono_ns - self->repeats_mono_ns;
    self->repeats_mono_ns = now.mono_ns;
    if (self->repeats_ns > room)
        self->repeats_ns = room;
}

/* In turn, from where it came to last. */
static void answer_wanted(struct feed *self, struct now now)
{
    int64_t cost_ns = REPEAT_ALL_NS / (self->n_sorted ? self->n_sorted : 1);
    make_room_for_repeats(self, now);
    self->answered_mono_ns = now.mono_ns;
    for (uint32_t i = 0; i < self->n_sorted && self->repeats_ns >= cost_ns; i++) {
        uint32_t place = self->answer_next < self->n_sorted ? self->answer_next : 0;
        struct topic *t = topic_at(self, place);
        self->answer_next = place + 1;
        if (!t->wanted || t->again || now.mono_ns - t->sent_mono_ns < RESEND_NS)
            continue;
        t->again = true;
        self->repeats_ns -= cost_ns;
        queue(self, &self->channels[self->sorted[place] / KIND_COUNT]);
    }
}

void feed_on_time(struct feed *self, struct now now, struct outbox *out)
{
    if (self->n_wanted > 0 && now.mono_ns - self->answered_mono_ns >= ANSWER_NS)
        answer_wanted(self, now);
    if (now.mono_ns - self->beat_mono_ns < BEAT_NS)
        return;
    self->beat_mono_ns = now.mono_ns;
    send_beats(self, now, out);
    for (uint32_t i = 0; i < table_count(self->names); i++) {
        watch_silence(self, &self->channels[i], now);
        feed_count_rates(&self->channels[i], now);
        repeat_quiet(self, &self->channels[i], now);
    }
}

int64_t feed_wait_ns(const struct feed *self, struct now now)
{
    int64_t wait_ns = self->beat_mono_ns + BEAT_NS - now.mono_ns;
    if (self->n_wanted > 0 && wait_ns > RESEND_NS / 2)
        wait_ns = RESEND_NS / 2;
    return wait_ns > 0 ? wait_ns : 0;
}

void feed_on_subscription(struct feed *self, const char *prefix, size_t len, struct now now)
{
    uint32_t wanted = self->n_wanted;
    if (wanted == self->n_sorted)
        return; /* everything is on its way already */
    for (uint32_t place = first_of(self, prefix, len); place < self->n_sorted; place++) {
        struct topic *t = topic_at(self, place);
        if (t->len < len || memcmp(t->name, prefix, len) != 0)
            break;
        if (t->seq == 0 || t->wanted)
            continue;
        t->wanted = true;
        self->n_wanted++;
    }
    if (self->n_wanted > wanted)
        answer_wanted(self, now);
}
