/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.h - one row per call and reward version in bandit.db, and the integer sums that always equal the fold of all rows, and of what
 * was counted by those that were given up for their age.
 *
 * A row keeps the signals, not the components of the reward: only so can history be scored again.  Rows are unique by (day first seen, call
 * key, version), so one probe finds all that is known of a call and the index grows at its end.  Changes wait in memory until ledger_flush, which belongs into the same
 * transaction: one look-up and one write per call and batch, one write per bucket. */
#ifndef RL_LEDGER_H
#define RL_LEDGER_H

#include "arena.h"
#include "detect.h"
#include "pseudonym.h"
#include "store.h"
#include "sums.h"
#include "tombstones.h"
#include "variants.h"

enum call_flags {
    CALL_HOLDBACK = 1,
    CALL_RETRACTED = 2, /* counts nowhere */
    CALL_RESET = 4,     /* learned of a variant before it was reset: counts nowhere, for ever */
    CALL_P_KNOWN = 8,
    CALL_PINNED = 16,    /* pinned or frozen: not drawn from what was learned */
    CALL_SOURCE_AT = 8   /* from this bit on: enum DecisionSource */
};

/* What reward.computed says of one call. */
struct call {
    uint8_t key[CALL_KEY_BYTES];
    int64_t day, revision, ts; /* ts: unix seconds, >= 0 */
    const char *version, *cell, *variant;
    int64_t p_nano; /* probability with which the variant was drawn, in 1e-9; -1: unknown */
    uint32_t flags;
    uint64_t signals; /* signals_pack */
    int64_t reward;   /* micro-units */
};

enum learned {
    LEARNED_NEW,
    LEARNED_AMENDED,
    LEARNED_STALE,  /* not newer than what is known: nothing changed */
    LEARNED_ERASED, /* the call was erased: nothing of it is taken */
    LEARNED_CLOSED, /* unknown, and first seen before the rows that are kept: the sums may hold it already, nothing changed */
    LEARNED_OUTCOMES
};

struct ledger;

enum { LEDGER_MIGRATIONS = 7 };
extern const char *const ledger_migrations[LEDGER_MIGRATIONS];

/* Reads names, facts and sums of an opened store, which must outlive the ledger. */
enum status ledger_open(struct store *store, struct ledger **ret) MUST_CHECK;
struct ledger *ledger_free(struct ledger *ledger);

/* In a transaction; `now` in unix seconds.  What counts is the highest revision under each version. */
enum status ledger_learn(struct ledger *ledger, const struct call *call, int64_t now, enum learned *ret) MUST_CHECK;
enum status ledger_flush(struct ledger *ledger) MUST_CHECK;

/* Moves the borders to min(now, newest call + 1 day): a clock that jumps ahead folds nothing early. */
void ledger_fold(struct ledger *ledger, int64_t now);

/* A restart from this unix hour on, the start of a bucket: what came before and what came after are never folded together. */
void ledger_split(struct ledger *ledger, int64_t hour);

/* Takes the call out of the sums and forgets it for good, on whatever days it is known; how many rows it had. */
enum status ledger_erase(struct ledger *ledger, const uint8_t key[static CALL_KEY_BYTES], int64_t now, int64_t *ret_rows) MUST_CHECK;

/* After a restore: erases the calls that were erased since the backup was made. */
enum status ledger_sweep(struct ledger *ledger, int64_t now, int64_t *ret_rows) MUST_CHECK;

/* Rows of calls first seen before unix day `before` are given up, at most `limit` at a time, oldest first: what they counted stays in the sums, and
 * what comes of such a call later is closed.  *ret_rows below limit: none is left.  In a transaction. */
enum status ledger_give_up(struct ledger *ledger, int64_t before, int64_t limit, int64_t *ret_rows) MUST_CHECK;

/* Day on which the oldest call that has a row was first seen; -1: there are no rows. */
enum status ledger_oldest_day(struct ledger *ledger, int64_t *ret) MUST_CHECK;

/* Drops the sums of versions of which no row counts any more, but for these two; how many calls they held. */
int64_t ledger_drop_versions(struct ledger *ledger, const char *keep, const char *keep_too);

/* Takes the variant's calls out of the sums of every version and flags their rows; how many that were.  Again: removes nothing. */
enum status ledger_reset(struct ledger *ledger, const char *variant, int64_t *ret_removed) MUST_CHECK;

/* The whole ledger folded again, and added to what given up rows counted, against the live sums.  Not between learn and flush. */
struct ledger_check {
    int64_t rows, given_up, buckets, differences; /* given_up: calls that count without a row */
    char first[160]; /* a bucket that differs; "" none */
};
enum status ledger_check(struct ledger *ledger, struct ledger_check *ret) MUST_CHECK;

/* Single rewards of the calls that count, in micro-units and in ascending order; the caller frees them. */
struct reward_filter {
    const char *version, *variant, *profile; /* "": any variant, any profile */
    int64_t from;                            /* unix seconds */
};
enum status ledger_rewards(struct ledger *ledger, const struct reward_filter *filter, int64_t **ret_rewards, size_t *ret_count) MUST_CHECK;

/* The rewards of the calls that count under both versions, in the same revision and of the same variant: other - active.  Per configured
 * variant; ret_paired begins as zeros. */
struct paired {
    int64_t n;
    double mean, squares; /* sum of squared deviations from the mean */
};
enum status ledger_pairs(struct ledger *ledger, const char *active, const char *other, const struct variants *variants,
                         struct paired *ret_paired) MUST_CHECK;

/* The sums of one reward version as a table over the cells that have data, sorted by name, and the configured variants. */
struct grid {
    const char *version;
    const struct variants *variants;
    size_t cell_count, variant_count;
    const char **cells;      /* they live as long as the ledger */
    const struct stats *own; /* [cell][variant] */
    const struct stats *all; /* [variant], over all cells */
    const struct moments *moments; /* [cell][variant], what models learn from; NULL: the sums as they are */
    const double *prior;           /* [cell][variant]: calls of a prior among them, see prior.h; NULL: none */
};
struct grid ledger_grid(const struct ledger *ledger, const char *version, const struct variants *variants, struct arena *arena);

/* Fills grid->moments with sums in which a call of age a counts 2^-(a / half_life), and none from before `from`.  Times are unix hours, of buckets. */
struct forgetting {
    double half_life;    /* hours; 0: none */
    int64_t now;
    const int64_t *from; /* [cell][variant]; NULL: from the beginning */
};
void ledger_forget(const struct ledger *ledger, const struct forgetting *forgetting, struct grid *grid, struct arena *arena);

/* The buckets of the grid in the order of time, none from before from[cell][variant] (NULL: all); hours[i] is the unix hour of table.own[i]. */
struct history {
    struct detect_table table;
    const int64_t *hours;
};
struct history ledger_history(const struct ledger *ledger, const struct grid *grid, const int64_t *from, struct arena *arena);

/* Zeros for a cell without data or a variant that is not configured. */
struct stats grid_own(const struct grid *grid, const struct variants *variants, const char *cell, const char *variant);

bool ledger_knows(const struct ledger *ledger, const char *name); /* has anything of this name been learned? */
const struct sums *ledger_sums(const struct ledger *ledger);
int64_t ledger_rows(const struct ledger *ledger);
int64_t ledger_newest(const struct ledger *ledger);    /* ts of the newest call that was learned */
int64_t ledger_kept_from(const struct ledger *ledger); /* unix day before which rows were given up; 0: none were */

/* Calls that count under a version: all, or of one variant. */
int64_t ledger_calls(const struct ledger *ledger, const char *version, const char *variant);
int64_t ledger_changes(const struct ledger *ledger); /* rises with every change of the sums, also over restarts */

#endif
