/* What the small work on names promises. */
#include "lib/base/text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"

START_TEST(a_field_holds_the_text_and_zeros_behind_it)
{
    char field[8];
    memset(field, 'x', sizeof field);
    ck_assert(text_set(field, sizeof field, "abc"));
    ck_assert_mem_eq(field, "abc\0\0\0\0\0", sizeof field);
    ck_assert(text_set(field, sizeof field, "1234567"));
    ck_assert_str_eq(field, "1234567");
}
END_TEST

START_TEST(text_that_does_not_fit_leaves_an_empty_field)
{
    char field[8];
    memset(field, 'x', sizeof field);
    ck_assert(!text_set(field, sizeof field, "12345678"));
    ck_assert_mem_eq(field, "\0\0\0\0\0\0\0\0", sizeof field);
}
END_TEST

static const char *const names[] = {"max_age", "max_notional", "min_edge_bps", "mode", "fee", NULL};

START_TEST(a_slip_of_the_hand_finds_the_name_that_was_meant)
{
    ck_assert_str_eq(text_nearest("max_aeg", names), "max_age");
    ck_assert_str_eq(text_nearest("max_agee", names), "max_age");
    ck_assert_str_eq(text_nearest("min_egde_bps", names), "min_edge_bps");
    ck_assert_str_eq(text_nearest("notional_max", (const char *const[]){"notional_mx", "mode", NULL}),
                     "notional_mx");
    ck_assert_str_eq(text_nearest("mdoe", names), "mode");
    ck_assert_str_eq(text_nearest("fees", names), "fee");
    ck_assert_str_eq(text_nearest("mode", names), "mode");
}
END_TEST

START_TEST(the_nearer_of_two_is_taken)
{
    ck_assert_str_eq(text_nearest("max_agd", (const char *const[]){"max_bgg", "max_age", NULL}), "max_age");
}
END_TEST

START_TEST(what_is_like_nothing_finds_nothing)
{
    char longer_than_any_name[200];
    memset(longer_than_any_name, 'm', sizeof longer_than_any_name);
    longer_than_any_name[199] = '\0';
    ck_assert_ptr_null(text_nearest("colour", names));
    ck_assert_ptr_null(text_nearest("x", names));
    ck_assert_ptr_null(text_nearest("", names));
    ck_assert_ptr_null(text_nearest(longer_than_any_name, names));
    ck_assert_ptr_null(text_nearest("max_age", (const char *const[]){NULL}));
}
END_TEST

START_TEST(a_time_is_written_in_utc_to_the_nanosecond)
{
    char text[32];
    clock_format(INT64_C(1723161253937085768), text);
    ck_assert_str_eq(text, "2024-08-08T23:54:13.937085768Z");
    clock_format(0, text);
    ck_assert_str_eq(text, "1970-01-01T00:00:00.000000000Z");
    clock_format(-1, text);
    ck_assert_str_eq(text, "1969-12-31T23:59:59.999999999Z");
    clock_format(INT64_MAX, text);
    ck_assert_uint_eq(strlen(text), 30);
    clock_format(INT64_MIN, text);
    ck_assert_uint_eq(strlen(text), 30);
}
END_TEST

START_TEST(the_monotonic_clock_goes_forward_and_the_boot_id_stays)
{
    int64_t before = clock_mono_ns();
    ck_assert_int_ge(clock_mono_ns(), before);
    ck_assert_int_gt(clock_utc_ns(), INT64_C(1700000000) * NS_PER_SEC);
    ck_assert_uint_eq(clock_boot_id(), clock_boot_id());
}
END_TEST

START_TEST(every_status_has_a_name_of_its_own)
{
    ck_assert_str_eq(status_text(OK), "ok");
    for (int a = E_STATE; a <= OK; a++) {
        ck_assert_str_ne(status_text(a), status_text(1));
        for (int b = a + 1; b <= OK; b++) {
            ck_assert_str_ne(status_text(a), status_text(b));
        }
    }
}
END_TEST

START_TEST(a_prefix_of_a_list_begins_a_text_or_does_not)
{
    ck_assert(text_begins_with_one_of("BTC-USDT@a", "BTC"));
    ck_assert(text_begins_with_one_of("BTC-USDT@a", "ETH-,BTC-,SOL-"));
    ck_assert(text_begins_with_one_of("SOL-USDT@a", "ETH-,BTC-,SOL-"));
    ck_assert(!text_begins_with_one_of("BTC-USDT@a", "ETH-,TC-"));
    ck_assert(!text_begins_with_one_of("BTC", "BTC-"));
    ck_assert(!text_begins_with_one_of("BTC-USDT@a", ""));
    ck_assert(!text_begins_with_one_of("BTC-USDT@a", ",,"));
    ck_assert(!text_begins_with_one_of("BTC-USDT@a", "ETH-,"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *promises = tcase_create("promises");
    tcase_add_test(promises, a_field_holds_the_text_and_zeros_behind_it);
    tcase_add_test(promises, text_that_does_not_fit_leaves_an_empty_field);
    tcase_add_test(promises, a_slip_of_the_hand_finds_the_name_that_was_meant);
    tcase_add_test(promises, the_nearer_of_two_is_taken);
    tcase_add_test(promises, what_is_like_nothing_finds_nothing);
    tcase_add_test(promises, a_prefix_of_a_list_begins_a_text_or_does_not);
    tcase_add_test(promises, a_time_is_written_in_utc_to_the_nanosecond);
    tcase_add_test(promises, the_monotonic_clock_goes_forward_and_the_boot_id_stays);
    tcase_add_test(promises, every_status_has_a_name_of_its_own);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
