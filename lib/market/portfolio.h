/* Positions and balances from fills and adjustments: position = fills + adjustments, exactly.
 * Risk, exec and the workers keep one each, fed from exec's ledger. */
#ifndef SLUICE_MARKET_PORTFOLIO_H
#define SLUICE_MARKET_PORTFOLIO_H

#include "lib/base/decimal.h"
#include "proto/message.h"

struct position {
    char symbol[32];
    char venue[16];
    char quote[16];
    money qty;    /* base units bought less sold */
    money cash;   /* quote received less paid, fees not in it */
    money fees;   /* fees paid, in quote; a fee in base counts at the fill's price, one in a third currency
                      only moves the balance of that currency */
    money volume; /* sum of price times quantity, quote */
    uint64_t fills;
};

struct holding {
    char venue[16];
    char currency[16];
    money total;
};

struct portfolio;

struct portfolio *portfolio_new(uint32_t positions, uint32_t holdings); /* NULL when out of memory */
void portfolio_destroy(struct portfolio **self);

/* Books a fill: the position of its instrument, and for a spot instrument the balances of base and quote; for
 * a derivative only the fee moves a balance (its profit is in position.cash). E_FULL, E_RANGE, E_INEXACT (below
 * 1e-18): nothing booked. */
int portfolio_fill(struct portfolio *self, const struct fill *fill);
int portfolio_adjust(struct portfolio *self, const struct adjust *adjust);

/* Index, or E_ABSENT. */
int portfolio_find(const struct portfolio *self, const char *symbol, const char *venue);
const struct position *portfolio_position(const struct portfolio *self, uint32_t index);
uint32_t portfolio_positions(const struct portfolio *self);

/* 0 where nothing was ever held. */
money portfolio_balance(const struct portfolio *self, const char *venue, const char *currency);
const struct holding *portfolio_holding(const struct portfolio *self, uint32_t index);
uint32_t portfolio_holdings(const struct portfolio *self);

#endif
