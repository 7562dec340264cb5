/* What a soak shows: the slope of each figure over time, and whether it may be so. */
#ifndef SLUICE_TOOLS_BENCH_VERDICT_H
#define SLUICE_TOOLS_BENCH_VERDICT_H

#include <stdbool.h>

#include "lib/base/statistics.h"
#include "tools/bench_track.h"

/* What is asked of a figure is in its name's beginning:
 *   rss_kb.NAME     in MB an hour: the slope's upper 95 % bound is below RSS_GOAL
 *   fds.NAME        an hour: the same, below FDS_GOAL
 *   queue.NAME, p99_us   do not grow: the slope's interval holds 0, or its last quarter's median is no more than half as
 *                   much again as its first quarter's, and 10
 *   drop.NAME       0 throughout, but for drop.market_...: market data may be dropped, which is told
 * All others are told only. */
enum { VERDICT_LINES_MAX = TRACK_COLUMNS_MAX };

#define RSS_GOAL_MB_PER_H 1.0
#define FDS_GOAL_PER_H    1.0

struct slope {
    uint32_t column;
    const char *unit;
    struct interval per_hour;
    double first, last; /* medians of the first and the last quarter */
    double max;
    size_t n;
    bool judged, passed;
};

struct soak_verdict {
    struct slope slope[VERDICT_LINES_MAX];
    uint32_t n;
    double from_s, to_s; /* what was looked at: the warm-up is left out */
    bool passed;
    uint32_t n_reasons;
    char reason[32][240];
};

/* Of the rows later than warm_up_s. Notes of the track count too: "ended" must be "reconciled", "restarts" "0". */
void verdict_make(const struct track *track, double warm_up_s, struct soak_verdict *out);

void verdict_print(const struct track *track, const struct soak_verdict *v, FILE *out);
void verdict_json(const struct track *track, const struct soak_verdict *v, FILE *out);

#endif
