/* A diff in the very form in which Binance writes it, read straight from the text as received: no copy, no parser.
 *
 * It knows that one form: the order of keys, no spaces, numbers in quotes with a point. A text that differs from it in a
 * byte is not read here at all, and goes to the parser; what is read here is read as the parser would read it. */
#ifndef SLUICE_VENUES_BINANCE_DIFF_TEXT_H
#define SLUICE_VENUES_BINANCE_DIFF_TEXT_H

#include "venues/binance/pending.h"

struct diff_text {
    const char *symbol; /* in the text */
    size_t symbol_len;
    int64_t time; /* "E", as written */
    struct diff_ids ids;
    uint32_t n_changes;
};

/* Reads a whole message; at most `cap` levels, bids first, into changes. chained: "pu" must be there. false: of another
 * form, or with more levels. */
bool diff_text_read(const char *text, size_t len, bool chained, struct diff_text *out, struct l2_change *changes,
                    uint32_t cap);

#endif
