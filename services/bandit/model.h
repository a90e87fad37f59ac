/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - from the table of sums to beliefs and shares of traffic.  Pure given the table: no clock, no database. */
#ifndef RL_MODEL_H
#define RL_MODEL_H

#include "explore.h"
#include "ledger.h"
#include "prior.h"
#include "restarts.h"
#include "variants.h"

struct model {
    struct belief_settings belief;
    struct explore_settings explore;
    double half_life_days; /* 0: nothing is forgotten */
    double change_delta;   /* of the detector; 0: it does not look */
    int64_t min_pulls;
    const char *prior_path;
    double prior_strength;
    const struct prior *prior; /* NULL: none */
    const char *reward_version;
    const struct variants *variants;
    uint32_t hash; /* of all of the above; part of the policy version */
};

/* The settings of rl.yaml are there; adds what the variants file says, the priors and the hash. */
void model_complete(struct model *model, const struct variants *variants);

/* Of what is known beside the sums: the fit and the restarts; 0: neither. */
uint32_t facts_hash(const struct belief_fit *fit, const struct restarts *restarts);

/* "v1-1234-489943-0c0ffee0": reward version, changes of the table so far, as-of hour, settings and facts. */
const char *policy_version(const struct model *model, uint32_t facts, int64_t changes, int64_t now, struct arena *arena);

/* Pooled variance of single rewards, for the detector. */
double model_variance(const struct model *model, const struct grid *grid, struct arena *arena);

struct cell_estimate {
    const char *cell; /* "*": one that was never seen */
    int64_t n;
    const struct stats *own;      /* per variant */
    const struct belief *beliefs; /* per variant */
    const double *prior;          /* per variant: calls of the prior; NULL: none */
    const double *w;              /* per variant: share that allocation starts from */
    const double *best;           /* per variant: probability of being best, as believed */
    double largest;               /* expectation of the largest mean */
    double exploration;           /* 1 - w of the variant with the largest posterior mean */
};

struct estimates {
    const struct model *model;
    struct belief_data data;
    const struct belief_fit *fit;
    const struct stats *all;           /* per variant, over all cells */
    const struct cell_estimate *cells; /* in the grid's order, then "*" */
    size_t count;
    double exploration_rate; /* mean over cells, weighted by their calls; without calls over cells alike, or of "*" */
};

/* Of a grid with the model's prior in it, if it has one (prior_join).  Everything lives in the arena, or as
 * long as the grid and the fit. */
struct estimates estimate(const struct model *model, const struct grid *grid, const struct belief_fit *fit, struct arena *arena);

/* What is believed of each variant over all cells, weighted by traffic[cell] (NULL: by their calls). */
const struct belief *estimate_overall(const struct estimates *e, const double *traffic, struct arena *arena);

/* Moves the fit on when it is due; false: it was not.  Of a grid without prior: how alike variants and cells
 * are, only real calls can say. */
bool model_fit(const struct model *model, const struct grid *grid, struct belief_fit *fit, struct arena *arena);

#endif
