/* What topics promise: a prefix that ends in a dot is one name, and never half of another. */
#include "proto/samples.h"
#include "proto/topic.h"

#include <check.h>
#include <string.h>

static struct message m;
static char topic[TOPIC_MAX];

static const char *topic_for(enum message_type type)
{
    sample_message(&m, type, SAMPLE_PLAIN);
    size_t len = topic_of(&m, topic);
    ck_assert_uint_eq(len, strlen(topic));
    return topic;
}

START_TEST(market_data_goes_by_kind_symbol_and_venue)
{
    sample_message(&m, MSG_BOOK, SAMPLE_PLAIN);
    strcpy(m.book.symbol, "BTC-USDT");
    strcpy(m.book.venue, "binance");
    ck_assert_uint_eq(topic_of(&m, topic), 22);
    ck_assert_str_eq(topic, "book.BTC-USDT.binance.");
    ck_assert_str_eq(topic_for(MSG_INST), "inst.symbol-1.venue-2.");
    ck_assert_str_eq(topic_for(MSG_BBO), "bbo.symbol-1.venue-2.");
    ck_assert_str_eq(topic_for(MSG_TRADE), "trade.symbol-1.venue-2.");
    ck_assert_str_eq(topic_for(MSG_VENUE), "venue.venue-1.");
    ck_assert_str_eq(topic_for(MSG_BEAT), "beat.source-1.");
    ck_assert_str_eq(topic_for(MSG_PACE), "pace.");
}
END_TEST

START_TEST(ledger_records_go_by_what_others_follow_them_by)
{
    static const struct {
        enum message_type type;
        const char *prefix;
    } rows[] = {{MSG_DECISION, "decision.route-"},
                {MSG_ASSIGN, "assign.route-"},
                {MSG_ROUTE, "route.route-"},
                {MSG_LIMITS, "limits."},
                {MSG_STATE, "state."},
                {MSG_ORDER, "order.route-"},
                {MSG_FILL, "fill.route-"},
                {MSG_BASKET, "basket.route-"},
                {MSG_BALANCE, "balance.venue-"},
                {MSG_ADJUST, "adjust.venue-"},
                {MSG_EPOCH, "epoch."},
                {MSG_GAP, "gap.stream_l-"},
                {MSG_POSITION, "position.symbol-"},
                {MSG_SESSION, "session.who-"},
                {MSG_INTENT, "intent.route-"},
                {MSG_HELLO, "hello.worker-"},
                {MSG_STORED, "stored.reader-"},
                {MSG_REPLY, "reply.service-"},
                {MSG_REQUEST, "request."}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        topic_for(rows[i].type);
        ck_assert_msg(strncmp(topic, rows[i].prefix, strlen(rows[i].prefix)) == 0, "%s, expected %s", topic,
                      rows[i].prefix);
        ck_assert_int_eq(topic[strlen(topic) - 1], '.');
    }
}
END_TEST

START_TEST(every_topic_fits_and_ends_in_a_dot_whatever_the_names)
{
    for (const struct message_kind *const *k = message_kinds(); *k; k++) {
        sample_message(&m, (enum message_type)(*k)->type, SAMPLE_MOST);
        size_t len = topic_of(&m, topic);
        ck_assert_uint_gt(len, 0);
        ck_assert_uint_lt(len, TOPIC_MAX);
        ck_assert_int_eq(topic[len - 1], '.');
        ck_assert_uint_eq(strlen(topic), len);
    }
}
END_TEST

START_TEST(a_dot_in_a_name_does_not_end_it)
{
    sample_message(&m, MSG_BOOK, SAMPLE_PLAIN);
    strcpy(m.book.symbol, "BTC.X");
    strcpy(m.book.venue, "v");
    topic_of(&m, topic);
    ck_assert_str_eq(topic, "book.BTC_X.v.");
    ck_assert_uint_eq(topic_make("book", "BTC.X", "v", topic), 13);
    ck_assert_str_eq(topic, "book.BTC_X.v.");
}
END_TEST

START_TEST(a_subscription_leaves_out_what_is_not_given)
{
    char made[TOPIC_MAX];
    ck_assert_uint_eq(topic_make("book", NULL, NULL, made), 5);
    ck_assert_str_eq(made, "book.");
    ck_assert_uint_eq(topic_make("book", "BTC-USDT", NULL, made), 14);
    ck_assert_str_eq(made, "book.BTC-USDT.");
    ck_assert_uint_eq(topic_make("book", NULL, "binance", made), 5);
    ck_assert_str_eq(made, "book.");
    sample_message(&m, MSG_BOOK, SAMPLE_PLAIN);
    strcpy(m.book.symbol, "BTC-USDT-PERP");
    topic_of(&m, topic);
    topic_make("book", "BTC-USDT", NULL, made);
    ck_assert_int_ne(strncmp(topic, made, strlen(made)), 0);
}
END_TEST

START_TEST(a_name_longer_than_any_makes_a_topic_within_bounds)
{
    char name[200];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    size_t len = topic_make("book", name, name, topic);
    ck_assert_uint_lt(len, TOPIC_MAX);
    ck_assert_uint_eq(len, strlen(topic));
    m.env.type = MESSAGE_TYPE_MAX;
    ck_assert_uint_eq(topic_of(&m, topic), 0);
    ck_assert_str_eq(topic, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("topic");
    TCase *promises = tcase_create("promises");
    tcase_add_test(promises, market_data_goes_by_kind_symbol_and_venue);
    tcase_add_test(promises, ledger_records_go_by_what_others_follow_them_by);
    tcase_add_test(promises, every_topic_fits_and_ends_in_a_dot_whatever_the_names);
    tcase_add_test(promises, a_dot_in_a_name_does_not_end_it);
    tcase_add_test(promises, a_subscription_leaves_out_what_is_not_given);
    tcase_add_test(promises, a_name_longer_than_any_makes_a_topic_within_bounds);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
