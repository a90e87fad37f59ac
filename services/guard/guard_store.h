/* SPDX-License-Identifier: Apache-2.0 */
/* guard_store.h - guard.db: verdicts, pins, each move with who and why, the version of the limits, and what was
 * decided, exactly once a decision. */
#ifndef RL_GUARD_STORE_H
#define RL_GUARD_STORE_H

#include "clk.h"
#include "counted.h"
#include "rules.h"
#include "store.h"
#include "variants.h"

enum { GUARD_MIGRATIONS = 3, GUARD_PINS = 64, GUARD_CELL_SIZE = 64, GUARD_REWARD_VERSION_SIZE = 33 };

extern const char *const guard_migrations[GUARD_MIGRATIONS];

/* Of one variant, over all LEARNED decisions: how many were drawn for it; sums of its probabilities, in 1e-9. */
struct decided {
    int64_t drawn, expected, expected_sq;
    bool dirty;
};

struct guard_pin {
    char cell[GUARD_CELL_SIZE]; /* "*": where there is no other */
    size_t variant;
};

/* A row of the record that nobody deletes. */
struct guard_move {
    const char *command, *variant, *cell, *who, *why; /* variant and cell: "" where there is none */
    enum verdict verdict;                              /* of the variant, now */
    wall_time at;
};

struct guard_store {
    struct store *store;
    const struct variants *variants;
    struct decided decided[MAX_VARIANTS];
    enum verdict verdicts[MAX_VARIANTS];
    bool was_released[MAX_VARIANTS];
    struct own_total released[MAX_VARIANTS]; /* what was known at the last release; zeros: never */
    char reward_version[GUARD_REWARD_VERSION_SIZE]; /* whose totals those are; "": not known yet */
    struct guard_pin pins[GUARD_PINS];       /* sorted by cell */
    size_t pin_count;
    bool frozen;
    struct counted counted;
    bool counted_dirty;
    int64_t version; /* of the limits; rises with each change */
    uint64_t digest; /* of the limits that version names */
    bool version_dirty;
};

enum status guard_store_open(struct guard_store *g, struct store *store, const struct variants *variants,
                             struct reason *reason) MUST_CHECK;
void guard_store_close(struct guard_store *g);

/* Takes what a decision says, once. */
void guard_store_count(struct guard_store *g, const PolicySelected *decision, uint64_t sequence, int64_t time_us);

/* The version of limits with this digest: the stored one, or the next. */
int64_t guard_store_version(struct guard_store *g, uint64_t digest);

/* Each is written at once, in the open transaction.  The pins of a variant that is blacklisted or made inactive end with it. */
enum status guard_store_set_verdict(struct guard_store *g, size_t variant, enum verdict verdict) MUST_CHECK;
enum status guard_store_set_released(struct guard_store *g, size_t variant, const struct own_total *total) MUST_CHECK;
/* Totals of another reward version cannot be compared with those of a release: what is known now takes their place. */
enum status guard_store_follow(struct guard_store *g, const char *reward_version, const struct own_total *totals) MUST_CHECK;
/* variant -1: none; there must be room. */
enum status guard_store_set_pin(struct guard_store *g, const char *cell, int variant) MUST_CHECK;
enum status guard_store_set_frozen(struct guard_store *g, bool frozen) MUST_CHECK;
enum status guard_store_record(struct guard_store *g, const struct guard_move *move) MUST_CHECK;

/* The variant pinned in exactly this cell, or -1. */
int guard_store_pin(const struct guard_store *g, const char *cell);

/* Was it released, and are there fewer than blacklist_min_pulls calls since? */
bool guard_store_on_parole(const struct guard_store *g, size_t variant, const struct own_total *total);

enum status guard_store_flush(struct guard_store *g) MUST_CHECK;

#endif
