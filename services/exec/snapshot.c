/* The state as messages, and back. A basket is told by its record with its legs, a tally of what no record says, then
 * its orders, each followed by the trades booked for it. What is not in it is asked for anew after any start: which
 * answers are awaited, which books were tried. */
#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/runtime/tally.h"
#include "services/exec/exec_internal.h"

enum { IDS_MAX = sizeof((struct trades *)0)->ids / sizeof((struct trades *)0)->ids[0] };

struct telling {
    const struct exec *exec;
    struct now now;
    snapshot_emit_fn *emit;
    void *ctx;
    struct message message;
};

static struct message *begin(struct telling *t, enum message_type type)
{
    struct message *m = &t->message;
    message_init(m, type);
    memcpy(m->env.stream, t->exec->head.stream, sizeof m->env.stream);
    m->env.epoch = t->exec->head.epoch;
    m->env.pos = t->exec->head.pos;
    m->env.time_out = t->now.utc_ns;
    return m;
}

static void say(struct telling *t)
{
    t->emit(t->ctx, &t->message);
}

/* ---- the figures of the whole ---------------------------------------------------------------------------- */

static const struct tally_figure figures[] = {
    {"orders", offsetof(struct exec, n_orders), TALLY_COUNT},
    {"fills", offsetof(struct exec, n_fills), TALLY_COUNT},
    {"baskets", offsetof(struct exec, n_baskets), TALLY_COUNT},
    {"parked", offsetof(struct exec, n_parked), TALLY_COUNT},
    {"expired", offsetof(struct exec, n_expired), TALLY_COUNT},
    {"fills_without_fx", offsetof(struct exec, no_fx), TALLY_COUNT},
    {"fills_unbooked", offsetof(struct exec, unbooked), TALLY_COUNT},
    {"mark_epoch", offsetof(struct exec, mark.epoch), TALLY_COUNT},
    {"mark_pos", offsetof(struct exec, mark.pos), TALLY_COUNT},
    {"forgotten_epoch", offsetof(struct exec, last_forgotten.epoch), TALLY_COUNT},
    {"forgotten_pos", offsetof(struct exec, last_forgotten.pos), TALLY_COUNT},
};

enum { FIGURES = sizeof figures / sizeof *figures };

static void say_tally(struct telling *t)
{
    struct message *m = begin(t, MSG_TALLY);
    tally_tell(&m->tally, figures, FIGURES, t->exec);
    tally_add(&m->tally, "net_cash_high", (uint64_t)(t->exec->net_cash >> 64));
    tally_add(&m->tally, "net_cash_low", (uint64_t)t->exec->net_cash);
    say(t);
}

static void restore_tally(struct exec *self, const struct tally *tally)
{
    uint64_t high = 0, low = 0;
    for (uint32_t k = 0; k < tally->n_figures; k++) {
        const struct metric *figure = &tally->figures[k];
        uint64_t value = (uint64_t)figure->value;
        (void)tally_restore(figure, figures, FIGURES, self);
        high = strcmp(figure->name, "net_cash_high") == 0 ? value : high;
        low = strcmp(figure->name, "net_cash_low") == 0 ? value : low;
    }
    self->net_cash = (money)((unsigned __int128)high << 64 | low);
}

/* ---- what is held ---------------------------------------------------------------------------------------- */

static void say_starts(struct telling *t)
{
    for (uint32_t i = 0; i < table_count(t->exec->started); i++) {
        const char *key = table_key(t->exec->started, i), *space = strchr(key, ' ');
        struct message *m = begin(t, MSG_ADJUST);
        (void)snprintf(m->adjust.venue, sizeof m->adjust.venue, "%.*s", (int)(space - key), key);
        text_set(m->adjust.currency, sizeof m->adjust.currency, space + 1);
        text_set(m->adjust.cause, sizeof m->adjust.cause, START_CAUSE);
        say(t);
    }
}

static void say_holdings(struct telling *t)
{
    const struct portfolio *p = t->exec->portfolio;
    for (uint32_t i = 0; i < portfolio_positions(p); i++) {
        begin(t, MSG_POSITION)->position = *portfolio_position(p, i);
        say(t);
    }
    for (uint32_t i = 0; i < portfolio_holdings(p); i++) {
        const struct holding *holding = portfolio_holding(p, i);
        struct balance *balance = &begin(t, MSG_BALANCE)->balance;
        text_set(balance->venue, sizeof balance->venue, holding->venue);
        text_set(balance->currency, sizeof balance->currency, holding->currency);
        balance->total = holding->total;
        say(t);
    }
}

/* ---- baskets --------------------------------------------------------------------------------------------- */

static void say_trades(struct telling *t, const struct hand_order *o)
{
    struct trades *trades = NULL;
    for (const struct booked_trade *b = o->trades; b; b = b->next) {
        if (!trades) {
            trades = &begin(t, MSG_TRADES)->trades;
            text_set(trades->client_id, sizeof trades->client_id, o->told.client_id);
        }
        text_set(trades->ids[trades->n_ids++].id, sizeof trades->ids[0].id, b->id);
        if (trades->n_ids == IDS_MAX || !b->next) {
            say(t);
            trades = NULL;
        }
    }
}

/* "fee LEG CURRENCY" is the currency in which the fills of a leg paid their fees. */
static void say_basket_tally(struct telling *t, const struct hand_basket *b)
{
    char name[40];
    struct message *m = begin(t, MSG_TALLY);
    if (b->reason != REASON_NONE)
        tally_add(&m->tally, "reason", (uint64_t)b->reason);
    if (b->broken)
        tally_add(&m->tally, "broken", 1);
    for (uint32_t i = 0; i < b->told.n_legs; i++) {
        if (b->legs[i].fee_currency[0] == '\0')
            continue;
        (void)snprintf(name, sizeof name, "fee %u %.15s", i, b->legs[i].fee_currency);
        tally_add(&m->tally, name, 1);
    }
    if (m->tally.n_figures > 0)
        say(t);
}

static void say_baskets(struct telling *t, const struct basket_list *list)
{
    for (const struct hand_basket *b = list->first; b; b = b->after) {
        struct message *m = begin(t, MSG_BASKET);
        m->env.trace = b->trace;
        m->basket = b->told;
        say(t);
        say_basket_tally(t, b);
        for (const struct hand_order *o = b->first; o; o = o->next) {
            begin(t, MSG_ORDER)->order = o->told;
            say(t);
            say_trades(t, o);
        }
    }
}

static void restore_basket_tally(struct hand_basket *b, const struct tally *tally)
{
    for (uint32_t k = 0; k < tally->n_figures; k++) {
        const struct metric *figure = &tally->figures[k];
        const char *name = figure->name;
        if (strcmp(name, "reason") == 0)
            b->reason = (enum reason)figure->value;
        else if (strcmp(name, "broken") == 0)
            b->broken = true;
        else if (strncmp(name, "fee ", 4) == 0 && name[4] >= '0' && name[4] < '0' + BASKET_LEGS &&
                 name[5] == ' ')
            text_set(b->legs[name[4] - '0'].fee_currency, sizeof b->legs[0].fee_currency, name + 6);
    }
}

static void restore_basket(struct exec *self, const struct message *m)
{
    self->restoring = applied_basket(self, m);
    if (!self->restoring)
        return;
    self->restoring->reason = REASON_NONE;
    if (m->basket.terminal)
        remembered_finish(self, self->restoring);
}

static void restore_order(struct exec *self, const struct order *told)
{
    struct hand_order *o = applied_order(self, self->restoring, told);
    money filled;
    if (!o)
        return;
    struct hand_leg *leg = &o->basket->legs[told->leg];
    bool with = told->side == o->basket->told.legs[told->leg].side;
    if (money_of((struct dec){told->filled, told->qty_exp}, &filled) != OK ||
        money_add(leg->done, with ? filled : -filled, &leg->done) != OK)
        o->basket->broken = true;
}

static void restore_trades(struct exec *self, const struct trades *trades)
{
    struct hand_order *o = remembered_order(self, trades->client_id);
    for (uint32_t i = 0; o && i < trades->n_ids; i++)
        remembered_take_trade(self, o, trades->ids[i].id);
}

/* ---- the whole ------------------------------------------------------------------------------------------- */

void exec_snapshot(const struct exec *self, struct now now, snapshot_emit_fn *emit, void *ctx)
{
    struct telling t = {.exec = self, .now = now, .emit = emit, .ctx = ctx};
    struct message *m = begin(&t, MSG_SNAPSHOT);
    m->snapshot.upstream_epoch = self->upstream.epoch;
    m->snapshot.upstream_pos = self->upstream.pos;
    m->snapshot.market_time = now.market_ns;
    say(&t);
    say_tally(&t);
    m = begin(&t, MSG_UPSTREAM);
    m->upstream.risk_epoch = self->recorded.epoch;
    m->upstream.risk_pos = self->recorded.pos;
    say(&t);
    say_starts(&t);
    say_holdings(&t);
    say_baskets(&t, &self->finished);
    say_baskets(&t, &self->open);
}

void exec_restore(struct exec *self, const struct message *m)
{
    switch (m->env.type) {
    case MSG_SNAPSHOT:
        self->head.epoch = m->env.epoch;
        self->head.pos = m->env.pos;
        self->upstream = (struct place){m->snapshot.upstream_epoch, m->snapshot.upstream_pos};
        break;
    case MSG_TALLY:
        if (self->restoring)
            restore_basket_tally(self->restoring, &m->tally);
        else
            restore_tally(self, &m->tally);
        break;
    case MSG_UPSTREAM:
        self->recorded = (struct place){m->upstream.risk_epoch, m->upstream.risk_pos};
        break;
    case MSG_ADJUST:
        note_start(self, m->adjust.venue, m->adjust.currency);
        break;
    case MSG_POSITION:
        self->unbooked += portfolio_set_position(self->portfolio, &m->position) != OK;
        break;
    case MSG_BALANCE:
        self->unbooked += portfolio_set_balance(self->portfolio, &m->balance) != OK;
        break;
    case MSG_BASKET:
        restore_basket(self, m);
        break;
    case MSG_ORDER:
        restore_order(self, &m->order);
        break;
    case MSG_TRADES:
        restore_trades(self, &m->trades);
        break;
    default:
        break; /* of a later version */
    }
}
