/* Settings one by one: from the command line and from the environment. Files: config_yaml.c. */
#include "lib/runtime/config.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/runtime/config_table.h"

/* A setting that a dotted key or an environment name leads to. */
struct target {
    const struct part *part;
    const struct setting *setting;
    uint32_t item;
};

/* Follows "section.key" or "list.index.key". On failure `words` says why. */
static int find_target(struct config *c, const char *key, struct target *t, char *words, size_t cap)
{
    const char *names[PART_NAMES_MAX];
    char suggestion[320];
    const size_t first = strcspn(key, ".");
    t->part = config_part(key, first);
    if (t->part == NULL) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)(first < 63 ? first : 63), key);
        part_names(names);
        names_suggest(name, names, suggestion, sizeof suggestion);
        snprintf(words, cap, "unknown section%s", suggestion);
        return E_ABSENT;
    }
    const char *rest = key[first] == '.' ? key + first + 1 : "";
    t->item = 0;
    if (t->part->item_size != 0) {
        const uint32_t count = *part_count(c, t->part);
        char *end;
        const unsigned long index = isdigit((unsigned char)rest[0]) ? strtoul(rest, &end, 10) : ULONG_MAX;
        if (index == ULONG_MAX || *end != '.') {
            snprintf(words, cap, "expected %s.INDEX.KEY, with INDEX from 0", t->part->name);
            return E_SYNTAX;
        }
        if (index > count || index >= t->part->max) {
            snprintf(words, cap, "index %lu is out of bounds; %u are there, and at most %u can be", index,
                     count, t->part->max);
            return E_RANGE;
        }
        t->item = (uint32_t)index;
        rest = end + 1;
    }
    t->setting = part_setting(t->part, rest, strlen(rest));
    if (t->setting == NULL) {
        setting_names(t->part, names);
        names_suggest(rest, names, suggestion, sizeof suggestion);
        snprintf(words, cap, "unknown key%s", suggestion);
        return E_ABSENT;
    }
    return OK;
}

static int assign_target(struct config *c, const struct target *t, const char *value, struct complaint *why)
{
    const bool append = t->part->item_size != 0 && t->item == *part_count(c, t->part);
    if (append)
        part_defaults(c, t->part, t->item);
    const int status = setting_assign(t->part, t->setting, setting_field(c, t->part, t->item, t->setting),
                                      value, strlen(value), why);
    if (append && status == OK)
        ++*part_count(c, t->part);
    return status;
}

int config_set(struct config *c, const char *key, const char *value, char error[CONFIG_ERROR_MAX])
{
    struct target t;
    struct complaint why;
    char words[400], shown[SHOWN_MAX];
    error[0] = '\0';
    int status = find_target(c, key, &t, words, sizeof words);
    if (status != OK) {
        snprintf(error, CONFIG_ERROR_MAX, "%.100s: %s", key, words);
        return status;
    }
    status = assign_target(c, &t, value, &why);
    if (status != OK) {
        value_shown(value, strlen(value), shown);
        snprintf(error, CONFIG_ERROR_MAX, "%.100s: %s %s%s%s", key, shown, why.about,
                 why.about_is_enough ? "" : "; expected ", why.about_is_enough ? "" : why.expected);
    }
    return status;
}

/* ---- the environment --------------------------------------------------------------------------------- */

static const char prefix[] = "SLUICE__";

/* "SLUICE__FEES__0__TAKER_BPS" to "fees.0.taker_bps". False when it is too long to be a setting. */
static bool key_of_name(const char *name, size_t len, char *key, size_t cap)
{
    size_t n = 0;
    for (size_t i = sizeof prefix - 1; i < len; i++) {
        if (n + 1 >= cap)
            return false;
        if (name[i] == '_' && i + 1 < len && name[i + 1] == '_') {
            key[n++] = '.';
            i++;
        } else {
            key[n++] = (char)tolower((unsigned char)name[i]);
        }
    }
    key[n] = '\0';
    return true;
}

static int set_from_environment(struct config *c, const char *entry, char error[CONFIG_ERROR_MAX])
{
    const char *equals = strchr(entry, '=');
    const size_t len = equals != NULL ? (size_t)(equals - entry) : strlen(entry);
    const char *value = equals != NULL ? equals + 1 : "";
    struct target t;
    struct complaint why;
    char key[128], words[400] = "expected SLUICE__SECTION__KEY";
    int status =
        key_of_name(entry, len, key, sizeof key) ? find_target(c, key, &t, words, sizeof words) : E_SYNTAX;
    if (status == OK) {
        status = assign_target(c, &t, value, &why);
        if (status != OK)
            snprintf(words, sizeof words, "expected %s", why.expected);
    }
    if (status != OK)
        snprintf(error, CONFIG_ERROR_MAX, "%.80s: %s", entry, words);
    return status;
}

static int by_version(const void *a, const void *b)
{
    return strverscmp(*(char *const *)a, *(char *const *)b);
}

static int check_items(struct config *c, char error[CONFIG_ERROR_MAX])
{
    for (const struct part *p = config_parts(); p->name != NULL; p++) {
        for (uint32_t i = 0; p->item_size != 0 && i < *part_count(c, p); i++) {
            for (const struct setting *s = p->settings(); s->name != NULL; s++) {
                if (setting_required(p, s) && *(char *)setting_field(c, p, i, s) == '\0') {
                    snprintf(error, CONFIG_ERROR_MAX, "%s.%u.%s: missing", p->name, i, s->name);
                    return E_ABSENT;
                }
            }
        }
    }
    return OK;
}

int config_environment(struct config *c, char *const *environment, char error[CONFIG_ERROR_MAX])
{
    error[0] = '\0';
    size_t n = 0;
    for (size_t i = 0; environment[i] != NULL; i++)
        n += strncmp(environment[i], prefix, sizeof prefix - 1) == 0;
    if (n == 0)
        return OK;
    struct config *copy = malloc(sizeof *copy);
    char **entries = calloc(n, sizeof *entries);
    int status = E_FULL;
    if (copy == NULL || entries == NULL) {
        snprintf(error, CONFIG_ERROR_MAX, "out of memory");
        goto out;
    }
    n = 0;
    for (size_t i = 0; environment[i] != NULL; i++) {
        if (strncmp(environment[i], prefix, sizeof prefix - 1) == 0)
            entries[n++] = environment[i];
    }
    /* The environment has no order of its own; a list's items must come by rising index to be appended. */
    qsort(entries, n, sizeof *entries, by_version);
    memcpy(copy, c, sizeof *copy);
    status = OK;
    for (size_t i = 0; i < n && status == OK; i++)
        status = set_from_environment(copy, entries[i], error);
    if (status == OK)
        status = check_items(copy, error);
    if (status == OK)
        memcpy(c, copy, sizeof *c);
out:
    free(entries);
    free(copy);
    return status;
}
