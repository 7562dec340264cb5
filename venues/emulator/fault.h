/* What can go wrong between a venue and its client, on demand: [VENUE/]KIND[=SECONDS][@LINE|:RATE]. */
#ifndef SLUICE_VENUES_EMULATOR_FAULT_H
#define SLUICE_VENUES_EMULATOR_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/status.h"

enum fault_kind {
    /* of one message of a book */
    FAULT_DROP,
    FAULT_REPEAT,
    FAULT_SWAP, /* it goes out behind the book's next one */
    FAULT_CUT,  /* its first half only */
    FAULT_GARBAGE,
    /* of the connections that a book's message goes to */
    FAULT_DISCONNECT, /* by the transport alone */
    FAULT_CLOSE,      /* with a goodbye */
    FAULT_SILENCE,    /* open, but nothing is said or heard any more */
    /* of the venue, for a time */
    FAULT_REFUSE, /* upgrades are answered with 503 */
    FAULT_429,
    FAULT_418,
    FAULT_SKEW, /* from then on */
    /* of a snapshot */
    FAULT_STALE_SNAPSHOT,
    FAULT_SLOW_SNAPSHOT,
    FAULT_KINDS
};

enum fault_when {
    FAULT_NOW,  /* at the next occasion, once */
    FAULT_LINE, /* at this line of a recording, or the first occasion behind it, once */
    FAULT_RATE  /* at each occasion with this probability */
};

struct fault {
    enum fault_kind kind;
    enum fault_when when;
    char venue[16]; /* "" = each */
    int64_t value_ns;
    uint64_t line;
    double rate;
    bool done;
};

const char *fault_name(enum fault_kind kind);

/* E_SYNTAX, with what was wrong and what was expected in error. */
int fault_parse(const char *text, struct fault *out, char *error, size_t error_cap);

#endif
