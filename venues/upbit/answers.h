/* What Upbit says besides market data: signs of life, errors, and the steps of its markets. Inside this folder only. */
#ifndef SLUICE_VENUES_UPBIT_ANSWERS_H
#define SLUICE_VENUES_UPBIT_ANSWERS_H

#include "venues/upbit/book.h"

/* An object that is no market data: a notice where it is one. */
int upbit_say(struct venue_market *self, const struct frame *frame, const struct json_node *event);

/* The answer of an endpoint; only that of the books' steps is read. */
int upbit_take_answer(struct venue_market *self, const struct frame *frame);

#endif
