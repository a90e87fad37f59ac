/* SPDX-License-Identifier: Apache-2.0 */
/* belief_kin.h - which (cell, variant) pairs share which effects, and what was observed of them.  For belief_linear.c and
 * belief_fit.c alone. */
#ifndef RL_BELIEF_KIN_H
#define RL_BELIEF_KIN_H

#include "belief_linear.h"

/* Where the groups stand in belief_fit.sd, for F fields. */
struct layout {
    size_t fields, cell, variant, slots, by_field, by_cell, slots_by_field, count;
    bool active[BELIEF_GROUPS]; /* the others are other names of the same effect, or have nothing to tell apart */
    bool fitted[BELIEF_GROUPS];
    double centre[BELIEF_GROUPS];
};

struct pair {
    size_t cell, variant; /* cell = data->cells: the unseen one */
};

struct kin {
    const struct belief_data *data;
    struct layout at;
    double *alike; /* [variant][variant]: how many slots have the same value, of those that any two variants share */
};

struct kin kin_of(const struct belief_settings *settings, const struct belief_data *data, struct arena *arena);
bool kin_alike(const struct kin *kin); /* do any two variants share the value of a slot? */

/* How often both pairs share an effect, per group. */
void kinship(const struct kin *kin, struct pair x, struct pair y, double *ret);

/* The group deviations that hold: the fitted ones, else the centres of the hyperprior. */
void kin_deviations(const struct kin *kin, const struct belief_fit *fit, double ret_sd[BELIEF_GROUPS]);

/* Covariances as numbers: [cell + 1][cell + 1] of any two pairs, and what the same variant and each slot alike add. */
struct covariances {
    size_t cells, variants;
    double *any, *same, *slot;
    const double *alike;
};

struct covariances covariances_alloc(const struct kin *kin, struct arena *arena);
void covariances_set(struct covariances *cov, const struct kin *kin, const double *sd);
double covariance(const struct covariances *cov, struct pair x, struct pair y);

struct observed {
    size_t count;
    struct pair *pairs;
    double *mean, *noise; /* of the mean: variance of single rewards by calls */
};

/* Whole cells in the order of their calls, while there is room for all their variants; the busiest cell in any case. */
struct observed observed_of(const struct belief_settings *settings, const struct belief_data *data, size_t room,
                            struct arena *arena);

/* The factor of the covariance of all observations, n x n; returns ln of its determinant. */
double observed_factor(const struct covariances *cov, const struct observed *observed, double *ret);

#endif
