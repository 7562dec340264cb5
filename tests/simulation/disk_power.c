/* Power loss: a file keeps what was synced, and of what was only written some first part, torn at any byte, whose last
 * bytes may be zeros; or its blocks reach the device in any order, and each is there by itself or is not. A name that was
 * made, changed or removed since its directory was synced may be so or as before. */
#include <string.h>

#include "tests/simulation/disk_files.h"

enum { BLOCK_BYTES = 512 };

/* Of each block that is lost the device has what was synced of it. */
static void lose_blocks(struct disk_file *file, int64_t kept, int permille)
{
    for (int64_t at = file->safe_size; at < kept;) {
        const int64_t next = at - at % BLOCK_BYTES + BLOCK_BYTES;
        const int64_t end = next < kept ? next : kept;
        if (chance(permille))
            memset(file->bytes + at, 0, (size_t)(end - at));
        at = end;
    }
}

static void lose_unsynced_bytes(struct disk_file *file)
{
    const bool any_order = file->size > file->safe_size && chance(500);
    int64_t kept = any_order ? file->size : file->safe_size;
    if (!any_order && file->size > file->safe_size && chance(700))
        kept += (int64_t)draw((uint64_t)(file->size - file->safe_size) + 1);
    if (file->dirty_from < file->safe_size || file->size < file->safe_size) {
        /* Rewritten before its safe end: the old bytes come back. */
        file_set_size(file, file->safe_size);
        kept = file->safe_size;
    }
    file_reserve(&file->bytes, &file->capacity, kept);
    if (file->safe_size)
        memcpy(file->bytes, file->safe, (size_t)file->safe_size);
    const int64_t unsafe = kept - file->safe_size;
    if (unsafe > 0 && !any_order && chance(300)) {
        const int64_t zeros = 1 + (int64_t)draw((uint64_t)(unsafe < 512 ? unsafe : 512));
        memset(file->bytes + kept - zeros, 0, (size_t)zeros);
    }
    if (any_order)
        lose_blocks(file, kept, 100 + (int)draw(600));
    file->size = kept;
    /* What is read back after the power has come back is on the device. */
    file_reserve(&file->safe, &file->safe_capacity, kept);
    if (kept > 0)
        memcpy(file->safe, file->bytes, (size_t)kept);
    file->safe_size = file->dirty_from = kept;
    file->lost_from = file->lost_end = 0;
}

/* Each change of a name since the last sync is there, or it is not. */
static void lose_unsynced_names(struct dir *d)
{
    struct name kept[NAMES_MAX];
    int n = 0;
    for (int i = 0; i < d->n_safe; i++) {
        const struct name *now = name_find(d->names, d->n_names, d->safe[i].text);
        const bool changed = !now || now->file != d->safe[i].file;
        if (!changed || chance(500))
            kept[n++] = d->safe[i];
        else if (now)
            kept[n++] = *now;
    }
    for (int i = 0; i < d->n_names; i++)
        if (!name_find(d->safe, d->n_safe, d->names[i].text) && chance(500))
            kept[n++] = d->names[i];
    memcpy(d->names, kept, (size_t)n * sizeof *kept);
    memcpy(d->safe, kept, (size_t)n * sizeof *kept);
    d->n_names = d->n_safe = n;
}

void disk_power_lost(int stream)
{
    for (int i = 0; i < n_disk_dirs; i++) {
        struct dir *d = disk_dirs[i];
        if (stream >= 0 && d->stream != stream)
            continue;
        lose_unsynced_names(d);
        for (int j = 0; j < d->n_names; j++)
            lose_unsynced_bytes(d->names[j].file);
        if (d->stream >= 0)
            watch_power_lost(d->stream);
    }
}
