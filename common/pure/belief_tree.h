/* SPDX-License-Identifier: Apache-2.0 */
/* belief_tree.h - the closed-form hierarchy variant, variant in its first field, cell: what `linear` is when there are too many
 * pairs. */
#ifndef RL_BELIEF_TREE_H
#define RL_BELIEF_TREE_H

#include "belief_linear.h"

struct tree_deviations {
    double intercept, variant, field, cell; /* standard deviations of what each level adds */
};

/* As belief_compute, in time linear in cells x variants (Gelman & Hill 2007, ch. 12; Chou, Willsky & Benveniste 1994 for the
 * sweep over a tree). */
void tree_compute(const struct belief_settings *settings, const struct belief_data *data,
                  const struct tree_deviations *deviations, struct belief *ret, struct arena *arena);

#endif
