/* A latency histogram: log-linear buckets (64 to each power of two, so any value is known to 1.6 %),
 * fixed size, no allocation, mergeable. The layout is that of HdrHistogram (Gil Tene).
 * Values are in any unit, 0 to 2^62; by convention nanoseconds. Below 128 values are exact. */
#ifndef SLUICE_BASE_HISTOGRAM_H
#define SLUICE_BASE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_SUB = 64, HISTOGRAM_BUCKETS = HISTOGRAM_SUB * 58 };

struct histogram {
    uint64_t count;
    uint64_t negative; /* values below 0: counted here, recorded as 0 */
    int64_t min, max;
    double sum;
    uint32_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_reset(struct histogram *h);
void histogram_record(struct histogram *h, int64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The smallest recorded value (to bucket precision, never above max) with at least q of all values at or
 * below it; q from 0 to 1. 0 when empty. */
int64_t histogram_quantile(const struct histogram *h, double q);
double histogram_mean(const struct histogram *h);

#endif
