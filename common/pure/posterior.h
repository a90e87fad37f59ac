/* SPDX-License-Identifier: Apache-2.0 */
/* posterior.h - what the sums of a cell say about a variant's mean reward.  Pure functions of integer sums. */
#ifndef RL_POSTERIOR_H
#define RL_POSTERIOR_H

#include "stats.h"

struct beta_prior {
    double alpha, beta; /* > 0; bandit_config.initial_alpha, initial_beta */
    double shrinkage;   /* k >= 0: at most so many calls' worth of strength comes from the variant's other cells */
};

/* Rewards are mapped to x = (r + 1) / 2; fractional Bernoulli updates. */
struct beta_posterior {
    double alpha, beta;               /* plain: prior + own sums */
    double alpha_shared, beta_shared; /* with what the other cells lend: weight w = k / (k + n_other) */
    double n_borrowed;                /* w n_other <= k */
    double mean, sd;                  /* of the mean reward on [-1, +1], from the shared pair */
};

/* own: the variant in this cell; all: the variant over all cells, own included. */
struct beta_posterior posterior_beta(const struct beta_prior *prior, const struct stats *own, const struct stats *all);

/* The same of sums that need not be integers. */
struct beta_posterior posterior_beta_moments(const struct beta_prior *prior, const struct moments *own,
                                             const struct moments *all);

/* Half-width 1.96 sd of the posterior mean on [-1, +1], and confidence: 0 below min_pulls, else clamp(1 - h, 0, 1). */
double beta_half_width(double alpha, double beta);
double beta_confidence(double alpha, double beta, int64_t pulls, int64_t min_pulls);

/* Quantile of the mean reward on [-1, +1], q in (0, 1); error < 1e-8. */
double beta_quantile(double alpha, double beta, double q);

/* Quantile of the standard normal distribution, q in (0, 1); error < 1e-8 (Abramowitz & Stegun 26.2.23,
 * then Newton steps with erfc). */
double normal_quantile(double q);

/* 1.96 sqrt(own variance / own n) of single rewards; infinity below two calls. */
double own_half_width(const struct stats *all);

#endif
