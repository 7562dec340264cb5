/* What a peer can send that no honest one does: it may end its own connection, and nothing else. The other side is a bare
 * socket. */
#include "net_scene.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

static int hostile = -1, listener = -1, listener_port;

static void begin(void)
{
    open_net(NULL);
    open_server(NULL, NULL);
}

static void finish(void)
{
    if (hostile >= 0)
        (void)close(hostile);
    if (listener >= 0)
        (void)close(listener);
    hostile = listener = -1;
    end_scene();
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
}

static void say(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(hostile, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            return; /* the other side has hung up, which it may */
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
        turn();
    }
}

/* Reads until the text is there; it must come within five seconds. */
static const char *hear(const char *text)
{
    static char got[8192];
    size_t len = 0;
    int64_t until_ns = clock_mono_ns() + 5 * NS_PER_SEC;
    got[0] = '\0';
    while (strstr(got, text) == NULL && clock_mono_ns() < until_ns && len + 1 < sizeof got) {
        turn();
        ssize_t n = recv(hostile, got + len, sizeof got - 1 - len, MSG_DONTWAIT);
        len += n > 0 ? (size_t)n : 0;
        got[len] = '\0';
    }
    ck_assert_msg(strstr(got, text) != NULL, "\"%s\" was not in \"%s\"", text, got);
    return got;
}

static void hostile_client(void)
{
    if (hostile >= 0)
        (void)close(hostile);
    struct sockaddr_in at = loopback(server_port(server));
    hostile = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(hostile, (struct sockaddr *)&at, sizeof at), 0);
}

static void hostile_peer(void)
{
    static const char ask[] =
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    hostile_client();
    say(ask, sizeof ask - 1);
    (void)hear("\r\n\r\n");
}

static void hostile_server(void)
{
    if (listener < 0) {
        struct sockaddr_in at = loopback(0);
        socklen_t size = sizeof at;
        listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, size), 0);
        ck_assert_int_eq(listen(listener, 8), 0);
        ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&at, &size), 0);
        listener_port = ntohs(at.sin_port);
    }
    ws = websocket_connect(net, url("ws", listener_port, "/"), &listening);
    struct pollfd knock = {.fd = listener, .events = POLLIN};
    while (poll(&knock, 1, 0) == 0)
        turn();
    if (hostile >= 0)
        (void)close(hostile);
    hostile = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(hostile, 0);
}

/* The honest ones go on. */
static void others_are_unharmed(void)
{
    int before = messages;
    struct websocket *other = websocket_connect(net, url("ws", server_port(server), "/"), &listening);
    int opened_before = opened;
    until(opened == opened_before + 1);
    ck_assert_int_eq(websocket_send(other, "fine", 4, false), OK);
    until(messages == before + 1);
    ck_assert_str_eq(message, "fine");
    websocket_close(&other);
}

struct bytes {
    const char *text;
    size_t len;
};
#define BYTES(text)                                                                                          \
    {                                                                                                        \
        text, sizeof text - 1                                                                                \
    }

/* Frames, unmasked as a server's are: to a server each is wrong for that alone. */
static const struct bytes frames[] = {
    BYTES("\x81\x02\xff\xfe"),                         /* text that is no UTF-8 */
    BYTES("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), /* of 2^63 - 1 bytes */
    BYTES("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), /* of a negative length */
    BYTES("\x83\x00"),                                 /* opcodes that nobody has defined */
    BYTES("\x8f\x01x"),
    BYTES("\xf1\x01x"),                     /* reserved bits */
    BYTES("\x80\x01x"),                     /* a continuation of nothing */
    BYTES("\x09\x01x"),                     /* a ping in fragments */
    BYTES("\x89\x7e\x00\x80x"),             /* a ping longer than pings are */
    BYTES("\x88\x01x"),                     /* a close with half a code */
    BYTES("\x88\x02\xff\xff"),              /* a close with a code that is none */
    BYTES("\x01\x01x\x81\x01y"),            /* a text within a text */
    BYTES("\x81\x85\x01\x02\x03\x04hello"), /* masked */
    BYTES("\x81\x7e\x00\x01x"),             /* a length longer than it need be */
    BYTES("\x81"),                          /* a frame cut short */
    BYTES("\x81\x7e\xff"),
};
enum { FRAMES = sizeof frames / sizeof *frames };

static const char accepts[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n";

START_TEST(a_server_takes_any_frame)
{
    for (int i = 0; i < FRAMES; i++) {
        hostile_peer();
        say(frames[i].text, frames[i].len);
        let_pass(10);
        (void)shutdown(hostile, SHUT_WR);
        until(peers_closed == i + 1);
    }
    others_are_unharmed();
}
END_TEST

/* From an honest server's socket, behind an honest upgrade: the test's own server is the way to a right key. */
START_TEST(a_client_takes_any_frame)
{
    for (int i = 0; i < FRAMES; i++) {
        hostile_server();
        char request[4096], answer_head[512];
        size_t len = 0;
        while (len < 4 || memcmp(request + len - 4, "\r\n\r\n", 4) != 0) {
            turn();
            ssize_t n = recv(hostile, request + len, sizeof request - 1 - len, MSG_DONTWAIT);
            len += n > 0 ? (size_t)n : 0;
            request[len] = '\0';
        }
        ck_assert_ptr_null(strstr(request, "Origin"));
        ck_assert_ptr_null(strstr(request, "Sec-WebSocket-Extensions"));
        int mine = hostile;
        hostile = -1;
        hostile_client();
        say(request, len);
        const char *accept = strcasestr(hear("\r\n\r\n"), "Sec-WebSocket-Accept");
        ck_assert_ptr_nonnull(accept);
        (void)snprintf(
            answer_head, sizeof answer_head,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n%.*s\r\n\r\n",
            (int)strcspn(accept, "\r\n"), accept);
        (void)close(hostile);
        hostile = mine;
        int before = opened;
        say(answer_head, strlen(answer_head));
        until(opened == before + 1);
        say(frames[i].text, frames[i].len);
        let_pass(10);
        (void)shutdown(hostile, SHUT_WR);
        until(closed == i + 1);
    }
    others_are_unharmed();
}
END_TEST

START_TEST(a_client_takes_any_answer_to_its_upgrade)
{
    static const struct bytes said[] = {
        BYTES(""),
        BYTES("\r\n\r\n"),
        BYTES("HTTP/1.1"),
        BYTES("HTTP/1.1 101 Switching Protocols\r\nUpgra"),
        BYTES("HTTP/1.1 101\r\n\r\n"),
        BYTES("HTTP/1.1 999999999999 x\r\n\r\n"),
        BYTES("HTTP/1.1 -1 x\r\nRetry-After: -5\r\n\r\n"),
        BYTES("HTTP/1.1 429 x\r\nRetry-After: 99999999999999999999\r\n\r\n"),
        BYTES("HTTP/1.1 301 x\r\nLocation: ws://127.0.0.1:1/\r\n\r\n"),
        BYTES("SSH-2.0-OpenSSH\r\n"),
        BYTES("\x16\x03\x01\x00\x01\x00"),
        BYTES("\0\0\0\0\0\0"),
        {accepts, sizeof accepts - 1},
    };
    enum { SAID = sizeof said / sizeof *said };
    for (int i = 0; i < SAID; i++) {
        hostile_server();
        (void)hear("\r\n\r\n");
        say(said[i].text, said[i].len);
        let_pass(10);
        (void)shutdown(hostile, SHUT_WR);
        until(closed == i + 1);
        ck_assert_int_ge(retry_after_s, 0);
    }
    ck_assert_int_eq(opened, 0);
    others_are_unharmed();
}
END_TEST

START_TEST(headers_without_end_do_not_pile_up)
{
    hostile_server();
    (void)hear("\r\n\r\n");
    static char line[1024];
    memset(line, 'x', sizeof line);
    say("HTTP/1.1 101 x\r\n", 16);
    for (int i = 0; i < 1000 && closed == 0; i++)
        say(line, sizeof line);
    until(closed == 1);
    hostile_client();
    say("GET /", 5);
    for (int i = 0; i < 200; i++)
        say(line, sizeof line);
    let_pass(50);
    ck_assert_int_eq(peers_opened, 0);
    others_are_unharmed();
}
END_TEST

START_TEST(a_server_takes_any_request)
{
    static const struct bytes said[] = {
        BYTES("\r\n\r\n"),
        BYTES("GET"),
        BYTES("GET / HTTP/9.9\r\n\r\n"),
        BYTES("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
        BYTES("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999\r\n\r\n"),
        BYTES("GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /later HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET /%00%ff%zz?a=%&b=%0d%0a HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"
              "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"),
        BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
              "x\r\n"
              "Sec-WebSocket-Version: 99\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
              "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-Web"),
        BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        BYTES("\0\xff\xfe\0\0\0\0"),
    };
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        hostile_client();
        say(said[i].text, said[i].len);
        let_pass(20);
        (void)shutdown(hostile, SHUT_WR);
        let_pass(10);
    }
    others_are_unharmed();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net_hostile");
    TCase *promises = tcase_create("promises");
    tcase_add_checked_fixture(promises, begin, finish);
    tcase_set_timeout(promises, 60);
    tcase_add_test(promises, a_server_takes_any_frame);
    tcase_add_test(promises, a_client_takes_any_frame);
    tcase_add_test(promises, a_client_takes_any_answer_to_its_upgrade);
    tcase_add_test(promises, headers_without_end_do_not_pile_up);
    tcase_add_test(promises, a_server_takes_any_request);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
