/* The report to be read: totals, what needs a human, routes by volume, venues, rejects, latencies,
 * reconciliation. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/report_data.h"

enum { ROUTES_SHOWN = 10, PARKED_SHOWN = 5, AMOUNT_DIGITS = 4, AMOUNT_MAX = MONEY_TEXT_MAX };

/* Rounded for the eye; every sum is exact, and --json shows it. */
static const char *amount(money v, char text[AMOUNT_MAX])
{
    __extension__ const money unit = (money)100000000000000; /* 1e-4 */
    money rounded = v / unit, rest = v % unit;
    rounded += rest >= unit / 2 ? 1 : rest <= -unit / 2 ? -1 : 0;
    (void)money_format(rounded * unit, text);
    char *point = strchr(text, '.');
    size_t digits = point ? strlen(point + 1) : 0;
    if (!point)
        (void)strcat(text, ".");
    for (; digits < AMOUNT_DIGITS; digits++)
        (void)strcat(text, "0");
    return text;
}

static const char *states(const struct counts *counts, char text[128])
{
    int len = 0;
    *text = '\0';
    for (uint32_t i = 0; i < counts->n && len < 100; i++)
        len += snprintf(text + len, 128 - (size_t)len, "%s%s %" PRIu64, i ? ", " : "", counts->at[i].name,
                        counts->at[i].n);
    return *text ? text : "none";
}

static uint64_t total(const struct counts *counts)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < counts->n; i++)
        n += counts->at[i].n;
    return n;
}

static void put_head(const struct report *r, FILE *out)
{
    char a[AMOUNT_MAX], text[128];
    (void)fprintf(out, "\nREPORT of run %s, amounts in %s\n\n", r->run, r->currency);
    (void)fprintf(out,
                  "  evaluations %" PRIu64 "   decisions %" PRIu64 " (accepted %" PRIu64 ", rejected %" PRIu64
                  ")\n",
                  r->evaluations, r->decisions, r->accepted, total(&r->rejects));
    (void)fprintf(out, "  orders %" PRIu64 " (%s)   fills %" PRIu64 "   round trips %" PRIu64 "\n", r->orders,
                  states(&r->order_states, text), r->fills, r->round_trips);
    (void)fprintf(out, "  volume %s", amount(r->volume, a));
    (void)fprintf(out, "   gross %s", amount(r->gross, a));
    (void)fprintf(out, "   fees %s", amount(r->fees, a));
    (void)fprintf(out, "   net PnL %s %s\n", amount(r->net, a), r->currency);
    for (uint32_t i = 0; i < r->n_notes && i < LINES_MAX; i++)
        (void)fprintf(out, "  note: %s\n", r->notes[i]);
    if (*r->risk_state && strcmp(r->risk_state, risk_state_text(RISK_NORMAL)) != 0)
        (void)fprintf(out, "\n  !!! %s: %s: %s\n", r->risk_state, r->risk_reason, r->risk_detail);
}

static void put_parked(const struct report *r, const struct route_report *route, FILE *out)
{
    char qty[MONEY_TEXT_MAX], value[AMOUNT_MAX];
    (void)fprintf(out, "  !!!   %s\n", route->route);
    for (uint32_t l = 0; l < table_count(r->leg_names); l++) {
        const struct leg *leg = &r->legs[l];
        if (strcmp(leg->route, route->route) != 0 || leg->result.qty == 0)
            continue;
        (void)money_format(leg->result.qty, qty);
        (void)fprintf(out, "  !!!     %s %s: %s, worth %s %s\n", leg->venue, leg->symbol, qty,
                      leg->unmarked ? "?" : amount(leg->result.value, value), leg->quote);
    }
}

static void put_residuals(const struct report *r, FILE *out)
{
    uint32_t parked = 0, shown = 0;
    for (uint32_t i = 0; i < table_count(r->route_names); i++)
        parked += r->routes[i].parked;
    if (parked == 0)
        return;
    (void)fprintf(out, "\n  !!! PARKED: %u routes have a residual that waits for a human\n", parked);
    for (uint32_t i = 0; i < table_count(r->route_names) && shown < PARKED_SHOWN; i++) {
        if (!r->routes[i].parked)
            continue;
        put_parked(r, &r->routes[i], out);
        shown++;
    }
    if (parked > shown)
        (void)fprintf(out, "  !!!   ... %u more\n", parked - shown);
}

static void put_result(FILE *out, const char *name, const struct result *x, const char *trips)
{
    char volume[AMOUNT_MAX], fees[AMOUNT_MAX], gross[AMOUNT_MAX], net[AMOUNT_MAX], text[128];
    (void)fprintf(out, "  %-46.46s %6s %6" PRIu64 " %16s %12s %12s %12s  %s\n", name, trips, x->fills,
                  amount(x->volume_told, volume), amount(x->fees_told, fees),
                  amount(x->cash_told + x->value_told, gross),
                  amount(x->cash_told + x->value_told - x->fees_told, net), states(&x->orders, text));
}

static void put_legs(const struct report *r, const char *route, FILE *out)
{
    char volume[AMOUNT_MAX], fees[AMOUNT_MAX], gross[AMOUNT_MAX], net[AMOUNT_MAX], qty[MONEY_TEXT_MAX],
        name[80];
    for (uint32_t i = 0; i < table_count(r->leg_names); i++) {
        const struct leg *leg = &r->legs[i];
        const struct result *x = &leg->result;
        if (strcmp(leg->route, route) != 0)
            continue;
        (void)snprintf(name, sizeof name, "%s@%s in %s", leg->symbol, leg->venue, leg->quote);
        (void)money_format(x->qty, qty);
        (void)fprintf(out, "    %-44.44s %6s %6" PRIu64 " %16s %12s %12s %12s  open %s%s\n", name, "",
                      x->fills, amount(x->volume, volume), amount(x->fees, fees),
                      amount(x->cash + x->value, gross), amount(x->cash + x->value - x->fees, net), qty,
                      leg->unmarked ? " (no price)" : "");
    }
}

static int by_volume(const void *a, const void *b)
{
    const struct route_report *x = *(const struct route_report *const *)a,
                              *y = *(const struct route_report *const *)b;
    if (x->result.volume_told != y->result.volume_told)
        return x->result.volume_told > y->result.volume_told ? -1 : 1;
    return strcmp(x->route, y->route);
}

static void put_routes(const struct report *r, FILE *out)
{
    uint32_t n = table_count(r->route_names);
    const struct route_report **sorted = calloc(n + 1, sizeof *sorted);
    char trips[24];
    (void)fprintf(out, "\n  %-46s %6s %6s %16s %12s %12s %12s  %s\n",
                  "ROUTE, and its legs in their own currency", "trips", "fills", "volume", "fees", "gross",
                  "net", "orders");
    for (uint32_t i = 0; sorted && i < n; i++)
        sorted[i] = &r->routes[i];
    if (sorted)
        qsort(sorted, n, sizeof *sorted, by_volume);
    for (uint32_t i = 0; sorted && i < n && i < ROUTES_SHOWN; i++) {
        (void)snprintf(trips, sizeof trips, "%" PRIu64, sorted[i]->round_trips);
        put_result(out, sorted[i]->route, &sorted[i]->result, trips);
        put_legs(r, sorted[i]->route, out);
    }
    if (n > ROUTES_SHOWN)
        (void)fprintf(out, "  ... %u more\n", n - ROUTES_SHOWN);
    free(sorted);
}

static void put_rejects(const struct report *r, FILE *out)
{
    for (uint32_t i = 0; i < r->rejects.n; i++)
        (void)fprintf(out, "%s  %-20s %10" PRIu64 "\n", i ? "" : "\n  REJECTED by the gate\n",
                      r->rejects.at[i].name, r->rejects.at[i].n);
    for (uint32_t i = 0; i < r->order_reasons.n; i++)
        (void)fprintf(out, "%s  %-20s %10" PRIu64 "\n", i ? "" : "\n  ORDERS refused or ended early\n",
                      r->order_reasons.at[i].name, r->order_reasons.at[i].n);
}

static void put_latencies(const struct report *r, FILE *out)
{
    (void)fprintf(out, "\n  %-24s %10s %10s %10s %10s %8s\n", "LATENCY, us", "p50", "p95", "p99", "p99.9",
                  "count");
    for (int i = 0; i < LATENCIES; i++) {
        const struct histogram *h = &r->latencies[i];
        if (h->count == 0)
            continue;
        (void)fprintf(out, "  %-24s %10.1f %10.1f %10.1f %10.1f %8" PRIu64 "\n", latency_names[i],
                      (double)histogram_quantile(h, 0.5) / 1000, (double)histogram_quantile(h, 0.95) / 1000,
                      (double)histogram_quantile(h, 0.99) / 1000, (double)histogram_quantile(h, 0.999) / 1000,
                      h->count);
    }
}

static void put_reconciliation(const struct report *r, FILE *out)
{
    const char *sources =
        r->paper ? "risk = exec's journal = database = paper venue" : "risk = exec's journal = database";
    if (r->n_differences == 0) {
        (void)fprintf(out,
                      "\n  RECONCILED: %s, to the last digit, over %u instruments and %" PRIu64 " fills\n",
                      sources, table_count(r->instrument_names), r->fills);
        return;
    }
    (void)fprintf(out, "\n  NOT RECONCILED: %u differences; expected %s\n", r->n_differences, sources);
    for (uint32_t i = 0; i < r->n_differences && i < LINES_MAX; i++)
        (void)fprintf(out, "    %s\n", r->differences[i]);
    if (r->n_differences > LINES_MAX)
        (void)fprintf(out, "    ... %u more\n", r->n_differences - LINES_MAX);
}

void report_write_text(const struct report *r, FILE *out)
{
    put_head(r, out);
    put_residuals(r, out);
    put_routes(r, out);
    (void)fprintf(out, "\n  %-46s %6s %6s %16s %12s %12s %12s  %s\n", "VENUE", "", "fills", "volume", "fees",
                  "gross", "net", "orders");
    for (uint32_t i = 0; i < r->n_venues; i++)
        put_result(out, r->venues[i].venue, &r->venues[i].result, "");
    put_rejects(r, out);
    put_latencies(r, out);
    put_reconciliation(r, out);
}
