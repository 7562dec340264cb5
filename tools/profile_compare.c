/* Before and after, by the slices of both. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/statistics.h"
#include "tools/profile.h"

/* Slices of one run resemble one another more than runs do: where there were several runs, the interval
 * holds the median of each of them too. false: no slice has the figure. */
static bool interval_of(const struct track *t, const char *name, struct interval *out)
{
    const uint32_t column = track_find(t, name), run = track_find(t, "run");
    double *all = calloc(2 * t->n_rows + 1, sizeof *all), *one = all ? all + t->n_rows : NULL;
    size_t n = 0;
    if (!all || column == UINT32_MAX)
        goto done;
    for (size_t i = 0; i < t->n_rows; i++)
        if (isfinite(track_at(t, i, column)))
            all[n++] = track_at(t, i, column);
    if (n == 0)
        goto done;
    *out = median_of(all, n);
    for (size_t i = 0; run != UINT32_MAX && i < t->n_rows;) {
        const double which = track_at(t, i, run);
        size_t of_run = 0;
        for (; i < t->n_rows && !(track_at(t, i, run) < which) && !(track_at(t, i, run) > which); i++)
            if (isfinite(track_at(t, i, column)))
                one[of_run++] = track_at(t, i, column);
        if (of_run == 0) {
            i += isnan(which);
            continue;
        }
        const double median = quantile_of(one, of_run, 0.5);
        out->low = fmin(out->low, median);
        out->high = fmax(out->high, median);
    }
done:
    free(all);
    return n > 0;
}

static void put_notes(const struct track *before, const struct track *after, FILE *out)
{
    for (uint32_t i = 0; i < after->n_notes; i++) {
        char key[TRACK_NOTE_MAX];
        (void)snprintf(key, sizeof key, "%.*s", (int)strcspn(after->note[i], ":"), after->note[i]);
        const char *was = track_noted(before, key), *is = track_noted(after, key);
        if (is && (!was || strcmp(was, is) != 0))
            (void)fprintf(out, "  not the same: %s was %s, is %s\n", key, was ? was : "not set", is);
    }
    for (uint32_t i = 0; i < before->n_notes; i++) {
        char key[TRACK_NOTE_MAX];
        (void)snprintf(key, sizeof key, "%.*s", (int)strcspn(before->note[i], ":"), before->note[i]);
        if (!track_noted(after, key))
            (void)fprintf(out, "  not the same: %s was %s, is not set\n", key, track_noted(before, key));
    }
}

static void put_row(FILE *out, const char *name, struct interval b, struct interval a, bool beyond)
{
    const double change = a.middle - b.middle;
    (void)fprintf(out, "  %-34s %12.2f [%11.2f %11.2f] %12.2f [%11.2f %11.2f] %+12.2f [%+11.2f %+11.2f] ",
                  name, b.middle, b.low, b.high, a.middle, a.low, a.high, change, a.low - b.high,
                  a.high - b.low);
    if (fabs(b.middle) > 0)
        (void)fprintf(out, "%+8.1f %%", 100 * change / fabs(b.middle));
    else
        (void)fprintf(out, "%10s", "-");
    (void)fprintf(out, "  %s\n", beyond ? "BEYOND THE NOISE" : "within noise");
}

static void put_json(FILE *json, bool first, const char *name, struct interval b, struct interval a,
                     bool beyond)
{
    (void)fprintf(
        json,
        "%s{\"name\":\"%s\",\"before\":{\"low\":%.6g,\"median\":%.6g,\"high\":%.6g},\"after\":{\"low\":%.6g,"
        "\"median\":%.6g,\"high\":%.6g},\"change\":{\"low\":%.6g,\"median\":%.6g,\"high\":%.6g},"
        "\"beyond_noise\":%s}",
        first ? "" : ",", name, b.low, b.middle, b.high, a.low, a.middle, a.high, a.low - b.high,
        a.middle - b.middle, a.high - b.low, beyond ? "true" : "false");
}

static bool repeated(const struct track *t)
{
    const uint32_t run = track_find(t, "run");
    return run != UINT32_MAX && t->n_rows > 0 && track_at(t, t->n_rows - 1, run) > 1;
}

int profile_compare(const struct track *before, const struct track *after, FILE *out, FILE *json)
{
    int beyond = 0, compared = 0;
    if (out) {
        (void)fprintf(
            out,
            "\nBEFORE AND AFTER: medians of %zu and %zu slices, with intervals that hold them 95 times in "
            "100 within their runs\n",
            before->n_rows, after->n_rows);
        if (!repeated(before) || !repeated(after))
            (void)fprintf(
                out, "  note: slices of one run resemble each other more than two runs do: a few figures of "
                     "equal runs differ; --repeat tells\n");
        put_notes(before, after, out);
        (void)fprintf(out, "  %-34s %12s %25s %12s %25s %12s\n", "", "before", "", "after", "", "change");
    }
    if (json)
        (void)fprintf(json, "{\"figures\":[");
    for (uint32_t i = 0; i < after->n_columns; i++) {
        struct interval a, b;
        const char *name = after->name[i];
        if (strcmp(name, "seconds") == 0 || strcmp(name, "run") == 0 || !interval_of(after, name, &a))
            continue;
        if (!interval_of(before, name, &b)) {
            if (out)
                (void)fprintf(out, "  %-34s was not there before\n", name);
            continue;
        }
        const bool changed = a.low > b.high || a.high < b.low;
        if (out)
            put_row(out, name, b, a, changed);
        if (json)
            put_json(json, compared == 0, name, b, a, changed);
        compared++;
        beyond += changed;
    }
    if (out)
        (void)fprintf(out, "  %d of %d figures changed beyond the noise%s\n", beyond, compared,
                      beyond ? "" : ": within noise");
    if (json)
        (void)fprintf(json, "],\"compared\":%d,\"beyond_noise\":%d}", compared, beyond);
    return beyond;
}
