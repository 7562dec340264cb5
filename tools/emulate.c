/* `sluice emulate`: the shell around emulated venues: sockets, files, time. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/net/server.h"
#include "tools/emulate_options.h"
#include "tools/emulate_timeline.h"
#include "tools/verb.h"

/* TURN_LINES: of a venue before the sockets have their turn. BEHIND_MAX: bytes that may wait for a client before
 * lines are held back for it, where they are not paced by time. */
enum { VENUES_MAX = 8, TURN_LINES = 500, BEHIND_MAX = 1024 * 1024, TICK_MS = 20, CONTROL_MAX = 256 };

struct stage {
    const struct emulation *venue;
    struct emulator *emulator;
    struct timeline timeline;
    struct server *server;
    struct server_peer *peers[1024];
    uint32_t n_peers;
    uint32_t last_recording;              /* that was added to the timeline, plus 1 */
    int64_t start_mono_ns, start_recv_ns; /* start_mono_ns 0: time has not begun */
    bool ended;
};

struct emulation_run {
    struct emulate_options options;
    struct net *net;
    struct stage stages[VENUES_MAX];
    uint32_t n_stages;
    uint32_t recording; /* that is surveyed */
    const char *path;
    char control[CONTROL_MAX];
    size_t control_len;
    bool deaf; /* standard input has ended */
    char error[320];
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static struct now now_of(void)
{
    int64_t utc_ns = clock_utc_ns();
    return (struct now){.market_ns = utc_ns, .mono_ns = clock_mono_ns(), .utc_ns = utc_ns};
}

/* ---- what the core does ------------------------------------------------------------------------------ */

static int do_send(void *ctx, void *wire, const char *text, size_t len, bool binary)
{
    (void)ctx;
    return server_send(wire, text, len, binary);
}

static void do_ping(void *ctx, void *wire, const char *payload, size_t len)
{
    (void)ctx;
    (void)server_ping(wire, payload, len);
}

static void do_drop(void *ctx, void *wire, bool abrupt)
{
    (void)ctx;
    server_drop(wire, abrupt);
}

static void forget_peer(struct stage *stage, const struct server_peer *wire)
{
    for (uint32_t i = 0; i < stage->n_peers; i++)
        if (stage->peers[i] == wire)
            stage->peers[i] = stage->peers[--stage->n_peers];
}

/* Nothing goes to it any more, so nobody waits for it. */
static void do_freeze(void *ctx, void *wire)
{
    forget_peer(ctx, wire);
    server_freeze(wire);
}

static void do_answer(void *ctx, void *wire, int status, const char *headers, const char *body, size_t len)
{
    (void)ctx;
    server_answer(wire, status, "application/json", headers, body, len);
}

static void do_tell(void *ctx, const char *event, size_t len)
{
    (void)ctx;
    (void)fwrite(event, 1, len, stdout);
    (void)fputc('\n', stdout);
}

/* ---- what the sockets say ---------------------------------------------------------------------------- */

static int on_admit(void *ctx, const char *path, int *retry_after_s)
{
    struct stage *stage = ctx;
    return emulator_admit(stage->emulator, path, retry_after_s, now_of());
}

static void on_opened(void *ctx, struct server_peer *wire, const char *path)
{
    struct stage *stage = ctx;
    if (stage->n_peers == sizeof stage->peers / sizeof stage->peers[0]) {
        server_drop(wire, true);
        return;
    }
    stage->peers[stage->n_peers++] = wire;
    struct emulated_peer *peer = emulator_opened(stage->emulator, wire, path, now_of());
    server_peer_set_data(wire, peer);
    if (!peer)
        server_drop(wire, true);
}

static void on_message(void *ctx, struct server_peer *wire, const char *text, size_t len, bool binary)
{
    struct stage *stage = ctx;
    struct emulated_peer *peer = server_peer_data(wire);
    (void)binary;
    if (peer)
        emulator_message(stage->emulator, peer, text, len, now_of());
}

static void on_closed(void *ctx, struct server_peer *wire)
{
    struct stage *stage = ctx;
    struct emulated_peer *peer = server_peer_data(wire);
    forget_peer(stage, wire);
    if (peer)
        emulator_closed(stage->emulator, peer, now_of());
}

static void on_request(void *ctx, struct server_request *request, const char *path_and_query)
{
    struct stage *stage = ctx;
    emulator_request(stage->emulator, request, path_and_query, now_of());
}

static void on_request_gone(void *ctx, struct server_request *request)
{
    struct stage *stage = ctx;
    emulator_request_gone(stage->emulator, request);
}

/* ---- opening ----------------------------------------------------------------------------------------- */

static struct stage *stage_of(struct emulation_run *run, const struct venue_ops *venue)
{
    for (uint32_t i = 0; i < run->n_stages; i++)
        if (run->stages[i].timeline.venue == venue)
            return &run->stages[i];
    const struct emulation *emulation = emulation_named(venue->name);
    if (!emulation || run->n_stages == VENUES_MAX)
        return NULL;
    struct stage *stage = &run->stages[run->n_stages];
    const struct emulator_hands hands = {.ctx = stage,
                                         .send = do_send,
                                         .ping = do_ping,
                                         .drop = do_drop,
                                         .freeze = do_freeze,
                                         .answer = do_answer,
                                         .tell = do_tell};
    stage->emulator = emulator_new(emulation, &run->options.emulator, &hands);
    if (!stage->emulator)
        return NULL;
    stage->venue = emulation;
    stage->timeline.venue = venue;
    run->n_stages++;
    return stage;
}

static void on_survey(void *ctx, const struct venue_ops *venue, const struct recorded_line *line)
{
    struct emulation_run *run = ctx;
    struct stage *stage = venue ? stage_of(run, venue) : NULL;
    if (!stage)
        return;
    if (stage->last_recording != run->recording + 1 &&
        timeline_add(&stage->timeline, run->path, run->recording, run->error, sizeof run->error) == OK)
        stage->last_recording = run->recording + 1;
    if (stage->last_recording == run->recording + 1)
        emulator_survey(stage->emulator, run->recording, line);
}

/* No line of a recording is of a venue that is emulated: these are. */
static void say_unknown(struct emulation_run *run)
{
    size_t len =
        (size_t)snprintf(run->error, sizeof run->error, "%.160s: expected a recording of one of", run->path);
    for (const struct emulation *const *e = emulations_all; *e && len < sizeof run->error; e++)
        len += (size_t)snprintf(run->error + len, sizeof run->error - len, " %s", (*e)->venue);
}

static int survey(struct emulation_run *run)
{
    for (int i = 0; i < run->options.n_recordings; i++) {
        uint32_t before = 0, after = 0;
        run->recording = (uint32_t)i;
        run->path = run->options.recordings[i];
        for (uint32_t s = 0; s < run->n_stages; s++)
            before += run->stages[s].timeline.n;
        if (timeline_survey(run->path, on_survey, run, run->error, sizeof run->error) != OK || *run->error)
            return E_IO;
        for (uint32_t s = 0; s < run->n_stages; s++)
            after += run->stages[s].timeline.n;
        if (before == after) {
            say_unknown(run);
            return E_SYNTAX;
        }
    }
    return OK;
}

static int listen_for(struct emulation_run *run, uint32_t i)
{
    struct stage *stage = &run->stages[i];
    const struct server_events events = {.ctx = stage,
                                         .admit = on_admit,
                                         .opened = on_opened,
                                         .message = on_message,
                                         .closed = on_closed,
                                         .request = on_request,
                                         .request_gone = on_request_gone};
    const struct server_options options = {.port = run->options.port ? run->options.port + (int)i : 0,
                                           .certificate = run->options.certificate,
                                           .key = run->options.key};
    int status = server_open(run->net, &options, &events, &stage->server, run->error, sizeof run->error);
    if (status != OK)
        return status;
    const char *safe = run->options.certificate ? "s" : "";
    int port = server_port(stage->server);
    printf("{\"event\":\"listening\",\"venue\":\"%s\",\"ws\":\"ws%s://127.0.0.1:%d\",\"rest\":\"http%s://"
           "127.0.0.1:"
           "%d\"}\n",
           stage->venue->venue, safe, port, safe, port);
    for (uint32_t f = 0; f < run->options.n_faults; f++)
        (void)emulator_fault(stage->emulator, &run->options.faults[f], now_of());
    return OK;
}

static int open_all(struct emulation_run *run)
{
    const struct net_options options = {0};
    int status = survey(run);
    if (status == OK)
        status = net_open(&options, &run->net, run->error, sizeof run->error);
    for (uint32_t i = 0; status == OK && i < run->n_stages; i++)
        status = listen_for(run, i);
    return status;
}

static void close_all(struct emulation_run *run)
{
    for (uint32_t i = 0; i < run->n_stages; i++)
        if (run->stages[i].server)
            server_close(&run->stages[i].server);
    if (run->net)
        net_close(&run->net);
    for (uint32_t i = 0; i < run->n_stages; i++) {
        timeline_close(&run->stages[i].timeline);
        emulator_destroy(&run->stages[i].emulator);
    }
}

/* ---- playing ----------------------------------------------------------------------------------------- */

static bool a_client_is_behind(const struct stage *stage)
{
    for (uint32_t i = 0; i < stage->n_peers; i++)
        if (server_waiting(stage->peers[i]) > BEHIND_MAX)
            return true;
    return false;
}

/* When the next line is due; INT64_MAX: there is none, or time has not begun. */
static int64_t due_ns(const struct emulation_run *run, struct stage *stage, const struct recorded_line *line)
{
    if (!line || stage->start_mono_ns == 0)
        return INT64_MAX;
    if (run->options.speed == 0)
        return a_client_is_behind(stage) ? INT64_MAX : 0;
    double passed = (double)(line->frame.recv_ns - stage->start_recv_ns) / run->options.speed;
    return stage->start_mono_ns + (int64_t)passed;
}

/* Returns how long until the next line, at most `most`. */
static int64_t play(struct emulation_run *run, struct stage *stage, int64_t most)
{
    uint32_t recording = 0;
    const struct recorded_line *line = timeline_next(&stage->timeline, &recording);
    struct now now = now_of();
    emulator_tick(stage->emulator, now);
    if (stage->start_mono_ns == 0 && line && (run->options.start_now || emulator_wanted(stage->emulator))) {
        stage->start_mono_ns = now.mono_ns;
        stage->start_recv_ns = line->frame.recv_ns;
    }
    for (int n = 0; due_ns(run, stage, line) <= now.mono_ns; n++) {
        if (n == TURN_LINES)
            return 0;
        emulator_play(stage->emulator, recording, line, now);
        timeline_step(&stage->timeline);
        line = timeline_next(&stage->timeline, &recording);
    }
    if (!line && !stage->ended) {
        stage->ended = true;
        emulator_ended(stage->emulator, run->options.end != END_STAY, now);
    }
    int64_t due = due_ns(run, stage, line);
    return due == INT64_MAX || due - now.mono_ns > most ? most : due - now.mono_ns;
}

static void take_control_line(struct emulation_run *run, char *text)
{
    struct fault fault;
    char error[320];
    text[strcspn(text, "\r")] = '\0';
    if (*text == '\0')
        return;
    if (fault_parse(text, &fault, error, sizeof error) != OK) {
        (void)fprintf(stderr, "sluice: emulate: %s\n", error);
        return;
    }
    for (uint32_t i = 0; i < run->n_stages; i++)
        if (emulator_fault(run->stages[i].emulator, &fault, now_of()) != OK)
            (void)fprintf(stderr, "sluice: emulate: fault \"%s\": expected at most %d at a time\n", text,
                          EMULATOR_FAULTS_MAX);
}

static void read_control(struct emulation_run *run)
{
    size_t room = sizeof run->control - run->control_len - 1;
    ssize_t got = read(STDIN_FILENO, run->control + run->control_len, room);
    if (got <= 0) {
        run->deaf = got == 0 || errno != EINTR;
        return;
    }
    run->control_len += (size_t)got;
    run->control[run->control_len] = '\0';
    char *line = run->control, *end;
    while ((end = strchr(line, '\n')) != NULL) {
        *end = '\0';
        take_control_line(run, line);
        line = end + 1;
    }
    run->control_len -= (size_t)(line - run->control);
    memmove(run->control, line, run->control_len + 1);
    if (run->control_len == sizeof run->control - 1)
        run->control_len = 0; /* too long to be a fault */
}

static bool is_over(const struct emulation_run *run)
{
    for (uint32_t i = 0; i < run->n_stages; i++)
        if (!run->stages[i].ended || run->stages[i].n_peers > 0)
            return false;
    return run->options.end == END_EXIT;
}

static void run_on(struct emulation_run *run)
{
    int64_t wait_ns = 0;
    while (!interrupted && !is_over(run)) {
        int64_t net_ns = net_wait_ns(run->net);
        if (net_ns < wait_ns)
            wait_ns = net_ns;
        struct pollfd on[2] = {{.fd = net_fd(run->net), .events = POLLIN},
                               {.fd = run->deaf ? -1 : STDIN_FILENO, .events = POLLIN}};
        (void)poll(on, 2, (int)((wait_ns + NS_PER_MS - 1) / NS_PER_MS));
        if (on[1].revents)
            read_control(run);
        net_run(run->net);
        wait_ns = TICK_MS * NS_PER_MS;
        for (uint32_t i = 0; i < run->n_stages; i++)
            wait_ns = play(run, &run->stages[i], wait_ns);
        if (fflush(stdout) != 0)
            return;
    }
}

int verb_emulate(int argc, char **argv)
{
    static struct emulation_run run;
    int code = emulate_options_read(&run.options, argc, argv);
    if (code)
        return code < 0 ? EXIT_DONE : code;
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    code = EXIT_DONE;
    if (open_all(&run) == OK) {
        (void)fflush(stdout);
        run_on(&run);
    } else {
        (void)fprintf(stderr, "sluice: emulate: %s\n", run.error);
        code = EXIT_FAILED;
    }
    close_all(&run);
    return code;
}
