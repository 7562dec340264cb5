/* Sample messages of every type, made by walking the dictionary: for the vectors, the tests and the benchmarks.
 * Equal arguments give equal messages on every machine. */
#ifndef SLUICE_PROTO_SAMPLES_H
#define SLUICE_PROTO_SAMPLES_H

#include "proto/message.h"

enum sample {
    SAMPLE_PLAIN, /* everyday values, each field its own */
    SAMPLE_MOST,  /* each field and each list at its upper bound */
    SAMPLE_LEAST, /* each field at its lower bound: lists and texts empty */
    SAMPLE_COUNT
};

/* "plain", "most", "least" */
const char *sample_text(enum sample sample);

void sample_message(struct message *m, enum message_type type, enum sample sample);

/* Random within the dictionary's bounds; `state` is the generator's (splitmix64) and moves on. */
void sample_random(struct message *m, enum message_type type, uint64_t *state);

#endif
