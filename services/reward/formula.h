/* SPDX-License-Identifier: Apache-2.0 */
/* formula.h - the reward formula, version v1. */
#ifndef RL_FORMULA_H
#define RL_FORMULA_H

#include "signals.h"

/* A call without a rating: as if rated 3, or its other parts scaled so that together they weigh as much as those of a rated call.
 * Neutral pulls a variant whose callers rarely answer towards the middle. */
enum missing_rating { RATING_NEUTRAL, RATING_RENORMALISE };

enum duration_term { DURATION_LINEAR, DURATION_TENT, DURATION_NONE };

/* The section `reward` of the configuration; the service's state begins with it. */
struct reward_rules {
    double resolution_weight; /* 0.6 */
    double rating_weight;     /* 0.2 */
    double barge_in_weight;   /* 0.1, a deduction */
    double repeat_weight;     /* 0.1, a deduction */
    double handover_weight;   /* 0.1, a deduction */
    int64_t barge_in_cap, repeat_cap; /* 3, 3 */
    double duration_target_sec;       /* 180 */
    double duration_bound;            /* 0.2 */
    int duration_term;                /* enum duration_term */
    int missing_rating;               /* enum missing_rating */
};

struct reward_parts {
    double resolution, rating, barge_in, repeats, handover, duration;
    double total; /* clamped to [-1, +1] */
};

void reward_compute(const struct reward_rules *rules, const struct signals *signals, struct reward_parts *ret);

/* The least and greatest reward that the rules can give. */
void reward_range(const struct reward_rules *rules, double *ret_least, double *ret_greatest);

#endif
