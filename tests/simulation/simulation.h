/* The whole pipeline in one process: the services' own code under a scheduler that is seeded, with time, sockets and
 * disks that are played. Everything that happens follows from the seed; equal seeds give equal runs.
 *
 * A service is a process here: coroutines that share a name and a life. What it reaches through the seams (clock.h,
 * entropy.h, sockets.h, loop.h, disk.h, rhythm.h, failpoint.h, log.h) is defined in this folder under the same names.
 */
#ifndef SLUICE_TESTS_SIMULATION_H
#define SLUICE_TESTS_SIMULATION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <ucontext.h>

#include "lib/base/clock.h"
#include "lib/base/rng.h"
#include "proto/codec.h"

enum { PROCESSES_MAX = 12, TASKS_MAX = 2 * PROCESSES_MAX, WORKERS_MOST = 3 };
enum mode { MODE_KILL, MODE_POWER };

/* ---- the world ------------------------------------------------------------------------------------------------ */

/* What a seed may meet, drawn once. Shares are in thousandths; 0 = never. */
struct knobs {
    int workers, symbols;
    int64_t fault_every_ns;  /* mean */
    int gap_kill_permyriad;  /* at each gap between effects: the process dies */
    int gap_pause_permyriad; /* or is set aside for a while */
    bool replay_kill;        /* an owner may die within an answer to a replay */
    bool reports_fail;       /* the venue's, to exec */
    int snapshot_every;      /* records */
    int snapshot_kill;       /* its owner dies soon behind it */
    int marks_divisor;       /* high-water marks are the real ones over this, at least 32 */
    uint64_t segment_bytes;
    int64_t risk_sync_ns, exec_sync_ns; /* as in journal_options */
    int64_t delay_ns;                   /* usual delay of a message */
    int64_t wakeup_ns;                  /* usual delay of a wake-up */
    int64_t max_age_ns, max_market_age_ns, silence_ns; /* as in the config */
    int best_permille;                  /* of the books of the market that come as a best price only */
    int fault_weight[32];               /* by enum fault */
};

struct world {
    uint64_t seed, step, steps;
    enum mode mode;
    struct rng rng;
    int64_t mono_ns, utc_offset_ns;
    uint64_t boots;
    bool quiet; /* no more faults */
    bool tracing, shown;
    uint64_t hash; /* of the trace */
    struct knobs knobs;
};
extern struct world world;

#define UTC_START_NS  (INT64_C(1760000000) * NS_PER_SEC)
#define MONO_START_NS (INT64_C(1000) * NS_PER_SEC)

/* 0 .. n-1; n > 0 */
uint64_t draw(uint64_t n);
bool chance(int permille);
int64_t draw_around(int64_t mean_ns); /* between nothing and some times the mean */

/* A line of the trace, with step, virtual time and who runs in front. */
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define TRACE(...)                                                                                           \
    do {                                                                                                     \
        if (world.tracing)                                                                                   \
            trace(__VA_ARGS__);                                                                              \
    } while (0)
void trace_tail(FILE *out); /* its last lines */

/* An invariant does not hold: says so with seed, step and time, and ends this seed with exit code 1. */
_Noreturn void violated(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- processes ------------------------------------------------------------------------------------------------- */

struct loop;

struct task {
    struct process *process; /* NULL: free */
    ucontext_t context;
    void (*run)(void *ctx);
    void *ctx;
    struct loop *waits_on; /* a loop of sockets and timers, besides wake_ns */
    int64_t wake_ns;
    bool ended;
};

struct process {
    char name[24];
    int (*main)(int argc, char **argv);
    uint32_t number, life;
    bool up, wanted, stopping; /* stopping: it ends in order, and is not started again */
    bool signalled;            /* SIGTERM is there */
    int code;                  /* of its last end; -1 = killed */
    int64_t started_ns, restart_ns, paused_until_ns;
    int kill_in_gaps;  /* dies at that many gaps from here; 0 = not */
    int pause_in_gaps; /* is stopped there for a long while */
    struct task *task;
};

extern struct process processes[PROCESSES_MAX];
extern int n_processes;

struct process *process_add(const char *name, int (*main)(int argc, char **argv));
struct process *process_named(const char *name); /* NULL */
struct process *process_running(void);           /* whose code runs; NULL: the scheduler's */
void process_start(struct process *p);
void process_kill(struct process *p); /* what is running may kill itself: then this does not return */
struct task *task_add(struct process *p, void (*run)(void *ctx), void *ctx);
void task_end(struct task *t); /* another than the running one */
void task_sleep(int64_t ns);   /* the running task; others go on meanwhile */
void task_wait(struct loop *loop, int64_t until_ns);
struct task *task_next(int64_t *at_ns); /* whose turn it is, and when; NULL: nobody's */
void task_resume(struct task *t);

/* ---- parts ----------------------------------------------------------------------------------------------------- */

int64_t loop_ready_ns(const struct loop *loop); /* when a socket it waits on has something; INT64_MAX */
void rhythms_forget(struct process *p);

int64_t socket_ready_ns(void *socket);
void network_process_died(const struct process *p, bool in_order);
int64_t network_next_ns(void); /* the next connection that is tried */
void network_connect_due(void);
void network_cut(int64_t for_ns);                 /* some connection, for a while */
void network_slow(int64_t for_ns, int64_t by_ns); /* some connection */
void network_heal(void);
void network_stray_intent(const void *bytes, size_t len); /* comes to risk, from whom it does not know */

/* The market as the feed gets it: books that go STALE or silent, venues that are down. */
#define BEAT_LATE_NS (600 * NS_PER_MS) /* as in the config */
struct market_truth {
    enum book_state state;
    enum stale_reason reason;
    int64_t changed_ns; /* market time of the last that the feed was told of it */
    int64_t told_ns;    /* and when */
};
void market_spoil(int64_t for_ns); /* a book, or all */
void market_venue_down(int64_t for_ns);
void market_end(void); /* all books are STALE, and nothing comes any more */
void market_heal(void);
bool market_book(const char *symbol, const char *venue, struct market_truth *out);
bool market_venue_is_down(const char *venue); /* and the feed was told */
/* A connection to the market is cut, or slow, or loses messages for a while: chiefly the gate's; or each loses. */
void market_disturb(int64_t for_ns);
void market_lose(int64_t for_ns);

struct disk_file;
void disk_process_died(const struct process *p);
void disk_power_lost(int stream); /* -1: of all */
void disk_fill(int64_t for_ns);
void disk_slow(int64_t for_ns);
void disk_break(bool sync);               /* the next write, or sync, of some journal fails */
void disk_tear(void);                     /* some owner dies within its next write */
void disk_spoil_snapshot(void);           /* of some owner, by a bit */
bool disk_sync_broke(const char *stream); /* a sync has failed in the life of its owner */
void disk_heal(void);
/* A snapshot in that journal's directory includes the other ledger up to pos. */
bool disk_snapshot_stands(int stream, uint64_t pos); /* one goes back to that position */
bool disk_snapshot_reaches(int stream, uint64_t pos);
/* All segments of a journal, in their order. */
void disk_read_segments(int stream,
                        void (*each)(struct disk_file *file, const unsigned char *bytes, int64_t len));

void database_process_died(const struct process *p);
void database_away(int64_t for_ns);
void database_answer_lost(void);
void database_refuse(void);
void database_heal(void);

/* ---- observers -------------------------------------------------------------------------------------------------- */

enum { STREAM_RISK, STREAM_EXEC, STREAMS };

/* One record as it stands in a journal now. */
struct record {
    uint64_t epoch, pos, hash;
    uint32_t type, length; /* length: bytes of the payload */
    bool published, freed; /* freed: its segment is removed */
    const struct disk_file *file;
    int64_t end; /* offset behind it */
    struct message *message;
};

struct place_at {
    uint64_t epoch, pos;
};

struct ledger_watch {
    const char *name;
    struct record *records; /* records[pos - first] */
    uint64_t n, capacity;
    uint64_t first; /* position of records[0] */
    uint64_t synced_pos;
};
extern struct ledger_watch ledgers[STREAMS];

int stream_of(const char *name);                          /* STREAM_*, or -1 */
const struct record *record_at(int stream, uint64_t pos); /* NULL */
uint64_t ledger_head(int stream);                         /* last position written; 0 */

bool watch_snapshot(const unsigned char *bytes, int64_t len,
                    uint64_t *upstream_pos); /* false: none is there */

void watch_decode(const void *bytes, size_t len, struct message *m);

/* Called by the disk: bytes are in a file, gone from it, safe; or all is to be read anew. */
void watch_written(int stream, struct disk_file *file, const unsigned char *bytes, int64_t len);
void watch_cut(int stream, struct disk_file *file, int64_t size);
void watch_synced(int stream, struct disk_file *file, int64_t size);
void watch_removed(int stream, struct disk_file *file);
void watch_reread(int stream);
void watch_power_lost(int stream);

/* Called by the network with every message that leaves a service. */
void watch_published(int stream, const void *bytes, size_t len);
void watch_replayed(int stream, const void *bytes, size_t len);
void watch_asked(const void *bytes, size_t len); /* what goes to a replay socket */
void watch_intent(const void *bytes, size_t len);

/* Called by the watch. */
void invariants_open(void);
/* again: it was looked at when it was written, and stands now beside less of the other ledger, for power was lost. */
void invariants_record(int stream, const struct message *m, bool again);
void invariants_reset(int stream); /* what follows is the whole ledger again */
void invariants_intent(const struct message *m);
void stray_intent(void); /* an intent of a past life, or one that was decided, comes once more */
void invariants_submitted(const struct order *order);
/* None of the routes is that worker's, or nobody's. */
void invariants_taken_over(const char *worker);
uint64_t invariants_committed(int stream); /* highest position that the database ever had */
void invariants_stored(const char *stream, uint64_t epoch, uint64_t pos);

/* What is held, wherever it is told, is the sum of exec's fills. */
void holdings_position(const struct message *m);
void holdings_route(const struct message *m);
void holdings_lost(const struct fill *fill); /* it was told, and is no longer in exec's ledger */
/* Base units of a leg's instrument and side that a decision, which is open at that place, may still fill. */
money holdings_worst(const struct intent_leg *leg, const struct decision *d, const struct place_at *open);
/* With so much open on its side, and what is held, the position stays within the limit at the leg's price. */
void holdings_within(const struct message *decision, const struct intent_leg *leg, money open, money limit);
void holdings_snapshot(int stream, const unsigned char *bytes, int64_t len);

/* A wake-up of the running process begins, and ends: its view says what follows from what it has taken. */
void books_process_began(const struct process *p);
void books_wake(int64_t now_ns);
struct view;
const struct view *books_view(const struct process *p); /* NULL: it has none */
void books_compare(void);
void books_subscribed(const struct process *p, const char *prefix);
void books_heard(const struct process *p, const void *bytes, size_t len); /* taken from its market socket */
void books_judge(const struct process *p, const void *bytes, size_t len); /* an intent that the gate takes */
void books_accepted(const struct message *decision);
void books_published(const void *bytes, size_t len); /* by the feed */
bool books_agree(char words[256]);                   /* all have what the feed said last */
void books_wait(int64_t since_ns);                   /* until they do; since then nothing was wrong */

/* Nothing is under way any more. */
bool quiet_settled(char words[256]);
/* All books agree. */
void quiet_check(void);
uint64_t quiet_fills(void);

/* ---- life of a seed ---------------------------------------------------------------------------------------------- */

void knobs_draw(void);
void run_directory_make(void);
void scheduler_run(void);
void scheduler_run_until(int64_t mono_ns);
void power_lost(void);

#endif
