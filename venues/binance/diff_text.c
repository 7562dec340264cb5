#include "venues/binance/diff_text.h"

#include "lib/base/decimal_scan.h"

/* Where reading is; p is NULL when the text was of another form. */
struct cursor {
    const char *p, *end;
};

#define TAKE(c, literal) take(c, literal, sizeof(literal) - 1)

static inline bool take(struct cursor *c, const char *literal, size_t len)
{
    if ((size_t)(c->end - c->p) < len || memcmp(c->p, literal, len) != 0)
        return false;
    c->p += len;
    return true;
}

/* A whole number of at most 18 digits, as JSON writes it. */
static bool take_whole(struct cursor *c, uint64_t *out)
{
    const char *first = c->p;
    uint64_t v = 0;
    for (; c->p < c->end && (unsigned char)(*c->p - '0') < 10 && c->p - first < 18; c->p++)
        v = v * 10 + (uint64_t)(*c->p - '0');
    *out = v;
    return c->p > first && (*first != '0' || c->p - first == 1) &&
           (c->p == c->end || (unsigned char)(*c->p - '0') >= 10);
}

static bool is_name(char ch)
{
    return (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '_' ||
           ch == '@';
}

/* Letters, digits, '_' and '@' up to the closing quote, which is taken too. */
static bool take_name(struct cursor *c, const char **name, size_t *len)
{
    *name = c->p;
    while (c->p < c->end && is_name(*c->p))
        c->p++;
    *len = (size_t)(c->p - *name);
    return *len > 0 && TAKE(c, "\"");
}

enum { NEAR_END = 24 }; /* dec_scan may look as far as this */

/* The last numbers of a message are read from a copy, for dec_scan looks at bytes behind them. */
static bool take_last_number(struct cursor *c, struct dec *out)
{
    char copy[2 * NEAR_END] = {0};
    memcpy(copy, c->p, (size_t)(c->end - c->p));
    const char *p = dec_scan(copy, copy + sizeof copy, out);
    if (!p || p - copy > c->end - c->p)
        return false;
    c->p += p - copy;
    return true;
}

static inline bool take_number(struct cursor *c, struct dec *out)
{
    if (c->end - c->p < NEAR_END)
        return take_last_number(c, out);
    const char *p = dec_scan(c->p, c->end, out);
    if (p)
        c->p = p;
    return p != NULL;
}

static inline bool take_level(struct cursor *c, enum side side, struct l2_change *change)
{
    if (!TAKE(c, "[\"") || !take_number(c, &change->price) || change->price.m <= 0 || !TAKE(c, "\",\"") ||
        !take_number(c, &change->qty))
        return false;
    change->side = side;
    return TAKE(c, "\"]");
}

static bool take_side(struct cursor *c, enum side side, struct diff_text *out, struct l2_change *changes,
                      uint32_t cap)
{
    if (!TAKE(c, "["))
        return false;
    if (TAKE(c, "]"))
        return true;
    do {
        if (out->n_changes == cap || !take_level(c, side, &changes[out->n_changes]))
            return false;
        out->n_changes++;
    } while (TAKE(c, ","));
    return TAKE(c, "]");
}

static bool take_head(struct cursor *c, struct diff_text *out)
{
    uint64_t time, matched;
    const char *pair;
    size_t pair_len;
    if (!TAKE(c, "{\"e\":\"depthUpdate\",\"E\":") || !take_whole(c, &time) ||
        (TAKE(c, ",\"T\":") && !take_whole(c, &matched)) || !TAKE(c, ",\"s\":\"") ||
        !take_name(c, &out->symbol, &out->symbol_len))
        return false;
    out->time = (int64_t)time;
    return !TAKE(c, ",\"ps\":\"") || take_name(c, &pair, &pair_len);
}

static bool take_ids(struct cursor *c, bool chained, struct diff_ids *ids)
{
    ids->previous = 0;
    if (!TAKE(c, ",\"U\":") || !take_whole(c, &ids->first) || !TAKE(c, ",\"u\":") ||
        !take_whole(c, &ids->last))
        return false;
    if (TAKE(c, ",\"pu\":"))
        return take_whole(c, &ids->previous) && ids->first <= ids->last;
    return !chained && ids->first <= ids->last;
}

bool diff_text_read(const char *text, size_t len, bool chained, struct diff_text *out,
                    struct l2_change *changes, uint32_t cap)
{
    struct cursor c = {text, text + len};
    const char *stream;
    size_t stream_len;
    bool wrapped = TAKE(&c, "{\"stream\":\"");
    out->n_changes = 0;
    if (wrapped && (!take_name(&c, &stream, &stream_len) || !TAKE(&c, ",\"data\":")))
        return false;
    return take_head(&c, out) && take_ids(&c, chained, &out->ids) && TAKE(&c, ",\"b\":") &&
           take_side(&c, SIDE_BUY, out, changes, cap) && TAKE(&c, ",\"a\":") &&
           take_side(&c, SIDE_SELL, out, changes, cap) && TAKE(&c, "}") && (!wrapped || TAKE(&c, "}")) &&
           c.p == c.end;
}
