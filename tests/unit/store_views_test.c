/* The views, on figures that can be checked by hand: they say the same in SQLite and in Postgres. */
#include <math.h>

#include "tests/unit/store_fixture.h"

#define NS      INT64_C(1000000000)
#define DAY_ONE (INT64_C(1767225600) * NS) /* 2026-01-01 00:00 UTC */
#define HOUR    (3600 * NS)

static uint64_t pos;

static struct message *record(enum message_type type, const char *stream, int64_t ts_ns)
{
    message_init(m, type);
    text_set(m->env.stream, sizeof m->env.stream, stream);
    m->env.epoch = 1;
    m->env.pos = ++pos;
    m->env.time_out = ts_ns;
    return m;
}

static void add(void)
{
    ck_assert_msg(store_add(store, RUN, m) == OK, "%s", store_error(store));
}

static void commit_all(void)
{
    ck_assert_msg(store_commit(store, RUN, NULL, 0) == OK, "%s", store_error(store));
}

/* The first row of a query as `a|b|c`: numbers are written in the shortest form that is good to 9 digits behind the
 * point, so that both databases write them alike. */
static int take_row(void *ctx, int columns, const char *const *names, const char *const *values)
{
    char *out = ctx;
    (void)names;
    if (*out)
        strcat(out, " ; ");
    for (int i = 0; i < columns; i++) {
        char *end = NULL, text[128];
        double number = values[i] ? strtod(values[i], &end) : 0;
        if (values[i] && *values[i] && *end == '\0')
            (void)snprintf(text, sizeof text, "%.15g", round(number * 1e9) / 1e9);
        else
            (void)snprintf(text, sizeof text, "%.100s", values[i] ? values[i] : "NULL");
        (void)sprintf(out + strlen(out), "%s%s", i ? "|" : "", text);
    }
    return OK;
}

static void assert_rows(const char *sql, const char *expected)
{
    char rows[4096] = "";
    ck_assert_msg(store_query(store, sql, NULL, 0, take_row, rows) == OK, "%s: %s", sql, store_error(store));
    ck_assert_str_eq(rows, expected);
}

static void fill(int64_t ts_ns, const char *venue, const char *symbol, const char *quote, enum side side,
                 int64_t cents, int64_t milli, struct dec fee, const char *fee_currency, struct dec fx)
{
    struct fill *f = &record(MSG_FILL, "exec", ts_ns)->fill;
    text_set(f->route, sizeof f->route, "r1");
    text_set(f->venue, sizeof f->venue, venue);
    text_set(f->symbol, sizeof f->symbol, symbol);
    text_set(f->base, sizeof f->base, "BTC");
    text_set(f->quote, sizeof f->quote, quote);
    text_set(f->fee_currency, sizeof f->fee_currency, fee_currency);
    (void)snprintf(f->trade_id, sizeof f->trade_id, "t%" PRIu64, pos);
    f->side = side;
    f->liquidity = LIQUIDITY_TAKER;
    f->kind = KIND_SPOT;
    f->price_exp = -2;
    f->price = cents;
    f->qty_exp = -3;
    f->qty = milli;
    f->fee = fee;
    f->fx = fx;
    add();
}

static void mark(const char *venue, const char *symbol, const char *base, const char *quote, int64_t bid,
                 int64_t ask)
{
    struct quote *q = calloc(1, sizeof *q);
    text_set(q->symbol, sizeof q->symbol, symbol);
    text_set(q->venue, sizeof q->venue, venue);
    text_set(q->inst.base, sizeof q->inst.base, base);
    text_set(q->inst.quote, sizeof q->inst.quote, quote);
    q->book.price_exp = -2;
    q->book.n_bids = bid != 0;
    q->book.n_asks = ask != 0;
    q->book.bids[0].price = bid;
    q->book.asks[0].price = ask;
    ck_assert_int_eq(store_mark(store, RUN, q), OK);
    free(q);
}

static void reporting_in(const char *currency)
{
    record(MSG_LIMITS, "risk", DAY_ONE);
    text_set(m->limits.currency, sizeof m->limits.currency, currency);
    add();
}

#define PNL                                                                                                  \
    "SELECT route, day, fills, fills_without_fx, unmarked, volume, fees, realised, open, net FROM pnl "      \
    "WHERE run = '" RUN "' ORDER BY route, day"

START_TEST(pnl_is_what_was_closed_at_average_prices_and_what_is_open_at_the_marks)
{
    const struct dec one = {1, 0};
    reporting_in("USDT");
    /* Bought 2 at 100 and 110 (average 105), sold 1 at 120: 15 realised. 1 is left, marked at 130: 25 open.
     * Fees: 0.1 USDT, and 0.001 BTC at 120 = 0.12. */
    fill(DAY_ONE, "alfa", "BTC-USDT", "USDT", SIDE_BUY, 10000, 1000, (struct dec){1, -1}, "USDT", one);
    fill(DAY_ONE + HOUR, "alfa", "BTC-USDT", "USDT", SIDE_BUY, 11000, 1000, (struct dec){0, 0}, "USDT", one);
    fill(DAY_ONE + 2 * HOUR, "alfa", "BTC-USDT", "USDT", SIDE_SELL, 12000, 1000, (struct dec){1, -3}, "BTC",
         one);
    mark("alfa", "BTC-USDT", "BTC", "USDT", 12900, 13100);
    commit_all();
    assert_rows(PNL, "r1|2026-01-01|3|0|0|330|0.22|15|25|39.78");
    /* The day after 1 is sold at 125: 125 received, and short 1 against the mark of 130: -5. */
    fill(DAY_ONE + 25 * HOUR, "alfa", "BTC-USDT", "USDT", SIDE_SELL, 12500, 1000, (struct dec){0, 0}, "USDT",
         one);
    commit_all();
    assert_rows(PNL, "r1|2026-01-01|3|0|0|330|0.22|15|25|39.78 ; r1|2026-01-02|1|0|0|125|0|0|-5|-5");
    /* Both days: 120 + 125 - 100 - 110 = 35, less fees. */
    assert_rows("SELECT SUM(net) FROM pnl", "34.78");
}
END_TEST

START_TEST(pnl_is_told_in_the_reporting_currency_at_the_rate_of_each_fill_and_of_the_marks)
{
    reporting_in("USDT");
    /* 1 BTC for 140,000 KRW at 0.0007 = 98 USDT; marked at 150,000 KRW, and USDT at 1,500 KRW: 100 USDT. */
    fill(DAY_ONE, "beta", "BTC-KRW", "KRW", SIDE_BUY, 14000000, 1000, (struct dec){70, 0}, "KRW",
         (struct dec){7, -4});
    mark("beta", "BTC-KRW", "BTC", "KRW", 15000000, 0);
    mark("beta", "USDT-KRW", "USDT", "KRW", 149900, 150100);
    commit_all();
    assert_rows(PNL, "r1|2026-01-01|1|0|0|98|0.049|0|2|1.951");
}
END_TEST

START_TEST(a_fill_without_a_rate_and_an_instrument_without_a_mark_are_counted_and_not_guessed)
{
    reporting_in("USDT");
    fill(DAY_ONE, "alfa", "BTC-USDT", "USDT", SIDE_BUY, 10000, 1000, (struct dec){0, 0}, "USDT",
         (struct dec){1, 0});
    fill(DAY_ONE, "beta", "BTC-KRW", "KRW", SIDE_SELL, 14000000, 1000, (struct dec){0, 0}, "KRW",
         (struct dec){0, 0});
    commit_all();
    assert_rows(PNL, "r1|2026-01-01|2|1|1|100|0|0|0|0");
}
END_TEST

START_TEST(slippage_is_positive_where_the_fill_was_worse_than_the_deciding_book)
{
    static const struct {
        enum side side;
        int64_t price, decided;
    } fills[] = {
        {SIDE_BUY, 10010, 10000}, {SIDE_SELL, 10010, 10000}, {SIDE_SELL, 9950, 10000}, {SIDE_BUY, 10000, 0}};
    for (size_t i = 0; i < sizeof fills / sizeof *fills; i++) {
        struct fill *f = &record(MSG_FILL, "exec", DAY_ONE)->fill;
        text_set(f->route, sizeof f->route, "r1");
        f->side = fills[i].side;
        f->liquidity = LIQUIDITY_TAKER;
        f->kind = KIND_SPOT;
        f->price_exp = -2;
        f->price = fills[i].price;
        f->decided_price = fills[i].decided;
        f->qty = 5;
        add();
    }
    commit_all();
    assert_rows(
        "SELECT pos, route, side, price, decided_price, qty, slippage_bps, slippage_quote FROM slippage "
        "WHERE run = '" RUN "' ORDER BY pos",
        "1|r1|buy|100.1|100|5|10|0.5 ; 2|r1|sell|100.1|100|5|-10|-0.5 ; 3|r1|sell|99.5|100|5|50|2.5");
}
END_TEST

static void sent_order(const char *client_id, uint32_t attempt, int64_t took_ns)
{
    struct message *o = record(MSG_ORDER, "exec", DAY_ONE);
    text_set(o->order.client_id, sizeof o->order.client_id, client_id);
    o->order.attempt = attempt;
    o->order.side = SIDE_BUY;
    o->order.tif = TIF_IOC;
    o->order.state = ORDER_PENDING_NEW;
    o->env.trace.recv_mono = 1000;
    o->env.trace.hop[HOP_FEED_OUT] = 1000 + took_ns;
    o->env.trace.hop[HOP_EXEC_OUT] = 1000 + 10 * took_ns;
    add();
}

START_TEST(latency_is_told_by_hop_over_first_attempts)
{
    char id[16];
    /* 1 to 200 in an order of their own: the k-th percentile of 200 is their 2k-th. */
    for (int i = 0; i < 200; i++) {
        (void)snprintf(id, sizeof id, "c%d", i);
        sent_order(id, 0, (i * 37) % 200 + 1);
    }
    /* A completion is no decision's way, and a report of the fill is of the same order. */
    sent_order("late", 1, 1000000);
    record(MSG_FILL, "exec", DAY_ONE);
    m->fill.side = SIDE_BUY;
    m->fill.liquidity = LIQUIDITY_TAKER;
    m->fill.kind = KIND_SPOT;
    text_set(m->fill.client_id, sizeof m->fill.client_id, "c0"); /* whose span is 1: sent at 1,010 */
    m->env.trace.recv_mono = 1000;
    m->env.trace.hop[HOP_EXEC_OUT] = 1010;
    m->env.trace.hop[HOP_EXEC_FILL] = 1510;
    add();
    m->env.pos = ++pos; /* the next fill of an order is not its first */
    m->env.trace.hop[HOP_EXEC_FILL] = 9999;
    add();
    commit_all();
    assert_rows("SELECT hop, n, p50_ns, p90_ns, p99_ns, max_ns FROM latency WHERE run = '" RUN
                "' ORDER BY hop",
                "order_sent_to_fill|1|500|500|500|500 ; tick_to_fill|1|510|510|510|510 ; "
                "tick_to_order|200|1000|1800|1980|2000");
}
END_TEST

static void decision(int64_t ts_ns, enum verdict verdict, enum risk_tier tier, enum reason reason,
                     uint32_t count)
{
    struct decision *d = &record(MSG_DECISION, "risk", ts_ns)->decision;
    text_set(d->route, sizeof d->route, "r1");
    d->verdict = verdict;
    d->tier = tier;
    d->reason = reason;
    d->count = count;
    d->kind = INTENT_ENTER;
    d->tif = TIF_IOC;
    d->policy = POLICY_COMPLETE;
    add();
}

START_TEST(latency_tells_each_hop_of_a_decision_and_of_its_order)
{
    struct trace t = {.recv_mono = 1000, .boot_id = 1};
    for (int hop = 0, at = 1000; hop < HOP_COUNT; hop++)
        t.hop[hop] = at += 1 << hop; /* 1, 2, 4, ... */
    decision(DAY_ONE, VERDICT_REJECT, TIER_INTENT, REASON_INTENT_TOO_OLD, 1);
    m->env.pos = ++pos;
    m->env.trace = t;
    m->env.trace.recv_mono = m->env.trace.hop[HOP_FEED_OUT] = 0; /* a timer caused it */
    add();
    m->env.pos = ++pos;
    m->env.trace = t;
    add();
    sent_order("c1", 0, 1);
    m->env.pos = ++pos;
    text_set(m->order.client_id, sizeof m->order.client_id, "c2");
    m->env.trace = t;
    add();
    commit_all();
    assert_rows(
        "SELECT hop, kind, n, p50_ns, p999_ns FROM latency WHERE run = '" RUN "' ORDER BY hop",
        "exec_in_to_order_sent|process|1|64|64 ; feed_out_to_strategy_in|transport|1|2|2 ; "
        "in_process|process|1|85|85 ; in_transport|transport|1|42|42 ; "
        "risk_in_to_out|process|2|16|16 ; risk_out_to_exec_in|transport|1|32|32 ; "
        "strategy_in_to_out|process|2|4|4 ; strategy_out_to_risk_in|transport|2|8|8 ; "
        "tick_to_decision|total|1|31|31 ; tick_to_feed_out|process|1|1|1 ; tick_to_order|total|2|10|127");
}
END_TEST

START_TEST(rejects_are_counted_by_hour_tier_reason_and_route)
{
    decision(DAY_ONE + HOUR, VERDICT_REJECT, TIER_VENUE, REASON_DATA_STALE, 1);
    decision(DAY_ONE + HOUR + HOUR / 2, VERDICT_REJECT, TIER_VENUE, REASON_DATA_STALE, 41);
    decision(DAY_ONE + HOUR, VERDICT_COOL, TIER_ROUTE, REASON_COOL_DOWN, 1);
    decision(DAY_ONE + 2 * HOUR, VERDICT_REJECT, TIER_VENUE, REASON_DATA_STALE, 7);
    decision(DAY_ONE + HOUR, VERDICT_ACCEPT, TIER_NONE, REASON_NONE, 1);
    decision(DAY_ONE + HOUR, VERDICT_LESS, TIER_INSTRUMENT, REASON_MAX_NOTIONAL, 1);
    commit_all();
    assert_rows(
        "SELECT hour, tier, reason, route, rejects FROM rejects WHERE run = '" RUN "' ORDER BY hour, tier",
        "2026-01-01 01:00:00+00|route|COOL_DOWN|r1|1 ; 2026-01-01 01:00:00+00|venue|DATA_STALE|r1|42 ; "
        "2026-01-01 02:00:00+00|venue|DATA_STALE|r1|7");
}
END_TEST

static void order(const char *client_id, enum order_state state, int64_t filled)
{
    struct order *o = &record(MSG_ORDER, "exec", DAY_ONE + (int64_t)pos * 24 * HOUR)->order;
    text_set(o->client_id, sizeof o->client_id, client_id);
    o->side = SIDE_BUY;
    o->tif = TIF_IOC;
    o->state = state;
    o->qty = 10;
    o->filled = filled;
    add();
}

START_TEST(orders_are_what_was_last_said_of_each)
{
    order("a", ORDER_PENDING_NEW, 0);
    order("b", ORDER_PENDING_NEW, 0);
    order("a", ORDER_NEW, 0);
    order("a", ORDER_PARTIALLY_FILLED, 4);
    commit_all();
    assert_rows("SELECT client_id, state, filled, pos FROM orders WHERE run = '" RUN "' ORDER BY client_id",
                "a|PartiallyFilled|4|4 ; b|PendingNew|0|2");
}
END_TEST

static void position(const char *symbol, const char *qty)
{
    struct position *p = &record(MSG_POSITION, "exec", DAY_ONE)->position;
    text_set(p->symbol, sizeof p->symbol, symbol);
    text_set(p->venue, sizeof p->venue, "alfa");
    text_set(p->quote, sizeof p->quote, "USDT");
    ck_assert(money_parse(qty, strlen(qty), &p->qty));
    ck_assert(money_parse("-100.5", 6, &p->cash));
    add();
}

START_TEST(open_positions_are_the_last_word_where_it_is_not_zero)
{
    position("BTC-USDT", "1");
    position("BTC-USDT", "-0.5");
    position("ETH-USDT", "2");
    position("ETH-USDT", "0");
    position("XRP-USDT", "3");
    mark("alfa", "BTC-USDT", "BTC", "USDT", 12900, 13100);
    commit_all();
    assert_rows("SELECT symbol, venue, quote, qty, cash, mark, value, substr(CAST(ts AS TEXT), 1, 19) FROM "
                "open_positions WHERE run = '" RUN "' ORDER BY symbol",
                "BTC-USDT|alfa|USDT|-0.5|-100.5|130|-65|2026-01-01 00:00:00 ; "
                "XRP-USDT|alfa|USDT|3|-100.5|NULL|NULL|2026-01-01 00:00:00");
}
END_TEST

static void start(void)
{
    pos = 0;
}

static void add_views(TCase *c)
{
    tcase_add_checked_fixture(c, start, NULL);
    tcase_add_test(c, pnl_is_what_was_closed_at_average_prices_and_what_is_open_at_the_marks);
    tcase_add_test(c, pnl_is_told_in_the_reporting_currency_at_the_rate_of_each_fill_and_of_the_marks);
    tcase_add_test(c, a_fill_without_a_rate_and_an_instrument_without_a_mark_are_counted_and_not_guessed);
    tcase_add_test(c, slippage_is_positive_where_the_fill_was_worse_than_the_deciding_book);
    tcase_add_test(c, latency_is_told_by_hop_over_first_attempts);
    tcase_add_test(c, latency_tells_each_hop_of_a_decision_and_of_its_order);
    tcase_add_test(c, rejects_are_counted_by_hour_tier_reason_and_route);
    tcase_add_test(c, orders_are_what_was_last_said_of_each);
    tcase_add_test(c, open_positions_are_the_last_word_where_it_is_not_zero);
}

int main(void)
{
    return run_suites("store_views", add_views, NULL);
}
