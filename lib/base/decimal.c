/* Every operation is a sign, a 128-bit magnitude, and at most one power of ten up or down. Up either fits or
 * is E_RANGE; down leaves a remainder, and one function decides by name what becomes of it. */
#include "lib/base/decimal.h"

__extension__ typedef unsigned __int128 u128;

enum { POW10_MAX = 38 }; /* the largest power of ten in 128 bits */

/* How what was cut off compares with half of the last digit kept. */
enum cut { CUT_NOTHING, CUT_BELOW_HALF, CUT_HALF, CUT_ABOVE_HALF };

/* clang-format off */
static const uint64_t pow10_low[20] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000,
    1000000000000, 10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000,
    1000000000000000000, 10000000000000000000u};
/* clang-format on */

static u128 pow10_of(int n)
{
    return n < 20 ? (u128)pow10_low[n] : (u128)pow10_low[19] * pow10_low[n - 19];
}

static uint64_t magnitude64(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

static u128 magnitude128(money v)
{
    return v < 0 ? 0 - (u128)v : (u128)v;
}

static bool in_bounds(int exp)
{
    return exp >= DEC_EXP_MIN && exp <= DEC_EXP_MAX;
}

static int to_i64(bool negative, u128 magnitude, int64_t *out)
{
    if (magnitude > (uint64_t)INT64_MAX + negative) {
        return E_RANGE;
    }
    *out = (int64_t)(negative ? 0 - (uint64_t)magnitude : (uint64_t)magnitude);
    return OK;
}

static int to_money(bool negative, u128 magnitude, money *out)
{
    if (magnitude > ((u128)1 << 127) - !negative) {
        return E_RANGE;
    }
    *out = (money)(negative ? 0 - magnitude : magnitude);
    return OK;
}

/* v * 10^n; false when it does not fit. */
static bool scale_up(u128 *v, int n)
{
    if (*v == 0) {
        return true;
    }
    return n <= POW10_MAX && !__builtin_mul_overflow(*v, pow10_of(n), v);
}

/* v / divisor, 64 bits where they do: a 128-bit division costs ten times as much. */
static u128 divide(u128 v, u128 divisor, enum cut *cut)
{
    u128 quotient, rest;
    if ((v | divisor) >> 64 == 0) {
        quotient = (uint64_t)v / (uint64_t)divisor;
        rest = (uint64_t)v % (uint64_t)divisor;
    } else {
        quotient = v / divisor;
        rest = v - quotient * divisor;
    }
    u128 missing = divisor - rest; /* compared instead of 2 * rest, which could overflow */
    *cut = rest == 0         ? CUT_NOTHING
           : rest < missing  ? CUT_BELOW_HALF
           : rest == missing ? CUT_HALF
                             : CUT_ABOVE_HALF;
    return quotient;
}

/* v / 10^n */
static u128 scale_down(u128 v, int n, enum cut *cut)
{
    if (n > POW10_MAX) {
        /* 10^39 / 2 is above all 128-bit magnitudes */
        *cut = v == 0 ? CUT_NOTHING : CUT_BELOW_HALF;
        return 0;
    }
    return divide(v, pow10_of(n), cut);
}

/* Gives the quotient its last digit by the name of the rounding. The largest stays as it is: it is out of
 * every result's range, and must not wrap into it. */
static int round_off(bool negative, u128 *quotient, enum cut cut, enum rounding rounding)
{
    bool away = false;
    if (cut == CUT_NOTHING) {
        return OK;
    }
    switch (rounding) {
    case ROUND_EXACT:
        return E_INEXACT;
    case ROUND_DOWN:
        break;
    case ROUND_UP:
        away = true;
        break;
    case ROUND_FLOOR:
        away = negative;
        break;
    case ROUND_CEILING:
        away = !negative;
        break;
    case ROUND_HALF_EVEN:
        away = cut == CUT_ABOVE_HALF || (cut == CUT_HALF && (*quotient & 1) == 1);
        break;
    }
    *quotient += away && *quotient != ~(u128)0;
    return OK;
}

/* The mantissa at exponent `to` of magnitude * 10^from. A lost digit is reported before a lost range: with
 * ROUND_EXACT the caller learns that no exponent of this coarseness would do. */
static int mantissa_at(bool negative, u128 magnitude, int from, int to, enum rounding rounding, int64_t *out)
{
    if (from >= to) {
        return scale_up(&magnitude, from - to) ? to_i64(negative, magnitude, out) : E_RANGE;
    }
    enum cut cut;
    magnitude = scale_down(magnitude, to - from, &cut);
    int status = round_off(negative, &magnitude, cut, rounding);
    return status == OK ? to_i64(negative, magnitude, out) : status;
}

/* The tight form of magnitude * 10^exp: the one with the fewest digits whose exponent is in bounds. */
static int tight_of(bool negative, u128 magnitude, int exp, struct dec *out)
{
    if (magnitude == 0) {
        *out = (struct dec){0};
        return OK;
    }
    for (; magnitude >> 64 != 0 && exp < DEC_EXP_MAX && magnitude % 10 == 0; exp++) {
        magnitude /= 10;
    }
    if (magnitude >> 64 != 0) {
        return E_RANGE;
    }
    uint64_t low = (uint64_t)magnitude;
    for (; exp < DEC_EXP_MAX && low % 10 == 0; exp++) {
        low /= 10;
    }
    if (exp < DEC_EXP_MIN) {
        return E_RANGE;
    }
    if (exp > DEC_EXP_MAX) {
        magnitude = low;
        if (!scale_up(&magnitude, exp - DEC_EXP_MAX) || magnitude >> 64 != 0) {
            return E_RANGE;
        }
        low = (uint64_t)magnitude;
        exp = DEC_EXP_MAX;
    }
    int64_t m;
    int status = to_i64(negative, low, &m);
    if (status == OK) {
        *out = (struct dec){.m = m, .exp = (int8_t)exp};
    }
    return status;
}

int dec_mantissa(struct dec v, int exp, enum rounding rounding, int64_t *out)
{
    if (!in_bounds(exp)) {
        return E_RANGE;
    }
    return mantissa_at(v.m < 0, magnitude64(v.m), v.exp, exp, rounding, out);
}

int dec_rescale(struct dec v, int exp, enum rounding rounding, struct dec *out)
{
    int64_t m;
    int status = dec_mantissa(v, exp, rounding, &m);
    if (status == OK) {
        *out = (struct dec){.m = m, .exp = (int8_t)exp};
    }
    return status;
}

struct dec dec_tight(struct dec v)
{
    if (v.m == 0) {
        return (struct dec){0};
    }
    while (v.exp < DEC_EXP_MAX && v.m % 10 == 0) {
        v.m /= 10;
        v.exp++;
    }
    return v;
}

static int cmp_magnitudes(u128 a, int a_exp, u128 b, int b_exp)
{
    if (a_exp < b_exp) {
        return -cmp_magnitudes(b, b_exp, a, a_exp);
    }
    if (!scale_up(&a, a_exp - b_exp)) {
        return 1; /* b has 64 bits at most */
    }
    return (a > b) - (a < b);
}

int dec_cmp(struct dec a, struct dec b)
{
    if (a.exp == b.exp) {
        return (a.m > b.m) - (a.m < b.m);
    }
    int a_sign = (a.m > 0) - (a.m < 0);
    int b_sign = (b.m > 0) - (b.m < 0);
    if (a_sign != b_sign) {
        return a_sign < b_sign ? -1 : 1;
    }
    return a_sign * cmp_magnitudes(magnitude64(a.m), a.exp, magnitude64(b.m), b.exp);
}

/* a + sign * b. The finer one, being tight, keeps the sum at its exponent: a sum that would need the coarser
 * moved by more than 19 digits has too many. */
static int sum_of(struct dec a, struct dec b, int sign, struct dec *out)
{
    if (!in_bounds(a.exp) || !in_bounds(b.exp)) {
        return E_RANGE;
    }
    a = dec_tight(a);
    b = dec_tight(b);
    int a_exp = a.m == 0 ? b.exp : a.exp;
    int b_exp = b.m == 0 ? a.exp : b.exp;
    int exp = a_exp < b_exp ? a_exp : b_exp;
    if (a_exp - exp > 19 || b_exp - exp > 19) {
        return E_RANGE;
    }
    money sum =
        (money)a.m * (money)pow10_low[a_exp - exp] + (money)b.m * sign * (money)pow10_low[b_exp - exp];
    return tight_of(sum < 0, magnitude128(sum), exp, out);
}

int dec_add(struct dec a, struct dec b, struct dec *out)
{
    return sum_of(a, b, 1, out);
}

int dec_sub(struct dec a, struct dec b, struct dec *out)
{
    return sum_of(a, b, -1, out);
}

int dec_mul(struct dec a, struct dec b, struct dec *out)
{
    if (!in_bounds(a.exp) || !in_bounds(b.exp)) {
        return E_RANGE;
    }
    u128 product = (u128)magnitude64(a.m) * magnitude64(b.m);
    return tight_of((a.m < 0) != (b.m < 0), product, a.exp + b.exp, out);
}

static int dec_of(int status, int64_t m, int exp, struct dec *out)
{
    if (status == OK) {
        *out = (struct dec){.m = m, .exp = (int8_t)exp};
    }
    return status;
}

int dec_mul_at(struct dec a, struct dec b, int exp, enum rounding rounding, struct dec *out)
{
    if (!in_bounds(exp) || !in_bounds(a.exp) || !in_bounds(b.exp)) {
        return E_RANGE;
    }
    u128 product = (u128)magnitude64(a.m) * magnitude64(b.m);
    int64_t m = 0;
    int status = mantissa_at((a.m < 0) != (b.m < 0), product, a.exp + b.exp, exp, rounding, &m);
    return dec_of(status, m, exp, out);
}

/* a * 10^shift / b as a whole number. A dividend beyond 128 bits means a quotient beyond 64, as b has 64; a
 * divisor beyond 128 bits means a quotient below a half. */
static int quotient_of(u128 a, uint64_t b, int shift, bool negative, enum rounding rounding, u128 *out)
{
    u128 divisor = b;
    enum cut cut;
    if (shift >= 0 && !scale_up(&a, shift)) {
        return E_RANGE;
    }
    if (shift < 0 && !scale_up(&divisor, -shift)) {
        cut = a == 0 ? CUT_NOTHING : CUT_BELOW_HALF;
        *out = 0;
    } else {
        *out = divide(a, divisor, &cut);
    }
    return round_off(negative, out, cut, rounding);
}

int dec_div_at(struct dec a, struct dec b, int exp, enum rounding rounding, struct dec *out)
{
    if (b.m == 0 || !in_bounds(exp) || !in_bounds(a.exp) || !in_bounds(b.exp)) {
        return E_RANGE;
    }
    bool negative = (a.m < 0) != (b.m < 0);
    u128 quotient;
    int64_t m = 0;
    int status =
        quotient_of(magnitude64(a.m), magnitude64(b.m), a.exp - b.exp - exp, negative, rounding, &quotient);
    if (status == OK) {
        status = to_i64(negative, quotient, &m);
    }
    return dec_of(status, m, exp, out);
}

int dec_to_step(struct dec v, struct dec step, enum rounding rounding, struct dec *out)
{
    if (step.m <= 0 || !in_bounds(step.exp) || !in_bounds(v.exp)) {
        return E_RANGE;
    }
    bool negative = v.m < 0;
    u128 count, magnitude;
    int64_t m = 0;
    int status =
        quotient_of(magnitude64(v.m), (uint64_t)step.m, v.exp - step.exp, negative, rounding, &count);
    if (status == OK && __builtin_mul_overflow(count, (u128)step.m, &magnitude)) {
        status = E_RANGE;
    }
    if (status == OK) {
        status = to_i64(negative, magnitude, &m);
    }
    return dec_of(status, m, step.exp, out);
}

static double pow10_double(int n)
{
    double p = 1;
    for (; n > 19; n -= 19) {
        p *= 1e19;
    }
    return p * (double)pow10_low[n];
}

double dec_double(struct dec v)
{
    return v.exp < 0 ? (double)v.m / pow10_double(-v.exp) : (double)v.m * pow10_double(v.exp);
}

/* magnitude * 10^exp as money, no digit lost. */
static int money_exactly(bool negative, u128 magnitude, int exp, money *out)
{
    enum cut cut = CUT_NOTHING;
    if (exp >= MONEY_EXP) {
        if (!scale_up(&magnitude, exp - MONEY_EXP)) {
            return E_RANGE;
        }
    } else {
        magnitude = scale_down(magnitude, MONEY_EXP - exp, &cut);
    }
    return cut == CUT_NOTHING ? to_money(negative, magnitude, out) : E_INEXACT;
}

int money_of(struct dec v, money *out)
{
    return money_exactly(v.m < 0, magnitude64(v.m), v.exp, out);
}

int money_product(struct dec a, struct dec b, money *out)
{
    u128 product = (u128)magnitude64(a.m) * magnitude64(b.m);
    return money_exactly((a.m < 0) != (b.m < 0), product, a.exp + b.exp, out);
}

int money_add(money a, money b, money *out)
{
    money sum;
    if (__builtin_add_overflow(a, b, &sum)) {
        return E_RANGE;
    }
    *out = sum;
    return OK;
}

int money_sub(money a, money b, money *out)
{
    money difference;
    if (__builtin_sub_overflow(a, b, &difference)) {
        return E_RANGE;
    }
    *out = difference;
    return OK;
}

/* (a * b) / divisor in schoolbook limbs of 64 bits: the product has three. False when the quotient does not
 * fit in 128 bits. */
static bool multiply_divide(u128 a, uint64_t b, uint64_t divisor, u128 *quotient, enum cut *cut)
{
    u128 low = (u128)(uint64_t)a * b;
    u128 high = (a >> 64) * b + (low >> 64);
    uint64_t limb2 = (uint64_t)(high >> 64), limb1 = (uint64_t)high, limb0 = (uint64_t)low;
    if (limb2 >= divisor) {
        return false;
    }
    u128 part = (u128)limb2 << 64 | limb1;
    uint64_t quotient1 = (uint64_t)(part / divisor);
    part = part % divisor << 64 | limb0;
    *quotient = (u128)quotient1 << 64 | (uint64_t)(part / divisor);
    uint64_t rest = (uint64_t)(part % divisor), missing = divisor - rest;
    *cut = rest == 0         ? CUT_NOTHING
           : rest < missing  ? CUT_BELOW_HALF
           : rest == missing ? CUT_HALF
                             : CUT_ABOVE_HALF;
    return true;
}

int money_scale(money a, struct dec rate, enum rounding rounding, money *out)
{
    if (!in_bounds(rate.exp)) {
        return E_RANGE;
    }
    bool negative = (a < 0) != (rate.m < 0);
    u128 quotient;
    enum cut cut;
    uint64_t divisor = rate.exp < 0 ? pow10_low[-rate.exp] : 1;
    if (!multiply_divide(magnitude128(a), magnitude64(rate.m), divisor, &quotient, &cut) ||
        (rate.exp > 0 && !scale_up(&quotient, rate.exp))) {
        return E_RANGE;
    }
    int status = round_off(negative, &quotient, cut, rounding);
    return status == OK ? to_money(negative, quotient, out) : status;
}

int money_dec(money a, int exp, enum rounding rounding, struct dec *out)
{
    if (!in_bounds(exp)) {
        return E_RANGE;
    }
    int64_t m = 0;
    int status = mantissa_at(a < 0, magnitude128(a), MONEY_EXP, exp, rounding, &m);
    return dec_of(status, m, exp, out);
}

double money_double(money a)
{
    return (double)a / 1e18;
}
