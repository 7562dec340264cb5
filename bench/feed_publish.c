#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "bench/feed.h"
#include "lib/runtime/sockets.h"
#include "proto/codec.h"
#include "proto/topic.h"
#include "services/feed/feed.h"

enum { BURST = 1024, INSTRUMENTS = 4096 };

struct outlet {
    void *zmq, *market;
    char folder[64], endpoint[96];
    pthread_t subscriber;
    atomic_uint_fast64_t received;
    uint64_t sent;
};

/* ---- the subscriber ------------------------------------------------------------------------------------- */

static void *subscribe(void *arg)
{
    struct outlet *self = arg;
    char error[128];
    void *socket;
    if (socket_open(self->zmq, SOCKET_MARKET_SUB, self->endpoint, &socket, error, sizeof error) != OK) {
        fprintf(stderr, "bench feed: %s\n", error);
        exit(1);
    }
    (void)socket_subscribe(socket, "");
    zmq_msg_t part;
    zmq_msg_init(&part);
    do { /* until the end, which is one byte */
        if (zmq_msg_recv(&part, socket, 0) < 0)
            break;
        if (!zmq_msg_more(&part))
            atomic_fetch_add(&self->received, 1);
    } while (zmq_msg_size(&part) != 1);
    zmq_msg_close(&part);
    socket_close(&socket);
    return NULL;
}

struct outlet *outlet_open(void)
{
    struct outlet *self = taken(calloc(1, sizeof *self));
    char error[128], subscription[8];
    strcpy(self->folder, "/tmp/bench-feed-XXXXXX");
    taken(mkdtemp(self->folder));
    snprintf(self->endpoint, sizeof self->endpoint, "ipc://%s/market", self->folder);
    self->zmq = taken(sockets_open());
    if (socket_open(self->zmq, SOCKET_MARKET_PUB, self->endpoint, &self->market, error, sizeof error) != OK ||
        pthread_create(&self->subscriber, NULL, subscribe, self) != 0) {
        fprintf(stderr, "bench feed: %s\n", error);
        exit(1);
    }
    (void)zmq_recv(self->market, subscription, sizeof subscription, 0); /* it is there */
    return self;
}

void outlet_close(struct outlet **self)
{
    struct outlet *o = *self;
    (void)zmq_send(o->market, "", 1, 0);
    (void)pthread_join(o->subscriber, NULL);
    socket_close(&o->market);
    sockets_close(&o->zmq);
    (void)unlink(o->endpoint + strlen("ipc://"));
    (void)rmdir(o->folder);
    free(o);
    *self = NULL;
}

/* ---- from the book to the socket ------------------------------------------------------------------------ */

struct path {
    struct outlet *outlet;
    struct feed *feed;
    struct outbox out;
    struct now now;
    double *sums; /* of the kind of the frame at hand */
    uint8_t bytes[MESSAGE_BYTES_MAX];
};

static void send_all(struct path *path)
{
    char topic[TOPIC_MAX];
    for (uint32_t i = 0; i < path->out.n_messages; i++) {
        const struct message *m = &path->out.messages[i];
        int64_t start = clock_mono_ns();
        size_t len = codec_encode(m, path->bytes, sizeof path->bytes);
        int64_t encoded = clock_mono_ns();
        size_t topic_len = topic_of(m, topic);
        if (socket_send(path->outlet->market, topic, topic_len, true) == OK &&
            socket_send(path->outlet->market, path->bytes, len, false) == OK)
            path->outlet->sent++;
        path->sums[PUBLISH] += (double)(clock_mono_ns() - encoded - clock_ns);
        path->sums[ENCODE] += (double)(encoded - start - clock_ns);
    }
    path->out.n_messages = path->out.n_effects = 0;
}

static void finish(struct path *path, int64_t start)
{
    (void)feed_publish(path->feed, path->now, &path->out);
    path->sums[CORE] += (double)(clock_mono_ns() - start - clock_ns);
    send_all(path);
}

static void on_instrument(void *ctx, const struct venue_book *book)
{
    struct path *path = ctx;
    feed_on_instrument(path->feed, book->inst.venue, book, path->now);
}

static void on_book(void *ctx, const struct venue_book *book)
{
    struct path *path = ctx;
    int64_t start = clock_mono_ns();
    feed_on_book(path->feed, book->inst.venue, book, path->now);
    finish(path, start);
}

static void on_best(void *ctx, const struct venue_book *book, const struct bbo *bbo)
{
    struct path *path = ctx;
    int64_t start = clock_mono_ns();
    feed_on_best(path->feed, book->inst.venue, book, bbo, path->now);
    finish(path, start);
}

static void on_trade(void *ctx, const struct venue_book *book, const struct trade *trade)
{
    struct path *path = ctx;
    int64_t start = clock_mono_ns();
    feed_on_trade(path->feed, book->inst.venue, book, trade, path->now, &path->out);
    finish(path, start);
}

/* Nothing may be dropped at the high-water mark: a dropped message costs less than one that goes. */
static void wait_for_subscriber(const struct outlet *outlet)
{
    while (atomic_load(&outlet->received) < outlet->sent)
        (void)usleep(50);
}

void measure_publish(struct outlet *outlet, const struct venue_ops *ops, const struct frames *frames,
                     const struct notes *notes, struct round *round)
{
    static struct config config;
    struct path *path = taken(calloc(1, sizeof *path));
    struct market_sink sink = {
        .ctx = path, .instrument = on_instrument, .book = on_book, .best = on_best, .trade = on_trade};
    config_defaults(&config);
    path->outlet = outlet;
    path->feed =
        taken(feed_new(&(struct feed_options){.config = &config, .epoch = 1, .instruments = INSTRUMENTS}));
    if (outbox_open(&path->out, OUTBOX_CAPACITY) != OK)
        taken(NULL);
    struct venue_market *market = taken(ops->open(NULL, &sink));
    for (size_t i = 0; i < frames->count; i++) {
        path->sums = round->ns[notes_of(notes, i)->kind];
        path->now = (struct now){frames->at[i].recv_ns, (int64_t)i * NS_PER_US, frames->at[i].recv_ns};
        (void)ops->on_frame(market, &frames->at[i]);
        if (outlet->sent - atomic_load(&outlet->received) >= BURST)
            wait_for_subscriber(outlet);
    }
    wait_for_subscriber(outlet);
    ops->close(&market);
    outbox_close(&path->out);
    feed_destroy(&path->feed);
    free(path);
}
