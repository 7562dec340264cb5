#include "venues/player.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "venues/recording.h"
#include "venues/sim/sim.h"

enum { TRACKS_MAX = CONFIG_MAX_recordings };

/* One recording. Venues are per track: two recordings of one venue are two sockets' worth of books. */
struct track {
    const char *path;
    struct recording *recording;
    struct recorded_line line; /* the next frame, read ahead */
    bool ended;
    const struct venue_ops *ops;
    struct venue_market *market;
};

struct player {
    struct sim *sim; /* or: */
    struct track tracks[TRACKS_MAX];
    uint32_t n_tracks;
    struct instrument_file *instruments;
    struct market_sink sink;
    uint64_t foreign;              /* frames of venues that are not built in */
    char damage[CONFIG_ERROR_MAX]; /* of the first recording that ended before its time, in words; else empty
                                    */
};

/* Reads on to the next inbound or connect frame of a venue that is built in. */
static void read_ahead(struct player *self, struct track *t)
{
    int got;
    while ((got = recording_next(t->recording, &t->line)) == 1) {
        const struct frame *f = &t->line.frame;
        if (!t->line.readable || (!t->line.inbound && f->kind != FRAME_CONNECT))
            continue;
        if (!t->ops && (t->ops = venue_of_url(f->url)) != NULL)
            t->market = t->ops->open(self->instruments, &self->sink);
        if (t->ops && t->market && t->ops->owns_url(f->url))
            return;
        self->foreign++;
    }
    t->ended = true;
    if (got < 0 && !*self->damage)
        (void)snprintf(self->damage, sizeof self->damage, "%s: %s", t->path, recording_error(t->recording));
}

static int open_recordings(struct player *self, const struct config *config, char error[CONFIG_ERROR_MAX])
{
    if (config->n_recordings == 0) {
        (void)snprintf(error, CONFIG_ERROR_MAX,
                       "feed.source is replay, but no recording is named; expected --replay FILE");
        return E_ABSENT;
    }
    for (uint32_t i = 0; i < config->n_recordings; i++) {
        struct track *t = &self->tracks[self->n_tracks];
        t->path = config->recordings[i].path;
        int status = recording_open(config->recordings[i].path, &t->recording, error, CONFIG_ERROR_MAX);
        if (status)
            return status;
        self->n_tracks++;
        read_ahead(self, t);
        if (!t->market) {
            (void)snprintf(error, CONFIG_ERROR_MAX, "%.300s: no frame of a venue that is known here",
                           config->recordings[i].path);
            return E_SYNTAX;
        }
    }
    return OK;
}

int player_open(const struct config *config, int64_t start_ns, const struct market_sink *sink,
                struct player **out, char error[CONFIG_ERROR_MAX])
{
    struct player *self = calloc(1, sizeof *self);
    int status = OK;
    if (!self) {
        (void)snprintf(error, CONFIG_ERROR_MAX, "out of memory");
        return E_FULL;
    }
    self->sink = *sink;
    if (*config->feed.instruments)
        status = instrument_file_open(config->feed.instruments, &self->instruments, error, CONFIG_ERROR_MAX);
    if (status == OK)
        status = strcmp(config->feed.source, "sim") == 0 ? sim_open(config, start_ns, sink, &self->sim, error)
                                                         : open_recordings(self, config, error);
    if (status)
        player_close(&self);
    *out = self;
    return status;
}

void player_close(struct player **self)
{
    struct player *p = *self;
    if (!p)
        return;
    for (uint32_t i = 0; i < p->n_tracks; i++) {
        if (p->tracks[i].market)
            p->tracks[i].ops->close(&p->tracks[i].market);
        recording_close(&p->tracks[i].recording);
    }
    if (p->sim)
        sim_close(&p->sim);
    if (p->instruments)
        instrument_file_close(&p->instruments);
    free(p);
    *self = NULL;
}

/* The track whose next frame was received first; the earlier named at equal times. */
static const struct track *earliest(const struct player *self)
{
    const struct track *first = NULL;
    for (uint32_t i = 0; i < self->n_tracks; i++) {
        const struct track *t = &self->tracks[i];
        if (!t->ended && (!first || t->line.frame.recv_ns < first->line.frame.recv_ns))
            first = t;
    }
    return first;
}

int64_t player_next_ns(const struct player *self)
{
    if (self->sim)
        return sim_next_ns(self->sim);
    const struct track *t = earliest(self);
    return t ? t->line.frame.recv_ns : INT64_MAX;
}

void player_step(struct player *self)
{
    if (self->sim) {
        sim_step(self->sim);
        return;
    }
    const struct track *next = earliest(self);
    if (!next)
        return;
    struct track *t = &self->tracks[next - self->tracks];
    (void)t->ops->on_frame(t->market, &t->line.frame);
    read_ahead(self, t);
}

const char *player_damage(const struct player *self)
{
    return self->damage;
}

double player_progress(const struct player *self)
{
    double done = 0, all = 0;
    for (uint32_t i = 0; i < self->n_tracks; i++) {
        done += (double)recording_consumed(self->tracks[i].recording);
        all += (double)recording_size(self->tracks[i].recording);
    }
    return all > 0 ? done / all : 0;
}

uint32_t player_venues(const struct player *self, struct player_venue *out, uint32_t max)
{
    uint32_t n = 0;
    if (self->sim && max >= 2) {
        out[n++] = (struct player_venue){"sim-a", sim_counters(self->sim)};
        out[n++] = (struct player_venue){"sim-b", sim_counters(self->sim)};
    }
    for (uint32_t i = 0; i < self->n_tracks && n < max; i++)
        out[n++] = (struct player_venue){self->tracks[i].ops->name,
                                         self->tracks[i].ops->counters(self->tracks[i].market)};
    return n;
}

uint64_t player_dislocations(const struct player *self)
{
    return self->sim ? sim_dislocations(self->sim) : 0;
}
