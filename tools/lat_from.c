/* The waterfall of a run that was recorded, from its database. */
#include <stdlib.h>
#include <string.h>

#include "tools/lat_read.h"

#define HOPS                                                                                                 \
    "hop_feed_out, hop_strategy_in, hop_strategy_out, hop_risk_in, hop_risk_out, hop_exec_in, "              \
    "hop_exec_out, hop_exec_fill"
#define STAMPS "trace_recv_mono, trace_boot_id, " HOPS

/* Stamps of the last record of each: later ones know more. Orders of a basket's first attempt, whose sending is known. */
#define FIRST_ORDERS                                                                                         \
    "(SELECT " STAMPS ", venue, route, risk_epoch, risk_pos, client_id FROM (SELECT " STAMPS                 \
    ", venue, route, risk_epoch, risk_pos, client_id, ROW_NUMBER() OVER (PARTITION BY client_id ORDER BY "   \
    "epoch, pos) AS "                                                                                        \
    "nth FROM order_events WHERE run = $1 AND attempt = 0 AND hop_exec_out <> 0) e WHERE nth = 1)"
#define FIRST_FILLS                                                                                          \
    "(SELECT " STAMPS ", venue, route, risk_epoch, risk_pos, client_id FROM (SELECT " STAMPS                 \
    ", venue, route, risk_epoch, risk_pos, client_id, ROW_NUMBER() OVER (PARTITION BY client_id ORDER BY "   \
    "epoch, pos) AS "                                                                                        \
    "nth FROM fills WHERE run = $1) f WHERE nth = 1 AND client_id IN "                                       \
    "(SELECT client_id FROM order_events WHERE run = $1 AND attempt = 0))"
#define WITH_WORKER                                                                                          \
    " t LEFT JOIN (SELECT epoch, pos, worker FROM decisions WHERE run = $1) d "                              \
    "ON d.epoch = t.risk_epoch AND d.pos = t.risk_pos"
#define OTHER_BOOT                                                                                           \
    "JOIN (SELECT DISTINCT stream, epoch, boot_id FROM epochs WHERE run = $1) e ON e.stream = t.stream "     \
    "AND e.epoch = t.epoch WHERE t.run = $1 AND t.trace_boot_id <> 0 AND t.trace_boot_id <> e.boot_id"

struct reading {
    struct waterfall *w;
    void (*add)(struct waterfall *w, struct lat_group *group, const struct trace *trace);
    uint64_t *count; /* in the waterfall, of rows for all together; NULL: the rows are for a group only */
};

static int64_t number(const char *text)
{
    return text ? strtoll(text, NULL, 10) : 0;
}

static void add_decision(struct waterfall *w, struct lat_group *group, const struct trace *trace)
{
    (void)w;
    group_decision(group, trace);
}

static void add_order(struct waterfall *w, struct lat_group *group, const struct trace *trace)
{
    (void)w;
    group_order(group, trace);
}

static void add_fill(struct waterfall *w, struct lat_group *group, const struct trace *trace)
{
    group_fill(group, trace, w->paper_latency_ns);
}

/* Columns: the stamps, then the name of the group. */
static int take(void *ctx, int columns, const char *const *names, const char *const *v)
{
    struct reading *in = ctx;
    struct trace trace = {.recv_mono = number(v[0]), .boot_id = (uint64_t)number(v[1])};
    (void)columns, (void)names;
    for (int hop = 0; hop < HOP_COUNT; hop++)
        trace.hop[hop] = number(v[2 + hop]);
    if (in->count) {
        ++*in->count;
        in->add(in->w, in->w->groups[0], &trace);
        in->w->virtual_clock += trace.boot_id == 0 && trace.recv_mono != 0;
    }
    struct lat_group *group = waterfall_group(in->w, v[2 + HOP_COUNT]);
    if (group)
        in->add(in->w, group, &trace);
    return OK;
}

static int take_count(void *ctx, int columns, const char *const *names, const char *const *v)
{
    (void)columns, (void)names;
    *(uint64_t *)ctx += (uint64_t)number(v[0]);
    return OK;
}

static int query(struct waterfall *w, struct store *store, const char *sql, store_row_fn *row, void *ctx)
{
    const char *run = w->run;
    return store_query(store, sql, &run, 1, row, ctx);
}

/* ---- by what it is asked ----------------------------------------------------------------------------------- */

/* A decision of several venues is one of each of them; everything else has one of each. */
static int read_decisions(struct waterfall *w, struct store *store)
{
    static const char *const keyed[] = {[BY_NOTHING] = "SELECT " STAMPS ", '' FROM decisions WHERE run = $1",
                                        [BY_VENUE] = "SELECT " STAMPS ", '' FROM decisions WHERE run = $1",
                                        [BY_ROUTE] = "SELECT " STAMPS ", route FROM decisions WHERE run = $1",
                                        [BY_WORKER] =
                                            "SELECT " STAMPS ", worker FROM decisions WHERE run = $1"};
    static const char by_venue[] =
        "SELECT " STAMPS ", l.venue FROM (SELECT stream, epoch, pos, " STAMPS
        " FROM decisions WHERE run = $1) d "
        "JOIN (SELECT DISTINCT stream, epoch, pos, venue FROM decisions_legs WHERE run = $1) l "
        "ON l.stream = d.stream AND l.epoch = d.epoch AND l.pos = d.pos";
    struct reading all = {w, add_decision, &w->decisions}, apart = {w, add_decision, NULL};
    int status = query(w, store, keyed[w->by], take, &all);
    if (status == OK && w->by == BY_VENUE)
        status = query(w, store, by_venue, take, &apart);
    return status;
}

static int read_orders(struct waterfall *w, struct store *store)
{
    static const char *const orders[] = {[BY_NOTHING] = "SELECT " STAMPS ", '' FROM " FIRST_ORDERS " t",
                                         [BY_VENUE] = "SELECT " STAMPS ", venue FROM " FIRST_ORDERS " t",
                                         [BY_ROUTE] = "SELECT " STAMPS ", route FROM " FIRST_ORDERS " t",
                                         [BY_WORKER] =
                                             "SELECT " STAMPS ", d.worker FROM " FIRST_ORDERS WITH_WORKER};
    static const char *const fills[] = {[BY_NOTHING] = "SELECT " STAMPS ", '' FROM " FIRST_FILLS " t",
                                        [BY_VENUE] = "SELECT " STAMPS ", venue FROM " FIRST_FILLS " t",
                                        [BY_ROUTE] = "SELECT " STAMPS ", route FROM " FIRST_FILLS " t",
                                        [BY_WORKER] =
                                            "SELECT " STAMPS ", d.worker FROM " FIRST_FILLS WITH_WORKER};
    struct reading sent = {w, add_order, &w->orders}, filled = {w, add_fill, &w->fills};
    int status = query(w, store, orders[w->by], take, &sent);
    return status ? status : query(w, store, fills[w->by], take, &filled);
}

static int read_counts(struct waterfall *w, struct store *store)
{
    const struct {
        const char *sql;
        uint64_t *to;
    } counts[] = {
        {"SELECT COUNT(*) FROM decisions WHERE run = $1 AND trace_recv_mono = 0", &w->without_tick},
        {"SELECT COUNT(DISTINCT client_id) FROM order_events WHERE run = $1 AND attempt > 0",
         &w->later_attempts},
        {"SELECT COUNT(*) FROM decisions t " OTHER_BOOT, &w->other_boot},
        {"SELECT COUNT(DISTINCT client_id) FROM order_events t " OTHER_BOOT, &w->other_boot},
        {"SELECT COUNT(DISTINCT client_id) FROM fills t " OTHER_BOOT, &w->other_boot},
    };
    int status = OK;
    for (size_t i = 0; status == OK && i < sizeof counts / sizeof *counts; i++)
        status = query(w, store, counts[i].sql, take_count, counts[i].to);
    return status;
}

int lat_from_store(struct waterfall *into, struct store *store, char error[STORE_ERROR_MAX])
{
    int status = read_decisions(into, store);
    if (status == OK)
        status = read_orders(into, store);
    if (status == OK)
        status = read_counts(into, store);
    if (status)
        (void)snprintf(error, STORE_ERROR_MAX, "%s", store_error(store));
    return status;
}
