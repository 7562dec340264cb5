#include "tools/profile_spent.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/status.h"

static const char *const names[SPENT_FIGURES] = {
    "wall_ns",          "cpu_ns",           "cpu_main_ns",      "cpu_io_ns",        "cpu_sync_ns",
    "switches",         "wakeups",          "wakeups_sampled",  "messages_in",      "messages_out",
    "iteration_p50_ns", "iteration_p95_ns", "iteration_p99_ns", "iteration_max_ns", "probe_off_ps",
    "probe_on_ps",      "rss_bytes",        "rss_start_bytes"};

const char *spent_figure_name(enum spent_figure figure)
{
    return names[figure];
}

static bool find(const struct reply *reply, const char *name, int64_t *out)
{
    for (uint32_t i = 0; i < reply->n_metrics; i++)
        if (strcmp(reply->metrics[i].name, name) == 0) {
            *out = reply->metrics[i].value;
            return true;
        }
    return false;
}

int spent_read(const struct reply *reply, struct spent *out, const char **missing)
{
    char name[32];
    memset(out, 0, sizeof *out);
    for (int i = 0; i < SPENT_FIGURES; i++)
        if (!find(reply, names[i], &out->figure[i])) {
            *missing = names[i];
            return E_ABSENT;
        }
    for (int i = 0; i < STAGES; i++) {
        (void)snprintf(name, sizeof name, "%s_calls", stage_name((enum stage)i));
        (void)find(reply, name, &out->calls[i]);
        (void)snprintf(name, sizeof name, "%s_ns", stage_name((enum stage)i));
        if (!find(reply, name, &out->ns[i]) && i == STAGE_OTHER) {
            *missing = "other_ns";
            return E_ABSENT;
        }
    }
    return OK;
}

int spent_since(const struct spent *later, const struct spent *earlier, struct spent *out)
{
    struct spent d = *later;
    for (int i = 0; i < STAGES; i++) {
        d.calls[i] -= earlier->calls[i];
        d.ns[i] -= earlier->ns[i];
        if (d.calls[i] < 0)
            return E_STATE;
    }
    for (int i = 0; i < SPENT_COUNTS; i++)
        d.figure[i] -= earlier->figure[i];
    if (d.figure[SPENT_WALL] <= 0 || d.figure[SPENT_CPU] < 0 || d.figure[SPENT_WAKEUPS] < 0)
        return E_STATE;
    *out = d;
    return OK;
}

void spent_add(struct spent *sum, const struct spent *one)
{
    for (int i = 0; i < STAGES; i++) {
        sum->calls[i] += one->calls[i];
        sum->ns[i] += one->ns[i];
    }
    for (int i = 0; i < SPENT_FIGURES; i++)
        if (i < SPENT_COUNTS || i == SPENT_RSS || i == SPENT_RSS_BEGAN)
            sum->figure[i] += one->figure[i];
        else if (one->figure[i] > sum->figure[i])
            sum->figure[i] = one->figure[i];
}

int64_t spent_awake_ns(const struct spent *self)
{
    return self->figure[SPENT_WALL] - self->ns[STAGE_WAIT];
}

int64_t spent_remainder_ns(const struct spent *self)
{
    int64_t rest = self->figure[SPENT_WALL];
    for (int i = 0; i < STAGES; i++)
        rest -= self->ns[i];
    return rest;
}

int64_t spent_probes_ns(const struct spent *self)
{
    int64_t passed = 0;
    for (int i = 0; i < STAGES; i++)
        passed += i == STAGE_WAIT ? 0 : self->calls[i]; /* the loop's own clock, not a probe */
    const int64_t wakeups = self->figure[SPENT_WAKEUPS];
    const double on = wakeups > 0 ? (double)self->figure[SPENT_SAMPLED] / (double)wakeups : 0;
    const double each_ps =
        on * (double)self->figure[SPENT_PROBE_ON] + (1 - on) * (double)self->figure[SPENT_PROBE_OFF];
    return (int64_t)((double)passed * each_ps / 1000);
}
