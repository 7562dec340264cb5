/* What the parts of a struct net know of each other. */
#ifndef SLUICE_NET_INSIDE_H
#define SLUICE_NET_INSIDE_H

#include <curl/curl.h>
#include <libwebsockets.h>
#include <netdb.h>
#include <uv.h>

#include "lib/net/net.h"
#include "lib/net/server.h"

enum { NET_PULSE_MS = 1000 };

struct request;
struct lookup;

struct net {
    uv_loop_t loop;
    struct lws_context *lws; /* NULL again when it has gone to the end */
    struct lws_vhost *client;
    CURLM *curl;
    uv_timer_t curl_timer;
    uv_timer_t pulse; /* looks once a second for what came on a connection without being a message */
    struct websocket *sockets;
    struct request *requests;
    struct server *servers;
    int last_request;
    char *ca_file;
    /* Something was changed that libuv tells its descriptor of only when it runs again. */
    bool touched;
    bool closing;
};

/* ---- messages that wait to be sent, of either side ----------------------------------------------------- */

struct outgoing {
    struct outgoing *next;
    size_t len;
    enum lws_write_protocol kind;
    unsigned char space[LWS_PRE]; /* libwebsockets writes the frame's head here; the text follows */
};

struct outbox {
    struct outgoing *first, **end;
    size_t bytes;
};

/* Writes a close frame. (libwebsockets' own is not sent where it is asked for from a writeable callback.) */
int say_goodbye(struct lws *wsi, int code);

void outgoing_clear(struct outbox *self);
int outgoing_add(struct outbox *self, enum lws_write_protocol kind, const char *text, size_t len, size_t limit);
/* From a writeable callback: as much as the socket takes. E_IO: the connection is broken. */
int outgoing_write(struct outbox *self, struct lws *wsi);

/* ---- messages whose fragments come one by one ----------------------------------------------------------- */

struct inbox {
    char *text;
    size_t len, cap;
};

void incoming_clear(struct inbox *self);
/* 1: text and len are now a whole message, NUL-terminated; 0: more is to come; E_RANGE: longer than
 * WEBSOCKET_MESSAGE_MAX; E_FULL: out of memory. They are valid until the next call. */
int incoming_take(struct inbox *self, struct lws *wsi, const char *in, size_t len, const char **text, size_t *text_len);

/* ---- names ----------------------------------------------------------------------------------------------- */

/* found: NULL where the name has no address, words say why. Not called after lookup_cancel. */
typedef void lookup_done(void *ctx, const struct addrinfo *found, const char *words);
struct lookup *lookup_begin(struct net *net, const char *host, lookup_done *done, void *ctx);
void lookup_cancel(struct lookup **self);

struct address {
    bool tls;
    char host[256]; /* without the brackets of an IPv6 address */
    int port;
    const char *path; /* within the url; "" where it has none */
};

/* false: not plain://host[:port][/path] or tls://..., or a character that may not be in a url. */
bool address_read(const char *url, const char *plain, const char *tls, struct address *out);

/* A peer's number: digits only; anything else, and what is out of bounds, is 0. */
int retry_after_read(const char *text, size_t len);

/* Cuts a connection off at the next turn. (Of a timeout set outside of libwebsockets' own turns libuv learns only when
 * something else happens: so this makes something happen.) */
void cut_off(struct net *net, struct lws *wsi, int in_s);

/* ---- the parts ------------------------------------------------------------------------------------------- */

extern const lws_retry_bo_t no_idle_pings; /* keep-alive is the caller's */
extern const struct lws_protocols websocket_protocols[];

void websockets_pulse(struct net *net);
void websockets_abandon(struct net *net);
int requests_begin(struct net *net);
void requests_abandon(struct net *net);
void servers_abandon(struct net *net);
void servers_pulse(struct net *net);

#endif
