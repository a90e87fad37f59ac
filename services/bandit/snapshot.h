/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.h - the messages that say what is believed. */
#ifndef RL_SNAPSHOT_H
#define RL_SNAPSHOT_H

#include "clk.h"
#include "model.h"
#include "msg.h"

enum { SNAPSHOT_MAX_SIZE = 512 * 1024 };

/* bandit.updated, but for policy_version. */
void snapshot_message(const struct estimates *e, wall_time now, struct arena *arena, BanditUpdated *ret);

/* An upper bound of its size when every combination of so many profiles and times of day has data. */
size_t snapshot_bound(const struct model *model, size_t profiles, size_t times);

/* bandit.stats, but for version.  The filters were checked; "" is any.  With both a profile and a time the figures are that
 * cell's, else those over all cells that match: counts and alpha, beta of their pooled sums; what is believed is the mean over
 * these cells, weighted by their calls, because a pooled mean would compare variants that met different callers. */
void snapshot_stats(const struct estimates *e, const BanditStatsRequest *request, struct arena *arena, BanditStatsReply *ret);

#endif
