/* Times within a venue's messages, moved. A time is a whole number of milliseconds, microseconds or nanoseconds since
 * 1970, bare or in quotes, or "2026-08-01T02:53:53.646219Z"; what is of another form stays as it is. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "venues/emulator/inside.h"

static void put_moved_number(struct words *out, const char *digits, size_t n, int64_t by_ns)
{
    char text[24];
    int64_t unit_ns = n == 13 ? NS_PER_MS : n == 16 ? NS_PER_US : 1;
    memcpy(text, digits, n);
    text[n] = '\0';
    words_add(out, "%" PRId64, (int64_t)strtoll(text, NULL, 10) + by_ns / unit_ns);
}

/* Digits behind the point stay as many as they were. */
static bool put_moved_date(struct words *out, const char *text, size_t len, int64_t by_ns)
{
    struct tm at = {0};
    char copy[40], second[32];
    if (len < 20 || len >= sizeof copy || text[len - 1] != 'Z')
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    const char *rest = strptime(copy, "%Y-%m-%dT%H:%M:%S", &at);
    if (!rest || (*rest != '.' && *rest != 'Z'))
        return false;
    int digits = *rest == '.' ? (int)strspn(rest + 1, "0123456789") : 0;
    int64_t part_ns = 0;
    for (int i = 0; i < 9; i++)
        part_ns = part_ns * 10 + (i < digits ? rest[1 + i] - '0' : 0);
    int64_t ns = timegm(&at) * NS_PER_SEC + part_ns + by_ns;
    time_t whole = ns / NS_PER_SEC;
    struct tm moved;
    if (!gmtime_r(&whole, &moved) || strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &moved) == 0)
        return false;
    char fraction[16];
    (void)snprintf(fraction, sizeof fraction, "%09" PRId64, ns % NS_PER_SEC);
    words_add(out, "%s%s%.*sZ", second, digits ? "." : "", digits > 9 ? 9 : digits, fraction);
    return true;
}

/* The time that begins at `at`, if it is one, in its moved form; its length, or 0. */
static size_t put_moved(struct words *out, const char *at, const char *end, int64_t by_ns)
{
    const char *p = at;
    bool quoted = p < end && *p == '"';
    if (quoted)
        p++;
    const char *stop = p;
    while (stop < end && isdigit((unsigned char)*stop))
        stop++;
    size_t n = (size_t)(stop - p);
    if ((n == 13 || n == 16 || n == 19) && stop < end &&
        (quoted ? *stop == '"' : *stop == ',' || *stop == '}')) {
        words_put(out, at, quoted);
        put_moved_number(out, p, n, by_ns);
        return (size_t)(stop - at);
    }
    const char *close = quoted ? memchr(p, '"', (size_t)(end - p)) : NULL;
    if (!close)
        return 0;
    words_put(out, "\"", 1);
    if (put_moved_date(out, p, (size_t)(close - p), by_ns))
        return (size_t)(close - at);
    out->len--;
    return 0;
}

static size_t key_at(const char *const *keys, const char *text, const char *end)
{
    for (const char *const *key = keys; *key; key++) {
        size_t len = strlen(*key);
        if ((size_t)(end - text) > len + 3 && memcmp(text + 1, *key, len) == 0 && text[len + 1] == '"' &&
            text[len + 2] == ':')
            return len + 3;
    }
    return 0;
}

bool emulator_move_times(const char *const *keys, int64_t by_ns, const char *text, size_t len,
                         struct words *out)
{
    const char *end = text + len, *done = text;
    bool moved = false;
    words_clear(out);
    for (const char *p = text; (p = memchr(p, '"', (size_t)(end - p))) != NULL; p++) {
        size_t skip = key_at(keys, p, end);
        if (skip == 0)
            continue;
        words_put(out, done, (size_t)(p + skip - done));
        done = p + skip;
        size_t taken = put_moved(out, done, end, by_ns);
        done += taken;
        moved |= taken > 0;
        p = done - 1;
    }
    words_put(out, done, (size_t)(end - done));
    return moved && !out->failed;
}
