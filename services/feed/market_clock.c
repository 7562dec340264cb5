#include "services/feed/market_clock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/status.h"

static void read_session(uint64_t boot_id, char session[64])
{
    char name[40] = "";
    FILE *f = fopen("session", "re");
    if (f && fscanf(f, "%39s", name) != 1)
        *name = '\0';
    if (f)
        (void)fclose(f);
    (void)snprintf(session, 64, "%016" PRIx64 "-%s", boot_id, name);
}

int market_clock_open(struct market_clock *c, double speed, uint64_t boot_id)
{
    char line[256] = "", session[64];
    memset(c, 0, sizeof *c);
    c->speed = speed;
    read_session(boot_id, c->session);
    c->fd = open("feed.clock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (c->fd < 0)
        return E_IO;
    if (pread(c->fd, line, sizeof line - 1, 0) < 0)
        return E_IO;
    c->known = sscanf(line, "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %63s", &c->begin_ns,
                      &c->reached_ns, &c->anchor_market_ns, &c->anchor_mono_ns, session) == 5;
    c->rejoins = c->known && strcmp(session, c->session) == 0;
    return OK;
}

void market_clock_close(struct market_clock *c)
{
    if (c->fd >= 0)
        (void)close(c->fd);
    c->fd = -1;
}

void market_clock_start(struct market_clock *c, int64_t begin_ns, struct now now)
{
    if (!c->known)
        c->begin_ns = c->reached_ns = begin_ns;
    if (!c->rejoins) {
        c->anchor_market_ns = c->reached_ns;
        c->anchor_mono_ns = now.mono_ns;
    }
    c->known = true;
    market_clock_save(c);
}

int64_t market_clock_due(const struct market_clock *c, struct now now)
{
    if (c->speed == 0)
        return c->reached_ns;
    return c->anchor_market_ns + (int64_t)((double)(now.mono_ns - c->anchor_mono_ns) * c->speed);
}

int64_t market_clock_wait_ns(const struct market_clock *c, int64_t market_ns, struct now now)
{
    return c->speed == 0 ? 0 : (int64_t)((double)(market_ns - market_clock_due(c, now)) / c->speed);
}

void market_clock_reach(struct market_clock *c, int64_t market_ns)
{
    if (market_ns > c->reached_ns)
        c->reached_ns = market_ns;
}

/* One short write over the last: a killed feed leaves the old line or the new one, both of one length. */
void market_clock_save(const struct market_clock *c)
{
    char line[256];
    int len =
        snprintf(line, sizeof line, "%020" PRId64 " %020" PRId64 " %020" PRId64 " %020" PRId64 " %-63s\n",
                 c->begin_ns, c->reached_ns, c->anchor_market_ns, c->anchor_mono_ns, c->session);
    if (c->known && pwrite(c->fd, line, (size_t)len, 0) < 0)
        return; /* the line before is still true, if older */
}
