/* What bytes from outside must satisfy before anything believes them.
 *
 * The structure walk reads msgpack's type bytes and lengths only. It never recurses and never allocates, so
 * that what comes after it (msgpack-c) only sees values that are whole and counts that are true.
 */
#ifndef SLUICE_PROTO_GUARD_H
#define SLUICE_PROTO_GUARD_H

#include <stddef.h>
#include <stdint.h>

enum { GUARD_DEPTH_MAX = 8 }; /* containers within each other; our deepest message has 5 */

enum guard {
    GUARD_WHOLE,     /* exactly one value, whole */
    GUARD_TRUNCATED, /* a value ends behind the bytes, or a container counts more values than bytes are left */
    GUARD_RESERVED,  /* the type byte that msgpack never uses */
    GUARD_DEEP,      /* containers nested deeper than GUARD_DEPTH_MAX */
    GUARD_TRAILING   /* bytes behind the value */
};

/* Walks one msgpack value. `at` is where it stopped: the offset of the value at fault, or len. */
enum guard guard_walk(const void *bytes, size_t len, size_t *at);

/* How many of the bytes are valid UTF-8 without a NUL: len when all are. */
size_t guard_text(const char *text, size_t len);

#endif
