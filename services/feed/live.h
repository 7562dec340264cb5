/* The live market: the shell around the connectors of the venues that the config names. It owns the sockets, hands what
 * comes in to the venues' markets, and what follows from it to the feed's core.
 *
 * Market time is the receive clock. Nothing here blocks: all waits are the loop's.
 */
#ifndef SLUICE_SERVICES_FEED_LIVE_H
#define SLUICE_SERVICES_FEED_LIVE_H

#include "lib/runtime/service.h"
#include "services/feed/feed.h"

struct live;

/* Each frame that comes in, before the market reads it, and each text that is sent, with the venue's name and its own
 * url: the one place for who wants to keep what the feed receives. */
struct live_tap {
    void *ctx;
    void (*frame)(void *ctx, const char *venue, const struct frame *frame, bool sent, bool binary);
};

/* Opens no connection yet. E_IO, E_FULL, or what live_check says, with words in error. */
int live_open(struct service *s, struct feed *core, const struct live_tap *tap, struct live **out,
              char error[CONFIG_ERROR_MAX]);
void live_close(struct live **self);

/* Does what is due; at each wake-up, behind the loop's sources. */
void live_on_time(struct live *self, struct now now);

/* Tells of each venue: once a second, and by itself when one goes up or down. */
void live_report(struct live *self, struct now now);

/* Figures of all, and in text what there still is to wait for; of the venue with a number. */
void live_status(struct live *self, struct reply *reply);
enum control_code live_page(struct live *self, uint64_t number, struct reply *reply, struct now now);

/* What the config says about live venues can be done: names field, value and expectation in error. E_ABSENT, E_SYNTAX,
 * E_RANGE. */
int live_check(const struct config *config, char error[CONFIG_ERROR_MAX]);

/* The symbols of a venue's list, one after another: copies the next one, returns where to go on; NULL at the end, or
 * where one is too long. */
const char *live_next_symbol(const char *list, char out[32]);

#endif
