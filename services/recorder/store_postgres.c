/* The run on a server. Rows are kept as COPY text, a buffer for each table, and go over when the transaction
 * ends: one COPY a table instead of a statement a row. */
#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "services/recorder/store_internal.h"

/* Held while tables are made: two processes may start at once. */
#define CREATION_LOCK   "7239460118"
#define CONNECT_SECONDS "3"
/* A server that has gone without a word is noticed after this long. */
#define LOST_AFTER_MS "5000"

struct buffer {
    char *bytes;
    size_t len, size;
};

struct postgres {
    PGconn *connection;
    const struct schema *schema;
    struct buffer rows[TABLES_MAX];
    char *copy[TABLES_MAX]; /* COPY statements */
    char *error;
};

/* ---- errors ------------------------------------------------------------------------------------------ */

static int say(struct postgres *self, const char *words)
{
    int len = (int)strcspn(words, "\n");
    (void)snprintf(self->error, STORE_ERROR_MAX, "postgres: %.*s", len < 200 ? len : 200, words);
    return E_IO;
}

/* Whether a row is there already, the server is not (or will do it another time), or says no. */
static int said(struct postgres *self, const PGresult *result)
{
    const char *code = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    (void)say(self, result && *PQresultErrorMessage(result) ? PQresultErrorMessage(result)
                                                            : PQerrorMessage(self->connection));
    if (!code || PQstatus(self->connection) != CONNECTION_OK)
        return E_IO;
    if (strcmp(code, "23505") == 0)
        return E_STATE;
    /* connection, resources, shutdown, lock and serialization failures pass */
    if (strncmp(code, "08", 2) == 0 || strncmp(code, "53", 2) == 0 || strncmp(code, "57", 2) == 0 ||
        strncmp(code, "55", 2) == 0 || strncmp(code, "40", 2) == 0)
        return E_IO;
    return E_REFUSED;
}

/* Takes the result's ownership. */
static int outcome(struct postgres *self, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    int done = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? OK : said(self, result);
    PQclear(result);
    return done;
}

static int run(struct postgres *self, const char *sql)
{
    return outcome(self, PQexec(self->connection, sql));
}

/* ---- life -------------------------------------------------------------------------------------------- */

static void postgres_close(void *database)
{
    struct postgres *self = database;
    for (uint32_t i = 0; i < TABLES_MAX; i++) {
        free(self->rows[i].bytes);
        free(self->copy[i]);
    }
    PQfinish(self->connection);
    free(self);
}

static void keep_quiet(void *ctx, const char *words)
{
    (void)ctx;
    (void)words;
}

static int make_copy(struct postgres *self, const struct store_table *table)
{
    size_t len;
    FILE *out = open_memstream(&self->copy[table->number], &len);
    if (!out)
        return say(self, "out of memory");
    (void)fprintf(out, "COPY \"%s\" (", table->name);
    schema_columns(table, out);
    (void)fprintf(out, ") FROM STDIN");
    return fclose(out) == 0 ? OK : say(self, "out of memory");
}

static int create(struct postgres *self)
{
    char *sql = schema_sql(self->schema, true);
    if (!sql)
        return say(self, "out of memory");
    int status = run(self, "BEGIN; SELECT pg_advisory_xact_lock(" CREATION_LOCK ")");
    if (status == OK)
        status = run(self, sql);
    if (status == OK)
        status = run(self, "COMMIT");
    free(sql);
    for (uint32_t i = 0; status == OK && i < self->schema->n_tables; i++)
        status = make_copy(self, &self->schema->tables[i]);
    return status;
}

static int postgres_open(const char *target, const struct schema *schema, char *error, void **out)
{
    static const char *const names[] = {"connect_timeout",           "keepalives_idle", "tcp_user_timeout",
                                        "fallback_application_name", "dbname",          NULL};
    const char *const values[] = {CONNECT_SECONDS, "5", LOST_AFTER_MS, "sluice", target, NULL};
    struct postgres *self = calloc(1, sizeof *self);
    *out = NULL;
    if (!self)
        return E_REFUSED;
    self->schema = schema;
    self->error = error;
    /* What stands in the target overrides what stands before it. */
    self->connection = PQconnectdbParams(names, values, 1);
    (void)PQsetNoticeProcessor(self->connection, keep_quiet, NULL);
    int status = OK;
    if (PQstatus(self->connection) != CONNECTION_OK)
        status = say(self, PQerrorMessage(self->connection));
    if (status == OK && PQsetClientEncoding(self->connection, "UTF8") != 0)
        status = say(self, "the client encoding cannot be UTF8");
    if (status == OK)
        status = create(self);
    if (status)
        postgres_close(self);
    else
        *out = self;
    return status;
}

/* ---- rows -------------------------------------------------------------------------------------------- */

static bool put(struct buffer *b, const char *bytes, size_t len)
{
    if (b->size - b->len < len) {
        size_t size = b->size ? b->size : 65536;
        while (size - b->len < len)
            size *= 2;
        char *grown = realloc(b->bytes, size);
        if (!grown)
            return false;
        b->bytes = grown;
        b->size = size;
    }
    memcpy(b->bytes + b->len, bytes, len);
    b->len += len;
    return true;
}

/* COPY's text form: what separates cells and rows is escaped. */
static bool put_text(struct buffer *b, const char *text, size_t len)
{
    bool ok = true;
    while (ok && len > 0) {
        size_t plain = 0;
        while (plain < len && !strchr("\\\t\n\r", text[plain]))
            plain++;
        ok = put(b, text, plain);
        text += plain;
        len -= plain;
        if (ok && len > 0) {
            const char escaped[] = {'\\', *text == '\t'   ? 't'
                                          : *text == '\n' ? 'n'
                                          : *text == '\r' ? 'r'
                                                          : '\\'};
            ok = put(b, escaped, sizeof escaped);
            text++;
            len--;
        }
    }
    return ok;
}

static int postgres_add(void *database, const struct store_table *table, const struct row *row)
{
    struct postgres *self = database;
    struct buffer *b = &self->rows[table->number];
    bool ok = true;
    for (uint32_t i = 0; ok && i < table->n_columns; i++) {
        const struct cell *c = &row->cells[i];
        char number[24];
        if (c->kind == COLUMN_NUMERIC || c->kind == COLUMN_TEXT)
            ok = put_text(b, c->text, c->len);
        else
            ok = put(b, number, (size_t)snprintf(number, sizeof number, "%ld", c->number));
        ok = ok && put(b, i + 1 == table->n_columns ? "\n" : "\t", 1);
    }
    return ok ? OK : say(self, "out of memory");
}

static int copy_rows(struct postgres *self, uint32_t table)
{
    enum { PIECE = 1 << 20 };
    struct buffer *b = &self->rows[table];
    PGresult *result = PQexec(self->connection, self->copy[table]);
    if (PQresultStatus(result) != PGRES_COPY_IN) {
        int status = said(self, result);
        PQclear(result);
        return status;
    }
    PQclear(result);
    int sent = 1;
    for (size_t at = 0; sent == 1 && at < b->len; at += PIECE)
        sent =
            PQputCopyData(self->connection, b->bytes + at, (int)(b->len - at < PIECE ? b->len - at : PIECE));
    if (sent == 1)
        sent = PQputCopyEnd(self->connection, NULL);
    int status = sent == 1 ? OK : say(self, PQerrorMessage(self->connection));
    while ((result = PQgetResult(self->connection)) != NULL) {
        int each = outcome(self, result);
        status = status ? status : each;
        if (PQstatus(self->connection) != CONNECTION_OK)
            break;
    }
    return status;
}

static int postgres_flush(void *database)
{
    struct postgres *self = database;
    int status = OK;
    for (uint32_t i = 0; status == OK && i < self->schema->n_tables; i++) {
        if (self->rows[i].len > 0)
            status = copy_rows(self, i);
        self->rows[i].len = 0;
    }
    return status;
}

/* ---- transactions ------------------------------------------------------------------------------------ */

static int postgres_begin(void *database)
{
    return run(database, "BEGIN");
}

static int postgres_commit(void *database)
{
    return run(database, "COMMIT");
}

static void postgres_rollback(void *database)
{
    struct postgres *self = database;
    for (uint32_t i = 0; i < TABLES_MAX; i++)
        self->rows[i].len = 0;
    if (PQstatus(self->connection) == CONNECTION_OK)
        PQclear(PQexec(self->connection, "ROLLBACK"));
}

static int postgres_execute(void *database, const char *sql, const char *const *params, int n,
                            uint64_t *changed)
{
    struct postgres *self = database;
    PGresult *result = PQexecParams(self->connection, sql, n, NULL, params, NULL, NULL, 0);
    if (changed)
        *changed = strtoull(PQcmdTuples(result), NULL, 10);
    return outcome(self, result);
}

/* ---- queries ----------------------------------------------------------------------------------------- */

enum { BOOL_TYPE = 16, RESULT_COLUMNS_MAX = 128 };

static const char *value_of(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        return NULL;
    const char *value = PQgetvalue(result, row, column);
    if (PQftype(result, column) == BOOL_TYPE)
        return *value == 't' ? "1" : "0";
    return value;
}

static int each_row(struct postgres *self, store_row_fn *row, void *ctx)
{
    const char *names[RESULT_COLUMNS_MAX], *values[RESULT_COLUMNS_MAX];
    PGresult *result;
    int status = OK;
    /* One row at a time; all results must be taken, also after the caller has had enough. */
    while ((result = PQgetResult(self->connection)) != NULL) {
        ExecStatusType kind = PQresultStatus(result);
        if (kind != PGRES_SINGLE_TUPLE && kind != PGRES_TUPLES_OK && kind != PGRES_COMMAND_OK && status == OK)
            status = said(self, result);
        int columns = PQnfields(result) < RESULT_COLUMNS_MAX ? PQnfields(result) : RESULT_COLUMNS_MAX;
        for (int r = 0; status == OK && r < PQntuples(result); r++) {
            for (int c = 0; c < columns; c++) {
                names[c] = PQfname(result, c);
                values[c] = value_of(result, r, c);
            }
            status = row(ctx, columns, names, values);
        }
        PQclear(result);
        if (PQstatus(self->connection) != CONNECTION_OK)
            break;
    }
    return status;
}

static int postgres_query(void *database, const char *sql, const char *const *params, int n,
                          store_row_fn *row, void *ctx)
{
    struct postgres *self = database;
    if (PQsendQueryParams(self->connection, sql, n, NULL, params, NULL, NULL, 0) != 1)
        return say(self, PQerrorMessage(self->connection));
    (void)PQsetSingleRowMode(self->connection);
    return each_row(self, row, ctx);
}

const struct sink postgres_sink = {
    .open = postgres_open,
    .close = postgres_close,
    .begin = postgres_begin,
    .add = postgres_add,
    .flush = postgres_flush,
    .execute = postgres_execute,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .query = postgres_query,
};
