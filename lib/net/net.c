/* The loop under everything. libuv keeps what it changed for its next run: a watcher started outside of one is not in
 * its descriptor yet. So whoever starts something marks the net as touched, and nobody waits on a touched net. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/net/inside.h"
#include "lib/runtime/log.h"

/* A run of net_run at the most: so that a peer that floods leaves the caller's loop its turn. */
enum {
    TURNS_MAX = 32,
    PULSE_MS = 1000,
    HEADERS_MAX = 16 * 1024,
    READ_MAX = 64 * 1024,
    ADDRESSES_WAIT_MS = 2000
};

const lws_retry_bo_t no_idle_pings;

static void lws_says(int level, const char *line)
{
    char clean[256];
    size_t n = 0;
    for (; *line != '\0' && *line != '\n' && n + 1 < sizeof clean; line++)
        clean[n++] = *line >= ' ' && *line < 127 ? *line : '?';
    clean[n] = '\0';
    log_line(LOG_DEBUG, "libwebsockets", "level=%d words=%s", level, clean);
}

void cut_off(struct net *net, struct lws *wsi, int in_s)
{
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, in_s > 0 ? in_s : LWS_TO_KILL_ASYNC);
    lws_cancel_service(net->lws);
    net->touched = true;
}

static void pulse(uv_timer_t *timer)
{
    websockets_pulse(timer->data);
    servers_pulse(timer->data);
}

static int lws_begin(struct net *self)
{
    void *loops[] = {&self->loop};
    struct lws_context_creation_info info = {
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN |
                   LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME | LWS_SERVER_OPTION_NO_LWS_SYSTEM_STATES,
        .port = CONTEXT_PORT_NO_LISTEN,
        .foreign_loops = loops,
        .pcontext = &self->lws,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
        .max_http_header_data = HEADERS_MAX,
        .pt_serv_buf_size = READ_MAX,
    };
    self->lws = lws_create_context(&info);
    if (self->lws == NULL)
        return E_IO;
    info.protocols = websocket_protocols;
    info.vhost_name = "client";
    info.user = self;
    info.http_proxy_address = "";
    info.timeout_secs = 15;
    info.connect_timeout_secs = 15;
    info.retry_and_idle_policy = &no_idle_pings;
    if (self->ca_file != NULL) {
        info.client_ssl_ca_filepath = self->ca_file;
        info.options |= LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
    }
    self->client = lws_create_vhost(self->lws, &info);
    if (self->client == NULL || lws_init_vhost_client_ssl(&info, self->client) != 0)
        return E_IO;
    return OK;
}

int net_open(const struct net_options *options, struct net **out, char *error, size_t error_cap)
{
    *out = NULL;
    if (options->ca_file != NULL && access(options->ca_file, R_OK) != 0) {
        (void)snprintf(error, error_cap, "authorities \"%s\": expected a readable PEM file",
                       options->ca_file);
        return E_IO;
    }
    struct net *self = calloc(1, sizeof *self);
    if (self == NULL || uv_loop_init(&self->loop) != 0) {
        free(self);
        (void)snprintf(error, error_cap, "no room for an event loop");
        return E_FULL;
    }
    lws_set_log_level(LLL_ERR | LLL_WARN, lws_says);
    if (options->ca_file != NULL)
        self->ca_file = strdup(options->ca_file);
    (void)uv_timer_init(&self->loop, &self->curl_timer);
    (void)uv_timer_init(&self->loop, &self->pulse);
    self->loop.data = self;
    self->curl_timer.data = self;
    self->pulse.data = self;
    (void)uv_timer_start(&self->pulse, pulse, NET_PULSE_MS, NET_PULSE_MS);
    int status = lws_begin(self);
    if (status != OK)
        (void)snprintf(error, error_cap, "libwebsockets does not start on libuv%s%s",
                       self->ca_file != NULL ? ", or cannot read " : "",
                       self->ca_file != NULL ? self->ca_file : "");
    if (status == OK && (status = requests_begin(self)) != OK)
        (void)snprintf(error, error_cap, "libcurl does not start");
    self->touched = true;
    if (status != OK)
        net_close(&self);
    *out = self;
    return status;
}

static void settle(struct net *self, int64_t limit_ms)
{
    int64_t until = clock_mono_ns() + limit_ms * NS_PER_MS;
    while (uv_run(&self->loop, UV_RUN_NOWAIT) != 0 && clock_mono_ns() < until) {
        if (uv_backend_timeout(&self->loop) != 0)
            (void)usleep(1000);
    }
}

void net_close(struct net **self)
{
    struct net *net = *self;
    *self = NULL;
    if (net == NULL)
        return;
    net->closing = true;
    websockets_abandon(net);
    requests_abandon(net);
    servers_abandon(net);
    uv_close((uv_handle_t *)&net->curl_timer, NULL);
    uv_close((uv_handle_t *)&net->pulse, NULL);
    /* On a loop of somebody else's, libwebsockets goes in two steps: what it has open closes within runs of the loop,
     * and then it wants to be told again. */
    if (net->lws != NULL)
        lws_context_destroy(net->lws);
    for (int i = 0; i < 16; i++)
        (void)uv_run(&net->loop, UV_RUN_NOWAIT);
    if (net->lws != NULL)
        lws_context_destroy(net->lws);
    /* A name that is still being resolved cannot be called back: if it takes too long its memory stays. */
    settle(net, ADDRESSES_WAIT_MS);
    if (uv_loop_close(&net->loop) != 0) {
        log_line(LOG_WARN, "net-close", "words=%s", "a name server did not answer in time");
        return;
    }
    free(net->ca_file);
    free(net);
}

int net_fd(const struct net *self)
{
    return uv_backend_fd(&self->loop);
}

int64_t net_wait_ns(struct net *self)
{
    if (self->touched)
        return 0;
    uv_update_time(&self->loop);
    int ms = uv_backend_timeout(&self->loop);
    return ms < 0 ? INT64_MAX : ms * NS_PER_MS;
}

void net_run(struct net *self)
{
    int turns = 0;
    do {
        self->touched = false;
        (void)uv_run(&self->loop, UV_RUN_NOWAIT);
    } while (++turns < TURNS_MAX && (self->touched || uv_backend_timeout(&self->loop) == 0));
}
