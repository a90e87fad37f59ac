/* SPDX-License-Identifier: Apache-2.0 */
/* rules.h - how far each variant has come: a pure function of what was learned of it. */
#ifndef RL_RULES_H
#define RL_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "msg.h"
#include "status.h"

/* The section `guard` of the configuration; the guard's state begins with it. */
struct guard_settings {
    double floor, base_share, parole_cap, uncertainty_half_width;
    int64_t max_active;
};

/* One variant over all cells, from its own rewards only. */
struct own_total {
    int64_t n;
    double mean, variance; /* of single rewards */
};

struct guard_rules {
    int64_t min_pulls;             /* below: new, and too little evidence for the blacklist */
    double uncertainty_half_width; /* above: uncertain */
    double blacklist_mean;         /* below: blacklisted */
    size_t max_active;             /* variants that may speak at once, base included; 0: all */
};

/* What an operator or a rule decided before; outranks what follows from the totals. */
enum verdict { VERDICT_NONE, VERDICT_BLACKLISTED, VERDICT_PAROLE, VERDICT_INACTIVE };

/* The calls of `now` that came after `before`; none when there are fewer than then (calls were retracted).  Its
 * variance is that of all calls. */
struct own_total total_since(const struct own_total *now, const struct own_total *before);

/* What the rules make of a verdict.  `since` are the calls since the last release, or all when there was none: so a released
 * variant is judged by what came after.  It stays on parole until min_pulls of them; then it is free, or blacklisted again.  With
 * min_pulls and a mean below the limit a variant is blacklisted.  What is inactive or blacklisted stays so until an operator
 * decides; base is never judged. */
enum verdict guard_verdict(const struct guard_rules *rules, bool base, enum verdict verdict, const struct own_total *since);

/* 1.96 sqrt(variance / n); infinity below two calls. */
double total_half_width(const struct own_total *total);

/* New: fewer than min_pulls rewarded calls over all cells.  Uncertain: not new, and the half-width above the limit.  The base
 * variant is always BASE, whatever else is said of it. */
Stage guard_stage(const struct guard_rules *rules, bool base, enum verdict verdict, const struct own_total *total);

/* Makes those beyond max_active INACTIVE.  Base comes first, then by mean, the best first; new ones last, by id, which
 * is the order of the arrays. */
void guard_limit_active(const struct guard_rules *rules, size_t count, const struct own_total *totals, Stage *stages);

/* Stages -> the group that caps it: 0 new, 1 uncertain, 2 parole, -1 none. */
int guard_group(Stage stage);

#endif
