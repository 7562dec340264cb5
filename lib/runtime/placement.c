#include "lib/runtime/placement.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "lib/base/clock.h"
#include "lib/base/table.h"
#include "lib/runtime/log.h"

enum { LIST_MAX = 256, STAT_MAX = 65536, ABOUT_EQUAL_TICKS = 2 };

/* ---- lists of processors ------------------------------------------------------------------------------ */

bool cpu_list_read(const char *text, cpu_set_t *out)
{
    CPU_ZERO(out);
    for (const char *at = text;;) {
        char *end;
        if (*at < '0' || *at > '9')
            return false;
        unsigned long first = strtoul(at, &end, 10), last = first;
        if (*end == '-') {
            at = end + 1;
            if (*at < '0' || *at > '9')
                return false;
            last = strtoul(at, &end, 10);
        }
        if (last < first || last >= CPU_SETSIZE)
            return false;
        for (; first <= last; first++)
            CPU_SET(first, out);
        if (*end == '\0')
            return true;
        if (*end != ',')
            return false;
        at = end + 1;
    }
}

void cpu_list_write(const cpu_set_t *cpus, char *out, size_t cap)
{
    size_t len = 0;
    out[0] = '\0';
    for (int i = 0; i < CPU_SETSIZE && len < cap; i++) {
        if (!CPU_ISSET(i, cpus))
            continue;
        int last = i;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cpus))
            last++;
        int n = snprintf(out + len, cap - len, last > i ? "%s%d-%d" : "%s%d", len ? "," : "", i, last);
        len += n > 0 ? (size_t)n : 0;
        i = last;
    }
}

/* With mode auto, where what counts is the time from a tick to its order. A replay at full speed, or several workers,
 * want all the processors there are. */
static bool shares(const struct config *c)
{
    return strcmp(c->placement.mode, "auto") == 0 && strcmp(c->feed.speed, "max") != 0 &&
           c->strategy.workers == 1;
}

/* ---- the least busy ----------------------------------------------------------------------------------- */

/* Ticks that a processor was neither idle nor waiting for a disk; -1: it is not in the text. */
static int64_t busy_ticks(const char *stat, int cpu)
{
    char name[16];
    int64_t user, nice, system, idle, waiting, interrupts, soft, stolen;
    (void)snprintf(name, sizeof name, "\ncpu%d ", cpu);
    const char *line = strstr(stat, name);
    if (!line ||
        sscanf(line + strlen(name),
               "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64,
               &user, &nice, &system, &idle, &waiting, &interrupts, &soft, &stolen) != 8)
        return -1;
    return user + nice + system + interrupts + soft + stolen;
}

int cpu_least_busy(const char *before, const char *after, const cpu_set_t *allowed, uint64_t draw)
{
    int64_t busy[CPU_SETSIZE], least = INT64_MAX;
    uint64_t n = 0;
    for (int i = 0; i < CPU_SETSIZE; i++) {
        int64_t from = CPU_ISSET(i, allowed) ? busy_ticks(before, i) : -1;
        int64_t to = from < 0 ? -1 : busy_ticks(after, i);
        busy[i] = to < 0 ? INT64_MAX : to - from;
        least = busy[i] < least ? busy[i] : least;
    }
    if (least == INT64_MAX)
        return -1;
    for (int i = 0; i < CPU_SETSIZE; i++)
        n += busy[i] != INT64_MAX && busy[i] <= least + ABOUT_EQUAL_TICKS;
    for (int i = 0, nth = (int)(draw % n); i < CPU_SETSIZE; i++)
        if (busy[i] != INT64_MAX && busy[i] <= least + ABOUT_EQUAL_TICKS && nth-- == 0)
            return i;
    return -1;
}

static bool read_stat(char *out)
{
    FILE *f = fopen("/proc/stat", "re");
    size_t len = f ? fread(out, 1, STAT_MAX - 1, f) : 0;
    out[len] = '\0';
    if (f)
        (void)fclose(f);
    return len > 0;
}

void placement_choose(const struct config *config)
{
    static char before[STAT_MAX], after[STAT_MAX];
    const struct timespec tenth = {.tv_nsec = 100 * NS_PER_MS};
    cpu_set_t allowed;
    (void)unlink("placement");
    if (!shares(config) || sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2 ||
        !read_stat(before))
        return;
    (void)nanosleep(&tenth, NULL);
    int cpu = read_stat(after) ? cpu_least_busy(before, after, &allowed, (uint64_t)getpid()) : -1;
    FILE *f = cpu >= 0 ? fopen("placement", "we") : NULL;
    if (f) {
        (void)fprintf(f, "%d\n", cpu);
        (void)fclose(f);
    }
}

/* ---- placing ------------------------------------------------------------------------------------------ */

static bool is(const char *service, const char *kind)
{
    return strncmp(service, kind, strlen(kind)) == 0;
}

/* What stands between a tick and its order. */
static bool is_hot(const char *service)
{
    return !is(service, "recorder");
}

static const char *list_of(const struct config *c, const char *service)
{
    return is(service, "feed")       ? c->placement.feed
           : is(service, "strategy") ? c->placement.strategy
           : is(service, "risk")     ? c->placement.risk
           : is(service, "exec")     ? c->placement.exec
           : is(service, "recorder") ? c->placement.recorder
                                     : "";
}

static int shared_cpu(const cpu_set_t *allowed, const char *run)
{
    int cpu = -1;
    FILE *f = fopen("placement", "re");
    if (f && fscanf(f, "%d", &cpu) != 1)
        cpu = -1;
    if (f)
        (void)fclose(f);
    if (cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET(cpu, allowed))
        return cpu;
    int nth = (int)(fnv1a(FNV_OFFSET, run, strlen(run)) % (uint64_t)CPU_COUNT(allowed));
    for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, allowed) && nth-- == 0)
            break;
    return cpu;
}

/* A list of the configuration, as far as this process may use it. */
static bool wanted(const char *key, const char *refused, const char *list, const cpu_set_t *allowed,
                   cpu_set_t *out)
{
    char may[LIST_MAX];
    cpu_list_write(allowed, may, sizeof may);
    if (!cpu_list_read(list, out)) {
        log_line(LOG_WARN, refused,
                 "key=placement.%s value=\"%s\" expected=\"processors, such as 0 or 0,2-3\"", key, list);
        return false;
    }
    CPU_AND(out, out, allowed);
    if (CPU_COUNT(out) == 0)
        log_line(LOG_WARN, refused, "key=placement.%s value=\"%s\" expected=\"some of %s\"", key, list, may);
    return CPU_COUNT(out) > 0;
}

static bool cpus_of(const struct config *c, const char *service, const char *run, const cpu_set_t *allowed,
                    cpu_set_t *out)
{
    const char *list = list_of(c, service);
    if (strcmp(c->placement.mode, "manual") == 0)
        return *list && wanted(service, "not-placed", list, allowed, out);
    if (!shares(c) || !is_hot(service) || CPU_COUNT(allowed) < 2)
        return false;
    CPU_ZERO(out);
    CPU_SET(shared_cpu(allowed, run), out);
    return true;
}

/* The threads of sockets are where their process is when they begin, or where their own list says. */
static void place_io_threads(const struct config *c, const cpu_set_t *allowed, void *zmq)
{
    const char *list = c->placement.io_threads;
    cpu_set_t cpus = *allowed;
    if (strcmp(list, "with") == 0 ||
        (strcmp(list, "any") != 0 && !wanted("io_threads", "io-not-placed", list, allowed, &cpus)))
        return;
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &cpus))
            (void)zmq_ctx_set(zmq, ZMQ_THREAD_AFFINITY_CPU_ADD, i);
}

/* Held for as long as the process lives. */
static void hold_awake(void)
{
    const int32_t microseconds = 0;
    int fd = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, &microseconds, sizeof microseconds) == (ssize_t)sizeof microseconds)
        log_line(LOG_INFO, "held-awake", "file=/dev/cpu_dma_latency what=\"idle processors do not sleep\"");
    else
        log_line(LOG_WARN, "not-held-awake", "file=/dev/cpu_dma_latency error=\"%s\"", strerror(errno));
}

static bool become_fifo(int priority)
{
    const struct sched_param wanted_priority = {.sched_priority = priority};
    if (sched_setscheduler(0, SCHED_FIFO, &wanted_priority) == 0)
        return true;
    log_line(LOG_WARN, "not-fifo", "key=placement.fifo_priority value=%d error=\"%s\"", priority,
             strerror(errno));
    return false;
}

void placement_apply(const struct config *config, const char *service, const char *run, struct loop *loop,
                     void *zmq)
{
    char list[LIST_MAX] = "any";
    cpu_set_t allowed, cpus;
    int64_t spin_us = config->placement.spin_us;
    bool fifo = config->placement.fifo_priority > 0 && is_hot(service) &&
                become_fifo((int)config->placement.fifo_priority);
    if (fifo && spin_us > 0) { /* nobody else would ever run */
        log_line(LOG_WARN, "no-spin",
                 "key=placement.spin_us value=%" PRId64 " expected=\"0, with fifo_priority\"", spin_us);
        spin_us = 0;
    }
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        place_io_threads(config, &allowed, zmq);
        if (cpus_of(config, service, run, &allowed, &cpus) && sched_setaffinity(0, sizeof cpus, &cpus) == 0)
            cpu_list_write(&cpus, list, sizeof list);
    }
    if (config->placement.hold_awake && is(service, "feed"))
        hold_awake();
    loop_waiting(loop, spin_us * NS_PER_US, (int)config->placement.drain_messages);
    log_line(LOG_INFO, "placed", "cpus=%s io_threads=%s spin_us=%" PRId64 " fifo=%d", list,
             config->placement.io_threads, spin_us, fifo);
}
