/* What could be held of each instrument at the worst, and what it is worth. */
#include <string.h>

#include "lib/base/text.h"
#include "services/risk/risk_internal.h"

__extension__ typedef unsigned __int128 unsigned_money;

/* The one amount that has no absolute value. */
static const money MONEY_LEAST = -(money)(~(unsigned_money)0 >> 1) - 1;

static money larger(money a, money b)
{
    return a > b ? a : b;
}

static money absolute(money v)
{
    return v < 0 ? -v : v;
}

int exposure_take(struct risk *self, const char *symbol, const char *venue)
{
    char key[49];
    size_t s = strnlen(symbol, 31), v = strnlen(venue, 15);
    memcpy(key, symbol, s);
    key[s] = ' ';
    memcpy(key + s + 1, venue, v);
    int index = table_intern(self->exposure_names, key, s + 1 + v);
    if (index < 0)
        return index;
    struct exposure *e = &self->exposures[index];
    if (e->symbol[0] == '\0') {
        text_set(e->symbol, sizeof e->symbol, symbol);
        text_set(e->venue, sizeof e->venue, venue);
        e->view_index = E_ABSENT;
    }
    return index;
}

void exposure_link(struct risk *self, uint32_t view_index)
{
    const struct quote *q = view_at(self->view, view_index);
    int index = exposure_take(self, q->symbol, q->venue);
    if (index >= 0) {
        self->exposures[index].view_index = (int)view_index;
        text_set(self->exposures[index].quote, sizeof self->exposures[index].quote, q->inst.quote);
        exposure_refresh(self, &self->exposures[index]);
    }
}

const struct quote *exposure_quote(const struct risk *self, const struct exposure *e)
{
    return e->view_index < 0 ? NULL : view_at(self->view, (uint32_t)e->view_index);
}

int exposure_mid(const struct quote *q, struct dec *out)
{
    const struct book *book = &q->book;
    if (book->n_bids == 0 && book->n_asks == 0)
        return E_ABSENT;
    int64_t bid = book->n_bids ? book->bids[0].price : book->asks[0].price;
    int64_t ask = book->n_asks ? book->asks[0].price : bid;
    struct dec sum;
    int status = dec_add(quote_price(q, bid), quote_price(q, ask), &sum);
    return status == OK ? dec_mul(sum, (struct dec){5, -1}, out) : status;
}

int exposure_fx(const struct risk *self, const struct quote *q, struct dec *out)
{
    const char *reporting = self->limits.currency;
    if (strcmp(q->inst.quote, reporting) == 0) {
        *out = (struct dec){1, 0};
        return OK;
    }
    return view_fx(self->view, q->inst.quote, reporting, self->config->run.fx_max_age_ms * NS_PER_MS, out);
}

int exposure_worst(const struct exposure *e, money buy, money sell, money *out)
{
    money up, down;
    int status = money_add(e->buys, buy, &up);
    if (status == OK)
        status = money_add(e->qty, up, &up);
    if (status == OK)
        status = money_add(e->sells, sell, &down);
    if (status == OK)
        status = money_sub(e->qty, down, &down);
    if (status == OK && (up == MONEY_LEAST || down == MONEY_LEAST))
        status = E_RANGE;
    if (status == OK)
        *out = larger(absolute(up), absolute(down));
    return status;
}

int exposure_value(money qty, struct dec price, struct dec fx, money *out)
{
    money in_quote;
    int status = money_scale(qty, price, ROUND_HALF_EVEN, &in_quote);
    if (status != OK || fx.m != 1 || fx.exp != 0)
        return status == OK ? money_scale(in_quote, fx, ROUND_HALF_EVEN, out) : status;
    *out = in_quote;
    return OK;
}

/* Takes fresh prices where there are any; else the last good ones stay. */
static void mark(struct risk *self, struct exposure *e)
{
    const struct quote *q = exposure_quote(self, e);
    struct dec mid, fx;
    if (!q || exposure_mid(q, &mid) != OK || exposure_fx(self, q, &fx) != OK)
        return;
    e->mid = mid;
    e->fx = fx;
    e->marked = true;
}

static int equity_of(const struct exposure *e, money *out)
{
    money held, cash, in_quote;
    int status = money_scale(e->qty, e->mid, ROUND_HALF_EVEN, &held);
    if (status == OK)
        status = money_sub(e->cash, e->fees, &cash);
    if (status == OK)
        status = money_add(held, cash, &in_quote);
    return status == OK ? money_scale(in_quote, e->fx, ROUND_HALF_EVEN, out) : status;
}

/* Lays new figures in, and keeps the sums over all instruments. */
static int settle(struct risk *self, struct exposure *e, bool unpriced, money worst_value, money equity)
{
    money gross = self->gross - e->worst_value, total = self->equity - e->equity;
    int status = money_add(gross, worst_value, &gross);
    if (status == OK)
        status = money_add(total, equity, &total);
    if (status != OK)
        return status;
    self->gross = gross;
    self->equity = total;
    self->unpriced += unpriced;
    self->unpriced -= e->unpriced;
    e->unpriced = unpriced;
    e->worst_value = worst_value;
    e->equity = equity;
    return OK;
}

void exposure_refresh(struct risk *self, struct exposure *e)
{
    money worst = 0, worst_value = 0, equity = 0;
    int status = exposure_worst(e, 0, 0, &worst);
    if (worst != 0 || e->cash != 0 || e->fees != 0)
        mark(self, e);
    if (status == OK && e->marked) {
        status = exposure_value(worst, e->mid, e->fx, &worst_value);
        if (status == OK)
            status = equity_of(e, &equity);
    }
    if (status == OK)
        status = settle(self, e, worst != 0 && !e->marked, worst_value, equity);
    if (status != OK)
        self->broken = true;
}

int exposure_hold(struct risk *self, const struct position *p)
{
    int index = exposure_take(self, p->symbol, p->venue);
    if (index < 0)
        return index;
    struct exposure *e = &self->exposures[index];
    e->qty = p->qty;
    e->cash = p->cash;
    e->fees = p->fees;
    text_set(e->quote, sizeof e->quote, p->quote);
    exposure_refresh(self, e);
    return OK;
}

void exposure_refresh_all(struct risk *self)
{
    for (uint32_t i = 0; i < table_count(self->exposure_names); i++)
        exposure_refresh(self, &self->exposures[i]);
}

void exposure_reserve(struct risk *self, int index, enum side side, money qty)
{
    if (index < 0 || side == SIDE_NONE || qty == 0)
        return;
    struct exposure *e = &self->exposures[index];
    money *reserved = side == SIDE_BUY ? &e->buys : &e->sells;
    if (money_add(*reserved, qty, reserved) != OK)
        self->broken = true;
    exposure_refresh(self, e);
}
