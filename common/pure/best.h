/* SPDX-License-Identifier: Apache-2.0 */
/* best.h - the probability that each of several independent arms has the largest mean. */
#ifndef RL_BEST_H
#define RL_BEST_H

#include <stddef.h>

/* Both return the expectation of the largest mean, from the same nodes: less an arm's own mean it is that arm's expected loss.
 *
 * P(arm i is best) for Beta(alpha[i], beta[i]), alpha, beta > 0 and finite, count in 1 .. 1024; ret_w sums to 1 exactly up to
 * rounding.  Composite Gauss-Legendre over panels that break at m_j + {-4, -2, 0, 2, 4} s_j; CDFs accumulated from the same
 * nodes, so no incomplete beta is needed.  Absolute error < 2e-4 for alpha, beta >= 1. */
double best_beta(const double *alpha, const double *beta, size_t count, double *ret_w);

/* The same for normal posteriors N(mean[i], sd[i]^2), sd > 0; error < 1e-4. */
double best_normal(const double *mean, const double *sd, size_t count, double *ret_w);

/* The same for a joint normal posterior: covariance is count x count by rows, positive semidefinite.  Quasi-Monte Carlo over
 * `points` (8192 gives an error below 5e-3) of the additive recurrence with the roots of primes (Richtmyer 1951; Niederreiter
 * 1992), normal by inversion.  For reports: allocation uses marginals less the mean covariance, which costs no regret.
 * Deterministic; count <= 64. */
enum { BEST_JOINT = 64 };
double best_joint(const double *mean, const double *covariance, size_t count, size_t points, double *ret_w);

#endif
