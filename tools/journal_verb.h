/* What the parts of `sluice journal` share. */
#ifndef SLUICE_TOOLS_JOURNAL_VERB_H
#define SLUICE_TOOLS_JOURNAL_VERB_H

#include "lib/runtime/journal_record.h"

enum { LEDGERS_MAX = 2 };

/* The journals that an argument means. */
struct journals {
    int n;
    const char *name[LEDGERS_MAX]; /* "" for a journal's own directory */
    char dir[LEDGERS_MAX][JOURNAL_PATH_MAX];
};

/* An exit code, with words on stderr. */
int journals_find(const char *path, struct journals *out);

/* "risk: " in front of a line about one of two ledgers. Valid until the next call. */
const char *journal_label(const char *name);

/* Says that a journal cannot be read; returns the exit code. */
int journal_failed(const char *name, int status, const char *words);

/* Compares the journals of two arguments; returns the exit code. */
int journal_diff(const char *left, const char *right);

#endif
