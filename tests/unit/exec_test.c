/* What the hand promises: a decision becomes one basket, an order is sent once and after it was written, a
 * fill is booked once, and a basket ends whole or in a stated residual. */
#include "services/exec/exec.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

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

/* ---- the world ---------------------------------------------------------------------------------------- */

static int append(void *ctx, struct message *m)
{
    (void)ctx;
    ck_assert_int_lt(n_journal, JOURNAL_MAX);
    message_copy(&journal[n_journal++], m);
    return OK;
}

static int sync_all(void *ctx)
{
    (void)ctx;
    n_synced = n_journal;
    return OK;
}

static void show_book(const char *venue, enum book_state state);

static int send_one(void *ctx, enum peer to, struct message *m)
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

static void settle(void)
{
    struct devices devices = {.append = append, .sync = sync_all, .send = send_one};
    ck_assert_int_eq(effects_run(&out, &devices), OK);
    ck_assert_uint_eq(out.overflows, 0);
}

static struct dec d(const char *text)
{
    struct dec v;
    ck_assert_int_eq(dec_parse(text, strlen(text), &v), OK);
    return v;
}

static void show_inst(const char *venue, const char *lot, const char *min_notional)
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

static void show_book(const char *venue, enum book_state state)
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

static struct exec *fresh(void)
{
    struct exec *e = exec_new(&(struct exec_options){&config, view, "run-1", 42});
    ck_assert_ptr_nonnull(e);
    return e;
}

static void begin(void)
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

static void end(void)
{
    exec_destroy(&hand);
    ck_assert_ptr_null(hand);
    outbox_close(&out);
    view_destroy(&view);
}

/* Buys 1 at a for 100.1, sells 1 at b for 100.0. */
static struct message decision(uint64_t pos, enum basket_policy policy)
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

static void decide(const struct message *m)
{
    exec_on_risk(hand, m, now, &out);
    settle();
}

static struct order_report report_of(enum report_kind kind, const struct order *order)
{
    struct order_report r = {.kind = kind, .liquidity = LIQUIDITY_TAKER};
    strcpy(r.venue, order->venue);
    strcpy(r.client_id, order->client_id);
    return r;
}

static void report(const struct order_report *r)
{
    exec_on_report(hand, r, now, &out);
    settle();
}

static struct order_report fill_of(const struct order *order, const char *qty)
{
    struct order_report r = report_of(REPORT_FILL, order);
    (void)snprintf(r.trade_id, sizeof r.trade_id, "t-%d", ++trades);
    r.price = (struct dec){order->price, order->price_exp};
    r.qty = d(qty);
    r.fee = d("0.01");
    strcpy(r.fee_currency, "USDT");
    return r;
}

static void fill(int order, const char *qty)
{
    struct order_report r = fill_of(&sent[order], qty);
    report(&r);
}

static void done(int order, const char *filled)
{
    struct order_report r = report_of(REPORT_DONE, &sent[order]);
    r.filled = d(filled);
    report(&r);
}

static void reject(int order, enum reason reason)
{
    struct order_report r = report_of(REPORT_REJECT, &sent[order]);
    r.reason = reason;
    report(&r);
}

static void pass(int64_t ms)
{
    now.market_ns += ms * NS_PER_MS;
    exec_on_time(hand, now, &out);
    settle();
}

static const struct message *last_of(enum message_type type)
{
    for (int i = n_journal - 1; i >= 0; i--) {
        if (journal[i].env.type == type)
            return &journal[i];
    }
    ck_abort_msg("no such record");
    return NULL;
}

static int count_of(enum message_type type)
{
    int n = 0;
    for (int i = 0; i < n_journal; i++)
        n += journal[i].env.type == type;
    return n;
}

static void expect_basket(enum basket_state state, enum reason reason, bool terminal, const char *residual)
{
    const struct basket *b = &last_of(MSG_BASKET)->basket;
    ck_assert_str_eq(basket_state_text(b->state), basket_state_text(state));
    ck_assert_str_eq(reason_text(b->reason), reason_text(reason));
    ck_assert_int_eq(b->terminal, terminal);
    ck_assert_int_eq(dec_cmp(b->residual, d(residual)), 0);
    ck_assert_uint_eq(exec_open_baskets(hand), !terminal);
}

static void expect_order(int i, const char *id, enum side side, const char *qty, const char *price)
{
    ck_assert_int_lt(i, n_sent);
    ck_assert_str_eq(sent[i].client_id, id);
    ck_assert_int_eq(sent[i].side, side);
    ck_assert_int_eq(dec_cmp((struct dec){sent[i].qty, sent[i].qty_exp}, d(qty)), 0);
    ck_assert_int_eq(dec_cmp((struct dec){sent[i].price, sent[i].price_exp}, d(price)), 0);
}

static int64_t figure(const struct exec *e, const char *name)
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

static void restart(void)
{
    exec_destroy(&hand);
    hand = fresh();
    for (int i = 0; i < n_journal; i++)
        exec_apply(hand, &journal[i]);
    exec_start(hand, exec_head(hand)->epoch + 1, now, &out);
    settle();
}

/* ---- one basket --------------------------------------------------------------------------------------- */

START_TEST(a_basket_is_written_whole_before_its_first_order_is_sent)
{
    struct message m = decision(5, POLICY_COMPLETE);
    int before = n_journal + 1; /* the first of a new epoch of risk: how far it is taken */
    decide(&m);
    ck_assert_int_eq(n_journal, before + 3);
    ck_assert_int_eq(journal[before].env.type, MSG_BASKET);
    ck_assert_int_eq(journal[before].basket.state, BASKET_OPEN);
    ck_assert_uint_eq(journal[before].basket.n_legs, 2);
    ck_assert_int_eq(journal[before].env.trace.recv_mono, 77);
    ck_assert_int_eq(n_sent, 2);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(journal[before + 1 + i].order.state, ORDER_PENDING_NEW);
        ck_assert_int_eq(sent_at[i], n_journal);
    }
    expect_order(0, "paper-7-5-0-0", SIDE_BUY, "1", "100.1");
    expect_order(1, "paper-7-5-1-0", SIDE_SELL, "1", "100");
}
END_TEST

/* Of the whole basket, by what journal.sync and run.mode say. */
START_TEST(it_is_on_disk_before_its_first_order_is_sent_but_where_paper_syncs_never)
{
    static const struct {
        const char *mode, *sync;
        bool synced;
    } cases[] = {{"paper", "100", true}, {"paper", "never", false}, {"live", "never", true}};
    for (int i = 0; i < 3; i++) {
        struct message m = decision((uint64_t)i + 5, POLICY_COMPLETE);
        strcpy(config.run.mode, cases[i].mode);
        strcpy(config.journal.sync, cases[i].sync);
        restart();
        n_synced = n_sent = 0;
        decide(&m);
        ck_assert_int_eq(n_sent, 2);
        ck_assert_int_eq(n_synced, cases[i].synced ? n_journal : 0);
        fill(0, "1");
        fill(1, "1");
    }
}
END_TEST

START_TEST(both_legs_filled_is_done)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    struct order_report ack = report_of(REPORT_ACK, &sent[0]);
    strcpy(ack.venue_id, "a-o1");
    report(&ack);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.state, ORDER_NEW);
    ck_assert_str_eq(last_of(MSG_ORDER)->order.venue_id, "a-o1");
    fill(0, "0.4");
    ck_assert_int_eq(last_of(MSG_ORDER)->order.state, ORDER_PARTIALLY_FILLED);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.filled, 400);
    fill(0, "0.6");
    ck_assert_int_eq(last_of(MSG_ORDER)->order.state, ORDER_FILLED);
    ck_assert_uint_eq(exec_open_baskets(hand), 1);
    fill(1, "1");
    expect_basket(BASKET_DONE, REASON_NONE, true, "0");
    ck_assert_uint_eq(last_of(MSG_BASKET)->basket.n_legs, 0);
    ck_assert_int_eq(count_of(MSG_FILL), 3);
    const struct fill *f = &last_of(MSG_FILL)->fill;
    ck_assert_str_eq(f->base, "BTC");
    ck_assert_str_eq(f->quote, "USDT");
    ck_assert_int_eq(f->kind, KIND_SPOT);
    ck_assert_int_eq(f->decided_price, 1000);
    ck_assert_int_eq(dec_cmp(f->fx, d("1")), 0);
    ck_assert_str_eq(f->trade_id, "t-3");
    ck_assert_int_eq(figure(hand, "net_cash_micro"), -130000); /* -100.1 + 100 - 0.03 */
}
END_TEST

START_TEST(after_a_basket_the_balances_it_touched_are_told)
{
    exec_on_market(hand, 0, now, &out);
    exec_on_market(hand, 0, now, &out);
    exec_on_market(hand, 1, now, &out);
    settle();
    ck_assert_int_eq(count_of(MSG_ADJUST), 4);
    ck_assert_str_eq(last_of(MSG_ADJUST)->adjust.cause, "paper start balance");
    restart();
    exec_on_market(hand, 0, now, &out);
    settle();
    ck_assert_int_eq(count_of(MSG_ADJUST), 4);
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(0, "1");
    fill(1, "1");
    static const char *const told[] = {"a BTC 1001", "a USDT 899.89", "b BTC 999", "b USDT 1099.99"};
    ck_assert_int_eq(count_of(MSG_BALANCE), 4);
    for (int i = 0; i < 4; i++) {
        const struct balance *b = &journal[n_journal - 4 + i].balance;
        char total[MONEY_TEXT_MAX], text[128];
        money_format(b->total, total);
        (void)snprintf(text, sizeof text, "%s %s %s", b->venue, b->currency, total);
        ck_assert_str_eq(text, told[i]);
    }
}
END_TEST

START_TEST(the_leg_behind_is_completed_within_the_budget)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(0, "1");
    fill(1, "0.3");
    done(1, "0.3");
    expect_basket(BASKET_COMPLETING, REASON_NO_LIQUIDITY, false, "0.7");
    expect_order(2, "paper-7-5-1-1", SIDE_SELL, "0.7", "99.8"); /* 100 less 20 bps */
    fill(2, "0.7");
    expect_basket(BASKET_DONE, REASON_NONE, true, "0");
}
END_TEST

START_TEST(completing_goes_on_as_long_as_attempts_are_left)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    done(0, "0");
    fill(1, "1");
    expect_order(2, "paper-7-5-0-1", SIDE_BUY, "1", "100.3"); /* 100.1 and 20 bps, down to the tick */
    fill(2, "0.5");
    done(2, "0.5");
    expect_order(3, "paper-7-5-0-2", SIDE_BUY, "0.5", "100.3");
    fill(3, "0.5");
    expect_basket(BASKET_DONE, REASON_NONE, true, "0");
}
END_TEST

START_TEST(an_order_after_another_waits_for_another_book_or_a_quarter_of_a_second)
{
    struct message m = decision(5, POLICY_COMPLETE);
    market_moves = false;
    decide(&m);
    fill(0, "1");
    done(1, "0");
    pass(100);
    ck_assert_int_eq(n_sent, 2);
    show_book("a", BOOK_LIVE); /* not the one that matters */
    pass(0);
    ck_assert_int_eq(n_sent, 2);
    show_book("b", BOOK_LIVE);
    pass(0);
    ck_assert_int_eq(n_sent, 3);
    done(2, "0");
    pass(249);
    ck_assert_int_eq(n_sent, 3);
    pass(1);
    ck_assert_int_eq(n_sent, 4);
}
END_TEST

START_TEST(what_cannot_be_completed_is_unwound)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(0, "1");
    done(1, "0");
    done(2, "0");
    done(3, "0");
    expect_basket(BASKET_UNWINDING, REASON_NO_LIQUIDITY, false, "1");
    expect_order(4, "paper-7-5-0-1", SIDE_SELL, "1", "99.8"); /* the live bid less 20 bps */
    fill(4, "1");
    expect_basket(BASKET_FLAT, REASON_NO_LIQUIDITY, true, "0");
}
END_TEST

START_TEST(what_cannot_be_unwound_is_parked_with_its_residual)
{
    struct message m = decision(5, POLICY_UNWIND);
    decide(&m);
    reject(0, REASON_NO_BALANCE);
    fill(1, "0.5");
    done(1, "0.5");
    expect_order(2, "paper-7-5-1-1", SIDE_BUY, "0.5", "100.3");
    fill(2, "0.2");
    done(2, "0.2");
    done(3, "0");
    expect_basket(BASKET_PARKED, REASON_SLIPPAGE_BUDGET, true, "-0.3");
    ck_assert_int_eq(figure(hand, "parked"), 1);
    ck_assert_int_eq(count_of(MSG_BALANCE), 2); /* only where something was filled */
}
END_TEST

START_TEST(policy_park_sends_nothing_more)
{
    struct message m = decision(5, POLICY_PARK);
    decide(&m);
    fill(0, "1");
    reject(1, REASON_VENUE_REJECT);
    expect_basket(BASKET_PARKED, REASON_VENUE_REJECT, true, "1");
    ck_assert_int_eq(n_sent, 2);
}
END_TEST

START_TEST(equal_parts_of_both_legs_need_nothing_more)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(0, "0.6");
    done(0, "0.6");
    fill(1, "0.6");
    done(1, "0.6");
    expect_basket(BASKET_DONE, REASON_NO_LIQUIDITY, true, "0");
    ck_assert_int_eq(n_sent, 2);
}
END_TEST

START_TEST(nothing_filled_at_all_is_flat)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    reject(1, REASON_NO_BALANCE);
    done(0, "0");
    expect_basket(BASKET_FLAT, REASON_NO_LIQUIDITY, true, "0");
    ck_assert_int_eq(count_of(MSG_BALANCE), 0);
}
END_TEST

START_TEST(what_is_too_small_to_order_is_left_and_said)
{
    struct message m = decision(5, POLICY_COMPLETE);
    show_inst("b", "0.01", "5");
    decide(&m);
    fill(0, "1");
    fill(1, "0.991");
    done(1, "0.991");
    expect_basket(BASKET_DONE, REASON_NONE, true, "0.009");
    m = decision(6, POLICY_COMPLETE);
    decide(&m);
    fill(2, "0.04"); /* 4 USDT: below the smallest order on either side */
    done(2, "0.04");
    done(3, "0");
    expect_basket(BASKET_DONE, REASON_NO_LIQUIDITY, true, "0.04");
    ck_assert_int_eq(n_sent, 4);
}
END_TEST

START_TEST(what_is_too_small_to_complete_may_be_unwound)
{
    struct message m = decision(5, POLICY_COMPLETE);
    show_inst("a", "0.001", "1");
    decide(&m);
    fill(0, "0.04");
    done(0, "0.04");
    done(1, "0");
    expect_basket(BASKET_UNWINDING, REASON_NO_LIQUIDITY, false, "0.04");
    expect_order(2, "paper-7-5-0-1", SIDE_SELL, "0.04", "99.8");
    fill(2, "0.04");
    expect_basket(BASKET_FLAT, REASON_NO_LIQUIDITY, true, "0");
}
END_TEST

START_TEST(legs_of_unequal_size_are_held_to_their_proportion)
{
    struct message m = decision(5, POLICY_COMPLETE);
    m.decision.legs[1].qty = 500;
    decide(&m);
    fill(0, "0.8");
    done(0, "0.8");
    fill(1, "0.1");
    done(1, "0.1");
    expect_order(2, "paper-7-5-1-1", SIDE_SELL, "0.3", "99.8");
    fill(2, "0.3");
    expect_basket(BASKET_DONE, REASON_NO_LIQUIDITY, true, "0");
}
END_TEST

START_TEST(on_a_stale_book_it_waits_and_then_parks)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    show_book("b", BOOK_STALE);
    fill(0, "1");
    done(1, "0");
    expect_basket(BASKET_COMPLETING, REASON_NO_LIQUIDITY, false, "1");
    pass(1000);
    ck_assert_int_eq(n_sent, 2);
    show_book("b", BOOK_LIVE);
    pass(1);
    ck_assert_int_eq(n_sent, 3);
    show_book("b", BOOK_STALE);
    done(2, "0");
    pass(1999);
    expect_basket(BASKET_COMPLETING, REASON_NO_LIQUIDITY, false, "1");
    pass(1);
    expect_basket(BASKET_PARKED, REASON_DATA_STALE, true, "1");
}
END_TEST

START_TEST(what_is_finer_than_the_order_widens_it)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(0, "0.12345678");
    ck_assert_int_eq(last_of(MSG_ORDER)->order.qty_exp, -8);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.filled, 12345678);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.qty, 100000000);
    done(0, "0.12345678");
    fill(1, "0.123");
    done(1, "0.123");
    expect_basket(BASKET_DONE, REASON_NO_LIQUIDITY, true, "0.00045678");
}
END_TEST

/* ---- what is refused ---------------------------------------------------------------------------------- */

static void expect_refused(const struct message *m, enum reason reason)
{
    decide(m);
    expect_basket(BASKET_EXPIRED, reason, true, "0");
    ck_assert_uint_eq(last_of(MSG_BASKET)->basket.risk_pos, m->env.pos);
    ck_assert_int_eq(n_sent, 0);
}

START_TEST(what_is_late_is_never_sent)
{
    struct message m = decision(5, POLICY_COMPLETE);
    m.decision.deadline = now.market_ns - 1;
    expect_refused(&m, REASON_DEADLINE);
    m = decision(6, POLICY_COMPLETE);
    m.decision.deadline = now.market_ns;
    decide(&m);
    ck_assert_int_eq(n_sent, 2);
}
END_TEST

START_TEST(without_market_time_nothing_is_sent)
{
    struct message m = decision(5, POLICY_COMPLETE);
    now.market_ns = 0;
    expect_refused(&m, REASON_DATA_STALE);
}
END_TEST

START_TEST(what_is_not_sound_is_refused_with_its_reason)
{
    struct message m = decision(5, POLICY_COMPLETE);
    strcpy(m.decision.legs[1].venue, "c");
    expect_refused(&m, REASON_UNKNOWN_INSTRUMENT);
    m = decision(6, POLICY_COMPLETE);
    m.decision.legs[1].qty = 0;
    expect_refused(&m, REASON_MALFORMED);
    m = decision(7, POLICY_COMPLETE);
    m.decision.n_legs = 0;
    expect_refused(&m, REASON_MALFORMED);
    m = decision(8, POLICY_COMPLETE);
    m.decision.legs[0].qty = INT64_MAX;
    m.decision.legs[0].qty_exp = 12;
    expect_refused(&m, REASON_OVERFLOW);
    m = decision(9, POLICY_COMPLETE);
    m.decision.legs[0].qty = INT64_MAX;
    m.decision.legs[0].price = INT64_MAX;
    expect_refused(&m, REASON_OVERFLOW);
}
END_TEST

START_TEST(once_draining_nothing_new_is_taken_and_what_is_open_goes_on)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    ck_assert_int_eq(exec_on_control(hand, VERB_DRAIN, "", now, &out), CONTROL_DONE);
    m = decision(6, POLICY_COMPLETE);
    decide(&m);
    ck_assert_int_eq(last_of(MSG_BASKET)->basket.reason, REASON_STOPPING);
    fill(0, "1");
    done(1, "0");
    ck_assert_int_eq(n_sent, 3);
    fill(2, "1");
    expect_basket(BASKET_DONE, REASON_NONE, true, "0");
    ck_assert_int_eq(exec_on_control(hand, VERB_STOP, "", now, &out), CONTROL_DONE);
    ck_assert_int_eq(exec_on_control(hand, VERB_STOP, "", now, &out), CONTROL_DONE);
    settle();
    ck_assert_int_eq(last_of(MSG_SESSION)->session.event, SESSION_STOP);
    ck_assert_int_eq(count_of(MSG_SESSION), 2);
    ck_assert_int_eq(exec_on_control(hand, VERB_HALT, "", now, &out), CONTROL_UNKNOWN_VERB);
}
END_TEST

START_TEST(only_accepted_decisions_are_orders)
{
    struct message m = decision(5, POLICY_COMPLETE);
    m.decision.verdict = VERDICT_REJECT;
    decide(&m);
    m.decision.verdict = VERDICT_COOL;
    m.env.pos = 6;
    decide(&m);
    ck_assert_int_eq(n_sent, 0);
    ck_assert_int_eq(figure(hand, "risk_pos"), 6);
    m.decision.verdict = VERDICT_LESS;
    m.env.pos = 7;
    decide(&m);
    ck_assert_int_eq(n_sent, 2);
}
END_TEST

START_TEST(a_decision_is_acted_on_once)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    decide(&m);
    ck_assert_int_eq(n_sent, 2);
    restart();
    n_sent = 0;
    decide(&m);
    m = decision(4, POLICY_COMPLETE);
    decide(&m);
    ck_assert_int_eq(n_sent, 0);
    ck_assert_int_eq(figure(hand, "decisions_skipped"), 2);
    uint64_t epoch, pos;
    exec_upstream(hand, &epoch, &pos);
    ck_assert_uint_eq(epoch, RISK_EPOCH);
    ck_assert_uint_eq(pos, 5);
    m = decision(3, POLICY_COMPLETE);
    m.env.epoch = RISK_EPOCH + 1;
    decide(&m);
    ck_assert_int_eq(n_sent, 2);
    m = decision(9, POLICY_COMPLETE);
    decide(&m);
    ck_assert_int_eq(n_sent, 2);
    ck_assert_int_eq(figure(hand, "decisions_fenced"), 1);
}
END_TEST

/* ---- reports in any order ----------------------------------------------------------------------------- */

START_TEST(a_trade_told_twice_is_booked_once)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    struct order_report r = fill_of(&sent[0], "0.5");
    report(&r);
    report(&r);
    ck_assert_int_eq(count_of(MSG_FILL), 1);
    restart();
    report(&r);
    ck_assert_int_eq(count_of(MSG_FILL), 1);
    ck_assert_int_eq(figure(hand, "repeated_trades"), 1);
}
END_TEST

START_TEST(reports_of_nobody_are_counted_and_change_nothing)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    int before = n_journal;
    struct order_report r = fill_of(&sent[0], "0.5");
    strcpy(r.client_id, "paper-7-6-0-0");
    report(&r);
    r = fill_of(&sent[0], "0.5");
    strcpy(r.venue, "b");
    report(&r);
    ck_assert_int_eq(figure(hand, "unknown_reports"), 2);
    r = fill_of(&sent[0], "-1");
    report(&r);
    r = fill_of(&sent[0], "1");
    r.trade_id[0] = '\0';
    report(&r);
    ck_assert_int_eq(figure(hand, "malformed_reports"), 2);
    ck_assert_int_eq(n_journal, before);
}
END_TEST

START_TEST(an_order_is_not_over_before_all_its_fills_are_there)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(1, "1");
    done(0, "1");
    expect_basket(BASKET_OPEN, REASON_NONE, false, "0");
    ck_assert_int_eq(n_sent, 2);
    pass(999);
    ck_assert_int_eq(n_sent, 2);
    pass(1); /* the fill was lost: what became of it? */
    ck_assert_int_eq(n_sent, 3);
    ck_assert_int_eq(sent[2].state, ORDER_UNKNOWN);
    ck_assert_str_eq(sent[2].client_id, sent[0].client_id);
    fill(0, "1");
    expect_basket(BASKET_DONE, REASON_NONE, true, "0");
}
END_TEST

START_TEST(an_order_that_says_nothing_is_asked_for_again_and_again)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(1, "1");
    pass(1000);
    ck_assert_int_eq(n_sent, 3);
    int before = n_journal;
    pass(1000);
    ck_assert_int_eq(n_sent, 4);
    ck_assert_int_eq(sent[3].state, ORDER_UNKNOWN);
    ck_assert_int_eq(n_journal, before);
}
END_TEST

static void not_found(int order)
{
    struct order_report r = report_of(REPORT_NOT_FOUND, &sent[order]);
    report(&r);
}

START_TEST(not_found_counts_when_it_is_said_twice_after_the_order_can_no_more_be_on_its_way)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(1, "1");
    pass(1000);
    not_found(0);
    pass(999); /* the deadline is in a second, and then it may take as long as an answer may */
    not_found(0);
    not_found(0);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.state, ORDER_UNKNOWN);
    pass(1);
    not_found(0);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.state, ORDER_UNKNOWN);
    int before = n_sent;
    pass(1000);
    ck_assert_int_eq(n_sent, before + 1);
    ck_assert_int_eq(sent[before].state, ORDER_UNKNOWN);
    not_found(0);
    ck_assert_int_eq(last_of(MSG_BASKET)->basket.state, BASKET_COMPLETING);
    expect_order(before + 1, "paper-7-5-0-1", SIDE_BUY, "1", "100.3");
}
END_TEST

/* Both orders of a basket are given up: the venue does not have them. */
static void give_up(void)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    pass(2000);
    for (int times = 0; times < 2; times++) {
        not_found(0);
        not_found(1);
        pass(1000);
    }
    expect_basket(BASKET_FLAT, REASON_VENUE_DOWN, true, "0");
}

START_TEST(an_order_that_is_found_after_all_is_open_again_and_asked_for_until_it_ends)
{
    give_up();
    struct order_report r = report_of(REPORT_ACK, &sent[1]);
    report(&r);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.state, ORDER_NEW);
    ck_assert_int_eq(figure(hand, "orders_reopened"), 1);
    ck_assert_int_eq(figure(hand, "orders_open"), 1);
    int before = n_sent;
    pass(1000);
    ck_assert_int_eq(n_sent, before + 1);
    ck_assert_str_eq(sent[before].client_id, sent[1].client_id);
    restart();
    ck_assert_int_eq(n_sent, before + 2);
    fill(1, "0.5");
    expect_basket(BASKET_PARKED, REASON_VENUE_DOWN, true, "-0.5");
    ck_assert_int_eq(figure(hand, "orders_open"), 1);
    done(1, "0.5");
    ck_assert_int_eq(figure(hand, "orders_open"), 0);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.state, ORDER_CANCELED);
}
END_TEST

START_TEST(a_fill_of_an_order_that_was_given_up_opens_it_again)
{
    give_up();
    fill(0, "0.25");
    ck_assert_int_eq(last_of(MSG_POSITION)->position.market_time, now.market_ns);
    ck_assert_int_eq(figure(hand, "orders_reopened"), 1);
    ck_assert_int_eq(figure(hand, "orders_open"), 1);
    expect_basket(BASKET_PARKED, REASON_VENUE_DOWN, true, "0.25");
    fill(0, "0.75");
    ck_assert_int_eq(figure(hand, "orders_open"), 0);
    expect_basket(BASKET_PARKED, REASON_VENUE_DOWN, true, "1");
}
END_TEST

START_TEST(what_a_venue_refused_stays_refused)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    reject(0, REASON_NO_BALANCE);
    struct order_report r = report_of(REPORT_ACK, &sent[0]);
    report(&r);
    ck_assert_int_eq(figure(hand, "orders_reopened"), 0);
    ck_assert_int_eq(figure(hand, "ignored_events"), 1);
}
END_TEST

START_TEST(not_found_means_nothing_unless_it_was_asked)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    int before = n_journal;
    struct order_report r = report_of(REPORT_NOT_FOUND, &sent[0]);
    report(&r);
    ck_assert_int_eq(n_journal, before);
    ck_assert_int_eq(figure(hand, "ignored_events"), 1);
}
END_TEST

START_TEST(a_late_fill_is_booked_and_what_it_leaves_is_parked)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    reject(0, REASON_VENUE_REJECT);
    reject(1, REASON_VENUE_REJECT);
    expect_basket(BASKET_FLAT, REASON_VENUE_REJECT, true, "0");
    fill(1, "0.25");
    ck_assert_int_eq(count_of(MSG_FILL), 1);
    ck_assert_int_eq(figure(hand, "late_fills"), 1);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.state, ORDER_CANCELED);
    ck_assert_int_eq(last_of(MSG_ORDER)->order.filled, 250);
    expect_basket(BASKET_PARKED, REASON_VENUE_REJECT, true, "-0.25");
    int baskets = count_of(MSG_BASKET);
    done(1, "0.25");
    ck_assert_int_eq(count_of(MSG_BASKET), baskets);
    fill(0, "0.25");
    expect_basket(BASKET_DONE, REASON_VENUE_REJECT, true, "0");
}
END_TEST

START_TEST(more_than_was_ordered_is_booked_and_unwound)
{
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(0, "1.5");
    ck_assert_int_eq(figure(hand, "overfills"), 1);
    fill(1, "1");
    expect_basket(BASKET_UNWINDING, REASON_NONE, false, "0.5");
    expect_order(2, "paper-7-5-0-1", SIDE_SELL, "0.5", "99.8");
}
END_TEST

/* ---- life --------------------------------------------------------------------------------------------- */

START_TEST(a_life_begins_with_its_epoch_and_asks_for_what_was_open)
{
    ck_assert_int_eq(journal[0].env.type, MSG_EPOCH);
    ck_assert_uint_eq(journal[0].env.pos, 1);
    ck_assert_uint_eq(journal[0].epoch.base_pos, 0);
    ck_assert_int_eq(journal[1].session.event, SESSION_START);
    struct message m = decision(5, POLICY_COMPLETE);
    decide(&m);
    fill(0, "1");
    int before = n_journal;
    restart();
    ck_assert_int_eq(journal[before].env.type, MSG_EPOCH);
    ck_assert_uint_eq(journal[before].env.epoch, 2);
    ck_assert_uint_eq(journal[before].env.pos, (uint64_t)before + 1);
    ck_assert_uint_eq(journal[before].epoch.base_epoch, 1);
    ck_assert_uint_eq(journal[before].epoch.base_pos, (uint64_t)before);
    ck_assert_int_eq(journal[before + 1].session.event, SESSION_RESUME);
    ck_assert_int_eq(journal[before + 2].order.state, ORDER_UNKNOWN);
    ck_assert_int_eq(n_sent, 3);
    ck_assert_str_eq(sent[2].client_id, sent[1].client_id);
    fill(1, "1");
    expect_basket(BASKET_DONE, REASON_NONE, true, "0");
}
END_TEST

START_TEST(more_open_orders_than_one_input_has_room_for_are_asked_for_in_turn)
{
    for (uint64_t pos = 1; pos <= 150; pos++) {
        struct message m = decision(pos, POLICY_COMPLETE);
        n_sent = 0;
        exec_on_risk(hand, &m, now, &out);
        struct devices devices = {.send = send_one};
        ck_assert_int_eq(effects_run(&out, &devices), OK);
    }
    ck_assert_int_eq(figure(hand, "orders_open"), 300);
    /* All of them say nothing for a second. */
    now.market_ns += NS_PER_SEC;
    int asked = 0;
    for (int i = 0; i < 10; i++) {
        n_sent = 0;
        exec_on_time(hand, now, &out);
        ck_assert_uint_le(out.n_messages, OUTBOX_PER_INPUT_MAX);
        for (uint32_t e = 0; e < out.n_effects; e++)
            asked += out.effects[e].kind == EFFECT_SEND;
        struct devices devices = {0};
        ck_assert_int_eq(effects_run(&out, &devices), OK);
    }
    ck_assert_int_eq(asked, 300);
}
END_TEST

START_TEST(finished_baskets_are_forgotten_when_room_is_needed)
{
    struct devices devices = {.send = send_one};
    for (uint64_t pos = 1; pos <= 9000; pos++) {
        struct message m = decision(pos, POLICY_COMPLETE);
        n_sent = 0;
        exec_on_risk(hand, &m, now, &out);
        ck_assert_int_eq(effects_run(&out, &devices), OK);
        ck_assert_int_eq(n_sent, 2);
        for (int i = 0; i < 2; i++) {
            struct order_report r = fill_of(&sent[i], "1");
            exec_on_report(hand, &r, now, &out);
        }
        ck_assert_int_eq(effects_run(&out, &devices), OK);
        ck_assert_uint_eq(exec_open_baskets(hand), 0);
    }
    ck_assert_int_eq(figure(hand, "fills"), 18000);
    ck_assert_int_gt(figure(hand, "baskets_forgotten"), 4000);
}
END_TEST

START_TEST(client_ids_fit_every_venue)
{
    struct message m = decision(UINT64_MAX - 1, POLICY_COMPLETE);
    strcpy(config.run.account, "my account/0123");
    m.env.epoch = UINT64_MAX;
    decide(&m);
    ck_assert_str_eq(sent[0].client_id, "my_-3w5e11264sgsf-3w5e11264sgse-0-0");
    ck_assert_uint_le(strlen(sent[0].client_id), 35);
    ck_assert_str_ne(sent[0].client_id, sent[1].client_id);
}
END_TEST

int main(void)
{
    TCase *promises = tcase_create("promises");
    tcase_set_timeout(promises, 60);
    tcase_add_checked_fixture(promises, begin, end);
    tcase_add_test(promises, a_basket_is_written_whole_before_its_first_order_is_sent);
    tcase_add_test(promises, it_is_on_disk_before_its_first_order_is_sent_but_where_paper_syncs_never);
    tcase_add_test(promises, both_legs_filled_is_done);
    tcase_add_test(promises, after_a_basket_the_balances_it_touched_are_told);
    tcase_add_test(promises, the_leg_behind_is_completed_within_the_budget);
    tcase_add_test(promises, completing_goes_on_as_long_as_attempts_are_left);
    tcase_add_test(promises, an_order_after_another_waits_for_another_book_or_a_quarter_of_a_second);
    tcase_add_test(promises, what_cannot_be_completed_is_unwound);
    tcase_add_test(promises, what_cannot_be_unwound_is_parked_with_its_residual);
    tcase_add_test(promises, policy_park_sends_nothing_more);
    tcase_add_test(promises, equal_parts_of_both_legs_need_nothing_more);
    tcase_add_test(promises, nothing_filled_at_all_is_flat);
    tcase_add_test(promises, what_is_too_small_to_order_is_left_and_said);
    tcase_add_test(promises, what_is_too_small_to_complete_may_be_unwound);
    tcase_add_test(promises, legs_of_unequal_size_are_held_to_their_proportion);
    tcase_add_test(promises, on_a_stale_book_it_waits_and_then_parks);
    tcase_add_test(promises, what_is_finer_than_the_order_widens_it);
    tcase_add_test(promises, what_is_late_is_never_sent);
    tcase_add_test(promises, without_market_time_nothing_is_sent);
    tcase_add_test(promises, what_is_not_sound_is_refused_with_its_reason);
    tcase_add_test(promises, once_draining_nothing_new_is_taken_and_what_is_open_goes_on);
    tcase_add_test(promises, only_accepted_decisions_are_orders);
    tcase_add_test(promises, a_decision_is_acted_on_once);
    tcase_add_test(promises, a_trade_told_twice_is_booked_once);
    tcase_add_test(promises, reports_of_nobody_are_counted_and_change_nothing);
    tcase_add_test(promises, an_order_is_not_over_before_all_its_fills_are_there);
    tcase_add_test(promises, an_order_that_says_nothing_is_asked_for_again_and_again);
    tcase_add_test(promises, not_found_means_nothing_unless_it_was_asked);
    tcase_add_test(promises,
                   not_found_counts_when_it_is_said_twice_after_the_order_can_no_more_be_on_its_way);
    tcase_add_test(promises, an_order_that_is_found_after_all_is_open_again_and_asked_for_until_it_ends);
    tcase_add_test(promises, a_fill_of_an_order_that_was_given_up_opens_it_again);
    tcase_add_test(promises, what_a_venue_refused_stays_refused);
    tcase_add_test(promises, a_late_fill_is_booked_and_what_it_leaves_is_parked);
    tcase_add_test(promises, more_than_was_ordered_is_booked_and_unwound);
    tcase_add_test(promises, a_life_begins_with_its_epoch_and_asks_for_what_was_open);
    tcase_add_test(promises, more_open_orders_than_one_input_has_room_for_are_asked_for_in_turn);
    tcase_add_test(promises, finished_baskets_are_forgotten_when_room_is_needed);
    tcase_add_test(promises, client_ids_fit_every_venue);
    Suite *suite = suite_create("exec");
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
