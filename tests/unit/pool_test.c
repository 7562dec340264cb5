/* What pools promise: all items taken at start, clean when taken, at the same index while taken. */
#include "lib/base/pool.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CAPACITY = 100 };

struct item {
    char text[21]; /* no multiple of any alignment */
};

static struct pool *pool;

static void begin(void)
{
    pool = pool_new(CAPACITY, sizeof(struct item));
    ck_assert_ptr_nonnull(pool);
}

static void end(void)
{
    pool_destroy(&pool);
    ck_assert_ptr_null(pool);
    pool_destroy(&pool);
}

START_TEST(it_gives_out_as_many_as_it_has_and_no_two_share_a_byte)
{
    struct item *items[CAPACITY];
    for (int i = 0; i < CAPACITY; i++) {
        items[i] = pool_take(pool);
        ck_assert_ptr_nonnull(items[i]);
        ck_assert_uint_eq((uintptr_t)items[i] % 16, 0);
        memset(items[i], i, sizeof *items[i]);
    }
    ck_assert_ptr_null(pool_take(pool));
    ck_assert_uint_eq(pool_taken(pool), pool_capacity(pool));
    for (int i = 0; i < CAPACITY; i++) {
        for (size_t k = 0; k < sizeof *items[i]; k++) {
            ck_assert_int_eq(items[i]->text[k], i);
        }
    }
}
END_TEST

START_TEST(a_given_item_is_taken_again_and_is_clean)
{
    struct item *item = pool_take(pool);
    memset(item, 0xff, sizeof *item);
    pool_give(pool, item);
    ck_assert_uint_eq(pool_taken(pool), 0);
    for (int i = 0; i < CAPACITY; i++) {
        static const struct item clean;
        struct item *again = pool_take(pool);
        ck_assert_mem_eq(again, &clean, sizeof clean);
    }
}
END_TEST

START_TEST(an_index_names_its_item_only_while_it_is_taken)
{
    struct item *a = pool_take(pool), *b = pool_take(pool);
    uint32_t index = pool_index(pool, b);
    ck_assert_uint_ne(index, pool_index(pool, a));
    ck_assert_ptr_eq(pool_at(pool, index), b);
    pool_give(pool, b);
    ck_assert_ptr_null(pool_at(pool, index));
    ck_assert_ptr_eq(pool_at(pool, pool_index(pool, a)), a);
    ck_assert_ptr_null(pool_at(pool, CAPACITY));
    ck_assert_ptr_null(pool_at(pool, UINT32_MAX));
}
END_TEST

START_TEST(giving_twice_stops_the_process)
{
    void *item = pool_take(pool);
    pool_give(pool, item);
    pool_give(pool, item);
}
END_TEST

START_TEST(a_pool_of_nothing_has_nothing)
{
    struct pool *none = pool_new(0, 8);
    ck_assert_ptr_null(pool_take(none));
    pool_destroy(&none);
}
END_TEST

START_TEST(more_than_memory_is_refused)
{
    ck_assert_ptr_null(pool_new(1u << 31, SIZE_MAX / 4));
    ck_assert_ptr_null(pool_new(2, SIZE_MAX));
}
END_TEST

START_TEST(a_room_is_zero_and_all_of_it_is_in_place)
{
    enum { BYTES = 1 << 24, PAGE = 4096 };
    static unsigned char in_place[BYTES / PAGE];
    unsigned char *room = room_new(BYTES / 16, 16);
    uintptr_t first_page = ((uintptr_t)room + PAGE - 1) / PAGE * PAGE;
    size_t pages = (size_t)((uintptr_t)room + BYTES - first_page) / PAGE;
    ck_assert_int_eq(mincore((void *)first_page, pages * PAGE, in_place), 0);
    for (size_t i = 0; i < pages; i++)
        ck_assert_int_eq(in_place[i] & 1, 1);
    size_t used = 0;
    for (size_t i = 0; i < BYTES; i++)
        used += room[i] != 0;
    ck_assert_uint_eq(used, 0);
    free(room);
    ck_assert_ptr_null(room_new(SIZE_MAX / 2, 16));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *promises = tcase_create("promises");
    tcase_add_checked_fixture(promises, begin, end);
    tcase_add_test(promises, it_gives_out_as_many_as_it_has_and_no_two_share_a_byte);
    tcase_add_test(promises, a_given_item_is_taken_again_and_is_clean);
    tcase_add_test(promises, an_index_names_its_item_only_while_it_is_taken);
    tcase_add_test_raise_signal(promises, giving_twice_stops_the_process, SIGABRT);
    tcase_add_test(promises, a_pool_of_nothing_has_nothing);
    tcase_add_test(promises, more_than_memory_is_refused);
    tcase_add_test(promises, a_room_is_zero_and_all_of_it_is_in_place);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
