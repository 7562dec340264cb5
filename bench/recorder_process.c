#include "bench/recorder_process.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/runtime/ledger.h"
#include "lib/runtime/loop.h"

enum { WRITE_AT_ONCE = 64, LOOK_US = 2000, LOST_S = 120, BEAT_MS = 100 };

static const char *const streams[LEDGERS] = {"risk", "exec"};
static char run_dir[PATH_MAX];
static uint64_t heads[LEDGERS];

static _Noreturn void fail(const char *words)
{
    (void)fprintf(stderr, "bench_recorder: %s\n", words);
    exit(1);
}

static void path_of(const char *name, char out[PATH_MAX + 32])
{
    (void)snprintf(out, PATH_MAX + 32, "%s/%s", run_dir, name);
}

static void write_file(const char *name, const char *text)
{
    char path[PATH_MAX + 32];
    path_of(name, path);
    FILE *f = fopen(path, "we");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        fail("a file of the run directory cannot be written");
}

/* ---- the owner ----------------------------------------------------------------------------------------- */

static struct ledger *ledgers[LEDGERS];

static void ignore(void *ctx, const struct message *m)
{
    (void)ctx, (void)m;
}

static void beat(void *ctx, struct now now)
{
    (void)ctx;
    for (int l = 0; l < LEDGERS; l++)
        ledger_beat(ledgers[l], true, now.utc_ns, 0, 0, now);
}

static void tail(void *ctx, struct now now)
{
    (void)now;
    for (int l = 0; l < LEDGERS; l++)
        if (ledger_answer_stuck(ledgers[l]))
            loop_wake_in(ctx, LEDGER_STUCK_NS);
}

static void fill_ledgers(size_t n, struct encoded (*at)(size_t i))
{
    static struct message m;
    struct drops drops = {0};
    struct decoder *decoder = decoder_new();
    for (size_t i = 0; i < n; i++) {
        const struct encoded e = at(i);
        struct ledger *ledger = ledgers[e.ledger];
        if (!codec_decode(decoder, e.bytes, e.len, &m, &drops) || ledger_append(ledger, &m) != OK ||
            (i % WRITE_AT_ONCE == 0 && (ledger_write(ledgers[0]) != OK || ledger_write(ledgers[1]) != OK)))
            fail(ledger_error(ledger));
        if (m.env.pos == 1) /* the epoch */
            (void)ledger_publish(ledger, &m);
    }
    for (int l = 0; l < LEDGERS; l++)
        if (ledger_write(ledgers[l]) != OK || ledger_sync(ledgers[l]) != OK)
            fail(ledger_error(ledgers[l]));
}

static _Noreturn void own(size_t n, struct encoded (*at)(size_t i))
{
    char error[LEDGER_ERROR_MAX];
    struct config config;
    struct loop *loop = loop_new();
    void *zmq = sockets_open();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    config_defaults(&config);
    if (!loop || !zmq || chdir(run_dir) != 0)
        fail("the owner of the ledgers cannot be started");
    for (int l = 0; l < LEDGERS; l++)
        if (ledger_open(streams[l], &config, zmq, ignore, NULL, NULL, &ledgers[l], error) != OK)
            fail(error);
    fill_ledgers(n, at);
    for (int l = 0; l < LEDGERS; l++)
        (void)loop_source(loop, ledger_replay_socket(ledgers[l]), 0, true, ledger_serve, ledgers[l]);
    (void)loop_timer(loop, BEAT_MS * NS_PER_MS, beat, NULL);
    loop_tail(loop, tail, loop);
    (void)mkdir("ready", 0700);
    loop_run(loop);
    _exit(0);
}

void own_ledgers(const char *run, size_t n, struct encoded (*at)(size_t i))
{
    static const char *const dirs[] = {"", "sock", "log", "journal"};
    char path[PATH_MAX + 32];
    struct stat unused;
    (void)snprintf(run_dir, sizeof run_dir, "%s", run);
    for (int i = 0; i < 4; i++) {
        path_of(dirs[i], path);
        if (mkdir(path, 0700) != 0)
            fail("the run directory cannot be made");
    }
    write_file("run_id", "bench\n");
    for (size_t i = 0; i < n; i++)
        heads[at(i).ledger]++;
    const pid_t owner = fork();
    if (owner == 0)
        own(n, at);
    path_of("ready", path);
    while (stat(path, &unused) != 0) {
        if (owner < 0 || waitpid(owner, NULL, WNOHANG) != 0)
            fail("the owner of the ledgers has ended");
        (void)usleep(LOOK_US);
    }
}

/* ---- the recorder -------------------------------------------------------------------------------------- */

/* Beside this program's folder, where the build puts it. */
static pid_t start_recorder(void)
{
    char program[PATH_MAX + 32];
    const ssize_t len = readlink("/proc/self/exe", program, PATH_MAX - 1);
    program[len > 0 ? len : 0] = '\0';
    for (int up = 0; up < 2 && strrchr(program, '/'); up++)
        *strrchr(program, '/') = '\0';
    (void)strncat(program, "/bin/sluice-recorder", 32);
    const pid_t pid = fork();
    if (pid != 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)execl(program, "sluice-recorder", "--dir", run_dir, (char *)NULL);
    _exit(127);
}

static bool look(struct store *store, uint64_t pos[LEDGERS])
{
    uint64_t epoch;
    for (int l = 0; l < LEDGERS; l++)
        if (store_position(store, "bench", streams[l], &epoch, &pos[l]) != OK)
            return false;
    return true;
}

/* To the last whole batch: what is left waits for recorder.batch_ms, in case there is more. */
static bool watch(struct store *store, pid_t recorder, size_t batch_rows, struct catching_up *out,
                  char *error)
{
    const int64_t until_ns = clock_mono_ns() + LOST_S * NS_PER_SEC;
    *out = (struct catching_up){0};
    while (clock_mono_ns() < until_ns) {
        if (!look(store, out->last)) {
            (void)snprintf(error, STORE_ERROR_MAX, "%s", store_error(store));
            return false;
        }
        out->ended_ns = clock_mono_ns();
        if (out->began_ns == 0 && out->last[0] + out->last[1] > 0) {
            out->began_ns = out->ended_ns;
            memcpy(out->first, out->last, sizeof out->first);
        }
        if (heads[0] + heads[1] - out->last[0] - out->last[1] < batch_rows)
            return true;
        if (waitpid(recorder, NULL, WNOHANG) != 0) {
            (void)snprintf(error, STORE_ERROR_MAX, "sluice-recorder has ended; is it built?");
            return false;
        }
        (void)usleep(LOOK_US);
    }
    (void)snprintf(error, STORE_ERROR_MAX, "sluice-recorder did not catch up within %d s", LOST_S);
    return false;
}

bool catch_up(struct store *store, const char *sink, const char *target, size_t batch_rows,
              struct catching_up *out, char error[STORE_ERROR_MAX])
{
    char config[1024];
    struct rusage usage = {0};
    const bool server = strcmp(sink, "postgres") == 0;
    (void)snprintf(config, sizeof config, "recorder:\n  sink: %s\n  batch_rows: %zu\n%s%s%s", sink,
                   batch_rows, server ? "  postgres: \"" : "", server ? target : "", server ? "\"\n" : "");
    write_file("config.yaml", config);
    const pid_t recorder = start_recorder();
    const bool caught_up = recorder > 0 && watch(store, recorder, batch_rows, out, error);
    if (recorder > 0) {
        (void)kill(recorder, SIGTERM);
        (void)wait4(recorder, NULL, 0, &usage);
    }
    out->cpu_ns = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_SEC +
                  (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
    return caught_up;
}
