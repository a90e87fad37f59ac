/* SPDX-License-Identifier: Apache-2.0 */
/* feedback.h - the service's state, shared by its messages (feedback.c), its batch (calls.c), its requests (requests.c)
 * and its cleanup (cleanup.c). */
#ifndef RL_FEEDBACK_H
#define RL_FEEDBACK_H

#include "feedback_store.h"
#include "service.h"
#include "validate.h"

/* A message lives so long in its stream that its call may be LOOK_BACK_DAYS old; a call that was forgotten earlier would count again. */
enum { CALL_SLOTS = 4096, LOOK_BACK_DAYS = 3, MIN_RETENTION_DAYS = LOOK_BACK_DAYS + 1, MAX_RETENTION_DAYS = 3650 };

enum feedback_metric {
    FEEDBACK_TOTAL, FEEDBACK_RATING, FEEDBACK_DURATION, FEEDBACK_BARGE_IN, FEEDBACK_ESCALATION, FEEDBACK_SUCCESS, FEEDBACK_DUPLICATE, FEEDBACK_AMENDED,
    FEEDBACK_OVERRIDDEN, FEEDBACK_NO_CONSENT, FEEDBACK_CLAMPED, FEEDBACK_NO_DECISION, FEEDBACK_DROPPED, FEEDBACK_DELETED, FEEDBACK_WAITING
};

struct feedback {
    int64_t join_wait_s, join_idle_s, outcome_wait_h, amendment_window_days, retention_days;
    bool allow_unknown_resolution;
    int out_of_range;
    const char *db_path;

    struct validate_rules rules;
    const struct common_config *common;
    const struct variants *variants;
    struct metrics *metrics;
    struct keyring *ring;
    struct feedback_store store;

    struct call *slots[CALL_SLOTS], **batch; /* calls of the open batch, by key and in order */
    size_t batch_count, batch_capacity;

    int64_t published;                    /* at the start: revisions up to here were said */
    int64_t idle_since_us;                /* service time since which no decision was on its way; 0: one is */
    int64_t cleanup_deleted, cleanup_next_us; /* so far; when to look again */
    int32_t cleanup_before, cleanup_refused_day; /* calls first seen before this day go, 0: none; last day it was said */
    int64_t cleanup_cursor, cleanup_pass; /* last row looked at, 0: a pass begins; how many went in this pass */
    bool cleanup_moves; /* there is more to do at once */
    int64_t replay_run, replay_from, replay_next, replay_last, replay_revision; /* run 0: none is going on */
};

/* ---- calls.c: the calls of the open batch ---- */

/* The call of an id or a key: from the batch, the database (up to `back` days before the message's), or new. */
enum status calls_by_id(struct feedback *f, struct outbox *out, const char *call_id, const struct in_msg *in, int32_t back, struct call **ret) MUST_CHECK;
enum status calls_by_key(struct feedback *f, struct outbox *out, const uint8_t key[static CALL_KEY_BYTES], const char *key_id, const struct in_msg *in,
                         struct call **ret) MUST_CHECK;

bool calls_open(const struct feedback *f, const uint8_t key[static CALL_KEY_BYTES]); /* Is it in the open batch? */

/* Takes a row that was read otherwise into the batch, or gives the one that is there already. */
struct call *calls_adopt(struct feedback *f, struct call *row);

/* Writes what changed and says what is complete. */
enum status calls_flush(struct feedback *f, struct outbox *out) MUST_CHECK;

/* Says one complete call; `revision` moves the published floor, 0 leaves it. */
void calls_say(struct outbox *out, const struct call *call, int64_t revision, bool first, const char *id);

/* Says that a call gave up waiting for its decision. */
void calls_say_no_decision(struct outbox *out, const struct call *call);

/* ---- requests.c ---- */

handler_fn on_stats, on_by_policy, on_replay;
enum status replay_open(struct feedback *f) MUST_CHECK; /* at the start: what the last life did not finish begins anew */
enum status replay_some(struct feedback *f, struct outbox *out) MUST_CHECK; /* as much as the outbox has room for */

FeedbackStored *event_of(struct arena *arena, const struct call *call); /* what is said of a stored call */

/* ---- query.c ---- */

handler_fn on_query;

/* ---- cleanup.c ---- */

handler_fn on_cleanup;
enum status cleanup_resume(struct feedback *f) MUST_CHECK;
enum status cleanup_some(struct feedback *f, struct outbox *out) MUST_CHECK; /* a chunk, when there is one to delete */

#endif
