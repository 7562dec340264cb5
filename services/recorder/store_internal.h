/* What store.c, store_schema.c and the two sinks share.
 *
 * The schema is the dictionary seen as tables: a table for each LEDGER message, and one for each list in it. A row is
 * handed to a sink as cells, already in the form both databases take.
 */
#ifndef SLUICE_SERVICES_STORE_INTERNAL_H
#define SLUICE_SERVICES_STORE_INTERNAL_H

#include <stdio.h>

#include "services/recorder/store.h"

enum { COLUMN_NAME_MAX = 48, TABLE_COLUMNS_MAX = 72, TABLES_MAX = 32 };

enum column_kind {
    COLUMN_INT,     /* BIGINT */
    COLUMN_BOOL,    /* BOOLEAN */
    COLUMN_NUMERIC, /* exact: NUMERIC in Postgres, TEXT in SQLite */
    COLUMN_TEXT
};

struct column {
    char name[COLUMN_NAME_MAX];
    enum column_kind kind;
    const struct field *field; /* of the body or of the list's record; NULL: of the envelope */
    uint16_t offset;           /* in the message, of an envelope's int64 */
};

struct store_table {
    char name[COLUMN_NAME_MAX];
    uint32_t number; /* in the schema */
    const struct message_kind *kind;
    const struct field *list; /* NULL: the message's own table */
    uint32_t n_keys;          /* the first columns: run, stream, epoch, pos, and item for a list */
    uint32_t n_columns;
    struct column columns[TABLE_COLUMNS_MAX];
};

struct schema {
    uint32_t n_tables;
    struct store_table tables[TABLES_MAX]; /* a message's own table, then its lists' */
};

struct cell {
    enum column_kind kind;
    int64_t number;   /* INT, BOOL */
    const char *text; /* NUMERIC, TEXT; into the message or the row */
    size_t len;
};

struct row {
    struct cell cells[TABLE_COLUMNS_MAX];
    char texts[TABLE_COLUMNS_MAX][DEC_TEXT_MAX];
};

/* NULL: out of memory, or the dictionary has outgrown the bounds above. */
struct schema *schema_new(void);
void schema_destroy(struct schema **self);

/* The tables of a message type; n = 0 when it is none of a ledger's. */
const struct store_table *schema_tables(const struct schema *self, uint32_t type, uint32_t *n);

/* How many rows a message has in a table, and one of them. */
uint32_t schema_rows(const struct store_table *table, const struct message *m);
void schema_row(const struct store_table *table, const char *run, const struct message *m, uint32_t item,
                struct row *row);

/* SQL that makes all tables and indexes when absent, one statement a line. The caller frees it; NULL: out of memory. */
char *schema_sql(const struct schema *self, bool postgres);

/* The columns of a table as `"a","b"`. */
void schema_columns(const struct store_table *table, FILE *out);

/* A database. Within begin and commit or rollback is one transaction. Every function but close and rollback returns OK,
 * E_STATE (a row is there already), E_IO (away, or locked) or E_REFUSED, with words in error. */
struct sink {
    int (*open)(const char *target, const struct schema *schema, char *error, void **out);
    void (*close)(void *self);
    int (*begin)(void *self);
    int (*add)(void *self, const struct store_table *table, const struct row *row);
    int (*flush)(void *self); /* rows added are in the database, not yet committed */
    /* changed: rows; may be NULL. */
    int (*execute)(void *self, const char *sql, const char *const *params, int n, uint64_t *changed);
    int (*commit)(void *self);
    void (*rollback)(void *self);
    int (*query)(void *self, const char *sql, const char *const *params, int n, store_row_fn *row, void *ctx);
};

extern const struct sink sqlite_sink, postgres_sink;

#endif
