/* Where the time between a tick and its order went, by hop: what `sluice lat` counts, from a tap or from a database.
 *
 * A decision tells the hops up to the gate's word, whatever that was. An order of a basket's first attempt tells, once it is
 * known when it was sent, those behind it; its first fill the venue's. A span is counted where both its stamps are there.
 * Groups: all together first, then by venue, route or worker as asked; what finds no room is in the last, "(others)".
 */
#ifndef SLUICE_TOOLS_LAT_WATERFALL_H
#define SLUICE_TOOLS_LAT_WATERFALL_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/base/histogram.h"
#include "proto/message.h"

enum span {
    SPAN_TICK_TO_FEED_OUT,
    SPAN_FEED_OUT_TO_STRATEGY_IN,
    SPAN_STRATEGY_IN_TO_OUT,
    SPAN_STRATEGY_OUT_TO_RISK_IN,
    SPAN_RISK_IN_TO_OUT,
    SPAN_RISK_OUT_TO_EXEC_IN,
    SPAN_EXEC_IN_TO_ORDER_SENT,
    SPAN_ORDER_SENT_TO_FILL, /* the last of the hops */
    SPAN_IN_PROCESS,         /* of an order: all hops within our processes */
    SPAN_IN_TRANSPORT,       /* and all between them */
    SPAN_TICK_TO_DECISION,
    SPAN_TICK_TO_ORDER,
    SPAN_TICK_TO_FILL,
    SPAN_TICK_TO_FILL_LESS_PAPER, /* without what the paper venue is told to wait */
    SPAN_EVERY_TICK_TO_FEED_OUT,  /* also of ticks that nobody acted on; live only */
    SPAN_COUNT,
    SPAN_HOPS = SPAN_ORDER_SENT_TO_FILL + 1
};

/* What a span is made of. */
enum span_kind { IN_PROCESS, IN_TRANSPORT, AT_VENUE, IN_TOTAL };

const char *span_name(enum span span);
enum span_kind span_kind(enum span span);
const char *span_kind_text(enum span_kind kind); /* "process", "transport", "venue", "total" */

enum lat_by { BY_NOTHING, BY_VENUE, BY_ROUTE, BY_WORKER };
const char *lat_by_text(enum lat_by by);

enum { LAT_GROUPS_MAX = 256, LAT_NAME_MAX = 96 };

struct lat_group {
    char name[LAT_NAME_MAX];
    struct histogram spans[SPAN_COUNT];
};

struct waterfall {
    enum lat_by by;
    const char *source; /* "live" or "database" */
    char run[40];
    bool paper;               /* the venue is the paper one */
    int64_t paper_latency_ns; /* real time that it is told to wait; -1 = none, or it goes by a market of another speed */
    uint64_t decisions, orders, fills; /* counted in */
    uint64_t without_tick;             /* decisions that a timer, or a ledger, caused: they have no times from a tick */
    uint64_t other_boot;               /* decisions, orders and fills with stamps of another boot: not compared */
    uint64_t virtual_clock;            /* orders of a backtest: its stamps are market time */
    uint64_t later_attempts;           /* orders that completed or unwound a basket: not counted in */
    double seconds;                    /* live: how long it was listened to; else 0 */
    int n_groups;
    struct lat_group *groups[LAT_GROUPS_MAX];
};

struct waterfall *waterfall_new(enum lat_by by); /* NULL: out of memory */
void waterfall_destroy(struct waterfall **self);

/* The group of a name, made when it is first asked for; NULL or "": none. */
struct lat_group *waterfall_group(struct waterfall *self, const char *name);

/* Adds what a trace tells to a group. */
void group_decision(struct lat_group *group, const struct trace *trace);
void group_order(struct lat_group *group, const struct trace *trace);
void group_fill(struct lat_group *group, const struct trace *trace, int64_t paper_latency_ns);

bool waterfall_is_empty(const struct waterfall *self); /* neither decisions nor orders */

/* ---- telling --------------------------------------------------------------------------------------------- */

void waterfall_write_text(const struct waterfall *self, FILE *out);
void waterfall_write_json(const struct waterfall *self, FILE *out); /* one object, on one line */

/* Medians end to end, with whiskers to the 99th percentile; all together, then each group that has orders, at most 8.
 * E_IO: the file could not be written. */
int waterfall_write_svg(const struct waterfall *self, const char *path);

#endif
