#include "lib/runtime/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_directories(const char *path)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof part) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(part, path, len + 1);
    for (char *at = part + 1;; at++) {
        const char was = *at;
        if (was != '/' && was != '\0')
            continue;
        *at = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return -1;
        *at = was;
        if (was == '\0')
            return 0;
    }
}

int disk_dir(const char *path, bool make)
{
    if (make && make_directories(path) != 0)
        return -1;
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int disk_open(int dir, const char *name, int flags)
{
    return openat(dir, name, flags | O_CLOEXEC, 0666);
}

void disk_close(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

ssize_t disk_read(int fd, void *bytes, size_t len, off_t at)
{
    return pread(fd, bytes, len, at);
}

ssize_t disk_write(int fd, const void *bytes, size_t len, off_t at)
{
    return pwrite(fd, bytes, len, at);
}

int disk_sync(int fd)
{
    return fdatasync(fd);
}

int disk_sync_dir(int dir)
{
    return fsync(dir);
}

int disk_cut(int fd, off_t size)
{
    return ftruncate(fd, size);
}

int disk_size(int dir, const char *name, off_t *size)
{
    struct stat file;
    if (fstatat(dir, name, &file, 0) != 0)
        return -1;
    *size = file.st_size;
    return 0;
}

int64_t disk_time_ns(int dir, const char *name)
{
    struct stat file;
    if (fstatat(dir, name, &file, 0) != 0)
        return -1;
    return (int64_t)file.st_mtim.tv_sec * 1000000000 + file.st_mtim.tv_nsec;
}

int disk_remove(int dir, const char *name)
{
    return unlinkat(dir, name, 0);
}

int disk_rename(int dir, const char *from, const char *to)
{
    return renameat(dir, from, dir, to);
}

int disk_lock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB);
}

int disk_list(int dir, int (*each)(void *ctx, const char *name), void *ctx)
{
    const int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = fd < 0 ? NULL : fdopendir(fd);
    if (!names) {
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    int status = 0;
    const struct dirent *entry;
    errno = 0;
    while (status == 0 && (entry = readdir(names)) != NULL)
        status = each(ctx, entry->d_name);
    if (status == 0 && errno != 0)
        status = -1;
    (void)closedir(names);
    return status;
}
