/* `sluice halt`, `reduce` and `resume`: what the gate of a running pipeline lets through. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "lib/base/status.h"
#include "lib/runtime/sockets.h"
#include "tools/control.h"
#include "tools/run_dir.h"
#include "tools/verb.h"

enum { ASK_MS = 2000, ATTEMPTS = 2, WORDS_MAX = sizeof((struct request *)0)->arg };

struct order_to_gate {
    const char *name;
    enum control_verb verb;
    const char *argument; /* its name */
    const char *usage, *done, *refused;
};

static const struct order_to_gate orders[] = {
    {"halt", VERB_HALT, "WORDS",
     "usage: sluice halt [--dir RUN] [WORDS]\n"
     "\n"
     "The gate accepts nothing more, neither entries nor exits; baskets that are open may only shrink their "
     "residual.\n"
     "WORDS, such as the reason, are kept in risk's ledger. It holds over restarts, until `sluice resume`.\n",
     "HALTED: nothing is accepted until sluice resume", "it is stopping"},
    {"reduce", VERB_REDUCE, "WORDS",
     "usage: sluice reduce [--dir RUN] [WORDS]\n"
     "\n"
     "The gate accepts only what makes positions smaller. WORDS, such as the reason, are kept in risk's "
     "ledger. It holds\n"
     "over restarts, until `sluice resume`.\n",
     "REDUCE_ONLY: only what makes positions smaller is accepted, until sluice resume", "it is stopping"},
    {"resume", VERB_RESUME, "ROUTE",
     "usage: sluice resume [--dir RUN] [ROUTE]\n"
     "\n"
     "Ends a halt, or reduce. With ROUTE: the residual that is parked there has been taken care of, and the "
     "route is\n"
     "traded again.\n",
     "NORMAL", "it is stopping, or the day's loss has reached risk.max_daily_loss"},
};

static const char more[] =
    "\n"
    "  --dir RUN           the run; default: the newest in runs/\n"
    "\n"
    "exit codes: 0 done, 2 usage, 4 no such run, or its gate does not answer, 5 refused\n";

static int arguments(const struct order_to_gate *o, int argc, char **argv, const char **dir, const char **arg)
{
    static const struct option options[] = {
        {"dir", required_argument, NULL, 'd'}, {"help", no_argument, NULL, 'h'}, {0}};
    int option;
    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (option == 'h') {
            (void)printf("%s%s", o->usage, more);
            return -1;
        }
        if (option != 'd') {
            (void)fprintf(stderr, "sluice: %s: \"%s\": %s; see --help\n", o->name, argv[optind - 1],
                          option == ':' ? "its value is missing, expected a directory" : "unknown flag");
            return EXIT_USAGE;
        }
        *dir = optarg;
    }
    if (argc - optind > 1) {
        (void)fprintf(stderr, "sluice: %s: \"%s\": expected one %s at the most; quote what has spaces\n",
                      o->name, argv[optind + 1], o->argument);
        return EXIT_USAGE;
    }
    *arg = optind < argc ? argv[optind] : "";
    if (strlen(*arg) >= WORDS_MAX) {
        (void)fprintf(stderr, "sluice: %s: %s has %zu bytes; expected at most %d\n", o->name, o->argument,
                      strlen(*arg), (int)WORDS_MAX - 1);
        return EXIT_USAGE;
    }
    return 0;
}

static int ask_gate(const struct order_to_gate *o, const char *arg, struct reply *reply)
{
    char endpoint[ENDPOINT_MAX];
    struct control *control = NULL;
    int status = E_AGAIN;
    endpoint_make("risk", "control", endpoint);
    void *zmq = endpoint_answers(endpoint) ? zmq_ctx_new() : NULL;
    if (zmq && control_open(zmq, "risk", &control) == OK)
        for (int i = 0; i < ATTEMPTS && status != OK; i++)
            status = control_ask(control, o->verb, arg, ASK_MS, reply);
    control_close(&control);
    if (zmq)
        (void)zmq_ctx_term(zmq);
    return status;
}

static int tell_gate(const struct order_to_gate *o, int argc, char **argv)
{
    char error[RUN_ERROR_MAX];
    const char *dir = NULL, *arg = "";
    struct reply reply;
    int code = arguments(o, argc, argv, &dir, &arg);
    if (code)
        return code < 0 ? EXIT_DONE : code;
    if ((dir ? run_dir_enter(dir, error) : run_dir_enter_newest(error)) != OK) {
        (void)fprintf(stderr, "sluice: %s\n", error);
        return EXIT_UNREACHABLE;
    }
    if (ask_gate(o, arg, &reply) != OK) {
        (void)fprintf(stderr, "sluice: %s: risk does not answer in %s; expected a run that is going on\n",
                      o->name, dir ? dir : "the newest run");
        return EXIT_UNREACHABLE;
    }
    const bool of_route = o->verb == VERB_RESUME && *arg;
    if (reply.code != CONTROL_DONE) {
        (void)fprintf(stderr, "sluice: %s: risk refuses: %s\n", o->name,
                      *reply.text ? reply.text
                      : of_route  ? "nothing is parked on a route of this name, or a basket of it is open"
                                  : o->refused);
        return EXIT_REFUSED;
    }
    if (of_route)
        printf("%s is traded again\n", arg);
    else
        printf("the gate is %s\n", o->done);
    return EXIT_DONE;
}

int verb_halt(int argc, char **argv)
{
    return tell_gate(&orders[0], argc, argv);
}

int verb_reduce(int argc, char **argv)
{
    return tell_gate(&orders[1], argc, argv);
}

int verb_resume(int argc, char **argv)
{
    return tell_gate(&orders[2], argc, argv);
}
