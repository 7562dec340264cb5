#include "venues/binance/answers.h"

#include <stdio.h>
#include <string.h>

enum { DETAIL_MAX = 160 };

/* ---- notices ---------------------------------------------------------------------------------------- */

static int say(struct venue_market *self, const struct frame *frame, enum notice notice, const char *detail)
{
    self->counters.ignored++;
    if (self->sink.notice)
        self->sink.notice(self->sink.ctx, frame->conn, notice, detail);
    return OK;
}

/* {"code":2,"msg":"..."}, alone or as the value of "error". */
static int refuse(struct venue_market *self, const struct frame *frame, const struct json_node *error,
                  const struct json_node *id)
{
    char detail[DETAIL_MAX];
    const struct json_node *code = json_get(self->json, error, "code");
    const struct json_node *words = json_get(self->json, error, "msg");
    snprintf(detail, sizeof detail, "request %.*s: code %.*s: %.*s", id ? (int)id->len : 1,
             id ? id->text : "?", code ? (int)code->len : 1, code ? code->text : "?",
             words ? (int)words->len : 0, words ? words->text : "");
    return say(self, frame, NOTICE_REFUSED, detail);
}

int binance_say(struct venue_market *self, const struct frame *frame)
{
    const struct json *json = self->json;
    const struct json_node *root = json_root(json), *data = json_get(json, root, "data");
    const struct json_node *id = json_get(json, root, "id"), *result = json_get(json, root, "result");
    if (json_is(json_get(json, root, "e"), "serverShutdown") ||
        json_is(json_get(json, data, "e"), "serverShutdown") ||
        json_is(json_get(json, root, "stream"), "!serverShutdown"))
        return say(self, frame, NOTICE_LEAVING, "serverShutdown");
    if (json_get(json, root, "error"))
        return refuse(self, frame, json_get(json, root, "error"), id);
    if (json_get(json, root, "code") && json_get(json, root, "msg"))
        return refuse(self, frame, root, id);
    if (result && result->kind == JSON_NULL && id)
        return say(self, frame, NOTICE_ACCEPTED, "");
    self->counters.ignored++;
    return OK;
}

/* ---- instruments ------------------------------------------------------------------------------------ */

/* The name stays, for topics are made of it; the exponents are the book's own business. */
static void retell(struct venue_market *self, struct feed_book *book)
{
    struct inst told = book->shown.inst, *inst = &book->shown.inst;
    if (!instrument_file_apply(self->told, &told))
        return;
    if (dec_cmp(told.tick, inst->tick) != 0 || dec_cmp(told.lot, inst->lot) != 0 ||
        dec_cmp(told.min_qty, inst->min_qty) != 0 || dec_cmp(told.min_notional, inst->min_notional) != 0 ||
        dec_cmp(told.multiplier, inst->multiplier) != 0 || told.learned != inst->learned)
        book->announced = false;
    inst->tick = told.tick;
    inst->lot = told.lot;
    inst->min_qty = told.min_qty;
    inst->min_notional = told.min_notional;
    inst->multiplier = told.multiplier;
    inst->learned = told.learned;
    if (!book->announced)
        binance_book_announce(self, book);
}

int binance_take_instruments(struct venue_market *self, const struct frame *frame)
{
    char name[NAME_MAX_BYTES];
    if (json_parse(self->json, frame->text, frame->len) != OK)
        return binance_error(self, E_SYNTAX, "exchangeInfo: %.60s", json_error(self->json));
    const struct json_node *list = json_get(self->json, json_root(self->json), "symbols");
    if (!list || list->kind != JSON_ARRAY) {
        self->counters.ignored++;
        return OK;
    }
    if (!self->told && !(self->told = instrument_file_new(BOOKS_MAX)))
        return binance_error(self, E_FULL, "exchangeInfo: out of memory");
    const struct json_node *entry = json_first(self->json, list);
    for (; entry; entry = json_after(self->json, list, entry)) {
        if (json_text(json_get(self->json, entry, "symbol"), name, sizeof name) != OK)
            continue;
        (void)instrument_file_take(self->told, self->rules->venue, name, self->json, entry);
        int index = table_find(self->names, name, strlen(name));
        if (index >= 0)
            retell(self, self->books[index]);
    }
    return OK;
}
