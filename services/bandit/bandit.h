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
    EXPLORATION, LEARNED, LEARNED_CALLS, AMENDED, STALE, CLOSED, ERASED, INACTIVE, ROWS, BUCKETS, SNAPSHOTS, SNAPSHOT_SECONDS,
    POSTERIOR_DELAY, RESTARTS, GIVEN_UP
};

struct retention {
    int64_t days, amendment_window_days; /* as configured; days 0: rows are kept */
    int64_t border, gone;                /* calls first seen before this unix day are leaving, and so many rows left;
                                          * 0: none are */
    int64_t next_us;                     /* monotonic: when to look again */
};

struct bandit {
    /* configuration */
    struct model model; /* of the active version; first: rl-sim reads the settings from here */
    int64_t publish_interval_ms;
    const char *state_path;
    struct versions versions;
    struct retention retention;

    struct prior prior; /* model.prior, when there is one */
    const struct config_list *profiles;
    int64_t min_cell_size;
    struct metrics *metrics;
    struct clk clk;
    struct store *store;
    struct ledger *ledger;
    struct belief_fit fit; /* as stored */
    struct restarts restarts;
    int64_t looked;      /* unix hour of the last look for a change */
    int64_t change_said; /* id of the last restart that was said */
    struct arena arena;  /* of the path */

    bool started;             /* a first snapshot was said */
    int64_t said, exported;   /* ledger_changes of the last snapshot and state file; exported -1: none yet */
    mono_time said_at, exported_at;
    bool export_failed;
    struct call touched[TOUCHED]; /* first calls of this batch; texts as in call_read */
    size_t touched_count;
    int64_t closed; /* of this batch */
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

/* ---- retention.c ---- */

/* STATUS_CONFIG: rows would leave before the last that can be said of their calls. */
enum status retention_check(const struct bandit *b, struct reason *reason) MUST_CHECK;

/* In a transaction: the next chunk, when one is due. */
enum status retention_some(struct bandit *b, struct outbox *out) MUST_CHECK;

/* ---- requests.c ---- */

handler_fn bandit_on_stats, bandit_on_rewards, bandit_on_reset, bandit_on_rebuild, bandit_on_versions, bandit_on_switch;

#endif
