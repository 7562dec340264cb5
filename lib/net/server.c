/* The server: a listening socket of its own, and a vhost of libwebsockets that adopts what it accepts. (A listener of
 * libwebsockets could not be closed before everything is.) */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/net/serving.h"

enum { BACKLOG = 128, ACCEPTS_A_TURN = 16, RECEIVE_MAX = 16 * 1024 };

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

/* 0 lets the upgrade go on, 1 has answered, -1 hangs up. */
static int asks_upgrade(struct connection *self, const char *to)
{
    char path[TARGET_MAX];
    if (to == NULL || strcasecmp(to, "websocket") != 0 || !target_read(self->wsi, path))
        return -1;
    struct server_events *events = &self->server->events;
    int retry_after_s = 0;
    int status = events->admit != NULL ? events->admit(events->ctx, path, &retry_after_s) : 0;
    if (status != 0)
        return refuse(self->wsi, status, retry_after_s) == 0 ? 1 : -1;
    return peer_new(self, path) == OK ? 0 : -1;
}

static int requested(struct connection *self)
{
    char target[TARGET_MAX];
    int refused_with = self->server->events.request == NULL ? 404 : target_read(self->wsi, target) ? 0 : 405;
    if (refused_with == 0)
        return request_new(self, target) == OK ? 0 : -1;
    return refuse(self->wsi, refused_with, 0) == 0 && !lws_http_transaction_completed(self->wsi) ? 0 : -1;
}

/* ---- connections --------------------------------------------------------------------------------------- */

static void carries_nothing(struct connection *self)
{
    if (self->peer != NULL)
        peer_gone(self->peer);
    if (self->request != NULL)
        request_gone(self->request);
}

static int connection_new(struct server *server, struct lws *wsi)
{
    struct connection *self = calloc(1, sizeof *self);
    if (self == NULL)
        return -1;
    self->server = server;
    self->wsi = wsi;
    self->next = server->connections;
    self->place = &server->connections;
    if (self->next != NULL)
        self->next->place = &self->next;
    server->connections = self;
    lws_set_opaque_user_data(wsi, self);
    return 0;
}

static void connection_free(struct connection *self)
{
    carries_nothing(self);
    *self->place = self->next;
    if (self->next != NULL)
        self->next->place = self->place;
    lws_set_opaque_user_data(self->wsi, NULL);
    free(self);
}

static int happened(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    (void)user;
    struct lws_vhost *vhost = wsi != NULL ? lws_get_vhost(wsi) : NULL;
    struct server *server = vhost != NULL ? lws_vhost_user(vhost) : NULL;
    if (server == NULL)
        return 0;
    server->net->touched = true;
    if (reason == LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED)
        return connection_new(server, wsi);
    struct connection *self = lws_get_opaque_user_data(wsi);
    switch (reason) {
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return self != NULL && self->peer == NULL && self->request == NULL && !server->closing
                   ? asks_upgrade(self, in)
                   : -1;
    case LWS_CALLBACK_HTTP:
        return self != NULL && self->peer == NULL && self->request == NULL && !server->closing
                   ? requested(self)
                   : -1;
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return self != NULL && self->request != NULL ? request_may_write(self->request, wsi) : 0;
    case LWS_CALLBACK_ESTABLISHED:
        if (self == NULL || self->peer == NULL || server->closing)
            return -1;
        peer_opened(self->peer);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        return self != NULL && self->peer != NULL ? peer_took(self->peer, wsi, in, len) : -1;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return self != NULL && self->peer != NULL ? peer_may_write(self->peer, wsi) : -1;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return self != NULL && self->peer != NULL && peer_is_parting(self->peer) ? -1 : 0;
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_CLOSED_HTTP:
        if (self != NULL)
            carries_nothing(self);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        if (self != NULL)
            connection_free(self);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "server", .callback = happened, .rx_buffer_size = RECEIVE_MAX},
    {.name = NULL},
};

/* ---- listening ------------------------------------------------------------------------------------------ */

static void knocked(uv_poll_t *listener, int status, int events)
{
    (void)status;
    (void)events;
    struct server *self = listener->data;
    self->net->touched = true;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(self->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        (void)lws_adopt_socket_vhost(self->vhost, fd); /* closes it where it cannot */
    }
}

static int listen_at(struct server *self, const char *address, int port)
{
    struct sockaddr_storage at = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&at;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&at;
    socklen_t size = sizeof *v4;
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
    } else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        size = sizeof *v6;
    } else {
        errno = EINVAL;
        return E_IO;
    }
    int yes = 1;
    self->fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (self->fd < 0 || setsockopt(self->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(self->fd, (struct sockaddr *)&at, size) != 0 || listen(self->fd, BACKLOG) != 0)
        return E_IO;
    size = sizeof at;
    if (getsockname(self->fd, (struct sockaddr *)&at, &size) != 0)
        return E_IO;
    self->port = ntohs(at.ss_family == AF_INET ? v4->sin_port : v6->sin6_port);
    self->listener = calloc(1, sizeof *self->listener);
    if (self->listener == NULL || uv_poll_init(&self->net->loop, self->listener, self->fd) != 0) {
        free(self->listener);
        self->listener = NULL;
        return E_IO;
    }
    self->listener->data = self;
    return uv_poll_start(self->listener, UV_READABLE, knocked) == 0 ? OK : E_IO;
}

static void listener_closed(uv_handle_t *handle)
{
    free(handle);
}

static void stop_listening(struct server *self)
{
    if (self->listener != NULL)
        uv_close((uv_handle_t *)self->listener, listener_closed);
    self->listener = NULL;
    if (self->fd >= 0)
        (void)close(self->fd);
    self->fd = -1;
}

/* ---- the whole ------------------------------------------------------------------------------------------ */

static void vhost_ended(struct lws_vhost *vhost, void *ctx)
{
    (void)vhost;
    struct server *self = ctx;
    *self->place = self->next;
    if (self->next != NULL)
        self->next->place = self->place;
    free(self);
}

static int vhost_begin(struct server *self, const struct server_options *options)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .vhost_name = "server",
        .user = self,
        .http_proxy_address = "",
        .alpn = "http/1.1",
        .options = options->certificate != NULL ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0,
        .ssl_cert_filepath = options->certificate,
        .ssl_private_key_filepath = options->key,
        .keepalive_timeout = 60,
        .timeout_secs = 15,
        .retry_and_idle_policy = &no_idle_pings,
        .finalize = vhost_ended,
        .finalize_arg = self,
    };
    struct lws_vhost *vhost = lws_create_vhost(self->net->lws, &info);
    if (vhost == NULL)
        return E_IO;
    self->vhost = vhost;
    return OK;
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
    self->net = net;
    self->events = *events;
    self->next = net->servers;
    self->place = &net->servers;
    if (self->next != NULL)
        self->next->place = &self->next;
    net->servers = self;
    net->touched = true;
    self->fd = -1;
    if (vhost_begin(self, options) != OK) { /* and so it is freed */
        (void)snprintf(error, error_cap, "certificate \"%s\", key \"%s\": expected a pair in PEM files",
                       options->certificate != NULL ? options->certificate : "",
                       options->key != NULL ? options->key : "");
        return E_IO;
    }
    if (listen_at(self, address, options->port) != OK) {
        (void)snprintf(error, error_cap, "cannot listen on %s port %d: %s", address, options->port,
                       strerror(errno));
        server_close(&self);
        return E_IO;
    }
    *out = self;
    return OK;
}

int server_port(const struct server *self)
{
    return self->port;
}

static void quiet(struct server *self)
{
    if (self->closing)
        return;
    self->closing = true;
    self->net->touched = true;
    stop_listening(self);
    for (struct connection *connection = self->connections; connection != NULL;
         connection = connection->next) {
        carries_nothing(connection);
        cut_off(self->net, connection->wsi, 0);
    }
}

void server_close(struct server **self)
{
    struct server *server = *self;
    *self = NULL;
    if (server != NULL)
        quiet(server);
}

/* While a request waits for its answer libwebsockets does not read, and so does not see its client leave. */
static void look_who_left(struct server *self)
{
    for (struct connection *connection = self->connections; connection != NULL;
         connection = connection->next) {
        struct pollfd left = {.fd = lws_get_socket_fd(connection->wsi), .events = POLLRDHUP};
        if (connection->request != NULL && poll(&left, 1, 0) > 0)
            cut_off(self->net, connection->wsi, 0);
    }
}

void servers_pulse(struct net *net)
{
    for (struct server *self = net->servers, *next; self != NULL; self = next) {
        next = self->next;
        look_who_left(self);
        if (self->closing && self->connections == NULL)
            lws_vhost_destroy(self->vhost);
    }
}

void servers_abandon(struct net *net)
{
    for (struct server *self = net->servers; self != NULL; self = self->next)
        quiet(self);
}
