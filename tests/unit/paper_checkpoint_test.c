/* What the paper venue's checkpoints promise: a venue that starts from the last one and the log behind it goes on as
 * one that never stopped, and reads no more of the log than about twice what it must remember. */
#include "venues/paper/paper.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/rng.h"
#include "venues/paper/paper_files.h"

enum {
    REPORTS_MAX = 64,
    LOG_MAX = 256 * 1024,
    LATENCY_US = 2000,
    ORDERS = 64,
    EVERY = ORDERS / 4 + 1,
    PLAYED = 400
};

struct place {
    struct paper *paper;
    char log[LOG_MAX];
    size_t log_len;
    char checkpoint[64 * 1024];
    size_t checkpoint_len;
    int checkpoints;
    bool refuses; /* checkpoints cannot be written */
};

static struct config config;
static struct view *view;
static struct place steady, restarted;
static struct now now;
static uint64_t seq;
static struct order_report reports[2][REPORTS_MAX];
static int n_reports[2];

static int write_log(void *ctx, const char *line, size_t len)
{
    struct place *v = ctx;
    ck_assert_uint_lt(v->log_len + len, LOG_MAX);
    memcpy(v->log + v->log_len, line, len);
    v->log_len += len;
    return OK;
}

static int write_checkpoint(void *ctx, const char *text, size_t len)
{
    struct place *v = ctx;
    if (v->refuses)
        return E_IO;
    ck_assert_uint_lt(len, sizeof v->checkpoint);
    memcpy(v->checkpoint, text, len + 1);
    v->checkpoint_len = len;
    v->checkpoints++;
    return OK;
}

static void on_report(void *ctx, const struct order_report *report)
{
    int i = *(int *)ctx;
    ck_assert_int_lt(n_reports[i], REPORTS_MAX);
    reports[i][n_reports[i]++] = *report;
}

static void open_place(struct place *v)
{
    v->paper = paper_new(&config, view, ORDERS,
                         (struct paper_log){.ctx = v, .write = write_log, .checkpoint = write_checkpoint});
    ck_assert_ptr_nonnull(v->paper);
}

/* Returns the bytes of the log that were read. */
static size_t restart(struct place *v)
{
    uint64_t offset = 0;
    paper_destroy(&v->paper);
    open_place(v);
    if (v->checkpoint_len > 0) {
        ck_assert_int_eq(paper_checkpoint_offset(v->checkpoint, v->checkpoint_len, &offset), OK);
        ck_assert_int_eq(paper_restore_checkpoint(v->paper, v->checkpoint, v->checkpoint_len), OK);
    }
    for (size_t at = offset; at < v->log_len;) {
        size_t len = (size_t)((char *)memchr(v->log + at, '\n', v->log_len - at) - (v->log + at));
        ck_assert_int_eq(paper_restore(v->paper, v->log + at, len), OK);
        at += len + 1;
    }
    return v->log_len - offset;
}

static void show(enum message_type type)
{
    struct message m;
    message_init(&m, type);
    strcpy(m.env.stream, "market");
    m.env.epoch = 1;
    if (type == MSG_INST) {
        strcpy(m.inst.symbol, "BTC-USDT");
        strcpy(m.inst.venue, "v");
        strcpy(m.inst.base, "BTC");
        strcpy(m.inst.quote, "USDT");
        m.inst.kind = KIND_SPOT;
        m.inst.tick = (struct dec){1, -1};
        m.inst.lot = (struct dec){1, -3};
        m.inst.taker_bps = (struct dec){10, 0};
    } else {
        m.env.seq = ++seq;
        strcpy(m.book.symbol, "BTC-USDT");
        strcpy(m.book.venue, "v");
        m.book.state = BOOK_LIVE;
        m.book.recv_time = now.market_ns;
        m.book.price_exp = -1;
        m.book.qty_exp = -3;
        m.book.n_bids = m.book.n_asks = 2;
        for (int i = 0; i < 2; i++) {
            m.book.bids[i] = (struct level){1000 - i, 1000};
            m.book.asks[i] = (struct level){1001 + i, 1000};
        }
    }
    ck_assert_int_ge(view_apply(view, &m, now), 0);
}

static void begin(void)
{
    config_defaults(&config);
    config.paper.latency_us = LATENCY_US;
    config.n_balances = 1;
    strcpy(config.balances[0].venue, "*");
    strcpy(config.balances[0].currency, "*");
    ck_assert(money_parse("2000", 4, &config.balances[0].amount));
    now = (struct now){.market_ns = 1000 * NS_PER_SEC};
    seq = 0;
    view = view_new(8, 0);
    memset(&steady, 0, sizeof steady);
    memset(&restarted, 0, sizeof restarted);
    show(MSG_INST);
    show(MSG_BOOK);
    open_place(&steady);
    open_place(&restarted);
}

static void end(void)
{
    paper_destroy(&steady.paper);
    paper_destroy(&restarted.paper);
    view_destroy(&view);
}

static struct order order_number(int i, struct rng *rng)
{
    struct order order = {.tif = TIF_IOC, .state = ORDER_PENDING_NEW, .price_exp = -1, .qty_exp = -3};
    (void)snprintf(order.client_id, sizeof order.client_id, "a-1-%d-0-0", i);
    strcpy(order.symbol, "BTC-USDT");
    strcpy(order.venue, "v");
    order.side = rng_below(rng, 3) > 0 ? SIDE_BUY : SIDE_SELL; /* until the money is gone */
    order.price = order.side == SIDE_BUY ? 1002 : 999;
    order.qty = 1 + (int64_t)rng_below(rng, 2000);
    return order;
}

static void expect_same_answers(const char *client_id)
{
    for (int i = 0; i < 2; i++) {
        n_reports[i] = 0;
        paper_look_up(i ? restarted.paper : steady.paper, "v", client_id, on_report, &i);
    }
    ck_assert_int_eq(n_reports[0], n_reports[1]);
    for (int k = 0; k < n_reports[0]; k++) {
        const struct order_report *a = &reports[0][k], *b = &reports[1][k];
        ck_assert_int_eq(a->kind, b->kind);
        ck_assert_str_eq(a->venue_id, b->venue_id);
        ck_assert_str_eq(a->trade_id, b->trade_id);
        ck_assert_int_eq(dec_cmp(a->filled, b->filled), 0);
        ck_assert_int_eq(a->reason, b->reason);
        ck_assert_int_eq(a->venue_time, b->venue_time);
    }
}

START_TEST(started_from_a_checkpoint_at_any_time_it_is_the_venue_that_never_stopped)
{
    struct rng rng;
    char id[36];
    rng_seed(&rng, (uint64_t)_i);
    for (int i = 1; i <= PLAYED; i++) {
        struct order order = order_number(i, &rng);
        paper_submit(steady.paper, &order, now);
        paper_submit(restarted.paper, &order, now);
        if (rng_below(&rng, 3) == 0) {
            size_t read = restart(&restarted);
            ck_assert_uint_lt(read, (2 * EVERY + 2) * 4 * 100); /* lines of an order, of 100 bytes */
        }
        if (rng_below(&rng, 2) == 0) { /* else some more wait for this one's end */
            now.market_ns += LATENCY_US * NS_PER_US;
            show(MSG_BOOK);
            for (int v = 0; v < 2; v++) {
                n_reports[v] = 0;
                (void)paper_run(v ? restarted.paper : steady.paper, now, on_report, &v);
            }
            ck_assert_int_eq(n_reports[0], n_reports[1]);
        }
        for (int back = 0; back < EVERY && back < i; back++) {
            (void)snprintf(id, sizeof id, "a-1-%d-0-0", i - back);
            expect_same_answers(id);
        }
        ck_assert_uint_eq(steady.log_len, restarted.log_len);
        ck_assert_int_eq(memcmp(steady.log, restarted.log, steady.log_len), 0);
    }
    ck_assert_int_gt(restarted.checkpoints, PLAYED / EVERY - 3);
}
END_TEST

START_TEST(where_no_checkpoint_can_be_written_all_of_the_log_is_read)
{
    struct rng rng;
    rng_seed(&rng, 1);
    restarted.refuses = true;
    for (int i = 1; i <= PLAYED; i++) {
        struct order order = order_number(i, &rng);
        paper_submit(restarted.paper, &order, now);
        now.market_ns += LATENCY_US * NS_PER_US;
        n_reports[1] = 0;
        int v = 1;
        (void)paper_run(restarted.paper, now, on_report, &v);
    }
    ck_assert_uint_eq(restart(&restarted), restarted.log_len);
    restarted.refuses = false;
}
END_TEST

START_TEST(a_checkpoint_that_is_not_whole_is_none)
{
    static const char whole[] = "C 120\nB v USDT 5\nV v 3 4\nE 3\n";
    uint64_t offset = 0;
    ck_assert_int_eq(paper_checkpoint_offset(whole, sizeof whole - 1, &offset), OK);
    ck_assert_uint_eq(offset, 120);
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        char cut[sizeof whole] = {0};
        memcpy(cut, whole, len);
        ck_assert_int_eq(paper_checkpoint_offset(cut, len, &offset), E_SYNTAX);
    }
    static const char wrong[] = "C 120\nX v USDT 5\nE 2\n";
    ck_assert_int_eq(paper_restore_checkpoint(restarted.paper, wrong, sizeof wrong - 1), E_SYNTAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("paper checkpoints");
    TCase *promises = tcase_create("promises");
    tcase_set_timeout(promises, 60);
    tcase_add_checked_fixture(promises, begin, end);
    tcase_add_loop_test(promises, started_from_a_checkpoint_at_any_time_it_is_the_venue_that_never_stopped, 1,
                        6);
    tcase_add_test(promises, where_no_checkpoint_can_be_written_all_of_the_log_is_read);
    tcase_add_test(promises, a_checkpoint_that_is_not_whole_is_none);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
