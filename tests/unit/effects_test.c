/* What effects_run promises: nothing is seen before it is written, and a write that fails loses nothing. */
#include "lib/runtime/effects.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct outbox out;
static struct ledger_head head;
static char did[256];    /* what the devices were asked to do, a letter each */
static int write_status;
static int sync_status; /* what the next write answers */
static int room;         /* appends that the buffer still takes; a write empties it */

static void note(char letter)
{
    size_t n = strlen(did);
    did[n] = letter;
    did[n + 1] = '\0';
}

static int append(void *ctx, struct message *m)
{
    (void)ctx;
    (void)m;
    if (room == 0)
        return E_FULL;
    room--;
    note('a');
    return OK;
}

static int write_all(void *ctx)
{
    (void)ctx;
    note('w');
    if (write_status == OK)
        room = 2;
    return write_status;
}

static int sync_all(void *ctx)
{
    (void)ctx;
    note('y');
    return sync_status;
}

static int publish(void *ctx, struct message *m)
{
    (void)ctx;
    (void)m;
    note('p');
    return OK;
}

static int send(void *ctx, enum peer to, struct message *m)
{
    (void)ctx;
    (void)m;
    ck_assert_int_eq(to, PEER_VENUE);
    note('s');
    return E_AGAIN;
}

static const struct devices devices = {
    .append = append, .write = write_all, .sync = sync_all, .publish = publish, .send = send};

static void begin(void)
{
    ck_assert_int_eq(outbox_open(&out, OUTBOX_CAPACITY), OK);
    memset(&head, 0, sizeof head);
    memcpy(head.stream, "exec", 5);
    head.epoch = 3;
    did[0] = '\0';
    write_status = OK;
    room = 16;
}

static void end(void)
{
    outbox_close(&out);
}

static struct message *record(void)
{
    return outbox_record(&out, &head, MSG_ORDER, (struct now){0});
}

START_TEST(every_record_is_written_in_one_write_before_any_is_published)
{
    record();
    record();
    ck_assert_int_eq(effects_run(&out, &devices), OK);
    ck_assert_str_eq(did, "aawpp");
}
END_TEST

START_TEST(a_sync_stands_between_the_write_and_the_sending_and_words_come_after_both)
{
    struct message *order = record();
    outbox_sync(&out);
    outbox_add(&out, EFFECT_SEND, order, PEER_VENUE);
    ck_assert_int_eq(effects_run(&out, &devices), OK);
    ck_assert_str_eq(did, "awysp");
}
END_TEST

START_TEST(an_order_is_sent_once_though_what_follows_fails)
{
    struct message *order = record();
    outbox_add(&out, EFFECT_SEND, order, PEER_VENUE);
    outbox_sync(&out);
    sync_status = E_IO;
    ck_assert_int_eq(effects_run(&out, &devices), E_IO);
    sync_status = OK;
    ck_assert_int_eq(effects_run(&out, &devices), OK);
    ck_assert_str_eq(did, "awspyy");
}
END_TEST

START_TEST(an_epoch_is_on_disk_before_its_first_word_and_names_what_was_before_as_its_base)
{
    head.pos = 7;
    const struct message *m = outbox_epoch(&out, &head, 9, 77, "run-1", (struct now){.utc_ns = 5});
    ck_assert_int_eq(m->env.type, MSG_EPOCH);
    ck_assert_str_eq(m->env.stream, "exec");
    ck_assert_uint_eq(m->env.epoch, 9);
    ck_assert_uint_eq(m->env.pos, 8);
    ck_assert_int_eq(m->env.time_out, 5);
    ck_assert_uint_eq(m->epoch.base_epoch, 3);
    ck_assert_uint_eq(m->epoch.base_pos, 7);
    ck_assert_uint_eq(m->epoch.boot_id, 77);
    ck_assert_str_eq(m->epoch.run, "run-1");
    ck_assert_uint_eq(head.epoch, 9);
    ck_assert_uint_eq(record()->env.pos, 9);
    ck_assert_int_eq(effects_run(&out, &devices), OK);
    ck_assert_str_eq(did, "aawypp");
}
END_TEST

START_TEST(records_that_must_be_on_disk_before_they_are_heard_of_share_one_sync)
{
    record();
    outbox_record_synced(&out, &head, MSG_ASSIGN, (struct now){0});
    outbox_record_synced(&out, &head, MSG_ASSIGN, (struct now){0});
    ck_assert_int_eq(effects_run(&out, &devices), OK);
    ck_assert_str_eq(did, "aaawpypp");
}
END_TEST

START_TEST(records_take_contiguous_positions_of_their_epoch)
{
    for (uint64_t pos = 1; pos <= 3; pos++) {
        const struct message *m = record();
        ck_assert_uint_eq(m->env.pos, pos);
        ck_assert_uint_eq(m->env.epoch, 3);
        ck_assert_str_eq(m->env.stream, "exec");
    }
}
END_TEST

START_TEST(after_a_failed_write_nothing_is_published_and_nothing_appended_twice)
{
    record();
    write_status = E_IO;
    ck_assert_int_eq(effects_run(&out, &devices), E_IO);
    ck_assert_str_eq(did, "aw");
    record(); /* a record made in the meantime keeps its place */
    ck_assert_int_eq(effects_run(&out, &devices), E_IO);
    ck_assert_str_eq(did, "awaw");
    write_status = OK;
    ck_assert_int_eq(effects_run(&out, &devices), OK);
    ck_assert_str_eq(did, "awawwpp");
    ck_assert_uint_eq(out.n_effects, 0);
}
END_TEST

START_TEST(a_full_buffer_is_written_and_the_record_that_found_no_room_follows)
{
    room = 2;
    for (int i = 0; i < 3; i++)
        record();
    write_status = E_IO;
    ck_assert_int_eq(effects_run(&out, &devices), E_IO);
    write_status = OK;
    ck_assert_int_eq(effects_run(&out, &devices), OK);
    ck_assert_str_eq(did, "aawwawppp");
}
END_TEST

START_TEST(what_a_peer_does_not_take_does_not_hold_up_the_rest)
{
    struct message *m = outbox_message(&out, MSG_ORDER);
    outbox_add(&out, EFFECT_SEND, m, PEER_VENUE);
    record();
    ck_assert_int_eq(effects_run(&out, &devices), OK);
    ck_assert_str_eq(did, "awsp");
}
END_TEST

START_TEST(an_overflow_is_counted_and_overwrites_nothing)
{
    for (int i = 0; i < OUTBOX_CAPACITY; i++)
        outbox_message(&out, MSG_ORDER)->order.leg = (uint32_t)i;
    ck_assert(!outbox_has_room(&out));
    struct message *spare = outbox_message(&out, MSG_ORDER);
    spare->order.leg = 99999;
    outbox_add(&out, EFFECT_PUBLISH, spare, PEER_NONE);
    ck_assert_uint_eq(out.overflows, 1);
    ck_assert_uint_eq(out.n_effects, 0);
    for (int i = 0; i < OUTBOX_CAPACITY; i++)
        ck_assert_uint_eq(out.messages[i].order.leg, (uint32_t)i);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("effects");
    TCase *promises = tcase_create("promises");
    tcase_add_checked_fixture(promises, begin, end);
    tcase_add_test(promises, every_record_is_written_in_one_write_before_any_is_published);
    tcase_add_test(promises, a_sync_stands_between_the_write_and_the_sending_and_words_come_after_both);
    tcase_add_test(promises, an_order_is_sent_once_though_what_follows_fails);
    tcase_add_test(promises, an_epoch_is_on_disk_before_its_first_word_and_names_what_was_before_as_its_base);
    tcase_add_test(promises, records_that_must_be_on_disk_before_they_are_heard_of_share_one_sync);
    tcase_add_test(promises, records_take_contiguous_positions_of_their_epoch);
    tcase_add_test(promises, after_a_failed_write_nothing_is_published_and_nothing_appended_twice);
    tcase_add_test(promises, a_full_buffer_is_written_and_the_record_that_found_no_room_follows);
    tcase_add_test(promises, what_a_peer_does_not_take_does_not_hold_up_the_rest);
    tcase_add_test(promises, an_overflow_is_counted_and_overwrites_nothing);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
