/* Text of decimals and amounts. Digits are made from the right into a scratch, then laid out around the
 * point, so that nothing is ever divided twice or rounded. */
#include "proto/number.h"

#include <string.h>

__extension__ typedef unsigned __int128 u128;

enum { DIGITS_MAX = 39 };

/* Digits of v, most significant first, at least one. Returns how many. */
static int digits_of(u128 v, char digits[DIGITS_MAX])
{
    char reversed[DIGITS_MAX];
    int n = 0;
    for (; v > UINT64_MAX; v /= 10) {
        reversed[n++] = (char)('0' + (int)(v % 10));
    }
    uint64_t low = (uint64_t)v;
    do {
        reversed[n++] = (char)('0' + (int)(low % 10));
        low /= 10;
    } while (low != 0);
    for (int i = 0; i < n; i++) {
        digits[i] = reversed[n - 1 - i];
    }
    return n;
}

/* Keeps the text exact, and readable by dec_parse, where the plain form would not fit. */
static size_t scientific(bool negative, const char *digits, int n, int exp, char *text)
{
    char *p = text;
    if (negative) {
        *p++ = '-';
    }
    memcpy(p, digits, (size_t)n);
    p += n;
    *p++ = 'E';
    if (exp < 0) {
        *p++ = '-';
        exp = -exp;
    }
    char e[DIGITS_MAX];
    int e_n = digits_of((u128)exp, e);
    memcpy(p, e, (size_t)e_n);
    p += e_n;
    *p = '\0';
    return (size_t)(p - text);
}

static size_t lay_out(bool negative, u128 magnitude, int exp, char *text, size_t cap)
{
    char digits[DIGITS_MAX];
    int n = digits_of(magnitude, digits);
    if (magnitude == 0) {
        exp = 0;
    }
    while (exp < 0 && n > 1 && digits[n - 1] == '0') {
        n--;
        exp++;
    }
    int whole = n + exp; /* digits before the point; zero or less: all are behind it */
    int length = (int)negative + (exp >= 0 ? whole : whole > 0 ? n + 1 : 2 - whole + n);
    if ((size_t)length >= cap) {
        return scientific(negative, digits, n, exp, text);
    }
    char *p = text;
    if (negative) {
        *p++ = '-';
    }
    if (exp >= 0) {
        memcpy(p, digits, (size_t)n);
        memset(p + n, '0', (size_t)exp);
        p += whole;
    } else if (whole > 0) {
        memcpy(p, digits, (size_t)whole);
        p[whole] = '.';
        memcpy(p + whole + 1, digits + whole, (size_t)(n - whole));
        p += n + 1;
    } else {
        *p++ = '0';
        *p++ = '.';
        memset(p, '0', (size_t)-whole);
        memcpy(p - whole, digits, (size_t)n);
        p += n - whole;
    }
    *p = '\0';
    return (size_t)(p - text);
}

size_t dec_format(struct dec v, char text[DEC_TEXT_MAX])
{
    uint64_t magnitude = v.m < 0 ? 0 - (uint64_t)v.m : (uint64_t)v.m;
    return lay_out(v.m < 0, magnitude, v.exp, text, DEC_TEXT_MAX);
}

size_t money_format(money v, char text[MONEY_TEXT_MAX])
{
    u128 magnitude = v < 0 ? 0 - (u128)v : (u128)v;
    return lay_out(v < 0, magnitude, MONEY_EXP, text, MONEY_TEXT_MAX);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool append_digit(u128 *v, int digit)
{
    return !__builtin_mul_overflow(*v, (u128)10, v) && !__builtin_add_overflow(*v, (u128)digit, v);
}

bool money_parse(const char *text, size_t len, money *out)
{
    const char *p = text, *end = text + len;
    bool negative = p < end && *p == '-';
    p += negative;
    u128 v = 0;
    int behind = 0;
    if (p == end || !is_digit(*p)) {
        return false;
    }
    for (; p < end && is_digit(*p); p++) {
        if (!append_digit(&v, *p - '0')) {
            return false;
        }
    }
    if (p < end && *p == '.') {
        for (p++; p < end && is_digit(*p); p++) {
            if (++behind > -MONEY_EXP || !append_digit(&v, *p - '0')) {
                return false;
            }
        }
        if (behind == 0) {
            return false;
        }
    }
    for (; behind < -MONEY_EXP; behind++) {
        if (!append_digit(&v, 0)) {
            return false;
        }
    }
    const u128 limit = ((u128)1 << 127) - !negative; /* the negative side reaches one further */
    if (p != end || v > limit) {
        return false;
    }
    *out = negative ? (money)(0 - v) : (money)v;
    return true;
}
