/* SPDX-License-Identifier: Apache-2.0 */
/* tombstones.c - a sorted array beside a table. */
#include "tombstones.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

typedef uint8_t hash_bytes[CALL_KEY_BYTES];

struct tombstones {
    struct store *store;
    hash_bytes *hashes; /* ascending */
    size_t count, capacity;
    bool unswept;
};

void tombstone_of(const uint8_t key[static CALL_KEY_BYTES], uint8_t ret[static CALL_KEY_BYTES])
{
    static const char domain[] = "rl/tombstone/v1"; /* with its NUL */
    uint8_t text[sizeof domain + CALL_KEY_BYTES], full[EVP_MAX_MD_SIZE];

    memcpy(text, domain, sizeof domain);
    memcpy(text + sizeof domain, key, CALL_KEY_BYTES);
    if (!EVP_Digest(text, sizeof text, full, NULL, EVP_sha256(), NULL))
        abort();
    memcpy(ret, full, CALL_KEY_BYTES);
}

/* The place of a hash, or where it would go. */
static size_t place_of(const struct tombstones *t, const uint8_t *hash)
{
    size_t low = 0, high = t->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(t->hashes[middle], hash, CALL_KEY_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct tombstones *t, size_t place, const uint8_t *hash)
{
    return place < t->count && memcmp(t->hashes[place], hash, CALL_KEY_BYTES) == 0;
}

bool tombstones_has(const struct tombstones *t, const uint8_t key[static CALL_KEY_BYTES])
{
    uint8_t hash[CALL_KEY_BYTES];

    if (t->count == 0) /* nearly always: no hash for each new call */
        return false;
    tombstone_of(key, hash);
    return is_at(t, place_of(t, hash), hash);
}

static void insert(struct tombstones *t, size_t place, const uint8_t *hash)
{
    if (t->count == t->capacity) {
        t->capacity = t->capacity ? 2 * t->capacity : 64;
        t->hashes = xrealloc(t->hashes, t->capacity * sizeof *t->hashes);
    }
    memmove(t->hashes + place + 1, t->hashes + place, (t->count++ - place) * sizeof *t->hashes);
    memcpy(t->hashes[place], hash, CALL_KEY_BYTES);
}

enum status tombstones_add(struct tombstones *t, const uint8_t key[static CALL_KEY_BYTES], int64_t now_us)
{
    uint8_t hash[CALL_KEY_BYTES];

    tombstone_of(key, hash);
    size_t place = place_of(t, hash);
    if (is_at(t, place, hash))
        return STATUS_OK;
    struct query *q = store_query(t->store, "INSERT OR IGNORE INTO tombstone(hash, erased_us, swept) VALUES(?, ?, 1)");
    query_bind_blob(q, 1, hash, sizeof hash);
    query_bind_int(q, 2, now_us);
    enum status status = query_run(q, NULL);
    if (status == STATUS_OK)
        insert(t, place, hash);
    return status;
}

bool tombstones_unswept(const struct tombstones *t) { return t->unswept; }

enum status tombstones_swept(struct tombstones *t)
{
    enum status status = query_run(store_query(t->store, "UPDATE tombstone SET swept = 1 WHERE swept = 0"), NULL);

    t->unswept = status != STATUS_OK;
    return status;
}

static enum status load(struct tombstones *t)
{
    enum status status = query_run(store_query(t->store, TOMBSTONE_TABLE), NULL);

    if (status != STATUS_OK)
        return status;
    struct query *q = store_query(t->store, "SELECT hash, swept FROM tombstone ORDER BY hash");
    size_t size;
    bool row;

    while ((status = query_step(q, &row)) == STATUS_OK && row) {
        const uint8_t *hash = query_blob(q, 0, &size);
        if (size != CALL_KEY_BYTES) {
            query_reset(q);
            return STATUS_CORRUPT;
        }
        insert(t, t->count, hash);
        t->unswept |= query_int(q, 1) == 0;
    }
    return status;
}

enum status tombstones_open(struct store *store, struct tombstones **ret)
{
    struct tombstones *t = xcalloc(1, sizeof *t);

    t->store = store;
    enum status status = load(t);
    if (status == STATUS_OK)
        *ret = t;
    else
        tombstones_free(t);
    return status;
}

struct tombstones *tombstones_free(struct tombstones *t)
{
    if (t)
        free(t->hashes);
    free(t);
    return NULL;
}
