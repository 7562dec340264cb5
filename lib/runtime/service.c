#include "lib/runtime/service.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/text.h"
#include "lib/runtime/failpoint.h"
#include "lib/runtime/placement.h"
#include "lib/runtime/probed.h"
#include "lib/runtime/service_ledger.h"
#include "lib/runtime/trace.h"

enum { EXIT_CODE_FAILED = 1, EXIT_CODE_USAGE = 2, EXIT_CODE_CONFIG = 3, IDENTITY_MAX = 256 };

/* A consumer says again that it is there, in case the feed has restarted. */
#define PACE_REPEAT_NS (500 * NS_PER_MS)
#define STOP_WAIT_NS   (5 * NS_PER_SEC)
#define GIVE_BACK_NS   (30 * NS_PER_SEC)

_Noreturn static void fail(const struct service *s, int code, const char *words)
{
    log_line(LOG_ERROR, "failed", "error=\"%s\"", words);
    log_close();
    (void)fprintf(stderr, "sluice-%s: %s\n", s->name, words);
    exit(code);
}

void service_fail(const struct service *s, const char *words)
{
    fail(s, EXIT_CODE_FAILED, words);
}

void *service_socket(struct service *s, enum socket_role role, const char *service, const char *socket)
{
    char endpoint[ENDPOINT_MAX], error[256];
    void *out;
    endpoint_make(service, socket, endpoint);
    if (socket_open(s->zmq, role, endpoint, &out, error, sizeof error) != OK)
        fail(s, EXIT_CODE_FAILED, error);
    if (s->n_sockets == SERVICE_SOCKETS_MAX)
        fail(s, EXIT_CODE_FAILED, "too many sockets");
    return s->sockets[s->n_sockets++] = out;
}

/* ---- control --------------------------------------------------------------------------------------------
 */

static uint64_t dropped(const struct drops *drops)
{
    uint64_t sum = 0;
    for (int why = 0; why < DROP_COUNT; why++)
        sum += drops->count[why];
    return sum;
}

static void report_market(const struct view *view, struct reply *reply)
{
    const struct histogram *delay = view_stale_delay(view);
    status_metric(reply, "stale_heard", (int64_t)delay->count);
    status_metric(reply, "stale_delay_p99_us", histogram_quantile(delay, 0.99) / NS_PER_US);
    status_metric(reply, "stale_delay_max_us", delay->count ? delay->max / NS_PER_US : 0);
}

static void report_status(struct service *s, struct reply *reply)
{
    status_metric(reply, "pid", getpid());
    status_metric(reply, "wakeups", (int64_t)s->wakeups);
    status_metric(reply, "market_messages", (int64_t)s->market_messages);
    status_metric(reply, "market_lost", s->view ? (int64_t)view_lost(s->view) : 0);
    status_metric(reply, "market_time_ns", s->view ? view_market_time(s->view) : 0);
    status_metric(reply, "messages_dropped", (int64_t)dropped(&s->drops));
    status_metric(reply, "outbox_overflows", (int64_t)s->outbox.overflows);
    status_metric(reply, "blocked", s->blocked);
    status_metric(reply, "current", service_current(s));
    if (s->view)
        report_market(s->view, reply);
    if (s->on_status)
        s->on_status(s, reply);
}

/* While blocked nothing is taken on but the stop, and nothing is called done: it is not written. */
static void obey(struct service *s, const struct request *request, struct reply *reply, struct now now)
{
    if (service_ready(s) || request->verb == VERB_STOP) {
        if (s->on_control)
            reply->code = s->on_control(s, request, now);
        else if (request->verb == VERB_STOP)
            loop_stop(s->loop);
        else
            reply->code = CONTROL_UNKNOWN_VERB;
    }
    if (s->blocked) {
        reply->code = CONTROL_REFUSED;
        (void)text_set(reply->text, sizeof reply->text, "blocked: what is decided cannot be written");
    }
}

static void answer_request(struct service *s, const void *identity, size_t identity_len,
                           const struct request *request, struct now now)
{
    struct message m;
    message_init(&m, MSG_REPLY);
    (void)text_set(m.env.stream, sizeof m.env.stream, s->config.run.account);
    m.env.time_out = now.utc_ns;
    m.reply.id = request->id;
    (void)text_set(m.reply.service, sizeof m.reply.service, s->name);
    m.reply.code = CONTROL_DONE;
    if (request->verb == VERB_STATUS)
        report_status(s, &m.reply);
    else if (request->verb == VERB_STAGES)
        probe_report(&m.reply, clock_mono_ns());
    else if (s->on_page && (request->verb == VERB_BOOK || request->verb == VERB_VENUE))
        m.reply.code = s->on_page(s, request, &m.reply, now);
    else
        obey(s, request, &m.reply, now);
    size_t len = probed_encode(&m, s->bytes, sizeof s->bytes);
    if (socket_send(s->control, identity, identity_len, true) == OK)
        (void)socket_send(s->control, s->bytes, len, false);
}

static int drain_control(void *ctx, struct now now, int bound)
{
    struct service *s = ctx;
    int taken = 0;
    while (taken < bound && inbox_take(&s->inbox, s->control) == OK) {
        unsigned char identity[IDENTITY_MAX];
        size_t identity_len = s->inbox.len < sizeof identity ? s->inbox.len : sizeof identity;
        memcpy(identity, s->inbox.bytes, identity_len);
        taken++;
        if (!s->inbox.more || inbox_take(&s->inbox, s->control) != OK)
            continue;
        bool read = probed_decode(s->decoder, s->inbox.bytes, s->inbox.len, &s->message, &s->drops);
        inbox_skip(&s->inbox, s->control);
        if (read && s->message.env.type == MSG_REQUEST) {
            struct request request = s->message.request;
            answer_request(s, identity, identity_len, &request, service_now(s, now));
        }
    }
    return taken;
}

/* ---- life -----------------------------------------------------------------------------------------------
 */

static void usage(const char *name, int code)
{
    (void)fprintf(code ? stderr : stdout,
                  "usage: sluice-%s --dir RUN [--name NAME]\n"
                  "  --dir RUN    run directory, with config.yaml in it; made by `sluice run`\n"
                  "  --name NAME  name of this process (a worker's name must be its own)\n",
                  name);
    exit(code);
}

static const char *arguments(struct service *s, const char *kind, int argc, char **argv)
{
    static const struct option options[] = {{"dir", required_argument, NULL, 'd'},
                                            {"name", required_argument, NULL, 'n'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const char *dir = NULL;
    int option;
    (void)text_set(s->name, sizeof s->name, kind);
    while ((option = getopt_long(argc, argv, "d:n:h", options, NULL)) != -1) {
        if (option == 'd')
            dir = optarg;
        else if (option == 'n' && !text_set(s->name, sizeof s->name, optarg))
            fail(s, EXIT_CODE_USAGE, "--name: too long; expected at most 23 characters");
        else if (option == 'h')
            usage(kind, 0);
        else if (option == '?')
            usage(kind, EXIT_CODE_USAGE);
    }
    if (!dir || optind != argc)
        usage(kind, EXIT_CODE_USAGE);
    return dir;
}

static void read_run_id(struct service *s)
{
    FILE *f = fopen("run_id", "re");
    if (!f || fscanf(f, "%39s", s->run) != 1)
        fail(s, EXIT_CODE_CONFIG, "run_id: cannot be read; expected a run directory made by `sluice run`");
    (void)fclose(f);
}

void *service_state(size_t bytes)
{
    void *state = calloc(1, bytes);
    if (!state) {
        (void)fprintf(stderr, "out of memory\n");
        exit(EXIT_CODE_FAILED);
    }
    return state;
}

void service_open(struct service *s, const char *kind, int argc, char **argv)
{
    char error[CONFIG_ERROR_MAX], path[64];
    memset(s, 0, sizeof *s);
    failpoint_arm();
    const char *dir = arguments(s, kind, argc, argv);
    if (chdir(dir) != 0) {
        (void)snprintf(error, sizeof error, "--dir %.300s: %s", dir, strerror(errno));
        fail(s, EXIT_CODE_USAGE, error);
    }
    config_defaults(&s->config);
    if (config_load(&s->config, "config.yaml", error) != OK)
        fail(s, EXIT_CODE_CONFIG, error);
    read_run_id(s);
    (void)snprintf(path, sizeof path, "log/%s.log", s->name);
    if (log_open(s->name, path, s->config.log.level, s->config.log.format) != OK)
        fail(s, EXIT_CODE_FAILED, "log file cannot be opened");
    s->boot_id = clock_boot_id();
    s->zmq = sockets_open();
    s->loop = loop_new();
    s->decoder = decoder_new();
    if (!s->zmq || !s->loop || !s->decoder || inbox_open(&s->inbox) ||
        outbox_open(&s->outbox, OUTBOX_CAPACITY))
        fail(s, EXIT_CODE_FAILED, "out of memory");
    placement_apply(&s->config, kind, s->run, s->loop, s->zmq);
    s->control = service_socket(s, SOCKET_CONTROL_ROUTER, s->name, "control");
    (void)loop_source(s->loop, s->control, 0, true, drain_control, s);
    log_line(LOG_INFO, "started", "run=%s pid=%d", s->run, (int)getpid());
}

struct now service_now(const struct service *s, struct now now)
{
    now.market_ns = s->view ? view_market_time(s->view) : now.utc_ns;
    return now;
}

bool service_current(const struct service *s)
{
    for (int i = 0; i < s->n_follows; i++)
        if (!ledger_reader_current(s->follows[i]))
            return false;
    return true;
}

void service_flush(struct service *s)
{
    int status = effects_run(&s->outbox, &s->devices);
    if (status != OK && !s->blocked)
        log_line(LOG_ERROR, "blocked",
                 "error=\"%s\" effects=%u what=\"no input is taken until this can be written\"",
                 s->ledger ? ledger_error(s->ledger) : status_text(status), s->outbox.n_effects);
    else if (status == OK && s->blocked)
        log_line(LOG_WARN, "unblocked", "what=\"writing works again\"");
    s->blocked = status != OK;
    loop_hold(s->loop, s->blocked);
    if (s->ledger && ledger_doubtful(s->ledger) && !s->doubtful) {
        s->doubtful = s->blocked = true;
        (void)ledger_sync(s->ledger); /* for its words */
        log_line(LOG_ERROR, "doubtful",
                 "error=\"%s\" what=\"what is on disk is not known: this process ends, the next one reads it "
                 "anew\"",
                 ledger_error(s->ledger));
        loop_stop(s->loop);
    }
}

bool service_ready(struct service *s)
{
    if (!s->blocked && !outbox_has_room(&s->outbox))
        service_flush(s);
    return !s->blocked;
}

/* ---- market data ------------------------------------------------------------------------------------------
 */

static void take_market(struct service *s, const struct message *m, struct now now)
{
    s->market_messages++;
    if (m->env.type == MSG_PACE) {
        s->window = m->pace.window;
        return;
    }
    enum stage before = probe_stage(STAGE_BOOK);
    int index = view_apply(s->view, m, now);
    probe_back(before);
    if (s->on_market && index >= 0)
        s->on_market(s, index, m, service_now(s, now));
    if (s->on_market_message)
        s->on_market_message(s, m, service_now(s, now));
}

static int drain_market(void *ctx, struct now now, int bound)
{
    struct service *s = ctx;
    int taken = 0;
    while (taken < bound && service_ready(s) && inbox_take(&s->inbox, s->market) == OK) {
        taken++;
        if (!s->inbox.more || inbox_take(&s->inbox, s->market) != OK)
            continue;
        if (probed_decode(s->decoder, s->inbox.bytes, s->inbox.len, &s->message, &s->drops)) {
            trace_taken(&s->message.env.trace, HOP_STRATEGY_IN, s->boot_id, now.mono_ns);
            take_market(s, &s->message, now);
        }
        inbox_skip(&s->inbox, s->market);
    }
    return taken;
}

static void nothing(void *ctx, struct now now)
{
    (void)ctx;
    (void)now;
}

void service_view(struct service *s)
{
    if (!s->view)
        s->view = view_new(INSTRUMENTS_MAX, s->config.feed.beat_late_ms * NS_PER_MS);
    if (!s->view)
        fail(s, EXIT_CODE_FAILED, "out of memory");
}

void service_subscribe(struct service *s, const char *prefix, bool on)
{
    (void)(on ? socket_subscribe : socket_unsubscribe)(s->market, prefix);
}

void service_market(struct service *s, const char *const *kinds, bool wakes)
{
    service_view(s);
    s->market = service_socket(s, SOCKET_MARKET_SUB, "feed", "market");
    for (; *kinds; kinds++)
        (void)socket_subscribe(s->market, *kinds);
    (void)socket_subscribe(s->market, "pace.");
    s->pace = service_socket(s, SOCKET_CONTROL_DEALER, "feed", "control");
    /* At full speed the replay waits for everybody, so everybody wakes. */
    wakes = wakes || s->config.placement.all_wake || strcmp(s->config.feed.speed, "max") == 0;
    (void)loop_source(s->loop, s->market, 0, wakes, drain_market, s);
    if (!wakes)
        (void)loop_timer(s->loop, s->config.placement.market_drain_ms * NS_PER_MS, nothing, NULL);
}

/* Tells the feed which window is done, once everything of it is; until then again and again that this service
 * is alive, so that it is waited for. */
static void answer_pace(struct service *s, struct now now)
{
    bool done = !s->blocked && service_current(s) && (!s->quiet || s->quiet(s));
    uint64_t window = done ? s->window : s->window_answered;
    if (window == s->window_answered && now.mono_ns - s->paced_mono_ns < PACE_REPEAT_NS)
        return;
    struct message m;
    message_init(&m, MSG_REQUEST);
    (void)text_set(m.env.stream, sizeof m.env.stream, s->name);
    m.request.id = window;
    m.request.verb = VERB_PACED;
    m.request.number = window;
    (void)text_set(m.request.arg, sizeof m.request.arg, s->name);
    size_t len = probed_encode(&m, s->bytes, sizeof s->bytes);
    if (socket_send(s->pace, s->bytes, len, false) == OK) {
        s->window_answered = window;
        s->paced_mono_ns = now.mono_ns;
    }
    while (inbox_take(&s->inbox, s->pace) == OK)
        inbox_skip(&s->inbox, s->pace);
}

/* ---- running ----------------------------------------------------------------------------------------------
 */

void service_stop_when_stored(struct service *s)
{
    if (s->stop_until_mono_ns == 0) /* a repeated request does not make it later */
        s->stop_until_mono_ns = clock_mono_ns() + STOP_WAIT_NS;
}

static void stop_if_stored(struct service *s, struct now now)
{
    bool stored = ledger_stored_pos(s->ledger) >= ledger_head_pos(s->ledger);
    if (!stored && now.mono_ns < s->stop_until_mono_ns)
        return;
    if (!stored)
        log_line(LOG_WARN, "not-stored",
                 "stored=%" PRIu64 " head=%" PRIu64 " what=\"the recorder will catch up from the journal\"",
                 ledger_stored_pos(s->ledger), ledger_head_pos(s->ledger));
    loop_stop(s->loop);
}

static void watch(struct service *s, struct now now)
{
    enum stage before = probe_stage(STAGE_BOOK);
    (void)view_watch(s->view, now);
    probe_back(before);
}

static void tail(void *ctx, struct now now)
{
    struct service *s = ctx;
    s->wakeups++;
    now = service_now(s, now);
    if (s->view)
        watch(s, now);
    if (service_ready(s) && s->on_time)
        s->on_time(s, now);
    service_flush(s);
    service_keep(s, now);
    if (s->pace)
        answer_pace(s, now);
    /* What comes live while a reader still catches up must wait, so it must not wake. */
    for (int i = 0; i < s->n_follows; i++)
        loop_source_wakes(s->loop, ledger_reader_live_socket(s->follows[i]),
                          ledger_reader_follower(s->follows[i])->state == FOLLOWER_LIVE);
    if (s->ledger && ledger_answer_stuck(s->ledger))
        loop_wake_in(s->loop, LEDGER_STUCK_NS);
    if (s->stop_until_mono_ns)
        stop_if_stored(s, now);
    log_flush();
}

/* While one of us stands still the others keep what they have for it, and it what came meanwhile. The allocator would
 * keep that memory for ever. */
static void give_back(void *ctx, struct now now)
{
    (void)ctx;
    (void)now;
    (void)malloc_trim(0);
}

int service_run(struct service *s)
{
    loop_tail(s->loop, tail, s);
    (void)loop_timer(s->loop, GIVE_BACK_NS, give_back, NULL);
    service_serve(s);
    loop_run(s->loop);
    service_flush(s);
    service_keep_last(s, service_now(s, (struct now){.mono_ns = clock_mono_ns(), .utc_ns = clock_utc_ns()}));
    log_line(LOG_INFO, "stopped", "wakeups=%" PRIu64 " market_messages=%" PRIu64, s->wakeups,
             s->market_messages);
    for (int i = 0; i < s->n_follows; i++)
        ledger_reader_close(&s->follows[i]);
    if (s->ledger)
        ledger_close(&s->ledger);
    for (int i = 0; i < s->n_sockets; i++)
        socket_close(&s->sockets[i]);
    sockets_close(&s->zmq);
    if (s->view)
        view_destroy(&s->view);
    decoder_destroy(&s->decoder);
    inbox_close(&s->inbox);
    outbox_close(&s->outbox);
    loop_destroy(&s->loop);
    log_close();
    failpoint_report();
    return s->blocked || s->doubtful ? EXIT_CODE_FAILED : 0;
}
