/* What the JSON parser promises: the text as it was received, the whole document checked, no input that
 * crashes or is half believed. */
#include "lib/base/json.h"

#include <check.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/rng.h"
#include "lib/base/status.h"

static struct json *json;

static void begin(void)
{
    json = json_new();
    ck_assert_ptr_nonnull(json);
}

static void end(void)
{
    json_destroy(&json);
    ck_assert_ptr_null(json);
    json_destroy(&json);
}

static const struct json_node *parse(const char *text)
{
    int status = json_parse(json, text, strlen(text));
    ck_assert_msg(status == OK, "%s: %s", text, json_error(json));
    return json_root(json);
}

static const struct json_node *get(const struct json_node *object, const char *key)
{
    return json_get(json, object, key);
}

static void expect_text(const struct json_node *node, enum json_kind kind, const char *text)
{
    ck_assert_ptr_nonnull(node);
    ck_assert_int_eq(node->kind, kind);
    ck_assert_uint_eq(node->len, strlen(text));
    ck_assert_mem_eq(node->text, text, node->len);
}

static const char *depth_message =
    "{\"e\":\"depthUpdate\",\"E\":1723161253937,\"s\":\"BTCUSDT\",\"b\":[[\"61837.63000000\",\"0.10000000\"],"
    "[\"61837.00\",\"0\"]],\"a\":[],\"x\":{\"deep\":[true,false,null,-1.5e-3]}}";

START_TEST(members_are_found_and_texts_are_as_received)
{
    const struct json_node *root = parse(depth_message);
    ck_assert_uint_eq(root->size, 6);
    expect_text(get(root, "e"), JSON_STRING, "depthUpdate");
    expect_text(get(root, "E"), JSON_NUMBER, "1723161253937");
    ck_assert(json_is(get(root, "s"), "BTCUSDT"));
    ck_assert(!json_is(get(root, "s"), "BTCUSD"));
    ck_assert(!json_is(get(root, "E"), "1723161253937"));
    ck_assert_ptr_null(get(root, "S"));
    ck_assert_ptr_null(get(root, "deep"));
    ck_assert_ptr_null(get(NULL, "e"));
    ck_assert_ptr_null(get(get(root, "b"), "e"));
    expect_text(get(parse("{\"event\":1,\"e\":2,\"e\":3}"), "e"), JSON_NUMBER, "2");
    const struct json_node *deep = get(get(parse(depth_message), "x"), "deep");
    ck_assert_uint_eq(deep->size, 4);
    ck_assert_int_eq(deep[1].kind, JSON_TRUE);
    ck_assert_int_eq(deep[2].kind, JSON_FALSE);
    ck_assert_int_eq(deep[3].kind, JSON_NULL);
    expect_text(&deep[4], JSON_NUMBER, "-1.5e-3");
}
END_TEST

START_TEST(children_are_walked_in_document_order_over_whole_subtrees)
{
    const struct json_node *root = parse("[[1,[2]],{\"k\":[3]},\"4\"]");
    const struct json_node *a = json_first(json, root), *b = json_after(json, root, a);
    const struct json_node *c = json_after(json, root, b);
    ck_assert_int_eq(a->kind, JSON_ARRAY);
    ck_assert_int_eq(b->kind, JSON_OBJECT);
    expect_text(json_first(json, b), JSON_STRING, "k");
    expect_text(c, JSON_STRING, "4");
    ck_assert_ptr_null(json_after(json, root, c));
    ck_assert_ptr_null(json_first(json, c));
    ck_assert_ptr_null(json_first(json, parse("[]")));
    ck_assert_ptr_null(json_first(json, parse(" {\n} ")));
    ck_assert_ptr_null(json_first(json, NULL));
}
END_TEST

START_TEST(a_document_may_be_a_single_value_among_spaces)
{
    expect_text(parse(" \t\r\n 17 \n"), JSON_NUMBER, "17");
    expect_text(parse(" \"x y\" "), JSON_STRING, "x y");
    expect_text(parse("\"\""), JSON_STRING, "");
    ck_assert_int_eq(parse("null")->kind, JSON_NULL);
}
END_TEST

START_TEST(a_document_cut_anywhere_is_a_syntax_error)
{
    size_t len = strlen(depth_message);
    for (size_t cut = 0; cut < len; cut++) {
        ck_assert_msg(json_parse(json, depth_message, cut) == E_SYNTAX, "%zu", cut);
        ck_assert_str_ne(json_error(json), "");
        ck_assert_ptr_null(json_root(json));
    }
    parse(depth_message);
    ck_assert_str_eq(json_error(json), "");
}
END_TEST

START_TEST(what_is_not_json_is_refused)
{
    static const char *const broken[] = {"",
                                         " ",
                                         "{",
                                         "}",
                                         "]",
                                         "[",
                                         "[1,]",
                                         "[,1]",
                                         "[1 2]",
                                         "{\"a\"}",
                                         "{\"a\":}",
                                         "{a:1}",
                                         "{1:2}",
                                         "{\"a\":1,}",
                                         "{\"a\" 1}",
                                         "[1}",
                                         "{\"a\":1]",
                                         "1 2",
                                         "{}{}",
                                         "[1]]",
                                         "01",
                                         "-",
                                         "1.",
                                         ".5",
                                         "+1",
                                         "1e",
                                         "0x10",
                                         "12abc",
                                         "tru",
                                         "trueish",
                                         "nul",
                                         "None",
                                         "NaN",
                                         "\"a",
                                         "\"a\"b",
                                         "'a'",
                                         "[\"a\"1]",
                                         "[1\"a\"]",
                                         ",",
                                         ":",
                                         "{\"a\"::1}",
                                         "{,}",
                                         "[1,,2]",
                                         "\"\x01\"",
                                         "\"\xff\"",
                                         "[\"\xc3\"]",
                                         "true false",
                                         "\"a\n\"",
                                         "{\"a\":1 \"b\":2}",
                                         "[truefalse]",
                                         "\xef\xbb\xbf"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        ck_assert_msg(json_parse(json, broken[i], strlen(broken[i])) == E_SYNTAX, "%s", broken[i]);
    }
    ck_assert_int_eq(json_parse(json, "1\0", 2), E_SYNTAX);
    ck_assert_int_eq(json_parse(json, "\0", 1), E_SYNTAX);
    ck_assert_int_eq(json_parse(json, NULL, 0), E_SYNTAX);
}
END_TEST

START_TEST(an_error_says_where_what_was_expected_and_what_was_found)
{
    ck_assert_int_eq(json_parse(json, "{\"a\":1 \"b\":2}", 13), E_SYNTAX);
    ck_assert_str_eq(json_error(json), "byte 7: expected ',' or '}', found '\"b\":2}'");
    ck_assert_int_eq(json_parse(json, "[1,", 3), E_SYNTAX);
    ck_assert_ptr_nonnull(strstr(json_error(json), "the document ends"));
}
END_TEST

START_TEST(nesting_goes_to_32_and_no_deeper)
{
    char text[200001];
    for (int depth = 1; depth <= 40; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        ck_assert_int_eq(json_parse(json, text, 2 * (size_t)depth), depth <= 32 ? OK : E_SYNTAX);
    }
    memset(text, '[', sizeof text);
    ck_assert_int_eq(json_parse(json, text, sizeof text), E_SYNTAX);
}
END_TEST

START_TEST(any_damage_is_an_answer_not_a_crash)
{
    static const char bits[] = "{}[],:\"\\0123456789.eE+-tfn \n\x80\xff";
    struct rng rng;
    rng_seed(&rng, 2024);
    size_t len = strlen(depth_message);
    for (int i = 0; i < 20000; i++) {
        char text[256];
        memcpy(text, depth_message, len);
        for (uint64_t n = 1 + rng_below(&rng, 4); n > 0; n--) {
            text[rng_below(&rng, len)] = bits[rng_below(&rng, sizeof bits)];
        }
        int status = json_parse(json, text, len);
        ck_assert(status == OK || status == E_SYNTAX);
        const struct json_node *root = json_root(json);
        for (uint32_t k = 0; status == OK && k < root->next; k++) {
            char out[256];
            struct dec d;
            int64_t whole;
            ck_assert_uint_gt(root[k].next, k);
            json_unescape(&root[k], out, sizeof out);
            json_dec(&root[k], &d);
            json_i64(&root[k], &whole);
        }
    }
}
END_TEST

START_TEST(a_number_may_stand_in_quotes)
{
    const struct json_node *root =
        parse("{\"a\":\"61837.63000000\",\"b\":1.16539E8,\"c\":\"x\",\"d\":[1],\"e\":1E99}");
    struct dec v;
    ck_assert_int_eq(json_dec(get(root, "a"), &v), OK);
    ck_assert_int_eq(v.m, 6183763);
    ck_assert_int_eq(v.exp, -2);
    ck_assert_int_eq(json_dec(get(root, "b"), &v), OK);
    ck_assert_int_eq(v.m, 116539);
    ck_assert_int_eq(v.exp, 3);
    ck_assert_int_eq(json_dec(get(root, "c"), &v), E_SYNTAX);
    ck_assert_int_eq(json_dec(get(root, "d"), &v), E_TYPE);
    ck_assert_int_eq(json_dec(get(root, "e"), &v), E_RANGE);
    ck_assert_int_eq(json_dec(get(root, "z"), &v), E_ABSENT);
}
END_TEST

static int u64_of(const char *text, uint64_t *out)
{
    return json_u64(parse(text), out);
}

static int i64_of(const char *text, int64_t *out)
{
    return json_i64(parse(text), out);
}

START_TEST(whole_numbers_reach_to_the_ends_of_their_type)
{
    uint64_t u = 0;
    int64_t i = 0;
    ck_assert_int_eq(u64_of("18446744073709551615", &u), OK);
    ck_assert_uint_eq(u, UINT64_MAX);
    ck_assert_int_eq(u64_of("18446744073709551616", &u), E_RANGE);
    ck_assert_int_eq(u64_of("-1", &u), E_RANGE);
    ck_assert_int_eq(u64_of("-0", &u), OK);
    ck_assert_int_eq(i64_of("\"-9223372036854775808\"", &i), OK);
    ck_assert_int_eq(i, INT64_MIN);
    ck_assert_int_eq(i64_of("9223372036854775807", &i), OK);
    ck_assert_int_eq(i, INT64_MAX);
    ck_assert_int_eq(i64_of("9223372036854775808", &i), E_RANGE);
    ck_assert_int_eq(i64_of("-9223372036854775809", &i), E_RANGE);
}
END_TEST

START_TEST(a_whole_number_in_another_form_is_one_and_a_fraction_is_none)
{
    uint64_t u = 0;
    ck_assert_int_eq(u64_of("1.723161253937E12", &u), OK);
    ck_assert_uint_eq(u, 1723161253937);
    ck_assert_int_eq(u64_of("15.0", &u), OK);
    ck_assert_uint_eq(u, 15);
    ck_assert_int_eq(u64_of("1.5", &u), E_SYNTAX);
    ck_assert_int_eq(u64_of("\"\"", &u), E_SYNTAX);
    ck_assert_int_eq(u64_of("\"-\"", &u), E_SYNTAX);
    ck_assert_int_eq(u64_of("\"007\"", &u), E_SYNTAX);
    ck_assert_int_eq(u64_of("\"12x\"", &u), E_SYNTAX);
    ck_assert_int_eq(u64_of("true", &u), E_TYPE);
    ck_assert_int_eq(json_u64(NULL, &u), E_ABSENT);
}
END_TEST

static void expect_unescaped(const char *text, const char *expected)
{
    char out[64];
    const struct json_node *node = parse(text);
    int len = json_unescape(node, out, node->len);
    ck_assert_msg(len == (int)strlen(expected), "%s: %d", text, len);
    ck_assert_mem_eq(out, expected, (size_t)len);
}

START_TEST(every_escape_becomes_its_bytes)
{
    expect_unescaped("\"plain\"", "plain");
    expect_unescaped("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t");
    expect_unescaped("\"a\\u0041\\u00e9\\u20AC\"", "aA\xc3\xa9\xe2\x82\xac");
    expect_unescaped("\"\\ud83d\\uDE00!\"", "\xf0\x9f\x98\x80!");
    expect_unescaped("\"\\uffff\\ud7ff\\ue000\"", "\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80");
    expect_unescaped("\"{\\\"a\\\":\\\"b\\\"}\"", "{\"a\":\"b\"}");
    expect_unescaped("\"\\\\\"", "\\");
}
END_TEST

START_TEST(a_broken_escape_is_refused_when_asked_for)
{
    static const char *const broken[] = {
        "\"\\x\"",         "\"\\u12\"",          "\"\\u12g4\"", "\"\\ud83d\"",        "\"\\ud83dx\"",
        "\"\\ud83d\\n\"",  "\"\\ud83d\\u0041\"", "\"\\ude00\"", "\"\\ud83d\\ud83d\"", "\"\\ude00\\ude00\"",
        "\"\\ud83d\\u12\""};
    char out[64];
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        ck_assert_msg(json_unescape(parse(broken[i]), out, sizeof out) == E_SYNTAX, "%s", broken[i]);
    }
    ck_assert_int_eq(json_unescape(parse("12"), out, sizeof out), E_TYPE);
    ck_assert_int_eq(json_unescape(NULL, out, sizeof out), E_ABSENT);
    ck_assert_int_eq(json_unescape(parse("\"abc\""), out, 2), E_RANGE);
    ck_assert_int_eq(json_unescape(parse("\"a\\u20ac\""), out, 3), E_RANGE);
}
END_TEST

START_TEST(a_text_field_takes_what_fits)
{
    char field[8];
    memset(field, 'x', sizeof field);
    ck_assert_int_eq(json_text(parse("\"BTC\""), field, sizeof field), OK);
    ck_assert_mem_eq(field, "BTC\0\0\0\0\0", sizeof field);
    ck_assert_int_eq(json_text(parse("\"1234567\""), field, sizeof field), OK);
    ck_assert_int_eq(json_text(parse("\"12345678\""), field, sizeof field), E_RANGE);
    ck_assert_int_eq(json_text(parse("\"a\\n\""), field, sizeof field), E_SYNTAX);
    ck_assert_int_eq(json_text(parse("1"), field, sizeof field), E_TYPE);
    ck_assert_int_eq(json_text(NULL, field, sizeof field), E_ABSENT);
}
END_TEST

START_TEST(a_document_larger_than_the_buffers_is_read_and_the_next_small_one_too)
{
    enum { ELEMENTS = 200000 };
    char *text = malloc(ELEMENTS * 8 + 3);
    size_t len = 0;
    text[len++] = '[';
    for (int i = 0; i < ELEMENTS; i++) {
        len += (size_t)sprintf(text + len, "%s%d", i > 0 ? "," : "", i);
    }
    text[len++] = ']';
    ck_assert_int_eq(json_parse(json, text, len), OK);
    const struct json_node *root = json_root(json);
    ck_assert_uint_eq(root->size, ELEMENTS);
    expect_text(&root[ELEMENTS], JSON_NUMBER, "199999");
    free(text);
    ck_assert_uint_eq(parse(depth_message)->size, 6);
}
END_TEST

START_TEST(a_warm_parser_allocates_nothing)
{
    parse(depth_message);
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < 1000; i++) {
        parse(depth_message);
    }
    struct mallinfo2 after = mallinfo2();
    ck_assert_uint_eq(before.uordblks, after.uordblks);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *promises = tcase_create("promises");
    tcase_add_checked_fixture(promises, begin, end);
    tcase_add_test(promises, members_are_found_and_texts_are_as_received);
    tcase_add_test(promises, children_are_walked_in_document_order_over_whole_subtrees);
    tcase_add_test(promises, a_document_may_be_a_single_value_among_spaces);
    tcase_add_test(promises, a_document_cut_anywhere_is_a_syntax_error);
    tcase_add_test(promises, what_is_not_json_is_refused);
    tcase_add_test(promises, an_error_says_where_what_was_expected_and_what_was_found);
    tcase_add_test(promises, nesting_goes_to_32_and_no_deeper);
    tcase_add_test(promises, any_damage_is_an_answer_not_a_crash);
    tcase_add_test(promises, a_number_may_stand_in_quotes);
    tcase_add_test(promises, whole_numbers_reach_to_the_ends_of_their_type);
    tcase_add_test(promises, a_whole_number_in_another_form_is_one_and_a_fraction_is_none);
    tcase_add_test(promises, every_escape_becomes_its_bytes);
    tcase_add_test(promises, a_broken_escape_is_refused_when_asked_for);
    tcase_add_test(promises, a_text_field_takes_what_fits);
    tcase_add_test(promises, a_document_larger_than_the_buffers_is_read_and_the_next_small_one_too);
    tcase_add_test(promises, a_warm_parser_allocates_nothing);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
