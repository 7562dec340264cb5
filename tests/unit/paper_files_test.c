/* What the paper venue's log promises of a disk that takes half a line: it is cut off, or nothing is written behind it. */
#include "venues/paper/paper_files.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char LINE[] = "0123456789 a line of the log\n";
enum { LINE_LEN = sizeof LINE - 1 };

static char folder[64];
static bool cut_fails;
static struct paper_files *files;
static struct paper_log paper_log;

/* In place of the library's: a cut may fail. */
int ftruncate(int fd, off_t size)
{
    if (cut_fails) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_ftruncate, fd, size);
}

static void room(rlim_t bytes)
{
    const struct rlimit most = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &most), 0);
}

static void setup(void)
{
    char error[PAPER_ERROR_MAX];
    (void)signal(SIGXFSZ, SIG_IGN); /* the write is short instead */
    strcpy(folder, "/tmp/sluice-paper-files-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    cut_fails = false;
    files = paper_files_new();
    ck_assert_ptr_nonnull(files);
    ck_assert_int_eq(paper_files_open(files, NULL, error), OK);
    paper_log = paper_files_log(files);
    ck_assert_int_eq(paper_log.write(paper_log.ctx, LINE, LINE_LEN), OK);
}

static void teardown(void)
{
    room(RLIM_INFINITY);
    paper_files_close(&files);
    (void)unlink("paper.log");
    (void)unlink("paper.checkpoint");
    (void)unlink("paper.checkpoint.next");
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void expect_lines(int n)
{
    char text[8 * LINE_LEN];
    FILE *log = fopen("paper.log", "re");
    ck_assert_ptr_nonnull(log);
    ck_assert_uint_eq(fread(text, 1, sizeof text, log), (size_t)(n * LINE_LEN));
    (void)fclose(log);
    for (int i = 0; i < n; i++)
        ck_assert_mem_eq(text + (ptrdiff_t)i * LINE_LEN, LINE, LINE_LEN);
}

START_TEST(half_a_line_is_cut_off_and_written_whole_when_there_is_room)
{
    room(LINE_LEN + 5);
    ck_assert_int_eq(paper_log.write(paper_log.ctx, LINE, LINE_LEN), E_IO);
    ck_assert(!paper_files_torn(files));
    expect_lines(1);
    room(RLIM_INFINITY);
    ck_assert_int_eq(paper_log.write(paper_log.ctx, LINE, LINE_LEN), OK);
    expect_lines(2);
}
END_TEST

START_TEST(while_half_a_line_cannot_be_cut_off_nothing_is_written_behind_it)
{
    room(LINE_LEN + 5);
    cut_fails = true;
    ck_assert_int_eq(paper_log.write(paper_log.ctx, LINE, LINE_LEN), E_IO);
    ck_assert(paper_files_torn(files));
    room(RLIM_INFINITY);
    ck_assert_int_eq(paper_log.write(paper_log.ctx, LINE, LINE_LEN), E_IO);
    ck_assert_int_eq(paper_log.checkpoint(paper_log.ctx, "text", 4), E_IO);
    ck_assert_int_eq(access("paper.checkpoint", F_OK), -1);
    ck_assert(paper_files_torn(files));
    cut_fails = false;
    ck_assert_int_eq(paper_log.write(paper_log.ctx, LINE, LINE_LEN), OK);
    ck_assert(!paper_files_torn(files));
    expect_lines(2);
    ck_assert_int_eq(paper_log.checkpoint(paper_log.ctx, "text", 4), OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("paper_files");
    TCase *promises = tcase_create("promises");
    tcase_add_checked_fixture(promises, setup, teardown);
    tcase_add_test(promises, half_a_line_is_cut_off_and_written_whole_when_there_is_room);
    tcase_add_test(promises, while_half_a_line_cannot_be_cut_off_nothing_is_written_behind_it);
    suite_add_tcase(suite, promises);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
