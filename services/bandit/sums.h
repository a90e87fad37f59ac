/* SPDX-License-Identifier: Apache-2.0 */
/* sums.h - what was learned, as integer sums by reward version, cell, variant and hour of the call.
 *
 * The hour is a pure function of the call, so an amendment, a retraction or an erasure always finds its bucket.  Hours before the
 * day border fold into UTC days, days before the opening border into one opening bucket, but never across the hour of a restart:
 * there a day or the opening bucket is cut, so what came before a change and what came after stay apart for good.  Folding is
 * adding, and a call's bucket is a pure function of its hour and the borders.  No I/O here: ledger keeps sums in the database. */
#ifndef RL_SUMS_H
#define RL_SUMS_H

#include <stddef.h>

#include "stats.h"

enum { HOURS_KEPT = 72, DAYS_KEPT = 180, BUCKET_OPENING = -1 };

/* Unix hours, multiples of 24, opening <= day; they only ever move forward.  0: nothing is folded. */
struct borders {
    int64_t day, opening;
    const int64_t *cuts; /* ascending unix hours, no bucket begins before one and ends after it; costs a bucket per series each */
    size_t cut_count;
};

/* Version, cell and variant are numbers that the ledger gives to names. */
struct bucket_key {
    uint32_t version, cell, variant;
    int64_t hour; /* of the bucket's start, or BUCKET_OPENING: from the beginning; in the totals 0 */
};

struct bucket {
    struct bucket_key key;
    struct stats stats;
    bool used, dirty; /* dirty: differs from the database, and is named in sums.dirty */
};

struct bucket_table {
    struct bucket *slots;
    size_t capacity, count;
};

struct sums {
    struct bucket_table hours;  /* the truth */
    struct bucket_table totals; /* the same over all hours; never stored */
    struct borders borders;
    struct bucket_key *dirty; /* buckets of hours that differ from the database; may name one twice */
    size_t dirty_count, dirty_capacity;
};

void sums_done(struct sums *sums); /* a struct of zeros is a valid empty one */

/* Where the borders stand at unix second `now`, never behind `from`. */
struct borders borders_at(struct borders from, int64_t now);

/* The bucket of a call of this unix hour, or of a bucket that starts with it. */
int64_t bucket_start(const struct borders *borders, int64_t hour);

/* key->hour is the call's own hour; the borders say which bucket that is. */
void sums_add(struct sums *sums, const struct bucket_key *key, const struct stats *add);
void sums_sub(struct sums *sums, const struct bucket_key *key, const struct stats *sub);

/* A bucket as it was stored. */
void sums_load(struct sums *sums, const struct bucket_key *key, const struct stats *stats);

/* Moves the borders and folds what is now before them.  Buckets that became empty stay, dirty, until the next fold. */
void sums_fold(struct sums *sums, struct borders to);

/* Empties every bucket of the variant; how many calls were in them. */
int64_t sums_clear(struct sums *sums, uint32_t variant);

/* Empties every bucket of the version; how many calls were in them. */
int64_t sums_drop(struct sums *sums, uint32_t version);

/* How many buckets differ, empty ones counting as absent; totals too.  ret_first is one that does. */
int64_t sums_compare(const struct sums *a, const struct sums *b, int64_t *ret_compared, struct bucket_key *ret_first);

/* One bucket that differs from the database, no longer marked so; NULL when there is none. */
const struct bucket *sums_take_dirty(struct sums *sums);

/* Sums of one bucket, zeros when there is none. */
struct stats bucket_stats(const struct bucket_table *table, const struct bucket_key *key);

/* Every bucket once, in no order: start with NULL, ends with NULL.  Nothing may be added meanwhile. */
struct bucket *bucket_next(const struct bucket_table *table, const struct bucket *after);

#endif
