/* A run is a directory: config.yaml, run_id, session, sock/, log/, journal/, paper.log, sluice.db, pids.json. */
#ifndef SLUICE_TOOLS_RUN_DIR_H
#define SLUICE_TOOLS_RUN_DIR_H

#include "lib/runtime/config.h"

enum { RUN_ID_MAX = 40, RUN_PATH_MAX = 1024, RUN_ERROR_MAX = 512 };

/* What `run` and `backtest` have in common on the command line. */
struct run_options {
    struct config config;
    char dir[RUN_PATH_MAX]; /* absolute */
    bool resume;
    bool settings;           /* some were given, by file or flag */
    uint64_t pinned_workers; /* bit N-1: --routes N=... was given */
    const char *live_only;   /* the first flag given that means something to a live run only; NULL = none */
};

/* Makes the directory and what belongs into it, changes into it, and locks it until this process ends. With `resume` it
 * must hold a run, whose config and id are kept, and settings given must be those; without, nothing at all. run_id is
 * written, and the id of this start to `session`. E_IO, E_EXISTS, E_ABSENT, E_BUSY (another process runs it), E_REFUSED
 * (other settings) with words in error. */
int run_dir_open(struct run_options *options, const char *run_id, char error[RUN_ERROR_MAX]);

/* What run_dir_open returned says that the directory holds something already, or another process runs it. */
bool run_dir_taken(int status);

/* Changes into an existing run directory; E_ABSENT with words. */
int run_dir_enter(const char *dir, char error[RUN_ERROR_MAX]);

/* Changes into the newest run below runs/; E_ABSENT with words when there is none. */
int run_dir_enter_newest(char error[RUN_ERROR_MAX]);

/* An id from the time, and a few random letters: "20261122-160512-k3f9". */
void run_id_now(char out[RUN_ID_MAX]);

/* The run's id, from the working directory. */
int run_id_read(char out[RUN_ID_MAX]);

#endif
