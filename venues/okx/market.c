/* OKX's market data: snapshots and changes on one connection, held together by sequence numbers and
 * checksums. The rules are in NOTES.md. */
#include <isa-l/crc.h>
#include <stdio.h>
#include <string.h>

#include "venues/okx/okx.h"
#include "venues/okx/terms.h"
#include "venues/url.h"

/* Channels that send a snapshot and then changes. */
enum channel { CHANNEL_NONE, CHANNEL_BOOKS, CHANNEL_BOOKS_TBT, CHANNEL_BOOKS50_TBT };

static enum channel channel_of(const struct json_node *name)
{
    if (json_is(name, "books"))
        return CHANNEL_BOOKS;
    if (json_is(name, "books-l2-tbt"))
        return CHANNEL_BOOKS_TBT;
    return json_is(name, "books50-l2-tbt") ? CHANNEL_BOOKS50_TBT : CHANNEL_NONE;
}

static bool okx_owns(const char *text)
{
    struct url url;
    if (!url_read(text, &url))
        return false;
    if (url_host_ends(&url, ".okx.com") || url_host_is(&url, "okx.com") || url_host_ends(&url, ".okex.com"))
        return url_path_begins(&url, "/ws/v5/public") || url_path_begins(&url, "/api/v5/public/");
    return false;
}

/* ---- checksums -------------------------------------------------------------------------------------- */

/* Bid 1, ask 1, bid 2, ask 2, ...; where one side has no more, the other goes on alone. */
static uint32_t okx_checksum(const struct top_text *text)
{
    char joined[2 * TOP_TEXT_DEPTH_MAX * (TOP_TEXT_LEVEL_MAX + 1) + TOP_TEXT_LEVEL_MAX];
    static const enum side sides[2] = {SIDE_BUY, SIDE_SELL};
    size_t at = 0;
    for (uint32_t i = 0; i < TOP_TEXT_DEPTH_MAX; i++) {
        for (int s = 0; s < 2; s++) {
            uint32_t len;
            const char *level = top_text_level(text, sides[s], i, &len);
            if (!level)
                continue;
            memcpy(joined + at, level, 32); /* nearly always all of it, and at a fixed length quickly done */
            if (len > 32)
                memcpy(joined + at, level, len);
            at += len;
            joined[at++] = ':';
        }
    }
    return crc32_gzip_refl(0, (const unsigned char *)joined, at ? at - 1 : 0);
}

static const struct stream_rules rules = {
    .form = TEXT_SHORTEST, .checksum_depth = 25, .name = okx_name, .checksum = okx_checksum};

/* The venue writes it as a signed number, and where it has none 0. */
static bool read_checksum(const struct json_node *node, uint32_t *out)
{
    int64_t sum;
    if (json_i64(node, &sum) != OK || sum == 0 || sum < INT32_MIN || sum > (int64_t)UINT32_MAX)
        return false;
    *out = (uint32_t)sum;
    return true;
}

/* ---- books ------------------------------------------------------------------------------------------ */

static int64_t read_ms(const struct json_node *node)
{
    uint64_t ms;
    return json_u64(node, &ms) == OK && ms < (uint64_t)(INT64_MAX / 1000000) ? (int64_t)ms * 1000000 : 0;
}

static int read_level(struct venue_market *self, struct stream_book *book, enum side side,
                      const struct json_node *level)
{
    if (level->kind != JSON_ARRAY || level->size < 2)
        return stream_error(self, E_SYNTAX, "%s: a level: expected [price, size, ...]",
                            book->shown.inst.venue_symbol);
    return stream_level(self, book, side, level + 1, json_root(self->json) + level[1].next);
}

/* A snapshot has its best level first, and a book grows at its best end: so its last is set first. */
static int read_side(struct venue_market *self, struct stream_book *book, enum side side,
                     const struct json_node *levels, bool snapshot)
{
    const struct json_node *nodes = json_root(self->json);
    uint32_t at[512], n = 0;
    int status = OK;
    if (!levels || levels->kind != JSON_ARRAY)
        return stream_error(self, E_SYNTAX, "%s: expected arrays of levels", book->shown.inst.venue_symbol);
    bool backwards = snapshot && levels->size <= sizeof at / sizeof at[0];
    const struct json_node *level = levels + 1;
    for (uint32_t i = 0; i < levels->size && status == OK; i++, level = &nodes[level->next]) {
        if (backwards)
            at[n++] = (uint32_t)(level - nodes);
        else
            status = read_level(self, book, side, level);
    }
    while (n > 0 && status == OK)
        status = read_level(self, book, side, &nodes[at[--n]]);
    return status;
}

struct sequence {
    bool told; /* recordings of before 2023 have none */
    int64_t previous, own;
};

static int read_sequence(struct venue_market *self, const struct json_node *data, struct sequence *out)
{
    const struct json_node *own = json_get(self->json, data, "seqId");
    out->told = own != NULL;
    if (!own)
        return OK;
    if (json_i64(own, &out->own) != OK || out->own < 0 ||
        json_i64(json_get(self->json, data, "prevSeqId"), &out->previous) != OK)
        return stream_error(self, E_SYNTAX, "\"seqId\", \"prevSeqId\": expected whole numbers");
    return OK;
}

/* Whether a change is the next one. Where the own number is below the previous one, the venue has begun to
 * count anew; where they are equal, nothing has changed for a minute. */
static bool joins(const struct stream_book *book, const struct sequence *sequence)
{
    if (!sequence->told)
        return book->shown.venue_seq == 0;
    return sequence->previous >= 0 && (uint64_t)sequence->previous == book->shown.venue_seq;
}

static int take_levels(struct venue_market *self, struct stream_book *book, const struct json_node *data,
                       const struct sequence *sequence, bool snapshot)
{
    uint32_t checksum;
    int status = read_side(self, book, SIDE_BUY, json_get(self->json, data, "bids"), snapshot);
    if (status == OK)
        status = read_side(self, book, SIDE_SELL, json_get(self->json, data, "asks"), snapshot);
    if (status != OK)
        return stream_spoilt(self, book, status);
    book->shown.venue_seq = sequence->told ? (uint64_t)sequence->own : 0;
    book->shown.venue_time = read_ms(json_get(self->json, data, "ts"));
    bool told = read_checksum(json_get(self->json, data, "checksum"), &checksum);
    stream_settle(self, book, snapshot, told ? &checksum : NULL);
    return OK;
}

static int on_snapshot(struct venue_market *self, struct stream_book *book, enum channel channel,
                       const struct json_node *data)
{
    struct sequence sequence;
    stream_snapshot(self, book, channel);
    int status = read_sequence(self, data, &sequence);
    if (status != OK)
        return stream_spoilt(self, book, status);
    return take_levels(self, book, data, &sequence, true);
}

static int on_change(struct venue_market *self, struct stream_book *book, enum channel channel,
                     const struct json_node *data)
{
    struct sequence sequence;
    if (!stream_follows(self, book, channel))
        return stream_ignore(self);
    int status = read_sequence(self, data, &sequence);
    if (status != OK)
        return stream_spoilt(self, book, status);
    if (!joins(book, &sequence)) {
        stream_error(self, E_STATE, "%s: gap: have %llu, got prevSeqId %lld", book->shown.inst.venue_symbol,
                     (unsigned long long)book->shown.venue_seq,
                     sequence.told ? (long long)sequence.previous : -1);
        stream_lose(self, book, STALE_GAP);
        return OK;
    }
    return take_levels(self, book, data, &sequence, false);
}

static int on_books(struct venue_market *self, const struct json_node *message, enum channel channel,
                    const struct json_node *symbol, const struct json_node *data)
{
    const struct json_node *action = json_get(self->json, message, "action");
    struct stream_book *book = stream_book_of(self, symbol);
    bool snapshot = json_is(action, "snapshot");
    int status = OK;
    if (!book)
        return E_SYNTAX;
    if (!snapshot && !json_is(action, "update"))
        return stream_ignore(self);
    for (const struct json_node *one = json_first(self->json, data); one;
         one = json_after(self->json, data, one)) {
        int done = snapshot ? on_snapshot(self, book, channel, one) : on_change(self, book, channel, one);
        if (done != OK)
            status = done;
    }
    return status;
}

/* ---- trades ----------------------------------------------------------------------------------------- */

static int on_trades(struct venue_market *self, const struct json_node *data)
{
    const struct json *json = self->json;
    int status = OK;
    for (const struct json_node *one = json_first(json, data); one; one = json_after(json, data, one)) {
        struct stream_book *book = stream_book_of(self, json_get(json, one, "instId"));
        const struct json_node *side = json_get(json, one, "side");
        bool bought = json_is(side, "buy");
        int done = E_SYNTAX;
        if (book && !bought && !json_is(side, "sell"))
            stream_error(self, E_SYNTAX, "%s: trade: expected a side", book->shown.inst.venue_symbol);
        else if (book)
            done = stream_trade(self, book, bought ? SIDE_BUY : SIDE_SELL, json_get(json, one, "px"),
                                json_get(json, one, "sz"), json_get(json, one, "tradeId"),
                                read_ms(json_get(json, one, "ts")));
        if (done != OK)
            status = done;
    }
    return status;
}

/* ---- messages --------------------------------------------------------------------------------------- */

static int on_event(struct venue_market *self, const struct json_node *message, const struct json_node *event)
{
    const struct json *json = self->json;
    const struct json_node *arg = json_get(json, message, "arg"), *words = json_get(json, message, "msg");
    const struct json_node *channel = json_get(json, arg, "channel"), *symbol = json_get(json, arg, "instId");
    const struct json_node *code = json_get(json, message, "code");
    char detail[192];
    bool talk = json_is(event, "error") || json_is(event, "notice");
    const struct json_node *first = talk ? code : channel, *second = talk ? words : symbol;
    snprintf(detail, sizeof detail, "%.*s %.*s", first ? (int)(first->len < 32 ? first->len : 32) : 0,
             first ? first->text : "", second ? (int)(second->len < 150 ? second->len : 150) : 0,
             second ? second->text : "");
    if (json_is(event, "subscribe"))
        stream_notice(self, NOTICE_ACCEPTED, detail);
    else if (json_is(event, "error"))
        stream_notice(self, NOTICE_REFUSED, detail);
    else if (json_is(event, "notice") && json_is(code, "64008"))
        stream_notice(self, NOTICE_LEAVING, detail);
    else if (json_is(event, "unsubscribe") && channel_of(channel) != CHANNEL_NONE) {
        struct stream_book *book = stream_book_of(self, symbol);
        if (book)
            stream_unsubscribed(self, book, channel_of(channel));
    }
    return stream_ignore(self);
}

static int on_message(struct venue_market *self)
{
    const struct frame *frame = self->frame;
    if (frame->len == 4 && memcmp(frame->text, "pong", 4) == 0) {
        stream_notice(self, NOTICE_ALIVE, "pong");
        return stream_ignore(self);
    }
    int status = json_parse(self->json, frame->text, frame->len);
    if (status != OK) {
        stream_lose_unsequenced(self);
        return stream_error(self, status, "message: %.80s", json_error(self->json));
    }
    const struct json_node *message = json_root(self->json), *event = json_get(self->json, message, "event");
    if (event)
        return on_event(self, message, event);
    const struct json_node *arg = json_get(self->json, message, "arg");
    const struct json_node *data = json_get(self->json, message, "data");
    const struct json_node *name = json_get(self->json, arg, "channel");
    enum channel channel = channel_of(name);
    if (!data || data->kind != JSON_ARRAY)
        return stream_ignore(self);
    if (channel != CHANNEL_NONE)
        return on_books(self, message, channel, json_get(self->json, arg, "instId"), data);
    return json_is(name, "trades") ? on_trades(self, data) : stream_ignore(self);
}

static int on_answer(struct venue_market *self)
{
    struct url url;
    if (!url_read(self->frame->url, &url) || !url_path_ends(&url, "/public/instruments"))
        return stream_ignore(self);
    if (json_parse(self->json, self->frame->text, self->frame->len) != OK)
        return stream_error(self, E_SYNTAX, "instruments: %.60s", json_error(self->json));
    return okx_instruments(self);
}

static int okx_on_frame(struct venue_market *self, const struct frame *frame)
{
    int status = OK;
    stream_begin(self, frame);
    if (frame->kind == FRAME_WS)
        status = on_message(self);
    else if (frame->kind == FRAME_HTTP)
        status = on_answer(self);
    return stream_end(self, status);
}

static struct venue_market *okx_open(const struct instrument_file *instruments,
                                     const struct market_sink *sink)
{
    return stream_open(&rules, instruments, sink);
}

const struct venue_ops okx = {.name = "okx",
                              .owns_url = okx_owns,
                              .open = okx_open,
                              .close = stream_close,
                              .on_frame = okx_on_frame,
                              .counters = stream_counters,
                              .books = stream_books,
                              .book_at = stream_book_at,
                              .wants = stream_wants,
                              .line = &okx_line};
