/* What the feed says of its books, held against the market; and that all have in the end what it said last. */
#include <inttypes.h>
#include <string.h>

#include "lib/market/view.h"
#include "tests/simulation/network.h"

enum { BOOKS_MOST = 16, VENUES_MOST = 4, TOLD_MOST = 1024, BEATS_KEPT = 2 };

/* Within that, nothing being wrong, all have what the feed said last: two repetitions of what is quiet. */
#define AGREE_NS     (6 * NS_PER_SEC)
#define UNDER_WAY_NS (150 * NS_PER_MS)

static struct message message;

static struct told {
    char symbol[32], venue[16];
    uint64_t epoch, first; /* first: seq of at[0] */
    uint32_t n;
    struct {
        enum book_state state;
        enum stale_reason reason;
        int64_t mono_ns, recv_mono_ns;
    } at[TOLD_MOST]; /* by seq, the newest */
} told[BOOKS_MOST];
static int n_told;

static struct {
    char name[24];
    uint64_t epoch;
    int64_t mono_ns[BEATS_KEPT], market_ns[BEATS_KEPT]; /* the newest first */
    uint32_t n;
} beats[VENUES_MOST];
static int n_beats;

static struct told *told_of(const char *symbol, const char *venue)
{
    for (int i = 0; i < n_told; i++)
        if (strcmp(told[i].symbol, symbol) == 0 && strcmp(told[i].venue, venue) == 0)
            return &told[i];
    if (n_told == BOOKS_MOST)
        violated("more books than the simulation has room for");
    (void)snprintf(told[n_told].symbol, sizeof told->symbol, "%s", symbol);
    (void)snprintf(told[n_told].venue, sizeof told->venue, "%s", venue);
    return &told[n_told++];
}

/* A book is no younger than what was last received of it. */
static void check_receipt(const struct told *t, const struct message *m)
{
    struct market_truth truth;
    if (m->book.state == BOOK_LIVE && market_book(t->symbol, t->venue, &truth) &&
        (m->book.recv_mono > truth.told_ns || m->book.recv_time > truth.changed_ns))
        violated("%s of %s is published as received later than anything of it was", t->symbol, t->venue);
}

static void tell_book(const struct message *m)
{
    struct told *t = told_of(m->book.symbol, m->book.venue);
    if (m->env.epoch < t->epoch)
        violated("the feed's epoch goes back from %" PRIu64 " to %" PRIu64, t->epoch, m->env.epoch);
    if (m->env.epoch > t->epoch) {
        t->epoch = m->env.epoch;
        t->n = 0;
    }
    const uint64_t last = t->n ? t->first + t->n - 1 : 0;
    if (m->env.seq != last + 1 && (m->env.seq != last || t->n == 0))
        violated("%s of %s is published with seq %" PRIu64 " after %" PRIu64, t->symbol, t->venue, m->env.seq,
                 last);
    check_receipt(t, m);
    if (m->env.seq == last) {
        const bool same = t->at[(last - 1) % TOLD_MOST].state == m->book.state &&
                          t->at[(last - 1) % TOLD_MOST].recv_mono_ns == m->book.recv_mono;
        if (!same)
            violated("%s of %s comes again under seq %" PRIu64 " with another state or receipt", t->symbol,
                     t->venue, last);
        return;
    }
    if (t->n < TOLD_MOST)
        t->n++;
    t->first = m->env.seq + 1 - t->n;
    t->at[(m->env.seq - 1) % TOLD_MOST].state = m->book.state;
    t->at[(m->env.seq - 1) % TOLD_MOST].reason = m->book.reason;
    t->at[(m->env.seq - 1) % TOLD_MOST].mono_ns = world.mono_ns;
    t->at[(m->env.seq - 1) % TOLD_MOST].recv_mono_ns = m->book.recv_mono;
}

/* Two beats ago the feed knew already. */
static void check_told(const struct told *t, int64_t knew_mono_ns, int64_t knew_market_ns)
{
    struct market_truth truth;
    if (t->n == 0 || !market_book(t->symbol, t->venue, &truth))
        return;
    const uint64_t last = t->first + t->n - 1;
    const enum book_state state = t->at[(last - 1) % TOLD_MOST].state;
    const enum stale_reason reason = t->at[(last - 1) % TOLD_MOST].reason;
    if (truth.state == BOOK_STALE && truth.told_ns < knew_mono_ns &&
        (state != BOOK_STALE || reason != truth.reason))
        violated("%s of %s is STALE (%s) at its venue for two beats; the feed says %s (%s)", t->symbol,
                 t->venue, stale_reason_text(truth.reason), book_state_text(state),
                 stale_reason_text(reason));
    if (state == BOOK_LIVE && truth.told_ns < knew_mono_ns &&
        knew_market_ns - truth.changed_ns >= world.knobs.silence_ns)
        violated("%s of %s is silent for longer than two beats more than it may be; the feed says LIVE",
                 t->symbol, t->venue);
}

static void tell_beat(const struct message *m)
{
    int i = 0;
    while (i < n_beats && strcmp(beats[i].name, m->beat.source) != 0)
        i++;
    if (i == VENUES_MOST)
        violated("more venues than the simulation has room for");
    if (i == n_beats)
        (void)snprintf(beats[n_beats++].name, sizeof beats->name, "%s", m->beat.source);
    if (beats[i].epoch != m->env.epoch)
        beats[i].n = 0;
    beats[i].epoch = m->env.epoch;
    if (m->beat.alive == market_venue_is_down(m->beat.source))
        violated("the feed's beat of %s says alive=%d", m->beat.source, m->beat.alive);
    if (beats[i].n == BEATS_KEPT)
        for (int k = 0; k < n_told; k++)
            if (strcmp(told[k].venue, m->beat.source) == 0 && told[k].epoch == m->env.epoch)
                check_told(&told[k], beats[i].mono_ns[BEATS_KEPT - 1], beats[i].market_ns[BEATS_KEPT - 1]);
    for (int k = BEATS_KEPT - 1; k > 0; k--) {
        beats[i].mono_ns[k] = beats[i].mono_ns[k - 1];
        beats[i].market_ns[k] = beats[i].market_ns[k - 1];
    }
    beats[i].mono_ns[0] = world.mono_ns;
    beats[i].market_ns[0] = m->beat.market_time;
    if (beats[i].n < BEATS_KEPT)
        beats[i].n++;
}

void books_published(const void *bytes, size_t len)
{
    watch_decode(bytes, len, &message);
    if (message.env.type == MSG_BOOK)
        tell_book(&message);
    else if (message.env.type == MSG_BEAT)
        tell_beat(&message);
}

/* ---- all have what the feed said last ---------------------------------------------------------------------------- */

static bool subscribes(const struct process *p, const struct told *t)
{
    char topic[80];
    (void)snprintf(topic, sizeof topic, "book.%s.%s.", t->symbol, t->venue);
    for (const struct connection *c = connections; c; c = c->next) {
        if (c->role != SOCKET_MARKET_SUB || !c->from || c->from->owner != p)
            continue;
        for (uint32_t i = 0; i < c->from->n_prefixes; i++)
            if (strncmp(topic, c->from->prefixes[i], strlen(c->from->prefixes[i])) == 0)
                return true;
    }
    return false;
}

/* It has what was said a while ago, or something later. */
static bool has_newest(const struct process *p, const struct told *t, char words[256])
{
    const struct view *view = books_view(p);
    uint64_t newest = t->first + t->n - 1;
    while (newest > t->first && t->at[(newest - 1) % TOLD_MOST].mono_ns > world.mono_ns - UNDER_WAY_NS)
        newest--;
    const int index = view_find(view, t->symbol, t->venue);
    const struct quote *q = index >= 0 ? view_at(view, (uint32_t)index) : NULL;
    const uint64_t has = q ? q->book_seq : 0;
    (void)snprintf(words, 256, "%s has %s of %s at %" PRIu64 " %s (%s); %" PRIu64 " was published", p->name,
                   t->symbol, t->venue, has, q ? book_state_text(q->state) : "-",
                   q ? stale_reason_text(q->reason) : "-", newest);
    if (has < newest || has < t->first || has >= t->first + t->n || q->epoch != t->epoch)
        return false;
    return q->state == t->at[(has - 1) % TOLD_MOST].state && q->reason == t->at[(has - 1) % TOLD_MOST].reason;
}

bool books_agree(char words[256])
{
    for (int i = 0; i < n_processes; i++) {
        const struct process *p = &processes[i];
        if (!p->up || !books_view(p))
            continue;
        for (int k = 0; k < n_told; k++)
            if (told[k].n > 0 && subscribes(p, &told[k]) && !has_newest(p, &told[k], words))
                return false;
    }
    return true;
}

void books_wait(int64_t since_ns)
{
    char words[256] = "";
    for (; !books_agree(words); task_sleep(20 * NS_PER_MS)) {
        for (int i = 0; i < n_processes; i++)
            if (processes[i].up && processes[i].started_ns > since_ns)
                since_ns = processes[i].started_ns;
        if (world.mono_ns > since_ns + AGREE_NS)
            violated("the newest state is not everywhere after %" PRId64 " s: %s", AGREE_NS / NS_PER_SEC,
                     words);
    }
}
