/* What a core wants done: an ordered list of effects, and the one function that does them.
 *
 * A core takes an input and the time, and writes effects into its outbox; it never does anything itself. The
 * same effects_run executes them over sockets and files, in the backtest, and in the simulation, so the order
 * is written once:
 *
 *   1. every APPEND of the outbox is journaled, then written in one write;
 *   2. orders are sent to the venue, each after the SYNC that stands before it;
 *   3. the other effects follow in the core's order.
 *
 * So nothing is published, sent or committed before the record that says so is written, and a SYNC stands
 * between what it must protect and what may be seen. When one fails nothing behind it happens and the outbox keeps
 * what is not done: call again later; until then the service takes no input.
 */
#ifndef SLUICE_RUNTIME_EFFECTS_H
#define SLUICE_RUNTIME_EFFECTS_H

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "proto/message.h"

enum effect_kind {
    EFFECT_APPEND,  /* into the core's own journal, at env.epoch and env.pos */
    EFFECT_SYNC,    /* what was appended must be on disk before what follows is done */
    EFFECT_PUBLISH, /* on the core's PUB socket */
    EFFECT_SEND,    /* to one peer */
    EFFECT_STORE,   /* a row into the open transaction */
    EFFECT_COMMIT,  /* end the transaction, with the stored positions */
    EFFECT_TIMER,   /* call the core again at this market time, if no input came before */
    EFFECT_DONE     /* it was */
};

enum peer { PEER_NONE, PEER_RISK, PEER_VENUE, PEER_RISK_LEDGER, PEER_EXEC_LEDGER };

struct effect {
    enum effect_kind kind;
    enum peer peer;
    uint32_t message; /* slot in the outbox */
    int64_t at_ns;
};

struct outbox {
    struct message *messages;
    struct effect *effects;
    uint32_t n_messages, n_effects, capacity;
    uint32_t appended;  /* effects before this one have passed step 1 */
    uint32_t next;      /* effects before this one are done */
    bool unwritten;     /* appended, but the write has not succeeded yet */
    uint64_t overflows; /* messages that found no slot: a core's bound per input was exceeded */
};

/* Room that a caller must leave before it hands one input to a core: no core emits more than this per input. */
enum { OUTBOX_PER_INPUT_MAX = 256, OUTBOX_CAPACITY = 1024 };

int outbox_open(struct outbox *o, uint32_t capacity); /* E_FULL: out of memory */
void outbox_close(struct outbox *o);
bool outbox_has_room(const struct outbox *o);

/* A fresh message of a type, to be filled by the core. Never NULL: when the outbox is full it is a spare that
 * goes nowhere, and the overflow is counted. */
struct message *outbox_message(struct outbox *o, enum message_type type);
void outbox_add(struct outbox *o, enum effect_kind kind, const struct message *m, enum peer peer);
void outbox_sync(struct outbox *o);
void outbox_timer(struct outbox *o, int64_t market_ns);

/* The place where a stream's next word goes. */
struct ledger_head {
    char stream[16];
    uint64_t epoch;
    uint64_t pos; /* of the last record */
};

/* A fresh ledger record at the next position of head, with its APPEND and PUBLISH. The caller fills the body,
 * then applies it to its own state. */
struct message *outbox_record(struct outbox *o, struct ledger_head *head, enum message_type type,
                              struct now now);

/* As outbox_record; but it is on disk before anybody hears of it (but for sync never). One sync serves all that the
 * outbox holds. */
struct message *outbox_record_synced(struct outbox *o, struct ledger_head *head, enum message_type type,
                                     struct now now);

/* The first word of a new life: moves head on to `epoch`, which must be above its own, with the record that names the
 * head so far as its base. It is on disk before anybody hears of it (but for sync never). The caller applies it to its
 * own state. */
struct message *outbox_epoch(struct outbox *o, struct ledger_head *head, uint64_t epoch, uint64_t boot_id,
                             const char *run, struct now now);

/* What effects are done with. append, publish and send may stamp the trace of the message. A function that a service has no use for may be NULL: its effects are then skipped. */
struct devices {
    void *ctx;
    int (*append)(void *ctx, struct message *m);
    int (*write)(void *ctx);
    int (*sync)(void *ctx);
    int (*publish)(void *ctx, struct message *m);
    int (*send)(void *ctx, enum peer to, struct message *m);
    int (*store)(void *ctx, const struct message *m);
    int (*commit)(void *ctx, const struct message *m);
    void (*timer)(void *ctx, int64_t market_ns);
};

/* Does what the outbox holds and empties it. An error of append, write, sync or commit ends the call and is
 * returned; what was not done stays. Errors of publish and send are the device's to count: the message is lost
 * there as on any wire. */
int effects_run(struct outbox *o, const struct devices *d);

#endif
