#include "bench/recorder_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/text.h"

/* All of one day, whatever the day of the measurement is. */
#define BEGAN_NS INT64_C(1772409600000000000)

static const char *const streams[LEDGERS] = {"risk", "exec"};
static const char *const venues[2] = {"binance", "okx"};

static struct message *start(struct writing *w, int ledger, enum message_type type, uint64_t n)
{
    struct message *m = &w->m;
    const int64_t at = BEGAN_NS + (int64_t)n * NS_PER_MS;
    message_init(m, type);
    (void)text_set(m->env.stream, sizeof m->env.stream, streams[ledger]);
    m->env.epoch = 1;
    m->env.pos = ++w->pos[ledger];
    m->env.time_out = at + (int64_t)m->env.pos;
    m->env.trace.venue_time = at - 3 * NS_PER_MS;
    m->env.trace.recv_utc = at - NS_PER_MS;
    m->env.trace.recv_mono = at / 1000;
    m->env.trace.boot_id = 0x5eed5eed5eed5eedu;
    for (int hop = 0; hop < HOP_COUNT; hop++)
        m->env.trace.hop[hop] = at / 1000 + 20000 * (hop + 1);
    return m;
}

static void emit(struct writing *w, int ledger)
{
    w->emit(w->ctx, ledger, &w->m);
}

static void name_route(char out[96], uint64_t n)
{
    (void)snprintf(out, 96, "arb:SYM%" PRIu64 "-USDT@binance/SYM%" PRIu64 "-USDT@okx", n % 50, n % 50);
}

static void name_symbol(char out[32], uint64_t n)
{
    (void)snprintf(out, 32, "SYM%" PRIu64 "-USDT", n % 50);
}

static money money_of(int64_t units, int64_t millionths)
{
    char text[64];
    money m = 0;
    const int len = snprintf(text, sizeof text, "%" PRId64 ".%06" PRId64, units, millionths);
    (void)money_parse(text, (size_t)len, &m);
    return m;
}

static int64_t price_of(uint64_t n)
{
    return 6183763 + (int64_t)(n * 7919 % 20000);
}

static int64_t qty_of(uint64_t n)
{
    return 1250 + (int64_t)(n * 104729 % 90000);
}

/* ---- risk's ------------------------------------------------------------------------------------------- */

static void write_decision(struct writing *w, uint64_t n)
{
    struct decision *d = &start(w, LEDGER_RISK, MSG_DECISION, n)->decision;
    d->verdict = VERDICT_ACCEPT;
    d->limit = money_of(250000, 0);
    d->value = money_of(1234 + (int64_t)(n % 5000), (int64_t)(n * 37 % 1000000));
    d->limits_version = 1;
    d->count = 1;
    (void)text_set(d->run, sizeof d->run, "20260302-000000-bench");
    (void)text_set(d->account, sizeof d->account, "main");
    (void)text_set(d->worker, sizeof d->worker, "strategy-1");
    d->incarnation = 0x1234567890abcdefu;
    d->intent_id = n + 1;
    (void)text_set(d->strategy, sizeof d->strategy, "arb");
    d->params = d->build = 0xfedcba0987654321u;
    name_route(d->route, n);
    d->route_epoch = 3;
    d->kind = n % 2 ? INTENT_EXIT : INTENT_ENTER;
    d->decided_time = d->accepted_time = BEGAN_NS + (int64_t)n * NS_PER_MS;
    d->deadline = d->decided_time + NS_PER_SEC;
    d->tif = TIF_IOC;
    d->policy = POLICY_COMPLETE;
    d->slippage_bps = (struct dec){25, -1};
    d->edge_nbps = 12345678901 + (int64_t)n;
    d->reference_nbps = 1234567890;
    d->cost_nbps = 5500000000;
    d->evaluations = 1000 * n;
    d->digest = n * 0x9e3779b97f4a7c15u;
    d->n_legs = 2;
    for (int leg = 0; leg < 2; leg++) {
        struct intent_leg *l = &d->legs[leg];
        name_symbol(l->symbol, n);
        (void)text_set(l->venue, sizeof l->venue, venues[leg]);
        l->side = leg ? SIDE_SELL : SIDE_BUY;
        l->price_exp = -2;
        l->qty_exp = -5;
        l->price = l->book_price = price_of(n) + leg;
        l->qty = qty_of(n);
        l->book_epoch = 1;
        l->book_seq = 4 * n + 1;
        l->book_time = d->decided_time - NS_PER_MS;
        l->book_mono = d->decided_time / 1000;
    }
    emit(w, LEDGER_RISK);
}

static void write_route(struct writing *w, uint64_t n, bool busy, int filled)
{
    struct route *r = &start(w, LEDGER_RISK, MSG_ROUTE, n)->route;
    name_route(r->route, n);
    r->route_epoch = 3;
    r->exec_epoch = 1;
    r->exec_pos = w->pos[LEDGER_EXEC];
    r->busy = busy;
    r->entry_time = BEGAN_NS + (int64_t)n * NS_PER_MS;
    r->cool_until = r->entry_time + 5 * NS_PER_SEC;
    r->entry_edge_nbps = 12345678901;
    r->entry_side = SIDE_BUY;
    r->round_trips = n / 2;
    r->realised = money_of((int64_t)(n % 9), (int64_t)(n * 7919 % 1000000));
    r->n_legs = 2;
    for (int leg = 0; leg < 2; leg++) {
        struct route_leg *l = &r->legs[leg];
        name_symbol(l->symbol, n);
        (void)text_set(l->venue, sizeof l->venue, venues[leg]);
        l->qty = (struct dec){leg < filled ? qty_of(n) : 0, -5};
        l->cost = money_of((int64_t)(n % 3000), 123456);
        l->fees = money_of(0, 4567);
    }
    emit(w, LEDGER_RISK);
}

/* ---- exec's ------------------------------------------------------------------------------------------- */

static void write_basket_state(struct writing *w, uint64_t n, uint64_t risk_pos, bool opens)
{
    struct basket *b = &start(w, LEDGER_EXEC, MSG_BASKET, n)->basket;
    name_route(b->route, n);
    b->risk_epoch = 1;
    b->risk_pos = risk_pos;
    b->kind = n % 2 ? INTENT_EXIT : INTENT_ENTER;
    b->state = opens ? BASKET_OPEN : BASKET_DONE;
    b->terminal = !opens;
    b->market_time = BEGAN_NS + (int64_t)n * NS_PER_MS;
    b->deadline = b->market_time + NS_PER_SEC;
    b->policy = POLICY_COMPLETE;
    b->slippage_bps = (struct dec){25, -1};
    b->n_legs = opens ? 2 : 0;
    for (int leg = 0; opens && leg < 2; leg++) {
        struct basket_leg *l = &b->legs[leg];
        name_symbol(l->symbol, n);
        (void)text_set(l->venue, sizeof l->venue, venues[leg]);
        (void)snprintf(l->base, sizeof l->base, "SYM%d", (int)(n % 50));
        (void)text_set(l->quote, sizeof l->quote, "USDT");
        l->kind = KIND_SPOT;
        l->side = leg ? SIDE_SELL : SIDE_BUY;
        l->price_exp = -2;
        l->qty_exp = -5;
        l->price = l->book_price = price_of(n) + leg;
        l->qty = qty_of(n);
    }
    emit(w, LEDGER_EXEC);
}

static void write_order(struct writing *w, uint64_t n, uint64_t risk_pos, int leg, enum order_state state)
{
    struct order *o = &start(w, LEDGER_EXEC, MSG_ORDER, n)->order;
    (void)snprintf(o->client_id, sizeof o->client_id, "main-1-%" PRIu64 "-%d-0", risk_pos, leg);
    if (state != ORDER_PENDING_NEW)
        (void)snprintf(o->venue_id, sizeof o->venue_id, "8%012" PRIu64, 2 * n + (uint64_t)leg);
    name_symbol(o->symbol, n);
    (void)text_set(o->venue, sizeof o->venue, venues[leg]);
    name_route(o->route, n);
    o->risk_epoch = 1;
    o->risk_pos = risk_pos;
    o->leg = (uint32_t)leg;
    o->side = leg ? SIDE_SELL : SIDE_BUY;
    o->tif = TIF_IOC;
    o->price_exp = -2;
    o->qty_exp = -5;
    o->price = price_of(n) + leg;
    o->qty = qty_of(n);
    o->filled = state == ORDER_FILLED ? o->qty : 0;
    o->state = state;
    o->market_time = BEGAN_NS + (int64_t)n * NS_PER_MS;
    emit(w, LEDGER_EXEC);
}

static void write_fill(struct writing *w, uint64_t n, uint64_t risk_pos, int leg)
{
    struct fill *f = &start(w, LEDGER_EXEC, MSG_FILL, n)->fill;
    (void)snprintf(f->client_id, sizeof f->client_id, "main-1-%" PRIu64 "-%d-0", risk_pos, leg);
    (void)snprintf(f->trade_id, sizeof f->trade_id, "%" PRIu64, 90000000 + 2 * n + (uint64_t)leg);
    name_symbol(f->symbol, n);
    (void)text_set(f->venue, sizeof f->venue, venues[leg]);
    name_route(f->route, n);
    f->risk_epoch = 1;
    f->risk_pos = risk_pos;
    f->leg = (uint32_t)leg;
    f->side = leg ? SIDE_SELL : SIDE_BUY;
    f->liquidity = LIQUIDITY_TAKER;
    f->price_exp = -2;
    f->qty_exp = -5;
    f->price = f->decided_price = price_of(n) + leg;
    f->qty = qty_of(n);
    f->fee = (struct dec){(int64_t)(n * 31 % 100000) + 17, -8};
    (void)text_set(f->fee_currency, sizeof f->fee_currency, "USDT");
    (void)snprintf(f->base, sizeof f->base, "SYM%d", (int)(n % 50));
    (void)text_set(f->quote, sizeof f->quote, "USDT");
    f->kind = KIND_SPOT;
    f->fx = (struct dec){1, 0};
    f->venue_time = f->market_time = BEGAN_NS + (int64_t)n * NS_PER_MS;
    emit(w, LEDGER_EXEC);
}

static void write_balance(struct writing *w, uint64_t n, int leg, const char *currency)
{
    struct balance *b = &start(w, LEDGER_EXEC, MSG_BALANCE, n)->balance;
    (void)text_set(b->venue, sizeof b->venue, venues[leg]);
    (void)text_set(b->currency, sizeof b->currency, currency);
    b->total = money_of(1000000 - (int64_t)(n % 7777), (int64_t)(n * 13 % 1000000));
    b->market_time = BEGAN_NS + (int64_t)n * NS_PER_MS;
    emit(w, LEDGER_EXEC);
}

static void write_position(struct writing *w, uint64_t n, int leg)
{
    struct position *p = &start(w, LEDGER_EXEC, MSG_POSITION, n)->position;
    name_symbol(p->symbol, n);
    (void)text_set(p->venue, sizeof p->venue, venues[leg]);
    (void)text_set(p->quote, sizeof p->quote, "USDT");
    p->qty = money_of((int64_t)(n % 10), 12500);
    p->cash = money_of(-(int64_t)(n % 90000), 654321);
    p->fees = money_of((int64_t)(n % 100), 111111);
    p->volume = money_of((int64_t)n * 1234, 777777);
    p->fills = n;
    p->market_time = BEGAN_NS + (int64_t)n * NS_PER_MS;
    emit(w, LEDGER_EXEC);
}

/* ---- together ----------------------------------------------------------------------------------------- */

void write_beginning(struct writing *w)
{
    for (int ledger = 0; ledger < LEDGERS; ledger++) {
        (void)start(w, ledger, MSG_EPOCH, 0);
        emit(w, ledger);
    }
}

void write_basket(struct writing *w, uint64_t n)
{
    static const enum order_state states[] = {ORDER_PENDING_NEW, ORDER_NEW, ORDER_FILLED};
    write_decision(w, n);
    const uint64_t decided = w->pos[LEDGER_RISK];
    write_route(w, n, true, 0);
    write_basket_state(w, n, decided, true);
    for (int s = 0; s < 2; s++)
        for (int leg = 0; leg < 2; leg++)
            write_order(w, n, decided, leg, states[s]);
    for (int leg = 0; leg < 2; leg++) {
        write_fill(w, n, decided, leg);
        write_order(w, n, decided, leg, states[2]);
        write_balance(w, n, leg, "USDT");
        write_balance(w, n, leg, "BTC");
        write_route(w, n, leg == 0, leg + 1);
    }
    write_basket_state(w, n, decided, false);
    for (int leg = 0; leg < 2; leg++)
        write_position(w, n, leg);
}
