/* `sluice bench overload`: more ticks than can be borne, and listeners that mean no good. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "tools/bench.h"
#include "tools/bench_overload.h"
#include "tools/drawing.h"
#include "tools/verb.h"

static const char usage[] =
    "usage: sluice bench overload [--rate R] [--seconds S] [--factors 1,2,5,10] [--json] [--output DIR]\n"
    "       sluice bench overload --tap slow,stopped,hostile [--pairs N] [--span-ms MS] [--rate R]\n"
    "\n"
    "Offers the pipeline, trading on the simulated market, so many times the ticks that it sustains: "
    "steadily for S "
    "seconds, and\n"
    "in bursts of a second, with calm in between. Tells how old what was decided on is, what is dropped, "
    "what waits, and "
    "when it is\n"
    "back to normal. With --tap: what a listener does to the time from tick to order, in spans without and "
    "with it, in "
    "turn; it is\n"
    "held to a tenth of a processor by being stopped and continued.\n"
    "\n"
    "  --rate R         ticks a second that are borne; 0 (default): found first, as the highest rate with "
    "nothing lost "
    "and a p99\n"
    "                   from tick to order under 10 ms for 10 s. With --tap: of the run; default 1000\n"
    "  --seconds S      length of the steady overload; default 10\n"
    "  --factors LIST   how many times as many; default 1,2,5,10\n"
    "  --tap LIST       slow, stopped, hostile; busy listens to nothing, but takes as much of a processor\n"
    "  --pairs N        default 15\n"
    "  --span-ms MS     length of a span; default 5000\n"
    "  --set KEY=VALUE  a setting of the runs; may be repeated\n"
    "  --output DIR     default overload; the runs are below it\n"
    "  --json           as JSON\n"
    "\n"
    "exit codes: 0 all passed, 1 not, 2 usage\n";

enum { FACTORS_MAX = 16, SPELLS_MAX = 2 * FACTORS_MAX, RATE_FIRST = 2000, RATE_MAX = 256000, NAMES = 32 };
enum { SEARCH_S = 10, SEARCH_BISECTIONS = 2, LEAD_MS = 5500, BURST_MS = 1000, CALM_MS = 3000, TAIL_S = 4 };

#define SUSTAINED_P99_US 10000.0
#define TAP_GOAL         1.10

struct wish {
    char output[RUN_PATH_MAX];
    const char *output_given, *taps, *be_tap;
    int64_t rate, seconds, pairs, span_ms;
    int64_t factor[FACTORS_MAX];
    int n_factors;
    bool json;
    char *setting[OVERLOAD_SETTINGS_MAX];
    int n_settings;
};

/* ---- spells ----------------------------------------------------------------------------------------- */

static struct spell spell_of(const struct wish *wish, const char *name, int64_t rate)
{
    return (struct spell){.name = name,
                          .output = wish->output,
                          .rate = rate,
                          .factor = 1,
                          .seconds = SEARCH_S,
                          .settings = wish->setting,
                          .n_settings = wish->n_settings};
}

/* Bursts begin at multiples of a time in UTC: the one between least and twice that, of which a multiple comes when a run
 * that is started now has settled. */
static int64_t every_ms_for(int64_t least_ms)
{
    int64_t begin_ms = clock_utc_ns() / NS_PER_MS + LEAD_MS, best = least_ms;
    for (int64_t every = least_ms; every < 2 * least_ms; every++)
        if (begin_ms % every < begin_ms % best)
            best = every;
    return best;
}

static bool sustained(const struct wish *wish, int64_t rate)
{
    struct spell_result r;
    char name[NAMES], error[LOAD_ERROR_MAX];
    (void)snprintf(name, sizeof name, "search-%" PRId64, rate);
    struct spell spell = spell_of(wish, name, rate);
    if (spell_run(&spell, &r, error) != OK) {
        (void)fprintf(stderr, "sluice: bench overload: %s\n", error);
        return false;
    }
    bool ok = r.passed && r.order_p99 < SUSTAINED_P99_US && r.due[0].p99 < SUSTAINED_P99_US;
    for (int i = 0; i < LOAD_DROPS; i++)
        ok = ok && r.dropped[i] == 0;
    if (!wish->json)
        printf("%" PRId64 " ticks/s: tick to order p50 %.0f p99 %.0f us, lost %" PRId64 ": %s\n", rate,
               r.order_p50, r.order_p99, r.dropped[0], ok ? "borne" : "not borne");
    (void)fflush(stdout);
    return ok;
}

/* 0: not even the first. */
static int64_t find_rate(const struct wish *wish)
{
    int64_t low = 0, high = RATE_FIRST;
    while (high <= RATE_MAX && sustained(wish, high)) {
        low = high;
        high *= 2;
    }
    for (int i = 0; i < SEARCH_BISECTIONS && low > 0 && high <= RATE_MAX; i++) {
        int64_t middle = (low + high) / 2;
        if (sustained(wish, middle))
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* ---- telling ---------------------------------------------------------------------------------------- */

static const char *const when[2] = {"calm", "burst"};

static void print_result(const struct spell *s, const struct spell_result *r)
{
    printf("\n%s: %" PRId64 " ticks/s", s->name, s->rate);
    if (s->factor > 1)
        printf(", in bursts of %.1f s %" PRId64, (double)s->burst_ms / 1000, s->rate * s->factor);
    printf("\n");
    for (int i = 0; i < 2 && (i == 0 || s->factor > 1); i++)
        printf("  %-5s  published %.0f/s evaluations %.0f/s decisions %.1f/s | age at decision, us: since "
               "receipt p50 %.0f "
               "p99 %.0f max %.0f, since due p50 %.0f p99 %.0f max %.0f\n",
               when[i], r->ticks_per_s[i], r->evaluations_per_s[i], r->per_s[i], r->received[i].p50,
               r->received[i].p99, r->received[i].max, r->due[i].p50, r->due[i].p99, r->due[i].max);
    printf("  tick to order p50 %.0f p99 %.0f us | memory of all %.1f MB, at most %.1f", r->order_p50,
           r->order_p99, (double)r->rss_calm_kb / 1024, (double)r->rss_max_kb / 1024);
    if (s->factor > 1)
        printf(" | back to normal after %.0f ms | longest time without a decision in a burst %.0f ms",
               r->recovery_ms, r->longest_gap_ms);
    printf("\n  waiting at most (at the end):");
    for (int i = 0; i < LOAD_QUEUES; i++)
        if (r->queue_max[i])
            printf(" %s %" PRId64 " (%" PRId64 ")", load_queue_name(i) + strlen("queue."), r->queue_max[i],
                   r->queue_end[i]);
    printf("\n  dropped:");
    bool any = false;
    for (int i = 0; i < LOAD_DROPS; i++)
        if (r->dropped[i]) {
            printf(" %s %" PRId64, load_drop_name(i) + strlen("drop."), r->dropped[i]);
            any = true;
        }
    printf("%s | %s\n  %s\n", any ? "" : " nothing", r->ended, r->passed ? "PASSED" : "NOT PASSED");
    for (int i = 0; i < r->n_reasons; i++)
        printf("    %s\n", r->reason[i]);
    (void)fflush(stdout);
}

static void json_ages(const char *name, const struct ages *a)
{
    printf(", \"%s\": {\"p50\": %.1f, \"p99\": %.1f, \"max\": %.1f}", name, a->p50, a->p99, a->max);
}

static void json_result(const struct spell *s, const struct spell_result *r, bool first)
{
    printf("%s\n{\"name\": \"%s\", \"rate\": %" PRId64 ", \"factor\": %" PRId64 ", \"burst_ms\": %" PRId64,
           first ? "" : ",", s->name, s->rate, s->factor, s->factor > 1 ? s->burst_ms : 0);
    for (int i = 0; i < 2 && (i == 0 || s->factor > 1); i++) {
        printf(", \"%s\": {\"decisions\": %" PRIu64
               ", \"decisions_per_s\": %.2f, \"published_per_s\": %.1f, \"evaluations_per_s\": %.1f",
               when[i], r->decisions[i], r->per_s[i], r->ticks_per_s[i], r->evaluations_per_s[i]);
        json_ages("age_us", &r->received[i]);
        json_ages("age_since_due_us", &r->due[i]);
        printf("}");
    }
    printf(", \"tick_to_order_us\": {\"p50\": %.1f, \"p99\": %.1f}, \"recovery_ms\": %.1f, "
           "\"longest_gap_ms\": %.1f, "
           "\"memory_kb\": %ld, \"memory_max_kb\": %ld, \"queues\": {",
           r->order_p50, r->order_p99, r->recovery_ms, r->longest_gap_ms, r->rss_calm_kb, r->rss_max_kb);
    for (int i = 0; i < LOAD_QUEUES; i++)
        printf("%s\"%s\": {\"max\": %" PRId64 ", \"end\": %" PRId64 "}", i ? ", " : "",
               load_queue_name(i) + strlen("queue."), r->queue_max[i], r->queue_end[i]);
    printf("}, \"dropped\": {");
    for (int i = 0; i < LOAD_DROPS; i++)
        printf("%s\"%s\": %" PRId64, i ? ", " : "", load_drop_name(i) + strlen("drop."), r->dropped[i]);
    printf("}, \"reconciled\": %s, \"passed\": %s, \"reasons\": [", r->reconciled ? "true" : "false",
           r->passed ? "true" : "false");
    for (int i = 0; i < r->n_reasons; i++)
        printf("%s\"%s\"", i ? ", " : "", r->reason[i]);
    printf("]}");
    (void)fflush(stdout);
}

/* ---- all factors ------------------------------------------------------------------------------------ */

struct drawn {
    double x[2][FACTORS_MAX], y[2][FACTORS_MAX];
    size_t n[2];
};

static int draw(const struct wish *wish, const struct drawn *d)
{
    char path[RUN_PATH_MAX + 32];
    const struct series series[2] = {
        {.name = "steadily", .x = d->x[0], .y = d->y[0], .n = d->n[0]},
        {.name = "in bursts of a second", .x = d->x[1], .y = d->y[1], .n = d->n[1]},
    };
    const struct chart chart = {.title = "Age at decision, p99",
                                .x_label = "times the rate that is borne",
                                .y_label = "us since the tick was due",
                                .log_x = true,
                                .log_y = true,
                                .series = series,
                                .n_series = 2};
    (void)snprintf(path, sizeof path, "%s/overload.svg", wish->output);
    return chart_write(path, &chart);
}

static bool run_spell(const struct wish *wish, int64_t factor, bool bursts, struct drawn *d, bool first)
{
    struct spell_result r;
    char name[NAMES], error[LOAD_ERROR_MAX];
    (void)snprintf(name, sizeof name, "x%" PRId64 "-%s", factor, bursts ? "bursts" : "steady");
    struct spell spell = spell_of(wish, name, wish->rate);
    spell.factor = factor;
    spell.burst_ms = bursts ? BURST_MS : wish->seconds * 1000;
    spell.every_ms = every_ms_for(bursts ? BURST_MS + CALM_MS : 2 * wish->seconds * 1000);
    spell.seconds = factor == 1 ? wish->seconds : (bursts ? 2 : 1) * wish->seconds + LEAD_MS / 1000 + TAIL_S;
    if (spell_run(&spell, &r, error) != OK) {
        (void)fprintf(stderr, "sluice: bench overload: %s: %s\n", name, error);
        return false;
    }
    d->x[bursts][d->n[bursts]] = (double)factor;
    d->y[bursts][d->n[bursts]++] = r.due[factor > 1].p99;
    if (wish->json)
        json_result(&spell, &r, first);
    else
        print_result(&spell, &r);
    return r.passed;
}

static int overload(struct wish *wish)
{
    static struct drawn drawn;
    bool passed = true;
    if (wish->rate == 0 && (wish->rate = find_rate(wish)) == 0) {
        (void)fprintf(stderr, "sluice: bench overload: not even %d ticks/s are borne; give a --rate\n",
                      RATE_FIRST);
        return EXIT_FAILED;
    }
    if (wish->json)
        printf("{\"rate\": %" PRId64 ", \"cases\": [", wish->rate);
    for (int i = 0; i < wish->n_factors; i++)
        for (int bursts = 0; bursts < (wish->factor[i] > 1 ? 2 : 1); bursts++)
            passed = run_spell(wish, wish->factor[i], bursts, &drawn, i + bursts == 0) && passed;
    if (wish->json)
        printf("], \"passed\": %s}\n", passed ? "true" : "false");
    if (draw(wish, &drawn) != OK)
        (void)fprintf(stderr, "sluice: bench overload: %s/overload.svg cannot be written\n", wish->output);
    return passed ? EXIT_DONE : EXIT_FAILED;
}

/* ---- taps ------------------------------------------------------------------------------------------- */

static void tell_tap(const struct wish *wish, const struct tap_result *r, bool passed, bool first)
{
    if (wish->json)
        printf("%s\n{\"tap\": \"%s\", \"pairs\": %d, \"ratio\": %.4f, \"low\": %.4f, \"high\": %.4f, "
               "\"p99_without_us\": "
               "%.1f, \"p99_with_us\": %.1f, \"feed_kb_without\": %ld, \"feed_kb_with\": %ld, "
               "\"reconciled\": %s, "
               "\"passed\": %s}",
               first ? "" : ",", tap_name(r->kind), r->pairs, r->ratio.middle, r->ratio.low, r->ratio.high,
               r->without_p99, r->with_p99, r->feed_kb_without, r->feed_kb_with,
               r->reconciled ? "true" : "false", passed ? "true" : "false");
    else
        printf("%-8s %d pairs: p99 of tick to order %.0f us without, %.0f us with: ratio %.3f, 95 %% "
               "interval %.3f to %.3f | "
               "feed at most %.1f MB without, %.1f with | dropped %" PRId64 " market, %" PRId64
               " intents | %s\n",
               tap_name(r->kind), r->pairs, r->without_p99, r->with_p99, r->ratio.middle, r->ratio.low,
               r->ratio.high, (double)r->feed_kb_without / 1024, (double)r->feed_kb_with / 1024,
               r->dropped[0], r->dropped[5], passed ? "PASSED" : "NOT PASSED");
    (void)fflush(stdout);
}

static int taps(const struct wish *wish)
{
    bool all = true, first = true;
    if (wish->json)
        printf("{\"taps\": [");
    for (int kind = 0; kind < TAP_KINDS; kind++) {
        struct tap_result r;
        char name[NAMES], error[LOAD_ERROR_MAX];
        if (!strstr(wish->taps, tap_name((enum tap_kind)kind)))
            continue;
        (void)snprintf(name, sizeof name, "tap-%s", tap_name((enum tap_kind)kind));
        struct spell spell = spell_of(wish, name, wish->rate ? wish->rate : 1000);
        if (tap_pairs(&spell, (enum tap_kind)kind, (int)wish->pairs, wish->span_ms, &r, error) != OK) {
            (void)fprintf(stderr, "sluice: bench overload: %s: %s\n", name, error);
            all = false;
            continue;
        }
        bool passed = r.pairs == wish->pairs && r.reconciled && r.ratio.high < TAP_GOAL;
        tell_tap(wish, &r, passed, first);
        all = all && passed;
        first = false;
    }
    if (wish->json)
        printf("], \"passed\": %s}\n", all ? "true" : "false");
    return all ? EXIT_DONE : EXIT_FAILED;
}

/* ---- the verb --------------------------------------------------------------------------------------- */

static bool whole(const char *flag, const char *text, int64_t min, int64_t max, int64_t *out)
{
    char *end;
    errno = 0;
    *out = strtol(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && *out >= min && *out <= max)
        return true;
    (void)fprintf(stderr,
                  "sluice: bench overload: %s: \"%s\"; expected a whole number from %" PRId64 " to %" PRId64
                  "\n",
                  flag, text, min, max);
    return false;
}

static bool factors(struct wish *wish, char *text)
{
    char *at = text, *one;
    wish->n_factors = 0;
    while ((one = strsep(&at, ",")) != NULL) {
        if (wish->n_factors == FACTORS_MAX ||
            !whole("--factors", one, 1, 1000, &wish->factor[wish->n_factors]))
            return false;
        wish->n_factors++;
    }
    return true;
}

static bool known_taps(char *text)
{
    char copy[128], *at = copy, *one;
    (void)snprintf(copy, sizeof copy, "%s", text);
    while ((one = strsep(&at, ",")) != NULL) {
        int kind = 0;
        while (kind < TAP_KINDS && strcmp(one, tap_name((enum tap_kind)kind)) != 0)
            kind++;
        if (kind == TAP_KINDS) {
            (void)fprintf(stderr,
                          "sluice: bench overload: --tap: \"%s\"; expected slow, stopped, hostile or busy\n",
                          one);
            return false;
        }
    }
    return true;
}

static bool option_is(struct wish *w, int option, const char *flag)
{
    static char set[] = "--set";
    switch (option) {
    case 'r':
        return whole("--rate", optarg, 0, 10000 * 2 * OVERLOAD_SYMBOLS, &w->rate);
    case 's':
        return whole("--seconds", optarg, 1, 1700, &w->seconds);
    case 'p':
        return whole("--pairs", optarg, 1, 1000, &w->pairs);
    case 'm':
        return whole("--span-ms", optarg, 100, 3600000, &w->span_ms);
    case 'F':
        return factors(w, optarg);
    case 't':
        w->taps = optarg;
        return known_taps(optarg);
    case 'b':
        w->be_tap = optarg;
        return true;
    case 'j':
        w->json = true;
        return true;
    case 'o':
        w->output_given = optarg;
        return true;
    case 'S':
        if (w->n_settings + 2 > OVERLOAD_SETTINGS_MAX) {
            (void)fprintf(stderr, "sluice: bench overload: too many settings\n");
            return false;
        }
        w->setting[w->n_settings++] = set;
        w->setting[w->n_settings++] = optarg;
        return true;
    default:
        (void)fprintf(stderr, "sluice: bench overload: \"%s\": %s; see --help\n", flag,
                      option == ':' ? "its value is missing" : "unknown flag");
        return false;
    }
}

/* 0: go on; -1: help was printed. */
static int arguments(struct wish *w, int argc, char **argv)
{
    static const struct option options[] = {
        {"rate", required_argument, NULL, 'r'},    {"seconds", required_argument, NULL, 's'},
        {"factors", required_argument, NULL, 'F'}, {"tap", required_argument, NULL, 't'},
        {"pairs", required_argument, NULL, 'p'},   {"span-ms", required_argument, NULL, 'm'},
        {"set", required_argument, NULL, 'S'},     {"output", required_argument, NULL, 'o'},
        {"json", no_argument, NULL, 'j'},          {"be-tap", required_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},          {0}};
    int option;
    *w = (struct wish){.output_given = "overload",
                       .seconds = 10,
                       .pairs = 15,
                       .span_ms = 5000,
                       .factor = {1, 2, 5, 10},
                       .n_factors = 4};
    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return -1;
        }
        if (!option_is(w, option, argv[optind - 1]))
            return EXIT_USAGE;
    }
    if (optind == argc)
        return 0;
    (void)fprintf(stderr, "sluice: bench overload: \"%s\": unexpected argument; see --help\n", argv[optind]);
    return EXIT_USAGE;
}

int bench_overload(int argc, char **argv)
{
    static struct wish wish;
    int code = arguments(&wish, argc, argv);
    if (code)
        return code < 0 ? EXIT_DONE : code;
    if (wish.be_tap)
        return tap_be(wish.be_tap);
    (void)mkdir(wish.output_given, 0777);
    char *absolute = realpath(wish.output_given, NULL);
    if (!absolute || strlen(absolute) >= sizeof wish.output - NAMES) {
        (void)fprintf(stderr, "sluice: bench overload: %s: %s\n", wish.output_given,
                      absolute ? "too long" : strerror(errno));
        free(absolute);
        return EXIT_FAILED;
    }
    (void)snprintf(wish.output, sizeof wish.output, "%s", absolute);
    free(absolute);
    return wish.taps ? taps(&wish) : overload(&wish);
}
