/* Configuration: strict reading, errors that say where and what, and settings that survive being written. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/runtime/config.h"

static struct config config, other;
static char error[CONFIG_ERROR_MAX];

static void setup(void)
{
    memset(&config, 0xaa, sizeof config);
    config_defaults(&config);
}

static int load(const char *text)
{
    return config_load_text(&config, "x.yaml", text, strlen(text), error);
}

static money amount(const char *text)
{
    money out = 0;
    ck_assert(money_parse(text, strlen(text), &out));
    return out;
}

START_TEST(defaults_are_those_of_the_dictionary)
{
    ck_assert_str_eq(config.run.mode, "paper");
    ck_assert_int_eq(config.feed.depth, 20);
    ck_assert_str_eq(config.feed.speed, "1");
    ck_assert(config.risk.max_gross == amount("100000"));
    ck_assert_int_eq(config.arb.slippage_bps.m, 5);
    ck_assert_str_eq(config.feed.instruments, "");
    ck_assert_uint_eq(config.n_routes, 0);
}
END_TEST

START_TEST(a_file_overrides_what_it_names_and_nothing_else)
{
    ck_assert_int_eq(load("feed:\n  depth: 5\n  speed: max\nrisk: {max_gross: 0.000000000000000001}\n"
                          "arb:\n  min_edge_bps: -2.50\n  policy: park\nsim:\n"),
                     OK);
    ck_assert_str_eq(error, "");
    ck_assert_int_eq(config.feed.depth, 5);
    ck_assert_str_eq(config.feed.speed, "max");
    ck_assert(config.risk.max_gross == 1);
    ck_assert_int_eq(config.arb.min_edge_bps.m, -25);
    ck_assert_int_eq(config.arb.min_edge_bps.exp, -1);
    ck_assert_str_eq(config.arb.policy, "park");
    ck_assert_int_eq(config.sim.symbols, 10);
    ck_assert_int_eq(config.feed.silence_ms, 30000);
}
END_TEST

START_TEST(a_list_in_a_file_replaces_the_whole_list)
{
    ck_assert_int_eq(load("fees:\n  - {venue: a, taker_bps: 1}\n  - {venue: b, taker_bps: 2}\n"), OK);
    ck_assert_uint_eq(config.n_fees, 2);
    ck_assert_int_eq(load("fees: [{taker_bps: 3}]"), OK);
    ck_assert_uint_eq(config.n_fees, 1);
    ck_assert_str_eq(config.fees[0].venue, "*");
    ck_assert_int_eq(config.fees[0].taker_bps.m, 3);
    ck_assert_int_eq(load("fees:\n"), OK);
    ck_assert_uint_eq(config.n_fees, 1);
    ck_assert_int_eq(load("fees: []\n"), OK);
    ck_assert_uint_eq(config.n_fees, 0);
}
END_TEST

START_TEST(anchors_and_empty_files_are_understood)
{
    ck_assert_int_eq(load(""), OK);
    ck_assert_int_eq(load("# nothing\n---\n"), OK);
    ck_assert_int_eq(load("risk:\n  max_position: &limit 7\n  max_notional: *limit\n"), OK);
    ck_assert(config.risk.max_notional == amount("7"));
}
END_TEST

static const struct {
    const char *text;
    int status;
    const char *error;
} refused[] = {
    {"risk:\n\n  max_grosss: 1\n", E_ABSENT,
     "x.yaml:3: risk.max_grosss: unknown key; did you mean max_gross?"},
    {"exec:\n  zzzzzzzzzzzz: 1\n", E_ABSENT, "x.yaml:2: exec.zzzzzzzzzzzz: unknown key; known: sync_before_send, max_attempts"},
    {"rsk:\n  max_gross: 1\n", E_ABSENT, "x.yaml:1: rsk: unknown section; did you mean risk?"},
    {"feed:\n  depth: 900\n", E_RANGE, "x.yaml:2: feed.depth: 900 is out of bounds; expected 1 to 50"},
    {"feed:\n  depth: 99999999999999999999\n", E_RANGE,
     "x.yaml:2: feed.depth: 99999999999999999999 is out of bounds; expected 1 to 50"},
    {"feed:\n  depth: 5.5\n", E_SYNTAX,
     "x.yaml:2: feed.depth: 5.5 is not a whole number; expected a whole number, 1 to 50"},
    {"arb:\n  policy: finish\n", E_RANGE,
     "x.yaml:2: arb.policy: \"finish\" is not one of complete|unwind|park"},
    {"arb:\n  policy: park|unwind\n", E_RANGE,
     "x.yaml:2: arb.policy: \"park|unwind\" is not one of complete|unwind|park"},
    {"arb:\n  min_edge_bps: 1,5\n", E_SYNTAX,
     "x.yaml:2: arb.min_edge_bps: \"1,5\" is not a number; expected a number such as 1 or 2.5"},
    {"arb:\n  min_edge_bps: 1.00000000000000000001\n", E_RANGE,
     "x.yaml:2: arb.min_edge_bps: 1.00000000000000000001 has too many digits; expected a number such as 1 or "
     "2.5"},
    {"risk:\n  max_gross: abc\n", E_SYNTAX,
     "x.yaml:2: risk.max_gross: \"abc\" is not an amount; expected an amount such as 1000 or 0.5"},
    {"risk:\n  max_gross: -1\n", E_RANGE,
     "x.yaml:2: risk.max_gross: -1 is below 0; expected an amount such as 1000 or 0.5"},
    {"run:\n  account: aaaaaaaaaaaaaaaa\n", E_RANGE,
     "x.yaml:2: run.account: \"aaaaaaaaaaaaaaaa\" is too long; expected at most 15 bytes"},
    {"run:\n  account: \"a\\0b\"\n", E_SYNTAX,
     "x.yaml:2: run.account: \"a?b\" is not text; expected UTF-8 without NUL bytes"},
    {"run:\n  account: a b\n", E_RANGE,
     "x.yaml:2: run.account: \"a b\" is not valid; expected letters, digits, _ and -"},
    {"feed:\n  speed: fast\n", E_RANGE,
     "x.yaml:2: feed.speed: \"fast\" is not valid; expected max, or a positive number up to 100000"},
    {"feed:\n  speed: 0\n", E_RANGE,
     "x.yaml:2: feed.speed: 0 is not valid; expected max, or a positive number up to 100000"},
    {"feed:\n  speed: 100000.1\n", E_RANGE,
     "x.yaml:2: feed.speed: 100000.1 is not valid; expected max, or a positive number up to 100000"},
    {"journal:\n  sync: 0\n", E_RANGE,
     "x.yaml:2: journal.sync: 0 is not valid; expected always, never, or 1 to 60000 (ms)"},
    {"journal:\n  sync: 60001\n", E_RANGE,
     "x.yaml:2: journal.sync: 60001 is not valid; expected always, never, or 1 to 60000 (ms)"},
    {"routes:\n  - a: BTC-USDT@binance\n    b: BTC-USDT\n", E_RANGE,
     "x.yaml:3: routes.0.b: \"BTC-USDT\" is not valid; expected SYMBOL@VENUE, such as BTC-USDT@binance"},
    {"routes:\n  - a: BTC-USDT@binance\n", E_ABSENT,
     "x.yaml:2: routes.0.b: missing; expected second leg, SYMBOL@VENUE"},
    {"fees:\n  - venue: a\n  - taker_bp: 1\n", E_ABSENT,
     "x.yaml:3: fees.1.taker_bp: unknown key; did you mean taker_bps?"},
    {"fees:\n  - 5\n", E_TYPE, "x.yaml:2: fees.0: is a value; expected a mapping such as {venue: ...}"},
    {"fees:\n  venue: a\n", E_TYPE, "x.yaml:2: fees: is a mapping; expected a list"},
    {"feed:\n  - depth: 5\n", E_TYPE, "x.yaml:2: feed: is a list; expected a mapping such as {source: ...}"},
    {"feed:\n  depth: [5]\n", E_TYPE, "x.yaml:2: feed.depth: is a list; expected a value"},
    {"feed:\n  depth: {}\n", E_TYPE, "x.yaml:2: feed.depth: is a mapping; expected a value"},
    {"feed:\n  depth:\n", E_TYPE, "x.yaml:2: feed.depth: has no value"},
    {"feed:\n  instruments: ~\n", E_TYPE,
     "x.yaml:2: feed.instruments: has no value; write \"\" for an empty text"},
    {"feed:\n  depth: !odd 5\n", E_TYPE, "x.yaml:2: feed.depth: tag \"!odd\" is not known; expected none"},
    {"feed:\n  depth: 5\n  speed: 1\n  depth: 6\n", E_SYNTAX,
     "x.yaml:4: feed.depth: given twice; the first is on line 2"},
    {"feed: {depth: 5}\nfeed: {depth: 6}\n", E_SYNTAX, "x.yaml:2: feed: given twice; the first is on line 1"},
    {"feed:\n  [1]: 5\n", E_SYNTAX, "x.yaml:2: feed: key is a list; expected a name"},
    {"- feed\n", E_TYPE, "x.yaml:1: the file is a list; expected sections such as feed:"},
    {"feed:\n\tdepth: 5\n", E_SYNTAX,
     "x.yaml:2: not YAML: while scanning for the next token, found character that cannot start any token"},
    {"feed:\n  depth: 5\n bad\n", E_SYNTAX, "x.yaml:3: not YAML: "},
    {"feed:\n  depth: *nowhere\n", E_SYNTAX, "x.yaml:2: not YAML: found undefined alias"},
    {"feed: {depth: 5}\n---\nfeed: {depth: 6}\n", E_SYNTAX, "x.yaml:2: a second document; expected one"},
    {"feed:\n  instruments: \xff\n", E_SYNTAX, "x.yaml:2: not YAML: "},
};

START_TEST(a_bad_file_is_refused_with_its_line_and_words_and_changes_nothing)
{
    memcpy(&other, &config, sizeof config);
    ck_assert_int_eq(load(refused[_i].text), refused[_i].status);
    ck_assert_msg(strncmp(error, refused[_i].error, strlen(refused[_i].error)) == 0, "got:  %s\nwant: %s",
                  error, refused[_i].error);
    ck_assert_mem_eq(&config, &other, sizeof config);
}
END_TEST

START_TEST(too_many_items_are_refused)
{
    static char text[8192] = "fees:\n";
    for (int i = 0; i < 65; i++)
        strcat(text, "- {venue: a}\n");
    ck_assert_int_eq(load(text), E_RANGE);
    ck_assert_str_eq(error, "x.yaml:2: fees: 65 items are too many; expected at most 64");
}
END_TEST

START_TEST(an_absent_file_is_named)
{
    ck_assert_int_eq(config_load(&config, "/nonexistent/a.yaml", error), E_IO);
    ck_assert_str_eq(error, "/nonexistent/a.yaml: No such file or directory");
}
END_TEST

START_TEST(one_setting_is_laid_over_and_an_index_at_the_end_appends)
{
    ck_assert_int_eq(config_set(&config, "feed.depth", "7", error), OK);
    ck_assert_int_eq(config.feed.depth, 7);
    ck_assert_int_eq(config_set(&config, "fees.0.taker_bps", "1.5", error), OK);
    ck_assert_int_eq(config_set(&config, "fees.0.venue", "upbit", error), OK);
    ck_assert_int_eq(config_set(&config, "fees.1.taker_bps", "4", error), OK);
    ck_assert_uint_eq(config.n_fees, 2);
    ck_assert_str_eq(config.fees[0].venue, "upbit");
    ck_assert_int_eq(config.fees[0].taker_bps.m, 15);
    ck_assert_str_eq(config.fees[1].venue, "*");
}
END_TEST

static const struct {
    const char *key, *value;
    int status;
    const char *error;
} unset[] = {
    {"feed.dept", "7", E_ABSENT, "feed.dept: unknown key; did you mean depth?"},
    {"fed.depth", "7", E_ABSENT, "fed.depth: unknown section; did you mean feed?"},
    {"feed", "7", E_ABSENT, "feed: unknown key; known: "},
    {"feed.depth", "x", E_SYNTAX,
     "feed.depth: \"x\" is not a whole number; expected a whole number, 1 to 50"},
    {"fees.1.venue", "a", E_RANGE,
     "fees.1.venue: index 1 is out of bounds; 0 are there, and at most 64 can be"},
    {"fees.venue", "a", E_SYNTAX, "fees.venue: expected fees.INDEX.KEY, with INDEX from 0"},
    {"fees.-1.venue", "a", E_SYNTAX, "fees.-1.venue: expected fees.INDEX.KEY, with INDEX from 0"},
    {"fees.0.venues", "a", E_ABSENT, "fees.0.venues: unknown key; did you mean venue?"},
    {"fees.0.taker_bps", "a", E_SYNTAX, "fees.0.taker_bps: \"a\" is not a number; expected"},
    {"run.account", "\xff", E_SYNTAX, "run.account: \"\xff\" is not text; expected UTF-8"},
};

START_TEST(a_setting_that_fits_nothing_is_refused)
{
    ck_assert_int_eq(config_set(&config, unset[_i].key, unset[_i].value, error), unset[_i].status);
    ck_assert_msg(strncmp(error, unset[_i].error, strlen(unset[_i].error)) == 0, "got: %s", error);
    ck_assert_uint_eq(config.n_fees, 0);
}
END_TEST

START_TEST(the_environment_overrides_and_lists_need_no_order)
{
    char *const environment[] = {"PATH=/bin",
                                 "SLUICE__ROUTES__1__B=B-C@y",
                                 "SLUICE__ROUTES__10__A=no",
                                 "SLUICE__ROUTES__0__B=A-B@y",
                                 "SLUICE__RISK__MAX_GROSS=5",
                                 "SLUICE_LIVE=yes",
                                 "SLUICE__ROUTES__1__A=B-C@x",
                                 "SLUICE__ROUTES__0__A=A-B@x",
                                 NULL};
    char *without_ten[8];
    for (int i = 0, n = 0; i < 9; i++) {
        if (i != 2)
            without_ten[n++] = environment[i];
    }
    ck_assert_int_eq(config_environment(&config, environment, error), E_RANGE);
    ck_assert_uint_eq(config.n_routes, 0);
    ck_assert_int_eq(config_environment(&config, without_ten, error), OK);
    ck_assert_uint_eq(config.n_routes, 2);
    ck_assert_str_eq(config.routes[1].a, "B-C@x");
    ck_assert(config.risk.max_gross == amount("5"));
}
END_TEST

static const struct {
    const char *entry;
    int status;
    const char *error;
} foreign[] = {
    {"SLUICE__RISK__MAX_GROSS=abc", E_SYNTAX,
     "SLUICE__RISK__MAX_GROSS=abc: expected an amount such as 1000 or 0.5"},
    {"SLUICE__FEED__DEPTH=900", E_RANGE, "SLUICE__FEED__DEPTH=900: expected 1 to 50"},
    {"SLUICE__ARB__POLICY=finish", E_RANGE,
     "SLUICE__ARB__POLICY=finish: expected one of complete|unwind|park"},
    {"SLUICE__RISK__MAX_GROSSS=1", E_ABSENT,
     "SLUICE__RISK__MAX_GROSSS=1: unknown key; did you mean max_gross?"},
    {"SLUICE__RSK__MAX_GROSS=1", E_ABSENT, "SLUICE__RSK__MAX_GROSS=1: unknown section; did you mean risk?"},
    {"SLUICE__ROUTES__0__A=A-B@x", E_ABSENT, "routes.0.b: missing"},
    {"SLUICE__", E_ABSENT, "SLUICE__: unknown section"},
};

START_TEST(an_environment_name_that_fits_nothing_is_refused)
{
    char entry[64];
    snprintf(entry, sizeof entry, "%s", foreign[_i].entry);
    char *const environment[] = {entry, NULL};
    memcpy(&other, &config, sizeof config);
    ck_assert_int_eq(config_environment(&config, environment, error), foreign[_i].status);
    ck_assert_msg(strncmp(error, foreign[_i].error, strlen(foreign[_i].error)) == 0, "got: %s", error);
    ck_assert_mem_eq(&config, &other, sizeof config);
}
END_TEST

static void must_set(const char *key, const char *value)
{
    ck_assert_msg(config_set(&config, key, value, error) == OK, "%s", error);
}

START_TEST(what_is_written_reads_back_equal)
{
    must_set("risk.max_gross", "123456789012345678.000000000000000001");
    must_set("arb.min_edge_bps", "-0.00000000000000123");
    must_set("arb.slippage_bps", "5e17");
    must_set("sim.seed", "9223372036854775807");
    must_set("feed.instruments",
             "\"q\\uote\" \t\n# \x7f \xc2\x85 \xe2\x80\xa8 \xef\xbb\xbf \xef\xbf\xbe \xf0\x9f\x92\xa7: ' ");
    must_set("strategy.pinned", "null");
    must_set("recordings.0.path", "~");
    must_set("routes.0.a", "BTC-USDT@binance");
    must_set("routes.0.b", "BTC-KRW@upbit");
    must_set("pins.0.worker", "strategy-2");
    must_set("pins.0.routes", "BTC-,ETH-");
    must_set("balances.0.amount", "0.000000000000000001");
    must_set("balances.1.currency", "KRW");
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    config_write(&config, out, _i == 1);
    fclose(out);
    config_defaults(&other);
    ck_assert_msg(config_load_text(&other, "written", text, len, error) == OK, "%s\n%s", error, text);
    ck_assert_mem_eq(&config, &other, sizeof config);
    free(text);
}
END_TEST

int main(void)
{
    TCase *promises = tcase_create("config");
    tcase_add_checked_fixture(promises, setup, NULL);
    tcase_add_test(promises, defaults_are_those_of_the_dictionary);
    tcase_add_test(promises, a_file_overrides_what_it_names_and_nothing_else);
    tcase_add_test(promises, a_list_in_a_file_replaces_the_whole_list);
    tcase_add_test(promises, anchors_and_empty_files_are_understood);
    tcase_add_loop_test(promises, a_bad_file_is_refused_with_its_line_and_words_and_changes_nothing, 0,
                        sizeof refused / sizeof refused[0]);
    tcase_add_test(promises, too_many_items_are_refused);
    tcase_add_test(promises, an_absent_file_is_named);
    tcase_add_test(promises, one_setting_is_laid_over_and_an_index_at_the_end_appends);
    tcase_add_loop_test(promises, a_setting_that_fits_nothing_is_refused, 0, sizeof unset / sizeof unset[0]);
    tcase_add_test(promises, the_environment_overrides_and_lists_need_no_order);
    tcase_add_loop_test(promises, an_environment_name_that_fits_nothing_is_refused, 0,
                        sizeof foreign / sizeof foreign[0]);
    tcase_add_loop_test(promises, what_is_written_reads_back_equal, 0, 2);
    Suite *suite = suite_create("config");
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
