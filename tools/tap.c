/* `sluice tap`: live messages as JSON, one a line. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/runtime/ledger.h"
#include "proto/json_form.h"
#include "proto/topic.h"
#include "tools/run_dir.h"
#include "tools/verb.h"

static const char usage[] =
    "usage: sluice tap ENDPOINT|SERVICE [TOPIC-PREFIX...] [options]\n"
    "\n"
    "Prints live messages as JSON, one a line. SERVICE is feed, risk or exec of the run in --dir; ENDPOINT "
    "is a ZeroMQ\n"
    "endpoint such as ipc:///path/feed.market. Joining late it shows the market's present state at once, and "
    "of a ledger\n"
    "everything from its first record on.\n"
    "\n"
    "  TOPIC-PREFIX   only topics that begin so: book.BTC-USDT. or fill. ; none = all\n"
    "  --dir RUN      run directory; default the newest in runs/\n"
    "  --count N      stop after N messages\n"
    "  --seconds S    stop after S seconds\n"
    "  --rate         print messages a second by kind, instead of the messages\n"
    "\n"
    "Where nobody listens it ends after three seconds.\n"
    "\n"
    "exit codes: 0 done, 2 usage, 4 nothing is there\n";

enum { PREFIXES_MAX = 64, LINE_BYTES = 64 * 1024 };

#define WONDER_NS (3 * NS_PER_SEC)

struct tap {
    const char *prefix[PREFIXES_MAX];
    int n_prefixes;
    long count, seconds;
    bool rate;
    void *zmq, *market;
    struct ledger_reader *ledger;
    struct inbox inbox;
    struct decoder *decoder;
    struct drops drops;
    struct message message;
    long printed;
    long by_type[MESSAGE_TYPE_MAX + 1];
    bool output_gone;
    char line[LINE_BYTES];
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static bool wanted(const struct tap *tap, const struct message *m)
{
    char topic[TOPIC_MAX];
    if (tap->n_prefixes == 0)
        return true;
    (void)topic_of(m, topic);
    for (int i = 0; i < tap->n_prefixes; i++)
        if (strncmp(topic, tap->prefix[i], strlen(tap->prefix[i])) == 0)
            return true;
    return false;
}

static void print_message(struct tap *tap, const struct message *m)
{
    if (!wanted(tap, m) || (tap->count && tap->printed >= tap->count))
        return;
    tap->printed++;
    tap->by_type[m->env.type]++;
    if (!tap->rate && json_form(m, tap->line, sizeof tap->line) > 0 && puts(tap->line) < 0)
        tap->output_gone = true;
}

static void on_ledger(void *ctx, const struct message *m, struct now now)
{
    (void)now;
    print_message(ctx, m);
}

static void drain_market(struct tap *tap)
{
    for (int i = 0; i < 1000 && inbox_take(&tap->inbox, tap->market) == OK; i++) {
        if (!tap->inbox.more || inbox_take(&tap->inbox, tap->market) != OK)
            continue;
        if (codec_decode(tap->decoder, tap->inbox.bytes, tap->inbox.len, &tap->message, &tap->drops))
            print_message(tap, &tap->message);
        inbox_skip(&tap->inbox, tap->market);
    }
}

static void print_rates(struct tap *tap)
{
    char *separator = "";
    printf("{");
    for (const struct message_kind *const *k = message_kinds(); *k; k++)
        if (tap->by_type[(*k)->type]) {
            printf("%s\"%s\": %ld", separator, (*k)->body->name, tap->by_type[(*k)->type]);
            tap->by_type[(*k)->type] = 0;
            separator = ", ";
        }
    printf("}\n");
}

static void listen_on(struct tap *tap)
{
    zmq_pollitem_t items[2];
    int n = 0;
    if (tap->market)
        items[n++] = (zmq_pollitem_t){tap->market, 0, ZMQ_POLLIN, 0};
    else
        items[n++] = (zmq_pollitem_t){ledger_reader_replay_socket(tap->ledger), 0, ZMQ_POLLIN, 0};
    /* Live records wait unread while the past is asked for. */
    if (tap->ledger && ledger_reader_follower(tap->ledger)->state == FOLLOWER_LIVE)
        items[n++] = (zmq_pollitem_t){ledger_reader_live_socket(tap->ledger), 0, ZMQ_POLLIN, 0};
    (void)zmq_poll(items, n, 100);
    struct now now = {.mono_ns = clock_mono_ns(), .utc_ns = clock_utc_ns()};
    if (tap->ledger)
        (void)ledger_reader_drain(tap->ledger, now, 1000);
    else
        drain_market(tap);
}

/* A service that is just being started again is given the time for it. */
static bool nobody_is_there(const char *live)
{
    if (strncmp(live, "ipc://", 6) == 0 && !endpoint_answers(live)) {
        (void)fprintf(stderr, "sluice: nobody publishes at %s; expected a service that runs\n", live);
        return true;
    }
    (void)fprintf(stderr, "sluice: nothing heard yet from %s\n", live);
    return false;
}

static int listen_until_done(struct tap *tap, const char *live)
{
    int64_t start_ns = clock_mono_ns(), rate_ns = start_ns + NS_PER_SEC;
    bool wondered = false;
    while (!interrupted && !tap->output_gone && !(tap->count && tap->printed >= tap->count)) {
        listen_on(tap);
        int64_t mono_ns = clock_mono_ns();
        if (tap->rate && mono_ns >= rate_ns) {
            print_rates(tap);
            rate_ns += NS_PER_SEC;
        }
        if (fflush(stdout) != 0)
            break;
        if (tap->printed == 0 && !wondered && mono_ns - start_ns >= WONDER_NS) {
            wondered = true;
            if (nobody_is_there(live))
                break;
        }
        if (tap->seconds && mono_ns - start_ns >= tap->seconds * NS_PER_SEC)
            break;
    }
    for (int why = 1; why < DROP_COUNT; why++)
        if (tap->drops.count[why])
            (void)fprintf(stderr, "sluice: %" PRIu64 " messages dropped: %s; last: %s\n",
                          tap->drops.count[why], drop_text((enum drop)why), tap->drops.last);
    if (tap->printed == 0)
        (void)fprintf(stderr, "sluice: nothing was heard\n");
    return tap->printed > 0 || interrupted ? EXIT_DONE : EXIT_UNREACHABLE;
}

/* The replay endpoint that belongs to a ledger's: the same with "replay" for "ledger". */
static bool replay_endpoint(const char *live, char out[ENDPOINT_MAX])
{
    const char *dot = strrchr(live, '.');
    return dot && strcmp(dot, ".ledger") == 0 &&
           snprintf(out, ENDPOINT_MAX, "%.*s.replay", (int)(dot - live), live) < ENDPOINT_MAX;
}

static int open_tap(struct tap *tap, const char *live, char *error, size_t error_cap)
{
    char replay[ENDPOINT_MAX], name[16] = "";
    tap->zmq = zmq_ctx_new();
    tap->decoder = decoder_new();
    if (!tap->zmq || !tap->decoder || inbox_open(&tap->inbox) != OK)
        return E_FULL;
    if (replay_endpoint(live, replay)) {
        const char *slash = strrchr(live, '/');
        const char *begin = slash ? slash + 1 : live;
        (void)snprintf(name, sizeof name, "%.*s", (int)(strrchr(live, '.') - begin), begin);
        return ledger_reader_open_at(name, tap->zmq, live, replay, 0, 0, on_ledger, tap, &tap->ledger, error);
    }
    int status = socket_open(tap->zmq, SOCKET_MARKET_SUB, live, &tap->market, error, error_cap);
    for (int i = 0; status == OK && i < tap->n_prefixes; i++)
        status = socket_subscribe(tap->market, tap->prefix[i]);
    if (status == OK && tap->n_prefixes == 0)
        status = socket_subscribe(tap->market, "");
    return status;
}

static void close_tap(struct tap *tap)
{
    if (tap->ledger)
        ledger_reader_close(&tap->ledger);
    socket_close(&tap->market);
    decoder_destroy(&tap->decoder);
    inbox_close(&tap->inbox);
    if (tap->zmq)
        (void)zmq_ctx_term(tap->zmq);
}

static bool whole_number(const char *flag, const char *text, long *out)
{
    char *end;
    errno = 0;
    *out = strtol(text, &end, 10);
    if (errno == 0 && *end == '\0' && end != text && *out > 0)
        return true;
    (void)fprintf(stderr, "sluice: %s: \"%s\"; expected a whole number above 0\n", flag, text);
    return false;
}

static int arguments(struct tap *tap, int argc, char **argv, const char **target, const char **dir)
{
    static const struct option options[] = {
        {"dir", required_argument, NULL, 'd'},     {"count", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 's'}, {"rate", no_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},          {0}};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            return -1;
        }
        if (option == '?' || (option == 'c' && !whole_number("--count", optarg, &tap->count)) ||
            (option == 's' && !whole_number("--seconds", optarg, &tap->seconds)))
            return EXIT_USAGE;
        if (option == 'd')
            *dir = optarg;
        if (option == 'r')
            tap->rate = true;
    }
    if (optind == argc) {
        (void)fprintf(stderr, "sluice: tap: expected an endpoint, or one of feed, risk, exec\n");
        return EXIT_USAGE;
    }
    *target = argv[optind++];
    if (argc - optind > PREFIXES_MAX) {
        (void)fprintf(stderr, "sluice: tap: %d topic prefixes; expected at most %d\n", argc - optind,
                      PREFIXES_MAX);
        return EXIT_USAGE;
    }
    while (optind < argc)
        tap->prefix[tap->n_prefixes++] = argv[optind++];
    return 0;
}

/* While a run goes on its supervisor keeps pids.json in its directory, in which we are. */
static bool has_ended(const char *live)
{
    char dir[RUN_PATH_MAX];
    if (access("pids.json", F_OK) == 0 || endpoint_answers(live))
        return false;
    if (!getcwd(dir, sizeof dir))
        (void)snprintf(dir, sizeof dir, ".");
    (void)fprintf(stderr,
                  "sluice: the run in %s has ended, nobody publishes at %s; what it has recorded is shown by "
                  "sluice report --dir %s and sluice journal cat %s\n",
                  dir, live, dir, dir);
    return true;
}

static int find_endpoint(const char *target, const char *dir, char live[ENDPOINT_MAX])
{
    static const char *const services[] = {"feed", "risk", "exec", NULL};
    char error[RUN_ERROR_MAX];
    if (strstr(target, "://")) {
        if (snprintf(live, ENDPOINT_MAX, "%s", target) < ENDPOINT_MAX)
            return 0;
        (void)fprintf(stderr, "sluice: %s: too long; expected at most %d characters\n", target,
                      ENDPOINT_MAX - 1);
        return EXIT_USAGE;
    }
    int i = 0;
    while (services[i] && strcmp(services[i], target) != 0)
        i++;
    if (!services[i]) {
        const char *near = text_nearest(target, services);
        (void)fprintf(
            stderr,
            "sluice: \"%s\" is no service and no endpoint; expected feed, risk, exec or KIND://...%s%s%s\n",
            target, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        return EXIT_USAGE;
    }
    if ((dir ? run_dir_enter(dir, error) : run_dir_enter_newest(error)) != OK) {
        (void)fprintf(stderr, "sluice: %s\n", error);
        return EXIT_UNREACHABLE;
    }
    endpoint_make(target, strcmp(target, "feed") == 0 ? "market" : "ledger", live);
    return has_ended(live) ? EXIT_UNREACHABLE : 0;
}

int verb_tap(int argc, char **argv)
{
    static struct tap tap;
    const char *target = NULL, *dir = NULL;
    char live[ENDPOINT_MAX], error[LEDGER_ERROR_MAX] = "out of memory";
    int code = arguments(&tap, argc, argv, &target, &dir);
    if (code)
        return code < 0 ? 0 : code;
    code = find_endpoint(target, dir, live);
    if (code)
        return code;
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (open_tap(&tap, live, error, sizeof error) == OK) {
        code = listen_until_done(&tap, live);
    } else {
        (void)fprintf(stderr, "sluice: %s\n", error);
        code = EXIT_UNREACHABLE;
    }
    close_tap(&tap);
    return code;
}
