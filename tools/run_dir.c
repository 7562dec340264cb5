#include "tools/run_dir.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"

static bool make_dir(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static int said(char error[RUN_ERROR_MAX], int status, const char *path, const char *what)
{
    (void)snprintf(error, RUN_ERROR_MAX, "%.300s: %s", path, what);
    return status;
}

static bool make_parents(const char *dir)
{
    char path[RUN_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s", dir);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (!make_dir(path))
            return false;
        *slash = '/';
    }
    return make_dir(path);
}

static bool write_word(const char *path, const char *word)
{
    FILE *f = fopen(path, "we");
    bool written = f && fprintf(f, "%s\n", word) > 0;
    return f && fclose(f) == 0 && written;
}

static int write_new_run(const struct run_options *options, const char *run_id, char error[RUN_ERROR_MAX])
{
    FILE *config = fopen("config.yaml", "we");
    if (config)
        config_write(&options->config, config, true);
    /* The id comes last: with it the directory is a run. */
    if (!config || fclose(config) != 0 || !write_word("run_id", run_id))
        return said(error, E_IO, options->dir, "config.yaml or run_id cannot be written");
    return OK;
}

/* Nobody else may run here meanwhile. The lock goes with this process, however it ends. */
static bool lock_run(void)
{
    int fd = open("run.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static bool is_empty(const char *dir)
{
    int entries = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
        entries += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (d)
        (void)closedir(d);
    return d && entries == 0;
}

static char *all_settings(const struct config *config)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    config_write(config, out, false);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* A run goes on with what it began with: who asks for anything else must not be left to believe that it
 * holds. */
static int refuse_other_settings(const struct config *kept, const struct config *given,
                                 char error[RUN_ERROR_MAX])
{
    char *has = all_settings(kept), *asked = all_settings(given);
    int status = has && asked ? OK : E_FULL;
    size_t line = 0;
    for (size_t i = 0; status == OK && (has[i] || asked[i]); i++) {
        if (has[i] != asked[i]) {
            (void)snprintf(
                error, RUN_ERROR_MAX,
                "--resume: the run has \"%.*s\", given is \"%.*s\"; expected no settings, or its own",
                (int)strcspn(has + line, "\n"), has + line, (int)strcspn(asked + line, "\n"), asked + line);
            status = E_REFUSED;
        } else if (has[i] == '\n') {
            line = i + 1;
        }
    }
    if (status == E_FULL)
        (void)snprintf(error, RUN_ERROR_MAX, "out of memory");
    free(has);
    free(asked);
    return status;
}

static int keep_config(struct run_options *options, char error[RUN_ERROR_MAX])
{
    struct config *given = malloc(sizeof *given);
    if (!given)
        return said(error, E_FULL, options->dir, "out of memory");
    *given = options->config;
    config_defaults(&options->config);
    int status = config_load(&options->config, "config.yaml", error);
    if (status == OK && options->settings)
        status = refuse_other_settings(&options->config, given, error);
    free(given);
    return status;
}

/* The paper venue's log has orders, so both ledgers had words: without one of them the run would begin a second
 * history under the first one's name. */
static bool has_lost_a_ledger(void)
{
    struct stat log;
    return stat("paper.log", &log) == 0 && log.st_size > 0 &&
           (access("journal/risk", F_OK) != 0 || access("journal/exec", F_OK) != 0);
}

int run_dir_open(struct run_options *options, const char *run_id, char error[RUN_ERROR_MAX])
{
    if ((!options->resume && !make_parents(options->dir)) || chdir(options->dir) != 0)
        return said(error, E_IO, options->dir, strerror(errno));
    bool exists = access("run_id", F_OK) == 0;
    if (exists && !options->resume)
        return said(error, E_EXISTS, options->dir,
                    "a run is there already; expected a new directory, or --resume to go on with it");
    if (!exists && options->resume)
        return said(error, E_ABSENT, options->dir,
                    "no run is there to go on with; expected the --dir of a run");
    /* What somebody else keeps in a directory is not ours to close to others. */
    if (!exists && !is_empty("."))
        return said(error, E_EXISTS, options->dir,
                    "it has files of something else; expected a new directory");
    if (chmod(".", 0700) != 0)
        return said(error, E_IO, options->dir, strerror(errno));
    if (!lock_run())
        return said(error, E_BUSY, options->dir, "another process runs it");
    static const char *const parts[] = {"sock", "log", "journal"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!make_dir(parts[i]))
            return said(error, E_IO, parts[i], strerror(errno));
    if (exists && has_lost_a_ledger())
        return said(error, E_CORRUPT, options->dir,
                    "journal/risk or journal/exec is missing, though orders were sent; "
                    "expected both, a run cannot go on without them");
    int status = OK;
    if (exists)
        status = keep_config(options, error);
    else
        status = write_new_run(options, run_id, error);
    if (status == OK && !write_word("session", run_id))
        status = said(error, E_IO, options->dir, "session cannot be written");
    return status;
}

bool run_dir_taken(int status)
{
    return status == E_EXISTS || status == E_BUSY;
}

int run_dir_enter(const char *dir, char error[RUN_ERROR_MAX])
{
    if (chdir(dir) != 0)
        return said(error, E_ABSENT, dir, strerror(errno));
    if (access("run_id", R_OK) != 0)
        return said(error, E_ABSENT, dir,
                    "no run_id in it; expected a run directory made by `sluice run` or `sluice backtest`");
    return OK;
}

int run_dir_enter_newest(char error[RUN_ERROR_MAX])
{
    char newest[RUN_PATH_MAX] = "", path[RUN_PATH_MAX];
    int64_t newest_ns = -1;
    struct stat st;
    DIR *runs = opendir("runs");
    for (struct dirent *e = runs ? readdir(runs) : NULL; e; e = readdir(runs)) {
        (void)snprintf(path, sizeof path, "runs/%.200s/run_id", e->d_name);
        if (e->d_name[0] == '.' || stat(path, &st) != 0)
            continue;
        int64_t made_ns = st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec;
        if (made_ns > newest_ns) {
            newest_ns = made_ns;
            (void)snprintf(newest, sizeof newest, "runs/%.200s", e->d_name);
        }
    }
    if (runs)
        (void)closedir(runs);
    if (newest_ns < 0)
        return said(error, E_ABSENT, "runs/", "no run is there; expected --dir RUN");
    return run_dir_enter(newest, error);
}

void run_id_now(char out[RUN_ID_MAX])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    unsigned char random[4] = {0};
    time_t seconds = time(NULL);
    struct tm utc;
    (void)gmtime_r(&seconds, &utc);
    size_t n = strftime(out, RUN_ID_MAX, "%Y%m%d-%H%M%S-", &utc);
    if (getrandom(random, sizeof random, 0) != sizeof random)
        memset(random, 0, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        out[n++] = letters[random[i] % (sizeof letters - 1)];
    out[n] = '\0';
}

int run_id_read(char out[RUN_ID_MAX])
{
    FILE *f = fopen("run_id", "re");
    if (!f)
        return E_ABSENT;
    int got = fscanf(f, "%39s", out);
    (void)fclose(f);
    size_t len = got == 1 ? strlen(out) : 0;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)out[i]) && out[i] != '-')
            return E_CORRUPT;
    return len > 0 ? OK : E_CORRUPT;
}
