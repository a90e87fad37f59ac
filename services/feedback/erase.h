/* SPDX-License-Identifier: Apache-2.0 */
/* erase.h - what the parts of an erasure share: the job (erase.c), the calls of a caller (erase_caller.c), what
 * is of them (erase_match.c). */
#ifndef RL_ERASE_H
#define RL_ERASE_H

#include "feedback.h"

/* ---- erase.c ---- */

/* One pseudonym of a call is forgotten in the database, and those behind are told. */
enum status erase_key(struct feedback *f, struct outbox *out, const uint8_t key[static CALL_KEY_BYTES]) MUST_CHECK;

/* ---- erase_caller.c ---- */

/* All under which the caller may lie, now stored as a job. */
enum status erase_caller_begin(struct feedback *f, int64_t until_us) MUST_CHECK;
enum status erase_caller_resume(struct feedback *f) MUST_CHECK;

/* The next few of the caller's calls; when there are no more the streams are searched. */
enum status erase_caller_some(struct feedback *f, struct outbox *out) MUST_CHECK;

/* ---- erase_match.c ---- */

void erase_sort(struct erasure *e); /* before the next search */
bool erase_wanted(void *erasure, enum subject subject, const uint8_t *data, size_t size);

#endif
