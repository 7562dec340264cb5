/* Addresses of hosts, asked for without waiting, and the parts of a url that a connection is made from. */
#include <stdlib.h>
#include <string.h>

#include "lib/net/inside.h"

enum { URL_MAX = 8192, RETRY_AFTER_MAX_S = 7 * 24 * 3600 };

struct lookup {
    uv_getaddrinfo_t ask;
    struct net *net;
    lookup_done *done; /* NULL: nobody waits for it any more */
    void *ctx;
};

static void found(uv_getaddrinfo_t *ask, int status, struct addrinfo *list)
{
    struct lookup *self = ask->data;
    self->net->touched = true;
    if (self->done != NULL && !self->net->closing)
        self->done(self->ctx, status == 0 ? list : NULL, status == 0 ? "" : uv_strerror(status));
    if (list != NULL)
        uv_freeaddrinfo(list);
    free(self);
}

struct lookup *lookup_begin(struct net *net, const char *host, lookup_done *done, void *ctx)
{
    struct lookup *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->ask.data = self;
    self->net = net;
    self->done = done;
    self->ctx = ctx;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    if (uv_getaddrinfo(&net->loop, &self->ask, found, host, NULL, &hints) != 0) {
        free(self);
        return NULL;
    }
    net->touched = true;
    return self;
}

void lookup_cancel(struct lookup **self)
{
    if (*self == NULL)
        return;
    (*self)->done = NULL;
    (*self)->net->touched = true;
    (void)uv_cancel((uv_req_t *)&(*self)->ask);
    *self = NULL;
}

static bool port_read(const char *text, const char *end, int *out)
{
    int port = 0;
    if (text == end || end - text > 5)
        return false;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return false;
        port = port * 10 + (*text - '0');
    }
    *out = port;
    return port > 0 && port < 65536;
}

bool address_read(const char *url, const char *plain, const char *tls, struct address *out)
{
    size_t len = strlen(url);
    if (len > URL_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (url[i] <= ' ' || url[i] == 127)
            return false;
    }
    const char *host = strstr(url, "://");
    size_t scheme = host != NULL ? (size_t)(host - url) : 0;
    out->tls = scheme == strlen(tls) && memcmp(url, tls, scheme) == 0;
    if (!out->tls && (scheme != strlen(plain) || memcmp(url, plain, scheme) != 0))
        return false;
    host += 3;
    const char *end = host + strcspn(host, "/?#"), *stop;
    out->path = *end == '/' ? end : "";
    if (*end != '/' && *end != '\0')
        return false;
    if (*host == '[') {
        host++;
        stop = memchr(host, ']', (size_t)(end - host));
        if (stop == NULL)
            return false;
        end = out->path[0] != '\0' ? out->path : end;
        out->port = out->tls ? 443 : 80;
        if (stop + 1 != end && (stop[1] != ':' || !port_read(stop + 2, end, &out->port)))
            return false;
    } else {
        stop = memchr(host, ':', (size_t)(end - host));
        out->port = out->tls ? 443 : 80;
        if (stop != NULL && !port_read(stop + 1, end, &out->port))
            return false;
        stop = stop != NULL ? stop : end;
    }
    if (stop == host || (size_t)(stop - host) >= sizeof out->host ||
        memchr(host, '@', (size_t)(stop - host)) != NULL)
        return false;
    memcpy(out->host, host, (size_t)(stop - host));
    out->host[stop - host] = '\0';
    return true;
}

int retry_after_read(const char *text, size_t len)
{
    int value = 0;
    while (len > 0 && (*text == ' ' || *text == '\t'))
        text++, len--;
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\r' || text[len - 1] == '\n'))
        len--;
    if (len == 0)
        return 0;
    for (; len > 0; text++, len--) {
        if (*text < '0' || *text > '9')
            return 0;
        if (value <= RETRY_AFTER_MAX_S)
            value = value * 10 + (*text - '0');
    }
    return value <= RETRY_AFTER_MAX_S ? value : RETRY_AFTER_MAX_S;
}
