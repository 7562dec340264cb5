#include "venues/upbit/units.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/market/l2_book.h"

const struct json_node *upbit_member(const struct json *json, const struct json_node *object,
                                     const char *simple, const char *full)
{
    const struct json_node *node = json_get(json, object, simple);
    return node ? node : json_get(json, object, full);
}

void units_free(struct units *self)
{
    free(self->at);
    *self = (struct units){0};
}

static const char *read_unit(const struct json *json, const struct json_node *node, struct unit *unit)
{
    if (json_dec(upbit_member(json, node, "bp", "bid_price"), &unit->price[0]) != OK ||
        json_dec(upbit_member(json, node, "ap", "ask_price"), &unit->price[1]) != OK ||
        json_dec(upbit_member(json, node, "bs", "bid_size"), &unit->size[0]) != OK ||
        json_dec(upbit_member(json, node, "as", "ask_size"), &unit->size[1]) != OK)
        return "unit: expected bid and ask price and size as numbers";
    for (int side = 0; side < 2; side++) {
        if (unit->price[side].m < 0 || unit->size[side].m < 0)
            return "unit: expected prices and sizes not below 0";
    }
    return NULL;
}

/* The sum of one side's sizes against the venue's total of it, exactly. A total with more digits than a
 * double surely holds (15) may have been rounded by the venue in those behind. */
static bool total_holds(const struct units *units, int side, const struct json_node *node)
{
    const int64_t sure_below = INT64_C(1000000000000000);
    struct dec shown;
    money total, size, sum = 0;
    if (json_dec(node, &shown) != OK || money_of(shown, &total) != OK)
        return false;
    for (uint32_t i = 0; i < units->n; i++) {
        if (money_of(units->at[i].size[side], &size) != OK || money_add(sum, size, &sum) != OK)
            return false;
    }
    money off = sum > total ? sum - total : total - sum;
    return off <= (shown.m < sure_below ? 0 : total / (sure_below / 10));
}

/* Totals are of the venue's whole book, which has 15 units or 30; of fewer they say nothing. A wrong one is
 * told, not refused: the units are what is traded on, and of 15 asked for out of 30 the venue may total all.
 */
static void check_totals(struct units *self, const struct json *json, const struct json_node *event,
                         char *error, size_t error_cap)
{
    self->totals_wrong = false;
    static const char *const names[2][2] = {{"tbs", "total_bid_size"}, {"tas", "total_ask_size"}};
    for (int side = 0; side < 2 && (self->n == 15 || self->n == 30); side++) {
        const struct json_node *total = upbit_member(json, event, names[side][0], names[side][1]);
        if (total && !total_holds(self, side, total)) {
            snprintf(error, error_cap, "%s '%.*s': expected the sum of %u sizes", names[side][1],
                     (int)total->len, total->text, self->n);
            self->totals_wrong = true;
        }
    }
}

static bool make_room(struct units *self, uint32_t n)
{
    if (n <= self->cap)
        return true;
    struct unit *at = realloc(self->at, n * sizeof *at);
    if (!at)
        return false;
    self->at = at;
    self->cap = n;
    return true;
}

int units_read(struct units *self, const struct json *json, const struct json_node *event, char *error,
               size_t error_cap)
{
    const struct json_node *list = upbit_member(json, event, "obu", "orderbook_units");
    self->n = 0;
    if (!list || list->kind != JSON_ARRAY || list->size > L2_LEVELS_MAX) {
        snprintf(error, error_cap, "units: expected an array of at most %d", L2_LEVELS_MAX);
        return E_SYNTAX;
    }
    if (!make_room(self, list->size)) {
        snprintf(error, error_cap, "out of memory for %u units", list->size);
        return E_FULL;
    }
    for (const struct json_node *node = json_first(json, list); node; node = json_after(json, list, node)) {
        const char *wrong = read_unit(json, node, &self->at[self->n++]);
        if (wrong) {
            snprintf(error, error_cap, "%s", wrong);
            return E_SYNTAX;
        }
    }
    check_totals(self, json, event, error, error_cap);
    return OK;
}
