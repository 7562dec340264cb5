/* Instruments from a JSON file: {venue: {venue symbol: {...}}}. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/base/table.h"
#include "lib/base/text.h"
#include "lib/market/instrument.h"
#include "lib/market/symbol.h"

enum { FILE_BYTES_MAX = 256 * 1024 * 1024, KEY_MAX = 64 };

/* What a file says of one instrument. What it does not say is absent, and leaves an inst as it was. */
struct told {
    bool has_tick, has_lot, has_min_qty, has_min_notional, has_taker, has_maker, has_multiplier;
    struct dec tick, lot, min_qty, min_notional, taker_bps, maker_bps, multiplier;
    char base[16];
    char quote[16];
    char settle[16];
};

struct instrument_file {
    struct table *names; /* "venue symbol" to the index in told */
    struct told *told;
    uint32_t skipped;
};

static bool key_of(const char *venue, size_t venue_len, const char *symbol, size_t symbol_len,
                   char key[KEY_MAX])
{
    if (venue_len + 1 + symbol_len >= KEY_MAX)
        return false;
    for (size_t i = 0; i < venue_len; i++)
        key[i] = venue[i] == '_' ? '-' : venue[i];
    key[venue_len] = '\0';
    /* "binance_spot" is the venue that is called "binance" here */
    size_t len = venue_len > 5 && memcmp(key + venue_len - 5, "-spot", 5) == 0 ? venue_len - 5 : venue_len;
    key[len] = ' ';
    memcpy(key + len + 1, symbol, symbol_len);
    key[len + 1 + symbol_len] = '\0';
    return true;
}

/* ---- reading ---------------------------------------------------------------------------------------- */

/* A positive number, or one that is not wanted: "0" stands for "no limit" in the venues' answers. */
static void take(const struct json_node *node, struct dec *out, bool *has)
{
    struct dec v;
    if (json_dec(node, &v) == OK && v.m > 0) {
        *out = v;
        *has = true;
    }
}

static void take_fee(const struct json_node *node, struct dec *out, bool *has)
{
    struct dec v;
    if (json_dec(node, &v) == OK) {
        *out = v;
        *has = true;
    }
}

static void take_own_form(const struct json *json, const struct json_node *entry, struct told *told)
{
    take(json_get(json, entry, "tick"), &told->tick, &told->has_tick);
    take(json_get(json, entry, "lot"), &told->lot, &told->has_lot);
    take(json_get(json, entry, "min_qty"), &told->min_qty, &told->has_min_qty);
    take(json_get(json, entry, "min_notional"), &told->min_notional, &told->has_min_notional);
    take_fee(json_get(json, entry, "taker_bps"), &told->taker_bps, &told->has_taker);
    take_fee(json_get(json, entry, "maker_bps"), &told->maker_bps, &told->has_maker);
}

static void take_filter(const struct json *json, const struct json_node *filter, struct told *told)
{
    const struct json_node *type = json_get(json, filter, "filterType");
    if (!type)
        return;
    if (json_is(type, "PRICE_FILTER")) {
        take(json_get(json, filter, "tickSize"), &told->tick, &told->has_tick);
    } else if (json_is(type, "LOT_SIZE")) {
        take(json_get(json, filter, "stepSize"), &told->lot, &told->has_lot);
        take(json_get(json, filter, "minQty"), &told->min_qty, &told->has_min_qty);
    } else if (json_is(type, "MIN_NOTIONAL") || json_is(type, "NOTIONAL")) {
        take(json_get(json, filter, "minNotional"), &told->min_notional, &told->has_min_notional);
        take(json_get(json, filter, "notional"), &told->min_notional, &told->has_min_notional);
    }
}

static void take_exchange_form(const struct json *json, const struct json_node *entry, struct told *told)
{
    const struct json_node *filters = json_get(json, entry, "filters");
    const struct json_node *filter =
        filters && filters->kind == JSON_ARRAY ? json_first(json, filters) : NULL;
    for (; filter; filter = json_after(json, filters, filter))
        take_filter(json, filter, told);
    take(json_get(json, entry, "contractSize"), &told->multiplier, &told->has_multiplier);
    if (json_text(json_get(json, entry, "baseAsset"), told->base, sizeof told->base) != OK ||
        json_text(json_get(json, entry, "quoteAsset"), told->quote, sizeof told->quote) != OK) {
        told->base[0] = '\0';
        return;
    }
    if (json_text(json_get(json, entry, "marginAsset"), told->settle, sizeof told->settle) != OK)
        text_set(told->settle, sizeof told->settle, told->quote);
}

/* false: the entry is of no known form, or tells nothing. */
static bool take_entry(const struct json *json, const struct json_node *entry, struct told *told)
{
    memset(told, 0, sizeof *told);
    if (entry->kind != JSON_OBJECT)
        return false;
    if (json_get(json, entry, "filters"))
        take_exchange_form(json, entry, told);
    else
        take_own_form(json, entry, told);
    return told->has_tick || told->has_lot || told->has_taker || told->has_maker;
}

static void take_venue(struct instrument_file *self, const struct json *json, const struct json_node *venue,
                       const struct json_node *symbols)
{
    char key[KEY_MAX];
    const struct json_node *symbol = json_first(json, symbols);
    while (symbol) {
        const struct json_node *entry = json_after(json, symbols, symbol);
        struct told told;
        int index = E_ABSENT;
        if (take_entry(json, entry, &told) && key_of(venue->text, venue->len, symbol->text, symbol->len, key))
            index = table_intern(self->names, key, strlen(key));
        if (index >= 0)
            self->told[index] = told;
        else
            self->skipped++;
        symbol = json_after(json, symbols, entry);
    }
}

static uint32_t count_entries(const struct json *json, const struct json_node *root)
{
    uint32_t n = 0;
    const struct json_node *key = json_first(json, root);
    while (key) {
        const struct json_node *value = json_after(json, root, key);
        n += value->kind == JSON_OBJECT ? value->size : 0;
        key = json_after(json, root, value);
    }
    return n;
}

static int take_all(struct instrument_file *self, const struct json *json, const char *path, char *error,
                    size_t cap)
{
    const struct json_node *root = json_root(json);
    if (root->kind != JSON_OBJECT) {
        snprintf(error, cap, "%s: expected a JSON object {venue: {symbol: {...}}}", path);
        return E_TYPE;
    }
    uint32_t n = count_entries(json, root);
    self->names = table_new(n ? n : 1, KEY_MAX);
    self->told = calloc(n ? n : 1, sizeof *self->told);
    if (!self->names || !self->told) {
        snprintf(error, cap, "%s: out of memory for %u instruments", path, n);
        return E_FULL;
    }
    const struct json_node *venue = json_first(json, root);
    while (venue) {
        const struct json_node *symbols = json_after(json, root, venue);
        if (symbols->kind == JSON_OBJECT)
            take_venue(self, json, venue, symbols);
        else
            self->skipped++;
        venue = json_after(json, root, symbols);
    }
    return OK;
}

static int read_whole(const char *path, char **text, size_t *len, char *error, size_t cap)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        snprintf(error, cap, "%s: %s", path, strerror(errno));
        return E_IO;
    }
    char *buffer = NULL;
    size_t n = 0, room = 0;
    for (;;) {
        if (n == room) {
            room = room ? room * 2 : 64 * 1024;
            char *grown = room <= FILE_BYTES_MAX ? realloc(buffer, room) : NULL;
            if (!grown) {
                snprintf(error, cap, "%s: larger than %d bytes, or out of memory", path, FILE_BYTES_MAX);
                break;
            }
            buffer = grown;
        }
        size_t got = fread(buffer + n, 1, room - n, file);
        n += got;
        if (got == 0 && !ferror(file)) {
            fclose(file);
            *text = buffer;
            *len = n;
            return OK;
        }
        if (got == 0) {
            snprintf(error, cap, "%s: %s", path, strerror(errno));
            break;
        }
    }
    free(buffer);
    fclose(file);
    return E_IO;
}

int instrument_file_open(const char *path, struct instrument_file **out, char *error, size_t error_cap)
{
    char *text;
    size_t len;
    *out = NULL;
    int status = read_whole(path, &text, &len, error, error_cap);
    if (status != OK)
        return status;
    struct json *json = json_new();
    struct instrument_file *self = calloc(1, sizeof *self);
    status = json && self ? json_parse(json, text, len) : E_FULL;
    if (!json || !self)
        snprintf(error, error_cap, "%s: out of memory", path);
    else if (status != OK)
        snprintf(error, error_cap, "%s: not JSON: %s", path, json_error(json));
    else
        status = take_all(self, json, path, error, error_cap);
    json_destroy(&json);
    free(text);
    if (status != OK) {
        instrument_file_close(&self);
        return status;
    }
    *out = self;
    return OK;
}

struct instrument_file *instrument_file_new(uint32_t capacity)
{
    struct instrument_file *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->names = table_new(capacity, KEY_MAX);
    self->told = calloc(capacity, sizeof *self->told);
    if (!self->names || !self->told)
        instrument_file_close(&self);
    return self;
}

int instrument_file_take(struct instrument_file *self, const char *venue, const char *venue_symbol,
                         const struct json *json, const struct json_node *entry)
{
    char key[KEY_MAX];
    struct told told;
    if (!take_entry(json, entry, &told)) {
        self->skipped++;
        return E_TYPE;
    }
    if (!key_of(venue, strlen(venue), venue_symbol, strlen(venue_symbol), key))
        return E_RANGE;
    int index = table_intern(self->names, key, strlen(key));
    if (index >= 0)
        self->told[index] = told;
    return index < 0 ? index : OK;
}

void instrument_file_close(struct instrument_file **self)
{
    if (!*self)
        return;
    table_destroy(&(*self)->names);
    free((*self)->told);
    free(*self);
    *self = NULL;
}

uint32_t instrument_file_count(const struct instrument_file *self)
{
    return table_count(self->names);
}

uint32_t instrument_file_skipped(const struct instrument_file *self)
{
    return self->skipped;
}

/* ---- applying --------------------------------------------------------------------------------------- */

static int8_t step_exp(struct dec step)
{
    step = dec_tight(step);
    return step.exp > 0 ? 0 : step.exp;
}

static void apply_names(const struct told *told, struct inst *inst)
{
    char symbol[32];
    if (!told->base[0] || symbol_make(told->base, told->quote, inst->kind, symbol) != OK)
        return;
    struct inst named;
    if (symbol_read(symbol, &named) != OK)
        return;
    memcpy(inst->symbol, named.symbol, sizeof inst->symbol);
    memcpy(inst->base, named.base, sizeof inst->base);
    memcpy(inst->quote, named.quote, sizeof inst->quote);
    memcpy(inst->settle, told->settle, sizeof inst->settle);
}

bool instrument_file_apply(const struct instrument_file *self, struct inst *inst)
{
    char key[KEY_MAX];
    if (!self ||
        !key_of(inst->venue, strlen(inst->venue), inst->venue_symbol, strlen(inst->venue_symbol), key))
        return false;
    int index = table_find(self->names, key, strlen(key));
    if (index < 0)
        return false;
    const struct told *told = &self->told[index];
    apply_names(told, inst);
    if (told->has_tick) {
        inst->tick = told->tick;
        inst->price_exp = step_exp(told->tick);
    }
    if (told->has_lot) {
        inst->lot = told->lot;
        inst->qty_exp = step_exp(told->lot);
    }
    if (told->has_min_qty)
        inst->min_qty = told->min_qty;
    if (told->has_min_notional)
        inst->min_notional = told->min_notional;
    if (told->has_taker)
        inst->taker_bps = told->taker_bps;
    if (told->has_maker)
        inst->maker_bps = told->maker_bps;
    if (told->has_multiplier)
        inst->multiplier = told->multiplier;
    inst->learned = !(told->has_tick && told->has_lot);
    return true;
}
