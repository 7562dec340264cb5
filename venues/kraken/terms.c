#include "venues/kraken/terms.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/market/symbol.h"

/* Of a new account, without volume. */
static const struct dec taker = {40, 0}, maker = {25, 0};

/* Names of version 1 that version 2 has given up. */
static const char *modern(const char *currency)
{
    if (strcmp(currency, "XBT") == 0)
        return "BTC";
    return strcmp(currency, "XDG") == 0 ? "DOGE" : currency;
}

static bool split(const char *name, char base[16], char quote[16])
{
    const char *slash = strchr(name, '/');
    size_t len = slash ? (size_t)(slash - name) : 0;
    if (!slash || len >= 16 || strlen(slash + 1) >= 16)
        return false;
    char first[16];
    memcpy(first, name, len);
    first[len] = '\0';
    text_set(base, 16, modern(first));
    text_set(quote, 16, modern(slash + 1));
    return true;
}

void kraken_name(const char *venue_symbol, const struct stream_terms *terms, struct inst *inst)
{
    char base[16], quote[16], symbol[32];
    struct inst named;
    (void)terms;
    if (split(venue_symbol, base, quote) && symbol_make(base, quote, KIND_SPOT, symbol) == OK &&
        symbol_read(symbol, &named) == OK)
        *inst = named;
    text_set(inst->venue, sizeof inst->venue, "kraken");
    text_set(inst->venue_symbol, sizeof inst->venue_symbol, venue_symbol);
    inst->kind = KIND_SPOT;
    inst->multiplier = (struct dec){1, 0};
    inst->taker_bps = taker;
    inst->maker_bps = maker;
}

/* ---- the venue's own word --------------------------------------------------------------------------- */

static struct dec number(const struct json *json, const struct json_node *object, const char *key)
{
    struct dec v;
    return json_dec(json_get(json, object, key), &v) == OK && v.m > 0 ? v : (struct dec){0, 0};
}

/* The step of so many digits behind the point; 0 where their number is not told. */
static struct dec step(const struct json *json, const struct json_node *object, const char *key)
{
    uint64_t digits;
    if (json_u64(json_get(json, object, key), &digits) != OK || digits > 18)
        return (struct dec){0, 0};
    return (struct dec){1, (int8_t) - (int)digits};
}

/* The first row of [[volume, percent], ...], in basis points. */
static bool first_fee(const struct json *json, const struct json_node *rows, struct dec *bps)
{
    const struct json_node *row = rows && rows->kind == JSON_ARRAY ? json_first(json, rows) : NULL;
    const struct json_node *volume = row && row->kind == JSON_ARRAY ? json_first(json, row) : NULL;
    const struct json_node *percent = volume ? json_after(json, row, volume) : NULL;
    struct dec fee;
    if (json_dec(percent, &fee) != OK || fee.m < 0)
        return false;
    return dec_mul(fee, (struct dec){100, 0}, bps) == OK;
}

/* Under the name of either version. */
static int tell(struct venue_market *self, const struct json_node *name, const struct stream_terms *terms)
{
    char old[STREAM_NAME_MAX], base[16], quote[16], now[STREAM_NAME_MAX + 4];
    if (json_text(name, old, sizeof old) != OK || !split(old, base, quote))
        return OK; /* not one that the socket has */
    snprintf(now, sizeof now, "%s/%s", base, quote);
    int status = stream_tell(self, now, terms);
    return status == OK && strcmp(now, old) != 0 ? stream_tell(self, old, terms) : status;
}

int kraken_asset_pairs(struct venue_market *self)
{
    const struct json *json = self->json;
    const struct json_node *pairs = json_get(json, json_root(json), "result");
    int status = OK;
    if (!pairs || pairs->kind != JSON_OBJECT)
        return stream_error(self, E_SYNTAX, "AssetPairs: expected an object \"result\"");
    for (const struct json_node *key = json_first(json, pairs); key && status == OK;) {
        const struct json_node *pair = json_after(json, pairs, key);
        struct stream_terms terms = {.tick = number(json, pair, "tick_size"),
                                     .lot = step(json, pair, "lot_decimals"),
                                     .min_qty = number(json, pair, "ordermin"),
                                     .min_notional = number(json, pair, "costmin")};
        if (terms.tick.m == 0)
            terms.tick = step(json, pair, "pair_decimals");
        terms.has_fees = first_fee(json, json_get(json, pair, "fees"), &terms.taker_bps) &&
                         first_fee(json, json_get(json, pair, "fees_maker"), &terms.maker_bps);
        status = tell(self, json_get(json, pair, "wsname"), &terms);
        key = json_after(json, pairs, pair);
    }
    return status;
}

int kraken_pairs(struct venue_market *self, const struct json_node *pairs)
{
    const struct json *json = self->json;
    int status = OK;
    if (!pairs || pairs->kind != JSON_ARRAY)
        return stream_error(self, E_SYNTAX, "instrument: expected an array \"pairs\"");
    for (const struct json_node *pair = json_first(json, pairs); pair && status == OK;
         pair = json_after(json, pairs, pair)) {
        struct stream_terms terms = {.tick = number(json, pair, "price_increment"),
                                     .lot = number(json, pair, "qty_increment"),
                                     .min_qty = number(json, pair, "qty_min"),
                                     .min_notional = number(json, pair, "cost_min")};
        if (terms.tick.m == 0)
            terms.tick = number(json, pair, "tick_size");
        status = tell(self, json_get(json, pair, "symbol"), &terms);
    }
    return status;
}
