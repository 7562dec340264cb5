/* What a tally's table promises: each figure comes back as it was told, and nothing else is touched. */
#include "lib/runtime/tally.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

struct counted {
    uint64_t before, count;
    bool flag, other;
    uint64_t behind;
};

static const struct tally_figure figures[] = {
    {"count", offsetof(struct counted, count), TALLY_COUNT},
    {"flag", offsetof(struct counted, flag), TALLY_FLAG},
    {"behind", offsetof(struct counted, behind), TALLY_COUNT},
};

enum { FIGURES = sizeof figures / sizeof figures[0] };

static struct tally tally;

START_TEST(figures_come_back_as_they_were_told_and_nothing_else_is_touched)
{
    const struct counted told = {.before = 1, .count = UINT64_MAX, .flag = true, .other = true, .behind = 3};
    struct counted back = {.before = 7};
    memset(&tally, 0, sizeof tally);
    tally_tell(&tally, figures, FIGURES, &told);
    ck_assert_uint_eq(tally.n_figures, FIGURES);
    for (uint32_t i = 0; i < tally.n_figures; i++)
        ck_assert(tally_restore(&tally.figures[i], figures, FIGURES, &back));
    ck_assert_uint_eq(back.count, UINT64_MAX);
    ck_assert(back.flag);
    ck_assert_uint_eq(back.behind, 3);
    ck_assert_uint_eq(back.before, 7);
    ck_assert(!back.other);
}
END_TEST

START_TEST(a_figure_that_the_table_does_not_have_is_said_and_left)
{
    struct counted state = {.count = 5};
    memset(&tally, 0, sizeof tally);
    tally_add(&tally, "counts", 9);
    ck_assert(!tally_restore(&tally.figures[0], figures, FIGURES, &state));
    ck_assert_uint_eq(state.count, 5);
}
END_TEST

START_TEST(more_figures_than_there_is_room_for_are_left_out)
{
    const uint32_t room = sizeof tally.figures / sizeof tally.figures[0];
    char name[16];
    memset(&tally, 0, sizeof tally);
    for (uint32_t i = 0; i < room + 2; i++) {
        (void)snprintf(name, sizeof name, "f%u", i);
        tally_add(&tally, name, i);
    }
    ck_assert_uint_eq(tally.n_figures, room);
    ck_assert_int_eq(tally.figures[room - 1].value, room - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tally");
    TCase *promises = tcase_create("promises");
    tcase_add_test(promises, figures_come_back_as_they_were_told_and_nothing_else_is_touched);
    tcase_add_test(promises, a_figure_that_the_table_does_not_have_is_said_and_left);
    tcase_add_test(promises, more_figures_than_there_is_room_for_are_left_out);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
