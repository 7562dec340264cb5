/* A client and a server in one process, on one loop, as the tests of lib/net see them. */
#ifndef SLUICE_TESTS_NET_SCENE_H
#define SLUICE_TESTS_NET_SCENE_H

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/net/net.h"
#include "lib/net/server.h"

static struct net *net;
static struct server *server;

/* What the server saw. */
static struct server_peer *peer; /* the newest */
static int peers_opened, peers_closed, requests_gone;
static char peer_path[512], requested[512];
static struct server_request *waiting;
static bool echoes = true;

/* What the client saw. */
static struct websocket *ws;
static int opened, closed, messages, heard, answers;
static char why[200], body[256];
static char *message; /* the newest, its own */
static size_t message_len;
static bool message_binary;
static int http_status, retry_after_s;
static struct http_answer answer;

static int on_admit(void *ctx, const char *path, int *retry)
{
    (void)ctx;
    int status = 0;
    if (sscanf(path, "/refuse/%d/%d", &status, retry) >= 1)
        return status;
    return 0;
}

static void on_peer(void *ctx, struct server_peer *made, const char *path)
{
    (void)ctx;
    peer = made;
    peers_opened++;
    (void)snprintf(peer_path, sizeof peer_path, "%s", path);
}

static void on_peer_message(void *ctx, struct server_peer *from, const char *text, size_t len, bool binary)
{
    (void)ctx;
    if (echoes)
        ck_assert_int_eq(server_send(from, text, len, binary), OK);
}

static void on_peer_closed(void *ctx, struct server_peer *gone)
{
    (void)ctx;
    peers_closed++;
    if (peer == gone)
        peer = NULL;
}

/* The answer to "/later" is the test's own affair. */
static void on_request(void *ctx, struct server_request *request, const char *target)
{
    (void)ctx;
    (void)snprintf(requested, sizeof requested, "%s", target);
    if (strcmp(target, "/later") == 0)
        waiting = request;
    else if (strcmp(target, "/busy") == 0)
        server_answer(request, 429, "text/plain", "Retry-After: 17\r\nx-mbx-used-weight-1m: 1201\r\n", "slow down", 9);
    else if (strcmp(target, "/missing") == 0)
        server_answer(request, 404, "text/plain", "", "", 0);
    else
        server_answer(request, 200, "application/json", "X-MBX-USED-WEIGHT-1M: 42\r\n", "{\"a\":1}", 7);
}

static void on_request_gone(void *ctx, struct server_request *request)
{
    (void)ctx;
    if (waiting == request)
        waiting = NULL;
    requests_gone++;
}

static const struct server_events serving = {NULL,           on_admit,   on_peer,        on_peer_message,
                                             on_peer_closed, on_request, on_request_gone};

static void on_opened(void *ctx, struct websocket *self)
{
    (void)ctx;
    (void)self;
    opened++;
}

static void on_message(void *ctx, struct websocket *self, const char *text, size_t len, bool binary)
{
    (void)ctx;
    (void)self;
    ck_assert_int_eq(text[len], '\0');
    free(message);
    message = malloc(len + 1);
    ck_assert_ptr_nonnull(message);
    memcpy(message, text, len + 1);
    message_len = len;
    message_binary = binary;
    messages++;
}

static void on_heard(void *ctx, struct websocket *self)
{
    (void)ctx;
    (void)self;
    heard++;
}

static void on_closed(void *ctx, struct websocket *self, const char *words, int status, int retry)
{
    (void)ctx;
    closed++;
    if (ws == self)
        ws = NULL;
    (void)snprintf(why, sizeof why, "%s", words);
    http_status = status;
    retry_after_s = retry;
}

static const struct websocket_events listening = {NULL, on_opened, on_message, on_heard, on_closed};

static void on_answer(void *ctx, int request, const struct http_answer *got)
{
    (void)ctx;
    (void)request;
    answers++;
    answer = *got;
    (void)snprintf(body, sizeof body, "%s", got->body);
    (void)snprintf(why, sizeof why, "%s", got->words);
    ck_assert_int_eq(got->body[got->len], '\0');
}

/* One wake-up of a loop that waits as a service's does. */
static inline void turn(void)
{
    int64_t wait_ns = net_wait_ns(net);
    int ms = wait_ns > 20 * NS_PER_MS ? 20 : (int)((wait_ns + NS_PER_MS - 1) / NS_PER_MS);
    struct pollfd ready = {.fd = net_fd(net), .events = POLLIN};
    (void)poll(&ready, 1, ms);
    net_run(net);
}

/* Turns the loop until the condition holds; it must within five seconds. */
#define until(condition)                                                                                               \
    do {                                                                                                               \
        int64_t until_ns = clock_mono_ns() + 5 * NS_PER_SEC;                                                           \
        while (!(condition) && clock_mono_ns() < until_ns)                                                             \
            turn();                                                                                                    \
        ck_assert_msg((condition), "not in five seconds: %s (%s)", #condition, why);                                   \
    } while (0)

static inline void let_pass(int ms)
{
    int64_t until_ns = clock_mono_ns() + ms * NS_PER_MS;
    while (clock_mono_ns() < until_ns)
        turn();
}

static inline const char *url(const char *scheme, int port, const char *path)
{
    static char text[600];
    (void)snprintf(text, sizeof text, "%s://127.0.0.1:%d%s", scheme, port, path);
    return text;
}

static inline void connect_to(const char *path)
{
    int before = opened;
    ws = websocket_connect(net, url("ws", server_port(server), path), &listening);
    ck_assert_ptr_nonnull(ws);
    until(opened == before + 1 && peer != NULL);
}

static inline void get(const char *path, int64_t timeout_ns)
{
    ck_assert_int_gt(http_get(net, url("http", server_port(server), path), timeout_ns, on_answer, NULL), 0);
}

static inline int open_files(void)
{
    char path[64], to[8];
    int n = 0;
    for (int fd = 0; fd < 1024; fd++) {
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        n += readlink(path, to, sizeof to) >= 0;
    }
    return n;
}

static inline void open_net(const char *ca_file)
{
    char error[200] = "";
    struct net_options options = {.ca_file = ca_file};
    ck_assert_msg(net_open(&options, &net, error, sizeof error) == OK, "%s", error);
}

static inline void open_server(const char *certificate, const char *key)
{
    char error[200] = "";
    struct server_options options = {.certificate = certificate, .key = key};
    ck_assert_msg(server_open(net, &options, &serving, &server, error, sizeof error) == OK, "%s", error);
}

static inline void end_scene(void)
{
    net_close(&net);
    ck_assert_ptr_null(net);
    free(message);
    message = NULL;
}

#endif
