/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - SQLite, the only place that includes its header.
 *
 * One file, one writer: journal WAL, synchronous FULL, foreign keys on.  Every failure of the disk or the database is
 * STATUS_STORE, logged here; the caller stops and lets redelivery follow.  Wrong SQL is a programmer's error and asserts. */
#ifndef RL_STORE_H
#define RL_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

struct store;
struct query;

/* Opens or creates `path` (an SQLite URI is allowed) and brings its schema to version `count` by running migrations[version..],
 * each in a transaction of its own; that may take minutes for millions of rows, and the log says so before (store.migrating).
 * STATUS_CORRUPT: the file is no database, is damaged, or comes from a newer version; it is left as it is and named. */
enum status store_open(const char *path, const char *const *migrations, size_t count, struct store **ret,
                       struct reason *reason) MUST_CHECK;
/* Opens a file of somebody else, to read it; it is never changed.  STATUS_NOT_FOUND, STATUS_CORRUPT:
 * the reason names the file. */
enum status store_open_foreign(const char *path, struct store **ret, struct reason *reason) MUST_CHECK;

/* Is there such a column of such a table?  Asked before a statement is made for a foreign file. */
bool store_has_column(struct store *store, const char *table, const char *column);

struct store *store_close(struct store *store); /* rolls an open transaction back; NULL is allowed */

enum status store_begin(struct store *store) MUST_CHECK;
enum status store_commit(struct store *store) MUST_CHECK;
/* Many reads as one: they see the same state, and the file is locked once and not for each of them. */
enum status store_begin_reading(struct store *store) MUST_CHECK;
void store_end_reading(struct store *store);
bool store_in_transaction(const struct store *store);

/* What was deleted is overwritten where it lay (secure_delete), but the write-ahead log still holds it: after the
 * next commits all of the log goes into the file and is cut to nothing, which may have to wait for readers.
 * _pending: it has not happened yet. */
void store_truncate_log(struct store *store);
bool store_truncate_pending(const struct store *store);

/* A prepared statement; the same SQL text (by address) gives the same statement.  Owned by the store. */
struct query *store_query(struct store *store, const char *sql);

/* Binding, positions from 1.  Text and blobs must live until the statement was run. */
void query_bind_int(struct query *q, int position, int64_t value);
void query_bind_real(struct query *q, int position, double value);
void query_bind_text(struct query *q, int position, const char *value); /* NULL: NULL */
void query_bind_blob(struct query *q, int position, const void *data, size_t size);

/* Runs to the end, no rows wanted, and resets.  ret_changes (may be NULL) is how many rows it changed. */
enum status query_run(struct query *q, int64_t *ret_changes) MUST_CHECK;

/* One row: *ret_row false at the end, and then it is reset.  query_reset gives up earlier. */
enum status query_step(struct query *q, bool *ret_row) MUST_CHECK;
void query_reset(struct query *q);

/* Columns of the current row, positions from 0; pointers live until the next step or reset. */
int64_t query_int(const struct query *q, int column);
double query_real(const struct query *q, int column);
const char *query_text(const struct query *q, int column); /* never NULL */
const void *query_blob(const struct query *q, int column, size_t *ret_size);
bool query_null(const struct query *q, int column);

/* What EXPLAIN QUERY PLAN says of each statement that was prepared so far, step by step. */
void store_each_plan(struct store *store, void (*visit)(void *ctx, const char *sql, const char *step), void *ctx);

int64_t store_last_id(const struct store *store);

/* For tools.  A consistent copy of a sound database, which may be in use; what was deleted from it is not in the
 * copy.  `to` must not exist. */
enum status store_copy(const char *from, const char *to, struct reason *reason) MUST_CHECK;

/* Tombstones of one database that another one, not in use, does not have; its owner then sweeps
 * (tombstones.h).  Adds their number. */
enum status store_merge_tombstones(const char *into, const char *from, int64_t *ret_taken, struct reason *reason) MUST_CHECK;

#endif
