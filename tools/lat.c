/* `sluice lat`: where the time between a tick and its order goes. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/runtime/sockets.h"
#include "services/recorder/store_fill.h"
#include "tools/lat_read.h"
#include "tools/run_dir.h"
#include "tools/verb.h"

static const char usage[] = "usage: sluice lat [--dir RUN] [--seconds S] [--every S] [options]\n"
                            "       sluice lat --from RUN [options]\n"
                            "\n"
                            "Prints the hops between the receipt of a tick and the fill of its order: p50, "
                            "p90, p99, p99.9, greatest and\n"
                            "count of each, in us; time within a process apart from time between processes. "
                            "Without --from it listens to a\n"
                            "running pipeline, as a tap does, and counts from then on; with it, it reads all "
                            "of a run from its database.\n"
                            "\n"
                            "  --dir RUN      run directory; default the newest below runs/\n"
                            "  --seconds S    listen for S seconds, print, end; default until interrupted\n"
                            "  --every S      while listening print all so far every S seconds; default 2 "
                            "where --seconds is not given\n"
                            "  --from RUN     run directory, or the id of a run below runs/\n"
                            "  --by WHAT      venue, route or worker: the same for each of them, too\n"
                            "  --json         one JSON object a print, on one line, in ns\n"
                            "  --svg FILE     draw the waterfall there at the end\n"
                            "\n"
                            "docs/latency.md says what each hop is.\n"
                            "\n"
                            "exit codes: 0 done, 1 nothing to measure or something cannot be written, 2 "
                            "usage, 3 the run's config.yaml is wrong,\n"
                            "4 there is no such run, nobody publishes, or its database cannot be reached\n";

#define WONDER_NS (3 * NS_PER_SEC)

struct lat_options {
    const char *dir, *from, *svg;
    char svg_path[RUN_PATH_MAX]; /* absolute: the run's directory is entered before it is written */
    long seconds, every;
    enum lat_by by;
    bool json;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static int fail(int code, const char *words)
{
    (void)fprintf(stderr, "sluice lat: %s\n", words);
    return code;
}

/* ---- arguments ------------------------------------------------------------------------------------------- */

static bool whole_number(const char *flag, const char *text, long *out)
{
    char *end;
    errno = 0;
    *out = strtol(text, &end, 10);
    if (errno == 0 && *end == '\0' && end != text && *out > 0 && *out < 10000000)
        return true;
    (void)fprintf(stderr, "sluice lat: %s: \"%s\"; expected a whole number above 0\n", flag, text);
    return false;
}

static bool grouping(const char *text, enum lat_by *out)
{
    for (int by = BY_VENUE; by <= BY_WORKER; by++)
        if (strcmp(text, lat_by_text((enum lat_by)by)) == 0) {
            *out = (enum lat_by)by;
            return true;
        }
    (void)fprintf(stderr, "sluice lat: --by: \"%s\"; expected venue, route or worker\n", text);
    return false;
}

static bool absolute(const char *file, char out[RUN_PATH_MAX])
{
    char here[RUN_PATH_MAX];
    bool fits = *file == '/' ? snprintf(out, RUN_PATH_MAX, "%s", file) < RUN_PATH_MAX
                             : getcwd(here, sizeof here) &&
                                   snprintf(out, RUN_PATH_MAX, "%s/%s", here, file) < RUN_PATH_MAX;
    if (!fits)
        (void)fprintf(stderr, "sluice lat: --svg: the path of \"%.80s\" is too long\n", file);
    return fits;
}

static bool take_option(struct lat_options *o, int option, const char *value)
{
    switch (option) {
    case 'd':
        o->dir = value;
        return true;
    case 'f':
        o->from = value;
        return true;
    case 'j':
        return o->json = true;
    case 'v':
        o->svg = value;
        return absolute(value, o->svg_path);
    case 's':
        return whole_number("--seconds", value, &o->seconds);
    case 'e':
        return whole_number("--every", value, &o->every);
    case 'b':
        return grouping(value, &o->by);
    default:
        return false;
    }
}

static int arguments(struct lat_options *o, int argc, char **argv)
{
    static const struct option options[] = {{"dir", required_argument, NULL, 'd'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {"from", required_argument, NULL, 'f'},
                                            {"every", required_argument, NULL, 'e'},
                                            {"by", required_argument, NULL, 'b'},
                                            {"svg", required_argument, NULL, 'v'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return -1;
        }
        if (!take_option(o, option, optarg))
            return EXIT_USAGE;
    }
    if (optind < argc) {
        (void)fprintf(stderr, "sluice lat: \"%s\" is not expected; see sluice lat --help\n", argv[optind]);
        return EXIT_USAGE;
    }
    if (o->from && (o->dir || o->seconds || o->every))
        return fail(EXIT_USAGE,
                    "--from reads what was recorded: --dir, --seconds and --every do not go with it");
    return 0;
}

/* ---- the run --------------------------------------------------------------------------------------------- */

/* Into the directory of that name, or the run below runs/ of that id. */
static int enter(const char *run, char error[RUN_ERROR_MAX])
{
    char below[RUN_PATH_MAX];
    bool there = access(run, F_OK) == 0;
    if (!there && !strchr(run, '/') && snprintf(below, sizeof below, "runs/%s", run) < RUN_PATH_MAX &&
        access(below, F_OK) == 0)
        return run_dir_enter(below, error);
    int status = run_dir_enter(run, error);
    if (status && !there && !strchr(run, '/'))
        (void)snprintf(error, RUN_ERROR_MAX, "%.200s: no such directory, and no such run below runs/", run);
    return status;
}

static int read_settings(struct waterfall *w)
{
    char error[CONFIG_ERROR_MAX];
    struct config *config = malloc(sizeof *config);
    if (!config)
        return fail(EXIT_FAILED, "out of memory");
    config_defaults(config);
    int status = config_load(config, "config.yaml", error);
    bool as_time_goes = strcmp(config->feed.source, "replay") != 0 || strcmp(config->feed.speed, "1") == 0;
    if (status == OK) {
        w->paper = strcmp(config->run.mode, "paper") == 0;
        w->paper_latency_ns = w->paper && as_time_goes ? config->paper.latency_us * NS_PER_US : -1;
    }
    free(config);
    if (status)
        return fail(EXIT_CONFIG, error);
    return run_id_read(w->run) == OK ? 0 : fail(EXIT_UNREACHABLE, "run_id: cannot be read");
}

/* ---- telling --------------------------------------------------------------------------------------------- */

static bool print(const struct lat_options *o, const struct waterfall *w)
{
    if (o->json)
        waterfall_write_json(w, stdout);
    else
        waterfall_write_text(w, stdout);
    return fflush(stdout) == 0;
}

static int finish(const struct lat_options *o, const struct waterfall *w, bool printed)
{
    if (!printed && !print(o, w))
        return fail(EXIT_FAILED, "what was counted cannot be printed");
    if (o->svg && waterfall_write_svg(w, o->svg_path) != OK) {
        (void)fprintf(stderr, "sluice lat: --svg: %s: %s\n", o->svg_path, strerror(errno));
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

/* ---- live ------------------------------------------------------------------------------------------------ */

static bool somebody_is_there(void)
{
    static const char *const sockets[][2] = {{"risk", "ledger"}, {"exec", "ledger"}, {"feed", "market"}};
    for (int i = 0; i < 3; i++) {
        char endpoint[ENDPOINT_MAX];
        endpoint_make(sockets[i][0], sockets[i][1], endpoint);
        if (!endpoint_answers(endpoint)) {
            (void)fprintf(
                stderr, "sluice lat: nobody publishes at %s; expected a pipeline that runs, or --from RUN\n",
                endpoint);
            return false;
        }
    }
    return true;
}

static int listen_to_it(const struct lat_options *o, struct waterfall *w, struct lat_live *live)
{
    int64_t begin_ns = clock_mono_ns(), print_ns = begin_ns, now_ns = begin_ns;
    int64_t every_ns = (o->every ? o->every : o->seconds ? 0 : 2) * NS_PER_SEC;
    bool printed = false, wondered = false;
    while (!interrupted && !(o->seconds && now_ns - begin_ns >= o->seconds * NS_PER_SEC)) {
        lat_live_listen(live, 50);
        now_ns = clock_mono_ns();
        printed = false;
        if (every_ns && now_ns - print_ns >= every_ns) {
            print_ns = now_ns;
            printed = true;
            if (!print(o, w))
                return EXIT_FAILED;
        }
        if (!wondered && now_ns - begin_ns >= WONDER_NS && !lat_live_heard(live)) {
            wondered = true;
            if (!somebody_is_there())
                return EXIT_UNREACHABLE;
        }
    }
    if (lat_live_dropped(live))
        (void)fprintf(stderr, "sluice lat: %" PRIu64 " messages could not be read\n", lat_live_dropped(live));
    if (!lat_live_heard(live))
        return fail(EXIT_UNREACHABLE, "risk and exec were not heard");
    int code = finish(o, w, printed);
    if (code == EXIT_DONE && waterfall_is_empty(w))
        return fail(EXIT_FAILED, "there was no decision and no order while it listened: nothing to measure");
    return code;
}

static int lat_now(const struct lat_options *o, struct waterfall *w)
{
    char error[RUN_ERROR_MAX];
    struct lat_live *live;
    if ((o->dir ? enter(o->dir, error) : run_dir_enter_newest(error)) != OK)
        return fail(EXIT_UNREACHABLE, error);
    int code = read_settings(w);
    if (code)
        return code;
    if (!somebody_is_there())
        return EXIT_UNREACHABLE;
    w->source = "live";
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (lat_live_open(w, &live, error) != OK)
        return fail(EXIT_UNREACHABLE, error);
    code = listen_to_it(o, w, live);
    lat_live_close(&live);
    return code;
}

/* ---- from the database ------------------------------------------------------------------------------------- */

static int lat_then(const struct lat_options *o, struct waterfall *w)
{
    char error[RUN_ERROR_MAX];
    struct store *store = NULL;
    if (enter(o->from, error) != OK)
        return fail(EXIT_UNREACHABLE, error);
    int code = read_settings(w);
    if (code)
        return code;
    w->source = "database";
    int status = store_open_run(false, &store, error);
    if (status == OK)
        status = lat_from_store(w, store, error);
    store_close(&store);
    if (status)
        return fail(status == E_ABSENT || status == E_IO ? EXIT_UNREACHABLE : EXIT_FAILED, error);
    if (waterfall_is_empty(w)) {
        (void)fprintf(stderr,
                      "sluice lat: run %s has no decision and no order in its database: nothing to measure\n",
                      w->run);
        return EXIT_FAILED;
    }
    return finish(o, w, false);
}

int verb_lat(int argc, char **argv)
{
    struct lat_options o = {.by = BY_NOTHING};
    int code = arguments(&o, argc, argv);
    if (code)
        return code < 0 ? EXIT_DONE : code;
    struct waterfall *w = waterfall_new(o.by);
    if (!w)
        return fail(EXIT_FAILED, "out of memory");
    code = o.from ? lat_then(&o, w) : lat_now(&o, w);
    waterfall_destroy(&w);
    return code;
}
