/* SPDX-License-Identifier: Apache-2.0 */
/* allocate.h - from probabilities of being best to the probabilities that are drawn from: mask, floor, caps, base share. */
#ifndef RL_ALLOCATE_H
#define RL_ALLOCATE_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

enum { MAX_GROUPS = 8, GROUP_NONE = 0xff };

struct limits {
    size_t count;           /* of variants */
    size_t base;            /* index of the base variant; always eligible */
    const bool *eligible;   /* per variant */
    const uint8_t *group;   /* per variant: which group caps it, or GROUP_NONE */
    size_t group_count;
    double caps[MAX_GROUPS]; /* 0 .. 1 */
    double floor;           /* f: least share of each eligible variant before caps, m f <= 1 */
    double base_share;      /* h: holdback; p[base] = h + (1 - h) q[base] */
};

/* w (>= 0; its sum over the eligible may be anything, all 0 counts as equal) -> p, which sums to 1.
 *   1 mask   2 q_i = f + (1 - m f) w_i   3 each violated group scaled to its cap, all others up in proportion, until none is
 *   violated (at most group_count rounds): the KL projection   4 nothing left outside: base takes the rest   5 holdback mix. */
void allocate(const struct limits *limits, const double *w, double *ret_p);

/* Which of `count` a uniform number u in [0, 1) picks; never one with p = 0. */
size_t allocate_draw(const double *p, size_t count, double u);

#endif
