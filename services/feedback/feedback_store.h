/* SPDX-License-Identifier: Apache-2.0 */
/* feedback_store.h - feedback.db: one row a call, unique by (day first seen, call key), and counts by variant and profile.
 *
 * The day keeps the unique index dense where calls are now: a random key alone costs a page per row once the table is large. */
#ifndef RL_FEEDBACK_STORE_H
#define RL_FEEDBACK_STORE_H

#include "join.h"
#include "clk.h"
#include "pseudonym.h"
#include "store.h"

enum { FEEDBACK_MIGRATIONS = 8 };
extern const char *const feedback_migrations[FEEDBACK_MIGRATIONS];

/* One call of the open batch. */
struct call {
    uint8_t key[CALL_KEY_BYTES];
    int64_t id;       /* row; 0: not stored yet */
    int32_t day;      /* unix day of the stream time of its first message */
    int64_t revision; /* last said; 0: never */
    int64_t waiting_us;
    enum call_state state;
    CallRecord *record;
    bool changed, gave_up; /* gave_up: this batch ended its wait for a decision */
    bool rating_said;      /* a rating of it was said before this batch */
    bool row_waits, row_retracted; /* as the stored row counts in feedback_store */
    struct call *same_slot;
};

enum { PROFILE_TEXT = 48 };

/* A cell: the rows that count of a variant and a profile. */
struct tally {
    char variant[20], profile[PROFILE_TEXT];
    int64_t n, resolved, latest_ts;
    bool dirty;
};

/* A day on which calls were first seen. */
struct day_count {
    int32_t day;
    int64_t n;
    bool dirty;
};

struct feedback_store {
    struct store *store;
    int64_t last_revision;
    int64_t waiting, retracted; /* rows */
    int64_t unfilled; /* rows, at most, whose caller and profile are still to be read from their record: only after an upgrade */
    struct tally *tallies;
    size_t tally_count, tally_capacity;
    struct day_count *days; /* that have rows, ascending */
    size_t day_count, day_capacity;
};

enum status feedback_store_open(struct feedback_store *f, struct store *store) MUST_CHECK;
void feedback_store_close(struct feedback_store *f);

/* The row of a key first seen between `day` - back and `day` + 1; *ret NULL: there is none.  In the arena. */
enum status feedback_store_find(struct feedback_store *f, struct arena *arena, const uint8_t key[static CALL_KEY_BYTES],
                                int32_t day, int32_t back, struct call **ret) MUST_CHECK;

/* As `day` and `back`: on whatever day it was first seen; the newest one. */
enum { ANY_DAY = 1000000 };

/* Where a walk through the calls of one caller stands; zeros: before the first. */
struct caller_place {
    int32_t day;
    int64_t id; /* of that day */
};

/* The next call, by day and row, whose record has this pseudonym of a caller; *ret NULL: there is none. */
enum status feedback_store_next_of(struct feedback_store *f, struct arena *arena, const uint8_t caller[static CALL_KEY_BYTES],
                                   struct caller_place *at, struct call **ret) MUST_CHECK;

/* Rows of a database that was made before they could be found by their caller or profile: looks into the next `limit`. */
enum status feedback_store_fill(struct feedback_store *f, struct arena *arena, int64_t limit) MUST_CHECK;

/* Writes the row.  The counts are the caller's: see feedback_store_count. */
enum status feedback_store_put(struct feedback_store *f, struct arena *arena, struct call *call) MUST_CHECK;

/* Deletes the row of a stored call. */
enum status feedback_store_forget(struct feedback_store *f, struct call *call) MUST_CHECK;

/* max(last + 1, now in microseconds): a restored database never says a number again that was already used. */
int64_t feedback_store_next_revision(struct feedback_store *f, wall_time now);

/* Takes `n` (+1, -1) calls of this record into the counts. */
void feedback_store_count(struct feedback_store *f, const CallRecord *record, int n);

/* The name of a profile as cells have it.  That of a foreign router may be longer: cut, so that the same one is found again. */
void feedback_store_profile(const char *profile, char ret[static PROFILE_TEXT]);

enum status feedback_store_flush(struct feedback_store *f) MUST_CHECK;

/* Unix seconds of the newest call that ever counted, a full hour; 0: none did. */
int64_t feedback_store_latest_ts(const struct feedback_store *f);

/* Calls first seen before this day, and of any day. */
int64_t feedback_store_calls(const struct feedback_store *f, int32_t before, int64_t *ret_all);

/* No row of a day before this one is left. */
enum status feedback_store_drop_days(struct feedback_store *f, int32_t before) MUST_CHECK;

/* Rows in order: `sql` selects the columns of FEEDBACK_COLUMNS; bind, then step until *ret is NULL. */
#define FEEDBACK_COLUMNS "id, day, call_key, revision, state, waiting_us, record"
enum status feedback_store_step(struct query *q, struct arena *arena, struct call **ret) MUST_CHECK;

/* A single number of a query without parameters. */
enum status feedback_store_number(struct feedback_store *f, const char *sql, int64_t *ret) MUST_CHECK;

#endif
