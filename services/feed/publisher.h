/* The feed's process, and its market where that is played: the simulated one, or recordings. */
#ifndef SLUICE_SERVICES_FEED_PUBLISHER_H
#define SLUICE_SERVICES_FEED_PUBLISHER_H

#include "lib/runtime/service.h"
#include "services/feed/captures.h"
#include "services/feed/feed.h"
#include "services/feed/market_clock.h"
#include "services/feed/pacer.h"
#include "venues/player.h"

struct publisher {
    struct service s; /* first: callbacks get its address */
    struct feed *core;
    struct live *live; /* or: */
    struct player *player;
    struct captures *captures; /* NULL: nothing is kept */
    struct pacer pacer;
    struct inbox inbox;
    void *market;
    struct market_clock clock;
    uint32_t expected; /* consumers that the run has */
    bool started, ended;
    bool behind;         /* playing what is past: nothing of it is published */
    int64_t catch_up_ns; /* market time up to which a feed at full speed has nothing new to say */
    int64_t opened_mono_ns, ended_mono_ns, paced_mono_ns;
    uint64_t published, unsent;
    int64_t heard_mono_ns; /* when subscriptions were last taken */
    struct now now; /* of the frame being played */
};

/* A struct publisher's device: sends a message on its market socket. */
int publisher_publish(void *publisher, struct message *m);

/* Sends what has changed; what does not fit now is sent at the next call. */
void publish_touched(struct publisher *p, struct now now);

/* Opens the market of the config; ends the process with words when it cannot be. */
void playing_open(struct publisher *p, uint64_t epoch);
void playing_close(struct publisher *p);

/* Plays what is due, as fast as the config and the consumers allow. */
void play(struct publisher *p, struct now now);

void playing_report(struct publisher *p, struct now now); /* tells of each venue, once a second */
void playing_status(const struct publisher *p, struct reply *reply);

#endif
