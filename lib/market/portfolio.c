/* Positions and balances, kept exactly. */
#include "lib/market/portfolio.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/table.h"
#include "lib/base/text.h"

enum { KEY_MAX = 48, CHANGES_MAX = 3 };

struct portfolio {
    struct table *position_names; /* "symbol venue" */
    struct table *holding_names;  /* "venue currency" */
    struct position *positions;
    struct holding *holdings;
    uint32_t positions_max;
    uint32_t holdings_max;
};

/* Changes of balances that one fill brings, one for each currency. */
struct change {
    const char *currency;
    money amount;
};

struct changes {
    struct change at[CHANGES_MAX];
    uint32_t n;
};

struct portfolio *portfolio_new(uint32_t positions, uint32_t holdings)
{
    struct portfolio *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->positions_max = positions;
    self->holdings_max = holdings;
    self->position_names = table_new(positions, KEY_MAX);
    self->holding_names = table_new(holdings, KEY_MAX);
    self->positions = calloc(positions ? positions : 1, sizeof *self->positions);
    self->holdings = calloc(holdings ? holdings : 1, sizeof *self->holdings);
    if (!self->position_names || !self->holding_names || !self->positions || !self->holdings)
        portfolio_destroy(&self);
    return self;
}

void portfolio_destroy(struct portfolio **self)
{
    if (!*self)
        return;
    table_destroy(&(*self)->position_names);
    table_destroy(&(*self)->holding_names);
    free((*self)->positions);
    free((*self)->holdings);
    free(*self);
    *self = NULL;
}

/* ---- names ------------------------------------------------------------------------------------------ */

static size_t key_of(const char *a, const char *b, char key[KEY_MAX + 1])
{
    size_t x = strnlen(a, 31), y = strnlen(b, 15);
    memcpy(key, a, x);
    key[x] = ' ';
    memcpy(key + x + 1, b, y);
    key[x + 1 + y] = '\0';
    return x + 1 + y;
}

static int find(const struct table *table, const char *a, const char *b)
{
    char key[KEY_MAX + 1];
    size_t len = key_of(a, b, key);
    return table_find(table, key, len);
}

static int intern(struct table *table, const char *a, const char *b)
{
    char key[KEY_MAX + 1];
    size_t len = key_of(a, b, key);
    return table_intern(table, key, len);
}

static struct position *take_position(struct portfolio *self, const char *symbol, const char *venue,
                                      const char *quote)
{
    int index = intern(self->position_names, symbol, venue);
    if (index < 0)
        return NULL;
    struct position *p = &self->positions[index];
    if (p->symbol[0] == '\0') {
        text_set(p->symbol, sizeof p->symbol, symbol);
        text_set(p->venue, sizeof p->venue, venue);
        text_set(p->quote, sizeof p->quote, quote);
    }
    return p;
}

static struct holding *take_holding(struct portfolio *self, const char *venue, const char *currency)
{
    int index = intern(self->holding_names, venue, currency);
    if (index < 0)
        return NULL;
    struct holding *h = &self->holdings[index];
    if (h->venue[0] == '\0') {
        text_set(h->venue, sizeof h->venue, venue);
        text_set(h->currency, sizeof h->currency, currency);
    }
    return h;
}

/* ---- booking ---------------------------------------------------------------------------------------- */

static int add_change(struct changes *changes, const char *currency, money amount)
{
    for (uint32_t i = 0; i < changes->n; i++) {
        if (strcmp(changes->at[i].currency, currency) == 0)
            return money_add(changes->at[i].amount, amount, &changes->at[i].amount);
    }
    changes->at[changes->n++] = (struct change){currency, amount};
    return OK;
}

/* The position after the fill, and the balance changes it brings. */
static int work_out(const struct fill *fill, struct position *p, struct changes *changes)
{
    bool buy = fill->side == SIDE_BUY;
    struct dec price = {fill->price, fill->price_exp}, qty = {fill->qty, fill->qty_exp};
    money base, notional, fee, fee_in_quote = 0;
    int status = OK;
    if ((fill->side != SIDE_BUY && fill->side != SIDE_SELL) || fill->qty < 0)
        return E_RANGE;
    if ((status = money_of(qty, &base)) != OK || (status = money_product(price, qty, &notional)) != OK ||
        (status = money_of(fill->fee, &fee)) != OK)
        return status;
    if (strcmp(fill->fee_currency, fill->quote) == 0)
        fee_in_quote = fee;
    else if (strcmp(fill->fee_currency, fill->base) == 0)
        status = money_product(price, fill->fee, &fee_in_quote);
    if (status != OK || (status = money_add(p->volume, notional, &p->volume)) != OK ||
        (status = money_add(p->qty, buy ? base : -base, &p->qty)) != OK ||
        (status = money_add(p->cash, buy ? -notional : notional, &p->cash)) != OK ||
        (status = money_add(p->fees, fee_in_quote, &p->fees)) != OK)
        return status;
    p->fills++;
    if (fill->kind == KIND_SPOT) {
        if ((status = add_change(changes, fill->base, buy ? base : -base)) != OK ||
            (status = add_change(changes, fill->quote, buy ? -notional : notional)) != OK)
            return status;
    }
    return fee != 0 ? add_change(changes, fill->fee_currency, -fee) : OK;
}

/* That every change fits, both in number and in amount, before the first is made. */
static int check_changes(const struct portfolio *self, const char *venue, const struct changes *changes)
{
    uint32_t fresh = 0;
    for (uint32_t i = 0; i < changes->n; i++) {
        money total;
        int index = find(self->holding_names, venue, changes->at[i].currency);
        money held = index >= 0 ? self->holdings[index].total : 0;
        if (money_add(held, changes->at[i].amount, &total) != OK)
            return E_RANGE;
        fresh += index < 0;
    }
    return table_count(self->holding_names) + fresh > self->holdings_max ? E_FULL : OK;
}

int portfolio_fill(struct portfolio *self, const struct fill *fill)
{
    struct position after = {.fills = 0};
    struct changes changes = {.n = 0};
    int index = portfolio_find(self, fill->symbol, fill->venue);
    if (index >= 0)
        after = self->positions[index];
    else if (table_count(self->position_names) == self->positions_max)
        return E_FULL;
    int status = work_out(fill, &after, &changes);
    if (status == OK)
        status = check_changes(self, fill->venue, &changes);
    if (status != OK)
        return status;

    struct position *p = take_position(self, fill->symbol, fill->venue, fill->quote);
    if (!p)
        return E_FULL;
    p->qty = after.qty;
    p->cash = after.cash;
    p->fees = after.fees;
    p->volume = after.volume;
    p->fills = after.fills;
    for (uint32_t i = 0; i < changes.n; i++) {
        struct holding *h = take_holding(self, fill->venue, changes.at[i].currency);
        if (h)
            h->total += changes.at[i].amount;
    }
    return OK;
}

int portfolio_adjust(struct portfolio *self, const struct adjust *adjust)
{
    struct changes changes = {.n = 1, .at = {{adjust->currency, adjust->amount}}};
    int status = check_changes(self, adjust->venue, &changes);
    if (status != OK)
        return status;
    struct holding *h = take_holding(self, adjust->venue, adjust->currency);
    if (!h)
        return E_FULL;
    h->total += adjust->amount;
    return OK;
}

/* ---- reading ---------------------------------------------------------------------------------------- */

int portfolio_find(const struct portfolio *self, const char *symbol, const char *venue)
{
    if (strlen(symbol) > 31 || strlen(venue) > 15)
        return E_ABSENT;
    return find(self->position_names, symbol, venue);
}

const struct position *portfolio_position(const struct portfolio *self, uint32_t index)
{
    return index < table_count(self->position_names) ? &self->positions[index] : NULL;
}

uint32_t portfolio_positions(const struct portfolio *self)
{
    return table_count(self->position_names);
}

money portfolio_balance(const struct portfolio *self, const char *venue, const char *currency)
{
    if (strlen(venue) > 15 || strlen(currency) > 15)
        return 0;
    int index = find(self->holding_names, venue, currency);
    return index >= 0 ? self->holdings[index].total : 0;
}

const struct holding *portfolio_holding(const struct portfolio *self, uint32_t index)
{
    return index < table_count(self->holding_names) ? &self->holdings[index] : NULL;
}

uint32_t portfolio_holdings(const struct portfolio *self)
{
    return table_count(self->holding_names);
}

/* ---- from a snapshot -------------------------------------------------------------------------------- */

int portfolio_set_position(struct portfolio *self, const struct position *position)
{
    struct position *p = take_position(self, position->symbol, position->venue, position->quote);
    if (!p)
        return E_FULL;
    *p = *position;
    return OK;
}

int portfolio_set_balance(struct portfolio *self, const struct balance *balance)
{
    struct holding *h = take_holding(self, balance->venue, balance->currency);
    if (!h)
        return E_FULL;
    h->total = balance->total;
    return OK;
}
