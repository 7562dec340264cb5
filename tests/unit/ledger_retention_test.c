/* What of a journal may go: old or large, stored by all who count, and never above the older snapshot. */
#include "lib/runtime/ledger_retention.h"

#include <check.h>
#include <stdlib.h>

#define HOUR_NS 3600000000000

enum { N = 5 };

static struct journal_segment segments[N]; /* 100 positions and 1000 bytes each, all of epoch 3 */
static struct stored_place readers[2];
static struct retention rules;

static void setup(void)
{
    for (size_t i = 0; i < N; i++)
        segments[i] = (struct journal_segment){.first_pos = i * 100 + 1,
                                               .last_pos = i * 100 + 100,
                                               .last_epoch = 3,
                                               .bytes = 1000,
                                               .changed_ns = 0};
    readers[0] = readers[1] = (struct stored_place){.epoch = 3, .pos = 1000};
    rules = (struct retention){
        .keep_bytes = 3000, .hold_bytes = 100000, .snapshot_pos = 1000, .readers = readers, .n_readers = 2};
}

static struct retention_verdict look(int64_t utc_ns)
{
    return retention_look(&rules, segments, N, 500, utc_ns);
}

START_TEST(what_is_beyond_the_size_goes_and_no_more)
{
    ck_assert_uint_eq(look(0).free_pos, 300);
    rules.keep_bytes = 5499;
    ck_assert_uint_eq(look(0).free_pos, 100);
    rules.keep_bytes = 5500;
    ck_assert_uint_eq(look(0).free_pos, 0);
}
END_TEST

START_TEST(what_is_older_than_its_time_goes_below_the_size_too_where_age_counts)
{
    rules.keep_bytes = 100000;
    ck_assert_uint_eq(look(10 * HOUR_NS).free_pos, 0);
    rules.keep_ns = HOUR_NS;
    for (size_t i = 0; i < N; i++)
        segments[i].changed_ns = (int64_t)i * HOUR_NS;
    ck_assert_uint_eq(look(3 * HOUR_NS + 1).free_pos, 300);
    segments[0].changed_ns = -1;
    ck_assert_uint_eq(look(3 * HOUR_NS + 1).free_pos, 0);
}
END_TEST

START_TEST(nothing_goes_that_one_of_the_readers_lacks)
{
    readers[1].pos = 199;
    ck_assert_uint_eq(look(0).free_pos, 100);
    readers[1].pos = 200;
    ck_assert_uint_eq(look(0).free_pos, 200);
    readers[0] = (struct stored_place){0};
    ck_assert_uint_eq(look(0).free_pos, 0);
}
END_TEST

START_TEST(what_a_reader_has_of_an_older_life_does_not_count_where_a_newer_one_stands)
{
    segments[0].last_epoch = 1;
    readers[1].epoch = 1;
    ck_assert_uint_eq(look(0).free_pos, 100);
    segments[0].last_epoch = UINT64_MAX;
    readers[1].epoch = 3;
    ck_assert_uint_eq(look(0).free_pos, 0);
}
END_TEST

START_TEST(nothing_above_the_older_snapshot_goes_however_large_the_journal_is)
{
    rules.snapshot_pos = 299;
    ck_assert_uint_eq(look(0).free_pos, 200);
    rules.hold_bytes = rules.keep_bytes = 0;
    ck_assert_uint_eq(look(0).free_pos, 200);
    rules.snapshot_pos = 0;
    ck_assert_uint_eq(look(0).free_pos, 0);
}
END_TEST

START_TEST(beyond_what_is_held_even_what_is_not_stored_goes_and_is_said)
{
    rules.hold_bytes = 4000;
    readers[1].may_lack = true;
    readers[1].pos = 130;
    struct retention_verdict v = look(0);
    ck_assert_uint_eq(v.free_pos, 200); /* 5500, 4500, 3500 */
    ck_assert_uint_eq(v.unstored_from, 131);
    readers[1].pos = 0;
    v = look(0);
    ck_assert_uint_eq(v.free_pos, 200);
    ck_assert_uint_eq(v.unstored_from, 1);
    readers[1].pos = 1000;
    ck_assert_uint_eq(look(0).unstored_from, 0);
}
END_TEST

START_TEST(what_a_service_rebuilds_itself_from_goes_never_before_it_has_it)
{
    rules.hold_bytes = 0;
    readers[0].pos = 199;
    readers[1] = (struct stored_place){.may_lack = true};
    struct retention_verdict v = look(0);
    ck_assert_uint_eq(v.free_pos, 100);
    ck_assert_uint_eq(v.unstored_from, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger_retention");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, NULL);
    tcase_add_test(all, what_is_beyond_the_size_goes_and_no_more);
    tcase_add_test(all, what_is_older_than_its_time_goes_below_the_size_too_where_age_counts);
    tcase_add_test(all, nothing_goes_that_one_of_the_readers_lacks);
    tcase_add_test(all, what_a_reader_has_of_an_older_life_does_not_count_where_a_newer_one_stands);
    tcase_add_test(all, nothing_above_the_older_snapshot_goes_however_large_the_journal_is);
    tcase_add_test(all, beyond_what_is_held_even_what_is_not_stored_goes_and_is_said);
    tcase_add_test(all, what_a_service_rebuilds_itself_from_goes_never_before_it_has_it);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
