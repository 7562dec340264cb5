/* Messages on their way out and in, of clients and servers alike. */
#include <stdlib.h>
#include <string.h>

#include "lib/net/inside.h"

/* The kind of a close frame is left out of libwebsockets' public list. */
enum { WRITES_A_TURN = 32, WRITE_CLOSE = 4 };

int say_goodbye(struct lws *wsi, int code)
{
    unsigned char frame[LWS_PRE + 2];
    frame[LWS_PRE] = (unsigned char)(code >> 8);
    frame[LWS_PRE + 1] = (unsigned char)code;
    return lws_write(wsi, frame + LWS_PRE, 2, (enum lws_write_protocol)WRITE_CLOSE) < 0 ? -1 : 0;
}

void outgoing_clear(struct outbox *self)
{
    while (self->first != NULL) {
        struct outgoing *next = self->first->next;
        free(self->first);
        self->first = next;
    }
    self->end = &self->first;
    self->bytes = 0;
}

int outgoing_add(struct outbox *self, enum lws_write_protocol kind, const char *text, size_t len,
                 size_t limit)
{
    if (len > limit || self->bytes > limit - len)
        return E_FULL;
    struct outgoing *made = malloc(sizeof *made + len);
    if (made == NULL)
        return E_FULL;
    made->next = NULL;
    made->len = len;
    made->kind = kind;
    if (len > 0)
        memcpy(made->space + LWS_PRE, text, len);
    *self->end = made;
    self->end = &made->next;
    self->bytes += len;
    return OK;
}

int outgoing_write(struct outbox *self, struct lws *wsi)
{
    for (int i = 0; self->first != NULL && i < WRITES_A_TURN && !lws_send_pipe_choked(wsi); i++) {
        struct outgoing *head = self->first;
        int written = lws_write(wsi, head->space + LWS_PRE, head->len, head->kind);
        self->first = head->next;
        if (self->first == NULL)
            self->end = &self->first;
        self->bytes -= head->len;
        free(head);
        if (written < 0)
            return E_IO;
    }
    if (self->first != NULL)
        lws_callback_on_writable(wsi);
    return OK;
}

void incoming_clear(struct inbox *self)
{
    free(self->text);
    *self = (struct inbox){NULL, 0, 0};
}

static bool grow(struct inbox *self, size_t need)
{
    if (need <= self->cap)
        return true;
    size_t cap = self->cap < 4096 ? 4096 : self->cap;
    while (cap < need)
        cap *= 2;
    char *text = realloc(self->text, cap);
    if (text == NULL)
        return false;
    self->text = text;
    self->cap = cap;
    return true;
}

int incoming_take(struct inbox *self, struct lws *wsi, const char *in, size_t len, const char **text,
                  size_t *text_len)
{
    bool last = lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0;
    /* Always copied: behind it in libwebsockets' buffer the next frame may begin, so that no NUL can be put there. */
    if (len > WEBSOCKET_MESSAGE_MAX - self->len)
        return E_RANGE;
    if (!grow(self, self->len + len + 1))
        return E_FULL;
    memcpy(self->text + self->len, in, len);
    self->len += len;
    if (!last)
        return 0;
    self->text[self->len] = '\0';
    *text = self->text;
    *text_len = self->len;
    self->len = 0;
    return 1;
}
