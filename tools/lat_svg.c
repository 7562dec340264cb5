/* The waterfall drawn: medians end to end. */
#include "lib/base/status.h"
#include "tools/drawing.h"
#include "tools/lat_waterfall.h"

enum { WIDTH = 900, LEFT = 190, RIGHT = 90, TOP = 66, ROW = 22, BAR = 14, HEAD = 30, DRAWN_MAX = 8 };

/* Hops of ours; the venue's would dwarf them, and is told in words. */
enum { DRAWN_HOPS = SPAN_EXEC_IN_TO_ORDER_SENT + 1 };

struct scale {
    double us_per_px, widest;
};

static double us_of(const struct lat_group *group, int span, double quantile)
{
    return (double)histogram_quantile(&group->spans[span], quantile) / 1000;
}

static bool drawn(const struct lat_group *group)
{
    for (int span = 0; span < DRAWN_HOPS; span++)
        if (group->spans[span].count > 0)
            return true;
    return false;
}

/* As wide as the longest sum of medians and half as much again: whiskers that reach further end at the edge, with their
 * value. */
static struct scale scale_of(const struct waterfall *w)
{
    double widest = 1;
    for (int i = 0; i < w->n_groups; i++) {
        double sum = 0;
        for (int span = 0; span < DRAWN_HOPS; span++)
            sum += us_of(w->groups[i], span, 0.5);
        widest = sum > widest ? sum : widest;
    }
    widest *= 1.6;
    return (struct scale){.us_per_px = widest / (WIDTH - LEFT - RIGHT), .widest = widest};
}

static void draw_hop(FILE *out, const struct lat_group *group, int span, double *begin_us,
                     const struct scale *s, double y)
{
    char words[160];
    double p50 = us_of(group, span, 0.5), p99 = us_of(group, span, 0.99), edge = WIDTH - RIGHT;
    double x = LEFT + *begin_us / s->us_per_px, end = x + p50 / s->us_per_px;
    double tip = LEFT + (*begin_us + p99) / s->us_per_px, middle = y + BAR / 2.0;
    bool beyond = tip > edge;
    svg_text(out, LEFT - 8, y + 11, 11, "end", span_name((enum span)span));
    if (group->spans[span].count == 0)
        return;
    (void)snprintf(words, sizeof words, "%s (%s): p50 %.1f us, p99 %.1f us, max %.1f us, n %llu",
                   span_name((enum span)span), span_kind_text(span_kind((enum span)span)), p50, p99,
                   (double)group->spans[span].max / 1000, (unsigned long long)group->spans[span].count);
    svg_rect(out, x, y, end - x > 0.5 ? end - x : 0.5, BAR, svg_color(span_kind((enum span)span)), words);
    tip = beyond ? edge : tip;
    svg_line(out, end, middle, tip, middle, NULL);
    svg_line(out, tip, middle, tip - (beyond ? 5 : 0), middle - 4, NULL); /* beyond the edge: an arrow */
    svg_line(out, tip, middle, tip - (beyond ? 5 : 0), middle + 4, NULL);
    (void)snprintf(words, sizeof words, "%.0f / %.0f", p50, p99);
    svg_text(out, (tip > edge - 60 ? edge : tip) + 5, y + 11, 10, "start", words);
    *begin_us += p50;
}

static void draw_group(FILE *out, const struct lat_group *group, const struct scale *s, double y)
{
    char words[240];
    double at = 0;
    (void)snprintf(words, sizeof words,
                   "%s: tick to order p50 %.0f, p99 %.0f us; in our processes %.0f, between them %.0f",
                   group->name, us_of(group, SPAN_TICK_TO_ORDER, 0.5), us_of(group, SPAN_TICK_TO_ORDER, 0.99),
                   us_of(group, SPAN_IN_PROCESS, 0.5), us_of(group, SPAN_IN_TRANSPORT, 0.5));
    svg_text(out, 16, y, 13, "start", words);
    for (int span = 0; span < DRAWN_HOPS; span++)
        draw_hop(out, group, span, &at, s, y + 10 + span * ROW);
}

static void draw_legend(FILE *out)
{
    for (int kind = IN_PROCESS; kind <= IN_TRANSPORT; kind++) {
        svg_rect(out, 16 + kind * 110, 38, 12, 10, svg_color(kind), NULL);
        svg_text(out, 34 + kind * 110, 47, 11, "start",
                 kind == IN_PROCESS ? "in a process" : "between processes");
    }
    svg_text(out, 270, 47, 11, "start",
             "bar: median, whisker: to the 99th percentile; figures: p50 / p99, us");
}

int waterfall_write_svg(const struct waterfall *w, const char *path)
{
    const struct lat_group *shown[DRAWN_MAX];
    char title[120];
    int n = 0;
    for (int i = 0; i < w->n_groups && n < DRAWN_MAX; i++)
        if (drawn(w->groups[i]))
            shown[n++] = w->groups[i];
    FILE *out = fopen(path, "w");
    if (!out)
        return E_IO;
    struct scale s = scale_of(w);
    double each = HEAD + DRAWN_HOPS * ROW + 14;
    (void)snprintf(title, sizeof title, "From tick to order, run %s, %llu orders", w->run,
                   (unsigned long long)w->orders);
    svg_begin(out, WIDTH, TOP + (n ? n : 1) * each + 10, title);
    svg_text(out, 16, 24, 15, "start", title);
    draw_legend(out);
    for (int i = 0; i < n; i++)
        draw_group(out, shown[i], &s, TOP + 16 + i * each);
    if (n == 0)
        svg_text(out, WIDTH / 2.0, TOP + 60, 14, "middle", "nothing was measured");
    svg_end(out);
    bool failed = ferror(out);
    return fclose(out) != 0 || failed ? E_IO : OK;
}
