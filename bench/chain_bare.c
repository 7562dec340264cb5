/* The pipeline without its work: the same five processes, sockets, options, subscriptions, frame sizes and wake-ups, and
 * nothing in them but stamps. What a tick-to-order takes here is what the transport takes. `./dev bench chain` tells it
 * what it measured of the real one, and compares.
 *
 * usage: chain_bare DIR KEY=NUMBER...     all keys of `struct shape` are needed; CPUs: cpu_NAME=N, -1 = any
 * prints one JSON object: {"orders":..,"p50_ns":..,"p99_ns":..,"ticks":..,"lost":..}
 */
#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "lib/base/clock.h"
#include "lib/base/histogram.h"
#include "lib/base/rng.h"
#include "lib/runtime/sockets.h"

enum { PAYLOAD_MAX = 16384, SOURCES = 4, LATER_MAX = 4096, LATER_KINDS = 4 };

static struct shape {
    double topics;      /* market topics, all of which the worker takes, one by one */
    double ticks_per_s; /* messages on the market socket */
    double tick_bytes;  /* of a market message's second frame */
    double forward;     /* share of ticks that make an intent */
    double intent_bytes;
    double decision_bytes; /* risk's record */
    double record_bytes;   /* exec's records */
    double records_now;    /* of them as the order is sent, */
    double records_later;  /* and when the venue has answered */
    double later_us;
    double drain_ms; /* who is not woken by the market reads it this often */
    double warm_s, seconds, seed;
    double cpu_feed, cpu_strategy, cpu_risk, cpu_exec, cpu_recorder;
} shape;

static const struct key {
    const char *name;
    double *value;
} keys[] = {{"topics", &shape.topics},
            {"ticks_per_s", &shape.ticks_per_s},
            {"tick_bytes", &shape.tick_bytes},
            {"forward", &shape.forward},
            {"intent_bytes", &shape.intent_bytes},
            {"decision_bytes", &shape.decision_bytes},
            {"record_bytes", &shape.record_bytes},
            {"records_now", &shape.records_now},
            {"records_later", &shape.records_later},
            {"later_us", &shape.later_us},
            {"drain_ms", &shape.drain_ms},
            {"warm_s", &shape.warm_s},
            {"seconds", &shape.seconds},
            {"seed", &shape.seed},
            {"cpu_feed", &shape.cpu_feed},
            {"cpu_strategy", &shape.cpu_strategy},
            {"cpu_risk", &shape.cpu_risk},
            {"cpu_exec", &shape.cpu_exec},
            {"cpu_recorder", &shape.cpu_recorder}};

/* What a frame carries: the rest of it is only length. */
struct tick {
    int64_t recv_mono_ns;
    uint64_t number;
    uint64_t forward;
};

struct process {
    void *zmq;
    void *source[SOURCES];
    bool wakes[SOURCES];
    int n_sources;
    struct inbox in;
    unsigned char bytes[PAYLOAD_MAX];
    int64_t start_ns, end_ns;
};

static _Noreturn void fail(const char *words)
{
    (void)fprintf(stderr, "chain_bare: %s\n", words);
    exit(1);
}

static void *open_socket(struct process *p, enum socket_role role, const char *service, const char *name)
{
    char endpoint[ENDPOINT_MAX], error[256];
    void *socket;
    endpoint_make(service, name, endpoint);
    if (socket_open(p->zmq, role, endpoint, &socket, error, sizeof error) != OK)
        fail(error);
    return socket;
}

static int add_source(struct process *p, void *socket, bool wakes)
{
    p->source[p->n_sources] = socket;
    p->wakes[p->n_sources] = wakes;
    return p->n_sources++;
}

static void send_two(struct process *p, void *socket, const char *topic, double bytes)
{
    if (socket_send(socket, topic, strlen(topic), true) == OK)
        (void)socket_send(socket, p->bytes, (size_t)bytes, false);
}

/* The next message's last frame; false: there is none. */
static bool take(struct process *p, int source, struct tick *out)
{
    if (inbox_take(&p->in, p->source[source]) != OK)
        return false;
    while (p->in.more && inbox_take(&p->in, p->source[source]) == OK)
        continue;
    memset(out, 0, sizeof *out);
    memcpy(out, p->in.bytes, p->in.len < sizeof *out ? p->in.len : sizeof *out);
    return true;
}

static void drop_all(struct process *p, int source)
{
    struct tick ignored;
    while (take(p, source, &ignored))
        continue;
}

static void wait_for_work(struct process *p, int64_t wait_ns)
{
    zmq_pollitem_t items[SOURCES];
    int n = 0;
    for (int i = 0; i < p->n_sources; i++)
        if (p->wakes[i])
            items[n++] = (zmq_pollitem_t){p->source[i], 0, ZMQ_POLLIN, 0};
    (void)zmq_poll(items, n, wait_ns <= 0 ? 0 : (long)((wait_ns + NS_PER_MS - 1) / NS_PER_MS));
}

static bool is_over(const struct process *p)
{
    return clock_mono_ns() >= p->end_ns;
}

static int64_t drain_ns(void)
{
    return (int64_t)(shape.drain_ms * (double)NS_PER_MS);
}

static void market_topic(int i, char out[48])
{
    (void)snprintf(out, 48, "book.SYM%03d-USDT.sim-%c.", i / 2, i % 2 ? 'b' : 'a');
}

/* ---- the processes --------------------------------------------------------------------------------------- */

static void take_subscriptions(struct process *p, void *socket)
{
    while (inbox_take(&p->in, socket) == OK)
        continue;
}

static void feed(struct process *p)
{
    void *out = open_socket(p, SOCKET_MARKET_PUB, "feed", "market");
    struct rng rng;
    struct tick tick = {0};
    char topics[1024][48];
    rng_seed(&rng, (uint64_t)shape.seed);
    for (int i = 0; i < (int)shape.topics && i < 1024; i++)
        market_topic(i, topics[i]);
    (void)add_source(p, out, true);
    const double mean_ns = (double)NS_PER_SEC / shape.ticks_per_s;
    int64_t next_ns = p->start_ns;
    while (!is_over(p)) {
        wait_for_work(p, next_ns - clock_mono_ns());
        take_subscriptions(p, out);
        int64_t now_ns = clock_mono_ns();
        for (; next_ns <= now_ns;
             next_ns += 1 + (int64_t)(-log(1 - rng_unit(&rng)) * mean_ns)) {
            tick = (struct tick){now_ns, tick.number + 1, rng_unit(&rng) < shape.forward};
            memcpy(p->bytes, &tick, sizeof tick);
            send_two(p, out, topics[rng_below(&rng, (uint64_t)shape.topics)], shape.tick_bytes);
        }
    }
    socket_close(&out);
}

static void strategy(struct process *p, FILE *told)
{
    void *intents = open_socket(p, SOCKET_INTENT_PUSH, "risk", "intents");
    int risk = add_source(p, open_socket(p, SOCKET_LEDGER_SUB, "risk", "ledger"), true);
    int exec = add_source(p, open_socket(p, SOCKET_LEDGER_SUB, "exec", "ledger"), true);
    int market = add_source(p, open_socket(p, SOCKET_MARKET_SUB, "feed", "market"), true);
    char topic[48];
    (void)socket_subscribe(p->source[risk], "");
    (void)socket_subscribe(p->source[exec], "");
    for (int i = 0; i < (int)shape.topics; i++) {
        market_topic(i, topic);
        (void)socket_subscribe(p->source[market], topic);
    }
    uint64_t ticks = 0, lost = 0, last = 0;
    struct tick tick, wanted[64];
    while (!is_over(p)) {
        int n = 0;
        wait_for_work(p, NS_PER_SEC / 4);
        drop_all(p, risk);
        drop_all(p, exec);
        while (take(p, market, &tick)) {
            lost += last && tick.number > last ? tick.number - last - 1 : 0;
            last = tick.number;
            ticks++;
            if (tick.forward && n < 64)
                wanted[n++] = tick;
        }
        for (int i = 0; i < n; i++) {
            memcpy(p->bytes, &wanted[i], sizeof wanted[i]);
            (void)socket_send(intents, p->bytes, (size_t)shape.intent_bytes, false);
        }
    }
    (void)fprintf(told, "\"ticks\":%" PRIu64 ",\"lost\":%" PRIu64, ticks, lost);
    socket_close(&intents);
}

static void subscribe_to_market(void *socket)
{
    static const char *const kinds[] = {"inst.", "book.", "bbo.", "beat."};
    for (int i = 0; i < 4; i++)
        (void)socket_subscribe(socket, kinds[i]);
}

static void risk(struct process *p)
{
    void *out = open_socket(p, SOCKET_LEDGER_PUB, "risk", "ledger");
    int exec = add_source(p, open_socket(p, SOCKET_LEDGER_SUB, "exec", "ledger"), true);
    int market = add_source(p, open_socket(p, SOCKET_MARKET_SUB, "feed", "market"), false);
    int intents = add_source(p, open_socket(p, SOCKET_INTENT_PULL, "risk", "intents"), true);
    (void)socket_subscribe(p->source[exec], "");
    subscribe_to_market(p->source[market]);
    struct tick tick;
    while (!is_over(p)) {
        wait_for_work(p, drain_ns());
        drop_all(p, exec);
        drop_all(p, market);
        while (take(p, intents, &tick)) {
            memcpy(p->bytes, &tick, sizeof tick);
            send_two(p, out, "decision.SYM000-USDT@sim-a~SYM000-USDT@sim-b.", shape.decision_bytes);
        }
    }
    socket_close(&out);
}

/* As many records as the mean says, over time. */
static void say_records(struct process *p, void *out, double mean, double *owed)
{
    for (*owed += mean; *owed >= 1; *owed -= 1)
        send_two(p, out, "order.SYM000-USDT@sim-a~SYM000-USDT@sim-b.", shape.record_bytes);
}

static void exec(struct process *p, FILE *told)
{
    static struct histogram tick_to_order;
    static int64_t due[LATER_MAX];
    void *out = open_socket(p, SOCKET_LEDGER_PUB, "exec", "ledger");
    int market = add_source(p, open_socket(p, SOCKET_MARKET_SUB, "feed", "market"), false);
    int risk = add_source(p, open_socket(p, SOCKET_LEDGER_SUB, "risk", "ledger"), true);
    (void)socket_subscribe(p->source[risk], "");
    subscribe_to_market(p->source[market]);
    const int64_t later_ns = (int64_t)(shape.later_us * (double)NS_PER_US);
    const int64_t warm_ns = p->start_ns + (int64_t)(shape.warm_s * (double)NS_PER_SEC);
    uint32_t first = 0, end = 0;
    double owed = 0, owed_later = 0;
    struct tick tick;
    while (!is_over(p)) {
        int64_t wait_ns = first == end ? drain_ns() : due[first % LATER_MAX] - clock_mono_ns();
        wait_for_work(p, wait_ns < drain_ns() ? wait_ns : drain_ns());
        drop_all(p, market);
        while (take(p, risk, &tick)) {
            int64_t sent_ns = clock_mono_ns();
            if (sent_ns >= warm_ns)
                histogram_record(&tick_to_order, sent_ns - tick.recv_mono_ns);
            say_records(p, out, shape.records_now, &owed);
            if (end - first < LATER_MAX)
                due[end++ % LATER_MAX] = sent_ns + later_ns;
        }
        for (int64_t now_ns = clock_mono_ns(); first != end && due[first % LATER_MAX] <= now_ns; first++)
            say_records(p, out, shape.records_later, &owed_later);
    }
    (void)fprintf(told, "\"orders\":%" PRIu64 ",\"p50_ns\":%" PRId64 ",\"p99_ns\":%" PRId64 ",",
                  tick_to_order.count, histogram_quantile(&tick_to_order, 0.5),
                  histogram_quantile(&tick_to_order, 0.99));
    socket_close(&out);
}

static void recorder(struct process *p)
{
    int risk = add_source(p, open_socket(p, SOCKET_LEDGER_SUB, "risk", "ledger"), true);
    int exec = add_source(p, open_socket(p, SOCKET_LEDGER_SUB, "exec", "ledger"), true);
    int market = add_source(p, open_socket(p, SOCKET_MARKET_SUB, "feed", "market"), false);
    (void)socket_subscribe(p->source[risk], "");
    (void)socket_subscribe(p->source[exec], "");
    subscribe_to_market(p->source[market]);
    while (!is_over(p)) {
        wait_for_work(p, drain_ns());
        drop_all(p, risk);
        drop_all(p, exec);
        drop_all(p, market);
    }
}

/* ---- all of them ------------------------------------------------------------------------------------------- */

static void place(double cpu)
{
    cpu_set_t set;
    if (cpu < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        fail("a processor that the real one ran on is not to be had");
}

static void live(int role, int64_t start_ns, FILE *told)
{
    const double cpu[] = {shape.cpu_feed, shape.cpu_strategy, shape.cpu_risk, shape.cpu_exec,
                          shape.cpu_recorder};
    static struct process p;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    place(cpu[role]); /* before the socket's threads: they go with it */
    p.zmq = sockets_open();
    if (!p.zmq || inbox_open(&p.in))
        fail("out of memory");
    p.start_ns = start_ns;
    p.end_ns = start_ns + (int64_t)((shape.warm_s + shape.seconds) * (double)NS_PER_SEC);
    switch (role) {
    case 0:
        feed(&p);
        break;
    case 1:
        strategy(&p, told);
        break;
    case 2:
        risk(&p);
        break;
    case 3:
        exec(&p, told);
        break;
    default:
        recorder(&p);
        break;
    }
    (void)fflush(told);
    _exit(0);
}

static void read_shape(int argc, char **argv)
{
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        size_t len = strlen(keys[k].name);
        bool found = false;
        for (int i = 2; i < argc; i++)
            if (strncmp(argv[i], keys[k].name, len) == 0 && argv[i][len] == '=') {
                *keys[k].value = strtod(argv[i] + len + 1, NULL);
                found = true;
            }
        if (!found) {
            (void)fprintf(stderr, "chain_bare: %s=NUMBER is missing\n", keys[k].name);
            exit(2);
        }
    }
    if (shape.tick_bytes > PAYLOAD_MAX || shape.record_bytes > PAYLOAD_MAX || shape.topics > 1024 ||
        shape.ticks_per_s <= 0 || shape.tick_bytes < (double)sizeof(struct tick))
        fail("the shape is beyond what this is made for");
}

/* The processes that tell something, exec before the worker, so that what they tell is one object. */
int main(int argc, char **argv)
{
    if (argc < 3) {
        (void)fprintf(stderr, "usage: chain_bare DIR KEY=NUMBER...\n");
        return 2;
    }
    read_shape(argc, argv);
    if (chdir(argv[1]) != 0)
        fail("the directory cannot be entered");
    FILE *told[5];
    pid_t children[5];
    int64_t start_ns = clock_mono_ns() + NS_PER_SEC / 2;
    for (int role = 0; role < 5; role++) {
        told[role] = tmpfile();
        if (!told[role])
            fail("no temporary file");
        children[role] = fork();
        if (children[role] == 0)
            live(role, start_ns, told[role]);
    }
    int failed = 0, status;
    for (int role = 0; role < 5; role++)
        failed += waitpid(children[role], &status, 0) < 0 || status != 0;
    static const int tellers[] = {3, 1};
    printf("{");
    for (int i = 0; i < 2; i++) {
        char line[256] = "";
        rewind(told[tellers[i]]);
        if (fgets(line, sizeof line, told[tellers[i]]))
            (void)fputs(line, stdout);
    }
    printf("}\n");
    return failed != 0;
}
