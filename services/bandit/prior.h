/* SPDX-License-Identifier: Apache-2.0 */
/* prior.h - what was believed before the first call, as imaginary calls beside the real ones.
 *
 * A conjugate prior is so many pseudo-observations (Gelman et al. 2013, "Bayesian Data Analysis", section 2.4), so one form
 * serves every model: sums of calls that nobody made, added to the sums that beliefs are computed from, and nowhere else.  They
 * are counted in nothing that counts calls, found in no ledger, and fit no group variance.  Scaling a prior down to at most
 * `strength` calls a variant is the power prior (Ibrahim & Chen 2000, "Power prior distributions for regression models"): a wrong
 * one is outvoted by as many real calls. */
#ifndef RL_PRIOR_H
#define RL_PRIOR_H

#include "ledger.h"
#include "prior_file.h"
#include "restarts.h"

/* Sums of imaginary calls, in whole micro-units. */
struct prior {
    size_t cell_count;
    const char **cells;        /* sorted */
    const struct moments *own; /* [cell][variant] */
    const char *reward_version; /* "": any */
    int64_t as_of;             /* unix seconds; 0: before everything */
};

struct prior_settings {
    const struct variants *variants;
    const struct config_list *profiles;
    double strength; /* the most calls that a variant's prior is worth; 0: none */
};

/* A row without a cell is spread evenly over the configured profiles at the four times of day.  Rows of variants that are not
 * configured are left out.  Everything lives in the arena. */
struct prior prior_new(const struct prior_file *file, const struct prior_settings *settings, struct arena *arena);

/* The same of a file, for a service: warns in the log of the variants that it left out. */
enum status prior_load(const char *path, const struct prior_settings *settings, struct arena *arena, struct prior *ret,
                       struct reason *reason) MUST_CHECK;

/* Calls that the prior of a variant is worth, over all cells. */
double prior_calls(const struct prior *prior, const struct variants *variants, size_t variant);

/* What lessens a prior: half_life in hours (0: nothing), now as unix hour; and a restart, which drops what it touches unless the
 * prior is from after it (NULL: none). */
struct prior_age {
    double half_life;
    int64_t now;
    const struct restarts *restarts;
};

/* The grid, then the cells that only the prior has, with moments that hold both; `prior` NULL, or of another reward
 * version: the grid itself. */
struct grid prior_join(const struct prior *prior, const struct grid *grid, const struct prior_age *age, struct arena *arena);

#endif
