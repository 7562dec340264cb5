/* Positions and balances from fills and adjustments: position = fills + adjustments, exactly.
 * Risk, exec and the workers keep one each, fed from exec's ledger. A position is struct position of the dictionary, whose
 * market_time nobody here uses. */
#ifndef SLUICE_MARKET_PORTFOLIO_H
#define SLUICE_MARKET_PORTFOLIO_H

#include "lib/base/decimal.h"
#include "proto/message.h"

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

/* Sets a position or a balance to what a snapshot tells of it. E_FULL. */
int portfolio_set_position(struct portfolio *self, const struct position *position);
int portfolio_set_balance(struct portfolio *self, const struct balance *balance);

/* Index, or E_ABSENT. */
int portfolio_find(const struct portfolio *self, const char *symbol, const char *venue);
const struct position *portfolio_position(const struct portfolio *self, uint32_t index);
uint32_t portfolio_positions(const struct portfolio *self);

/* 0 where nothing was ever held. */
money portfolio_balance(const struct portfolio *self, const char *venue, const char *currency);
const struct holding *portfolio_holding(const struct portfolio *self, uint32_t index);
uint32_t portfolio_holdings(const struct portfolio *self);

#endif
