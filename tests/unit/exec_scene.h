/* The hand on a hand-made market, for its tests: two venues, decisions and reports by hand. Everything it writes is
 * kept in `journal`, every order and every question in `sent`, in order. */
#ifndef SLUICE_TESTS_EXEC_SCENE_H
#define SLUICE_TESTS_EXEC_SCENE_H

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "services/exec/exec.h"

enum { JOURNAL_MAX = 512, SENT_MAX = 128, RISK_EPOCH = 7 };

static struct config config;
static struct view *view;
static struct exec *hand;
static struct outbox out;
static struct now now;
static struct message journal[JOURNAL_MAX];
static int n_journal, n_synced;
static struct order sent[SENT_MAX];
static int n_sent, sent_at[SENT_MAX]; /* records written when it was sent */
static uint64_t seq;
static int trades;
static bool market_moves; /* the book is another one after each order */

static inline int append(void *ctx, struct message *m)
{
    (void)ctx;
    ck_assert_int_lt(n_journal, JOURNAL_MAX);
    message_copy(&journal[n_journal++], m);
    return OK;
}

static inline int sync_all(void *ctx)
{
    (void)ctx;
    n_synced = n_journal;
    return OK;
}

static inline void show_book(const char *venue, enum book_state state);

static inline int send_one(void *ctx, enum peer to, struct message *m)
{
    (void)ctx;
    ck_assert_int_eq(to, PEER_VENUE);
    ck_assert_int_lt(n_sent, SENT_MAX);
    sent_at[n_sent] = n_journal;
    sent[n_sent++] = m->order;
    if (market_moves)
        show_book(m->order.venue,
                  quote_live(view_at(view, (uint32_t)view_find(view, "BTC-USDT", m->order.venue)))
                      ? BOOK_LIVE
                      : BOOK_STALE);
    return OK;
}

static inline void settle(void)
{
    struct devices devices = {.append = append, .sync = sync_all, .send = send_one};
    ck_assert_int_eq(effects_run(&out, &devices), OK);
    ck_assert_uint_eq(out.overflows, 0);
}

static inline struct dec d(const char *text)
{
    struct dec v;
    ck_assert_int_eq(dec_parse(text, strlen(text), &v), OK);
    return v;
}

static inline void show_inst(const char *venue, const char *lot, const char *min_notional)
{
    struct message m;
    message_init(&m, MSG_INST);
    strcpy(m.env.stream, "market");
    m.env.epoch = 1;
    strcpy(m.inst.symbol, "BTC-USDT");
    strcpy(m.inst.venue, venue);
    strcpy(m.inst.base, "BTC");
    strcpy(m.inst.quote, "USDT");
    m.inst.kind = KIND_SPOT;
    m.inst.tick = d("0.1");
    m.inst.lot = d(lot);
    m.inst.min_notional = d(min_notional);
    (void)view_apply(view, &m, now);
}

static inline void show_book(const char *venue, enum book_state state)
{
    struct message m;
    message_init(&m, MSG_BOOK);
    strcpy(m.env.stream, "market");
    m.env.epoch = 1;
    m.env.seq = ++seq;
    strcpy(m.book.symbol, "BTC-USDT");
    strcpy(m.book.venue, venue);
    m.book.state = state;
    m.book.recv_time = now.market_ns;
    m.book.price_exp = -1;
    m.book.qty_exp = -3;
    m.book.n_bids = m.book.n_asks = 1;
    m.book.bids[0] = (struct level){1000, 5000};
    m.book.asks[0] = (struct level){1001, 5000};
    ck_assert_int_ge(view_apply(view, &m, now), 0);
}

static inline struct exec *fresh(void)
{
    struct exec *e = exec_new(&(struct exec_options){&config, view, "run-1", 42});
    ck_assert_ptr_nonnull(e);
    return e;
}

static inline void begin(void)
{
    config_defaults(&config);
    strcpy(config.run.account, "paper");
    config.exec.max_attempts = 2;
    config.paper.latency_us = 0;
    config.n_balances = 1;
    strcpy(config.balances[0].venue, "*");
    strcpy(config.balances[0].currency, "*");
    ck_assert(money_parse("1000", 4, &config.balances[0].amount));
    now = (struct now){.market_ns = 1000 * NS_PER_SEC, .mono_ns = 1, .utc_ns = 1};
    n_journal = n_sent = n_synced = trades = 0;
    seq = 0;
    market_moves = true;
    view = view_new(8, 0);
    show_inst("a", "0.001", "5");
    show_inst("b", "0.001", "5");
    show_book("a", BOOK_LIVE);
    show_book("b", BOOK_LIVE);
    ck_assert_int_eq(outbox_open(&out, OUTBOX_CAPACITY), OK);
    hand = fresh();
    exec_start(hand, 1, now, &out);
    settle();
}

static inline void end(void)
{
    exec_destroy(&hand);
    ck_assert_ptr_null(hand);
    outbox_close(&out);
    view_destroy(&view);
}

/* Buys 1 at a for 100.1, sells 1 at b for 100.0. */
static inline struct message decision(uint64_t pos, enum basket_policy policy)
{
    struct message m;
    message_init(&m, MSG_DECISION);
    strcpy(m.env.stream, "risk");
    m.env.epoch = RISK_EPOCH;
    m.env.pos = pos;
    m.env.trace.recv_mono = 77;
    m.decision.verdict = VERDICT_ACCEPT;
    m.decision.kind = INTENT_ENTER;
    m.decision.tif = TIF_IOC;
    m.decision.policy = policy;
    m.decision.slippage_bps = d("20");
    m.decision.deadline = now.market_ns + NS_PER_SEC;
    strcpy(m.decision.route, "BTC-USDT@a:BTC-USDT@b");
    m.decision.n_legs = 2;
    for (int i = 0; i < 2; i++) {
        struct intent_leg *leg = &m.decision.legs[i];
        strcpy(leg->symbol, "BTC-USDT");
        strcpy(leg->venue, i ? "b" : "a");
        leg->side = i ? SIDE_SELL : SIDE_BUY;
        leg->price_exp = -1;
        leg->qty_exp = -3;
        leg->price = leg->book_price = i ? 1000 : 1001;
        leg->qty = 1000;
    }
    return m;
}

static inline void decide(const struct message *m)
{
    exec_on_risk(hand, m, now, &out);
    settle();
}

static inline struct order_report report_of(enum report_kind kind, const struct order *order)
{
    struct order_report r = {.kind = kind, .liquidity = LIQUIDITY_TAKER};
    strcpy(r.venue, order->venue);
    strcpy(r.client_id, order->client_id);
    return r;
}

static inline void report(const struct order_report *r)
{
    exec_on_report(hand, r, now, &out);
    settle();
}

static inline struct order_report fill_of(const struct order *order, const char *qty)
{
    struct order_report r = report_of(REPORT_FILL, order);
    (void)snprintf(r.trade_id, sizeof r.trade_id, "t-%d", ++trades);
    r.price = (struct dec){order->price, order->price_exp};
    r.qty = d(qty);
    r.fee = d("0.01");
    strcpy(r.fee_currency, "USDT");
    return r;
}

static inline void fill(int order, const char *qty)
{
    struct order_report r = fill_of(&sent[order], qty);
    report(&r);
}

static inline void done(int order, const char *filled)
{
    struct order_report r = report_of(REPORT_DONE, &sent[order]);
    r.filled = d(filled);
    report(&r);
}

static inline void reject(int order, enum reason reason)
{
    struct order_report r = report_of(REPORT_REJECT, &sent[order]);
    r.reason = reason;
    report(&r);
}

static inline void pass(int64_t ms)
{
    now.market_ns += ms * NS_PER_MS;
    exec_on_time(hand, now, &out);
    settle();
}

static inline const struct message *last_of(enum message_type type)
{
    for (int i = n_journal - 1; i >= 0; i--) {
        if (journal[i].env.type == type)
            return &journal[i];
    }
    ck_abort_msg("no such record");
    return NULL;
}

static inline int count_of(enum message_type type)
{
    int n = 0;
    for (int i = 0; i < n_journal; i++)
        n += journal[i].env.type == type;
    return n;
}

static inline void expect_basket(enum basket_state state, enum reason reason, bool terminal,
                                 const char *residual)
{
    const struct basket *b = &last_of(MSG_BASKET)->basket;
    ck_assert_str_eq(basket_state_text(b->state), basket_state_text(state));
    ck_assert_str_eq(reason_text(b->reason), reason_text(reason));
    ck_assert_int_eq(b->terminal, terminal);
    ck_assert_int_eq(dec_cmp(b->residual, d(residual)), 0);
    ck_assert_uint_eq(exec_open_baskets(hand), !terminal);
}

static inline void expect_order(int i, const char *id, enum side side, const char *qty, const char *price)
{
    ck_assert_int_lt(i, n_sent);
    ck_assert_str_eq(sent[i].client_id, id);
    ck_assert_int_eq(sent[i].side, side);
    ck_assert_int_eq(dec_cmp((struct dec){sent[i].qty, sent[i].qty_exp}, d(qty)), 0);
    ck_assert_int_eq(dec_cmp((struct dec){sent[i].price, sent[i].price_exp}, d(price)), 0);
}

static inline int64_t figure(const struct exec *e, const char *name)
{
    struct reply reply = {.n_metrics = 0};
    exec_status(e, &reply);
    for (uint32_t i = 0; i < reply.n_metrics; i++) {
        if (strcmp(reply.metrics[i].name, name) == 0)
            return reply.metrics[i].value;
    }
    ck_abort_msg("no figure %s", name);
    return 0;
}

static inline void restart(void)
{
    exec_destroy(&hand);
    hand = fresh();
    for (int i = 0; i < n_journal; i++)
        exec_apply(hand, &journal[i]);
    exec_start(hand, exec_head(hand)->epoch + 1, now, &out);
    settle();
}

#endif
