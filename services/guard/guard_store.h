/* SPDX-License-Identifier: Apache-2.0 */
/* guard_store.h - guard.db: verdicts, the version of the limits, and what was decided, exactly once a decision. */
#ifndef RL_GUARD_STORE_H
#define RL_GUARD_STORE_H

#include "counted.h"
#include "rules.h"
#include "store.h"
#include "variants.h"

extern const char *const guard_migrations[];
extern const size_t guard_migration_count;

/* Of one variant, over all LEARNED decisions: how many were drawn for it; sums of its probabilities, in 1e-9. */
struct decided {
    int64_t drawn, expected, expected_sq;
    bool dirty;
};

struct guard_store {
    struct store *store;
    const struct variants *variants;
    struct decided decided[MAX_VARIANTS];
    enum verdict verdicts[MAX_VARIANTS];
    struct counted counted;
    bool counted_dirty;
    int64_t version; /* of the limits; rises with each change */
    uint64_t digest; /* of the limits that version names */
    bool version_dirty;
};

enum status guard_store_open(struct guard_store *g, struct store *store, const struct variants *variants, struct reason *reason) MUST_CHECK;
void guard_store_close(struct guard_store *g);

/* Takes what a decision says, once. */
void guard_store_count(struct guard_store *g, const PolicySelected *decision, uint64_t sequence, int64_t time_us);

/* The version of limits with this digest: the stored one, or the next. */
int64_t guard_store_version(struct guard_store *g, uint64_t digest);

enum status guard_store_flush(struct guard_store *g) MUST_CHECK;

#endif
