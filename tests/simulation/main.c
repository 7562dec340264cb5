/* sluice-sim: plays seeds, each in a child process of its own, so that nothing of one is left to the next. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/table.h"
#include "services/recorder/store.h"
#include "tests/simulation/services.h"
#include "tests/simulation/simulation.h"

enum { EXIT_VIOLATED = 1, EXIT_USAGE = 2, EXIT_TROUBLE = 3, TAIL = 60, LINE = 320, SECONDS_MOST = 120 };

static const char usage[] =
    "usage: sluice-sim [options]\n"
    "\n"
    "Plays the whole pipeline in one process under a seeded scheduler, with virtual time and a faulty "
    "network, disk\n"
    "and database, and checks after every step what must hold. A seed reproduces its run exactly.\n"
    "\n"
    "  --seed N          first seed; default 1\n"
    "  --seeds K         how many, one after another; default 1, or as many as --seconds allow\n"
    "  --steps M         wake-ups until faults end; default 6000\n"
    "  --mode MODE       kill: processes die, and lose what they had not written (default)\n"
    "                    power: the host loses its power too, and journals what was not synced\n"
    "  --seconds S       begin no other seed after that many seconds\n"
    "  --jobs J          seeds at the same time; default 1\n"
    "  --trace           print everything that happens\n"
    "  --twice           play each seed twice, and compare\n"
    "  --quiet           print failures only, and begin no seed after the first\n"
    "\n"
    "exit codes: 0 all held, 1 an invariant did not hold, 2 usage, 3 trouble of the simulation's own\n";

static struct options {
    uint64_t seed, seeds, steps;
    int64_t seconds;
    int jobs;
    enum mode mode;
    bool trace, twice, quiet;
} options = {.seed = 1, .steps = 6000, .jobs = 1};

/* ---- the trace ------------------------------------------------------------------------------------------------- */

static char tail[TAIL][LINE];
static uint64_t n_lines;

void trace(const char *format, ...)
{
    char *line = tail[n_lines++ % TAIL];
    const struct process *p = process_running();
    va_list args;
    int n = snprintf(line, LINE, "%6" PRIu64 " %10.6f %-11s ", world.step,
                     (double)(world.mono_ns - MONO_START_NS) / 1e9, p ? p->name : "-");
    va_start(args, format);
    (void)vsnprintf(line + n, (size_t)(LINE - n), format, args);
    va_end(args);
    world.hash = fnv1a(world.hash, line, strlen(line));
    if (world.shown)
        (void)puts(line);
}

void trace_tail(FILE *out)
{
    const uint64_t from = n_lines > TAIL ? n_lines - TAIL : 0;
    for (uint64_t i = from; i < n_lines; i++)
        (void)fprintf(out, "%s\n", tail[i % TAIL]);
}

void violated(const char *format, ...)
{
    char words[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(words, sizeof words, format, args);
    va_end(args);
    if (world.tracing && !world.shown)
        trace_tail(stdout);
    printf("seed %" PRIu64 " mode %s step %" PRIu64 " time %.6f: VIOLATION: %s\n", world.seed,
           world.mode == MODE_POWER ? "power" : "kill", world.step,
           (double)(world.mono_ns - MONO_START_NS) / 1e9, words);
    (void)fflush(stdout);
    _exit(EXIT_VIOLATED);
}

/* ---- a seed ---------------------------------------------------------------------------------------------------- */

static char root[128];

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "we");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        violated("%s cannot be written", name);
}

static void write_config(void)
{
    FILE *f = fopen("config.yaml", "we");
    if (!f)
        violated("config.yaml cannot be written");
    (void)fprintf(f,
                  "sim:\n  seed: %" PRIu64 "\n  symbols: %d\n  updates_per_s: 30\n  levels: 5\n"
                  "  dislocations_per_min: 6000\n  dislocation_bps: 60\n  dislocation_ms: 100\n",
                  world.seed, world.knobs.symbols);
    (void)fprintf(f, "feed:\n  depth: 5\n  beat_late_ms: %d\n  silence_ms: %d\n",
                  (int)(BEAT_LATE_NS / NS_PER_MS), (int)(world.knobs.silence_ns / NS_PER_MS));
    (void)fprintf(f, "strategy:\n  workers: %d\n", world.knobs.workers);
    (void)fprintf(
        f, "arb:\n  min_edge_bps: 1\n  latency_allowance_bps: 0\n  max_hold_ms: 200\n  cool_down_ms: 1\n"
           "  deadline_ms: 300\n  max_notional: 500\n");
    (void)fprintf(f,
                  "risk:\n  lease_ms: 400\n  exec_late_ms: 600\n  max_notional: 1000\n  max_position: %d\n"
                  "  max_daily_loss: 100000\n  max_open_orders: %d\n"
                  "  max_age_ms: %d\n  max_market_age_ms: %d\n",
                  chance(300) ? 600 : 2000, chance(300) ? 4 : 64, (int)(world.knobs.max_age_ns / NS_PER_MS),
                  (int)(world.knobs.max_market_age_ns / NS_PER_MS));
    (void)fprintf(f, "exec:\n  sync_before_send: always\n");
    (void)fprintf(f, "paper:\n  latency_us: %d\n", (int)draw(20000));
    (void)fprintf(f, "recorder:\n  batch_rows: %d\n  batch_ms: %d\n", 1 + (int)draw(50), 5 + (int)draw(100));
    (void)fprintf(f, "journal:\n  sync: 20\n  segment_mb: 1\n  snapshot_every: 1000\n");
    (void)fprintf(f, "placement:\n  market_drain_ms: 5\n"); /* a step every millisecond would be most of the play */
    (void)fprintf(f, "log:\n  level: debug\n");
    if (fclose(f) != 0)
        violated("config.yaml cannot be written");
}

static void copy_template(void)
{
    char path[160], bytes[65536];
    (void)snprintf(path, sizeof path, "%s/template.db", root);
    FILE *from = fopen(path, "re"), *to = fopen("sluice.db", "we");
    size_t n;
    while (from && to && (n = fread(bytes, 1, sizeof bytes, from)) > 0)
        (void)fwrite(bytes, 1, n, to);
    if (!from || !to || fclose(from) != 0 || fclose(to) != 0)
        violated("the template of the database cannot be copied");
}

/* It is flat. */
static void remove_directory(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    (void)closedir(dir);
    (void)rmdir(path);
}

void run_directory_make(void)
{
    char dir[160];
    (void)snprintf(dir, sizeof dir, "%s/%ld", root, (long)getpid());
    if (mkdir(dir, 0700) != 0 || chdir(dir) != 0)
        violated("%s: %s", dir, strerror(errno));
    write_config();
    write_file("run_id", "simulated\n");
    write_file("session", "simulated\n");
    copy_template();
}

static void play(uint64_t seed)
{
    world = (struct world){.seed = seed,
                           .steps = options.steps,
                           .mode = options.mode,
                           .mono_ns = MONO_START_NS,
                           .hash = FNV_OFFSET,
                           .tracing = world.tracing,
                           .shown = world.shown};
    rng_seed(&world.rng, seed * 2 + (options.mode == MODE_POWER));
    knobs_draw();
    run_directory_make();
    invariants_open();
    struct process *p = process_add("operator", operator_main);
    p->up = true;
    (void)process_add("exec", sluice_exec_main);
    (void)process_add("risk", sluice_risk_main);
    (void)process_add("recorder", sluice_recorder_main);
    for (int i = 1; i <= world.knobs.workers; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "strategy-%d", i);
        (void)process_add(name, sluice_strategy_main);
    }
    (void)process_add("feed", sluice_feed_main);
    for (int i = 1; i < n_processes; i++) {
        processes[i].wanted = true;
        processes[i].restart_ns = world.mono_ns + draw_around(20 * NS_PER_MS);
    }
    (void)process_add("recorder-2", sluice_recorder_main);
    process_start(process_named("operator"));
    scheduler_run();
}

/* ---- the fork server ------------------------------------------------------------------------------------------- */

struct outcome {
    uint64_t hash, steps, fills;
    int64_t virtual_ns;
};

struct job {
    pid_t pid; /* 0 = free */
    uint64_t seed;
};

enum { JOBS_MAX = 64 };

static struct job jobs[JOBS_MAX];
static struct outcome *outcomes; /* shared with the children, one a job */

static pid_t fork_seed(uint64_t seed, int job, bool tracing)
{
    (void)fflush(stdout);
    const pid_t pid = fork();
    if (pid != 0)
        return pid;
    world.tracing = tracing || options.trace || options.twice;
    world.shown = options.trace;
    /* What is asked for in one piece comes from the kernel, zeroed and untouched: a service's large memory costs nothing
     * where it is not used. */
    (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    (void)mallopt(M_TOP_PAD, 1024 * 1024);
    FILE *nowhere = fopen("/dev/null", "we");
    if (nowhere) /* what a service says when it cannot start is in the trace too */
        stderr = nowhere;
    (void)alarm(SECONDS_MOST);
    play(seed);
    outcomes[job] = (struct outcome){world.hash, world.step, quiet_fills(), world.mono_ns - MONO_START_NS};
    (void)fflush(stdout);
    _exit(0);
}

static int wait_for(pid_t pid)
{
    int status = 0;
    char dir[160];
    if (waitpid(pid, &status, 0) != pid)
        return EXIT_TROUBLE;
    (void)snprintf(dir, sizeof dir, "%s/%ld", root, (long)pid);
    remove_directory(dir);
    return status;
}

/* Once more, with the words before it. */
static void tell_failure(uint64_t seed, int status)
{
    if (WIFSIGNALED(status))
        printf("seed %" PRIu64 ": died by signal %d%s\n", seed, WTERMSIG(status),
               WTERMSIG(status) == SIGALRM ? ": it came to no end" : "");
    if (options.trace)
        return;
    const pid_t pid = fork_seed(seed, 0, true);
    if (pid > 0)
        (void)wait_for(pid);
    printf("again: sluice-sim --seed %" PRIu64 " --steps %" PRIu64 " --mode %s --trace\n", seed,
           options.steps, options.mode == MODE_POWER ? "power" : "kill");
    (void)fflush(stdout);
}

static struct totals {
    uint64_t seeds, failed, different, steps, fills;
    int64_t virtual_ns;
} totals;

static void count(uint64_t seed, int job, int status)
{
    const struct outcome *o = &outcomes[job];
    totals.seeds++;
    if (status != 0) {
        totals.failed++;
        tell_failure(seed, status);
        return;
    }
    totals.steps += o->steps;
    totals.fills += o->fills;
    totals.virtual_ns += o->virtual_ns;
}

static void play_twice(uint64_t seed)
{
    uint64_t hash[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        const pid_t pid = fork_seed(seed, 0, true);
        const int status = pid > 0 ? wait_for(pid) : EXIT_TROUBLE;
        hash[i] = outcomes[0].hash;
        count(seed, 0, status);
    }
    if (hash[0] != hash[1]) {
        totals.different++;
        printf("seed %" PRIu64 ": two runs of it differ\n", seed);
    }
}

static bool out_of_time(int64_t started_s)
{
    return options.seconds > 0 && time(NULL) - started_s >= options.seconds;
}

static void wait_for_any(void)
{
    int status = 0;
    const pid_t pid = waitpid(-1, &status, 0);
    char dir[160];
    (void)snprintf(dir, sizeof dir, "%s/%ld", root, (long)pid);
    remove_directory(dir);
    for (int i = 0; i < options.jobs; i++) {
        if (jobs[i].pid == pid) {
            jobs[i].pid = 0;
            count(jobs[i].seed, i, status);
            return;
        }
    }
}

static void play_all(void)
{
    const int64_t started_s = time(NULL);
    int under_way = 0;
    for (uint64_t n = 0; n < options.seeds && !out_of_time(started_s) && !(options.quiet && totals.failed);
         n++) {
        if (options.twice) {
            play_twice(options.seed + n);
            continue;
        }
        for (; under_way == options.jobs; under_way--)
            wait_for_any();
        int job = 0;
        while (jobs[job].pid)
            job++;
        jobs[job] = (struct job){fork_seed(options.seed + n, job, false), options.seed + n};
        under_way++;
    }
    for (; under_way > 0; under_way--)
        wait_for_any();
}

/* ---- the program ----------------------------------------------------------------------------------------------- */

static bool number_of(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    char *end;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    *out = value;
    return errno == 0 && end != text && *end == '\0' && text[0] != '-' && value >= least && value <= most;
}

static bool take_option(int option, const char *text)
{
    uint64_t n = 0;
    switch (option) {
    case 's':
        return number_of(text, 0, UINT64_MAX / 4, &options.seed);
    case 'k':
        return number_of(text, 1, UINT64_MAX, &options.seeds);
    case 'm':
        return number_of(text, 1, UINT64_MAX, &options.steps);
    case 'S':
        if (!number_of(text, 1, 1000000, &n))
            return false;
        options.seconds = (int64_t)n;
        return true;
    case 'j':
        if (!number_of(text, 1, JOBS_MAX, &n))
            return false;
        options.jobs = (int)n;
        return true;
    case 'M':
        options.mode = strcmp(text, "power") == 0 ? MODE_POWER : MODE_KILL;
        return strcmp(text, "power") == 0 || strcmp(text, "kill") == 0;
    case 't':
        return options.trace = true;
    case '2':
        return options.twice = true;
    case 'q':
        return options.quiet = true;
    default:
        return false;
    }
}

static void read_options(int argc, char **argv)
{
    static const struct option known[] = {{"seed", required_argument, NULL, 's'},
                                          {"seeds", required_argument, NULL, 'k'},
                                          {"steps", required_argument, NULL, 'm'},
                                          {"seconds", required_argument, NULL, 'S'},
                                          {"jobs", required_argument, NULL, 'j'},
                                          {"mode", required_argument, NULL, 'M'},
                                          {"trace", no_argument, NULL, 't'},
                                          {"twice", no_argument, NULL, '2'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int option;
    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(usage, stdout);
            exit(0);
        }
        if (option == '?' || !take_option(option, optarg)) {
            if (option != '?')
                (void)fprintf(stderr, "sluice-sim: '%s' is not what an option expects\n", optarg);
            (void)fputs(usage, stderr);
            exit(EXIT_USAGE);
        }
    }
    if (options.seeds == 0)
        options.seeds = options.seconds ? UINT64_MAX : 1;
    if (optind != argc) {
        (void)fprintf(stderr, "sluice-sim: '%s' is no option\n%s", argv[optind], usage);
        exit(EXIT_USAGE);
    }
}

static bool make_root(void)
{
    char path[160], error[STORE_ERROR_MAX];
    const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
    struct store *store;
    (void)snprintf(root, sizeof root, "%.100s/sluice-sim.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(root)) {
        (void)fprintf(stderr, "sluice-sim: %s: %s\n", root, strerror(errno));
        return false;
    }
    (void)snprintf(path, sizeof path, "%s/template.db", root);
    if (store_open("sqlite", path, &store, error) != OK) {
        (void)fprintf(stderr, "sluice-sim: %s\n", error);
        return false;
    }
    store_close(&store);
    return true;
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    (void)signal(SIGPIPE, SIG_IGN);
    outcomes =
        mmap(NULL, JOBS_MAX * sizeof *outcomes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (outcomes == MAP_FAILED || !make_root())
        return EXIT_TROUBLE;
    play_all();
    remove_directory(root);
    if (!options.quiet || totals.failed || totals.different)
        printf("%" PRIu64 " seeds, %" PRIu64 " failed, %" PRIu64 " differed; %" PRIu64 " steps, %" PRIu64
               " fills, %.0f s of virtual time\n",
               totals.seeds, totals.failed, totals.different, totals.steps, totals.fills,
               (double)totals.virtual_ns / 1e9);
    return totals.failed || totals.different ? EXIT_VIOLATED : 0;
}
