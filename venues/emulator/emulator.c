/* The life of an emulated venue, and the lines it plays. */
#include "venues/emulator/emulator.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "venues/emulator/inside.h"

/* Connections of different recordings are different ones. */
enum { CONNS_A_RECORDING = 1 << 20 };

/* ---- life -------------------------------------------------------------------------------------------- */

struct emulator *emulator_new(const struct emulation *venue, const struct emulator_options *options,
                              const struct emulator_hands *hands)
{
    const struct venue_ops *ops = venue_named(venue->venue);
    struct emulator *self = ops ? calloc(1, sizeof *self) : NULL;
    if (!self)
        return NULL;
    self->venue = venue;
    self->ops = ops;
    self->options = *options;
    self->hands = *hands;
    rng_seed(&self->rng, options->seed);
    self->json = json_new();
    self->survey = ops->open(NULL, NULL);
    self->market = ops->open(NULL, NULL);
    self->topic_names = table_new(EMULATOR_TOPICS_MAX, EMULATED_CHANNEL_MAX + EMULATED_SYMBOL_MAX);
    self->symbol_names = table_new(EMULATOR_SYMBOLS_MAX, EMULATED_SYMBOL_MAX);
    self->topics = calloc(EMULATOR_TOPICS_MAX, sizeof *self->topics);
    self->shown = calloc(EMULATOR_SYMBOLS_MAX, sizeof *self->shown);
    if (!self->json || !self->survey || !self->market || !self->topic_names || !self->symbol_names ||
        !self->topics || !self->shown)
        emulator_destroy(&self);
    return self;
}

static void free_texts(struct emulator *self)
{
    for (uint32_t i = 0; self->topics && i < EMULATOR_TOPICS_MAX; i++) {
        words_free(&self->topics[i].last);
        words_free(&self->topics[i].before);
        words_free(&self->topics[i].old);
    }
    for (uint32_t i = 0; self->shown && i < EMULATOR_SYMBOLS_MAX; i++)
        words_free(&self->shown[i].old);
    struct words *own[] = {&self->swapped.text, &self->moved, &self->dressed,
                           &self->event,        &self->made,  &self->spoilt};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        words_free(own[i]);
}

void emulator_destroy(struct emulator **self)
{
    struct emulator *gone = *self;
    *self = NULL;
    if (!gone)
        return;
    while (gone->peers) {
        struct emulated_peer *peer = gone->peers;
        gone->peers = peer->next;
        free(peer->subscriptions);
        free(peer);
    }
    while (gone->requests) {
        struct emulated_request *request = gone->requests;
        gone->requests = request->next;
        words_free(&request->body);
        free(request);
    }
    free_texts(gone);
    free(gone->topics);
    free(gone->shown);
    json_destroy(&gone->json);
    if (gone->survey)
        gone->ops->close(&gone->survey);
    if (gone->market)
        gone->ops->close(&gone->market);
    table_destroy(&gone->topic_names);
    table_destroy(&gone->symbol_names);
    free(gone);
}

/* ---- what the recordings hold ------------------------------------------------------------------------ */

static bool is_fed(const struct recorded_line *line)
{
    return line->readable && (line->inbound || line->frame.kind == FRAME_CONNECT);
}

static void feed(const struct emulator *self, struct venue_market *market, uint32_t recording,
                 const struct frame *frame)
{
    struct frame fed = *frame;
    fed.conn += recording * CONNS_A_RECORDING;
    (void)self->ops->on_frame(market, &fed);
}

static bool own(struct emulator *self, uint32_t symbol, uint32_t recording)
{
    struct shown *shown = &self->shown[symbol];
    if (!shown->known)
        shown->recording = recording;
    shown->known = true;
    return shown->recording == recording;
}

/* Whether the message is one that is played; its topic. */
static bool survey_message(struct emulator *self, uint32_t recording, const struct played *played)
{
    int topic = emulator_topic_made(self, played->channel, played->symbol);
    if (topic < 0 || !own(self, self->topics[topic].symbol, recording))
        return false;
    self->topics[topic].played = true;
    self->topics[topic].book |= played->book;
    return true;
}

static void survey_depth(struct emulator *self, const struct played *played)
{
    int topic = emulator_topic_made(self, played->channel, played->symbol);
    if (topic >= 0 && self->topics[topic].depth < played->depth)
        self->topics[topic].depth = played->depth;
}

void emulator_survey(struct emulator *self, uint32_t recording, const struct recorded_line *line)
{
    struct played played = {0};
    uint32_t levels = 0;
    if (!is_fed(line))
        return;
    bool message = line->frame.kind == FRAME_WS && self->venue->read(self->json, &line->frame, &played);
    if (played.depth > 0)
        survey_depth(self, &played);
    if (message) {
        if (!survey_message(self, recording, &played))
            return;
    } else if (line->frame.kind == FRAME_HTTP && self->venue->read_answer &&
               self->venue->read_answer(self->json, &line->frame, &played, &levels)) {
        int symbol = table_intern(self->symbol_names, played.symbol, strlen(played.symbol));
        if (symbol < 0 || !own(self, (uint32_t)symbol, recording))
            return;
        self->shown[symbol].snapshots++;
    }
    feed(self, self->survey, recording, &line->frame);
}

void emulator_surveyed(struct emulator *self)
{
    (void)self; /* the survey's market stays: its instruments are what the venue tells of them */
}

const struct inst *emulated_instrument(const struct emulator *self, uint32_t i)
{
    if (i >= self->ops->books(self->survey))
        return NULL;
    return &self->ops->book_at(self->survey, i)->inst;
}

const struct inst *emulator_inst(const struct emulator *self, const char *venue_symbol)
{
    const struct inst *inst;
    for (uint32_t i = 0; (inst = emulated_instrument(self, i)) != NULL; i++)
        if (strcmp(inst->venue_symbol, venue_symbol) == 0)
            return inst;
    return NULL;
}

int64_t emulated_utc_ns(const struct emulator *self)
{
    return (self->options.times_to_now || !self->recv_ns ? self->now.utc_ns : self->recv_ns) + self->skew_ns;
}

/* ---- lines ------------------------------------------------------------------------------------------- */

/* Books that the market has come to know. */
static void show_books(struct emulator *self)
{
    for (; self->n_books < self->ops->books(self->market); self->n_books++) {
        const struct venue_book *book = self->ops->book_at(self->market, self->n_books);
        const char *name = book->inst.venue_symbol;
        int symbol = table_intern(self->symbol_names, name, strlen(name));
        if (symbol >= 0)
            self->shown[symbol].book = book;
    }
}

/* Faults that are nobody's message. */
static void trouble(struct emulator *self)
{
    const struct fault *fault;
    while ((fault = emulator_chance(self, FAULT_REFUSE, FAULT_SKEW)) != NULL) {
        int64_t until_ns = self->now.mono_ns + fault->value_ns;
        if (fault->kind == FAULT_REFUSE) {
            self->refuse_until_ns = until_ns;
        } else if (fault->kind == FAULT_SKEW) {
            self->skew_ns = fault->value_ns;
        } else {
            self->angry = fault->kind == FAULT_429 ? 429 : 418;
            self->angry_until_ns = until_ns;
        }
        emulator_say_fault(self, fault->kind, "");
        if (fault->when == FAULT_RATE)
            break;
    }
}

static bool watched(const struct emulator *self, uint32_t topic)
{
    for (const struct emulated_peer *peer = self->peers; peer; peer = peer->next)
        for (uint32_t i = 0; i < peer->n && !peer->leaving && !peer->silent; i++)
            if (peer->subscriptions[i].topic == topic)
                return true;
    return false;
}

static void strike_peer(struct emulated_peer *peer, enum fault_kind kind)
{
    if (peer->leaving || peer->silent)
        return;
    if (kind == FAULT_SILENCE) {
        peer->silent = true;
        peer->emulator->hands.freeze(peer->emulator->hands.ctx, peer->wire);
    } else {
        emulator_drop(peer, kind == FAULT_DISCONNECT, "a fault");
    }
}

static void strike(struct emulator *self, enum fault_kind kind, uint32_t topic)
{
    emulator_say_fault(self, kind, emulator_symbol(self, self->topics[topic].symbol));
    for (struct emulated_peer *peer = self->peers; peer; peer = peer->next)
        for (uint32_t i = 0; i < peer->n; i++)
            if (peer->subscriptions[i].topic == topic)
                strike_peer(peer, kind);
}

static void send_spoilt(struct emulator *self, uint32_t topic, enum fault_kind kind, const char *text,
                        size_t len)
{
    static const char no_json[] = "{\"e\":,]}\x7f~garbage", no_text[] = "\xff\xfe\xc0{\"\x80";
    for (struct emulated_peer *peer = self->peers; peer; peer = peer->next)
        for (uint32_t i = 0; i < peer->n; i++) {
            const struct subscription *to = &peer->subscriptions[i];
            if (to->topic != topic || to->waits)
                continue;
            words_clear(&self->spoilt);
            if (kind == FAULT_GARBAGE)
                words_put(&self->spoilt, self->venue->binary ? no_text : no_json,
                          (self->venue->binary ? sizeof no_text : sizeof no_json) - 1);
            else
                self->venue->dress(&self->spoilt, to->name, peer->style, text, len);
            if (kind == FAULT_CUT)
                self->spoilt.len /= 2;
            if (!self->spoilt.failed)
                emulator_send(peer, self->spoilt.at, self->spoilt.len, self->venue->binary);
        }
}

static void deliver_in_time(struct emulator *self, uint32_t topic, const char *text, size_t len,
                            bool snapshot)
{
    text = emulator_in_time(self, text, &len);
    emulator_deliver(self, topic, text, len, snapshot);
}

/* Who waited behind this message goes out now. */
static void send_swapped(struct emulator *self)
{
    self->swapped.held = false;
    deliver_in_time(self, self->swapped.topic, self->swapped.text.at, self->swapped.text.len, false);
}

/* Sends a book's message, or what a fault leaves of it. true: it went out as it is. */
static bool send_book(struct emulator *self, uint32_t topic, const struct played *played,
                      const struct frame *frame)
{
    const struct fault *fault;
    while ((fault = emulator_chance(self, FAULT_DISCONNECT, FAULT_SILENCE)) != NULL) {
        strike(self, fault->kind, topic);
        if (!watched(self, topic))
            return false;
    }
    fault = emulator_chance(self, FAULT_DROP, FAULT_GARBAGE);
    enum fault_kind kind = fault ? fault->kind : FAULT_KINDS;
    bool held = self->swapped.held && self->swapped.topic == topic;
    if (kind == FAULT_SWAP && self->swapped.held)
        kind = FAULT_KINDS; /* one at a time */
    if (kind != FAULT_KINDS)
        emulator_say_fault(self, kind, played->symbol);
    if (kind == FAULT_SWAP) {
        words_clear(&self->swapped.text);
        words_put(&self->swapped.text, frame->text, frame->len);
        self->swapped.topic = topic;
        self->swapped.held = !self->swapped.text.failed;
    } else if (kind == FAULT_CUT || kind == FAULT_GARBAGE) {
        send_spoilt(self, topic, kind, frame->text, frame->len);
    } else if (kind != FAULT_DROP) {
        deliver_in_time(self, topic, frame->text, frame->len, played->snapshot);
        if (kind == FAULT_REPEAT)
            deliver_in_time(self, topic, frame->text, frame->len, played->snapshot);
    }
    if (held)
        send_swapped(self);
    return kind == FAULT_KINDS || kind == FAULT_REPEAT;
}

static void keep_last(struct emulator *self, uint32_t index, const struct played *played,
                      const struct frame *frame)
{
    struct topic *topic = &self->topics[index];
    if (played->snapshot && !topic->old.len)
        words_put(&topic->old, frame->text, frame->len);
    if (!self->venue->whole)
        return;
    struct words before = topic->before;
    topic->before = topic->last;
    topic->last = before;
    words_clear(&topic->last);
    words_put(&topic->last, frame->text, frame->len);
    if (topic->before.len && watched(self, index) &&
        emulator_chance(self, FAULT_STALE_SNAPSHOT, FAULT_STALE_SNAPSHOT)) {
        emulator_say_fault(self, FAULT_STALE_SNAPSHOT, played->symbol);
        deliver_in_time(self, index, topic->before.at, topic->before.len, false);
    }
}

static void play_message(struct emulator *self, uint32_t index, const struct played *played,
                         const struct frame *frame)
{
    struct topic *topic = &self->topics[index];
    struct shown *shown = &self->shown[topic->symbol];
    if (!played->book) {
        deliver_in_time(self, index, frame->text, frame->len, false);
        return;
    }
    if (watched(self, index)) {
        shown->fresh = send_book(self, index, played, frame);
        if (shown->fresh && !shown->least && played->first)
            shown->least = self->venue->chained ? played->previous : played->first - 1;
    }
    keep_last(self, index, played, frame);
    emulator_snapshots(self, topic->symbol);
}

static void play_answer(struct emulator *self, const struct played *played, uint32_t levels,
                        const struct frame *frame)
{
    int symbol = table_find(self->symbol_names, played->symbol, strlen(played->symbol));
    struct shown *shown = &self->shown[symbol];
    shown->snapshots -= shown->snapshots > 0;
    self->answer.frame = frame;
    self->answer.symbol = (uint32_t)symbol;
    self->answer.levels = levels;
    self->answer.id = played->last;
    emulator_snapshots(self, (uint32_t)symbol);
    self->answer.frame = NULL;
    if (!shown->old.len) {
        words_put(&shown->old, frame->text, frame->len);
        shown->old_id = played->last;
    }
}

void emulator_play(struct emulator *self, uint32_t recording, const struct recorded_line *line,
                   struct now now)
{
    const struct frame *frame = &line->frame;
    struct played played = {0};
    uint32_t levels = 0;
    self->now = now;
    self->line = line->line;
    self->recv_ns = frame->recv_ns;
    trouble(self);
    if (!is_fed(line))
        return;
    if (frame->kind == FRAME_WS && self->venue->read(self->json, frame, &played)) {
        int topic = emulator_topic(self, played.channel, played.symbol);
        if (topic < 0 || self->shown[self->topics[topic].symbol].recording != recording)
            return;
        feed(self, self->market, recording, frame);
        show_books(self);
        play_message(self, (uint32_t)topic, &played, frame);
    } else if (frame->kind == FRAME_HTTP && self->venue->read_answer &&
               self->venue->read_answer(self->json, frame, &played, &levels)) {
        int symbol = table_find(self->symbol_names, played.symbol, strlen(played.symbol));
        if (symbol < 0 || self->shown[symbol].recording != recording)
            return;
        feed(self, self->market, recording, frame);
        show_books(self);
        play_answer(self, &played, levels, frame);
    } else {
        feed(self, self->market, recording, frame);
    }
}

void emulator_ended(struct emulator *self, bool close, struct now now)
{
    self->now = now;
    if (self->swapped.held)
        send_swapped(self);
    self->ended = true;
    emulator_say(self, "ended", "%s", "");
    for (uint32_t i = 0; i < table_count(self->symbol_names); i++)
        emulator_snapshots(self, i);
    for (struct emulated_peer *peer = self->peers; peer && close; peer = peer->next)
        emulator_drop(peer, false, "the recordings ended");
}

bool emulator_wanted(const struct emulator *self)
{
    return self->wanted;
}

/* ---- by time ----------------------------------------------------------------------------------------- */

static void tick_peer(struct emulator *self, struct emulated_peer *peer)
{
    const struct emulation_limits *limits = &self->venue->limits;
    int64_t now_ns = self->now.mono_ns;
    if (limits->ping_ns && now_ns - peer->pinged_ns >= limits->ping_ns) {
        char payload[24];
        int len = snprintf(payload, sizeof payload, "%" PRId64, self->now.utc_ns / NS_PER_MS);
        peer->pinged_ns = now_ns;
        self->hands.ping(self->hands.ctx, peer->wire, payload, (size_t)len);
    }
    if (self->venue->heartbeat && peer->n > 0 && now_ns - peer->beaten_ns >= self->venue->heartbeat_ns) {
        peer->beaten_ns = now_ns;
        emulated_say(peer, self->venue->heartbeat, strlen(self->venue->heartbeat));
    }
    for (uint32_t i = 0; i < peer->n; i++)
        if (peer->subscriptions[i].due_ns && now_ns >= peer->subscriptions[i].due_ns)
            emulator_stream_snapshot(peer, &peer->subscriptions[i]);
    if (self->options.strict && limits->idle_ns && now_ns - peer->heard_ns >= limits->idle_ns)
        emulator_drop(peer, false, "idle");
}

/* Where no message comes any more by which its moment could be told, a fault of connections is of all of them. */
static void strike_all(struct emulator *self)
{
    const struct fault *fault = emulator_chance(self, FAULT_DISCONNECT, FAULT_SILENCE);
    if (!fault)
        return;
    emulator_say_fault(self, fault->kind, "");
    for (struct emulated_peer *peer = self->peers; peer; peer = peer->next)
        strike_peer(peer, fault->kind);
}

void emulator_tick(struct emulator *self, struct now now)
{
    self->now = now;
    trouble(self);
    if (self->ended && self->peers)
        strike_all(self);
    for (struct emulated_peer *peer = self->peers; peer; peer = peer->next)
        if (!peer->silent && !peer->leaving)
            tick_peer(self, peer);
    emulator_requests_due(self);
}
