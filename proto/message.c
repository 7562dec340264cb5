#include "proto/message.h"

#include <string.h>

/* ---- enums ---------------------------------------------------------------------------------------- */

#include "proto/dictionary_none.h"
#undef ENUM
#undef VALUE
#undef END_ENUM
#define ENUM(name)                          static const struct enum_value name##_values[] = {
#define VALUE(enum_name, constant, n, text) {n, text},
#define END_ENUM(name)                                                                                       \
    {                                                                                                        \
        0, NULL                                                                                              \
    }                                                                                                        \
    }                                                                                                        \
    ;                                                                                                        \
    static const struct enum_kind name##_kind = {#name, name##_values};                                      \
    const char *name##_text(enum name number)                                                                \
    {                                                                                                        \
        return enum_text(&name##_kind, (int)number);                                                         \
    }
#include "proto/dictionary.def"

static const struct enum_kind *const all_enums[] = {
#include "proto/dictionary_none.h"
#undef ENUM
#define ENUM(name) &name##_kind,
#include "proto/dictionary.def"
    NULL};

/* ---- records and messages --------------------------------------------------------------------------- */

/* The fields of a record stand in a function of their own, so that `self` can name its struct there. */
#include "proto/dictionary_none.h"
#undef RECORD
#undef END_RECORD
#undef MESSAGE
#undef END_MESSAGE
#undef FIELD
#undef FIELD_STR
#undef FIELD_ENUM
#undef FIELD_LIST
#define RECORD(record_name, record_doc)                                                                      \
    static const struct field *record_name##_fields(void);                                                   \
    static const struct record_kind record_name##_record = {#record_name, record_doc, record_name##_fields,  \
                                                            sizeof(struct record_name)};                     \
    static const struct field *record_name##_fields(void)                                                    \
    {                                                                                                        \
        typedef struct record_name self;                                                                     \
        static const struct field fields[] = {
#define END_RECORD(record_name)                                                                              \
    {                                                                                                        \
        .name = NULL                                                                                         \
    }                                                                                                        \
    }                                                                                                        \
    ;                                                                                                        \
    return fields;                                                                                           \
    }
#define MESSAGE(message_name, constant, n, class, doc) RECORD(message_name, doc)
#define END_MESSAGE(message_name)                      END_RECORD(message_name)
#define FIELD(field_kind, field_name, field_doc)                                                             \
    {.name = #field_name, .kind = FIELD_##field_kind, .offset = offsetof(self, field_name), .doc = field_doc},
#define FIELD_STR(field_name, bytes, field_doc)                                                              \
    {.name = #field_name,                                                                                    \
     .kind = FIELD_STR,                                                                                      \
     .offset = offsetof(self, field_name),                                                                   \
     .size = bytes,                                                                                          \
     .doc = field_doc},
#define FIELD_ENUM(field_name, enum_name, field_doc)                                                         \
    {.name = #field_name,                                                                                    \
     .kind = FIELD_ENUM,                                                                                     \
     .offset = offsetof(self, field_name),                                                                   \
     .values = &enum_name##_kind,                                                                            \
     .doc = field_doc},
#define FIELD_LIST(field_name, record_name, max_count, field_doc)                                            \
    {.name = #field_name,                                                                                    \
     .kind = FIELD_LIST,                                                                                     \
     .offset = offsetof(self, field_name),                                                                   \
     .size = sizeof(struct record_name),                                                                     \
     .max = max_count,                                                                                       \
     .count_offset = offsetof(self, n_##field_name),                                                         \
     .record = &record_name##_record,                                                                        \
     .doc = field_doc},
#include "proto/dictionary.def"

static const struct record_kind *const all_records[] = {
#include "proto/dictionary_none.h"
#undef RECORD
#define RECORD(name, doc) &name##_record,
#include "proto/dictionary.def"
    NULL};

#include "proto/dictionary_none.h"
#undef MESSAGE
#define MESSAGE(message_name, constant, n, message_class, doc)                                               \
    static const struct message_kind message_name##_message = {constant, CLASS_##message_class,              \
                                                               &message_name##_record};
#include "proto/dictionary.def"

static const struct message_kind *const all_messages[] = {
#include "proto/dictionary_none.h"
#undef MESSAGE
#define MESSAGE(name, constant, n, message_class, doc) &name##_message,
#include "proto/dictionary.def"
    NULL};

static const struct message_kind *const message_of_type[MESSAGE_TYPE_MAX + 1] = {
#include "proto/dictionary_none.h"
#undef MESSAGE
#define MESSAGE(name, constant, n, message_class, doc) [n] = &name##_message,
#include "proto/dictionary.def"
};

const struct message_kind *message_kind(uint32_t type)
{
    return type <= MESSAGE_TYPE_MAX ? message_of_type[type] : NULL;
}

const struct message_kind *message_kind_named(const char *name)
{
    for (const struct message_kind *const *k = all_messages; *k; k++)
        if (strcmp((*k)->body->name, name) == 0)
            return *k;
    return NULL;
}

const struct message_kind *const *message_kinds(void)
{
    return all_messages;
}

const struct enum_kind *const *enum_kinds(void)
{
    return all_enums;
}

const struct record_kind *const *record_kinds(void)
{
    return all_records;
}

uint32_t count_of_fields(const struct field *fields)
{
    uint32_t n = 0;
    while (fields[n].name)
        n++;
    return n;
}

const struct field *record_field(const struct record_kind *record, const char *name)
{
    for (const struct field *f = record->fields(); f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

const char *enum_text(const struct enum_kind *kind, int number)
{
    for (const struct enum_value *v = kind->values; v->text; v++)
        if (v->number == number)
            return v->text;
    return "?";
}

bool enum_listed(const struct enum_kind *kind, int64_t number)
{
    for (const struct enum_value *v = kind->values; v->text; v++)
        if (v->number == number)
            return true;
    return false;
}

int enum_number(const struct enum_kind *kind, const char *text)
{
    for (const struct enum_value *v = kind->values; v->text; v++)
        if (strcmp(v->text, text) == 0)
            return v->number;
    return -1;
}

void message_init(struct message *m, enum message_type type)
{
    memset(m, 0, offsetof(struct message, inst) + message_of_type[type]->body->size);
    m->env.type = type;
}

void message_copy(struct message *to, const struct message *from)
{
    const struct message_kind *kind = message_kind(from->env.type);
    memcpy(to, from, offsetof(struct message, inst) + (kind ? kind->body->size : 0));
}

const char *hop_text(enum hop hop)
{
    static const char *const texts[HOP_COUNT] = {"feed_out", "strategy_in", "strategy_out", "risk_in",
                                                 "risk_out", "exec_in",     "exec_out",     "exec_fill"};
    return (unsigned)hop < HOP_COUNT ? texts[hop] : "?";
}

/* ---- comparing ------------------------------------------------------------------------------------- */

/* Bytes of a plain value of a kind. */
static size_t value_size(enum field_kind kind)
{
    switch (kind) {
    case FIELD_U32:
    case FIELD_I32:
    case FIELD_ENUM:
        return 4;
    case FIELD_BOOL:
    case FIELD_EXP:
        return 1;
    case FIELD_MONEY:
        return sizeof(money);
    default:
        return 8;
    }
}

static bool record_equal(const struct field *fields, const char *a, const char *b);

static bool list_equal(const struct field *f, const char *a, const char *b)
{
    uint32_t count;
    if (memcmp(a + f->count_offset, b + f->count_offset, sizeof(count)) != 0)
        return false;
    memcpy(&count, a + f->count_offset, sizeof(count));
    for (uint32_t i = 0; i < count && i < f->max; i++) {
        size_t at = f->offset + (size_t)i * f->size;
        if (!record_equal(f->record->fields(), a + at, b + at))
            return false;
    }
    return true;
}

static bool record_equal(const struct field *fields, const char *a, const char *b)
{
    for (const struct field *f = fields; f->name; f++) {
        const void *x = a + f->offset;
        const void *y = b + f->offset;
        bool equal;
        if (f->kind == FIELD_LIST)
            equal = list_equal(f, a, b);
        else if (f->kind == FIELD_STR)
            equal = strncmp(x, y, f->size) == 0;
        else if (f->kind == FIELD_DEC)
            equal = ((const struct dec *)x)->m == ((const struct dec *)y)->m &&
                    ((const struct dec *)x)->exp == ((const struct dec *)y)->exp;
        else
            equal = memcmp(x, y, value_size(f->kind)) == 0;
        if (!equal)
            return false;
    }
    return true;
}

bool message_equal(const struct message *a, const struct message *b)
{
    const struct envelope *x = &a->env;
    const struct envelope *y = &b->env;
    const struct message_kind *kind = message_kind(x->type);
    return kind && x->type == y->type && strncmp(x->stream, y->stream, sizeof(x->stream)) == 0 &&
           x->epoch == y->epoch && x->seq == y->seq && x->pos == y->pos && x->time_out == y->time_out &&
           memcmp(&x->trace, &y->trace, sizeof(x->trace)) == 0 &&
           record_equal(kind->body->fields(), (const char *)&a->inst, (const char *)&b->inst);
}
