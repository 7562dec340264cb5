#include "venues/recording_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/json.h"

enum { HEAD_MAX = 160 };

/* What is written, as far as there is room for it, and how long all of it is. */
struct sink {
    char *out;
    size_t cap, len;
};

static void put(struct sink *s, const char *text, size_t len)
{
    if (len <= s->cap && s->len <= s->cap - len)
        memcpy(s->out + s->len, text, len);
    s->len += len;
}

static bool is_plain(char c)
{
    return (unsigned char)c >= ' ' && c != '"' && c != '\\';
}

static void put_escaped(struct sink *s, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t plain = i;
        while (plain < len && is_plain(text[plain]))
            plain++;
        put(s, text + i, plain - i);
        i = plain;
        if (i == len)
            return;
        char escape[8];
        int n = text[i] == '"' || text[i] == '\\'
                    ? snprintf(escape, sizeof escape, "\\%c", text[i])
                    : snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)text[i]);
        put(s, escape, (size_t)n);
        i++;
    }
}

static void put_base64(struct sink *s, const char *text, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t bits =
            (uint32_t)bytes[i] << 16 | (n > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (n > 2 ? bytes[i + 2] : 0);
        char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63], n > 1 ? digits[bits >> 6 & 63] : '=',
                        n > 2 ? digits[bits & 63] : '='};
        put(s, four, sizeof four);
    }
}

static void put_member(struct sink *s, const char *head, const char *text, size_t len)
{
    put(s, head, strlen(head));
    put_escaped(s, text, len);
    put(s, "\"", 1);
}

size_t recording_line(const struct frame *frame, struct line_form form, char *out, size_t cap)
{
    static const char *const kinds[] = {
        [FRAME_CONNECT] = "connect", [FRAME_WS] = "ws", [FRAME_HTTP] = "http", [FRAME_CLOSE] = "close"};
    struct sink s = {out, cap, 0};
    char head[HEAD_MAX];
    int64_t ns = frame->recv_ns;
    bool out_of_us = form.outbound || frame->kind == FRAME_CONNECT;
    int len = snprintf(
        head, sizeof head,
        "{\"t\":%" PRId64 ".%09" PRId64 ",\"t_ns\":%" PRId64 ",\"dir\":\"%s\",\"kind\":\"%s\",\"conn\":%u",
        ns / NS_PER_SEC, ns % NS_PER_SEC, ns, out_of_us ? "out" : "in", kinds[frame->kind], frame->conn);
    put(&s, head, (size_t)len);
    put_member(&s, ",\"url\":\"", frame->url, strlen(frame->url));
    if (frame->kind == FRAME_WS || frame->kind == FRAME_HTTP) {
        if (json_utf8(frame->text, frame->len)) {
            put_member(&s, ",\"msg\":\"", frame->text, frame->len);
        } else {
            put(&s, ",\"b64\":\"", 8);
            put_base64(&s, frame->text, frame->len);
            put(&s, "\"", 1);
        }
    }
    if (form.binary)
        put(&s, ",\"bin\":true", 11);
    put(&s, "}\n", 2);
    return s.len;
}
