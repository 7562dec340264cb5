/* A full-depth order book: two ladders of mantissas. */
#include "lib/market/l2_book.h"

#include <stdlib.h>

#include "lib/market/ladder.h"

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

enum { L2_TOP_MAX = sizeof((struct book *)0)->bids / sizeof(struct level) };

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
    ladder_free(&(*self)->bids);
    ladder_free(&(*self)->asks);
    free(*self);
    *self = NULL;
}

/* ---- exponents -------------------------------------------------------------------------------------- */

static int64_t *value_of(struct rung *rung, enum value value)
{
    return value == PRICE ? &rung->rank : &rung->qty;
}

static int64_t rank_of(enum side side, int64_t price)
{
    return side == SIDE_BUY ? price : -price;
}

static struct level level_of(enum side side, struct rung rung)
{
    return (struct level){.price = rank_of(side, rung.rank), .qty = rung.qty};
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

static void coarsest_of(struct block *block, enum value value, int exp, int *coarse, int64_t *greatest)
{
    for (uint32_t i = 0; i < block->n; i++) {
        int64_t m = *value_of(&block->at[i], value);
        if (m < 0)
            m = -m;
        int e = tight_exp(m, exp);
        if (e < *coarse)
            *coarse = e;
        if (m > *greatest)
            *greatest = m;
    }
}

/* The coarsest exponent that loses no digit of any held value, and the greatest mantissa held. */
static int coarsest(struct l2_book *self, enum value value, int exp, int64_t *greatest)
{
    int coarse = DEC_EXP_MAX;
    struct ladder *sides[2] = {&self->bids, &self->asks};
    *greatest = 0;
    for (int s = 0; s < 2; s++) {
        for (uint32_t b = 0; b < sides[s]->n_blocks; b++)
            coarsest_of(sides[s]->blocks[b], value, exp, &coarse, greatest);
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

static int find_fits(struct l2_book *self, struct dec price, struct dec qty, struct fit *p, struct fit *q)
{
    int status = find_fit(self, PRICE, price, p);
    return status == OK ? find_fit(self, QTY, qty, q) : status;
}

/* Brings all held values to another exponent, which is known to hold them. */
static void rescale(struct l2_book *self, enum value value, int exp)
{
    struct scale *scale = value == PRICE ? &self->price : &self->qty;
    struct ladder *sides[2] = {&self->bids, &self->asks};
    if (scale->known && scale->exp == exp)
        return;
    for (int s = 0; s < 2 && scale->known; s++) {
        for (uint32_t b = 0; b < sides[s]->n_blocks; b++) {
            struct block *block = sides[s]->blocks[b];
            for (uint32_t i = 0; i < block->n; i++) {
                int64_t *m = value_of(&block->at[i], value);
                mantissa_at((struct dec){*m, (int8_t)scale->exp}, exp, m);
            }
        }
        ladder_ranks_changed(sides[s]);
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
    ladder_clear(&self->bids);
    ladder_clear(&self->asks);
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

int l2_book_set(struct l2_book *self, enum side side, struct dec price, struct dec qty)
{
    struct ladder *ladder = side == SIDE_BUY ? &self->bids : &self->asks;
    struct fit p, q;
    if (price.m <= 0 || qty.m < 0)
        return E_RANGE;
    if (qty.m == 0) {
        /* A price that does not fit is of no level that is held. */
        if (self->price.known && mantissa_at(price, self->price.exp, &p.mantissa))
            ladder_remove(ladder, rank_of(side, p.mantissa));
        return OK;
    }
    bool fits = self->price.known && self->qty.known && mantissa_at(price, self->price.exp, &p.mantissa) &&
                mantissa_at(qty, self->qty.exp, &q.mantissa);
    if (!fits) {
        int status = find_fits(self, price, qty, &p, &q);
        if (status != OK)
            return status;
    }
    int64_t rank = rank_of(side, p.mantissa);
    bool full = ladder->n >= L2_LEVELS_MAX;
    if (full && ((!fits && p.exp != self->price.exp) || !ladder_has(ladder, rank)))
        return E_FULL;
    if (!fits) {
        rescale(self, PRICE, p.exp);
        rescale(self, QTY, q.exp);
    }
    return ladder_set(ladder, rank, q.mantissa) ? OK : E_FULL;
}

/* Where the next change goes, and what it is there. */
struct found {
    struct ladder *ladder;
    int64_t rank, qty;
    struct place place;
};

static bool find_change(struct l2_book *self, const struct l2_change *change, struct found *out)
{
    if (change->price.m <= 0 || change->qty.m < 0 ||
        !mantissa_at(change->price, self->price.exp, &out->rank) ||
        !mantissa_at(change->qty, self->qty.exp, &out->qty))
        return false;
    out->ladder = change->side == SIDE_BUY ? &self->bids : &self->asks;
    out->rank = rank_of(change->side, out->rank);
    out->place = ladder_find(out->ladder, out->rank);
    return true;
}

/* Finds the places of as many changes as fit as they are: the first that does not is left to l2_book_set. */
static uint32_t find_changes(struct l2_book *self, const struct l2_change *changes, uint32_t n,
                             struct found *out)
{
    uint32_t found = 0;
    if (!self->price.known || !self->qty.known || self->bids.n + n > L2_LEVELS_MAX ||
        self->asks.n + n > L2_LEVELS_MAX)
        return 0;
    while (found < n && find_change(self, &changes[found], &out[found]))
        found++;
    return found;
}

int l2_book_apply(struct l2_book *self, const struct l2_change *changes, uint32_t n)
{
    enum { AT_ONCE = 32 };
    struct found found[AT_ONCE];
    while (n > 0) {
        uint32_t some = find_changes(self, changes, n < AT_ONCE ? n : AT_ONCE, found);
        for (uint32_t i = 0; i < some; i++)
            if (!ladder_put(found[i].ladder, found[i].rank, found[i].qty, found[i].place))
                return E_FULL;
        changes += some;
        n -= some;
        if (n == 0 || some == AT_ONCE)
            continue;
        int status = l2_book_set(self, changes->side, changes->price, changes->qty);
        if (status != OK)
            return status;
        changes++;
        n--;
    }
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
    *out = level_of(side, *ladder_at(ladder, i));
    return true;
}

bool l2_book_crossed(const struct l2_book *self)
{
    struct level bid, ask;
    return l2_book_level(self, SIDE_BUY, 0, &bid) && l2_book_level(self, SIDE_SELL, 0, &ask) &&
           bid.price >= ask.price;
}

/* ---- what others see -------------------------------------------------------------------------------- */

static uint32_t copy_best(const struct ladder *ladder, enum side side, uint32_t depth, struct level *out)
{
    struct rung rungs[L2_TOP_MAX];
    uint32_t n = ladder_best(ladder, depth, rungs);
    for (uint32_t i = 0; i < n; i++)
        out[i] = level_of(side, rungs[i]);
    return n;
}

void l2_book_top(const struct l2_book *self, uint32_t depth, struct book *out)
{
    if (depth > L2_TOP_MAX)
        depth = L2_TOP_MAX;
    out->state = self->state;
    out->reason = self->reason;
    out->price_exp = (int8_t)self->price.exp;
    out->qty_exp = (int8_t)self->qty.exp;
    out->n_bids = copy_best(&self->bids, SIDE_BUY, depth, out->bids);
    out->n_asks = copy_best(&self->asks, SIDE_SELL, depth, out->asks);
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
