/* SPDX-License-Identifier: Apache-2.0 */
/* rng.h - chance as state: xoshiro256** (Blackman & Vigna 2018), seeded by splitmix64. */
#ifndef RL_RNG_H
#define RL_RNG_H

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

struct rng rng_seed(uint64_t seed);
uint64_t rng_next(struct rng *rng);
double rng_uniform(struct rng *rng);                     /* [0, 1), 53 bits */
uint64_t rng_below(struct rng *rng, uint64_t bound);     /* 0 .. bound - 1, unbiased; bound >= 1 */
double rng_normal(struct rng *rng);
double rng_gamma(struct rng *rng, double shape);         /* shape > 0, scale 1: Marsaglia & Tsang 2000 */
double rng_beta(struct rng *rng, double a, double b);    /* a, b > 0 */

#endif
