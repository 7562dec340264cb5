/* How fast a venue's messages become books.
 *
 *   feed_rate RECORDING.jsonl[.gz] [RECORDING...]
 *
 * Holds every frame of a recording in memory, decompressed, and plays all of them into a fresh market of
 * their venue, round by round: from the raw text to the applied book, with nobody behind it. Each round plays
 * once under one clock, for the rate, and once with every message under its own, for the kinds; of both the
 * median round counts. A message's kind is what it led to.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "venues/recording.h"

enum { ROUNDS = 9 };

enum kind { DIFF, SNAPSHOT, BEST, TRADE, OTHER, KINDS };

static const char *const kind_names[KINDS] = {"book", "snapshot", "best price", "trade", "other"};

struct frames {
    struct frame *at;
    size_t count, cap, bytes;
};

/* What a round measured. */
struct timing {
    int64_t ns[KINDS];
    uint64_t messages[KINDS];
    uint64_t bytes[KINDS];
};

static enum kind seen; /* of the message at hand */

static void on_book(void *ctx, const struct venue_book *book)
{
    (void)ctx, (void)book;
    seen = DIFF;
}

static void on_best(void *ctx, const struct venue_book *book, const struct bbo *bbo)
{
    (void)ctx, (void)book, (void)bbo;
    seen = BEST;
}

static void on_trade(void *ctx, const struct venue_book *book, const struct trade *trade)
{
    (void)ctx, (void)book, (void)trade;
    seen = TRADE;
}

static const struct market_sink sink = {.book = on_book, .best = on_best, .trade = on_trade};

static void *taken(void *memory)
{
    if (!memory) {
        fprintf(stderr, "feed_rate: out of memory\n");
        exit(1);
    }
    return memory;
}

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

/* The frames that came from the venue whose frame is the first. */
static const struct venue_ops *load(const char *path, struct frames *frames)
{
    struct recording *recording;
    struct recorded_line line;
    const struct venue_ops *ops = NULL;
    char error[256];
    if (recording_open(path, &recording, error, sizeof error) != OK) {
        fprintf(stderr, "feed_rate: %s\n", error);
        return NULL;
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
    if (!ops)
        fprintf(stderr, "feed_rate: %s: no frame of a venue that is known here\n", path);
    return ops;
}

static int64_t play_all(const struct venue_ops *ops, const struct frames *frames)
{
    struct venue_market *market = taken(ops->open(NULL, &sink));
    int64_t start = clock_mono_ns();
    for (size_t i = 0; i < frames->count; i++)
        (void)ops->on_frame(market, &frames->at[i]);
    int64_t ns = clock_mono_ns() - start;
    ops->close(&market);
    return ns;
}

static void play_each(const struct venue_ops *ops, const struct frames *frames, struct timing *tally)
{
    struct venue_market *market = taken(ops->open(NULL, &sink));
    memset(tally, 0, sizeof *tally);
    for (size_t i = 0; i < frames->count; i++) {
        const struct frame *frame = &frames->at[i];
        seen = OTHER;
        int64_t start = clock_mono_ns();
        (void)ops->on_frame(market, frame);
        int64_t ns = clock_mono_ns() - start;
        enum kind kind = seen == DIFF && frame->kind == FRAME_HTTP ? SNAPSHOT : seen;
        tally->ns[kind] += ns;
        tally->messages[kind]++;
        tally->bytes[kind] += frame->len;
    }
    ops->close(&market);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Sorts them, too. */
static int64_t median(int64_t values[ROUNDS])
{
    qsort(values, ROUNDS, sizeof *values, by_value);
    return values[ROUNDS / 2];
}

static int64_t clock_cost(void)
{
    enum { READS = 100000 };
    int64_t start = clock_mono_ns();
    for (int i = 0; i < READS; i++)
        (void)clock_mono_ns();
    return (clock_mono_ns() - start) / READS;
}

static bool measure(const char *path)
{
    static struct timing tallies[ROUNDS];
    int64_t whole[ROUNDS], of_kind[ROUNDS];
    struct frames frames = {0};
    const struct venue_ops *ops = load(path, &frames);
    if (!ops) {
        drop(&frames);
        return false;
    }
    play_all(ops, &frames); /* warms up */
    for (int round = 0; round < ROUNDS; round++) {
        whole[round] = play_all(ops, &frames);
        play_each(ops, &frames, &tallies[round]);
    }
    double ns = (double)median(whole);
    printf("%s: %s, %zu messages, %.1f MB: %.0f messages/s, %.0f MB/s, %.0f ns/message\n", path, ops->name,
           frames.count, (double)frames.bytes / 1e6, (double)frames.count * 1e9 / ns,
           (double)frames.bytes * 1e3 / ns, ns / (double)frames.count);
    for (int kind = 0; kind < KINDS; kind++) {
        double n = (double)tallies[0].messages[kind];
        if (n == 0)
            continue;
        for (int round = 0; round < ROUNDS; round++)
            of_kind[round] = tallies[round].ns[kind];
        double middle = (double)median(of_kind);
        printf("  %-12s %8.0f messages %8.0f bytes %8.0f ns each, %8.0f in the fastest round\n",
               kind_names[kind], n, (double)tallies[0].bytes[kind] / n, middle / n, (double)of_kind[0] / n);
    }
    drop(&frames);
    return true;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: feed_rate RECORDING.jsonl[.gz] [RECORDING...]\n");
        return 2;
    }
    int failed = 0;
    printf("median of %d rounds; the clock's own cost, within the times of kinds: %ld ns\n", ROUNDS,
           (long)clock_cost());
    for (int i = 1; i < argc; i++)
        failed |= !measure(argv[i]);
    return failed;
}
