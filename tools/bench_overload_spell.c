/* One run under a load that comes and goes. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "tools/bench_overload.h"
#include "tools/bench_track.h"

enum {
    SAMPLE_MS = 200,
    SETTLE_S = 3,
    STAYS_MS = 500,
    ASK_MS = 150,
    FIGURES = 3,
    DISLOCATIONS_PER_MIN = 3000
};

/* Ages below this are not called late, whatever they were before the burst. */
#define LATE_US         10000.0
#define RECOVERY_MS     1000.0
#define DECISIONS_FIRST 4096

struct verdict_seen {
    int64_t mono_ns, recv_mono, venue_time;
};

struct watching {
    const struct spell *spell;
    struct load load;
    struct track track;
    struct verdict_seen *seen;
    size_t n_seen, capacity;
    struct histogram order;
    int64_t anchor_market_ns, anchor_mono_ns;
    int64_t begin_mono_ns, end_mono_ns;
    double sum[2][FIGURES], seconds[2]; /* ticks, evaluations, decisions counted in calm and in bursts */
};

/* ---- following -------------------------------------------------------------------------------------- */

static void on_risk(void *ctx, const struct message *m, struct now now)
{
    struct watching *w = ctx;
    const struct trace *t = &m->env.trace;
    (void)now;
    if (m->env.type != MSG_DECISION || !t->recv_mono)
        return;
    if (w->n_seen == w->capacity) {
        size_t capacity = w->capacity ? 2 * w->capacity : DECISIONS_FIRST;
        struct verdict_seen *seen = realloc(w->seen, capacity * sizeof *seen);
        if (!seen)
            return;
        w->seen = seen;
        w->capacity = capacity;
    }
    /* Where the gate's own stamp is not in it, what was written when. */
    int64_t mono_ns =
        t->hop[HOP_RISK_OUT] ? t->hop[HOP_RISK_OUT] : t->recv_mono + (m->env.time_out - t->recv_utc);
    w->seen[w->n_seen++] = (struct verdict_seen){mono_ns, t->recv_mono, t->venue_time};
}

static void on_exec(void *ctx, const struct message *m, struct now now)
{
    struct watching *w = ctx;
    int64_t ns = load_tick_to_order_ns(m);
    (void)now;
    if (ns >= 0 && w->begin_mono_ns && m->env.trace.recv_mono > w->begin_mono_ns)
        histogram_record(&w->order, ns);
}

/* When the market began, by the feed's own note. */
static bool read_clock(struct watching *w)
{
    int64_t begin, reached;
    FILE *f = fopen("feed.clock", "re");
    bool read = f && fscanf(f, "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, &begin, &reached,
                            &w->anchor_market_ns, &w->anchor_mono_ns) == 4;
    if (f)
        (void)fclose(f);
    return read;
}

static int64_t market_of(const struct watching *w, int64_t mono_ns)
{
    return w->anchor_market_ns + (mono_ns - w->anchor_mono_ns);
}

static bool in_burst(const struct watching *w, int64_t mono_ns)
{
    const struct spell *s = w->spell;
    return s->factor > 1 && market_of(w, mono_ns) % (s->every_ms * NS_PER_MS) < s->burst_ms * NS_PER_MS;
}

/* ---- looking ---------------------------------------------------------------------------------------- */

static void note(struct watching *w, int64_t before[FIGURES], int64_t *before_ns, struct spell_result *out)
{
    static const char *const counted[FIGURES][2] = {
        {"feed", "published"}, {"strategy", "evaluations"}, {"risk", "decisions"}};
    double row[TRACK_COLUMNS_MAX];
    uint32_t n = 0;
    long rss = 0;
    (void)load_ask(&w->load, ASK_MS);
    int64_t mono_ns = clock_mono_ns();
    double seconds = (double)(mono_ns - *before_ns) / (double)NS_PER_SEC;
    bool burst = in_burst(w, mono_ns), wholly = burst == in_burst(w, *before_ns);
    row[n++] = (double)(mono_ns - w->begin_mono_ns) / (double)NS_PER_SEC;
    row[n++] = burst;
    for (int i = 0; i < FIGURES; i++) {
        int64_t count = load_figure(&w->load, counted[i][0], counted[i][1]);
        row[n++] = (double)(count - before[i]) / seconds;
        if (wholly)
            w->sum[burst][i] += (double)(count - before[i]);
        before[i] = count;
    }
    w->seconds[burst] += wholly ? seconds : 0;
    *before_ns = mono_ns;
    for (int i = 0; i < LOAD_QUEUES; i++) {
        int64_t depth = load_queue(&w->load, i);
        row[n++] = (double)depth;
        out->queue_end[i] = depth;
        if (depth > out->queue_max[i])
            out->queue_max[i] = depth;
    }
    for (int i = 0; i < w->load.services.n; i++)
        rss += load_size(w->load.service_pid[i]).rss;
    row[n++] = (double)rss;
    if (rss > out->rss_max_kb)
        out->rss_max_kb = rss;
    if (!out->rss_calm_kb)
        out->rss_calm_kb = rss;
    (void)track_row(&w->track, row);
}

static int watch(struct watching *w, struct spell_result *out, char error[LOAD_ERROR_MAX])
{
    int64_t base[LOAD_DROPS], before[FIGURES] = {0}, before_ns;
    char path[RUN_PATH_MAX + 32];
    static const char *const names[] = {"seconds", "burst", "rate.ticks", "rate.evaluations",
                                        "rate.decisions"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)track_column(&w->track, names[i]);
    for (int i = 0; i < LOAD_QUEUES; i++)
        (void)track_column(&w->track, load_queue_name(i));
    (void)track_column(&w->track, "rss_kb.all");
    load_wait_until(&w->load, clock_mono_ns() + SETTLE_S * NS_PER_SEC);
    (void)snprintf(path, sizeof path, "%s/series.csv", w->load.output);
    if (!read_clock(w) || track_begin(&w->track, path) != OK) {
        (void)snprintf(error, LOAD_ERROR_MAX, "feed.clock cannot be read, or %.300s not written", path);
        return E_IO;
    }
    w->begin_mono_ns = before_ns = clock_mono_ns();
    (void)load_ask(&w->load, ASK_MS);
    for (int i = 0; i < LOAD_DROPS; i++)
        base[i] = load_drop(&w->load, i);
    w->end_mono_ns = w->begin_mono_ns + w->spell->seconds * NS_PER_SEC;
    note(w, before, &before_ns, out);
    memset(w->sum, 0, sizeof w->sum);
    memset(w->seconds, 0, sizeof w->seconds);
    for (int64_t at = w->begin_mono_ns; at < w->end_mono_ns && load_runs(&w->load);
         at += SAMPLE_MS * NS_PER_MS) {
        load_wait_until(&w->load, at + SAMPLE_MS * NS_PER_MS);
        note(w, before, &before_ns, out);
    }
    for (int i = 0; i < LOAD_DROPS; i++)
        out->dropped[i] = load_drop(&w->load, i) - base[i];
    return OK;
}

/* ---- what it was ------------------------------------------------------------------------------------ */

static double due_age_us(const struct watching *w, const struct verdict_seen *v)
{
    return (double)(market_of(w, v->mono_ns) - v->venue_time) / 1000;
}

static double received_age_us(const struct watching *w, const struct verdict_seen *v)
{
    (void)w;
    return (double)(v->mono_ns - v->recv_mono) / 1000;
}

static int by_time(const void *a, const void *b)
{
    const struct verdict_seen *l = a, *r = b;
    return (l->mono_ns > r->mono_ns) - (l->mono_ns < r->mono_ns);
}

/* Of the verdicts in calm or in bursts; part 0: all, 1 and 2: the first and second half of each burst. */
static struct ages ages_of(const struct watching *w, bool burst, int part,
                           double (*age)(const struct watching *, const struct verdict_seen *), double *room,
                           uint64_t *count)
{
    size_t n = 0;
    struct ages a = {0};
    int64_t every_ns = w->spell->every_ms * NS_PER_MS, half_ns = w->spell->burst_ms * NS_PER_MS / 2;
    for (size_t i = 0; i < w->n_seen; i++) {
        const struct verdict_seen *v = &w->seen[i];
        if (v->mono_ns < w->begin_mono_ns || in_burst(w, v->mono_ns) != burst)
            continue;
        if (part && (market_of(w, v->mono_ns) % every_ns < half_ns) != (part == 1))
            continue;
        room[n++] = age(w, v);
    }
    if (count)
        *count = n;
    if (n > 0) {
        a.p50 = quantile_of(room, n, 0.5);
        a.p99 = quantile_of(room, n, 0.99);
        a.max = room[n - 1];
    }
    return a;
}

/* Of the burst that ended at this market time: when verdicts were on time again, and stayed so for a while. */
static int64_t recovered_after_ns(const struct watching *w, int64_t end_ns, double late_us)
{
    int64_t late_at_ns = 0;
    for (size_t i = 0; i < w->n_seen; i++) {
        int64_t behind_ns = market_of(w, w->seen[i].mono_ns) - end_ns;
        if (behind_ns < 0 || due_age_us(w, &w->seen[i]) <= late_us)
            continue;
        if (behind_ns - late_at_ns > STAYS_MS * NS_PER_MS)
            break;
        late_at_ns = behind_ns;
    }
    return late_at_ns;
}

/* The worst of all bursts whose end was seen. */
static double recovery_ms(const struct watching *w, double late_us)
{
    int64_t every_ns = w->spell->every_ms * NS_PER_MS, worst_ns = 0;
    if (w->spell->factor <= 1)
        return 0;
    int64_t begin_ns = market_of(w, w->begin_mono_ns), end_ns = market_of(w, w->end_mono_ns);
    int64_t first_ns = begin_ns - begin_ns % every_ns + w->spell->burst_ms * NS_PER_MS;
    for (int64_t at_ns = first_ns; at_ns < end_ns; at_ns += every_ns) {
        int64_t ns = at_ns > begin_ns ? recovered_after_ns(w, at_ns, late_us) : 0;
        worst_ns = ns > worst_ns ? ns : worst_ns;
    }
    return (double)worst_ns / 1e6;
}

static double longest_gap_ms(const struct watching *w)
{
    int64_t worst_ns = 0;
    for (size_t i = 1; i < w->n_seen; i++) {
        int64_t gap_ns = w->seen[i].mono_ns - w->seen[i - 1].mono_ns;
        if (w->seen[i - 1].mono_ns >= w->begin_mono_ns && in_burst(w, w->seen[i].mono_ns) &&
            gap_ns > worst_ns)
            worst_ns = gap_ns;
    }
    return (double)worst_ns / 1e6;
}

static void because(struct spell_result *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void because(struct spell_result *r, const char *format, ...)
{
    va_list arguments;
    r->passed = false;
    if (r->n_reasons == OVERLOAD_REASONS_MAX)
        return;
    va_start(arguments, format);
    (void)vsnprintf(r->reason[r->n_reasons++], sizeof *r->reason, format, arguments);
    va_end(arguments);
}

static void judge(const struct spell *s, struct spell_result *r)
{
    r->passed = true;
    bool bursts = s->factor > 1;
    if (bursts && r->second_half_p99 > 2 * r->first_half_p99 + LATE_US)
        because(r, "the age grows while a burst lasts: p99 %.0f us in its first half, %.0f in its second",
                r->first_half_p99, r->second_half_p99);
    if (bursts && r->per_s[1] < r->per_s[0] / 2)
        because(r, "decisions do not keep coming: %.1f a second in bursts, %.1f between", r->per_s[1],
                r->per_s[0]);
    if (bursts && r->recovery_ms > RECOVERY_MS)
        because(r, "not back to normal until %.0f ms after a burst's end; expected at most %.0f",
                r->recovery_ms, RECOVERY_MS);
    for (int i = 0; i < LOAD_DROPS; i++)
        if (r->dropped[i] && strncmp(load_drop_name(i), "drop.market_", 12) != 0)
            because(r, "%s: %" PRId64 "; expected that nothing is dropped but market data", load_drop_name(i),
                    r->dropped[i]);
    if (!r->reconciled)
        because(r, "%s", r->ended);
}

static void conclude(struct watching *w, struct spell_result *r)
{
    double *room = calloc(w->n_seen + 1, sizeof *room);
    if (!room || w->n_seen == 0) {
        because(r, "no decision was made");
        free(room);
        return;
    }
    qsort(w->seen, w->n_seen, sizeof *w->seen, by_time);
    for (int burst = 0; burst < 2; burst++) {
        r->received[burst] = ages_of(w, burst, 0, received_age_us, room, &r->decisions[burst]);
        r->due[burst] = ages_of(w, burst, 0, due_age_us, room, NULL);
        double seconds = w->seconds[burst] > 0 ? w->seconds[burst] : 1;
        r->ticks_per_s[burst] = w->sum[burst][0] / seconds;
        r->evaluations_per_s[burst] = w->sum[burst][1] / seconds;
        r->per_s[burst] = w->sum[burst][2] / seconds;
    }
    r->first_half_p99 = ages_of(w, true, 1, due_age_us, room, NULL).p99;
    r->second_half_p99 = ages_of(w, true, 2, due_age_us, room, NULL).p99;
    double calm_us = 2 * r->due[0].p99;
    r->recovery_ms = recovery_ms(w, calm_us > LATE_US ? calm_us : LATE_US);
    r->longest_gap_ms = longest_gap_ms(w);
    r->order_p50 = (double)histogram_quantile(&w->order, 0.5) / 1000;
    r->order_p99 = (double)histogram_quantile(&w->order, 0.99) / 1000;
    free(room);
}

/* ---- the run ---------------------------------------------------------------------------------------- */

static int set(char *arguments[], int n, char text[64], const char *key, int64_t value)
{
    static char flag[] = "--set";
    (void)snprintf(text, 64, "%s=%" PRId64, key, value);
    arguments[n] = flag;
    arguments[n + 1] = text;
    return n + 2;
}

int spell_start(const struct spell *s, struct load *load, char error[LOAD_ERROR_MAX])
{
    const bool bursts = s->factor > 1;
    const struct {
        const char *key;
        int64_t value;
    } settings[] = {
        {"sim.symbols", OVERLOAD_SYMBOLS},
        {"sim.updates_per_s", s->rate < 2 * OVERLOAD_SYMBOLS ? 1 : s->rate / (2 * OVERLOAD_SYMBOLS)},
        {"sim.dislocations_per_min", DISLOCATIONS_PER_MIN},
        {"sim.burst_factor", bursts ? s->factor : 1},
        {"sim.burst_ms", bursts ? s->burst_ms : 0},
        {"sim.burst_every_ms", bursts ? s->every_ms : 1000}};
    enum { SETTINGS = sizeof settings / sizeof *settings };
    char *arguments[2 * SETTINGS + OVERLOAD_SETTINGS_MAX], text[SETTINGS][64], dir[RUN_PATH_MAX + 32];
    int n = 0;
    for (int i = 0; i < SETTINGS; i++)
        n = set(arguments, n, text[i], settings[i].key, settings[i].value);
    for (int i = 0; i < s->n_settings && i < OVERLOAD_SETTINGS_MAX; i++)
        arguments[n++] = s->settings[i];
    (void)snprintf(dir, sizeof dir, "%.1024s/%s", s->output, s->name);
    int status = load_output(load, dir, error);
    return status == OK ? load_start(load, arguments, n, error) : status;
}

int spell_run(const struct spell *spell, struct spell_result *out, char error[LOAD_ERROR_MAX])
{
    struct watching *w = calloc(1, sizeof *w);
    memset(out, 0, sizeof *out);
    (void)snprintf(error, LOAD_ERROR_MAX, "out of memory");
    if (!w)
        return E_FULL;
    w->spell = spell;
    int status = spell_start(spell, &w->load, error);
    if (status == OK)
        status = load_follow(&w->load, on_risk, on_exec, w, error);
    if (status == OK)
        status = watch(w, out, error);
    if (w->load.zmq)
        out->reconciled = load_stop(&w->load, out->ended);
    if (status == OK) {
        conclude(w, out);
        if (out->n_reasons == 0)
            judge(spell, out);
    }
    track_close(&w->track);
    free(w->seen);
    free(w);
    return status;
}
