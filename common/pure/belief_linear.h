/* SPDX-License-Identifier: Apache-2.0 */
/* belief_linear.h - the model linear, and what the models share; not for others. */
#ifndef RL_BELIEF_LINEAR_H
#define RL_BELIEF_LINEAR_H

#include "belief.h"

/* Of single rewards of one (cell, variant): its own, shrunk to the pooled one by 8 calls. */
double belief_variance_of(const struct moments *own, double pooled);

/* All calls of the table. */
double belief_calls(const struct belief_data *data);

/* Share of each cell in the row `overall`, then that of the unknown cell; they sum to 1. */
double *belief_traffic(const struct belief_data *data, struct arena *arena);

/* Fills the row `overall` from the others, as if cells were strangers, or (alike) as if what is wrong about one were wrong about
 * all. */
void belief_overall(const struct belief_data *data, bool alike, struct belief *beliefs, struct arena *arena);

/* False: one cell whose variants share nothing, see gaussian. */
bool linear_compute(const struct belief_settings *settings, const struct belief_data *data, const struct belief_fit *fit,
                    struct belief *ret, struct arena *arena) MUST_CHECK;
void linear_fit(const struct belief_settings *settings, const struct belief_data *data, struct belief_fit *fit,
                struct arena *arena);

/* NULL: one cell whose variants share nothing, or too many pairs. */
double *linear_covariance(const struct belief_settings *settings, const struct belief_data *data, const struct belief_fit *fit,
                          size_t cell, struct arena *arena);

#endif
