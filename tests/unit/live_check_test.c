/* What the check of live venues promises: a url that no socket can be opened to is refused before the run. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"
#include "services/feed/live.h"

static char error[CONFIG_ERROR_MAX];

static const char *ca_file = "";

static int check_urls(const char *ws_url, const char *rest_url)
{
    struct config *config = calloc(1, sizeof *config);
    struct config_venues *venue = &config->venues[0];
    config->n_venues = 1;
    (void)snprintf(venue->venue, sizeof venue->venue, "upbit");
    (void)snprintf(venue->symbols, sizeof venue->symbols, "BTC-KRW");
    (void)snprintf(venue->ws_url, sizeof venue->ws_url, "%s", ws_url);
    (void)snprintf(venue->rest_url, sizeof venue->rest_url, "%s", rest_url);
    (void)snprintf(venue->ca_file, sizeof venue->ca_file, "%s", ca_file);
    int status = live_check(config, error);
    free(config);
    return status;
}

START_TEST(a_url_that_a_socket_can_be_opened_to_is_taken)
{
    static const char *const good[] = {"",
                                       "ws://h",
                                       "wss://stream.binance.com:9443",
                                       "ws://127.0.0.1:1",
                                       "ws://h:65535",
                                       "ws://[::1]:80",
                                       "wss://[::1]",
                                       "wss://h:1/base/path"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(check_urls(good[i], "") == OK, "refused: %s", good[i]);
    ck_assert_int_eq(check_urls("", "https://h:8080"), OK);
}
END_TEST

START_TEST(a_url_that_none_can_be_opened_to_is_refused_with_field_and_value)
{
    static const char *const bad[] = {"http://h",   "ws:/h",        "ws://",    "ws://:80",
                                      "ws://h:",    "ws://h:0",     "ws://h:x", "ws://h:+1",
                                      "ws://h:80x", "ws://h:65536", "ws://u@h", "ws://a b",
                                      "ws://h/",    "ws://h:1/",    "ws://h?x", "ws://h#x",
                                      "ws://[::1",  "ws://[::1]x",  "wsss://h", "ws://h:99999999999999999999",
                                      "ws://h\x01"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(check_urls(bad[i], "") == E_SYNTAX, "taken: %s", bad[i]);
        ck_assert_ptr_nonnull(strstr(error, "venues.0.ws_url"));
        ck_assert_ptr_nonnull(strstr(error, bad[i]));
    }
    ck_assert_int_eq(check_urls("", "ws://h"), E_SYNTAX);
    ck_assert_ptr_nonnull(strstr(error, "venues.0.rest_url"));
}
END_TEST

START_TEST(a_file_of_authorities_that_is_not_there_is_refused)
{
    ca_file = "/nonexistent/ca.pem";
    ck_assert_int_eq(check_urls("", ""), E_IO);
    ck_assert_ptr_nonnull(strstr(error, "venues.0.ca_file: \"/nonexistent/ca.pem\""));
    ca_file = "/dev/null";
    ck_assert_int_eq(check_urls("", ""), OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("live_check");
    TCase *urls = tcase_create("urls");
    tcase_add_test(urls, a_url_that_a_socket_can_be_opened_to_is_taken);
    tcase_add_test(urls, a_url_that_none_can_be_opened_to_is_refused_with_field_and_value);
    tcase_add_test(urls, a_file_of_authorities_that_is_not_there_is_refused);
    suite_add_tcase(suite, urls);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
