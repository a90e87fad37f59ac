/* SPDX-License-Identifier: Apache-2.0 */
/* tombstones.h - calls that were erased: nothing of them is taken again, whether it comes from a stream, a replay or a backup.
 *
 * A tombstone is SHA-256("rl/tombstone/v1" 0x00 call key), 16 bytes of it.  It recognises a pseudonym that it is shown,
 * gives none away, and outlives the key that made the pseudonym.  They lie in a table of the service's own database,
 * and all of them in memory. */
#ifndef RL_TOMBSTONES_H
#define RL_TOMBSTONES_H

#include "pseudonym.h"
#include "store.h"

struct tombstones;

/* Makes the table where there is none.  The store must outlive them. */
enum status tombstones_open(struct store *store, struct tombstones **ret) MUST_CHECK;
struct tombstones *tombstones_free(struct tombstones *t);

bool tombstones_has(const struct tombstones *t, const uint8_t key[static CALL_KEY_BYTES]);

/* In a transaction.  One that is there stays as it is. */
enum status tombstones_add(struct tombstones *t, const uint8_t key[static CALL_KEY_BYTES], int64_t now_us) MUST_CHECK;

/* A restored database has tombstones of calls that it still holds: until its owner has looked through all
 * of its rows, this is true. */
bool tombstones_unswept(const struct tombstones *t);
enum status tombstones_swept(struct tombstones *t) MUST_CHECK;

void tombstone_of(const uint8_t key[static CALL_KEY_BYTES], uint8_t ret[static CALL_KEY_BYTES]);

/* The table, for tools that merge it: hash, erased_us, swept. */
#define TOMBSTONE_TABLE \
    "CREATE TABLE IF NOT EXISTS tombstone(hash BLOB PRIMARY KEY, erased_us INTEGER NOT NULL, swept INTEGER NOT NULL)"

#endif
