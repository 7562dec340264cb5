/* The journal: what was written is read back, a torn tail is cut, damage is found and named, a full disk is
 * waited out, and nothing is ever served that was not written. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/runtime/journal_record.h"

static char dir[] = "/tmp/journal_test_XXXXXX";
static char error[JOURNAL_ERROR_MAX];
static struct journal *journal;
static const struct journal_options plain = {.segment_bytes = 1 << 20, .sync_every_ns = -1};
static const struct journal_options small = {.segment_bytes = 400, .sync_every_ns = -1};

static void empty_directory(void)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    while ((entry = readdir(d)) != NULL) {
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(d), entry->d_name, 0);
    }
    closedir(d);
}

static void setup(void)
{
    strcpy(dir, "/tmp/journal_test_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
    journal_close(&journal);
    empty_directory();
    rmdir(dir);
}

static void reopen(const struct journal_options *options)
{
    journal_close(&journal);
    ck_assert_msg(journal_open(dir, options, &journal, error) == OK, "%s", error);
}

/* A payload that can be told from its position, of a length that varies. */
static size_t payload_of(uint64_t pos, unsigned char out[64])
{
    const size_t len = pos * 7 % 41;
    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)(pos * 31 + i * 17 + 1);
    return len;
}

static void append(uint64_t epoch, uint64_t pos)
{
    unsigned char payload[64];
    const size_t len = payload_of(pos, payload);
    ck_assert_msg(journal_append(journal, epoch, pos, (int64_t)pos * 1000, payload, len) == OK, "%s",
                  journal_error(journal));
}

static void write_records(uint64_t epoch, uint64_t from, uint64_t to)
{
    for (uint64_t pos = from; pos <= to; pos++) {
        append(epoch, pos);
        ck_assert_msg(journal_write(journal) == OK, "%s", journal_error(journal));
    }
}

static struct journal_reader *reader_at(uint64_t from)
{
    struct journal_reader *reader;
    ck_assert_msg(journal_reader_open(dir, from, &reader, error) == OK, "%s", error);
    return reader;
}

static void expect(struct journal_reader *reader, uint64_t from, uint64_t to)
{
    struct journal_record record;
    unsigned char payload[64];
    for (uint64_t pos = from; pos <= to; pos++) {
        ck_assert_msg(journal_reader_next(reader, &record) == 1, "position %" PRIu64 ": %s", pos,
                      journal_reader_error(reader));
        ck_assert_uint_eq(record.pos, pos);
        ck_assert_int_eq(record.time_ns, (int64_t)pos * 1000);
        ck_assert_uint_eq(record.len, payload_of(pos, payload));
        ck_assert_mem_eq(record.payload, payload, record.len);
    }
}

static void expect_all(uint64_t from, uint64_t to)
{
    struct journal_record record;
    struct journal_reader *reader = reader_at(0);
    expect(reader, from, to);
    ck_assert_int_eq(journal_reader_next(reader, &record), 0);
    journal_reader_close(&reader);
}

static void path_of(uint64_t first_pos, char out[96])
{
    char name[SEGMENT_NAME];
    segment_name(first_pos, name);
    snprintf(out, 96, "%s/%s", dir, name);
}

static size_t load(uint64_t first_pos, unsigned char *bytes, size_t cap)
{
    char path[96];
    path_of(first_pos, path);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    const size_t len = fread(bytes, 1, cap, file);
    fclose(file);
    return len;
}

static void store(uint64_t first_pos, const unsigned char *bytes, size_t len)
{
    char path[96];
    path_of(first_pos, path);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

START_TEST(the_checksum_is_the_standard_one)
{
    ck_assert_uint_eq(crc32c("123456789", 9), 0xE3069283u);
    ck_assert_uint_eq(crc32c("", 0), 0);
}
END_TEST

START_TEST(what_is_written_is_read_back_in_order)
{
    reopen(&plain);
    ck_assert_uint_eq(journal_first_pos(journal), 0);
    ck_assert_uint_eq(journal_head_pos(journal), 0);
    append(1, 1);
    append(1, 2);
    ck_assert_uint_eq(journal_head_pos(journal), 0);
    expect_all(1, 0);
    ck_assert_int_eq(journal_write(journal), OK);
    ck_assert_uint_eq(journal_head_pos(journal), 2);
    ck_assert_uint_eq(journal_synced_pos(journal), 2);
    write_records(3, 3, 20);
    ck_assert_uint_eq(journal_head_epoch(journal), 3);
    expect_all(1, 20);
    struct journal_reader *reader = reader_at(15);
    expect(reader, 15, 20);
    write_records(3, 21, 22);
    expect(reader, 21, 22);
    journal_reader_close(&reader);
}
END_TEST

START_TEST(positions_and_epochs_that_do_not_follow_are_refused)
{
    static unsigned char big[JOURNAL_PAYLOAD_MAX + 1];
    reopen(&plain);
    ck_assert_int_eq(journal_append(journal, 1, 2, 0, "", 0), E_STATE);
    ck_assert_int_eq(journal_append(journal, 0, 1, 0, "", 0), E_STATE);
    append(5, 1);
    ck_assert_int_eq(journal_append(journal, 5, 1, 0, "", 0), E_STATE);
    ck_assert_int_eq(journal_append(journal, 4, 2, 0, "", 0), E_STATE);
    ck_assert_int_eq(journal_append(journal, 5, 2, 0, big, sizeof big), E_RANGE);
    ck_assert_int_eq(journal_append(journal, 5, 2, 0, big, sizeof big - 1), OK);
    int status = OK;
    uint64_t pos = 3;
    while (status == OK && pos < 1000)
        status = journal_append(journal, 5, pos++, 0, big, sizeof big - 1);
    ck_assert_int_eq(status, E_FULL);
    ck_assert_int_eq(journal_write(journal), OK);
    ck_assert_uint_eq(journal_head_pos(journal), pos - 2);
    struct journal_reader *reader = reader_at(pos - 2);
    struct journal_record record;
    ck_assert_int_eq(journal_reader_next(reader, &record), 1);
    ck_assert_uint_eq(record.len, sizeof big - 1);
    journal_reader_close(&reader);
}
END_TEST

START_TEST(a_reopened_journal_goes_on_where_it_was)
{
    reopen(&small);
    ck_assert_str_eq(error, "");
    for (uint64_t pos = 1; pos <= 60; pos++) {
        write_records(1 + pos / 10, pos, pos);
        reopen(&small);
        ck_assert_str_eq(error, "");
        ck_assert_uint_eq(journal_head_pos(journal), pos);
        ck_assert_uint_eq(journal_head_epoch(journal), 1 + pos / 10);
        ck_assert_uint_eq(journal_first_pos(journal), 1);
    }
    expect_all(1, 60);
}
END_TEST

START_TEST(segments_roll_by_size_and_whole_ones_are_freed)
{
    struct journal_record record;
    uint64_t first[64];
    reopen(&small);
    write_records(1, 1, 60);
    const int n = segments_list(dir, first, 64);
    ck_assert_int_gt(n, 5);
    struct journal_reader *early = reader_at(0), *late = reader_at(0);
    expect(early, 1, 3);
    ck_assert_int_eq(journal_free_below(journal, first[3] - 2), OK);
    ck_assert_uint_eq(journal_first_pos(journal), first[2]);
    ck_assert_int_eq(journal_free_below(journal, first[3] - 1), OK);
    ck_assert_uint_eq(journal_first_pos(journal), first[3]);
    expect_all(first[3], 60);
    expect(late, first[3], 60);
    expect(early, 4, first[1] - 1);
    ck_assert_int_eq(journal_reader_next(early, &record), E_ABSENT);
    char expected[128];
    snprintf(expected, sizeof expected, "%s: positions %" PRIu64 " to %" PRIu64 " are no longer there", dir,
             first[1], first[3] - 1);
    ck_assert_str_eq(journal_reader_error(early), expected);
    ck_assert_int_eq(journal_free_below(journal, UINT64_MAX - 1), OK);
    ck_assert_uint_eq(journal_first_pos(journal), first[n - 1]);
    reopen(&small);
    ck_assert_uint_eq(journal_head_pos(journal), 60);
    write_records(1, 61, 70);
    expect(late, 61, 70);
    journal_reader_close(&early);
    journal_reader_close(&late);
}
END_TEST

static uint64_t write_until_another(uint64_t pos)
{
    const uint64_t newest = journal_newest(journal);
    while (journal_newest(journal) == newest && pos < 100000) {
        write_records(1, pos, pos);
        pos++;
    }
    return pos;
}

/* With a thread that syncs on a rhythm, here never. */
START_TEST(a_full_segment_is_left_behind_a_sync_and_at_an_eighth_above_its_size_without)
{
    enum { SIZE = 64 * 1024 };
    const struct journal_options hourly = {.segment_bytes = SIZE,
                                           .sync_every_ns = 3600 * INT64_C(1000000000)};
    struct journal_segment first;
    reopen(&hourly);
    write_records(1, 1, 1);
    const uint64_t second = write_until_another(2) - 1;
    ck_assert(journal_oldest(journal, 0, &first));
    ck_assert_uint_ge(first.bytes, SIZE + SIZE / 8 - 128);
    ck_assert_uint_le(first.bytes, SIZE + SIZE / 8);
    uint64_t pos = second + 1;
    while (journal_bytes(journal) - first.bytes < SIZE + 200) {
        write_records(1, pos, pos);
        pos++;
    }
    ck_assert_uint_eq(journal_newest(journal), second);
    ck_assert_int_eq(journal_sync(journal), OK);
    write_records(1, pos, pos);
    ck_assert_uint_eq(journal_newest(journal), pos);
    ck_assert_uint_eq(journal_synced_pos(journal), pos - 1);
}
END_TEST

START_TEST(a_tail_torn_at_any_byte_is_cut_and_reported)
{
    static unsigned char bytes[4096];
    struct journal_record record;
    reopen(&plain);
    write_records(1, 1, 5);
    const size_t before = load(1, bytes, sizeof bytes);
    write_records(2, 6, 6);
    journal_close(&journal);
    const size_t whole = load(1, bytes, sizeof bytes);
    for (size_t len = before; len < whole; len++) {
        store(1, bytes, len);
        struct journal_reader *reader = reader_at(0);
        expect(reader, 1, 5);
        ck_assert_int_eq(journal_reader_next(reader, &record), 0);
        reopen(&plain);
        ck_assert_uint_eq(journal_head_pos(journal), 5);
        ck_assert_uint_eq(journal_head_epoch(journal), 1);
        if (len == before)
            ck_assert_str_eq(error, "");
        else
            ck_assert_ptr_nonnull(strstr(error, " bytes of a torn tail at offset "));
        write_records(3, 6, 7);
        expect(reader, 6, 7);
        journal_reader_close(&reader);
        expect_all(1, 7);
    }
    /* given zeros behind, as a file system may leave them: a tail as well */
    memset(bytes + before, 0, 1024);
    store(1, bytes, before + 1024);
    reopen(&plain);
    ck_assert_uint_eq(journal_head_pos(journal), 5);
}
END_TEST

START_TEST(a_segment_torn_in_its_creation_is_dropped)
{
    static unsigned char bytes[4096];
    uint64_t first[64];
    reopen(&small);
    write_records(1, 1, 30);
    journal_close(&journal);
    const int n = segments_list(dir, first, 64);
    const uint64_t last = first[n - 1];
    ck_assert_uint_ge(load(last, bytes, sizeof bytes), SEGMENT_HEADER);
    for (size_t len = 0; len <= SEGMENT_HEADER; len++) {
        store(last, bytes, len);
        reopen(&small);
        ck_assert_uint_eq(journal_head_pos(journal), last - 1);
        ck_assert_uint_eq(journal_head_epoch(journal), 1);
        ck_assert_int_eq(error[0] == '\0', len == SEGMENT_HEADER);
        write_records(1, last, last);
        expect_all(1, last);
        journal_close(&journal);
    }
}
END_TEST

/* Reads everything, and returns the first status that is not a record. */
static int read_through(uint64_t *last)
{
    struct journal_record record;
    struct journal_reader *reader = reader_at(0);
    int got;
    *last = 0;
    while ((got = journal_reader_next(reader, &record)) == 1) {
        unsigned char payload[64];
        ck_assert_uint_eq(record.pos, *last + 1);
        ck_assert_uint_eq(record.len, payload_of(record.pos, payload));
        ck_assert_mem_eq(record.payload, payload, record.len);
        *last = record.pos;
    }
    snprintf(error, sizeof error, "%s", journal_reader_error(reader));
    if (got < 0)
        ck_assert_int_eq(journal_reader_next(reader, &record), got);
    journal_reader_close(&reader);
    return got;
}

START_TEST(a_flipped_bit_anywhere_before_the_last_record_is_found_and_named)
{
    static unsigned char bytes[4096];
    size_t offset[11];
    char expected[128];
    reopen(&plain);
    for (uint64_t pos = 1; pos <= 10; pos++) {
        offset[pos] = pos == 1 ? SEGMENT_HEADER : load(1, bytes, sizeof bytes);
        write_records(1, pos, pos);
    }
    journal_close(&journal);
    const size_t len = load(1, bytes, sizeof bytes);
    for (size_t at = 0; at < offset[10]; at++) {
        for (int bit = 0; bit < 8; bit++) {
            uint64_t hit = 1, last;
            while (hit < 10 && offset[hit + 1] <= at)
                hit++;
            bytes[at] ^= (unsigned char)(1 << bit);
            store(1, bytes, len);
            bytes[at] ^= (unsigned char)(1 << bit);
            ck_assert_msg(read_through(&last) == E_CORRUPT, "byte %zu bit %d", at, bit);
            ck_assert_uint_eq(last, hit - 1);
            snprintf(expected, sizeof expected,
                     "%s/00000000000000000001.log: offset %zu, position %" PRIu64 ": ", dir,
                     at < SEGMENT_HEADER ? 0 : offset[hit], hit);
            ck_assert_msg(strncmp(error, expected, strlen(expected)) == 0, "got: %s", error);
            ck_assert_int_eq(journal_open(dir, &plain, &journal, error), E_CORRUPT);
            ck_assert_msg(strncmp(error, expected, strlen(expected)) == 0, "got: %s", error);
            ck_assert_ptr_null(journal);
        }
    }
}
END_TEST

START_TEST(damage_at_the_end_of_an_older_segment_is_no_tail)
{
    static unsigned char bytes[4096];
    uint64_t first[64], last;
    reopen(&small);
    write_records(1, 1, 60);
    const int n = segments_list(dir, first, 64);
    ck_assert_int_gt(n, 3);
    const size_t len = load(first[1], bytes, sizeof bytes);
    store(first[1], bytes, len - 1);
    ck_assert_int_eq(read_through(&last), E_CORRUPT);
    ck_assert_uint_eq(last, first[2] - 2);
    store(first[1], bytes, SEGMENT_HEADER);
    ck_assert_int_eq(read_through(&last), E_CORRUPT);
    ck_assert_uint_eq(last, first[1] - 1);
    char path[96];
    path_of(first[1], path);
    unlink(path);
    ck_assert_int_eq(read_through(&last), E_CORRUPT);
    ck_assert_uint_eq(last, first[1] - 1);
}
END_TEST

START_TEST(one_process_owns_a_journal_at_a_time)
{
    struct journal *second;
    reopen(&plain);
    ck_assert_int_eq(journal_open(dir, &plain, &second, error), E_BUSY);
    ck_assert_ptr_null(second);
    char expected[96];
    snprintf(expected, sizeof expected, "%s: in use by process %ld", dir, (long)getpid());
    ck_assert_str_eq(error, expected);
    reopen(&plain);
}
END_TEST

/* A file size limit stands for the full disk: in the middle of a segment (loop 0), or in a new one's (loop
 * 1). */
START_TEST(a_full_disk_loses_and_invents_nothing)
{
    struct rlimit limit;
    struct stat file;
    char path[96];
    int refused = 0;
    uint64_t pos = 21;
    reopen(_i == 0 ? &plain : &small);
    write_records(1, 1, 20);
    path_of(1, path);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    const rlim_t unlimited = limit.rlim_cur;
    for (rlim_t room = 0; room < 500; room += 3) {
        ck_assert_int_eq(stat(path, &file), 0);
        for (int i = 0; i < 8; i++)
            append(1, pos++);
        limit.rlim_cur = _i == 0 ? (rlim_t)file.st_size + room : room;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        const int first = journal_write(journal), second = journal_write(journal);
        limit.rlim_cur = unlimited;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        ck_assert_int_eq(first, second);
        if (first != OK) {
            refused++;
            ck_assert_int_eq(first, E_IO);
            ck_assert_ptr_nonnull(strstr(journal_error(journal), "File too large"));
            ck_assert_uint_eq(journal_head_pos(journal), pos - 9);
            expect_all(1, pos - 9);
            if (room % 2 ==
                0) { /* the process goes away while the disk is full: nothing of the batch was written */
                limit.rlim_cur = _i == 0 ? (rlim_t)file.st_size : 0;
                setrlimit(RLIMIT_FSIZE, &limit);
                journal_close(&journal);
                limit.rlim_cur = unlimited;
                setrlimit(RLIMIT_FSIZE, &limit);
                pos -= 8;
                reopen(_i == 0 ? &plain : &small);
                ck_assert_str_eq(error, "");
            }
        }
        ck_assert_msg(journal_write(journal) == OK, "%s", journal_error(journal));
        ck_assert_uint_eq(journal_head_pos(journal), pos - 1);
        expect_all(1, pos - 1);
    }
    ck_assert_int_gt(refused, 60);
    reopen(&plain);
    ck_assert_str_eq(error, "");
    ck_assert_uint_eq(journal_head_pos(journal), pos - 1);
}
END_TEST

START_TEST(the_synced_position_follows_on_its_rhythm)
{
    const struct journal_options rhythm = {.segment_bytes = 400, .sync_every_ns = 2000000};
    const struct journal_options slow = {.segment_bytes = 1 << 20, .sync_every_ns = INT64_C(3600000000000)};
    const struct journal_options always = {.segment_bytes = 1 << 20, .sync_every_ns = 0};
    reopen(&rhythm);
    write_records(1, 1, 30);
    for (int i = 0; i < 5000 && journal_synced_pos(journal) < 30; i++)
        usleep(1000);
    ck_assert_uint_eq(journal_synced_pos(journal), 30);
    reopen(&slow);
    write_records(1, 31, 32);
    ck_assert_uint_eq(journal_synced_pos(journal), 30);
    ck_assert_int_eq(journal_sync(journal), OK);
    ck_assert_uint_eq(journal_synced_pos(journal), 32);
    reopen(&always);
    write_records(1, 33, 33);
    ck_assert_uint_eq(journal_synced_pos(journal), 33);
}
END_TEST

START_TEST(a_reader_in_another_process_follows_and_a_killed_owner_loses_nothing_written)
{
    enum { LAST = 20000 };
    const struct journal_options options = {.segment_bytes = 20000, .sync_every_ns = 1000000};
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        journal_open(dir, &options, &journal, error);
        for (uint64_t pos = 1; pos <= LAST; pos++) {
            append(1, pos);
            if (pos % 3 == 0 || pos == LAST)
                journal_write(journal);
        }
        kill(getpid(), SIGKILL);
    }
    struct journal_reader *reader = reader_at(0);
    struct journal_record record;
    uint64_t next = 1;
    for (int idle = 0; next <= LAST && idle < 20000;) {
        const int got = journal_reader_next(reader, &record);
        ck_assert_msg(got >= 0, "%s", journal_reader_error(reader));
        if (got == 0) {
            idle++;
            usleep(500);
            continue;
        }
        ck_assert_uint_eq(record.pos, next);
        next++;
    }
    ck_assert_uint_eq(next, LAST + 1);
    journal_reader_close(&reader);
    waitpid(child, NULL, 0);
    reopen(&plain);
    ck_assert_uint_eq(journal_head_pos(journal), LAST);
    expect_all(1, LAST);
}
END_TEST

START_TEST(an_absent_directory_is_made_by_its_owner_and_named_to_a_reader)
{
    char deep[96];
    struct journal_reader *reader;
    snprintf(deep, sizeof deep, "%s/a/b", dir);
    ck_assert_int_eq(journal_reader_open(deep, 1, &reader, error), E_IO);
    ck_assert_ptr_nonnull(strstr(error, "/a/b: No such file or directory"));
    ck_assert_int_eq(journal_open(deep, &plain, &journal, error), OK);
    write_records(1, 1, 1);
    journal_close(&journal);
    char command[160];
    snprintf(command, sizeof command, "rm -r %s/a", dir);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
    TCase *promises = tcase_create("journal");
    tcase_set_timeout(promises, 60);
    tcase_add_checked_fixture(promises, setup, teardown);
    tcase_add_test(promises, the_checksum_is_the_standard_one);
    tcase_add_test(promises, what_is_written_is_read_back_in_order);
    tcase_add_test(promises, positions_and_epochs_that_do_not_follow_are_refused);
    tcase_add_test(promises, a_reopened_journal_goes_on_where_it_was);
    tcase_add_test(promises, segments_roll_by_size_and_whole_ones_are_freed);
    tcase_add_test(promises, a_full_segment_is_left_behind_a_sync_and_at_an_eighth_above_its_size_without);
    tcase_add_test(promises, a_tail_torn_at_any_byte_is_cut_and_reported);
    tcase_add_test(promises, a_segment_torn_in_its_creation_is_dropped);
    tcase_add_test(promises, a_flipped_bit_anywhere_before_the_last_record_is_found_and_named);
    tcase_add_test(promises, damage_at_the_end_of_an_older_segment_is_no_tail);
    tcase_add_test(promises, one_process_owns_a_journal_at_a_time);
    tcase_add_loop_test(promises, a_full_disk_loses_and_invents_nothing, 0, 2);
    tcase_add_test(promises, the_synced_position_follows_on_its_rhythm);
    tcase_add_test(promises, a_reader_in_another_process_follows_and_a_killed_owner_loses_nothing_written);
    tcase_add_test(promises, an_absent_directory_is_made_by_its_owner_and_named_to_a_reader);
    Suite *suite = suite_create("journal");
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
