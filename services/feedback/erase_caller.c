/* SPDX-License-Identifier: Apache-2.0 */
/* erase_caller.c - the calls of one caller, found and forgotten a few at a time.
 *
 * All whose end had arrived when it was asked; what the caller says later is new data.  They are looked for before the streams
 * are searched and, because an end may have been on its way, again after CALLS: if that found one, the search begins anew.  What
 * is left to do follows from the database alone, so a kill costs nothing; which caller it is lies in table `caller_erasure`, by
 * pseudonym, until it is done. */
#include <string.h>

#include "erase.h"

enum { CHUNK = 50 /* calls looked at in a turn */ };

enum status erase_caller_begin(struct feedback *f, int64_t until_us)
{
    struct erasure *e = &f->erasure;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < e->caller_count && status == STATUS_OK; i++) {
        struct query *q = store_query(f->store.store, "INSERT INTO caller_erasure(caller_key, place, until_us) VALUES(?, ?, ?)");
        query_bind_blob(q, 1, e->callers[i], CALL_KEY_BYTES);
        query_bind_int(q, 2, (int64_t)i);
        query_bind_int(q, 3, until_us);
        status = query_run(q, NULL);
    }
    e->until_us = until_us;
    e->walks = true;
    return status;
}

enum status erase_caller_resume(struct feedback *f)
{
    struct erasure *e = &f->erasure;
    struct query *q = store_query(f->store.store, "SELECT caller_key, until_us FROM caller_erasure ORDER BY place");
    enum status status;
    size_t size;
    bool row;

    while ((status = query_step(q, &row)) == STATUS_OK && row && e->caller_count < MAX_KEYS) {
        memcpy(e->callers[e->caller_count++], query_blob(q, 0, &size), CALL_KEY_BYTES);
        e->until_us = query_int(q, 1);
        e->walks = true;
    }
    query_reset(q);
    return status;
}

/* Under the pseudonym of its row, and under that of the key before which its decision may carry. */
static enum status forget_names(struct feedback *f, struct outbox *out, const uint8_t *key)
{
    struct query *q = store_query(f->store.store, "SELECT call_key FROM alias WHERE row_key = ?");
    uint8_t names[MAX_KEYS][CALL_KEY_BYTES];
    enum status status;
    size_t count = 1, size;
    bool row;

    memcpy(names[0], key, CALL_KEY_BYTES);
    query_bind_blob(q, 1, key, CALL_KEY_BYTES);
    while ((status = query_step(q, &row)) == STATUS_OK && row && count < MAX_KEYS)
        memcpy(names[count++], query_blob(q, 0, &size), CALL_KEY_BYTES);
    query_reset(q);
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = erase_key(f, out, names[i]);
    return status;
}

/* All have been seen, under each key. */
static void end_walk(struct erasure *e)
{
    if (e->walk_found)
        e->place = 0;
    e->walks = e->walk_found = false;
    e->walk_key = 0;
    e->at = (struct caller_place){0};
    erase_sort(e);
}

enum status erase_caller_some(struct feedback *f, struct outbox *out)
{
    struct erasure *e = &f->erasure;
    size_t room = outbox_room(out) / 2, left = room < CHUNK ? room : CHUNK;
    enum status status = STATUS_OK;

    while (left > 0 && e->walks && status == STATUS_OK) {
        struct call *c = NULL;
        status = feedback_store_next_of(&f->store, outbox_arena(out), e->callers[e->walk_key], &e->at, &c);
        left--;
        if (status == STATUS_OK && !c) {
            e->at = (struct caller_place){0};
            if (++e->walk_key == e->caller_count)
                end_walk(e);
        } else if (status == STATUS_OK && c->record->end->arrived_us <= e->until_us) {
            e->walk_found = true;
            status = forget_names(f, out, c->key);
        }
    }
    return status;
}
