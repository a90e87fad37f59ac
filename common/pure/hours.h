/* SPDX-License-Identifier: Apache-2.0 */
/* hours.h - rewards by hour, cell and variant under a simulated clock, and what of them still counts after a change.
 *
 * The laboratory and rl-sim have no database, nothing is ever taken back, and calls come at a fixed pace: an hour is so many of
 * them.  What the bandit does with its sums is done here with moments: hours older than 72 fold into days, days older than 180
 * into one opening bucket, so memory is bounded however long it runs; changes are looked for in these buckets, and what one
 * touches forgets what came before it. */
#ifndef RL_HOURS_H
#define RL_HOURS_H

#include "detect.h"

struct hours {
    size_t cells, variants;
    long calls_per_hour;
    struct moments *own;     /* [cell][variant]: all that counts */
    double counted;          /* calls in it */
    struct moments *buckets; /* [count][cell][variant], in the order of time */
    long *starts;            /* [count]: the first hour of each bucket, counted from 0 */
    long *from;              /* [cell][variant]: the first call that counts */
    size_t count, capacity;
    long now;                /* the hour of the last bucket */
};

void hours_init(struct hours *hours, size_t cells, size_t variants, long calls_per_hour);
void hours_done(struct hours *hours); /* also of zeros */

/* Opens the hour, which is later than all before it. */
void hours_turn(struct hours *hours, long hour);

/* The reward of a call, into the bucket of its hour; false: it came before what counts of this (cell,
 * variant), and nothing changed. */
bool hours_add(struct hours *hours, long call, size_t pair, const struct moments *add);

/* Of this (cell, variant) only what came from call `from` on counts, in whole hours; and will, if more of before comes late. */
void hours_forget(struct hours *hours, size_t pair, long from);

/* detect_restarts over all buckets, at the end of an hour; what was found is forgotten.  ret[i].change.since becomes the first
 * call that counts.  Returns how many. */
size_t hours_restart(struct hours *hours, const struct detect_settings *settings, struct found ret[DETECT_MOST]);

/* Computes `own` so that a call of age a counts 2^-(a / half_life), in days; the age of a bucket is that of its first hour. */
void hours_age(struct hours *hours, double half_life);

#endif
