/* SPDX-License-Identifier: Apache-2.0 */
/* rules.h - how far each variant has come: a pure function of what was learned of it. */
#ifndef RL_RULES_H
#define RL_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "msg.h"
#include "status.h"

/* One variant over all cells, from its own rewards only. */
struct own_total {
    int64_t n;
    double mean, variance; /* of single rewards */
};

struct guard_rules {
    int64_t min_pulls;          /* below: new */
    double uncertainty_half_width; /* above: uncertain */
};

/* What an operator or a rule decided before; outranks what follows from the totals. */
enum verdict { VERDICT_NONE, VERDICT_BLACKLISTED, VERDICT_PAROLE, VERDICT_INACTIVE };

/* 1.96 sqrt(variance / n); infinity below two calls. */
double total_half_width(const struct own_total *total);

/* New: fewer than min_pulls rewarded calls over all cells.  Uncertain: not new, and the half-width above the limit.  The base variant is
 * always BASE, whatever else is said of it. */
Stage guard_stage(const struct guard_rules *rules, bool base, enum verdict verdict, const struct own_total *total);

/* Stages -> the group that caps it: 0 new, 1 uncertain, 2 parole, -1 none. */
int guard_group(Stage stage);

#endif
