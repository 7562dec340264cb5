/* The children of a run: started, watched, restarted when they die, stopped. */
#ifndef SLUICE_TOOLS_SUPERVISOR_H
#define SLUICE_TOOLS_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CHILDREN_MAX = 72 };

struct child {
    char name[24];    /* "strategy-1" */
    char program[24]; /* "sluice-strategy" */
    pid_t pid;        /* 0 = not running */
    bool wanted;      /* restarted when it dies */
    int64_t started_mono_ns, restart_mono_ns;
    int64_t pause_ns; /* between its last death and its next start */
    uint32_t restarts, quick_deaths;
    uint32_t refusals; /* times in a row that it ended at once and by itself, with a status that is not 0 */
    int last_status;   /* of waitpid */
    bool fell;         /* died in the last supervisor_watch */
};

struct supervisor {
    char bin_dir[1024]; /* where the programs are: beside this one */
    struct child child[CHILDREN_MAX];
    int n;
};

/* Finds the programs. false: they are not beside this one. */
bool supervisor_open(struct supervisor *s);

/* Nobody runs any more. */
void supervisor_close(void);

/* Adds a child and starts it, in the working directory as run directory. false: it cannot be started. */
bool supervisor_start(struct supervisor *s, const char *program, const char *name);

/* Notes who died; starts again who is wanted, after a pause that grows up to 3.2 s while it dies at once. Who is killed
 * is started for ever; who ends by itself, saying why, until it is hopeless. Returns how many died since the last call.
 */
int supervisor_watch(struct supervisor *s);

/* A wanted child has ended at once and by itself, with a status that is not 0, ten times in a row: its name; else NULL.
 * It is not started again. */
const char *supervisor_hopeless(const struct supervisor *s);

/* A wanted child that does not come up, but says why, and has not been up since: its name; else NULL. */
const char *supervisor_refusing(const struct supervisor *s);

/* How a child last ended, in words: the signal, or its status and the last line that it wrote to its stderr. */
void supervisor_last_words(const struct child *c, char *out, size_t cap);

/* Waits for one child that is no longer wanted to end by itself; after timeout_ms SIGTERM, a second later SIGKILL. */
void supervisor_end(struct supervisor *s, const char *name, int timeout_ms);

/* All that still run, at once and by force. */
void supervisor_kill_all(struct supervisor *s);

struct child *supervisor_child(struct supervisor *s, const char *name);

#endif
