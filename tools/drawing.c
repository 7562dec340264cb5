/* SVG by hand: every drawing carries its own style sheet, with a ground of its own, so that it reads the same on a light
 * page, on a dark one, and in a viewer that knows no style sheets of media. */
#include "tools/drawing.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/status.h"

/* ---- text -------------------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character at s that XML allows to stand in a text; 0: there is none. */
static int character(const unsigned char *s)
{
    if (s[0] < 0x80)
        return s[0] >= 0x20 || s[0] == '\t' || s[0] == '\n' ? 1 : 0;
    int n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    uint32_t code = s[0] & (0x7fu >> n);
    for (int i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3fu);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    bool never = code == 0xfffe || code == 0xffff;
    return code >= least[n] && code <= 0x10ffff && !surrogate && !never ? n : 0;
}

/* What is not a character of XML becomes a question mark. */
static void escaped(FILE *out, const char *words)
{
    const unsigned char *s = (const unsigned char *)(words ? words : "");
    while (*s) {
        int n = character(s);
        if (n > 1)
            fwrite(s, 1, (size_t)n, out);
        else if (n == 0)
            fputc('?', out);
        else if (*s == '&')
            fputs("&amp;", out);
        else if (*s == '<')
            fputs("&lt;", out);
        else if (*s == '>')
            fputs("&gt;", out);
        else if (*s == '"')
            fputs("&quot;", out);
        else
            fputc(*s, out);
        s += n ? n : 1;
    }
}

/* ---- shapes ------------------------------------------------------------------------------------------ */

static bool drawable(double a, double b, double c, double d)
{
    return isfinite(a) && isfinite(b) && isfinite(c) && isfinite(d);
}

void svg_begin(FILE *out, double width, double height, const char *title)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%.0f\" height=\"%.0f\" "
            "viewBox=\"0 0 %.0f %.0f\" font-family=\"Helvetica, Arial, sans-serif\">\n<title>",
            width, height, width, height);
    escaped(out, title);
    fputs("</title>\n<style>\n"
          ".ground { fill: #ffffff } .words { fill: #1f2328 } .axis { stroke: #8b949e } .grid { stroke: "
          "#d8dee4 }\n"
          "@media (prefers-color-scheme: dark) {\n"
          ".ground { fill: #15181d } .words { fill: #e6e8eb } .axis { stroke: #768390 } .grid { stroke: "
          "#31363d }\n"
          "}\n</style>\n",
          out);
    fprintf(out, "<rect class=\"ground\" width=\"%.0f\" height=\"%.0f\" fill=\"#ffffff\"/>\n", width, height);
}

void svg_rect(FILE *out, double x, double y, double width, double height, const char *color, const char *tip)
{
    if (!drawable(x, y, width, height) || width < 0 || height < 0)
        return;
    fprintf(out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"", x, y, width, height);
    escaped(out, color);
    fputs("\"", out);
    if (tip) {
        fputs("><title>", out);
        escaped(out, tip);
        fputs("</title></rect>\n", out);
    } else {
        fputs("/>\n", out);
    }
}

void svg_line(FILE *out, double x1, double y1, double x2, double y2, const char *color)
{
    if (!drawable(x1, y1, x2, y2))
        return;
    fprintf(out, "<line x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\" ", x1, y1, x2, y2);
    if (color) {
        fputs("stroke=\"", out);
        escaped(out, color);
        fputs("\"/>\n", out);
    } else {
        fputs("class=\"axis\" stroke=\"#8b949e\"/>\n", out);
    }
}

void svg_text(FILE *out, double x, double y, double size, const char *anchor, const char *words)
{
    if (!drawable(x, y, size, 0))
        return;
    fprintf(out, "<text class=\"words\" x=\"%.2f\" y=\"%.2f\" font-size=\"%.1f\" text-anchor=\"", x, y, size);
    escaped(out, anchor);
    fputs("\">", out);
    escaped(out, words);
    fputs("</text>\n", out);
}

void svg_end(FILE *out)
{
    fputs("</svg>\n", out);
}

/* Of the colors that Okabe and Ito chose for the color-blind, those that show on white and on black; the yellow is darker,
 * and grey is the eighth. */
const char *svg_color(int i)
{
    static const char *const colors[] = {"#0072b2", "#e69f00", "#009e73", "#d55e00",
                                         "#56b4e9", "#cc79a7", "#a89a00", "#868e96"};
    return colors[(unsigned)i % (sizeof colors / sizeof *colors)];
}

/* ---- axes -------------------------------------------------------------------------------------------- */

enum { TICKS_MAX = 40, SERIES_MAX = 8 };

struct axis {
    bool log, empty;
    double low, high;     /* the values at its ends */
    double start, extent; /* px: where low stands, and from there to high; negative goes up */
    double tick[TICKS_MAX];
    int n_ticks;
};

/* Beyond 1e100 differences and quotients would leave what a double holds. */
static bool shown(const struct axis *axis, double v)
{
    return fabs(v) <= 1e100 && (!axis->log || v >= 1e-100);
}

static void stretch(struct axis *axis, double v)
{
    if (!shown(axis, v))
        return;
    axis->low = axis->empty || v < axis->low ? v : axis->low;
    axis->high = axis->empty || v > axis->high ? v : axis->high;
    axis->empty = false;
}

static double place(const struct axis *axis, double v)
{
    double whole = axis->log ? log10(axis->high / axis->low) : axis->high - axis->low;
    double part = axis->log ? log10(v / axis->low) : v - axis->low;
    return axis->start + axis->extent * (part / whole);
}

/* The greatest of 1, 2 and 5 times a power of ten that is not above v; with `up` the least not below it. */
static double rounded(double v, bool up)
{
    double power = pow(10, floor(log10(v)));
    double lead = v / power, slack = 1e-9;
    if (up)
        return power * (lead <= 1 + slack ? 1 : lead <= 2 + slack ? 2 : lead <= 5 + slack ? 5 : 10);
    return power * (lead >= 10 - slack ? 10 : lead >= 5 - slack ? 5 : lead >= 2 - slack ? 2 : 1);
}

static void tick_add(struct axis *axis, double v)
{
    if (axis->n_ticks < TICKS_MAX)
        axis->tick[axis->n_ticks++] = v;
}

static void ticks_linear(struct axis *axis, int about)
{
    if (axis->high - axis->low <= fabs(axis->high) * 1e-12) {
        double room = axis->low == 0 ? 1 : fabs(axis->low) / 2;
        axis->low -= axis->low == 0 ? 0 : room;
        axis->high += room;
    }
    /* A length is judged by its whole: only far from zero does the axis begin elsewhere. */
    if (axis->low > 0 && axis->low < axis->high * 0.6)
        axis->low = 0;
    double step = rounded((axis->high - axis->low) / about, true);
    axis->low = floor(axis->low / step + 1e-9) * step;
    axis->high = ceil(axis->high / step - 1e-9) * step;
    for (int i = 0; i <= TICKS_MAX && axis->low + i * step <= axis->high + step / 2; i++) {
        double v = axis->low + i * step;
        tick_add(axis, fabs(v) < step / 1e6 ? 0 : v);
    }
}

static void ticks_log(struct axis *axis)
{
    axis->low = rounded(axis->low, false);
    axis->high = rounded(axis->high, true);
    if (axis->low >= axis->high) {
        axis->low /= 10;
        axis->high *= 10;
    }
    double decades = log10(axis->high / axis->low);
    int every = (int)ceil(decades / 12);
    for (double v = pow(10, floor(log10(axis->low) + 1e-9)); v <= axis->high * 1.0001; v *= pow(10, every)) {
        static const double within[] = {1, 2, 5};
        for (int i = 0; i < (decades <= 3 ? 3 : 1); i++)
            if (v * within[i] >= axis->low * 0.9999 && v * within[i] <= axis->high * 1.0001)
                tick_add(axis, v * within[i]);
    }
}

static void axis_settle(struct axis *axis, int about)
{
    if (axis->empty) {
        axis->low = axis->log ? 1 : 0;
        axis->high = axis->log ? 10 : 1;
    }
    if (axis->log)
        ticks_log(axis);
    else
        ticks_linear(axis, about);
}

static const char *tick_text(const struct axis *axis, double v, char text[32])
{
    static const struct {
        double from, unit;
        const char *suffix;
    } scales[] = {{1e12, 1e12, "T"}, {1e9, 1e9, "G"}, {1e6, 1e6, "M"}, {1e4, 1e3, "k"}};
    double size = axis->log ? fabs(v) : fmax(fabs(axis->low), fabs(axis->high));
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        if (size >= scales[i].from && size < 1e15 && v != 0) {
            snprintf(text, 32, "%.7g%s", v / scales[i].unit, scales[i].suffix);
            return text;
        }
    }
    snprintf(text, 32, "%.6g", v);
    return text;
}

/* ---- a chart ----------------------------------------------------------------------------------------- */

enum { WIDTH = 860, HEIGHT = 440, LEFT = 78, TOP = 44, BOTTOM = 56, RIGHT = 24, LETTER = 7 };

struct plot {
    const struct chart *chart;
    struct axis x, y;
    int n_series;
    double right; /* where the field ends and the legend begins */
};

static void plot_settle(struct plot *p)
{
    size_t longest = 0;
    for (int i = 0; i < p->n_series; i++) {
        const struct series *s = &p->chart->series[i];
        size_t letters = s->name ? strlen(s->name) : 0;
        longest = letters > longest ? letters : longest;
        for (size_t k = 0; k < s->n; k++) {
            if (!shown(&p->x, s->x[k]) || !shown(&p->y, s->y[k]))
                continue;
            stretch(&p->x, s->x[k]);
            stretch(&p->y, s->y[k]);
            if (s->low && s->high) {
                stretch(&p->y, s->low[k]);
                stretch(&p->y, s->high[k]);
            }
        }
    }
    longest = longest > 32 ? 32 : longest;
    p->right = WIDTH - RIGHT - (p->n_series > 1 ? (double)longest * LETTER + 34 : 0);
    p->x.start = LEFT;
    p->x.extent = p->right - LEFT;
    p->y.start = HEIGHT - BOTTOM;
    p->y.extent = TOP - (double)(HEIGHT - BOTTOM);
    axis_settle(&p->x, 8);
    axis_settle(&p->y, 6);
}

static void grid_line(FILE *out, double x1, double y1, double x2, double y2)
{
    fprintf(out,
            "<line class=\"grid\" x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\" stroke=\"#d8dee4\"/>\n", x1,
            y1, x2, y2);
}

static void axes_draw(FILE *out, const struct plot *p)
{
    char text[32];
    double foot = HEIGHT - BOTTOM, last = -1e9;
    for (int i = 0; i < p->x.n_ticks; i++) {
        double at = place(&p->x, p->x.tick[i]);
        grid_line(out, at, TOP, at, foot);
        tick_text(&p->x, p->x.tick[i], text);
        double half = (double)strlen(text) * LETTER / 2;
        if (at - half < last)
            continue; /* its words would stand in those of the one before */
        svg_text(out, at, foot + 17, 12, "middle", text);
        last = at + half + 4;
    }
    for (int i = 0; i < p->y.n_ticks; i++) {
        double at = place(&p->y, p->y.tick[i]);
        grid_line(out, LEFT, at, p->right, at);
        svg_text(out, LEFT - 7, at + 4, 12, "end", tick_text(&p->y, p->y.tick[i], text));
    }
    svg_line(out, LEFT, foot, p->right, foot, NULL);
    svg_line(out, LEFT, TOP, LEFT, foot, NULL);
    svg_text(out, LEFT, 24, 15, "start", p->chart->title);
    svg_text(out, (LEFT + p->right) / 2, HEIGHT - 14, 13, "middle", p->chart->x_label);
    double middle = (TOP + foot) / 2;
    fprintf(out, "<g transform=\"rotate(-90 18 %.1f)\">", middle);
    svg_text(out, 18, middle, 13, "middle", p->chart->y_label);
    fputs("</g>\n", out);
}

static void band_draw(FILE *out, const struct plot *p, const struct series *s, int color)
{
    size_t from = 0;
    while (from < s->n) {
        size_t to = from;
        while (to < s->n && shown(&p->x, s->x[to]) && shown(&p->y, s->low[to]) && shown(&p->y, s->high[to]) &&
               shown(&p->y, s->y[to]))
            to++;
        if (to > from) {
            fprintf(out, "<polygon fill=\"%s\" fill-opacity=\"0.2\" points=\"", svg_color(color));
            for (size_t k = from; k < to; k++)
                fprintf(out, "%.1f,%.1f ", place(&p->x, s->x[k]), place(&p->y, s->high[k]));
            for (size_t k = to; k > from; k--)
                fprintf(out, "%.1f,%.1f ", place(&p->x, s->x[k - 1]), place(&p->y, s->low[k - 1]));
            fputs("\"/>\n", out);
        }
        from = to + 1;
    }
}

/* A value that is left out is a gap in the line; one that stands alone is a dot, as is each of a few. */
static void series_draw(FILE *out, const struct plot *p, const struct series *s, int color)
{
    const char *dash = color >= 4 ? " stroke-dasharray=\"7 3\"" : "";
    size_t from = 0;
    while (from < s->n) {
        size_t to = from;
        while (to < s->n && shown(&p->x, s->x[to]) && shown(&p->y, s->y[to]))
            to++;
        if (to > from + 1) {
            fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\"%s points=\"",
                    svg_color(color), dash);
            for (size_t k = from; k < to; k++)
                fprintf(out, "%.1f,%.1f ", place(&p->x, s->x[k]), place(&p->y, s->y[k]));
            fputs("\"/>\n", out);
        }
        for (size_t k = from; k < to && (s->n <= 40 || to == from + 1); k++)
            fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\" fill=\"%s\"/>\n", place(&p->x, s->x[k]),
                    place(&p->y, s->y[k]), svg_color(color));
        from = to + 1;
    }
}

static void legend_draw(FILE *out, const struct plot *p)
{
    for (int i = 0; i < p->n_series && p->n_series > 1; i++) {
        double y = TOP + 8 + 20 * i;
        svg_rect(out, p->right + 14, y - 4, 14, 5, svg_color(i), NULL);
        svg_text(out, p->right + 34, y + 2, 12, "start", p->chart->series[i].name);
    }
}

int chart_write(const char *path, const struct chart *chart)
{
    struct plot p = {.chart = chart,
                     .x = {.log = chart->log_x, .empty = true},
                     .y = {.log = chart->log_y, .empty = true},
                     .n_series = chart->n_series < SERIES_MAX ? chart->n_series : SERIES_MAX};
    FILE *out = fopen(path, "w");
    if (!out)
        return E_IO;
    plot_settle(&p);
    svg_begin(out, WIDTH, HEIGHT, chart->title);
    axes_draw(out, &p);
    for (int i = 0; i < p.n_series; i++)
        if (chart->series[i].low && chart->series[i].high)
            band_draw(out, &p, &chart->series[i], i);
    for (int i = 0; i < p.n_series; i++)
        series_draw(out, &p, &chart->series[i], i);
    if (p.x.empty)
        svg_text(out, (LEFT + p.right) / 2, (TOP + HEIGHT - BOTTOM) / 2.0, 14, "middle",
                 "nothing was measured");
    legend_draw(out, &p);
    svg_end(out);
    bool failed = ferror(out);
    return fclose(out) != 0 || failed ? E_IO : OK;
}
