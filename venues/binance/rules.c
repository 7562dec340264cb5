/* The rule sets of the four Binance markets. */
#include "venues/binance/rules.h"

#include <ctype.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/market/symbol.h"
#include "venues/url.h"

const struct binance_rules binance_spot_rules = {"binance", KIND_SPOT, false, {10, 0}, {10, 0}};
const struct binance_rules binance_us_rules = {"binance-us", KIND_SPOT, false, {60, 0}, {40, 0}};
const struct binance_rules binance_usdm_rules = {"binance-usdm", KIND_LINEAR, true, {5, 0}, {2, 0}};
const struct binance_rules binance_coinm_rules = {"binance-coinm", KIND_INVERSE, true, {5, 0}, {1, 0}};

/* ---- urls ------------------------------------------------------------------------------------------- */

struct host {
    const char *name;
    const struct binance_rules *rules;
};

/* Hosts that serve one market only, whatever the path. */
static const struct host hosts[] = {
    {"stream.binance.com", &binance_spot_rules},         {"data-stream.binance.com", &binance_spot_rules},
    {"demo-stream.binance.com", &binance_spot_rules},    {"api.binance.com", &binance_spot_rules},
    {"api1.binance.com", &binance_spot_rules},           {"api2.binance.com", &binance_spot_rules},
    {"api3.binance.com", &binance_spot_rules},           {"api4.binance.com", &binance_spot_rules},
    {"api-gcp.binance.com", &binance_spot_rules},        {"data-api.binance.com", &binance_spot_rules},
    {"demo-api.binance.com", &binance_spot_rules},       {"data.binance.com", &binance_spot_rules},
    {"fstream.binance.com", &binance_usdm_rules},        {"fapi.binance.com", &binance_usdm_rules},
    {"fstream-auth.binance.com", &binance_usdm_rules},   {"demo-fapi.binance.com", &binance_usdm_rules},
    {"dstream.binance.com", &binance_coinm_rules},       {"dapi.binance.com", &binance_coinm_rules},
    {"dstream-auth.binance.com", &binance_coinm_rules},  {"demo-dapi.binance.com", &binance_coinm_rules},
    {"dstream.binancefuture.com", &binance_coinm_rules},
};

const struct binance_rules *binance_rules_of_url(const char *text)
{
    struct url url;
    if (!url_read(text, &url))
        return NULL;
    if (url_host_ends(&url, ".binance.us"))
        return &binance_us_rules;
    if (url_host_ends(&url, ".binance.vision"))
        return &binance_spot_rules;
    bool futures_test = url_host_ends(&url, ".binancefuture.com");
    if (!futures_test && !url_host_ends(&url, ".binance.com"))
        return NULL;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        if (url_host_is(&url, hosts[i].name))
            return hosts[i].rules;
    }
    if (url_path_begins(&url, "/dapi/"))
        return &binance_coinm_rules;
    if (futures_test || url_path_begins(&url, "/fapi/"))
        return &binance_usdm_rules;
    return url_path_begins(&url, "/api/") ? &binance_spot_rules : NULL;
}

/* ---- names ------------------------------------------------------------------------------------------ */

/* On markets that quote in plain dollars, a base that ends in "T" or "B" makes a longer dollar's name appear:
 * "DOTUSD" is not "DO-TUSD", nor "BNBUSD" "BN-BUSD". TUSD was never a quote there. BUSD was, so only the
 * bases that end in "B" are told apart. */
static void plain_dollar(const struct binance_rules *rules, char base[16], char quote[16])
{
    static const char *const ending_in_b[] = {"BN", "SHI", "AR", "BO", "RE", "GR", "LAND", "YG", "SU", NULL};
    size_t len = strlen(base);
    bool t = strcmp(quote, "TUSD") == 0, b = strcmp(quote, "BUSD") == 0;
    if (rules == &binance_us_rules && b) {
        b = false;
        for (const char *const *name = ending_in_b; *name && !b; name++)
            b = strcmp(base, *name) == 0;
    }
    if ((t || b) && len + 1 < 16) {
        base[len] = t ? 'T' : 'B';
        base[len + 1] = '\0';
        text_set(quote, 16, "USD");
    }
}

static size_t name_length(const struct binance_rules *rules, const char *name)
{
    size_t len = strlen(name);
    if (rules == &binance_coinm_rules && len > 5 && strcmp(name + len - 5, "_PERP") == 0)
        return len - 5;
    return memchr(name, '_', len) ? 0 : len; /* a delivery date: no perpetual, and no name of ours */
}

void binance_instrument(const struct binance_rules *rules, const char *name,
                        const struct instrument_file *file, const struct instrument_file *told,
                        struct inst *inst)
{
    struct inst named;
    char base[16], quote[16], symbol[32];
    memset(inst, 0, sizeof *inst);
    size_t len = name_length(rules, name);
    if (len && symbol_split(name, len, base, quote) == OK) {
        if (rules == &binance_us_rules || rules == &binance_coinm_rules)
            plain_dollar(rules, base, quote);
        if (symbol_make(base, quote, rules->kind, symbol) == OK && symbol_read(symbol, &named) == OK)
            *inst = named;
    }
    text_set(inst->venue, sizeof inst->venue, rules->venue);
    text_set(inst->venue_symbol, sizeof inst->venue_symbol, name);
    inst->kind = rules->kind;
    if (rules->kind == KIND_INVERSE)
        memcpy(inst->settle, inst->base, sizeof inst->settle);
    inst->multiplier = (struct dec){1, 0};
    inst->taker_bps = rules->taker_bps;
    inst->maker_bps = rules->maker_bps;
    inst->learned = true;
    bool dated = len == 0;
    (void)instrument_file_apply(file, inst);
    (void)instrument_file_apply(told, inst);
    if (dated)
        inst->symbol[0] = '\0';
}

/* ---- joining ---------------------------------------------------------------------------------------- */

static enum join join_contiguous(uint64_t last, struct diff_ids diff)
{
    if (diff.last <= last)
        return JOIN_OLD;
    return diff.first > last + 1 ? JOIN_GAP : JOIN_NEXT;
}

static enum join join_chained(uint64_t last, bool fresh, struct diff_ids diff)
{
    if (fresh) {
        if (diff.last < last)
            return JOIN_OLD;
        return diff.first <= last || diff.previous == last ? JOIN_NEXT : JOIN_GAP;
    }
    if (diff.last <= last)
        return JOIN_OLD;
    return diff.previous == last ? JOIN_NEXT : JOIN_GAP;
}

enum join binance_join(const struct binance_rules *rules, uint64_t last, bool fresh, struct diff_ids diff)
{
    return rules->chained ? join_chained(last, fresh, diff) : join_contiguous(last, diff);
}
