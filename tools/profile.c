/* `sluice profile`: where the processes of the pipeline spend their time. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "tools/profile_options.h"
#include "tools/verb.h"

enum { ASK_MS = 3000, STALLED_S = 60, PATHS_MAX = RUN_PATH_MAX + 40, SAMPLED_S_MAX = 30 };

struct harness {
    struct profile_options options;
    struct profile profile;
    struct load load;
    struct track before;
    char output[RUN_PATH_MAX]; /* absolute */
    int home;                  /* the directory it was started in */
    int64_t begin_ns, supervisor_cpu_ns;
    int run; /* of how many that are repeated, from 1 */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---- asking ------------------------------------------------------------------------------------------- */

static struct profiled *process_named(struct profile *p, const char *name)
{
    for (int i = 0; i < p->n; i++)
        if (strcmp(p->process[i].name, name) == 0)
            return &p->process[i];
    if (p->n == CONTROLS_MAX)
        return NULL;
    struct profiled *d = &p->process[p->n++];
    (void)text_set(d->name, sizeof d->name, name);
    return d;
}

static void lose(struct profile *p, const char *name, const char *what)
{
    if (!*p->lost)
        (void)snprintf(p->lost, sizeof p->lost, "%s: %s", name, what);
}

static void take_answer(struct harness *h, int i, const struct reply *reply)
{
    const char *missing = "";
    char words[96];
    struct profiled *d = process_named(&h->profile, h->load.name[i]);
    if (!d)
        return;
    d->pid = h->load.service_pid[i];
    if (spent_read(reply, &d->later, &missing) == OK) {
        d->answered = true;
        return;
    }
    (void)snprintf(words, sizeof words, "its answer has no %s", missing);
    lose(&h->profile, d->name, words);
}

/* All are asked at once; `later` of each that answers is its answer. */
static void ask_stages(struct harness *h)
{
    struct load *load = &h->load;
    struct control *waited[CONTROLS_MAX];
    static struct reply reply;
    const int n = load->services.n;
    int left = n;
    const int64_t until_ns = clock_mono_ns() + ASK_MS * NS_PER_MS;
    for (int i = 0; i < h->profile.n; i++)
        h->profile.process[i].answered = false;
    for (int i = 0; i < n; i++) {
        waited[i] = load->services.control[i];
        (void)control_send(waited[i], VERB_STAGES, "");
    }
    while (left > 0 && clock_mono_ns() < until_ns) {
        control_wait(waited, n, 100);
        for (int i = 0; i < n; i++)
            if (waited[i] && control_take(waited[i], &reply)) {
                take_answer(h, i, &reply);
                waited[i] = NULL;
                left--;
            }
    }
    for (int i = 0; i < n; i++)
        if (waited[i])
            lose(&h->profile, load->name[i], "it does not answer");
}

static int64_t cpu_of(pid_t pid)
{
    clockid_t clock;
    struct timespec at;
    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &at) != 0)
        return 0;
    return at.tv_sec * NS_PER_SEC + at.tv_nsec;
}

/* ---- slices ------------------------------------------------------------------------------------------- */

static void set(struct track *t, double *row, const char *process, const char *figure, double value)
{
    char name[TRACK_NAME_MAX];
    (void)snprintf(name, sizeof name, "%s.%s", process, figure);
    uint32_t column = t->n_rows == 0 ? track_column(t, name) : track_find(t, name);
    if (column != UINT32_MAX)
        row[column] = value;
}

static void set_spent(struct track *t, double *row, const char *process, const struct spent *s)
{
    char name[32];
    const int64_t *f = s->figure, messages = f[SPENT_IN] + f[SPENT_OUT];
    const double s_wall = (double)f[SPENT_WALL] / 1e9;
    set(t, row, process, "cpu_us_per_s", (double)f[SPENT_CPU] / 1e3 / s_wall);
    set(t, row, process, "cpu_us_per_message",
        messages ? (double)f[SPENT_CPU] / 1e3 / (double)messages : (double)NAN);
    set(t, row, process, "messages_per_s", (double)messages / s_wall);
    set(t, row, process, "wakeups_per_s", (double)f[SPENT_WAKEUPS] / s_wall);
    set(t, row, process, "awake_us_per_wakeup",
        f[SPENT_WAKEUPS] ? (double)spent_awake_ns(s) / 1e3 / (double)f[SPENT_WAKEUPS] : (double)NAN);
    set(t, row, process, "rss_kb", (double)f[SPENT_RSS] / 1e3);
    for (int i = 0; i < STAGES; i++) {
        (void)snprintf(name, sizeof name, "%s_us_per_s", stage_name((enum stage)i));
        set(t, row, process, name, (double)s->ns[i] / 1e3 / s_wall);
    }
}

/* The difference to the slice before; the first slice has the columns. */
static void end_slice(struct harness *h)
{
    double row[TRACK_COLUMNS_MAX];
    char path[PATHS_MAX];
    struct profile *p = &h->profile;
    struct track *t = &p->track;
    struct spent whole = {0}, slice;
    for (int i = 0; i < TRACK_COLUMNS_MAX; i++)
        row[i] = (double)NAN;
    if (t->n_rows == 0) {
        (void)track_column(t, "seconds");
        (void)track_column(t, "run");
    }
    row[0] = (double)(clock_mono_ns() - h->begin_ns) / 1e9;
    row[1] = h->run;
    for (int i = 0; i < p->n; i++) {
        struct profiled *d = &p->process[i];
        if (!d->answered)
            continue;
        if (spent_since(&d->later, &d->last, &slice) == OK) {
            set_spent(t, row, d->name, &slice);
            spent_add(&whole, &slice);
        } else {
            lose(p, d->name, "it was started again within the span");
        }
        d->last = d->later;
    }
    if (whole.figure[SPENT_WALL] > 0)
        set_spent(t, row, "whole", &whole);
    (void)snprintf(path, sizeof path, "%s/%s", h->output, PROFILE_SLICES_FILE);
    if ((!t->file && track_begin(t, path) != OK) || track_row(t, row) != OK)
        lose(p, path, "cannot be written");
}

static int64_t worker_wakeups(const struct profile *p)
{
    int64_t sum = 0;
    for (int i = 0; i < p->n; i++)
        if (strncmp(p->process[i].name, "strategy", 8) == 0)
            sum += p->process[i].later.figure[SPENT_WAKEUPS] - p->process[i].first.figure[SPENT_WAKEUPS];
    return sum;
}

/* Waits for as long as it will take by the rate so far: each question is a wake-up too. */
static void await_iterations(struct harness *h, int64_t until)
{
    int64_t moved_ns = clock_mono_ns(), done = worker_wakeups(&h->profile);
    while (done < until && !interrupted && load_runs(&h->load)) {
        const int64_t now_ns = clock_mono_ns();
        int64_t turn_ns = 50 * NS_PER_MS;
        if (done > 0)
            turn_ns = (int64_t)((double)(until - done) * (double)(now_ns - h->begin_ns) / (double)done);
        turn_ns = turn_ns < 2 * NS_PER_MS ? 2 * NS_PER_MS : turn_ns > NS_PER_SEC ? NS_PER_SEC : turn_ns;
        load_wait_until(&h->load, now_ns + turn_ns);
        ask_stages(h);
        const int64_t is = worker_wakeups(&h->profile);
        moved_ns = is > done ? clock_mono_ns() : moved_ns;
        done = is;
        if (clock_mono_ns() - moved_ns > STALLED_S * NS_PER_SEC) {
            lose(&h->profile, "strategy", "no worker has woken up for a minute");
            return;
        }
    }
}

static void wait_for(struct harness *h, int64_t ns)
{
    const int64_t until_ns = clock_mono_ns() + ns;
    for (int64_t now_ns; (now_ns = clock_mono_ns()) < until_ns && !interrupted && load_runs(&h->load);)
        load_wait_until(&h->load, until_ns - now_ns > 200 * NS_PER_MS ? now_ns + 200 * NS_PER_MS : until_ns);
}

static void measure(struct harness *h)
{
    struct profile *p = &h->profile;
    ask_stages(h);
    h->begin_ns = clock_mono_ns();
    h->supervisor_cpu_ns = cpu_of(h->load.pid);
    for (int i = 0; i < p->n; i++)
        p->process[i].first = p->process[i].last = p->process[i].later;
    for (int slice = 1; slice <= PROFILE_SLICES && !interrupted && load_runs(&h->load); slice++) {
        if (p->iterations)
            await_iterations(h, p->iterations * slice / PROFILE_SLICES);
        else
            wait_for(h, h->begin_ns + p->seconds * NS_PER_SEC * slice / PROFILE_SLICES - clock_mono_ns());
        if (!p->iterations)
            ask_stages(h);
        end_slice(h);
    }
    p->measured_s += (double)(clock_mono_ns() - h->begin_ns) / 1e9;
    p->supervisor_cpu_ns += cpu_of(h->load.pid) - h->supervisor_cpu_ns;
    for (int i = 0; i < p->n; i++) {
        struct profiled *d = &p->process[i];
        struct spent span;
        if (spent_since(&d->last, &d->first, &span) != OK) {
            lose(p, d->name, "there is no difference of its answers");
            continue;
        }
        spent_add(&d->total, &span);
        d->rss_began = d->last.figure[SPENT_RSS_BEGAN];
        d->rss_from = d->first.figure[SPENT_RSS];
        d->rss_to = d->last.figure[SPENT_RSS];
        d->measured = true;
    }
    if (interrupted)
        lose(p, "the rest of the span", "interrupted");
}

/* ---- functions ---------------------------------------------------------------------------------------- */

static int64_t coded(const struct profile *p, enum stage stage, int sign)
{
    int64_t sum = 0;
    for (int i = 0; i < p->n; i++) /* the feed decodes what venues say, which is no call of the codec's */
        if (stage != STAGE_DECODE || strcmp(p->process[i].name, "feed") != 0)
            sum += sign * p->process[i].later.calls[stage];
    return sum;
}

static void sample_functions(struct harness *h)
{
    struct profile *p = &h->profile;
    struct perf perf;
    const double span_s = p->measured_s / h->run;
    p->encoded = p->decoded = -1;
    if (h->options.no_perf) {
        (void)snprintf(p->functions, sizeof p->functions, "not sampled: --no-perf; times are by stage only");
        return;
    }
    ask_stages(h);
    const int64_t encoded = coded(p, STAGE_ENCODE, 1), decoded = coded(p, STAGE_DECODE, 1);
    const int64_t from_ns = clock_mono_ns();
    if (perf_start(&perf, h->output, p, p->functions) != OK)
        return;
    wait_for(h, (int64_t)((span_s < SAMPLED_S_MAX ? span_s : SAMPLED_S_MAX) * 1e9));
    ask_stages(h);
    const double took_s = (double)(clock_mono_ns() - from_ns) / 1e9;
    if (perf_finish(&perf, p, &p->stacks, p->functions) != OK)
        return;
    p->sampled_s = took_s;
    p->encoded = coded(p, STAGE_ENCODE, 1) - encoded;
    p->decoded = coded(p, STAGE_DECODE, 1) - decoded;
}

/* What viewers are given where no functions could be sampled: the time awake, by stage. */
static void stack_stages(struct profile *p)
{
    for (int i = 0; i < p->n; i++)
        for (int stage = 0; p->process[i].measured && stage < STAGES; stage++) {
            const char *stack[] = {p->process[i].name, stage_name((enum stage)stage)};
            if (stage != STAGE_WAIT && p->process[i].total.ns[stage] > 0)
                stacks_add(&p->stacks, stack, 2, 2, p->process[i].total.ns[stage]);
        }
    stacks_sum(&p->stacks);
}

/* ---- runs --------------------------------------------------------------------------------------------- */

static int one_run(struct harness *h)
{
    char error[LOAD_ERROR_MAX], folder[PATHS_MAX];
    struct profile *p = &h->profile;
    if (fchdir(h->home) != 0) /* what --config names is found from there */
        return EXIT_FAILED;
    memset(&h->load, 0, sizeof h->load);
    if (p->repeat > 1)
        (void)snprintf(folder, sizeof folder, "%s/%d", h->output, h->run);
    else
        (void)snprintf(folder, sizeof folder, "%s", h->output);
    int status = load_output(&h->load, folder, error);
    if (status == OK)
        status = load_start(&h->load, h->options.run, h->options.n_run, error);
    if (status != OK) {
        (void)fprintf(stderr, "sluice: profile: %s\n", error);
        if (h->load.pid > 0)
            (void)load_stop(&h->load, error);
        return status == E_EXISTS ? EXIT_REFUSED : EXIT_FAILED;
    }
    wait_for(h, p->warm_up_s * NS_PER_SEC);
    measure(h);
    if (h->run == p->repeat && !interrupted && load_runs(&h->load))
        sample_functions(h);
    (void)load_ask(&h->load, ASK_MS);
    if (h->load.restarts > 0)
        lose(p, "all", "a service was started again while it was measured");
    return load_stop(&h->load, p->ended) ? EXIT_DONE : EXIT_FAILED;
}

static void note_what(struct harness *h)
{
    struct profile *p = &h->profile;
    load_machine(p->cpu, &p->processors);
    track_note(&p->track, "machine", "%s, %d processors", p->cpu, p->processors);
    track_note(&p->track, "symbols", "%" PRId64, p->symbols);
    for (int i = 0; i + 1 < h->options.n_run; i += 2) {
        char key[40];
        const char *value = h->options.run[i + 1];
        const size_t len = strcspn(value, "=");
        if (strcmp(h->options.run[i], "--set") == 0) {
            (void)snprintf(key, sizeof key, "%.*s", (int)len, value);
            track_note(&p->track, key, "%s", value + len + (value[len] == '='));
        }
    }
}

static int write_file(const struct harness *h, const char *name,
                      void (*write)(const struct profile *p, FILE *out))
{
    char path[PATHS_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", h->output, name);
    FILE *out = fopen(path, "we");
    if (out)
        write(&h->profile, out);
    const bool failed = out && ferror(out);
    if (out && fclose(out) == 0 && !failed)
        return EXIT_DONE;
    (void)fprintf(stderr, "sluice: profile: %s: %s\n", path, strerror(errno));
    return EXIT_FAILED;
}

static void write_flame(const struct profile *p, FILE *out)
{
    char title[128];
    (void)snprintf(title, sizeof title, "%.80s: %s", p->market,
                   p->sampled_s > 0 ? "CPU by function" : "time awake by stage");
    stacks_write_flame(&p->stacks, title, out);
}

static void write_speedscope(const struct profile *p, FILE *out)
{
    stacks_write_speedscope(&p->stacks, p->market, out);
}

static int conclude(struct harness *h)
{
    struct profile *p = &h->profile;
    for (int i = 0; i < p->n; i++)
        if (p->process[i].measured)
            spent_add(&p->whole, &p->process[i].total);
    if (p->sampled_s <= 0)
        stack_stages(p);
    const int failed =
        write_file(h, "profile.txt", profile_write_text) | write_file(h, "profile.json", profile_write_json) |
        write_file(h, "flame.svg", write_flame) | write_file(h, "profile.speedscope.json", write_speedscope);
    if (h->options.json) {
        profile_write_json(p, stdout);
    } else {
        profile_write_text(p, stdout);
        printf("\nwritten to %s: profile.txt profile.json flame.svg profile.speedscope.json %s%s\n",
               h->output, PROFILE_SLICES_FILE, p->sampled_s > 0 ? " perf.data" : "");
    }
    return failed || *p->lost ? EXIT_FAILED : EXIT_DONE;
}

/* What it is compared with is read first: a wrong name is not found out at the end. */
static bool read_slices(const char *flag, const char *folder, struct track *out)
{
    char error[TRACK_ERROR_MAX], path[PATHS_MAX];
    (void)snprintf(path, sizeof path, "%.1000s/%s", folder, PROFILE_SLICES_FILE);
    if (track_read(out, path, error) == OK && out->n_rows > 0)
        return true;
    (void)fprintf(stderr, "sluice: profile: %s: \"%s\"; expected the output of a profile, with %s in it\n",
                  flag, folder, PROFILE_SLICES_FILE);
    return false;
}

static int profile_all(struct harness *h)
{
    struct profile *p = &h->profile;
    static char symbols[] = "--symbols";
    char error[LOAD_ERROR_MAX];
    p->symbols = strtol(h->options.symbols, NULL, 10);
    p->seconds = h->options.seconds;
    p->iterations = h->options.iterations;
    p->warm_up_s = h->options.warm_up_s;
    p->repeat = h->options.repeat;
    (void)snprintf(p->market, sizeof p->market, "%s%s%" PRId64 " simulated symbols",
                   h->options.which ? h->options.which : "", h->options.which ? ": " : "", p->symbols);
    h->options.run[h->options.n_run++] = symbols;
    h->options.run[h->options.n_run++] = h->options.symbols;
    h->home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = load_output(&h->load, h->options.output, error);
    if (status != OK || h->home < 0) {
        (void)fprintf(stderr, "sluice: profile: --output: %s\n", status ? error : strerror(errno));
        return status == E_EXISTS ? EXIT_REFUSED : EXIT_FAILED;
    }
    (void)text_set(h->output, sizeof h->output, h->load.output);
    note_what(h);
    int code = EXIT_DONE;
    for (h->run = 1; code == EXIT_DONE && h->run <= p->repeat && !interrupted; h->run++)
        code = one_run(h);
    if (p->track.n_rows == 0)
        return code ? code : EXIT_FAILED;
    const int concluded = conclude(h);
    return code ? code : concluded;
}

static int compare_only(struct harness *h)
{
    if (!read_slices("--from", h->options.from, &h->profile.track))
        return EXIT_USAGE;
    (void)profile_compare(&h->before, &h->profile.track, h->options.json ? NULL : stdout,
                          h->options.json ? stdout : NULL);
    return EXIT_DONE;
}

int verb_profile(int argc, char **argv)
{
    static struct harness h;
    int code = profile_options_read(&h.options, argc, argv);
    if (code)
        return code < 0 ? EXIT_DONE : code;
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (h.options.compare && !read_slices("--compare", h.options.compare, &h.before))
        return EXIT_USAGE;
    h.profile.before = h.options.compare ? &h.before : NULL;
    code = h.options.from ? compare_only(&h) : profile_all(&h);
    track_close(&h.profile.track);
    track_close(&h.before);
    stacks_close(&h.profile.stacks);
    return code;
}
