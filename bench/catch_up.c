/* How fast a reader catches up on a ledger, and what its owner has left for live traffic meanwhile.
 *
 * A process owns a journal of so many records, and serves it last in its loop, as risk and exec do; readers in other
 * processes join it at the first record, or in the middle, at the same time. Printed per reader: records a second until it
 * is current; for the owner: the longest wake-up while it served, which is what an intent may have had to wait.
 *
 * usage: bench_catch_up [RECORDS [READERS]]     1000000 and 1
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/runtime/ledger.h"
#include "lib/runtime/loop.h"

static uint64_t records = 1000000;

static _Noreturn void fail(const char *words)
{
    (void)fprintf(stderr, "bench_catch_up: %s\n", words);
    exit(1);
}

static void nothing(void *ctx, const struct message *m)
{
    (void)ctx;
    (void)m;
}

static void on_timer(void *ctx, struct now now)
{
    (void)ctx;
    (void)now;
}

/* ---- the owner ----------------------------------------------------------------------------------------- */

struct owner {
    struct ledger *ledger;
    struct loop *loop;
    int64_t longest_ns;
};

static void fill(struct owner *self)
{
    struct message m, epoch;
    message_init(&epoch, MSG_EPOCH);
    (void)text_set(epoch.env.stream, sizeof epoch.env.stream, "exec");
    epoch.env.epoch = epoch.env.pos = 1;
    message_init(&m, MSG_GAP);
    (void)text_set(m.env.stream, sizeof m.env.stream, "exec");
    (void)text_set(m.gap.stream_lost, sizeof m.gap.stream_lost, "risk");
    (void)text_set(m.gap.cause, sizeof m.gap.cause, "retention");
    m.env.epoch = 1;
    for (uint64_t pos = m.env.pos = 1; pos <= records; m.env.pos = ++pos)
        if (ledger_append(self->ledger, pos == 1 ? &epoch : &m) != OK ||
            (pos % 1000 == 0 && ledger_write(self->ledger) != OK))
            fail(ledger_error(self->ledger));
    if (ledger_write(self->ledger) != OK || ledger_publish(self->ledger, &epoch) != OK)
        fail(ledger_error(self->ledger));
}

static int serve(void *ctx, struct now now, int bound)
{
    struct owner *self = ctx;
    const int64_t began_ns = clock_mono_ns();
    const int taken = ledger_serve(self->ledger, now, bound);
    const int64_t took_ns = clock_mono_ns() - began_ns;
    if (took_ns > self->longest_ns)
        self->longest_ns = took_ns;
    return taken;
}

static void tail(void *ctx, struct now now)
{
    struct owner *self = ctx;
    struct stat unused;
    (void)now;
    if (ledger_answer_stuck(self->ledger))
        loop_wake_in(self->loop, LEDGER_STUCK_NS);
    if (stat("stop", &unused) == 0)
        loop_stop(self->loop);
}

static void own(void)
{
    static struct owner self;
    char error[LEDGER_ERROR_MAX];
    struct config config;
    config_defaults(&config);
    (void)text_set(config.journal.sync, sizeof config.journal.sync, "never");
    self.loop = loop_new();
    if (!self.loop ||
        ledger_open("exec", &config, sockets_open(), nothing, NULL, NULL, &self.ledger, error) != OK)
        fail(error);
    fill(&self);
    (void)mkdir("ready", 0700);
    (void)loop_source(self.loop, ledger_replay_socket(self.ledger), 0, true, serve, &self);
    (void)loop_timer(self.loop, 10 * NS_PER_MS, on_timer, NULL);
    loop_tail(self.loop, tail, &self);
    loop_run(self.loop);
    (void)printf("  owner: longest turn %.2f ms\n", (double)self.longest_ns / 1e6);
    (void)fflush(stdout);
    _exit(0);
}

/* ---- a reader ------------------------------------------------------------------------------------------ */

struct joining {
    struct ledger_reader *reader;
    struct loop *loop;
    uint64_t got;
};

static void take(void *ctx, const struct message *m, struct now now)
{
    struct joining *self = ctx;
    (void)m;
    (void)now;
    self->got++;
}

static int drain(void *ctx, struct now now, int bound)
{
    struct joining *self = ctx;
    int taken = 0, got = 1;
    while (taken < bound && got > 0)
        taken += got = ledger_reader_drain(self->reader, now, 1);
    if (ledger_reader_current(self->reader))
        loop_stop(self->loop);
    return taken;
}

static void join(uint64_t behind)
{
    static struct joining self;
    char error[LEDGER_ERROR_MAX];
    self.loop = loop_new();
    if (!self.loop || ledger_reader_open("exec", sockets_open(), behind > 0, behind, take, &self,
                                         &self.reader, error) != OK)
        fail(error);
    (void)loop_source(self.loop, ledger_reader_replay_socket(self.reader), 0, true, drain, &self);
    (void)loop_timer(self.loop, 100 * NS_PER_MS, on_timer, NULL);
    const int64_t began_ns = clock_mono_ns();
    loop_run(self.loop);
    const double s = (double)(clock_mono_ns() - began_ns) / 1e9;
    (void)printf("  behind %8" PRIu64 ": %8" PRIu64 " records in %6.2f s: %7.0f a second\n", behind, self.got,
                 s, (double)self.got / s);
    (void)fflush(stdout);
    _exit(0);
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/sluice-catch-up.XXXXXX", command[64];
    struct stat unused;
    const int readers = argc > 2 ? atoi(argv[2]) : 1;
    if (argc > 1)
        records = strtoull(argv[1], NULL, 10);
    if (records < 1000 || readers < 1 || readers > 16)
        fail("expected at least 1000 records, and 1 to 16 readers");
    if (!mkdtemp(dir) || chdir(dir) != 0 || mkdir("sock", 0700) != 0)
        fail("no directory can be made in /tmp");
    const pid_t owner = fork();
    if (owner == 0)
        own();
    while (stat("ready", &unused) != 0) {
        if (waitpid(owner, NULL, WNOHANG) != 0)
            return 1;
        (void)usleep(10000);
    }
    (void)printf("%" PRIu64 " records\n", records);
    (void)fflush(stdout);
    pid_t children[16];
    for (int i = 0; i < readers; i++)
        if ((children[i] = fork()) == 0)
            join(i % 2 ? records / (uint64_t)(i + 1) : 0);
    for (int i = 0; i < readers; i++)
        (void)waitpid(children[i], NULL, 0);
    (void)mkdir("stop", 0700);
    (void)waitpid(owner, NULL, 0);
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    if (chdir("/") != 0 || system(command) != 0)
        (void)fprintf(stderr, "bench_catch_up: %s is left behind\n", dir);
    return 0;
}
