/* `sluice run`: the whole pipeline on one host, supervised. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "lib/base/clock.h"
#include "lib/runtime/placement.h"
#include "services/strategy/worker.h"
#include "tools/report.h"
#include "tools/roll_call.h"
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
    "  --routes [N=]PREFIX[,PREFIX...]\n"
    "                      worker N (without N: every worker without a --routes of its own) takes only "
    "routes whose\n"
    "                      name begins with one of these; a worker without any takes what nobody is pinned "
    "to;\n"
    "                      may be repeated, once for each N\n"
    "  --seconds N         stop after N seconds\n"
    "  --evaluations N     stop after N evaluations\n"
    "\n"
    "exit codes: 0 done and reconciled, 1 failed, 2 usage, 3 config, 5 the directory is taken,\n"
    "            6 not reconciled\n";

enum {
    WATCH_MS = 20,
    SETTLE_ASK_MS = 300,
    SETTLE_MS = 8000,
    STOP_MS = 8000,
    STOP_WORKERS_MS = 2000,
    STOP_SILENT_MS = 1000, /* who does not answer is ended by force then */
    ABSENT_MS = 2000,      /* at a stop, who says why it does not come up is waited for so long */
    HUNG_MS = 4000,        /* and who says nothing */
};

#define ASK_EVERY_NS   (200 * NS_PER_MS)
#define SILENT_NS      NS_PER_SEC
#define ROUTES_FORM_NS (5 * NS_PER_SEC)

struct running {
    struct run_options options;
    struct run_limits limits;
    struct supervisor children;
    void *zmq;
    struct roll_call services; /* indexed as children */
    bool told_of_pins;
    int64_t started_mono_ns;
    int64_t ownerless_mono_ns; /* since when some routes have no worker; 0 = all have */
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
        roll_call_add(&run->services, run->zmq, name) == OK)
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
    for (uint32_t i = 0; strcmp(c->feed.source, "live") == 0 && i < c->n_venues; i++)
        printf("market: LIVE %s%s%s, %s\n", c->venues[i].venue, *c->venues[i].ws_url ? " at " : "",
               c->venues[i].ws_url, c->venues[i].symbols);
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

/* The sum of a figure over the services that have it; what a service said last counts while it is away. */
static int64_t figure(const struct running *run, const char *service, const char *name)
{
    int64_t sum = 0;
    for (int i = 0; i < run->children.n; i++)
        if (strncmp(run->children.child[i].name, service, strlen(service)) == 0)
            sum += control_metric(&run->services.reply[i], name, 0);
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

static int child_index(const struct running *run, const char *name)
{
    for (int i = 0; i < run->children.n; i++)
        if (strcmp(run->children.child[i].name, name) == 0)
            return i;
    return -1;
}

static bool is_worker(const struct running *run, int i)
{
    return strncmp(run->children.child[i].name, "strategy", 8) == 0;
}

static bool answers(const struct running *run, int i, int64_t mono_ns)
{
    const struct child *c = &run->children.child[i];
    return c->pid && roll_call_answered(&run->services, i, c->started_mono_ns) &&
           roll_call_answered(&run->services, i, mono_ns - SILENT_NS);
}

/* A prefix that begins no route is a slip of the hand; routes form while instruments become known. */
static void tell_of_pins(struct running *run, int64_t mono_ns)
{
    if (run->told_of_pins || figure(run, "risk", "routes") == 0 ||
        mono_ns - run->started_mono_ns < ROUTES_FORM_NS)
        return;
    run->told_of_pins = true;
    for (int i = 0; i < run->children.n; i++) {
        const char *name = run->children.child[i].name;
        const char *pinned = is_worker(run, i) ? worker_pinned(&run->options.config, name) : "";
        if (*pinned && answers(run, i, mono_ns) &&
            control_metric(&run->services.reply[i], "routes_open", 0) == 0)
            printf("%s takes only routes that begin with %s: there is none, it has nothing to do\n", name,
                   pinned);
    }
}

/* How many routes have had no worker for longer than an assignment takes. */
static int64_t ownerless(struct running *run, int64_t mono_ns)
{
    int64_t n = figure(run, "risk", "routes") - figure(run, "risk", "routes_assigned");
    if (n <= 0)
        run->ownerless_mono_ns = 0;
    else if (run->ownerless_mono_ns == 0)
        run->ownerless_mono_ns = mono_ns;
    bool long_since = run->ownerless_mono_ns &&
                      mono_ns - run->ownerless_mono_ns > run->options.config.risk.lease_ms * NS_PER_MS;
    return long_since ? n : 0;
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
    const int64_t without_worker = ownerless(run, mono_ns);
    if (without_worker > 0)
        printf(" | %" PRId64 " routes without a worker", without_worker);
    const char *feed_words = run->services.reply[child_index(run, "feed")].text;
    if (*feed_words)
        printf(" | %s", feed_words);
    const char *separator = " | no answer: ";
    for (int i = 0; i < run->children.n; i++)
        if (!answers(run, i, mono_ns)) {
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

/* Starts again who has died, and says so. */
static void tend(struct running *run)
{
    char words[512];
    if (supervisor_watch(&run->children) == 0)
        return;
    for (int i = 0; i < run->children.n; i++) {
        const struct child *c = &run->children.child[i];
        if (!c->fell)
            continue;
        supervisor_last_words(c, words, sizeof words);
        printf("%s died %s; starting it again", c->name, words);
        if (c->quick_deaths > 1)
            printf(" in %" PRId64 " ms: it has died at once %u times in a row, see log/%s.log",
                   c->pause_ns / NS_PER_MS, c->quick_deaths, c->name);
        (void)putchar('\n');
    }
    (void)fflush(stdout);
}

/* true: the run came to its end; false: it cannot go on. */
static bool watch(struct running *run)
{
    int64_t mono_ns = clock_mono_ns(), next_ns = mono_ns + NS_PER_SEC, asked_ns = 0;
    run->started_mono_ns = run->last_mono_ns = mono_ns;
    while (!finished(run, mono_ns)) {
        roll_call_listen(&run->services, WATCH_MS);
        tend(run);
        const char *hopeless = supervisor_hopeless(&run->children);
        if (hopeless) {
            (void)fprintf(
                stderr,
                "sluice: %s ends at once, ten times in a row; see log/%s.log and log/%s.stderr in %s\n",
                hopeless, hopeless, hopeless, run->options.dir);
            return false;
        }
        mono_ns = clock_mono_ns();
        if (mono_ns - asked_ns > ASK_EVERY_NS) {
            roll_call_ask(&run->services);
            asked_ns = mono_ns;
        }
        if (mono_ns >= next_ns) {
            tell_of_pins(run, mono_ns);
            show_status(run, mono_ns);
            next_ns = mono_ns - next_ns < NS_PER_SEC ? next_ns + NS_PER_SEC : mono_ns + NS_PER_SEC;
        }
    }
    return true;
}

/* ---- stopping, in the design's order
 * ---------------------------------------------------------------------------- */

/* Tells all that are marked to stop, and waits for them together. */
static void stop_these(struct running *run, const bool *which, int timeout_ms)
{
    int64_t until_ns = clock_mono_ns() + timeout_ms * NS_PER_MS;
    for (int i = 0; i < run->children.n; i++)
        if (which[i]) {
            run->children.child[i].wanted = false;
            if (run->children.child[i].pid)
                roll_call_tell(&run->services, i, VERB_STOP);
        }
    for (int i = 0; i < run->children.n; i++)
        if (which[i]) {
            int64_t left_ms = (until_ns - clock_mono_ns()) / NS_PER_MS;
            supervisor_end(&run->children, run->children.child[i].name, left_ms > 0 ? (int)left_ms : 0);
        }
}

static void stop_workers(struct running *run)
{
    bool workers[CHILDREN_MAX] = {false};
    for (int i = 0; i < run->children.n; i++)
        workers[i] = is_worker(run, i);
    stop_these(run, workers, STOP_WORKERS_MS);
}

/* Nothing is under way any more: exec has taken all of risk's ledger and has no basket open, and risk has
 * taken all of exec's. What either said before it died is no proof. */
static bool settled(struct running *run, int risk, int exec)
{
    bool asked[CHILDREN_MAX] = {false};
    int64_t mono_ns = clock_mono_ns();
    asked[risk] = asked[exec] = true;
    roll_call_ask_now(&run->services, asked, SETTLE_ASK_MS);
    return roll_call_answered(&run->services, risk, mono_ns) &&
           roll_call_answered(&run->services, exec, mono_ns) && figure(run, "risk", "current") > 0 &&
           figure(run, "exec", "baskets_open") == 0 && figure(run, "risk", "open_baskets") == 0 &&
           figure(run, "exec", "risk_pos") >= figure(run, "risk", "ledger_head_pos");
}

/* It says why it does not come up, or says nothing at all: nobody can tell any more whether all is settled. */
static bool is_absent(const struct running *run, int i, int64_t begin_ns)
{
    const struct child *c = &run->children.child[i];
    const int64_t mono_ns = clock_mono_ns();
    if (c->refusals > 1 && (!c->pid || mono_ns - c->started_mono_ns < ABSENT_MS * NS_PER_MS))
        return mono_ns - begin_ns >= ABSENT_MS * NS_PER_MS;
    return !roll_call_answered(&run->services, i, mono_ns - HUNG_MS * NS_PER_MS) &&
           mono_ns - begin_ns >= HUNG_MS * NS_PER_MS;
}

/* The gate accepts nothing more, and what was accepted comes to its end. Who dies now is still needed. */
static void settle(struct running *run)
{
    const int risk = child_index(run, "risk"), exec = child_index(run, "exec");
    const int64_t begin_ns = clock_mono_ns();
    pid_t told = 0;
    for (;;) {
        tend(run);
        const struct child *gate = &run->children.child[risk];
        if (gate->pid && gate->pid != told) {
            roll_call_tell(&run->services, risk, VERB_DRAIN);
            told = gate->pid;
        }
        if (settled(run, risk, exec))
            return;
        const bool no_risk = is_absent(run, risk, begin_ns), no_exec = is_absent(run, exec, begin_ns);
        if (no_risk || no_exec || clock_mono_ns() - begin_ns >= SETTLE_MS * NS_PER_MS) {
            printf("stopping with something under way: %s\n", no_risk ? "risk does not answer"
                                                              : no_exec
                                                                  ? "exec does not answer"
                                                                  : "risk and exec have not come to rest");
            return;
        }
        roll_call_listen(&run->services, WATCH_MS);
    }
}

static void stop_all(struct running *run)
{
    static const char *const order[] = {"risk", "exec", "recorder", "feed"};
    stop_workers(run);
    settle(run);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        bool one[CHILDREN_MAX] = {false};
        const int at = child_index(run, order[i]);
        one[at] = true;
        roll_call_ask_now(&run->services, one, STOP_SILENT_MS);
        const bool there = roll_call_answered(&run->services, at, clock_mono_ns() - HUNG_MS * NS_PER_MS);
        stop_these(run, one, there ? STOP_MS : STOP_SILENT_MS);
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
    if (run_options_decoded(&run->options.config)) {
        (void)fprintf(stderr,
                      "sluice: recordings.0.path '%s': a decoded capture; expected a recording, for only "
                      "`sluice backtest` plays what is decoded\n",
                      run->options.config.recordings[0].path);
        return EXIT_CONFIG;
    }
    int status = run_options_settle(&run->options, error);
    if (status == OK)
        status = run_dir_open(&run->options, run_id, error);
    if (status != OK) {
        (void)fprintf(stderr, "sluice: %s\n", error);
        return run_dir_taken(status) ? EXIT_REFUSED : EXIT_CONFIG;
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
    if (run.options.resume && !*run.options.dir) {
        (void)fprintf(stderr, "sluice: --resume: which run? expected --dir RUN with it\n");
        return EXIT_USAGE;
    }
    code = prepare(&run);
    if (code)
        return code;
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    run.terminal = isatty(STDOUT_FILENO) == 1;
    run.zmq = zmq_ctx_new();
    placement_choose(&run.options.config);
    bool ended = run.zmq && start_all(&run) && watch(&run);
    const char *refusing = ended ? supervisor_refusing(&run.children) : NULL;
    if (ended)
        stop_all(&run);
    else
        supervisor_kill_all(&run.children);
    supervisor_close();
    roll_call_close(&run.services);
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
