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

int guard_group(Stage stage)
{
    return stage == STAGE(NEW) ? 0 : stage == STAGE(UNCERTAIN) ? 1 : stage == STAGE(PAROLE) ? 2 : -1;
}
