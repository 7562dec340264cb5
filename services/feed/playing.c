/* A market that is played: by the clock, or as fast as the slowest consumer. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/runtime/probe.h"
#include "services/feed/publisher.h"

enum { STEPS_PER_WAKEUP = 4096, PLAYING_VENUES_MAX = 64 };

/* How long the first frame waits for the consumers that the run has. */
#define START_WAIT_NS  (10 * NS_PER_SEC)
#define PACE_REPEAT_NS (100 * NS_PER_MS)
/* Prices that are this much late by the local clock are not published: they would look new. */
#define LATE_NS (100 * NS_PER_MS)

/* ---- the player's sink ------------------------------------------------------------------------------ */

static void note_end(struct publisher *p, struct now now)
{
    if (!p->ended && player_next_ns(p->player) == INT64_MAX) {
        p->ended = true;
        p->ended_mono_ns = now.mono_ns;
        if (*player_damage(p->player))
            log_line(LOG_ERROR, "recording-damaged", "error=\"%s\"", player_damage(p->player));
    }
}

static void on_instrument(void *ctx, const struct venue_book *book)
{
    struct publisher *p = ctx;
    feed_on_instrument(p->core, book->inst.venue, book, p->now);
}

static void on_book(void *ctx, const struct venue_book *book)
{
    struct publisher *p = ctx;
    enum stage before = probe_stage(STAGE_BOOK);
    feed_on_book(p->core, book->inst.venue, book, p->now);
    probe_back(before);
}

static void on_best(void *ctx, const struct venue_book *book, const struct bbo *bbo)
{
    struct publisher *p = ctx;
    enum stage before = probe_stage(STAGE_BOOK);
    feed_on_best(p->core, book->inst.venue, book, bbo, p->now);
    probe_back(before);
}

static void on_trade(void *ctx, const struct venue_book *book, const struct trade *trade)
{
    struct publisher *p = ctx;
    if (p->behind)
        return;
    (void)service_ready(&p->s);
    feed_on_trade(p->core, book->inst.venue, book, trade, p->now, &p->s.outbox);
}

/* ---- playing ---------------------------------------------------------------------------------------- */

static void step(struct publisher *p, struct now now)
{
    p->now = now;
    p->now.market_ns = player_next_ns(p->player);
    enum stage before = probe_stage(STAGE_DECODE);
    player_step(p->player);
    probe_back(before);
    market_clock_reach(&p->clock, p->now.market_ns);
}

/* Plays what is due, as much as one wake-up may. false: there is more. */
static bool play_due(struct publisher *p, int64_t due_ns, struct now now)
{
    int steps = 0;
    while (player_next_ns(p->player) <= due_ns && steps++ < STEPS_PER_WAKEUP)
        step(p, now);
    p->behind = player_next_ns(p->player) <= due_ns;
    if (p->behind)
        loop_wake_in(p->s.loop, 1);
    return !p->behind;
}

/* Says where the window ends; again while an answer is missing, for it may not have been heard. */
static void send_pace(struct publisher *p, struct now now)
{
    (void)service_ready(&p->s);
    struct message *m = outbox_message(&p->s.outbox, MSG_PACE);
    (void)snprintf(m->env.stream, sizeof m->env.stream, "market");
    m->env.time_out = now.utc_ns;
    m->pace.window = p->pacer.window;
    m->pace.market_time = p->clock.reached_ns;
    m->pace.last = p->ended;
    outbox_add(&p->s.outbox, EFFECT_PUBLISH, m, PEER_NONE);
    service_flush(&p->s);
    p->paced_mono_ns = now.mono_ns;
}

/* Whether the window before is done by all who count. */
static bool window_done(struct publisher *p, struct now now)
{
    uint32_t silent;
    bool done = pacer_done(&p->pacer, now, &silent);
    if (silent)
        log_line(LOG_WARN, "consumer-silent", "left_out=%u window=%" PRIu64, silent, p->pacer.window);
    if (!done && now.mono_ns - p->paced_mono_ns >= PACE_REPEAT_NS)
        send_pace(p, now);
    if (!done)
        loop_wake_in(p->s.loop, PACE_REPEAT_NS);
    return done;
}

/* One window, every change published: at full speed no book is conflated away. */
static void play_window(struct publisher *p, struct now now)
{
    if (!play_due(p, p->catch_up_ns, now) || !window_done(p, now))
        return;
    uint64_t published_before = p->published;
    int steps = 0;
    while (player_next_ns(p->player) != INT64_MAX && steps++ < STEPS_PER_WAKEUP &&
           p->published - published_before < (uint64_t)p->s.config.feed.pace_window) {
        /* Its receipt is when it is injected, not when the window began. */
        step(p, (struct now){.mono_ns = clock_mono_ns(), .utc_ns = clock_utc_ns()});
        publish_touched(p, p->now);
    }
    note_end(p, now);
    (void)pacer_announce(&p->pacer, now);
    send_pace(p, now);
    market_clock_save(&p->clock);
}

/* Everything due by the clock, each touched topic once. After a pause it catches up without publishing. */
static void play_clock(struct publisher *p, struct now now)
{
    int64_t due_ns = market_clock_due(&p->clock, now);
    if (market_clock_wait_ns(&p->clock, player_next_ns(p->player), now) < -LATE_NS)
        p->behind = true;
    if (!play_due(p, due_ns, now))
        return;
    note_end(p, now);
    market_clock_reach(&p->clock, due_ns);
    if (!p->ended)
        loop_wake_in(p->s.loop, market_clock_wait_ns(&p->clock, player_next_ns(p->player), now));
}

/* A market that runs by the clock waits for nobody but at its beginning. */
static bool start(struct publisher *p, struct now now)
{
    bool waits = !p->clock.rejoins || p->clock.speed == 0;
    if (waits && p->pacer.n < p->expected && now.mono_ns - p->opened_mono_ns < START_WAIT_NS)
        return false;
    if (p->clock.known)
        p->catch_up_ns = p->clock.reached_ns;
    p->behind = p->clock.known;
    log_line(LOG_INFO, "playing", "consumers=%u expected=%u goes_on=%d rejoins=%d", p->pacer.n, p->expected,
             p->clock.known, p->clock.rejoins);
    market_clock_start(&p->clock, player_next_ns(p->player), now);
    return true;
}

void play(struct publisher *p, struct now now)
{
    if (!p->started)
        p->started = start(p, now);
    if (!p->started || p->ended)
        return;
    if (p->clock.speed == 0)
        play_window(p, now);
    else
        play_clock(p, now);
}

/* ---- life ------------------------------------------------------------------------------------------- */

void playing_open(struct publisher *p, uint64_t epoch)
{
    struct service *s = &p->s;
    char error[CONFIG_ERROR_MAX];
    double speed = strcmp(s->config.feed.speed, "max") == 0 ? 0 : strtod(s->config.feed.speed, NULL);
    struct market_sink sink = {
        .ctx = p, .instrument = on_instrument, .book = on_book, .best = on_best, .trade = on_trade};
    p->expected = (uint32_t)s->config.strategy.workers + 3; /* and the gate, the hand, the recorder */
    p->opened_mono_ns = clock_mono_ns();
    if (market_clock_open(&p->clock, speed, s->boot_id) != OK)
        service_fail(s, "feed.clock cannot be opened");
    pacer_start(&p->pacer, epoch);
    int64_t begin_ns = p->clock.known ? p->clock.begin_ns : clock_utc_ns();
    if (player_open(&s->config, begin_ns, &sink, &p->player, error) != OK)
        service_fail(s, error);
}

void playing_close(struct publisher *p)
{
    market_clock_save(&p->clock);
    market_clock_close(&p->clock);
    player_close(&p->player);
}

/* ---- how it stands ---------------------------------------------------------------------------------- */

void playing_report(struct publisher *p, struct now now)
{
    market_clock_save(&p->clock);
    struct player_venue venues[PLAYING_VENUES_MAX];
    uint32_t n = p->started ? player_venues(p->player, venues, PLAYING_VENUES_MAX) : 0;
    for (uint32_t i = 0; i < n; i++) {
        (void)service_ready(&p->s);
        struct venue_report report = {.venue = venues[i].name,
                                      .state = VENUE_UP,
                                      .detail = p->ended ? "the recording has ended" : "playing",
                                      .counters = venues[i].counters};
        feed_on_venue(p->core, &report, now, &p->s.outbox);
    }
}

void playing_status(const struct publisher *p, struct reply *reply)
{
    status_metric(reply, "ended", p->ended);
    status_metric(reply, "damaged", *player_damage(p->player) != 0);
    status_metric(reply, "progress_permille", (int64_t)(player_progress(p->player) * 1000));
    status_metric(reply, "played_ns", p->clock.reached_ns - p->clock.begin_ns);
    status_metric(reply, "consumers", p->pacer.n);
    status_metric(reply, "consumers_left_out", p->pacer.left_out);
    status_metric(reply, "dislocations", (int64_t)player_dislocations(p->player));
}
