/* Snapshots and other answers, at the moment at which they fit to what was sent. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "venues/emulator/inside.h"

enum { OLD_BY = 1000 };

struct emulator *emulated_asked(const struct emulated_request *request)
{
    return request->emulator;
}

const char *emulator_in_time(struct emulator *self, const char *text, size_t *len)
{
    int64_t by_ns = self->skew_ns;
    if (self->options.times_to_now)
        by_ns += self->now.utc_ns - self->recv_ns;
    if (by_ns == 0 || !emulator_move_times(self->venue->times, by_ns, text, *len, &self->moved))
        return text;
    *len = self->moved.len;
    return self->moved.at;
}

static int64_t venue_time(const struct emulator *self, const struct venue_book *book)
{
    int64_t by_ns = self->skew_ns;
    if (self->options.times_to_now)
        by_ns += self->now.utc_ns - self->recv_ns;
    return book->venue_time ? book->venue_time + by_ns : 0;
}

/* ---- on the connection ------------------------------------------------------------------------------- */

void emulator_stream_snapshot(struct emulated_peer *peer, struct subscription *to)
{
    struct emulator *self = peer->emulator;
    struct topic *topic = &self->topics[to->topic];
    const struct venue_book *book = self->shown[topic->symbol].book;
    const char *symbol = emulator_symbol(self, topic->symbol);
    if (!book || l2_book_state(book->book) != BOOK_LIVE)
        return; /* the recorded one is to come */
    const struct fault *slow =
        to->due_ns ? NULL : emulator_chance(self, FAULT_SLOW_SNAPSHOT, FAULT_SLOW_SNAPSHOT);
    if (slow) {
        to->due_ns = self->now.mono_ns + slow->value_ns;
        emulator_say_fault(self, slow->kind, symbol);
        return;
    }
    to->due_ns = 0;
    to->waits = false;
    words_clear(&self->made);
    if (topic->old.len && emulator_chance(self, FAULT_STALE_SNAPSHOT, FAULT_STALE_SNAPSHOT)) {
        emulator_say_fault(self, FAULT_STALE_SNAPSHOT, symbol);
        self->venue->dress(&self->made, to->name, peer->style, topic->old.at, topic->old.len);
    } else {
        struct snapshot_wish wish = {.channel = table_key(self->topic_names, to->topic),
                                     .name = to->name,
                                     .inst = emulator_inst(self, symbol),
                                     .venue_time = venue_time(self, book)};
        self->venue->snapshot(&self->made, book, &wish);
    }
    if (self->made.failed)
        return;
    emulator_send(peer, self->made.at, self->made.len, self->venue->binary);
    emulator_say(self, "snapshot", "\"symbol\":\"%s\",\"seq\":%" PRIu64 ",\"made\":true", symbol,
                 book->venue_seq);
}

/* ---- answers ----------------------------------------------------------------------------------------- */

static void answer(struct emulated_request *request, int status, const char *more, const char *body,
                   size_t len)
{
    struct emulator *self = request->emulator;
    char headers[160] = "";
    if (self->venue->weight_header)
        (void)snprintf(headers, sizeof headers, "%s: %" PRIu32 "\r\n", self->venue->weight_header,
                       self->weight.used);
    (void)strncat(headers, more, sizeof headers - strlen(headers) - 1);
    request->done = true;
    self->hands.answer(self->hands.ctx, request->wire, status, headers, body, len);
}

void emulated_answer(struct emulated_request *request, int status, const char *body, size_t len)
{
    answer(request, status, "", body, len);
}

static void turn_away(struct emulated_request *request, int status, int64_t until_ns)
{
    char more[48];
    static const char body[] = "{\"code\":-1003,\"msg\":\"Too many requests.\"}";
    (void)snprintf(more, sizeof more, "Retry-After: %" PRId64 "\r\n",
                   (until_ns - request->emulator->now.mono_ns + NS_PER_SEC - 1) / NS_PER_SEC);
    answer(request, status, more, body, sizeof body - 1);
}

bool emulated_weigh(struct emulated_request *request, uint32_t weight)
{
    struct emulator *self = request->emulator;
    const struct emulation_limits *limits = &self->venue->limits;
    if (!limits->weight ||
        quota_take(&self->weight, weight, limits->weight, limits->weight_ns, self->now.mono_ns))
        return true;
    emulator_say(self, "limit-broken", "\"limit\":\"weight\",\"most\":%" PRIu32 ",\"in_ns\":%" PRId64,
                 limits->weight, limits->weight_ns);
    turn_away(request, 429, self->weight.since_ns + limits->weight_ns);
    return false;
}

/* ---- snapshots that were asked for ------------------------------------------------------------------- */

static bool made_fits(const struct emulator *self, const struct shown *shown)
{
    if (!shown->book || l2_book_state(shown->book->book) != BOOK_LIVE ||
        shown->book->venue_seq < shown->least)
        return false;
    return !self->venue->chained || shown->fresh || shown->watchers == 0 || self->ended;
}

static bool recorded_fits(const struct emulator *self, const struct emulated_request *request)
{
    return self->answer.frame && self->answer.symbol == request->symbol &&
           self->answer.levels <= request->limit && self->answer.id >= self->shown[request->symbol].least;
}

static void hand_out(struct emulated_request *request, bool made, uint64_t id)
{
    struct emulator *self = request->emulator;
    const char *symbol = emulator_symbol(self, request->symbol);
    const struct fault *slow = emulator_chance(self, FAULT_SLOW_SNAPSHOT, FAULT_SLOW_SNAPSHOT);
    if (slow) {
        emulator_say_fault(self, slow->kind, symbol);
        request->held = true;
        request->due_ns = self->now.mono_ns + slow->value_ns;
    }
    emulator_say(self, "snapshot", "\"symbol\":\"%s\",\"seq\":%" PRIu64 ",\"made\":%s", symbol, id,
                 made ? "true" : "false");
    if (!slow)
        answer(request, 200, "", request->body.at, request->body.len);
}

/* What is in the request's body becomes one that joins nothing. */
static uint64_t make_stale(struct emulated_request *request, uint64_t id)
{
    struct emulator *self = request->emulator;
    struct shown *shown = &self->shown[request->symbol];
    uint64_t old = shown->old_id && shown->old_id < id ? shown->old_id : id;
    if (shown->least && shown->least < old)
        old = shown->least;
    old = old > OLD_BY ? old - OLD_BY : 1;
    words_clear(&self->made);
    if (shown->old.len)
        self->venue->age(&self->made, shown->old.at, shown->old.len, old);
    else
        self->venue->age(&self->made, request->body.at, request->body.len, old);
    words_clear(&request->body);
    words_put(&request->body, self->made.at, self->made.len);
    emulator_say_fault(self, FAULT_STALE_SNAPSHOT, emulator_symbol(self, request->symbol));
    return old;
}

static void try_snapshot(struct emulated_request *request)
{
    struct emulator *self = request->emulator;
    struct shown *shown = &self->shown[request->symbol];
    bool recorded = recorded_fits(self, request);
    uint64_t id;
    words_clear(&request->body);
    if (recorded) {
        size_t len = self->answer.frame->len;
        const char *text = emulator_in_time(self, self->answer.frame->text, &len);
        id = self->answer.id;
        words_put(&request->body, text, len);
    } else if (made_fits(self, shown)) {
        struct snapshot_wish wish = {.limit = request->limit,
                                     .inst = emulator_inst(self, emulator_symbol(self, request->symbol)),
                                     .venue_time = venue_time(self, shown->book)};
        id = shown->book->venue_seq;
        self->venue->snapshot(&request->body, shown->book, &wish);
    } else {
        if (self->ended || (shown->snapshots == 0 && !shown->old.len))
            emulated_answer(request, 503,
                            "{\"code\":-1000,\"msg\":\"The recordings hold no snapshot of it.\"}", 61);
        return;
    }
    if (self->venue->age && emulator_chance(self, FAULT_STALE_SNAPSHOT, FAULT_STALE_SNAPSHOT))
        id = make_stale(request, id);
    if (request->body.failed)
        emulated_answer(request, 500, "{}", 2);
    else
        hand_out(request, !recorded, id);
}

void emulator_snapshots(struct emulator *self, uint32_t symbol)
{
    for (struct emulated_request *r = self->requests; r; r = r->next)
        if (!r->done && !r->held && r->symbol == symbol)
            try_snapshot(r);
}

void emulated_snapshot(struct emulated_request *request, const char *symbol, uint32_t limit)
{
    int found = table_find(request->emulator->symbol_names, symbol, strlen(symbol));
    if (found < 0) {
        emulated_answer(request, 404, "{}", 2);
        return;
    }
    request->symbol = (uint32_t)found;
    request->limit = limit ? limit : UINT32_MAX;
    try_snapshot(request);
}

/* ---- requests ---------------------------------------------------------------------------------------- */

static void sweep(struct emulator *self)
{
    for (struct emulated_request **at = &self->requests; *at;) {
        struct emulated_request *request = *at;
        if (!request->done) {
            at = &request->next;
            continue;
        }
        *at = request->next;
        words_free(&request->body);
        free(request);
    }
}

void emulator_requests_due(struct emulator *self)
{
    for (struct emulated_request *r = self->requests; r; r = r->next)
        if (r->held && !r->done && r->due_ns <= self->now.mono_ns)
            answer(r, 200, "", r->body.at, r->body.len);
    sweep(self);
}

void emulator_request(struct emulator *self, void *wire, const char *path_and_query, struct now now)
{
    struct emulated_request *request = calloc(1, sizeof *request);
    self->now = now;
    if (!request) {
        self->hands.answer(self->hands.ctx, wire, 500, "", "{}", 2);
        return;
    }
    *request = (struct emulated_request){.emulator = self, .next = self->requests, .wire = wire};
    request->symbol = UINT32_MAX;
    self->requests = request;
    if (now.mono_ns < self->angry_until_ns)
        turn_away(request, self->angry, self->angry_until_ns);
    else
        self->venue->request(request, path_and_query);
    sweep(self);
}

void emulator_request_gone(struct emulator *self, void *wire)
{
    for (struct emulated_request *r = self->requests; r; r = r->next)
        if (r->wire == wire)
            r->done = true;
    sweep(self);
}
