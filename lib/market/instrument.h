/* What an instrument's steps and fees mean for an order. The instrument itself is the `inst` message. */
#ifndef SLUICE_MARKET_INSTRUMENT_H
#define SLUICE_MARKET_INSTRUMENT_H

#include "lib/base/decimal.h"
#include "proto/message.h"

/* Price rounded to the tick, quantity rounded down to the lot. An unknown step (0) leaves the value as it is.
 * E_RANGE. */
int instrument_price(const struct inst *inst, struct dec price, enum rounding rounding, struct dec *out);
int instrument_qty(const struct inst *inst, struct dec qty, struct dec *out);

/* A quantity rounded down to a whole lot of both (the larger lot where one divides the other, else tried
 * in turn until stable). 0 when less than one lot is left. E_RANGE. */
int instrument_qty_both(const struct inst *a, const struct inst *b, struct dec qty, struct dec *out);

/* The fee of an execution in quote currency: notional * bps, rounded half-even at fee_exp, which is the
 * exponent of price times quantity held between -12 and -8. E_RANGE. */
int instrument_fee(struct dec price, struct dec qty, struct dec bps, struct dec *out);

/* The instruments of a file: a JSON object {venue: {venue symbol: {...}}} in the form exchanges answer their
 * instrument endpoints with (Binance exchangeInfo symbols), or in sluice's own form
 * {"symbol","tick","lot","min_qty","min_notional","taker_bps","maker_bps"}. Venue keys may use '_' for '-'.
 * Entries of unknown form are skipped and counted. Calls `found` for each. Errors are said in `error`. */
struct instrument_file;
int instrument_file_open(const char *path, struct instrument_file **out, char *error, size_t error_cap);
void instrument_file_close(struct instrument_file **self);

/* Overwrites tick, lot, minima, fees and exponents of inst with those of the file, looked up by inst->venue and
 * inst->venue_symbol. false when the file has no such entry. */
bool instrument_file_apply(const struct instrument_file *self, struct inst *inst);

#endif
