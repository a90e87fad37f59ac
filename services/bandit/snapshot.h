/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.h - from the sums to what is believed, and to the messages that say it.  Pure given the grid: no clock, no database. */
#ifndef RL_SNAPSHOT_H
#define RL_SNAPSHOT_H

#include "clk.h"
#include "ledger.h"
#include "msg.h"
#include "posterior.h"
#include "variants.h"

enum { SNAPSHOT_MAX_SIZE = 512 * 1024 };

struct model {
    struct beta_prior prior;
    int64_t min_pulls;
    const char *reward_version;
    const struct variants *variants;
    uint32_t hash; /* of all of the above; part of the policy version */
};

struct cell_estimate {
    const char *cell; /* "*": one that was never seen */
    int64_t n;
    const struct stats *own;           /* per variant */
    const struct beta_posterior *arms; /* per variant */
    const double *w;                   /* per variant: probability of being best */
    double exploration;                /* 1 - w of the variant with the largest posterior mean */
};

struct estimates {
    const struct model *model;
    const struct stats *all;           /* per variant, over all cells */
    const struct cell_estimate *cells; /* in the grid's order, then "*" */
    size_t count;
    double exploration_rate; /* mean over cells, weighted by their calls; of "*" when there are none */
};

uint32_t model_hash(const struct model *model);

/* Everything lives in the arena, or as long as the grid. */
struct estimates estimate(const struct model *model, const struct grid *grid, struct arena *arena);

/* "v1-1234-489943-0c0ffee0": reward version, changes of the table so far, as-of hour, configuration.  (No detector yet.) */
const char *policy_version(const struct model *model, int64_t changes, int64_t now, struct arena *arena);

/* bandit.updated, but for policy_version. */
void snapshot_message(const struct estimates *e, wall_time now, struct arena *arena, BanditUpdated *ret);

/* An upper bound of its size when every combination of so many profiles and times of day has data. */
size_t snapshot_bound(const struct model *model, size_t profiles, size_t times);

/* bandit.stats, but for version.  The filters were checked; "" is any.  With both a profile and a time the figures are that cell's, else
 * those of the sums over all cells that match; probability_best is then the mean over these cells, weighted by their calls: a pooled mean
 * would compare variants that met different callers. */
void snapshot_stats(const struct estimates *e, const BanditStatsRequest *request, struct arena *arena, BanditStatsReply *ret);

#endif
