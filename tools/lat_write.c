/* The waterfall as a table and as JSON. */
#include <inttypes.h>

#include "tools/lat_waterfall.h"

static const double quantiles[] = {0.5, 0.9, 0.99, 0.999};
enum { QUANTILES = sizeof quantiles / sizeof *quantiles };

/* ---- text ------------------------------------------------------------------------------------------------ */

static void put_span(FILE *out, enum span span, const struct histogram *h)
{
    if (h->count == 0)
        return;
    (void)fprintf(out, "    %-9s  %-25s", span_kind_text(span_kind(span)), span_name(span));
    for (int i = 0; i < QUANTILES; i++)
        (void)fprintf(out, " %10.1f", (double)histogram_quantile(h, quantiles[i]) / 1000);
    (void)fprintf(out, " %10.1f %9" PRIu64 "\n", (double)h->max / 1000, h->count);
}

static void put_group(FILE *out, const struct lat_group *group)
{
    (void)fprintf(out, "\n  %-37s %10s %10s %10s %10s %10s %9s\n", group->name, "p50", "p90", "p99", "p99.9",
                  "max", "count");
    for (int span = 0; span < SPAN_COUNT; span++) {
        if (span == SPAN_HOPS || span == SPAN_TICK_TO_DECISION)
            (void)fputc('\n', out);
        put_span(out, (enum span)span, &group->spans[span]);
    }
}

static uint64_t negatives(const struct waterfall *w)
{
    uint64_t n = 0;
    for (int span = 0; span < SPAN_COUNT; span++)
        n += span == SPAN_TICK_TO_FILL_LESS_PAPER ? 0 : w->groups[0]->spans[span].negative;
    return n;
}

static void put_notes(const struct waterfall *w, FILE *out)
{
    if (w->without_tick)
        (void)fprintf(out,
                      "  note: %" PRIu64
                      " decisions were caused by no tick (a timer or a ledger woke the worker): they "
                      "have no times from a tick\n",
                      w->without_tick);
    if (w->virtual_clock)
        (void)fprintf(
            out,
            "  note: this is a backtest: its stamps are market time, in which our own work takes none\n");
    if (w->other_boot)
        (void)fprintf(out,
                      "  note: %" PRIu64 " records have stamps of another boot: those are not compared\n",
                      w->other_boot);
    if (w->later_attempts)
        (void)fprintf(out,
                      "  note: %" PRIu64
                      " orders completed or unwound a basket: they came of a fill, not of a tick, and "
                      "are left out\n",
                      w->later_attempts);
    if (w->paper && w->paper_latency_ns >= 0)
        (void)fprintf(out, "  note: the paper venue waits %.1f us by itself (paper.latency_us)\n",
                      (double)w->paper_latency_ns / 1000);
    else if (w->paper)
        (void)fprintf(out,
                      "  note: the market has another speed than time: the paper venue's own waiting is in "
                      "order_sent_to_fill\n");
    if (negatives(w))
        (void)fprintf(out, "  note: %" PRIu64 " spans were negative and count as 0\n", negatives(w));
}

void waterfall_write_text(const struct waterfall *w, FILE *out)
{
    (void)fprintf(out, "\nLATENCY of run %s, us", w->run);
    if (w->seconds > 0)
        (void)fprintf(out, ", heard for %.1f s", w->seconds);
    (void)fprintf(out, ": %" PRIu64 " decisions, %" PRIu64 " orders, %" PRIu64 " first fills\n", w->decisions,
                  w->orders, w->fills);
    for (int i = 0; i < w->n_groups; i++)
        put_group(out, w->groups[i]);
    (void)fputc('\n', out);
    put_notes(w, out);
}

/* ---- JSON ------------------------------------------------------------------------------------------------ */

static void put_text(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            (void)fprintf(out, "\\%c", c);
        else if (c < 0x20)
            (void)fprintf(out, "\\u%04x", c);
        else
            (void)fputc(c, out);
    }
    (void)fputc('"', out);
}

static void put_json_span(FILE *out, enum span span, const struct histogram *h)
{
    static const char *const names[] = {"p50_ns", "p90_ns", "p99_ns", "p999_ns"};
    (void)fprintf(out, "\"%s\":{\"kind\":\"%s\",\"n\":%" PRIu64, span_name(span),
                  span_kind_text(span_kind(span)), h->count);
    for (int i = 0; i < QUANTILES; i++)
        (void)fprintf(out, ",\"%s\":%" PRId64, names[i], histogram_quantile(h, quantiles[i]));
    (void)fprintf(out, ",\"max_ns\":%" PRId64 ",\"mean_ns\":%.0f}", h->max, histogram_mean(h));
}

static void put_json_group(FILE *out, const struct lat_group *group)
{
    const char *separator = "";
    (void)fputs("{\"name\":", out);
    put_text(out, group->name);
    (void)fputs(",\"spans\":{", out);
    for (int span = 0; span < SPAN_COUNT; span++) {
        if (group->spans[span].count == 0)
            continue;
        (void)fputs(separator, out);
        put_json_span(out, (enum span)span, &group->spans[span]);
        separator = ",";
    }
    (void)fputs("}}", out);
}

void waterfall_write_json(const struct waterfall *w, FILE *out)
{
    (void)fputs("{\"run\":", out);
    put_text(out, w->run);
    (void)fprintf(out,
                  ",\"source\":\"%s\",\"seconds\":%.3f,\"by\":\"%s\",\"decisions\":%" PRIu64
                  ",\"orders\":%" PRIu64 ",\"fills\":%" PRIu64 ",\"without_tick\":%" PRIu64
                  ",\"other_boot\":%" PRIu64 ",\"later_attempts\":%" PRIu64 ",\"negative\":%" PRIu64,
                  w->source, w->seconds, lat_by_text(w->by), w->decisions, w->orders, w->fills,
                  w->without_tick, w->other_boot, w->later_attempts, negatives(w));
    if (w->paper_latency_ns >= 0)
        (void)fprintf(out, ",\"paper_latency_ns\":%" PRId64, w->paper_latency_ns);
    (void)fputs(",\"groups\":[", out);
    for (int i = 0; i < w->n_groups; i++) {
        (void)fputs(i ? "," : "", out);
        put_json_group(out, w->groups[i]);
    }
    (void)fputs("]}\n", out);
}
