#include "proto/guard.h"

#include <stdbool.h>

/* ---- structure ------------------------------------------------------------------------------------ */

/* The size of each value whose first byte gives it all: numbers, nil, booleans, short texts, extensions of
 * fixed size. 0: a container, or a length follows. Most values of a message are of these. */
/* clang-format off */
static const unsigned char fixed_size[256] = {
    [0x00 ... 0x7f] = 1, [0xe0 ... 0xff] = 1, [0xc0] = 1, [0xc2] = 1, [0xc3] = 1, /* small ints, nil, bool */
    [0xca] = 5, [0xcb] = 9, [0xcc] = 2, [0xcd] = 3, [0xce] = 5, [0xcf] = 9,       /* float, uint */
    [0xd0] = 2, [0xd1] = 3, [0xd2] = 5, [0xd3] = 9,                               /* int */
    [0xd4] = 3, [0xd5] = 4, [0xd6] = 6, [0xd7] = 10, [0xd8] = 18,                 /* fixext */
    [0xa0] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,               /* fixstr */
    17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};
/* clang-format on */

/* The bytes of the length that follows the first byte, from 0xc0 on. */
static const unsigned char length_width[0x20] = {
    [0xc4 - 0xc0] = 1, [0xc5 - 0xc0] = 2, [0xc6 - 0xc0] = 4, /* bin */
    [0xc7 - 0xc0] = 1, [0xc8 - 0xc0] = 2, [0xc9 - 0xc0] = 4, /* ext */
    [0xd9 - 0xc0] = 1, [0xda - 0xc0] = 2, [0xdb - 0xc0] = 4, /* str */
    [0xdc - 0xc0] = 2, [0xdd - 0xc0] = 4,                    /* array */
    [0xde - 0xc0] = 2, [0xdf - 0xc0] = 4,                    /* map */
};

/* What stands at the head of a value that has no fixed size. */
struct head {
    bool container;
    uint64_t size;   /* bytes of the value itself; of a container, of its head */
    uint64_t inside; /* values in a container */
};

static uint64_t big_endian(const unsigned char *at, size_t bytes)
{
    uint64_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | at[i];
    return n;
}

/* left > 0, and the first byte gives no fixed size. */
static enum guard read_head(const unsigned char *at, size_t left, struct head *head)
{
    unsigned type = at[0];
    if (type < 0xa0) { /* fixarray, fixmap */
        *head = (struct head){true, 1, type >= 0x90 ? type & 0x0f : 2 * (type & 0x0f)};
        return GUARD_WHOLE;
    }
    if (type == 0xc1)
        return GUARD_RESERVED;
    size_t width = length_width[type - 0xc0];
    if (left < 1 + width)
        return GUARD_TRUNCATED;
    uint64_t n = big_endian(at + 1, width);
    bool extension = type >= 0xc7 && type <= 0xc9; /* its own type byte comes between length and data */
    if (type >= 0xdc)
        *head = (struct head){true, 1 + width, type >= 0xde ? 2 * n : n};
    else
        *head = (struct head){false, 1 + width + n + (extension ? 1 : 0), 0};
    return GUARD_WHOLE;
}

enum guard guard_walk(const void *bytes, size_t len, size_t *at)
{
    const unsigned char *start = bytes;
    uint64_t outer[GUARD_DEPTH_MAX]; /* values still to come in the containers around this one */
    uint64_t more = 1;               /* values still to come in this one; first, the message itself */
    unsigned depth = 0;
    size_t i = 0;
    struct head head;
    for (;;) {
        while (more == 0 && depth > 0)
            more = outer[--depth];
        *at = i;
        if (more == 0)
            return i == len ? GUARD_WHOLE : GUARD_TRAILING;
        if (i == len)
            return GUARD_TRUNCATED;
        more--;
        size_t fixed = fixed_size[start[i]];
        if (fixed) {
            if (fixed > len - i)
                return GUARD_TRUNCATED;
            i += fixed;
            continue;
        }
        enum guard found = read_head(start + i, len - i, &head);
        if (found != GUARD_WHOLE)
            return found;
        if (head.size > len - i || head.inside > len - i - head.size)
            return GUARD_TRUNCATED;
        i += head.size;
        if (!head.container)
            continue;
        if (depth == GUARD_DEPTH_MAX)
            return GUARD_DEEP;
        outer[depth++] = more;
        more = head.inside;
    }
}

/* ---- text ----------------------------------------------------------------------------------------- */

/* The length of the UTF-8 character at `at`, or 0 where there is none: overlong forms, surrogates and
 * numbers above U+10FFFF are none. */
static size_t character_length(const unsigned char *at, size_t left)
{
    unsigned lead = at[0];
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || left < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (lead == 0xe0 && at[1] < 0xa0) || (lead == 0xf0 && at[1] < 0x90);
    bool surrogate = lead == 0xed && at[1] > 0x9f;
    bool too_high = lead == 0xf4 && at[1] > 0x8f;
    return overlong || surrogate || too_high ? 0 : length;
}

size_t guard_text(const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t i = 0;
    while (i < len) {
        size_t length = at[i] - 1u < 0x7f ? 1 : at[i] == 0 ? 0 : character_length(at + i, len - i);
        if (length == 0)
            break;
        i += length;
    }
    return i;
}
