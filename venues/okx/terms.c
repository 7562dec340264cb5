#include "venues/okx/terms.h"

#include <string.h>

#include "lib/base/text.h"
#include "lib/market/symbol.h"

/* Of a new account, without volume. */
static const struct dec spot_taker = {10, 0}, spot_maker = {8, 0}, swap_taker = {5, 0}, swap_maker = {2, 0};

struct parts {
    char base[16], quote[16];
    const char *rest; /* behind the second '-'; NULL where there is none: a spot pair */
};

static bool split(const char *name, struct parts *out)
{
    const char *dash = strchr(name, '-');
    if (!dash)
        return false;
    size_t base = (size_t)(dash - name), quote = strcspn(dash + 1, "-");
    if (base >= sizeof out->base || quote >= sizeof out->quote)
        return false;
    memcpy(out->base, name, base);
    out->base[base] = '\0';
    memcpy(out->quote, dash + 1, quote);
    out->quote[quote] = '\0';
    out->rest = dash[1 + quote] ? dash + 2 + quote : NULL;
    return true;
}

static void give_symbol(const struct parts *parts, enum contract_kind kind, struct inst *inst)
{
    struct inst named;
    char symbol[32];
    if (symbol_make(parts->base, parts->quote, kind, symbol) == OK && symbol_read(symbol, &named) == OK)
        *inst = named;
}

void okx_name(const char *venue_symbol, const struct stream_terms *terms, struct inst *inst)
{
    struct parts parts;
    enum contract_kind kind = KIND_SPOT;
    bool known = split(venue_symbol, &parts), contract = known && parts.rest;
    if (contract) /* dollars that no coin stands for: the coin itself is the margin */
        kind = strcmp(parts.quote, "USD") == 0 ? KIND_INVERSE : KIND_LINEAR;
    if (contract && terms)
        kind = terms->kind;
    bool swap = contract && strcmp(parts.rest, "SWAP") == 0;
    if (known && (!contract || (swap && terms && terms->multiplier.m > 0)))
        give_symbol(&parts, kind, inst);
    text_set(inst->venue, sizeof inst->venue, "okx");
    text_set(inst->venue_symbol, sizeof inst->venue_symbol, venue_symbol);
    inst->kind = kind;
    inst->multiplier = contract && terms ? terms->multiplier : (struct dec){1, 0};
    if (contract && terms && terms->settle[0])
        memcpy(inst->settle, terms->settle, sizeof inst->settle);
    inst->taker_bps = contract ? swap_taker : spot_taker;
    inst->maker_bps = contract ? swap_maker : spot_maker;
}

/* ---- the venue's own word --------------------------------------------------------------------------- */

/* A number, or 0 where the venue leaves it empty. */
static struct dec number(const struct json *json, const struct json_node *object, const char *key)
{
    struct dec v;
    return json_dec(json_get(json, object, key), &v) == OK && v.m > 0 ? v : (struct dec){0, 0};
}

/* Base units of one contract: of a linear one its value in the base currency; an inverse one is worth so many
 * of the quote currency. */
static struct dec contract_size(const struct json *json, const struct json_node *entry)
{
    struct dec value = number(json, entry, "ctVal"), times = number(json, entry, "ctMult"), size;
    if (times.m == 0)
        return value;
    return dec_mul(value, times, &size) == OK ? size : (struct dec){0, 0};
}

static int take_entry(struct venue_market *self, const struct json_node *entry)
{
    const struct json *json = self->json;
    char name[STREAM_NAME_MAX];
    struct stream_terms terms = {.kind = KIND_SPOT};
    if (json_text(json_get(json, entry, "instId"), name, sizeof name) != OK)
        return OK; /* a longer name than any that is traded on here */
    terms.tick = number(json, entry, "tickSz");
    terms.lot = number(json, entry, "lotSz");
    terms.min_qty = number(json, entry, "minSz");
    const struct json_node *type = json_get(json, entry, "instType");
    if (!json_is(type, "SPOT") && !json_is(type, "MARGIN")) {
        terms.kind = json_is(json_get(json, entry, "ctType"), "inverse") ? KIND_INVERSE : KIND_LINEAR;
        terms.multiplier = contract_size(json, entry);
        if (json_text(json_get(json, entry, "settleCcy"), terms.settle, sizeof terms.settle) != OK)
            terms.settle[0] = '\0';
    }
    return stream_tell(self, name, &terms);
}

int okx_instruments(struct venue_market *self)
{
    const struct json_node *data = json_get(self->json, json_root(self->json), "data");
    int status = OK;
    if (!data || data->kind != JSON_ARRAY)
        return stream_error(self, E_SYNTAX, "instruments: expected an array \"data\"");
    for (const struct json_node *entry = json_first(self->json, data); entry && status == OK;
         entry = json_after(self->json, data, entry))
        status = take_entry(self, entry);
    return status;
}
