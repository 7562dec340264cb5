/* The arguments of `sluice emulate`. */
#include "tools/emulate_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/decimal.h"
#include "lib/base/text.h"
#include "tools/verb.h"

static const char usage[] =
    "usage: sluice emulate RECORDING... [options]\n"
    "\n"
    "A venue on a port of this host: clients connect, subscribe and ask for snapshots as at the real one, "
    "and\n"
    "get what was recorded, at its own pace. One port for each venue in the recordings; where they listen "
    "is\n"
    "told first, one JSON object a line, then every connection, subscription, snapshot and fault.\n"
    "\n"
    "  --speed X          X times the recording's pace (1); max: as fast as clients take it\n"
    "  --start WHEN       subscribed: time begins with the first subscription at the venue (default); now\n"
    "  --end WHAT         when the recordings end: stay connected and quiet (default), close, or exit\n"
    "  --now              the venue's times are moved to the present\n"
    "  --fault FAULT      [VENUE/]KIND[=SECONDS][@LINE|:RATE], any number of times; without @ or : at once\n"
    "  --seed N           of the faults that come by rate (1)\n"
    "  --strict           breaking the limit of connects is answered with 429, idling with the end\n"
    "  --port P           the first venue's port, the next one's is P + 1 (default: free ones)\n"
    "  --tls CERT KEY     wss and https, with these PEM files\n"
    "\n"
    "Kinds of faults. Of one message of a book, at line LINE of the recording or the first behind it, or at\n"
    "each with probability RATE: drop, repeat, swap (with the book's next), cut, garbage. Of the "
    "connections\n"
    "it goes to: disconnect, close, silence (half open from then on). Of the venue, for SECONDS: refuse "
    "(503\n"
    "to upgrades), 429, 418, and skew (its clock from then on). Of the next snapshot: stale-snapshot,\n"
    "slow-snapshot. Faults are also taken on standard input, one a line.\n"
    "\n"
    "exit codes: 0 done, 1 failed, 2 usage\n";

static int wrong(const char *flag, const char *value, const char *expected)
{
    (void)fprintf(stderr, "sluice: emulate: %s: \"%s\"; expected %s\n", flag, value, expected);
    return EXIT_USAGE;
}

static int read_number(const char *flag, const char *text, unsigned long long most, unsigned long long *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && *out <= most)
        return 0;
    char expected[64];
    (void)snprintf(expected, sizeof expected, "a whole number up to %llu", most);
    return wrong(flag, text, expected);
}

static int read_speed(struct emulate_options *self, const char *text)
{
    struct dec speed;
    self->speed = 0;
    if (strcmp(text, "max") == 0)
        return 0;
    if (dec_parse(text, strlen(text), &speed) != OK || speed.m <= 0)
        return wrong("--speed", text, "a number above 0, or max");
    self->speed = dec_double(speed);
    return 0;
}

/* The index of a word among words that end with NULL; -1: it is none of them. */
static int word(const char *text, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    return -1;
}

static int read_start(struct emulate_options *self, const char *text)
{
    static const char *const words[] = {"subscribed", "now", NULL};
    int found = word(text, words);
    self->start_now = found == 1;
    return found < 0 ? wrong("--start", text, "subscribed or now") : 0;
}

static int read_end(struct emulate_options *self, const char *text)
{
    static const char *const words[] = {"stay", "close", "exit", NULL};
    int found = word(text, words);
    self->end = (enum emulate_end)found;
    return found < 0 ? wrong("--end", text, "stay, close or exit") : 0;
}

static int read_fault(struct emulate_options *self, const char *text)
{
    char error[320];
    if (self->n_faults == EMULATOR_FAULTS_MAX)
        return wrong("--fault", text, "at most 64 faults");
    if (fault_parse(text, &self->faults[self->n_faults], error, sizeof error) == OK) {
        const struct fault *fault = &self->faults[self->n_faults++];
        return *fault->venue && !emulation_named(fault->venue)
                   ? wrong("--fault", text, "an emulated venue's name")
                   : 0;
    }
    (void)fprintf(stderr, "sluice: emulate: --fault: %s\n", error);
    return EXIT_USAGE;
}

static int read_option(struct emulate_options *self, int option, int argc, char **argv)
{
    unsigned long long number = 0;
    int code = 0;
    switch (option) {
    case 's':
        return read_speed(self, optarg);
    case 'b':
        return read_start(self, optarg);
    case 'e':
        return read_end(self, optarg);
    case 'f':
        return read_fault(self, optarg);
    case 'n':
        self->emulator.times_to_now = true;
        return 0;
    case 'x':
        self->emulator.strict = true;
        return 0;
    case 'r':
        code = read_number("--seed", optarg, UINT64_MAX, &number);
        self->emulator.seed = number;
        return code;
    case 'p':
        code = read_number("--port", optarg, 65535, &number);
        self->port = (int)number;
        return code;
    case 't':
        self->certificate = optarg;
        if (optind == argc)
            return wrong("--tls", optarg, "two files, CERT and KEY");
        self->key = argv[optind++];
        return 0;
    default:
        return EXIT_USAGE;
    }
}

int emulate_options_read(struct emulate_options *self, int argc, char **argv)
{
    static const struct option options[] = {{"speed", required_argument, NULL, 's'},
                                            {"start", required_argument, NULL, 'b'},
                                            {"end", required_argument, NULL, 'e'},
                                            {"now", no_argument, NULL, 'n'},
                                            {"fault", required_argument, NULL, 'f'},
                                            {"seed", required_argument, NULL, 'r'},
                                            {"strict", no_argument, NULL, 'x'},
                                            {"port", required_argument, NULL, 'p'},
                                            {"tls", required_argument, NULL, 't'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int option;
    *self = (struct emulate_options){.speed = 1, .emulator = {.seed = 1}};
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return -1;
        }
        int code = read_option(self, option, argc, argv);
        if (code)
            return code;
    }
    if (optind == argc) {
        (void)fprintf(stderr, "sluice: emulate: expected at least one recording\n");
        return EXIT_USAGE;
    }
    self->recordings = argv + optind;
    self->n_recordings = argc - optind;
    return 0;
}
