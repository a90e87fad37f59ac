/* SPDX-License-Identifier: Apache-2.0 */
/* stats.h - the integer sums from which every model is computed.
 *
 * Integers make sums exact and independent of order: an amendment, a retraction or an erasure subtracts exactly what was added,
 * partitions merge by adding, and a rebuild from the ledger equals the live table to the bit. */
#ifndef RL_STATS_H
#define RL_STATS_H

#include <stdint.h>

#include "signals.h"
#include "status.h"

enum { REWARD_SCALE = 1000000, SHORT_CALL_SECONDS = 20 };

/* Names in the order of the members below; also the column names in bandit.db. */
#define STATS_MEMBERS(X)                                                                              \
    X(n)              /* calls */                                                                     \
    X(reward)         /* sum of r in micro-units, r = round(1e6 reward) */                            \
    X(reward_sq)      /* sum of round(r r / 1e6): 9.2e12 calls fit an int64 */                        \
    X(rated)          /* calls with a rating, */                                                      \
    X(rating)         /* sum of ratings, */                                                           \
    X(rating_sq)      /* and of their squares */                                                      \
    X(outcome_known)  /* calls whose resolution is known */                                           \
    X(resolved)                                                                                       \
    X(handover)                                                                                       \
    X(escalation)                                                                                     \
    X(short_calls)    /* shorter than 20 s and not resolved */                                        \
    X(barge_in)       /* sum of barge-ins, */                                                         \
    X(barge_in_sq)    /* and of their squares */

struct stats {
#define X(member) int64_t member;
    STATS_MEMBERS(X)
#undef X
};

/* round(1e6 reward), half away from zero; reward in [-1, +1]. */
int64_t reward_to_micro(double reward);

/* The sums of one call; reward in micro-units. */
struct stats stats_of_call(const struct signals *signals, int64_t reward_micro);

/* into += add, into -= sub.  An overflow or a negative count is a programmer's error and asserts. */
void stats_add(struct stats *into, const struct stats *add);
void stats_sub(struct stats *into, const struct stats *sub);
bool stats_equal(const struct stats *a, const struct stats *b);
bool stats_zero(const struct stats *s);

/* Mean reward and (population) variance of single rewards; n = 0 gives 0. */
double stats_mean(const struct stats *s);
double stats_variance(const struct stats *s);

/* Share of the calls whose caller gave a rating; n = 0 gives 0. */
double stats_response(const struct stats *s);

/* The same on [-1, +1]: what models are computed from.  Doubles hold the sums exactly up to 9e9 calls;
 * forgetting makes them fractional. */
struct moments {
    double n, sum, sum_sq;
};

struct moments stats_moments(const struct stats *s);

#endif
