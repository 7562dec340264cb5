/* Spans between stamps, in groups. */
#include "tools/lat_waterfall.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"

enum { RECV = -1, NO_HOP = -2 };

static const struct {
    const char *name;
    enum span_kind kind;
    int from, to; /* RECV or an enum hop */
} spans[SPAN_COUNT] = {
    [SPAN_TICK_TO_FEED_OUT] = {"tick_to_feed_out", IN_PROCESS, RECV, HOP_FEED_OUT},
    [SPAN_FEED_OUT_TO_STRATEGY_IN] = {"feed_out_to_strategy_in", IN_TRANSPORT, HOP_FEED_OUT, HOP_STRATEGY_IN},
    [SPAN_STRATEGY_IN_TO_OUT] = {"strategy_in_to_out", IN_PROCESS, HOP_STRATEGY_IN, HOP_STRATEGY_OUT},
    [SPAN_STRATEGY_OUT_TO_RISK_IN] = {"strategy_out_to_risk_in", IN_TRANSPORT, HOP_STRATEGY_OUT, HOP_RISK_IN},
    [SPAN_RISK_IN_TO_OUT] = {"risk_in_to_out", IN_PROCESS, HOP_RISK_IN, HOP_RISK_OUT},
    [SPAN_RISK_OUT_TO_EXEC_IN] = {"risk_out_to_exec_in", IN_TRANSPORT, HOP_RISK_OUT, HOP_EXEC_IN},
    [SPAN_EXEC_IN_TO_ORDER_SENT] = {"exec_in_to_order_sent", IN_PROCESS, HOP_EXEC_IN, HOP_EXEC_OUT},
    [SPAN_ORDER_SENT_TO_FILL] = {"order_sent_to_fill", AT_VENUE, HOP_EXEC_OUT, HOP_EXEC_FILL},
    [SPAN_IN_PROCESS] = {"in_process", IN_PROCESS, NO_HOP, NO_HOP},
    [SPAN_IN_TRANSPORT] = {"in_transport", IN_TRANSPORT, NO_HOP, NO_HOP},
    [SPAN_TICK_TO_DECISION] = {"tick_to_decision", IN_TOTAL, RECV, HOP_RISK_OUT},
    [SPAN_TICK_TO_ORDER] = {"tick_to_order", IN_TOTAL, RECV, HOP_EXEC_OUT},
    [SPAN_TICK_TO_FILL] = {"tick_to_fill", IN_TOTAL, RECV, HOP_EXEC_FILL},
    [SPAN_TICK_TO_FILL_LESS_PAPER] = {"tick_to_fill_less_paper", IN_TOTAL, RECV, HOP_EXEC_FILL},
    [SPAN_EVERY_TICK_TO_FEED_OUT] = {"every_tick_to_feed_out", IN_PROCESS, RECV, HOP_FEED_OUT},
};

const char *span_name(enum span span)
{
    return spans[span].name;
}

enum span_kind span_kind(enum span span)
{
    return spans[span].kind;
}

const char *span_kind_text(enum span_kind kind)
{
    static const char *const texts[] = {"process", "transport", "venue", "total"};
    return texts[kind];
}

const char *lat_by_text(enum lat_by by)
{
    static const char *const texts[] = {"nothing", "venue", "route", "worker"};
    return texts[by];
}

/* ---- groups ---------------------------------------------------------------------------------------------- */

struct waterfall *waterfall_new(enum lat_by by)
{
    struct waterfall *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->by = by;
    self->paper_latency_ns = -1;
    if (!waterfall_group(self, "all"))
        waterfall_destroy(&self);
    return self;
}

void waterfall_destroy(struct waterfall **self)
{
    if (!*self)
        return;
    for (int i = 0; i < (*self)->n_groups; i++)
        free((*self)->groups[i]);
    free(*self);
    *self = NULL;
}

struct lat_group *waterfall_group(struct waterfall *self, const char *name)
{
    if (!name || !*name)
        return NULL;
    for (int i = 0; i < self->n_groups; i++)
        if (strcmp(self->groups[i]->name, name) == 0)
            return self->groups[i];
    if (self->n_groups == LAT_GROUPS_MAX)
        return self->groups[LAT_GROUPS_MAX - 1];
    struct lat_group *group = calloc(1, sizeof *group);
    if (!group)
        return self->n_groups > 1 ? self->groups[self->n_groups - 1] : NULL;
    for (int i = 0; i < SPAN_COUNT; i++)
        histogram_reset(&group->spans[i]);
    (void)text_set(group->name, sizeof group->name, self->n_groups == LAT_GROUPS_MAX - 1 ? "(others)" : name);
    return self->groups[self->n_groups++] = group;
}

/* ---- counting -------------------------------------------------------------------------------------------- */

static int64_t stamp(const struct trace *trace, int hop)
{
    return hop == RECV ? trace->recv_mono : trace->hop[hop];
}

static bool length(const struct trace *trace, enum span span, int64_t *ns)
{
    int64_t from = stamp(trace, spans[span].from), to = stamp(trace, spans[span].to);
    *ns = to - from;
    return from != 0 && to != 0;
}

static void add(struct lat_group *group, enum span span, const struct trace *trace)
{
    int64_t ns;
    if (length(trace, span, &ns))
        histogram_record(&group->spans[span], ns);
}

void group_decision(struct lat_group *group, const struct trace *trace)
{
    for (int span = SPAN_TICK_TO_FEED_OUT; span <= SPAN_RISK_IN_TO_OUT; span++)
        add(group, (enum span)span, trace);
    add(group, SPAN_TICK_TO_DECISION, trace);
}

void group_order(struct lat_group *group, const struct trace *trace)
{
    int64_t sum[] = {[IN_PROCESS] = 0, [IN_TRANSPORT] = 0}, ns;
    bool whole = true;
    add(group, SPAN_RISK_OUT_TO_EXEC_IN, trace);
    add(group, SPAN_EXEC_IN_TO_ORDER_SENT, trace);
    add(group, SPAN_TICK_TO_ORDER, trace);
    for (int span = SPAN_TICK_TO_FEED_OUT; span <= SPAN_EXEC_IN_TO_ORDER_SENT; span++) {
        whole = length(trace, (enum span)span, &ns) && whole;
        sum[spans[span].kind] += ns;
    }
    if (!whole)
        return;
    histogram_record(&group->spans[SPAN_IN_PROCESS], sum[IN_PROCESS]);
    histogram_record(&group->spans[SPAN_IN_TRANSPORT], sum[IN_TRANSPORT]);
}

void group_fill(struct lat_group *group, const struct trace *trace, int64_t paper_latency_ns)
{
    int64_t ns;
    add(group, SPAN_ORDER_SENT_TO_FILL, trace);
    add(group, SPAN_TICK_TO_FILL, trace);
    if (paper_latency_ns >= 0 && length(trace, SPAN_TICK_TO_FILL, &ns))
        histogram_record(&group->spans[SPAN_TICK_TO_FILL_LESS_PAPER], ns - paper_latency_ns);
}

bool waterfall_is_empty(const struct waterfall *self)
{
    return self->decisions == 0 && self->orders == 0 && self->fills == 0;
}
