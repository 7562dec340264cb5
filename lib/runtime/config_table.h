/* The settings of config.def as tables: what the reader, the writer and the documentation walk. Internal to the
 * config_*.c files.
 */
#ifndef SLUICE_RUNTIME_CONFIG_TABLE_H
#define SLUICE_RUNTIME_CONFIG_TABLE_H

#include "lib/runtime/config.h"

enum setting_kind { SETTING_TEXT, SETTING_CHOICE, SETTING_INT, SETTING_BOOL, SETTING_DEC, SETTING_MONEY };

struct setting {
    const char *name;
    enum setting_kind kind;
    size_t offset; /* in its section, or in its item */
    size_t size;   /* of the field; a text's with its NUL */
    const char *fallback;
    int64_t min, max;    /* SETTING_INT */
    const char *choices; /* SETTING_CHOICE: "a|b|c" */
    const char *doc;
    bool optional; /* a text that may stay empty, also in an item */
};

/* A section, or a list of items. */
struct part {
    const char *name;
    const char *doc;
    size_t offset;                           /* of the section, or of the first item */
    size_t item_size;                        /* lists; a section has 0 */
    size_t count_offset;                     /* lists: where the uint32_t count is */
    uint32_t max;                            /* lists: most items */
    const struct setting *(*settings)(void); /* ends with name NULL */
};

enum { PART_NAMES_MAX = 32 };

/* All parts in the order of config.def; ends with name NULL. */
const struct part *config_parts(void);
const struct part *config_part(const char *name, size_t len);
const struct setting *part_setting(const struct part *part, const char *name, size_t len);

/* Where a setting's field is; item is 0 for a section. */
void *setting_field(struct config *c, const struct part *part, uint32_t item, const struct setting *setting);
uint32_t *part_count(struct config *c, const struct part *part);

/* Sets the fields of one section or item to their defaults. */
void part_defaults(struct config *c, const struct part *part, uint32_t item);

/* True where an item is not whole without it. */
bool setting_required(const struct part *part, const struct setting *setting);

/* Why a value was refused. In a file: VALUE about; expected EXPECTED. */
struct complaint {
    char about[160];
    char expected[160];
    bool about_is_enough; /* about says what was expected */
};

/* Reads a value's text into its field. E_SYNTAX, E_RANGE; the field is then as before. */
int setting_assign(const struct part *part, const struct setting *setting, void *field, const char *text,
                   size_t len, struct complaint *why);

/* A value as errors show it: in quotes unless it is a number, cut when long, control characters as '?'. */
enum { SHOWN_MAX = 80 };
const char *value_shown(const char *text, size_t len, char out[SHOWN_MAX]);
const char *name_shown(const char *text, size_t len, char out[SHOWN_MAX]); /* the same, never in quotes */

/* "; did you mean X?", or the list of known names, for an unknown name. */
void names_suggest(const char *name, const char *const *known, char *out, size_t cap);
void part_names(const char *out[PART_NAMES_MAX]);
void setting_names(const struct part *part, const char *out[PART_NAMES_MAX]);

#endif
