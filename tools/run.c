/* `sluice run`: the whole pipeline on one host, supervised. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "lib/base/clock.h"
#include "tools/control.h"
#include "tools/report.h"
#include "tools/run_options.h"
#include "tools/supervisor.h"
#include "tools/verb.h"

static const char usage[] =
    "usage: sluice run [options]\n"
    "\n"
    "Runs feed, workers, gate, hand and recorder as separate processes, shows one line a second, and ends "
    "with a\n"
    "reconciled report. Without options it trades the simulated market on paper until Ctrl-C.\n"
    "\n"
    "  --config FILE       settings (YAML); see `sluice show-config`\n"
    "  --set KEY=VALUE     one setting, such as risk.max_gross=5000; may be repeated\n"
    "  --dir RUN           run directory, made here; default runs/ID\n"
    "  --resume            go on with the run in --dir\n"
    "  --replay FILE       play a recording instead; may be repeated\n"
    "  --instruments FILE  ticks, lots and fees, where a recording has none\n"
    "  --speed X           1 is real time, 10 is ten times it, max is as fast as the slowest process\n"
    "  --symbols N         simulated symbols at each of the two venues\n"
    "  --seed N            seed of the simulated market\n"
    "  --workers N         strategy processes\n"
    "  --seconds N         stop after N seconds\n"
    "  --evaluations N     stop after N evaluations\n"
    "\n"
    "exit codes: 0 done and reconciled, 1 failed, 2 usage, 3 config, 6 not reconciled\n";

enum { WORKERS_MAX = 64, SERVICES_MAX = WORKERS_MAX + 4, ASK_MS = 300, STOP_MS = 8000, WATCH_US = 20000 };

#define ASK_EVERY_NS (200 * NS_PER_MS)

struct running {
    struct run_options options;
    struct run_limits limits;
    struct supervisor children;
    void *zmq;
    struct control *control[SERVICES_MAX]; /* as children */
    struct reply reply[SERVICES_MAX];      /* last answers */
    bool answered[SERVICES_MAX];
    int64_t started_mono_ns;
    int64_t last_books, last_evaluations, last_decisions, last_mono_ns;
    bool terminal;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---- starting
 * ------------------------------------------------------------------------------------------------ */

static bool start_child(struct running *run, const char *program, const char *name)
{
    if (supervisor_start(&run->children, program, name) &&
        control_open(run->zmq, name, &run->control[run->children.n - 1]) == OK)
        return true;
    (void)fprintf(stderr, "sluice: %s cannot be started\n", name);
    return false;
}

static bool start_all(struct running *run)
{
    char name[24];
    bool ok = start_child(run, "sluice-exec", "exec") && start_child(run, "sluice-risk", "risk") &&
              start_child(run, "sluice-recorder", "recorder");
    for (int i = 1; ok && i <= (int)run->options.config.strategy.workers; i++) {
        (void)snprintf(name, sizeof name, "strategy-%d", i);
        ok = start_child(run, "sluice-strategy", name);
    }
    return ok && start_child(run, "sluice-feed", "feed");
}

static void say_hello(const struct running *run, const char *run_id)
{
    const struct config *c = &run->options.config;
    printf("run %s in %s\n", run_id, run->options.dir);
    if (strcmp(c->feed.source, "sim") == 0)
        printf("market: SIMULATED, %" PRId64 " symbols at two venues, seed %" PRId64 "; %" PRId64
               " dislocations of %" PRId64
               " bps a minute are injected so that there is something to trade: its "
               "profit means nothing\n",
               c->sim.symbols, c->sim.seed, c->sim.dislocations_per_min, c->sim.dislocation_bps);
    for (uint32_t i = 0; strcmp(c->feed.source, "replay") == 0 && i < c->n_recordings; i++)
        printf("market: recording %s, speed %s\n", c->recordings[i].path, c->feed.speed);
    for (uint32_t i = 0; i < c->n_fees; i++)
        if (c->fees[i].taker_bps.m == 0)
            printf("fees: 0 at venue %s, by configuration\n", c->fees[i].venue);
    if (c->arb.latency_allowance_bps.m == 0)
        printf("latency allowance: 0, by configuration\n");
    if (strcmp(c->arb.reference, "mean") == 0)
        printf("edge: against the basis' moving mean (%" PRId64 " ms), not against zero\n",
               c->arb.reference_ms);
    (void)fflush(stdout);
}

/* ---- watching
 * ------------------------------------------------------------------------------------------------- */

static void ask_all(struct running *run)
{
    for (int i = 0; i < run->children.n; i++)
        run->answered[i] = run->children.child[i].pid &&
                           control_ask(run->control[i], VERB_STATUS, "", ASK_MS, &run->reply[i]) == OK;
}

/* The sum of a figure over the services that have it; what a service said last counts while it is away. */
static int64_t figure(const struct running *run, const char *service, const char *name)
{
    int64_t sum = 0;
    for (int i = 0; i < run->children.n; i++)
        if (strncmp(run->children.child[i].name, service, strlen(service)) == 0)
            sum += control_metric(&run->reply[i], name, 0);
    return sum;
}

static int64_t rate(int64_t now, int64_t *before, int64_t elapsed_ns)
{
    int64_t per_s = elapsed_ns > 0 && now >= *before ? (now - *before) * NS_PER_SEC / elapsed_ns : 0;
    *before = now;
    return per_s;
}

/* -1: it runs until somebody stops it. */
static int64_t seconds_left(const struct running *run, int64_t seconds)
{
    int64_t permille = figure(run, "feed", "progress_permille"); /* 0 when the market never ends */
    int64_t by_replay = permille > 0 ? seconds * (1000 - permille) / permille : INT64_MAX;
    int64_t by_limit = run->limits.seconds ? run->limits.seconds - seconds : INT64_MAX;
    int64_t left = by_replay < by_limit ? by_replay : by_limit;
    return left == INT64_MAX ? -1 : left;
}

static void show_status(struct running *run, int64_t mono_ns)
{
    const int64_t seconds = (mono_ns - run->started_mono_ns) / NS_PER_SEC;
    const int64_t elapsed = mono_ns - run->last_mono_ns;
    const int64_t pnl_cents = figure(run, "risk", "day_pnl") / 10000;
    const int64_t left_s = seconds_left(run, seconds);
    run->last_mono_ns = mono_ns;
    printf("%02" PRId64 ":%02" PRId64 " symbols %" PRId64 " STALE %" PRId64, seconds / 60, seconds % 60,
           figure(run, "feed", "instruments"), figure(run, "feed", "books_stale"));
    printf(" | books %" PRId64 "/s evals %" PRId64 "/s decisions %" PRId64 "/s",
           rate(figure(run, "feed", "books_published"), &run->last_books, elapsed),
           rate(figure(run, "strategy", "evaluations"), &run->last_evaluations, elapsed),
           rate(figure(run, "risk", "decisions"), &run->last_decisions, elapsed));
    printf(" | orders %" PRId64 " fills %" PRId64, figure(run, "exec", "orders"),
           figure(run, "exec", "fills"));
    printf(" | net %s%" PRId64 ".%02" PRId64 " %s", pnl_cents < 0 ? "-" : "+", imaxabs(pnl_cents) / 100,
           imaxabs(pnl_cents) % 100, run->options.config.run.reporting);
    printf(" | tick-to-order p50 %" PRId64 " p99 %" PRId64 " us",
           figure(run, "exec", "tick_to_order_p50_ns") / 1000,
           figure(run, "exec", "tick_to_order_p99_ns") / 1000);
    int64_t gate = figure(run, "risk", "state");
    if (gate == RISK_REDUCE_ONLY || gate == RISK_HALTED)
        printf(" | %s", risk_state_text((enum risk_state)gate));
    if (figure(run, "recorder", "store_away") > 0)
        printf(" | database away");
    const char *separator = " | no answer: ";
    for (int i = 0; i < run->children.n; i++)
        if (!run->answered[i]) {
            printf("%s%s", separator, run->children.child[i].name);
            separator = " ";
        }
    if (run->terminal && left_s >= 0)
        printf(" | %" PRId64 " s left", left_s);
    (void)putchar('\n');
    (void)fflush(stdout);
}

static bool finished(const struct running *run, int64_t mono_ns)
{
    if (interrupted || figure(run, "feed", "ended") > 0)
        return true;
    if (run->limits.seconds && mono_ns - run->started_mono_ns >= run->limits.seconds * NS_PER_SEC)
        return true;
    return run->limits.evaluations && figure(run, "strategy", "evaluations") >= run->limits.evaluations;
}

/* false: somebody dies whenever it is started. */
static bool keep_alive(struct running *run)
{
    char words[512];
    if (supervisor_watch(&run->children) > 0)
        for (int i = 0; i < run->children.n; i++)
            if (run->children.child[i].fell) {
                supervisor_last_words(&run->children.child[i], words, sizeof words);
                printf("%s died %s; starting it again\n", run->children.child[i].name, words);
            }
    const char *hopeless = supervisor_hopeless(&run->children);
    if (hopeless)
        (void)fprintf(stderr,
                      "sluice: %s dies at once, ten times in a row; see log/%s.log and log/%s.stderr in %s\n",
                      hopeless, hopeless, hopeless, run->options.dir);
    return hopeless == NULL;
}

/* true: the run came to its end; false: it cannot go on. */
static bool watch(struct running *run)
{
    int64_t mono_ns = clock_mono_ns(), next_ns = mono_ns + NS_PER_SEC, asked_ns = 0;
    run->started_mono_ns = run->last_mono_ns = mono_ns;
    while (!finished(run, mono_ns)) {
        (void)usleep(WATCH_US);
        if (!keep_alive(run))
            return false;
        mono_ns = clock_mono_ns();
        if (mono_ns - asked_ns > ASK_EVERY_NS) {
            ask_all(run);
            asked_ns = mono_ns;
        }
        if (mono_ns >= next_ns) {
            show_status(run, mono_ns);
            next_ns = mono_ns - next_ns < NS_PER_SEC ? next_ns + NS_PER_SEC : mono_ns + NS_PER_SEC;
        }
    }
    return true;
}

/* ---- stopping, in the design's order
 * ---------------------------------------------------------------------------- */

static int child_index(const struct running *run, const char *name)
{
    for (int i = 0; i < run->children.n; i++)
        if (strcmp(run->children.child[i].name, name) == 0)
            return i;
    return -1;
}

static void tell(struct running *run, const char *name, enum control_verb verb)
{
    struct reply reply;
    int i = child_index(run, name);
    for (int attempt = 0; i >= 0 && attempt < 3; attempt++)
        if (control_ask(run->control[i], verb, "", 1000, &reply) == OK)
            return;
}

static bool answers(const struct running *run, const char *name)
{
    int i = child_index(run, name);
    return i >= 0 && run->answered[i];
}

/* Nothing is under way any more: exec has taken all of risk's ledger and has no basket open, and risk has
 * taken all of exec's. What either said before it died is no proof. */
static bool settled(struct running *run)
{
    ask_all(run);
    return answers(run, "exec") && answers(run, "risk") && figure(run, "risk", "current") > 0 &&
           figure(run, "exec", "baskets_open") == 0 && figure(run, "risk", "open_baskets") == 0 &&
           figure(run, "exec", "risk_pos") >= figure(run, "risk", "ledger_head_pos");
}

static void stop_all(struct running *run)
{
    for (int i = 0; i < run->children.n; i++)
        if (strncmp(run->children.child[i].name, "strategy", 8) == 0) {
            run->children.child[i].wanted = false;
            tell(run, run->children.child[i].name, VERB_STOP);
            supervisor_end(&run->children, run->children.child[i].name, 2000);
        }
    tell(run, "risk", VERB_DRAIN);
    for (int64_t until_ns = clock_mono_ns() + STOP_MS * NS_PER_MS;
         clock_mono_ns() < until_ns && !settled(run);) {
        (void)supervisor_watch(&run->children); /* who dies now is still needed */
        (void)usleep(WATCH_US);
    }
    static const char *const order[] = {"risk", "exec", "recorder", "feed"};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        struct child *c = supervisor_child(&run->children, order[i]);
        if (c)
            c->wanted = false;
        tell(run, order[i], VERB_STOP);
        supervisor_end(&run->children, order[i], STOP_MS);
    }
}

/* ---- the verb
 * ---------------------------------------------------------------------------------------------------- */

static int prepare(struct running *run)
{
    char error[RUN_ERROR_MAX], run_id[RUN_ID_MAX];
    run_id_now(run_id);
    if (!*run->options.dir)
        (void)snprintf(run->options.dir, sizeof run->options.dir, "runs/%s", run_id);
    if (!supervisor_open(&run->children)) {
        (void)fprintf(stderr, "sluice: the services' programs are not beside this one\n");
        return EXIT_FAILED;
    }
    if (run_options_settle(&run->options, error) != OK || run_dir_open(&run->options, run_id, error) != OK) {
        (void)fprintf(stderr, "sluice: %s\n", error);
        return EXIT_CONFIG;
    }
    if (run_id_read(run_id) != OK) {
        (void)fprintf(stderr,
                      "sluice: %s: run_id: cannot be read; expected one word of letters, digits and -\n",
                      run->options.dir);
        return EXIT_CONFIG;
    }
    say_hello(run, run_id);
    return 0;
}

int verb_run(int argc, char **argv)
{
    static struct running run;
    char words[512];
    int code = run_options_read(argc, argv, usage, &run.options, &run.limits);
    if (code)
        return code < 0 ? 0 : code;
    code = prepare(&run);
    if (code)
        return code;
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    run.terminal = isatty(STDOUT_FILENO) == 1;
    run.zmq = zmq_ctx_new();
    bool ended = run.zmq && start_all(&run) && watch(&run);
    const char *refusing = ended ? supervisor_refusing(&run.children) : NULL;
    if (ended)
        stop_all(&run);
    else
        supervisor_kill_all(&run.children);
    supervisor_close();
    for (int i = 0; i < run.children.n; i++)
        control_close(&run.control[i]);
    if (run.zmq)
        (void)zmq_ctx_term(run.zmq);
    code = ended ? report_print(".", false, stdout) : EXIT_FAILED;
    if (figure(&run, "feed", "damaged") > 0) {
        (void)fprintf(stderr,
                      "sluice: a recording is damaged and ended before its time; see log/feed.log in %s\n",
                      run.options.dir);
        code = code == EXIT_DONE ? EXIT_FAILED : code;
    }
    if (refusing) {
        supervisor_last_words(supervisor_child(&run.children, refusing), words, sizeof words);
        (void)fprintf(stderr, "sluice: %s did not run, it ended %s\n", refusing, words);
        code = code == EXIT_DONE ? EXIT_FAILED : code;
    }
    return code;
}
