#include "lib/runtime/sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "lib/runtime/probe.h"
#include "proto/message.h"

struct role {
    int type;
    bool binds;
    int send_mark, receive_mark; /* high-water marks, messages; 0 = none */
    bool verbose, immediate, mandatory, waits_for_peers;
};

/* Marks are at least four times the topics a socket may carry (2 x 500 instruments x 3 kinds). A ledger's PUB
 * may hold a burst; what it drops its followers ask for again. A SUB with a send mark would lose
 * subscriptions; an XPUB's receive mark loses none, for whoever subscribes waits: libzmq takes in all that is there at
 * once, in the publisher's own time, so that only a few may be. */
static const struct role roles[] = {
    [SOCKET_MARKET_PUB] =
        {.type = ZMQ_XPUB, .binds = true, .send_mark = 16384, .receive_mark = 16, .verbose = true},
    [SOCKET_MARKET_SUB] = {.type = ZMQ_SUB, .send_mark = 0, .receive_mark = 16384},
    [SOCKET_LEDGER_PUB] = {.type = ZMQ_PUB, .binds = true, .send_mark = 65536, .receive_mark = 16},
    [SOCKET_LEDGER_SUB] = {.type = ZMQ_SUB, .send_mark = 0, .receive_mark = 65536},
    [SOCKET_INTENT_PUSH] = {.type = ZMQ_PUSH, .send_mark = 1024, .immediate = true, .waits_for_peers = true},
    [SOCKET_INTENT_PULL] = {.type = ZMQ_PULL, .binds = true, .receive_mark = 4096},
    [SOCKET_REPLAY_ROUTER] =
        {.type = ZMQ_ROUTER, .binds = true, .send_mark = 16384, .receive_mark = 1024, .mandatory = true},
    [SOCKET_REPLAY_DEALER] = {.type = ZMQ_DEALER, .send_mark = 64, .receive_mark = 16384},
    [SOCKET_CONTROL_ROUTER] = {.type = ZMQ_ROUTER,
                               .binds = true,
                               .send_mark = 256,
                               .receive_mark = 256,
                               .mandatory = true,
                               .waits_for_peers = true},
    [SOCKET_CONTROL_DEALER] = {.type = ZMQ_DEALER, .send_mark = 64, .receive_mark = 256},
};

static void set(void *socket, int option, int value)
{
    (void)zmq_setsockopt(socket, option, &value, sizeof value);
}

static void set_options(void *socket, const struct role *role, const char *endpoint)
{
    int64_t max_bytes = 4 * MESSAGE_BYTES_MAX;
    (void)zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max_bytes, sizeof max_bytes);
    set(socket, ZMQ_SNDHWM, role->send_mark);
    set(socket, ZMQ_RCVHWM, role->receive_mark);
    set(socket, ZMQ_LINGER, role->waits_for_peers ? 1000 : 0);
    if (role->verbose)
        set(socket, ZMQ_XPUB_VERBOSE, 1);
    if (role->immediate)
        set(socket, ZMQ_IMMEDIATE, 1);
    if (role->mandatory)
        set(socket, ZMQ_ROUTER_MANDATORY, 1);
    set(socket, ZMQ_RECONNECT_IVL, 10);
    set(socket, ZMQ_RECONNECT_IVL_MAX, 1000);
    if (strncmp(endpoint, "tcp:", 4) == 0) {
        set(socket, ZMQ_HEARTBEAT_IVL, 1000);
        set(socket, ZMQ_HEARTBEAT_TIMEOUT, 3000);
    }
}

void *sockets_open(void)
{
    return zmq_ctx_new();
}

void sockets_close(void **zmq)
{
    if (*zmq)
        (void)zmq_ctx_term(*zmq);
    *zmq = NULL;
}

bool endpoint_answers(const char *endpoint)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strncmp(endpoint, "ipc://", 6) != 0 || strlen(endpoint + 6) >= sizeof address.sun_path)
        return false;
    strcpy(address.sun_path, endpoint + 6);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool answered = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    (void)close(fd);
    return answered;
}

int socket_open(void *zmq, enum socket_role role, const char *endpoint, void **out, char *error,
                size_t error_cap)
{
    const struct role *r = &roles[role];
    /* libzmq unlinks an existing ipc path before it binds, whoever listens there. */
    if (r->binds && endpoint_answers(endpoint)) {
        (void)snprintf(error, error_cap, "%s: another process listens there already", endpoint);
        return E_BUSY;
    }
    void *socket = zmq_socket(zmq, r->type);
    if (socket) {
        set_options(socket, r, endpoint);
        if ((r->binds ? zmq_bind(socket, endpoint) : zmq_connect(socket, endpoint)) == 0) {
            *out = socket;
            return OK;
        }
    }
    (void)snprintf(error, error_cap, "%s: cannot %s: %s", endpoint, r->binds ? "bind" : "connect",
                   zmq_strerror(errno));
    if (socket)
        (void)zmq_close(socket);
    return E_IO;
}

void socket_close(void **socket)
{
    if (*socket)
        (void)zmq_close(*socket);
    *socket = NULL;
}

void endpoint_make(const char *service, const char *socket, char out[ENDPOINT_MAX])
{
    (void)snprintf(out, ENDPOINT_MAX, "ipc://sock/%s.%s", service, socket);
}

int socket_subscribe(void *socket, const char *prefix)
{
    return zmq_setsockopt(socket, ZMQ_SUBSCRIBE, prefix, strlen(prefix)) == 0 ? OK : E_IO;
}

int socket_unsubscribe(void *socket, const char *prefix)
{
    return zmq_setsockopt(socket, ZMQ_UNSUBSCRIBE, prefix, strlen(prefix)) == 0 ? OK : E_IO;
}

/* The last few, without repetitions; when there are too many, any. One thread. */
enum { SENT_ON_MAX = 8 };
static const void *sent_on[SENT_ON_MAX];
static int n_sent_on;

static void note_sent(const void *socket)
{
    for (int i = 0; i < n_sent_on && i < SENT_ON_MAX; i++)
        if (sent_on[i] == socket)
            return;
    if (n_sent_on < SENT_ON_MAX)
        sent_on[n_sent_on] = socket;
    if (n_sent_on <= SENT_ON_MAX)
        n_sent_on++;
}

bool socket_sent_on(const void *socket)
{
    bool found = n_sent_on > SENT_ON_MAX;
    for (int i = 0; i < n_sent_on && !found; i++)
        found = sent_on[i] == socket;
    return found;
}

void sockets_sent_forget(void)
{
    n_sent_on = 0;
}

int socket_send(void *socket, const void *bytes, size_t len, bool more)
{
    enum stage before = probe_stage(STAGE_TRANSPORT);
    note_sent(socket);
    bool sent = zmq_send(socket, bytes, len, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) >= 0;
    probe_back(before);
    probe.messages_out += sent && !more;
    if (sent)
        return OK;
    return errno == EAGAIN || errno == EHOSTUNREACH ? E_AGAIN : E_IO;
}

int inbox_open(struct inbox *in)
{
    memset(in, 0, sizeof *in);
    in->frame = malloc(sizeof(zmq_msg_t));
    if (!in->frame)
        return E_FULL;
    (void)zmq_msg_init(in->frame);
    return OK;
}

void inbox_close(struct inbox *in)
{
    if (in->frame) {
        (void)zmq_msg_close(in->frame);
        free(in->frame);
    }
    memset(in, 0, sizeof *in);
}

int inbox_take(struct inbox *in, void *socket)
{
    in->more = false;
    enum stage before = probe_stage(STAGE_TRANSPORT);
    int taken = zmq_msg_recv(in->frame, socket, ZMQ_DONTWAIT);
    probe_back(before);
    if (taken < 0)
        return errno == EAGAIN || errno == EINTR ? E_AGAIN : E_IO;
    in->bytes = zmq_msg_data(in->frame);
    in->len = zmq_msg_size(in->frame);
    in->more = zmq_msg_more(in->frame) != 0;
    probe.messages_in += !in->more;
    return OK;
}

void inbox_skip(struct inbox *in, void *socket)
{
    while (in->more && inbox_take(in, socket) == OK)
        continue;
}
