/* A pipeline put under load: started as a child, as `sluice run` starts it, and looked at from outside. */
#ifndef SLUICE_TOOLS_BENCH_LOAD_H
#define SLUICE_TOOLS_BENCH_LOAD_H

#include <sys/types.h>

#include "lib/base/histogram.h"
#include "lib/runtime/ledger.h"
#include "tools/roll_call.h"
#include "tools/run_dir.h"

enum { LOAD_ARGUMENTS_MAX = 256, LOAD_ERROR_MAX = 512 };

struct load {
    char output[RUN_PATH_MAX]; /* absolute; the run is in run/ below it, and is the working directory */
    pid_t pid;                 /* of `sluice run`; 0 = it has ended */
    int status;                /* of waitpid, once it has ended */
    void *zmq;
    struct roll_call services;
    char name[CONTROLS_MAX][24]; /* indexed as services */
    pid_t service_pid[CONTROLS_MAX];
    uint32_t restarts; /* services that were started again */
    struct ledger_reader *risk, *exec;
};

/* What a process has, kB; -1 = not known. */
struct process_size {
    long rss, anonymous, fds;
};

/* The directory is made; E_EXISTS: there is a run in it already. E_IO. With words. */
int load_output(struct load *self, const char *output, char error[LOAD_ERROR_MAX]);

/* Starts `sluice run --dir OUTPUT/run` with these arguments, changes into that directory, and returns once every service
 * answers. E_IO with words. */
int load_start(struct load *self, char *const *arguments, int n, char error[LOAD_ERROR_MAX]);

/* Follows the ledgers: who gets their records. on NULL: not that one. E_IO with words. */
int load_follow(struct load *self, void (*on_risk)(void *ctx, const struct message *m, struct now now),
                void (*on_exec)(void *ctx, const struct message *m, struct now now), void *ctx,
                char error[LOAD_ERROR_MAX]);

/* Waits until then, taking what the ledgers say meanwhile. */
void load_wait_until(struct load *self, int64_t mono_ns);

/* Asks all services, and looks who was started again. Returns how many have not answered within timeout_ms. */
int load_ask(struct load *self, int timeout_ms);

bool load_runs(struct load *self);

/* A figure of one service, or, by the beginning of a name that several have, their sum: as roll call last heard it. */
int64_t load_figure(const struct load *self, const char *service, const char *name);
int64_t load_sum(const struct load *self, const char *name); /* over all */

struct process_size load_size(pid_t pid);

/* How many wait in each queue that there is, or by how much one is behind another; "queue.NAME". */
enum { LOAD_QUEUES = 11, LOAD_DROPS = 9 };
const char *load_queue_name(int i);
int64_t load_queue(const struct load *self, int i);

/* What was dropped since the start, "drop.NAME". Must stay 0, but for "drop.market_...": market data may be dropped. */
const char *load_drop_name(int i);
int64_t load_drop(const struct load *self, int i);

/* Ends the run as Ctrl-C does, and waits for it. true: it was reconciled. words: how it ended. */
bool load_stop(struct load *self, char words[LOAD_ERROR_MAX]);

/* The time from the tick to the sending of the order that an exec's record is the first word of from the venue; -1: it is
 * none. */
int64_t load_tick_to_order_ns(const struct message *record);

/* The processor's name, and the number of processors, as the kernel tells them. */
void load_machine(char cpu[128], int *processors);

#endif
