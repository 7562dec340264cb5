/* GET requests: libcurl's own sockets and timer, on the loop. Names are resolved as for WebSockets, for libcurl would
 * wait for its resolver when a request is dropped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/net/inside.h"

enum { BODY_MAX = 64 * 1024 * 1024, HOST_CONNECTIONS_MAX = 8, ADDRESSES_MAX = 8, MS_MAX = 3600 * 1000 };

struct request {
    struct net *net;
    struct request *next, **place;
    int number;
    char *url;
    struct address to;
    int64_t until_ns;
    uv_timer_t *alarm; /* of the time before libcurl has the request */
    struct lookup *lookup;
    CURL *easy;
    struct curl_slist *addresses;
    void (*answered)(void *ctx, int request, const struct http_answer *answer);
    void *ctx;
    char *body;
    size_t len, cap;
    bool too_long;
    int retry_after_s;
    int64_t used_weight;
    char words[CURL_ERROR_SIZE];
};

struct watch {
    uv_poll_t poll;
    struct net *net;
    curl_socket_t fd;
};

static void freed(uv_handle_t *handle)
{
    free(handle->data);
}

static void request_free(struct request *self)
{
    *self->place = self->next;
    if (self->next != NULL)
        self->next->place = self->place;
    lookup_cancel(&self->lookup);
    if (self->easy != NULL) {
        (void)curl_multi_remove_handle(self->net->curl, self->easy);
        curl_easy_cleanup(self->easy);
    }
    if (self->alarm != NULL)
        uv_close((uv_handle_t *)self->alarm, freed);
    curl_slist_free_all(self->addresses);
    self->net->touched = true;
    free(self->url);
    free(self->body);
    free(self);
}

static void finish(struct request *self, int status)
{
    struct http_answer answer = {.status = status,
                                 .words = self->words,
                                 .body = status != 0 && self->body != NULL ? self->body : "",
                                 .len = status != 0 ? self->len : 0,
                                 .retry_after_s = self->retry_after_s,
                                 .used_weight = self->used_weight};
    void (*answered)(void *, int, const struct http_answer *) = self->answered;
    self->answered = NULL; /* http_cancel of this one, from within, is nothing */
    answered(self->ctx, self->number, &answer);
    request_free(self);
}

static void collect(struct net *net)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(net->curl, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct request *self = NULL;
        CURLcode result = message->data.result;
        long status = 0;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &self);
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        if (self->too_long)
            (void)snprintf(self->words, sizeof self->words, "an answer longer than %d bytes", BODY_MAX);
        else if (result != CURLE_OK && self->words[0] == '\0')
            (void)snprintf(self->words, sizeof self->words, "%s", curl_easy_strerror(result));
        finish(self, result == CURLE_OK ? (int)status : 0);
    }
}

/* ---- libcurl on the loop ------------------------------------------------------------------------------ */

static void moved(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct net *net = watch->net;
    int flags = status < 0 ? CURL_CSELECT_ERR
                           : (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                                 (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    int running;
    net->touched = true;
    (void)curl_multi_socket_action(net->curl, watch->fd, flags, &running);
    collect(net);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
    (void)easy;
    struct net *net = ctx;
    struct watch *watch = known;
    net->touched = true;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL)
            uv_close((uv_handle_t *)&watch->poll, freed);
        (void)curl_multi_assign(net->curl, fd, NULL);
        return 0;
    }
    if (watch == NULL) {
        watch = calloc(1, sizeof *watch);
        if (watch == NULL)
            return -1;
        watch->net = net;
        watch->fd = fd;
        if (uv_poll_init_socket(&net->loop, &watch->poll, fd) != 0) {
            free(watch);
            return -1;
        }
        watch->poll.data = watch;
        (void)curl_multi_assign(net->curl, fd, watch);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&watch->poll, events, moved) == 0 ? 0 : -1;
}

static void due(uv_timer_t *timer)
{
    struct net *net = timer->data;
    int running;
    net->touched = true;
    (void)curl_multi_socket_action(net->curl, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(net);
}

static int set_timer(CURLM *curl, long ms, void *ctx)
{
    (void)curl;
    struct net *net = ctx;
    net->touched = true;
    if (ms < 0)
        (void)uv_timer_stop(&net->curl_timer);
    else
        (void)uv_timer_start(&net->curl_timer, due, (uint64_t)ms, 0);
    return 0;
}

int requests_begin(struct net *net)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return E_FULL;
    net->curl = curl_multi_init();
    if (net->curl == NULL)
        return E_FULL;
    (void)curl_multi_setopt(net->curl, CURLMOPT_SOCKETFUNCTION, watch_socket);
    (void)curl_multi_setopt(net->curl, CURLMOPT_SOCKETDATA, net);
    (void)curl_multi_setopt(net->curl, CURLMOPT_TIMERFUNCTION, set_timer);
    (void)curl_multi_setopt(net->curl, CURLMOPT_TIMERDATA, net);
    (void)curl_multi_setopt(net->curl, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HOST_CONNECTIONS_MAX);
    return OK;
}

void requests_abandon(struct net *net)
{
    while (net->requests != NULL)
        request_free(net->requests);
    if (net->curl != NULL)
        (void)curl_multi_cleanup(net->curl);
    net->curl = NULL;
}

/* ---- one request -------------------------------------------------------------------------------------- */

static size_t body_came(char *data, size_t size, size_t n, void *ctx)
{
    struct request *self = ctx;
    size_t more = size * n;
    if (more > BODY_MAX - self->len) {
        self->too_long = true;
        return 0;
    }
    if (self->len + more + 1 > self->cap) {
        size_t cap = self->cap < 16384 ? 16384 : self->cap;
        while (cap < self->len + more + 1)
            cap *= 2;
        char *body = realloc(self->body, cap);
        if (body == NULL)
            return 0;
        self->body = body;
        self->cap = cap;
    }
    memcpy(self->body + self->len, data, more);
    self->len += more;
    self->body[self->len] = '\0';
    return more;
}

static size_t header_came(char *data, size_t size, size_t n, void *ctx)
{
    struct request *self = ctx;
    static const char retry[] = "retry-after:", weight[] = "x-mbx-used-weight-1m:";
    size_t len = size * n;
    if (len > sizeof retry - 1 && strncasecmp(data, retry, sizeof retry - 1) == 0)
        self->retry_after_s = retry_after_read(data + sizeof retry - 1, len - (sizeof retry - 1));
    if (len > sizeof weight - 1 && strncasecmp(data, weight, sizeof weight - 1) == 0) {
        char text[24];
        (void)snprintf(text, sizeof text, "%.*s", (int)(len - (sizeof weight - 1)), data + sizeof weight - 1);
        char *stop;
        long long value = strtoll(text, &stop, 10);
        if (stop != text && value >= 0)
            self->used_weight = value;
    }
    return len;
}

static bool hand_over(struct request *self, const struct addrinfo *list)
{
    char known[512];
    int at = snprintf(known, sizeof known, "%s:%d:", self->to.host, self->to.port);
    for (int n = 0; list != NULL && n < ADDRESSES_MAX; list = list->ai_next, n++) {
        char name[NI_MAXHOST];
        bool v6 = list->ai_family == AF_INET6;
        if (getnameinfo(list->ai_addr, list->ai_addrlen, name, sizeof name, NULL, 0, NI_NUMERICHOST) != 0)
            continue;
        int more = snprintf(known + at, sizeof known - (size_t)at, "%s%s%s%s", n > 0 ? "," : "",
                            v6 ? "[" : "", name, v6 ? "]" : "");
        if (more < 0 || (size_t)(at + more) >= sizeof known) {
            known[at] = '\0';
            break;
        }
        at += more;
    }
    int64_t left_ms = (self->until_ns - clock_mono_ns()) / NS_PER_MS;
    CURL *easy = self->easy = curl_easy_init();
    bool literal = strchr(self->to.host, ':') != NULL; /* libcurl needs no help with [::1] */
    if (easy == NULL || (!literal && (self->addresses = curl_slist_append(NULL, known)) == NULL))
        return false;
    (void)curl_easy_setopt(easy, CURLOPT_URL, self->url);
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, self);
    (void)curl_easy_setopt(easy, CURLOPT_RESOLVE, self->addresses);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "sluice");
    (void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, left_ms > 0 ? (long)left_ms : 1L);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, self->words);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_came);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, self);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_came);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, self);
    if (self->net->ca_file != NULL) {
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, self->net->ca_file);
        (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    return curl_multi_add_handle(self->net->curl, easy) == CURLM_OK;
}

static void resolved(void *ctx, const struct addrinfo *list, const char *words)
{
    struct request *self = ctx;
    self->lookup = NULL;
    (void)uv_timer_stop(self->alarm);
    if (list == NULL)
        (void)snprintf(self->words, sizeof self->words, "%s: %s", self->to.host, words);
    else if (hand_over(self, list))
        return;
    else
        (void)snprintf(self->words, sizeof self->words, "no room for a request");
    finish(self, 0);
}

static void too_late(uv_timer_t *alarm)
{
    struct net *net = alarm->loop->data;
    for (struct request *self = net->requests; self != NULL; self = self->next) {
        if (self->alarm == alarm) {
            (void)snprintf(self->words, sizeof self->words, "%s: no name server answered in time",
                           self->to.host);
            finish(self, 0);
            return;
        }
    }
}

int http_get(struct net *net, const char *url, int64_t timeout_ns,
             void (*answered)(void *ctx, int request, const struct http_answer *answer), void *ctx)
{
    struct address to;
    if (!address_read(url, "http", "https", &to))
        return E_SYNTAX;
    int64_t ms = timeout_ns / NS_PER_MS;
    ms = ms < 1 ? 1 : ms > MS_MAX ? MS_MAX : ms;
    struct request *self = calloc(1, sizeof *self);
    if (self == NULL)
        return E_FULL;
    self->net = net;
    self->next = net->requests;
    self->place = &net->requests;
    if (self->next != NULL)
        self->next->place = &self->next;
    net->requests = self;
    net->last_request = net->last_request == INT32_MAX ? 1 : net->last_request + 1;
    self->number = net->last_request;
    self->to = to;
    self->answered = answered;
    self->ctx = ctx;
    self->used_weight = -1;
    self->until_ns = clock_mono_ns() + ms * NS_PER_MS;
    self->url = strdup(url);
    self->alarm = calloc(1, sizeof *self->alarm);
    if (self->alarm != NULL) {
        (void)uv_timer_init(&net->loop, self->alarm);
        self->alarm->data = self->alarm;
        uv_update_time(&net->loop);
        (void)uv_timer_start(self->alarm, too_late, (uint64_t)ms, 0);
    }
    if (self->url != NULL && self->alarm != NULL)
        self->lookup = lookup_begin(net, to.host, resolved, self);
    if (self->lookup == NULL) {
        request_free(self);
        return E_FULL;
    }
    return self->number;
}

void http_cancel(struct net *net, int request)
{
    for (struct request *self = net->requests; self != NULL; self = self->next) {
        if (self->number == request && self->answered != NULL) {
            request_free(self);
            return;
        }
    }
}
