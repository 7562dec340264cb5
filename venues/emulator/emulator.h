/* An emulated venue: it plays recorded messages to clients as the venue itself would. This is the core, without input
 * and output: clients, their messages and requests, recorded lines and time go in; what follows comes out by the hands,
 * before the call returns.
 *
 * Lines go in twice: all of them to emulator_survey, so that it is known what the recordings hold, then one by one to
 * emulator_play as their time comes. What a client missed is missed, as at a venue: who subscribes later joins at the
 * present line. The emulator keeps books of its own from the lines as recorded, without any fault, of which it makes the
 * snapshots that are asked for later than the recording's own client did.
 */
#ifndef SLUICE_VENUES_EMULATOR_EMULATOR_H
#define SLUICE_VENUES_EMULATOR_EMULATOR_H

#include "lib/base/clock.h"
#include "venues/emulator/emulation.h"
#include "venues/emulator/fault.h"
#include "venues/recording.h"

enum { EMULATOR_FAULTS_MAX = 64, EMULATOR_SYMBOLS_MAX = 4096, EMULATOR_TOPICS_MAX = 16384 };

struct emulator_hands {
    void *ctx;
    /* wire: what emulator_opened or emulator_request was given. */
    int (*send)(void *ctx, void *wire, const char *text, size_t len, bool binary);
    void (*ping)(void *ctx, void *wire, const char *payload, size_t len);
    void (*drop)(void *ctx, void *wire, bool abrupt);
    void (*freeze)(void *ctx, void *wire);
    void (*answer)(void *ctx, void *wire, int status, const char *headers, const char *body, size_t len);
    void (*tell)(void *ctx, const char *event, size_t len); /* a JSON object, without a line end */
};

struct emulator_options {
    uint64_t seed;
    bool strict;       /* limits of connects, and silence of a client, are acted on */
    bool times_to_now; /* the venue's times are moved as if the recording was made now */
};

struct emulator;

/* NULL: out of memory, or a venue of that name is not built in. */
struct emulator *emulator_new(const struct emulation *venue, const struct emulator_options *options,
                              const struct emulator_hands *hands);
void emulator_destroy(struct emulator **self);

/* recording: 0, 1, ...: where two hold the same messages, those of the lower number are played. */
void emulator_survey(struct emulator *self, uint32_t recording, const struct recorded_line *line);
void emulator_surveyed(struct emulator *self); /* that was all */

int emulator_fault(struct emulator *self, const struct fault *fault, struct now now); /* E_FULL */

bool emulator_wanted(const struct emulator *self); /* somebody has subscribed: the lines may begin */
void emulator_play(struct emulator *self, uint32_t recording, const struct recorded_line *line,
                   struct now now);
void emulator_ended(struct emulator *self, bool close, struct now now); /* there are no more lines */
void emulator_tick(struct emulator *self, struct now now); /* what is due by time; every 50 ms or so */

/* 0 admits a client, else this is the HTTP status. */
int emulator_admit(struct emulator *self, const char *path, int *retry_after_s, struct now now);
/* NULL: out of memory; the client is to be dropped. */
struct emulated_peer *emulator_opened(struct emulator *self, void *wire, const char *path, struct now now);
void emulator_message(struct emulator *self, struct emulated_peer *peer, const char *text, size_t len,
                      struct now now);
void emulator_closed(struct emulator *self, struct emulated_peer *peer, struct now now);
void emulator_request(struct emulator *self, void *wire, const char *path_and_query, struct now now);
void emulator_request_gone(struct emulator *self, void *wire);

#endif
