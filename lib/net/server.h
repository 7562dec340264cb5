/* A WebSocket and HTTP server on a struct net, for the venue emulator and for tests. Loopback by default. */
#ifndef SLUICE_NET_SERVER_H
#define SLUICE_NET_SERVER_H

#include "lib/net/net.h"

struct server;
struct server_peer;    /* one WebSocket client */
struct server_request; /* one HTTP request that waits for its answer */

struct server_events {
    void *ctx;
    /* Paths and queries come percent-decoded. Any of these may be NULL.
     *
     * A client asks for an upgrade of this path with query. 0 admits it, else this HTTP status is the answer
     * (retry_after_s above 0 adds the header). */
    int (*admit)(void *ctx, const char *path, int *retry_after_s);
    void (*opened)(void *ctx, struct server_peer *peer, const char *path);
    void (*message)(void *ctx, struct server_peer *peer, const char *text, size_t len, bool binary);
    void (*closed)(void *ctx, struct server_peer *peer); /* peer is gone after the call */
    /* A GET. Answered by server_answer, now or later; other methods are answered 405. */
    void (*request)(void *ctx, struct server_request *request, const char *path_and_query);
    void (*request_gone)(void *ctx, struct server_request *request); /* the client hung up before the answer */
};

struct server_options {
    const char *address; /* a number, IPv4 or IPv6; NULL = 127.0.0.1 */
    int port;            /* 0 = any free one */
    const char *certificate, *key; /* PEM files; NULL = no TLS */
};

/* E_IO with words in error: the port is taken, the certificate cannot be read. */
int server_open(struct net *net, const struct server_options *options, const struct server_events *events,
                struct server **out, char *error, size_t error_cap);
void server_close(struct server **self); /* its port is free at once; its connections end, without an event */
int server_port(const struct server *self);

int server_send(struct server_peer *peer, const char *text, size_t len, bool binary); /* E_FULL: 64 MB wait */
size_t server_waiting(const struct server_peer *peer); /* bytes that wait to be sent */
int server_ping(struct server_peer *peer, const char *payload, size_t len);           /* at most 125 bytes */
/* Ends the connection: with a close frame behind what waits to be sent, or (abrupt) by a reset. The closed event comes;
 * within three seconds of the goodbye also where the client is deaf. */
void server_drop(struct server_peer *peer, bool abrupt);
/* Reads nothing and answers nothing any more, not even pings, but keeps the connection: half open. */
void server_freeze(struct server_peer *peer);
void *server_peer_data(const struct server_peer *peer);
void server_peer_set_data(struct server_peer *peer, void *data);

/* request is gone after the call. headers: "Name: value\r\n" lines, "" for none. The body is copied. */
void server_answer(struct server_request *request, int status, const char *content_type, const char *headers,
                   const char *body, size_t len);

#endif
