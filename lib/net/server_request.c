/* HTTP requests of a server: each is one GET that waits for its answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/net/serving.h"

enum { BODY_CHUNK = 64 * 1024 };

struct server_request {
    struct connection *connection;
    char *head;
    unsigned char *body; /* LWS_PRE bytes, then the body */
    size_t head_len, len, sent;
    bool answered;
};

int request_new(struct connection *connection, const char *target)
{
    struct server *server = connection->server;
    struct server_request *self = calloc(1, sizeof *self);
    if (self == NULL)
        return E_FULL;
    self->connection = connection;
    connection->request = self;
    lws_set_timeout(connection->wsi, NO_PENDING_TIMEOUT, 0); /* its answer comes when it comes */
    server->events.request(server->events.ctx, self, target);
    return OK;
}

static void forget(struct server_request *self)
{
    self->connection->request = NULL;
    free(self->head);
    free(self->body);
    free(self);
}

void request_gone(struct server_request *self)
{
    struct server *server = self->connection->server;
    bool answered = self->answered;
    self->answered = true;
    if (!answered && !server->closing && server->events.request_gone != NULL)
        server->events.request_gone(server->events.ctx, self);
    forget(self);
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
        cut_off(request->connection->server->net, request->connection->wsi, 0);
        return;
    }
    if (len > 0)
        memcpy(request->body + LWS_PRE, body, len);
    request->head_len = (size_t)head_len;
    request->len = len;
    request->connection->server->net->touched = true;
    lws_callback_on_writable(request->connection->wsi);
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

int request_may_write(struct server_request *self, struct lws *wsi)
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
    forget(self);
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

int refuse(struct lws *wsi, int status, int retry_after_s)
{
    char head[160], retry[40] = "";
    if (retry_after_s > 0)
        (void)snprintf(retry, sizeof retry, "Retry-After: %d\r\n", retry_after_s);
    int len = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\n%s\r\n", status,
                       reason_of(status), retry);
    return write_head(wsi, head, (size_t)len);
}
