/* What the report of a run is made of. Kept by report_data.c, read and summed up by report_read.c, held against each other by
 * report_reconcile.c, shown by report_text.c and report_json.c. All sums are exact. */
#ifndef SLUICE_TOOLS_REPORT_DATA_H
#define SLUICE_TOOLS_REPORT_DATA_H

#include <stdio.h>

#include "lib/base/decimal.h"
#include "lib/base/histogram.h"
#include "lib/base/table.h"
#include "services/recorder/store.h"

enum {
    LEGS_MAX = 8192, /* legs of routes, instruments, routes: each */
    VENUES_MAX = 64,
    COUNTS_MAX = 64,
    LINES_MAX = 40, /* of differences, and of notes */
    LINE_MAX = 320,
    REPORT_KEY_MAX = 160
};

/* Fills of one instrument as one source tells of them. */
struct sums {
    money qty, cash,
        fees; /* cash: quote received less paid, fees not in it; fees: as charged, in any currency */
    uint64_t fills;
    uint64_t digest; /* sum of the hashes of all fills, so that no two errors can cancel out */
};

struct count {
    char name[24];
    uint64_t n;
};

struct counts {
    uint32_t n;
    struct count at[COUNTS_MAX];
};

/* Result of some fills, in quote currency and in the reporting currency. */
struct result {
    struct counts orders; /* by final state */
    uint64_t fills;
    uint64_t without_fx;             /* fills whose rate is not known: not in the reporting sums */
    money qty;                       /* open residual */
    money volume, cash, fees, value; /* quote; value: of the residual at the last price */
    money volume_told, cash_told, fees_told, value_told; /* reporting currency */
};

struct leg { /* an instrument within a route */
    char route[96], venue[16], symbol[32], quote[16];
    struct result result;
    bool unmarked; /* a residual without a price or a rate */
};

struct route_report {
    char route[96];
    struct result result; /* reporting sums only */
    uint64_t round_trips;
    bool parked, open;
};

struct venue_report {
    char venue[16];
    struct result result; /* reporting sums only */
};

struct instrument_report {
    char venue[16], symbol[32];
    struct sums journal, database, paper;
    money risk_qty;
};

struct mark {
    char symbol[32], venue[16], base[16], quote[16];
    struct dec mid; /* 0 = no price */
};

/* What is measured between two stamps of a trade; the hops are those of enum span (tools/lat_waterfall.h), in its order. */
enum {
    LATENCY_TICK_TO_FEED,
    LATENCY_FEED_TO_STRATEGY,
    LATENCY_STRATEGY,
    LATENCY_STRATEGY_TO_RISK,
    LATENCY_RISK,
    LATENCY_RISK_TO_EXEC,
    LATENCY_EXEC,
    LATENCY_ORDER_TO_FILL,
    LATENCY_TICK_TO_ORDER,
    LATENCIES
};
extern const char *const latency_names[LATENCIES];

struct report {
    char run[40], currency[16];
    bool paper;                                            /* there is a paper venue's log to hold against */
    char risk_state[16], risk_reason[32], risk_detail[80]; /* the gate's, at the end */
    uint64_t routes_formed;
    uint64_t evaluations, decisions, accepted, fills, round_trips, orders, fees_elsewhere;
    struct counts rejects, order_states, order_reasons;
    money volume, gross, fees, net; /* reporting currency */
    uint64_t without_fx, unmarked;

    struct table *leg_names, *route_names, *instrument_names, *mark_names, *client_ids;
    struct leg *legs;
    struct route_report *routes;
    struct venue_report venues[VENUES_MAX];
    uint32_t n_venues;
    struct instrument_report *instruments;
    struct mark *marks;
    struct histogram latencies[LATENCIES];

    bool broken;                     /* something did not fit: sums cannot be trusted */
    uint32_t n_differences, n_notes; /* also those that found no room */
    char differences[LINES_MAX][LINE_MAX], notes[LINES_MAX][LINE_MAX];
};

/* All NULL-safe. The store is the run's; the working directory is the run's. */
struct report *report_new(void);
void report_destroy(struct report **self);

/* Everything from the database. E_* with words in error. */
int report_read(struct report *self, struct store *store, char error[STORE_ERROR_MAX]);

/* Holds risk, exec's journal, the database and the paper venue's log against each other: fills differences. E_* with
 * words when one of them cannot be read. */
int report_reconcile(struct report *self, struct store *store, char error[STORE_ERROR_MAX]);

void report_write_text(const struct report *self, FILE *out);
void report_write_json(const struct report *self, FILE *out);

/* ---- shared by those who read -------------------------------------------------------------------------- */

/* Index under three words; a negative status, and the report broken, when there is no room. */
int report_intern(struct report *self, struct table *table, const char *a, const char *b, const char *c);

/* Each is made when it is first asked for; NULL when there is no room. */
struct route_report *report_route(struct report *self, const char *route);
struct venue_report *report_venue(struct report *self, const char *venue);
struct leg *report_leg(struct report *self, const char *route, const char *venue, const char *symbol);

/* The report is broken when the sum does not fit. */
void report_add(struct report *self, money *sum, money amount);

void count_add(struct counts *counts, const char *name, uint64_t n);
struct instrument_report *report_instrument(struct report *self, const char *venue, const char *symbol);
__attribute__((format(printf, 2, 3))) void report_difference(struct report *self, const char *format, ...);
__attribute__((format(printf, 2, 3))) void report_note(struct report *self, const char *format, ...);

struct told_fill {
    const char *trade_id, *client_id, *side, *fee_currency;
    struct dec price, qty, fee;
};

/* Adds a fill to what a source tells. */
void sums_add(struct report *self, struct sums *sums, const struct told_fill *fill);

#endif
