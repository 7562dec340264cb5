/* The run in one file. Readers never wait for the recorder (write-ahead log), and what is told as stored is
 * on disk (synchronous=FULL): the owners of the ledgers free their segments on that word. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "services/recorder/store_internal.h"

enum { BUSY_MS = 1000 };

struct sqlite {
    sqlite3 *db;
    const struct schema *schema;
    sqlite3_stmt *inserts[TABLES_MAX];
    char *error;
};

static int said(struct sqlite *self, int code)
{
    (void)snprintf(self->error, STORE_ERROR_MAX, "sqlite: %s",
                   self->db ? sqlite3_errmsg(self->db) : sqlite3_errstr(code));
    if (self->db)
        code = sqlite3_extended_errcode(self->db);
    if (code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_UNIQUE)
        return E_STATE;
    switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
    case SQLITE_ERROR:
        return E_REFUSED;
    default:
        return E_IO;
    }
}

static int run(void *database, const char *sql)
{
    struct sqlite *self = database;
    int code = sqlite3_exec(self->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? OK : said(self, code);
}

static void sqlite_close(void *database)
{
    struct sqlite *self = database;
    for (uint32_t i = 0; i < TABLES_MAX; i++)
        (void)sqlite3_finalize(self->inserts[i]);
    (void)sqlite3_close_v2(self->db);
    free(self);
}

static int sqlite_open(const char *target, const struct schema *schema, char *error, void **out)
{
    struct sqlite *self = calloc(1, sizeof *self);
    *out = NULL;
    if (!self)
        return E_REFUSED;
    self->schema = schema;
    self->error = error;
    int code = sqlite3_open_v2(target, &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    int status = code == SQLITE_OK ? OK : said(self, code);
    if (status == OK)
        (void)sqlite3_busy_timeout(self->db, BUSY_MS);
    if (status == OK)
        status = run(self, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;");
    if (status)
        sqlite_close(self);
    else
        *out = self;
    return status;
}

/* ---- transactions ------------------------------------------------------------------------------------ */

static int sqlite_begin(void *database)
{
    return run(database, "BEGIN IMMEDIATE");
}

static int sqlite_commit(void *database)
{
    return run(database, "COMMIT");
}

static void sqlite_rollback(void *database)
{
    struct sqlite *self = database;
    if (!sqlite3_get_autocommit(self->db))
        (void)sqlite3_exec(self->db, "ROLLBACK", NULL, NULL, NULL);
}

static int sqlite_flush(void *database)
{
    (void)database;
    return OK;
}

static void sqlite_forget(void *database)
{
    (void)database;
}

static int prepare_insert(struct sqlite *self, const struct store_table *table)
{
    char *sql = NULL;
    size_t len;
    FILE *out = open_memstream(&sql, &len);
    if (!out)
        return E_IO;
    (void)fprintf(out, "INSERT INTO \"%s\" (", table->name);
    schema_columns(table, out);
    (void)fprintf(out, ") VALUES (");
    for (uint32_t i = 0; i < table->n_columns; i++)
        (void)fprintf(out, "%s?", i ? "," : "");
    (void)fprintf(out, ")");
    (void)fclose(out);
    int code =
        sqlite3_prepare_v3(self->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &self->inserts[table->number], NULL);
    free(sql);
    return code == SQLITE_OK ? OK : said(self, code);
}

static int sqlite_add(void *database, const struct store_table *table, const struct row *row)
{
    struct sqlite *self = database;
    if (!self->inserts[table->number]) {
        int status = prepare_insert(self, table);
        if (status)
            return status;
    }
    sqlite3_stmt *insert = self->inserts[table->number];
    char texts[TABLE_COLUMNS_MAX][DEC_TEXT_MAX];
    for (uint32_t i = 0; i < table->n_columns; i++) {
        const struct cell *c = &row->cells[i];
        int column = (int)i + 1;
        if (c->kind == COLUMN_INT || c->kind == COLUMN_BOOL)
            (void)sqlite3_bind_int64(insert, column, c->number);
        else if (c->kind == COLUMN_NUMERIC)
            (void)sqlite3_bind_text(insert, column, texts[i], (int)numeric_text(c, texts[i]), SQLITE_STATIC);
        else
            (void)sqlite3_bind_text(insert, column, c->text, (int)c->len, SQLITE_STATIC);
    }
    int code = sqlite3_step(insert);
    int status = code == SQLITE_DONE ? OK : said(self, code);
    (void)sqlite3_reset(insert);
    return status;
}

/* ---- statements with parameters ---------------------------------------------------------------------- */

/* Parameters are bound by their names, "$1", since SQLite numbers them by where they first stand. */
static int prepare(struct sqlite *self, const char *sql, const char *const *params, int n, sqlite3_stmt **out)
{
    int code = sqlite3_prepare_v2(self->db, sql, -1, out, NULL);
    if (code != SQLITE_OK)
        return said(self, code);
    for (int i = 0; i < n; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "$%d", i + 1);
        int at = sqlite3_bind_parameter_index(*out, name);
        if (at && params[i])
            (void)sqlite3_bind_text(*out, at, params[i], -1, SQLITE_STATIC);
    }
    return OK;
}

static int sqlite_execute(void *database, const char *sql, const char *const *params, int n,
                          uint64_t *changed)
{
    struct sqlite *self = database;
    sqlite3_stmt *statement;
    int status = prepare(self, sql, params, n, &statement);
    if (status)
        return status;
    int code = sqlite3_step(statement);
    if (code != SQLITE_DONE && code != SQLITE_ROW)
        status = said(self, code);
    else if (changed)
        *changed = (uint64_t)sqlite3_changes64(self->db);
    (void)sqlite3_finalize(statement);
    return status;
}

static int each_row(struct sqlite *self, sqlite3_stmt *statement, store_row_fn *row, void *ctx)
{
    enum { RESULT_COLUMNS_MAX = 128 };
    const char *names[RESULT_COLUMNS_MAX], *values[RESULT_COLUMNS_MAX];
    int columns = sqlite3_column_count(statement), code, status = OK;
    columns = columns < RESULT_COLUMNS_MAX ? columns : RESULT_COLUMNS_MAX;
    while (status == OK && (code = sqlite3_step(statement)) != SQLITE_DONE) {
        if (code != SQLITE_ROW)
            return said(self, code);
        for (int i = 0; i < columns; i++) {
            names[i] = sqlite3_column_name(statement, i);
            values[i] = (const char *)sqlite3_column_text(statement, i);
        }
        status = row(ctx, columns, names, values);
    }
    return status;
}

static int sqlite_query(void *database, const char *sql, const char *const *params, int n, store_row_fn *row,
                        void *ctx)
{
    struct sqlite *self = database;
    sqlite3_stmt *statement;
    int status = prepare(self, sql, params, n, &statement);
    if (status)
        return status;
    status = each_row(self, statement, row, ctx);
    (void)sqlite3_finalize(statement);
    return status;
}

const struct sink sqlite_sink = {
    .name = "sqlite",
    .count_tables_sql = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1",
    .migration_lock_sql = "", /* BEGIN IMMEDIATE is one */
    .open = sqlite_open,
    .close = sqlite_close,
    .begin = sqlite_begin,
    .add = sqlite_add,
    .flush = sqlite_flush,
    .script = run,
    .execute = sqlite_execute,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .forget = sqlite_forget,
    .query = sqlite_query,
};
