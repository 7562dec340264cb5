/* Laying a best price over the top levels of a book. */
#include "lib/market/overlay.h"

#include <string.h>

#include "lib/base/decimal.h"

enum { LEVELS = sizeof((struct book *)0)->bids / sizeof(struct level) };

/* Brings one value of each level to a finer exponent, or without `commit` only asks whether all fit. */
static bool widen(struct level *levels, uint32_t n, bool price, int from, int to, bool commit)
{
    for (uint32_t i = 0; i < n; i++) {
        int64_t *m = price ? &levels[i].price : &levels[i].qty, wide;
        if (dec_mantissa((struct dec){*m, (int8_t)from}, to, ROUND_EXACT, &wide) != OK)
            return false;
        if (commit)
            *m = wide;
    }
    return true;
}

static bool widen_book(struct book *book, int price_exp, int qty_exp)
{
    for (int commit = 0; commit < 2; commit++) {
        if (!widen(book->bids, book->n_bids, true, book->price_exp, price_exp, commit) ||
            !widen(book->asks, book->n_asks, true, book->price_exp, price_exp, commit) ||
            !widen(book->bids, book->n_bids, false, book->qty_exp, qty_exp, commit) ||
            !widen(book->asks, book->n_asks, false, book->qty_exp, qty_exp, commit))
            return false;
    }
    book->price_exp = (int8_t)price_exp;
    book->qty_exp = (int8_t)qty_exp;
    return true;
}

/* The best level of a side becomes `best`: what is better than it or equal to it goes. */
static void lay_side(enum side side, struct level best, struct level *levels, uint32_t *n)
{
    uint32_t drop = 0;
    while (drop < *n &&
           (side == SIDE_BUY ? levels[drop].price >= best.price : levels[drop].price <= best.price))
        drop++;
    uint32_t keep = *n - drop;
    if (best.qty == 0) {
        *n = 0;
        return;
    }
    if (keep == LEVELS)
        keep--;
    memmove(&levels[1], &levels[drop], keep * sizeof levels[0]);
    levels[0] = best;
    *n = keep + 1;
}

bool book_lay_best(struct book *book, const struct bbo *best)
{
    int price_exp = best->price_exp, qty_exp = best->qty_exp;
    if (book->n_bids + book->n_asks > 0) {
        price_exp = book->price_exp < price_exp ? book->price_exp : price_exp;
        qty_exp = book->qty_exp < qty_exp ? book->qty_exp : qty_exp;
    }
    struct level sides[2] = {{best->bid, best->bid_qty}, {best->ask, best->ask_qty}};
    if (!widen(sides, 2, true, best->price_exp, price_exp, true) ||
        !widen(sides, 2, false, best->qty_exp, qty_exp, true) || !widen_book(book, price_exp, qty_exp))
        return false;
    lay_side(SIDE_BUY, sides[0], book->bids, &book->n_bids);
    lay_side(SIDE_SELL, sides[1], book->asks, &book->n_asks);
    book->venue_seq = best->venue_seq ? best->venue_seq : book->venue_seq;
    book->venue_time = best->venue_time ? best->venue_time : book->venue_time;
    book->recv_time = best->recv_time;
    book->recv_mono = best->recv_mono;
    return true;
}
