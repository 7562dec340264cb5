/* What an owner answers: what was asked for and is there, in turns, with an end that tells how the ledger stands; and
 * what it makes of what readers say. */
#include "lib/runtime/ledger_answers.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct answers a;
static struct ledger_figures f;
static struct turn turn;
static struct replayed end;
static int64_t mono;

static void setup(void)
{
    memset(&a, 0, sizeof a);
    mono = 5 * NS_PER_SEC;
    f = (struct ledger_figures){
        .epoch = 3, .base_pos = 50, .first_pos = 11, .head_pos = 1000, .synced_pos = 900};
}

/* As an owner whose readers take all there is. */
static bool sent(uint32_t n)
{
    const bool ended = answers_sent(&a, &turn, n, &f, &end);
    if (ended)
        answers_drop(&a, &turn);
    return ended;
}

static enum answers_heard heard(const char *who, uint64_t epoch, uint64_t next, uint32_t credit)
{
    const struct replay r = {.epoch = epoch, .next_pos = next, .credit = credit};
    return answers_ask(&a, who, strlen(who), &r, &f);
}

static bool ask(const char *who, uint64_t epoch, uint64_t next, uint32_t credit)
{
    return heard(who, epoch, next, credit) == ANSWERS_READER_AHEAD;
}

/* Whose turn it is, in which from and n are as expected, and all of it is sent. True: that was the end. */
static bool expect_turn(char who, uint64_t from, uint32_t n)
{
    ck_assert(answers_turn(&a, &f, mono, &turn));
    ck_assert_int_eq(*(const char *)turn.identity, who);
    ck_assert_uint_eq(turn.identity_len, 1);
    ck_assert(!turn.snapshot);
    ck_assert_uint_eq(turn.from, from);
    ck_assert_uint_eq(turn.n, n);
    return sent(n);
}

START_TEST(an_answer_has_what_was_asked_for_and_ends_with_how_the_ledger_stands)
{
    ck_assert(!answers_turn(&a, &f, mono, &turn));
    (void)ask("a", 3, 100, 10);
    ck_assert(answers_waiting(&a, mono));
    ck_assert(expect_turn('a', 100, 10));
    ck_assert_uint_eq(end.epoch, 3);
    ck_assert_uint_eq(end.base_pos, 50);
    ck_assert_uint_eq(end.first_pos, 11);
    ck_assert_uint_eq(end.head_pos, 1000);
    ck_assert_uint_eq(end.synced_pos, 900);
    ck_assert_uint_eq(end.sent, 10);
    ck_assert(!end.snapshot);
    ck_assert(!answers_waiting(&a, mono));
}
END_TEST

START_TEST(an_answer_begins_at_the_oldest_record_and_ends_at_the_head)
{
    (void)ask("a", 0, 1, 5);
    ck_assert(expect_turn('a', 11, 5));
    (void)ask("a", 3, 999, 500);
    ck_assert(expect_turn('a', 999, 2));
    (void)ask("a", 3, 1001, 500);
    ck_assert(expect_turn('a', 1001, 0));
    ck_assert_uint_eq(end.sent, 0);
    (void)ask("a", 0, 0, 500); /* nothing wanted but the end */
    ck_assert(answers_turn(&a, &f, mono, &turn));
    ck_assert_uint_eq(turn.n, 0);
    ck_assert(sent(0));
    f = (struct ledger_figures){.epoch = 1};
    (void)ask("a", 0, 1, 500);
    ck_assert(expect_turn('a', 1, 0));
}
END_TEST

START_TEST(readers_take_turns_so_that_none_waits_for_all_of_another)
{
    (void)ask("a", 3, 11, 600);
    (void)ask("b", 3, 500, 300);
    ck_assert(!expect_turn('a', 11, 256));
    ck_assert(!expect_turn('b', 500, 256));
    ck_assert(!expect_turn('a', 267, 256));
    ck_assert(expect_turn('b', 756, 44));
    ck_assert_uint_eq(end.sent, 300);
    ck_assert(expect_turn('a', 523, 88));
    ck_assert_uint_eq(end.sent, 600);
}
END_TEST

START_TEST(an_answer_grows_with_the_ledger_up_to_its_credit_and_ends_where_there_is_no_more)
{
    f.head_pos = 266;
    (void)ask("a", 3, 11, 600);
    ck_assert(expect_turn('a', 11, 256));
    f.head_pos = 1000;
    (void)ask("a", 3, 11, 600);
    ck_assert(!expect_turn('a', 11, 256));
    f.head_pos = 100000;
    ck_assert(!expect_turn('a', 267, 256));
    ck_assert(expect_turn('a', 523, 88));
}
END_TEST

START_TEST(credit_is_bounded_and_what_cannot_be_sent_ends_the_answer)
{
    f.head_pos = 1000000;
    (void)ask("a", 3, 11, UINT32_MAX);
    uint32_t sum = 0;
    for (bool ended = false; !ended;) {
        ck_assert(answers_turn(&a, &f, mono, &turn));
        sum += turn.n;
        ended = sent(turn.n);
    }
    ck_assert_uint_eq(sum, ANSWERS_CREDIT);
    (void)ask("a", 3, 11, 600);
    ck_assert(answers_turn(&a, &f, mono, &turn));
    ck_assert(sent(7));
    ck_assert_uint_eq(end.sent, 7);
}
END_TEST

START_TEST(a_newer_request_takes_the_place_of_an_older_one_and_beyond_the_room_they_are_forgotten)
{
    (void)ask("a", 3, 11, 600);
    (void)expect_turn('a', 11, 256);
    (void)ask("a", 3, 300, 10);
    ck_assert(expect_turn('a', 300, 10));
    ck_assert_uint_eq(end.sent, 10);
    ck_assert(!answers_waiting(&a, mono));
    char who[2] = "A";
    for (int i = 0; i < ANSWERS_MAX + 5; i++, who[0]++)
        (void)ask(who, 3, 100, 1);
    int answered = 0;
    while (answers_turn(&a, &f, mono, &turn))
        answered += sent(1);
    ck_assert_int_eq(answered, ANSWERS_MAX);
}
END_TEST

START_TEST(who_is_stuck_holds_up_nobody_and_gets_the_rest_and_its_end_when_there_is_room)
{
    (void)ask("a", 3, 11, 300);
    ck_assert(answers_turn(&a, &f, mono, &turn));
    answers_hold(&a, &turn, 100, mono);
    ck_assert(answers_stuck(&a));
    ck_assert(!answers_waiting(&a, mono)); /* so that the loop may sleep */
    ck_assert(!answers_turn(&a, &f, mono, &turn));
    (void)ask("b", 3, 500, 10);
    ck_assert(expect_turn('b', 500, 10));
    mono += ANSWERS_AGAIN_NS;
    ck_assert(answers_waiting(&a, mono));
    ck_assert(answers_turn(&a, &f, mono, &turn));
    ck_assert_uint_eq(turn.from, 111);
    ck_assert_uint_eq(turn.n, 200);
    ck_assert(answers_sent(&a, &turn, 200, &f, &end));
    ck_assert(!answers_stuck(&a));
    answers_hold(&a, &turn, 0, mono); /* the end finds no room */
    mono += ANSWERS_AGAIN_NS;
    ck_assert(expect_turn('a', 311, 0));
    ck_assert_uint_eq(end.sent, 300);
    ck_assert(!answers_waiting(&a, mono));
}
END_TEST

START_TEST(who_wanted_the_end_only_gets_no_records_when_that_was_stuck)
{
    (void)ask("a", 0, 0, 500);
    ck_assert(answers_turn(&a, &f, mono, &turn));
    ck_assert(answers_sent(&a, &turn, 0, &f, &end));
    answers_hold(&a, &turn, 0, mono);
    mono += ANSWERS_AGAIN_NS;
    ck_assert(answers_turn(&a, &f, mono, &turn));
    ck_assert_uint_eq(turn.n, 0);
}
END_TEST

START_TEST(an_answer_of_which_nothing_goes_through_for_long_is_given_up)
{
    (void)ask("a", 3, 11, 300);
    for (int64_t began = mono; mono < began + 3 * ANSWERS_STUCK_NS; mono += ANSWERS_AGAIN_NS) {
        ck_assert(answers_turn(&a, &f, mono, &turn));
        answers_hold(&a, &turn, mono == began + ANSWERS_STUCK_NS / 2, mono); /* one gets through meanwhile */
        ck_assert_int_eq(answers_stuck(&a), mono < began + ANSWERS_STUCK_NS / 2 + ANSWERS_STUCK_NS);
        if (!answers_stuck(&a))
            break;
    }
    mono += ANSWERS_AGAIN_NS;
    ck_assert(!answers_turn(&a, &f, mono, &turn));
}
END_TEST

START_TEST(a_snapshot_is_one_turn_and_one_that_is_given_up_has_no_end)
{
    const struct replay r = {.snapshot = true};
    (void)answers_ask(&a, "a", 1, &r, &f);
    ck_assert(answers_turn(&a, &f, mono, &turn));
    ck_assert(turn.snapshot);
    ck_assert(sent(9999));
    ck_assert(end.snapshot);
    ck_assert_uint_eq(end.sent, 9999);
    (void)answers_ask(&a, "a", 1, &r, &f);
    ck_assert(answers_turn(&a, &f, mono, &turn));
    answers_drop(&a, &turn);
    ck_assert(!answers_waiting(&a, mono));
    ck_assert(!answers_turn(&a, &f, mono, &turn));
}
END_TEST

START_TEST(who_knows_of_more_than_was_said_makes_a_new_epoch_due_above_every_one_heard_of)
{
    ck_assert_uint_eq(answers_epoch_due(&a, &f), 0);
    ck_assert(!ask("a", 3, 1001, 10));
    ck_assert(!ask("a", 2, 5000, 10));
    ck_assert_uint_eq(answers_epoch_due(&a, &f), 0);
    ck_assert(ask("a", 3, 1002, 10));
    ck_assert_uint_eq(answers_epoch_due(&a, &f), 4);
    ck_assert(!ask("a", 3, 1002, 10)); /* said once */
    ck_assert(ask("b", 9, 5, 10));
    ck_assert_uint_eq(answers_epoch_due(&a, &f), 10);
    f.epoch = 10;
    ck_assert_uint_eq(answers_epoch_due(&a, &f), 0);
    ck_assert(!ask("b", UINT64_MAX, 5, 10));
    ck_assert_uint_eq(answers_epoch_due(&a, &f), 0);
}
END_TEST

START_TEST(an_epoch_that_no_owner_can_have_come_to_is_not_believed_but_answered)
{
    ck_assert_int_eq(heard("a", 3 + ANSWERS_EPOCHS_AHEAD + 1, 100, 10), ANSWERS_UNBELIEVABLE);
    ck_assert_int_eq(heard("b", UINT64_MAX - 2, 5, 10), ANSWERS_UNBELIEVABLE);
    ck_assert_uint_eq(answers_epoch_due(&a, &f), 0);
    ck_assert(expect_turn('a', 100, 10));
    ck_assert_int_eq(heard("b", 3 + ANSWERS_EPOCHS_AHEAD, 5, 10), ANSWERS_READER_AHEAD);
    ck_assert_uint_eq(answers_epoch_due(&a, &f), 4 + ANSWERS_EPOCHS_AHEAD);
}
END_TEST

static void store(const char *who, uint64_t epoch, uint64_t pos)
{
    struct stored s = {.epoch = epoch, .pos = pos};
    strcpy(s.reader, who);
    answers_stored(&a, &s, &f);
}

START_TEST(what_is_stored_counts_up_to_what_was_said_and_of_older_lives_up_to_the_base)
{
    strcpy(a.needed[0], "recorder");
    strcpy(a.needed[1], "exec");
    a.n_needed = 2;
    store("recorder", 3, 2000);
    ck_assert_uint_eq(a.stored[0].pos, 1000);
    ck_assert_uint_eq(a.recorder_pos, 1000);
    ck_assert_uint_eq(a.stored[1].pos, 0);
    store("exec", 2, 500);
    ck_assert_uint_eq(a.stored[1].epoch, 2);
    ck_assert_uint_eq(a.stored[1].pos, 50);
    store("exec", 4, 20);
    ck_assert_uint_eq(a.stored[1].pos, 50);
    store("exec", 3, 60);
    store("exec", 3, 55);
    ck_assert_uint_eq(a.stored[1].epoch, 3);
    ck_assert_uint_eq(a.stored[1].pos, 60);
    store("nobody", 3, 60);
    ck_assert_uint_eq(a.recorder_pos, 1000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger_answers");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, NULL);
    tcase_add_test(all, an_answer_has_what_was_asked_for_and_ends_with_how_the_ledger_stands);
    tcase_add_test(all, an_answer_begins_at_the_oldest_record_and_ends_at_the_head);
    tcase_add_test(all, readers_take_turns_so_that_none_waits_for_all_of_another);
    tcase_add_test(all, an_answer_grows_with_the_ledger_up_to_its_credit_and_ends_where_there_is_no_more);
    tcase_add_test(all, credit_is_bounded_and_what_cannot_be_sent_ends_the_answer);
    tcase_add_test(all,
                   a_newer_request_takes_the_place_of_an_older_one_and_beyond_the_room_they_are_forgotten);
    tcase_add_test(all, who_is_stuck_holds_up_nobody_and_gets_the_rest_and_its_end_when_there_is_room);
    tcase_add_test(all, who_wanted_the_end_only_gets_no_records_when_that_was_stuck);
    tcase_add_test(all, an_answer_of_which_nothing_goes_through_for_long_is_given_up);
    tcase_add_test(all, a_snapshot_is_one_turn_and_one_that_is_given_up_has_no_end);
    tcase_add_test(all, who_knows_of_more_than_was_said_makes_a_new_epoch_due_above_every_one_heard_of);
    tcase_add_test(all, an_epoch_that_no_owner_can_have_come_to_is_not_believed_but_answered);
    tcase_add_test(all, what_is_stored_counts_up_to_what_was_said_and_of_older_lives_up_to_the_base);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
