/* SPDX-License-Identifier: Apache-2.0 */
/* versions.h - the reward versions that are learned, and the one of them that decisions come from.
 *
 * Both are learned side by side, so a switch moves no number: it is one row that says which sums count from now on, and switching
 * back finds the sums of before as the calls since have moved them. */
#ifndef RL_VERSIONS_H
#define RL_VERSIONS_H

#include "arena.h"
#include "ledger.h"
#include "msg.h"
#include "store.h"

enum { VERSION_MAX = 32, VERSION_WHO_MAX = 100, VERSION_WHY_MAX = 500 };

struct versions {
    const char *first, *candidate; /* as configured; candidate "": none */
    const char *active;            /* one of the two */
    int64_t since;                 /* unix seconds */
};

/* STATUS_CONFIG: what is wrong with the two names. */
enum status versions_check(const struct versions *v, struct reason *reason) MUST_CHECK;

/* The active one: the last that was switched to.  `first` at the first start, and when the last one is configured
 * no more; both are recorded. */
enum status versions_open(struct versions *v, struct store *store, int64_t now) MUST_CHECK;

/* The configured name that equals `version`, or NULL. */
const char *versions_known(const struct versions *v, const char *version);

/* The configured name that was asked for.  "" is the active one; in _other the one that is not, "" when there is none. */
enum status versions_find(const struct versions *v, const char *asked, const char **ret, struct reason *reason) MUST_CHECK;
enum status versions_other(const struct versions *v, const char *asked, const char **ret, struct reason *reason) MUST_CHECK;

/* STATUS_INVALID: says which versions are learned. */
enum status versions_refuse(const struct versions *v, const char *version, struct reason *reason) MUST_CHECK;

/* In a transaction.  To the active one: nothing happens, *ret_changed false.  STATUS_INVALID: a name that is
 * not learned, texts too long. */
enum status versions_switch(struct versions *v, struct store *store, const BanditSwitchRequest *request, int64_t now,
                            bool *ret_changed, struct reason *reason) MUST_CHECK;

/* bandit.versions: the active version against `other` (may be "": then only the active one). */
struct comparison {
    const struct versions *versions;
    const struct variants *variants;
    const char *other;
};
enum status versions_compare(const struct comparison *c, struct store *store, struct ledger *ledger, struct arena *arena,
                             BanditVersionsReply *ret) MUST_CHECK;

#endif
