/* What `sluice emulate` was asked to do. */
#ifndef SLUICE_TOOLS_EMULATE_OPTIONS_H
#define SLUICE_TOOLS_EMULATE_OPTIONS_H

#include "venues/emulator/emulator.h"

enum emulate_end { END_STAY, END_CLOSE, END_EXIT };

struct emulate_options {
    char **recordings;
    int n_recordings;
    double speed; /* times the recording's own pace; 0 = as fast as clients take it */
    struct fault faults[EMULATOR_FAULTS_MAX];
    uint32_t n_faults;
    const char *certificate, *key;
    int port;
    bool start_now;
    enum emulate_end end;
    struct emulator_options emulator;
};

/* 0; an exit code; or -1: help was asked for, and that was all. */
int emulate_options_read(struct emulate_options *self, int argc, char **argv);

#endif
