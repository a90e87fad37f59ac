/* SPDX-License-Identifier: Apache-2.0 */
/* prior_file.h - what somebody believes of variants before the first call: a YAML file, or the
 * bandit_state.json of another installation.
 *
 *     as_of: 1790000000            unix seconds: from when this knowledge is; may be absent
 *     reward_version: v1           only for sums of this version; absent: for any
 *     variants:
 *       v1a: {mean: 0.31, calls: 120, spread: 0.5}
 *       v2b:
 *         mean: 0.1
 *         calls: 50
 *         cells:
 *           kfz/morning: {mean: 0.4, calls: 12}
 *
 * mean: of the reward, -1 .. 1.  calls: how many calls this is worth.  spread: standard deviation of single rewards; PRIOR_SPREAD
 * if absent. A row without a cell speaks of all contexts, one of `cells` of that context alone, in addition. */
#ifndef RL_PRIOR_FILE_H
#define RL_PRIOR_FILE_H

#include "config.h"
#include "variants.h"

#define PRIOR_SPREAD 0.5

struct prior_row {
    const char *variant; /* well formed, but maybe none that is configured */
    const char *cell;    /* "kfz/morning"; "": all contexts */
    double mean, spread, calls;
};

struct prior_file {
    const struct prior_row *rows;
    size_t count;
    const char *reward_version; /* "": any */
    int64_t as_of;              /* unix seconds; 0: not known */
    bool state;                 /* it was a bandit_state.json */
};

/* Profiles that may be named; and of a bandit_state.json the Beta prior that its alpha and beta began with:
 * initial_alpha, initial_beta. */
struct prior_terms {
    const struct config_list *profiles;
    const struct variants *variants;
};

/* STATUS_CONFIG: "file:line: key: rule".  A bandit_state.json is known by its `alpha`; variants of which it has no calls get no
 * row. Everything lives in the arena. */
enum status prior_file_load(struct arena *arena, const char *path, const struct prior_terms *terms, struct prior_file *ret,
                            struct reason *reason) MUST_CHECK;

/* The same knowledge as text of the file above, every number exact. */
const char *prior_file_text(const struct prior_file *file, const char *comment, struct arena *arena);

/* Where the bandit looks when bandit.prior_path is empty, and where rlctl import puts it. */
const char *prior_file_place(const char *data_dir, struct arena *arena);

#endif
