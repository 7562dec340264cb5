/* Postgres' binary NUMERIC: groups of four digits to the base 10,000, the first of them standing for 10000^weight, and
 * how many digits are shown behind the point. From the decimal's own digits, or from the number as it stands in a message,
 * which is what nearly all are made from. */
#include <string.h>

#include "services/recorder/store_internal.h"

enum { GROUP = 4, BASE = 10000, NEGATIVE = 0x4000, GROUPS_MAX = 12 };

__extension__ typedef unsigned __int128 u128;

static unsigned char *put16(unsigned char *at, int value)
{
    at[0] = (unsigned char)((value >> 8) & 0xff);
    at[1] = (unsigned char)(value & 0xff);
    return at + 2;
}

/* The digit at a power of ten; 0 where the text has none. `point`: how many digits stand before the point. */
static int digit_at(const char *digits, int whole, int fraction, int power)
{
    if (power >= whole || power < -fraction)
        return 0;
    int i = whole - 1 - power;
    return digits[i < whole ? i : i + 1] - '0'; /* behind the whole ones stands the point */
}

/* floor(power / GROUP) */
static int group_of(int power)
{
    return power >= 0 ? power / GROUP : -((-power + GROUP - 1) / GROUP);
}

static int group_value(const char *digits, int whole, int fraction, int group)
{
    int value = 0;
    for (int i = GROUP - 1; i >= 0; i--)
        value = value * 10 + digit_at(digits, whole, fraction, group * GROUP + i);
    return value;
}

size_t numeric_binary(const char *text, size_t len, unsigned char out[NUMERIC_BYTES_MAX])
{
    bool negative = len > 0 && *text == '-';
    const char *digits = text + negative;
    int whole = 0, fraction = 0, left = (int)len - negative;
    while (whole < left && digits[whole] >= '0' && digits[whole] <= '9')
        whole++;
    if (whole < left && digits[whole] == '.')
        while (whole + 1 + fraction < left && digits[whole + 1 + fraction] >= '0' &&
               digits[whole + 1 + fraction] <= '9')
            fraction++;
    if (whole == 0 || left != whole + (fraction ? fraction + 1 : 0) || len >= DEC_TEXT_MAX)
        return 0;
    int first = group_of(whole - 1), last = fraction ? group_of(-fraction) : 0;
    while (first >= last && group_value(digits, whole, fraction, first) == 0)
        first--;
    while (last <= first && group_value(digits, whole, fraction, last) == 0)
        last++;
    int groups = first - last + 1;
    unsigned char *at = put16(out, groups);
    at = put16(at, groups ? first : 0);
    at = put16(at, negative && groups ? NEGATIVE : 0);
    at = put16(at, fraction);
    for (int g = first; g >= last && groups > 0; g--)
        at = put16(at, group_value(digits, whole, fraction, g));
    return (size_t)(at - out);
}

size_t numeric_text(const struct cell *cell, char out[DEC_TEXT_MAX])
{
    _Static_assert((int)MONEY_TEXT_MAX == (int)DEC_TEXT_MAX, "an amount's text has the room of a decimal's");
    if (cell->amount >= INT64_MIN && cell->amount <= INT64_MAX)
        return dec_format((struct dec){(int64_t)cell->amount, (int8_t)cell->exp}, out);
    return money_format(cell->amount, out);
}

/* Groups of v, the least significant first. */
static int groups_of(u128 v, uint16_t group[GROUPS_MAX])
{
    int n = 0;
    for (; v > UINT64_MAX; v /= BASE)
        group[n++] = (uint16_t)(v % BASE);
    for (uint64_t low = (uint64_t)v; low > 0; low /= BASE)
        group[n++] = (uint16_t)(low % BASE);
    return n;
}

/* Digits shown behind the point, of which the least significant group that is not 0 stands for BASE^group. */
static int scale_of(uint16_t value, int group)
{
    int digits = group < 0 ? -group * GROUP : 0;
    for (; digits > 0 && value % 10 == 0; value /= 10)
        digits--;
    return digits;
}

size_t numeric_cell_binary(const struct cell *cell, unsigned char out[NUMERIC_BYTES_MAX])
{
    static const uint16_t tens[GROUP] = {1, 10, 100, 1000};
    const bool negative = cell->amount < 0;
    u128 magnitude = negative ? 0 - (u128)cell->amount : (u128)cell->amount;
    uint16_t group[GROUPS_MAX];
    const int weight = group_of(cell->exp); /* of the least significant group */
    if (magnitude > (u128)1 << 117) {       /* no room to be multiplied by 1000 */
        char text[DEC_TEXT_MAX];
        const size_t len = numeric_text(cell, text);
        return numeric_binary(text, len, out);
    }
    const int n = groups_of(magnitude * tens[cell->exp - weight * GROUP], group);
    int least = 0;
    while (least < n && group[least] == 0)
        least++;
    unsigned char *at = put16(out, n - least);
    at = put16(at, n > 0 ? weight + n - 1 : 0);
    at = put16(at, negative ? NEGATIVE : 0);
    at = put16(at, n > 0 ? scale_of(group[least], weight + least) : 0);
    for (int g = n - 1; g >= least; g--)
        at = put16(at, group[g]);
    return (size_t)(at - out);
}
