/* The two number types of the wire, and their exact text form.
 *
 * struct dec   a price, a quantity, a rate: mantissa * 10^exp. Nothing about it is binary.
 * money        an amount of one currency, or a sum of them: a 128-bit count of 1e-18 units, so that
 *              every product of a price and a quantity this system meets is held without rounding.
 *
 * Arithmetic on both is lib/base/decimal.h; here is only what a message needs.
 */
#ifndef SLUICE_PROTO_NUMBER_H
#define SLUICE_PROTO_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DEC_EXP_MIN = -18, DEC_EXP_MAX = 18, DEC_TEXT_MAX = 48, MONEY_EXP = -18, MONEY_TEXT_MAX = 48 };

struct dec {
    int64_t m;  /* mantissa */
    int8_t exp; /* decimal exponent, DEC_EXP_MIN to DEC_EXP_MAX */
};

__extension__ typedef __int128 money;

/* Writes the shortest plain decimal that equals v ("61837.63", "-0.5", "1300": no exponent, no trailing
 * zeros) and a NUL. Returns the length. Any exponent is accepted that keeps within DEC_TEXT_MAX. */
size_t dec_format(struct dec v, char text[DEC_TEXT_MAX]);

/* The same for an amount. */
size_t money_format(money v, char text[MONEY_TEXT_MAX]);

/* Reads what money_format writes: [-]digits[.digits], at most 18 digits after the point. Returns false
 * on any other text, or where the amount does not fit. */
bool money_parse(const char *text, size_t len, money *out);

#endif
