/* The snapshots of a journal's directory, for `sluice journal`. Each function returns an exit code. */
#ifndef SLUICE_TOOLS_JOURNAL_SNAPSHOTS_H
#define SLUICE_TOOLS_JOURNAL_SNAPSHOTS_H

#include <stdbool.h>
#include <stdint.h>

/* Lines with each snapshot's file, place and size, and what is wrong with it. `label`: in front of errors. */
int snapshots_show(const char *label, const char *dir);

/* Reads each through. `first` and `head`: oldest and last position of the journal's records, 0 = there are none: one that
 * begins later than 1 is of use only where a snapshot reaches so far. */
int snapshots_check(const char *label, const char *dir, uint64_t first, uint64_t head);

/* Prints the messages of the newest that holds, as JSON, one a line. */
int snapshots_print(const char *label, const char *dir);

/* Whether a path is a snapshot's file; then prints its messages, into *code how that went. */
bool snapshot_file_print(const char *path, int *code);

#endif
