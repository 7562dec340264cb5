/* The hand killed at every step of a scenario, under a venue that drops, repeats and reorders what it says, and with
 * the power lost at every step, whereby the records that were not on disk are gone: every order is sent once, every
 * trade is in the ledger once, and every basket ends whole or in the residual it states. */
#include <check.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/decimal.h"
#include "lib/base/rng.h"
#include "services/exec/exec.h"

enum {
    JOURNAL_MAX = 1024,
    ORDERS_MAX = 64,
    FILLS_MAX = 4,
    SAID_MAX = 256,
    DECISIONS = 3,
    STEPS_MAX = 1000,
    KILLS = 3, /* in a scenario: the first where it is told, the others soon after */
    SEEDS = 2
};

/* An order as the venue has it: the truth. */
struct taken {
    struct order order;
    int64_t fills[FILLS_MAX]; /* 1e-3 */
    int trade[FILLS_MAX];
    int n_fills;
    bool refused;
};

static struct config config;
static struct view *view;
static struct exec *hand;
static struct outbox out;
static struct now now;
static struct message journal[JOURNAL_MAX];
static int n_journal;
static struct taken taken[ORDERS_MAX];
static int n_taken, n_trades;
static struct order_report said[SAID_MAX]; /* on its way */
static int n_said;
static struct order asked[ORDERS_MAX];
static int n_asked;
static uint64_t seq;
static struct rng chance; /* the venue's and the way's */
static long steps_left;   /* device calls until the kill */
static bool killed;
static int n_killed;
static bool power;   /* a kill takes what was not synced with it */
static int n_synced; /* records on disk */
static bool deaf;    /* what the venue says is lost and repeated no more: the end of the scenario */

static bool dies(void)
{
    if (!killed && steps_left-- == 0)
        killed = true;
    return killed;
}

/* ---- the venue ---------------------------------------------------------------------------------------- */

static void say(struct order_report r)
{
    uint64_t luck = deaf ? 99 : rng_below(&chance, 100);
    for (int copies = luck < 15 ? 0 : luck < 35 ? 2 : 1; copies > 0 && n_said < SAID_MAX; copies--)
        said[n_said++] = r;
}

static struct order_report report_of(enum report_kind kind, const struct order *order)
{
    struct order_report r = {.kind = kind, .liquidity = LIQUIDITY_TAKER};
    strcpy(r.venue, order->venue);
    strcpy(r.client_id, order->client_id);
    return r;
}

static void say_all(const struct taken *t)
{
    int64_t filled = 0;
    if (t->refused) {
        say(report_of(REPORT_REJECT, &t->order));
        return;
    }
    say(report_of(REPORT_ACK, &t->order));
    for (int i = 0; i < t->n_fills; i++) {
        struct order_report r = report_of(REPORT_FILL, &t->order);
        (void)snprintf(r.trade_id, sizeof r.trade_id, "t-%d", t->trade[i]);
        r.price = (struct dec){t->order.price, t->order.price_exp};
        r.qty = (struct dec){t->fills[i], -3};
        r.fee = (struct dec){1, -2};
        strcpy(r.fee_currency, "USDT");
        filled += t->fills[i];
        say(r);
    }
    struct order_report r = report_of(REPORT_DONE, &t->order);
    r.filled = (struct dec){filled, -3};
    say(r);
}

static struct taken *find_taken(const char *client_id)
{
    for (int i = 0; i < n_taken; i++) {
        if (strcmp(taken[i].order.client_id, client_id) == 0)
            return &taken[i];
    }
    return NULL;
}

static void take(const struct order *order)
{
    ck_assert_msg(!find_taken(order->client_id), "%s sent twice", order->client_id);
    ck_assert_int_lt(n_taken, ORDERS_MAX);
    struct taken *t = &taken[n_taken++];
    *t = (struct taken){.order = *order};
    int64_t left;
    ck_assert_int_eq(dec_mantissa((struct dec){order->qty, order->qty_exp}, -3, ROUND_EXACT, &left), OK);
    uint64_t mood = rng_below(&chance, 10);
    t->refused = mood == 0;
    while (mood > 2 && left > 0 && t->n_fills < FILLS_MAX) {
        bool rest = mood > 5 && t->n_fills == FILLS_MAX - 1;
        int64_t part = rest ? left : 1 + (int64_t)rng_below(&chance, (uint64_t)left);
        t->trade[t->n_fills] = ++n_trades;
        t->fills[t->n_fills++] = part;
        left -= part;
    }
    say_all(t);
}

static void answer_questions(void)
{
    for (int i = 0; i < n_asked; i++) {
        const struct taken *t = find_taken(asked[i].client_id);
        if (t)
            say_all(t);
        else
            say(report_of(REPORT_NOT_FOUND, &asked[i]));
    }
    n_asked = 0;
}

/* ---- the hand's world ---------------------------------------------------------------------------------- */

static int append(void *ctx, struct message *m)
{
    (void)ctx;
    if (dies())
        return OK;
    ck_assert_int_lt(n_journal, JOURNAL_MAX);
    message_copy(&journal[n_journal++], m);
    return OK;
}

static int sync_all(void *ctx)
{
    (void)ctx;
    if (!dies())
        n_synced = n_journal;
    return OK;
}

static int publish(void *ctx, struct message *m)
{
    (void)ctx;
    (void)m;
    (void)dies();
    return OK;
}

static int send_one(void *ctx, enum peer to, struct message *m)
{
    (void)ctx;
    if (dies())
        return OK;
    ck_assert_int_eq(to, PEER_VENUE);
    if (m->order.state == ORDER_UNKNOWN) {
        ck_assert_int_lt(n_asked, ORDERS_MAX);
        asked[n_asked++] = m->order;
    } else {
        ck_assert_int_eq(m->order.state, ORDER_PENDING_NEW);
        take(&m->order);
    }
    return OK;
}

static void on_listed(const struct taken *t)
{
    struct order_report r = report_of(REPORT_LISTED, &t->order);
    strcpy(r.symbol, t->order.symbol);
    r.side = t->order.side;
    r.tif = t->order.tif;
    r.price = (struct dec){t->order.price, t->order.price_exp};
    r.qty = (struct dec){t->order.qty, t->order.qty_exp};
    r.filled = (struct dec){0, -3};
    for (int i = 0; i < t->n_fills; i++)
        r.filled.m += t->fills[i];
    ck_assert_int_eq(exec_on_listed(hand, &r, now, &out), OK);
}

static void begin_life(void)
{
    if (power && n_journal > 0) /* some of what was not synced may be on disk nevertheless */
        n_journal = n_synced + (int)rng_below(&chance, (uint64_t)(n_journal - n_synced) + 1);
    n_synced = n_journal;
    hand = exec_new(&(struct exec_options){&config, view, "run-1", 42});
    ck_assert_ptr_nonnull(hand);
    for (int i = 0; i < n_journal; i++)
        exec_apply(hand, &journal[i]);
    exec_start(hand, exec_head(hand)->epoch + 1, now, &out);
    for (int i = 0; i < n_taken; i++)
        on_listed(&taken[i]);
}

/* Does what the hand wants; when it dies of it, another life begins, and reads risk's ledger from the start.
 */
static bool settle(void)
{
    struct devices devices = {.append = append, .sync = sync_all, .publish = publish, .send = send_one};
    ck_assert_int_eq(effects_run(&out, &devices), OK);
    ck_assert_uint_eq(out.overflows, 0);
    if (!killed)
        return true;
    while (killed) {
        n_killed++;
        exec_destroy(&hand);
        killed = false;
        steps_left = n_killed < KILLS ? (long)rng_below(&chance, 30) : -1;
        n_asked = 0;
        begin_life();
        ck_assert_int_eq(effects_run(&out, &devices), OK);
    }
    return false;
}

static struct message decision(uint64_t pos)
{
    struct message m;
    message_init(&m, MSG_DECISION);
    strcpy(m.env.stream, "risk");
    m.env.epoch = 3;
    m.env.pos = pos;
    m.decision.verdict = VERDICT_ACCEPT;
    m.decision.kind = INTENT_ENTER;
    m.decision.tif = TIF_IOC;
    m.decision.policy = pos % 3 == 0 ? POLICY_UNWIND : POLICY_COMPLETE;
    m.decision.slippage_bps = (struct dec){20, 0};
    m.decision.deadline = 1000 * NS_PER_SEC + (int64_t)pos * 300 * NS_PER_MS + NS_PER_SEC;
    strcpy(m.decision.route, "r");
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

static void show_market(bool stale)
{
    for (int v = 0; v < 2; v++) {
        struct message m;
        message_init(&m, MSG_INST);
        strcpy(m.env.stream, "market");
        m.env.epoch = 1;
        strcpy(m.inst.symbol, "BTC-USDT");
        strcpy(m.inst.venue, v ? "b" : "a");
        strcpy(m.inst.base, "BTC");
        strcpy(m.inst.quote, "USDT");
        m.inst.kind = KIND_SPOT;
        m.inst.tick = (struct dec){1, -1};
        m.inst.lot = (struct dec){v ? 1 : 5, -3};
        (void)view_apply(view, &m, now);
        message_init(&m, MSG_BOOK);
        strcpy(m.env.stream, "market");
        m.env.epoch = 1;
        m.env.seq = ++seq;
        strcpy(m.book.symbol, "BTC-USDT");
        strcpy(m.book.venue, v ? "b" : "a");
        m.book.state = stale ? BOOK_STALE : BOOK_LIVE;
        m.book.recv_time = now.market_ns;
        m.book.price_exp = -1;
        m.book.qty_exp = -3;
        m.book.n_bids = m.book.n_asks = 1;
        m.book.bids[0] = (struct level){1000, 5000};
        m.book.asks[0] = (struct level){1001, 5000};
        (void)view_apply(view, &m, now);
    }
}

/* Risk's ledger as far as it is written, from a position on. false: the hand died meanwhile. */
static bool follow(uint64_t from, uint64_t to)
{
    for (uint64_t pos = from; pos <= to; pos++) {
        struct message m = decision(pos);
        exec_on_risk(hand, &m, now, &out);
        if (!settle())
            return false;
    }
    return true;
}

static bool hear(void)
{
    while (n_said > 0 && (deaf || rng_below(&chance, 4) > 0)) {
        int i = (int)rng_below(&chance, (uint64_t)n_said);
        struct order_report r = said[i];
        said[i] = said[--n_said];
        exec_on_report(hand, &r, now, &out);
        if (!settle())
            return false;
    }
    return true;
}

/* The whole scenario, with a kill at the given device call; false: it ended before that call. */
static bool play(uint64_t seed, long kill_at)
{
    rng_seed(&chance, seed);
    now = (struct now){.market_ns = 1000 * NS_PER_SEC, .mono_ns = 1, .utc_ns = 1};
    n_journal = n_synced = n_taken = n_trades = n_said = n_asked = n_killed = 0;
    seq = 0;
    deaf = killed = false;
    steps_left = kill_at;
    view = view_new(4, 0);
    ck_assert_int_eq(outbox_open(&out, OUTBOX_CAPACITY), OK);
    show_market(false);
    begin_life();
    bool alive = settle();
    uint64_t followed = 0;
    for (int step = 0; step < STEPS_MAX; step++) {
        uint64_t written = step / 3 < DECISIONS ? (uint64_t)step / 3 : DECISIONS;
        now.market_ns += 100 * NS_PER_MS;
        show_market(rng_below(&chance, 20) == 0);
        deaf = step > STEPS_MAX / 2;
        if (!alive)
            followed = 0;
        alive = follow(followed + 1, written);
        if (!alive)
            continue;
        followed = written;
        alive = hear();
        if (!alive)
            continue;
        exec_on_time(hand, now, &out);
        alive = settle();
        answer_questions();
        if (alive && followed == DECISIONS && n_said == 0 && exec_open_baskets(hand) == 0)
            break;
    }
    ck_assert_uint_eq(exec_open_baskets(hand), 0);
    return n_killed > 0;
}

static void stop(void)
{
    exec_destroy(&hand);
    outbox_close(&out);
    view_destroy(&view);
}

/* ---- what must hold ------------------------------------------------------------------------------------ */

static void check_positions_follow_each_other(void)
{
    for (int i = 0; i < n_journal; i++)
        ck_assert_uint_eq(journal[i].env.pos, (uint64_t)i + 1);
}

static void check_every_trade_is_booked_once(void)
{
    int booked[ORDERS_MAX * FILLS_MAX + 1] = {0}, n;
    for (int i = 0; i < n_journal; i++) {
        if (journal[i].env.type != MSG_FILL)
            continue;
        ck_assert_int_eq(sscanf(journal[i].fill.trade_id, "t-%d", &n), 1);
        booked[n]++;
    }
    for (int t = 1; t <= n_trades; t++)
        ck_assert_msg(booked[t] == 1, "trade %d is booked %d times", t, booked[t]);
}

/* Signed base units that the venue executed for a basket, in 1e-3. */
static int64_t held(uint64_t pos)
{
    int64_t sum = 0;
    for (int i = 0; i < n_taken; i++) {
        for (int f = 0; f < taken[i].n_fills && taken[i].order.risk_pos == pos; f++)
            sum += taken[i].order.side == SIDE_BUY ? taken[i].fills[f] : -taken[i].fills[f];
    }
    return sum;
}

static void check_every_basket_ended_in_what_it_states(void)
{
    for (uint64_t pos = 1; pos <= DECISIONS; pos++) {
        const struct basket *last = NULL;
        int opened = 0;
        for (int i = 0; i < n_journal; i++) {
            if (journal[i].env.type != MSG_BASKET || journal[i].basket.risk_pos != pos)
                continue;
            opened += journal[i].basket.state == BASKET_OPEN;
            last = &journal[i].basket;
        }
        ck_assert_ptr_nonnull(last);
        ck_assert_int_le(opened, 1);
        ck_assert(last->terminal);
        ck_assert_int_eq(dec_cmp(last->residual, (struct dec){held(pos), -3}), 0);
        if (last->state != BASKET_PARKED) /* less than the larger lot */
            ck_assert_msg(held(pos) > -5 && held(pos) < 5, "%s with %ld", basket_state_text(last->state),
                          (long)held(pos));
    }
}

static void check_another_life_agrees(void)
{
    struct reply mine = {.n_metrics = 0}, other = {.n_metrics = 0};
    struct exec *again = exec_new(&(struct exec_options){&config, view, "run-1", 42});
    for (int i = 0; i < n_journal; i++)
        exec_apply(again, &journal[i]);
    exec_status(hand, &mine);
    exec_status(again, &other);
    for (uint32_t i = 0; i < 10; i++) /* orders, fills, baskets, cash, place: what follows from records */
        ck_assert_msg(mine.metrics[i].value == other.metrics[i].value, "%s", mine.metrics[i].name);
    ck_assert_uint_eq(exec_open_baskets(again), 0);
    exec_destroy(&again);
}

static void check_all(void)
{
    check_positions_follow_each_other();
    check_every_trade_is_booked_once();
    check_every_basket_ended_in_what_it_states();
    check_another_life_agrees();
}

START_TEST(killed_at_any_step_nothing_is_lost_and_nothing_doubled)
{
    bool reached = true;
    long kill_at = 0;
    for (; reached; kill_at++) {
        reached = play((uint64_t)_i, kill_at);
        check_all();
        stop();
    }
    ck_assert_int_gt(kill_at, 40);
}
END_TEST

/* Where an order is sent before its record is on disk, nothing but the venue knows of an order whose record is lost. */
START_TEST(with_the_power_lost_at_any_step_nothing_is_lost_and_nothing_doubled)
{
    bool reached = true;
    power = true;
    strcpy(config.exec.sync_before_send, _i % 2 ? "always" : "live");
    for (long kill_at = 0; reached; kill_at++) {
        reached = play((uint64_t)_i, kill_at);
        check_all();
        stop();
    }
}
END_TEST

START_TEST(whatever_order_reports_come_in_each_trade_counts_once)
{
    for (uint64_t seed = 1000; seed < 1060; seed++) {
        (void)play(seed, -1);
        check_all();
        stop();
    }
}
END_TEST

int main(void)
{
    /* A life takes its room at its start: from one to the next it is kept, not given back. */
    (void)mallopt(M_MMAP_THRESHOLD, INT_MAX);
    (void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
    config_defaults(&config);
    strcpy(config.run.account, "paper");
    config.exec.max_attempts = 2;
    config.paper.latency_us = 0;
    TCase *promises = tcase_create("promises");
    tcase_set_timeout(promises, 300);
    tcase_add_loop_test(promises, killed_at_any_step_nothing_is_lost_and_nothing_doubled, 1, 1 + SEEDS);
    tcase_add_loop_test(promises, with_the_power_lost_at_any_step_nothing_is_lost_and_nothing_doubled, 1, 3);
    tcase_add_test(promises, whatever_order_reports_come_in_each_trade_counts_once);
    Suite *suite = suite_create("exec restart");
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
