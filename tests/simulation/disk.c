/* Files in memory. What is written survives its process; what is synced survives the host's power. Directories are
 * those of the journals, so each belongs to one service.
 */
#include "lib/runtime/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/disk_files.h"

enum { OPEN_MAX_FILES = 512, FIRST_FD = 100000 };

struct dir *disk_dirs[DIRS_MAX];
int n_disk_dirs;

static struct {
    struct dir *dir;
    struct disk_file *file; /* NULL: the directory */
    const struct process *owner;
} opened[OPEN_MAX_FILES];

static int fail(int number)
{
    errno = number;
    return -1;
}

static bool is_power(void)
{
    return world.mode == MODE_POWER;
}

/* ---- directories and names ------------------------------------------------------------------------------------- */

static struct dir *dir_at(const char *path)
{
    for (int i = 0; i < n_disk_dirs; i++)
        if (strcmp(disk_dirs[i]->path, path) == 0)
            return disk_dirs[i];
    return NULL;
}

static int descriptor(struct dir *d, struct disk_file *file)
{
    for (int i = 0; i < OPEN_MAX_FILES; i++) {
        if (!opened[i].dir) {
            opened[i].dir = d;
            opened[i].file = file;
            opened[i].owner = process_running();
            return FIRST_FD + i;
        }
    }
    return fail(EMFILE);
}

static bool is_open(int fd)
{
    return fd >= FIRST_FD && fd < FIRST_FD + OPEN_MAX_FILES && opened[fd - FIRST_FD].dir;
}

static struct dir *dir_of(int fd)
{
    return is_open(fd) ? opened[fd - FIRST_FD].dir : NULL;
}

static struct disk_file *file_of(int fd)
{
    return is_open(fd) ? opened[fd - FIRST_FD].file : NULL;
}

int disk_dir(const char *path, bool make)
{
    struct dir *d = dir_at(path);
    if (!d && !make)
        return fail(ENOENT);
    if (!d) {
        if (n_disk_dirs == DIRS_MAX || strlen(path) >= sizeof d->path)
            violated("%s: more directories than the simulation has room for", path);
        d = calloc(1, sizeof *d);
        if (!d)
            violated("out of memory");
        (void)snprintf(d->path, sizeof d->path, "%s", path);
        const char *last = strrchr(path, '/');
        d->stream = stream_of(last ? last + 1 : path);
        disk_dirs[n_disk_dirs++] = d;
    }
    return descriptor(d, NULL);
}

struct name *name_find(struct name *names, int n, const char *text)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i].text, text) == 0)
            return &names[i];
    return NULL;
}

bool name_is_segment(const char *name)
{
    const size_t len = strlen(name);
    return len == 24 && strcmp(name + 20, ".log") == 0;
}

bool name_is_snapshot(const char *name)
{
    const size_t len = strlen(name);
    return len > 5 && strcmp(name + len - 5, ".snap") == 0;
}

static bool is_full(const struct dir *d)
{
    return d->full_until_ns > world.mono_ns && !world.quiet;
}

static struct disk_file *make_file(struct dir *d, const char *name)
{
    if (is_full(d)) {
        errno = ENOSPC;
        return NULL;
    }
    if (d->n_names == NAMES_MAX || strlen(name) >= sizeof d->names->text)
        violated("%s/%s: more files than the simulation has room for", d->path, name);
    struct name *n = &d->names[d->n_names++];
    (void)snprintf(n->text, sizeof n->text, "%s", name);
    n->file = calloc(1, sizeof *n->file);
    if (!n->file)
        violated("out of memory");
    n->file->time_ns = clock_utc_ns();
    return n->file;
}

int disk_open(int dir, const char *name, int flags)
{
    struct dir *d = dir_of(dir);
    if (!d)
        return fail(EBADF);
    const struct name *n = name_find(d->names, d->n_names, name);
    if (n && (flags & O_EXCL))
        return fail(EEXIST);
    if (!n && !(flags & O_CREAT))
        return fail(ENOENT);
    struct disk_file *file = n ? n->file : make_file(d, name);
    if (!file)
        return -1;
    if (n && (flags & O_TRUNC))
        file_set_size(file, 0);
    return descriptor(d, file);
}

void disk_close(int fd)
{
    if (!is_open(fd))
        return;
    struct disk_file *file = file_of(fd);
    if (file && file->locked_by == opened[fd - FIRST_FD].owner)
        file->locked_by = NULL;
    memset(&opened[fd - FIRST_FD], 0, sizeof *opened);
}

int disk_size(int dir, const char *name, off_t *size)
{
    struct dir *d = dir_of(dir);
    const struct name *n = d ? name_find(d->names, d->n_names, name) : NULL;
    if (!n)
        return fail(d ? ENOENT : EBADF);
    *size = n->file->size;
    return 0;
}

int64_t disk_time_ns(int dir, const char *name)
{
    struct dir *d = dir_of(dir);
    const struct name *n = d ? name_find(d->names, d->n_names, name) : NULL;
    if (!n)
        return fail(d ? ENOENT : EBADF);
    return n->file->time_ns;
}

int disk_remove(int dir, const char *name)
{
    struct dir *d = dir_of(dir);
    struct name *n = d ? name_find(d->names, d->n_names, name) : NULL;
    if (!n)
        return fail(d ? ENOENT : EBADF);
    if (d->stream >= 0 && name_is_segment(name))
        watch_removed(d->stream, n->file);
    *n = d->names[--d->n_names];
    return 0;
}

int disk_rename(int dir, const char *from, const char *to)
{
    struct dir *d = dir_of(dir);
    struct name *n = d ? name_find(d->names, d->n_names, from) : NULL;
    if (!n)
        return fail(d ? ENOENT : EBADF);
    struct disk_file *file = n->file;
    *n = d->names[--d->n_names];
    n = name_find(d->names, d->n_names, to);
    if (!n)
        n = &d->names[d->n_names++];
    (void)snprintf(n->text, sizeof n->text, "%s", to);
    n->file = file;
    if (d->stream >= 0 && name_is_snapshot(to)) {
        holdings_snapshot(d->stream, file->bytes, file->size);
        /* the next start goes back to it: soon, in some seeds */
        if (!world.quiet && chance(world.knobs.snapshot_kill))
            process_running()->kill_in_gaps = 1 + (int)draw(40);
    }
    return 0;
}

int disk_list(int dir, int (*each)(void *ctx, const char *name), void *ctx)
{
    struct dir *d = dir_of(dir);
    int status = d ? 0 : fail(EBADF);
    for (int i = 0; status == 0 && i < d->n_names; i++)
        status = each(ctx, d->names[i].text);
    return status;
}

int disk_lock(int fd)
{
    struct disk_file *file = file_of(fd);
    if (!file)
        return fail(EBADF);
    if (file->locked_by && file->locked_by != process_running())
        return fail(EWOULDBLOCK);
    file->locked_by = process_running();
    return 0;
}

/* ---- contents -------------------------------------------------------------------------------------------------- */

void file_reserve(unsigned char **bytes, int64_t *capacity, int64_t size)
{
    if (size <= *capacity)
        return;
    int64_t wanted = *capacity ? *capacity : 4096;
    while (wanted < size)
        wanted *= 2;
    *bytes = realloc(*bytes, (size_t)wanted);
    if (!*bytes)
        violated("out of memory");
    memset(*bytes + *capacity, 0, (size_t)(wanted - *capacity));
    *capacity = wanted;
}

void file_set_size(struct disk_file *file, int64_t size)
{
    file_reserve(&file->bytes, &file->capacity, size);
    if (size > file->size)
        memset(file->bytes + file->size, 0, (size_t)(size - file->size));
    if (size < file->dirty_from)
        file->dirty_from = size;
    if (size < file->lost_end)
        file->lost_end = size;
    if (file->lost_from >= file->lost_end)
        file->lost_from = file->lost_end = 0;
    file->size = size;
}

static void lose_under_sync(struct disk_file *file)
{
    file->lost_from = file->dirty_from;
    file->lost_end = file->size;
}

static void note_written(struct disk_file *file, int64_t at, int64_t end)
{
    file->dirty_from = at < file->dirty_from ? at : file->dirty_from;
    if (at <= file->lost_from && end > file->lost_from)
        file->lost_from = end;
    if (file->lost_from >= file->lost_end)
        file->lost_from = file->lost_end = 0;
}

static const char *name_of(const struct dir *d, const struct disk_file *file)
{
    for (int i = 0; i < d->n_names; i++)
        if (d->names[i].file == file)
            return d->names[i].text;
    return "";
}

/* The device may take its time; others go on meanwhile. */
static void wait_for(const struct dir *d, int64_t usual_ns)
{
    if (d->slow_until_ns > world.mono_ns && !world.quiet)
        task_sleep(draw_around(60 * NS_PER_MS));
    else if (usual_ns)
        task_sleep(draw_around(usual_ns));
}

ssize_t disk_read(int fd, void *bytes, size_t len, off_t at)
{
    const struct disk_file *file = file_of(fd);
    if (!file)
        return fail(EBADF);
    if (at >= file->size)
        return 0;
    const size_t left = (size_t)(file->size - at);
    const size_t got = left < len ? left : len;
    memcpy(bytes, file->bytes + at, got);
    return (ssize_t)got;
}

ssize_t disk_write(int fd, const void *bytes, size_t len, off_t at)
{
    struct disk_file *file = file_of(fd);
    if (!file)
        return fail(EBADF);
    struct dir *d = dir_of(fd);
    const bool segment = name_is_segment(name_of(d, file));
    size_t put = len;
    wait_for(d, 0);
    if (d->break_write && segment) {
        d->break_write = false;
        TRACE("%s: a write fails", d->path);
        return fail(EIO);
    }
    const bool tears = d->tear_write && segment;
    if (is_full(d)) {
        put = len > 1 ? draw(len) : 0;
        if (put == 0)
            return fail(ENOSPC);
    } else if (len > 1 && !world.quiet && (tears || chance(3))) {
        put = 1 + draw(len - 1);
    }
    if (put < len)
        TRACE("%s: %zu bytes of %zu are written", d->path, put, len);
    if (at + (int64_t)put > file->size)
        file_set_size(file, at + (int64_t)put);
    memcpy(file->bytes + at, bytes, put);
    note_written(file, at, at + (int64_t)put);
    file->time_ns = clock_utc_ns();
    if (d->stream >= 0 && segment && put == len)
        watch_written(d->stream, file, file->bytes, file->size);
    if (tears) {
        d->tear_write = false;
        process_kill(process_running());
    }
    return (ssize_t)put;
}

int disk_sync(int fd)
{
    struct disk_file *file = file_of(fd);
    if (!file)
        return fail(EBADF);
    struct dir *d = dir_of(fd);
    if (d->break_sync) {
        d->break_sync = false;
        d->sync_broke = true;
        TRACE("%s: a sync fails", d->path);
        lose_under_sync(file);
        return fail(EIO);
    }
    /* What is written while it goes on is not safe after it; of what is cut off and written anew meanwhile, only what
     * became the same again. Who dies while it goes on has synced nothing. */
    const bool lost = file->lost_end > file->lost_from;
    const int64_t from = file->dirty_from, size = lost ? file->lost_from : file->size;
    int64_t same = from;
    unsigned char *copy = malloc((size_t)(size - from) + 1);
    if (!copy)
        violated("out of memory");
    memcpy(copy, file->bytes + from, (size_t)(size - from));
    wait_for(d, 200 * NS_PER_US);
    while (same < size && same < file->size && file->bytes[same] == copy[same - from])
        same++;
    if (is_power()) {
        file_reserve(&file->safe, &file->safe_capacity, size);
        memcpy(file->safe + from, copy, (size_t)(size - from));
        if (!lost || size > file->safe_size)
            file->safe_size = size;
    }
    free(copy);
    file->dirty_from = same;
    if (d->stream >= 0 && name_is_segment(name_of(d, file)))
        watch_synced(d->stream, file, same);
    return 0;
}

int disk_sync_dir(int dir)
{
    struct dir *d = dir_of(dir);
    if (!d)
        return fail(EBADF);
    wait_for(d, 200 * NS_PER_US);
    memcpy(d->safe, d->names, (size_t)d->n_names * sizeof *d->names);
    d->n_safe = d->n_names;
    return 0;
}

int disk_cut(int fd, off_t size)
{
    struct disk_file *file = file_of(fd);
    if (!file)
        return fail(EBADF);
    struct dir *d = dir_of(fd);
    file_set_size(file, size);
    if (d->stream >= 0 && name_is_segment(name_of(d, file)))
        watch_cut(d->stream, file, size);
    return 0;
}

/* ---- deaths ---------------------------------------------------------------------------------------------------- */

void disk_process_died(const struct process *p)
{
    for (int i = 0; i < OPEN_MAX_FILES; i++)
        if (opened[i].dir && opened[i].owner == p)
            disk_close(FIRST_FD + i);
    for (int i = 0; i < n_disk_dirs; i++) {
        if (disk_dirs[i]->stream >= 0 && disk_dirs[i]->stream == stream_of(p->name)) {
            disk_dirs[i]->sync_broke = false;
            watch_reread(disk_dirs[i]->stream);
        }
    }
}
