/* What the database refuses, and the days that it is parted by: held by SQLite and by Postgres alike. */
#include "tests/unit/store_fixture.h"

/* ---- what the database will not take ------------------------------------------------------------------ */

/* Fills of the trade id t2 are refused from here on. */
static void refuse_t2(void)
{
    const char *sql = strcmp(sink, "postgres") == 0
                          ? "ALTER TABLE fills ADD CONSTRAINT by_hand CHECK (trade_id <> 't2')"
                          : "CREATE TRIGGER by_hand BEFORE INSERT ON fills WHEN new.trade_id = 't2' "
                            "BEGIN SELECT RAISE(ABORT, 'by_hand'); END";
    by_hand(sql);
}

START_TEST(a_refused_message_taken_apart_leaves_the_transaction_without_it)
{
    refuse_t2();
    ck_assert_int_eq(store_add_apart(store, RUN, fill_at(1, 1)), OK);
    int status = store_add_apart(store, RUN, fill_at(1, 2));
    ck_assert_int_eq(status, E_REFUSED);
    ck_assert_msg(strstr(store_error(store), "by_hand") != NULL, "%s", store_error(store));
    ck_assert_int_eq(store_refuse(store, RUN, fill_at(1, 2), "because"), OK);
    ck_assert_int_eq(store_add_apart(store, RUN, fill_at(1, 3)), OK);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM stored_positions"), 0);
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, 3)), OK);
    ck_assert_int_eq(number_of(store, "SELECT SUM(pos) FROM fills"), 1 + 3);
    ck_assert_int_eq(number_of(store, "SELECT pos FROM refused_rows"), 2);
    assert_text("SELECT error FROM refused_rows", "because");
    assert_text("SELECT type FROM refused_rows", "fill");
    ck_assert_int_eq(
        number_of(store, "SELECT COUNT(*) FROM refused_rows WHERE message LIKE '{%\"trade_id\":\"t2\"%}'"),
        1);
    assert_position(store, 1, 3);
}
END_TEST

START_TEST(a_message_that_is_there_already_is_refused_apart_and_stays_once)
{
    ck_assert_int_eq(store_add(store, RUN, fill_at(1, 1)), OK);
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, 1)), OK);
    ck_assert_int_eq(store_add_apart(store, RUN, fill_at(1, 1)), E_STATE);
    ck_assert_int_eq(store_add_apart(store, RUN, fill_at(1, 2)), OK);
    ck_assert_int_eq(commit(store, from_to(1, 1, 1, 2)), OK);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM fills"), 2);
}
END_TEST

START_TEST(a_refused_message_of_many_rows_leaves_none_of_them)
{
    message_init(m, MSG_BASKET);
    text_set(m->env.stream, sizeof m->env.stream, "exec");
    m->env.epoch = m->env.pos = 1;
    m->basket.n_legs = 2;
    by_hand(strcmp(sink, "postgres") == 0
                ? "ALTER TABLE baskets_legs ADD CONSTRAINT by_hand CHECK (item <> 1)"
                : "CREATE TRIGGER by_hand BEFORE INSERT ON baskets_legs WHEN new.item = 1 "
                  "BEGIN SELECT RAISE(ABORT, 'by_hand'); END");
    ck_assert_int_lt(store_add_apart(store, RUN, m), 0);
    ck_assert_int_eq(store_add_apart(store, RUN, fill_at(1, 2)), OK);
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, 2)), OK);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM baskets"), 0);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM baskets_legs"), 0);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM fills"), 1);
}
END_TEST

START_TEST(a_refused_message_voids_a_batch_with_everything_in_it)
{
    refuse_t2();
    int status = OK;
    for (uint64_t pos = 1; status == OK && pos <= 3; pos++)
        status = store_add(store, RUN, fill_at(1, pos));
    if (status == OK)
        status = commit(store, from_to(0, 0, 1, 3));
    ck_assert_int_eq(status, E_REFUSED);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM fills"), 0);
    assert_position(store, 0, 0);
}
END_TEST

START_TEST(a_rollback_gap_takes_refused_messages_with_it)
{
    for (uint64_t pos = 3; pos <= 5; pos++)
        ck_assert_int_eq(store_refuse(store, RUN, fill_at(1, pos), "because"), OK);
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, 5)), OK);
    message_init(m, MSG_GAP);
    text_set(m->env.stream, sizeof m->env.stream, "exec");
    m->env.epoch = 1;
    m->env.pos = m->gap.from_pos = 4;
    text_set(m->gap.stream_lost, sizeof m->gap.stream_lost, "exec");
    text_set(m->gap.cause, sizeof m->gap.cause, "rollback");
    ck_assert_int_eq(store_add(store, RUN, m), OK);
    ck_assert_int_eq(commit(store, from_to(1, 5, 1, 3)), OK);
    ck_assert_int_eq(number_of(store, "SELECT SUM(pos) FROM refused_rows"), 3);
}
END_TEST

/* ---- days --------------------------------------------------------------------------------------------- */

#define DAY_NS INT64_C(86400000000000)

START_TEST(rows_of_several_days_are_rolled_back_and_read_as_one_table)
{
    for (uint64_t pos = 1; pos <= 40; pos++) {
        fill_at(1, pos);
        m->env.time_out = (int64_t)pos * DAY_NS - (pos % 2); /* the last nanosecond of a day, and the first */
        ck_assert_int_eq(store_add(store, RUN, m), OK);
    }
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, 40)), OK);
    assert_text("SELECT substr(CAST(ts AS TEXT), 1, 19) FROM fills WHERE pos = 1", "1970-01-01 23:59:59");
    assert_text("SELECT substr(CAST(ts AS TEXT), 1, 19) FROM fills WHERE pos = 2", "1970-01-03 00:00:00");
    message_init(m, MSG_GAP);
    text_set(m->env.stream, sizeof m->env.stream, "exec");
    m->env.epoch = 1;
    m->env.pos = m->gap.from_pos = 11;
    text_set(m->gap.stream_lost, sizeof m->gap.stream_lost, "exec");
    text_set(m->gap.cause, sizeof m->gap.cause, "rollback");
    ck_assert_int_eq(store_add(store, RUN, m), OK);
    ck_assert_int_eq(commit(store, from_to(1, 40, 1, 10)), OK);
    ck_assert_int_eq(number_of(store, "SELECT COUNT(*) FROM fills"), 10);
}
END_TEST

START_TEST(a_partition_that_was_dropped_is_made_again)
{
    if (strcmp(sink, "postgres") != 0)
        return;
    ck_assert_int_eq(store_add(store, RUN, fill_at(1, 1)), OK);
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, 1)), OK);
    ck_assert_int_eq(
        number_of(store, "SELECT COUNT(*) FROM pg_inherits WHERE inhrelid = 'fills_19700101'::regclass"), 1);
    ck_assert_int_eq(number_of(store,
                               "SELECT COUNT(*) FROM pg_indexes WHERE tablename = 'fills_19700101' AND "
                               "schemaname = current_schema() AND indexdef LIKE '%brin (ts)%'"),
                     1);
    by_hand("DROP TABLE fills_19700101");
    /* What it believed of the partition is wrong once. */
    ck_assert_int_eq(store_add(store, RUN, fill_at(1, 2)), OK);
    ck_assert_int_lt(commit(store, from_to(1, 1, 1, 2)), 0);
    ck_assert_int_eq(store_add(store, RUN, fill_at(1, 2)), OK);
    ck_assert_int_eq(commit(store, from_to(1, 1, 1, 2)), OK);
    ck_assert_int_eq(number_of(store, "SELECT pos FROM fills"), 2);
}
END_TEST

START_TEST(a_day_whose_first_message_is_refused_is_there_for_the_next)
{
    refuse_t2();
    for (uint64_t pos = 2; pos <= 3; pos++) {
        fill_at(1, pos);
        m->env.time_out = 9 * DAY_NS;
        ck_assert_int_eq(store_add_apart(store, RUN, m), pos == 2 ? E_REFUSED : OK);
    }
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, 3)), OK);
    ck_assert_int_eq(number_of(store, "SELECT pos FROM fills"), 3);
}
END_TEST

START_TEST(a_check_added_by_hand_holds_for_the_days_to_come)
{
    refuse_t2();
    fill_at(1, 2);
    m->env.time_out = 5 * DAY_NS;
    int status = store_add(store, RUN, m);
    if (status == OK)
        status = commit(store, from_to(0, 0, 1, 2));
    ck_assert_int_lt(status, 0);
    fill_at(1, 3);
    m->env.time_out = 5 * DAY_NS;
    ck_assert_int_eq(store_add(store, RUN, m), OK);
    ck_assert_int_eq(commit(store, from_to(0, 0, 1, 3)), OK);
}
END_TEST

static void add_refused(TCase *c)
{
    tcase_add_test(c, a_refused_message_taken_apart_leaves_the_transaction_without_it);
    tcase_add_test(c, a_message_that_is_there_already_is_refused_apart_and_stays_once);
    tcase_add_test(c, a_refused_message_of_many_rows_leaves_none_of_them);
    tcase_add_test(c, a_refused_message_voids_a_batch_with_everything_in_it);
    tcase_add_test(c, a_rollback_gap_takes_refused_messages_with_it);
    tcase_add_test(c, rows_of_several_days_are_rolled_back_and_read_as_one_table);
    tcase_add_test(c, a_partition_that_was_dropped_is_made_again);
    tcase_add_test(c, a_day_whose_first_message_is_refused_is_there_for_the_next);
    tcase_add_test(c, a_check_added_by_hand_holds_for_the_days_to_come);
}

int main(void)
{
    return run_suites("store_refused", add_refused, NULL);
}
