/* SPDX-License-Identifier: Apache-2.0 */
/* detect.h - has the mean of a series of rewards changed, and since when?
 *
 * Generalised likelihood ratio of one change against none, for Gaussian rewards of unknown variance, over bucket borders:
 *   GLR = max over borders of (a + n/2) ln((b + SS0/2) / (b + SS1/2)),  a = 4, b = a * variance,
 * SS0 the squares about one mean, SS1 about one mean before and one after; a change is there when it exceeds ln(3 n^1.5 / delta)
 * (Besson & Kaufmann 2019, "The generalized likelihood ratio test meets klUCB", section 3; Maillard 2019, "Sequential
 * change-point detection"). Bernoulli likelihoods find nothing in composite rewards; this finds a shift of 0.4 after about 60 own
 * calls. */
#ifndef RL_DETECT_H
#define RL_DETECT_H

#include "arena.h"
#include "stats.h"

struct detect_settings {
    double delta;    /* probability of a false alarm per series, about; 2e-4: 0.01 finds changes no sooner and costs where there are none */
    double variance; /* expected of single rewards, see belief_variance */
};

struct change {
    bool found;
    size_t since;         /* index of the first bucket after the most likely border; 0: there is none */
    double evidence;      /* GLR less its threshold: > 0 when found */
    double before, after; /* mean on both sides */
};

/* One series, buckets in the order of time; empty buckets are allowed. */
struct change detect_change(const struct detect_settings *settings, const struct moments *buckets, size_t count);

/* A table of buckets [hour][cell][variant], seen at four levels. */
enum detect_level { DETECT_ARM, DETECT_VARIANT, DETECT_CELL, DETECT_ALL, DETECT_LEVELS };
extern const char *const detect_level_names[]; /* "arm", "variant", "cell", "all", NULL */

struct detect_table {
    size_t hours, cells, variants;
    const struct moments *own;
};

/* The series of one level, [hours] in the arena.  cell is ignored by variant and all, variant by cell and all.  Rewards are taken
 * less the mean of the (cell, variant) over the whole table (arm: as they are), so that a change of who calls, or of what they
 * are served, is no change of the series. */
struct moments *detect_series(const struct detect_table *table, enum detect_level level, size_t cell, size_t variant,
                              struct arena *arena);

#endif
