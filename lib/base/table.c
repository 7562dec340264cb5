/* Names to indexes. A slot holds index + 1 (0: empty), so that a cleared array is an empty table; slots are
 * at least twice the entries, so that a probe is short and always meets an empty slot. */
#include "lib/base/table.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"

struct entry {
    uint64_t hash;
    uint32_t len;
};

struct table {
    uint32_t capacity;
    uint32_t count;
    uint32_t key_bytes;
    size_t stride; /* of keys: key_bytes and the NUL */
    uint32_t mask; /* slots - 1 */
    uint32_t *slots;
    struct entry *entries;
    char *keys;
};

uint64_t fnv1a(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ p[i]) * 0x100000001b3u;
    }
    return hash;
}

uint64_t hash_words(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    uint64_t word;
    hash ^= len;
    for (; len >= sizeof word; p += sizeof word, len -= sizeof word) {
        memcpy(&word, p, sizeof word);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    word = 0;
    memcpy(&word, p, len);
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

struct table *table_new(uint32_t capacity, uint32_t key_bytes)
{
    if (capacity > INT32_MAX / 4) {
        return NULL;
    }
    struct table *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    uint32_t slots = 4;
    while (slots < 2 * capacity) {
        slots *= 2;
    }
    size_t room = capacity > 0 ? capacity : 1;
    self->capacity = capacity;
    self->key_bytes = key_bytes;
    self->stride = (size_t)key_bytes + 1;
    self->mask = slots - 1;
    self->slots = calloc(slots, sizeof *self->slots);
    self->entries = calloc(room, sizeof *self->entries);
    self->keys = calloc(room, self->stride);
    if (self->slots == NULL || self->entries == NULL || self->keys == NULL) {
        table_destroy(&self);
    }
    return self;
}

void table_destroy(struct table **self)
{
    if (*self == NULL) {
        return;
    }
    free((*self)->slots);
    free((*self)->entries);
    free((*self)->keys);
    free(*self);
    *self = NULL;
}

static char *key_at(const struct table *self, uint32_t index)
{
    return self->keys + index * self->stride;
}

/* The slot that holds the key, or the empty one where it belongs. */
static uint32_t probe(const struct table *self, uint64_t hash, const void *key, size_t len)
{
    uint32_t slot = (uint32_t)(hash ^ hash >> 32) & self->mask;
    for (; self->slots[slot] != 0; slot = (slot + 1) & self->mask) {
        uint32_t index = self->slots[slot] - 1;
        const struct entry *entry = &self->entries[index];
        if (entry->hash == hash && entry->len == len && memcmp(key_at(self, index), key, len) == 0) {
            break;
        }
    }
    return slot;
}

int table_find(const struct table *self, const void *key, size_t len)
{
    uint32_t slot = probe(self, hash_words(FNV_OFFSET, key, len), key, len);
    return self->slots[slot] == 0 ? E_ABSENT : (int)(self->slots[slot] - 1);
}

int table_intern(struct table *self, const void *key, size_t len)
{
    if (len > self->key_bytes) {
        return E_RANGE;
    }
    uint64_t hash = hash_words(FNV_OFFSET, key, len);
    uint32_t slot = probe(self, hash, key, len);
    if (self->slots[slot] != 0) {
        return (int)(self->slots[slot] - 1);
    }
    if (self->count == self->capacity) {
        return E_FULL;
    }
    uint32_t index = self->count++;
    self->entries[index] = (struct entry){.hash = hash, .len = (uint32_t)len};
    memcpy(key_at(self, index), key, len);
    self->slots[slot] = index + 1;
    return (int)index;
}

uint32_t table_count(const struct table *self)
{
    return self->count;
}

const char *table_key(const struct table *self, uint32_t index)
{
    return key_at(self, index);
}
