/* SPDX-License-Identifier: Apache-2.0 */
/* callers.h - simulated callers: a secret truth for each variant and context, and how a call goes under it.
 * Pure: chance is an argument.
 *
 * Whether the caller's problem is solved is a coin whose bias depends on variant and context; all else (rating, barge-ins,
 * repeats, handover, duration) depends on that outcome and on the variant's manner.  So the expected reward of a variant in a
 * cell is linear in one number, and the truth is known as exactly as one likes. */
#ifndef RL_CALLERS_H
#define RL_CALLERS_H

#include <stddef.h>

#include "formula.h"
#include "rng.h"
#include "signals.h"

enum { CALLER_PROFILES = 5, CALLER_TIMES = 4, CALLER_CELLS = CALLER_PROFILES * CALLER_TIMES };

extern const char *const caller_profiles[CALLER_PROFILES]; /* kfz, it, sales, support, general */
extern const char *const caller_times[CALLER_TIMES];       /* morning, afternoon, evening, night */

/* Shares of calls by profile, and by time of day. */
extern const double caller_profile_traffic[CALLER_PROFILES], caller_time_traffic[CALLER_TIMES];

/* What a variant does to a call, apart from solving the problem. */
struct manner {
    double pace;         /* factor of the duration, about 0.8 .. 1.25 */
    double interruption; /* mean of barge-ins when the problem is solved; twice that when not */
};

struct callers {
    size_t variant_count;
    double traffic[CALLER_CELLS]; /* share of calls, sums to 1; cell = profile * CALLER_TIMES + time */
    double *solved;               /* [cell][variant]: probability that the problem is solved, 0.03 .. 0.97 */
    struct manner *manners;       /* [variant] */
    double *truth;                /* [cell][variant]: expected reward, see callers_value */
};

/* A world by seed: the same seed and count give the same world. */
struct callers *callers_new(uint64_t seed, size_t variant_count);
struct callers *callers_free(struct callers *callers);

/* Nothing is ever solved yet, and all variants have the same manner. */
struct callers *callers_empty(size_t variant_count);

/* Fills `truth` under these rules; the standard error of each value is below 0.002.  Also after
 * callers_spoil and callers_swap. */
void callers_value(struct callers *callers, const struct reward_rules *rules);

/* From now on the variant solves `less` fewer of the problems, in every context. */
void callers_spoil(struct callers *callers, size_t variant, double less);

/* From now on the callers of these two profiles have each other's taste. */
void callers_swap(struct callers *callers, size_t profile, size_t other);

/* The context of the next caller. */
size_t callers_arrive(const struct callers *callers, struct rng *rng);

/* How one call goes.  Four in ten callers rate it. */
struct signals callers_call(const struct callers *callers, size_t cell, size_t variant, struct rng *rng);

double callers_truth(const struct callers *callers, size_t cell, size_t variant);
double callers_overall(const struct callers *callers, size_t variant); /* over all contexts, by their traffic */
size_t callers_best(const struct callers *callers, size_t cell);       /* the variant with the highest truth */

#endif
