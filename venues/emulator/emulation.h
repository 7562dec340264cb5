/* How an emulated venue speaks: what differs between venues when recordings are played to clients as the venue itself
 * would. One table a venue; what they share (who gets what and when, faults, limits) is the emulator's
 * (venues/emulator/emulator.h), and the functions at the foot are what it offers to these tables.
 *
 * It is the other side of venues/line.h, and is written from what the exchange documents, never from that: of the two
 * one finds the other's misunderstandings.
 */
#ifndef SLUICE_VENUES_EMULATOR_EMULATION_H
#define SLUICE_VENUES_EMULATOR_EMULATION_H

#include "lib/base/json.h"
#include "venues/market.h"
#include "venues/emulator/words.h"

enum { EMULATED_SYMBOL_MAX = 32, EMULATED_CHANNEL_MAX = 32, EMULATED_NAME_MAX = 80 };

struct emulated_peer;    /* a client that is connected */
struct emulated_request; /* one that waits for the answer to a GET */

/* What a recorded message is, for whom. */
struct played {
    char symbol[EMULATED_SYMBOL_MAX];   /* the venue's own name */
    char channel[EMULATED_CHANNEL_MAX]; /* one word for all forms of a channel that its clients may ask for */
    bool book;                          /* it changes a book */
    bool snapshot;                      /* it is a whole book, on which changes follow */
    uint32_t depth; /* levels a side of the subscription that it answers, where it tells; 0 = it does not */
    uint64_t first, last,
        previous; /* update ids it spans, and the one before where the venue says it; 0 = none */
};

struct emulation_limits {
    uint32_t sends; /* messages of a client in sends_ns; more and it is disconnected; 0 = not told */
    int64_t sends_ns;
    uint32_t connects; /* in connects_ns; more are answered with 429, where limits are kept strictly */
    int64_t connects_ns;
    uint32_t weight; /* of requests in weight_ns; more are answered with 429; 0 = not told */
    int64_t weight_ns;
    int64_t
        idle_ns; /* a client that says nothing for so long is disconnected, where limits are kept strictly; 0 = never */
    int64_t ping_ns; /* the venue's own pings; 0 = none */
};

struct snapshot_wish {
    uint32_t limit;          /* levels a side at most; 0 = all */
    const char *channel;     /* of a subscription; NULL for an answer */
    const char *name;        /* the client's own word for it */
    int64_t venue_time;      /* ns UTC */
    const struct inst *inst; /* as the recordings tell of it over their whole length; NULL: they do not */
};

struct emulation {
    const char *venue; /* name, as in venue_ops */
    bool binary;       /* its data comes in binary frames */
    bool
        chained; /* a snapshot joins a change that spans its id: one must be sent after it was subscribed to */
    bool whole;  /* each message of a book is the whole book */
    bool on_stream; /* a subscription of a book begins with its snapshot; false: that is asked for by GET */
    struct emulation_limits limits;
    const char *const *times;  /* keys whose values are times; ends with NULL */
    const char *weight_header; /* in which answers tell the weight that is used; NULL = none */
    const char *heartbeat;     /* sent to subscribers every heartbeat_ns; NULL = none */
    int64_t heartbeat_ns;

    /* What a recorded message is. false: nothing that is played (an answer to the recording's own client); of such only
     * symbol, channel and depth are looked at. */
    bool (*read)(struct json *json, const struct frame *frame, struct played *out);
    /* The same of a recorded answer: a snapshot of a book, its id in last, with as many levels a side at most as
     * *levels says. */
    bool (*read_answer)(struct json *json, const struct frame *frame, struct played *out, uint32_t *levels);

    /* A client is there; path is with query. May be NULL. */
    void (*opened)(struct emulated_peer *peer, const char *path);
    void (*message)(struct emulated_peer *peer, struct json *json, const char *text, size_t len);
    void (*request)(struct emulated_request *request, const char *path_and_query);

    /* A played message as a client gets it that called its subscription `name` and has this style. */
    void (*dress)(struct words *out, const char *name, uint32_t style, const char *text, size_t len);
    /* A snapshot as the venue writes it. NULL where there are none. */
    void (*snapshot)(struct words *out, const struct venue_book *book, const struct snapshot_wish *wish);
    /* An old snapshot, with id as its update id. NULL: old ones go out as they were. */
    void (*age)(struct words *out, const char *text, size_t len, uint64_t id);
    /* The first message that a subscription gets of a book whose messages are whole. Nothing is written where it is no
     * other than the rest. */
    void (*first)(struct words *out, const char *name, const char *text, size_t len);
};

/* Every emulated venue; ends with NULL. */
extern const struct emulation *const emulations_all[];
const struct emulation *emulation_named(const char *venue); /* NULL: none */

/* ---- for the tables ---------------------------------------------------------------------------------- */

void emulated_say(struct emulated_peer *peer, const char *text,
                  size_t len); /* in the kind of frame of its data */
void emulated_say_text(struct emulated_peer *peer, const char *text, size_t len);
void emulated_leave(struct emulated_peer *peer); /* a clean close, after what was said */

/* E_FULL. Subscribing once more begins it anew: the snapshot comes again. */
int emulated_subscribe(struct emulated_peer *peer, const char *channel, const char *symbol, const char *name);
void emulated_unsubscribe(struct emulated_peer *peer, const char *channel, const char *symbol);
void emulated_unsubscribe_all(struct emulated_peer *peer);
/* Names of its subscriptions, i = 0, 1, ...; NULL: no more. */
const char *emulated_subscription(const struct emulated_peer *peer, uint32_t i);
uint32_t *emulated_style(struct emulated_peer *peer); /* the table's own, 0 at first */

struct emulator;
struct emulator *emulated_by(const struct emulated_peer *peer);
struct emulator *emulated_asked(const struct emulated_request *request);
/* Whether the recordings have this symbol at all; whether they have the channel of it. */
bool emulated_knows(const struct emulator *self, const char *symbol);
bool emulated_plays(const struct emulator *self, const char *channel, const char *symbol);
/* Levels a side of the recorded subscription; 0: not told. */
uint32_t emulated_depth(const struct emulator *self, const char *channel, const char *symbol);
/* What the recordings tell of their instruments, over their whole length; NULL behind the last. */
const struct inst *emulated_instrument(const struct emulator *self, uint32_t i);
struct dec emulated_tick(const struct inst *inst);
struct dec emulated_lot(const struct inst *inst);
/* The last message of a book whose messages are whole; NULL: none yet. */
const struct words *emulated_last(const struct emulator *self, const char *channel, const char *symbol);
int64_t emulated_utc_ns(const struct emulator *self);

void emulated_answer(struct emulated_request *request, int status, const char *body, size_t len);
/* Books a request's weight. false: it was over the limit and is answered. */
bool emulated_weigh(struct emulated_request *request, uint32_t weight);
/* Answers with a snapshot, as soon as there is one that fits to what was sent. */
void emulated_snapshot(struct emulated_request *request, const char *symbol, uint32_t limit);

#endif
