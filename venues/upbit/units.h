/* The units of an orderbook message: bid and ask side by side, best first. Inside this folder only. */
#ifndef SLUICE_VENUES_UPBIT_UNITS_H
#define SLUICE_VENUES_UPBIT_UNITS_H

#include "lib/base/decimal.h"
#include "lib/base/json.h"

struct unit {
    struct dec price[2]; /* bid, ask; 0 where a thin book is padded */
    struct dec size[2];
};

struct units {
    struct unit *at;
    uint32_t n, cap;
    bool totals_wrong; /* the message's totals are not the sums of its sizes */
};

/* A member by its name in the SIMPLE or in the DEFAULT format. */
const struct json_node *upbit_member(const struct json *json, const struct json_node *object,
                                     const char *simple, const char *full);

/* Reads all units of a message, and checks its totals where all of the venue's units came. E_SYNTAX, E_RANGE,
 * E_FULL, with words in error; on OK words too when totals_wrong. */
int units_read(struct units *self, const struct json *json, const struct json_node *event, char *error,
               size_t error_cap);
void units_free(struct units *self);

#endif
