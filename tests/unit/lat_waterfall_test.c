/* Each span is counted where its stamps are, in its groups, and sums are of whole ways only. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"
#include "tools/lat_waterfall.h"

static struct waterfall *w;
static char text[1 << 20];

static void setup(void)
{
    w = waterfall_new(BY_ROUTE);
    ck_assert_ptr_nonnull(w);
    w->source = "live";
}

static void teardown(void)
{
    waterfall_destroy(&w);
    ck_assert_ptr_null(w);
}

/* Receipt at 1000; hops take 1, 2, 4, ... 128. */
static struct trace whole(void)
{
    struct trace t = {.recv_mono = 1000, .boot_id = 1};
    for (int hop = 0, at = 1000; hop < HOP_COUNT; hop++)
        t.hop[hop] = at += 1 << hop;
    return t;
}

static uint64_t n_of(const struct lat_group *g, enum span span)
{
    return g->spans[span].count;
}

static int64_t max_of(const struct lat_group *g, enum span span)
{
    return g->spans[span].max;
}

START_TEST(each_hop_is_counted_by_the_record_that_tells_it)
{
    struct trace t = whole();
    struct lat_group *g = w->groups[0];
    group_decision(g, &t);
    for (int span = SPAN_TICK_TO_FEED_OUT; span <= SPAN_RISK_IN_TO_OUT; span++) {
        ck_assert_uint_eq(n_of(g, (enum span)span), 1);
        ck_assert_int_eq(max_of(g, (enum span)span), 1 << span);
    }
    ck_assert_uint_eq(n_of(g, SPAN_RISK_OUT_TO_EXEC_IN), 0);
    ck_assert_int_eq(max_of(g, SPAN_TICK_TO_DECISION), 31);
    group_order(g, &t);
    ck_assert_uint_eq(n_of(g, SPAN_TICK_TO_FEED_OUT), 1);
    ck_assert_int_eq(max_of(g, SPAN_RISK_OUT_TO_EXEC_IN), 32);
    ck_assert_int_eq(max_of(g, SPAN_EXEC_IN_TO_ORDER_SENT), 64);
    ck_assert_int_eq(max_of(g, SPAN_TICK_TO_ORDER), 127);
    ck_assert_int_eq(max_of(g, SPAN_IN_PROCESS), 1 + 4 + 16 + 64);
    ck_assert_int_eq(max_of(g, SPAN_IN_TRANSPORT), 2 + 8 + 32);
    group_fill(g, &t, 100);
    ck_assert_int_eq(max_of(g, SPAN_ORDER_SENT_TO_FILL), 128);
    ck_assert_int_eq(max_of(g, SPAN_TICK_TO_FILL), 255);
    ck_assert_int_eq(max_of(g, SPAN_TICK_TO_FILL_LESS_PAPER), 155);
    group_fill(g, &t, -1); /* the market's time is not ours */
    ck_assert_uint_eq(n_of(g, SPAN_TICK_TO_FILL_LESS_PAPER), 1);
}
END_TEST

START_TEST(without_a_tick_the_hops_behind_it_count_and_no_total_does)
{
    struct trace t = whole();
    struct lat_group *g = w->groups[0];
    t.recv_mono = t.hop[HOP_FEED_OUT] = 0;
    group_decision(g, &t);
    group_order(g, &t);
    group_fill(g, &t, 0);
    ck_assert_uint_eq(n_of(g, SPAN_STRATEGY_IN_TO_OUT), 1);
    ck_assert_uint_eq(n_of(g, SPAN_EXEC_IN_TO_ORDER_SENT), 1);
    ck_assert_uint_eq(n_of(g, SPAN_FEED_OUT_TO_STRATEGY_IN), 0);
    const enum span none[] = {SPAN_TICK_TO_DECISION, SPAN_TICK_TO_ORDER, SPAN_TICK_TO_FILL,
                              SPAN_IN_PROCESS,       SPAN_IN_TRANSPORT,  SPAN_TICK_TO_FILL_LESS_PAPER};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        ck_assert_uint_eq(n_of(g, none[i]), 0);
}
END_TEST

START_TEST(groups_are_made_once_and_those_beyond_the_last_are_together)
{
    char name[32];
    ck_assert_ptr_null(waterfall_group(w, ""));
    ck_assert_ptr_null(waterfall_group(w, NULL));
    ck_assert_ptr_eq(waterfall_group(w, "r1"), waterfall_group(w, "r1"));
    for (int i = 0; i < LAT_GROUPS_MAX + 10; i++) {
        (void)snprintf(name, sizeof name, "route-%d", i);
        ck_assert_ptr_nonnull(waterfall_group(w, name));
    }
    ck_assert_int_eq(w->n_groups, LAT_GROUPS_MAX);
    ck_assert_str_eq(w->groups[LAT_GROUPS_MAX - 1]->name, "(others)");
    ck_assert_ptr_eq(waterfall_group(w, "another"), w->groups[LAT_GROUPS_MAX - 1]);
}
END_TEST

static void write_into_text(void (*write)(const struct waterfall *, FILE *))
{
    FILE *out = fmemopen(text, sizeof text, "w");
    write(w, out);
    fclose(out);
}

START_TEST(the_table_and_the_json_tell_kinds_counts_and_what_is_left_out)
{
    struct trace t = whole();
    group_decision(w->groups[0], &t);
    group_order(waterfall_group(w, "a\"b"), &t);
    w->decisions = 1;
    w->other_boot = 3;
    w->without_tick = 4;
    w->later_attempts = 5;
    write_into_text(waterfall_write_text);
    ck_assert_ptr_nonnull(strstr(text, "process    strategy_in_to_out"));
    ck_assert_ptr_nonnull(strstr(text, "transport  strategy_out_to_risk_in"));
    ck_assert_ptr_nonnull(strstr(text, "3 records have stamps of another boot"));
    ck_assert_ptr_nonnull(strstr(text, "4 decisions were caused by no tick"));
    ck_assert_ptr_nonnull(strstr(text, "5 orders completed or unwound"));
    write_into_text(waterfall_write_json);
    ck_assert_ptr_nonnull(strstr(text, "\"strategy_in_to_out\":{\"kind\":\"process\",\"n\":1,\"p50_ns\":4,"));
    ck_assert_ptr_nonnull(strstr(text, "{\"name\":\"a\\\"b\",\"spans\":{\"risk_out_to_exec_in\""));
    ck_assert_ptr_nonnull(strstr(text, "\"other_boot\":3,"));
}
END_TEST

START_TEST(the_drawing_shows_each_group_that_has_hops)
{
    char path[] = "/tmp/lat_waterfall_test_XXXXXX";
    struct trace t = whole();
    int fd = mkstemp(path);
    ck_assert_int_eq(waterfall_write_svg(w, path), OK); /* of nothing */
    group_decision(w->groups[0], &t);
    group_order(w->groups[0], &t);
    group_order(waterfall_group(w, "route & one"), &t);
    ck_assert_ptr_nonnull(waterfall_group(w, "quiet"));
    ck_assert_int_eq(waterfall_write_svg(w, path), OK);
    FILE *in = fdopen(fd, "r");
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    remove(path);
    ck_assert_ptr_nonnull(strstr(text, ">route &amp; one: tick to order"));
    ck_assert_ptr_nonnull(strstr(text, "strategy_in_to_out (process): p50 0.0 us"));
    ck_assert_ptr_null(strstr(text, "quiet"));
    ck_assert_int_eq(waterfall_write_svg(w, "/nonexistent/x.svg"), E_IO);
    ck_assert_int_eq(waterfall_write_svg(w, "/dev/full"), E_IO);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lat_waterfall");
    TCase *promises = tcase_create("promises");
    tcase_add_checked_fixture(promises, setup, teardown);
    tcase_add_test(promises, each_hop_is_counted_by_the_record_that_tells_it);
    tcase_add_test(promises, without_a_tick_the_hops_behind_it_count_and_no_total_does);
    tcase_add_test(promises, groups_are_made_once_and_those_beyond_the_last_are_together);
    tcase_add_test(promises, the_table_and_the_json_tell_kinds_counts_and_what_is_left_out);
    tcase_add_test(promises, the_drawing_shows_each_group_that_has_hops);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
