/* Reads a run's database into a report. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "tools/lat_read.h"
#include "tools/report_data.h"

enum { CLIENT_IDS_SPARE = 1024 };

/* ---- rows of the database ---------------------------------------------------------------------------- */

struct reading {
    struct report *r;
    struct store *store;
    char *error;
    int failed; /* of a row */
};

static uint64_t number(const char *value)
{
    return value ? (uint64_t)strtoll(value, NULL, 10) : 0;
}

static bool decimal(struct reading *in, const char *what, const char *value, struct dec *out)
{
    if (value && dec_parse(value, strlen(value), out) == OK)
        return true;
    (void)snprintf(in->error, STORE_ERROR_MAX, "database: %s '%s'; expected a decimal", what,
                   value ? value : "NULL");
    return false;
}

static int query(struct reading *in, const char *sql, store_row_fn *row)
{
    const char *params[] = {in->r->run};
    in->failed = OK;
    int status = store_query(in->store, sql, params, 1, row, in);
    if (status && !in->failed)
        (void)snprintf(in->error, STORE_ERROR_MAX, "%s", store_error(in->store));
    return status;
}

static int refuse(struct reading *in)
{
    in->failed = E_CORRUPT;
    return E_CORRUPT;
}

/* One fill in reporting currency. Nothing of it is in those sums when its rate is not known. */
static void tell(struct report *r, struct result *to, money notional, money cash, money fee, struct dec fx)
{
    money told;
    if (fx.m == 0) {
        to->without_fx++;
        return;
    }
    r->broken = money_scale(notional, fx, ROUND_HALF_EVEN, &told) != OK || r->broken;
    report_add(r, &to->volume_told, told);
    r->broken = money_scale(cash, fx, ROUND_HALF_EVEN, &told) != OK || r->broken;
    report_add(r, &to->cash_told, told);
    r->broken = money_scale(fee, fx, ROUND_HALF_EVEN, &told) != OK || r->broken;
    report_add(r, &to->fees_told, told);
}

enum {
    F_VENUE,
    F_SYMBOL,
    F_ROUTE,
    F_BASE,
    F_QUOTE,
    F_SIDE,
    F_PRICE,
    F_QTY,
    F_FEE,
    F_FEE_CURRENCY,
    F_FX,
    F_TRADE,
    F_CLIENT
};

static int take_fill(void *ctx, int columns, const char *const *names, const char *const *v)
{
    struct reading *in = ctx;
    struct report *r = in->r;
    struct told_fill fill = {.trade_id = v[F_TRADE],
                             .client_id = v[F_CLIENT],
                             .side = v[F_SIDE],
                             .fee_currency = v[F_FEE_CURRENCY]};
    struct dec fx;
    money base, notional, fee = 0;
    (void)columns, (void)names;
    if (!decimal(in, "fills.price", v[F_PRICE], &fill.price) ||
        !decimal(in, "fills.qty", v[F_QTY], &fill.qty) || !decimal(in, "fills.fee", v[F_FEE], &fill.fee) ||
        !decimal(in, "fills.fx", v[F_FX], &fx))
        return refuse(in);
    struct instrument_report *instrument = report_instrument(r, v[F_VENUE], v[F_SYMBOL]);
    struct leg *leg = report_leg(r, v[F_ROUTE], v[F_VENUE], v[F_SYMBOL]);
    if (!instrument || !leg)
        return OK;
    (void)text_set(leg->quote, sizeof leg->quote, v[F_QUOTE]);
    sums_add(r, &instrument->database, &fill);
    if (money_of(fill.qty, &base) != OK || money_product(fill.price, fill.qty, &notional) != OK)
        r->broken = true;
    if (r->broken)
        return OK;
    int status = OK;
    if (strcmp(v[F_FEE_CURRENCY], v[F_QUOTE]) == 0)
        status = money_of(fill.fee, &fee);
    else if (strcmp(v[F_FEE_CURRENCY], v[F_BASE]) == 0)
        status = money_product(fill.price, fill.fee, &fee);
    else
        r->fees_elsewhere += fill.fee.m != 0;
    r->broken = status != OK;
    bool buy = strcmp(fill.side, "buy") == 0;
    struct result *to = &leg->result;
    to->fills++;
    report_add(r, &to->qty, buy ? base : -base);
    report_add(r, &to->volume, notional);
    report_add(r, &to->cash, buy ? -notional : notional);
    report_add(r, &to->fees, fee);
    tell(r, to, notional, buy ? -notional : notional, fee, fx);
    return OK;
}

static int take_order(void *ctx, int columns, const char *const *names, const char *const *v)
{
    struct report *r = ((struct reading *)ctx)->r;
    struct leg *leg = report_leg(r, v[0], v[1], v[2]);
    (void)columns, (void)names;
    r->orders++;
    count_add(&r->order_states, v[3], 1);
    if (strcmp(v[4], "NONE") != 0)
        count_add(&r->order_reasons, v[4], 1);
    if (leg)
        count_add(&leg->result.orders, v[3], 1);
    return OK;
}

static int take_route(void *ctx, int columns, const char *const *names, const char *const *v)
{
    struct report *r = ((struct reading *)ctx)->r;
    struct route_report *route = report_route(r, v[0]);
    (void)columns, (void)names;
    if (!route)
        return OK;
    route->round_trips = number(v[1]);
    route->parked = number(v[2]) != 0;
    route->open = number(v[3]) != 0;
    r->round_trips += route->round_trips;
    return OK;
}

static int take_holding(void *ctx, int columns, const char *const *names, const char *const *v)
{
    struct reading *in = ctx;
    struct instrument_report *instrument = report_instrument(in->r, v[0], v[1]);
    struct dec qty;
    money held;
    (void)columns, (void)names;
    if (!decimal(in, "route_states_legs.qty", v[2], &qty))
        return refuse(in);
    if (instrument && money_of(qty, &held) == OK)
        report_add(in->r, &instrument->risk_qty, held);
    else
        in->r->broken = true;
    return OK;
}

static int take_decisions(void *ctx, int columns, const char *const *names, const char *const *v)
{
    struct report *r = ((struct reading *)ctx)->r;
    uint64_t n = number(v[2]);
    (void)columns, (void)names;
    r->decisions += n;
    if (strncmp(v[0], "accept", 6) == 0)
        r->accepted += n;
    else
        count_add(&r->rejects, v[1], n);
    return OK;
}

static int take_risk_state(void *ctx, int columns, const char *const *names, const char *const *v)
{
    struct report *r = ((struct reading *)ctx)->r;
    (void)columns;
    (void)names;
    (void)text_set(r->risk_state, sizeof r->risk_state, v[0] ? v[0] : "");
    (void)text_set(r->risk_reason, sizeof r->risk_reason, v[1] ? v[1] : "");
    (void)text_set(r->risk_detail, sizeof r->risk_detail, v[2] ? v[2] : "");
    return OK;
}

static int take_routes_formed(void *ctx, int columns, const char *const *names, const char *const *v)
{
    (void)columns;
    (void)names;
    ((struct reading *)ctx)->r->routes_formed = number(v[0]);
    return OK;
}

static int take_evaluations(void *ctx, int columns, const char *const *names, const char *const *v)
{
    (void)columns, (void)names;
    ((struct reading *)ctx)->r->evaluations += number(v[0]);
    return OK;
}

/* The middle of a book's best prices, or the one that is there. */
static struct dec middle(const char *bid, const char *ask)
{
    struct dec b = {0}, a = {0}, sum, mid;
    bool has_bid = bid && dec_parse(bid, strlen(bid), &b) == OK;
    bool has_ask = ask && dec_parse(ask, strlen(ask), &a) == OK;
    if (!has_bid || !has_ask)
        return has_bid ? b : a;
    if (dec_add(b, a, &sum) != OK || dec_mul(sum, (struct dec){5, -1}, &mid) != OK)
        return b;
    return mid;
}

static int take_mark(void *ctx, int columns, const char *const *names, const char *const *v)
{
    struct report *r = ((struct reading *)ctx)->r;
    int index = report_intern(r, r->mark_names, v[1], v[0], "");
    (void)columns, (void)names;
    if (index < 0)
        return OK;
    struct mark *m = &r->marks[index];
    (void)text_set(m->symbol, sizeof m->symbol, v[0]);
    (void)text_set(m->venue, sizeof m->venue, v[1]);
    (void)text_set(m->base, sizeof m->base, v[2] ? v[2] : "");
    (void)text_set(m->quote, sizeof m->quote, v[3] ? v[3] : "");
    m->mid = middle(v[4], v[5]);
    return OK;
}

static int take_client_count(void *ctx, int columns, const char *const *names, const char *const *v)
{
    struct report *r = ((struct reading *)ctx)->r;
    (void)columns, (void)names;
    r->client_ids = table_new((uint32_t)number(v[0]) + CLIENT_IDS_SPARE, 36);
    return r->client_ids ? OK : E_FULL;
}

/* What is known last of an order or a route is its record at the highest position. Said by a window and not
 * by a join, which a server without statistics of the tables would do in quadratic time. */
#define BY_CLIENT "ROW_NUMBER() OVER (PARTITION BY client_id ORDER BY pos DESC) AS nth"
#define BY_ROUTE  "ROW_NUMBER() OVER (PARTITION BY route ORDER BY pos DESC) AS nth"

static const struct {
    const char *sql;
    store_row_fn *take;
} queries[] = {
    {"SELECT COUNT(DISTINCT client_id) FROM order_events WHERE run = $1", take_client_count},
    {"SELECT symbol, venue, base, quote, bid, ask FROM marks WHERE run = $1 ORDER BY symbol, venue",
     take_mark},
    {"SELECT venue, symbol, route, base, quote, side, price, qty, fee, fee_currency, fx, trade_id, client_id "
     "FROM fills WHERE run = $1 ORDER BY epoch, pos",
     take_fill},
    {"SELECT route, venue, symbol, state, reason FROM "
     "(SELECT route, venue, symbol, state, reason, pos, " BY_CLIENT " FROM order_events WHERE run = $1) o "
     "WHERE nth = 1 ORDER BY pos",
     take_order},
    {"SELECT route, round_trips, parked, busy FROM "
     "(SELECT route, round_trips, parked, busy, " BY_ROUTE " FROM route_states WHERE run = $1) s "
     "WHERE nth = 1 ORDER BY route",
     take_route},
    {"SELECT g.venue, g.symbol, g.qty FROM "
     "(SELECT run, stream, epoch, pos, " BY_ROUTE " FROM route_states WHERE run = $1) s "
     "JOIN route_states_legs g ON g.run = s.run AND g.stream = s.stream AND g.epoch = s.epoch "
     "AND g.pos = s.pos "
     "WHERE s.nth = 1",
     take_holding},
    {"SELECT verdict, reason, SUM(\"count\") FROM decisions WHERE run = $1 GROUP BY verdict, reason "
     "ORDER BY verdict, reason",
     take_decisions},
    {"SELECT state, reason, detail FROM risk_states WHERE run = $1 ORDER BY epoch DESC, pos DESC LIMIT 1",
     take_risk_state},
    {"SELECT COUNT(DISTINCT route) FROM assignments WHERE run = $1", take_routes_formed},
    /* A worker that never said goodbye is known by the evaluations its decisions tell of. */
    {"SELECT MAX(n) FROM "
     "(SELECT who, incarnation, MAX(evaluations) AS n FROM sessions WHERE run = $1 AND incarnation <> 0 "
     "GROUP BY who, incarnation "
     "UNION ALL SELECT worker, incarnation, SUM(n) FROM "
     "(SELECT worker, incarnation, route, MAX(evaluations) AS n FROM decisions WHERE run = $1 "
     "GROUP BY worker, incarnation, route) r GROUP BY worker, incarnation) w "
     "GROUP BY who, incarnation",
     take_evaluations},
};

/* ---- results ----------------------------------------------------------------------------------------- */

static const struct mark *mark_of(const struct report *r, const char *venue, const char *symbol)
{
    char key[REPORT_KEY_MAX + 1];
    int len = snprintf(key, sizeof key, "%s %s ", venue, symbol);
    int index = table_find(r->mark_names, key, (size_t)len);
    return index < 0 || r->marks[index].mid.m == 0 ? NULL : &r->marks[index];
}

/* Reporting currency for one unit of `quote` at the last prices. */
static bool last_rate(const struct report *r, const char *quote, struct dec *out)
{
    *out = (struct dec){1, 0};
    if (strcmp(quote, r->currency) == 0)
        return true;
    for (uint32_t i = 0; i < table_count(r->mark_names); i++) {
        const struct mark *m = &r->marks[i];
        if (m->mid.m == 0)
            continue;
        if (strcmp(m->base, quote) == 0 && strcmp(m->quote, r->currency) == 0) {
            *out = m->mid;
            return true;
        }
        if (strcmp(m->quote, quote) == 0 && strcmp(m->base, r->currency) == 0)
            return dec_div_at(*out, m->mid, -12, ROUND_HALF_EVEN, out) == OK;
    }
    return false;
}

static void mark_leg(struct report *r, struct leg *leg)
{
    struct result *to = &leg->result;
    const struct mark *mark = mark_of(r, leg->venue, leg->symbol);
    struct dec rate;
    if (to->qty == 0)
        return;
    if (!mark || money_scale(to->qty, mark->mid, ROUND_HALF_EVEN, &to->value) != OK ||
        !last_rate(r, leg->quote, &rate) ||
        money_scale(to->value, rate, ROUND_HALF_EVEN, &to->value_told) != OK) {
        leg->unmarked = true;
        r->unmarked++;
    }
}

static void join(struct report *r, struct result *to, const struct result *from)
{
    for (uint32_t i = 0; i < from->orders.n; i++)
        count_add(&to->orders, from->orders.at[i].name, from->orders.at[i].n);
    to->fills += from->fills;
    to->without_fx += from->without_fx;
    report_add(r, &to->volume_told, from->volume_told);
    report_add(r, &to->cash_told, from->cash_told);
    report_add(r, &to->fees_told, from->fees_told);
    report_add(r, &to->value_told, from->value_told);
}

static void sum_up(struct report *r)
{
    for (uint32_t i = 0; i < table_count(r->leg_names); i++) {
        struct leg *leg = &r->legs[i];
        struct route_report *route = report_route(r, leg->route);
        struct venue_report *venue = report_venue(r, leg->venue);
        mark_leg(r, leg);
        if (route)
            join(r, &route->result, &leg->result);
        if (venue)
            join(r, &venue->result, &leg->result);
        r->fills += leg->result.fills;
        r->without_fx += leg->result.without_fx;
        report_add(r, &r->volume, leg->result.volume_told);
        report_add(r, &r->gross, leg->result.cash_told);
        report_add(r, &r->gross, leg->result.value_told);
        report_add(r, &r->fees, leg->result.fees_told);
    }
    r->broken = money_sub(r->gross, r->fees, &r->net) != OK || r->broken;
}

static void note_what_is_missing(struct report *r)
{
    if (r->routes_formed == 0)
        report_note(
            r, "no route: nothing is traded at two venues of this market in one currency, or in two that a "
               "book converts; or there was no worker");
    else if (r->evaluations > 0 && r->decisions == 0)
        report_note(r, "no evaluation found an edge that pays its costs and arb.min_edge_bps");
    if (r->without_fx)
        report_note(r, "%" PRIu64 " fills have no known rate to %s: they are not in its sums", r->without_fx,
                    r->currency);
    if (r->unmarked)
        report_note(r, "%" PRIu64 " open residuals have no last price or no rate: they count as 0 in net PnL",
                    r->unmarked);
    if (r->fees_elsewhere)
        report_note(r, "%" PRIu64 " fees were paid in a third currency: they are not in net PnL",
                    r->fees_elsewhere);
}

/* As `sluice lat --from` has them. */
static int read_latencies(struct report *self, struct store *store, char error[STORE_ERROR_MAX])
{
    struct waterfall *w = waterfall_new(BY_NOTHING);
    (void)snprintf(error, STORE_ERROR_MAX, "out of memory");
    int status = w ? OK : E_FULL;
    if (w) {
        (void)text_set(w->run, sizeof w->run, self->run);
        status = lat_from_store(w, store, error);
    }
    for (int i = 0; status == OK && i < LATENCIES; i++)
        self->latencies[i] = w->groups[0]->spans[i == LATENCY_TICK_TO_ORDER ? (int)SPAN_TICK_TO_ORDER : i];
    waterfall_destroy(&w);
    return status;
}

int report_read(struct report *self, struct store *store, char error[STORE_ERROR_MAX])
{
    struct reading in = {.r = self, .store = store, .error = error};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        int status = query(&in, queries[i].sql, queries[i].take);
        if (status)
            return status;
    }
    int status = read_latencies(self, store, error);
    if (status)
        return status;
    sum_up(self);
    note_what_is_missing(self);
    if (self->broken) {
        (void)snprintf(error, STORE_ERROR_MAX,
                       "the run's sums do not fit: more than %d legs, or amounts above 1.7e20", LEGS_MAX);
        return E_RANGE;
    }
    return OK;
}
