/* The recorder's core: only what the owner has synced is stored, in batches, each position once; what the
 * database lost comes again. Its effects are done here against a store of lists. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "services/recorder/recorder.h"

enum { ROWS_MAX = 100000 };

static struct config config;
static struct recorder *recorder;
static struct outbox outbox;
static struct message *m;
static struct now now;

/* What the store holds: positions of rows per stream, of the open transaction and before. */
static struct {
    uint64_t rows[RECORDER_STREAMS][ROWS_MAX];
    uint32_t n[RECORDER_STREAMS], committed[RECORDER_STREAMS];
    uint32_t commits, gaps, largest;
    uint64_t told[RECORDER_STREAMS]; /* by `stored` */
    uint64_t to_pos[RECORDER_STREAMS];
    int fails; /* the next commit does */
} db;

static int stream_index(const char *stream)
{
    return strcmp(stream, recorder_stream(0)) == 0 ? 0 : 1;
}

static int store(void *ctx, const struct message *row)
{
    int i = stream_index(row->env.stream);
    (void)ctx;
    db.gaps += row->env.type == MSG_GAP;
    db.rows[i][db.n[i]++] = row->env.pos;
    return OK;
}

static int commit(void *ctx, const struct message *row)
{
    struct store_position positions[RECORDER_STREAMS];
    (void)ctx, (void)row;
    if (db.fails)
        return db.fails;
    uint32_t n = recorder_positions(recorder, positions), rows = 0;
    ck_assert_uint_gt(n, 0);
    for (uint32_t i = 0; i < n; i++) {
        int s = stream_index(positions[i].stream);
        ck_assert_uint_eq(positions[i].from_pos, db.to_pos[s]);
        db.to_pos[s] = positions[i].to_pos;
    }
    for (int i = 0; i < RECORDER_STREAMS; i++) {
        rows += db.n[i] - db.committed[i];
        db.committed[i] = db.n[i];
    }
    db.largest = rows > db.largest ? rows : db.largest;
    db.commits++;
    recorder_committed(recorder);
    return OK;
}

static int send(void *ctx, enum peer to, struct message *said)
{
    (void)ctx;
    ck_assert_str_eq(said->stored.reader, "recorder");
    db.told[to == PEER_RISK_LEDGER ? 0 : 1] = said->stored.pos;
    return OK;
}

/* As the shell does it: until nothing is left, or the database says no. */
static int settle(bool force)
{
    const struct devices devices = {.store = store, .commit = commit, .send = send};
    int status = OK;
    for (;;) {
        recorder_on_time(recorder, force, now, &outbox);
        if (outbox.n_effects == 0 || status)
            break;
        ck_assert_uint_eq(outbox.overflows, 0);
        ck_assert_uint_le(outbox.n_messages, OUTBOX_PER_INPUT_MAX);
        status = effects_run(&outbox, &devices);
        if (status)
            break;
    }
    if (status) {
        outbox.n_messages = outbox.n_effects = outbox.next = outbox.appended = 0;
        recorder_lost(recorder);
        for (int i = 0; i < RECORDER_STREAMS; i++)
            db.n[i] = db.committed[i];
    }
    return status;
}

static void record(const char *stream, uint64_t epoch, uint64_t pos)
{
    message_init(m, MSG_FILL);
    text_set(m->env.stream, sizeof m->env.stream, stream);
    m->env.epoch = epoch;
    m->env.pos = pos;
    recorder_on_record(recorder, m, now);
}

static void records(const char *stream, uint64_t from, uint64_t to)
{
    for (uint64_t pos = from; pos <= to; pos++)
        record(stream, 1, pos);
}

static void gap(const char *stream, const char *cause, uint64_t from_pos, uint64_t to_pos)
{
    message_init(m, MSG_GAP);
    text_set(m->gap.stream_lost, sizeof m->gap.stream_lost, stream);
    text_set(m->gap.cause, sizeof m->gap.cause, cause);
    m->gap.from_epoch = 1;
    m->gap.from_pos = from_pos;
    m->gap.to_pos = to_pos;
    recorder_on_record(recorder, m, now);
}

static void start_both(void)
{
    for (int i = 0; i < RECORDER_STREAMS; i++)
        recorder_start(recorder, recorder_stream(i), db.to_pos[i] ? 1 : 0, db.to_pos[i]);
}

static void setup(void)
{
    config_defaults(&config);
    config.recorder.batch_rows = 1000;
    config.recorder.batch_ms = 200;
    now = (struct now){.mono_ns = NS_PER_SEC, .utc_ns = NS_PER_SEC};
    memset(&db, 0, sizeof db);
    recorder = recorder_new(&config, "run");
    ck_assert_ptr_nonnull(recorder);
    ck_assert_int_eq(outbox_open(&outbox, OUTBOX_CAPACITY), OK);
    m = malloc(sizeof *m);
    start_both();
}

static void teardown(void)
{
    recorder_destroy(&recorder);
    outbox_close(&outbox);
    free(m);
}

static void later(int64_t ms)
{
    now.mono_ns += ms * NS_PER_MS;
}

static void assert_rows(int stream, uint64_t from, uint64_t to)
{
    ck_assert_uint_eq(db.committed[stream], to - from + 1);
    for (uint64_t pos = from; pos <= to; pos++)
        ck_assert_uint_eq(db.rows[stream][pos - from], pos);
}

/* ---- promises ---------------------------------------------------------------------------------------- */

START_TEST(nothing_is_stored_before_the_owner_has_synced_it)
{
    records("exec", 1, 10);
    later(1000);
    settle(true);
    ck_assert_uint_eq(db.commits, 0);
    recorder_on_synced(recorder, "exec", 7);
    settle(true);
    assert_rows(1, 1, 7);
    ck_assert_uint_eq(db.told[1], 7);
    recorder_on_synced(recorder, "exec", 10);
    settle(true);
    assert_rows(1, 1, 10);
    ck_assert_uint_eq(db.told[1], 10);
}
END_TEST

START_TEST(one_stream_does_not_wait_for_the_other)
{
    records("risk", 1, 3);
    records("exec", 1, 3);
    recorder_on_synced(recorder, "risk", 3);
    settle(true);
    assert_rows(0, 1, 3);
    ck_assert_uint_eq(db.committed[1], 0);
    ck_assert_uint_eq(db.told[1], 0);
}
END_TEST

START_TEST(rows_wait_for_the_batch_and_then_go_at_once)
{
    recorder_on_synced(recorder, "exec", 10000);
    records("exec", 1, 999);
    settle(false);
    ck_assert_uint_eq(db.commits, 0);
    later(199);
    settle(false);
    ck_assert_uint_eq(db.commits, 0);
    later(1);
    settle(false);
    ck_assert_uint_eq(db.commits, 1);
    assert_rows(1, 1, 999);
    records("exec", 1000, 1999);
    settle(false); /* rows, not time */
    assert_rows(1, 1, 1999);
}
END_TEST

/* Long messages fill the room before they are a batch. */
START_TEST(a_batch_that_there_is_no_room_for_does_not_wait_to_be_whole)
{
    uint64_t pos = 0, epoch, behind;
    config.recorder.batch_rows = 100000;
    recorder_destroy(&recorder);
    recorder = recorder_new(&config, "run");
    start_both();
    for (int i = 0; i < 400; i++, pos += 100) {
        records("exec", pos + 1, pos + 100);
        recorder_on_synced(recorder, "exec", pos + 100);
        ck_assert_int_eq(settle(false), OK);
    }
    ck_assert(!recorder_behind(recorder, "exec", &epoch, &behind));
    ck_assert_uint_gt(db.commits, 1);
    ck_assert_uint_gt(db.to_pos[1], pos / 2);
}
END_TEST

START_TEST(no_transaction_is_larger_than_a_batch)
{
    recorder_on_synced(recorder, "risk", 10000);
    recorder_on_synced(recorder, "exec", 10000);
    records("risk", 1, 2500);
    records("exec", 1, 2500);
    settle(true);
    assert_rows(0, 1, 2500);
    assert_rows(1, 1, 2500);
    ck_assert_uint_le(db.largest, 1000);
    ck_assert_uint_ge(db.commits, 5);
}
END_TEST

START_TEST(what_the_database_lost_comes_again_and_nothing_twice)
{
    recorder_on_synced(recorder, "exec", 100);
    records("exec", 1, 10);
    settle(true);
    records("exec", 11, 20);
    db.fails = E_IO;
    ck_assert_int_eq(settle(true), E_IO);
    records("exec", 21, 30); /* while it is away */
    later(1000);
    db.fails = OK;
    settle(true);
    ck_assert_uint_eq(db.committed[1], 10);
    start_both();
    records("exec", 11, 30);
    recorder_on_synced(recorder, "exec", 100);
    settle(true);
    assert_rows(1, 1, 30);
}
END_TEST

START_TEST(a_commit_of_which_the_answer_was_lost_is_not_repeated)
{
    recorder_on_synced(recorder, "exec", 100);
    records("exec", 1, 10);
    db.fails = E_IO;
    (void)settle(true);
    db.fails = OK;
    db.to_pos[1] = 10; /* it had been done all the same */
    start_both();
    recorder_on_synced(recorder, "exec", 100);
    records("exec", 11, 12);
    settle(true);
    assert_rows(1, 11, 12);
}
END_TEST

START_TEST(a_record_out_of_turn_is_not_stored_but_read_again)
{
    uint64_t epoch, pos;
    recorder_on_synced(recorder, "exec", 100);
    records("exec", 1, 5);
    record("exec", 1, 7);
    record("exec", 1, 8);
    ck_assert(!recorder_behind(recorder, "exec", &epoch, &pos)); /* not before what it has is stored */
    settle(true);
    assert_rows(1, 1, 5);
    ck_assert(recorder_behind(recorder, "exec", &epoch, &pos));
    ck_assert_uint_eq(pos, 5);
    ck_assert(!recorder_behind(recorder, "exec", &epoch, &pos)); /* said once */
    records("exec", 6, 8);
    recorder_on_synced(recorder, "exec", 100);
    settle(true);
    assert_rows(1, 1, 8);
}
END_TEST

START_TEST(more_than_there_is_room_for_is_read_again)
{
    uint64_t epoch, pos, from = 1;
    int rounds = 0;
    while (db.to_pos[1] < 30000 && rounds++ < 20) {
        records("exec", from, 30000);
        recorder_on_synced(recorder, "exec", 30000);
        settle(true);
        if (recorder_behind(recorder, "exec", &epoch, &pos))
            from = pos + 1;
    }
    ck_assert_int_gt(rounds, 1);
    assert_rows(1, 1, 30000);
}
END_TEST

START_TEST(a_rollback_drops_what_was_past_the_base_and_is_stored_with_the_record_behind_it)
{
    recorder_on_synced(recorder, "exec", 2);
    records("exec", 1, 5);
    settle(true);
    assert_rows(1, 1, 2);
    gap("exec", "rollback", 4, 5);
    recorder_on_synced(recorder, "exec", 3);
    settle(true);
    assert_rows(1, 1, 3);
    recorder_on_synced(recorder, "exec", 6);
    settle(true);
    ck_assert_uint_eq(db.to_pos[1], 3); /* a gap is no place to stop at */
    record("exec", 2, 4);
    record("exec", 2, 5);
    settle(true);
    ck_assert_uint_eq(db.gaps, 1);
    ck_assert_uint_eq(db.to_pos[1], 5);
    ck_assert_uint_eq(db.committed[1], 6); /* 1 2 3, the gap, 4 5 */
}
END_TEST

START_TEST(a_hole_by_retention_is_stored_and_passed)
{
    recorder_on_synced(recorder, "exec", 100);
    gap("exec", "retention", 1, 40);
    records("exec", 41, 42);
    settle(true);
    ck_assert_uint_eq(db.gaps, 1);
    ck_assert_uint_eq(db.to_pos[1], 42);
}
END_TEST

START_TEST(a_gap_is_stored_with_the_record_behind_it_whatever_the_batch)
{
    config.recorder.batch_rows = 4;
    recorder_destroy(&recorder);
    recorder = recorder_new(&config, "run");
    start_both();
    recorder_on_synced(recorder, "exec", 100);
    records("exec", 1, 3);
    gap("exec", "retention", 4, 10);
    settle(true);
    ck_assert_uint_eq(db.to_pos[1], 3);
    ck_assert_uint_eq(db.gaps, 0);
    record("exec", 1, 11);
    settle(true);
    ck_assert_uint_eq(db.to_pos[1], 11);
    ck_assert_uint_eq(db.gaps, 1);
    ck_assert_uint_eq(db.committed[1], 5);
}
END_TEST

START_TEST(an_owner_of_whom_only_a_gap_is_known_holds_up_no_other)
{
    recorder_on_synced(recorder, "risk", 100);
    recorder_on_synced(recorder, "exec", 100);
    gap("exec", "retention", 1, 5);
    gap("exec", "retention", 6, 10);
    records("risk", 1, 3);
    settle(true);
    ck_assert_uint_eq(db.to_pos[0], 3);
    ck_assert_uint_eq(db.told[0], 3);
    ck_assert_uint_eq(db.gaps, 0);
    records("risk", 4, 5);
    settle(true);
    ck_assert_uint_eq(db.told[0], 5);
    record("exec", 1, 11);
    settle(true);
    ck_assert_uint_eq(db.gaps, 2);
    ck_assert_uint_eq(db.told[1], 11);
}
END_TEST

START_TEST(beats_and_foreign_streams_are_no_rows)
{
    recorder_on_synced(recorder, "exec", 100);
    message_init(m, MSG_BEAT);
    text_set(m->env.stream, sizeof m->env.stream, "exec");
    recorder_on_record(recorder, m, now);
    record("market", 1, 1);
    settle(true);
    ck_assert_uint_eq(db.commits, 0);
    ck_assert(recorder_idle(recorder));
}
END_TEST

/* A basket with its legs is as many rows as it has legs, and its own. */
START_TEST(the_rows_of_lists_count_in_a_batch)
{
    for (uint64_t pos = 1; pos <= 1000; pos++) {
        message_init(m, MSG_BASKET);
        text_set(m->env.stream, sizeof m->env.stream, "exec");
        m->env.epoch = 1;
        m->env.pos = pos;
        m->basket.n_legs = 3;
        recorder_on_record(recorder, m, now);
    }
    recorder_on_synced(recorder, "exec", 1000);
    ck_assert_int_eq(settle(true), OK);
    ck_assert_uint_eq(db.committed[1], 1000);
    /* The lists here count messages: 1000 rows are 250 of them. */
    ck_assert_uint_eq(db.largest, 250);
    ck_assert_uint_eq(db.commits, 4);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recorder");
    TCase *c = tcase_create("core");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, the_rows_of_lists_count_in_a_batch);
    tcase_add_test(c, nothing_is_stored_before_the_owner_has_synced_it);
    tcase_add_test(c, one_stream_does_not_wait_for_the_other);
    tcase_add_test(c, rows_wait_for_the_batch_and_then_go_at_once);
    tcase_add_test(c, a_batch_that_there_is_no_room_for_does_not_wait_to_be_whole);
    tcase_add_test(c, no_transaction_is_larger_than_a_batch);
    tcase_add_test(c, what_the_database_lost_comes_again_and_nothing_twice);
    tcase_add_test(c, a_commit_of_which_the_answer_was_lost_is_not_repeated);
    tcase_add_test(c, a_record_out_of_turn_is_not_stored_but_read_again);
    tcase_add_test(c, more_than_there_is_room_for_is_read_again);
    tcase_add_test(c, a_rollback_drops_what_was_past_the_base_and_is_stored_with_the_record_behind_it);
    tcase_add_test(c, a_hole_by_retention_is_stored_and_passed);
    tcase_add_test(c, a_gap_is_stored_with_the_record_behind_it_whatever_the_batch);
    tcase_add_test(c, an_owner_of_whom_only_a_gap_is_known_holds_up_no_other);
    tcase_add_test(c, beats_and_foreign_streams_are_no_rows);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
