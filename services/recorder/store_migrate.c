/* The tables are what the migrations made them, one after the other. Which have been applied, the database says
 * itself, in schema_migrations. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/table.h"
#include "services/recorder/store_internal.h"

enum { CHECKSUM_MAX = 17 };

struct applied {
    const char *sink;
    const struct migration *of;
    int last;
    int status;
    char *error;
};

static void checksum(const char *sql, char out[CHECKSUM_MAX])
{
    (void)snprintf(out, CHECKSUM_MAX, "%016" PRIx64, fnv1a(FNV_OFFSET, sql, strlen(sql)));
}

static const struct migration *find(const struct migration *of, const char *sink, int number)
{
    for (; of->sink; of++)
        if (strcmp(of->sink, sink) == 0 && of->number == number)
            return of;
    return NULL;
}

/* ---- what has been applied --------------------------------------------------------------------------- */

static int take_applied(void *ctx, int columns, const char *const *names, const char *const *values)
{
    struct applied *a = ctx;
    char sum[CHECKSUM_MAX];
    int number = (int)strtol(values[0], NULL, 10);
    const struct migration *m = find(a->of, a->sink, number);
    (void)columns, (void)names;
    if (!m) {
        (void)snprintf(
            a->error, STORE_ERROR_MAX,
            "%s: the database is newer than this program: it has migration %04d (%.60s), the program "
            "ends at %04d; use the newer program",
            a->sink, number, values[1], a->last);
        return a->status = E_REFUSED;
    }
    checksum(m->sql, sum);
    if (strcmp(sum, values[2]) != 0) {
        (void)snprintf(a->error, STORE_ERROR_MAX,
                       "%s: migration %04d (%.60s) was applied to this database with another text: checksum "
                       "%.16s, the program's is %s",
                       a->sink, number, values[1], values[2], sum);
        return a->status = E_REFUSED;
    }
    a->last = number;
    return OK;
}

/* The number of the last one applied; 0 when none was. */
static int read_applied(const struct sink *sink, void *database, const struct migration *of, char *error,
                        int *last)
{
    struct applied a = {.sink = sink->name, .of = of, .error = error};
    int status = sink->query(database, "SELECT number, name, checksum FROM schema_migrations ORDER BY number",
                             NULL, 0, take_applied, &a);
    *last = a.last;
    return status;
}

static int take_count(void *ctx, int columns, const char *const *names, const char *const *values)
{
    (void)columns, (void)names;
    *(int64_t *)ctx = strtoll(values[0], NULL, 10);
    return OK;
}

static int has_migrations(const struct sink *sink, void *database, char *error, bool *has)
{
    const char *name = "schema_migrations";
    int64_t n = 0;
    int status = sink->query(database, sink->count_tables_sql, &name, 1, take_count, &n);
    *has = n > 0;
    if (status || n > 0)
        return status;
    name = "stored_positions";
    status = sink->query(database, sink->count_tables_sql, &name, 1, take_count, &n);
    if (status == OK && n > 0) {
        (void)snprintf(
            error, STORE_ERROR_MAX,
            "%s: the database was made by a program without migrations: move it away (sluice.db, or drop "
            "its tables), and it is filled again from the journals",
            sink->name);
        return E_REFUSED;
    }
    return status;
}

/* ---- applying ---------------------------------------------------------------------------------------- */

static int apply(const struct sink *sink, void *database, const struct migration *m)
{
    char number[12], sum[CHECKSUM_MAX];
    const char *params[] = {number, m->name, sum};
    (void)snprintf(number, sizeof number, "%d", m->number);
    checksum(m->sql, sum);
    int status = sink->script(database, m->sql);
    if (status == OK)
        status = sink->execute(database,
                               "INSERT INTO schema_migrations (number, name, applied_at, checksum) "
                               "VALUES ($1, $2, CURRENT_TIMESTAMP, $3)",
                               params, 3, NULL);
    return status;
}

static const struct migration *next_of(const struct migration *of, const char *sink, int last)
{
    return find(of, sink, last + 1);
}

/* One migration in a transaction of its own; *more until there is none left. */
static int step(const struct sink *sink, void *database, const struct migration *of, char *error, bool *more)
{
    static const char made[] =
        "CREATE TABLE schema_migrations (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT "
        "NULL, applied_at TEXT NOT NULL, checksum TEXT NOT NULL)";
    bool has = false;
    int last = 0, status = sink->begin(database);
    if (status)
        return status;
    if (*sink->migration_lock_sql)
        status = sink->script(database, sink->migration_lock_sql);
    if (status == OK)
        status = has_migrations(sink, database, error, &has);
    if (status == OK)
        status = has ? read_applied(sink, database, of, error, &last) : sink->script(database, made);
    const struct migration *next = status == OK ? next_of(of, sink->name, last) : NULL;
    if (status == OK && next)
        status = apply(sink, database, next);
    if (status == OK)
        status = sink->commit(database);
    if (status)
        sink->rollback(database);
    *more = status == OK && next != NULL;
    return status;
}

int store_migrate(const struct sink *sink, void *database, const struct migration *of, char *error)
{
    bool has, more = true;
    int last = 0;
    /* A reader of a current database neither writes nor waits. */
    int status = has_migrations(sink, database, error, &has);
    if (status == OK && has) {
        status = read_applied(sink, database, of, error, &last);
        more = next_of(of, sink->name, last) != NULL;
    }
    while (status == OK && more)
        status = step(sink, database, of, error, &more);
    return status;
}
