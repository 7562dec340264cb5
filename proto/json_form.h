/* The JSON form of a message, as `sluice tap` prints it: one object on one line. Prices, quantities and
 * amounts are plain decimals in quotes (exact), enums are their texts, times are integers. */
#ifndef SLUICE_PROTO_JSON_FORM_H
#define SLUICE_PROTO_JSON_FORM_H

#include "proto/message.h"

enum { JSON_FORM_MAX = 64 * 1024 }; /* enough for every message */

/* Writes the object without a newline, and a NUL. Returns its length, or 0 when it does not fit. */
size_t json_form(const struct message *m, char *out, size_t cap);

/* The plain text of one scalar field of a body or record, as in JSON but without quotes; for the recorder's
 * columns. exps: the record's own price_exp and qty_exp, or its parent's. Returns the length. FIELD_LIST: 0. */
struct exponents {
    int8_t price, qty;
};
struct exponents record_exponents(const struct record_kind *kind, const void *record,
                                  struct exponents parent);
size_t field_text(const struct field *f, const void *record, struct exponents exps, char *out, size_t cap);

#endif
