/* Postgres' binary NUMERIC, from the decimal's own digits: groups of four digits to the base 10,000, the first of them
 * standing for 10000^weight, and how many digits are shown behind the point. */
#include <string.h>

#include "services/recorder/store_internal.h"

enum { GROUP = 4, HEADER = 8, NEGATIVE = 0x4000 };

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
