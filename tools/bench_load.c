#include "tools/bench_load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "lib/base/clock.h"
#include "lib/base/text.h"

enum { DRAIN_EVERY_MS = 50, PIDS_BYTES_MAX = 8192, DRAIN_BOUND = 100000 };

#define START_NS (20 * NS_PER_SEC)
#define STOP_NS  (60 * NS_PER_SEC)

/* ---- starting --------------------------------------------------------------------------------------- */

int load_output(struct load *self, const char *output, char error[LOAD_ERROR_MAX])
{
    char run[RUN_PATH_MAX + 8];
    if (mkdir(output, 0777) != 0 && errno != EEXIST) {
        (void)snprintf(error, LOAD_ERROR_MAX, "%.300s: %s", output, strerror(errno));
        return E_IO;
    }
    char *absolute = realpath(output, NULL);
    bool fits = absolute && text_set(self->output, sizeof self->output, absolute);
    free(absolute);
    if (!fits) {
        (void)snprintf(error, LOAD_ERROR_MAX, "%.300s: no directory, or its path is too long", output);
        return E_IO;
    }
    (void)snprintf(run, sizeof run, "%s/run", self->output);
    if (access(run, F_OK) != 0)
        return OK;
    (void)snprintf(error, LOAD_ERROR_MAX, "%.400s is there already; expected a directory without", run);
    return E_EXISTS;
}

static _Noreturn void become_run(const struct load *self, char *const *arguments, int n, pid_t parent)
{
    char run[RUN_PATH_MAX + 8], out[RUN_PATH_MAX + 16];
    char *argv[LOAD_ARGUMENTS_MAX + 8] = {"sluice", "run", "--dir", run};
    (void)snprintf(run, sizeof run, "%s/run", self->output);
    (void)snprintf(out, sizeof out, "%s/run.out", self->output);
    for (int i = 0; i < n; i++)
        argv[4 + i] = arguments[i];
    (void)setpgid(0, 0); /* a Ctrl-C is the benchmark's to handle */
    (void)prctl(PR_SET_PDEATHSIG, SIGINT);
    if (getppid() != parent)
        _exit(1);
    int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd >= 0) {
        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
    }
    (void)execv("/proc/self/exe", argv);
    _exit(127);
}

/* Who runs, as the supervisor tells: adds who is not known yet, and sees who was started again. */
static void look_who_runs(struct load *self)
{
    char text[PIDS_BYTES_MAX], name[24];
    FILE *f = fopen("pids.json", "re");
    size_t len = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        (void)fclose(f);
    text[len] = '\0';
    int pid;
    for (const char *at = text; (at = strchr(at, '"')) != NULL; at = strchr(at + 1, '"') + 1) {
        if (!strchr(at + 1, '"'))
            return;
        if (sscanf(at, "\"%23[^\"]\": %d", name, &pid) != 2 || strcmp(name, "supervisor") == 0)
            continue;
        int i = 0;
        while (i < self->services.n && strcmp(self->name[i], name) != 0)
            i++;
        if (i == self->services.n) {
            if (roll_call_add(&self->services, self->zmq, name) != OK)
                return;
            (void)text_set(self->name[i], sizeof self->name[i], name);
        } else if (self->service_pid[i] != pid) {
            self->restarts++;
        }
        self->service_pid[i] = pid;
    }
}

static bool all_answer(struct load *self)
{
    bool feed = false;
    look_who_runs(self);
    for (int i = 0; i < self->services.n; i++)
        feed = feed || strcmp(self->name[i], "feed") == 0; /* it is started last */
    return feed && load_ask(self, 500) == 0;
}

static void last_words(const struct load *self, char error[LOAD_ERROR_MAX])
{
    char path[RUN_PATH_MAX + 16], line[LOAD_ERROR_MAX / 2];
    (void)snprintf(path, sizeof path, "%s/run.out", self->output);
    (void)snprintf(error, LOAD_ERROR_MAX, "the run has not come up; see %.300s", path);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "sluice: ", 8) == 0)
            (void)snprintf(error, LOAD_ERROR_MAX, "%.*s", (int)strcspn(line + 8, "\n"), line + 8);
    if (f)
        (void)fclose(f);
}

int load_start(struct load *self, char *const *arguments, int n, char error[LOAD_ERROR_MAX])
{
    char run[RUN_PATH_MAX + 8];
    pid_t parent = getpid();
    if (n > LOAD_ARGUMENTS_MAX) {
        (void)snprintf(error, LOAD_ERROR_MAX, "%d arguments; expected at most %d", n, LOAD_ARGUMENTS_MAX);
        return E_FULL;
    }
    (void)fflush(NULL);
    self->pid = fork();
    if (self->pid == 0)
        become_run(self, arguments, n, parent);
    self->zmq = self->pid > 0 ? zmq_ctx_new() : NULL;
    (void)snprintf(run, sizeof run, "%s/run", self->output);
    int64_t until_ns = clock_mono_ns() + START_NS;
    bool inside = false;
    while (self->zmq && load_runs(self) && clock_mono_ns() < until_ns) {
        if (!inside)
            inside = chdir(run) == 0;
        if (inside && all_answer(self))
            return OK;
        (void)usleep(DRAIN_EVERY_MS * 1000);
    }
    last_words(self, error);
    return E_IO;
}

int load_follow(struct load *self, void (*on_risk)(void *ctx, const struct message *m, struct now now),
                void (*on_exec)(void *ctx, const struct message *m, struct now now), void *ctx,
                char error[LOAD_ERROR_MAX])
{
    char words[LEDGER_ERROR_MAX] = "";
    int status = OK;
    if (on_risk)
        status = ledger_reader_open("risk", self->zmq, 0, 0, on_risk, ctx, &self->risk, words);
    if (status == OK && on_exec)
        status = ledger_reader_open("exec", self->zmq, 0, 0, on_exec, ctx, &self->exec, words);
    (void)snprintf(error, LOAD_ERROR_MAX, "%s", words);
    return status;
}

/* ---- watching --------------------------------------------------------------------------------------- */

static void drain(struct load *self)
{
    struct now now = {.mono_ns = clock_mono_ns(), .utc_ns = clock_utc_ns()};
    if (self->risk)
        (void)ledger_reader_drain(self->risk, now, DRAIN_BOUND);
    if (self->exec)
        (void)ledger_reader_drain(self->exec, now, DRAIN_BOUND);
}

void load_wait_until(struct load *self, int64_t mono_ns)
{
    for (;;) {
        drain(self);
        int64_t left_ns = mono_ns - clock_mono_ns();
        if (left_ns <= 0)
            return;
        int64_t turn_ns = DRAIN_EVERY_MS * NS_PER_MS;
        (void)usleep((useconds_t)((left_ns < turn_ns ? left_ns : turn_ns) / 1000 + 1));
    }
}

int load_ask(struct load *self, int timeout_ms)
{
    bool wanted[CONTROLS_MAX] = {false};
    int silent = 0;
    int64_t from_ns = clock_mono_ns();
    look_who_runs(self);
    for (int i = 0; i < self->services.n; i++)
        wanted[i] = true;
    roll_call_ask_now(&self->services, wanted, timeout_ms);
    for (int i = 0; i < self->services.n; i++)
        silent += !roll_call_answered(&self->services, i, from_ns);
    return silent;
}

bool load_runs(struct load *self)
{
    if (self->pid > 0 && waitpid(self->pid, &self->status, WNOHANG) == self->pid)
        self->pid = 0;
    return self->pid > 0;
}

int64_t load_figure(const struct load *self, const char *service, const char *name)
{
    int64_t sum = 0;
    for (int i = 0; i < self->services.n; i++)
        if (strncmp(self->name[i], service, strlen(service)) == 0)
            sum += control_metric(&self->services.reply[i], name, 0);
    return sum;
}

int64_t load_sum(const struct load *self, const char *name)
{
    return load_figure(self, "", name);
}

struct process_size load_size(pid_t pid)
{
    struct process_size size = {-1, -1, -1};
    char path[64], line[128];
    (void)snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        (void)sscanf(line, "Rss: %ld", &size.rss);
        (void)sscanf(line, "Anonymous: %ld", &size.anonymous);
    }
    if (f)
        (void)fclose(f);
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    if (dir)
        size.fds = -2; /* . and .. */
    while (dir && readdir(dir))
        size.fds++;
    if (dir)
        (void)closedir(dir);
    return size;
}

/* ---- ending ----------------------------------------------------------------------------------------- */

bool load_stop(struct load *self, char words[LOAD_ERROR_MAX])
{
    bool by_itself = !load_runs(self);
    int64_t until_ns = clock_mono_ns() + STOP_NS;
    if (!by_itself)
        (void)kill(self->pid, SIGINT);
    while (load_runs(self) && clock_mono_ns() < until_ns) {
        drain(self);
        (void)usleep(10000);
    }
    if (self->pid > 0) {
        (void)kill(self->pid, SIGKILL); /* its children end with it */
        (void)waitpid(self->pid, &self->status, 0);
        self->pid = 0;
    }
    ledger_reader_close(&self->risk);
    ledger_reader_close(&self->exec);
    roll_call_close(&self->services);
    if (self->zmq)
        (void)zmq_ctx_term(self->zmq);
    self->zmq = NULL;
    bool exited = WIFEXITED(self->status);
    int code = exited ? WEXITSTATUS(self->status) : WTERMSIG(self->status);
    if (exited && code == 0 && !by_itself)
        (void)snprintf(words, LOAD_ERROR_MAX, "the run ended in order and was reconciled to the last digit");
    else
        (void)snprintf(words, LOAD_ERROR_MAX, "the run ended %s with %s %d; see run.out",
                       by_itself ? "by itself" : "", exited ? "exit code" : "signal", code);
    return exited && code == 0 && !by_itself;
}

/* ---- figures ---------------------------------------------------------------------------------------- */

int64_t load_tick_to_order_ns(const struct message *m)
{
    const struct trace *t = &m->env.trace;
    if (m->env.type != MSG_ORDER || m->order.state != ORDER_NEW || m->order.attempt > 0 || !t->recv_mono ||
        !t->hop[HOP_EXEC_OUT])
        return -1;
    return t->hop[HOP_EXEC_OUT] - t->recv_mono;
}

void load_machine(char cpu[128], int *processors)
{
    char line[256];
    *processors = (int)sysconf(_SC_NPROCESSORS_ONLN);
    (void)snprintf(cpu, 128, "unknown processor");
    FILE *f = fopen("/proc/cpuinfo", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "model name : %127[^\n]", cpu) == 1)
            break;
    if (f)
        (void)fclose(f);
}
