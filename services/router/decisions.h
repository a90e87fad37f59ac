/* SPDX-License-Identifier: Apache-2.0 */
/* decisions.h - the decisions of the last two hours, so that a call asked again gets the same answer. */
#ifndef RL_DECISIONS_H
#define RL_DECISIONS_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "context.h"
#include "msg.h"
#include "pseudonym.h"

struct held_decision {
    uint8_t key[CALL_KEY_BYTES];
    int64_t at_us; /* unix microseconds */
    size_t variant;
    DecisionSource source;
    bool holdback;
    bool recorded; /* policy.selected left before anybody was answered */
    bool ended;    /* call.ended was said by the router */
    char decision_id[CALL_KEY_TEXT], policy_version[64], guard_version[32];
    char profile[48], time_of_day[16];
    uint8_t *grounds; /* DecisionGrounds as on the wire, kept until it is asked for */
    size_t grounds_size;
    struct held_decision *same_bucket, *younger;
    double p[]; /* per variant */
};

struct decisions;

struct decisions *decisions_new(size_t variant_count, size_t capacity);
struct decisions *decisions_free(struct decisions *d);

/* NULL when there is none. */
struct held_decision *decisions_find(const struct decisions *d, const uint8_t key[static CALL_KEY_BYTES]);

/* A new one with its key, to be filled by the caller; the oldest goes when there are more than `capacity`.  The key must not be
 * there yet. */
struct held_decision *decisions_add(struct decisions *d, const uint8_t key[static CALL_KEY_BYTES], int64_t at_us);

/* Keeps a copy of `grounds`; NULL keeps none. */
void decisions_keep_grounds(struct held_decision *decision, struct arena *arena, const DecisionGrounds *grounds);

DecisionGrounds *decisions_grounds(const struct held_decision *decision, struct arena *arena); /* NULL: none are kept */

/* Forgets what is older than `before_us`. */
void decisions_forget(struct decisions *d, int64_t before_us);

/* Forgets the one of a key, if there is one. */
bool decisions_remove(struct decisions *d, const uint8_t key[static CALL_KEY_BYTES]);
size_t decisions_count(const struct decisions *d);

#endif
