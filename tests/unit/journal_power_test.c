/* A journal after a loss of power: blocks of what was not synced are there or not, in any order. The tail is cut at the
 * first of them that is missing, and told; a flipped bit is named, and nothing of it is cut or served. */
#include <check.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/rng.h"
#include "lib/runtime/disk.h"
#include "lib/runtime/journal_record.h"

enum { BLOCK = 512, MOST = 64 * 1024, RECORDS = 200 };

static char dir[40], error[JOURNAL_ERROR_MAX];
static struct journal *journal;
static const struct journal_options one = {.segment_bytes = 1 << 20, .sync_every_ns = -1};
static const struct journal_options always = {.segment_bytes = 1 << 20, .sync_every_ns = 0};
static struct rng rng;

static unsigned char bytes[MOST];
static size_t len;
static size_t begin[RECORDS + 2]; /* offset of each position, and behind the last */

static void setup(void)
{
    strcpy(dir, "/tmp/journal_power_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static int remove_one(void *ctx, const char *name)
{
    if (name[0] != '.')
        (void)unlinkat(*(int *)ctx, name, 0);
    return 0;
}

static void empty(void)
{
    journal_close(&journal);
    int fd = disk_dir(dir, false);
    (void)disk_list(fd, remove_one, &fd);
    disk_close(fd);
}

static void teardown(void)
{
    empty();
    (void)rmdir(dir);
}

static size_t payload_of(uint64_t pos, unsigned char *out)
{
    struct rng own;
    rng_seed(&own, pos);
    const size_t n = rng_below(&own, 4) == 0 ? rng_below(&own, 1500) : rng_below(&own, 160);
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)rng_u64(&own);
    if (n > 100) /* zeros, but not a block of them */
        memset(out + 40, 0, rng_below(&own, n - 60 < 500 ? n - 60 : 500));
    return n;
}

static void write_records(uint64_t epoch, uint64_t from, uint64_t to)
{
    unsigned char payload[1600];
    for (uint64_t pos = from; pos <= to; pos++) {
        const size_t n = payload_of(pos, payload);
        ck_assert_int_eq(journal_append(journal, epoch, pos, 1000 + (int64_t)pos, payload, n), OK);
        begin[pos + 1] = begin[pos] + record_bytes(n);
    }
    ck_assert_msg(journal_write(journal) == OK, "%s", journal_error(journal));
}

static void path_of(uint64_t first_pos, char out[96])
{
    char name[SEGMENT_NAME];
    segment_name(first_pos, name);
    snprintf(out, 96, "%s/%s", dir, name);
}

static void load(void)
{
    char path[96];
    path_of(1, path);
    FILE *f = fopen(path, "re");
    ck_assert_ptr_nonnull(f);
    len = fread(bytes, 1, sizeof bytes, f);
    ck_assert_uint_lt(len, sizeof bytes);
    fclose(f);
}

static void store(void)
{
    char path[96];
    path_of(1, path);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
    fclose(f);
}

static int reopen(void)
{
    journal_close(&journal);
    return journal_open(dir, &one, &journal, error);
}

/* A journal of one segment that holds positions 1 to n, of one epoch, in `bytes`, and on disk, closed. */
static void begin_with(uint64_t n)
{
    unsigned char payload[1600];
    empty();
    begin[1] = SEGMENT_HEADER;
    segment_header_encode(bytes, 1, 0);
    for (uint64_t pos = 1; pos <= n; pos++) {
        const size_t size = payload_of(pos, payload);
        begin[pos + 1] = begin[pos] + record_bytes(size);
        ck_assert_uint_le(begin[pos + 1], sizeof bytes);
        record_encode(bytes + begin[pos], 1, pos, 1000 + (int64_t)pos, payload, size);
    }
    len = begin[n + 1];
    store();
}

/* Reads all there is: each record must be the one that was written. The last position; what ended it into *status. */
static uint64_t read_through(int *status)
{
    struct journal_reader *reader;
    struct journal_record record;
    unsigned char payload[1600];
    uint64_t last = 0;
    ck_assert_int_eq(journal_reader_open(dir, 0, &reader, error), OK);
    while ((*status = journal_reader_next(reader, &record)) == 1) {
        ck_assert_uint_eq(record.pos, ++last);
        ck_assert_uint_eq(record.len, payload_of(last, payload));
        ck_assert_mem_eq(record.payload, payload, record.len);
    }
    snprintf(error, sizeof error, "%s", journal_reader_error(reader));
    journal_reader_close(&reader);
    return last;
}

/* The block at that offset, or what of it comes behind `safe`, was never written. */
static void lose(size_t at, size_t safe)
{
    const size_t from = at < safe ? safe : at, to = at + BLOCK < len ? at + BLOCK : len;
    if (from < to)
        memset(bytes + from, 0, to - from);
}

/* Of the records as they were written: those before the first that `bytes` does not hold. */
static uint64_t whole_before(const unsigned char *was, uint64_t n)
{
    uint64_t pos = 1;
    while (pos <= n && memcmp(was + begin[pos], bytes + begin[pos], begin[pos + 1] - begin[pos]) == 0)
        pos++;
    return pos - 1;
}

static uint64_t whole_behind(const unsigned char *was, uint64_t pos, uint64_t n)
{
    uint64_t found = 0;
    for (; pos <= n; pos++)
        found += memcmp(was + begin[pos], bytes + begin[pos], begin[pos + 1] - begin[pos]) == 0;
    return found;
}

static void expect_cut(uint64_t kept, uint64_t dropped)
{
    char words[160];
    int status;
    ck_assert_uint_eq(read_through(&status), kept);
    ck_assert_msg(status == 0, "a reader beside it: %s", error);
    ck_assert_msg(reopen() == OK, "%s", error);
    ck_assert_uint_eq(journal_head_pos(journal), kept);
    snprintf(words, sizeof words, "%s/00000000000000000001.log: cut %zu bytes of a torn tail at offset %zu, ",
             dir, len - begin[kept + 1], begin[kept + 1]);
    ck_assert_msg(strncmp(error, words, strlen(words)) == 0, "%s; expected %s", error, words);
    if (dropped > 0) {
        snprintf(words, sizeof words, "a block was never written; whole records behind it: %" PRIu64,
                 dropped);
        ck_assert_msg(strstr(error, words) != NULL, "%s; expected %s", error, words);
    }
    write_records(2, kept + 1, kept + 3);
    ck_assert_uint_eq(read_through(&status), kept + 3);
    ck_assert_int_eq(status, 0);
}

static void expect_refused(uint64_t pos)
{
    char words[160];
    int status;
    snprintf(words, sizeof words, "%s/00000000000000000001.log: offset %zu, position %" PRIu64 ": ", dir,
             begin[pos], pos);
    ck_assert_uint_eq(read_through(&status), pos - 1);
    ck_assert_int_eq(status, E_CORRUPT);
    ck_assert_msg(strncmp(error, words, strlen(words)) == 0, "%s; expected %s", error, words);
    ck_assert_int_eq(reopen(), E_CORRUPT);
    ck_assert_msg(strncmp(error, words, strlen(words)) == 0, "%s; expected %s", error, words);
    const size_t before = len;
    load();
    ck_assert_uint_eq(len, before);
}

START_TEST(each_block_that_is_missing_behind_the_synced_bytes_is_where_the_tail_is_cut)
{
    static unsigned char was[MOST];
    begin_with(30);
    memcpy(was, bytes, len);
    const size_t whole = len;
    for (uint64_t synced = 0; synced < 30; synced += 3) {
        const size_t safe = begin[synced + 1];
        for (size_t at = safe - safe % BLOCK; at < whole; at += BLOCK) {
            begin_with(30);
            lose(at, safe);
            store();
            const uint64_t kept = whole_before(was, 30);
            ck_assert_uint_ge(kept, synced);
            expect_cut(kept, whole_behind(was, kept + 1, 30));
        }
    }
}
END_TEST

/* Any blocks are missing, the file ends anywhere behind what was synced. */
START_TEST(of_any_blocks_that_are_missing_the_first_decides)
{
    static unsigned char was[MOST];
    for (int round = 0; round < 150; round++) {
        const uint64_t n = 2 + rng_below(&rng, 60);
        begin_with(n);
        memcpy(was, bytes, len);
        const uint64_t synced = rng_below(&rng, n);
        const size_t safe = begin[synced + 1];
        const uint32_t share = 1 + (uint32_t)rng_below(&rng, 60);
        if (rng_below(&rng, 2) == 0) {
            const size_t end = safe + rng_below(&rng, len - safe + 1);
            memset(bytes + end, 0xff, sizeof bytes - end); /* so that what is not there equals nothing */
            len = end;
        }
        for (size_t at = safe - safe % BLOCK; at < len; at += BLOCK)
            if (rng_below(&rng, 100) < share)
                lose(at, safe);
        store();
        const uint64_t kept = whole_before(was, n);
        ck_assert_uint_ge(kept, synced);
        if (begin[kept + 1] == len) {
            int status;
            ck_assert_int_eq(reopen(), OK);
            ck_assert_str_eq(error, "");
            ck_assert_uint_eq(read_through(&status), kept);
        } else {
            expect_cut(kept, whole_behind(was, kept + 1, n));
        }
    }
}
END_TEST

START_TEST(a_flipped_bit_in_front_of_missing_blocks_is_named_and_nothing_is_cut)
{
    for (int round = 0; round < 150; round++) {
        begin_with(40);
        const uint64_t pos = 1 + rng_below(&rng, 20);
        const size_t at = begin[pos] + rng_below(&rng, begin[pos + 1] - begin[pos]);
        bytes[at] ^= (unsigned char)(1u << rng_below(&rng, 8));
        /* a whole record stands between the two */
        const size_t safe = begin[pos + 2 + rng_below(&rng, 15)];
        for (size_t block = safe - safe % BLOCK; block < len; block += BLOCK)
            if (rng_below(&rng, 100) < 30)
                lose(block, safe);
        store();
        expect_refused(pos);
    }
}
END_TEST

/* Whatever has happened to the file: what is served is what was written, without a gap. */
START_TEST(nothing_wrong_is_served_whatever_is_lost_and_flipped)
{
    int cut = 0, refused = 0;
    for (int round = 0; round < 500; round++) {
        const uint64_t n = 2 + rng_below(&rng, 40);
        int status;
        begin_with(n);
        const uint64_t losses = rng_below(&rng, 3), flips = rng_below(&rng, 3);
        for (uint64_t i = 0; i < losses; i++) {
            const size_t at = rng_below(&rng, len);
            lose(at - at % BLOCK, SEGMENT_HEADER);
        }
        for (uint64_t i = 0; i < flips; i++)
            bytes[rng_below(&rng, len)] ^= (unsigned char)(1u << rng_below(&rng, 8));
        store();
        const uint64_t served = read_through(&status);
        ck_assert(status == 0 || status == E_CORRUPT);
        const int opened = reopen();
        ck_assert_int_eq(opened, status == 0 ? OK : E_CORRUPT);
        cut += opened == OK && error[0] != '\0';
        refused += opened == E_CORRUPT;
        if (opened == OK) {
            ck_assert(begin[served + 1] == len || error[0] != '\0');
            ck_assert_uint_eq(journal_head_pos(journal), served);
        }
    }
    ck_assert_int_gt(cut, 50);
    ck_assert_int_gt(refused, 50);
}
END_TEST

/* An owner puts on disk what it finds before it begins its epoch. */
START_TEST(a_hole_with_records_of_two_epochs_behind_it_is_no_loss_of_power)
{
    begin_with(30);
    ck_assert_int_eq(reopen(), OK);
    write_records(2, 31, 40);
    journal_close(&journal);
    load();
    size_t at = begin[10] + BLOCK - begin[10] % BLOCK;
    uint64_t hit = 10;
    while (begin[hit + 1] <= at)
        hit++;
    lose(at, 0);
    store();
    expect_refused(hit);
    /* given the hole where the second begins: all that stands behind is of one epoch, and may never have been synced */
    begin_with(30);
    ck_assert_int_eq(reopen(), OK);
    write_records(2, 31, 60);
    journal_close(&journal);
    load();
    for (at = begin[31] - begin[31] % BLOCK; at < begin[32]; at += BLOCK)
        lose(at, begin[31]);
    store();
    ck_assert_msg(reopen() == OK, "%s", error);
    ck_assert_uint_eq(journal_head_pos(journal), 30);
    ck_assert_ptr_nonnull(strstr(error, "a block was never written; whole records behind it: "));
}
END_TEST

START_TEST(a_hole_in_an_older_segment_is_damage)
{
    static const struct journal_options small = {.segment_bytes = 4096, .sync_every_ns = 0};
    int status;
    begin[1] = SEGMENT_HEADER;
    ck_assert_int_eq(journal_open(dir, &small, &journal, error), OK);
    for (uint64_t pos = 1; pos <= RECORDS; pos++)
        write_records(1, pos, pos);
    journal_close(&journal);
    load();
    uint64_t hit = 1;
    while (begin[hit + 1] <= 1024)
        hit++;
    lose(1024, 0);
    store();
    ck_assert_uint_eq(read_through(&status), hit - 1);
    ck_assert_int_eq(status, E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(error, "a block was never written"));
}
END_TEST

/* Its header is on disk before the segment counts. */
START_TEST(a_segment_without_its_header_and_with_records_is_damage)
{
    begin_with(20);
    lose(0, 0);
    store();
    ck_assert_int_eq(reopen(), E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(error, "offset 0, position 1: the segment's header does not hold"));
}
END_TEST

/* After a sync that failed the kernel may show what the device does not have; after the next start of the machine it is
 * gone. */
START_TEST(a_hole_after_a_failed_sync_is_cut_before_the_rest_is_written_anew)
{
    char mark[96];
    struct stat s;
    int status;
    begin_with(30);
    lose(1024, 0);
    store();
    snprintf(mark, sizeof mark, "%s/sync-failed", dir);
    FILE *f = fopen(mark, "we");
    ck_assert_ptr_nonnull(f);
    fclose(f);
    uint64_t hit = 1;
    while (begin[hit + 1] <= 1024)
        hit++;
    ck_assert_msg(journal_open(dir, &always, &journal, error) == OK, "%s", error);
    ck_assert_ptr_nonnull(strstr(error, "a block was never written; whole records behind it: "));
    ck_assert_uint_eq(journal_head_pos(journal), hit - 1);
    ck_assert_int_ne(stat(mark, &s), 0);
    ck_assert_uint_eq(read_through(&status), hit - 1);
    ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
    TCase *promises = tcase_create("promises");
    Suite *suite = suite_create("journal after a loss of power");
    const char *seed = getenv("SLUICE_SEED");
    rng_seed(&rng, seed ? strtoull(seed, NULL, 10) : 1);
    tcase_add_checked_fixture(promises, setup, teardown);
    tcase_set_timeout(promises, 60);
    tcase_add_test(promises, each_block_that_is_missing_behind_the_synced_bytes_is_where_the_tail_is_cut);
    tcase_add_test(promises, of_any_blocks_that_are_missing_the_first_decides);
    tcase_add_test(promises, a_flipped_bit_in_front_of_missing_blocks_is_named_and_nothing_is_cut);
    tcase_add_test(promises, nothing_wrong_is_served_whatever_is_lost_and_flipped);
    tcase_add_test(promises, a_hole_with_records_of_two_epochs_behind_it_is_no_loss_of_power);
    tcase_add_test(promises, a_hole_in_an_older_segment_is_damage);
    tcase_add_test(promises, a_segment_without_its_header_and_with_records_is_damage);
    tcase_add_test(promises, a_hole_after_a_failed_sync_is_cut_before_the_rest_is_written_anew);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
