#include "proto/json_form.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- plain texts ---------------------------------------------------------------------------------- */

struct exponents record_exponents(const struct record_kind *kind, const void *record, struct exponents parent)
{
    for (const struct field *f = kind->fields(); f->name; f++) {
        if (f->kind != FIELD_EXP)
            continue;
        int8_t exp = *((const int8_t *)record + f->offset);
        if (strcmp(f->name, "price_exp") == 0)
            parent.price = exp;
        else if (strcmp(f->name, "qty_exp") == 0)
            parent.qty = exp;
    }
    return parent;
}

static size_t put_text(const char *text, size_t len, char *out, size_t cap)
{
    if (cap == 0)
        return 0;
    if (len >= cap)
        len = 0;
    memcpy(out, text, len);
    out[len] = '\0';
    return len;
}

size_t field_text(const struct field *f, const void *record, struct exponents exps, char *out, size_t cap)
{
    enum { NUMBER_MAX = 64 };
    const void *at = (const char *)record + f->offset;
    char text[NUMBER_MAX];
    const char *shown = text;
    size_t len = 0;
    switch (f->kind) {
    case FIELD_U64:
        len = (size_t)snprintf(text, sizeof(text), "%" PRIu64, *(const uint64_t *)at);
        break;
    case FIELD_I64:
    case FIELD_TIME:
    case FIELD_MONO:
        len = (size_t)snprintf(text, sizeof(text), "%" PRId64, *(const int64_t *)at);
        break;
    case FIELD_U32:
        len = (size_t)snprintf(text, sizeof(text), "%" PRIu32, *(const uint32_t *)at);
        break;
    case FIELD_I32:
        len = (size_t)snprintf(text, sizeof(text), "%" PRId32, *(const int32_t *)at);
        break;
    case FIELD_BOOL:
        shown = *(const bool *)at ? "true" : "false";
        len = strlen(shown);
        break;
    case FIELD_EXP:
        len = (size_t)snprintf(text, sizeof(text), "%d", *(const int8_t *)at);
        break;
    case FIELD_PRICE:
        len = dec_format((struct dec){*(const int64_t *)at, exps.price}, text);
        break;
    case FIELD_QTY:
        len = dec_format((struct dec){*(const int64_t *)at, exps.qty}, text);
        break;
    case FIELD_DEC:
        len = dec_format(*(const struct dec *)at, text);
        break;
    case FIELD_MONEY:
        len = money_format(*(const money *)at, text);
        break;
    case FIELD_STR:
        shown = at;
        len = strnlen(at, f->size);
        break;
    case FIELD_ENUM:
        shown = enum_text(f->values, *(const int *)at);
        len = strlen(shown);
        break;
    case FIELD_LIST:
        break;
    }
    return put_text(shown, len, out, cap);
}

/* ---- the object ----------------------------------------------------------------------------------- */

struct line {
    char *out;
    size_t len;
    size_t cap;
    bool full;
};

static void put(struct line *l, const char *text, size_t len)
{
    if (l->full || len >= l->cap - l->len) {
        l->full = true;
        return;
    }
    memcpy(l->out + l->len, text, len);
    l->len += len;
    l->out[l->len] = '\0';
}

__attribute__((format(printf, 2, 3))) static void put_format(struct line *l, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put(l, text, (size_t)len);
}

static void put_quoted(struct line *l, const char *text, size_t len)
{
    put(l, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            put_format(l, "\\%c", c);
        else if (c < 0x20)
            put_format(l, "\\u%04x", c);
        else
            put(l, text + i, 1);
    }
    put(l, "\"", 1);
}

/* A record of exactly one price and one quantity is a pair: [price, quantity]. */
static bool is_pair(const struct field *fields)
{
    return fields[0].name && fields[0].kind == FIELD_PRICE && fields[1].name && fields[1].kind == FIELD_QTY &&
           !fields[2].name;
}

static bool is_bare(enum field_kind kind)
{
    switch (kind) {
    case FIELD_U64:
    case FIELD_I64:
    case FIELD_U32:
    case FIELD_I32:
    case FIELD_BOOL:
    case FIELD_TIME:
    case FIELD_MONO:
    case FIELD_EXP:
        return true;
    default:
        return false;
    }
}

static void put_record(struct line *l, const struct record_kind *kind, const char *record,
                       struct exponents parent);

static void put_list(struct line *l, const struct field *f, const char *record, struct exponents exps)
{
    uint32_t count;
    memcpy(&count, record + f->count_offset, sizeof(count));
    put(l, "[", 1);
    for (uint32_t i = 0; i < count && i < f->max; i++) {
        if (i > 0)
            put(l, ",", 1);
        put_record(l, f->record, record + f->offset + (size_t)i * f->size, exps);
    }
    put(l, "]", 1);
}

static void put_value(struct line *l, const struct field *f, const char *record, struct exponents exps)
{
    char text[256]; /* longer than any text field */
    if (f->kind == FIELD_LIST) {
        put_list(l, f, record, exps);
        return;
    }
    size_t len = field_text(f, record, exps, text, sizeof(text));
    if (is_bare(f->kind))
        put(l, text, len);
    else
        put_quoted(l, text, len);
}

static void put_record(struct line *l, const struct record_kind *kind, const char *record,
                       struct exponents parent)
{
    const struct field *fields = kind->fields();
    struct exponents exps = record_exponents(kind, record, parent);
    bool pair = is_pair(fields);
    put(l, pair ? "[" : "{", 1);
    for (const struct field *f = fields; f->name; f++) {
        if (f != fields)
            put(l, ",", 1);
        if (!pair)
            put_format(l, "\"%s\":", f->name);
        put_value(l, f, record, exps);
    }
    put(l, pair ? "]" : "}", 1);
}

/* Only what is set; nothing at all where the message has no trace. */
static void put_trace(struct line *l, const struct trace *t)
{
    const char *separator = ",\"trace\":{";
    const struct {
        const char *name;
        int64_t at;
    } times[] = {{"venue_time", t->venue_time}, {"recv_utc", t->recv_utc}, {"recv_mono", t->recv_mono}};
    for (size_t i = 0; i < 3; i++) {
        if (times[i].at == 0)
            continue;
        put_format(l, "%s\"%s\":%" PRId64, separator, times[i].name, times[i].at);
        separator = ",";
    }
    if (t->boot_id) {
        put_format(l, "%s\"boot_id\":%" PRIu64, separator, t->boot_id);
        separator = ",";
    }
    for (int hop = 0; hop < HOP_COUNT; hop++) {
        if (t->hop[hop] == 0)
            continue;
        put_format(l, "%s\"%s\":%" PRId64, separator, hop_text((enum hop)hop), t->hop[hop]);
        separator = ",";
    }
    if (separator[1] == '\0')
        put(l, "}", 1);
}

size_t json_form(const struct message *m, char *out, size_t cap)
{
    const struct message_kind *kind = message_kind(m->env.type);
    const struct envelope *e = &m->env;
    struct line l = {.out = out, .cap = cap};
    if (!kind || cap == 0)
        return 0;
    put_format(&l, "{\"type\":\"%s\",\"env\":{\"stream\":", kind->body->name);
    put_quoted(&l, e->stream, strnlen(e->stream, sizeof(e->stream)));
    put_format(&l, ",\"epoch\":%" PRIu64 ",\"seq\":%" PRIu64 ",\"pos\":%" PRIu64 ",\"time_out\":%" PRId64,
               e->epoch, e->seq, e->pos, e->time_out);
    put_trace(&l, &e->trace);
    put(&l, "},\"body\":", 9);
    put_record(&l, kind->body, (const char *)&m->inst, (struct exponents){0});
    put(&l, "}", 1);
    return l.full ? 0 : l.len;
}
