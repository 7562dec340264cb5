/* Every kind of socket of the pipeline with its options, in one table: defaults lose data silently. */
#ifndef SLUICE_RUNTIME_SOCKETS_H
#define SLUICE_RUNTIME_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/status.h"

enum socket_role {
    SOCKET_MARKET_PUB, /* XPUB, verbose: each subscription is seen, so the topic's last message can go out */
    SOCKET_MARKET_SUB,
    SOCKET_LEDGER_PUB,
    SOCKET_LEDGER_SUB,
    SOCKET_INTENT_PUSH,
    SOCKET_INTENT_PULL,
    SOCKET_REPLAY_ROUTER,
    SOCKET_REPLAY_DEALER,
    SOCKET_CONTROL_ROUTER,
    SOCKET_CONTROL_DEALER
};

enum { ENDPOINT_MAX = 108 };

/* What all sockets of a process are made in. NULL: out of memory or descriptors. */
void *sockets_open(void);
void sockets_close(void **zmq); /* waits for what is still to be sent, as each role says */

/* A socket of the role with its options, bound (PUB, XPUB, PULL, ROUTER) or connected (the others) to the
 * endpoint. E_IO with words in error. A bind never steals a living process's ipc path: the path is probed
 * first (E_BUSY). */
int socket_open(void *zmq, enum socket_role role, const char *endpoint, void **out, char *error,
                size_t error_cap);
void socket_close(void **socket);

/* Somebody answers at an ipc endpoint; false of other kinds, which cannot be asked. */
bool endpoint_answers(const char *endpoint);

/* Endpoint of a service's socket within the run directory, which is the working directory: relative, so that
 * the length of the directory's path does not matter. "ipc://sock/risk.ledger" */
void endpoint_make(const char *service, const char *socket, char out[ENDPOINT_MAX]);

/* Subscribes a SUB to a prefix. */
int socket_subscribe(void *socket, const char *prefix);
int socket_unsubscribe(void *socket, const char *prefix);

/* Sends one frame, or two; never blocks. E_AGAIN: the high-water mark, or no peer; E_IO. */
int socket_send(void *socket, const void *bytes, size_t len, bool more);

/* Whether something was sent on it since the last call of sockets_sent_forget: sending takes note of what has come, so the
 * socket's descriptor need not tell of that any more. */
bool socket_sent_on(const void *socket);
void sockets_sent_forget(void);

/* One frame, as received. The bytes are valid until the next call on the same inbox. */
struct inbox {
    void *frame; /* a zmq_msg_t */
    const void *bytes;
    size_t len;
    bool more;
};
int inbox_open(struct inbox *in); /* E_FULL */
void inbox_close(struct inbox *in);

/* Takes the next frame without waiting. E_AGAIN when there is none, E_IO. */
int inbox_take(struct inbox *in, void *socket);

/* Takes and drops the rest of a message that has more frames. */
void inbox_skip(struct inbox *in, void *socket);

#endif
