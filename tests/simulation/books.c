/* Books are right or STALE, from the market to the gate: what each process has taken from its market socket is counted
 * here anew, and compared with what its view says after each wake-up; what the gate accepts, with what it had taken
 * when it took the intent.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/table.h"
#include "lib/market/view.h"
#include "tests/simulation/simulation.h"

enum { BOOKS_MOST = 16, VENUES_MOST = 4, INTENTS_MOST = 16384 };

/* A book as a process has it by the messages it has taken. */
struct heard {
    char symbol[32], venue[16];
    uint64_t epoch, seq, venue_seq;
    int64_t mono_ns, market_ns;
    bool said_live;
    bool awaited; /* STALE here, whatever was said before, until it comes again */
    struct {
        uint64_t seq, venue_seq;
        int64_t mono_ns, market_ns;
    } best;
};

struct heard_venue {
    char name[24];
    int64_t beat_ns;
    bool late;
};

static struct hearer {
    const struct view *view;
    int64_t now_ns; /* of its wake-up */
    int64_t market_ns;
    uint64_t epoch; /* of the feed */
    struct heard books[BOOKS_MOST];
    struct heard_venue venues[VENUES_MOST];
    int n_books, n_venues;
} hearers[PROCESSES_MAX];

static struct message message;

/* ---- what a process has taken ---------------------------------------------------------------------------------- */

void books_process_began(const struct process *p)
{
    memset(&hearers[p->number], 0, sizeof hearers[p->number]);
}

static struct heard *heard_find(struct hearer *h, const char *symbol, const char *venue)
{
    for (int i = 0; i < h->n_books; i++)
        if (strcmp(h->books[i].symbol, symbol) == 0 && strcmp(h->books[i].venue, venue) == 0)
            return &h->books[i];
    return NULL;
}

static struct heard *heard_of(struct hearer *h, const char *symbol, const char *venue)
{
    struct heard *found = heard_find(h, symbol, venue);
    if (found)
        return found;
    if (h->n_books == BOOKS_MOST)
        violated("more books than the simulation has room for");
    struct heard *b = &h->books[h->n_books++];
    *b = (struct heard){.awaited = true};
    (void)snprintf(b->symbol, sizeof b->symbol, "%s", symbol);
    (void)snprintf(b->venue, sizeof b->venue, "%s", venue);
    return b;
}

static struct heard_venue *heard_venue_of(struct hearer *h, const char *name)
{
    for (int i = 0; i < h->n_venues; i++)
        if (strcmp(h->venues[i].name, name) == 0)
            return &h->venues[i];
    if (h->n_venues == VENUES_MOST)
        violated("more venues than the simulation has room for");
    struct heard_venue *v = &h->venues[h->n_venues++];
    *v = (struct heard_venue){.beat_ns = h->now_ns};
    (void)snprintf(v->name, sizeof v->name, "%s", name);
    return v;
}

static void await(struct hearer *h, const char *venue)
{
    for (int i = 0; i < h->n_books; i++)
        if (!venue || strcmp(h->books[i].venue, venue) == 0)
            h->books[i].awaited = true;
}

static void find_late(struct hearer *h, int64_t now_ns)
{
    for (int i = 0; i < h->n_venues; i++) {
        struct heard_venue *v = &h->venues[i];
        if (v->late || now_ns - v->beat_ns <= BEAT_LATE_NS)
            continue;
        v->late = true;
        await(h, v->name);
    }
}

static void hear_book(struct hearer *h, const struct message *m)
{
    const struct book *book = &m->book;
    struct heard *b = heard_of(h, book->symbol, book->venue);
    if (m->env.seq < b->seq)
        return;
    b->epoch = m->env.epoch;
    b->seq = m->env.seq;
    b->venue_seq = book->venue_seq;
    b->mono_ns = book->recv_mono;
    b->market_ns = book->recv_time;
    b->said_live = book->state == BOOK_LIVE;
    b->awaited = heard_venue_of(h, book->venue)->late;
}

static void hear_best(struct hearer *h, const struct message *m)
{
    struct heard *b = heard_of(h, m->bbo.symbol, m->bbo.venue);
    (void)heard_venue_of(h, m->bbo.venue);
    if (m->env.seq <= b->best.seq)
        return;
    b->best.seq = m->env.seq;
    b->best.venue_seq = m->bbo.venue_seq;
    b->best.mono_ns = m->bbo.recv_mono;
    b->best.market_ns = m->bbo.recv_time;
}

static void hear_beat(struct hearer *h, const struct message *m)
{
    struct heard_venue *v = heard_venue_of(h, m->beat.source);
    if (!m->beat.alive)
        await(h, m->beat.source);
    v->beat_ns = h->now_ns;
    v->late = false;
}

/* Receipt of the newest that is known of its best prices. */
static void receipt_of(const struct heard *b, int64_t *mono_ns, int64_t *market_ns)
{
    const bool comparable = b->best.venue_seq != 0 && b->venue_seq != 0;
    const bool newer = b->best.market_ns != 0 &&
                       (comparable ? b->best.venue_seq > b->venue_seq : b->best.market_ns > b->market_ns);
    *mono_ns = newer ? b->best.mono_ns : b->mono_ns;
    *market_ns = newer ? b->best.market_ns : b->market_ns;
}

/* false: of a past life of the feed */
static bool hear_epoch(struct hearer *h, uint64_t epoch)
{
    if (epoch < h->epoch)
        return false;
    if (epoch == h->epoch)
        return true;
    h->epoch = epoch;
    for (int i = 0; i < h->n_books; i++) {
        h->books[i].awaited = true;
        h->books[i].seq = 0;
        /* what was known stays known, and is as old as it is */
        receipt_of(&h->books[i], &h->books[i].mono_ns, &h->books[i].market_ns);
        memset(&h->books[i].best, 0, sizeof h->books[i].best);
    }
    return true;
}

static void hear_time(struct hearer *h, int64_t market_ns)
{
    if (market_ns > h->market_ns)
        h->market_ns = market_ns;
}

void books_heard(const struct process *p, const void *bytes, size_t len)
{
    struct hearer *h = &hearers[p->number];
    watch_decode(bytes, len, &message);
    const struct message *m = &message;
    if (!h->view || m->env.type == MSG_PACE || !hear_epoch(h, m->env.epoch))
        return;
    find_late(h, h->now_ns);
    switch (m->env.type) {
    case MSG_BOOK:
        hear_time(h, m->book.recv_time);
        hear_book(h, m);
        return;
    case MSG_BBO:
        hear_time(h, m->bbo.recv_time);
        hear_best(h, m);
        return;
    case MSG_TRADE:
        hear_time(h, m->trade.recv_time);
        return;
    case MSG_BEAT:
        hear_time(h, m->beat.market_time);
        hear_beat(h, m);
        return;
    case MSG_INST:
        (void)heard_venue_of(h, m->inst.venue);
        return;
    case MSG_VENUE:
        (void)heard_venue_of(h, m->venue.venue);
        if (m->venue.state == VENUE_DOWN)
            await(h, m->venue.venue);
        return;
    default:
        return;
    }
}

/* What came of it before it was no longer subscribed to may be of any age. */
void books_subscribed(const struct process *p, const char *prefix)
{
    struct hearer *h = &hearers[p->number];
    for (int i = 0; i < h->n_books; i++) {
        char topic[80];
        (void)snprintf(topic, sizeof topic, "book.%s.%s.", h->books[i].symbol, h->books[i].venue);
        if (strcmp(topic, prefix) == 0)
            h->books[i].awaited = true;
    }
}

static bool is_right(const struct heard *b)
{
    return b && b->said_live && !b->awaited;
}

/* ---- and what its view says ------------------------------------------------------------------------------------ */

struct view *__real_view_new(uint32_t instruments, int64_t beat_late_ns);
struct view *__wrap_view_new(uint32_t instruments, int64_t beat_late_ns);
struct view *__wrap_view_new(uint32_t instruments, int64_t beat_late_ns)
{
    struct view *view = __real_view_new(instruments, beat_late_ns);
    const struct process *p = process_running();
    if (p)
        hearers[p->number].view = view;
    return view;
}

const struct view *books_view(const struct process *p)
{
    return hearers[p->number].view;
}

void books_wake(int64_t now_ns)
{
    const struct process *p = process_running();
    if (p)
        hearers[p->number].now_ns = now_ns;
}

static void compare(struct hearer *h, const struct quote *q, const char *whose)
{
    const struct heard *b = heard_find(h, q->symbol, q->venue);
    int64_t mono_ns, market_ns;
    if (quote_live(q) != is_right(b))
        violated("%s of %s is %s (%s) at %s: by what it has taken, up to %" PRIu64 "/%" PRIu64
                 " (%s%s), it is %s",
                 q->symbol, q->venue, book_state_text(q->state), stale_reason_text(q->reason), whose,
                 b ? b->epoch : 0, b ? b->seq : 0,
                 !b             ? "nothing"
                 : b->said_live ? "LIVE"
                                : "STALE",
                 b && b->awaited ? ", awaited again" : "", is_right(b) ? "LIVE" : "STALE");
    if (!quote_live(q))
        return;
    receipt_of(b, &mono_ns, &market_ns);
    if (q->book.recv_mono != mono_ns || q->book.recv_time != market_ns)
        violated("%s of %s is of another time at %s than what it has taken: by %" PRId64 " ns, %" PRId64
                 " ns of market time",
                 q->symbol, q->venue, whose, q->book.recv_mono - mono_ns, q->book.recv_time - market_ns);
}

void books_compare(void)
{
    const struct process *p = process_running();
    struct hearer *h = p ? &hearers[p->number] : NULL;
    if (!h || !h->view)
        return;
    find_late(h, h->now_ns);
    for (uint32_t i = 0; i < view_count(h->view); i++)
        compare(h, view_at(h->view, i), p->name);
}

/* ---- what the gate accepts ------------------------------------------------------------------------------------- */

/* An intent at the time the gate took it; one that came twice was fit if it was so once. */
static struct taken {
    bool entry_fits, exit_fits;
    char why[160];
} taken[INTENTS_MOST];
static struct table *taken_names;

static int intent_number(uint64_t incarnation, uint64_t id, bool make)
{
    char key[48];
    const int len = snprintf(key, sizeof key, "%" PRIx64 " %" PRIu64, incarnation, id);
    if (!taken_names && !(taken_names = table_new(INTENTS_MOST, 40)))
        violated("out of memory");
    return make ? table_intern(taken_names, key, (size_t)len) : table_find(taken_names, key, (size_t)len);
}

static void judge_leg(struct hearer *h, const struct intent_leg *leg, struct taken *t)
{
    const struct heard *b = heard_find(h, leg->symbol, leg->venue);
    int64_t mono_ns = 0, market_ns = 0;
    if (b)
        receipt_of(b, &mono_ns, &market_ns);
    const int64_t age_ns = world.mono_ns - mono_ns, market_age_ns = h->market_ns - market_ns;
    const bool young = market_age_ns <= world.knobs.max_market_age_ns;
    if (!young)
        t->exit_fits = false;
    if (is_right(b) && age_ns <= world.knobs.max_age_ns && young)
        return;
    t->entry_fits = false;
    (void)snprintf(t->why, sizeof t->why, "%s of %s is %s, %" PRId64 " us old, %" PRId64 " us of market time",
                   leg->symbol, leg->venue,
                   !b              ? "unknown"
                   : is_right(b)   ? "LIVE"
                   : !b->said_live ? "STALE"
                                   : "awaited again",
                   age_ns / NS_PER_US, market_age_ns / NS_PER_US);
}

void books_judge(const struct process *p, const void *bytes, size_t len)
{
    struct hearer *h = &hearers[p->number];
    watch_decode(bytes, len, &message);
    const struct intent *in = &message.intent;
    find_late(h, world.mono_ns); /* whatever comes there, the gate looks at its beats */
    if (message.env.type != MSG_INTENT)
        return;
    const int number = intent_number(in->incarnation, in->id, true);
    if (number < 0)
        violated("more intents than the simulation has room for");
    struct taken now = {.entry_fits = true, .exit_fits = true};
    for (uint32_t i = 0; i < in->n_legs; i++)
        judge_leg(h, &in->legs[i], &now);
    now.entry_fits |= taken[number].entry_fits;
    now.exit_fits |= taken[number].exit_fits;
    taken[number] = now;
}

void books_accepted(const struct message *m)
{
    const struct decision *d = &m->decision;
    const int number = intent_number(d->incarnation, d->intent_id, false);
    if (number < 0)
        violated("decision %" PRIu64 "/%" PRIu64 " accepts an intent that the gate has not taken",
                 m->env.epoch, m->env.pos);
    const struct taken *t = &taken[number];
    if (d->kind == INTENT_ENTER ? !t->entry_fits : !t->exit_fits)
        violated("decision %" PRIu64 "/%" PRIu64 " accepts an %s on books that are not fit: %s", m->env.epoch,
                 m->env.pos, d->kind == INTENT_ENTER ? "entry" : "exit", t->why);
}
