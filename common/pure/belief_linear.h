/* SPDX-License-Identifier: Apache-2.0 */
/* belief_linear.h - the model linear, for belief.c alone. */
#ifndef RL_BELIEF_LINEAR_H
#define RL_BELIEF_LINEAR_H

#include "belief.h"

/* Of single rewards of one (cell, variant): its own, shrunk to the pooled one by 8 calls. */
double belief_variance_of(const struct moments *own, double pooled);

void linear_compute(const struct belief_settings *settings, const struct belief_data *data, const struct belief_fit *fit, struct belief *ret,
                    struct arena *arena);
void linear_fit(const struct belief_settings *settings, const struct belief_data *data, struct belief_fit *fit, struct arena *arena);

#endif
