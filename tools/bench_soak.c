/* `sluice bench soak`: the pipeline on the simulated market for a long time, looked at every second. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tools/bench.h"
#include "tools/bench_load.h"
#include "tools/bench_soak_plot.h"
#include "tools/bench_track.h"
#include "tools/bench_verdict.h"
#include "tools/verb.h"

static const char usage[] =
    "usage: sluice bench soak [--minutes M] [--symbols N] [--output DIR] [options]\n"
    "       sluice bench soak --from DIR\n"
    "\n"
    "Runs the pipeline, trading on the simulated market, and notes once a second of each process its memory "
    "and "
    "descriptors, and\n"
    "of the whole its queues, drops, rates, and the time from tick to order in that second. Ends with the "
    "slope of each "
    "figure,\n"
    "its 95 % interval and a verdict; writes series.csv, soak.json, soak.svg (memory), soak-latency.svg and "
    "soak-queues.svg.\n"
    "\n"
    "  --minutes M      how long; default 60, behind the warm-up\n"
    "  --seconds S      the same in seconds\n"
    "  --warm-up S      seconds at the beginning that do not count; default 120, at most a third of the "
    "whole\n"
    "  --symbols N      simulated symbols at each of the two venues; default 50\n"
    "  --set KEY=VALUE  a setting of the run; may be repeated\n"
    "  --config FILE    settings of the run\n"
    "  --output DIR     default soak; the run itself is in DIR/run\n"
    "  --from DIR       nothing is run: verdict, JSON and plots are made again from DIR/series.csv\n"
    "\n"
    "exit codes: 0 passed, 1 not passed, 2 usage\n";

enum { ASK_MS = 800, TELL_EVERY_S = 60, MINUTES = 60, WARM_UP_S = 120, PATHS_MAX = RUN_PATH_MAX + 32 };

struct soak {
    struct load load;
    struct track track;
    char *argument[LOAD_ARGUMENTS_MAX];
    int n_arguments;
    const char *output, *from;
    char *symbols;
    int64_t seconds, warm_up_s;
    struct histogram order, all_orders; /* tick to order: of this second, and of all */
    int64_t dropped[LOAD_DROPS]; /* before the first row: while services come up, much is not there yet */
    int64_t before[8];           /* counts at the last row */
    int64_t mono_ns, begin_ns;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---- columns ---------------------------------------------------------------------------------------- */

/* Counted by one service, or by all whose names begin so; told as what came since the last row. */
static const struct {
    const char *column, *service, *figure;
} rates[] = {
    {"rate.ticks", "feed", "published"},     {"rate.evaluations", "strategy", "evaluations"},
    {"rate.decisions", "risk", "decisions"}, {"rate.orders", "exec", "orders"},
    {"rate.fills", "exec", "fills"},         {"rate.wakeups", "", "wakeups"},
};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void add_columns(struct soak *s)
{
    char name[TRACK_NAME_MAX];
    struct track *t = &s->track;
    (void)track_column(t, "seconds");
    for (int i = 0; i < s->load.services.n; i++) {
        static const char *const kinds[] = {"rss_kb", "anonymous_kb", "fds"};
        for (size_t k = 0; k < COUNT(kinds); k++) {
            (void)snprintf(name, sizeof name, "%s.%s", kinds[k], s->load.name[i]);
            (void)track_column(t, name);
        }
    }
    (void)track_column(t, "p50_us");
    (void)track_column(t, "p99_us");
    for (size_t i = 0; i < COUNT(rates); i++)
        (void)track_column(t, rates[i].column);
    for (int i = 0; i < LOAD_QUEUES; i++)
        (void)track_column(t, load_queue_name(i));
    for (int i = 0; i < LOAD_DROPS; i++)
        (void)track_column(t, load_drop_name(i));
    (void)track_column(t, "silent");
}

static double since(int64_t now, int64_t *before, double seconds)
{
    double rate = seconds > 0 && now >= *before ? (double)(now - *before) / seconds : (double)NAN;
    *before = now;
    return rate;
}

static double known(long value)
{
    return value < 0 ? (double)NAN : (double)value;
}

/* Of this second; a second without an order has none. */
static double order_us(const struct soak *s, double q)
{
    return s->order.count ? (double)histogram_quantile(&s->order, q) / 1000 : (double)NAN;
}

static int note_row(struct soak *s)
{
    double row[TRACK_COLUMNS_MAX];
    struct load *load = &s->load;
    uint32_t n = 0;
    int silent = load_ask(load, ASK_MS);
    int64_t mono_ns = clock_mono_ns();
    double seconds = (double)(mono_ns - s->mono_ns) / (double)NS_PER_SEC;
    s->mono_ns = mono_ns;
    row[n++] = (double)(mono_ns - s->begin_ns) / (double)NS_PER_SEC;
    for (int i = 0; i < load->services.n && n + 3 < s->track.n_columns; i++) {
        struct process_size size = load_size(load->service_pid[i]);
        row[n++] = known(size.rss);
        row[n++] = known(size.anonymous);
        row[n++] = known(size.fds);
    }
    row[n++] = order_us(s, 0.5);
    row[n++] = order_us(s, 0.99);
    histogram_reset(&s->order);
    for (size_t i = 0; i < COUNT(rates); i++)
        row[n++] = since(load_figure(load, rates[i].service, rates[i].figure), &s->before[i], seconds);
    for (int i = 0; i < LOAD_QUEUES; i++)
        row[n++] = (double)load_queue(load, i);
    for (int i = 0; i < LOAD_DROPS; i++)
        row[n++] = (double)(load_drop(load, i) - s->dropped[i]);
    row[n++] = silent;
    return n == s->track.n_columns ? track_row(&s->track, row) : E_STATE;
}

static void on_exec(void *ctx, const struct message *m, struct now now)
{
    struct soak *s = ctx;
    int64_t ns = load_tick_to_order_ns(m);
    (void)now;
    if (ns < 0)
        return;
    histogram_record(&s->order, ns);
    histogram_record(&s->all_orders, ns);
}

/* ---- running ---------------------------------------------------------------------------------------- */

static void tell(const struct soak *s)
{
    const struct load *load = &s->load;
    size_t last = s->track.n_rows - 1;
    printf("%5.0f s | MB", track_at(&s->track, last, 0));
    for (int i = 0; i < load->services.n; i++)
        printf(" %s %.1f", load->name[i], track_at(&s->track, last, 1 + 3 * (uint32_t)i) / 1024);
    printf(" | orders %" PRId64 " fills %" PRId64 " | tick-to-order p50 %" PRId64 " p99 %" PRId64 " us\n",
           load_figure(load, "exec", "orders"), load_figure(load, "exec", "fills"),
           histogram_quantile(&s->all_orders, 0.5) / 1000, histogram_quantile(&s->all_orders, 0.99) / 1000);
    (void)fflush(stdout);
}

static void watch(struct soak *s)
{
    int64_t total_s = s->seconds + s->warm_up_s;
    s->begin_ns = s->mono_ns = clock_mono_ns();
    (void)load_ask(&s->load, ASK_MS);
    for (size_t i = 0; i < COUNT(rates); i++)
        s->before[i] = load_figure(&s->load, rates[i].service, rates[i].figure);
    for (int i = 0; i < LOAD_DROPS; i++)
        s->dropped[i] = load_drop(&s->load, i);
    for (int64_t second = 1; second <= total_s && !interrupted && load_runs(&s->load); second++) {
        load_wait_until(&s->load, s->begin_ns + second * NS_PER_SEC);
        if (note_row(s) != OK)
            return;
        if (second % TELL_EVERY_S == 0 || second == total_s)
            tell(s);
    }
}

static void note_machine(struct soak *s)
{
    char cpu[128];
    int processors;
    load_machine(cpu, &processors);
    track_note(&s->track, "machine", "%s, %d processors", cpu, processors);
    track_note(&s->track, "symbols", "%s", s->symbols);
    track_note(&s->track, "warm-up", "%" PRId64 " s", s->warm_up_s);
    for (int i = 0; i + 1 < s->n_arguments; i++)
        if (strcmp(s->argument[i], "--set") == 0) {
            char key[40];
            size_t len = strcspn(s->argument[i + 1], "=");
            (void)snprintf(key, sizeof key, "%.*s", (int)len, s->argument[i + 1]);
            track_note(&s->track, key, "%s", s->argument[i + 1] + len + (s->argument[i + 1][len] == '='));
        }
}

/* Verdict, JSON and plots of what is in the track. */
static int conclude(struct track *track, const char *output, double warm_up_s)
{
    static struct soak_verdict verdict;
    char path[PATHS_MAX];
    verdict_make(track, warm_up_s, &verdict);
    verdict_print(track, &verdict, stdout);
    (void)snprintf(path, sizeof path, "%s/soak.json", output);
    FILE *json = fopen(path, "we");
    if (json)
        verdict_json(track, &verdict, json);
    if (!json || fclose(json) != 0 || soak_plot(track, output) != OK) {
        (void)fprintf(stderr, "sluice: bench soak: %s: not all could be written\n", output);
        return EXIT_FAILED;
    }
    printf("\nwritten to %s: series.csv soak.json soak.svg soak-latency.svg soak-queues.svg\n", output);
    return verdict.passed ? EXIT_DONE : EXIT_FAILED;
}

static int soak(struct soak *s)
{
    char error[LOAD_ERROR_MAX], path[PATHS_MAX];
    int status = load_output(&s->load, s->output, error);
    if (status == OK)
        status = load_start(&s->load, s->argument, s->n_arguments, error);
    if (status == OK)
        status = load_follow(&s->load, NULL, on_exec, s, error);
    if (status != OK) {
        (void)fprintf(stderr, "sluice: bench soak: %s\n", error);
        if (s->load.pid > 0)
            (void)load_stop(&s->load, error);
        return EXIT_FAILED;
    }
    note_machine(s);
    add_columns(s);
    (void)snprintf(path, sizeof path, "%s/series.csv", s->load.output);
    if (track_begin(&s->track, path) == OK)
        watch(s);
    track_note(&s->track, "restarts", "%u", s->load.restarts);
    if (s->all_orders.count)
        track_note(&s->track, "tick to order of all orders",
                   "p50 %" PRId64 ", p99 %" PRId64 " us, %" PRIu64 " orders",
                   histogram_quantile(&s->all_orders, 0.5) / 1000,
                   histogram_quantile(&s->all_orders, 0.99) / 1000, s->all_orders.count);
    bool reconciled = load_stop(&s->load, error);
    track_note(&s->track, "ended", "%s", reconciled ? "reconciled" : error);
    return conclude(&s->track, s->load.output, (double)s->warm_up_s);
}

static int64_t whole(const char *flag, const char *text, int64_t min, int64_t max)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && value >= min && value <= max)
        return value;
    (void)fprintf(stderr,
                  "sluice: bench soak: %s: \"%s\"; expected a whole number from %" PRId64 " to %" PRId64 "\n",
                  flag, text, min, max);
    return -1;
}

static bool option_is(struct soak *s, int option, const char *flag)
{
    int64_t minutes;
    switch (option) {
    case 'm':
        minutes = whole("--minutes", optarg, 1, 100000);
        s->seconds = minutes * 60;
        return minutes > 0;
    case 's':
        return (s->seconds = whole("--seconds", optarg, 1, 6000000)) > 0;
    case 'w':
        return (s->warm_up_s = whole("--warm-up", optarg, 0, 100000)) >= 0;
    case 'n':
        s->symbols = optarg;
        return whole("--symbols", optarg, 1, 500) > 0;
    case 'o':
        s->output = optarg;
        return true;
    case 'f':
        s->from = optarg;
        return true;
    case 'S':
    case 'c':
        if (s->n_arguments + 2 <= LOAD_ARGUMENTS_MAX - 4) {
            s->argument[s->n_arguments++] = option == 'S' ? "--set" : "--config";
            s->argument[s->n_arguments++] = optarg;
            return true;
        }
        (void)fprintf(stderr, "sluice: bench soak: too many settings\n");
        return false;
    default:
        (void)fprintf(stderr, "sluice: bench soak: \"%s\": %s; see --help\n", flag,
                      option == ':' ? "its value is missing" : "unknown flag");
        return false;
    }
}

/* 0: go on; -1: help was printed. */
static int arguments(struct soak *s, int argc, char **argv)
{
    static const struct option options[] = {
        {"minutes", required_argument, NULL, 'm'}, {"seconds", required_argument, NULL, 's'},
        {"warm-up", required_argument, NULL, 'w'}, {"symbols", required_argument, NULL, 'n'},
        {"set", required_argument, NULL, 'S'},     {"config", required_argument, NULL, 'c'},
        {"output", required_argument, NULL, 'o'},  {"from", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},          {0}};
    static char symbols[] = "50";
    int option;
    *s = (struct soak){.output = "soak", .symbols = symbols, .seconds = MINUTES * 60, .warm_up_s = -1};
    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return -1;
        }
        if (!option_is(s, option, argv[optind - 1]))
            return EXIT_USAGE;
    }
    if (optind < argc) {
        (void)fprintf(stderr, "sluice: bench soak: \"%s\": unexpected argument; see --help\n", argv[optind]);
        return EXIT_USAGE;
    }
    if (s->warm_up_s < 0)
        s->warm_up_s = s->seconds / 2 < WARM_UP_S ? s->seconds / 2 : WARM_UP_S;
    s->argument[s->n_arguments++] = "--symbols";
    s->argument[s->n_arguments++] = s->symbols;
    return 0;
}

/* The warm-up is the one that was left out at the time. */
static int again(struct soak *s)
{
    char error[TRACK_ERROR_MAX], path[PATHS_MAX];
    (void)snprintf(path, sizeof path, "%.1024s/series.csv", s->from);
    if (track_read(&s->track, path, error) != OK) {
        (void)fprintf(stderr, "sluice: bench soak: %s\n", error);
        return EXIT_FAILED;
    }
    const char *warm_up = track_noted(&s->track, "warm-up");
    return conclude(&s->track, s->from, warm_up ? strtod(warm_up, NULL) : 0);
}

int bench_soak(int argc, char **argv)
{
    static struct soak s;
    int code = arguments(&s, argc, argv);
    if (code)
        return code < 0 ? EXIT_DONE : code;
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    code = s.from ? again(&s) : soak(&s);
    track_close(&s.track);
    return code;
}
