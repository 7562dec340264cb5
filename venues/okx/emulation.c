/* OKX as its clients see it: channels of instruments, an acknowledgement for each, books that begin with a snapshot on
 * the connection. The channels of whole depth differ in their pace only: each is played from the one recorded. */
#include "venues/okx/emulation.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "lib/base/text.h"
#include "venues/emulator/emulator.h"
#include "venues/url.h"

enum { CHECKED_LEVELS = 25 };

/* ---- what was recorded ------------------------------------------------------------------------------- */

static bool is_whole_depth(const char *channel)
{
    return strcmp(channel, "books") == 0 || strcmp(channel, "books-l2-tbt") == 0 ||
           strcmp(channel, "books50-l2-tbt") == 0;
}

static bool read_arg(struct json *json, const struct json_node *arg, struct played *out)
{
    *out = (struct played){0};
    if (json_text(json_get(json, arg, "channel"), out->channel, sizeof out->channel) != OK ||
        json_text(json_get(json, arg, "instId"), out->symbol, sizeof out->symbol) != OK)
        return false;
    out->book = is_whole_depth(out->channel);
    if (out->book)
        (void)text_set(out->channel, sizeof out->channel, "books");
    return true;
}

static bool read_message(struct json *json, const struct frame *frame, struct played *out)
{
    *out = (struct played){0};
    if (json_parse(json, frame->text, frame->len) != OK)
        return false;
    const struct json_node *root = json_root(json);
    if (!json_get(json, root, "data") || !read_arg(json, json_get(json, root, "arg"), out))
        return false;
    out->snapshot = out->book && json_is(json_get(json, root, "action"), "snapshot");
    return true;
}

/* ---- what clients say -------------------------------------------------------------------------------- */

static void say(struct emulated_peer *peer, struct words *out)
{
    if (!out->failed)
        emulated_say(peer, out->at, out->len);
    words_clear(out);
}

static void say_error(struct emulated_peer *peer, struct words *out, const char *code, const char *words)
{
    words_add(out, "{\"event\":\"error\",\"code\":\"%s\",\"msg\":\"%s\",\"connId\":\"e3a0f1c7\"}", code,
              words);
    say(peer, out);
}

static void change(struct emulated_peer *peer, struct words *out, struct json *json,
                   const struct json_node *arg, bool on)
{
    struct played played;
    char channel[EMULATED_CHANNEL_MAX];
    if (!read_arg(json, arg, &played) ||
        json_text(json_get(json, arg, "channel"), channel, sizeof channel) != OK) {
        say_error(peer, out, "60012", "Invalid request: channel and instId are expected");
        return;
    }
    if (!emulated_knows(emulated_by(peer), played.symbol)) {
        char words[160];
        (void)snprintf(words, sizeof words, "Wrong URL or channel:%s,instId:%s doesn't exist.", channel,
                       played.symbol);
        say_error(peer, out, "60018", words);
        return;
    }
    words_add(out,
              "{\"event\":\"%s\",\"arg\":{\"channel\":\"%s\",\"instId\":\"%s\"},\"connId\":\"e3a0f1c7\"}",
              on ? "subscribe" : "unsubscribe", channel, played.symbol);
    say(peer, out);
    if (on)
        (void)emulated_subscribe(peer, played.channel, played.symbol, channel);
    else
        emulated_unsubscribe(peer, played.channel, played.symbol);
}

static void message(struct emulated_peer *peer, struct json *json, const char *text, size_t len)
{
    struct words out = {0};
    if (len == 4 && memcmp(text, "ping", 4) == 0) {
        emulated_say(peer, "pong", 4);
        return;
    }
    const struct json_node *root = json_parse(json, text, len) == OK ? json_root(json) : NULL;
    const struct json_node *op = json_get(json, root, "op"), *args = json_get(json, root, "args");
    bool on = json_is(op, "subscribe");
    if (!args || args->kind != JSON_ARRAY || (!on && !json_is(op, "unsubscribe")))
        say_error(peer, &out, "60012", "Invalid request: op and args are expected");
    else
        for (const struct json_node *arg = json_first(json, args); arg; arg = json_after(json, args, arg))
            change(peer, &out, json, arg, on);
    words_free(&out);
}

/* ---- what goes out ----------------------------------------------------------------------------------- */

/* The channel's name becomes the client's. */
static void dress(struct words *out, const char *name, uint32_t style, const char *text, size_t len)
{
    static const char key[] = "\"channel\":\"";
    const char *at = strstr(text, key), *end = at ? strchr(at + sizeof key - 1, '"') : NULL;
    (void)style;
    if (!end) {
        words_put(out, text, len);
        return;
    }
    at += sizeof key - 1;
    words_put(out, text, (size_t)(at - text));
    words_put(out, name, strlen(name));
    words_put(out, end, len - (size_t)(end - text));
}

static void put_levels(struct words *out, const struct l2_book *book, enum side side)
{
    struct level level;
    char price[DEC_TEXT_MAX], qty[DEC_TEXT_MAX];
    for (uint32_t i = 0; l2_book_level(book, side, i, &level); i++) {
        (void)dec_format((struct dec){level.price, (int8_t)l2_book_price_exp(book)}, price);
        (void)dec_format((struct dec){level.qty, (int8_t)l2_book_qty_exp(book)}, qty);
        words_add(out, "%s[\"%s\",\"%s\",\"0\",\"1\"]", i ? "," : "", price, qty);
    }
}

static void put_checked(struct words *out, const struct l2_book *book, enum side side, uint32_t i)
{
    struct level level;
    char price[DEC_TEXT_MAX], qty[DEC_TEXT_MAX];
    if (!l2_book_level(book, side, i, &level))
        return;
    (void)dec_format((struct dec){level.price, (int8_t)l2_book_price_exp(book)}, price);
    (void)dec_format((struct dec){level.qty, (int8_t)l2_book_qty_exp(book)}, qty);
    words_add(out, "%s%s:%s", out->len ? ":" : "", price, qty);
}

/* Signed, of the best levels, bid and ask by turns. */
static int32_t checksum(const struct l2_book *book)
{
    struct words text = {0};
    for (uint32_t i = 0; i < CHECKED_LEVELS; i++) {
        put_checked(&text, book, SIDE_BUY, i);
        put_checked(&text, book, SIDE_SELL, i);
    }
    uint32_t sum = (uint32_t)crc32(0, (const Bytef *)text.at, (uInt)text.len);
    words_free(&text);
    return (int32_t)sum;
}

static void snapshot(struct words *out, const struct venue_book *book, const struct snapshot_wish *wish)
{
    words_add(out,
              "{\"arg\":{\"channel\":\"%s\",\"instId\":\"%s\"},\"action\":\"snapshot\",\"data\":[{\"asks\":[",
              wish->name, book->inst.venue_symbol);
    put_levels(out, book->book, SIDE_SELL);
    words_add(out, "],\"bids\":[");
    put_levels(out, book->book, SIDE_BUY);
    words_add(out, "],\"ts\":\"%" PRId64 "\",\"checksum\":%" PRId32, wish->venue_time / NS_PER_MS,
              checksum(book->book));
    if (book->venue_seq > 0)
        words_add(out, ",\"prevSeqId\":-1,\"seqId\":%" PRIu64, book->venue_seq);
    words_add(out, "}]}");
}

/* ---- answers ----------------------------------------------------------------------------------------- */

static const char *type_of(const struct inst *inst)
{
    size_t len = strlen(inst->venue_symbol);
    if (len > 5 && strcmp(inst->venue_symbol + len - 5, "-SWAP") == 0)
        return "SWAP";
    return inst->kind == KIND_SPOT ? "SPOT" : "FUTURES";
}

static void put_instrument(struct words *out, const struct inst *inst)
{
    char tick[DEC_TEXT_MAX], lot[DEC_TEXT_MAX], multiplier[DEC_TEXT_MAX];
    bool spot = inst->kind == KIND_SPOT;
    (void)dec_format(emulated_tick(inst), tick);
    (void)dec_format(emulated_lot(inst), lot);
    (void)dec_format(inst->multiplier, multiplier);
    words_add(
        out,
        "{\"instType\":\"%s\",\"instId\":\"%s\",\"baseCcy\":\"%s\",\"quoteCcy\":\"%s\",\"settleCcy\":\"%s\","
        "\"ctVal\":\"%s\",\"ctMult\":\"%s\",\"ctValCcy\":\"%s\",\"ctType\":\"%s\",\"tickSz\":\"%s\","
        "\"lotSz\":\"%s\",\"minSz\":\"%s\",\"state\":\"live\"}",
        type_of(inst), inst->venue_symbol, spot ? inst->base : "", spot ? inst->quote : "",
        spot ? "" : inst->settle, spot ? "" : multiplier, spot ? "" : "1",
        spot                         ? ""
        : inst->kind == KIND_INVERSE ? inst->quote
                                     : inst->base,
        spot                         ? ""
        : inst->kind == KIND_INVERSE ? "inverse"
                                     : "linear",
        tick, lot, lot);
}

static void on_request(struct emulated_request *request, const char *path)
{
    static const char missing[] = "{\"code\":\"51000\",\"data\":[],\"msg\":\"Parameter instType error\"}";
    const struct inst *inst;
    struct words out = {0};
    struct url url;
    char whole[1024], type[16], one[EMULATED_SYMBOL_MAX] = "";
    uint32_t n = 0;
    (void)snprintf(whole, sizeof whole, "http://emulated%s", path);
    if (!url_read(whole, &url) || !url_path_ends(&url, "/api/v5/public/instruments") ||
        !url_query(&url, "instType", type, sizeof type)) {
        emulated_answer(request, 400, missing, sizeof missing - 1);
        return;
    }
    if (!emulated_weigh(request, 1))
        return;
    (void)url_query(&url, "instId", one, sizeof one);
    words_add(&out, "{\"code\":\"0\",\"msg\":\"\",\"data\":[");
    for (uint32_t i = 0; (inst = emulated_instrument(emulated_asked(request), i)) != NULL; i++) {
        if (strcmp(type_of(inst), type) != 0 || (*one && strcmp(one, inst->venue_symbol) != 0))
            continue;
        words_add(&out, n++ ? "," : "");
        put_instrument(&out, inst);
    }
    words_add(&out, "]}");
    emulated_answer(request, out.failed ? 500 : 200, out.failed ? "{}" : out.at, out.failed ? 2 : out.len);
    words_free(&out);
}

static const char *const times[] = {"ts", NULL};

const struct emulation okx_emulation = {.venue = "okx",
                                        .on_stream = true,
                                        .limits = {.sends = 480,
                                                   .sends_ns = 3600 * NS_PER_SEC,
                                                   .connects = 3,
                                                   .connects_ns = NS_PER_SEC,
                                                   .weight = 20,
                                                   .weight_ns = 2 * NS_PER_SEC,
                                                   .idle_ns = 30 * NS_PER_SEC},
                                        .times = times,
                                        .read = read_message,
                                        .message = message,
                                        .request = on_request,
                                        .dress = dress,
                                        .snapshot = snapshot};
