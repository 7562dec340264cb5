#include "tools/profile_options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/verb.h"

static const char usage[] =
    "usage: sluice profile [--case CASE | --symbols N] [--seconds S | --iterations M] [--output DIR] "
    "[options]\n"
    "       sluice profile --from DIR --compare DIR\n"
    "\n"
    "Runs the pipeline as `sluice run` does, on the simulated market, and says where each process spends "
    "its\n"
    "time. Writes profile.txt, profile.json, flame.svg, profile.speedscope.json (for\n"
    "https://www.speedscope.app), slices.csv, and perf.data where there is perf.\n"
    "\n"
    "  --case CASE      dev_top5, dev_top10, dev_top20, dev_top50 or top200: the first so many symbols\n"
    "  --symbols N      so many of them instead, 1 to 500; default 10\n"
    "  --seconds S      how long is measured; default 10\n"
    "  --iterations M   until the strategy workers, together, have woken up so often\n"
    "  --warm-up S      before that; default 3\n"
    "  --repeat N       so many runs, one after the other; their figures are added up\n"
    "  --output DIR     default profile; the run is in DIR/run\n"
    "  --compare DIR    an earlier profile's output: before, after, the change, and its noise\n"
    "  --from DIR       nothing is run: compares this output with that of --compare\n"
    "  --json           prints profile.json instead of the text\n"
    "  --no-perf        no functions, stages only\n"
    "  --set KEY=VALUE  a setting of the run; may be repeated\n"
    "  --config FILE    settings of the run\n"
    "\n"
    "exit codes: 0 done, 1 failed, 2 usage, 5 the output has a run already\n";

static const struct option options[] = {{"case", required_argument, NULL, 'k'},
                                        {"symbols", required_argument, NULL, 'n'},
                                        {"seconds", required_argument, NULL, 's'},
                                        {"iterations", required_argument, NULL, 'i'},
                                        {"warm-up", required_argument, NULL, 'w'},
                                        {"repeat", required_argument, NULL, 'r'},
                                        {"output", required_argument, NULL, 'o'},
                                        {"compare", required_argument, NULL, 'b'},
                                        {"from", required_argument, NULL, 'f'},
                                        {"json", no_argument, NULL, 'j'},
                                        {"no-perf", no_argument, NULL, 'p'},
                                        {"set", required_argument, NULL, 'S'},
                                        {"config", required_argument, NULL, 'c'},
                                        {"help", no_argument, NULL, 'h'},
                                        {0}};

static bool whole(const char *flag, const char *text, int64_t min, int64_t max, int64_t *out)
{
    char *end;
    errno = 0;
    *out = strtol(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && *out >= min && *out <= max)
        return true;
    (void)fprintf(stderr,
                  "sluice: profile: %s: \"%s\"; expected a whole number from %" PRId64 " to %" PRId64 "\n",
                  flag, text, min, max);
    return false;
}

static bool find_case(struct profile_options *self, char *name)
{
    static char count[][4] = {"5", "10", "20", "50", "200"};
    static const char *const cases[] = {"dev_top5", "dev_top10", "dev_top20", "dev_top50", "top200"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(name, cases[i]) == 0) {
            self->which = name;
            self->symbols = count[i];
            return true;
        }
    (void)fprintf(
        stderr,
        "sluice: profile: --case: \"%s\"; expected dev_top5, dev_top10, dev_top20, dev_top50 or top200\n",
        name);
    return false;
}

static bool pass_on(struct profile_options *self, char *flag, char *value)
{
    if (self->n_run + 4 > LOAD_ARGUMENTS_MAX) {
        (void)fprintf(stderr, "sluice: profile: %s: \"%s\"; expected at most %d settings\n", flag, value,
                      LOAD_ARGUMENTS_MAX / 2 - 1);
        return false;
    }
    self->run[self->n_run++] = flag;
    self->run[self->n_run++] = value;
    return true;
}

static bool text(const char *flag, const char *value, const char **out)
{
    *out = value;
    if (*value)
        return true;
    (void)fprintf(stderr, "sluice: profile: %s: \"\"; expected a directory\n", flag);
    return false;
}

static bool take(struct profile_options *self, int option, const char *flag)
{
    static char set[] = "--set", config[] = "--config";
    int64_t symbols;
    switch (option) {
    case 'k':
        return find_case(self, optarg);
    case 'n':
        self->symbols = optarg;
        return whole("--symbols", optarg, 1, 500, &symbols);
    case 's':
        return whole("--seconds", optarg, 1, 86400, &self->seconds);
    case 'i':
        return whole("--iterations", optarg, 10, INT64_C(1000000000000), &self->iterations);
    case 'w':
        return whole("--warm-up", optarg, 0, 3600, &self->warm_up_s);
    case 'r':
        return whole("--repeat", optarg, 1, 100, &self->repeat);
    case 'o':
        return text("--output", optarg, &self->output);
    case 'b':
        return text("--compare", optarg, &self->compare);
    case 'f':
        return text("--from", optarg, &self->from);
    case 'j':
        return self->json = true;
    case 'p':
        return self->no_perf = true;
    case 'S':
        return pass_on(self, set, optarg);
    case 'c':
        return pass_on(self, config, optarg);
    default:
        (void)fprintf(stderr, "sluice: profile: \"%s\": %s; see --help\n", flag,
                      option == ':' ? "its value is missing" : "unknown flag");
        return false;
    }
}

static int refuse_pair(const char *one, const char *other, const char *expected)
{
    (void)fprintf(stderr, "sluice: profile: %s and %s; expected %s\n", one, other, expected);
    return EXIT_USAGE;
}

int profile_options_read(struct profile_options *self, int argc, char **argv)
{
    static char ten[] = "10";
    bool by_number = false;
    int option;
    *self = (struct profile_options){.warm_up_s = 3, .repeat = 1};
    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return -1;
        }
        by_number = by_number || option == 'n';
        if (!take(self, option, argv[optind - 1]))
            return EXIT_USAGE;
    }
    if (optind < argc) {
        (void)fprintf(stderr, "sluice: profile: \"%s\": unexpected argument; see --help\n", argv[optind]);
        return EXIT_USAGE;
    }
    if (self->which && by_number)
        return refuse_pair("--case", "--symbols", "one of the two");
    if (self->seconds && self->iterations)
        return refuse_pair("--seconds", "--iterations", "one of the two");
    if (self->from && !self->compare)
        return refuse_pair("--from", "no --compare", "--compare with the output to compare with");
    if (self->from && self->output)
        return refuse_pair("--from", "--output", "one of the two");
    self->output = self->output ? self->output : "profile";
    self->symbols = self->symbols ? self->symbols : ten;
    if (!self->seconds && !self->iterations)
        self->seconds = 10;
    return 0;
}
