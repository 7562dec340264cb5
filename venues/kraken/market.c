/* Kraken's market data in version 2 of its protocol: snapshots and changes on one connection, held together
 * by checksums. The rules are in NOTES.md. */
#include <isa-l/crc.h>
#include <stdio.h>
#include <string.h>

#include "venues/kraken/book.h"
#include "venues/kraken/kraken.h"
#include "venues/kraken/terms.h"
#include "venues/url.h"

enum { CHANNEL_BOOK = 1 };

static bool kraken_owns(const char *text)
{
    struct url url;
    if (!url_read(text, &url))
        return false;
    if (url_host_is(&url, "ws.kraken.com") || url_host_is(&url, "beta-ws.kraken.com"))
        return true;
    return url_host_is(&url, "api.kraken.com") && url_path_begins(&url, "/0/public/");
}

/* ---- what both versions share ----------------------------------------------------------------------- */

/* Ten asks, then ten bids, each from the best. */
uint32_t kraken_checksum(const struct top_text *text)
{
    char joined[(2 * TOP_TEXT_DEPTH_MAX + 1) * TOP_TEXT_LEVEL_MAX];
    static const enum side sides[2] = {SIDE_SELL, SIDE_BUY};
    size_t at = 0;
    for (int s = 0; s < 2; s++) {
        uint32_t len;
        const char *level;
        for (uint32_t i = 0; (level = top_text_level(text, sides[s], i, &len)) != NULL; i++) {
            memcpy(joined + at, level, 32); /* nearly always all of it, and at a fixed length quickly done */
            if (len > 32)
                memcpy(joined + at, level, len);
            at += len;
        }
    }
    return crc32_gzip_refl(0, (const unsigned char *)joined, at);
}

static const struct stream_rules rules = {
    .form = TEXT_DIGITS, .checksum_depth = 10, .name = kraken_name, .checksum = kraken_checksum};

void kraken_snapshot(struct venue_market *self, struct stream_book *book, uint32_t channel, uint32_t depth)
{
    if (depth)
        book->next_depth = depth;
    stream_snapshot(self, book, channel);
}

/* Where no word of the subscription's depth was heard: the least that can be asked for and holds the
 * snapshot. */
static uint32_t depth_for(uint32_t levels)
{
    const uint32_t *depth = kraken_line.depths;
    while (*depth < levels && depth[1] > 0)
        depth++;
    return *depth;
}

int kraken_settle(struct venue_market *self, struct stream_book *book, bool snapshot, uint32_t levels,
                  const struct json_node *checksum)
{
    uint64_t sum = 0;
    if (snapshot && book->depth == 0)
        book->depth = depth_for(levels);
    stream_cut(book);
    if (checksum && (json_u64(checksum, &sum) != OK || sum > UINT32_MAX))
        return stream_error(self, E_SYNTAX, "%s: checksum: expected 32 bits", book->shown.inst.venue_symbol);
    if (!checksum && !snapshot)
        return stream_error(self, E_SYNTAX, "%s: expected a checksum", book->shown.inst.venue_symbol);
    uint32_t told = (uint32_t)sum;
    stream_settle(self, book, snapshot, checksum ? &told : NULL);
    return OK;
}

/* ---- times ------------------------------------------------------------------------------------------ */

/* Days from 1970 to a day of the Gregorian calendar; years begin in March here. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2), era = y / 400, in_era = y - era * 400;
    int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static bool digits(const char *text, int n, int *out)
{
    *out = 0;
    for (int i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *out = *out * 10 + (text[i] - '0');
    }
    return true;
}

/* "2026-08-01T02:53:53.646219Z" in ns; 0 for any other text. */
static int64_t read_time(const struct json_node *node)
{
    int year, month, day, hour, minute, second;
    if (!node || node->kind != JSON_STRING || node->len < 20 || node->len > 30)
        return 0;
    const char *t = node->text, *end = t + node->len - 1;
    if (!digits(t, 4, &year) || !digits(t + 5, 2, &month) || !digits(t + 8, 2, &day) ||
        !digits(t + 11, 2, &hour) || !digits(t + 14, 2, &minute) || !digits(t + 17, 2, &second) ||
        year < 1970 || year > 2200 || month < 1 || month > 12 || *end != 'Z')
        return 0;
    int64_t ns = 0, unit = NS_PER_SEC / 10;
    for (t += 20; t < end && *t >= '0' && *t <= '9'; t++, unit /= 10)
        ns += unit * (*t - '0');
    return ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 * NS_PER_SEC + second * NS_PER_SEC +
           ns;
}

/* ---- books ------------------------------------------------------------------------------------------ */

static int read_level(struct venue_market *self, struct stream_book *book, enum side side,
                      const struct json_node *level)
{
    return stream_level(self, book, side, json_get(self->json, level, "price"),
                        json_get(self->json, level, "qty"));
}

/* A snapshot has its best level first, and a book grows at its best end: so its last is set first. */
static int read_side(struct venue_market *self, struct stream_book *book, enum side side,
                     const struct json_node *levels, bool snapshot)
{
    const struct json_node *nodes = json_root(self->json);
    uint32_t at[1000], n = 0;
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

static int on_book(struct venue_market *self, const struct json_node *data, bool snapshot)
{
    const struct json *json = self->json;
    struct stream_book *book = stream_book_of(self, json_get(json, data, "symbol"));
    if (!book)
        return E_SYNTAX;
    if (snapshot)
        kraken_snapshot(self, book, CHANNEL_BOOK, 0);
    else if (!stream_follows(self, book, CHANNEL_BOOK))
        return stream_ignore(self);
    const struct json_node *bids = json_get(json, data, "bids"), *asks = json_get(json, data, "asks");
    int status = read_side(self, book, SIDE_BUY, bids, snapshot);
    if (status == OK)
        status = read_side(self, book, SIDE_SELL, asks, snapshot);
    if (status == OK) {
        book->shown.venue_time = read_time(json_get(json, data, "timestamp"));
        status = kraken_settle(self, book, snapshot, bids->size > asks->size ? bids->size : asks->size,
                               json_get(json, data, "checksum"));
    }
    return status == OK ? OK : stream_spoilt(self, book, status);
}

static int on_trade(struct venue_market *self, const struct json_node *data)
{
    const struct json *json = self->json;
    struct stream_book *book = stream_book_of(self, json_get(json, data, "symbol"));
    const struct json_node *side = json_get(json, data, "side");
    if (!book)
        return E_SYNTAX;
    bool bought = json_is(side, "buy");
    if (!bought && !json_is(side, "sell"))
        return stream_error(self, E_SYNTAX, "%s: trade: expected a side", book->shown.inst.venue_symbol);
    return stream_trade(self, book, bought ? SIDE_BUY : SIDE_SELL, json_get(json, data, "price"),
                        json_get(json, data, "qty"), json_get(json, data, "trade_id"),
                        read_time(json_get(json, data, "timestamp")));
}

/* ---- messages --------------------------------------------------------------------------------------- */

/* An answer to a request of ours. */
static int on_method(struct venue_market *self, const struct json_node *message,
                     const struct json_node *method)
{
    const struct json *json = self->json;
    const struct json_node *success = json_get(json, message, "success");
    const struct json_node *result = json_get(json, message, "result"),
                           *error = json_get(json, message, "error");
    const struct json_node *symbol = json_get(json, result, "symbol");
    bool of_book = json_is(json_get(json, result, "channel"), "book");
    char detail[160];
    uint64_t depth;
    if (json_is(method, "pong")) {
        stream_notice(self, NOTICE_ALIVE, "pong");
        return stream_ignore(self);
    }
    if (error || (success && success->kind == JSON_FALSE)) {
        const struct json_node *of = json_get(json, message, "symbol");
        snprintf(detail, sizeof detail, "%.*s %.*s: %.*s", (int)method->len, method->text,
                 of ? (int)of->len : 0, of ? of->text : "", error ? (int)error->len : 0,
                 error ? error->text : "");
        stream_notice(self, NOTICE_REFUSED, detail);
        return stream_ignore(self);
    }
    struct stream_book *book = of_book && symbol ? stream_book_of(self, symbol) : NULL;
    if (json_is(method, "subscribe")) {
        if (book && json_u64(json_get(json, result, "depth"), &depth) == OK && depth <= L2_LEVELS_MAX)
            book->next_depth = (uint32_t)depth;
        snprintf(detail, sizeof detail, "%.*s", symbol ? (int)symbol->len : 0, symbol ? symbol->text : "");
        stream_notice(self, NOTICE_ACCEPTED, detail);
    } else if (json_is(method, "unsubscribe") && book) {
        stream_unsubscribed(self, book, CHANNEL_BOOK);
    }
    return stream_ignore(self);
}

static int on_status(struct venue_market *self, const struct json_node *data)
{
    const struct json_node *one = data && data->kind == JSON_ARRAY ? json_first(self->json, data) : NULL;
    if (json_is(json_get(self->json, one, "system"), "maintenance"))
        stream_notice(self, NOTICE_LEAVING, "maintenance");
    return stream_ignore(self);
}

static int on_channel(struct venue_market *self, const struct json_node *message,
                      const struct json_node *channel)
{
    const struct json *json = self->json;
    const struct json_node *data = json_get(json, message, "data"), *type = json_get(json, message, "type");
    bool snapshot = json_is(type, "snapshot"), book = json_is(channel, "book");
    int status = OK;
    if (json_is(channel, "heartbeat")) {
        stream_notice(self, NOTICE_ALIVE, "heartbeat");
        return stream_ignore(self);
    }
    if (json_is(channel, "status"))
        return on_status(self, data);
    if (json_is(channel, "instrument"))
        return kraken_pairs(self, json_get(json, data, "pairs"));
    /* A snapshot of trades tells of what was before, and may have been told already. */
    if (!data || data->kind != JSON_ARRAY || (!snapshot && !json_is(type, "update")) ||
        (!book && (snapshot || !json_is(channel, "trade"))))
        return stream_ignore(self);
    for (const struct json_node *one = json_first(json, data); one; one = json_after(json, data, one)) {
        int done = book ? on_book(self, one, snapshot) : on_trade(self, one);
        if (done != OK)
            status = done;
    }
    return status;
}

static int on_message(struct venue_market *self)
{
    int status = json_parse(self->json, self->frame->text, self->frame->len);
    if (status != OK) {
        stream_lose_unsequenced(self);
        return stream_error(self, status, "message: %.80s", json_error(self->json));
    }
    const struct json_node *message = json_root(self->json);
    const struct json_node *channel = json_get(self->json, message, "channel");
    const struct json_node *method = json_get(self->json, message, "method");
    if (channel)
        return on_channel(self, message, channel);
    if (method)
        return on_method(self, message, method);
    return kraken_v1_message(self, message);
}

static int on_answer(struct venue_market *self)
{
    struct url url;
    if (!url_read(self->frame->url, &url) || !url_path_ends(&url, "/AssetPairs"))
        return stream_ignore(self);
    if (json_parse(self->json, self->frame->text, self->frame->len) != OK)
        return stream_error(self, E_SYNTAX, "AssetPairs: %.60s", json_error(self->json));
    return kraken_asset_pairs(self);
}

static int kraken_on_frame(struct venue_market *self, const struct frame *frame)
{
    int status = OK;
    stream_begin(self, frame);
    if (frame->kind == FRAME_WS)
        status = on_message(self);
    else if (frame->kind == FRAME_HTTP)
        status = on_answer(self);
    return stream_end(self, status);
}

static struct venue_market *kraken_open(const struct instrument_file *instruments,
                                        const struct market_sink *sink)
{
    return stream_open(&rules, instruments, sink);
}

const struct venue_ops kraken = {.name = "kraken",
                                 .owns_url = kraken_owns,
                                 .open = kraken_open,
                                 .close = stream_close,
                                 .on_frame = kraken_on_frame,
                                 .counters = stream_counters,
                                 .books = stream_books,
                                 .book_at = stream_book_at,
                                 .wants = stream_wants,
                                 .line = &kraken_line};
