/* Kraken's second WebSocket interface as its clients see it: a status at first, an answer for each symbol, a snapshot on
 * the connection, heartbeats each second. A book can be asked for at the depth that was recorded, for at another one the
 * venue would have sent other changes. */
#include "venues/kraken/emulation.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "lib/base/text.h"
#include "venues/emulator/emulator.h"
#include "venues/url.h"

enum { CHECKED_LEVELS = 10, USUAL_DEPTH = 10 };

/* ---- what was recorded ------------------------------------------------------------------------------- */

static bool read_ack(struct json *json, const struct json_node *root, struct played *out)
{
    const struct json_node *result = json_get(json, root, "result");
    uint64_t depth;
    if (json_text(json_get(json, result, "channel"), out->channel, sizeof out->channel) != OK ||
        json_text(json_get(json, result, "symbol"), out->symbol, sizeof out->symbol) != OK ||
        json_u64(json_get(json, result, "depth"), &depth) != OK || depth > 1000)
        return false;
    out->depth = (uint32_t)depth;
    return false;
}

static bool read_message(struct json *json, const struct frame *frame, struct played *out)
{
    *out = (struct played){0};
    if (json_parse(json, frame->text, frame->len) != OK)
        return false;
    const struct json_node *root = json_root(json), *data = json_get(json, root, "data");
    const struct json_node *first = data && data->kind == JSON_ARRAY ? json_first(json, data) : NULL;
    if (json_get(json, root, "method"))
        return read_ack(json, root, out);
    if (!first || json_text(json_get(json, root, "channel"), out->channel, sizeof out->channel) != OK ||
        json_text(json_get(json, first, "symbol"), out->symbol, sizeof out->symbol) != OK)
        return false;
    out->book = strcmp(out->channel, "book") == 0;
    out->snapshot = out->book && json_is(json_get(json, root, "type"), "snapshot");
    return true;
}

/* ---- what clients say -------------------------------------------------------------------------------- */

static void opened(struct emulated_peer *peer, const char *path)
{
    static const char status[] =
        "{\"channel\":\"status\",\"type\":\"update\",\"data\":[{\"version\":\"2.0.10\",\"system\":\"online\","
        "\"api_version\":\"v2\",\"connection_id\":17413893361151983591}]}";
    (void)path;
    emulated_say(peer, status, sizeof status - 1);
}

static void put_end(struct words *out, const struct emulated_peer *peer, const struct json_node *id)
{
    char at[32];
    clock_format(emulated_utc_ns(emulated_by(peer)), at);
    words_add(out, ",\"time_in\":\"%s\",\"time_out\":\"%s\"", at, at);
    if (id && id->kind == JSON_NUMBER)
        words_add(out, ",\"req_id\":%.*s", (int)id->len, id->text);
    words_add(out, "}");
}

struct asked {
    const char *method, *channel;
    uint32_t depth;
    const struct json_node *id;
};

static const char *objection(const struct emulator *emulator, const struct asked *asked, const char *symbol)
{
    if (!emulated_knows(emulator, symbol))
        return "Currency pair not supported";
    uint32_t recorded = emulated_depth(emulator, asked->channel, symbol);
    if (strcmp(asked->channel, "book") == 0 && recorded && recorded != asked->depth)
        return "Subscription depth not supported";
    return NULL;
}

static void change(struct emulated_peer *peer, const struct asked *asked, const char *symbol)
{
    struct words out = {0};
    const char *wrong = objection(emulated_by(peer), asked, symbol);
    bool on = *asked->method == 's', book = strcmp(asked->channel, "book") == 0;
    if (wrong) {
        words_add(&out, "{\"error\":\"%s %s\",\"method\":\"%s\",\"success\":false,\"symbol\":\"%s\"", wrong,
                  symbol, asked->method, symbol);
    } else {
        words_add(&out, "{\"method\":\"%s\",\"result\":{\"channel\":\"%s\"", asked->method, asked->channel);
        if (book)
            words_add(&out, ",\"depth\":%" PRIu32, asked->depth);
        words_add(&out, "%s,\"symbol\":\"%s\"},\"success\":true", on ? ",\"snapshot\":true" : "", symbol);
    }
    put_end(&out, peer, asked->id);
    if (!out.failed)
        emulated_say(peer, out.at, out.len);
    words_free(&out);
    if (!wrong && on)
        (void)emulated_subscribe(peer, asked->channel, symbol, asked->channel);
    else if (!wrong)
        emulated_unsubscribe(peer, asked->channel, symbol);
}

static void say_wrong(struct emulated_peer *peer, const char *method, const char *words)
{
    char text[200];
    int len =
        snprintf(text, sizeof text, "{\"error\":\"%s\",\"method\":\"%s\",\"success\":false}", words, method);
    emulated_say(peer, text, (size_t)len);
}

static void subscribe(struct emulated_peer *peer, struct json *json, const struct json_node *root,
                      const char *method)
{
    const struct json_node *params = json_get(json, root, "params"),
                           *symbols = json_get(json, params, "symbol");
    char channel[EMULATED_CHANNEL_MAX], symbol[EMULATED_SYMBOL_MAX];
    uint64_t depth = USUAL_DEPTH;
    if (json_text(json_get(json, params, "channel"), channel, sizeof channel) != OK || !symbols ||
        symbols->kind != JSON_ARRAY) {
        say_wrong(peer, method, "Event(s) not found");
        return;
    }
    const struct json_node *told = json_get(json, params, "depth");
    if (told && (json_u64(told, &depth) != OK ||
                 (depth != 10 && depth != 25 && depth != 100 && depth != 500 && depth != 1000))) {
        say_wrong(peer, method, "Subscription depth not supported");
        return;
    }
    struct asked asked = {method, channel, (uint32_t)depth, json_get(json, root, "req_id")};
    for (const struct json_node *s = json_first(json, symbols); s; s = json_after(json, symbols, s))
        if (json_text(s, symbol, sizeof symbol) == OK)
            change(peer, &asked, symbol);
}

static void message(struct emulated_peer *peer, struct json *json, const char *text, size_t len)
{
    const struct json_node *root = json_parse(json, text, len) == OK ? json_root(json) : NULL;
    const struct json_node *method = json_get(json, root, "method");
    if (json_is(method, "ping")) {
        struct words out = {0};
        words_add(&out, "{\"method\":\"pong\"");
        put_end(&out, peer, json_get(json, root, "req_id"));
        emulated_say(peer, out.at, out.len);
        words_free(&out);
    } else if (json_is(method, "subscribe")) {
        subscribe(peer, json, root, "subscribe");
    } else if (json_is(method, "unsubscribe")) {
        subscribe(peer, json, root, "unsubscribe");
    } else {
        say_wrong(peer, "", "Method(s) not found");
    }
}

/* ---- what goes out ----------------------------------------------------------------------------------- */

static void dress(struct words *out, const char *name, uint32_t style, const char *text, size_t len)
{
    (void)name;
    (void)style;
    words_put(out, text, len);
}

/* Digits behind the point are as many in each number of a pair. */
static int decimals(int book_exp, const struct inst *inst, bool price)
{
    int exp = book_exp;
    if (inst && (price ? inst->price_exp : inst->qty_exp) < exp)
        exp = price ? inst->price_exp : inst->qty_exp;
    return exp < 0 ? -exp : 0;
}

static void put_digits(struct words *out, int64_t m, int exp, int behind)
{
    struct words text = {0};
    bool begun = false;
    words_decimal(&text, m, exp, behind);
    for (size_t i = 0; i < text.len; i++) {
        begun |= text.at[i] != '0' && text.at[i] != '.';
        if (begun && text.at[i] != '.')
            words_put(out, &text.at[i], 1);
    }
    words_free(&text);
}

static uint32_t checksum(const struct l2_book *book, const struct inst *inst)
{
    static const enum side order[] = {SIDE_SELL, SIDE_BUY};
    struct words text = {0};
    struct level level;
    int price = l2_book_price_exp(book), qty = l2_book_qty_exp(book);
    for (int s = 0; s < 2; s++)
        for (uint32_t i = 0; i < CHECKED_LEVELS && l2_book_level(book, order[s], i, &level); i++) {
            put_digits(&text, level.price, price, decimals(price, inst, true));
            put_digits(&text, level.qty, qty, decimals(qty, inst, false));
        }
    uint32_t sum = (uint32_t)crc32(0, (const Bytef *)text.at, (uInt)text.len);
    words_free(&text);
    return sum;
}

static void put_levels(struct words *out, const struct l2_book *book, enum side side, const struct inst *inst)
{
    struct level level;
    int price = l2_book_price_exp(book), qty = l2_book_qty_exp(book);
    for (uint32_t i = 0; l2_book_level(book, side, i, &level); i++) {
        words_add(out, "%s{\"price\":", i ? "," : "");
        words_decimal(out, level.price, price, decimals(price, inst, true));
        words_add(out, ",\"qty\":");
        words_decimal(out, level.qty, qty, decimals(qty, inst, false));
        words_add(out, "}");
    }
}

static void snapshot(struct words *out, const struct venue_book *book, const struct snapshot_wish *wish)
{
    words_add(out, "{\"channel\":\"book\",\"type\":\"snapshot\",\"data\":[{\"symbol\":\"%s\",\"bids\":[",
              book->inst.venue_symbol);
    put_levels(out, book->book, SIDE_BUY, wish->inst);
    words_add(out, "],\"asks\":[");
    put_levels(out, book->book, SIDE_SELL, wish->inst);
    words_add(out, "],\"checksum\":%" PRIu32 "}]}", checksum(book->book, wish->inst));
}

/* ---- answers ----------------------------------------------------------------------------------------- */

/* The names of its older interface, in which pairs are listed. */
static const char *old_name(const char *currency)
{
    if (strcmp(currency, "BTC") == 0)
        return "XBT";
    return strcmp(currency, "DOGE") == 0 ? "XDG" : currency;
}

static void put_pair(struct words *out, const struct inst *inst)
{
    char tick[DEC_TEXT_MAX], lot[DEC_TEXT_MAX];
    const char *base = old_name(inst->base), *quote = old_name(inst->quote);
    (void)dec_format(emulated_tick(inst), tick);
    (void)dec_format(emulated_lot(inst), lot);
    words_add(out,
              "\"%s%s\":{\"altname\":\"%s%s\",\"wsname\":\"%s/%s\",\"base\":\"%s\",\"quote\":\"%s\","
              "\"pair_decimals\":%d,\"lot_decimals\":%d,\"lot_multiplier\":1,\"fees\":[[0,0.4]],"
              "\"fees_maker\":[[0,0.25]],\"ordermin\":\"%s\",\"costmin\":\"0.5\",\"tick_size\":\"%s\","
              "\"status\":\"online\"}",
              base, quote, base, quote, base, quote, base, quote, inst->price_exp < 0 ? -inst->price_exp : 0,
              inst->qty_exp < 0 ? -inst->qty_exp : 0, lot, tick);
}

static void on_request(struct emulated_request *request, const char *path)
{
    static const char missing[] = "{\"error\":[\"EGeneral:Unknown method\"]}";
    const struct inst *inst;
    struct words out = {0};
    uint32_t n = 0;
    if (strncmp(path, "/0/public/AssetPairs", 20) != 0) {
        emulated_answer(request, 404, missing, sizeof missing - 1);
        return;
    }
    words_add(&out, "{\"error\":[],\"result\":{");
    for (uint32_t i = 0; (inst = emulated_instrument(emulated_asked(request), i)) != NULL; i++) {
        if (!*inst->base)
            continue;
        words_add(&out, n++ ? "," : "");
        put_pair(&out, inst);
    }
    words_add(&out, "}}");
    emulated_answer(request, out.failed ? 500 : 200, out.failed ? "{}" : out.at, out.failed ? 2 : out.len);
    words_free(&out);
}

static const char *const times[] = {"timestamp", NULL};

const struct emulation kraken_emulation = {.venue = "kraken",
                                           .on_stream = true,
                                           .limits = {.connects = 150, .connects_ns = 600 * NS_PER_SEC},
                                           .times = times,
                                           .heartbeat = "{\"channel\":\"heartbeat\"}",
                                           .heartbeat_ns = NS_PER_SEC,
                                           .read = read_message,
                                           .opened = opened,
                                           .message = message,
                                           .request = on_request,
                                           .dress = dress,
                                           .snapshot = snapshot};
