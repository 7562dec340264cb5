#include "bench/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/base/statistics.h"

struct figure {
    const char *name, *unit;
    bool more_is_better;
    double goal;
    measured_fn *run; /* NULL: noted while another one runs */
    void *ctx;
    double value[ROUNDS_MAX];
    int n;
};

struct ratio {
    const char *name;
    int index, against;
    double goal;
    bool at_most;
};

struct measure {
    const char *name;
    bool json, warm;
    int rounds, n_figures, n_ratios;
    struct figure figures[CONTESTANTS_MAX];
    struct ratio ratios[CONTESTANTS_MAX];
};

static _Noreturn void wrong(const char *name, const char *words, const char *value)
{
    (void)fprintf(stderr, "bench_%s: %s \"%s\"\n", name, words, value);
    exit(2);
}

static int rounds_of(const char *name, const char *text)
{
    char *end;
    long rounds = strtol(text ? text : "", &end, 10);
    if (!text || *end || end == text || rounds < 1 || rounds > ROUNDS_MAX)
        wrong(name, "--rounds: expected 1 to 1000, got", text ? text : "");
    return (int)rounds;
}

struct measure *measure_new(const char *name, const char *help, int rounds, int *argc, char **argv)
{
    struct measure *self = calloc(1, sizeof *self);
    if (!self)
        wrong(name, "out of memory", "");
    self->name = name;
    self->rounds = rounds;
    int kept = 1;
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            self->json = true;
        else if (strcmp(argv[i], "--rounds") == 0)
            self->rounds = rounds_of(name, argv[++i]);
        else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            printf("usage: ./dev bench %s [--json] [--rounds N]%s", name, help);
            exit(0);
        } else
            argv[kept++] = argv[i];
    }
    argv[kept] = NULL;
    *argc = kept;
    return self;
}

void measure_destroy(struct measure **self)
{
    free(*self);
    *self = NULL;
}

static int add(struct measure *self, struct figure figure)
{
    if (self->n_figures == CONTESTANTS_MAX)
        wrong(self->name, "too many figures at", figure.name);
    self->figures[self->n_figures] = figure;
    return self->n_figures++;
}

int measure_add(struct measure *self, const char *name, const char *unit, bool more_is_better,
                measured_fn *run, void *ctx)
{
    return add(self, (struct figure){.name = name, .unit = unit, .more_is_better = more_is_better,
                                     .run = run, .ctx = ctx});
}

int measure_add_note(struct measure *self, const char *name, const char *unit, bool more_is_better)
{
    return add(self, (struct figure){.name = name, .unit = unit, .more_is_better = more_is_better});
}

void measure_note(struct measure *self, int index, double value)
{
    struct figure *f = &self->figures[index];
    if (!self->warm && f->n < ROUNDS_MAX)
        f->value[f->n++] = value;
}

void measure_ratio(struct measure *self, const char *name, int index, int against, double goal, bool at_most)
{
    if (self->n_ratios == CONTESTANTS_MAX)
        wrong(self->name, "too many ratios at", name);
    self->ratios[self->n_ratios++] = (struct ratio){name, index, against, goal, at_most};
}

void measure_goal(struct measure *self, int index, double goal)
{
    self->figures[index].goal = goal;
}

static void one_round(struct measure *self, int round)
{
    for (int k = 0; k < self->n_figures; k++) {
        int index = round % 2 ? self->n_figures - 1 - k : k;
        if (self->figures[index].run)
            measure_note(self, index, self->figures[index].run(self->figures[index].ctx));
    }
}

void measure_run(struct measure *self)
{
    self->warm = true;
    one_round(self, 0);
    self->warm = false;
    for (int round = 0; round < self->rounds; round++) {
        one_round(self, round);
        if (isatty(STDERR_FILENO))
            (void)fprintf(stderr, "\rround %d of %d ", round + 1, self->rounds);
    }
    if (isatty(STDERR_FILENO))
        (void)fprintf(stderr, "\r%40s\r", "");
}

static struct interval interval_of(const double *values, int n)
{
    double copy[ROUNDS_MAX];
    if (n == 0)
        return (struct interval){0};
    memcpy(copy, values, (size_t)n * sizeof *copy);
    return median_of(copy, (size_t)n);
}

struct interval measure_figure(struct measure *self, int index)
{
    return interval_of(self->figures[index].value, self->figures[index].n);
}

static int ratio_values(const struct measure *self, const struct ratio *r, double *out)
{
    const struct figure *over = &self->figures[r->index], *under = &self->figures[r->against];
    int n = over->n < under->n ? over->n : under->n, kept = 0;
    for (int i = 0; i < n; i++)
        if (under->value[i] != 0)
            out[kept++] = over->value[i] / under->value[i];
    return kept;
}

static const char *verdict(struct interval i, double goal, bool at_most)
{
    if (goal == 0)
        return "";
    bool reached = at_most ? i.high <= goal : i.low >= goal;
    return reached ? "reached" : "not reached";
}

static void print_machine(char out[256])
{
    char line[256], model[160] = "unknown processor";
    struct utsname host;
    FILE *f = fopen("/proc/cpuinfo", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "model name : %159[^\n]", model) == 1)
            break;
    if (f)
        (void)fclose(f);
    (void)uname(&host);
    (void)snprintf(out, 256, "%s, %ld processors, %.40s", model, sysconf(_SC_NPROCESSORS_ONLN), host.release);
}

static void json_line(const char *name, const char *unit, const double *values, int n, double goal,
                      bool at_most, bool more)
{
    struct interval i = interval_of(values, n);
    printf("{\"name\":\"%s\",\"unit\":\"%s\",\"low\":%.6g,\"median\":%.6g,\"high\":%.6g", name, unit, i.low,
           i.middle, i.high);
    if (goal != 0)
        printf(",\"goal\":%.6g,\"%s\":true,\"reached\":%s", goal, at_most ? "at_most" : "at_least",
               strcmp(verdict(i, goal, at_most), "reached") == 0 ? "true" : "false");
    printf(",\"rounds\":[");
    for (int k = 0; k < n; k++)
        printf("%s%.6g", k ? "," : "", values[k]);
    printf("]}%s\n", more ? "," : "");
}

static void tell_json(struct measure *self, const char *machine)
{
    double values[ROUNDS_MAX];
    printf("{\"bench\":\"%s\",\"machine\":\"%s\",\"rounds\":%d,\"figures\":[\n", self->name, machine,
           self->rounds);
    for (int i = 0; i < self->n_figures; i++) {
        const struct figure *f = &self->figures[i];
        json_line(f->name, f->unit, f->value, f->n, f->goal, !f->more_is_better, i + 1 < self->n_figures);
    }
    printf("],\"ratios\":[\n");
    for (int i = 0; i < self->n_ratios; i++) {
        const struct ratio *r = &self->ratios[i];
        int n = ratio_values(self, r, values);
        json_line(r->name, "", values, n, r->goal, r->at_most, i + 1 < self->n_ratios);
    }
    printf("]}\n");
}

static void text_line(const char *name, const char *unit, struct interval i, double goal, bool at_most)
{
    printf("  %-44s %12.5g  [%.5g, %.5g] %s", name, i.middle, i.low, i.high, unit);
    if (goal != 0)
        printf("   goal: at %s %.5g: %s", at_most ? "most" : "least", goal, verdict(i, goal, at_most));
    printf("\n");
}

int measure_tell(struct measure *self)
{
    char machine[256];
    double values[ROUNDS_MAX];
    print_machine(machine);
    if (self->json) {
        tell_json(self, machine);
        return 0;
    }
    printf("%s: %s\nmedian of %d interleaved rounds, with its 95 %% interval\n", self->name, machine,
           self->rounds);
    for (int i = 0; i < self->n_figures; i++) {
        const struct figure *f = &self->figures[i];
        text_line(f->name, f->unit, measure_figure(self, i), f->goal, !f->more_is_better);
    }
    if (self->n_ratios)
        printf("ratios, taken within a round\n");
    for (int i = 0; i < self->n_ratios; i++) {
        const struct ratio *r = &self->ratios[i];
        int n = ratio_values(self, r, values);
        text_line(r->name, "", interval_of(values, n), r->goal, r->at_most);
    }
    return 0;
}
