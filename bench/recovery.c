/* How long risk and exec take to come back, by the number of events in their ledgers.
 *
 * The ledgers are made by the cores themselves: a worker enters and leaves routes, the gate decides, the hand trades, and
 * the venue fills whole. Every effect goes into real journals with snapshots on the way, as the services write them. Then
 * each ledger is opened anew, as at a start: journal, snapshot, what is behind it. Printed per ledger: its events and
 * bytes, and the time from opening to the state of the last event, the median of five.
 *
 * usage: bench_recovery [EVENTS...]     events of both ledgers together; 1000000 and 10000000 where none is named
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/market_made.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/runtime/ledger.h"
#include "services/exec/exec.h"
#include "services/risk/risk.h"

enum { SYMBOLS = MADE_SYMBOLS, STARTS = 5 };

struct life {
    struct config config;
    struct view *view;
    struct risk *risk;
    struct exec *exec;
    struct ledger *risk_ledger, *exec_ledger;
    struct outbox out;
    struct now now;
    struct message assigned[SYMBOLS];
    struct message decision; /* the last accepted one */
    bool accepted;
    struct order orders[8]; /* sent and not answered yet */
    int n_orders;
    uint64_t intents, trades, events, book_seq;
};

static _Noreturn void fail(const char *words)
{
    (void)fprintf(stderr, "bench_recovery: %s\n", words);
    exit(1);
}

/* ---- what the cores want done -------------------------------------------------------------------------- */

static int append_risk(void *ctx, struct message *m)
{
    struct life *life = ctx;
    life->events++;
    return ledger_append(life->risk_ledger, m);
}

static int write_risk(void *ctx)
{
    return ledger_write(((struct life *)ctx)->risk_ledger);
}

static int publish_risk(void *ctx, struct message *m)
{
    struct life *life = ctx;
    (void)ledger_publish(life->risk_ledger, m);
    if (m->env.type == MSG_ASSIGN)
        message_copy(&life->assigned[made_symbol_of(&m->assign)], m);
    if (m->env.type == MSG_DECISION && m->decision.verdict == VERDICT_ACCEPT) {
        message_copy(&life->decision, m);
        life->accepted = true;
    }
    return OK;
}

static void run_risk(struct life *life)
{
    const struct devices devices = {
        .ctx = life, .append = append_risk, .write = write_risk, .publish = publish_risk};
    if (effects_run(&life->out, &devices) != OK)
        fail(ledger_error(life->risk_ledger));
}

static int append_exec(void *ctx, struct message *m)
{
    struct life *life = ctx;
    life->events++;
    return ledger_append(life->exec_ledger, m);
}

static int write_exec(void *ctx)
{
    return ledger_write(((struct life *)ctx)->exec_ledger);
}

/* The gate hears it only when the hand's effects are done: both use one outbox. */
static struct message heard[512];
static int n_heard;

static int publish_exec(void *ctx, struct message *m)
{
    (void)ledger_publish(((struct life *)ctx)->exec_ledger, m);
    message_copy(&heard[n_heard++], m);
    return OK;
}

static int send_order(void *ctx, enum peer to, struct message *m)
{
    struct life *life = ctx;
    if (to == PEER_VENUE && m->order.state == ORDER_PENDING_NEW)
        life->orders[life->n_orders++] = m->order;
    return OK;
}

static void run_exec(struct life *life)
{
    const struct devices devices = {
        .ctx = life, .append = append_exec, .write = write_exec, .publish = publish_exec, .send = send_order};
    if (effects_run(&life->out, &devices) != OK)
        fail(ledger_error(life->exec_ledger));
    const int n = n_heard;
    n_heard = 0;
    for (int i = 0; i < n; i++)
        risk_on_exec(life->risk, &heard[i], life->now, &life->out);
    run_risk(life);
}

/* ---- market and workers -------------------------------------------------------------------------------- */

static void show(struct life *life, const struct message *m)
{
    int index = view_apply(life->view, m, life->now);
    risk_on_market(life->risk, index, life->now, &life->out);
    run_risk(life);
    if (m->env.type == MSG_INST) {
        exec_on_market(life->exec, index, life->now, &life->out);
        run_exec(life);
    }
}

static void list_instrument(struct life *life, int symbol, int venue)
{
    struct message m;
    made_instrument(&m, symbol, venue);
    show(life, &m);
}

static void quote(struct life *life, int symbol, int venue)
{
    struct message m;
    made_book(&m, symbol, venue, ++life->book_seq, MADE_MIDDLE, 1, life->now);
    show(life, &m);
}

static void hello(struct life *life)
{
    struct message m;
    uint64_t upstream_epoch, upstream_pos;
    made_hello(&m, "strategy-1", 11);
    risk_on_command(life->risk, &m, life->now, &life->out);
    run_risk(life);
    exec_upstream(life->exec, &upstream_epoch, &upstream_pos);
    made_beat_of_exec(&m, exec_head(life->exec), upstream_epoch, upstream_pos);
    risk_on_exec(life->risk, &m, life->now, &life->out);
    run_risk(life);
    risk_on_time(life->risk, life->now, &life->out);
    run_risk(life);
}

/* ---- one basket ---------------------------------------------------------------------------------------- */

static void answer_orders(struct life *life)
{
    while (life->n_orders > 0) {
        struct order order = life->orders[--life->n_orders];
        struct order_report r = {
            .kind = REPORT_ACK, .liquidity = LIQUIDITY_TAKER, .venue_time = life->now.market_ns};
        (void)text_set(r.venue, sizeof r.venue, order.venue);
        (void)text_set(r.client_id, sizeof r.client_id, order.client_id);
        exec_on_report(life->exec, &r, life->now, &life->out);
        r.kind = REPORT_FILL;
        (void)snprintf(r.trade_id, sizeof r.trade_id, "t%" PRIu64, ++life->trades);
        r.price = (struct dec){order.side == SIDE_BUY ? 10001 : 9999, -2};
        r.qty = r.filled = (struct dec){order.qty, order.qty_exp};
        r.fee = (struct dec){1, -2};
        (void)text_set(r.fee_currency, sizeof r.fee_currency, "USDT");
        exec_on_report(life->exec, &r, life->now, &life->out);
        r.kind = REPORT_DONE;
        exec_on_report(life->exec, &r, life->now, &life->out);
        run_exec(life);
    }
}

static void trade(struct life *life, int symbol, bool entry)
{
    struct message m;
    for (int v = 0; v < 2; v++)
        quote(life, symbol, v);
    made_intent(&m, &life->config, &life->assigned[symbol], risk_head(life->risk), ++life->intents, entry,
                life->now);
    life->accepted = false;
    risk_on_command(life->risk, &m, life->now, &life->out);
    run_risk(life);
    if (!life->accepted) {
        struct reply reply = {0};
        risk_status(life->risk, &reply);
        for (uint32_t i = 0; i < reply.n_metrics; i++)
            (void)fprintf(stderr, "  %s %" PRId64 "\n", reply.metrics[i].name, reply.metrics[i].value);
        fail("the gate refused an intent (its figures above)");
    }
    exec_on_risk(life->exec, &life->decision, life->now, &life->out);
    run_exec(life);
    answer_orders(life);
    exec_on_time(life->exec, life->now, &life->out);
    run_exec(life);
    answer_orders(life);
}

/* ---- snapshots ----------------------------------------------------------------------------------------- */

static void fill_risk(void *ctx, snapshot_emit_fn *emit, void *emit_ctx)
{
    const struct life *life = ctx;
    risk_snapshot(life->risk, life->now, emit, emit_ctx);
}

static void fill_exec(void *ctx, snapshot_emit_fn *emit, void *emit_ctx)
{
    const struct life *life = ctx;
    exec_snapshot(life->exec, life->now, emit, emit_ctx);
}

static int64_t snapshot_if_due(struct life *life, struct ledger *ledger,
                               void (*fill)(void *, snapshot_emit_fn *, void *))
{
    char error[LEDGER_ERROR_MAX];
    int64_t began_ns = clock_mono_ns();
    if (ledger_snapshot_end(ledger, false, error) < 0 ||
        (ledger_snapshot_due(ledger) && ledger_snapshot_begin(ledger, fill, life, error) != OK))
        fail(error);
    return clock_mono_ns() - began_ns;
}

/* ---- a life, and starts -------------------------------------------------------------------------------- */

static void restore_risk(void *ctx, const struct message *m)
{
    risk_restore(ctx, m);
}

static void apply_risk(void *ctx, const struct message *m)
{
    risk_apply(ctx, m);
}

static void restore_exec(void *ctx, const struct message *m)
{
    exec_restore(ctx, m);
}

static void apply_exec(void *ctx, const struct message *m)
{
    exec_apply(ctx, m);
}

static void make_cores(struct life *life)
{
    life->risk = risk_new(&(struct risk_options){&life->config, life->view, "bench", 1});
    life->exec = exec_new(&(struct exec_options){&life->config, life->view, "bench", 1});
    if (!life->risk || !life->exec)
        fail("out of memory");
}

static void open_ledgers(struct life *life, bool snapshots)
{
    char error[LEDGER_ERROR_MAX];
    if (ledger_open("risk", &life->config, NULL, apply_risk, snapshots ? restore_risk : NULL, life->risk,
                    &life->risk_ledger, error) != OK ||
        ledger_open("exec", &life->config, NULL, apply_exec, snapshots ? restore_exec : NULL, life->exec,
                    &life->exec_ledger, error) != OK)
        fail(error);
}

static void begin(struct life *life)
{
    char error[CONFIG_ERROR_MAX];
    config_defaults(&life->config);
    if (config_set(&life->config, "risk.max_daily_loss", "1000000000", error) !=
        OK) /* every round trip loses its spread */
        fail(error);
    (void)text_set(life->config.journal.sync, sizeof life->config.journal.sync, "never");
    life->config.risk.max_open_orders = 4096;
    life->now = (struct now){
        .market_ns = 1700000000 * NS_PER_SEC, .mono_ns = NS_PER_SEC, .utc_ns = 1700000000 * NS_PER_SEC};
    life->view = view_new(2 * SYMBOLS + 16, 0);
    if (!life->view || outbox_open(&life->out, OUTBOX_CAPACITY) != OK)
        fail("out of memory");
    make_cores(life);
    open_ledgers(life, true);
    risk_start(life->risk, 1, life->now, &life->out);
    run_risk(life);
    exec_start(life->exec, 1, life->now, &life->out);
    run_exec(life);
    for (int i = 0; i < SYMBOLS; i++)
        for (int v = 0; v < 2; v++)
            list_instrument(life, i, v);
    for (int i = 0; i < 8; i++)
        hello(life);
}

static uint64_t bytes_of(const char *dir)
{
    uint64_t sum = 0;
    DIR *names = opendir(dir);
    for (const struct dirent *entry; names && (entry = readdir(names));) {
        char path[300];
        struct stat file;
        (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (stat(path, &file) == 0 && S_ISREG(file.st_mode))
            sum += (uint64_t)file.st_size;
    }
    if (names)
        (void)closedir(names);
    return sum;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t start_ns(const struct config *config, const struct view *view, bool risk, bool snapshots)
{
    int64_t took[STARTS];
    for (int i = 0; i < STARTS; i++) {
        char error[LEDGER_ERROR_MAX];
        struct ledger *ledger;
        int64_t began_ns = clock_mono_ns();
        struct risk *gate = risk ? risk_new(&(struct risk_options){config, view, "bench", 1}) : NULL;
        struct exec *hand = risk ? NULL : exec_new(&(struct exec_options){config, view, "bench", 1});
        if (ledger_open(risk ? "risk" : "exec", config, NULL, risk ? apply_risk : apply_exec,
                        !snapshots ? NULL
                        : risk     ? restore_risk
                                   : restore_exec,
                        risk ? (void *)gate : (void *)hand, &ledger, error) != OK)
            fail(error);
        took[i] = clock_mono_ns() - began_ns;
        ledger_close(&ledger);
        risk_destroy(&gate);
        exec_destroy(&hand);
    }
    qsort(took, STARTS, sizeof *took, by_size);
    return took[STARTS / 2];
}

static void measure(uint64_t events)
{
    static struct life life;
    char dir[] = "/tmp/sluice-recovery.XXXXXX", command[64];
    int64_t longest_ns = 0;
    if (!mkdtemp(dir) || chdir(dir) != 0)
        fail("no directory can be made in /tmp");
    memset(&life, 0, sizeof life);
    begin(&life);
    bool entry = true;
    for (int i = 0; life.events < events; i = (i + 1) % SYMBOLS) {
        if (i == 0) {
            hello(&life);
            entry = !entry;
        }
        life.now.market_ns += 20 * NS_PER_MS;
        life.now.mono_ns += 2 * NS_PER_MS;
        life.now.utc_ns += 20 * NS_PER_MS;
        trade(&life, i, !entry);
        int64_t took = snapshot_if_due(&life, life.risk_ledger, fill_risk) +
                       snapshot_if_due(&life, life.exec_ledger, fill_exec);
        longest_ns = took > longest_ns ? took : longest_ns;
    }
    uint64_t of_risk = risk_head(life.risk)->pos, of_exec = exec_head(life.exec)->pos;
    char error[LEDGER_ERROR_MAX];
    if (ledger_snapshot_end(life.risk_ledger, true, error) < 0 ||
        ledger_snapshot_end(life.exec_ledger, true, error) < 0)
        fail(error);
    ledger_close(&life.risk_ledger);
    ledger_close(&life.exec_ledger);
    (void)printf("%" PRIu64 " events, %" PRIu64
                 " round trips; snapshots took %.1f ms of the loop at the most\n",
                 life.events, life.intents / 2, (double)longest_ns / 1e6);
    for (int risk = 1; risk >= 0; risk--) {
        (void)printf("  %-4s %9" PRIu64 " events, %6.0f MB: start %7.1f ms", risk ? "risk" : "exec",
                     risk ? of_risk : of_exec, (double)bytes_of(risk ? "journal/risk" : "journal/exec") / 1e6,
                     (double)start_ns(&life.config, life.view, risk, true) / 1e6);
        if (events <= 1000000)
            (void)printf("; without its snapshots %7.1f ms",
                         (double)start_ns(&life.config, life.view, risk, false) / 1e6);
        (void)printf("\n");
        (void)fflush(stdout);
    }
    risk_destroy(&life.risk);
    exec_destroy(&life.exec);
    view_destroy(&life.view);
    outbox_close(&life.out);
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    if (chdir("/") != 0 || system(command) != 0)
        (void)fprintf(stderr, "bench_recovery: %s is left behind\n", dir);
}

int main(int argc, char **argv)
{
    static char *defaults[] = {"1000000", "10000000"};
    char **counts = argc > 1 ? argv + 1 : defaults;
    for (int i = 0, n = argc > 1 ? argc - 1 : 2; i < n; i++) {
        uint64_t events = strtoull(counts[i], NULL, 10);
        if (events < 10000) {
            (void)fprintf(stderr, "bench_recovery: %s: expected a number of events from 10000\n", counts[i]);
            return 2;
        }
        measure(events);
    }
    return 0;
}
