#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/runtime/service.h"

/* A renamed file is safe once its directory is on disk. */
static bool sync_directory(void)
{
    int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd);
    return synced;
}

uint64_t epoch_next(const char *path)
{
    uint64_t epoch = 0;
    char next[80];
    FILE *f = fopen(path, "re");
    if (f) {
        bool read = fscanf(f, "%20" SCNu64, &epoch) == 1;
        (void)fclose(f);
        if (!read) /* to begin again at 1 would go back behind what subscribers have seen */
            return 0;
    }
    (void)snprintf(next, sizeof next, "%.70s.next", path);
    f = fopen(next, "we");
    if (!f)
        return 0;
    bool written = fprintf(f, "%" PRIu64 "\n", epoch + 1) > 0 && fflush(f) == 0 && fsync(fileno(f)) == 0;
    written = fclose(f) == 0 && written;
    return written && rename(next, path) == 0 && sync_directory() ? epoch + 1 : 0;
}
