#include "tools/run_options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/text.h"
#include "lib/market/symbol.h"
#include "services/feed/live.h"
#include "tools/market_capture.h"
#include "tools/verb.h"
#include "venues/player.h"

extern char **environ;

enum { STEPS_TO_FIRST_INSTRUMENT = 100000 };

static const struct option long_options[] = {{"config", required_argument, NULL, 'c'},
                                             {"dir", required_argument, NULL, 'd'},
                                             {"replay", required_argument, NULL, 'r'},
                                             {"instruments", required_argument, NULL, 'i'},
                                             {"set", required_argument, NULL, 's'},
                                             {"symbols", required_argument, NULL, 'n'},
                                             {"seed", required_argument, NULL, 'e'},
                                             {"speed", required_argument, NULL, 'x'},
                                             {"workers", required_argument, NULL, 'w'},
                                             {"routes", required_argument, NULL, 'p'},
                                             {"seconds", required_argument, NULL, 't'},
                                             {"evaluations", required_argument, NULL, 'v'},
                                             {"resume", no_argument, NULL, 'R'},
                                             {"help", no_argument, NULL, 'h'},
                                             {0}};

/* Flags that are settings under another name. */
static const struct {
    int option;
    const char *key;
} settings[] = {{'i', "feed.instruments"},
                {'n', "sim.symbols"},
                {'e', "sim.seed"},
                {'x', "feed.speed"},
                {'w', "strategy.workers"}};

static int count_flag(const char *flag, const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || *end || end == text || value < 1) {
        (void)fprintf(stderr, "sluice: %s: \"%s\" is not a count; expected a whole number above 0\n", flag,
                      text);
        return EXIT_USAGE;
    }
    *out = value;
    return 0;
}

static int add_replay(struct config *config, const char *path, char error[CONFIG_ERROR_MAX])
{
    char key[48];
    (void)snprintf(key, sizeof key, "recordings.%u.path", config->n_recordings);
    int status = config_set(config, key, path, error);
    return status ? status : config_set(config, "feed.source", "replay", error);
}

static int set_pair(struct config *config, const char *pair, char error[CONFIG_ERROR_MAX])
{
    char key[96];
    const char *equals = strchr(pair, '=');
    if (!equals || (size_t)(equals - pair) >= sizeof key) {
        (void)snprintf(error, CONFIG_ERROR_MAX, "--set \"%.200s\": expected section.key=value", pair);
        return E_SYNTAX;
    }
    memcpy(key, pair, (size_t)(equals - pair));
    key[equals - pair] = '\0';
    return config_set(config, key, equals + 1, error);
}

static int set_flag(struct config *config, int option, const char *value, char error[CONFIG_ERROR_MAX])
{
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (settings[i].option == option)
            return config_set(config, settings[i].key, value, error);
    return option == 'r' ? add_replay(config, value, error) : set_pair(config, value, error);
}

static int refuse(const char *error)
{
    (void)fprintf(stderr, "sluice: %s\n", error);
    return EXIT_CONFIG;
}

static int read_config_file(int argc, char **argv, struct config *config, char error[CONFIG_ERROR_MAX])
{
    int option;
    config_defaults(config);
    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1)
        if (option == 'c') {
            int status = config_load(config, optarg, error);
            if (status)
                return status;
        }
    return config_environment(config, environ, error);
}

static const char *expected_value(const char *flag)
{
    static const struct {
        const char *flag, *value;
    } values[] = {{"--config", "a file"},
                  {"--dir", "a directory"},
                  {"--replay", "a recording"},
                  {"--instruments", "a file"},
                  {"--set", "section.key=value"},
                  {"--speed", "a number, or max"},
                  {"--routes", "[N=]PREFIX[,PREFIX...]"}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (strcmp(values[i].flag, flag) == 0)
            return values[i].value;
    return "a whole number";
}

static int wrong_flag(const char *flag, bool bare)
{
    const char *names[sizeof long_options / sizeof *long_options] = {NULL};
    for (size_t i = 0; long_options[i].name; i++)
        names[i] = long_options[i].name;
    const char *near = strncmp(flag, "--", 2) == 0 ? text_nearest(flag + 2, names) : NULL;
    if (bare)
        (void)fprintf(stderr, "sluice: %s: its value is missing; expected %s behind it\n", flag,
                      expected_value(flag));
    else if (strncmp(flag, "--", 2) == 0 && strchr(flag, '='))
        (void)fprintf(stderr, "sluice: \"%s\": unknown flag, or one that takes no value; see --help\n", flag);
    else
        (void)fprintf(stderr, "sluice: \"%s\": unknown flag%s%s%s; see --help\n", flag,
                      near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
    return EXIT_USAGE;
}

static bool are_prefixes(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && text[0] != ',' && text[len - 1] != ',' && !strstr(text, ",,") &&
           len < sizeof((struct config *)0)->strategy.pinned;
}

/* --routes PREFIX[,PREFIX...] for all workers, --routes N=PREFIX[,PREFIX...] for one. */
static int pin(struct run_options *options, const char *text, char error[CONFIG_ERROR_MAX])
{
    struct config *config = &options->config;
    const char *equals = strchr(text, '='), *prefixes = equals ? equals + 1 : text;
    char name[24], key[48], *end = NULL;
    long number = equals ? strtol(text, &end, 10) : 0;
    if (!are_prefixes(prefixes) || (equals && (end != equals || end == text || number < 1 || number > 64))) {
        (void)snprintf(
            error, CONFIG_ERROR_MAX,
            "--routes \"%.200s\": expected [N=]PREFIX[,PREFIX...], N a worker's number from 1 to 64, "
            "the prefixes of routes' names at most 63 bytes",
            text);
        return E_SYNTAX;
    }
    if (!equals)
        return config_set(config, "strategy.pinned", prefixes, error);
    uint64_t bit = UINT64_C(1) << (number - 1);
    if (options->pinned_workers & bit) {
        (void)snprintf(
            error, CONFIG_ERROR_MAX,
            "--routes \"%.200s\": worker %ld was given routes already; expected one --routes with all "
            "its prefixes, separated by commas",
            text, number);
        return E_EXISTS;
    }
    options->pinned_workers |= bit;
    uint32_t i = 0;
    (void)snprintf(name, sizeof name, "strategy-%ld", number);
    while (i < config->n_pins && strcmp(config->pins[i].worker, name) != 0)
        i++;
    (void)snprintf(key, sizeof key, "pins.%u.worker", i);
    int status = config_set(config, key, name, error);
    (void)snprintf(key, sizeof key, "pins.%u.routes", i);
    return status == OK ? config_set(config, key, prefixes, error) : status;
}

int run_options_read(int argc, char **argv, const char *usage, struct run_options *options,
                     struct run_limits *limits)
{
    char error[CONFIG_ERROR_MAX];
    int option, code;
    memset(options, 0, sizeof *options);
    memset(limits, 0, sizeof *limits);
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            (void)fputs(usage, stdout);
            return -1;
        }
    if (read_config_file(argc, argv, &options->config, error) != OK)
        return refuse(error);
    optind = 1;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        code = 0;
        options->settings = options->settings || strchr("crinsexwp", option);
        if (option == '?' || option == ':')
            return wrong_flag(argv[optind - 1], option == ':');
        if (!options->live_only && (option == 'x' || option == 'w'))
            options->live_only = option == 'x' ? "--speed" : "--workers";
        if (option == 'd')
            (void)snprintf(options->dir, sizeof options->dir, "%s", optarg);
        else if (option == 'R')
            options->resume = true;
        else if (option == 't')
            code = count_flag("--seconds", optarg, &limits->seconds);
        else if (option == 'v')
            code = count_flag("--evaluations", optarg, &limits->evaluations);
        else if (option == 'p' && pin(options, optarg, error) != OK)
            return refuse(error);
        else if (option != 'c' && option != 'p' && set_flag(&options->config, option, optarg, error) != OK)
            return refuse(error);
        if (code)
            return code;
    }
    if (optind < argc) {
        (void)fprintf(stderr, "sluice: \"%s\": unexpected argument; see --help\n", argv[optind]);
        return EXIT_USAGE;
    }
    return 0;
}

static int make_absolute(char *path, size_t cap, char error[RUN_ERROR_MAX])
{
    char *absolute = *path ? realpath(path, NULL) : NULL;
    if (!*path)
        return OK;
    bool fits = absolute && strlen(absolute) < cap;
    if (fits)
        (void)snprintf(path, cap, "%s", absolute);
    else
        (void)snprintf(error, RUN_ERROR_MAX, "%.300s: %s", path,
                       absolute ? "the path is too long" : strerror(errno));
    free(absolute);
    return fits ? OK : E_IO;
}

static void note_quote(void *ctx, const struct venue_book *book)
{
    char *reporting = ctx;
    if (!*reporting)
        (void)text_set(reporting, 16, book->inst.quote);
}

/* Nothing is connected to here: what there is comes when the feed has been started. */
static int settle_live(struct config *config, char error[RUN_ERROR_MAX])
{
    struct inst inst;
    char symbol[32];
    int status = live_check(config, error);
    if (status || strcmp(config->run.reporting, "auto") != 0)
        return status;
    (void)live_next_symbol(config->venues[0].symbols, symbol);
    (void)symbol_read(symbol, &inst);
    return config_set(config, "run.reporting", inst.quote, error);
}

bool run_options_decoded(const struct config *config)
{
    return strcmp(config->feed.source, "replay") == 0 && config->n_recordings == 1 &&
           market_capture_is(config->recordings[0].path);
}

/* Its first book names the currency. */
static int settle_decoded(struct config *config, char error[RUN_ERROR_MAX])
{
    struct market_capture *capture;
    struct inst inst = {0};
    int status = market_capture_open(config->recordings[0].path, &capture, error, RUN_ERROR_MAX);
    if (status)
        return status;
    const struct message *m = market_capture_take(capture);
    const char *symbol = m->env.type == MSG_INST   ? m->inst.symbol
                         : m->env.type == MSG_BOOK ? m->book.symbol
                                                   : "";
    if (symbol_read(symbol, &inst) != OK)
        (void)text_set(inst.quote, sizeof inst.quote, "USDT");
    market_capture_close(&capture);
    return strcmp(config->run.reporting, "auto") == 0 ? config_set(config, "run.reporting", inst.quote, error)
                                                      : OK;
}

/* The market is opened once before anything is started: what cannot be played is said here. */
static int settle_market(struct config *config, char error[RUN_ERROR_MAX])
{
    char reporting[16] = "";
    struct player *player;
    if (strcmp(config->feed.source, "live") == 0)
        return settle_live(config, error);
    if (run_options_decoded(config))
        return settle_decoded(config, error);
    struct market_sink sink = {.ctx = reporting, .instrument = note_quote};
    int status = player_open(config, 0, &sink, &player, error);
    if (status)
        return status;
    bool asked = strcmp(config->run.reporting, "auto") == 0;
    for (int i = 0;
         asked && i < STEPS_TO_FIRST_INSTRUMENT && !*reporting && player_next_ns(player) != INT64_MAX; i++)
        player_step(player);
    player_close(&player);
    return asked ? config_set(config, "run.reporting", *reporting ? reporting : "USDT", error) : OK;
}

static int check_routes(const struct config *config, char error[RUN_ERROR_MAX])
{
    for (uint32_t i = 0; i < config->n_routes; i++)
        if (!*config->routes[i].a || !*config->routes[i].b) {
            (void)snprintf(error, RUN_ERROR_MAX,
                           "routes.%u: leg %s is missing; expected both, as SYMBOL@VENUE", i,
                           *config->routes[i].a ? "b" : "a");
            return E_ABSENT;
        }
    return OK;
}

/* A worker that is not started cannot have routes. */
static int check_pins(const struct run_options *options, char error[RUN_ERROR_MAX])
{
    const int64_t workers = options->config.strategy.workers;
    for (int64_t n = workers + 1; n <= 64; n++)
        if (options->pinned_workers & UINT64_C(1) << (n - 1)) {
            (void)snprintf(error, RUN_ERROR_MAX,
                           "--routes %" PRId64 "=...: there is no such worker; expected 1 to %" PRId64
                           ", as many as --workers says",
                           n, workers);
            return E_RANGE;
        }
    return OK;
}

int run_options_settle(struct run_options *options, char error[RUN_ERROR_MAX])
{
    struct config *config = &options->config;
    int status = make_absolute(config->feed.instruments, sizeof config->feed.instruments, error);
    for (uint32_t i = 0; status == OK && i < config->n_venues; i++)
        status = make_absolute(config->venues[i].ca_file, sizeof config->venues[i].ca_file, error);
    for (uint32_t i = 0; status == OK && i < config->n_recordings; i++)
        status = make_absolute(config->recordings[i].path, sizeof config->recordings[i].path, error);
    if (status == OK && strcmp(config->run.mode, "paper") != 0) {
        (void)snprintf(error, RUN_ERROR_MAX,
                       "run.mode: \"%s\" has no order gateway in this version; expected paper",
                       config->run.mode);
        return E_REFUSED;
    }
    if (status == OK && strcmp(config->recorder.sink, "postgres") == 0 && !*config->recorder.postgres) {
        (void)snprintf(
            error, RUN_ERROR_MAX,
            "recorder.postgres: \"\"; expected a libpq connection string, such as \"host=localhost "
            "dbname=sluice\", for recorder.sink is postgres");
        return E_ABSENT;
    }
    if (status == OK && *options->dir && *options->dir != '/') {
        char cwd[RUN_PATH_MAX], relative[RUN_PATH_MAX];
        (void)snprintf(relative, sizeof relative, "%s", options->dir);
        if (!getcwd(cwd, sizeof cwd) || (size_t)snprintf(options->dir, sizeof options->dir, "%s/%s", cwd,
                                                         relative) >= sizeof options->dir) {
            (void)snprintf(error, RUN_ERROR_MAX, "--dir %.300s: the path is too long", relative);
            return E_RANGE;
        }
    }
    if (status == OK)
        status = check_routes(config, error);
    if (status == OK)
        status = check_pins(options, error);
    return status == OK ? settle_market(config, error) : status;
}
