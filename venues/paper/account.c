/* What the account holds: its start and what orders made of it, in sums of the venue's own. A fill of a spot
 * instrument moves base, quote and fee; of a derivative only the fee. */
#include <string.h>

#include "lib/base/decimal.h"
#include "venues/paper/paper_internal.h"

enum { KEY_BYTES = 32 };

static size_t key_of(const char *venue, const char *currency, char key[KEY_BYTES])
{
    size_t v = strnlen(venue, 15), c = strnlen(currency, 15);
    memcpy(key, venue, v);
    key[v] = ' ';
    memcpy(key + v + 1, currency, c);
    return v + 1 + c;
}

static bool fits(const char *pattern, const char *name)
{
    return strcmp(pattern, "*") == 0 || strcmp(pattern, name) == 0;
}

money paper_start_balance(const struct config *config, const char *venue, const char *currency)
{
    for (uint32_t i = 0; i < config->n_balances; i++) {
        if (fits(config->balances[i].venue, venue) && fits(config->balances[i].currency, currency))
            return config->balances[i].amount;
    }
    return config->paper.start_balance;
}

int account_set(struct paper *self, const char *venue, const char *currency, money amount)
{
    char key[KEY_BYTES];
    int index = table_intern(self->currencies, key, key_of(venue, currency, key));
    if (index < 0)
        return index;
    self->balances[index] = amount;
    return OK;
}

static money *held(const struct paper *self, const char *venue, const char *currency)
{
    char key[KEY_BYTES];
    int index = table_find(self->currencies, key, key_of(venue, currency, key));
    return index < 0 ? NULL : &self->balances[index];
}

int account_open(struct paper *self, const char *venue, const char *currency)
{
    if (held(self, venue, currency))
        return OK;
    if (table_count(self->currencies) == PAPER_CURRENCIES)
        return E_FULL;
    money amount = paper_start_balance(self->config, venue, currency);
    int status = lines_write_start(self, venue, currency, amount);
    return status == OK ? account_set(self, venue, currency, amount) : status;
}

/* Changes of base and of quote, fee included, that an execution brings. */
static int change_of(const struct paper_order *order, struct dec price, struct dec qty, struct dec fee,
                     money *base, money *quote)
{
    money amount = 0, notional = 0, paid;
    int status = money_of(fee, &paid);
    if (status == OK && order->spot)
        status = money_of(qty, &amount);
    if (status == OK && order->spot)
        status = money_product(price, qty, &notional);
    if (status != OK)
        return status;
    *base = order->side == SIDE_BUY ? amount : -amount;
    return money_sub(order->side == SIDE_BUY ? -notional : notional, paid, quote);
}

int account_check(const struct paper *self, const struct paper_order *order, const struct outcome *outcome)
{
    const money *base_held = held(self, order->venue, order->base);
    const money *quote_held = held(self, order->venue, order->quote);
    if (!base_held || !quote_held)
        return E_REFUSED;
    money base = *base_held, quote = *quote_held;
    for (uint32_t i = 0; i < outcome->n; i++) {
        const struct take *take = &outcome->at[i];
        money base_change, quote_change;
        if (change_of(order, take->price, take->qty, take->fee, &base_change, &quote_change) != OK ||
            money_add(base, base_change, &base) != OK || money_add(quote, quote_change, &quote) != OK)
            return E_RANGE;
    }
    bool short_of = order->side == SIDE_BUY ? quote < 0 : base < 0;
    return order->spot && outcome->n > 0 && short_of ? E_REFUSED : OK;
}

int account_book(struct paper *self, const struct paper_order *order, struct dec price, struct dec qty,
                 struct dec fee)
{
    money base_change, quote_change, base, quote;
    money *base_held = held(self, order->venue, order->base);
    money *quote_held = held(self, order->venue, order->quote);
    if (!base_held || !quote_held)
        return E_ABSENT;
    if (change_of(order, price, qty, fee, &base_change, &quote_change) != OK ||
        money_add(*base_held, base_change, &base) != OK || money_add(*quote_held, quote_change, &quote) != OK)
        return E_RANGE;
    *base_held = base;
    *quote_held = quote;
    return OK;
}
