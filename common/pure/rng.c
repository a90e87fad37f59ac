/* SPDX-License-Identifier: Apache-2.0 */
/* rng.c - xoshiro256** (Blackman & Vigna 2018, "Scrambled linear pseudorandom number generators"), and what is drawn from it. */
#include "rng.h"

#include <assert.h>
#include <math.h>

/* Steele, Lea & Flood 2014; recommended for seeding by Blackman & Vigna: no seed gives the forbidden state of zeros. */
static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

struct rng rng_seed(uint64_t seed)
{
    struct rng rng;

    for (int i = 0; i < 4; i++)
        rng.s[i] = splitmix64(&seed);
    return rng;
}

static uint64_t rotate(uint64_t x, int k) { return x << k | x >> (64 - k); }

uint64_t rng_next(struct rng *rng)
{
    uint64_t *s = rng->s, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double rng_uniform(struct rng *rng) { return (double)(rng_next(rng) >> 11) * 0x1p-53; }

/* Numbers below 2^64 mod bound are thrown away, so that each remainder is left equally often. */
uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    uint64_t x, least;

    assert(bound >= 1);
    least = -bound % bound;
    do
        x = rng_next(rng);
    while (x < least);
    return x % bound;
}

/* Marsaglia's polar method (Marsaglia & Bray 1964); the second number is dropped, so that the state is the generator's alone. */
double rng_normal(struct rng *rng)
{
    double x, y, r;

    do {
        x = 2 * rng_uniform(rng) - 1;
        y = 2 * rng_uniform(rng) - 1;
        r = x * x + y * y;
    } while (r >= 1 || r == 0);
    return x * sqrt(-2 * log(r) / r);
}

/* Marsaglia & Tsang 2000, "A simple method for generating gamma variables"; shapes below 1 by their section 6. */
double rng_gamma(struct rng *rng, double shape)
{
    assert(shape > 0);
    if (shape < 1) {
        double boost = pow(1 - rng_uniform(rng), 1 / shape);
        return boost * rng_gamma(rng, shape + 1);
    }
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = rng_normal(rng), v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(1 - rng_uniform(rng)) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

double rng_beta(struct rng *rng, double a, double b)
{
    double x = rng_gamma(rng, a), y = rng_gamma(rng, b);

    if (x + y > 0)
        return x / (x + y);
    return rng_uniform(rng) < a / (a + b) ? 1 : 0; /* both underflowed: the distribution sits at its ends */
}
