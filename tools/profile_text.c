/* A profile in words. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/clock.h"
#include "tools/profile.h"

/* As they come along a message's way; what no probe is around is last. */
static const enum stage order[STAGES] = {
    STAGE_WAIT,    STAGE_TRANSPORT, STAGE_DECODE, STAGE_BOOK,  STAGE_STRATEGY, STAGE_RISK, STAGE_EXEC,
    STAGE_JOURNAL, STAGE_ENCODE,    STAGE_LOG,    STAGE_REDIS, STAGE_DATABASE, STAGE_OTHER};

static double ms(int64_t ns)
{
    return (double)ns / 1e6;
}

static double percent(int64_t part, int64_t of)
{
    return of > 0 ? 100 * (double)part / (double)of : 0;
}

int64_t profile_calls(const struct profile *self, const char *function)
{
    return strcmp(function, "codec_encode") == 0   ? self->encoded
           : strcmp(function, "codec_decode") == 0 ? self->decoded
                                                   : -1;
}

static void put_head(const struct profile *p, FILE *out)
{
    (void)fprintf(out, "PROFILE %s\n", p->market);
    (void)fprintf(out, "  machine: %s, %d processors\n", p->cpu, p->processors);
    (void)fprintf(out, "  span: ");
    if (p->iterations)
        (void)fprintf(out, "%" PRId64 " wake-ups of the workers", p->iterations);
    else
        (void)fprintf(out, "%" PRId64 " s", p->seconds);
    (void)fprintf(out,
                  ", %.2f s measured%s, behind a warm-up of %" PRId64 " s; %" PRId64 " run%s of %d slices\n",
                  p->measured_s, p->repeat > 1 ? " in all" : "", p->warm_up_s, p->repeat,
                  p->repeat == 1 ? "" : "s", PROFILE_SLICES);
    (void)fprintf(out, "  end: %s\n", p->ended);
    if (*p->lost)
        (void)fprintf(out, "  NOT MEASURED: %s\n", p->lost);
}

static void put_process(const char *name, const struct spent *s, FILE *out)
{
    const int64_t *f = s->figure;
    (void)fprintf(out, "  %-12s %10.1f %10.1f %10.1f %10.1f %9.1f %9.1f %9.1f %6.2f %9" PRId64 "\n", name,
                  ms(f[SPENT_WALL]), ms(s->ns[STAGE_WAIT]), ms(f[SPENT_CPU_MAIN]),
                  ms(spent_awake_ns(s) - f[SPENT_CPU_MAIN]), ms(f[SPENT_CPU_IO]), ms(f[SPENT_CPU_SYNC]),
                  ms(f[SPENT_CPU]), percent(f[SPENT_CPU], f[SPENT_WALL]), f[SPENT_SWITCHES]);
}

static void put_processes(const struct profile *p, FILE *out)
{
    (void)fprintf(out, "\nPROCESSES, ms\n  %-12s %10s %10s %10s %10s %9s %9s %9s %6s %9s\n", "", "wall",
                  "wait", "cpu main", "other", "cpu io", "cpu sync", "cpu all", "% core", "switches");
    for (int i = 0; i < p->n; i++)
        if (p->process[i].measured)
            put_process(p->process[i].name, &p->process[i].total, out);
    put_process("whole", &p->whole, out);
    (void)fprintf(out, "  %-12s %10s %10s %10s %10s %9s %9s %9.1f\n", "supervisor", "-", "-", "-", "-", "-",
                  "-", ms(p->supervisor_cpu_ns));
    (void)fprintf(
        out, "  Of the main thread: wall = wait + cpu main + other. Other: awake but without a processor "
             "(others had it, or a disk\n"
             "  was waited for); below 0 where going to sleep and waking took more, which is CPU inside "
             "of the wait. io: the\n"
             "  sockets' threads; sync: all other threads. The whole's wall is the sum of its "
             "processes'.\n");
}

static void put_stages(const char *name, const struct spent *s, bool all, FILE *out)
{
    int64_t sum = 0;
    const int64_t wall = s->figure[SPENT_WALL], awake = spent_awake_ns(s);
    (void)fprintf(out, "\n  %-12s %12s %12s %10s %9s %9s\n", name, "calls", "own ms", "us a call", "% wall",
                  "% awake");
    for (int i = 0; i < STAGES; i++) {
        const int64_t calls = s->calls[order[i]], ns = s->ns[order[i]];
        sum += ns;
        if (!all && calls == 0 && ns == 0)
            continue;
        (void)fprintf(out, "    %-10s %12" PRId64 " %12.3f ", stage_name(order[i]), calls, ms(ns));
        if (calls > 0)
            (void)fprintf(out, "%10.3f", (double)ns / 1e3 / (double)calls);
        else
            (void)fprintf(out, "%10s", "-");
        (void)fprintf(out, " %9.3f", percent(ns, wall));
        if (order[i] == STAGE_WAIT)
            (void)fprintf(out, " %9s\n", "-");
        else
            (void)fprintf(out, " %9.2f\n", percent(ns, awake));
    }
    (void)fprintf(out, "    %-10s %12s %12.3f %10s %9.3f   remainder to wall %.3f ms\n", "sum", "", ms(sum),
                  "", percent(sum, wall), ms(spent_remainder_ns(s)));
}

static void put_categories(const struct profile *p, FILE *out)
{
    (void)fprintf(
        out,
        "\nCATEGORIES of the main threads. Of the wake-ups about one in %d is sampled: in this span "
        "%" PRId64 " of %" PRId64 ".\n",
        PROBE_EVERY, p->whole.figure[SPENT_SAMPLED], p->whole.figure[SPENT_WAKEUPS]);
    put_stages("whole", &p->whole, true, out);
    for (int i = 0; i < p->n; i++)
        if (p->process[i].measured)
            put_stages(p->process[i].name, &p->process[i].total, false, out);
}

static void put_functions(const struct profile *p, FILE *out)
{
    int top[PROFILE_TOP];
    (void)fprintf(out, "\nFUNCTIONS: %s\n", p->functions);
    if (p->sampled_s <= 0)
        return;
    const int64_t total = stacks_total_ns(&p->stacks);
    const int n = stacks_top(&p->stacks, top, PROFILE_TOP);
    (void)fprintf(
        out,
        "  the top %d by cumulative time, in %.2f s, of %.1f ms of CPU; calls are the probes', where "
        "a function is a stage's\n",
        n, p->sampled_s, ms(total));
    (void)fprintf(out, "  %10s %8s %10s %8s %10s  %s\n", "cum ms", "%", "own ms", "%", "calls", "function");
    for (int i = 0; i < n; i++) {
        const struct frame *f = &p->stacks.frames[top[i]];
        const int64_t calls = profile_calls(p, f->name);
        (void)fprintf(out, "  %10.1f %8.2f %10.1f %8.2f ", ms(f->cumulative_ns),
                      percent(f->cumulative_ns, total), ms(f->own_ns), percent(f->own_ns, total));
        if (calls >= 0)
            (void)fprintf(out, "%10" PRId64 "  %s\n", calls, f->name);
        else
            (void)fprintf(out, "%10s  %s\n", "-", f->name);
    }
}

static void put_iterations(const struct profile *p, FILE *out)
{
    (void)fprintf(
        out,
        "\nITERATIONS: one wake-up's work without its wait, us. Quantiles are of all since the process "
        "began.\n"
        "  %-12s %10s %9s %9s %9s %9s %9s\n",
        "", "in span", "mean", "p50", "p95", "p99", "max");
    for (int i = 0; i < p->n; i++) {
        const struct spent *s = &p->process[i].total;
        const int64_t *f = s->figure;
        if (p->process[i].measured)
            (void)fprintf(out, "  %-12s %10" PRId64 " %9.1f %9.1f %9.1f %9.1f %9.1f\n", p->process[i].name,
                          f[SPENT_WAKEUPS],
                          f[SPENT_WAKEUPS] ? (double)spent_awake_ns(s) / 1e3 / (double)f[SPENT_WAKEUPS] : 0,
                          (double)f[SPENT_P50] / 1e3, (double)f[SPENT_P95] / 1e3, (double)f[SPENT_P99] / 1e3,
                          (double)f[SPENT_MAX] / 1e3);
    }
}

static void put_symbols(const struct profile *p, FILE *out)
{
    const double seconds = p->measured_s > 0 ? p->measured_s : 1, symbols = (double)p->symbols;
    (void)fprintf(out,
                  "\nPER SYMBOL (each is one at two venues), and a second\n  %-12s %12s %12s %12s %14s\n", "",
                  "cpu us", "messages in", "messages out", "cpu us/message");
    for (int i = 0; i <= p->n; i++) {
        const struct spent *s = i < p->n ? &p->process[i].total : &p->whole;
        const int64_t *f = s->figure, messages = f[SPENT_IN] + f[SPENT_OUT];
        if (i == p->n || p->process[i].measured)
            (void)fprintf(out, "  %-12s %12.2f %12.3f %12.3f %14.3f\n",
                          i < p->n ? p->process[i].name : "whole",
                          (double)f[SPENT_CPU] / 1e3 / seconds / symbols,
                          (double)f[SPENT_IN] / seconds / symbols, (double)f[SPENT_OUT] / seconds / symbols,
                          messages ? (double)f[SPENT_CPU] / 1e3 / (double)messages : 0);
    }
}

static void put_memory(const struct profile *p, FILE *out)
{
    (void)fprintf(out, "\nMEMORY, resident, MB\n  %-12s %10s %10s %10s %10s\n", "", "start", "span begins",
                  "span ends", "change kB");
    for (int i = 0; i < p->n; i++) {
        const struct profiled *d = &p->process[i];
        if (d->measured)
            (void)fprintf(out, "  %-12s %10.2f %10.2f %10.2f %10" PRId64 "\n", d->name,
                          (double)d->rss_began / 1e6, (double)d->rss_from / 1e6, (double)d->rss_to / 1e6,
                          (d->rss_to - d->rss_from) / 1000);
    }
}

static void put_probes(const struct profile *p, FILE *out)
{
    (void)fprintf(out,
                  "\nPROBES: what they themselves took; what one costs, in and out, was measured in each "
                  "process\n  %-12s %10s %12s %12s %12s\n",
                  "", "ns off", "ns sampled", "ms in all", "% of awake");
    for (int i = 0; i < p->n; i++) {
        const struct spent *s = &p->process[i].total;
        if (p->process[i].measured)
            (void)fprintf(out, "  %-12s %10.2f %12.2f %12.3f %12.3f\n", p->process[i].name,
                          (double)s->figure[SPENT_PROBE_OFF] / 1e3, (double)s->figure[SPENT_PROBE_ON] / 1e3,
                          ms(spent_probes_ns(s)), percent(spent_probes_ns(s), spent_awake_ns(s)));
    }
}

void profile_write_text(const struct profile *self, FILE *out)
{
    put_head(self, out);
    put_processes(self, out);
    put_categories(self, out);
    put_functions(self, out);
    put_iterations(self, out);
    put_symbols(self, out);
    put_memory(self, out);
    put_probes(self, out);
    if (self->before)
        (void)profile_compare(self->before, &self->track, out, NULL);
}
