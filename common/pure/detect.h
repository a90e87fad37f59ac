/* SPDX-License-Identifier: Apache-2.0 */
/* detect.h - has the mean of a series of rewards changed, and since when?
 *
 * Generalised likelihood ratio of one change against none, for Gaussian rewards of unknown variance, over bucket borders:
 *   GLR = max over borders of (a + n/2) ln((b + SS0/2) / (b + SS1/2)),  a = 4, b = a * variance,
 * SS0 the squares about one mean, SS1 about one mean before and one after; a change is there when it exceeds ln(3 n^1.5 / delta)
 * (Besson & Kaufmann 2019, "The generalized likelihood ratio test meets klUCB", section 3; Maillard 2019, "Sequential
 * change-point detection").  Bernoulli likelihoods find little in composite rewards, whose variance is a fifth; this finds a
 * shift of 0.4 after about 60 own calls.
 *
 * A Gaussian knows no skew: of an arm that is paid once in fifty calls it takes two payments in a row for a change, in six of ten
 * arms within 300 calls.  So a border counts only if the two sides are too far from the common mean even for the most skewed
 * rewards of the same variance on [-1, +1]: n KL(side), summed over both, under Bennett's two points (1962, "Probability
 * inequalities for the sum of independent random variables"; for rewards of only -1 and +1 it is the Bernoulli likelihood ratio)
 * must exceed ln(sqrt(1 + n) / delta), the bound for all n at once of Robbins (1970, "Statistical methods related to the law of
 * the iterated logarithm").  Composite rewards pass it before they pass the first. */
#ifndef RL_DETECT_H
#define RL_DETECT_H

#include "arena.h"
#include "stats.h"

struct detect_settings {
    double delta;    /* probability of a false alarm per series, about; 0.01 instead of 2e-4 finds changes no sooner */
    double variance; /* expected of single rewards, see belief_variance */
};

struct change {
    bool found;
    size_t since;         /* index of the first bucket after the most likely border; 0: there is none */
    double evidence;      /* GLR less its threshold: > 0 when found, else 0 */
    double explained;     /* squares about one mean less those about two */
    double before, after; /* mean on both sides */
};

/* One series, buckets in the order of time; empty buckets are allowed. */
struct change detect_change(const struct detect_settings *settings, const struct moments *buckets, size_t count);

/* A table of buckets [hour][cell][variant], seen at four levels. */
enum detect_level { DETECT_ARM, DETECT_VARIANT, DETECT_CELL, DETECT_ALL, DETECT_LEVELS };
extern const char *const detect_level_names[]; /* "arm", "variant", "cell", "all", NULL */

struct detect_table {
    size_t hours, cells, variants;
    struct moments *own;
};

/* The series of one level, [hours] in the arena.  cell is ignored by variant and all, variant by cell and all.  Rewards are taken
 * less the mean of their (cell, variant) over the whole table, plus that of the series, so that a change of who calls, or of what
 * they are served, is no change of the series.  (arm: as they are.) */
struct moments *detect_series(const struct detect_table *table, enum detect_level level, size_t cell, size_t variant,
                              struct arena *arena);

/* A change of the world: who or what changed, and since when. */
struct found {
    enum detect_level level;
    size_t cell, variant; /* as far as the level names them; else 0 */
    struct change change; /* since: the first hour of the table that counts from now on */
};

bool detect_touches(const struct found *found, size_t cell, size_t variant);

/* Looks at all series of all levels and takes, of the changes found, the one that explains most squares: levels do not have the
 * same calls, so their evidence cannot be compared, but with one variance for all rewards this is the likelihood of all of them
 * under each change.  What it touches is forgotten in the table (the hours before it become empty), and the search begins anew,
 * until nothing is found: all changes of an hour are followed, and one that explains the others leaves none.  ret: in the order
 * in which they were found; if DETECT_MOST are not all, the next look finds the others.  With a single cell, arm and variant are
 * the same, and cell and all.  A search over 12 variants in 20 cells and 250 hours and days takes 1 ms. */
enum { DETECT_MOST = 32 };
size_t detect_restarts(const struct detect_settings *settings, struct detect_table *table, struct found ret[DETECT_MOST]);

#endif
