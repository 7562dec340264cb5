/* The two halves of the Postgres sink: store_postgres.c speaks with the server, store_postgres_rows.c has the rows. */
#ifndef SLUICE_SERVICES_STORE_POSTGRES_H
#define SLUICE_SERVICES_STORE_POSTGRES_H

#include <libpq-fe.h>

#include "services/recorder/store_internal.h"

enum { KNOWN_DAYS = 16 };

struct row_buffer {
    unsigned char *bytes;
    size_t len, size;
    int64_t days[KNOWN_DAYS]; /* since 1970, whose partitions are there; the newest replace the oldest */
    uint32_t n_days;          /* ever known */
};

struct postgres {
    PGconn *connection;
    const struct schema *schema;
    struct row_buffer rows[TABLES_MAX];
    char *copy[TABLES_MAX]; /* COPY statements */
    char *error;
};

/* Puts words into error; E_IO. */
int postgres_say(struct postgres *self, const char *words);

/* E_STATE, E_IO or E_REFUSED by what the server said, with its words in error. */
int postgres_said(struct postgres *self, const PGresult *result);

/* The same of a finished statement, OK included; takes the result's ownership. */
int postgres_outcome(struct postgres *self, PGresult *result);

/* ---- rows ---- */

int postgres_prepare_copies(struct postgres *self);
int postgres_add(void *database, const struct store_table *table, const struct row *row);
int postgres_flush(void *database);
void postgres_forget(void *database);
void postgres_free_rows(struct postgres *self);

#endif
