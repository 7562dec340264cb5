/* The file operations that journals and snapshots stand on, in one place, so that a simulation can put a faulty disk
 * under them. Each does what the system call does that it is named after: -1 with errno on failure.
 */
#ifndef SLUICE_RUNTIME_DISK_H
#define SLUICE_RUNTIME_DISK_H

#include <stdbool.h>
#include <sys/types.h>

/* Opens a directory, made with its parents when absent and `make` says so. */
int disk_dir(const char *path, bool make);

int disk_open(int dir, const char *name, int flags); /* as openat; new files get mode 0666 */
void disk_close(int fd);
ssize_t disk_read(int fd, void *bytes, size_t len, off_t at);
ssize_t disk_write(int fd, const void *bytes, size_t len, off_t at); /* may be short */
int disk_sync(int fd);                                               /* fdatasync */
int disk_sync_dir(int dir);       /* names made, changed and removed are safe */
int disk_cut(int fd, off_t size); /* ftruncate */
int disk_size(int dir, const char *name, off_t *size);
int64_t disk_time_ns(int dir, const char *name); /* of the last change, UTC; -1 */
int disk_remove(int dir, const char *name);
int disk_rename(int dir, const char *from, const char *to);
int disk_lock(int fd); /* exclusive, for as long as fd is open; EWOULDBLOCK: another process has it */

/* Calls `each` with every name in a directory, in no order, until it returns other than 0, which is then returned. */
int disk_list(int dir, int (*each)(void *ctx, const char *name), void *ctx);

#endif
