/* YAML files, by libyaml's document form: its nodes know their lines, and aliases are resolved in it. The
 * walk goes three levels deep at the most (section, item, key), so a document that contains itself does no
 * harm.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "lib/runtime/config_table.h"

enum { FILE_BYTES_MAX = 1024 * 1024, KEY_MAX = 160 };

struct reading {
    struct config *config;
    yaml_document_t *document;
    const char *name;
    const char *text;
    size_t len;
    char *error;
};

/* Writes "FILE:LINE: words". A long path shows its end. */
static int complain(const struct reading *r, size_t line, int status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static int complain(const struct reading *r, size_t line, int status, const char *format, ...)
{
    const size_t len = strlen(r->name), most = 160;
    const int n = snprintf(r->error, CONFIG_ERROR_MAX, "%s%s:%zu: ", len > most ? "..." : "",
                           r->name + (len > most ? len - most : 0), line + 1);
    va_list args;
    va_start(args, format);
    vsnprintf(r->error + n, CONFIG_ERROR_MAX - (size_t)n, format, args);
    va_end(args);
    return status;
}

static size_t line_of(const yaml_node_t *node)
{
    return node->start_mark.line;
}

static const char *kind_of(const yaml_node_t *node)
{
    switch (node->type) {
    case YAML_MAPPING_NODE:
        return "a mapping";
    case YAML_SEQUENCE_NODE:
        return "a list";
    default:
        return "a value";
    }
}

static bool is_null(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    const char *text = (const char *)node->data.scalar.value;
    return text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

/* Tags are refused but for the plain ones: "!secret x" is not the text x. */
static int check_tag(const struct reading *r, const yaml_node_t *node, const char *where)
{
    static const char plain[] = "tag:yaml.org,2002:";
    const char *tag = (const char *)node->tag;
    if (tag == NULL || strncmp(tag, plain, sizeof plain - 1) == 0)
        return OK;
    char shown[SHOWN_MAX];
    return complain(r, line_of(node), E_TYPE, "%s: tag %s is not known; expected none", where,
                    value_shown(tag, strlen(tag), shown));
}

/* The text of a mapping's key; NULL with an error where it is none, or stands there twice. */
static const yaml_node_t *key_at(const struct reading *r, const yaml_node_t *mapping,
                                 const yaml_node_pair_t *pair, const char *where)
{
    const yaml_node_t *key = yaml_document_get_node(r->document, pair->key);
    if (key->type != YAML_SCALAR_NODE) {
        complain(r, line_of(key), E_TYPE, "%s%skey is %s; expected a name", where,
                 where[0] != '\0' ? ": " : "", kind_of(key));
        return NULL;
    }
    for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < pair; p++) {
        const yaml_node_t *other = yaml_document_get_node(r->document, p->key);
        if (other->type == YAML_SCALAR_NODE && other->data.scalar.length == key->data.scalar.length &&
            memcmp(other->data.scalar.value, key->data.scalar.value, key->data.scalar.length) == 0) {
            char shown[SHOWN_MAX];
            complain(r, line_of(key), E_EXISTS, "%s%s%s: given twice; the first is on line %zu", where,
                     where[0] != '\0' ? "." : "",
                     name_shown((const char *)key->data.scalar.value, key->data.scalar.length, shown),
                     line_of(other) + 1);
            return NULL;
        }
    }
    return key;
}

static int read_value(const struct reading *r, const struct part *part, uint32_t item,
                      const struct setting *setting, const yaml_node_t *node, const char *where)
{
    if (node->type != YAML_SCALAR_NODE)
        return complain(r, line_of(node), E_TYPE, "%s: is %s; expected a value", where, kind_of(node));
    int status = check_tag(r, node, where);
    if (status != OK)
        return status;
    if (is_null(node))
        return complain(r, line_of(node), E_TYPE, "%s: has no value%s", where,
                        setting->kind == SETTING_TEXT ? "; write \"\" for an empty text" : "");
    const char *text = (const char *)node->data.scalar.value;
    const size_t len = node->data.scalar.length;
    struct complaint why;
    char shown[SHOWN_MAX];
    status = setting_assign(part, setting, setting_field(r->config, part, item, setting), text, len, &why);
    if (status != OK)
        complain(r, line_of(node), status, "%s: %s %s%s%s", where, value_shown(text, len, shown), why.about,
                 why.about_is_enough ? "" : "; expected ", why.about_is_enough ? "" : why.expected);
    return status;
}

static int read_keys(const struct reading *r, const struct part *part, uint32_t item,
                     const yaml_node_t *mapping, const char *where)
{
    int status = check_tag(r, mapping, where);
    if (status != OK)
        return status;
    for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < mapping->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *key = key_at(r, mapping, p, where);
        if (key == NULL)
            return E_SYNTAX;
        const char *name = (const char *)key->data.scalar.value;
        const struct setting *setting = part_setting(part, name, key->data.scalar.length);
        char path[KEY_MAX], shown[SHOWN_MAX];
        snprintf(path, sizeof path, "%.60s.%s", where, name_shown(name, key->data.scalar.length, shown));
        if (setting == NULL) {
            const char *names[PART_NAMES_MAX];
            char suggestion[300];
            setting_names(part, names);
            names_suggest(name, names, suggestion, sizeof suggestion);
            return complain(r, line_of(key), E_ABSENT, "%s: unknown key%s", path, suggestion);
        }
        status = read_value(r, part, item, setting, yaml_document_get_node(r->document, p->value), path);
        if (status != OK)
            return status;
    }
    return OK;
}

static int read_item(const struct reading *r, const struct part *part, uint32_t item, const yaml_node_t *node)
{
    char where[KEY_MAX];
    snprintf(where, sizeof where, "%s.%u", part->name, item);
    if (node->type != YAML_MAPPING_NODE)
        return complain(r, line_of(node), E_TYPE, "%s: is %s; expected a mapping such as {%s: ...}", where,
                        kind_of(node), part->settings()->name);
    part_defaults(r->config, part, item);
    const int status = read_keys(r, part, item, node, where);
    if (status != OK)
        return status;
    for (const struct setting *s = part->settings(); s->name != NULL; s++) {
        if (setting_required(part, s) && *(char *)setting_field(r->config, part, item, s) == '\0')
            return complain(r, line_of(node), E_ABSENT, "%s.%s: missing; expected %s", where, s->name,
                            s->doc);
    }
    return OK;
}

static int read_list(const struct reading *r, const struct part *part, const yaml_node_t *node)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return complain(r, line_of(node), E_TYPE, "%s: is %s; expected a list", part->name, kind_of(node));
    const int status = check_tag(r, node, part->name);
    if (status != OK)
        return status;
    const size_t n = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    if (n > part->max)
        return complain(r, line_of(node), E_RANGE, "%s: %zu items are too many; expected at most %u",
                        part->name, n, part->max);
    memset((char *)r->config + part->offset, 0, (size_t)part->max * part->item_size);
    for (size_t i = 0; i < n; i++) {
        const yaml_node_t *item = yaml_document_get_node(r->document, node->data.sequence.items.start[i]);
        const int read = read_item(r, part, (uint32_t)i, item);
        if (read != OK)
            return read;
    }
    *part_count(r->config, part) = (uint32_t)n;
    return OK;
}

static int read_part(const struct reading *r, const yaml_node_t *key, const yaml_node_t *node)
{
    const char *name = (const char *)key->data.scalar.value;
    const struct part *part = config_part(name, key->data.scalar.length);
    if (part == NULL) {
        const char *names[PART_NAMES_MAX];
        char suggestion[300], shown[SHOWN_MAX];
        part_names(names);
        names_suggest(name, names, suggestion, sizeof suggestion);
        name_shown(name, key->data.scalar.length, shown);
        return complain(r, line_of(key), E_ABSENT, "%s: unknown section%s", shown, suggestion);
    }
    if (is_null(node))
        return OK;
    if (part->item_size != 0)
        return read_list(r, part, node);
    if (node->type != YAML_MAPPING_NODE)
        return complain(r, line_of(node), E_TYPE, "%s: is %s; expected a mapping such as {%s: ...}",
                        part->name, kind_of(node), part->settings()->name);
    return read_keys(r, part, 0, node, part->name);
}

static int read_root(const struct reading *r)
{
    const yaml_node_t *root = yaml_document_get_root_node(r->document);
    if (root == NULL || is_null(root))
        return OK;
    if (root->type != YAML_MAPPING_NODE)
        return complain(r, line_of(root), E_TYPE,
                        "the file is %s; expected sections such as feed:", kind_of(root));
    for (const yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = key_at(r, root, p, "");
        if (key == NULL)
            return E_SYNTAX;
        const int status = read_part(r, key, yaml_document_get_node(r->document, p->value));
        if (status != OK)
            return status;
    }
    return OK;
}

static int syntax_error(const struct reading *r, const yaml_parser_t *parser)
{
    size_t line = parser->problem_mark.line;
    if (parser->error == YAML_READER_ERROR) { /* bytes that are no text have an offset instead of a mark */
        line = 0;
        for (size_t i = 0; i < parser->problem_offset && i < r->len; i++)
            line += r->text[i] == '\n';
    }
    if (parser->error == YAML_MEMORY_ERROR)
        return complain(r, 0, E_FULL, "out of memory");
    return complain(r, line, E_SYNTAX, "not YAML: %s%s%s", parser->context != NULL ? parser->context : "",
                    parser->context != NULL ? ", " : "",
                    parser->problem != NULL ? parser->problem : "unreadable");
}

/* Reads the one document there may be into r->config. */
static int read_document(struct reading *r, yaml_parser_t *parser)
{
    yaml_document_t document, second;
    if (!yaml_parser_load(parser, &document))
        return syntax_error(r, parser);
    r->document = &document;
    const bool empty = yaml_document_get_root_node(&document) == NULL;
    int status = read_root(r);
    yaml_document_delete(&document);
    if (status != OK || empty)
        return status;
    if (!yaml_parser_load(parser, &second))
        return syntax_error(r, parser);
    const yaml_node_t *root = yaml_document_get_root_node(&second);
    if (root != NULL)
        status = complain(r, second.start_mark.line, E_SYNTAX, "a second document; expected one");
    yaml_document_delete(&second);
    return status;
}

int config_load_text(struct config *c, const char *name, const char *text, size_t len,
                     char error[CONFIG_ERROR_MAX])
{
    struct reading r = {.name = name, .text = text, .len = len, .error = error};
    error[0] = '\0';
    if (len > FILE_BYTES_MAX)
        return complain(&r, 0, E_RANGE, "%zu bytes are too many; expected at most %d", len, FILE_BYTES_MAX);
    yaml_parser_t parser;
    r.config = malloc(sizeof *c);
    if (r.config == NULL || !yaml_parser_initialize(&parser)) {
        free(r.config);
        return complain(&r, 0, E_FULL, "out of memory");
    }
    memcpy(r.config, c, sizeof *c);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    const int status = read_document(&r, &parser);
    if (status == OK)
        memcpy(c, r.config, sizeof *c);
    yaml_parser_delete(&parser);
    free(r.config);
    return status;
}

int config_load(struct config *c, const char *path, char error[CONFIG_ERROR_MAX])
{
    FILE *file = fopen(path, "re");
    char *text = malloc(FILE_BYTES_MAX + 1);
    int status = E_IO;
    if (file == NULL || text == NULL) {
        snprintf(error, CONFIG_ERROR_MAX, "%.300s: %s", path, strerror(errno));
    } else {
        const size_t len = fread(text, 1, FILE_BYTES_MAX + 1, file);
        if (ferror(file))
            snprintf(error, CONFIG_ERROR_MAX, "%.300s: %s", path, strerror(errno));
        else
            status = config_load_text(c, path, text, len, error);
    }
    if (file != NULL)
        fclose(file);
    free(text);
    return status;
}
