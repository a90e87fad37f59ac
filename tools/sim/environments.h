/* SPDX-License-Identifier: Apache-2.0 */
/* environments.h - worlds of callers by name, shared by rl-sim and the laboratory.  Pure. */
#ifndef RL_ENVIRONMENTS_H
#define RL_ENVIRONMENTS_H

#include "callers.h"

enum { ENVIRONMENT_VARIANTS = 12, ENVIRONMENT_SLOTS = 4 };

/* Which effects the probability that a call is solved has; drawn anew for each seed (statistics.md F12). */
enum truth { TRUTH_STRUCTURED, TRUTH_NO_STRUCTURE, TRUTH_NO_CONTEXT };

/* Fills solved[CALLER_CELLS][ENVIRONMENT_VARIANTS]. */
void environment_solved(enum truth truth, struct rng *rng, double *solved);

/* The slots of the twelve shipped variants in which any two agree: length, barge-in sensitivity, escalation threshold, inquiry
 * mode, as numbers of their values.  The truth has effects of the first three. */
extern const int environment_slots[ENVIRONMENT_VARIANTS][ENVIRONMENT_SLOTS];

uint64_t environment_seed(const char *id, uint64_t number);

struct environment {
    const char *name, *what;
    enum truth truth;
    bool demo;  /* the world of callers_new instead, for any number of variants */
    bool swaps; /* halfway the first two profiles swap tastes */
};

extern const struct environment environments[]; /* ends with a NULL name */
const struct environment *environment_find(const char *name);

/* Seed n of an environment of B6 is the world of its run n in the laboratory.  NULL: it is made for ENVIRONMENT_VARIANTS. */
struct callers *environment_callers(const struct environment *environment, uint64_t seed, size_t variant_count);

#endif
