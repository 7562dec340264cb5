/* Symbols: splitting venues' joined names, and the internal form. */
#include "lib/market/symbol.h"

#include <ctype.h>
#include <string.h>

#include "lib/base/status.h"
#include "lib/base/text.h"

/* Longer names first, so that the first match is the longest. */
static const char *const quotes[] = {
    "FDUSD", "BFUSD", "RLUSD", "PYUSD",                                                         /* 5 */
    "USDT",  "USDC",  "BUSD",  "TUSD",  "USDP", "USDS", "USD1", "USDD", "GUSD", "XUSD", "AEUR", /* 4 */
    "EURI",  "BIDR",  "IDRT",  "BVND",  "BKRW", "DOGE", "GYEN",                                 /* 4 */
    "USD",   "EUR",   "GBP",   "KRW",   "JPY",  "TRY",  "RUB",  "BRL",  "AUD",  "CAD",  "CHF",  /* 3 */
    "UAH",   "NGN",   "ZAR",   "PLN",   "RON",  "ARS",  "MXN",  "COP",  "CZK",  "SGD",  "IDR",  /* 3 */
    "THB",   "HKD",   "INR",   "BTC",   "XBT",  "ETH",  "BNB",  "TRX",  "XRP",  "DOT",  "SOL",  /* 3 */
    "DAI",   "PAX",   "VAI",   "UST",   NULL,
};

static bool ends_with(const char *name, size_t len, const char *end)
{
    size_t n = strlen(end);
    if (n > len)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (toupper((unsigned char)name[len - n + i]) != end[i])
            return false;
    }
    return true;
}

static void upper(const char *from, size_t len, char *to)
{
    for (size_t i = 0; i < len; i++)
        to[i] = (char)toupper((unsigned char)from[i]);
    to[len] = '\0';
}

/* A part of a symbol: capitals and digits; the "." of a topic can never be in it. */
static bool part(const char *from, size_t len, char out[16])
{
    if (len == 0 || len >= 16)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)from[i];
        if (c <= ' ' || c == '.' || c == '-' || c == 0x7f || islower(c))
            return false;
    }
    memcpy(out, from, len);
    out[len] = '\0';
    return true;
}

int symbol_split(const char *name, size_t len, char base[16], char quote[16])
{
    for (const char *const *q = quotes; *q; q++) {
        if (!ends_with(name, len, *q))
            continue;
        size_t base_len = len - strlen(*q);
        if (base_len == 0)
            continue;
        if (base_len >= 16)
            return E_RANGE;
        char capitals[16];
        upper(name, base_len, capitals);
        if (!part(capitals, base_len, base))
            return E_ABSENT;
        text_set(quote, 16, *q);
        return OK;
    }
    return E_ABSENT;
}

int symbol_make(const char *base, const char *quote, enum contract_kind kind, char out[32])
{
    const char *end = kind == KIND_SPOT ? "" : "-PERP";
    size_t b = strlen(base), q = strlen(quote), e = strlen(end);
    if (b == 0 || q == 0 || b + 1 + q + e >= 32)
        return E_RANGE;
    memcpy(out, base, b);
    out[b] = '-';
    memcpy(out + b + 1, quote, q);
    memcpy(out + b + 1 + q, end, e + 1);
    return OK;
}

int symbol_read(const char *symbol, struct inst *inst)
{
    memset(inst, 0, sizeof *inst);
    const char *dash = strchr(symbol, '-');
    if (!dash || !text_set(inst->symbol, sizeof inst->symbol, symbol))
        return E_SYNTAX;
    const char *quote = dash + 1, *end = strchr(quote, '-');
    if (end && strcmp(end, "-PERP") != 0)
        return E_SYNTAX;
    size_t quote_len = end ? (size_t)(end - quote) : strlen(quote);
    if (!part(symbol, (size_t)(dash - symbol), inst->base) || !part(quote, quote_len, inst->quote))
        return E_SYNTAX;
    memcpy(inst->settle, inst->quote, sizeof inst->settle);
    inst->kind = end ? KIND_LINEAR : KIND_SPOT;
    inst->multiplier = (struct dec){1, 0};
    return OK;
}
