/* The paper venue's files, in the working directory: its log, whole, and the checkpoint from which a start reads it. */
#ifndef SLUICE_VENUES_PAPER_FILES_H
#define SLUICE_VENUES_PAPER_FILES_H

#include "venues/paper/paper.h"

enum { PAPER_ERROR_MAX = 160 };

struct paper_files;

struct paper_files *paper_files_new(void); /* NULL: out of memory */
void paper_files_close(struct paper_files **self);

/* The log of paper_new. */
struct paper_log paper_files_log(struct paper_files *self);

/* A write ended within a line, and what there is of it cannot be cut off. Until it can, which each write tries first,
 * nothing is written, and so nothing answered. */
bool paper_files_torn(const struct paper_files *self);

/* Reads back into a new paper venue what the files hold, cuts off a last line that was never answered, and opens the
 * log to go on. Where the checkpoint is not there, is not whole or goes beyond the log the whole log is read. E_IO,
 * E_SYNTAX (a line of either cannot be read), with words. */
int paper_files_open(struct paper_files *self, struct paper *paper, char error[PAPER_ERROR_MAX]);

#endif
