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

/* Reads lines "<key id> <64 hex digits>"; the first is the one to write with.  STATUS_CONFIG names the file and the line; a file
 * that others may read (mode beyond 0640) is refused too. */
enum status keyring_load(const char *path, struct keyring **ret, struct reason *reason) MUST_CHECK;
struct keyring *keyring_free(struct keyring *ring);

/* The name of key number `i` (0 is the current one), NULL beyond the last. */
const char *keyring_id(const struct keyring *ring, size_t i);

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
