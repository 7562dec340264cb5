/* The recorder's process: both ledgers and the market in, rows out. It never ends because of its database:
 * while that is away it follows on without storing, and when it is back it reads both ledgers again from
 * where the database stands.
 *
 * A batch that the database refuses is read again and taken message by message (careful): the one that is refused goes
 * to refused_rows in the same transaction as the position, so that nothing is lost and nothing waits behind it.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/runtime/probe.h"
#include "lib/runtime/service.h"
#include "services/recorder/market_rows.h"
#include "services/recorder/recorder.h"

enum { MARKET_EVERY_NS = 1000000000, RETRY_NS = 1000000000, SAY_AGAIN_NS = 1000000000 };

/* Who has lost a position to another recorder leaves it the field for this long. */
#define CONFLICT_RETRY_NS (5 * NS_PER_SEC)

/* Marks written in one transaction: each is a statement of its own, and the ledgers wait meanwhile. */
enum { MARKS_AT_ONCE = 64, LAST_MARKET_BATCHES = 16 };

/* At a stop both owners have been waiting for us, and are gone or going: there is nothing long to wait for.
 */
#define STOP_WAIT_NS (3 * NS_PER_SEC)

struct keeper {
    struct service s; /* first: callbacks get its address */
    struct recorder *core;
    struct market_rows *market;
    struct store *store; /* NULL: away */
    struct outbox out;
    char target[256];
    bool away; /* it was said; until something has been stored again */
    bool careful;
    bool conflict; /* somebody else moved a position, or a row was there already: which, the positions tell */
    uint64_t lost_at; /* sum of the positions at the conflict */
    uint64_t refused_in_batch;
    uint64_t outages, conflicts, refused;
    int64_t retry_ns, said_ns, market_ns, stop_until_ns;
    uint32_t next_mark;
    uint64_t marked[INSTRUMENTS_MAX]; /* version of each quote in the database */
};

/* ---- the database ------------------------------------------------------------------------------------ */

static void outbox_drop(struct outbox *o)
{
    o->n_messages = o->n_effects = o->next = o->appended = 0;
}

static uint64_t sum_of_positions(const struct keeper *k)
{
    uint64_t sum = 0, epoch, pos;
    for (int i = 0; i < RECORDER_STREAMS; i++)
        if (recorder_stored(k->core, recorder_stream(i), &epoch, &pos))
            sum += pos;
    return sum;
}

/* Said once; what was not committed is read again. */
static void go_away(struct keeper *k, const char *words, int status, struct now now)
{
    if (!k->away)
        log_line(LOG_ERROR, "store-away", "error=\"%s\" what=\"trying again; nothing is lost\"", words);
    k->outages += !k->away;
    k->conflicts += status == E_STATE;
    k->conflict = status == E_STATE;
    k->lost_at = sum_of_positions(k);
    k->away = true;
    k->retry_ns = now.mono_ns + (status == E_STATE ? CONFLICT_RETRY_NS : RETRY_NS);
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

/* A connection alone is no proof that it can store. */
static void is_back(struct keeper *k)
{
    if (k->away)
        log_line(LOG_WARN, "store-back", "sink=%s", k->s.config.recorder.sink);
    k->away = false;
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
    /* Nobody has moved the positions, so it is a row that is there already. */
    k->careful = k->conflict && sum_of_positions(k) == k->lost_at;
    k->conflict = false;
    k->refused_in_batch = 0;
}

/* The batch is read again and taken message by message. */
static void be_careful(struct keeper *k, struct now now)
{
    char words[STORE_ERROR_MAX];
    (void)snprintf(words, sizeof words, "%s", store_error(k->store));
    log_line(LOG_WARN, "batch-refused", "error=\"%s\" what=\"taken again message by message\"", words);
    recorder_lost(k->core);
    outbox_drop(&k->out);
    store_rollback(k->store);
    k->careful = true;
    k->refused_in_batch = 0;
    int status = start_streams(k);
    if (status)
        go_away(k, store_error(k->store), status, now);
}

static int store_one(struct keeper *k, const struct message *m)
{
    if (!k->careful)
        return store_add(k->store, k->s.run, m);
    char words[STORE_ERROR_MAX];
    int status = store_add_apart(k->store, k->s.run, m);
    if (status != E_REFUSED && status != E_STATE)
        return status;
    (void)snprintf(words, sizeof words, "%s", store_error(k->store));
    status = store_refuse(k->store, k->s.run, m, words);
    if (status == OK) {
        k->refused_in_batch++;
        log_line(LOG_ERROR, "row-refused",
                 "stream=%s epoch=%lu pos=%lu type=%s error=\"%s\" what=\"it is in refused_rows\"",
                 m->env.stream, m->env.epoch, m->env.pos, message_kind(m->env.type)->body->name, words);
    }
    return status;
}

static int store_row(void *ctx, const struct message *m)
{
    enum stage before = probe_stage(STAGE_DATABASE);
    int status = store_one(ctx, m);
    probe_back(before);
    return status;
}

static int commit(void *ctx, const struct message *m)
{
    struct keeper *k = ctx;
    struct store_position positions[RECORDER_STREAMS];
    (void)m;
    const struct probe_long work = probe_long(STAGE_DATABASE);
    int status = store_commit(k->store, k->s.run, positions, recorder_positions(k->core, positions));
    probe_long_end(work);
    if (status)
        return status;
    recorder_committed(k->core);
    is_back(k);
    /* Where one is refused the next may be as well. */
    k->careful = k->careful && k->refused_in_batch > 0;
    k->refused += k->refused_in_batch;
    k->refused_in_batch = 0;
    return OK;
}

/* ---- the market -------------------------------------------------------------------------------------- */

/* Last prices of what has changed, some at a time; *more when that was not all. */
static int store_marks(struct keeper *k, uint32_t most, bool *more)
{
    const struct view *view = k->s.view;
    uint32_t n = view_count(view) < INSTRUMENTS_MAX ? view_count(view) : INSTRUMENTS_MAX, written = 0;
    int status = OK;
    for (uint32_t i = 0; status == OK && i < n && written < most; i++) {
        uint32_t at = k->next_mark++ % n;
        const struct quote *q = view_at(view, at);
        if (q->version == k->marked[at])
            continue;
        status = store_mark(k->store, k->s.run, q);
        k->marked[at] = q->version;
        written++;
    }
    *more = written == most;
    return status == OK && written ? store_commit(k->store, k->s.run, NULL, 0) : status;
}

/* In transactions of its own, and only when none of the ledgers is open. */
static void store_market(struct keeper *k, struct now now)
{
    bool due = now.mono_ns - k->market_ns >= MARKET_EVERY_NS, more = false;
    if (!recorder_between(k->core) || (!due && !market_rows_pressing(k->market)))
        return;
    const struct probe_long work = probe_long(STAGE_DATABASE);
    int status = market_rows_store(k->market, k->store);
    if (due && status == OK)
        status = store_marks(k, MARKS_AT_ONCE, &more);
    probe_long_end(work);
    if (due && !more && market_rows_waiting(k->market) == 0)
        k->market_ns = now.mono_ns;
    if (status == OK && due && recorder_idle(k->core))
        is_back(k);
    if (status == E_IO)
        go_away(k, store_error(k->store), status, now);
    else if (status)
        log_line(LOG_WARN, "marks", "error=\"%s\"", store_error(k->store));
}

static void on_market_message(struct service *s, const struct message *m, struct now now)
{
    (void)now;
    market_rows_take(((struct keeper *)s)->market, m);
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
    if (status == E_REFUSED && !k->careful)
        be_careful(k, now);
    else if (status)
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
        bool more = true;
        int status = OK;
        store_rollback(k->store);
        for (int i = 0; status == OK && i < LAST_MARKET_BATCHES && market_rows_waiting(k->market) > 0; i++)
            status = market_rows_store(k->market, k->store);
        if (status == OK)
            status = store_marks(k, INSTRUMENTS_MAX, &more);
        if (status)
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
        store_market(k, now);
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
    status_metric(reply, "store_away", k->store == NULL || k->away);
    status_metric(reply, "store_outages", (int64_t)k->outages);
    status_metric(reply, "store_conflicts", (int64_t)k->conflicts);
    status_metric(reply, "refused_rows", (int64_t)k->refused);
    market_rows_status(k->market, reply);
}

static void find_target(struct keeper *k)
{
    const struct config *c = &k->s.config;
    bool file = strcmp(c->recorder.sink, "sqlite") == 0;
    (void)snprintf(k->target, sizeof k->target, "%s", file ? "sluice.db" : c->recorder.postgres);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"inst.", "book.", "bbo.", "beat.", "venue.", NULL};
    struct keeper *k = service_state(sizeof *k);
    struct service *s = &k->s;
    service_open(s, "recorder", argc, argv);
    service_view(s);
    find_target(k);
    k->core = recorder_new(&s->config, s->run);
    k->market = market_rows_new(&s->config, s->run);
    if (!k->core || !k->market || outbox_open(&k->out, OUTBOX_CAPACITY) != OK)
        service_fail(s, "out of memory");
    s->on_time = on_time;
    s->on_control = on_control;
    s->on_status = on_status;
    s->on_market_message = on_market_message;
    for (int i = 0; i < RECORDER_STREAMS; i++)
        service_follow(s, recorder_stream(i), 0, 0, on_ledger);
    come_back(k, (struct now){.mono_ns = clock_mono_ns(), .utc_ns = clock_utc_ns()});
    service_market(s, kinds, false);
    int code = service_run(s);
    store_close(&k->store);
    recorder_destroy(&k->core);
    market_rows_destroy(&k->market);
    outbox_close(&k->out);
    free(k);
    return code;
}
