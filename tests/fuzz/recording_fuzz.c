/* No file crashes the reader of recordings, gzip or not, and every readable line is whole. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "venues/recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64], error[128];
    struct recording *recording;
    struct recorded_line line;
    int fd = memfd_create("recording", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (recording_open(path, &recording, error, sizeof error) != 0)
        abort();
    uint64_t lines = 0;
    while (recording_next(recording, &line) == 1) {
        if (line.line != ++lines)
            abort();
        if (line.readable && (strlen(line.frame.url) > size || line.frame.text[line.frame.len] != '\0'))
            abort();
        if (!line.readable && recording_error(recording)[0] == '\0')
            abort();
    }
    recording_close(&recording);
    close(fd);
    return 0;
}
