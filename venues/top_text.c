#include "venues/top_text.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS = 2 * TOP_TEXT_DEPTH_MAX }; /* a side's texts of before and of now */

struct slot {
    int64_t price, qty; /* mantissas at the exponents of the book */
    uint32_t len;
    char text[TOP_TEXT_LEVEL_MAX];
};

/* Texts in the order of the levels, best first; a slot is free when `order` does not name it. */
struct side_text {
    struct slot slots[SLOTS];
    uint8_t order[TOP_TEXT_DEPTH_MAX];
    uint32_t n;
};

/* A level whose text is not of the usual form. */
struct odd {
    struct dec price; /* tight */
    enum side side;
    uint32_t len;
    char text[TOP_TEXT_LEVEL_MAX];
};

struct top_text {
    enum top_text_form form;
    uint32_t depth;
    int behind[2];          /* TEXT_DIGITS: digits behind the point of prices and sizes; -1 = not known */
    int price_exp, qty_exp; /* of the texts */
    struct side_text sides[2];
    struct odd *odd;
    uint32_t n_odd, odd_cap;
};

enum { BEHIND_UNKNOWN = -1 };

struct top_text *top_text_new(enum top_text_form form, uint32_t depth)
{
    struct top_text *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->form = form;
    self->depth = depth < TOP_TEXT_DEPTH_MAX ? depth : TOP_TEXT_DEPTH_MAX;
    top_text_clear(self);
    return self;
}

void top_text_destroy(struct top_text **self)
{
    if (!*self)
        return;
    free((*self)->odd);
    free(*self);
    *self = NULL;
}

static void forget_texts(struct top_text *self)
{
    self->sides[0].n = self->sides[1].n = 0;
}

void top_text_clear(struct top_text *self)
{
    self->behind[0] = self->behind[1] = BEHIND_UNKNOWN;
    self->n_odd = 0;
    forget_texts(self);
}

/* ---- forms ------------------------------------------------------------------------------------------ */

/* How a number is written; it is known to be one. */
struct written {
    int behind; /* digits behind the point */
    bool exponent;
};

static struct written how(const struct top_word *word)
{
    struct written w = {0, false};
    const char *p = word->text, *end = p + word->len;
    while (p < end && *p != '.' && *p <= '9')
        p++;
    const char *behind = p < end && *p == '.' ? ++p : p;
    while (p < end && *p <= '9')
        p++;
    w.behind = (int)(p - behind);
    w.exponent = p < end;
    return w;
}

static bool is_shortest(const struct top_word *word)
{
    struct written w = how(word);
    return !w.exponent && (w.behind == 0 || word->text[word->len - 1] != '0');
}

/* A number with an exponent says nothing of its digits: it is taken as one of the usual form. More digits
 * behind the point than any number has here are never usual. */
static bool is_fixed(const struct top_word *word, int *behind)
{
    struct written w = how(word);
    if (w.exponent)
        return true;
    if (w.behind > -DEC_EXP_MIN)
        return false;
    if (*behind == BEHIND_UNKNOWN)
        *behind = w.behind;
    return w.behind == *behind;
}

static bool is_usual(struct top_text *self, const struct top_word *price, const struct top_word *qty)
{
    if (self->form == TEXT_SHORTEST)
        return is_shortest(price) && is_shortest(qty);
    bool usual = is_fixed(price, &self->behind[0]);
    return is_fixed(qty, &self->behind[1]) && usual;
}

/* ---- levels that are written otherwise -------------------------------------------------------------- */

static struct odd *find_odd(const struct top_text *self, enum side side, struct dec price)
{
    for (uint32_t i = 0; i < self->n_odd; i++) {
        struct odd *odd = &self->odd[i];
        if (odd->side == side && odd->price.m == price.m && odd->price.exp == price.exp)
            return odd;
    }
    return NULL;
}

static struct odd *add_odd(struct top_text *self)
{
    if (self->n_odd == self->odd_cap) {
        uint32_t cap = self->odd_cap ? self->odd_cap * 2 : 16;
        struct odd *grown = realloc(self->odd, cap * sizeof *grown);
        if (!grown)
            return NULL;
        self->odd = grown;
        self->odd_cap = cap;
    }
    return &self->odd[self->n_odd++];
}

static void put_word(struct odd *odd, enum top_text_form form, const struct top_word *word)
{
    bool leads = true;
    if (form == TEXT_SHORTEST) {
        memcpy(odd->text + odd->len, word->text, word->len);
        odd->len += (uint32_t)word->len;
        return;
    }
    for (size_t i = 0; i < word->len; i++) {
        char c = word->text[i];
        leads = leads && (c == '0' || c == '.');
        if (c != '.' && !leads)
            odd->text[odd->len++] = c;
    }
}

int top_text_note(struct top_text *self, enum side side, const struct top_word *price,
                  const struct top_word *qty)
{
    bool usual = qty->value.m == 0 || is_usual(self, price, qty);
    if (usual && self->n_odd == 0)
        return OK;
    struct dec tight = dec_tight(price->value);
    struct odd *odd = find_odd(self, side, tight);
    if (usual && !odd)
        return OK;
    forget_texts(self);
    if (usual) {
        *odd = self->odd[--self->n_odd];
        return OK;
    }
    if (price->len + qty->len + 1 > TOP_TEXT_LEVEL_MAX)
        return E_RANGE;
    if (!odd && !(odd = add_odd(self)))
        return E_FULL;
    *odd = (struct odd){.price = tight, .side = side};
    put_word(odd, self->form, price);
    if (self->form == TEXT_SHORTEST)
        odd->text[odd->len++] = ':';
    put_word(odd, self->form, qty);
    return OK;
}

/* ---- texts of levels -------------------------------------------------------------------------------- */

static uint32_t put_shortest(struct dec v, char *out)
{
    char text[DEC_TEXT_MAX];
    size_t len = dec_format(v, text);
    memcpy(out, text, len);
    return (uint32_t)len;
}

/* At most 19 digits, and as many zeros as lie between the greatest exponent and the last digit behind the
 * point. */
static uint32_t put_digits(struct dec v, int behind, char *out)
{
    char reversed[20];
    uint32_t n = 0, len = 0;
    v = dec_tight(v);
    for (int64_t m = v.m; m > 0; m /= 10)
        reversed[n++] = (char)('0' + m % 10);
    while (n > 0)
        out[len++] = reversed[--n];
    for (int zeros = v.exp + behind; behind != BEHIND_UNKNOWN && zeros > 0; zeros--)
        out[len++] = '0';
    return len;
}

static void write_slot(const struct top_text *self, enum side side, struct slot *slot)
{
    struct dec price = {slot->price, (int8_t)self->price_exp}, qty = {slot->qty, (int8_t)self->qty_exp};
    const struct odd *odd = self->n_odd > 0 ? find_odd(self, side, dec_tight(price)) : NULL;
    if (odd) {
        memcpy(slot->text, odd->text, odd->len);
        slot->len = odd->len;
        return;
    }
    if (self->form == TEXT_DIGITS) {
        slot->len = put_digits(price, self->behind[0], slot->text);
        slot->len += put_digits(qty, self->behind[1], slot->text + slot->len);
        return;
    }
    slot->len = put_shortest(price, slot->text);
    slot->text[slot->len++] = ':';
    slot->len += put_shortest(qty, slot->text + slot->len);
}

/* ---- following the book ----------------------------------------------------------------------------- */

/* What is as it was keeps its slot. Both the texts and the levels stand best first. */
static void follow_side(struct top_text *self, enum side side, const struct level *levels, uint32_t n)
{
    struct side_text *texts = &self->sides[side == SIDE_SELL];
    uint64_t used = 0;
    uint8_t order[TOP_TEXT_DEPTH_MAX];
    uint32_t old = 0;
    for (uint32_t i = 0; i < texts->n; i++)
        used |= UINT64_C(1) << texts->order[i];
    for (uint32_t i = 0; i < n; i++) {
        int64_t price = levels[i].price;
        while (old < texts->n && (side == SIDE_SELL ? texts->slots[texts->order[old]].price < price
                                                    : texts->slots[texts->order[old]].price > price))
            old++;
        struct slot *held = old < texts->n ? &texts->slots[texts->order[old]] : NULL;
        if (held && held->price == price && held->qty == levels[i].qty) {
            order[i] = texts->order[old];
            continue;
        }
        order[i] = (uint8_t)__builtin_ctzll(~used);
        used |= UINT64_C(1) << order[i];
        struct slot *slot = &texts->slots[order[i]];
        slot->price = price;
        slot->qty = levels[i].qty;
        write_slot(self, side, slot);
    }
    memcpy(texts->order, order, n);
    texts->n = n;
}

void top_text_follow(struct top_text *self, const struct l2_book *book)
{
    struct book top;
    l2_book_top(book, self->depth, &top);
    if (top.price_exp != self->price_exp || top.qty_exp != self->qty_exp)
        forget_texts(self);
    self->price_exp = top.price_exp;
    self->qty_exp = top.qty_exp;
    follow_side(self, SIDE_BUY, top.bids, top.n_bids);
    follow_side(self, SIDE_SELL, top.asks, top.n_asks);
}

const char *top_text_level(const struct top_text *self, enum side side, uint32_t i, uint32_t *len)
{
    const struct side_text *texts = &self->sides[side == SIDE_SELL];
    if (i >= texts->n)
        return NULL;
    const struct slot *slot = &texts->slots[texts->order[i]];
    *len = slot->len;
    return slot->text;
}
