/* The dictionary as tables. Every LEDGER message has one, named in the plural below; columns are first the
 * key, then the envelope, then the body's fields by their own names. A body's field that is named like a key
 * or envelope column is prefixed by the message's name ("decision_run"). */
#include <stdlib.h>
#include <string.h>

#include "proto/json_form.h"
#include "services/recorder/store_internal.h"

static const struct {
    const char *message, *table;
} plurals[] = {
    {"decision", "decisions"}, {"assign", "assignments"}, {"route", "route_states"}, {"limits", "limits"},
    {"state", "risk_states"},  {"order", "orders"},       {"fill", "fills"},         {"basket", "baskets"},
    {"balance", "balances"},   {"adjust", "adjustments"}, {"epoch", "epochs"},       {"gap", "gaps"},
    {"session", "sessions"},   {"position", "positions"}, {"upstream", "upstreams"},
};

static const struct {
    const char *name;
    enum column_kind kind;
    uint16_t offset;
} envelope_columns[] = {
    {"ts_ns", COLUMN_INT, offsetof(struct message, env.time_out)},
    {"trace_venue_time", COLUMN_INT, offsetof(struct message, env.trace.venue_time)},
    {"trace_recv_utc", COLUMN_INT, offsetof(struct message, env.trace.recv_utc)},
    {"trace_recv_mono", COLUMN_INT, offsetof(struct message, env.trace.recv_mono)},
    {"trace_boot_id", COLUMN_INT, offsetof(struct message, env.trace.boot_id)},
};

enum { KEY_RUN, KEY_STREAM, KEY_EPOCH, KEY_POS, KEY_ITEM };

static const struct {
    const char *name;
    enum column_kind kind;
} key_columns[] = {[KEY_RUN] = {"run", COLUMN_TEXT},
                   [KEY_STREAM] = {"stream", COLUMN_TEXT},
                   [KEY_EPOCH] = {"epoch", COLUMN_INT},
                   [KEY_POS] = {"pos", COLUMN_INT},
                   [KEY_ITEM] = {"item", COLUMN_INT}};

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

static bool add_envelope(struct store_table *t)
{
    bool ok = true;
    for (size_t i = 0; i < sizeof envelope_columns / sizeof *envelope_columns; i++)
        ok = ok && add_column(t, "", envelope_columns[i].name, COLUMN_INT, NULL, envelope_columns[i].offset);
    for (int hop = 0; hop < HOP_COUNT; hop++)
        ok = ok && add_column(t, "hop_", hop_text((enum hop)hop), COLUMN_INT, NULL,
                              offsetof(struct message, env.trace.hop) + sizeof(int64_t) * (size_t)hop);
    return ok;
}

static bool add_fields(struct store_table *t, const struct record_kind *record)
{
    char prefix[COLUMN_NAME_MAX];
    bool ok = true;
    (void)snprintf(prefix, sizeof prefix, "%s_", record->name);
    for (const struct field *f = record->fields(); f->name; f++)
        if (f->kind != FIELD_LIST)
            ok = ok && add_column(t, has_column(t, f->name) ? prefix : "", f->name, kind_of(f), f, 0);
    return ok;
}

static struct store_table *new_table(struct schema *self, const struct message_kind *kind)
{
    if (self->n_tables == TABLES_MAX)
        return NULL;
    struct store_table *t = &self->tables[self->n_tables];
    (void)snprintf(t->name, sizeof t->name, "%ss", kind->body->name);
    for (size_t i = 0; i < sizeof plurals / sizeof *plurals; i++)
        if (strcmp(plurals[i].message, kind->body->name) == 0)
            (void)snprintf(t->name, sizeof t->name, "%s", plurals[i].table);
    t->number = self->n_tables++;
    t->kind = kind;
    t->n_keys = KEY_ITEM;
    for (int i = 0; i < KEY_ITEM; i++)
        (void)add_column(t, "", key_columns[i].name, key_columns[i].kind, NULL, 0);
    return t;
}

static bool add_tables(struct schema *self, const struct message_kind *kind)
{
    struct store_table *own = new_table(self, kind);
    bool ok = own && add_envelope(own) && add_fields(own, kind->body);
    for (const struct field *f = kind->body->fields(); ok && f->name; f++) {
        if (f->kind != FIELD_LIST)
            continue;
        struct store_table *t = new_table(self, kind);
        ok = t && add_column(t, "", key_columns[KEY_ITEM].name, COLUMN_INT, NULL, 0);
        if (!ok)
            break;
        size_t len = strlen(t->name);
        t->n_keys++;
        t->list = f;
        ok = snprintf(t->name + len, sizeof t->name - len, "_%s", f->name) < (int)(sizeof t->name - len) &&
             add_fields(t, f->record);
    }
    return ok;
}

struct schema *schema_new(void)
{
    struct schema *self = calloc(1, sizeof *self);
    bool ok = self;
    for (const struct message_kind *const *k = message_kinds(); ok && *k; k++)
        if ((*k)->class == CLASS_LEDGER)
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

static void field_cell(const struct column *c, const char *record, struct exponents exps,
                       char text[DEC_TEXT_MAX], struct cell *cell)
{
    const struct field *f = c->field;
    const char *at = record + f->offset;
    switch (c->kind) {
    case COLUMN_INT:
    case COLUMN_BOOL:
        *cell = number_cell(whole(f, at));
        break;
    case COLUMN_NUMERIC:
        *cell = (struct cell){.text = text, .len = field_text(f, record, exps, text, DEC_TEXT_MAX)};
        break;
    case COLUMN_TEXT:
        if (f->kind == FIELD_ENUM)
            *cell = text_cell(enum_text(f->values, *(const int *)at), SIZE_MAX);
        else
            *cell = text_cell(at, f->size);
        break;
    }
    cell->kind = c->kind;
}

void schema_row(const struct store_table *table, const char *run, const struct message *m, uint32_t item,
                struct row *row)
{
    const char *record = body_of(m);
    struct exponents exps = record_exponents(table->kind->body, record, (struct exponents){0, 0});
    row->cells[KEY_RUN] = text_cell(run, SIZE_MAX);
    row->cells[KEY_STREAM] = text_cell(m->env.stream, sizeof m->env.stream);
    row->cells[KEY_EPOCH] = number_cell((int64_t)m->env.epoch);
    row->cells[KEY_POS] = number_cell((int64_t)m->env.pos);
    row->cells[KEY_ITEM] = number_cell(item);
    if (table->list) {
        record += table->list->offset + (size_t)item * table->list->size;
        exps = record_exponents(table->list->record, record, exps);
    }
    for (uint32_t i = table->n_keys; i < table->n_columns; i++) {
        const struct column *c = &table->columns[i];
        if (c->field)
            field_cell(c, record, exps, row->texts[i], &row->cells[i]);
        else
            row->cells[i] = number_cell(*(const int64_t *)(const void *)((const char *)m + c->offset));
    }
}

/* ---- SQL --------------------------------------------------------------------------------------------- */

/* Positions and marks are the recorder's own; the indexes are what the report and a trader's questions ask
 * by. */
static const char *const sqlite_own[] = {
    "CREATE TABLE IF NOT EXISTS stored_positions (run TEXT NOT NULL, reader TEXT NOT NULL, stream TEXT NOT "
    "NULL, "
    "epoch BIGINT NOT NULL, pos BIGINT NOT NULL, PRIMARY KEY (run, reader, stream)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS marks (run TEXT NOT NULL, symbol TEXT NOT NULL, venue TEXT NOT NULL, base "
    "TEXT, "
    "quote TEXT, state TEXT, bid TEXT, ask TEXT, price_time BIGINT, PRIMARY KEY (run, symbol, venue)) "
    "WITHOUT ROWID",
};

static const char *const postgres_own[] = {
    "CREATE TABLE IF NOT EXISTS stored_positions (run TEXT NOT NULL, reader TEXT NOT NULL, stream TEXT NOT "
    "NULL, "
    "epoch BIGINT NOT NULL, pos BIGINT NOT NULL, PRIMARY KEY (run, reader, stream))",
    "CREATE TABLE IF NOT EXISTS marks (run TEXT NOT NULL, symbol TEXT NOT NULL, venue TEXT NOT NULL, base "
    "TEXT, "
    "quote TEXT, state TEXT, bid NUMERIC, ask NUMERIC, price_time BIGINT, PRIMARY KEY (run, symbol, venue))",
};

static const char *const indexes[] = {
    "CREATE INDEX IF NOT EXISTS orders_client_id ON orders (run, client_id)",
    "CREATE INDEX IF NOT EXISTS fills_client_id ON fills (run, client_id)",
    "CREATE INDEX IF NOT EXISTS route_states_route ON route_states (run, route, pos)",
};

void schema_columns(const struct store_table *table, FILE *out)
{
    for (uint32_t i = 0; i < table->n_columns; i++)
        (void)fprintf(out, "%s\"%s\"", i ? "," : "", table->columns[i].name);
}

static const char *type_of(enum column_kind kind, bool postgres)
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

static void write_table(const struct store_table *t, bool postgres, FILE *out)
{
    (void)fprintf(out, "CREATE TABLE IF NOT EXISTS \"%s\" (", t->name);
    for (uint32_t i = 0; i < t->n_columns; i++)
        (void)fprintf(out, "\"%s\" %s NOT NULL, ", t->columns[i].name, type_of(t->columns[i].kind, postgres));
    if (postgres && !t->list)
        (void)fprintf(out, "ts TIMESTAMPTZ GENERATED ALWAYS AS (to_timestamp(ts_ns / 1e9)) STORED, ");
    (void)fprintf(out, "PRIMARY KEY (");
    for (uint32_t i = 0; i < t->n_keys; i++)
        (void)fprintf(out, "%s%s", i ? ", " : "", t->columns[i].name);
    (void)fprintf(out, "))%s;\n", postgres ? "" : " WITHOUT ROWID");
}

char *schema_sql(const struct schema *self, bool postgres)
{
    char *sql = NULL;
    size_t len;
    FILE *out = open_memstream(&sql, &len);
    if (!out)
        return NULL;
    for (uint32_t i = 0; i < self->n_tables; i++)
        write_table(&self->tables[i], postgres, out);
    for (size_t i = 0; i < sizeof sqlite_own / sizeof *sqlite_own; i++)
        (void)fprintf(out, "%s;\n", postgres ? postgres_own[i] : sqlite_own[i]);
    for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++)
        (void)fprintf(out, "%s;\n", indexes[i]);
    return fclose(out) == 0 ? sql : NULL;
}
