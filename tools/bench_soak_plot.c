#include "tools/bench_soak_plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"
#include "tools/drawing.h"
#include "tools/run_dir.h"

/* More points than this say no more on a screen: each is then the median, or the greatest, of several rows. */
enum { POINTS = 360, SERIES_MAX = 8 };

#define KB_PER_MB 1024.0

struct plot {
    const struct track *track;
    struct series series[SERIES_MAX];
    int n;
    double *room; /* SERIES_MAX times x and y */
};

/* Of the rows from..to: the greatest where `worst`, else the mean. NAN: none is known. */
static double point(const struct track *t, uint32_t column, size_t from, size_t to, bool worst)
{
    double sum = 0, most = (double)NAN;
    size_t n = 0;
    for (size_t row = from; row < to; row++) {
        double value = track_at(t, row, column);
        if (!isfinite(value))
            continue;
        sum += value;
        most = n == 0 || value > most ? value : most;
        n++;
    }
    return worst || n == 0 ? most : sum / (double)n;
}

static void add(struct plot *p, uint32_t column, const char *name, bool worst, double unit)
{
    const struct track *t = p->track;
    size_t n = t->n_rows < POINTS ? t->n_rows : POINTS;
    if (column == UINT32_MAX || p->n == SERIES_MAX)
        return;
    double *x = p->room + (size_t)p->n * 2 * POINTS, *y = x + POINTS;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        size_t from = i * t->n_rows / n, to = (i + 1) * t->n_rows / n;
        double value = point(t, column, from, to, worst);
        if (!isfinite(value))
            continue; /* a time without an order does not interrupt the line */
        x[kept] = track_at(t, to - 1, 0) / 60;
        y[kept++] = value / unit;
    }
    p->series[p->n++] = (struct series){.name = name, .x = x, .y = y, .n = kept};
}

static int draw(struct plot *p, const char *dir, const char *file, const char *title, const char *unit,
                bool log_y)
{
    char path[RUN_PATH_MAX + 32];
    (void)snprintf(path, sizeof path, "%s/%s", dir, file);
    const struct chart chart = {.title = title,
                                .x_label = "minutes",
                                .y_label = unit,
                                .log_y = log_y,
                                .series = p->series,
                                .n_series = p->n};
    int status = chart_write(path, &chart);
    p->n = 0;
    return status;
}

int soak_plot(const struct track *t, const char *dir)
{
    struct plot p = {.track = t, .room = calloc((size_t)SERIES_MAX * 2 * POINTS, sizeof *p.room)};
    static const char *const stored[] = {
        "queue.risk_not_stored", "queue.exec_not_stored", "queue.exec_behind_risk", "queue.risk_behind_exec",
        "queue.intents_waiting", "queue.baskets_open",    "queue.venue_waiting"};
    if (!p.room)
        return E_FULL;
    for (uint32_t i = 0; i < t->n_columns; i++)
        if (strncmp(t->name[i], "rss_kb.", 7) == 0)
            add(&p, i, t->name[i] + 7, false, KB_PER_MB);
    int status = draw(&p, dir, "soak.svg", "Memory of each process", "resident, MB", false);
    add(&p, track_find(t, "p99_us"), "p99 of a second", true, 1);
    add(&p, track_find(t, "p50_us"), "p50 of a second", false, 1);
    if (status == OK)
        status = draw(&p, dir, "soak-latency.svg", "From tick to order", "us", true);
    for (size_t i = 0; i < sizeof stored / sizeof *stored; i++)
        add(&p, track_find(t, stored[i]), stored[i] + strlen("queue."), true, 1);
    if (status == OK)
        status = draw(&p, dir, "soak-queues.svg", "What waits", "records", false);
    free(p.room);
    return status;
}
