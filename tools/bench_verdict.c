#include "tools/bench_verdict.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 20, BLOCKS_MIN = 3, REASONS_MAX = 32 };

#define SECONDS_PER_H 3600.0
#define KB_PER_MB     1024.0
/* What counts as growing, where no limit is set: by half, and by more than a handful. */
#define GROWN_FACTOR 1.5
#define GROWN_MORE   10.0

static void because(struct soak_verdict *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void because(struct soak_verdict *v, const char *format, ...)
{
    va_list arguments;
    v->passed = false;
    if (v->n_reasons == REASONS_MAX)
        return;
    va_start(arguments, format);
    (void)vsnprintf(v->reason[v->n_reasons++], sizeof *v->reason, format, arguments);
    va_end(arguments);
}

static bool begins(const char *name, const char *kind)
{
    return strncmp(name, kind, strlen(kind)) == 0;
}

static double median(const double *y, size_t n, double *scratch)
{
    memcpy(scratch, y, n * sizeof *y);
    return n ? quantile_of(scratch, n, 0.5) : 0;
}

/* The known values of a column behind the warm-up; x in hours. */
static size_t values_of(const struct track *t, uint32_t column, double warm_up_s, double *x, double *y)
{
    size_t n = 0;
    double unit =
        begins(t->name[column], "rss_kb.") || begins(t->name[column], "anonymous_kb.") ? KB_PER_MB : 1;
    for (size_t row = 0; row < t->n_rows; row++) {
        if (track_at(t, row, 0) < warm_up_s || !isfinite(track_at(t, row, column)))
            continue;
        x[n] = track_at(t, row, 0) / SECONDS_PER_H;
        y[n++] = track_at(t, row, column) / unit;
    }
    return n;
}

static const char *unit_of(const char *name)
{
    if (begins(name, "rss_kb.") || begins(name, "anonymous_kb."))
        return "MB";
    if (begins(name, "p50_us") || begins(name, "p99_us"))
        return "us";
    return begins(name, "rate.") ? "/s" : "";
}

static void judge_limit(struct soak_verdict *v, struct slope *s, const char *name, double goal)
{
    s->judged = true;
    s->passed = s->per_hour.high < goal;
    if (!s->passed)
        because(v,
                "%s rises by %.3g %s an hour, 95 %% interval %.3g to %.3g; expected its upper end below %g",
                name, s->per_hour.middle, s->unit, s->per_hour.low, s->per_hour.high, goal);
}

static void judge_growth(struct soak_verdict *v, struct slope *s, const char *name)
{
    s->judged = true;
    s->passed =
        !(s->per_hour.low > 0 && s->last > s->first * GROWN_FACTOR && s->last > s->first + GROWN_MORE);
    if (!s->passed)
        because(v, "%s grows, from %.4g to %.4g %s; expected that it stays as it is", name, s->first, s->last,
                s->unit);
}

static void judge_drop(struct soak_verdict *v, struct slope *s, const char *name)
{
    s->judged = !begins(name, "drop.market_");
    s->passed = s->max <= 0;
    if (s->judged && !s->passed)
        because(v, "%s is %.0f; expected 0", name, s->max);
}

static void judge(struct soak_verdict *v, struct slope *s, const char *name)
{
    if (begins(name, "rss_kb."))
        judge_limit(v, s, name, RSS_GOAL_MB_PER_H);
    else if (begins(name, "fds."))
        judge_limit(v, s, name, FDS_GOAL_PER_H);
    else if (begins(name, "queue.") || begins(name, "p99_us"))
        judge_growth(v, s, name);
    else if (begins(name, "drop."))
        judge_drop(v, s, name);
}

static void look_at_notes(const struct track *t, struct soak_verdict *v)
{
    const char *ended = track_noted(t, "ended"), *restarts = track_noted(t, "restarts");
    if (ended && strcmp(ended, "reconciled") != 0)
        because(v, "%s", ended);
    if (restarts && strcmp(restarts, "0") != 0)
        because(v, "%s services died and were started again", restarts);
}

void verdict_make(const struct track *t, double warm_up_s, struct soak_verdict *v)
{
    double *x = calloc(3 * t->n_rows + 3, sizeof *x), *y = x + t->n_rows + 1;
    double *scratch = y + t->n_rows + 1;
    memset(v, 0, sizeof *v);
    v->passed = true;
    v->from_s = warm_up_s;
    v->to_s = t->n_rows ? track_at(t, t->n_rows - 1, 0) : 0;
    look_at_notes(t, v);
    for (uint32_t column = 1; x && column < t->n_columns; column++) {
        struct slope *s = &v->slope[v->n++];
        size_t n = values_of(t, column, warm_up_s, x, y), quarter = n / 4;
        *s = (struct slope){.column = column, .unit = unit_of(t->name[column]), .n = n, .passed = true};
        size_t blocks = n / 3 < BLOCKS ? n / 3 : BLOCKS;
        s->per_hour = slope_of(x, y, n, blocks < BLOCKS_MIN ? BLOCKS_MIN : blocks);
        s->first = median(y, quarter, scratch);
        s->last = median(y + (n - quarter), quarter, scratch);
        for (size_t i = 0; i < n; i++)
            s->max = i == 0 || y[i] > s->max ? y[i] : s->max;
        judge(v, s, t->name[column]);
    }
    if (!x || v->n == 0)
        because(v, "nothing was measured");
    free(x);
}

/* ---- telling ---------------------------------------------------------------------------------------- */

void verdict_print(const struct track *t, const struct soak_verdict *v, FILE *out)
{
    for (uint32_t i = 0; i < t->n_notes; i++)
        (void)fprintf(out, "%s\n", t->note[i]);
    (void)fprintf(out, "\nfrom %.0f s to %.0f s; slopes are an hour's, with their 95 %% intervals\n\n",
                  v->from_s, v->to_s);
    (void)fprintf(out, "%-32s %10s %10s %10s %4s %12s %25s\n", "", "first", "last", "max", "", "slope/h",
                  "95 % interval");
    for (uint32_t i = 0; i < v->n; i++) {
        const struct slope *s = &v->slope[i];
        if (s->n == 0)
            continue;
        (void)fprintf(out, "%-32s %10.4g %10.4g %10.4g %4s %12.4g %12.4g %12.4g  %s\n", t->name[s->column],
                      s->first, s->last, s->max, s->unit, s->per_hour.middle, s->per_hour.low,
                      s->per_hour.high,
                      !s->judged  ? ""
                      : s->passed ? "ok"
                                  : "NOT OK");
    }
    (void)fprintf(out, "\n%s\n", v->passed ? "PASSED" : "NOT PASSED");
    for (uint32_t i = 0; i < v->n_reasons; i++)
        (void)fprintf(out, "  %s\n", v->reason[i]);
}

static void words(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            (void)fputc('\\', out);
        (void)fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
    }
    (void)fputc('"', out);
}

/* JSON has no infinity. */
static void figure(FILE *out, const char *name, double value)
{
    if (isfinite(value))
        (void)fprintf(out, ", \"%s\": %.8g", name, value);
    else
        (void)fprintf(out, ", \"%s\": null", name);
}

void verdict_json(const struct track *t, const struct soak_verdict *v, FILE *out)
{
    (void)fprintf(out, "{\"verdict\": \"%s\", \"from_s\": %.0f, \"to_s\": %.0f,\n \"notes\": {",
                  v->passed ? "passed" : "not passed", v->from_s, v->to_s);
    for (uint32_t i = 0; i < t->n_notes; i++) {
        char key[TRACK_NOTE_MAX];
        size_t len = strcspn(t->note[i], ":");
        (void)snprintf(key, sizeof key, "%.*s", (int)len, t->note[i]);
        (void)fputs(i ? ", " : "", out);
        words(out, key);
        (void)fputs(": ", out);
        words(out, t->note[i] + len + 2);
    }
    (void)fprintf(out, "},\n \"reasons\": [");
    for (uint32_t i = 0; i < v->n_reasons; i++) {
        (void)fputs(i ? ", " : "", out);
        words(out, v->reason[i]);
    }
    (void)fprintf(out, "],\n \"figures\": [");
    for (uint32_t i = 0; i < v->n; i++) {
        const struct slope *s = &v->slope[i];
        (void)fprintf(out, "%s\n  {\"name\": \"%s\", \"unit\": \"%s\", \"n\": %zu", i ? "," : "",
                      t->name[s->column], s->unit, s->n);
        figure(out, "first", s->first);
        figure(out, "last", s->last);
        figure(out, "max", s->max);
        figure(out, "slope_per_h", s->per_hour.middle);
        figure(out, "low", s->per_hour.low);
        figure(out, "high", s->per_hour.high);
        (void)fprintf(out, ", \"judged\": %s, \"passed\": %s}", s->judged ? "true" : "false",
                      s->passed ? "true" : "false");
    }
    (void)fprintf(out, "]}\n");
}
