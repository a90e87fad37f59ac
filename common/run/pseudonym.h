/* SPDX-License-Identifier: Apache-2.0 */
/* pseudonym.h - call ids become keyed hashes; only router and feedback hold the key.
 *
 * key = HMAC-SHA256(secret, domain 0x00 id), its first 16 bytes (RFC 2104, section 5: no less than half the hash). */
#ifndef RL_PSEUDONYM_H
#define RL_PSEUDONYM_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

enum { CALL_KEY_BYTES = 16, CALL_KEY_TEXT = 2 * CALL_KEY_BYTES + 1, MAX_KEYS = 16 };

struct keyring; /* not thread-safe: one per thread */

/* Reads lines "<key id> <64 hex digits> [unix seconds at which it was made]"; the first is the one to write with, the others are
 * for looking up.  STATUS_CONFIG names the file and the line; a file that others may read (mode beyond 0640) is refused too. */
enum status keyring_load(const char *path, struct keyring **ret, struct reason *reason) MUST_CHECK;
struct keyring *keyring_free(struct keyring *ring);

/* The name of key number `i` (0 is the current one), NULL beyond the last. */
const char *keyring_id(const struct keyring *ring, size_t i);
int64_t keyring_made(const struct keyring *ring, size_t i); /* unix seconds; 0: unknown */

/* Reads the file again when it is another one than was read, and takes it unless its first key was made after `made_until`.  A
 * failure leaves the ring as it is, and is told once. */
enum status keyring_refresh(struct keyring **ring, const char *path, int64_t made_until, bool *ret_changed,
                            struct reason *reason) MUST_CHECK;

/* After a rotation the router goes on with the old key for so long: then everybody can look up the new one. */
enum { KEY_SETTLES_S = 10 };

/* Domains, one per purpose, so that no value of one can be taken for another. */
#define DOMAIN_CALL "rl/call/v1"
#define DOMAIN_CALLER "rl/caller/v1"
#define DOMAIN_DECISION "rl/decision/v1"
#define DOMAIN_DRAW "rl/draw/v1"
#define DOMAIN_HOLDBACK "rl/holdback/v1"

/* Pseudonym of `id` under key number `i`, which must exist. */
void pseudonym(struct keyring *ring, size_t i, const char *domain, const char *id, uint8_t ret_key[static CALL_KEY_BYTES]);

/* A number in [0, 1) with 53 bits, from the first bytes of such a key. */
double pseudonym_uniform(const uint8_t key[static CALL_KEY_BYTES]);

void call_key_text(const uint8_t key[static CALL_KEY_BYTES], char ret_text[static CALL_KEY_TEXT]);
bool call_key_parse(const char *text, uint8_t ret_key[static CALL_KEY_BYTES]); /* exactly 32 lower-case hex digits */

#endif
