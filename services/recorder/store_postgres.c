/* The run on a server. */
#include <stdlib.h>
#include <string.h>

#include "services/recorder/store_postgres.h"

/* Held while tables are made: two processes may start at once. */
#define MIGRATION_LOCK  "7239460118"
#define CONNECT_SECONDS "3"
/* A server that has gone without a word is noticed after this long. */
#define LOST_AFTER_MS "5000"

/* A recorder that stands still in mid-transaction must not hold up the one that takes its place for ever. */
#define SESSION                                                                                              \
    "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '60s'; SET TimeZone = 'UTC'; "       \
    "SET client_min_messages = warning"

/* ---- errors ------------------------------------------------------------------------------------------ */

int postgres_say(struct postgres *self, const char *words)
{
    int len = (int)strcspn(words, "\n");
    (void)snprintf(self->error, STORE_ERROR_MAX, "postgres: %.*s", len < 200 ? len : 200, words);
    return E_IO;
}

/* Whether a row is there already, the server is not (or will do it another time), or says no. */
int postgres_said(struct postgres *self, const PGresult *result)
{
    const char *code = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    (void)postgres_say(self, result && *PQresultErrorMessage(result) ? PQresultErrorMessage(result)
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

int postgres_outcome(struct postgres *self, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    int done = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? OK : postgres_said(self, result);
    PQclear(result);
    return done;
}

static int postgres_script(void *database, const char *sql)
{
    struct postgres *self = database;
    return postgres_outcome(self, PQexec(self->connection, sql));
}

/* ---- life -------------------------------------------------------------------------------------------- */

static void postgres_close(void *database)
{
    struct postgres *self = database;
    postgres_free_rows(self);
    PQfinish(self->connection);
    free(self);
}

static void keep_quiet(void *ctx, const char *words)
{
    (void)ctx;
    (void)words;
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
        status = postgres_say(self, PQerrorMessage(self->connection));
    if (status == OK && PQsetClientEncoding(self->connection, "UTF8") != 0)
        status = postgres_say(self, "the client encoding cannot be UTF8");
    if (status == OK)
        status = postgres_script(self, SESSION);
    if (status == OK)
        status = postgres_prepare_copies(self);
    if (status)
        postgres_close(self);
    else
        *out = self;
    return status;
}

/* ---- transactions ------------------------------------------------------------------------------------ */

static int postgres_begin(void *database)
{
    return postgres_script(database, "BEGIN");
}

static int postgres_commit(void *database)
{
    return postgres_script(database, "COMMIT");
}

static void postgres_rollback(void *database)
{
    struct postgres *self = database;
    postgres_forget(self);
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
    return postgres_outcome(self, result);
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
            status = postgres_said(self, result);
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
        return postgres_say(self, PQerrorMessage(self->connection));
    (void)PQsetSingleRowMode(self->connection);
    return each_row(self, row, ctx);
}

const struct sink postgres_sink = {
    .name = "postgres",
    .count_tables_sql =
        "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1",
    .migration_lock_sql = "SELECT pg_advisory_xact_lock(" MIGRATION_LOCK ")",
    .open = postgres_open,
    .close = postgres_close,
    .begin = postgres_begin,
    .add = postgres_add,
    .flush = postgres_flush,
    .script = postgres_script,
    .execute = postgres_execute,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .forget = postgres_forget,
    .query = postgres_query,
};
