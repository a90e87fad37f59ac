/* SPDX-License-Identifier: Apache-2.0 */
/* bandit.h - the service's state, shared by its learning and saying (bandit.c) and its answers (requests.c). */
#ifndef RL_BANDIT_H
#define RL_BANDIT_H

#include "context.h"
#include "fit_store.h"
#include "ledger.h"
#include "log.h"
#include "service.h"
#include "snapshot.h"
#include "versions.h"

enum {
    US = 1000000, MS = 1000, SNAPSHOT_EVERY_US = 10 * US, STATE_EVERY_US = US, TIMES_OF_DAY = 5, TOUCHED = 4,
    SECONDS_PER_HOUR = 3600, SECONDS_PER_DAY = 86400, HOURS_PER_DAY = 24
};

enum bandit_metric {
    EXPLORATION, LEARNED, AMENDED, STALE, CLOSED, ERASED, INACTIVE, ROWS, BUCKETS, SNAPSHOTS, SNAPSHOT_SECONDS, POSTERIOR_DELAY, RESTARTS
};

struct bandit {
    /* configuration */
    struct model model; /* of the active version; first: rl-sim reads the settings from here */
    int64_t publish_interval_ms;
    const char *state_path;
    struct versions versions;

    struct prior prior; /* model.prior, when there is one */
    const struct config_list *profiles;
    int64_t min_cell_size;
    struct metrics *metrics;
    struct clk clk;
    struct store *store;
    struct ledger *ledger;
    struct belief_fit fit; /* as stored */
    struct restarts restarts;
    int64_t looked;     /* unix hour of the last look for a change */
    struct arena arena; /* of the path */

    bool started;             /* a first snapshot was said */
    int64_t said, exported;   /* ledger_changes of the last snapshot and state file; exported -1: none yet */
    mono_time said_at, exported_at;
    bool export_failed;
    struct call touched[TOUCHED]; /* first calls of this batch; texts as in call_read */
    size_t touched_count;
};

/* What is learned under one version: settings, and the facts beside its sums. */
struct view {
    struct model model;
    struct restarts restarts;
    struct belief_fit fit;
};

/* restarts_done() is the caller's. */
enum status bandit_view(const struct bandit *b, const char *version, struct view *ret) MUST_CHECK;

/* What the models learn from, as of `now` in unix seconds. */
struct grid bandit_grid(const struct bandit *b, const struct view *v, int64_t now, struct arena *arena);

/* What is believed of it: the grid with the prior, if there is one. */
struct estimates bandit_estimate(const struct view *v, const struct grid *grid, int64_t now, struct arena *arena);

/* Decisions come from this version from now on. */
enum status bandit_activate(struct bandit *b, const char *version) MUST_CHECK;

/* The variant's own id, or what stands for one that is not configured. */
const char *bandit_label(const struct bandit *b, const char *variant);

/* ---- requests.c ---- */

handler_fn bandit_on_stats, bandit_on_rewards, bandit_on_reset, bandit_on_rebuild, bandit_on_versions, bandit_on_switch;

#endif
