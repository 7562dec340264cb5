/* What the parts of the report share: its lists, its sums, its lines. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "tools/report_data.h"

const char *const latency_names[LATENCIES] = {
    "tick_to_feed_out",        "feed_out_to_strategy_in", "strategy_in_to_out",
    "strategy_out_to_risk_in", "risk_in_to_out",          "risk_out_to_exec_in",
    "exec_in_to_order_sent",   "order_sent_to_fill",      "tick_to_order"};

/* ---- life -------------------------------------------------------------------------------------------- */

struct report *report_new(void)
{
    struct report *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->leg_names = table_new(LEGS_MAX, REPORT_KEY_MAX);
    r->route_names = table_new(LEGS_MAX, REPORT_KEY_MAX);
    r->instrument_names = table_new(LEGS_MAX, REPORT_KEY_MAX);
    r->mark_names = table_new(LEGS_MAX, REPORT_KEY_MAX);
    r->legs = calloc(LEGS_MAX, sizeof *r->legs);
    r->routes = calloc(LEGS_MAX, sizeof *r->routes);
    r->instruments = calloc(LEGS_MAX, sizeof *r->instruments);
    r->marks = calloc(LEGS_MAX, sizeof *r->marks);
    if (!r->leg_names || !r->route_names || !r->instrument_names || !r->mark_names || !r->legs ||
        !r->routes || !r->instruments || !r->marks)
        report_destroy(&r);
    return r;
}

void report_destroy(struct report **self)
{
    struct report *r = *self;
    if (r) {
        table_destroy(&r->leg_names);
        table_destroy(&r->route_names);
        table_destroy(&r->instrument_names);
        table_destroy(&r->mark_names);
        if (r->client_ids)
            table_destroy(&r->client_ids);
        free(r->legs);
        free(r->routes);
        free(r->instruments);
        free(r->marks);
        free(r);
    }
    *self = NULL;
}

/* ---- lists ------------------------------------------------------------------------------------------- */

void count_add(struct counts *counts, const char *name, uint64_t n)
{
    uint32_t i = 0;
    while (i < counts->n && strcmp(counts->at[i].name, name) != 0)
        i++;
    if (i == COUNTS_MAX)
        return;
    if (i == counts->n) {
        (void)snprintf(counts->at[i].name, sizeof counts->at[i].name, "%s", name);
        counts->n++;
    }
    counts->at[i].n += n;
}

int report_intern(struct report *r, struct table *table, const char *a, const char *b, const char *c)
{
    char key[REPORT_KEY_MAX + 1];
    int len = snprintf(key, sizeof key, "%s %s %s", a, b, c);
    int index = table_intern(table, key, (size_t)len);
    r->broken = r->broken || index < 0;
    return index;
}

struct instrument_report *report_instrument(struct report *r, const char *venue, const char *symbol)
{
    int index = report_intern(r, r->instrument_names, venue, symbol, "");
    if (index < 0)
        return NULL;
    struct instrument_report *i = &r->instruments[index];
    (void)text_set(i->venue, sizeof i->venue, venue);
    (void)text_set(i->symbol, sizeof i->symbol, symbol);
    return i;
}

struct route_report *report_route(struct report *r, const char *route)
{
    int index = report_intern(r, r->route_names, route, "", "");
    if (index < 0)
        return NULL;
    (void)text_set(r->routes[index].route, sizeof r->routes[index].route, route);
    return &r->routes[index];
}

struct venue_report *report_venue(struct report *r, const char *venue)
{
    uint32_t i = 0;
    while (i < r->n_venues && strcmp(r->venues[i].venue, venue) != 0)
        i++;
    if (i == VENUES_MAX) {
        r->broken = true;
        return NULL;
    }
    if (i == r->n_venues) {
        (void)text_set(r->venues[i].venue, sizeof r->venues[i].venue, venue);
        r->n_venues++;
    }
    return &r->venues[i];
}

struct leg *report_leg(struct report *r, const char *route, const char *venue, const char *symbol)
{
    int index = report_intern(r, r->leg_names, route, venue, symbol);
    if (index < 0)
        return NULL;
    struct leg *leg = &r->legs[index];
    (void)text_set(leg->route, sizeof leg->route, route);
    (void)text_set(leg->venue, sizeof leg->venue, venue);
    (void)text_set(leg->symbol, sizeof leg->symbol, symbol);
    return leg;
}

__attribute__((format(printf, 3, 0))) static void add_line(char lines[LINES_MAX][LINE_MAX], uint32_t *n,
                                                           const char *format, va_list args)
{
    char line[LINE_MAX];
    (void)vsnprintf(line, sizeof line, format, args);
    if (*n < LINES_MAX)
        memcpy(lines[*n], line, sizeof line);
    ++*n;
}

void report_difference(struct report *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_line(self->differences, &self->n_differences, format, args);
    va_end(args);
}

void report_note(struct report *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_line(self->notes, &self->n_notes, format, args);
    va_end(args);
}

/* ---- sums -------------------------------------------------------------------------------------------- */

void report_add(struct report *r, money *sum, money amount)
{
    r->broken = money_add(*sum, amount, sum) != OK || r->broken;
}

void sums_add(struct report *self, struct sums *sums, const struct told_fill *fill)
{
    char text[512], price[DEC_TEXT_MAX], qty[DEC_TEXT_MAX], fee[DEC_TEXT_MAX];
    money base, notional, paid;
    bool buy = strcmp(fill->side, "buy") == 0;
    if (money_of(fill->qty, &base) != OK || money_product(fill->price, fill->qty, &notional) != OK ||
        money_of(fill->fee, &paid) != OK) {
        self->broken = true;
        return;
    }
    report_add(self, &sums->qty, buy ? base : -base);
    report_add(self, &sums->cash, buy ? -notional : notional);
    report_add(self, &sums->fees, paid);
    sums->fills++;
    (void)dec_format(fill->price, price);
    (void)dec_format(fill->qty, qty);
    (void)dec_format(fill->fee, fee);
    int len = snprintf(text, sizeof text, "%s %s %s %s %s %s %s", fill->trade_id, fill->client_id, fill->side,
                       price, qty, fee, fill->fee_currency);
    sums->digest += fnv1a(FNV_OFFSET, text, (size_t)len);
}
