/* Values out of JSON nodes. */
#include "lib/base/json.h"

#include <string.h>

#include "lib/base/decimal.h"

bool json_is(const struct json_node *node, const char *text)
{
    return node != NULL && node->kind == JSON_STRING && strlen(text) == node->len &&
           memcmp(node->text, text, node->len) == 0;
}

static int numeric(const struct json_node *node)
{
    if (node == NULL) {
        return E_ABSENT;
    }
    return node->kind == JSON_NUMBER || node->kind == JSON_STRING ? OK : E_TYPE;
}

int json_dec(const struct json_node *node, struct dec *out)
{
    int status = numeric(node);
    return status == OK ? dec_parse(node->text, node->len, out) : status;
}

/* A whole number's sign and magnitude. Plain digits need no decimal, and reach to 2^64 - 1; any other form
 * of a whole number ("1.0", "1E3") is read as one. */
static int whole(const struct json_node *node, bool *negative, uint64_t *magnitude)
{
    int status = numeric(node);
    if (status != OK) {
        return status;
    }
    const char *p = node->text, *end = p + node->len;
    uint64_t v = 0;
    *negative = p < end && *p == '-';
    p += *negative;
    bool plain = p < end && (*p != '0' || end - p == 1);
    for (; plain && p < end; p++) {
        plain = *p >= '0' && *p <= '9';
        if (plain && (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
                      __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))) {
            plain = false;
        }
    }
    if (plain) {
        *magnitude = v;
        return OK;
    }
    struct dec d;
    int64_t m;
    status = dec_parse(node->text, node->len, &d);
    if (status == OK) {
        status = dec_mantissa(d, 0, ROUND_EXACT, &m);
    }
    if (status != OK) {
        return status == E_INEXACT ? E_SYNTAX : status;
    }
    *negative = m < 0;
    *magnitude = m < 0 ? 0 - (uint64_t)m : (uint64_t)m;
    return OK;
}

int json_u64(const struct json_node *node, uint64_t *out)
{
    bool negative;
    uint64_t magnitude;
    int status = whole(node, &negative, &magnitude);
    if (status != OK) {
        return status;
    }
    if (negative && magnitude != 0) {
        return E_RANGE;
    }
    *out = magnitude;
    return OK;
}

int json_i64(const struct json_node *node, int64_t *out)
{
    bool negative;
    uint64_t magnitude;
    int status = whole(node, &negative, &magnitude);
    if (status != OK) {
        return status;
    }
    if (magnitude > (uint64_t)INT64_MAX + negative) {
        return E_RANGE;
    }
    *out = (int64_t)(negative ? 0 - magnitude : magnitude);
    return OK;
}

/* The four hex digits at p, or -1. */
static int hex4(const char *p, const char *end)
{
    int v = 0;
    if (end - p < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            return -1;
        }
        v = v * 16 + digit;
    }
    return v;
}

/* Writes a code point as UTF-8; returns its length. */
static int utf8(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    int tail = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    for (int i = tail; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    out[0] = (char)(lead[tail] | c);
    return tail + 1;
}

/* Reads the code point of \uXXXX or of a surrogate pair of them; *p stands behind the 'u'. */
static bool code_point(const char **p, const char *end, uint32_t *out)
{
    int high = hex4(*p, end);
    if (high < 0 || (high >= 0xdc00 && high < 0xe000)) {
        return false;
    }
    *p += 4;
    *out = (uint32_t)high;
    if (high < 0xd800 || high >= 0xe000) {
        return true;
    }
    if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u') {
        return false;
    }
    int low = hex4(*p + 2, end);
    if (low < 0xdc00 || low >= 0xe000) {
        return false;
    }
    *p += 6;
    *out = 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
    return true;
}

/* The bytes of the escape at *p, which stands behind the backslash: how many, or 0 when it is none. */
static int escape(const char **p, const char *end, char out[4])
{
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    if (*p == end) {
        return 0;
    }
    char c = *(*p)++;
    if (c == 'u') {
        uint32_t point;
        return code_point(p, end, &point) ? utf8(point, out) : 0;
    }
    const char *name = memchr(names, c, sizeof names - 1);
    if (name == NULL) {
        return 0;
    }
    out[0] = bytes[name - names];
    return 1;
}

int json_unescape(const struct json_node *node, char *out, size_t cap)
{
    if (node == NULL) {
        return E_ABSENT;
    }
    if (node->kind != JSON_STRING) {
        return E_TYPE;
    }
    const char *p = node->text, *end = p + node->len;
    size_t len = 0;
    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((slash != NULL ? slash : end) - p);
        if (plain > cap - len) {
            return E_RANGE;
        }
        memcpy(out + len, p, plain);
        len += plain;
        p += plain;
        if (slash != NULL) {
            char bytes[4];
            p++;
            int n = escape(&p, end, bytes);
            if (n == 0) {
                return E_SYNTAX;
            }
            if ((size_t)n > cap - len) {
                return E_RANGE;
            }
            memcpy(out + len, bytes, (size_t)n);
            len += (size_t)n;
        }
    }
    return (int)len;
}

int json_text(const struct json_node *node, char *out, size_t cap)
{
    if (node == NULL) {
        return E_ABSENT;
    }
    if (node->kind != JSON_STRING) {
        return E_TYPE;
    }
    if (memchr(node->text, '\\', node->len) != NULL) {
        return E_SYNTAX;
    }
    if (node->len >= cap) {
        return E_RANGE;
    }
    memcpy(out, node->text, node->len);
    memset(out + node->len, 0, cap - node->len);
    return OK;
}
