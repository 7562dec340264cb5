/* Clients of an emulated venue: what they subscribed to, and what goes out to them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "venues/emulator/inside.h"

enum { SUBSCRIPTIONS_MAX = 4096 };

/* ---- names ------------------------------------------------------------------------------------------- */

const char *emulator_symbol(const struct emulator *self, uint32_t symbol)
{
    return table_key(self->symbol_names, symbol);
}

int emulator_topic(const struct emulator *self, const char *channel, const char *symbol)
{
    char key[EMULATED_CHANNEL_MAX + EMULATED_SYMBOL_MAX];
    int len = snprintf(key, sizeof key, "%s %s", channel, symbol);
    return len < 0 || (size_t)len >= sizeof key ? E_RANGE : table_find(self->topic_names, key, (size_t)len);
}

int emulator_topic_made(struct emulator *self, const char *channel, const char *symbol)
{
    char key[EMULATED_CHANNEL_MAX + EMULATED_SYMBOL_MAX];
    int found = emulator_topic(self, channel, symbol);
    if (found != E_ABSENT)
        return found;
    int len = snprintf(key, sizeof key, "%s %s", channel, symbol);
    int name = table_intern(self->symbol_names, symbol, strlen(symbol));
    if (name < 0)
        return name;
    found = table_intern(self->topic_names, key, (size_t)len);
    if (found >= 0)
        self->topics[found].symbol = (uint32_t)name;
    return found;
}

bool emulated_knows(const struct emulator *self, const char *symbol)
{
    int found = table_find(self->symbol_names, symbol, strlen(symbol));
    return found >= 0 && self->shown[found].known;
}

bool emulated_plays(const struct emulator *self, const char *channel, const char *symbol)
{
    int found = emulator_topic(self, channel, symbol);
    return found >= 0 && self->topics[found].played;
}

uint32_t emulated_depth(const struct emulator *self, const char *channel, const char *symbol)
{
    int found = emulator_topic(self, channel, symbol);
    return found >= 0 ? self->topics[found].depth : 0;
}

const struct words *emulated_last(const struct emulator *self, const char *channel, const char *symbol)
{
    int found = emulator_topic(self, channel, symbol);
    return found >= 0 && self->topics[found].last.len ? &self->topics[found].last : NULL;
}

/* ---- what goes out ----------------------------------------------------------------------------------- */

void emulator_send(struct emulated_peer *peer, const char *text, size_t len, bool binary)
{
    struct emulator *self = peer->emulator;
    if (peer->silent || peer->leaving)
        return;
    if (self->hands.send(self->hands.ctx, peer->wire, text, len, binary) != OK)
        emulator_drop(peer, true, "it does not read");
}

void emulator_drop(struct emulated_peer *peer, bool abrupt, const char *why)
{
    struct emulator *self = peer->emulator;
    if (peer->leaving)
        return;
    peer->leaving = true;
    emulator_say(self, "dropped", "\"peer\":%" PRIu64 ",\"why\":\"%s\"", peer->number, why);
    self->hands.drop(self->hands.ctx, peer->wire, abrupt);
}

static void send_dressed(struct emulated_peer *peer, const struct subscription *to, const char *text,
                         size_t len)
{
    struct emulator *self = peer->emulator;
    words_clear(&self->dressed);
    self->venue->dress(&self->dressed, to->name, peer->style, text, len);
    if (!self->dressed.failed)
        emulator_send(peer, self->dressed.at, self->dressed.len, self->venue->binary);
}

static void send_first(struct emulated_peer *peer, const struct subscription *to, const char *text,
                       size_t len)
{
    struct words first = {0};
    peer->emulator->venue->first(&first, to->name, text, len);
    if (first.len && !first.failed)
        send_dressed(peer, to, first.at, first.len);
    else
        send_dressed(peer, to, text, len);
    words_free(&first);
}

void emulator_deliver(struct emulator *self, uint32_t topic, const char *text, size_t len, bool snapshot)
{
    for (struct emulated_peer *peer = self->peers; peer; peer = peer->next)
        for (uint32_t i = 0; i < peer->n && !peer->leaving && !peer->silent; i++) {
            struct subscription *to = &peer->subscriptions[i];
            if (to->topic != topic || (to->waits && !snapshot && !self->venue->whole))
                continue;
            if (to->waits && self->venue->whole)
                send_first(peer, to, text, len);
            else
                send_dressed(peer, to, text, len);
            to->waits = false;
        }
}

void emulated_say(struct emulated_peer *peer, const char *text, size_t len)
{
    emulator_send(peer, text, len, peer->emulator->venue->binary);
}

void emulated_say_text(struct emulated_peer *peer, const char *text, size_t len)
{
    emulator_send(peer, text, len, false);
}

void emulated_leave(struct emulated_peer *peer)
{
    emulator_drop(peer, false, "an error was answered");
}

/* ---- subscriptions ----------------------------------------------------------------------------------- */

static struct subscription *subscription_of(struct emulated_peer *peer, uint32_t topic)
{
    for (uint32_t i = 0; i < peer->n; i++)
        if (peer->subscriptions[i].topic == topic)
            return &peer->subscriptions[i];
    return NULL;
}

static struct subscription *subscription_new(struct emulated_peer *peer, uint32_t topic)
{
    if (peer->n == peer->cap) {
        uint32_t cap = peer->cap ? peer->cap * 2 : 16;
        struct subscription *at =
            cap > SUBSCRIPTIONS_MAX ? NULL : realloc(peer->subscriptions, cap * sizeof *at);
        if (!at)
            return NULL;
        peer->subscriptions = at;
        peer->cap = cap;
    }
    struct subscription *made = &peer->subscriptions[peer->n++];
    *made = (struct subscription){.topic = topic};
    if (peer->emulator->topics[topic].book)
        peer->emulator->shown[peer->emulator->topics[topic].symbol].watchers++;
    return made;
}

/* With the last message, if there was one, else with the next. */
static void begin_whole(struct emulated_peer *peer, struct subscription *to)
{
    struct emulator *self = peer->emulator;
    const struct words *last = &self->topics[to->topic].last;
    struct words first = {0};
    to->waits = true;
    if (last->len) {
        size_t len = last->len;
        const char *text = emulator_in_time(self, last->at, &len);
        self->venue->first(&first, to->name, text, len);
    }
    if (first.len && !first.failed) {
        send_dressed(peer, to, first.at, first.len);
        to->waits = false;
    }
    words_free(&first);
}

static void begin_book(struct emulated_peer *peer, struct subscription *to)
{
    struct emulator *self = peer->emulator;
    struct topic *topic = &self->topics[to->topic];
    struct shown *shown = &self->shown[topic->symbol];
    shown->fresh = false;
    shown->least = 0;
    if (self->venue->on_stream) {
        to->waits = true;
        emulator_stream_snapshot(peer, to);
    } else if (self->venue->whole) {
        begin_whole(peer, to);
    }
}

int emulated_subscribe(struct emulated_peer *peer, const char *channel, const char *symbol, const char *name)
{
    struct emulator *self = peer->emulator;
    int topic = emulator_topic_made(self, channel, symbol);
    if (topic < 0)
        return topic;
    struct subscription *to = subscription_of(peer, (uint32_t)topic);
    if (!to)
        to = subscription_new(peer, (uint32_t)topic);
    if (!to || !text_set(to->name, sizeof to->name, name))
        return E_FULL;
    emulator_say(self, "subscribed", "\"peer\":%" PRIu64 ",\"channel\":\"%s\",\"symbol\":\"%s\"",
                 peer->number, channel, symbol);
    self->wanted = true;
    if (self->topics[topic].book)
        begin_book(peer, to);
    return OK;
}

static void forget(struct emulated_peer *peer, uint32_t i)
{
    struct topic *topic = &peer->emulator->topics[peer->subscriptions[i].topic];
    if (topic->book)
        peer->emulator->shown[topic->symbol].watchers--;
    peer->subscriptions[i] = peer->subscriptions[--peer->n];
}

void emulated_unsubscribe(struct emulated_peer *peer, const char *channel, const char *symbol)
{
    int topic = emulator_topic(peer->emulator, channel, symbol);
    struct subscription *to = topic < 0 ? NULL : subscription_of(peer, (uint32_t)topic);
    if (!to)
        return;
    emulator_say(peer->emulator, "unsubscribed", "\"peer\":%" PRIu64 ",\"channel\":\"%s\",\"symbol\":\"%s\"",
                 peer->number, channel, symbol);
    forget(peer, (uint32_t)(to - peer->subscriptions));
}

void emulated_unsubscribe_all(struct emulated_peer *peer)
{
    while (peer->n > 0)
        forget(peer, peer->n - 1);
}

const char *emulated_subscription(const struct emulated_peer *peer, uint32_t i)
{
    return i < peer->n ? peer->subscriptions[i].name : NULL;
}

uint32_t *emulated_style(struct emulated_peer *peer)
{
    return &peer->style;
}

struct emulator *emulated_by(const struct emulated_peer *peer)
{
    return peer->emulator;
}

/* ---- coming and going -------------------------------------------------------------------------------- */

static int retry_after(const struct emulator *self, int64_t until_ns)
{
    return (int)((until_ns - self->now.mono_ns + NS_PER_SEC - 1) / NS_PER_SEC);
}

int emulator_admit(struct emulator *self, const char *path, int *retry_after_s, struct now now)
{
    const struct emulation_limits *limits = &self->venue->limits;
    int status = 0;
    (void)path;
    self->now = now;
    *retry_after_s = 0;
    if (now.mono_ns < self->refuse_until_ns) {
        status = 503;
    } else if (now.mono_ns < self->angry_until_ns) {
        status = self->angry;
        *retry_after_s = retry_after(self, self->angry_until_ns);
    } else if (limits->connects &&
               !quota_take(&self->connects, 1, limits->connects, limits->connects_ns, now.mono_ns)) {
        emulator_say(self, "limit-broken", "\"limit\":\"connects\",\"most\":%" PRIu32 ",\"in_ns\":%" PRId64,
                     limits->connects, limits->connects_ns);
        if (self->options.strict) {
            status = 429;
            *retry_after_s = retry_after(self, self->connects.since_ns + limits->connects_ns);
        }
    }
    if (status)
        emulator_say(self, "refused", "\"status\":%d", status);
    return status;
}

struct emulated_peer *emulator_opened(struct emulator *self, void *wire, const char *path, struct now now)
{
    struct emulated_peer *peer = calloc(1, sizeof *peer);
    self->now = now;
    if (!peer)
        return NULL;
    *peer = (struct emulated_peer){
        .emulator = self, .next = self->peers, .wire = wire, .number = ++self->n_peers};
    peer->heard_ns = peer->pinged_ns = peer->beaten_ns = now.mono_ns;
    self->peers = peer;
    emulator_say(self, "connected", "\"peer\":%" PRIu64, peer->number);
    if (self->venue->opened)
        self->venue->opened(peer, path);
    return peer;
}

void emulator_message(struct emulator *self, struct emulated_peer *peer, const char *text, size_t len,
                      struct now now)
{
    const struct emulation_limits *limits = &self->venue->limits;
    self->now = now;
    if (peer->silent || peer->leaving)
        return;
    peer->heard_ns = now.mono_ns;
    if (limits->sends && !quota_take(&peer->sends, 1, limits->sends, limits->sends_ns, now.mono_ns)) {
        emulator_say(self, "limit-broken",
                     "\"limit\":\"sends\",\"peer\":%" PRIu64 ",\"most\":%" PRIu32 ",\"in_ns\":%" PRId64,
                     peer->number, limits->sends, limits->sends_ns);
        emulator_drop(peer, true, "too many messages");
        return;
    }
    self->venue->message(peer, self->json, text, len);
}

void emulator_closed(struct emulator *self, struct emulated_peer *peer, struct now now)
{
    self->now = now;
    emulated_unsubscribe_all(peer);
    for (struct emulated_peer **at = &self->peers; *at; at = &(*at)->next)
        if (*at == peer) {
            *at = peer->next;
            break;
        }
    emulator_say(self, "disconnected", "\"peer\":%" PRIu64, peer->number);
    free(peer->subscriptions);
    free(peer);
}
