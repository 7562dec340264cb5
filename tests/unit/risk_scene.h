/* A gate on a hand-made market, for its tests: two venues, one route, one worker, exec's ledger by hand.
 *
 * Everything the gate writes is kept in `ledger`, in order; `last` finds the newest record of a type. */
#ifndef SLUICE_TESTS_RISK_SCENE_H
#define SLUICE_TESTS_RISK_SCENE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/table.h"
#include "lib/base/text.h"
#include "services/risk/risk.h"

enum { LEDGER_MAX = 4096, BOOT = 77 };

#define ROUTE "BTC-USDT@alfa~BTC-USDT@beta"

static struct config config;
static struct view *view;
static struct risk *risk;
static struct outbox outbox;
static struct message *ledger;
static uint32_t n_ledger;
static struct message *exec_ledger;
static uint32_t n_exec;
static struct now now;
static uint64_t exec_epoch, exec_pos, book_seq, intent_id;

static inline struct dec d(const char *text)
{
    struct dec v;
    ck_assert_int_eq(dec_parse(text, strlen(text), &v), OK);
    return v;
}

static inline money amount(const char *text)
{
    money v;
    ck_assert_msg(money_parse(text, strlen(text), &v), "%s", text);
    return v;
}

static inline void assert_money(money v, const char *text)
{
    char is[MONEY_TEXT_MAX];
    money_format(v, is);
    ck_assert_str_eq(is, text);
}

/* ---- the ledger -------------------------------------------------------------------------------------- */

/* Keeps what was written; positions must be contiguous. Returns how many records came. */
static inline uint32_t take(void)
{
    uint32_t before = n_ledger;
    ck_assert_uint_eq(outbox.overflows, 0);
    ck_assert_uint_le(outbox.n_messages, OUTBOX_PER_INPUT_MAX);
    for (uint32_t i = 0; i < outbox.n_effects; i++) {
        if (outbox.effects[i].kind != EFFECT_APPEND)
            continue;
        ck_assert_uint_lt(n_ledger, LEDGER_MAX);
        ledger[n_ledger] = outbox.messages[outbox.effects[i].message];
        ck_assert_uint_eq(ledger[n_ledger].env.pos, n_ledger + 1);
        n_ledger++;
    }
    outbox.n_messages = outbox.n_effects = 0;
    return n_ledger - before;
}

static inline const struct message *last(enum message_type type)
{
    for (uint32_t i = n_ledger; i > 0; i--) {
        if (ledger[i - 1].env.type == type)
            return &ledger[i - 1];
    }
    return NULL;
}

static inline uint32_t count_of(enum message_type type)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_ledger; i++)
        n += ledger[i].env.type == type;
    return n;
}

static inline int64_t metric_of(const char *name)
{
    static struct reply reply;
    memset(&reply, 0, sizeof reply);
    risk_status(risk, &reply);
    for (uint32_t i = 0; i < reply.n_metrics; i++) {
        if (strcmp(reply.metrics[i].name, name) == 0)
            return reply.metrics[i].value;
    }
    return INT64_MIN;
}

/* ---- time and market --------------------------------------------------------------------------------- */

static inline void pass_ms(int64_t ms)
{
    now.market_ns += ms * NS_PER_MS;
    now.mono_ns += ms * NS_PER_MS;
    now.utc_ns += ms * NS_PER_MS;
}

static inline void turn(void)
{
    risk_on_time(risk, now, &outbox);
    take();
}

/* Two wake-ups: after a pause the first one only reads. */
static inline void tick_time(void)
{
    turn();
    turn();
}

static inline void show(const struct message *m)
{
    int index = view_apply(view, m, now);
    if (index >= 0)
        risk_on_market(risk, index, now, &outbox);
    take();
}

static inline void list_kind(const char *symbol, const char *venue, const char *base, const char *quote,
                             enum contract_kind kind)
{
    static struct message m;
    message_init(&m, MSG_INST);
    strcpy(m.env.stream, "market");
    m.env.epoch = 1;
    text_set(m.inst.symbol, sizeof m.inst.symbol, symbol);
    text_set(m.inst.venue, sizeof m.inst.venue, venue);
    text_set(m.inst.base, sizeof m.inst.base, base);
    text_set(m.inst.quote, sizeof m.inst.quote, quote);
    text_set(m.inst.settle, sizeof m.inst.settle, quote);
    m.inst.kind = kind;
    m.inst.multiplier = (struct dec){1, 0};
    m.inst.tick = d("0.01");
    m.inst.lot = d("0.001");
    m.inst.min_qty = d("0.002");
    m.inst.min_notional = d("5");
    show(&m);
}

static inline void list(const char *symbol, const char *venue, const char *base, const char *quote)
{
    list_kind(symbol, venue, base, quote, KIND_SPOT);
}

/* A LIVE book of one level a side; 10 base units each. */
static inline struct message book_of(const char *symbol, const char *venue, const char *bid, const char *ask)
{
    struct message m;
    message_init(&m, MSG_BOOK);
    strcpy(m.env.stream, "market");
    m.env.epoch = 1;
    m.env.seq = ++book_seq;
    text_set(m.book.symbol, sizeof m.book.symbol, symbol);
    text_set(m.book.venue, sizeof m.book.venue, venue);
    m.book.state = BOOK_LIVE;
    m.book.recv_time = now.market_ns;
    m.book.recv_mono = now.mono_ns;
    m.book.price_exp = -2;
    m.book.n_bids = m.book.n_asks = 1;
    m.book.bids[0].qty = m.book.asks[0].qty = 10;
    ck_assert_int_eq(dec_mantissa(d(bid), -2, ROUND_EXACT, &m.book.bids[0].price), OK);
    ck_assert_int_eq(dec_mantissa(d(ask), -2, ROUND_EXACT, &m.book.asks[0].price), OK);
    return m;
}

static inline void quote_at(const char *symbol, const char *venue, const char *bid, const char *ask)
{
    struct message m = book_of(symbol, venue, bid, ask);
    show(&m);
}

static inline void refresh_books(void)
{
    quote_at("BTC-USDT", "alfa", "99.99", "100.01");
    quote_at("BTC-USDT", "beta", "99.99", "100.01");
}

/* ---- exec -------------------------------------------------------------------------------------------- */

static inline void exec_beat(void)
{
    static struct message m;
    message_init(&m, MSG_BEAT);
    strcpy(m.env.stream, "exec");
    m.env.epoch = exec_epoch;
    m.beat.alive = true;
    m.beat.head_pos = exec_pos;
    risk_on_exec(risk, &m, now, &outbox);
    take();
}

static inline struct message exec_record(enum message_type type)
{
    struct message m;
    message_init(&m, type);
    strcpy(m.env.stream, "exec");
    m.env.epoch = exec_epoch;
    m.env.pos = ++exec_pos;
    return m;
}

static inline void from_exec(const struct message *m)
{
    ck_assert_uint_lt(n_exec, LEDGER_MAX);
    exec_ledger[n_exec++] = *m;
    risk_on_exec(risk, m, now, &outbox);
    take();
}

static inline void fill_for(const struct message *decision, const char *symbol, const char *venue,
                            enum side side, const char *price, const char *qty, const char *fee)
{
    struct message m = exec_record(MSG_FILL);
    struct dec p = d(price), q = d(qty);
    const char *dash = strchr(symbol, '-');
    text_set(m.fill.symbol, sizeof m.fill.symbol, symbol);
    text_set(m.fill.venue, sizeof m.fill.venue, venue);
    text_set(m.fill.route, sizeof m.fill.route, decision->decision.route);
    m.fill.risk_epoch = decision->env.epoch;
    m.fill.risk_pos = decision->env.pos;
    m.fill.side = side;
    m.fill.price = p.m;
    m.fill.price_exp = p.exp;
    m.fill.qty = q.m;
    m.fill.qty_exp = q.exp;
    m.fill.fee = d(fee);
    memcpy(m.fill.base, symbol, (size_t)(dash - symbol));
    text_set(m.fill.quote, sizeof m.fill.quote, dash + 1);
    text_set(m.fill.fee_currency, sizeof m.fill.fee_currency, dash + 1);
    m.fill.kind = KIND_SPOT;
    m.fill.market_time = now.market_ns;
    from_exec(&m);
}

static inline void basket_end(const struct message *decision, enum basket_state state)
{
    struct message m = exec_record(MSG_BASKET);
    text_set(m.basket.route, sizeof m.basket.route, decision->decision.route);
    m.basket.risk_epoch = decision->env.epoch;
    m.basket.risk_pos = decision->env.pos;
    m.basket.kind = decision->decision.kind;
    m.basket.policy = POLICY_COMPLETE;
    m.basket.state = state;
    m.basket.terminal = state >= BASKET_DONE;
    m.basket.market_time = now.market_ns;
    from_exec(&m);
}

/* ---- workers ----------------------------------------------------------------------------------------- */

static inline void hello_as(const char *worker, uint64_t incarnation, const char *pinned, bool goodbye)
{
    static struct message m;
    message_init(&m, MSG_HELLO);
    text_set(m.hello.worker, sizeof m.hello.worker, worker);
    m.hello.incarnation = incarnation;
    strcpy(m.hello.strategy, "arb");
    text_set(m.hello.pinned, sizeof m.hello.pinned, pinned);
    m.hello.evaluations = 1000;
    m.hello.intents = 7;
    m.hello.digest = 42;
    m.hello.goodbye = goodbye;
    risk_on_command(risk, &m, now, &outbox);
    take();
}

static inline void hello(const char *worker, uint64_t incarnation)
{
    hello_as(worker, incarnation, "", false);
}

static inline const struct message *assignment_of(const char *route)
{
    for (uint32_t i = n_ledger; i > 0; i--) {
        if (ledger[i - 1].env.type == MSG_ASSIGN && strcmp(ledger[i - 1].assign.route, route) == 0)
            return &ledger[i - 1];
    }
    return NULL;
}

static inline void leg_of(struct intent *in, uint32_t i, const char *venue, enum side side, const char *price,
                          const char *qty)
{
    struct intent_leg *leg = &in->legs[i];
    struct dec p = d(price), q = d(qty);
    text_set(leg->symbol, sizeof leg->symbol, "BTC-USDT");
    text_set(leg->venue, sizeof leg->venue, venue);
    leg->side = side;
    leg->price = p.m;
    leg->price_exp = p.exp;
    leg->qty = q.m;
    leg->qty_exp = q.exp;
    leg->book_time = now.market_ns;
    leg->book_mono = now.mono_ns;
}

/* Buys one at alfa, sells one at beta; everything as it should be. */
static inline struct message entry(void)
{
    struct message m;
    const struct message *assigned = assignment_of(ROUTE);
    message_init(&m, MSG_INTENT);
    m.env.trace.boot_id = BOOT;
    struct intent *in = &m.intent;
    strcpy(in->run, "run-1");
    strcpy(in->account, "paper");
    strcpy(in->worker, assigned ? assigned->assign.worker : "w1");
    in->incarnation = assigned ? assigned->assign.incarnation : 11;
    in->id = ++intent_id;
    strcpy(in->strategy, "arb");
    strcpy(in->route, ROUTE);
    in->route_epoch = assigned ? assigned->assign.route_epoch : 1;
    in->kind = INTENT_ENTER;
    in->state_epoch = risk_head(risk)->epoch;
    in->state_pos = risk_head(risk)->pos;
    in->decided_time = now.market_ns;
    in->decided_mono = now.mono_ns;
    in->deadline = now.market_ns + NS_PER_SEC;
    in->tif = TIF_IOC;
    in->policy = POLICY_COMPLETE;
    in->slippage_bps = d("5");
    in->edge_nbps = 12 * NS_PER_SEC;
    in->n_legs = 2;
    leg_of(in, 0, "alfa", SIDE_BUY, "100.02", "1");
    leg_of(in, 1, "beta", SIDE_SELL, "99.98", "1");
    return m;
}

/* Sells at alfa and buys at beta what an entry has opened. */
static inline struct message leaving(const char *qty)
{
    struct message m = entry();
    m.intent.kind = INTENT_EXIT;
    m.intent.cause = EXIT_REVERSAL;
    leg_of(&m.intent, 0, "alfa", SIDE_SELL, "99.98", qty);
    leg_of(&m.intent, 1, "beta", SIDE_BUY, "100.02", qty);
    return m;
}

/* The decision on an intent; NULL when it was folded. */
static inline const struct message *ask(const struct message *m)
{
    risk_on_command(risk, m, now, &outbox);
    uint32_t n = take();
    return n > 0 && ledger[n_ledger - 1].env.type == MSG_DECISION ? &ledger[n_ledger - 1] : NULL;
}

static inline const struct message *must_accept(const struct message *m)
{
    const struct message *decision = ask(m);
    ck_assert_ptr_nonnull(decision);
    ck_assert_str_eq(reason_text(decision->decision.reason), "NONE");
    ck_assert_int_eq(decision->decision.verdict, VERDICT_ACCEPT);
    ck_assert_int_eq(decision->decision.tier, TIER_NONE);
    return decision;
}

static inline const struct message *must_refuse(const struct message *m, enum reason reason,
                                                enum risk_tier tier)
{
    const struct message *decision = ask(m);
    ck_assert_ptr_nonnull(decision);
    ck_assert_str_eq(reason_text(decision->decision.reason), reason_text(reason));
    ck_assert_str_eq(risk_tier_text(decision->decision.tier), risk_tier_text(tier));
    ck_assert_int_eq(decision->decision.verdict, reason == REASON_COOL_DOWN ? VERDICT_COOL : VERDICT_REJECT);
    return decision;
}

static inline void must_refuse_by(const struct message *m, enum reason reason, enum risk_tier tier,
                                  const char *limit, const char *value)
{
    const struct message *decision = must_refuse(m, reason, tier);
    assert_money(decision->decision.limit, limit);
    assert_money(decision->decision.value, value);
    ck_assert_uint_eq(decision->decision.limits_version, 1);
}

/* An entry of one unit, filled whole at 100.01 and 99.99. */
static inline void enter_whole(void)
{
    struct message m = entry();
    const struct message *decision = must_accept(&m);
    fill_for(decision, "BTC-USDT", "alfa", SIDE_BUY, "100.01", "1", "0.1");
    fill_for(decision, "BTC-USDT", "beta", SIDE_SELL, "99.99", "1", "0.05");
    basket_end(decision, BASKET_DONE);
}

static inline void leave_whole(void)
{
    struct message m = leaving("1");
    const struct message *decision = must_accept(&m);
    fill_for(decision, "BTC-USDT", "alfa", SIDE_SELL, "100", "1", "0.1");
    fill_for(decision, "BTC-USDT", "beta", SIDE_BUY, "100", "1", "0.05");
    basket_end(decision, BASKET_DONE);
}

/* ---- life -------------------------------------------------------------------------------------------- */

static inline struct risk *new_risk(void)
{
    return risk_new(&(struct risk_options){&config, view, "run-1", BOOT});
}

/* The bounds of age that the tests speak of, whatever the defaults are. */
static inline void set_bounds(void)
{
    config_defaults(&config);
    config.risk.max_age_ms = 2000;
    config.risk.max_market_age_ms = 30000;
    config.risk.max_intent_age_ms = 500;
    config.risk.lease_ms = 2000;
    config.risk.exec_late_ms = 2000;
    config.arb.cool_down_ms = 1000;
}

/* A gate in its first life, without market, worker or exec. */
static inline void begin_bare(void)
{
    set_bounds();
    view = view_new(64, 0);
    risk = new_risk();
    ck_assert_int_eq(outbox_open(&outbox, OUTBOX_CAPACITY), OK);
    ledger = calloc(LEDGER_MAX, sizeof *ledger);
    exec_ledger = calloc(LEDGER_MAX, sizeof *exec_ledger);
    n_ledger = n_exec = 0;
    exec_epoch = 1;
    exec_pos = book_seq = intent_id = 0;
    now = (struct now){1700000000 * NS_PER_SEC, 5000 * NS_PER_SEC, 1700000000 * NS_PER_SEC};
    risk_start(risk, 1, now, &outbox);
    take();
}

/* With the market live, worker w1 owning the one route, and exec beating. */
static inline void begin(void)
{
    begin_bare();
    list("BTC-USDT", "alfa", "BTC", "USDT");
    list("BTC-USDT", "beta", "BTC", "USDT");
    refresh_books();
    hello("w1", 11);
    exec_beat();
}

static inline void end(void)
{
    risk_destroy(&risk);
    ck_assert_ptr_null(risk);
    view_destroy(&view);
    outbox_close(&outbox);
    free(ledger);
    free(exec_ledger);
}

/* Another life of the gate from its ledger; exec's is read from its beginning. The market is still seen. */
static inline void restart(uint64_t epoch)
{
    risk_destroy(&risk);
    risk = new_risk();
    for (uint32_t i = 0; i < n_ledger; i++)
        risk_apply(risk, &ledger[i]);
    risk_start(risk, epoch, now, &outbox);
    take();
    for (uint32_t i = 0; i < view_count(view); i++)
        risk_on_market(risk, (int)i, now, &outbox);
    for (uint32_t i = 0; i < n_exec; i++)
        risk_on_exec(risk, &exec_ledger[i], now, &outbox);
    take();
}

/* Begun, and begun again with another setting. */
static inline void begin_with(const char *key, const char *value)
{
    char error[CONFIG_ERROR_MAX];
    begin();
    ck_assert_msg(config_set(&config, key, value, error) == OK, "%s", error);
    restart(2);
    hello("w1", 11);
    exec_beat();
}

static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
