/* Version 1 of Kraken's protocol, which recordings are in: [channel, {...}, "book-1000", "XBT/USD"]. */
#include <stdlib.h>
#include <string.h>

#include "venues/kraken/book.h"

enum { PARTS_MAX = 8 };

static int64_t read_seconds(const struct json_node *node)
{
    struct dec seconds;
    int64_t ns;
    return json_dec(node, &seconds) == OK && dec_mantissa(seconds, -9, ROUND_DOWN, &ns) == OK && ns > 0 ? ns
                                                                                                        : 0;
}

/* Levels are [price, volume, seconds, ...]; the newest tells the time of the book. */
static int read_side(struct venue_market *self, struct stream_book *book, enum side side,
                     const struct json_node *levels)
{
    const struct json_node *nodes = json_root(self->json);
    if (levels->kind != JSON_ARRAY)
        return stream_error(self, E_SYNTAX, "%s: expected arrays of levels", book->shown.inst.venue_symbol);
    const struct json_node *level = levels + 1;
    for (uint32_t i = 0; i < levels->size; i++, level = &nodes[level->next]) {
        if (level->kind != JSON_ARRAY || level->size < 3)
            return stream_error(self, E_SYNTAX, "%s: a level: expected [price, volume, time]",
                                book->shown.inst.venue_symbol);
        const struct json_node *qty = &nodes[level[1].next], *time = &nodes[qty->next];
        int status = stream_level(self, book, side, level + 1, qty);
        if (status != OK)
            return status;
        int64_t ns = read_seconds(time);
        if (ns > book->shown.venue_time)
            book->shown.venue_time = ns;
    }
    return OK;
}

/* One object has one side or both, and a message one object or two. */
static int read_part(struct venue_market *self, struct stream_book *book, const struct json_node *part,
                     bool snapshot, uint32_t *levels)
{
    const char *names[2] = {snapshot ? "bs" : "b", snapshot ? "as" : "a"};
    static const enum side sides[2] = {SIDE_BUY, SIDE_SELL};
    int status = OK;
    for (int s = 0; s < 2 && status == OK; s++) {
        const struct json_node *side = json_get(self->json, part, names[s]);
        if (!side)
            continue;
        status = read_side(self, book, sides[s], side);
        *levels = side->size > *levels ? side->size : *levels;
    }
    return status;
}

static int on_book(struct venue_market *self, struct stream_book *book, const struct json_node *const *parts,
                   uint32_t n, uint32_t depth)
{
    const struct json *json = self->json;
    bool snapshot = json_get(json, parts[0], "as") || json_get(json, parts[0], "bs");
    const struct json_node *checksum = NULL;
    uint32_t levels = 0;
    int status = OK;
    if (snapshot)
        kraken_snapshot(self, book, depth, depth);
    else if (!stream_follows(self, book, depth))
        return stream_ignore(self);
    for (uint32_t i = 0; i < n && status == OK; i++) {
        status = read_part(self, book, parts[i], snapshot, &levels);
        checksum = checksum ? checksum : json_get(json, parts[i], "c");
    }
    if (status == OK)
        status = kraken_settle(self, book, snapshot, levels, checksum);
    return status == OK ? OK : stream_spoilt(self, book, status);
}

/* [[price, volume, seconds, "b"|"s", type, misc], ...] */
static int on_trades(struct venue_market *self, struct stream_book *book, const struct json_node *list)
{
    const struct json_node *nodes = json_root(self->json);
    int status = OK;
    if (list->kind != JSON_ARRAY)
        return stream_ignore(self);
    for (const struct json_node *one = json_first(self->json, list); one && status == OK;
         one = json_after(self->json, list, one)) {
        if (one->kind != JSON_ARRAY || one->size < 4)
            return stream_error(self, E_SYNTAX, "%s: trade: expected [price, volume, time, side]",
                                book->shown.inst.venue_symbol);
        const struct json_node *price = one + 1, *qty = &nodes[price->next], *time = &nodes[qty->next];
        enum side side = json_is(&nodes[time->next], "b") ? SIDE_BUY : SIDE_SELL;
        status = stream_trade(self, book, side, price, qty, NULL, read_seconds(time));
    }
    return status;
}

static int on_array(struct venue_market *self, const struct json_node *message)
{
    const struct json_node *parts[PARTS_MAX];
    uint32_t n = 0;
    if (message->size < 4 || message->size > PARTS_MAX)
        return stream_ignore(self);
    for (const struct json_node *one = json_first(self->json, message); one;
         one = json_after(self->json, message, one))
        parts[n++] = one;
    const struct json_node *channel = parts[n - 2];
    bool trades = json_is(channel, "trade");
    bool of_book = channel->kind == JSON_STRING && channel->len > 5 && channel->len < 12 &&
                   memcmp(channel->text, "book-", 5) == 0;
    if (!trades && !of_book)
        return stream_ignore(self);
    struct stream_book *book = stream_book_of(self, parts[n - 1]);
    if (!book)
        return E_SYNTAX;
    if (trades)
        return on_trades(self, book, parts[1]);
    char depth[8] = "";
    memcpy(depth, channel->text + 5, channel->len - 5);
    return on_book(self, book, parts + 1, n - 3, (uint32_t)strtoul(depth, NULL, 10));
}

static int on_event(struct venue_market *self, const struct json_node *message, const struct json_node *event)
{
    const struct json *json = self->json;
    const struct json_node *status = json_get(json, message, "status");
    if (json_is(event, "heartbeat") || json_is(event, "pong"))
        stream_notice(self, NOTICE_ALIVE, "heartbeat");
    else if (json_is(event, "systemStatus") && json_is(status, "maintenance"))
        stream_notice(self, NOTICE_LEAVING, "maintenance");
    else if (json_is(event, "subscriptionStatus") && json_is(status, "subscribed"))
        stream_notice(self, NOTICE_ACCEPTED, "");
    else if (json_is(event, "subscriptionStatus") && json_is(status, "error"))
        stream_notice(self, NOTICE_REFUSED, "subscription");
    else if (json_is(event, "subscriptionStatus") && json_is(status, "unsubscribed")) {
        uint64_t depth = 0;
        const struct json_node *subscription = json_get(json, message, "subscription");
        struct stream_book *book = json_is(json_get(json, subscription, "name"), "book")
                                       ? stream_book_of(self, json_get(json, message, "pair"))
                                       : NULL;
        if (book && json_u64(json_get(json, subscription, "depth"), &depth) == OK)
            stream_unsubscribed(self, book, (uint32_t)depth);
    }
    return stream_ignore(self);
}

int kraken_v1_message(struct venue_market *self, const struct json_node *message)
{
    const struct json_node *event = json_get(self->json, message, "event");
    if (event)
        return on_event(self, message, event);
    return message->kind == JSON_ARRAY ? on_array(self, message) : stream_ignore(self);
}
