/* The command line that `run` and `backtest` share, laid over file and environment. */
#ifndef SLUICE_TOOLS_RUN_OPTIONS_H
#define SLUICE_TOOLS_RUN_OPTIONS_H

#include "tools/run_dir.h"

struct run_limits {
    int64_t seconds;     /* 0 = none */
    int64_t evaluations; /* 0 = none */
};

/* Fills options and limits. 0: go on. Else the verb ends with that exit code: help was printed (code 0 as -1), or
 * the error was. `usage` is the verb's help text. */
int run_options_read(int argc, char **argv, const char *usage, struct run_options *options,
                     struct run_limits *limits);

/* What is to be played is a decoded capture: `backtest` reads it, `run` does not. */
bool run_options_decoded(const struct config *config);

/* Settles what stands on what is played: paths become absolute, `reporting: auto` becomes the quote currency of the
 * first instrument in the recordings. E_* with words in error. */
int run_options_settle(struct run_options *options, char error[RUN_ERROR_MAX]);

#endif
