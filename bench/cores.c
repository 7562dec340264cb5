/* The cores alone, from decoded messages: how many evaluations a second the worker's makes and how many intents a second
 * the gate's decides on, and what a single one takes. Every check is on, with the configuration's defaults; nothing is
 * encoded, journaled or sent.
 *
 * An evaluation here is: a book of 20 levels is laid into the view, then the routes it touches are evaluated. The gate
 * decides on entries and exits in turn, all of which it accepts; between them exec's core and a venue that fills whole
 * answer, which is not counted.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/market_made.h"
#include "bench/measure.h"
#include "lib/base/histogram.h"
#include "lib/base/text.h"
#include "services/exec/exec.h"
#include "services/risk/risk.h"
#include "services/strategy/worker.h"

enum { LEVELS = 20, BOOKS = 4096, UPDATES = 200000, INTENTS = 20000, HEARD_MAX = 1024 };

/* Two cores of the ledgers and one worker over one view. */
struct house {
    struct config config;
    struct view *view;
    struct risk *risk;
    struct exec *exec;
    struct worker *worker;
    struct outbox out;
    struct now now;
    int symbols;
    bool with_worker;
    struct message assigned[MADE_SYMBOLS];
    struct message decision;
    bool accepted;
    struct order orders[8];
    int n_orders;
    struct message heard[HEARD_MAX];
    int n_heard;
    uint64_t intents, trades, book_seq;
    struct message *books; /* ready to be laid in, the symbols in turn */
    uint32_t next_book;
};

static _Noreturn void fail(const char *words)
{
    (void)fprintf(stderr, "bench_cores: %s\n", words);
    exit(1);
}

/* ---- what the cores want done ------------------------------------------------------------------------------ */

static int publish_risk(void *ctx, struct message *m)
{
    struct house *h = ctx;
    if (m->env.type == MSG_ASSIGN)
        message_copy(&h->assigned[made_symbol_of(&m->assign)], m);
    if (m->env.type == MSG_DECISION && m->decision.verdict == VERDICT_ACCEPT) {
        message_copy(&h->decision, m);
        h->accepted = true;
    }
    if (h->with_worker)
        worker_on_risk(h->worker, m, h->now);
    return OK;
}

static int publish_exec(void *ctx, struct message *m)
{
    struct house *h = ctx;
    if (h->n_heard < HEARD_MAX)
        message_copy(&h->heard[h->n_heard++], m);
    return OK;
}

static int send_order(void *ctx, enum peer to, struct message *m)
{
    struct house *h = ctx;
    if (to == PEER_VENUE && m->order.state == ORDER_PENDING_NEW)
        h->orders[h->n_orders++] = m->order;
    return OK;
}

static void run_risk(struct house *h)
{
    (void)effects_run(&h->out, &(struct devices){.ctx = h, .publish = publish_risk});
}

static void run_exec(struct house *h)
{
    (void)effects_run(&h->out, &(struct devices){.ctx = h, .publish = publish_exec, .send = send_order});
    for (int i = 0; i < h->n_heard; i++)
        risk_on_exec(h->risk, &h->heard[i], h->now, &h->out);
    h->n_heard = 0;
    run_risk(h);
}

/* ---- the house --------------------------------------------------------------------------------------------- */

static void show(struct house *h, const struct message *m)
{
    int index = view_apply(h->view, m, h->now);
    if (index < 0)
        fail("a market message was not taken");
    risk_on_market(h->risk, index, h->now, &h->out);
    run_risk(h);
    if (m->env.type == MSG_INST) {
        exec_on_market(h->exec, index, h->now, &h->out);
        run_exec(h);
    }
    if (h->with_worker)
        worker_on_market(h->worker, index, m, h->now);
}

static void hello(struct house *h)
{
    struct message m;
    uint64_t upstream_epoch, upstream_pos;
    made_hello(&m, "strategy-1", 11);
    risk_on_command(h->risk, &m, h->now, &h->out);
    run_risk(h);
    exec_upstream(h->exec, &upstream_epoch, &upstream_pos);
    made_beat_of_exec(&m, exec_head(h->exec), upstream_epoch, upstream_pos);
    risk_on_exec(h->risk, &m, h->now, &h->out);
    risk_on_time(h->risk, h->now, &h->out);
    run_risk(h);
}

static void make_cores(struct house *h)
{
    char error[CONFIG_ERROR_MAX];
    h->view = view_new(2 * MADE_SYMBOLS + 16, 0);
    h->risk = risk_new(&(struct risk_options){&h->config, h->view, "bench", 1});
    h->exec = exec_new(&(struct exec_options){&h->config, h->view, "bench", 1});
    h->worker = worker_new(&(struct worker_options){.config = &h->config,
                                                    .view = h->view,
                                                    .strategy = strategy_named("arb"),
                                                    .run = "bench",
                                                    .name = "strategy-1",
                                                    .incarnation = 11,
                                                    .build = 1},
                           error);
    h->books = calloc(BOOKS, sizeof *h->books);
    if (!h->view || !h->risk || !h->exec || !h->worker || !h->books ||
        outbox_open(&h->out, OUTBOX_CAPACITY) != OK)
        fail("out of memory");
}

/* Books that move by a tick or two: never enough for an edge. */
static void make_books(struct house *h)
{
    for (uint32_t i = 0; i < BOOKS; i++)
        made_book(&h->books[i], (int)(i / 2) % h->symbols, (int)(i % 2), 0, MADE_MIDDLE + (i * 7) % 3, LEVELS,
                  h->now);
}

static struct house *house_of(int symbols, bool with_worker)
{
    char error[CONFIG_ERROR_MAX];
    struct house *h = calloc(1, sizeof *h);
    if (!h)
        fail("out of memory");
    config_defaults(&h->config);
    /* Every round trip loses its spread: the day's loss would end the measurement. */
    if (config_set(&h->config, "risk.max_daily_loss", "1000000000", error) != OK)
        fail(error);
    h->config.risk.max_open_orders = 4096;
    h->now = (struct now){
        .market_ns = 1700000000 * NS_PER_SEC, .mono_ns = NS_PER_SEC, .utc_ns = 1700000000 * NS_PER_SEC};
    h->symbols = symbols;
    h->with_worker = with_worker;
    make_cores(h);
    risk_start(h->risk, 1, h->now, &h->out);
    run_risk(h);
    exec_start(h->exec, 1, h->now, &h->out);
    run_exec(h);
    struct message m;
    for (int i = 0; i < 2 * symbols; i++) {
        made_instrument(&m, i / 2, i % 2);
        show(h, &m);
    }
    for (int i = 0; i < 8; i++)
        hello(h);
    make_books(h);
    return h;
}

/* ---- evaluations ------------------------------------------------------------------------------------------- */

static uint64_t evaluations(const struct house *h)
{
    struct reply reply = {0};
    worker_status(h->worker, &reply);
    for (uint32_t i = 0; i < reply.n_metrics; i++)
        if (strcmp(reply.metrics[i].name, "evaluations") == 0)
            return (uint64_t)reply.metrics[i].value;
    fail("the worker does not tell its evaluations");
}

static void lay_in_and_evaluate(struct house *h)
{
    struct message *m =
        &h->books[h->next_book++ % (BOOKS / (2 * (uint32_t)h->symbols) * 2 * (uint32_t)h->symbols)];
    h->now.market_ns += NS_PER_US;
    h->now.mono_ns += NS_PER_US;
    m->env.seq = h->book_seq++ / (2 * (uint64_t)h->symbols) + 1;
    m->book.recv_time = h->now.market_ns;
    m->book.recv_mono = h->now.mono_ns;
    worker_on_market(h->worker, view_apply(h->view, m, h->now), m, h->now);
    worker_decide(h->worker, true, h->now, &h->out);
    if (h->out.n_effects != 0)
        fail("a worker that should find nothing wants to trade");
}

static double evaluations_per_s(void *ctx)
{
    struct house *h = ctx;
    const uint64_t before = evaluations(h);
    const int64_t began_ns = clock_mono_ns();
    for (int i = 0; i < UPDATES; i++)
        lay_in_and_evaluate(h);
    const int64_t took_ns = clock_mono_ns() - began_ns;
    const uint64_t made = evaluations(h) - before;
    if (made < UPDATES * 9 / 10)
        fail("books were laid in that no route was evaluated for");
    return (double)made * 1e9 / (double)took_ns;
}

static struct measure *measure;
static int p50_evaluation, p99_evaluation, p50_intent, p99_intent;

static double one_evaluation(void *ctx)
{
    static struct histogram each;
    struct house *h = ctx;
    histogram_reset(&each);
    for (int i = 0; i < UPDATES; i++) {
        const int64_t began_ns = clock_mono_ns();
        lay_in_and_evaluate(h);
        histogram_record(&each, clock_mono_ns() - began_ns);
    }
    measure_note(measure, p50_evaluation, (double)histogram_quantile(&each, 0.5));
    measure_note(measure, p99_evaluation, (double)histogram_quantile(&each, 0.99));
    return histogram_mean(&each);
}

/* ---- intents ----------------------------------------------------------------------------------------------- */

static void answer_orders(struct house *h)
{
    while (h->n_orders > 0) {
        const struct order order = h->orders[--h->n_orders];
        struct order_report r = {
            .kind = REPORT_ACK, .liquidity = LIQUIDITY_TAKER, .venue_time = h->now.market_ns};
        (void)text_set(r.venue, sizeof r.venue, order.venue);
        (void)text_set(r.client_id, sizeof r.client_id, order.client_id);
        exec_on_report(h->exec, &r, h->now, &h->out);
        r.kind = REPORT_FILL;
        (void)snprintf(r.trade_id, sizeof r.trade_id, "t%" PRIu64, ++h->trades);
        r.price = (struct dec){order.side == SIDE_BUY ? MADE_MIDDLE + 1 : MADE_MIDDLE - 1, -2};
        r.qty = r.filled = (struct dec){order.qty, order.qty_exp};
        r.fee = (struct dec){1, -2};
        (void)text_set(r.fee_currency, sizeof r.fee_currency, "USDT");
        exec_on_report(h->exec, &r, h->now, &h->out);
        r.kind = REPORT_DONE;
        exec_on_report(h->exec, &r, h->now, &h->out);
        run_exec(h);
    }
}

static int64_t decide(struct house *h, int symbol, bool entry)
{
    static struct message m;
    made_intent(&m, &h->config, &h->assigned[symbol], risk_head(h->risk), ++h->intents, entry, h->now);
    h->accepted = false;
    const int64_t began_ns = clock_mono_ns();
    risk_on_command(h->risk, &m, h->now, &h->out);
    const int64_t took_ns = clock_mono_ns() - began_ns;
    run_risk(h);
    if (!h->accepted)
        fail("the gate refused an intent");
    exec_on_risk(h->exec, &h->decision, h->now, &h->out);
    run_exec(h);
    answer_orders(h);
    exec_on_time(h->exec, h->now, &h->out);
    run_exec(h);
    answer_orders(h);
    return took_ns;
}

static double intents_per_s(void *ctx)
{
    static struct histogram each;
    static struct message m;
    struct house *h = ctx;
    histogram_reset(&each);
    for (int i = 0; i < INTENTS; i++) {
        const int symbol = i % h->symbols;
        h->now.market_ns += 20 * NS_PER_MS;
        h->now.utc_ns += 20 * NS_PER_MS;
        h->now.mono_ns += 2 * NS_PER_MS;
        for (int v = 0; v < 2; v++) {
            made_book(&m, symbol, v, ++h->book_seq, MADE_MIDDLE, LEVELS, h->now);
            show(h, &m);
        }
        if (symbol == 0)
            hello(h);
        histogram_record(&each, decide(h, symbol, i / h->symbols % 2 == 0));
    }
    measure_note(measure, p50_intent, (double)histogram_quantile(&each, 0.5));
    measure_note(measure, p99_intent, (double)histogram_quantile(&each, 0.99));
    return 1e9 / histogram_mean(&each);
}

int main(int argc, char **argv)
{
    measure = measure_new("cores", "\n", 15, &argc, argv);
    if (argc > 1) {
        (void)fprintf(stderr, "bench_cores: %s: no arguments of its own are known\n", argv[1]);
        return 2;
    }
    struct house *ten = house_of(10, true), *fifty = house_of(50, true), *many = house_of(200, true),
                 *gate = house_of(200, false);
    (void)measure_add(measure, "evaluations, 10 routes", "1/s", true, evaluations_per_s, ten);
    const int main_figure =
        measure_add(measure, "evaluations, 50 routes", "1/s", true, evaluations_per_s, fifty);
    (void)measure_add(measure, "evaluations, 200 routes", "1/s", true, evaluations_per_s, many);
    (void)measure_add(measure, "one evaluation, mean, with two clock readings", "ns", false, one_evaluation,
                      fifty);
    p50_evaluation = measure_add_note(measure, "one evaluation, p50", "ns", false);
    p99_evaluation = measure_add_note(measure, "one evaluation, p99", "ns", false);
    const int intents = measure_add(measure, "intents decided, 200 routes", "1/s", true, intents_per_s, gate);
    p50_intent = measure_add_note(measure, "one intent, p50", "ns", false);
    p99_intent = measure_add_note(measure, "one intent, p99", "ns", false);
    measure_goal(measure, main_figure, 2e6);
    measure_goal(measure, p50_evaluation, 400);
    measure_goal(measure, p99_evaluation, 1000);
    measure_goal(measure, intents, 1e6);
    measure_goal(measure, p99_intent, 3000);
    measure_run(measure);
    const int code = measure_tell(measure);
    measure_destroy(&measure);
    return code;
}
