/* Reading the clocks, and writing a time down. */
#include "lib/base/clock.h"

#include <stdio.h>
#include <time.h>

#include "lib/base/table.h"

static int64_t read_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

int64_t clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_utc_ns(void)
{
    return read_ns(CLOCK_REALTIME);
}

uint64_t clock_boot_id(void)
{
    char id[64];
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file == NULL) {
        return 0;
    }
    size_t len = fread(id, 1, sizeof id, file);
    fclose(file);
    return len > 0 ? fnv1a(FNV_OFFSET, id, len) : 0;
}

void clock_format(int64_t utc_ns, char out[32])
{
    int64_t sec = utc_ns / NS_PER_SEC, ns = utc_ns % NS_PER_SEC;
    if (ns < 0) {
        ns += NS_PER_SEC;
        sec--;
    }
    time_t t = (time_t)sec;
    struct tm tm;
    gmtime_r(&t, &tm);
    size_t n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, 32 - n, ".%09dZ", (int)ns);
}
