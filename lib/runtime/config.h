/* Configuration: struct config made from config.def, filled from defaults, a YAML file, the environment and
 * the command line, in that order, each overriding the one before.
 *
 * Reading is strict: an unknown key or section, a wrong type or a value out of bounds is an error that names
 * file, line, key, value, what was expected, and for an unknown key the nearest known one.
 */
#ifndef SLUICE_RUNTIME_CONFIG_H
#define SLUICE_RUNTIME_CONFIG_H

#include <stdio.h>

#include "lib/base/decimal.h"

#define SECTION(name, doc)                      struct {
#define END_SECTION(name)                       } name;
#define KEY_TEXT(name, bytes, default, doc)     char name[bytes];
#define KEY_OPTIONAL(name, bytes, doc)          char name[bytes];
#define KEY_CHOICE(name, default, choices, doc) char name[16];
#define KEY_INT(name, default, min, max, doc)   int64_t name;
#define KEY_BOOL(name, default, doc)            bool name;
#define KEY_DEC(name, default, doc)             struct dec name;
#define KEY_MONEY(name, default, doc)           money name;
#define ITEMS(name, max, doc)                   uint32_t n_##name; struct config_##name {
#define END_ITEMS(name)                         } name[CONFIG_MAX_##name];
enum { CONFIG_MAX_venues = 16, CONFIG_MAX_fees = 64, CONFIG_MAX_balances = 256, CONFIG_MAX_routes = 1024, CONFIG_MAX_pins = 64, CONFIG_MAX_recordings = 64 };
struct config {
#include "lib/runtime/config.def"
};
#undef SECTION
#undef END_SECTION
#undef KEY_TEXT
#undef KEY_OPTIONAL
#undef KEY_CHOICE
#undef KEY_INT
#undef KEY_BOOL
#undef KEY_DEC
#undef KEY_MONEY
#undef ITEMS
#undef END_ITEMS

enum { CONFIG_ERROR_MAX = 512 };

void config_defaults(struct config *c);

/* Lays a YAML file over c. E_IO, E_SYNTAX, E_ABSENT (unknown key), E_TYPE, E_RANGE; words in error. A list in
 * the file replaces the whole list; in an item every text without a default must be given. On an error c is as
 * before. Amounts are never negative. */
int config_load(struct config *c, const char *path, char error[CONFIG_ERROR_MAX]);

/* The same for len bytes of YAML; `name` stands for the path in errors. */
int config_load_text(struct config *c, const char *name, const char *text, size_t len, char error[CONFIG_ERROR_MAX]);

/* Lays one setting over c: key is "section.key", or "list.index.key" ("fees.0.taker_bps"; index = count appends). */
int config_set(struct config *c, const char *key, const char *value, char error[CONFIG_ERROR_MAX]);

/* Lays every SLUICE__SECTION__KEY of the environment over c. SLUICE__ names that fit nothing are errors.
 * Lists: SLUICE__FEES__0__TAKER_BPS. On an error c is as before. */
int config_environment(struct config *c, char *const *environment, char error[CONFIG_ERROR_MAX]);

/* Writes all settings as YAML that config_load reads back to an equal config; with_docs adds each key's doc,
 * unit and bounds as comments. */
void config_write(const struct config *c, FILE *out, bool with_docs);

/* docs/configuration.md: all sections and keys as tables. */
void config_document(FILE *out);

#endif
