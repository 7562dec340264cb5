/* The parts of `sluice bench overload`. */
#ifndef SLUICE_TOOLS_BENCH_OVERLOAD_H
#define SLUICE_TOOLS_BENCH_OVERLOAD_H

#include "lib/base/statistics.h"
#include "tools/bench_load.h"

enum { OVERLOAD_REASONS_MAX = 8, OVERLOAD_SETTINGS_MAX = 64, OVERLOAD_SYMBOLS = 50 };

/* One run: calm, then one long burst or several short ones, then calm again. Rates are ticks a second of all symbols. */
struct spell {
    const char *name;   /* its directory below the output */
    const char *output;
    int64_t rate;       /* between bursts */
    int64_t factor;     /* how many times as many in a burst; 1: there are none */
    int64_t burst_ms, every_ms;
    int64_t seconds;    /* after the first three, which do not count */
    char *const *settings;
    int n_settings;
};

/* Ages in us, at the gate's verdict: of the tick that caused it, since the feed received it; and since it was due, which
 * counts what the feed itself is behind. */
struct ages {
    double p50, p99, max;
};

struct spell_result {
    struct ages received[2], due[2]; /* [0] calm, [1] in bursts */
    double per_s[2];                 /* decisions */
    double ticks_per_s[2], evaluations_per_s[2];
    uint64_t decisions[2];
    double longest_gap_ms;           /* between two decisions in a burst */
    double first_half_p99, second_half_p99; /* age since due, of bursts: does it grow? */
    double recovery_ms;              /* after a burst's end, until ages are as before it; the worst */
    double order_p50, order_p99;     /* tick to order, all of the run */
    int64_t queue_max[LOAD_QUEUES], queue_end[LOAD_QUEUES];
    int64_t dropped[LOAD_DROPS];
    long rss_max_kb, rss_calm_kb;    /* of all processes together */
    bool reconciled;
    char ended[LOAD_ERROR_MAX];
    bool passed;
    int n_reasons;
    char reason[OVERLOAD_REASONS_MAX][160];
};

/* Its pipeline, put up. */
int spell_start(const struct spell *spell, struct load *load, char error[LOAD_ERROR_MAX]);

/* E_* with words in error: it could not be run. */
int spell_run(const struct spell *spell, struct spell_result *out, char error[LOAD_ERROR_MAX]);

/* Who listens without wanting to know; and who does not listen at all, but takes as much of a processor. */
enum tap_kind { TAP_SLOW, TAP_STOPPED, TAP_HOSTILE, TAP_BUSY, TAP_KINDS };
const char *tap_name(enum tap_kind kind);

struct tap_result {
    enum tap_kind kind;
    int pairs;
    struct interval ratio; /* of p99, with it over without it */
    double without_p99, with_p99; /* medians, us */
    long feed_kb_without, feed_kb_with; /* the feed's memory, the most */
    int64_t dropped[LOAD_DROPS];
    bool reconciled;
};

/* Spans of some seconds in one run, in turn without and with the tap. */
int tap_pairs(const struct spell *spell, enum tap_kind kind, int pairs, int64_t span_ms, struct tap_result *out,
              char error[LOAD_ERROR_MAX]);

/* The tap itself, in the run's directory: returns never, but when it is ended. */
int tap_be(const char *kind);

#endif
