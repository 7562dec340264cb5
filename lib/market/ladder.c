#include "lib/market/ladder.h"

#include <stdlib.h>
#include <string.h>

/* Blocks that are out of use stay behind those in use, in the same array: a book that is emptied and filled again, or
 * whose levels come and go, allocates nothing that it did not need before. */
void ladder_clear(struct ladder *self)
{
    self->n_blocks = self->n = self->near = 0;
    self->shape++;
}

void ladder_free(struct ladder *self)
{
    for (uint32_t b = 0; b < self->n_held; b++)
        free(self->blocks[b]);
    free(self->blocks);
    free(self->best);
    *self = (struct ladder){0};
}

/* ---- finding ---------------------------------------------------------------------------------------- */

/* All bits where a < b, else none: a search that chooses by it has no branches, for its way cannot be
 * guessed. */
static uint32_t below(int64_t a, int64_t b)
{
    return 0 - (uint32_t)(a < b);
}

static uint32_t search_blocks(const int64_t *best, uint32_t n, int64_t rank)
{
    uint32_t lo = 0;
    for (uint32_t half; n > 1; n -= half) {
        half = n / 2;
        lo += half & below(best[lo + half - 1], rank);
    }
    return lo;
}

/* The first block that ends at this rank or a better one, else the last; there is one. Venues name levels in the order
 * of price: it is mostly that of the last change, or one of a few beside it. */
static uint32_t find_block(struct ladder *self, int64_t rank)
{
    enum { BESIDE = 8 };
    const int64_t *best = self->best;
    uint32_t near = self->near, n = self->n_blocks, lo = 0;
    if (near < n && (best[near] >= rank || near == n - 1) && (near == 0 || best[near - 1] < rank))
        return near;
    if (near < n && best[near] < rank) {
        lo = near + 1;
        n -= lo;
        if (n > BESIDE && best[lo + BESIDE - 1] >= rank)
            n = BESIDE;
    } else if (near < n) {
        n = near;
        if (n > BESIDE && best[n - BESIDE - 1] < rank) {
            lo = n - BESIDE;
            n = BESIDE;
        }
    }
    return self->near = lo + search_blocks(best + lo, n, rank);
}

/* How many of three rungs, `step` apart, the first of them at i, are below a rank. */
static uint32_t below_of(const struct rung *at, uint32_t i, uint32_t step, int64_t rank)
{
    return (uint32_t)(at[i].rank < rank) + (uint32_t)(at[i + step].rank < rank) +
           (uint32_t)(at[i + 2 * step].rank < rank);
}

/* The first rung of a block at this rank or a better one, or behind its last. Each step looks at three rungs at once,
 * none of which waits for another, and leaves a quarter; always as many steps, without branches, for the way they take
 * cannot be guessed. */
static uint32_t find_rung(const struct block *block, int64_t rank)
{
    _Static_assert(BLOCK_RUNGS == 64, "three steps");
    const struct rung *at = block->at;
    uint32_t i = 16 * below_of(at, 15, 16, rank);
    i += 4 * below_of(at, i + 3, 4, rank);
    return i + below_of(at, i, 1, rank) + (uint32_t)(at[i + 3].rank < rank);
}

static bool is_rung(const struct block *block, uint32_t i, int64_t rank)
{
    return i < block->n && block->at[i].rank == rank;
}

bool ladder_has(struct ladder *self, int64_t rank)
{
    if (self->n == 0)
        return false;
    const struct block *block = self->blocks[find_block(self, rank)];
    return is_rung(block, find_rung(block, rank), rank);
}

/* ---- blocks ----------------------------------------------------------------------------------------- */

static bool directory_room(struct ladder *self)
{
    if (self->n_held < self->cap)
        return true;
    uint32_t cap = self->cap ? self->cap * 2 : 16;
    struct block **blocks = realloc(self->blocks, cap * sizeof(struct block *));
    if (blocks)
        self->blocks = blocks;
    int64_t *best = realloc(self->best, cap * sizeof *best);
    if (best)
        self->best = best;
    if (!blocks || !best)
        return false;
    self->cap = cap;
    return true;
}

/* Leaves the first n rungs. */
static void cut(struct block *block, uint32_t n)
{
    for (uint32_t i = n; i < block->n; i++)
        block->at[i].rank = INT64_MAX;
    block->n = n;
}

static bool hold_one_more(struct ladder *self)
{
    struct block *block = directory_room(self) ? malloc(sizeof *block) : NULL;
    if (!block)
        return false;
    block->n = BLOCK_RUNGS;
    cut(block, 0);
    self->blocks[self->n_held++] = block;
    return true;
}

/* An empty block before block b; NULL when out of memory. */
static struct block *add_block(struct ladder *self, uint32_t b)
{
    if (self->n_held == self->n_blocks && !hold_one_more(self))
        return NULL;
    struct block *block = self->blocks[self->n_blocks];
    cut(block, 0);
    self->shape++;
    memmove(&self->blocks[b + 1], &self->blocks[b], (self->n_blocks - b) * sizeof(struct block *));
    memmove(&self->best[b + 1], &self->best[b], (self->n_blocks - b) * sizeof *self->best);
    self->blocks[b] = block;
    self->n_blocks++;
    return block;
}

static void drop_block(struct ladder *self, uint32_t b)
{
    struct block *block = self->blocks[b];
    self->shape++;
    self->n_blocks--;
    memmove(&self->blocks[b], &self->blocks[b + 1], (self->n_blocks - b) * sizeof(struct block *));
    memmove(&self->best[b], &self->best[b + 1], (self->n_blocks - b) * sizeof *self->best);
    self->blocks[self->n_blocks] = block;
}

static void end_moved(struct ladder *self, uint32_t b)
{
    const struct block *block = self->blocks[b];
    self->best[b] = block->at[block->n - 1].rank;
}

/* Moves the better half of a full block to a new one behind it. */
static bool split(struct ladder *self, uint32_t b)
{
    struct block *upper = add_block(self, b + 1), *lower = self->blocks[b];
    if (!upper)
        return false;
    upper->n = BLOCK_RUNGS / 2;
    memcpy(upper->at, &lower->at[lower->n - upper->n], upper->n * sizeof *upper->at);
    cut(lower, lower->n - upper->n);
    end_moved(self, b);
    end_moved(self, b + 1);
    return true;
}

/* Joins block b to the one behind it where both are small, so that blocks stay few. */
static void join(struct ladder *self, uint32_t b)
{
    if (b + 1 >= self->n_blocks)
        return;
    struct block *lower = self->blocks[b], *upper = self->blocks[b + 1];
    if (lower->n + upper->n > BLOCK_RUNGS / 2)
        return;
    memcpy(&lower->at[lower->n], upper->at, upper->n * sizeof *upper->at);
    lower->n += upper->n;
    drop_block(self, b + 1);
    end_moved(self, b);
}

/* ---- changing --------------------------------------------------------------------------------------- */

static bool add_rung(struct ladder *self, uint32_t b, uint32_t i, struct rung rung)
{
    struct block *block = self->blocks[b];
    if (block->n == BLOCK_RUNGS) {
        /* A ladder that grows at its end, as when a snapshot is loaded, has full blocks. */
        bool at_end = i == block->n && b + 1 == self->n_blocks;
        if (at_end ? !add_block(self, b + 1) : !split(self, b))
            return false;
        if (i > block->n || at_end) {
            b++;
            i -= block->n;
        }
        block = self->blocks[b];
    }
    memmove(&block->at[i + 1], &block->at[i], (block->n - i) * sizeof *block->at);
    block->at[i] = rung;
    block->n++;
    self->n++;
    self->near = b;
    end_moved(self, b);
    return true;
}

static void remove_rung(struct ladder *self, uint32_t b, uint32_t i)
{
    struct block *block = self->blocks[b];
    self->n--;
    block->n--;
    memmove(&block->at[i], &block->at[i + 1], (block->n - i) * sizeof *block->at);
    block->at[block->n].rank = INT64_MAX;
    if (block->n == 0) {
        drop_block(self, b);
        return;
    }
    end_moved(self, b);
    if (block->n < BLOCK_RUNGS / 4) {
        join(self, b);
        if (b > 0)
            join(self, b - 1);
    }
}

bool ladder_set(struct ladder *self, int64_t rank, int64_t qty)
{
    if (self->n_blocks == 0 && !add_block(self, 0))
        return false;
    uint32_t b = self->n > 0 ? find_block(self, rank) : 0;
    struct block *block = self->blocks[b];
    uint32_t i = self->n > 0 ? find_rung(block, rank) : 0;
    if (!is_rung(block, i, rank))
        return add_rung(self, b, i, (struct rung){rank, qty});
    block->at[i].qty = qty;
    return true;
}

void ladder_remove(struct ladder *self, int64_t rank)
{
    if (self->n == 0)
        return;
    uint32_t b = find_block(self, rank), i = find_rung(self->blocks[b], rank);
    if (is_rung(self->blocks[b], i, rank))
        remove_rung(self, b, i);
}

struct place ladder_find(struct ladder *self, int64_t rank)
{
    if (self->n == 0)
        return (struct place){.shape = self->shape - 1}; /* is never right */
    uint32_t b = find_block(self, rank);
    return (struct place){b, find_rung(self->blocks[b], rank), self->shape};
}

/* Whether a rank belongs before the i-th rung of a block, or is it. */
static bool belongs(const struct block *block, uint32_t i, int64_t rank)
{
    return i <= block->n && (i == 0 || block->at[i - 1].rank < rank) &&
           (i == BLOCK_RUNGS || block->at[i].rank >= rank);
}

bool ladder_put(struct ladder *self, int64_t rank, int64_t qty, struct place place)
{
    if (place.shape != self->shape) {
        if (qty != 0)
            return ladder_set(self, rank, qty);
        ladder_remove(self, rank);
        return true;
    }
    /* While no block begins or ends, ranks stay on the side of a block's end on which they were. */
    struct block *block = self->blocks[place.block];
    uint32_t i = place.rung;
    if (!belongs(block, i, rank))
        i = find_rung(block, rank);
    bool held = is_rung(block, i, rank);
    if (qty == 0) {
        if (held)
            remove_rung(self, place.block, i);
        return true;
    }
    if (!held)
        return add_rung(self, place.block, i, (struct rung){rank, qty});
    block->at[i].qty = qty;
    return true;
}

void ladder_ranks_changed(struct ladder *self)
{
    self->shape++;
    for (uint32_t b = 0; b < self->n_blocks; b++)
        end_moved(self, b);
}

/* ---- reading ---------------------------------------------------------------------------------------- */

const struct rung *ladder_at(const struct ladder *self, uint32_t i)
{
    uint32_t b = self->n_blocks - 1;
    for (; i >= self->blocks[b]->n; b--)
        i -= self->blocks[b]->n;
    return &self->blocks[b]->at[self->blocks[b]->n - 1 - i];
}

uint32_t ladder_best(const struct ladder *self, uint32_t depth, struct rung *out)
{
    uint32_t n = 0;
    for (uint32_t b = self->n_blocks; b > 0 && n < depth; b--) {
        const struct block *block = self->blocks[b - 1];
        for (uint32_t i = block->n; i > 0 && n < depth; i--)
            out[n++] = block->at[i - 1];
    }
    return n;
}
