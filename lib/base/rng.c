/* xoshiro256**, seeded by splitmix64: both by Sebastiano Vigna, the first with David Blackman; written
 * here from their description. */
#include "lib/base/rng.h"

__extension__ typedef unsigned __int128 u128;

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

void rng_seed(struct rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15u;
        uint64_t z = seed;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        r->s[i] = z ^ z >> 31;
    }
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    /* The high half of a product is even over 0 .. n-1 but for 2^64 mod n low halves: draw again on those. */
    u128 product = (u128)rng_u64(r) * n;
    if ((uint64_t)product < n) {
        uint64_t uneven = (0 - n) % n;
        while ((uint64_t)product < uneven) {
            product = (u128)rng_u64(r) * n;
        }
    }
    return (uint64_t)(product >> 64);
}

double rng_unit(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1.0p-53;
}
