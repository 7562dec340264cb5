#include "lib/base/statistics.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double between(const double *sorted, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t below = (size_t)at;
    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

double quantile_of(double *values, size_t n, double q)
{
    qsort(values, n, sizeof *values, ascending);
    return between(values, n, q);
}

/* The greatest rank r (from 1) with P(fewer than r of n values below the median) at most 2.5 %; 0: there is none. */
static size_t outer_rank(size_t n)
{
    double below = 0;
    for (size_t r = 0; r <= n / 2; r++) {
        double log_p = lgamma((double)n + 1) - lgamma((double)r + 1) - lgamma((double)(n - r) + 1) -
                       (double)n * log(2);
        below += exp(log_p);
        if (below > 0.025)
            return r;
    }
    return n / 2;
}

struct interval median_of(double *values, size_t n)
{
    double middle = quantile_of(values, n, 0.5);
    size_t rank = outer_rank(n);
    if (rank == 0)
        return (struct interval){values[0], middle, values[n - 1]};
    return (struct interval){values[rank - 1], middle, values[n - rank]};
}

/* The 97.5 % quantile of Student's t: by the Cornish-Fisher expansion, but for few degrees exact to the third digit. */
static double student(size_t degrees)
{
    static const double few[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447};
    if (degrees >= 1 && degrees <= sizeof few / sizeof *few)
        return few[degrees - 1];
    double z = 1.959964, d = (double)degrees, z3 = z * z * z, z5 = z3 * z * z;
    return z + (z3 + z) / (4 * d) + (5 * z5 + 16 * z3 + 3 * z) / (96 * d * d);
}

static double mean(const double *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return sum / (double)n;
}

struct interval slope_of(const double *x, const double *y, size_t n, size_t blocks)
{
    if (blocks < 3 || n < blocks)
        return (struct interval){-INFINITY, 0, INFINITY};
    double middle_x = mean(x, n), middle_y = mean(y, n), xx = 0, xy = 0;
    for (size_t i = 0; i < n; i++) {
        xx += (x[i] - middle_x) * (x[i] - middle_x);
        xy += (x[i] - middle_x) * (y[i] - middle_y);
    }
    if (!(xx > 0))
        return (struct interval){-INFINITY, 0, INFINITY};
    double slope = xy / xx, spread = 0, parts_xx = 0;
    for (size_t b = 0; b < blocks; b++) {
        size_t from = b * n / blocks, to = (b + 1) * n / blocks;
        double part_x = mean(x + from, to - from) - middle_x, part_y = mean(y + from, to - from) - middle_y;
        spread += (part_y - slope * part_x) * (part_y - slope * part_x);
        parts_xx += part_x * part_x;
    }
    double reach = student(blocks - 2) * sqrt(spread / (double)(blocks - 2) / parts_xx);
    return (struct interval){slope - reach, slope, slope + reach};
}
