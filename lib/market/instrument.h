/* What an instrument's steps and fees mean for an order. The instrument itself is the `inst` message. */
#ifndef SLUICE_MARKET_INSTRUMENT_H
#define SLUICE_MARKET_INSTRUMENT_H

#include "lib/base/decimal.h"
#include "proto/message.h"

/* Price rounded to the tick, quantity rounded down to the lot. An unknown step (0) leaves the value as it is.
 * E_RANGE. */
int instrument_price(const struct inst *inst, struct dec price, enum rounding rounding, struct dec *out);
int instrument_qty(const struct inst *inst, struct dec qty, struct dec *out);

/* A quantity rounded down to a whole number of both lots, that is of their least common multiple. 0 when less
 * than that is left. E_RANGE. */
int instrument_qty_both(const struct inst *a, const struct inst *b, struct dec qty, struct dec *out);

/* Less than the venue takes as an order at that price: nothing, below the least quantity, or below the least notional. */
bool instrument_too_small(const struct inst *inst, struct dec qty, struct dec price);

/* The fee of an execution in quote currency: notional * bps, rounded half-even at fee_exp, which is the
 * exponent of price times quantity held between -12 and -8. E_RANGE. */
int instrument_fee(struct dec price, struct dec qty, struct dec bps, struct dec *out);

/* The instruments of a file: a JSON object {venue: {venue symbol: {...}}} in the form exchanges answer their
 * instrument endpoints with (Binance exchangeInfo symbols), or in sluice's own form
 * {"tick","lot","min_qty","min_notional","taker_bps","maker_bps"}. Venue keys may use '_' for '-', and may end
 * in "_spot". Entries of unknown form are skipped and counted. What is wrong with a file is said in `error`:
 * E_IO, E_SYNTAX, E_TYPE, E_FULL. */
struct instrument_file;
int instrument_file_open(const char *path, struct instrument_file **out, char *error, size_t error_cap);
void instrument_file_close(struct instrument_file **self);
uint32_t instrument_file_count(const struct instrument_file *self);
uint32_t instrument_file_skipped(const struct instrument_file *self);

/* An empty one, for what a venue's own endpoint answers; holds up to `capacity` instruments. NULL: out of memory. */
struct instrument_file *instrument_file_new(uint32_t capacity);

/* Takes an entry, in one of the forms above, in place of what was told of that instrument before. E_TYPE: of unknown
 * form, or it tells nothing; E_RANGE, E_FULL. */
struct json;
struct json_node;
int instrument_file_take(struct instrument_file *self, const char *venue, const char *venue_symbol,
                         const struct json *json, const struct json_node *entry);

/* Overwrites in inst what the file tells of it, looked up by inst->venue and inst->venue_symbol: tick, lot,
 * minima, fees, multiplier, exponents, and where the file names the currencies, these and the symbol. `learned` becomes
 * false when both steps are told. false, and nothing written, when the file has no such entry or is NULL. */
bool instrument_file_apply(const struct instrument_file *self, struct inst *inst);

#endif
