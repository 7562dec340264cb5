/* `sluice bench`: finds the benchmark and hands over. */
#include "tools/bench.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "tools/verb.h"

struct bench {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static const struct bench benches[] = {
    {"overload", bench_overload,
     "more ticks than it can bear, and listeners that mean no good: does it still decide on what is new?"},
    {"soak", bench_soak, "the pipeline for a long time: does memory, or anything else, grow?"},
};

enum { BENCHES = sizeof benches / sizeof benches[0] };

static void usage(FILE *out)
{
    (void)fprintf(out, "usage: sluice bench NAME [OPTIONS]      sluice bench NAME --help\n\n");
    for (int i = 0; i < BENCHES; i++)
        (void)fprintf(out, "  %-12s %s\n", benches[i].name, benches[i].help);
}

int verb_bench(int argc, char **argv)
{
    const char *names[BENCHES + 1] = {NULL};
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        usage(stdout);
        return EXIT_DONE;
    }
    for (int i = 0; i < BENCHES && argc > 1; i++) {
        names[i] = benches[i].name;
        if (strcmp(argv[1], benches[i].name) == 0)
            return benches[i].run(argc - 1, argv + 1);
    }
    if (argc > 1) {
        const char *near = text_nearest(argv[1], names);
        (void)fprintf(stderr, "sluice: bench: no benchmark '%s'%s%s%s\n\n", argv[1],
                      near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    usage(stderr);
    return EXIT_USAGE;
}
