#include "bench/throwaway.h"

#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SERVERS_MAX = 4, PATIENCE_S = 60 };

static char root[PATH_MAX];
static pid_t servers[SERVERS_MAX], owner;
static int n_servers;

/* ---- the directory ------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    (void)remove(path);
    return 0;
}

static void end(void)
{
    if (getpid() != owner)
        return;
    for (int i = 0; i < n_servers; i++)
        (void)kill(servers[i], SIGINT);
    for (int i = 0; i < n_servers; i++)
        (void)waitpid(servers[i], NULL, 0);
    (void)nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void on_signal(int number)
{
    (void)number;
    exit(130);
}

void throwaway_open(const char *parent)
{
    if (snprintf(root, sizeof root, "%s/sluice-bench.XXXXXX", parent) >= (int)sizeof root || !mkdtemp(root)) {
        (void)fprintf(stderr, "bench: no directory can be made in %s\n", parent);
        exit(1);
    }
    owner = getpid();
    (void)atexit(end);
    (void)signal(SIGINT, on_signal);
    (void)signal(SIGTERM, on_signal);
}

const char *throwaway_path(const char *name)
{
    static char paths[4][PATH_MAX + 64];
    static unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

void throwaway_remove(const char *name)
{
    (void)nftw(throwaway_path(name), remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- servers ------------------------------------------------------------------------------------------- */

struct user {
    const char *name; /* NULL: as this process */
    uid_t uid;
    gid_t gid;
};

/* Words of a server go to a file beside it. */
static pid_t start(const char *const *argv, const struct user *as, const char *log)
{
    const pid_t pid = fork();
    if (pid != 0)
        return pid;
    const int out = open(throwaway_path(log), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (out < 0 || in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || chdir("/") != 0)
        _exit(126);
    if (as->name && (setgroups(0, NULL) != 0 || setgid(as->gid) != 0 || setuid(as->uid) != 0))
        _exit(126);
    (void)prctl(PR_SET_PDEATHSIG, SIGINT);
    (void)setpgid(0, 0); /* a Ctrl-C is for the benchmark, which ends its servers in order */
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static bool run(const char *const *argv, const struct user *as, const char *log)
{
    int status = -1;
    const pid_t pid = start(argv, as, log);
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Started, and answering: `ask` succeeds. */
static bool serve(const char *const *argv, const char *const *ask, const struct user *as, const char *log)
{
    static const struct user self = {.name = NULL};
    const pid_t pid = n_servers < SERVERS_MAX ? start(argv, as, log) : -1;
    if (pid <= 0)
        return false;
    servers[n_servers++] = pid;
    for (int i = 0; i < PATIENCE_S * 20; i++) {
        if (run(ask, &self, "asked.log"))
            return true;
        if (waitpid(pid, NULL, WNOHANG) == pid) {
            n_servers--;
            return false;
        }
        (void)usleep(50000);
    }
    return false;
}

/* The newest server's programs. */
static bool find_postgres(char bin[PATH_MAX])
{
    glob_t found = {0};
    int newest = -1;
    if (glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++) {
            const int version = atoi(found.gl_pathv[i] + strlen("/usr/lib/postgresql/"));
            if (version > newest)
                (void)snprintf(bin, PATH_MAX, "%.*s", (int)(strlen(found.gl_pathv[i]) - strlen("/postgres")),
                               found.gl_pathv[i]);
            newest = version > newest ? version : newest;
        }
    globfree(&found);
    return newest >= 0;
}

const char *throwaway_postgres(char target[256])
{
    static char bin[PATH_MAX], dir[PATH_MAX], data[PATH_MAX + 8], door[PATH_MAX + 32],
        program[3][PATH_MAX + 16];
    struct user as = {.name = NULL};
    if (!find_postgres(bin))
        return "no Postgres server is installed under /usr/lib/postgresql (apt-get install postgresql)";
    (void)snprintf(dir, sizeof dir, "%s", throwaway_path("postgres"));
    (void)snprintf(data, sizeof data, "%s/data", dir);
    (void)snprintf(door, sizeof door, "unix_socket_directories=%s", dir);
    static const char *const names[3] = {"initdb", "postgres", "pg_isready"};
    for (int i = 0; i < 3; i++)
        (void)snprintf(program[i], sizeof program[i], "%s/%s", bin, names[i]);
    if (strlen(dir) > 80)
        return "the directory's path is too long for a socket in it";
    if (mkdir(dir, 0700) != 0)
        return "no directory for Postgres can be made";
    if (geteuid() == 0) { /* neither initdb nor postgres runs as root */
        const struct passwd *user = getpwnam("postgres");
        if (!user)
            return "there is no user postgres to run the server as";
        as = (struct user){.name = "postgres", .uid = user->pw_uid, .gid = user->pw_gid};
        if (chown(dir, as.uid, as.gid) != 0 || chmod(root, 0711) != 0)
            return "the directory cannot be given to user postgres";
    }
    const char *const make[] = {program[0],        "-D",         data, "-U", "postgres", "--auth=trust",
                                "--encoding=UTF8", "--locale=C", NULL};
    const char *const argv[] = {
        program[1], "-D", data, "-c", "listen_addresses=", "-c", door, "-c", "port=5432", NULL};
    const char *const ask[] = {program[2], "-q", "-h", dir, "-p", "5432", "-U", "postgres", NULL};
    if (!run(make, &as, "postgres.log") || !serve(argv, ask, &as, "postgres.log"))
        return "Postgres could not be started";
    (void)snprintf(target, 256, "host=%.90s port=5432 user=postgres dbname=postgres", dir);
    return NULL;
}

const char *throwaway_redis(char path[256])
{
    static const struct user self = {.name = NULL};
    (void)snprintf(path, 256, "%.90s", throwaway_path("redis.socket"));
    const char *const argv[] = {
        "redis-server", "--port", "0",           "--unixsocket", path,    "--save", "",
        "--appendonly", "no",     "--daemonize", "no",           "--dir", root,     NULL};
    const char *const ask[] = {"redis-cli", "-s", path, "ping", NULL};
    if (!serve(argv, ask, &self, "redis.log"))
        return "redis-server could not be started (apt-get install redis-server)";
    return NULL;
}
