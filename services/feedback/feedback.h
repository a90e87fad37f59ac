/* SPDX-License-Identifier: Apache-2.0 */
/* feedback.h - the service's state, shared by its messages (feedback.c), its batch (calls.c), its requests (requests.c), the
 * question at the end of a call (question.c) and its cleanup (cleanup.c). */
#ifndef RL_FEEDBACK_H
#define RL_FEEDBACK_H

#include "feedback_store.h"
#include "service.h"
#include "tombstones.h"
#include "validate.h"

/* A message lives so long in its stream that its call may be LOOK_BACK_DAYS old; a call that was forgotten
 * earlier would count again. */
enum { CALL_SLOTS = 4096, LOOK_BACK_DAYS = 3, MIN_RETENTION_DAYS = LOOK_BACK_DAYS + 1, MAX_RETENTION_DAYS = 3650 };

enum feedback_metric {
    FEEDBACK_TOTAL, FEEDBACK_RATING, FEEDBACK_DURATION, FEEDBACK_BARGE_IN, FEEDBACK_ESCALATION, FEEDBACK_SUCCESS,
    FEEDBACK_DUPLICATE, FEEDBACK_AMENDED, FEEDBACK_OVERRIDDEN, FEEDBACK_NO_CONSENT, FEEDBACK_CLAMPED, FEEDBACK_NO_DECISION,
    FEEDBACK_DROPPED, FEEDBACK_DELETED, FEEDBACK_WAITING, FEEDBACK_ANSWERS, FEEDBACK_DANGLING, FEEDBACK_JOIN_DELAY,
    FEEDBACK_RATING_DELAY, FEEDBACK_ERASED, FEEDBACK_STORED
};

/* What is being erased: a call under every key of the ring, or all calls of a caller. */
enum { ERASE_PLACES = 5, RECEIPT_SIZE = 24 };
struct erasure {
    char receipt[RECEIPT_SIZE]; /* "": nothing is */
    size_t key_count, key_capacity;
    uint8_t (*keys)[CALL_KEY_BYTES]; /* of calls, sorted while the streams are searched */
    int64_t revision, next_us; /* of the last word; service time of the next look */
    size_t caller_count; /* 0: it is one call */
    uint8_t callers[MAX_KEYS][CALL_KEY_BYTES];
    int64_t until_us; /* calls whose end had arrived by then */
    struct caller_place at; /* where the walk through them is, */
    size_t walk_key; /* under this one of `callers` */
    bool walks, walk_found;
    struct keyring *ring; /* the search's own */
    struct arena arena;
    size_t place; /* how many streams are done */
    uint64_t rows, counts[ERASE_PLACES];
    unsigned complained;
    char reply[256]; /* "": nobody asks any more */
    bool json;
};

/* The questions of one live call. */
struct asked {
    uint8_t key[CALL_KEY_BYTES];
    uint8_t misses, rating, said; /* answers without a rating; the last one and how many were said */
    uint8_t language;             /* enum rating_language, 0: unknown */
};

/* A call's slot is one of ASKED_WAYS; the one that was touched longest ago makes room: that call may be asked
 * once more, and that is all. */
enum { ASKED_SETS = 4096, ASKED_WAYS = 4 };

struct feedback {
    int64_t join_wait_s, join_idle_s, outcome_wait_h, amendment_window_days, retention_days;
    bool allow_unknown_resolution;
    int out_of_range, consent_default; /* 1: none */
    const char *db_path;
    int language, question_wording;
    const char *question[2], *question_retry[2]; /* by language: de, en */
    double rating_min_confidence;

    struct validate_rules rules;
    const struct common_config *common;
    const struct variants *variants;
    struct metrics *metrics;
    struct keyring *ring;
    const char *key_file;
    struct feedback_store store;
    struct tombstones *tombstones;
    struct erasure erasure;

    struct call *slots[CALL_SLOTS], **batch; /* calls of the open batch, by key and in order */
    size_t batch_count, batch_capacity;

    struct asked asked[ASKED_SETS][ASKED_WAYS]; /* memory only: a restart asks again at worst */

    int64_t published;                    /* at the start: revisions up to here were said */
    int64_t idle_since_us;                /* service time since which no decision was on its way; 0: one is */
    int64_t cleanup_deleted, cleanup_next_us; /* so far; when to look again */
    int32_t cleanup_before, cleanup_refused_day; /* calls first seen before this day go, 0: none; last day it was said */
    int64_t cleanup_cursor, cleanup_pass; /* last row looked at, 0: a pass begins; how many went in this pass */
    bool cleanup_moves; /* there is more to do at once */
    int64_t replay_run, replay_from, replay_next, replay_last, replay_revision; /* run 0: none is going on */
    char replay_version[33]; /* by whose rules only; "": by all */
};

/* ---- feedback.c ---- */

bool feedback_too_late(const struct feedback *f, const struct call *call, int64_t now_us); /* beyond the amendment window */

/* ---- calls.c: the calls of the open batch ---- */

/* The call of an id or a key: from the batch, the database (up to `back` days before the message's), or new. */
enum status calls_by_id(struct feedback *f, struct outbox *out, const char *call_id, const struct in_msg *in, int32_t back,
                        struct call **ret) MUST_CHECK;
enum status calls_by_key(struct feedback *f, struct outbox *out, const uint8_t key[static CALL_KEY_BYTES], const char *key_id,
                         const struct in_msg *in, struct call **ret) MUST_CHECK;

/* NULL: not in the open batch. */
struct call *calls_find_open(const struct feedback *f, const uint8_t key[static CALL_KEY_BYTES]);

/* Takes a row that was read otherwise into the batch, or gives the one that is there already. */
struct call *calls_adopt(struct feedback *f, struct call *row);

/* Writes what changed and says what is complete. */
enum status calls_flush(struct feedback *f, struct outbox *out) MUST_CHECK;

/* Says one complete call. */
struct saying {
    int64_t revision; /* moves the published floor, 0 leaves it */
    bool first;
    const char *id, *reward_version; /* both may be "" */
};
void calls_say(struct outbox *out, const struct call *call, const struct saying *how);

/* Says that a call is forgotten: all who know of it take it back. */
void calls_say_erased(struct outbox *out, const uint8_t key[static CALL_KEY_BYTES], int64_t revision);

/* Says that a call gave up waiting for its decision. */
void calls_say_no_decision(struct outbox *out, const struct call *call);

/* ---- keys.c: what a rotation of the pseudonym keys asks for ---- */

void keys_refresh(struct feedback *f);

/* A call that was first told by its id lies under the current key; its decision may still come under the one before.  For some
 * days after a rotation that pseudonym leads to the row. */
enum status keys_add_alias(struct feedback *f, const struct call *call, const char *call_id, wall_time now) MUST_CHECK;
enum status keys_find_alias(struct feedback *f, const uint8_t key[static CALL_KEY_BYTES], wall_time now,
                            uint8_t ret_key[static CALL_KEY_BYTES], bool *ret_found) MUST_CHECK;
enum status keys_forget_alias(struct feedback *f, const uint8_t key[static CALL_KEY_BYTES]) MUST_CHECK;
enum status keys_drop_aliases(struct feedback *f, wall_time now) MUST_CHECK; /* those that nobody needs any more */

/* ---- requests.c ---- */

handler_fn on_stats, on_by_policy, on_replay;
enum status replay_open(struct feedback *f) MUST_CHECK; /* at the start: what the last life did not finish begins anew */
enum status replay_some(struct feedback *f, struct outbox *out) MUST_CHECK; /* as much as the outbox has room for */
FeedbackStored *event_of(struct arena *arena, const struct call *call); /* what is said of a stored call */

/* ---- question.c ---- */

handler_fn on_question, on_answer;
void question_declare(struct feedback *f); /* its series */
void question_forget(struct feedback *f, const uint8_t key[static CALL_KEY_BYTES]); /* of a call that is erased */
extern const char *const question_languages[], *const question_wordings[];

/* ---- erase.c ---- */

handler_fn on_erase;
enum status erase_resume(struct feedback *f, struct outbox *out) MUST_CHECK; /* at the start: goes on with what was begun */
enum status erase_sweep(struct feedback *f, struct outbox *out) MUST_CHECK;  /* at the start: what a restored backup brought */
enum status erase_some(struct feedback *f, struct outbox *out) MUST_CHECK;
mono_time erase_next(const struct feedback *f, mono_time now);
void erase_done(struct feedback *f);

/* ---- query.c ---- */

handler_fn on_query;

/* The newest calls of a variant, at most `limit`. */
enum status query_newest(struct feedback *f, struct arena *arena, const char *variant, size_t limit, FeedbackStored ***ret_events,
                         size_t *ret_count) MUST_CHECK;

/* ---- export.c ---- */

handler_fn on_export;

/* Whom a request is about, checked and trimmed: one call, or all calls of a caller.  STATUS_BUSY: callers cannot be found yet. */
enum status whom_asked(const struct feedback *f, char **call_id, char **caller_key, bool *ret_caller,
                       struct reason *reason) MUST_CHECK;

/* ---- cleanup.c ---- */

handler_fn on_cleanup;
enum status cleanup_resume(struct feedback *f) MUST_CHECK;
enum status cleanup_some(struct feedback *f, struct outbox *out) MUST_CHECK; /* a chunk, when there is one to delete */

#endif
