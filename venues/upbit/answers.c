#include "venues/upbit/answers.h"

#include <stdio.h>

#include "venues/url.h"

enum { DETAIL_MAX = 160 };

static int say(struct venue_market *self, const struct frame *frame, enum notice notice, const char *detail)
{
    if (self->sink.notice)
        self->sink.notice(self->sink.ctx, frame->conn, notice, detail);
    return upbit_ignore(self);
}

/* An error is followed by the end of the connection. */
int upbit_say(struct venue_market *self, const struct frame *frame, const struct json_node *event)
{
    char detail[DETAIL_MAX];
    const struct json *json = self->json;
    const struct json_node *error = json_get(json, event, "error");
    const struct json_node *name = json_get(json, error, "name"), *words = json_get(json, error, "message");
    if (json_is(json_get(json, event, "status"), "UP"))
        return say(self, frame, NOTICE_ALIVE, "");
    if (!error)
        return upbit_ignore(self);
    snprintf(detail, sizeof detail, "%.*s: %.*s", name ? (int)name->len : 1, name ? name->text : "?",
             words ? (int)words->len : 0, words ? words->text : "");
    return say(self, frame, NOTICE_REFUSED, detail);
}

/* A step is that of the price at the time of the answer. Where it is the table's the table goes on, which knows the
 * other prices too; where it is not it holds, until the next answer. */
static void take_step(struct venue_market *self, const struct json_node *entry)
{
    struct dec tick;
    const struct json_node *code = json_get(self->json, entry, "market");
    if (!code || json_dec(json_get(self->json, entry, "tick_size"), &tick) != OK || tick.m <= 0)
        return;
    struct feed_book *book = upbit_book_of(self, code);
    if (!book || book->tick_told)
        return;
    book->venue_tick = tick;
    book->venue_tick_new = true;
    if (book->announced)
        upbit_announce(self, book);
}

int upbit_take_answer(struct venue_market *self, const struct frame *frame)
{
    struct url url;
    if (!url_read(frame->url, &url) || !url_path_ends(&url, "/orderbook/instruments"))
        return upbit_ignore(self);
    if (json_parse(self->json, frame->text, frame->len) != OK)
        return upbit_fail(self, E_SYNTAX, "instruments: %.60s", json_error(self->json));
    const struct json_node *list = json_root(self->json);
    if (list->kind != JSON_ARRAY)
        return upbit_ignore(self);
    const struct json_node *entry = json_first(self->json, list);
    for (; entry; entry = json_after(self->json, list, entry))
        take_step(self, entry);
    return OK;
}
