/* The market as a feed published it, read from the journal that `capture.mode: decoded` leaves. */
#ifndef SLUICE_TOOLS_MARKET_CAPTURE_H
#define SLUICE_TOOLS_MARKET_CAPTURE_H

#include "proto/message.h"

struct market_capture;

/* Whether a path is the directory of such a journal. */
bool market_capture_is(const char *path);

/* E_IO, E_FULL, E_ABSENT (nothing in it), E_CORRUPT, with words in error. */
int market_capture_open(const char *dir, struct market_capture **out, char *error, size_t error_cap);
void market_capture_close(struct market_capture **self);

/* Market time of the next message: its receipt, never before that of the one before; INT64_MAX at the end. */
int64_t market_capture_next_ns(const struct market_capture *self);

/* The next message, its stamps brought to market time; valid until the next call. Not at the end. */
struct message *market_capture_take(struct market_capture *self);

const char *market_capture_damage(const struct market_capture *self); /* "" when it was read to its end */
double market_capture_progress(struct market_capture *self); /* 0 to 1; the first reads a segment */

#endif
