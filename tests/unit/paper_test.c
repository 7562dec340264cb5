/* What the paper venue promises: what is there is taken once, all of it is in the log before it is told, and
 * a venue read back from its log goes on as if it had never stopped. */
#include "venues/paper/paper.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

enum { REPORTS_MAX = 256, LOG_MAX = 64 * 1024, LATENCY_US = 2000 };

static struct config config;
static struct view *view;
static struct paper *paper;
static struct now now;
static struct order_report reports[REPORTS_MAX];
static int n_reports;
static char written[LOG_MAX];
static size_t written_len;
static bool log_refuses;
static uint64_t seq;

static int write_log(void *ctx, const char *line, size_t len)
{
    (void)ctx;
    if (log_refuses)
        return E_IO;
    ck_assert_uint_gt(len, 0);
    ck_assert_int_eq(line[len - 1], '\n');
    ck_assert_uint_lt(written_len + len, LOG_MAX);
    memcpy(written + written_len, line, len);
    written_len += len;
    return OK;
}

static void on_report(void *ctx, const struct order_report *report)
{
    (void)ctx;
    ck_assert_int_lt(n_reports, REPORTS_MAX);
    reports[n_reports++] = *report;
}

static struct dec d(const char *text)
{
    struct dec v;
    ck_assert_int_eq(dec_parse(text, strlen(text), &v), OK);
    return v;
}

static void balance(const char *venue, const char *currency, const char *amount)
{
    struct config_balances *b = &config.balances[config.n_balances++];
    strcpy(b->venue, venue);
    strcpy(b->currency, currency);
    ck_assert(money_parse(amount, strlen(amount), &b->amount));
}

static void show_inst(const char *symbol, const char *base, const char *quote, enum contract_kind kind)
{
    struct message m;
    message_init(&m, MSG_INST);
    strcpy(m.env.stream, "market");
    m.env.epoch = 1;
    strcpy(m.inst.symbol, symbol);
    strcpy(m.inst.venue, "v");
    strcpy(m.inst.base, base);
    strcpy(m.inst.quote, quote);
    m.inst.kind = kind;
    m.inst.tick = d("0.1");
    m.inst.lot = d("0.001");
    m.inst.min_notional = d("5");
    m.inst.taker_bps = d("10");
    ck_assert_int_ge(view_apply(view, &m, now), 0);
}

/* Asks 100.1, 100.2, 100.3 and bids 100.0, 99.9, 99.8, of 1, 2 and 3. */
static void show_book(const char *symbol, enum book_state state)
{
    struct message m;
    message_init(&m, MSG_BOOK);
    strcpy(m.env.stream, "market");
    m.env.epoch = 1;
    m.env.seq = ++seq;
    strcpy(m.book.symbol, symbol);
    strcpy(m.book.venue, "v");
    m.book.state = state;
    m.book.recv_time = now.market_ns;
    m.book.price_exp = -1;
    m.book.qty_exp = -3;
    m.book.n_bids = m.book.n_asks = 3;
    for (int i = 0; i < 3; i++) {
        m.book.bids[i] = (struct level){1000 - i, 1000 * (i + 1)};
        m.book.asks[i] = (struct level){1001 + i, 1000 * (i + 1)};
    }
    ck_assert_int_ge(view_apply(view, &m, now), 0);
}

static struct paper *fresh(uint32_t orders)
{
    return paper_new(&config, view, orders, (struct paper_log){.write = write_log});
}

static void begin(void)
{
    config_defaults(&config);
    config.paper.latency_us = LATENCY_US;
    config.n_balances = 0;
    balance("v", "BTC", "10");
    balance("*", "USDT", "1000");
    now = (struct now){.market_ns = 1000 * NS_PER_SEC};
    n_reports = 0;
    written_len = 0;
    log_refuses = false;
    seq = 0;
    view = view_new(8, 0);
    show_inst("BTC-USDT", "BTC", "USDT", KIND_SPOT);
    show_book("BTC-USDT", BOOK_LIVE);
    paper = fresh(64);
    ck_assert_ptr_nonnull(paper);
}

static void end(void)
{
    paper_destroy(&paper);
    ck_assert_ptr_null(paper);
    view_destroy(&view);
}

static void submit(const char *id, enum side side, const char *qty, const char *limit, enum time_in_force tif)
{
    struct order order = {.side = side, .tif = tif, .state = ORDER_PENDING_NEW};
    struct dec q = d(qty), p = d(limit);
    strcpy(order.client_id, id);
    strcpy(order.symbol, "BTC-USDT");
    strcpy(order.venue, "v");
    order.qty = q.m;
    order.qty_exp = q.exp;
    order.price = p.m;
    order.price_exp = p.exp;
    paper_submit(paper, &order, now);
}

static void run(void)
{
    now.market_ns += LATENCY_US * NS_PER_US;
    n_reports = 0;
    (void)paper_run(paper, now, on_report, NULL);
}

static void expect_fill(int i, const char *trade, const char *price, const char *qty, const char *fee)
{
    ck_assert_int_eq(reports[i].kind, REPORT_FILL);
    ck_assert_str_eq(reports[i].trade_id, trade);
    ck_assert_int_eq(dec_cmp(reports[i].price, d(price)), 0);
    ck_assert_int_eq(dec_cmp(reports[i].qty, d(qty)), 0);
    ck_assert_int_eq(dec_cmp(reports[i].fee, d(fee)), 0);
    ck_assert_str_eq(reports[i].fee_currency, "USDT");
}

static void expect_end(int i, const char *filled, enum reason reason)
{
    ck_assert_int_eq(n_reports, i + 1);
    ck_assert_int_eq(reports[i].kind, REPORT_DONE);
    ck_assert_int_eq(dec_cmp(reports[i].filled, d(filled)), 0);
    ck_assert_int_eq(reports[i].reason, reason);
}

static void expect_reject(enum reason reason)
{
    ck_assert_int_eq(n_reports, 1);
    ck_assert_int_eq(reports[0].kind, REPORT_REJECT);
    ck_assert_str_eq(reason_text(reports[0].reason), reason_text(reason));
}

static void expect_log(const char *text)
{
    written[written_len] = '\0';
    ck_assert_str_eq(written, text);
}

START_TEST(an_order_walks_the_levels_down_to_its_limit)
{
    submit("a-1", SIDE_BUY, "5", "100.2", TIF_IOC);
    run();
    ck_assert_int_eq(reports[0].kind, REPORT_ACK);
    expect_fill(1, "v-1", "100.1", "1", "0.1001");
    expect_fill(2, "v-2", "100.2", "2", "0.2004");
    expect_end(3, "3", REASON_NO_LIQUIDITY);
    expect_log("O 1000000000000 a-1 v BTC-USDT buy 5 100.2 ioc\n"
               "B v BTC 10\n"
               "B v USDT 1000\n"
               "F 1000002000000 v-1 a-1 v BTC-USDT buy 100.1 1 0.1001 USDT\n"
               "F 1000002000000 v-2 a-1 v BTC-USDT buy 100.2 2 0.2004 USDT\n"
               "D 1000002000000 a-1 3 NO_LIQUIDITY\n");
}
END_TEST

START_TEST(what_was_taken_stays_taken_until_the_book_changes)
{
    submit("a-1", SIDE_SELL, "1.5", "99.9", TIF_IOC);
    submit("a-2", SIDE_SELL, "2", "99.9", TIF_IOC);
    run();
    expect_fill(2, "v-2", "99.9", "0.5", "0.04995");
    ck_assert_int_eq(reports[4].kind, REPORT_ACK);
    expect_fill(5, "v-3", "99.9", "1.5", "0.14985");
    expect_end(6, "1.5", REASON_NO_LIQUIDITY);
    submit("a-2b", SIDE_SELL, "1", "99.9", TIF_IOC);
    run();
    expect_end(1, "0", REASON_NO_LIQUIDITY);
    show_book("BTC-USDT", BOOK_LIVE);
    submit("a-3", SIDE_SELL, "1", "99.9", TIF_IOC);
    run();
    expect_fill(1, "v-4", "100", "1", "0.1");
    expect_end(2, "1", REASON_NONE);
}
END_TEST

START_TEST(the_other_side_of_the_book_is_not_touched_by_what_was_taken)
{
    submit("a-1", SIDE_SELL, "1", "100", TIF_IOC);
    submit("a-2", SIDE_BUY, "1", "100.1", TIF_IOC);
    run();
    expect_fill(1, "v-1", "100", "1", "0.1");
    expect_fill(4, "v-2", "100.1", "1", "0.1001");
}
END_TEST

START_TEST(an_order_is_matched_after_its_latency_against_the_book_of_then)
{
    submit("a-1", SIDE_BUY, "1", "100.1", TIF_IOC);
    ck_assert_int_eq(paper_next_ns(paper), now.market_ns + LATENCY_US * NS_PER_US);
    ck_assert_int_eq(paper_run(paper, now, on_report, NULL), paper_next_ns(paper));
    ck_assert_int_eq(n_reports, 0);
    ck_assert_uint_eq(paper_waiting(paper), 1);
    show_book("BTC-USDT", BOOK_STALE);
    run();
    expect_reject(REASON_DATA_STALE);
    ck_assert_uint_eq(paper_waiting(paper), 0);
    ck_assert_int_eq(paper_next_ns(paper), INT64_MAX);
}
END_TEST

START_TEST(fill_or_kill_takes_all_or_nothing)
{
    submit("a-1", SIDE_BUY, "3.001", "100.2", TIF_FOK);
    submit("a-2", SIDE_BUY, "3", "100.2", TIF_FOK);
    run();
    ck_assert_int_eq(reports[1].kind, REPORT_DONE);
    ck_assert_int_eq(reports[1].filled.m, 0);
    expect_fill(3, "v-1", "100.1", "1", "0.1001");
    expect_end(5, "3", REASON_NONE);
}
END_TEST

START_TEST(what_cannot_be_paid_is_refused_fees_included)
{
    config.balances[1].amount = 0;
    balance("*", "USDT", "0");
    config.n_balances = 2;
    ck_assert(money_parse("100.2", 5, &config.balances[1].amount));
    submit("a-1", SIDE_BUY, "1", "100.1", TIF_IOC); /* costs 100.2001 */
    run();
    expect_reject(REASON_NO_BALANCE);
    submit("a-2", SIDE_BUY, "0.999", "100.1", TIF_IOC);
    run();
    expect_end(2, "0.999", REASON_NONE);
    submit("a-3", SIDE_BUY, "0.1", "100.2", TIF_IOC);
    run();
    expect_reject(REASON_NO_BALANCE);
}
END_TEST

START_TEST(what_is_not_held_cannot_be_sold)
{
    ck_assert(money_parse("2", 1, &config.balances[0].amount));
    submit("a-1", SIDE_SELL, "2.001", "99.8", TIF_IOC);
    run();
    expect_reject(REASON_NO_BALANCE);
    submit("a-2", SIDE_SELL, "2", "99.8", TIF_IOC);
    run();
    expect_end(3, "2", REASON_NONE);
}
END_TEST

START_TEST(a_derivative_is_sold_without_being_held_and_pays_only_its_fee)
{
    show_inst("BTC-USDT-PERP", "BTC", "USDT", KIND_LINEAR);
    show_book("BTC-USDT-PERP", BOOK_LIVE);
    config.n_balances = 0;
    balance("*", "USDT", "0.2");
    struct order order = {.side = SIDE_SELL, .tif = TIF_IOC, .qty = 2, .price = 99};
    strcpy(order.client_id, "p-1");
    strcpy(order.symbol, "BTC-USDT-PERP");
    strcpy(order.venue, "v");
    paper_submit(paper, &order, now);
    run();
    expect_fill(1, "v-1", "100", "1", "0.1");
    expect_end(3, "2", REASON_NONE);
    written[written_len] = '\0';
    ck_assert_ptr_null(strstr(written, "B v BTC"));
}
END_TEST

START_TEST(what_does_not_stand_on_the_steps_is_refused)
{
    submit("a-1", SIDE_BUY, "1", "100.15", TIF_IOC);
    run();
    expect_reject(REASON_TICK);
    submit("a-2", SIDE_BUY, "1.0001", "100.1", TIF_IOC);
    run();
    expect_reject(REASON_LOT);
    submit("a-3", SIDE_BUY, "0.04", "100.1", TIF_IOC);
    run();
    expect_reject(REASON_MIN_NOTIONAL);
}
END_TEST

START_TEST(what_is_unknown_or_malformed_is_refused_and_never_crashes)
{
    struct order order = {.side = SIDE_BUY, .tif = TIF_IOC, .qty = 1, .price = 100};
    strcpy(order.client_id, "x-1");
    strcpy(order.symbol, "DOGE-USDT");
    strcpy(order.venue, "v");
    paper_submit(paper, &order, now);
    run();
    expect_reject(REASON_UNKNOWN_INSTRUMENT);
    strcpy(order.client_id, "x 2");
    paper_submit(paper, &order, now);
    run();
    expect_reject(REASON_MALFORMED);
    strcpy(order.client_id, "x-3");
    strcpy(order.symbol, "BTC-USDT");
    order.qty = INT64_MAX;
    order.qty_exp = 18;
    order.price = INT64_MAX;
    order.price_exp = 18;
    paper_submit(paper, &order, now);
    run();
    ck_assert_int_eq(reports[n_reports - 1].kind, REPORT_REJECT);
    written[written_len] = '\0';
    ck_assert_ptr_null(strstr(written, "x 2"));
}
END_TEST

START_TEST(an_order_sent_again_is_answered_again_and_not_taken_again)
{
    submit("a-1", SIDE_BUY, "1", "100.1", TIF_IOC);
    run();
    size_t len = written_len;
    submit("a-1", SIDE_BUY, "1", "100.1", TIF_IOC);
    run();
    expect_fill(1, "v-1", "100.1", "1", "0.1001");
    expect_end(2, "1", REASON_NONE);
    ck_assert_uint_eq(written_len, len);
}
END_TEST

START_TEST(a_look_up_tells_all_that_is_known)
{
    paper_look_up(paper, "v", "a-1", on_report, NULL);
    ck_assert_int_eq(reports[0].kind, REPORT_NOT_FOUND);
    ck_assert_str_eq(reports[0].client_id, "a-1");
    submit("a-1", SIDE_BUY, "1", "100.1", TIF_IOC);
    n_reports = 0;
    paper_look_up(paper, "v", "a-1", on_report, NULL);
    ck_assert_int_eq(n_reports, 1);
    ck_assert_int_eq(reports[0].kind, REPORT_ACK);
    run();
    n_reports = 0;
    paper_look_up(paper, "v", "a-1", on_report, NULL);
    expect_fill(1, "v-1", "100.1", "1", "0.1001");
    expect_end(2, "1", REASON_NONE);
    n_reports = 0;
    paper_look_up(paper, "w", "a-1", on_report, NULL);
    ck_assert_int_eq(reports[0].kind, REPORT_NOT_FOUND);
}
END_TEST

START_TEST(a_list_tells_the_orders_under_a_prefix_and_no_others)
{
    submit("a-1", SIDE_BUY, "1.5", "100.1", TIF_IOC);
    submit("b-1", SIDE_SELL, "1", "100", TIF_IOC);
    run();
    submit("a-2", SIDE_SELL, "2", "99.9", TIF_FOK);
    n_reports = 0;
    paper_list(paper, "a-", on_report, NULL);
    ck_assert_int_eq(n_reports, 2);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(reports[i].kind, REPORT_LISTED);
        ck_assert_str_eq(reports[i].client_id, i ? "a-2" : "a-1");
        ck_assert_str_eq(reports[i].symbol, "BTC-USDT");
        ck_assert_str_eq(reports[i].venue_id, i ? "v-o3" : "v-o1");
        ck_assert_int_eq(reports[i].side, i ? SIDE_SELL : SIDE_BUY);
        ck_assert_int_eq(reports[i].tif, i ? TIF_FOK : TIF_IOC);
        ck_assert_int_eq(dec_cmp(reports[i].price, d(i ? "99.9" : "100.1")), 0);
        ck_assert_int_eq(dec_cmp(reports[i].qty, d(i ? "2" : "1.5")), 0);
        ck_assert_int_eq(dec_cmp(reports[i].filled, d(i ? "0" : "1")), 0);
    }
}
END_TEST

START_TEST(nothing_is_told_that_could_not_be_written)
{
    log_refuses = true;
    submit("a-1", SIDE_BUY, "1", "100.1", TIF_IOC);
    run();
    ck_assert_int_eq(n_reports, 0);
    paper_look_up(paper, "v", "a-1", on_report, NULL);
    ck_assert_int_eq(n_reports, 0);
    ck_assert_uint_eq(paper_waiting(paper), 1);
    log_refuses = false;
    now.market_ns += NS_PER_SEC;
    run();
    expect_end(2, "1", REASON_NONE);
    written[written_len] = '\0';
    ck_assert_ptr_eq(strstr(written, "O "), written);
}
END_TEST

START_TEST(the_oldest_answered_orders_are_forgotten_and_waiting_ones_never)
{
    char id[16];
    paper_destroy(&paper);
    paper = fresh(4);
    for (int i = 0; i < 4; i++) {
        (void)snprintf(id, sizeof id, "w-%d", i);
        submit(id, SIDE_BUY, "0.1", "100.1", TIF_IOC);
    }
    submit("w-4", SIDE_BUY, "0.1", "100.1", TIF_IOC); /* no room: all wait */
    ck_assert_uint_eq(paper_waiting(paper), 4);
    run();
    for (int i = 5; i < 200; i++) {
        (void)snprintf(id, sizeof id, "w-%d", i);
        show_book("BTC-USDT", BOOK_LIVE);
        submit(id, i % 2 ? SIDE_BUY : SIDE_SELL, "3", i % 2 ? "100.3" : "99.8", TIF_IOC);
        run();
        ck_assert_int_eq(reports[n_reports - 1].kind, REPORT_DONE);
        ck_assert_int_eq(dec_cmp(reports[n_reports - 1].filled, d("3")), 0);
    }
    n_reports = 0;
    paper_look_up(paper, "v", "w-3", on_report, NULL);
    paper_look_up(paper, "v", "w-199", on_report, NULL);
    ck_assert_int_eq(reports[0].kind, REPORT_NOT_FOUND);
    ck_assert_int_eq(reports[1].kind, REPORT_ACK);
    ck_assert_int_eq(reports[n_reports - 1].kind, REPORT_DONE);
}
END_TEST

/* Orders of all kinds; the last one waits. */
static void trade_a_little(void)
{
    submit("a-1", SIDE_BUY, "2.5", "100.2", TIF_IOC);
    submit("a-2", SIDE_SELL, "11", "99.8", TIF_IOC); /* not all of it is there */
    run();
    submit("a-3", SIDE_SELL, "1", "100.05", TIF_IOC); /* off the tick */
    show_book("BTC-USDT", BOOK_LIVE);
    submit("a-4", SIDE_BUY, "6", "100.3", TIF_FOK);
    run();
    submit("a-5", SIDE_SELL, "1", "99.8", TIF_IOC);
}

START_TEST(read_back_from_its_log_at_any_line_it_goes_on)
{
    static char whole[LOG_MAX];
    trade_a_little();
    size_t len = written_len, at = 0;
    memcpy(whole, written, len);
    ck_assert_uint_gt(len, 500);
    for (bool more = true; more; more = at < len) {
        paper_destroy(&paper);
        paper = fresh(64);
        written_len = 0;
        show_book("BTC-USDT", BOOK_LIVE);
        for (size_t from = 0; from < at;) {
            const char *newline = memchr(whole + from, '\n', len - from);
            size_t line = (size_t)(newline - (whole + from)) + 1;
            ck_assert_int_eq(paper_restore(paper, whole + from, line), OK);
            from += line;
        }
        memcpy(written, whole, at);
        written_len = at;
        now.market_ns = 2000 * NS_PER_SEC;
        trade_a_little(); /* what it has is not taken again, what it has not is */
        run();
        n_reports = 0;
        for (int i = 1; i <= 5; i++) {
            char id[8], needle[16];
            (void)snprintf(id, sizeof id, "a-%d", i);
            (void)snprintf(needle, sizeof needle, " a-%d v ", i);
            paper_look_up(paper, "v", id, on_report, NULL);
            enum report_kind last = reports[n_reports - 1].kind;
            ck_assert_int_eq(last, i == 3 ? REPORT_REJECT : REPORT_DONE);
            written[written_len] = '\0';
            const char *taken = strstr(written, needle);
            ck_assert_ptr_nonnull(taken);
        }
        /* Each order once, each trade number once and in turn. */
        int orders = 0, trades = 0;
        for (char *line = written; line && *line; line = strchr(line, '\n') + 1) {
            orders += line[0] == 'O';
            if (line[0] == 'F') {
                long long time;
                int number;
                ck_assert_int_eq(sscanf(line, "F %lld v-%d ", &time, &number), 2);
                ck_assert_int_eq(number, ++trades);
            }
        }
        ck_assert_int_eq(orders, 5);
        ck_assert_int_ge(trades, 5);
        const char *newline = memchr(whole + at, '\n', len - at);
        at = newline ? (size_t)(newline - whole) + 1 : len;
    }
}
END_TEST

START_TEST(a_log_read_back_gives_the_same_answers_and_the_same_account)
{
    submit("a-1", SIDE_BUY, "2.5", "100.2", TIF_IOC);
    run();
    struct order_report told[REPORTS_MAX];
    int n = n_reports;
    memcpy(told, reports, sizeof told);
    paper_destroy(&paper);
    paper = fresh(64);
    for (char *line = written, *next; line < written + written_len; line = next) {
        next = memchr(line, '\n', LOG_MAX);
        ck_assert_int_eq(paper_restore(paper, line, (size_t)(next - line)), OK);
        next++;
    }
    n_reports = 0;
    paper_look_up(paper, "v", "a-1", on_report, NULL);
    ck_assert_int_eq(n_reports, n);
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(reports[i].kind, told[i].kind);
        ck_assert_str_eq(reports[i].trade_id, told[i].trade_id);
        ck_assert_str_eq(reports[i].venue_id, told[i].venue_id);
        ck_assert_int_eq(dec_cmp(reports[i].qty, told[i].qty), 0);
        ck_assert_int_eq(dec_cmp(reports[i].fee, told[i].fee), 0);
        ck_assert_int_eq(dec_cmp(reports[i].filled, told[i].filled), 0);
        ck_assert_int_eq(reports[i].venue_time, told[i].venue_time);
    }
    /* 10 + 2.5 are held, and not a lot more. */
    for (int i = 0; i < 2; i++) {
        show_book("BTC-USDT", BOOK_LIVE);
        submit(i ? "s-2" : "s-1", SIDE_SELL, "6", "99.8", TIF_IOC);
        run();
        expect_end(4, "6", REASON_NONE);
    }
    show_book("BTC-USDT", BOOK_LIVE);
    submit("s-3", SIDE_SELL, "0.501", "99.8", TIF_IOC);
    run();
    expect_reject(REASON_NO_BALANCE);
    submit("s-4", SIDE_SELL, "0.5", "99.8", TIF_IOC);
    run();
    expect_end(2, "0.5", REASON_NONE);
}
END_TEST

START_TEST(a_line_that_is_not_its_own_is_refused)
{
    static const char *const lines[] = {
        "",
        " ",
        "X",
        "O",
        "B v USDT",
        "B v USDT 1e5",
        "B v USDT 1 2",
        "O 1 a v BTC-USDT long 1 1 ioc",
        "O x a v BTC-USDT buy 1 1 ioc",
        "O 1 b v BTC-USDT buy 1 0 ioc",
        "O 1 c v BTCUSDT buy 1 1 ioc",
        "D 1 unknown 1 NONE",
        "F 1 v-1 unknown v BTC-USDT buy 1 1 0 USDT",
        "O 1 a v BTC-USDT buy 1 1 ioc and a great many more words than there should be",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ck_assert_msg(paper_restore(paper, lines[i], strlen(lines[i])) == E_SYNTAX, "%s", lines[i]);
    ck_assert_int_eq(paper_restore(paper, "O 1 a v BTC-USDT buy 1 1 ioc", 28), OK);
    ck_assert_int_eq(paper_restore(paper, "O 1 a v BTC-USDT buy 1 1 ioc", 28), E_SYNTAX);
    ck_assert_int_eq(paper_restore(paper, "F 1 v-1 a v BTC-USDT buy 1 1 0 USDT", 35),
                     E_SYNTAX); /* no start */
}
END_TEST

START_TEST(the_first_balance_that_fits_counts)
{
    char text[MONEY_TEXT_MAX];
    balance("v", "*", "7");
    money_format(paper_start_balance(&config, "v", "BTC"), text);
    ck_assert_str_eq(text, "10");
    money_format(paper_start_balance(&config, "v", "USDT"), text);
    ck_assert_str_eq(text, "1000");
    money_format(paper_start_balance(&config, "v", "ETH"), text);
    ck_assert_str_eq(text, "7");
    money_format(paper_start_balance(&config, "w", "ETH"), text);
    ck_assert_str_eq(text, "1000000");
}
END_TEST

START_TEST(a_fee_of_the_config_replaces_the_instruments)
{
    config.n_fees = 1;
    strcpy(config.fees[0].venue, "*");
    config.fees[0].taker_bps = d("0");
    submit("a-1", SIDE_BUY, "1", "100.1", TIF_IOC);
    run();
    expect_fill(1, "v-1", "100.1", "1", "0");
}
END_TEST

int main(void)
{
    TCase *promises = tcase_create("promises");
    tcase_add_checked_fixture(promises, begin, end);
    tcase_add_test(promises, an_order_walks_the_levels_down_to_its_limit);
    tcase_add_test(promises, what_was_taken_stays_taken_until_the_book_changes);
    tcase_add_test(promises, the_other_side_of_the_book_is_not_touched_by_what_was_taken);
    tcase_add_test(promises, an_order_is_matched_after_its_latency_against_the_book_of_then);
    tcase_add_test(promises, fill_or_kill_takes_all_or_nothing);
    tcase_add_test(promises, what_cannot_be_paid_is_refused_fees_included);
    tcase_add_test(promises, what_is_not_held_cannot_be_sold);
    tcase_add_test(promises, a_derivative_is_sold_without_being_held_and_pays_only_its_fee);
    tcase_add_test(promises, what_does_not_stand_on_the_steps_is_refused);
    tcase_add_test(promises, what_is_unknown_or_malformed_is_refused_and_never_crashes);
    tcase_add_test(promises, an_order_sent_again_is_answered_again_and_not_taken_again);
    tcase_add_test(promises, a_look_up_tells_all_that_is_known);
    tcase_add_test(promises, a_list_tells_the_orders_under_a_prefix_and_no_others);
    tcase_add_test(promises, nothing_is_told_that_could_not_be_written);
    tcase_add_test(promises, the_oldest_answered_orders_are_forgotten_and_waiting_ones_never);
    tcase_add_test(promises, read_back_from_its_log_at_any_line_it_goes_on);
    tcase_add_test(promises, a_log_read_back_gives_the_same_answers_and_the_same_account);
    tcase_add_test(promises, a_line_that_is_not_its_own_is_refused);
    tcase_add_test(promises, the_first_balance_that_fits_counts);
    tcase_add_test(promises, a_fee_of_the_config_replaces_the_instruments);
    Suite *suite = suite_create("paper");
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
