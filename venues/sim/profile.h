/* A kind of market, as the calibration file describes it. */
#ifndef SLUICE_VENUES_SIM_PROFILE_H
#define SLUICE_VENUES_SIM_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/decimal.h"

enum { PROFILES_MAX = 64, PROFILE_ERROR_MAX = 256 };

struct profile {
    char name[24];
    double mid;
    struct dec tick;
    double spread_ticks[4]; /* 10th, 50th, 90th, 99th percentile */
    double rate_hz;
    double volatility_bps; /* of one second */
    double gap_bps;
    double best_mu, best_sigma; /* logarithm of the notional at the best price */
    double depth;
};

/* Reads profiles from a calibration text. `name` is for the error, which names line and column. E_SYNTAX, E_FULL. */
int profiles_read(const char *name, const char *text, size_t len, struct profile out[PROFILES_MAX],
                  uint32_t *n, char error[PROFILE_ERROR_MAX]);

/* The calibration that is built in. */
extern const char calibration_text[];
extern const size_t calibration_len;

#endif
