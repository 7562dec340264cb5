/* How fast JSON libraries read real venue messages.
 *
 *   json_rate RECORDING.jsonl[.gz] [ROUNDS]
 *
 * Takes the text of every WebSocket frame of the recording, holds them in memory, and lets each library read
 * all of them in turn, round by round; the median round counts. Each library does what its user would have to
 * do to reach every value: json-c builds its tree, jsmn its tokens, yajl calls back, simdjson's on-demand
 * interface and ours go over every node. The last line adds the conversion of every number to a decimal.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>
#include <zlib.h>

#define JSMN_STATIC
#define JSMN_STRICT
#include <jsmn.h>

#include "bench/json_ondemand.h"
#include "lib/base/clock.h"
#include "lib/base/decimal.h"
#include "lib/base/json.h"

enum { ROUNDS_MAX = 99, TOKENS_MAX = 1 << 16, LINE_BYTES = 16 << 20 };

struct frame {
    char *text; /* NUL-terminated */
    size_t len;
};

struct frames {
    struct frame *at;
    size_t count, cap, bytes;
};

static struct json *parser;
static struct json_tokener *tokener;
static jsmntok_t *tokens;
static struct ondemand *ondemand;
static uint64_t sink; /* keeps the compiler from dropping what is read */

static bool read_json_c(const struct frame *f)
{
    json_tokener_reset(tokener);
    struct json_object *root = json_tokener_parse_ex(tokener, f->text, (int)f->len + 1);
    sink += (uint64_t)json_object_get_type(root);
    json_object_put(root);
    return json_tokener_get_error(tokener) == json_tokener_success;
}

static bool read_jsmn(const struct frame *f)
{
    jsmn_parser p;
    jsmn_init(&p);
    int n = jsmn_parse(&p, f->text, f->len, tokens, TOKENS_MAX);
    sink += (uint64_t)n;
    return n > 0;
}

static int on_text(void *context, const unsigned char *text, size_t len)
{
    (void)context;
    sink += len + text[0];
    return 1;
}

static int on_number(void *context, const char *text, size_t len)
{
    (void)context;
    sink += len + (unsigned char)text[0];
    return 1;
}

static bool read_yajl(const struct frame *f)
{
    static const yajl_callbacks calls = {
        .yajl_number = on_number, .yajl_string = on_text, .yajl_map_key = on_text};
    yajl_handle handle = yajl_alloc(&calls, NULL, NULL);
    bool good = yajl_parse(handle, (const unsigned char *)f->text, f->len) == yajl_status_ok &&
                yajl_complete_parse(handle) == yajl_status_ok;
    yajl_free(handle);
    return good;
}

static bool read_ondemand(const struct frame *f)
{
    return ondemand_read(ondemand, f->text, f->len, &sink);
}

static bool read_ours(const struct frame *f)
{
    bool good = json_parse(parser, f->text, f->len) == OK;
    sink += good ? json_root(parser)->next : 0;
    return good;
}

static bool read_ours_decimals(const struct frame *f)
{
    if (!read_ours(f)) {
        return false;
    }
    const struct json_node *root = json_root(parser), *end = root + root->next;
    for (const struct json_node *node = root; node < end; node++) {
        struct dec d;
        if (json_dec(node, &d) == OK) {
            sink += (uint64_t)d.m;
        }
    }
    return true;
}

static const struct candidate {
    const char *name;
    bool (*read)(const struct frame *);
} candidates[] = {
    {"json-c 0.16, tree", read_json_c}, {"jsmn 1.1, tokens", read_jsmn},
    {"yajl 2.1, callbacks", read_yajl}, {"simdjson on-demand", read_ondemand},
    {"lib/base/json", read_ours},       {"the same, decimals", read_ours_decimals},
};

enum { CANDIDATES = sizeof candidates / sizeof *candidates };

static void keep(struct frames *frames, const struct json_node *msg)
{
    if (frames->count == frames->cap) {
        frames->cap = frames->cap ? 2 * frames->cap : 1024;
        frames->at = realloc(frames->at, frames->cap * sizeof *frames->at);
    }
    char *text = malloc(msg->len + (size_t)1);
    if (frames->at == NULL || text == NULL) {
        fprintf(stderr, "json_rate: out of memory\n");
        exit(1);
    }
    int len = json_unescape(msg, text, msg->len);
    if (len < 0) {
        free(text);
        return;
    }
    text[len] = '\0';
    frames->at[frames->count++] = (struct frame){text, (size_t)len};
    frames->bytes += (size_t)len;
}

static bool load(const char *path, struct frames *frames)
{
    gzFile file = gzopen(path, "rb");
    char *line = malloc(LINE_BYTES);
    if (file == NULL || line == NULL) {
        return false;
    }
    while (gzgets(file, line, LINE_BYTES) != NULL) {
        if (json_parse(parser, line, strlen(line)) != OK) {
            fprintf(stderr, "json_rate: line skipped: %s\n", json_error(parser));
            continue;
        }
        const struct json_node *root = json_root(parser), *msg = json_get(parser, root, "msg");
        if (json_is(json_get(parser, root, "kind"), "ws") && msg != NULL && msg->kind == JSON_STRING) {
            keep(frames, msg);
        }
    }
    free(line);
    gzclose(file);
    return frames->count > 0;
}

static int64_t read_all(const struct candidate *c, const struct frames *frames, size_t *failed)
{
    int64_t start = clock_mono_ns();
    for (size_t i = 0; i < frames->count; i++) {
        *failed += !c->read(&frames->at[i]);
    }
    return clock_mono_ns() - start;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static int64_t took[CANDIDATES][ROUNDS_MAX];
    size_t failed[CANDIDATES] = {0};
    struct frames frames = {0};
    int rounds = argc > 2 ? atoi(argv[2]) : 9;
    if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: json_rate RECORDING.jsonl[.gz] [ROUNDS, 1 to %d]\n", ROUNDS_MAX);
        return 2;
    }
    parser = json_new();
    tokener = json_tokener_new();
    tokens = malloc(TOKENS_MAX * sizeof *tokens);
    ondemand = ondemand_new();
    if (parser == NULL || tokener == NULL || tokens == NULL || ondemand == NULL || !load(argv[1], &frames)) {
        fprintf(stderr, "json_rate: %s: no WebSocket frames could be read\n", argv[1]);
        return 1;
    }
    for (int round = -1; round < rounds; round++) { /* round -1 warms up */
        for (int c = 0; c < CANDIDATES; c++) {
            int64_t ns = read_all(&candidates[c], &frames, &failed[c]);
            if (round >= 0) {
                took[c][round] = ns;
            }
        }
    }
    printf("%zu messages, %.0f bytes each on average, median of %d rounds\n", frames.count,
           (double)frames.bytes / (double)frames.count, rounds);
    printf("%-22s %12s %10s %12s %8s\n", "library", "messages/s", "MB/s", "ns/message", "failed");
    for (int c = 0; c < CANDIDATES; c++) {
        qsort(took[c], (size_t)rounds, sizeof took[c][0], by_value);
        double ns = (double)took[c][rounds / 2];
        printf("%-22s %12.0f %10.0f %12.0f %8zu\n", candidates[c].name, (double)frames.count * 1e9 / ns,
               (double)frames.bytes * 1e3 / ns, ns / (double)frames.count, failed[c]);
    }
    return sink == 0;
}
