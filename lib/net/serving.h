/* What the parts of a server know of each other. */
#ifndef SLUICE_NET_SERVING_H
#define SLUICE_NET_SERVING_H

#include "lib/net/inside.h"

enum { TARGET_MAX = 8192 };

/* One accepted socket, from libwebsockets' first word of it to its last; the opaque pointer of its wsi. */
struct connection {
    struct server *server;
    struct connection *next, **place;
    struct lws *wsi;
    struct server_peer *peer;       /* its WebSocket, from the upgrade on */
    struct server_request *request; /* what it waits for an answer to */
};

struct server {
    struct net *net;
    struct server *next, **place;
    struct lws_vhost *vhost;
    struct server_events events;
    struct connection *connections;
    uv_poll_t *listener;
    int fd, port;
    bool closing; /* nobody hears of it any more; it goes when its last connection has */
};

int peer_new(struct connection *connection, const char *path);
void peer_opened(struct server_peer *self);
int peer_took(struct server_peer *self, struct lws *wsi, char *in, size_t len);
int peer_may_write(struct server_peer *self, struct lws *wsi);
bool peer_is_parting(const struct server_peer *self);
void peer_gone(struct server_peer *self);

int request_new(struct connection *connection, const char *target);
int request_may_write(struct server_request *self, struct lws *wsi);
void request_gone(struct server_request *self);
int refuse(struct lws *wsi, int status, int retry_after_s);

#endif
