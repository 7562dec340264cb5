#include "tools/control.h"

#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/runtime/sockets.h"

struct control {
    void *socket;
    struct inbox inbox;
    struct decoder *decoder;
    struct drops drops;
    uint64_t last_id;
    struct message message;
};

int control_open(void *zmq, const char *service, struct control **out)
{
    char endpoint[ENDPOINT_MAX], error[128];
    struct control *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return E_FULL;
    endpoint_make(service, "control", endpoint);
    self->decoder = decoder_new();
    int status = self->decoder ? inbox_open(&self->inbox) : E_FULL;
    if (status == OK)
        status = socket_open(zmq, SOCKET_CONTROL_DEALER, endpoint, &self->socket, error, sizeof error);
    if (status)
        control_close(out);
    return status;
}

void control_close(struct control **self)
{
    struct control *c = *self;
    if (c) {
        int linger = 0;
        if (c->socket)
            (void)zmq_setsockopt(c->socket, ZMQ_LINGER, &linger, sizeof linger);
        socket_close(&c->socket);
        inbox_close(&c->inbox);
        decoder_destroy(&c->decoder);
        free(c);
    }
    *self = NULL;
}

static int send_request(struct control *self, enum control_verb verb, const char *arg, uint64_t number)
{
    unsigned char bytes[512];
    message_init(&self->message, MSG_REQUEST);
    (void)text_set(self->message.env.stream, sizeof self->message.env.stream, "control");
    self->message.request.id = ++self->last_id;
    self->message.request.verb = verb;
    self->message.request.number = number;
    if (!text_set(self->message.request.arg, sizeof self->message.request.arg, arg))
        return E_RANGE;
    size_t len = codec_encode(&self->message, bytes, sizeof bytes);
    return socket_send(self->socket, bytes, len, false);
}

int control_send(struct control *self, enum control_verb verb, const char *arg)
{
    return send_request(self, verb, arg, 0);
}

bool control_take(struct control *self, struct reply *reply)
{
    while (inbox_take(&self->inbox, self->socket) == OK) {
        bool read =
            codec_decode(self->decoder, self->inbox.bytes, self->inbox.len, &self->message, &self->drops);
        inbox_skip(&self->inbox, self->socket);
        if (read && self->message.env.type == MSG_REPLY && self->message.reply.id == self->last_id) {
            *reply = self->message.reply;
            return true;
        }
    }
    return false;
}

void control_wait(struct control *const *controls, int n, int timeout_ms)
{
    zmq_pollitem_t items[CONTROLS_MAX];
    int waited = 0;
    for (int i = 0; i < n && waited < CONTROLS_MAX; i++)
        if (controls[i])
            items[waited++] = (zmq_pollitem_t){controls[i]->socket, 0, ZMQ_POLLIN, 0};
    (void)zmq_poll(items, waited, timeout_ms);
}

static int await_answer(struct control *self, int timeout_ms, struct reply *reply)
{
    int64_t until_ns = clock_mono_ns() + timeout_ms * NS_PER_MS;
    for (;;) {
        if (control_take(self, reply))
            return OK;
        int64_t left_ns = until_ns - clock_mono_ns();
        if (left_ns <= 0)
            return E_AGAIN;
        control_wait(&self, 1, (int)(left_ns / NS_PER_MS) + 1);
    }
}

int control_ask(struct control *self, enum control_verb verb, const char *arg, int timeout_ms,
                struct reply *reply)
{
    int status = send_request(self, verb, arg, 0);
    return status ? status : await_answer(self, timeout_ms, reply);
}

int control_ask_number(struct control *self, enum control_verb verb, uint64_t number, int timeout_ms,
                       struct reply *reply)
{
    int status = send_request(self, verb, "", number);
    return status ? status : await_answer(self, timeout_ms, reply);
}

int64_t control_metric(const struct reply *reply, const char *name, int64_t missing)
{
    for (uint32_t i = 0; i < reply->n_metrics; i++)
        if (strcmp(reply->metrics[i].name, name) == 0)
            return reply->metrics[i].value;
    return missing;
}
