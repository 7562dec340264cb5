/* What the gate promises of its snapshots: a life that begins with one and reads what both ledgers have behind it
 * stands where the life that went on stands, whatever has happened before, after, or at that place. */
#include "lib/base/rng.h"
#include "proto/codec.h"
#include "proto/json_form.h"
#include "tests/unit/risk_scene.h"

enum { TOLD_MAX = 512, OPEN_MAX = 16, LIVES = 150, STEPS = 250 };

struct told {
    struct message messages[TOLD_MAX];
    uint32_t n;
};

static struct told first, second, start;
static uint32_t start_records, start_exec;
static struct rng rng;

/* ---- snapshots --------------------------------------------------------------------------------------- */

static void keep(void *ctx, const struct message *m)
{
    struct told *told = ctx;
    ck_assert_uint_lt(told->n, TOLD_MAX);
    told->messages[told->n++] = *m;
}

static void snapshot_of(const struct risk *of, struct told *told)
{
    told->n = 0;
    risk_snapshot(of, now, keep, told);
    ck_assert_uint_eq(told->messages[0].env.type, MSG_SNAPSHOT);
}

/* As a file would give it back. */
static struct message over_the_wire(const struct message *m)
{
    static unsigned char bytes[MESSAGE_BYTES_MAX];
    static struct drops drops;
    static struct message out;
    struct decoder *decoder = decoder_new();
    size_t len = codec_encode(m, bytes, sizeof bytes);
    ck_assert_msg(len > 0, "a %s cannot be packed", message_kind(m->env.type)->body->name);
    ck_assert_msg(codec_decode(decoder, bytes, len, &out, &drops), "%s", drops.last);
    ck_assert(message_equal(m, &out));
    decoder_destroy(&decoder);
    return out;
}

/* What only hellos tell comes with the next one; why a worker left matters only while it still has routes. */
static struct message comparable(const struct message *m)
{
    struct message out = *m;
    if (m->env.type == MSG_WORKER_STATE) {
        out.worker_state.evaluations = out.worker_state.intents = out.worker_state.digest = 0;
        out.worker_state.left = ASSIGN_GOODBYE;
    }
    return out;
}

static const char *in_json(const struct message *m)
{
    static char text[JSON_FORM_MAX];
    ck_assert_uint_gt(json_form(m, text, sizeof text), 0);
    return text;
}

/* Routes are numbered as they were first seen, which another life may do in another order. */
static void assert_same(const struct told *a, const struct told *b, const char *when)
{
    static bool matched[TOLD_MAX];
    memset(matched, 0, sizeof matched);
    for (uint32_t i = 0; i < a->n; i++) {
        struct message wanted = comparable(&a->messages[i]);
        uint32_t k = 0;
        for (; k < b->n; k++) {
            struct message other = comparable(&b->messages[k]);
            if (!matched[k] && message_equal(&wanted, &other))
                break;
        }
        ck_assert_msg(k < b->n, "%s: told by one life only: %s", when, in_json(&wanted));
        matched[k] = true;
    }
    ck_assert_uint_eq(a->n, b->n);
}

/* ---- a life ------------------------------------------------------------------------------------------ */

static struct open_decision {
    struct message decision;
    bool begun, over, ordered;
} open[OPEN_MAX];
static uint32_t n_open;

static uint64_t below(uint64_t n)
{
    return rng_below(&rng, n);
}

static void refresh_all(void)
{
    refresh_books();
    quote_at("BTC-USDT", "gama", "99.99", "100.01");
}

static const struct message *some_assignment(void)
{
    static const char *const routes[] = {ROUTE, "BTC-USDT@alfa~BTC-USDT@gama", "BTC-USDT@beta~BTC-USDT@gama"};
    return assignment_of(routes[below(3)]);
}

static void step_intent(void)
{
    const struct message *assigned = some_assignment();
    if (!assigned)
        return;
    bool leave = below(2) == 0;
    struct message m = leave ? leaving("1") : entry();
    struct intent *in = &m.intent;
    memcpy(in->route, assigned->assign.route, sizeof in->route);
    memcpy(in->worker, assigned->assign.worker, sizeof in->worker);
    in->incarnation = assigned->assign.incarnation;
    in->route_epoch = assigned->assign.route_epoch;
    for (uint32_t i = 0; i < 2; i++)
        memcpy(in->legs[i].venue, assigned->assign.legs[i].venue, sizeof in->legs[i].venue);
    if (below(4) == 0)
        in->deadline = 1;
    const struct message *decision = ask(&m);
    if (decision && decision->decision.verdict == VERDICT_ACCEPT && n_open < OPEN_MAX)
        open[n_open++] = (struct open_decision){.decision = *decision};
}

static void order_of(const struct message *decision, enum order_state state, int64_t filled)
{
    struct message m = exec_record(MSG_ORDER);
    struct order *o = &m.order;
    snprintf(o->client_id, sizeof o->client_id, "paper-%llu-%llu", (unsigned long long)decision->env.epoch,
             (unsigned long long)decision->env.pos);
    strcpy(o->symbol, "BTC-USDT");
    memcpy(o->venue, decision->decision.legs[0].venue, sizeof o->venue);
    memcpy(o->route, decision->decision.route, sizeof o->route);
    o->risk_epoch = decision->env.epoch;
    o->risk_pos = decision->env.pos;
    o->side = decision->decision.legs[0].side;
    o->tif = TIF_IOC;
    o->qty = 10;
    o->qty_exp = -1;
    o->filled = filled;
    o->state = state;
    from_exec(&m);
}

/* As exec tells it: the basket first, and its end when no order is open. */
static void step_exec(void)
{
    static const char *const sizes[] = {"0.25", "0.5", "1"};
    static const enum basket_state ends[] = {BASKET_DONE, BASKET_FLAT, BASKET_PARKED, BASKET_EXPIRED};
    if (n_open == 0)
        return;
    struct open_decision *o = &open[below(n_open)];
    const struct intent_leg *leg = &o->decision.decision.legs[below(2)];
    uint64_t dice = below(4);
    if (!o->begun && !o->over) {
        basket_end(&o->decision, dice == 0 ? BASKET_EXPIRED : BASKET_OPEN);
        o->over = dice == 0;
    } else if (dice == 0 || (dice == 1 && o->ordered)) {
        order_of(&o->decision, o->ordered ? ORDER_FILLED : ORDER_NEW, o->ordered ? 10 : 3);
        o->ordered = !o->ordered;
    } else if (dice == 1) {
        basket_end(&o->decision, o->over ? BASKET_PARKED : ends[below(4)]);
        o->over = true;
    } else {
        fill_for(&o->decision, "BTC-USDT", leg->venue, leg->side, "100", sizes[below(3)], "0.1");
    }
    o->begun = true;
    if (o->over && below(3) == 0)
        *o = open[--n_open];
}

/* Things of decisions that nobody here knows. */
static void step_stray(void)
{
    static struct message lost;
    lost.env.epoch = 1;
    lost.env.pos = 9000 + below(3);
    strcpy(lost.decision.route, ROUTE);
    strcpy(lost.decision.legs[0].venue, "alfa");
    lost.decision.legs[0].side = SIDE_SELL;
    lost.decision.kind = INTENT_ENTER;
    switch (below(3)) {
    case 0:
        basket_end(&lost, below(2) ? BASKET_OPEN : BASKET_DONE);
        break;
    case 1:
        order_of(&lost, below(2) ? ORDER_NEW : ORDER_CANCELED, 0);
        break;
    default:
        fill_for(&lost, "BTC-USDT", "alfa", SIDE_SELL, "100", "0.5", "0");
    }
}

static void step_exec_other(void)
{
    struct message m = exec_record(below(2) ? MSG_UPSTREAM : MSG_ADJUST);
    if (m.env.type == MSG_UPSTREAM) {
        m.upstream.risk_epoch = risk_head(risk)->epoch;
        m.upstream.risk_pos = risk_head(risk)->pos;
        for (uint32_t i = 0; i < n_open; i++)
            open[i].over |= !open[i].begun;
    } else {
        strcpy(m.adjust.venue, "alfa");
        strcpy(m.adjust.currency, "USDT");
        m.adjust.amount = amount("12.5");
    }
    from_exec(&m);
}

static void step_exec_restart(void)
{
    exec_epoch++;
    struct message m = exec_record(MSG_EPOCH);
    m.epoch.base_epoch = exec_epoch - 1;
    m.epoch.base_pos = exec_pos - 1;
    from_exec(&m);
}

static void step_control(void)
{
    const struct message *assigned = some_assignment();
    uint64_t dice = below(20);
    if (dice < 2)
        risk_on_control(risk, dice ? VERB_HALT : VERB_REDUCE, "", now, &outbox);
    else
        risk_on_control(risk, VERB_RESUME, assigned && dice < 12 ? assigned->assign.route : "", now, &outbox);
    take();
}

static void step_hello(void)
{
    static uint64_t lives[3];
    uint64_t i = below(3);
    char name[] = {'w', (char)('1' + i), 0};
    lives[i] = lives[i] ? lives[i] : 11;
    uint64_t dice = below(40);
    lives[i] += dice == 0;
    hello_as(name, dice == 1 ? lives[i] - 1 : lives[i], "", dice == 2);
}

static void step(void)
{
    uint64_t dice = below(100);
    pass_ms((int64_t)below(200));
    refresh_all();
    if (dice < 25)
        step_intent();
    else if (dice < 65)
        step_exec();
    else if (dice < 66)
        step_stray();
    else if (dice < 68)
        step_exec_other();
    else if (dice < 69)
        step_exec_restart();
    else if (dice < 74)
        step_control();
    else if (dice < 98)
        step_hello();
    else if (dice == 98)
        pass_ms(below(4) ? 5000 : 86400000);
    else
        risk_begin_epoch(risk, risk_head(risk)->epoch + 1, now, &outbox);
    take();
    turn();
    if (below(8))
        exec_beat();
}

/* In its second epoch, so that the first may have had decisions that were lost. */
static void begin_life(void)
{
    n_open = 0;
    begin();
    list("BTC-USDT", "gama", "BTC", "USDT");
    risk_begin_epoch(risk, 2, now, &outbox);
    take();
}

/* ---- another life ------------------------------------------------------------------------------------ */

static struct risk *reborn(void)
{
    struct risk *other = new_risk();
    for (uint32_t i = 0; i < start.n; i++) {
        struct message m = over_the_wire(&start.messages[i]);
        risk_restore(other, &m);
    }
    ck_assert_uint_eq(risk_head(other)->pos, start_records);
    for (uint32_t i = start_records; i < n_ledger; i++)
        risk_apply(other, &ledger[i]);
    return other;
}

/* Reads on in exec's ledger, which tells nothing new: all that follows from it is in the own ledger. */
static void read_exec(struct risk *other, const char *when)
{
    uint64_t epoch, pos;
    risk_exec_place(other, &epoch, &pos);
    ck_assert_uint_eq(pos, start_exec == 0 ? 0 : exec_ledger[start_exec - 1].env.pos);
    for (uint32_t i = 0; i < view_count(view); i++)
        risk_on_market(other, (int)i, now, &outbox);
    for (uint32_t i = start_exec; i < n_exec; i++) {
        risk_on_exec(other, &exec_ledger[i], now, &outbox);
        ck_assert_msg(outbox.n_effects == 0, "%s: at exec's record %u is told again: %s", when, i,
                      outbox.n_messages ? in_json(&outbox.messages[0]) : "");
    }
}

static void live_and_compare(uint64_t seed)
{
    char when[64];
    snprintf(when, sizeof when, "seed %llu", (unsigned long long)seed);
    rng_seed(&rng, seed);
    begin_life();
    uint64_t at = below(STEPS), steps = at + below(STEPS);
    for (uint64_t i = 0; i < steps; i++) {
        if (i == at) {
            snapshot_of(risk, &start);
            start_records = n_ledger;
            start_exec = n_exec;
        }
        step();
    }
    if (at == steps) {
        end();
        return;
    }
    refresh_all();
    pass_ms(1001);
    for (int i = 0; i < 4; i++)
        turn();
    snapshot_of(risk, &first);
    struct risk *other = reborn();
    read_exec(other, when);
    snapshot_of(other, &second);
    assert_same(&first, &second, when);
    assert_same(&second, &first, when);
    risk_destroy(&other);
    end();
}

START_TEST(a_life_from_a_snapshot_stands_where_the_one_that_went_on_stands)
{
    for (uint64_t seed = 1; seed <= LIVES; seed++)
        live_and_compare((uint64_t)_i * 100000 + seed);
}
END_TEST

static void assert_same_figures(struct risk *other)
{
    static const char *const figures[] = {"decisions",   "accepts", "open_baskets", "open_orders",
                                          "gross",       "day_pnl", "positions",    "adopted_orders",
                                          "round_trips", "rejects", "state",        "routes_parked"};
    struct risk *lived = risk;
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        int64_t before = metric_of(figures[i]);
        risk = other;
        ck_assert_msg(metric_of(figures[i]) == before, "%s: %lld, and restored %lld", figures[i],
                      (long long)before, (long long)metric_of(figures[i]));
        risk = lived;
    }
}

/* Restoring is enough by itself: nothing of it is made by the ledgers behind. */
START_TEST(a_restored_life_tells_the_same_snapshot_and_the_same_figures)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        rng_seed(&rng, seed);
        begin_life();
        for (int i = 0; i < 400; i++) {
            step();
            pass_ms(1001); /* nothing stays folded */
            turn();
            snapshot_of(risk, &start);
            start_records = n_ledger;
            start_exec = n_exec;
            struct risk *other = reborn();
            read_exec(other, "restored");
            snapshot_of(other, &second);
            assert_same(&start, &second, "restored");
            assert_same_figures(other);
            risk_destroy(&other);
        }
        end();
    }
}
END_TEST

/* The gate as it is, begun anew from its own snapshot, in the same market and with exec's ledger read. */
static void begin_anew(void)
{
    snapshot_of(risk, &start);
    start_records = n_ledger;
    start_exec = n_exec;
    risk_destroy(&risk);
    risk = reborn();
    read_exec(risk, "begun anew");
}

START_TEST(a_residual_that_was_parked_meanwhile_parks_the_route_at_the_baskets_end)
{
    struct message m = entry();
    struct message older = *must_accept(&m);
    basket_end(&older, BASKET_EXPIRED);
    m = entry();
    struct message newer = *must_accept(&m);
    basket_end(&newer, BASKET_OPEN);
    basket_end(&older, BASKET_PARKED);
    begin_anew();
    basket_end(&newer, BASKET_DONE);
    ck_assert(last(MSG_ROUTE)->route.parked);
}
END_TEST

START_TEST(a_day_whose_loss_has_halted_once_is_not_halted_again)
{
    end();
    begin_with("risk.max_daily_loss", "0.3");
    enter_whole();
    leave_whole();
    ck_assert_int_eq(metric_of("state"), RISK_HALTED);
    risk_on_control(risk, VERB_REDUCE, "", now, &outbox);
    take();
    begin_anew();
    exec_beat();
    pass_ms(1001);
    tick_time();
    ck_assert_int_eq(metric_of("day_pnl"), -320000);
    ck_assert_int_eq(metric_of("state"), RISK_REDUCE_ONLY);
}
END_TEST

START_TEST(an_intent_seen_before_the_snapshot_is_a_duplicate_behind_it)
{
    struct message m = entry();
    struct message decision = *must_accept(&m);
    basket_end(&decision, BASKET_EXPIRED);
    begin_anew();
    hello("w1", 11);
    exec_beat();
    m.intent.state_pos = n_ledger;
    must_refuse(&m, REASON_DUPLICATE, TIER_INTENT);
}
END_TEST

START_TEST(a_life_ended_before_the_snapshot_is_not_revived_behind_it_and_epochs_go_on)
{
    hello("w1", 12);
    uint64_t assigned = assignment_of(ROUTE)->assign.route_epoch;
    begin_anew();
    hello("w1", 11);
    ck_assert_uint_eq(assignment_of(ROUTE)->assign.route_epoch, assigned);
    hello("w1", 13);
    ck_assert_uint_eq(assignment_of(ROUTE)->assign.incarnation, 13);
    ck_assert_uint_eq(assignment_of(ROUTE)->assign.route_epoch, assigned + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("risk_snapshot");
    TCase *c = tcase_create("random lives");
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, a_life_from_a_snapshot_stands_where_the_one_that_went_on_stands, 0, 2);
    tcase_add_test(c, a_restored_life_tells_the_same_snapshot_and_the_same_figures);
    suite_add_tcase(suite, c);
    TCase *one = tcase_create("one at a time");
    tcase_add_checked_fixture(one, begin, end);
    tcase_add_test(one, a_residual_that_was_parked_meanwhile_parks_the_route_at_the_baskets_end);
    tcase_add_test(one, a_day_whose_loss_has_halted_once_is_not_halted_again);
    tcase_add_test(one, an_intent_seen_before_the_snapshot_is_a_duplicate_behind_it);
    tcase_add_test(one, a_life_ended_before_the_snapshot_is_not_revived_behind_it_and_epochs_go_on);
    suite_add_tcase(suite, one);
    return run_suite(suite);
}
