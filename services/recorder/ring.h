/* Messages that wait, in a fixed room of bytes: each behind its length, and cut to its type's size. */
#ifndef SLUICE_SERVICES_RECORDER_RING_H
#define SLUICE_SERVICES_RECORDER_RING_H

#include "proto/message.h"

struct ring {
    unsigned char *bytes;
    size_t size, head, tail, used; /* tail: where the next one goes */
    uint64_t records;
};

bool ring_open(struct ring *r, size_t size); /* false: out of memory */
void ring_close(struct ring *r);

/* false: there is no room, or the type is unknown; nothing has changed. */
bool ring_put(struct ring *r, const struct message *m);

/* The oldest one, or its envelope only; there must be one. */
void ring_look(const struct ring *r, struct message *m);
void ring_look_envelope(const struct ring *r, struct envelope *env);

/* Takes the oldest away. A copy of the struct may be walked to its end in this way without touching the ring. */
void ring_drop(struct ring *r);

/* Takes away everything from the first message at or behind this position on. Returns what stays: the envelope of the
 * last one before it in `last`, or false when none is left. */
bool ring_cut(struct ring *r, uint64_t first_pos, struct envelope *last);
void ring_empty(struct ring *r);

#endif
