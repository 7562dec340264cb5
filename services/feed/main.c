/* The feed's process: turns the run's market, played or live, into books and publishes them. */
#include <stdlib.h>
#include <string.h>

#include "lib/runtime/probe.h"
#include "services/feed/live.h"
#include "services/feed/publisher.h"

#define HEAR_NS (5 * NS_PER_MS)
#define LOOK_NS (20 * NS_PER_MS)

/* Live, market time is the receive clock; played, it goes on when the recordings have ended, so that what is under way
 * comes to its end. */
static struct now market_now(const struct publisher *p, struct now now)
{
    now.market_ns =
        p->live ? now.utc_ns : p->clock.reached_ns + (p->ended ? now.mono_ns - p->ended_mono_ns : 0);
    return now;
}

static void on_time(struct service *s, struct now now)
{
    struct publisher *p = (struct publisher *)s;
    now = market_now(p, now);
    if (p->live)
        live_on_time(p->live, now);
    else
        play(p, now);
    (void)service_ready(s);
    now = market_now(p, now);
    enum stage before = probe_stage(STAGE_BOOK);
    feed_on_time(p->core, now, &s->outbox);
    probe_back(before);
    if (!p->behind)
        publish_touched(p, now);
    before = probe_stage(STAGE_JOURNAL);
    captures_write(p->captures);
    probe_back(before);
    loop_wake_in(s->loop, feed_wait_ns(p->core, now));
}

/* ---- others ------------------------------------------------------------------------------------------- */

/* Who subscribes without end is heard no faster than this: he waits then, in his own socket, and not those who trade. */
static int drain_subscriptions(void *ctx, struct now now, int bound)
{
    struct publisher *p = ctx;
    int taken = 0;
    if (now.mono_ns - p->heard_mono_ns < HEAR_NS)
        return 0;
    p->heard_mono_ns = now.mono_ns;
    now = market_now(p, now);
    while (taken < bound && inbox_take(&p->inbox, p->market) == OK) {
        const char *bytes = p->inbox.bytes;
        if (p->inbox.len > 0 && bytes[0] == 1)
            feed_on_subscription(p->core, bytes + 1, p->inbox.len - 1, now);
        inbox_skip(&p->inbox, p->market);
        taken++;
    }
    if (taken > 0) /* there may be more, for which libzmq had no room */
        loop_wake_in(p->s.loop, HEAR_NS);
    return taken;
}

/* Subscriptions wake nobody: in a quiet market they are looked for in the wake-up that this makes. */
static void look_for_subscriptions(void *ctx, struct now now)
{
    (void)ctx;
    (void)now;
}

static void report_venues(void *ctx, struct now now)
{
    struct publisher *p = ctx;
    now = market_now(p, now);
    if (p->live)
        live_report(p->live, now);
    else
        playing_report(p, now);
    captures_watch(p->captures);
}

static enum control_code on_control(struct service *s, const struct request *request, struct now now)
{
    if (request->verb == VERB_PACED)
        pacer_answer(&((struct publisher *)s)->pacer, request->arg, request->number, now);
    else if (request->verb == VERB_STOP)
        loop_stop(s->loop);
    else
        return CONTROL_UNKNOWN_VERB;
    return CONTROL_DONE;
}

static void on_status(struct service *s, struct reply *reply)
{
    struct publisher *p = (struct publisher *)s;
    status_metric(reply, "published", (int64_t)p->published);
    status_metric(reply, "unsent", (int64_t)p->unsent);
    if (p->live)
        live_status(p->live, reply);
    else
        playing_status(p, reply);
    captures_status(p->captures, reply);
    feed_status(p->core, reply);
}

static enum control_code on_page(struct service *s, const struct request *request, struct reply *reply,
                                 struct now now)
{
    struct publisher *p = (struct publisher *)s;
    now = market_now(p, now);
    if (request->verb == VERB_BOOK)
        return feed_page(p->core, request->number, reply, now);
    return p->live ? live_page(p->live, request->number, reply, now) : CONTROL_REFUSED;
}

static void market_open(struct publisher *p, uint64_t epoch)
{
    char error[CONFIG_ERROR_MAX];
    if (captures_open(&p->s.config, epoch, clock_utc_ns(), &p->captures, error) != OK)
        service_fail(&p->s, error);
    struct live_tap tap = captures_tap(p->captures);
    if (strcmp(p->s.config.feed.source, "live") != 0)
        playing_open(p, epoch);
    else if (live_open(&p->s, p->core, &tap, &p->live, error) != OK)
        service_fail(&p->s, error);
}

static void market_close(struct publisher *p)
{
    if (p->live)
        live_close(&p->live);
    else
        playing_close(p);
    captures_close(&p->captures);
}

int main(int argc, char **argv)
{
    struct publisher *p = service_state(sizeof *p);
    struct service *s = &p->s;
    service_open(s, "feed", argc, argv);
    uint64_t epoch = service_epoch(s, "feed.epoch");
    p->core = feed_new(&(struct feed_options){
        .config = &s->config, .epoch = epoch, .boot_id = s->boot_id, .instruments = INSTRUMENTS_MAX});
    if (!p->core || epoch == 0 || inbox_open(&p->inbox) != OK)
        service_fail(s, "no memory, or feed.epoch cannot be read or written");
    market_open(p, epoch);
    s->devices = (struct devices){.ctx = p, .publish = publisher_publish};
    s->on_time = on_time;
    s->on_control = on_control;
    s->on_status = on_status;
    s->on_page = on_page;
    p->market = service_socket(s, SOCKET_MARKET_PUB, "feed", "market");
    (void)loop_source(s->loop, p->market, 0, false, drain_subscriptions, p);
    (void)loop_timer(s->loop, LOOK_NS, look_for_subscriptions, p);
    (void)loop_timer(s->loop, NS_PER_SEC, report_venues, p);
    int code = service_run(s);
    market_close(p);
    feed_destroy(&p->core);
    inbox_close(&p->inbox);
    free(p);
    return code;
}
