/* The market data that is kept beside the ledgers: instruments and venue states always, best prices or books as
 * config.recorder.market says, at most one row an instrument and table in market_every_ms of market time.
 *
 * They wait in fixed room; what finds none is dropped and counted, and so is what the database refuses. They are stored
 * in transactions of their own: nothing about them holds up the ledgers.
 *
 * The last message of a quiet topic is repeated by the feed under its old seq: it is stored once.
 */
#ifndef SLUICE_SERVICES_RECORDER_MARKET_ROWS_H
#define SLUICE_SERVICES_RECORDER_MARKET_ROWS_H

#include "lib/runtime/config.h"
#include "services/recorder/store.h"

enum { MARKET_WAITING_BYTES = 8 * 1024 * 1024 };

struct market_rows;

struct market_rows *market_rows_new(const struct config *config, const char *run); /* NULL: out of memory */
void market_rows_destroy(struct market_rows **self);

/* A message of the market socket. */
void market_rows_take(struct market_rows *self, const struct message *m);

/* Stores what waits, about config.recorder.batch_rows rows of it, in one transaction; OK also when nothing waits or
 * rows were refused. E_IO: the database is away, all still wait. Nothing may be open in the store. */
int market_rows_store(struct market_rows *self, struct store *store);

uint64_t market_rows_waiting(const struct market_rows *self);

/* More than half of the room is taken. */
bool market_rows_pressing(const struct market_rows *self);

/* market_rows, market_dropped, market_refused */
void market_rows_status(const struct market_rows *self, struct reply *reply);

#endif
