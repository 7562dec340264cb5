/* Where the recorder's rows go: SQLite or Postgres behind one table of functions, with the same tables and views and
 * the same meaning (docs/database.md). The tables are made by the numbered migrations in migrations/, which a test
 * holds against the dictionary: a ledger message has a table keyed (run, stream, epoch, pos), a list in it a table of
 * its own, TABLE_LIST, keyed with the index of the item as well; market tables are keyed (run, topic, epoch, seq).
 * Money, prices and quantities are exact: NUMERIC in Postgres, TEXT in SQLite. Integers are BIGINT; one without a sign
 * (a hash) stands there as the signed number of the same 64 bits.
 *
 * Rows and position are one transaction: store_commit succeeds only if the position stored for (run, reader,
 * stream) is the one expected, so a second recorder fails (E_STATE) instead of doubling.
 */
#ifndef SLUICE_SERVICES_STORE_H
#define SLUICE_SERVICES_STORE_H

#include "lib/market/view.h"

enum { STORE_ERROR_MAX = 256 };

struct store;

/* sink "sqlite": target is a file; "postgres": a libpq connection string. Applies the migrations that are due.
 * E_IO (not reachable: try again), E_REFUSED (also a database that is newer than the program, or older than all
 * migrations), with words in error. */
int store_open(const char *sink, const char *target, struct store **out, char error[STORE_ERROR_MAX]);
void store_close(struct store **self);

/* Position last stored of a stream: 0, 0 when none. */
int store_position(struct store *self, const char *run, const char *stream, uint64_t *epoch, uint64_t *pos);

/* Adds the rows of one message, of a ledger or of the market, to the open transaction (begins one when there is none). A gap by `rollback`
 * in its own stream first removes the rows of that stream from gap.from_pos on: they never were. E_STATE: the row is there already;
 * E_IO, E_REFUSED: the transaction is void, as it is after every error here. */
int store_add(struct store *self, const char *run, const struct message *m);

/* The same, but a message that the database refuses leaves the transaction open without it: E_REFUSED, E_STATE with
 * words in store_error. Slower: what was added before goes over first. After E_IO the transaction is void. */
int store_add_apart(struct store *self, const char *run, const struct message *m);

/* Whether a market message's row is there already. */
int store_holds(struct store *self, const char *run, const struct message *m, bool *holds);

/* As env.stream of a `bbo` it says that it was made from the book of its instrument: seq counts on the book's topic. */
#define STORE_FROM_BOOK "book"

/* Keeps a message that was refused, as JSON and with the reason, in refused_rows. */
int store_refuse(struct store *self, const char *run, const struct message *m, const char *why);

/* Last best prices of an instrument, replacing the ones before: what open positions are marked to. */
int store_mark(struct store *self, const char *run, const struct quote *quote);

/* Removes everything of a run, in the open transaction. */
int store_clear(struct store *self, const char *run);

struct store_position {
    char stream[16];
    uint64_t from_epoch, from_pos; /* expected */
    uint64_t to_epoch, to_pos;
};

/* Ends the transaction with the new positions. E_STATE: somebody else moved them; E_IO: the server is away: the
 * transaction is void and must be built again. After E_IO it may have been done all the same: ask for the position. */
int store_commit(struct store *self, const char *run, const struct store_position *positions, uint32_t n);
void store_rollback(struct store *self);

/* Runs a query; calls row for each row with its columns as text (NULL for SQL NULL; a truth value is 1 or 0).
 * Placeholders are $1, $2, ... in both sinks. What row returns other than OK ends it and is returned. E_IO, E_REFUSED
 * with words in store_error. */
typedef int store_row_fn(void *ctx, int columns, const char *const *names, const char *const *values);
int store_query(struct store *self, const char *sql, const char *const *params, int n_params,
                store_row_fn *row, void *ctx);
const char *store_error(const struct store *self);

#endif
