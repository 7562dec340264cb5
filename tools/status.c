/* `sluice status`: how the venues and the books of a running pipeline stand. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "lib/base/status.h"
#include "lib/runtime/sockets.h"
#include "tools/control.h"
#include "tools/run_dir.h"
#include "tools/verb.h"

enum { ASK_MS = 2000, WORDS = 4 };

static const char usage[] = "usage: sluice status [--dir RUN] [--books] [--json]\n"
                            "\n"
                            "Prints how each venue of a running pipeline stands; with --books also each "
                            "book: its state and why, the venue's "
                            "last\n"
                            "sequence, its age, messages a second, gaps, resyncs, checksums that did not "
                            "hold, and how long it was STALE.\n"
                            "\n"
                            "  --dir RUN           the run; default: the newest in runs/\n"
                            "  --books             each book, STALE ones first\n"
                            "  --json              one JSON object\n"
                            "\n"
                            "exit codes: 0 done, 2 usage, 4 no such run, or its feed does not answer\n";

struct wish {
    const char *dir;
    bool books, json;
};

static int arguments(int argc, char **argv, struct wish *wish)
{
    static const struct option options[] = {{"dir", required_argument, NULL, 'd'},
                                            {"books", no_argument, NULL, 'b'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int option;
    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return -1;
        }
        wish->books = wish->books || option == 'b';
        wish->json = wish->json || option == 'j';
        if (option == 'd')
            wish->dir = optarg;
        if (option == '?' || option == ':') {
            (void)fprintf(stderr, "sluice: status: \"%s\": %s; see --help\n", argv[optind - 1],
                          option == ':' ? "its value is missing, expected a directory" : "unknown flag");
            return EXIT_USAGE;
        }
    }
    if (optind == argc)
        return 0;
    (void)fprintf(stderr, "sluice: status: \"%s\": unexpected argument; see --help\n", argv[optind]);
    return EXIT_USAGE;
}

/* ---- pages ------------------------------------------------------------------------------------------ */

/* Page `number` of the feed. false: there is none, or no answer. */
static bool ask_page(struct control *control, enum control_verb verb, uint64_t number, struct reply *reply,
                     bool *answered)
{
    *answered = control_ask_number(control, verb, number, ASK_MS, reply) == OK;
    return *answered && reply->code == CONTROL_DONE;
}

/* The words of a page's text; the last one is all that is left. */
static void split(const struct reply *reply, int n, char words[WORDS][128])
{
    const char *at = reply->text;
    for (int i = 0; i < n; i++) {
        size_t len = i + 1 < n ? strcspn(at, " ") : strlen(at);
        (void)snprintf(words[i], sizeof words[i], "%.*s", (int)len, at);
        at += len;
        at += *at == ' ';
    }
}

/* ---- as text ---------------------------------------------------------------------------------------- */

static void print_venue(const struct reply *r)
{
    char w[WORDS][128];
    split(r, 3, w);
    printf(
        "%-14s %-5s connections %" PRId64 "/%" PRId64 " lost %" PRId64 " replaced %" PRId64
        " | frames %" PRId64 " malformed %" PRId64 " gaps %" PRId64 " resyncs %" PRId64 " checksums %" PRId64
        " | REST weight %" PRId64 " snapshots %" PRId64 " | clock %+" PRId64 " us%s%s\n",
        w[0], w[1], control_metric(r, "connections_up", 0), control_metric(r, "connections", 0),
        control_metric(r, "reconnects", 0), control_metric(r, "replaced", 0), control_metric(r, "frames", 0),
        control_metric(r, "malformed", 0), control_metric(r, "gaps", 0), control_metric(r, "resyncs", 0),
        control_metric(r, "checksums", 0), control_metric(r, "rest_weight", 0),
        control_metric(r, "snapshots", 0), control_metric(r, "clock_offset_us", 0), *w[2] ? " | " : "", w[2]);
    for (uint32_t i = 0; i < r->n_metrics; i++)
        if (strncmp(r->metrics[i].name, "link_", 5) == 0)
            printf("    %-40s %" PRId64 "\n", r->metrics[i].name, r->metrics[i].value);
}

static void print_book(const struct reply *r)
{
    char w[WORDS][128];
    split(r, 4, w);
    printf("%-20s %-14s %-6s %-12s %16" PRId64 " %10.3f %8" PRId64 " %6" PRId64 " %7" PRId64 " %9" PRId64
           " %10.3f\n",
           w[0], w[1], w[2], w[3], control_metric(r, "venue_seq", 0),
           (double)control_metric(r, "age_us", 0) / 1e6, control_metric(r, "messages_per_s", 0),
           control_metric(r, "gaps", 0), control_metric(r, "resyncs", 0), control_metric(r, "checksums", 0),
           (double)control_metric(r, "stale_us", 0) / 1e6);
}

/* ---- as JSON ---------------------------------------------------------------------------------------- */

static void json_words(const char *text)
{
    (void)putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            (void)putchar('\\');
        (void)putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
    (void)putchar('"');
}

static void json_page(const struct reply *r, const char *const *names, int n, bool first)
{
    char w[WORDS][128];
    split(r, n, w);
    (void)fputs(first ? "\n{" : ",\n{", stdout);
    for (int i = 0; i < n; i++) {
        printf("%s\"%s\":", i ? "," : "", names[i]);
        json_words(w[i]);
    }
    for (uint32_t i = 0; i < r->n_metrics; i++)
        printf(",\"%s\":%" PRId64, r->metrics[i].name, r->metrics[i].value);
    (void)putchar('}');
}

/* ---- all of it -------------------------------------------------------------------------------------- */

static bool show_venues(struct control *control, const struct wish *wish)
{
    static const char *const names[] = {"venue", "state", "detail"};
    struct reply reply;
    bool answered = true;
    uint64_t n = 0;
    if (wish->json)
        printf("{\"venues\":[");
    for (; ask_page(control, VERB_VENUE, n, &reply, &answered); n++) {
        if (wish->json)
            json_page(&reply, names, 3, n == 0);
        else
            print_venue(&reply);
    }
    if (!wish->json && answered && n == 0)
        printf("the market is played, not live: there is no venue to connect to\n");
    return answered;
}

static bool show_books(struct control *control, const struct wish *wish)
{
    static const char *const names[] = {"symbol", "venue", "state", "reason"};
    struct reply reply;
    bool answered = true, first = true;
    if (wish->json)
        printf("],\"books\":[");
    else
        printf("%-20s %-14s %-6s %-12s %16s %10s %8s %6s %7s %9s %10s\n", "symbol", "venue", "state",
               "reason", "venue_seq", "age_s", "msgs/s", "gaps", "resyncs", "checksums", "STALE_s");
    for (int live = 0; live < 2 && answered; live++)
        for (uint64_t n = 0; ask_page(control, VERB_BOOK, n, &reply, &answered); n++) {
            char w[WORDS][128];
            split(&reply, 4, w);
            if ((strcmp(w[2], book_state_text(BOOK_LIVE)) == 0) != (live == 1))
                continue;
            if (wish->json)
                json_page(&reply, names, 4, first);
            else
                print_book(&reply);
            first = false;
        }
    return answered;
}

int verb_status(int argc, char **argv)
{
    char error[RUN_ERROR_MAX], endpoint[ENDPOINT_MAX];
    struct wish wish = {0};
    struct control *control = NULL;
    int code = arguments(argc, argv, &wish);
    if (code)
        return code < 0 ? EXIT_DONE : code;
    if ((wish.dir ? run_dir_enter(wish.dir, error) : run_dir_enter_newest(error)) != OK) {
        (void)fprintf(stderr, "sluice: %s\n", error);
        return EXIT_UNREACHABLE;
    }
    endpoint_make("feed", "control", endpoint);
    void *zmq = endpoint_answers(endpoint) ? zmq_ctx_new() : NULL;
    bool answered = zmq && control_open(zmq, "feed", &control) == OK && show_venues(control, &wish) &&
                    (!wish.books || show_books(control, &wish));
    if (answered && wish.json)
        printf("]}\n");
    control_close(&control);
    if (zmq)
        (void)zmq_ctx_term(zmq);
    if (answered)
        return EXIT_DONE;
    (void)fprintf(stderr, "sluice: status: the feed does not answer in %s; expected a run that is going on\n",
                  wish.dir ? wish.dir : "the newest run");
    return EXIT_UNREACHABLE;
}
