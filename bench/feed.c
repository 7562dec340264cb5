/* What a venue's messages cost the feed, from the raw text to the applied book and on to the socket.
 *
 *   bench_feed [--json] [RECORDING.jsonl[.gz]...]      by default the recordings of known venues in SLUICE_TEST_DATA
 *
 * Every frame of a recording is held in memory, decompressed, and played into a fresh market of its venue, round by
 * round; in each round every figure is taken once, so that what disturbs the machine disturbs all alike. The median
 * round counts; the least and the greatest are told beside it. `how` below says how each figure is taken.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/feed.h"
#include "lib/base/clock.h"
#include "lib/base/status.h"

static const char how[] =
    "all       every frame from raw text to applied book, nobody listening, under one clock\n"
    "frame     the hand-over: a message from a server on this host, by lib/net without TLS; CPU time of the "
    "receiving\n"
    "          thread, the kernel's part with it\n"
    "text-book a message under a clock of its own, from raw text to applied book; the clock's cost is taken "
    "off\n"
    "  json    the parser, or the direct reader less the decimals, clocked where the venue's code calls it\n"
    "  decimal the same numbers, read alone\n"
    "  book    the same levels into fresh books, alone\n"
    "  rest    text-book less these three: fields, ids, checksums\n"
    "core      the feed's core behind the book: the message that is published, with the 20 best levels a "
    "side\n"
    "encode    that message into msgpack\n"
    "publish   its topic, and the XPUB socket's taking it, over ipc, one subscriber\n";

static const char *const kind_names[KINDS] = {"book", "snapshot", "best price", "trade", "other"};
static const char *const stage_names[STAGES] = {"text-book", "json", "decimal", "book",
                                                "rest",      "core", "encode",  "publish"};

/* What is asked for, of a message as the recording has it on average. */
static const struct goal {
    enum kind kind;
    const char *words;
    double ns;
} goals[] = {{BEST, "a Binance best price", 1000}, {BOOK, "an average depth message", 2000}};

int64_t clock_ns;

struct figure {
    double median, least, greatest;
};

struct result {
    const char *path;
    const struct venue_ops *ops;
    const struct frames *frames;
    uint64_t messages[KINDS], bytes[KINDS], levels[KINDS], direct[KINDS];
    struct round rounds[ROUNDS];
};

void *taken(void *memory)
{
    if (!memory) {
        fprintf(stderr, "bench feed: out of memory\n");
        exit(1);
    }
    return memory;
}

/* ---- the recording -------------------------------------------------------------------------------------- */

static void keep(struct frames *frames, const struct frame *frame)
{
    if (frames->count == frames->cap) {
        frames->cap = frames->cap ? 2 * frames->cap : 1024;
        frames->at = taken(realloc(frames->at, frames->cap * sizeof *frames->at));
    }
    char *text = taken(malloc(frame->len + 1));
    memcpy(text, frame->text, frame->len);
    text[frame->len] = '\0';
    struct frame *own = &frames->at[frames->count++];
    *own = *frame;
    own->text = text;
    own->url = taken(strdup(frame->url));
    frames->bytes += frame->len;
}

static void drop(struct frames *frames)
{
    for (size_t i = 0; i < frames->count; i++) {
        free((void *)(uintptr_t)frames->at[i].text);
        free((void *)(uintptr_t)frames->at[i].url);
    }
    free(frames->at);
}

/* The frames that came from the venue whose frame is the first; NULL: there is none. */
static const struct venue_ops *load(const char *path, struct frames *frames)
{
    struct recording *recording;
    struct recorded_line line;
    const struct venue_ops *ops = NULL;
    char error[256];
    if (recording_open(path, &recording, error, sizeof error) != OK) {
        fprintf(stderr, "bench feed: %s\n", error);
        exit(1);
    }
    while (recording_next(recording, &line) == 1) {
        if (!line.readable || (!line.inbound && line.frame.kind != FRAME_CONNECT))
            continue;
        if (!ops)
            ops = venue_of_url(line.frame.url);
        if (ops && ops->owns_url(line.frame.url))
            keep(frames, &line.frame);
    }
    recording_close(&recording);
    return ops;
}

/* ---- figures -------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct figure figure_of(double values[ROUNDS])
{
    qsort(values, ROUNDS, sizeof *values, by_value);
    return (struct figure){values[ROUNDS / 2], values[0], values[ROUNDS - 1]};
}

static struct figure stage_of(const struct result *result, enum kind kind, enum stage stage)
{
    double values[ROUNDS], n = (double)result->messages[kind];
    for (int i = 0; i < ROUNDS; i++) {
        const double *ns = result->rounds[i].ns[kind];
        values[i] = stage == REST ? (ns[WHOLE] - ns[JSON] - ns[DECIMAL] - ns[LEVELS]) / n : ns[stage] / n;
    }
    return figure_of(values);
}

static struct figure all_of(const struct result *result)
{
    double values[ROUNDS];
    for (int i = 0; i < ROUNDS; i++)
        values[i] = result->rounds[i].all_ns;
    return figure_of(values);
}

static struct figure frame_of(const struct result *result)
{
    double values[ROUNDS];
    for (int i = 0; i < ROUNDS; i++)
        values[i] = result->rounds[i].frame_ns;
    return figure_of(values);
}

/* ---- words ---------------------------------------------------------------------------------------------- */

static void print_goals(const struct result *result)
{
    for (size_t i = 0; i < sizeof goals / sizeof *goals; i++) {
        const struct goal *goal = &goals[i];
        if (result->messages[goal->kind] == 0)
            continue;
        double ns = stage_of(result, goal->kind, WHOLE).median;
        double levels = (double)result->levels[goal->kind] / (double)result->messages[goal->kind];
        printf("  %s within %.0f ns: %.0f, %s", goal->words, goal->ns, ns,
               ns <= goal->ns ? "reached" : "not reached");
        if (ns > goal->ns && levels > 0)
            printf(": %.1f levels a message, %.1f ns a level (json %.1f, decimal %.1f, book %.1f, rest %.1f)",
                   levels, ns / levels, stage_of(result, goal->kind, JSON).median / levels,
                   stage_of(result, goal->kind, DECIMAL).median / levels,
                   stage_of(result, goal->kind, LEVELS).median / levels,
                   stage_of(result, goal->kind, REST).median / levels);
        putchar('\n');
    }
}

static void print_kind(const struct result *result, enum kind kind)
{
    double n = (double)result->messages[kind];
    struct figure whole = stage_of(result, kind, WHOLE);
    char range[32];
    snprintf(range, sizeof range, "(%.0f-%.0f)", whole.least, whole.greatest);
    printf("  %-10s %8.0f %6.0f %6.1f %9.0f %-15s", kind_names[kind], n, (double)result->bytes[kind] / n,
           (double)result->levels[kind] / n, whole.median, range);
    for (int stage = JSON; stage < STAGES; stage++)
        printf(" %7.0f", stage_of(result, kind, (enum stage)stage).median);
    putchar('\n');
}

static void print_text(const struct result *result)
{
    struct figure all = all_of(result), frame = frame_of(result);
    double count = (double)result->frames->count, bytes = (double)result->frames->bytes;
    printf("%s: %s, %.0f messages, %.1f MB\n", result->path, result->ops->name, count, bytes / 1e6);
    printf("  all: %.0f messages/s, %.0f MB/s, %.0f ns a message (%.0f-%.0f); frame: %.0f ns a message "
           "(%.0f-%.0f)\n",
           1e9 / all.median, bytes / count * 1e3 / all.median, all.median, all.least, all.greatest,
           frame.median, frame.least, frame.greatest);
    printf("  %-10s %8s %6s %6s %9s %-15s", "ns each", "messages", "bytes", "levels", stage_names[WHOLE], "");
    for (int stage = JSON; stage < STAGES; stage++)
        printf(" %7s", stage_names[stage]);
    putchar('\n');
    for (int kind = 0; kind < KINDS; kind++)
        if (result->messages[kind] > 0)
            print_kind(result, (enum kind)kind);
    print_goals(result);
}

/* ---- JSON ----------------------------------------------------------------------------------------------- */

static void put_figure(const char *name, struct figure f)
{
    printf("\"%s\":{\"median\":%.1f,\"least\":%.1f,\"greatest\":%.1f}", name, f.median, f.least, f.greatest);
}

static void print_json(const struct result *result)
{
    const char *between = "";
    const char *name = strrchr(result->path, '/');
    printf("{\"recording\":\"%s\",\"venue\":\"%s\",\"messages\":%zu,\"bytes\":%zu,\"rounds\":%d,",
           name ? name + 1 : result->path, result->ops->name, result->frames->count, result->frames->bytes,
           ROUNDS);
    put_figure("all_ns", all_of(result));
    putchar(',');
    put_figure("frame_ns", frame_of(result));
    printf(",\"kinds\":{");
    for (int kind = 0; kind < KINDS; kind++) {
        if (result->messages[kind] == 0)
            continue;
        printf("%s\"%s\":{\"messages\":%lu,\"bytes\":%lu,\"levels\":%lu,\"direct\":%lu", between,
               kind_names[kind], result->messages[kind], result->bytes[kind], result->levels[kind],
               result->direct[kind]);
        for (int stage = 0; stage < STAGES; stage++) {
            char key[32];
            snprintf(key, sizeof key, "%s_ns", stage_names[stage]);
            putchar(',');
            put_figure(key, stage_of(result, (enum kind)kind, (enum stage)stage));
        }
        putchar('}');
        between = ",";
    }
    printf("}}\n");
}

/* ---- running -------------------------------------------------------------------------------------------- */

static void count_kinds(struct result *result, const struct notes *notes)
{
    for (size_t i = 0; i < result->frames->count; i++) {
        const struct note *note = notes_of(notes, i);
        result->messages[note->kind]++;
        result->bytes[note->kind] += result->frames->at[i].len;
        result->levels[note->kind] += note->levels;
        result->direct[note->kind] += note->direct;
    }
}

/* required: that no venue knows the recording is an error. */
static bool measure(const char *path, bool json, bool required)
{
    struct frames frames = {0};
    struct result *result = taken(calloc(1, sizeof *result));
    result->path = path;
    result->frames = &frames;
    result->ops = load(path, &frames);
    bool known = result->ops && frames.count > 0;
    if (known) {
        struct wire *wire = wire_open(&frames); /* its process is forked before there are threads */
        struct notes *notes = notes_take(result->ops, &frames);
        struct outlet *outlet = outlet_open();
        count_kinds(result, notes);
        (void)wire_ns(wire); /* warms up */
        for (int i = 0; i < ROUNDS; i++) {
            struct round *round = &result->rounds[i];
            round->frame_ns = wire_ns(wire);
            measure_whole(result->ops, &frames, notes, round);
            measure_alone(notes, &frames, round);
            measure_publish(outlet, result->ops, &frames, notes, round);
        }
        (json ? print_json : print_text)(result);
        (void)fflush(stdout);
        outlet_close(&outlet);
        notes_drop(&notes);
        wire_close(&wire);
    } else if (required) {
        fprintf(stderr, "bench feed: %s: no frame of a venue that is known here\n", path);
    }
    drop(&frames);
    free(result);
    return known || !required;
}

static bool measure_folder(bool json)
{
    const char *data = getenv("SLUICE_TEST_DATA");
    char folder[PATH_MAX], path[PATH_MAX + NAME_MAX + 2];
    struct dirent **files;
    bool ok = true;
    snprintf(folder, sizeof folder, "%s/recordings", data ? data : "");
    int n = data ? scandir(folder, &files, NULL, alphasort) : -1;
    if (n < 0) {
        fprintf(stderr,
                "bench feed: name recordings, or set SLUICE_TEST_DATA to a folder with recordings/ in it\n");
        return false;
    }
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]->d_name);
        if (strstr(files[i]->d_name, ".jsonl"))
            ok = measure(path, json, false) && ok;
        free(files[i]);
    }
    free(files);
    return ok;
}

/* The least of many, for whatever disturbs only adds to it. */
static int64_t clock_cost(void)
{
    enum { READS = 10000, TRIES = 100 };
    int64_t least = INT64_MAX;
    for (int try = 0; try < TRIES; try++) {
        int64_t start = clock_mono_ns();
        for (int i = 0; i < READS; i++)
            (void)clock_mono_ns();
        int64_t ns = (clock_mono_ns() - start) / READS;
        least = ns < least ? ns : least;
    }
    return least;
}

int main(int argc, char **argv)
{
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0, ok = true;
    int first = json ? 2 : 1;
    if (argc > first && argv[first][0] == '-') {
        fprintf(stderr, "usage: bench feed [--json] [RECORDING.jsonl[.gz]...]\n");
        return 2;
    }
    clock_ns = clock_cost();
    if (!json)
        printf("medians of %d rounds (least and greatest in brackets); the clock's own cost, %ld ns, is "
               "taken off\n%s\n",
               ROUNDS, (long)clock_ns, how);
    if (argc == first)
        ok = measure_folder(json);
    for (int i = first; i < argc; i++)
        ok = measure(argv[i], json, true) && ok;
    return !ok;
}
