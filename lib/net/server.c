/* The server: a vhost of libwebsockets. What a connection carries at a time, a WebSocket peer or a request, is its
 * opaque pointer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/net/inside.h"

enum { TARGET_MAX = 8192, PEER_SEND_MAX = 64 * 1024 * 1024, RECEIVE_MAX = 16 * 1024, BODY_CHUNK = 64 * 1024 };

/* One of the two, by what it begins with. */
enum carried { PEER, REQUEST };

struct server_peer {
    enum carried carried;
    struct server *server;
    struct server_peer *next, **place;
    struct lws *wsi;
    void *data;
    char *path;
    bool open, frozen, dropping, abrupt;
    struct inbox in;
    struct outbox out;
};

struct server_request {
    enum carried carried;
    struct server *server;
    struct server_request *next, **place;
    struct lws *wsi;
    char *head;
    unsigned char *body; /* LWS_PRE bytes, then the body */
    size_t head_len, len, sent;
    bool answered;
};

struct server {
    struct net *net;
    struct server *next, **place;
    struct lws_vhost *vhost;
    struct server_events events;
    struct server_peer *peers;
    struct server_request *requests;
    bool closing;
};

/* ---- peers -------------------------------------------------------------------------------------------- */

static void peer_forget(struct server_peer *self)
{
    *self->place = self->next;
    if (self->next != NULL)
        self->next->place = self->place;
    if (self->wsi != NULL)
        lws_set_opaque_user_data(self->wsi, NULL);
    inbox_clear(&self->in);
    outbox_clear(&self->out);
    free(self->path);
    free(self);
}

static struct server_peer *peer_new(struct server *server, struct lws *wsi, const char *path)
{
    struct server_peer *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->carried = PEER;
    self->server = server;
    self->wsi = wsi;
    self->path = strdup(path);
    outbox_clear(&self->out);
    self->next = server->peers;
    self->place = &server->peers;
    if (self->next != NULL)
        self->next->place = &self->next;
    server->peers = self;
    lws_set_opaque_user_data(wsi, self);
    if (self->path == NULL) {
        peer_forget(self);
        return NULL;
    }
    return self;
}

static void peer_gone(struct server_peer *self)
{
    struct server *server = self->server;
    if (self->open && !server->closing && server->events.closed != NULL)
        server->events.closed(server->events.ctx, self);
    peer_forget(self);
}

static int enqueue(struct server_peer *self, enum lws_write_protocol kind, const char *text, size_t len)
{
    if (!self->open || self->dropping)
        return E_STATE;
    int status = outbox_add(&self->out, kind, text, len, PEER_SEND_MAX);
    if (status == OK && !self->frozen) {
        lws_callback_on_writable(self->wsi);
        self->server->net->touched = true;
    }
    return status;
}

int server_send(struct server_peer *peer, const char *text, size_t len, bool binary)
{
    return enqueue(peer, binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT, text, len);
}

int server_ping(struct server_peer *peer, const char *payload, size_t len)
{
    return len > 125 ? E_RANGE : enqueue(peer, LWS_WRITE_PING, payload, len);
}

void server_drop(struct server_peer *peer, bool abrupt)
{
    if (peer->dropping)
        return;
    peer->dropping = true;
    peer->abrupt = abrupt;
    peer->server->net->touched = true;
    if (abrupt) {
        /* Closing a socket that does not linger resets the connection: nothing more is sent, not even a goodbye. */
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(lws_get_socket_fd(peer->wsi), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        lws_set_timeout(peer->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    } else {
        lws_callback_on_writable(peer->wsi);
    }
}

void server_freeze(struct server_peer *peer)
{
    peer->frozen = true;
    peer->server->net->touched = true;
    (void)lws_rx_flow_control(peer->wsi, 0);
}

void *server_peer_data(const struct server_peer *peer)
{
    return peer->data;
}

void server_peer_set_data(struct server_peer *peer, void *data)
{
    peer->data = data;
}

static int peer_took(struct server_peer *self, struct lws *wsi, char *in, size_t len)
{
    const char *text;
    size_t text_len;
    if (self->frozen || self->dropping)
        return 0;
    int status = inbox_take(&self->in, wsi, in, len, &text, &text_len);
    if (status < 0) {
        lws_close_reason(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, NULL, 0);
        return -1;
    }
    if (status == 1 && self->server->events.message != NULL)
        self->server->events.message(self->server->events.ctx, self, text, text_len,
                                     lws_frame_is_binary(wsi) != 0);
    return 0;
}

static int peer_may_write(struct server_peer *self, struct lws *wsi)
{
    if (self->frozen)
        return 0;
    if (outbox_write(&self->out, wsi) != OK)
        return -1;
    if (!self->dropping || self->abrupt || self->out.first != NULL)
        return 0;
    lws_close_reason(wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
    return -1;
}

/* ---- requests ----------------------------------------------------------------------------------------- */

static void request_forget(struct server_request *self)
{
    *self->place = self->next;
    if (self->next != NULL)
        self->next->place = self->place;
    if (self->wsi != NULL)
        lws_set_opaque_user_data(self->wsi, NULL);
    free(self->head);
    free(self->body);
    free(self);
}

static void request_gone(struct server_request *self)
{
    struct server *server = self->server;
    if (!self->answered && !server->closing && server->events.request_gone != NULL)
        server->events.request_gone(server->events.ctx, self);
    request_forget(self);
}

static const char *reason_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 404:
        return "Not Found";
    case 418:
        return "I'm a teapot";
    case 429:
        return "Too Many Requests";
    case 503:
        return "Service Unavailable";
    default:
        return "Status";
    }
}

void server_answer(struct server_request *request, int status, const char *content_type, const char *headers,
                   const char *body, size_t len)
{
    if (request->answered)
        return;
    int head_len =
        asprintf(&request->head, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n",
                 status, reason_of(status), content_type, len, headers);
    request->body = malloc(LWS_PRE + len + 1);
    request->answered = true;
    if (head_len < 0 || request->body == NULL) {
        request->head = head_len < 0 ? NULL : request->head;
        lws_set_timeout(request->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
        return;
    }
    if (len > 0)
        memcpy(request->body + LWS_PRE, body, len);
    request->head_len = (size_t)head_len;
    request->len = len;
    request->server->net->touched = true;
    lws_callback_on_writable(request->wsi);
}

static int write_head(struct lws *wsi, const char *head, size_t len)
{
    unsigned char *room = malloc(LWS_PRE + len);
    if (room == NULL)
        return -1;
    memcpy(room + LWS_PRE, head, len);
    int written = lws_write(wsi, room + LWS_PRE, len, LWS_WRITE_HTTP_HEADERS);
    free(room);
    return written < 0 ? -1 : 0;
}

static int request_may_write(struct server_request *self, struct lws *wsi)
{
    if (!self->answered || self->body == NULL)
        return 0;
    if (self->head != NULL) {
        if (write_head(wsi, self->head, self->head_len) != 0)
            return -1;
        free(self->head);
        self->head = NULL;
    } else if (self->sent < self->len) {
        /* libwebsockets may write into the bytes before a chunk: those are sent already. */
        size_t left = self->len - self->sent, n = left < BODY_CHUNK ? left : BODY_CHUNK;
        if (lws_write(wsi, self->body + LWS_PRE + self->sent, n,
                      n == left ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
            return -1;
        self->sent += n;
    }
    if (self->sent < self->len) {
        lws_callback_on_writable(wsi);
        return 0;
    }
    request_forget(self);
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* The path, behind it '?' and the query; percent-decoded by libwebsockets. */
static bool target_read(struct lws *wsi, char out[TARGET_MAX])
{
    int at = lws_hdr_copy(wsi, out, TARGET_MAX, WSI_TOKEN_GET_URI);
    if (at <= 0)
        return false;
    for (int i = 0, len; (len = lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, i)) > 0; i++) {
        if (at + len + 2 > TARGET_MAX)
            return false;
        out[at++] = i == 0 ? '?' : '&';
        if (lws_hdr_copy_fragment(wsi, out + at, TARGET_MAX - at, WSI_TOKEN_HTTP_URI_ARGS, i) < 0)
            return false;
        at += len;
    }
    return true;
}

static int refuse(struct lws *wsi, int status, int retry_after_s)
{
    char head[160], retry[40] = "";
    if (retry_after_s > 0)
        (void)snprintf(retry, sizeof retry, "Retry-After: %d\r\n", retry_after_s);
    int len = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\n%s\r\n", status,
                       reason_of(status), retry);
    return write_head(wsi, head, (size_t)len);
}

/* 0 lets the upgrade go on, 1 has answered, -1 hangs up. */
static int asks_upgrade(struct server *self, struct lws *wsi, const char *to)
{
    char path[TARGET_MAX];
    if (to == NULL || strcasecmp(to, "websocket") != 0 || !target_read(wsi, path))
        return -1;
    int retry_after_s = 0;
    int status = self->events.admit != NULL ? self->events.admit(self->events.ctx, path, &retry_after_s) : 0;
    if (status != 0)
        return refuse(wsi, status, retry_after_s) == 0 ? 1 : -1;
    return peer_new(self, wsi, path) != NULL ? 0 : -1;
}

static int requested(struct server *self, struct lws *wsi)
{
    char target[TARGET_MAX];
    if (!target_read(wsi, target) || self->events.request == NULL) {
        int status = self->events.request == NULL ? 404 : 405;
        return refuse(wsi, status, 0) == 0 && !lws_http_transaction_completed(wsi) ? 0 : -1;
    }
    struct server_request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return -1;
    request->carried = REQUEST;
    request->server = self;
    request->wsi = wsi;
    request->next = self->requests;
    request->place = &self->requests;
    if (request->next != NULL)
        request->next->place = &request->next;
    self->requests = request;
    lws_set_opaque_user_data(wsi, request);
    lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0); /* its answer comes when it comes */
    self->events.request(self->events.ctx, request, target);
    return 0;
}

/* ---- what happens on the vhost ------------------------------------------------------------------------- */

static void gone(void *carried)
{
    if (carried != NULL && *(enum carried *)carried == PEER)
        peer_gone(carried);
    else if (carried != NULL)
        request_gone(carried);
}

static int happened(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    (void)user;
    struct lws_vhost *vhost = wsi != NULL ? lws_get_vhost(wsi) : NULL;
    struct server *self = vhost != NULL ? lws_vhost_user(vhost) : NULL;
    if (self == NULL || self->closing)
        return self == NULL ? 0 : -1;
    void *carried = lws_get_opaque_user_data(wsi);
    struct server_peer *peer = carried != NULL && *(enum carried *)carried == PEER ? carried : NULL;
    struct server_request *request = peer == NULL ? carried : NULL;
    self->net->touched = true;
    switch (reason) {
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return carried == NULL ? asks_upgrade(self, wsi, in) : -1;
    case LWS_CALLBACK_HTTP:
        return carried == NULL ? requested(self, wsi) : -1;
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return request != NULL ? request_may_write(request, wsi) : 0;
    case LWS_CALLBACK_ESTABLISHED:
        if (peer == NULL)
            return -1;
        peer->open = true;
        if (self->events.opened != NULL)
            self->events.opened(self->events.ctx, peer, peer->path);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        return peer != NULL ? peer_took(peer, wsi, in, len) : -1;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return peer != NULL ? peer_may_write(peer, wsi) : -1;
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_WSI_DESTROY:
        gone(carried);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "server", .callback = happened, .rx_buffer_size = RECEIVE_MAX},
    {.name = NULL},
};

static void vhost_ended(struct lws_vhost *vhost, void *ctx)
{
    (void)vhost;
    free(ctx);
}

int server_open(struct net *net, const struct server_options *options, const struct server_events *events,
                struct server **out, char *error, size_t error_cap)
{
    *out = NULL;
    const char *address = options->address != NULL ? options->address : "127.0.0.1";
    const char *files[] = {options->certificate, options->key};
    for (int i = 0; i < 2; i++) {
        if (files[i] != NULL && access(files[i], R_OK) != 0) {
            (void)snprintf(error, error_cap, "%s \"%s\": expected a readable PEM file",
                           i == 0 ? "certificate" : "key", files[i]);
            return E_IO;
        }
    }
    struct server *self = calloc(1, sizeof *self);
    if (self == NULL) {
        (void)snprintf(error, error_cap, "no room for a server");
        return E_FULL;
    }
    self->closing = true; /* until it is whole */
    self->net = net;
    self->events = *events;
    struct lws_context_creation_info info = {
        .options = LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND,
        .port = options->port,
        .iface = address,
        .protocols = protocols,
        .vhost_name = "server",
        .user = self,
        .http_proxy_address = "",
        .alpn = "http/1.1",
        .ssl_cert_filepath = options->certificate,
        .ssl_private_key_filepath = options->key,
        .keepalive_timeout = 60,
        .timeout_secs = 15,
        .retry_and_idle_policy = &no_idle_pings,
        .finalize = vhost_ended,
        .finalize_arg = self,
    };
    if (options->certificate != NULL)
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    net->touched = true;
    self->vhost = lws_create_vhost(net->lws, &info);
    if (self->vhost == NULL) {
        (void)snprintf(error, error_cap, "cannot listen on %s port %d%s", address, options->port,
                       options->certificate != NULL ? ", or not with this certificate and key" : "");
        return E_IO;
    }
    self->closing = false;
    self->next = net->servers;
    self->place = &net->servers;
    if (self->next != NULL)
        self->next->place = &self->next;
    net->servers = self;
    *out = self;
    return OK;
}

int server_port(const struct server *self)
{
    return lws_get_vhost_listen_port(self->vhost);
}

/* From here on nobody hears of it; its memory goes with the vhost, whose connections still close. */
static void server_quiet(struct server *self)
{
    self->closing = true;
    while (self->peers != NULL)
        peer_forget(self->peers);
    while (self->requests != NULL)
        request_forget(self->requests);
    *self->place = self->next;
    if (self->next != NULL)
        self->next->place = self->place;
}

void server_close(struct server **self)
{
    struct server *server = *self;
    *self = NULL;
    if (server == NULL)
        return;
    struct lws_vhost *vhost = server->vhost;
    server->net->touched = true;
    server_quiet(server);
    lws_vhost_destroy(vhost);
}

void servers_abandon(struct net *net)
{
    while (net->servers != NULL)
        server_quiet(net->servers);
}
