/* The recorder's process: both ledgers and the market in, rows out. It never ends because of its database:
 * while that is away it follows on without storing, and when it is back it reads both ledgers again from
 * where the database stands. */
#include <stdlib.h>
#include <string.h>

#include "lib/runtime/service.h"
#include "services/recorder/recorder.h"

enum { MARK_EVERY_NS = 1000000000, RETRY_NS = 1000000000, SAY_AGAIN_NS = 1000000000 };

/* At a stop both owners have been waiting for us, and are gone or going: there is nothing long to wait for.
 */
#define STOP_WAIT_NS (3 * NS_PER_SEC)

struct keeper {
    struct service s; /* first: callbacks get its address */
    struct recorder *core;
    struct store *store; /* NULL: away */
    struct outbox out;
    char target[256];
    bool away; /* it was said */
    uint64_t outages, conflicts;
    int64_t retry_ns, said_ns, marked_ns, stop_until_ns;
    uint64_t marked[INSTRUMENTS_MAX]; /* version of each quote in the database */
    bool mark_all;                    /* marks must be there before the end */
};

/* ---- the database ------------------------------------------------------------------------------------ */

static void outbox_drop(struct outbox *o)
{
    o->n_messages = o->n_effects = o->next = o->appended = 0;
}

/* Said once; what was not committed is read again. */
static void go_away(struct keeper *k, const char *words, int status, struct now now)
{
    if (!k->away)
        log_line(LOG_ERROR, "store-away", "error=\"%s\" what=\"trying again each second; nothing is lost\"",
                 words);
    k->outages += !k->away;
    k->conflicts += status == E_STATE;
    k->away = true;
    k->retry_ns = now.mono_ns + RETRY_NS;
    recorder_lost(k->core);
    outbox_drop(&k->out);
    store_close(&k->store);
}

static int start_streams(struct keeper *k)
{
    int status = OK;
    for (int i = 0; status == OK && i < RECORDER_STREAMS; i++) {
        uint64_t epoch, pos;
        status = store_position(k->store, k->s.run, recorder_stream(i), &epoch, &pos);
        if (status)
            break;
        recorder_start(k->core, recorder_stream(i), epoch, pos);
        if (i < k->s.n_follows)
            ledger_reader_restart(k->s.follows[i], epoch, pos);
    }
    return status;
}

static void come_back(struct keeper *k, struct now now)
{
    char error[STORE_ERROR_MAX];
    int status = store_open(k->s.config.recorder.sink, k->target, &k->store, error);
    if (status == OK && (status = start_streams(k)) != OK)
        (void)snprintf(error, sizeof error, "%s", store_error(k->store));
    if (status) {
        go_away(k, error, status, now);
        return;
    }
    memset(k->marked, 0, sizeof k->marked);
    if (k->away)
        log_line(LOG_WARN, "store-back", "sink=%s", k->s.config.recorder.sink);
    k->away = false;
}

static int store_row(void *ctx, const struct message *m)
{
    struct keeper *k = ctx;
    return store_add(k->store, k->s.run, m);
}

/* Last prices of what has changed; not more often than each second, but at the end. */
static int store_marks(struct keeper *k, int64_t mono_ns)
{
    const struct view *view = k->s.view;
    if (!k->mark_all && mono_ns - k->marked_ns < MARK_EVERY_NS)
        return OK;
    k->marked_ns = mono_ns;
    for (uint32_t i = 0; i < view_count(view) && i < INSTRUMENTS_MAX; i++) {
        const struct quote *q = view_at(view, i);
        if (q->version == k->marked[i])
            continue;
        int status = store_mark(k->store, k->s.run, q);
        if (status)
            return status;
        k->marked[i] = q->version;
    }
    return OK;
}

static int commit(void *ctx, const struct message *m)
{
    struct keeper *k = ctx;
    struct store_position positions[RECORDER_STREAMS];
    (void)m;
    int status = store_marks(k, clock_mono_ns());
    if (status == OK)
        status = store_commit(k->store, k->s.run, positions, recorder_positions(k->core, positions));
    if (status == OK)
        recorder_committed(k->core);
    return status;
}

/* ---- the ledgers ------------------------------------------------------------------------------------- */

static int send_stored(void *ctx, enum peer to, struct message *m)
{
    struct keeper *k = ctx;
    int i = to == PEER_RISK_LEDGER ? 0 : 1;
    return ledger_reader_stored(k->s.follows[i], m->stored.reader, m->stored.epoch, m->stored.pos);
}

/* An owner that has just come back, or whose socket was full, must hear it again. */
static void say_again(struct keeper *k, struct now now)
{
    if (now.mono_ns - k->said_ns < SAY_AGAIN_NS)
        return;
    k->said_ns = now.mono_ns;
    for (int i = 0; i < k->s.n_follows; i++) {
        uint64_t epoch, pos;
        if (recorder_stored(k->core, recorder_stream(i), &epoch, &pos))
            (void)ledger_reader_stored(k->s.follows[i], "recorder", epoch, pos);
    }
}

static void on_ledger(void *ctx, const struct message *m, struct now now)
{
    recorder_on_record(((struct keeper *)ctx)->core, m, now);
}

static bool store_all(struct keeper *k, bool force, struct now now)
{
    const struct devices devices = {.ctx = k, .send = send_stored, .store = store_row, .commit = commit};
    int status = OK;
    for (int i = 0; i < k->s.n_follows; i++)
        recorder_on_synced(k->core, recorder_stream(i), ledger_reader_follower(k->s.follows[i])->synced_pos);
    do {
        recorder_on_time(k->core, force, now, &k->out);
        if (k->out.n_effects == 0)
            break;
        status = effects_run(&k->out, &devices);
    } while (status == OK);
    if (status)
        go_away(k, store_error(k->store), status, now);
    return status == OK;
}

static void read_again(struct keeper *k)
{
    for (int i = 0; i < k->s.n_follows; i++) {
        uint64_t epoch, pos;
        if (recorder_behind(k->core, recorder_stream(i), &epoch, &pos))
            ledger_reader_restart(k->s.follows[i], epoch, pos);
    }
}

/* ---- the end ----------------------------------------------------------------------------------------- */

/* All that the owners have told us of is in the database. */
static bool all_stored(const struct keeper *k)
{
    for (int i = 0; i < k->s.n_follows; i++) {
        uint64_t epoch = 0, pos = 0;
        (void)recorder_stored(k->core, recorder_stream(i), &epoch, &pos);
        if (pos < ledger_reader_follower(k->s.follows[i])->head_pos)
            return false;
    }
    return true;
}

static void stop_when_done(struct keeper *k, struct now now)
{
    bool done = k->store && all_stored(k);
    if (!done && now.mono_ns < k->stop_until_ns)
        return;
    if (k->store) {
        k->mark_all = true;
        if (store_marks(k, now.mono_ns) != OK || store_commit(k->store, k->s.run, NULL, 0) != OK)
            log_line(LOG_ERROR, "marks", "error=\"%s\"", store_error(k->store));
    }
    if (!done)
        log_line(LOG_WARN, "not-all-stored", "what=\"the journals have more; a resumed run will store it\"");
    loop_stop(k->s.loop);
}

/* ---- the process ------------------------------------------------------------------------------------- */

static void on_time(struct service *s, struct now now)
{
    struct keeper *k = (struct keeper *)s;
    if (!k->store && now.mono_ns >= k->retry_ns)
        come_back(k, now);
    if (k->store && store_all(k, k->stop_until_ns != 0, now)) {
        read_again(k);
        say_again(k, now);
    }
    if (k->stop_until_ns)
        stop_when_done(k, now);
}

static enum control_code on_control(struct service *s, const struct request *request, struct now now)
{
    struct keeper *k = (struct keeper *)s;
    if (request->verb != VERB_STOP)
        return CONTROL_UNKNOWN_VERB;
    if (k->stop_until_ns == 0)
        k->stop_until_ns = now.mono_ns + STOP_WAIT_NS;
    return CONTROL_DONE;
}

static void on_status(struct service *s, struct reply *reply)
{
    struct keeper *k = (struct keeper *)s;
    recorder_status(k->core, reply);
    status_metric(reply, "store_away", k->store == NULL);
    status_metric(reply, "store_outages", (int64_t)k->outages);
    status_metric(reply, "store_conflicts", (int64_t)k->conflicts);
}

static void find_target(struct keeper *k)
{
    const struct config *c = &k->s.config;
    bool file = strcmp(c->recorder.sink, "sqlite") == 0;
    (void)snprintf(k->target, sizeof k->target, "%s", file ? "sluice.db" : c->recorder.postgres);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"inst.", "book.", "bbo.", "beat.", NULL};
    struct keeper *k = service_state(sizeof *k);
    struct service *s = &k->s;
    service_open(s, "recorder", argc, argv);
    service_view(s);
    find_target(k);
    k->core = recorder_new(&s->config, s->run);
    if (!k->core || outbox_open(&k->out, OUTBOX_CAPACITY) != OK)
        service_fail(s, "out of memory");
    s->on_time = on_time;
    s->on_control = on_control;
    s->on_status = on_status;
    for (int i = 0; i < RECORDER_STREAMS; i++)
        service_follow(s, recorder_stream(i), 0, 0, on_ledger);
    come_back(k, (struct now){.mono_ns = clock_mono_ns(), .utc_ns = clock_utc_ns()});
    service_market(s, kinds, false);
    int code = service_run(s);
    store_close(&k->store);
    recorder_destroy(&k->core);
    outbox_close(&k->out);
    free(k);
    return code;
}
