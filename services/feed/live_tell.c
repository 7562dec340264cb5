/* How the live market tells how it stands. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/table.h"
#include "services/feed/live_inside.h"

enum { LIST_MAX = 400 };

static bool has_live_book(const struct live_venue *v)
{
    for (uint32_t i = 0; i < v->n_symbols; i++)
        if (v->symbols[i].book != NO_BOOK &&
            l2_book_state(v->ops->book_at(v->market, (uint32_t)v->symbols[i].book)->book) == BOOK_LIVE)
            return true;
    return false;
}

/* The connection that is worst off, then a symbol that does not come. */
void live_detail(struct live_venue *v, char out[DETAIL_MAX])
{
    struct link_status link;
    int64_t mono_ns = v->live->now.mono_ns;
    out[0] = '\0';
    for (uint32_t i = 0; connector_link(v->connector, i, &link); i++) {
        if (link.state == LINK_UP)
            continue;
        if (link.state != LINK_WAITING)
            (void)snprintf(out, DETAIL_MAX, "connection %u %s", link.conn, link_state_text(link.state));
        else if (link.failures == 0)
            (void)snprintf(out, DETAIL_MAX, "connection %u not begun", link.conn);
        else
            (void)snprintf(out, DETAIL_MAX, "connection %u backing off %" PRId64 " ms: %.40s", link.conn,
                           link.until_ns > mono_ns ? (link.until_ns - mono_ns) / NS_PER_MS : 0, link.why);
        return;
    }
    for (uint32_t i = 0; i < v->n_symbols; i++)
        if (*connector_trouble(v->connector, i)) {
            (void)snprintf(out, DETAIL_MAX, "%s: %.60s", v->symbols[i].symbol,
                           connector_trouble(v->connector, i));
            return;
        }
    if (!has_live_book(v))
        (void)snprintf(out, DETAIL_MAX, "no book is LIVE");
}

/* One line names all symbols that lack data, when there are others than before: single lines are folded by the log. */
static void log_troubles(struct live_venue *v)
{
    char list[LIST_MAX] = "";
    uint64_t hash = FNV_OFFSET;
    size_t len = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->n_symbols; i++) {
        if (!*connector_trouble(v->connector, i))
            continue;
        hash = fnv1a(hash, &i, sizeof i);
        if (len < sizeof list)
            len +=
                (size_t)snprintf(list + len, sizeof list - len, "%s%s", n ? "," : "", v->symbols[i].symbol);
        n++;
    }
    if (hash == v->troubles)
        return;
    v->troubles = hash;
    log_line(n ? LOG_WARN : LOG_INFO, "symbols-without-data", "venue=%s n=%u symbols=%s", v->ops->name, n,
             list);
}

static void report(struct live *self, struct live_venue *v, struct now now)
{
    char detail[DETAIL_MAX];
    struct connector_status status;
    connector_status(v->connector, now.mono_ns, &status);
    live_detail(v, detail);
    log_troubles(v);
    struct venue_report report = {.venue = v->ops->name,
                                  .state = v->state,
                                  .detail = *detail ? detail : "connected",
                                  .counters = v->ops->counters(v->market),
                                  .connections = status.links,
                                  .connections_up = status.links_up,
                                  .reconnects = status.reconnects,
                                  .rest_weight = status.weight_used};
    (void)service_ready(self->service);
    feed_on_venue(self->core, &report, now, &self->service->outbox);
}

void live_report(struct live *self, struct now now)
{
    now.market_ns = now.utc_ns;
    for (uint32_t i = 0; i < self->n_venues; i++)
        report(self, &self->venues[i], now);
}

void live_status(struct live *self, struct reply *reply)
{
    uint32_t up = 0, all = 0;
    int64_t reconnects = 0;
    char detail[DETAIL_MAX];
    for (uint32_t i = 0; i < self->n_venues; i++) {
        struct live_venue *v = &self->venues[i];
        struct connector_status status;
        connector_status(v->connector, self->now.mono_ns, &status);
        up += status.links_up;
        all += status.links;
        reconnects += (int64_t)status.reconnects;
        live_detail(v, detail);
        if (*detail && !*reply->text)
            (void)snprintf(reply->text, sizeof reply->text, "%s: %s", v->ops->name, detail);
    }
    status_metric(reply, "venues", self->n_venues);
    status_metric(reply, "connections", all);
    status_metric(reply, "connections_up", up);
    status_metric(reply, "reconnects", reconnects);
}

static void page_links(struct live_venue *v, struct reply *reply, int64_t mono_ns)
{
    struct link_status link;
    for (uint32_t i = 0; connector_link(v->connector, i, &link); i++) {
        char name[40];
        (void)snprintf(name, sizeof name, "link_%u%s%s_%s", i, link.books ? "_books" : "",
                       link.trades ? "_trades" : "", link_state_text(link.state));
        status_metric(reply, name, link.symbols);
        if (link.state == LINK_WAITING) {
            (void)snprintf(name, sizeof name, "link_%u_wait_ms", i);
            status_metric(reply, name, link.until_ns > mono_ns ? (link.until_ns - mono_ns) / NS_PER_MS : 0);
        }
    }
}

enum control_code live_page(struct live *self, uint64_t number, struct reply *reply, struct now now)
{
    if (number >= self->n_venues)
        return CONTROL_REFUSED;
    struct live_venue *v = &self->venues[number];
    const struct market_counters *c = v->ops->counters(v->market);
    struct connector_status status;
    char detail[DETAIL_MAX];
    connector_status(v->connector, now.mono_ns, &status);
    live_detail(v, detail);
    (void)snprintf(reply->text, sizeof reply->text, "%s %s %s", v->ops->name,
                   v->state == VENUE_UP ? "up" : "down", detail);
    status_metric(reply, "frames", (int64_t)c->frames);
    status_metric(reply, "malformed", (int64_t)c->malformed);
    status_metric(reply, "gaps", (int64_t)c->gaps);
    status_metric(reply, "resyncs", (int64_t)c->resyncs);
    status_metric(reply, "checksums", (int64_t)c->checksums);
    status_metric(reply, "clock_offset_us", feed_clock_offset_ns(self->core, v->ops->name) / NS_PER_US);
    status_metric(reply, "connections", status.links);
    status_metric(reply, "connections_up", status.links_up);
    status_metric(reply, "attempts", (int64_t)status.attempts);
    status_metric(reply, "reconnects", (int64_t)status.reconnects);
    status_metric(reply, "replaced", (int64_t)status.replaced);
    status_metric(reply, "snapshots", (int64_t)status.snapshots);
    status_metric(reply, "snapshots_failed", (int64_t)status.snapshots_failed);
    status_metric(reply, "resubscribed", (int64_t)status.resubscribed);
    status_metric(reply, "refused", (int64_t)status.refused);
    status_metric(reply, "symbols", v->n_symbols);
    status_metric(reply, "symbols_without_data", status.symbols_without);
    status_metric(reply, "rest_weight", status.weight_used);
    status_metric(reply, "rest_weight_told", status.weight_told);
    status_metric(reply, "rest_held_ms",
                  status.rest_held_ns ? (status.rest_held_ns - now.mono_ns) / NS_PER_MS : 0);
    status_metric(reply, "connects_held_ms",
                  status.connects_held_ns ? (status.connects_held_ns - now.mono_ns) / NS_PER_MS : 0);
    page_links(v, reply, now.mono_ns);
    return CONTROL_DONE;
}
