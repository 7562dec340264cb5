/* `sluice backtest`: all cores in one process, on a virtual clock.
 *
 * The clock is the market's: it jumps from one change to the next, or to the next order that the paper venue
 * has due. Between two jumps every message a core has written is handed to the others, until none is left;
 * that takes no time. Nothing else is different from a live run: the same cores, the same effects, the same
 * journals. Since every id and every stamp derives from config and market time, equal inputs give ledgers
 * that are equal byte for byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/table.h"
#include "lib/runtime/ledger.h"
#include "services/exec/exec.h"
#include "services/feed/feed.h"
#include "services/recorder/store_fill.h"
#include "services/risk/risk.h"
#include "services/strategy/worker.h"
#include "tools/control.h"
#include "tools/market_capture.h"
#include "tools/report.h"
#include "tools/run_options.h"
#include "tools/verb.h"
#include "venues/paper/paper.h"
#include "venues/player.h"

static const char usage[] =
    "usage: sluice backtest [options]\n"
    "\n"
    "Runs feed, worker, gate, hand and paper venue in one process on a virtual clock, as fast as the CPU "
    "goes. Equal\n"
    "inputs give equal ledgers, byte for byte: compare two with `sluice journal diff RUN1 RUN2`.\n"
    "\n"
    "  --config FILE       settings (YAML)\n"
    "  --set KEY=VALUE     one setting; may be repeated\n"
    "  --dir RUN           run directory, made here; default runs/ID\n"
    "  --replay FILE       a recording, or a directory of them that is one; may be repeated. Or one decoded "
    "capture:\n"
    "                      RUN/journal/market\n"
    "  --instruments FILE  ticks, lots and fees, where a recording has none\n"
    "  --symbols N, --seed N   simulated market, when nothing is replayed\n"
    "  --seconds N         stop after N seconds of market time\n"
    "  --evaluations N     stop after N evaluations\n"
    "  --routes PREFIX[,PREFIX...]   trade only routes whose name begins with one of these\n"
    "\n"
    "exit codes: 0 done and reconciled, 1 failed, 2 usage, 3 config, 5 the directory is taken, 6 not "
    "reconciled\n";

enum { OUTBOX_MESSAGES = 4096, PAPER_ORDERS = 65536, BACKTEST_INSTRUMENTS = 2048, SIM_SECONDS_DEFAULT = 60 };

#define BEAT_NS     (250 * NS_PER_MS)
#define PROGRESS_NS (500 * NS_PER_MS)

/* A simulated market has no clock of its own to begin at: 2024-01-01 UTC. */
#define SIM_START_NS (INT64_C(1704067200) * NS_PER_SEC)

struct backtest {
    struct run_options options;
    struct run_limits limits;
    char run_id[RUN_ID_MAX];
    struct now now;
    struct player *player; /* or: */
    struct market_capture *capture;
    struct view *view;
    struct feed *feed;
    struct worker *worker;
    struct risk *risk;
    struct exec *exec;
    struct paper *paper;
    struct ledger *risk_ledger, *exec_ledger;
    struct outbox from_feed, from_worker, from_risk, from_exec;
    struct devices feed_devices, worker_devices, risk_devices, exec_devices;
    FILE *paper_log;
    struct order questions[64];
    uint32_t n_questions;
    int64_t first_ns, beat_ns, timer_ns;
    int64_t started_mono_ns, shown_mono_ns;
    uint64_t events;
};

/* ---- the market
 * ------------------------------------------------------------------------------------------------- */

static void on_instrument(void *ctx, const struct venue_book *book)
{
    struct backtest *b = ctx;
    feed_on_instrument(b->feed, book->inst.venue, book, b->now);
}

static void on_book(void *ctx, const struct venue_book *book)
{
    struct backtest *b = ctx;
    feed_on_book(b->feed, book->inst.venue, book, b->now);
}

static void on_best(void *ctx, const struct venue_book *book, const struct bbo *bbo)
{
    struct backtest *b = ctx;
    feed_on_best(b->feed, book->inst.venue, book, bbo, b->now);
}

/* ---- who hears whom
 * ---------------------------------------------------------------------------------------------- */

static int publish_market(void *ctx, struct message *m)
{
    struct backtest *b = ctx;
    int index = view_apply(b->view, m, b->now);
    b->events++;
    if (index < 0)
        return OK;
    worker_on_market(b->worker, index, m, b->now);
    if (m->env.type == MSG_INST) {
        exec_on_market(b->exec, index, b->now, &b->from_exec);
        risk_on_market(b->risk, index, b->now, &b->from_risk);
    }
    return OK;
}

static int64_t market_next_ns(const struct backtest *b)
{
    return b->capture ? market_capture_next_ns(b->capture) : player_next_ns(b->player);
}

/* The next change: of a player's market the feed tells, and a capture is what a feed has told. */
static void market_step(struct backtest *b)
{
    if (b->capture)
        (void)publish_market(b, market_capture_take(b->capture));
    else
        player_step(b->player);
}

static double market_progress(const struct backtest *b)
{
    return b->capture ? market_capture_progress(b->capture) : player_progress(b->player);
}

static const char *market_damage(const struct backtest *b)
{
    return b->capture ? market_capture_damage(b->capture) : player_damage(b->player);
}

static int market_open(struct backtest *b, char error[CONFIG_ERROR_MAX])
{
    const struct config *c = &b->options.config;
    struct market_sink sink = {.ctx = b, .instrument = on_instrument, .book = on_book, .best = on_best};
    if (run_options_decoded(c))
        return market_capture_open(c->recordings[0].path, &b->capture, error, CONFIG_ERROR_MAX);
    return player_open(c, SIM_START_NS, &sink, &b->player, error);
}

static int send_command(void *ctx, enum peer to, struct message *m)
{
    struct backtest *b = ctx;
    if (to == PEER_RISK)
        risk_on_command(b->risk, m, b->now, &b->from_risk);
    return OK;
}

static int append_risk(void *ctx, struct message *m)
{
    return ledger_append(((struct backtest *)ctx)->risk_ledger, m);
}

static int write_risk(void *ctx)
{
    return ledger_write(((struct backtest *)ctx)->risk_ledger);
}

static int publish_risk(void *ctx, struct message *m)
{
    struct backtest *b = ctx;
    (void)ledger_publish(b->risk_ledger, m);
    worker_on_risk(b->worker, m, b->now);
    exec_on_risk(b->exec, m, b->now, &b->from_exec);
    return OK;
}

static int append_exec(void *ctx, struct message *m)
{
    return ledger_append(((struct backtest *)ctx)->exec_ledger, m);
}

static int write_exec(void *ctx)
{
    return ledger_write(((struct backtest *)ctx)->exec_ledger);
}

static int publish_exec(void *ctx, struct message *m)
{
    struct backtest *b = ctx;
    (void)ledger_publish(b->exec_ledger, m);
    worker_on_exec(b->worker, m, b->now);
    risk_on_exec(b->risk, m, b->now, &b->from_risk);
    return OK;
}

static int send_order(void *ctx, enum peer to, struct message *m)
{
    struct backtest *b = ctx;
    if (to == PEER_VENUE && m->order.state != ORDER_UNKNOWN)
        paper_submit(b->paper, &m->order, b->now);
    else if (to == PEER_VENUE && b->n_questions < sizeof b->questions / sizeof *b->questions)
        b->questions[b->n_questions++] = m->order;
    return OK;
}

static void arm_timer(void *ctx, int64_t market_ns)
{
    struct backtest *b = ctx;
    if (market_ns > b->now.market_ns && market_ns < b->timer_ns)
        b->timer_ns = market_ns;
}

static void on_report(void *ctx, const struct order_report *report)
{
    struct backtest *b = ctx;
    if (!outbox_has_room(&b->from_exec))
        (void)effects_run(&b->from_exec, &b->exec_devices);
    exec_on_report(b->exec, report, b->now, &b->from_exec);
}

static int write_paper_log(void *ctx, const char *line, size_t len)
{
    struct backtest *b = ctx;
    return fwrite(line, 1, len, b->paper_log) == len ? OK : E_IO;
}

static void no_record(void *ctx, const struct message *record)
{
    (void)ctx;
    (void)record;
}

/* ---- one instant
 * --------------------------------------------------------------------------------------------------- */

/* Hands around what the cores have written until nothing is left. */
static int settle(struct backtest *b)
{
    int status = OK;
    while (status == OK && b->from_feed.n_effects + b->from_worker.n_effects + b->from_risk.n_effects +
                                   b->from_exec.n_effects >
                               0) {
        status = effects_run(&b->from_feed, &b->feed_devices);
        if (status == OK)
            status = effects_run(&b->from_worker, &b->worker_devices);
        if (status == OK)
            status = effects_run(&b->from_risk, &b->risk_devices);
        if (status == OK)
            status = effects_run(&b->from_exec, &b->exec_devices);
    }
    return status;
}

static void beat(struct backtest *b)
{
    struct message m;
    if (b->now.market_ns < b->beat_ns)
        return;
    b->beat_ns = b->now.market_ns + BEAT_NS;
    message_init(&m, MSG_BEAT);
    (void)snprintf(m.env.stream, sizeof m.env.stream, "exec");
    (void)snprintf(m.beat.source, sizeof m.beat.source, "exec");
    m.beat.alive = true;
    m.beat.market_time = b->now.market_ns;
    m.beat.head_pos = m.beat.synced_pos = exec_head(b->exec)->pos;
    m.env.epoch = exec_head(b->exec)->epoch;
    exec_upstream(b->exec, &m.beat.upstream_epoch, &m.beat.upstream_pos);
    risk_on_exec(b->risk, &m, b->now, &b->from_risk);
    feed_on_time(b->feed, b->now, &b->from_feed);
    worker_on_time(b->worker, b->now, &b->from_worker);
    risk_on_time(b->risk, b->now, &b->from_risk);
}

/* Everything that happens at one market time, after the market has changed. */
static int instant(struct backtest *b)
{
    bool more;
    int status;
    beat(b);
    do {
        more = feed_publish(b->feed, b->now, &b->from_feed);
        status = settle(b);
    } while (more && status == OK);
    worker_decide(b->worker, true, b->now, &b->from_worker);
    if (status == OK)
        status = settle(b);
    while (status == OK) {
        while (b->n_questions > 0) {
            struct order asked = b->questions[--b->n_questions];
            paper_look_up(b->paper, asked.venue, asked.client_id, on_report, b);
        }
        (void)paper_run(b->paper, b->now, on_report, b);
        exec_on_time(b->exec, b->now, &b->from_exec);
        if (b->from_exec.n_effects == 0)
            break;
        status = settle(b);
    }
    return status;
}

static void advance(struct backtest *b, int64_t market_ns)
{
    b->now = (struct now){market_ns, market_ns, market_ns};
    if (b->timer_ns <= market_ns)
        b->timer_ns = INT64_MAX;
}

static bool over(const struct backtest *b, int64_t next_ns)
{
    static struct reply reply;
    if (next_ns == INT64_MAX || (b->limits.seconds && next_ns - b->first_ns > b->limits.seconds * NS_PER_SEC))
        return true;
    if (b->limits.evaluations == 0)
        return false;
    reply.n_metrics = 0;
    worker_status(b->worker, &reply);
    return control_metric(&reply, "evaluations", 0) >= b->limits.evaluations;
}

static void show_progress(struct backtest *b, bool terminal)
{
    if (!terminal)
        return;
    int64_t mono_ns = clock_mono_ns();
    if (mono_ns - b->shown_mono_ns < PROGRESS_NS)
        return;
    b->shown_mono_ns = mono_ns;
    double seconds = (double)(mono_ns - b->started_mono_ns) / (double)NS_PER_SEC;
    double market_s = (double)(b->now.market_ns - b->first_ns) / (double)NS_PER_SEC;
    double done = market_progress(b);
    if (b->limits.seconds && market_s / (double)b->limits.seconds > done)
        done = market_s / (double)b->limits.seconds;
    (void)fprintf(stderr, "\r%5.1f %%  %.0f s of market time  %.0f messages/s  %.0f s left   ", done * 100,
                  market_s, (double)b->events / seconds, done > 0 ? seconds * (1 - done) / done : 0.0);
}

/* Due orders and timers between two changes of the market see the book as it stood. */
static int play_until(struct backtest *b, int64_t next_ns)
{
    int status = OK;
    while (status == OK) {
        int64_t due_ns = paper_next_ns(b->paper);
        if (b->timer_ns < due_ns)
            due_ns = b->timer_ns;
        if (due_ns >= next_ns)
            break;
        advance(b, due_ns > b->now.market_ns ? due_ns : b->now.market_ns + 1);
        status = instant(b);
    }
    return status;
}

static int play(struct backtest *b)
{
    bool terminal = isatty(STDERR_FILENO) == 1;
    int status = OK;
    b->first_ns = market_next_ns(b);
    b->started_mono_ns = clock_mono_ns();
    for (int64_t next_ns = b->first_ns; status == OK && !over(b, next_ns); next_ns = market_next_ns(b)) {
        status = play_until(b, next_ns);
        advance(b, next_ns);
        market_step(b);
        if (status == OK)
            status = instant(b);
        show_progress(b, terminal);
    }
    if (terminal)
        (void)fprintf(stderr, "\r%60s\r", "");
    return status;
}

/* ---- begin and end
 * ----------------------------------------------------------------------------------------------- */

static bool make_cores(struct backtest *b, char error[CONFIG_ERROR_MAX])
{
    const struct config *c = &b->options.config;
    (void)snprintf(error, CONFIG_ERROR_MAX, "out of memory");
    b->view = view_new(BACKTEST_INSTRUMENTS, 0);
    b->feed = feed_new(&(struct feed_options){
        .config = c, .epoch = 1, .instruments = BACKTEST_INSTRUMENTS, .stamp_market_time = true});
    b->risk = risk_new(&(struct risk_options){.config = c, .view = b->view, .run = b->run_id});
    b->exec = exec_new(&(struct exec_options){.config = c, .view = b->view, .run = b->run_id});
    b->paper = paper_new(c, b->view, PAPER_ORDERS, (struct paper_log){.ctx = b, .write = write_paper_log});
    b->paper_log = fopen("paper.log", "we");
    if (!b->view || !b->feed || !b->risk || !b->exec || !b->paper || !b->paper_log ||
        outbox_open(&b->from_feed, OUTBOX_MESSAGES) || outbox_open(&b->from_worker, OUTBOX_MESSAGES) ||
        outbox_open(&b->from_risk, OUTBOX_MESSAGES) || outbox_open(&b->from_exec, OUTBOX_MESSAGES))
        return false;
    b->worker = worker_new(&(struct worker_options){.config = c,
                                                    .view = b->view,
                                                    .strategy = strategy_named(c->strategy.name),
                                                    .run = b->run_id,
                                                    .name = "strategy-1",
                                                    .incarnation = 1},
                           error);
    return b->worker && market_open(b, error) == OK &&
           ledger_open("risk", c, NULL, no_record, NULL, NULL, &b->risk_ledger, error) == OK &&
           ledger_open("exec", c, NULL, no_record, NULL, NULL, &b->exec_ledger, error) == OK;
}

static int begin(struct backtest *b)
{
    b->feed_devices = (struct devices){.ctx = b, .publish = publish_market};
    b->worker_devices = (struct devices){.ctx = b, .send = send_command};
    b->risk_devices = (struct devices){
        .ctx = b, .append = append_risk, .write = write_risk, .publish = publish_risk, .timer = arm_timer};
    b->exec_devices = (struct devices){.ctx = b,
                                       .append = append_exec,
                                       .write = write_exec,
                                       .publish = publish_exec,
                                       .send = send_order,
                                       .timer = arm_timer};
    b->timer_ns = INT64_MAX;
    advance(b, market_next_ns(b));
    exec_start(b->exec, 1, b->now, &b->from_exec);
    risk_start(b->risk, 1, b->now, &b->from_risk);
    worker_on_time(b->worker, b->now, &b->from_worker);
    return settle(b);
}

/* What is under way when the market ends is played out at its last prices. */
static int end(struct backtest *b)
{
    worker_stop(b->worker, b->now, &b->from_worker);
    int status = settle(b);
    if (status == OK)
        status = play_until(b, INT64_MAX);
    (void)risk_on_control(b->risk, VERB_STOP, "", b->now, &b->from_risk);
    (void)exec_on_control(b->exec, VERB_STOP, "", b->now, &b->from_exec);
    if (status == OK)
        status = settle(b);
    if (fclose(b->paper_log) != 0)
        status = E_IO;
    ledger_close(&b->risk_ledger);
    ledger_close(&b->exec_ledger);
    return status;
}

static void close_all(struct backtest *b)
{
    player_close(&b->player);
    market_capture_close(&b->capture);
    feed_destroy(&b->feed);
    worker_destroy(&b->worker);
    risk_destroy(&b->risk);
    exec_destroy(&b->exec);
    paper_destroy(&b->paper);
    outbox_close(&b->from_feed);
    outbox_close(&b->from_worker);
    outbox_close(&b->from_risk);
    outbox_close(&b->from_exec);
}

/* Ids of a backtest derive from its settings; where the recordings lie is not one of them. */
static void derive_run_id(struct backtest *b)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    struct config *named = malloc(sizeof *named);
    if (f && named) {
        *named = b->options.config;
        named->n_recordings = 0;
        *named->feed.instruments = '\0';
        config_write(named, f, false);
    }
    if (f)
        (void)fclose(f);
    (void)snprintf(b->run_id, sizeof b->run_id, "backtest-%016lx", fnv1a(FNV_OFFSET, text, len));
    free(named);
    free(text);
}

static int fail(const char *words)
{
    (void)fprintf(stderr, "sluice: %s\n", words);
    return EXIT_FAILED;
}

int verb_backtest(int argc, char **argv)
{
    static struct backtest b;
    char error[RUN_ERROR_MAX], stamp[RUN_ID_MAX];
    int code = run_options_read(argc, argv, usage, &b.options, &b.limits);
    if (code)
        return code < 0 ? 0 : code;
    if (b.options.resume) {
        (void)fail("--resume: a backtest is not gone on with; expected a new --dir");
        return EXIT_USAGE;
    }
    if (b.options.live_only) {
        (void)fprintf(
            stderr,
            "sluice: %s: a backtest has one worker and goes as fast as the CPU; expected no %s (it belongs "
            "to sluice run)\n",
            b.options.live_only, b.options.live_only);
        return EXIT_USAGE;
    }
    run_id_now(stamp);
    if (!*b.options.dir)
        (void)snprintf(b.options.dir, sizeof b.options.dir, "runs/%s", stamp);
    if (strcmp(b.options.config.feed.source, "sim") == 0 && !b.limits.seconds && !b.limits.evaluations)
        b.limits.seconds = SIM_SECONDS_DEFAULT;
    if (config_set(&b.options.config, "journal.sync", "never", error) != OK ||
        run_options_settle(&b.options, error) != OK) {
        (void)fail(error);
        return EXIT_CONFIG;
    }
    derive_run_id(&b);
    int opened = run_dir_open(&b.options, b.run_id, error);
    if (opened != OK) {
        (void)fail(error);
        return run_dir_taken(opened) ? EXIT_REFUSED : EXIT_CONFIG;
    }
    if (!make_cores(&b, error))
        return fail(error);
    printf("run %s in %s\n", b.run_id, b.options.dir);
    (void)fflush(stdout);
    int status = begin(&b);
    if (status == OK)
        status = play(&b);
    if (status == OK)
        status = end(&b);
    if (status == OK)
        status = store_fill(".", b.view, error);
    bool damaged = *market_damage(&b) != 0;
    if (damaged)
        (void)fail(market_damage(&b));
    close_all(&b);
    view_destroy(&b.view);
    code = status == OK ? report_print(".", false, stdout) : fail(*error ? error : status_text(status));
    return code == EXIT_DONE && damaged ? EXIT_FAILED : code;
}
