/* WebSocket and HTTP over TCP or TLS, as a client and (for the venue emulator) as a server, without ever blocking:
 * everything is driven from one descriptor that the caller's loop waits on.
 *
 * libwebsockets carries WebSockets and the server, libcurl the client's HTTP; both stand on one libuv loop, which
 * also resolves names. Callbacks fire inside net_run only. A callback may call anything here but net_close.
 * No proxy is used, whatever the environment says. SIGPIPE is ignored from net_open on.
 *
 *     loop_source(loop, NULL, net_fd(net), true, drain, net);    drain: net_run(net)
 *     before each wait: loop_wake_in(loop, net_wait_ns(net));
 *
 * The second line is not for timers alone: what was begun outside of net_run is known to the descriptor only after the
 * next run, and until then the wait is 0.
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
/* Ends every connection, without a callback. A name that is still being asked for is waited for, two seconds at the
 * most. */
void net_close(struct net **self);

int net_fd(const struct net *self);    /* readable when net_run has work */
int64_t net_wait_ns(struct net *self); /* until its next timer is due; INT64_MAX: none */
void net_run(struct net *self);        /* does what is due and returns */

/* ---- WebSocket, client ------------------------------------------------------------------------------- */

struct websocket;

struct websocket_events {
    void *ctx;
    void (*opened)(void *ctx, struct websocket *ws);
    /* A whole message: fragments were joined. text is followed by a NUL that len does not count; it is gone after the
     * call, or when ws is closed within it. Text is not checked to be UTF-8. */
    void (*message)(void *ctx, struct websocket *ws, const char *text, size_t len, bool binary);
    /* Something came that was no message: a pong, at once; a ping or a part of a message, within two seconds. May be
     * NULL. */
    void (*heard)(void *ctx, struct websocket *ws);
    /* It could not be opened, or has ended; ws is gone after the call. why: words, for the log. http_status: what the
     * server answered instead of an upgrade (429, 418, 503, ...), 0 where it gave no such answer; retry_after_s: what it
     * asked for then, 0 = nothing. */
    void (*closed)(void *ctx, struct websocket *ws, const char *why, int http_status, int retry_after_s);
};

/* Longest message that is taken; a longer one closes the connection. Grows with need: no room is held before. */
enum { WEBSOCKET_MESSAGE_MAX = 32 * 1024 * 1024, WEBSOCKET_SEND_MAX = 256 * 1024 };

/* Begins to connect to ws://host[:port]/path or wss://...; TLS with SNI, the certificate checked; no Origin header is
 * sent and no extension offered. Each address of the host is tried, four at most; an upgrade that takes 15 s is given up.
 * Pings of the server are answered; own ones, and giving up on silence, are the caller's. The outcome is always told by
 * an event, later. NULL: url is of another form, or out of memory. */
struct websocket *websocket_connect(struct net *net, const char *url, const struct websocket_events *events);
/* E_FULL: over SEND_MAX waits; E_STATE: it is not open. */
int websocket_send(struct websocket *ws, const char *text, size_t len, bool binary);
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

/* GET of http://... or https://...; redirections are answers, not followed. The answer comes by the callback, once, and
 * is gone after it; its body is at most 64 MB. Returns a number above 0 that names the request, E_SYNTAX (the url), or
 * E_FULL. */
int http_get(struct net *net, const char *url, int64_t timeout_ns,
             void (*answered)(void *ctx, int request, const struct http_answer *answer), void *ctx);
void http_cancel(struct net *net, int request); /* no callback comes any more; unknown numbers are nothing */

#endif
