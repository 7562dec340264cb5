/* Snapshots: what was emitted is given back whole or not at all, and the newest that holds counts. */
#include "lib/runtime/snapshot.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/runtime/journal_record.h"

static char dir[40], words[SNAPSHOT_ERROR_MAX];
static uint64_t given[64];
static uint32_t n_given;

static void setup(void)
{
    strcpy(dir, "/tmp/snapshot_test_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    n_given = 0;
}

static void path_of(uint64_t pos, char out[96])
{
    char name[SNAPSHOT_NAME];
    snapshot_name(pos, name);
    (void)snprintf(out, 96, "%s/%s", dir, name);
}

static int files(void)
{
    int n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    (void)closedir(d);
    return n;
}

static void teardown(void)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.')
            (void)unlinkat(dirfd(d), e->d_name, 0);
    (void)closedir(d);
    (void)rmdir(dir);
}

static void emit(snapshot_emit_fn *add, void *ctx, enum message_type type, uint64_t epoch, uint64_t pos)
{
    struct message m;
    message_init(&m, type);
    strcpy(m.env.stream, "risk");
    m.env.epoch = epoch;
    m.env.pos = pos;
    if (type == MSG_SNAPSHOT) {
        m.snapshot.upstream_epoch = 7;
        m.snapshot.upstream_pos = pos * 10;
    }
    add(ctx, &m);
}

/* The state at a place: `n` messages beside the first. */
static int take(uint64_t epoch, uint64_t pos, uint32_t n)
{
    struct snapshot_writer *w = snapshot_writer_new();
    ck_assert_ptr_nonnull(w);
    for (int again = 0; again < 2; again++) { /* its buffer is used again */
        snapshot_begin(w);
        emit(snapshot_add, w, MSG_SNAPSHOT, epoch, pos);
        for (uint32_t i = 1; i <= n; i++)
            emit(snapshot_add, w, MSG_GAP, epoch, i);
        ck_assert_int_eq(snapshot_end(w, words), OK);
    }
    const int status = snapshot_write(w, dir, words);
    snapshot_writer_destroy(&w);
    return status;
}

static void restore(void *ctx, const struct message *m)
{
    (void)ctx;
    ck_assert_uint_lt(n_given, 64);
    ck_assert_int_eq(m->env.type, n_given == 0 ? MSG_SNAPSHOT : MSG_GAP);
    given[n_given++] = m->env.pos;
}

static int load(uint64_t head, uint64_t *pos)
{
    uint64_t epoch;
    n_given = 0;
    int status = snapshot_load(dir, head, restore, NULL, &epoch, pos, words);
    ck_assert(status != OK || epoch == 2);
    return status;
}

START_TEST(what_was_emitted_is_given_back_in_order)
{
    uint64_t pos;
    ck_assert_int_eq(load(UINT64_MAX, &pos), E_ABSENT);
    ck_assert_int_eq(take(2, 40, 5), OK);
    ck_assert_int_eq(load(40, &pos), OK);
    ck_assert_uint_eq(pos, 40);
    ck_assert_uint_eq(n_given, 6);
    ck_assert_uint_eq(given[0], 40);
    for (uint32_t i = 1; i <= 5; i++)
        ck_assert_uint_eq(given[i], i);
    ck_assert_str_eq(words, "");
}
END_TEST

START_TEST(two_are_kept_and_the_older_one_bounds_what_may_be_freed)
{
    struct snapshot_place places[SNAPSHOTS_KEPT];
    ck_assert_int_eq(take(2, 10, 1), OK);
    ck_assert_uint_eq(snapshot_oldest_pos(dir), 0);
    ck_assert_int_eq(take(2, 20, 1), OK);
    ck_assert_uint_eq(snapshot_oldest_pos(dir), 10);
    ck_assert_int_eq(take(2, 30, 1), OK);
    ck_assert_uint_eq(snapshot_oldest_pos(dir), 20);
    ck_assert_int_eq(files(), 2);
    ck_assert_int_eq(snapshot_places(dir, places), 2);
    ck_assert_uint_eq(places[0].pos, 30);
    ck_assert_uint_eq(places[1].upstream_epoch, 7);
    ck_assert_uint_eq(places[1].upstream_pos, 200);
}
END_TEST

START_TEST(they_are_listed_newest_first_and_each_can_be_read)
{
    uint64_t listed[SNAPSHOTS_LISTED], messages;
    ck_assert_int_eq(take(2, 10, 1), OK);
    ck_assert_int_eq(take(2, 20, 4), OK);
    ck_assert_int_eq(snapshot_list(dir, listed), 2);
    ck_assert_uint_eq(listed[0], 20);
    ck_assert_uint_eq(listed[1], 10);
    ck_assert_int_eq(snapshot_read(dir, 10, restore, NULL, &messages, words), OK);
    ck_assert_uint_eq(messages, 3);
    ck_assert_uint_eq(n_given, 2);
    ck_assert_int_eq(snapshot_read(dir, 11, restore, NULL, &messages, words), E_IO);
}
END_TEST

START_TEST(one_above_the_head_is_not_used_and_goes)
{
    uint64_t pos;
    ck_assert_int_eq(take(2, 10, 1), OK);
    ck_assert_int_eq(take(2, 20, 1), OK);
    ck_assert_int_eq(load(19, &pos), OK);
    ck_assert_uint_eq(pos, 10);
    ck_assert_int_eq(snapshot_remove_above(dir, 19), 1);
    ck_assert_int_eq(files(), 1);
    ck_assert_int_eq(snapshot_remove_above(dir, 19), 0);
    ck_assert_int_eq(load(UINT64_MAX, &pos), OK);
    ck_assert_uint_eq(pos, 10);
}
END_TEST

static size_t read_all(const char *path, unsigned char *bytes, size_t max)
{
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    const size_t n = fread(bytes, 1, max, f);
    (void)fclose(f);
    return n;
}

static void write_all(const char *path, const unsigned char *bytes, size_t len)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
    (void)fclose(f);
}

/* The one before counts; nothing of the damaged one is given away. */
static void expect_passed_over(void)
{
    uint64_t pos, messages;
    char why[SNAPSHOT_ERROR_MAX];
    ck_assert_int_eq(load(UINT64_MAX, &pos), OK);
    ck_assert_uint_eq(pos, 10);
    ck_assert_uint_eq(n_given, 2);
    ck_assert_ptr_nonnull(strstr(words, "00000000000000000020.snap"));
    ck_assert_uint_eq(snapshot_oldest_pos(dir), 0);
    ck_assert_int_eq(snapshot_read(dir, 20, NULL, NULL, &messages, why), E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(why, "offset"));
}

START_TEST(a_flipped_bit_or_a_cut_anywhere_makes_it_none_and_the_one_before_counts)
{
    static unsigned char bytes[8192];
    char path[96];
    uint64_t messages;
    ck_assert_int_eq(take(2, 10, 1), OK);
    ck_assert_int_eq(take(2, 20, 3), OK);
    path_of(20, path);
    const size_t len = read_all(path, bytes, sizeof bytes);
    ck_assert_uint_lt(len, sizeof bytes);
    ck_assert_int_eq(snapshot_read(dir, 20, NULL, NULL, &messages, words), OK);
    ck_assert_uint_eq(messages, 5);
    for (size_t i = 0; i < len; i++) {
        const unsigned char was = bytes[i];
        bytes[i] ^= (unsigned char)(1u << (i % 8));
        write_all(path, bytes, len);
        bytes[i] = was;
        expect_passed_over();
    }
    for (size_t cut = 0; cut < len; cut += 3) {
        write_all(path, bytes, cut);
        expect_passed_over();
    }
    write_all(path, bytes, len);
    ck_assert_uint_eq(snapshot_oldest_pos(dir), 10);
}
END_TEST

START_TEST(one_that_goes_on_behind_its_end_or_bears_anothers_name_is_none)
{
    static unsigned char bytes[8192];
    char path[96], other[96];
    ck_assert_int_eq(take(2, 10, 1), OK);
    ck_assert_int_eq(take(2, 30, 1), OK);
    path_of(30, other);
    path_of(20, path);
    ck_assert_int_eq(rename(other, path), 0);
    expect_passed_over();
    ck_assert_int_eq(take(2, 20, 1), OK);
    const size_t len = read_all(path, bytes, sizeof bytes / 2);
    memcpy(bytes + len, bytes, len);
    write_all(path, bytes, 2 * len);
    expect_passed_over();
}
END_TEST

START_TEST(one_with_an_end_of_another_number_is_none_though_a_right_end_follows)
{
    static unsigned char payload[4096], bytes[8192];
    char path[96];
    struct message m;
    ck_assert_int_eq(take(2, 10, 1), OK);
    size_t len = 0;
    for (uint64_t n = 0; n < 4; n++) {
        message_init(&m, n == 0 ? MSG_SNAPSHOT : n == 1 ? MSG_GAP : MSG_SNAPSHOT_END);
        m.env.epoch = 2;
        m.env.pos = 20;
        strcpy(m.env.stream, "risk");
        if (n > 1)
            m.snapshot_end.messages = n == 2 ? 9 : n;
        const size_t one = codec_encode(&m, payload, sizeof payload);
        record_encode(bytes + len, 2, n + 1, 0, payload, one);
        len += record_bytes(one);
    }
    path_of(20, path);
    write_all(path, bytes, len);
    expect_passed_over();
}
END_TEST

START_TEST(one_without_messages_or_that_does_not_begin_with_its_place_is_refused)
{
    struct snapshot_writer *w = snapshot_writer_new();
    snapshot_begin(w);
    ck_assert_int_eq(snapshot_end(w, words), E_STATE);
    snapshot_begin(w);
    emit(snapshot_add, w, MSG_GAP, 2, 1);
    ck_assert_int_eq(snapshot_end(w, words), E_STATE);
    ck_assert_ptr_nonnull(strstr(words, "snapshot"));
    snapshot_begin(w);
    emit(snapshot_add, w, MSG_SNAPSHOT, 2, 1);
    ck_assert_int_eq(snapshot_end(w, words), OK);
    snapshot_writer_destroy(&w);
}
END_TEST

START_TEST(more_than_the_buffer_begins_with_is_written_whole)
{
    uint64_t messages;
    ck_assert_int_eq(take(2, 40, 30000), OK);
    ck_assert_int_eq(snapshot_read(dir, 40, NULL, NULL, &messages, words), OK);
    ck_assert_uint_eq(messages, 30002);
}
END_TEST

START_TEST(one_that_a_death_left_unfinished_is_none_and_in_nobodys_way)
{
    uint64_t pos;
    char path[96];
    ck_assert_int_eq(take(2, 40, 5), OK);
    (void)snprintf(path, sizeof path, "%s/snapshot.part", dir);
    FILE *f = fopen(path, "w");
    (void)fputs("half of one, and longer than the next, for all of its bytes must go", f);
    for (int i = 0; i < 4000; i++)
        (void)fputc(i, f);
    (void)fclose(f);
    ck_assert_int_eq(load(100, &pos), OK);
    ck_assert_uint_eq(pos, 40);
    ck_assert_int_eq(take(2, 50, 1), OK);
    ck_assert_int_eq(load(100, &pos), OK);
    ck_assert_uint_eq(pos, 50);
    ck_assert_int_eq(files(), 2);
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_said_with_its_name)
{
    uint64_t pos;
    (void)rmdir(dir);
    ck_assert_int_eq(take(2, 10, 1), E_IO);
    ck_assert_ptr_nonnull(strstr(words, dir));
    ck_assert_int_eq(load(1, &pos), E_IO);
    ck_assert_int_eq(mkdir(dir, 0700), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, what_was_emitted_is_given_back_in_order);
    tcase_add_test(all, two_are_kept_and_the_older_one_bounds_what_may_be_freed);
    tcase_add_test(all, they_are_listed_newest_first_and_each_can_be_read);
    tcase_add_test(all, one_above_the_head_is_not_used_and_goes);
    tcase_add_test(all, a_flipped_bit_or_a_cut_anywhere_makes_it_none_and_the_one_before_counts);
    tcase_add_test(all, one_that_goes_on_behind_its_end_or_bears_anothers_name_is_none);
    tcase_add_test(all, one_with_an_end_of_another_number_is_none_though_a_right_end_follows);
    tcase_add_test(all, one_without_messages_or_that_does_not_begin_with_its_place_is_refused);
    tcase_add_test(all, more_than_the_buffer_begins_with_is_written_whole);
    tcase_add_test(all, one_that_a_death_left_unfinished_is_none_and_in_nobodys_way);
    tcase_add_test(all, a_directory_that_is_not_there_is_said_with_its_name);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
