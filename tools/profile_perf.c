/* Functions: `perf record` is attached to the processes from outside, and `perf script` tells its samples. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tools/profile.h"

enum { ATTACH_MS = 500, DETACH_MS = 10000, STEP_MS = 20 };

static pid_t spawn(char *const *argv, int out, const char *err_path)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    int err = open(err_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)dup2(in, STDIN_FILENO);
    (void)dup2(out >= 0 ? out : err, STDOUT_FILENO);
    (void)dup2(err, STDERR_FILENO);
    (void)setpgid(0, 0); /* a Ctrl-C is for who started it */
    (void)execvp(argv[0], argv);
    _exit(errno == ENOENT ? 127 : 126);
}

static bool ended(pid_t pid, int *status, int timeout_ms)
{
    for (int waited = 0;; waited += STEP_MS) {
        if (waitpid(pid, status, WNOHANG) == pid)
            return true;
        if (waited >= timeout_ms)
            return false;
        (void)usleep(STEP_MS * 1000);
    }
}

/* The first line that it wrote, which says what it lacks. */
static void why(const char *path, int status, char words[PROFILE_WORDS_MAX])
{
    char line[256] = "";
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        (void)snprintf(words, PROFILE_WORDS_MAX,
                       "not sampled: perf is not installed; times are by stage only");
        return;
    }
    FILE *f = fopen(path, "re");
    while (f && *line == '\0' && fgets(line, sizeof line, f))
        line[strcspn(line, "\n")] = '\0';
    if (f)
        (void)fclose(f);
    (void)snprintf(words, PROFILE_WORDS_MAX,
                   "not sampled: perf does not work here (%s); times are by stage only",
                   *line ? line : "it said nothing");
}

int perf_start(struct perf *self, const char *output, const struct profile *of, char words[PROFILE_WORDS_MAX])
{
    char pids[CONTROLS_MAX * 12] = "", hz[16];
    size_t len = 0;
    int status = 0;
    for (int i = 0; i < of->n; i++)
        if (of->process[i].pid > 0)
            len += (size_t)snprintf(pids + len, sizeof pids - len, "%s%d", len ? "," : "",
                                    (int)of->process[i].pid);
    (void)snprintf(hz, sizeof hz, "%d", PERF_HZ);
    (void)snprintf(self->data, sizeof self->data, "%s/perf.data", output);
    (void)snprintf(self->said, sizeof self->said, "%s/perf.out", output);
    (void)unlink(self->said);
    char *argv[] = {(char[]){"perf"},
                    (char[]){"record"},
                    (char[]){"-e"},
                    (char[]){"cpu-clock"},
                    (char[]){"-g"},
                    (char[]){"-F"},
                    hz,
                    (char[]){"-p"},
                    pids,
                    (char[]){"-o"},
                    self->data,
                    NULL};
    self->pid = spawn(argv, -1, self->said);
    if (self->pid > 0 && !ended(self->pid, &status, ATTACH_MS))
        return OK;
    self->pid = 0;
    why(self->said, status, words);
    return E_ABSENT;
}

static const char *name_of(const void *ctx, int pid)
{
    const struct profile *of = ctx;
    for (int i = 0; i < of->n; i++)
        if (of->process[i].pid == pid)
            return of->process[i].name;
    return NULL;
}

static int read_script(struct perf *self, const struct profile *of, struct stacks *out, int *status)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return E_IO;
    char *argv[] = {(char[]){"perf"},
                    (char[]){"script"},
                    (char[]){"--no-inline"},
                    (char[]){"-i"},
                    self->data,
                    (char[]){"-F"},
                    (char[]){"comm,pid,tid,ip,sym,dso"},
                    NULL};
    pid_t pid = spawn(argv, ends[1], self->said);
    (void)close(ends[1]);
    FILE *in = fdopen(ends[0], "r");
    if (in)
        stacks_read_perf(out, in, NS_PER_SEC / PERF_HZ, name_of, of);
    if (in)
        (void)fclose(in);
    else
        (void)close(ends[0]);
    return pid > 0 && waitpid(pid, status, 0) == pid && WIFEXITED(*status) && WEXITSTATUS(*status) == 0
               ? OK
               : E_IO;
}

int perf_finish(struct perf *self, const struct profile *of, struct stacks *out,
                char words[PROFILE_WORDS_MAX])
{
    int status = 0;
    (void)kill(self->pid, SIGINT);
    if (!ended(self->pid, &status, DETACH_MS)) {
        (void)kill(self->pid, SIGKILL);
        (void)waitpid(self->pid, &status, 0);
    }
    self->pid = 0;
    if (access(self->data, R_OK) != 0 || read_script(self, of, out, &status) != OK || out->samples == 0) {
        why(self->said, status, words);
        stacks_close(out);
        return E_IO;
    }
    stacks_sum(out);
    (void)snprintf(words, PROFILE_WORDS_MAX,
                   "%" PRId64
                   " samples at %d Hz by perf (cpu-clock, frame pointers), behind the measured span so "
                   "that they do not cost in it; libraries without frame pointers cut a stack off%s",
                   out->samples, PERF_HZ, out->full ? "; some stacks were left out for want of room" : "");
    return OK;
}
