/* JSON as a flat list of nodes, each with the number's or string's own text: nothing passes through a
 * double. simdjson does the parsing, behind json.cc.
 *
 * Nodes stand in document order. A container's children follow it directly; `next` is the index of the
 * first node behind the whole subtree. An object's children alternate key (a STRING), value.
 * Texts point into the parser's own copy and live until its next json_parse.
 */
#ifndef SLUICE_BASE_JSON_H
#define SLUICE_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/number.h"

#ifdef __cplusplus
extern "C" {
#endif

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_node {
    const char *text; /* NUMBER: as written; STRING: between the quotes, escapes as written */
    uint32_t len;
    uint32_t next;
    uint32_t size; /* ARRAY: elements; OBJECT: members */
    enum json_kind kind;
};

struct json;

/* A parser; its buffers grow to the largest document seen and stay. NULL when out of memory. */
struct json *json_new(void);
void json_destroy(struct json **self);

/* Parses one document of len bytes; depth at most 32. The whole of it is checked but for what follows a
 * backslash, which json_unescape checks. E_SYNTAX, E_RANGE (over 256 MB), E_FULL (out of memory), each with
 * json_error in words. The root is node 0. */
int json_parse(struct json *self, const char *text, size_t len);
const char *json_error(const struct json *self);

/* NULL unless the last json_parse was OK. */
const struct json_node *json_root(const struct json *self);

/* First child (of an object: the first key), or NULL; the node behind `node` under the same parent, or NULL. */
const struct json_node *json_first(const struct json *self, const struct json_node *parent);
const struct json_node *json_after(const struct json *self, const struct json_node *parent,
                                   const struct json_node *node);

/* Value of a member; NULL when it is absent, or when `object` is NULL or no object. Of equal keys the first. */
const struct json_node *json_get(const struct json *self, const struct json_node *object, const char *key);

bool json_is(const struct json_node *node, const char *text); /* a STRING equal to text, as written */

/* Conversions; a number may also stand in quotes, as venues send it. E_TYPE, E_SYNTAX (for the
 * whole ones also digits behind the point), E_RANGE; E_ABSENT for NULL. */
int json_dec(const struct json_node *node, struct dec *out);
int json_u64(const struct json_node *node, uint64_t *out);
int json_i64(const struct json_node *node, int64_t *out);

/* Unescapes a STRING into out (at most node->len bytes needed; no NUL is added), returns its length, or
 * E_TYPE, E_SYNTAX, E_RANGE (cap is too small), E_ABSENT for NULL. */
int json_unescape(const struct json_node *node, char *out, size_t cap);

/* Copies a STRING without escapes into a C string field, the rest zeroed; E_TYPE, E_SYNTAX (it has escapes),
 * E_RANGE, E_ABSENT for NULL. */
int json_text(const struct json_node *node, char *out, size_t cap);

/* Whether a text is UTF-8, as a JSON document must be. */
bool json_utf8(const char *text, size_t len);

#ifdef __cplusplus
}
#endif

#endif
