/* The world about a worker under test: a market of two venues, what risk says, and a strategy that does as it
 * is told. */
#ifndef SLUICE_TESTS_WORKER_WORLD_H
#define SLUICE_TESTS_WORKER_WORLD_H

#include "lib/base/decimal.h"
#include "services/strategy/worker.h"

#include <check.h>
#include <string.h>

enum { MINE = 77, OTHER = 78 };

static struct config config;
static struct view *view;
static struct worker *worker;
static struct outbox out;
static struct message m;
static struct now now;
static uint64_t seq, pos;

/* ---- a strategy that does as it is told ------------------------------------------------------------- */

struct told {
    uint64_t calls; /* in its memory of the route */
};

static enum intent_kind wants; /* 0 = nothing */
static bool was_allowed, was_flat;
static uint64_t calls, calls_of_route;
static struct route_leg held[2];
static money balance;

static int no_params(const struct config *c, void *params, char error[CONFIG_ERROR_MAX])
{
    (void)c, (void)params;
    snprintf(error, CONFIG_ERROR_MAX, "told.key is bad");
    return config.arb.deadline_ms == 13 ? E_RANGE : OK;
}

static uint64_t params_hash(const void *params)
{
    (void)params;
    return 4711;
}

static bool evaluate(const void *params, void *state, const struct route_view *route, struct now at,
                     struct proposal *p)
{
    struct told *told = state;
    (void)params;
    calls++;
    calls_of_route = ++told->calls;
    was_allowed = route->may_enter;
    was_flat = route->flat;
    memcpy(held, route->holding, sizeof held);
    balance = portfolio_balance(route->portfolio, "x", "USDT");
    if (!wants)
        return false;
    *p = (struct proposal){.kind = wants,
                           .n_legs = 2,
                           .policy = POLICY_UNWIND,
                           .edge_nbps = 11,
                           .reference_nbps = 12,
                           .cost_nbps = 13,
                           .slippage_bps = {5, 0},
                           .cause = wants == INTENT_EXIT ? EXIT_AGE : EXIT_NONE,
                           .deadline_ns = at.market_ns + 1};
    p->leg[0].side = SIDE_BUY;
    p->leg[0].price = (struct dec){1005, -1}; /* the books' exponent is -2 */
    p->leg[0].qty = (struct dec){25, -1};
    p->leg[1].side = SIDE_SELL;
    p->leg[1].price = (struct dec){99123, -3};
    p->leg[1].qty = (struct dec){25, -1};
    return true;
}

static const struct strategy_ops told = {"told", sizeof(struct told), 1, no_params, params_hash, evaluate};

/* ---- the world about it ----------------------------------------------------------------------------- */

static struct worker *hire(char error[CONFIG_ERROR_MAX])
{
    return worker_new(&(struct worker_options){.config = &config,
                                               .view = view,
                                               .strategy = &told,
                                               .run = "r1",
                                               .name = "strategy-1",
                                               .incarnation = MINE,
                                               .build = 99,
                                               .boot_id = 8},
                      error);
}

static void pass(int64_t ms)
{
    now.market_ns += ms * NS_PER_MS;
    now.mono_ns += ms * NS_PER_MS;
    now.utc_ns += ms * NS_PER_MS;
}

static int market_message(enum message_type type)
{
    strcpy(m.env.stream, "market");
    m.env.epoch = 3;
    m.env.seq = ++seq;
    m.env.type = type;
    int index = view_apply(view, &m, now);
    if (index >= 0)
        worker_on_market(worker, index, &m, now);
    return index;
}

static void know(const char *symbol, const char *venue)
{
    message_init(&m, MSG_INST);
    strcpy(m.inst.symbol, symbol);
    strcpy(m.inst.venue, venue);
    strcpy(m.inst.base, "BTC");
    strcpy(m.inst.quote, "USDT");
    m.inst.kind = KIND_SPOT;
    ck_assert_int_ge(market_message(MSG_INST), 0);
}

static bool quotes_anew = true; /* false: what the feed repeats has no trace */

static void quote(const char *symbol, const char *venue, int64_t bid, int64_t ask)
{
    message_init(&m, MSG_BOOK);
    strcpy(m.book.symbol, symbol);
    strcpy(m.book.venue, venue);
    m.book.state = BOOK_LIVE;
    m.book.recv_time = now.market_ns;
    m.book.recv_mono = now.mono_ns;
    m.book.price_exp = m.book.qty_exp = -2;
    m.book.n_bids = m.book.n_asks = 1;
    m.book.bids[0] = (struct level){bid, 100};
    m.book.asks[0] = (struct level){ask, 100};
    if (quotes_anew)
        m.env.trace = (struct trace){.venue_time = (int64_t)seq + 1000, .recv_mono = now.mono_ns, .boot_id = 8};
    ck_assert_int_ge(market_message(MSG_BOOK), 0);
}

static void tick(void)
{
    pass(1);
    quote("BTC-USDT", "x", 10000, 10001);
}

static void risk_says(enum message_type type)
{
    m.env.type = type;
    strcpy(m.env.stream, "risk");
    m.env.epoch = 5;
    m.env.pos = ++pos;
    worker_on_risk(worker, &m, now);
}

static void assign_legs(const char *route, const char *a, const char *b, const char *name,
                        uint64_t incarnation)
{
    message_init(&m, MSG_ASSIGN);
    strcpy(m.assign.route, route);
    strcpy(m.assign.worker, name);
    m.assign.incarnation = incarnation;
    m.assign.route_epoch = 40 + pos;
    m.assign.n_legs = 2;
    strcpy(m.assign.legs[0].symbol, a);
    strcpy(m.assign.legs[0].venue, "x");
    strcpy(m.assign.legs[1].symbol, b);
    strcpy(m.assign.legs[1].venue, "y");
    risk_says(MSG_ASSIGN);
}

static void assign(const char *name, uint64_t incarnation)
{
    assign_legs("BTC", "BTC-USDT", "BTC-USDT", name, incarnation);
}

static void route_says(bool busy, bool parked, int64_t qty)
{
    message_init(&m, MSG_ROUTE);
    strcpy(m.route.route, "BTC");
    m.route.busy = busy;
    m.route.parked = parked;
    m.route.n_legs = 2;
    m.route.legs[0].qty = (struct dec){qty, 0};
    m.route.legs[1].qty = (struct dec){-qty, 0};
    risk_says(MSG_ROUTE);
}

/* Runs one wake-up; the number of intents in it, and the last of them. */
static struct intent sent;
static struct trace sent_trace;

static int wake(bool current)
{
    int n = 0;
    worker_decide(worker, current, now, &out);
    for (uint32_t i = 0; i < out.n_effects; i++) {
        const struct message *made = &out.messages[out.effects[i].message];
        ck_assert_int_eq(out.effects[i].kind, EFFECT_SEND);
        ck_assert_int_eq(out.effects[i].peer, PEER_RISK);
        ck_assert_int_eq(made->env.type, MSG_INTENT);
        sent = made->intent;
        sent_trace = made->env.trace;
        n++;
    }
    out.n_effects = out.n_messages = 0;
    return n;
}

static struct hello heard;

static int hellos(void)
{
    int n = 0;
    worker_on_time(worker, now, &out);
    for (uint32_t i = 0; i < out.n_effects; i++) {
        ck_assert_int_eq(out.messages[out.effects[i].message].env.type, MSG_HELLO);
        heard = out.messages[out.effects[i].message].hello;
        n++;
    }
    out.n_effects = out.n_messages = 0;
    return n;
}

static int64_t metric(const char *name)
{
    struct reply reply = {.n_metrics = 0};
    worker_status(worker, &reply);
    for (uint32_t i = 0; i < reply.n_metrics; i++) {
        if (strcmp(reply.metrics[i].name, name) == 0)
            return reply.metrics[i].value;
    }
    ck_abort_msg("no metric %s", name);
    return 0;
}

static void setup(void)
{
    char error[CONFIG_ERROR_MAX];
    config_defaults(&config);
    view = view_new(16, 0);
    worker = hire(error);
    ck_assert_ptr_nonnull(worker);
    ck_assert_int_eq(outbox_open(&out, OUTBOX_CAPACITY), OK);
    now = (struct now){1000 * NS_PER_SEC, 50 * NS_PER_SEC, 2000 * NS_PER_SEC};
    seq = pos = calls = 0;
    wants = 0;
    know("BTC-USDT", "x");
    know("BTC-USDT", "y");
    quote("BTC-USDT", "x", 10000, 10001);
    quote("BTC-USDT", "y", 9900, 9901);
}

static void teardown(void)
{
    worker_destroy(&worker);
    ck_assert_ptr_null(worker);
    view_destroy(&view);
    outbox_close(&out);
}

static int run(const char *name, const TTest *const *tests, size_t n)
{
    Suite *suite = suite_create(name);
    TCase *c = tcase_create(name);
    tcase_add_checked_fixture(c, setup, teardown);
    for (size_t i = 0; i < n; i++)
        tcase_add_test(c, tests[i]);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

#endif
