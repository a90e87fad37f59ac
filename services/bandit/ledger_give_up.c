/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_give_up.c - rows leave at the end of their retention, and what they counted stays.
 *
 * What a row counted moves into the sums `given_up`, so a rebuild still tells whether all agrees.  The border is the day
 * on which feedback first saw a call: it never changes and travels with all that is said of the call, while its hour may
 * lie long before (an import). */
#include <stdlib.h>
#include <string.h>

#include "ledger_internal.h"

enum status ledger_oldest_day(struct ledger *l, int64_t *ret)
{
    struct query *q = store_query(l->store, "SELECT coalesce(min(day), -1) FROM ledger");
    bool row = false;
    enum status status = query_step(q, &row);

    *ret = row ? query_int(q, 0) : -1;
    query_reset(q);
    return status;
}

/* The rows of one call lie one behind the other in the index. */
static enum status read_oldest(struct ledger *l, int64_t before, int64_t limit, struct row *rows, int64_t *ret_count)
{
    struct query *q = store_query(l->store,
                                  "SELECT id, revision, version, cell, variant, hour, flags, signals,"
                                  " reward FROM ledger WHERE day < ? ORDER BY day, call_key, version LIMIT ?");
    bool found = false;
    enum status status;

    query_bind_int(q, 1, before);
    query_bind_int(q, 2, limit);
    for (*ret_count = 0; (status = query_step(q, &found)) == STATUS_OK && found; ++*ret_count)
        rows[*ret_count] = (struct row){.id = query_int(q, 0), .revision = query_int(q, 1), .version = (uint32_t)query_int(q, 2),
                                        .cell = (uint32_t)query_int(q, 3), .variant = (uint32_t)query_int(q, 4),
                                        .hour = query_int(q, 5), .flags = (uint32_t)query_int(q, 6),
                                        .signals = (uint64_t)query_int(q, 7), .reward = query_int(q, 8)};
    return status;
}

static enum status give_up(struct ledger *l, const struct row *row)
{
    struct query *q = store_query(l->store, "DELETE FROM ledger WHERE id = ?");
    struct bucket_key key;
    struct stats stats;

    if (row_contribution(row, &key, &stats))
        sums_add(&l->given_up, &key, &stats);
    l->row_total--;
    query_bind_int(q, 1, row->id);
    return query_run(q, NULL);
}

enum status ledger_give_up(struct ledger *l, int64_t before, int64_t limit, int64_t *ret_rows)
{
    struct row *rows = xcalloc((size_t)limit, sizeof *rows);
    enum status status = ledger_write_rows(l);

    if (before * LEDGER_HOURS_PER_DAY > l->rows_from)
        l->rows_from = before * LEDGER_HOURS_PER_DAY;
    l->facts_dirty = true;
    *ret_rows = 0;
    if (status == STATUS_OK)
        status = read_oldest(l, before, limit, rows, ret_rows);
    for (int64_t i = 0; i < *ret_rows && status == STATUS_OK; i++)
        status = give_up(l, &rows[i]);
    free(rows);
    return status;
}

/* --- versions that are learned no more -------------------------------------------------------------------------------------- */

/* All that counts under it has no row any more. */
static bool rowless(const struct ledger *l, uint32_t version)
{
    const struct bucket_table *totals = &l->sums.totals;

    for (const struct bucket *b = bucket_next(totals, NULL); b; b = bucket_next(totals, b)) {
        struct stats given_up = bucket_stats(&l->given_up.totals, &b->key);
        if (b->key.version == version && !stats_equal(&b->stats, &given_up))
            return false;
    }
    return true;
}

int64_t ledger_drop_versions(struct ledger *l, const char *keep, const char *keep_too)
{
    int64_t calls = 0;

    for (uint32_t id = 1; id <= l->name_count; id++) {
        if (strcmp(l->by_id[id], keep) == 0 || strcmp(l->by_id[id], keep_too) == 0 || ledger_calls(l, l->by_id[id], "") == 0 ||
            !rowless(l, id))
            continue;
        calls += sums_drop(&l->sums, id);
        sums_drop(&l->given_up, id);
    }
    l->changes += calls > 0;
    l->facts_dirty |= calls > 0;
    return calls;
}
