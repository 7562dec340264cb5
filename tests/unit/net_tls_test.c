/* The transport over TLS: a server is believed only with a certificate of an authority that is known and for the name
 * that was asked for. The certificates are made anew by openssl. */
#include "net_scene.h"

#include <stdarg.h>

static char folder[64], known[96], unknown[96], certificate[96], key[96];

static void make(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void make(const char *format, ...)
{
    char command[1024];
    va_list of;
    va_start(of, format);
    (void)vsnprintf(command, sizeof command, format, of);
    va_end(of);
    ck_assert_msg(system(command) == 0, "%s", command);
}

static void make_certificates(void)
{
    static const char *const quiet = ">/dev/null 2>&1";
    (void)snprintf(folder, sizeof folder, "/tmp/net_tls_test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(known, sizeof known, "%s/known.pem", folder);
    (void)snprintf(unknown, sizeof unknown, "%s/unknown.pem", folder);
    (void)snprintf(certificate, sizeof certificate, "%s/server.pem", folder);
    (void)snprintf(key, sizeof key, "%s/server.key", folder);
    for (int i = 0; i < 2; i++)
        make("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=%s "
             "-keyout "
             "%s/ca%d.key -out %s %s",
             i == 0 ? "known" : "unknown", folder, i, i == 0 ? known : unknown, quiet);
    make("printf subjectAltName=DNS:localhost >%s/names", folder);
    make("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout %s -out "
         "%s/server.csr %s",
         key, folder, quiet);
    make("openssl x509 -req -in %s/server.csr -CA %s -CAkey %s/ca0.key -CAcreateserial -days 2 -extfile "
         "%s/names -out "
         "%s %s",
         folder, known, folder, folder, certificate, quiet);
}

static void remove_certificates(void)
{
    make("rm -r %s", folder);
}

static const char *at(const char *scheme, const char *host, const char *path)
{
    static char text[128];
    (void)snprintf(text, sizeof text, "%s://%s:%d%s", scheme, host, server_port(server), path);
    return text;
}

static void begin_with(const char *authority)
{
    open_net(authority);
    open_server(certificate, key);
}

START_TEST(a_known_server_is_spoken_to)
{
    begin_with(known);
    ws = websocket_connect(net, at("wss", "localhost", "/ws"), &listening);
    until(opened == 1 && peer != NULL);
    ck_assert_int_eq(websocket_send(ws, "hello", 5, false), OK);
    until(messages == 1);
    ck_assert_str_eq(message, "hello");
    ck_assert_int_gt(http_get(net, at("https", "localhost", "/x"), NS_PER_SEC, on_answer, NULL), 0);
    until(answers == 1);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(body, "{\"a\":1}");
}
END_TEST

/* What TLS has unpacked already is nothing that the descriptor tells of. */
START_TEST(nothing_stays_behind_in_the_cipher)
{
    enum { BIG = 5 * 1024 * 1024, MANY = 3000 };
    begin_with(known);
    ws = websocket_connect(net, at("wss", "localhost", "/ws"), &listening);
    until(opened == 1 && peer != NULL);
    char *big = malloc(BIG);
    ck_assert_ptr_nonnull(big);
    memset(big, 'x', BIG);
    ck_assert_int_eq(server_send(peer, big, BIG, false), OK);
    until(messages == 1);
    ck_assert_uint_eq(message_len, BIG);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(server_send(peer, big, 500, false), OK);
    until(messages == 1 + MANY);
    free(big);
    server_drop(peer, false);
    until(closed == 1);
    ck_assert_msg(strstr(why, "closed by the server: 1000") != NULL, "%s", why);
}
END_TEST

START_TEST(a_refusal_comes_through)
{
    begin_with(known);
    ws = websocket_connect(net, at("wss", "localhost", "/refuse/429/30"), &listening);
    until(closed == 1);
    ck_assert_int_eq(http_status, 429);
    ck_assert_int_eq(retry_after_s, 30);
}
END_TEST

static void refused_at(const char *host)
{
    ws = websocket_connect(net, at("wss", host, "/ws"), &listening);
    until(closed == 1);
    ck_assert_int_eq(opened, 0);
    ck_assert_int_eq(http_status, 0);
    ck_assert_str_ne(why, "");
    ck_assert_int_gt(http_get(net, at("https", host, "/x"), NS_PER_SEC, on_answer, NULL), 0);
    until(answers == 1);
    ck_assert_int_eq(answer.status, 0);
    ck_assert_int_eq(peers_opened, 0);
    ck_assert_str_eq(requested, "");
}

START_TEST(a_server_of_an_unknown_authority_is_refused)
{
    begin_with(unknown);
    refused_at("localhost");
}
END_TEST

START_TEST(the_system_s_authorities_do_not_know_it_either)
{
    begin_with(NULL);
    refused_at("localhost");
}
END_TEST

START_TEST(a_server_of_another_name_is_refused)
{
    begin_with(known);
    refused_at("127.0.0.1");
}
END_TEST

START_TEST(plain_words_to_a_tls_server_and_tls_to_a_plain_one_fail)
{
    begin_with(known);
    ws = websocket_connect(net, at("ws", "localhost", "/ws"), &listening);
    until(closed == 1);
    server_close(&server);
    open_server(NULL, NULL);
    ws = websocket_connect(net, at("wss", "localhost", "/ws"), &listening);
    until(closed == 2);
    ck_assert_int_eq(opened, 0);
}
END_TEST

START_TEST(a_net_closed_in_the_midst_of_it_leaves_nothing)
{
    begin_with(known);
    ws = websocket_connect(net, at("wss", "localhost", "/ws"), &listening);
    until(opened == 1 && peer != NULL);
    ck_assert_int_gt(http_get(net, at("https", "localhost", "/later"), NS_PER_SEC, on_answer, NULL), 0);
    until(waiting != NULL);
    (void)websocket_connect(net, at("wss", "localhost", "/ws"), &listening);
    for (int i = 0; i < 3; i++)
        turn();
}
END_TEST

START_TEST(a_server_without_its_files_does_not_open)
{
    open_net(known);
    char error[200] = "";
    struct server_options absent = {.certificate = "/nowhere.pem", .key = key};
    ck_assert_int_eq(server_open(net, &absent, &serving, &server, error, sizeof error), E_IO);
    ck_assert_msg(strstr(error, "/nowhere.pem") != NULL, "%s", error);
    struct server_options another = {.certificate = known, .key = key};
    ck_assert_int_eq(server_open(net, &another, &serving, &server, error, sizeof error), E_IO);
    ck_assert_msg(strstr(error, known) != NULL, "%s", error);
    struct net *second;
    struct net_options options = {.ca_file = "/nowhere.pem"};
    ck_assert_int_eq(net_open(&options, &second, error, sizeof error), E_IO);
    ck_assert_ptr_null(second);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net_tls");
    TCase *promises = tcase_create("promises");
    tcase_add_unchecked_fixture(promises, make_certificates, remove_certificates);
    tcase_add_checked_fixture(promises, NULL, end_scene);
    tcase_set_timeout(promises, 30);
    tcase_add_test(promises, a_known_server_is_spoken_to);
    tcase_add_test(promises, nothing_stays_behind_in_the_cipher);
    tcase_add_test(promises, a_refusal_comes_through);
    tcase_add_test(promises, a_server_of_an_unknown_authority_is_refused);
    tcase_add_test(promises, the_system_s_authorities_do_not_know_it_either);
    tcase_add_test(promises, a_server_of_another_name_is_refused);
    tcase_add_test(promises, plain_words_to_a_tls_server_and_tls_to_a_plain_one_fail);
    tcase_add_test(promises, a_net_closed_in_the_midst_of_it_leaves_nothing);
    tcase_add_test(promises, a_server_without_its_files_does_not_open);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
