/* How every benchmark of this folder measures and tells: contestants in turn, round after round, so that what disturbs
 * the machine disturbs all alike; medians with their 95 % intervals, and ratios taken within a round.
 *
 * usage of every benchmark: bench_NAME [--json] [--rounds N] [ARGS of its own]
 */
#ifndef SLUICE_BENCH_MEASURE_H
#define SLUICE_BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

enum { CONTESTANTS_MAX = 32, ROUNDS_MAX = 1000 };

struct measure;

/* Takes --json and --rounds N out of argv (*argc falls); exits with 2 and words on a wrong one, with 0 after --help.
 * rounds: unless told otherwise. */
struct measure *measure_new(const char *name, const char *help, int rounds, int *argc, char **argv);

/* One round of one contestant. Returns its figure, in the contestant's unit. */
typedef double measured_fn(void *ctx);

/* A contestant's index. unit: "ns", "1/s", "us", ...; more_is_better decides how a goal is compared. */
int measure_add(struct measure *self, const char *name, const char *unit, bool more_is_better, measured_fn *run,
                void *ctx);

/* A further figure of a contestant's round, that it hands in while it runs (a p99 beside a p50): measure_note adds it. */
int measure_add_note(struct measure *self, const char *name, const char *unit, bool more_is_better);
void measure_note(struct measure *self, int index, double value);

/* figure(index) / figure(against) within each round. goal: what the ratio's interval must stay below (at_most) or above;
 * 0 = none. */
void measure_ratio(struct measure *self, const char *name, int index, int against, double goal, bool at_most);

/* A goal of a figure itself. */
void measure_goal(struct measure *self, int index, double goal);

/* Runs one round of each that is thrown away, then all rounds, the contestants in turn, the order turned around every
 * other round. */
void measure_run(struct measure *self);

/* Prints the table, or JSON: {"bench":..,"machine":..,"rounds":..,"figures":[{"name","unit","low","median","high",
 * "goal","reached","rounds":[..]}],"ratios":[..same..]}. A goal is reached when the whole interval is on its side.
 * Returns the exit code: 0, whether goals are reached or not. */
int measure_tell(struct measure *self);

struct interval measure_figure(struct measure *self, int index);
void measure_destroy(struct measure **self);

/* Keeps the compiler from dropping work whose result nobody reads. */
static inline void measure_keep(const void *p)
{
    __asm__ volatile("" : : "r"(p) : "memory");
}

#endif
