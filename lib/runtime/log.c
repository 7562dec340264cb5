/* The ring is one buffer of finished lines. It is filled by log_line and emptied from its front by log_flush;
 * what a slow sink does not take stays for the next flush, so that nobody waits for it.
 *
 * One thread only: the loop's.
 */
#include "lib/runtime/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/runtime/probe.h"

enum { RING_BYTES = 256 * 1024, LINE_MAX_BYTES = 2048, SERVICE_BYTES = 24 };

static struct {
    char service[SERVICE_BYTES];
    int file;       /* -1 = stderr */
    char path[256]; /* of the file; empty: it is never begun anew */
    int64_t bytes;  /* in the file */
    enum log_level least;
    bool json;
    char ring[RING_BYTES];
    size_t used;        /* bytes of whole lines in the ring, from its beginning */
    size_t done;        /* how much of them has been written */
    uint64_t dropped;   /* lines, since the last that told so */
    const char *format; /* of the last line */
    char event[48];
    enum log_level level;
    int64_t first_ns;  /* when the last line that was not folded came */
    uint64_t repeated; /* lines folded into it since */
} ring = {.file = -1, .least = LOG_INFO};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

int log_open(const char *service, const char *path, const char *level, const char *format)
{
    log_close();
    (void)text_set(ring.service, sizeof ring.service, service);
    ring.least = LOG_INFO;
    for (int i = 0; i < 4; i++) {
        if (strcmp(level, level_names[i]) == 0)
            ring.least = (enum log_level)i;
    }
    ring.json = strcmp(format, "json") == 0;
    if (path == NULL)
        return OK;
    ring.file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    struct stat file;
    if (ring.file < 0)
        return E_IO;
    const bool plain = fstat(ring.file, &file) == 0 && S_ISREG(file.st_mode);
    ring.bytes = plain ? file.st_size : 0;
    if (!plain || !text_set(ring.path, sizeof ring.path, path))
        ring.path[0] = '\0';
    return OK;
}

/* ---- one line ------------------------------------------------------------------------------------------- */

struct line {
    char text[LINE_MAX_BYTES];
    size_t len; /* at most LINE_MAX_BYTES - 1 */
};

static void put(struct line *l, const char *text, size_t len)
{
    const size_t room = sizeof l->text - 1 - l->len;
    const size_t n = len < room ? len : room;
    memcpy(l->text + l->len, text, n);
    l->len += n;
}

static void puts_to(struct line *l, const char *text)
{
    put(l, text, strlen(text));
}

/* Bytes that could end the line, end a JSON string or talk to a terminal go out escaped. What is no ASCII
 * passes in text; in JSON too, for fields are UTF-8 by the time they are logged. */
static void put_escaped(struct line *l, const char *text, size_t len, bool quoted)
{
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];
        char escape[8];
        if (c == '\n' || c == '\r' || c == '\t') {
            const char short_form[2] = {'\\', c == '\n' ? 'n' : c == '\r' ? 'r' : 't'};
            put(l, short_form, 2);
        } else if (c < 0x20 || c == 0x7f) {
            put(l, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", c));
        } else if (quoted && (c == '"' || c == '\\')) {
            const char pair[2] = {'\\', (char)c};
            put(l, pair, 2);
        } else {
            put(l, text + i, 1);
        }
    }
}

/* Whether a word begins a pair: a plain key, and '='. */
static bool begins_pair(const char *word)
{
    const size_t key = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
    return key > 0 && word[key] == '=';
}

/* The end of the "key=value" at `at`. A value in quotes ends with a quote that nothing but the next pair
 * follows; another goes on over spaces until the next pair. */
static const char *pair_end(const char *at)
{
    const char *equals = at + strcspn(at, "= ");
    if (equals[0] == '=' && equals[1] == '"') {
        for (const char *q = strchr(equals + 2, '"'); q != NULL; q = strchr(q + 1, '"')) {
            if (q[1] == '\0' || (q[1] == ' ' && begins_pair(q + 2)))
                return q + 1;
        }
    }
    const char *end = at + strcspn(at, " ");
    while (*end == ' ') {
        const char *word = end + strspn(end, " ");
        if (*word == '\0' || begins_pair(word))
            break;
        end = word + strcspn(word, " ");
    }
    return end;
}

static void put_pair(struct line *l, const char *pair, const char *end)
{
    const char *equals = memchr(pair, '=', (size_t)(end - pair));
    const char *value = equals != NULL ? equals + 1 : pair;
    size_t len = (size_t)(end - value);
    const char *key = equals != NULL ? pair : "text";
    const size_t key_len = equals != NULL ? (size_t)(equals - pair) : 4;
    if (len >= 2 && value[0] == '"' && value[len - 1] == '"') { /* the caller's own quotes */
        value++;
        len -= 2;
    }
    if (ring.json) {
        puts_to(l, ",\"");
        put_escaped(l, key, key_len, true);
        puts_to(l, "\":\"");
        put_escaped(l, value, len, true);
        puts_to(l, "\"");
        return;
    }
    bool quote = len == 0;
    for (size_t i = 0; i < len; i++)
        quote = quote || value[i] == ' ' || value[i] == '"';
    puts_to(l, " ");
    put_escaped(l, key, key_len, false);
    puts_to(l, quote ? "=\"" : "=");
    put_escaped(l, value, len, quote);
    if (quote)
        puts_to(l, "\"");
}

static void put_head(struct line *l, enum log_level level, const char *event, int64_t utc_ns)
{
    char time[32];
    clock_format(utc_ns, time);
    l->len = 0;
    puts_to(l, ring.json ? "{\"time\":\"" : "");
    puts_to(l, time);
    puts_to(l, ring.json ? "\",\"level\":\"" : " ");
    puts_to(l, level_names[level]);
    puts_to(l, ring.json ? "\",\"service\":\"" : " ");
    put_escaped(l, ring.service, strlen(ring.service), ring.json);
    puts_to(l, ring.json ? "\",\"event\":\"" : " ");
    put_escaped(l, event, strlen(event), ring.json);
    puts_to(l, ring.json ? "\"" : "");
}

static void put_count(struct line *l, const char *key, uint64_t count)
{
    char text[64];
    snprintf(text, sizeof text, ring.json ? ",\"%s\":%" PRIu64 : " %s=%" PRIu64, key, count);
    puts_to(l, text);
}

/* A line whose text was cut must still end as its format wants it. */
static void put_pairs(struct line *l, const char *text)
{
    for (const char *at = text + strspn(text, " "); *at != '\0'; at += strspn(at, " ")) {
        const char *end = pair_end(at);
        const size_t before = l->len;
        put_pair(l, at, end);
        if (l->len > sizeof l->text - 80) { /* no room: this pair goes, and the line says so */
            l->len = before;
            puts_to(l, ring.json ? ",\"cut\":true" : " cut=true");
            return;
        }
        at = end;
    }
}

static bool enqueue(struct line *l)
{
    puts_to(l, ring.json ? "}\n" : "\n");
    if (ring.used + l->len > sizeof ring.ring)
        return false;
    memcpy(ring.ring + ring.used, l->text, l->len);
    ring.used += l->len;
    return true;
}

/* ---- lines ------------------------------------------------------------------------------------------------
 */

static void tell_repeated(int64_t utc_ns)
{
    struct line l;
    if (ring.repeated == 0)
        return;
    put_head(&l, ring.level, ring.event, utc_ns);
    put_count(&l, "repeated", ring.repeated);
    ring.repeated = 0;
    if (!enqueue(&l))
        ring.dropped++;
}

static void tell_dropped(int64_t utc_ns)
{
    struct line l;
    if (ring.dropped == 0)
        return;
    put_head(&l, LOG_WARN, "log", utc_ns);
    put_count(&l, "dropped", ring.dropped);
    if (enqueue(&l))
        ring.dropped = 0;
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    char text[LINE_MAX_BYTES];
    struct line l;
    if (level < ring.least)
        return;
    const int64_t now = clock_mono_ns();
    const int64_t utc = clock_utc_ns();
    if (ring.format != NULL && level == ring.level && strcmp(format, ring.format) == 0 &&
        strncmp(event, ring.event, sizeof ring.event - 1) == 0 && now - ring.first_ns < NS_PER_SEC) {
        ring.repeated++;
        return;
    }
    tell_repeated(utc);
    ring.format = format;
    ring.level = level;
    ring.first_ns = now;
    snprintf(ring.event, sizeof ring.event, "%s", event);
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put_head(&l, level, event, utc);
    put_pairs(&l, text);
    tell_dropped(utc);
    if (ring.dropped > 0 || !enqueue(&l))
        ring.dropped++;
}

/* ---- writing -------------------------------------------------------------------------------------------- */

/* Writes what the sink takes without waiting. A sink that fails has had it all: the log must not stop the
 * service. */
static void drain(void)
{
    const int fd = ring.file >= 0 ? ring.file : STDERR_FILENO;
    while (ring.done < ring.used) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) {
            if ((ready.revents & (POLLERR | POLLNVAL | POLLHUP)) != 0)
                ring.done = ring.used;
            return;
        }
        /* A pipe that is ready takes at least PIPE_BUF bytes at once. */
        const size_t left = ring.used - ring.done;
        const ssize_t put_out = write(fd, ring.ring + ring.done, left < 4096 ? left : 4096);
        if (put_out < 0 && (errno == EINTR || errno == EAGAIN))
            return;
        ring.done = put_out < 0 ? ring.used : ring.done + (size_t)put_out;
        ring.bytes += put_out < 0 ? 0 : put_out;
    }
}

/* The file has reached its bound: it is kept as NAME.1, and a new one begun. Where that cannot be, it goes on. */
static void begin_anew(void)
{
    char kept[sizeof ring.path + 2];
    snprintf(kept, sizeof kept, "%s.1", ring.path);
    if (rename(ring.path, kept) != 0)
        return;
    const int file = open(ring.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0)
        return;
    close(ring.file);
    ring.file = file;
    ring.bytes = 0;
}

void log_flush(void)
{
    if (ring.repeated > 0 && clock_mono_ns() - ring.first_ns >= NS_PER_SEC)
        tell_repeated(clock_utc_ns());
    if (ring.done < ring.used) {
        const struct probe_long work = probe_long(STAGE_LOG);
        drain();
        probe_long_end(work);
    }
    if (ring.done == ring.used && ring.file >= 0 && ring.path[0] != '\0' && ring.bytes >= LOG_FILE_BYTES)
        begin_anew();
    memmove(ring.ring, ring.ring + ring.done, ring.used - ring.done);
    ring.used -= ring.done;
    ring.done = 0;
    tell_dropped(clock_utc_ns());
}

void log_close(void)
{
    tell_repeated(clock_utc_ns());
    log_flush();
    log_flush(); /* what the first one made room for: the count of dropped lines */
    if (ring.file >= 0)
        close(ring.file);
    ring.file = -1;
    ring.format = NULL;
    ring.used = ring.done = 0;
    ring.dropped = 0;
}
