/* Exact decimal arithmetic on struct dec and money (proto/number.h).
 *
 * Products go through 128 bits; what does not fit is E_RANGE, never a wrapped number. Where digits would
 * be lost the caller names the rounding; ROUND_EXACT refuses instead (E_INEXACT). Outputs are written
 * only on OK. Rounding names follow IEEE 754-2008 and the General Decimal Arithmetic specification.
 */
#ifndef SLUICE_BASE_DECIMAL_H
#define SLUICE_BASE_DECIMAL_H

#include "lib/base/status.h"
#include "proto/number.h"

enum rounding {
    ROUND_EXACT,    /* refuse to lose a digit */
    ROUND_DOWN,     /* toward zero */
    ROUND_UP,       /* away from zero */
    ROUND_FLOOR,    /* toward minus infinity */
    ROUND_CEILING,  /* toward plus infinity */
    ROUND_HALF_EVEN /* to nearest, ties to the even digit */
};

/* Reads any JSON number form ("61837.63000000", "1.16539E8", "2.75E-5", "1380", "-0.0"), straight from
 * len bytes of text, into its tightest form: the mantissa has no trailing zeros (but where the exponent
 * is at DEC_EXP_MAX already), 0 is {0, 0}. Every number that a struct dec can hold is read.
 * E_SYNTAX: not a JSON number. E_RANGE: more digits than 64 bits hold, or an exponent out of bounds. */
int dec_parse(const char *text, size_t len, struct dec *out);

/* The same number at another exponent. E_RANGE, E_INEXACT. */
int dec_rescale(struct dec v, int exp, enum rounding rounding, struct dec *out);

/* The mantissa of v at exponent exp: dec_rescale for those who keep mantissas only. */
int dec_mantissa(struct dec v, int exp, enum rounding rounding, int64_t *out);

/* Drops trailing zeros of the mantissa; {0, 0} for 0. */
struct dec dec_tight(struct dec v);

/* -1, 0, 1. Total for all values. */
int dec_cmp(struct dec a, struct dec b);

/* Exact sum and product, in tight form. E_RANGE. */
int dec_add(struct dec a, struct dec b, struct dec *out);
int dec_sub(struct dec a, struct dec b, struct dec *out);
int dec_mul(struct dec a, struct dec b, struct dec *out);

/* a * b, a / b at exponent exp. E_RANGE (also for b = 0), E_INEXACT. */
int dec_mul_at(struct dec a, struct dec b, int exp, enum rounding rounding, struct dec *out);
int dec_div_at(struct dec a, struct dec b, int exp, enum rounding rounding, struct dec *out);

/* v rounded to a whole multiple of step (> 0), at the exponent of step or finer. E_RANGE, E_INEXACT. */
int dec_to_step(struct dec v, struct dec step, enum rounding rounding, struct dec *out);

/* For signals only, never for an order or a ledger. */
double dec_double(struct dec v);

/* ---- money ---------------------------------------------------------------------------------------- */

int money_of(struct dec v, money *out);                    /* E_RANGE; E_INEXACT below 1e-18 */
int money_product(struct dec a, struct dec b, money *out); /* exact a * b; E_RANGE, E_INEXACT */
int money_add(money a, money b, money *out);               /* E_RANGE */
int money_sub(money a, money b, money *out);               /* E_RANGE */
int money_scale(money a, struct dec rate, enum rounding rounding,
                money *out); /* a * rate at 1e-18; 192-bit inside */
int money_dec(money a, int exp, enum rounding rounding, struct dec *out);
double money_double(money a);

#endif
