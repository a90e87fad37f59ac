/* SPDX-License-Identifier: Apache-2.0 */
/* join.h - what is known of one call, and one message more: what is known now.  No I/O, no clock.
 *
 * Decision, end and amendments may come in any order, any number of times; the record that results is the same.  Per field the
 * last `at` wins, then the source (human, user, judge, tool, fsm), then the larger value; `at` of an end is its ts, and nothing
 * is known as of later than it arrived.  The first end that was processed counts; but one that the router's state machine
 * concluded (source FSM) gives way to one that the voice stack tells: the call counts once, and no signal is lost. */
#ifndef RL_JOIN_H
#define RL_JOIN_H

#include "arena.h"
#include "msg.h"
#include "signals.h"

/* The numbers are stored: never reuse one.  From CALL_STORED on a call is complete and has been said. */
enum call_state {
    CALL_OPEN = 0,             /* no end yet */
    CALL_WAITING_DECISION = 1, /* ended, nobody said which variant spoke */
    CALL_WAITING_OUTCOME = 2,  /* ended, nobody said whether it was resolved */
    CALL_NO_DECISION = 3,      /* the wait was given up; a decision that comes later still completes the call */
    CALL_DROPPED = 4,          /* the same for the outcome */
    CALL_TOMBSTONE = 5,        /* the caller does not consent: nothing is kept, nothing more is taken */
    CALL_STORED = 6,
    CALL_RETRACTED = 7
};

static inline bool call_complete(enum call_state state) { return state >= CALL_STORED; }
static inline bool call_waits(enum call_state state) { return state == CALL_WAITING_DECISION || state == CALL_WAITING_OUTCOME; }

/* What a message did, as bits. */
enum join_effect {
    JOIN_NOTHING = 0,
    JOIN_CHANGED = 1,
    JOIN_DUPLICATE_END = 2, /* another end than the one that counts */
    JOIN_OVERRIDDEN = 4,    /* now known: what was spoken is not what was decided */
    JOIN_EARLY = 8          /* an amendment before the end */
};

/* Each changes `record` and takes what it keeps from the message into the arena; only the texts of `end` stay where they are. */
unsigned join_decision(struct arena *arena, CallRecord *record, const PolicySelected *decision, int64_t arrived_us);
/* `end`: what is kept of `message`. */
unsigned join_end(struct arena *arena, CallRecord *record, const End *end, const CallEnded *message);
unsigned join_amendment(struct arena *arena, CallRecord *record, const CallAmended *amendment, int64_t arrived_us);

/* Forgets all but the key; from now on no message changes the record. */
void join_tombstone(CallRecord *record, int64_t now_us);

/* The state that follows from the record; a wait that was given up stays given up. */
enum call_state join_state(const CallRecord *record, enum call_state before);

/* "" unknown: what was spoken, else what was decided. */
const char *join_variant(const CallRecord *record);
const char *join_profile(const CallRecord *record); /* as told, else the decision's, else general */
const Knowledge *join_knowledge(const CallRecord *record, Tom__Rl__V1__Knowledge__Field field); /* NULL: not known */
bool join_known(const CallRecord *record, Tom__Rl__V1__Knowledge__Field field, double *ret_value);
enum tri join_resolution(const CallRecord *record);

/* All of feedback.stored that follows from the record. */
void join_message(struct arena *arena, const CallRecord *record, FeedbackStored *message);

#endif
