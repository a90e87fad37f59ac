/* SPDX-License-Identifier: Apache-2.0 */
/* formula.c - the reward is a sum of bounded parts; what is not known contributes nothing. */
#include "formula.h"

#include <math.h>

static double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

/* The share of a cap that a count fills, 0 .. 1; unknown counts are 0. */
static double filled(int count, int64_t cap) { return count <= 0 ? 0 : count >= cap ? 1 : (double)count / (double)cap; }

static double duration_part(const struct reward_rules *rules, double seconds)
{
    double target = rules->duration_target_sec, bound = rules->duration_bound;

    if (!(seconds > 0))
        return 0;
    switch ((enum duration_term)rules->duration_term) {
    case DURATION_LINEAR: return clamp((target - seconds) / target, -bound, bound);
    case DURATION_TENT: return clamp(bound * (1 - fabs(seconds - target) / target), -bound, bound);
    case DURATION_NONE: break;
    }
    return 0;
}

/* What the parts of an unrated call are multiplied by: sum of all weights over the sum of those without the rating's.  The
 * attainable range does not grow: s W / (W - r) <= s + r, because a sum s of parts is at most W - r. */
static double unrated_scale(const struct reward_rules *rules)
{
    double others = fabs(rules->resolution_weight) + fabs(rules->barge_in_weight) + fabs(rules->repeat_weight)
                    + fabs(rules->handover_weight) + (rules->duration_term == DURATION_NONE ? 0 : rules->duration_bound);

    return rules->missing_rating == RATING_RENORMALISE && others > 0 ? (others + fabs(rules->rating_weight)) / others : 1;
}

void reward_compute(const struct reward_rules *rules, const struct signals *s, struct reward_parts *ret)
{
    double scale = s->user_rating ? 1 : unrated_scale(rules);
    struct reward_parts p = {
        .resolution = s->resolution == TRI_TRUE ? scale * rules->resolution_weight : 0,
        .rating = s->user_rating ? rules->rating_weight * (s->user_rating - 3) / 2.0 : 0,
        .barge_in = 0 - scale * rules->barge_in_weight * filled(s->barge_in_count, rules->barge_in_cap),
        .repeats = 0 - scale * rules->repeat_weight * filled(s->repeats, rules->repeat_cap),
        .handover = s->handover == TRI_TRUE ? 0 - scale * rules->handover_weight : 0,
        .duration = scale * duration_part(rules, s->duration_sec),
    };

    p.total = clamp(p.resolution + p.rating + p.barge_in + p.repeats + p.handover + p.duration, -1, 1);
    *ret = p;
}

static void widen(double part, double *least, double *greatest)
{
    *least += part < 0 ? part : 0;
    *greatest += part > 0 ? part : 0;
}

void reward_range(const struct reward_rules *rules, double *ret_least, double *ret_greatest)
{
    double least = -fabs(rules->rating_weight), greatest = fabs(rules->rating_weight);
    double bound = rules->duration_term == DURATION_NONE ? 0 : rules->duration_bound;

    widen(rules->resolution_weight, &least, &greatest);
    widen(-rules->barge_in_weight, &least, &greatest);
    widen(-rules->repeat_weight, &least, &greatest);
    widen(-rules->handover_weight, &least, &greatest);
    *ret_least = clamp(least - bound, -1, 1);
    *ret_greatest = clamp(greatest + bound, -1, 1);
}
