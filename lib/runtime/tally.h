/* A tally is the message of a snapshot for what no ledger message says: figures by name. Those that are plain members of
 * the state stand in a table, by which they are told and restored.
 */
#ifndef SLUICE_RUNTIME_TALLY_H
#define SLUICE_RUNTIME_TALLY_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/message.h"

enum tally_kind { TALLY_COUNT /* uint64_t */, TALLY_FLAG /* bool */ };

struct tally_figure {
    const char *name;
    size_t at; /* offsetof, in the state */
    enum tally_kind kind;
};

/* One more figure; of more than a tally holds the last are left out. */
void tally_add(struct tally *tally, const char *name, uint64_t value);

/* All figures of a table, as they stand in the state. */
void tally_tell(struct tally *tally, const struct tally_figure *figures, size_t n, const void *state);

/* Puts a figure back. false: the table does not have it. */
bool tally_restore(const struct metric *told, const struct tally_figure *figures, size_t n, void *state);

#endif
