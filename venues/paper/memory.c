/* Orders stand in a ring in the order of their taking, fills in a pool. An order whose end is told may be
 * forgotten when its room is needed; one that waits never. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/pool.h"
#include "lib/base/text.h"
#include "venues/paper/paper_internal.h"

enum { FILLS_PER_ORDER = 2 };

int memory_open(struct paper *self, uint32_t orders)
{
    uint32_t hashes = 16;
    while (hashes < 2 * orders)
        hashes *= 2;
    uint32_t fills = FILLS_PER_ORDER * orders + 2 * SIDE_LEVELS;
    self->capacity = orders;
    self->hash_mask = hashes - 1;
    self->orders = room_new(orders, sizeof *self->orders);
    self->hashed = malloc(hashes * sizeof *self->hashed);
    self->fills = room_new(fills, sizeof *self->fills);
    if (!self->orders || !self->hashed || !self->fills)
        return E_FULL;
    for (uint32_t i = 0; i < hashes; i++)
        self->hashed[i] = NONE;
    for (uint32_t i = 0; i < fills; i++)
        self->fills[i].next = i + 1 < fills ? (int)i + 1 : NONE;
    self->free_fill = 0;
    self->queue_first = self->queue_last = NONE;
    return OK;
}

void memory_close(struct paper *self)
{
    free(self->orders);
    free(self->hashed);
    free(self->fills);
}

static int *bucket(const struct paper *self, const char *client_id)
{
    uint64_t hash = fnv1a(FNV_OFFSET, client_id, strlen(client_id));
    return &self->hashed[(uint32_t)(hash ^ hash >> 32) & self->hash_mask];
}

struct paper_order *memory_find(const struct paper *self, const char *client_id)
{
    for (int i = *bucket(self, client_id); i != NONE; i = self->orders[i].same_hash) {
        if (strcmp(self->orders[i].client_id, client_id) == 0)
            return &self->orders[i];
    }
    return NULL;
}

static bool forgettable(const struct paper_order *order)
{
    return order->used && !order->queued && order->progress != WAITING;
}

static void forget(struct paper *self, struct paper_order *order)
{
    int *link = bucket(self, order->client_id), index = (int)(order - self->orders);
    while (*link != index)
        link = &self->orders[*link].same_hash;
    *link = order->same_hash;
    if (order->first_fill != NONE) {
        self->fills[order->last_fill].next = self->free_fill;
        self->free_fill = order->first_fill;
    }
    memset(order, 0, sizeof *order);
}

struct paper_order *memory_take(struct paper *self, const char *client_id)
{
    for (uint32_t i = 0; i < self->capacity; i++) {
        uint32_t slot = (self->next + i) % self->capacity;
        struct paper_order *order = &self->orders[slot];
        if (order->used && !forgettable(order))
            continue;
        if (order->used)
            forget(self, order);
        self->next = (slot + 1) % self->capacity;
        text_set(order->client_id, sizeof order->client_id, client_id);
        int *head = bucket(self, order->client_id);
        order->used = true;
        order->first_fill = order->last_fill = NONE;
        order->same_hash = *head;
        *head = (int)slot;
        return order;
    }
    return NULL;
}

static bool forget_some_fills(struct paper *self)
{
    for (uint32_t i = 0; i < self->capacity; i++) {
        struct paper_order *order = &self->orders[(self->next + i) % self->capacity];
        if (forgettable(order) && order->first_fill != NONE) {
            forget(self, order);
            return true;
        }
    }
    return false;
}

struct paper_fill *memory_add_fill(struct paper *self, struct paper_order *order)
{
    if (self->free_fill == NONE && !forget_some_fills(self))
        return NULL;
    int index = self->free_fill;
    struct paper_fill *fill = &self->fills[index];
    self->free_fill = fill->next;
    fill->next = NONE;
    if (order->first_fill == NONE)
        order->first_fill = index;
    else
        self->fills[order->last_fill].next = index;
    order->last_fill = index;
    return fill;
}

void memory_queue(struct paper *self, struct paper_order *order, int64_t due_ns)
{
    int index = (int)(order - self->orders), before = self->queue_last;
    if (order->queued)
        return;
    order->due_ns = due_ns;
    order->queued = true;
    self->queued++;
    while (before != NONE && self->orders[before].due_ns > due_ns)
        before = self->orders[before].before;
    order->before = before;
    order->after = before == NONE ? self->queue_first : self->orders[before].after;
    *(before == NONE ? &self->queue_first : &self->orders[before].after) = index;
    *(order->after == NONE ? &self->queue_last : &self->orders[order->after].before) = index;
}

void memory_unqueue(struct paper *self, struct paper_order *order)
{
    *(order->before == NONE ? &self->queue_first : &self->orders[order->before].after) = order->after;
    *(order->after == NONE ? &self->queue_last : &self->orders[order->after].before) = order->before;
    order->queued = false;
    self->queued--;
}

struct paper_venue *memory_venue(struct paper *self, const char *name)
{
    for (uint32_t i = 0; i < self->n_venues; i++) {
        if (strcmp(self->venues[i].name, name) == 0)
            return &self->venues[i];
    }
    if (self->n_venues == PAPER_VENUES)
        return NULL;
    struct paper_venue *venue = &self->venues[self->n_venues++];
    text_set(venue->name, sizeof venue->name, name);
    return venue;
}
