/* The plain decimals of venues' messages, read in place: eight digits at once, by the arithmetic of a 64-bit word.
 * dec_parse (decimal.h) reads every form; what is here reads the usual one, inline, for the loops that read hundreds
 * of them a message. */
#ifndef SLUICE_BASE_DECIMAL_SCAN_H
#define SLUICE_BASE_DECIMAL_SCAN_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "proto/number.h"

/* The eight bytes at text, the first in the lowest byte; of a digit its value, of all else more than 9. */
static inline uint64_t scan_load(const char *text)
{
    uint64_t v;
    memcpy(&v, text, sizeof v);
    return le64toh(v) ^ UINT64_C(0x3030303030303030);
}

/* How many of the eight, from the first on, are digits. */
static inline int scan_count(uint64_t v)
{
    uint64_t other = (v | (v + UINT64_C(0x0606060606060606))) & UINT64_C(0xf0f0f0f0f0f0f0f0);
    return other == 0 ? 8 : __builtin_ctzll(other) / 8;
}

/* The value of eight digits: neighbours join to pairs, pairs to fours, fours to the whole. */
static inline uint64_t scan_value(uint64_t v)
{
    v = (v * 10 + (v >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    v = (v * 100 + (v >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (v * 10000 + (v >> 32)) & UINT32_MAX;
}

/* The first n (0 to 8) of eight digits without the zeros at their end: their value, and how many are left. */
static inline uint64_t scan_tight(uint64_t v, int n, int *kept)
{
    if (n < 8)
        v &= (UINT64_C(1) << 8 * n) - 1;
    if (v == 0) {
        *kept = 0;
        return 0;
    }
    int zeros = __builtin_clzll(v) / 8;
    *kept = 8 - zeros;
    return scan_value(v << 8 * zeros);
}

/* Reads WHOLE.FRACTION of at most seven and eight digits at p into its tight form, as dec_parse would, and returns where
 * it ends. NULL: it is of another form, which does not mean that it is no number, or less than nine bytes follow its point.
 */
static inline const char *dec_scan(const char *p, const char *end, struct dec *out)
{
    static const uint64_t powers[9] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    if (end - p < 8)
        return NULL;
    uint64_t whole = scan_load(p);
    int n = scan_count(whole), kept;
    if (n == 0 || n == 8 || p[n] != '.' || (n > 1 && *p == '0'))
        return NULL;
    p += n + 1;
    if (end - p < 9)
        return NULL;
    whole = scan_value(whole << 8 * (8 - n));
    uint64_t fraction = scan_load(p);
    n = scan_count(fraction);
    if (n == 0 || (n == 8 && (unsigned char)(p[8] - '0') < 10))
        return NULL;
    fraction = scan_tight(fraction, n, &kept);
    uint64_t m = whole * powers[kept] + fraction;
    while (kept <= 0 && m != 0 && m % 10 == 0) {
        m /= 10;
        kept--;
    }
    *out = (struct dec){.m = (int64_t)m, .exp = (int8_t)(m == 0 ? 0 : -kept)};
    return p + n;
}

#endif
