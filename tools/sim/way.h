/* SPDX-License-Identifier: Apache-2.0 */
/* way.h - what happens to reports of calls between a voice stack and the system: they are lost, come
 * twice, or in another order. */
#ifndef RL_WAY_H
#define RL_WAY_H

#include <stdbool.h>
#include <stddef.h>

#include "rng.h"

struct way {
    double lost, duplicated; /* share of the calls; of those that are not lost */
    long reorder;            /* reports are shuffled within windows of so many calls; 0 or 1: in order */
    struct rng rng;
    long *window;            /* [2 * reorder] */
    size_t count;
    long calls;              /* in the window, also those that were lost */
};

/* A call has ended.  False: its report is lost. */
bool way_send(struct way *way, long call);

/* The reports that leave now, in the order in which they leave, one that comes twice as two: those of a full window, or all.
 * Valid until the next way_send. */
size_t way_take(struct way *way, bool all, const long **ret);

void way_done(struct way *way);

#endif
