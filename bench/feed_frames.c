/* The recording's WebSocket messages come once more from a server on this host, in a process of its own, without TLS. A
 * round begins when the client sends a word, and ends with its last message; the client counts the CPU time of its
 * thread, that of the kernel's receiving calls with it. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/feed.h"
#include "lib/base/clock.h"
#include "lib/net/server.h"

enum { WAITING_MAX = 8 * 1024 * 1024 };

struct wire {
    const struct frames *frames;
    struct net *net;
    struct websocket *ws;
    struct server_peer *peer; /* of the serving process */
    size_t next;              /* frame to be sent, or number of those received */
    size_t messages;          /* WebSocket messages of a round */
    size_t in_round;
    pid_t server;
    bool open, failed;
};

static void run(struct net *net)
{
    struct pollfd fd = {.fd = net_fd(net), .events = POLLIN};
    int64_t wait_ns = net_wait_ns(net);
    (void)poll(&fd, 1, wait_ns > NS_PER_SEC ? 1000 : (int)((wait_ns + NS_PER_MS - 1) / NS_PER_MS));
    net_run(net);
}

/* ---- the serving process -------------------------------------------------------------------------------- */

static void on_client(void *ctx, struct server_peer *peer, const char *path)
{
    (void)path;
    ((struct wire *)ctx)->peer = peer;
}

static void on_word(void *ctx, struct server_peer *peer, const char *text, size_t len, bool binary)
{
    (void)peer, (void)text, (void)len, (void)binary;
    ((struct wire *)ctx)->next = 0;
}

static void on_client_gone(void *ctx, struct server_peer *peer)
{
    (void)ctx, (void)peer;
    _exit(0);
}

static void send_some(struct wire *self)
{
    while (self->peer && self->next < self->frames->count && server_waiting(self->peer) < WAITING_MAX) {
        const struct frame *frame = &self->frames->at[self->next++];
        if (frame->kind == FRAME_WS)
            (void)server_send(self->peer, frame->text, frame->len, false);
    }
}

static _Noreturn void serve(struct wire *self, int port_fd)
{
    struct server_events events = {
        .ctx = self, .opened = on_client, .message = on_word, .closed = on_client_gone};
    struct server *server;
    char error[256];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    self->next = self->frames->count;
    if (net_open(&(struct net_options){0}, &self->net, error, sizeof error) != OK ||
        server_open(self->net, &(struct server_options){0}, &events, &server, error, sizeof error) != OK)
        _exit(1);
    int port = server_port(server);
    if (write(port_fd, &port, sizeof port) != sizeof port)
        _exit(1);
    for (;;) {
        send_some(self);
        run(self->net);
    }
}

/* ---- the receiving thread ------------------------------------------------------------------------------- */

static void on_open(void *ctx, struct websocket *ws)
{
    (void)ws;
    ((struct wire *)ctx)->open = true;
}

static void on_message(void *ctx, struct websocket *ws, const char *text, size_t len, bool binary)
{
    (void)ws, (void)text, (void)len, (void)binary;
    ((struct wire *)ctx)->in_round++;
}

static void on_close(void *ctx, struct websocket *ws, const char *why, int status, int retry_after_s)
{
    (void)ws, (void)status, (void)retry_after_s;
    fprintf(stderr, "bench feed: the connection on this host ended: %s\n", why);
    ((struct wire *)ctx)->ws = NULL;
    ((struct wire *)ctx)->failed = true;
}

static int64_t cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

struct wire *wire_open(const struct frames *frames)
{
    struct wire *self = taken(calloc(1, sizeof *self));
    struct websocket_events events = {
        .ctx = self, .opened = on_open, .message = on_message, .closed = on_close};
    char error[256], url[64];
    int fds[2], port = 0;
    self->frames = frames;
    for (size_t i = 0; i < frames->count; i++)
        self->messages += frames->at[i].kind == FRAME_WS;
    if (pipe(fds) != 0 || (self->server = fork()) < 0) {
        fprintf(stderr, "bench feed: no process for the server\n");
        exit(1);
    }
    if (self->server == 0)
        serve(self, fds[1]);
    close(fds[1]);
    bool told = read(fds[0], &port, sizeof port) == sizeof port;
    close(fds[0]);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    if (!told || net_open(&(struct net_options){0}, &self->net, error, sizeof error) != OK ||
        !(self->ws = websocket_connect(self->net, url, &events))) {
        fprintf(stderr, "bench feed: no connection on this host\n");
        exit(1);
    }
    while (!self->open && !self->failed)
        run(self->net);
    return self;
}

void wire_close(struct wire **self)
{
    struct wire *w = *self;
    net_close(&w->net);
    (void)kill(w->server, SIGKILL);
    (void)waitpid(w->server, NULL, 0);
    free(w);
    *self = NULL;
}

double wire_ns(struct wire *self)
{
    self->in_round = 0;
    if (self->failed || self->messages == 0)
        return 0;
    int64_t start = cpu_ns();
    (void)websocket_send(self->ws, "go", 2, false);
    while (self->in_round < self->messages && !self->failed)
        run(self->net);
    return (double)(cpu_ns() - start) / (double)self->messages;
}
