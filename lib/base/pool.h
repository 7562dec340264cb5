/* A pool of equal items, all taken at start. Items carry stable indexes 0 .. capacity-1. */
#ifndef SLUICE_BASE_POOL_H
#define SLUICE_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool;

struct pool *pool_new(uint32_t capacity, size_t item_bytes); /* NULL when out of memory */
void pool_destroy(struct pool **self);
void *pool_take(struct pool *self);               /* zeroed item; NULL when all are taken */
void pool_give(struct pool *self, void *item);    /* item came from pool_take and is not given twice */
void *pool_at(struct pool *self, uint32_t index); /* the taken item at an index; NULL where it is free */
uint32_t pool_index(const struct pool *self, const void *item);
uint32_t pool_taken(const struct pool *self);
uint32_t pool_capacity(const struct pool *self);

/* Zeroed memory for n items of this size, touched as a pool's is; given back by free. NULL when out of memory. */
void *room_new(size_t n, size_t item_bytes);

#endif
