#include "proto/guard.h"

#include <stdbool.h>

/* ---- structure ------------------------------------------------------------------------------------ */

/* One value's head: what follows it directly, and how many values stand inside. */
struct head {
    bool container;
    size_t length;   /* bytes behind the type byte that are the value's own, lengths among them */
    uint64_t inside; /* values in a container */
};

static uint64_t big_endian(const unsigned char *at, size_t bytes)
{
    uint64_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | at[i];
    return n;
}

/* The bytes of the length that follows the type byte, for 0xc4 to 0xdf; 0 where there is none. */
static const unsigned char length_bytes[0x20] = {
    [0xc4 - 0xc0] = 1, [0xc5 - 0xc0] = 2, [0xc6 - 0xc0] = 4, /* bin */
    [0xc7 - 0xc0] = 1, [0xc8 - 0xc0] = 2, [0xc9 - 0xc0] = 4, /* ext */
    [0xd9 - 0xc0] = 1, [0xda - 0xc0] = 2, [0xdb - 0xc0] = 4, /* str */
    [0xdc - 0xc0] = 2, [0xdd - 0xc0] = 4,                    /* array */
    [0xde - 0xc0] = 2, [0xdf - 0xc0] = 4,                    /* map */
};

/* The bytes of a value of fixed size behind the type byte. */
static const unsigned char fixed_bytes[0x20] = {
    [0xca - 0xc0] = 4,  [0xcb - 0xc0] = 8,                                       /* float */
    [0xcc - 0xc0] = 1,  [0xcd - 0xc0] = 2, [0xce - 0xc0] = 4, [0xcf - 0xc0] = 8, /* uint */
    [0xd0 - 0xc0] = 1,  [0xd1 - 0xc0] = 2, [0xd2 - 0xc0] = 4, [0xd3 - 0xc0] = 8, /* int */
    [0xd4 - 0xc0] = 2,  [0xd5 - 0xc0] = 3, [0xd6 - 0xc0] = 5, [0xd7 - 0xc0] = 9,
    [0xd8 - 0xc0] = 17, /* fixext */
};

static enum guard read_long_head(const unsigned char *at, size_t left, struct head *head)
{
    unsigned type = at[0];
    if (type == 0xc1)
        return GUARD_RESERVED;
    size_t width = length_bytes[type - 0xc0];
    if (width == 0) {
        head->length = fixed_bytes[type - 0xc0];
        return GUARD_WHOLE;
    }
    if (left < 1 + width)
        return GUARD_TRUNCATED;
    uint64_t n = big_endian(at + 1, width);
    head->length = width;
    if (type >= 0xdc) {
        head->container = true;
        head->inside = type >= 0xde ? 2 * n : n;
    } else {
        bool extension = type >= 0xc7 && type <= 0xc9; /* its own type byte comes between length and data */
        head->length += n + (extension ? 1 : 0);
    }
    return GUARD_WHOLE;
}

/* left > 0 */
static enum guard read_head(const unsigned char *at, size_t left, struct head *head)
{
    unsigned type = at[0];
    *head = (struct head){0};
    if (type <= 0x7f || type >= 0xe0)
        return GUARD_WHOLE;
    if (type >= 0xc0)
        return read_long_head(at, left, head);
    if (type >= 0xa0) {
        head->length = type & 0x1f;
        return GUARD_WHOLE;
    }
    head->container = true;
    head->inside = type >= 0x90 ? type & 0x0f : 2 * (type & 0x0f);
    return GUARD_WHOLE;
}

enum guard guard_walk(const void *bytes, size_t len, size_t *at)
{
    const unsigned char *start = bytes;
    uint64_t open[GUARD_DEPTH_MAX + 1]; /* values still to come, per open container; open[0] is the root */
    unsigned depth = 0;
    size_t i = 0;
    open[0] = 1;
    for (;;) {
        while (open[depth] == 0 && depth > 0)
            depth--;
        *at = i;
        if (depth == 0 && open[0] == 0)
            return i == len ? GUARD_WHOLE : GUARD_TRAILING;
        if (i == len)
            return GUARD_TRUNCATED;
        struct head head;
        enum guard found = read_head(start + i, len - i, &head);
        if (found != GUARD_WHOLE)
            return found;
        if (head.length > len - i - 1)
            return GUARD_TRUNCATED;
        open[depth]--;
        i += 1 + head.length;
        if (!head.container)
            continue;
        if (head.inside > len - i)
            return GUARD_TRUNCATED;
        if (depth == GUARD_DEPTH_MAX)
            return GUARD_DEEP;
        open[++depth] = head.inside;
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
