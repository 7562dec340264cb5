/* A server's WebSocket peers, and what the tests of a client do to them. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/net/serving.h"

enum { PEER_SEND_MAX = 64 * 1024 * 1024, PEER_PING_MAX = 125, PARTING_S = 3 };

struct server_peer {
    struct connection *connection;
    void *data;
    char *path;
    bool open, frozen, dropping, abrupt;
    struct inbox in;
    struct outbox out;
};

int peer_new(struct connection *connection, const char *path)
{
    struct server_peer *self = calloc(1, sizeof *self);
    if (self == NULL)
        return E_FULL;
    self->connection = connection;
    self->path = strdup(path);
    outgoing_clear(&self->out);
    connection->peer = self;
    if (self->path != NULL)
        return OK;
    peer_gone(self);
    return E_FULL;
}

void peer_opened(struct server_peer *self)
{
    struct server *server = self->connection->server;
    self->open = true;
    if (server->events.opened != NULL)
        server->events.opened(server->events.ctx, self, self->path);
}

void peer_gone(struct server_peer *self)
{
    struct server *server = self->connection->server;
    self->connection->peer = NULL;
    self->dropping = true;
    if (self->open && !server->closing && server->events.closed != NULL)
        server->events.closed(server->events.ctx, self);
    incoming_clear(&self->in);
    outgoing_clear(&self->out);
    free(self->path);
    free(self);
}

bool peer_is_parting(const struct server_peer *self)
{
    return self->dropping;
}

static int enqueue(struct server_peer *self, enum lws_write_protocol kind, const char *text, size_t len)
{
    if (!self->open || self->dropping)
        return E_STATE;
    int status = outgoing_add(&self->out, kind, text, len, PEER_SEND_MAX);
    if (status == OK && !self->frozen) {
        lws_callback_on_writable(self->connection->wsi);
        self->connection->server->net->touched = true;
    }
    return status;
}

int server_send(struct server_peer *peer, const char *text, size_t len, bool binary)
{
    return enqueue(peer, binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT, text, len);
}

size_t server_waiting(const struct server_peer *peer)
{
    return peer->out.bytes;
}

int server_ping(struct server_peer *peer, const char *payload, size_t len)
{
    return len > PEER_PING_MAX ? E_RANGE : enqueue(peer, LWS_WRITE_PING, payload, len);
}

void server_drop(struct server_peer *peer, bool abrupt)
{
    if (peer->dropping)
        return;
    peer->dropping = true;
    peer->abrupt = abrupt;
    peer->connection->server->net->touched = true;
    if (abrupt) {
        /* Closing a socket that does not linger resets the connection: nothing more is sent, not even a goodbye. */
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(lws_get_socket_fd(peer->connection->wsi), SOL_SOCKET, SO_LINGER, &at_once,
                         sizeof at_once);
        cut_off(peer->connection->server->net, peer->connection->wsi, 0);
    } else {
        lws_callback_on_writable(peer->connection->wsi);
    }
}

void server_freeze(struct server_peer *peer)
{
    peer->frozen = true;
    peer->connection->server->net->touched = true;
    (void)lws_rx_flow_control(peer->connection->wsi, 0);
}

void *server_peer_data(const struct server_peer *peer)
{
    return peer->data;
}

void server_peer_set_data(struct server_peer *peer, void *data)
{
    peer->data = data;
}

int peer_took(struct server_peer *self, struct lws *wsi, char *in, size_t len)
{
    const char *text;
    size_t text_len;
    if (self->frozen || self->dropping)
        return 0;
    int status = incoming_take(&self->in, wsi, in, len, &text, &text_len);
    if (status < 0) {
        (void)say_goodbye(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE);
        return -1;
    }
    if (status == 1 && self->connection->server->events.message != NULL)
        self->connection->server->events.message(self->connection->server->events.ctx, self, text, text_len,
                                                 lws_frame_is_binary(wsi) != 0);
    return 0;
}

int peer_may_write(struct server_peer *self, struct lws *wsi)
{
    if (self->frozen)
        return 0;
    if (outgoing_write(&self->out, wsi) != OK)
        return -1;
    if (!self->dropping || self->abrupt || self->out.first != NULL)
        return 0;
    /* The other side closes when it has read all of it, which is when it answers; but it may be deaf. */
    cut_off(self->connection->server->net, wsi, PARTING_S);
    self->abrupt = true;
    return say_goodbye(wsi, LWS_CLOSE_STATUS_NORMAL);
}
