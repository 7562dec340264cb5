/* The journal beside a bare file: the same bytes, in the same groups, synced in the same rhythm on the same file system.
 *
 * As services write: so many records a wake-up are appended one by one, then written at once. The bare file gets each group
 * as one write of bytes that stand ready; a thread syncs it when anything was written since. Counted is the time until the
 * last write returns; the room in the page cache is that of a file that grows.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/throwaway.h"
#include "lib/base/clock.h"
#include "lib/base/histogram.h"
#include "lib/runtime/journal.h"
#include "lib/runtime/journal_record.h"

#define HELP                                                                                                 \
    " [--dir DIR] [--group N] [--bytes N] [SIZE]\n"                                                          \
    "  --dir DIR  where the files are written (/var/tmp)\n"                                                  \
    "  --group N  records of a wake-up, written at once (64)\n"                                              \
    "  --bytes N  MB written in a round of each (128)\n"                                                     \
    "  SIZE       bytes of a record's payload: 64, 256 or 1024 (all)\n"

enum { SIZES = 3, MODES = 4, GROUP_MAX = 512, ALWAYS_GROUPS = 400, PACED = 10000 };
#define PACED_NS 20000

static const size_t sizes[SIZES] = {64, 256, 1024};

static const struct {
    const char *name;
    int64_t every_ns;
} modes[MODES] = {{"always", 0}, {"every 1 ms", NS_PER_MS}, {"every 100 ms", 100 * NS_PER_MS}, {"never", -1}};

static size_t group = 64, round_bytes = 128u << 20;
static const char *directory = "/var/tmp";
static unsigned char payload[1024];
static int noted[2][2]; /* p50 and p99 of the journal, and of the bare file */
static struct measure *measure;

static _Noreturn void fail(const char *words)
{
    (void)fprintf(stderr, "bench_journal: %s\n", words);
    exit(1);
}

static double a_second(size_t n, int64_t began_ns)
{
    return (double)n * 1e9 / (double)(clock_mono_ns() - began_ns);
}

struct contest {
    size_t size;
    int64_t every_ns;
    char name[2][48];
};

static size_t groups_of(const struct contest *c)
{
    if (c->every_ns == 0)
        return ALWAYS_GROUPS;
    return round_bytes / (record_bytes(c->size) * group) + 1;
}

/* ---- the journal --------------------------------------------------------------------------------------- */

/* With its first record, as position 1: what making a segment costs is counted where one follows another. */
static struct journal *fresh_journal(int64_t every_ns)
{
    struct journal *j;
    char error[JOURNAL_ERROR_MAX];
    const struct journal_options options = {.segment_bytes = 64u << 20, .sync_every_ns = every_ns};
    if (journal_open(throwaway_path("journal"), &options, &j, error) != OK)
        fail(error);
    if (journal_append(j, 1, 1, 0, payload, 1) != OK || journal_write(j) != OK)
        fail(journal_error(j));
    return j;
}

static void end_journal(struct journal *j)
{
    journal_close(&j);
    throwaway_remove("journal");
}

static double run_journal(void *ctx)
{
    const struct contest *c = ctx;
    struct journal *j = fresh_journal(c->every_ns);
    const size_t groups = groups_of(c);
    uint64_t pos = 0;
    const int64_t began_ns = clock_mono_ns();
    for (size_t g = 0; g < groups; g++) {
        for (size_t i = 0; i < group; i++, pos++)
            if (journal_append(j, 1, pos + 2, (int64_t)pos, payload, c->size) != OK)
                fail(journal_error(j));
        if (journal_write(j) != OK)
            fail(journal_error(j));
    }
    const double rate = a_second(pos, began_ns);
    end_journal(j);
    return rate;
}

/* ---- the bare file ------------------------------------------------------------------------------------- */

struct bare {
    int fd;
    int64_t every_ns;
    pthread_t thread;
    _Atomic size_t written;
    _Atomic bool stop;
};

static void *sync_behind(void *ctx)
{
    struct bare *b = ctx;
    const struct timespec pause = {.tv_nsec = b->every_ns};
    for (size_t synced = 0; !atomic_load(&b->stop);) {
        (void)nanosleep(&pause, NULL);
        const size_t written = atomic_load(&b->written);
        if (written != synced && fdatasync(b->fd) != 0)
            fail("fdatasync failed");
        synced = written;
    }
    return NULL;
}

static void open_bare(struct bare *b, int64_t every_ns)
{
    *b = (struct bare){.every_ns = every_ns};
    b->fd = open(throwaway_path("bare"), O_RDWR | O_CREAT | O_EXCL, 0600);
    if (b->fd < 0 || (every_ns > 0 && pthread_create(&b->thread, NULL, sync_behind, b) != 0))
        fail("the bare file cannot be made");
}

static void close_bare(struct bare *b)
{
    atomic_store(&b->stop, true);
    if (b->every_ns > 0)
        (void)pthread_join(b->thread, NULL);
    (void)close(b->fd);
    throwaway_remove("bare");
}

static void write_bare(struct bare *b, const void *bytes, size_t len, size_t at)
{
    if (pwrite(b->fd, bytes, len, (off_t)at) != (ssize_t)len)
        fail("a bare write failed");
    atomic_store(&b->written, at + len);
    if (b->every_ns == 0 && fdatasync(b->fd) != 0)
        fail("fdatasync failed");
}

static unsigned char ready[GROUP_MAX * (RECORD_HEADER + 1024)];

static void make_ready(size_t size)
{
    for (size_t i = 0; i < group; i++)
        record_encode(ready + i * record_bytes(size), 1, i + 1, 0, payload, size);
}

static double run_bare(void *ctx)
{
    const struct contest *c = ctx;
    struct bare b;
    const size_t groups = groups_of(c), len = group * record_bytes(c->size);
    make_ready(c->size);
    open_bare(&b, c->every_ns);
    const int64_t began_ns = clock_mono_ns();
    for (size_t g = 0; g < groups; g++)
        write_bare(&b, ready, len, g * len);
    const double rate = a_second(groups * group, began_ns);
    close_bare(&b);
    return rate;
}

/* What no journal does, for comparison: a file of known length, mapped, synced in the same rhythm. */
static double run_mapped(void *ctx)
{
    const struct contest *c = ctx;
    struct bare b;
    const size_t groups = groups_of(c), len = group * record_bytes(c->size);
    make_ready(c->size);
    open_bare(&b, c->every_ns);
    if (ftruncate(b.fd, (off_t)(groups * len)) != 0)
        fail("ftruncate failed");
    unsigned char *map = mmap(NULL, groups * len, PROT_READ | PROT_WRITE, MAP_SHARED, b.fd, 0);
    if (map == MAP_FAILED)
        fail("mmap failed");
    const int64_t began_ns = clock_mono_ns();
    for (size_t g = 0; g < groups; g++) {
        memcpy(map + g * len, ready, len);
        atomic_store(&b.written, (g + 1) * len);
    }
    const double rate = a_second(groups * group, began_ns);
    (void)munmap(map, groups * len);
    close_bare(&b);
    return rate;
}

/* ---- one record at a time ------------------------------------------------------------------------------ */

static void await(int64_t due_ns)
{
    while (clock_mono_ns() < due_ns)
        ;
}

static double tell_quantiles(const struct histogram *h, int which)
{
    measure_note(measure, noted[which][0], (double)histogram_quantile(h, 0.99) / 1e3);
    measure_note(measure, noted[which][1], (double)histogram_quantile(h, 0.999) / 1e3);
    return (double)histogram_quantile(h, 0.5) / 1e3;
}

static double single_journal(void *ctx)
{
    const struct contest *c = ctx;
    static struct histogram h;
    struct journal *j = fresh_journal(c->every_ns);
    histogram_reset(&h);
    int64_t due_ns = clock_mono_ns();
    for (uint64_t pos = 2; pos <= PACED + 1; pos++) {
        await(due_ns += PACED_NS);
        const int64_t began_ns = clock_mono_ns();
        if (journal_append(j, 1, pos, began_ns, payload, c->size) != OK || journal_write(j) != OK)
            fail(journal_error(j));
        histogram_record(&h, clock_mono_ns() - began_ns);
    }
    end_journal(j);
    return tell_quantiles(&h, 0);
}

static double single_bare(void *ctx)
{
    const struct contest *c = ctx;
    static struct histogram h;
    struct bare b;
    const size_t len = record_bytes(c->size);
    make_ready(c->size);
    open_bare(&b, c->every_ns);
    histogram_reset(&h);
    int64_t due_ns = clock_mono_ns();
    for (size_t i = 0; i < PACED; i++) {
        await(due_ns += PACED_NS);
        const int64_t began_ns = clock_mono_ns();
        write_bare(&b, ready, len, i * len);
        histogram_record(&h, clock_mono_ns() - began_ns);
    }
    close_bare(&b);
    return tell_quantiles(&h, 1);
}

/* ---- the contest --------------------------------------------------------------------------------------- */

static struct contest contests[SIZES][MODES];

static void enter_grouped(size_t s, size_t m)
{
    static char names[SIZES][MODES][64];
    struct contest *c = &contests[s][m];
    c->size = sizes[s];
    c->every_ns = modes[m].every_ns;
    (void)snprintf(c->name[0], sizeof c->name[0], "journal, %zu bytes, sync %s", c->size, modes[m].name);
    (void)snprintf(c->name[1], sizeof c->name[1], "bare write, %zu bytes, sync %s", c->size, modes[m].name);
    (void)snprintf(names[s][m], sizeof names[s][m], "journal over bare, %zu bytes, sync %s", c->size,
                   modes[m].name);
    const int journal = measure_add(measure, c->name[0], "records/s", true, run_journal, c);
    const int bare = measure_add(measure, c->name[1], "records/s", true, run_bare, c);
    measure_ratio(measure, names[s][m], journal, bare, c->size == 256 && m == 1 ? 0.8 : 0, false);
}

static void enter_single(void)
{
    static struct contest c = {.size = 256, .every_ns = NS_PER_MS};
    static const char *const names[2][3] = {
        {"journal, one record, p50", "journal, one record, p99", "journal, one record, p99.9"},
        {"bare write, one record, p50", "bare write, one record, p99", "bare write, one record, p99.9"}};
    for (int i = 0; i < 2; i++) {
        (void)measure_add(measure, names[i][0], "us", false, i ? single_bare : single_journal, &c);
        noted[i][0] = measure_add_note(measure, names[i][1], "us", false);
        noted[i][1] = measure_add_note(measure, names[i][2], "us", false);
    }
}

static size_t number(const char *name, const char *text, size_t most)
{
    char *end;
    const unsigned long n = text ? strtoul(text, &end, 10) : 0;
    if (!text || *end || n < 1 || n > most) {
        (void)fprintf(stderr, "bench_journal: %s: expected 1 to %zu, got \"%s\"\n", name, most,
                      text ? text : "");
        exit(2);
    }
    return n;
}

static size_t take_arguments(char **argv)
{
    size_t only = 0;
    for (char **a = argv + 1; *a; a++) {
        if (strcmp(*a, "--dir") == 0 && a[1])
            directory = *++a;
        else if (strcmp(*a, "--group") == 0)
            group = number("--group", *++a, GROUP_MAX);
        else if (strcmp(*a, "--bytes") == 0)
            round_bytes = number("--bytes", *++a, 4096) << 20;
        else
            only = number("SIZE", *a, 1024);
        if (!*a)
            break;
    }
    if (only && only != 64 && only != 256 && only != 1024) {
        (void)fprintf(stderr, "bench_journal: SIZE: expected 64, 256 or 1024, got %zu\n", only);
        exit(2);
    }
    return only;
}

int main(int argc, char **argv)
{
    measure = measure_new("journal", HELP, 15, &argc, argv);
    const size_t only = take_arguments(argv);
    throwaway_open(directory);
    memset(payload, 'x', sizeof payload);
    for (size_t s = 0; s < SIZES; s++)
        for (size_t m = 0; (only == 0 || sizes[s] == only) && m < MODES; m++)
            enter_grouped(s, m);
    if (only == 0 || only == 256) {
        (void)measure_add(measure, "mapped file, 256 bytes, sync every 1 ms", "records/s", true, run_mapped,
                          &contests[1][1]);
        enter_single();
    }
    measure_run(measure);
    const int code = measure_tell(measure);
    measure_destroy(&measure);
    return code;
}
