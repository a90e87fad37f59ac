/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_erase.c - a call that was erased leaves rows and sums, and does not come back.
 *
 * The sums are integers, so what is left is to the bit what it would be without the call. */
#include <stdlib.h>
#include <string.h>

#include "ledger_internal.h"

static enum status erase_row(struct ledger *l, const struct row *row)
{
    struct query *q = store_query(l->store, "DELETE FROM ledger WHERE id = ?");
    struct bucket_key key;
    struct stats stats;

    if (row_contribution(row, &key, &stats))
        sums_sub(&l->sums, &key, &stats);
    l->row_total--;
    l->changes++;
    l->facts_dirty = true;
    query_bind_int(q, 1, row->id);
    return query_run(q, NULL);
}

/* Under every reward version. */
static enum status erase_day(struct ledger *l, const uint8_t *key, int64_t day, int64_t *ret_rows)
{
    for (;;) {
        struct row row = {.day = day};
        memcpy(row.key, key, CALL_KEY_BYTES);
        enum status status = ledger_read_any(l, &row);
        if (status != STATUS_OK || !row.id)
            return status;
        status = erase_row(l, &row);
        if (status != STATUS_OK)
            return status;
        ++*ret_rows;
    }
}

/* The next day that has rows, by the index; *ret -1: there is none. */
static enum status next_day(struct ledger *l, int64_t after, int64_t *ret)
{
    struct query *q = store_query(l->store, "SELECT coalesce(min(day), -1) FROM ledger WHERE day > ?");
    bool row = false;

    query_bind_int(q, 1, after);
    enum status status = query_step(q, &row);
    *ret = row ? query_int(q, 0) : -1;
    query_reset(q);
    return status;
}

enum status ledger_erase(struct ledger *l, const uint8_t key[static CALL_KEY_BYTES], int64_t now, int64_t *ret_rows)
{
    enum status status = ledger_write_rows(l);
    int64_t day = -1;

    if (status == STATUS_OK)
        status = tombstones_add(l->tombstones, key, now * 1000000);
    if (status == STATUS_OK)
        status = next_day(l, day, &day);
    while (status == STATUS_OK && day >= 0) {
        status = erase_day(l, key, day, ret_rows);
        if (status == STATUS_OK)
            status = next_day(l, day, &day);
    }
    store_truncate_log(l->store);
    return status;
}

enum status ledger_sweep(struct ledger *l, int64_t now, int64_t *ret_rows)
{
    struct arena found = {0};
    const uint8_t **keys = NULL;
    size_t count = 0, capacity = 0, size;
    bool row = false;
    enum status status;

    if (!tombstones_unswept(l->tombstones))
        return STATUS_OK;
    struct query *q = store_query(l->store, "SELECT call_key FROM ledger");
    while ((status = query_step(q, &row)) == STATUS_OK && row) {
        const uint8_t *key = query_blob(q, 0, &size);
        if (size != CALL_KEY_BYTES || !tombstones_has(l->tombstones, key))
            continue;
        if (count == capacity)
            keys = xrealloc(keys, (capacity = capacity ? 2 * capacity : 64) * sizeof *keys);
        keys[count++] = arena_copy(&found, key, CALL_KEY_BYTES);
    }
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = ledger_erase(l, keys[i], now, ret_rows);
    free(keys);
    arena_done(&found);
    return status == STATUS_OK ? tombstones_swept(l->tombstones) : status;
}
