/* A full-depth order book: two sorted arrays of mantissas. */
#include "lib/market/l2_book.h"

#include <stdlib.h>
#include <string.h>

/* One side, worst price first and best price last: what changes most moves least. */
struct ladder {
    struct level *at;
    uint32_t n;
    uint32_t cap;
};

/* An exponent shared by all values of one kind in the book. */
struct scale {
    int exp;
    bool known; /* false until an instrument or a first value tells it */
};

/* Where a new value fits: the exponent that the book must take, and the value's mantissa there. */
struct fit {
    int exp;
    int64_t mantissa;
};

enum value { PRICE, QTY };

struct l2_book {
    struct ladder bids;
    struct ladder asks;
    struct scale price;
    struct scale qty;
    enum book_state state;
    enum stale_reason reason;
};

static const int64_t powers[19] = {
    1,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    10000000,
    100000000,
    1000000000,
    10000000000,
    100000000000,
    1000000000000,
    10000000000000,
    100000000000000,
    1000000000000000,
    10000000000000000,
    100000000000000000,
    1000000000000000000,
};

struct l2_book *l2_book_new(void)
{
    struct l2_book *self = calloc(1, sizeof *self);
    if (self)
        l2_book_clear(self, STALE_NO_SNAPSHOT);
    return self;
}

void l2_book_destroy(struct l2_book **self)
{
    if (!*self)
        return;
    free((*self)->bids.at);
    free((*self)->asks.at);
    free(*self);
    *self = NULL;
}

/* ---- exponents -------------------------------------------------------------------------------------- */

static int64_t *value_of(struct level *level, enum value value)
{
    return value == PRICE ? &level->price : &level->qty;
}

/* v's mantissa at exponent exp; false when it does not fit there exactly. The fast way for the usual
 * case, where v is coarser by a few digits. */
static bool mantissa_at(struct dec v, int exp, int64_t *out)
{
    int up = v.exp - exp;
    if (up >= 0 && up <= 18)
        return !__builtin_mul_overflow(v.m, powers[up], out);
    return dec_mantissa(v, exp, ROUND_EXACT, out) == OK;
}

static int tight_exp(int64_t mantissa, int exp)
{
    while (mantissa % 10 == 0 && mantissa != 0) {
        mantissa /= 10;
        exp++;
    }
    return exp;
}

/* The coarsest exponent that loses no digit of any held value, and the greatest mantissa held. */
static int coarsest(struct l2_book *self, enum value value, int exp, int64_t *greatest)
{
    int coarse = DEC_EXP_MAX;
    struct ladder *sides[2] = {&self->bids, &self->asks};
    *greatest = 0;
    for (int s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < sides[s]->n; i++) {
            int64_t m = *value_of(&sides[s]->at[i], value);
            int e = tight_exp(m, exp);
            if (e < coarse)
                coarse = e;
            if (m > *greatest)
                *greatest = m;
        }
    }
    return coarse;
}

/* Finds the exponent at which v and all that is held fit exactly, next to the present one. */
static int refit(struct l2_book *self, enum value value, const struct scale *scale, struct dec v,
                 struct fit *fit)
{
    int64_t greatest, ignored;
    v = dec_tight(v);
    int exp = coarsest(self, value, scale->exp, &greatest);
    struct dec held = {greatest, (int8_t)scale->exp};
    if (v.exp < exp)
        exp = v.exp;
    if (!mantissa_at(held, exp, &ignored) || !mantissa_at(v, exp, &ignored))
        return E_RANGE;
    while (exp > scale->exp && mantissa_at(held, exp - 1, &ignored) && mantissa_at(v, exp - 1, &ignored))
        exp--;
    fit->exp = exp;
    mantissa_at(v, exp, &fit->mantissa);
    return OK;
}

static int find_fit(struct l2_book *self, enum value value, struct dec v, struct fit *fit)
{
    const struct scale *scale = value == PRICE ? &self->price : &self->qty;
    if (scale->known) {
        fit->exp = scale->exp;
        if (mantissa_at(v, scale->exp, &fit->mantissa))
            return OK;
        return refit(self, value, scale, v, fit);
    }
    v = dec_tight(v);
    fit->exp = v.exp > 0 ? 0 : v.exp;
    if (mantissa_at(v, fit->exp, &fit->mantissa))
        return OK;
    fit->exp = v.exp;
    fit->mantissa = v.m;
    return OK;
}

/* Brings all held values to another exponent, which is known to hold them. */
static void rescale(struct l2_book *self, enum value value, int exp)
{
    struct scale *scale = value == PRICE ? &self->price : &self->qty;
    struct ladder *sides[2] = {&self->bids, &self->asks};
    for (int s = 0; s < 2 && scale->known && scale->exp != exp; s++) {
        for (uint32_t i = 0; i < sides[s]->n; i++) {
            int64_t *m = value_of(&sides[s]->at[i], value);
            mantissa_at((struct dec){*m, (int8_t)scale->exp}, exp, m);
        }
    }
    scale->exp = exp;
    scale->known = true;
}

static int can_rescale(struct l2_book *self, enum value value, int exp)
{
    const struct scale *scale = value == PRICE ? &self->price : &self->qty;
    int64_t greatest, ignored;
    if (exp < DEC_EXP_MIN || exp > DEC_EXP_MAX)
        return E_RANGE;
    if (!scale->known || exp == scale->exp)
        return OK;
    if (coarsest(self, value, scale->exp, &greatest) < exp)
        return E_INEXACT;
    return mantissa_at((struct dec){greatest, (int8_t)scale->exp}, exp, &ignored) ? OK : E_RANGE;
}

int l2_book_set_exponents(struct l2_book *self, int price_exp, int qty_exp)
{
    int status = can_rescale(self, PRICE, price_exp);
    if (status == OK)
        status = can_rescale(self, QTY, qty_exp);
    if (status != OK)
        return status;
    rescale(self, PRICE, price_exp);
    rescale(self, QTY, qty_exp);
    return OK;
}

int l2_book_price_exp(const struct l2_book *self)
{
    return self->price.exp;
}

int l2_book_qty_exp(const struct l2_book *self)
{
    return self->qty.exp;
}

/* ---- state ------------------------------------------------------------------------------------------ */

void l2_book_clear(struct l2_book *self, enum stale_reason reason)
{
    self->bids.n = 0;
    self->asks.n = 0;
    l2_book_set_stale(self, reason);
}

void l2_book_set_live(struct l2_book *self)
{
    self->state = BOOK_LIVE;
    self->reason = STALE_NONE;
}

void l2_book_set_stale(struct l2_book *self, enum stale_reason reason)
{
    self->state = BOOK_STALE;
    self->reason = reason;
}

enum book_state l2_book_state(const struct l2_book *self)
{
    return self->state;
}

enum stale_reason l2_book_reason(const struct l2_book *self)
{
    return self->reason;
}

/* ---- levels ----------------------------------------------------------------------------------------- */

static bool worse(enum side side, int64_t a, int64_t b)
{
    return side == SIDE_BUY ? a < b : a > b;
}

/* Index of the first level that is not worse than price: where it is, or where it belongs. Looks from the
 * best price outwards in doubling steps, then halves the last step. */
static uint32_t place(const struct ladder *ladder, enum side side, int64_t price)
{
    uint32_t hi = ladder->n, step = 1;
    while (step <= hi && !worse(side, ladder->at[hi - step].price, price)) {
        hi -= step;
        step *= 2;
    }
    uint32_t lo = step <= hi ? hi - step + 1 : 0;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (worse(side, ladder->at[mid].price, price))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int make_room(struct ladder *ladder)
{
    if (ladder->n < ladder->cap)
        return OK;
    if (ladder->n >= L2_LEVELS_MAX)
        return E_FULL;
    uint32_t cap = ladder->cap ? ladder->cap * 2 : 64;
    struct level *at = realloc(ladder->at, cap * sizeof *at);
    if (!at)
        return E_FULL;
    ladder->at = at;
    ladder->cap = cap;
    return OK;
}

static int remove_level(struct ladder *ladder, enum side side, const struct scale *scale, struct dec price)
{
    int64_t m;
    if (!scale->known || !mantissa_at(price, scale->exp, &m))
        return OK; /* no level held can have such a price */
    uint32_t i = place(ladder, side, m);
    if (i < ladder->n && ladder->at[i].price == m) {
        ladder->n--;
        memmove(&ladder->at[i], &ladder->at[i + 1], (ladder->n - i) * sizeof ladder->at[0]);
    }
    return OK;
}

int l2_book_set(struct l2_book *self, enum side side, struct dec price, struct dec qty)
{
    struct ladder *ladder = side == SIDE_BUY ? &self->bids : &self->asks;
    if (price.m <= 0 || qty.m < 0)
        return E_RANGE;
    if (qty.m == 0)
        return remove_level(ladder, side, &self->price, price);

    struct fit p, q;
    int status = find_fit(self, PRICE, price, &p);
    if (status == OK)
        status = find_fit(self, QTY, qty, &q);
    if (status != OK)
        return status;

    /* A price that changes the exponent is new: it had no place at the old one. */
    uint32_t i = 0;
    bool held = false;
    if (p.exp == self->price.exp) {
        i = place(ladder, side, p.mantissa);
        held = i < ladder->n && ladder->at[i].price == p.mantissa;
    }
    if (!held && make_room(ladder) != OK)
        return E_FULL;
    rescale(self, QTY, q.exp);
    if (held) {
        ladder->at[i].qty = q.mantissa;
        return OK;
    }
    if (p.exp != self->price.exp || !self->price.known) {
        rescale(self, PRICE, p.exp);
        i = place(ladder, side, p.mantissa);
    }
    memmove(&ladder->at[i + 1], &ladder->at[i], (ladder->n - i) * sizeof ladder->at[0]);
    ladder->at[i] = (struct level){.price = p.mantissa, .qty = q.mantissa};
    ladder->n++;
    return OK;
}

uint32_t l2_book_depth(const struct l2_book *self, enum side side)
{
    return side == SIDE_BUY ? self->bids.n : self->asks.n;
}

bool l2_book_level(const struct l2_book *self, enum side side, uint32_t i, struct level *out)
{
    const struct ladder *ladder = side == SIDE_BUY ? &self->bids : &self->asks;
    if (i >= ladder->n)
        return false;
    *out = ladder->at[ladder->n - 1 - i];
    return true;
}

bool l2_book_crossed(const struct l2_book *self)
{
    const struct ladder *bids = &self->bids, *asks = &self->asks;
    return bids->n && asks->n && bids->at[bids->n - 1].price >= asks->at[asks->n - 1].price;
}

/* ---- what others see -------------------------------------------------------------------------------- */

static uint32_t copy_best(const struct ladder *ladder, uint32_t depth, struct level *out)
{
    uint32_t n = depth < ladder->n ? depth : ladder->n;
    for (uint32_t i = 0; i < n; i++)
        out[i] = ladder->at[ladder->n - 1 - i];
    return n;
}

void l2_book_top(const struct l2_book *self, uint32_t depth, struct book *out)
{
    uint32_t most = sizeof out->bids / sizeof out->bids[0];
    if (depth > most)
        depth = most;
    out->state = self->state;
    out->reason = self->reason;
    out->price_exp = (int8_t)self->price.exp;
    out->qty_exp = (int8_t)self->qty.exp;
    out->n_bids = copy_best(&self->bids, depth, out->bids);
    out->n_asks = copy_best(&self->asks, depth, out->asks);
}

static size_t put(char *out, size_t cap, size_t at, const char *text, size_t len)
{
    for (size_t i = 0; i < len && at + i + 1 < cap; i++)
        out[at + i] = text[i];
    return at + len;
}

static size_t put_best(const struct l2_book *self, enum side side, char *out, size_t cap, size_t at)
{
    struct level best;
    char text[DEC_TEXT_MAX];
    if (!l2_book_level(self, side, 0, &best))
        return put(out, cap, at, "- -", 3);
    size_t len = dec_format((struct dec){best.price, (int8_t)self->price.exp}, text);
    at = put(out, cap, at, text, len);
    at = put(out, cap, at, " ", 1);
    len = dec_format((struct dec){best.qty, (int8_t)self->qty.exp}, text);
    return put(out, cap, at, text, len);
}

size_t l2_book_best_text(const struct l2_book *self, char *out, size_t cap)
{
    size_t len = put_best(self, SIDE_BUY, out, cap, 0);
    len = put(out, cap, len, " ", 1);
    len = put_best(self, SIDE_SELL, out, cap, len);
    if (cap)
        out[len < cap ? len : cap - 1] = '\0';
    return len;
}
