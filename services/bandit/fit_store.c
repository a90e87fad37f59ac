/* SPDX-License-Identifier: Apache-2.0 */
/* fit_store.c - one row for each set of settings: under them again, or under a reward version again,
 * the fit goes on from there. */
#include "fit_store.h"

#include <string.h>

enum status fit_load(struct store *store, uint32_t hash, struct belief_fit *ret)
{
    struct query *q = store_query(store, "SELECT calls, sd FROM fit WHERE hash = ?");
    bool found = false;
    size_t size;

    *ret = (struct belief_fit){.calls = 0};
    query_bind_int(q, 1, hash);
    enum status status = query_step(q, &found);
    if (status != STATUS_OK || !found)
        return status;
    const void *sd = query_blob(q, 1, &size);
    if (size == sizeof ret->sd) {
        memcpy(ret->sd, sd, size);
        ret->calls = query_real(q, 0);
    }
    query_reset(q);
    return STATUS_OK;
}

enum status fit_save(struct store *store, uint32_t hash, const struct belief_fit *fit)
{
    struct query *q = store_query(store, "INSERT OR REPLACE INTO fit (hash, calls, sd) VALUES (?, ?, ?)");

    query_bind_int(q, 1, hash);
    query_bind_real(q, 2, fit->calls);
    query_bind_blob(q, 3, fit->sd, sizeof fit->sd);
    return query_run(q, NULL);
}
