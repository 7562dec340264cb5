/* Items in one block, and a stack of free indexes threaded through an array of their own. The block is
 * touched at start, so that the process is as large then as it will ever be. */
#include "lib/base/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ITEM_ALIGN = 16, PAGE_BYTES = 4096 };

#define NONE  UINT32_MAX       /* end of the free stack */
#define TAKEN (UINT32_MAX - 1) /* not on it */

struct pool {
    char *items;
    uint32_t *next; /* per item: the free one below it, NONE, or TAKEN */
    size_t stride;
    uint32_t capacity;
    uint32_t taken;
    uint32_t free; /* top of the free stack */
};

struct pool *pool_new(uint32_t capacity, size_t item_bytes)
{
    size_t stride = (item_bytes + ITEM_ALIGN - 1) / ITEM_ALIGN * ITEM_ALIGN;
    size_t bytes;
    if (capacity >= TAKEN || stride < item_bytes ||
        __builtin_mul_overflow(stride, (size_t)capacity, &bytes)) {
        return NULL;
    }
    struct pool *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->stride = stride;
    self->capacity = capacity;
    self->items = malloc(bytes + ITEM_ALIGN);
    self->next = malloc((capacity + (size_t)1) * sizeof *self->next);
    if (self->items == NULL || self->next == NULL) {
        pool_destroy(&self);
        return NULL;
    }
    memset(self->items, 0, bytes);
    for (uint32_t i = 0; i < capacity; i++) {
        self->next[i] = i + 1 < capacity ? i + 1 : NONE;
    }
    self->free = capacity > 0 ? 0 : NONE;
    return self;
}

void pool_destroy(struct pool **self)
{
    if (*self == NULL) {
        return;
    }
    free((*self)->items);
    free((*self)->next);
    free(*self);
    *self = NULL;
}

/* calloc would promise the room only, and the process grow for as long as it takes to fill. */
void *room_new(size_t n, size_t item_bytes)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, item_bytes, &bytes))
        return NULL;
    char *room = calloc(1, bytes ? bytes : 1);
    for (size_t at = 0; room && at < bytes; at += PAGE_BYTES)
        ((volatile char *)room)[at] = 0;
    return room;
}

static char *item_at(const struct pool *self, uint32_t index)
{
    return self->items + index * self->stride;
}

void *pool_take(struct pool *self)
{
    uint32_t index = self->free;
    if (index == NONE) {
        return NULL;
    }
    self->free = self->next[index];
    self->next[index] = TAKEN;
    self->taken++;
    return memset(item_at(self, index), 0, self->stride);
}

void pool_give(struct pool *self, void *item)
{
    uint32_t index = pool_index(self, item);
    assert(index < self->capacity && item == item_at(self, index));
    assert(self->next[index] == TAKEN);
    self->next[index] = self->free;
    self->free = index;
    self->taken--;
}

void *pool_at(struct pool *self, uint32_t index)
{
    return index < self->capacity && self->next[index] == TAKEN ? item_at(self, index) : NULL;
}

uint32_t pool_index(const struct pool *self, const void *item)
{
    return (uint32_t)((size_t)((const char *)item - self->items) / self->stride);
}

uint32_t pool_taken(const struct pool *self)
{
    return self->taken;
}

uint32_t pool_capacity(const struct pool *self)
{
    return self->capacity;
}
