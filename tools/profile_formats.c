/* Stacks as viewers take them: speedscope's file format, and a flame graph. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/drawing.h"
#include "tools/profile_stacks.h"

void json_put_text(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            (void)fprintf(out, "\\%c", c);
        else if (c < 0x20)
            (void)fprintf(out, "\\u%04x", c);
        else
            (void)fputc(c < 0x7f ? c : '?', out);
    }
    (void)fputc('"', out);
}

/* ---- speedscope --------------------------------------------------------------------------------------- */

static int root_of(const struct stacks *self, int node)
{
    while (self->nodes[node].parent >= 0)
        node = self->nodes[node].parent;
    return node;
}

static void put_stack(const struct stacks *self, int node, FILE *out)
{
    int path[STACK_DEPTH_MAX + 2], n = 0;
    for (int at = node; at >= 0 && n < STACK_DEPTH_MAX + 2; at = self->nodes[at].parent)
        path[n++] = self->nodes[at].frame;
    (void)fputc('[', out);
    while (n-- > 0)
        (void)fprintf(out, "%d%s", path[n], n ? "," : "");
    (void)fputc(']', out);
}

static void put_profile(const struct stacks *self, int root, FILE *out)
{
    const char *separator = "";
    (void)fprintf(out, "{\"type\":\"sampled\",\"name\":");
    json_put_text(out, self->frames[self->nodes[root].frame].name);
    (void)fprintf(out, ",\"unit\":\"nanoseconds\",\"startValue\":0,\"endValue\":%" PRId64 ",\"samples\":[",
                  self->nodes[root].total_ns);
    for (int i = root; i < self->n_nodes; i++)
        if (self->nodes[i].own_ns > 0 && root_of(self, i) == root) {
            (void)fputs(separator, out);
            put_stack(self, i, out);
            separator = ",";
        }
    (void)fprintf(out, "],\"weights\":[");
    separator = "";
    for (int i = root; i < self->n_nodes; i++)
        if (self->nodes[i].own_ns > 0 && root_of(self, i) == root) {
            (void)fprintf(out, "%s%" PRId64, separator, self->nodes[i].own_ns);
            separator = ",";
        }
    (void)fprintf(out, "]}");
}

void stacks_write_speedscope(const struct stacks *self, const char *title, FILE *out)
{
    (void)fprintf(out, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"exporter\":"
                       "\"sluice profile\",\"name\":");
    json_put_text(out, title);
    (void)fprintf(out, ",\"activeProfileIndex\":0,\"shared\":{\"frames\":[");
    for (int i = 0; i < self->n_frames; i++) {
        (void)fprintf(out, "%s{\"name\":", i ? "," : "");
        json_put_text(out, self->frames[i].name);
        (void)fputc('}', out);
    }
    (void)fprintf(out, "]},\"profiles\":[");
    const char *separator = "";
    for (int i = 0; i < self->n_nodes; i++)
        if (self->nodes[i].parent < 0) {
            (void)fputs(separator, out);
            put_profile(self, i, out);
            separator = ",";
        }
    (void)fprintf(out, "]}\n");
}

/* ---- flame graph -------------------------------------------------------------------------------------- */

static const double WIDTH = 1200, ROW = 17, MARGIN = 10, HEAD = 40, CHARACTER = 6.6, LEAST = 0.4;

struct flame {
    const struct stacks *stacks;
    FILE *out;
    double px_per_ns, bottom;
    int64_t total_ns;
};

/* Rows that are drawn above the first. */
static int height_of(const struct stacks *self, double px_per_ns)
{
    int most = 0;
    for (int i = 0; i < self->n_nodes; i++) {
        int depth = 0;
        if ((double)self->nodes[i].total_ns * px_per_ns < LEAST)
            continue;
        for (int at = i; at >= 0; at = self->nodes[at].parent)
            depth++;
        most = depth > most ? depth : most;
    }
    return most;
}

/* A function keeps its color wherever it is found. Neither light nor dark: words of both kinds are read on
 * them. */
static const char *color_of(const char *name)
{
    static const char *const colors[] = {"#c0643c", "#a8742a", "#b86a5a", "#8a7a3a",
                                         "#9a6f5a", "#c05a5a", "#7a8046", "#a86a80"};
    unsigned hash = 5381;
    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return colors[hash % (sizeof colors / sizeof *colors)];
}

static void draw_node(const struct flame *f, int node, int depth, double x)
{
    const struct stack_node *n = &f->stacks->nodes[node];
    const char *name = f->stacks->frames[n->frame].name;
    const double width = (double)n->total_ns * f->px_per_ns, y = f->bottom - (depth + 1) * ROW;
    char tip[FRAME_NAME_MAX + 80], words[FRAME_NAME_MAX];
    if (width < LEAST)
        return;
    (void)snprintf(tip, sizeof tip, "%s: %.3f ms, %.2f %%", name, (double)n->total_ns / 1e6,
                   100 * (double)n->total_ns / (double)f->total_ns);
    svg_rect(f->out, x, y, width > 1 ? width - 0.5 : width, ROW - 1, color_of(name), tip);
    int fit = (int)(width / CHARACTER);
    if (fit >= 3) {
        (void)snprintf(words, sizeof words, "%.*s", fit, name);
        svg_text(f->out, x + 2, y + ROW - 5, 11, "start", words);
    }
    for (int child = n->child; child >= 0; child = f->stacks->nodes[child].next) {
        draw_node(f, child, depth + 1, x);
        x += (double)f->stacks->nodes[child].total_ns * f->px_per_ns;
    }
}

void stacks_write_flame(const struct stacks *self, const char *title, FILE *out)
{
    struct flame f = {.stacks = self, .out = out, .total_ns = stacks_total_ns(self)};
    f.px_per_ns = f.total_ns > 0 ? (WIDTH - 2 * MARGIN) / (double)f.total_ns : 0;
    const double height = HEAD + height_of(self, f.px_per_ns) * ROW + MARGIN;
    double x = MARGIN;
    f.bottom = height - MARGIN;
    svg_begin(out, WIDTH, height, title);
    svg_text(out, MARGIN, 24, 14, "start", title);
    for (int i = 0; i < self->n_nodes; i++)
        if (self->nodes[i].parent < 0) {
            draw_node(&f, i, 0, x);
            x += (double)self->nodes[i].total_ns * f.px_per_ns;
        }
    svg_end(out);
}
