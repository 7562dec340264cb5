/* What tables promise: equal bytes are one index, in order of arrival, up to a fixed number. */
#include "lib/base/table.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"

enum { CAPACITY = 1000, KEY_BYTES = 12 };

static struct table *table;

static void begin(void)
{
    table = table_new(CAPACITY, KEY_BYTES);
    ck_assert_ptr_nonnull(table);
}

static void end(void)
{
    table_destroy(&table);
    ck_assert_ptr_null(table);
    table_destroy(&table);
}

START_TEST(indexes_count_up_and_a_name_keeps_its_own)
{
    ck_assert_int_eq(table_find(table, "BTC-USDT", 8), E_ABSENT);
    ck_assert_int_eq(table_intern(table, "BTC-USDT", 8), 0);
    ck_assert_int_eq(table_intern(table, "ETH-USDT", 8), 1);
    ck_assert_int_eq(table_intern(table, "BTC-USDT", 8), 0);
    ck_assert_int_eq(table_find(table, "ETH-USDT", 8), 1);
    ck_assert_uint_eq(table_count(table), 2);
    ck_assert_str_eq(table_key(table, 1), "ETH-USDT");
}
END_TEST

START_TEST(a_prefix_is_another_name)
{
    ck_assert_int_eq(table_intern(table, "BTC", 3), 0);
    ck_assert_int_eq(table_find(table, "BT", 2), E_ABSENT);
    ck_assert_int_eq(table_find(table, "BTC\0", 4), E_ABSENT);
    ck_assert_int_eq(table_intern(table, "", 0), 1);
    ck_assert_int_eq(table_find(table, "", 0), 1);
}
END_TEST

START_TEST(it_holds_all_it_was_made_for_and_refuses_the_next)
{
    char key[16];
    for (int i = 0; i < CAPACITY; i++) {
        ck_assert_int_eq(table_intern(table, key, (size_t)snprintf(key, sizeof key, "S%d", i)), i);
    }
    ck_assert_int_eq(table_intern(table, "one more", 8), E_FULL);
    ck_assert_int_eq(table_find(table, "one more", 8), E_ABSENT);
    for (int i = 0; i < CAPACITY; i++) {
        ck_assert_int_eq(table_find(table, key, (size_t)snprintf(key, sizeof key, "S%d", i)), i);
        ck_assert_str_eq(table_key(table, (uint32_t)i), key);
    }
    ck_assert_int_eq(table_intern(table, "S7", 2), 7);
}
END_TEST

START_TEST(the_longest_key_fits_and_a_longer_one_is_refused)
{
    ck_assert_int_eq(table_intern(table, "123456789012", 12), 0);
    ck_assert_int_eq(table_intern(table, "1234567890123", 13), E_RANGE);
    ck_assert_int_eq(table_find(table, "1234567890123", 13), E_ABSENT);
    ck_assert_str_eq(table_key(table, 0), "123456789012");
}
END_TEST

START_TEST(a_table_for_nothing_is_full_at_once)
{
    struct table *none = table_new(0, 8);
    ck_assert_int_eq(table_find(none, "x", 1), E_ABSENT);
    ck_assert_int_eq(table_intern(none, "x", 1), E_FULL);
    table_destroy(&none);
}
END_TEST

START_TEST(the_hash_is_fnv1a_and_may_be_continued)
{
    ck_assert_uint_eq(fnv1a(FNV_OFFSET, "", 0), FNV_OFFSET);
    ck_assert_uint_eq(fnv1a(FNV_OFFSET, "a", 1), 0xaf63dc4c8601ec8cu);
    ck_assert_uint_eq(fnv1a(FNV_OFFSET, "foobar", 6), 0x85944171f73967e8u);
    ck_assert_uint_eq(fnv1a(fnv1a(FNV_OFFSET, "foo", 3), "bar", 3), 0x85944171f73967e8u);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("table");
    TCase *promises = tcase_create("promises");
    tcase_add_checked_fixture(promises, begin, end);
    tcase_add_test(promises, indexes_count_up_and_a_name_keeps_its_own);
    tcase_add_test(promises, a_prefix_is_another_name);
    tcase_add_test(promises, it_holds_all_it_was_made_for_and_refuses_the_next);
    tcase_add_test(promises, the_longest_key_fits_and_a_longer_one_is_refused);
    tcase_add_test(promises, a_table_for_nothing_is_full_at_once);
    tcase_add_test(promises, the_hash_is_fnv1a_and_may_be_continued);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
