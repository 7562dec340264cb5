/* What the JSON form promises: one object on one line, exact decimals, and never a byte outside its buffer.
 */
#include "proto/json_form.h"
#include "proto/samples.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct message m;
static char json[JSON_FORM_MAX];

START_TEST(a_book_prints_its_levels_as_pairs_of_exact_decimals)
{
    message_init(&m, MSG_BOOK);
    strcpy(m.env.stream, "market");
    m.env.epoch = 3;
    m.env.seq = 12;
    m.env.time_out = 1723104000123456789;
    strcpy(m.book.symbol, "BTC-USDT");
    strcpy(m.book.venue, "binance");
    m.book.state = BOOK_LIVE;
    m.book.price_exp = -2;
    m.book.qty_exp = -5;
    m.book.n_bids = 2;
    m.book.bids[0] = (struct level){6183763, 50000};
    m.book.bids[1] = (struct level){6183700, 1};
    m.book.n_asks = 1;
    m.book.asks[0] = (struct level){INT64_MAX, 1200000};
    size_t len = json_form(&m, json, sizeof(json));
    ck_assert_uint_eq(len, strlen(json));
    ck_assert_str_eq(
        json, "{\"type\":\"book\",\"env\":{\"stream\":\"market\",\"epoch\":3,\"seq\":12,\"pos\":0,"
              "\"time_out\":1723104000123456789},\"body\":{\"symbol\":\"BTC-USDT\",\"venue\":\"binance\","
              "\"state\":\"LIVE\",\"reason\":\"none\",\"venue_seq\":0,\"venue_time\":0,\"recv_time\":0,"
              "\"recv_mono\":0,\"price_exp\":-2,\"qty_exp\":-5,\"bids\":[[\"61837.63\",\"0.5\"],"
              "[\"61837\",\"0.00001\"]],\"asks\":[[\"92233720368547758.07\",\"12\"]]}}");
}
END_TEST

START_TEST(a_trace_prints_the_stamps_that_are_set)
{
    message_init(&m, MSG_PACE);
    m.env.trace.recv_mono = 5;
    m.env.trace.boot_id = UINT64_MAX;
    m.env.trace.hop[HOP_RISK_IN] = 9;
    json_form(&m, json, sizeof(json));
    ck_assert_ptr_nonnull(strstr(
        json, "\"time_out\":0,\"trace\":{\"recv_mono\":5,\"boot_id\":18446744073709551615,\"risk_in\":9}},"));
    memset(&m.env.trace, 0, sizeof(m.env.trace));
    json_form(&m, json, sizeof(json));
    ck_assert_ptr_null(strstr(json, "trace"));
}
END_TEST

START_TEST(records_print_as_objects_with_their_own_exponents)
{
    message_init(&m, MSG_INTENT);
    m.intent.slippage_bps = (struct dec){25, -1};
    m.intent.n_legs = 2;
    for (int i = 0; i < 2; i++)
        m.intent.legs[i] = (struct intent_leg){
            .side = SIDE_BUY, .price_exp = (int8_t)(-1 - i), .qty_exp = -3, .price = 1234, .qty = 1500};
    json_form(&m, json, sizeof(json));
    ck_assert_ptr_nonnull(strstr(json, "\"slippage_bps\":\"2.5\""));
    ck_assert_ptr_nonnull(strstr(json, "\"price\":\"123.4\",\"qty\":\"1.5\""));
    ck_assert_ptr_nonnull(strstr(json, "\"price\":\"12.34\",\"qty\":\"1.5\""));
}
END_TEST

START_TEST(texts_are_escaped_so_that_the_line_stays_one_line)
{
    message_init(&m, MSG_ADJUST);
    strcpy(m.adjust.cause, "a \"b\" \\ \n \x01 \xe2\x82\xa9");
    m.adjust.amount = -(money)12500000000000000000u;
    json_form(&m, json, sizeof(json));
    ck_assert_ptr_nonnull(strstr(json, "\"cause\":\"a \\\"b\\\" \\\\ \\u000a \\u0001 \xe2\x82\xa9\""));
    ck_assert_ptr_nonnull(strstr(json, "\"amount\":\"-12.5\""));
    ck_assert_ptr_null(strchr(json, '\n'));
}
END_TEST

START_TEST(a_line_that_does_not_fit_is_no_line)
{
    for (const struct message_kind *const *k = message_kinds(); *k; k++) {
        sample_message(&m, (enum message_type)(*k)->type, SAMPLE_PLAIN);
        size_t len = json_form(&m, json, sizeof(json));
        ck_assert_uint_gt(len, 0);
        char *exact = malloc(len + 1);
        ck_assert_uint_eq(json_form(&m, exact, len + 1), len);
        ck_assert_str_eq(exact, json);
        free(exact);
        for (size_t cap = 0; cap <= len; cap += 1 + cap / 7) {
            char *less = malloc(cap + 1);
            less[cap] = 'x';
            ck_assert_uint_eq(json_form(&m, less, cap), 0);
            ck_assert_int_eq(less[cap], 'x');
            free(less);
        }
    }
    m.env.type = MESSAGE_TYPE_MAX;
    ck_assert_uint_eq(json_form(&m, json, sizeof(json)), 0);
}
END_TEST

START_TEST(one_field_prints_as_in_json_but_without_quotes)
{
    char text[64];
    const struct record_kind *fill = message_kind(MSG_FILL)->body;
    message_init(&m, MSG_FILL);
    m.fill.price_exp = -2;
    m.fill.qty_exp = 1;
    m.fill.price = -150;
    m.fill.qty = 7;
    m.fill.side = SIDE_SELL;
    m.fill.fee = (struct dec){1000, -6};
    strcpy(m.fill.symbol, "BTC-USDT");
    struct exponents exps = record_exponents(fill, &m.fill, (struct exponents){9, 9});
    ck_assert_int_eq(exps.price, -2);
    ck_assert_int_eq(exps.qty, 1);
    const char *const rows[][2] = {{"price", "-1.5"},  {"qty", "70"},          {"side", "sell"},
                                   {"fee", "0.001"},   {"symbol", "BTC-USDT"}, {"leg", "0"},
                                   {"price_exp", "-2"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = field_text(record_field(fill, rows[i][0]), &m.fill, exps, text, sizeof(text));
        ck_assert_str_eq(text, rows[i][1]);
        ck_assert_uint_eq(len, strlen(rows[i][1]));
    }
    ck_assert_uint_eq(field_text(record_field(fill, "symbol"), &m.fill, exps, text, 8), 0);
    ck_assert_str_eq(text, "");
    const struct record_kind *level = record_field(message_kind(MSG_BOOK)->body, "bids")->record;
    exps = record_exponents(level, &(struct level){1, 2}, (struct exponents){-3, 4});
    ck_assert(exps.price == -3 && exps.qty == 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_form");
    TCase *promises = tcase_create("promises");
    tcase_add_test(promises, a_book_prints_its_levels_as_pairs_of_exact_decimals);
    tcase_add_test(promises, a_trace_prints_the_stamps_that_are_set);
    tcase_add_test(promises, records_print_as_objects_with_their_own_exponents);
    tcase_add_test(promises, texts_are_escaped_so_that_the_line_stays_one_line);
    tcase_add_test(promises, a_line_that_does_not_fit_is_no_line);
    tcase_add_test(promises, one_field_prints_as_in_json_but_without_quotes);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
