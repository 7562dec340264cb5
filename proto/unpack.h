/* msgpack values in memory, as the decoder reads them.
 *
 * It is msgpack-c's own reader, its unpack template, set up for a value of 16 bytes in an array that is taken
 * once. The library's own object has 24 bytes in a zone, and took most of a book's decoding time.
 */
#ifndef SLUICE_PROTO_UNPACK_H
#define SLUICE_PROTO_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum value_type {
    VALUE_NIL,
    VALUE_BOOL,     /* number 0 or 1 */
    VALUE_UINT,     /* number */
    VALUE_NEGATIVE, /* number, as int64_t */
    VALUE_FLOAT,    /* not read: no field is one */
    VALUE_STR,      /* size bytes at text, within the frame; never NULL */
    VALUE_BYTES,    /* not read, nor is its text */
    VALUE_EXTENSION,
    VALUE_ARRAY, /* size values at items */
    VALUE_MAP    /* not read, nor are its pairs */
};

struct value {
    union {
        uint64_t number;
        const char *text;
        struct value *items;
    };
    uint32_t size;
    uint32_t type; /* enum value_type */
};

struct value_pool {
    struct value *values;
    size_t used;
    size_t cap;
};

/* Reads one value that guard_walk found whole. Its arrays' items are taken from the pool, which is emptied
 * before: as many values as the frame has bytes are always enough. False where msgpack-c finds no value, or
 * the pool is too small. */
bool unpack_value(const void *bytes, size_t len, struct value_pool *pool, struct value *out);

#endif
