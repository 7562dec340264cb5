/* Values below 128 have a bucket each; above, a value's top seven bits choose the bucket, so that each power
 * of two is cut in HISTOGRAM_SUB. */
#include "lib/base/histogram.h"

#include <float.h>
#include <string.h>

static int bucket_of(uint64_t value)
{
    if (value < 2 * HISTOGRAM_SUB) {
        return (int)value;
    }
    int shift = 57 - __builtin_clzll(value); /* leaves seven bits, the highest set */
    return shift * HISTOGRAM_SUB + (int)(value >> shift);
}

static int64_t bucket_top(int bucket)
{
    if (bucket < 2 * HISTOGRAM_SUB) {
        return bucket;
    }
    int shift = bucket / HISTOGRAM_SUB - 1;
    uint64_t top_bits = (uint64_t)(bucket % HISTOGRAM_SUB + HISTOGRAM_SUB);
    return (int64_t)(((top_bits + 1) << shift) - 1);
}

void histogram_reset(struct histogram *h)
{
    memset(h, 0, sizeof *h);
}

void histogram_record(struct histogram *h, int64_t value)
{
    if (value < 0) {
        h->negative++;
        value = 0;
    }
    if (h->count == 0 || value < h->min) {
        h->min = value;
    }
    if (value > h->max) {
        h->max = value;
    }
    h->count++;
    h->sum += (double)value;
    uint32_t *bucket = &h->bucket[bucket_of((uint64_t)value)];
    *bucket += *bucket != UINT32_MAX;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    if (from->count == 0) {
        return;
    }
    if (into->count == 0 || from->min < into->min) {
        into->min = from->min;
    }
    if (from->max > into->max) {
        into->max = from->max;
    }
    into->count += from->count;
    into->negative += from->negative;
    into->sum += from->sum;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (__builtin_add_overflow(into->bucket[i], from->bucket[i], &into->bucket[i])) {
            into->bucket[i] = UINT32_MAX;
        }
    }
}

int64_t histogram_quantile(const struct histogram *h, double q)
{
    if (h->count == 0) {
        return 0;
    }
    /* 0.07 * 100 is a hair above 7 in binary; the margin keeps such a product at its own rank. */
    double place = q * (double)h->count * (1 - 4 * DBL_EPSILON);
    uint64_t rank = place > 0 ? (uint64_t)place : 0;
    rank += (double)rank < place || rank == 0;
    uint64_t below = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += h->bucket[i];
        if (below >= rank) {
            int64_t top = bucket_top(i);
            return top < h->max ? top : h->max;
        }
    }
    return h->max;
}

double histogram_mean(const struct histogram *h)
{
    return h->count == 0 ? 0 : h->sum / (double)h->count;
}
