/* SPDX-License-Identifier: Apache-2.0 */
/* fit_store.h - the group deviations of model linear in bandit.db: a fact beside the sums, because each fit starts from the one
 * before. */
#ifndef RL_FIT_STORE_H
#define RL_FIT_STORE_H

#include "belief.h"
#include "store.h"

/* A fit that was made under other settings (`hash`) counts as none. */
enum status fit_load(struct store *store, uint32_t hash, struct belief_fit *ret) MUST_CHECK;

/* In a transaction. */
enum status fit_save(struct store *store, uint32_t hash, const struct belief_fit *fit) MUST_CHECK;

#endif
