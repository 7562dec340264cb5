/* WebSocket and HTTP over TCP or TLS, as a client and (for the venue emulator) as a server, without ever blocking:
 * everything is driven from one descriptor that the caller's loop waits on.
 *
 * libwebsockets carries WebSockets and the server, libcurl the client's HTTP; both stand on one libuv loop, which
 * also resolves names. Callbacks fire inside net_run only. A callback may call anything here but net_close.
 *
 *     loop_source(loop, NULL, net_fd(net), true, drain, net);    drain: net_run(net)
 *     before each wait: loop_wake_in(loop, net_wait_ns(net));
 */
#ifndef SLUICE_NET_NET_H
#define SLUICE_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/status.h"

struct net;

struct net_options {
    const char *ca_file; /* PEM of the authorities that servers' certificates are checked against; NULL = the system's */
};

/* E_IO, E_FULL (out of memory), with words in error. */
int net_open(const struct net_options *options, struct net **out, char *error, size_t error_cap);
void net_close(struct net **self); /* ends every connection, without a callback */

int net_fd(const struct net *self);          /* readable when net_run has work */
int64_t net_wait_ns(struct net *self); /* until its next timer is due; INT64_MAX: none */
void net_run(struct net *self);              /* does what is due and returns */

/* ---- WebSocket, client ------------------------------------------------------------------------------- */

struct websocket;

struct websocket_events {
    void *ctx;
    void (*opened)(void *ctx, struct websocket *ws);
    /* A whole message: fragments were joined. text is followed by a NUL that len does not count. */
    void (*message)(void *ctx, struct websocket *ws, const char *text, size_t len, bool binary);
    void (*heard)(void *ctx, struct websocket *ws); /* a ping or pong frame came; may be NULL */
    /* It could not be opened, or has ended; ws is gone after the call. why: words, for the log. http_status: what the
     * server answered instead of an upgrade (429, 418, 503, ...), 0 where it gave no such answer; retry_after_s: what it
     * asked for then, 0 = nothing. */
    void (*closed)(void *ctx, struct websocket *ws, const char *why, int http_status, int retry_after_s);
};

/* Longest message that is taken; a longer one closes the connection. Grows with need: no room is held before. */
enum { WEBSOCKET_MESSAGE_MAX = 32 * 1024 * 1024, WEBSOCKET_SEND_MAX = 256 * 1024 };

/* Begins to connect to ws://host[:port]/path or wss://...; TLS with SNI, the certificate checked; no Origin header is
 * sent. Pings of the server are answered. The outcome is always told by an event, later. NULL: url is of another form, or
 * out of memory. */
struct websocket *websocket_connect(struct net *net, const char *url, const struct websocket_events *events);
int websocket_send(struct websocket *ws, const char *text, size_t len, bool binary); /* E_FULL: over SEND_MAX waits */
int websocket_ping(struct websocket *ws);
void websocket_close(struct websocket **ws); /* says goodbye; no event comes any more */

/* ---- HTTP, client ------------------------------------------------------------------------------------ */

struct http_answer {
    int status;      /* 0: no answer came, `words` says why */
    const char *words;
    const char *body; /* NUL-terminated, decompressed */
    size_t len;
    int retry_after_s; /* 0 = not said */
    int64_t used_weight; /* X-MBX-USED-WEIGHT-1M; -1 = not said */
};

/* GET. The answer comes by the callback, once. Returns a number above 0 that names the request, or E_FULL. */
int http_get(struct net *net, const char *url, int64_t timeout_ns,
             void (*answered)(void *ctx, int request, const struct http_answer *answer), void *ctx);
void http_cancel(struct net *net, int request); /* no callback comes any more; unknown numbers are nothing */

#endif
