/* SPDX-License-Identifier: Apache-2.0 */
/* rules.c - stages follow from counts and spread. */
#include "rules.h"

#include <math.h>

#define STAGE(name) TOM__RL__V1__STAGE__STAGE_##name

double total_half_width(const struct own_total *total)
{
    return total->n < 2 ? INFINITY : 1.96 * sqrt(total->variance / (double)total->n);
}

Stage guard_stage(const struct guard_rules *rules, bool base, enum verdict verdict, const struct own_total *total)
{
    if (base)
        return STAGE(BASE);
    switch (verdict) {
    case VERDICT_BLACKLISTED: return STAGE(BLACKLISTED);
    case VERDICT_PAROLE: return STAGE(PAROLE);
    case VERDICT_INACTIVE: return STAGE(INACTIVE);
    case VERDICT_NONE: break;
    }
    if (total->n < rules->min_pulls)
        return STAGE(NEW);
    return total_half_width(total) > rules->uncertainty_half_width ? STAGE(UNCERTAIN) : STAGE(ESTABLISHED);
}

struct own_total total_since(const struct own_total *now, const struct own_total *before)
{
    int64_t n = now->n - before->n;

    if (before->n == 0)
        return *now;
    if (n <= 0)
        return (struct own_total){0};
    double sum = now->mean * (double)now->n - before->mean * (double)before->n;
    return (struct own_total){.n = n, .mean = sum / (double)n, .variance = now->variance};
}

enum verdict guard_verdict(const struct guard_rules *rules, bool base, enum verdict verdict, const struct own_total *since)
{
    if (base || verdict == VERDICT_BLACKLISTED || verdict == VERDICT_INACTIVE || since->n < rules->min_pulls || since->n == 0)
        return verdict;
    return since->mean < rules->blacklist_mean ? VERDICT_BLACKLISTED : VERDICT_NONE;
}

static bool speaks(Stage stage) { return stage != STAGE(BLACKLISTED) && stage != STAGE(INACTIVE); }

/* Does `a` give way to `b`, the earlier one by id? */
static bool worse(const struct guard_rules *rules, const struct own_total *a, const struct own_total *b)
{
    bool a_new = a->n < rules->min_pulls, b_new = b->n < rules->min_pulls;

    return a_new != b_new ? a_new : a_new || a->mean <= b->mean;
}

void guard_limit_active(const struct guard_rules *rules, size_t count, const struct own_total *totals, Stage *stages)
{
    size_t active = 0;

    for (size_t i = 0; i < count; i++)
        active += speaks(stages[i]);
    for (; rules->max_active && active > rules->max_active; active--) {
        size_t last = count;
        for (size_t i = 0; i < count; i++)
            if (speaks(stages[i]) && stages[i] != STAGE(BASE) && (last == count || worse(rules, &totals[i], &totals[last])))
                last = i;
        if (last == count) /* base alone */
            return;
        stages[last] = STAGE(INACTIVE);
    }
}

int guard_group(Stage stage)
{
    return stage == STAGE(NEW) ? 0 : stage == STAGE(UNCERTAIN) ? 1 : stage == STAGE(PAROLE) ? 2 : -1;
}
