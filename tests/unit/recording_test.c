/* What reading a recording promises: every line in order, texts as received, and damage said with its place.
 */
#include "venues/recording.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/base/status.h"

static char path[64];
static char error[256];
static struct recording *recording;
static struct recorded_line line;

static void begin(void)
{
    strcpy(path, "/tmp/recording_test_XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void end(void)
{
    recording_close(&recording);
    unlink(path);
}

/* Appends a gzip member. */
static void add_member(const char *text)
{
    gzFile file = gzopen(path, "ab");
    ck_assert_int_eq(gzwrite(file, text, (unsigned)strlen(text)), (int)strlen(text));
    gzclose(file);
}

static void add_plain(const char *text)
{
    FILE *file = fopen(path, "ab");
    fputs(text, file);
    fclose(file);
}

static void open_it(void)
{
    ck_assert_msg(recording_open(path, &recording, error, sizeof error) == OK, "%s", error);
}

static void next(void)
{
    ck_assert_int_eq(recording_next(recording, &line), 1);
}

#define WS(t, conn, msg)                                                                                     \
    "{\"t\":" t ",\"dir\":\"in\",\"kind\":\"ws\",\"conn\":" conn ",\"url\":\"wss://a/b\",\"msg\":\"" msg     \
    "\"}\n"

START_TEST(lines_come_in_order_with_all_they_say)
{
    add_member("{\"t\":1723161253.9370856,\"t_ns\":1723161253937085768,\"dir\":\"out\",\"kind\":\"connect\","
               "\"conn\":3,"
               "\"url\":\"wss://x\",\"msg\":\"\"}\n" WS(
                   "1618678262.670261", "4",
                   "{\\\"a\\\":\\\"\\u00e9\\\\n\\\"}") "{\"t\":1,\"dir\":\"in\",\"kind\":\"http\",\"url\":"
                                                       "\"https://y?symbol=Z\",\"msg\":\"body\"}\n");
    open_it();
    next();
    ck_assert_uint_eq(line.line, 1);
    ck_assert(line.readable && !line.inbound);
    ck_assert_int_eq(line.frame.kind, FRAME_CONNECT);
    ck_assert_int_eq(line.frame.recv_ns, 1723161253937085768);
    ck_assert_uint_eq(line.frame.conn, 3);
    ck_assert_str_eq(line.frame.url, "wss://x");
    next();
    ck_assert(line.readable && line.inbound);
    ck_assert_int_eq(line.frame.kind, FRAME_WS);
    ck_assert_int_eq(line.frame.recv_ns, 1618678262670261000);
    ck_assert_str_eq(line.frame.text, "{\"a\":\"\xc3\xa9\\n\"}");
    ck_assert_uint_eq(line.frame.len, strlen(line.frame.text));
    next();
    ck_assert_int_eq(line.frame.kind, FRAME_HTTP);
    ck_assert_uint_eq(line.frame.conn, 0);
    ck_assert_str_eq(line.frame.text, "body");
    ck_assert_int_eq(recording_next(recording, &line), 0);
    ck_assert_uint_eq(recording_consumed(recording), recording_size(recording));
}
END_TEST

START_TEST(several_members_are_one_recording)
{
    add_member(WS("1", "0", "one"));
    add_member(WS("2", "0", "two") WS("3", "0", "three"));
    open_it();
    next();
    ck_assert_str_eq(line.frame.text, "one");
    next();
    next();
    ck_assert_str_eq(line.frame.text, "three");
    ck_assert_uint_eq(line.line, 3);
    ck_assert_int_eq(recording_next(recording, &line), 0);
}
END_TEST

START_TEST(a_plain_file_is_read_too_and_its_last_line_needs_no_end)
{
    add_plain(WS("1", "0", "one") "{\"kind\":\"ws\",\"url\":\"u\",\"msg\":\"two\"}");
    open_it();
    next();
    next();
    ck_assert(line.readable && line.inbound);
    ck_assert_str_eq(line.frame.text, "two");
    ck_assert_int_eq(line.frame.recv_ns, 1000000000); /* received when the one before was */
    ck_assert_int_eq(recording_next(recording, &line), 0);
}
END_TEST

START_TEST(compressed_frames_are_handed_out_as_bytes)
{
    add_plain("{\"kind\":\"ws\",\"url\":\"u\",\"b64\":\"AP+AYQ==\"}\n"
              "{\"kind\":\"ws\",\"url\":\"u\",\"b64\":\"YWJj\"}\n"
              "{\"kind\":\"ws\",\"url\":\"u\",\"b64\":\"a*b\"}\n");
    open_it();
    next();
    ck_assert_uint_eq(line.frame.len, 4);
    ck_assert_mem_eq(line.frame.text,
                     "\0\xff\x80"
                     "a",
                     4);
    next();
    ck_assert_str_eq(line.frame.text, "abc");
    next();
    ck_assert(!line.readable);
    ck_assert_ptr_nonnull(strstr(recording_error(recording), "line 3"));
}
END_TEST

START_TEST(an_unreadable_line_is_said_and_the_next_is_read)
{
    static const char *const bad[] = {
        "",
        "{",
        "[1]",
        "{\"kind\":\"ws\",\"msg\":\"x\"}",
        "{\"kind\":\"odd\",\"url\":\"u\",\"msg\":\"x\"}",
        "{\"kind\":\"ws\",\"url\":\"u\"}",
        "{\"kind\":\"ws\",\"url\":\"u\",\"msg\":5}",
    };
    size_t n = sizeof bad / sizeof bad[0];
    for (size_t i = 0; i < n; i++) {
        add_plain(bad[i]);
        add_plain("\n");
    }
    add_plain(WS("1", "0", "good"));
    open_it();
    for (size_t i = 0; i < n; i++) {
        next();
        ck_assert_msg(!line.readable, "taken: %s", bad[i]);
        ck_assert_ptr_nonnull(strstr(recording_error(recording), "line "));
    }
    next();
    ck_assert(line.readable);
    ck_assert_uint_eq(line.line, n + 1);
}
END_TEST

START_TEST(a_line_longer_than_any_buffer_is_read_whole)
{
    size_t len = 3 * 1024 * 1024;
    char *text = malloc(len + 1);
    memset(text, 'x', len);
    text[len] = '\0';
    add_plain("{\"kind\":\"ws\",\"url\":\"u\",\"msg\":\"");
    add_plain(text);
    add_plain("\"}\n" WS("1", "0", "after"));
    open_it();
    next();
    ck_assert_uint_eq(line.frame.len, len);
    next();
    ck_assert_str_eq(line.frame.text, "after");
    free(text);
}
END_TEST

START_TEST(a_cut_file_gives_what_it_has_and_then_says_where_it_is_damaged)
{
    for (int i = 0; i < 200; i++) {
        char text[256];
        snprintf(text, sizeof text, WS("%d", "0", "%d"), i, i * 7919);
        add_member(text);
    }
    FILE *file = fopen(path, "rb+");
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    ck_assert_int_eq(ftruncate(fileno(file), size - 10), 0);
    fclose(file);
    open_it();
    int got, lines = 0;
    while ((got = recording_next(recording, &line)) == 1)
        lines++;
    ck_assert_int_eq(got, E_IO);
    ck_assert_int_ge(lines, 199);
    ck_assert_ptr_nonnull(strstr(recording_error(recording), ": unexpected end of file"));
    ck_assert_ptr_nonnull(strstr(recording_error(recording), "damaged behind line"));
    ck_assert_int_eq(recording_next(recording, &line), E_IO);
}
END_TEST

START_TEST(a_flipped_bit_is_found)
{
    char text[20000] = "";
    for (int i = 0; i < 100; i++)
        strcat(text, WS("1", "0", "the same again"));
    add_member(text);
    FILE *file = fopen(path, "rb+");
    fseek(file, -6, SEEK_END); /* in the checksum */
    int c = fgetc(file);
    fseek(file, -6, SEEK_END);
    fputc(c ^ 1, file);
    fclose(file);
    open_it();
    int got;
    while ((got = recording_next(recording, &line)) == 1)
        ;
    ck_assert_int_eq(got, E_IO);
}
END_TEST

START_TEST(what_cannot_be_opened_is_named)
{
    ck_assert_int_eq(recording_open("/nonexistent/x.gz", &recording, error, sizeof error), E_IO);
    ck_assert_ptr_nonnull(strstr(error, "/nonexistent/x.gz"));
    ck_assert_ptr_null(recording);
    char empty[] = "/tmp/recording_test_XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(empty));
    ck_assert_int_eq(recording_open(empty, &recording, error, sizeof error), E_IO);
    ck_assert_ptr_nonnull(strstr(error, "directory"));
    ck_assert_int_eq(rmdir(empty), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recording");
    TCase *tests = tcase_create("promises");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, lines_come_in_order_with_all_they_say);
    tcase_add_test(tests, several_members_are_one_recording);
    tcase_add_test(tests, a_plain_file_is_read_too_and_its_last_line_needs_no_end);
    tcase_add_test(tests, compressed_frames_are_handed_out_as_bytes);
    tcase_add_test(tests, an_unreadable_line_is_said_and_the_next_is_read);
    tcase_add_test(tests, a_line_longer_than_any_buffer_is_read_whole);
    tcase_add_test(tests, a_cut_file_gives_what_it_has_and_then_says_where_it_is_damaged);
    tcase_add_test(tests, a_flipped_bit_is_found);
    tcase_add_test(tests, what_cannot_be_opened_is_named);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
