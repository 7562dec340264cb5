/* Small work on names. */
#ifndef SLUICE_BASE_TEXT_H
#define SLUICE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Copies text into a fixed field of cap bytes, NUL-terminated, the rest zeroed. Returns false, and writes
 * an empty field, when it does not fit. */
bool text_set(char *field, size_t cap, const char *text);

/* The name nearest to `name` by edit distance (Damerau-Levenshtein), among `names` (ends with NULL), if it
 * is near enough to be what was meant; else NULL. */
const char *text_nearest(const char *name, const char *const *names);

/* One of the prefixes, which commas separate, begins the text; an empty one begins none. */
bool text_begins_with_one_of(const char *text, const char *prefixes);

#endif
