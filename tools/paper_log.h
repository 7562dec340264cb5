/* The paper venue's own log, read by code that shares nothing with the venue or with exec: what the venue says was
 * traded, to be held against everybody else. Its lines are described in venues/paper/lines.c. */
#ifndef SLUICE_TOOLS_PAPER_LOG_H
#define SLUICE_TOOLS_PAPER_LOG_H

#include "lib/base/decimal.h"

struct paper_trade {
    const char *trade_id, *client_id, *venue, *symbol, *side, *fee_currency;
    struct dec price, qty, fee;
};

struct paper_log_reader {
    void *ctx;
    void (*on_order)(void *ctx, const char *client_id, const char *venue, const char *symbol);
    void (*on_trade)(void *ctx, const struct paper_trade *trade);
};

/* Reads a whole log. A last line without its newline was never answered and does not count. E_ABSENT: no such file;
 * E_SYNTAX with the line in `error`. */
int paper_log_read(const char *path, const struct paper_log_reader *reader, char *error, size_t error_cap);

#endif
