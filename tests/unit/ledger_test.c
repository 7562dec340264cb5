/* What a ledger promises over its sockets: every reader gets each record once and in order, whenever it
 * joins, whatever it misses, and over the owner's death; and the owner hears what is stored. */
#include "lib/runtime/journal_record.h"
#include "lib/runtime/ledger.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum { POSITIONS_MAX = 8192, BOUND = 512 };

static char dir[32];
static struct config config;
static void *zmq;
static struct ledger *owner;
static struct ledger_reader *reader;
static struct outbox out;
static struct ledger_head head;
static uint64_t recovered; /* position of the last record that the owner read back */
static uint64_t got[POSITIONS_MAX], got_epoch[POSITIONS_MAX];
static uint32_t n_got, n_beats;
static uint64_t place_got; /* of the snapshot */

static void on_recovered(void *ctx, const struct message *record)
{
    (void)ctx;
    ck_assert_uint_eq(record->env.pos, recovered + 1);
    recovered = record->env.pos;
}

static void on_record(void *ctx, const struct message *m, struct now now)
{
    (void)ctx;
    (void)now;
    if (m->env.type == MSG_BEAT) {
        n_beats++;
        return;
    }
    if (m->env.type == MSG_SNAPSHOT) {
        place_got = m->env.pos;
        ck_assert_uint_eq(got[n_got - 1], place_got); /* the state is told by now */
    }
    ck_assert_uint_lt(n_got, POSITIONS_MAX);
    got_epoch[n_got] = m->env.epoch;
    got[n_got++] = m->env.pos;
}

static int lost(void *ledger, struct message *m)
{
    (void)ledger;
    (void)m;
    return OK;
}

static void perform(int (*publish)(void *, struct message *))
{
    const struct devices devices = {
        .ctx = owner, .append = ledger_append, .write = ledger_write, .publish = publish};
    ck_assert_int_eq(effects_run(&out, &devices), OK);
}

/* Appends n records; `publish` brings them to the readers, or loses them on the way. */
static void say(uint32_t n, int (*publish)(void *, struct message *))
{
    for (uint32_t i = 0; i < n; i++) {
        (void)outbox_record(&out, &head, MSG_GAP, (struct now){0});
        perform(publish);
    }
}

static bool snapshots;                       /* the owner keeps them */
static uint64_t restored[64], restored_from; /* positions of the messages of the snapshot; its place */
static uint32_t n_restored;

static void on_restored(void *ctx, const struct message *m)
{
    (void)ctx;
    if (m->env.type == MSG_SNAPSHOT)
        recovered = restored_from = m->env.pos;
    else
        restored[n_restored++] = m->env.pos;
    ck_assert_uint_lt(n_restored, 64);
}

static int try_open(struct ledger **ledger, char error[LEDGER_ERROR_MAX])
{
    recovered = n_restored = 0;
    restored_from = 0;
    return ledger_open("exec", &config, zmq, on_recovered, snapshots ? on_restored : NULL, NULL, ledger,
                       error);
}

/* The state of a core that keeps the last two records: a snapshot of it. */
static void emit_two(void *ctx, snapshot_emit_fn *emit, void *emit_ctx)
{
    (void)ctx;
    struct message m;
    message_init(&m, MSG_SNAPSHOT);
    memcpy(m.env.stream, head.stream, sizeof m.env.stream);
    m.env.epoch = head.epoch;
    m.env.pos = head.pos;
    m.snapshot.upstream_epoch = 4;
    m.snapshot.upstream_pos = head.pos * 2;
    emit(emit_ctx, &m);
    m.env.type = MSG_TALLY; /* of the owner only */
    memset(&m.tally, 0, sizeof m.tally);
    emit(emit_ctx, &m);
    message_init(&m, MSG_GAP);
    memcpy(m.env.stream, head.stream, sizeof m.env.stream);
    m.env.epoch = head.epoch;
    for (m.env.pos = head.pos - 1; m.env.pos <= head.pos; m.env.pos++)
        emit(emit_ctx, &m);
}

static void take_snapshot(void)
{
    char error[LEDGER_ERROR_MAX];
    ck_assert_msg(ledger_snapshot_begin(owner, emit_two, NULL, error) == OK, "%s", error);
    ck_assert_msg(ledger_snapshot_end(owner, true, error) == 1, "%s", error);
}

static void reopen(void)
{
    char error[LEDGER_ERROR_MAX];
    int status;
    /* libzmq closes the sockets of the life before in its own time, which a process would not outlive. */
    for (int tries = 0; (status = try_open(&owner, error)) == E_BUSY && tries < 1000; tries++)
        (void)usleep(1000);
    ck_assert_msg(status == OK, "%s", error);
}

static void open_owner(void)
{
    reopen();
    memcpy(head.stream, "exec", sizeof "exec");
    const struct ledger_head base = head;
    head.epoch = ledger_next_epoch(owner);
    struct message *m = outbox_record(&out, &head, MSG_EPOCH, (struct now){0});
    m->epoch.base_epoch = base.epoch;
    m->epoch.base_pos = base.pos;
    perform(ledger_publish);
}

static void open_reader(uint64_t epoch, uint64_t pos)
{
    char error[LEDGER_ERROR_MAX];
    ck_assert_int_eq(ledger_reader_open("exec", zmq, epoch, pos, on_record, NULL, &reader, error), OK);
}

static struct now mono_now(void)
{
    return (struct now){.mono_ns = clock_mono_ns()};
}

/* Serves and reads until the reader has n records at least, or five seconds are over. */
static void until_got(uint32_t n)
{
    int64_t deadline_ns = clock_mono_ns() + 5 * NS_PER_SEC;
    while (n_got < n && clock_mono_ns() < deadline_ns) {
        (void)ledger_serve(owner, mono_now(), BOUND);
        if (ledger_reader_drain(reader, mono_now(), BOUND) == 0)
            (void)usleep(500);
    }
    ck_assert_uint_ge(n_got, n);
}

static void until_current(void)
{
    int64_t deadline_ns = clock_mono_ns() + 5 * NS_PER_SEC;
    while (!ledger_reader_current(reader) && clock_mono_ns() < deadline_ns) {
        (void)ledger_serve(owner, mono_now(), BOUND);
        if (ledger_reader_drain(reader, mono_now(), BOUND) == 0)
            (void)usleep(500);
    }
    ck_assert(ledger_reader_current(reader));
}

/* A PUB drops what it says before a subscription has reached it: this is over when a beat comes through. */
static void until_subscribed(void)
{
    int64_t deadline_ns = clock_mono_ns() + 5 * NS_PER_SEC;
    until_current();
    for (uint32_t before = n_beats; n_beats == before && clock_mono_ns() < deadline_ns; (void)usleep(500)) {
        ledger_beat(owner, true, 0, 0, 0, mono_now());
        (void)ledger_reader_drain(reader, mono_now(), BOUND);
    }
    ck_assert_uint_gt(n_beats, 0);
}

static void expect_each_once(uint64_t first, uint64_t last)
{
    ck_assert_uint_eq(n_got, last - first + 1);
    for (uint32_t i = 0; i < n_got; i++)
        ck_assert_uint_eq(got[i], first + i);
}

static void begin(void)
{
    memcpy(dir, "/tmp/ledger-XXXXXX", sizeof "/tmp/ledger-XXXXXX");
    ck_assert(mkdtemp(dir) && chdir(dir) == 0);
    ck_assert(mkdir("journal", 0700) == 0 && mkdir("sock", 0700) == 0);
    config_defaults(&config);
    memset(&head, 0, sizeof head);
    n_got = n_beats = 0;
    zmq = zmq_ctx_new();
    ck_assert_int_eq(outbox_open(&out, OUTBOX_CAPACITY), OK);
    open_owner();
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static void end(void)
{
    if (reader)
        ledger_reader_close(&reader);
    ledger_close(&owner);
    (void)zmq_ctx_term(zmq);
    outbox_close(&out);
    (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

START_TEST(a_late_reader_gets_everything_from_the_first_record_and_then_what_is_said_live)
{
    say(9, ledger_publish);
    open_reader(0, 0);
    until_got(10);
    until_subscribed();
    say(5, ledger_publish);
    until_got(15);
    expect_each_once(1, 15);
    ck_assert_uint_eq(ledger_reader_follower(reader)->holes, 0);
}
END_TEST

START_TEST(a_reader_goes_on_behind_the_position_it_holds)
{
    say(9, ledger_publish);
    open_reader(1, 6);
    until_got(4);
    expect_each_once(7, 10);
}
END_TEST

START_TEST(a_range_of_many_answers_comes_whole_while_more_is_said)
{
    say(3000, ledger_publish);
    open_reader(0, 0);
    until_got(500);
    say(500, ledger_publish);
    until_got(3501);
    expect_each_once(1, 3501);
}
END_TEST

START_TEST(a_hole_is_asked_for_when_the_next_record_shows_it)
{
    open_reader(0, 0);
    until_got(1);
    until_subscribed();
    say(7, lost);
    say(1, ledger_publish);
    until_got(9);
    expect_each_once(1, 9);
    ck_assert_uint_eq(ledger_reader_follower(reader)->holes, 1);
}
END_TEST

START_TEST(a_reader_follows_the_owner_into_its_next_life)
{
    say(4, ledger_publish);
    open_reader(0, 0);
    until_got(5);
    until_subscribed();
    ledger_close(&owner);
    open_owner();
    ck_assert_uint_eq(recovered, 5);
    say(3, ledger_publish);
    for (int i = 0; i < 3000 && n_got < 9; i++) {
        ledger_beat(owner, true, 0, 0, 0, mono_now());
        (void)ledger_serve(owner, mono_now(), BOUND);
        (void)ledger_reader_drain(reader, mono_now(), BOUND);
        (void)usleep(1000);
    }
    expect_each_once(1, 9);
    ck_assert_uint_eq(got_epoch[4], 1);
    ck_assert_uint_eq(got_epoch[5], 2);
}
END_TEST

START_TEST(a_start_takes_the_snapshot_and_what_comes_behind_it)
{
    uint64_t epoch, pos;
    snapshots = true;
    config.journal.snapshot_every = 10;
    ledger_close(&owner);
    open_owner(); /* position 2 is its epoch's */
    say(7, ledger_publish);
    ck_assert(!ledger_snapshot_due(owner));
    say(1, ledger_publish);
    ck_assert(ledger_snapshot_due(owner));
    take_snapshot();
    ck_assert(!ledger_snapshot_due(owner));
    ck_assert(!ledger_snapshot_stale(owner));
    ck_assert(!ledger_upstream_kept(owner, &epoch, &pos));
    say(5, ledger_publish);
    ck_assert(ledger_snapshot_stale(owner));
    take_snapshot();
    ck_assert(ledger_upstream_kept(owner, &epoch, &pos));
    ck_assert_uint_eq(epoch, 4);
    ck_assert_uint_eq(pos, 20);
    say(2, ledger_publish);
    ledger_close(&owner);
    open_owner();
    ck_assert_uint_eq(restored_from, 15);
    ck_assert_uint_eq(n_restored, 3);
    ck_assert_uint_eq(restored[1], 14);
    ck_assert_uint_eq(recovered, 17);
    ck_assert_uint_eq(head.epoch, 3);
    ck_assert(ledger_upstream_kept(owner, &epoch, &pos));
    ck_assert_uint_eq(pos, 20);
}
END_TEST

START_TEST(a_snapshot_counts_once_it_is_on_the_disk_and_meanwhile_no_other_begins)
{
    char error[LEDGER_ERROR_MAX];
    uint64_t epoch, pos;
    snapshots = true;
    config.journal.snapshot_every = 2;
    ledger_close(&owner);
    open_owner();
    say(2, ledger_publish);
    take_snapshot();
    say(2, ledger_publish);
    ck_assert_int_eq(ledger_snapshot_end(owner, false, error), 0);
    ck_assert(ledger_snapshot_due(owner));
    ck_assert_int_eq(ledger_snapshot_begin(owner, emit_two, NULL, error), OK);
    ck_assert(!ledger_upstream_kept(owner, &epoch, &pos));
    say(5, ledger_publish);
    ck_assert(!ledger_snapshot_due(owner));
    ck_assert_int_eq(ledger_snapshot_begin(owner, emit_two, NULL, error), E_STATE);
    int ended = 0;
    for (int i = 0; i < 5000 && ended == 0; i++, (void)usleep(1000))
        ended = ledger_snapshot_end(owner, false, error);
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(access("journal/exec/00000000000000000006.snap", F_OK), 0);
    ck_assert(ledger_upstream_kept(owner, &epoch, &pos));
    ck_assert_uint_eq(pos, 8);
    ck_assert(ledger_snapshot_due(owner));
}
END_TEST

START_TEST(an_owner_that_ends_with_a_snapshot_under_way_starts_from_a_whole_one)
{
    char error[LEDGER_ERROR_MAX];
    snapshots = true;
    ledger_close(&owner);
    open_owner();
    say(2, ledger_publish);
    take_snapshot();
    say(2, ledger_publish);
    ck_assert_int_eq(ledger_snapshot_begin(owner, emit_two, NULL, error), OK);
    if (_i > 0)
        (void)usleep((useconds_t)(_i * 500));
    ledger_close(&owner);
    open_owner();
    ck_assert(restored_from == 4 || restored_from == 6);
    ck_assert_uint_eq(recovered, 6);
}
END_TEST

START_TEST(a_snapshot_that_cannot_be_written_does_not_count_and_says_why)
{
    char error[LEDGER_ERROR_MAX];
    uint64_t epoch, pos;
    snapshots = true;
    ledger_close(&owner);
    open_owner();
    ck_assert_int_eq(mkdir("journal/exec/snapshot.part", 0700), 0);
    for (int i = 0; i < 2; i++) {
        say(2, ledger_publish);
        ck_assert_int_eq(ledger_snapshot_begin(owner, emit_two, NULL, error), OK);
        ck_assert_int_eq(ledger_snapshot_end(owner, true, error), E_IO);
        ck_assert_ptr_nonnull(strstr(error, "journal/exec"));
        ck_assert(!ledger_snapshot_stale(owner));
    }
    ck_assert(!ledger_upstream_kept(owner, &epoch, &pos));
    ck_assert_int_eq(rmdir("journal/exec/snapshot.part"), 0);
    say(1, ledger_publish);
    take_snapshot();
}
END_TEST

START_TEST(a_snapshot_above_the_journals_head_is_of_a_lost_tail_and_goes)
{
    snapshots = true;
    say(5, ledger_publish);
    ledger_close(&owner);
    reopen();
    take_snapshot();
    ledger_close(&owner);
    ck_assert_int_eq(
        rename("journal/exec/00000000000000000006.snap", "journal/exec/00000000000000000007.snap"), 0);
    reopen();
    ck_assert_uint_eq(restored_from, 0);
    ck_assert_uint_eq(recovered, 6);
    ck_assert_int_eq(access("journal/exec/00000000000000000007.snap", F_OK), -1);
}
END_TEST

START_TEST(a_journal_that_begins_later_than_any_snapshot_reaches_is_not_begun_from)
{
    char error[LEDGER_ERROR_MAX];
    snapshots = true;
    say(5, ledger_publish);
    ledger_close(&owner);
    ck_assert_int_eq(rename("journal/exec/00000000000000000001.log", "journal/exec/00000000000000000003.log"),
                     0);
    FILE *header = fopen("journal/exec/00000000000000000003.log", "w");
    unsigned char bytes[SEGMENT_HEADER];
    segment_header_encode(bytes, 3, 1);
    ck_assert_uint_eq(fwrite(bytes, 1, sizeof bytes, header), sizeof bytes);
    unsigned char one[64];
    record_encode(one, 1, 3, 0, "", 0);
    ck_assert_uint_eq(fwrite(one, 1, record_bytes(0), header), record_bytes(0));
    (void)fclose(header);
    ck_assert_int_eq(try_open(&owner, error), E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(error, "position 3"));
}
END_TEST

START_TEST(a_reader_of_the_present_state_gets_the_snapshot_its_place_and_what_comes_behind)
{
    snapshots = true;
    ledger_close(&owner);
    open_owner();
    say(8, ledger_publish);
    if (_i == 1)
        take_snapshot();
    say(3, ledger_publish);
    open_reader(0, 0);
    ledger_reader_from_state(reader);
    ck_assert(!ledger_reader_current(reader));
    until_current();
    if (_i == 0) {
        expect_each_once(1, 13);
        return;
    }
    ck_assert_uint_eq(n_got, 6);
    const uint64_t expected[] = {9, 10, 10, 11, 12, 13};
    ck_assert_mem_eq(got, expected, sizeof expected);
    ck_assert_uint_eq(place_got, 10);
    until_subscribed();
    say(1, ledger_publish);
    until_got(7);
    ck_assert_uint_eq(got[6], 14);
}
END_TEST

START_TEST(a_reader_that_knows_of_more_makes_a_new_epoch_due_and_follows_into_it)
{
    uint64_t epoch;
    say(5, ledger_publish);
    open_reader(4, 9); /* of a journal that was lost */
    for (int i = 0; i < 2000 && !ledger_epoch_due(owner, &epoch); i++) {
        (void)ledger_serve(owner, mono_now(), BOUND);
        (void)ledger_reader_drain(reader, mono_now(), BOUND);
        (void)usleep(500);
    }
    ck_assert(ledger_epoch_due(owner, &epoch));
    ck_assert_uint_eq(epoch, 5);
    (void)outbox_epoch(&out, &head, epoch, 0, "", (struct now){0});
    perform(ledger_publish);
    ck_assert(!ledger_epoch_due(owner, &epoch));
    say(2, ledger_publish);
    until_current();
    ck_assert_uint_eq(ledger_reader_follower(reader)->epoch, 5);
    ck_assert_uint_eq(got[n_got - 1], 9);
    ck_assert_uint_eq(got_epoch[n_got - 1], 5);
}
END_TEST

static void until_stored(uint64_t epoch, uint64_t pos, uint64_t expected)
{
    for (int i = 0; i < 2000 && ledger_stored_pos(owner) < expected; i++) {
        (void)ledger_reader_stored(reader, "recorder", epoch, pos);
        (void)usleep(1000);
        (void)ledger_serve(owner, mono_now(), BOUND);
    }
    ck_assert_uint_eq(ledger_stored_pos(owner), expected);
}

START_TEST(the_owner_hears_what_is_stored_and_believes_no_more_than_it_has_said)
{
    say(9, ledger_publish);
    open_reader(0, 0);
    until_got(10);
    until_stored(1, 4, 4);
    until_stored(1, 3, 4);
    until_stored(1, 500, 10);
}
END_TEST

START_TEST(what_was_stored_of_a_former_life_counts_to_its_end_only)
{
    say(9, ledger_publish);
    ledger_close(&owner);
    open_owner();
    say(5, ledger_publish);
    open_reader(0, 0);
    until_got(16);
    until_stored(1, 14, 10);
    until_stored(2, 14, 14);
    until_stored(3, 16, 14);
}
END_TEST

START_TEST(a_second_owner_is_refused)
{
    char error[LEDGER_ERROR_MAX];
    struct ledger *second;
    ck_assert_int_eq(try_open(&second, error), E_BUSY);
    ck_assert(*error);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger");
    TCase *promises = tcase_create("promises");
    tcase_add_checked_fixture(promises, begin, end);
    tcase_set_timeout(promises, 30);
    tcase_add_test(promises, a_late_reader_gets_everything_from_the_first_record_and_then_what_is_said_live);
    tcase_add_test(promises, a_reader_goes_on_behind_the_position_it_holds);
    tcase_add_test(promises, a_range_of_many_answers_comes_whole_while_more_is_said);
    tcase_add_test(promises, a_hole_is_asked_for_when_the_next_record_shows_it);
    tcase_add_test(promises, a_reader_follows_the_owner_into_its_next_life);
    tcase_add_test(promises, the_owner_hears_what_is_stored_and_believes_no_more_than_it_has_said);
    tcase_add_test(promises, what_was_stored_of_a_former_life_counts_to_its_end_only);
    tcase_add_test(promises, a_second_owner_is_refused);
    tcase_add_test(promises, a_start_takes_the_snapshot_and_what_comes_behind_it);
    tcase_add_test(promises, a_snapshot_counts_once_it_is_on_the_disk_and_meanwhile_no_other_begins);
    tcase_add_loop_test(promises, an_owner_that_ends_with_a_snapshot_under_way_starts_from_a_whole_one, 0, 5);
    tcase_add_test(promises, a_snapshot_that_cannot_be_written_does_not_count_and_says_why);
    tcase_add_test(promises, a_snapshot_above_the_journals_head_is_of_a_lost_tail_and_goes);
    tcase_add_test(promises, a_journal_that_begins_later_than_any_snapshot_reaches_is_not_begun_from);
    tcase_add_loop_test(
        promises, a_reader_of_the_present_state_gets_the_snapshot_its_place_and_what_comes_behind, 0, 2);
    tcase_add_test(promises, a_reader_that_knows_of_more_makes_a_new_epoch_due_and_follows_into_it);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
