/* The report as one JSON object. Amounts are exact decimals in quotes. */
#include <inttypes.h>
#include <string.h>

#include "tools/report_data.h"

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

static void put_member(FILE *out, const char *name, const char *text)
{
    (void)fprintf(out, ",\"%s\":", name);
    put_text(out, text);
}

static void put_money(FILE *out, const char *name, money amount)
{
    char text[MONEY_TEXT_MAX];
    (void)money_format(amount, text);
    (void)fprintf(out, ",\"%s\":\"%s\"", name, text);
}

static void put_counts(FILE *out, const char *name, const struct counts *counts)
{
    (void)fprintf(out, ",\"%s\":{", name);
    for (uint32_t i = 0; i < counts->n; i++) {
        (void)fprintf(out, "%s", i ? "," : "");
        put_text(out, counts->at[i].name);
        (void)fprintf(out, ":%" PRIu64, counts->at[i].n);
    }
    (void)fprintf(out, "}");
}

static void put_told(FILE *out, const struct result *r)
{
    put_counts(out, "orders", &r->orders);
    (void)fprintf(out, ",\"fills\":%" PRIu64 ",\"fills_without_fx\":%" PRIu64, r->fills, r->without_fx);
    put_money(out, "volume", r->volume_told);
    put_money(out, "fees", r->fees_told);
    put_money(out, "gross_pnl", r->cash_told + r->value_told);
    put_money(out, "net_pnl", r->cash_told + r->value_told - r->fees_told);
}

/* In its own currency, then in the reporting one. */
static void put_leg(FILE *out, const struct leg *leg)
{
    const struct result *r = &leg->result;
    (void)fprintf(out, "{\"symbol\":");
    put_text(out, leg->symbol);
    put_member(out, "venue", leg->venue);
    put_member(out, "currency", leg->quote);
    put_money(out, "residual", r->qty);
    put_money(out, "residual_value", r->value);
    (void)fprintf(out, ",\"unmarked\":%s", leg->unmarked ? "true" : "false");
    put_money(out, "volume", r->volume);
    put_money(out, "fees", r->fees);
    put_money(out, "gross_pnl", r->cash + r->value);
    put_money(out, "net_pnl", r->cash + r->value - r->fees);
    (void)fprintf(out, ",\"reporting\":{\"currency_known\":%s", r->without_fx ? "false" : "true");
    put_told(out, r);
    (void)fprintf(out, "}}");
}

static void put_routes(FILE *out, const struct report *r)
{
    (void)fprintf(out, ",\"routes\":[");
    for (uint32_t i = 0; i < table_count(r->route_names); i++) {
        const struct route_report *route = &r->routes[i];
        bool first = true;
        (void)fprintf(out, "%s{\"route\":", i ? "," : "");
        put_text(out, route->route);
        (void)fprintf(out, ",\"round_trips\":%" PRIu64 ",\"parked\":%s", route->round_trips,
                      route->parked ? "true" : "false");
        put_told(out, &route->result);
        (void)fprintf(out, ",\"legs\":[");
        for (uint32_t l = 0; l < table_count(r->leg_names); l++) {
            if (strcmp(r->legs[l].route, route->route) != 0)
                continue;
            (void)fprintf(out, "%s", first ? "" : ",");
            put_leg(out, &r->legs[l]);
            first = false;
        }
        (void)fprintf(out, "]}");
    }
    (void)fprintf(out, "]");
}

static void put_venues(FILE *out, const struct report *r)
{
    (void)fprintf(out, ",\"venues\":[");
    for (uint32_t i = 0; i < r->n_venues; i++) {
        (void)fprintf(out, "%s{\"venue\":", i ? "," : "");
        put_text(out, r->venues[i].venue);
        put_told(out, &r->venues[i].result);
        (void)fprintf(out, "}");
    }
    (void)fprintf(out, "]");
}

static void put_latencies(FILE *out, const struct report *r)
{
    static const struct {
        const char *name;
        double q;
    } quantiles[] = {{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}, {"p99_9", 0.999}};
    (void)fprintf(out, ",\"latency_us\":{");
    for (int i = 0; i < LATENCIES; i++) {
        (void)fprintf(out, "%s\"%s\":{", i ? "," : "", latency_names[i]);
        for (size_t q = 0; q < sizeof quantiles / sizeof *quantiles; q++)
            (void)fprintf(out, "\"%s\":%.3f,", quantiles[q].name,
                          (double)histogram_quantile(&r->latencies[i], quantiles[q].q) / 1000);
        (void)fprintf(out, "\"count\":%" PRIu64 "}", r->latencies[i].count);
    }
    (void)fprintf(out, "}");
}

static void put_lines(FILE *out, const char *name, const char lines[LINES_MAX][LINE_MAX], uint32_t n)
{
    (void)fprintf(out, ",\"%s\":[", name);
    for (uint32_t i = 0; i < n && i < LINES_MAX; i++) {
        (void)fprintf(out, "%s", i ? "," : "");
        put_text(out, lines[i]);
    }
    (void)fprintf(out, "]");
}

void report_write_json(const struct report *r, FILE *out)
{
    (void)fprintf(out, "{\"run\":");
    put_text(out, r->run);
    put_member(out, "currency", r->currency);
    (void)fprintf(out, ",\"reconciled\":%s", r->n_differences == 0 ? "true" : "false");
    put_lines(out, "differences", r->differences, r->n_differences);
    put_lines(out, "notes", r->notes, r->n_notes);
    put_member(out, "risk_state", r->risk_state);
    (void)fprintf(out,
                  ",\"evaluations\":%" PRIu64 ",\"decisions\":%" PRIu64 ",\"accepted\":%" PRIu64
                  ",\"fills\":%" PRIu64 ",\"round_trips\":%" PRIu64,
                  r->evaluations, r->decisions, r->accepted, r->fills, r->round_trips);
    put_counts(out, "rejects", &r->rejects);
    put_counts(out, "orders", &r->order_states);
    put_counts(out, "order_reasons", &r->order_reasons);
    put_money(out, "volume", r->volume);
    put_money(out, "fees", r->fees);
    put_money(out, "gross_pnl", r->gross);
    put_money(out, "net_pnl", r->net);
    put_latencies(out, r);
    put_routes(out, r);
    put_venues(out, r);
    (void)fprintf(out, "}\n");
}
