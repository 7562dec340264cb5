/* A seeded random generator (xoshiro256**, Blackman and Vigna), for the simulated market and for tests.
 * Equal seeds give equal sequences on every machine. */
#ifndef SLUICE_BASE_RNG_H
#define SLUICE_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed); /* expanded by splitmix64; any seed is good */
uint64_t rng_u64(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n); /* 0 .. n-1, unbiased; n > 0 */
double rng_unit(struct rng *r);                /* 0 <= x < 1, 53 bits */

#endif
