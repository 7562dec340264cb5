/* No bytes in a segment file may crash its readers or its owner, and both agree on what holds. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/runtime/journal_record.h"

static char dir[64], path[128], lock[128];

static void clean(void)
{
    unlink(path);
    unlink(lock);
    rmdir(dir);
}

/* Who sets out to a record step by step finds it, wherever it is. */
static void approach(uint64_t pos)
{
    struct journal_reader *reader;
    struct journal_record record;
    char error[JOURNAL_ERROR_MAX];
    int there = 0;
    if (journal_reader_open(dir, pos, &reader, error) != OK)
        abort();
    for (uint64_t steps = 0; there == 0; steps++)
        if ((there = journal_reader_approach(reader, 1)) < 0 || steps > pos)
            abort();
    if (journal_reader_next(reader, &record) != 1 || record.pos != pos)
        abort();
    journal_reader_close(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct journal_options options = {.segment_bytes = 1 << 20, .sync_every_ns = -1};
    struct journal_reader *reader;
    struct journal_record record;
    struct journal *journal;
    char error[JOURNAL_ERROR_MAX], name[SEGMENT_NAME];
    if (dir[0] == '\0') {
        snprintf(dir, sizeof dir, "/tmp/journal_fuzz_%ld", (long)getpid());
        segment_name(1, name);
        snprintf(path, sizeof path, "%s/%s", dir, name);
        snprintf(lock, sizeof lock, "%s/lock", dir);
        mkdir(dir, 0777);
        atexit(clean);
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
        abort();
    close(fd);
    uint64_t last = 0;
    int got;
    if (journal_reader_open(dir, 0, &reader, error) != OK)
        abort();
    while ((got = journal_reader_next(reader, &record)) == 1)
        last = record.pos;
    journal_reader_close(&reader);
    if (last > 0)
        approach(last);
    const int status = journal_open(dir, &options, &journal, error);
    if (status != (got == 0 ? OK : got) || (status == OK && journal_head_pos(journal) != last))
        abort();
    if (status == OK) {
        if (journal_append(journal, UINT64_MAX, last + 1, 0, bytes, len < 100 ? len : 100) != OK ||
            journal_write(journal) != OK)
            abort();
        journal_close(&journal);
    }
    return 0;
}
