/* The `sluice` command: finds the verb and hands over. */
#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "tools/verb.h"

struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static const struct verb verbs[] = {
    {"run", verb_run, "the whole pipeline on this host, supervised; ends with a reconciled report"},
    {"backtest", verb_backtest, "all of it in one process on a virtual clock, byte for byte repeatable"},
    {"report", verb_report, "print the report of a run again, as text or as JSON"},
    {"status", verb_status, "how the venues of a running pipeline stand, and with --books each book"},
    {"halt", verb_halt, "the gate of a running pipeline accepts nothing more"},
    {"reduce", verb_reduce, "it accepts only what makes positions smaller"},
    {"resume", verb_resume, "it accepts again; with a route's name: what was parked there is taken care of"},
    {"tap", verb_tap, "print live messages as JSON"},
    {"lat", verb_lat, "print where the time between tick and order goes, hop by hop, now or in a run of before"},
    {"profile", verb_profile, "print where each process of the pipeline spends its time, by stage and by function"},
    {"books", verb_books, "print the best prices of a recording, book message by book message"},
    {"bench", verb_bench, "put a pipeline under load, for long (soak) or too much (overload), and say how it stands that"},
    {"emulate", verb_emulate, "play recordings to clients as the venue would, on a port of this host, with faults"},
    {"journal", verb_journal, "list, print, check and compare the ledgers' files"},
    {"show-config", verb_show_config, "print every setting with its meaning and the value it would have"},
    {"check-config", verb_check_config, "say what is wrong with a configuration file"},
};

enum { VERBS = sizeof verbs / sizeof verbs[0] };

static void usage(FILE *out)
{
    fprintf(out, "usage: sluice VERB [ARGUMENTS]      sluice VERB --help\n\n");
    for (int i = 0; i < VERBS; i++)
        fprintf(out, "  %-12s %s\n", verbs[i].name, verbs[i].help);
}

static int unknown(const char *name)
{
    const char *names[VERBS + 1] = {NULL};
    for (int i = 0; i < VERBS; i++)
        names[i] = verbs[i].name;
    const char *near = text_nearest(name, names);
    fprintf(stderr, "sluice: no verb '%s'", name);
    if (near)
        fprintf(stderr, "; did you mean '%s'?", near);
    fprintf(stderr, "\n\n");
    usage(stderr);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return EXIT_DONE;
    }
    for (int i = 0; i < VERBS; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    }
    return unknown(argv[1]);
}
