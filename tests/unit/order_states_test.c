/* What the table of an order's states promises. */
#include "services/exec/order_states.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"

static const enum order_state states[] = {
    ORDER_PENDING_NEW, ORDER_NEW,      ORDER_PARTIALLY_FILLED, ORDER_FILLED, ORDER_PENDING_CANCEL,
    ORDER_CANCELED,    ORDER_REJECTED, ORDER_EXPIRED,          ORDER_DENIED, ORDER_UNKNOWN};
enum { STATES = sizeof states / sizeof *states };

START_TEST(a_terminal_order_stays_terminal_unless_it_was_given_up_and_is_found)
{
    for (int s = 0; s < STATES; s++) {
        for (int e = 0; e < EVENT_COUNT; e++) {
            int to = order_after(states[s], (enum order_event)e);
            if (e == EVENT_FOUND)
                ck_assert_int_eq(to, states[s] == ORDER_REJECTED ? (int)ORDER_NEW : E_ABSENT);
            else if (order_is_terminal(states[s]) && to >= 0)
                ck_assert_msg(order_is_terminal((enum order_state)to), "%s %s", order_state_text(states[s]),
                              order_event_text((enum order_event)e));
        }
    }
}
END_TEST

START_TEST(a_fill_is_taken_in_every_state)
{
    for (int s = 0; s < STATES; s++) {
        ck_assert_int_ge(order_after(states[s], EVENT_FILL_PART), 0);
        int last = order_after(states[s], EVENT_FILL_LAST);
        ck_assert_int_eq(last, ORDER_FILLED);
    }
}
END_TEST

START_TEST(only_an_order_asked_for_can_be_not_found)
{
    for (int s = 0; s < STATES; s++) {
        int to = order_after(states[s], EVENT_NOT_FOUND);
        ck_assert_int_eq(to, states[s] == ORDER_UNKNOWN ? (int)ORDER_REJECTED : E_ABSENT);
    }
}
END_TEST

START_TEST(every_open_order_can_be_asked_for_and_can_end)
{
    for (int s = 0; s < STATES; s++) {
        bool open = !order_is_terminal(states[s]);
        ck_assert_int_eq(order_after(states[s], EVENT_ASK), open ? (int)ORDER_UNKNOWN : E_ABSENT);
        ck_assert_int_eq(order_after(states[s], EVENT_DONE), open ? (int)ORDER_CANCELED : E_ABSENT);
    }
}
END_TEST

START_TEST(a_late_ack_changes_nothing)
{
    ck_assert_int_eq(order_after(ORDER_PENDING_NEW, EVENT_ACK), ORDER_NEW);
    ck_assert_int_eq(order_after(ORDER_PARTIALLY_FILLED, EVENT_ACK), E_ABSENT);
    ck_assert_int_eq(order_after(ORDER_FILLED, EVENT_ACK), E_ABSENT);
    ck_assert_int_eq(order_after(ORDER_CANCELED, EVENT_ACK), E_ABSENT);
}
END_TEST

START_TEST(the_table_prints_each_transition_once)
{
    char *text = NULL, *line;
    size_t len;
    int lines = 0;
    FILE *out = open_memstream(&text, &len);
    order_states_print(out);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_ptr_nonnull(strstr(text, "PendingNew ack New\n"));
    ck_assert_ptr_nonnull(strstr(text, "Unknown not-found Rejected\n"));
    for (char *rest = text; (line = strsep(&rest, "\n")) != NULL && *line;) {
        lines++;
        ck_assert_ptr_null(rest ? strstr(rest, line) : NULL);
    }
    int listed = 0;
    for (int s = 0; s < STATES; s++) {
        for (int e = 0; e < EVENT_COUNT; e++)
            listed += order_after(states[s], (enum order_event)e) >= 0;
    }
    ck_assert_int_eq(lines, listed);
    free(text);
}
END_TEST

int main(void)
{
    TCase *promises = tcase_create("promises");
    tcase_add_test(promises, a_terminal_order_stays_terminal_unless_it_was_given_up_and_is_found);
    tcase_add_test(promises, a_fill_is_taken_in_every_state);
    tcase_add_test(promises, only_an_order_asked_for_can_be_not_found);
    tcase_add_test(promises, every_open_order_can_be_asked_for_and_can_end);
    tcase_add_test(promises, a_late_ack_changes_nothing);
    tcase_add_test(promises, the_table_prints_each_transition_once);
    Suite *suite = suite_create("order states");
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
