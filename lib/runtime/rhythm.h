/* Work that is done again and again on a thread of its own, such as syncing a journal. */
#ifndef SLUICE_RUNTIME_RHYTHM_H
#define SLUICE_RUNTIME_RHYTHM_H

#include <stdint.h>

struct rhythm;

/* Calls `beat` every so many ns, from a thread of its own, until stopped. NULL: no thread could be made. */
struct rhythm *rhythm_start(int64_t every_ns, void (*beat)(void *ctx), void *ctx);
void rhythm_stop(struct rhythm **self); /* returns when no beat is under way any more */

#endif
