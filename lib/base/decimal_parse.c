/* Decimals from text: a grammar, and digits gathered into 64 bits. Texts of up to 19 digits, which is what
 * venues send, cannot overflow and are gathered without looking; longer ones are gathered with every step
 * checked. The plain form that nearly all prices and sizes have, digits with or without a point, goes before.
 */
#include "lib/base/decimal.h"
#include "lib/base/decimal_scan.h"

enum { UNCHECKED_DIGITS = 19 };

/* The parts of -WHOLE.BEHIND as ranges of the text. */
struct parts {
    const char *whole, *whole_end;
    const char *behind, *behind_end;
};

/* A number of nonzero last digit: m * 10^exp; 0 is {0, 0}. */
struct digits {
    uint64_t m;
    int64_t exp;
};

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* ---- the plain form ---------------------------------------------------------------------------------- */

/* Whole digits and `behind` behind the point, the last of which is not 0; a 0 behind the point stands for
 * none. */
static struct dec tight(uint64_t m, int behind)
{
    while (behind <= 0 && m != 0 && m % 10 == 0 && behind > -DEC_EXP_MAX) {
        m /= 10;
        behind--;
    }
    return (struct dec){.m = (int64_t)m, .exp = (int8_t)(m == 0 ? 0 : -behind)};
}

/* False: not of this form, which does not mean that it is no number. */
static bool read_plain(const char *text, size_t len, struct dec *out)
{
    static const uint64_t powers[9] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    const char *p = text, *end = text + len;
    uint64_t m = 0;
    int kept;
    if (len == 0 || len >= UNCHECKED_DIGITS)
        return false;
    for (; p < end && is_digit(*p); p++)
        m = m * 10 + (uint64_t)(*p - '0');
    if (p == text || (*text == '0' && p - text > 1))
        return false;
    if (p == end) {
        *out = tight(m, 0);
        return true;
    }
    if (*p++ != '.' || p == end)
        return false;
    if (end - p == 8) {
        uint64_t eight = scan_load(p);
        if (scan_count(eight) != 8)
            return false;
        eight = scan_tight(eight, 8, &kept);
        *out = tight(m * powers[kept] + eight, kept);
        return true;
    }
    while (end[-1] == '0')
        end--;
    const char *behind = p;
    for (; p < end && is_digit(*p); p++)
        m = m * 10 + (uint64_t)(*p - '0');
    if (p < end)
        return false;
    *out = tight(m, (int)(end - behind));
    return true;
}

/* ---- any form ---------------------------------------------------------------------------------------- */

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && is_digit(*p)) {
        p++;
    }
    return p;
}

/* Returns where the digits end, NULL when they are not of the form 0|[1-9]d*[.d+]. */
static const char *find_parts(const char *p, const char *end, struct parts *parts)
{
    parts->whole = p;
    p = skip_digits(p, end);
    parts->whole_end = p;
    parts->behind = parts->behind_end = p;
    if (p == parts->whole || (*parts->whole == '0' && p - parts->whole > 1)) {
        return NULL;
    }
    if (p < end && *p == '.') {
        parts->behind = ++p;
        p = skip_digits(p, end);
        parts->behind_end = p;
        if (p == parts->behind) {
            return NULL;
        }
    }
    return p;
}

/* `tight` is the number as it stood at its last nonzero digit. */
static uint64_t gather_unchecked(const char *p, const char *end, int64_t exp, uint64_t m,
                                 struct digits *tight)
{
    for (; p < end; p++) {
        m = m * 10 + (uint64_t)(*p - '0');
        exp--;
        if (*p != '0') {
            *tight = (struct digits){m, exp};
        }
    }
    return m;
}

/* The same; zeros wait until a digit follows them, so that trailing ones, however many, cost no range. */
static bool gather_checked(const char *p, const char *end, int64_t exp, int64_t *zeros, struct digits *tight)
{
    for (; p < end; p++) {
        exp--;
        if (*p == '0') {
            *zeros += tight->m != 0;
            continue;
        }
        for (++*zeros; *zeros > 0; --*zeros) {
            if (__builtin_mul_overflow(tight->m, UINT64_C(10), &tight->m)) {
                return false;
            }
        }
        if (__builtin_add_overflow(tight->m, (uint64_t)(*p - '0'), &tight->m)) {
            return false;
        }
        tight->exp = exp;
    }
    return true;
}

static bool gather(const struct parts *parts, struct digits *tight)
{
    int64_t whole = parts->whole_end - parts->whole, behind = parts->behind_end - parts->behind;
    *tight = (struct digits){0};
    if (whole + behind <= UNCHECKED_DIGITS) {
        uint64_t m = gather_unchecked(parts->whole, parts->whole_end, whole, 0, tight);
        gather_unchecked(parts->behind, parts->behind_end, 0, m, tight);
        return true;
    }
    int64_t zeros = 0;
    return gather_checked(parts->whole, parts->whole_end, whole, &zeros, tight) &&
           gather_checked(parts->behind, parts->behind_end, 0, &zeros, tight);
}

/* Adds [+-]d+ to *exp; what is far outside the accepted exponents stays at a bound. */
static const char *read_exponent(const char *p, const char *end, int64_t *exp)
{
    const int64_t bound = INT64_C(1) << 40;
    bool negative = p < end && *p == '-';
    int64_t value = 0;
    p += p < end && (*p == '-' || *p == '+');
    const char *first = p;
    for (; p < end && is_digit(*p); p++) {
        value = value < bound ? value * 10 + (*p - '0') : bound;
    }
    *exp += negative ? -value : value;
    return p > first ? p : NULL;
}

int dec_parse(const char *text, size_t len, struct dec *out)
{
    if (read_plain(text, len, out)) {
        return OK;
    }
    const char *end = text + len;
    bool negative = len > 0 && *text == '-';
    struct parts parts;
    struct digits tight;
    int64_t exp = 0;
    const char *p = find_parts(text + negative, end, &parts);
    if (p != NULL && p < end && (*p == 'e' || *p == 'E')) {
        p = read_exponent(p + 1, end, &exp);
    }
    if (p != end || p == NULL) {
        return E_SYNTAX;
    }
    if (!gather(&parts, &tight)) {
        return E_RANGE; /* and tight.m may have wrapped */
    }
    if (tight.m == 0) {
        *out = (struct dec){0};
        return OK;
    }
    bool fits = true;
    exp += tight.exp;
    for (; fits && exp > DEC_EXP_MAX; exp--) {
        fits = !__builtin_mul_overflow(tight.m, UINT64_C(10), &tight.m);
    }
    if (!fits || exp < DEC_EXP_MIN || tight.m > (uint64_t)INT64_MAX + negative) {
        return E_RANGE;
    }
    *out = (struct dec){.m = (int64_t)(negative ? 0 - tight.m : tight.m), .exp = (int8_t)exp};
    return OK;
}
