/* The command line of `sluice profile`. */
#ifndef SLUICE_TOOLS_PROFILE_OPTIONS_H
#define SLUICE_TOOLS_PROFILE_OPTIONS_H

#include "tools/profile.h"

struct profile_options {
    char *run[LOAD_ARGUMENTS_MAX]; /* arguments for `sluice run` */
    int n_run;
    char *which; /* --case; NULL = none */
    char *symbols;
    const char *output, *compare, *from; /* NULL = not given; output has a default */
    int64_t seconds, iterations, warm_up_s, repeat;
    bool json, no_perf;
};

/* 0: go on. -1: help was printed. Else the exit code; the error was printed. */
int profile_options_read(struct profile_options *self, int argc, char **argv);

#endif
