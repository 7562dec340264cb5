/* Upbit as its clients see it: one array of wishes a request, the later replacing the former, no acknowledgement,
 * silence for codes that do not exist, binary frames. Recordings may be in the short form of names or the long one, and
 * a client gets the one it asked for. */
#include "venues/upbit/emulation.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "venues/emulator/emulator.h"
#include "venues/url.h"

enum { SHORT_NAMES = 1, AS_LIST = 2 };

/* Name of a subscription that wants no snapshot. */
static const char only_realtime[] = "realtime";

static const char *const keys[][2] = {{"ty", "type"},
                                      {"cd", "code"},
                                      {"tms", "timestamp"},
                                      {"tas", "total_ask_size"},
                                      {"tbs", "total_bid_size"},
                                      {"obu", "orderbook_units"},
                                      {"ap", "ask_price"},
                                      {"bp", "bid_price"},
                                      {"as", "ask_size"},
                                      {"bs", "bid_size"},
                                      {"st", "stream_type"},
                                      {"lv", "level"},
                                      {"td", "trade_date"},
                                      {"ttm", "trade_time"},
                                      {"ttms", "trade_timestamp"},
                                      {"tp", "trade_price"},
                                      {"tv", "trade_volume"},
                                      {"ab", "ask_bid"},
                                      {"pcp", "prev_closing_price"},
                                      {"c", "change"},
                                      {"cp", "change_price"},
                                      {"sid", "sequential_id"}};
enum { N_KEYS = sizeof keys / sizeof keys[0] };

/* ---- what was recorded ------------------------------------------------------------------------------- */

static const struct json_node *either(struct json *json, const struct json_node *object, const char *a,
                                      const char *b)
{
    const struct json_node *found = json_get(json, object, a);
    return found ? found : json_get(json, object, b);
}

static bool read_message(struct json *json, const struct frame *frame, struct played *out)
{
    *out = (struct played){0};
    if (json_parse(json, frame->text, frame->len) != OK)
        return false;
    const struct json_node *root = json_root(json);
    const struct json_node *type = either(json, root, "ty", "type");
    if (root->kind != JSON_OBJECT || json_text(type, out->channel, sizeof out->channel) != OK ||
        json_text(either(json, root, "cd", "code"), out->symbol, sizeof out->symbol) != OK)
        return false;
    out->book = strcmp(out->channel, "orderbook") == 0;
    return true;
}

/* ---- what clients say -------------------------------------------------------------------------------- */

static void say_error(struct emulated_peer *peer, const char *name, const char *words)
{
    char text[160];
    int len = snprintf(text, sizeof text, "{\"error\":{\"name\":\"%s\",\"message\":\"%s\"}}", name, words);
    emulated_say(peer, text, (size_t)len);
    emulated_leave(peer);
}

static void subscribe_codes(struct emulated_peer *peer, struct json *json, const char *type,
                            const struct json_node *part)
{
    const struct json_node *codes = json_get(json, part, "codes");
    const struct json_node *only = either(json, part, "is_only_realtime", "isOnlyRealtime");
    bool plain = only && only->kind == JSON_TRUE;
    for (const struct json_node *c = json_first(json, codes); c; c = json_after(json, codes, c)) {
        char code[EMULATED_SYMBOL_MAX];
        if (json_text(c, code, sizeof code) != OK)
            continue;
        char *units = strchr(code, '.');
        if (units)
            *units = '\0';
        /* An unknown code is passed over without a word. */
        if (emulated_knows(emulated_by(peer), code))
            (void)emulated_subscribe(peer, type, code, plain ? only_realtime : code);
    }
}

static void subscribe_all(struct emulated_peer *peer, struct json *json, const struct json_node *root)
{
    for (const struct json_node *part = json_first(json, root); part; part = json_after(json, root, part)) {
        char type[EMULATED_CHANNEL_MAX];
        if (json_text(json_get(json, part, "type"), type, sizeof type) == OK)
            subscribe_codes(peer, json, type, part);
    }
}

static uint32_t format_of(struct json *json, const struct json_node *root)
{
    for (const struct json_node *part = json_first(json, root); part; part = json_after(json, root, part)) {
        const struct json_node *format = json_get(json, part, "format");
        if (format)
            return (json_is(format, "SIMPLE") || json_is(format, "SIMPLE_LIST") ? SHORT_NAMES : 0) |
                   (json_is(format, "JSON_LIST") || json_is(format, "SIMPLE_LIST") ? AS_LIST : 0);
    }
    return 0;
}

/* The name of what is wrong; NULL: nothing is. */
static const char *first_error(struct json *json, const struct json_node *root)
{
    bool type = false;
    const struct json_node *ticket = json_first(json, root);
    if (!json_get(json, ticket, "ticket"))
        return "NO_TICKET";
    for (const struct json_node *part = ticket; part; part = json_after(json, root, part)) {
        if (json_get(json, part, "method"))
            return NULL;
        if (!json_get(json, part, "type"))
            continue;
        type = true;
        const struct json_node *codes = json_get(json, part, "codes");
        if (!codes || codes->kind != JSON_ARRAY || codes->size == 0)
            return "NO_CODES";
    }
    return type ? NULL : "NO_TYPE";
}

static void message(struct emulated_peer *peer, struct json *json, const char *text, size_t len)
{
    static const char up[] = "{\"status\":\"UP\"}";
    if (len == 4 && memcmp(text, "PING", 4) == 0) {
        emulated_say(peer, up, sizeof up - 1);
        return;
    }
    if (json_parse(json, text, len) != OK || json_root(json)->kind != JSON_ARRAY) {
        say_error(peer, "WRONG_FORMAT", "a JSON array is expected");
        return;
    }
    const struct json_node *root = json_root(json);
    const char *error = first_error(json, root);
    if (error) {
        say_error(peer, error, "the request is incomplete");
        return;
    }
    *emulated_style(peer) = format_of(json, root);
    emulated_unsubscribe_all(peer);
    subscribe_all(peer, json, root);
}

/* ---- what goes out ----------------------------------------------------------------------------------- */

/* The key that begins behind the quote at p; its length, or 0 where p begins no key. */
static size_t key_len(const char *p, const char *end)
{
    const char *stop = memchr(p + 1, '"', (size_t)(end - p - 1));
    return stop && stop + 1 < end && stop[1] == ':' ? (size_t)(stop - p - 1) : 0;
}

static const char *renamed(const char *key, size_t len, int to)
{
    for (size_t i = 0; i < N_KEYS; i++)
        if (strlen(keys[i][!to]) == len && memcmp(keys[i][!to], key, len) == 0)
            return keys[i][to];
    return NULL;
}

/* Keys stand in quotes before a colon, and no text of theirs has a quote in it: the numbers stay as they are. */
static void dress(struct words *out, const char *name, uint32_t style, const char *text, size_t len)
{
    const char *end = text + len, *done = text;
    int to = style & SHORT_NAMES ? 0 : 1;
    (void)name;
    if (style & AS_LIST)
        words_put(out, "[", 1);
    for (const char *p = text; (p = memchr(p, '"', (size_t)(end - p))) != NULL; p++) {
        size_t key = key_len(p, end);
        const char *other = key ? renamed(p + 1, key, to) : NULL;
        if (other) {
            words_put(out, done, (size_t)(p + 1 - done));
            words_put(out, other, strlen(other));
            done = p + 1 + key;
        }
        const char *stop = memchr(p + 1, '"', (size_t)(end - p - 1));
        if (!stop)
            break;
        p = stop;
    }
    words_put(out, done, (size_t)(end - done));
    if (style & AS_LIST)
        words_put(out, "]", 1);
}

/* A subscription begins with the book as it is, unless changes alone were asked for. */
static void first(struct words *out, const char *name, const char *text, size_t len)
{
    static const char real[] = "\"REALTIME\"", whole[] = "\"SNAPSHOT\"";
    const char *at = strstr(text, real);
    if (!at || strcmp(name, only_realtime) == 0)
        return;
    words_put(out, text, (size_t)(at - text));
    words_put(out, whole, sizeof whole - 1);
    at += sizeof real - 1;
    words_put(out, at, len - (size_t)(at - text));
}

/* ---- answers ----------------------------------------------------------------------------------------- */

static bool is_asked(const char *markets, const char *code)
{
    size_t len = strlen(code);
    for (const char *at = strstr(markets, code); at; at = strstr(at + 1, code))
        if ((at == markets || at[-1] == ',') && (at[len] == ',' || at[len] == '\0'))
            return true;
    return false;
}

static void put_market(struct words *out, const struct inst *inst)
{
    words_add(out,
              "{\"market\":\"%s\",\"korean_name\":\"%s\",\"english_name\":\"%s\",\"market_warning\":\"NONE\","
              "\"market_event\":{\"warning\":false,\"caution\":{}}}",
              inst->venue_symbol, inst->base, inst->base);
}

static void put_terms(struct words *out, const struct inst *inst)
{
    char tick[DEC_TEXT_MAX];
    (void)dec_format(emulated_tick(inst), tick);
    words_add(
        out,
        "{\"market\":\"%s\",\"quote_currency\":\"%s\",\"tick_size\":\"%s\",\"supported_levels\":[\"0\"]}",
        inst->venue_symbol, inst->quote, tick);
}

static void put_book(struct words *out, const struct emulator *emulator, const struct inst *inst)
{
    const struct words *last = emulated_last(emulator, "orderbook", inst->venue_symbol);
    if (last)
        dress(out, "", 0, last->at, last->len);
}

static void answer_list(struct emulated_request *request, const char *markets, int what)
{
    const struct emulator *emulator = emulated_asked(request);
    const struct inst *inst;
    struct words out = {0};
    words_put(&out, "[", 1);
    for (uint32_t i = 0; (inst = emulated_instrument(emulator, i)) != NULL; i++) {
        if (!*inst->symbol || (markets && !is_asked(markets, inst->venue_symbol)))
            continue;
        size_t before = out.len;
        if (before > 1)
            words_put(&out, ",", 1);
        size_t begun = out.len;
        if (what == 0)
            put_market(&out, inst);
        else if (what == 1)
            put_terms(&out, inst);
        else
            put_book(&out, emulator, inst);
        if (out.len == begun)
            out.len = before;
    }
    words_put(&out, "]", 1);
    emulated_answer(request, out.failed ? 500 : 200, out.failed ? "{}" : out.at, out.failed ? 2 : out.len);
    words_free(&out);
}

static void on_request(struct emulated_request *request, const char *path)
{
    static const char missing[] = "{\"error\":{\"name\":404,\"message\":\"Code not found\"}}";
    char whole[4096 + 64], markets[4096] = "";
    struct url url;
    (void)snprintf(whole, sizeof whole, "http://emulated%s", path);
    if (!emulated_weigh(request, 1))
        return;
    bool readable = url_read(whole, &url),
         some = readable && url_query(&url, "markets", markets, sizeof markets);
    if (readable && url_path_ends(&url, "/v1/market/all"))
        answer_list(request, NULL, 0);
    else if (some && url_path_ends(&url, "/v1/orderbook/instruments"))
        answer_list(request, markets, 1);
    else if (some && url_path_ends(&url, "/v1/orderbook"))
        answer_list(request, markets, 2);
    else
        emulated_answer(request, 404, missing, sizeof missing - 1);
}

static const char *const times[] = {"tms", "timestamp", "ttms", "trade_timestamp", NULL};

const struct emulation upbit_emulation = {.venue = "upbit",
                                          .binary = true,
                                          .whole = true,
                                          .limits = {.sends = 5,
                                                     .sends_ns = NS_PER_SEC,
                                                     .connects = 5,
                                                     .connects_ns = NS_PER_SEC,
                                                     .weight = 10,
                                                     .weight_ns = NS_PER_SEC,
                                                     .idle_ns = 120 * NS_PER_SEC},
                                          .times = times,
                                          .read = read_message,
                                          .message = message,
                                          .request = on_request,
                                          .dress = dress,
                                          .first = first};
