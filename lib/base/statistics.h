/* What can be said of repeated measurements: medians, and intervals that hold 95 times in 100. */
#ifndef SLUICE_BASE_STATISTICS_H
#define SLUICE_BASE_STATISTICS_H

#include <stddef.h>

struct interval {
    double low, middle, high;
};

/* The q-quantile (0 to 1) of n > 0 values, between neighbours by proportion; sorts them. */
double quantile_of(double *values, size_t n, double q);

/* The median of n > 0 values with its 95 % interval, by the order statistics' own (binomial) probabilities, whatever the
 * distribution is; sorts them. Below 6 values no interval is that sure: it is then all of them, least to greatest. */
struct interval median_of(double *values, size_t n);

/* The slope of y over x by least squares, with its 95 % interval, of n values in the order in which they were taken.
 * Neighbours in time resemble each other: the interval is made from the spread of `blocks` consecutive parts' means
 * (Student's t with blocks - 2 degrees of freedom), so that what resembles counts once. blocks: at least 3; fewer values
 * than blocks give an infinite interval. */
struct interval slope_of(const double *x, const double *y, size_t n, size_t blocks);

#endif
