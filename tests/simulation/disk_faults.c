/* What goes wrong with the played disk, what an observer reads of it, and what a seed sets of the journals on it. */
#include <string.h>

#include "lib/runtime/journal.h"
#include "lib/runtime/ledger.h"
#include "lib/runtime/ledger_retention.h"
#include "tests/simulation/disk_files.h"

/* ---- faults ---------------------------------------------------------------------------------------------------- */

static struct dir *any_dir(void)
{
    return n_disk_dirs ? disk_dirs[draw((uint64_t)n_disk_dirs)] : NULL;
}

void disk_fill(int64_t for_ns)
{
    struct dir *d = any_dir();
    if (!d)
        return;
    TRACE("%s: the disk is full", d->path);
    d->full_until_ns = world.mono_ns + for_ns;
}

void disk_slow(int64_t for_ns)
{
    struct dir *d = any_dir();
    if (!d)
        return;
    TRACE("%s: the disk is slow", d->path);
    d->slow_until_ns = world.mono_ns + for_ns;
}

void disk_break(bool sync)
{
    struct dir *d = any_dir();
    if (d)
        *(sync ? &d->break_sync : &d->break_write) = true;
}

void disk_tear(void)
{
    struct dir *d = any_dir();
    if (d)
        d->tear_write = true;
}

/* The newest of two: the other one must do. Once only, so that there is always another one. */
void disk_spoil_snapshot(void)
{
    struct dir *d = any_dir();
    struct disk_file *newest = NULL;
    const char *name = "";
    int n = 0;
    for (int i = 0; d && i < d->n_names; i++) {
        if (!name_is_snapshot(d->names[i].text))
            continue;
        n++;
        if (strcmp(d->names[i].text, name) > 0) {
            name = d->names[i].text;
            newest = d->names[i].file;
        }
    }
    if (n < 2 || newest->size == 0 || d->spoiled)
        return;
    d->spoiled = true;
    TRACE("%s: snapshot %s is spoiled", d->path, name);
    newest->bytes[draw((uint64_t)newest->size)] ^= 0x10;
    if (newest->safe_size > 0)
        memcpy(newest->safe, newest->bytes, (size_t)newest->safe_size);
}

bool disk_sync_broke(const char *stream)
{
    for (int i = 0; i < n_disk_dirs; i++)
        if (disk_dirs[i]->stream >= 0 && disk_dirs[i]->stream == stream_of(stream))
            return disk_dirs[i]->sync_broke;
    return false;
}

void disk_heal(void)
{
    for (int i = 0; i < n_disk_dirs; i++) {
        disk_dirs[i]->full_until_ns = disk_dirs[i]->slow_until_ns = 0;
        disk_dirs[i]->break_write = disk_dirs[i]->break_sync = disk_dirs[i]->tear_write = false;
    }
}

/* ---- looks ------------------------------------------------------------------------------------------------------ */

/* All segments in the order of their names, as a start finds them. */
void disk_read_segments(int stream,
                        void (*each)(struct disk_file *file, const unsigned char *bytes, int64_t len))
{
    for (int i = 0; i < n_disk_dirs; i++) {
        struct dir *d = disk_dirs[i];
        if (d->stream != stream)
            continue;
        const char *before = "";
        for (;;) {
            const struct name *next = NULL;
            for (int j = 0; j < d->n_names; j++)
                if (name_is_segment(d->names[j].text) && strcmp(d->names[j].text, before) > 0 &&
                    (!next || strcmp(d->names[j].text, next->text) < 0))
                    next = &d->names[j];
            if (!next)
                break;
            each(next->file, next->file->bytes, next->file->size);
            before = next->text;
        }
    }
}

bool disk_snapshot_stands(int stream, uint64_t pos)
{
    char name[48];
    (void)snprintf(name, sizeof name, "%020llu.snap", (unsigned long long)pos);
    for (int i = 0; i < n_disk_dirs; i++)
        if (disk_dirs[i]->stream == stream && name_find(disk_dirs[i]->names, disk_dirs[i]->n_names, name))
            return true;
    return false;
}

bool disk_snapshot_reaches(int stream, uint64_t pos)
{
    for (int i = 0; i < n_disk_dirs; i++) {
        const struct dir *d = disk_dirs[i];
        for (int j = 0; d->stream == stream && j < d->n_names; j++) {
            uint64_t upstream;
            if (name_is_snapshot(d->names[j].text) &&
                watch_snapshot(d->names[j].file->bytes, d->names[j].file->size, &upstream) && upstream >= pos)
                return true;
        }
    }
    return false;
}

/* ---- what a seed sets ------------------------------------------------------------------------------------------ */

int __real_journal_open(const char *dir, const struct journal_options *options, struct journal **out,
                        char error[JOURNAL_ERROR_MAX]);
int __wrap_journal_open(const char *dir, const struct journal_options *options, struct journal **out,
                        char error[JOURNAL_ERROR_MAX]);

/* Segments far smaller than the settings allow, and a rhythm of its own for each ledger. */
int __wrap_journal_open(const char *dir, const struct journal_options *options, struct journal **out,
                        char error[JOURNAL_ERROR_MAX])
{
    struct journal_options own = *options;
    own.segment_bytes = world.knobs.segment_bytes;
    own.sync_every_ns = strstr(dir, "risk") ? world.knobs.risk_sync_ns : world.knobs.exec_sync_ns;
    return __real_journal_open(dir, &own, out, error);
}

int __real_ledger_open(const char *name, const struct config *config, void *zmq, ledger_record_fn *apply,
                       ledger_record_fn *restore, void *ctx, struct ledger **out,
                       char error[LEDGER_ERROR_MAX]);
int __wrap_ledger_open(const char *name, const struct config *config, void *zmq, ledger_record_fn *apply,
                       ledger_record_fn *restore, void *ctx, struct ledger **out,
                       char error[LEDGER_ERROR_MAX]);

/* Snapshots come far more often too. */
int __wrap_ledger_open(const char *name, const struct config *config, void *zmq, ledger_record_fn *apply,
                       ledger_record_fn *restore, void *ctx, struct ledger **out,
                       char error[LEDGER_ERROR_MAX])
{
    static struct config own;
    own = *config;
    own.journal.snapshot_every = world.knobs.snapshot_every;
    return __real_ledger_open(name, &own, zmq, apply, restore, ctx, out, error);
}

struct retention_verdict __real_retention_look(const struct retention *r,
                                               const struct journal_segment *segments, size_t n,
                                               uint64_t newest_bytes, int64_t utc_ns);
struct retention_verdict __wrap_retention_look(const struct retention *r,
                                               const struct journal_segment *segments, size_t n,
                                               uint64_t newest_bytes, int64_t utc_ns);

/* Segments are freed as soon as nobody needs them. */
struct retention_verdict __wrap_retention_look(const struct retention *r,
                                               const struct journal_segment *segments, size_t n,
                                               uint64_t newest_bytes, int64_t utc_ns)
{
    struct retention tiny = *r;
    tiny.keep_bytes = world.knobs.segment_bytes;
    return __real_retention_look(&tiny, segments, n, newest_bytes, utc_ns);
}
