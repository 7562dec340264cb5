/* Rows are kept as COPY BINARY has them, a buffer for each table, and go over when the transaction ends: one COPY a
 * table instead of a statement a row. The partition of a row's day is made when the first row of that day comes. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "services/recorder/store_postgres.h"

/* Held while a partition is made: two recorders may want the same one. */
#define PARTITION_LOCK "7239460119"
#define DAY_SECONDS    INT64_C(86400)
/* Postgres counts microseconds from 2000-01-01. */
#define EPOCH_2000_US INT64_C(946684800000000)

static const unsigned char copy_header[] =
    "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0"; /* the NUL behind it is its last byte */
static const unsigned char copy_end[] = {0xff, 0xff};

/* ---- cells ------------------------------------------------------------------------------------------- */

static bool has_room(struct row_buffer *b, size_t len)
{
    if (b->size - b->len >= len)
        return true;
    size_t size = b->size ? b->size : 65536;
    while (size - b->len < len)
        size *= 2;
    unsigned char *grown = realloc(b->bytes, size);
    if (!grown)
        return false;
    b->bytes = grown;
    b->size = size;
    return true;
}

static void put(struct row_buffer *b, const void *bytes, size_t len)
{
    memcpy(b->bytes + b->len, bytes, len);
    b->len += len;
}

static void put16(struct row_buffer *b, uint32_t value)
{
    const uint16_t wire = htobe16((uint16_t)value);
    put(b, &wire, sizeof wire);
}

static void put32(struct row_buffer *b, uint32_t value)
{
    const uint32_t wire = htobe32(value);
    put(b, &wire, sizeof wire);
}

static void put64(struct row_buffer *b, int64_t value)
{
    const uint64_t wire = htobe64((uint64_t)value);
    put32(b, sizeof value);
    put(b, &wire, sizeof wire);
}

/* What a cell takes beside a text: a length, and the most that any other has. */
enum { CELL_BYTES_MAX = 4 + NUMERIC_BYTES_MAX };

/* There is room for CELL_BYTES_MAX, and after it there is for the cells that follow. */
static bool put_cell(struct row_buffer *b, const struct cell *c, size_t following)
{
    size_t len;
    switch (c->kind) {
    case COLUMN_INT:
        put64(b, c->number);
        return true;
    case COLUMN_BOOL:
        put32(b, 1);
        b->bytes[b->len++] = c->number != 0;
        return true;
    case COLUMN_NUMERIC:
        len = numeric_cell_binary(c, b->bytes + b->len + 4);
        put32(b, (uint32_t)len);
        b->len += len;
        return len > 0;
    case COLUMN_TEXT:
        if (!has_room(b, 4 + c->len + following))
            return false;
        put32(b, (uint32_t)c->len);
        put(b, c->text, c->len);
        return true;
    }
    return false;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* ---- partitions -------------------------------------------------------------------------------------- */

static bool knows(const struct row_buffer *b, int64_t day)
{
    for (uint32_t i = 0; i < b->n_days && i < KNOWN_DAYS; i++)
        if (b->days[i] == day)
            return true;
    return false;
}

/* "2026-11-22", or with dash "" the same without dashes. */
static void day_text(int64_t day, const char *dash, char out[16])
{
    struct tm tm = {0};
    time_t at = (time_t)(day * DAY_SECONDS);
    (void)gmtime_r(&at, &tm);
    (void)snprintf(out, 16, "%04d%s%02d%s%02d", tm.tm_year + 1900, dash, tm.tm_mon + 1, dash, tm.tm_mday);
}

static int is_attached(struct postgres *self, const char *table, const char *partition, bool *is)
{
    const char *params[] = {table, partition};
    PGresult *result = PQexecParams(
        self->connection,
        "SELECT 1 FROM pg_inherits WHERE inhparent = to_regclass($1) AND inhrelid = to_regclass($2)", 2, NULL,
        params, NULL, NULL, 0);
    *is = PQntuples(result) > 0;
    return postgres_outcome(self, result);
}

/* Made beside the table and then attached, which neither waits for its readers nor holds them up. */
static int make_partition(struct postgres *self, const char *table, const char *partition, int64_t day)
{
    char sql[512], from[16], to[16];
    day_text(day, "-", from);
    day_text(day + 1, "-", to);
    (void)snprintf(
        sql, sizeof sql,
        "CREATE TABLE IF NOT EXISTS %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING "
        "GENERATED); ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM ('%s 00:00:00+00') TO ('%s "
        "00:00:00+00')",
        partition, table, table, partition, from, to);
    return postgres_outcome(self, PQexec(self->connection, sql));
}

static int want_partition(struct postgres *self, const struct store_table *table, int64_t day)
{
    struct row_buffer *b = &self->rows[table->number];
    char name[COLUMN_NAME_MAX + 16], on[16];
    bool is;
    if (table->key == KEYED_LATEST || knows(b, day))
        return OK;
    day_text(day, "", on);
    (void)snprintf(name, sizeof name, "%s_%s", table->name, on);
    int status = is_attached(self, table->name, name, &is);
    if (status == OK && !is) {
        status = postgres_outcome(
            self, PQexec(self->connection, "SELECT pg_advisory_xact_lock(" PARTITION_LOCK ")"));
        if (status == OK)
            status = is_attached(self, table->name, name, &is);
        if (status == OK && !is)
            status = make_partition(self, table->name, name, day);
    }
    if (status == OK)
        b->days[b->n_days++ % KNOWN_DAYS] = day;
    return status;
}

/* ---- rows -------------------------------------------------------------------------------------------- */

int postgres_prepare_copies(struct postgres *self)
{
    for (uint32_t i = 0; i < self->schema->n_tables; i++) {
        const struct store_table *table = &self->schema->tables[i];
        size_t len;
        FILE *out = open_memstream(&self->copy[i], &len);
        if (!out)
            return postgres_say(self, "out of memory");
        (void)fprintf(out, "COPY \"%s\" (", table->name);
        schema_columns(table, out);
        (void)fprintf(out, ",\"ts\") FROM STDIN (FORMAT binary)");
        if (fclose(out) != 0)
            return postgres_say(self, "out of memory");
    }
    return OK;
}

int postgres_add(void *database, const struct store_table *table, const struct row *row)
{
    struct postgres *self = database;
    struct row_buffer *b = &self->rows[table->number];
    int64_t ts_ns = row->cells[table->n_keys].number;
    int status = want_partition(self, table, floor_div(ts_ns, DAY_SECONDS * NS_PER_SEC));
    if (status)
        return status;
    const size_t before = b->len;
    size_t following = (table->n_columns + 1) * (size_t)CELL_BYTES_MAX;
    bool ok = has_room(b, sizeof copy_header + 2 + following);
    if (ok && b->len == 0)
        put(b, copy_header, sizeof copy_header);
    if (ok)
        put16(b, table->n_columns + 1);
    for (uint32_t i = 0; ok && i < table->n_columns; i++)
        ok = put_cell(b, &row->cells[i], following -= CELL_BYTES_MAX);
    if (!ok) {
        b->len = before;
        return postgres_say(self, "out of memory");
    }
    put64(b, floor_div(ts_ns, 1000) - EPOCH_2000_US);
    return OK;
}

static int copy_rows(struct postgres *self, uint32_t table)
{
    enum { PIECE = 1 << 20 };
    struct row_buffer *b = &self->rows[table];
    PGresult *result = PQexec(self->connection, self->copy[table]);
    if (PQresultStatus(result) != PGRES_COPY_IN) {
        int status = postgres_said(self, result);
        PQclear(result);
        return status;
    }
    PQclear(result);
    int sent = 1;
    for (size_t at = 0; sent == 1 && at < b->len; at += PIECE)
        sent = PQputCopyData(self->connection, (const char *)b->bytes + at,
                             (int)(b->len - at < PIECE ? b->len - at : PIECE));
    if (sent == 1)
        sent = PQputCopyData(self->connection, (const char *)copy_end, sizeof copy_end);
    if (sent == 1)
        sent = PQputCopyEnd(self->connection, NULL);
    int status = sent == 1 ? OK : postgres_say(self, PQerrorMessage(self->connection));
    while ((result = PQgetResult(self->connection)) != NULL) {
        int each = postgres_outcome(self, result);
        status = status ? status : each;
        if (PQstatus(self->connection) != CONNECTION_OK)
            break;
    }
    return status;
}

int postgres_flush(void *database)
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

void postgres_forget(void *database)
{
    struct postgres *self = database;
    for (uint32_t i = 0; i < TABLES_MAX; i++)
        self->rows[i].len = self->rows[i].n_days = 0;
}

void postgres_free_rows(struct postgres *self)
{
    for (uint32_t i = 0; i < TABLES_MAX; i++) {
        free(self->rows[i].bytes);
        free(self->copy[i]);
    }
}
