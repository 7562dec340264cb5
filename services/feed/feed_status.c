/* What the feed counts of its books and venues, and how it tells it. */
#include <stdio.h>
#include <string.h>

#include "lib/runtime/metric.h"
#include "services/feed/feed_inside.h"

#define OFFSET_SPAN_NS (60 * NS_PER_SEC)
#define RATE_SPAN_NS   (2 * NS_PER_SEC)

enum book_state feed_state(const struct channel *c)
{
    return c->silent ? BOOK_STALE : l2_book_state(c->book->book);
}

enum stale_reason feed_reason(const struct channel *c)
{
    return c->silent && l2_book_state(c->book->book) == BOOK_LIVE ? STALE_SILENT
                                                                  : l2_book_reason(c->book->book);
}

/* ---- counting --------------------------------------------------------------------------------------- */

static void note_offset(struct venue_state_seen *venue, int64_t ahead_ns, int64_t recv_ns)
{
    if (recv_ns - venue->span_ns >= OFFSET_SPAN_NS || recv_ns < venue->span_ns) {
        venue->ahead_before_ns = venue->ahead_ns;
        venue->ahead_before_known = venue->ahead_known && recv_ns - venue->span_ns < 2 * OFFSET_SPAN_NS;
        venue->ahead_known = false;
        venue->span_ns = recv_ns;
    }
    if (!venue->ahead_known || ahead_ns > venue->ahead_ns)
        venue->ahead_ns = ahead_ns;
    venue->ahead_known = true;
}

void feed_count_change(struct channel *c, int64_t venue_time, int64_t recv_ns)
{
    c->messages++;
    if (venue_time > 0 && recv_ns > 0)
        note_offset(c->venue, venue_time - recv_ns, recv_ns);
}

void feed_count_state(struct channel *c, struct now now)
{
    if (feed_state(c) == BOOK_LIVE) {
        if (c->stale_since_ns && now.market_ns > c->stale_since_ns)
            c->stale_ns += now.market_ns - c->stale_since_ns;
        c->stale_since_ns = 0;
        c->was_live = true;
    } else if (c->was_live && !c->stale_since_ns) {
        c->stale_since_ns = now.market_ns;
    }
}

void feed_count_rates(struct channel *c, struct now now)
{
    int64_t span_ns = now.mono_ns - c->rate_ns;
    if (span_ns < RATE_SPAN_NS)
        return;
    if (c->rate_ns)
        c->rate_per_s = (int64_t)(c->messages - c->rate_messages) * NS_PER_SEC / span_ns;
    c->rate_messages = c->messages;
    c->rate_ns = now.mono_ns;
}

/* ---- telling ---------------------------------------------------------------------------------------- */

static int64_t stale_so_far(const struct channel *c, struct now now)
{
    int64_t lasting = c->stale_since_ns ? now.market_ns - c->stale_since_ns : 0;
    return c->stale_ns + (lasting > 0 ? lasting : 0);
}

int64_t feed_stale_ns(const struct feed *self, const char *venue, struct now now)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < table_count(self->names); i++)
        if (strcmp(self->channels[i].venue->name, venue) == 0)
            sum += stale_so_far(&self->channels[i], now);
    return sum;
}

void feed_count_books(const struct feed *self, const char *venue, uint32_t *live, uint32_t *stale)
{
    *live = *stale = 0;
    for (uint32_t i = 0; i < table_count(self->names); i++) {
        const struct channel *c = &self->channels[i];
        if (venue && strcmp(c->book->inst.venue, venue) != 0)
            continue;
        if (feed_state(c) == BOOK_LIVE)
            (*live)++;
        else
            (*stale)++;
    }
}

int64_t feed_clock_offset_ns(const struct feed *self, const char *venue)
{
    for (uint32_t i = 0; i < self->n_venues; i++) {
        const struct venue_state_seen *v = &self->venues[i];
        if (strcmp(v->name, venue) != 0)
            continue;
        if (!v->ahead_known)
            return v->ahead_before_known ? v->ahead_before_ns : 0;
        return v->ahead_before_known && v->ahead_before_ns > v->ahead_ns ? v->ahead_before_ns : v->ahead_ns;
    }
    return 0;
}

bool feed_book_status(const struct feed *self, uint64_t index, struct now now, struct book_status *out)
{
    if (index >= table_count(self->names))
        return false;
    const struct channel *c = &self->channels[index];
    *out = (struct book_status){.symbol = c->book->inst.symbol,
                                .venue = c->book->inst.venue,
                                .state = feed_state(c),
                                .reason = feed_reason(c),
                                .seq = c->topic[KIND_BOOK].seq,
                                .venue_seq = c->book->venue_seq,
                                .age_ns = now.market_ns > c->changed_ns ? now.market_ns - c->changed_ns : 0,
                                .messages_per_s = c->rate_per_s,
                                .messages = c->messages,
                                .gaps = c->book->gaps,
                                .resyncs = c->book->resyncs,
                                .checksums = c->book->checksums,
                                .stale_ns = stale_so_far(c, now)};
    return true;
}

enum control_code feed_page(const struct feed *self, uint64_t number, struct reply *reply, struct now now)
{
    struct book_status b;
    if (!feed_book_status(self, number, now, &b))
        return CONTROL_REFUSED;
    (void)snprintf(reply->text, sizeof reply->text, "%s %s %s %s", b.symbol, b.venue,
                   book_state_text(b.state), stale_reason_text(b.reason));
    status_metric(reply, "seq", (int64_t)b.seq);
    status_metric(reply, "venue_seq", (int64_t)b.venue_seq);
    status_metric(reply, "age_us", b.age_ns / NS_PER_US);
    status_metric(reply, "messages_per_s", b.messages_per_s);
    status_metric(reply, "messages", (int64_t)b.messages);
    status_metric(reply, "gaps", (int64_t)b.gaps);
    status_metric(reply, "resyncs", (int64_t)b.resyncs);
    status_metric(reply, "checksums", (int64_t)b.checksums);
    status_metric(reply, "stale_us", b.stale_ns / NS_PER_US);
    return CONTROL_DONE;
}

void feed_status(const struct feed *self, struct reply *reply)
{
    uint32_t live, stale;
    feed_count_books(self, NULL, &live, &stale);
    status_metric(reply, "instruments", (int64_t)table_count(self->names));
    status_metric(reply, "books_live", (int64_t)live);
    status_metric(reply, "books_stale", (int64_t)stale);
    status_metric(reply, "messages_published", (int64_t)self->published);
    status_metric(reply, "books_published", (int64_t)(self->books + self->bests));
    status_metric(reply, "trades_published", (int64_t)self->trades);
    status_metric(reply, "messages_repeated", (int64_t)self->repeated);
    status_metric(reply, "silences", (int64_t)self->silences);
    status_metric(reply, "messages_refused", (int64_t)self->refused);
}
