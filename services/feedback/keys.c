/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - a call that spans a rotation of the pseudonym keys stays one call.
 *
 * The key file is read again when it changes.  What comes with an id is looked up under every key; what comes with a pseudonym
 * alone (the decision) may carry the key before, while the call was first told under the new one: an alias leads there, for the
 * life of such messages, and is kept until none is left in its stream, so that who erases the call finds it. */
#include <string.h>

#include "feedback.h"
#include "log.h"

enum { DAY_S = 86400, ALIAS_DAYS = LOOK_BACK_DAYS + 1, KEPT_DAYS = 15 /* stream DECISIONS: 14 */ };

void keys_refresh(struct feedback *f)
{
    struct reason reason;
    bool changed;
    enum status status = keyring_refresh(&f->ring, f->key_file, INT64_MAX, &changed, &reason);

    if (status != STATUS_OK)
        log_error("keys.failed", "rule=\"%s\"", reason.text);
    else if (changed)
        log_info("keys.changed", "key=%s", keyring_id(f->ring, 0));
}

static bool rotated_lately(const struct feedback *f, wall_time now)
{
    return keyring_id(f->ring, 1) && now.us / 1000000 - keyring_made(f->ring, 0) < ALIAS_DAYS * DAY_S;
}

enum status keys_add_alias(struct feedback *f, const struct call *c, const char *call_id, wall_time now)
{
    uint8_t before[CALL_KEY_BYTES];

    if (!rotated_lately(f, now))
        return STATUS_OK;
    pseudonym(f->ring, 1, DOMAIN_CALL, call_id, before);
    struct query *q = store_query(f->store.store, "INSERT OR REPLACE INTO alias(call_key, row_key, day) VALUES(?, ?, ?)");
    query_bind_blob(q, 1, before, CALL_KEY_BYTES);
    query_bind_blob(q, 2, c->key, CALL_KEY_BYTES);
    query_bind_int(q, 3, c->day);
    return query_run(q, NULL);
}

enum status keys_find_alias(struct feedback *f, const uint8_t key[static CALL_KEY_BYTES], wall_time now,
                            uint8_t ret_key[static CALL_KEY_BYTES], bool *ret_found)
{
    size_t size = 0;

    *ret_found = false;
    if (!rotated_lately(f, now))
        return STATUS_OK;
    struct query *q = store_query(f->store.store, "SELECT row_key FROM alias WHERE call_key = ?");
    query_bind_blob(q, 1, key, CALL_KEY_BYTES);
    enum status status = query_step(q, ret_found);
    if (status == STATUS_OK && *ret_found) {
        const void *row_key = query_blob(q, 0, &size);
        if (size == CALL_KEY_BYTES)
            memcpy(ret_key, row_key, CALL_KEY_BYTES);
        else
            status = STATUS_CORRUPT;
    }
    query_reset(q);
    return status;
}

enum status keys_forget_alias(struct feedback *f, const uint8_t key[static CALL_KEY_BYTES])
{
    struct query *q = store_query(f->store.store, "DELETE FROM alias WHERE call_key = ?1 OR row_key = ?1");

    query_bind_blob(q, 1, key, CALL_KEY_BYTES);
    return query_run(q, NULL);
}

enum status keys_drop_aliases(struct feedback *f, wall_time now)
{
    struct query *q = store_query(f->store.store, "DELETE FROM alias WHERE day < ?");

    query_bind_int(q, 1, now.us / 1000000 / DAY_S - KEPT_DAYS);
    return query_run(q, NULL);
}
