/* SPDX-License-Identifier: Apache-2.0 */
/* belief.h - what the sums say about the mean reward of every variant in every cell.  Three models, one answer.
 *
 * Pure functions of sums: no order, no history, cost that does not grow with calls.  All rewards, means and deviations are on
 * [-1, +1].
 *
 *   beta      the reference: Beta(1, 1) prior, fractional Bernoulli updates of (r + 1) / 2, strength of the variant's other
 *             cells (posterior.h).
 *   gaussian  each (cell, variant) by itself, Normal with learned variance, as a plug-in (Murphy 2007, "Conjugate Bayesian
 *             analysis of the Gaussian distribution", section 3): m = (k0 m0 + S) / (k0 + n), variance v / (k0 + n),
 *             v = (SS + k0 n / (k0 + n) (S/n - m0)^2 + 8 v0) / (n + 8), v0 pooled within arms with 5 prior calls.
 *   linear    one Gaussian model of all cells and variants at once: effects of context, variant, slots and their interactions,
 *             each group of effects with its own variance (Gelman & Hill 2007, ch. 13; Henderson 1975 for the equations; in the
 *             space of (cell, variant) pairs as Rasmussen & Williams 2006, eq. 2.23-2.24, so that no list of features is ever
 *             written down).  Variances by empirical Bayes, see belief_fit.  One cell and no slot shared: nothing to lend, so it
 *             is gaussian.  Above BELIEF_PAIRS pairs with data: the closed-form hierarchy variant, variant in its first field,
 *             cell.  At most BELIEF_FIELDS fields. */
#ifndef RL_BELIEF_H
#define RL_BELIEF_H

#include <stddef.h>

#include "arena.h"
#include "posterior.h"

enum belief_model { MODEL_BETA, MODEL_GAUSSIAN, MODEL_LINEAR };
extern const char *const model_names[]; /* "beta", "gaussian", "linear", NULL */

/* What is believed of one variant in one cell.  Model-free: the same meaning whatever model said it. */
struct belief {
    double mean, sd; /* of the variant's mean reward */
    double sd_apart; /* without what is uncertain about all variants of the cell alike: choosing depends on this one */
    double n;        /* own calls in this cell */
    double n_borrowed; /* so many own calls more would say as much about choosing this variant as all other data do; at
                        * most as many as those are: a variant that is known best of all has little uncertainty of its own */
};

/* Cells and variants are numbers.  Cell c has level context[c * fields + f] of field f (profile, time of day, ...); variant v has
 * value slot[v * slots + s] in slot s; levels and values are any numbers, only whether they are equal counts.  NULL is allowed
 * when fields or slots is 0. */
struct belief_data {
    size_t cells, variants, fields, slots;
    const struct moments *own; /* [cell][variant] */
    const int *context, *slot;
    const double *traffic; /* [cell], >= 0: how much each cell counts in the row `overall`; NULL: by its calls */
};

/* The groups of effects of `linear`; with F fields: intercept, F fields, cell, variant, slots, F variant x field, variant x cell,
 * slots x first field. */
enum { BELIEF_FIELDS = 4, BELIEF_GROUPS = 6 + 2 * BELIEF_FIELDS, BELIEF_PAIRS = 512 };

/* Standard deviations of the groups, in the order above; calls 0: not fitted, the centres of the hyperprior hold.  A fact beside
 * the sums. */
struct belief_fit {
    double sd[BELIEF_GROUPS];
    double calls; /* in the table when it was fitted */
};

struct belief_settings {
    enum belief_model model;
    struct beta_prior beta;
    double prior_calls;    /* k0 of gaussian */
    double prior_mean;     /* m0 of gaussian, and where linear's intercept is centred */
    double prior_variance; /* of single rewards, worth 5 calls */
};

#define BELIEF_DEFAULTS                                                                                                          \
    ((struct belief_settings){.model = MODEL_LINEAR,                                                                             \
                              .beta = {.alpha = 1, .beta = 1, .shrinkage = 20},                                                  \
                              .prior_calls = 2,                                                                                  \
                              .prior_mean = 0,                                                                                   \
                              .prior_variance = 1})

/* [cells + 2][variants] in the arena.  Row `cells` is a cell of which nothing is known, not even its levels; row `cells + 1` is
 * overall: the mean over cells, weighted by traffic, which compares variants as if they had met the same callers (without any
 * traffic: the unknown cell).  `fit` is read by linear only; NULL: not fitted. */
struct belief *belief_compute(const struct belief_settings *settings, const struct belief_data *data,
                              const struct belief_fit *fit, struct arena *arena);

/* Posterior covariance of the means of all variants in one cell (cells: the unknown one), variants x variants in the arena, for
 * best_joint.  Diagonal where the model knows of none. */
double *belief_covariance(const struct belief_settings *settings, const struct belief_data *data, const struct belief_fit *fit,
                          size_t cell, struct arena *arena);

/* Empirical Bayes: moves *fit towards the maximum of the marginal likelihood times a log-normal hyperprior: medians .22 context,
 * .4 variant, .065 slots, .11 interactions and residual, in deviations of single rewards; sd .7 of the logarithm.  Damped Newton
 * steps with the average information matrix (Gilmour, Thompson & Cullis 1995).  A fit that was never made looks at up to
 * 12 points, one that was made before at up to 4, so it follows the data at a bounded cost.  Does nothing unless the model is
 * linear and there are data.  Deterministic. */
void belief_fit(const struct belief_settings *settings, const struct belief_data *data, struct belief_fit *fit,
                struct arena *arena);

/* When a fit is due: at 12 calls, then whenever a quarter came on top, 250 calls at most, but at least a twentieth. */
bool belief_fit_due(const struct belief_fit *fit, double calls);

/* Pooled variance of single rewards within (cell, variant), with 5 prior calls of settings->prior_variance. */
double belief_variance(const struct belief_settings *settings, const struct belief_data *data);

#endif
