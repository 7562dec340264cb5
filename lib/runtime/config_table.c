#include "lib/runtime/config_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"

/* ---- the tables ------------------------------------------------------------------------------------ */

#define SECTION(name, doc)                                                                                   \
    static const struct setting *name##_settings(void)                                                       \
    {                                                                                                        \
        typedef __typeof__(((struct config *)0)->name) part_type;                                            \
        static const struct setting settings[] = {
#define END_SECTION(name)                                                                                    \
    {                                                                                                        \
        0                                                                                                    \
    }                                                                                                        \
    }                                                                                                        \
    ;                                                                                                        \
    return settings;                                                                                         \
    }
#define ITEMS(name, max, doc)                                                                                \
    _Static_assert(CONFIG_MAX_##name == (max), "CONFIG_MAX_" #name " and config.def differ");                \
    static const struct setting *name##_settings(void)                                                       \
    {                                                                                                        \
        typedef struct config_##name part_type;                                                              \
        static const struct setting settings[] = {
#define END_ITEMS(name)                     END_SECTION(name)
#define PLACE(name)                         offsetof(part_type, name), sizeof(((part_type *)0)->name)
#define KEY_TEXT(name, bytes, default, doc) {#name, SETTING_TEXT, PLACE(name), default, 0, 0, NULL, doc, false},
#define KEY_OPTIONAL(name, bytes, doc)      {#name, SETTING_TEXT, PLACE(name), "", 0, 0, NULL, doc, true},
#define KEY_CHOICE(name, default, choices, doc)                                                              \
    {#name, SETTING_CHOICE, PLACE(name), default, 0, 0, choices, doc, false},
#define KEY_INT(name, default, min, max, doc)                                                                \
    {#name, SETTING_INT, PLACE(name), #default, INT64_C(min), INT64_C(max), NULL, doc, false},
#define KEY_BOOL(name, default, doc)  {#name, SETTING_BOOL, PLACE(name), #default, 0, 0, NULL, doc, false},
#define KEY_DEC(name, default, doc)   {#name, SETTING_DEC, PLACE(name), default, 0, 0, NULL, doc, false},
#define KEY_MONEY(name, default, doc) {#name, SETTING_MONEY, PLACE(name), default, 0, 0, NULL, doc, false},
/* clang-format off */
#include "lib/runtime/config.def"
/* clang-format on */
#undef SECTION
#undef END_SECTION
#undef ITEMS
#undef END_ITEMS
#undef KEY_TEXT
#undef KEY_OPTIONAL
#undef KEY_CHOICE
#undef KEY_INT
#undef KEY_BOOL
#undef KEY_DEC
#undef KEY_MONEY

#define SECTION(name, doc) {#name, doc, offsetof(struct config, name), 0, 0, 0, name##_settings},
#define END_SECTION(name)
#define ITEMS(name, max, doc)                                                                                \
    {#name,                                                                                                  \
     doc,                                                                                                    \
     offsetof(struct config, name),                                                                          \
     sizeof(struct config_##name),                                                                           \
     offsetof(struct config, n_##name),                                                                      \
     max,                                                                                                    \
     name##_settings},
#define END_ITEMS(name)
#define KEY_TEXT(name, bytes, default, doc)
#define KEY_OPTIONAL(name, bytes, doc)
#define KEY_CHOICE(name, default, choices, doc)
#define KEY_INT(name, default, min, max, doc)
#define KEY_BOOL(name, default, doc)
#define KEY_DEC(name, default, doc)
#define KEY_MONEY(name, default, doc)
/* clang-format off */
static const struct part parts[] = {
#include "lib/runtime/config.def"
    {0}
};
/* clang-format on */

/* ---- walking --------------------------------------------------------------------------------------- */

const struct part *config_parts(void)
{
    return parts;
}

static bool same(const char *name, const char *text, size_t len)
{
    return strlen(name) == len && memcmp(name, text, len) == 0;
}

const struct part *config_part(const char *name, size_t len)
{
    for (const struct part *p = parts; p->name != NULL; p++) {
        if (same(p->name, name, len))
            return p;
    }
    return NULL;
}

const struct setting *part_setting(const struct part *part, const char *name, size_t len)
{
    for (const struct setting *s = part->settings(); s->name != NULL; s++) {
        if (same(s->name, name, len))
            return s;
    }
    return NULL;
}

void *setting_field(struct config *c, const struct part *part, uint32_t item, const struct setting *setting)
{
    return (char *)c + part->offset + (size_t)item * part->item_size + setting->offset;
}

uint32_t *part_count(struct config *c, const struct part *part)
{
    return (uint32_t *)(void *)((char *)c + part->count_offset);
}

bool setting_required(const struct part *part, const struct setting *setting)
{
    return part->item_size != 0 && setting->kind == SETTING_TEXT && !setting->optional &&
           setting->fallback[0] == '\0';
}

void part_defaults(struct config *c, const struct part *part, uint32_t item)
{
    if (part->item_size != 0)
        memset((char *)c + part->offset + (size_t)item * part->item_size, 0, part->item_size);
    for (const struct setting *s = part->settings(); s->name != NULL; s++) {
        void *field = setting_field(c, part, item, s);
        struct complaint why;
        if (setting_required(part, s)) {
            memset(field, 0, s->size);
            continue;
        }
        if (setting_assign(part, s, field, s->fallback, strlen(s->fallback), &why) != OK) {
            fprintf(stderr, "config.def: default of %s.%s: \"%s\" %s\n", part->name, s->name, s->fallback,
                    why.about);
            abort();
        }
    }
}

void config_defaults(struct config *c)
{
    memset(c, 0, sizeof *c);
    for (const struct part *p = parts; p->name != NULL; p++) {
        if (p->item_size == 0)
            part_defaults(c, p, 0);
    }
}

/* ---- names ------------------------------------------------------------------------------------------ */

void part_names(const char *out[PART_NAMES_MAX])
{
    size_t n = 0;
    for (const struct part *p = parts; p->name != NULL && n < PART_NAMES_MAX - 1; p++)
        out[n++] = p->name;
    out[n] = NULL;
}

void setting_names(const struct part *part, const char *out[PART_NAMES_MAX])
{
    size_t n = 0;
    for (const struct setting *s = part->settings(); s->name != NULL && n < PART_NAMES_MAX - 1; s++)
        out[n++] = s->name;
    out[n] = NULL;
}

void names_suggest(const char *name, const char *const *known, char *out, size_t cap)
{
    const char *near = text_nearest(name, known);
    if (near != NULL) {
        snprintf(out, cap, "; did you mean %s?", near);
        return;
    }
    size_t at = (size_t)snprintf(out, cap, "; known:");
    for (size_t i = 0; known[i] != NULL && at + strlen(known[i]) + 3 < cap; i++)
        at += (size_t)snprintf(out + at, cap - at, "%s %s", i == 0 ? "" : ",", known[i]);
}

/* Copies text for an error line: cut when long, control characters as '?'. Returns its length. */
static size_t copy_shown(const char *text, size_t len, char *out, size_t room)
{
    const size_t n = len < room ? len : room - 3;
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
    if (n == len)
        return n;
    memcpy(out + n, "...", 3);
    return n + 3;
}

const char *name_shown(const char *text, size_t len, char out[SHOWN_MAX])
{
    out[copy_shown(text, len, out, SHOWN_MAX - 1)] = '\0';
    return out;
}

const char *value_shown(const char *text, size_t len, char out[SHOWN_MAX])
{
    bool number = len > 0;
    for (size_t i = 0; i < len; i++)
        number = number && text[i] != '\0' && strchr("0123456789.-", text[i]) != NULL;
    size_t n = 0;
    if (!number)
        out[n++] = '"';
    n += copy_shown(text, len, out + n, SHOWN_MAX - 3);
    if (!number)
        out[n++] = '"';
    out[n] = '\0';
    return out;
}
