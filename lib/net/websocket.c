/* WebSocket clients. Each owns its libwebsockets connection (wsi) and is its opaque pointer; when one of the two goes
 * first it clears the other's pointer, so no callback finds what is gone. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/net/inside.h"

enum { TRIES_MAX = 4, PARTING_S = 3, WHY_MAX = 160 };

struct websocket {
    struct net *net;
    struct websocket *next, **place;
    struct websocket_events events;
    struct address to;
    char *path;
    char host[280]; /* the Host header: with the port where it is not the usual one */
    struct lookup *lookup;
    char tries[TRIES_MAX][INET6_ADDRSTRLEN];
    uint32_t n_tries, tried;
    struct lws *wsi;
    bool asked; /* the upgrade was sent: this address answers */
    bool open;
    bool ending; /* closed is being told */
    int http_status, retry_after_s;
    bool told; /* a message came since the last pulse */
    char why[WHY_MAX];
    struct inbox in;
    struct outbox out;
};

static void because(struct websocket *self, const char *words, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len && words[i] != '\0' && n + 1 < sizeof self->why; i++)
        self->why[n++] = words[i] >= ' ' && words[i] < 127 ? words[i] : '?';
    self->why[n] = '\0';
}

static void forget(struct websocket *self)
{
    *self->place = self->next;
    if (self->next != NULL)
        self->next->place = self->place;
    lookup_cancel(&self->lookup);
    if (self->wsi != NULL)
        lws_set_opaque_user_data(self->wsi, NULL);
    self->wsi = NULL;
    incoming_clear(&self->in);
    outgoing_clear(&self->out);
    free(self->path);
    free(self);
}

/* The connection has ended, or could not be made. */
static void end(struct websocket *self, const char *usual_words)
{
    if (self->wsi != NULL)
        lws_set_opaque_user_data(self->wsi, NULL);
    self->wsi = NULL;
    self->net->touched = true;
    char why[WHY_MAX];
    (void)snprintf(why, sizeof why, "%s", self->why[0] != '\0' ? self->why : usual_words);
    struct websocket_events events = self->events;
    int http_status = self->http_status, retry_after_s = self->retry_after_s;
    self->ending = true;
    self->open = false;
    events.closed(events.ctx, self, why, http_status, retry_after_s);
    forget(self);
}

static bool connect_next(struct websocket *self)
{
    while (self->tried < self->n_tries) {
        struct lws_client_connect_info info = {
            .context = self->net->lws,
            .vhost = self->net->client,
            .address = self->tries[self->tried++],
            .port = self->to.port,
            .path = self->path,
            .host = self->host,
            .ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT | LCCSCF_PRIORITIZE_READS |
                              (self->to.tls ? LCCSCF_USE_SSL : 0),
            .local_protocol_name = "websocket",
            .alpn = "http/1.1",
            .opaque_user_data = self,
            .retry_and_idle_policy = &no_idle_pings,
            .pwsi = &self->wsi,
        };
        self->asked = false;
        self->net->touched = true;
        if (lws_client_connect_via_info(&info) != NULL)
            return true;
        self->wsi = NULL;
    }
    return false;
}

static void resolved(void *ctx, const struct addrinfo *list, const char *words)
{
    struct websocket *self = ctx;
    self->lookup = NULL;
    if (list == NULL)
        because(self, words, strlen(words));
    for (; list != NULL && self->n_tries < TRIES_MAX; list = list->ai_next) {
        char *name = self->tries[self->n_tries];
        if (getnameinfo(list->ai_addr, list->ai_addrlen, name, INET6_ADDRSTRLEN, NULL, 0, NI_NUMERICHOST) ==
            0)
            self->n_tries++;
    }
    if (!connect_next(self))
        end(self, "could not begin to connect");
}

struct websocket *websocket_connect(struct net *net, const char *url, const struct websocket_events *events)
{
    struct address to;
    if (!address_read(url, "ws", "wss", &to))
        return NULL;
    struct websocket *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->net = net;
    self->events = *events;
    self->to = to;
    self->path = strdup(to.path[0] != '\0' ? to.path : "/");
    bool usual = to.port == (to.tls ? 443 : 80), v6 = strchr(to.host, ':') != NULL;
    (void)snprintf(self->host, sizeof self->host, usual ? "%s%s%s" : "%s%s%s:%d", v6 ? "[" : "", to.host,
                   v6 ? "]" : "", to.port);
    outgoing_clear(&self->out);
    self->next = net->sockets;
    self->place = &net->sockets;
    if (self->next != NULL)
        self->next->place = &self->next;
    net->sockets = self;
    self->lookup = self->path != NULL ? lookup_begin(net, to.host, resolved, self) : NULL;
    if (self->lookup == NULL) {
        forget(self);
        return NULL;
    }
    return self;
}

static int enqueue(struct websocket *self, enum lws_write_protocol kind, const char *text, size_t len)
{
    if (!self->open)
        return E_STATE;
    int status = outgoing_add(&self->out, kind, text, len, WEBSOCKET_SEND_MAX);
    if (status == OK) {
        lws_callback_on_writable(self->wsi);
        self->net->touched = true;
    }
    return status;
}

int websocket_send(struct websocket *self, const char *text, size_t len, bool binary)
{
    return enqueue(self, binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT, text, len);
}

int websocket_ping(struct websocket *self)
{
    return enqueue(self, LWS_WRITE_PING, "", 0);
}

void websocket_close(struct websocket **ws)
{
    struct websocket *self = *ws;
    *ws = NULL;
    if (self == NULL || self->ending)
        return;
    struct lws *wsi = self->wsi;
    struct net *net = self->net;
    bool open = self->open;
    net->touched = true;
    forget(self);
    if (wsi == NULL)
        return;
    /* Without its websocket the connection closes when it may write, or is cut off when it never may. */
    if (open)
        lws_callback_on_writable(wsi);
    cut_off(net, wsi, open ? PARTING_S : 0);
}

void websockets_abandon(struct net *net)
{
    while (net->sockets != NULL)
        forget(net->sockets);
}

/* libwebsockets answers pings without a word; the kernel knows that something came. */
void websockets_pulse(struct net *net)
{
    for (struct websocket *self = net->sockets, *next; self != NULL; self = next) {
        next = self->next;
        struct tcp_info info;
        socklen_t size = sizeof info;
        if (!self->open || getsockopt(lws_get_socket_fd(self->wsi), IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
            continue;
        bool told = self->told, more = info.tcpi_last_data_recv <= NET_PULSE_MS;
        self->told = false;
        if (more && !told && self->events.heard != NULL)
            self->events.heard(self->events.ctx, self);
    }
}

static int take(struct websocket *self, struct lws *wsi, char *in, size_t len)
{
    const char *text;
    size_t text_len;
    int status = incoming_take(&self->in, wsi, in, len, &text, &text_len);
    if (status < 0) {
        const char *words = status == E_RANGE ? "a message longer than is taken" : "no room for a message";
        because(self, words, strlen(words));
        (void)say_goodbye(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE);
        return -1;
    }
    self->told = true;
    if (status == 1)
        self->events.message(self->events.ctx, self, text, text_len, lws_frame_is_binary(wsi) != 0);
    return 0;
}

static void answered(struct websocket *self, struct lws *wsi)
{
    char text[32];
    self->http_status = (int)lws_http_client_http_response(wsi);
    if (self->http_status == 101)
        self->http_status = 0;
    int len = lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_HTTP_RETRY_AFTER);
    if (len > 0)
        self->retry_after_s = retry_after_read(text, (size_t)len);
    if (self->http_status != 0)
        (void)snprintf(self->why, sizeof self->why, "refused with HTTP status %d", self->http_status);
}

static void peer_closes(struct websocket *self, const unsigned char *in, size_t len)
{
    char words[WHY_MAX];
    if (len < 2)
        (void)snprintf(words, sizeof words, "closed by the server");
    else
        (void)snprintf(words, sizeof words, "closed by the server: %d %.*s", in[0] << 8 | in[1],
                       (int)(len - 2), (const char *)in + 2);
    because(self, words, strlen(words));
}

static int name_ourselves(struct lws *wsi, char **at, size_t room)
{
    static const char agent[] = "sluice";
    return lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_USER_AGENT, (const unsigned char *)agent,
                                        sizeof agent - 1, (unsigned char **)at, (unsigned char *)*at + room);
}

static void failed(struct websocket *self, const char *words, size_t len)
{
    lws_set_opaque_user_data(self->wsi, NULL);
    self->wsi = NULL;
    if (!self->asked && self->why[0] == '\0' && connect_next(self))
        return;
    if (self->why[0] == '\0' && words != NULL)
        because(self, words, len);
    end(self, "could not connect");
}

/* A connection whose websocket was closed while it was open, or was opening. */
static int given_up(struct lws *wsi, enum lws_callback_reasons reason)
{
    switch (reason) {
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        (void)say_goodbye(wsi, LWS_CLOSE_STATUS_NORMAL);
        return -1;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return -1;
    default:
        return 0;
    }
}

static int happened(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    (void)user;
    struct websocket *self = wsi != NULL ? lws_get_opaque_user_data(wsi) : NULL;
    if (self == NULL)
        return given_up(wsi, reason);
    self->net->touched = true;
    switch (reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        self->asked = true;
        return name_ourselves(wsi, in, len);
    case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
        answered(self, wsi);
        break;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        self->open = true;
        self->told = true;
        self->why[0] = '\0';
        self->events.opened(self->events.ctx, self);
        break;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return take(self, wsi, in, len);
    case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
        self->told = true;
        if (self->events.heard != NULL)
            self->events.heard(self->events.ctx, self);
        break;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return outgoing_write(&self->out, wsi) == OK ? 0 : -1;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        peer_closes(self, in, len);
        break;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        failed(self, in, in != NULL ? len : 0);
        break;
    case LWS_CALLBACK_CLIENT_CLOSED:
        end(self, "the connection was lost");
        break;
    case LWS_CALLBACK_WSI_DESTROY:
        end(self, "the connection ended");
        break;
    default:
        break;
    }
    return 0;
}

enum { RECEIVE_MAX = 64 * 1024 };

const struct lws_protocols websocket_protocols[] = {
    {.name = "websocket", .callback = happened, .rx_buffer_size = RECEIVE_MAX},
    {.name = NULL},
};
