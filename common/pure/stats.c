/* SPDX-License-Identifier: Apache-2.0 */
/* stats.c - one call as sums, and sums of sums. */
#include "stats.h"

#include <assert.h>
#include <math.h>

int64_t reward_to_micro(double reward)
{
    assert(reward >= -1 && reward <= 1);
    return llround(REWARD_SCALE * reward);
}

struct stats stats_of_call(const struct signals *s, int64_t reward)
{
    int64_t barge_in = s->barge_in_count > 0 ? s->barge_in_count : 0;
    bool is_short = s->duration_sec >= 0 && s->duration_sec < SHORT_CALL_SECONDS;

    assert(reward >= -REWARD_SCALE && reward <= REWARD_SCALE);
    return (struct stats){
        .n = 1,
        .reward = reward,
        .reward_sq = (reward * reward + REWARD_SCALE / 2) / REWARD_SCALE,
        .rated = s->user_rating > 0,
        .rating = s->user_rating,
        .rating_sq = (int64_t)s->user_rating * s->user_rating,
        .outcome_known = s->resolution != TRI_UNKNOWN,
        .resolved = s->resolution == TRI_TRUE,
        .handover = s->handover == TRI_TRUE,
        .escalation = s->escalation == TRI_TRUE,
        .short_calls = is_short && s->resolution != TRI_TRUE,
        .barge_in = barge_in,
        .barge_in_sq = barge_in * barge_in,
    };
}

static bool stats_plausible(const struct stats *s)
{
    int64_t least = 0;

#define X(member) \
    if (&s->member != &s->reward && s->member < least) \
        least = s->member;
    STATS_MEMBERS(X)
#undef X
    return least == 0;
}

void stats_add(struct stats *into, const struct stats *add)
{
    bool overflow = false;

#define X(member) overflow |= __builtin_add_overflow(into->member, add->member, &into->member);
    STATS_MEMBERS(X)
#undef X
    assert(!overflow && stats_plausible(into));
}

void stats_sub(struct stats *into, const struct stats *sub)
{
    bool overflow = false;

#define X(member) overflow |= __builtin_sub_overflow(into->member, sub->member, &into->member);
    STATS_MEMBERS(X)
#undef X
    assert(!overflow && stats_plausible(into));
}

bool stats_equal(const struct stats *a, const struct stats *b)
{
    bool equal = true;

#define X(member) equal &= a->member == b->member;
    STATS_MEMBERS(X)
#undef X
    return equal;
}

bool stats_zero(const struct stats *s) { return stats_equal(s, &(struct stats){0}); }

double stats_mean(const struct stats *s) { return s->n > 0 ? (double)s->reward / REWARD_SCALE / (double)s->n : 0; }

/* Rounding of the squares may leave a variance of -1e-6 where there is none. */
double stats_variance(const struct stats *s)
{
    double mean = stats_mean(s);

    return s->n > 0 ? fmax(0, (double)s->reward_sq / REWARD_SCALE / (double)s->n - mean * mean) : 0;
}

double stats_response(const struct stats *s) { return s->n ? (double)s->rated / (double)s->n : 0; }

struct moments stats_moments(const struct stats *s)
{
    return (struct moments){.n = (double)s->n, .sum = (double)s->reward / REWARD_SCALE,
                            .sum_sq = (double)s->reward_sq / REWARD_SCALE};
}
