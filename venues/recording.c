/* What recorded traffic says, line by line. */
#include "venues/recording.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "venues/recording_files.h"

/* A connection that the lines so far have named. */
struct seen_conn {
    uint32_t conn;
    char *url;
};

struct recording {
    struct recording_files *files;
    uint64_t line;
    int64_t last_ns;
    struct json *json;
    struct text url;
    struct text body;
    struct seen_conn *seen;
    uint32_t n_seen, seen_cap;
    uint32_t
        n_closing; /* of those seen, the ones that the line at hand waits for: another life of the feed begins */
    const char *waiting;
    size_t waiting_len;
    char error[160];
};

int recording_open(const char *path, struct recording **out, char *error, size_t error_cap)
{
    struct recording *self = calloc(1, sizeof *self);
    *out = NULL;
    if (self)
        self->json = json_new();
    if (!self || !self->json || !text_room(&self->url, 1) || !text_room(&self->body, 1)) {
        snprintf(error, error_cap, "%s: out of memory", path);
        recording_close(&self);
        return E_IO;
    }
    int status = recording_files_open(path, &self->files, error, error_cap);
    if (status != OK)
        recording_close(&self);
    *out = self;
    return status;
}

static void forget_conns(struct recording *self)
{
    while (self->n_seen > 0)
        free(self->seen[--self->n_seen].url);
}

void recording_close(struct recording **self)
{
    if (!*self)
        return;
    recording_files_close(&(*self)->files);
    json_destroy(&(*self)->json);
    forget_conns(*self);
    free((*self)->seen);
    free((*self)->url.at);
    free((*self)->body.at);
    free(*self);
    *self = NULL;
}

const char *recording_error(const struct recording *self)
{
    return self->error;
}

uint64_t recording_consumed(const struct recording *self)
{
    return recording_files_consumed(self->files);
}

uint64_t recording_size(const struct recording *self)
{
    return recording_files_size(self->files);
}

/* ---- what a line says ------------------------------------------------------------------------------- */

static bool unreadable(struct recording *self, const char *what, const char *found)
{
    snprintf(self->error, sizeof self->error, "line %llu: %s%.80s", (unsigned long long)self->line, what,
             found);
    return false;
}

static bool read_kind(struct recording *self, const struct json_node *node, enum frame_kind *out)
{
    static const struct {
        const char *name;
        enum frame_kind kind;
    } kinds[] = {{"ws", FRAME_WS}, {"http", FRAME_HTTP}, {"connect", FRAME_CONNECT}, {"close", FRAME_CLOSE}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (json_is(node, kinds[i].name)) {
            *out = kinds[i].kind;
            return true;
        }
    }
    return unreadable(self, "\"kind\": expected \"connect\", \"ws\" or \"http\"", "");
}

/* A line without a time was received when the one before it was. */
static int64_t read_time(struct recording *self, const struct json_node *root)
{
    int64_t ns;
    struct dec seconds;
    if (json_i64(json_get(self->json, root, "t_ns"), &ns) == OK)
        self->last_ns = ns;
    else if (json_dec(json_get(self->json, root, "t"), &seconds) == OK &&
             dec_mantissa(seconds, -9, ROUND_HALF_EVEN, &ns) == OK)
        self->last_ns = ns;
    return self->last_ns;
}

static int digit64(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Length of the bytes that base64 text stands for, or -1. out has room for 3/4 of len. */
static int decode64(const char *text, size_t len, char *out)
{
    uint32_t bits = 0, n_bits = 0;
    int n = 0;
    while (len > 0 && text[len - 1] == '=')
        len--;
    for (size_t i = 0; i < len; i++) {
        int digit = digit64(text[i]);
        if (digit < 0)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out[n++] = (char)(bits >> n_bits);
        }
    }
    return n_bits < 6 ? n : -1;
}

/* The message, as it was received: the text, or for compressed frames the bytes. */
static bool read_body(struct recording *self, const struct json_node *root, struct frame *frame)
{
    const struct json_node *msg = json_get(self->json, root, "msg");
    const struct json_node *b64 = json_get(self->json, root, "b64");
    const struct json_node *from = msg ? msg : b64;
    frame->text = "";
    frame->len = 0;
    if (!from && (frame->kind == FRAME_CONNECT || frame->kind == FRAME_CLOSE))
        return true;
    if (!from || from->kind != JSON_STRING)
        return unreadable(self, "\"msg\" or \"b64\": expected a string", "");
    if (!text_room(&self->body, from->len + 1))
        return unreadable(self, "out of memory", "");
    int len = msg ? json_unescape(from, self->body.at, self->body.cap)
                  : decode64(from->text, from->len, self->body.at);
    if (len < 0)
        return unreadable(self, msg ? "\"msg\": wrong escape" : "\"b64\": not base64", "");
    self->body.at[len] = '\0';
    frame->text = self->body.at;
    frame->len = (size_t)len;
    return true;
}

static bool read_url(struct recording *self, const struct json_node *node, struct frame *frame)
{
    if (!node || node->kind != JSON_STRING)
        return unreadable(self, "\"url\": expected a string", "");
    if (!text_room(&self->url, node->len + 1))
        return unreadable(self, "out of memory", "");
    int len = json_unescape(node, self->url.at, self->url.cap - 1);
    if (len < 0)
        return unreadable(self, "\"url\": wrong escape", "");
    self->url.at[len] = '\0';
    frame->url = self->url.at;
    return true;
}

static bool read_line(struct recording *self, const char *text, size_t len, struct recorded_line *out)
{
    if (json_parse(self->json, text, len) != OK)
        return unreadable(self, "not JSON: ", json_error(self->json));
    const struct json_node *root = json_root(self->json);
    if (root->kind != JSON_OBJECT)
        return unreadable(self, "expected a JSON object", "");
    uint64_t conn;
    if (!read_kind(self, json_get(self->json, root, "kind"), &out->frame.kind) ||
        !read_url(self, json_get(self->json, root, "url"), &out->frame))
        return false;
    out->inbound = !json_is(json_get(self->json, root, "dir"), "out");
    out->frame.recv_ns = read_time(self, root);
    if (json_u64(json_get(self->json, root, "conn"), &conn) == OK)
        out->frame.conn = (uint32_t)conn;
    return read_body(self, root, &out->frame);
}

/* ---- connections ------------------------------------------------------------------------------------ */

/* Notes which connections are there; what cannot be noted will not be closed by another life's beginning. */
static void note_conn(struct recording *self, const struct frame *frame)
{
    for (uint32_t i = 0; i < self->n_seen; i++)
        if (self->seen[i].conn == frame->conn)
            return;
    if (self->n_seen == self->seen_cap) {
        uint32_t cap = self->seen_cap ? 2 * self->seen_cap : 16;
        struct seen_conn *seen = realloc(self->seen, cap * sizeof *seen);
        if (!seen)
            return;
        self->seen = seen;
        self->seen_cap = cap;
    }
    char *url = strdup(frame->url);
    if (url)
        self->seen[self->n_seen++] = (struct seen_conn){frame->conn, url};
}

/* The close of a connection whose feed is gone. */
static void close_conn(struct recording *self, struct recorded_line *out)
{
    const struct seen_conn *seen = &self->seen[--self->n_closing];
    *out = (struct recorded_line){.line = self->line, .inbound = true, .readable = true};
    out->frame = (struct frame){
        .kind = FRAME_CLOSE, .conn = seen->conn, .url = seen->url, .text = "", .recv_ns = self->last_ns};
}

static void hand_out(struct recording *self, const char *text, size_t len, struct recorded_line *out)
{
    memset(out, 0, sizeof *out);
    out->line = ++self->line;
    out->frame.url = "";
    out->frame.text = "";
    out->readable = read_line(self, text, len, out);
    if (out->readable && (out->frame.kind == FRAME_CONNECT || out->frame.kind == FRAME_WS))
        note_conn(self, &out->frame);
}

int recording_next(struct recording *self, struct recorded_line *out)
{
    const char *text = self->waiting;
    size_t len = self->waiting_len;
    bool new_life = false;
    if (!text) {
        int got = recording_files_next(self->files, &text, &len, &new_life);
        if (got == E_IO)
            snprintf(self->error, sizeof self->error, "damaged behind line %llu: %s",
                     (unsigned long long)self->line, recording_files_damage(self->files));
        if (got != 1)
            return got;
    }
    if (new_life)
        self->n_closing = self->n_seen;
    if (self->n_closing > 0) {
        self->waiting = text;
        self->waiting_len = len;
        close_conn(self, out);
        return 1;
    }
    if (self->waiting)
        forget_conns(self);
    self->waiting = NULL;
    hand_out(self, text, len, out);
    return 1;
}
