/* One side of a book: its levels in the order of price, worst first, in short blocks, so that a change in a deep
 * book moves a few of them only. A directory of the blocks, and the block of the last change, find a level: venues
 * name levels in the order of price. Inside lib/market only. */
#ifndef SLUICE_MARKET_LADDER_H
#define SLUICE_MARKET_LADDER_H

#include <stdbool.h>
#include <stdint.h>

enum { BLOCK_RUNGS = 64 };

/* A level. Of two prices the better one has the greater rank: the price itself of a bid, its negative of an ask. */
struct rung {
    int64_t rank;
    int64_t qty;
};

struct block {
    uint32_t n; /* at least 1, in a ladder */
    struct rung at[BLOCK_RUNGS]; /* behind the n-th the rank is INT64_MAX, so that a search need not know n */
};

/* Where a rank belongs. It holds while the ladder's shape is the same, but for what was put into or taken out of its
 * block in between: ladder_put looks. */
struct place {
    uint32_t block, rung;
    uint64_t shape;
};

struct ladder {
    struct block **blocks; /* n_held; those behind the first n_blocks are out of use */
    int64_t *best;         /* of each block the rank of its last rung */
    uint32_t n_blocks, n_held, cap;
    uint32_t n;    /* rungs in all blocks */
    uint32_t near; /* block of the last change */
    uint64_t shape; /* changes when a block begins or ends */
};

void ladder_free(struct ladder *self);
void ladder_clear(struct ladder *self); /* keeps its memory */

/* Sets the quantity (> 0) at a rank; false when out of memory, and nothing is changed. */
bool ladder_set(struct ladder *self, int64_t rank, int64_t qty);
void ladder_remove(struct ladder *self, int64_t rank); /* one that is not held, too */

/* The same in two steps, for changes that come many at a time: the places of all are asked for first, then all are put,
 * in the same order. So the processor finds several at once; behind a change it cannot, for what a change does cannot be
 * guessed. qty 0 removes. */
struct place ladder_find(struct ladder *self, int64_t rank);
bool ladder_put(struct ladder *self, int64_t rank, int64_t qty, struct place place);
bool ladder_has(struct ladder *self, int64_t rank);

/* The i-th best; i < n. */
const struct rung *ladder_at(const struct ladder *self, uint32_t i);

/* Copies the best `depth`, best first; returns how many there were. */
uint32_t ladder_best(const struct ladder *self, uint32_t depth, struct rung *out);

/* After all ranks were changed in place, in a way that keeps their order. */
void ladder_ranks_changed(struct ladder *self);

#endif
