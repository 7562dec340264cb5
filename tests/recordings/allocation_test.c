/* In steady state a message costs no memory: from its raw text through the book and the feed's core to the encoded
 * message nothing is allocated, neither by our code nor by the parser under it.
 *
 *   allocation_test FOLDER       the recordings, where SLUICE_TEST_DATA does not name them
 *
 * Each recording is played, once to warm up and once more, over the same books; of the second play every call of the
 * allocator is counted, snapshots and reconnects with it. Exit status: 77 when there are no recordings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/codec.h"
#include "services/feed/feed.h"
#include "venues/recording.h"

static bool counting;
static uint64_t allocations;

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(SANITIZED)
int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void *, size_t),
                                              void (*free_hook)(const volatile void *));

static void on_malloc(const volatile void *at, size_t size)
{
    (void)at, (void)size;
    allocations += counting;
}

static void on_free(const volatile void *at)
{
    (void)at;
}

static void watch_allocator(void)
{
    (void)__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}
#else
/* These come before the C library's own, for every library of the program. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *at, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    allocations += counting;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    allocations += counting;
    return __libc_calloc(n, size);
}

void *realloc(void *at, size_t size)
{
    allocations += counting;
    return __libc_realloc(at, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    allocations += counting;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    allocations += counting;
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : 12;
}

static void watch_allocator(void)
{
}
#endif

/* ---- the way of a message ------------------------------------------------------------------------------- */

static struct config config;
static struct feed *feed;
static struct outbox out;
static struct now now;
static uint8_t bytes[MESSAGE_BYTES_MAX];
static uint64_t encoded, unencoded;

static void encode_all(void)
{
    bool more;
    do {
        more = feed_publish(feed, now, &out);
        for (uint32_t i = 0; i < out.n_messages; i++) {
            bool fits = codec_encode(&out.messages[i], bytes, sizeof bytes) > 0;
            encoded += fits;
            unencoded += !fits;
        }
        out.n_messages = out.n_effects = 0;
    } while (more);
}

static void on_instrument(void *ctx, const struct venue_book *book)
{
    (void)ctx;
    feed_on_instrument(feed, book->inst.venue, book, now);
}

static void on_book(void *ctx, const struct venue_book *book)
{
    (void)ctx;
    feed_on_book(feed, book->inst.venue, book, now);
}

static void on_best(void *ctx, const struct venue_book *book, const struct bbo *bbo)
{
    (void)ctx;
    feed_on_best(feed, book->inst.venue, book, bbo, now);
}

static void on_trade(void *ctx, const struct venue_book *book, const struct trade *trade)
{
    (void)ctx;
    feed_on_trade(feed, book->inst.venue, book, trade, now, &out);
}

static const struct market_sink sink = {
    .instrument = on_instrument, .book = on_book, .best = on_best, .trade = on_trade};

/* ---- recordings ----------------------------------------------------------------------------------------- */

struct frames {
    struct frame *at;
    size_t n, cap;
};

static bool load(const char *path, const struct venue_ops *ops, struct frames *frames)
{
    struct recording *recording;
    struct recorded_line line;
    char error[256];
    if (recording_open(path, &recording, error, sizeof error) != 0) {
        printf("FAILED %s\n", error);
        return false;
    }
    while (recording_next(recording, &line) == 1) {
        if (!line.readable || (!line.inbound && line.frame.kind != FRAME_CONNECT) ||
            !ops->owns_url(line.frame.url))
            continue;
        if (frames->n == frames->cap) {
            frames->cap = frames->cap ? 2 * frames->cap : 1024;
            frames->at = realloc(frames->at, frames->cap * sizeof *frames->at);
        }
        struct frame *own = &frames->at[frames->n++];
        *own = line.frame;
        own->text = strndup(line.frame.text, line.frame.len);
        own->url = strdup(line.frame.url);
    }
    recording_close(&recording);
    return true;
}

static void drop(struct frames *frames)
{
    for (size_t i = 0; i < frames->n; i++) {
        free((void *)(uintptr_t)frames->at[i].text);
        free((void *)(uintptr_t)frames->at[i].url);
    }
    free(frames->at);
}

/* Local time goes on from play to play, market time is the recording's. */
static void play(const struct venue_ops *ops, struct venue_market *market, const struct frames *frames)
{
    int64_t begun_ns = now.mono_ns;
    for (size_t i = 0; i < frames->n; i++) {
        const struct frame *frame = &frames->at[i];
        int64_t mono_ns = begun_ns + frame->recv_ns - frames->at[0].recv_ns;
        now.market_ns = now.utc_ns = frame->recv_ns;
        now.mono_ns = mono_ns > now.mono_ns ? mono_ns : now.mono_ns;
        (void)ops->on_frame(market, frame);
        feed_on_time(feed, now, &out);
        encode_all();
    }
}

static bool test(const char *folder, const char *venue, const char *file)
{
    struct frames frames = {0};
    char path[4096];
    const struct venue_ops *ops = venue_named(venue);
    snprintf(path, sizeof path, "%s/recordings/%s.jsonl.gz", folder, file);
    if (!load(path, ops, &frames))
        return false;
    struct feed_options options = {.config = &config, .epoch = 1, .instruments = 1024};
    struct venue_market *market = ops->open(NULL, &sink);
    feed = feed_new(&options);
    if (!market || !feed || outbox_open(&out, OUTBOX_CAPACITY) != 0)
        return false;
    play(ops, market, &frames);
    encoded = unencoded = allocations = 0;
    counting = true;
    play(ops, market, &frames);
    counting = false;
    uint64_t applied = ops->counters(market)->applied;
    bool ok = allocations == 0 && unencoded == 0 && encoded > 100 && applied > 100;
    printf("%s %s: %zu messages twice, %lu applied, %lu encoded the second time, %lu allocations\n",
           ok ? "ok" : "FAILED", file, frames.n, applied, encoded, allocations);
    ops->close(&market);
    feed_destroy(&feed);
    outbox_close(&out);
    drop(&frames);
    return ok;
}

int main(int argc, char **argv)
{
    static const char *const cases[][2] = {{"binance", "binance_spot_btcusdt_20240808"},
                                           {"binance", "binance_spot_multi_20210417"},
                                           {"binance-usdm", "binance_usdm_btcusdt_20240808"},
                                           {"binance-usdm", "binance_usdm_multi_20210722"},
                                           {"upbit", "upbit_multi_20210417"},
                                           {"okx", "okx_books_20220513"},
                                           {"okx", "okx_tbt_20210722_conn1"},
                                           {"kraken", "kraken_v2_ethusd_d25_20260802"},
                                           {"kraken", "kraken_v1_book1000_20210417"}};
    const char *data = getenv("SLUICE_TEST_DATA");
    bool ok = true;
    if (!data || !*data)
        data = argc > 1 ? argv[1] : "";
    if (access(data, R_OK) != 0) {
        printf("no recordings: SLUICE_TEST_DATA is not set\n");
        return 77;
    }
    watch_allocator();
    config_defaults(&config);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ok = test(data, cases[i][0], cases[i][1]) && ok;
    return !ok;
}
