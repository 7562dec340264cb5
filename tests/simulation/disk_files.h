/* The played disk, from within: directories of names, and the files they name. Internal to disk*.c. */
#ifndef SLUICE_TESTS_SIMULATION_DISK_FILES_H
#define SLUICE_TESTS_SIMULATION_DISK_FILES_H

#include "tests/simulation/simulation.h"

enum { DIRS_MAX = 4, NAMES_MAX = 4096 };

struct disk_file {
    unsigned char *bytes;
    int64_t size, capacity;
    unsigned char *safe; /* as it is on the device */
    int64_t safe_size, safe_capacity;
    int64_t dirty_from; /* bytes before are the same in both */
    /* Under a sync that failed: the kernel takes these for written, and no later sync puts them on the device until they
     * are written once more. At or behind dirty_from; equal: none. */
    int64_t lost_from, lost_end;
    int64_t time_ns;
    const struct process *locked_by;
};

struct name {
    char text[48];
    struct disk_file *file;
};

struct dir {
    char path[64];
    int stream; /* STREAM_*, or -1 */
    struct name names[NAMES_MAX], safe[NAMES_MAX];
    int n_names, n_safe;
    int64_t full_until_ns, slow_until_ns;
    bool break_write, break_sync, tear_write, sync_broke;
    bool spoiled; /* a snapshot of it was, once */
};

extern struct dir *disk_dirs[DIRS_MAX];
extern int n_disk_dirs;

struct name *name_find(struct name *names, int n, const char *text); /* NULL */
bool name_is_segment(const char *name);
bool name_is_snapshot(const char *name);
void file_reserve(unsigned char **bytes, int64_t *capacity, int64_t size);
void file_set_size(struct disk_file *file, int64_t size);

#endif
