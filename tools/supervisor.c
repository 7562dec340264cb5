#include "tools/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"

enum { HOPELESS = 10 };

#define QUICK_DEATH_NS NS_PER_SEC
/* Who has run for a while, or has died at once only once, is missed: it comes back without a pause to speak of. */
#define PAUSE_FIRST_NS  (20 * NS_PER_MS)
#define PAUSE_MIN_NS    (100 * NS_PER_MS)
#define PAUSE_DOUBLINGS 5

/* Who runs, for people and tests: replaced whole, so that a reader never sees half of it. */
static void write_pids(const struct supervisor *s)
{
    FILE *f = fopen("pids.json.next", "we");
    if (!f)
        return;
    (void)fprintf(f, "{\"supervisor\": %d", (int)getpid());
    for (int i = 0; i < s->n; i++)
        if (s->child[i].pid)
            (void)fprintf(f, ", \"%s\": %d", s->child[i].name, (int)s->child[i].pid);
    (void)fprintf(f, "}\n");
    if (fclose(f) == 0)
        (void)rename("pids.json.next", "pids.json");
}

bool supervisor_open(struct supervisor *s)
{
    memset(s, 0, sizeof *s);
    ssize_t len = readlink("/proc/self/exe", s->bin_dir, sizeof s->bin_dir - 1);
    char *slash = len > 0 ? strrchr(s->bin_dir, '/') : NULL;
    if (!slash)
        return false;
    *slash = '\0';
    return true;
}

void supervisor_close(void)
{
    (void)unlink("pids.json");
}

static void become(const struct supervisor *s, const struct child *c, pid_t supervisor)
{
    char program[1100], errors[64];
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setpgid(0, 0); /* a Ctrl-C is the supervisor's to handle, in the right order */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != supervisor) /* it died before that could be heard of */
        _exit(1);
    (void)snprintf(program, sizeof program, "%s/%s", s->bin_dir, c->program);
    (void)snprintf(errors, sizeof errors, "log/%s.stderr", c->name);
    int fd = open(errors, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd >= 0 && null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
    }
    (void)execl(program, c->program, "--dir", ".", "--name", c->name, (char *)NULL);
    (void)fprintf(stderr, "%s: %s\n", program, strerror(errno));
    _exit(127);
}

static bool spawn(struct supervisor *s, struct child *c)
{
    pid_t supervisor = getpid(), pid = fork();
    if (pid < 0)
        return false;
    if (pid == 0)
        become(s, c, supervisor);
    c->pid = pid;
    c->started_mono_ns = clock_mono_ns();
    c->restart_mono_ns = 0;
    write_pids(s);
    return true;
}

bool supervisor_start(struct supervisor *s, const char *program, const char *name)
{
    if (s->n == CHILDREN_MAX)
        return false;
    struct child *c = &s->child[s->n++];
    memset(c, 0, sizeof *c);
    (void)snprintf(c->name, sizeof c->name, "%s", name);
    (void)snprintf(c->program, sizeof c->program, "%s", program);
    c->wanted = true;
    return spawn(s, c);
}

struct child *supervisor_child(struct supervisor *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->child[i].name, name) == 0)
            return &s->child[i];
    return NULL;
}

static void note_death(struct child *c, int status, int64_t mono_ns)
{
    bool quick = mono_ns - c->started_mono_ns < QUICK_DEATH_NS;
    c->pid = 0;
    c->last_status = status;
    c->fell = true;
    c->quick_deaths = quick ? c->quick_deaths + 1 : 0;
    c->refusals = quick && WIFEXITED(status) && WEXITSTATUS(status) != 0 ? c->refusals + 1 : 0;
    uint32_t doublings = c->quick_deaths < PAUSE_DOUBLINGS + 2 ? c->quick_deaths - 2 : PAUSE_DOUBLINGS;
    c->pause_ns = c->quick_deaths < 2 ? PAUSE_FIRST_NS : PAUSE_MIN_NS << doublings;
    c->restart_mono_ns = mono_ns + c->pause_ns;
}

int supervisor_watch(struct supervisor *s)
{
    int died = 0, status;
    int64_t mono_ns = clock_mono_ns();
    for (int i = 0; i < s->n; i++) {
        struct child *c = &s->child[i];
        c->fell = false;
        if (c->pid && waitpid(c->pid, &status, WNOHANG) == c->pid) {
            note_death(c, status, mono_ns);
            died++;
            write_pids(s);
        }
        if (!c->pid && c->wanted && mono_ns >= c->restart_mono_ns && c->refusals < HOPELESS) {
            c->restarts++;
            (void)spawn(s, c);
        }
    }
    return died;
}

const char *supervisor_hopeless(const struct supervisor *s)
{
    for (int i = 0; i < s->n; i++)
        if (s->child[i].wanted && !s->child[i].pid && s->child[i].refusals >= HOPELESS)
            return s->child[i].name;
    return NULL;
}

const char *supervisor_refusing(const struct supervisor *s)
{
    int64_t mono_ns = clock_mono_ns();
    for (int i = 0; i < s->n; i++) {
        const struct child *c = &s->child[i];
        bool up = c->pid && mono_ns - c->started_mono_ns >= QUICK_DEATH_NS;
        if (c->wanted && c->refusals > 0 && !up)
            return c->name;
    }
    return NULL;
}

static void last_line(const char *path, char *out, size_t cap)
{
    char text[512];
    *out = '\0';
    FILE *f = fopen(path, "re");
    if (!f)
        return;
    if (fseek(f, -(long)(sizeof text - 1), SEEK_END) != 0)
        rewind(f); /* a shorter file is read whole */
    size_t n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    while (n > 0 && text[n - 1] == '\n')
        n--;
    text[n] = '\0';
    const char *newline = strrchr(text, '\n');
    (void)snprintf(out, cap, "%s", newline ? newline + 1 : text);
}

void supervisor_last_words(const struct child *c, char *out, size_t cap)
{
    char path[64], line[512];
    if (WIFSIGNALED(c->last_status)) {
        (void)snprintf(out, cap, "by signal %d", WTERMSIG(c->last_status));
        return;
    }
    (void)snprintf(path, sizeof path, "log/%s.stderr", c->name);
    last_line(path, line, sizeof line);
    (void)snprintf(out, cap, "with status %d%s%s", WEXITSTATUS(c->last_status), *line ? ": " : "", line);
}

static bool ended_within(struct child *c, int timeout_ms)
{
    int64_t until_ns = clock_mono_ns() + timeout_ms * NS_PER_MS;
    for (;;) {
        if (waitpid(c->pid, &c->last_status, WNOHANG) == c->pid)
            return true;
        if (clock_mono_ns() >= until_ns)
            return false;
        (void)usleep(2000);
    }
}

void supervisor_end(struct supervisor *s, const char *name, int timeout_ms)
{
    struct child *c = supervisor_child(s, name);
    if (!c)
        return;
    c->wanted = false;
    if (c->pid && !ended_within(c, timeout_ms)) {
        (void)kill(c->pid, SIGTERM);
        (void)kill(c->pid, SIGCONT);
        if (!ended_within(c, 1000)) {
            (void)kill(c->pid, SIGKILL);
            (void)ended_within(c, 5000);
        }
    }
    c->pid = 0;
    write_pids(s);
}

void supervisor_kill_all(struct supervisor *s)
{
    for (int i = 0; i < s->n; i++) {
        s->child[i].wanted = false;
        if (s->child[i].pid)
            (void)kill(s->child[i].pid, SIGTERM);
    }
    for (int i = 0; i < s->n; i++)
        supervisor_end(s, s->child[i].name, 0);
}
