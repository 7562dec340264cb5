/* What the feed keeps of the market, by the config's section `capture`: raw, what venues sent (capture.h), and decoded,
 * the messages it published, in a journal. */
#ifndef SLUICE_SERVICES_FEED_CAPTURES_H
#define SLUICE_SERVICES_FEED_CAPTURES_H

#include "lib/runtime/config.h"
#include "services/feed/live.h"

struct captures;

/* *out is NULL where nothing is to be kept; the functions below then do nothing. epoch: the feed's. E_IO, E_BUSY, E_FULL
 * with words in error. */
int captures_open(const struct config *config, uint64_t epoch, int64_t utc_ns, struct captures **out,
                  char error[CONFIG_ERROR_MAX]);
void captures_close(struct captures **self);

/* For live_open. */
struct live_tap captures_tap(struct captures *self);

/* A message that was published, and its bytes: instruments, books, best prices and trades are kept. */
void captures_message(struct captures *self, const struct message *m, const void *bytes, size_t len);

void captures_write(struct captures *self); /* what was published in this wake-up */
void captures_watch(struct captures *self); /* says what went wrong; frees the oldest; now and then */
void captures_status(struct captures *self, struct reply *reply);

#endif
