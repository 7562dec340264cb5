/* What orders at Upbit must keep to, which no message says: price steps, minima and fees. Inside this folder only. */
#ifndef SLUICE_VENUES_UPBIT_TERMS_H
#define SLUICE_VENUES_UPBIT_TERMS_H

#include "lib/market/l2_book.h"

/* Sets lot, least notional and fees by the quote currency; what is not known of it stays as it was. */
void upbit_terms(struct inst *inst);

/* The price step at a price, by the market's table. false: no table is known of the quote currency. */
bool upbit_tick(const char *quote, struct dec price, struct dec *tick);

/* Whether each price of the book is one that the table allows; false also where there is no table. */
bool upbit_on_table(const char *quote, const struct l2_book *book);

#endif
