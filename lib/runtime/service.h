/* The shell that all services share: arguments, run directory, config, log, control socket, loop, market view,
 * ledgers to follow. A service's main.c says which of these it has and how they meet its core.
 *
 * Every service runs inside its run directory: config.yaml, sock/, log/, journal/ are relative to it.
 */
#ifndef SLUICE_RUNTIME_SERVICE_H
#define SLUICE_RUNTIME_SERVICE_H

#include "lib/market/view.h"
#include "lib/runtime/config.h"
#include "lib/runtime/effects.h"
#include "lib/runtime/ledger.h"
#include "lib/runtime/log.h"
#include "lib/runtime/loop.h"
#include "lib/runtime/metric.h"
#include "lib/runtime/sockets.h"
#include "proto/codec.h"

enum { SERVICE_FOLLOWS_MAX = 2, SERVICE_SOCKETS_MAX = 8 };

struct service {
    /* ---- set by service_open ---- */
    char name[24]; /* "risk", "strategy-1" */
    char run[40];  /* run id */
    uint64_t boot_id;
    struct config config;
    void *zmq;
    struct loop *loop;
    struct outbox outbox;

    /* ---- set by the service before service_run ---- */
    void *core;
    struct devices devices;
    /* Optional; each gets now with market time filled in. */
    void (*on_market)(struct service *s, int index, const struct message *m, struct now now);
    void (*on_market_message)(struct service *s, const struct message *m,
                              struct now now);          /* any, also of no instrument */
    void (*on_time)(struct service *s, struct now now); /* every wake-up, after all inputs */
    /* Not asked while blocked, but for VERB_STOP: an answer would promise what is not written. */
    enum control_code (*on_control)(struct service *s, const struct request *request, struct now now);
    void (*on_status)(struct service *s, struct reply *reply);
    /* VERB_BOOK, VERB_VENUE: figures of the one with the request's number. CONTROL_REFUSED: there is none. */
    enum control_code (*on_page)(struct service *s, const struct request *request, struct reply *reply,
                                 struct now now);
    bool (*quiet)(struct service *s); /* the paced replay may go on; NULL = always */
    /* Emits the core's state as of its head, MSG_SNAPSHOT first (its envelope: the head). Asked in the tail of a
     * wake-up when journal.snapshot_every records were written since the last, and at a stop in order; no effect is
     * under way then. NULL: no snapshots. */
    void (*snapshot)(struct service *s, snapshot_emit_fn *emit, void *ctx, struct now now);
    /* A reader knows of more of our ledger than we do (our journal was lost, or restored from a copy): the core writes
     * an epoch record of this epoch, whose base is its head, and goes on. */
    void (*begin_epoch)(struct service *s, uint64_t epoch, struct now now);

    /* ---- of service_market, service_ledger and service_follow ---- */
    struct view *view;
    struct ledger *ledger;
    struct ledger_reader *follows[SERVICE_FOLLOWS_MAX];
    int n_follows;

    /* ---- inside ---- */
    struct followed {
        struct service *service;
        struct ledger_reader *reader;
    } followed[SERVICE_FOLLOWS_MAX]; /* what the loop hands back to drain a ledger */
    void *market, *control, *pace;
    void *sockets[SERVICE_SOCKETS_MAX]; /* all that service_socket opened */
    int n_sockets;
    struct inbox inbox;
    struct decoder *decoder;
    struct drops drops;
    struct message message;
    unsigned char bytes[MESSAGE_BYTES_MAX];
    uint64_t window, window_answered, wakeups, market_messages;
    int64_t paced_mono_ns;
    int64_t kept_told_mono_ns;
    int64_t stop_until_mono_ns; /* 0 = not stopping */
    bool blocked;               /* effects could not be done: no input is taken */
    bool doubtful;              /* a sync has failed: the process ends */
};

/* Zeroed memory for a service's whole state, of which struct service is the first member: one per process. */
void *service_state(size_t bytes);

/* Arguments: --dir RUN [--name NAME]. Exits with a clear message and code 2 or 3 on bad arguments or config. */
void service_open(struct service *s, const char *name, int argc, char **argv);

/* Makes the view now, for a core that wants it before service_market. */
void service_view(struct service *s);

/* A socket of this service, or of another one; exits with words when it cannot be opened.
 * service_run closes it. */
void *service_socket(struct service *s, enum socket_role role, const char *service, const char *socket);

/* Ends the process with words and code 1. */
_Noreturn void service_fail(const struct service *s, const char *words);

/* Adds or drops a subscription of the market socket. */
void service_subscribe(struct service *s, const char *prefix, bool on);

/* Subscribes to the feed. kinds: topic prefixes, ends with NULL; wakes: whether market data wakes the service. */
void service_market(struct service *s, const char *const *kinds, bool wakes);

/* Follows a ledger from its beginning, or behind (epoch, pos). Order of calls is order of draining. */
void service_follow(struct service *s, const char *ledger, uint64_t epoch, uint64_t pos,
                    void (*apply)(void *service, const struct message *m, struct now now));

/* As service_follow, for who wants the present state and not the history: ledger_reader_from_state. */
void service_follow_state(struct service *s, const char *ledger,
                          void (*apply)(void *service, const struct message *m, struct now now));

/* Opens this service's own ledger (s->ledger), handing its last snapshot to `restore` and what comes behind to `apply`
 * (restore NULL: all of it to apply); exits with words when it cannot. service_run closes it. */
struct ledger *service_ledger(struct service *s, const char *name, ledger_record_fn *apply,
                              ledger_record_fn *restore, void *core);

/* No segment of this service's ledger goes before this reader has stored it. A service that keeps snapshots tells the
 * owners of the ledgers it follows, under its own name, how far they include them. */
void service_needed_by(struct service *s, const char *reader);

/* The devices of a service whose words go into its own ledger: append, write, sync and publish. The service adds
 * what else it has. */
struct devices service_ledger_devices(struct service *s);

/* Runs until stopped; then closes everything but the core. Returns the exit code. */
int service_run(struct service *s);

/* Does what the outbox holds now. */
void service_flush(struct service *s);

/* One more input may be taken: it will find room in the outbox. false: what is there cannot be done now, so the
 * input stays where it is. To be asked before each input. */
bool service_ready(struct service *s);

/* now with market time filled in from the view. */
struct now service_now(const struct service *s, struct now now);

/* All followed ledgers are current. */
bool service_current(const struct service *s);

/* Ends service_run once the recorder has stored everything of this service's ledger, or after five seconds. */
void service_stop_when_stored(struct service *s);

/* Hash of the program's own build id, as the linker wrote it: equal only for the same build. */
uint64_t build_id(void);

/* An epoch for a publisher without a journal: one more than the one stored in the file of the working directory,
 * synced before return. While the disk is full it waits for room, says so in the log, and ends the process in order
 * when that is told to. 0: the file cannot be read or written. */
uint64_t service_epoch(const struct service *s, const char *path);

#endif
