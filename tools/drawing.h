/* Plots as SVG 1.1, self-contained, readable on light and dark pages: what `lat`, `profile` and `bench` draw with. */
#ifndef SLUICE_TOOLS_DRAWING_H
#define SLUICE_TOOLS_DRAWING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* ---- shapes: px from the upper left corner; text is escaped, and what is no character becomes '?' ----
 *
 * A place that is not finite, or a rectangle of negative size, is not drawn. What could not be written is told by ferror. */

void svg_begin(FILE *out, double width, double height, const char *title);
/* tip: shown under the pointer; NULL = none */
void svg_rect(FILE *out, double x, double y, double width, double height, const char *color, const char *tip);
/* color NULL: that of axes */
void svg_line(FILE *out, double x1, double y1, double x2, double y2, const char *color);
/* anchor: "start", "middle" or "end" */
void svg_text(FILE *out, double x, double y, double size, const char *anchor, const char *words);
void svg_end(FILE *out);

/* The color of the i-th of several things; distinct, also for the color-blind, for i below 8,
 * behind which they begin anew. */
const char *svg_color(int i);

/* ---- charts ---- */

struct series {
    const char *name;
    const double *x, *y;
    const double *low, *high; /* NULL, or a band around y */
    size_t n;
};

struct chart {
    const char *title, *x_label, *y_label;
    bool log_x, log_y;
    const struct series *series;
    int n_series; /* at most 8 */
};

/* Lines with axes, ticks and a legend. Values that are not finite, or not above zero on a logarithmic axis, are left out
 * and interrupt the line. E_IO: the file could not be written. */
int chart_write(const char *path, const struct chart *chart);

#endif
