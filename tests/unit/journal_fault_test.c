/* A journal on a disk that fails: what could not be written waits, and nothing is lost, doubled or served in halves;
 * after a sync that failed nothing is believed before it was written anew. */
#define disk_open     whole_disk_open
#define disk_write    whole_disk_write
#define disk_sync     whole_disk_sync
#define disk_sync_dir whole_disk_sync_dir
#include "lib/runtime/disk.c"
#undef disk_open
#undef disk_write
#undef disk_sync
#undef disk_sync_dir

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/runtime/journal_record.h"

int disk_open(int dir, const char *name, int flags);
ssize_t disk_write(int fd, const void *bytes, size_t len, off_t at);
int disk_sync(int fd);
int disk_sync_dir(int dir);

/* ---- the disk ------------------------------------------------------------------------------------------ */

static int64_t space;              /* bytes that can still be written; -1 = no end to it */
static int writes_to_go;           /* writes until one fails with EIO, half done; -1 = none does */
static int syncs_to_go;            /* the same for fdatasync */
static int dir_syncs_to_go;        /* and for fsync of the directory */
static uint64_t bytes_put, synced; /* counters */

static bool fails(int *to_go)
{
    if (*to_go < 0 || (*to_go)-- > 0)
        return false;
    errno = EIO;
    return true;
}

int disk_open(int dir, const char *name, int flags)
{
    if ((flags & O_CREAT) && space == 0 && (strstr(name, ".log") || strstr(name, "sync-"))) {
        errno = ENOSPC;
        return -1;
    }
    return whole_disk_open(dir, name, flags);
}

ssize_t disk_write(int fd, const void *bytes, size_t len, off_t at)
{
    if (fails(&writes_to_go)) {
        (void)whole_disk_write(fd, bytes, len / 2, at);
        errno = EIO;
        return -1;
    }
    if (space == 0) {
        errno = ENOSPC;
        return -1;
    }
    const size_t put = space < 0 || (int64_t)len < space ? len : (size_t)space;
    space -= space < 0 ? 0 : (int64_t)put;
    bytes_put += put;
    return whole_disk_write(fd, bytes, put, at);
}

int disk_sync(int fd)
{
    if (fails(&syncs_to_go))
        return -1;
    synced++;
    return whole_disk_sync(fd);
}

int disk_sync_dir(int dir)
{
    return fails(&dir_syncs_to_go) ? -1 : whole_disk_sync_dir(dir);
}

/* ---- the journal --------------------------------------------------------------------------------------- */

enum { SEGMENT_BYTES = 400 };

static char dir[40], error[JOURNAL_ERROR_MAX];
static struct journal *journal;
static const struct journal_options never = {.segment_bytes = SEGMENT_BYTES, .sync_every_ns = -1};
static const struct journal_options always = {.segment_bytes = SEGMENT_BYTES, .sync_every_ns = 0};

static void heal(void)
{
    space = writes_to_go = syncs_to_go = dir_syncs_to_go = -1;
}

static void setup(void)
{
    heal();
    strcpy(dir, "/tmp/journal_fault_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static int remove_one(void *ctx, const char *name)
{
    if (name[0] != '.')
        (void)unlinkat(*(int *)ctx, name, 0);
    return 0;
}

static void teardown(void)
{
    heal();
    journal_close(&journal);
    int fd = disk_dir(dir, false);
    (void)disk_list(fd, remove_one, &fd);
    disk_close(fd);
    (void)rmdir(dir);
}

static void open_journal(const struct journal_options *options)
{
    journal_close(&journal);
    ck_assert_msg(journal_open(dir, options, &journal, error) == OK, "%s", error);
}

static int append(uint64_t pos)
{
    return journal_append(journal, 1, pos, (int64_t)pos, &pos, sizeof pos);
}

static void expect_all(uint64_t last)
{
    struct journal_reader *reader;
    struct journal_record record;
    uint64_t pos = 0, payload;
    ck_assert_int_eq(journal_reader_open(dir, 0, &reader, error), OK);
    while (journal_reader_next(reader, &record) == 1) {
        ck_assert_uint_eq(record.pos, ++pos);
        ck_assert_uint_eq(record.len, sizeof payload);
        memcpy(&payload, record.payload, sizeof payload);
        ck_assert_uint_eq(payload, pos);
    }
    ck_assert_str_eq(journal_reader_error(reader), "");
    journal_reader_close(&reader);
    ck_assert_uint_eq(pos, last);
}

/* Thirty records over several segments, some of them several in one write; where a write fails, the disk heals after
 * three more that fail, and the same write is made again. */
static void write_thirty(void (*hurt)(void))
{
    for (uint64_t pos = 1; pos <= 30;) {
        for (uint64_t most = pos + pos % 3; pos <= most && pos <= 30; pos++)
            ck_assert_int_eq(append(pos), OK);
        const uint64_t before = journal_head_pos(journal);
        int failures = 0;
        while (journal_write(journal) != OK) {
            ck_assert_uint_eq(journal_head_pos(journal), before);
            ck_assert_str_ne(journal_error(journal), "");
            expect_all(before);
            if (++failures == 4)
                heal();
            else
                hurt();
        }
        ck_assert_uint_eq(journal_head_pos(journal), pos - 1);
    }
    expect_all(30);
    open_journal(&never);
    ck_assert_str_eq(error, "");
    ck_assert_uint_eq(journal_head_pos(journal), 30);
    expect_all(30);
}

static void stay_full(void)
{
    space = 0;
}

START_TEST(a_disk_that_is_full_at_any_byte_loses_and_doubles_nothing)
{
    open_journal(_i % 2 ? &always : &never);
    space = _i * 7;
    write_thirty(stay_full);
}
END_TEST

static void fail_next_write(void)
{
    writes_to_go = 0;
}

START_TEST(a_write_that_fails_half_done_is_made_again_whole)
{
    open_journal(_i % 2 ? &always : &never);
    writes_to_go = _i;
    write_thirty(fail_next_write);
}
END_TEST

START_TEST(a_full_disk_at_the_end_of_a_process_leaves_what_was_written)
{
    open_journal(&never);
    for (uint64_t pos = 1; pos <= 5; pos++) {
        ck_assert_int_eq(append(pos), OK);
        ck_assert_int_eq(journal_write(journal), OK);
    }
    space = 20;
    ck_assert_int_eq(append(6), OK);
    ck_assert_int_eq(journal_write(journal), E_IO);
    journal_close(&journal);
    heal();
    open_journal(&never);
    ck_assert_uint_eq(journal_head_pos(journal), 5);
    expect_all(5);
}
END_TEST

START_TEST(a_segment_whose_making_fails_leaves_no_file_and_is_made_again)
{
    open_journal(&always);
    if (_i == 0)
        syncs_to_go = 0; /* of the first segment's header */
    else
        dir_syncs_to_go = 0;
    ck_assert_int_eq(append(1), OK);
    ck_assert_int_eq(journal_write(journal), E_IO);
    ck_assert(!journal_doubtful(journal));
    struct stat file;
    char path[80];
    (void)snprintf(path, sizeof path, "%s/00000000000000000001.log", dir);
    ck_assert_int_eq(stat(path, &file), -1);
    ck_assert_int_eq(journal_write(journal), OK);
    expect_all(1);
}
END_TEST

static bool doubt_is_noted(void)
{
    struct stat file;
    char path[80];
    (void)snprintf(path, sizeof path, "%s/sync-failed", dir);
    return stat(path, &file) == 0;
}

START_TEST(after_a_failed_sync_nothing_counts_until_the_next_process_has_written_it_anew)
{
    open_journal(&always);
    for (uint64_t pos = 1; pos <= 3; pos++) {
        ck_assert_int_eq(append(pos), OK);
        ck_assert_int_eq(journal_write(journal), OK);
    }
    ck_assert_int_eq(append(4), OK);
    syncs_to_go = 0;
    ck_assert_int_eq(journal_write(journal), E_IO);
    ck_assert_ptr_nonnull(strstr(journal_error(journal), "fdatasync"));
    ck_assert(journal_doubtful(journal));
    for (int tries = 0; tries < 3; tries++) {
        ck_assert_int_eq(journal_write(journal), E_IO);
        ck_assert_int_eq(journal_sync(journal), E_IO);
    }
    ck_assert_uint_eq(journal_head_pos(journal), 3);
    ck_assert_uint_eq(journal_synced_pos(journal), 3);
    ck_assert(doubt_is_noted());
    journal_close(&journal);
    bytes_put = synced = 0;
    struct stat file;
    char path[80];
    (void)snprintf(path, sizeof path, "%s/00000000000000000001.log", dir);
    ck_assert_int_eq(stat(path, &file), 0);
    open_journal(&always);
    ck_assert_uint_ge(bytes_put, (uint64_t)file.st_size);
    ck_assert_uint_ge(synced, 1);
    ck_assert(!doubt_is_noted());
    ck_assert_uint_eq(journal_head_pos(journal), 4); /* it was in the file, and is on disk now */
    ck_assert_uint_eq(journal_synced_pos(journal), 4);
    expect_all(4);
    bytes_put = 0;
    open_journal(&always);
    ck_assert_uint_lt(bytes_put, 16); /* the lock's number only */
}
END_TEST

START_TEST(a_sync_that_fails_on_a_full_disk_is_noted_all_the_same)
{
    struct stat one, two;
    char path[80];
    (void)snprintf(path, sizeof path, "%s/00000000000000000001.log", dir);
    open_journal(&always);
    for (uint64_t pos = 1; pos <= 2; pos++) {
        ck_assert_int_eq(append(pos), OK);
        ck_assert_int_eq(journal_write(journal), OK);
        ck_assert_int_eq(stat(path, pos == 1 ? &one : &two), 0);
    }
    ck_assert_int_eq(append(3), OK);
    space = two.st_size - one.st_size; /* the record's, and then no more */
    syncs_to_go = 0;
    ck_assert_int_eq(journal_write(journal), E_IO);
    ck_assert_int_eq((int)space, 0);
    ck_assert(journal_doubtful(journal));
    ck_assert(doubt_is_noted());
    journal_close(&journal);
    space = -1;
    bytes_put = 0;
    open_journal(&always);
    ck_assert_uint_ge(bytes_put, (uint64_t)two.st_size);
    ck_assert(!doubt_is_noted());
    expect_all(3);
}
END_TEST

START_TEST(a_sync_that_fails_at_the_start_is_not_believed_the_next_time_either)
{
    open_journal(&never);
    ck_assert_int_eq(append(1), OK);
    ck_assert_int_eq(journal_write(journal), OK);
    journal_close(&journal);
    syncs_to_go = 0;
    ck_assert_int_eq(journal_open(dir, &always, &journal, error), E_IO);
    ck_assert_ptr_nonnull(strstr(error, "fdatasync"));
    ck_assert(doubt_is_noted());
    bytes_put = 0;
    open_journal(&always);
    ck_assert_uint_ge(bytes_put, SEGMENT_HEADER + RECORD_HEADER);
    ck_assert(!doubt_is_noted());
}
END_TEST

START_TEST(a_sync_that_fails_on_the_rhythm_is_told_by_the_next_call)
{
    const struct journal_options often = {.segment_bytes = 1 << 20, .sync_every_ns = 1000000};
    open_journal(&often);
    ck_assert_int_eq(append(1), OK);
    ck_assert_int_eq(journal_write(journal), OK);
    for (int i = 0; i < 5000 && journal_synced_pos(journal) < 1; i++)
        (void)usleep(1000);
    ck_assert_uint_eq(journal_synced_pos(journal), 1);
    syncs_to_go = 0;
    ck_assert_int_eq(append(2), OK);
    ck_assert_int_eq(journal_write(journal), OK);
    for (int i = 0; i < 5000 && !journal_doubtful(journal); i++)
        (void)usleep(1000);
    ck_assert(journal_doubtful(journal));
    ck_assert_uint_eq(journal_synced_pos(journal), 1);
    ck_assert_int_eq(append(3), OK);
    ck_assert_int_eq(journal_write(journal), E_IO);
    expect_all(2);
}
END_TEST

START_TEST(no_segment_is_begun_behind_one_whose_sync_failed)
{
    open_journal(&never);
    journal_close(&journal);
    const struct journal_options seldom = {.segment_bytes = SEGMENT_BYTES,
                                           .sync_every_ns = INT64_C(3600000000000)};
    open_journal(&seldom);
    uint64_t pos = 1;
    uint64_t newest = 0;
    for (; newest <= 1; pos++) {
        if (journal_bytes(journal) + record_bytes(sizeof pos) > SEGMENT_BYTES)
            syncs_to_go = 0; /* the one of the segment that is full */
        ck_assert_int_eq(append(pos), OK);
        if (journal_write(journal) != OK)
            break;
        newest = journal_newest(journal);
    }
    ck_assert(journal_doubtful(journal));
    ck_assert_uint_eq(journal_newest(journal), 1);
    ck_assert_uint_eq(journal_head_pos(journal), pos - 1);
    expect_all(pos - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal_fault");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, a_disk_that_is_full_at_any_byte_loses_and_doubles_nothing, 0, 240);
    tcase_add_loop_test(all, a_write_that_fails_half_done_is_made_again_whole, 0, 30);
    tcase_add_test(all, a_full_disk_at_the_end_of_a_process_leaves_what_was_written);
    tcase_add_loop_test(all, a_segment_whose_making_fails_leaves_no_file_and_is_made_again, 0, 2);
    tcase_add_test(all, after_a_failed_sync_nothing_counts_until_the_next_process_has_written_it_anew);
    tcase_add_test(all, a_sync_that_fails_on_a_full_disk_is_noted_all_the_same);
    tcase_add_test(all, a_sync_that_fails_at_the_start_is_not_believed_the_next_time_either);
    tcase_add_test(all, a_sync_that_fails_on_the_rhythm_is_told_by_the_next_call);
    tcase_add_test(all, no_segment_is_begun_behind_one_whose_sync_failed);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
