/* What the pipeline's ledgers hold of baskets that are opened and filled, as messages: a decision, the route's states,
 * orders with their changes, fills, balances, positions; for two legs, with every stamp of the trace. */
#ifndef SLUICE_BENCH_RECORDER_ROWS_H
#define SLUICE_BENCH_RECORDER_ROWS_H

#include "proto/message.h"

enum { LEDGER_RISK, LEDGER_EXEC, LEDGERS };

struct writing {
    uint64_t pos[LEDGERS]; /* last one given */
    void (*emit)(void *ctx, int ledger, const struct message *m);
    void *ctx;
    struct message m;
};

/* The epoch record that each ledger begins with. */
void write_beginning(struct writing *w);

/* All messages of the n-th basket. Equal n, equal messages. */
void write_basket(struct writing *w, uint64_t n);

#endif
