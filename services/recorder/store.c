/* The store's front: what is the same whichever database the rows go to. */
#include "services/recorder/store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/runtime/failpoint.h"
#include "proto/json_form.h"
#include "services/recorder/store_internal.h"

#define READER "recorder"

enum { TEXT_CELL_MAX = 128 };

struct store {
    const struct sink *sink;
    void *database;
    struct schema *schema;
    bool open; /* a transaction is */
    struct row row;
    char *error;
};

static const struct {
    const char *name;
    const struct sink *sink;
} sinks[] = {{"sqlite", &sqlite_sink}, {"postgres", &postgres_sink}};

int store_open(const char *sink, const char *target, struct store **out, char error[STORE_ERROR_MAX])
{
    struct store *self = calloc(1, sizeof *self);
    *out = NULL;
    *error = '\0';
    if (!self || !(self->error = calloc(1, STORE_ERROR_MAX)) || !(self->schema = schema_new())) {
        (void)snprintf(error, STORE_ERROR_MAX, "out of memory");
        store_close(&self);
        return E_REFUSED;
    }
    for (size_t i = 0; i < sizeof sinks / sizeof *sinks; i++)
        if (strcmp(sinks[i].name, sink) == 0)
            self->sink = sinks[i].sink;
    int status = E_REFUSED;
    if (self->sink)
        status = self->sink->open(target, self->schema, self->error, &self->database);
    else
        (void)snprintf(self->error, STORE_ERROR_MAX, "recorder.sink: '%.32s'; expected sqlite or postgres",
                       sink);
    if (status == OK)
        status = store_migrate(self->sink, self->database, migrations, self->error);
    if (status) {
        (void)snprintf(error, STORE_ERROR_MAX, "%s", self->error);
        store_close(&self);
    }
    *out = self;
    return status;
}

void store_close(struct store **self)
{
    struct store *s = *self;
    if (s) {
        store_rollback(s);
        if (s->database)
            s->sink->close(s->database);
        schema_destroy(&s->schema);
        free(s->error);
        free(s);
    }
    *self = NULL;
}

const char *store_error(const struct store *self)
{
    return self->error;
}

void store_rollback(struct store *self)
{
    if (self->open)
        self->sink->rollback(self->database);
    self->open = false;
}

/* ---- transactions ------------------------------------------------------------------------------------ */

static int begin(struct store *self)
{
    if (self->open)
        return OK;
    int status = self->sink->begin(self->database);
    self->open = status == OK;
    return status;
}

/* After an error nothing of the transaction may be kept. */
static int ended(struct store *self, int status)
{
    if (status)
        store_rollback(self);
    return status;
}

static int delete_rows(struct store *self, const char *table, const char *run, const char *stream,
                       const char *pos)
{
    char sql[256];
    const char *params[] = {run, stream, pos};
    (void)snprintf(sql, sizeof sql, "DELETE FROM \"%s\" WHERE run = $1%s", table,
                   stream ? " AND stream = $2 AND pos >= CAST($3 AS BIGINT)" : "");
    return self->sink->execute(self->database, sql, params, stream ? 3 : 1, NULL);
}

/* stream NULL: everything of the run. */
static int delete_from(struct store *self, const char *run, const char *stream, uint64_t first_pos)
{
    char pos[24];
    (void)snprintf(pos, sizeof pos, "%" PRIu64, first_pos);
    int status = begin(self);
    if (status == OK)
        status = self->sink->flush(self->database);
    for (uint32_t i = 0; status == OK && i < self->schema->n_tables; i++)
        if (!stream || self->schema->tables[i].key == KEYED_LEDGER)
            status = delete_rows(self, self->schema->tables[i].name, run, stream, pos);
    return status == OK ? delete_rows(self, "refused_rows", run, stream, pos) : status;
}

/* A row that replaces the one before it. */
static int replace_row(struct store *self, const struct store_table *table)
{
    const char *params[TABLE_COLUMNS_MAX];
    char numbers[TABLE_COLUMNS_MAX][24], texts[TABLE_COLUMNS_MAX][TEXT_CELL_MAX], *sql = NULL;
    size_t len;
    FILE *out = open_memstream(&sql, &len);
    if (!out)
        return E_IO;
    (void)fprintf(out, "INSERT INTO \"%s\" (", table->name);
    schema_columns(table, out);
    for (uint32_t i = 0; i < table->n_columns; i++) {
        const struct cell *c = &self->row.cells[i];
        bool whole = c->kind == COLUMN_INT || c->kind == COLUMN_BOOL;
        (void)snprintf(numbers[i], sizeof numbers[i], "%" PRId64, whole ? c->number : 0);
        if (c->kind == COLUMN_NUMERIC)
            (void)numeric_text(c, texts[i]);
        else if (c->kind == COLUMN_TEXT)
            (void)snprintf(texts[i], sizeof texts[i], "%.*s", (int)c->len, c->text);
        params[i] = whole ? numbers[i] : texts[i];
        (void)fprintf(out, "%s$%u", i ? ", " : ") VALUES (", i + 1);
    }
    (void)fprintf(out, ") ON CONFLICT (run, symbol, venue) DO UPDATE SET ");
    for (uint32_t i = table->n_keys; i < table->n_columns; i++)
        (void)fprintf(out, "%s\"%s\" = excluded.\"%s\"", i > table->n_keys ? ", " : "",
                      table->columns[i].name, table->columns[i].name);
    (void)fclose(out);
    int status = self->sink->execute(self->database, sql, params, (int)table->n_columns, NULL);
    free(sql);
    return status;
}

static int add_rows(struct store *self, const char *run, const struct message *m)
{
    uint32_t n;
    const struct store_table *tables = schema_tables(self->schema, m->env.type, &n);
    int status = begin(self);
    for (uint32_t t = 0; status == OK && t < n; t++) {
        uint32_t rows = schema_rows(&tables[t], m);
        for (uint32_t i = 0; status == OK && i < rows; i++) {
            schema_row(&tables[t], run, m, i, &self->row);
            status = tables[t].key == KEYED_LATEST ? replace_row(self, &tables[t])
                                                   : self->sink->add(self->database, &tables[t], &self->row);
        }
    }
    return status;
}

static int add(struct store *self, const char *run, const struct message *m)
{
    int status = OK;
    if (m->env.type == MSG_GAP && strcmp(m->gap.cause, "rollback") == 0 &&
        strcmp(m->gap.stream_lost, m->env.stream) == 0)
        status = delete_from(self, run, m->gap.stream_lost, m->gap.from_pos);
    return status == OK ? add_rows(self, run, m) : status;
}

int store_add(struct store *self, const char *run, const struct message *m)
{
    return ended(self, add(self, run, m));
}

/* Back to before the message; its words stay in error. */
static int undo(struct store *self, int status)
{
    char words[STORE_ERROR_MAX];
    memcpy(words, self->error, sizeof words);
    self->sink->forget(self->database);
    int undone = self->sink->script(self->database, "ROLLBACK TO SAVEPOINT message");
    if (undone == OK)
        undone = self->sink->script(self->database, "RELEASE SAVEPOINT message");
    if (undone)
        return ended(self, undone == E_REFUSED || undone == E_STATE ? E_IO : undone);
    memcpy(self->error, words, sizeof words);
    return status;
}

int store_add_apart(struct store *self, const char *run, const struct message *m)
{
    int status = begin(self);
    if (status == OK)
        status = self->sink->flush(self->database);
    if (status == OK)
        status = self->sink->script(self->database, "SAVEPOINT message");
    if (status)
        return ended(self, status == E_STATE || status == E_REFUSED ? E_IO : status);
    status = add(self, run, m);
    if (status == OK)
        status = self->sink->flush(self->database);
    if (status == OK)
        return ended(self, self->sink->script(self->database, "RELEASE SAVEPOINT message"));
    return status == E_REFUSED || status == E_STATE ? undo(self, status) : ended(self, status);
}

int store_refuse(struct store *self, const char *run, const struct message *m, const char *why)
{
    static const char sql[] =
        "INSERT INTO refused_rows (run, stream, epoch, pos, ts_ns, type, error, message) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    char epoch[24], pos[24], ts[24], *json = malloc(JSON_FORM_MAX);
    const struct message_kind *kind = message_kind(m->env.type);
    const char *params[] = {run, m->env.stream, epoch, pos, ts, kind ? kind->body->name : "?", why, json};
    if (!json || json_form(m, json, JSON_FORM_MAX) == 0) {
        (void)snprintf(self->error, STORE_ERROR_MAX, "out of memory");
        free(json);
        return ended(self, E_IO);
    }
    (void)snprintf(epoch, sizeof epoch, "%" PRId64, (int64_t)m->env.epoch);
    (void)snprintf(pos, sizeof pos, "%" PRId64, (int64_t)m->env.pos);
    (void)snprintf(ts, sizeof ts, "%" PRId64, m->env.time_out);
    int status = begin(self);
    if (status == OK)
        status = self->sink->execute(self->database, sql, params, sizeof params / sizeof *params, NULL);
    free(json);
    return ended(self, status);
}

static int take_any(void *ctx, int columns, const char *const *names, const char *const *values)
{
    (void)columns, (void)names, (void)values;
    *(bool *)ctx = true;
    return OK;
}

int store_holds(struct store *self, const char *run, const struct message *m, bool *holds)
{
    char sql[256], epoch[24], seq[24];
    uint32_t n;
    const struct store_table *table = schema_tables(self->schema, m->env.type, &n);
    *holds = false;
    if (n == 0 || table->key != KEYED_MARKET)
        return OK;
    schema_row(table, run, m, 0, &self->row);
    const char *params[] = {run, self->row.topic, epoch, seq};
    (void)snprintf(epoch, sizeof epoch, "%" PRId64, (int64_t)m->env.epoch);
    (void)snprintf(seq, sizeof seq, "%" PRId64, (int64_t)m->env.seq);
    (void)snprintf(sql, sizeof sql,
                   "SELECT 1 FROM \"%s\" WHERE run = $1 AND topic = $2 AND epoch = CAST($3 AS BIGINT) AND "
                   "seq = CAST($4 AS BIGINT)",
                   table->name);
    return ended(self, store_query(self, sql, params, 4, take_any, holds));
}

int store_clear(struct store *self, const char *run)
{
    int status = delete_from(self, run, NULL, 0);
    if (status == OK)
        status = delete_rows(self, "stored_positions", run, NULL, NULL);
    if (status == OK)
        status = delete_rows(self, "marks", run, NULL, NULL);
    return ended(self, status);
}

int store_mark(struct store *self, const char *run, const struct quote *q)
{
    static const char sql[] =
        "INSERT INTO marks (run, symbol, venue, base, quote, state, bid, ask, price_time) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (run, symbol, venue) DO UPDATE SET "
        "base = excluded.base, quote = excluded.quote, state = excluded.state, bid = excluded.bid, "
        "ask = excluded.ask, price_time = excluded.price_time";
    char bid[DEC_TEXT_MAX], ask[DEC_TEXT_MAX], time[24];
    const struct book *book = &q->book;
    const char *params[] = {run,  q->symbol, q->venue, q->inst.base, q->inst.quote, book_state_text(q->state),
                            NULL, NULL,      time};
    if (book->n_bids && dec_format((struct dec){book->bids[0].price, book->price_exp}, bid))
        params[6] = bid;
    if (book->n_asks && dec_format((struct dec){book->asks[0].price, book->price_exp}, ask))
        params[7] = ask;
    (void)snprintf(time, sizeof time, "%" PRId64, book->recv_time);
    int status = begin(self);
    if (status == OK)
        status = self->sink->execute(self->database, sql, params, sizeof params / sizeof *params, NULL);
    return ended(self, status);
}

/* ---- positions --------------------------------------------------------------------------------------- */

static int take_position(void *ctx, int columns, const char *const *names, const char *const *values)
{
    uint64_t *position = ctx;
    (void)names;
    for (int i = 0; i < columns; i++)
        position[i] = (uint64_t)strtoll(values[i], NULL, 10);
    return OK;
}

int store_position(struct store *self, const char *run, const char *stream, uint64_t *epoch, uint64_t *pos)
{
    const char *params[] = {run, READER, stream};
    uint64_t position[2] = {0, 0};
    int status = store_query(
        self, "SELECT epoch, pos FROM stored_positions WHERE run = $1 AND reader = $2 AND stream = $3",
        params, 3, take_position, position);
    *epoch = position[0];
    *pos = position[1];
    return status;
}

static int move_position(struct store *self, const char *run, const struct store_position *p)
{
    static const char insert[] =
        "INSERT INTO stored_positions (run, reader, stream, epoch, pos) VALUES ($1, $2, $3, 0, 0) "
        "ON CONFLICT (run, reader, stream) DO NOTHING";
    static const char update[] =
        "UPDATE stored_positions SET epoch = $4, pos = $5 WHERE run = $1 AND reader = $2 "
        "AND stream = $3 AND epoch = $6 AND pos = $7";
    char numbers[4][24];
    const uint64_t values[] = {p->to_epoch, p->to_pos, p->from_epoch, p->from_pos};
    const char *params[] = {run, READER, p->stream, numbers[0], numbers[1], numbers[2], numbers[3]};
    uint64_t changed = 0;
    for (int i = 0; i < 4; i++)
        (void)snprintf(numbers[i], sizeof numbers[i], "%" PRId64, (int64_t)values[i]);
    int status = OK;
    if (p->from_epoch == 0 && p->from_pos == 0)
        status = self->sink->execute(self->database, insert, params, 3, NULL);
    if (status == OK)
        status = self->sink->execute(self->database, update, params, 7, &changed);
    if (status == OK && changed != 1) {
        (void)snprintf(self->error, STORE_ERROR_MAX,
                       "position of %s: expected %s/%s, but somebody else has moved it", p->stream,
                       numbers[2], numbers[3]);
        status = E_STATE;
    }
    return status;
}

int store_commit(struct store *self, const char *run, const struct store_position *positions, uint32_t n)
{
    int status = begin(self);
    /* The positions go first: of two recorders the second waits here, before its rows could collide. */
    for (uint32_t i = 0; status == OK && i < n; i++)
        status = move_position(self, run, &positions[i]);
    if (status == OK)
        status = self->sink->flush(self->database);
    failpoint();
    if (status == OK)
        status = self->sink->commit(self->database);
    if (status == OK)
        self->open = false;
    return ended(self, status);
}

int store_query(struct store *self, const char *sql, const char *const *params, int n_params,
                store_row_fn *row, void *ctx)
{
    return self->sink->query(self->database, sql, params, n_params, row, ctx);
}
