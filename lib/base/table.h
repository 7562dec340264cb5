/* A hash table of fixed capacity from short byte strings to small indexes: names are interned once, and
 * everything after works on indexes. All memory is taken in table_new; entries are never removed. Open
 * addressing. Indexes are 0, 1, 2, ... in order of insertion. */
#ifndef SLUICE_BASE_TABLE_H
#define SLUICE_BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table;

/* capacity: entries; key_bytes: longest key. NULL when out of memory. */
struct table *table_new(uint32_t capacity, uint32_t key_bytes);
void table_destroy(struct table **self);

/* Index of the key, or E_ABSENT. */
int table_find(const struct table *self, const void *key, size_t len);

/* Index of the key, inserted if it was not there. E_FULL; E_RANGE when the key is too long. */
int table_intern(struct table *self, const void *key, size_t len);

uint32_t table_count(const struct table *self);

/* The key at an index, NUL-terminated. */
const char *table_key(const struct table *self, uint32_t index);

/* FNV-1a, 64 bit; seed with FNV_OFFSET, or with the hash so far. */
#define FNV_OFFSET 0xcbf29ce484222325u
uint64_t fnv1a(uint64_t hash, const void *bytes, size_t len);

/* Eight bytes at a time, for what is hashed with every message. Seeded as fnv1a; of the host's byte order. */
uint64_t hash_words(uint64_t hash, const void *bytes, size_t len);

#endif
