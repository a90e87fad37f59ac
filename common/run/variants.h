/* SPDX-License-Identifier: Apache-2.0 */
/* variants.h - the policy variants and what goes with them: docs/policies/prompt_variants.yaml, loaded strictly. */
#ifndef RL_VARIANTS_H
#define RL_VARIANTS_H

#include <stddef.h>

#include "arena.h"
#include "status.h"

enum { MAX_VARIANTS = 256 };

struct variant_slot {
    const char *name, *value; /* greeting, tone, length, ... */
};

struct variant {
    const char *id; /* ^v[0-9]+[a-z]$ */
    const char *name, *description;
    const struct variant_slot *slots; /* in the order of the file's slot definitions */
    size_t slot_count;
};

struct variants {
    const struct variant *items; /* sorted by id, at most MAX_VARIANTS */
    size_t count;
    size_t base; /* index of deployment.traffic_split.base_variant */
    /* bandit_config */
    double initial_alpha, initial_beta, exploration_rate;
    long min_pulls_for_confidence;
    /* deployment */
    double cap_new, cap_uncertain;      /* RL_TRAFFIC_SPLIT_NEW, RL_TRAFFIC_SPLIT_UNCERTAIN override */
    double blacklist_reward_mean;       /* RL_BLACKLIST_THRESHOLD */
    long blacklist_min_pulls;           /* RL_MIN_PULLS_FOR_BLACKLIST; also the limit of `new` */
};

/* STATUS_CONFIG: field is the key, text is "file:line: key: reason" or "VARIABLE: key: reason".
 * Everything lives in the arena. */
enum status variants_load(struct arena *arena, const char *path, struct variants *ret, struct reason *reason) MUST_CHECK;

/* Index of an id, or -1. */
int variants_find(const struct variants *variants, const char *id);

/* The id, or "other" when it is not configured: what senders make up is no label and goes into no log. */
const char *variants_label(const struct variants *variants, const char *id);

/* ^v[0-9]+[a-z]$, at most 16 characters. */
bool variant_id_valid(const char *id);

#endif
