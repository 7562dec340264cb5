/* A listener that is slow, stopped or hostile, and what it does to the path from tick to order. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "lib/base/clock.h"
#include "tools/bench_overload.h"
#include "tools/verb.h"

enum {
    DUTY_ON_MS = 1,
    DUTY_OFF_MS = 9, /* a tenth of a processor */
    SETTLE_MS = 500, /* at the beginning of a span, which does not count */
    WARM_UP_S = 5,
    SLOW_MS = 10,
    HOSTILE_TOPICS = 100000,
    PAIRS_MAX = 1000
};

static const char *const names[TAP_KINDS] = {"slow", "stopped", "hostile", "busy"};

const char *tap_name(enum tap_kind kind)
{
    return names[kind];
}

/* ---- being one -------------------------------------------------------------------------------------- */

static void take_all(void *socket, int ms)
{
    char bytes[256];
    int64_t until_ns = clock_mono_ns() + ms * NS_PER_MS;
    while (clock_mono_ns() < until_ns)
        if (zmq_recv(socket, bytes, sizeof bytes, ZMQ_DONTWAIT) < 0)
            (void)usleep(1000);
}

/* Every topic that the market has is among them, and nothing at all, which is every topic at once. */
static void subscribe_and_not(void *socket)
{
    char topic[64];
    for (int i = 0;; i = (i + 1) % HOSTILE_TOPICS) {
        int len = i % 100 ? snprintf(topic, sizeof topic, "book.S%05d-USDT.sim-a", i)
                          : snprintf(topic, sizeof topic, "%s", i % 200 ? "book." : "");
        (void)zmq_setsockopt(socket, ZMQ_SUBSCRIBE, topic, (size_t)len);
        (void)zmq_setsockopt(socket, ZMQ_UNSUBSCRIBE, topic, (size_t)len);
    }
}

static _Noreturn void listen_as(enum tap_kind kind)
{
    char endpoint[ENDPOINT_MAX], error[LOAD_ERROR_MAX];
    while (kind == TAP_BUSY)
        (void)clock_mono_ns();
    void *zmq = zmq_ctx_new(), *socket = NULL;
    endpoint_make("feed", "market", endpoint);
    if (!zmq || socket_open(zmq, SOCKET_MARKET_SUB, endpoint, &socket, error, sizeof error) != OK)
        _exit(EXIT_UNREACHABLE);
    if (kind == TAP_HOSTILE)
        subscribe_and_not(socket);
    (void)socket_subscribe(socket, "");
    for (;;) {
        char bytes[256];
        if (kind == TAP_STOPPED) {
            take_all(socket, 100);
            (void)raise(SIGSTOP);
        }
        (void)zmq_recv(socket, bytes, sizeof bytes, 0);
        (void)usleep(SLOW_MS * 1000);
    }
}

static void rest_ms(int ms)
{
    struct timespec t = {.tv_nsec = ms * NS_PER_MS};
    (void)nanosleep(&t, NULL);
}

/* The quota: it is stopped for nine tenths of the time. One that has stopped itself is let be. */
static _Noreturn void hold_to_quota(pid_t tap, bool let_be)
{
    for (;;) {
        rest_ms(DUTY_ON_MS);
        if (let_be)
            continue;
        if (kill(tap, SIGSTOP) != 0 || waitpid(tap, NULL, WNOHANG) == tap)
            _exit(EXIT_FAILED);
        rest_ms(DUTY_OFF_MS);
        (void)kill(tap, SIGCONT);
    }
}

int tap_be(const char *kind)
{
    pid_t self = getpid();
    for (int i = 0; i < TAP_KINDS; i++) {
        if (strcmp(kind, names[i]) != 0)
            continue;
        pid_t tap = fork();
        if (tap > 0)
            hold_to_quota(tap, i == TAP_STOPPED);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (tap < 0 || getppid() != self)
            _exit(EXIT_FAILED);
        listen_as((enum tap_kind)i);
    }
    return EXIT_USAGE;
}

/* ---- pairs ------------------------------------------------------------------------------------------ */

struct spans {
    struct load load;
    struct histogram order;
    int64_t from_mono_ns; /* ticks before this do not count */
};

static void on_exec(void *ctx, const struct message *m, struct now now)
{
    struct spans *s = ctx;
    int64_t ns = load_tick_to_order_ns(m);
    (void)now;
    if (ns >= 0 && m->env.trace.recv_mono >= s->from_mono_ns)
        histogram_record(&s->order, ns);
}

/* In a group of its own, so that it and what it forks can be ended together. */
static pid_t tap_start(enum tap_kind kind)
{
    static char program[] = "sluice", bench[] = "bench", overload[] = "overload", flag[] = "--be-tap";
    char name[16];
    (void)snprintf(name, sizeof name, "%s", names[kind]);
    char *argv[] = {program, bench, overload, flag, name, NULL};
    pid_t parent = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    (void)execv("/proc/self/exe", argv);
    _exit(127);
}

static void tap_end(pid_t pid)
{
    if (pid <= 0)
        return;
    (void)kill(pid, SIGKILL); /* its child ends with it */
    (void)waitpid(pid, NULL, 0);
}

static long feed_kb(const struct load *load)
{
    for (int i = 0; i < load->services.n; i++)
        if (strcmp(load->name[i], "feed") == 0)
            return load_size(load->service_pid[i]).rss;
    return 0;
}

/* p99 of a span, us; 0: there was no order. */
static double span(struct spans *s, int64_t ms, long *most_kb)
{
    s->from_mono_ns = clock_mono_ns() + SETTLE_MS * NS_PER_MS;
    histogram_reset(&s->order);
    load_wait_until(&s->load, s->from_mono_ns + ms * NS_PER_MS);
    long kb = feed_kb(&s->load);
    *most_kb = kb > *most_kb ? kb : *most_kb;
    return (double)histogram_quantile(&s->order, 0.99) / 1000;
}

/* Which of the two comes first changes from pair to pair, so that what drifts favours neither. */
static void measure(struct spans *s, enum tap_kind kind, int pairs, int64_t span_ms, struct tap_result *out)
{
    static double p99[2][PAIRS_MAX], ratio[PAIRS_MAX];
    for (int i = 0; i < pairs && load_runs(&s->load); i++) {
        double now[2];
        for (int turn = 0; turn < 2; turn++) {
            bool with = (turn + i) % 2;
            pid_t tap = with ? tap_start(kind) : 0;
            now[with] = span(s, span_ms, with ? &out->feed_kb_with : &out->feed_kb_without);
            tap_end(tap);
        }
        if (now[0] <= 0 || now[1] <= 0)
            continue;
        p99[0][out->pairs] = now[0];
        p99[1][out->pairs] = now[1];
        ratio[out->pairs++] = now[1] / now[0];
    }
    if (out->pairs == 0)
        return;
    out->ratio = median_of(ratio, (size_t)out->pairs);
    out->without_p99 = median_of(p99[0], (size_t)out->pairs).middle;
    out->with_p99 = median_of(p99[1], (size_t)out->pairs).middle;
}

int tap_pairs(const struct spell *spell, enum tap_kind kind, int pairs, int64_t span_ms,
              struct tap_result *out, char error[LOAD_ERROR_MAX])
{
    static struct spans s;
    int64_t base[LOAD_DROPS];
    char ended[LOAD_ERROR_MAX];
    memset(&s, 0, sizeof s);
    *out = (struct tap_result){.kind = kind};
    int status = spell_start(spell, &s.load, error);
    if (status == OK)
        status = load_follow(&s.load, NULL, on_exec, &s, error);
    if (status == OK) {
        load_wait_until(&s.load, clock_mono_ns() + WARM_UP_S * NS_PER_SEC);
        (void)load_ask(&s.load, 1000);
        for (int i = 0; i < LOAD_DROPS; i++)
            base[i] = load_drop(&s.load, i);
        measure(&s, kind, pairs < PAIRS_MAX ? pairs : PAIRS_MAX, span_ms, out);
        (void)load_ask(&s.load, 1000);
        for (int i = 0; i < LOAD_DROPS; i++)
            out->dropped[i] = load_drop(&s.load, i) - base[i];
    }
    if (s.load.zmq)
        out->reconciled = load_stop(&s.load, ended);
    return status;
}
