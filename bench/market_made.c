#include "bench/market_made.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/text.h"

const char *const made_venues[2] = {"alfa", "beta"};

static void symbol_of(int i, char out[32])
{
    (void)snprintf(out, 32, "C%03d-USDT", i);
}

int made_symbol_of(const struct assign *assigned)
{
    return atoi(assigned->legs[0].symbol + 1);
}

static void of_market(struct message *m, enum message_type type)
{
    message_init(m, type);
    (void)text_set(m->env.stream, sizeof m->env.stream, "market");
    m->env.epoch = 1;
}

void made_instrument(struct message *m, int symbol, int venue)
{
    of_market(m, MSG_INST);
    symbol_of(symbol, m->inst.symbol);
    (void)text_set(m->inst.venue, sizeof m->inst.venue, made_venues[venue]);
    (void)snprintf(m->inst.base, sizeof m->inst.base, "C%03d", symbol);
    (void)text_set(m->inst.quote, sizeof m->inst.quote, "USDT");
    (void)text_set(m->inst.settle, sizeof m->inst.settle, "USDT");
    m->inst.kind = KIND_SPOT;
    m->inst.multiplier = (struct dec){1, 0};
    m->inst.price_exp = -2;
    m->inst.tick = (struct dec){1, -2};
    m->inst.lot = (struct dec){1, -3};
}

void made_book(struct message *m, int symbol, int venue, uint64_t seq, int64_t middle, uint32_t levels,
               struct now now)
{
    of_market(m, MSG_BOOK);
    m->env.seq = seq;
    symbol_of(symbol, m->book.symbol);
    (void)text_set(m->book.venue, sizeof m->book.venue, made_venues[venue]);
    m->book.state = BOOK_LIVE;
    m->book.recv_time = now.market_ns;
    m->book.recv_mono = now.mono_ns;
    m->book.price_exp = -2;
    m->book.n_bids = m->book.n_asks = levels;
    for (uint32_t i = 0; i < levels; i++) {
        m->book.bids[i] = (struct level){middle - 1 - i, 10};
        m->book.asks[i] = (struct level){middle + 1 + i, 10};
    }
}

void made_hello(struct message *m, const char *worker, uint64_t incarnation)
{
    message_init(m, MSG_HELLO);
    (void)text_set(m->hello.worker, sizeof m->hello.worker, worker);
    (void)text_set(m->hello.strategy, sizeof m->hello.strategy, "arb");
    m->hello.incarnation = incarnation;
}

void made_beat_of_exec(struct message *m, const struct ledger_head *exec, uint64_t upstream_epoch,
                       uint64_t upstream_pos)
{
    message_init(m, MSG_BEAT);
    (void)text_set(m->env.stream, sizeof m->env.stream, "exec");
    m->env.epoch = exec->epoch;
    m->beat.alive = true;
    m->beat.head_pos = exec->pos;
    m->beat.upstream_epoch = upstream_epoch;
    m->beat.upstream_pos = upstream_pos;
}

static struct intent_leg leg_of(int symbol, int venue, enum side side, struct now now)
{
    struct intent_leg leg = {.side = side,
                             .price_exp = -2,
                             .qty_exp = 0,
                             .price = side == SIDE_BUY ? MADE_MIDDLE + 2 : MADE_MIDDLE - 2,
                             .qty = 1,
                             .book_price = side == SIDE_BUY ? MADE_MIDDLE + 1 : MADE_MIDDLE - 1,
                             .book_epoch = 1,
                             .book_time = now.market_ns,
                             .book_mono = now.mono_ns};
    symbol_of(symbol, leg.symbol);
    (void)text_set(leg.venue, sizeof leg.venue, made_venues[venue]);
    return leg;
}

void made_intent(struct message *m, const struct config *config, const struct message *assigned,
                 const struct ledger_head *risk, uint64_t id, bool entry, struct now now)
{
    const int symbol = made_symbol_of(&assigned->assign);
    message_init(m, MSG_INTENT);
    m->env.trace.boot_id = 1;
    struct intent *in = &m->intent;
    (void)text_set(in->run, sizeof in->run, "bench");
    (void)text_set(in->account, sizeof in->account, config->run.account);
    (void)text_set(in->worker, sizeof in->worker, assigned->assign.worker);
    (void)text_set(in->strategy, sizeof in->strategy, "arb");
    (void)text_set(in->route, sizeof in->route, assigned->assign.route);
    in->incarnation = assigned->assign.incarnation;
    in->id = id;
    in->route_epoch = assigned->assign.route_epoch;
    in->kind = entry ? INTENT_ENTER : INTENT_EXIT;
    in->cause = entry ? EXIT_NONE : EXIT_REVERSAL;
    in->state_epoch = risk->epoch;
    in->state_pos = risk->pos;
    in->decided_time = now.market_ns;
    in->decided_mono = now.mono_ns;
    in->deadline = now.market_ns + NS_PER_SEC;
    in->tif = TIF_IOC;
    in->policy = POLICY_COMPLETE;
    in->slippage_bps = (struct dec){5, 0};
    in->n_legs = 2;
    in->legs[0] = leg_of(symbol, 0, entry ? SIDE_BUY : SIDE_SELL, now);
    in->legs[1] = leg_of(symbol, 1, entry ? SIDE_SELL : SIDE_BUY, now);
}
