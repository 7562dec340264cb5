/* Names of what is traded. Inside sluice a symbol is BASE-QUOTE ("BTC-USDT"), a perpetual BASE-QUOTE-PERP;
 * a venue's own name stays in its folder. */
#ifndef SLUICE_MARKET_SYMBOL_H
#define SLUICE_MARKET_SYMBOL_H

#include <stddef.h>

#include "proto/message.h"

/* Splits a name without separator ("BTCUSDT") at the longest known quote currency that ends it, ignoring
 * case; base and quote are written in upper case, 16 bytes each. E_ABSENT when no known quote ends it or
 * nothing is left for the base; E_RANGE when a part does not fit. */
int symbol_split(const char *name, size_t len, char base[16], char quote[16]);

/* Writes the internal symbol of base, quote and kind (KIND_SPOT: "BTC-USDT", else "BTC-USDT-PERP"). E_RANGE. */
int symbol_make(const char *base, const char *quote, enum contract_kind kind, char out[32]);

/* Fills inst with what a symbol itself tells: symbol, base, quote, settle, kind, multiplier 1; the rest zero.
 * E_SYNTAX when it is not BASE-QUOTE or BASE-QUOTE-PERP. */
int symbol_read(const char *symbol, struct inst *inst);

#endif
