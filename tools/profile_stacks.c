#include "tools/profile_stacks.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- the tree ----------------------------------------------------------------------------------------- */

static int grown(void **at, int n, int *cap, size_t size)
{
    if (n < *cap)
        return 0;
    int more = *cap ? *cap * 2 : 256;
    void *bigger = realloc(*at, (size_t)more * size);
    if (!bigger)
        return -1;
    *at = bigger;
    *cap = more;
    return 0;
}

static int frame_of(struct stacks *self, const char *name, bool function)
{
    for (int i = 0; i < self->n_frames; i++)
        if (self->frames[i].function == function &&
            strncmp(self->frames[i].name, name, FRAME_NAME_MAX - 1) == 0)
            return i;
    void *frames = self->frames;
    if (grown(&frames, self->n_frames, &self->frames_cap, sizeof *self->frames))
        return -1;
    self->frames = frames;
    struct frame *f = &self->frames[self->n_frames];
    *f = (struct frame){.function = function};
    (void)snprintf(f->name, sizeof f->name, "%s", name);
    return self->n_frames++;
}

/* Among the children of parent, or the roots (-1); it is made where it is not there. */
static int node_of(struct stacks *self, int parent, int frame)
{
    int first = parent >= 0 ? self->nodes[parent].child : self->last_root - 1;
    for (int i = first; i >= 0; i = self->nodes[i].next)
        if (self->nodes[i].frame == frame)
            return i;
    void *nodes = self->nodes;
    if (self->n_nodes >= STACK_NODES_MAX ||
        grown(&nodes, self->n_nodes, &self->nodes_cap, sizeof *self->nodes))
        return -1;
    self->nodes = nodes;
    int made = self->n_nodes++;
    self->nodes[made] = (struct stack_node){frame, parent, -1, first, 0, 0};
    if (parent >= 0)
        self->nodes[parent].child = made;
    else
        self->last_root = made + 1; /* 0 = none yet: a zeroed struct is an empty one */
    return made;
}

void stacks_add(struct stacks *self, const char *const *stack, int n, int named, int64_t ns)
{
    int node = -1;
    for (int i = 0; i < n; i++) {
        int frame = frame_of(self, stack[i], i >= named);
        int at = frame < 0 ? -1 : node_of(self, node, frame);
        if (at < 0) {
            self->full = true;
            return;
        }
        node = at;
    }
    if (node >= 0)
        self->nodes[node].own_ns += ns;
}

static bool has_ancestor(const struct stacks *self, int node)
{
    for (int at = self->nodes[node].parent; at >= 0; at = self->nodes[at].parent)
        if (self->nodes[at].frame == self->nodes[node].frame)
            return true;
    return false;
}

void stacks_sum(struct stacks *self)
{
    for (int i = 0; i < self->n_frames; i++)
        self->frames[i].own_ns = self->frames[i].cumulative_ns = 0;
    for (int i = 0; i < self->n_nodes; i++)
        self->nodes[i].total_ns = self->nodes[i].own_ns;
    for (int i = self->n_nodes - 1; i >= 0; i--) {
        const struct stack_node *n = &self->nodes[i];
        if (n->parent >= 0)
            self->nodes[n->parent].total_ns += n->total_ns;
        self->frames[n->frame].own_ns += n->own_ns;
        if (!has_ancestor(self, i))
            self->frames[n->frame].cumulative_ns += n->total_ns;
    }
}

int64_t stacks_total_ns(const struct stacks *self)
{
    int64_t sum = 0;
    for (int i = 0; i < self->n_nodes; i++)
        sum += self->nodes[i].own_ns;
    return sum;
}

int stacks_top(const struct stacks *self, int *frames, int max)
{
    int n = 0;
    for (int i = 0; i < self->n_frames; i++) {
        if (!self->frames[i].function)
            continue;
        int at = n < max ? n++ : max;
        for (; at > 0 && self->frames[frames[at - 1]].cumulative_ns < self->frames[i].cumulative_ns; at--)
            if (at < max)
                frames[at] = frames[at - 1];
        if (at < max)
            frames[at] = i;
    }
    return n;
}

void stacks_close(struct stacks *self)
{
    free(self->frames);
    free(self->nodes);
    memset(self, 0, sizeof *self);
}

/* ---- perf script -------------------------------------------------------------------------------------- */

struct sample {
    char process[FRAME_NAME_MAX], thread[FRAME_NAME_MAX];
    char name[STACK_DEPTH_MAX][FRAME_NAME_MAX]; /* innermost first */
    int n;
    bool open, threaded;
};

static void finish(struct stacks *self, struct sample *s, int64_t sample_ns)
{
    const char *stack[STACK_DEPTH_MAX + 2];
    int n = 0;
    if (s->open) {
        stack[n++] = s->process;
        if (s->threaded)
            stack[n++] = s->thread;
        int named = n;
        for (int i = s->n - 1; i >= 0; i--)
            stack[n++] = s->name[i];
        stacks_add(self, stack, n, named, sample_ns);
        self->samples++;
    }
    s->open = false;
}

/* "COMM  PID/TID": the name may hold blanks. false: it is no such line. */
static bool begin(struct sample *s, char *line, const char *(*process_name)(const void *ctx, int pid),
                  const void *ctx)
{
    int pid, tid, end = 0;
    char *last = strrchr(line, ' ');
    if (!last || sscanf(last, " %d/%d%n", &pid, &tid, &end) != 2 || last[end] != '\0')
        return false;
    while (last > line && isspace((unsigned char)last[-1]))
        last--;
    *last = '\0';
    const char *name = process_name(ctx, pid);
    s->n = 0;
    s->open = name != NULL;
    s->threaded = tid != pid;
    (void)snprintf(s->process, sizeof s->process, "%s", name ? name : "");
    (void)snprintf(s->thread, sizeof s->thread, "thread %s", line + strspn(line, " \t"));
    return true;
}

/* " ADDRESS SYMBOL (OBJECT)": a symbol may hold blanks and parentheses. What has no name is called by its
 * object. */
static bool take_frame(struct sample *s, char *line)
{
    int name_at = 0;
    unsigned long long address;
    if (sscanf(line, " %llx %n", &address, &name_at) != 1 || name_at == 0)
        return false;
    char *object = NULL;
    for (char *at = line + name_at; (at = strstr(at, " (")) != NULL; at += 2)
        if (at[2] == '/' || at[2] == '[') /* a path, or the kernel; else it is the symbol's */
            object = at;
    if (!object)
        return false;
    *object = '\0';
    object += 2;
    object[strcspn(object, ") ")] = '\0';
    const char *base = strrchr(object, '/');
    const char *name = line + name_at;
    if (s->n == STACK_DEPTH_MAX)
        return true;
    if (strcmp(name, "[unknown]") == 0)
        (void)snprintf(s->name[s->n++], FRAME_NAME_MAX, "[unknown] in %.80s", base ? base + 1 : object);
    else
        (void)snprintf(s->name[s->n++], FRAME_NAME_MAX, "%s", name);
    return true;
}

void stacks_read_perf(struct stacks *self, FILE *in, int64_t sample_ns,
                      const char *(*process_name)(const void *ctx, int pid), const void *ctx)
{
    static struct sample s;
    char *line = NULL;
    size_t cap = 0;
    s.open = false;
    while (getline(&line, &cap, in) > 0) {
        for (size_t len = strlen(line); len > 0 && isspace((unsigned char)line[len - 1]); len--)
            line[len - 1] = '\0';
        if (*line == '\0')
            finish(self, &s, sample_ns);
        else if (*line == '#')
            continue;
        else if (isspace((unsigned char)*line) && take_frame(&s, line))
            continue;
        else {
            finish(self, &s, sample_ns);
            self->broken += !begin(&s, line, process_name, ctx);
        }
    }
    finish(self, &s, sample_ns);
    free(line);
}
