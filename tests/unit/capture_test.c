/* What a capture promises: what it wrote is read back byte for byte, a hole is never read over, and it holds nobody up. */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/rng.h"
#include "services/feed/capture.h"
#include "venues/recording.h"

enum { TEXT_MAX = 4096 };

static const char url[] = "wss://stream.binance.com:9443/stream?streams=\"a\\b\"";
static char dir[64];
static struct capture *capture;
static struct capture_options options;
static struct recording *recording;
static struct recorded_line line;

static void begin(void)
{
    strcpy(dir, "/tmp/capture_test_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    options = (struct capture_options){.dir = dir,
                                       .rotate_bytes = 1 << 30,
                                       .rotate_ns = 3600 * NS_PER_SEC,
                                       .keep_bytes = INT64_C(1) << 40,
                                       .buffer_bytes = 1 << 20};
}

static void start(int64_t utc_s)
{
    char error[256];
    ck_assert_msg(capture_open(&options, utc_s * NS_PER_SEC, &capture, error, sizeof error) == OK, "%s",
                  error);
}

static void end(void)
{
    char command[96];
    capture_close(&capture);
    recording_close(&recording);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static struct frame frame_of(enum frame_kind kind, uint32_t conn, const char *text, size_t len, int64_t ns)
{
    return (struct frame){.kind = kind, .conn = conn, .url = url, .text = text, .len = len, .recv_ns = ns};
}

static void give(enum frame_kind kind, uint32_t conn, const char *text)
{
    struct frame frame = frame_of(kind, conn, text, strlen(text), 1);
    capture_frame(capture, &frame, (struct line_form){0});
}

static void read_back(void)
{
    char error[256];
    capture_close(&capture);
    ck_assert_msg(recording_open(dir, &recording, error, sizeof error) == OK, "%s", error);
}

static void expect(enum frame_kind kind, uint32_t conn, const char *text)
{
    ck_assert_msg(recording_next(recording, &line) == 1, "%s", recording_error(recording));
    ck_assert_msg(line.readable, "%s", recording_error(recording));
    ck_assert_int_eq(line.frame.kind, kind);
    ck_assert_uint_eq(line.frame.conn, conn);
    ck_assert_str_eq(line.frame.url, url);
    ck_assert_uint_eq(line.frame.len, strlen(text));
    ck_assert_mem_eq(line.frame.text, text, line.frame.len);
}

static void expect_end(void)
{
    ck_assert_int_eq(recording_next(recording, &line), 0);
}

static int64_t metric(const char *name)
{
    static struct reply reply;
    memset(&reply, 0, sizeof reply);
    capture_status(capture, &reply);
    for (uint32_t i = 0; i < reply.n_metrics; i++)
        if (strcmp(reply.metrics[i].name, name) == 0)
            return reply.metrics[i].value;
    ck_abort_msg("no metric %s", name);
    return 0;
}

static int files(void)
{
    int n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *entry; (entry = readdir(d)) != NULL;)
        n += strstr(entry->d_name, ".jsonl.gz") != NULL;
    closedir(d);
    return n;
}

static void random_text(struct rng *rng, char *text, size_t *len)
{
    static const char pieces[] = "ab{}[]:,\"\\\n\t\001\x7f\xc3\xa9\xff\xf0\x9f\x98\x80\xed\xa0\x80";
    bool ascii = rng_below(rng, 2);
    *len = rng_below(rng, TEXT_MAX);
    for (size_t i = 0; i < *len; i++)
        text[i] = ascii ? (char)(' ' + rng_below(rng, 95)) : pieces[rng_below(rng, sizeof pieces)];
}

START_TEST(any_text_is_read_back_byte_for_byte_with_its_time_and_way)
{
    static char texts[64][TEXT_MAX];
    size_t lens[64];
    struct rng rng;
    rng_seed(&rng, 3);
    start(1);
    for (uint32_t i = 0; i < 64; i++) {
        random_text(&rng, texts[i], &lens[i]);
        struct frame frame =
            frame_of(i % 3 ? FRAME_WS : FRAME_HTTP, i, texts[i], lens[i], INT64_C(1723161254206652067) + i);
        capture_frame(capture, &frame, (struct line_form){.outbound = i % 2, .binary = i % 5 == 0});
    }
    read_back();
    for (uint32_t i = 0; i < 64; i++) {
        ck_assert_int_eq(recording_next(recording, &line), 1);
        ck_assert_msg(line.readable, "%s", recording_error(recording));
        ck_assert_int_eq(line.inbound, i % 2 == 0);
        ck_assert_int_eq(line.frame.recv_ns, INT64_C(1723161254206652067) + i);
        ck_assert_uint_eq(line.frame.len, lens[i]);
        ck_assert_mem_eq(line.frame.text, texts[i], lens[i]);
    }
    expect_end();
}
END_TEST

START_TEST(behind_a_hole_each_connection_begins_anew)
{
    char big[TEXT_MAX];
    options.buffer_bytes = 2 * TEXT_MAX;
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    start(1);
    give(FRAME_CONNECT, 1, "");
    give(FRAME_WS, 1, "one");
    for (int i = 0; i < 3; i++) /* two of them find no room before the thread comes */
        give(FRAME_WS, 1, big);
    ck_assert_int_gt(metric("capture_lost"), 0);
    usleep(300000);
    give(FRAME_WS, 1, "two");
    give(FRAME_WS, 2, "three");
    give(FRAME_WS, 1, "four");
    read_back();
    expect(FRAME_CONNECT, 1, "");
    expect(FRAME_WS, 1, "one");
    expect(FRAME_WS, 1, big);
    expect(FRAME_CONNECT, 1, "");
    expect(FRAME_WS, 1, "two");
    expect(FRAME_CONNECT, 2, "");
    expect(FRAME_WS, 2, "three");
    expect(FRAME_WS, 1, "four");
    expect_end();
}
END_TEST

START_TEST(another_life_of_the_feed_closes_what_the_one_before_had_open)
{
    start(1);
    give(FRAME_CONNECT, 1, "");
    give(FRAME_CONNECT, 2, "");
    give(FRAME_WS, 2, "a");
    capture_close(&capture);
    start(2);
    give(FRAME_CONNECT, 1, "");
    read_back();
    expect(FRAME_CONNECT, 1, "");
    expect(FRAME_CONNECT, 2, "");
    expect(FRAME_WS, 2, "a");
    expect(FRAME_CLOSE, 2, "");
    expect(FRAME_CLOSE, 1, "");
    expect(FRAME_CONNECT, 1, "");
    expect_end();
}
END_TEST

START_TEST(two_lives_in_one_second_write_two_files)
{
    for (int i = 0; i < 2; i++) {
        start(1);
        give(FRAME_WS, 1, i ? "b" : "a");
        capture_close(&capture);
    }
    ck_assert_int_eq(files(), 2);
    read_back();
    expect(FRAME_WS, 1, "a");
    expect(FRAME_WS, 1, "b");
    expect_end();
}
END_TEST

START_TEST(files_roll_by_size_and_the_oldest_go)
{
    options.rotate_bytes = 1; /* at every member */
    options.keep_bytes = 1;
    start(1);
    for (int i = 0; i < 3; i++) {
        give(FRAME_WS, 1, i == 2 ? "last" : "earlier");
        usleep(1200000);
    }
    ck_assert_int_eq(metric("capture_failures"), 0);
    read_back();
    ck_assert_int_eq(files(), 1);
    expect(FRAME_WS, 1, "last");
    expect_end();
}
END_TEST

START_TEST(a_file_that_a_kill_cut_short_is_read_to_its_end_and_the_next_one_after_it)
{
    char path[512];
    start(1);
    give(FRAME_WS, 1, "whole");
    usleep(1300000); /* its member is finished */
    char text[TEXT_MAX];
    struct rng rng;
    rng_seed(&rng, 5);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('!' + rng_below(&rng, 90));
    text[sizeof text - 1] = '\0';
    give(FRAME_WS, 1, text);
    capture_close(&capture);
    snprintf(path, sizeof path, "%s/19700101T000001Z-000001.jsonl.gz", dir);
    struct stat about;
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_int_eq(truncate(path, about.st_size - 500), 0);
    start(2);
    give(FRAME_WS, 3, "next");
    read_back();
    expect(FRAME_WS, 1, "whole");
    expect(FRAME_CLOSE, 1, "");
    expect(FRAME_WS, 3, "next");
    expect_end();
}
END_TEST

START_TEST(what_cannot_be_written_is_counted_and_the_capture_goes_on_when_it_can)
{
    start(1);
    ck_assert_int_eq(rmdir(dir), 0);
    give(FRAME_WS, 1, "lost");
    usleep(200000);
    ck_assert_int_eq(metric("capture_lost"), 1);
    ck_assert_int_gt(metric("capture_failures"), 0);
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    usleep(1100000);
    give(FRAME_WS, 1, "kept");
    read_back();
    expect(FRAME_CONNECT, 1, "");
    expect(FRAME_WS, 1, "kept");
    expect_end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("capture");
    TCase *tests = tcase_create("promises");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, any_text_is_read_back_byte_for_byte_with_its_time_and_way);
    tcase_add_test(tests, behind_a_hole_each_connection_begins_anew);
    tcase_add_test(tests, another_life_of_the_feed_closes_what_the_one_before_had_open);
    tcase_add_test(tests, two_lives_in_one_second_write_two_files);
    tcase_add_test(tests, files_roll_by_size_and_the_oldest_go);
    tcase_add_test(tests, a_file_that_a_kill_cut_short_is_read_to_its_end_and_the_next_one_after_it);
    tcase_add_test(tests, what_cannot_be_written_is_counted_and_the_capture_goes_on_when_it_can);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
