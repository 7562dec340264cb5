/* What the emulator's files share. */
#ifndef SLUICE_VENUES_EMULATOR_INSIDE_H
#define SLUICE_VENUES_EMULATOR_INSIDE_H

#include "lib/base/rng.h"
#include "lib/base/table.h"
#include "venues/emulator/emulator.h"

/* A channel of a symbol. */
struct topic {
    uint32_t recording; /* whose messages are played */
    uint32_t symbol;
    uint32_t depth;
    bool book, played;         /* played: the recordings have it */
    struct words last, before; /* its last two messages, where each is a whole book */
    struct words old;          /* its first snapshot */
};

/* A symbol. */
struct shown {
    const struct venue_book *book; /* NULL: not seen yet */
    bool known;                    /* the recordings have it */
    uint32_t recording;            /* whose book and answers are played */
    uint32_t snapshots;            /* recorded answers still to come */
    bool fresh;                    /* every subscription to its book had a message, the last one unharmed */
    uint64_t
        least; /* a snapshot below it does not join what was sent since the last subscription; 0 = nothing was */
    uint32_t watchers; /* subscriptions to its book */
    struct words old;  /* the first answer */
    uint64_t old_id;
};

struct subscription {
    uint32_t topic;
    bool waits;     /* for its snapshot: no message before */
    int64_t due_ns; /* when a snapshot that was held back goes out; 0 = none is */
    char name[EMULATED_NAME_MAX];
};

/* Events of a kind within a span of time, at most. */
struct quota {
    int64_t since_ns;
    uint32_t used;
};

struct emulated_peer {
    struct emulator *emulator;
    struct emulated_peer *next;
    void *wire;
    uint64_t number;
    struct subscription *subscriptions;
    uint32_t n, cap, style;
    struct quota sends;
    int64_t heard_ns, pinged_ns, beaten_ns;
    bool silent;  /* frozen */
    bool leaving; /* dropped: its end is to come */
};

struct emulated_request {
    struct emulator *emulator;
    struct emulated_request *next;
    void *wire;
    uint32_t symbol, limit;
    bool held; /* its answer is in body, for due_ns */
    int64_t due_ns;
    bool done;
    struct words body;
};

struct emulator {
    const struct emulation *venue;
    const struct venue_ops *ops;
    struct emulator_options options;
    struct emulator_hands hands;
    struct venue_market *survey, *market;
    struct json *json;
    struct rng rng;
    struct table *topic_names, *symbol_names;
    struct topic *topics;
    struct shown *shown;
    struct emulated_peer *peers;
    struct emulated_request *requests;
    uint64_t n_peers;
    struct fault faults[EMULATOR_FAULTS_MAX];
    uint32_t n_faults;
    bool wanted, ended;
    uint64_t line; /* at hand, or the last one */
    int64_t recv_ns;
    struct now now;
    int64_t refuse_until_ns, angry_until_ns, skew_ns;
    int angry; /* the status until then */
    struct quota connects, weight;
    struct {
        bool held;
        uint32_t topic;
        struct words text;
    } swapped;        /* a message that goes out behind the next one of its topic */
    uint32_t n_books; /* of market that are in shown */
    struct words moved, dressed, event, made, spoilt;
    struct {
        const struct frame *frame; /* NULL: there is none */
        uint32_t symbol, levels;
        uint64_t id;
    } answer; /* the recorded one at hand */
};

/* emulator_chance.c */
void emulator_say(struct emulator *self, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void emulator_say_fault(struct emulator *self, enum fault_kind kind, const char *symbol);

/* The first armed fault of these kinds whose moment is now; it counts as done. NULL: none. */
const struct fault *emulator_chance(struct emulator *self, enum fault_kind first, enum fault_kind last);
bool quota_take(struct quota *self, uint32_t n, uint32_t most, int64_t span_ns, int64_t now_ns);

/* emulator_times.c: the text with its times moved by so much, in out; false: there was nothing to move. */
bool emulator_move_times(const char *const *keys, int64_t by_ns, const char *text, size_t len,
                         struct words *out);

/* emulator_peer.c */
void emulator_send(struct emulated_peer *peer, const char *text, size_t len, bool binary);
void emulator_drop(struct emulated_peer *peer, bool abrupt, const char *why);
/* To who subscribes to the topic; snapshot: those who wait for one have it now. */
void emulator_deliver(struct emulator *self, uint32_t topic, const char *text, size_t len, bool snapshot);
int emulator_topic(const struct emulator *self, const char *channel,
                   const char *symbol); /* E_ABSENT, E_RANGE */
int emulator_topic_made(struct emulator *self, const char *channel, const char *symbol); /* E_FULL, E_RANGE */
const char *emulator_symbol(const struct emulator *self, uint32_t symbol);

/* emulator.c: of the survey */
const struct inst *emulator_inst(const struct emulator *self, const char *venue_symbol);

/* emulator_snapshot.c */
const char *emulator_in_time(struct emulator *self, const char *text, size_t *len);
void emulator_snapshots(struct emulator *self, uint32_t symbol); /* answers what can be */
void emulator_stream_snapshot(struct emulated_peer *peer, struct subscription *subscription);
void emulator_requests_due(struct emulator *self);

#endif
