/* What the hand promises of snapshots: a core restored from one taken anywhere in a life, and given the records behind
 * it, is the core that lived it all. Both are compared by their own snapshots, byte by byte, and by what they then make
 * of the same words of the venue. */
#include "tests/unit/exec_scene.h"

#include <limits.h>
#include <malloc.h>
#include <stdlib.h>

#include "lib/base/rng.h"
#include "proto/codec.h"

enum { TOLD_MAX = 8192, STEPS = 400, SAID_MAX = 4096, ORDERS_MAX = 512 };

/* Messages as they go over the wire and into files. */
struct told {
    size_t n, len[TOLD_MAX];
    unsigned char *bytes[TOLD_MAX];
};

static struct told life, taken, left, right;
static uint64_t taken_at; /* position */
static struct rng chance;
static struct order_report said[SAID_MAX];
static int n_said;
static uint64_t risk_pos;

static void keep(void *ctx, const struct message *m)
{
    static unsigned char bytes[MESSAGE_BYTES_MAX];
    struct told *told = ctx;
    ck_assert_uint_lt(told->n, TOLD_MAX);
    size_t len = codec_encode(m, bytes, sizeof bytes);
    ck_assert_uint_gt(len, 0);
    told->bytes[told->n] = malloc(len);
    memcpy(told->bytes[told->n], bytes, len);
    told->len[told->n++] = len;
}

static void forget(struct told *told)
{
    for (size_t i = 0; i < told->n; i++)
        free(told->bytes[i]);
    told->n = 0;
}

static void give(const struct told *told, struct exec *to, uint64_t behind,
                 void (*take)(struct exec *e, const struct message *m))
{
    static struct message m;
    struct drops drops = {0};
    struct decoder *decoder = decoder_new();
    for (size_t i = 0; i < told->n; i++) {
        ck_assert(codec_decode(decoder, told->bytes[i], told->len[i], &m, &drops));
        if (m.env.pos > behind || take == exec_restore)
            take(to, &m);
    }
    decoder_destroy(&decoder);
}

static struct order orders[ORDERS_MAX]; /* each as last told */
static int n_orders;

static int append_to_life(void *ctx, struct message *m)
{
    (void)ctx;
    keep(&life, m);
    if (m->env.type != MSG_ORDER)
        return OK;
    int i = 0;
    while (i < n_orders && strcmp(orders[i].client_id, m->order.client_id) != 0)
        i++;
    ck_assert_int_lt(i, ORDERS_MAX);
    n_orders += i == n_orders;
    orders[i] = m->order;
    return OK;
}

static int send_and_keep(void *ctx, enum peer to, struct message *m)
{
    (void)ctx;
    (void)to;
    sent[n_sent++ % SENT_MAX] = m->order;
    return OK;
}

static void do_all(void)
{
    struct devices devices = {.append = append_to_life, .send = send_and_keep};
    ck_assert_int_eq(effects_run(&out, &devices), OK);
    ck_assert_uint_eq(out.overflows, 0);
}

/* ---- a life ---------------------------------------------------------------------------------------------- */

static void decide_something(void)
{
    struct message m = decision(++risk_pos, rng_below(&chance, 3) ? POLICY_COMPLETE : POLICY_UNWIND);
    m.env.trace.venue_time = now.market_ns - 5;
    if (rng_below(&chance, 10) == 0)
        m.decision.policy = POLICY_PARK;
    if (rng_below(&chance, 10) == 0)
        m.decision.deadline = now.market_ns - 1;
    exec_on_risk(hand, &m, now, &out);
}

static void say_something(void)
{
    if (n_sent == 0 || n_said == SAID_MAX)
        return;
    int newest = n_sent < SENT_MAX ? n_sent : SENT_MAX;
    const struct order *order = &sent[rng_below(&chance, (uint64_t)newest)];
    struct order_report r = report_of(REPORT_ACK, order);
    char part[16];
    (void)snprintf(part, sizeof part, "0.%llu", (unsigned long long)(1 + rng_below(&chance, 99)));
    switch (rng_below(&chance, 8)) {
    case 0:
        strcpy(r.venue_id, "v-1");
        break;
    case 1:
        r = report_of(REPORT_REJECT, order);
        r.reason = REASON_NO_BALANCE;
        break;
    case 2:
    case 3:
        r = report_of(REPORT_DONE, order);
        r.filled = d(rng_below(&chance, 2) ? "0" : part);
        break;
    case 4:
        r = report_of(REPORT_NOT_FOUND, order);
        break;
    default:
        r = fill_of(order, rng_below(&chance, 3) ? part : "1");
        if (rng_below(&chance, 3) == 0)
            strcpy(r.fee_currency, "BNB");
        if (n_said > 0 && rng_below(&chance, 6) == 0) /* one that was told before */
            r = said[rng_below(&chance, (uint64_t)n_said)];
        said[n_said++] = r;
    }
    exec_on_report(hand, &r, now, &out);
}

static void live(void)
{
    uint64_t snapshot_at = rng_below(&chance, STEPS);
    exec_on_market(hand, 0, now, &out);
    exec_on_market(hand, 1, now, &out);
    do_all();
    for (uint64_t step = 0; step < STEPS; step++) {
        uint64_t what = rng_below(&chance, 20);
        now.market_ns += (int64_t)rng_below(&chance, 300) * NS_PER_MS;
        now.mono_ns = now.market_ns;
        show_book(what & 1 ? "a" : "b", what < 2 ? BOOK_STALE : BOOK_LIVE);
        if (what < 3)
            decide_something();
        else if (what < 16)
            say_something();
        else
            exec_on_time(hand, now, &out);
        do_all();
        if (step == snapshot_at) {
            taken_at = exec_head(hand)->pos;
            exec_snapshot(hand, now, keep, &taken);
        }
    }
    now.mono_ns += 10 * NS_PER_SEC;
    exec_on_time(hand, now, &out); /* writes how far risk's ledger is taken */
    do_all();
}

static void expect_same_state(const struct exec *a, const struct exec *b)
{
    exec_snapshot(a, now, keep, &left);
    exec_snapshot(b, now, keep, &right);
    ck_assert_uint_eq(left.n, right.n);
    for (size_t i = 0; i < left.n; i++) {
        static struct message m;
        struct drops drops = {0};
        struct decoder *decoder = decoder_new();
        ck_assert(codec_decode(decoder, left.bytes[i], left.len[i], &m, &drops));
        ck_assert_msg(left.len[i] == right.len[i] && memcmp(left.bytes[i], right.bytes[i], left.len[i]) == 0,
                      "message %zu of %zu, type %d, taken at %llu", i, left.n, (int)m.env.type,
                      (unsigned long long)taken_at);
        decoder_destroy(&decoder);
    }
    forget(&left);
    forget(&right);
}

/* What it writes upon an input is kept, and goes nowhere. */
static int append_to_words(void *ctx, struct message *m)
{
    keep(ctx, m);
    return OK;
}

static void write_to(struct told *words)
{
    struct devices devices = {.ctx = words, .append = append_to_words};
    ck_assert_int_eq(effects_run(&out, &devices), OK);
}

static void expect_same_words(const char *upon)
{
    ck_assert_msg(left.n == right.n, "%s: %zu and %zu records", upon, left.n, right.n);
    for (size_t i = 0; i < left.n; i++)
        ck_assert_msg(left.len[i] == right.len[i] && memcmp(left.bytes[i], right.bytes[i], left.len[i]) == 0,
                      "%s: record %zu", upon, i);
    forget(&left);
    forget(&right);
}

static void tell_both(struct exec *a, struct exec *b, const struct order_report *report)
{
    exec_on_report(a, report, now, &out);
    write_to(&left);
    exec_on_report(b, report, now, &out);
    write_to(&right);
    expect_same_words("a report");
}

static void forget_all(struct exec **a, struct exec **b)
{
    exec_destroy(a);
    exec_destroy(b);
    forget(&life);
    forget(&taken);
}

/* Everything comes to its end. */
static void come_to_rest(void)
{
    for (int turn = 0; turn < 200 && exec_open_baskets(hand) > 0; turn++) {
        now.market_ns += NS_PER_SEC;
        show_book("a", BOOK_LIVE);
        show_book("b", BOOK_LIVE);
        for (int i = 0; i < n_orders; i++) {
            if (orders[i].state == ORDER_FILLED || orders[i].state == ORDER_CANCELED ||
                orders[i].state == ORDER_REJECTED)
                continue;
            struct order_report r = report_of(REPORT_DONE, &orders[i]);
            r.filled = (struct dec){orders[i].filled, orders[i].qty_exp};
            exec_on_report(hand, &r, now, &out);
            do_all();
        }
        exec_on_time(hand, now, &out);
        do_all();
    }
    ck_assert_uint_eq(exec_open_baskets(hand), 0);
}

static void live_from_seed(uint64_t seed)
{
    rng_seed(&chance, seed);
    n_said = n_sent = n_orders = 0;
    risk_pos = 3;
    exec_destroy(&hand);
    hand = fresh();
    exec_start(hand, 1, now, &out);
    do_all();
    live();
}

START_TEST(restored_anywhere_and_given_the_rest_it_is_the_core_that_lived_it)
{
    live_from_seed((uint64_t)_i);
    struct exec *restored = fresh(), *replayed = fresh();
    give(&taken, restored, 0, exec_restore);
    ck_assert_uint_eq(exec_head(restored)->pos, taken_at);
    give(&life, restored, taken_at, exec_apply);
    give(&life, replayed, 0, exec_apply);
    expect_same_state(hand, replayed);
    expect_same_state(hand, restored);
    forget_all(&restored, &replayed);
}
END_TEST

START_TEST(a_restored_core_says_to_whatever_comes_what_the_one_that_lived_says)
{
    live_from_seed((uint64_t)_i);
    come_to_rest();
    if (_i % 2) { /* with nothing behind it */
        forget(&taken);
        taken_at = exec_head(hand)->pos;
        exec_snapshot(hand, now, keep, &taken);
    }
    struct exec *restored = fresh(), *none = NULL;
    give(&taken, restored, 0, exec_restore);
    give(&life, restored, taken_at, exec_apply);
    int64_t fills = figure(restored, "fills");
    for (int i = 0; i < n_said; i++) {
        if (said[i].kind == REPORT_FILL)
            tell_both(hand, restored, &said[i]);
    }
    ck_assert_int_eq(figure(restored, "fills"), fills); /* none of them again */
    ck_assert_int_gt(figure(restored, "repeated_trades"), 20);
    for (int i = 0; i < n_orders; i++) {
        struct order_report r = fill_of(&orders[i], "0.125");
        tell_both(hand, restored, &r);
        expect_same_state(hand, restored);
    }
    ck_assert_int_eq(figure(restored, "fills"), fills + n_orders);
    for (uint64_t pos = 3; pos <= risk_pos + 1; pos++) {
        struct message m = decision(pos, POLICY_COMPLETE);
        exec_on_risk(hand, &m, now, &out);
        write_to(&left);
        exec_on_risk(restored, &m, now, &out);
        write_to(&right);
        ck_assert_uint_eq(right.n, pos > risk_pos ? 3 : 0);
        expect_same_words("a decision");
    }
    for (int i = 0; i < 2; i++) {
        exec_on_market(restored, i, now, &out);
        write_to(&left);
        ck_assert_uint_eq(left.n, 0); /* start balances are booked once */
    }
    forget_all(&restored, &none);
}
END_TEST

int main(void)
{
    /* A life takes its room at its start: from one to the next it is kept, not given back. */
    (void)mallopt(M_MMAP_THRESHOLD, INT_MAX);
    (void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
    TCase *promises = tcase_create("promises");
    tcase_set_timeout(promises, 120);
    tcase_add_checked_fixture(promises, begin, end);
    tcase_add_loop_test(promises, restored_anywhere_and_given_the_rest_it_is_the_core_that_lived_it, 1, 31);
    tcase_add_loop_test(promises, a_restored_core_says_to_whatever_comes_what_the_one_that_lived_says, 100,
                        112);
    Suite *suite = suite_create("exec snapshots");
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
