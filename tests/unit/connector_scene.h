/* A venue in virtual time, with which a connector is tested: it holds every act against the venue's limits, and goes
 * wrong when it is told to. */
#ifndef SLUICE_TESTS_UNIT_CONNECTOR_SCENE_H
#define SLUICE_TESTS_UNIT_CONNECTOR_SCENE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/rng.h"
#include "services/feed/connector.h"

enum { SYMBOLS = 10, STAMPS_MAX = 4096, WORLD_CONNS = 16 };

#define STEP     (10 * NS_PER_MS)
#define SHARE    50 /* percent of the weight */
#define LIFE     (400 * NS_PER_SEC)
#define SILENT   (30 * NS_PER_SEC)
#define PING     (10 * NS_PER_SEC)
#define START_NS (1000 * NS_PER_SEC)

/* When something was done, newest last. */
struct stamps {
    int64_t at[STAMPS_MAX];
    uint32_t weight[STAMPS_MAX];
    uint32_t n;
};

struct world_conn {
    bool opening, open, mute; /* mute: half open */
    int64_t due_ns, opened_ns, spoken_ns;
    bool subscribed[SYMBOLS];
    int64_t since_ns[SYMBOLS];
    struct stamps sends;
    uint32_t pings;
};

static struct world {
    int64_t now;
    struct rng rng;
    struct connector *connector;
    struct world_conn conn[WORLD_CONNS];
    struct stamps connects, gets;
    struct {
        bool busy, snapshot;
        uint32_t symbol, first, n;
        int64_t due_ns;
    } ask[CONNECTOR_ASKS_MAX];
    bool has_snapshot[SYMBOLS], known[SYMBOLS];
    uint64_t feeds[SYMBOLS];
    uint32_t asked[SYMBOLS], unsubscribed[SYMBOLS], subscribed[SYMBOLS];
    bool absent[SYMBOLS];       /* the venue does not have it */
    bool by_subscription;       /* books come by subscribing anew, not by HTTP */
    int fail_permille;          /* of connects, requests; and per second of open connections */
    int refuse_status;          /* of connects: answered instead of an upgrade */
    int retry_after_s;
    int rest_status; /* of requests; 200 = served */
    int stale_snapshots; /* so many more are too old */
    uint32_t most_in_window_connects;
    uint32_t holes; /* moments at which a book had no connection though it had one before */
    bool watch_holes;
    char told[128];
    int told_symbol;
    uint32_t closes;
    char last_close[64];
} world;

/* ---- the line --------------------------------------------------------------------------------------- */

static int fake_symbol(const char *symbol, char out[32])
{
    (void)snprintf(out, 32, "%s", symbol);
    return OK;
}

static int fake_words(char what, const struct line_subject *s, uint32_t part, char *out, size_t cap)
{
    if (part > 0)
        return 0;
    int len = snprintf(out, cap, "%c", what);
    for (uint32_t i = 0; i < s->n; i++)
        len += snprintf(out + len, cap - (size_t)len, " %s", s->symbols[i]);
    return len;
}

static int fake_subscribe(const struct line_subject *s, uint32_t part, char *out, size_t cap)
{
    return fake_words('S', s, part, out, cap);
}

static int fake_unsubscribe(const struct line_subject *s, uint32_t part, char *out, size_t cap)
{
    return fake_words('U', s, part, out, cap);
}

static int fake_snapshot(const char *symbol, uint32_t depth, char *out, size_t cap, uint32_t *weight)
{
    *weight = 10;
    return snprintf(out, cap, "/depth %s %u", symbol, depth);
}

static int fake_instruments(const struct line_subject *s, uint32_t part, char *out, size_t cap, uint32_t *weight)
{
    *weight = 4;
    return part ? 0 : snprintf(out, cap, "/info %s %u", s->symbols[0], s->n);
}

static struct line fake_line = {.lanes = {{"/all", true, true}},
                                .n_lanes = 1,
                                .limits = {.symbols = 4,
                                           .batch = 2,
                                           .sends = 4,
                                           .sends_ns = NS_PER_SEC,
                                           .connects = 8,
                                           .connects_ns = 10 * NS_PER_SEC,
                                           .weight = 400,
                                           .weight_ns = 60 * NS_PER_SEC,
                                           .instruments = 5,
                                           .life_ns = LIFE,
                                           .ping_ns = PING,
                                           .silent_ns = SILENT},
                                .venue_symbol = fake_symbol,
                                .subscribe = fake_subscribe,
                                .unsubscribe = fake_unsubscribe,
                                .snapshot = fake_snapshot,
                                .instruments = fake_instruments};

static const char *const symbol_names[SYMBOLS] = {"A", "B", "C", "D", "E", "F", "G", "H", "I", "J"};

/* ---- limits ----------------------------------------------------------------------------------------- */

/* The units within a window that ends now, this one included, are no more than the limit. */
static void stamp(struct stamps *s, uint32_t weight, uint32_t limit, int64_t window_ns, const char *what)
{
    uint32_t sum = weight;
    ck_assert_uint_lt(s->n, STAMPS_MAX);
    for (uint32_t i = s->n; i > 0 && world.now - s->at[i - 1] < window_ns; i--)
        sum += s->weight[i - 1];
    if (sum > limit)
        ck_abort_msg("%s: %u in %lld ms, expected at most %u", what, sum, (long long)(window_ns / NS_PER_MS),
                     limit);
    s->at[s->n] = world.now;
    s->weight[s->n++] = weight;
}

static bool chance(int permille)
{
    return (int)rng_below(&world.rng, 1000) < permille;
}

/* ---- acts ------------------------------------------------------------------------------------------- */

static bool world_connect(void *ctx, uint32_t conn, const char *path)
{
    (void)ctx;
    struct world_conn *c = &world.conn[conn];
    ck_assert_uint_lt(conn, WORLD_CONNS);
    ck_assert(!c->open && !c->opening);
    ck_assert_str_eq(path, "/all");
    stamp(&world.connects, 1, fake_line.limits.connects, fake_line.limits.connects_ns, "connects");
    memset(c, 0, sizeof *c);
    c->opening = true;
    c->due_ns = world.now + 20 * NS_PER_MS;
    return true;
}

static bool world_send(void *ctx, uint32_t conn, const char *text, size_t len)
{
    (void)ctx;
    char words[256], *save = NULL;
    struct world_conn *c = &world.conn[conn];
    ck_assert(c->open);
    stamp(&c->sends, 1, fake_line.limits.sends, fake_line.limits.sends_ns, "sends");
    (void)snprintf(words, sizeof words, "%.*s", (int)len, text);
    bool on = words[0] == 'S';
    uint32_t n = 0;
    for (char *w = strtok_r(words + 1, " ", &save); w; w = strtok_r(NULL, " ", &save), n++) {
        int i = w[0] - 'A';
        c->subscribed[i] = on && !world.absent[i];
        c->since_ns[i] = world.now;
        world.subscribed[i] += on;
        world.unsubscribed[i] += !on;
        if (!on)
            world.feeds[i] &= ~(UINT64_C(1) << conn);
        if (on && world.by_subscription)
            world.has_snapshot[i] = true;
    }
    ck_assert_uint_le(n, fake_line.limits.batch);
    return true;
}

static void world_ping(void *ctx, uint32_t conn)
{
    (void)ctx;
    struct world_conn *c = &world.conn[conn];
    stamp(&c->sends, 1, fake_line.limits.sends, fake_line.limits.sends_ns, "sends with pings");
    c->pings++;
    if (!c->mute)
        connector_on_heard(world.connector, conn, world.now);
}

static void forget(uint32_t conn)
{
    struct world_conn *c = &world.conn[conn];
    c->open = c->opening = c->mute = false;
    for (int i = 0; i < SYMBOLS; i++) {
        c->subscribed[i] = false;
        world.feeds[i] &= ~(UINT64_C(1) << conn);
        if (!world.feeds[i])
            world.has_snapshot[i] = false;
    }
}

static void world_close(void *ctx, uint32_t conn, const char *why)
{
    (void)ctx;
    ck_assert(world.conn[conn].open || world.conn[conn].opening);
    world.closes++;
    (void)snprintf(world.last_close, sizeof world.last_close, "%s", why);
    forget(conn);
}

static bool world_get(void *ctx, uint32_t ask, const char *path)
{
    (void)ctx;
    char name[32];
    unsigned n = 0;
    ck_assert_uint_lt(ask, CONNECTOR_ASKS_MAX);
    ck_assert(!world.ask[ask].busy);
    bool snapshot = sscanf(path, "/depth %31s %u", name, &n) == 2;
    if (!snapshot)
        ck_assert_int_eq(sscanf(path, "/info %31s %u", name, &n), 2);
    stamp(&world.gets, snapshot ? 10 : 4, fake_line.limits.weight * SHARE / 100, fake_line.limits.weight_ns,
          "weight");
    uint32_t symbol = (uint32_t)(name[0] - 'A');
    if (snapshot) {
        for (uint32_t i = 0; i < CONNECTOR_ASKS_MAX; i++)
            ck_assert(!(world.ask[i].busy && world.ask[i].snapshot && world.ask[i].symbol == symbol));
        world.asked[symbol]++;
    }
    world.ask[ask].busy = true;
    world.ask[ask].snapshot = snapshot;
    world.ask[ask].symbol = symbol;
    world.ask[ask].first = symbol;
    world.ask[ask].n = n;
    world.ask[ask].due_ns = world.now + 50 * NS_PER_MS;
    return true;
}

static enum book_wants world_wants(void *ctx, uint32_t symbol)
{
    (void)ctx;
    if (world.has_snapshot[symbol] || (!world.feeds[symbol] && !world.by_subscription))
        return WANTS_NOTHING;
    return world.by_subscription ? WANTS_SUBSCRIPTION : WANTS_SNAPSHOT;
}

static bool world_flows(void *ctx, uint32_t symbol, uint32_t conn)
{
    (void)ctx;
    return world.feeds[symbol] >> conn & 1;
}

static void world_tell(void *ctx, const char *event, int symbol, const char *words)
{
    (void)ctx, (void)event;
    if (symbol == CONNECTOR_NO_SYMBOL)
        return;
    world.told_symbol = symbol;
    (void)snprintf(world.told, sizeof world.told, "%s", words);
}

/* ---- time ------------------------------------------------------------------------------------------- */

static void drop(uint32_t conn, int status, int retry_after_s)
{
    forget(conn);
    connector_on_closed(world.connector, conn, "dropped", status, retry_after_s, world.now);
}

static void move_conn(uint32_t i)
{
    struct world_conn *c = &world.conn[i];
    if (c->opening && world.now >= c->due_ns) {
        if (world.refuse_status) {
            drop(i, world.refuse_status, world.retry_after_s);
        } else if (chance(world.fail_permille)) {
            if (chance(500))
                drop(i, 0, 0);
            else
                c->due_ns = INT64_MAX; /* no answer at all */
        } else {
            c->opening = false;
            c->open = true;
            c->opened_ns = c->spoken_ns = world.now;
            connector_on_opened(world.connector, i, world.now);
        }
        return;
    }
    if (!c->open || world.now - c->spoken_ns < 100 * NS_PER_MS)
        return;
    c->spoken_ns = world.now;
    if (chance(world.fail_permille / 10)) {
        drop(i, 0, 0);
        return;
    }
    c->mute = c->mute || chance(world.fail_permille / 20);
    if (world.now - c->opened_ns >= LIFE) {
        drop(i, 0, 0);
        return;
    }
    if (c->mute)
        return;
    for (int k = 0; k < SYMBOLS; k++)
        if (c->subscribed[k] && world.now - c->since_ns[k] >= 50 * NS_PER_MS) {
            world.feeds[k] |= UINT64_C(1) << i;
            world.known[k] = true;
            connector_on_heard(world.connector, i, world.now);
        }
}

static void answer(uint32_t i)
{
    if (!world.ask[i].busy || world.now < world.ask[i].due_ns)
        return;
    int status = world.rest_status != 200 ? world.rest_status : chance(world.fail_permille) ? 500 : 200;
    world.ask[i].busy = false;
    for (uint32_t k = 0; status == 200 && !world.ask[i].snapshot && k < world.ask[i].n; k++)
        status = world.absent[world.ask[i].first + k] ? 400 : status;
    if (status == 200 && world.ask[i].snapshot) {
        if (world.stale_snapshots > 0)
            world.stale_snapshots--;
        else if (world.feeds[world.ask[i].symbol])
            world.has_snapshot[world.ask[i].symbol] = true;
    }
    connector_on_answer(world.connector, i, status, "", status == 429 || status == 418 ? world.retry_after_s : 0, -1,
                        world.now);
}

static void look_for_holes(void)
{
    for (int i = 0; world.watch_holes && i < SYMBOLS; i++)
        world.holes += world.known[i] && !world.feeds[i];
}

static void pass(int64_t ns)
{
    for (int64_t end = world.now + ns; world.now < end; world.now += STEP) {
        for (uint32_t i = 0; i < WORLD_CONNS; i++)
            move_conn(i);
        for (uint32_t i = 0; i < CONNECTOR_ASKS_MAX; i++)
            answer(i);
        (void)connector_on_time(world.connector, world.now);
        look_for_holes();
    }
}

static void begin(uint64_t seed)
{
    memset(&world, 0, sizeof world);
    world.now = START_NS;
    world.rest_status = 200;
    world.told_symbol = CONNECTOR_NO_SYMBOL;
    rng_seed(&world.rng, seed * 7919 + 1);
    struct connector_options options = {.line = &fake_line,
                                        .symbols = symbol_names,
                                        .n_symbols = SYMBOLS,
                                        .depth = 100,
                                        .trades = true,
                                        .rest_percent = SHARE,
                                        .refresh_ns = 3600 * NS_PER_SEC,
                                        .seed = seed};
    struct connector_acts acts = {.connect = world_connect,
                                  .send = world_send,
                                  .ping = world_ping,
                                  .close = world_close,
                                  .get = world_get,
                                  .wants = world_wants,
                                  .flows = world_flows,
                                  .tell = world_tell};
    world.connector = connector_new(&options, &acts);
    ck_assert_ptr_nonnull(world.connector);
}

static void end(void)
{
    connector_destroy(&world.connector);
}

static uint32_t live_books(void)
{
    uint32_t n = 0;
    for (int i = 0; i < SYMBOLS; i++)
        n += world.feeds[i] && world.has_snapshot[i];
    return n;
}

static struct connector_status status_now(void)
{
    struct connector_status status;
    connector_status(world.connector, world.now, &status);
    return status;
}

#endif
