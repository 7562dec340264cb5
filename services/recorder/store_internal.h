/* What store.c, store_schema.c, store_migrate.c and the two sinks share.
 *
 * The schema is the dictionary seen as tables. A row is handed to a sink as cells. The tables themselves are made by
 * the migrations, not by the schema: a test holds the two against each other.
 */
#ifndef SLUICE_SERVICES_STORE_INTERNAL_H
#define SLUICE_SERVICES_STORE_INTERNAL_H

#include <stdio.h>

#include "services/recorder/store.h"

enum { COLUMN_NAME_MAX = 48, TABLE_COLUMNS_MAX = 72, TABLES_MAX = 40, STORE_TOPIC_MAX = 128 };

enum column_kind {
    COLUMN_INT,     /* BIGINT */
    COLUMN_BOOL,    /* BOOLEAN */
    COLUMN_NUMERIC, /* exact: NUMERIC in Postgres, TEXT in SQLite */
    COLUMN_TEXT
};

enum table_key {
    KEYED_LEDGER, /* run, stream, epoch, pos */
    KEYED_MARKET, /* run, topic, epoch, seq */
    KEYED_LATEST  /* run, symbol, venue: one row, replaced */
};

struct column {
    char name[COLUMN_NAME_MAX];
    enum column_kind kind;
    const struct field *field; /* of the body or of the list's record; NULL: of the envelope */
    uint16_t offset;           /* in the message, of an envelope's int64 */
};

/* Behind the key stands ts_ns; in the database it also has `ts`, the same time to be read by people, which the sink
 * fills in. Tables that are not KEYED_LATEST are partitioned by it in Postgres. */
struct store_table {
    char name[COLUMN_NAME_MAX];
    uint32_t number; /* in the schema */
    enum table_key key;
    const struct message_kind *kind;
    const struct field *list; /* NULL: the message's own table */
    uint32_t n_keys;          /* the first columns; a list has `item` as its last */
    uint32_t n_columns;
    struct column columns[TABLE_COLUMNS_MAX];
};

struct schema {
    uint32_t n_tables;
    struct store_table tables[TABLES_MAX]; /* a message's own table, then its lists' */
};

struct cell {
    enum column_kind kind;
    int exp; /* NUMERIC: amount * 10^exp */
    union {
        int64_t number; /* INT, BOOL */
        money amount;
        struct {
            const char *text; /* TEXT; into the message or the row */
            size_t len;
        };
    };
};

struct row {
    struct cell cells[TABLE_COLUMNS_MAX];
    char topic[STORE_TOPIC_MAX];
};

/* A NUMERIC's digits: the shortest plain decimal. Returns its length. */
size_t numeric_text(const struct cell *cell, char out[DEC_TEXT_MAX]);

/* NULL: out of memory, or the dictionary has outgrown the bounds above. */
struct schema *schema_new(void);
void schema_destroy(struct schema **self);

/* The tables of a message type; n = 0 when none is kept. */
const struct store_table *schema_tables(const struct schema *self, uint32_t type, uint32_t *n);

/* How many rows a message has in a table, and one of them. */
uint32_t schema_rows(const struct store_table *table, const struct message *m);
void schema_row(const struct store_table *table, const char *run, const struct message *m, uint32_t item,
                struct row *row);

/* The columns of a table as `"a","b"`; `ts` is not among them. */
void schema_columns(const struct store_table *table, FILE *out);

/* "BIGINT", as the database is to have it. */
const char *schema_type(enum column_kind kind, bool postgres);

/* SQL of a table as the dictionary has it now, to draft a migration from; and of one of its columns. */
void schema_table_sql(const struct store_table *table, bool postgres, FILE *out);
void schema_column_sql(const struct store_table *table, const struct column *column, bool postgres,
                       FILE *out);

/* A database. Within begin and commit or rollback is one transaction. Every function but close and rollback returns OK,
 * E_STATE (a row is there already), E_IO (away, or locked) or E_REFUSED, with words in error. */
struct sink {
    const char *name;
    const char *count_tables_sql;   /* how many tables of the name $1 there are */
    const char *migration_lock_sql; /* "" where begin is one */
    int (*open)(const char *target, const struct schema *schema, char *error, void **out);
    void (*close)(void *self);
    int (*begin)(void *self);
    int (*add)(void *self, const struct store_table *table, const struct row *row);
    int (*flush)(void *self);                   /* rows added are in the database, not yet committed */
    int (*script)(void *self, const char *sql); /* statements without parameters */
    /* changed: rows; may be NULL. */
    int (*execute)(void *self, const char *sql, const char *const *params, int n, uint64_t *changed);
    int (*commit)(void *self);
    void (*rollback)(void *self);
    /* What was added since the last flush is forgotten, and what the database knows of partitions asked again: to be
     * followed by a ROLLBACK TO. */
    void (*forget)(void *self);
    int (*query)(void *self, const char *sql, const char *const *params, int n, store_row_fn *row, void *ctx);
};

extern const struct sink sqlite_sink, postgres_sink;

/* One numbered file of migrations/SINK, built into the program. */
struct migration {
    const char *sink;
    int number;
    const char *name; /* "tables" of 0001_tables.sql */
    const char *sql;
};
extern const struct migration migrations[]; /* by sink, then by number; ends with sink NULL */

/* Brings the tables to what this program wants, each migration in a transaction of its own; two programs at once do
 * not collide. `of` is the list above but in tests. E_REFUSED: the database is newer than the program, has a migration
 * with other text, or tables of a program that had no migrations; with words in error. */
int store_migrate(const struct sink *sink, void *database, const struct migration *of, char *error);

/* NUMERIC as COPY BINARY has it: writes the bytes of a plain decimal ("-61837.63") without the length before it.
 * Returns how many, 0 where it is no such decimal. */
enum { NUMERIC_BYTES_MAX = 8 + 2 * (DEC_TEXT_MAX / 4 + 2) };
size_t numeric_binary(const char *text, size_t len, unsigned char out[NUMERIC_BYTES_MAX]);

/* The same of a cell, as of its text. */
size_t numeric_cell_binary(const struct cell *cell, unsigned char out[NUMERIC_BYTES_MAX]);

#endif
