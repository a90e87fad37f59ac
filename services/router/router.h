/* SPDX-License-Identifier: Apache-2.0 */
/* router.h - the service's state, shared by its decisions (router.c) and its live calls (calls.c). */
#ifndef RL_ROUTER_H
#define RL_ROUTER_H

#include <pthread.h>

#include "decide.h"
#include "decisions.h"
#include "service.h"
#include "sessions.h"

enum { MEMORY_S = 7200 }; /* how far a start reads back: nothing that is held is older */

enum router_metric {
    ROUTER_PULLS, ROUTER_DECISIONS, ROUTER_HELD, ROUTER_POLICY_AGE, ROUTER_LIMITS_AGE, ROUTER_SESSIONS, ROUTER_EVENTS,
    ROUTER_REJECTED, ROUTER_DROPPED
};

struct router {
    int64_t max_decisions, max_sessions, session_limit_s;

    const struct common_config *common;
    const struct variants *variants;
    struct metrics *metrics;
    struct keyring *ring;
    const char *key_file;
    pthread_mutex_t lock; /* everything below: the bus's thread decides, the loop's thread takes snapshots and events */
    struct policy *policy;
    struct limit_set limits;
    bool has_limits, locked;
    wall_time policy_at, limits_at;
    struct decisions *decisions;
    struct sessions *sessions;
    size_t pushed_out; /* sessions that had to go since the last tick */
    bool caught_up, ends_checked;
};

/* ---- router.c; the lock is held ---- */

/* The decision that was made for a call, and under which key; NULL: none is held. */
struct held_decision *router_remembered(struct router *r, const char *call_id, const char **ret_key_id);

/* A new one, as policy.select makes it, and policy.selected. */
struct held_decision *router_decide(struct router *r, const PolicySelectRequest *q, const bool *mask, struct outbox *out,
                                    const char *traceparent);

/* The whole record of a decision.  Its texts stay where they are: the reply is to be encoded before the lock is given back. */
void router_explain(const struct router *r, struct arena *arena, const struct held_decision *d, const char *key_id,
                    RouterSessionReply *m);

/* ---- calls.c: live calls ---- */

handler_fn on_call_event, on_call_ended, on_session, on_forget;
struct session *calls_session(struct router *r, const char *call_id); /* NULL: none; the lock is held */
void calls_declare(struct router *r);
void calls_tick(struct router *r, struct outbox *out); /* the lock is held */

#endif
