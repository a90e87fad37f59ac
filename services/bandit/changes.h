/* SPDX-License-Identifier: Apache-2.0 */
/* changes.h - bandit.changed: each restart is said once, when the beliefs that follow from it have their name.
 *
 * A row of `restart` is both the fact and what is left to say; its id is the revision under which the loop
 * remembers how much was said. */
#ifndef RL_CHANGES_H
#define RL_CHANGES_H

#include "service.h"
#include "store.h"

/* Says the restarts behind *ret_said, which becomes the id of the last one. */
enum status changes_say(struct store *store, struct outbox *out, int64_t *ret_said) MUST_CHECK;

/* In the transaction that found them: first names in the new ones the policy version of the snapshot that follows. */
enum status changes_settle(struct store *store, const char *policy_version, struct outbox *out, int64_t *ret_said) MUST_CHECK;

#endif
