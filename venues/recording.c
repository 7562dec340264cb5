/* Reading recorded traffic. zlib reads gzip of one or several members, and what is not gzip as it is. */
#include "venues/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/base/json.h"

enum { CHUNK = 256 * 1024, LINE_MAX_BYTES = 256 * 1024 * 1024 };

/* A text that grows to the longest seen. */
struct text {
    char *at;
    size_t cap;
};

struct recording {
    gzFile file;
    uint64_t size;
    struct text buffer; /* what is read and not yet handed out is from start to end */
    size_t start;
    size_t end;
    bool ended;
    bool damaged;
    uint64_t line;
    int64_t last_ns;
    struct json *json;
    struct text url;
    struct text body;
    char damage[96];
    char error[160];
};

static bool make_room(struct text *text, size_t bytes)
{
    if (bytes <= text->cap)
        return true;
    size_t cap = text->cap ? text->cap : 1024;
    while (cap < bytes)
        cap *= 2;
    char *at = realloc(text->at, cap);
    if (!at)
        return false;
    text->at = at;
    text->cap = cap;
    return true;
}

/* ---- opening ---------------------------------------------------------------------------------------- */

static int open_file(struct recording *self, const char *path, char *error, size_t cap)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0) {
        snprintf(error, cap, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return E_IO;
    }
    if (S_ISDIR(about.st_mode)) {
        snprintf(error, cap, "%s: is a directory, expected a recording", path);
        close(fd);
        return E_IO;
    }
    self->size = (uint64_t)about.st_size;
    self->file = gzdopen(fd, "rb");
    if (!self->file) {
        snprintf(error, cap, "%s: out of memory", path);
        close(fd);
        return E_IO;
    }
    gzbuffer(self->file, CHUNK);
    return OK;
}

int recording_open(const char *path, struct recording **out, char *error, size_t error_cap)
{
    struct recording *self = calloc(1, sizeof *self);
    *out = NULL;
    if (self)
        self->json = json_new();
    if (!self || !self->json || !make_room(&self->buffer, CHUNK) || !make_room(&self->url, 1) ||
        !make_room(&self->body, 1)) {
        snprintf(error, error_cap, "%s: out of memory", path);
        recording_close(&self);
        return E_IO;
    }
    int status = open_file(self, path, error, error_cap);
    if (status != OK)
        recording_close(&self);
    *out = self;
    return status;
}

void recording_close(struct recording **self)
{
    if (!*self)
        return;
    if ((*self)->file)
        gzclose((*self)->file);
    json_destroy(&(*self)->json);
    free((*self)->buffer.at);
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
    z_off_t at = gzoffset(self->file);
    return at < 0 ? 0 : (uint64_t)at;
}

uint64_t recording_size(const struct recording *self)
{
    return self->size;
}

/* ---- lines ------------------------------------------------------------------------------------------ */

static void fill(struct recording *self)
{
    if (self->start > 0) {
        memmove(self->buffer.at, self->buffer.at + self->start, self->end - self->start);
        self->end -= self->start;
        self->start = 0;
    }
    if (self->end >= LINE_MAX_BYTES || !make_room(&self->buffer, self->end + CHUNK)) {
        self->damaged = true;
        snprintf(self->damage, sizeof self->damage, "a line longer than %d bytes, or out of memory",
                 LINE_MAX_BYTES);
        return;
    }
    int got = gzread(self->file, self->buffer.at + self->end, CHUNK);
    if (got > 0)
        self->end += (size_t)got;
    if (got == CHUNK)
        return;
    int code = Z_OK;
    const char *why = gzerror(self->file, &code);
    if (code == Z_OK || code == Z_STREAM_END) {
        self->ended = got <= 0;
        return;
    }
    self->damaged = true;
    const char *words = strstr(why, ": "); /* behind zlib's name for the file */
    snprintf(self->damage, sizeof self->damage, "%.90s",
             code == Z_ERRNO ? strerror(errno)
             : words         ? words + 2
                             : why);
}

/* The next line, without its end. 1, 0 at the end, E_IO. What stands before a damage is still handed out. */
static int next_line(struct recording *self, const char **line, size_t *len)
{
    size_t seen = self->start;
    for (;;) {
        char *end = memchr(self->buffer.at + seen, '\n', self->end - seen);
        if (end) {
            *line = self->buffer.at + self->start;
            *len = (size_t)(end - *line);
            self->start += *len + 1;
            return 1;
        }
        if (self->damaged)
            return E_IO;
        if (self->ended) {
            *line = self->buffer.at + self->start;
            *len = self->end - self->start;
            self->start = self->end;
            return *len > 0;
        }
        seen = self->end - self->start;
        fill(self);
    }
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
    if (!make_room(&self->body, from->len + 1))
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
    if (!make_room(&self->url, node->len + 1))
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

int recording_next(struct recording *self, struct recorded_line *out)
{
    const char *text;
    size_t len;
    int got = next_line(self, &text, &len);
    if (got == E_IO)
        snprintf(self->error, sizeof self->error, "damaged behind line %llu: %s",
                 (unsigned long long)self->line, self->damage);
    if (got != 1)
        return got;
    memset(out, 0, sizeof *out);
    out->line = ++self->line;
    out->frame.url = "";
    out->frame.text = "";
    out->readable = read_line(self, text, len, out);
    return 1;
}
