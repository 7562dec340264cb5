/* An emulated venue without sockets: what it does is written down. Each test program includes this once. */
#ifndef SLUICE_TESTS_EMULATION_SCENE_H
#define SLUICE_TESTS_EMULATION_SCENE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "venues/emulator/emulator.h"

enum { SENT_MAX = 64, TEXT_BYTES = 2048 };

static struct {
    void *wire;
    char text[TEXT_BYTES];
    size_t len;
    bool binary;
} sent[SENT_MAX];
static int n_sent, n_pings, n_answers, answer_status;
static char answer_headers[256], answer_body[TEXT_BYTES], told[64 * 1024];
static char dropped[16], frozen[16]; /* by the letter that is a client's wire: 'a' abrupt, 'c' clean; 'f' */
static struct emulator *venue;
static struct now now;
static uint64_t line_number;

static int scene_send(void *ctx, void *wire, const char *text, size_t len, bool binary)
{
    (void)ctx;
    ck_assert_int_lt(n_sent, SENT_MAX);
    sent[n_sent].wire = wire;
    sent[n_sent].len = len;
    sent[n_sent].binary = binary;
    (void)snprintf(sent[n_sent++].text, TEXT_BYTES, "%.*s", (int)len, text);
    return OK;
}

static void scene_ping(void *ctx, void *wire, const char *payload, size_t len)
{
    (void)ctx, (void)wire, (void)payload;
    n_pings += len > 0;
}

static void scene_drop(void *ctx, void *wire, bool abrupt)
{
    (void)ctx;
    dropped[*(int *)wire] = abrupt ? 'a' : 'c';
}

static void scene_freeze(void *ctx, void *wire)
{
    (void)ctx;
    frozen[*(int *)wire] = 'f';
}

static void scene_answer(void *ctx, void *wire, int status, const char *headers, const char *body, size_t len)
{
    (void)ctx, (void)wire;
    n_answers++;
    answer_status = status;
    (void)snprintf(answer_headers, sizeof answer_headers, "%s", headers);
    (void)snprintf(answer_body, sizeof answer_body, "%.*s", (int)len, body);
}

static void scene_tell(void *ctx, const char *event, size_t len)
{
    (void)ctx;
    size_t at = strlen(told);
    (void)snprintf(told + at, sizeof told - at, "%.*s\n", (int)len, event);
}

/* ---- recorded lines ---------------------------------------------------------------------------------- */

static const struct recorded_line *line_of(enum frame_kind kind, const char *url, const char *text)
{
    static struct recorded_line line;
    line = (struct recorded_line){.line = ++line_number, .inbound = true, .readable = true};
    line.frame = (struct frame){.kind = kind, .url = url, .text = text, .len = strlen(text)};
    line.frame.recv_ns = INT64_C(1700000000000000000) + (int64_t)line_number * NS_PER_MS;
    return &line;
}

struct recorded {
    enum frame_kind kind;
    const char *text;
    const char *url; /* NULL: the one of the stream */
};

static const char *stream_url;

static void scene_open(const char *name, const struct emulator_options *options, const char *url,
                       const struct recorded *lines, int n)
{
    static const struct emulator_hands hands = {.send = scene_send,
                                                .ping = scene_ping,
                                                .drop = scene_drop,
                                                .freeze = scene_freeze,
                                                .answer = scene_answer,
                                                .tell = scene_tell};
    n_sent = n_pings = n_answers = answer_status = 0;
    memset(dropped, 0, sizeof dropped);
    memset(frozen, 0, sizeof frozen);
    *told = *answer_body = *answer_headers = '\0';
    now = (struct now){.mono_ns = 1000 * NS_PER_SEC, .utc_ns = INT64_C(1800000000000000000)};
    stream_url = url;
    line_number = 0;
    venue = emulator_new(emulation_named(name), options, &hands);
    ck_assert_ptr_nonnull(venue);
    for (int i = 0; i < n; i++)
        emulator_survey(venue, 0, line_of(lines[i].kind, lines[i].url ? lines[i].url : url, lines[i].text));
    emulator_surveyed(venue);
    line_number = 0;
}

static void scene_close(void)
{
    emulator_destroy(&venue);
}

static void play(const struct recorded *line)
{
    now.mono_ns += NS_PER_MS;
    now.utc_ns += NS_PER_MS;
    emulator_play(venue, 0, line_of(line->kind, line->url ? line->url : stream_url, line->text), now);
}

static void say(struct emulated_peer *peer, const char *text)
{
    emulator_message(venue, peer, text, strlen(text), now);
}

static void fault(const char *text)
{
    struct fault made;
    char error[320];
    ck_assert_msg(fault_parse(text, &made, error, sizeof error) == OK, "%s", error);
    ck_assert_int_eq(emulator_fault(venue, &made, now), OK);
}

/* The number of messages that went out whose text has this in it. */
static int sent_with(const char *part)
{
    int n = 0;
    for (int i = 0; i < n_sent; i++)
        n += strstr(sent[i].text, part) != NULL;
    return n;
}

static inline bool is_told(const char *part)
{
    return strstr(told, part) != NULL;
}

#endif
