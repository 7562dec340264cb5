/* Bytes to messages: codec.h's codec_decode. */
#include "proto/codec.h"
#include "proto/guard.h"
#include "proto/unpack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENVELOPE_FIELDS = 9, TRACE_FIELDS = 5 };

/* ---- refusing ------------------------------------------------------------------------------------- */

static const char *const drop_texts[DROP_COUNT] = {"none",      "empty",      "oversized",  "truncated",
                                                   "malformed", "envelope",   "version",    "unknown-type",
                                                   "fields",    "field-type", "field-range"};

const char *drop_text(enum drop why)
{
    return (unsigned)why < DROP_COUNT ? drop_texts[why] : "?";
}

/* What is being read, for the words of a drop. */
struct reading {
    struct drops *drops;
    const char *message;
    const char *list; /* NULL outside of a list */
    uint32_t index;
    bool strict; /* a command: unknown trailing values are refused */
};

enum { SHOWN_MAX = 24 };

/* A value as it arrived; text is cut, and only its printable ASCII is shown. */
static void show_value(const struct value *o, char text[SHOWN_MAX])
{
    static const char *const other[] = {
        [VALUE_NIL] = "nil",   [VALUE_FLOAT] = "a float", [VALUE_ARRAY] = "an array",
        [VALUE_MAP] = "a map", [VALUE_BYTES] = "bytes",   [VALUE_EXTENSION] = "an extension"};
    if (o->type == VALUE_UINT) {
        snprintf(text, SHOWN_MAX, "%" PRIu64, o->number);
    } else if (o->type == VALUE_NEGATIVE) {
        snprintf(text, SHOWN_MAX, "%" PRId64, (int64_t)o->number);
    } else if (o->type == VALUE_BOOL) {
        snprintf(text, SHOWN_MAX, "%s", o->number ? "true" : "false");
    } else if (o->type == VALUE_ARRAY) {
        snprintf(text, SHOWN_MAX, "an array of %" PRIu32, o->size);
    } else if (o->type != VALUE_STR) {
        snprintf(text, SHOWN_MAX, "%s", other[o->type]);
    } else {
        size_t len = o->size < SHOWN_MAX - 3 ? o->size : SHOWN_MAX - 3;
        text[0] = '"';
        for (size_t i = 0; i < len; i++) {
            char c = o->text[i];
            text[1 + i] = c >= ' ' && c <= '~' ? c : '?';
        }
        memcpy(text + 1 + len, "\"", 2);
    }
}

static bool drop_bytes(struct drops *drops, enum drop why, const char *what, size_t at, size_t len)
{
    drops->count[why]++;
    snprintf(drops->last, sizeof(drops->last), "%s: at byte %zu of %zu: %s", drop_text(why), at, len, what);
    return false;
}

static bool drop_value(const struct reading *r, enum drop why, const char *field, const struct value *value,
                       const char *expected)
{
    char shown[SHOWN_MAX];
    char element[40] = "";
    show_value(value, shown);
    if (r->list)
        snprintf(element, sizeof(element), ".%s[%" PRIu32 "]", r->list, r->index);
    r->drops->count[why]++;
    snprintf(r->drops->last, sizeof(r->drops->last), "%s%s%s%s: %s, expected %s", r->message, element,
             field ? "." : "", field ? field : "", shown, expected);
    return false;
}

/* The words for what a field must be. */
static void show_expected(const struct field *f, char *text, size_t cap)
{
    static const char *const words[] = {[FIELD_U64] = "uint of 64 bits",
                                        [FIELD_I64] = "int of 64 bits",
                                        [FIELD_U32] = "uint of 32 bits",
                                        [FIELD_I32] = "int of 32 bits",
                                        [FIELD_BOOL] = "bool",
                                        [FIELD_TIME] = "int of 64 bits",
                                        [FIELD_MONO] = "int of 64 bits",
                                        [FIELD_EXP] = "int -18 to 18",
                                        [FIELD_PRICE] = "int of 64 bits",
                                        [FIELD_QTY] = "int of 64 bits",
                                        [FIELD_DEC] = "[int, exponent -18 to 18]",
                                        [FIELD_MONEY] = "plain decimal text"};
    if (f->kind == FIELD_STR)
        snprintf(text, cap, "UTF-8 of at most %d bytes", f->size - 1);
    else if (f->kind == FIELD_ENUM)
        snprintf(text, cap, "a %s", f->values->name);
    else if (f->kind == FIELD_LIST)
        snprintf(text, cap, "at most %d %s", f->max, f->record->name);
    else
        snprintf(text, cap, "%s", words[f->kind]);
}

/* ---- reading -------------------------------------------------------------------------------------- */

static enum drop read_uint(const struct value *o, uint64_t max, uint64_t *out)
{
    if (o->type == VALUE_NEGATIVE)
        return DROP_FIELD_RANGE;
    if (o->type != VALUE_UINT)
        return DROP_FIELD_TYPE;
    *out = o->number;
    return *out <= max ? DROP_NONE : DROP_FIELD_RANGE;
}

/* min <= 0 <= max */
static enum drop read_int(const struct value *o, int64_t min, int64_t max, int64_t *out)
{
    if (o->type == VALUE_UINT) {
        *out = (int64_t)o->number;
        return o->number <= (uint64_t)max ? DROP_NONE : DROP_FIELD_RANGE;
    }
    if (o->type != VALUE_NEGATIVE)
        return DROP_FIELD_TYPE;
    *out = (int64_t)o->number;
    return *out >= min ? DROP_NONE : DROP_FIELD_RANGE;
}

/* The field's bytes behind the text are zero already. */
static enum drop read_text(const struct value *o, char *out, size_t size)
{
    if (o->type != VALUE_STR)
        return DROP_FIELD_TYPE;
    size_t len = o->size;
    if (len >= size || guard_text(o->text, len) != len)
        return DROP_FIELD_RANGE;
    if (len > 0)
        memcpy(out, o->text, len);
    return DROP_NONE;
}

static enum drop read_exponent(const struct value *o, int8_t *out)
{
    int64_t exp = 0;
    enum drop why = read_int(o, DEC_EXP_MIN, DEC_EXP_MAX, &exp);
    *out = (int8_t)exp;
    return why;
}

static enum drop read_dec(const struct value *o, struct dec *out)
{
    if (o->type != VALUE_ARRAY || o->size != 2)
        return DROP_FIELD_TYPE;
    enum drop why = read_int(&o->items[0], INT64_MIN, INT64_MAX, &out->m);
    return why ? why : read_exponent(&o->items[1], &out->exp);
}

static enum drop read_money(const struct value *o, void *out)
{
    money amount;
    if (o->type != VALUE_STR)
        return DROP_FIELD_TYPE;
    if (!money_parse(o->text, o->size, &amount))
        return DROP_FIELD_RANGE;
    memcpy(out, &amount, sizeof(amount));
    return DROP_NONE;
}

static enum drop read_enum(const struct value *o, const struct enum_kind *values, void *out)
{
    uint64_t number = 0;
    enum drop why = read_uint(o, INT32_MAX, &number);
    if (why == DROP_NONE && !enum_listed(values, (int64_t)number))
        why = DROP_FIELD_RANGE;
    int32_t stored = (int32_t)number;
    memcpy(out, &stored, sizeof(stored));
    return why;
}

static enum drop read_scalar(const struct field *f, const struct value *o, char *record)
{
    void *at = record + f->offset;
    uint64_t u = 0;
    int64_t i = 0;
    enum drop why = DROP_FIELD_TYPE;
    switch (f->kind) {
    case FIELD_U64:
        return read_uint(o, UINT64_MAX, at);
    case FIELD_I64:
    case FIELD_TIME:
    case FIELD_MONO:
    case FIELD_PRICE:
    case FIELD_QTY:
        return read_int(o, INT64_MIN, INT64_MAX, at);
    case FIELD_U32:
        why = read_uint(o, UINT32_MAX, &u);
        *(uint32_t *)at = (uint32_t)u;
        return why;
    case FIELD_I32:
        why = read_int(o, INT32_MIN, INT32_MAX, &i);
        *(int32_t *)at = (int32_t)i;
        return why;
    case FIELD_BOOL:
        if (o->type != VALUE_BOOL)
            return DROP_FIELD_TYPE;
        *(bool *)at = o->number;
        return DROP_NONE;
    case FIELD_EXP:
        return read_exponent(o, at);
    case FIELD_DEC:
        return read_dec(o, at);
    case FIELD_MONEY:
        return read_money(o, at);
    case FIELD_STR:
        return read_text(o, at, f->size);
    case FIELD_ENUM:
        return read_enum(o, f->values, at);
    case FIELD_LIST:
        break;
    }
    return why;
}

static bool read_record(struct reading *r, const struct field *fields, const struct value *o, char *record);

static enum drop read_list(struct reading *r, const struct field *f, const struct value *o, char *record)
{
    if (o->type != VALUE_ARRAY)
        return DROP_FIELD_TYPE;
    uint32_t count = o->size;
    if (count > f->max)
        return DROP_FIELD_RANGE;
    const struct field *fields = f->record->fields();
    memcpy(record + f->count_offset, &count, sizeof(count));
    r->list = f->name;
    for (uint32_t i = 0; i < count; i++) {
        r->index = i;
        if (!read_record(r, fields, &o->items[i], record + f->offset + (size_t)i * f->size))
            return DROP_COUNT; /* counted where it was found */
    }
    r->list = NULL;
    return DROP_NONE;
}

static bool read_record(struct reading *r, const struct field *fields, const struct value *o, char *record)
{
    char expected[48];
    if (o->type != VALUE_ARRAY)
        return drop_value(r, DROP_FIELD_TYPE, NULL, o, "an array of fields");
    const struct field *f = fields;
    for (uint32_t i = 0; i < o->size && f->name; i++, f++) {
        const struct value *value = &o->items[i];
        enum drop why =
            f->kind == FIELD_LIST ? read_list(r, f, value, record) : read_scalar(f, value, record);
        if (why == DROP_NONE)
            continue;
        if (why == DROP_COUNT)
            return false;
        show_expected(f, expected, sizeof(expected));
        return drop_value(r, why, f->name, value, expected);
    }
    if (f->name || (r->strict && o->size > (uint32_t)(f - fields))) {
        snprintf(expected, sizeof(expected), "%s%" PRIu32, f->name ? "at least " : "",
                 count_of_fields(fields));
        return drop_value(r, DROP_FIELDS, NULL, o, expected);
    }
    return true;
}

static bool read_trace(struct reading *r, const struct value *o, struct trace *t)
{
    if (o->type == VALUE_NIL)
        return true;
    if (o->type != VALUE_ARRAY || o->size < TRACE_FIELDS || (r->strict && o->size > TRACE_FIELDS))
        return drop_value(r, DROP_ENVELOPE, "trace", o, "nil or an array of 5");
    const struct value *v = o->items;
    bool ok = read_int(&v[0], INT64_MIN, INT64_MAX, &t->venue_time) == DROP_NONE &&
              read_int(&v[1], INT64_MIN, INT64_MAX, &t->recv_utc) == DROP_NONE &&
              read_int(&v[2], INT64_MIN, INT64_MAX, &t->recv_mono) == DROP_NONE &&
              read_uint(&v[3], UINT64_MAX, &t->boot_id) == DROP_NONE && v[4].type == VALUE_ARRAY;
    if (!ok)
        return drop_value(r, DROP_ENVELOPE, "trace", o, "[int, int, int, uint, [hops]]");
    const struct value *hops = v[4].items;
    if (r->strict && v[4].size > HOP_COUNT)
        return drop_value(r, DROP_ENVELOPE, "trace.hops", &v[4], "at most 8");
    for (uint32_t i = 0; i < v[4].size && i < HOP_COUNT; i++)
        if (read_int(&hops[i], INT64_MIN, INT64_MAX, &t->hop[i]) != DROP_NONE)
            return drop_value(r, DROP_ENVELOPE, "trace.hops", &hops[i], "int of 64 bits");
    return true;
}

/* v: the nine values of the envelope. */
static bool read_envelope(struct reading *r, const struct value *v, struct envelope *env)
{
    const struct {
        const char *name;
        uint64_t *at;
    } counts[] = {{"epoch", &env->epoch}, {"seq", &env->seq}, {"pos", &env->pos}};
    if (read_text(&v[2], env->stream, sizeof(env->stream)) != DROP_NONE)
        return drop_value(r, DROP_ENVELOPE, "stream", &v[2], "UTF-8 of at most 15 bytes");
    for (size_t i = 0; i < 3; i++)
        if (read_uint(&v[3 + i], UINT64_MAX, counts[i].at) != DROP_NONE)
            return drop_value(r, DROP_ENVELOPE, counts[i].name, &v[3 + i], "uint of 64 bits");
    if (read_int(&v[6], INT64_MIN, INT64_MAX, &env->time_out) != DROP_NONE)
        return drop_value(r, DROP_ENVELOPE, "time_out", &v[6], "int of 64 bits");
    return read_trace(r, &v[7], &env->trace);
}

static bool read_message(struct drops *drops, const struct value *root, struct message *out)
{
    struct reading r = {.drops = drops, .message = "envelope"};
    uint64_t number = 0;
    if (root->type != VALUE_ARRAY || root->size == 0)
        return drop_value(&r, DROP_ENVELOPE, NULL, root, "an array of 9");
    const struct value *v = root->items;
    if (read_uint(&v[0], UINT64_MAX, &number) == DROP_FIELD_TYPE)
        return drop_value(&r, DROP_ENVELOPE, "version", &v[0], "uint");
    if (number != PROTO_VERSION)
        return drop_value(&r, DROP_VERSION, "version", &v[0], "1");
    if (root->size < ENVELOPE_FIELDS)
        return drop_value(&r, DROP_ENVELOPE, NULL, root, "an array of 9");
    if (read_uint(&v[1], UINT32_MAX, &number) == DROP_FIELD_TYPE)
        return drop_value(&r, DROP_ENVELOPE, "type", &v[1], "uint");
    const struct message_kind *kind = number <= MESSAGE_TYPE_MAX ? message_kind((uint32_t)number) : NULL;
    if (!kind || v[1].type != VALUE_UINT)
        return drop_value(&r, DROP_UNKNOWN_TYPE, "type", &v[1], "a known type");
    r.message = kind->body->name;
    r.strict = kind->class == CLASS_COMMAND;
    if (r.strict && root->size > ENVELOPE_FIELDS)
        return drop_value(&r, DROP_ENVELOPE, NULL, root, "an array of 9");
    message_init(out, (enum message_type)kind->type);
    return read_envelope(&r, v, &out->env) &&
           read_record(&r, kind->body->fields(), &v[8], (char *)&out->inst);
}

struct decoder {
    struct value_pool pool;
    struct value values[MESSAGE_BYTES_MAX]; /* a value is one byte at least, so no frame has more */
};

struct decoder *decoder_new(void)
{
    struct decoder *self = malloc(sizeof(*self)); /* pages of it that no frame needs are never touched */
    if (self)
        self->pool = (struct value_pool){.values = self->values, .cap = MESSAGE_BYTES_MAX};
    return self;
}

void decoder_destroy(struct decoder **self)
{
    free(*self);
    *self = NULL;
}

bool codec_decode(struct decoder *self, const void *bytes, size_t len, struct message *out,
                  struct drops *drops)
{
    static const enum drop of_guard[] = {DROP_NONE, DROP_TRUNCATED, DROP_MALFORMED, DROP_MALFORMED,
                                         DROP_MALFORMED};
    static const char *const words[] = {"", "ends within a value", "reserved type byte",
                                        "nested deeper than 8", "bytes behind the message"};
    if (len == 0)
        return drop_bytes(drops, DROP_EMPTY, "no bytes", 0, 0);
    if (len > MESSAGE_BYTES_MAX)
        return drop_bytes(drops, DROP_OVERSIZED, "larger than any message", MESSAGE_BYTES_MAX, len);
    size_t at = 0;
    enum guard guard = guard_walk(bytes, len, &at);
    if (guard != GUARD_WHOLE)
        return drop_bytes(drops, of_guard[guard], words[guard], at, len);
    struct value root;
    if (!unpack_value(bytes, len, &self->pool, &root))
        return drop_bytes(drops, DROP_MALFORMED, "not msgpack", 0, len);
    return read_message(drops, &root, out);
}
