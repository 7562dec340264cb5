/* Where samples found the processor: a tree of calls, read from what `perf script` prints, or put together
 * from stages. */
#ifndef SLUICE_TOOLS_PROFILE_STACKS_H
#define SLUICE_TOOLS_PROFILE_STACKS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { STACK_DEPTH_MAX = 128, FRAME_NAME_MAX = 96, STACK_NODES_MAX = 1 << 20 };

struct frame {
    char name[FRAME_NAME_MAX];
    bool function; /* else a process, a thread or a stage */
    int64_t own_ns, cumulative_ns;
};

struct stack_node {
    int frame, parent, child, next; /* -1 = none */
    int64_t own_ns, total_ns;       /* total: set by stacks_sum */
};

struct stacks {
    struct frame *frames;
    struct stack_node *nodes; /* a parent stands before its children */
    int n_frames, frames_cap, n_nodes, nodes_cap, last_root;
    int64_t samples, broken; /* broken: lines that could not be read */
    bool full;               /* some stacks were left out for want of room */
};

/* Adds a stack, outermost first; the first `named` of them are no functions. */
void stacks_add(struct stacks *self, const char *const *names, int n, int named, int64_t ns);

/* Reads `perf script -F comm,pid,tid,ip,sym,dso`; each sample stands for sample_ns. process_name tells a
 * pid's name; NULL: not one of ours, and left out. Threads but the main one get a level of their own, by
 * name. */
void stacks_read_perf(struct stacks *self, FILE *in, int64_t sample_ns,
                      const char *(*process_name)(const void *ctx, int pid), const void *ctx);

/* Own and cumulative time of every node and frame. A function that calls itself counts once. */
void stacks_sum(struct stacks *self);
int64_t stacks_total_ns(const struct stacks *self);

/* The functions with the greatest cumulative time, after stacks_sum; returns how many. */
int stacks_top(const struct stacks *self, int *frames, int max);

void stacks_close(struct stacks *self);

/* https://www.speedscope.app/file-format-schema.json: a profile for each process. */
void stacks_write_speedscope(const struct stacks *self, const char *title, FILE *out);

/* A flame graph: width is time, a caller is below what it calls. */
void stacks_write_flame(const struct stacks *self, const char *title, FILE *out);

/* A JSON string with its quotes. What is no UTF-8 becomes '?'. */
void json_put_text(FILE *out, const char *text);

#endif
