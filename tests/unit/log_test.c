/* Log lines: whole, one per event, safe to read by machines, and never in the caller's way. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/runtime/log.h"

static char path[64];
static char text[1 << 20];

static void setup(void)
{
    strcpy(path, "/tmp/log_test_XXXXXX");
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    const int null = open("/dev/null", O_WRONLY);
    dup2(null, STDERR_FILENO);
    close(null);
}

static void teardown(void)
{
    log_close();
    unlink(path);
}

static const char *written(void)
{
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* Compares behind the time, which stands first in both formats. */
static void expect_line(const char *format, const char *expected)
{
    const char *line = written();
    const size_t time =
        strlen("2024-08-08T23:54:13.937085768Z") + (strcmp(format, "json") == 0 ? strlen("{\"time\":\"") : 0);
    ck_assert_uint_gt(strlen(line), time);
    ck_assert_str_eq(line + time, expected);
}

static size_t lines(void)
{
    size_t n = 0;
    for (const char *c = written(); *c != '\0'; c++)
        n += *c == '\n';
    return n;
}

START_TEST(a_line_has_time_level_service_event_and_pairs)
{
    const char *format = _i == 0 ? "text" : "json";
    ck_assert_int_eq(log_open("risk", path, "info", format), OK);
    log_line(LOG_WARN, "book-stale", "symbol=%s reason=%s n=%d", "BTC-USDT", "beat late", 5);
    log_flush();
    expect_line(
        format,
        _i == 0
            ? " warn risk book-stale symbol=BTC-USDT reason=\"beat late\" n=5\n"
            : "\",\"level\":\"warn\",\"service\":\"risk\",\"event\":\"book-stale\",\"symbol\":\"BTC-USDT\","
              "\"reason\":\"beat late\",\"n\":\"5\"}\n");
}
END_TEST

START_TEST(nothing_in_a_value_can_end_a_line_or_a_string)
{
    const char *format = _i == 0 ? "text" : "json";
    ck_assert_int_eq(log_open("risk", path, "info", format), OK);
    log_line(LOG_INFO, "odd", "a=%s b=\"%s\" c=%s", "x\ny\"z\\ \x1b[1m", "v.yaml:3: x=\"1\" is bad\r", "");
    log_flush();
    expect_line(
        format,
        _i == 0
            ? " info risk odd a=\"x\\ny\\\"z\\\\ \\u001b[1m\" b=\"v.yaml:3: x=\\\"1\\\" is bad\\r\" c=\"\"\n"
            : "\",\"level\":\"info\",\"service\":\"risk\",\"event\":\"odd\",\"a\":\"x\\ny\\\"z\\\\ "
              "\\u001b[1m\","
              "\"b\":\"v.yaml:3: x=\\\"1\\\" is bad\\r\",\"c\":\"\"}\n");
}
END_TEST

START_TEST(a_line_that_is_too_long_is_cut_and_still_whole)
{
    static char big[5000];
    memset(big, '"', sizeof big - 1);
    ck_assert_int_eq(log_open("risk", path, "info", "json"), OK);
    log_line(LOG_INFO, "big", "ok=1 a=%s", big);
    log_flush();
    expect_line("json",
                "\",\"level\":\"info\",\"service\":\"risk\",\"event\":\"big\",\"ok\":\"1\",\"cut\":true}\n");
}
END_TEST

START_TEST(lines_below_the_level_are_left_out)
{
    ck_assert_int_eq(log_open("risk", path, "warn", "text"), OK);
    log_line(LOG_INFO, "one", "a=1");
    log_line(LOG_WARN, "two", "a=1");
    log_line(LOG_ERROR, "three", "a=1");
    log_flush();
    ck_assert_uint_eq(lines(), 2);
}
END_TEST

START_TEST(equal_lines_within_a_second_are_counted)
{
    ck_assert_int_eq(log_open("risk", path, "info", "text"), OK);
    for (int i = 0; i < 18; i++)
        log_line(LOG_WARN, "late", "n=%d", i);
    log_line(LOG_ERROR, "late", "n=%d", 99);
    log_flush();
    ck_assert_uint_eq(lines(), 3);
    ck_assert_ptr_nonnull(strstr(text, " warn risk late n=0\n"));
    ck_assert_ptr_nonnull(strstr(text, " warn risk late repeated=17\n"));
    ck_assert_ptr_nonnull(strstr(text, " error risk late n=99\n"));
    log_line(LOG_ERROR, "late", "n=%d", 99);
    log_close();
    ck_assert_ptr_nonnull(strstr(written(), " error risk late repeated=1\n"));
}
END_TEST

START_TEST(a_full_ring_drops_and_counts_the_newest_and_waits_for_nobody)
{
    int ends[2];
    char byte[4096];
    size_t got = 0, total = 0;
    ck_assert_int_eq(pipe(ends), 0);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    memset(byte, '.', sizeof byte);
    while (write(ends[1], byte, sizeof byte) > 0)
        total += sizeof byte;
    fcntl(ends[1], F_SETFL, 0); /* a full pipe that would block whoever writes */
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    dup2(ends[1], STDERR_FILENO);
    ck_assert_int_eq(log_open("risk", NULL, "info", "text"), OK);
    for (int i = 0; i < 20000; i++) {
        log_line(LOG_INFO, i % 2 == 0 ? "even" : "odd", "n=%d", i);
        log_flush();
    }
    FILE *kept = fopen(path, "we");
    ck_assert_ptr_nonnull(kept);
    for (ssize_t n; (n = read(ends[0], byte, sizeof byte)) > 0; log_flush()) {
        const size_t dots = got < total ? (size_t)n : 0; /* what the pipe was filled with */
        got += (size_t)n;
        fwrite(byte + dots, 1, (size_t)n - dots, kept);
    }
    fclose(kept);
    ck_assert_ptr_nonnull(strstr(written(), "n=0\n"));
    const char *dropped = strstr(text, " warn risk log dropped=");
    ck_assert_ptr_nonnull(dropped);
    ck_assert_uint_eq(lines() - 1 + strtoul(dropped + strlen(" warn risk log dropped="), NULL, 10), 20000);
    dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

/* As long as lines go out whole, and not as the repetition of the one before. */
static void write_bytes(size_t bytes)
{
    static char value[1900];
    memset(value, 'v', sizeof value - 1);
    for (size_t done = 0; done < bytes; done += sizeof value) {
        log_line(LOG_INFO, done / sizeof value % 2 ? "one" : "other", "value=%s", value);
        log_flush();
    }
}

START_TEST(a_file_that_has_its_bound_is_kept_and_a_new_one_begun)
{
    char kept[80];
    struct stat one, other;
    snprintf(kept, sizeof kept, "%s.1", path);
    ck_assert_int_eq(log_open("risk", path, "info", "text"), OK);
    for (int i = 0; i < 2; i++) {
        write_bytes(LOG_FILE_BYTES);
        log_line(LOG_INFO, "last", "round=%d", i);
        log_flush();
        ck_assert_int_eq(stat(path, &one), 0);
        ck_assert_int_eq(stat(kept, &other), 0);
        ck_assert_int_ge(other.st_size, LOG_FILE_BYTES);
        ck_assert_int_lt(other.st_size, LOG_FILE_BYTES + 4096);
        ck_assert_int_lt(one.st_size, LOG_FILE_BYTES / 4);
    }
    log_close();
    char end[64] = "";
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, -(long)strlen("last round=1\n"), SEEK_END), 0);
    ck_assert_uint_gt(fread(end, 1, sizeof end - 1, file), 0);
    fclose(file);
    ck_assert_str_eq(end, "last round=1\n");
    unlink(kept);
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_is_an_error)
{
    ck_assert_int_eq(log_open("risk", "/nonexistent/log", "info", "text"), E_IO);
}
END_TEST

int main(void)
{
    TCase *promises = tcase_create("log");
    tcase_add_checked_fixture(promises, setup, teardown);
    tcase_set_timeout(promises, 30);
    tcase_add_loop_test(promises, a_line_has_time_level_service_event_and_pairs, 0, 2);
    tcase_add_loop_test(promises, nothing_in_a_value_can_end_a_line_or_a_string, 0, 2);
    tcase_add_test(promises, a_line_that_is_too_long_is_cut_and_still_whole);
    tcase_add_test(promises, lines_below_the_level_are_left_out);
    tcase_add_test(promises, equal_lines_within_a_second_are_counted);
    tcase_add_test(promises, a_full_ring_drops_and_counts_the_newest_and_waits_for_nobody);
    tcase_add_test(promises, a_file_that_has_its_bound_is_kept_and_a_new_one_begun);
    tcase_add_test(promises, a_file_that_cannot_be_opened_is_an_error);
    Suite *suite = suite_create("log");
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
