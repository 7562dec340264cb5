/* The dictionary as tables. Every LEDGER message has one, and those MARKET messages that are named below; columns are
 * first the key, then the envelope, then the body's fields by their own names. A body's field that is named like a key
 * or envelope column is prefixed by the message's name ("decision_run"). */
#include <stdlib.h>
#include <string.h>

#include "proto/json_form.h"
#include "proto/topic.h"
#include "services/recorder/store_internal.h"

/* A LEDGER message that is not here is kept under its name and an s. */
static const struct named {
    const char *message, *table;
    enum table_key key;
} names[] = {
    {"decision", "decisions", KEYED_LEDGER}, {"assign", "assignments", KEYED_LEDGER},
    {"route", "route_states", KEYED_LEDGER}, {"limits", "limits", KEYED_LEDGER},
    {"state", "risk_states", KEYED_LEDGER},  {"order", "order_events", KEYED_LEDGER},
    {"adjust", "adjustments", KEYED_LEDGER}, {"inst", "instruments", KEYED_LATEST},
    {"venue", "venue_status", KEYED_MARKET}, {"bbo", "bbo", KEYED_MARKET},
    {"book", "books", KEYED_MARKET},
};

static const struct {
    const char *name;
    uint16_t offset;
} envelope_columns[] = {
    {"trace_venue_time", offsetof(struct message, env.trace.venue_time)},
    {"trace_recv_utc", offsetof(struct message, env.trace.recv_utc)},
    {"trace_recv_mono", offsetof(struct message, env.trace.recv_mono)},
    {"trace_boot_id", offsetof(struct message, env.trace.boot_id)},
};

enum { KEY_RUN, KEY_STREAM, KEY_EPOCH, KEY_POS, KEY_ITEM };

static const struct {
    const char *name;
    enum column_kind kind;
} key_columns[][KEY_ITEM] = {
    [KEYED_LEDGER] = {{"run", COLUMN_TEXT},
                      {"stream", COLUMN_TEXT},
                      {"epoch", COLUMN_INT},
                      {"pos", COLUMN_INT}},
    [KEYED_MARKET] = {{"run", COLUMN_TEXT},
                      {"topic", COLUMN_TEXT},
                      {"epoch", COLUMN_INT},
                      {"seq", COLUMN_INT}},
    [KEYED_LATEST] = {{"run", COLUMN_TEXT}},
};

/* ---- making it --------------------------------------------------------------------------------------- */

static enum column_kind kind_of(const struct field *f)
{
    switch (f->kind) {
    case FIELD_BOOL:
        return COLUMN_BOOL;
    case FIELD_PRICE:
    case FIELD_QTY:
    case FIELD_DEC:
    case FIELD_MONEY:
        return COLUMN_NUMERIC;
    case FIELD_STR:
    case FIELD_ENUM:
        return COLUMN_TEXT;
    default:
        return COLUMN_INT;
    }
}

static bool has_column(const struct store_table *t, const char *name)
{
    for (uint32_t i = 0; i < t->n_columns; i++)
        if (strcmp(t->columns[i].name, name) == 0)
            return true;
    return false;
}

static bool add_column(struct store_table *t, const char *prefix, const char *name, enum column_kind kind,
                       const struct field *field, size_t offset)
{
    if (t->n_columns == TABLE_COLUMNS_MAX)
        return false;
    struct column *c = &t->columns[t->n_columns];
    int n = snprintf(c->name, sizeof c->name, "%s%s", prefix, name);
    c->kind = kind;
    c->field = field;
    c->offset = (uint16_t)offset;
    t->n_columns++;
    return n < COLUMN_NAME_MAX;
}

static bool add_time(struct store_table *t)
{
    return add_column(t, "", "ts_ns", COLUMN_INT, NULL, offsetof(struct message, env.time_out));
}

/* What a record of a ledger has travelled through. */
static bool add_trace(struct store_table *t)
{
    bool ok = true;
    for (size_t i = 0; i < sizeof envelope_columns / sizeof *envelope_columns; i++)
        ok = ok && add_column(t, "", envelope_columns[i].name, COLUMN_INT, NULL, envelope_columns[i].offset);
    for (int hop = 0; hop < HOP_COUNT; hop++)
        ok = ok && add_column(t, "hop_", hop_text((enum hop)hop), COLUMN_INT, NULL,
                              offsetof(struct message, env.trace.hop) + sizeof(int64_t) * (size_t)hop);
    return ok;
}

static bool is_key_field(const struct store_table *t, const struct field *f)
{
    for (uint32_t i = 0; i < t->n_keys; i++)
        if (t->columns[i].field == f)
            return true;
    return false;
}

static bool add_fields(struct store_table *t, const struct record_kind *record)
{
    char prefix[COLUMN_NAME_MAX];
    bool ok = true;
    (void)snprintf(prefix, sizeof prefix, "%s_", record->name);
    for (const struct field *f = record->fields(); f->name; f++)
        if (f->kind != FIELD_LIST && !is_key_field(t, f))
            ok = ok && add_column(t, has_column(t, f->name) ? prefix : "", f->name, kind_of(f), f, 0);
    return ok;
}

static const struct named *name_of(const struct message_kind *kind)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].message, kind->body->name) == 0)
            return &names[i];
    return NULL;
}

static bool add_key(struct store_table *t)
{
    bool ok = true;
    for (int i = 0; i < KEY_ITEM && key_columns[t->key][i].name; i++)
        ok = ok && add_column(t, "", key_columns[t->key][i].name, key_columns[t->key][i].kind, NULL, 0);
    for (int i = 0; t->key == KEYED_LATEST && i < 2; i++) {
        const struct field *f = record_field(t->kind->body, i == 0 ? "symbol" : "venue");
        ok = ok && f && add_column(t, "", f->name, COLUMN_TEXT, f, 0);
    }
    t->n_keys = t->n_columns;
    return ok;
}

static struct store_table *new_table(struct schema *self, const struct message_kind *kind)
{
    const struct named *named = name_of(kind);
    if (self->n_tables == TABLES_MAX)
        return NULL;
    struct store_table *t = &self->tables[self->n_tables];
    (void)snprintf(t->name, sizeof t->name, named ? "%s" : "%ss", named ? named->table : kind->body->name);
    t->number = self->n_tables++;
    t->key = named ? named->key : KEYED_LEDGER;
    t->kind = kind;
    return add_key(t) ? t : NULL;
}

static bool add_list(struct schema *self, const struct message_kind *kind, const struct field *f)
{
    struct store_table *t = new_table(self, kind);
    if (!t || !add_column(t, "", "item", COLUMN_INT, NULL, 0))
        return false;
    size_t len = strlen(t->name);
    t->n_keys++;
    t->list = f;
    return snprintf(t->name + len, sizeof t->name - len, "_%s", f->name) < (int)(sizeof t->name - len) &&
           add_time(t) && add_fields(t, f->record);
}

static bool add_tables(struct schema *self, const struct message_kind *kind)
{
    struct store_table *own = new_table(self, kind);
    bool ok =
        own && add_time(own) && (own->key != KEYED_LEDGER || add_trace(own)) && add_fields(own, kind->body);
    for (const struct field *f = kind->body->fields(); ok && f->name; f++)
        if (f->kind == FIELD_LIST)
            ok = add_list(self, kind, f);
    return ok;
}

struct schema *schema_new(void)
{
    struct schema *self = calloc(1, sizeof *self);
    bool ok = self;
    for (const struct message_kind *const *k = message_kinds(); ok && *k; k++)
        if ((*k)->class == CLASS_LEDGER || name_of(*k))
            ok = add_tables(self, *k);
    if (!ok)
        schema_destroy(&self);
    return self;
}

void schema_destroy(struct schema **self)
{
    free(*self);
    *self = NULL;
}

/* ---- rows -------------------------------------------------------------------------------------------- */

const struct store_table *schema_tables(const struct schema *self, uint32_t type, uint32_t *n)
{
    const struct store_table *first = NULL;
    *n = 0;
    for (uint32_t i = 0; i < self->n_tables; i++)
        if (self->tables[i].kind->type == type) {
            first = first ? first : &self->tables[i];
            ++*n;
        }
    return first;
}

static const char *body_of(const struct message *m)
{
    return (const char *)&m->inst;
}

uint32_t schema_rows(const struct store_table *table, const struct message *m)
{
    uint32_t count;
    if (!table->list)
        return 1;
    memcpy(&count, body_of(m) + table->list->count_offset, sizeof count);
    return count < table->list->max ? count : table->list->max;
}

static struct cell number_cell(int64_t number)
{
    return (struct cell){.kind = COLUMN_INT, .number = number};
}

static struct cell text_cell(const char *text, size_t max)
{
    return (struct cell){.kind = COLUMN_TEXT, .text = text, .len = strnlen(text, max)};
}

static int64_t whole(const struct field *f, const void *at)
{
    switch (f->kind) {
    case FIELD_U32:
        return *(const uint32_t *)at;
    case FIELD_I32:
        return *(const int32_t *)at;
    case FIELD_EXP:
        return *(const int8_t *)at;
    case FIELD_BOOL:
        return *(const bool *)at;
    default:
        return *(const int64_t *)at;
    }
}

static struct cell numeric_cell(money amount, int exp)
{
    return (struct cell){.kind = COLUMN_NUMERIC, .exp = exp, .amount = amount};
}

static struct cell field_cell(const struct column *c, const char *record, struct exponents exps)
{
    const struct field *f = c->field;
    const char *at = record + f->offset;
    const struct dec *d = (const void *)at;
    switch (f->kind) {
    case FIELD_PRICE:
        return numeric_cell(*(const int64_t *)(const void *)at, exps.price);
    case FIELD_QTY:
        return numeric_cell(*(const int64_t *)(const void *)at, exps.qty);
    case FIELD_DEC:
        return numeric_cell(d->m, d->exp);
    case FIELD_MONEY:
        return numeric_cell(*(const money *)(const void *)at, MONEY_EXP);
    case FIELD_STR:
        return text_cell(at, f->size);
    case FIELD_ENUM:
        return text_cell(enum_text(f->values, *(const int *)(const void *)at), SIZE_MAX);
    default:
        return (struct cell){.kind = c->kind, .number = whole(f, at)};
    }
}

static void key_cells(const struct store_table *table, const char *run, const struct message *m,
                      uint32_t item, struct row *row)
{
    row->cells[KEY_RUN] = text_cell(run, SIZE_MAX);
    if (table->key == KEYED_MARKET) {
        bool of_book = m->env.type == MSG_BBO && strcmp(m->env.stream, STORE_FROM_BOOK) == 0;
        size_t len =
            of_book ? topic_make("book", m->bbo.symbol, m->bbo.venue, row->topic) : topic_of(m, row->topic);
        row->cells[KEY_STREAM] = (struct cell){.kind = COLUMN_TEXT, .text = row->topic, .len = len};
    } else {
        row->cells[KEY_STREAM] = text_cell(m->env.stream, sizeof m->env.stream);
    }
    row->cells[KEY_EPOCH] = number_cell((int64_t)m->env.epoch);
    row->cells[KEY_POS] = number_cell((int64_t)(table->key == KEYED_MARKET ? m->env.seq : m->env.pos));
    row->cells[KEY_ITEM] = number_cell(item);
}

void schema_row(const struct store_table *table, const char *run, const struct message *m, uint32_t item,
                struct row *row)
{
    const char *record = body_of(m);
    struct exponents exps = record_exponents(table->kind->body, record, (struct exponents){0, 0});
    key_cells(table, run, m, item, row);
    if (table->list) {
        record += table->list->offset + (size_t)item * table->list->size;
        exps = record_exponents(table->list->record, record, exps);
    }
    for (uint32_t i = table->key == KEYED_LATEST ? 1 : table->n_keys; i < table->n_columns; i++) {
        const struct column *c = &table->columns[i];
        if (c->field)
            row->cells[i] = field_cell(c, record, exps);
        else
            row->cells[i] = number_cell(*(const int64_t *)(const void *)((const char *)m + c->offset));
    }
}

/* ---- SQL --------------------------------------------------------------------------------------------- */

void schema_columns(const struct store_table *table, FILE *out)
{
    for (uint32_t i = 0; i < table->n_columns; i++)
        (void)fprintf(out, "%s\"%s\"", i ? "," : "", table->columns[i].name);
}

const char *schema_type(enum column_kind kind, bool postgres)
{
    switch (kind) {
    case COLUMN_INT:
        return "BIGINT";
    case COLUMN_BOOL:
        return "BOOLEAN";
    case COLUMN_NUMERIC:
        return postgres ? "NUMERIC" : "TEXT";
    case COLUMN_TEXT:
        break;
    }
    return "TEXT";
}

/* A field may be called what SQL calls something else. */
static const char *quote(const char *name)
{
    static const char *const reserved[] = {"limit", "order", "group", "user", "to", "from", "end", "default"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strcmp(reserved[i], name) == 0)
            return "\"";
    return "";
}

void schema_column_sql(const struct store_table *table, const struct column *c, bool postgres, FILE *out)
{
    static const char *const empty[] = {
        [COLUMN_INT] = "0", [COLUMN_BOOL] = "FALSE", [COLUMN_NUMERIC] = "0", [COLUMN_TEXT] = "''"};
    const char *q = quote(c->name), *nil = c->kind == COLUMN_NUMERIC && !postgres ? "'0'" : empty[c->kind];
    (void)fprintf(out, "ALTER TABLE %s ADD COLUMN %s%s%s %s NOT NULL DEFAULT %s;\n", table->name, q, c->name,
                  q, schema_type(c->kind, postgres), nil);
}

static const char *readable_time(const struct store_table *t, bool postgres)
{
    if (!postgres)
        return "TEXT GENERATED ALWAYS AS (strftime('%Y-%m-%d %H:%M:%S', ts_ns / 1000000000, 'unixepoch')\n"
               "        || printf('.%06d+00', ts_ns / 1000 % 1000000)) VIRTUAL";
    /* What a table is partitioned by cannot be generated. */
    return t->key == KEYED_LATEST ? "TIMESTAMPTZ GENERATED ALWAYS AS (to_timestamp(ts_ns / 1e9)) STORED"
                                  : "TIMESTAMPTZ NOT NULL";
}

void schema_table_sql(const struct store_table *t, bool postgres, FILE *out)
{
    bool parted = postgres && t->key != KEYED_LATEST;
    (void)fprintf(out, "CREATE TABLE %s (\n", t->name);
    for (uint32_t i = 0; i < t->n_columns; i++) {
        const char *q = quote(t->columns[i].name);
        (void)fprintf(out, "    %s%s%s %s NOT NULL,\n", q, t->columns[i].name, q,
                      schema_type(t->columns[i].kind, postgres));
        if (i == t->n_keys)
            (void)fprintf(out, "    ts %s,\n", readable_time(t, postgres));
    }
    (void)fprintf(out, "    PRIMARY KEY (");
    for (uint32_t i = 0; i < t->n_keys; i++)
        (void)fprintf(out, "%s%s", i ? ", " : "", t->columns[i].name);
    (void)fprintf(out, "%s)\n)%s;\n", parted ? ", ts" : "",
                  parted     ? " PARTITION BY RANGE (ts)"
                  : postgres ? ""
                             : " WITHOUT ROWID");
    if (parted)
        (void)fprintf(out, "CREATE INDEX %s_ts ON %s USING brin (ts);\n", t->name, t->name);
    (void)fputc('\n', out);
}
